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
SV_INLINE __m128i sv_int8_load_16(const int8_t *x) { return _mm_loadu_si128((const __m128i *)(const void *)x); }

/* The same of sixteen channels: two taps at a time, their bytes side by side. */
SV_INLINE void sv_int8_depthwise_16(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                    const int32_t *scales, const sv_conv *d, const sv_int8 *q, int32_t rows,
                                    int32_t columns)
{
    const __m256i zero = _mm256_set1_epi16((int16_t)q->x_zero);
    __m256i sums[2] = {_mm256_setzero_si256(), _mm256_setzero_si256()};
    for (int h = 0; bias && h < 2; h++) sums[h] = _mm256_loadu_si256((const __m256i *)(const void *)(bias + 8 * h));
    const ptrdiff_t row = (ptrdiff_t)d->dh * d->w * d->c, column = (ptrdiff_t)d->dw * d->c;
    for (int32_t i = 0; i < rows; i++) {
        const int8_t *xp = x + i * row, *wp = w + (ptrdiff_t)i * d->kw * d->c;
        for (int32_t j = 0; j < columns; j += 2, xp += 2 * column, wp += 2 * (ptrdiff_t)d->c) {
            const int two = j + 1 < columns;
            const __m128i a = sv_int8_load_16(xp), u = sv_int8_load_16(wp);
            const __m128i b = two ? sv_int8_load_16(xp + column) : a;
            const __m128i v = two ? sv_int8_load_16(wp + d->c) : _mm_setzero_si128();
            const __m256i x0 = _mm256_sub_epi16(_mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b)), zero);
            const __m256i x1 = _mm256_sub_epi16(_mm256_cvtepi8_epi16(_mm_unpackhi_epi8(a, b)), zero);
            const __m256i w0 = _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(u, v));
            const __m256i w1 = _mm256_cvtepi8_epi16(_mm_unpackhi_epi8(u, v));
            sums[0] = _mm256_add_epi32(sums[0], _mm256_madd_epi16(x0, w0));
            sums[1] = _mm256_add_epi32(sums[1], _mm256_madd_epi16(x1, w1));
        }
    }
    for (int h = 0; h < 2; h++) {
        const __m256i by = _mm256_loadu_si256((const __m256i *)(const void *)(scales + 8 * h));
        const __m256i shift = _mm256_loadu_si256((const __m256i *)(const void *)(scales + d->c + 8 * h));
        const __m256i made = sv_scaled_8(sums[h], by, _mm256_sub_epi32(_mm256_setzero_si256(), shift));
        _mm_storel_epi64((__m128i *)(void *)(out + 8 * h), sv_narrowed_8(made, q));
    }
}
#endif

/* scales (2, c): multipliers, then shifts; bias (c) or 0. left: whether a multiplier is above one. */
SV_NOINLINE void sv_int8_depthwise(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias, const int32_t *scales,
                             const sv_conv *d, const sv_int8 *q, int left)
{
    for (int32_t n = 0; n < d->n; n++) {
        for (int32_t oy = 0; oy < d->oh; oy++) {
            const int32_t y = oy * d->sh - d->ph;
            const int32_t i0 = y < 0 ? sv_ceil_div(-y, d->dh) : 0;
            const int32_t rows = sv_max_int(0, sv_min_int(d->kh, sv_ceil_div(d->h - y, d->dh)) - i0);
            for (int32_t ox = 0; ox < d->ow; ox++, out += d->c) {
                const int32_t z = ox * d->sw - d->pw;
                const int32_t j0 = z < 0 ? sv_ceil_div(-z, d->dw) : 0;
                const int32_t columns = sv_max_int(0, sv_min_int(d->kw, sv_ceil_div(d->w - z, d->dw)) - j0);
                const int seen = rows > 0 && columns > 0;
                const ptrdiff_t at = (((ptrdiff_t)n * d->h + y + i0 * d->dh) * d->w + z + j0 * d->dw) * d->c;
                const int8_t *from = x + (seen ? at : 0), *by = w + (seen ? ((ptrdiff_t)i0 * d->kw + j0) * d->c : 0);
                int32_t c = 0;
#if SV_INT8_AVX2
                for (; !left && c + 16 <= d->c; c += 16)
                    sv_int8_depthwise_16(out + c, from + c, by + c, bias ? bias + c : 0, scales + c, d, q, rows, columns);
#else
                (void)left;
#endif
                sv_int8_depthwise_some(out, from, by, bias, scales, d, q, rows, columns, c, d->c - c);
            }
        }
    }
}

#endif
