/* Random numbers by their number: splitmix64 (Steele, Lea & Flood, OOPSLA 2014).
 *
 * sv_draws is selvedge.learn.draws: the i-th word of a seed is the same whoever asks; its whole state is `count`.
 * sv_random_below is selvedge.learn.memory.random: eight bytes of state, advanced in place. No heap, no libm. */
#ifndef SELVEDGE_DRAWS_H
#define SELVEDGE_DRAWS_H

#include <stdint.h>

#define SV_GOLDEN UINT64_C(0x9E3779B97F4A7C15)

typedef struct {
    uint64_t seed, count;
} sv_draws;

static inline uint64_t sv_mixed(uint64_t word)
{
    word = (word ^ (word >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    word = (word ^ (word >> 27)) * UINT64_C(0x94D049BB133111EB);
    return word ^ (word >> 31);
}

static inline uint64_t sv_draws_word(sv_draws *d)
{
    d->count++;
    return sv_mixed(d->seed + d->count * SV_GOLDEN);
}

/* 0..bound-1: the top 32 bits times it. */
static inline uint32_t sv_draws_below(sv_draws *d, uint32_t bound)
{
    return (uint32_t)((sv_draws_word(d) >> 32) * bound >> 32);
}

/* In 0..1, 1 excluded: the top 24 bits times 2^-24, exact in float. */
static inline float sv_draws_uniform(sv_draws *d)
{
    return (float)(sv_draws_word(d) >> 40) * 0x1p-24f;
}

static inline uint32_t sv_random_below(uint64_t *state, uint64_t bound)
{
    *state += SV_GOLDEN;
    return (uint32_t)((sv_mixed(*state) >> 32) * bound >> 32);
}

#endif
