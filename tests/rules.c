/* Tests learning rules against the papers' formulas, written again in double: C51's projection and
   cross entropy, IQN's quantile loss, Munchausen targets, rescaled values, soft copies of the
   target network, noise. Then tests that agents learn the distributions they are shown, and that
   every field of a description is set from text and keeps its range.
       cc -O2 tests/rules.c -o rules -lm && ./rules */
#define RISE_IMPLEMENTATION
#include "../rise.h"
#include "check.h"

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

enum { ACTIONS = 5, BATCH = 8 };

static risei_random dice;

static double uniform(void) { return (double)risei_random_uniform(&dice); }
static int below(int n) { return risei_random_below(&dice, n); }
static double between(double low, double high) { return low + (high - low) * uniform(); }
/* Returns a number of either sign and of any size from 10^low to 10^high. */
static double sized(double low, double high)
{
    return (below(2) ? 1 : -1) * pow(10, between(low, high));
}

/* ---------------------------------------------------------------------------------------------- */
/* C51 projection */

/* Bellemare et al. 2017, equation 7. The probability of atom j is the sum over t of next_t [1 - |[r
   + discount z_t] - z_j| / step]. The first [ ] is clipped to 0..1, the second to low..high. */
static double projected(int atoms, double low, double high, double reward, double discount,
                        const float *next, int j)
{
    double const step = (high - low) / (atoms - 1), here = low + step * j;
    double sum = 0;
    int t;
    for (t = 0; t < atoms; t++) {
        double const value = fmin(fmax(reward + discount * (low + step * t), low), high);
        sum += (double)next[t] * fmax(0, 1 - fabs(value - here) / step);
    }
    return sum;
}
static void random_odds(int atoms, float *odds)
{
    double sum = 0, x[256];
    int t;
    for (t = 0; t < atoms; t++) sum += x[t] = below(3) == 0 ? 0 : pow(uniform(), 4) + 1e-9;
    for (t = 0; t < atoms && sum > 0; t++) odds[t] = (float)(x[t] / sum);
    for (t = 0; t < atoms && !(sum > 0); t++) odds[t] = t == 0;
}
static void project_case(int atoms, double low, double high, float reward, float discount)
{
    double const step = (high - low) / (atoms - 1), most = (double)reward + (double)discount * high;
    float next[256], odds[256];
    double mass = 0, mean = 0, before = 0, given = 0, worst = 0;
    int t, inside = (double)reward + (double)discount * low >= low && most <= high;
    random_odds(atoms, next);
    for (t = 0; t < atoms; t++) odds[t] = 77;
    risei_c51_project(atoms, low, high, reward, discount, next, odds);
    for (t = 0; t < atoms; t++) {
        double const right = projected(atoms, low, high, (double)reward, (double)discount, next, t);
        double const off = fabs((double)odds[t] - right) - 2e-5 * right;
        if (!(off <= worst)) worst = off;
        mass += (double)odds[t], mean += (double)odds[t] * (low + step * t);
        given += (double)next[t],
            before += (double)next[t] * ((double)reward + (double)discount * (low + step * t));
    }
    check_about("%d atoms from %g to %g, reward %g, discount %g", atoms, low, high, (double)reward,
                (double)discount);
    CHECK(worst <= 1e-6);
    CHECK(fabs(mass - given) <= 2e-5);
    CHECK(!inside || fabs(mean - before) <= 2e-5 * (fabs(low) + fabs(high)));
}
static void c51_projection_equals_the_formula(void)
{
    static const int counts[] = {2, 3, 5, 10, 51, 101, 256};
    int i, inside = 0;
    for (i = 0; i < 30000 / check_share; i++) {
        double const low = sized(-3, 8), high = low + fabs(sized(-2, 1) * low), span = high - low;
        float const discount = (float)(below(3) ? between(0.9, 1) : between(1e-3, 1));
        float const reward = (float)(below(3)   ? between(-0.1, 0.1) * span +
                                                      (1 - (double)discount) * between(low, high)
                                     : below(2) ? sized(-8, 8)
                                                : between(-3, 3) * span);
        inside += (double)reward + (double)discount * low >= low &&
                  (double)reward + (double)discount * high <= high;
        project_case(counts[i % COUNT(counts)], low, high, reward, discount);
    }
    check_about("%s", "");
    CHECK(inside > 1000 / check_share); /* these also preserve the mean */
}
/* Cases by hand; every number is dyadic. */
static void c51_projection_is_exact_by_hand(void)
{
    static const struct {
        float reward, discount;
        float next[5], right[5];
    } cases[] = {
        /* atoms are -2, -1, 0, 1, 2 */
        {0, 1, {0.125f, 0.25f, 0.125f, 0.25f, 0.25f}, {0.125f, 0.25f, 0.125f, 0.25f, 0.25f}},
        {1, 1, {0.125f, 0.25f, 0.125f, 0.25f, 0.25f}, {0, 0.125f, 0.25f, 0.125f, 0.5f}},
        {-1, 1, {0.125f, 0.25f, 0.125f, 0.25f, 0.25f}, {0.375f, 0.125f, 0.25f, 0.25f, 0}},
        {0, 0.5f, {0.125f, 0.25f, 0.125f, 0.25f, 0.25f}, {0, 0.25f, 0.375f, 0.375f, 0}},
        {0.25f, 1, {0, 0, 1, 0, 0}, {0, 0, 0.75f, 0.25f, 0}},
        {1.75f, 0.5f, {0, 1, 0, 0, 0}, {0, 0, 0, 0.75f, 0.25f}},
        {100, 1, {0.125f, 0.25f, 0.125f, 0.25f, 0.25f}, {0, 0, 0, 0, 1}},
        {-100, 0.5f, {0.125f, 0.25f, 0.125f, 0.25f, 0.25f}, {1, 0, 0, 0, 0}},
        {FLT_MAX, 1, {0.125f, 0.25f, 0.125f, 0.25f, 0.25f}, {0, 0, 0, 0, 1}},
        /* terminated: the next distribution is ignored */
        {0.25f, 0, {NAN, HUGE_VALF, -HUGE_VALF, NAN, 0}, {0, 0, 0.75f, 0.25f, 0}},
        {-2, 0, {NAN, NAN, NAN, NAN, NAN}, {1, 0, 0, 0, 0}},
        {2, 0, {NAN, NAN, NAN, NAN, NAN}, {0, 0, 0, 0, 1}},
        {-1e30f, 0, {0, 0, 0, 0, 0}, {1, 0, 0, 0, 0}},
        {1e30f, 0, {7, 7, 7, 7, 7}, {0, 0, 0, 0, 1}},
    };
    float odds[6];
    int i, j;
    for (i = 0; i < COUNT(cases); i++) {
        check_about("projection by hand, %d", i);
        odds[5] = -0.0f; /* behind the array; -0 + 0 would be 0 */
        risei_c51_project(5, -2, 2, cases[i].reward, cases[i].discount, cases[i].next, odds);
        for (j = 0; j < 5; j++) CHECK(odds[j] == cases[i].right[j]);
        CHECK(signbit(odds[5]));
    }
    for (i = 2; i <= 256; i++) { /* a reward that equals an atom gives that atom probability 1 */
        float all[256];
        for (j = 0; j < i; j++) {
            double const low = -10, high = 10, value = low + (high - low) * j / (i - 1);
            risei_c51_project(i, low, high, (float)value, 0, NULL, all);
            check_about("%d atoms, reward %g", i, value);
            CHECK(all[j] > 0.9999f && all[j] <= 1.0001f);
        }
    }
    check_about("%s", "");
}

/* ---------------------------------------------------------------------------------------------- */
/* An agent whose networks return what the test wants */

static rise_agent_desc small(rise_head head)
{
    rise_agent_desc d;
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 2, d.frame_stack = 1, d.actions = ACTIONS, d.action_masks = 1;
    d.memory = RISE_MEMORY_NONE, d.network = RISE_NETWORK_CUSTOM, d.conv_count = 1,
    d.conv[0].filters = 2, d.conv[0].size = 2;
    d.features = 4, d.head_units = 4;
    d.head = head, d.atoms = 7, d.value_min = -3, d.value_max = 5, d.quantiles = 6;
    d.batch = BATCH, d.n_step = 3, d.discount = 0.5, d.target_period = 3;
    d.replay_capacity = 64, d.learn_start = BATCH, d.learn_outside = d.batch_parts = 1;
    return d;
}
static rise_agent *created(const rise_agent_desc *d)
{
    rise_agent *a;
    rise_error error;
    if (rise_agent_create(&a, d, &error) != RISE_OK) {
        printf("%s\n", error.text);
        exit(1);
    }
    return a;
}
static void step(rise_agent *a, float reward, rise_event event, int allowed)
{
    uint8_t frame[4] = {9, 1, 8, 2}, mask[ACTIONS];
    int action;
    size_t i;
    for (i = 0; i < ACTIONS; i++) mask[i] = (uint8_t)(allowed >> i & 1);
    CHECK(rise_agent_step_all(a, frame, NULL, &reward, &event, a->desc.action_masks ? mask : NULL,
                              &action) == RISE_OK);
}
/* Bits of the actions allowed in state b. */
static int masks[BATCH + 1];
static int is_allowed(int b, int action) { return masks[b] >> action & 1; }

/* Returns an agent after BATCH + 1 frames with masks. Transition b goes from frame b to the
   next. */
static rise_agent *shown(const rise_agent_desc *d)
{
    rise_agent *a = created(d);
    int b;
    for (b = 0; b <= BATCH; b++) {
        masks[b] = b % 3 == 0 ? (1 << ACTIONS) - 1 : 1 + below((1 << ACTIONS) - 1);
        if (!d->action_masks) masks[b] = (1 << ACTIONS) - 1;
        step(a, 0, b == 0 ? RISE_FIRST : RISE_MIDDLE, masks[b]);
    }
    return a;
}
/* Fills the batch and the networks' outputs, with returns of size up to `size`. Every fourth
   transition has terminated, and all its next values are NaN or infinite. */
