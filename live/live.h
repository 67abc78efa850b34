/* A model that goes on learning from a stream, and is never worse than it began: selvedge.Learner of classes, in C99.
 *
 * Given the same calls it makes the draws, keeps the memory, spends the error and takes the decisions of the learner
 * that selvedge.emit_live was given; with the same step the same weights, bit for bit. Settings and places are in
 * sv_live_plan (flash), all that changes is in sv_live and the arrays that sv_live_at points to (RAM). Between two calls the arena
 * holds what predicts; an optimiser's state there is any. No heap, no globals; memcpy, memset and libm. Compile it with
 * -ffp-contract=off.
 *
 * What predicts is always a part of the way from where the model began to what was committed last, so that it takes no
 * copy of its own: there are two, what learns and what that was at the last commit. */
#ifndef SELVEDGE_LIVE_H
#define SELVEDGE_LIVE_H

#include "judge.h"
#include "replay.h"
#include "spike.h"

enum { SV_LIVE_KEPT = 0, SV_LIVE_ROUND = 1, SV_LIVE_REFUSED = -1, SV_LIVE_BAD_LABEL = -2, SV_LIVE_LATE = -3 };

enum { SV_COMMITTED, SV_DROPPED, SV_LIVE_NO, SV_RESET, SV_KINDS }; /* of entries; SV_LIVE_NO: refused */
enum {
    SV_WHY_BETTER,     /* a: the logarithm of the wealth; n: the blend */
    SV_WHY_INFINITE,   /* its output is not finite */
    SV_WHY_WORSE,      /* a: the logarithm of the wealth */
    SV_WHY_NO_LOSS,    /* a: the loss */
    SV_WHY_LEAPT,      /* a: the loss, b: the usual one */
    SV_WHY_ANCHOR,     /* a: the upper bound, b: the mean, n: judges */
    SV_WHY_HELD_OUT,   /* a: how much worse, n: samples */
    SV_WHY_FIVE_TIMES, /* n: refusals */
    SV_WHY_ASKED,
    SV_WHY_SAMPLE,   /* it is not finite */
    SV_WHY_NO_ANSWER /* n: samples */
};

typedef struct {
    double a, b;
    uint32_t sample, n;
    int32_t kind, why;
} sv_entry;

#define SV_BLENDS_MOST 8
#define SV_LIVE_REFUSALS 5 /* in turn, before a candidate is given up */
#define SV_LIVE_CHUNK 256  /* judges that are asked at once */
#define SV_BEGAN -1

typedef float sv_live_real __attribute__((may_alias)); /* as in the emitted step */

/* What an array that learns is: a parameter in floats, which is blended; another of the model's; the optimiser's, which
 * no prediction reads. */
enum { SV_BLENDED, SV_OF_MODEL, SV_OF_OPTIMISER };

/* Where it lies in the arena, and its beginning in the weights. */
typedef struct {
    uint32_t arena, weights, bytes, kind;
} sv_live_part;

typedef struct {
    int32_t (*predict)(void *context);
    int32_t (*step)(void *context); /* 0, or why it was refused */
    const sv_live_part *parts;
    int32_t part_count;
    int32_t predict_x, predict_output, step_x, step_y, step_rate, step_loss; /* bytes from the start of the arena */
    int32_t batch, elements, classes;
    int32_t dims[4], strides[4]; /* of a sample as it is stored, in elements of one as PyTorch has it */
    const float *scale, *offset; /* of each channel, for samples that are bytes */
    int32_t plane;               /* elements of a channel */
    int32_t item;                /* bytes of a sample's element: 1 or 4 */
    sv_replay memory, held_out;
    uint64_t memory_random, held_out_random, seed;
    int32_t holds_out; /* whether there is a memory that only judges */
    const void *anchor_x;
    const int32_t *anchor_y;
    int32_t anchor_item, teaching, judging;
    int32_t every, steps, hold_out, warm, blends;
    float rate;
    double shares[3], margin, alpha, error, shadow, log_drop, log_classes, blend[SV_BLENDS_MOST];
    int32_t diary, waiting; /* entries; samples that wait for their labels */
} sv_live_plan;

