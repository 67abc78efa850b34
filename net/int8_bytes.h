/* The register tile (int8_tile.h) where AVX-512 or AVX has VNNI: four bytes of x by four of w are one step.
 *
 *   sums[r, o] = bias[o] - (zero + 128) * sums of w[o] + sum_t (x[r, t] + 128) * w[t, o]
 *
 * Numbers wrap around at 2^32 on the way: what is left in the end is proven to fit. */
#ifndef SELVEDGE_INT8_BYTES_H
#define SELVEDGE_INT8_BYTES_H

#include "int8_source.h"

#if SV_INT8_AVX2 && SV_INT8_BYTES
#if !defined(SV_INT8_DPBUSD) && defined(__AVX512VNNI__)
#define SV_INT8_DPBUSD(sum, a, b) _mm256_dpbusd_epi32(sum, a, b)
#elif !defined(SV_INT8_DPBUSD)
#define SV_INT8_DPBUSD(sum, a, b) _mm256_dpbusd_avx_epi32(sum, a, b)
#endif

/* Two neighbouring pairs of eight outputs, or one and zeros, as eight fours. */
SV_INLINE __m256i sv_int8_fours(const int8_t *w, const int both)
{
    const __m128i a = _mm_loadu_si128((const __m128i *)(const void *)w);
    const __m128i b =
        both ? _mm_loadu_si128((const __m128i *)(const void *)(w + 2 * SV_INT8_PANEL)) : _mm_setzero_si128();
    return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_unpacklo_epi16(a, b)), _mm_unpackhi_epi16(a, b), 1);
}

SV_INLINE void sv_int8_tile(sv_int8_sums *acc, const sv_int8_source *s, const int8_t *w, const int32_t *bias,
                            int32_t outs, const int pixels, const int panels)
{
    __m256i sum[2 * SV_INT8_PIXELS];
    const __m256i zero = _mm256_set1_epi32(s->zero + SV_INT8_TURNED);
    SV_UNROLL
    for (int v = 0; v < panels; v++) {
        const int32_t *const at = bias + v * SV_INT8_PANEL;
        const __m256i all = _mm256_loadu_si256((const __m256i *)(const void *)(at + outs));
        const __m256i first = _mm256_loadu_si256((const __m256i *)(const void *)at);
        SV_UNROLL
        for (int r = 0; r < pixels; r++) sum[r * panels + v] = _mm256_sub_epi32(first, _mm256_mullo_epi32(zero, all));
    }
    const ptrdiff_t panel = (ptrdiff_t)s->rows * s->pairs * 2 * SV_INT8_PANEL;
    for (int32_t i = 0, slot = s->slot; i < s->rows; i++) {
        const sv_int8_tap *x = s->x + slot * s->line;
#define SV_INT8_STEP(both) \
    do { \
        __m256i b_[4]; \
        SV_UNROLL \
        for (int v = 0; v < panels; v++) b_[v] = sv_int8_fours(w + v * panel, both); \
        SV_UNROLL \
        for (int r = 0; r < pixels; r++) { \
            int32_t four_; \
            memcpy(&four_, x + r * s->pixel, sizeof four_); \
            SV_UNROLL \
            for (int v = 0; v < panels; v++) \
                sum[r * panels + v] = SV_INT8_DPBUSD(sum[r * panels + v], _mm256_set1_epi32(four_), b_[v]); \
        } \
    } while (0)
        int32_t k = 0;
        for (; k + 2 <= s->pairs; k += 2, x += 4, w += 4 * SV_INT8_PANEL) SV_INT8_STEP(1);
        for (; k < s->pairs; k++, w += 2 * SV_INT8_PANEL) SV_INT8_STEP(0);
#undef SV_INT8_STEP
        slot += s->step;
        if (slot >= s->slots) slot -= s->slots;
    }
    SV_UNROLL
    for (int i = 0; i < pixels * panels; i++) acc[i] = sum[i];
}
#endif

#endif
