/* A file of demonstrations: episodes that a person or a script played. memory.c and npc.c have two
   options for such a file: --teach FILE records episodes, --demonstrations FILE trains from them.

   The file is text. The first line names the game and its length. Each further line is an episode:
   its start and its actions, which together determine every frame and every reward.

       rise.h demonstrations 1 corridor 10
       1: 0 0 0 0 0 0 0 0 0 0 2
       0: 0 0 0 0 0 0 0 0 0 0 1

   The reader plays each episode, so it needs the rules of the game: see demonstrations_game.

   All functions that fail write a sentence into demonstrations.why. */
#ifndef DEMONSTRATIONS_H
#define DEMONSTRATIONS_H

#include "replace.h" /* first: defines _DEFAULT_SOURCE */

#include <stdarg.h>
#include <stdint.h>

#if defined(__GNUC__)
#define DEMONSTRATIONS_PRINTF __attribute__((format(printf, 2, 3)))
#else
#define DEMONSTRATIONS_PRINTF
#endif

enum { DEMONSTRATIONS_VERSION = 1, DEMONSTRATIONS_WHY = 500 };

/* The game that is demonstrated. `state` is an object of the caller that holds one episode. */
typedef struct demonstrations_game {
    const char *name; /* without spaces */
    int length;       /* of the game, as in games.h; a file with another length is refused */
    int starts;       /* a start is 0 .. starts - 1 */
    int actions;      /* at most 256 */
    void (*begin)(void *state, int start);
    /* Does an action and adds its reward to *score. Returns whether the episode is over. */
    int (*step)(void *state, int action, double *score);
    const char *remedy; /* added to "choose another file" for a file of another game */
} demonstrations_game;

typedef struct demonstration {
    int start, steps;
    size_t first; /* index of the first action in demonstrations.actions */
} demonstration;

typedef struct demonstrations {
    demonstrations_game game;
    demonstration *episodes;
    uint8_t *actions; /* of all episodes */
    int count;
    size_t steps, room; /* actions that are stored; actions that the array has memory for */
    double score;       /* the mean of the episodes' sums of rewards */
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
DEMONSTRATIONS_PRINTF
static inline int demonstrations_fail(demonstrations *d, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(d->why, sizeof d->why, format, arguments);
    va_end(arguments);
    return 0;
}

/* Appends an episode. `score` is its sum of rewards. Returns 0 if memory runs out; then `d` has the
   same episodes as before. */
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
    DEMONSTRATIONS_LINE = 4 * DEMONSTRATIONS_STEPS + 100 /* an action is at most " 255" */
};

/* Prepares `d` for demonstrations of this game. */
static inline void demonstrations_init(demonstrations *d, const demonstrations_game *of)
{
    memset(d, 0, sizeof *d);
    d->game = *of;
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
    if (strcmp(name, d->game.name) == 0 && length == d->game.length) return 1;
    return demonstrations_fail(d,
                               "%s holds demonstrations of %s with length %d, not of %s with "
                               "length %d; choose another file%s",
                               path, name, length, d->game.name, d->game.length, d->game.remedy);
}

/* Reads a number 0..most that is followed by `end` or by the end of the line, and moves *text past
   both. Returns -1 if there is no such number. */
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

/* Reads one line, plays the episode, and adds it to `d`. Returns 0 if the line is not exactly one
   whole episode, or if memory runs out. */
static inline int demonstrations_read_line(demonstrations *d, char *text, const char *path,
                                           void *state)
{
    uint8_t actions[DEMONSTRATIONS_STEPS];
    int const line = d->count + 2;
    int start, steps = 0, over = 0;
    double score = 0;
    text[strcspn(text, "\r\n")] = '\0';
    start = demonstrations_number(&text, ':', d->game.starts - 1);
    if (start < 0)
        return demonstrations_fail(d, "line %d of %s does not begin with a start of %s", line, path,
                                   d->game.name);
    d->game.begin(state, start);
    while (!over && steps < DEMONSTRATIONS_STEPS) {
        int action;
        while (*text == ' ') text++;
        if (*text == '\0')
            return demonstrations_fail(d, "line %d of %s ends before its episode does", line, path);
        action = demonstrations_number(&text, ' ', d->game.actions - 1);
        if (action < 0)
            return demonstrations_fail(d, "action %d in line %d of %s must be from 0 to %d",
                                       steps + 1, line, path, d->game.actions - 1);
        over = d->game.step(state, action, &score);
        actions[steps++] = (uint8_t)action;
    }
    if (*text != '\0')
        return demonstrations_fail(d, "line %d of %s goes on after its episode ended", line, path);
    return demonstrations_add(d, start, actions, steps, score);
}

/* Reads a file of demonstrations into `d`, which demonstrations_init has prepared and which has no
   episode yet. `state` is for the game's functions. Returns 0 on failure; then `d` may hold the
   first episodes of the file. */
static inline int demonstrations_read(demonstrations *d, const char *path, void *state)
{
    char line[DEMONSTRATIONS_LINE] = "";
    FILE *const file = fopen(path, "r");
    int good;
    if (file == NULL) {
        d->missing = errno == ENOENT;
        return demonstrations_fail(d, "%s cannot be opened: %s; choose another file", path,
                                   strerror(errno));
    }
    good = (fgets(line, sizeof line, file) != NULL || !ferror(file)) &&
           demonstrations_read_head(d, line, path);
    while (good && fgets(line, sizeof line, file) != NULL)
        good = demonstrations_read_line(d, line, path, state);
    if (ferror(file)) good = demonstrations_fail(d, "%s cannot be read", path);
    if (good && d->count == 0) good = demonstrations_fail(d, "%s holds no episode", path);
    fclose(file);
    return good;
}

/* Writes the file. An older file of this name is replaced only by a complete new one (with POSIX:
   see replace.h). Returns 0 on failure. */
static inline int demonstrations_write(demonstrations *d, const char *path)
{
    replace_file r;
    FILE *file;
    int i, k;
    errno = 0;
    file = replace_begin(&r, path);
    if (file != NULL)
        fprintf(file, "rise.h demonstrations %d %s %d\n", DEMONSTRATIONS_VERSION,
                d->game.name, d->game.length);
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

#endif
