/* Measures what demonstrations are worth. An agent learns two games without demonstrations, and
   with 20 episodes of a scripted expert. The episodes begin at all starts in turn, or in one row at
   random starts. In one row, a third of the expert's actions are random. Agents with demonstrations
   also have the settings `taught`. Prints a Markdown table.

       make bench-teach [BENCH="--game corridor --seeds 2 --set demonstration_weight=0.1"]

   Environment 0 is the agent's. Environment 1 is a demonstrator: it plays all demonstrations at the
   start, and is absent from then on. Between both, the agent learns from the demonstrations alone.
   Only steps of environment 0 count.

   Score: the mean over all starts of the game, each played greedily. A run ends when LAST
   evaluations in a row have reached the goal. Its result is the number of steps at the first of
   them. Two evaluations are EVERY steps apart, or 5% of the steps so far if that is more. */
#include "../examples/game_trainer.h"

#define RISE_IMPLEMENTATION
#include "../rise.h"

enum { EVERY = 100, LAST = 3, SEEDS_MAX = 100, SETTINGS_MAX = 32 };

static const double goal = 95; /* percent of the best score */

typedef struct task {
    game_kind game;
    int length;
    double steps; /* budget of the agent's own steps */
} task;

typedef struct teaching {
    const char *name;
    int episodes, wrong; /* wrong: percent of the actions that are random */
    int any; /* 1: random starts, so some are never shown; 0: all starts in turn */
} teaching;

typedef struct options {
    game_kind game; /* GAME_KINDS: all */
    int row;        /* number of a teaching; -1: all */
    int seeds, first_seed, updates;
    double steps; /* 0: the task's budget */
    const char *settings[SETTINGS_MAX];
    int setting_count;
} options;

static const task tasks[] = {{GAME_CORRIDOR, 40, 100000}, {GAME_KEY_DOOR, 8, 100000}};
static const teaching teachings[] = {
    {"none", 0, 0, 0},
    {"20 episodes, all starts", 20, 0, 0},
    {"20 episodes, random starts", 20, 0, 1},
    {"20 episodes, all starts, a third wrong", 20, 33, 0}};
enum { ROWS = sizeof teachings / sizeof *teachings };

/* Settings of an agent with demonstrations; --set can change them. Without demonstrations, actions
   are random at first. With demonstrations, the agent explores little. */
static const char *const taught[] = {"epsilon_start=0.3", "demonstration_weight=0.3",
                                     "priority_exponent=-1"};

typedef struct run {
    const task *task;
    rise_agent *agent;
    game demonstrated, played;
    uint8_t frames[2 * GAME_PIXELS];
    float rewards[2];
    rise_event events[2];
    int actions[2];
    uint64_t random;
    double steps;   /* of environment 0 */
    double reached; /* steps at the first of the latest evaluations that reached the goal; -1 */
    int in_a_row;   /* how many they are */
    double score;   /* of the last evaluation */
} run;

