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
#include <immintrin.h>
#else
#define SV_INT8_AVX2 0
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

#if SV_INT8_AVX2
/* Eight multipliers with shifts <= 0, ready to rescale by; and the ends of a result. Kept apart from memory, which a
 * store of int8 may change as far as a compiler knows. */
typedef struct {
    __m256i even, odd, right, mask, half;
} sv_int8_scale;
typedef struct {
    __m256i low, high, zero;
} sv_int8_ends;

SV_INLINE sv_int8_scale sv_int8_scale_of(__m256i multiplier, __m256i shift)
{
    const __m256i right = _mm256_sub_epi32(_mm256_setzero_si256(), shift), one = _mm256_set1_epi32(1);
    const __m256i mask = _mm256_sub_epi32(_mm256_sllv_epi32(one, right), one);
    const sv_int8_scale by = {multiplier, _mm256_srli_epi64(multiplier, 32), right, mask, _mm256_srli_epi32(mask, 1)};
    return by;
}

SV_INLINE sv_int8_scale sv_int8_scale_at(const int32_t *multiplier, const int32_t *shift)
{
    return sv_int8_scale_of(_mm256_loadu_si256((const __m256i *)(const void *)multiplier),
                            _mm256_loadu_si256((const __m256i *)(const void *)shift));
}

SV_INLINE sv_int8_ends sv_int8_ends_of(const sv_int8 *q)
{
    const sv_int8_ends ends = {_mm256_set1_epi32(q->low - q->y_zero), _mm256_set1_epi32(q->high - q->y_zero),
                               _mm256_set1_epi32(q->y_zero)};
    return ends;
}

/* sv_scaled of eight. */
SV_INLINE __m256i sv_scaled_8(__m256i x, const sv_int8_scale *by)
{
    const __m256i nudge = _mm256_set1_epi64x((int64_t)1 << 30);
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, by->even), nudge);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), by->odd), nudge);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    const __m256i threshold = _mm256_sub_epi32(by->half, _mm256_srai_epi32(high, 31));
    const __m256i up = _mm256_cmpgt_epi32(_mm256_and_si256(high, by->mask), threshold);
    return _mm256_sub_epi32(_mm256_srav_epi32(high, by->right), up);
}

/* sv_narrowed of eight, in the low half. */
SV_INLINE __m128i sv_narrowed_8(__m256i x, const sv_int8_ends *ends)
{
    x = _mm256_add_epi32(_mm256_min_epi32(_mm256_max_epi32(x, ends->low), ends->high), ends->zero);
    const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    return _mm_packs_epi16(half, half);
}

/* sv_requantised_double of four, before they are bytes. */
SV_INLINE __m128i sv_rounded_4(__m128i sum, const int32_t *scales, const sv_int8 *q)
{
    const __m256d sign = _mm256_set1_pd(-0.0), by = _mm256_loadu_pd((const double *)(const void *)scales);
    const __m256d product = _mm256_mul_pd(_mm256_cvtepi32_pd(sum), by);
    const __m256d magnitude = _mm256_andnot_pd(sign, product), whole = _mm256_floor_pd(magnitude);
    const __m256d up = _mm256_cmp_pd(_mm256_add_pd(whole, _mm256_set1_pd(0.5)), magnitude, _CMP_LE_OQ);
    const __m256d rounded = _mm256_add_pd(whole, _mm256_and_pd(up, _mm256_set1_pd(1)));
    __m256d value = _mm256_add_pd(_mm256_or_pd(rounded, _mm256_and_pd(sign, product)), _mm256_set1_pd(q->y_zero));
    value = _mm256_min_pd(_mm256_max_pd(value, _mm256_set1_pd(q->low)), _mm256_set1_pd(q->high));
    return _mm256_cvtpd_epi32(value);
}

/* x (count), less its zero point, as int16: in whole vectors where these lie before `end`, so that up to 15 numbers
 * behind the last are written too. */
SV_INLINE void sv_widened(int16_t *out, const int8_t *x, int32_t count, int32_t zero, const int8_t *end)
{
    const __m256i z = _mm256_set1_epi16((int16_t)zero);
    int32_t i = 0;
    for (; i < count && x + i + 16 <= end; i += 16) {
        const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(x + i)));
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_sub_epi16(wide, z));
    }
    for (; i < count; i++) out[i] = (int16_t)(x[i] - zero);
}
#else
SV_INLINE void sv_widened(int16_t *out, const int8_t *x, int32_t count, int32_t zero, const int8_t *end)
{
    (void)end;
    for (int32_t i = 0; i < count; i++) out[i] = (int16_t)(x[i] - zero);
}
#endif

#endif
