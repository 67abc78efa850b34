/* Convolution, its input gradient and its weight gradient; also linear layers (n rows of c, h = w = oh = ow = 1) and
 * pointwise convolution. NHWC activations, HWIO weights.
 *
 *   out[n, y, x, k] = sum_{i, j, c} x[n, y*sh - ph + i*dh, x*sw - pw + j*dw, c] * w[i, j, c, k]
 */
#ifndef SELVEDGE_CONV_H
#define SELVEDGE_CONV_H

#include "gather.h"

/* A set of pixel pairs: x and dy of the pixel (image, row, pixel). */
typedef struct {
    int32_t images, rows, pixels;
    ptrdiff_t x_image, x_row, x_pixel, d_image, d_row, d_pixel;
} sv_run;

#define SV_W 1
#include "gather_tile.h"
#include "weight_tile.h"
#undef SV_W
#if SV_LANES >= 2
#define SV_W 2
#include "gather_tile.h"
#include "weight_tile.h"
#undef SV_W
#endif
#if SV_LANES >= 4
#define SV_W 4
#include "gather_tile.h"
#include "weight_tile.h"
#undef SV_W
#endif
#if SV_LANES >= 8
#define SV_W 8
#include "gather_tile.h"
#include "weight_tile.h"
#undef SV_W
#endif
#if SV_LANES >= 16
#define SV_W 16
#include "gather_tile.h"
#include "weight_tile.h"
#undef SV_W
#endif

/* The columns [from, from + count) of g. */
SV_FN sv_gather sv_gather_columns(const sv_gather *g, int32_t from, int32_t count, ptrdiff_t weight_step)
{
    sv_gather part = *g;
    part.weight += from * weight_step, part.out += from, part.columns = count;
    return part;
}

SV_FN void sv_columns(const sv_gather *g, const real *zeros, int32_t p0, int32_t p1)
{
    if (!g->onto) {
        SV_BY_WIDTH(sv_columns, g->columns, g, zeros, p0, p1);
        return;
    }
    for (int32_t at = 0, count; at < g->columns; at += count) { /* whole vectors of one width: nothing overlaps */
        const int32_t rest = g->columns - at;
        int32_t width = SV_LANES < 4 && rest >= 4 ? 4 : SV_LANES;
        while (width > rest) width /= 2;
        count = rest / width * width;
        const sv_gather part = sv_gather_columns(g, at, count, 1);
        SV_BY_WIDTH(sv_columns, count, &part, zeros, p0, p1);
    }
}

SV_FN void sv_dots(const sv_gather *g, const real *zeros, int32_t p0, int32_t p1)
{
    if (!g->onto) {
        SV_BY_WIDTH(sv_dots, g->depth, g, zeros, p0, p1);
        return;
    }
    for (int32_t at = 0, count; at < g->columns; at += count) {
        const int32_t rest = g->columns - at, width = rest >= 16 ? 16 : (rest >= 4 ? 4 : 1);
        count = rest / width * width;
        const sv_gather part = sv_gather_columns(g, at, count, g->weight_line);
        SV_BY_WIDTH(sv_dots, part.depth, &part, zeros, p0, p1);
    }
}

SV_FN void sv_outer(real *dw, ptrdiff_t line, const real *x, const real *dy, const sv_run *r, int32_t rows,
                    int32_t columns)
{
    SV_BY_WIDTH(sv_outer, columns, dw, line, x, dy, r, rows, columns);
}

/* out (p1 - p0, k): output pixels p = (n*oh + y)*ow + x in [p0, p1). */
SV_FN void sv_conv2d_plain(real *out, const real *x, const real *w, const sv_conv *d, int32_t p0, int32_t p1)
{
    const int32_t cg = d->c / d->groups, kg = d->k / d->groups;
    for (int32_t p = p0; p < p1; p++) {
        const int32_t ox = p % d->ow, oy = p / d->ow % d->oh, n = p / d->ow / d->oh;
        for (int32_t k = 0; k < d->k; k++) {
            real sum = 0;
            for (int32_t i = 0; i < d->kh; i++) {
                for (int32_t j = 0; j < d->kw; j++) {
                    const int32_t y = oy * d->sh - d->ph + i * d->dh, z = ox * d->sw - d->pw + j * d->dw;
                    if (y < 0 || y >= d->h || z < 0 || z >= d->w) continue;
                    for (int32_t c = 0; c < cg; c++)
                        sum += x[((ptrdiff_t)(n * d->h + y) * d->w + z) * d->c + k / kg * cg + c] *
                               w[((ptrdiff_t)(i * d->kw + j) * cg + c) * d->k + k];
                }
            }
            out[(ptrdiff_t)(p - p0) * d->k + k] = sum;
        }
    }
}

