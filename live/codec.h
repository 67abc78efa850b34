/* Samples in few bytes: as they are, as float16, or as codes of 1, 2, 4 or 8 bits over a range that is known (uint8) or
 * the sample's own (two float16 before the codes); and before that, the mean of every `factor` x `factor` block.
 *
 * The same bytes as selvedge.learn.memory's Raw, Affine, Bits and Smaller (nearest), where double is IEEE's and nothing
 * is fused (-ffp-contract=off). Samples are finite and lie as PyTorch has them, channels first. No heap, no globals; of
 * libm rint. */
#ifndef SELVEDGE_CODEC_H
#define SELVEDGE_CODEC_H

#include <math.h>
#include <stdint.h>
#include <string.h>

/* One copy in the code, however many call it. */
#define SV_APART static __attribute__((noinline, unused))

enum { SV_RAW = 0, SV_FLOAT16 = 1, SV_BITS = 2, SV_AFFINE = 3 };
#define SV_HALF_MOST 65504.0
#define SV_FACTOR_MOST 8

typedef struct {
    int32_t kind, bits;
    int32_t item;                 /* bytes of an element: 1, uint8, or 4, float */
    int32_t factor;               /* 1: not made smaller */
    int32_t outer, height, width; /* of a sample; of a vector outer and height are 1 */
    int32_t flat;                 /* 1: a vector: only its elements are joined, else rows and columns */
    double low, high;             /* of SV_AFFINE */
} sv_codec;

static inline int32_t sv_codec_shorter(int32_t n, int32_t factor) { return (n + factor - 1) / factor; }

static inline int32_t sv_codec_rows(const sv_codec *c) { return c->flat ? 1 : sv_codec_shorter(c->height, c->factor); }

static inline int32_t sv_codec_columns(const sv_codec *c) { return sv_codec_shorter(c->width, c->factor); }

/* Elements of a sample, and of what is stored of it. */
static inline int32_t sv_codec_elements(const sv_codec *c) { return c->outer * c->height * c->width; }

static inline int32_t sv_codec_stored(const sv_codec *c)
{
    return c->outer * sv_codec_rows(c) * sv_codec_columns(c);
}

static inline int32_t sv_packed_size(int32_t n, int32_t bits) { return (n * bits + 7) / 8; }

/* Bytes of a stored sample. */
static inline int32_t sv_codec_size(const sv_codec *c)
{
    const int32_t n = sv_codec_stored(c);
    if (c->kind == SV_RAW) return n * c->item;
    if (c->kind == SV_FLOAT16) return n * 2;
    return sv_packed_size(n, c->bits) + (c->kind == SV_BITS ? 4 : 0);
}

/* The nearest float16, ties to even, of |v| <= 65504. */
SV_APART uint16_t sv_to_half(double v)
{
    uint64_t word;
    memcpy(&word, &v, sizeof word);
    const uint16_t sign = (uint16_t)((word >> 48) & 0x8000u);
    const int32_t exponent = (int32_t)((word >> 52) & 0x7FF) - 1023;
    if (exponent < -25) return sign;
    const uint64_t mantissa = (word & ((UINT64_C(1) << 52) - 1)) | (UINT64_C(1) << 52);
    const int32_t shift = exponent >= -14 ? 42 : 28 - exponent;
    uint64_t kept = mantissa >> shift;
    const uint64_t rest = mantissa & ((UINT64_C(1) << shift) - 1), middle = UINT64_C(1) << (shift - 1);
    if (rest > middle || (rest == middle && (kept & 1))) kept++;
    if (exponent >= -14) kept += (uint64_t)(exponent + 14) << 10; /* its leading bit is one more */
    return (uint16_t)(sign | kept);
}

static inline double sv_from_half(uint16_t half)
{
    const uint64_t sign = (uint64_t)(half & 0x8000u) << 48, mantissa = half & 0x3FFu;
    const int32_t exponent = (half >> 10) & 0x1F;
    if (!exponent) return (sign ? -1.0 : 1.0) * (double)mantissa * 0x1p-24;
    const uint64_t word = sign | (uint64_t)(exponent + 1008) << 52 | mantissa << 42;
    double v;
    memcpy(&v, &word, sizeof v);
    return v;
}

