/* Samples into the arena, and what the model says of them. */
#ifndef SELVEDGE_LIVE_ANSWERS_H
#define SELVEDGE_LIVE_ANSWERS_H

#include "live_plan.h"
#include "live_sums.h"

static inline int sv_finite(float v)
{
    uint32_t word;
    memcpy(&word, &v, sizeof word);
    return (word & 0x7F800000u) != 0x7F800000u;
}

/* A sample as PyTorch has it, into row `row` of the input at `to`. */
SV_APART void sv_live_lay(const sv_live_at *at, int32_t to, int32_t row, const void *sample, int32_t item)
{
    const sv_live_plan *const p = at->plan;
    const int32_t *const n = p->dims, *const s = p->strides;
    sv_live_real *out = (sv_live_real *)(void *)(at->arena + to) + (size_t)row * (size_t)p->elements;
    const int as_it_lies = s[0] == n[1] * s[1] && s[1] == n[2] * s[2] && s[2] == n[3] && s[3] == 1;
    if (as_it_lies && item == 4) {
        memcpy(out, sample, 4 * (size_t)p->elements);
        return;
    }
    if (as_it_lies) {
        const unsigned char *byte = (const unsigned char *)sample;
        for (int32_t channel = 0; channel < p->elements / p->plane; channel++) {
            const float scale = p->scale[channel], offset = p->offset[channel];
            for (int32_t k = 0; k < p->plane; k++) *out++ = (float)*byte++ * scale + offset;
        }
        return;
    }
    for (int32_t a = 0; a < n[0]; a++) {
        for (int32_t b = 0; b < n[1]; b++) {
            for (int32_t c = 0; c < n[2]; c++) {
                for (int32_t d = 0; d < n[3]; d++) {
                    const int32_t from = a * s[0] + b * s[1] + c * s[2] + d * s[3];
                    float v;
                    if (item == 4) {
                        memcpy(&v, (const unsigned char *)sample + 4 * (size_t)from, sizeof v);
                    } else {
                        const int32_t channel = from / p->plane;
                        v = (float)((const unsigned char *)sample)[from] * p->scale[channel];
                        v = v + p->offset[channel];
                    }
                    *out++ = v;
                }
            }
        }
    }
}

/* Predict the batch that was laid: 1 where all is finite, 0 for infinite numbers in the first `rows`, -1 for NaN. */
SV_APART int sv_live_run(const sv_live_at *at, int32_t rows)
{
    const sv_live_plan *const p = at->plan;
    if (p->predict(at->context)) return -1;
    const sv_live_real *const z = (const sv_live_real *)(const void *)(at->arena + p->predict_output);
    int found = 1;
    for (int32_t i = 0; i < p->batch * p->classes; i++) {
        if (sv_finite(z[i])) continue;
        if (z[i] != z[i]) return -1;
        if (i < rows * p->classes) found = 0;
    }
    return found;
}

static inline const sv_live_real *sv_live_output(const sv_live_at *at, int32_t row)
{
    const unsigned char *const outputs = at->arena + at->plan->predict_output;
    return (const sv_live_real *)(const void *)outputs + (size_t)row * (size_t)at->plan->classes;
}

SV_APART int32_t sv_live_class(const sv_live_at *at, int32_t row)
{
    const sv_live_real *const z = sv_live_output(at, row);
    int32_t best = 0;
    for (int32_t k = 1; k < at->plan->classes; k++) if (z[k] > z[best]) best = k;
    return best;
}

/* Of the output in `row`, and its class: minus half the Brier score, -1..0 (Brier 1950), and the loss. */
SV_APART double sv_live_knows(const sv_live_at *at, int32_t row, int32_t y, double *loss)
{
    const sv_live_real *const z = sv_live_output(at, row);
    const int32_t n = at->plan->classes;
    double *const p = at->odds, top = (double)z[0];
    for (int32_t k = 1; k < n; k++) if ((double)z[k] > top) top = (double)z[k];
    for (int32_t k = 0; k < n; k++) p[k] = exp((double)z[k] - top);
    const double sum = sv_sum_all(p, n);
    if (loss) *loss = log(sum) + top - (double)z[y];
    for (int32_t k = 0; k < n; k++) {
        p[k] /= sum;
        if (k == y) p[k] -= 1;
        p[k] *= p[k];
    }
    return -sv_sum_all(p, n) / 2;
}

/* Lay `rows` samples, the last again where the batch is larger, and predict: as sv_live_run. */
SV_APART int sv_live_predict_rows(const sv_live_at *at, const unsigned char *x, int32_t rows, int32_t item)
{
    const sv_live_plan *const p = at->plan;
    const size_t bytes = (size_t)p->elements * (size_t)item;
    for (int32_t i = 0; i < p->batch; i++) {
        sv_live_lay(at, p->predict_x, i, x + bytes * (size_t)(i < rows ? i : rows - 1), item);
    }
    return sv_live_run(at, rows);
}

#endif
