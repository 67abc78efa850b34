/* Sums in the order in which numpy adds. */
#ifndef SELVEDGE_LIVE_SUMS_H
#define SELVEDGE_LIVE_SUMS_H

#include "replay.h"

/* numpy's sum of n <= 256 numbers: eight at once, then pairwise. */
SV_APART double sv_sum_few(const double *v, int32_t n)
{
    double sum = 0;
    if (n < 8) {
        for (int32_t i = 0; i < n; i++) sum = i ? sum + v[i] : v[0];
        return sum;
    }
    double r[8];
    int32_t i = 8;
    for (int32_t k = 0; k < 8; k++) r[k] = v[k];
    for (; i < n - n % 8; i += 8) for (int32_t k = 0; k < 8; k++) r[k] += v[i + k];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++) sum += v[i];
    return sum;
}

static inline double sv_sum_all(const double *v, int32_t n)
{
    if (n <= 128) return sv_sum_few(v, n);
    const int32_t half = n / 2 - n / 2 % 8;
    return sv_sum_few(v, half) + sv_sum_few(v + half, n - half);
}

#endif
