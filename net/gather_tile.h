/* The register tiles of gather.h for vectors of SV_W reals. Included by conv.h once for every width, no guard.
 *
 * A tile keeps `pixels x vectors` accumulators in registers. Where the width does not divide the columns, the last
 * vector starts early (`last`) and overlaps the one before: what both compute is the same. */

#define SV_V SV_JOIN(sv_vec_, SV_W)
#define SV_AT(pointer) (*(const SV_V *)(const void *)(pointer))
#define SV_PUT(pointer) (*(SV_V *)(void *)(pointer))
#define SV_ACCUMULATORS 24

/* Lanes over the columns: weight[i][j][depth][column], from column `column` on. */
SV_INLINE void SV_JOIN(sv_columns_tile_, SV_W)(const sv_gather *g, int flat, const real *zeros, int32_t p,
                                               int32_t column, ptrdiff_t last, const int pixels, const int vectors)
{
    sv_pixels t;
    SV_V acc[SV_ACCUMULATORS];
    const ptrdiff_t line = g->weight_line;
    int32_t taps_w = g->taps_w, depth = g->depth;
    sv_pixels_at(&t, g, flat, p, pixels);
    if (g->dx == 1 && g->pixel == depth && g->weight_tap == depth * line && sv_pixels_inside(&t, g, 0, 0) &&
        sv_pixels_inside(&t, g, (g->taps_h - 1) * g->dy, taps_w - 1)) {
        depth *= taps_w; /* a row of taps reads one run of the source and of the weight */
        taps_w = taps_w > 0;
    }
    if (g->onto) {
        SV_UNROLL
        for (int q = 0; q < pixels; q++) {
            const real *out = g->out + (t.to[q] + column);
            SV_UNROLL
            for (int v = 0; v < vectors; v++) acc[q * vectors + v] = SV_AT(out + (v == vectors - 1 ? last : v * SV_W));
        }
    } else {
        SV_UNROLL
        for (int a = 0; a < pixels * vectors; a++) acc[a] = (SV_V){0};
    }
    for (int32_t i = 0; i < g->taps_h; i++) {
        for (int32_t j = 0; j < taps_w; j++) {
            const real *row[SV_TILE_PIXELS];
            const real *weight = g->weight + (i * g->weight_row + j * g->weight_tap + column);
            if (!sv_pixels_rows(row, &t, g, zeros, i, j, pixels)) continue;
            for (int32_t c = 0; c < depth; c++, weight += line) {
                SV_V b[8];
                SV_UNROLL
                for (int v = 0; v < vectors; v++) b[v] = SV_AT(weight + (v == vectors - 1 ? last : v * SV_W));
                SV_UNROLL
                for (int q = 0; q < pixels; q++) {
                    const real x = row[q][c];
                    SV_UNROLL
                    for (int v = 0; v < vectors; v++) acc[q * vectors + v] += x * b[v];
                }
            }
        }
    }
    SV_UNROLL
    for (int q = 0; q < pixels; q++) {
        real *out = g->out + (t.to[q] + column);
        SV_UNROLL
        for (int v = 0; v < vectors; v++) SV_PUT(out + (v == vectors - 1 ? last : v * SV_W)) = acc[q * vectors + v];
    }
}

