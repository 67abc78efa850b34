/* Runs every kernel on buffers of exactly the promised size, for a build with -fsanitize=address,undefined.
 * Exits 0 when the fast kernels agree with the plain ones. */
#include <stdio.h>
#include <stdlib.h>

#include "conv.h"
#include "depthwise.h"
#include "matmul.h"
#include "move.h"
#include "normalize.h"
#include "pool.h"
#include "softmax.h"

#define WITHIN (real)2e-3
#include "agree.h"

static int convolution(const sv_conv *d)
{
    const int32_t cg = d->c / d->groups, kg = d->k / d->groups, pixels = d->n * d->oh * d->ow;
    const int32_t rows = d->kh * d->kw * cg, inputs = d->n * d->h * d->w * d->c, outputs = pixels * d->k;
    real *x = numbers(inputs), *w = numbers(rows * d->k), *dy = numbers(outputs), *dx = numbers(inputs);
    real *y = numbers(outputs), *dw = numbers(rows * d->k), *plain_y = numbers(outputs), *plain_dx = numbers(inputs);
    real *plain_dw = numbers(rows * d->k), *scratch = numbers(sv_conv2d_input_grad_scratch(d));
    real *zeros = calloc((size_t)sv_max_int(cg, kg), sizeof(real));
    int bad = 0;
    sv_conv2d_plain(plain_y, x, w, d, 0, pixels);
    sv_conv2d(y, x, w, d, zeros, 0, pixels);
    sv_conv2d_input_grad_plain(plain_dx, dy, w, d);
    sv_conv2d_input_grad(dx, dy, w, d, zeros, scratch);
    sv_conv2d_weight_grad_plain(plain_dw, x, dy, d, 0, rows);
    sv_conv2d_weight_grad(dw, x, dy, d, 0, rows);
    bad |= differ("conv2d", y, plain_y, outputs) | differ("conv2d_input_grad", dx, plain_dx, inputs) |
           differ("conv2d_weight_grad", dw, plain_dw, rows * d->k);
    if (cg == 1 && kg == 1) {
        sv_depthwise(y, x, w, d, 0, d->n * d->oh);
        sv_depthwise_input_grad(dx, dy, w, d);
        sv_depthwise_weight_grad(dw, x, dy, d, 0, d->kh * d->kw);
        bad |= differ("depthwise", y, plain_y, outputs) | differ("depthwise_input_grad", dx, plain_dx, inputs) |
               differ("depthwise_weight_grad", dw, plain_dw, rows * d->k);
    }
    free(x), free(w), free(dy), free(dx), free(y), free(dw);
    free(plain_y), free(plain_dx), free(plain_dw), free(scratch), free(zeros);
    return bad;
}

static int product(int32_t m, int32_t n, int32_t k)
{
    real *a = numbers(2 * m * k), *b = numbers(2 * k * n), *out = numbers(2 * m * n), *plain = numbers(2 * m * n);
    int bad = 0;
    for (int form = 0; form < 4; form++) {
        sv_matmul_plain(plain, a, b, 2, m, n, k, form & 1, form >> 1);
        sv_matmul(out, a, b, 2, m, n, k, form & 1, form >> 1);
        bad |= differ("matmul", out, plain, 2 * m * n);
    }
    free(a), free(b), free(out), free(plain);
    return bad;
}

static void pooling(void)
{
    const sv_window wh[] = {0, 2, 1, 1, 4, 1, 3, 5, 1}, ww[] = {0, 3, 2, 1, 4, 2};
    const sv_window ch[] = {2, 3, 2}, cw[] = {2, 2};
    const int32_t n = 2, h = 5, w = 4, c = 19, oh = 3, ow = 2;
    real *x = numbers(n * h * w * c), *y = numbers(n * oh * ow * c);
    uint8_t *index = malloc((size_t)(n * oh * ow * c));
    sv_max_pool(y, index, x, n, h, w, c, oh, ow, wh, ww);
    sv_max_pool(y, NULL, x, n, h, w, c, oh, ow, wh, ww);
    sv_max_pool_grad(x, y, index, n, h, w, c, oh, ow, wh, ww);
    sv_avg_pool(y, x, n, h, w, c, oh, ow, wh, ww, ch, cw);
    sv_avg_pool_grad(x, y, n, h, w, c, oh, ow, wh, ww, ch, cw);
    free(x), free(y), free(index);
}