/* As sv_conv2d_plain. zeros: at least c / groups reals of 0. */
SV_FN void sv_conv2d(real *out, const real *x, const real *w, const sv_conv *d, const real *zeros, int32_t p0,
                     int32_t p1)
{
    for (int32_t group = 0; group < d->groups; group++) {
        sv_gather g = sv_gather_forward(out, x, w, d, group, p0);
        if (d->k == 1) {
            g.weight_line = g.depth; /* one column: the weight is also (1, depth) */
            sv_dots(&g, zeros, p0, p1);
        } else {
            sv_columns(&g, zeros, p0, p1);
        }
    }
}

/* dx (n, h, w, c) = the transpose of sv_conv2d applied to dy (n, oh, ow, k). */
SV_FN void sv_conv2d_input_grad_plain(real *dx, const real *dy, const real *w, const sv_conv *d)
{
    const int32_t cg = d->c / d->groups, kg = d->k / d->groups;
    memset(dx, 0, (size_t)d->n * (size_t)d->h * (size_t)d->w * (size_t)d->c * sizeof(real));
    for (int32_t p = 0; p < d->n * d->oh * d->ow; p++) {
        const int32_t ox = p % d->ow, oy = p / d->ow % d->oh, n = p / d->ow / d->oh;
        for (int32_t i = 0; i < d->kh; i++) {
            for (int32_t j = 0; j < d->kw; j++) {
                const int32_t y = oy * d->sh - d->ph + i * d->dh, z = ox * d->sw - d->pw + j * d->dw;
                if (y < 0 || y >= d->h || z < 0 || z >= d->w) continue;
                for (int32_t c = 0; c < cg; c++)
                    for (int32_t k = 0; k < d->k; k++)
                        dx[((ptrdiff_t)(n * d->h + y) * d->w + z) * d->c + k / kg * cg + c] +=
                            dy[(ptrdiff_t)p * d->k + k] * w[((ptrdiff_t)(i * d->kw + j) * cg + c) * d->k + k];
            }
        }
    }
}

/* Input channels whose weights are transposed at a time, and reals of scratch that a row of taps may do with. */
#define SV_TRANSPOSED 16
#define SV_TRANSPOSED_REALS 4096

/* Rows of taps that sv_conv2d_input_grad transposes at a time; 0 if it transposes none. Lanes run over the input
 * channels, for which a block of the weight is transposed into the scratch, unless there are too few pixels to pay for
 * that: then they run over k. */
SV_FN int32_t sv_conv2d_input_grad_rows(const sv_conv *d)
{
    const int32_t taps = d->kh * d->kw, kg = d->k / d->groups, pixels = d->n * d->h * d->w;
    const int32_t row = d->kw * kg * sv_min_int(d->c / d->groups, SV_TRANSPOSED);
    if (SV_LANES == 1 || pixels <= 4 || 28 * (int64_t)pixels <= (int64_t)taps * kg) return 0;
    return sv_min_int(d->kh, sv_max_int(1, SV_TRANSPOSED_REALS / row));
}

/* Reals of scratch for sv_conv2d_input_grad. */
SV_FN int32_t sv_conv2d_input_grad_scratch(const sv_conv *d)
{
    return sv_conv2d_input_grad_rows(d) * d->kw * (d->k / d->groups) * sv_min_int(d->c / d->groups, SV_TRANSPOSED);
}

