/* Measures what memory is worth: trains games x seeds x kinds of agent, where kinds differ in one
   setting. Each run has a process of its own, and several processes work at a time. A run that ends
   leaves a file. After an interruption, complete runs are not repeated. At the end, all files
   become a table in Markdown, a CSV file and figures. Try --help. `make bench-learn` and
   `make bench-ablation` are the usual commands. With --size, the games' frames are enlarged.

   Score: the agent is evaluated once before learning, and POINTS times in the run. An evaluation
   plays every start of the game greedily and changes nothing in the learning. The score is the mean
   of the LAST latest evaluations. Scores are normalised: 1 is the best play. 0 is the best play
   without memory or, in games where memory gives little or nothing, random play. Time is processor
   time of acting and learning, without evaluation. */
#include "../examples/chart.h"
#include "../examples/game_trainer.h"

#include <sys/stat.h>
#include <sys/types.h>
#include <sys/wait.h>

#define RISE_IMPLEMENTATION
#include "../rise.h"

#include "stats.h"

enum {
    POINTS = 20, /* evaluations in a run, and one before it */
    LAST = 3,    /* evaluations whose mean is the score */
    GAMES_MAX = STATS_GAMES,
    SEEDS_MAX = STATS_SEEDS,
    VARIANTS_MAX = 40,
    NAME = 40,
    SIZE_LEAST = 42, /* pixels; for smaller frames, trainer_enlarge sets no padding */
    TEXT = 2000,
    PATH = 400
};

/* ---------------------------------------------------------------------------------------------- */
/* Games, kinds of agent and settings that are compared */

typedef struct task {
    /* of the game; if the length is not the usual one, it follows the name: blink-30 */
    const char *name;
    double steps; /* budget of an agent of any kind */
} task;

typedef struct variant {
    const char *name, *settings; /* for rise_agent_set, separated by blanks */
    const char *text;            /* description in the table and the figure */
    int colour;
    double share; /* of the game's budget of steps; 0: all of it */
} variant;

/* With these budgets, a run of FULL takes about three minutes at most. */
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

/* The games with enlarged frames. With these budgets, the better settings reach the best play and
   the worse ones do not. An example is key-door at 84 x 84 after 20000 steps. One run with the
   defaults scored 1. One run without standardised frames and with context_scale 0.05 scored -0.11.
   All runs of NONE and RISE take about an hour of processor time. */
static const task size_tasks[] = {{"blink", 8000},          {"corridor", 15000},
                                  {"key-door", 20000},      {"lock-catch", 40000},
                                  {"catch", 20000},         {"pong", 25000},
                                  {"open-corridor", 15000}, {"open-key-door", 15000},
                                  {NULL, 0}};
static const task size_ablation_tasks[] = {
    {"key-door", 20000}, {"lock-catch", 40000}, {"catch", 20000}, {"pong", 25000}, {NULL, 0}};

static const variant kinds[] = {
    {"NONE", "memory=none", "no memory: sees the last 4 frames", 0x8C8C8C, 0},
    {"RISE", "memory=rise", "stored embeddings", 0xE8710A, 0},
    {"FULL", "memory=full", "conv features", 0x3B8EDB, 0},
    {"FULL/4", "memory=full", "FULL with a quarter of the steps", 0x8250DF, 0.25},
    {NULL, NULL, NULL, 0, 0}};

/* The kinds with enlarged frames. FULL is left out, because a run takes too long. */
static const variant size_kinds[] = {
    {"NONE", "memory=none", "no memory: sees the last 4 frames", 0x8C8C8C, 0},
    {"RISE", "memory=rise", "stored embeddings", 0xE8710A, 0},
    {NULL, NULL, NULL, 0, 0}};

/* Each kind but `raw-half` differs from the first in one setting. With raw_frames, the default of
   context_scale is 0.5 here. So `raw` sets context_scale to 1, as in the first kind. All are
   compared to the first. */
