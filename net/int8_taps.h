/* What the register tile reads, in the scratch: the taps of int8 images as int16, less the zero point, or as bytes.
 *
 * A convolution of several taps widens each row of the image once, into a ring of the rows that its windows see: one row
 * of a window then lies there as it is. Otherwise the taps of some pixels are copied. What lies outside the image is the
 * zero point. */
#ifndef SELVEDGE_INT8_TAPS_H
#define SELVEDGE_INT8_TAPS_H

#include "gather.h"
#include "int8_tile.h"

/* Taps that a line of `count` takes: a whole vector may be written behind the last. */
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

/* Are pixels read one after another as they lie? They are widened as one run. */
SV_INLINE int sv_int8_whole(const sv_conv *d)
{
    return d->kh * d->kw * d->sh * d->sw == 1 && d->c % 2 == 0 && d->oh == d->h && d->ow == d->w;
}

/* Bytes of scratch: the rows that a window spans, or a run of pixels, or the windows of some; int16, though taps that stay
 * bytes take half. Its twin is _taps in src/selvedge/planning/int8_scratch.py. */
SV_INLINE int32_t sv_int8_scratch(const sv_conv *d)
{
    const int32_t most = sv_int8_run_of(d);
    if (sv_int8_by_rows(d))
        return 2 * sv_int8_line(((d->ow - 1) * d->sw + d->kw) * d->c) * ((d->kh - 1) * d->dh + 1);
    if (sv_int8_whole(d)) return 2 * sv_int8_line(most * d->c);
    return 2 * sv_int8_line(d->kh * 2 * sv_int8_pairs(d)) * most;
}

/* `count` times the zero point. */
SV_INLINE void sv_int8_blank(sv_int8_tap *to, ptrdiff_t count, int32_t zero)
{
#if SV_INT8_BYTES
    memset(to, zero + SV_INT8_TURNED, (size_t)count);
#else
    (void)zero;
    memset(to, 0, (size_t)count * sizeof *to);
#endif
}

/* x (count) as taps: in whole vectors where these lie before `end`, so that up to 15 behind the last are written too. */
SV_INLINE void sv_widened(sv_int8_tap *out, const int8_t *x, int32_t count, int32_t zero, const int8_t *end)
{
    int32_t i = 0;
#if SV_INT8_BYTES && SV_INT8_AVX2
    const __m128i turned = _mm_set1_epi8(INT8_MIN);
    for (; i < count && x + i + 16 <= end; i += 16) {
        const __m128i some = _mm_loadu_si128((const __m128i *)(const void *)(x + i));
        _mm_storeu_si128((__m128i *)(void *)(out + i), _mm_xor_si128(some, turned));
    }
#elif SV_INT8_AVX2
    const __m256i z = _mm256_set1_epi16((int16_t)zero);
    for (; i < count && x + i + 16 <= end; i += 16) {
        const __m256i wide = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(x + i)));
        _mm256_storeu_si256((__m256i *)(void *)(out + i), _mm256_sub_epi16(wide, z));
    }
#endif
    (void)end, (void)zero;
#if SV_INT8_BYTES
    for (; i < count; i++) out[i] = (int8_t)(x[i] ^ -SV_INT8_TURNED);
#else
    for (; i < count; i++) out[i] = (int16_t)(x[i] - zero);
#endif
}

/* An output pixel. */
typedef struct {
    int32_t n, y, x;
} sv_int8_pixel;

/* The taps of an output pixel, each row of its window padded to pairs, and on to the next pixel. */
SV_INLINE void sv_int8_window(sv_int8_tap *to, const int8_t *x, const sv_conv *d, sv_int8_pixel *p, int32_t zero,
                              const int8_t *end)
{
    const int32_t left = p->x * d->sw - d->pw, run = d->kw * d->c, row = 2 * sv_int8_pairs(d);
    for (int32_t i = 0; i < d->kh; i++, to += row) {
        const int32_t y = p->y * d->sh - d->ph + i * d->dh;
        const int8_t *const line = x + ((ptrdiff_t)p->n * d->h + (y < 0 || y >= d->h ? 0 : y)) * d->w * d->c;
        if (y < 0 || y >= d->h)
            sv_int8_blank(to, run, zero);
        else if (d->dw == 1 && left >= 0 && left + d->kw <= d->w)
            sv_widened(to, line + (ptrdiff_t)left * d->c, run, zero, end);
        else
            for (int32_t j = 0; j < d->kw; j++) {
                const int32_t z = left + j * d->dw;
                if (z < 0 || z >= d->w)
                    sv_int8_blank(to + j * d->c, d->c, zero);
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

/* Row y of an image, from column -pw on, or the zero point where it has no such row. */
SV_INLINE void sv_int8_row(sv_int8_tap *to, const int8_t *image, const sv_conv *d, int32_t y, int32_t zero,
                           const int8_t *end)
{
    const int32_t columns = sv_int8_columns(d), line = sv_int8_line(columns * d->c);
    const int32_t left = sv_min_int(d->pw, columns), seen = y < 0 || y >= d->h ? 0 : sv_min_int(columns - left, d->w);
    sv_int8_blank(to, left * d->c, zero);
    sv_widened(to + left * d->c, image + (ptrdiff_t)(seen ? y : 0) * d->w * d->c, seen * d->c, zero, end);
    const int32_t after = (left + seen) * d->c;
    sv_int8_blank(to + after, line - after, zero);
}

#endif
