/* The detectors behind names a shared library exports: a whole stream, with what each number gave. */
#include "adwin.h"
#include "ddm.h"
#include "page_hinkley.h"

int t_page_hinkley(const double *x, int32_t n, int32_t min_instances, double delta, double threshold, double alpha,
                   int32_t mode, int8_t *gave, double *state)
{
    sv_page_hinkley d = sv_page_hinkley_make(min_instances, delta, threshold, alpha, mode);
    for (int32_t i = 0; i < n; i++) gave[i] = (int8_t)sv_page_hinkley_update(&d, x[i]);
    const double held[] = {d.n, d.mean, d.up, d.down, d.lowest, d.highest};
    for (int32_t i = 0; i < 6; i++) state[i] = held[i];
    return (int)sizeof d;
}

int t_ddm(const double *x, int32_t n, int32_t warm_start, double warning, double drift, int8_t *gave, double *state)
{
    sv_ddm d = sv_ddm_make(warm_start, warning, drift);
    for (int32_t i = 0; i < n; i++) {
        const int said = sv_ddm_update(&d, (int32_t)x[i]);
        gave[i] = (int8_t)(said == 0 && d.warning ? 2 : said);
    }
    const double held[] = {d.n, d.rate, d.lowest_rate, d.lowest_spread};
    for (int32_t i = 0; i < 4; i++) state[i] = held[i];
    return (int)sizeof d;
}

int t_adwin(const double *x, int32_t n, double delta, int32_t clock, int32_t min_window_length, int32_t grace_period,
            int8_t *gave, double *state)
{
    sv_adwin d = sv_adwin_make(delta, clock, min_window_length, grace_period);
    for (int32_t i = 0; i < n; i++) gave[i] = (int8_t)sv_adwin_update(&d, x[i]);
    const double held[] = {d.width, d.total, d.variance};
    for (int32_t i = 0; i < 3; i++) state[i] = held[i];
    return (int)sizeof d;
}