static const variant ablations[] = {
    {"RISE", "memory=rise", "downsampled, up to 64 half floats, GRU 32, concat", 0, 0},
    {"signs", "embedding=signs", "frozen encoder: random projection by signs", 0, 0},
    {"gaussian", "embedding=gaussian", "frozen encoder: dense Gaussian projection", 0, 0},
    {"sparse", "embedding=sparse", "frozen encoder: sparse random projection", 0, 0},
    {"conv", "embedding=conv", "frozen encoder: random conv net", 0, 0},
    {"size-16", "embedding_size=16", "embeddings of 16 numbers", 0, 0},
    /* DOWNSAMPLE lowers 256 to the number of pixels: 56 in pong, as in the first kind */
    {"size-256", "embedding_size=256", "embeddings of a number for each pixel", 0, 0},
    {"floats", "embedding_f32=1", "embeddings stored as 32-bit floats", 0, 0},
    {"window-8", "window=8", "window of 8 frames", 0, 0},
    {"window-16", "window=16", "window of 16 frames", 0, 0},
    {"window-32", "window=32", "window of 32 frames", 0, 0},
    {"window-64", "window=64", "window of 64 frames", 0, 0},
    {"samples-4", "window_samples=4", "4 transitions share a window", 0, 0},
    {"samples-8", "window_samples=8", "8 transitions share a window", 0, 0},
    {"units-16", "recurrent_units=16", "GRU of 16 units", 0, 0},
    {"units-64", "recurrent_units=64", "GRU of 64 units", 0, 0},
    {"units-128", "recurrent_units=128", "GRU of 128 units", 0, 0},
    {"half", "context_scale=0.5", "context_scale 0.5", 0, 0},
    {"fifth", "context_scale=0.2", "context_scale 0.2", 0, 0},
    {"no-decay", "context_decay=-1", "weights of the context: random at first, no decay", 0, 0},
    {"raw", "raw_frames=1 context_scale=1", "frames not standardised: pixel / 255", 0, 0},
    {"raw-half", "raw_frames=1 context_scale=0.5", "the same with context_scale 0.5", 0, 0},
    {"gate", "fusion=gate", "fusion: gate", 0, 0},
    {"sum", "fusion=sum", "fusion: sum", 0, 0},
    {"lstm", "cell=lstm", "cell: LSTM", 0, 0},
    {"mingru", "cell=mingru", "cell: minGRU", 0, 0},
    {"unrolled", "carry_state=0", "acting unrolls the window at each step", 0, 0},
    {"actions", "feed_action=1", "the recurrent net also gets action and reward", 0, 0},
    {NULL, NULL, NULL, 0, 0}};

/* The same for enlarged frames. NONE shows the score that an agent with memory must reach, too, in
   games that need no memory. */
static const variant size_ablations[] = {
    {"RISE", "memory=rise", "downsampled to 22 x 22 half floats, GRU 64, concat", 0, 0},
    {"NONE", "memory=none", "no memory: sees the last 4 frames", 0, 0},
    {"scale-0.05", "context_scale=0.05", "context_scale 0.05", 0, 0},
    {"scale-0.2", "context_scale=0.2", "context_scale 0.2", 0, 0},
    {"scale-0.5", "context_scale=0.5", "context_scale 0.5", 0, 0},
    {"no-decay", "context_decay=-1", "weights of the context: random at first, no decay", 0, 0},
    {"gate", "fusion=gate", "fusion: gate", 0, 0},
    {"sum", "fusion=sum", "fusion: sum", 0, 0},
    {"norm", "layer_norm=1", "layer norm in the heads", 0, 0},
    {"raw", "raw_frames=1 context_scale=1", "frames not standardised: pixel / 255", 0, 0},
    {"raw-0.05", "raw_frames=1 context_scale=0.05", "the same with context_scale 0.05", 0, 0},
    {"signs", "embedding=signs", "frozen encoder: random projection by signs", 0, 0},
    {"gaussian", "embedding=gaussian", "frozen encoder: dense Gaussian projection", 0, 0},
    {"sparse", "embedding=sparse", "frozen encoder: sparse random projection", 0, 0},
    {"conv", "embedding=conv", "frozen encoder: random conv net", 0, 0},
    {"size-64", "embedding_size=64", "embeddings of 64 numbers", 0, 0},
    {"window-8", "window=8", "window of 8 frames", 0, 0},
    {"window-32", "window=32", "window of 32 frames", 0, 0},
    {"units-32", "recurrent_units=32", "GRU of 32 units", 0, 0},
    {"units-256", "recurrent_units=256", "GRU of 256 units", 0, 0},
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
    int size;                /* side of the enlarged frames; 0: one pixel a cell */
    char common[TEXT / 4];   /* settings of all kinds, applied before the kind's own */
    char command[TEXT];      /* the command line */
    int processes, report_only;
    pid_t driver;          /* the parent of all processes that train */
    int ablation;          /* 1: many variants, and the figure has a row for each */
    double share;          /* of each budget */
    char folder[PATH / 2]; /* holds the runs' files */
    char report[PATH / 2]; /* beginning of the names of the report's files */
    char title[2 * NAME];
    game games[GAMES_MAX];
    double low[GAMES_MAX]; /* the game's score that is normalised to 0 */
    run runs[GAMES_MAX][VARIANTS_MAX][SEEDS_MAX];
} bench;