typedef struct {
    sv_judge judge;
    sv_draws draws;
    double loss;
    uint64_t ticket; /* the next one */
    sv_spike spike;
    uint32_t seen, right, steps, rounds, commits, refused, late;
    int32_t fresh, trained, blend, grown_blend, deployed; /* deployed: the blend that predicts; SV_BEGAN: none */
    uint32_t since, candidate_steps, grown_steps;
    uint32_t entries, kinds[SV_KINDS];
} sv_live;

typedef struct {
    const sv_live_plan *plan;
    sv_live *live;
    void *context;
    unsigned char *arena;
    const unsigned char *weights;
    unsigned char *candidate, *grown; /* the parts, one after another */
    unsigned char *memory, *held_out;
    uint32_t *memory_held, *held_out_held;
    unsigned char *x; /* [every]: the round's samples */
    int32_t *y;
    double *losses, *knows, *ours, *odds; /* [every], and [classes] */
    unsigned char *rights, *began;        /* [every]; bits, of each judge: the start was right */
    unsigned char *sample;                /* one, on its way out of a memory */
    sv_entry *diary;
    unsigned char *waiting;
    uint64_t *tickets;
} sv_live_at;

/* -- sums ---------------------------------------------------------------------------------------------------------- */

/* numpy's sum of n <= 256 numbers: eight at once, then pairwise. */
SV_APART double sv_sum_few(const double *v, int32_t n)
{
    double sum = 0;
    if (n < 8) {
        for (int32_t i = 0; i < n; i++) sum = i ? sum + v[i] : v[0];
        return sum;
    }
    double r[8];
    int32_t i = 8;
    for (int32_t k = 0; k < 8; k++) r[k] = v[k];
    for (; i < n - n % 8; i += 8) for (int32_t k = 0; k < 8; k++) r[k] += v[i + k];
    sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    for (; i < n; i++) sum += v[i];
    return sum;
}

static inline double sv_sum_all(const double *v, int32_t n)
{
    if (n <= 128) return sv_sum_few(v, n);
    const int32_t half = n / 2 - n / 2 % 8;
    return sv_sum_few(v, half) + sv_sum_few(v + half, n - half);
}

/* -- the diary ----------------------------------------------------------------------------------------------------- */

SV_APART void sv_live_write(const sv_live_at *at, int32_t kind, int32_t why, uint32_t n, double a, double b)
{
    sv_live *const l = at->live;
    sv_entry *const e = at->diary + l->entries % (uint32_t)at->plan->diary;
    e->a = a;
    e->b = b;
    e->sample = l->seen;
    e->n = n;
    e->kind = kind;
    e->why = why;
    l->entries++;
    l->kinds[kind]++;
}

/* -- copies of what learns ----------------------------------------------------------------------------------------- */

SV_APART void sv_live_begin(const sv_live_at *at, unsigned char *copy)
{
    for (int32_t i = 0; i < at->plan->part_count; i++) {
        const sv_live_part *const p = at->plan->parts + i;
        memcpy(copy, at->weights + p->weights, p->bytes);
        copy += p->bytes;
    }
}

SV_APART void sv_live_load(const sv_live_at *at, const unsigned char *copy)
{
    for (int32_t i = 0; i < at->plan->part_count; i++) {
        const sv_live_part *const p = at->plan->parts + i;
        memcpy(at->arena + p->arena, copy, p->bytes);
        copy += p->bytes;
    }
}

static inline void sv_live_keep(const sv_live_at *at, unsigned char *copy)
{
    for (int32_t i = 0; i < at->plan->part_count; i++) {
        const sv_live_part *const p = at->plan->parts + i;
        memcpy(copy, at->arena + p->arena, p->bytes);
        copy += p->bytes;
    }
}

/* What predicts, into the arena: from where it began, a share of the way to the copy. */
SV_APART void sv_live_blend(const sv_live_at *at, const unsigned char *copy, int32_t blend)
{
    const float share = (float)at->plan->blend[blend];
    for (int32_t i = 0; i < at->plan->part_count; i++) {
        const sv_live_part *const p = at->plan->parts + i;
        if (p->kind == SV_BLENDED && share < 1) {
            sv_live_real *const to = (sv_live_real *)(void *)(at->arena + p->arena);
            const sv_live_real *const start = (const sv_live_real *)(const void *)(at->weights + p->weights);
            const sv_live_real *const end = (const sv_live_real *)(const void *)copy;
            for (uint32_t k = 0; k < p->bytes / 4; k++) to[k] = start[k] + (end[k] - start[k]) * share;
        } else if (p->kind != SV_OF_OPTIMISER) {
            memcpy(at->arena + p->arena, copy, p->bytes);
        }
        copy += p->bytes;
    }
}

