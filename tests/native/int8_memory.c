/* Runs every int8 kernel on buffers of exactly the promised size, for a build with -fsanitize=address,undefined.
 * Exits 0 when the fast kernels are the plain ones in every bit. */
#include <stdio.h>
#include <stdlib.h>

#include "int8_conv.h"
#include "int8_depthwise.h"
#include "int8_elementwise.h"
#include "int8_pool.h"
#include "int8_softmax.h"

static int8_t *codes(int32_t count)
{
    int8_t *x = malloc((size_t)count + (count == 0));
    for (int32_t i = 0; i < count; i++) x[i] = rand() % 4 ? (int8_t)(rand() % 256 - 128) : (int8_t)(rand() % 2 ? 127 : -128);
    return x;
}

static int32_t *whole(int32_t count, int32_t least, int32_t most)
{
    int32_t *x = malloc((size_t)count * sizeof *x);
    for (int32_t i = 0; i < count; i++) x[i] = least + (int32_t)((double)rand() / RAND_MAX * ((double)most - least));
    return x;
}

static int differ(const char *name, const int8_t *a, const int8_t *b, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (a[i] != b[i]) return printf("%s: %d is not %d at %d\n", name, a[i], b[i], i), 1;
    return 0;
}

/* (rows, products, k) as (panels, rows, pairs, SV_INT8_PANEL, 2). */
static int8_t *packed(const int8_t *w, int32_t rows, int32_t products, int32_t k)
{
    const int32_t panels = (k + SV_INT8_PANEL - 1) / SV_INT8_PANEL, pairs = (products + 1) / 2;
    int8_t *made = calloc((size_t)(panels * rows * pairs * 2 * SV_INT8_PANEL), 1);
    for (int32_t r = 0; r < rows; r++)
        for (int32_t p = 0; p < products; p++)
            for (int32_t o = 0; o < k; o++) {
                const int32_t pair = (o / SV_INT8_PANEL * rows + r) * pairs + p / 2;
                made[(pair * SV_INT8_PANEL + o % SV_INT8_PANEL) * 2 + p % 2] = w[(r * products + p) * k + o];
            }
    return made;
}

/* Rows of k numbers, each filled up with zeros to the end of the last panel. */
static int32_t *filled(const int32_t *x, int32_t rows, int32_t k)
{
    const int32_t outs = (k + SV_INT8_PANEL - 1) / SV_INT8_PANEL * SV_INT8_PANEL;
    int32_t *made = calloc((size_t)(rows * outs), sizeof *made);
    for (int32_t r = 0; r < rows; r++) memcpy(made + r * outs, x + r * k, (size_t)k * sizeof *x);
    return made;
}

/* Bytes of scratch, as src/selvedge/planning/int8_scratch.py counts them. */
static int32_t ring(const sv_conv *d)
{
    const int32_t channels = d->c >= SV_INT8_CHANNELS ? SV_INT8_CHANNELS : d->c / 8 * 8;
    return 4 * channels * sv_int8_across(d) * sv_int8_slots(d);
}

static int convolution(const sv_conv *d, int wide)
{
    const int32_t cg = d->c / d->groups, pixels = d->n * d->oh * d->ow, products = d->kh * d->kw * cg;
    const sv_int8 q = {-128, 0, 5, -100, 127};
    int8_t *x = codes(d->n * d->h * d->w * d->c), *w = codes(products * d->k), *y = codes(pixels * d->k);
    int8_t *plain = codes(pixels * d->k), *panels = packed(w, d->kh, d->kw * cg, d->k);
    int32_t *bias = whole(d->k, -100000, 100000), *scales = whole(2 * d->k, 1 << 30, INT32_MAX);
    for (int32_t k = 0; k < d->k; k++) scales[d->k + k] = wide ? 1 - k % 9 : -k % 32;
    int32_t *both = calloc(2 * (size_t)d->k, sizeof *both);
    memcpy(both, bias, (size_t)d->k * sizeof *both);
    for (int32_t p = 0; p < products * d->k; p++) both[d->k + p % d->k] += w[p];
    int32_t *bias_8 = filled(both, 2, d->k), *scales_8 = filled(scales, 2, d->k);
    int8_t *scratch = malloc((size_t)(d->groups == 1 ? sv_int8_scratch(d) : ring(d)));
    int bad = 0;
    sv_int8_conv2d_plain(plain, x, w, bias, scales, d, &q);
    if (d->groups == 1) {
        if (wide) sv_int8_conv2d_wide(y, x, panels, bias_8, scales_8, d, &q, scratch);
        else sv_int8_conv2d(y, x, panels, bias_8, scales_8, d, &q, scratch);
        bad |= differ("int8_conv2d", y, plain, pixels * d->k);
    } else if (cg == 1 && d->k == d->c) {
        sv_int8_depthwise(y, x, w, bias, scales, d, &q, wide ? 0 : scratch);
        bad |= differ("int8_depthwise", y, plain, pixels * d->k);
    }
    if (d->groups == 1 && pixels == d->n && d->kh * d->kw == 1 && d->h * d->w == 1) {
        double *factors = malloc((size_t)(d->k + SV_INT8_PANEL) * sizeof *factors);
        for (int32_t k = 0; k < d->k + SV_INT8_PANEL; k++) factors[k] = 1.0 / (1 << k % 20);
        const int32_t outs = (d->k + SV_INT8_PANEL - 1) / SV_INT8_PANEL * SV_INT8_PANEL;
        int32_t *pairs = malloc((size_t)outs * sizeof *factors);
        memcpy(pairs, factors, (size_t)outs * sizeof *factors);
        int8_t *turned = codes(products * d->k);
        for (int32_t p = 0; p < products; p++)
            for (int32_t o = 0; o < d->k; o++) turned[o * products + p] = w[p * d->k + o];
        sv_int8_linear_plain(plain, x, turned, bias, pairs, d->n, d->c, d->k, &q);
        sv_int8_linear(y, x, panels, bias_8, pairs, d, &q, scratch);
        bad |= differ("int8_linear", y, plain, pixels * d->k);
        free(factors), free(pairs), free(turned);
    }
    free(x), free(w), free(y), free(plain), free(panels), free(bias), free(scales), free(both), free(bias_8), free(scales_8);
    free(scratch);
    return bad;
}