static int failed(const char *what, const char *why)
{
    fprintf(stderr, "learn: %s: %s\n", what, why);
    return 0;
}

/* Initialises a game by its name; "blink-30" is the game blink with length 30. */
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
        if (length <= 0) kind = GAME_KINDS; /* "catch-", "corridor-x" */
    }
    return (kind != GAME_KINDS && game_init(g, kind, length, 1)) ||
           failed(name, "no such game, or no such length");
}

/* Returns the share of the game's budget that the variant gets. */
static double share_of(const variant *v) { return v->share > 0 ? v->share : 1; }

/* Returns the steps of a run. */
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
    if (snprintf(settings, sizeof settings, "%s %s", b->common, b->variants[v].settings) >=
        (int)sizeof settings)
        return failed(b->variants[v].name, "the settings are too long");
    for (word = strtok(settings, " "); word != NULL; word = strtok(NULL, " "))
        if (rise_agent_set(desc, word, &error) != RISE_OK)
            return failed(b->variants[v].name, error.text);
    return 1;
}

/* A description as text, a field a line. */
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

/* Returns a hash (FNV-1a) of the frames and rewards of random play. The hash changes when the rules
   of the game change, or when frames are enlarged in another way. */
static uint32_t game_hash(const game *like)
{
    static uint8_t view[GAME_SIDE * GAME_SIDE];
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
        game_view(&g, view);
        for (j = 0; j < game_width(&g) * game_height(&g); j++) hash = (hash ^ view[j]) * 16777619u;
    }
    return hash;
}

/* Appends to `line` every field that is not 0. */
static void add_fields(const rise_agent_desc *desc, char *line, size_t size)
{
    static listing all, zeros;
    rise_agent_desc zero;
    const char *a = all.text, *z = zeros.text;
    size_t length = strlen(line);
    memset(&zero, 0, sizeof zero);
    all.length = zeros.length = 0;
    rise_agent_describe(desc, listing_add, &all);
    rise_agent_describe(&zero, listing_add, &zeros);
    /* `a` may have more lines: the conv layers come last */
    while (a < all.text + all.length) {
        size_t const n = strcspn(a, "\n"), m = z < zeros.text + zeros.length ? strcspn(z, "\n") : 0;
        if ((n != m || memcmp(a, z, n) != 0) && length + n + 2 <= size)
            length += (size_t)snprintf(line + length, size - length, " %.*s", (int)n, a);
        a += n + 1, z += m + 1;
    }
}

/* Returns a hash (FNV-1a) of all fields that are not 0 when defaults are filled in. A changed
   default changes the hash. A new field whose default is 0 does not. */
static uint32_t desc_hash(const rise_agent_desc *desc)
{
    char text[4 * TEXT] = "";
    rise_agent_desc resolved = *desc;
    uint32_t hash = 2166136261u;
    size_t i;
    rise_agent_resolve(&resolved, NULL);
    add_fields(&resolved, text, sizeof text);
    for (i = 0; text[i] != '\0'; i++) hash = (hash ^ (uint8_t)text[i]) * 16777619u;
    return hash;
}

/* Writes the first line of a run's file: hashes of game and agent, and every field that was set. A
   run is not repeated if its file has the same first line. */
static void run_line(const bench *b, int t, int v, const rise_agent_desc *desc, char *line,
                     size_t size)
{
    snprintf(line, size, "# %s rules=%08x agent=%08x steps=%.0f points=%d", b->tasks[t].name,
             (unsigned)game_hash(&b->games[t]), (unsigned)desc_hash(desc), steps_of(b, t, v),
             POINTS);
    add_fields(desc, line, size);
}

static void run_path(const bench *b, int t, int v, int seed, char *path, size_t size)
{
    char *slash;
    int const length = snprintf(path, size, "%s/", b->folder);
    snprintf(path + length, size - (size_t)length, "%s-%s-%d.csv", b->tasks[t].name,
             b->variants[v].name, seed);
    /* a variant's name may have slashes, a file's name may not */
    for (slash = path + length; (slash = strchr(slash, '/')) != NULL;) *slash = '_';
}

/* Reads a run's file. Returns 1 if the run is complete and had exactly these settings. */
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