static void imagine(rise_agent *a, double size)
{
    const float nonfinite[] = {NAN, HUGE_VALF, -HUGE_VALF};
    const risei_heads *n = &a->model.net.heads;
    int const outputs = n->taus * n->atoms, before = a->desc.munchausen ? BATCH : 0;
    int b, i;
    for (b = 0; b < BATCH; b++) {
        risei_transition *t = &a->learner.batch.transition[b];
        int const over = b % 4 == 3;
        memset(t, 0, sizeof *t);
        t->at = b, t->steps = 1;
        do t->action = below(ACTIONS);
        while (!is_allowed(b, t->action));
        t->reward = (float)between(-size, size);
        t->discount = over ? 0 : (float)between(0.1, 1);
        a->learner.batch.importance[b] = (float)between(0.1, 1);
        for (i = 0; i < ACTIONS; i++) {
            a->model.pass.heads.q[b * ACTIONS + i] = (float)between(-size, size);
            a->model.pass.heads.q[(BATCH + b) * ACTIONS + i] = over ? nonfinite[below(3)]
                                                                    : (float)between(-size, size);
            a->learner.batch.target_q[b * ACTIONS + i] = (float)between(-size, size);
            a->learner.batch.target_q[(before + b) * ACTIONS + i] =
                over ? nonfinite[below(3)] : (float)between(-size, size);
            if (before > 0 && below(4) == 0) /* some values are close to each other */
                a->learner.batch.target_q[b * ACTIONS + i] =
                    a->learner.batch.target_q[b * ACTIONS] + (float)between(-0.1, 0.1);
        }
        for (i = 0; i < ACTIONS * outputs; i++)
            a->learner.batch.target_z[b * ACTIONS * outputs + i] =
                over ? nonfinite[below(3)] : (float)between(-size, size);
        for (i = 0; i < ACTIONS * outputs && n->kind != &risei_head_kinds[RISE_HEAD_MEAN]; i++)
            a->model.pass.heads.z[b * ACTIONS * outputs + i] = (float)between(-size, size);
        for (i = 0; i < ACTIONS && n->kind == &risei_head_kinds[RISE_HEAD_C51]; i++) {
            random_odds(n->atoms, a->model.pass.heads.z + (b * ACTIONS + i) * outputs);
            if (!over)
                random_odds(n->atoms, a->learner.batch.target_z + (b * ACTIONS + i) * outputs);
        }
        for (i = 0; i < n->taus && n->kind == &risei_head_kinds[RISE_HEAD_IQN]; i++)
            a->model.pass.heads.tau[b * n->taus + i] = risei_random_uniform(&dice);
        risei_learner_gather_masks(&a->learner, b);
    }
}
/* Returns the best allowed action after transition b, the first of equals. */
static int best_after(const float *q, int b)
{
    int i, best = -1;
    for (i = 0; i < ACTIONS; i++)
        if (is_allowed(b + 1, i) && (best < 0 || q[i] > q[best])) best = i;
    return best;
}

/* ---------------------------------------------------------------------------------------------- */
/* Losses */

/* C51. The target takes the distribution of the action that the learned network finds best, or,
   without double, the target network. The loss is the cross entropy. */
static void c51_case(int no_double)
{
    rise_agent_desc d = small(RISE_HEAD_C51);
    rise_agent *a;
    risei_update_metrics m;
    double loss = 0, error = 0;
    int b, j, i, atoms;
    d.no_double = no_double;
    a = shown(&d);
    atoms = a->model.net.heads.atoms;
    imagine(a, 3);
    memset(&m, 0, sizeof m);
    CHECK(risei_learner_loss(&a->learner, &m) == m.loss);
    check_about("C51%s", no_double ? ", no double" : "");
    for (b = 0; b < BATCH; b++) {
        const risei_transition *t = &a->learner.batch.transition[b];
        const float *next_q = no_double ? a->learner.batch.target_q + b * ACTIONS
                                        : a->model.pass.heads.q + (BATCH + b) * ACTIONS;
        const float *z = a->model.pass.heads.z + (b * ACTIONS + t->action) * atoms;
        const float *dz = a->model.pass.heads.dz + b * ACTIONS * atoms;
        float sure[7] = {0, 0, 0, 0, 0, 0, 1};
        const float *next = t->discount > 0 ? a->learner.batch.target_z +
                                                  (b * ACTIONS + best_after(next_q, b)) * atoms
                                            : sure;
        double cost = 0;
        for (j = 0; j < atoms; j++) {
            double const goal = projected(atoms, d.value_min, d.value_max, (double)t->reward,
                                          (double)t->discount, next, j);
            cost -= goal * log(fmax((double)z[j], 1e-30));
            for (i = 0; i < ACTIONS; i++) {
                double const slope = i == t->action
                                         ? ((double)z[j] - goal) *
                                               (double)a->learner.batch.importance[b] / BATCH
                                         : 0;
                CHECK(fabs((double)dz[i * atoms + j] - slope) < 1e-6);
            }
        }
        CHECK_NEAR(a->learner.batch.td[b], cost, 1e-5);
        loss += cost * (double)a->learner.batch.importance[b] / BATCH, error += cost / BATCH;
    }
    CHECK_NEAR(m.loss, loss, 1e-5);
    CHECK_NEAR(m.td_error, error, 1e-5);
    rise_agent_destroy(a);
}
/* IQN (Dabney et al. 2018). The loss is the sum over predicted fractions tau_i, mean over targets
   j, of |tau_i - [d < 0]| Huber(d), where d is target j - prediction i. Huber(d) is d^2 / 2 up to
   1, and |d| - 1/2 beyond. */
static void iqn_case(int quantiles, double size)
{
    rise_agent_desc d = small(RISE_HEAD_IQN);
    rise_agent *a;
    risei_update_metrics m;
    double loss = 0, error = 0;
    int b, i, j, k;
    d.quantiles = quantiles;
    a = shown(&d);
    imagine(a, size);
    memset(&m, 0, sizeof m);
    CHECK(risei_learner_loss(&a->learner, &m) == m.loss);
    check_about("IQN of %d quantiles, size %g", quantiles, size);
    for (b = 0; b < BATCH; b++) {
        const risei_transition *t = &a->learner.batch.transition[b];
        int const best = best_after(a->model.pass.heads.q + (BATCH + b) * ACTIONS, b);
        double cost = 0, off = 0;
        for (i = 0; i < quantiles; i++) {
            const float *dz = a->model.pass.heads.dz + (b * quantiles + i) * ACTIONS;
            double const tau = (double)a->model.pass.heads.tau[b * quantiles + i];
            double const z =
                (double)a->model.pass.heads.z[(b * quantiles + i) * ACTIONS + t->action];
            double slope = 0;
            for (j = 0; j < quantiles; j++) {
                double const next =
                    t->discount > 0
                        ? (double)a->learner.batch.target_z[(b * quantiles + j) * ACTIONS + best]
                        : 0;
                double const td = (double)t->reward + (double)t->discount * next - z;
                double const weight = fabs(tau - (td < 0));
                cost += weight * (fabs(td) <= 1 ? td * td / 2 : fabs(td) - 0.5) / quantiles;
                slope -= weight * (fabs(td) <= 1 ? td : td > 0 ? 1 : -1) / quantiles;
                off += fabs(td) / quantiles / quantiles;
            }
            slope *= (double)a->learner.batch.importance[b] / BATCH;
            for (k = 0; k < ACTIONS; k++)
                CHECK(fabs((double)dz[k] - (k == t->action ? slope : 0)) < 1e-6 * (1 + size));
        }
        if (quantiles > 1) CHECK_NEAR(a->learner.batch.td[b], off, 1e-5);
        CHECK_NEAR(fabs((double)a->learner.batch.td[b]), off, 1e-5);
        loss += cost * (double)a->learner.batch.importance[b] / BATCH, error += off / BATCH;
    }
    CHECK_NEAR(m.loss, loss, 1e-5);
    CHECK_NEAR(m.td_error, error, 1e-5);
    rise_agent_destroy(a);
}
static void losses_equal_the_papers(void)
{
    int i;
    for (i = 0; i < 40; i++) {
        c51_case(i % 2);
        iqn_case(i % 9 == 0 ? 1 : 1 + below(12), i % 3 == 0 ? 0.3 : i % 3 == 1 ? 3 : 1000);
    }
    check_about("%s", "");
}

/* ---------------------------------------------------------------------------------------------- */
/* Munchausen */

/* log softmax(q / temperature) over the actions allowed in state b */
static void plain_log_policy(const float *q, int b, double temperature, double *out)
{
    double most = -HUGE_VAL, sum = 0;
    int i;
    for (i = 0; i < ACTIONS; i++)
        if (is_allowed(b, i)) most = fmax(most, (double)q[i]);
    for (i = 0; i < ACTIONS; i++)
        if (is_allowed(b, i)) sum += exp(((double)q[i] - most) / temperature);
    for (i = 0; i < ACTIONS; i++)
        out[i] = is_allowed(b, i) ? ((double)q[i] - most) / temperature - log(sum) : -HUGE_VAL;
}
/* Vieillard et al. 2020. y = r + scale [temperature log pi(a | s)] clipped to -1..0, + discount sum
   over a' of pi(a' | s') (z(s', a') - temperature log pi(a' | s')). pi is the target network's
   policy. After a termination only r and the bonus remain. */
static void munchausen_case(rise_head head, double size, double temperature, double scale)
{
    rise_agent_desc d = small(head);
    rise_agent *a;
    int b, i, j;
    d.munchausen = 1, d.temperature = temperature, d.munchausen_scale = scale == 0 ? -1 : scale;
    a = shown(&d);
    imagine(a, size);
    check_about("Munchausen: head %d, values up to %g, temperature %g, scale %g", (int)head, size,
                temperature, scale);
    for (b = 0; b < BATCH; b++) {
        const risei_transition *t = &a->learner.batch.transition[b];
        double log_policy[ACTIONS], bonus;
        plain_log_policy(a->learner.batch.target_q + b * ACTIONS, b, (double)(float)temperature,
                         log_policy);
        bonus = scale * fmin(fmax(temperature * log_policy[t->action], -1), 0);
        risei_learner_target(&a->learner, b);
        plain_log_policy(a->learner.batch.target_q + (BATCH + b) * ACTIONS, b + 1,
                         (double)(float)temperature, log_policy);
        for (i = 0; i < a->model.net.heads.taus; i++) {
            double value = 0, error = (double)a->learner.batch.target[i];
            for (j = 0; j < ACTIONS && t->discount > 0; j++) {
                double const z = (double)a->learner.batch
                                     .target_z[(b * a->model.net.heads.taus + i) * ACTIONS + j];
                double const policy = exp(log_policy[j]);
                if (is_allowed(b + 1, j) && policy > 0)
                    value += policy * (z - temperature * log_policy[j]);
            }
            error -= (double)t->reward + bonus + (double)t->discount * value;
            /* the entropy term is a multiple of the temperature */
            CHECK(fabs(error) <= 3e-6 * (1 + size + temperature));
            if (!(t->discount > 0) && i > 0)
                CHECK(a->learner.batch.target[i] == a->learner.batch.target[0]);
            if (!(t->discount > 0)) CHECK(fabs(error) <= 1e-6 * (1 + fabs((double)t->reward)));
        }
    }
    rise_agent_destroy(a);
}
static void munchausen_targets_equal_the_paper(void)
{
    static const double sizes[] = {1e-6, 1e-3, 0.03, 1, 100, 1e4, 1e30};
    static const double temperatures[] = {0.03, 1, 1e-6, 100};
    static const double scales[] = {0.9, 0.9, 0.9, 1, 0};
    int s, t, i;
    for (i = 0; i < COUNT(scales); i++)
        for (s = 0; s < COUNT(sizes); s++)
            for (t = 0; t < COUNT(temperatures); t++)
                munchausen_case(i % 2 ? RISE_HEAD_IQN : RISE_HEAD_MEAN, sizes[s], temperatures[t],
                                scales[i]);
    check_about("%s", "");
}
/* A target is NaN if all Q of the target network are NaN or infinite, in the first state or,
   unless the episode terminated, in the next one. So the update is discarded. */
