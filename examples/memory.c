/* Compares agents with and without memory: three agents learn a game that needs memory. NONE sees
   the last four frames. RISE adds a recurrent net over stored embeddings of past frames. FULL runs
   a recurrent net over conv features, which each update computes again. Without --minutes, NONE and
   RISE take the same number of steps. FULL stops after this number of steps, or after the time that
   RISE took. Runs for about 12 seconds. --help lists thirteen games and all options.

       cc -O2 examples/memory.c -o memory -lm && ./memory

   You can show the agents what to do: --teach records episodes that you play, and --demonstrations
   trains from them.

       ./memory --game key-door --teach key-door.txt
       ./memory --game key-door --memory rise --demonstrations key-door.txt
*/
#include "chart.h" /* first: defines _DEFAULT_SOURCE */
#include "command_line.h"
#include "game_trainer.h"
#include "self_test.h"
#include "teach.h"

#define RISE_IMPLEMENTATION
#include "../rise.h"

/* Scores in percent: see game_percent. */
static const double almost = 90, goal = 95, solved = 99;

/* ---------------------------------------------------------------------------------------------- */
/* Options and runs */

enum { MAX_SEEDS = 1000, KINDS = 3 };

static const struct {
    const char *name, *text;
    int colour;
} kinds[KINDS] = {
    /* in the order of rise_memory */
    {"RISE", "recurrent, stored embeddings", 0xE8710A},
    {"NONE", "last four frames", 0x8C8C8C},
    {"FULL", "recurrent, conv features", 0x3B8EDB},
};

typedef struct options {
    game_kind game;
    int length;
    int show;                           /* 1: a run of each kind; 0: one kind, all seeds */
    rise_memory memory;                 /* the kind that decides the exit status */
    const char *settings;               /* lines "field=value" for every agent; NULL: none */
    int seed, seeds;
    double steps, seconds; /* limits of a run; 0: the recipe's steps, no time limit */
    int watch;
    const char *save, *svg;
    const char *teach, *demonstrations; /* files; see teach.h */
} options;

typedef struct run {
    rise_memory memory;
    int seed;
    double steps_budget, seconds_budget;
    int stop_when_solved;
    /* steps so far; seconds of acting and learning, without evaluation and drawing; latest score.
       With demonstrations, the seconds include the time to create the agent. */
    chart_point now;
    chart_point best; /* the best evaluation */
    double updates;
    chart_curve *curve;         /* has a point for each evaluation */
    chart_point almost, solved; /* first evaluation of at least 90%, 99%; all 0: none */
} run;

/* The speed of the run: exponential moving averages with a time constant of 3 s. */
typedef struct pace {
    double at, steps, updates, epsilon; /* the last reading */
    double steps_a_second, updates_a_second;
} pace;

typedef struct session {
    options options;
    command_line line; /* holds the strings of `options` */
    const game_spec *spec;
    char title[40];           /* the game's name with its length */
    char svg[48], policy[48]; /* default paths, made from the title */
    run *runs;
    chart_curve *curves; /* one for each run */
    int run_count, begun;
    demonstrations shown_by; /* episodes that a person played; count 0: none */
    trainer training;
    /* The weights at the best evaluation. Scores rise and fall in training, so the last weights
       are not always the best. */
    rise_real *best;
    size_t weights;
    rise_agent *kept; /* the best agent of the kind that decides the exit status */
    double kept_score;
    terminal screen;
    pace speed;
    /* The episode of the live view, played by the agent in training. The agents train on games of
       the kind and length of shown.state. */
    episode shown;
    int pause;     /* pictures in which the end of the episode is still shown */
} session;

/* ---------------------------------------------------------------------------------------------- */
/* Training */

