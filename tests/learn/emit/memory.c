/* Plays a file of calls to a memory in C - its sv_replay, its seed, then a (add) a label and a sample, d (draw) how
 * many - and writes what was drawn and at the end its bytes; and draws.bin: words, numbers below each bound and uniforms. */
#include <stdio.h>
#include <stdlib.h>

#include "replay.h"

static void need(int good)
{
    if (!good) exit(9);
}

static void draw(uint64_t seed)
{
    FILE *const out = fopen("draws.bin", "wb");
    sv_draws d = {0, 0};
    d.seed = seed;
    need(out != 0);
    for (int i = 0; i < 20; i++) {
        const uint64_t word = sv_draws_word(&d);
        need(fwrite(&word, sizeof word, 1, out) == 1);
    }
    for (uint32_t bound = 1; bound < 21; bound++) {
        const uint32_t found = sv_draws_below(&d, bound);
        need(fwrite(&found, sizeof found, 1, out) == 1);
    }
    for (int i = 0; i < 20; i++) {
        const float found = sv_draws_uniform(&d);
        need(fwrite(&found, sizeof found, 1, out) == 1);
    }
    fclose(out);
}

int main(void)
{
    FILE *const in = fopen("memory.bin", "rb"), *const out = fopen("out.bin", "wb");
    sv_replay r;
    uint64_t seed;
    int32_t n, slots[SV_BATCH_MOST];
    need(in && out && fread(&r, sizeof r, 1, in) == 1 && fread(&seed, sizeof seed, 1, in) == 1);
    draw(seed);
    const size_t bytes = (size_t)r.samples + (size_t)r.capacity * (size_t)r.size;
    const size_t of_each = (size_t)sv_codec_elements(&r.codec) * (size_t)r.codec.item;
    unsigned char *const data = malloc(bytes), *const sample = malloc(of_each);
    uint32_t *const held = malloc((size_t)r.classes * sizeof *held);
    uint32_t *const anew = malloc((size_t)r.classes * sizeof *anew);
    need(data && sample && held && anew && sv_codec_size(&r.codec) == r.size);
    sv_replay_init(&r, data, held, seed);
    for (int letter; (letter = fgetc(in)) != EOF;) {
        need(fread(&n, sizeof n, 1, in) == 1);
        if (letter == 'a') {
            need(fread(sample, of_each, 1, in) == 1);
            sv_replay_add(&r, data, held, sample, n);
            sv_replay_count(&r, data, anew);
            need(!memcmp(held, anew, (size_t)r.classes * sizeof *held));
            continue;
        }
        sv_replay_draw(data, n, slots);
        for (int32_t i = 0; i < n; i++) {
            const int32_t label = sv_replay_label(&r, data, slots[i]);
            sv_replay_take(&r, data, slots[i], sample);
            need(fwrite(&label, sizeof label, 1, out) == 1 && fwrite(sample, of_each, 1, out) == 1);
        }
    }
    need(fwrite(data, bytes, 1, out) == 1);
    fclose(out);
    fclose(in);
    free(data);
    free(sample);
    free(held);
    free(anew);
    return 0;
}
