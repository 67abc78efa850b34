/* The register tile (int8_tile.h) and the way back to int8 in vectors of 64-bit Arm: with sdot, of bytes in fours,
 *
 *   sums[r, o] = bias[o] - zero * sums of w[o] + sum_t x[r, t] * w[t, o],    wrapping around at 2^32,
 *
 * else by multiplying int16. */
#ifndef SELVEDGE_INT8_NEON_H
#define SELVEDGE_INT8_NEON_H

#include "int8_source.h"

#if SV_INT8_NEON
#include <arm_neon.h>

typedef struct {
    int32x4_t low, high; /* outputs 0..3 and 4..7 */
} sv_int8_sums;

/* One step of eight outputs: pairs 2k and, where `both`, 2k + 1. x at the pixel's first. */
SV_INLINE void sv_int8_step(sv_int8_sums *sum, const sv_int8_tap *x, const int8_t *w, const int both)
{
#if SV_INT8_BYTES
    int32_t four;
    memcpy(&four, x, sizeof four);
    const int8x16_t taps = vreinterpretq_s8_s32(vdupq_n_s32(four));
    const int16x8_t a = vreinterpretq_s16_s8(vld1q_s8(w));
    const int16x8_t b = both ? vreinterpretq_s16_s8(vld1q_s8(w + 2 * SV_INT8_PANEL)) : vdupq_n_s16(0);
    sum->low = vdotq_s32(sum->low, vreinterpretq_s8_s16(vzip1q_s16(a, b)), taps);
    sum->high = vdotq_s32(sum->high, vreinterpretq_s8_s16(vzip2q_s16(a, b)), taps);
#else
    for (int t = 0; t < (both ? 2 : 1); t++, x += 2, w += 2 * SV_INT8_PANEL) {
        const int8x8x2_t pair = vld2_s8(w);
        for (int i = 0; i < 2; i++) {
            const int16x8_t wide = vmovl_s8(pair.val[i]);
            sum->low = vmlal_n_s16(sum->low, vget_low_s16(wide), x[i]);
            sum->high = vmlal_n_s16(sum->high, vget_high_s16(wide), x[i]);
        }
    }
#endif
}

SV_INLINE void sv_int8_tile(sv_int8_sums *acc, const sv_int8_source *s, const int8_t *w, const int32_t *bias,
                            int32_t outs, const int pixels, const int panels)
{
    sv_int8_sums sum[2 * SV_INT8_PIXELS];
    for (int v = 0; v < panels; v++) {
        const int32_t *const at = bias + v * SV_INT8_PANEL;
        sv_int8_sums first = {vld1q_s32(at), vld1q_s32(at + 4)};
#if SV_INT8_BYTES
        first.low = vmlsq_n_s32(first.low, vld1q_s32(at + outs), s->zero);
        first.high = vmlsq_n_s32(first.high, vld1q_s32(at + outs + 4), s->zero);
#endif
        for (int r = 0; r < pixels; r++) sum[r * panels + v] = first;
    }
    (void)outs;
    const ptrdiff_t panel = (ptrdiff_t)s->rows * s->pairs * 2 * SV_INT8_PANEL;
    for (int32_t i = 0, slot = s->slot; i < s->rows; i++) {
        const sv_int8_tap *x = s->x + slot * s->line;
        int32_t k = 0;
        for (; k + 2 <= s->pairs; k += 2, x += 4, w += 4 * SV_INT8_PANEL)
            for (int v = 0; v < panels; v++)
                for (int r = 0; r < pixels; r++) sv_int8_step(sum + r * panels + v, x + r * s->pixel, w + v * panel, 1);
        for (; k < s->pairs; k++, w += 2 * SV_INT8_PANEL)
            for (int v = 0; v < panels; v++)
                for (int r = 0; r < pixels; r++) sv_int8_step(sum + r * panels + v, x + r * s->pixel, w + v * panel, 0);
        slot += s->step;
        if (slot >= s->slots) slot -= s->slots;
    }
    for (int i = 0; i < pixels * panels; i++) acc[i] = sum[i];
}

/* sv_scaled of four with shifts <= 0: sqrdmulh rounds as sv_doubling_high, srshl halves up; a negative number less one
 * rounds halves down. */
SV_INLINE int32x4_t sv_scaled_4(int32x4_t x, const int32_t *multiplier, const int32_t *shift)
{
    const int32x4_t by = vld1q_s32(shift), high = vqrdmulhq_s32(x, vld1q_s32(multiplier));
    return vrshlq_s32(vqaddq_s32(high, vshrq_n_s32(vandq_s32(high, by), 31)), by);
}

/* One or two panels of `pixels` pixels, k apart: `count` int8 each. */
SV_INLINE void sv_int8_put(int8_t *out, int32_t k, int32_t count, const sv_int8_sums *acc, const int32_t *scales,
                           int32_t outs, const sv_int8 *q, int32_t pixels, const int panels, const int linear)
{
    const int16x8_t zero = vdupq_n_s16((int16_t)q->y_zero);
    const int8x8_t low = vdup_n_s8((int8_t)q->low), high = vdup_n_s8((int8_t)q->high);
    for (int32_t r = 0; r < pixels; r++, out += k)
        for (int v = 0; v < panels; v++) {
            const sv_int8_sums sum = acc[r * panels + v];
            const int32_t first = v * SV_INT8_PANEL, some = sv_min_int(SV_INT8_PANEL, count - first);
            int8_t bytes[SV_INT8_PANEL];
            if (linear) {
                int32_t of[SV_INT8_PANEL];
                vst1q_s32(of, sum.low), vst1q_s32(of + 4, sum.high);
                for (int32_t i = 0; i < some; i++)
                    out[first + i] = sv_requantised_double(of[i], sv_double_at(scales, first + i), q);
                continue;
            }
            const int32x4_t a = sv_scaled_4(sum.low, scales + first, scales + outs + first);
            const int32x4_t b = sv_scaled_4(sum.high, scales + first + 4, scales + outs + first + 4);
            const int16x8_t wide = vqaddq_s16(vcombine_s16(vqmovn_s32(a), vqmovn_s32(b)), zero);
            vst1_s8(bytes, vmin_s8(vmax_s8(vqmovn_s16(wide), low), high));
            memcpy(out + first, bytes, (size_t)some);
        }
}
#endif

#endif
