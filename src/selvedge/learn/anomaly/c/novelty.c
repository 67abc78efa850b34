#include "novelty.h"

#include <math.h>
#include <string.h>

#define LARGEST 1e18f    /* of a value: its square must stay finite */
#define HORIZON 65536u   /* values: from there on the mean gap forgets */
#define FEWEST 8u        /* gaps before one can be odd */
#define FULL 65535u

void selvedge_novelty_init(selvedge_novelty *s) {
    memset(s, 0, sizeof *s);
    s->last = NAN;
    s->scale = 1.0f;
    s->next = 1;
}

/* asinh((value - centre) / scale) in units of log 2, its logarithm quadratic between powers of two (error < 0.01):
 * only operations that IEEE 754 rounds exactly, so that every machine gives the same bits. */
static float compressed(const selvedge_novelty *s, float value) {
    float y = (value - s->centre) / s->scale;
    float a = fabsf(y), f, r;
    int e;
    if (a > 1e9f) a = 1e9f;
    r = a * a;
    r = r + 1.0f;
    r = a + sqrtf(r);
    f = frexpf(r, &e);
    f = f * 2.0f;
    f = f - 1.0f;
    r = 1.0f - f;
    r = r * 0.34f;
    r = r + 1.0f;
    r = r * f;
    r = r + (float)(e - 1);
    return y < 0.0f ? -r : r;
}

static uint32_t below(const selvedge_novelty *s, float value) { /* how many of the held are smaller */
    uint32_t low = 0, high = s->held;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (s->values[middle] < value) low = middle + 1;
        else high = middle;
    }
    return low;
}

static float quantile(const selvedge_novelty *s, uint32_t twentieths) {
    uint64_t total = 0, passed = 0;
    uint32_t i;
    for (i = 0; i < s->held; i++) total += s->counts[i];
    for (i = 0; i + 1 < s->held; i++) {
        passed += s->counts[i];
        if (passed * 20 >= total * twentieths) break;
    }
    return s->values[i];
}

static void standardise(selvedge_novelty *s) {
    float scale = quantile(s, 15) - quantile(s, 5);
    s->centre = quantile(s, 10);
    if (!(scale > 0.0f)) scale = quantile(s, 19) - quantile(s, 1);
    if (!(scale > 0.0f)) scale = s->values[s->held - 1] - s->values[0];
    if (!(scale > 0.0f)) scale = fabsf(s->centre) * 0.01f;
    s->scale = scale > 0.0f ? scale : 1.0f;
    s->next = s->rows + 1 + s->rows / 4;
}

static float odd(float gap, float mean, float variance) { /* standard deviations above the mean gap */
    float above = gap - mean, spread = sqrtf(variance), z;
    mean = mean * 0.01f;
    spread = spread + mean;
    if (!(above > 0.0f)) return 0.0f;
    if (!(spread > 0.0f)) return 1e9f;
    z = above / spread;
    return z < 1e9f ? z : 1e9f;
}

static void count(selvedge_novelty *s, uint32_t i, uint32_t more) {
    uint32_t j, sum = s->counts[i] + more;
    s->counts[i] = (uint16_t)(sum < FULL ? sum : FULL);
    if (sum >= FULL)
        for (j = 0; j < s->held; j++) s->counts[j] = (uint16_t)((s->counts[j] + 1u) / 2u);
}

static void shift(selvedge_novelty *s, uint32_t to, uint32_t from) {
    memmove(s->values + to, s->values + from, (s->held - from) * sizeof *s->values);
    memmove(s->counts + to, s->counts + from, (s->held - from) * sizeof *s->counts);
}

static void merge(selvedge_novelty *s) { /* the two neighbours that are least apart, in both measures, become one */
    uint32_t i, at = 0, more;
    float least = INFINITY, left = compressed(s, s->values[0]), kept;
    for (i = 0; i + 1 < s->held; i++) {
        float right = compressed(s, s->values[i + 1]), apart = s->values[i + 1] - s->values[i], both = right - left;
        both = apart * both;
        left = right;
        if (both < least) { least = both; at = i; }
    }
    /* the ends stay: beyond them all is new */
    i = at == 0 ? 0 : at + 2 == s->held ? at + 1 : s->counts[at] >= s->counts[at + 1] ? at : at + 1;
    kept = s->values[i];
    more = s->counts[at + 1];
    s->values[at + 1] = kept;
    s->counts[at + 1] = s->counts[at];
    shift(s, at, at + 1);
    s->held--;
    count(s, at, more);
}

static void hold_value(selvedge_novelty *s, float value) {
    uint32_t i = below(s, value);
    if (i < s->held && s->values[i] == value) { count(s, i, 1); return; }
    if (s->held == SELVEDGE_NOVELTY_VALUES) { merge(s); i = below(s, value); }
    shift(s, i + 1, i);
    s->values[i] = value;
    s->counts[i] = 1;
    s->held++;
}

static uint32_t passed(selvedge_novelty *s, double time) { /* rows since the last call: one, or more after a gap */
    float since, rows;
    if (!isfinite(time)) return 1;
    since = isfinite(s->last) ? (float)(time - s->last) : 0.0f;
    s->last = time;
    if (!(since > 0.0f) || !isfinite(since)) return 1;
    if (!(s->step > 0.0f)) { s->step = since; return 1; }
    rows = since / s->step;
    if (since > s->step) { float up = s->step * 1.0625f; s->step = up < since ? up : since; }
    else { float down = s->step * 0.9375f; s->step = down > since ? down : since; }
    return rows < 1.0f ? 1 : rows < 65536.0f ? (uint32_t)rows : 65536;
}

float selvedge_novelty_update(selvedge_novelty *s, float value, double time, uint32_t warm, uint32_t hold) {
    uint32_t rows = passed(s, time), counted, k;
    float gap[2] = {0.0f, 0.0f}, z = 0.0f, weight, bar;
    s->age = s->age + rows < 0x7fffffffu ? s->age + rows : 0x7fffffffu;
    if (!isfinite(value)) return 0.0f;
    value = value > LARGEST ? LARGEST : value < -LARGEST ? -LARGEST : value;
    if (s->held) {
        uint32_t i;
        float c;
        if (s->rows >= s->next) standardise(s);
        i = below(s, value);
        c = compressed(s, value);
        gap[0] = gap[1] = INFINITY;
        if (i < s->held) { gap[0] = s->values[i] - value; gap[1] = compressed(s, s->values[i]) - c; }
        if (i > 0) {
            float left = value - s->values[i - 1], less = c - compressed(s, s->values[i - 1]);
            if (left < gap[0]) gap[0] = left;
            if (less < gap[1]) gap[1] = less;
        }
    }
    counted = s->rows > warm ? s->rows - warm : 0;
    for (k = 0; k < 2 && counted > FEWEST; k++) {
        float found = odd(gap[k], s->mean[k], s->variance[k]);
        if (found > z) z = found;
    }
    if (s->rows >= warm) {
        weight = 1.0f / (float)(counted + 1 < HORIZON ? counted + 1 : HORIZON);
        for (k = 0; k < 2; k++) {
            float d = gap[k] - s->mean[k], step = weight * d, square = step * d;
            s->mean[k] = s->mean[k] + step;
            square = s->variance[k] + square;
            s->variance[k] = (1.0f - weight) * square;
        }
    }
    hold_value(s, value);
    if (s->rows < 0x7fffffffu) s->rows++;
    bar = s->age <= hold ? s->peak : 0.0f;
    if (!(z > bar)) return 0.0f;
    s->peak = z;
    s->age = 0;
    bar = z + 1.0f;
    return z / bar;
}
