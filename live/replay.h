/* Earlier samples in a fixed number of bytes: a uniform reservoir (Vitter 1985), or one that is balanced over the
 * classes (Chrysakis & Moens, ICML 2020).
 *
 * `data` is the array of a selvedge.Replay to the last bit: random state (8 B), number held (4 B), what the policy
 * remembers, labels, samples; the machine is little-endian. `held`, samples of each class, lies beside it, and is
 * counted anew by sv_replay_count. No heap, no globals. */
#ifndef SELVEDGE_REPLAY_H
#define SELVEDGE_REPLAY_H

#include "codec.h"
#include "draws.h"

enum { SV_RESERVOIR = 0, SV_BALANCED = 1 };
#define SV_BATCH_MOST 64 /* samples that are drawn at once */

typedef struct {
    sv_codec codec;
    int32_t policy, capacity, classes;
    int32_t bits;                        /* of a label */
    int32_t full, labels, samples, size; /* where they begin in the data; bytes of a sample */
} sv_replay;

enum { SV_REPLAY_RANDOM = 0, SV_REPLAY_HELD = 8, SV_REPLAY_SEEN = 12 };

static inline uint32_t sv_replay_number(const unsigned char *data, int32_t at)
{
    uint32_t found;
    memcpy(&found, data + at, sizeof found);
    return found;
}

static inline int32_t sv_replay_held(const unsigned char *data)
{
    return (int32_t)sv_replay_number(data, SV_REPLAY_HELD);
}

static inline int32_t sv_replay_below(unsigned char *data, uint64_t bound)
{
    uint64_t state;
    memcpy(&state, data + SV_REPLAY_RANDOM, sizeof state);
    const uint32_t found = sv_random_below(&state, bound);
    memcpy(data + SV_REPLAY_RANDOM, &state, sizeof state);
    return (int32_t)found;
}

static inline int32_t sv_replay_label(const sv_replay *r, const unsigned char *data, int32_t slot)
{
    return (int32_t)sv_get_code(data + r->labels, slot, r->bits);
}

/* Empty, with the state of its random numbers. data: r->samples + r->capacity * r->size bytes. held: [classes]. */
static inline void sv_replay_init(const sv_replay *r, unsigned char *data, uint32_t *held, uint64_t random)
{
    memset(data, 0, (size_t)r->samples + (size_t)r->capacity * (size_t)r->size);
    memset(held, 0, (size_t)r->classes * sizeof *held);
    memcpy(data + SV_REPLAY_RANDOM, &random, sizeof random);
}

/* Count the classes of what is held: of data that was put away and has come back. */
static inline void sv_replay_count(const sv_replay *r, const unsigned char *data, uint32_t *held)
{
    memset(held, 0, (size_t)r->classes * sizeof *held);
    for (int32_t i = 0; i < sv_replay_held(data); i++) held[sv_replay_label(r, data, i)]++;
}

static inline uint32_t sv_replay_largest(const sv_replay *r, const uint32_t *held)
{
    uint32_t most = 0;
    for (int32_t k = 0; k < r->classes; k++) if (held[k] > most) most = held[k];
    return most;
}

/* The n-th of the places whose label is `label`. */
static inline int32_t sv_replay_nth(const sv_replay *r, const unsigned char *data, int32_t label, int32_t n)
{
    int32_t slot = 0;
    while (sv_replay_label(r, data, slot) != label || n-- > 0) slot++;
    return slot;
}

/* Where a new sample goes; -1 to let it pass. */
static inline int32_t sv_replay_slot(const sv_replay *r, unsigned char *data, const uint32_t *held, int32_t label)
{
    const int32_t count = sv_replay_held(data);
    const int32_t counter = SV_REPLAY_SEEN + (r->policy == SV_BALANCED ? 4 * label : 0);
    const uint32_t before = sv_replay_number(data, counter), seen = before == UINT32_MAX ? before : before + 1;
    memcpy(data + counter, &seen, sizeof seen);
    if (count < r->capacity) return count;
    if (r->policy == SV_RESERVOIR) {
        const int32_t place = sv_replay_below(data, seen);
        return place >= 0 && place < r->capacity ? place : -1;
    }
    int32_t victim = label;
    if (!data[r->full + label]) {
        const uint32_t most = sv_replay_largest(r, held);
        int32_t largest = 0;
        for (int32_t k = 0; k < r->classes; k++) largest += held[k] == most;
        int32_t which = sv_replay_below(data, (uint64_t)largest);
        for (victim = 0; held[victim] != most || which-- > 0;) victim++;
    } else if ((uint32_t)sv_replay_below(data, (uint64_t)before + 1) >= held[label]) {
        return -1;
    }
    return sv_replay_nth(r, data, victim, sv_replay_below(data, held[victim]));
}

/* Offer a sample with its label, 0..classes-1; the policy may let it pass. */
static inline void sv_replay_add(const sv_replay *r, unsigned char *data, uint32_t *held, const void *sample,
                                 int32_t label)
{
    const int32_t slot = sv_replay_slot(r, data, held, label);
    if (slot < 0) return;
    const uint32_t count = (uint32_t)sv_replay_held(data);
    if ((uint32_t)slot < count) held[sv_replay_label(r, data, slot)]--;
    held[label]++;
    sv_codec_encode(&r->codec, sample, data + r->samples + (size_t)slot * (size_t)r->size);
    const int32_t log = sv_codes_log(r->bits), shift = 8 - r->bits * ((slot & ((1 << log) - 1)) + 1);
    unsigned char *const byte = data + r->labels + (slot >> log);
    *byte = (unsigned char)((*byte & ~(((1u << r->bits) - 1) << shift)) | (uint32_t)label << shift);
    if ((uint32_t)slot == count) {
        const uint32_t more = count + 1;
        memcpy(data + SV_REPLAY_HELD, &more, sizeof more);
    }
    if (r->policy == SV_BALANCED && sv_replay_held(data) == r->capacity) {
        const uint32_t most = sv_replay_largest(r, held);
        for (int32_t k = 0; k < r->classes; k++) if (held[k] == most) data[r->full + k] = 1;
    }
}

static inline void sv_replay_take(const sv_replay *r, const unsigned char *data, int32_t slot, void *sample)
{
    sv_codec_decode(&r->codec, data + r->samples + (size_t)slot * (size_t)r->size, sample);
}

/* The places of n different samples, drawn uniformly: the first n of a shuffle, of which only what moved is kept.
 * n <= held and SV_BATCH_MOST. */
static inline void sv_replay_draw(unsigned char *data, int32_t n, int32_t *slots)
{
    int32_t place[SV_BATCH_MOST], there[SV_BATCH_MOST]; /* of places >= n that were exchanged: what lies there now */
    int32_t moved = 0;
    const int32_t held = sv_replay_held(data);
    for (int32_t i = 0; i < n; i++) slots[i] = i;
    for (int32_t i = 0; i < n; i++) {
        const int32_t j = i + sv_replay_below(data, (uint64_t)(held - i)), mine = slots[i];
        if (j < n) {
            slots[i] = slots[j];
            slots[j] = mine;
            continue;
        }
        int32_t k = 0;
        while (k < moved && place[k] != j) k++;
        if (k == moved) {
            place[moved] = there[moved] = j;
            moved++;
        }
        slots[i] = there[k];
        there[k] = mine;
    }
}

#endif
