/* Tests targets, losses and choices of actions on examples worked out by hand. All numbers are
   dyadic, so results must be equal.
       cc -O2 tests/targets.c -o targets -lm && ./targets */
#define RISE_IMPLEMENTATION
#include "../rise.h"
#include "check.h"

enum { ACTIONS = 3, BATCH = 4 };

static void best_action_is_the_first_allowed(void)
{
    const rise_real q[4] = {1, 3, 3, 2}, odd[4] = {-HUGE_VALF, 1, NAN, 2};
    const rise_real least[2] = {-HUGE_VALF, -HUGE_VALF};
    static const rise_real many[10] = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0};
    static const uint8_t all = 15, not1 = 13, only03 = 9, ninth[2] = {0, 2};
    static const uint8_t seven_eight[2] = {128, 1};
    CHECK(risei_best_action(4, q, NULL) == 1 &&
          risei_best_action(4, q, &all) == 1); /* the first of equals */
    CHECK(risei_best_action(4, q, &not1) == 2);
    CHECK(risei_best_action(4, q, &only03) == 3);
    /* masks of several bytes */
    CHECK(risei_best_action(10, many, ninth) == 9 && risei_best_action(10, many, seven_eight) == 7);
    CHECK(risei_best_action(4, odd, NULL) == 3 && risei_best_action(2, least, NULL) == 0 &&
          risei_best_action(1, q, NULL) == 0);
}

static void huber_loss_is_right(void)
{
    static const rise_real td[] = {0, 0.5f, -0.5f, 1, -1, 2, -2, 1024};
    static const rise_real loss[] = {0, 0.125f, 0.125f, 0.5f, 0.5f, 1.5f, 1.5f, 1023.5f};
    /* with respect to q, where td = target - q */
    static const rise_real slope[] = {0, -0.5f, 0.5f, -1, 1, -1, 1, -1};
    rise_real dq, unused;
    size_t i;
    for (i = 0; i < sizeof td / sizeof *td; i++) {
        rise_real const cost = risei_huber(td[i], &dq), step = 0.125f;
        rise_real const above = risei_huber(td[i] - step, &unused);
        rise_real const beneath = risei_huber(td[i] + step, &unused);
        check_about("td error %g", (double)td[i]);
        CHECK(cost == loss[i] && dq == slope[i]);
        /* exact on both pieces */
        if (risei_abs(td[i]) != 1) CHECK((above - beneath) / (2 * step) == dq);
    }
    /* the gradient is clipped. If the objective were clipped, its gradient at 2 would be 0 */
    check_about("%s", "");
}

