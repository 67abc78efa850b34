/* Paging to a file, for POSIX systems: the context is the address of its descriptor. */
#define _POSIX_C_SOURCE 200809L
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

int32_t selvedge_file_read(void *context, uint32_t at, void *bytes, uint32_t size);
int32_t selvedge_file_write(void *context, uint32_t at, const void *bytes, uint32_t size);

/* 0 once all is read; 1 on an error, or where the file ends before. */
int32_t selvedge_file_read(void *context, uint32_t at, void *bytes, uint32_t size)
{
    const int file = *(const int *)context;
    uint32_t done = 0;
    while (done < size) {
        const ssize_t n = pread(file, (unsigned char *)bytes + done, size - done, (off_t)at + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 1;
        done += (uint32_t)n;
    }
    return 0;
}

/* 0 once all is written; 1 on an error, a full disk, say. */
int32_t selvedge_file_write(void *context, uint32_t at, const void *bytes, uint32_t size)
{
    const int file = *(const int *)context;
    uint32_t done = 0;
    while (done < size) {
        const ssize_t n = pwrite(file, (const unsigned char *)bytes + done, size - done, (off_t)at + (off_t)done);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) return 1;
        done += (uint32_t)n;
    }
    return 0;
}
