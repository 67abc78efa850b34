/* Rows by number: x (a, rows, c), index (a, n) or, with step 0, one (n) for every block. Whoever calls has checked that
 * every index lies in 0 .. rows - 1. */
#ifndef SELVEDGE_INDEX_H
#define SELVEDGE_INDEX_H

#include "selvedge.h"

SV_FN int sv_indices_in(const int32_t *index, int32_t count, int32_t rows)
{
    for (int32_t i = 0; i < count; i++)
        if (index[i] < 0 || index[i] >= rows) return 0;
    return 1;
}

/* The same, of rows of which the number `ignored`, which may be any, stands for none. */
SV_FN int sv_indices_or(const int32_t *index, int32_t count, int32_t rows, int32_t ignored)
{
    for (int32_t i = 0; i < count; i++)
        if ((index[i] < 0 || index[i] >= rows) && index[i] != ignored) return 0;
    return 1;
}

/* y (a, n, c): y[i, j] = x[i, index[j]]. */
SV_FN void sv_take(real *y, const real *x, const int32_t *index, int32_t a, int32_t rows, int32_t n, int32_t c,
                   int32_t step)
{
    for (int32_t i = 0; i < a; i++, x += (ptrdiff_t)rows * c, index += step)
        for (int32_t j = 0; j < n; j++, y += c) memcpy(y, x + (ptrdiff_t)index[j] * c, (size_t)c * sizeof(real));
}

/* The same; zeros where index is `ignored`. */
SV_FN void sv_take_or(real *y, const real *x, const int32_t *index, int32_t a, int32_t rows, int32_t n, int32_t c,
                      int32_t step, int32_t ignored)
{
    for (int32_t i = 0; i < a; i++, x += (ptrdiff_t)rows * c, index += step)
        for (int32_t j = 0; j < n; j++, y += c)
            if (index[j] == ignored)
                memset(y, 0, (size_t)c * sizeof(real));
            else
                memcpy(y, x + (ptrdiff_t)index[j] * c, (size_t)c * sizeof(real));
}

/* y (a, rows, c) += dy (a, n, c) at the rows that index names; the row `skip` gets nothing. */
SV_FN void sv_scatter_onto(real *y, const real *dy, const int32_t *index, int32_t a, int32_t rows, int32_t n, int32_t c,
                           int32_t step, int32_t skip)
{
    for (int32_t i = 0; i < a; i++, y += (ptrdiff_t)rows * c, index += step)
        for (int32_t j = 0; j < n; j++, dy += c) {
            if (index[j] == skip) continue;
            real *row = y + (ptrdiff_t)index[j] * c;
            SV_IVDEP
            for (int32_t k = 0; k < c; k++) row[k] += dy[k];
        }
}

/* The same onto zeros: the gradient of sv_take. */
SV_FN void sv_scatter_add(real *y, const real *dy, const int32_t *index, int32_t a, int32_t rows, int32_t n, int32_t c,
                          int32_t step, int32_t skip)
{
    memset(y, 0, (size_t)a * (size_t)rows * (size_t)c * sizeof(real));
    sv_scatter_onto(y, dy, index, a, rows, n, c, step, skip);
}

#endif
