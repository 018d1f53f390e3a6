/* Measures how long a game at 60 Hz waits for the library, with several ways to learn.

       make bench-game [BENCH="--seconds 300 --report build/game.md"]
       --seconds S       seconds of each way [20]
       --frame 16|84     only frames of 16 x 12, or only frames of 84 x 84
       --games 1|8       only 1 environment, or only 8
       --ways all|condition   all ways to learn [all], or those that the condition is about
       --set FIELD=VALUE sets a field of every agent, as rise_agent_set does
       --report FILE     writes the report to this file, too
       --notes TEXT      a sentence for the report, about the state of the machine

   The loop sleeps until the next tick by clock_nanosleep, draws the frames, and then calls the
   library. One agent for each way learns the same game, and the agents take turns: each plays for
   SLICE seconds. So a disturbance by other programs usually reaches all of them.

   In each tick, an empty call is measured, too. An empty call only reads the clock, until as much
   time has passed as an acting call takes (median), but from EMPTY_LEAST to EMPTY_MOST. The longest
   empty call shows how long other programs and the library's own worker kept the processor.

   A call's own time is the processor time of the game's thread, plus the time in which the call
   waited for the worker. The time in which the system gave the processor to others is left out. So
   the own time means something on a busy machine, too. */
#define _POSIX_C_SOURCE 200809L
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <errno.h>
#include <unistd.h>

enum {
    HERTZ = 60,
    SLICE = 5,           /* seconds that an agent plays before the next one */
    EPISODE = 150,       /* frames */
    ACTIONS = 4,
    GAMES_MAX = 8,
    PIXELS_MAX = 84 * 84,
    PATTERN = 4096,      /* a frame begins at one of so many bytes of the noise */
    CALIBRATION = 60,    /* acting calls whose median is the duration of an empty call */
    EMPTY_LEAST = 20000, /* nanoseconds that an empty call lasts at least */
    EMPTY_MOST = 1000000,
    BUDGET = 4000,       /* microseconds for rise_agent_learn_for */
    LARGE_PERIOD = 16,   /* learn_period of 1 environment of 84 x 84: see player_make */
    BINS = 9,
    FIELDS_MAX = 20
};

/* Ends of the histogram's bins in milliseconds. The last bin has no end. */
static const double bin_ends[BINS - 1] = {0.25, 0.5, 1, 2, 4, 8, 16, 32};

/* The ways to learn. `name` and `text` go to the report. */
enum { ACT, BACKGROUND, POLLED, BUDGETED, IN_PARTS, INSIDE, WAYS };
typedef struct way {
    const char *name, *text;
    int background, learn_outside;
    double budget; /* microseconds for rise_agent_learn_for; negative: it is not called */
    int parts;     /* batch_parts; 0: not set */
    int condition; /* 1: the condition is about this way */
} way;
static const way ways[WAYS] = {
    {"acting", "no learning: `learn_outside = 1`, and rise_agent_learn_for is not called", 0, 1,
     -1, 0, 1},
    {"background", "`background = 1`; rise_agent_step_all starts the updates that are due", 1, 0,
     -1, 0, 1},
    {"background, polled",
     "`background = 1` and `learn_outside = 1`; each tick calls rise_agent_learn_for, which starts "
     "at most one update and never waits for one",
     1, 1, 0, 0, 1},
    {"budget of 4 ms, 1 part",
     "`learn_outside = 1`, `batch_parts = 1`; each tick calls rise_agent_learn_for with 4 ms", 0, 1,
     BUDGET, 1, 0},
    {"budget of 4 ms, 4 parts", "the same with `batch_parts = 4`, the default", 0, 1, BUDGET, 4, 0},
    {"inside the step", "rise_agent_step_all computes the updates that are due", 0, 0, -1, 0, 1}};

/* Milliseconds, one for each tick. */
typedef struct samples {
    float *ms;
    int count, most;
} samples;

/* One agent, its games, and what was measured. */
typedef struct player {
    const way *how;
    void *block; /* the agent's memory */
    rise_agent *agent;
    int64_t tick; /* of its games, missed ones not counted */
    int actions[GAMES_MAX];
    samples calls; /* all calls of a tick, together */
    samples empty; /* the empty call of a tick */
    double longest_call, longest_own; /* ms; of all calls: the longest, and the longest own time */
    double longest_delay;             /* ms; of waking up */
    long missed;                        /* ticks that began too late to be played */
    rise_metrics metrics;               /* at the end */
} player;

