/* Selvedge kernels: the number type, the vector types and the few words every kernel uses.
 *
 * Header only: include what a step calls. No heap, no globals, no library beyond memcpy, memset and libm.
 *   SV_REAL          float (default) or double
 *   SV_VECTOR_BYTES  bytes of one vector register; 0 for a core without any
 * Give gcc -ffp-contract=fast together with -std=c99: without it gcc emits no fused multiply-add. */
#ifndef SELVEDGE_H
#define SELVEDGE_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifndef SV_REAL
#define SV_REAL float
#endif
/* The arena's bytes are numbers of one type after another: without may_alias a compiler could take a store of one for
 * none of the other's business. (Bytes are read as uint8_t, which aliases all.) */
typedef SV_REAL real __attribute__((may_alias));

#define SV_JOIN_(a, b) a##b
#define SV_JOIN(a, b) SV_JOIN_(a, b)
#define SV_BYTES_float 4
#define SV_BYTES_double 8
#define SV_REAL_BYTES SV_JOIN(SV_BYTES_, SV_REAL)

#ifndef SV_VECTOR_BYTES
#if defined(__AVX512F__)
#define SV_VECTOR_BYTES 64
#elif defined(__AVX__)
#define SV_VECTOR_BYTES 32
#elif defined(__SSE2__) || defined(__ARM_NEON)
#define SV_VECTOR_BYTES 16
#else
#define SV_VECTOR_BYTES 0
#endif
#endif

/* Reals in one vector register; 1 on a core without vectors. A literal: type names are made of it. */
#if SV_VECTOR_BYTES / SV_REAL_BYTES >= 16
#define SV_LANES 16
#elif SV_VECTOR_BYTES / SV_REAL_BYTES >= 8
#define SV_LANES 8
#elif SV_VECTOR_BYTES / SV_REAL_BYTES >= 4
#define SV_LANES 4
#elif SV_VECTOR_BYTES / SV_REAL_BYTES >= 2
#define SV_LANES 2
#else
#define SV_LANES 1
#endif

/* Vector registers; decides the size of the register tiles. */
#if defined(__AVX512F__) || defined(__aarch64__) || SV_LANES == 1
#define SV_REGISTERS 32
#else
#define SV_REGISTERS 16
#endif

#define SV_FN static inline __attribute__((unused))
#define SV_INLINE static inline __attribute__((always_inline, unused))
/* One copy of a family of register tiles, however many layers call it. */
#if defined(__clang__)
#define SV_NOINLINE static __attribute__((noinline, unused))
#else
#define SV_NOINLINE static __attribute__((noinline, noclone, unused))
#endif

/* Ends every function of the emitted unit: no caller may conclude from its body that a call has no effect. gcc 12 does:
 * where operands of two item sizes lie in one arena its loops address them by sums of integers, which its summary of the
 * function takes for no memory, so that the call is dropped. It costs no instruction and lets the function be inlined,
 * which attribute noipa would not: 4 KiB of 21 on a Cortex-M4. */
#define SV_WALL() __asm__ volatile("" ::: "memory")

#if defined(__clang__)
#define SV_UNROLL _Pragma("clang loop unroll(full)")
#define SV_IVDEP _Pragma("clang loop vectorize(assume_safety)")
#else
#define SV_UNROLL _Pragma("GCC unroll 32")
#define SV_IVDEP _Pragma("GCC ivdep")
#endif

/* sv_vec_N: N reals at the alignment of one; sv_mask_N: as many integers of the same size;
 * sv_sum_N: the sum of the lanes. */
#if SV_REAL_BYTES == 4
typedef int32_t sv_integer;
#else
typedef int64_t sv_integer;
#endif
#define SV_VECTOR_TYPE(n) \
    typedef real sv_vec_##n __attribute__((vector_size(n * SV_REAL_BYTES), aligned(SV_REAL_BYTES), may_alias)); \
    typedef sv_integer sv_mask_##n __attribute__((vector_size(n * SV_REAL_BYTES)))
#define SV_VECTOR_SUM(n, half) \
    SV_INLINE real sv_sum_##n(const sv_vec_##n *v) \
    { \
        const sv_vec_##half *part = (const sv_vec_##half *)(const void *)v; \
        const sv_vec_##half sum = part[0] + part[1]; \
        return sv_sum_##half(&sum); \
    }