static inline double sv_clipped(double v, double low, double high) { return v < low ? low : v > high ? high : v; }

/* As the sample's own type has it: the nearest float, or the nearest whole number of a byte. */
static inline double sv_restored(const sv_codec *c, double v)
{
    return c->item == 1 ? sv_clipped(rint(v), 0, 255) : (double)(float)v;
}

static inline double sv_element(const sv_codec *c, const void *sample, int32_t i)
{
    float v;
    if (c->item == 1) return ((const unsigned char *)sample)[i];
    memcpy(&v, (const unsigned char *)sample + 4 * (size_t)i, sizeof v);
    return (double)v;
}

/* numpy's sum of a block along one axis: the first and what the others come to. */
static inline double sv_block_sum(const double *v, int32_t n)
{
    double rest = 0;
    for (int32_t i = 1; i < n; i++) rest = i == 1 ? v[1] : rest + v[i];
    return n > 1 ? v[0] + rest : v[0];
}

/* What is stored at (outer o, row r, column s), before it is coded: an element, or the mean of a block. */
SV_APART double sv_codec_mean(const sv_codec *c, const void *sample, int32_t o, int32_t r, int32_t s)
{
    if (c->factor == 1) return sv_element(c, sample, (o * c->height + r) * c->width + s);
    double column[SV_FACTOR_MOST], row[SV_FACTOR_MOST];
    const int32_t left = s * c->factor, top = c->flat ? 0 : r * c->factor;
    const int32_t wide = c->width - left < c->factor ? c->width - left : c->factor;
    const int32_t most = c->flat ? 1 : c->factor, high = c->height - top < most ? c->height - top : most;
    for (int32_t j = 0; j < wide; j++) {
        for (int32_t i = 0; i < high; i++) {
            column[i] = sv_element(c, sample, (o * c->height + top + i) * c->width + left + j);
        }
        row[j] = c->flat ? column[0] : sv_block_sum(column, high) / high;
    }
    return sv_restored(c, sv_block_sum(row, wide) / wide);
}

/* Codes of 8, 4, 2 or 1 bits, of which 2^log lie in a byte, the first in the highest bits. */
static inline int32_t sv_codes_log(int32_t bits) { return bits == 8 ? 0 : bits == 4 ? 1 : bits == 2 ? 2 : 3; }

static inline void sv_put_code(unsigned char *codes, int32_t i, int32_t bits, uint32_t code)
{
    const int32_t log = sv_codes_log(bits), place = i & ((1 << log) - 1);
    unsigned char *const byte = codes + (i >> log);
    if (place == 0) *byte = 0;
    *byte = (unsigned char)(*byte | code << (8 - bits * (place + 1)));
}

static inline uint32_t sv_get_code(const unsigned char *codes, int32_t i, int32_t bits)
{
    const int32_t log = sv_codes_log(bits), place = i & ((1 << log) - 1);
    return (uint32_t)(codes[i >> log] >> (8 - bits * (place + 1))) & ((1u << bits) - 1);
}