/* What was measured with one size of frame and one number of environments. */
typedef struct result {
    int width, height, games;
    double call[WAYS], own[WAYS], empty[WAYS]; /* ms; the longest calls, own times, empty calls */
    int64_t updates[WAYS], ticks[WAYS];
} result;

static struct {
    double seconds;
    int frame, games; /* 0: all */
    int condition;    /* 1: only the ways that the condition is about */
    const char *fields[FIELDS_MAX], *notes;
    int field_count;
    FILE *report; /* or NULL */
} option = {20, 0, 0, 0, {NULL}, NULL, 0, NULL};

static uint8_t noise[PIXELS_MAX + PATTERN];

static void failed(const char *text)
{
    fprintf(stderr, "game: %s\n", text);
    exit(1);
}

/* Prints to the standard output and to the report. */
static void say(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    fflush(stdout);
    if (option.report == NULL) return;
    va_start(arguments, format);
    vfprintf(option.report, format, arguments);
    va_end(arguments);
    fflush(option.report);
}

static int plays(int i) { return !option.condition || ways[i].condition; }

/* ---------------------------------------------------------------------------------------------- */
/* Time, in nanoseconds */

static int64_t nanoseconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}
static int64_t now(void) { return nanoseconds(CLOCK_MONOTONIC); }

static void sleep_until(int64_t when)
{
    struct timespec t;
    int error;
    t.tv_sec = (time_t)(when / 1000000000), t.tv_nsec = (long)(when % 1000000000);
    do error = clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
    while (error == EINTR);
    if (error != 0) failed("clock_nanosleep failed");
}

static double milliseconds(int64_t from, int64_t to) { return (double)(to - from) * 1e-6; }

/* ---------------------------------------------------------------------------------------------- */
/* Samples */

static samples samples_make(int most)
{
    samples s = {NULL, 0, 0};
    s.ms = (float *)malloc((size_t)most * sizeof *s.ms);
    if (s.ms == NULL) failed("no memory");
    memset(s.ms, 0, (size_t)most * sizeof *s.ms); /* no page fault later */
    s.most = most;
    return s;
}
static void samples_add(samples *s, double ms)
{
    if (s->count < s->most) s->ms[s->count++] = (float)ms;
}
static int ascending(const void *a, const void *b)
{
    float const x = *(const float *)a, y = *(const float *)b;
    return (x > y) - (x < y);
}
static void samples_sort(samples *s) { qsort(s->ms, (size_t)s->count, sizeof *s->ms, ascending); }
/* Returns the smallest sample that is not below `share` of all samples, which are sorted. */
static double samples_quantile(const samples *s, double share)
{
    int const at = (int)ceil(share * s->count) - 1;
    return s->count == 0 ? 0 : (double)s->ms[at < 0 ? 0 : at];
}

/* ---------------------------------------------------------------------------------------------- */
/* The game: a white square on moving noise. The action is right if it names the square's column. */

static int square_column(int64_t tick, int game) { return (int)((tick / 20 + game) % ACTIONS); }

static void draw(uint8_t *frame, int width, int height, int64_t tick, int game)
{
    int const left = square_column(tick, game) * width / ACTIONS, side = width / ACTIONS;
    int const top = (int)((tick + game) % (height - side));
    int y;
    memcpy(frame, noise + (tick * 37 + game * 101) % PATTERN, (size_t)(width * height));
    for (y = top; y < top + side; y++) memset(frame + y * width + left, 255, (size_t)side);
}
/* The games' episodes end at different ticks. */
static rise_event event_of(int64_t tick, int game)
{
    int64_t const frame = (tick + game * 17) % EPISODE;
    if (tick == 0 || frame == 0) return RISE_FIRST;
    return frame == EPISODE - 1 ? RISE_TRUNCATED : RISE_MIDDLE;
}

/* ---------------------------------------------------------------------------------------------- */
/* Agents */

/* The agent gets a block of memory, to which rise_agent_create writes. Without a block, the system
   supplies each page of memory when the agent first writes to the page. That took up to 57 ms of a
   call.

   At 84 x 84, an update takes about a tenth of a second. Updates are due so often that they take
   about half of the time of a core, whatever the number of environments. */