/* to (columns, rows) = the transpose of from (rows, columns), from's lines `line` apart. */
SV_FN void sv_transpose_block(real *to, const real *from, ptrdiff_t line, int32_t rows, int32_t columns)
{
    int32_t i = 0;
#if SV_LANES > 1
    if (rows % SV_LANES == 0)
        for (; i + SV_LANES <= columns; i += SV_LANES)
            for (int32_t j = 0; j < rows; j += SV_LANES)
                SV_JOIN(sv_flip_, SV_LANES)(to + i * rows + j, rows, from + (j * line + i), line);
#endif
    for (; i < columns; i++)
        for (int32_t j = 0; j < rows; j++) to[i * rows + j] = from[j * line + i];
}

/* The taps of d, whose weight is w, of which every tap row is transposed at once, or (dots) none. */
SV_FN void sv_conv2d_input_grad_taps(real *dx, const real *dy, const real *w, const sv_conv *d, const real *zeros,
                                     real *scratch, int dots, int onto)
{
    const int32_t cg = d->c / d->groups, kg = d->k / d->groups, taps = d->kh * d->kw;
    const int32_t block = dots ? cg : sv_min_int(cg, SV_TRANSPOSED);
    for (int32_t group = 0; group < d->groups; group++) {
        const real *weight = w + (ptrdiff_t)group * kg;
        for (int32_t c = 0; c < cg; c += block) {
            const int32_t width = sv_min_int(block, cg - c);
            if (!dots)
                for (int32_t t = 0; t < taps; t++)
                    sv_transpose_block(scratch + (ptrdiff_t)t * kg * width,
                                       weight + ((ptrdiff_t)t * cg + c) * d->k, d->k, width, kg);
            for (int32_t y = 0; y < sv_min_int(d->sh, d->h); y++) {
                const sv_residue rh = sv_residue_of(d->kh, d->sh, d->dh, d->ph, y);
                for (int32_t x = 0; x < sv_min_int(d->sw, d->w); x++) {
                    const sv_residue rw = sv_residue_of(d->kw, d->sw, d->dw, d->pw, x);
                    const ptrdiff_t line = dots ? d->k : width, tap = dots ? (ptrdiff_t)cg * d->k : (ptrdiff_t)kg * width;
                    sv_gather g = sv_gather_backward(dx, dy, d, group, rh, rw, y, x, dots ? weight : scratch,
                                                     d->kw * tap, tap, line);
                    if (onto && !(rh.count && rw.count)) continue;
                    g.out += c, g.columns = width, g.onto = onto;
                    if (dots)
                        sv_dots(&g, zeros, 0, g.n * g.oh * g.ow);
                    else
                        sv_columns(&g, zeros, 0, g.n * g.oh * g.ow);
                }
            }
        }
    }
}

/* dx (onto: what it holds, plus) the input gradient; as sv_conv2d_input_grad_plain. zeros: at least k / groups reals of
 * 0; scratch: sv_conv2d_input_grad_scratch(d). The input positions of one residue modulo the stride see the same taps:
 * each residue is a convolution of stride 1. Rows of taps from row i on are a kernel whose padding is i * dh less. */
SV_FN void sv_conv2d_input_grad_rows_onto(real *dx, const real *dy, const real *w, const sv_conv *d, const real *zeros,
                                          real *scratch, int onto)
{
    const int32_t rows = sv_conv2d_input_grad_rows(d), cg = d->c / d->groups;
    const int dots = rows == 0;
    for (int32_t i = 0, count; i < d->kh; i += count) {
        sv_conv part = *d;
        count = dots ? d->kh : sv_min_int(rows, d->kh - i);
        part.kh = count, part.ph = d->ph - i * d->dh;
        sv_conv2d_input_grad_taps(dx, dy, w + (ptrdiff_t)i * d->kw * cg * d->k, &part, zeros, scratch, dots,
                                  onto || i > 0);
    }
}

SV_FN void sv_conv2d_input_grad(real *dx, const real *dy, const real *w, const sv_conv *d, const real *zeros,
                                real *scratch)
{
    sv_conv2d_input_grad_rows_onto(dx, dy, w, d, zeros, scratch, 0);
}

