/* int8_memory.c through the tile of bytes in fours, where the processor has no such instruction: the same by others. */
#include <immintrin.h>
#include <stdint.h>

/* vpdpbusd: sum + four products of uint8 and int8, wrapping around. */
static __attribute__((noinline)) __m256i fours(__m256i sum, __m256i a, __m256i b)
{
    uint8_t x[32];
    int8_t y[32];
    uint32_t sums[8];
    _mm256_storeu_si256((__m256i *)(void *)sums, sum);
    _mm256_storeu_si256((__m256i *)(void *)x, a);
    _mm256_storeu_si256((__m256i *)(void *)y, b);
    for (int i = 0; i < 32; i++) sums[i / 4] += (uint32_t)(x[i] * y[i]);
    return _mm256_loadu_si256((const __m256i *)(const void *)sums);
}
#define SV_INT8_DPBUSD(sum, a, b) fours(sum, a, b)

#include "int8_memory.c"