/* Pixels [p0, p1), all columns; g->columns >= SV_W. */
SV_NOINLINE void SV_JOIN(sv_columns_, SV_W)(const sv_gather *g, const real *zeros, int32_t p0, int32_t p1)
{
#define SV_PANEL(pixels, vectors) \
    for (; p + pixels <= p1; p += pixels) \
        SV_JOIN(sv_columns_tile_, SV_W)(g, flat, zeros, p, column, width - SV_W, pixels, vectors)
    const int flat = sv_gather_is_flat(g);
    const int32_t least = SV_LANES == 1 && g->columns >= 4 ? 4 : SV_W;
    for (int32_t column = 0, width; column < g->columns; column += width) {
        int32_t p = p0;
        column = sv_min_int(column, g->columns - least);
#if SV_LANES == 1
        width = least;
        if (width == 4) {
            SV_PANEL(2, 4);
            SV_PANEL(1, 4);
        } else {
            SV_PANEL(2, 1);
            SV_PANEL(1, 1);
        }
#elif SV_W < SV_LANES
        width = SV_W;
        SV_PANEL(8, 1);
        SV_PANEL(1, 1);
#else
        if (p1 - p0 == 1 && g->columns - column >= 8 * SV_W) {
            width = 8 * SV_W;
            SV_PANEL(1, 8);
            continue;
        }
#if SV_REGISTERS == 32
        width = g->columns - column > 3 * SV_W ? 4 * SV_W : 2 * SV_W;
        width = sv_min_int(g->columns - column, width);
        if (width > 3 * SV_W) {
            SV_PANEL(6, 4);
            SV_PANEL(3, 4);
            SV_PANEL(1, 4);
        } else if (width > SV_W) {
            SV_PANEL(12, 2);
            SV_PANEL(6, 2);
            SV_PANEL(3, 2);
            SV_PANEL(1, 2);
        } else {
            SV_PANEL(12, 1);
            SV_PANEL(4, 1);
            SV_PANEL(1, 1);
        }
#else
        width = sv_min_int(g->columns - column, 2 * SV_W);
        if (width > SV_W) {
            SV_PANEL(5, 2);
            SV_PANEL(3, 2);
            SV_PANEL(1, 2);
        } else {
            SV_PANEL(12, 1);
            SV_PANEL(4, 1);
            SV_PANEL(1, 1);
        }
#endif
#endif
    }
#undef SV_PANEL
}

/* Adds the lanes of 2 * half vectors a into half vectors. */
#define SV_HALVE(half) \
    if (SV_W > half) { \
        SV_UNROLL \
        for (int k = 0; k < half; k++) \
            a[k] = SV_JOIN(sv_low_, SV_W)(a[k], a[k + half]) + SV_JOIN(sv_high_, SV_W)(a[k], a[k + half]); \
    }

/* Lanes over the depth: weight[i][j][column][depth], from column `column` on; the lanes are summed at the end. */
SV_INLINE void SV_JOIN(sv_dots_tile_, SV_W)(const sv_gather *g, const sv_pixels *t, const real *zeros, int32_t column,
                                            const int pixels, const int columns)
{
    SV_V acc[SV_ACCUMULATORS];
    real sum[SV_ACCUMULATORS];
    const int32_t depth = g->depth;
    const ptrdiff_t line = g->weight_line;
    SV_UNROLL
    for (int a = 0; a < pixels * columns; a++) acc[a] = (SV_V){0};
    for (int32_t i = 0; i < g->taps_h; i++) {
        for (int32_t j = 0; j < g->taps_w; j++) {
            const real *row[SV_TILE_PIXELS];
            const real *weight = g->weight + (i * g->weight_row + j * g->weight_tap + column * line);
            int32_t c = 0;
            if (!sv_pixels_rows(row, t, g, zeros, i, j, pixels)) continue;
            for (; c + SV_W <= depth; c += SV_W) {
                SV_V x[SV_TILE_PIXELS];
                SV_UNROLL
                for (int q = 0; q < pixels; q++) x[q] = SV_AT(row[q] + c);
                SV_UNROLL
                for (int k = 0; k < columns; k++) {
                    const SV_V b = SV_AT(weight + k * line + c);
                    SV_UNROLL
                    for (int q = 0; q < pixels; q++) acc[q * columns + k] += x[q] * b;
                }
            }
#if SV_W > 1
            if (c < depth) {
                SV_V x[SV_TILE_PIXELS];
                SV_JOIN(sv_mask_, SV_W) keep = {0}; /* the lanes of this overlapping vector not yet counted */
                SV_UNROLL
                for (int l = 0; l < SV_W; l++) keep[l] = -(l >= SV_W - (depth - c));
                c = depth - SV_W;
                SV_UNROLL
                for (int q = 0; q < pixels; q++)
                    x[q] = (SV_V)((SV_JOIN(sv_mask_, SV_W))SV_AT(row[q] + c) & keep);
                SV_UNROLL
                for (int k = 0; k < columns; k++) {
                    const SV_V b = (SV_V)((SV_JOIN(sv_mask_, SV_W))SV_AT(weight + k * line + c) & keep);
                    SV_UNROLL
                    for (int q = 0; q < pixels; q++) acc[q * columns + k] += x[q] * b;
                }
            }
#endif
        }
    }
#if SV_W > 1
    if (pixels * columns % SV_W == 0) {
        SV_UNROLL
        for (int first = 0; first < pixels * columns; first += SV_W) { /* as many sums as lanes: a tree of halves */
            SV_V *a = acc + first;
            SV_HALVE(8)
            SV_HALVE(4)
            SV_HALVE(2)
            SV_HALVE(1)
            SV_PUT(sum + first) = a[0];
        }
    } else
#endif
    {
        SV_UNROLL
        for (int a = 0; a < pixels * columns; a++) sum[a] = SV_JOIN(sv_sum_, SV_W)(&acc[a]);
    }
    SV_UNROLL
    for (int q = 0; q < pixels; q++) {
        real *out = g->out + (t->to[q] + column);
        if (g->onto)
            for (int k = 0; k < columns; k++) out[k] += sum[q * columns + k];
        else
            memcpy(out, sum + q * columns, (size_t)columns * sizeof(real));
    }
}