static void failed(const char *text)
{
    fprintf(stderr, "teach: %s\n", text);
    exit(1);
}
static void step(run *r)
{
    int const pixels = r->played.spec->width * r->played.spec->height;
    game_view(&r->played, r->frames);
    game_view(&r->demonstrated, r->frames + pixels);
    if (rise_agent_observe(r->agent, r->frames, NULL, r->rewards, r->events, NULL, r->actions) !=
        RISE_OK)
        failed(rise_agent_error(r->agent)->text);
}
static rise_event event_of(const game *g)
{
    return !g->done ? RISE_MIDDLE : g->cut ? RISE_TRUNCATED : RISE_TERMINATED;
}
/* Moves the agent's game on after its action, or to the next episode. */
static void move(run *r)
{
    if (r->played.done) {
        game_reset(&r->played);
        r->events[0] = RISE_FIRST;
    } else {
        r->rewards[0] = game_step(&r->played, r->actions[0]);
        r->events[0] = event_of(&r->played);
        r->steps++;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* The expert */

/* Returns the best action of Corridor and Key-Door, from the state that the player cannot see. */
static int expert(const game *g)
{
    int door = 0;
    if (g->kind == GAME_CORRIDOR) return g->place < g->length ? 0 : 1 + g->start;
    if (g->place < g->length) return 1;
    while (game_door(g, door) != game_key(g)) door++;
    return door;
}
static int chance(run *r, int below)
{
    r->random = r->random * 6364136223846793005u + 1442695040888963407u;
    return (int)((r->random >> 33) % (uint64_t)below);
}
/* Begins demonstration number `index`. */
static void demonstrate_begin(game *g, const teaching *how, int index)
{
    if (how->any)
        game_reset(g);
    else
        game_start(g, index % g->spec->starts);
}
/* Returns the action of the expert, or a random one. */
static int demonstrated_action(run *r, const teaching *how)
{
    int const best = expert(&r->demonstrated);
    return chance(r, 100) < how->wrong ? chance(r, r->demonstrated.spec->actions) : best;
}
/* Plays the demonstrations without an agent. Returns their number of steps. Changes only the copy
   of the run. */
static int demonstrated_steps(run r, const teaching *how)
{
    int steps = 0, i;
    for (i = 0; i < how->episodes; i++)
        for (demonstrate_begin(&r.demonstrated, how, i); !r.demonstrated.done; steps++)
            game_step(&r.demonstrated, demonstrated_action(&r, how));
    return steps;
}
/* Plays the demonstrations, with the agent's environment absent. */
static void demonstrate(run *r, const teaching *how)
{
    game *const g = &r->demonstrated;
    int i;
    r->events[0] = RISE_ABSENT;
    for (i = 0; i < how->episodes; i++) {
        demonstrate_begin(g, how, i);
        r->events[1] = RISE_FIRST;
        while (!g->done) {
            r->actions[1] = demonstrated_action(r, how);
            step(r);
            r->rewards[1] = game_step(g, r->actions[1]);
            r->events[1] = event_of(g);
        }
        step(r);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* A run */

static void begin(run *r, const options *o, const task *t, const teaching *how, int seed)
{
    double const steps = o->steps > 0 ? o->steps : t->steps;
    rise_agent_desc d;
    rise_error error;
    int i;
    memset(r, 0, sizeof *r);
    r->task = t;
    r->random = (uint64_t)seed;
    game_init(&r->played, t->game, t->length, (uint64_t)(2 * seed));
    game_init(&r->demonstrated, t->game, t->length, (uint64_t)(2 * seed + 1));
    d = trainer_desc(&r->played, steps, seed);
    d.environments = 1, d.players = 1;
    d.epsilon_steps = 10000;
    if (how->episodes > 0) {
        d.environments = 2, d.demonstrators = 1;
        d.learn_start = demonstrated_steps(*r, how);
        for (i = 0; i < (int)(sizeof taught / sizeof *taught); i++)
            rise_agent_set(&d, taught[i], NULL);
    }
    for (i = 0; i < o->setting_count; i++)
        if (rise_agent_set(&d, o->settings[i], &error) != RISE_OK) failed(error.text);
    if (rise_agent_create(&r->agent, &d, &error) != RISE_OK) failed(error.text);
    r->reached = -1;
}
static int evaluate(run *r)
{
    r->score = trainer_score(r->agent, &r->played);
    if (game_percent(r->played.spec, r->score) < goal) {
        r->in_a_row = 0;
        r->reached = -1;
    } else if (r->in_a_row++ == 0) {
        r->reached = r->steps;
    }
    return r->in_a_row == LAST;
}
static void train(run *r, const options *o, const teaching *how)
{
    double const steps = o->steps > 0 ? o->steps : r->task->steps;
    double next = 0;
    int i;
    if (how->episodes > 0) demonstrate(r, how);
    for (i = 0; how->episodes > 0 && i < o->updates; i++)
        if (rise_agent_learn(r->agent) != RISE_OK) failed(rise_agent_error(r->agent)->text);
    r->events[0] = RISE_FIRST;
    r->events[1] = RISE_ABSENT;
    for (;;) {
        if (r->steps >= next) {
            if (evaluate(r) || r->steps >= steps) break;
            next = r->steps + fmax(EVERY, r->steps / 20);
        }
        r->actions[0] = -1;
        step(r);
        move(r);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* The table */

static int ascending(const void *a, const void *b)
{
    double const x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* Trains all seeds and prints a row: how many reached the goal, and the least, median and most
   steps. A run that missed the goal counts as the budget. */
static void print_row(const options *o, const task *t, const teaching *how)
{
    double const budget = o->steps > 0 ? o->steps : t->steps;
    double steps[SEEDS_MAX];
    int reached = 0, i;
    for (i = 0; i < o->seeds; i++) {
        run *const r = (run *)malloc(sizeof *r);
        if (r == NULL) failed("out of memory");
        begin(r, o, t, how, o->first_seed + i);
        train(r, o, how);
        reached += r->in_a_row == LAST;
        steps[i] = r->in_a_row == LAST ? r->reached : budget;
        fprintf(stderr, "%s, %s, seed %d: %.0f, score %+.2f\n", r->played.spec->name, how->name,
                o->first_seed + i, r->in_a_row == LAST ? r->reached : -1, r->score);
        rise_agent_destroy(r->agent);
        free(r);
    }
    qsort(steps, (size_t)o->seeds, sizeof *steps, ascending);
    printf("| %s-%d | %s | %d of %d | %.0f | %.0f | %.0f |\n", game_spec_of(t->game)->name,
           t->length, how->name, reached, o->seeds, steps[0], steps[o->seeds / 2],
           steps[o->seeds - 1]);
    fflush(stdout);
}
static void usage(void)
{
    failed("options: --game corridor|key-door, --row 0..3, --seeds N, --seed N, --steps N, "
           "--updates N, --set FIELD=VALUE");
}
static void parse(options *o, int count, char **words)
{
    int i;
    for (i = 1; i + 1 < count; i += 2) {
        const char *const name = words[i], *const value = words[i + 1];
        if (strcmp(name, "--game") == 0 && game_named(value) != tasks[0].game &&
            game_named(value) != tasks[1].game)
            usage();
        else if (strcmp(name, "--game") == 0)
            o->game = game_named(value);
        else if (strcmp(name, "--row") == 0)
            o->row = atoi(value);
        else if (strcmp(name, "--seeds") == 0)
            o->seeds = atoi(value);
        else if (strcmp(name, "--seed") == 0)
            o->first_seed = atoi(value);
        else if (strcmp(name, "--steps") == 0)
            o->steps = atof(value);
        else if (strcmp(name, "--updates") == 0)
            o->updates = atoi(value);
        else if (strcmp(name, "--set") == 0 && o->setting_count < SETTINGS_MAX)
            o->settings[o->setting_count++] = value;
        else
            usage();
    }
    if (i < count || o->seeds < 1 || o->seeds > SEEDS_MAX || o->row >= ROWS) usage();
}
int main(int count, char **words)
{
    options o;
    int t, row;
    memset(&o, 0, sizeof o);
    o.game = GAME_KINDS;
    o.row = -1;
    o.seeds = 5;
    o.first_seed = 1;
    o.updates = 3000;
    parse(&o, count, words);
    printf("| game | demonstrations | goal reached | least steps | median steps | most steps |\n"
           "|---|---|---|---|---|---|\n");
    for (t = 0; t < (int)(sizeof tasks / sizeof *tasks); t++)
        for (row = 0; row < ROWS; row++)
            if ((o.game == GAME_KINDS || o.game == tasks[t].game) && (o.row < 0 || o.row == row))
                print_row(&o, &tasks[t], &teachings[row]);
    return 0;
}
