/* What saved activations become, behind names a shared library exports. */
#include "saved.h"

int t_pack_mask_relu(uint8_t *mask, const real *x, int32_t n) { sv_pack_mask_relu(mask, x, n); return 0; }
int t_pack_mask_hardtanh(uint8_t *mask, const real *x, int32_t n, real low, real high)
{ sv_pack_mask_hardtanh(mask, x, n, low, high); return 0; }
int t_pack_mask_clamp(uint8_t *mask, const real *x, int32_t n, real low, real high)
{ sv_pack_mask_clamp(mask, x, n, low, high); return 0; }
int t_quantize_channels(int8_t *codes, real *scales, const real *x, int32_t rows, int32_t c)
{ sv_quantize_channels(codes, scales, x, rows, c); return 0; }
