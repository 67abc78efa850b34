/* Moving numbers without changing them: transpose, slice and its transpose, pad. Items of any type, by their bytes. Rank at most 6. */
#ifndef SELVEDGE_MOVE_H
#define SELVEDGE_MOVE_H

#include "selvedge.h"

#define SV_RANK 6

/* Next position of `index` in row-major order over the first `rank` axes; 0 after the last. */
SV_FN int sv_next(int32_t *index, const int32_t *shape, int32_t rank)
{
    for (int32_t axis = rank - 1; axis >= 0; axis--) {
        if (++index[axis] < shape[axis]) return 1;
        index[axis] = 0;
    }
    return 0;
}

/* to[i * to_line + j] = from[i + j * from_line] for items of `bytes`, in blocks that stay in the cache. */
SV_INLINE void sv_swap(unsigned char *to, ptrdiff_t to_line, const unsigned char *from, ptrdiff_t from_line,
                       int32_t rows, int32_t columns, const size_t bytes)
{
    const ptrdiff_t size = (ptrdiff_t)bytes;
    for (int32_t i0 = 0; i0 < rows; i0 += 16)
        for (int32_t j0 = 0; j0 < columns; j0 += 16)
            for (int32_t i = i0; i < sv_min_int(rows, i0 + 16); i++)
                for (int32_t j = j0; j < sv_min_int(columns, j0 + 16); j++)
                    memcpy(to + (i * to_line + j) * size, from + (i + j * from_line) * size, bytes);
}

/* out axis i = x axis perm[i]; shape is that of x; items of 1, 2, 4 or 8 bytes. */
SV_FN void sv_transpose(void *out, const void *x, int32_t rank, const int32_t *shape, const int32_t *perm,
                        int32_t item_bytes)
{
    int32_t extent[SV_RANK + 2] = {1, 1}, axes = 2, index[SV_RANK + 2] = {0};
    ptrdiff_t from[SV_RANK + 2] = {0}, to[SV_RANK + 2] = {0}, items = 1;
    for (int32_t i = 0; i < rank; i++) { /* merge the axes that stay together; leave out those of 1 */
        ptrdiff_t stride = 1;
        for (int32_t j = perm[i] + 1; j < rank; j++) stride *= shape[j];
        if (shape[perm[i]] == 0) return;
        if (shape[perm[i]] == 1) continue;
        if (axes > 2 && from[axes - 1] == stride * shape[perm[i]]) {
            extent[axes - 1] *= shape[perm[i]], from[axes - 1] = stride;
        } else {
            extent[axes] = shape[perm[i]], from[axes++] = stride;
        }
    }
    for (int32_t i = axes - 1; i >= 0; i--) to[i] = items, items *= extent[i];
    int32_t unit = axes - 1; /* the axis along which x is dense */
    while (unit > 2 && from[unit] != 1) unit--;
    const int32_t last = axes - 1, columns = extent[last], rows = extent[unit];
    const size_t bytes = (size_t)item_bytes;
    if (unit != last) extent[unit] = 1;
    do {
        ptrdiff_t a = 0, b = 0;
        for (int32_t i = 0; i < last; i++) a += index[i] * to[i], b += index[i] * from[i];
        unsigned char *o = (unsigned char *)out + a * item_bytes;
        const unsigned char *s = (const unsigned char *)x + b * item_bytes;
        if (unit == last)
            memcpy(o, s, (size_t)columns * bytes);
        else if (bytes == 4)
            sv_swap(o, to[unit], s, from[last], rows, columns, 4);
        else if (bytes == 8)
            sv_swap(o, to[unit], s, from[last], rows, columns, 8);
        else
            sv_swap(o, to[unit], s, from[last], rows, columns, bytes);
    } while (sv_next(index, extent, last));
}

/* The place of `index` in a dense array of `shape`, taken start + index * step along every axis. */
SV_FN ptrdiff_t sv_place(const int32_t *index, int32_t rank, const int32_t *shape, const int32_t *starts,
                         const int32_t *steps)
{
    ptrdiff_t at = 0;
    for (int32_t i = 0; i < rank; i++) at = at * shape[i] + starts[i] + (ptrdiff_t)index[i] * steps[i];
    return at;
}

SV_FN ptrdiff_t sv_items(int32_t rank, const int32_t *shape)
{
    ptrdiff_t items = 1;
    for (int32_t i = 0; i < rank; i++) items *= shape[i];
    return items;
}

/* to[i * to_step] = from[i * from_step] for `run` items of `bytes`. */
SV_INLINE void sv_line(unsigned char *to, ptrdiff_t to_step, const unsigned char *from, ptrdiff_t from_step,
                       int32_t run, const size_t bytes)
{
    const ptrdiff_t size = (ptrdiff_t)bytes;
    for (int32_t i = 0; i < run; i++) memcpy(to + i * to_step * size, from + i * from_step * size, bytes);
}

