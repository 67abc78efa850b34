/* Connectionist temporal classification: Graves et al. (2006), equations 6 to 16, in logarithms. */
#ifndef SELVEDGE_CTC_H
#define SELVEDGE_CTC_H

#include "softmax.h"

/* log(exp(a) + exp(b)); minus infinity stands for never. */
SV_FN real sv_log_add(real a, real b)
{
    const real more = a > b ? a : b, less = a > b ? b : a;
    return less == -(real)INFINITY ? more : more + sv_log1p(sv_exp(less - more));
}

/* The class of state s: a blank before, between and behind the labels. */
SV_FN int32_t sv_ctc_class(const int32_t *labels, int32_t s, int32_t blank) { return s % 2 ? labels[s / 2] : blank; }

/* May state s follow s - 2? Not over a blank, nor over the one between two of the same label. */
SV_FN int sv_ctc_skips(const int32_t *labels, int32_t s) { return s % 2 && s > 1 && labels[s / 2] != labels[s / 2 - 1]; }

/* What reaches state s from `before`, the states of the step before. */
SV_FN real sv_ctc_reached(const real *before, const int32_t *labels, int32_t s)
{
    real sum = s > 0 ? sv_log_add(before[s], before[s - 1]) : before[s];
    if (sv_ctc_skips(labels, s)) sum = sv_log_add(sum, before[s - 2]);
    return sum;
}

/* What state s reaches in the step behind, of which `next` holds the states. */
SV_FN real sv_ctc_reaches(const real *next, const int32_t *labels, int32_t s, int32_t states)
{
    real sum = s + 1 < states ? sv_log_add(next[s], next[s + 1]) : next[s];
    if (s + 2 < states && sv_ctc_skips(labels, s + 2)) sum = sv_log_add(sum, next[s + 2]);
    return sum;
}

/* loss = mean over n of -log p(labels | logits) / their number (of none: 1); slope (n, steps, classes) = its gradient, and
 * may alias logits (n, steps, classes), or be NULL. targets (n, longest): a label that is the blank or negative ends a
 * sample's. zero: a loss that is infinite, for want of steps, is 0, and so is its gradient.
 * scratch: (steps + 1) * (2 * longest + 1) + steps. */
SV_FN void sv_ctc(real *loss, real *slope, const real *logits, const int32_t *targets, int32_t n, int32_t steps,
                  int32_t classes, int32_t longest, int32_t blank, int zero, real *scratch)
{
    const int32_t most = 2 * longest + 1;
    const ptrdiff_t size = (ptrdiff_t)steps * classes;
    real *const alpha = scratch, *const next = alpha + (ptrdiff_t)steps * most, *const norm = next + most;
    real total = 0;
    for (int32_t i = 0; i < n; i++, logits += size, targets += longest) {
        int32_t count = 0;
        while (count < longest && targets[count] >= 0 && targets[count] != blank) count++;
        const int32_t states = 2 * count + 1;
        for (int32_t t = 0; t < steps; t++) {
            const real *x = logits + (ptrdiff_t)t * classes, max = sv_row_max(x, classes);
            real *a = alpha + (ptrdiff_t)t * most, sum = 0;
            for (int32_t c = 0; c < classes; c++) sum += sv_exp(x[c] - max);
            norm[t] = max + sv_log(sum);
            for (int32_t s = 0; s < states; s++) {
                const real before = t ? sv_ctc_reached(a - most, targets, s) : s < 2 ? (real)0 : -(real)INFINITY;
                a[s] = before + x[sv_ctc_class(targets, s, blank)] - norm[t];
            }
        }
        const real *end = alpha + (ptrdiff_t)(steps - 1) * most + states - 1;
        const real whole = count ? sv_log_add(end[0], end[-1]) : end[0];
        const int lost = zero && whole == -(real)INFINITY;
        const real share = (real)1 / (real)(count ? count : 1);
        if (!lost) total -= whole * share;
        if (!slope) continue;
        if (lost) {
            memset(slope + i * size, 0, (size_t)size * sizeof(real));
            continue;
        }
        for (int32_t t = steps; t-- > 0;) {
            const real *x = logits + (ptrdiff_t)t * classes;
            real *a = alpha + (ptrdiff_t)t * most, *y = slope + i * size + (ptrdiff_t)t * classes;
            for (int32_t s = 0; s < states; s++) { /* those it is made of are still the step's behind: they come later */
                const real last = s + 2 < states ? -(real)INFINITY : (real)0;
                const real behind = t + 1 < steps ? sv_ctc_reaches(next, targets, s, states) : last;
                a[s] += behind - whole; /* now the chance of being here */
                next[s] = behind + x[sv_ctc_class(targets, s, blank)] - norm[t];
            }
            const real scale = share / (real)n;
            for (int32_t c = 0; c < classes; c++) y[c] = scale * sv_exp(x[c] - norm[t]);
            for (int32_t s = 0; s < states; s++) y[sv_ctc_class(targets, s, blank)] -= scale * sv_exp(a[s]);
        }
    }
    *loss = total / (real)n;
}

#endif
