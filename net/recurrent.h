/* Recurrent cells over a whole sequence, one sample after the other: what depends on the state before. The gates of the
 * input, biases included, are x; w (hidden, gates * hidden) are the state's weights. Step t of sample n lies at row
 * n * sample + t * step of x, y and saved. `reverse` goes from the last step to the first. */
#ifndef SELVEDGE_RECURRENT_H
#define SELVEDGE_RECURRENT_H

#include "selvedge.h"
#ifdef SV_LINKED
#include "linked.h"
#else
#include "matmul.h"
#endif

typedef struct {
    int32_t steps, batch, hidden, sample, step, reverse;
} sv_sequence;

/* The row of the i-th step in the order of the recurrence. */
SV_FN ptrdiff_t sv_step_row(const sv_sequence *q, int32_t n, int32_t i)
{
    return (ptrdiff_t)n * q->sample + (ptrdiff_t)(q->reverse ? q->steps - 1 - i : i) * q->step;
}

SV_FN real sv_gate(real x) { return 1 / (1 + sv_exp(-x)); }

/* y = act(x + h w); act is tanh, or with `relu` max(0, v). h0 (batch, hidden). */
SV_FN void sv_rnn(real *y, const real *x, const real *w, const real *h0, const sv_sequence *q, int relu)
{
    const int32_t m = q->hidden;
    for (int32_t n = 0; n < q->batch; n++) {
        const real *h = h0 + (ptrdiff_t)n * m;
        for (int32_t i = 0; i < q->steps; i++) {
            const ptrdiff_t row = sv_step_row(q, n, i);
            const real *in = x + row * m;
            real *out = y + row * m;
            sv_matmul(out, h, w, 1, 1, m, m, 0, 0);
            for (int32_t k = 0; k < m; k++) {
                const real v = out[k] + in[k];
                out[k] = relu ? (v < 0 ? (real)0 : v) : sv_tanh(v);
            }
            h = out;
        }
    }
}

/* dx as x; dh (batch, hidden): of the state before the first step, and the gradient on its way there. */
SV_FN void sv_rnn_grad(real *dx, real *dh, const real *dy, const real *w, const real *y, const sv_sequence *q, int relu)
{
    const int32_t m = q->hidden;
    for (int32_t n = 0; n < q->batch; n++) {
        real *carry = dh + (ptrdiff_t)n * m;
        memset(carry, 0, (size_t)m * sizeof(real));
        for (int32_t i = q->steps - 1; i >= 0; i--) {
            const ptrdiff_t row = sv_step_row(q, n, i) * m;
            for (int32_t k = 0; k < m; k++) {
                const real d = dy[row + k] + carry[k], v = y[row + k];
                dx[row + k] = relu ? (v <= 0 ? (real)0 : d) : d * (1 - v * v);
            }
            sv_matmul(carry, dx + row, w, 1, 1, m, m, 0, 1);
        }
    }
}

/* saved: r, z, n and n's part of the state for each row, or NULL; gates (4 * hidden) is used where it is. b (3 * hidden). */
SV_FN void sv_gru(real *y, real *saved, const real *x, const real *w, const real *b, const real *h0,
                  const sv_sequence *q, real *gates)
{
    const int32_t m = q->hidden;
    for (int32_t n = 0; n < q->batch; n++) {
        const real *h = h0 + (ptrdiff_t)n * m;
        for (int32_t i = 0; i < q->steps; i++) {
            const ptrdiff_t row = sv_step_row(q, n, i);
            const real *in = x + row * 3 * m;
            real *out = y + row * m, *s = saved ? saved + row * 4 * m : gates;
            sv_matmul(s, h, w, 1, 1, 3 * m, m, 0, 0);
            for (int32_t k = 0; k < m; k++) {
                const real r = sv_gate(in[k] + s[k] + b[k]), z = sv_gate(in[m + k] + s[m + k] + b[m + k]);
                const real of_state = s[2 * m + k] + b[2 * m + k], v = sv_tanh(in[2 * m + k] + r * of_state);
                s[k] = r, s[m + k] = z, s[2 * m + k] = v, s[3 * m + k] = of_state;
                out[k] = v + z * (h[k] - v);
            }
            h = out;
        }
    }
}

