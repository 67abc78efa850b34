/* What the tests ask of judge.h. */
#include "judge.h"

/* found: mean, upper, and whether `first` of n leave no hope. */
int t_bound(int32_t n, int32_t minus, int32_t plus, int32_t first, double nats, double margin, double *found)
{
    const sv_loss loss = sv_lost(first, minus, plus, nats);
    found[0] = loss.mean;
    found[1] = loss.upper;
    found[2] = sv_hopeless(first, minus, plus, n, nats, margin);
    return 0;
}

/* said[n]: numbers of answers; nats[n + 1]: before each, and behind the last. */
int t_answers(const int32_t *said, int32_t n, int32_t first, double error, double *nats)
{
    sv_judge judge;
    sv_judge_init(&judge, 1000);
    for (int32_t i = 0; i < n; i++) {
        nats[i] = sv_judge_nats(&judge, error);
        sv_judge_say(&judge, said[i], first);
    }
    nats[n] = sv_judge_nats(&judge, error);
    return 0;
}