static void player_make(player *p, const way *how, const result *size)
{
    rise_agent_desc d;
    rise_error error;
    int const ticks = (int)(option.seconds + 2 * SLICE) * HERTZ;
    int i;
    memset(p, 0, sizeof *p);
    memset(&d, 0, sizeof d);
    d.frame_width = size->width, d.frame_height = size->height;
    d.actions = ACTIONS, d.environments = size->games;
    d.replay_capacity = 20000;
    d.learn_start = 200;
    d.carry_state = 1; /* as a game does: without it, 8 actions at 84 x 84 take more than a tick */
    d.epsilon_start = d.epsilon_end = -1; /* each step runs the network */
    if (size->width > 16) d.learn_period = LARGE_PERIOD * size->games;
    for (i = 0; i < option.field_count; i++)
        if (rise_agent_set(&d, option.fields[i], &error) != RISE_OK) failed(error.text);
    /* the sizes of this program's arrays, and what the ways of learning set */
    if (d.frame_width != size->width || d.frame_height != size->height || d.frame_channels != 0 ||
        d.numbers != 0 || d.actions != ACTIONS || d.environments != size->games ||
        d.action_masks != 0 || d.demonstrators != 0 || d.background != 0 || d.learn_outside != 0)
        failed("--set: the program sets frames, numbers, actions, masks, environments, "
               "demonstrators, background and learn_outside itself; see --frame and --games");
    d.background = how->background, d.learn_outside = how->learn_outside;
    if (how->parts > 0) d.batch_parts = how->parts;
    d.memory_bytes = rise_agent_bytes(&d, &error);
    if (d.memory_bytes == 0) failed(error.text);
    p->block = d.memory_block = malloc(d.memory_bytes);
    if (d.memory_block == NULL) failed("no memory");
    if (rise_agent_create(&p->agent, &d, &error) != RISE_OK) failed(error.text);
    p->how = how;
    p->calls = samples_make(ticks), p->empty = samples_make(ticks);
}
static void player_free(player *p)
{
    rise_agent_destroy(p->agent);
    free(p->calls.ms), free(p->empty.ms);
    free(p->block);
}
/* A moment: times of the clock, and of the game's thread together with its waiting. */
typedef struct moment {
    int64_t clock;
    double own; /* ms */
} moment;
static moment player_moment(const player *p)
{
    moment m;
    m.own = (double)nanoseconds(CLOCK_THREAD_CPUTIME_ID) * 1e-6;
    m.own += p->agent->background.waited * 1e3;
    m.clock = now();
    return m;
}
static void player_call(player *p, moment from, moment to)
{
    double const ms = milliseconds(from.clock, to.clock), own = to.own - from.own;
    if (ms > p->longest_call) p->longest_call = ms;
    if (own > p->longest_own) p->longest_own = own;
}
/* Plays one tick. Returns the milliseconds that the calls of the library took. */
static double player_tick(player *p, const result *size)
{
    static uint8_t frames[GAMES_MAX * PIXELS_MAX];
    float rewards[GAMES_MAX];
    rise_event events[GAMES_MAX];
    moment begin, between, end;
    int game;
    for (game = 0; game < size->games; game++) {
        draw(frames + game * size->width * size->height, size->width, size->height, p->tick, game);
        events[game] = event_of(p->tick, game);
        rewards[game] = (float)(p->actions[game] == square_column(p->tick - 1, game));
    }
    begin = player_moment(p);
    if (rise_agent_step_all(p->agent, frames, NULL, rewards, events, NULL, p->actions) != RISE_OK)
        failed(rise_agent_error(p->agent)->text);
    between = end = player_moment(p);
    player_call(p, begin, between);
    if (p->how->budget >= 0) {
        if (rise_agent_learn_for(p->agent, p->how->budget) < 0)
            failed(rise_agent_error(p->agent)->text);
        end = player_moment(p);
        player_call(p, between, end);
    }
    p->tick++;
    return milliseconds(begin.clock, end.clock);
}
/* Reads the clock until `duration` nanoseconds have passed. Returns the milliseconds it took. */
static double empty_call(int64_t duration)
{
    int64_t const begin = now();
    int64_t end;
    do end = now();
    while (end - begin < duration);
    return milliseconds(begin, end);
}
/* Plays for `seconds`. A tick that is over before it can begin is missed. */
static void player_play(player *p, const result *size, double seconds, int64_t empty_duration)
{
    int64_t const begin = now(), period = 1000000000 / HERTZ;
    int64_t const end = begin + (int64_t)(seconds * 1e9);
    int64_t next = begin + period;
    while (next < end) {
        double delay;
        int64_t late;
        sleep_until(next);
        delay = milliseconds(next, now());
        if (delay > p->longest_delay) p->longest_delay = delay;
        samples_add(&p->calls, player_tick(p, size));
        samples_add(&p->empty, empty_call(empty_duration));
        next += period;
        late = now() - next;
        if (late > 0) p->missed += (long)((late + period - 1) / period);
        if (late > 0) next += (late + period - 1) / period * period;
    }
}
/* Waits until the agent's worker is idle, so that it does not disturb the next agent. */
static void player_rest(const player *p)
{
    while (!risei_background_is_idle(&p->agent->background)) sleep_until(now() + 1000000);
}
/* Returns the duration of an empty call in nanoseconds: the median of acting calls, between
   EMPTY_LEAST and EMPTY_MOST. Forgets the longest call and the longest own time. */
