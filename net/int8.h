/* What int8 kernels share: how an accumulator becomes an int8 again, bit by bit as LiteRT's reference kernels round.
 *
 * real = scale * (integer - zero_point). A multiplier is multiplier / 2^31 * 2^shift, multiplier 0 or in [2^30, 2^31),
 * shift -31..30 (src/selvedge/ir/integer/fixed_point.py). Right shifts of negative numbers are arithmetic here: gcc and
 * clang promise it. */
#ifndef SELVEDGE_INT8_H
#define SELVEDGE_INT8_H

#include "selvedge.h"

#if defined(__AVX2__) && SV_VECTOR_BYTES >= 32
#define SV_INT8_AVX2 1
#else
#define SV_INT8_AVX2 0
#endif
#if defined(__ARM_NEON) && defined(__aarch64__) && SV_VECTOR_BYTES >= 16
#define SV_INT8_NEON 1
#else
#define SV_INT8_NEON 0
#endif

/* Zero points of x, of the weights and of the result, and what the result is clamped to. */
typedef struct {
    int32_t x_zero, w_zero, y_zero, low, high;
} sv_int8;

SV_INLINE int32_t sv_saturated(int64_t x)
{
    return x > INT32_MAX ? INT32_MAX : (x < INT32_MIN ? INT32_MIN : (int32_t)x);
}

/* round(x / 2^exponent), halves away from zero; exponent 0..31. */
SV_INLINE int32_t sv_rounding_shift(int32_t x, int32_t exponent)
{
    const int32_t mask = (int32_t)(((uint32_t)1 << exponent) - 1);
    return (x >> exponent) + ((x & mask) > (mask >> 1) + (x < 0));
}

/* round(a * b / 2^31), halves up; not of two INT32_MIN. */
SV_INLINE int32_t sv_doubling_high(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x * multiplier / 2^31 * 2^shift, rounded twice; a left shift saturates. */
SV_INLINE int32_t sv_scaled(int32_t x, int32_t multiplier, int32_t shift)
{
    const int32_t left = shift > 0 ? sv_saturated((int64_t)x * ((int64_t)1 << shift)) : x;
    return sv_rounding_shift(sv_doubling_high(left, multiplier), shift < 0 ? -shift : 0);
}

/* x plus the zero point, clamped; x may be any int32. */
SV_INLINE int8_t sv_narrowed(int32_t x, const sv_int8 *q)
{
    const int32_t low = q->low - q->y_zero, high = q->high - q->y_zero;
    return (int8_t)((x < low ? low : (x > high ? high : x)) + q->y_zero);
}

SV_INLINE int8_t sv_requantised(int32_t sum, int32_t multiplier, int32_t shift, const sv_int8 *q)
{
    return sv_narrowed(sv_scaled(sum, multiplier, shift), q);
}

/* The same in float64, rounded once, halves away from zero: as the reference's linear layer. */
SV_INLINE int8_t sv_requantised_double(int32_t sum, double scale, const sv_int8 *q)
{
    const double product = sum * scale, magnitude = fabs(product), whole = floor(magnitude);
    const double rounded = whole + 0.5 <= magnitude ? whole + 1 : whole;
    const double value = (product < 0 ? -rounded : rounded) + q->y_zero;
    return (int8_t)(value < q->low ? q->low : (value > q->high ? q->high : (int32_t)value));
}

/* Number i of float64 values kept as pairs of int32: flash is aligned for those, and a unit has one real type. */
SV_INLINE double sv_double_at(const int32_t *pairs, int32_t i)
{
    double value;
    memcpy(&value, pairs + 2 * i, sizeof value);
    return value;
}

#endif
