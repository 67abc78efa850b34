/* net: emitted from plan adf3c80175cdda47; do not edit. */
#ifndef SV_REAL
#define SV_REAL float
#endif
#ifndef SV_VECTOR_BYTES
#define SV_VECTOR_BYTES 32 /* the plan's scratch was counted for it */
#endif
#if defined(__clang__)
#pragma clang diagnostic ignored "-Wpass-failed" /* SV_IVDEP allows vectors; calls of libm have none */
#endif
#include "net.h"
#include "elementwise.h"
#include "move.h"
#include "pool.h"
#include "saved.h"
#include "selvedge.h"
#include "softmax.h"
#ifdef SV_LINKED
#include "linked.h"
#else
#include "conv.h"
#endif

#if SV_LANES != 8
#error "this plan was made for SV_VECTOR_BYTES 32: take -DSV_VECTOR_BYTES away"
#endif

#ifdef SELVEDGE_CHECK
#define SELVEDGE_EVENT(c, program, event) do { if ((c)->hook) (c)->hook(program, event); } while (0)
#else
#define SELVEDGE_EVENT(c, program, event) ((void)0)
#endif

/* What a convolution reads outside its input. */
static const real zeros[512] = {0};

void net_init(net_context *c, void *arena, const void *weights)
{
    c->arena = (unsigned char *)arena;
    c->weights = (const unsigned char *)weights;
    memcpy(c->arena, c->weights + 0, 39744);
}

/* conv2d + add + relu at module 0 (Conv2d) */
static void predict_0_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* x */
    const real *const r1 = (const real *)(const void *)(a + 0); /* 0.weight */
    const real *const r2 = (const real *)(const void *)(a + 576); /* 0.bias */
    real *const w0 = (real *)(void *)(a + 56128); /* relu.7 */
    static const sv_conv d = {8, 8, 8, 1, 4, 4, 16, 3, 3, 2, 2, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 128;
    real *const raw = w0 + u * 16;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 16; r += 16) {
        SV_IVDEP
        for (int32_t i = 0; i < 16; i++) {
            const real t0 = raw[r + i] + r2[i];
            const real t1 = sv_relu(t0);
            w0[u * 16 + r + i] = t1;
        }
    }
    SV_WALL();
}

/* conv2d + add + relu at module 2 (Conv2d) */
static void predict_1_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 56128); /* relu.7 */
    const real *const r1 = (const real *)(const void *)(a + 640); /* 2.weight */
    const real *const r2 = (const real *)(const void *)(a + 19072); /* 2.bias */
    real *const w0 = (real *)(void *)(a + 39744); /* relu.8 */
    static const sv_conv d = {8, 4, 4, 16, 4, 4, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 128;
    real *const raw = w0 + u * 32;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 32; r += 32) {
        SV_IVDEP
        for (int32_t i = 0; i < 32; i++) {
            const real t0 = raw[r + i] + r2[i];
            const real t1 = sv_relu(t0);
            w0[u * 32 + r + i] = t1;
        }
    }
    SV_WALL();
}

/* avg_pool at module 4 (AdaptiveAvgPool2d) */
static void predict_2_avg_pool(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* relu.8 */
    real *const w0 = (real *)(void *)(a + 56128); /* avg_pool.9 */
    static const sv_window wh[] = {0, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1};
    static const sv_window ww[] = {0, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1};
    static const sv_window ch[] = {1, 1, 1, 1};
    static const sv_window cw[] = {1, 1, 1, 1};
    sv_avg_pool(w0, r0, 8, 4, 4, 32, 4, 4, wh, ww, ch, cw);
    SV_WALL();
}

/* transpose at module 5 (Flatten) */
static void predict_3_transpose(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 56128); /* avg_pool.9 */
    real *const w0 = (real *)(void *)(a + 39744); /* transpose.10 */
    static const int32_t shape[] = {8, 4, 4, 32};
    static const int32_t perm[] = {0, 3, 1, 2};
    sv_transpose(w0, r0, 4, shape, perm, (int32_t)sizeof *w0);
    SV_WALL();
}

