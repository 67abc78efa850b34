/* Learns on the microcontroller from the samples in lived.h, then prints the bytes of the learner's state, the guard
 * zones' state and the stack's high water. Nothing is printed before all is measured. */
#include <stdio.h>

#include "small_live.h"
#include "small_weights.h"
#include "lived.h"

#define GUARD 64
#define PAINT 0xA5

extern unsigned char stack_end[], stack_top[];

static struct {
    unsigned char before[GUARD];
    unsigned char arena[SMALL_ARENA_BYTES] __attribute__((aligned(SMALL_ALIGNMENT)));
    unsigned char between[GUARD];
    small_live live;
    unsigned char after[GUARD];
} memory;

static unsigned broken(const unsigned char *guard)
{
    unsigned found = 0;
    for (int i = 0; i < GUARD; i++) found += guard[i] != PAINT;
    return found;
}

int main(void)
{
    static small_context context;
    static float x[SMALL_LIVE_SAMPLE];
    unsigned rounds = 0;
    memset(&memory, PAINT, sizeof memory);
    for (unsigned char *at = stack_end; at < (unsigned char *)__builtin_frame_address(0) - 64; at++) *at = PAINT;
    small_init(&context, memory.arena, small_weights);
    small_live_init(&memory.live, &context);
    for (int i = 0; i < SAMPLES; i++) {
        memcpy(x, stream_x[i], sizeof x);
        rounds += small_live_learn(&memory.live, &context, x, stream_y[i]) == SV_LIVE_ROUND;
    }
    const unsigned char *at = stack_end;
    while (at < stack_top && *at == PAINT) at++;
    printf("stack %u\n", (unsigned)(stack_top - at));
    printf("guards %u\n", broken(memory.before) + broken(memory.between) + broken(memory.after));
    printf("rounds %u\n", rounds);
    at = (const unsigned char *)&memory.live;
    for (unsigned i = 0; i < sizeof memory.live; i++) printf("%s%02x", i % 64 ? "" : "\nlive ", at[i]);
    printf("\n");
    return 0;
}