static inline uint32_t sv_live_copy_bytes(const sv_live_at *at)
{
    uint32_t sum = 0;
    for (int32_t i = 0; i < at->plan->part_count; i++) sum += at->plan->parts[i].bytes;
    return sum;
}

/* What was committed last, into the arena. */
SV_APART void sv_live_deploy(const sv_live_at *at)
{
    if (at->live->deployed != SV_BEGAN) {
        sv_live_blend(at, at->grown, at->live->deployed);
        return;
    }
    for (int32_t i = 0; i < at->plan->part_count; i++) {
        const sv_live_part *const p = at->plan->parts + i;
        if (p->kind != SV_OF_OPTIMISER) memcpy(at->arena + p->arena, at->weights + p->weights, p->bytes);
    }
}

/* -- samples, and what the model says of them ---------------------------------------------------------------------- */

static inline int sv_finite(float v)
{
    uint32_t word;
    memcpy(&word, &v, sizeof word);
    return (word & 0x7F800000u) != 0x7F800000u;
}

/* A sample as PyTorch has it, into row `row` of the input at `to`. */
SV_APART void sv_live_lay(const sv_live_at *at, int32_t to, int32_t row, const void *sample, int32_t item)
{
    const sv_live_plan *const p = at->plan;
    const int32_t *const n = p->dims, *const s = p->strides;
    sv_live_real *out = (sv_live_real *)(void *)(at->arena + to) + (size_t)row * (size_t)p->elements;
    const int as_it_lies = s[0] == n[1] * s[1] && s[1] == n[2] * s[2] && s[2] == n[3] && s[3] == 1;
    if (as_it_lies && item == 4) {
        memcpy(out, sample, 4 * (size_t)p->elements);
        return;
    }
    if (as_it_lies) {
        const unsigned char *byte = (const unsigned char *)sample;
        for (int32_t channel = 0; channel < p->elements / p->plane; channel++) {
            const float scale = p->scale[channel], offset = p->offset[channel];
            for (int32_t k = 0; k < p->plane; k++) *out++ = (float)*byte++ * scale + offset;
        }
        return;
    }
    for (int32_t a = 0; a < n[0]; a++) {
        for (int32_t b = 0; b < n[1]; b++) {
            for (int32_t c = 0; c < n[2]; c++) {
                for (int32_t d = 0; d < n[3]; d++) {
                    const int32_t from = a * s[0] + b * s[1] + c * s[2] + d * s[3];
                    float v;
                    if (item == 4) {
                        memcpy(&v, (const unsigned char *)sample + 4 * (size_t)from, sizeof v);
                    } else {
                        const int32_t channel = from / p->plane;
                        v = (float)((const unsigned char *)sample)[from] * p->scale[channel];
                        v = v + p->offset[channel];
                    }
                    *out++ = v;
                }
            }
        }
    }
}

/* Predict the batch that was laid: 1 where all is finite, 0 for infinite numbers in the first `rows`, -1 for NaN. */
SV_APART int sv_live_run(const sv_live_at *at, int32_t rows)
{
    const sv_live_plan *const p = at->plan;
    if (p->predict(at->context)) return -1;
    const sv_live_real *const z = (const sv_live_real *)(const void *)(at->arena + p->predict_output);
    int found = 1;
    for (int32_t i = 0; i < p->batch * p->classes; i++) {
        if (sv_finite(z[i])) continue;
        if (z[i] != z[i]) return -1;
        if (i < rows * p->classes) found = 0;
    }
    return found;
}

static inline const sv_live_real *sv_live_output(const sv_live_at *at, int32_t row)
{
    const unsigned char *const outputs = at->arena + at->plan->predict_output;
    return (const sv_live_real *)(const void *)outputs + (size_t)row * (size_t)at->plan->classes;
}

SV_APART int32_t sv_live_class(const sv_live_at *at, int32_t row)
{
    const sv_live_real *const z = sv_live_output(at, row);
    int32_t best = 0;
    for (int32_t k = 1; k < at->plan->classes; k++) if (z[k] > z[best]) best = k;
    return best;
}