/* matmul + add at module 6 (Linear) */
static void predict_4_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* transpose.10 */
    const real *const r1 = (const real *)(const void *)(a + 19200); /* 6.weight */
    const real *const r2 = (const real *)(const void *)(a + 39680); /* 6.bias */
    real *const w0 = (real *)(void *)(a + 56128); /* add.11 */
    static const sv_conv d = {8, 1, 1, 512, 1, 1, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 8;
    real *const raw = w0 + u * 10;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 10; r += 10) {
        SV_IVDEP
        for (int32_t i = 0; i < 10; i++) {
            const real t0 = raw[r + i] + r2[i];
            w0[u * 10 + r + i] = t0;
        }
    }
    SV_WALL();
}

/* 5 kernels, 649216 multiply-accumulates. */
int32_t net_predict(net_context *c)
{
    unsigned char *const a = c->arena;
    const unsigned char *const w = c->weights;
    SELVEDGE_EVENT(c, 0, 0);
    predict_0_conv2d(a, w);
    SELVEDGE_EVENT(c, 0, -1);
    SELVEDGE_EVENT(c, 0, 2);
    predict_1_conv2d(a, w);
    SELVEDGE_EVENT(c, 0, -3);
    SELVEDGE_EVENT(c, 0, 4);
    predict_2_avg_pool(a, w);
    SELVEDGE_EVENT(c, 0, -5);
    SELVEDGE_EVENT(c, 0, 6);
    predict_3_transpose(a, w);
    SELVEDGE_EVENT(c, 0, -7);
    SELVEDGE_EVENT(c, 0, 8);
    predict_4_conv2d(a, w);
    SELVEDGE_EVENT(c, 0, -9);
    return SELVEDGE_OK;
}

/* conv2d + add + relu at module 0 (Conv2d) */
static void evaluate_0_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* x */
    const real *const r1 = (const real *)(const void *)(a + 0); /* 0.weight */
    const real *const r2 = (const real *)(const void *)(a + 576); /* 0.bias */
    real *const w0 = (real *)(void *)(a + 56128); /* relu.8 */
    static const sv_conv d = {8, 8, 8, 1, 4, 4, 16, 3, 3, 2, 2, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 128;
    real *const raw = w0 + u * 16;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 16; r += 16) {
        SV_IVDEP
        for (int32_t i = 0; i < 16; i++) {
            const real t0 = raw[r + i] + r2[i];
            const real t1 = sv_relu(t0);
            w0[u * 16 + r + i] = t1;
        }
    }
    SV_WALL();
}

/* conv2d + add + relu at module 2 (Conv2d) */
static void evaluate_1_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 56128); /* relu.8 */
    const real *const r1 = (const real *)(const void *)(a + 640); /* 2.weight */
    const real *const r2 = (const real *)(const void *)(a + 19072); /* 2.bias */
    real *const w0 = (real *)(void *)(a + 39744); /* relu.9 */
    static const sv_conv d = {8, 4, 4, 16, 4, 4, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 128;
    real *const raw = w0 + u * 32;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 32; r += 32) {
        SV_IVDEP
        for (int32_t i = 0; i < 32; i++) {
            const real t0 = raw[r + i] + r2[i];
            const real t1 = sv_relu(t0);
            w0[u * 32 + r + i] = t1;
        }
    }
    SV_WALL();
}

/* avg_pool at module 4 (AdaptiveAvgPool2d) */
static void evaluate_2_avg_pool(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* relu.9 */
    real *const w0 = (real *)(void *)(a + 56128); /* avg_pool.10 */
    static const sv_window wh[] = {0, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1};
    static const sv_window ww[] = {0, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1};
    static const sv_window ch[] = {1, 1, 1, 1};
    static const sv_window cw[] = {1, 1, 1, 1};
    sv_avg_pool(w0, r0, 8, 4, 4, 32, 4, 4, wh, ww, ch, cw);
    SV_WALL();
}

/* transpose at module 5 (Flatten) */
static void evaluate_3_transpose(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 56128); /* avg_pool.10 */
    real *const w0 = (real *)(void *)(a + 39744); /* transpose.11 */
    static const int32_t shape[] = {8, 4, 4, 32};
    static const int32_t perm[] = {0, 3, 1, 2};
    sv_transpose(w0, r0, 4, shape, perm, (int32_t)sizeof *w0);
    SV_WALL();
}

