/* Layer norm and group norm without their affine part: x (a, b, g, d), statistics over b and d for every (a, g). */
#ifndef SELVEDGE_NORMALIZE_H
#define SELVEDGE_NORMALIZE_H

#include "selvedge.h"

/* sum over b lines of d reals, `line` apart, of (x - center) * (y - shift); lanes over d. */
SV_FN real sv_moment(const real *x, real center, const real *y, real shift, int32_t b, int32_t d, ptrdiff_t line)
{
    sv_vec sums = (sv_vec){0};
    real sum = 0;
    for (int32_t i = 0; i < b; i++, x += line, y += line) {
        int32_t k = 0;
#if SV_LANES > 1
        for (; k + SV_LANES <= d; k += SV_LANES)
            sums += (*(const sv_vec *)(const void *)(x + k) - center) *
                    (*(const sv_vec *)(const void *)(y + k) - shift);
#endif
        for (; k < d; k++) sum += (x[k] - center) * (y[k] - shift);
    }
    return sum + SV_JOIN(sv_sum_, SV_LANES)(&sums);
}

/* sum over the same lines of x. */
SV_FN real sv_total(const real *x, int32_t b, int32_t d, ptrdiff_t line)
{
    sv_vec sums = (sv_vec){0};
    real sum = 0;
    for (int32_t i = 0; i < b; i++, x += line) {
        int32_t k = 0;
#if SV_LANES > 1
        for (; k + SV_LANES <= d; k += SV_LANES) sums += *(const sv_vec *)(const void *)(x + k);
#endif
        for (; k < d; k++) sum += x[k];
    }
    return sum + SV_JOIN(sv_sum_, SV_LANES)(&sums);
}

/* xhat (a, b, g, d) = (x - mean) * rstd; rstd (a, g) = 1 / sqrt(biased variance + eps). xhat may alias x. */
SV_FN void sv_normalize(real *xhat, real *rstd, const real *x, int32_t a, int32_t b, int32_t g, int32_t d, real eps)
{
    const ptrdiff_t line = (ptrdiff_t)g * d;
    const real count = (real)b * (real)d;
    for (int32_t s = 0; s < a * g; s++) {
        const ptrdiff_t first = s / g * b * line + (ptrdiff_t)(s % g) * d;
        const real mean = sv_total(x + first, b, d, line) / count;
        const real variance = sv_moment(x + first, mean, x + first, mean, b, d, line) / count;
        rstd[s] = (real)1 / sv_sqrt(variance + eps);
        for (int32_t i = 0; i < b; i++) {
            const ptrdiff_t at = first + i * line;
            SV_IVDEP
            for (int32_t k = 0; k < d; k++) xhat[at + k] = (x[at + k] - mean) * rstd[s];
        }
    }
}

/* dx = rstd * (dy - mean(dy) - xhat * mean(dy * xhat)); dx may alias dy. */
SV_FN void sv_normalize_grad(real *dx, const real *dy, const real *xhat, const real *rstd, int32_t a, int32_t b,
                             int32_t g, int32_t d)
{
    const ptrdiff_t line = (ptrdiff_t)g * d;
    const real count = (real)b * (real)d;
    for (int32_t s = 0; s < a * g; s++) {
        const ptrdiff_t first = s / g * b * line + (ptrdiff_t)(s % g) * d;
        const real mean = sv_total(dy + first, b, d, line) / count;
        const real slope = sv_moment(dy + first, 0, xhat + first, 0, b, d, line) / count;
        for (int32_t i = 0; i < b; i++) {
            const ptrdiff_t at = first + i * line;
            SV_IVDEP
            for (int32_t k = 0; k < d; k++) dx[at + k] = rstd[s] * (dy[at + k] - mean - xhat[at + k] * slope);
        }
    }
}

#endif
