/* The register tile of int8 layers: some pixels by some outputs, products in pairs.
 *
 *   sums[r, o] = bias[o] + sum_{i, k} x[i, r, 2k] * w[i, k, o, 0] + x[i, r, 2k + 1] * w[i, k, o, 1]
 *
 * x (window row i, pixel r, tap) is int16, less its zero point. w: panels of SV_INT8_PANEL outputs, in each the pairs,
 * (panels, rows of the window, pairs, SV_INT8_PANEL, 2), zeros behind the last of a row. Biases and scales go on to the
 * end of the last panel; behind the biases lie as many sums of an output's weights.
 *
 * Where the core multiplies bytes in fours (int8_bytes.h) x stays bytes, and the zero point times the weights' sum is
 * taken off the bias instead. */
#ifndef SELVEDGE_INT8_TILE_H
#define SELVEDGE_INT8_TILE_H

#include "int8_bytes.h"
#include "int8_neon.h"

#if SV_INT8_AVX2
#if !SV_INT8_BYTES
/* Keeps a sum in its register: gcc 12 lets one of eight live on the stack, which makes each step wait for memory. */
#define SV_INT8_KEEP(sum) __asm__("" : "+x"(sum))

SV_INLINE void sv_int8_tile(sv_int8_sums *acc, const sv_int8_source *s, const int8_t *w, const int32_t *bias,
                            int32_t outs, const int pixels, const int panels)
{
    (void)outs;
    __m256i sum[2 * SV_INT8_PIXELS];
    SV_UNROLL
    for (int v = 0; v < panels; v++) {
        const __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)(bias + v * SV_INT8_PANEL));
        SV_UNROLL
        for (int r = 0; r < pixels; r++) sum[r * panels + v] = first;
    }
    const ptrdiff_t panel = (ptrdiff_t)s->rows * s->pairs * 2 * SV_INT8_PANEL, pairs = s->pairs, pixel = s->pixel;
    for (int32_t i = 0, slot = s->slot; i < s->rows; i++) {
        const sv_int8_tap *x = s->x + slot * s->line;
        for (ptrdiff_t k = 0; k < pairs; k++, w += 2 * SV_INT8_PANEL, x += 2) {
            __m256i b[4];
            SV_UNROLL
            for (int v = 0; v < panels; v++)
                b[v] = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(w + v * panel)));
            SV_UNROLL
            for (int r = 0; r < pixels; r++) {
                int32_t pair;
                memcpy(&pair, x + r * pixel, sizeof pair);
                const __m256i a = _mm256_set1_epi32(pair);
                SV_UNROLL
                for (int v = 0; v < panels; v++) {
                    sum[r * panels + v] = SV_INT8_DOT(sum[r * panels + v], a, b[v]);
                    SV_INT8_KEEP(sum[r * panels + v]);
                }
            }
        }
        slot += s->step;
        if (slot >= s->slots) slot -= s->slots;
    }
    SV_UNROLL
    for (int i = 0; i < pixels * panels; i++) acc[i] = sum[i];
}
#endif

/* One or two panels of `pixels` pixels, k apart: `count` int8 each. */
SV_INLINE void sv_int8_put(int8_t *out, int32_t k, int32_t count, const sv_int8_sums *acc, const int32_t *scales,
                           int32_t outs, const sv_int8 *q, int32_t pixels, const int panels, const int linear)
{
    const sv_int8_ends ends = sv_int8_ends_of(q);
    const int apiece = 4 / panels;
    sv_int8_scale by[2];
    for (int v = 0; v < panels && !linear; v++)
        by[v] = sv_int8_scale_at(scales + v * SV_INT8_PANEL, scales + outs + v * SV_INT8_PANEL);
    for (int32_t r = 0; r < pixels; r += apiece) {
        __m256i made[4];
        SV_UNROLL
        for (int i = 0; i < 4; i++) {
            const __m256i sum = acc[sv_min_int(r + i / panels, pixels - 1) * panels + i % panels];
            made[i] = linear ? sv_rounded_8(sum, scales + i % panels * 2 * SV_INT8_PANEL) : sv_scaled_8(sum, by + i % panels);
        }
        const __m256i bytes = sv_narrowed_32(made[0], made[1], made[2], made[3], &ends);
        int8_t *const to = out + (ptrdiff_t)r * k;
        if (panels == 2 && count == 2 * SV_INT8_PANEL) {
            _mm_storeu_si128((__m128i *)(void *)to, _mm256_castsi256_si128(bytes));
            if (r + 1 < pixels) _mm_storeu_si128((__m128i *)(void *)(to + k), _mm256_extracti128_si256(bytes, 1));
        } else {
            int8_t kept[32];
            _mm256_storeu_si256((__m256i *)(void *)kept, bytes);
            for (int32_t i = 0; i < apiece && r + i < pixels; i++)
                if (panels == 1 && count == SV_INT8_PANEL)
                    memcpy(to + (ptrdiff_t)i * k, kept + i * SV_INT8_PANEL, SV_INT8_PANEL);
                else
                    memcpy(to + (ptrdiff_t)i * k, kept + i * panels * SV_INT8_PANEL, (size_t)count);
        }
    }
}
#elif !SV_INT8_NEON
typedef struct {
    int32_t of[SV_INT8_PANEL];
} sv_int8_sums;