static int64_t calibrate(player *p, const result *size)
{
    samples s = samples_make(CALIBRATION);
    double duration;
    int i;
    for (i = 0; i < CALIBRATION; i++) samples_add(&s, player_tick(p, size));
    samples_sort(&s);
    duration = samples_quantile(&s, 0.5) * 1e6;
    free(s.ms);
    p->longest_call = p->longest_own = 0;
    if (duration < EMPTY_LEAST) return EMPTY_LEAST;
    return duration > EMPTY_MOST ? EMPTY_MOST : (int64_t)duration;
}

/* ---------------------------------------------------------------------------------------------- */
/* Tables */

static void say_times(const samples *s)
{
    say(" %.3f | %.3f | %.3f | %.3f |", samples_quantile(s, 1), samples_quantile(s, 0.999),
        samples_quantile(s, 0.99), samples_quantile(s, 0.5));
}
static void say_histogram(const char *name, const samples *s)
{
    int counts[BINS] = {0}, i, bin;
    for (i = 0; i < s->count; i++) {
        for (bin = 0; bin < BINS - 1 && (double)s->ms[i] > bin_ends[bin]; bin++) continue;
        counts[bin]++;
    }
    say("| %s |", name);
    for (bin = 0; bin < BINS; bin++) say(" %d |", counts[bin]);
    say("\n");
}
static void say_row(const player *p)
{
    const rise_metrics *m = &p->metrics;
    say("| %s | %.3f | %.3f |", p->how->name, p->longest_call, p->longest_own);
    say_times(&p->calls);
    say(" %.0f | %.0f | %.0f | %.3f | %d | %ld | %.3f | %.3f |\n", (double)m->updates,
        (double)m->updates_owed, (double)m->refreshing, m->waited, p->calls.count, p->missed,
        samples_quantile(&p->empty, 1), p->longest_delay);
}
static void say_tables(player *players, const result *size, int64_t empty_duration)
{
    samples empty = {NULL, 0, 0};
    int i, k, all = 0;
    for (i = 0; i < WAYS; i++) all += players[i].empty.count; /* 0 if the way is left out */
    empty = samples_make(all);
    for (i = 0; i < WAYS; i++)
        for (k = 0; k < players[i].empty.count; k++)
            samples_add(&empty, (double)players[i].empty.ms[k]);
    samples_sort(&empty);
    say("\n## Frames of %d x %d, %d environment%s\n\n", size->width, size->height, size->games,
        size->games > 1 ? "s" : "");
    say("An empty call lasts %.3f ms or longer. Times are in milliseconds.\n\n",
        (double)empty_duration * 1e-6);
    say("| learning | longest call | longest own time | longest tick | 99.9%% | 99%% | median | "
        "updates | owed | to embed | waited, s | ticks | missed | longest empty call | "
        "longest delay of waking up |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (i = 0; i < WAYS; i++)
        if (plays(i)) say_row(&players[i]);
    say("| empty call, all ways | %.3f | |", samples_quantile(&empty, 1));
    say_times(&empty);
    say(" | | | | %d | | | |\n\n", empty.count);
    say("Ticks by the milliseconds that the library's calls took:\n\n");
    say("| learning |");
    for (i = 0; i < BINS - 1; i++) say(" to %g |", bin_ends[i]);
    say(" more |\n|---|");
    for (i = 0; i < BINS; i++) say("---|");
    say("\n");
    for (i = 0; i < WAYS; i++)
        if (plays(i)) say_histogram(ways[i].name, &players[i].calls);
    say_histogram("empty call, all ways", &empty);
    free(empty.ms);
}
/* `updates`: done by the agent that learned. Without one, its calls show nothing. */
static const char *verdict(double acting, double longest, int64_t updates)
{
    if (updates == 0) return "no update was done";
    return longest <= acting + 1 ? "yes" : "no";
}
static void say_condition(const result *r)
{
    int i;
    for (i = BACKGROUND; i <= POLLED; i++)
        say("| %d x %d | %d | %s | %.3f | %.3f | **%s** | %.3f | %.3f | %s | %.3f | %.3f | "
            "%.0f in %.0f | %.0f in %.0f |\n",
            r->width, r->height, r->games, ways[i].name, r->own[i], r->own[ACT],
            verdict(r->own[ACT], r->own[i], r->updates[i]), r->call[i], r->call[ACT],
            verdict(r->call[ACT], r->call[i], r->updates[i]), r->empty[i], r->empty[ACT],
            (double)r->updates[i], (double)r->ticks[i], (double)r->updates[INSIDE],
            (double)r->ticks[INSIDE]);
}

/* ---------------------------------------------------------------------------------------------- */
/* The run */

static void measure(result *size)
{
    player players[WAYS];
    double left;
    int64_t duration;
    int i;
    memset(players, 0, sizeof players);
    for (i = 0; i < WAYS; i++)
        if (plays(i)) player_make(&players[i], &ways[i], size);
    duration = calibrate(&players[ACT], size);
    for (left = option.seconds; left > 0; left -= SLICE)
        for (i = 0; i < WAYS; i++) {
            if (!plays(i)) continue;
            player_play(&players[i], size, left < SLICE ? left : SLICE, duration);
            player_rest(&players[i]);
        }
    for (i = 0; i < WAYS; i++) {
        player *const p = &players[i];
        if (!plays(i)) continue;
        rise_agent_metrics(p->agent, &p->metrics);
        samples_sort(&p->calls), samples_sort(&p->empty);
        size->call[i] = p->longest_call, size->own[i] = p->longest_own;
        size->empty[i] = samples_quantile(&p->empty, 1);
        size->updates[i] = p->metrics.updates, size->ticks[i] = p->calls.count;
    }
    say_tables(players, size, duration);
    for (i = 0; i < WAYS; i++)
        if (plays(i)) player_free(&players[i]);
}

/* Writes the processor's name, or "unknown processor". */
static void processor_name(char *name, size_t size)
{
    FILE *const file = fopen("/proc/cpuinfo", "r");
    char line[300];
    snprintf(name, size, "unknown processor");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *const colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) != 0 || colon == NULL) continue;
        snprintf(name, size, "%.*s", (int)strcspn(colon + 2, "\n"), colon + 2);
        break;
    }
    if (file != NULL) fclose(file);
}
/* Returns the mean number of processes that ran or waited to run in the last minute; negative if
   it is not known. */
