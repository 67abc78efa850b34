/* Rows of an image that pass through a window. Output row y reads the rows y * stride - pad + [0, reach) that the
 * operand has: planning/stream.py in C. */
#ifndef SELVEDGE_STREAM_H
#define SELVEDGE_STREAM_H

#include "selvedge.h"

/* The first row that output rows from `first` on can read. */
SV_FN int32_t sv_rows_start(int32_t first, int32_t stride, int32_t pad, int32_t rows)
{
    return sv_min_int(sv_max_int(0, first * stride - pad), rows);
}

/* One past the last row that output rows before `last` read. */
SV_FN int32_t sv_rows_stop(int32_t last, int32_t stride, int32_t pad, int32_t reach, int32_t rows)
{
    return last > 0 ? sv_min_int(sv_max_int(0, (last - 1) * stride - pad + reach), rows) : 0;
}

/* Drops the first `drop` rows of a window of `bytes` a row, and moves the `keep` rows behind them to its front. */
SV_FN void sv_keep_rows(unsigned char *window, int32_t bytes, int32_t drop, int32_t keep)
{
    if (drop > 0)
        for (int32_t i = 0; i < keep; i++)
            memcpy(window + (ptrdiff_t)i * bytes, window + (ptrdiff_t)(i + drop) * bytes, (size_t)bytes);
}

#endif
