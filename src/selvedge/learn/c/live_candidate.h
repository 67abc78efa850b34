/* What learns, judged before it takes the place of what predicts. */
#ifndef SELVEDGE_LIVE_CANDIDATE_H
#define SELVEDGE_LIVE_CANDIDATE_H

#include "live_batch.h"
#include "live_copies.h"
#include "live_diary.h"

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
 * entered; *unasked: how many are not to be paid, as the first ones refused. began: only keep what they say. */
static inline int sv_live_ask(const sv_live_at *at, int began, int32_t *unasked)
{
    const sv_live_plan *const p = at->plan;
    sv_live *const l = at->live;
    const size_t bytes = (size_t)p->elements * (size_t)p->anchor_item;
    const unsigned char *const x = (const unsigned char *)p->anchor_x + bytes * (size_t)p->teaching;
    const int first = p->judging > SV_LIVE_CHUNK;
    int32_t minus = 0, plus = 0;
    *unasked = 0;
    for (int32_t from = 0; from < p->judging; from += SV_LIVE_CHUNK) {
        const int32_t end = p->judging - from < SV_LIVE_CHUNK ? p->judging : from + SV_LIVE_CHUNK;
        for (int32_t i = from; i < end; i += p->batch) {
            const int32_t rows = end - i < p->batch ? end - i : p->batch;
            if (sv_live_predict_rows(at, x + bytes * (size_t)i, rows, p->anchor_item) < 0) {
                if (!began) sv_judge_say(&l->judge, SV_REFUSED, first);
                return -1;
            }
            for (int32_t r = 0; r < rows; r++) {
                const int32_t k = i + r, right = sv_live_class(at, r) == p->anchor_y[p->teaching + k];
                if (began) {
                    at->began[k / 8] = (unsigned char)(at->began[k / 8] | right << k % 8);
                } else {
                    const int32_t gain = right - (at->began[k / 8] >> k % 8 & 1);
                    minus += gain < 0;
                    plus += gain > 0;
                }
            }
        }
        if (began) continue;
        const double nats = sv_judge_nats(&l->judge, p->error);
        if (end < p->judging && !sv_hopeless(end, minus, plus, p->judging, nats, p->margin)) continue;
        const sv_loss found = sv_lost(end, minus, plus, nats);
        l->judge.roomy = found.upper <= p->margin / 2;
        if (end == p->judging && found.upper <= p->margin) {
            sv_judge_say(&l->judge, l->judge.roomy ? SV_ROOMY : SV_PASSED, first);
            return 0;
        }
        sv_judge_say(&l->judge, first && !from ? SV_AT_ONCE : SV_REFUSED, first);
        sv_live_write(at, SV_LIVE_NO, SV_WHY_ANCHOR, (uint32_t)end, found.upper, found.mean);
        if (!from) *unasked = p->judging - end;
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

#endif
