/* Demonstrations of the small games (games.h): a person plays a game in the terminal. memory.c
   uses this file. demonstrations.h describes the file that is written. */
#ifndef TEACH_H
#define TEACH_H

#include "game_episode.h" /* first: defines _DEFAULT_SOURCE */

#include "demonstrations.h"

#ifdef TERMINAL_POSIX
#include <poll.h>
#include <termios.h>
#endif

/* ---------------------------------------------------------------------------------------------- */
/* The games */

static inline void teach_begin(void *state, int start) { game_start((game *)state, start); }
static inline int teach_step(void *state, int action, double *score)
{
    game *const g = (game *)state;
    *score += (double)game_step(g, action);
    return g->done;
}
/* Prepares `d` for demonstrations of this game. */
static inline void teach_init(demonstrations *d, game_kind kind, int length)
{
    const game_spec *const spec = game_spec_of(kind);
    demonstrations_game of;
    of.name = spec->name;
    of.length = length;
    of.starts = spec->sampled ? INT32_MAX : spec->starts;
    of.actions = spec->actions;
    of.begin = teach_begin;
    of.step = teach_step;
    of.remedy = " or another --game and --length";
    demonstrations_init(d, &of);
}
/* Reads a file of demonstrations of the game for which `d` was prepared. Returns 0 on failure. */
static inline int teach_read(demonstrations *d, const char *path)
{
    game g;
    game_init(&g, game_named(d->game.name), d->game.length, 0);
    return demonstrations_read(d, path, &g);
}

/* ---------------------------------------------------------------------------------------------- */
/* Keys */

/* What keys_next returns instead of an action: end of the session; no action; the same episode
   again. KEYS_WAIT is no such value: after these milliseconds, keys_byte looks whether Ctrl-C was
   pressed. */
enum { KEY_END = -1, KEY_NONE = -2, KEY_AGAIN = -3, KEYS_WAIT = 100 /* milliseconds */ };

/* Returns the keys of the actions, in order. For the 16 cards of Pairs: four keys of each of four
   rows of the keyboard. */
static inline const char *keys_of(const game_spec *spec)
{
    return spec->actions <= 9 ? "123456789" : "1234qwerasdfzxcv";
}

#ifdef TERMINAL_POSIX
static struct termios keys_before; /* the terminal's settings before keys_open */
static inline void keys_close(void) { tcsetattr(0, TCSANOW, &keys_before); }
#endif

/* Makes the terminal pass each key at once and show none, until the program ends. Does nothing
   without POSIX, or if stdin is not a terminal. */
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

/* Returns the next byte of the standard input. Returns -1 at the end of the input and after Ctrl-C,
   SIGTERM or SIGHUP. */
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

/* Returns the action of an arrow key, or KEY_NONE. `byte` is the last byte of its escape sequence:
   A for up (ahead), B for down (stay), C for right, D for left. */
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
        int last = bracket == '[' || bracket == 'O' ? keys_byte() : 0, plain = 1;
        /* other keys have more bytes, of which none is a key: ESC [ 1 ; 2 C is Shift and right */
        while (bracket == '[' && last >= 0x20 && last < 0x40) last = keys_byte(), plain = 0;
        return plain ? keys_arrow(spec, last) : KEY_NONE;
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
    if (keys_arrow(spec, 'C') != KEY_NONE)
        terminal_text(t, 4 + i, column, TERMINAL_PLAIN, "or the arrow keys%s",
                      keys_arrow(spec, 'B') != KEY_NONE ? " (down: stay)" : "");
    terminal_text(t, 20, 2, TERMINAL_PLAIN, "step %d   score %+.2f", e->state.time, e->score);
    terminal_text(t, 21, 2, TERMINAL_PLAIN,
                  "backspace: the same episode again    0: end. Whole episodes are kept.");
    terminal_show(t);
}

/* Plays one episode with keys. Writes the *steps actions of the episode. Returns 1 if the episode
   ended, 0 if the person ended the session. */
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

/* Lets a person play episodes of the game in `e`, until the person ends the session. After each
   episode, adds the episode to `d` and writes the file. Returns 0 if the file cannot be written or
   memory runs out: then d->why says why. */
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
