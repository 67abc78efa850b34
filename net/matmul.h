/* Matrix products over a batch, row-major and dense, on the register tiles of conv.h.
 *
 *   out[s, i, j] = sum_l a[s, i, l] * b[s, l, j]      a (k, m) in memory when trans_a, b (n, k) when trans_b
 */
#ifndef SELVEDGE_MATMUL_H
#define SELVEDGE_MATMUL_H

#include "conv.h"

/* out (batch, m, n). */
SV_FN void sv_matmul_plain(real *out, const real *a, const real *b, int32_t batch, int32_t m, int32_t n, int32_t k,
                           int trans_a, int trans_b)
{
    for (int32_t s = 0; s < batch; s++, out += (ptrdiff_t)m * n, a += (ptrdiff_t)m * k, b += (ptrdiff_t)k * n) {
        for (int32_t i = 0; i < m; i++) {
            for (int32_t j = 0; j < n; j++) {
                real sum = 0;
                for (int32_t l = 0; l < k; l++)
                    sum += a[trans_a ? (ptrdiff_t)l * m + i : (ptrdiff_t)i * k + l] *
                           b[trans_b ? (ptrdiff_t)j * k + l : (ptrdiff_t)l * n + j];
                out[(ptrdiff_t)i * n + j] = sum;
            }
        }
    }
}

/* As sv_matmul_plain. */
SV_FN void sv_matmul(real *out, const real *a, const real *b, int32_t batch, int32_t m, int32_t n, int32_t k,
                     int trans_a, int trans_b)
{
    if (trans_a && trans_b) {
        sv_matmul_plain(out, a, b, batch, m, n, k, 1, 1);
        return;
    }
    const sv_conv d = {m, 1, 1, k, 1, 1, n, 1, 1, 1, 1, 0, 0, 1, 1, 1};
    const sv_run run = {1, 1, k, 0, 0, m, 0, 0, n};
    for (int32_t s = 0; s < batch; s++, out += (ptrdiff_t)m * n, a += (ptrdiff_t)m * k, b += (ptrdiff_t)k * n) {
        if (trans_a) {
            sv_outer(out, n, a, b, &run, m, n);
            continue;
        }
        sv_gather g = sv_gather_forward(out, a, b, &d, 0, 0); /* one tap, always inside: needs no zeros */
        if (trans_b || n == 1) {
            g.weight_line = k;
            sv_dots(&g, a, 0, m);
        } else {
            sv_columns(&g, a, 0, m);
        }
    }
}

#endif
