/* Statistics of many runs: one number for the scores of games x seeds, and its confidence interval.
   The definitions are those of the library rliable (Agarwal et al. 2021, "Deep Reinforcement
   Learning at the Edge of the Statistical Precipice"). Include the implementation of rise.h before
   this file: the bootstrap uses risei_random. */
#ifndef STATS_H
#define STATS_H

enum {
    STATS_GAMES = 32,
    STATS_SEEDS = 32,
    STATS_SCORES = STATS_GAMES * STATS_SEEDS,
    STATS_REPLICATES = 2000
};

/* Scores of one kind of agent. Games may have different numbers of seeds. */
typedef struct stats_scores {
    int games, seeds[STATS_GAMES];
    double at[STATS_GAMES][STATS_SEEDS];
} stats_scores;

typedef struct stats_estimate {
    /* all NaN without scores */
    double value;
    double low, high; /* the interval that holds 95% of the bootstrap's replicates */
} stats_estimate;

static int stats_ascending(const void *a, const void *b)
{
    double const x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Returns the interquartile mean: the mean without the lowest and the highest quarter. The size of
   a quarter is rounded down, as in scipy's trim_mean. Sorts `values`. */
static double stats_iqm(double *values, int count)
{
    int const cut = count / 4;
    double sum = 0;
    int i;
    qsort(values, (size_t)count, sizeof *values, stats_ascending);
    for (i = cut; i < count - cut; i++) sum += values[i];
    return sum / (count - 2 * cut);
}

/* Returns the quantile `share` (0..1) of the sorted `values`, with linear interpolation. */
static double stats_quantile(const double *values, int count, double share)
{
    double const place = share * (count - 1);
    int const below = place >= count - 1 ? count - 1 : (int)place;
    return below == count - 1
               ? values[below]
               : values[below] + (place - below) * (values[below + 1] - values[below]);
}

/* Returns the interquartile mean (IQM) over all games and seeds. */
static double stats_score(const stats_scores *s)
{
    double all[STATS_SCORES];
    int g, i, count = 0;
    for (g = 0; g < s->games; g++)
        for (i = 0; i < s->seeds[g]; i++) all[count++] = s->at[g][i];
    return stats_iqm(all, count);
}

/* Returns the probability that a run of x scores more than a run of y, in a random game. Equal
   scores count as one half. */
static double stats_improvement(const stats_scores *x, const stats_scores *y)
{
    double sum = 0;
    int g, i, j;
    for (g = 0; g < x->games; g++) {
        double wins = 0;
        for (i = 0; i < x->seeds[g]; i++)
            for (j = 0; j < y->seeds[g]; j++)
                wins += x->at[g][i] > y->at[g][j] ? 1 : x->at[g][i] < y->at[g][j] ? 0 : 0.5;
        sum += wins / (x->seeds[g] * y->seeds[g]);
    }
    return sum / x->games;
}

/* Draws a bootstrap replicate: from each game's seeds, with replacement, as many as there are. */
static void stats_resample(stats_scores *out, const stats_scores *in, risei_random *random)
{
    int g, i;
    out->games = in->games;
    for (g = 0; g < in->games; g++) {
        out->seeds[g] = in->seeds[g];
        for (i = 0; i < in->seeds[g]; i++)
            out->at[g][i] = in->at[g][risei_random_below(random, in->seeds[g])];
    }
}

/* Returns the IQM of x or, if y is not NULL, the probability that x scores more than y. The
   interval is from a stratified percentile bootstrap. The same scores give the same interval. */
static stats_estimate stats_of(const stats_scores *x, const stats_scores *y)
{
    static stats_scores drawn[2];
    static double replicates[STATS_REPLICATES];
    risei_random random = risei_random_stream(1, 1);
    stats_estimate e = {NAN, NAN, NAN};
    int i;
    if (x->games == 0) return e;
    e.value = y != NULL ? stats_improvement(x, y) : stats_score(x);
    for (i = 0; i < STATS_REPLICATES; i++) {
        stats_resample(&drawn[0], x, &random);
        if (y != NULL) stats_resample(&drawn[1], y, &random);
        replicates[i] = y != NULL ? stats_improvement(&drawn[0], &drawn[1])
                                  : stats_score(&drawn[0]);
    }
    qsort(replicates, STATS_REPLICATES, sizeof *replicates, stats_ascending);
    e.low = stats_quantile(replicates, STATS_REPLICATES, 0.025);
    e.high = stats_quantile(replicates, STATS_REPLICATES, 0.975);
    return e;
}

#endif
