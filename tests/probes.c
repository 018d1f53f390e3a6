/*  Does it learn? Probes: games so small that the value of every frame is known exactly. Each tells one kind of mistake from
    all others (after A. Jones, "Debugging RL, without the agonizing pain"), and is also played with such a mistake made, to
    show that it would be noticed.
        cc -O2 tests/probes.c -o probes -lm && ./probes
    `./probes 20` tries 20 seeds instead of 2. */
#include "toy.h"

/* What a game shows at step t of the start-th of its episodes, after `action`. */
typedef struct sight {
    uint8_t frame[PIXELS];
    float reward;
    rise_event event;
    double value; /* of the best play from here on; of a last frame, nothing */
} sight;

enum { PAUSE = 5 }; /* steps from a cue to the answer */

typedef struct probe {
    const char *name;
    int starts, actions;
    double discount;
    double score; /* of the best play: mean over the starts of the sum of rewards */
    double near;  /* how far a value may be off; a mistake shows as twice that and more */
    void (*show)(sight *s, int start, int t, int action);
} probe;

static float sign_of(int good) { return good ? 1 : -1; }

/* One frame, one action, one reward. */
static void constant(sight *s, int start, int t, int action)
{
    s->value = 1 + 0.0 * start * action;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = 1;
}
/* The reward is told by the frame. */
static void seen(sight *s, int start, int t, int action)
{
    (void)action;
    s->value = sign_of(start);
    if (t == 0) s->frame[start] = 255;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = sign_of(start);
}
/* The reward comes a step later: half of it counts. */
static void later(sight *s, int start, int t, int action)
{
    (void)start, (void)action;
    s->value = t == 0 ? 0.5 : 1;
    s->frame[t] = 255;
    if (t == 2) s->event = RISE_TERMINATED, s->reward = 1;
}
/* The reward is told by the action. */
static void chosen(sight *s, int start, int t, int action)
{
    (void)start;
    s->value = 1;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = sign_of(action == 1);
}
/* By frame and action together. */
static void matched(sight *s, int start, int t, int action)
{
    s->value = 1;
    if (t == 0) s->frame[7 + start] = 255;
    if (t == 1) s->event = RISE_TERMINATED, s->reward = sign_of(action == start);
}
/* By the action and a frame long gone. */
static void recalled(sight *s, int start, int t, int action)
{
    s->value = pow(0.9, PAUSE - t);
    if (t == 0) s->frame[7 + start] = 255;
    if (t == PAUSE) s->frame[0] = 255; /* the question */
    if (t == PAUSE + 1) s->event = RISE_TERMINATED, s->reward = sign_of(action == start);
}
/* A cue that may be seen in each of three frames, or not; then the question. Starts: 2 cues x 8 patterns. */
static void flickering(sight *s, int start, int t, int action)
{
    int const cue = start & 1, pattern = start >> 1, until = pattern & ((2 << (t < 2 ? t : 2)) - 1);
    if (t < 3 && (pattern >> t & 1) != 0) s->frame[7 + cue] = 255;
    if (t == 3) s->frame[0] = 255;
    s->value = pow(0.9, 3 - t) * (until != 0 ? 1 : t < 3 ? 1 - pow(0.5, 2 - t) : 0);
    if (t == 4) s->event = RISE_TERMINATED, s->reward = sign_of(action == cue);
}
/* A reward of 1 each step for ever, of which five are seen: which frame comes says nothing about the end. */
static void cut(sight *s, int start, int t, int action)
{
    (void)action;
    s->value = 1 / (1 - 0.8);
    s->frame[(start + t) % 2] = 255;
    s->reward = 1;
    if (t == 5) s->event = RISE_TRUNCATED;
}
/* The same until it is over, and each frame says how far it is. */
static void over(sight *s, int start, int t, int action)
{
    (void)start, (void)action;
    s->value = (1 - pow(0.8, 5 - t)) / (1 - 0.8);
    s->frame[t] = 255;
    s->reward = 1;
    if (t == 5) s->event = RISE_TERMINATED;
}
/* Rewards of which every sum is another. */
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
/* One pixel says all. */
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

/* Ways to play it wrongly. */
typedef enum mistake {
    NO_MISTAKE,
    REWARD_LATE,     /* the reward is told with the next frame */
    CUT_IS_OVER,     /* a time limit is told as the end of the game */
    OVER_IS_CUT,     /* and the end as a time limit */
    OTHER_ACTION,    /* the game is played with another action than the agent's */
    FRAME_OF_BEFORE, /* the agent is shown the frame before */
    FORGETS          /* in the middle of an episode, another is said to begin */
} mistake;