/* Trains one agent and writes its evaluations to `file`. */
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
        fflush(file); /* the file can be read during the run */
    }
    rise_agent_destroy(training.agent);
    return 1;
}

/* Makes a run. Its file gets its name when the run is complete. */
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

/* Makes all runs that are not complete. Seeds are the outermost loop: a report before the end then
   covers every game. Starts no new run after one has failed, and returns 0. */
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
                if (running == b->processes && !wait_for_one(&running)) {
                    good = 0;
                    break;
                }
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
    AT_BEST,    /* the best evaluation; memory.c keeps the weights of this one */
    AT_STEPS,   /* after a share of the game's budget of steps */
    AT_SECONDS, /* after a time of training */
    IN_ITS_TIME /* after the time in which the reference's run with the same seed ended */
} measure;

typedef enum group { NEEDS_MEMORY, NO_MEMORY, GROUPS } group;

/* Returns the group of a game. A game needs memory if the best score exceeds the best score without
   memory by more than 4 times `margin`. `margin` is 0 in games that are not sampled. */
static group group_of(const bench *b, int t)
{
    const game_spec *const spec = b->games[t].spec;
    return spec->best - spec->without_memory > 4 * spec->margin ? NEEDS_MEMORY : NO_MEMORY;
}

/* Returns the mean score of random play. */
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

/* Returns the mean of LAST evaluations; `last` is the index of the latest one. */
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

/* Returns the index of the variant to which all others are compared: RISE or, without a variant of
   this name, the first. */
static int reference_of(const bench *b)
{
    int v = 0;
    while (v < b->variant_count && strcmp(b->variants[v].name, "RISE") != 0) v++;
    return v < b->variant_count ? v : 0;
}

/* Returns the score of seed i + 1; `where` is a share of the budget or a time in seconds. */
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

/* Returns whether a variant has a complete run of this game and seed, and the reference, too. */
static int both_complete(const bench *b, int t, int v, int i)
{
    return b->runs[t][v][i].complete && b->runs[t][reference_of(b)][i].complete;
}

/* Returns whether a game counts: for each variant there is a seed of which both the variant and the
   reference have a complete run. */
static int counts(const bench *b, int t)
{
    int v, i;
    for (v = 0; v < b->variant_count; v++) {
        for (i = 0; i < b->seeds && !both_complete(b, t, v, i); i++) continue;
        if (i == b->seeds) return 0;
    }
    return 1;
}

/* Returns whether a run counts: its game counts, the run is complete, and so is the reference's run
   with the same seed. The tables and figures show only runs that count. The CSV file has all
   complete runs. */
static int paired(const bench *b, int t, int v, int i)
{
    return both_complete(b, t, v, i) && counts(b, t);
}

static int games_that_count(const bench *b)
{
    int t, games = 0;
    for (t = 0; t < b->task_count; t++) games += counts(b, t);
    return games;
}

/* Returns the normalised scores of a variant in the games of a group; if `only` is not negative, in
   that game alone. */
static stats_scores gather(const bench *b, int v, group which, int only, measure how, double where)
{
    stats_scores s;
    int t, i;
    memset(&s, 0, sizeof s);
    for (t = 0; t < b->task_count; t++) {
        int *const seeds = &s.seeds[s.games];
        if (group_of(b, t) != which || (only >= 0 && only != t) || !counts(b, t)) continue;
        for (i = 0; i < b->seeds; i++)
            if (paired(b, t, v, i))
                s.at[s.games][(*seeds)++] = normalised(b, t, run_score(b, t, v, i, how, where));
        s.games++;
    }
    return s;
}

/* Time and success of a variant's runs in a group. */
typedef struct cost {
    double runs, seconds, updates;
    double solved; /* share of the runs that reached 0.9 */
    /* IQM of the share of the game's budget at which a run first reached 0.9; 1 if it never did */
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
            if (group_of(b, t) != which || (only >= 0 && only != t) || !paired(b, t, v, i))
                continue;
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
                                                 "Games that need little memory or none"};
