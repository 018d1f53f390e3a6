/* Tests that agents learn, with probes: games so small that the exact value of every frame is
   known. Each probe isolates one kind of mistake (after A. Jones, "Debugging RL, without the
   agonizing pain"). All but flickering and pointed are also played with such a mistake, and the
   values must then be wrong.
       cc -O2 tests/probes.c -o probes -lm && ./probes
   `./probes --seeds 20` tries 20 seeds instead of 2 and prints every result. */
#include "toy.h"

/* What a game shows at step t of an episode with this start, after `action`. */
typedef struct sight {
    uint8_t frame[PIXELS];
    float reward;
    rise_event event;
    double value; /* value of the best play from here on; unused for a last frame */
} sight;

enum { PAUSE = 5 }; /* steps from a cue to the answer */

typedef struct probe {
    const char *name;
    int starts, actions;
    double discount;
    double score; /* score of the best play: mean over starts of the sum of rewards */
    double near;  /* tolerance of a value; a mistake shows as twice that or more */
    void (*show)(sight *s, int start, int t, int action);
} probe;

static float sign_of(int good) { return good ? 1 : -1; }

/* One frame, one action, one reward. */
static void constant(sight *s, int start, int t, int action)
{
    s->value = 1 + 0.0 * start * action;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = 1;
}
/* The frame tells the reward. */
static void seen(sight *s, int start, int t, int action)
{
    (void)action;
    s->value = sign_of(start);
    if (t == 0) s->frame[start] = 255;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = sign_of(start);
}
/* The reward comes one step later, so half of it counts. */
static void later(sight *s, int start, int t, int action)
{
    (void)start, (void)action;
    s->value = t == 0 ? 0.5 : 1;
    s->frame[t] = 255;
    if (t == 2) s->event = RISE_TERMINATED, s->reward = 1;
}
/* The action decides the reward. */
static void chosen(sight *s, int start, int t, int action)
{
    (void)start;
    s->value = 1;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = sign_of(action == 1);
}
/* Frame and action together decide the reward. */
static void matched(sight *s, int start, int t, int action)
{
    s->value = 1;
    if (t == 0) s->frame[7 + start] = 255;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = sign_of(action == start);
}
/* The action and an early frame decide the reward. */
static void recalled(sight *s, int start, int t, int action)
{
    s->value = pow(0.9, PAUSE - t);
    if (t == 0) s->frame[7 + start] = 255;
    if (t == PAUSE) s->frame[0] = 255; /* the question */
    if (t == PAUSE + 1) s->event = RISE_TERMINATED, s->reward = sign_of(action == start);
}
/* A cue shows in some of three frames, then the question comes. Starts: 2 cues x 8 patterns. */
static void flickering(sight *s, int start, int t, int action)
{
    int const cue = start & 1, pattern = start >> 1, until = pattern & ((2 << (t < 2 ? t : 2)) - 1);
    if (t < 3 && (pattern >> t & 1) != 0) s->frame[7 + cue] = 255;
    if (t == 3) s->frame[0] = 255;
    s->value = pow(0.9, 3 - t) * (until != 0 ? 1 : t < 3 ? 1 - pow(0.5, 2 - t) : 0);
    if (t == 4) s->event = RISE_TERMINATED, s->reward = sign_of(action == cue);
}
/* A reward of 1 in each step without end, cut off after five steps. The frames do not tell when. */
static void cut(sight *s, int start, int t, int action)
{
    (void)action;
    s->value = 1 / (1 - 0.8);
    s->frame[(start + t) % 2] = 255;
    s->reward = 1;
    if (t == 5) s->event = RISE_TRUNCATED;
}
/* A reward of 1 in each step, and a termination after five steps. The frames show the step. */
static void over(sight *s, int start, int t, int action)
{
    (void)start, (void)action;
    s->value = (1 - pow(0.8, 5 - t)) / (1 - 0.8);
    s->frame[t] = 255;
    s->reward = 1;
    if (t == 5) s->event = RISE_TERMINATED;
}
/* Rewards whose partial sums all differ. */
static void summed(sight *s, int start, int t, int action)
{
    static const double rewards[6] = {0, 0.5, -1, 2, 1, -0.5};
    double weight = 1;
    int i;
    (void)start, (void)action;
    s->frame[3 * t] = 255;
    s->reward = (float)rewards[t];
    for (i = t + 1, s->value = 0; i < 6; i++, weight *= 0.5) s->value += weight * rewards[i];
    if (t == 5) s->event = RISE_TERMINATED;
}
/* One pixel tells the reward. */
static int place;
static void pointed(sight *s, int start, int t, int action)
{
    (void)action;
    s->value = sign_of(start);
    if (t == 0 && start) s->frame[place] = 255;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = sign_of(start);
}