static int training_begin(session *s, const run *r)
{
    rise_agent_desc desc = trainer_desc(&s->shown.state, r->steps_budget, r->seed);
    rise_error error;
    rise_metrics metrics;
    if (s->shown_by.count > 0) trainer_desc_taught(&desc, &s->shown_by);
    command_set_fields(s->options.settings, &desc, &error);
    desc.memory = r->memory;
    if (trainer_begin(&s->training, &s->shown.state, &desc, &error) != RISE_OK) {
        fprintf(stderr, "memory: %s\n", error.text);
        return 0;
    }
    rise_agent_metrics(s->training.agent, &metrics);
    s->weights = metrics.parameters;
    s->best = (rise_real *)calloc(s->weights, sizeof *s->best);
    if (s->best == NULL) return fprintf(stderr, "memory: out of memory\n"), 0;
    if (s->shown_by.count == 0 || trainer_demonstrate(&s->training, &s->shown_by)) return 1;
    fprintf(stderr, "memory: %s\n", rise_agent_error(s->training.agent)->text);
    return 0;
}

static int run_evaluated(const run *r) { return r->curve->count > 0; }

/* Returns whether `almost` or `solved` of a run is set. The steps of this point are 0 if learning
   from demonstrations took all the time. */
static int happened(const chart_point *p) { return p->steps > 0 || p->seconds > 0; }

static void run_evaluate(session *s, run *r)
{
    int const first = !run_evaluated(r);
    double percent;
    r->now.score = trainer_score(s->training.agent, &s->shown.state);
    percent = game_percent(s->spec, r->now.score);
    if (r->curve->count < CHART_POINTS) r->curve->points[r->curve->count++] = r->now;
    if (first || r->now.score > r->best.score) {
        r->best = r->now;
        memcpy(s->best, rise_agent_parameters(s->training.agent), s->weights * sizeof *s->best);
    }
    if (!happened(&r->almost) && percent >= almost) r->almost = r->now;
    if (!happened(&r->solved) && percent >= solved) r->solved = r->now;
    if (happened(&r->solved) && r->stop_when_solved) r->steps_budget = r->now.steps;
}

static int run_over(const run *r)
{
    return terminal_interrupted || r->now.steps >= r->steps_budget ||
           r->now.seconds >= r->seconds_budget;
}

/* Copies the weights of the best evaluation back into the agent. Keeps the best agent of the kind
   that decides the exit status. Destroys all other agents, and each agent without an evaluation. */
static void training_end(session *s, const run *r)
{
    trainer *const t = &s->training;
    rise_agent *unwanted = t->agent;
    if (run_evaluated(r))
        memcpy(rise_agent_parameters(t->agent), s->best, s->weights * sizeof *s->best);
    if (run_evaluated(r) && r->memory == s->options.memory &&
        (s->kept == NULL || r->best.score > s->kept_score)) {
        unwanted = s->kept;
        s->kept = t->agent;
        s->kept_score = r->best.score;
    }
    rise_agent_destroy(unwanted);
    free(s->best);
    t->agent = NULL;
    s->best = NULL;
}

static void view_begin(session *s);
static void view_update(session *s, run *r, double period);

