/* Saved activations made small: a bit for where a gradient passed, 8 bits and a scale a channel. */
#ifndef SELVEDGE_SAVED_H
#define SELVEDGE_SAVED_H

#include "elementwise.h"

/* mask (ceil(n / 8)): bit i % 8 of byte i / 8 says whether the gradient of x (n) passes element i. */
#define SV_PACK_MASK(name, arguments, slope)                                        \
    SV_FN void sv_pack_mask_##name arguments                                        \
    {                                                                               \
        int32_t i = 0;                                                              \
        for (; i + 8 <= n; i += 8) {                                                \
            uint32_t bits = 0;                                                      \
            for (int32_t j = 0; j < 8; j++) {                                       \
                const real v = x[i + j];                                            \
                bits |= (uint32_t)((slope) != 0) << j;                              \
            }                                                                       \
            mask[i / 8] = (uint8_t)bits;                                            \
        }                                                                           \
        if (i == n) return;                                                         \
        uint32_t bits = 0;                                                          \
        for (int32_t j = 0; i + j < n; j++) {                                       \
            const real v = x[i + j];                                                \
            bits |= (uint32_t)((slope) != 0) << j;                                  \
        }                                                                           \
        mask[i / 8] = (uint8_t)bits;                                                \
    }
SV_PACK_MASK(relu, (uint8_t *mask, const real *x, int32_t n), sv_relu_grad(1, v))
SV_PACK_MASK(hardtanh, (uint8_t *mask, const real *x, int32_t n, real low, real high), sv_hardtanh_grad(1, v, low, high))
SV_PACK_MASK(clamp, (uint8_t *mask, const real *x, int32_t n, real low, real high), sv_clamp_grad(1, v, low, high))

/* x (rows, c) -> codes (rows, c) and scales (c), x about codes * scales: a scale is its channel's largest magnitude /
 * 127, so that an element is off by at most half of that. Codes are 0 where the scale is no use: all zeros, or not
 * finite. */
SV_FN void sv_quantize_channels(int8_t *codes, real *scales, const real *x, int32_t rows, int32_t c)
{
    for (int32_t k = 0; k < c; k++) scales[k] = 0;
    for (int32_t r = 0; r < rows; r++) {
        const real *const line = x + (ptrdiff_t)r * c;
        SV_IVDEP
        for (int32_t k = 0; k < c; k++) {
            const real size = sv_fabs(line[k]);
            scales[k] = scales[k] != scales[k] || size <= scales[k] ? scales[k] : size;
        }
    }
    for (int32_t k = 0; k < c; k++) scales[k] /= 127;
    for (int32_t r = 0; r < rows; r++) {
        const ptrdiff_t at = (ptrdiff_t)r * c;
        SV_IVDEP
        for (int32_t k = 0; k < c; k++) {
            const real scale = scales[k];
            const real share = scale > 0 && scale - scale == 0 ? x[at + k] / scale : (real)0;
            codes[at + k] = (int8_t)(int32_t)sv_clamp(share + (share < 0 ? (real)-0.5 : (real)0.5), -127, 127);
        }
    }
}

#endif
