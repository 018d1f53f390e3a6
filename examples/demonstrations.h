/* Demonstrations of the small games: a file of episodes, and a person who plays them in the
   terminal. memory.c uses it: --teach FILE records, --demonstrations FILE trains.

   The file is text. The first line names the game and its length. Each further line is an episode:
   its start and its actions, which together determine every frame and every reward (see games.h).

       rise.h demonstrations 1 corridor 10
       1: 0 0 0 0 0 0 0 0 0 0 2
       0: 0 0 0 0 0 0 0 0 0 0 1

   All functions that fail write a sentence into demonstrations.why. */
#ifndef DEMONSTRATIONS_H
#define DEMONSTRATIONS_H

#include "game_episode.h" /* first: defines _DEFAULT_SOURCE */
#include "replace.h"

#ifdef TERMINAL_POSIX
#include <poll.h>
#include <termios.h>
#endif

enum { DEMONSTRATIONS_VERSION = 1, DEMONSTRATIONS_WHY = 500 };

typedef struct demonstration {
    int start, steps;
    size_t first; /* index of the first action in demonstrations.actions */
} demonstration;

typedef struct demonstrations {
    game_kind kind;
    int length;
    demonstration *episodes;
    uint8_t *actions; /* of all episodes */
    int count;
    size_t steps, room; /* actions that are stored; actions that the array has memory for */
    double score;       /* mean over the episodes */
    char why[DEMONSTRATIONS_WHY];
    int missing;        /* 1: demonstrations_read found no file of this name */
} demonstrations;

static inline void demonstrations_free(demonstrations *d)
{
    free(d->episodes);
    free(d->actions);
    memset(d, 0, sizeof *d);
}

/* Writes the sentence and returns 0. */
TERMINAL_PRINTF(2, 3)
static inline int demonstrations_fail(demonstrations *d, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(d->why, sizeof d->why, format, arguments);
    va_end(arguments);
    return 0;
}

/* Appends an episode. `score` is its sum of rewards. Returns 0 without memory; then `d` is as it
   was. */
