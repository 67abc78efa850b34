/* Depthwise int8 convolution: each channel by a kernel of its own. NHWC by (kh, kw, 1, c).
 *
 *   out[n, y, x, c] = requantised(bias[c] + sum_{i, j} (x[n, y*sh - ph + i*dh, x*sw - pw + j*dw, c] - x_zero) * w[i, j, c])
 *
 * The plain kernel is sv_int8_conv2d_plain. */
#ifndef SELVEDGE_INT8_DEPTHWISE_H
#define SELVEDGE_INT8_DEPTHWISE_H

#include "gather.h"
#include "int8.h"

/* Channels [first, first + count) of one output pixel that sees `rows` by `columns` taps; x and w at the first. */
SV_INLINE void sv_int8_depthwise_some(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                      const int32_t *scales, const sv_conv *d, const sv_int8 *q, int32_t rows,
                                      int32_t columns, int32_t first, int32_t count)
{
    for (int32_t c = first; c < first + count; c++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < rows; i++)
            for (int32_t j = 0; j < columns; j++)
                sum += (x[((ptrdiff_t)i * d->dh * d->w + j * d->dw) * d->c + c] - q->x_zero) *
                       w[((ptrdiff_t)i * d->kw + j) * d->c + c];
        sum += bias ? bias[c] : 0;
        out[c] = sv_requantised(sum, scales[c], scales[d->c + c], q);
    }
}

#if SV_INT8_AVX2
#define SV_INT8_TAPS 32 /* of a kernel whose weights are widened once a row */

/* Taps of some channels in pairs, their bytes side by side: where each begins, and the weights as int16. An odd one is
 * paired with itself, by a weight of 0. */
typedef struct {
    int32_t pairs;
    ptrdiff_t from[SV_INT8_TAPS];
    __m256i low[SV_INT8_TAPS / 2], high[SV_INT8_TAPS / 2];
} sv_int8_pairs;

/* Eight int8, or sixteen. */
SV_INLINE __m128i sv_int8_load(const int8_t *x, const int wide)
{
    const __m128i *const at = (const __m128i *)(const void *)x;
    return wide ? _mm_loadu_si128(at) : _mm_loadl_epi64(at);
}

/* Those of the `rows` by `columns` first taps of eight or sixteen channels, whose first weight is w. */
SV_INLINE void sv_int8_pair(sv_int8_pairs *p, const int8_t *w, const sv_conv *d, int32_t rows, int32_t columns,
                            const int wide)
{
    const int32_t taps = rows * columns;
    ptrdiff_t at[SV_INT8_TAPS] = {0};
    for (int32_t t = 0; t < taps; t++) {
        p->from[t] = ((ptrdiff_t)(t / columns) * d->dh * d->w + t % columns * d->dw) * d->c;
        at[t] = ((ptrdiff_t)(t / columns) * d->kw + t % columns) * d->c;
    }
    if (taps % 2) p->from[taps] = p->from[taps - 1];
    p->pairs = (taps + 1) / 2;
    for (int32_t k = 0; k < p->pairs; k++) {
        const __m128i a = sv_int8_load(w + at[2 * k], wide);
        const __m128i b = 2 * k + 1 < taps ? sv_int8_load(w + at[2 * k + 1], wide) : _mm_setzero_si128();
        p->low[k] = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b));
        p->high[k] = wide ? _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b)) : _mm256_setzero_si256();
    }
}

/* `count` output pixels of eight or sixteen channels, whose windows begin `step` apart. */
SV_INLINE void sv_int8_depthwise_pairs(int8_t *out, const int8_t *x, const sv_int8_pairs *p, const int32_t *bias,
                                       const int32_t *scales, int32_t c, const sv_int8 *q, int32_t count,
                                       ptrdiff_t step, const int wide)
{
    const __m256i zero = _mm256_set1_epi16((int16_t)q->x_zero), none = _mm256_setzero_si256();
    const __m256i first = bias ? _mm256_loadu_si256((const __m256i *)(const void *)bias) : none;
    const __m256i second = bias && wide ? _mm256_loadu_si256((const __m256i *)(const void *)(bias + 8)) : none;
    const sv_int8_scale by[2] = {sv_int8_scale_at(scales, scales + c),
                                 wide ? sv_int8_scale_at(scales + 8, scales + c + 8) : sv_int8_scale_of(none, none)};
    const sv_int8_ends ends = sv_int8_ends_of(q);
    for (int32_t i = 0; i < count; i++, x += step, out += c) {
        __m256i low = first, high = second;
        for (int32_t k = 0; k < p->pairs; k++) {
            const __m128i a = sv_int8_load(x + p->from[2 * k], wide), b = sv_int8_load(x + p->from[2 * k + 1], wide);
            const __m256i l = _mm256_sub_epi16(_mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b)), zero);
            low = _mm256_add_epi32(low, _mm256_madd_epi16(l, p->low[k]));
            if (wide) {
                const __m256i h = _mm256_sub_epi16(_mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b)), zero);
                high = _mm256_add_epi32(high, _mm256_madd_epi16(h, p->high[k]));
            }
        }
        _mm_storel_epi64((__m128i *)(void *)out, sv_narrowed_8(sv_scaled_8(low, by), &ends));
        if (wide) _mm_storel_epi64((__m128i *)(void *)(out + 8), sv_narrowed_8(sv_scaled_8(high, by + 1), &ends));
    }
}
#endif

