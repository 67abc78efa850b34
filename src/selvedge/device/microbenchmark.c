/* Peak multiply-accumulates of one core, and bytes moved by y = s * x over a small and a large footprint.
 *
 * usage: microbenchmark CACHE_BYTES RAM_BYTES; prints "NAME VALUE" lines, values per second.
 * VECTOR_BYTES (0 for scalar code) is given by the compiler's command line. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#if VECTOR_BYTES > 0
typedef float lanes __attribute__((vector_size(VECTOR_BYTES)));
#else
typedef float lanes;
#endif
#define LANES ((double)(sizeof(lanes) / sizeof(float)))

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#define CHAINS 12

/* Independent chains, more than latency x units of any core in use and few enough for 16 registers.
 * Each starts elsewhere, or a compiler may compute them once. */
static float chains(long rounds, float seed) {
    lanes m = {0}, c = {0}, a[CHAINS], sum = {0};
    m += seed, c += seed;
    for (int k = 0; k < CHAINS; k++) {
        a[k] = c * (float)k;
    }
    for (long i = 0; i < rounds; i++) {
        for (int k = 0; k < CHAINS; k++) {
            a[k] = a[k] * m + c;
        }
    }
    for (int k = 0; k < CHAINS; k++) {
        sum += a[k];
    }
#if VECTOR_BYTES > 0
    return sum[0];
#else
    return sum;
#endif
}

static double macs_per_second(void) {
    const long rounds = 1L << 18;
    double best = 0.0;
    volatile float seed = 0.5f;
    for (int repeat = 0; repeat < 60; repeat++) {
        double start = now();
        seed = chains(rounds, seed) > 0.0f ? 0.5f : 0.25f;
        double rate = CHAINS * LANES * (double)rounds / (now() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

/* Bytes read plus written, the best of several passes over x and y of bytes / 2 each. */
static double bytes_per_second(size_t bytes, double budget) {
    size_t n = bytes / 2 / sizeof(float);
    float *x = malloc(n * sizeof(float)), *y = malloc(n * sizeof(float));
    double best = 0.0, began;
    volatile float scale = 0.5f;
    if (!x || !y || !n) {
        exit(1);
    }
    for (size_t i = 0; i < n; i++) {
        x[i] = 1.0f, y[i] = 0.0f;
    }
    began = now();
    for (int pass = 0; pass < 2 || now() - began < budget; pass++) {
        const long times = bytes < (1u << 24) ? 64 : 1;
        double start = now();
        for (long t = 0; t < times; t++) {
            const float s = scale;
            for (size_t i = 0; i < n; i++) {
                y[i] = s * x[i];
            }
        }
        double rate = 2.0 * (double)(n * sizeof(float)) * (double)times / (now() - start);
        best = rate > best ? rate : best;
        scale = y[n / 2] > 0.0f ? 0.5f : 0.25f;
    }
    free(x);
    free(y);
    return best;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        return 2;
    }
    printf("macs %.6e\n", macs_per_second());
    printf("cache %.6e\n", bytes_per_second((size_t)strtoull(argv[1], NULL, 10), 0.1));
    printf("ram %.6e\n", bytes_per_second((size_t)strtoull(argv[2], NULL, 10), 0.2));
    return 0;
}
