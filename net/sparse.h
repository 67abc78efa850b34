/* Convolution and linear layers whose weights are mostly zero; only the others are stored and multiplied.
 *
 *   out[p, k] = sum_e values[e] * patch[p, position[e]]      over the entries e of output k
 *
 * patch (pixel, depth): the depth = kh * kw * c inputs of a window, tap after tap, 0 where a tap lies outside. Entries
 * lie output after output, counts[k] of each, in rising order of position; gaps[e] is how far position[e] is from the
 * one before it (of an output's first entry, from 0). Further than 255 is gone in entries of value 0. */
#ifndef SELVEDGE_SPARSE_H
#define SELVEDGE_SPARSE_H

#include "gather.h"

/* Pixels that share one walk over the entries on a core without vectors. */
#define SV_SPARSE_ROWS 4

SV_INLINE int sv_sparse_is_flat(const sv_conv *d)
{
    return d->kh == 1 && d->kw == 1 && d->sh == 1 && d->sw == 1 && d->ph == 0 && d->pw == 0 && d->oh == d->h &&
           d->ow == d->w;
}

/* The window of one output pixel: its image, and where its tap (0, 0) lies in that. */
typedef struct {
    const real *image;
    int32_t y, x;
} sv_sparse_window;

SV_INLINE sv_sparse_window sv_sparse_window_at(const real *x, const sv_conv *d, int32_t p)
{
    const int32_t rest = p / d->ow, n = rest / d->oh;
    const sv_sparse_window w = {x + (ptrdiff_t)n * d->h * d->w * d->c, rest % d->oh * d->sh - d->ph,
                                p % d->ow * d->sw - d->pw};
    return w;
}

/* The c inputs of tap (i, j); 0 where it lies outside. */
SV_INLINE const real *sv_sparse_tap(const sv_sparse_window *w, const sv_conv *d, int32_t i, int32_t j)
{
    const int32_t y = w->y + i * d->dh, x = w->x + j * d->dw;
    if (y < 0 || y >= d->h || x < 0 || x >= d->w) return 0;
    return w->image + ((ptrdiff_t)y * d->w + x) * d->c;
}

/* out (p1 - p0, k): output pixels p = (n*oh + y)*ow + x in [p0, p1). */
SV_FN void sv_sparse_plain(real *out, const real *x, const real *values, const uint8_t *gaps, const int32_t *counts,
                           const sv_conv *d, int32_t p0, int32_t p1)
{
    for (int32_t p = p0; p < p1; p++) {
        const real *value = values;
        const uint8_t *gap = gaps;
        const sv_sparse_window w = sv_sparse_window_at(x, d, p);
        for (int32_t k = 0; k < d->k; k++) {
            real sum = 0;
            int32_t at = 0;
            for (int32_t e = 0; e < counts[k]; e++) {
                at += *gap++;
                const int32_t tap = at / d->c;
                const real *from = sv_sparse_tap(&w, d, tap / d->kw, tap % d->kw);
                if (from) sum += *value * from[at % d->c];
                value++;
            }
            *out++ = sum;
        }
    }
}

/* patch (depth) of output pixel p. */
SV_FN void sv_sparse_patch(real *patch, const real *x, const sv_conv *d, int32_t p)
{
    const size_t bytes = (size_t)d->c * sizeof(real);
    const sv_sparse_window w = sv_sparse_window_at(x, d, p);
    for (int32_t i = 0; i < d->kh; i++) {
        for (int32_t j = 0; j < d->kw; j++, patch += d->c) {
            const real *from = sv_sparse_tap(&w, d, i, j);
            if (from)
                memcpy(patch, from, bytes);
            else
                memset(patch, 0, bytes);
        }
    }
}

/* `pixels` patches, `line` reals apart. */
SV_INLINE void sv_sparse_sums(real *out, const real *patch, ptrdiff_t line, const real *values, const uint8_t *gaps,
                              const int32_t *counts, int32_t k, const int pixels)
{
    for (int32_t o = 0; o < k; o++) {
        real sum[SV_SPARSE_ROWS] = {0};
        const real *at = patch;
        for (int32_t e = counts[o]; e > 0; e--) {
            const real value = *values++;
            at += *gaps++;
            SV_UNROLL
            for (int q = 0; q < pixels; q++) sum[q] += value * at[q * line];
        }
        SV_UNROLL
        for (int q = 0; q < pixels; q++) out[q * k + o] = sum[q];
    }
}

/* As sv_sparse_plain. scratch: SV_SPARSE_ROWS * depth reals; none where the windows are the pixels themselves. */
SV_FN void sv_sparse_rows(real *out, const real *x, const real *values, const uint8_t *gaps, const int32_t *counts,
                          const sv_conv *d, real *scratch, int32_t p0, int32_t p1)
{
    const int flat = sv_sparse_is_flat(d);
    const ptrdiff_t depth = (ptrdiff_t)d->kh * d->kw * d->c;
    for (int32_t p = p0, pixels; p < p1; p += pixels, out += (ptrdiff_t)pixels * d->k) {
        const real *patch = flat ? x + p * depth : scratch;
        pixels = p1 - p >= SV_SPARSE_ROWS ? SV_SPARSE_ROWS : 1;
        for (int32_t q = 0; q < pixels && !flat; q++) sv_sparse_patch(scratch + q * depth, x, d, p + q);
        if (pixels == SV_SPARSE_ROWS)
            sv_sparse_sums(out, patch, depth, values, gaps, counts, d->k, SV_SPARSE_ROWS);
        else
            sv_sparse_sums(out, patch, depth, values, gaps, counts, d->k, 1);
    }
}

#endif
