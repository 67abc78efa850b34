/* int8 element by element: from and to real numbers, tables, sums and products of two. */
#ifndef SELVEDGE_INT8_ELEMENTWISE_H
#define SELVEDGE_INT8_ELEMENTWISE_H

#include "int8_avx2.h"
#include "move.h"

/* clamp(round(x / scale) + zero), halves away from zero, in float32; NaN is zero. */
SV_FN void sv_int8_quantise(int8_t *y, const real *x, int32_t size, float scale, int32_t zero)
{
    for (int32_t i = 0; i < size; i++) {
        const float steps = (float)x[i] / scale, magnitude = steps < 0 ? -steps : steps;
        const float limited = magnitude < 1024 ? magnitude : 1024; /* beyond it every zero point is left behind */
        const int32_t whole = (int32_t)(steps != steps ? 0 : limited);
        const int32_t rounded = whole + (steps == steps && (float)whole + 0.5f <= limited);
        const int32_t value = (steps < 0 ? -rounded : rounded) + zero;
        y[i] = (int8_t)(value < -128 ? -128 : (value > 127 ? 127 : value));
    }
}

/* scale * (x - zero), in float32. */
SV_FN void sv_int8_dequantise(real *y, const int8_t *x, int32_t size, float scale, int32_t zero)
{
    for (int32_t i = 0; i < size; i++) y[i] = (real)(scale * (float)(x[i] - zero));
}

/* y = entries[x + 128]; y may be x. */
SV_FN void sv_int8_table(int8_t *y, const int8_t *x, const int8_t *entries, int32_t size)
{
    for (int32_t i = 0; i < size; i++) y[i] = entries[x[i] + 128];
}

/* One operand of a sum or product: its zero point; of a sum also its multiplier and shift <= 0. */
typedef struct {
    int32_t zero, multiplier, shift;
} sv_int8_operand;

/* Bits that the summands are shifted left by, so that their rescaling loses little. */
#define SV_INT8_ADD_SHIFT 20

SV_INLINE int8_t sv_int8_sum(int8_t a, int8_t b, const sv_int8_operand *by, const sv_int8 *q)
{
    const int32_t left = sv_scaled((a - by[0].zero) * (1 << SV_INT8_ADD_SHIFT), by[0].multiplier, by[0].shift);
    const int32_t right = sv_scaled((b - by[1].zero) * (1 << SV_INT8_ADD_SHIFT), by[1].multiplier, by[1].shift);
    return sv_requantised(left + right, by[2].multiplier, by[2].shift, q);
}

SV_INLINE int8_t sv_int8_product(int8_t a, int8_t b, const sv_int8_operand *by, const sv_int8 *q)
{
    return sv_requantised((a - by[0].zero) * (b - by[1].zero), by[2].multiplier, by[2].shift, q);
}

#if SV_INT8_AVX2
/* Eight int8, or one eight times, less the zero point, as int32. */
SV_INLINE __m256i sv_int8_load_8(const int8_t *x, int32_t step, int32_t zero)
{
    const __m256i wide =
        step ? _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)x)) : _mm256_set1_epi32(*x);
    return _mm256_sub_epi32(wide, _mm256_set1_epi32(zero));
}

SV_INLINE sv_int8_scale sv_int8_scale_by(const sv_int8_operand *by)
{
    return sv_int8_scale_of(_mm256_set1_epi32(by->multiplier), _mm256_set1_epi32(by->shift));
}

/* Eight sums or products, before they are bytes. */
SV_INLINE __m256i sv_int8_two_8(const int8_t *a, const int8_t *b, int32_t a_step, int32_t b_step,
                                const sv_int8_operand *by, const sv_int8_scale *scales, const int product)
{
    const __m256i l = sv_int8_load_8(a, a_step, by[0].zero), r = sv_int8_load_8(b, b_step, by[1].zero);
    __m256i made;
    if (product)
        made = _mm256_mullo_epi32(l, r);
    else
        made = _mm256_add_epi32(sv_scaled_8(_mm256_slli_epi32(l, SV_INT8_ADD_SHIFT), scales),
                                sv_scaled_8(_mm256_slli_epi32(r, SV_INT8_ADD_SHIFT), scales + 1));
    return sv_scaled_8(made, scales + 2);
}
#endif

/* `count` numbers of y; a and b go on by a_step and b_step, 0 or 1. by: of a, of b, of the result. */
SV_INLINE void sv_int8_run(int8_t *y, const int8_t *a, const int8_t *b, int32_t count, int32_t a_step, int32_t b_step,
                           const sv_int8_operand *by, const sv_int8 *q, const int product)
{
    int32_t i = 0;
#if SV_INT8_AVX2
    const sv_int8_scale scales[3] = {sv_int8_scale_by(by), sv_int8_scale_by(by + 1), sv_int8_scale_by(by + 2)};
    const sv_int8_ends ends = sv_int8_ends_of(q);
    for (; by[2].shift <= 0 && i + 32 <= count; i += 32) {
        __m256i made[4];
        SV_UNROLL
        for (int v = 0; v < 4; v++) {
            const int32_t at = i + 8 * v;
            made[v] = sv_int8_two_8(a + at * a_step, b + at * b_step, a_step, b_step, by, scales, product);
        }
        _mm256_storeu_si256((__m256i *)(void *)(y + i), sv_narrowed_32(made[0], made[1], made[2], made[3], &ends));
    }
#endif
    for (; i < count; i++)
        y[i] = product ? sv_int8_product(a[i * a_step], b[i * b_step], by, q)
                       : sv_int8_sum(a[i * a_step], b[i * b_step], by, q);
}

/* Over loops of `shape`, of which a and b go on by the strides as and bs: 0 where they are repeated. y may be either
 * operand, where that walks as y does. */
SV_INLINE void sv_int8_binary(int8_t *y, const int8_t *a, const int8_t *b, int32_t rank, const int32_t *shape,
                              const int32_t *as, const int32_t *bs, const sv_int8_operand *by, const sv_int8 *q,
                              const int product)
{
    int32_t index[SV_RANK] = {0};
    const int32_t run = shape[rank - 1];
    do {
        ptrdiff_t ia = 0, ib = 0;
        for (int32_t i = 0; i < rank - 1; i++) {
            ia += (ptrdiff_t)index[i] * as[i];
            ib += (ptrdiff_t)index[i] * bs[i];
        }
        sv_int8_run(y, a + ia, b + ib, run, as[rank - 1], bs[rank - 1], by, q, product);
        y += run;
    } while (sv_next(index, shape, rank - 1));
}

SV_NOINLINE void sv_int8_add(int8_t *y, const int8_t *a, const int8_t *b, int32_t rank, const int32_t *shape,
                       const int32_t *as, const int32_t *bs, const sv_int8_operand *by, const sv_int8 *q)
{
    sv_int8_binary(y, a, b, rank, shape, as, bs, by, q, 0);
}

SV_NOINLINE void sv_int8_mul(int8_t *y, const int8_t *a, const int8_t *b, int32_t rank, const int32_t *shape,
                       const int32_t *as, const int32_t *bs, const sv_int8_operand *by, const sv_int8 *q)
{
    sv_int8_binary(y, a, b, rank, shape, as, bs, by, q, 1);
}

#endif