/* dx: of the gates' inputs; dg: of the gates' parts of the state; dh as sv_rnn_grad's. */
SV_FN void sv_gru_grad(real *dx, real *dg, real *dh, const real *dy, const real *w, const real *y, const real *saved,
                       const real *h0, const sv_sequence *q, real *through)
{
    const int32_t m = q->hidden;
    for (int32_t n = 0; n < q->batch; n++) {
        real *carry = dh + (ptrdiff_t)n * m;
        memset(carry, 0, (size_t)m * sizeof(real));
        for (int32_t i = q->steps - 1; i >= 0; i--) {
            const ptrdiff_t row = sv_step_row(q, n, i);
            const real *h = i ? y + sv_step_row(q, n, i - 1) * m : h0 + (ptrdiff_t)n * m, *s = saved + row * 4 * m;
            real *x = dx + row * 3 * m, *g = dg + row * 3 * m;
            for (int32_t k = 0; k < m; k++) {
                const real r = s[k], z = s[m + k], v = s[2 * m + k], d = dy[row * m + k] + carry[k];
                const real dv = d * (1 - z) * (1 - v * v);
                x[k] = g[k] = dv * s[3 * m + k] * r * (1 - r);
                x[m + k] = g[m + k] = d * (h[k] - v) * z * (1 - z);
                x[2 * m + k] = dv, g[2 * m + k] = dv * r;
                through[k] = d * z;
            }
            sv_matmul(carry, g, w, 1, 1, m, 3 * m, 0, 1);
            for (int32_t k = 0; k < m; k++) carry[k] += through[k];
        }
    }
}

/* saved: i, f, g, o and the cell's state for each row, or NULL; gates (4 * hidden) is used where it is. c (batch, hidden):
 * the cell's last state, and the one before each step on the way there. */
SV_FN void sv_lstm(real *y, real *c, real *saved, const real *x, const real *w, const real *h0, const real *c0,
                   const sv_sequence *q, real *gates)
{
    const int32_t m = q->hidden;
    for (int32_t n = 0; n < q->batch; n++) {
        const real *h = h0 + (ptrdiff_t)n * m;
        real *cell = c + (ptrdiff_t)n * m;
        memcpy(cell, c0 + (ptrdiff_t)n * m, (size_t)m * sizeof(real));
        for (int32_t i = 0; i < q->steps; i++) {
            const ptrdiff_t row = sv_step_row(q, n, i);
            const real *in = x + row * 4 * m;
            real *out = y + row * m, *s = saved ? saved + row * 5 * m : gates;
            sv_matmul(s, h, w, 1, 1, 4 * m, m, 0, 0);
            for (int32_t k = 0; k < m; k++) {
                const real a = sv_gate(in[k] + s[k]), f = sv_gate(in[m + k] + s[m + k]);
                const real g = sv_tanh(in[2 * m + k] + s[2 * m + k]), o = sv_gate(in[3 * m + k] + s[3 * m + k]);
                cell[k] = f * cell[k] + a * g;
                s[k] = a, s[m + k] = f, s[2 * m + k] = g, s[3 * m + k] = o;
                if (saved) s[4 * m + k] = cell[k];
                out[k] = o * sv_tanh(cell[k]);
            }
            h = out;
        }
    }
}

/* dlast (batch, hidden): of the cell's last state; dh, dc (batch, hidden): of the states before the first step. */
SV_FN void sv_lstm_grad(real *dx, real *dh, real *dc, const real *dy, const real *dlast, const real *w,
                        const real *saved, const real *c0, const sv_sequence *q)
{
    const int32_t m = q->hidden;
    for (int32_t n = 0; n < q->batch; n++) {
        real *carry = dh + (ptrdiff_t)n * m, *cell = dc + (ptrdiff_t)n * m;
        memset(carry, 0, (size_t)m * sizeof(real));
        memcpy(cell, dlast + (ptrdiff_t)n * m, (size_t)m * sizeof(real));
        for (int32_t i = q->steps - 1; i >= 0; i--) {
            const ptrdiff_t row = sv_step_row(q, n, i);
            const real *s = saved + row * 5 * m;
            const real *old = i ? saved + sv_step_row(q, n, i - 1) * 5 * m + 4 * m : c0 + (ptrdiff_t)n * m;
            real *x = dx + row * 4 * m;
            for (int32_t k = 0; k < m; k++) {
                const real a = s[k], f = s[m + k], g = s[2 * m + k], o = s[3 * m + k], t = sv_tanh(s[4 * m + k]);
                const real d = dy[row * m + k] + carry[k], v = cell[k] + d * o * (1 - t * t);
                x[k] = v * g * a * (1 - a);
                x[m + k] = v * old[k] * f * (1 - f);
                x[2 * m + k] = v * a * (1 - g * g);
                x[3 * m + k] = d * t * o * (1 - o);
                cell[k] = v * f;
            }
            sv_matmul(carry, x, w, 1, 1, m, 4 * m, 0, 1);
        }
    }
}

#endif