/* sv_low_N, sv_high_N: the low or the high halves of two vectors, lane by lane in turn. */
#if defined(__clang__)
#define SV_SHUFFLE(n, a, b, ...) __builtin_shufflevector(a, b, __VA_ARGS__)
#else
#define SV_SHUFFLE(n, a, b, ...) __builtin_shuffle(a, b, (sv_mask_##n){__VA_ARGS__})
#endif
#define sv_low_2(a, b) SV_SHUFFLE(2, a, b, 0, 2)
#define sv_high_2(a, b) SV_SHUFFLE(2, a, b, 1, 3)
#define sv_low_4(a, b) SV_SHUFFLE(4, a, b, 0, 4, 1, 5)
#define sv_high_4(a, b) SV_SHUFFLE(4, a, b, 2, 6, 3, 7)
#define sv_low_8(a, b) SV_SHUFFLE(8, a, b, 0, 8, 1, 9, 2, 10, 3, 11)
#define sv_high_8(a, b) SV_SHUFFLE(8, a, b, 4, 12, 5, 13, 6, 14, 7, 15)
#define sv_low_16(a, b) SV_SHUFFLE(16, a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23)
#define sv_high_16(a, b) SV_SHUFFLE(16, a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
typedef real sv_vec_1;
SV_INLINE real sv_sum_1(const sv_vec_1 *v) { return *v; }
#if SV_LANES >= 2
SV_VECTOR_TYPE(2);
SV_VECTOR_SUM(2, 1)
#endif
#if SV_LANES >= 4
SV_VECTOR_TYPE(4);
SV_VECTOR_SUM(4, 2)
#endif
#if SV_LANES >= 8
SV_VECTOR_TYPE(8);
SV_VECTOR_SUM(8, 4)
#endif
#if SV_LANES >= 16
SV_VECTOR_TYPE(16);
SV_VECTOR_SUM(16, 8)
#endif
typedef SV_JOIN(sv_vec_, SV_LANES) sv_vec;

/* Calls name_W with the widest vector that `extent` fills. */
#if SV_LANES >= 16
#define SV_IF_16(name, extent, ...) if ((extent) >= 16) name##_16(__VA_ARGS__); else
#else
#define SV_IF_16(name, extent, ...)
#endif
#if SV_LANES >= 8
#define SV_IF_8(name, extent, ...) if ((extent) >= 8) name##_8(__VA_ARGS__); else
#else
#define SV_IF_8(name, extent, ...)
#endif
#if SV_LANES >= 4
#define SV_IF_4(name, extent, ...) if ((extent) >= 4) name##_4(__VA_ARGS__); else
#else
#define SV_IF_4(name, extent, ...)
#endif
#if SV_LANES >= 2
#define SV_IF_2(name, extent, ...) if ((extent) >= 2) name##_2(__VA_ARGS__); else
#else
#define SV_IF_2(name, extent, ...)
#endif
#define SV_BY_WIDTH(name, extent, ...) \
    do { \
        SV_IF_16(name, extent, __VA_ARGS__) \
        SV_IF_8(name, extent, __VA_ARGS__) \
        SV_IF_4(name, extent, __VA_ARGS__) \
        SV_IF_2(name, extent, __VA_ARGS__) \
        name##_1(__VA_ARGS__); \
    } while (0)

/* libm in the precision of real. */
#if SV_REAL_BYTES == 4
#define SV_MATH(name) name##f
#else
#define SV_MATH(name) name
#endif
#define sv_exp SV_MATH(exp)
#define sv_expm1 SV_MATH(expm1)
#define sv_log SV_MATH(log)
#define sv_log1p SV_MATH(log1p)
#define sv_sqrt SV_MATH(sqrt)
#define sv_sin SV_MATH(sin)
#define sv_cos SV_MATH(cos)
#define sv_pow SV_MATH(pow)
#define sv_tanh SV_MATH(tanh)
#define sv_erf SV_MATH(erf)
#define sv_fabs SV_MATH(fabs)
#define sv_erfc SV_MATH(erfc)
#define sv_log2 SV_MATH(log2)
#define sv_log10 SV_MATH(log10)
#define sv_tan SV_MATH(tan)
#define sv_asin SV_MATH(asin)
#define sv_acos SV_MATH(acos)
#define sv_atan SV_MATH(atan)
#define sv_sinh SV_MATH(sinh)
#define sv_cosh SV_MATH(cosh)
#define sv_asinh SV_MATH(asinh)
#define sv_acosh SV_MATH(acosh)
#define sv_atanh SV_MATH(atanh)
#define sv_floor SV_MATH(floor)
#define sv_ceil SV_MATH(ceil)
#define sv_trunc SV_MATH(trunc)
#define sv_round SV_MATH(rint) /* halves to even */

SV_INLINE int32_t sv_min_int(int32_t a, int32_t b) { return a < b ? a : b; }
SV_INLINE int32_t sv_max_int(int32_t a, int32_t b) { return a > b ? a : b; }
/* ceil(a / b), b > 0. */
SV_INLINE int32_t sv_ceil_div(int32_t a, int32_t b) { return a > 0 ? (a - 1) / b + 1 : -(-a / b); }

#endif