static const char *const group_texts[GROUPS] = {
    "Score 0 is the best play of an agent that sees the last 4 frames and has no memory. Score 1 "
    "is\nthe best play.",
    "Score 0 is random play. Score 1 is the best play."};

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
    fprintf(file,
            "| kind | what | runs | score (IQM) | best evaluation (IQM) | "
            "score in %s's time (IQM) | P(%s scores more) | "
            "P(%s scores more in the same time) | runs that reached 0.9 | "
            "reached after (of the steps) | updates/s | ms an update | s a run |\n",
            name, name, name);
    fprintf(file, "|---|---|---|---|---|---|---|---|---|---|---|---|---|\n");
    for (v = 0; v < b->variant_count; v++) {
        stats_scores const end = gather(b, v, which, -1, AT_END, 0);
        stats_scores const best = gather(b, v, which, -1, AT_BEST, 0);
        stats_scores const then = gather(b, v, which, -1, IN_ITS_TIME, 0);
        cost const c = cost_of(b, v, which, -1);
        fprintf(file, "| %s | %s | %.0f |", b->variants[v].name, b->variants[v].text, c.runs);
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
        "- **Score**: the agent is evaluated %d times in a run. An evaluation plays every start "
        "of the game\n  greedily. The score is the mean of the last %d evaluations.\n"
        "- **Best evaluation**: the best of these evaluations. It is the score of a user who keeps "
        "the best\n  weights. The score is exact in games with few starts, and a little too high "
        "in sampled games.\n",
        POINTS, LAST);
    fprintf(file,
            "- **IQM**: interquartile mean, the mean of the middle half of all runs. In brackets: "
            "95%% intervals\n  by bootstrap with %d replicates; seeds are drawn within games.\n",
            STATS_REPLICATES);
    fprintf(file,
            "- **Score in %s's time**: the score at the time at which %s's run with the same seed "
            "ended.\n  Exploration and learning rate depend on the steps. A slower agent has made "
            "fewer steps by then, so\n  it still explores.\n"
            "- **P(%s scores more)**: the probability that a run of %s scores more than a run of "
            "this row, in\n  a random game; 0.5 means that both are equal.\n"
            "- **Reached after**: the share of the game's steps after which an evaluation first "
            "reached 0.9\n  (IQM). A run that never reached 0.9 counts as 100%%.\n",
            name, name, name, name);
    fprintf(file, "- **Seconds** are processor time of acting and learning with one thread, "
                  "without evaluation.\n");
    fprintf(file, "\n![%s](%s.svg)\n", b->title, report != NULL ? report + 1 : b->report);
}

static int write_table(const bench *b, const char *path)
{
    FILE *const file = fopen(path, "w");
    int const games = games_that_count(b);
    int t, v, i, counted = 0, bad;
    if (file == NULL) return failed(path, strerror(errno));
    for (t = 0; t < b->task_count; t++)
        for (v = 0; v < b->variant_count; v++)
            for (i = 0; i < b->seeds; i++) counted += paired(b, t, v, i);
    fprintf(file,
            "# %s\n\nMade from %d runs: %d games, up to %d seeds, %d kinds of agent. A run counts "
            "if %s\nhas a run with the same seed, and if every kind has at least one such run of "
            "the game. The\nsettings for each game are in examples/game_trainer.h. Kinds differ "
            "only in the settings that the\ntable names. The command:\n\n    %s\n\n",
            b->title, counted, games, b->seeds, b->variant_count,
            b->variants[reference_of(b)].name, b->command);
    if (games < b->task_count)
        fprintf(file, "Games left out, because a kind has no run of them that counts: %d.\n\n",
                b->task_count - games);
    print_terms(b, file);
    for (i = 0; i < GROUPS; i++) print_group(b, file, (group)i);
    fprintf(file, "\n## Every game\n\nMeans over seeds. The first score is in the game's own "
                  "points. All other scores are normalised.\n\n");
    fprintf(file,
            "| game | steps | kind | score | normalised | lowest to highest | best evaluation | "
            "score in %s's time | updates/s "
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

/* Returns the height of the legend. */
static int legend_height(const bench *b) { return 18 * ((b->variant_count + 1) / 2); }

static void svg_legend(const bench *b, FILE *file)
{
    int v;
    for (v = 0; v < b->variant_count; v++) {
        double const x = 60 + 430 * (v % 2), y = 50 + 18 * (v / 2);
        fprintf(file, "<path stroke-width=\"2\" stroke=\"#%06x\" d=\"M%.0f %.0fh24\"/>",
                (unsigned)b->variants[v].colour, x, y);
        fprintf(file, "<text x=\"%.0f\" y=\"%.0f\">%s: %s</text>\n", x + 30, y + 4,
                b->variants[v].name, b->variants[v].text);
    }
}

/* Returns the score, limited to what the panel shows. */
static double held(const chart_frame *f, double score)
{
    return fmax(f->low, fmin(f->high, score));
}

/* Draws a line through the estimates' values and a band between their lows and highs. Point i
   belongs to estimate i; points go from left to right. */
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
            if (group_of(b, t) == which && paired(b, t, v, i))
                longest = fmax(longest, run_seconds(&b->runs[t][v][i]));
    return longest;
}

/* Draws the IQM over steps or seconds. A curve over seconds ends with the longest run. */
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
    file = chart_svg_open(path, 860, 80 + legend_height(b) + 350 * groups,
                          "IQM of normalised scores, with 95% intervals");
    if (file == NULL) return failed(path, strerror(errno));
    svg_legend(b, file);
    for (i = 0; i < groups; i++)
        for (by_seconds = 0; by_seconds < 2; by_seconds++) {
            chart_frame f = {60, 0, 350, 250, 1, 0, 1, 0, 0, NULL};
            f.left += 430 * by_seconds;
            f.top = 90 + legend_height(b) + 350 * i;
            f.by_seconds = by_seconds;
            svg_iqm_panel(b, file, (group)used[i], f);
        }
    return chart_svg_close(file) || failed(path, "cannot be written");
}

