/* Elementwise functions: one element in, one element out. The emitted loops call them; forward beside backward.
 * Forward, NaN goes through: a comparison with NaN is false, so every branch that is not taken returns its argument.
 * Backward it need not, and does not in PyTorch: the slope of a flat piece is 0 whatever the input (hardsigmoid). */
#ifndef SELVEDGE_ELEMENTWISE_H
#define SELVEDGE_ELEMENTWISE_H

#include "selvedge.h"

SV_INLINE real sv_relu(real x) { return x < 0 ? (real)0 : x; }
SV_INLINE real sv_relu_grad(real dy, real y) { return y <= 0 ? (real)0 : dy; }

SV_INLINE real sv_clamp(real x, real low, real high) { return x < low ? low : (x > high ? high : x); }
/* clamp passes the gradient at its borders, hardtanh does not (as in PyTorch). */
SV_INLINE real sv_clamp_grad(real dy, real x, real low, real high) { return x >= low && x <= high ? dy : (real)0; }
SV_INLINE real sv_hardtanh_grad(real dy, real y, real low, real high) { return y <= low || y >= high ? (real)0 : dy; }

SV_INLINE real sv_hardsigmoid(real x) { return sv_clamp(x + 3, 0, 6) / 6; }
SV_INLINE real sv_hardsigmoid_grad(real dy, real x) { return x > -3 && x < 3 ? dy / 6 : (real)0; }

SV_INLINE real sv_hardswish(real x) { return x * sv_hardsigmoid(x); }
SV_INLINE real sv_hardswish_grad(real dy, real x)
{
    return x <= -3 ? (real)0 : (x < 3 ? dy * (x / 3 + (real)0.5) : dy);
}

SV_INLINE real sv_sigmoid(real x) { return 1 / (1 + sv_exp(-x)); }
SV_INLINE real sv_sigmoid_grad(real dy, real y) { return dy * y * (1 - y); }
SV_INLINE real sv_tanh_grad(real dy, real y) { return dy * (1 - y * y); }

SV_INLINE real sv_silu(real x) { return x * sv_sigmoid(x); }
SV_INLINE real sv_silu_grad(real dy, real x)
{
    const real s = sv_sigmoid(x);
    return dy * s * (1 + x * (1 - s));
}

/* gelu(x) = x * P(X <= x), X ~ N(0, 1) (Hendrycks and Gimpel, 2016); gelu_tanh is its approximation (section 2). */
#define SV_SQRT_HALF ((real)0.70710678118654752440)
#define SV_INV_SQRT_2PI ((real)0.39894228040143267794)
#define SV_SQRT_2_OVER_PI ((real)0.79788456080286535588)
SV_INLINE real sv_gelu(real x) { return (real)0.5 * x * (1 + sv_erf(x * SV_SQRT_HALF)); }
SV_INLINE real sv_gelu_grad(real dy, real x)
{
    const real cdf = (real)0.5 * (1 + sv_erf(x * SV_SQRT_HALF));
    return dy * (cdf + x * SV_INV_SQRT_2PI * sv_exp((real)-0.5 * x * x));
}
SV_INLINE real sv_gelu_tanh(real x)
{
    return (real)0.5 * x * (1 + sv_tanh(SV_SQRT_2_OVER_PI * (x + (real)0.044715 * x * x * x)));
}
SV_INLINE real sv_gelu_tanh_grad(real dy, real x)
{
    const real t = sv_tanh(SV_SQRT_2_OVER_PI * (x + (real)0.044715 * x * x * x));
    const real slope = SV_SQRT_2_OVER_PI * (1 + (real)0.134145 * x * x);
    return dy * ((real)0.5 * (1 + t) + (real)0.5 * x * (1 - t * t) * slope);
}

SV_INLINE real sv_leaky_relu(real x, real slope) { return x < 0 ? x * slope : x; }
SV_INLINE real sv_leaky_relu_grad(real dy, real x, real slope) { return x > 0 ? dy : dy * slope; }

SV_INLINE real sv_elu(real x, real alpha) { return x < 0 ? alpha * sv_expm1(x) : x; }
SV_INLINE real sv_elu_grad(real dy, real x, real alpha) { return x <= 0 ? dy * alpha * sv_exp(x) : dy; }

/* log(1 + exp(x)), linear beyond 20 as in PyTorch. */
SV_INLINE real sv_softplus(real x) { return x > 20 ? x : sv_log1p(sv_exp(x)); }
SV_INLINE real sv_softplus_grad(real dy, real x) { return x > 20 ? dy : dy * sv_sigmoid(x); }

/* 0 of the type of x; takes x so that the loop around it reads what it replaces. */
SV_INLINE real sv_zero(real x) { (void)x; return 0; }

SV_INLINE real sv_sign(real x) { return x > 0 ? (real)1 : (x < 0 ? (real)-1 : x); }
SV_INLINE real sv_maximum(real a, real b) { return a != a ? a : (b > a || b != b ? b : a); }
SV_INLINE real sv_minimum(real a, real b) { return a != a ? a : (b < a || b != b ? b : a); }

/* -(y log s + (1 - y) log(1 - s)), s = sigmoid(x), without overflow. */
SV_INLINE real sv_bce_logits(real x, real y)
{
    return (x > 0 ? x : (real)0 * x) - x * y + sv_log1p(sv_exp(-sv_fabs(x)));
}

#endif
