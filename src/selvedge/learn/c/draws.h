/* Random numbers by their number: splitmix64 (Steele, Lea & Flood, OOPSLA 2014) as a function of a counter.
 *
 * The same words as selvedge.learn.draws to the last bit. No heap, no globals, no libm. */
#ifndef SELVEDGE_DRAWS_H
#define SELVEDGE_DRAWS_H

#include <stdint.h>

typedef struct {
    uint64_t seed, count; /* the next word is number count + 1 of the seed */
} sv_draws;

/* The next word. */
static inline uint64_t sv_draws_word(sv_draws *d)
{
    d->count++;
    uint64_t word = d->seed + d->count * 0x9E3779B97F4A7C15u;
    word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
    word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
    return word ^ (word >> 31);
}

/* One of 0..bound-1, bound <= 2^32 - 1: the top 32 bits times it. */
static inline uint32_t sv_draws_below(sv_draws *d, uint32_t bound)
{
    return (uint32_t)(((sv_draws_word(d) >> 32) * bound) >> 32);
}

/* In 0..1, 1 excluded: the top 24 bits. */
static inline float sv_draws_uniform(sv_draws *d)
{
    return (float)(sv_draws_word(d) >> 40) * 5.9604644775390625e-8f; /* 2^-24 */
}

#endif
