/* Emitted from a learner of plan adf3c80175cdda47; do not edit. */
#include "net_live.h"
#include "net_anchor.h"

static int32_t predict(void *context) { return net_predict((net_context *)context); }

static int32_t step(void *context) { return net_step((net_context *)context); }

/* What learns: in the arena, in the weights, bytes, kind. */
static const sv_live_part parts[] = {
    {0, 0, 576, SV_BLENDED}, /* 0.weight */
    {576, 576, 64, SV_BLENDED}, /* 0.bias */
    {640, 640, 18432, SV_BLENDED}, /* 2.weight */
    {19072, 19072, 128, SV_BLENDED}, /* 2.bias */
    {19200, 19200, 20480, SV_BLENDED}, /* 6.weight */
    {39680, 39680, 40, SV_BLENDED}, /* 6.bias */
};

static const sv_live_plan plan = {
    .predict = predict,
    .step = step,
    .parts = parts,
    .part_count = 6,
    .predict_x = NET_PREDICT_X,
    .predict_output = NET_PREDICT_OUTPUT,
    .step_x = NET_STEP_X,
    .step_y = NET_STEP_Y,
    .step_rate = NET_STEP_LR,
    .step_loss = NET_STEP_LOSS,
    .batch = 8,
    .elements = 64,
    .classes = 10,
    .dims = {1, 1, 8, 8},
    .strides = {64, 64, 8, 1},
    .plane = 64,
    .item = 4,
    .memory = {{SV_BITS, 4, 4, 1, 1, 8, 8, 0, 0x0.0p+0, 0x0.0p+0}, SV_BALANCED, 110, 10, 4, 52, 62, 117, 36},
    .memory_random = UINT64_C(0),
    .seed = UINT64_C(0),
    .every = 8,
    .steps = 4,
    .hold_out = 8,
    .warm = 8,
    .blends = 5,
    .rate = 0x1.0624de0000000p-8f,
    .shares = {0x1.0000000000000p-2, 0x1.0000000000000p-2, 0x1.0000000000000p-1},
    .alpha = 0x1.999999999999ap-3,
    .error = 0x1.999999999999ap-5,
    .shadow = 0x1.999999999999ap-3,
    .log_drop = -0x1.f4bd2b7ac1bafp+1,
    .log_classes = 0x1.26bb1bbb55516p+1,
    .blend = {0x1.0000000000000p+0, 0x1.6666666666666p-1, 0x1.0000000000000p-1, 0x1.6666666666666p-2, 0x1.999999999999ap-3},
    .diary = 64,
    .anchor_x = anchor_x,
    .anchor_y = anchor_y,
    .anchor_item = 4,
    .teaching = 188,
    .judging = 312,
    .margin = 0x1.eb851eb851eb8p-5,
};

static sv_live_at place(net_live *l, net_context *c)
{
    sv_live_at at;
    memset(&at, 0, sizeof at);
    at.plan = &plan;
    at.live = &l->live;
    at.context = c;
    at.arena = c->arena;
    at.weights = c->weights;
    at.diary = l->diary;
    at.losses = l->losses;
    at.knows = l->knows;
    at.ours = l->ours;
    at.odds = l->odds;
    at.memory_held = l->memory_held;
    at.y = l->y;
    at.candidate = l->candidate;
    at.grown = l->grown;
    at.x = l->x;
    at.sample = l->sample;
    at.memory = l->memory;
    at.began = l->began;
    at.rights = l->rights;
    return at;
}

void net_live_init(net_live *l, net_context *c)
{
    memset(l, 0, sizeof *l);
    const sv_live_at at = place(l, c);
    sv_live_start(&at);
}

void net_live_resume(net_live *l, net_context *c)
{
    const sv_live_at at = place(l, c);
    sv_live_resume(&at);
}

const float *net_live_predict(net_live *l, net_context *c, const float *x)
{
    const sv_live_at at = place(l, c);
    return sv_live_predict(&at, x);
}

int32_t net_live_learn(net_live *l, net_context *c, const float *x, int32_t y)
{
    const sv_live_at at = place(l, c);
    return sv_live_learn(&at, x, y);
}

void net_live_finish(net_live *l, net_context *c)
{
    const sv_live_at at = place(l, c);
    sv_live_finish(&at);
}

void net_live_reset(net_live *l, net_context *c)
{
    const sv_live_at at = place(l, c);
    sv_live_reset(&at);
}