static const probe probes[] = {
    {"constant", 1, 1, 0.9, 1, 0.1, constant},
    {"seen", 2, 1, 0.9, 0, 0.1, seen},
    {"later", 1, 1, 0.5, 1, 0.1, later},
    {"chosen", 1, 2, 0.9, 1, 0.1, chosen},
    {"matched", 2, 2, 0.9, 1, 0.1, matched},
    {"recalled", 2, 2, 0.9, 1, 0.3, recalled},
    {"flickering", 16, 2, 0.9, 0.875, 0.7, flickering},
    {"cut", 2, 1, 0.8, 5, 0.4, cut},
    {"over", 1, 1, 0.8, 5, 0.3, over},
    {"summed", 1, 1, 0.5, 2, 0.1, summed},
    {"pointed", 2, 1, 0.9, 0, 0.4, pointed},
};
static const probe *probe_named(const char *name)
{
    int i;
    for (i = 0; i < COUNT(probes); i++)
        if (strcmp(probes[i].name, name) == 0) return &probes[i];
    exit(1);
}

static sight look(const probe *p, int start, int t, int action)
{
    sight s;
    memset(&s, 0, sizeof s);
    s.event = t == 0 ? RISE_FIRST : RISE_MIDDLE;
    p->show(&s, start, t, action);
    return s;
}

/* Mistakes in playing a probe. */
typedef enum mistake {
    NO_MISTAKE,
    REWARD_LATE,     /* the reward comes with the next frame */
    CUT_IS_OVER,     /* a time limit is reported as a termination */
    OVER_IS_CUT,     /* a termination is reported as a time limit */
    OTHER_ACTION,    /* the game gets another action than the agent's */
    FRAME_OF_BEFORE, /* the agent sees the previous frame */
    FORGETS          /* a new episode is reported in the middle of one */
} mistake;

static const char probe_agent[] =
    "frame_stack=1 conv[0].filters=12 conv[1].filters=8 features=24 head_units=24 "
    "recurrent_units=16 embedding_size=8 window=8 n_step=3 value_min=-2 value_max=6 batch=12 "
    "learning_rate=0.006 target_period=20 learn_start=60 learn_period=1 epsilon_start=0.5 "
    "epsilon_end=0.5";

static rise_agent *trained(const probe *p, const char *words, mistake m, int steps, unsigned seed)
{
    rise_agent_desc d = described(probe_agent);
    risei_random dice = risei_random_stream(seed, 77);
    rise_agent *a;
    sight s, before;
    int start = 0, t = 0, action = 0;
    describe(&d, words);
    d.actions = p->actions;
    d.discount = p->discount;
    d.replay_capacity = 1000;
    d.seed = seed;
    a = created(&d);
    before = look(p, 0, 0, 0);
    while (steps-- > 0) {
        if (t == 0) start = risei_random_below(&dice, p->starts);
        s = look(p, start, t, action);
        {
            sight told = s;
            if (m == REWARD_LATE) told.reward = before.reward;
            if (m == CUT_IS_OVER && s.event == RISE_TRUNCATED) told.event = RISE_TERMINATED;
            if (m == OVER_IS_CUT && s.event == RISE_TERMINATED) told.event = RISE_TRUNCATED;
            if (m == FRAME_OF_BEFORE) memcpy(told.frame, before.frame, sizeof told.frame);
            if (m == FORGETS && t == 2) told.event = RISE_FIRST;
            action = rise_agent_step(a, told.frame, told.reward, told.event);
            if (action < 0) CHECK(action >= 0);
        }
        if (m == OTHER_ACTION) action = risei_random_below(&dice, p->actions);
        before = s;
        t = risei_event_is_last((int)s.event) ? 0 : t + 1;
    }
    return a;
}
/* Plays every start greedily. Returns the largest error of a value, and the mean score. */
static double judged(rise_agent *a, const probe *p, double *score)
{
    double worst = 0;
    int start, t, i, action;
    *score = 0;
    for (start = 0; start < p->starts; start++)
        for (t = action = 0;; t++) {
            sight const s = look(p, start, t, action);
            const float *q;
            double best = -1e9;
            if (t > 0) *score += (double)s.reward / p->starts;
            action = rise_agent_play(a, 0, s.frame, s.reward, s.event, NULL);
            if (risei_event_is_last((int)s.event)) break;
            q = rise_agent_values(a, 0);
            for (i = 0; i < p->actions; i++) best = (double)q[i] > best ? (double)q[i] : best;
            if (a->desc.value_rescale) best = (double)risei_rescale_inverse((rise_real)best);
            worst = fabs(best - s.value) > worst ? fabs(best - s.value) : worst;
        }
    return worst;
}

