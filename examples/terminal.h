/* What memory.c and watch.c share: a terminal to draw on, redrawn in place, and episodes that a trained agent plays for
   someone to look at. Include it first: it asks the C library for its POSIX functions. Where there are none, or where
   stdout is no terminal, `live` is 0 and the programs print plain lines instead.                                       */
#ifndef TERMINAL_H
#define TERMINAL_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* isatty, ioctl, nanosleep and clock_gettime, also under -std=c99 */
#endif
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#if defined(__unix__) || defined(__APPLE__)
#define TERMINAL_POSIX 1
#include <sys/ioctl.h>
#include <unistd.h>
#endif

#include "../rise.h"
#include "games.h"

#if defined(__GNUC__)
#define TERMINAL_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define TERMINAL_PRINTF(text, first)
#endif

/* ---------------------------------------------------------------------------------------------- */
/* Time and Ctrl-C */

/* Set by the first Ctrl-C: the program winds up. The second one ends it. */
static volatile sig_atomic_t terminal_interrupted;

static inline void terminal_on_interrupt(int signal_number)
{
    terminal_interrupted = 1;
    signal(signal_number, SIG_DFL);
#ifdef TERMINAL_POSIX
    /* cursor back, in case of a second one */
    if (isatty(1) && write(1, "\033[0m\033[?25h", 10) < 0) return;
#endif
}