/* matmul + add at module 6 (Linear) */
static void evaluate_4_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* transpose.11 */
    const real *const r1 = (const real *)(const void *)(a + 19200); /* 6.weight */
    const real *const r2 = (const real *)(const void *)(a + 39680); /* 6.bias */
    real *const w0 = (real *)(void *)(a + 56128); /* add.12 */
    static const sv_conv d = {8, 1, 1, 512, 1, 1, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 8;
    real *const raw = w0 + u * 10;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 10; r += 10) {
        SV_IVDEP
        for (int32_t i = 0; i < 10; i++) {
            const real t0 = raw[r + i] + r2[i];
            w0[u * 10 + r + i] = t0;
        }
    }
    SV_WALL();
}

/* cross_entropy */
static int32_t evaluate_5_cross_entropy(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 56128); /* add.12 */
    const int32_t *const r1 = (const int32_t *)(const void *)(a + 72512); /* y */
    real *const w0 = (real *)(void *)(a + 40064); /* cross_entropy.13 */
    real *const w1 = (real *)(void *)(a + 39744); /* cross_entropy.14 */
    for (int32_t i = 0; i < 8; i++) if ((r1[i] < 0 && r1[i] != SV_IGNORED) || r1[i] >= 10) return SELVEDGE_BAD_LABEL;
    sv_cross_entropy(w0, w1, r0, r1, 8, 10, (real)0.0);
    SV_WALL();
    return SELVEDGE_OK;
}

/* 6 kernels, 649216 multiply-accumulates. */
int32_t net_evaluate(net_context *c)
{
    unsigned char *const a = c->arena;
    const unsigned char *const w = c->weights;
    int32_t status;
    SELVEDGE_EVENT(c, 1, 0);
    evaluate_0_conv2d(a, w);
    SELVEDGE_EVENT(c, 1, -1);
    SELVEDGE_EVENT(c, 1, 2);
    evaluate_1_conv2d(a, w);
    SELVEDGE_EVENT(c, 1, -3);
    SELVEDGE_EVENT(c, 1, 4);
    evaluate_2_avg_pool(a, w);
    SELVEDGE_EVENT(c, 1, -5);
    SELVEDGE_EVENT(c, 1, 6);
    evaluate_3_transpose(a, w);
    SELVEDGE_EVENT(c, 1, -7);
    SELVEDGE_EVENT(c, 1, 8);
    evaluate_4_conv2d(a, w);
    SELVEDGE_EVENT(c, 1, -9);
    SELVEDGE_EVENT(c, 1, 10);
    status = evaluate_5_cross_entropy(a, w);
    if (status != SELVEDGE_OK) return status;
    SELVEDGE_EVENT(c, 1, -11);
    return SELVEDGE_OK;
}

/* conv2d + add + relu at module 0 (Conv2d) */
static void step_0_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 84864); /* x */
    const real *const r1 = (const real *)(const void *)(a + 0); /* 0.weight */
    const real *const r2 = (const real *)(const void *)(a + 576); /* 0.bias */
    real *const w0 = (real *)(void *)(a + 39744); /* relu.9 */
    static const sv_conv d = {8, 8, 8, 1, 4, 4, 16, 3, 3, 2, 2, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 128;
    real *const raw = w0 + u * 16;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 16; r += 16) {
        SV_IVDEP
        for (int32_t i = 0; i < 16; i++) {
            const real t0 = raw[r + i] + r2[i];
            const real t1 = sv_relu(t0);
            w0[u * 16 + r + i] = t1;
        }
    }
    SV_WALL();
}

/* conv2d + add + relu at module 2 (Conv2d) */
static void step_1_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* relu.9 */
    const real *const r1 = (const real *)(const void *)(a + 640); /* 2.weight */
    const real *const r2 = (const real *)(const void *)(a + 19072); /* 2.bias */
    real *const w0 = (real *)(void *)(a + 47936); /* relu.10 */
    static const sv_conv d = {8, 4, 4, 16, 4, 4, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 128;
    real *const raw = w0 + u * 32;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 32; r += 32) {
        SV_IVDEP
        for (int32_t i = 0; i < 32; i++) {
            const real t0 = raw[r + i] + r2[i];
            const real t1 = sv_relu(t0);
            w0[u * 32 + r + i] = t1;
        }
    }
    SV_WALL();
}

/* pack_mask at module 3 (ReLU) */
static void step_10_pack_mask(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 47936); /* relu.10 */
    uint8_t *const w0 = (uint8_t *)(void *)(a + 86912); /* pack_mask.22 */
    sv_pack_mask_relu(w0, r0, 4096);
    SV_WALL();
}

