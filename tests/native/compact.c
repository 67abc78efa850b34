/* compact.h behind names a shared library exports; every one returns an int. */
#include "compact.h"

typedef const real *in;

int t_to_bfloat16(uint16_t *o, in x, int n, real rounds)
{ for (int i = 0; i < n; i++) o[i] = (uint16_t)sv_to_bfloat16(x[i], rounds); return 0; }
int t_from_bfloat16(real *o, const uint16_t *codes, int n)
{ for (int i = 0; i < n; i++) o[i] = sv_from_bfloat16(codes[i]); return 0; }
int t_quantize(int8_t *codes, real *scale, in x, int n, real rounds) { *scale = sv_quantize(codes, x, n, rounds); return 0; }
int t_quantize_square(uint8_t *codes, real *scale, in x, int n, real rounds)
{ *scale = sv_quantize_square(codes, x, n, rounds); return 0; }
int t_dequantize(real *o, const int8_t *codes, in scale, int n)
{ for (int i = 0; i < n; i++) o[i] = sv_dequantize(codes[i], *scale); return 0; }
int t_dequantize_square(real *o, const uint8_t *codes, in scale, int n)
{ for (int i = 0; i < n; i++) o[i] = sv_dequantize_square(codes[i], *scale); return 0; }