/* Returns a tiny agent without memory. n_step is 3, the discount 0.5. */
static rise_agent *agent(int masks, int no_double)
{
    rise_agent_desc d;
    rise_agent *a;
    rise_error error;
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 2, d.frame_stack = 1, d.actions = ACTIONS,
    d.action_masks = masks;
    d.memory = RISE_MEMORY_NONE, d.network = RISE_NETWORK_CUSTOM, d.conv_count = 1,
    d.conv[0].filters = 2, d.conv[0].size = 2;
    d.features = 4, d.head_units = 4;
    d.batch = BATCH, d.n_step = 3, d.discount = 0.5, d.no_double = no_double, d.target_period = 3;
    d.replay_capacity = 64, d.learn_start = BATCH, d.learn_outside = d.batch_parts = 1;
    if (rise_agent_create(&a, &d, &error) != RISE_OK) {
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
/* Returns the target of a transition whose next state has these values. */
static rise_real target(rise_agent *a, rise_real reward, rise_real discount,
                        const rise_real *online, const rise_real *value)
{
    risei_transition *const t = &a->learner.batch.transition[0];
    memset(t, 0, sizeof *t);
    t->steps = 1, t->reward = reward, t->discount = discount;
    memcpy(a->model.pass.heads.q + BATCH * ACTIONS, online, ACTIONS * sizeof *online);
    memcpy(a->learner.batch.target_q, value, ACTIONS * sizeof *value);
    memcpy(a->learner.batch.target_z, value, ACTIONS * sizeof *value);
    risei_learner_gather_masks(&a->learner, 0);
    risei_learner_target(&a->learner, 0);
    return a->learner.batch.target[0];
}
static void double_q_targets_are_right(void)
{
    /* The online network would take action 1, the target network action 2. */
    static const rise_real online[ACTIONS] = {1, 5, 2}, value[ACTIONS] = {10, 20, 30};
    static const rise_real tie[ACTIONS] = {2, 5, 5};
    const rise_real broken[ACTIONS] = {NAN, HUGE_VALF, -HUGE_VALF};
    static const int masks[] = {7, 5, 1};
    /* 1 + 0.5 * 20; not action 1; only action 0 */
    static const rise_real doubled[] = {11, 16, 6}, single[] = {16, 16, 6};
    int m, no_double;
    for (m = 0; m < 3; m++)
        for (no_double = 0; no_double <= 1; no_double++) {
            rise_agent *a = agent(1, no_double);
            check_about("mask %d, no_double %d", masks[m], no_double);
            step(a, 0, RISE_FIRST, 7);
            step(a, 0, RISE_MIDDLE, masks[m]);
            CHECK(target(a, 1, 0.5f, online, value) == (no_double ? single[m] : doubled[m]));
            /* the first of equals */
            CHECK(m > 0 || target(a, 1, 0.5f, tie, value) == (no_double ? 16 : 11));
            /* with one network for both, the target is the same */
            CHECK(m > 0 || target(a, 1, 0.5f, online, online) == 3.5f);
            CHECK(target(a, -7, 0, online, broken) == -7 && target(a, -7, 0, broken, broken) == -7);
            rise_agent_destroy(a);
        }
    check_about("%s", "");
    CHECK(isnan(-7 + 0 * broken[0])); /* control: a product with 0 would have spread the NaN */
}

/* One, two and three rewards before each kind of end. The value of what follows is 8. */
static void each_end_bootstraps_as_it_should(void)
{
    const rise_real eight[ACTIONS] = {8, 7, 6}, broken[ACTIONS] = {NAN, NAN, NAN};
    static const rise_event ends[4] = {RISE_MIDDLE, RISE_TRUNCATED, RISE_FIRST, RISE_TERMINATED};
    int end;
    for (end = 0; end < 4; end++) {
        rise_agent *a = agent(0, 0);
        int const terminated = ends[end] == RISE_TERMINATED, cut = ends[end] == RISE_FIRST;
        const rise_real *value = terminated ? broken : eight;
        risei_transition t;
        check_about("an episode that ends with event %d", (int)ends[end]);
        step(a, NAN, RISE_FIRST, 7);
        step(a, 1, RISE_MIDDLE, 7);
        step(a, 2, RISE_MIDDLE, 7);
        step(a, 4, cut ? RISE_MIDDLE : ends[end], 7);
        if (cut) step(a, 1000, RISE_FIRST, 7); /* its reward and frame belong to no transition */
        /* three rewards: 1 + 0.5 * 2 + 0.25 * 4, plus 0.125 * 8 or nothing */
        t = risei_replay_transition(&a->replay, 0);
        CHECK(t.steps == 3 && t.reward == 3 && t.discount == (terminated ? 0 : 0.125f));
        CHECK(target(a, t.reward, t.discount, value, value) == (terminated ? 3 : 4));
        if (ends[end] != RISE_MIDDLE) {
            t = risei_replay_transition(&a->replay, 1); /* two: 2 + 0.5 * 4, plus 0.25 * 8 */
            CHECK(t.steps == 2 && t.reward == 4 && t.discount == (terminated ? 0 : 0.25f));
            CHECK(target(a, t.reward, t.discount, value, value) == (terminated ? 4 : 6));
            t = risei_replay_transition(&a->replay, 2); /* one: 4, plus 0.5 * 8 */
            CHECK(t.steps == 1 && t.reward == 4 && t.discount == (terminated ? 0 : 0.5f));
            CHECK(target(a, t.reward, t.discount, value, value) == (terminated ? 4 : 8));
        }
        CHECK(a->replay.ready == (ends[end] == RISE_MIDDLE ? 1 : 3));
        rise_agent_destroy(a);
    }
    check_about("%s", "");
}

/* A batch by hand. Actions allowed in the next states: all; all; 0 and 2; all. */
typedef struct sample {
    int action;
    rise_real reward, discount, importance, q[ACTIONS], online[ACTIONS], target[ACTIONS];
} sample;

static const sample samples[BATCH] = {
    /* double: y = 1 + 0.5 * 20 = 11, td = 9, Huber 8.5, weighted 4.25.
       no_double: y = 16, td = 14, 13.5, 6.75. */
    {1, 1, 0.5f, 0.5f, {1, 2, 3}, {1, 5, 2}, {10, 20, 30}},
    /* terminated, and the next values are NaN: y = -1, td = -1.5, 1 */
    {1, -1, 0, 1, {9, 0.5f, 9}, {0, 0, 0}, {0, 0, 0}},
    /* action 1 is not allowed. double: y = 0.25 - 0.75 = -0.5, td = 0.25, 1/32, 1/128.
       no_double: y = 1.25, td = 2, 1.5, 0.375. Without masks: y = 25.25, td = 26, 25.5, 6.375. */
    {2, 0.25f, 0.25f, 0.25f, {0, 0, -0.75f}, {1, 5, 2}, {4, 100, -3}},
    /* a tie, so action 0: y = 2 + 0.125 * 8 = 3, td = 0.  no_double: y = 102, td = 99, 98.5. */
    {0, 2, 0.125f, 1, {3, -5, 4}, {7, 7, 1}, {8, 80, 800}}};

static double loss_of(rise_agent *a, risei_update_metrics *metrics)
{
    const rise_real broken[ACTIONS] = {HUGE_VALF, NAN, -HUGE_VALF};
    int b, i;
    step(a, 0, RISE_FIRST, 7);
    /* slot b + 1 follows slot b */
    for (b = 0; b < BATCH; b++) step(a, 0, RISE_MIDDLE, b == 2 ? 5 : 7);
    for (b = 0; b < BATCH; b++) {
        const sample *s = &samples[b];
        risei_transition *t = &a->learner.batch.transition[b];
        t->lane = 0, t->at = b, t->steps = 1, t->action = s->action, t->reward = s->reward,
        t->discount = s->discount;
        a->learner.batch.importance[b] = s->importance;
        for (i = 0; i < ACTIONS; i++) {
            a->model.pass.heads.q[b * ACTIONS + i] = s->q[i];
            a->model.pass.heads.q[(BATCH + b) * ACTIONS + i] = s->discount > 0 ? s->online[i]
                                                                               : broken[i];
            a->learner.batch.target_q[b * ACTIONS + i] =
                a->learner.batch.target_z[b * ACTIONS + i] = s->discount > 0 ? s->target[i]
                                                                             : broken[i];
            a->model.pass.heads.dz[b * ACTIONS + i] = 77; /* must be overwritten */
        }
        risei_learner_gather_masks(&a->learner, b);
    }
    return risei_learner_loss(&a->learner, metrics);
}
/* Returns whether dq is slope[b] at the action taken in state b, and 0 at all others. */
static int slopes(const rise_agent *a, const rise_real *slope)
{
    int b, i, right = 1;
    for (b = 0; b < BATCH; b++)
        for (i = 0; i < ACTIONS; i++)
            right &= a->model.pass.heads.dz[b * ACTIONS + i] ==
                     (i == samples[b].action ? slope[b] : 0);
    return right;
}
static void loss_and_slopes_are_right(void)
{
    /* importance * clipped -td / batch */
    static const rise_real with_double[BATCH] = {-0.125f, 0.25f, -1.0f / 64, 0};
    static const rise_real without[BATCH] = {-0.125f, 0.25f, -0.0625f, -0.25f};
    static const rise_real unmasked[BATCH] = {-0.125f, 0.25f, -0.0625f, 0};
    risei_update_metrics m;
    rise_agent *a = agent(1, 0);
    memset(&m, 0, sizeof m);
    CHECK(loss_of(a, &m) == (4.25 + 1 + 1.0 / 128 + 0) / 4);
    CHECK(m.loss == (4.25 + 1 + 1.0 / 128 + 0) / 4);
    CHECK(m.mean_value == (2 + 0.5 - 0.75 + 3) / 4);
    CHECK(m.td_error == (9 + 1.5 + 0.25 + 0) / 4);
    CHECK(a->learner.batch.td[0] == 9 && a->learner.batch.td[1] == -1.5f &&
          a->learner.batch.td[2] == 0.25f && a->learner.batch.td[3] == 0);
    CHECK(slopes(a, with_double));
    rise_agent_destroy(a);
    a = agent(1, 1);
    CHECK(loss_of(a, &m) == (6.75 + 1 + 0.375 + 98.5) / 4);
    CHECK(a->learner.batch.td[0] == 14 && a->learner.batch.td[1] == -1.5f &&
          a->learner.batch.td[2] == 2 && a->learner.batch.td[3] == 99);
    CHECK(slopes(a, without));
    rise_agent_destroy(a);
    a = agent(0, 0); /* control: without masks, another action has a higher value */
    CHECK(loss_of(a, &m) == (4.25 + 1 + 6.375 + 0) / 4);
    CHECK(slopes(a, unmasked) && !slopes(a, with_double));
    rise_agent_destroy(a);
}
/* A state that bootstraps has an allowed action. Only after a termination may no action be
   allowed. */
static void no_allowed_action_is_refused(void)
{
    static const rise_event events[4] = {RISE_MIDDLE, RISE_TRUNCATED, RISE_FIRST, RISE_TERMINATED};
    uint8_t const frame[4] = {0}, none[ACTIONS] = {0};
    float const reward = 0;
    rise_agent *a = agent(1, 0);
    int i, action;
    step(a, 0, RISE_FIRST, 7);
    for (i = 0; i < 4; i++)
        CHECK((rise_agent_step_all(a, frame, NULL, &reward, &events[i], none, &action) ==
               RISE_OK) ==
              (events[i] == RISE_TERMINATED));
    rise_agent_destroy(a);
}

/*  Two rows through a head of two inputs. Advantage and value have two hidden units each.
      x = (2, 3): hidden = relu(2, -3 + 1; 3, 2 + 3) = (2, 0; 3, 5)
                  advantages 2 (0.5, 1, 3) + (0, 0, 3) = (1, 2, 9), mean 4
                  value 2 * 3 - 5 + 0.5 = 1.5
      x = (0, 0): hidden = (0, 1; 0, 0)
                  advantages (16, 16, 16) + (0, 0, 3), mean 17; value 0.5 */
static void dueling_case(const rise_kernels *k)
{
    static const rise_real hidden[] = {1, 0, 0, 1, 0, -1, 1, 1, /* bias */ 0, 1, 0, 0};
    static const rise_real advantage[] = {0.5f, 1, 3, 16, 16, 16, /* bias */ 0, 0, 3};
    static const rise_real value[] = {2, -1, /* bias */ 0.5f};
    static const rise_real right[2][6] = {{1, 2, 9, 16, 16, 19},
                                          {-1.5f, -0.5f, 6.5f, -0.5f, -0.5f, 2.5f}};
    rise_real w[sizeof hidden / sizeof *hidden + sizeof advantage / sizeof *advantage +
                sizeof value / sizeof *value];
    rise_real x[4] = {2, 3, 0, 0}, h[8], a[6], v[2], q[6];
    risei_parameters p;
    risei_device d;
    risei_heads_data pass;
    risei_heads n;
    memset(&p, 0, sizeof p);
    memset(&n, 0, sizeof n);
    memset(&pass, 0, sizeof pass);
    n.kind = &risei_head_kinds[RISE_HEAD_MEAN];
    n.in = 2, n.actions = ACTIONS, n.atoms = n.taus = 1;
    n.hidden = risei_linear_make(&p, 2, 4, 1);
    n.advantage = risei_linear_make(&p, 2, ACTIONS, 1);
    n.value = risei_linear_make(&p, 2, 1, 1);
    memcpy(w + n.hidden.weights, hidden, sizeof hidden);
    memcpy(w + n.advantage.weights, advantage, sizeof advantage);
    memcpy(w + n.value.weights, value, sizeof value);
    pass.x = pass.mixed = x, pass.hidden = h, pass.advantage = a, pass.value = v,
    pass.q = pass.z = q;
    d.kernels = k;
    d.scratch = calloc(rise_product_scratch(), 1);
    check_about("%s", k->name);
    CHECK(p.count == sizeof w / sizeof *w && d.scratch != NULL);
    for (n.dueling = 0; n.dueling <= 1; n.dueling++) {
        risei_heads_forward(&d, &n, w, 2, &pass);
        CHECK(memcmp(q, right[n.dueling], sizeof q) == 0);
    }
    check_about("%s", "");
    free(d.scratch);
}

static double epsilon(double start, double end, int64_t steps)
{
    rise_agent_desc d;
    memset(&d, 0, sizeof d);
    d.epsilon_start = start, d.epsilon_end = end;
    d.learn_start = 100, d.epsilon_steps = 256;
    return risei_actor_epsilon(&d, steps);
}
static void epsilon_follows_its_schedule(void)
{
    CHECK(epsilon(1, 0.25, 0) == 1 && epsilon(1, 0.25, 100) == 1); /* counted from learn_start */
    CHECK(epsilon(1, 0.25, 100 + 64) == 0.8125 && epsilon(1, 0.25, 100 + 128) == 0.625);
    CHECK(epsilon(1, 0.25, 100 + 256) == 0.25 && epsilon(1, 0.25, (int64_t)1 << 40) == 0.25);
    /* a negative epsilon means 0 */
    CHECK(epsilon(1, -1, 100 + 128) == 0.5 && epsilon(1, -1, 100 + 256) == 0);
    CHECK(epsilon(-1, -1, 0) == 0 && epsilon(-1, 1, 100 + 64) == 0.25 &&
          epsilon(0.5, 0.5, 177) == 0.5);
}

/* Random actions are uniform over the allowed ones. Greedy actions are the best allowed ones. A
   share `epsilon` of all actions is random. */
static void choices_are_epsilon_greedy(void)
{
    int const draws = 30000;
    double const deviation = sqrt(draws); /* an upper bound */
    rise_agent *a = agent(1, 0);
    int seen[ACTIONS] = {0, 0, 0};
    int action, draw, other = 0;
    step(a, 0, RISE_FIRST, 5);
    for (draw = 0; draw < draws; draw++) {
        action = risei_actor_choose(&a->actor, 1, 0, 0);
        seen[action]++;
    }
    CHECK(seen[1] == 0 && abs(seen[0] - draws / 2) < 3 * deviation);
    a->model.pass.heads.q[0] = 1, a->model.pass.heads.q[1] = 3,
    a->model.pass.heads.q[2] = 2; /* the best is not allowed */
    for (draw = 0; draw < draws; draw++) {
        action = risei_actor_choose(&a->actor, 0.5, 0, 0);
        other += action != 2;
        action = risei_actor_choose(&a->actor, 0, 0, 0);
        if (action != 2) break;
    }
    CHECK(draw == draws && abs(other - draws / 4) < 3 * deviation);
    step(a, 0, RISE_MIDDLE, 4);
    CHECK(a->replay.history.actions[1] == 2); /* the action is stored in replay */
    rise_agent_destroy(a);
}

/* The target network does not change between copies. A copy makes both networks equal. */
static void target_network_is_copied_in_time(void)
{
    rise_agent *a = agent(0, 0);
    size_t const bytes = a->model.net.parameters * sizeof *a->model.weights;
    rise_real *const old = (rise_real *)malloc(bytes);
    int update;
    if (old == NULL) exit(1);
    for (update = 0; update < 12; update++)
        step(a, 1, update % 4 == 0 ? RISE_FIRST : RISE_MIDDLE, 7);
    memcpy(old, a->model.weights, bytes);
    for (update = 1; update <= 6; update++) {
        CHECK(memcmp(a->model.target, old, bytes) == 0);
        CHECK(rise_agent_learn(a) == RISE_OK);
        CHECK((memcmp(a->model.target, a->model.weights, bytes) == 0) == (update % 3 == 0));
        if (update % 3 == 0) memcpy(old, a->model.weights, bytes);
    }
    free(old);
    rise_agent_destroy(a);
}

static void dueling_head_is_right(void)
{
    static const rise_isa isas[] = {RISE_ISA_REF, RISE_ISA_C, RISE_ISA_AVX2, RISE_ISA_AVX512,
                                    RISE_ISA_NEON};
    size_t i;
    for (i = 0; i < sizeof isas / sizeof *isas; i++)
        if (rise_kernels_of(isas[i]) != NULL) dueling_case(rise_kernels_of(isas[i]));
}
/* The TD error of a window's last sample becomes eta * max + (1 - eta) * mean over the window's
   samples, without samples from before the episode. Nothing else changes, and the number behind the
   last TD error is not read. */
static void errors_of_windows_are_mixed(void)
{
    enum { WINDOWS = 2, SAMPLES = 3, SIZE = WINDOWS * SAMPLES };
    risei_transition transition[SIZE + 1];
    rise_real td[SIZE + 1] = {1, (rise_real)-2, -5, 50, 3, 4, 1000};
    risei_batch b;
    memset(&b, 0, sizeof b);
    memset(transition, 0, sizeof transition);
    b.size = SIZE, b.samples = SAMPLES, b.windows = WINDOWS;
    b.transition = transition, b.td = td;
    transition[3].before_episode = 1;
    risei_batch_mix_errors(&b, 0.75);
    CHECK_NEAR(td[4], 0.75 * 5 + 0.25 * (1 + 5 + 3) / 3, 1e-6);
    CHECK_NEAR(td[5], 0.75 * 4 + 0.25 * (2 + 4) / 2, 1e-6);
    CHECK(td[0] > 0.5 && td[1] < -1.5 && td[2] < -4.5 && td[3] > 49 && td[6] > 999);
}

/* Bit i is action i. Bits behind the last action are 0, and bytes behind them stay. */
static void masks_have_a_bit_for_each_action(void)
{
    int actions, kind, i;
    for (actions = 1; actions <= 24; actions++)
        for (kind = 0; kind < 3; kind++) { /* some are allowed; all, two ways */
            uint8_t allowed[25], mask[4] = {0xA5, 0xA5, 0xA5, 0xA5};
            int const bits = (actions + 7) / 8 * 8;
            for (i = 0; i < 25; i++) allowed[i] = (uint8_t)(kind == 0 && i % 3 == 1 ? 0 : 3);
            risei_mask_write(mask, kind == 1 ? NULL : allowed, actions);
            check_about("%d actions, kind %d", actions, kind);
            for (i = 0; i < bits; i++) {
                int const right = i < actions && (kind == 1 || allowed[i] != 0);
                CHECK(risei_mask_allows(mask, i) == right);
            }
            for (i = bits / 8; i < 4; i++) CHECK(mask[i] == 0xA5);
        }
    check_about("%s", "");
}

static const check_test tests[] = {
    TEST(best_action_is_the_first_allowed),
    TEST(errors_of_windows_are_mixed),
    TEST(masks_have_a_bit_for_each_action),
    TEST(double_q_targets_are_right),
    TEST(huber_loss_is_right),
    TEST(each_end_bootstraps_as_it_should),
    TEST(loss_and_slopes_are_right),
    TEST(no_allowed_action_is_refused),
    TEST(dueling_head_is_right),
    TEST(epsilon_follows_its_schedule),
    TEST(choices_are_epsilon_greedy),
    TEST(target_network_is_copied_in_time),
};
int main(int count, char **arguments)
{
    return CHECK_MAIN(count, arguments, tests);
}