static void munchausen_keeps_what_is_not_finite(void)
{
    static const float wrong[] = {NAN, HUGE_VALF};
    int head, k, b, next, i, j;
    for (head = 0; head < 2; head++)
        for (k = 0; k < COUNT(wrong); k++)
            for (next = 0; next < 2; next++) {
                rise_agent_desc d = small(head ? RISE_HEAD_IQN : RISE_HEAD_MEAN);
                rise_agent *a;
                d.munchausen = 1;
                a = shown(&d);
                imagine(a, 1);
                check_about("head %d, %g in state %d", head, (double)wrong[k], next);
                for (b = 0; b < BATCH; b++) {
                    const risei_transition *t = &a->learner.batch.transition[b];
                    float *const q = a->learner.batch.target_q + (next * BATCH + b) * ACTIONS;
                    for (i = 0; i < ACTIONS; i++) q[i] = wrong[k];
                    risei_learner_target(&a->learner, b);
                    for (j = 0; j < a->model.net.heads.taus; j++) {
                        float const target = a->learner.batch.target[j];
                        CHECK((target - target == 0) == (next && !(t->discount > 0)));
                    }
                    for (i = 0; i < ACTIONS; i++) q[i] = (float)i;
                }
                rise_agent_destroy(a);
            }
    check_about("%s", "");
}
/* A single allowed action has probability 1 and no bonus; equal actions share the probability. */
static void munchausen_policies_are_right_at_the_edges(void)
{
    static const rise_isa isas[] = {RISE_ISA_REF, RISE_ISA_C, RISE_ISA_AVX2, RISE_ISA_AVX512,
                                    RISE_ISA_NEON};
    const float q[4] = {-1e30f, 5, 5, 1e-30f}, far[4] = {FLT_MAX, -FLT_MAX, 0, 0};
    const float gap[4] = {1, NAN, 1.01f, 0};
    static const uint8_t first = 1, middle = 6, last = 8;
    float out[4];
    int i;
    for (i = 0; i < COUNT(isas); i++) {
        const rise_kernels *const k = rise_kernels_of(isas[i]);
        if (k == NULL) continue;
        check_about("policies, %s", k->name);
        risei_log_policy(k, 4, q, &first, 0.03f, out);
        CHECK(out[0] == 0 && out[1] == -HUGE_VALF && out[2] == -HUGE_VALF && out[3] == -HUGE_VALF);
        risei_log_policy(k, 4, q, &last, 0.03f, out);
        CHECK(out[3] == 0 && out[0] == -HUGE_VALF);
        risei_log_policy(k, 4, q, &middle, 0.03f, out);
        CHECK(out[1] == out[2] && fabs((double)out[1] + log(2)) < 1e-6);
        risei_log_policy(k, 4, q, NULL, 0.03f, out);
        CHECK(out[1] == out[2] && fabs((double)out[1] + log(2)) < 1e-6);
        CHECK(out[0] <= -1e31f && fabs((double)out[3] + 5 / 0.03 + log(2)) < 1e-4);
        risei_log_policy(k, 4, far, NULL, 1e-6f, out);
        CHECK(out[0] == 0 && out[1] < -FLT_MAX && out[2] < -FLT_MAX && !(out[3] > 0));
        risei_log_policy(k, 4, gap, NULL, 0.03f, out); /* one NaN makes all of them NaN */
        CHECK(isnan(out[0]) && isnan(out[1]) && isnan(out[2]) && isnan(out[3]));
    }
    check_about("%s", "");
}

/* C51 probabilities of logits of any size are positive, add up to 1, and equal exp(x - log sum exp
   x). */
static void softmax_takes_logits_of_any_size(void)
{
    static const rise_isa isas[] = {RISE_ISA_REF, RISE_ISA_C, RISE_ISA_AVX2, RISE_ISA_AVX512,
                                    RISE_ISA_NEON};
    static const double sizes[] = {1e-3, 1, 30, 100, 1e4, 1e30};
    int isa, round, t;
    for (isa = 0; isa < COUNT(isas); isa++)
        for (round = 0; round < 600 && rise_kernels_of(isas[isa]) != NULL; round++) {
            int const atoms = 2 + below(99);
            double const size = sizes[round % COUNT(sizes)];
            double const shift = round % 5 == 0 ? between(-size, size) : 0;
            double most = -HUGE_VAL, sum = 0, together = 0, worst = 0;
            float x[100], odds[100];
            int positive = 1;
            for (t = 0; t < atoms; t++) {
                x[t] = odds[t] = (float)(between(-size, size) + 10 * shift);
                most = fmax(most, (double)x[t]);
            }
            for (t = 0; t < atoms; t++) sum += exp((double)x[t] - most);
            risei_softmax(rise_kernels_of(isas[isa]), atoms, odds);
            for (t = 0; t < atoms; t++) {
                together += (double)odds[t], positive &= odds[t] > 0;
                worst = fmax(worst, fabs((double)odds[t] - exp((double)x[t] - most) / sum));
            }
            check_about("softmax of %d logits up to %g, %s", atoms, size,
                        rise_kernels_of(isas[isa])->name);
            CHECK(positive && fabs(together - 1) < 2e-6 && worst < 1e-6);
        }
    check_about("%s", "");
}

/* ---------------------------------------------------------------------------------------------- */
/* Rescaled values */

/* h(x) = sign(x) (sqrt(|x| + 1) - 1) + 0.001 x. Here sqrt(s + 1) - 1 = s / (sqrt(s + 1) + 1) is
   accurate for small s. The inverse is found by bisection. */
static double plain_h(double x) { return x / (sqrt(fabs(x) + 1) + 1) + 0.001 * x; }
static double plain_inverse(double y)
{
    double low = -1e40, high = 1e40;
    int i;
    for (i = 0; i < 200; i++) {
        double const middle = (low + high) / 2;
        if (plain_h(middle) < y)
            low = middle;
        else
            high = middle;
    }
    return (low + high) / 2;
}
static void value_rescaling_inverts(void)
{
    float x = -1e30f, before_h = -HUGE_VALF, before_i = -HUGE_VALF;
    int seen = 0;
    CHECK(risei_rescale(0) == 0 && fabs((double)risei_rescale_inverse(0)) < 1e-12);
    for (; x <= 1e30f; x = x < -1e-9f  ? x / 1.0007f
                           : x < 1e-9f ? x + 1e-11f
                                       : x * 1.0007f,
                       seen++) {
        double const wide = (double)x, least = 1e-12; /* at this size, rewards have no effect */
        float const h = risei_rescale(x), inverse = risei_rescale_inverse(x);
        check_about("rescaled %g", wide);
        if (!(h >= before_h && inverse >= before_i)) CHECK(0);
        if (!(fabs((double)h - plain_h(wide)) <= 1e-7 * fabs(plain_h(wide)) + least)) CHECK(0);
        if (!(fabs((double)risei_rescale_inverse(h) - wide) <= 4e-7 * fabs(wide) + least)) CHECK(0);
        if (!(fabs((double)risei_rescale(inverse) - wide) <= 4e-7 * fabs(wide) + least) &&
            fabs(wide) < 1e15)
            CHECK(0);
        if (!(risei_rescale(-x) == -h && risei_rescale_inverse(-x) == -inverse)) CHECK(0);
        if (seen % 997 == 0) {
            double const right = plain_inverse(wide);
            CHECK(fabs((double)inverse - right) <= 1e-6 * fabs(right) + least);
        }
        before_h = h, before_i = inverse;
    }
    check_about("%s", "");
    CHECK(seen > 100000);
    CHECK(risei_rescale(HUGE_VALF) == HUGE_VALF && risei_rescale_inverse(HUGE_VALF) == HUGE_VALF &&
          isnan(risei_rescale_inverse(NAN)));
}
/* y = h(r + discount h^-1(value of the next state)), or h(r) after a termination. The next action
   is chosen as without rescaling. */
static void rescaled_case(rise_head head, double size)
{
    rise_agent_desc d = small(head);
    rise_agent *a;
    int b, i;
    d.value_rescale = 1;
    a = shown(&d);
    imagine(a, size);
    check_about("rescaled: head %d, size %g", (int)head, size);
    for (b = 0; b < BATCH; b++) {
        const risei_transition *t = &a->learner.batch.transition[b];
        int const best = best_after(a->model.pass.heads.q + (BATCH + b) * ACTIONS, b);
        risei_learner_target(&a->learner, b);
        for (i = 0; i < a->model.net.heads.taus; i++) {
            double const z = t->discount > 0
                                 ? (double)a->learner.batch
                                       .target_z[(b * a->model.net.heads.taus + i) * ACTIONS + best]
                                 : 0;
            double const right =
                plain_h((double)t->reward + (double)t->discount * plain_inverse(z));
            CHECK(fabs((double)a->learner.batch.target[i] - right) <=
                  1e-6 * fabs(right) + 1e-6 * size);
        }
    }
    rise_agent_destroy(a);
}
static void rescaled_targets_are_right(void)
{
    static const double sizes[] = {1e-3, 1, 30, 1000};
    rise_agent_desc d = small(RISE_HEAD_MEAN);
    rise_agent *a;
    int i;
    for (i = 0; i < 4 * COUNT(sizes); i++)
        rescaled_case(i & 4 ? RISE_HEAD_IQN : RISE_HEAD_MEAN, sizes[i % COUNT(sizes)]);
    /* by hand: h(8) = 3 - 1 + 0.008 = 2.008, so h(2 + 0.75 * 8) = 2.008 again, and h(3) = 1.003 */
    d.value_rescale = 1;
    a = shown(&d);
    imagine(a, 1);
    for (i = 0; i < ACTIONS; i++) a->learner.batch.target_z[i] = 2.008f;
    a->learner.batch.transition[0].reward = 2, a->learner.batch.transition[0].discount = 0.75f;
    risei_learner_target(&a->learner, 0);
    CHECK_NEAR(a->learner.batch.target[0], 2.008, 1e-6);
    a->learner.batch.transition[0].reward = 3, a->learner.batch.transition[0].discount = 0;
    risei_learner_target(&a->learner, 0);
    CHECK_NEAR(a->learner.batch.target[0], 1.003, 1e-6);
    rise_agent_destroy(a);
    check_about("%s", "");
}

