/* Depthwise int8 convolution: each channel by a kernel of its own. NHWC by (kh, kw, 1, c).
 *
 *   out[n, y, x, c] = requantised(bias[c] + sum_{i, j} (x[n, y*sh - ph + i*dh, x*sw - pw + j*dw, c] - x_zero) * w[i, j, c])
 *
 * The plain kernel is sv_int8_conv2d_plain. */
#ifndef SELVEDGE_INT8_DEPTHWISE_H
#define SELVEDGE_INT8_DEPTHWISE_H

#include "gather.h"
#include "int8_tile.h"

/* Channels [first, first + count) of one output pixel that sees `rows` by `columns` taps; x and w at the first. */
SV_INLINE void sv_int8_depthwise_some(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                      const int32_t *scales, const sv_conv *d, const sv_int8 *q, int32_t rows,
                                      int32_t columns, int32_t first, int32_t count)
{
    for (int32_t c = first; c < first + count; c++) {
        int32_t sum = 0;
        for (int32_t i = 0; i < rows; i++)
            for (int32_t j = 0; j < columns; j++)
                sum += (x[((ptrdiff_t)i * d->dh * d->w + j * d->dw) * d->c + c] - q->x_zero) *
                       w[((ptrdiff_t)i * d->kw + j) * d->c + c];
        sum += bias ? bias[c] : 0;
        out[c] = sv_requantised(sum, scales[c], scales[d->c + c], q);
    }
}

/* Where the windows of an output row or column lie: the first tap inside, and how many are. */
SV_INLINE int32_t sv_int8_seen(int32_t at, int32_t taps, int32_t dilation, int32_t extent, int32_t *first)
{
    *first = at < 0 ? sv_ceil_div(-at, dilation) : 0;
    return sv_max_int(0, sv_min_int(taps, sv_ceil_div(extent - at, dilation)) - *first);
}

/* Every channel from `first` on, of any size of sums. */
SV_INLINE void sv_int8_depthwise_rest(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                      const int32_t *scales, const sv_conv *d, const sv_int8 *q, int32_t first)
{
    for (int32_t p = 0; first < d->c && p < d->n * d->oh * d->ow; p++, out += d->c) {
        int32_t i0, j0;
        const int32_t y = p / d->ow % d->oh * d->sh - d->ph, z = p % d->ow * d->sw - d->pw;
        const int32_t rows = sv_int8_seen(y, d->kh, d->dh, d->h, &i0), columns = sv_int8_seen(z, d->kw, d->dw, d->w, &j0);
        const int some = rows > 0 && columns > 0;
        const ptrdiff_t at = ((ptrdiff_t)(p / d->ow / d->oh) * d->h + y + i0 * d->dh) * d->w + z + j0 * d->dw;
        sv_int8_depthwise_some(out, x + (some ? at * d->c : 0), w + (some ? ((ptrdiff_t)i0 * d->kw + j0) * d->c : 0), bias,
                               scales, d, q, some ? rows : 0, columns, first, d->c - first);
    }
}

/* The fast kernel takes eight or sixteen channels over the whole image. Rows of it are widened in pairs, y beside
 * y + dh, channel by channel: vertical taps are then one product of pairs, of an odd number the last beside a weight of 0.
 * A pair of rows serves every row of outputs that needs it, and lies in a ring of `slots` lines. */
#define SV_INT8_CHANNELS 16

/* Pairs of rows in a window; slots of the ring; int16 of a line of one channel. */
SV_INLINE int32_t sv_int8_pairs_down(const sv_conv *d) { return (d->kh + 1) / 2; }
SV_INLINE int32_t sv_int8_slots(const sv_conv *d) { return (sv_int8_pairs_down(d) - 1) * 2 * d->dh + 1; }
SV_INLINE int32_t sv_int8_across(const sv_conv *d) { return (d->ow - 1) * d->sw + (d->kw - 1) * d->dw + 1; }

#define SV_INT8_DOWN 4     /* pairs of rows of a window, at most */
#define SV_INT8_WEIGHTS 32 /* pairs of weights, at most */
#define SV_INT8_SLOTS 16   /* of the ring, at most */

#if SV_INT8_AVX2
/* What the kernel keeps of eight channels. */
typedef struct {
    const int16_t *line[SV_INT8_DOWN]; /* of the ring, at the first tap */
    const __m256i *weights;            /* (pairs down, kw) */
    __m256i bias;
    sv_int8_scale by;
} sv_int8_eight;

/* Eight int8 of two rows, or zeros where a row is none, as pairs of int16. */
SV_INLINE __m256i sv_int8_beside(const int8_t *a, const int8_t *b, ptrdiff_t at, __m128i none, __m256i zero)
{
    const __m128i x = a ? _mm_loadl_epi64((const __m128i *)(const void *)(a + at)) : none;
    const __m128i y = b ? _mm_loadl_epi64((const __m128i *)(const void *)(b + at)) : none;
    return _mm256_sub_epi16(_mm256_cvtepi8_epi16(_mm_unpacklo_epi8(x, y)), zero);
}