/* Of the output in `row`, and its class: minus half the Brier score, -1..0 (Brier 1950), and the loss. */
SV_APART double sv_live_knows(const sv_live_at *at, int32_t row, int32_t y, double *loss)
{
    const sv_live_real *const z = sv_live_output(at, row);
    const int32_t n = at->plan->classes;
    double *const p = at->odds, top = (double)z[0];
    for (int32_t k = 1; k < n; k++) if ((double)z[k] > top) top = (double)z[k];
    for (int32_t k = 0; k < n; k++) p[k] = exp((double)z[k] - top);
    const double sum = sv_sum_all(p, n);
    if (loss) *loss = log(sum) + top - (double)z[y];
    for (int32_t k = 0; k < n; k++) {
        p[k] /= sum;
        if (k == y) p[k] -= 1;
        p[k] *= p[k];
    }
    return -sv_sum_all(p, n) / 2;
}

/* Lay `rows` samples, the last again where the batch is larger, and predict: as sv_live_run. */
SV_APART int sv_live_predict_rows(const sv_live_at *at, const unsigned char *x, int32_t rows, int32_t item)
{
    const sv_live_plan *const p = at->plan;
    const size_t bytes = (size_t)p->elements * (size_t)item;
    for (int32_t i = 0; i < p->batch; i++) {
        sv_live_lay(at, p->predict_x, i, x + bytes * (size_t)(i < rows ? i : rows - 1), item);
    }
    return sv_live_run(at, rows);
}

/* -- lessons ------------------------------------------------------------------------------------------------------- */

static inline void sv_live_teach(const sv_live_at *at, int32_t row, const void *x, int32_t item, int32_t y)
{
    sv_live_lay(at, at->plan->step_x, row, x, item);
    memcpy(at->arena + at->plan->step_y + 4 * (size_t)row, &y, sizeof y);
}

/* A batch, into the arena: places drawn by the shares of what there is - n new samples, the memory, the anchor. */
static inline void sv_live_batch(const sv_live_at *at, int32_t n)
{
    const sv_live_plan *const p = at->plan;
    const int32_t held = sv_replay_held(at->memory), there[3] = {n, held, p->teaching};
    double ends[3], sum = 0;
    for (int32_t i = 0; i < 3; i++) sum += there[i] ? p->shares[i] : 0.0;
    const int even = !(sum > 0);
    double whole = 0;
    for (int32_t i = 0; i < 3; i++) {
        const double open_to = even ? (there[i] ? 1.0 : 0.0) : there[i] ? p->shares[i] : 0.0;
        whole += open_to;
        ends[i] = whole;
    }
    int32_t count[3] = {0, 0, 0}, row = 0;
    for (int32_t i = 0; i < 3; i++) ends[i] /= whole;
    for (int32_t i = 0; i < p->batch; i++) {
        const double u = (double)sv_draws_uniform(&at->live->draws);
        count[u < ends[0] ? 0 : u < ends[1] ? 1 : 2]++;
    }
    const size_t bytes = (size_t)p->elements * (size_t)p->item;
    for (int32_t i = 0; i < count[0]; i++) {
        const uint32_t k = sv_draws_below(&at->live->draws, (uint32_t)n);
        sv_live_teach(at, row++, at->x + bytes * k, p->item, at->y[k]);
    }
    while (count[1] > 0) {
        int32_t slots[SV_BATCH_MOST];
        const int32_t part = count[1] < held ? count[1] : held;
        sv_replay_draw(at->memory, part, slots);
        for (int32_t i = 0; i < part; i++) {
            sv_replay_take(&p->memory, at->memory, slots[i], at->sample);
            sv_live_teach(at, row++, at->sample, p->item, sv_replay_label(&p->memory, at->memory, slots[i]));
        }
        count[1] -= part;
    }
    const size_t wide = (size_t)p->elements * (size_t)p->anchor_item;
    for (int32_t i = 0; i < count[2]; i++) {
        const uint32_t k = sv_draws_below(&at->live->draws, (uint32_t)p->teaching);
        sv_live_teach(at, row++, (const unsigned char *)p->anchor_x + wide * k, p->anchor_item, p->anchor_y[k]);
    }
}

/* -- the candidate ------------------------------------------------------------------------------------------------- */

