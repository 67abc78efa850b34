/* Streaming anomaly detection on one series in a fixed number of bytes: the C99 of selvedge.learn.anomaly.NoveltyDetector.
 *
 * The struct is the detector's whole state, laid out as the Python class lays out its buffer: the bytes of either go on
 * in the other. Compile with -ffp-contract=off and both give the same bits; with contraction the last bits differ. */
#ifndef SELVEDGE_NOVELTY_H
#define SELVEDGE_NOVELTY_H

#include <stdint.h>

#ifndef SELVEDGE_NOVELTY_VALUES
#define SELVEDGE_NOVELTY_VALUES 672 /* 4 KiB in all; each costs 6 B; a multiple of 4 */
#endif

typedef struct {
    double last;        /* time of the last value, NaN before the first */
    float step;         /* the usual time between two, 0 until it is known */
    uint32_t rows;      /* values seen, missing ones apart */
    uint32_t next;      /* at how many rows centre and scale are seen to */
    uint32_t held;      /* values held */
    float centre, scale;
    float mean[2], variance[2]; /* of the gap, of the compressed gap */
    float peak;         /* the oddest of the last hold rows */
    uint32_t age;       /* rows since then */
    float values[SELVEDGE_NOVELTY_VALUES];    /* ascending, the first `held` of them */
    uint16_t counts[SELVEDGE_NOVELTY_VALUES]; /* how often each was seen, relative to the others */
} selvedge_novelty;

void selvedge_novelty_init(selvedge_novelty *s);

/* Score of `value` in [0, 1): odder than anything in the last `hold` rows, else 0. A `value` that is not finite is
 * missing: it scores 0. `time` in any unit, NaN where there is none. `warm`: values before gaps are counted. */
float selvedge_novelty_update(selvedge_novelty *s, float value, double time, uint32_t warm, uint32_t hold);

#endif
