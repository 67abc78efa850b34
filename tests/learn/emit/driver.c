/* Plays the calls of a file to an emitted learner: calls.bin - a letter, then for l (learn) and w (wait for its label)
 * a label and a sample, p (predict) a sample, t (the label comes) a ticket and a label. Writes what each gave to
 * told.bin, and at the end the whole state to state.bin. s puts the state away and goes on from it, as after a reset. */
#include <stdio.h>
#include <stdlib.h>

#include LIVE_HEADER
#include WEIGHTS_HEADER

#define JOIN_(a, b) a##b
#define JOIN(a, b) JOIN_(a, b)
#define CALL(name) JOIN(MODEL, name)

static unsigned char arena[ARENA_BYTES] __attribute__((aligned(64)));
static unsigned char weights[WEIGHTS_BYTES] __attribute__((aligned(64)));
static CALL(_context) context;
static CALL(_live) live;

static void need(int good)
{
    if (!good) exit(9);
}

int main(void)
{
    FILE *const calls = fopen("calls.bin", "rb"), *const told = fopen("told.bin", "wb");
    SAMPLE x[SAMPLE_SIZE];
    int32_t y;
    need(calls && told);
    memcpy(weights, CALL(_weights), sizeof weights);
    CALL(_init)(&context, arena, weights);
    CALL(_live_init)(&live, &context);
    for (int letter; (letter = fgetc(calls)) != EOF;) {
        int32_t gave = 0;
        if (letter == 'l' || letter == 'w') {
            need(fread(&y, sizeof y, 1, calls) == 1 && fread(x, sizeof x, 1, calls) == 1);
            if (letter == 'l') gave = CALL(_live_learn)(&live, &context, x, y);
#ifdef WAITS
            if (letter == 'w') gave = (int32_t)CALL(_live_wait)(&live, &context, x);
        } else if (letter == 't') {
            uint64_t ticket;
            need(fread(&ticket, sizeof ticket, 1, calls) == 1 && fread(&y, sizeof y, 1, calls) == 1);
            gave = CALL(_live_label)(&live, &context, ticket, y);
#endif
        } else if (letter == 'p') {
            need(fread(x, sizeof x, 1, calls) == 1);
            const float *const output = CALL(_live_predict)(&live, &context, x);
            gave = output != 0;
            if (output) need(fwrite(output, sizeof *output, CLASSES, told) == CLASSES);
            continue;
        } else if (letter == 'f') {
            CALL(_live_finish)(&live, &context);
        } else if (letter == 'r') {
            CALL(_live_reset)(&live, &context);
        } else {
            static CALL(_live) away;
            away = live;
            memset(&live, 0xA5, sizeof live);
            memset(arena, 0xA5, sizeof arena);
            live = away;
            CALL(_init)(&context, arena, weights);
            CALL(_live_resume)(&live, &context);
        }
        if (letter != 'p') need(fwrite(&gave, sizeof gave, 1, told) == 1);
    }
    FILE *const state = fopen("state.bin", "wb");
    need(state && fwrite(&live, sizeof live, 1, state) == 1 && fwrite(arena, PERSISTENT, 1, state) == 1);
    fclose(state);
    fclose(told);
    fclose(calls);
    return 0;
}
