/* What the register tile of int8 layers reads, and the shape of that tile. */
#ifndef SELVEDGE_INT8_SOURCE_H
#define SELVEDGE_INT8_SOURCE_H

#include "int8_avx2.h"

/* Does the core multiply bytes in fours? uint8 by int8 on x86 (vpdpbusd), int8 by int8 on Arm (sdot). */
#if SV_INT8_AVX2 && (defined(SV_INT8_DPBUSD) || (defined(__AVX512VNNI__) && defined(__AVX512VL__)) || defined(__AVXVNNI__))
#define SV_INT8_BYTES 1
#elif SV_INT8_NEON && defined(__ARM_FEATURE_DOTPROD)
#define SV_INT8_BYTES 1
#else
#define SV_INT8_BYTES 0
#endif

#if !SV_INT8_BYTES
typedef int16_t sv_int8_tap __attribute__((may_alias)); /* less its zero point */
#else
typedef int8_t sv_int8_tap; /* as it is, on x86 with its highest bit turned: as uint8, 128 more */
#define SV_INT8_TURNED (SV_INT8_AVX2 ? 128 : 0)
#endif

#define SV_INT8_PANEL 8
#define SV_INT8_PIXELS 6 /* at most */
#define SV_INT8_RUN 24   /* pixels whose windows are copied at a time: so many of up to SV_INT8_SHORT taps, else a tile */
#define SV_INT8_SHORT 128

/* Where the taps of some pixels lie: a window has `rows` rows, each of `pairs` pairs, in slots of a ring, `line` apart,
 * from `slot` on in steps of `step`. Pixels are `pixel` apart. */
typedef struct {
    const sv_int8_tap *x;
    ptrdiff_t line, pixel;
    int32_t rows, pairs, slot, slots, step;
    int32_t zero; /* of x */
} sv_int8_source;

#if SV_INT8_AVX2
typedef __m256i sv_int8_sums;
#endif

#endif