static void pointwise(int32_t n)
{
    static const sv_int8 q = {0, 0, -3, -128, 127};
    const sv_int8_operand by[] = {{-128, 1 << 30, 0}, {127, INT32_MAX, -3}, {0, 1 << 30, -18}};
    const int32_t shape[] = {2, n}, as[] = {n, 1}, bs[] = {0, 1};
    int8_t *a = codes(2 * n), *b = codes(n), *y = codes(2 * n), *entries = codes(256);
    real *reals = malloc((size_t)n * sizeof *reals);
    sv_int8_add(y, a, b, 2, shape, as, bs, by, &q);
    sv_int8_mul(y, a, b, 2, shape, as, bs, by, &q);
    sv_int8_table(y, a, entries, 2 * n);
    sv_int8_dequantise(reals, a, n, 1e30f, 127);
    for (int32_t i = 0; i < n; i += 3) reals[i] = (real)(i % 2 ? NAN : INFINITY);
    sv_int8_quantise(b, reals, n, 1e-30f, -128);
    sv_int8_softmax(y, a, 2, n, INT32_MAX, 31, -128);
    sv_int8_softmax(y, a, 2, n, 1 << 30, 20, -255);
    free(a), free(b), free(y), free(entries), free(reals);
}

static void pools(int32_t c)
{
    static const sv_int8 q = {-128, 0, 127, -128, 127};
    static const sv_window wh[] = {0, 2, 1, 1, 3, 1}, ww[] = {0, 1, 1, 0, 4, 1, 2, 4, 1};
    int8_t *x = codes(2 * 3 * 4 * c), *y = codes(2 * 2 * 3 * c), *mean = codes(2 * c);
    uint8_t *index = malloc((size_t)(2 * 2 * 3 * c));
    sv_int8_max_pool(y, index, x, 2, 3, 4, c, 2, 3, wh, ww);
    sv_int8_average_pool(y, x, 2, 3, 4, c, 2, 3, wh, ww, -128, 127);
    sv_int8_mean(mean, x, 2, 12, c, INT32_MAX, -31, &q);
    free(x), free(y), free(mean), free(index);
}

int main(void)
{
    static const sv_conv table[] = {
        /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
        {1, 1, 1, 640, 1, 1, 128, 1, 1, 1, 1, 0, 0, 1, 1, 1}, {7, 1, 1, 33, 1, 1, 9, 1, 1, 1, 1, 0, 0, 1, 1, 1},
        {1, 1, 1, 3, 1, 1, 1, 1, 1, 1, 1, 0, 0, 1, 1, 1},     {1, 9, 9, 3, 9, 9, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1},
        {2, 8, 6, 24, 4, 3, 40, 3, 3, 2, 2, 0, 0, 1, 1, 1},   {1, 11, 7, 1, 5, 4, 64, 10, 4, 2, 2, 4, 1, 1, 1, 1},
        {1, 7, 7, 65, 7, 7, 70, 1, 1, 1, 1, 0, 0, 1, 1, 1},   {3, 6, 6, 12, 3, 3, 18, 1, 1, 2, 2, 0, 0, 1, 1, 3},
        {1, 9, 10, 20, 5, 3, 20, 3, 3, 1, 3, 0, 1, 2, 2, 20}, {2, 7, 8, 5, 7, 8, 5, 3, 3, 1, 1, 1, 1, 1, 1, 5},
        {1, 6, 6, 72, 3, 3, 72, 5, 5, 2, 2, 2, 2, 1, 1, 72},  {1, 2, 2, 16, 6, 6, 16, 3, 3, 1, 1, 3, 3, 1, 1, 16},
        {1, 2, 2, 7, 1, 1, 9, 2, 2, 3, 3, 0, 0, 1, 1, 1},     {1, 5, 5, 16, 5, 5, 24, 3, 3, 1, 1, 2, 2, 2, 2, 1},
    };
    int bad = 0;
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++)
        bad |= convolution(&table[i], 0) | convolution(&table[i], 1);
    for (int32_t n = 1; n < 40; n += 7) pointwise(n), pools(n);
    pools(130);
    return bad;
}
