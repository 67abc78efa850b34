/* The register tiles of depthwise.h for vectors of SV_W reals. Included by depthwise.h once for every width, no guard.
 * Where the width does not divide the channels, the last vector starts early (`last`) and overlaps the one before. */

#define SV_V SV_JOIN(sv_vec_, SV_W)
#define SV_AT(pointer) (*(const SV_V *)(const void *)(pointer))
#define SV_PUT(pointer) (*(SV_V *)(void *)(pointer))
#define SV_LANE(v) ((v) == vectors - 1 ? last : (v) * SV_W)

/* Adds one tap to the accumulators of neighbouring output pixels, whose source pixels are `step` apart. */
SV_INLINE void SV_JOIN(sv_depthwise_tap_, SV_W)(SV_V *acc, const real *source, ptrdiff_t step, const real *weight,
                                                ptrdiff_t last, const int pixels, const int vectors)
{
    SV_V b[4];
    SV_UNROLL
    for (int v = 0; v < vectors; v++) b[v] = SV_AT(weight + SV_LANE(v));
    SV_UNROLL
    for (int q = 0; q < pixels; q++) {
        SV_UNROLL
        for (int v = 0; v < vectors; v++) acc[q * vectors + v] += SV_AT(source + q * step + SV_LANE(v)) * b[v];
    }
}

/* Neighbouring output pixels from column x on, of the row whose taps [i0, i1) are inside, and with them the taps
 * [j0, j1). taps: j1 - j0 where that is known to the compiler, else 0. */
SV_INLINE void SV_JOIN(sv_depthwise_tile_, SV_W)(const sv_gather *g, real *out, const real *source, int32_t y,
                                                 int32_t x, int32_t i0, int32_t i1, int32_t j0, int32_t j1,
                                                 ptrdiff_t channel, ptrdiff_t last, const int pixels,
                                                 const int vectors, const int taps)
{
    SV_V acc[16];
    const ptrdiff_t step = g->sx * g->pixel, next = g->dx * g->pixel;
    const ptrdiff_t column = (x * g->sx + g->x0) * g->pixel + channel;
    SV_UNROLL
    for (int a = 0; a < pixels * vectors; a++) acc[a] = (SV_V){0};
    for (int32_t i = i0; i < i1; i++) {
        const real *weight = g->weight + (i * g->weight_row + channel);
        const ptrdiff_t at = (y * g->sy + g->y0 + i * g->dy) * g->row + column;
        if (taps) {
            SV_UNROLL
            for (int j = 0; j < taps; j++)
                SV_JOIN(sv_depthwise_tap_, SV_W)(acc, source + (at + j * next), step, weight + j * g->weight_tap,
                                                 last, pixels, vectors);
        } else {
            for (int32_t j = j0; j < j1; j++)
                SV_JOIN(sv_depthwise_tap_, SV_W)(acc, source + (at + j * next), step, weight + j * g->weight_tap,
                                                 last, pixels, vectors);
        }
    }
    out += x * g->out_pixel + channel;
    SV_UNROLL
    for (int q = 0; q < pixels; q++) {
        SV_UNROLL
        for (int v = 0; v < vectors; v++) SV_PUT(out + q * g->out_pixel + SV_LANE(v)) = acc[q * vectors + v];
    }
}

