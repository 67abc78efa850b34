/* int8 softmax in fixed point: the exponential and the quotient of gemmlowp (fixedpoint/fixedpoint.h), as LiteRT's
 * reference calls them. Qm.n: m bits before the point, n after, of an int32. The result's scale is 1/256, its zero
 * point -128. */
#ifndef SELVEDGE_INT8_SOFTMAX_H
#define SELVEDGE_INT8_SOFTMAX_H

#include "int8.h"

#define SV_EXP_BITS 5  /* what the exponential reads is Q5.26 */
#define SV_SUM_BITS 12 /* what it is summed in is Q12.19 */

/* exp(x) in Q0.31 of x <= 0 in Q5.26: a Taylor series about -1/8 within a quarter, by squarings beyond. */
SV_FN int32_t sv_int8_exp(int32_t x)
{
    /* exp(-2^i) in Q0.31, i from -2 */
    static const int32_t powers[] = {1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242};
    const int32_t quarter = 1 << (31 - SV_EXP_BITS - 2), constant = 1895147668, third = 715827883;
    const int32_t within = (x & (quarter - 1)) - quarter, rest = within - x;
    const int32_t a = within * (1 << SV_EXP_BITS) + (1 << 28), a2 = sv_doubling_high(a, a);
    const int32_t a3 = sv_doubling_high(a2, a), a4 = sv_doubling_high(a2, a2);
    const int32_t tail = sv_doubling_high(sv_rounding_shift(a4, 2) + a3, third) + a2;
    int32_t result = constant + sv_doubling_high(a + sv_rounding_shift(tail, 1), constant);
    for (int32_t i = 0; i < 7; i++)
        if (rest & (1 << (31 - SV_EXP_BITS - 2 + i))) result = sv_doubling_high(result, powers[i]);
    return x == 0 ? INT32_MAX : result;
}

/* 1 / (1 + x) in Q0.31 of x in [0, 1): Newton and Raphson, three rounds from 48/17 - 32/17 d, in Q2.29. */
SV_FN int32_t sv_int8_reciprocal(int32_t x)
{
    const int32_t half = (int32_t)(((int64_t)x + INT32_MAX + 1) >> 1);
    int32_t y = 1515870810 + sv_doubling_high(half, -1010580540);
    for (int i = 0; i < 3; i++) {
        const int32_t miss = (1 << 29) - sv_doubling_high(half, y);
        y += sv_saturated((int64_t)sv_doubling_high(y, miss) * 4);
    }
    return sv_saturated((int64_t)y * 2);
}

/* y, x (rows, n). A difference to the largest, times multiplier and 2^shift, is Q5.26; below `least` exp is zero. */
SV_NOINLINE void sv_int8_softmax(int8_t *y, const int8_t *x, int32_t rows, int32_t n, int32_t multiplier, int32_t shift,
                           int32_t least)
{
    for (int32_t r = 0; r < rows; r++, x += n, y += n) {
        int32_t most = -128, sum = 0, headroom = 0;
        for (int32_t i = 0; i < n; i++) most = sv_max_int(most, x[i]);
        for (int32_t i = 0; i < n; i++)
            if (x[i] - most >= least)
                sum += sv_rounding_shift(sv_int8_exp(sv_scaled(x[i] - most, multiplier, shift)), SV_SUM_BITS);
        while (headroom < 31 && !((uint32_t)sum << headroom & 0x80000000u)) headroom++;
        const int32_t share = sv_int8_reciprocal((int32_t)(((uint32_t)sum << headroom) - 0x80000000u));
        const int32_t exponent = SV_SUM_BITS - headroom + 31 - 8;
        for (int32_t i = 0; i < n; i++) {
            const int32_t difference = x[i] - most;
            y[i] = -128;
            if (difference < least) continue;
            const int32_t power = sv_int8_exp(sv_scaled(difference, multiplier, shift));
            const int32_t product = sv_doubling_high(share, power);
            const int32_t whole = (exponent > 31 ? 0 : sv_rounding_shift(product, exponent)) - 128;
            y[i] = (int8_t)(whole < -128 ? -128 : (whole > 127 ? 127 : whole));
        }
    }
}

#endif
