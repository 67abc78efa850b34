/* Along the middle axis of x (a, rows, c): weighted sums by a table, and running sums. */
#ifndef SELVEDGE_ALONG_H
#define SELVEDGE_ALONG_H

#include "selvedge.h"

/* y (a, n, c): y[i, j] = sum of weights[t] * x[i, index[t]] for starts[j] <= t < starts[j + 1]; weights may be NULL. */
SV_FN void sv_resample(real *y, const real *x, int32_t a, int32_t rows, int32_t n, int32_t c, const int32_t *starts,
                       const int32_t *index, const real *weights)
{
    for (int32_t i = 0; i < a; i++, x += (ptrdiff_t)rows * c) {
        for (int32_t j = 0; j < n; j++, y += c) {
            int32_t t = starts[j];
            if (t + 1 == starts[j + 1] && !weights) {
                memcpy(y, x + (ptrdiff_t)index[t] * c, (size_t)c * sizeof(real));
                continue;
            }
            memset(y, 0, (size_t)c * sizeof(real));
            for (; t < starts[j + 1]; t++) {
                const real *v = x + (ptrdiff_t)index[t] * c, w = weights ? weights[t] : (real)1;
                SV_IVDEP
                for (int32_t k = 0; k < c; k++) y[k] += w * v[k];
            }
        }
    }
}

/* y (a, rows, c) = x summed with all before it, or with `reverse` all behind it; y may alias x. */
SV_FN void sv_cumsum(real *y, const real *x, int32_t a, int32_t rows, int32_t c, int reverse)
{
    const ptrdiff_t line = reverse ? -(ptrdiff_t)c : c, first = reverse ? (ptrdiff_t)(rows - 1) * c : 0;
    for (int32_t i = 0; i < a; i++, x += (ptrdiff_t)rows * c, y += (ptrdiff_t)rows * c) {
        if (y != x) memcpy(y + first, x + first, (size_t)c * sizeof(real));
        for (int32_t j = 1; j < rows; j++) {
            const real *v = x + first + j * line;
            real *to = y + first + j * line;
            for (int32_t k = 0; k < c; k++) to[k] = to[k - line] + v[k];
        }
    }
}

#endif
