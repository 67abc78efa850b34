/* int8 convolution and linear layer: int8 by int8 into int32, plus a bias, rescaled to int8. NHWC by HWIO.
 *
 *   out[n, y, x, k] = requantised(bias[k] + sum_{i, j, c} (x[n, y*sh - ph + i*dh, x*sw - pw + j*dw, c] - x_zero) * w[i, j, c, k])
 *
 * What lies outside the image is the zero point, so that it adds nothing. A plan proves that no sum overflows. */
#ifndef SELVEDGE_INT8_CONV_H
#define SELVEDGE_INT8_CONV_H

#include "int8_taps.h"

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

/* As the plain ones, of packed weights (int8_tile.h), one group. scratch: sv_int8_scratch bytes. */
SV_INLINE void sv_int8_packed(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias, const int32_t *scales,
                              const sv_conv *conv, const sv_int8 *q, int8_t *scratch, const int how)
{
    const sv_conv own = *conv, *const d = &own; /* which no store of int8 can change */
    const int32_t zero = q->x_zero, pairs = sv_int8_pairs(d), k = d->k;
    const int8_t *const end = x + (ptrdiff_t)d->n * d->h * d->w * d->c;
    sv_int8_tap *const taps = (sv_int8_tap *)(void *)scratch;
    memset(scratch, 0, (size_t)sv_int8_scratch(d)); /* tails, which a weight of 0 is multiplied by */
    if (!sv_int8_by_rows(d)) {
        const int32_t pixels = d->n * d->oh * d->ow, row = 2 * pairs * d->kh, most = sv_int8_run_of(d);
        const int whole = sv_int8_whole(d);
        const sv_int8_source s = {taps, 0, whole ? d->c : sv_int8_line(row), 1, row / 2, 0, 1, 0, zero};
        sv_int8_pixel at = {0, 0, 0};
        for (int32_t p = 0, count; p < pixels; p += count) {
            count = sv_min_int(most, pixels - p);
            if (whole)
                sv_widened(taps, x + (ptrdiff_t)p * d->c, count * d->c, zero, end);
            else
                for (int32_t r = 0; r < count; r++) sv_int8_window(taps + r * s.pixel, x, d, &at, zero, end);
            sv_int8_outputs(out + (ptrdiff_t)p * k, &s, w, bias, scales, k, q, count, how);
        }
        return;
    }
    const ptrdiff_t line = sv_int8_line(sv_int8_columns(d) * d->c), pixel = (ptrdiff_t)d->sw * d->c;
    const int32_t slots = (d->kh - 1) * d->dh + 1;
    for (int32_t n = 0; n < d->n; n++, x += (ptrdiff_t)d->h * d->w * d->c) {
        int32_t next = 0; /* row of the image, counted from the padding, that is not in the ring yet */
        for (int32_t y = 0; y < d->oh; y++) {
            const int32_t first = y * d->sh;
            for (next = sv_max_int(next, first); next < first + slots; next++)
                sv_int8_row(taps + next % slots * line, x, d, next - d->ph, zero, end);
            const sv_int8_source s = {taps, line, pixel, d->kh, pairs, first % slots, slots, d->dh, zero};
            sv_int8_outputs(out, &s, w, bias, scales, k, q, d->ow, how);
            out += (ptrdiff_t)d->ow * k;
        }
    }
}

SV_NOINLINE void sv_int8_conv2d(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                const int32_t *scales, const sv_conv *d, const sv_int8 *q, int8_t *scratch)
{
    sv_int8_packed(out, x, w, bias, scales, d, q, scratch, SV_INT8_NARROW);
}

SV_NOINLINE void sv_int8_conv2d_wide(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                     const int32_t *scales, const sv_conv *d, const sv_int8 *q, int8_t *scratch)
{
    sv_int8_packed(out, x, w, bias, scales, d, q, scratch, SV_INT8_WIDE);
}

SV_NOINLINE void sv_int8_linear(int8_t *out, const int8_t *x, const int8_t *w, const int32_t *bias,
                                const int32_t *scales, const sv_conv *d, const sv_int8 *q, int8_t *scratch)
{
    sv_int8_packed(out, x, w, bias, scales, d, q, scratch, SV_INT8_LINEAR);
}

#endif
