/* Softmax, log-softmax and cross entropy over the last axis: (rows, n). Forms that stay finite for large logits. */
#ifndef SELVEDGE_SOFTMAX_H
#define SELVEDGE_SOFTMAX_H

#include "selvedge.h"

SV_FN real sv_row_max(const real *x, int32_t n)
{
    real max = x[0];
    for (int32_t i = 1; i < n; i++) max = x[i] > max ? x[i] : max;
    return max;
}

/* y = exp(x - max); returns the sum. y may alias x. */
SV_FN real sv_row_exp(real *y, const real *x, int32_t n, real max)
{
    real sum = 0;
    for (int32_t i = 0; i < n; i++) sum += y[i] = sv_exp(x[i] - max);
    return sum;
}

/* y = exp(x) / sum exp(x); y may alias x. */
SV_FN void sv_softmax(real *y, const real *x, int32_t rows, int32_t n)
{
    for (int32_t r = 0; r < rows; r++, y += n, x += n) {
        const real scale = (real)1 / sv_row_exp(y, x, n, sv_row_max(x, n));
        for (int32_t i = 0; i < n; i++) y[i] *= scale;
    }
}

/* dx = y * (dy - sum(dy * y)); dx may alias dy or y. */
SV_FN void sv_softmax_grad(real *dx, const real *dy, const real *y, int32_t rows, int32_t n)
{
    for (int32_t r = 0; r < rows; r++, dx += n, dy += n, y += n) {
        real sum = 0;
        for (int32_t i = 0; i < n; i++) sum += dy[i] * y[i];
        for (int32_t i = 0; i < n; i++) dx[i] = y[i] * (dy[i] - sum);
    }
}

/* y = x - log(sum exp(x)); y may alias x. */
SV_FN void sv_log_softmax(real *y, const real *x, int32_t rows, int32_t n)
{
    for (int32_t r = 0; r < rows; r++, y += n, x += n) {
        const real max = sv_row_max(x, n);
        real sum = 0;
        for (int32_t i = 0; i < n; i++) sum += sv_exp(x[i] - max);
        sum = sv_log(sum);
        for (int32_t i = 0; i < n; i++) y[i] = x[i] - max - sum;
    }
}

/* dx = dy - exp(y) * sum(dy); dx may alias dy or y. */
SV_FN void sv_log_softmax_grad(real *dx, const real *dy, const real *y, int32_t rows, int32_t n)
{
    for (int32_t r = 0; r < rows; r++, dx += n, dy += n, y += n) {
        real sum = 0;
        for (int32_t i = 0; i < n; i++) sum += dy[i];
        for (int32_t i = 0; i < n; i++) dx[i] = dy[i] - sv_exp(y[i]) * sum;
    }
}

#define SV_IGNORED (-100) /* the label of a row that does not count: PyTorch's ignore_index */

SV_FN int32_t sv_counted(const int32_t *labels, int32_t rows)
{
    int32_t count = 0;
    for (int32_t r = 0; r < rows; r++) count += labels[r] != SV_IGNORED;
    return count;
}

/* logits (rows, n), labels (rows) in [0, n) or SV_IGNORED -> loss (), probs (rows, n) = softmax(logits).
 * loss = mean over rows that count of -(1 - smoothing) * log p[label] - smoothing * mean(log p); of none, NaN. probs may
 * alias logits. */
SV_FN void sv_cross_entropy(real *loss, real *probs, const real *logits, const int32_t *labels, int32_t rows, int32_t n,
                            real smoothing)
{
    real total = 0;
    for (int32_t r = 0; r < rows; r++, probs += n, logits += n) {
        const real max = sv_row_max(logits, n);
        const int counts = labels[r] != SV_IGNORED;
        real row = counts ? -((real)1 - smoothing) * (logits[labels[r]] - max) : (real)0;
        if (smoothing > 0) {
            real sum = 0;
            for (int32_t i = 0; i < n; i++) sum += logits[i] - max;
            row -= smoothing * (sum / (real)n);
        }
        const real sum = sv_row_exp(probs, logits, n, max), scale = (real)1 / sum;
        if (counts) total += row + sv_log(sum);
        for (int32_t i = 0; i < n; i++) probs[i] *= scale;
    }
    *loss = total / (real)sv_counted(labels, rows);
}

/* dx = dloss / rows * (probs - (1 - smoothing) * onehot(label) - smoothing / n), of rows that count; else 0. dx may alias
 * probs. */
SV_FN void sv_cross_entropy_grad(real *dx, const real *probs, const int32_t *labels, const real *dloss, int32_t rows,
                                 int32_t n, real smoothing)
{
    const real scale = *dloss / (real)sv_counted(labels, rows), each = smoothing / (real)n;
    for (int32_t r = 0; r < rows; r++, dx += n, probs += n) {
        if (labels[r] == SV_IGNORED) {
            memset(dx, 0, (size_t)n * sizeof(real));
            continue;
        }
        for (int32_t i = 0; i < n; i++) dx[i] = scale * (probs[i] - each);
        dx[labels[r]] -= scale * ((real)1 - smoothing);
    }
}

#endif