/* Draws the panel of a game that counts: means over seeds, with a band from the lowest score to the
   highest. */
static void svg_game_panel(const bench *b, FILE *file, int t, chart_frame f)
{
    const game_spec *const spec = b->games[t].spec;
    int v, i, p;
    f.x_max = b->tasks[t].steps * b->share;
    f.high = spec->best;
    f.low = fmin(b->low[t], spec->without_memory) - 0.2;
    f.x_name = "";
    for (v = 0; v < b->variant_count; v++)
        for (i = 0; i < b->seeds; i++) {
            if (!paired(b, t, v, i)) continue;
            for (p = 0; p < b->runs[t][v][i].count; p++)
                f.low = fmin(f.low, b->runs[t][v][i].points[p].score);
        }
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
                if (!paired(b, t, v, i)) continue;
                e[p].value += score, e[p].low = fmin(e[p].low, score),
                                     e[p].high = fmax(e[p].high, score);
                seeds++;
            }
            e[p].value /= seeds;
            points[p].steps = points[p].seconds = steps_of(b, t, v) * p / POINTS;
        }
        svg_band(file, &f, b->variants[v].colour, points, e, POINTS + 1);
    }
}

static int write_games(const bench *b, const char *path)
{
    int const rows = (games_that_count(b) + 2) / 3;
    FILE *const file = chart_svg_open(path, 1000, 80 + legend_height(b) + 230 * rows,
                                      "Score over steps: mean, lowest and highest of all seeds");
    int t, panels = 0;
    if (file == NULL) return failed(path, strerror(errno));
    svg_legend(b, file);
    for (t = 0; t < b->task_count; t++) {
        chart_frame f = {60, 0, 250, 150, 1, 0, 1, 0, 0, NULL};
        if (!counts(b, t)) continue;
        f.left += 320 * (panels % 3);
        f.top = 95 + legend_height(b) + 230 * (panels / 3);
        svg_game_panel(b, file, t, f);
        panels++;
    }
    return chart_svg_close(file) || failed(path, "cannot be written");
}

/* Writes the figure of an ablation: a row for each variant, with its score and interval in the
   games that need memory. */
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
    if (complete == 0) return failed(b->report, "is not written, because no run is complete");
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
        "learn [options]: trains agents of several kinds on all games and reports their "
        "scores.\n\n"
        "  --size N         enlarges the games' frames to N x N pixels, such as 42 or 84, with\n"
        "                   games, budgets and a network for this size\n"
        "  --ablation       RISE with one setting changed at a time, instead of NONE, RISE, FULL\n"
        "  --kind NAME[:SETTINGS]\n"
        "                   compares this kind: \"one: memory=rise context_scale=1\".\n"
        "                   May be repeated, and replaces the list of kinds. The settings are\n"
        "                   fields of the description. NAME may be alone if it is in the list:\n"
        "                   --kind RISE. All are compared with RISE, or else with the first\n"
        "  --set SETTINGS   fields that all kinds have, unless a kind sets them. May not be\n"
        "                   repeated: write \"window=8 batch=64\"\n"
        "  --quick          three games, two seeds: two minutes\n"
        "  --games A,B      only these games, with their budgets; A:30000 has 30000 steps\n"
        "  --seeds N        seeds of each game and kind [5]\n"
        "  --share X        of each budget of steps [1]\n"
        "  --processes N    that train at a time [one for each processor]\n"
        "  --runs FOLDER    holds the runs; complete runs are not repeated\n"
        "                   [build/learn, build/learn-quick, build/ablation; with --size 84\n"
        "                   build/learn-84 and so on]\n"
        "  --report NAME    writes NAME.md, NAME.csv, NAME.svg and NAME-games.svg\n"
        "                   [report, in the folder of the runs]\n"
        "  --report-only    trains nothing and reports the runs that are complete\n");
}

