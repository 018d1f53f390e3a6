/* What memory is worth: games x seeds x kinds of agent that differ in one thing, each run in a process of its own, as many at a
   time as asked for. A run that ends leaves a file, so that whoever is interrupted goes on where they were. Then all the files
   become a table in Markdown, a CSV and figures. Try --help; `make bench-learn` and `make bench-ablation` are the usual ways.

   How it is scored: an agent plays greedily, without a trace in its learning, every start of the game, POINTS times in a run.
   Its score is the mean of its LAST latest evaluations, as a share of the way from the best play without memory to the best
   play; where memory is of no use, or hardly any, from random play. Time is the processor's, of acting and learning, without
   evaluation.                                                                                                          */
#include "../examples/chart.h"
#include "../examples/trainer.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#define RISE_IMPLEMENTATION
#include "../rise.h"

#include "stats.h"

enum {
    POINTS = 20, /* evaluations in a run, and one before it */
    LAST = 3,    /* of them are the score */
    MOST_GAMES = STATS_GAMES,
    MOST_SEEDS = STATS_SEEDS,
    MOST_VARIANTS = 40,
    MOST_PROCESSES = 64,
    NAME = 40,
    TEXT = 1000,
    PATH = 400
};

/* ---------------------------------------------------------------------------------------------- */
/* What is compared */

typedef struct task {
    /* of a game; with its length behind it, where that is not the usual one: blink-30 */
    const char *name;
    double steps; /* budget of an agent, whatever its kind */
} task;

typedef struct variant {
    const char *name, *settings; /* for rise_agent_set, with blanks between them */
    const char *text;
    int colour;
    double share; /* of the game's budget; 0: all */
} variant;

/* The budgets are such that FULL takes about three minutes. */
static const task main_tasks[] = {{"blink", 20000},         {"corridor", 30000},
                                  {"lock-catch", 80000},    {"key-door", 50000},
                                  {"blink-30", 20000},      {"corridor-20", 30000},
                                  {"pairs", 30000},         {"pong-75", 80000},
                                  {"pong-50", 80000},       {"pong", 60000},
                                  {"catch", 40000},         {"open-blink", 20000},
                                  {"open-corridor", 30000}, {"open-key-door", 50000},
                                  {"open-pairs", 30000},    {NULL, 0}};
static const task ablation_tasks[] = {{"corridor-20", 30000}, {"key-door", 50000},
                                      {"lock-catch", 80000},  {"catch", 40000},
                                      {"pong", 60000},        {NULL, 0}};
static const task quick_tasks[] = {{"blink", 4000}, {"corridor", 6000}, {"catch", 6000}, {NULL, 0}};

static const variant kinds[] = {{"NONE", "memory=none", "the last four frames", 0x8C8C8C, 0},
                                {"RISE", "memory=rise",
                                 "cached embeddings; half the context enters", 0xE8710A, 0},
                                {"FULL", "memory=full", "conv features; all of the context enters",
                                 0x3B8EDB, 0},
                                {"FULL/4", "memory=full", "a quarter of the steps", 0x8250DF, 0.25},
                                {NULL, NULL, NULL, 0, 0}};

/* One thing at a time changes; the first one is what all are compared to. */
static const variant ablations[] = {
    {"RISE", "memory=rise", "thumbnail of 64 half floats, GRU of 64, half its state, concat", 0, 0},
    {"signs", "embedding=signs", "encoder: projection by random signs", 0, 0},
    {"gaussian", "embedding=gaussian", "encoder: dense Gaussian projection", 0, 0},
    {"sparse", "embedding=sparse", "encoder: sparse projection", 0, 0},
    {"conv", "embedding=conv", "encoder: random conv net", 0, 0},
    {"size-16", "embedding_size=16", "16 numbers a frame", 0, 0},
    {"size-256", "embedding_size=256", "256 numbers a frame", 0, 0},
    {"floats", "embedding_f32=1", "stored as floats, not half floats", 0, 0},
    {"window-8", "window=8", "window of 8 frames", 0, 0},
    {"window-16", "window=16", "window of 16 frames", 0, 0},
    {"window-32", "window=32", "window of 32 frames", 0, 0},
    {"window-64", "window=64", "window of 64 frames", 0, 0},
    {"samples-4", "window_samples=4", "4 transitions share a window", 0, 0},
    {"samples-8", "window_samples=8", "8 transitions share a window", 0, 0},
    {"units-16", "recurrent_units=16", "GRU of 16", 0, 0},
    {"units-128", "recurrent_units=128", "GRU of 128", 0, 0},
    {"whole", "context_scale=1", "the context enters as it is", 0, 0},
    {"fifth", "context_scale=0.2", "a fifth of the context enters", 0, 0},
    {"gate", "fusion=gate", "fusion: gate", 0, 0},
    {"sum", "fusion=sum", "fusion: sum", 0, 0},
    {"lstm", "cell=lstm", "cell: LSTM", 0, 0},
    {"mingru", "cell=mingru", "cell: minGRU", 0, 0},
    {"unrolled", "carry_state=0", "acting unrolls the window anew", 0, 0},
    {"actions", "feed_action=1", "memory is told action and reward", 0, 0},
    {NULL, NULL, NULL, 0, 0}};

/* One evaluation. */
typedef struct point {
    double steps, seconds, updates, score;
} point;

typedef struct run {
    int complete;
    point points[POINTS + 1];
    int count;
} run;

