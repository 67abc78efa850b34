/* A round: what predicts is asked, its samples are kept, and the candidate is judged and learns. */
#ifndef SELVEDGE_LIVE_ROUND_H
#define SELVEDGE_LIVE_ROUND_H

#include "live_candidate.h"

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

#endif
