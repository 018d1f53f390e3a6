/* A training run: one agent and one folder. The run shows progress as a panel in the terminal or as
   lines of text. It writes a log and a learning curve. It saves the agent regularly, so that little
   is lost if the program stops. The folder holds:

       agent.rise       the agent to resume with: saved regularly, at the end, and on Ctrl-C,
                        SIGTERM or SIGHUP
       best.rise        the policy with the best score so far
       best.txt         its score and steps
       log.csv          a row every 20 s, at each evaluation, and at the end
       curve.svg        the learning curve
       events.out...    the numbers of log.csv for TensorBoard, a file for each session
       run.txt          command, options and versions of each session (command_line.h)
       episode.gif      a film of the best agent (atari.c)

   A resumed run keeps the rows of log.csv up to the steps of the saved agent, and drops later rows.
   If a file cannot be written, the run says so and goes on. The older file stays, and the next save
   tries again. A row that could not be written to log.csv is lost.

   If your program calls setlocale, keep LC_NUMERIC at "C": printf and strtod must use a decimal
   point here.
*/
#ifndef TRAINING_RUN_H
#define TRAINING_RUN_H

#include "chart.h" /* first: defines _DEFAULT_SOURCE */
#include "preprocess.h"
#include "tensorboard.h"

#include "../rise.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    TRAIN_LATEST = 100, /* episodes whose mean is the training score */
    TRAIN_PATH = 300,
    TRAIN_NOTE = 700,
    TRAIN_PICTURE = 28 /* side of the game's picture in the panel, in pixels */
};