typedef struct bench {
    const task *tasks;
    const variant *variants;
    int task_count, variant_count, seeds;
    int processes, report_only;
    pid_t driver;          /* the process that all others are children of */
    int ablation;          /* many variants: their figure has a row for each */
    double share;          /* of each budget */
    char folder[PATH / 2]; /* of the runs' files */
    char report[PATH / 2]; /* how the names of the report's files begin */
    const char *title;
    game games[MOST_GAMES];
    double low[MOST_GAMES]; /* the score that counts as 0 */
    run runs[MOST_GAMES][MOST_VARIANTS][MOST_SEEDS];
} bench;

static int failed(const char *what, const char *why)
{
    fprintf(stderr, "learn: %s: %s\n", what, why);
    return 0;
}

/* "blink-30" is the game blink of length 30. */
static int game_from(game *g, const char *name)
{
    const char *const dash = strrchr(name, '-');
    char stem[NAME];
    game_kind kind = game_named(name);
    int length = 0;
    if (kind == GAME_KINDS && dash != NULL) {
        snprintf(stem, sizeof stem, "%.*s", (int)(dash - name), name);
        kind = game_named(stem);
        length = atoi(dash + 1);
    }
    return (kind != GAME_KINDS && game_init(g, kind, length, 1)) || failed(name, "no such game");
}

static double share_of(const variant *v) { return v->share > 0 ? v->share : 1; }
static double steps_of(const bench *b, int t, int v)
{
    return floor(b->tasks[t].steps * b->share * share_of(&b->variants[v]));
}

/* ---------------------------------------------------------------------------------------------- */
/* A run and its file */

static int describe(const bench *b, int t, int v, int seed, rise_agent_desc *desc)
{
    char settings[TEXT], *word;
    rise_error error;
    *desc = trainer_desc(&b->games[t], steps_of(b, t, v), seed);
    snprintf(settings, sizeof settings, "%s", b->variants[v].settings);
    for (word = strtok(settings, " "); word != NULL; word = strtok(NULL, " "))
        if (rise_agent_set(desc, word, &error) != RISE_OK)
            return failed(b->variants[v].name, error.text);
    return 1;
}

/* Every field that is not the default, and what the game is like: runs whose lines are alike need not be repeated. */
typedef struct listing {
    char text[8 * TEXT];
    size_t length;
} listing;

static void listing_add(void *user, const char *text)
{
    listing *const l = (listing *)user;
    int const room = (int)(sizeof l->text - l->length);
    int const length = snprintf(l->text + l->length, (size_t)room, "%s\n", text);
    if (length > 0 && length < room) l->length += (size_t)length;
}

/* A hash of what the game shows and pays to one who plays at random: FNV-1a. */
static uint32_t game_hash(const game *like)
{
    game g = *like;
    uint32_t hash = 2166136261u, random = 1;
    int i, j;
    game_start(&g, 0);
    for (i = 0; i < 2000; i++) {
        float reward = 0;
        random = random * 1664525u + 1013904223u;
        if (g.done)
            game_start(&g, i % g.spec->starts);
        else
            reward = game_step(&g, (int)((uint64_t)random * (uint64_t)g.spec->actions >> 32));
        hash = (hash ^ (uint32_t)(int)floor((double)reward * 1e4 + 0.5)) * 16777619u;
        for (j = 0; j < g.spec->width * g.spec->height; j++) hash = (hash ^ g.frame[j]) * 16777619u;
    }
    return hash;
}

/* A hash of every field's number, defaults among them, which may be others one day: FNV-1a. */
static uint32_t desc_hash(const rise_agent_desc *desc)
{
    static listing all;
    rise_agent_desc resolved = *desc;
    uint32_t hash = 2166136261u;
    size_t i;
    all.length = 0;
    rise_agent_resolve(&resolved, NULL);
    rise_agent_describe(&resolved, listing_add, &all);
    for (i = 0; i < all.length; i++) hash = (hash ^ (uint8_t)all.text[i]) * 16777619u;
    return hash;
}

/* The first line of a run's file. */
static void run_line(const bench *b, int t, int v, const rise_agent_desc *desc, char *line,
                     size_t size)
{
    static listing all, defaults;
    rise_agent_desc zero;
    const char *a = all.text, *d = defaults.text;
    int length = snprintf(line, size, "# %s rules=%08x agent=%08x steps=%.0f points=%d",
                          b->tasks[t].name, (unsigned)game_hash(&b->games[t]),
                          (unsigned)desc_hash(desc), steps_of(b, t, v), POINTS);
    memset(&zero, 0, sizeof zero);
    all.length = defaults.length = 0;
    rise_agent_describe(desc, listing_add, &all);
    rise_agent_describe(&zero, listing_add, &defaults);
    while (*a != '\0' && *d != '\0') {
        int const n = (int)strcspn(a, "\n"), m = (int)strcspn(d, "\n");
        if ((n != m || memcmp(a, d, (size_t)n) != 0) && length > 0 && (size_t)length < size)
            length += snprintf(line + length, size - (size_t)length, " %.*s", n, a);
        a += n + 1, d += m + 1;
    }
}

static void run_path(const bench *b, int t, int v, int seed, char *path, size_t size)
{
    char *slash;
    int const length = snprintf(path, size, "%s/", b->folder);
    snprintf(path + length, size - (size_t)length, "%s-%s-%d.csv", b->tasks[t].name,
             b->variants[v].name, seed);
    /* in a variant's name */
    for (slash = path + length; (slash = strchr(slash, '/')) != NULL;) *slash = '_';
}

