/* Bytes of stack that a program uses, for the checking build only: it runs on a painted stack of our own. */
#define _POSIX_C_SOURCE 200809L
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define PAINT 0xA5
#define FAILED ((size_t)-1)

typedef struct {
    int32_t (*program)(void *);
    void *context;
} job;

static void *run(void *argument)
{
    job *j = argument;
    if (j->program) j->program(j->context);
    return 0;
}

static size_t high_water(job *j, unsigned char *stack, size_t bytes)
{
    pthread_attr_t attributes;
    pthread_t thread;
    size_t untouched = 0;
    int failed;
    memset(stack, PAINT, bytes);
    if (pthread_attr_init(&attributes)) return FAILED;
    failed = pthread_attr_setstack(&attributes, stack, bytes) || pthread_create(&thread, &attributes, run, j);
    pthread_attr_destroy(&attributes);
    if (failed || pthread_join(thread, 0)) return FAILED;
    while (untouched < bytes && stack[untouched] == PAINT) untouched++;
    return bytes - untouched;
}

/* stack: `bytes` bytes, page aligned. Returns the bytes that `program` needs above those of an empty thread, or the
 * largest size_t if no thread could be started. */
size_t selvedge_stack_bytes(int32_t (*program)(void *), void *context, unsigned char *stack, size_t bytes)
{
    job nothing = {0, 0}, real_job = {program, context};
    const size_t empty = high_water(&nothing, stack, bytes), used = high_water(&real_job, stack, bytes);
    if (used == FAILED || empty == FAILED) return FAILED;
    return used > empty ? used - empty : 0;
}
