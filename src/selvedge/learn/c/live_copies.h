/* Copies of what learns: into the arena and out of it, and a part of the way between two. */
#ifndef SELVEDGE_LIVE_COPIES_H
#define SELVEDGE_LIVE_COPIES_H

#include "live_plan.h"

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

#endif