/* sample: of c->item bytes an element. data: sv_codec_size bytes. */
SV_APART void sv_codec_encode(const sv_codec *c, const void *sample, unsigned char *data)
{
    const int32_t rows = c->factor == 1 ? c->height : sv_codec_rows(c), columns = sv_codec_columns(c);
    double low = c->low, step = 0;
    if (c->kind == SV_RAW && c->factor == 1) {
        memcpy(data, sample, (size_t)sv_codec_size(c));
        return;
    }
    const double most = (double)((1u << c->bits) - 1);
    if (c->kind == SV_BITS) {
        double highest = 0;
        int32_t first = 1;
        for (int32_t o = 0; o < c->outer; o++) {
            for (int32_t r = 0; r < rows; r++) {
                for (int32_t s = 0; s < columns; s++) {
                    const double v = sv_clipped(sv_codec_mean(c, sample, o, r, s), -SV_HALF_MOST, SV_HALF_MOST);
                    if (first || v < low) low = v;
                    if (first || v > highest) highest = v;
                    first = 0;
                }
            }
        }
        const uint16_t head = sv_to_half(low);
        low = sv_from_half(head);
        const uint16_t wide = sv_to_half(sv_clipped((highest - low) / most, 0, SV_HALF_MOST));
        step = sv_from_half(wide);
        if (step < 0x1p-24) step = 0x1p-24;
        memcpy(data, &head, 2);
        memcpy(data + 2, &wide, 2);
        data += 4;
    } else if (c->kind == SV_AFFINE) {
        step = (c->high - c->low) / most;
    }
    int32_t i = 0;
    if (c->kind >= SV_BITS) data[sv_packed_size(sv_codec_stored(c), c->bits) - 1] = 0;
    for (int32_t o = 0; o < c->outer; o++) {
        for (int32_t r = 0; r < rows; r++) {
            for (int32_t s = 0; s < columns; s++, i++) {
                double v = sv_codec_mean(c, sample, o, r, s);
                if (c->kind == SV_RAW && c->item == 1) {
                    data[i] = (unsigned char)v;
                } else if (c->kind == SV_RAW) {
                    const float stored = (float)v;
                    memcpy(data + 4 * (size_t)i, &stored, 4);
                } else if (c->kind == SV_FLOAT16) {
                    const uint16_t stored = sv_to_half(sv_clipped(v, -SV_HALF_MOST, SV_HALF_MOST));
                    memcpy(data + 2 * (size_t)i, &stored, 2);
                } else {
                    if (c->kind == SV_BITS) v = sv_clipped(v, -SV_HALF_MOST, SV_HALF_MOST);
                    sv_put_code(data, i, c->bits, (uint32_t)sv_clipped(rint((v - low) / step), 0, most));
                }
            }
        }
    }
}

/* What sv_codec_encode made, in the sample's own type. */
SV_APART void sv_codec_decode(const sv_codec *c, const unsigned char *data, void *sample)
{
    const int32_t rows = c->factor == 1 ? c->height : sv_codec_rows(c), columns = sv_codec_columns(c);
    double low = c->low, step = 0;
    if (c->kind == SV_RAW && c->factor == 1) {
        memcpy(sample, data, (size_t)sv_codec_size(c));
        return;
    }
    if (c->kind == SV_BITS) {
        uint16_t head, wide;
        memcpy(&head, data, 2);
        memcpy(&wide, data + 2, 2);
        low = sv_from_half(head);
        step = sv_from_half(wide);
        data += 4;
    } else if (c->kind == SV_AFFINE) {
        step = (c->high - c->low) / (double)((1u << c->bits) - 1);
    }
    if (c->kind >= SV_BITS && c->factor == 1 && c->item == 4) {
        for (int32_t i = 0; i < sv_codec_elements(c); i++) {
            const float found = (float)((double)sv_get_code(data, i, c->bits) * step + low);
            memcpy((unsigned char *)sample + 4 * (size_t)i, &found, 4);
        }
        return;
    }
    int32_t to = 0;
    for (int32_t o = 0; o < c->outer; o++) {
        for (int32_t y = 0; y < c->height; y++) {
            const int32_t r = c->flat || c->factor == 1 ? y : y / c->factor;
            for (int32_t x = 0; x < c->width; x++, to++) {
                const int32_t i = (o * rows + r) * columns + x / c->factor;
                double v = 0;
                if (c->kind == SV_RAW && c->item == 1) {
                    v = data[i];
                } else if (c->kind == SV_RAW) {
                    memcpy((unsigned char *)sample + 4 * (size_t)to, data + 4 * (size_t)i, 4);
                    continue;
                } else if (c->kind == SV_FLOAT16) {
                    uint16_t stored;
                    memcpy(&stored, data + 2 * (size_t)i, 2);
                    v = sv_from_half(stored);
                } else {
                    v = sv_restored(c, (double)sv_get_code(data, i, c->bits) * step + low);
                }
                if (c->item == 1) {
                    ((unsigned char *)sample)[to] = (unsigned char)v;
                } else {
                    const float found = (float)v;
                    memcpy((unsigned char *)sample + 4 * (size_t)to, &found, 4);
                }
            }
        }
    }
}

#endif
