/* Runs the sparse kernels on buffers of exactly the promised size, for a build with -fsanitize=address,undefined.
 * Exits 0 when all agree with the plain one. */
#include <stdio.h>
#include <stdlib.h>

#include "sparse_lanes.h"
#include "sparse_pixels.h"

#define WITHIN (real)1e-3
#include "agree.h"

static int32_t below(int32_t n) { return (int32_t)(rand() % n); }

static int layer(const sv_conv *d)
{
    const int32_t depth = d->kh * d->kw * d->c, pixels = d->n * d->oh * d->ow, most = depth * d->k, flat = sv_sparse_is_flat(d);
    int32_t *counts = malloc((size_t)d->k * sizeof *counts), total = 0, bad = 0;
    uint8_t *all = malloc((size_t)most + 1);
    for (int32_t k = 0; k < d->k; k++) { /* up to every third input, and the last one often */
        counts[k] = 0;
        for (int32_t at = below(3), before = 0; at < depth; before = at, at += 1 + below(3)) {
            all[total++] = (uint8_t)(at - before);
            counts[k]++;
        }
    }
    uint8_t *gaps = malloc((size_t)total + (total == 0));
    memcpy(gaps, all, (size_t)total);
    real *x = numbers(d->n * d->h * d->w * d->c), *values = numbers(total), *zeros = calloc((size_t)d->c, sizeof(real));
    real *want = numbers(pixels * d->k), *got = numbers(pixels * d->k);
    real *some = numbers(flat ? 0 : SV_SPARSE_ROWS * depth);
    sv_sparse_plain(want, x, values, gaps, counts, d, 0, pixels);
    sv_sparse_rows(got, x, values, gaps, counts, d, some, 0, pixels);
    bad |= differ("rows", got, want, pixels * d->k);
#if SV_LANES > 1
    real *turned = numbers((depth + SV_LANES) * sv_sparse_vectors(d) * SV_LANES);
    sv_sparse_pixels(got, x, values, gaps, counts, d, zeros, turned, 0, pixels);
    bad |= differ("pixels", got, want, pixels * d->k);
    free(turned);
#endif
    if (depth >= SV_SPARSE_LANES) { /* an entry a step, all in the last window that there is */
        const int32_t panels = (d->k + SV_SPARSE_LANES - 1) / SV_SPARSE_LANES;
        int32_t *steps = malloc((size_t)panels * sizeof *steps), *picks = malloc((size_t)total * sizeof *picks + 1), s = 0;
        real *lanes = calloc((size_t)total * SV_SPARSE_LANES + 1, sizeof(real));
        uint8_t *apart = malloc((size_t)total + 1);
        int32_t e = 0;
        for (int32_t p = 0; p < panels; p++) {
            int32_t window = 0;
            steps[p] = 0;
            for (int32_t first = 1, l = 0; l < SV_SPARSE_LANES && p * SV_SPARSE_LANES + l < d->k; l++) {
                int32_t at = 0;
                for (int32_t i = 0; i < counts[p * SV_SPARSE_LANES + l]; i++, e++) at += gaps[e];
                if (counts[p * SV_SPARSE_LANES + l] == 0) continue;
                if (first) window = sv_min_int(depth - SV_SPARSE_LANES, UINT8_MAX);
                if (at < window || at >= window + SV_SPARSE_LANES) continue; /* only the last entry of each output */
                picks[s] = (int32_t)((uint32_t)(at - window) << 4 * l);
                apart[s] = (uint8_t)(first ? window : 0);
                lanes[s * SV_SPARSE_LANES + l] = values[e - 1];
                first = 0, s++, steps[p]++;
            }
        }
        real *one = numbers(flat ? 0 : depth);
        sv_sparse_lanes(got, x, lanes, picks, apart, steps, d, one, 0, pixels);
        free(steps), free(picks), free(lanes), free(apart), free(one);
    }
    free(counts), free(all), free(gaps), free(x), free(values), free(zeros), free(want), free(got), free(some);
    return bad;
}

int main(void)
{
    int bad = 0;
    for (int32_t i = 0; i < 120; i++) {
        const int32_t size = below(3) ? 1 : 1 + below(3), stride = 1 + below(2), pad = below(size);
        sv_conv d = {1 + below(2), size + below(9), size + below(9), 1 + below(20), 0, 0, 1 + below(20), size, size,
                     stride, stride, pad, pad, 1, 1, 1};
        d.oh = (d.h + 2 * pad - size) / stride + 1, d.ow = (d.w + 2 * pad - size) / stride + 1;
        bad |= layer(&d);
    }
    return bad;
}
