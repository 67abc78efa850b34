/* int8.h in vectors of AVX2: accumulators that become int8 again, eight at a time. */
#ifndef SELVEDGE_INT8_AVX2_H
#define SELVEDGE_INT8_AVX2_H

#include "int8.h"

#if SV_INT8_AVX2
#include <immintrin.h>

/* sum + a * b of pairs of int16. */
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define SV_INT8_DOT(sum, a, b) _mm256_dpwssd_epi32(sum, a, b)
#elif defined(__AVXVNNI__)
#define SV_INT8_DOT(sum, a, b) _mm256_dpwssd_avx_epi32(sum, a, b)
#else
#define SV_INT8_DOT(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
#endif

/* Eight multipliers with shifts -right <= 0. With H = round(x * multiplier / 2^31), half = 2^right / 2 and the multiplier
 * in [2^30, 2^31) or 0,
 *
 *   sv_scaled(x) = (H + half - (x < 0)) >> right,    right > 0; without the (x < 0) where right = 0,
 *
 * for H < 0 is x < 0 but where H = 0, which both round to 0. H + half is what lies from bit 31 on in
 * x * multiplier + 2^30 + half * 2^31: one addition of 64 bits for both. |H| + half < 2^31. */
typedef struct {
    __m256i even, odd, even_half, odd_half; /* of lanes 0, 2, 4, 6 and of 1, 3, 5, 7 */
    __m256i least, right;                   /* below least lies what is rounded down where it is halfway */
} sv_int8_scale;

/* Ends of a result. Kept apart from memory, which a store of int8 may change as far as a compiler knows. */
typedef struct {
    __m256i zero, low, high; /* int16; int8 */
} sv_int8_ends;

SV_INLINE sv_int8_scale sv_int8_scale_of(__m256i multiplier, __m256i shift)
{
    const __m256i none = _mm256_setzero_si256(), right = _mm256_sub_epi32(none, shift);
    const __m256i half = _mm256_srli_epi32(_mm256_sllv_epi32(_mm256_set1_epi32(1), right), 1);
    const __m256i nudge = _mm256_set1_epi64x((int64_t)1 << 30), low = _mm256_set1_epi64x(UINT32_MAX);
    const __m256i least = _mm256_and_si256(_mm256_cmpeq_epi32(right, none), _mm256_set1_epi32(INT32_MIN));
    const sv_int8_scale by = {multiplier,
                              _mm256_srli_epi64(multiplier, 32),
                              _mm256_add_epi64(_mm256_slli_epi64(_mm256_and_si256(half, low), 31), nudge),
                              _mm256_add_epi64(_mm256_slli_epi64(_mm256_srli_epi64(half, 32), 31), nudge),
                              least,
                              right};
    return by;
}

SV_INLINE sv_int8_scale sv_int8_scale_at(const int32_t *multiplier, const int32_t *shift)
{
    return sv_int8_scale_of(_mm256_loadu_si256((const __m256i *)(const void *)multiplier),
                            _mm256_loadu_si256((const __m256i *)(const void *)shift));
}

SV_INLINE sv_int8_ends sv_int8_ends_of(const sv_int8 *q)
{
    const sv_int8_ends ends = {_mm256_set1_epi16((int16_t)q->y_zero), _mm256_set1_epi8((int8_t)q->low),
                               _mm256_set1_epi8((int8_t)q->high)};
    return ends;
}

/* sv_scaled of eight. */
SV_INLINE __m256i sv_scaled_8(__m256i x, const sv_int8_scale *by)
{
    const __m256i even = _mm256_add_epi64(_mm256_mul_epi32(x, by->even), by->even_half);
    const __m256i odd = _mm256_add_epi64(_mm256_mul_epi32(_mm256_srli_epi64(x, 32), by->odd), by->odd_half);
    const __m256i high = _mm256_blend_epi32(_mm256_srli_epi64(even, 31), _mm256_slli_epi64(odd, 1), 0xAA);
    return _mm256_srav_epi32(_mm256_add_epi32(high, _mm256_cmpgt_epi32(by->least, x)), by->right);
}

/* sv_narrowed of thirty-two, in their order: what packing saturates lies beyond every end. */
SV_INLINE __m256i sv_narrowed_32(__m256i a, __m256i b, __m256i c, __m256i d, const sv_int8_ends *ends)
{
    const __m256i ab = _mm256_adds_epi16(_mm256_packs_epi32(a, b), ends->zero);
    const __m256i cd = _mm256_adds_epi16(_mm256_packs_epi32(c, d), ends->zero);
    const __m256i x = _mm256_min_epi8(_mm256_max_epi8(_mm256_packs_epi16(ab, cd), ends->low), ends->high);
    return _mm256_permutevar8x32_epi32(x, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
}

/* What sv_requantised_double adds the zero point to, of four: |product| plus the number before a half, cut, is rounded
 * halves away from zero. What no int8 is near may become another such number. */
SV_INLINE __m128i sv_rounded_4(__m128i sum, const int32_t *scales)
{
    const __m256d sign = _mm256_set1_pd(-0.0), half = _mm256_set1_pd(0.49999999999999994), most = _mm256_set1_pd(1024);
    const __m256d by = _mm256_loadu_pd((const double *)(const void *)scales);
    const __m256d product = _mm256_mul_pd(_mm256_cvtepi32_pd(sum), by);
    const __m256d limited = _mm256_max_pd(_mm256_min_pd(product, most), _mm256_xor_pd(sign, most));
    return _mm256_cvttpd_epi32(_mm256_add_pd(limited, _mm256_or_pd(_mm256_and_pd(sign, product), half)));
}

/* Of eight. */
SV_INLINE __m256i sv_rounded_8(__m256i sum, const int32_t *scales)
{
    const __m128i low = sv_rounded_4(_mm256_castsi256_si128(sum), scales);
    return _mm256_inserti128_si256(_mm256_castsi128_si256(low), sv_rounded_4(_mm256_extracti128_si256(sum, 1), scales + 8), 1);
}
#endif

#endif
