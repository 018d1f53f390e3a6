/* Tests what an agent says about its use: each advice when it is due, once, and not otherwise; the
   mean length of episodes; the times of actions and updates. */
#define RISE_THREADS
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
/* What rise.h is told about the number of cores. 0: what the system says. */
static long made_up_cores;
static long told_cores(int name)
{
    return made_up_cores != 0 ? made_up_cores : sysconf(name);
}
#define sysconf(name) told_cores(name)
#endif
#include "toy.h"

/* ---------------------------------------------------------------------------------------------- */
/* The mean length of episodes */

static rise_agent *reloaded(const rise_agent *a, rise_save what)
{
    buffer b = saved(a, what);
    rise_agent *copy = loaded(&b, NULL);
    free(b.data);
    return copy;
}
/* Returns the mean number of steps of the episodes whose last frame the replay buffer holds, found
   by searching the whole buffer. */
static double searched_length(const rise_agent *a)
{
    const risei_history *const h = &a->replay.history;
    double steps = 0, ended = 0;
    int lane;
    for (lane = 0; lane < h->lanes; lane++) {
        int64_t at;
        for (at = risei_history_oldest(h, lane); at < h->written[lane]; at++) {
            ptrdiff_t const slot = risei_history_slot(h, lane, at);
            if (!risei_event_is_last(h->events[slot])) continue;
            steps += h->episode_frame[slot], ended++;
        }
    }
    return ended > 0 ? steps / ended : 0;
}
static void episode_lengths_are_those_of_the_buffer(void)
{
    static const char *const kinds[] = {"memory=none", "memory=rise environments=3",
                                        "memory=full stored environments=2"};
    int k, step;
    for (k = 0; k < COUNT(kinds); k++) {
        world w = world_after(described(kinds[k]), 0);
        rise_metrics m, n;
        rise_agent *copy;
        rise_agent_metrics(w.agent, &m);
        CHECK(m.mean_length == 0);
        for (step = 0; step < 300; step++) { /* the buffer holds 60 frames of a game */
            world_run(&w, 1);
            rise_agent_metrics(w.agent, &m);
            CHECK(m.mean_length == searched_length(w.agent));
            CHECK(m.mean_length >= 0 && m.mean_length < LONGEST);
            CHECK(step < 100 || m.mean_length > 1);
        }
        copy = reloaded(w.agent, RISE_SAVE_ALL);
        rise_agent_metrics(copy, &n);
        CHECK(n.mean_length == m.mean_length);
        rise_agent_destroy(copy);
        copy = reloaded(w.agent, RISE_SAVE_AGENT); /* without the replay buffer */
        rise_agent_metrics(copy, &n);
        CHECK(n.mean_length == 0);
        rise_agent_destroy(copy);
        rise_agent_destroy(w.agent);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* What is wrong with a game */

/* A log_fn: counts the lines that contain a text. */
typedef struct log_count {
    const char *text;
    int lines, all;
} log_count;
static void count_line(void *user, const char *text)
{
    log_count *const c = (log_count *)user;
    c->all++;
    c->lines += strstr(text, c->text) != NULL;
    CHECK(strlen(text) < 199); /* not cut */
}

/* A dull game: which parts of it are constant, and the advice that is expected. */
typedef struct dull_game {
    const char *name, *fields;
    const char *line; /* part of the expected log line; advice 0: no line may contain it */
    unsigned advice;  /* bits that are expected */
    /* reward = 1: the reward is constant. reward = 2: so is it, and every second episode is a step
       shorter. reward = 3 and 4: as 2, but the reward is 0 or negative. frame = 1: the observation
       is constant. frame = 2: only the last number changes. mask = 1: action 2 is never allowed.
       length = 1: each event is RISE_FIRST. */
    int reward, frame, mask;
    int length;              /* frames of an episode */
} dull_game;

/* Plays `steps` steps of a dull game. */
static void play_dull(rise_agent *a, const dull_game *g, int steps)
{
    uint8_t frame[PIXELS] = {0}, allowed[ACTIONS];
    const rise_agent_desc *const d = rise_agent_query(a);
    float numbers[TOY_NUMBERS] = {0.5f};
    int step;
    for (step = 0; step < steps; step++) {
        int const two = step % (2 * g->length - 1), shorter = g->reward >= 2 && two >= g->length;
        int const index = shorter ? two - g->length : (g->reward >= 2 ? two : step) % g->length;
        rise_event const event = index == 0                         ? RISE_FIRST
                                 : index == g->length - 1 - shorter ? RISE_TERMINATED
                                                                    : RISE_MIDDLE;
        float const reward = g->reward == 0   ? (float)(step % 7)
                             : g->reward == 3 ? 0
                             : g->reward == 4 ? -0.5f
                                              : 0.5f;
        int action;
        if (g->frame == 0) frame[step % PIXELS] = (uint8_t)(step % 255);
        if (g->frame == 2) numbers[d->numbers - 1] = (float)(step % 3);
        memset(allowed, 1, sizeof allowed);
        if (g->mask || step % 2) allowed[2] = 0;
        CHECK(rise_agent_step_all(a, d->frame_width > 0 ? frame : NULL,
                                  d->numbers > 0 ? numbers : NULL, &reward, &event,
                                  d->action_masks ? allowed : NULL, &action) == RISE_OK);
    }
}
static void dull_games_are_noticed(void)
{
    static const dull_game games[] = {
        {"nothing", "memory=rise", "every", 0, 0, 0, 0, 5},
        {"the reward", "memory=none", "every reward was 0.5", RISE_ADVICE_SAME_REWARD, 1, 0, 0, 5},
        {"the reward, but the length", "memory=none", "every reward", 0, 2, 0, 0, 5},
        {"a reward of 0, but the length", "memory=none", "every reward was 0 in",
         RISE_ADVICE_SAME_REWARD, 3, 0, 0, 5},
        {"a cost of each step, but the length", "memory=none", "every reward", 0, 4, 0, 0, 5},
        {"the event", "memory=none", "5000 frames came with RISE_FIRST", RISE_ADVICE_SAME_REWARD, 0,
         1, 0, 1},
        {"the frame", "memory=rise", "no observation differed", RISE_ADVICE_SAME_FRAME, 0, 1, 0, 5},
        {"frame and numbers", "memory=rise numbers=3", "no observation differed",
         RISE_ADVICE_SAME_FRAME, 0, 1, 0, 5},
        {"the frame, but a number", "memory=rise numbers=3", "no observation", 0, 0, 2, 0, 5},
        {"the numbers, but the frame", "memory=rise numbers=3", "no observation", 0, 0, 0, 0, 5},
        {"numbers alone", "memory=none blind", "no observation differed", RISE_ADVICE_SAME_FRAME,
         0, 1, 0, 5},
        {"all numbers but one", "memory=none blind", "no observation", 0, 0, 2, 0, 5},
        {"reward and frame", "memory=rise", "every reward",
         RISE_ADVICE_SAME_REWARD | RISE_ADVICE_SAME_FRAME, 1, 1, 0, 5},
        {"a mask", "memory=rise action_masks=1", "never allowed action 2",
         RISE_ADVICE_UNUSED_ACTION, 0, 0, 1, 5},
        {"no mask", "memory=rise action_masks=1", "never", 0, 0, 0, 0, 5},
        {"long episodes", "memory=rise", "episodes have 8 steps", RISE_ADVICE_LONG_EPISODES, 0, 0,
         0, 9},
        {"as long as the window", "memory=full", "episodes", 0, 0, 0, 0, 6},
        {"long, and nothing is remembered", "memory=none", "episodes", 0, 0, 0, 0, 9},
        {"long, and the state is carried", "memory=rise carry_state=1", "episodes", 0, 0, 0, 0, 9},
    };
    int i, twice;
    for (i = 0; i < COUNT(games); i++) {
        rise_agent_desc d = described(games[i].fields);
        log_count c = {NULL, 0, 0};
        unsigned const usual = RISE_ADVICE_NOT_OPTIMIZED;
        rise_metrics m;
        rise_agent *a;
        int before;
        check_about("what does not change: %s", games[i].name);
        describe(&d, "random learn_period=100000");
        c.text = games[i].line;
        d.log_fn = count_line, d.log_user = &c;
        a = created(&d);
        before = c.all;
        play_dull(a, &games[i], 20 * (RISEI_ADVICE_STEPS / 20 - 1));
        rise_agent_metrics(a, &m);
        CHECK((m.advice & ~usual) == 0); /* too early to say */
        for (twice = 0; twice < 2; twice++) {
            play_dull(a, &games[i], RISEI_ADVICE_STEPS);
            rise_agent_metrics(a, &m);
            CHECK((m.advice & ~usual) == games[i].advice);
            CHECK(c.lines == (games[i].advice != 0));
        }
        CHECK(c.all - before == ((games[i].advice & RISE_ADVICE_SAME_REWARD) != 0) +
                                    ((games[i].advice & RISE_ADVICE_SAME_FRAME) != 0) +
                                    ((games[i].advice & RISE_ADVICE_UNUSED_ACTION) != 0) +
                                    ((games[i].advice & RISE_ADVICE_LONG_EPISODES) != 0));
        rise_agent_destroy(a);
    }
}

/* With many environments, each has had 500 steps on average before the first examination. The
   sentence says how many steps there were. */
static void many_environments_are_given_time(void)
{
    enum { LANES = 64 };
    static const int lanes[] = {7, LANES}, calls[] = {715, 500};
    static const char *const texts[] = {"5005 frames came with RISE_FIRST",
                                        "32000 frames came with RISE_FIRST"};
    static uint8_t frames[LANES * PIXELS];
    static const float rewards[LANES];
    rise_event events[LANES];
    int actions[LANES], i, k;
    for (i = 0; i < LANES; i++) events[i] = RISE_FIRST;
    for (k = 0; k < COUNT(lanes); k++) {
        rise_agent_desc d = described("memory=none random learn_period=1000000");
        log_count c = {NULL, 0, 0};
        rise_agent *a;
        c.text = texts[k];
        d.environments = lanes[k], d.replay_capacity = lanes[k] * 100;
        d.log_fn = count_line, d.log_user = &c;
        a = created(&d);
        for (i = 0; i < calls[k]; i++) {
            CHECK(c.lines == 0);
            CHECK(rise_agent_step_all(a, frames, NULL, rewards, events, NULL, actions) == RISE_OK);
        }
        CHECK(c.lines == 1);
        rise_agent_destroy(a);
    }
}

/* A loaded agent is examined after as many steps as a new one: what happened before it was saved
   does not count. */
static void loaded_agents_are_given_time(void)
{
    static const dull_game dull = {"", "", "", 0, 1, 1, 1, 5};
    static const dull_game lively = {"", "", "", 0, 0, 0, 0, 5};
    rise_agent_desc d = described("memory=none action_masks=1 random learn_period=100000");
    rise_agent *a = created(&d), *copy;
    rise_metrics m;
    play_dull(a, &lively, 2 * RISEI_ADVICE_STEPS);
    copy = reloaded(a, RISE_SAVE_ALL);
    play_dull(copy, &dull, RISEI_ADVICE_STEPS - 5);
    rise_agent_metrics(copy, &m);
    CHECK((m.advice & ~(unsigned)RISE_ADVICE_NOT_OPTIMIZED) == 0);
    play_dull(copy, &dull, RISEI_ADVICE_STEPS);
    rise_agent_metrics(copy, &m);
    CHECK((m.advice & RISE_ADVICE_SAME_REWARD) != 0);
    rise_agent_destroy(a), rise_agent_destroy(copy);
}

/* ---------------------------------------------------------------------------------------------- */
/* Times */

static void times_are_measured(void)
{
    static const char *const kinds[] = {"memory=none", "memory=rise", "memory=rise learn_outside=1",
                                        "memory=rise background=1"};
    int k;
    for (k = 0; k < COUNT(kinds); k++) {
        rise_agent_desc d = described(kinds[k]);
        double now = 100;
        rise_metrics m;
        world w;
        check_about("%s", kinds[k]);
        if (!d.background) d.clock_fn = toy_clock, d.clock_user = &now;
        w = world_of(created(&d));
        rise_agent_metrics(w.agent, &m);
        CHECK(m.action_time == 0 && m.update_time == 0);
        world_run(&w, 200);
        if (d.learn_outside) CHECK(rise_agent_learn_for(w.agent, 30000) > 0);
        rise_agent_metrics(w.agent, &m);
        CHECK(m.action_time > 0 && m.update_time > 0);
        CHECK(d.background || fabs(m.action_time - 3000) < 1e-3);
        CHECK(d.background || fabs(m.update_time - 3000) < 1e-3);
        rise_agent_destroy(w.agent);
    }
}
/* A clock that reads 1 ms more at each 7th call, and infinity once if `fails` is 1. The number is
   prime, so that the first call and the last call of a measurement read it equally often. */
typedef struct coarse_clock {
    double now;
    int calls, fails;
} coarse_clock;
static double coarse_clock_read(void *user)
{
    coarse_clock *const c = (coarse_clock *)user;
    if (++c->calls % 7 == 0) c->now += 0.001;
    return c->fails && c->calls == 500 ? HUGE_VAL : c->now;
}
/* Times have the right mean with a coarse clock, also below 0, and survive a reading of infinity.
   By this clock, two readings are 143 microseconds apart on average. */
static void times_survive_a_clock(void)
{
    int fails;
    for (fails = 0; fails < 2; fails++) {
        rise_agent_desc d = described("memory=none");
        coarse_clock c = {-1e6, 0, 0};
        double action = 0, update = 0;
        rise_metrics m;
        world w;
        int i;
        check_about("fails %d", fails);
        c.fails = fails;
        d.clock_fn = coarse_clock_read, d.clock_user = &c;
        w = world_of(created(&d));
        for (i = 0; i < 2000; i++) {
            world_run(&w, 10);
            rise_agent_metrics(w.agent, &m);
            if (i < 500) continue; /* the first time above 0 has a large weight */
            action += m.action_time / 1500, update += m.update_time / 1500;
        }
        check_note("action %g, update %g", action, update);
        CHECK(action > 100 && action < 250 && update > 100 && update < 250);
        rise_agent_destroy(w.agent);
    }
    check_about("%s", "");
}
/* A play_only agent has the time of its players. */
static void players_are_measured(void)
{
    rise_agent_desc d = described("memory=rise play_only=1");
    uint8_t const frame[PIXELS] = {1, 2, 3};
    double now = 100;
    rise_metrics m;
    rise_agent *a;
    d.clock_fn = toy_clock, d.clock_user = &now;
    a = created(&d);
    CHECK(rise_agent_play(a, 0, frame, 0, RISE_FIRST, NULL) >= 0);
    rise_agent_metrics(a, &m);
    CHECK(fabs(m.action_time - 3000) < 1e-3 && m.update_time == 0);
    rise_agent_destroy(a);
}

/* ---------------------------------------------------------------------------------------------- */
/* Updates that do not keep up, threads, optimization */

/* Returns the advice after `steps` steps, in which each step gives `budget` microseconds or, if
   `budget` is negative, calls rise_agent_learn. An update takes 3 ms by the clock. */
static unsigned advice_for(const char *words, double budget, int steps, int *lines)
{
    rise_agent_desc d = described(words);
    log_count c = {"update", 0, 0};
    double now = 100;
    rise_metrics m;
    world w;
    d.clock_fn = toy_clock, d.clock_user = &now;
    d.log_fn = count_line, d.log_user = &c;
    w = world_of(created(&d));
    while (steps-- > 0) {
        world_run(&w, 1);
        if (budget > 0) CHECK(rise_agent_learn_for(w.agent, budget) >= 0);
        rise_agent_metrics(w.agent, &m);
        if (budget < 0 && m.replay_ready > 0) CHECK(rise_agent_learn(w.agent) == RISE_OK);
    }
    rise_agent_metrics(w.agent, &m);
    CHECK(budget >= 0 || m.updates_owed == 0);
    rise_agent_destroy(w.agent);
    *lines = c.lines;
    return m.advice & RISE_ADVICE_SLOW_UPDATES;
}
static void slow_updates_are_noticed(void)
{
    static const char usual[] = "memory=none learn_outside=1 random";
    static const char rare[] = "memory=none learn_outside=1 random learn_period=4000";
    int lines;
    check_about("enough time");
    CHECK(advice_for(usual, 6000, RISEI_ADVICE_STEPS * 5 / 4, &lines) == 0 && lines == 0);
    check_about("updates at other times than those of rise_agent_learn_for");
    CHECK(advice_for(usual, -1, 3 * RISEI_ADVICE_STEPS, &lines) == 0 && lines == 0);
    check_about("less time than an update takes");
    CHECK(advice_for(usual, 1000, 100, &lines) == RISE_ADVICE_SLOW_UPDATES && lines == 1);
    check_about("no time, so updates pile up");
    CHECK(advice_for(usual, 0, 3000, &lines) == 0 && lines == 0);
    CHECK(advice_for(usual, 0, 3 * RISEI_ADVICE_STEPS, &lines) == RISE_ADVICE_SLOW_UPDATES &&
          lines == 1);
    check_about("an update that has just become due");
    CHECK(advice_for(rare, 0, 2 * RISEI_ADVICE_STEPS, &lines) == 0 && lines == 0);
    CHECK(advice_for(rare, 0, 4 * RISEI_ADVICE_STEPS, &lines) == RISE_ADVICE_SLOW_UPDATES);
}
/* Learning never starts here. The test adds to the time that calls have waited. 2 percent of the
   time that passed cause no advice, and 1000 times that time causes it. */
static void waiting_is_noticed(void)
{
    rise_agent_desc d = described("memory=none background=1 random learn_period=100000");
    log_count c = {"% of the time", 0, 0};
    double now = 100;
    rise_metrics m;
    world w;
    int i;
    d.clock_fn = toy_clock, d.clock_user = &now;
    d.log_fn = count_line, d.log_user = &c;
    w = world_of(created(&d));
    for (i = 0; i < 2; i++) {
        double const from = now;
        world_run(&w, RISEI_ADVICE_STEPS * 3 / 2);
        rise_agent_metrics(w.agent, &m);
        CHECK((m.advice & RISE_ADVICE_SLOW_UPDATES) == 0);
        w.agent->background.waited += (now - from) * 0.02;
    }
    w.agent->background.waited += 1000 * (now - 100);
    world_run(&w, RISEI_ADVICE_STEPS * 3 / 2);
    rise_agent_metrics(w.agent, &m);
    CHECK((m.advice & RISE_ADVICE_SLOW_UPDATES) != 0 && c.lines == 1);
    rise_agent_destroy(w.agent);
}
static int failing_reduce(void *user, rise_real *numbers, size_t count)
{
    (void)user, (void)numbers, (void)count;
    return 1;
}
/* Each agent logs once that learning starts: with and without a warm-up, and also if reduce_fn
   fails at the end of the warm-up. An agent from the file of one that has learned does not log it.
   */
static void start_of_learning_is_logged_once(void)
{
    static const char *const words[] = {"memory=rise",
                                        "memory=none raw_frames=1",
                                        "memory=full raw_frames=1 learn_outside=1",
                                        "memory=rise background=1",
                                        "memory=none raw_frames=1 background=1",
                                        "memory=rise", /* these two of two processes */
                                        "memory=rise background=1"};
    int i, t;
    for (i = 0; i < COUNT(words); i++) {
        rise_agent_desc d = described(words[i]);
        log_count c = {"learning starts after ", 0, 0};
        world w;
        buffer b;
        check_about("%s", words[i]);
        d.log_fn = count_line, d.log_user = &c;
        d.processes = i < COUNT(words) - 2 ? 1 : 2;
        if (d.processes == 2) d.reduce_fn = failing_reduce;
        w = world_of(created(&d));
        world_run(&w, d.learn_start);
        CHECK(c.lines == 0);
        for (t = 0; t < 30; t++) {
            world_move(&w);
            CHECK(world_act(&w) == RISE_OK || d.processes == 2);
        }
        if (d.learn_outside) CHECK(rise_agent_learn(w.agent) == RISE_OK);
        CHECK(c.lines == 1);
        if (d.processes == 1) {
            b = saved(w.agent, RISE_SAVE_ALL);
            rise_agent_destroy(w.agent);
            w.agent = loaded(&b, &d);
            CHECK(w.agent->model.updates > 0 && rise_agent_learn(w.agent) == RISE_OK);
            CHECK(c.lines == 1);
            free(b.data);
        }
        rise_agent_destroy(w.agent);
    }
}
/* Returns the bits of an agent's advice about threads and the compiler. Checks that it logs a line
   about cores if it has advice about threads, else none. */
static unsigned advice_at_start(int threads, const char *words)
{
    log_count c = {"cores", 0, 0};
    rise_agent_desc d = described(words);
    rise_metrics m;
    rise_agent *a;
    d.threads = threads, d.log_fn = count_line, d.log_user = &c;
    a = created(&d);
    rise_agent_metrics(a, &m);
    CHECK(c.lines == ((m.advice & RISE_ADVICE_THREADS) != 0));
    rise_agent_destroy(a);
    return m.advice;
}
/* More threads than cores cause advice. The background thread counts, if there is one. */
static void threads_are_noticed(void)
{
#ifdef sysconf
    static const struct {
        int threads;
        const char *words;
        long cores; /* -1: unknown */
        int advised;
    } cases[] = {
        {1, "", 1, 0},
        {2, "", 2, 0},
        {3, "", 2, 1},
        {3, "", -1, 0},
        {1, "background=1", 1, 1},
        {1, "background=1", 2, 0},
        {2, "background=1", 2, 1},
        {2, "background=1", 3, 0},
        {2, "background=1", -1, 0},
        {2, "background=1 play_only=1", 2, 0},
    };
    int i;
    for (i = 0; i < COUNT(cases); i++) {
        unsigned advice;
        check_about("%d threads, %s, %ld cores", cases[i].threads, cases[i].words, cases[i].cores);
        made_up_cores = cases[i].cores;
        advice = advice_at_start(cases[i].threads, cases[i].words);
        CHECK(((advice & RISE_ADVICE_THREADS) != 0) == cases[i].advised);
    }
    made_up_cores = 0;
#else
    long const cores = risei_thread_cores();
    CHECK((advice_at_start(1, "") & RISE_ADVICE_THREADS) == 0);
    if (cores < 1 || cores > 15)
        check_note("more threads than cores: skipped, because there are %ld cores", cores);
    else
        CHECK((advice_at_start((int)cores + 1, "") & RISE_ADVICE_THREADS) != 0);
#endif
}
static void optimization_is_noticed(void)
{
#if defined(__GNUC__) && !defined(__OPTIMIZE__)
    unsigned const expected = RISE_ADVICE_NOT_OPTIMIZED;
#else
    unsigned const expected = 0;
#endif
    CHECK((advice_at_start(1, "memory=none") & RISE_ADVICE_NOT_OPTIMIZED) == expected);
}

static const check_test tests[] = {
    TEST(episode_lengths_are_those_of_the_buffer),
    TEST(dull_games_are_noticed),
    TEST(many_environments_are_given_time),
    TEST(loaded_agents_are_given_time),
    TEST(times_are_measured),
    TEST(times_survive_a_clock),
    TEST(players_are_measured),
    TEST(slow_updates_are_noticed),
    TEST(waiting_is_noticed),
    TEST(start_of_learning_is_logged_once),
    TEST(threads_are_noticed),
    TEST(optimization_is_noticed),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
