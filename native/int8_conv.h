/* int8 convolution and linear layer: int8 by int8 into int32, plus a bias, rescaled to int8. NHWC by HWIO.
 *
 *   out[n, y, x, k] = requantised(bias[k] + sum_{i, j, c} (x[n, y*sh - ph + i*dh, x*sw - pw + j*dw, c] - x_zero) * w[i, j, c, k])
 *
 * What lies outside the image is the zero point, so that it adds nothing. A plan proves that no sum overflows. */
#ifndef SELVEDGE_INT8_CONV_H
#define SELVEDGE_INT8_CONV_H

#include "gather.h"
#include "int8.h"

/* scales (2, k): multipliers, then shifts; bias (k) or 0. */
SV_NOINLINE void sv_int8_conv2d_plain(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                const int32_t *scales, const sv_conv *d, const sv_int8 *q)
{
    const int32_t cg = d->c / d->groups, kg = d->k / d->groups;
    for (int32_t p = 0; p < d->n * d->oh * d->ow; p++) {
        const int32_t ox = p % d->ow, oy = p / d->ow % d->oh, n = p / d->ow / d->oh;
        for (int32_t k = 0; k < d->k; k++) {
            int32_t sum = 0;
            for (int32_t i = 0; i < d->kh; i++) {
                for (int32_t j = 0; j < d->kw; j++) {
                    const int32_t y = oy * d->sh - d->ph + i * d->dh, z = ox * d->sw - d->pw + j * d->dw;
                    if (y < 0 || y >= d->h || z < 0 || z >= d->w) continue;
                    const int8_t *xp = x + (((ptrdiff_t)n * d->h + y) * d->w + z) * d->c + k / kg * cg;
                    const int8_t *wp = w + ((ptrdiff_t)i * d->kw + j) * cg * d->k + k;
                    for (int32_t c = 0; c < cg; c++) sum += (xp[c] - q->x_zero) * wp[(ptrdiff_t)c * d->k];
                }
            }
            sum += bias ? bias[k] : 0;
            out[(ptrdiff_t)p * d->k + k] = sv_requantised(sum, scales[k], scales[d->k + k], q);
        }
    }
}

/* out (rows, k) of x (rows, c) by w (k, c). scales: k float64 (sv_double_at). */
SV_NOINLINE void sv_int8_linear_plain(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                const int32_t *scales, int32_t rows, int32_t c, int32_t k, const sv_int8 *q)
{
    for (int32_t r = 0; r < rows; r++) {
        for (int32_t o = 0; o < k; o++) {
            int32_t sum = 0;
            for (int32_t i = 0; i < c; i++)
                sum += (x[(ptrdiff_t)r * c + i] - q->x_zero) * (w[(ptrdiff_t)o * c + i] - q->w_zero);
            sum += bias ? bias[o] : 0;
            out[(ptrdiff_t)r * k + o] = sv_requantised_double(sum, sv_double_at(scales, o), q);
        }
    }
}

/* Packed weights, by which the fast kernels go: panels of SV_INT8_PANEL outputs, in each the products in pairs,
 * (panels, pairs, SV_INT8_PANEL, 2) with zeros behind the last; a product is a tap's channel, in the order of HWIO.
 * Biases and scales go on to the end of the last panel. Pixels are taken SV_INT8_PIXELS at a time: their taps lie in
 * the scratch as int16, each of `line` numbers. */
#define SV_INT8_PANEL 8
#define SV_INT8_PIXELS 4

/* Of one pixel: its products, and what a whole vector may write behind them. */
SV_INLINE int32_t sv_int8_line(int32_t products) { return (products + 30) / 16 * 16; }

#if SV_INT8_AVX2
typedef __m256i sv_int8_sums;
#if defined(__AVX512VNNI__) && defined(__AVX512VL__)
#define SV_INT8_DOT(sum, a, b) _mm256_dpwssd_epi32(sum, a, b)
#elif defined(__AVXVNNI__)
#define SV_INT8_DOT(sum, a, b) _mm256_dpwssd_avx_epi32(sum, a, b)
#else
#define SV_INT8_DOT(sum, a, b) _mm256_add_epi32(sum, _mm256_madd_epi16(a, b))
#endif

/* Keeps a sum in its register: gcc 12 lets one of eight live on the stack, which makes each step wait for memory. */
#define SV_INT8_KEEP(sum) __asm__("" : "+x"(sum))

