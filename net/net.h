/* net: a training step in one arena. Plan adf3c80175cdda47.
 * Give every program its inputs at the offsets below, call it, read its outputs at theirs.
 * All arrays are dense, images NHWC. Every call returns a SELVEDGE_ status. */
#ifndef SELVEDGE_MODEL_NET_H
#define SELVEDGE_MODEL_NET_H

#include <stdint.h>

#define NET_ARENA_BYTES 87752
/* What was learnt is the first so many bytes of the arena: keep them, and copy them back after init. */
#define NET_PERSISTENT_BYTES 39744
#define NET_WEIGHTS_BYTES 39748
#define NET_ALIGNMENT 32

/* Where inputs and outputs lie: bytes from the start of the arena. */
#define NET_PREDICT_X 39744 /* input, float32, 8 x 8 x 8 x 1 */
#define NET_PREDICT_OUTPUT 56128 /* output, float32, 8 x 10 */
#define NET_EVALUATE_X 39744 /* input, float32, 8 x 8 x 8 x 1 */
#define NET_EVALUATE_Y 72512 /* input, int32, 8 */
#define NET_EVALUATE_LOSS 40064 /* output, float32, scalar */
#define NET_EVALUATE_OUTPUT 56128 /* output, float32, 8 x 10 */
#define NET_STEP_X 84864 /* input, float32, 8 x 8 x 8 x 1 */
#define NET_STEP_Y 80704 /* input, int32, 8 */
#define NET_STEP_LR 87744 /* input, float32, scalar */
#define NET_STEP_LOSS 87748 /* output, float32, scalar */
#define NET_STEP_OUTPUT 87424 /* output, float32, 8 x 10 */

#ifndef SELVEDGE_STATUS /* the same for every model */
#define SELVEDGE_STATUS
enum {
    SELVEDGE_OK = 0,
    SELVEDGE_NOT_FINITE = 1,
    SELVEDGE_BAD_LABEL = 2,
    SELVEDGE_STORAGE = 3,
    SELVEDGE_TORN = 4,
    SELVEDGE_BAD_INDEX = 5,
};
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    unsigned char *arena;         /* ARENA_BYTES, aligned to ALIGNMENT */
    const unsigned char *weights; /* WEIGHTS_BYTES: frozen weights and initial values; may lie in flash */
#ifdef SELVEDGE_CHECK
    void (*hook)(int32_t program, int32_t event); /* before (event) and after (-1 - event) each kernel */
#endif
} net_context;

/* Sets the trainable state to its initial values. */
void net_init(net_context *c, void *arena, const void *weights);
int32_t net_predict(net_context *c);
int32_t net_evaluate(net_context *c);
int32_t net_step(net_context *c);

#ifdef __cplusplus
}
#endif

#endif