static inline int demonstrations_add(demonstrations *d, int start, const uint8_t *actions,
                                     int steps, double score)
{
    demonstration *const episodes =
        (demonstration *)realloc(d->episodes, ((size_t)d->count + 1) * sizeof *episodes);
    if (episodes == NULL) return demonstrations_fail(d, "out of memory");
    d->episodes = episodes;
    if (d->steps + (size_t)steps > d->room) {
        size_t const room = 2 * (d->steps + (size_t)steps);
        uint8_t *const larger = (uint8_t *)realloc(d->actions, room);
        if (larger == NULL) return demonstrations_fail(d, "out of memory");
        d->actions = larger;
        d->room = room;
    }
    memcpy(d->actions + d->steps, actions, (size_t)steps);
    episodes[d->count].start = start;
    episodes[d->count].steps = steps;
    episodes[d->count].first = d->steps;
    d->score += (score - d->score) / (d->count + 1);
    d->steps += (size_t)steps;
    d->count++;
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* The file */

enum {
    DEMONSTRATIONS_STEPS = 4096, /* more than any episode has */
    DEMONSTRATIONS_LINE = 3 * DEMONSTRATIONS_STEPS + 100
};

/* Prepares `d` for demonstrations of this game. */
static inline void demonstrations_init(demonstrations *d, game_kind kind, int length)
{
    memset(d, 0, sizeof *d);
    d->kind = kind;
    d->length = length;
}

/* Checks the first line. Returns 0 if the file holds something else or another game. */
static inline int demonstrations_read_head(demonstrations *d, const char *line, const char *path)
{
    char name[32];
    int version = 0, length = 0;
    if (sscanf(line, "rise.h demonstrations %d %31s %d", &version, name, &length) != 3)
        return demonstrations_fail(d,
                                   "%s does not begin with \"rise.h demonstrations\", so it is no "
                                   "file of demonstrations",
                                   path);
    if (version != DEMONSTRATIONS_VERSION)
        return demonstrations_fail(d, "%s has version %d, and this program reads version %d", path,
                                   version, DEMONSTRATIONS_VERSION);
    if (game_named(name) == d->kind && length == d->length) return 1;
    return demonstrations_fail(d,
                               "%s holds demonstrations of %s with length %d, not of %s with "
                               "length %d; choose another file or another --game and --length",
                               path, name, length, game_spec_of(d->kind)->name, d->length);
}

/* Reads a number of 0..most that ends in `end` or at the end of the line. Returns -1 if there is
   none. */
static inline int demonstrations_number(char **text, char end, long most)
{
    char *after;
    long number;
    if (**text < '0' || **text > '9') return -1;
    number = strtol(*text, &after, 10);
    if (number > most || (*after != end && *after != '\0')) return -1;
    *text = after + (*after == end);
    return (int)number;
}

/* Reads one line and plays the episode. Returns 0 if the line is no whole episode. */
static inline int demonstrations_read_line(demonstrations *d, char *text, const char *path)
{
    uint8_t actions[DEMONSTRATIONS_STEPS];
    int const line = d->count + 2;
    int start, steps = 0;
    double score = 0;
    game g;
    game_init(&g, d->kind, d->length, 0);
    text[strcspn(text, "\r\n")] = '\0';
    start = demonstrations_number(&text, ':',
                                  g.spec->sampled ? INT32_MAX - 1 : g.spec->starts - 1);
    if (start < 0)
        return demonstrations_fail(d, "line %d of %s does not begin with a start of %s", line, path,
                                   g.spec->name);
    game_start(&g, start);
    while (!g.done && steps < DEMONSTRATIONS_STEPS) {
        int action;
        while (*text == ' ') text++;
        if (*text == '\0')
            return demonstrations_fail(d, "line %d of %s ends before its episode does", line, path);
        action = demonstrations_number(&text, ' ', g.spec->actions - 1);
        if (action < 0)
            return demonstrations_fail(d, "action %d in line %d of %s must be a number of 0..%d",
                                       steps + 1, line, path, g.spec->actions - 1);
        score += (double)game_step(&g, action);
        actions[steps++] = (uint8_t)action;
    }
    if (*text != '\0')
        return demonstrations_fail(d, "line %d of %s goes on after its episode ended", line, path);
    return demonstrations_add(d, start, actions, steps, score);
}

/* Reads a file of demonstrations of the game for which `d` was prepared. Returns 0 on failure. */
static inline int demonstrations_read(demonstrations *d, const char *path)
{
    char line[DEMONSTRATIONS_LINE] = "";
    FILE *const file = fopen(path, "r");
    int good;
    if (file == NULL) {
        d->missing = errno == ENOENT;
        return demonstrations_fail(d, "%s cannot be opened: %s", path, strerror(errno));
    }
    good = (fgets(line, sizeof line, file) != NULL || !ferror(file)) &&
           demonstrations_read_head(d, line, path);
    while (good && fgets(line, sizeof line, file) != NULL)
        good = demonstrations_read_line(d, line, path);
    if (ferror(file)) good = demonstrations_fail(d, "%s cannot be read", path);
    if (good && d->count == 0) good = demonstrations_fail(d, "%s holds no episode", path);
    fclose(file);
    return good;
}

/* Writes the file. An older file of this name is replaced only by a complete new one. */
static inline int demonstrations_write(demonstrations *d, const char *path)
{
    replace_file r;
    FILE *file;
    int i, k;
    errno = 0;
    file = replace_begin(&r, path);
    if (file != NULL)
        fprintf(file, "rise.h demonstrations %d %s %d\n", DEMONSTRATIONS_VERSION,
                game_spec_of(d->kind)->name, d->length);
    for (i = 0; file != NULL && i < d->count; i++) {
        const demonstration *const e = &d->episodes[i];
        fprintf(file, "%d:", e->start);
        for (k = 0; k < e->steps; k++) fprintf(file, " %d", d->actions[e->first + (size_t)k]);
        fputc('\n', file);
    }
    if (replace_end(&r, 1)) return 1;
    return demonstrations_fail(d, "%s cannot be written: %s; choose another path", path,
                               strerror(errno));
}

/* ---------------------------------------------------------------------------------------------- */
/* Keys */

enum { KEY_END = -1, KEY_NONE = -2, KEY_AGAIN = -3, KEYS_WAIT = 100 /* milliseconds */ };

/* The keys of the actions. With four rows of four, they lie like the 16 cards of Pairs. */
static inline const char *keys_of(const game_spec *spec)
{
    return spec->actions <= 9 ? "123456789" : "1234qwerasdfzxcv";
}

#ifdef TERMINAL_POSIX
static struct termios keys_before; /* the terminal's settings before keys_open */
static inline void keys_close(void) { tcsetattr(0, TCSANOW, &keys_before); }
#endif

/* Makes the terminal pass each key at once and show none, until the program ends. Without POSIX or
   with a pipe, keys are read as they come. */
static inline void keys_open(void)
{
#ifdef TERMINAL_POSIX
    struct termios now;
    if (!isatty(0) || tcgetattr(0, &keys_before) != 0) return;
    now = keys_before;
    now.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
    now.c_cc[VMIN] = 1;
    now.c_cc[VTIME] = 0;
    tcsetattr(0, TCSANOW, &now);
    atexit(keys_close);
#endif
}

/* Returns the next byte of the standard input, -1 at its end or after Ctrl-C. */
static inline int keys_byte(void)
{
#ifdef TERMINAL_POSIX
    unsigned char byte;
    struct pollfd in = {0, POLLIN, 0};
    while (!terminal_interrupted) { /* the wait is short, because Ctrl-C does not end a read */
        int const ready = poll(&in, 1, KEYS_WAIT);
        if (ready == 0 || (ready < 0 && errno == EINTR)) continue;
        return ready > 0 && read(0, &byte, 1) == 1 ? byte : -1;
    }
    return -1;
#else
    return getchar();
#endif
}

/* Returns the action with the name of an arrow key, or KEY_NONE. */
static inline int keys_arrow(const game_spec *spec, int byte)
{
    static const char *const names[4] = {"ahead", "stay", "right", "left"};
    int i;
    for (i = 0; byte >= 'A' && byte <= 'D' && i < spec->actions; i++)
        if (strcmp(spec->action_names[i], names[byte - 'A']) == 0) return i;
    return KEY_NONE;
}

/* Waits for a key. Returns its action, or KEY_END, KEY_AGAIN or KEY_NONE. */
static inline int keys_next(const game_spec *spec)
{
    int const byte = keys_byte();
    const char *const keys = keys_of(spec), *const key = byte > 0 ? strchr(keys, byte) : NULL;
    if (byte < 0 || byte == '0' || byte == 4) return KEY_END; /* 4: Ctrl-D */
    if (byte == 8 || byte == 127) return KEY_AGAIN;           /* backspace */
    if (byte == 27) {                                         /* an arrow: ESC [ A */
        int const bracket = keys_byte();
        return bracket == '[' || bracket == 'O' ? keys_arrow(spec, keys_byte()) : KEY_NONE;
    }
    return key != NULL && key - keys < spec->actions ? (int)(key - keys) : KEY_NONE;
}

/* ---------------------------------------------------------------------------------------------- */
/* The teacher */

static inline void teach_draw(const demonstrations *d, const episode *e, terminal *t)
{
    const game_spec *const spec = e->state.spec;
    int const column = episode_columns(spec) + 6;
    int i;
    terminal_clear(t);
    terminal_text(t, 0, 2, TERMINAL_PLAIN,
                  "%s: %d episodes, mean score %+.2f   (what the agent cannot see is drawn in "
                  "amber)",
                  spec->name, d->count, d->score);
    terminal_text(t, 1, 2, TERMINAL_PLAIN, "%s", spec->text);
    episode_draw(e, t, 3, 2);
    terminal_text(t, 3 + episode_rows(spec), 2, TERMINAL_PLAIN, "%s", episode_caption(e));
    for (i = 0; i < spec->actions; i++)
        terminal_text(t, 3 + i, column, TERMINAL_PLAIN, "%c  %s", keys_of(spec)[i],
                      spec->action_names[i]);
    if (spec->actions <= 4)
        terminal_text(t, 4 + i, column, TERMINAL_PLAIN, "or the arrow keys (down: stay)");
    terminal_text(t, 20, 2, TERMINAL_PLAIN, "step %d   score %+.2f", e->state.time, e->score);
    terminal_text(t, 21, 2, TERMINAL_PLAIN,
                  "backspace: the same episode again    0: end. Whole episodes are kept.");
    terminal_show(t);
}

/* Plays one episode with keys. Returns 1 if it ended, 0 if the person ended the session. */
static inline int teach_episode(const demonstrations *d, episode *e, uint8_t *actions, int *steps,
                                terminal *t)
{
    *steps = 0;
    while (!e->state.done && *steps < DEMONSTRATIONS_STEPS) {
        int key;
        if (t->live) teach_draw(d, e, t);
        key = keys_next(e->state.spec);
        if (key == KEY_END) return 0;
        if (key == KEY_AGAIN) {
            episode_begin(e, e->state.start);
            *steps = 0;
        }
        if (key < 0) continue;
        actions[(*steps)++] = (uint8_t)key;
        e->action = key;
        e->reward = game_step(&e->state, key);
        e->score += (double)e->reward;
    }
    if (!t->live) return 1;
    teach_draw(d, e, t);
    terminal_sleep(0.7);
    return 1;
}

/* Lets a person play episodes of the game in `d`. Adds them to `d` and writes the file after each.
   Returns 0 if the file cannot be written. */
static inline int teach(demonstrations *d, episode *e, const char *path, terminal *t)
{
    uint8_t actions[DEMONSTRATIONS_STEPS];
    int steps, good = 1;
    keys_open();
    while (good) {
        game_reset(&e->state);
        episode_begin(e, e->state.start);
        if (!teach_episode(d, e, actions, &steps, t)) break;
        good = demonstrations_add(d, e->state.start, actions, steps, e->score) &&
               demonstrations_write(d, path);
        if (good && !t->live)
            printf("episode %d: start %d, %d steps, score %+.2f\n", d->count, e->state.start, steps,
                   e->score);
    }
    return good;
}

#endif
