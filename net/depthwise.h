/* Depthwise convolution, groups == c == k, its input gradient and its weight gradient. NHWC activations, w (kh, kw, c).
 *
 *   out[n, y, x, c] = sum_{i, j} x[n, y*sh - ph + i*dh, x*sw - pw + j*dw, c] * w[i, j, c]
 */
#ifndef SELVEDGE_DEPTHWISE_H
#define SELVEDGE_DEPTHWISE_H

#include "gather.h"

#define SV_W 1
#include "depthwise_tile.h"
#undef SV_W
#if SV_LANES >= 2
#define SV_W 2
#include "depthwise_tile.h"
#undef SV_W
#endif
#if SV_LANES >= 4
#define SV_W 4
#include "depthwise_tile.h"
#undef SV_W
#endif
#if SV_LANES >= 8
#define SV_W 8
#include "depthwise_tile.h"
#undef SV_W
#endif
#if SV_LANES >= 16
#define SV_W 16
#include "depthwise_tile.h"
#undef SV_W
#endif

SV_FN void sv_depthwise_rows(const sv_gather *g, int32_t r0, int32_t r1)
{
    SV_BY_WIDTH(sv_depthwise_rows, g->columns, g, r0, r1);
}

/* out (y1 - y0, ow, c): output rows n*oh + y in [y0, y1). */
SV_FN void sv_depthwise_plain(real *out, const real *x, const real *w, const sv_conv *d, int32_t y0, int32_t y1)
{
    for (int32_t r = y0; r < y1; r++) {
        for (int32_t ox = 0; ox < d->ow; ox++) {
            for (int32_t c = 0; c < d->c; c++) {
                real sum = 0;
                for (int32_t i = 0; i < d->kh; i++) {
                    for (int32_t j = 0; j < d->kw; j++) {
                        const int32_t y = r % d->oh * d->sh - d->ph + i * d->dh, z = ox * d->sw - d->pw + j * d->dw;
                        if (y < 0 || y >= d->h || z < 0 || z >= d->w) continue;
                        sum += x[((ptrdiff_t)(r / d->oh * d->h + y) * d->w + z) * d->c + c] *
                               w[(ptrdiff_t)(i * d->kw + j) * d->c + c];
                    }
                }
                out[((ptrdiff_t)(r - y0) * d->ow + ox) * d->c + c] = sum;
            }
        }
    }
}

/* As sv_depthwise_plain. */
SV_FN void sv_depthwise(real *out, const real *x, const real *w, const sv_conv *d, int32_t y0, int32_t y1)
{
    sv_gather g = sv_gather_forward(out, x, w, d, 0, y0 * d->ow);
    g.columns = d->c, g.weight_tap = d->c, g.weight_row = (ptrdiff_t)d->kw * d->c;
    sv_depthwise_rows(&g, y0, y1);
}

/* dx (n, h, w, c) = the transpose of sv_depthwise applied to dy (n, oh, ow, c). */
SV_FN void sv_depthwise_input_grad_plain(real *dx, const real *dy, const real *w, const sv_conv *d)
{
    memset(dx, 0, (size_t)d->n * (size_t)d->h * (size_t)d->w * (size_t)d->c * sizeof(real));
    for (int32_t p = 0; p < d->n * d->oh * d->ow; p++) {
        const int32_t ox = p % d->ow, oy = p / d->ow % d->oh, n = p / d->ow / d->oh;
        for (int32_t i = 0; i < d->kh; i++) {
            for (int32_t j = 0; j < d->kw; j++) {
                const int32_t y = oy * d->sh - d->ph + i * d->dh, z = ox * d->sw - d->pw + j * d->dw;
                if (y < 0 || y >= d->h || z < 0 || z >= d->w) continue;
                for (int32_t c = 0; c < d->c; c++)
                    dx[((ptrdiff_t)(n * d->h + y) * d->w + z) * d->c + c] +=
                        dy[(ptrdiff_t)p * d->c + c] * w[(ptrdiff_t)(i * d->kw + j) * d->c + c];
            }
        }
    }
}

/* As sv_depthwise_input_grad_plain: every residue modulo the stride is a depthwise convolution of stride 1. */
SV_FN void sv_depthwise_input_grad(real *dx, const real *dy, const real *w, const sv_conv *d)
{
    for (int32_t y = 0; y < sv_min_int(d->sh, d->h); y++) {
        const sv_residue rh = sv_residue_of(d->kh, d->sh, d->dh, d->ph, y);
        for (int32_t x = 0; x < sv_min_int(d->sw, d->w); x++) {
            const sv_residue rw = sv_residue_of(d->kw, d->sw, d->dw, d->pw, x);
            sv_gather g = sv_gather_backward(dx, dy, d, 0, rh, rw, y, x, w, (ptrdiff_t)d->kw * d->c, d->c, 0);
            g.columns = d->c;
            sv_depthwise_rows(&g, 0, g.n * g.oh);
        }
    }
}

/* dw (t1 - t0, c): taps t = i*kw + j of the weight gradient. */
SV_FN void sv_depthwise_weight_grad_plain(real *dw, const real *x, const real *dy, const sv_conv *d, int32_t t0,
                                          int32_t t1)
{
    memset(dw, 0, (size_t)(t1 - t0) * (size_t)d->c * sizeof(real));
    for (int32_t t = t0; t < t1; t++) {
        for (int32_t p = 0; p < d->n * d->oh * d->ow; p++) {
            const int32_t ox = p % d->ow, oy = p / d->ow % d->oh, n = p / d->ow / d->oh;
            const int32_t y = oy * d->sh - d->ph + t / d->kw * d->dh, z = ox * d->sw - d->pw + t % d->kw * d->dw;
            if (y < 0 || y >= d->h || z < 0 || z >= d->w) continue;
            for (int32_t c = 0; c < d->c; c++)
                dw[(ptrdiff_t)(t - t0) * d->c + c] +=
                    x[((ptrdiff_t)(n * d->h + y) * d->w + z) * d->c + c] * dy[(ptrdiff_t)p * d->c + c];
        }
    }
}

/* As sv_depthwise_weight_grad_plain. Whole rows of the kernel are best. */
SV_FN void sv_depthwise_weight_grad(real *dw, const real *x, const real *dy, const sv_conv *d, int32_t t0, int32_t t1)
{
    SV_BY_WIDTH(sv_depthwise_outer, d->c, dw, x, dy, d, t0, t1);
}

#endif
