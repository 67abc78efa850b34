/* The sparse layer with lanes over outputs, for few pixels: SV_SPARSE_LANES outputs take an input each of one window of
 * as many neighbouring inputs, whichever they want of it: a permutation of a register.
 *
 * Steps lie panel after panel of outputs, counts[panel] of each. Step s looks at the inputs from position[s] on, gaps[s]
 * behind the step before it (of a panel's first, behind 0), and adds to output l of the panel
 *
 *   values[s, l] * patch[position[s] + picks[s] / 16^l % 16]
 *
 * An output that wants none of them has the value 0. Of N:M sparsity every output wants as many. */
#ifndef SELVEDGE_SPARSE_LANES_H
#define SELVEDGE_SPARSE_LANES_H

#include "sparse.h"

#if defined(__AVX2__) && defined(__FMA__) && SV_REAL_BYTES == 4
#define SV_SPARSE_AVX2 1
#include <immintrin.h>
#else
#define SV_SPARSE_AVX2 0
#endif

#define SV_SPARSE_LANES 8

/* One panel of one patch, as it is meant. */
SV_FN void sv_sparse_panel_plain(real *sums, const real *patch, const real *values, const int32_t *picks,
                                 const uint8_t *gaps, int32_t steps)
{
    for (int32_t l = 0; l < SV_SPARSE_LANES; l++) sums[l] = 0;
    for (int32_t s = 0; s < steps; s++, values += SV_SPARSE_LANES) {
        const uint32_t pick = (uint32_t)picks[s];
        patch += gaps[s];
        for (int32_t l = 0; l < SV_SPARSE_LANES; l++) sums[l] += values[l] * patch[pick >> 4 * l & 15];
    }
}

#if SV_SPARSE_AVX2
SV_INLINE __m256 sv_sparse_step(__m256 sum, const real *patch, const real *values, int32_t pick, __m256i shifts)
{
    const __m256i from = _mm256_srlv_epi32(_mm256_set1_epi32(pick), shifts); /* only the low 3 bits count */
    const __m256 x = _mm256_permutevar8x32_ps(_mm256_loadu_ps((const float *)patch), from);
    return _mm256_fmadd_ps(_mm256_loadu_ps((const float *)values), x, sum);
}

SV_INLINE void sv_sparse_panel(real *sums, const real *patch, const real *values, const int32_t *picks,
                               const uint8_t *gaps, int32_t steps)
{
    const __m256i shifts = _mm256_setr_epi32(0, 4, 8, 12, 16, 20, 24, 28);
    __m256 sum[4]; /* as many as hide the latency */
    SV_UNROLL
    for (int a = 0; a < 4; a++) sum[a] = _mm256_setzero_ps();
    int32_t s = 0;
    for (; s + 4 <= steps; s += 4) {
        SV_UNROLL
        for (int a = 0; a < 4; a++) {
            patch += gaps[s + a];
            sum[a] = sv_sparse_step(sum[a], patch, values + (s + a) * SV_SPARSE_LANES, picks[s + a], shifts);
        }
    }
    for (; s < steps; s++) {
        patch += gaps[s];
        sum[0] = sv_sparse_step(sum[0], patch, values + s * SV_SPARSE_LANES, picks[s], shifts);
    }
    _mm256_storeu_ps((float *)sums, _mm256_add_ps(_mm256_add_ps(sum[0], sum[1]), _mm256_add_ps(sum[2], sum[3])));
}
#else
#define sv_sparse_panel sv_sparse_panel_plain
#endif

/* As sv_sparse_plain. scratch: depth reals; none where the windows are the pixels themselves. depth >= 8. */
SV_NOINLINE void sv_sparse_lanes(real *out, const real *x, const real *values, const int32_t *picks,
                                 const uint8_t *gaps, const int32_t *counts, const sv_conv *d, real *scratch,
                                 int32_t p0, int32_t p1)
{
    const int flat = sv_sparse_is_flat(d);
    const ptrdiff_t depth = (ptrdiff_t)d->kh * d->kw * d->c;
    for (int32_t p = p0; p < p1; p++, out += d->k) {
        const real *const patch = flat ? x + p * depth : scratch;
        if (!flat) sv_sparse_patch(scratch, x, d, p);
        ptrdiff_t s = 0;
        for (int32_t o = 0; o < d->k; o += SV_SPARSE_LANES) {
            const int32_t steps = counts[o / SV_SPARSE_LANES];
            real sums[SV_SPARSE_LANES];
            sv_sparse_panel(sums, patch, values + s * SV_SPARSE_LANES, picks + s, gaps + s, steps);
            memcpy(out + o, sums, (size_t)sv_min_int(SV_SPARSE_LANES, d->k - o) * sizeof(real));
            s += steps;
        }
    }
}

#endif
