/* Emitted from a learner of plan adf3c80175cdda47; do not edit.
 * A learner that is never worse than it began: all that changes is in net_live and in the arena, between calls. Put
 * net_live away as it is; when it has come back, net_init and net_live_resume go on from it. A sample is
 * 64 elements as PyTorch has them, channels first. Compile net_live.c with -ffp-contract=off. */
#ifndef SELVEDGE_NET_LIVE_H
#define SELVEDGE_NET_LIVE_H

#include "live.h"
#include "net.h"

#define NET_LIVE_BYTES 88472
#define NET_LIVE_SAMPLE 64
#define NET_LIVE_CLASSES 10
#define NET_LIVE_EVERY 8 /* samples of a round */

typedef struct {
    sv_live live;
    sv_entry diary[64];
    double losses[8];
    double knows[8];
    double ours[8];
    double odds[10];
    uint32_t memory_held[10];
    int32_t y[8];
    unsigned char candidate[39720];
    unsigned char grown[39720];
    unsigned char x[2048];
    unsigned char sample[256];
    unsigned char memory[4077];
    unsigned char began[39];
    unsigned char rights[8];
} net_live;

/* As it was counted, or it does not compile. */
typedef char net_live_of_its_bytes[sizeof(net_live) == NET_LIVE_BYTES && sizeof(sv_live) == 208 ? 1 : -1];

#ifdef __cplusplus
extern "C" {
#endif

/* After net_init: as new. Asks the anchor's judges once. */
void net_live_init(net_live *l, net_context *c);
/* After net_init: go on from a net_live that was put away. */
void net_live_resume(net_live *l, net_context *c);
/* The logits, in the arena until the next call; 0 where the sample, or one of them, is not a number. */
const float *net_live_predict(net_live *l, net_context *c, const float *x);
/* SV_LIVE_KEPT, SV_LIVE_ROUND (and it has learnt), SV_LIVE_REFUSED or SV_LIVE_BAD_LABEL: see live.h. */
int32_t net_live_learn(net_live *l, net_context *c, const float *x, int32_t y);
/* End the round with what is there. */
void net_live_finish(net_live *l, net_context *c);
/* Back to the weights that it began with. */
void net_live_reset(net_live *l, net_context *c);

#ifdef __cplusplus
}
#endif

#endif