/* ---------------------------------------------------------------------------------------------- */
/* Copies of the target network, and the weights that each use runs on */

/* Returns a small network with residual units, a pool to 2 x 2, noise and spectral norm. */
static rise_agent_desc derived_desc(void)
{
    rise_agent_desc d = small(RISE_HEAD_IQN);
    d.frame_width = d.frame_height = 2;
    d.conv[0].size = 1, d.conv[0].filters = 3, d.conv[0].residual = 2;
    d.pool_to = 2, d.spectral_norm = 1, d.noisy = 1, d.action_masks = 0;
    return d;
}
/* A copy moves each weight and each direction by exactly `rate` of the difference, every
   target_period updates. */
static void soft_copies_go_by_the_rate(void)
{
    static const double rates[] = {0.005, 0.25, 0.75, 1};
    int r, update;
    size_t i;
    for (r = 0; r < COUNT(rates); r++) {
        rise_agent_desc d = derived_desc();
        rise_agent *a;
        float *old;
        d.target_rate = rates[r], d.target_period = 2;
        a = shown(&d);
        old = (float *)malloc(a->model.net.weights_size * sizeof *old);
        if (old == NULL) exit(1);
        check_about("target_rate %g", rates[r]);
        CHECK(a->model.net.weights_size > a->model.net.parameters);
        CHECK(memcmp(a->model.target, a->model.weights, a->model.net.weights_size * sizeof *old) ==
              0);
        for (update = 1; update <= 20; update++) {
            int good = 1, moved = 0;
            memcpy(old, a->model.target, a->model.net.weights_size * sizeof *old);
            CHECK(rise_agent_learn(a) == RISE_OK);
            for (i = 0; i < a->model.net.weights_size; i++) {
                float const rate = (float)rates[r];
                volatile float const way = rate * (a->model.weights[i] - old[i]);
                good &= a->model.target[i] == (update % 2  ? old[i]
                                               : rate == 1 ? a->model.weights[i]
                                                           : old[i] + way);
                moved += a->model.target[i] != old[i];
            }
            CHECK(good);
            CHECK(update % 2 ? moved == 0 : moved > (int)a->model.net.weights_size / 4);
        }
        free(old);
        rise_agent_destroy(a);
    }
    check_about("%s", "");
}

/* Returns whether a use runs on the weights of its network plus, if `noisy`, sigma times the noise
   of this use and update. */
static int runs_on(rise_agent *a, risei_use use, int noisy)
{
    const float *const w = use == RISEI_USE_TARGET ? a->model.target : a->model.weights;
    const float *const derived = risei_model_weights(&a->model, use);
    const risei_linear *const layer[3] = {&a->model.net.heads.hidden, &a->model.net.heads.advantage,
                                          &a->model.net.heads.value};
    const float *noise = a->model.noise;
    double worst = 0;
    int k, i, j;
    for (k = 0; k < 3; k++) { /* the width is no multiple of 32, so the layout is row by row */
        const risei_linear *l = layer[k];
        for (i = 0; i < l->in; i++)
            for (j = 0; j < l->out; j++) {
                size_t const at = l->weights + (size_t)(i * l->out + j);
                double const sigma = (double)w[(ptrdiff_t)at + a->model.net.heads.sigmas];
                double const right =
                    (double)w[at] +
                    (noisy ? sigma * (double)noise[i] * (double)noise[l->in + j] : 0);
                worst = fmax(worst, fabs((double)derived[at] - right));
            }
        noise += l->in + l->out;
    }
    return derived == a->model.derived && worst < 1e-6;
}
static void copy_noise(const rise_agent *a, float *noise)
{
    memcpy(noise, a->model.noise, risei_noise_size(&a->model.net.heads) * sizeof *noise);
}
/* Each use and each update has its own noise, which does not change within an update. */
static void each_use_has_noise_of_its_own(void)
{
    rise_agent_desc d = derived_desc();
    rise_agent *a;
    float noise[6][128], again[128];
    int i, j, k, size, common = 0;
    d.target_period = 1000; /* makes the target network different */
    a = shown(&d);
    size = (int)risei_noise_size(&a->model.net.heads);
    check_about("what weights are for");
    if (!CHECK(size <= 128)) return;
    for (i = 0; i < 2; i++) {
        for (j = 0; j < 4; j++) CHECK(rise_agent_learn(a) == RISE_OK);
        CHECK(runs_on(a, RISEI_USE_ACT, 1));
        copy_noise(a, noise[3 * i]);
        CHECK(runs_on(a, RISEI_USE_TARGET, 1));
        copy_noise(a, noise[3 * i + 1]);
        CHECK(runs_on(a, RISEI_USE_LEARN, 1));
        copy_noise(a, noise[3 * i + 2]);
        CHECK(runs_on(a, RISEI_USE_PLAY, 0));
        CHECK(runs_on(a, RISEI_USE_ACT, 1));
        copy_noise(a, again);
        CHECK(memcmp(again, noise[3 * i], (size_t)size * sizeof *again) == 0);
        CHECK(runs_on(a, RISEI_USE_ACT, 1));
    }
    CHECK(memcmp(a->model.weights, a->model.target,
                 a->model.net.parameters * sizeof *a->model.weights) != 0);
    for (i = 0; i < 6; i++)
        for (j = 0; j < i; j++)
            for (k = 0; k < size; k++) common += noise[i][k] == noise[j][k];
    CHECK(common == 0);
    rise_agent_destroy(a);
    check_about("%s", "");
}
/* Acting with noise gives the same values until the next update, and other values after it. Playing
   has no noise. */
static void acting_noise_lasts_until_the_next_update(void)
{
    rise_agent_desc d = derived_desc();
    rise_agent *a, *quiet;
    float acted[2][ACTIONS], played[ACTIONS];
    const uint8_t frame[4] = {9, 1, 8, 2};
    int i;
    d.epsilon_start = d.epsilon_end = -1;
    a = shown(&d);
    check_about("acting with noise");
    for (i = 0; i < 2; i++) {
        step(a, 0, RISE_MIDDLE, 31);
        memcpy(acted[i], a->model.pass.heads.q, sizeof acted[i]);
        CHECK(rise_agent_play(a, 0, frame, 0, RISE_FIRST, NULL) >= 0);
        memcpy(played, rise_agent_values(a, 0), sizeof played);
    }
    CHECK(memcmp(acted[0], acted[1], sizeof played) == 0 &&
          memcmp(acted[0], played, sizeof played) != 0);
    CHECK(rise_agent_learn(a) == RISE_OK);
    step(a, 0, RISE_MIDDLE, 31);
    CHECK(memcmp(acted[0], a->model.pass.heads.q, sizeof played) != 0);
    rise_agent_destroy(a);
    d.noisy = 0; /* a network with noise plays as one without noise that has the same mu */
    a = created(&d);
    d.noisy = 1;
    quiet = created(&d);
    memcpy(quiet->model.weights, a->model.weights,
           (a->model.net.heads.hidden.weights + (size_t)a->model.net.heads.sigmas) *
               sizeof *a->model.weights);
    memcpy(quiet->model.weights + quiet->model.net.parameters,
           a->model.weights + a->model.net.parameters,
           (a->model.net.weights_size - a->model.net.parameters) * sizeof *a->model.weights);
    CHECK(rise_agent_play(a, 0, frame, 0, RISE_FIRST, NULL) ==
          rise_agent_play(quiet, 0, frame, 0, RISE_FIRST, NULL));
    CHECK(memcmp(rise_agent_values(a, 0), rise_agent_values(quiet, 0), sizeof played) == 0);
    rise_agent_destroy(a);
    rise_agent_destroy(quiet);
    check_about("%s", "");
}

/* An update runs the target network on the next states and, for Munchausen, on the states too. */
static void target_view_case(rise_head head, int munchausen)
{
    rise_agent_desc d = small(head);
    rise_agent *a;
    int const each = head == RISE_HEAD_C51 ? d.atoms : head == RISE_HEAD_IQN ? d.quantiles : 1;
    int const before = munchausen ? BATCH : 0;
    float q[2 * BATCH * ACTIONS];
    int i, b, j, t;
    d.munchausen = munchausen, d.action_masks = 0, d.target_period = 1000;
    a = created(&d);
    for (i = 0; i < 40; i++) {
        uint8_t frame[4];
        for (j = 0; j < 4; j++) frame[j] = (uint8_t)below(256);
        CHECK(rise_agent_step(a, frame, (float)between(-1, 1),
                              i % 7 == 0 ? RISE_FIRST : RISE_MIDDLE) >= 0);
    }
    for (i = 0; i < 20; i++) CHECK(rise_agent_learn(a) == RISE_OK);
    check_about("target network's view: head %d%s", (int)head, munchausen ? ", munchausen" : "");
    for (b = 0; b < BATCH; b++)
        for (j = 0; j < ACTIONS; j++) { /* Q is the mean of the distribution */
            double mean = 0;
            for (t = 0; t < each; t++) {
                int const at = head == RISE_HEAD_C51 ? (b * ACTIONS + j) * each + t
                                                     : (b * each + t) * ACTIONS + j;
                double const atom = d.value_min +
                                    (d.value_max - d.value_min) * t / (each > 1 ? each - 1 : 1);
                mean += (double)a->learner.batch.target_z[at] *
                        (head == RISE_HEAD_C51 ? atom : 1.0 / each);
            }
            CHECK(fabs(mean - (double)a->learner.batch.target_q[(before + b) * ACTIONS + j]) <
                  1e-5);
        }
    a->model.updates--; /* the same fractions are drawn again */
    risei_learner_forward(&a->learner, RISEI_USE_TARGET, 0, BATCH);
    memcpy(q, a->model.pass.heads.q, sizeof q / 2);
    risei_learner_forward(&a->learner, RISEI_USE_TARGET, BATCH, 2 * BATCH);
    memcpy(q + BATCH * ACTIONS, a->model.pass.heads.q, sizeof q / 2);
    CHECK(memcmp(q, q + BATCH * ACTIONS, sizeof q / 2) != 0);
    CHECK(memcmp(a->learner.batch.target_q, q + (munchausen ? 0 : BATCH) * ACTIONS, sizeof q / 2) ==
          0);
    if (head == RISE_HEAD_MEAN && munchausen)
        CHECK(memcmp(a->learner.batch.target_q, q, sizeof q) == 0);
    rise_agent_destroy(a);
}
static void target_network_sees_next_states(void)
{
    target_view_case(RISE_HEAD_MEAN, 0);
    target_view_case(RISE_HEAD_MEAN, 1);
    target_view_case(RISE_HEAD_C51, 0);
    target_view_case(RISE_HEAD_IQN, 0);
    target_view_case(RISE_HEAD_IQN, 1);
    check_about("%s", "");
}