/* Pixels [p0, p1), all columns; g->depth >= SV_W. */
SV_NOINLINE void SV_JOIN(sv_dots_, SV_W)(const sv_gather *g, const real *zeros, int32_t p0, int32_t p1)
{
#define SV_PANEL(pixels, count) \
    for (; p + pixels <= p1; p += pixels) { \
        sv_pixels_at(&t, g, flat, p, pixels); \
        for (int32_t column = first; column < end; column += count) \
            SV_JOIN(sv_dots_tile_, SV_W)(g, &t, zeros, sv_min_int(column, g->columns - count), pixels, count); \
    }
    const int flat = sv_gather_is_flat(g);
    sv_pixels t;
    for (int32_t first = 0; first < g->columns; first += 16) { /* a block of weights stays in the cache */
        const int32_t end = sv_min_int(first + 16, g->columns);
        int32_t p = p0;
        if (g->columns < 4) {
            SV_PANEL(1, 1)
        } else {
#if SV_W == SV_LANES
            SV_PANEL(SV_DOT_PIXELS, 4)
#endif
#if SV_W == SV_LANES && SV_LANES > 1
            if (g->columns >= 16) {
                SV_PANEL(1, 16)
            }
#endif
            SV_PANEL(1, 4)
        }
    }
#undef SV_PANEL
}

#if SV_W == SV_LANES && SV_LANES > 1
/* SV_W x SV_W reals: to = the transpose of from, by interleaving the two halves of the rows log2(SV_W) times. */
SV_INLINE void SV_JOIN(sv_flip_, SV_W)(real *to, ptrdiff_t to_line, const real *from, ptrdiff_t from_line)
{
    SV_V a[SV_W], b[SV_W];
    SV_UNROLL
    for (int i = 0; i < SV_W; i++) a[i] = SV_AT(from + i * from_line);
    SV_UNROLL
    for (int round = 1; round < SV_W; round *= 2) {
        SV_UNROLL
        for (int i = 0; i < SV_W / 2; i++) {
            b[2 * i] = SV_JOIN(sv_low_, SV_W)(a[i], a[i + SV_W / 2]);
            b[2 * i + 1] = SV_JOIN(sv_high_, SV_W)(a[i], a[i + SV_W / 2]);
        }
        SV_UNROLL
        for (int i = 0; i < SV_W; i++) a[i] = b[i];
    }
    SV_UNROLL
    for (int i = 0; i < SV_W; i++) SV_PUT(to + i * to_line) = a[i];
}
#endif

#undef SV_V
#undef SV_AT
#undef SV_PUT
#undef SV_ACCUMULATORS
#undef SV_HALVE