/* avg_pool at module 4 (AdaptiveAvgPool2d) */
static void step_2_avg_pool(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 47936); /* relu.10 */
    real *const w0 = (real *)(void *)(a + 64320); /* avg_pool.11 */
    static const sv_window wh[] = {0, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1};
    static const sv_window ww[] = {0, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1};
    static const sv_window ch[] = {1, 1, 1, 1};
    static const sv_window cw[] = {1, 1, 1, 1};
    sv_avg_pool(w0, r0, 8, 4, 4, 32, 4, 4, wh, ww, ch, cw);
    SV_WALL();
}

/* transpose at module 5 (Flatten) */
static void step_3_transpose(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 64320); /* avg_pool.11 */
    real *const w0 = (real *)(void *)(a + 47936); /* transpose.12 */
    static const int32_t shape[] = {8, 4, 4, 32};
    static const int32_t perm[] = {0, 3, 1, 2};
    sv_transpose(w0, r0, 4, shape, perm, (int32_t)sizeof *w0);
    SV_WALL();
}

/* matmul + add at module 6 (Linear) */
static void step_4_conv2d(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 47936); /* transpose.12 */
    const real *const r1 = (const real *)(const void *)(a + 19200); /* 6.weight */
    const real *const r2 = (const real *)(const void *)(a + 39680); /* 6.bias */
    real *const w0 = (real *)(void *)(a + 87424); /* add.13 */
    static const sv_conv d = {8, 1, 1, 512, 1, 1, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 8;
    real *const raw = w0 + u * 10;
    sv_conv2d(raw, r0, r1, &d, zeros, u, v);
    for (int32_t r = 0; r < (v - u) * 10; r += 10) {
        SV_IVDEP
        for (int32_t i = 0; i < 10; i++) {
            const real t0 = raw[r + i] + r2[i];
            w0[u * 10 + r + i] = t0;
        }
    }
    SV_WALL();
}

/* cross_entropy */
static int32_t step_5_cross_entropy(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 87424); /* add.13 */
    const int32_t *const r1 = (const int32_t *)(const void *)(a + 80704); /* y */
    real *const w0 = (real *)(void *)(a + 87748); /* cross_entropy.14 */
    real *const w1 = (real *)(void *)(a + 84544); /* cross_entropy.15 */
    for (int32_t i = 0; i < 8; i++) if ((r1[i] < 0 && r1[i] != SV_IGNORED) || r1[i] >= 10) return SELVEDGE_BAD_LABEL;
    sv_cross_entropy(w0, w1, r0, r1, 8, 10, (real)0.0);
    SV_WALL();
    return SELVEDGE_OK;
}

/* cross_entropy_grad */
static void step_6_cross_entropy_grad(unsigned char *a, const unsigned char *w)
{
    const real *const r0 = (const real *)(const void *)(a + 84544); /* cross_entropy.15 */
    const int32_t *const r1 = (const int32_t *)(const void *)(a + 80704); /* y */
    const real *const r2 = (const real *)(const void *)(w + 39744); /* constant.9faeef68da5f */
    real *const w0 = (real *)(void *)(a + 84544); /* cross_entropy_grad.17 */
    sv_cross_entropy_grad(w0, r0, r1, r2, 8, 10, (real)0.0);
    SV_WALL();
}

/* reduce_sum */
static void step_21_reduce(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 84544); /* cross_entropy_grad.17 */
    real *const w0 = (real *)(void *)(a + 64320); /* reduce_sum.37 */
    for (int32_t j = 0; j < 10; j++) w0[0 + j] = 0;
    for (int32_t i0 = 0; i0 < 8; i0++) {
        SV_IVDEP
        for (int32_t i1 = 0; i1 < 10; i1++) {
            const real t0 = r0[i0 * 10 + i1];
            w0[i1] += t0;
        }
    }
    SV_WALL();
}

/* mul + sub */
static void step_22_loop(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 64320); /* reduce_sum.37 */
    const real *const r1 = (const real *)(const void *)(a + 87744); /* lr */
    const real *const r2 = (const real *)(const void *)(a + 39680); /* 6.bias */
    real *const w0 = (real *)(void *)(a + 39680); /* 6.bias */
    SV_IVDEP
    for (int32_t i0 = 0; i0 < 10; i0++) {
        const real t0 = r0[i0] * r1[0];
        const real t1 = r2[i0] - t0;
        w0[i0] = t1;
    }
    SV_WALL();
}

