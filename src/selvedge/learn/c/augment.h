/* Augmentation on the device: shift, crop, gain, noise and mix of one sample at a time.
 *
 * The same numbers as selvedge.learn.augment for a batch of one, to the last bit, where float is IEEE's and nothing is
 * fused (-ffp-contract=off). No heap, no globals, no libm. A sample is [outer, length, inner]: an axis of it has the
 * length, what lies before it is outer, what lies behind it inner. x and out do not overlap, but where x is changed in
 * place. */
#ifndef SELVEDGE_AUGMENT_H
#define SELVEDGE_AUGMENT_H

#include <stdint.h>

#include "draws.h"

enum { SV_AUGMENT_EDGE = 0, SV_AUGMENT_AROUND = 1 };

/* Later or earlier by at most `by`. */
static inline void sv_augment_shift(sv_draws *d, const float *x, float *out, int32_t outer, int32_t length,
                                    int32_t inner, int32_t by, int32_t fill)
{
    const int32_t later = (int32_t)sv_draws_below(d, 2 * (uint32_t)by + 1) - by;
    for (int32_t o = 0; o < outer; o++)
        for (int32_t i = 0; i < length; i++) {
            int32_t from = i - later;
            if (fill == SV_AUGMENT_AROUND) from = (from % length + length) % length;
            else from = from < 0 ? 0 : from >= length ? length - 1 : from;
            for (int32_t k = 0; k < inner; k++) out[(o * length + i) * inner + k] = x[(o * length + from) * inner + k];
        }
}

/* A window of `shortest` to `length` steps, drawn out to all of it; 2 <= shortest <= length: max(2, (int)(least *
 * length)). */
static inline void sv_augment_crop(sv_draws *d, const float *x, float *out, int32_t outer, int32_t length,
                                   int32_t inner, int32_t shortest)
{
    const int32_t window = shortest + (int32_t)sv_draws_below(d, (uint32_t)(length - shortest + 1));
    const int64_t begin = ((int64_t)(sv_draws_word(d) >> 40) * (length - window + 1)) >> 24, parts = length - 1;
    for (int32_t o = 0; o < outer; o++)
        for (int32_t i = 0; i < length; i++) {
            const int64_t place = begin * parts + (int64_t)i * (window - 1);
            const int64_t left = place / parts < length - 2 ? place / parts : length - 2;
            const float share = (float)(place - left * parts) / (float)parts;
            const float *const from = x + (o * length + (int32_t)left) * inner;
            for (int32_t k = 0; k < inner; k++)
                out[(o * length + i) * inner + k] = from[k] * (1.0f - share) + from[k + inner] * share;
        }
}

/* Times low to high, in place: one factor for each of `channels` parts of `size` numbers. */
static inline void sv_augment_gain(sv_draws *d, float *x, int32_t channels, int32_t size, float low, float high)
{
    for (int32_t c = 0; c < channels; c++) {
        const float factor = low + (high - low) * sv_draws_uniform(d);
        for (int32_t i = 0; i < size; i++) x[c * size + i] = x[c * size + i] * factor;
    }
}

/* Plus deviation times a nearly normal number, in place. */
static inline void sv_augment_noise(sv_draws *d, float *x, int32_t size, float deviation)
{
    for (int32_t i = 0; i < size; i++) {
        const uint64_t word = sv_draws_word(d);
        const int32_t sum = (int32_t)((word & 0xFFFFu) + ((word >> 16) & 0xFFFFu) + ((word >> 32) & 0xFFFFu) + (word >> 48));
        x[i] = x[i] + deviation * ((float)(sum - 131070) * 2.6428997443872504e-05f);
    }
}

/* With up to `most` of one of `others` [count, size], in place. */
static inline void sv_augment_mix(sv_draws *d, float *x, const float *others, int32_t count, int32_t size, float most)
{
    const float *const other = others + (int64_t)sv_draws_below(d, (uint32_t)count) * size;
    const float weight = most * sv_draws_uniform(d);
    for (int32_t i = 0; i < size; i++) x[i] = (1.0f - weight) * x[i] + weight * other[i];
}

#endif