/* Output rows [r0, r1) of the n * oh, all channels; g->columns >= SV_W. */
SV_NOINLINE void SV_JOIN(sv_depthwise_rows_, SV_W)(const sv_gather *g, int32_t r0, int32_t r1)
{
#define SV_TILE(at, j0, j1, pixels, vectors, taps) \
    SV_JOIN(sv_depthwise_tile_, SV_W)(g, out, source, y, at, i0, i1, j0, j1, channel, width - SV_W, pixels, vectors, \
                                      taps)
/* Columns with every tap inside, `pixels` at a time; the last tile overlaps the one before. */
#define SV_SPAN(pixels, vectors, taps) \
    for (; x < x1; x = sv_min_int(x + pixels, x1)) \
        SV_TILE(sv_min_int(x, x1 - pixels), 0, g->taps_w, pixels, vectors, taps)
/* A column at a time, with the taps inside. */
#define SV_EDGE(end, vectors) \
    for (; x < end; x++) { \
        const int32_t sx = x * g->sx + g->x0; \
        int32_t j0 = 0, j1 = g->taps_w; \
        while (j0 < j1 && (uint32_t)(sx + j0 * g->dx) >= (uint32_t)g->w) j0++; \
        while (j0 < j1 && (uint32_t)(sx + (j1 - 1) * g->dx) >= (uint32_t)g->w) j1--; \
        SV_TILE(x, j0, j1, 1, vectors, 0); \
    }
    const int32_t reach = (g->taps_w - 1) * g->dx, left = sv_min_int(0, reach), right = sv_max_int(0, reach);
    int32_t x0, x1, unused; /* columns [x0, x1): every tap inside */
    sv_valid_range(&x0, &unused, g->ow, g->w, g->sx, g->x0 + left);
    sv_valid_range(&unused, &x1, g->ow, g->w, g->sx, g->x0 + right);
    for (int32_t r = r0; r < r1; r++) {
        const int32_t y = r % g->oh, n = r / g->oh, sy = y * g->sy + g->y0;
        const real *source = g->source + n * g->image;
        real *out = g->out + (n * g->out_image + y * g->out_row - g->out_origin);
        int32_t i0 = 0, i1 = g->taps_h;
        while (i0 < i1 && (uint32_t)(sy + i0 * g->dy) >= (uint32_t)g->h) i0++;
        while (i0 < i1 && (uint32_t)(sy + (i1 - 1) * g->dy) >= (uint32_t)g->h) i1--;
        for (int32_t channel = 0, width; channel < g->columns; channel += width) {
            int32_t x = 0;
            channel = sv_min_int(channel, g->columns - SV_W);
            width = SV_W;
#if SV_W == SV_LANES && SV_LANES > 1
            if (g->columns - channel >= 4 * SV_W) {
                width = 4 * SV_W;
                SV_EDGE(x0, 4)
                if (x1 - x >= 4 && g->taps_w == 3)
                    SV_SPAN(4, 4, 3);
                else if (x1 - x >= 2 && g->taps_w == 3)
                    SV_SPAN(2, 4, 3);
                else if (x1 - x >= 4)
                    SV_SPAN(4, 4, 0);
                SV_EDGE(g->ow, 4)
                continue;
            }
            SV_EDGE(x0, 1)
            if (x1 - x >= 8 && g->taps_w == 3)
                SV_SPAN(8, 1, 3);
            else if (x1 - x >= 4 && g->taps_w == 3)
                SV_SPAN(4, 1, 3);
#else
            SV_EDGE(x0, 1)
#endif
            if (x1 - x >= 8)
                SV_SPAN(8, 1, 0);
            SV_EDGE(g->ow, 1)
        }
    }
#undef SV_TILE
#undef SV_SPAN
#undef SV_EDGE
}

