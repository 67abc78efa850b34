/* What a learner is told, in flash: sv_live_plan; all that changes, in RAM: sv_live; and where both lie: sv_live_at. */
#ifndef SELVEDGE_LIVE_PLAN_H
#define SELVEDGE_LIVE_PLAN_H

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

#endif