/* Another candidate, from what was committed last. */
SV_APART void sv_live_restart(const sv_live_at *at, int32_t kind, int32_t why, uint32_t n, double a, double b)
{
    sv_live *const l = at->live;
    sv_live_write(at, kind, why, n, a, b);
    memcpy(at->candidate, at->grown, sv_live_copy_bytes(at));
    l->candidate_steps = l->grown_steps;
    sv_judge_next(&l->judge);
    l->trained = 0;
    l->since = l->seen;
    l->blend = l->grown_blend;
}

/* Predictions that a look takes. */
static inline int32_t sv_live_cost(const sv_live_at *at)
{
    return at->plan->judging + (at->plan->holds_out ? 2 * sv_replay_held(at->held_out) : 0);
}

/* What would be committed says what of n samples that nobody has learnt from, beside what predicts? */
static inline void sv_live_settle(const sv_live_at *at, int32_t n)
{
    const sv_live_plan *const p = at->plan;
    sv_live *const l = at->live;
    if (!sv_judge_pay(&l->judge, n)) return;
    sv_live_blend(at, at->candidate, l->blend);
    const size_t bytes = (size_t)p->elements * (size_t)p->item;
    for (int32_t i = 0; i < n; i += p->batch) {
        const int32_t rows = n - i < p->batch ? n - i : p->batch;
        if (sv_live_predict_rows(at, at->x + bytes * (size_t)i, rows, p->item) < 1) {
            sv_live_restart(at, SV_DROPPED, SV_WHY_INFINITE, 0, 0, 0);
            return;
        }
        for (int32_t r = 0; r < rows; r++) at->ours[i + r] = sv_live_knows(at, r, at->y[i + r], 0);
    }
    for (int32_t i = 0; i < n; i++) sv_evidence_update(&l->judge, at->ours[i] - at->knows[i]);
    const double wealth = sv_evidence_log(&l->judge);
    if (wealth < p->log_drop) sv_live_restart(at, SV_DROPPED, SV_WHY_WORSE, 0, wealth, 0);
}

/* Ask the anchor's judges of what is in the arena: -1 where an output is NaN, 1 where they speak against it, which is
 * entered; *unasked: how many were not asked, as there was no hope. began: only keep what they say. */
static inline int sv_live_ask(const sv_live_at *at, int began, int32_t *unasked)
{
    const sv_live_plan *const p = at->plan;
    sv_live *const l = at->live;
    const size_t bytes = (size_t)p->elements * (size_t)p->anchor_item;
    const unsigned char *const x = (const unsigned char *)p->anchor_x + bytes * (size_t)p->teaching;
    int32_t sum = 0, squares = 0;
    *unasked = 0;
    for (int32_t from = 0; from < p->judging; from += SV_LIVE_CHUNK) {
        const int32_t end = p->judging - from < SV_LIVE_CHUNK ? p->judging : from + SV_LIVE_CHUNK;
        for (int32_t i = from; i < end; i += p->batch) {
            const int32_t rows = end - i < p->batch ? end - i : p->batch;
            if (sv_live_predict_rows(at, x + bytes * (size_t)i, rows, p->anchor_item) < 0) return -1;
            for (int32_t r = 0; r < rows; r++) {
                const int32_t k = i + r, right = sv_live_class(at, r) == p->anchor_y[p->teaching + k];
                if (began) {
                    at->began[k / 8] = (unsigned char)(at->began[k / 8] | right << k % 8);
                } else {
                    const int32_t gain = right - (at->began[k / 8] >> k % 8 & 1);
                    sum += gain;
                    squares += gain * gain;
                }
            }
        }
        if (began) continue;
        const double error = sv_spent(p->error, l->judge.looks + 1);
        const sv_loss found = sv_lost(end, sum, squares, error);
        if (end < p->judging) {
            if (!sv_hopeless(found, end, p->judging, error, p->margin)) continue;
        } else {
            l->judge.looks++;
        }
        l->judge.roomy = found.upper <= p->margin / 2;
        if (end == p->judging && found.upper <= p->margin) return 0;
        sv_live_write(at, SV_LIVE_NO, SV_WHY_ANCHOR, (uint32_t)end, found.upper, found.mean);
        *unasked = p->judging - end;
        return 1;
    }
    return 0;
}