typedef enum outcome { SOLVES, CHANCE, MISTAKEN } outcome;

/* n-step returns follow the actions taken, which may not be the best. So where a reward depends on
   the action of a later step, values are exact only with n_step=1. A row with a mistake trains for
   as many steps as a row that solves its probe. So its values are wrong because of the mistake, and
   not because of too little training. */
static const struct {
    const char *name, *words;
    mistake m;
    outcome expected;
    int steps;
} rows[] = {
    {"constant", "memory=none", NO_MISTAKE, SOLVES, 350},
    {"constant", "memory=rise", NO_MISTAKE, SOLVES, 350},
    {"constant", "memory=full cell=gru", NO_MISTAKE, SOLVES, 350},
    {"constant", "memory=rise", REWARD_LATE, MISTAKEN, 350},
    {"seen", "memory=none", NO_MISTAKE, SOLVES, 800},
    {"seen", "memory=rise fusion=gate", NO_MISTAKE, SOLVES, 800},
    {"seen", "memory=full", NO_MISTAKE, SOLVES, 800},
    {"seen", "memory=none", FRAME_OF_BEFORE, MISTAKEN, 800},
    {"later", "memory=none n_step=1", NO_MISTAKE, SOLVES, 550},
    {"later", "memory=rise n_step=1 fusion=sum", NO_MISTAKE, SOLVES, 550},
    {"later", "memory=rise", NO_MISTAKE, SOLVES, 550},
    {"later", "memory=full cell=gru n_step=1", NO_MISTAKE, SOLVES, 550},
    {"later", "memory=none n_step=1", REWARD_LATE, MISTAKEN, 550},
    {"chosen", "memory=none", NO_MISTAKE, SOLVES, 550},
    {"chosen", "memory=rise cell=gru", NO_MISTAKE, SOLVES, 550},
    {"chosen", "memory=none", OTHER_ACTION, MISTAKEN, 550},
    {"matched", "memory=none", NO_MISTAKE, SOLVES, 800},
    {"matched", "memory=none no_dueling=1 layer_norm=1", NO_MISTAKE, SOLVES, 800},
    {"matched", "memory=rise", NO_MISTAKE, SOLVES, 800},
    {"matched", "memory=full", NO_MISTAKE, SOLVES, 800},
    {"matched", "memory=none", OTHER_ACTION, MISTAKEN, 800},
    {"matched", "memory=none", FRAME_OF_BEFORE, MISTAKEN, 800},
    {"recalled", "memory=rise n_step=1", NO_MISTAKE, SOLVES, 3300},
    {"recalled", "memory=rise n_step=1 cell=gru feed_action=1 fusion=gate", NO_MISTAKE, SOLVES,
     5000},
    {"recalled", "memory=rise n_step=1 cell=gru fusion=sum carry_state=1", NO_MISTAKE, SOLVES,
     3300},
    {"recalled", "memory=full n_step=1", NO_MISTAKE, SOLVES, 3300},
    {"recalled", "memory=full n_step=1 cell=gru", NO_MISTAKE, SOLVES, 3300},
    {"recalled", "memory=none n_step=1", NO_MISTAKE, CHANCE, 1650},
    {"recalled", "memory=rise n_step=1 window=4", NO_MISTAKE, CHANCE, 3300},
    {"recalled", "memory=rise n_step=1", FORGETS, MISTAKEN, 3300},
    {"flickering", "memory=rise n_step=1", NO_MISTAKE, SOLVES, 3300},
    {"flickering", "memory=full n_step=1 cell=gru", NO_MISTAKE, SOLVES, 3300},
    {"flickering", "memory=none n_step=1", NO_MISTAKE, CHANCE, 1650},
    {"cut", "memory=none", NO_MISTAKE, SOLVES, 1350},
    /* episodes are longer than the window, so next states need a window of their own */
    {"cut", "memory=rise window=2 n_step=1", NO_MISTAKE, SOLVES, 1350},
    {"cut", "memory=rise cell=gru window=2", NO_MISTAKE, SOLVES, 1350},
    {"cut", "memory=full window=2", NO_MISTAKE, SOLVES, 1350},
    {"cut", "memory=none n_step=1", NO_MISTAKE, SOLVES, 1350},
    {"cut", "memory=none", CUT_IS_OVER, MISTAKEN, 1350},
    {"over", "memory=none", NO_MISTAKE, SOLVES, 1350},
    {"over", "memory=rise n_step=1", NO_MISTAKE, SOLVES, 1350},
    {"over", "memory=full cell=gru", NO_MISTAKE, SOLVES, 1350},
    {"over", "memory=none", OVER_IS_CUT, MISTAKEN, 1350},
    {"summed", "memory=none n_step=1", NO_MISTAKE, SOLVES, 1900},
    {"summed", "memory=none", NO_MISTAKE, SOLVES, 1350},
    {"summed", "memory=rise n_step=7", NO_MISTAKE, SOLVES, 1350},
    {"summed", "memory=none n_step=7", REWARD_LATE, MISTAKEN, 1350},
};
static unsigned seeds = 2;
static int talkative;

