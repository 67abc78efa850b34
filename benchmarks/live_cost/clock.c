/* The emitted learner with a clock round each call of the model and round what replays: batches, and what is added to a
 * memory. LIVE_SOURCE is NAME_live.c whose calls of these are in TIMED. */
#define _POSIX_C_SOURCE 199309L
#include <stdint.h>
#include <time.h>

enum { STEPS, PREDICTIONS, REPLAY, PARTS };

static struct {
    uint64_t spent, calls;
} parts_of[PARTS];

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

#define TIMED(part, call) \
    do { \
        const uint64_t start_of_call = now(); \
        call; \
        parts_of[part].spent += now() - start_of_call; \
        parts_of[part].calls++; \
    } while (0)

#include LIVE_SOURCE

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define CALL(name) JOIN(MODEL, name)

void begin(const void *weights);
void bare(int32_t steps, const float *x, const int32_t *y, uint64_t *out);
void learn(int32_t n, const float *x, const int32_t *y, uint64_t *out);

static unsigned char arena[ARENA_BYTES] __attribute__((aligned(64))), other[ARENA_BYTES] __attribute__((aligned(64)));
static CALL(_context) context, alone;
static CALL(_live) live;

void begin(const void *weights)
{
    CALL(_init)(&context, arena, weights);
    CALL(_init)(&alone, other, weights);
    CALL(_live_init)(&live, &context);
}

/* `steps` updates of one batch, which is laid each time. out: nanoseconds. */
void bare(int32_t steps, const float *x, const int32_t *y, uint64_t *out)
{
    const float rate = RATE;
    const uint64_t start = now();
    for (int32_t i = 0; i < steps; i++) {
        memcpy(other + STEP_X, x, 4 * BATCH * SAMPLE_SIZE);
        memcpy(other + STEP_Y, y, 4 * BATCH);
        memcpy(other + STEP_RATE, &rate, sizeof rate);
        (void)CALL(_step)(&alone);
    }
    out[0] = now() - start;
}

/* n samples. out: nanoseconds in all; of each part and its calls; and of 1,000 looks at the clock. */
void learn(int32_t n, const float *x, const int32_t *y, uint64_t *out)
{
    memset(parts_of, 0, sizeof parts_of);
    const uint64_t start = now();
    for (int32_t i = 0; i < n; i++) (void)CALL(_live_learn)(&live, &context, x + (size_t)i * SAMPLE_SIZE, y[i]);
    *out++ = now() - start;
    for (int part = 0; part < PARTS; part++) {
        *out++ = parts_of[part].spent;
        *out++ = parts_of[part].calls;
    }
    const uint64_t first = now();
    for (int i = 0; i < 1000; i++) (void)now();
    *out = now() - first;
}
