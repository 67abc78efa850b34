/* Pooling over explicit windows: one (start, stop, step) for every output row (wh) and column (ww), clipped
 * to the input. Stride, padding, dilation, ceil mode and adaptive pooling are all windows. NHWC. */
#ifndef SELVEDGE_POOL_H
#define SELVEDGE_POOL_H

#include "selvedge.h"

/* 16 bits hold the windows of every image that a microcontroller could; a unit with longer lines asks for more. */
#ifndef SV_WINDOW
#define SV_WINDOW int16_t
#endif
typedef SV_WINDOW sv_window;

/* x (n, h, w, c) -> y, index (n, oh, ow, c). index counts the clipped window row by row; NULL where not wanted.
 * The first maximum wins; a NaN wins over every number, as in PyTorch. */
SV_FN void sv_max_pool(real *y, uint8_t *index, const real *x, int32_t n, int32_t h, int32_t w, int32_t c, int32_t oh,
                       int32_t ow, const sv_window *wh, const sv_window *ww)
{
    for (int32_t p = 0; p < n * oh * ow; p++, y += c, index += index ? c : 0) {
        const sv_window *a = wh + 3 * (p / ow % oh), *b = ww + 3 * (p % ow);
        const real *image = x + (ptrdiff_t)(p / ow / oh) * h * w * c;
        int32_t element = 0;
        for (int32_t i = a[0]; i < a[1]; i += a[2]) {
            for (int32_t j = b[0]; j < b[1]; j += b[2], element++) {
                const real *v = image + ((ptrdiff_t)i * w + j) * c;
                if (element == 0) {
                    memcpy(y, v, (size_t)c * sizeof(real));
                    if (index) memset(index, 0, (size_t)c);
                } else if (index) {
                    SV_IVDEP
                    for (int32_t k = 0; k < c; k++) {
                        const int larger = (v[k] > y[k]) | (v[k] != v[k]);
                        y[k] = larger ? v[k] : y[k];
                        index[k] = larger ? (uint8_t)element : index[k];
                    }
                } else {
                    SV_IVDEP
                    for (int32_t k = 0; k < c; k++) y[k] = ((v[k] > y[k]) | (v[k] != v[k])) ? v[k] : y[k];
                }
            }
        }
    }
}

/* dy, index (n, oh, ow, c) -> dx (n, h, w, c). */
SV_FN void sv_max_pool_grad(real *dx, const real *dy, const uint8_t *index, int32_t n, int32_t h, int32_t w, int32_t c,
                            int32_t oh, int32_t ow, const sv_window *wh, const sv_window *ww)
{
    memset(dx, 0, (size_t)n * (size_t)h * (size_t)w * (size_t)c * sizeof(real));
    for (int32_t p = 0; p < n * oh * ow; p++, dy += c, index += c) {
        const sv_window *a = wh + 3 * (p / ow % oh), *b = ww + 3 * (p % ow);
        real *image = dx + (ptrdiff_t)(p / ow / oh) * h * w * c;
        int32_t element = 0;
        for (int32_t i = a[0]; i < a[1]; i += a[2]) {
            for (int32_t j = b[0]; j < b[1]; j += b[2], element++) {
                real *v = image + ((ptrdiff_t)i * w + j) * c;
                SV_IVDEP
                for (int32_t k = 0; k < c; k++) v[k] += index[k] == element ? dy[k] : (real)0;
            }
        }
    }
}

/* x (n, h, w, c) -> y (n, oh, ow, c): sum of the window / (ch[row] * cw[column]). */
SV_FN void sv_avg_pool(real *y, const real *x, int32_t n, int32_t h, int32_t w, int32_t c, int32_t oh, int32_t ow,
                       const sv_window *wh, const sv_window *ww, const sv_window *ch, const sv_window *cw)
{
    for (int32_t p = 0; p < n * oh * ow; p++, y += c) {
        const sv_window *a = wh + 3 * (p / ow % oh), *b = ww + 3 * (p % ow);
        const real *image = x + (ptrdiff_t)(p / ow / oh) * h * w * c;
        const real scale = (real)1 / ((real)ch[p / ow % oh] * (real)cw[p % ow]);
        memset(y, 0, (size_t)c * sizeof(real));
        for (int32_t i = a[0]; i < a[1]; i += a[2]) {
            for (int32_t j = b[0]; j < b[1]; j += b[2]) {
                const real *v = image + ((ptrdiff_t)i * w + j) * c;
                SV_IVDEP
                for (int32_t k = 0; k < c; k++) y[k] += v[k];
            }
        }
        SV_IVDEP
        for (int32_t k = 0; k < c; k++) y[k] *= scale;
    }
}

/* dy (n, oh, ow, c) -> dx (n, h, w, c). */
SV_FN void sv_avg_pool_grad(real *dx, const real *dy, int32_t n, int32_t h, int32_t w, int32_t c, int32_t oh,
                            int32_t ow, const sv_window *wh, const sv_window *ww, const sv_window *ch, const sv_window *cw)
{
    memset(dx, 0, (size_t)n * (size_t)h * (size_t)w * (size_t)c * sizeof(real));
    for (int32_t p = 0; p < n * oh * ow; p++, dy += c) {
        const sv_window *a = wh + 3 * (p / ow % oh), *b = ww + 3 * (p % ow);
        real *image = dx + (ptrdiff_t)(p / ow / oh) * h * w * c;
        const real scale = (real)1 / ((real)ch[p / ow % oh] * (real)cw[p % ow]);
        for (int32_t i = a[0]; i < a[1]; i += a[2]) {
            for (int32_t j = b[0]; j < b[1]; j += b[2]) {
                real *v = image + ((ptrdiff_t)i * w + j) * c;
                SV_IVDEP
                for (int32_t k = 0; k < c; k++) v[k] += dy[k] * scale;
            }
        }
    }
}

#endif
