/* What was learnt, refused and taken back, and why: a ring of entries. */
#ifndef SELVEDGE_LIVE_DIARY_H
#define SELVEDGE_LIVE_DIARY_H

#include "live_plan.h"

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

#endif
