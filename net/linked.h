/* The families that take a compiler seconds - convolution, depthwise, matrix product - compiled once, apart (linked.c),
 * and linked to each model. On a microcontroller the model includes them instead. */
#ifndef SELVEDGE_LINKED_H
#define SELVEDGE_LINKED_H

#include "gather.h"

void sv_linked_conv2d(real *out, const real *x, const real *w, const sv_conv *d, const real *zeros, int32_t p0, int32_t p1);
void sv_linked_conv2d_input_grad(real *dx, const real *dy, const real *w, const sv_conv *d, const real *zeros, real *scratch);
void sv_linked_conv2d_input_grad_onto(real *dx, const real *dy, const real *w, const sv_conv *d, const real *zeros, real *scratch);
void sv_linked_conv2d_weight_grad(real *dw, const real *x, const real *dy, const sv_conv *d, int32_t r0, int32_t r1);
void sv_linked_depthwise(real *out, const real *x, const real *w, const sv_conv *d, int32_t y0, int32_t y1);
void sv_linked_depthwise_input_grad(real *dx, const real *dy, const real *w, const sv_conv *d);
void sv_linked_depthwise_weight_grad(real *dw, const real *x, const real *dy, const sv_conv *d, int32_t t0, int32_t t1);
void sv_linked_matmul(real *out, const real *a, const real *b, int32_t batch, int32_t m, int32_t n, int32_t k, int trans_a, int trans_b);

#ifndef SV_LINKED_HERE
#define sv_conv2d sv_linked_conv2d
#define sv_conv2d_input_grad sv_linked_conv2d_input_grad
#define sv_conv2d_input_grad_onto sv_linked_conv2d_input_grad_onto
#define sv_conv2d_weight_grad sv_linked_conv2d_weight_grad
#define sv_depthwise sv_linked_depthwise
#define sv_depthwise_input_grad sv_linked_depthwise_input_grad
#define sv_depthwise_weight_grad sv_linked_depthwise_weight_grad
#define sv_matmul sv_linked_matmul
#endif

#endif
