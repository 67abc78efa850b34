/* Timing the kernels of an emitted plan; see calibrate.c. Your firmware calls selvedge_calibrate, over and over if it
 * likes, and gives the three functions below it; no interrupt should be busy meanwhile. */
#ifndef SELVEDGE_CALIBRATE_H
#define SELVEDGE_CALIBRATE_H

#include <stdint.h>

/* Runs every program blocks * runs times and prints the report. Returns a SELVEDGE_ status. */
int32_t selvedge_calibrate(int32_t blocks, int32_t runs);

/* A port gives these. */
uint32_t selvedge_ticks(void); /* a clock that counts up and wraps at 2^32: cycles, or nanoseconds */
uint32_t selvedge_hz(void);    /* its ticks a second */
void selvedge_put(char c);     /* one character to the host, 8 bits, no parity */

#endif