/* Taps (i, j) to (i, j + taps - 1): their rows of dw (taps, c), for channels from `channel` on. */
SV_INLINE void SV_JOIN(sv_depthwise_outer_tile_, SV_W)(real *dw, const real *x, const real *dy, const sv_conv *d,
                                                       int32_t i, int32_t j, ptrdiff_t last, const int taps,
                                                       const int vectors)
{
    SV_V acc[16];
    int32_t y0, y1, x0[4], x1[4], lo = 0, hi = d->ow;
    const ptrdiff_t step = (ptrdiff_t)d->sw * d->c, next = (ptrdiff_t)d->dw * d->c;
    sv_valid_range(&y0, &y1, d->oh, d->h, d->sh, i * d->dh - d->ph);
    SV_UNROLL
    for (int t = 0; t < taps; t++) {
        sv_valid_range(&x0[t], &x1[t], d->ow, d->w, d->sw, (j + t) * d->dw - d->pw);
        lo = sv_max_int(lo, x0[t]), hi = sv_min_int(hi, x1[t]);
    }
    hi = sv_max_int(lo, hi); /* columns [lo, hi): every tap inside */
    SV_UNROLL
    for (int a = 0; a < taps * vectors; a++) acc[a] = (SV_V){0};
    for (int32_t n = 0; n < d->n; n++) {
        for (int32_t y = y0; y < y1; y++) {
            const ptrdiff_t row = ((ptrdiff_t)n * d->h + y * d->sh + i * d->dh - d->ph) * d->w + j * d->dw - d->pw;
            const real *grad = dy + ((ptrdiff_t)n * d->oh + y) * d->ow * d->c;
            ptrdiff_t at = (row + lo * d->sw) * d->c;
            for (int32_t o = lo; o < hi; o++, at += step) {
                SV_V b[4];
                SV_UNROLL
                for (int v = 0; v < vectors; v++) b[v] = SV_AT(grad + (ptrdiff_t)o * d->c + SV_LANE(v));
                SV_UNROLL
                for (int t = 0; t < taps; t++) {
                    SV_UNROLL
                    for (int v = 0; v < vectors; v++)
                        acc[t * vectors + v] += SV_AT(x + (at + t * next + SV_LANE(v))) * b[v];
                }
            }
            SV_UNROLL
            for (int t = 0; t < taps; t++) {
                for (int32_t o = x0[t] == lo ? hi : x0[t]; o < x1[t]; o = o + 1 == lo ? hi : o + 1) {
                    at = (row + t * d->dw + o * d->sw) * d->c;
                    SV_UNROLL
                    for (int v = 0; v < vectors; v++)
                        acc[t * vectors + v] +=
                            SV_AT(x + (at + SV_LANE(v))) * SV_AT(grad + (ptrdiff_t)o * d->c + SV_LANE(v));
                }
            }
        }
    }
    SV_UNROLL
    for (int t = 0; t < taps; t++) {
        SV_UNROLL
        for (int v = 0; v < vectors; v++) SV_PUT(dw + (ptrdiff_t)t * d->c + SV_LANE(v)) = acc[t * vectors + v];
    }
}

/* Taps [t0, t1) of the kh * kw, all channels; d->c >= SV_W. */
SV_NOINLINE void SV_JOIN(sv_depthwise_outer_, SV_W)(real *dw, const real *x, const real *dy, const sv_conv *d,
                                                    int32_t t0, int32_t t1)
{
#define SV_PANEL(count, vectors) \
    SV_JOIN(sv_depthwise_outer_tile_, SV_W)(dw + (ptrdiff_t)(t - t0) * d->c + channel, x + channel, dy + channel, d, \
                                            i, j, width - SV_W, count, vectors)
    for (int32_t channel = 0, width; channel < d->c; channel += width) {
        channel = sv_min_int(channel, d->c - SV_W);
        width = SV_W;
#if SV_W == SV_LANES && SV_LANES > 1
        if (d->c - channel >= 2 * SV_W) width = d->c - channel >= 4 * SV_W ? 4 * SV_W : 2 * SV_W;
#endif
        for (int32_t t = t0, count; t < t1; t += count) {
            const int32_t i = t / d->kw, j = t % d->kw;
            count = sv_min_int(t1 - t, d->kw - j) >= 3 ? 3 : 1;
#if SV_W == SV_LANES && SV_LANES > 1
            if (width > SV_W) {
                if (width > 2 * SV_W && count == 3)
                    SV_PANEL(3, 4);
                else if (width > 2 * SV_W)
                    SV_PANEL(1, 4);
                else if (count == 3)
                    SV_PANEL(3, 2);
                else
                    SV_PANEL(1, 2);
                continue;
            }
#endif
            if (count == 3)
                SV_PANEL(3, 1);
            else
                SV_PANEL(1, 1);
        }
    }
#undef SV_PANEL
}

#undef SV_V
#undef SV_AT
#undef SV_PUT
#undef SV_LANE
