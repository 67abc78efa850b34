/* Drawn numbers in a buffer of exactly their size, and whether two agree: of the programs that run kernels on the heap. */
#ifndef TESTS_NATIVE_AGREE_H
#define TESTS_NATIVE_AGREE_H

#include <stdio.h>
#include <stdlib.h>

static real *numbers(int32_t count)
{
    real *x = malloc((size_t)count * sizeof(real) + (count == 0));
    for (int32_t i = 0; i < count; i++) x[i] = (real)(rand() % 2001 - 1000) / (real)1000;
    return x;
}

/* WITHIN, of who includes this: how far apart two sums of the same numbers in another order may be. */
static int differ(const char *name, const real *a, const real *b, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (!(sv_fabs(a[i] - b[i]) < WITHIN)) {
            printf("%s: %g is not %g at %d\n", name, (double)a[i], (double)b[i], i);
            return 1;
        }
    }
    return 0;
}

#endif