static double load_average(void)
{
    FILE *const file = fopen("/proc/loadavg", "r");
    double load = -1;
    if (file == NULL) return -1;
    if (fscanf(file, "%lf", &load) != 1) load = -1;
    fclose(file);
    return load;
}
static void say_head(int count, char **arguments)
{
    char name[200], date[40];
    time_t const today = time(NULL);
    const rise_kernels *const kernels = rise_kernels_of(RISE_ISA_AUTO);
    int i;
    processor_name(name, sizeof name);
    strftime(date, sizeof date, "%Y-%m-%d", gmtime(&today));
    say("# A game at 60 Hz that learns\n\n");
    say("This file is the output of bench/game.c: how long a game waits for the library, with "
        "several ways to learn.\n\n    make bench-game BENCH=\"");
    for (i = 1; i < count; i++) {
        int const quote = strchr(arguments[i], ' ') != NULL;
        say("%s%s%s%s", i > 1 ? " " : "", quote ? "'" : "", arguments[i], quote ? "'" : "");
    }
    say("\"\n\n**Machine**: %s, %ld cores, %s kernels, %s. ", name, sysconf(_SC_NPROCESSORS_ONLN),
        kernels->name, date);
    say("Load average at the start: %.1f. Every way plays for %g seconds.%s%s\n\n", load_average(),
        option.seconds, option.notes != NULL ? " " : "", option.notes != NULL ? option.notes : "");
    say("| learning | what the loop does |\n|---|---|\n");
    for (i = 0; i < WAYS; i++)
        if (plays(i)) say("| %s | %s |\n", ways[i].name, ways[i].text);
    say("\n- **longest call**: the time of the longest single call, by the clock.\n"
        "- **own time**: the processor time of the game's thread in a call, plus the time in which "
        "the call waited for the worker. The time in which other programs had the processor is "
        "left out.\n"
        "- **longest tick**, the quantiles and the histogram: the time of all calls of a tick "
        "together, by the clock.\n"
        "- **updates**: done and in effect. **owed**: due, but not done. **to embed**: "
        "metrics.refreshing at the end. While it is not 0, no update is done.\n"
        "- **waited**: metrics.waited. **missed**: ticks that could not begin in time.\n"
        "- **empty call**: in each tick, a loop that only reads the clock. It lasts as long as the "
        "median of 60 acting calls, made one after another before the game, but at least 0.02 ms "
        "and at most 1 ms. If the longest empty call takes longer, the system gave the rest of its "
        "time to other programs or to the agent's own worker.\n"
        "- All agents: `replay_capacity = 20000`, `learn_start = 200`, `carry_state = 1`, no "
        "random actions. All bytes of an agent are written once before the game begins. With "
        "frames of 84 x 84, there is one update for every %d steps of an environment, so one core "
        "can compute all updates. Other fields have their defaults%s\n",
        LARGE_PERIOD, option.field_count > 0 ? ", except these:" : ".");
    for (i = 0; i < option.field_count; i++) say("  `%s`\n", option.fields[i]);
}
static void usage(const char *program)
{
    fprintf(stderr,
            "usage: %s [--seconds S] [--frame 16|84] [--games 1|8] [--ways all|condition] "
            "[--set FIELD=VALUE] [--report FILE] [--notes TEXT]\n",
            program);
    exit(2);
}
static void options_read(int count, char **arguments)
{
    int i;
    for (i = 1; i < count; i += 2) {
        const char *const name = arguments[i], *const value = arguments[i + 1];
        if (i + 1 == count) usage(arguments[0]);
        if (strcmp(name, "--seconds") == 0 && atof(value) >= 1 && atof(value) <= 1e5)
            option.seconds = atof(value);
        else if (strcmp(name, "--frame") == 0 && (atoi(value) == 16 || atoi(value) == 84))
            option.frame = atoi(value);
        else if (strcmp(name, "--games") == 0 && (atoi(value) == 1 || atoi(value) == 8))
            option.games = atoi(value);
        else if (strcmp(name, "--ways") == 0 &&
                 (strcmp(value, "all") == 0 || strcmp(value, "condition") == 0))
            option.condition = strcmp(value, "condition") == 0;
        else if (strcmp(name, "--set") == 0 && option.field_count < FIELDS_MAX)
            option.fields[option.field_count++] = value;
        else if (strcmp(name, "--notes") == 0)
            option.notes = value;
        else if (strcmp(name, "--report") == 0) {
            option.report = fopen(value, "w");
            if (option.report == NULL) failed("the file of --report cannot be written");
        } else
            usage(arguments[0]);
    }
}