SV_INLINE void sv_int8_tile(sv_int8_sums *acc, const sv_int8_source *s, const int8_t *w, const int32_t *bias,
                            int32_t outs, const int pixels, const int panels)
{
    (void)outs;
    const ptrdiff_t panel = (ptrdiff_t)s->rows * s->pairs * 2 * SV_INT8_PANEL;
    for (int r = 0; r < pixels; r++)
        for (int v = 0; v < panels; v++) {
            int32_t sums[SV_INT8_PANEL];
            memcpy(sums, bias + v * SV_INT8_PANEL, sizeof sums);
            const int8_t *b = w + v * panel;
            for (int32_t i = 0, slot = s->slot; i < s->rows; i++) {
                const sv_int8_tap *a = s->x + slot * s->line + r * s->pixel;
                for (int32_t k = 0; k < s->pairs; k++, a += 2, b += 2 * SV_INT8_PANEL)
                    for (int o = 0; o < SV_INT8_PANEL; o++) sums[o] += a[0] * b[2 * o] + a[1] * b[2 * o + 1];
                slot += s->step;
                if (slot >= s->slots) slot -= s->slots;
            }
            memcpy(acc[r * panels + v].of, sums, sizeof sums);
        }
}

SV_INLINE void sv_int8_put(int8_t *out, int32_t k, int32_t count, const sv_int8_sums *acc, const int32_t *scales,
                           int32_t outs, const sv_int8 *q, int32_t pixels, const int panels, const int linear)
{
    for (int32_t r = 0; r < pixels; r++)
        for (int32_t i = 0; i < count; i++) {
            const int32_t sum = acc[r * panels + i / SV_INT8_PANEL].of[i % SV_INT8_PANEL];
            out[(ptrdiff_t)r * k + i] = linear ? sv_requantised_double(sum, sv_double_at(scales, i), q)
                                               : sv_requantised(sum, scales[i], scales[outs + i], q);
        }
}
#endif

/* The same, of multipliers above one or sums that leave vectors no room. */
SV_INLINE void sv_int8_put_wide(int8_t *out, int32_t k, int32_t count, const sv_int8_sums *acc, const int32_t *scales,
                                int32_t outs, const sv_int8 *q, int32_t pixels, const int panels)
{
    for (int32_t r = 0; r < pixels; r++) {
        int32_t sums[2 * SV_INT8_PANEL];
        memcpy(sums, acc + r * panels, (size_t)(panels * SV_INT8_PANEL) * sizeof *sums);
        for (int32_t i = 0; i < count; i++)
            out[(ptrdiff_t)r * k + i] = sv_requantised(sums[i], scales[i], scales[outs + i], q);
    }
}

/* How sums become int8: rescaled by integers, the same of any size, in float64. */
enum { SV_INT8_NARROW, SV_INT8_WIDE, SV_INT8_LINEAR };

#define SV_INT8_TILE(pixels, panels) \
    SV_NOINLINE void sv_int8_tile_##pixels##_##panels(sv_int8_sums *acc, const sv_int8_source *s, const int8_t *w, \
                                                      const int32_t *bias, int32_t outs) \
    { \
        sv_int8_tile(acc, s, w, bias, outs, pixels, panels); \
    }