/* matmul */
static void step_7_conv2d_input_grad(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 84544); /* cross_entropy_grad.17 */
    const real *const r1 = (const real *)(const void *)(a + 19200); /* 6.weight */
    real *const w0 = (real *)(void *)(a + 64320); /* matmul.18 */
    real *const s = (real *)(void *)(a + 80704);
    static const sv_conv d = {8, 1, 1, 512, 1, 1, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    sv_conv2d_input_grad(w0, r0, r1, &d, zeros, s);
    SV_WALL();
}

/* matmul + mul + sub */
static void step_20_conv2d_weight_grad(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 47936); /* transpose.12 */
    const real *const r1 = (const real *)(const void *)(a + 84544); /* cross_entropy_grad.17 */
    const real *const r2 = (const real *)(const void *)(a + 87744); /* lr */
    const real *const r3 = (const real *)(const void *)(a + 19200); /* 6.weight */
    real *const w0 = (real *)(void *)(a + 19200); /* 6.weight */
    real *const s = (real *)(void *)(a + 80704);
    static const sv_conv d = {8, 1, 1, 512, 1, 1, 10, 1, 1, 1, 1, 0, 0, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    for (int32_t u = 0; u < 512; u += 96) {
        const int32_t v = sv_min_int(u + 96, 512);
        real *const raw = s;
        sv_conv2d_weight_grad(raw, r0, r1, &d, u, v);
        SV_IVDEP
        for (int32_t i = 0; i < (v - u) * 10; i++) {
            const real t0 = raw[i] * r2[0];
            const real t1 = r3[u * 10 + i] - t0;
            w0[u * 10 + i] = t1;
        }
    }
    SV_WALL();
}

/* transpose */
static void step_8_transpose(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 64320); /* matmul.18 */
    real *const w0 = (real *)(void *)(a + 47936); /* transpose.20 */
    static const int32_t shape[] = {8, 32, 4, 4};
    static const int32_t perm[] = {0, 2, 3, 1};
    sv_transpose(w0, r0, 4, shape, perm, (int32_t)sizeof *w0);
    SV_WALL();
}

/* avg_pool_grad */
static void step_9_avg_pool_grad(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 47936); /* transpose.20 */
    real *const w0 = (real *)(void *)(a + 68416); /* avg_pool_grad.21 */
    static const sv_window wh[] = {0, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1};
    static const sv_window ww[] = {0, 1, 1, 1, 2, 1, 2, 3, 1, 3, 4, 1};
    static const sv_window ch[] = {1, 1, 1, 1};
    static const sv_window cw[] = {1, 1, 1, 1};
    sv_avg_pool_grad(w0, r0, 8, 4, 4, 32, 4, 4, wh, ww, ch, cw);
    SV_WALL();
}

/* masked_grad */
static void step_11_loop(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 68416); /* avg_pool_grad.21 */
    const uint8_t *const r1 = (const uint8_t *)(const void *)(a + 86912); /* pack_mask.22 */
    real *const w0 = (real *)(void *)(a + 68416); /* masked_grad.23 */
    SV_IVDEP
    for (int32_t i0 = 0; i0 < 4096; i0++) {
        const real t0 = (r1[(i0) >> 3] >> ((i0) & 7) & 1) ? r0[i0] : (real)0;
        w0[i0] = t0;
    }
    SV_WALL();
}

/* reduce_sum */
static void step_18_reduce(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 68416); /* masked_grad.23 */
    real *const w0 = (real *)(void *)(a + 47936); /* reduce_sum.33 */
    for (int32_t j = 0; j < 32; j++) w0[0 + j] = 0;
    for (int32_t i0 = 0; i0 < 128; i0++) {
        SV_IVDEP
        for (int32_t i1 = 0; i1 < 32; i1++) {
            const real t0 = r0[i0 * 32 + i1];
            w0[i1] += t0;
        }
    }
    SV_WALL();
}

/* mul + sub */
static void step_19_loop(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 47936); /* reduce_sum.33 */
    const real *const r1 = (const real *)(const void *)(a + 87744); /* lr */
    const real *const r2 = (const real *)(const void *)(a + 19072); /* 2.bias */
    real *const w0 = (real *)(void *)(a + 19072); /* 2.bias */
    SV_IVDEP
    for (int32_t i0 = 0; i0 < 32; i0++) {
        const real t0 = r0[i0] * r1[0];
        const real t1 = r2[i0] - t0;
        w0[i0] = t1;
    }
    SV_WALL();
}

