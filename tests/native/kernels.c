/* The kernels behind names a shared library exports; every one returns an int. */
#include "conv.h"
#include "depthwise.h"
#include "matmul.h"
#include "move.h"
#include "normalize.h"
#include "pool.h"
#include "softmax.h"

typedef const real *in;
typedef const sv_conv *conv;
typedef const int32_t *windows;
typedef const int32_t *ints;

int t_lanes(void) { return SV_LANES; }
int t_input_grad_scratch(conv d) { return sv_conv2d_input_grad_scratch(d); }
int t_conv2d_plain(real *o, in x, in w, conv d, int a, int b) { sv_conv2d_plain(o, x, w, d, a, b); return 0; }
int t_conv2d(real *o, in x, in w, conv d, in zeros, int a, int b) { sv_conv2d(o, x, w, d, zeros, a, b); return 0; }
int t_conv2d_input_grad_plain(real *o, in y, in w, conv d) { sv_conv2d_input_grad_plain(o, y, w, d); return 0; }
int t_conv2d_input_grad(real *o, in y, in w, conv d, in zeros, real *scratch)
{ sv_conv2d_input_grad(o, y, w, d, zeros, scratch); return 0; }
int t_conv2d_input_grad_onto(real *o, in y, in w, conv d, in zeros, real *scratch)
{ sv_conv2d_input_grad_onto(o, y, w, d, zeros, scratch); return 0; }
int t_conv2d_weight_grad_plain(real *o, in x, in y, conv d, int a, int b)
{ sv_conv2d_weight_grad_plain(o, x, y, d, a, b); return 0; }
int t_conv2d_weight_grad(real *o, in x, in y, conv d, int a, int b)
{ sv_conv2d_weight_grad(o, x, y, d, a, b); return 0; }
int t_depthwise_plain(real *o, in x, in w, conv d, int a, int b) { sv_depthwise_plain(o, x, w, d, a, b); return 0; }
int t_depthwise(real *o, in x, in w, conv d, int a, int b) { sv_depthwise(o, x, w, d, a, b); return 0; }
int t_depthwise_input_grad_plain(real *o, in y, in w, conv d) { sv_depthwise_input_grad_plain(o, y, w, d); return 0; }
int t_depthwise_input_grad(real *o, in y, in w, conv d) { sv_depthwise_input_grad(o, y, w, d); return 0; }
int t_depthwise_weight_grad_plain(real *o, in x, in y, conv d, int a, int b)
{ sv_depthwise_weight_grad_plain(o, x, y, d, a, b); return 0; }
int t_depthwise_weight_grad(real *o, in x, in y, conv d, int a, int b)
{ sv_depthwise_weight_grad(o, x, y, d, a, b); return 0; }
int t_matmul(real *o, in a, in b, int batch, int m, int n, int k, int ta, int tb)
{ sv_matmul(o, a, b, batch, m, n, k, ta, tb); return 0; }
int t_max_pool(real *y, uint8_t *i, in x, int n, int h, int w, int c, int oh, int ow, windows a, windows b)
{ sv_max_pool(y, i, x, n, h, w, c, oh, ow, a, b); return 0; }
int t_max_pool_grad(real *x, in y, const uint8_t *i, int n, int h, int w, int c, int oh, int ow, windows a, windows b)
{ sv_max_pool_grad(x, y, i, n, h, w, c, oh, ow, a, b); return 0; }
int t_avg_pool(real *y, in x, int n, int h, int w, int c, int oh, int ow, windows a, windows b, windows p, windows q)
{ sv_avg_pool(y, x, n, h, w, c, oh, ow, a, b, p, q); return 0; }
int t_avg_pool_grad(real *x, in y, int n, int h, int w, int c, int oh, int ow, windows a, windows b, windows p,
                    windows q)
{ sv_avg_pool_grad(x, y, n, h, w, c, oh, ow, a, b, p, q); return 0; }
int t_softmax(real *y, in x, int rows, int n) { sv_softmax(y, x, rows, n); return 0; }
int t_softmax_grad(real *o, in dy, in y, int rows, int n) { sv_softmax_grad(o, dy, y, rows, n); return 0; }
int t_log_softmax(real *y, in x, int rows, int n) { sv_log_softmax(y, x, rows, n); return 0; }
int t_log_softmax_grad(real *o, in dy, in y, int rows, int n) { sv_log_softmax_grad(o, dy, y, rows, n); return 0; }
int t_cross_entropy(real *loss, real *p, in x, ints labels, int rows, int n, real smoothing)
{ sv_cross_entropy(loss, p, x, labels, rows, n, smoothing); return 0; }
int t_cross_entropy_grad(real *o, in p, ints labels, in loss, int rows, int n, real smoothing)
{ sv_cross_entropy_grad(o, p, labels, loss, rows, n, smoothing); return 0; }
int t_normalize(real *o, real *r, in x, int a, int b, int g, int d, real eps)
{ sv_normalize(o, r, x, a, b, g, d, eps); return 0; }
int t_normalize_grad(real *o, in y, in x, in r, int a, int b, int g, int d)
{ sv_normalize_grad(o, y, x, r, a, b, g, d); return 0; }
int t_transpose(void *o, const void *x, int rank, ints shape, ints perm, int bytes)
{ sv_transpose(o, x, rank, shape, perm, bytes); return 0; }
int t_slice(real *o, in x, int rank, ints shape, ints out_shape, ints starts, ints steps)
{ sv_slice(o, x, rank, shape, out_shape, starts, steps, (int32_t)sizeof(real)); return 0; }
int t_unslice(real *o, in x, int rank, ints shape, ints x_shape, ints starts, ints steps)
{ sv_unslice(o, x, rank, shape, x_shape, starts, steps, (int32_t)sizeof(real)); return 0; }
int t_pad(real *o, in x, int rank, ints shape, ints before, ints after, real value)
{ sv_pad(o, x, rank, shape, before, after, &value, (int32_t)sizeof value); return 0; }