int main(int count, char **arguments)
{
    static const int sizes[2][2] = {{16, 12}, {84, 84}}, games[2] = {1, GAMES_MAX};
    result results[4];
    uint32_t random = 1;
    int i, k, done = 0;
    options_read(count, arguments);
    for (i = 0; i < (int)sizeof noise; i++)
        noise[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 26);
    say_head(count, arguments);
    for (i = 0; i < 2; i++)
        for (k = 0; k < 2; k++) {
            result *const r = &results[done];
            if (option.frame != 0 && option.frame != sizes[i][0]) continue;
            if (option.games != 0 && option.games != games[k]) continue;
            memset(r, 0, sizeof *r);
            r->width = sizes[i][0], r->height = sizes[i][1], r->games = games[k];
            measure(r);
            done++;
        }
    say("\n## Condition: longest call with background <= longest acting call + 1 ms\n\n");
    say("The table answers twice: by own time and by the clock. The answer by the clock means "
        "little if an empty call took more than 1 ms longer than it should.\n\n");
    say("| frame | environments | learning | own time | own time, acting | condition | "
        "by the clock | by the clock, acting | condition by the clock | longest empty call | "
        "the same while acting | updates in ticks | updates in ticks, inside the step |\n"
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (i = 0; i < done; i++) say_condition(&results[i]);
    say("\nLoad average at the end: %.1f.\n", load_average());
    if (option.report != NULL && fclose(option.report) != 0) failed("the report is not complete");
    return 0;
}