typedef struct train_options {
    const char *title;
    const char *folder;    /* created if it does not exist, with its parent folders */
    /* the run ends when one of them is reached; both count all sessions of the run; 0: no limit */
    double steps, seconds;
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

/* The policy in best.rise. */
typedef struct train_best {
    double score, steps; /* NAN: there is none */
    uint64_t hash;       /* of the file: FNV-1a */
} train_best;

/* Files that may fail to be written, most important first. */
enum { TRAIN_AGENT, TRAIN_BEST, TRAIN_LOG, TRAIN_CURVE, TRAIN_EVENTS, TRAIN_FILES };

typedef struct train_run {
    train_options options;
    rise_agent *agent;
    train_row now;               /* set by train_refresh */
    train_best best;
    double latest[TRAIN_LATEST]; /* scores of this session's episodes, a ring buffer */
    int latest_count;
    chart_curve curves[2];  /* of evaluations, and of training with exploration */
    double seconds_before;  /* seconds of earlier sessions of this run */
    double began;           /* terminal_seconds() at the start of this session */
    double first_steps;     /* steps at the start of this session */
    double reported, saved; /* `now.seconds` at the last report, and at the last save */
    double evaluated;       /* steps at the last evaluation */
    double logged;          /* steps of the last row of log.csv; -1: none */
    int ever_saved;         /* 1: the folder holds agent.rise */
    tensorboard events;
    terminal screen;
    char note[TRAIN_NOTE]; /* the last event, a sentence */
    char failure[TRAIN_NOTE]; /* why the session ends early, a sentence; "": it does not */
    /* a sentence for each file that could not be written at the last attempt; "": it could */
    char trouble[TRAIN_FILES][TRAIN_NOTE];
} train_run;

static inline const char *train_path(const train_run *t, const char *name, char *path)
{
    snprintf(path, TRAIN_PATH, "%s/%s", t->options.folder, name);
    return path;
}

/* Removes the last `made` folders of a path, unless they hold something. */
static inline void train_remove_folders(const char *path, int made)
{
    char part[TRAIN_PATH];
    size_t length = (size_t)snprintf(part, sizeof part, "%s", path);
    while (length < sizeof part && length > 0 && made > 0) {
        part[length] = '\0';
        if (part[length - 1] != '/') made--, rmdir(part);
        while (length > 0 && part[length - 1] != '/') length--;
        while (length > 0 && part[length - 1] == '/') length--;
    }
}

/* Creates a folder and its parent folders. Returns how many did not exist; -1 on failure: then
   those that were created are removed, and errno says why. */
static inline int train_make_folder(const char *path)
{
    char part[TRAIN_PATH] = "";
    struct stat found;
    size_t i;
    int made = 0, why = 0;
    for (i = 1; path[0] != '\0' && i < sizeof part && why == 0; i++) {
        if (path[i] != '/' && path[i] != '\0') continue;
        if (path[i - 1] != '/') {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            if (mkdir(part, 0777) == 0)
                made++;
            else if (errno != EEXIST)
                why = errno;
        }
        if (path[i] == '\0' || why != 0) break;
    }
    if (why == 0 && stat(path, &found) != 0) why = errno;
    if (why == 0 && !S_ISDIR(found.st_mode)) why = ENOTDIR;
    if (why == 0) return made;
    train_remove_folders(part, made + 1); /* the last one was not made */
    errno = why;
    return -1;
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

/* Prints how much memory the agent needs. If the machine has too little, prints smaller fields and
   returns 0. The new replay_capacity assumes that the replay buffer takes nearly all of the memory.
   With a large network or batch, even this replay buffer may not fit. */
static inline int train_memory_fits(const rise_agent_desc *desc)
{
    double const need = (double)rise_agent_bytes(desc, NULL), left = train_memory_left();
    double const fits = floor(desc->replay_capacity * 0.7 * left / need / 1000) * 1000;
    printf("The agent needs %.0f MB of memory, with room to store %d %s", need / 1e6,
           desc->replay_capacity, desc->frame_width > 0 ? "frames" : "observations");
    if (left > 0) printf("; %.0f MB are free", left / 1e6);
    puts(".");
    if (left <= 0 || need < 0.9 * left) return 1; /* leaves 10% for other programs */
    fprintf(stderr, "That is too much for this machine: ");
    if (fits < fmax(1000, 2.0 * desc->batch))
        fprintf(stderr, "make the frames smaller, or take a machine with more memory\n");
    else if (fits < desc->learn_start)
        fprintf(stderr, "begin a run with --set replay_capacity=%.0f --set learn_start=%.0f\n",
                fits, fits / 2);
    else
        fprintf(stderr, "begin a run with --set replay_capacity=%.0f\n", fits);
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

/* Adds a row of the log to the curves. Records its steps in t->logged and, if the row has a score,
   in t->evaluated. */
static inline void train_remember(train_run *t, const train_row *row)
{
    train_point(&t->curves[0], row, row->score);
    train_point(&t->curves[1], row, row->training);
    t->logged = row->steps;
    if (!isnan(row->score)) t->evaluated = row->steps;
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

/* Reads a number, or NAN if the field is empty. *at becomes the next field; NULL after the last.
   Returns 0 if the field is neither, or if there is no field. */
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

static inline void train_write_names(FILE *csv)
{
#define TRAIN_NAME(name) "," #name
    fprintf(csv, "%s\n", &(TRAIN_COLUMNS(TRAIN_NAME))[1]);
#undef TRAIN_NAME
}

/* Begins log.csv with the rows of the old one up to `steps`. Sets t->best to the highest score of
   all old rows. Returns 0 on failure; errno says why, and the old file is unchanged. */
static inline int train_begin_log(train_run *t, double steps)
{
    static replace_file log;
    char path[TRAIN_PATH], line[1000];
    FILE *const old = fopen(train_path(t, "log.csv", path), "r");
    train_row row;
    int good = old != NULL || errno == ENOENT;
    if (!good || replace_begin(&log, path) == NULL) {
        if (old != NULL) fclose(old);
        return good && replace_end(&log, 0);
    }
    train_write_names(log.file);
    while (old != NULL && fgets(line, sizeof line, old) != NULL) {
        if (!train_read_row(line, &row)) continue;
        if (!isnan(row.score) && !(row.score <= t->best.score))
            t->best.score = row.score, t->best.steps = row.steps;
        if (row.steps > steps || steps <= 0) continue;
        t->seconds_before = row.seconds;
        if (row.steps == steps && isnan(row.score)) continue; /* may be written with a score now */
        train_write_row(log.file, &row);
        train_remember(t, &row);
    }
    if (old != NULL) good = !ferror(old);
    if (old != NULL) fclose(old);
    return replace_end(&log, good);
}

/* Appends a row to log.csv. The file is opened for each row, because writes to an open file still
   succeed after its folder was removed. Returns 0 on failure; errno says why, and no part of the
   row is left. */
static inline int train_append_row(const train_run *t, const train_row *row)
{
    char path[TRAIN_PATH];
    FILE *const csv = fopen(train_path(t, "log.csv", path), "a");
    long size;
    int good, why;
    if (csv == NULL) return 0;
    fseek(csv, 0, SEEK_END);
    size = ftell(csv);
    if (size == 0) train_write_names(csv);
    train_write_row(csv, row);
    good = fflush(csv) == 0 && !ferror(csv);
    why = errno;
    if (fclose(csv) != 0 && good) good = 0, why = errno;
    if (!good && size >= 0 && truncate(path, size) != 0) why = errno;
    errno = why;
    return good;
}

/* Writes the row's numbers for TensorBoard. After a failure, or if the file has vanished, begins
   another file. Returns 0 on failure; errno says why. */
static inline int train_scalars(train_run *t, const train_row *row)
{
    time_t const now = time(NULL);
    int good = 1;
    if (!t->events.good || access(t->events.path, F_OK) != 0) {
        tensorboard_close(&t->events);
        if (!tensorboard_open(&t->events, t->options.folder, "rise")) return 0;
    }
#define TRAIN_SCALAR(name)                                                                         \
    if (!isnan(row->name))                                                                         \
        good = tensorboard_scalar(&t->events, #name, (int64_t)row->steps, (float)row->name,        \
                                  (double)now);
    TRAIN_COLUMNS(TRAIN_SCALAR)
#undef TRAIN_SCALAR
    return good;
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
/* Returns the steps that the agent has taken so far. */
static inline double train_steps(const train_run *t)
{
    rise_metrics m;
    rise_agent_metrics(t->agent, &m);
    return (double)m.steps;
}

/* Returns whether the run has reached its limit of steps or of seconds. A limit of 0 is none. */
static inline int train_spent(const train_run *t)
{
    return (t->options.steps > 0 && train_steps(t) >= t->options.steps) ||
           (t->options.seconds > 0 && t->now.seconds >= t->options.seconds);
}

/* Returns whether an evaluation is due: whether the steps have passed a multiple of evaluate_every
   since the last evaluation. At the end of the run: whether there were any steps since then. */
static inline int train_evaluation_due(const train_run *t)
{
    double const steps = train_steps(t), every = t->options.evaluate_every;
    if (train_spent(t)) return steps > t->evaluated;
    return floor(steps / every) > floor(t->evaluated / every);
}

/* Formats the remaining time as ", 1:02:03 left". Returns ", last evaluation" if the budget is
   spent and only this evaluation is left. Returns "" before the speed is known, and at the end. */
static inline const char *train_left(const train_run *t, char *text, size_t size)
{
    double const by_steps = t->options.steps > 0 ? (t->options.steps - t->now.steps) /
                                                       fmax(t->now.steps_per_second, 1e-9)
                                                 : HUGE_VAL;
    double const left = t->options.seconds > 0 ? fmin(by_steps, t->options.seconds - t->now.seconds)
                                               : by_steps;
    char time[30];
    text[0] = '\0';
    if (left <= 0 && train_evaluation_due(t)) snprintf(text, size, ", last evaluation");
    if (left > 0 && left < 1e8)
        snprintf(text, size, ", %s left", train_time(left, time, sizeof time));
    return text;
}

static inline void train_level(chart *c, const char *name, double score)
{
    c->levels[c->level_count].name = c->levels[c->level_count].brief = name;
    c->levels[c->level_count++].score = score;
}
/* Returns the chart of this run. The upper edge of the chart is options.level. If there is no level
   or a score of the run is above the level, the upper edge is the highest score of the run. */
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
    if (!isnan(score)) length = snprintf(text, size, "score %.4g", score);
    if (!isnan(t->best.score))
        length += snprintf(text + length, size - (size_t)length, "%sbest %.4g%s",
                           length > 0 ? " (" : "", t->best.score, length > 0 ? ")" : "");
    if (length > 0) length += snprintf(text + length, size - (size_t)length, "  ");
    if (!isnan(t->now.training))
        snprintf(text + length, size - (size_t)length, "training %.4g", t->now.training);
}

/* Returns the sentence about the most important file that could not be written; else the last
   event. */
static inline const char *train_news(const train_run *t)
{
    int file = 0;
    while (file < TRAIN_FILES && t->trouble[file][0] == '\0') file++;
    return file < TRAIN_FILES ? t->trouble[file] : t->note;
}

/* Returns what the replay buffer stores: "frames" or "observations". */
static inline const char *train_stored(const rise_agent *agent)
{
    return rise_agent_query(agent)->frame_width > 0 ? "frames" : "observations";
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
    terminal_text(s, 1, 5 + (int)strlen("score: ") + (int)strlen(t->curves[0].text),
                  t->curves[1].colour, "training: %s", t->curves[1].text);
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
        "%.0f steps/s  %.0f updates/s  %.1f%% random actions  replay %s %s  %.0f MB  %s",
        t->now.steps_per_second, t->now.updates_per_second, 100 * m.epsilon,
        train_count((double)m.replay_size, steps, sizeof steps), train_stored(t->agent),
        (double)m.bytes / 1e6, m.isa);
    terminal_text(s, 20, 2, TERMINAL_PLAIN,
                  "loss %.4f  mean value %.3f  TD error %.4f  gradient norm %.2f", m.loss,
                  m.mean_value, m.td_error, m.gradient_norm);
    terminal_text(s, 21, 2, 0x8C8C8C, "%s", train_news(t));
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

/* Records a sentence. The panel shows this sentence in its last line, unless a file could not be
   written (train_news). Without a panel, prints the sentence. */
TERMINAL_PRINTF(2, 3)
static inline void train_say(train_run *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->note, sizeof t->note, format, arguments);
    va_end(arguments);
    if (!t->screen.live) puts(t->note), fflush(stdout);
}

/* Records why the session must end. While there is a panel, train_close prints the sentence after
   it has drawn the panel for the last time. Otherwise prints the sentence at once. Returns 0. */
TERMINAL_PRINTF(2, 3)
static inline int train_fail(train_run *t, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(t->failure, sizeof t->failure, format, arguments);
    va_end(arguments);
    if (!t->screen.live || t->agent == NULL) fprintf(stderr, "%s\n", t->failure);
    return 0;
}

/* Records that a file was written, or why not. Without a panel, prints the reason when it is new.
   Returns `good`. */
TERMINAL_PRINTF(4, 5)
static inline int train_result(train_run *t, int file, int good, const char *format, ...)
{
    char sentence[TRAIN_NOTE] = "";
    va_list arguments;
    va_start(arguments, format);
    if (!good) vsnprintf(sentence, sizeof sentence, format, arguments);
    va_end(arguments);
    if (!t->screen.live && !good && strcmp(sentence, t->trouble[file]) != 0)
        puts(sentence), fflush(stdout);
    strcpy(t->trouble[file], sentence);
    return good;
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
    errno = 0;
    if (rise_agent_save(t->agent, t->options.whole ? RISE_SAVE_ALL : RISE_SAVE_AGENT, path,
                        &error) != RISE_OK)
        return train_result(t, TRAIN_AGENT, 0, "NOT SAVED: %s%s", error.text,
                            replace_cause(error.text));
    train_result(t, TRAIN_AGENT, 1, "%s", "");
    t->ever_saved = 1;
    train_say(t, "Saved after %s steps: %s", train_count(t->now.steps, steps, sizeof steps), path);
    return 1;
}

/* Returns the hash of a file; 0 if it cannot be read, and errno says why. */
static inline uint64_t train_hash(const char *path)
{
    uint64_t hash = UINT64_C(0xCBF29CE484222325);
    FILE *const file = fopen(path, "rb");
    int byte, good;
    if (file == NULL) return 0;
    while ((byte = getc(file)) != EOF) hash = (hash ^ (uint64_t)byte) * UINT64_C(0x100000001B3);
    good = !ferror(file);
    fclose(file);
    if (!good) errno = EIO;
    return good ? hash : 0;
}

static inline void train_write_best(FILE *file, const train_best *best)
{
    if (!isnan(best->score) && best->hash != 0)
        fprintf(file, "%016" PRIx64 " %.17g %.0f\n", best->hash, best->score, best->steps);
}

/* Sets t->best to the score of best.rise, from the line of best.txt with the hash of this file.
   Without such a line, t->best stays the highest score in log.csv, because old runs have no
   best.txt. Without best.rise, there is no best score. Returns 0 if a file exists but cannot be
   read; errno says why. The run must not begin then, because a worse agent could replace
   best.rise. */
static inline int train_read_best(train_run *t)
{
    char path[TRAIN_PATH], line[200];
    train_best const none = {(double)NAN, (double)NAN, 0};
    train_best read = none;
    FILE *file;
    int good;
    t->best.hash = train_hash(train_path(t, "best.rise", path));
    if (t->best.hash == 0 && errno != ENOENT) return 0;
    if (t->best.hash == 0) t->best = none;
    file = fopen(train_path(t, "best.txt", path), "r");
    if (file == NULL) return errno == ENOENT;
    while (fgets(line, sizeof line, file) != NULL)
        if (sscanf(line, "%" SCNx64 " %lf %lf", &read.hash, &read.score, &read.steps) == 3 &&
            read.hash == t->best.hash)
            t->best = read;
    good = !ferror(file);
    fclose(file);
    if (!good) errno = EIO;
    return good;
}

/* Writes best.txt: a line for the file best.rise, and one for the file that is to replace it. */
static inline int train_note_best(const train_run *t, const train_best *next)
{
    static replace_file note;
    char path[TRAIN_PATH];
    if (replace_begin(&note, train_path(t, "best.txt", path)) != NULL) {
        fputs("hash of best.rise, score, steps: the line with its hash is valid\n", note.file);
        train_write_best(note.file, &t->best);
        train_write_best(note.file, next);
    }
    return replace_end(&note, 1);
}

/* Saves the agent as best.rise, with its score in best.txt. First, best.txt gets the scores of both
   the old and the new best.rise. Then the new best.rise replaces the old one. So a run that is
   killed at any moment still knows the score of best.rise, and a worse agent cannot replace this
   file. A killed run may leave best.rise.next. If there is no agent.rise yet, saves that file, too.
   Returns 0 on failure; then best.rise is unchanged. */
static inline int train_save_best(train_run *t, double score)
{
    char path[TRAIN_PATH], fresh[TRAIN_PATH];
    train_best next = {(double)NAN, (double)NAN, 0};
    rise_error error;
    int why;
    next.score = score, next.steps = t->now.steps;
    train_path(t, "best.rise", path);
    train_path(t, "best.rise.next", fresh);
    if (!t->ever_saved) train_save(t); /* a folder with best.rise has an agent to resume with */
    errno = 0;
    if (rise_agent_save(t->agent, RISE_SAVE_POLICY, fresh, &error) != RISE_OK)
        return train_result(t, TRAIN_BEST, 0, "The best agent was NOT SAVED: %s%s", error.text,
                            replace_cause(error.text));
    next.hash = train_hash(fresh);
    if (next.hash != 0 && train_note_best(t, &next) && rename(fresh, path) == 0) {
        t->best = next;
        return train_result(t, TRAIN_BEST, 1, "%s", "");
    }
    why = errno;
    remove(fresh);
    return train_result(t, TRAIN_BEST, 0, "The best agent was NOT SAVED: %s or best.txt beside it "
                        "cannot be written: %s", path, strerror(why));
}

static inline void train_save_curve(train_run *t)
{
    char path[TRAIN_PATH];
    chart const c = train_chart(t);
    int const good = chart_write_svg(&c, train_path(t, "curve.svg", path));
    train_result(t, TRAIN_CURVE, good, "%s cannot be written: %s", path, strerror(errno));
}

/* ---------------------------------------------------------------------------------------------- */
/* The run */

/* Fills in t->now, with no score. Speeds are exponential moving averages with a time constant of
   5 s. During an evaluation the agent takes no training steps, so the speeds fall towards 0. */
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

/* Writes t->now to log.csv, to the file for TensorBoard, and to the curves. */
static inline void train_log(train_run *t)
{
    char path[TRAIN_PATH];
    int good = train_append_row(t, &t->now);
    train_result(t, TRAIN_LOG, good, "%s cannot be written: %s", train_path(t, "log.csv", path),
                 strerror(errno));
    good = train_scalars(t, &t->now);
    train_result(t, TRAIN_EVENTS, good, "%s cannot be written: %s", t->events.path,
                 strerror(errno));
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
        /* an evaluation that is due logs these steps, with its score */
        if (t->now.steps > t->logged && !train_evaluation_due(t)) train_log(t);
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

/* Records an evaluation: the mean score without the exploration of training. If the score is the
   best so far, saves the agent as best.rise. */
static inline void train_evaluated(train_run *t, double score)
{
    int const best = !(score <= t->best.score);
    char steps[30];
    train_refresh(t);
    t->now.score = score;
    train_log(t);
    train_say(t, "After %s steps, the agent scores %.4g in an evaluation%s.",
              train_count(t->now.steps, steps, sizeof steps), score,
              best ? ", the best so far" : "");
    if (best) train_save_best(t, score);
}

static inline int train_over(const train_run *t)
{
    return terminal_interrupted || train_spent(t);
}

/* Begins a session with this agent, which may have steps of earlier sessions. Returns 0, after a
   message, if log.csv, best.rise or best.txt cannot be read, or if the folder cannot be written. */
static inline int train_open(train_run *t, const train_options *options, rise_agent *agent)
{
    char path[TRAIN_PATH];
    rise_metrics m;
    memset(t, 0, sizeof *t);
    t->options = *options;
    t->agent = agent;
    t->best.score = t->best.steps = (double)NAN;
    t->logged = -1;
    t->curves[0].name = "score";
    t->curves[0].text = "at each evaluation";
    t->curves[0].colour = 0xE8710A;
    t->curves[1].name = "training";
    t->curves[1].text = "with random actions, mean of 100 episodes";
    t->curves[1].colour = 0x8C8C8C;
    rise_agent_metrics(agent, &m);
    if (train_make_folder(options->folder) < 0 || !train_begin_log(t, (double)m.steps) ||
        !tensorboard_open(&t->events, options->folder, "rise")) {
        fprintf(stderr, "The folder %s cannot be written (%s): pass another --folder.\n",
                options->folder, strerror(errno));
        return 0;
    }
    if (!train_read_best(t)) {
        fprintf(stderr,
                "best.rise or best.txt in %s cannot be read: %s; make both readable, or pass "
                "another --folder\n",
                options->folder, strerror(errno));
        tensorboard_close(&t->events);
        return 0;
    }
    t->ever_saved = access(train_path(t, "agent.rise", path), F_OK) == 0;
    t->began = terminal_seconds();
    t->first_steps = t->now.steps = (double)m.steps;
    t->now.updates = (double)m.updates;
    t->now.seconds = t->reported = t->saved = t->seconds_before;
    if (options->plain)
        terminal_catch_signals();
    else
        terminal_open(&t->screen);
    /* in `atari | tee log`, Ctrl-C ends tee as well: the run must still be saved */
    signal(SIGPIPE, SIG_IGN);
    return 1;
}

/* Ends the session: saves the agent and prints the result. The caller still owns the agent. Returns
   0 if the agent or the best agent could not be saved. */
static inline int train_close(train_run *t)
{
    char spent[30], steps[30];
    int saved, file;
    train_refresh(t);
    if (t->now.steps > t->logged) train_log(t);
    saved = train_save(t);
    train_save_curve(t);
    if (t->screen.live) train_draw(t);
    tensorboard_close(&t->events);
    printf("\n%s: %s steps in %s, %.0f updates.\n", t->options.title,
           train_count(t->now.steps, steps, sizeof steps),
           train_time(t->now.seconds, spent, sizeof spent), t->now.updates);
    if (!isnan(t->now.training))
        printf("The last %d training episodes scored %.4g on average, with exploration.\n",
               t->latest_count < TRAIN_LATEST ? t->latest_count : TRAIN_LATEST, t->now.training);
    if (!isnan(t->best.score))
        printf("The best evaluation scored %.4g, after %s steps.\n", t->best.score,
               train_count(t->best.steps, steps, sizeof steps));
    if (saved) puts(t->note);
    for (file = 0; file < TRAIN_FILES; file++)
        if (t->trouble[file][0] != '\0') puts(t->trouble[file]);
    if (t->screen.live && t->failure[0] != '\0') fprintf(stderr, "%s\n", t->failure);
    t->agent = NULL;
    return saved && t->trouble[TRAIN_BEST][0] == '\0';
}

#endif