/* conv2d_input_grad */
static void step_12_conv2d_input_grad(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 68416); /* masked_grad.23 */
    const real *const r1 = (const real *)(const void *)(a + 640); /* 2.weight */
    real *const w0 = (real *)(void *)(a + 47936); /* conv2d_input_grad.24 */
    real *const s = (real *)(void *)(a + 56128);
    static const sv_conv d = {8, 4, 4, 16, 4, 4, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    sv_conv2d_input_grad(w0, r0, r1, &d, zeros, s);
    SV_WALL();
}

/* conv2d_weight_grad + mul + sub */
static void step_17_conv2d_weight_grad(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* relu.9 */
    const real *const r1 = (const real *)(const void *)(a + 68416); /* masked_grad.23 */
    const real *const r2 = (const real *)(const void *)(a + 87744); /* lr */
    const real *const r3 = (const real *)(const void *)(a + 640); /* 2.weight */
    real *const w0 = (real *)(void *)(a + 640); /* 2.weight */
    real *const s = (real *)(void *)(a + 56128);
    static const sv_conv d = {8, 4, 4, 16, 4, 4, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    for (int32_t u = 0; u < 144; u += 32) {
        const int32_t v = sv_min_int(u + 32, 144);
        real *const raw = s;
        sv_conv2d_weight_grad(raw, r0, r1, &d, u, v);
        SV_IVDEP
        for (int32_t i = 0; i < (v - u) * 32; i++) {
            const real t0 = raw[i] * r2[0];
            const real t1 = r3[u * 32 + i] - t0;
            w0[u * 32 + i] = t1;
        }
    }
    SV_WALL();
}

/* relu_grad */
static void step_13_loop(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 47936); /* conv2d_input_grad.24 */
    const real *const r1 = (const real *)(const void *)(a + 39744); /* relu.9 */
    real *const w0 = (real *)(void *)(a + 47936); /* relu_grad.26 */
    SV_IVDEP
    for (int32_t i0 = 0; i0 < 2048; i0++) {
        const real t0 = sv_relu_grad(r0[i0], r1[i0]);
        w0[i0] = t0;
    }
    SV_WALL();
}

/* conv2d_weight_grad + mul + sub */
static void step_14_conv2d_weight_grad(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 84864); /* x */
    const real *const r1 = (const real *)(const void *)(a + 47936); /* relu_grad.26 */
    const real *const r2 = (const real *)(const void *)(a + 87744); /* lr */
    const real *const r3 = (const real *)(const void *)(a + 0); /* 0.weight */
    real *const w0 = (real *)(void *)(a + 0); /* 0.weight */
    real *const s = (real *)(void *)(a + 39744);
    static const sv_conv d = {8, 8, 8, 1, 4, 4, 16, 3, 3, 2, 2, 1, 1, 1, 1, 1}; /* n, h, w, c, oh, ow, k, kh, kw, sh, sw, ph, pw, dh, dw, groups */
    const int32_t u = 0;
    const int32_t v = 9;
    real *const raw = s;
    sv_conv2d_weight_grad(raw, r0, r1, &d, u, v);
    SV_IVDEP
    for (int32_t i = 0; i < (v - u) * 16; i++) {
        const real t0 = raw[i] * r2[0];
        const real t1 = r3[u * 16 + i] - t0;
        w0[u * 16 + i] = t1;
    }
    SV_WALL();
}

/* reduce_sum */
static void step_15_reduce(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 47936); /* relu_grad.26 */
    real *const w0 = (real *)(void *)(a + 39744); /* reduce_sum.29 */
    for (int32_t j = 0; j < 16; j++) w0[0 + j] = 0;
    for (int32_t i0 = 0; i0 < 128; i0++) {
        SV_IVDEP
        for (int32_t i1 = 0; i1 < 16; i1++) {
            const real t0 = r0[i0 * 16 + i1];
            w0[i1] += t0;
        }
    }
    SV_WALL();
}

/* mul + sub */
static void step_16_loop(unsigned char *a, const unsigned char *w)
{
    (void)w;
    const real *const r0 = (const real *)(const void *)(a + 39744); /* reduce_sum.29 */
    const real *const r1 = (const real *)(const void *)(a + 87744); /* lr */
    const real *const r2 = (const real *)(const void *)(a + 576); /* 0.bias */
    real *const w0 = (real *)(void *)(a + 576); /* 0.bias */
    SV_IVDEP
    for (int32_t i0 = 0; i0 < 16; i0++) {
        const real t0 = r0[i0] * r1[0];
        const real t1 = r2[i0] - t0;
        w0[i0] = t1;
    }
    SV_WALL();
}

