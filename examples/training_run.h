/* A training run: one agent and one folder. The run shows progress as a panel in the terminal or as
   lines of text. It writes a log and a learning curve. It saves the agent regularly, so that little
   is lost if the program stops. The folder holds:

       agent.rise       the agent to resume with: saved regularly, on Ctrl-C or SIGTERM, at the end
       best.rise        the policy with the best score so far
       log.csv          a row for each report
       curve.svg        the learning curve
       events.out...    the same numbers for TensorBoard
       run.txt          command, options and versions of each session (command_line.h)

   A resumed run keeps the rows of log.csv up to the steps of the saved agent, and drops later rows.
*/
#ifndef TRAINING_RUN_H
#define TRAINING_RUN_H

#include "chart.h" /* first: defines _DEFAULT_SOURCE */
#include "preprocess.h"
#include "tensorboard.h"

#include "../rise.h"

#include <errno.h>
#include <sys/stat.h>

enum {
    TRAIN_LATEST = 100, /* episodes whose mean is the training score */
    TRAIN_PATH = 300,
    TRAIN_PICTURE = 28 /* side of the game's picture in the panel, in pixels */
};

typedef struct train_options {
    const char *title;
    const char *folder;    /* created if it does not exist, with those that hold it */
    double steps, seconds; /* the run ends when one of them is reached; 0: no limit */
    double evaluate_every; /* steps */
    double save_every;     /* seconds */
    int whole;             /* 1: the replay buffer is saved, too */
    int plain;             /* 1: lines of text, no panel */
    /* a score to compare with, such as a human's, and its name; NULL: none */
    const char *level_name;
    double level;
    /* draws the game as a grey picture [TRAIN_PICTURE][TRAIN_PICTURE] */
    void (*draw)(void *user, uint8_t *picture);
    void *user;
} train_options;

/* The columns of log.csv. */
#define TRAIN_COLUMNS(X)                                                                           \
    X(steps)                                                                                       \
    X(seconds)                                                                                     \
    X(episodes)                                                                                    \
    X(updates) X(score) X(training) X(loss) X(value) X(td_error) X(gradient) X(epsilon)            \
        X(steps_per_second) X(updates_per_second)

/* A row of log.csv. A missing score is NAN. */
typedef struct train_row {
#define TRAIN_FIELD(name) double name;
    TRAIN_COLUMNS(TRAIN_FIELD)
#undef TRAIN_FIELD
} train_row;

typedef struct train_run {
    train_options options;
    rise_agent *agent;
    train_row now;               /* set by train_refresh */
    double best, best_steps;     /* the best evaluation; NAN: none yet */
    double latest[TRAIN_LATEST]; /* scores of episodes, a ring buffer */
    int latest_count;
    chart_curve curves[2];  /* of the greedy agent, and of training with exploration */
    double seconds_before;  /* seconds of earlier sessions of this run */
    double began;           /* terminal_seconds() at the start of this session */
    double first_steps;     /* steps at the start of this session */
    double reported, saved; /* `now.seconds` at the last report, and at the last save */
    double evaluated;       /* steps at the last evaluation */
    FILE *csv;
    tensorboard events;
    terminal screen;
    char note[160]; /* the last event, a sentence */
} train_run;

static inline const char *train_path(const train_run *t, const char *name, char *path)
{
    snprintf(path, TRAIN_PATH, "%s/%s", t->options.folder, name);
    return path;
}

/* Creates a folder, and the folders that hold it. Returns 0 on failure; errno says why. */
static inline int train_make_folder(const char *path)
{
    char part[TRAIN_PATH];
    struct stat found;
    size_t i;
    for (i = 1; path[0] != '\0' && i < sizeof part; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        snprintf(part, sizeof part, "%.*s", (int)i, path);
        if (mkdir(part, 0777) != 0 && errno != EEXIST) return 0;
        if (path[i] == '\0') break;
    }
    if (stat(path, &found) != 0) return 0;
    errno = ENOTDIR;
    return S_ISDIR(found.st_mode);
}