SV_INLINE void sv_int8_tile(sv_int8_sums *acc, const int16_t *x, ptrdiff_t line, const int8_t *w, const int32_t *bias,
                            int32_t pairs, const int rows, const int panels)
{
    __m256i sum[8];
    SV_UNROLL
    for (int i = 0; i < rows * panels; i++)
        sum[i] = _mm256_loadu_si256((const __m256i *)(const void *)(bias + i % panels * SV_INT8_PANEL));
    const ptrdiff_t panel = (ptrdiff_t)pairs * 2 * SV_INT8_PANEL;
    for (int32_t k = 0; k < pairs; k++, w += 2 * SV_INT8_PANEL, x += 2) {
        __m256i b[4];
        SV_UNROLL
        for (int v = 0; v < panels; v++)
            b[v] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(w + v * panel)));
        SV_UNROLL
        for (int r = 0; r < rows; r++) {
            int32_t pair;
            memcpy(&pair, x + r * line, sizeof pair);
            const __m256i a = _mm256_set1_epi32(pair);
            SV_UNROLL
            for (int v = 0; v < panels; v++) {
                sum[r * panels + v] = SV_INT8_DOT(sum[r * panels + v], a, b[v]);
                SV_INT8_KEEP(sum[r * panels + v]);
            }
        }
    }
    SV_UNROLL
    for (int i = 0; i < rows * panels; i++) acc[i] = sum[i];
}

/* One panel of `rows` pixels, k apart: `count` int8 each. sums: those of a pixel `step` behind those of the last. */
SV_INLINE void sv_int8_put(int8_t *out, int32_t k, int32_t count, const sv_int8_sums *sums, const int step,
                           const int32_t *scales, int32_t outs, const int linear, const int left, const sv_int8 *q,
                           const int rows)
{
    const sv_int8_ends ends = sv_int8_ends_of(q);
    const sv_int8_scale by = linear ? sv_int8_scale_of(ends.zero, ends.zero) : sv_int8_scale_at(scales, scales + outs);
    SV_UNROLL
    for (int r = 0; r < rows; r++, out += k) {
        __m128i made;
        if (linear) {
            const __m128i low = sv_rounded_4(_mm256_castsi256_si128(sums[r * step]), scales, q);
            const __m128i high = sv_rounded_4(_mm256_extracti128_si256(sums[r * step], 1), scales + 8, q);
            const __m128i half = _mm_packs_epi32(low, high);
            made = _mm_packs_epi16(half, half);
        } else if (left) {
            int32_t of[SV_INT8_PANEL];
            memcpy(of, sums + r * step, sizeof of);
            for (int32_t i = 0; i < count; i++) out[i] = sv_requantised(of[i], scales[i], scales[outs + i], q);
            continue;
        } else {
            made = sv_narrowed_8(sv_scaled_8(sums[r * step], &by), &ends);
        }
        if (count == SV_INT8_PANEL)
            _mm_storel_epi64((__m128i *)(void *)out, made);
        else {
            int8_t bytes[16];
            _mm_storeu_si128((__m128i *)(void *)bytes, made);
            memcpy(out, bytes, (size_t)count);
        }
    }
}
#else
typedef struct {
    int32_t of[SV_INT8_PANEL];
} sv_int8_sums;

SV_INLINE void sv_int8_tile(sv_int8_sums *acc, const int16_t *x, ptrdiff_t line, const int8_t *w, const int32_t *bias,
                            int32_t pairs, const int rows, const int panels)
{
    const ptrdiff_t panel = (ptrdiff_t)pairs * 2 * SV_INT8_PANEL;
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < panels; v++) {
            int32_t sums[SV_INT8_PANEL];
            memcpy(sums, bias + v * SV_INT8_PANEL, sizeof sums);
            for (int32_t k = 0; k < pairs; k++) {
                const int16_t *a = x + r * line + 2 * (ptrdiff_t)k;
                const int8_t *b = w + v * panel + (ptrdiff_t)k * 2 * SV_INT8_PANEL;
                for (int i = 0; i < SV_INT8_PANEL; i++) sums[i] += a[0] * b[2 * i] + a[1] * b[2 * i + 1];
            }
            memcpy(acc[r * panels + v].of, sums, sizeof sums);
        }
}

SV_INLINE void sv_int8_put(int8_t *out, int32_t k, int32_t count, const sv_int8_sums *sums, const int step,
                           const int32_t *scales, int32_t outs, const int linear, const int left, const sv_int8 *q,
                           const int rows)
{
    (void)left;
    for (int r = 0; r < rows; r++, out += k)
        for (int32_t i = 0; i < count; i++)
            out[i] = linear ? sv_requantised_double(sums[r * step].of[i], sv_double_at(scales, i), q)
                            : sv_requantised(sums[r * step].of[i], scales[i], scales[outs + i], q);
}
#endif