static void play(const probe *p, const char *words, mistake m, outcome expected, int steps,
                 unsigned seed)
{
    rise_agent *const a = trained(p, words, m, steps, seed);
    double score, off = judged(a, p, &score);
    int good;
    if (expected == SOLVES)
        good = off <= p->near && score >= p->score - 1e-6;
    else if (expected == CHANCE)
        /* the answer cannot depend on the cue, and each cue is played, so the mean is 0 */
        good = fabs(score) < 1e-6;
    else
        good = off >= 2 * p->near;
    check_about("%s, %s, mistake %d, seed %u: off by %.3f, scores %.3f", p->name, words, (int)m,
                seed, off, score);
    CHECK(good);
    if (talkative) printf("%s\n", check_state.about);
    rise_agent_destroy(a);
}

/* The parts of each preset in small networks, and how much longer they need. Distributions and
   random fractions converge more slowly, and where windows overlap, only some steps are sampled. */
static const struct {
    const char *words;
    int percent;
} presets[] = {
    /* DQN */
    {"memory=none no_dueling=1 no_double=1 priority_exponent=-1", 100},
    /* Rainbow */
    {"memory=none head=c51 noisy=1", 300},
    /* BTR */
    {"memory=rise head=iqn munchausen=1 noisy=1 residual spectral_norm=1", 350},
    /* R2D2 */
    {"memory=full value_rescale=1 stored window_samples=3 overlap burn_in=2 feed_action=1", 150},
};
/* Plays every probe with each preset, but probes that need memory only with presets that have
   memory. */
static void play_presets(unsigned seed)
{
    char words[200];
    int i, j;
    for (i = 0; i < COUNT(rows); i++) {
        if (rows[i].m != NO_MISTAKE || rows[i].expected != SOLVES) continue;
        /* only the first row of each probe */
        if (i > 0 && strcmp(rows[i].name, rows[i - 1].name) == 0) continue;
        for (j = 0; j < COUNT(presets); j++) {
            int const memory = strstr(rows[i].words, "memory=rise") != NULL;
            int const one = strstr(rows[i].words, "n_step=1") != NULL;
            if (memory && strstr(presets[j].words, "memory=none") != NULL) continue;
            snprintf(words, sizeof words, "%s%s", presets[j].words, one ? " n_step=1" : "");
            play(probe_named(rows[i].name), words, NO_MISTAKE, SOLVES,
                 rows[i].steps * presets[j].percent / 100, seed);
        }
    }
}

