/* A convolution, its input gradient, a linear layer and a matrix product are one sum over a gathered window:
 *
 *   out[n, y, x, k] = sum_{i, j, c} source[n, y*sy + y0 + i*dy, x*sx + x0 + j*dx, c] * weight[i, j, c, k]
 *
 * with zero where the source row or column lies outside. sv_gather holds the numbers; gather_tile.h computes it. */
#ifndef SELVEDGE_GATHER_H
#define SELVEDGE_GATHER_H

#include "selvedge.h"

/* x (n, h, w, c), out (n, oh, ow, k), weight (kh, kw, c / groups, k). */
typedef struct {
    int32_t n, h, w, c;
    int32_t oh, ow, k;
    int32_t kh, kw, sh, sw;
    int32_t ph, pw; /* padding above and to the left; below and right follow from oh and ow */
    int32_t dh, dw, groups;
} sv_conv;

typedef struct {
    const real *source;
    ptrdiff_t image, row, pixel; /* strides of the source, in reals */
    int32_t h, w;                /* its rows and columns */
    int32_t sy, sx, y0, x0, dy, dx;
    int32_t taps_h, taps_w, depth;
    const real *weight;
    ptrdiff_t weight_row, weight_tap, weight_line; /* strides of i, of j, of the slower of (c, k) */
    real *out;
    ptrdiff_t out_image, out_row, out_pixel, out_origin; /* out points at the element of offset out_origin */
    int32_t n, oh, ow, columns;
    int onto; /* add to what out holds: then no column may be visited twice */
} sv_gather;

/* The outputs [lo, hi) whose input position o*stride + offset lies in [0, extent). */
SV_FN void sv_valid_range(int32_t *lo, int32_t *hi, int32_t outputs, int32_t extent, int32_t stride, int32_t offset)
{
    *lo = sv_min_int(outputs, sv_max_int(0, sv_ceil_div(-offset, stride)));
    *hi = sv_max_int(*lo, sv_min_int(outputs, sv_ceil_div(extent - offset, stride)));
}

/* Group `group` of the forward pass; out points at pixel p0. */
SV_FN sv_gather sv_gather_forward(real *out, const real *x, const real *w, const sv_conv *d, int32_t group, int32_t p0)
{
    const int32_t depth = d->c / d->groups, columns = d->k / d->groups;
    sv_gather g;
    g.source = x + (ptrdiff_t)group * depth;
    g.pixel = d->c, g.row = (ptrdiff_t)d->w * g.pixel, g.image = d->h * g.row;
    g.h = d->h, g.w = d->w;
    g.sy = d->sh, g.sx = d->sw, g.y0 = -d->ph, g.x0 = -d->pw, g.dy = d->dh, g.dx = d->dw;
    g.taps_h = d->kh, g.taps_w = d->kw, g.depth = depth;
    g.weight = w + (ptrdiff_t)group * columns;
    g.weight_line = d->k, g.weight_tap = depth * g.weight_line, g.weight_row = d->kw * g.weight_tap;
    g.out = out + (ptrdiff_t)group * columns;
    g.out_pixel = d->k, g.out_row = d->ow * g.out_pixel, g.out_image = d->oh * g.out_row;
    g.out_origin = p0 * g.out_pixel;
    g.n = d->n, g.oh = d->oh, g.ow = d->ow, g.columns = columns, g.onto = 0;
    return g;
}

/* The taps that reach the input positions p = residue (mod stride), along one axis: tap first + j*step reads
 * output position p / stride + origin - j*reach, for j in [0, count). */
typedef struct {
    int32_t first, count, step, origin, reach;
} sv_residue;

SV_FN sv_residue sv_residue_of(int32_t kernel, int32_t stride, int32_t dilation, int32_t pad, int32_t residue)
{
    sv_residue r = {0, 0, 1, 0, 0};
    while (r.step * dilation % stride != 0) r.step++;
    while (r.first < kernel && (residue + pad - r.first * dilation) % stride != 0) r.first++;
    if (r.first < kernel) r.count = (kernel - 1 - r.first) / r.step + 1;
    r.origin = (residue + pad - r.first * dilation) / stride;
    r.reach = r.step * dilation / stride;
    return r;
}

/* The input gradient of group `group` at the rows and columns of one residue class, for any weight layout: weight
 * points at tap (0, 0), its taps are weight_row and weight_tap apart. */
