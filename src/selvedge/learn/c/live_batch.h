/* Batches: new samples, remembered ones, the anchor's. */
#ifndef SELVEDGE_LIVE_BATCH_H
#define SELVEDGE_LIVE_BATCH_H

#include "live_answers.h"

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

#endif
