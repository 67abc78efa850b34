/* Whether a candidate may predict: it is better on new samples, and has lost nothing where the model began.
 *
 * selvedge.learn.guard's evidence, spending, answers, anchor and judge, of classes: the same sums in the same order in double,
 * which differ by no more than the two libms' exp, log and log1p do, where nothing is fused (-ffp-contract=off).
 * No heap, no globals; of libm exp, log, log1p. */
#ifndef SELVEDGE_JUDGE_H
#define SELVEDGE_JUDGE_H

#include <math.h>
#include <stdint.h>

#define SV_STAKES 4
#define SV_HALVINGS 24

enum { SV_AT_ONCE, SV_REFUSED, SV_PASSED, SV_ROOMY, SV_ANSWERS }; /* of the anchor's judges */

typedef struct {
    double log[SV_STAKES]; /* of the wealth of each stake */
    double credit;         /* predictions that may be made to judge */
    double told;           /* nats: what the judges have said */
    uint32_t candidate, refusals, answers[SV_ANSWERS];
    int32_t roomy; /* the last look found at most half of what may be lost */
} sv_judge;

/* What is lost on `n` judges: the mean, and its upper bound. */
typedef struct {
    double mean, upper;
} sv_loss;

/* A new purse: for another candidate. */
static inline void sv_evidence_restart(sv_judge *j)
{
    j->log[0] = -0x1.26bb1bbb55515p+1; /* log 0.1, 0.2, 0.3, 0.4 */
    j->log[1] = -0x1.9c041f7ed8d33p+0;
    j->log[2] = -0x1.34378fcbda721p+0;
    j->log[3] = -0x1.d5240f0e0e077p-1;
}

/* One sample: what the candidate has over the other, -1..1. */
static inline void sv_evidence_update(sv_judge *j, double gain)
{
    static const double stakes[SV_STAKES] = {0.1, 0.3, 0.6, 0.95};
    if (gain < 0 || gain > 0) for (int i = 0; i < SV_STAKES; i++) j->log[i] += log1p(stakes[i] * gain);
}

/* The logarithm of the wealth. */
static inline double sv_evidence_log(const sv_judge *j)
{
    double top = j->log[0], sum = 0;
    for (int i = 1; i < SV_STAKES; i++) if (j->log[i] > top) top = j->log[i];
    for (int i = 0; i < SV_STAKES; i++) sum += exp(j->log[i] - top);
    return top + log(sum);
}

/* alpha_k = alpha 6 / (pi k)^2. */
static inline double sv_spent(double alpha, uint32_t k)
{
    const double root = 3.141592653589793 * (double)k;
    return alpha * 6 / (root * root);
}

/* The logarithm of what 1 has become behind n judges, of whom `minus` were lost and `plus` gained, of bets against a
 * loss of `loss` or more. */
static inline double sv_against(double n, double minus, double plus, double loss)
{
    static const double stakes[SV_STAKES] = {0.1, 0.3, 0.6, 0.95};
    double logs[SV_STAKES], top = 0, sum = 0;
    for (int i = 0; i < SV_STAKES; i++) {
        const double s = stakes[i];
        logs[i] = minus * log1p(s * (-1 + loss)) + (n - minus - plus) * log1p(s * (0 + loss)) + plus * log1p(s * (1 + loss));
        if (i == 0 || logs[i] > top) top = logs[i];
    }
    for (int i = 0; i < SV_STAKES; i++) sum += exp(logs[i] - top);
    return top + log(sum / SV_STAKES);
}

/* Of n judges: the least loss, from 0, against which the bets are won; wrong with exp(-nats) at most. */
static inline sv_loss sv_lost(int32_t n, int32_t minus, int32_t plus, double nats)
{
    sv_loss found;
    found.mean = -((double)(plus - minus) / (double)n);
    double low = found.mean > 0 ? found.mean : 0;
    found.upper = 1;
    for (int i = 0; i < SV_HALVINGS; i++) {
        const double middle = (low + found.upper) / 2;
        if (sv_against(n, minus, plus, middle) >= nats) found.upper = middle;
        else low = middle;
    }
    return found;
}

/* Whether n of `all` judges that were asked first leave no hope, were none of the others lost and as many gained. */
static inline int sv_hopeless(int32_t n, int32_t minus, int32_t plus, int32_t all, double nats, double margin)
{
    return sv_against(all, minus, plus * ((double)all / (double)n), margin) < nats;
}

/* -log of the error of the next look. */
static inline double sv_judge_nats(const sv_judge *j, double error)
{
    const uint32_t looks = j->answers[0] + j->answers[1] + j->answers[2] + j->answers[3];
    return j->told - log(sv_spent(error, looks + 1));
}

/* What the judges said of a look: SV_AT_ONCE, which there is only where some are asked `first`, to SV_ROOMY. */
static inline void sv_judge_say(sv_judge *j, int32_t answer, int first)
{
    const uint32_t looks = j->answers[0] + j->answers[1] + j->answers[2] + j->answers[3];
    const double kinds = first ? SV_ANSWERS : SV_ANSWERS - 1;
    j->told -= log(((double)j->answers[answer] + 0.5) / ((double)looks + kinds / 2));
    j->answers[answer]++;
}

static inline void sv_judge_init(sv_judge *j, int32_t judges)
{
    sv_evidence_restart(j);
    j->credit = judges;
    j->candidate = 1;
    j->told = 0;
    j->refusals = j->answers[0] = j->answers[1] = j->answers[2] = j->answers[3] = 0;
    j->roomy = 1;
}

/* The same candidate, of which something else is to be judged. */
static inline void sv_judge_again(sv_judge *j)
{
    sv_evidence_restart(j);
    j->candidate++;
}

/* Another candidate, or another that it is measured against. */
static inline void sv_judge_next(sv_judge *j)
{
    sv_judge_again(j);
    j->refusals = 0;
}

static inline int sv_judge_pay(sv_judge *j, int32_t predictions)
{
    if (j->credit < predictions) return 0;
    j->credit -= predictions;
    return 1;
}

static inline void sv_judge_earn(sv_judge *j, double predictions, double most)
{
    const double credit = j->credit + predictions;
    j->credit = credit < most ? credit : most;
}

#endif