static rise_agent *trained(const probe *p, const char *words, mistake m, int steps, unsigned seed)
{
    rise_agent_desc d = described(words);
    risei_random dice = risei_random_stream(seed, 77);
    rise_agent *a;
    sight s, before;
    int start = 0, t = 0, action = 0;
    d.actions = p->actions;
    d.frame_stack = 1;
    d.conv[0].filters = 12, d.conv[1].filters = 8; /* so many that they do not all die */
    if (has(words, "strided")) d.conv[0].stride = 2, d.conv[0].pad = 1;
    /* to every other row and column */
    if (has(words, "blind")) d.conv[0].size = 1, d.conv[0].stride = 2;
    d.features = d.head_units = 24, d.recurrent_units = 16;
    d.embedding_size = 8;
    d.window = has(words, "short") ? 4 : has(words, "two") ? 2 : 8;
    d.n_step = has(words, "one") ? 1 : has(words, "seven") ? 7 : 3;
    d.discount = p->discount;
    d.value_min = -2, d.value_max = 6;
    d.batch = 12;
    d.learning_rate = 0.006;
    d.target_period = 20;
    d.replay_capacity = 1000;
    d.learn_start = 60;
    d.learn_period = 1;
    d.epsilon_start = d.epsilon_end = 0.5;
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
        t = risei_is_last((int)s.event) ? 0 : t + 1;
    }
    return a;
}
/* Plays every start greedily. Returns how far the worst value is off, and the mean score. */
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
            if (risei_is_last((int)s.event)) break;
            q = rise_agent_values(a, 0);
            for (i = 0; i < p->actions; i++) best = (double)q[i] > best ? (double)q[i] : best;
            if (a->desc.value_rescale) best = (double)risei_rescale_inverse((rise_real)best);
            worst = fabs(best - s.value) > worst ? fabs(best - s.value) : worst;
        }
    return worst;
}

typedef enum outcome { SOLVES, CHANCE, MISTAKEN } outcome;

/* n steps of rewards are those of what was done, not of what would be best: where actions matter, values need "one". */
static const struct {
    const char *name, *words;
    mistake m;
    outcome expected;
    int steps;
} rows[] = {
    {"constant", "none", NO_MISTAKE, SOLVES, 350},
    {"constant", "rise", NO_MISTAKE, SOLVES, 350},
    {"constant", "full gru", NO_MISTAKE, SOLVES, 350},
    {"constant", "rise", REWARD_LATE, MISTAKEN, 350},
    {"seen", "none", NO_MISTAKE, SOLVES, 800},
    {"seen", "rise gate", NO_MISTAKE, SOLVES, 800},
    {"seen", "full", NO_MISTAKE, SOLVES, 800},
    {"seen", "none", FRAME_OF_BEFORE, MISTAKEN, 800},
    {"later", "none one", NO_MISTAKE, SOLVES, 550},
    {"later", "rise one sum", NO_MISTAKE, SOLVES, 550},
    {"later", "rise", NO_MISTAKE, SOLVES, 550},
    {"later", "full gru one", NO_MISTAKE, SOLVES, 550},
    {"later", "none one", REWARD_LATE, MISTAKEN, 550},
    {"chosen", "none", NO_MISTAKE, SOLVES, 550},
    {"chosen", "rise gru", NO_MISTAKE, SOLVES, 550},
    {"chosen", "none", OTHER_ACTION, MISTAKEN, 550},
    {"matched", "none", NO_MISTAKE, SOLVES, 800},
    {"matched", "none plain norm", NO_MISTAKE, SOLVES, 800},
    {"matched", "rise", NO_MISTAKE, SOLVES, 800},
    {"matched", "full", NO_MISTAKE, SOLVES, 800},
    {"matched", "none", OTHER_ACTION, MISTAKEN, 800},
    {"matched", "none", FRAME_OF_BEFORE, MISTAKEN, 800},
    {"recalled", "rise one", NO_MISTAKE, SOLVES, 3300},
    {"recalled", "rise one gru feed gate", NO_MISTAKE, SOLVES, 5000},
    {"recalled", "rise one gru sum carry", NO_MISTAKE, SOLVES, 3300},
    {"recalled", "full one", NO_MISTAKE, SOLVES, 3300},
    {"recalled", "full one gru", NO_MISTAKE, SOLVES, 3300},
    {"recalled", "none one", NO_MISTAKE, CHANCE, 1650},
    {"recalled", "rise one short", NO_MISTAKE, CHANCE, 1650},
    {"recalled", "rise one", FORGETS, MISTAKEN, 1650},
    {"flickering", "rise one", NO_MISTAKE, SOLVES, 3300},
    {"flickering", "full one gru", NO_MISTAKE, SOLVES, 3300},
    {"flickering", "none one", NO_MISTAKE, CHANCE, 1650},
    {"cut", "none", NO_MISTAKE, SOLVES, 1350},
    /* longer than the window: what follows must be judged by such windows, too */
    {"cut", "rise two one", NO_MISTAKE, SOLVES, 1350},
    {"cut", "rise gru two", NO_MISTAKE, SOLVES, 1350},
    {"cut", "full two", NO_MISTAKE, SOLVES, 1350},
    {"cut", "none one", NO_MISTAKE, SOLVES, 1350},
    {"cut", "none", CUT_IS_OVER, MISTAKEN, 1350},
    {"over", "none", NO_MISTAKE, SOLVES, 1350},
    {"over", "rise one", NO_MISTAKE, SOLVES, 1350},
    {"over", "full gru", NO_MISTAKE, SOLVES, 1350},
    {"over", "none", OVER_IS_CUT, MISTAKEN, 1350},
    {"summed", "none one", NO_MISTAKE, SOLVES, 1900},
    {"summed", "none", NO_MISTAKE, SOLVES, 1350},
    {"summed", "rise seven", NO_MISTAKE, SOLVES, 1350},
    {"summed", "none seven", REWARD_LATE, MISTAKEN, 1350},
};
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
        good = fabs(score) < 1e-6; /* no answer can depend on the cue, and all cues are asked for */
    else
        good = off >= 2 * p->near;
    check_about("%s, %s, mistake %d, seed %u: off by %.3f, scores %.3f", p->name, words, (int)m,
                seed, off, score);
    CHECK(good);
    if (talkative) printf("%s\n", check_state.about);
    rise_agent_destroy(a);
}

