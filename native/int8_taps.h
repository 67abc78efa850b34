/* What the register tile reads: the taps of int8 images as int16, less the zero point, in the scratch.
 *
 * A convolution of several taps widens each row of the image once, into a ring of the rows that its windows see: one row
 * of a window then lies there as it is. Otherwise the taps of some pixels are copied. What lies outside the image is 0. */
#ifndef SELVEDGE_INT8_TAPS_H
#define SELVEDGE_INT8_TAPS_H

#include "gather.h"
#include "int8_tile.h"

/* int16 that a line of `count` takes: a whole vector may be written behind the last. */
SV_INLINE int32_t sv_int8_line(int32_t count) { return (count + 30) / 16 * 16; }

/* Pairs of one row of a window: of an odd number of taps the last is of one, beside a weight of 0. */
SV_INLINE int32_t sv_int8_pairs(const sv_conv *d) { return (d->kw * d->c + 1) / 2; }

/* Are rows of the image widened whole? */
SV_INLINE int sv_int8_by_rows(const sv_conv *d) { return d->dw == 1 && d->kh * d->kw > 1; }

/* Pixels whose windows are copied at a time. */
SV_INLINE int32_t sv_int8_run_of(const sv_conv *d)
{
    const int32_t most = 2 * sv_int8_pairs(d) * d->kh > SV_INT8_SHORT ? SV_INT8_PIXELS : SV_INT8_RUN;
    return sv_min_int(most, d->n * d->oh * d->ow);
}

/* x (count) as int16, less its zero point: in whole vectors where these lie before `end`, so that up
 * to 15 numbers behind the last are written too. */
SV_INLINE void sv_widened(int16_t *out, const int8_t *x, int32_t count, int32_t zero, const int8_t *end)
{
    int32_t i = 0;
#if SV_INT8_AVX2
    const __m256i z = _mm256_set1_epi16((int16_t)zero);
    for (; i < count && x + i + 16 <= end; i += 16) {
        const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(x + i)));
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_sub_epi16(wide, z));
    }
#endif
    (void)end;
    for (; i < count; i++) out[i] = (int16_t)(x[i] - zero);
}

/* An output pixel. */
typedef struct {
    int32_t n, y, x;
} sv_int8_pixel;

/* The taps of an output pixel, each row of its window padded to pairs, and on to the next pixel. */
SV_INLINE void sv_int8_window(int16_t *to, const int8_t *x, const sv_conv *d, sv_int8_pixel *p, int32_t zero,
                              const int8_t *end)
{
    const int32_t left = p->x * d->sw - d->pw, run = d->kw * d->c, row = 2 * sv_int8_pairs(d);
    for (int32_t i = 0; i < d->kh; i++, to += row) {
        const int32_t y = p->y * d->sh - d->ph + i * d->dh;
        const int8_t *const line = x + ((ptrdiff_t)p->n * d->h + (y < 0 || y >= d->h ? 0 : y)) * d->w * d->c;
        if (y < 0 || y >= d->h)
            memset(to, 0, (size_t)run * sizeof *to);
        else if (d->dw == 1 && left >= 0 && left + d->kw <= d->w)
            sv_widened(to, line + (ptrdiff_t)left * d->c, run, zero, end);
        else
            for (int32_t j = 0; j < d->kw; j++) {
                const int32_t z = left + j * d->dw;
                if (z < 0 || z >= d->w)
                    memset(to + j * d->c, 0, (size_t)d->c * sizeof *to);
                else
                    sv_widened(to + j * d->c, line + (ptrdiff_t)z * d->c, d->c, zero, end);
            }
        if (run % 2) to[run] = 0; /* a vector may have written behind the last */
    }
    if (++p->x < d->ow) return;
    p->x = 0;
    if (++p->y < d->oh) return;
    p->y = 0, p->n++;
}

/* Columns of an image, padding included, that the windows of a row of outputs see. */
SV_INLINE int32_t sv_int8_columns(const sv_conv *d) { return (d->ow - 1) * d->sw + (d->kw - 1) * d->dw + 1; }

/* Row y of an image, from column -pw on, or zeros where it has no such row. */
SV_INLINE void sv_int8_row(int16_t *to, const int8_t *image, const sv_conv *d, int32_t y, int32_t zero,
                           const int8_t *end)
{
    const int32_t columns = sv_int8_columns(d), line = sv_int8_line(columns * d->c);
    const int32_t left = sv_min_int(d->pw, columns), seen = y < 0 || y >= d->h ? 0 : sv_min_int(columns - left, d->w);
    memset(to, 0, (size_t)(left * d->c) * sizeof *to);
    sv_widened(to + left * d->c, image + (ptrdiff_t)(seen ? y : 0) * d->w * d->c, seen * d->c, zero, end);
    const int32_t after = (left + seen) * d->c;
    memset(to + after, 0, (size_t)(line - after) * sizeof *to);
}

#endif