/* Replaces all games by those of a list such as "catch,blink:9000". A budget that follows the name
   replaces the usual one. Returns 0 if a game has no budget or stands there twice, or if there was
   a list before. */
static int choose_games(bench *b, char *list)
{
    static task chosen[GAMES_MAX];
    const task *const usual = b->tasks;
    int const count = b->task_count;
    char *word;
    if (usual == chosen) return failed(list, "is a second list of games");
    b->tasks = chosen;
    b->task_count = 0;
    for (word = strtok(list, ","); word != NULL; word = strtok(NULL, ",")) {
        task *const to = &chosen[b->task_count];
        char *const colon = strchr(word, ':');
        int t = 0;
        if (b->task_count == GAMES_MAX) return failed(word, "is one game too many");
        if (colon != NULL) *colon = '\0';
        while (t < b->task_count && strcmp(chosen[t].name, word) != 0) t++;
        if (t < b->task_count) return failed(word, "stands in the list twice");
        t = 0;
        while (t < count && strcmp(usual[t].name, word) != 0) t++;
        if (t == count && colon == NULL)
            return failed(word, "has no budget here; write it after the name: catch:30000");
        to->name = word;
        to->steps = colon != NULL ? atof(colon + 1) : usual[t].steps;
        if (!(to->steps > 0)) return failed(word, "needs a number of steps above 0");
        b->task_count++;
    }
    return b->task_count > 0;
}

/* Chooses the games, kinds and seeds of a benchmark. */
static void choose(bench *b, const char *title, const char *folder, const task *tasks,
                   const variant *variants)
{
    char size[NAME + 20] = "";
    if (b->size > 0) snprintf(size, sizeof size, "-%d", b->size);
    snprintf(b->folder, sizeof b->folder, "%s%s", folder, size);
    if (b->size > 0) snprintf(size, sizeof size, ", with frames of %d x %d", b->size, b->size);
    snprintf(b->title, sizeof b->title, "%s%s", title, size);
    b->tasks = tasks;
    b->variants = variants;
    b->seeds = 5;
    for (b->task_count = 0; tasks[b->task_count].name != NULL;) b->task_count++;
    for (b->variant_count = 0; variants[b->variant_count].name != NULL;) b->variant_count++;
}

/* Returns the kind of that name from the lists above; NULL if there is none. */
static const variant *variant_named(const char *name)
{
    static const variant *const lists[] = {kinds, size_ablations, ablations};
    const variant *v;
    int i;
    for (i = 0; i < 3; i++)
        for (v = lists[i]; v->name != NULL; v++)
            if (strcmp(v->name, name) == 0) return v;
    return NULL;
}

/* Adds a kind such as "gru: cell=gru window=32", or one of the lists by its name. The first one
   replaces all kinds. */
static int add_variant(bench *b, char *text)
{
    static const int colours[] = {0x2DA44E, 0xBF3989, 0x9A6700, 0x57606A, 0x3B8EDB, 0x8250DF};
    static variant list[VARIANTS_MAX];
    char *settings = strchr(text, ':');
    const variant *known;
    variant *v;
    int i;
    if (b->variants != list) b->variants = list, b->variant_count = 0;
    if (b->variant_count == VARIANTS_MAX) return failed(text, "too many kinds");
    if (settings != NULL) *settings++ = '\0', settings += strspn(settings, " ");
    for (i = 0; i < b->variant_count; i++)
        if (strcmp(list[i].name, text) == 0) return failed(text, "two kinds have this name");
    known = variant_named(text);
    v = &list[b->variant_count++];
    if (known == NULL && settings == NULL)
        return failed(text, "not a known kind, and without settings");
    if (known != NULL) *v = *known;
    v->name = text;
    if (v->colour == 0) v->colour = colours[(v - list) % 6];
    if (settings != NULL) v->settings = v->text = settings;
    return 1;
}

/* Copies a value of the command line. Returns 0 if it is too long. */
static int take(char *to, size_t size, const char *value)
{
    return snprintf(to, size, "%s", value) < (int)size;
}