/* Adds to what dx holds. */
SV_FN void sv_conv2d_input_grad_onto(real *dx, const real *dy, const real *w, const sv_conv *d, const real *zeros,
                                     real *scratch)
{
    sv_conv2d_input_grad_rows_onto(dx, dy, w, d, zeros, scratch, 1);
}

/* dw (r1 - r0, k): rows r = (i*kw + j)*(c / groups) + c of the weight gradient. */
SV_FN void sv_conv2d_weight_grad_plain(real *dw, const real *x, const real *dy, const sv_conv *d, int32_t r0,
                                       int32_t r1)
{
    const int32_t cg = d->c / d->groups, kg = d->k / d->groups;
    memset(dw, 0, (size_t)(r1 - r0) * (size_t)d->k * sizeof(real));
    for (int32_t r = r0; r < r1; r++) {
        const int32_t c = r % cg, j = r / cg % d->kw, i = r / cg / d->kw;
        for (int32_t p = 0; p < d->n * d->oh * d->ow; p++) {
            const int32_t ox = p % d->ow, oy = p / d->ow % d->oh, n = p / d->ow / d->oh;
            const int32_t y = oy * d->sh - d->ph + i * d->dh, z = ox * d->sw - d->pw + j * d->dw;
            if (y < 0 || y >= d->h || z < 0 || z >= d->w) continue;
            for (int32_t k = 0; k < d->k; k++)
                dw[(ptrdiff_t)(r - r0) * d->k + k] +=
                    x[((ptrdiff_t)(n * d->h + y) * d->w + z) * d->c + k / kg * cg + c] * dy[(ptrdiff_t)p * d->k + k];
        }
    }
}

/* As sv_conv2d_weight_grad_plain. Multiples of 16 rows are best. */
SV_FN void sv_conv2d_weight_grad(real *dw, const real *x, const real *dy, const sv_conv *d, int32_t r0, int32_t r1)
{
    const int32_t cg = d->c / d->groups, kg = d->k / d->groups;
    for (int32_t r = r0, rows; r < r1; r += rows) {
        const int32_t c = r % cg, j = r / cg % d->kw, i = r / cg / d->kw;
        const int32_t oy = i * d->dh - d->ph, ox = j * d->dw - d->pw;
        int32_t y0, y1, x0, x1;
        sv_run run;
        rows = sv_min_int(cg - c, r1 - r);
        sv_valid_range(&y0, &y1, d->oh, d->h, d->sh, oy);
        sv_valid_range(&x0, &x1, d->ow, d->w, d->sw, ox);
        run.images = d->n, run.rows = y1 - y0, run.pixels = x1 - x0;
        run.x_pixel = (ptrdiff_t)d->sw * d->c, run.x_row = (ptrdiff_t)d->sh * d->w * d->c;
        run.x_image = (ptrdiff_t)d->h * d->w * d->c;
        run.d_pixel = d->k, run.d_row = (ptrdiff_t)d->ow * d->k, run.d_image = d->oh * run.d_row;
        if (run.x_row == run.pixels * run.x_pixel && run.d_row == run.pixels * run.d_pixel) {
            run.pixels *= run.rows, run.rows = 1; /* whole rows follow each other */
            if (run.x_image == run.pixels * run.x_pixel && run.d_image == run.pixels * run.d_pixel)
                run.pixels *= run.images, run.images = 1;
        }
        const ptrdiff_t x_first = (((ptrdiff_t)y0 * d->sh + oy) * d->w + x0 * d->sw + ox) * d->c + c;
        const ptrdiff_t d_first = ((ptrdiff_t)y0 * d->ow + x0) * d->k;
        if (run.rows == 0 || run.pixels == 0) {
            memset(dw + (ptrdiff_t)(r - r0) * d->k, 0, (size_t)rows * (size_t)d->k * sizeof(real));
            continue;
        }
        for (int32_t group = 0; group < d->groups; group++)
            sv_outer(dw + ((ptrdiff_t)(r - r0) * d->k + group * kg), d->k, x + (x_first + group * cg),
                     dy + (d_first + group * kg), &run, rows, kg);
    }
}

#endif