/* Seconds since any moment. */
static inline double terminal_seconds(void)
{
#ifdef TERMINAL_POSIX
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

static inline void terminal_sleep(double seconds)
{
#ifdef TERMINAL_POSIX
    struct timespec t;
    t.tv_sec = (time_t)seconds;
    t.tv_nsec = (long)(1e9 * (seconds - (double)t.tv_sec));
    nanosleep(&t, NULL); /* Ctrl-C ends it early, as it should */
#else
    double const end = terminal_seconds() + seconds;
    while (terminal_seconds() < end && !terminal_interrupted) continue;
#endif
}

/* ---------------------------------------------------------------------------------------------- */
/* The canvas: character cells, shown in place of those shown before */

enum {
    TERMINAL_ROWS = 22, /* one less than the smallest usual terminal has, for the cursor */
    TERMINAL_COLUMNS = 120,
    TERMINAL_LEAST_COLUMNS = 76,
    TERMINAL_PLAIN = -1 /* the terminal's own colour; others are 0xRRGGBB */
};

typedef struct terminal_cell {
    int glyph, ink, paper;
} terminal_cell;

typedef struct terminal {
    int live;        /* stdout can be drawn on */
    int true_colour; /* 24 bits, else 256 colours */
    int columns;     /* in use */
    int drawn;       /* rows above the cursor that the next picture replaces */
    terminal_cell cells[TERMINAL_ROWS][TERMINAL_COLUMNS];
} terminal;

/* The window may have been resized since. */
static inline int terminal_measure(terminal *t)
{
#ifdef TERMINAL_POSIX
    struct winsize size;
    if (ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_row <= TERMINAL_ROWS) return 0;
    t->columns = size.ws_col <= TERMINAL_COLUMNS ? size.ws_col - 1 : TERMINAL_COLUMNS;
    return t->columns >= TERMINAL_LEAST_COLUMNS;
#else
    (void)t;
    return 0;
#endif
}

static inline void terminal_close(void)
{
    fputs("\033[0m\033[?25h", stdout);
    fflush(stdout);
}

static inline void terminal_open(terminal *t)
{
    const char *const depth = getenv("COLORTERM"), *const type = getenv("TERM");
    memset(t, 0, sizeof *t);
    signal(SIGINT, terminal_on_interrupt);
#ifdef TERMINAL_POSIX
    t->live = isatty(1) && type != NULL && strcmp(type, "dumb") != 0 && terminal_measure(t);
#else
    (void)type;
#endif
    t->true_colour = depth != NULL &&
                     (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0);
    if (!t->live) return;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* a picture in few writes does not flicker */
    fputs("\033[?25l", stdout);
    atexit(terminal_close);
}

static inline void terminal_clear(terminal *t)
{
    terminal_cell const blank = {' ', TERMINAL_PLAIN, TERMINAL_PLAIN};
    int row, column;
    terminal_measure(t);
    for (row = 0; row < TERMINAL_ROWS; row++)
        for (column = 0; column < TERMINAL_COLUMNS; column++) t->cells[row][column] = blank;
}

/* What lies outside is not drawn. */
static inline void terminal_put(terminal *t, int row, int column, int glyph, int ink, int paper)
{
    terminal_cell const cell = {glyph, ink, paper};
    if (row >= 0 && row < TERMINAL_ROWS && column >= 0 && column < TERMINAL_COLUMNS)
        t->cells[row][column] = cell;
}

TERMINAL_PRINTF(5, 6)
static inline void terminal_text(terminal *t, int row, int column, int ink, const char *format, ...)
{
    char text[TERMINAL_COLUMNS + 1];
    int i;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    for (i = 0; text[i] != '\0'; i++)
        terminal_put(t, row, column + i, (unsigned char)text[i], ink, TERMINAL_PLAIN);
}

/* A line of which `share` is bright, exact to half a character. */
static inline void terminal_bar(terminal *t, int row, int column, int columns, double share,
                                int ink)
{
    int const halves = (int)(2 * columns * (share < 0 ? 0 : share > 1 ? 1 : share) + 0.5);
    int i;
    for (i = 0; i < columns; i++)
        terminal_put(t, row, column + i, halves == 2 * i + 1 ? 0x2578 : 0x2501,
                     halves > 2 * i ? ink : 0x303030, TERMINAL_PLAIN);
}

/* A dot of a braille character: each is two dots wide and four high. */
static inline void terminal_dot(terminal *t, int x, int y, int ink)
{
    static const int bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    int const row = y / 4, column = x / 2;
    int glyph = 0x2800;
    if (x < 0 || y < 0 || row >= TERMINAL_ROWS || column >= TERMINAL_COLUMNS) return;
    if (t->cells[row][column].glyph >> 8 == 0x28) glyph = t->cells[row][column].glyph;
    terminal_put(t, row, column, glyph | bits[y % 4][x % 2], ink, TERMINAL_PLAIN);
}

static inline void terminal_line(terminal *t, int x0, int y0, int x1, int y1, int ink)
{
    int const dx = x1 - x0, dy = y1 - y0, wide = abs(dx) > abs(dy) ? abs(dx) : abs(dy);
    int i;
    for (i = 0; i <= wide; i++)
        terminal_dot(t, x0 + (wide ? dx * i / wide : 0), y0 + (wide ? dy * i / wide : 0), ink);
}

static inline void terminal_print_colour(const terminal *t, int layer, int colour)
{
    int const red = colour >> 16 & 255, green = colour >> 8 & 255, blue = colour & 255;
    if (colour == TERMINAL_PLAIN)
        printf("\033[%dm", layer + 9);
    else if (t->true_colour)
        printf("\033[%d;2;%d;%d;%dm", layer + 8, red, green, blue);
    else if (red == green && green == blue)
        printf("\033[%d;5;%dm", layer + 8, 232 + red * 24 / 256); /* 24 greys */
    else
        printf("\033[%d;5;%dm", layer + 8,
               16 + red * 6 / 256 * 36 + green * 6 / 256 * 6 + blue * 6 / 256);
}

static inline void terminal_print_glyph(int glyph)
{
    if (glyph < 0x80) {
        putchar(glyph);
    } else { /* UTF-8: all of ours lie in U+0800 .. U+FFFF */
        putchar(0xE0 | glyph >> 12);
        putchar(0x80 | (glyph >> 6 & 63));
        putchar(0x80 | (glyph & 63));
    }
}

static inline void terminal_show(terminal *t)
{
    int row, column;
    if (t->drawn > 0) printf("\033[%dA\r", t->drawn);
    for (row = 0; row < TERMINAL_ROWS; row++) {
        int ink = TERMINAL_PLAIN, paper = TERMINAL_PLAIN;
        for (column = 0; column < t->columns; column++) {
            const terminal_cell *const cell = &t->cells[row][column];
            if (cell->ink != ink) terminal_print_colour(t, 30, ink = cell->ink);
            if (cell->paper != paper) terminal_print_colour(t, 40, paper = cell->paper);
            terminal_print_glyph(cell->glyph);
        }
        fputs("\033[0m\033[K\n", stdout);
    }
    fflush(stdout);
    t->drawn = TERMINAL_ROWS;
}

/* ---------------------------------------------------------------------------------------------- */
/* Episodes that the agent plays greedily, without learning from them */

typedef struct episode {
    game state;
    int action;   /* the last one; -1 before the first */
    float reward; /* that it earned */
    double score; /* sum of the rewards */
} episode;

static inline void episode_begin(episode *e, int start)
{
    game_start(&e->state, start);
    e->action = -1;
    e->reward = 0;
    e->score = 0;
}

/* Plays one step as character `player`. Returns 0, and does nothing, where the episode is over or the agent refuses. */
static inline int episode_step(episode *e, rise_agent *agent, int player)
{
    int action;
    if (e->state.done) return 0;
    action = rise_agent_play(agent, player, e->state.frame, e->reward,
                             e->state.time == 0 ? RISE_FIRST : RISE_MIDDLE, NULL);
    if (action < 0) return 0;
    e->action = action;
    e->reward = game_step(&e->state, action);
    e->score += (double)e->reward;
    return 1;
}

/* Screen columns and rows that a game is drawn on. */
static inline int episode_scale(const game_spec *spec)
{
    int const high = 28 / spec->height, wide = 24 / spec->width;
    return high < wide ? high : wide;
}
static inline int episode_columns(const game_spec *spec)
{
    return spec->width * episode_scale(spec);
}
static inline int episode_rows(const game_spec *spec)
{
    return (spec->height * episode_scale(spec) + 1) / 2;
}

/* Grey is what the agent sees; amber is what is hidden from it. */
static inline int episode_colour(int seen, int real)
{
    int const grey = 20 + seen * 235 / 255;
    return seen == real ? grey * 0x010101 : 0x9C5F00;
}

/* The game with two pixels a character: the upper one is ink, the lower one paper. */
static inline void episode_draw(const episode *e, terminal *t, int row, int column)
{
    const game_spec *const spec = e->state.spec;
    int const scale = episode_scale(spec);
    uint8_t real[GAME_PIXELS];
    int r, c, half;
    game_draw(&e->state, 1, real);
    for (r = 0; r < episode_rows(spec); r++)
        for (c = 0; c < episode_columns(spec); c++) {
            int colours[2];
            for (half = 0; half < 2; half++) {
                int const y = (2 * r + half) / scale, i = y * spec->width + c / scale;
                colours[half] = y < spec->height ? episode_colour(e->state.frame[i], real[i])
                                                 : TERMINAL_PLAIN;
            }
            terminal_put(t, row + r, column + c, 0x2580, colours[0], colours[1]);
        }
}

/* What just happened, in a word. */
static inline const char *episode_caption(const episode *e)
{
    if (e->state.time == 0) return "";
    if (!e->state.done) return e->state.spec->action_names[e->action];
    return e->state.cut ? "broken off" : e->reward > 0 ? "won" : "lost";
}

/* Plays the whole episode slowly: each frame with the agent's values of the actions, then what came of it. */
static inline void episode_watch(episode *e, rise_agent *agent, int player, terminal *t,
                                 const char *title)
{
    int playing = 1, i;
    while (playing && !terminal_interrupted) {
        episode const seen = *e; /* the frame that the agent acts on */
        const rise_real *values;
        playing = episode_step(e, agent, player);
        values = rise_agent_values(agent, player);
        terminal_clear(t);
        terminal_text(t, 0, 2, TERMINAL_PLAIN,
                      "%s   score %+.2f   (what the agent cannot see is drawn in amber)", title,
                      seen.score);
        terminal_text(t, 1, 2, TERMINAL_PLAIN, "%s", seen.state.spec->text);
        episode_draw(&seen, t, 3, 2);
        terminal_text(t, 3 + episode_rows(seen.state.spec), 2, TERMINAL_PLAIN, "%s",
                      episode_caption(&seen));
        for (i = 0; playing && i < seen.state.spec->actions; i++) {
            int const row = 4 + (seen.state.spec->actions > 8 ? i : 2 * i);
            int const column = episode_columns(seen.state.spec) + 6;
            int const ink = i == e->action ? 0xE8710A : 0x8C8C8C;
            terminal_text(t, row, column, ink, "%s", seen.state.spec->action_names[i]);
            terminal_bar(t, row, column + 8, 24, ((double)values[i] + 1) / 2, ink);
            terminal_text(t, row, column + 34, ink, "%+.2f", (double)values[i]);
        }
        terminal_show(t);
        terminal_sleep(playing ? 0.25 : 1);
    }
}

#endif
