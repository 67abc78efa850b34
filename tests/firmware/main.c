/* Learns on the microcontroller from the batches in batches.h, then prints the losses and predictions as the bits of
 * their floats, the guard zones' state and the stack's high water. Nothing is printed before all is measured. */
#include <stdio.h>
#include <string.h>

#include "batches.h"
#include "model.h"
#include "model_weights.h"

#define GUARD 256
#define PAINT 0xA5

extern unsigned char stack_end[], stack_top[];

static struct {
    unsigned char before[GUARD];
    unsigned char arena[MODEL_ARENA_BYTES] __attribute__((aligned(MODEL_ALIGNMENT)));
    unsigned char after[GUARD];
} memory;
static uint32_t losses[STEPS + 1], outputs[OUTPUTS];

static void paint_stack(void)
{
    const unsigned char *const frame = (const unsigned char *)__builtin_frame_address(0);
    for (unsigned char *at = stack_end; at < frame - 64; at++) *at = PAINT;
}

static unsigned stack_used(void)
{
    const unsigned char *at = stack_end;
    while (at < stack_top && *at == PAINT) at++;
    return (unsigned)(stack_top - at);
}

static unsigned guards_broken(void)
{
    unsigned broken = 0;
    for (int i = 0; i < GUARD; i++) {
        if (memory.before[i] != PAINT) broken++;
        if (memory.after[i] != PAINT) broken++;
    }
    return broken;
}

static int32_t learn(void)
{
    model_context context;
    int32_t status;
    model_init(&context, memory.arena, model_weights);
    for (int step = 0; step < STEPS; step++) {
        memcpy(memory.arena + MODEL_STEP_X, batch_x[step % BATCHES], sizeof batch_x[0]);
        memcpy(memory.arena + MODEL_STEP_Y, batch_y[step % BATCHES], sizeof batch_y[0]);
        memcpy(memory.arena + MODEL_STEP_LR, &rate, sizeof rate);
        if ((status = model_step(&context)) != SELVEDGE_OK) return status;
        memcpy(&losses[step], memory.arena + MODEL_STEP_LOSS, sizeof losses[0]);
    }
    memcpy(memory.arena + MODEL_EVALUATE_X, batch_x[0], sizeof batch_x[0]);
    memcpy(memory.arena + MODEL_EVALUATE_Y, batch_y[0], sizeof batch_y[0]);
    if ((status = model_evaluate(&context)) != SELVEDGE_OK) return status;
    memcpy(&losses[STEPS], memory.arena + MODEL_EVALUATE_LOSS, sizeof losses[0]);
    memcpy(memory.arena + MODEL_PREDICT_X, batch_x[0], sizeof batch_x[0]);
    if ((status = model_predict(&context)) != SELVEDGE_OK) return status;
    memcpy(outputs, memory.arena + MODEL_PREDICT_OUTPUT, sizeof outputs);
    return SELVEDGE_OK;
}

int main(void)
{
    memset(&memory, PAINT, sizeof memory);
    paint_stack();
    const int32_t status = learn();
    const unsigned stack = stack_used(), broken = guards_broken();
    printf("status %ld\nstack %u\nguards %u\n", (long)status, stack, broken);
    for (int i = 0; i <= STEPS; i++) printf("loss %08lx\n", (unsigned long)losses[i]);
    for (int i = 0; i < OUTPUTS; i++) printf("output %08lx\n", (unsigned long)outputs[i]);
    return (int)status;
}
