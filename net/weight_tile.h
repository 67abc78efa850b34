/* The register tiles of the weight gradient for vectors of SV_W reals. Included by conv.h once for every width, no
 * guard.
 *
 *   dw[r, k] = sum_p x[p, r] * dy[p, k]      over the pixels of an sv_run
 *
 * A tile keeps `rows x vectors` accumulators, `ways` times over where those are too few to hide the latency. */

#define SV_V SV_JOIN(sv_vec_, SV_W)
#define SV_AT(pointer) (*(const SV_V *)(const void *)(pointer))
#define SV_PUT(pointer) (*(SV_V *)(void *)(pointer))

SV_INLINE void SV_JOIN(sv_outer_tile_, SV_W)(real *dw, ptrdiff_t line, const real *x, const real *dy, const sv_run *r,
                                             ptrdiff_t last, const int rows, const int vectors, const int ways)
{
    SV_V acc[16];
    SV_UNROLL
    for (int a = 0; a < ways * rows * vectors; a++) acc[a] = (SV_V){0};
    for (int32_t n = 0; n < r->images; n++) {
        for (int32_t y = 0; y < r->rows; y++) {
            const real *xp = x + (n * r->x_image + y * r->x_row);
            const real *dp = dy + (n * r->d_image + y * r->d_row);
            int32_t p = 0;
            for (; p + ways <= r->pixels; p += ways) {
                SV_UNROLL
                for (int u = 0; u < ways; u++) {
                    SV_V b[4];
                    SV_UNROLL
                    for (int v = 0; v < vectors; v++) b[v] = SV_AT(dp + (v == vectors - 1 ? last : v * SV_W));
                    SV_UNROLL
                    for (int i = 0; i < rows; i++) {
                        const real a = xp[i];
                        SV_UNROLL
                        for (int v = 0; v < vectors; v++) acc[(u * rows + i) * vectors + v] += a * b[v];
                    }
                    xp += r->x_pixel, dp += r->d_pixel;
                }
            }
            for (; ways > 1 && p < r->pixels; p++) {
                SV_UNROLL
                for (int i = 0; i < rows; i++) {
                    const real a = xp[i];
                    SV_UNROLL
                    for (int v = 0; v < vectors; v++)
                        acc[i * vectors + v] += a * SV_AT(dp + (v == vectors - 1 ? last : v * SV_W));
                }
                xp += r->x_pixel, dp += r->d_pixel;
            }
        }
    }
    SV_UNROLL
    for (int i = 0; i < rows; i++) {
        SV_UNROLL
        for (int v = 0; v < vectors; v++) {
            SV_V sum = acc[i * vectors + v];
            SV_UNROLL
            for (int u = 1; u < ways; u++) sum += acc[(u * rows + i) * vectors + v];
            SV_PUT(dw + i * line + (v == vectors - 1 ? last : v * SV_W)) = sum;
        }
    }
}

/* `rows` rows that are neighbours in x, `columns` columns; columns >= SV_W. */
SV_NOINLINE void SV_JOIN(sv_outer_, SV_W)(real *dw, ptrdiff_t line, const real *x, const real *dy, const sv_run *r,
                                          int32_t rows, int32_t columns)
{
#define SV_PANEL(tile, vectors, ways) \
    for (; i + tile <= rows; i += tile) \
        SV_JOIN(sv_outer_tile_, SV_W)(dw + (i * line + column), line, x + i, dy + column, r, width - SV_W, tile, \
                                      vectors, ways)
    const int32_t least = SV_LANES == 1 && columns >= 4 ? 4 : SV_W;
    for (int32_t column = 0, width; column < columns; column += width) {
        int32_t i = 0;
        column = sv_min_int(column, columns - least);
#if SV_LANES == 1
        width = least;
        if (width == 4) {
            SV_PANEL(2, 4, 1);
            SV_PANEL(1, 4, 1);
        } else {
            SV_PANEL(4, 1, 1);
            SV_PANEL(1, 1, 1);
        }
#elif SV_W < SV_LANES
        width = SV_W;
        SV_PANEL(8, 1, 1);
        SV_PANEL(1, 1, 4);
#elif SV_REGISTERS == 32
        width = columns - column > 3 * SV_W ? 4 * SV_W : 2 * SV_W;
        width = sv_min_int(columns - column, width);
        if (width > 3 * SV_W) {
            SV_PANEL(4, 4, 1);
            SV_PANEL(1, 4, 2);
        } else if (width > SV_W) {
            SV_PANEL(8, 2, 1);
            SV_PANEL(3, 2, 2);
            SV_PANEL(1, 2, 4);
        } else {
            SV_PANEL(16, 1, 1);
            SV_PANEL(8, 1, 1);
            SV_PANEL(3, 1, 4);
            SV_PANEL(1, 1, 8);
        }
#else
        width = sv_min_int(columns - column, 2 * SV_W);
        if (width > SV_W) {
            SV_PANEL(4, 2, 1);
            SV_PANEL(1, 2, 4);
        } else {
            SV_PANEL(8, 1, 1);
            SV_PANEL(3, 1, 3);
            SV_PANEL(1, 1, 8);
        }
#endif
    }
#undef SV_PANEL
}

#undef SV_V
#undef SV_AT
#undef SV_PUT
