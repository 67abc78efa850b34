/* State in fewer bytes: bfloat16 a number, or 8 bits a number and a scale a block of SV_BLOCK numbers.
 *
 * Both round at random, up or down in proportion to what is lost: a decay by 0.1 % a step is less than half a unit of
 * either format, and would be lost for ever by rounding to nearest. The randomness is a hash of the number itself and of
 * the count of updates, so that a step is a function of what it reads. */
#ifndef SELVEDGE_COMPACT_H
#define SELVEDGE_COMPACT_H

#include "selvedge.h"

typedef uint16_t sv_uint16 __attribute__((may_alias));
#define SV_BLOCK 64

SV_INLINE uint32_t sv_bits(real x)
{
    const float single = (float)x;
    uint32_t bits;
    memcpy(&bits, &single, sizeof bits);
    return bits;
}

/* 32 bits that look random (Wellons, "Prospecting for hash functions", 2018: lowbias32), of a number, of its place in
 * the block and of the count of updates. */
SV_INLINE uint32_t sv_noise(real x, int32_t place, real rounds)
{
    uint32_t h = sv_bits(x) + (uint32_t)place * 0x85EBCA6Bu + (uint32_t)rounds * 0x9E3779B9u;
    h ^= h >> 16;
    h *= 0x7FEB352Du;
    h ^= h >> 15;
    h *= 0x846CA68Bu;
    h ^= h >> 16;
    return h;
}

/* The upper half of a float32. NaN and infinity stay what they are. */
SV_INLINE real sv_to_bfloat16(real x, real rounds)
{
    const uint32_t bits = sv_bits(x), kept = bits | (x != x ? 0x400000u : 0u);
    const uint32_t special = 0u - (uint32_t)((bits & 0x7F800000u) == 0x7F800000u);
    return (real)(((kept & special) | ((bits + (sv_noise(x, 0, rounds) >> 16)) & ~special)) >> 16);
}
SV_INLINE real sv_from_bfloat16(real code)
{
    const uint32_t bits = (uint32_t)code << 16;
    float single;
    memcpy(&single, &bits, sizeof single);
    return (real)single;
}

/* x = scale (c / 127)^2 with the sign of c, and x^(1/2) = scale (c / 255)^2 for what is never negative: fine near zero,
 * where most of a block lies, coarse at the largest (Dettmers et al., "8-bit Optimizers via Block-wise Quantization",
 * 2021, sections 2.1 and 2.2; their map is piecewise, this one is a parabola and needs no table). */
SV_INLINE real sv_dequantize(real code, real scale) { return code * sv_fabs(code) * (scale / 16129); }
SV_INLINE real sv_dequantize_square(real code, real scale)
{
    const real root = code * code * (scale / 65025);
    return root * root;
}

/* share = |x| / scale in 0..1 -> its code in 0..levels: of the two about it, at random. */
SV_INLINE int32_t sv_code(real share, int32_t levels, uint32_t noise)
{
    const int32_t low = sv_min_int((int32_t)(sv_sqrt(share) * (real)levels), levels - 1);
    /* 2 low + 1 times 15 bits is exact in float32: a fused multiply-add cannot round otherwise. */
    const real border = (real)(low * low) + (real)(2 * low + 1) * ((real)(noise >> 17) / 32768);
    return low + (share * (real)(levels * levels) > border);
}

/* x (n <= SV_BLOCK) -> its codes; returns the scale: NaN for a block that holds NaN or infinity. */
SV_NOINLINE real sv_quantize(int8_t *codes, const real *x, int32_t n, real rounds)
{
    real scale = 0;
    for (int32_t i = 0; i < n; i++) {
        const real size = sv_fabs(x[i]);
        scale = scale != scale || size <= scale ? scale : size;
    }
    if (!(scale > 0 && scale - scale == 0)) {
        memset(codes, 0, (size_t)n);
        return scale - scale;
    }
    for (int32_t i = 0; i < n; i++) {
        const int32_t code = sv_code(sv_fabs(x[i]) / scale, 127, sv_noise(x[i], i, rounds));
        codes[i] = (int8_t)(x[i] < 0 ? -code : code);
    }
    return scale;
}
/* x >= 0. What is above zero stays so: a zero here is a division by eps. */
SV_NOINLINE real sv_quantize_square(uint8_t *codes, const real *x, int32_t n, real rounds)
{
    real largest = 0;
    for (int32_t i = 0; i < n; i++) largest = largest != largest || x[i] <= largest ? largest : x[i];
    const real scale = sv_sqrt(largest);
    if (!(scale > 0 && scale - scale == 0)) {
        memset(codes, 0, (size_t)n);
        return scale - scale;
    }
    for (int32_t i = 0; i < n; i++) {
        const int32_t code = sv_code(sv_sqrt(x[i] > 0 ? x[i] : 0) / scale, 255, sv_noise(x[i], i, rounds));
        codes[i] = (uint8_t)(x[i] > 0 ? sv_max_int(code, 1) : 0);
    }
    return scale;
}

#endif