/* How many of the samples that were held out what is in the arena tells right; -1 where an output is NaN. */
static inline int32_t sv_live_right_of_held_out(const sv_live_at *at)
{
    const sv_live_plan *const p = at->plan;
    const int32_t n = sv_replay_held(at->held_out);
    int32_t right = 0;
    for (int32_t i = 0; i < n; i += p->batch) {
        const int32_t rows = n - i < p->batch ? n - i : p->batch;
        for (int32_t r = 0; r < p->batch; r++) {
            sv_replay_take(&p->held_out, at->held_out, i + (r < rows ? r : rows - 1), at->sample);
            sv_live_lay(at, p->predict_x, r, at->sample, p->item);
        }
        if (sv_live_run(at, rows) < 0) return -1;
        for (int32_t r = 0; r < rows; r++) {
            right += sv_live_class(at, r) == sv_replay_label(&p->held_out, at->held_out, i + r);
        }
    }
    return right;
}

/* Whether something speaks against this blend of the candidate; that is entered. */
static inline int sv_live_refuses(const sv_live_at *at, int32_t blend)
{
    int32_t unasked = 0;
    sv_live_blend(at, at->candidate, blend);
    if (at->plan->judging) {
        const int found = sv_live_ask(at, 0, &unasked);
        if (found < 0) {
            sv_live_write(at, SV_LIVE_NO, SV_WHY_INFINITE, 0, 0, 0);
            return 1;
        }
        at->live->judge.credit += unasked;
        if (found) return 1;
    }
    const int32_t n = at->plan->holds_out ? sv_replay_held(at->held_out) : 0;
    if (!n) return 0;
    const int32_t ours = sv_live_right_of_held_out(at);
    if (ours >= 0) sv_live_deploy(at);
    const int32_t theirs = ours < 0 ? -1 : sv_live_right_of_held_out(at);
    if (theirs < 0) {
        sv_live_write(at, SV_LIVE_NO, SV_WHY_INFINITE, 0, 0, 0);
        return 1;
    }
    if (ours >= theirs) return 0;
    sv_live_write(at, SV_LIVE_NO, SV_WHY_HELD_OUT, (uint32_t)n, (double)(theirs - ours) / (double)n, 0);
    return 1;
}

/* Let the candidate predict, unless something speaks against it. */
static inline void sv_live_commit(const sv_live_at *at, double wealth)
{
    const sv_live_plan *const p = at->plan;
    sv_live *const l = at->live;
    const int32_t blend = l->blend;
    if (!sv_judge_pay(&l->judge, sv_live_cost(at))) return;
    if (!sv_live_refuses(at, blend)) {
        memcpy(at->grown, at->candidate, sv_live_copy_bytes(at));
        l->grown_steps = l->candidate_steps;
        l->deployed = blend;
        sv_judge_next(&l->judge);
        l->commits++;
        sv_live_write(at, SV_COMMITTED, SV_WHY_BETTER, (uint32_t)blend, wealth, 0);
        l->grown_blend = blend;
        l->blend = blend > l->judge.roomy ? blend - l->judge.roomy : 0;
        return;
    }
    l->judge.refusals++;
    if (l->judge.refusals >= SV_LIVE_REFUSALS) {
        sv_live_restart(at, SV_DROPPED, SV_WHY_FIVE_TIMES, SV_LIVE_REFUSALS, 0, 0);
        return;
    }
    l->blend = blend + 1 < p->blends ? blend + 1 : p->blends - 1;
    sv_judge_again(&l->judge);
}

/* The candidate, in the arena, learns `steps` updates of n new samples and of others. */
static inline void sv_live_learn_steps(const sv_live_at *at, int32_t steps, int32_t n, double usual)
{
    const sv_live_plan *const p = at->plan;
    sv_live *const l = at->live;
    l->spike.seen = 0;
    for (int32_t i = 0; i < steps; i++) {
        float loss;
        sv_live_batch(at, n);
        memcpy(at->arena + p->step_rate, &p->rate, sizeof p->rate);
        const int32_t status = p->step(at->context);
        memcpy(&loss, at->arena + p->step_loss, sizeof loss);
        if (status) {
            sv_live_restart(at, SV_DROPPED, SV_WHY_NO_LOSS, 0, (double)loss, 0);
            return;
        }
        l->steps++;
        if (sv_spike_update(&l->spike, loss, usual)) {
            sv_live_restart(at, SV_DROPPED, SV_WHY_LEAPT, 0, (double)loss, usual);
            return;
        }
    }
    l->trained += steps;
    l->candidate_steps += (uint32_t)steps;
    sv_live_keep(at, at->candidate);
    sv_judge_earn(&l->judge, steps * p->batch * 3 * p->shadow, 2.0 * sv_live_cost(at) + 4 * p->every);
}

