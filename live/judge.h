/* Whether a candidate may predict: it is better on new samples, and has lost nothing where the model began.
 *
 * selvedge.learn.guard's evidence, spending, anchor and judge, of classes: the same sums in the same order in double,
 * which differ by no more than the two libms' exp, log and log1p do, where nothing is fused (-ffp-contract=off).
 * No heap, no globals; of libm exp, log, log1p, sqrt. */
#ifndef SELVEDGE_JUDGE_H
#define SELVEDGE_JUDGE_H

#include <math.h>
#include <stdint.h>

#define SV_STAKES 4

typedef struct {
    double log[SV_STAKES]; /* of the wealth of each stake */
    double credit;         /* predictions that may be made to judge */
    uint32_t candidate, looks, refusals;
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

/* z with P(Z > z) = p (Abramowitz & Stegun 26.2.23). */
static inline double sv_quantile(double p)
{
    const double t = sqrt(-2 * log(p));
    const double above = 2.515517 + t * (0.802853 + t * 0.010328);
    const double below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    return t - above / below;
}

/* Of n judges whose gains, -1, 0 or 1, come to `sum`, and their squares to `squares`. */
static inline sv_loss sv_lost(int32_t n, int32_t sum, int32_t squares, double error)
{
    const double all = (double)n + 2, part = (double)sum / all;
    const double variance = ((double)squares + 2) / all - part * part;
    sv_loss found;
    found.mean = -((double)sum / (double)n);
    found.upper = found.mean + sv_quantile(error) * sqrt((variance > 0 ? variance : 0) / all);
    return found;
}

/* Whether those of `all` judges that were asked first leave little hope. */
static inline int sv_hopeless(sv_loss found, int32_t n, int32_t all, double error, double margin)
{
    const double deviation = (found.upper - found.mean) / sv_quantile(error), rest = 1 - (double)n / all;
    const double left = deviation * sqrt(rest > 0 ? rest : 0);
    return found.mean - 2 * left + sv_quantile(error) * deviation * sqrt((double)n / all) > margin;
}

static inline void sv_judge_init(sv_judge *j, int32_t judges)
{
    sv_evidence_restart(j);
    j->credit = judges;
    j->candidate = 1;
    j->looks = j->refusals = 0;
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
