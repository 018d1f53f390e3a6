/* Tests bench/stats.h on numbers whose statistics are known. */
#define RISE_IMPLEMENTATION
#include "../rise.h"
#include "../bench/stats.h"
#include "check.h"

static stats_scores scores_of(int games, int seeds, const double *values)
{
    stats_scores s;
    int g, i;
    memset(&s, 0, sizeof s);
    s.games = games;
    for (g = 0; g < games; g++)
        for (s.seeds[g] = seeds, i = 0; i < seeds; i++) s.at[g][i] = values[g * seeds + i];
    return s;
}

/* As scipy.stats.trim_mean(values, 0.25). */
static void iqm_equals_scipy(void)
{
    double one[] = {3}, three[] = {9, 0, 3}, four[] = {100, 2, -50, 4}, five[] = {5, 1, 2, 3, 100};
    double eight[] = {8, 7, 6, 5, 4, 3, 2, -1000};
    CHECK_NEAR(stats_iqm(one, 1), 3, 0);
    CHECK_NEAR(stats_iqm(three, 3), 4, 1e-15);
    CHECK_NEAR(stats_iqm(four, 4), 3, 1e-15);
    CHECK_NEAR(stats_iqm(five, 5), 10.0 / 3, 1e-15);
    CHECK_NEAR(stats_iqm(eight, 8), 4.5, 1e-15);
}

/* As numpy.quantile. */
static void quantile_equals_numpy(void)
{
    static const double values[] = {1, 2, 4, 8, 16};
    CHECK_NEAR(stats_quantile(values, 5, 0), 1, 0);
    CHECK_NEAR(stats_quantile(values, 5, 0.5), 4, 0);
    CHECK_NEAR(stats_quantile(values, 5, 0.3), 2.4, 1e-14);
    CHECK_NEAR(stats_quantile(values, 5, 0.9), 12.8, 1e-14);
    CHECK_NEAR(stats_quantile(values, 5, 1), 16, 0);
}

static void improvement_counts_pairs(void)
{
    static const double low[] = {1, 2, 3}, high[] = {2, 3, 4}, two[] = {0, 0, 5, 6};
    static const double others[] = {1, 1, 5, 5};
    stats_scores x = scores_of(1, 3, low), y = scores_of(1, 3, high);
    CHECK_NEAR(stats_improvement(&y, &x), 7.0 / 9, 1e-15); /* 6 of 9 pairs won, 2 even */
    CHECK_NEAR(stats_improvement(&x, &y), 2.0 / 9, 1e-15);
    CHECK_NEAR(stats_improvement(&x, &x), 0.5, 1e-15);
    x = scores_of(2, 2, two), y = scores_of(2, 2, others);
    CHECK_NEAR(stats_improvement(&x, &y), (0 + 0.75) / 2, 1e-15);
}

/* The interquartile mean of 4 draws from {0, 1} is 0, 1/2 or 1. The interval covers the likely
   ones. For many equally likely values, the interval is that of a normal distribution. */
static void bootstrap_interval_is_right(void)
{
    static const double same[] = {2, 2, 2, 2, 2, 2}, halves[] = {0, 0, 1, 1};
    double many[STATS_SEEDS], sigma;
    stats_scores s = scores_of(2, 3, same);
    stats_estimate e = stats_of(&s, NULL), again;
    int i;
    CHECK(e.value == 2 && e.low == 2 && e.high == 2);
    s = scores_of(1, 4, halves);
    e = stats_of(&s, NULL);
    CHECK(e.value == 0.5 && e.low == 0 && e.high == 1);
    again = stats_of(&s, NULL);
    CHECK(again.low == e.low && again.high == e.high);

    for (i = 0; i < STATS_SEEDS; i++) many[i] = i % 2;
    s = scores_of(1, STATS_SEEDS, many);
    e = stats_of(&s, NULL);
    /* the number of ones is binomial with sigma sqrt(32) / 2; after cutting 8 values at each end,
       the mean is (ones - 8) / 16 */
    sigma = sqrt(STATS_SEEDS) / 2 / (STATS_SEEDS / 2);
    CHECK(fabs(e.value - 0.5) < 1e-12);
    CHECK(fabs(e.low - (0.5 - 1.96 * sigma)) < 0.07 && fabs(e.high - (0.5 + 1.96 * sigma)) < 0.07);

    /* seeds are drawn within each game; if games differ and their seeds do not, the interval is one
       point */
    for (i = 0; i < 8; i++) many[i] = i / 2;
    s = scores_of(4, 2, many);
    e = stats_of(&s, NULL);
    CHECK(e.value == 1.5 && e.low == 1.5 && e.high == 1.5);
}

static void improvement_interval_is_right(void)
{
    static const double low[] = {0, 1, 2, 3, 4}, high[] = {5, 6, 7, 8, 9};
    static const double mixed[] = {0, 9, 2, 7, 4};
    stats_scores const x = scores_of(1, 5, low), y = scores_of(1, 5, high);
    stats_scores const z = scores_of(1, 5, mixed);
    stats_scores none = scores_of(0, 0, low);
    stats_estimate e = stats_of(&y, &x);
    CHECK(e.value == 1 && e.low == 1 && e.high == 1);
    e = stats_of(&z, &x); /* pairs won: 0, 5, 2, 5, 4; even: 1, 0, 1, 0, 1 */
    CHECK_NEAR(e.value, 17.5 / 25, 1e-15);
    CHECK(e.low > 0.2 && e.low < e.value && e.high > e.value && e.high <= 1);
    e = stats_of(&none, NULL);
    CHECK(isnan(e.value) && isnan(e.low) && isnan(e.high));
}

static const check_test tests[] = {
    TEST(iqm_equals_scipy),
    TEST(quantile_equals_numpy),
    TEST(improvement_counts_pairs),
    TEST(bootstrap_interval_is_right),
    TEST(improvement_interval_is_right),
};
int main(int count, char **arguments)
{
    return CHECK_MAIN(count, arguments, tests);
}
