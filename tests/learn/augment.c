/* The augmentation behind names a shared library exports: one sample, changed in place or into another. */
#include "augment.h"

int t_words(int32_t seed, int32_t count, int32_t n, uint64_t *out)
{
    sv_draws d = {(uint64_t)seed, (uint64_t)count};
    for (int32_t i = 0; i < n; i++) out[i] = sv_draws_word(&d);
    return (int)d.count;
}

int t_shift(int32_t seed, const float *x, float *out, int32_t outer, int32_t length, int32_t inner, int32_t by,
            int32_t fill)
{
    sv_draws d = {(uint64_t)seed, 0};
    sv_augment_shift(&d, x, out, outer, length, inner, by, fill);
    return (int)d.count;
}

int t_crop(int32_t seed, const float *x, float *out, int32_t outer, int32_t length, int32_t inner, int32_t shortest)
{
    sv_draws d = {(uint64_t)seed, 0};
    sv_augment_crop(&d, x, out, outer, length, inner, shortest);
    return (int)d.count;
}

int t_gain(int32_t seed, float *x, int32_t channels, int32_t size, float low, float high)
{
    sv_draws d = {(uint64_t)seed, 0};
    sv_augment_gain(&d, x, channels, size, low, high);
    return (int)d.count;
}

int t_noise(int32_t seed, float *x, int32_t size, float deviation)
{
    sv_draws d = {(uint64_t)seed, 0};
    sv_augment_noise(&d, x, size, deviation);
    return (int)d.count;
}

int t_mix(int32_t seed, float *x, const float *others, int32_t count, int32_t size, float most)
{
    sv_draws d = {(uint64_t)seed, 0};
    sv_augment_mix(&d, x, others, count, size, most);
    return (int)d.count;
}