/* Where the windows of an output row or column lie: the first tap inside, and how many are. */
SV_INLINE int32_t sv_int8_seen(int32_t at, int32_t taps, int32_t dilation, int32_t extent, int32_t *first)
{
    *first = at < 0 ? sv_ceil_div(-at, dilation) : 0;
    return sv_max_int(0, sv_min_int(taps, sv_ceil_div(extent - at, dilation)) - *first);
}

/* scales (2, c): multipliers, then shifts; bias (c) or 0. left: whether a multiplier is above one. */
SV_NOINLINE void sv_int8_depthwise(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                   const int32_t *scales, const sv_conv *d, const sv_int8 *q, int left)
{
    /* Output columns [inside, beyond) see all of the kernel's. */
    const int32_t inside = sv_min_int(d->ow, sv_ceil_div(d->pw, d->sw));
    const int32_t reach = d->w + d->pw - (d->kw - 1) * d->dw;
    const int32_t beyond = sv_max_int(inside, sv_min_int(d->ow, reach > 0 ? (reach - 1) / d->sw + 1 : 0));
    for (int32_t line = 0; line < d->n * d->oh; line++, out += (ptrdiff_t)d->ow * d->c) {
        int32_t i0, j0, c = 0;
        const int32_t n = line / d->oh, y = line % d->oh * d->sh - d->ph;
        const int32_t rows = sv_int8_seen(y, d->kh, d->dh, d->h, &i0);
        const int8_t *const from = x + (rows ? ((ptrdiff_t)n * d->h + y + i0 * d->dh) * d->w * d->c : 0);
        const int8_t *const by = w + (rows ? (ptrdiff_t)i0 * d->kw * d->c : 0);
#if SV_INT8_AVX2
#define SV_INT8_SOME(ox, count, columns, wide) /* pixels that see the same columns */ \
    do { \
        const ptrdiff_t at_ = rows && (columns) ? ((ptrdiff_t)(ox) * d->sw - d->pw + j0 * d->dw) * d->c : 0; \
        sv_int8_pair(&pairs, by + ((columns) ? (ptrdiff_t)j0 * d->c : 0) + c, d, rows, columns, wide); \
        sv_int8_depthwise_pairs(out + (ptrdiff_t)(ox) * d->c + c, from + at_ + c, &pairs, bias ? bias + c : 0, \
                                scales + c, d->c, q, count, (ptrdiff_t)d->sw * d->c, wide); \
    } while (0)
#define SV_INT8_CHANNELS(wide) \
    for (int32_t ox = 0; ox < d->ow; ox++) { \
        if (ox == inside && inside < beyond) { \
            j0 = 0; \
            SV_INT8_SOME(ox, beyond - inside, d->kw, wide); \
            ox = beyond - 1; \
            continue; \
        } \
        const int32_t columns = sv_int8_seen(ox * d->sw - d->pw, d->kw, d->dw, d->w, &j0); \
        SV_INT8_SOME(ox, 1, columns, wide); \
    }
        sv_int8_pairs pairs;
        pairs.pairs = 0;
        const int fast = !left && d->kh * d->kw < SV_INT8_TAPS;
        for (; fast && c + 16 <= d->c; c += 16) { SV_INT8_CHANNELS(1) }
        for (; fast && c + 8 <= d->c; c += 8) { SV_INT8_CHANNELS(0) }
#undef SV_INT8_CHANNELS
#undef SV_INT8_SOME
#else
        (void)left, (void)beyond;
#endif
        for (int32_t ox = 0; c < d->c && ox < d->ow; ox++) {
            const int32_t z = ox * d->sw - d->pw, columns = sv_int8_seen(z, d->kw, d->dw, d->w, &j0);
            const ptrdiff_t at = rows && columns ? ((ptrdiff_t)z + j0 * d->dw) * d->c : 0;
            sv_int8_depthwise_some(out + (ptrdiff_t)ox * d->c, from + at, by + (columns ? (ptrdiff_t)j0 * d->c : 0), bias,
                                   scales, d, q, rows, columns, c, d->c - c);
        }
    }
}

#endif