/* -- a round ------------------------------------------------------------------------------------------------------- */

/* What predicts, of n samples of the round: their losses, knowledge and rights. One at a time where they are not all
 * finite. Those to which no answer is sound are taken out: how many are left. */
static inline int32_t sv_live_answered(const sv_live_at *at, int32_t n)
{
    const sv_live_plan *const p = at->plan;
    const size_t bytes = (size_t)p->elements * (size_t)p->item;
    int32_t left = 0, at_once = p->batch;
    for (int32_t i = 0; i < n;) {
        const int32_t rows = n - i < at_once ? n - i : at_once;
        const int found = sv_live_predict_rows(at, at->x + bytes * (size_t)i, rows, p->item);
        if (found < 1 && at_once > 1) {
            at_once = 1;
            i = 0;
            continue;
        }
        for (int32_t r = 0; r < rows; r++) {
            at->losses[i + r] = HUGE_VAL;
            if (found < 1) continue;
            at->knows[i + r] = sv_live_knows(at, r, at->y[i + r], at->losses + i + r);
            at->rights[i + r] = sv_live_class(at, r) == at->y[i + r];
        }
        i += rows;
    }
    for (int32_t i = 0; i < n; i++) {
        if (!(at->losses[i] <= 1e3)) continue;
        if (i > left) {
            memcpy(at->x + bytes * (size_t)left, at->x + bytes * (size_t)i, bytes);
            at->y[left] = at->y[i];
            at->losses[left] = at->losses[i];
            at->knows[left] = at->knows[i];
            at->rights[left] = at->rights[i];
        }
        left++;
    }
    if (left < n) {
        at->live->refused += (uint32_t)(n - left);
        sv_live_write(at, SV_LIVE_NO, SV_WHY_NO_ANSWER, (uint32_t)(n - left), 0, 0);
    }
    return left;
}

static inline void sv_live_round(const sv_live_at *at)
{
    const sv_live_plan *const p = at->plan;
    sv_live *const l = at->live;
    const int32_t fresh = l->fresh;
    l->fresh = 0;
    const int32_t n = sv_live_answered(at, fresh);
    if (!n) return;
    const double losses = sv_sum_few(at->losses, n);
    for (int32_t i = 0; i < n; i++) l->right += at->rights[i];
    l->loss += losses;
    if (l->trained && l->seen - l->since >= (uint32_t)p->warm) sv_live_settle(at, n);
    const size_t bytes = (size_t)p->elements * (size_t)p->item;
    for (int32_t i = 0; i < n; i++) {
        const unsigned char *const x = at->x + bytes * (size_t)i;
        l->seen++;
        if (p->holds_out && p->hold_out && l->seen % (uint32_t)p->hold_out == 0) {
            sv_replay_add(&p->held_out, at->held_out, at->held_out_held, x, at->y[i]);
        } else {
            sv_replay_add(&p->memory, at->memory, at->memory_held, x, at->y[i]);
        }
    }
    l->rounds++;
    const double wealth = sv_evidence_log(&l->judge);
    if (wealth >= -log(sv_spent(p->alpha, l->judge.candidate))) sv_live_commit(at, wealth);
    const double mean = losses / n;
    sv_live_load(at, at->candidate);
    sv_live_learn_steps(at, n * p->steps, n, mean > p->log_classes ? mean : p->log_classes);
    sv_live_deploy(at);
}

/* -- what is called ------------------------------------------------------------------------------------------------ */

/* Begin: the arena is as NAME_init left it. Asks the anchor's judges once. */
static inline void sv_live_start(const sv_live_at *at)
{
    const sv_live_plan *const p = at->plan;
    sv_live *const l = at->live;
    int32_t unasked;
    memset(l, 0, sizeof *l);
    sv_judge_init(&l->judge, p->judging);
    l->draws.seed = p->seed;
    l->ticket = 1;
    l->deployed = SV_BEGAN;
    l->blend = l->grown_blend = p->judging ? p->blends / 2 : 0;
    sv_live_begin(at, at->candidate);
    sv_live_begin(at, at->grown);
    sv_replay_init(&p->memory, at->memory, at->memory_held, p->memory_random);
    if (p->holds_out) sv_replay_init(&p->held_out, at->held_out, at->held_out_held, p->held_out_random);
    if (p->waiting) memset(at->tickets, 0, (size_t)p->waiting * sizeof *at->tickets);
    if (p->judging) {
        memset(at->began, 0, ((size_t)p->judging + 7) / 8);
        (void)sv_live_ask(at, 1, &unasked);
    }
}

