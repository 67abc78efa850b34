/* sparse*.h behind names a shared library exports; every one returns an int. */
#include "sparse_lanes.h"
#include "sparse_pixels.h"

typedef const real *in;

int t_lanes(void);
int t_lanes(void) { return SV_LANES; }
int t_plain(real *o, in x, in v, const uint8_t *g, const int32_t *n, const sv_conv *d, int p0, int p1);
int t_plain(real *o, in x, in v, const uint8_t *g, const int32_t *n, const sv_conv *d, int p0, int p1)
{ sv_sparse_plain(o, x, v, g, n, d, p0, p1); return 0; }
int t_rows(real *o, in x, in v, const uint8_t *g, const int32_t *n, const sv_conv *d, real *s, int p0, int p1);
int t_rows(real *o, in x, in v, const uint8_t *g, const int32_t *n, const sv_conv *d, real *s, int p0, int p1)
{ sv_sparse_rows(o, x, v, g, n, d, s, p0, p1); return 0; }
int t_panels(real *o, in x, in v, const int32_t *k, const uint8_t *g, const int32_t *n, const sv_conv *d, real *s, int p0, int p1);
int t_panels(real *o, in x, in v, const int32_t *k, const uint8_t *g, const int32_t *n, const sv_conv *d, real *s, int p0, int p1)
{ sv_sparse_lanes(o, x, v, k, g, n, d, s, p0, p1); return 0; }
#if SV_LANES > 1
int t_pixels(real *o, in x, in v, const uint8_t *g, const int32_t *n, const sv_conv *d, in z, real *s, int p0, int p1);
int t_pixels(real *o, in x, in v, const uint8_t *g, const int32_t *n, const sv_conv *d, in z, real *s, int p0, int p1)
{ sv_sparse_pixels(o, x, v, g, n, d, z, s, p0, p1); return 0; }
#endif