/* Fractions are evenly spread for acting and playing, and uniform in [0, 1) for learning. The
   target network has fractions of its own. */
static void fractions_are_spread_as_published(void)
{
    enum { MANY = 1 << 14 };
    rise_agent_desc d = small(RISE_HEAD_IQN);
    rise_agent *a;
    int use, i, update, common = 0, count = 2 * BATCH * 6;
    float tau[2][2 * BATCH * 6];
    double sum = 0, square = 0;
    int seen[16], n = 0;
    memset(seen, 0, sizeof seen);
    a = shown(&d);
    check_about("fractions");
    for (use = RISEI_USE_PLAY; use <= RISEI_USE_ACT; use++) {
        risei_model_set_fractions(&a->model, (risei_use)use, BATCH);
        for (i = 0; i < BATCH * 6; i++)
            CHECK(fabs((double)a->model.pass.heads.tau[i] - (i % 6 + 0.5) / 6) < 1e-7);
    }
    for (update = 0; n < MANY; update++, a->model.updates++) {
        for (use = RISEI_USE_TARGET; use <= RISEI_USE_LEARN; use++) {
            risei_model_set_fractions(&a->model, (risei_use)use, 2 * BATCH);
            memcpy(tau[use - RISEI_USE_TARGET], a->model.pass.heads.tau, sizeof tau[0]);
        }
        for (i = 0; i < count; i++, n++) {
            double const x = (double)tau[1][i];
            CHECK(x >= 0 && x < 1);
            common += tau[0][i] == tau[1][i];
            sum += x, square += x * x;
            seen[(int)(x * 16)]++;
        }
    }
    CHECK(common < 5);
    CHECK(fabs(sum / n - 0.5) < 5 * sqrt(1.0 / 12 / n) &&
          fabs(square / n - 1.0 / 3) < 5 * sqrt(4.0 / 45 / n));
    for (i = 0; i < 16; i++) CHECK(fabs((double)seen[i] - n / 16.0) < 5 * sqrt(n / 16.0));
    rise_agent_destroy(a);
    check_about("%s", "");
}

/* risei_cosines gives cos(pi i tau) for i = 0..63, within 6e-8. */
static void cosines_are_accurate(void)
{
    float out[RISEI_COSINES];
    int step, i;
    for (step = 0; step <= 1 << 12; step++) {
        float const tau = step % 2 ? risei_random_uniform(&dice) : (float)step / (1 << 12);
        double worst = 0;
        risei_cosines(tau, out);
        for (i = 0; i < RISEI_COSINES; i++)
            worst = fmax(worst, fabs((double)out[i] - cos(acos(-1) * i * (double)tau)));
        check_about("cosines of %.9g", (double)tau);
        CHECK(worst <= 6e-8);
    }
    check_about("%s", "");
}

/* Returns the largest singular value of w [rows][columns], by power iteration. */
static double longest(const float *w, int rows, int columns)
{
    double u[64], v[9 * 64], length = 0;
    int round, i, j;
    for (j = 0; j < columns; j++) u[j] = 1 + 0.37 * j;
    for (round = 0; round < 3000; round++) {
        for (i = 0, length = 0; i < rows; length += v[i] * v[i], i++)
            for (v[i] = 0, j = 0; j < columns; j++) v[i] += (double)w[i * columns + j] * u[j];
        for (i = 0; i < rows; i++) v[i] /= sqrt(length);
        for (j = 0, length = 0; j < columns; length += u[j] * u[j], j++)
            for (u[j] = 0, i = 0; i < rows; i++) u[j] += (double)w[i * columns + j] * v[i];
        length = sqrt(length);
        for (j = 0; j < columns; j++) u[j] /= length;
    }
    return length;
}
/* A trained network divides by the norms of its own weights: after the division the largest
   singular value is 1. */
static void spectral_norms_converge_in_training(void)
{
    rise_agent_desc d = derived_desc();
    rise_agent *a;
    int i, update;
    d.target_rate = 0.01, d.target_period = 1, d.learning_rate = 1e-3;
    a = shown(&d);
    for (update = 0; update < 2000; update++) CHECK(rise_agent_learn(a) == RISE_OK);
    /* the learned network, and the target network, which lags behind */
    for (i = 0; i < 2; i++) {
        const float *const derived =
            risei_model_weights(&a->model, i ? RISEI_USE_TARGET : RISEI_USE_LEARN);
        int c;
        CHECK(risei_spectral_count(&a->model.net) == 4);
        for (c = 0; c < 4; c++) {
            risei_conv const conv = risei_spectral_conv(&a->model.net, c);
            double const one = longest(derived + conv.weights, 9 * 3, 3);
            check_about("trained spectral norm, network %d, conv %d: %g", i, c, one);
            /* the divisor is at most the largest singular value, and close to it */
            CHECK(one > 1 - 1e-5 && one < 1.001);
        }
    }
    rise_agent_destroy(a);
    check_about("%s", "");
}

/* ---------------------------------------------------------------------------------------------- */
/* Errors that were found once and must not return */

/* Written parameters take effect at once, although derived weights exist already. */
static void written_parameters_act_at_once(void)
{
    static const char *const kinds[] = {"plain", "noisy", "spectral"};
    int kind, i;
    for (kind = 0; kind < 3; kind++) {
        rise_agent_desc d = derived_desc();
        rise_agent *a;
        rise_metrics m;
        float before[2][ACTIONS], *w;
        const uint8_t frame[4] = {9, 1, 8, 2};
        size_t j;
        d.noisy = kind == 1, d.spectral_norm = kind == 2;
        d.epsilon_start = d.epsilon_end = -1;
        a = shown(&d);
        rise_agent_metrics(a, &m);
        for (i = 0; i < 2; i++) {
            check_about("written parameters: %s, %s", kinds[kind], i ? "playing" : "acting");
            step(a, 0, RISE_MIDDLE, 31);
            memcpy(before[0], a->model.pass.heads.q, sizeof before[0]);
            if (i) CHECK(rise_agent_play(a, 0, frame, 0, RISE_FIRST, NULL) >= 0);
            if (i) memcpy(before[1], rise_agent_values(a, 0), sizeof before[1]);
            w = rise_agent_parameters(a);
            for (j = 0; j < m.parameters; j++) w[j] *= 1.25f;
            if (i) CHECK(rise_agent_play(a, 0, frame, 0, RISE_FIRST, NULL) >= 0);
            if (i) CHECK(memcmp(before[1], rise_agent_values(a, 0), sizeof before[1]) != 0);
            if (!i) step(a, 0, RISE_MIDDLE, 31);
            if (!i) CHECK(memcmp(before[0], a->model.pass.heads.q, sizeof before[0]) != 0);
        }
        rise_agent_destroy(a);
    }
    check_about("%s", "");
}
/* The noise and the fractions of an update are independent. (Noise is made of twelve uniform
   numbers.) */