/* Rows y and y + dh of eight or sixteen channels, into a line from column -pw on; what is padding stays. */
SV_INLINE void sv_int8_rows_beside(int16_t *to, const int8_t *image, const sv_conv *d, int32_t y, int32_t x_zero,
                                   const int width)
{
    const __m128i none = _mm_set1_epi8((int8_t)x_zero);
    const __m256i zero = _mm256_set1_epi16((int16_t)x_zero);
    const int32_t across = sv_int8_across(d), left = sv_min_int(d->pw, across), seen = sv_min_int(across - left, d->w);
    const ptrdiff_t row = (ptrdiff_t)d->w * d->c;
    const int8_t *const a = y < 0 || y >= d->h ? 0 : image + y * row;
    const int8_t *const b = y + d->dh < 0 || y + d->dh >= d->h ? 0 : image + (y + d->dh) * row;
    to += left * 2 * width;
    for (int32_t j = 0; j < seen; j++)
        for (int v = 0; v < width; v += 8, to += 16)
            _mm256_storeu_si256((__m256i *)(void *)to, sv_int8_beside(a, b, (ptrdiff_t)j * d->c + v, none, zero));
}

/* Sums of four output pixels of eight channels, or of one; a column that several see is read once where kw and sw are
 * known to the compiler. column: int16 of one. */
SV_INLINE void sv_int8_depthwise_sums(__m256i *sum, const sv_int8_eight *e, ptrdiff_t at, int32_t down, const int kw,
                                      const int sw, ptrdiff_t column, ptrdiff_t tap, const int known, const int pixels)
{
    SV_UNROLL
    for (int p = 0; p < pixels; p++) sum[p] = e->bias;
    for (int32_t i = 0; i < down; i++) {
        const int16_t *const x = e->line[i] + at;
        const __m256i *const w = e->weights + i * kw;
        if (known) {
            SV_UNROLL
            for (int z = 0; z < (pixels - 1) * sw + kw; z++) {
                const __m256i a = _mm256_loadu_si256((const __m256i *)(const void *)(x + z * column));
                SV_UNROLL
                for (int p = 0; p < pixels; p++)
                    if (z >= p * sw && z < p * sw + kw) sum[p] = SV_INT8_DOT(sum[p], a, w[z - p * sw]);
            }
        } else {
            for (int j = 0; j < kw; j++)
                SV_UNROLL
                for (int p = 0; p < pixels; p++) {
                    const int16_t *const from = x + p * sw * column + j * tap;
                    sum[p] = SV_INT8_DOT(sum[p], _mm256_loadu_si256((const __m256i *)(const void *)from), w[j]);
                }
        }
    }
}

/* A row of outputs of eight channels. */
SV_INLINE void sv_int8_depthwise_row(int8_t *out, const sv_int8_eight *e, const sv_conv *d, const sv_int8_ends *ends,
                                     int32_t down, const int kw, const int sw, ptrdiff_t column, ptrdiff_t tap,
                                     const int known)
{
    const ptrdiff_t c = d->c, step = sw * column;
    for (int32_t p = 0; p < d->ow; p += 4) {
        const int32_t count = sv_min_int(4, d->ow - p);
        __m256i sum[4];
        if (count == 4) {
            sv_int8_depthwise_sums(sum, e, p * step, down, kw, sw, column, tap, known, 4);
            SV_UNROLL
            for (int i = 0; i < 4; i++) sum[i] = sv_scaled_8(sum[i], &e->by);
        } else {
            for (int i = 0; i < 4; i++) {
                if (i < count) sv_int8_depthwise_sums(sum + i, e, (p + i) * step, down, kw, sw, column, tap, known, 1);
                sum[i] = i < count ? sv_scaled_8(sum[i], &e->by) : sum[0];
            }
        }
        const __m256i bytes = sv_narrowed_32(sum[0], sum[1], sum[2], sum[3], ends);
        int8_t *const to = out + p * c;
        if (count == 4) {
            const __m128i low = _mm256_castsi256_si128(bytes), high = _mm256_extracti128_si256(bytes, 1);
            _mm_storel_epi64((__m128i *)(void *)to, low);
            _mm_storeh_pd((double *)(void *)(to + c), _mm_castsi128_pd(low));
            _mm_storel_epi64((__m128i *)(void *)(to + 2 * c), high);
            _mm_storeh_pd((double *)(void *)(to + 3 * c), _mm_castsi128_pd(high));
        } else {
            int8_t kept[32];
            _mm256_storeu_si256((__m256i *)(void *)kept, bytes);
            for (int32_t i = 0; i < count; i++) memcpy(to + i * c, kept + 8 * i, 8);
        }
    }
}