/* Returns whether some row solves this probe in at most this many steps. */
static int solved_within(const char *name, int steps)
{
    int i, solved = 0;
    for (i = 0; i < COUNT(rows); i++)
        solved += strcmp(rows[i].name, name) == 0 && rows[i].expected == SOLVES &&
                  rows[i].steps <= steps;
    return solved > 0;
}
static void play_rows(const char *name)
{
    unsigned seed;
    int i;
    for (seed = 1; seed <= seeds; seed++)
        for (i = 0; i < COUNT(rows); i++) {
            if (strcmp(rows[i].name, name) != 0) continue;
            if (rows[i].expected == MISTAKEN) CHECK(solved_within(name, rows[i].steps));
            play(probe_named(name), rows[i].words, rows[i].m, rows[i].expected, rows[i].steps,
                 seed);
        }
}
static void value_of_one_frame_is_learned(void) { play_rows("constant"); }
static void value_depends_on_the_frame(void) { play_rows("seen"); }
static void later_reward_is_discounted(void) { play_rows("later"); }
static void value_depends_on_the_action(void) { play_rows("chosen"); }
static void value_depends_on_frame_and_action(void) { play_rows("matched"); }
static void cue_is_remembered(void) { play_rows("recalled"); }
static void flickering_cue_is_remembered(void) { play_rows("flickering"); }
static void truncation_bootstraps(void) { play_rows("cut"); }
static void termination_does_not_bootstrap(void) { play_rows("over"); }
static void rewards_are_summed_in_order(void) { play_rows("summed"); }
static void presets_solve_the_probes(void)
{
    unsigned seed;
    for (seed = 1; seed <= seeds; seed++) play_presets(seed);
}
/* Plays "pointed" with each pixel in turn. `sees`: whether the net sees this pixel. */
static void play_pixels(const char *words, int (*sees)(int pixel))
{
    unsigned seed;
    for (seed = 1; seed <= seeds; seed++)
        for (place = 0; place < PIXELS; place++)
            play(probe_named("pointed"), words, NO_MISTAKE, sees(place) ? SOLVES : MISTAKEN, 450,
                 seed);
}
static int every_pixel(int pixel) { return pixel >= 0; }
static int even_pixel(int pixel) { return pixel % WIDTH % 2 == 0 && pixel / WIDTH % 2 == 0; }
static void conv_nets_see_every_pixel(void)
{
    static const char *const words[] = {
        "memory=none",
        "memory=none conv[0].stride=2 conv[0].pad=1",
        "memory=none conv_count=2",
        "memory=none pool",
        "memory=full",
    };
    int i;
    for (i = 0; i < COUNT(words); i++) play_pixels(words[i], every_pixel);
}
static void blind_conv_net_misses_pixels(void)
{
    play_pixels("memory=none conv[0].size=1 conv[0].stride=2", even_pixel);
}
static void frozen_encoder_sees_what_the_net_misses(void)
{
    play_pixels("memory=rise conv[0].size=1 conv[0].stride=2", every_pixel);
}

static const check_test tests[] = {
    TEST(value_of_one_frame_is_learned),
    TEST(value_depends_on_the_frame),
    TEST(later_reward_is_discounted),
    TEST(value_depends_on_the_action),
    TEST(value_depends_on_frame_and_action),
    TEST(cue_is_remembered),
    TEST(flickering_cue_is_remembered),
    TEST(truncation_bootstraps),
    TEST(termination_does_not_bootstrap),
    TEST(rewards_are_summed_in_order),
    TEST(presets_solve_the_probes),
    TEST(conv_nets_see_every_pixel),
    TEST(blind_conv_net_misses_pixels),
    TEST(frozen_encoder_sees_what_the_net_misses),
};
int main(int count, char **arguments)
{
    if (count > 2 && strcmp(arguments[1], "--seeds") == 0) {
        seeds = (unsigned)atoi(arguments[2]);
        talkative = 1;
        count -= 2, arguments += 2;
    }
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
