/* The Page-Hinkley test: numbers that stay above, or below, their own mean (Page, Biometrika 41, 1954).
 *
 * The same numbers as selvedge.learn.drift.page_hinkley to the last bit, where double is IEEE's and nothing is fused
 * (-ffp-contract=off). No heap, no globals, no libm. */
#ifndef SELVEDGE_PAGE_HINKLEY_H
#define SELVEDGE_PAGE_HINKLEY_H

#include <stdint.h>

enum { SV_PAGE_HINKLEY_UP = 1, SV_PAGE_HINKLEY_DOWN = 2, SV_PAGE_HINKLEY_BOTH = 3 };

typedef struct {
    int32_t min_instances, mode;
    double delta, threshold, alpha;           /* settings */
    double n, mean, up, down, lowest, highest; /* state */
    int32_t drift;
} sv_page_hinkley;

static inline void sv_page_hinkley_reset(sv_page_hinkley *d)
{
    d->n = d->mean = d->up = d->down = d->lowest = d->highest = 0;
    d->drift = 0;
}

static inline sv_page_hinkley sv_page_hinkley_make(int32_t min_instances, double delta, double threshold, double alpha,
                                                   int32_t mode)
{
    sv_page_hinkley d;
    d.min_instances = min_instances;
    d.mode = mode;
    d.delta = delta;
    d.threshold = threshold;
    d.alpha = alpha;
    sv_page_hinkley_reset(&d);
    return d;
}

/* One number: 1 for a drift, 0 for none, -1 (and nothing changes) where |x| <= 1e100 does not hold. */
static inline int sv_page_hinkley_update(sv_page_hinkley *d, double x)
{
    if (!(x >= -1e100 && x <= 1e100)) return -1;
    if (d->drift) sv_page_hinkley_reset(d);
    const int first = d->n < 1; /* lowest and highest are not yet of any number */
    d->n += 1;
    d->mean += (1 / d->n) * (x - d->mean);
    const double off = x - d->mean;
    d->up = d->alpha * d->up + off - d->delta;
    d->down = d->alpha * d->down + off + d->delta;
    if (first || d->up < d->lowest) d->lowest = d->up;
    if (first || d->down > d->highest) d->highest = d->down;
    if (d->n >= d->min_instances) {
        d->drift = ((d->mode & SV_PAGE_HINKLEY_UP) && d->up - d->lowest > d->threshold) ||
                   ((d->mode & SV_PAGE_HINKLEY_DOWN) && d->highest - d->down > d->threshold);
    }
    return d->drift;
}

#endif
