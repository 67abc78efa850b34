/* The sparse layer with lanes over pixels: an entry is one broadcast and a multiplication a vector, wherever its input
 * is (Elsen, Dukhan, Gale, Simonyan, "Fast Sparse ConvNets", CVPR 2020, section 3: there activations lie so; here the
 * windows of a tile of pixels are turned on their way into scratch, and the results on their way out). */
#ifndef SELVEDGE_SPARSE_PIXELS_H
#define SELVEDGE_SPARSE_PIXELS_H

#include "sparse.h"

#if SV_LANES > 1
#define SV_SPARSE_VECTORS 6
#define SV_SPARSE_PIXELS (SV_SPARSE_VECTORS * SV_LANES)
#define SV_SPARSE_LOW(a, b) SV_JOIN(sv_low_, SV_LANES)(a, b)
#define SV_SPARSE_HIGH(a, b) SV_JOIN(sv_high_, SV_LANES)(a, b)

/* SV_LANES rows to SV_LANES columns, by interleaving the two halves of the rows log2(SV_LANES) times. */
SV_INLINE void sv_sparse_turn(sv_vec *a)
{
    sv_vec b[SV_LANES];
    SV_UNROLL
    for (int round = 1; round < SV_LANES; round *= 2) {
        SV_UNROLL
        for (int i = 0; i < SV_LANES / 2; i++) {
            b[2 * i] = SV_SPARSE_LOW(a[i], a[i + SV_LANES / 2]);
            b[2 * i + 1] = SV_SPARSE_HIGH(a[i], a[i + SV_LANES / 2]);
        }
        SV_UNROLL
        for (int i = 0; i < SV_LANES; i++) a[i] = b[i];
    }
}

#define SV_AT(pointer) (*(const sv_vec *)(const void *)(pointer))
#define SV_PUT(pointer) (*(sv_vec *)(void *)(pointer))

/* to (c, line): column q holds from[q]. */
SV_FN void sv_sparse_columns(real *to, ptrdiff_t line, const real *const *from, int32_t c)
{
    int32_t i = 0;
    for (; i + SV_LANES <= c; i += SV_LANES) {
        sv_vec a[SV_LANES];
        SV_UNROLL
        for (int q = 0; q < SV_LANES; q++) a[q] = SV_AT(from[q] + i);
        sv_sparse_turn(a);
        SV_UNROLL
        for (int q = 0; q < SV_LANES; q++) SV_PUT(to + (i + q) * line) = a[q];
    }
    for (; i < c; i++)
        for (int q = 0; q < SV_LANES; q++) to[i * line + q] = from[q][i];
}

/* Pixels [p, p + pixels), the last again and again up to whole vectors: windows (depth, vectors * SV_LANES). */
SV_FN void sv_sparse_windows(real *windows, const real *x, const sv_conv *d, const real *zeros, int32_t p,
                             int32_t pixels, int32_t vectors)
{
    const ptrdiff_t line = (ptrdiff_t)vectors * SV_LANES;
    const int flat = sv_sparse_is_flat(d);
    for (int32_t v = 0; v < vectors; v++, windows += SV_LANES) {
        sv_sparse_window window[SV_LANES];
        real *to = windows;
        for (int32_t q = 0; q < SV_LANES && !flat; q++)
            window[q] = sv_sparse_window_at(x, d, p + sv_min_int(v * SV_LANES + q, pixels - 1));
        for (int32_t i = 0; i < d->kh; i++) {
            for (int32_t j = 0; j < d->kw; j++, to += d->c * line) {
                const real *from[SV_LANES];
                for (int32_t q = 0; q < SV_LANES; q++) {
                    const int32_t at = p + sv_min_int(v * SV_LANES + q, pixels - 1);
                    from[q] = flat ? x + (ptrdiff_t)at * d->c : sv_sparse_tap(window + q, d, i, j);
                    if (!from[q]) from[q] = zeros;
                }
                sv_sparse_columns(to, line, from, d->c);
            }
        }
    }
}

/* One tile of `vectors` vectors of pixels. sums: SV_LANES * vectors * SV_LANES reals. */
SV_INLINE void sv_sparse_tile(real *out, const real *windows, const real *values, const uint8_t *gaps,
                              const int32_t *counts, int32_t k, real *sums, int32_t pixels, const int vectors)
{
    const ptrdiff_t line = vectors * SV_LANES;
    for (int32_t o = 0; o < k; o += SV_LANES) {
        const int32_t outs = sv_min_int(SV_LANES, k - o);
        for (int32_t i = 0; i < outs; i++) {
            sv_vec acc[SV_SPARSE_VECTORS];
            const real *at = windows;
            SV_UNROLL
            for (int v = 0; v < vectors; v++) acc[v] = (sv_vec){0};
            for (int32_t e = *counts++; e > 0; e--) {
                const real value = *values++;
                at += *gaps++ * line;
                SV_UNROLL
                for (int v = 0; v < vectors; v++) acc[v] += value * SV_AT(at + v * SV_LANES);
            }
            SV_UNROLL
            for (int v = 0; v < vectors; v++) SV_PUT(sums + i * line + v * SV_LANES) = acc[v];
        }
        int32_t p = 0;
        for (; outs == SV_LANES && p + SV_LANES <= pixels; p += SV_LANES) {
            sv_vec a[SV_LANES];
            SV_UNROLL
            for (int i = 0; i < SV_LANES; i++) a[i] = SV_AT(sums + i * line + p);
            sv_sparse_turn(a);
            SV_UNROLL
            for (int i = 0; i < SV_LANES; i++) SV_PUT(out + (ptrdiff_t)(p + i) * k + o) = a[i];
        }
        for (; p < pixels; p++)
            for (int32_t i = 0; i < outs; i++) out[(ptrdiff_t)p * k + o + i] = sums[i * line + p];
    }
}

#undef SV_AT
#undef SV_PUT

/* Vectors of pixels in a tile, at most. */
SV_INLINE int32_t sv_sparse_vectors(const sv_conv *d)
{
    return sv_min_int(SV_SPARSE_VECTORS, (d->n * d->oh * d->ow + SV_LANES - 1) / SV_LANES);
}

/* As sv_sparse_plain. zeros: c reals of 0. scratch: (depth + SV_LANES) * sv_sparse_vectors * SV_LANES reals. */
SV_NOINLINE void sv_sparse_pixels(real *out, const real *x, const real *values, const uint8_t *gaps,
                                  const int32_t *counts, const sv_conv *d, const real *zeros, real *scratch,
                                  int32_t p0, int32_t p1)
{
#define SV_TILE(count) \
    case count: \
        sv_sparse_tile(out, windows, values, gaps, counts, d->k, scratch, pixels, count); \
        break;
    real *const windows = scratch + (ptrdiff_t)SV_LANES * sv_sparse_vectors(d) * SV_LANES;
    for (int32_t p = p0, pixels; p < p1; p += pixels, out += (ptrdiff_t)pixels * d->k) {
        pixels = sv_min_int(SV_SPARSE_PIXELS, p1 - p);
        const int32_t vectors = (pixels + SV_LANES - 1) / SV_LANES;
        sv_sparse_windows(windows, x, d, zeros, p, pixels, vectors);
        switch (vectors) {
            SV_TILE(1)
            SV_TILE(2)
            SV_TILE(3)
            SV_TILE(4)
            SV_TILE(5)
        default:
            sv_sparse_tile(out, windows, values, gaps, counts, d->k, scratch, pixels, SV_SPARSE_VECTORS);
        }
    }
#undef SV_TILE
}
#endif

#endif