/* Go on: the state was put away and has come back; NAME_init was called before. */
static inline void sv_live_resume(const sv_live_at *at) { sv_live_deploy(at); }

static inline int sv_live_sound(const sv_live_at *at, const void *x)
{
    if (at->plan->item != 4) return 1;
    for (int32_t i = 0; i < at->plan->elements; i++) {
        float v;
        memcpy(&v, (const unsigned char *)x + 4 * (size_t)i, sizeof v);
        if (!sv_finite(v)) return 0;
    }
    return 1;
}

/* One sample, [elements] as PyTorch has them: its logits, in the arena until the next call; 0 where it, or one of them,
 * is not a number. */
static inline const float *sv_live_predict(const sv_live_at *at, const void *x)
{
    if (!sv_live_sound(at, x)) return 0;
    if (sv_live_predict_rows(at, (const unsigned char *)x, 1, at->plan->item) < 0) return 0;
    return (const float *)sv_live_output(at, 0);
}

/* One sample with its label. SV_LIVE_KEPT; SV_LIVE_ROUND: it ended a round, which has learnt; SV_LIVE_REFUSED: it is
 * not finite, and counted; SV_LIVE_BAD_LABEL: nothing has changed. */
static inline int32_t sv_live_learn(const sv_live_at *at, const void *x, int32_t y)
{
    const sv_live_plan *const p = at->plan;
    sv_live *const l = at->live;
    if (y < 0 || y >= p->classes) return SV_LIVE_BAD_LABEL;
    if (!sv_live_sound(at, x)) {
        l->refused++;
        sv_live_write(at, SV_LIVE_NO, SV_WHY_SAMPLE, 0, 0, 0);
        return SV_LIVE_REFUSED;
    }
    const size_t bytes = (size_t)p->elements * (size_t)p->item;
    memcpy(at->x + bytes * (size_t)l->fresh, x, bytes);
    at->y[l->fresh++] = y;
    if (l->fresh < p->every) return SV_LIVE_KEPT;
    sv_live_round(at);
    return SV_LIVE_ROUND;
}

/* End the round with the samples that are there: before a pause. */
static inline void sv_live_finish(const sv_live_at *at)
{
    if (at->live->fresh) sv_live_round(at);
}

/* Back to the weights that it began with; what is remembered stays. */
static inline void sv_live_reset(const sv_live_at *at)
{
    sv_live *const l = at->live;
    l->deployed = SV_BEGAN;
    l->grown_blend = at->plan->judging ? at->plan->blends / 2 : 0;
    sv_live_begin(at, at->grown);
    l->grown_steps = 0;
    sv_live_restart(at, SV_RESET, SV_WHY_ASKED, 0, 0, 0);
    sv_live_deploy(at);
}

/* Keep a sample until its label comes: the ticket under which it is found. The oldest makes room. */
static inline uint64_t sv_live_wait(const sv_live_at *at, const void *x)
{
    const size_t bytes = (size_t)at->plan->elements * (size_t)at->plan->item;
    const uint64_t ticket = at->live->ticket++;
    const size_t slot = (size_t)(ticket % (uint64_t)at->plan->waiting);
    memcpy(at->waiting + bytes * slot, x, bytes);
    at->tickets[slot] = ticket;
    return ticket;
}

/* Its label: as sv_live_learn, or SV_LIVE_LATE where the sample is gone. */
static inline int32_t sv_live_label(const sv_live_at *at, uint64_t ticket, int32_t y)
{
    const size_t bytes = (size_t)at->plan->elements * (size_t)at->plan->item;
    const size_t slot = (size_t)(ticket % (uint64_t)at->plan->waiting);
    if (y < 0 || y >= at->plan->classes) return SV_LIVE_BAD_LABEL;
    if (!ticket || ticket >= at->live->ticket) return SV_LIVE_LATE;
    if (at->tickets[slot] != ticket) {
        at->live->late++;
        return SV_LIVE_LATE;
    }
    at->tickets[slot] = 0;
    return sv_live_learn(at, at->waiting + bytes * slot, y);
}

#endif
