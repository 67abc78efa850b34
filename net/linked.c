/* See linked.h. */
#define SV_LINKED_HERE
#include "linked.h"
#include "conv.h"
#include "depthwise.h"
#include "matmul.h"

void sv_linked_conv2d(real *out, const real *x, const real *w, const sv_conv *d, const real *zeros, int32_t p0, int32_t p1)
{
    sv_conv2d(out, x, w, d, zeros, p0, p1);
}

void sv_linked_conv2d_input_grad(real *dx, const real *dy, const real *w, const sv_conv *d, const real *zeros, real *scratch)
{
    sv_conv2d_input_grad(dx, dy, w, d, zeros, scratch);
}

void sv_linked_conv2d_input_grad_onto(real *dx, const real *dy, const real *w, const sv_conv *d, const real *zeros, real *scratch)
{
    sv_conv2d_input_grad_onto(dx, dy, w, d, zeros, scratch);
}

void sv_linked_conv2d_weight_grad(real *dw, const real *x, const real *dy, const sv_conv *d, int32_t r0, int32_t r1)
{
    sv_conv2d_weight_grad(dw, x, dy, d, r0, r1);
}

void sv_linked_depthwise(real *out, const real *x, const real *w, const sv_conv *d, int32_t y0, int32_t y1)
{
    sv_depthwise(out, x, w, d, y0, y1);
}

void sv_linked_depthwise_input_grad(real *dx, const real *dy, const real *w, const sv_conv *d)
{
    sv_depthwise_input_grad(dx, dy, w, d);
}

void sv_linked_depthwise_weight_grad(real *dw, const real *x, const real *dy, const sv_conv *d, int32_t t0, int32_t t1)
{
    sv_depthwise_weight_grad(dw, x, dy, d, t0, t1);
}

void sv_linked_matmul(real *out, const real *a, const real *b, int32_t batch, int32_t m, int32_t n, int32_t k, int trans_a, int trans_b)
{
    sv_matmul(out, a, b, batch, m, n, k, trans_a, trans_b);
}
