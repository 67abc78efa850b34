/* The int8 kernels, behind names a shared library exports. */
#include "int8_conv.h"
#include "int8_depthwise.h"
#include "int8_elementwise.h"
#include "int8_pool.h"
#include "int8_softmax.h"

int t_conv_plain(int8_t *y, const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *s, const sv_conv *d,
                 const sv_int8 *q)
{ sv_int8_conv2d_plain(y, x, w, b, s, d, q); return 0; }
int t_conv(int8_t *y, const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *s, const sv_conv *d,
           const sv_int8 *q, int8_t *scratch, int wide)
{
    if (wide) sv_int8_conv2d_wide(y, x, w, b, s, d, q, scratch);
    else sv_int8_conv2d(y, x, w, b, s, d, q, scratch);
    return 0;
}
int t_depthwise(int8_t *y, const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *s, const sv_conv *d,
                const sv_int8 *q, int8_t *scratch)
{ sv_int8_depthwise(y, x, w, b, s, d, q, scratch); return 0; }
int t_linear_plain(int8_t *y, const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *s, int32_t rows,
                   int32_t c, int32_t k, const sv_int8 *q)
{ sv_int8_linear_plain(y, x, w, b, s, rows, c, k, q); return 0; }
int t_linear(int8_t *y, const int8_t *x, const int8_t *w, const int32_t *b, const int32_t *s, const sv_conv *d,
             const sv_int8 *q, int8_t *scratch)
{ sv_int8_linear(y, x, w, b, s, d, q, scratch); return 0; }
int t_add(int8_t *y, const int8_t *a, const int8_t *b, int32_t rank, const int32_t *shape, const int32_t *as,
          const int32_t *bs, const sv_int8_operand *by, const sv_int8 *q)
{ sv_int8_add(y, a, b, rank, shape, as, bs, by, q); return 0; }
int t_mul(int8_t *y, const int8_t *a, const int8_t *b, int32_t rank, const int32_t *shape, const int32_t *as,
          const int32_t *bs, const sv_int8_operand *by, const sv_int8 *q)
{ sv_int8_mul(y, a, b, rank, shape, as, bs, by, q); return 0; }
int t_table(int8_t *y, const int8_t *x, const int8_t *entries, int32_t size) { sv_int8_table(y, x, entries, size); return 0; }
int t_quantise(int8_t *y, const real *x, int32_t size, const float *scale, int32_t zero)
{ sv_int8_quantise(y, x, size, *scale, zero); return 0; }
int t_dequantise(real *y, const int8_t *x, int32_t size, const float *scale, int32_t zero)
{ sv_int8_dequantise(y, x, size, *scale, zero); return 0; }
int t_max_pool(int8_t *y, uint8_t *index, const int8_t *x, const int32_t *n, const sv_window *wh, const sv_window *ww)
{ sv_int8_max_pool(y, index, x, n[0], n[1], n[2], n[3], n[4], n[5], wh, ww); return 0; }
int t_average_pool(int8_t *y, const int8_t *x, const int32_t *n, const sv_window *wh, const sv_window *ww, int32_t low,
                   int32_t high)
{ sv_int8_average_pool(y, x, n[0], n[1], n[2], n[3], n[4], n[5], wh, ww, low, high); return 0; }
int t_mean(int8_t *y, const int8_t *x, int32_t a, int32_t r, int32_t c, int32_t multiplier, int32_t shift,
           const sv_int8 *q)
{ sv_int8_mean(y, x, a, r, c, multiplier, shift, q); return 0; }
int t_softmax(int8_t *y, const int8_t *x, int32_t rows, int32_t n, int32_t multiplier, int32_t shift, int32_t least)
{ sv_int8_softmax(y, x, rows, n, multiplier, shift, least); return 0; }
int t_nearest(int8_t *y, const int8_t *x, const int32_t *n, const int32_t *rows, const int32_t *columns)
{ sv_nearest(y, x, n[0], n[1], n[2], n[4], n[5], rows, columns, n[3]); return 0; }
/* x * multiplier / 2^31 * 2^shift of `count` accumulators, by the plain kernel. */
int t_scaled(int32_t *y, const int32_t *x, int32_t count, int32_t multiplier, int32_t shift)
{
    for (int32_t i = 0; i < count; i++) y[i] = sv_scaled(x[i], multiplier, shift);
    return 0;
}
/* The same of |x| <= 2^30 and a shift <= 0 by vectors; and thirty-two at a time as int8. Answers whether there are any. */
int t_scaled_8(int32_t *y, int8_t *bytes, const int32_t *x, int32_t count, int32_t multiplier, int32_t shift, const sv_int8 *q)
{
#if SV_INT8_AVX2
    const sv_int8_scale by = sv_int8_scale_of(_mm256_set1_epi32(multiplier), _mm256_set1_epi32(shift));
    const sv_int8_ends ends = sv_int8_ends_of(q);
    for (int32_t i = 0; i < count; i += 32) {
        __m256i made[4];
        for (int v = 0; v < 4; v++) {
            const __m256i sums = _mm256_loadu_si256((const __m256i *)(const void *)(x + i + 8 * v));
            made[v] = sv_scaled_8(sums, &by);
            _mm256_storeu_si256((__m256i *)(void *)(y + i + 8 * v), made[v]);
        }
        _mm256_storeu_si256((__m256i *)(void *)(bytes + i), sv_narrowed_32(made[0], made[1], made[2], made[3], &ends));
    }
    return 1;
#else
    (void)y, (void)bytes, (void)x, (void)count, (void)multiplier, (void)shift, (void)q;
    return 0;
#endif
}
int t_narrowed(int8_t *y, const int32_t *x, int32_t count, const sv_int8 *q)
{
    for (int32_t i = 0; i < count; i++) y[i] = sv_narrowed(x[i], q);
    return 0;
}