/* Returns whether there is a complete run of just these settings. */
static int run_read(bench *b, int t, int v, int seed)
{
    run *const r = &b->runs[t][v][seed - 1];
    rise_agent_desc desc;
    char path[PATH], line[TEXT], text[TEXT];
    FILE *file;
    memset(r, 0, sizeof *r);
    run_path(b, t, v, seed, path, sizeof path);
    file = fopen(path, "r");
    if (file == NULL || !describe(b, t, v, seed, &desc)) return 0;
    run_line(b, t, v, &desc, line, sizeof line);
    if (fgets(text, sizeof text, file) != NULL && strncmp(text, line, strlen(line)) == 0 &&
        text[strlen(line)] == '\n' && fgets(text, sizeof text, file) != NULL) {
        point p;
        while (r->count <= POINTS &&
               fscanf(file, "%lf,%lf,%lf,%lf", &p.steps, &p.seconds, &p.updates, &p.score) == 4)
            r->points[r->count++] = p;
        r->complete = r->count == POINTS + 1;
    }
    fclose(file);
    return r->complete;
}

static double seconds_used(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Trains one agent and writes its evaluations. */
static int run_train(const bench *b, int t, int v, const rise_agent_desc *desc, FILE *file)
{
    static trainer training;
    rise_error error;
    rise_metrics m;
    double const budget = steps_of(b, t, v);
    point now = {0, 0, 0, 0};
    int i, steps = 0;
    if (trainer_begin(&training, &b->games[t], desc, &error) != RISE_OK)
        return failed(b->tasks[t].name, error.text);
    fprintf(file, "steps,seconds,updates,score\n");
    for (i = 0; i <= POINTS; i++) {
        double const begin = seconds_used();
        if (getppid() != b->driver) return failed(b->tasks[t].name, "the driver has ended");
        while (now.steps < budget * i / POINTS && steps >= 0) {
            steps = trainer_tick(&training);
            now.steps += steps;
        }
        now.seconds += seconds_used() - begin;
        if (steps < 0) return failed(b->tasks[t].name, rise_agent_error(training.agent)->text);
        rise_agent_metrics(training.agent, &m);
        fprintf(file, "%.0f,%.3f,%.0f,%.6f\n", now.steps, now.seconds, (double)m.updates,
                trainer_score(training.agent, &b->games[t]));
    }
    rise_agent_destroy(training.agent);
    return 1;
}

/* The whole of a run. Its file is there when it is complete. */
static int run_make(const bench *b, int t, int v, int seed)
{
    rise_agent_desc desc;
    char path[PATH], unfinished[PATH + 20], line[TEXT];
    FILE *file;
    int good;
    if (!describe(b, t, v, seed, &desc)) return 0;
    run_path(b, t, v, seed, path, sizeof path);
    run_line(b, t, v, &desc, line, sizeof line);
    snprintf(unfinished, sizeof unfinished, "%s.%ld.new", path, (long)getpid());
    file = fopen(unfinished, "w");
    if (file == NULL) return failed(unfinished, strerror(errno));
    fprintf(file, "%s\n", line);
    good = run_train(b, t, v, &desc, file);
    good = !ferror(file) && good;
    good = fclose(file) == 0 && good;
    if (good && rename(unfinished, path) == 0) return 1;
    remove(unfinished);
    return failed(path, "the run was not completed");
}

/* ---------------------------------------------------------------------------------------------- */
/* All runs, several at a time */

static int wait_for_one(int *running)
{
    int status;
    if (wait(&status) < 0) return 0;
    --*running;
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* Seed by seed, so that what there is so far says something about every game. Returns 0 as soon as a run fails. */
static int bench_run(bench *b)
{
    int seed, t, v, running = 0, good = 1, done = 0;
    int const total = b->seeds * b->task_count * b->variant_count;
    double const begin = terminal_seconds();
    b->driver = getpid();
    for (seed = 1; seed <= b->seeds; seed++)
        for (t = 0; t < b->task_count; t++)
            for (v = 0; v < b->variant_count && good; v++) {
                pid_t child;
                done++;
                if (run_read(b, t, v, seed)) continue;
                if (running == b->processes) good = wait_for_one(&running);
                printf("%6.0f s  run %d of %d: %s %s seed %d\n", terminal_seconds() - begin, done,
                       total, b->tasks[t].name, b->variants[v].name, seed);
                fflush(stdout);
                child = good ? fork() : -1;
                if (child == 0) _exit(run_make(b, t, v, seed) ? 0 : 1);
                running += child > 0;
                good = child > 0;
            }
    while (running > 0) good = wait_for_one(&running) && good;
    return good || failed("a run", "failed");
}

/* ---------------------------------------------------------------------------------------------- */
/* From runs to scores */

typedef enum measure {
    AT_END,
    AT_BEST,    /* the best evaluation, which is what memory.c keeps */
    AT_STEPS,   /* after a share of the game's budget */
    AT_SECONDS, /* of training */
    IN_ITS_TIME /* when the run of the reference with the same seed had come to its end */
} measure;

typedef enum group { NEEDS_MEMORY, NO_MEMORY, GROUPS } group;

/* Where a sampled score hardly tells the best play from the best without memory, a share of the way between them says nothing:
   such a game counts among those that need none. */
static group group_of(const bench *b, int t)
{
    const game_spec *const spec = b->games[t].spec;
    return spec->best - spec->without_memory > 4 * spec->margin ? NEEDS_MEMORY : NO_MEMORY;
}

/* The mean score of one who plays at random. */
static double random_score(const game *like)
{
    enum { EPISODES = 6000 };
    game g = *like;
    risei_random random = risei_random_stream(1, 1);
    double sum = 0;
    int i;
    for (i = 0; i < EPISODES; i++)
        for (game_start(&g, i % g.spec->starts); !g.done;)
            sum += (double)game_step(&g, risei_random_below(&random, g.spec->actions));
    return sum / EPISODES;
}

static double normalised(const bench *b, int t, double score)
{
    return (score - b->low[t]) / (b->games[t].spec->best - b->low[t]);
}

static double run_seconds(const run *r) { return r->points[r->count - 1].seconds; }
static double run_updates(const run *r) { return r->points[r->count - 1].updates; }

/* The mean of the last evaluations up to number `last`. */
static double run_mean(const run *r, int last)
{
    int const first = last < LAST ? 0 : last - LAST + 1;
    double sum = 0;
    int i;
    for (i = first; i <= last; i++) sum += r->points[i].score;
    return sum / (last - first + 1);
}

static double run_best(const run *r)
{
    double best = r->points[0].score;
    int i;
    for (i = 1; i < r->count; i++) best = fmax(best, r->points[i].score);
    return best;
}

/* RISE as it is: what others are compared to. */
static int reference_of(const bench *b)
{
    int v = 0;
    while (v + 1 < b->variant_count && strcmp(b->variants[v].name, "RISE") != 0) v++;
    return v;
}

static double run_score(const bench *b, int t, int v, int i, measure how, double where)
{
    const run *const r = &b->runs[t][v][i];
    int last = r->count - 1;
    if (how == AT_BEST) return run_best(r);
    if (how == AT_STEPS) last = (int)fmin(last, where / share_of(&b->variants[v]) * POINTS + 1e-9);
    if (how == IN_ITS_TIME) where = run_seconds(&b->runs[t][reference_of(b)][i]);
    if (how == AT_SECONDS || how == IN_ITS_TIME)
        while (last > 0 && r->points[last].seconds > where) last--;
    return run_mean(r, last);
}

/* Runs are compared where every variant has one. */
static int paired(const bench *b, int t, int i)
{
    int v = 0;
    while (v < b->variant_count && b->runs[t][v][i].complete) v++;
    return v == b->variant_count;
}

/* The normalised scores of a variant in the games of a group; only in game `only`, if that is not negative. */
static stats_scores gather(const bench *b, int v, group which, int only, measure how, double where)
{
    stats_scores s;
    int t, i;
    memset(&s, 0, sizeof s);
    for (t = 0; t < b->task_count; t++) {
        int *const seeds = &s.seeds[s.games];
        if (group_of(b, t) != which || (only >= 0 && only != t)) continue;
        for (i = 0; i < b->seeds; i++)
            if (paired(b, t, i))
                s.at[s.games][(*seeds)++] = normalised(b, t, run_score(b, t, v, i, how, where));
        s.games += *seeds > 0;
    }
    return s;
}

/* What the runs of a variant in a group took, and how they got on. */
typedef struct cost {
    double runs, seconds, updates;
    double solved; /* share of the runs that came to 90% */
    /* IQM of when, as a share of the game's budget; those that did not count as 1 */
    double solved_at;
} cost;

static cost cost_of(const bench *b, int v, group which, int only)
{
    static double when[STATS_SCORES];
    cost c = {0, 0, 0, 0, 0};
    int t, i, p, count = 0;
    for (t = 0; t < b->task_count; t++)
        for (i = 0; i < b->seeds; i++) {
            const run *const r = &b->runs[t][v][i];
            if (group_of(b, t) != which || (only >= 0 && only != t) || !paired(b, t, i)) continue;
            for (p = 0; p < r->count && normalised(b, t, r->points[p].score) < 0.9; p++) continue;
            c.seconds += run_seconds(r);
            c.updates += run_updates(r);
            c.solved += p < r->count;
            when[count++] = p < r->count ? share_of(&b->variants[v]) * p / POINTS : 1;
        }
    c.runs = count;
    c.solved /= fmax(1, count);
    c.solved_at = count > 0 ? stats_iqm(when, count) : 1;
    return c;
}

/* ---------------------------------------------------------------------------------------------- */
/* The table and the CSV */

static const char *const group_titles[GROUPS] = {"Games that need memory",
                                                 "Games that do not, or hardly"};
static const char *const group_texts[GROUPS] = {
    "0 is the best play without memory (of who sees the last 4 frames), 1 the best play.",
    "0 is random play, 1 the best play."};

static void print_estimate(FILE *file, stats_estimate e)
{
    fprintf(file, " %.2f [%.2f, %.2f] |", e.value, e.low, e.high);
}

static void print_group(const bench *b, FILE *file, group which)
{
    int const reference = reference_of(b);
    stats_scores const base = gather(b, reference, which, -1, AT_END, 0);
    const char *const name = b->variants[reference].name;
    int v;
    if (base.games == 0) return;
    fprintf(file, "\n## %s: %d\n\n%s\n\n", group_titles[which], base.games, group_texts[which]);
    fprintf(
        file,
        "| | what | score (IQM) | best kept (IQM) | in the time of %s | %s scores more | and in "
        "its time "
        "| runs that came to 0.9 | after, of the steps | updates/s | ms an update | s a run |\n",
        name, name);
    fprintf(file, "|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (v = 0; v < b->variant_count; v++) {
        stats_scores const end = gather(b, v, which, -1, AT_END, 0);
        stats_scores const best = gather(b, v, which, -1, AT_BEST, 0);
        stats_scores const then = gather(b, v, which, -1, IN_ITS_TIME, 0);
        cost const c = cost_of(b, v, which, -1);
        fprintf(file, "| %s | %s |", b->variants[v].name, b->variants[v].text);
        print_estimate(file, stats_of(&end, NULL));
        print_estimate(file, stats_of(&best, NULL));
        print_estimate(file, stats_of(&then, NULL));
        if (v == reference)
            fprintf(file, " | |");
        else
            print_estimate(file, stats_of(&base, &end)),
                print_estimate(file, stats_of(&base, &then));
        fprintf(file, " %.0f%% | %.0f%% | %.0f | %.2f | %.1f |\n", 100 * c.solved,
                100 * c.solved_at, c.updates / c.seconds, 1e3 * c.seconds / fmax(1, c.updates),
                c.seconds / c.runs);
    }
}

static void print_game(const bench *b, FILE *file, int t)
{
    group const which = group_of(b, t);
    int v, i;
    for (v = 0; v < b->variant_count; v++) {
        stats_scores const end = gather(b, v, which, t, AT_END, 0);
        stats_scores const best = gather(b, v, which, t, AT_BEST, 0);
        stats_scores const then = gather(b, v, which, t, IN_ITS_TIME, 0);
        cost const c = cost_of(b, v, which, t);
        double sums[3] = {0, 0, 0}, least = HUGE_VAL, most = -HUGE_VAL;
        if (end.games == 0) return;
        for (i = 0; i < end.seeds[0]; i++) {
            sums[0] += end.at[0][i], sums[1] += best.at[0][i], sums[2] += then.at[0][i];
            least = fmin(least, end.at[0][i]), most = fmax(most, end.at[0][i]);
        }
        for (i = 0; i < 3; i++) sums[i] /= c.runs;
        fprintf(file,
                "| %s | %.0fk | %s | %+.2f | %.2f | %.2f to %.2f | %.2f | %.2f | %.0f | %.1f |\n",
                b->tasks[t].name, steps_of(b, t, v) / 1000, b->variants[v].name,
                b->low[t] + sums[0] * (b->games[t].spec->best - b->low[t]), sums[0], least, most,
                sums[1], sums[2], c.updates / c.seconds, c.seconds / c.runs);
    }
}

static void print_terms(const bench *b, FILE *file)
{
    const char *const report = strrchr(b->report, '/');
    const char *const name = b->variants[reference_of(b)].name;
    fprintf(
        file,
        "- **Score**: the agent plays every start of a game greedily, %d times in a run; its score "
        "is the mean of "
        "the\n  last %d times. **Best kept** is the best of all: what a user gets who keeps the "
        "best weights. It is "
        "exact where a\n  game has few starts, and a little flattered where they are sampled.\n",
        POINTS, LAST);
    fprintf(file,
            "- **IQM**: the mean of the middle half of all runs. In brackets: 95%% intervals by "
            "bootstrap, %d "
            "replicates,\n  seeds drawn within games.\n",
            STATS_REPLICATES);
    fprintf(file,
            "- **In the time of %s**: the score when %s of the same seed had come to its end. "
            "Exploration and learning "
            "rate follow\n  the steps: who is not through with its own by then still explores.\n",
            name, name);
    fprintf(file,
            "- **%s scores more**: how likely a run of it does than one of this row, in a game "
            "drawn at random; even is "
            "half.\n",
            name);
    fprintf(file, "- **Seconds** are the processor's, of acting and learning in one thread, "
                  "without evaluation.\n");
    fprintf(file, "\n![%s](%s.svg)\n", b->title, report != NULL ? report + 1 : b->report);
}

static int write_table(const bench *b, const char *path)
{
    FILE *const file = fopen(path, "w");
    int t, i, counted = 0, bad;
    if (file == NULL) return failed(path, strerror(errno));
    for (t = 0; t < b->task_count; t++)
        for (i = 0; i < b->seeds; i++) counted += paired(b, t, i);
    fprintf(file,
            "# %s\n\n`%s` made it from %d runs: %d games, up to %d seeds, %d kinds of agent; of a "
            "game's seeds those "
            "that\nevery kind has a run of. The recipe of each game is in examples/trainer.h; "
            "kinds differ in the "
            "settings named and\nin nothing else.\n\n",
            b->title, b->ablation ? "make bench-ablation" : "make bench-learn",
            counted * b->variant_count, b->task_count, b->seeds, b->variant_count);
    print_terms(b, file);
    for (i = 0; i < GROUPS; i++) print_group(b, file, (group)i);
    fprintf(file, "\n## Every game\n\nMeans over seeds. The first score is the game's own; all "
                  "others are normalised.\n\n");
    fprintf(file,
            "| game | steps | kind | score | normalised | lowest to highest | best kept | in the "
            "time of %s | updates/s "
            "| s a run |\n|---|---|---|---|---|---|---|---|---|---|\n",
            b->variants[reference_of(b)].name);
    for (t = 0; t < b->task_count; t++) print_game(b, file, t);
    bad = ferror(file);
    return (fclose(file) == 0 && !bad) || failed(path, "cannot be written");
}

static int write_csv(const bench *b, const char *path)
{
    FILE *const file = fopen(path, "w");
    int t, v, i, p;
    if (file == NULL) return failed(path, strerror(errno));
    fprintf(file, "game,kind,seed,steps,seconds,updates,score,normalised\n");
    for (t = 0; t < b->task_count; t++)
        for (v = 0; v < b->variant_count; v++)
            for (i = 0; i < b->seeds; i++)
                for (p = 0; p < b->runs[t][v][i].count && b->runs[t][v][i].complete; p++) {
                    const point *const at = &b->runs[t][v][i].points[p];
                    fprintf(file, "%s,%s,%d,%.0f,%.3f,%.0f,%.6f,%.4f\n", b->tasks[t].name,
                            b->variants[v].name, i + 1, at->steps, at->seconds, at->updates,
                            at->score, normalised(b, t, at->score));
                }
    i = ferror(file);
    return (fclose(file) == 0 && !i) || failed(path, "cannot be written");
}

/* ---------------------------------------------------------------------------------------------- */
/* Figures */

enum { GRID = 41 };

static void svg_text(FILE *file, double x, double y, const char *text)
{
    fprintf(file, "<text x=\"%.1f\" y=\"%.1f\">%s</text>\n", x, y, text);
}

static void svg_legend(const bench *b, FILE *file)
{
    int v;
    for (v = 0; v < b->variant_count; v++) {
        double const x = 60 + 265 * (v % 3), y = 50 + 18 * (v / 3);
        fprintf(file, "<path stroke-width=\"2\" stroke=\"#%06x\" d=\"M%.0f %.0fh24\"/>",
                (unsigned)b->variants[v].colour, x, y);
        fprintf(file, "<text x=\"%.0f\" y=\"%.0f\">%s: %s</text>\n", x + 30, y + 4,
                b->variants[v].name, b->variants[v].text);
    }
}

static double held(const chart_frame *f, double score)
{
    return fmax(f->low, fmin(f->high, score));
}

/* A line, and what it may be. Estimates and points go together, from left to right. */
static void svg_band(FILE *file, const chart_frame *f, int colour, chart_point *points,
                     const stats_estimate *e, int count)
{
    int i;
    fprintf(file, "<polygon fill=\"#%06x\" opacity=\".18\" points=\"", (unsigned)colour);
    for (i = 0; i < count; i++)
        fprintf(file, "%.1f,%.1f ", chart_x(f, &points[i]), chart_y(f, held(f, e[i].low)));
    for (i = count - 1; i >= 0; i--)
        fprintf(file, "%.1f,%.1f ", chart_x(f, &points[i]), chart_y(f, held(f, e[i].high)));
    fprintf(file, "\"/>\n");
    for (i = 0; i < count; i++) points[i].score = held(f, e[i].value);
    chart_svg_line(file, f, colour, points, count);
}

static double longest_run(const bench *b, int v, group which)
{
    double longest = 0;
    int t, i;
    for (t = 0; t < b->task_count; t++)
        for (i = 0; i < b->seeds; i++)
            if (group_of(b, t) == which && paired(b, t, i))
                longest = fmax(longest, run_seconds(&b->runs[t][v][i]));
    return longest;
}

/* IQM over steps or seconds; a curve of seconds ends with the longest run. */
static void svg_iqm_panel(const bench *b, FILE *file, group which, chart_frame f)
{
    int v, i;
    f.x_max = 100;
    f.low = -0.2;
    f.high = 1;
    f.x_name = f.by_seconds ? "seconds of training" : "percent of the steps";
    if (f.by_seconds)
        for (f.x_max = v = 0; v < b->variant_count; v++)
            f.x_max = fmax(f.x_max, longest_run(b, v, which));
    if (f.by_seconds) f.x_least = f.x_max / 300;
    svg_text(file, f.left, f.top - 14, group_titles[which]);
    chart_svg_axes(file, &f);
    for (v = 0; v < b->variant_count; v++) {
        chart_point points[GRID];
        stats_estimate estimates[GRID];
        double const end = f.by_seconds ? longest_run(b, v, which)
                                        : 100 * share_of(&b->variants[v]);
        for (i = 0; i < GRID; i++) {
            double const share = (double)i / (GRID - 1);
            double const x = f.by_seconds ? f.x_least * pow(end / f.x_least, share) : end * share;
            stats_scores const s = gather(b, v, which, -1, f.by_seconds ? AT_SECONDS : AT_STEPS,
                                          f.by_seconds ? x : x / 100);
            points[i].steps = points[i].seconds = x;
            estimates[i] = stats_of(&s, NULL);
        }
        svg_band(file, &f, b->variants[v].colour, points, estimates, GRID);
    }
}

static int write_iqm(const bench *b, const char *path)
{
    int groups = 0, used[GROUPS], i, by_seconds;
    FILE *file;
    for (i = 0; i < GROUPS; i++)
        if (longest_run(b, 0, (group)i) > 0) used[groups++] = i;
    file = chart_svg_open(path, 860, 90 + 350 * groups,
                          "IQM of normalised scores, with 95% intervals");
    if (file == NULL) return failed(path, strerror(errno));
    svg_legend(b, file);
    for (i = 0; i < groups; i++)
        for (by_seconds = 0; by_seconds < 2; by_seconds++) {
            chart_frame f = {60, 0, 350, 250, 1, 0, 1, 0, 0, NULL};
            f.left += 430 * by_seconds;
            f.top = 100 + 350 * i;
            f.by_seconds = by_seconds;
            svg_iqm_panel(b, file, (group)used[i], f);
        }
    return chart_svg_close(file) || failed(path, "cannot be written");
}

/* One game: means over seeds, from the lowest to the highest. */
static void svg_game_panel(const bench *b, FILE *file, int t, chart_frame f)
{
    const game_spec *const spec = b->games[t].spec;
    int v, i, p;
    f.x_max = b->tasks[t].steps * b->share;
    f.high = spec->best;
    f.low = fmin(b->low[t], spec->without_memory) - 0.2;
    f.x_name = "";
    for (v = 0; v < b->variant_count; v++)
        for (i = 0; i < b->seeds; i++)
            for (p = 0; p < b->runs[t][v][i].count; p++)
                f.low = fmin(f.low, b->runs[t][v][i].points[p].score);
    svg_text(file, f.left, f.top - 14, b->tasks[t].name);
    chart_svg_axes(file, &f);
    chart_svg_level(file, &f, group_of(b, t) == NEEDS_MEMORY ? "without memory" : "random",
                    b->low[t], 0);
    for (v = 0; v < b->variant_count; v++) {
        chart_point points[POINTS + 1];
        stats_estimate e[POINTS + 1];
        for (p = 0; p <= POINTS; p++) {
            int seeds = 0;
            e[p].value = 0, e[p].low = HUGE_VAL, e[p].high = -HUGE_VAL;
            for (i = 0; i < b->seeds; i++) {
                double const score = b->runs[t][v][i].points[p].score;
                if (!paired(b, t, i)) continue;
                e[p].value += score, e[p].low = fmin(e[p].low, score),
                                     e[p].high = fmax(e[p].high, score);
                seeds++;
            }
            if (seeds == 0) return;
            e[p].value /= seeds;
            points[p].steps = points[p].seconds = steps_of(b, t, v) * p / POINTS;
        }
        svg_band(file, &f, b->variants[v].colour, points, e, POINTS + 1);
    }
}

static int write_games(const bench *b, const char *path)
{
    int const rows = (b->task_count + 2) / 3;
    FILE *const file = chart_svg_open(path, 1000, 90 + 230 * rows,
                                      "Score over steps: mean, lowest and highest of all seeds");
    int t;
    if (file == NULL) return failed(path, strerror(errno));
    svg_legend(b, file);
    for (t = 0; t < b->task_count; t++) {
        chart_frame f = {60, 0, 250, 150, 1, 0, 1, 0, 0, NULL};
        f.left += 320 * (t % 3);
        f.top = 105 + 230 * (t / 3);
        svg_game_panel(b, file, t, f);
    }
    return chart_svg_close(file) || failed(path, "cannot be written");
}

/* Where there are many variants: a row each, with the score and its interval. */
static int write_rows(const bench *b, const char *path)
{
    chart_frame f = {370, 60, 410, 0, 1,
                     0,   1,  0,   0, "IQM of normalised scores, with 95% intervals"};
    FILE *const file = chart_svg_open(path, 820, 120 + 22 * b->variant_count, b->title);
    int v;
    if (file == NULL) return failed(path, strerror(errno));
    f.height = 22 * b->variant_count;
    f.high = f.low = 0; /* no grid */
    fprintf(file, "<path class=\"axis\" d=\"M%.1f %.1fH%.1f\"/>\n", f.left, f.top + f.height,
            f.left + f.width);
    for (v = 0; v <= 5; v++) chart_svg_tick(file, &f, v / 5.0, 0);
    for (v = 0; v < b->variant_count; v++) {
        stats_scores const s = gather(b, v, NEEDS_MEMORY, -1, AT_END, 0);
        stats_estimate const e = stats_of(&s, NULL);
        double const y = f.top + 22 * v + 11;
        fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>", f.left - 12,
                y + 4, b->variants[v].text);
        if (s.games == 0) continue;
        fprintf(file, "<path stroke=\"#E8710A\" stroke-width=\"2\" d=\"M%.1f %.1fH%.1f\"/>",
                chart_across(&f, fmax(0, e.low)), y, chart_across(&f, fmax(0, e.high)));
        fprintf(file, "<circle fill=\"#E8710A\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"/>\n",
                chart_across(&f, fmax(0, e.value)), y);
    }
    return chart_svg_close(file) || failed(path, "cannot be written");
}

static int bench_report(bench *b)
{
    char path[PATH];
    int t, v, seed, complete = 0, good;
    for (t = 0; t < b->task_count; t++) {
        const game_spec *const spec = b->games[t].spec;
        b->low[t] = group_of(b, t) == NEEDS_MEMORY ? spec->without_memory
                                                   : random_score(&b->games[t]);
        for (v = 0; v < b->variant_count; v++)
            for (seed = 1; seed <= b->seeds; seed++) complete += run_read(b, t, v, seed);
    }
    printf("%d of %d runs are complete\n", complete, b->task_count * b->variant_count * b->seeds);
    snprintf(path, sizeof path, "%s.md", b->report);
    good = write_table(b, path);
    printf("written: %s\n", path);
    snprintf(path, sizeof path, "%s.csv", b->report);
    good = write_csv(b, path) && good;
    snprintf(path, sizeof path, "%s.svg", b->report);
    good = (b->ablation ? write_rows(b, path) : write_iqm(b, path)) && good;
    snprintf(path, sizeof path, "%s-games.svg", b->report);
    return (b->ablation || write_games(b, path)) && good;
}

/* ---------------------------------------------------------------------------------------------- */
/* The command line */

static void print_help(void)
{
    printf(
        "learn [options]: trains agents of several kinds on all games and reports how they "
        "fare.\n\n"
        "  --ablation       RISE with one thing changed at a time, instead of NONE, RISE and FULL\n"
        "  --variant N:S    RISE beside a kind of name N and settings S: \"gru:cell=gru "
        "window=32\"; may be repeated\n"
        "  --quick          three games, two seeds: two minutes\n"
        "  --games A,B      only these, with their budgets\n"
        "  --seeds N        of each game and kind [5]\n"
        "  --share X        of each budget of steps [1]\n"
        "  --processes N    at a time [one a processor]\n"
        "  --runs FOLDER    where the runs are kept: those that are there and complete are not "
        "repeated\n"
        "                   [build/learn, build/learn-quick or build/ablation]\n"
        "  --report NAME    of what is written: NAME.md, NAME.csv, NAME.svg, NAME-games.svg [the "
        "folder of the runs]\n"
        "  --report-only    of the runs that are there\n");
}

/* Leaves only the games in `list` in `tasks`. Returns 0 where one is not known. */
static int choose_games(bench *b, task *tasks, char *list)
{
    char *word;
    int count = 0, t;
    for (word = strtok(list, ","); word != NULL && count < MOST_GAMES; word = strtok(NULL, ",")) {
        for (t = 0; t < b->task_count && strcmp(b->tasks[t].name, word) != 0; t++) continue;
        if (t == b->task_count) return failed(word, "not in the list of games");
        tasks[count++] = b->tasks[t];
    }
    b->tasks = tasks;
    b->task_count = count;
    return count > 0;
}

static void choose(bench *b, const char *title, const char *folder, const task *tasks,
                   const variant *variants, int seeds)
{
    b->title = title;
    snprintf(b->folder, sizeof b->folder, "%s", folder);
    b->tasks = tasks;
    b->variants = variants;
    b->seeds = seeds;
    for (b->task_count = 0; tasks[b->task_count].name != NULL;) b->task_count++;
    for (b->variant_count = 0; variants[b->variant_count].name != NULL;) b->variant_count++;
}

/* "gru:cell=gru window=32": the first one drives all but RISE out of the list. */
static int add_variant(bench *b, char *text)
{
    static const int colours[] = {0x3B8EDB, 0x8250DF, 0x2DA44E, 0xBF3989, 0x9A6700, 0x57606A};
    static variant list[MOST_VARIANTS];
    char *const colon = strchr(text, ':');
    variant *const v = &list[b->variants == list ? b->variant_count : 1];
    if (colon == NULL || v == list + MOST_VARIANTS) return 0;
    *colon = '\0';
    list[0] = kinds[1];
    v->name = text;
    v->settings = v->text = colon + 1;
    v->colour = colours[(v - list - 1) % 6];
    b->variants = list;
    b->variant_count = (int)(v - list) + 1;
    return 1;
}

static int parse_value(bench *b, const char *name, char *value)
{
    static task chosen[MOST_GAMES];
    if (strcmp(name, "--games") == 0) return choose_games(b, chosen, value);
    if (strcmp(name, "--variant") == 0) return add_variant(b, value);
    if (strcmp(name, "--seeds") == 0)
        return (b->seeds = atoi(value)) >= 1 && b->seeds <= MOST_SEEDS;
    if (strcmp(name, "--processes") == 0) return (b->processes = atoi(value)) >= 1;
    if (strcmp(name, "--share") == 0) return (b->share = atof(value)) > 0;
    if (strcmp(name, "--runs") == 0)
        return snprintf(b->folder, sizeof b->folder, "%s", value) < (int)sizeof b->folder;
    if (strcmp(name, "--report") == 0)
        return snprintf(b->report, sizeof b->report, "%s", value) < (int)sizeof b->report;
    return 0;
}

static int parse(bench *b, int argc, char **argv)
{
    int i;
    choose(b, "What memory is worth", "build/learn", main_tasks, kinds, 5);
    b->processes = (int)sysconf(_SC_NPROCESSORS_ONLN);
    b->share = 1;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--report-only") == 0)
            b->report_only = 1;
        else if (strcmp(argv[i], "--quick") == 0)
            choose(b, "What memory is worth, quickly", "build/learn-quick", quick_tasks, kinds, 2);
        else if (strcmp(argv[i], "--ablation") == 0)
            choose(b, "RISE with one thing changed", "build/ablation", ablation_tasks, ablations,
                   5),
                b->ablation = 1;
        else if (i + 1 >= argc || !parse_value(b, argv[i], argv[i + 1]))
            return failed(argv[i], "not understood; try --help");
        else
            i++;
    }
    if (b->report[0] == '\0') snprintf(b->report, sizeof b->report, "%.150s/report", b->folder);
    return 1;
}

int main(int argc, char **argv)
{
    static bench b;
    int t;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) return print_help(), 0;
    if (!parse(&b, argc, argv)) return 2;
    for (t = 0; t < b.task_count; t++)
        if (!game_from(&b.games[t], b.tasks[t].name)) return 2;
    if (mkdir(b.folder, 0777) != 0 && errno != EEXIST) return !failed(b.folder, strerror(errno));
    if (!b.report_only && !bench_run(&b)) return 1;
    return bench_report(&b) ? 0 : 1;
}
