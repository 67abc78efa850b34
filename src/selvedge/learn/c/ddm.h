/* DDM: an error rate that rises above the lowest it has been (Gama, Medas, Castillo & Rodrigues, SBIA 2004).
 *
 * The same numbers as selvedge.learn.drift.ddm to the last bit, where double is IEEE's and nothing is fused
 * (-ffp-contract=off). No heap, no globals; of libm sqrt. */
#ifndef SELVEDGE_DDM_H
#define SELVEDGE_DDM_H

#include <math.h>
#include <stdint.h>

typedef struct {
    int32_t warm_start;
    double warning_threshold, drift_threshold;      /* settings */
    double n, rate, lowest_rate, lowest_spread;     /* state */
    int32_t drift, warning;
} sv_ddm;

static inline void sv_ddm_reset(sv_ddm *d)
{
    d->n = d->rate = d->lowest_rate = d->lowest_spread = 0;
    d->drift = d->warning = 0;
}

static inline sv_ddm sv_ddm_make(int32_t warm_start, double warning_threshold, double drift_threshold)
{
    sv_ddm d;
    d.warm_start = warm_start;
    d.warning_threshold = warning_threshold;
    d.drift_threshold = drift_threshold;
    sv_ddm_reset(&d);
    return d;
}

/* wrong: 0 or 1. 1 for a drift, 0 for none (see d->warning), -1 (and nothing changes) for any other number. */
static inline int sv_ddm_update(sv_ddm *d, int32_t wrong)
{
    if (wrong != 0 && wrong != 1) return -1;
    if (d->drift) sv_ddm_reset(d);
    d->n += 1;
    d->rate += (1 / d->n) * (wrong - d->rate);
    const double spread = sqrt(d->rate * (1 - d->rate) / d->n);
    if (d->n <= d->warm_start) return 0;
    const int first = d->n <= (double)d->warm_start + 1; /* the lowest are not yet of any rate */
    if (first || d->rate + spread <= d->lowest_rate + d->lowest_spread) {
        d->lowest_rate = d->rate;
        d->lowest_spread = spread;
    }
    d->drift = d->rate + spread > d->lowest_rate + d->drift_threshold * d->lowest_spread;
    d->warning = d->rate + spread > d->lowest_rate + d->warning_threshold * d->lowest_spread && !d->drift;
    return d->drift;
}

#endif