SV_FN sv_gather sv_gather_backward(real *dx, const real *dy, const sv_conv *d, int32_t group, sv_residue rh,
                                   sv_residue rw, int32_t y, int32_t x, const real *weight, ptrdiff_t weight_row,
                                   ptrdiff_t weight_tap, ptrdiff_t weight_line)
{
    const int32_t depth = d->k / d->groups, columns = d->c / d->groups;
    sv_gather g;
    g.source = dy + (ptrdiff_t)group * depth;
    g.pixel = d->k, g.row = (ptrdiff_t)d->ow * g.pixel, g.image = d->oh * g.row;
    g.h = d->oh, g.w = d->ow;
    g.sy = 1, g.sx = 1, g.y0 = rh.origin, g.x0 = rw.origin, g.dy = -rh.reach, g.dx = -rw.reach;
    g.taps_h = rh.count, g.taps_w = rw.count, g.depth = depth;
    g.weight = weight;
    if (rh.count && rw.count) g.weight += rh.first * weight_row + rw.first * weight_tap;
    g.weight_line = weight_line, g.weight_tap = rw.step * weight_tap, g.weight_row = rh.step * weight_row;
    g.out = dx + ((ptrdiff_t)y * d->w + x) * d->c + (ptrdiff_t)group * columns;
    g.out_pixel = (ptrdiff_t)d->sw * d->c, g.out_row = (ptrdiff_t)d->sh * d->w * d->c;
    g.out_image = (ptrdiff_t)d->h * d->w * d->c, g.out_origin = 0;
    g.n = d->n, g.oh = sv_ceil_div(d->h - y, d->sh), g.ow = sv_ceil_div(d->w - x, d->sw), g.columns = columns;
    g.onto = 0;
    return g;
}

/* Whether output pixel p simply reads source pixel p: a linear layer, a pointwise convolution. */
SV_FN int sv_gather_is_flat(const sv_gather *g)
{
    return g->taps_h == 1 && g->taps_w == 1 && g->sy == 1 && g->sx == 1 && g->y0 == 0 && g->x0 == 0 && g->oh == g->h &&
           g->ow == g->w && g->out_row == g->ow * g->out_pixel && g->out_image == g->oh * g->out_row;
}

/* Pixels in one register tile, at most; pixels in a tile of 4 dot products. */
#if SV_LANES == 1
#define SV_TILE_PIXELS 2
#define SV_DOT_PIXELS 2
#else
#define SV_TILE_PIXELS 12
#define SV_DOT_PIXELS 4
#endif

/* Where the pixels of one tile read from and write to; the box round their source positions for tap (0, 0). */
typedef struct {
    int32_t y[SV_TILE_PIXELS], x[SV_TILE_PIXELS];
    ptrdiff_t from[SV_TILE_PIXELS], to[SV_TILE_PIXELS];
    int32_t top, bottom, left, right;
} sv_pixels;

SV_NOINLINE void sv_pixels_at(sv_pixels *t, const sv_gather *g, int flat, int32_t p, int count)
{
    if (flat) {
        for (int i = 0; i < count; i++) {
            t->y[i] = 0, t->x[i] = 0;
            t->from[i] = (p + i) * g->pixel;
            t->to[i] = (p + i) * g->out_pixel - g->out_origin;
        }
        t->top = t->bottom = t->left = t->right = 0;
        return;
    }
    int32_t x = p % g->ow, y = p / g->ow % g->oh, n = p / g->ow / g->oh;
    t->top = t->left = INT32_MAX, t->bottom = t->right = INT32_MIN;
    for (int i = 0; i < count; i++) {
        const int32_t sy = y * g->sy + g->y0, sx = x * g->sx + g->x0;
        t->y[i] = sy, t->x[i] = sx;
        t->from[i] = n * g->image + sy * g->row + sx * g->pixel;
        t->to[i] = n * g->out_image + y * g->out_row + x * g->out_pixel - g->out_origin;
        t->top = sv_min_int(t->top, sy), t->bottom = sv_max_int(t->bottom, sy);
        t->left = sv_min_int(t->left, sx), t->right = sv_max_int(t->right, sx);
        if (++x == g->ow) {
            x = 0;
            if (++y == g->oh) y = 0, n++;
        }
    }
}

/* Whether every pixel of the tile, moved by (y, x), lies in the source. */
SV_INLINE int sv_pixels_inside(const sv_pixels *t, const sv_gather *g, int32_t y, int32_t x)
{
    return (t->top + y >= 0) & (t->bottom + y < g->h) & (t->left + x >= 0) & (t->right + x < g->w);
}

/* row[p] = the source pixel that tap (i, j) reads for pixel p, or the zeros; 0 if that is zeros for all. */
SV_INLINE int sv_pixels_rows(const real **row, const sv_pixels *t, const sv_gather *g, const real *zeros, int32_t i,
                             int32_t j, const int count)
{
    const int32_t y = i * g->dy, x = j * g->dx;
    const ptrdiff_t offset = y * g->row + x * g->pixel;
    if (sv_pixels_inside(t, g, y, x)) {
        SV_UNROLL
        for (int p = 0; p < count; p++) row[p] = g->source + (t->from[p] + offset);
        return 1;
    }
    if ((t->bottom + y < 0) | (t->top + y >= g->h) | (t->right + x < 0) | (t->left + x >= g->w)) return 0;
    for (int p = 0; p < count; p++) {
        const int in = ((uint32_t)(t->y[p] + y) < (uint32_t)g->h) & ((uint32_t)(t->x[p] + x) < (uint32_t)g->w);
        row[p] = in ? g->source + (t->from[p] + offset) : zeros;
    }
    return 1;
}

#endif