/* 23 kernels, 1929216 multiply-accumulates. */
int32_t net_step(net_context *c)
{
    unsigned char *const a = c->arena;
    const unsigned char *const w = c->weights;
    int32_t status;
    SELVEDGE_EVENT(c, 2, 0);
    step_0_conv2d(a, w);
    SELVEDGE_EVENT(c, 2, -1);
    SELVEDGE_EVENT(c, 2, 1);
    step_1_conv2d(a, w);
    SELVEDGE_EVENT(c, 2, -2);
    SELVEDGE_EVENT(c, 2, 2);
    step_10_pack_mask(a, w);
    SELVEDGE_EVENT(c, 2, -3);
    SELVEDGE_EVENT(c, 2, 3);
    step_2_avg_pool(a, w);
    SELVEDGE_EVENT(c, 2, -4);
    SELVEDGE_EVENT(c, 2, 5);
    step_3_transpose(a, w);
    SELVEDGE_EVENT(c, 2, -6);
    SELVEDGE_EVENT(c, 2, 7);
    step_4_conv2d(a, w);
    SELVEDGE_EVENT(c, 2, -8);
    SELVEDGE_EVENT(c, 2, 8);
    status = step_5_cross_entropy(a, w);
    if (status != SELVEDGE_OK) return status;
    SELVEDGE_EVENT(c, 2, -9);
    SELVEDGE_EVENT(c, 2, 9);
    step_6_cross_entropy_grad(a, w);
    SELVEDGE_EVENT(c, 2, -10);
    SELVEDGE_EVENT(c, 2, 12);
    step_21_reduce(a, w);
    SELVEDGE_EVENT(c, 2, -13);
    /* A loss that is not finite is refused before the first update. */
    const real loss = *(const real *)(const void *)(a + 87748);
    if (!(loss - loss == 0)) return SELVEDGE_NOT_FINITE;
    SELVEDGE_EVENT(c, 2, 13);
    step_22_loop(a, w);
    SELVEDGE_EVENT(c, 2, -14);
    SELVEDGE_EVENT(c, 2, 15);
    step_7_conv2d_input_grad(a, w);
    SELVEDGE_EVENT(c, 2, -16);
    SELVEDGE_EVENT(c, 2, 17);
    step_20_conv2d_weight_grad(a, w);
    SELVEDGE_EVENT(c, 2, -18);
    SELVEDGE_EVENT(c, 2, 21);
    step_8_transpose(a, w);
    SELVEDGE_EVENT(c, 2, -22);
    SELVEDGE_EVENT(c, 2, 23);
    step_9_avg_pool_grad(a, w);
    SELVEDGE_EVENT(c, 2, -24);
    SELVEDGE_EVENT(c, 2, 25);
    step_11_loop(a, w);
    SELVEDGE_EVENT(c, 2, -26);
    SELVEDGE_EVENT(c, 2, 28);
    step_18_reduce(a, w);
    SELVEDGE_EVENT(c, 2, -29);
    SELVEDGE_EVENT(c, 2, 29);
    step_19_loop(a, w);
    SELVEDGE_EVENT(c, 2, -30);
    SELVEDGE_EVENT(c, 2, 31);
    step_12_conv2d_input_grad(a, w);
    SELVEDGE_EVENT(c, 2, -32);
    SELVEDGE_EVENT(c, 2, 33);
    step_17_conv2d_weight_grad(a, w);
    SELVEDGE_EVENT(c, 2, -34);
    SELVEDGE_EVENT(c, 2, 36);
    step_13_loop(a, w);
    SELVEDGE_EVENT(c, 2, -37);
    SELVEDGE_EVENT(c, 2, 39);
    step_14_conv2d_weight_grad(a, w);
    SELVEDGE_EVENT(c, 2, -40);
    SELVEDGE_EVENT(c, 2, 42);
    step_15_reduce(a, w);
    SELVEDGE_EVENT(c, 2, -43);
    SELVEDGE_EVENT(c, 2, 44);
    step_16_loop(a, w);
    SELVEDGE_EVENT(c, 2, -45);
    return SELVEDGE_OK;
}

