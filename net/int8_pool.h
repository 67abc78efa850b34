/* int8 pooling over explicit windows (pool.h), and the mean over a run of axes. NHWC. */
#ifndef SELVEDGE_INT8_POOL_H
#define SELVEDGE_INT8_POOL_H

#include "int8.h"
#include "pool.h"

/* Channels that are summed at a time. */
#define SV_INT8_BLOCK 64

/* As sv_max_pool. */
SV_NOINLINE void sv_int8_max_pool(int8_t *y, uint8_t *index, const int8_t *x, int32_t n, int32_t h, int32_t w, int32_t c,
                            int32_t oh, int32_t ow, const sv_window *wh, const sv_window *ww)
{
    for (int32_t p = 0; p < n * oh * ow; p++, y += c, index += index ? c : 0) {
        const sv_window *a = wh + 3 * (p / ow % oh), *b = ww + 3 * (p % ow);
        const int8_t *image = x + (ptrdiff_t)(p / ow / oh) * h * w * c;
        int32_t element = 0;
        memset(y, -128, (size_t)c);
        if (index) memset(index, 0, (size_t)c);
        for (int32_t i = a[0]; i < a[1]; i += a[2]) {
            for (int32_t j = b[0]; j < b[1]; j += b[2], element++) {
                const int8_t *v = image + ((ptrdiff_t)i * w + j) * c;
                for (int32_t k = 0; index && k < c; k++) index[k] = v[k] > y[k] ? (uint8_t)element : index[k];
                SV_IVDEP
                for (int32_t k = 0; k < c; k++) y[k] = v[k] > y[k] ? v[k] : y[k];
            }
        }
    }
}

/* Windows of up to 2^23 elements; each sum is divided by as many, halves away from zero, and clamped. */
SV_NOINLINE void sv_int8_average_pool(int8_t *y, const int8_t *x, int32_t n, int32_t h, int32_t w, int32_t c, int32_t oh,
                                int32_t ow, const sv_window *wh, const sv_window *ww, int32_t low, int32_t high)
{
    for (int32_t p = 0; p < n * oh * ow; p++, y += c) {
        const sv_window *a = wh + 3 * (p / ow % oh), *b = ww + 3 * (p % ow);
        const int8_t *image = x + (ptrdiff_t)(p / ow / oh) * h * w * c;
        for (int32_t first = 0; first < c; first += SV_INT8_BLOCK) {
            const int32_t size = sv_min_int(SV_INT8_BLOCK, c - first);
            int32_t sums[SV_INT8_BLOCK] = {0}, count = 0;
            for (int32_t i = a[0]; i < a[1]; i += a[2]) {
                for (int32_t j = b[0]; j < b[1]; j += b[2], count++) {
                    const int8_t *v = image + ((ptrdiff_t)i * w + j) * c + first;
                    for (int32_t k = 0; k < size; k++) sums[k] += v[k];
                }
            }
            for (int32_t k = 0; k < size; k++) {
                const int32_t mean = (sums[k] + (sums[k] > 0 ? count / 2 : -(count / 2))) / count;
                y[first + k] = (int8_t)(mean < low ? low : (mean > high ? high : mean));
            }
        }
    }
}

/* x (a, r, c) -> y (a, c): sums over r less r zero points, rescaled; the multiplier divides by r. */
SV_NOINLINE void sv_int8_mean(int8_t *y, const int8_t *x, int32_t a, int32_t r, int32_t c, int32_t multiplier, int32_t shift,
                        const sv_int8 *q)
{
    for (int32_t n = 0; n < a; n++, x += (ptrdiff_t)r * c, y += c) {
        for (int32_t first = 0; first < c; first += SV_INT8_BLOCK) {
            const int32_t size = sv_min_int(SV_INT8_BLOCK, c - first);
            int32_t sums[SV_INT8_BLOCK] = {0};
            for (int32_t i = 0; i < r; i++)
                for (int32_t k = 0; k < size; k++) sums[k] += x[(ptrdiff_t)i * c + first + k];
            for (int32_t k = 0; k < size; k++)
                y[first + k] = sv_requantised(sums[k] - r * q->x_zero, multiplier, shift, q);
        }
    }
}

#endif
