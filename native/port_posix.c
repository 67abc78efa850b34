/* The port of calibrate.c to Linux and other POSIX systems: lines on standard output. */
#define _POSIX_C_SOURCE 199309L
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "calibrate.h"

int main(int argc, char **argv);

uint32_t selvedge_ticks(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)now.tv_sec * 1000000000U + (uint32_t)now.tv_nsec;
}

uint32_t selvedge_hz(void) { return 1000000000U; }

void selvedge_put(char c)
{
    putchar(c);
    if (c == '\n') fflush(stdout);
}

/* usage: calibrate [BLOCKS [RUNS]] */
int main(int argc, char **argv)
{
    return (int)selvedge_calibrate(argc > 1 ? atoi(argv[1]) : 10, argc > 2 ? atoi(argv[2]) : 20);
}