SV_INT8_TILE(1, 1)
SV_INT8_TILE(2, 1)
SV_INT8_TILE(3, 1)
SV_INT8_TILE(4, 1)
SV_INT8_TILE(5, 1)
SV_INT8_TILE(6, 1)
SV_INT8_TILE(1, 2)
SV_INT8_TILE(2, 2)
SV_INT8_TILE(3, 2)
SV_INT8_TILE(4, 2)
SV_INT8_TILE(5, 2)
SV_INT8_TILE(6, 2)
SV_INT8_TILE(1, 4)
#undef SV_INT8_TILE

/* One or two panels of sums, however they become int8. scales at the first output. */
SV_INLINE void sv_int8_made(int8_t *out, int32_t k, int32_t count, const sv_int8_sums *acc, const int32_t *scales,
                            int32_t outs, const sv_int8 *q, int32_t pixels, const int panels, const int how)
{
    if (how == SV_INT8_WIDE)
        sv_int8_put_wide(out, k, count, acc, scales, outs, q, pixels, panels);
    else
        sv_int8_put(out, k, count, acc, scales, outs, q, pixels, panels, how == SV_INT8_LINEAR);
}

/* The next `count` pixels of a run of `left`, in shares as even as can be. */
SV_INLINE int32_t sv_int8_share(int32_t left)
{
    const int32_t tiles = (left + SV_INT8_PIXELS - 1) / SV_INT8_PIXELS;
    return (left + tiles - 1) / tiles;
}

/* A run of `pixels` pixels, k apart, by all outputs. */
SV_INLINE void sv_int8_outputs(int8_t *out, const sv_int8_source *run, const int8_t *w, const int32_t *bias,
                               const int32_t *scales, int32_t k, const sv_int8 *q, int32_t pixels, const int how)
{
    const int32_t panels = (k + SV_INT8_PANEL - 1) / SV_INT8_PANEL, outs = panels * SV_INT8_PANEL;
    const int32_t apart = how == SV_INT8_LINEAR ? 2 : 1; /* int32 of one output's scale */
    const ptrdiff_t panel = (ptrdiff_t)run->rows * run->pairs * 2 * SV_INT8_PANEL;
    sv_int8_sums acc[2 * SV_INT8_PIXELS];
#define SV_INT8_BLOCK(width) \
    for (; at + width <= panels; at += width) { \
        const int8_t *const wp = w + at * panel; \
        const int32_t first = at * SV_INT8_PANEL, *const b = bias + first; \
        const int32_t count = sv_min_int(width * SV_INT8_PANEL, k - first); \
        int8_t *to = out + first; \
        sv_int8_source s = *run; \
        for (int32_t p = 0, tile; p < pixels; p += tile, to += (ptrdiff_t)tile * k, s.x += tile * s.pixel) { \
            tile = sv_int8_share(pixels - p); \
            if (tile == 6) sv_int8_tile_6_##width(acc, &s, wp, b, outs); \
            else if (tile == 5) sv_int8_tile_5_##width(acc, &s, wp, b, outs); \
            else if (tile == 4) sv_int8_tile_4_##width(acc, &s, wp, b, outs); \
            else if (tile == 3) sv_int8_tile_3_##width(acc, &s, wp, b, outs); \
            else if (tile == 2) sv_int8_tile_2_##width(acc, &s, wp, b, outs); \
            else sv_int8_tile_1_##width(acc, &s, wp, b, outs); \
            sv_int8_made(to, k, count, acc, scales + apart * first, outs, q, tile, width, how); \
        } \
    }
    int32_t at = 0;
    for (; pixels == 1 && at + 4 <= panels; at += 4) { /* two do not keep the multipliers busy */
        const int32_t first = at * SV_INT8_PANEL, half = 2 * SV_INT8_PANEL;
        sv_int8_tile_1_4(acc, run, w + at * panel, bias + first, outs);
        sv_int8_made(out + first, k, half, acc, scales + apart * first, outs, q, 1, 2, how);
        sv_int8_made(out + first + half, k, sv_min_int(half, k - first - half), acc + 2,
                     scales + apart * (first + half), outs, q, 1, 2, how);
    }
    SV_INT8_BLOCK(2)
    SV_INT8_BLOCK(1)
#undef SV_INT8_BLOCK
}

#endif