/* Trains one agent from the start. Returns 0 if it cannot be created or fails. */
static int run_train(session *s, run *r)
{
    trainer *const t = &s->training;
    double const every =
        fmax(recipe_of(s->options.game)->evaluate_every, r->steps_budget / (CHART_POINTS - 2));
    double const begun = terminal_seconds();
    double next = 0;
    int steps = 0;
    if (!training_begin(s, r)) return 0;
    if (s->shown_by.count > 0) r->now.seconds = terminal_seconds() - begun;
    s->begun++;
    view_begin(s);
    while (steps >= 0 && !run_over(r)) {
        double const begin = terminal_seconds();
        steps = trainer_tick(t);
        if (steps > 0) r->now.steps += steps;
        r->now.seconds += terminal_seconds() - begin;
        if (r->now.steps >= next || run_over(r)) {
            run_evaluate(s, r);
            next = r->now.steps + every;
        }
        view_update(s, r, s->screen.live ? 0.1 : 5);
    }
    /* demonstrations may have taken all the time */
    if (steps >= 0 && !run_evaluated(r) && !terminal_interrupted) run_evaluate(s, r);
    view_update(s, r, 0);
    if (steps < 0) fprintf(stderr, "memory: %s\n", rise_agent_error(t->agent)->text);
    training_end(s, r);
    return steps >= 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* The view during training: a picture, or a line of text every five seconds */

/* Returns the share of the run that is done, 0 to 1. */
static double run_share(const run *r)
{
    return fmin(1, fmax(r->now.steps / r->steps_budget, r->now.seconds / r->seconds_budget));
}

/* Returns the seconds that are left at the present speed; 0 before learning starts. */
static double run_left(const run *r, const pace *p)
{
    double const by_steps = (r->steps_budget - r->now.steps) / fmax(p->steps_a_second, 1);
    return p->updates > 0 ? fmax(0, fmin(by_steps, r->seconds_budget - r->now.seconds)) : 0;
}

/* Writes speed and remaining time into `text`. */
static void run_pace(const run *r, const pace *p, char *text, size_t size)
{
    int const left = (int)fmin(run_left(r, p), 1e9);
    int const length = snprintf(text, size, "%.0f steps/s  %.0f updates/s  %.0f%% random actions",
                                p->steps_a_second, p->updates_a_second, 100 * p->epsilon);
    if (p->updates > 0 && length > 0)
        snprintf(text + length, size - (size_t)length, "  %d:%02d left", left / 60, left % 60);
}

static chart chart_of(const session *s)
{
    chart c;
    c.title = s->title;
    c.curves = s->curves;
    c.count = s->begun;
    c.levels[0].name = c.levels[0].brief = "best";
    c.levels[0].score = s->spec->best;
    c.levels[1].name = "best without memory";
    c.levels[1].brief = "no memory";
    c.levels[1].score = s->spec->without_memory;
    c.level_count = s->spec->without_memory < s->spec->best ? 2 : 1;
    return c;
}

/* Draws the line of one run in the live view: progress, steps, time and the latest score. */
static void view_status(const session *s, terminal *t, int row, const run *r)
{
    int const ink = kinds[r->memory].colour, waiting = r >= s->runs + s->begun;
    terminal_text(t, row, 2, ink, "%s", kinds[r->memory].name);
    if (!s->options.show) terminal_text(t, row, 7, TERMINAL_PLAIN, "seed %d", r->seed);
    terminal_bar(t, row, 18, 20, waiting ? 0 : run_share(r), ink);
    if (!waiting)
        terminal_text(t, row, 40, TERMINAL_PLAIN, "%4.0fk steps %5.0f s   score %+.2f",
                      r->now.steps / 1000, r->now.seconds, r->now.score);
    else if (s->options.show && r->memory == RISE_MEMORY_FULL)
        terminal_text(t, row, 40, 0x8C8C8C, "may train as long as RISE");
}

/* Plays one step of the shown episode. After the last step, shows the end for eight pictures and
   then begins a new episode. */
static void view_play(session *s)
{
    if (!s->shown.state.done) {
        episode_step(&s->shown, s->training.agent, SHOWN);
        s->pause = 8;
    } else if (--s->pause <= 0) {
        game_reset(&s->shown.state);
        episode_begin(&s->shown, s->shown.state.start);
    }
}

static void view_draw(session *s, const run *r)
{
    terminal *const t = &s->screen;
    chart const c = chart_of(s);
    int const first = s->begun <= 3 ? 0 : s->begun - 3, beside = episode_columns(s->spec) + 4;
    char text[TERMINAL_COLUMNS];
    int i;
    view_play(s);
    terminal_clear(t);
    terminal_text(t, 0, 2, TERMINAL_PLAIN, "%s   (what the agent cannot see is drawn in amber)",
                  s->title);
    terminal_text(t, 1, 2, TERMINAL_PLAIN, "%s", s->spec->text);
    episode_draw(&s->shown, t, 3, 2);
    terminal_text(t, 3 + episode_rows(s->spec), 2, TERMINAL_PLAIN, "%s",
                  episode_caption(&s->shown));
    chart_draw(&c, t, 3, beside, 14, t->columns - beside, r->now.seconds + run_left(r, &s->speed));
    for (i = first; i < s->run_count && i < first + 3; i++)
        view_status(s, t, 18 + i - first, &s->runs[i]);
    run_pace(r, &s->speed, text, sizeof text);
    terminal_text(t, 21, 2, TERMINAL_PLAIN, "%s: %s", kinds[r->memory].name, text);
    terminal_show(t);
}

static void view_print(const session *s, const run *r)
{
    char text[TERMINAL_COLUMNS];
    run_pace(r, &s->speed, text, sizeof text);
    printf("%s seed %d %3.0f%% done  %4.0fk steps %5.0f s  score %+.2f  %s\n",
           kinds[r->memory].name, r->seed, 100 * run_share(r), r->now.steps / 1000, r->now.seconds,
           r->now.score, text);
    fflush(stdout);
}

static void view_begin(session *s)
{
    rise_metrics m;
    rise_agent_metrics(s->training.agent, &m);
    memset(&s->speed, 0, sizeof s->speed);
    s->speed.at = terminal_seconds();
    s->speed.updates = (double)m.updates; /* of demonstrations */
    game_reset(&s->shown.state);
    episode_begin(&s->shown, s->shown.state.start);
}

/* If at least `period` seconds have passed since the last time: reads the number of updates and the
   speed, and shows the state of the run. */
static void view_update(session *s, run *r, double period)
{
    pace *const p = &s->speed;
    double const now = terminal_seconds(), since = now - p->at;
    double const weight = p->steps > 0 ? 1 - exp(-since / 3) : 1;
    rise_metrics m;
    if (since < period || since <= 0) return;
    rise_agent_metrics(s->training.agent, &m);
    r->updates = (double)m.updates;
    p->steps_a_second += weight * ((r->now.steps - p->steps) / since - p->steps_a_second);
    p->updates_a_second += weight * ((r->updates - p->updates) / since - p->updates_a_second);
    p->at = now;
    p->steps = r->now.steps;
    p->updates = r->updates;
    p->epsilon = m.epsilon;
    if (s->screen.live)
        view_draw(s, r);
    else
        view_print(s, r);
}

/* ---------------------------------------------------------------------------------------------- */
/* The result */

static double run_percent(const session *s, const run *r)
{
    return game_percent(s->spec, r->best.score);
}
static int run_passed(const session *s, const run *r)
{
    return run_evaluated(r) && run_percent(s, r) >= goal;
}

/* Returns 1 if all runs were completed and each agent of the kind that decides reached the goal.
   But returns 0 if an agent without memory scored more than is possible without memory. */
static int session_passed(const session *s)
{
    int i, good = s->begun == s->run_count && !terminal_interrupted;
    for (i = 0; i < s->begun; i++) {
        const run *const r = &s->runs[i];
        if (r->memory == s->options.memory) good = good && run_passed(s, r);
        if (r->memory == RISE_MEMORY_NONE)
            good = good && r->best.score < s->spec->without_memory + s->spec->margin + 1e-6;
    }
    return good;
}

static void print_when(const chart_point *p)
{
    char text[40] = "never";
    if (happened(p)) snprintf(text, sizeof text, "%.0fk, %.0f s", p->steps / 1000, p->seconds);
    printf("  %-11s", text);
}

/* Prints which agent and curves will be saved, and where. */
static void print_files(const session *s)
{
    const options *const o = &s->options;
    const char *const kind = kinds[o->memory].name;
    const char *const others = s->run_count > 1 ? "; the other agents are not saved" : "";
    if (o->save != NULL)
        printf("The best %s agent will be saved in %s%s.\n", kind, o->save, others);
    else
        printf("No agent will be saved: --save PATH saves the best %s agent.\n", kind);
    if (o->svg != NULL)
        printf("The learning curves will be in %s.\n", o->svg);
    else
        printf("No learning curves will be saved: --svg PATH saves them.\n");
}

/* Prints, before training, which agents are compared and what the words of the view mean. */
static void print_introduction(const session *s)
{
    const game_spec *const spec = s->spec;
    int i;
    printf("%s: %s\n", s->title, spec->text);
    for (i = 0; i < s->run_count && (i == 0 || s->options.show); i++)
        printf("  %s  %s%s\n", kinds[s->runs[i].memory].name, kinds[s->runs[i].memory].text,
               s->options.show && s->runs[i].memory == RISE_MEMORY_FULL
                   ? "; may train as long as RISE"
                   : "");
    printf("Score: mean sum of rewards of an episode, without random actions. The best possible\n"
           "is %+.2f",
           spec->best);
    if (spec->without_memory < spec->best)
        printf(", and %+.2f for an agent that sees %d frames and remembers nothing",
               spec->without_memory, GAME_STACK);
    printf(".\n");
    if (s->shown_by.count > 0)
        printf("Each agent learns from %d demonstrations first: %.0f steps, mean score %+.2f.\n",
               s->shown_by.count, (double)s->shown_by.steps, s->shown_by.score);
    print_files(s);
    printf("\n");
    fflush(stdout);
}

static void print_table(const session *s)
{
    const game_spec *const spec = s->spec;
    int i;
    printf("\n%s. Each agent keeps the weights of its best score, a mean over %s %d starts.\n",
           s->title, spec->sampled ? "the same" : "all", spec->starts);
    printf("percent: 100%% is the best score possible (%+.2f), 0%% is ", spec->best);
    if (spec->without_memory < spec->best)
        printf("the best without memory (%+.2f).\n", spec->without_memory);
    else
        printf("a score of -1.\n");
    printf("%.0f%% after, %.0f%% after: steps and time when the score first reached it.\n"
           "goal: %.0f%%.  updates/s: updates of the network per second.\n\n",
           almost, solved, goal);
    printf("agent seed  score  percent  steps    time  updates/s  %2.0f%% after    %2.0f%% after"
           "    goal\n",
           almost, solved);
    for (i = 0; i < s->begun; i++) {
        const run *const r = &s->runs[i];
        if (!run_evaluated(r)) {
            printf("%-5s %4d  not evaluated\n", kinds[r->memory].name, r->seed);
            continue;
        }
        printf("%-5s %4d  %+5.2f  %6.0f%%  %4.0fk  %4.0f s  %9.0f", kinds[r->memory].name, r->seed,
               r->best.score, run_percent(s, r), r->now.steps / 1000, r->now.seconds,
               r->updates / fmax(r->now.seconds, 1e-9));
        print_when(&r->almost);
        print_when(&r->solved);
        printf("  %s\n", run_passed(s, r) ? "reached" : "missed");
    }
    printf("\n");
}

static void print_run_result(const session *s, const run *r)
{
    const char *const name = kinds[r->memory].name;
    double const percent = run_percent(s, r), ceiling = s->spec->without_memory;
    if (!run_evaluated(r))
        printf("%s was not evaluated.\n", name);
    else if (s->options.show && r->memory == RISE_MEMORY_NONE && ceiling < s->spec->best)
        printf("NONE scored at most %+.2f in %.0fk steps. An agent that sees %d frames\n"
               "and remembers nothing cannot score more than %+.2f on average, however\n"
               "long it trains.\n",
               r->best.score, r->now.steps / 1000, GAME_STACK, ceiling);
    else if (s->options.show && r->memory == RISE_MEMORY_FULL)
        printf("FULL was allowed to train as long as RISE did. In %.0f s it took %.0fk steps and\n"
               "scored %+.2f (%.0f%%).\n",
               r->now.seconds, r->now.steps / 1000, r->best.score, percent);
    else if (run_passed(s, r))
        printf("%s reached the goal: it scored %+.2f (%.0f%%).\n"
               "It was at %.0f%% after %.0fk steps and %.1f seconds.\n",
               name, r->best.score, percent, almost, r->almost.steps / 1000, r->almost.seconds);
    else
        printf("%s missed the goal: it scored %+.2f (%.0f%%), and the goal is %.0f%%.\n", name,
               r->best.score, percent, goal);
}

static void print_result(const session *s)
{
    int i, good = 0;
    if (terminal_interrupted) printf("Interrupted. These are the results up to then.\n");
    for (i = 0; i < s->begun; i++) good += run_passed(s, &s->runs[i]);
    for (i = 0; i < s->begun && (s->options.show || s->run_count == 1); i++)
        print_run_result(s, &s->runs[i]);
    if (!s->options.show && s->run_count > 1)
        printf("%s reached the goal with %d of %d seeds.\n", kinds[s->options.memory].name, good,
               s->run_count);
}

/* Writes the best agent and the learning curves. If one of the two files cannot be written, an
   older file of that name stays unchanged, and the other file is still written. Returns 0 if a file
   cannot be written. */
static int save(const session *s)
{
    const options *const o = &s->options;
    chart const c = chart_of(s);
    rise_error error;
    int good = 1, evaluated = 0, i;
    for (i = 0; i < s->begun; i++) evaluated += run_evaluated(&s->runs[i]);
    errno = 0;
    if (o->save != NULL && s->kept != NULL) {
        if (rise_agent_save(s->kept, RISE_SAVE_POLICY, o->save, &error) == RISE_OK) {
            printf("The best %s agent is saved in %s. To watch it play:\n"
                   "    cc -O2 examples/watch.c -o watch -lm && ./watch %s --game %s",
                   kinds[o->memory].name, o->save, o->save, s->spec->name);
            if (s->spec->most_length > 0) printf(" --length %d", s->shown.state.length);
            puts("");
        } else {
            good = 0, fprintf(stderr, "memory: %s%s; choose another path with --save\n",
                              error.text, replace_cause(error.text));
        }
    } else if (o->save != NULL) {
        printf("No %s agent is saved, because none was trained and evaluated.\n",
               kinds[o->memory].name);
    }
    if (o->svg != NULL && evaluated > 0) {
        if (chart_write_svg(&c, o->svg))
            printf("The learning curves are in %s.\n", o->svg);
        else
            good = 0, fprintf(stderr,
                              "memory: %s cannot be written: %s; choose another path with --svg\n",
                              o->svg, strerror(errno));
    }
    return good;
}

/* ---------------------------------------------------------------------------------------------- */
/* The command line */

static void print_help(void)
{
    int i;
    printf(
        "memory [options]: trains agents on a game that needs memory, and compares them.\n\n"
        "  --game NAME      the game [corridor]. The numbers below are the best score possible\n"
        "                   for an agent that sees %d frames and remembers nothing, and the best\n"
        "                   score possible:\n",
        GAME_STACK);
    for (i = 0; i < GAME_KINDS; i++) {
        const game_spec *const spec = game_spec_of((game_kind)i);
        printf("    %-13s %+5.2f %+5.2f  %s\n", spec->name, spec->without_memory, spec->best,
               spec->text);
    }
    printf("  --length L       length of the delay or corridor in steps. Possible values:\n");
    for (i = 0; i < GAME_KINDS; i++) {
        const game_spec *const spec = game_spec_of((game_kind)i);
        if (spec->most_length > 0)
            printf("    %-13s %d to %d [%d]\n", spec->name, spec->least_length, spec->most_length,
                   spec->length);
    }
    printf(
        "  --memory KIND    train only rise, none or full, and stop at 99%%\n"
        "  --set F=V        a field of rise_agent_desc, such as cell=lstm or fusion=gate; may be\n"
        "                   repeated\n"
        "  --seed N         the first seed [1]\n"
        "  --seeds N        train only the kind of --memory [rise], with N seeds, and stop each\n"
        "                   run at 99%%\n"
        "  --steps N        at most N steps for each agent\n"
        "  --minutes M      at most M minutes for each agent, without the time of evaluations\n"
        "  --svg PATH       write the learning curves\n"
        "  --save PATH      save the best agent of the kind given by --memory [rise], for\n"
        "                   watch.c. Without --memory and --seeds, --svg and --save are on: their\n"
        "                   files have the name of the game, and its length if it has one\n"
        "  --teach FILE     no training: play the game with the keyboard, and write\n"
        "                   the episodes into FILE, after those that FILE already holds\n"
        "  --demonstrations FILE\n"
        "                   each agent learns from the episodes of FILE first\n"
        "  --watch          after training, show the best agent until Ctrl-C\n"
        "  --self-test      no training: check this build on this machine\n\n"
        "0%% is the best score possible without memory, or -1 in a game that needs no memory.\n"
        "100%% is the best score possible. Exit status 0: each agent of the kind given by\n"
        "--memory [rise] reached %.0f%%, no agent without memory scored more than is possible\n"
        "without memory, no run was interrupted, and all files are written. Exit status 2: an\n"
        "option or a file of demonstrations is wrong. Exit status 1: all other cases.\n",
        goal);
}

static const command_option table[] = {
    {"--game", COMMAND_STRING, COMMAND_ONCE, "corridor", 0, 0, ""},
    {"--length", COMMAND_WHOLE, COMMAND_ONCE, "", 1, 1e9, ""}, /* session_init checks its range */
    {"--memory", COMMAND_CHOICE, COMMAND_ONCE, "rise", 0, 0, "rise|none|full"},
    {"--set", COMMAND_LINES, COMMAND_ONCE, "", 0, 0, "FIELD=VALUE"},
    {"--seed", COMMAND_WHOLE, COMMAND_ONCE, "1", 0, 1e9, ""},
    {"--seeds", COMMAND_WHOLE, COMMAND_ONCE, "1", 1, MAX_SEEDS, ""},
    {"--steps", COMMAND_NUMBER, COMMAND_ONCE, "", 1, 1e12, ""},
    {"--minutes", COMMAND_NUMBER, COMMAND_ONCE, "", 0.01, 1e6, ""},
    {"--svg", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--save", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--teach", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--demonstrations", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--watch", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
};

/* Sets the options from the command line. Their strings point into `c`, which must stay valid.
   Prints a message and returns 0 if an option is wrong. */
static int read_options(options *o, const command_line *c)
{
    rise_agent_desc desc;
    rise_error error;
    o->game = game_named(command_string(c, "--game"));
    o->length = command_whole(c, "--length");
    o->show = !command_given(c, "--memory") && !command_given(c, "--seeds");
    o->memory = (rise_memory)command_choice(c, "--memory"); /* in the order of rise_memory */
    o->settings = command_string(c, "--set");
    o->seed = command_whole(c, "--seed");
    o->seeds = command_whole(c, "--seeds");
    o->steps = command_number(c, "--steps");
    o->seconds = 60 * command_number(c, "--minutes");
    o->svg = command_string(c, "--svg");
    o->save = command_string(c, "--save");
    o->teach = command_string(c, "--teach");
    o->demonstrations = command_string(c, "--demonstrations");
    o->watch = command_string(c, "--watch") != NULL;
    if (o->game == GAME_KINDS)
        return fprintf(stderr, "memory: there is no game %s; --help lists the games\n",
                       command_string(c, "--game")), 0;
    if (!command_fields_are_free(c)) return 0;
    /* fields and words must be known; rise_agent_create checks the ranges later */
    memset(&desc, 0, sizeof desc);
    if (!command_set_fields(o->settings, &desc, &error))
        return fprintf(stderr, "memory: %s\n", error.text), 0;
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* From the options to the runs */

static void run_init(run *r, const options *o, rise_memory memory, int seed, chart_curve *curve)
{
    r->memory = memory;
    r->seed = seed;
    r->steps_budget = o->steps > 0 ? o->steps
                      : o->show    ? recipe_of(o->game)->show_steps
                                   : recipe_of(o->game)->steps;
    r->seconds_budget = o->seconds > 0 ? o->seconds : HUGE_VAL;
    r->stop_when_solved = !o->show;
    r->curve = curve;
    curve->name = kinds[memory].name;
    curve->text = kinds[memory].text;
    curve->colour = kinds[memory].colour;
}

/* Prints a message and returns 0 if the game cannot have this length or an allocation fails. */
static int session_init(session *s)
{
    static const rise_memory order[KINDS] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE, RISE_MEMORY_FULL};
    options *const o = &s->options;
    int i;
    s->spec = game_spec_of(o->game);
    if (!game_init(&s->shown.state, o->game, o->length, 0)) {
        fprintf(stderr,
                s->spec->most_length > 0 ? "memory: --length for %s must be %d to %d\n"
                                         : "memory: %s has one length only: leave out --length\n",
                s->spec->name, s->spec->least_length, s->spec->most_length);
        return 0;
    }
    snprintf(s->title, sizeof s->title, s->shown.state.length > 0 ? "%s-%d" : "%s", s->spec->name,
             s->shown.state.length);
    snprintf(s->svg, sizeof s->svg, "%s.svg", s->title);
    snprintf(s->policy, sizeof s->policy, "%s.rise", s->title);
    if (o->show && o->svg == NULL) o->svg = s->svg;
    if (o->show && o->save == NULL) o->save = s->policy;
    s->run_count = o->show ? KINDS : o->seeds;
    s->runs = (run *)calloc((size_t)s->run_count, sizeof *s->runs);
    s->curves = (chart_curve *)calloc((size_t)s->run_count, sizeof *s->curves);
    if (s->runs == NULL || s->curves == NULL) {
        fprintf(stderr, "memory: out of memory\n");
        return 0;
    }
    for (i = 0; i < s->run_count; i++)
        run_init(&s->runs[i], o, o->show ? order[i] : o->memory, o->show ? o->seed : o->seed + i,
                 &s->curves[i]);
    return 1;
}

/* Returns the exit status. */
static int session_run(session *s)
{
    int i, good = 1;
    for (i = 0; good && i < s->run_count && !terminal_interrupted; i++) {
        run *const r = &s->runs[i];
        if (s->options.show && r->memory == RISE_MEMORY_FULL) /* runs[i - 1] is RISE */
            r->seconds_budget = fmin(r->seconds_budget, s->runs[i - 1].now.seconds);
        good = run_train(s, r);
    }
    print_table(s);
    print_result(s);
    good = session_passed(s) && good;
    good = save(s) && good;
    s->screen.drawn = 0; /* the next picture begins below the text */
    while (s->options.watch && s->screen.live && s->kept != NULL && !terminal_interrupted) {
        game_reset(&s->shown.state);
        episode_begin(&s->shown, s->shown.state.start);
        episode_watch(&s->shown, s->kept, SHOWN, &s->screen, s->title);
    }
    return good ? 0 : 1;
}

/* Reads the demonstrations that an option names. A file for --teach need not exist yet. Prints a
   message and returns 0 if the file cannot be read. */
static int session_read(session *s)
{
    const options *const o = &s->options;
    const char *const path = o->teach != NULL ? o->teach : o->demonstrations;
    teach_init(&s->shown_by, o->game, s->shown.state.length);
    if (path == NULL || teach_read(&s->shown_by, path)) return 1;
    if (s->shown_by.missing && o->teach != NULL) return 1;
    fprintf(stderr, "memory: %s\n", s->shown_by.why);
    return 0;
}

/* Lets a person play, and writes the demonstrations. Returns the exit status. */
static int session_teach(session *s)
{
    demonstrations *const d = &s->shown_by;
    const char *const path = s->options.teach;
    int const before = d->count;
#ifdef TERMINAL_POSIX
    int const person = isatty(0); /* 0 in tests: their keys come from a pipe */
#else
    int const person = 1;
#endif
    if (person && !s->screen.live) {
        fprintf(stderr,
                "memory: --teach draws the game, so it needs a terminal of a POSIX system with at "
                "least %d columns and %d rows\n",
                TERMINAL_LEAST_COLUMNS + 1, TERMINAL_ROWS + 1);
        return 2;
    }
    game_init(&s->shown.state, s->options.game, s->shown.state.length,
              (uint64_t)s->options.seed + 1000 * (uint64_t)before); /* not those of the file */
    if (!teach(d, &s->shown, path, &s->screen)) {
        fprintf(stderr, "memory: %s\n", d->why);
        return 1;
    }
    if (d->count == 0) {
        fprintf(stderr, "memory: no episode was played to its end, so %s is not written\n", path);
        return 1;
    }
    printf("%s holds %d episodes, %d of them new. Their mean score is %+.2f. To train from them:\n"
           "    ./memory --game %s",
           path, d->count, d->count - before, d->score, s->spec->name);
    if (s->options.length > 0) printf(" --length %d", s->options.length);
    printf(" --memory rise --demonstrations %s\n", path);
    return 0;
}

int main(int argc, char **argv)
{
    static session s; /* zeroed; too large for the stack */
    int status;
    if (self_test_wanted(argc, argv)) return self_test_status();
    if (command_wants_help(argc, argv)) return print_help(), 0;
    command_begin(&s.line, table, (int)(sizeof table / sizeof *table));
    if (!command_parse(&s.line, argc, argv) || !read_options(&s.options, &s.line)) return 2;
    if (!command_not_both(&s.line, "--teach", "--demonstrations")) return 2;
    if (!session_init(&s) || !session_read(&s)) return 2;
    terminal_open(&s.screen);
    if (s.options.teach != NULL) {
        status = session_teach(&s);
    } else {
        print_introduction(&s);
        status = session_run(&s);
    }
    demonstrations_free(&s.shown_by);
    rise_agent_destroy(s.kept);
    free(s.curves);
    free(s.runs);
    return status;
}