static void noise_and_fractions_are_independent(void)
{
    rise_agent_desc d = derived_desc();
    rise_agent *a = shown(&d);
    int use, i, k;
    for (use = RISEI_USE_TARGET; use <= RISEI_USE_LEARN; use++) {
        int common = 0;
        CHECK(risei_model_weights(&a->model, (risei_use)use) == a->model.derived);
        risei_model_set_fractions(&a->model, (risei_use)use, BATCH);
        for (k = 0; k < 4; k++) {
            float normal = -6;
            for (i = 0; i < 12; i++) normal = normal + a->model.pass.heads.tau[12 * k + i];
            common += fabs(fabs((double)a->model.noise[k]) - sqrt(fabs((double)normal))) < 1e-5;
        }
        check_about("noise and fractions, use %d", use);
        CHECK(common == 0);
    }
    rise_agent_destroy(a);
    check_about("%s", "");
}
/* Runs with other seeds draw from other streams, and so do other uses and updates of one run. */
static void random_streams_do_not_overlap(void)
{
    enum { SEEDS = 12, UPDATES = 12, ALL = SEEDS * UPDATES * RISEI_USES * 2 };
    static uint64_t states[ALL];
    rise_agent a;
    int seed, update, use, i, j, n = 0, common = 0;
    memset(&a, 0, sizeof a);
    a.model.desc = &a.desc;
    for (seed = 0; seed < SEEDS; seed++)
        for (update = 0; update < UPDATES; update++)
            for (use = 0; use < RISEI_USES; use++) {
                a.desc.seed = (uint64_t)seed, a.model.updates = update;
                states[n++] = risei_model_random(&a.model, (risei_use)use, 0).state;
                states[n++] = risei_model_random(&a.model, (risei_use)use, 1).state;
            }
    for (i = 0; i < n; i++)
        for (j = 0; j < i; j++) common += states[i] == states[j];
    check_about("of %d streams for updates, %d pairs are the same", n, common);
    CHECK(common == 0);
    check_about("%s", "");
}
/* The value range may begin or end at 0. */
static void value_range_may_begin_at_zero(void)
{
    rise_agent_desc d = small(RISE_HEAD_C51);
    check_about("value_min 0");
    d.value_min = 0, d.value_max = 5;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.value_min == 0 && d.value_max == 5);
    check_about("value_max 0");
    d = small(RISE_HEAD_C51);
    d.value_min = -5, d.value_max = 0;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.value_min == -5 && d.value_max == 0);
    check_about("%s", "");
}
static int no_sum(void *user, rise_real *numbers, size_t count)
{
    (void)user, (void)numbers, (void)count;
    return 0;
}
/* Only an agent that learns in a time budget has several parts by default. */
static void parts_follow_from_learning_in_a_budget(void)
{
    static const struct parts_case {
        int learn_outside, background, processes, batch, window_samples, batch_parts, parts;
    } cases[] = {{0, 0, 0, 0, 0, 0, 1},  {1, 0, 0, 0, 0, 0, 4}, {1, 1, 0, 0, 0, 0, 1},
                 {1, 0, 1, 0, 0, 0, 4},  {1, 0, 2, 0, 0, 0, 1}, {1, 0, 0, 30, 0, 0, 1},
                 {1, 0, 0, 8, 2, 0, 4},  {1, 0, 0, 8, 4, 0, 1}, {1, 0, 0, 0, 0, 2, 2},
                 {1, 0, 0, 32, 0, 1, 1}, {0, 0, 0, 0, 0, 8, 8}};
    int i;
    for (i = 0; i < COUNT(cases); i++) {
        const struct parts_case *const c = &cases[i];
        rise_agent_desc d;
        memset(&d, 0, sizeof d);
        d.frame_width = d.frame_height = 8, d.actions = 2;
        d.learn_outside = c->learn_outside, d.background = c->background;
        d.processes = c->processes, d.reduce_fn = no_sum;
        d.batch = c->batch, d.window_samples = c->window_samples, d.batch_parts = c->batch_parts;
        check_about("case %d", i);
        CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.batch_parts == c->parts);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Agents that are shown a distribution */

/* A bandit with two arms and one state. Each episode has two frames, and its reward is skewed.
   Replay is uniform. */
enum { ARMS = 2, PULLS = 4000 };

typedef struct bandit {
    rise_agent *agent;
    double rewards[ARMS][PULLS];
    int pulled[ARMS];
    double scale[ARMS];
} bandit;

static const uint8_t bandit_frame[4] = {200, 10, 90, 30};

/* Returns the quantile of fraction u, with mean 1. An exponential distribution has one long
   tail. */
static double skewed(double u) { return -log(1 - u); }

static void bandit_begin(bandit *b, rise_agent_desc *d, double scale0, double scale1,
                         double (*quantile)(double))
{
    int i;
    memset(b, 0, sizeof *b);
    b->scale[0] = scale0, b->scale[1] = scale1;
    d->actions = ARMS, d->action_masks = 0;
    d->conv[0].filters = 4, d->features = 16, d->head_units = 32;
    d->batch = 32, d->n_step = 1, d->target_period = 50;
    d->replay_capacity = 2 * PULLS, d->learn_start = 100, d->epsilon_start = d->epsilon_end = 1;
    d->priority_exponent = -1, d->learning_rate = 2e-3;
    b->agent = created(d);
    for (i = 0; i < PULLS; i++) {
        int const arm = rise_agent_step(b->agent, bandit_frame, 0, RISE_FIRST);
        double const u = 0.5 + 0.6180339887498949 * b->pulled[arm];
        double const reward = b->scale[arm] * quantile(u - floor(u));
        b->rewards[arm][b->pulled[arm]++] = (double)(float)reward;
        CHECK(rise_agent_step(b->agent, bandit_frame, (float)reward, RISE_TERMINATED) == 0);
    }
    CHECK(b->pulled[0] > PULLS / 3 && b->pulled[1] > PULLS / 3);
}
static void bandit_learn(bandit *b, int updates)
{
    while (updates-- > 0)
        if (!CHECK(rise_agent_learn(b->agent) == RISE_OK)) return;
}
/* Adds z [taus][actions][atoms] of the one state to what is there; for IQN, at these fractions. */
static void bandit_look(bandit *b, const float *fractions, double *z)
{
    rise_agent *a = b->agent;
    const risei_heads *n = &a->model.net.heads;
    int i;
    CHECK(rise_agent_play(a, 0, bandit_frame, 0, RISE_FIRST, NULL) >= 0);
    if (n->kind == &risei_head_kinds[RISE_HEAD_IQN]) {
        memcpy(a->model.pass.heads.tau, fractions, (size_t)n->taus * sizeof *fractions);
        risei_heads_forward(&a->model.device, n, risei_model_weights(&a->model, RISEI_USE_PLAY), 1,
                            &a->model.pass.heads);
    }
    for (i = 0; i < n->taus * n->actions * n->atoms; i++) z[i] += (double)a->model.pass.heads.z[i];
}
/* Returns the q that minimises the quantile Huber loss of an arm's rewards. At this q, the slopes
   add up to 0: |tau - [r < q]| times r - q clipped to -1..1. */
static double rounded_quantile(const bandit *b, int arm, double tau)
{
    double low = -1000, high = 1000;
    int round, i;
    for (round = 0; round < 60; round++) {
        double const q = (low + high) / 2;
        double pull = 0;
        for (i = 0; i < b->pulled[arm]; i++) {
            double const td = b->rewards[arm][i] - q;
            pull += fabs(tau - (td < 0)) * fmin(fmax(td, -1), 1);
        }
        if (pull > 0)
            low = q;
        else
            high = q;
    }
    return (low + high) / 2;
}
static void learns_quantiles(int dueling, int noisy)
{
    static const float fractions[8] = {0.05f, 0.1f, 0.25f, 0.5f, 0.75f, 0.9f, 0.95f, 0.35f};
    enum { LOOKS = 200 };
    rise_agent_desc d = small(RISE_HEAD_IQN);
    bandit b;
    double z[8 * ARMS];
    int look, i, arm;
    memset(z, 0, sizeof z);
    d.quantiles = 8, d.no_dueling = !dueling, d.noisy = noisy;
    bandit_begin(&b, &d, 8, -5, skewed);
    bandit_learn(&b, 3000);
    for (look = 0; look < LOOKS; look++) {
        bandit_learn(&b, 5);
        bandit_look(&b, fractions, z);
    }
    for (i = 0; i < 8; i++)
        for (arm = 0; arm < ARMS; arm++) {
            double const tau = (double)fractions[i], seen = z[i * ARMS + arm] / LOOKS;
            double const right = rounded_quantile(&b, arm, tau);
            /* for negative numbers the order is reversed */
            double const truth = b.scale[arm] * skewed(arm ? 1 - tau : tau);
            check_about("quantile %g of arm %d%s%s: %g, should be %g (%g)", tau, arm,
                        dueling ? ", dueling" : "", noisy ? ", noisy" : "", seen, right, truth);
            CHECK(fabs(seen - right) < 0.06 * fabs(b.scale[arm]) + 0.04 * fabs(right));
            /* Huber's rounded corner, 1 wide on each side, moves the minimum */
            CHECK(fabs(right - truth) < 0.5);
        }
    check_about("%s", "");
    rise_agent_destroy(b.agent);
}
static double squares(double u) { return 3 * u * u; }

static void learns_means(rise_head head)
{
    enum { LOOKS = 200 };
    rise_agent_desc d = small(head);
    bandit b;
    double z[ARMS * 21], q[ARMS];
    int look, i, j, arm;
    memset(z, 0, sizeof z), memset(q, 0, sizeof q);
    d.atoms = 21, d.value_min = -1, d.value_max = 1;
    /* TD errors within 1, where Huber's loss is a square and its minimum is the mean */
    bandit_begin(&b, &d, 0.3, -0.25, squares);
    bandit_learn(&b, 2500);
    for (look = 0; look < LOOKS; look++) {
        bandit_learn(&b, 5);
        bandit_look(&b, NULL, z);
        for (arm = 0; arm < ARMS; arm++)
            q[arm] += (double)rise_agent_values(b.agent, 0)[arm] / LOOKS;
    }
    for (arm = 0; arm < ARMS; arm++) {
        double mean = 0;
        for (i = 0; i < b.pulled[arm]; i++) mean += b.rewards[arm][i] / b.pulled[arm];
        check_about("head %d, mean of arm %d: %g, should be %g", (int)head, arm, q[arm], mean);
        CHECK(fabs(q[arm] - mean) < 0.012 && fabs(mean - b.scale[arm]) < 0.003);
        for (j = 0; j < 21 && head == RISE_HEAD_C51; j++) {
            double odds = 0;
            for (i = 0; i < b.pulled[arm]; i++)
                odds += fmax(0, 1 - fabs(b.rewards[arm][i] - (-1 + 0.1 * j)) / 0.1) / b.pulled[arm];
            check_about("odds of atom %d of arm %d: %g, should be %g", j, arm,
                        z[arm * 21 + j] / LOOKS, odds);
            CHECK(fabs(z[arm * 21 + j] / LOOKS - odds) < 0.012);
        }
    }
    check_about("%s", "");
    rise_agent_destroy(b.agent);
}
static void agents_learn_distributions(void)
{
    learns_means(RISE_HEAD_C51);
    if (check_share > 1) return; /* with sanitizers, the rest takes a minute */
    learns_quantiles(1, 0);
    learns_quantiles(0, 1);
    learns_means(RISE_HEAD_MEAN);
}

/* ---------------------------------------------------------------------------------------------- */
/* The network of BTR (arXiv 2411.03820) has 2.91 million parameters, as published */

/*  IMPALA of width 2 on 84 x 84 with a stack of 4, by hand:
      block 1   conv 9 * 4 * 32 + 32 = 1184, four convs 9 * 32 * 32 + 32 = 9248 each:     38 176
      block 2   conv 9 * 32 * 64 + 64 = 18496, four convs 9 * 64 * 64 + 64 = 36928 each: 166 208
      block 3   conv 9 * 64 * 64 + 64 = 36928, four of the same:                        184 640
                84 -> 42 -> 21 -> 11 pixels, pooled to 6 x 6 x 64 = 2304
      fractions 64 * 2304 + 2304:                                                       149 760
      hidden    twice 2304 * 512 + 512:                                               2 360 320
      value     512 + 1:                                                                    513
      advantage 512 * 18 + 18 = 9234 for 18 actions, 512 * 6 + 6 = 3078 for 6
    The total is 2 908 851 for 18 actions and 2 902 695 for 6. Each weight and bias of the heads
    also has a sigma. */
static void btr_has_its_published_size(void)
{
    int i;
    for (i = 0; i < 2; i++) {
        int const actions = i ? 6 : 18;
        size_t const right = 38176 + 166208 + 184640 + 149760 + 2360320 + 513 +
                             513 * (size_t)actions;
        rise_agent_desc d;
        rise_error error;
        risei_net n;
        memset(&d, 0, sizeof d);
        d.frame_width = d.frame_height = 84, d.actions = actions;
        d.memory = RISE_MEMORY_NONE, d.network = RISE_NETWORK_IMPALA, d.spectral_norm = 1;
        d.head = RISE_HEAD_IQN, d.noisy = 1;
        if (!CHECK(rise_agent_resolve(&d, &error) == RISE_OK)) puts(error.text);
        CHECK(d.network_width == 2 && d.pool_to == 6 && d.head_units == 512 && d.features == -1 &&
              d.conv_count == 3);
        risei_net_make(&n, &d);
        check_note("%d actions: %d parameters, %d sigmas", actions,
                   (int)(n.parameters - (size_t)n.heads.sigmas), (int)n.heads.sigmas);
        CHECK(n.encoder.flat == 2304 && n.fused_size == 2304 && n.heads.taus == 8);
        CHECK(n.parameters - (size_t)n.heads.sigmas == right &&
              (size_t)n.heads.sigmas == 2360320 + 513 + 513 * (size_t)actions);
        /* a direction for each of 12 conv layers */
        CHECK(n.weights_size - n.parameters == 4 * 32 + 8 * 64);
        if (actions == 18) CHECK(right >= 2905000 && right < 2915000);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* The fields of a description as text. The loops take every row of the tables of fields. */

/* One field of a description: its full name, as in "conv[2].size", and its object. */
typedef struct named_field {
    const risei_field *field;
    char name[40];
    size_t object;    /* offset of the structure that holds the field */
    double low, high; /* an enumeration: 0 and its last value */
    int required; /* 1: 0 is refused; 0: 0 may mean unset, also where the range does not have 0 */
} named_field;

static named_field field_at(int i)
{
    named_field f;
    int const conv = i - RISEI_FIELDS, l = conv / RISEI_CONV_FIELDS;
    f.field = conv < 0 ? &risei_fields[i] : &risei_conv_fields[conv % RISEI_CONV_FIELDS];
    f.object = conv < 0 ? 0 : offsetof(rise_agent_desc, conv) + (size_t)l * sizeof(rise_conv);
    if (conv < 0)
        snprintf(f.name, sizeof f.name, "%s", f.field->name);
    else
        snprintf(f.name, sizeof f.name, "conv[%d].%s", l, f.field->name);
    f.low = f.field->low;
    f.high = f.field->word_of != NULL ? risei_words_count(f.field->word_of) - 1 : f.field->high;
    f.required = i < RISEI_FIELDS_REQUIRED;
    return f;
}
/* Returns a description with every conv layer in use. All its fields are in their ranges. */
static rise_agent_desc layered(void)
{
    rise_agent_desc d;
    int l;
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 8, d.actions = 2;
    d.network = RISE_NETWORK_CUSTOM, d.conv_count = RISE_MAX_CONV;
    for (l = 0; l < RISE_MAX_CONV; l++) d.conv[l].filters = d.conv[l].size = d.conv[l].stride = 1;
    return d;
}
/* What rise_agent_describe says about one field. */
typedef struct line_sought {
    const char *name;
    char value[80];
    int found;
} line_sought;

static void seek_line(void *user, const char *text)
{
    line_sought *const s = (line_sought *)user;
    size_t const length = strlen(s->name);
    if (strncmp(text, s->name, length) != 0 || text[length] != '=') return;
    snprintf(s->value, sizeof s->value, "%.79s", text + length + 1);
    s->found++;
}
/* Sets a field from text. Checks that no other field changes, and that the description as text has
   the value: a word of an enumeration, or the same number. */
static void sets_text(const named_field *f, rise_agent_desc *d, const char *text, double value)
{
    rise_agent_desc right;
    line_sought line = {NULL, "", 0};
    char whole[120];
    rise_error error = {RISE_OK, ""};
    memcpy(&right, d, sizeof right);
    risei_field_put(f->field, (char *)&right + f->object, value);
    snprintf(whole, sizeof whole, "%s=%s", f->name, text);
    check_about("%s", whole);
    if (!CHECK(rise_agent_set(d, whole, &error) == RISE_OK)) printf("    \"%s\"\n", error.text);
    CHECK(memcmp(d, &right, sizeof right) == 0);
    line.name = f->name;
    rise_agent_describe(d, seek_line, &line);
    CHECK(line.found == 1);
    if (f->field->word_of != NULL && f->field->word_of((int)value) != NULL)
        CHECK(strcmp(line.value, f->field->word_of((int)value)) == 0);
    else
        CHECK(strtod(line.value, NULL) == value);
}
static int is_zero(double x) { return !(x < 0) && !(x > 0); }

/* Sets a field from text and resolves the description. A value in the field's range is not refused
   for its range. Any other value is, with a sentence that begins with the field's name. */
static void sets_number(const named_field *f, double value)
{
    rise_agent_desc d = layered();
    int const inside = value >= f->low && value <= f->high;
    char text[40], range[80];
    size_t const length = strlen(f->name);
    rise_error error = {RISE_OK, ""};
    rise_result result;
    snprintf(text, sizeof text, "%.17g", value);
    sets_text(f, &d, text, value);
    if (!inside && is_zero(value) && !f->required) return;
    result = rise_agent_resolve(&d, &error);
    snprintf(range, sizeof range, "; it must be between %g and %g", f->low, f->high);
    if (inside) {
        CHECK(result == RISE_OK || strstr(error.text, range) == NULL ||
              strncmp(error.text, f->name, length) != 0);
        return;
    }
    CHECK(result == RISE_BAD_DESC && error.result == RISE_BAD_DESC);
    if (!CHECK(strncmp(error.text, f->name, length) == 0 && error.text[length] == ' ' &&
               strstr(error.text, range) != NULL))
        printf("    \"%s\"\n", error.text);
}
/* Leaves bytes that are not zero where the next call has its variables. */
static void soil_the_stack(void)
{
    volatile char bytes[4000];
    size_t i;
    for (i = 0; i < sizeof bytes; i++) bytes[i] = 'x';
}
/* Writes what a field accepts, as the sentence about a wrong value ends. */
static void accepted_values(const risei_field *field, char text[200])
{
    int i;
    strcpy(text, field->word_of != NULL ? "; it must be one of"
                 : field->real         ? "; it must be a number"
                                       : "; it must be a whole number");
    for (i = 0; field->word_of != NULL && field->word_of(i) != NULL; i++)
        strcat(strcat(text, " "), field->word_of(i));
}
/* Checks that text which is no value of the field is refused and changes nothing. */
static void refuses_value_text(const named_field *f, const char *text)
{
    rise_agent_desc d = layered(), before;
    char whole[120], accepted[200];
    const char *end;
    rise_error error = {RISE_OK, ""};
    memcpy(&before, &d, sizeof d);
    snprintf(whole, sizeof whole, "%s=%s", f->name, text);
    check_about("%s", whole);
    accepted_values(f->field, accepted);
    soil_the_stack();
    CHECK(rise_agent_set(&d, whole, &error) == RISE_BAD_DESC && error.result == RISE_BAD_DESC);
    end = strstr(error.text, "; it must be");
    CHECK(end != NULL && strcmp(end, accepted) == 0);
    CHECK(strstr(error.text, f->field->name) != NULL && memcmp(&d, &before, sizeof d) == 0);
}
/* Sets the values next to the field's range. Where 0 may mean unset, -1 takes the place of 0. */
static void sets_values_outside(const named_field *f)
{
    double const below = f->field->real ? nextafter(f->low, -HUGE_VAL) : f->low - 1;
    double const above = f->field->real ? nextafter(f->high, HUGE_VAL) : f->high + 1;
    sets_number(f, is_zero(below) && !f->required ? -1 : below);
    sets_number(f, above);
    if (f->field->real) sets_number(f, -1e300), sets_number(f, 1e300);
}
static void every_field_is_set_from_text(void)
{
    int const count = RISEI_FIELDS + RISE_MAX_CONV * RISEI_CONV_FIELDS;
    int i, k;
    for (i = 0; i < count; i++) {
        named_field const f = field_at(i);
        rise_agent_desc d = layered();
        sets_number(&f, f.low), sets_number(&f, f.high);
        /* the defaults of the network SMALL and of the others; 0: none, or 0 itself */
        sets_number(&f, f.field->for_small), sets_number(&f, f.field->for_others);
        for (k = 0; f.field->word_of != NULL && f.field->word_of(k) != NULL; k++)
            sets_text(&f, &d, f.field->word_of(k), k);
        sets_values_outside(&f);
        refuses_value_text(&f, "");
        refuses_value_text(&f, "nan");
        refuses_value_text(&f, "inf");
        refuses_value_text(&f, "1 ");
        refuses_value_text(&f, "no_such_word");
        if (!f.field->real) refuses_value_text(&f, "0.5");
    }
    check_about("%s", "");
    check_note("%d fields", count);
}

/* Text that is no field=value, or that names no field, is refused and changes nothing. */
static void wrong_field_texts_are_refused(void)
{
    static const char *const none[] = {"conv[/].filters=1", "conv[8].filters=1",
                                       "conv[0}.filters=1", "conv[0]_filters=1",
                                       "conv[0].=1",        "conv[0].fil=1",
                                       "Xonv[0].filters=1", "conv[0]=1",
                                       "window_=1",         "windo=1",
                                       "=1",                " window=1"};
    static const char *const bare[] = {"", "window", "window:5", "conv[0].filters", "seed"};
    char endless[200], part[80];
    rise_agent_desc d = layered(), before;
    rise_error error;
    int i;
    memcpy(&before, &d, sizeof d);
    for (i = 0; i < COUNT(none); i++) {
        check_about("%s", none[i]);
        snprintf(part, sizeof part, "no field \"%.*s\"", (int)strcspn(none[i], "="), none[i]);
        CHECK(rise_agent_set(&d, none[i], &error) == RISE_BAD_DESC);
        CHECK(strstr(error.text, part) != NULL && memcmp(&d, &before, sizeof d) == 0);
    }
    for (i = 0; i < COUNT(bare); i++) {
        check_about("%s", bare[i]);
        CHECK(rise_agent_set(&d, bare[i], &error) == RISE_BAD_DESC);
        CHECK(strstr(error.text, "field=value") != NULL && memcmp(&d, &before, sizeof d) == 0);
    }
    memset(endless, 'x', sizeof endless - 1);
    memcpy(endless + sizeof endless - 3, "=1", 3);
    CHECK(rise_agent_set(&d, endless, &error) == RISE_BAD_DESC);
    memcpy(part, "no field \"", 10), memset(part + 10, 'x', 60), memcpy(part + 70, "\"", 2);
    CHECK(strstr(error.text, part) != NULL && memcmp(&d, &before, sizeof d) == 0);
}
/* These fields give arrays their shapes, and no others do. */
static void shapes_are_marked(void)
{
    static const char shapes[] =
        " frame_width frame_height actions frame_channels frame_stack numbers number_features "
        "weight_bits memory window cell recurrent_units fusion feed_action embedding "
        "embedding_size embedding_pool network conv_count network_width pool_to features "
        "head_units no_dueling layer_norm head atoms quantiles action_masks environments "
        "demonstrators ";
    int i;
    for (i = 0; i < RISEI_FIELDS; i++) {
        char name[60];
        snprintf(name, sizeof name, " %s ", risei_fields[i].name);
        check_about("%s", name);
        CHECK(risei_fields[i].shape == (strstr(shapes, name) != NULL));
    }
    for (i = 0; i < RISEI_CONV_FIELDS; i++) CHECK(risei_conv_fields[i].shape);
    check_about("%s", "");
}
/* A preset sets fields that are 0 and keeps the others. */
static void presets_keep_what_is_set(void)
{
    int preset, i;
    for (preset = 0; preset < RISE_PRESET_COUNT; preset++) {
        rise_agent_desc plain;
        memset(&plain, 0, sizeof plain);
        CHECK(rise_agent_preset(&plain, (rise_preset)preset) == RISE_OK);
        for (i = 0; i < RISEI_FIELDS; i++) {
            const risei_field *const field = &risei_fields[i];
            rise_agent_desc d, right;
            check_about("preset %d, %s", preset, field->name);
            memset(&d, 0, sizeof d);
            risei_field_put(field, &d, 77);
            memcpy(&right, &plain, sizeof plain);
            risei_field_put(field, &right, 77);
            CHECK(rise_agent_preset(&d, (rise_preset)preset) == RISE_OK);
            CHECK(memcmp(&d, &right, sizeof d) == 0);
        }
    }
}
/* The values of the published papers, written a second time. */
static void presets_are_as_published(void)
{
    static const char *const right[RISE_PRESET_COUNT] = {
        "raw_frames=1 no_double=1 no_dueling=1 n_step=1 priority_exponent=-1 "
        "importance_exponent=-1 learning_rate=6.25e-5 adam_epsilon=1.5e-4 gradient_clip=-1 "
        "target_period=2000 learn_start=20000 replay_capacity=1000000 epsilon_end=0.01 "
        "epsilon_steps=250000",
        "raw_frames=1 head=c51 noisy=1 learning_rate=6.25e-5 adam_epsilon=1.5e-4 "
        "target_period=2000 learn_start=20000 replay_capacity=1000000 epsilon_start=-1 "
        "epsilon_end=-1",
        "raw_frames=1 head=iqn noisy=1 munchausen=1 network=impala spectral_norm=1 "
        "environments=64 learn_period=64 batch=256 discount=0.997 learning_rate=1e-4 "
        "target_period=500 priority_exponent=0.2 importance_exponent=0.2 "
        "replay_capacity=1048576 learn_start=200000 epsilon_end=0.01 epsilon_steps=2000000",
        "raw_frames=1 cell=lstm window=41 window_samples=40 window_stride=40 burn_in=40 "
        "stored_state=1 carry_state=1 feed_action=1 batch=2560 n_step=5 discount=0.997 "
        "value_rescale=1 priority_mix=0.9 priority_exponent=0.9 importance_exponent=0.6 "
        "target_period=2500 learning_rate=1e-4 adam_epsilon=1e-3 replay_capacity=1000000 "
        "learn_start=20000 learn_period=64 epsilon_end=0.01 epsilon_steps=250000"};
    int preset;
    for (preset = 0; preset < RISE_PRESET_COUNT; preset++) {
        rise_agent_desc d, e;
        char text[800], *words[40];
        int n;
        memset(&d, 0, sizeof d), memset(&e, 0, sizeof e);
        snprintf(text, sizeof text, "%s", right[preset]);
        check_about("preset %d", preset);
        for (n = check_words(text, words, 40); n > 0; n--)
            CHECK(rise_agent_set(&e, words[n - 1], NULL) == RISE_OK);
        CHECK(rise_agent_preset(&d, (rise_preset)preset) == RISE_OK);
        CHECK(memcmp(&d, &e, sizeof d) == 0);
    }
    check_about("%s", "");
}
/* Frames of 84 x 84 pixels have the network of Mnih et al. 2015, and defaults of their own. */
static void large_frames_have_their_defaults(void)
{
    static const int convs[3][3] = {{32, 8, 4}, {64, 4, 2}, {64, 3, 1}};
    rise_agent_desc d;
    int l;
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 84, d.actions = 6;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
    CHECK(d.network == RISE_NETWORK_NATURE && d.conv_count == 3 && d.features == -1);
    for (l = 0; l < 3; l++) {
        const rise_conv *const c = &d.conv[l];
        CHECK(c->filters == convs[l][0] && c->size == convs[l][1] && c->stride == convs[l][2]);
        CHECK(c->pad == 0 && c->pool == 0 && c->residual == 0);
    }
    CHECK(d.learning_rate == 1e-4 && d.target_period == 2000 && d.learn_start == 20000);
    CHECK(d.replay_capacity == 200000 && d.epsilon_end == 0.01 && d.epsilon_steps == 250000);
    CHECK(d.recurrent_units == 512 && d.embedding_size == 484 && d.head_units == 512);
    CHECK(d.cell == RISE_CELL_GRU && d.discount == 0.99 && d.gradient_clip == 10);
    CHECK(d.priority_exponent == 0.5 && d.importance_exponent == 0.4);
}
/* A CUSTOM network has the defaults of SMALL if a side of the frame is below 36 pixels. */
static void small_custom_networks_have_small_defaults(void)
{
    int large;
    for (large = 0; large < 2; large++) {
        rise_agent_desc d;
        memset(&d, 0, sizeof d);
        d.frame_width = 84, d.frame_height = large ? 36 : 35, d.actions = 2;
        d.network = RISE_NETWORK_CUSTOM, d.conv_count = 1;
        d.conv[0].filters = 4, d.conv[0].size = 3;
        check_about("height %d", d.frame_height);
        CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
        CHECK(d.learn_start == (large ? 20000 : 1000) && d.features == (large ? -1 : 128));
        CHECK(d.recurrent_units == (large ? 512 : 32));
        CHECK(d.learning_rate == (large ? 1e-4 : 1e-3));
    }
    check_about("%s", "");
}
/* The smaller side of a frame chooses the network. */
static void low_and_narrow_frames_are_small(void)
{
    static const int sides[][2] = {{84, 20}, {20, 84}, {84, 35}, {35, 84}, {40, 2}, {2, 40},
                                   {64, 1},  {1, 64},  {36, 36}, {37, 36}};
    int i;
    for (i = 0; i < COUNT(sides); i++) {
        int const low = sides[i][0] < sides[i][1] ? sides[i][0] : sides[i][1];
        rise_agent_desc d;
        memset(&d, 0, sizeof d);
        d.frame_width = sides[i][0], d.frame_height = sides[i][1], d.actions = 2;
        check_about("%d x %d", d.frame_width, d.frame_height);
        CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
        CHECK(d.network == (low < 36 ? RISE_NETWORK_SMALL : RISE_NETWORK_NATURE));
        CHECK(low >= 36 || (d.conv_count == 1 && d.conv[0].filters == 16 &&
                            d.conv[0].stride == 1 && d.conv[0].size == (low < 3 ? low : 3)));
    }
    check_about("%s", "");
}
/* By default, a random projection pools a frame to at most 1024 squares. */
static void pools_leave_1024_squares(void)
{
    static const int right[][3] = {{84, 84, 3}, {32, 32, 1},  {33, 32, 2}, {64, 32, 2},
                                   {200, 10, 2}, {10, 200, 2}, {1024, 1024, 32}, {5, 4, 1}};
    int i;
    for (i = 0; i < COUNT(right); i++) {
        rise_agent_desc d;
        memset(&d, 0, sizeof d);
        d.frame_width = right[i][0], d.frame_height = right[i][1], d.actions = 2;
        d.embedding = RISE_EMBED_SIGNS;
        check_about("%d x %d", d.frame_width, d.frame_height);
        CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.embedding_pool == right[i][2]);
    }
    check_about("%s", "");
}

static void seed_dice(void) { dice = risei_random_stream(2411, 3820); }

static const check_test tests[] = {
    TEST(c51_projection_equals_the_formula),
    TEST(c51_projection_is_exact_by_hand),
    TEST(losses_equal_the_papers),
    TEST(munchausen_targets_equal_the_paper),
    TEST(munchausen_policies_are_right_at_the_edges),
    TEST(munchausen_keeps_what_is_not_finite),
    TEST(softmax_takes_logits_of_any_size),
    TEST(value_rescaling_inverts),
    TEST(rescaled_targets_are_right),
    TEST(soft_copies_go_by_the_rate),
    TEST(each_use_has_noise_of_its_own),
    TEST(acting_noise_lasts_until_the_next_update),
    TEST(target_network_sees_next_states),
    TEST(fractions_are_spread_as_published),
    TEST(cosines_are_accurate),
    TEST(spectral_norms_converge_in_training),
    TEST(btr_has_its_published_size),
    TEST(written_parameters_act_at_once),
    TEST(noise_and_fractions_are_independent),
    TEST(random_streams_do_not_overlap),
    TEST(parts_follow_from_learning_in_a_budget),
    TEST(value_range_may_begin_at_zero),
    TEST(agents_learn_distributions),
    TEST(every_field_is_set_from_text),
    TEST(wrong_field_texts_are_refused),
    TEST(shapes_are_marked),
    TEST(presets_keep_what_is_set),
    TEST(presets_are_as_published),
    TEST(large_frames_have_their_defaults),
    TEST(small_custom_networks_have_small_defaults),
    TEST(low_and_narrow_frames_are_small),
    TEST(pools_leave_1024_squares),
};
int main(int count, char **arguments)
{
    check_state.before = seed_dice;
    return CHECK_MAIN(count, arguments, tests);
}
