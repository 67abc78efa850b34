/* Dropout: the mask is a hash of where a number lies and of how often it was drawn before; no bit of it is kept. */
#ifndef SELVEDGE_CHANCE_H
#define SELVEDGE_CHANCE_H

#include "selvedge.h"

/* 32 bits that look random (Wellons, "Prospecting for hash functions", 2018: lowbias32). */
SV_FN uint32_t sv_mixed(uint32_t h)
{
    h = (h ^ (h >> 16)) * 0x7FEB352Du;
    h = (h ^ (h >> 15)) * 0x846CA68Bu;
    return h ^ (h >> 16);
}

/* y (a, rows, c): x times `scale`, or 0 where the hash is below `drops`; with `whole` for all rows alike. y may alias x. */
SV_FN void sv_dropout(real *y, const real *x, const real *drawn, int32_t a, int32_t rows, int32_t c, int whole,
                      uint32_t drops, real scale, uint32_t salt)
{
    const uint32_t key = sv_mixed((uint32_t)*drawn * 0x9E3779B9u + salt);
    for (int32_t i = 0; i < a; i++) {
        for (int32_t j = 0; j < rows; j++, x += c, y += c) {
            const uint32_t first = (uint32_t)(whole ? i : i * rows + j) * (uint32_t)c;
            for (int32_t k = 0; k < c; k++) {
                const uint32_t h = sv_mixed((first + (uint32_t)k) * 0x85EBCA6Bu + key);
                y[k] = h >= drops ? x[k] * scale : (real)0;
            }
        }
    }
}

#endif