/* `rows` pixels by all outputs. */
SV_INLINE void sv_int8_rows(int8_t *out, const int16_t *x, ptrdiff_t line, const int8_t *w, const int32_t *bias,
                            const int32_t *scales, int32_t k, int32_t pairs, const int linear, const int left,
                            const sv_int8 *q, const int rows, const int most)
{
    const int32_t panels = (k + SV_INT8_PANEL - 1) / SV_INT8_PANEL, outs = panels * SV_INT8_PANEL;
    const ptrdiff_t panel = (ptrdiff_t)pairs * 2 * SV_INT8_PANEL;
    sv_int8_sums acc[8];
#define SV_INT8_BLOCK(width) \
    for (; at + width <= panels; at += width) { \
        sv_int8_tile(acc, x, line, w + at * panel, bias + at * SV_INT8_PANEL, pairs, rows, width); \
        for (int v = 0; v < width; v++) { \
            const int32_t first = (at + v) * SV_INT8_PANEL; \
            sv_int8_put(out + first, k, sv_min_int(SV_INT8_PANEL, k - first), acc + v, width, \
                        scales + (linear ? 2 : 1) * first, outs, linear, left, q, rows); \
        } \
    }
    int32_t at = 0;
    if (most == 4) { SV_INT8_BLOCK(4) }
    SV_INT8_BLOCK(2)
    SV_INT8_BLOCK(1)
#undef SV_INT8_BLOCK
}

/* An output pixel. */
typedef struct {
    int32_t n, y, x;
} sv_int8_pixel;

/* The taps of an output pixel, as int16 less the zero point, and on to the next; products of them. */
SV_INLINE void sv_int8_taps(int16_t *to, const int8_t *x, const sv_conv *d, sv_int8_pixel *p, int32_t products,
                            int32_t zero, const int8_t *end)
{
    const int32_t run = d->kw * d->c, left = p->x * d->sw - d->pw;
    int32_t at = 0;
    for (int32_t i = 0; i < d->kh; i++) {
        const int32_t y = p->y * d->sh - d->ph + i * d->dh;
        if (y < 0 || y >= d->h) {
            memset(to + at, 0, (size_t)run * sizeof *to);
            at += run;
            continue;
        }
        const int8_t *line = x + ((ptrdiff_t)p->n * d->h + y) * d->w * d->c;
        if (d->dw == 1 && left >= 0 && left + d->kw <= d->w) {
            sv_widened(to + at, line + (ptrdiff_t)left * d->c, run, zero, end);
            at += run;
            continue;
        }
        for (int32_t j = 0; j < d->kw; j++, at += d->c) {
            const int32_t z = left + j * d->dw;
            if (z < 0 || z >= d->w)
                memset(to + at, 0, (size_t)d->c * sizeof *to);
            else
                sv_widened(to + at, line + (ptrdiff_t)z * d->c, d->c, zero, end);
        }
    }
    if (products % 2) to[products] = 0; /* a vector may have written behind the last */
    if (++p->x < d->ow) return;
    p->x = 0;
    if (++p->y < d->oh) return;
    p->y = 0, p->n++;
}

/* As the plain ones, of packed weights, one group. linear: rows that are rescaled in float64. left: whether a
 * multiplier is above one. scratch: SV_INT8_PIXELS lines, or as many as there are pixels. */
SV_INLINE void sv_int8_packed(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias, const int32_t *scales,
                              const sv_conv *d, const sv_int8 *q, int8_t *scratch, const int linear, const int left)
{
    const int32_t products = d->kh * d->kw * d->c, pairs = (products + 1) / 2, pixels = d->n * d->oh * d->ow;
    const ptrdiff_t line = sv_int8_line(products);
    int16_t *const taps = (int16_t *)(void *)scratch;
    const sv_conv own = *d; /* which no store of int8 can change */
    const int8_t *const end = x + (ptrdiff_t)d->n * d->h * d->w * d->c;
    sv_int8_pixel at = {0, 0, 0};
    memset(scratch, 0, (size_t)(2 * line * sv_min_int(SV_INT8_PIXELS, pixels))); /* what no product is multiplied by */
    int32_t p = 0;
    for (; p + SV_INT8_PIXELS <= pixels; p += SV_INT8_PIXELS) {
        for (int32_t r = 0; r < SV_INT8_PIXELS; r++) sv_int8_taps(taps + r * line, x, &own, &at, products, q->x_zero, end);
        sv_int8_rows(out + (ptrdiff_t)p * d->k, taps, line, w, bias, scales, d->k, pairs, linear, left, q,
                     SV_INT8_PIXELS, 2);
    }
    for (; p < pixels; p++) {
        sv_int8_taps(taps, x, &own, &at, products, q->x_zero, end);
        sv_int8_rows(out + (ptrdiff_t)p * d->k, taps, line, w, bias, scales, d->k, pairs, linear, left, q, 1, 4);
    }
}

SV_NOINLINE void sv_int8_conv2d(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                const int32_t *scales, const sv_conv *d, const sv_int8 *q, int8_t *scratch)
{
    sv_int8_packed(out, x, w, bias, scales, d, q, scratch, 0, 0);
}

SV_NOINLINE void sv_int8_conv2d_left(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                     const int32_t *scales, const sv_conv *d, const sv_int8 *q, int8_t *scratch)
{
    sv_int8_packed(out, x, w, bias, scales, d, q, scratch, 0, 1);
}

SV_NOINLINE void sv_int8_linear(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                const int32_t *scales, const sv_conv *d, const sv_int8 *q, int8_t *scratch)
{
    sv_int8_packed(out, x, w, bias, scales, d, q, scratch, 1, 0);
}

#endif
