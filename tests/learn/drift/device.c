/* The detectors over one stream, on a microcontroller: where they found drift, and their last numbers bit by bit. */
#include <stdio.h>

#include "adwin.h"
#include "ddm.h"
#include "page_hinkley.h"
#include "stream.h" /* static const double stream[N] */

static sv_adwin adwin;

static void show(const char *name, double number)
{
    uint64_t bits;
    memcpy(&bits, &number, sizeof bits);
    printf("%s %08lx%08lx\n", name, (unsigned long)(bits >> 32), (unsigned long)(bits & 0xFFFFFFFFu));
}

int main(void)
{
    sv_page_hinkley page_hinkley = sv_page_hinkley_make(30, 0.005, 10, 0.9999, SV_PAGE_HINKLEY_BOTH);
    sv_ddm ddm = sv_ddm_make(30, 2, 3);
    adwin = sv_adwin_make(0.002, 32, 5, 10);
    for (int i = 0; i < N; i++) {
        if (sv_page_hinkley_update(&page_hinkley, stream[i]) == 1) printf("page-hinkley drift %d\n", i);
        if (sv_adwin_update(&adwin, stream[i]) == 1) printf("adwin drift %d\n", i);
        if (sv_ddm_update(&ddm, stream[i] > 1) == 1) printf("ddm drift %d\n", i);
    }
    show("page-hinkley mean", page_hinkley.mean);
    show("page-hinkley up", page_hinkley.up);
    show("ddm rate", ddm.rate);
    show("ddm spread", ddm.lowest_spread);
    show("adwin total", adwin.total);
    show("adwin variance", adwin.variance);
    return 0;
}
