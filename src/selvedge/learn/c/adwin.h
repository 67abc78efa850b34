/* ADWIN: a window that is cut where its older part has another mean than the newer (Bifet & Gavalda, SDM 2007).
 *
 * The same numbers as selvedge.learn.drift.adwin to the last bit, where double is IEEE's, log is the same libm's and
 * nothing is fused (-ffp-contract=off). No heap, no globals; of libm log, sqrt and fabs.
 *   SV_ADWIN_ROWS     row i holds sums of 2^i numbers; where the last overflows, the oldest bucket is forgotten
 *   SV_ADWIN_BUCKETS  in a row, at least 2 */
#ifndef SELVEDGE_ADWIN_H
#define SELVEDGE_ADWIN_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#ifndef SV_ADWIN_ROWS
#define SV_ADWIN_ROWS 20
#endif
#ifndef SV_ADWIN_BUCKETS
#define SV_ADWIN_BUCKETS 5
#endif

typedef struct {
    double delta;
    int32_t clock, min_window_length, grace_period; /* settings */
    int32_t tick, drift;                            /* state */
    double width, total, variance;
    double sums[SV_ADWIN_ROWS][SV_ADWIN_BUCKETS + 1];      /* oldest first in each row */
    double variances[SV_ADWIN_ROWS][SV_ADWIN_BUCKETS + 1];
    uint8_t counts[SV_ADWIN_ROWS];
} sv_adwin;

static inline void sv_adwin_reset(sv_adwin *d)
{
    d->tick = d->drift = 0;
    d->width = d->total = d->variance = 0;
    memset(d->counts, 0, sizeof d->counts);
}

static inline sv_adwin sv_adwin_make(double delta, int32_t clock, int32_t min_window_length, int32_t grace_period)
{
    sv_adwin d;
    memset(&d, 0, sizeof d);
    d.delta = delta;
    d.clock = clock;
    d.min_window_length = min_window_length;
    d.grace_period = grace_period;
    return d;
}

/* The n oldest buckets of a row go. */
static inline void sv_adwin_shift(sv_adwin *d, int32_t row, int32_t n)
{
    d->counts[row] = (uint8_t)(d->counts[row] - n);
    for (int32_t k = 0; k < d->counts[row]; k++) {
        d->sums[row][k] = d->sums[row][k + n];
        d->variances[row][k] = d->variances[row][k + n];
    }
}

/* The oldest bucket of all goes. */
static inline void sv_adwin_forget(sv_adwin *d)
{
    int32_t row = SV_ADWIN_ROWS - 1;
    while (row > 0 && d->counts[row] == 0) row--;
    const double size = (double)((uint64_t)1 << row), total = d->sums[row][0];
    d->width -= size;
    d->total -= total;
    const double apart = total / size - d->total / d->width;
    d->variance -= d->variances[row][0] + size * d->width * apart * apart / (size + d->width);
    sv_adwin_shift(d, row, 1);
}

/* A number into row 0; where a row overflows its two oldest buckets go on as one. */
static inline void sv_adwin_push(sv_adwin *d, double total)
{
    double variance = 0;
    for (int32_t row = 0;; row++) {
        double *const sums = d->sums[row], *const variances = d->variances[row];
        sums[d->counts[row]] = total;
        variances[d->counts[row]] = variance;
        if (d->counts[row]++ < SV_ADWIN_BUCKETS) return;
        if (row == SV_ADWIN_ROWS - 1) {
            sv_adwin_forget(d);
            return;
        }
        const double size = (double)((uint64_t)1 << row), apart = sums[0] / size - sums[1] / size;
        total = sums[0] + sums[1];
        variance = variances[0] + variances[1] + size * 0.5 * apart * apart;
        sv_adwin_shift(d, row, 2);
    }
}

/* Has the window changed at any cut? */
static inline int sv_adwin_cut(const sv_adwin *d)
{
    const double least = d->min_window_length;
    double older = 0, newer = d->width, before = 0, behind = d->total;
    if (!(d->variance >= 0)) return 0;
    const double bits = log(2 * log(d->width) / d->delta);
    for (int32_t row = SV_ADWIN_ROWS - 1; row >= 0; row--) {
        const double size = (double)((uint64_t)1 << row);
        for (int32_t k = 0; k < d->counts[row]; k++) {
            if (row == 0 && k == d->counts[row] - 1) return 0;
            older += size;
            newer -= size;
            before += d->sums[row][k];
            behind -= d->sums[row][k];
            if (older < least || newer < least) continue;
            const double m = 1 / (older - least + 1) + 1 / (newer - least + 1);
            const double bound = sqrt(2 * m * (d->variance / d->width) * bits) + 2.0 / 3 * bits * m;
            if (fabs(before / older - behind / newer) > bound) return 1;
        }
    }
    return 0;
}

/* One number: 1 for a drift, 0 for none, -1 (and nothing changes) where |x| <= 1e100 does not hold. */
static inline int sv_adwin_update(sv_adwin *d, double x)
{
    if (!(x >= -1e100 && x <= 1e100)) return -1;
    if (d->drift) sv_adwin_reset(d);
    d->width += 1;
    if (d->width > 1) {
        const double off = x - d->total / (d->width - 1);
        d->variance += (d->width - 1) * off * off / d->width;
    }
    d->total += x;
    sv_adwin_push(d, x);
    d->tick = (d->tick + 1) % d->clock;
    if (d->tick == 0 && d->width > d->grace_period) {
        while (sv_adwin_cut(d)) {
            d->drift = 1;
            sv_adwin_forget(d);
        }
    }
    return d->drift;
}

#endif