/* The parts of each preset, in nets of a probe's size, and how much longer they need: distributions and values that are drawn
   anew converge more slowly, and where windows overlap only some of the steps are sampled. */
static const struct {
    const char *words;
    int percent;
} presets[] = {{"none plain single uniform", 100},                     /* DQN */
               {"none c51 noisy", 300},                                /* Rainbow */
               {"rise iqn munchausen noisy units spectral", 350},      /* BTR */
               {"full rescale stored shared overlap burn feed", 150}}; /* R2D2 */
/* Every probe that one can solve without memory, and those that take it where there is one. */
static void play_presets(unsigned seed)
{
    char words[160];
    int i, j;
    for (i = 0; i < COUNT(rows); i++) {
        if (rows[i].m != NO_MISTAKE || rows[i].expected != SOLVES) continue;
        /* the first row of each probe */
        if (i > 0 && strcmp(rows[i].name, rows[i - 1].name) == 0) continue;
        for (j = 0; j < COUNT(presets); j++) {
            int const memory = has(rows[i].words, "rise"), one = has(rows[i].words, "one");
            if (memory && has(presets[j].words, "none")) continue;
            snprintf(words, sizeof words, "%s%s", presets[j].words, one ? " one" : "");
            play(probe_named(rows[i].name), words, NO_MISTAKE, SOLVES,
                 rows[i].steps * presets[j].percent / 100, seed);
        }
    }
}

int main(int argc, char **argv)
{
    /* conv nets that see every pixel, one that does not, and that one beside a frozen encoder that does */
    static const char *const eyes[] = {"none",       "none strided", "none deep", "none pool",
                                       "full alone", "none blind",   "rise blind"};
    int const seeds = argc > 1 ? atoi(argv[1]) : 2;
    unsigned seed;
    int i;
    talkative = argc > 1;
    for (seed = 1; seed <= (unsigned)seeds; seed++) {
        for (i = 0; i < COUNT(rows); i++)
            play(probe_named(rows[i].name), rows[i].words, rows[i].m, rows[i].expected,
                 rows[i].steps, seed);
        play_presets(seed);
        for (i = 0; i < COUNT(eyes); i++)
            for (place = 0; place < PIXELS; place++) {
                int const hidden = place % WIDTH % 2 != 0 || place / WIDTH % 2 != 0;
                play(probe_named("pointed"), eyes[i], NO_MISTAKE,
                     i == 5 && hidden ? MISTAKEN : SOLVES, 450, seed);
            }
    }
    return check_done();
}