static void rows(int32_t count, int32_t n)
{
    real *x = numbers(count * n), *y = numbers(count * n), *dx = numbers(count * n), *rstd = numbers(count);
    int32_t *labels = malloc((size_t)count * sizeof(int32_t));
    real loss;
    for (int32_t i = 0; i < count; i++) labels[i] = i % n;
    sv_softmax(y, x, count, n);
    sv_softmax_grad(dx, x, y, count, n);
    sv_log_softmax(y, x, count, n);
    sv_log_softmax_grad(dx, x, y, count, n);
    sv_cross_entropy(&loss, y, x, labels, count, n, (real)0.1);
    sv_cross_entropy_grad(y, y, labels, &loss, count, n, (real)0.1);
    sv_normalize(x, rstd, x, count, 1, 1, n, (real)1e-5);
    sv_normalize_grad(dx, y, x, rstd, count, 1, 1, n);
    free(x), free(y), free(dx), free(rstd), free(labels);
}

static void moves(void)
{
    const int32_t shape[] = {3, 1, 17, 5}, perm[] = {2, 3, 1, 0}, starts[] = {1, 0, 2, 1}, steps[] = {1, 1, 3, 2};
    const int32_t part[] = {2, 1, 5, 2}, before[] = {0, 1, 0, 2}, after[] = {1, 0, 0, 1};
    real *x = numbers(255), *y = numbers(255), *piece = numbers(20), *padded = numbers(4 * 2 * 17 * 8);
    sv_transpose(y, x, 4, shape, perm, (int32_t)sizeof(real));
    const real one = 1;
    unsigned char *bytes = malloc(255), *few = malloc(20), *more = malloc(4 * 2 * 17 * 8);
    sv_slice(piece, x, 4, shape, part, starts, steps, (int32_t)sizeof(real));
    sv_unslice(y, piece, 4, shape, part, starts, steps, (int32_t)sizeof(real));
    sv_pad(padded, x, 4, shape, before, after, &one, (int32_t)sizeof(real));
    memset(bytes, 1, 255);
    sv_slice(few, bytes, 4, shape, part, starts, steps, 1);
    sv_unslice(bytes, few, 4, shape, part, starts, steps, 1);
    sv_pad(more, bytes, 4, shape, before, after, bytes, 1);
    free(x), free(y), free(piece), free(padded), free(bytes), free(few), free(more);
}

int main(void)
{
    static const sv_conv table[] = {
        /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
        {1, 1, 1, 64, 1, 1, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1},      {1, 1, 1, 130, 1, 1, 300, 1, 1, 1, 1, 0, 0, 1, 1, 1},
        {7, 1, 1, 33, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1},       {1, 9, 9, 3, 9, 9, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1},
        {2, 8, 6, 24, 4, 3, 40, 3, 3, 2, 2, 0, 0, 1, 1, 1},      {1, 11, 7, 1, 5, 4, 64, 10, 4, 2, 2, 4, 1, 1, 1, 1},
        {1, 7, 7, 65, 7, 7, 70, 1, 1, 1, 1, 0, 0, 1, 1, 1},      {3, 6, 6, 12, 3, 3, 18, 1, 1, 2, 2, 0, 0, 1, 1, 3},
        {1, 9, 10, 20, 5, 3, 20, 3, 3, 1, 3, 0, 1, 2, 2, 20},    {2, 7, 8, 5, 7, 8, 5, 3, 3, 1, 1, 1, 1, 1, 1, 5},
        {1, 6, 6, 72, 3, 3, 72, 5, 5, 2, 2, 2, 2, 1, 1, 72},     {1, 4, 4, 100, 4, 4, 100, 3, 3, 1, 1, 1, 1, 1, 1, 100},
        {1, 3, 3, 128, 3, 3, 128, 3, 3, 1, 1, 1, 1, 1, 1, 1},    {1, 2, 2, 7, 1, 1, 9, 2, 2, 3, 3, 0, 0, 1, 1, 1},
        {1, 16, 16, 16, 16, 16, 33, 3, 3, 1, 1, 1, 1, 1, 1, 1},  {1, 1, 20, 6, 1, 9, 8, 1, 3, 1, 2, 0, 0, 1, 1, 2},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) bad |= convolution(&table[i]);
    bad |= product(5, 33, 17) | product(1, 1, 3) | product(40, 4, 64) | product(2, 70, 9);
    pooling();
    rows(3, 10), rows(1, 1), rows(2, 37);
    moves();
    return bad;
}