/* Weights of eight channels in pairs of rows. */
SV_INLINE void sv_int8_weights_beside(__m256i *to, const int8_t *w, const sv_conv *d)
{
    for (int32_t i = 0; i < d->kh; i += 2)
        for (int32_t j = 0; j < d->kw; j++, to++) {
            const int8_t *const at = w + ((ptrdiff_t)i * d->kw + j) * d->c;
            const __m128i a = _mm_loadl_epi64((const __m128i *)(const void *)at);
            const __m128i b = i + 1 < d->kh
                                  ? _mm_loadl_epi64((const __m128i *)(const void *)(at + (ptrdiff_t)d->kw * d->c))
                                  : _mm_setzero_si128();
            _mm256_storeu_si256(to, _mm256_cvtepi8_epi16(_mm_unpacklo_epi8(a, b)));
        }
}

/* Eight or sixteen channels of the whole image; out, x, w, bias and scales at the first. */
SV_INLINE void sv_int8_depthwise_block(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                       const int32_t *scales, const sv_conv *d, const sv_int8 *q, int16_t *ring,
                                       const int width)
{
    __m256i weights[2][SV_INT8_WEIGHTS];
    sv_int8_eight eight[2];
    const sv_int8_ends ends = sv_int8_ends_of(q);
    const int32_t down = sv_int8_pairs_down(d), slots = sv_int8_slots(d), column = 2 * width;
    const ptrdiff_t line = (ptrdiff_t)sv_int8_across(d) * column, tap = (ptrdiff_t)d->dw * column;
    for (int v = 0; v < width / 8; v++) {
        sv_int8_weights_beside(weights[v], w + 8 * v, d);
        const __m256i first = bias ? _mm256_loadu_si256((const __m256i *)(const void *)(bias + 8 * v)) : _mm256_setzero_si256();
        eight[v].weights = weights[v], eight[v].bias = first;
        eight[v].by = sv_int8_scale_at(scales + 8 * v, scales + d->c + 8 * v);
    }
    memset(ring, 0, (size_t)(slots * line) * sizeof *ring);
    for (int32_t n = 0; n < d->n; n++, x += (ptrdiff_t)d->h * d->w * d->c) {
        int32_t held[SV_INT8_SLOTS]; /* the row of each slot, counted from the padding */
        for (int32_t i = 0; i < slots; i++) held[i] = -1;
        for (int32_t y = 0; y < d->oh; y++, out += (ptrdiff_t)d->ow * d->c) {
            for (int32_t i = 0; i < down; i++) {
                const int32_t row = y * d->sh + 2 * i * d->dh, slot = row % slots;
                if (held[slot] != row) sv_int8_rows_beside(ring + slot * line, x, d, row - d->ph, q->x_zero, width);
                held[slot] = row;
                for (int v = 0; v < width / 8; v++) eight[v].line[i] = ring + slot * line + 16 * v;
            }
            for (int v = 0; v < width / 8; v++) {
                int8_t *const to = out + 8 * v;
                if (down == 2 && d->kw == 3 && d->sw == 1 && d->dw == 1)
                    sv_int8_depthwise_row(to, eight + v, d, &ends, 2, 3, 1, column, tap, 1);
                else if (down == 2 && d->kw == 3 && d->sw == 2 && d->dw == 1)
                    sv_int8_depthwise_row(to, eight + v, d, &ends, 2, 3, 2, column, tap, 1);
                else
                    sv_int8_depthwise_row(to, eight + v, d, &ends, down, d->kw, d->sw, column, tap, 0);
            }
        }
    }
}
#endif

/* scales (2, c): multipliers, then shifts; bias (c) or 0. scratch: the ring, or 0 where the fast kernel is not to be taken:
 * windows above its bounds, multipliers above one, sums that leave vectors no room. */
SV_NOINLINE void sv_int8_depthwise(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                   const int32_t *scales, const sv_conv *conv, const sv_int8 *q, int8_t *scratch)
{
    const sv_conv own = *conv, *const d = &own; /* which no store of int8 can change */
    int32_t c = 0;
#if SV_INT8_AVX2
    int16_t *const ring = (int16_t *)(void *)scratch;
    for (; ring && c + 16 <= d->c; c += 16)
        sv_int8_depthwise_block(out + c, x + c, w + c, bias ? bias + c : 0, scales + c, d, q, ring, 16);
    for (; ring && c + 8 <= d->c; c += 8)
        sv_int8_depthwise_block(out + c, x + c, w + c, bias ? bias + c : 0, scales + c, d, q, ring, 8);
#else
    (void)scratch;
#endif
    sv_int8_depthwise_rest(out, x, w, bias, scales, d, q, c);
}

#endif
