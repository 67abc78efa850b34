/* A loss that leaps: the mean of the last 8 against a usual one (selvedge.learn.guard.spike). No heap, no libm. */
#ifndef SELVEDGE_SPIKE_H
#define SELVEDGE_SPIKE_H

#include <stdint.h>

#define SV_SPIKE_WINDOW 8
#define SV_SPIKE_TIMES 3.0 /* of the usual loss */

typedef struct {
    float ring[SV_SPIKE_WINDOW];
    uint32_t seen;
} sv_spike;

/* 1 where the losses have leapt with this one, which is finite. */
static inline int sv_spike_update(sv_spike *s, float loss, double usual)
{
    const uint32_t seen = s->seen;
    const float *const r = s->ring;
    s->ring[seen % SV_SPIKE_WINDOW] = loss < 1e30f ? loss : 1e30f;
    s->seen = seen < SV_SPIKE_WINDOW ? seen + 1 : (seen + 1) % SV_SPIKE_WINDOW + SV_SPIKE_WINDOW;
    if (seen + 1 < SV_SPIKE_WINDOW) return 0;
    const float sum = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
    return (double)(sum / 8) > SV_SPIKE_TIMES * usual;
}

#endif