/* Returns the mean score of the latest episodes; NAN before the first. */
static inline double train_latest(const train_run *t)
{
    int const count = t->latest_count < TRAIN_LATEST ? t->latest_count : TRAIN_LATEST;
    double sum = 0;
    int i;
    for (i = 0; i < count; i++) sum += t->latest[i];
    return count > 0 ? sum / count : (double)NAN;
}

/* Formats seconds as "1:02:03". */
static inline const char *train_time(double seconds, char *text, size_t size)
{
    long const all = (long)(seconds < 0 ? 0 : seconds);
    snprintf(text, size, "%ld:%02ld:%02ld", all / 3600, all / 60 % 60, all % 60);
    return text;
}

/* Formats a number as "1.20M" or "34k". */
static inline const char *train_count(double n, char *text, size_t size)
{
    snprintf(text, size,
             n >= 1e7   ? "%.0fM"
             : n >= 1e6 ? "%.2fM"
             : n >= 1e3 ? "%.0fk"
                        : "%.0f",
             n >= 1e6   ? n / 1e6
             : n >= 1e3 ? n / 1e3
                        : n);
    return text;
}

/* ---------------------------------------------------------------------------------------------- */
/* The machine's memory */

/* Returns the available bytes of memory; 0 if the number is unknown. */
static inline double train_memory_left(void)
{
    double kilobytes = 0;
    char line[120];
    FILE *const file = fopen("/proc/meminfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "MemAvailable: %lf", &kilobytes) == 1) break;
    if (file != NULL) fclose(file);
    return 1024 * kilobytes;
}

/* Prints how much memory the agent needs. If the machine has too little, prints a replay_capacity
   that fits and returns 0. */
static inline int train_memory_fits(const rise_agent_desc *desc)
{
    double const need = (double)rise_agent_bytes(desc, NULL), left = train_memory_left();
    printf("The agent needs %.0f MB of memory, most of it to store %d frames", need / 1e6,
           desc->replay_capacity);
    if (left > 0) printf("; %.0f MB are free", left / 1e6);
    puts(".");
    if (left <= 0 || need < 0.9 * left) return 1; /* leaves 10% for other programs */
    fprintf(stderr, "That is too much for this machine: use --set replay_capacity=%.0f\n",
            floor(desc->replay_capacity * 0.7 * left / need / 1000) * 1000);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* The log and the curves */

/* Appends a point. When the curve is full, every other point is dropped first. */
static inline void train_point(chart_curve *curve, const train_row *row, double score)
{
    chart_point const point = {row->steps, row->seconds, score};
    int i;
    if (isnan(score)) return;
    if (curve->count == CHART_POINTS) {
        for (i = 0; i < CHART_POINTS / 2; i++) curve->points[i] = curve->points[2 * i + 1];
        curve->count = CHART_POINTS / 2;
    }
    curve->points[curve->count++] = point;
}

/* Adds a row of the log to the curves. Sets the best score if the row has a higher one. */
static inline void train_remember(train_run *t, const train_row *row)
{
    train_point(&t->curves[0], row, row->score);
    train_point(&t->curves[1], row, row->training);
    if (isnan(row->score)) return;
    t->evaluated = row->steps;
    if (!isnan(t->best) && row->score <= t->best) return;
    t->best = row->score;
    t->best_steps = row->steps;
}

static inline void train_write_field(FILE *csv, const char *before, double x)
{
    if (isnan(x))
        fputs(before, csv);
    else
        fprintf(csv, "%s%.10g", before, x);
}
static inline void train_write_row(FILE *csv, const train_row *row)
{
    const char *before = "";
#define TRAIN_WRITE(name) train_write_field(csv, before, row->name), before = ",";
    TRAIN_COLUMNS(TRAIN_WRITE)
#undef TRAIN_WRITE
    fputs(before[0] != '\0' ? "\n" : "", csv);
}

/* Reads a number, or NAN if the field is empty. *at becomes the next field; NULL after the last. */
static inline int train_read_field(const char **at, double *x)
{
    char *end;
    if (*at == NULL) return 0;
    *x = strtod(*at, &end);
    if (end == *at) *x = (double)NAN;
    if (*end != ',' && *end != '\n') return 0;
    *at = *end == ',' ? end + 1 : NULL;
    return 1;
}
/* Returns 0 if the line is not a complete row, such as the row of names. */
static inline int train_read_row(const char *line, train_row *row)
{
#define TRAIN_READ(name) train_read_field(&line, &row->name) &&
    return TRAIN_COLUMNS(TRAIN_READ) line == NULL;
#undef TRAIN_READ
}

/* Opens a new log.csv. Copies the rows of the old one up to `steps`. */
static inline int train_open_log(train_run *t, double steps)
{
    char path[TRAIN_PATH], fresh[TRAIN_PATH], line[1000];
    FILE *const old = steps > 0 ? fopen(train_path(t, "log.csv", path), "r") : NULL;
    train_row row;
    t->csv = fopen(train_path(t, "log.csv.new", fresh), "w");
    if (t->csv == NULL) return 0;
#define TRAIN_NAME(name) "," #name
    fprintf(t->csv, "%s\n", &(TRAIN_COLUMNS(TRAIN_NAME))[1]);
#undef TRAIN_NAME
    while (old != NULL && fgets(line, sizeof line, old) != NULL) {
        if (!train_read_row(line, &row) || row.steps > steps) continue;
        train_write_row(t->csv, &row);
        train_remember(t, &row);
        t->seconds_before = row.seconds;
    }
    if (old != NULL) fclose(old);
    return fflush(t->csv) == 0 && rename(fresh, train_path(t, "log.csv", path)) == 0;
}

static inline void train_scalars(train_run *t, const train_row *row)
{
    time_t const now = time(NULL);
#define TRAIN_SCALAR(name)                                                                         \
    if (!isnan(row->name))                                                                         \
        tensorboard_scalar(&t->events, #name, (int64_t)row->steps, (float)row->name, (double)now);
    TRAIN_COLUMNS(TRAIN_SCALAR)
#undef TRAIN_SCALAR
}

/* ---------------------------------------------------------------------------------------------- */
/* The panel and the lines of text */

/* Returns the share of the budget that is spent, 0 to 1. */
static inline double train_share(const train_run *t)
{
    double const by_steps = t->options.steps > 0 ? t->now.steps / t->options.steps : 0;
    double const by_seconds = t->options.seconds > 0 ? t->now.seconds / t->options.seconds : 0;
    return fmin(1, fmax(by_steps, by_seconds));
}
/* Formats the remaining time as ", 1:02:03 left"; as "" before the speed is known. */
static inline const char *train_left(const train_run *t, char *text, size_t size)
{
    double const by_steps = t->options.steps > 0 ? (t->options.steps - t->now.steps) /
                                                       fmax(t->now.steps_per_second, 1e-9)
                                                 : HUGE_VAL;
    double const left = t->options.seconds > 0 ? fmin(by_steps, t->options.seconds - t->now.seconds)
                                               : by_steps;
    char time[30];
    text[0] = '\0';
    if (left < 1e8) snprintf(text, size, ", %s left", train_time(left, time, sizeof time));
    return text;
}

static inline void train_level(chart *c, const char *name, double score)
{
    c->levels[c->level_count].name = c->levels[c->level_count].brief = name;
    c->levels[c->level_count++].score = score;
}
/* Returns the chart of this run. The upper edge of the chart is options.level, or the highest score
   of the run if it is higher. */
static inline chart train_chart(const train_run *t)
{
    chart c;
    double highest = t->options.level_name != NULL ? t->options.level : -1e30;
    int i, j;
    memset(&c, 0, sizeof c);
    c.title = t->options.title;
    c.curves = t->curves;
    c.count = 2;
    for (i = 0; i < 2; i++)
        for (j = 0; j < t->curves[i].count; j++)
            highest = fmax(highest, t->curves[i].points[j].score);
    if (t->options.level_name == NULL || highest > t->options.level)
        train_level(&c, "highest", highest > -1e30 ? highest : 0);
    if (t->options.level_name != NULL) train_level(&c, t->options.level_name, t->options.level);
    return c;
}

static inline void train_draw_picture(train_run *t, int top, int left)
{
    uint8_t picture[TRAIN_PICTURE * TRAIN_PICTURE];
    int y, x;
    if (t->options.draw == NULL) return;
    t->options.draw(t->options.user, picture);
    for (y = 0; y < TRAIN_PICTURE / 2; y++)
        for (x = 0; x < TRAIN_PICTURE; x++)
            terminal_put(&t->screen, top + y, left + x, 0x2580,
                         picture[2 * y * TRAIN_PICTURE + x] * 0x010101,
                         picture[(2 * y + 1) * TRAIN_PICTURE + x] * 0x010101);
}

static inline void train_scores(const train_run *t, char *text, size_t size)
{
    double const score = t->curves[0].count > 0 ? t->curves[0].points[t->curves[0].count - 1].score
                                                : (double)NAN;
    int length = 0;
    text[0] = 0;
    if (!isnan(score)) length = snprintf(text, size, "score %.4g (best %.4g)  ", score, t->best);
    if (!isnan(t->now.training))
        snprintf(text + length, size - (size_t)length, "training %.4g", t->now.training);
}

static inline void train_draw(train_run *t)
{
    terminal *const s = &t->screen;
    chart const c = train_chart(t);
    char spent[30], left[60], steps[30], text[100];
    rise_metrics m;
    rise_agent_metrics(t->agent, &m);
    terminal_clear(s);
    terminal_text(s, 0, 2, TERMINAL_PLAIN, "%s", t->options.title);
    terminal_text(s, 1, 2, t->curves[0].colour, "score: %s", t->curves[0].text);
    terminal_text(s, 1, TRAIN_PICTURE + 6, t->curves[1].colour, "training: %s", t->curves[1].text);
    train_draw_picture(t, 2, 2);
    chart_draw(&c, s, 2, TRAIN_PICTURE + 4, 13, s->columns - TRAIN_PICTURE - 4, t->now.seconds);
    terminal_bar(s, 17, 2, TRAIN_PICTURE, train_share(t), 0xE8710A);
    terminal_text(s, 17, TRAIN_PICTURE + 4, TERMINAL_PLAIN, "%s steps  %.0f episodes  %s%s",
                  train_count(t->now.steps, steps, sizeof steps), t->now.episodes,
                  train_time(t->now.seconds, spent, sizeof spent),
                  train_left(t, left, sizeof left));
    train_scores(t, text, sizeof text);
    terminal_text(s, 18, 2, 0xE8710A, "%s", text);
    terminal_text(
        s, 19, 2, TERMINAL_PLAIN,
        "%.0f steps/s  %.0f updates/s  %.1f%% random actions  replay %s frames  %.0f MB  %s",
        t->now.steps_per_second, t->now.updates_per_second, 100 * m.epsilon,
        train_count((double)m.replay_size, steps, sizeof steps), (double)m.bytes / 1e6, m.isa);
    terminal_text(s, 20, 2, TERMINAL_PLAIN,
                  "loss %.4f  mean value %.3f  TD error %.4f  gradient norm %.2f", m.loss,
                  m.mean_value, m.td_error, m.gradient_norm);
    terminal_text(s, 21, 2, 0x8C8C8C, "%s", t->note);
    terminal_show(s);
}

static inline void train_print(const train_run *t)
{
    char spent[30], left[60], steps[30], text[100];
    train_scores(t, text, sizeof text);
    printf("%3.0f%%  %s steps  %s%s  %s  %.0f steps/s  %.0f updates/s  %.0f%% random actions\n",
           100 * train_share(t), train_count(t->now.steps, steps, sizeof steps),
           train_time(t->now.seconds, spent, sizeof spent), train_left(t, left, sizeof left), text,
           t->now.steps_per_second, t->now.updates_per_second, 100 * t->now.epsilon);
    fflush(stdout);
}

/* Shows a sentence: in the last line of the panel, or printed if there is no panel. */
TERMINAL_PRINTF(2, 3)
static inline void train_say(train_run *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->note, sizeof t->note, format, arguments);
    va_end(arguments);
    if (!t->screen.live) puts(t->note);
}

/* ---------------------------------------------------------------------------------------------- */
/* Saving */

/* Saves the agent. Returns 0 on failure; then the previous file is unchanged. */
static inline int train_save(train_run *t)
{
    char path[TRAIN_PATH], steps[30];
    rise_error error;
    t->saved = t->now.seconds;
    train_path(t, "agent.rise", path);
    if (rise_agent_save(t->agent, t->options.whole ? RISE_SAVE_ALL : RISE_SAVE_AGENT, path,
                        &error) != RISE_OK) {
        train_say(t, "NOT SAVED: %.140s", error.text);
        return 0;
    }
    train_say(t, "Saved after %s steps: %.100s", train_count(t->now.steps, steps, sizeof steps),
              path);
    return 1;
}

static inline void train_save_best(train_run *t)
{
    char path[TRAIN_PATH];
    rise_error error;
    if (rise_agent_save(t->agent, RISE_SAVE_POLICY, train_path(t, "best.rise", path), &error) !=
        RISE_OK)
        train_say(t, "The best agent was NOT SAVED: %.100s", error.text);
}

static inline void train_save_curve(train_run *t)
{
    char path[TRAIN_PATH];
    chart const c = train_chart(t);
    if (!chart_write_svg(&c, train_path(t, "curve.svg", path)))
        train_say(t, "%.100s could not be written: is the disk full?", path);
}

/* ---------------------------------------------------------------------------------------------- */
/* The run */

/* Fills in t->now. Speeds are exponential means with a time constant of 5 s. */
static inline void train_refresh(train_run *t)
{
    double const seconds = t->seconds_before + terminal_seconds() - t->began;
    double const since = seconds - t->now.seconds;
    double const weight = t->now.steps > t->first_steps ? 1 - exp(-since / 5) : 1;
    rise_metrics m;
    rise_agent_metrics(t->agent, &m);
    if (since > 0) {
        t->now.steps_per_second +=
            weight * (((double)m.steps - t->now.steps) / since - t->now.steps_per_second);
        t->now.updates_per_second +=
            weight * (((double)m.updates - t->now.updates) / since - t->now.updates_per_second);
    }
    t->now.steps = (double)m.steps;
    t->now.seconds = seconds;
    t->now.episodes = (double)m.episodes;
    t->now.updates = (double)m.updates;
    t->now.score = (double)NAN;
    t->now.training = train_latest(t);
    t->now.loss = m.loss;
    t->now.value = m.mean_value;
    t->now.td_error = m.td_error;
    t->now.gradient = m.gradient_norm;
    t->now.epsilon = m.epsilon;
}

static inline void train_log(train_run *t)
{
    train_write_row(t->csv, &t->now);
    if (fflush(t->csv) != 0) train_say(t, "log.csv could not be written: is the disk full?");
    clearerr(t->csv);
    train_scalars(t, &t->now);
    train_remember(t, &t->now);
}

/* Draws the panel, writes the log and saves the agent, each at its own interval. Call this function
   after each step. */
static inline void train_tick(train_run *t)
{
    double const since = t->seconds_before + terminal_seconds() - t->began - t->now.seconds;
    if (since < fmin(t->screen.live ? 0.1 : 1, t->options.save_every)) return;
    train_refresh(t);
    if (t->now.seconds - t->reported >= 20) {
        t->reported = t->now.seconds;
        train_log(t);
        if (!t->screen.live) train_print(t);
    }
    if (t->now.seconds - t->saved >= t->options.save_every) {
        train_save(t);
        train_save_curve(t);
    }
    if (t->screen.live) train_draw(t);
}

/* Records the score of a training episode that has ended. */
static inline void train_episode(train_run *t, double score)
{
    t->latest[t->latest_count++ % TRAIN_LATEST] = score;
}

/* Returns the steps that the agent has taken so far. */
static inline double train_steps(const train_run *t)
{
    rise_metrics m;
    rise_agent_metrics(t->agent, &m);
    return (double)m.steps;
}

static inline int train_evaluation_due(const train_run *t)
{
    return train_steps(t) - t->evaluated >= t->options.evaluate_every;
}

/* Records an evaluation: the mean score of the greedy agent. */
static inline void train_evaluated(train_run *t, double score)
{
    int const best = isnan(t->best) || score > t->best;
    char steps[30];
    train_refresh(t);
    t->now.score = score;
    train_log(t);
    train_say(t, "After %s steps the greedy agent scores %.4g%s.",
              train_count(t->now.steps, steps, sizeof steps), score,
              best ? ", its best so far" : "");
    if (best) train_save_best(t);
}

static inline int train_over(const train_run *t)
{
    return terminal_interrupted || (t->options.steps > 0 && train_steps(t) >= t->options.steps) ||
           (t->options.seconds > 0 && t->now.seconds >= t->options.seconds);
}

/* Begins a session with this agent, which may be resumed. Returns 0, after a message, if the folder
   cannot be written. */
static inline int train_open(train_run *t, const train_options *options, rise_agent *agent)
{
    rise_metrics m;
    memset(t, 0, sizeof *t);
    t->options = *options;
    t->agent = agent;
    t->best = (double)NAN;
    t->curves[0].name = "score";
    t->curves[0].text = "greedy agent, at each evaluation";
    t->curves[0].colour = 0xE8710A;
    t->curves[1].name = "training";
    t->curves[1].text = "with random actions, mean of 100 episodes";
    t->curves[1].colour = 0x8C8C8C;
    rise_agent_metrics(agent, &m);
    if (!train_make_folder(options->folder) || !train_open_log(t, (double)m.steps) ||
        !tensorboard_open(&t->events, options->folder, "rise")) {
        fprintf(stderr, "The folder %s cannot be written (%s): pass another --folder.\n",
                options->folder, strerror(errno));
        return 0;
    }
    t->began = terminal_seconds();
    t->first_steps = t->now.steps = (double)m.steps;
    t->now.updates = (double)m.updates;
    t->now.seconds = t->reported = t->saved = t->seconds_before;
    terminal_open(&t->screen);
    if (options->plain) t->screen.live = 0;
    signal(SIGTERM, terminal_on_interrupt);
    return 1;
}

/* Ends the session: saves the agent and prints the result. The caller keeps the agent. Returns 0 if
   the agent could not be saved. */
static inline int train_close(train_run *t)
{
    char spent[30], steps[30];
    int saved;
    train_refresh(t);
    train_log(t);
    saved = train_save(t);
    train_save_curve(t);
    if (t->screen.live) train_draw(t);
    fclose(t->csv);
    tensorboard_close(&t->events);
    printf("\n%s: %s steps in %s, %.0f updates.\n", t->options.title,
           train_count(t->now.steps, steps, sizeof steps),
           train_time(t->now.seconds, spent, sizeof spent), t->now.updates);
    if (!isnan(t->now.training))
        printf("The last %d training episodes scored %.4g on average, with exploration.\n",
               t->latest_count < TRAIN_LATEST ? t->latest_count : TRAIN_LATEST, t->now.training);
    if (!isnan(t->best))
        printf("Playing greedily it scored %.4g at best, after %s steps.\n", t->best,
               train_count(t->best_steps, steps, sizeof steps));
    puts(t->note);
    t->agent = NULL;
    return saved;
}

#endif
