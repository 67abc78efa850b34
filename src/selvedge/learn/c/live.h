/* A model that goes on learning from a stream, and is never worse than it began: selvedge.Learner of classes, in C99.
 *
 * Given the same calls it makes the draws, keeps the memory, spends the error and takes the decisions of the learner
 * that selvedge.emit_live was given; with the same step the same weights, bit for bit. Settings and places are in
 * sv_live_plan (flash), all that changes is in sv_live and the arrays that sv_live_at points to (RAM). Between two
 * calls the arena holds what predicts; an optimiser's state there is any. No heap, no globals; memcpy, memset and libm. Compile it with
 * -ffp-contract=off.
 *
 * What predicts is always a part of the way from where the model began to what was committed last, so that it takes no
 * copy of its own: there are two, what learns and what that was at the last commit. */
#ifndef SELVEDGE_LIVE_H
#define SELVEDGE_LIVE_H

#include "live_round.h"

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