SV_FN void sv_copy_line(unsigned char *to, ptrdiff_t to_step, const unsigned char *from, ptrdiff_t from_step,
                        int32_t run, int32_t item_bytes)
{
    if (to_step == 1 && from_step == 1)
        memcpy(to, from, (size_t)run * (size_t)item_bytes);
    else if (item_bytes == 4)
        sv_line(to, to_step, from, from_step, run, 4);
    else if (item_bytes == 8)
        sv_line(to, to_step, from, from_step, run, 8);
    else
        sv_line(to, to_step, from, from_step, run, (size_t)item_bytes);
}

/* out (out_shape) = x (shape) from `starts` on by `steps`; items of item_bytes, here and below. */
SV_FN void sv_slice(void *out, const void *x, int32_t rank, const int32_t *shape, const int32_t *out_shape,
                    const int32_t *starts, const int32_t *steps, int32_t item_bytes)
{
    int32_t index[SV_RANK] = {0};
    unsigned char *to = (unsigned char *)out;
    if (sv_items(rank, out_shape) == 0) return;
    const int32_t run = out_shape[rank - 1];
    do {
        const ptrdiff_t from = sv_place(index, rank, shape, starts, steps);
        sv_copy_line(to, 1, (const unsigned char *)x + from * item_bytes, steps[rank - 1], run, item_bytes);
        to += (ptrdiff_t)run * item_bytes;
    } while (sv_next(index, out_shape, rank - 1));
}

/* Places x (x_shape) into out (shape) from `starts` on by `steps`; leaves the rest of out. */
SV_FN void sv_scatter(void *out, const void *x, int32_t rank, const int32_t *shape, const int32_t *x_shape,
                      const int32_t *starts, const int32_t *steps, int32_t item_bytes)
{
    int32_t index[SV_RANK] = {0};
    const unsigned char *from = (const unsigned char *)x;
    if (sv_items(rank, x_shape) == 0) return;
    const int32_t run = x_shape[rank - 1];
    do {
        const ptrdiff_t to = sv_place(index, rank, shape, starts, steps);
        sv_copy_line((unsigned char *)out + to * item_bytes, steps[rank - 1], from, 1, run, item_bytes);
        from += (ptrdiff_t)run * item_bytes;
    } while (sv_next(index, x_shape, rank - 1));
}

/* out (n, rows, columns) of items of item_bytes = x (n, h, w) at the rows and columns of these numbers. */
SV_FN void sv_nearest(void *out, const void *x, int32_t n, int32_t h, int32_t w, int32_t rows, int32_t columns,
                      const int32_t *row, const int32_t *column, int32_t item_bytes)
{
    unsigned char *to = (unsigned char *)out;
    for (int32_t image = 0; image < n; image++)
        for (int32_t i = 0; i < rows; i++) {
            const unsigned char *line = (const unsigned char *)x + ((ptrdiff_t)image * h + row[i]) * w * item_bytes;
            for (int32_t j = 0; j < columns; j++, to += item_bytes)
                memcpy(to, line + (ptrdiff_t)column[j] * item_bytes, (size_t)item_bytes);
        }
}

/* The transpose of sv_slice: out (shape) is zero but for x (x_shape) at its places. */
SV_FN void sv_unslice(void *out, const void *x, int32_t rank, const int32_t *shape, const int32_t *x_shape,
                      const int32_t *starts, const int32_t *steps, int32_t item_bytes)
{
    memset(out, 0, (size_t)sv_items(rank, shape) * (size_t)item_bytes);
    sv_scatter(out, x, rank, shape, x_shape, starts, steps, item_bytes);
}

/* out (before + x_shape + after, along every axis) = x inside, the item at `value` outside. */
SV_FN void sv_pad(void *out, const void *x, int32_t rank, const int32_t *x_shape, const int32_t *before,
                  const int32_t *after, const void *value, int32_t item_bytes)
{
    int32_t shape[SV_RANK] = {0}, ones[SV_RANK] = {0};
    unsigned char *to = (unsigned char *)out;
    for (int32_t i = 0; i < rank; i++) shape[i] = before[i] + x_shape[i] + after[i], ones[i] = 1;
    const ptrdiff_t items = sv_items(rank, shape);
    for (ptrdiff_t i = 0; i < items; i++) memcpy(to + i * item_bytes, value, (size_t)item_bytes);
    sv_scatter(out, x, rank, shape, x_shape, before, ones, item_bytes);
}

#endif