/* Adds settings of all kinds. Returns 0 if they are too long. */
static int add_settings(bench *b, const char *value)
{
    size_t const length = strlen(b->common);
    return snprintf(b->common + length, sizeof b->common - length, "%s%s", length > 0 ? " " : "",
                    value) < (int)(sizeof b->common - length);
}

static int parse_value(bench *b, const char *name, char *value)
{
    if (strcmp(name, "--size") == 0) return b->size > 0; /* parse_first has read the value */
    if (strcmp(name, "--games") == 0) return choose_games(b, value);
    if (strcmp(name, "--kind") == 0) return add_variant(b, value);
    if (strcmp(name, "--set") == 0) return add_settings(b, value);
    if (strcmp(name, "--seeds") == 0) return (b->seeds = atoi(value)) >= 1 && b->seeds <= SEEDS_MAX;
    if (strcmp(name, "--processes") == 0) return (b->processes = atoi(value)) >= 1;
    if (strcmp(name, "--share") == 0) return (b->share = atof(value)) > 0;
    if (strcmp(name, "--runs") == 0) return take(b->folder, sizeof b->folder, value);
    if (strcmp(name, "--report") == 0) return take(b->report, sizeof b->report, value);
    return 0;
}

/* Chooses the benchmark by --size, --ablation and --quick, which may be anywhere in the command. */
static int parse_first(bench *b, int argc, char **argv)
{
    int i, quick = 0, length = 0;
    for (i = 0; i < argc; i++) {
        int const blanks = strpbrk(argv[i], " *") != NULL;
        length += snprintf(b->command + length, sizeof b->command - (size_t)length,
                           blanks ? "%s\"%s\"" : "%s%s", i > 0 ? " " : "", argv[i]);
        if (length >= (int)sizeof b->command) return failed(argv[i], "the command is too long");
        b->ablation = b->ablation || strcmp(argv[i], "--ablation") == 0;
        quick = quick || strcmp(argv[i], "--quick") == 0;
        if (strcmp(argv[i], "--size") != 0 || i + 1 == argc) continue;
        b->size = atoi(argv[i + 1]);
        if (b->size < SIZE_LEAST || b->size > GAME_SIDE)
            return failed(argv[i + 1], "the size must be between 42 and 84");
    }
    if (b->ablation)
        choose(b, "RISE with one setting changed", "build/ablation",
               b->size > 0 ? size_ablation_tasks : ablation_tasks,
               b->size > 0 ? size_ablations : ablations);
    else
        choose(b, "What memory is worth", "build/learn", b->size > 0 ? size_tasks : main_tasks,
               b->size > 0 ? size_kinds : kinds);
    if (!quick) return 1;
    choose(b, "What memory is worth, quickly", "build/learn-quick", quick_tasks, b->variants);
    b->seeds = 2;
    return 1;
}

/* Initialises all games. Checks the settings of all kinds now: a run may begin an hour later. */
static int prepare(bench *b)
{
    rise_agent_desc desc;
    rise_error error;
    int t, v;
    for (t = 0; t < b->task_count; t++) {
        if (!game_from(&b->games[t], b->tasks[t].name)) return 0;
        b->games[t].side = b->size;
        for (v = 0; v < b->variant_count; v++) {
            if (!describe(b, t, v, 1, &desc)) return 0;
            if (rise_agent_resolve(&desc, &error) != RISE_OK)
                return failed(b->variants[v].name, error.text);
        }
    }
    return 1;
}

static int parse(bench *b, int argc, char **argv)
{
    int i;
    if (!parse_first(b, argc, argv)) return 0;
    b->processes = (int)sysconf(_SC_NPROCESSORS_ONLN);
    b->share = 1;
    for (i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--report-only") == 0)
            b->report_only = 1;
        else if (strcmp(argv[i], "--quick") == 0 || strcmp(argv[i], "--ablation") == 0)
            continue;
        else if (i + 1 >= argc || !parse_value(b, argv[i], argv[i + 1]))
            return failed(argv[i], "wrong option or value; try --help");
        else
            i++;
    }
    if (b->report[0] == '\0') snprintf(b->report, sizeof b->report, "%.150s/report", b->folder);
    return 1;
}

int main(int argc, char **argv)
{
    static bench b;
    if (argc > 1 && strcmp(argv[1], "--help") == 0) return print_help(), 0;
    if (!parse(&b, argc, argv) || !prepare(&b)) return 2;
    if (mkdir(b.folder, 0777) != 0 && errno != EEXIST) return !failed(b.folder, strerror(errno));
    if (!b.report_only && !bench_run(&b)) return 1;
    return bench_report(&b) ? 0 : 1;
}
