/* Draws in the terminal: a grid of character cells that is redrawn in place; also a clock and
   Ctrl-C. Include this file first, because it defines _DEFAULT_SOURCE, which enables the POSIX
   functions of the C library. Without POSIX, or if stdout is not a terminal that is large enough,
   or if TERM is not set or is "dumb", `live` is 0. The programs then print lines of text. */
#ifndef TERMINAL_H
#define TERMINAL_H

#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE /* isatty, ioctl, nanosleep and clock_gettime, also under -std=c99 */
#endif
#include <errno.h>
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

#if defined(__GNUC__)
#define TERMINAL_PRINTF(text, first) __attribute__((format(printf, text, first)))
#else
#define TERMINAL_PRINTF(text, first)
#endif

/* ---------------------------------------------------------------------------------------------- */
/* Time and Ctrl-C */

/* Set by Ctrl-C (SIGINT), SIGTERM and SIGHUP, which ask the program to finish. A second SIGINT or a
   second SIGTERM ends the program. A SIGTERM after one SIGINT does not. */
static volatile sig_atomic_t terminal_interrupted;

static inline void terminal_on_interrupt(int signal_number)
{
#ifdef TERMINAL_POSIX
    int const error = errno; /* the interrupted code may be about to read errno */
#endif
    terminal_interrupted = 1;
#ifdef TERMINAL_POSIX
    /* When a terminal closes, SIGHUP often comes twice: from the shell, then from the system. The
       second SIGHUP must not end the program before the files are saved. */
    signal(signal_number, signal_number == SIGHUP ? SIG_IGN : SIG_DFL);
    /* Shows the cursor again, because a second Ctrl-C would leave it hidden. */
    if (isatty(1) && write(1, "\033[0m\033[?25h", 10) < 0) terminal_interrupted = 1;
    errno = error;
#else
    signal(signal_number, SIG_DFL);
#endif
}

/* Returns the seconds since some fixed moment. */
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
    nanosleep(&t, NULL); /* Ctrl-C ends the sleep early */
#else
    double const end = terminal_seconds() + seconds;
    while (terminal_seconds() < end && !terminal_interrupted) continue;
#endif
}

/* ---------------------------------------------------------------------------------------------- */
/* The canvas: character cells; each picture is printed over the one before */

enum {
    TERMINAL_ROWS = 22, /* a small terminal has 24 rows, and the cursor needs one */
    TERMINAL_COLUMNS = 120,
    TERMINAL_LEAST_COLUMNS = 76,
    TERMINAL_PLAIN = -1 /* the terminal's own colour; all other colours are 0xRRGGBB */
};

typedef struct terminal_cell {
    int glyph;      /* Unicode */
    int ink, paper; /* colours of the character and of its background */
} terminal_cell;

typedef struct terminal {
    int live;        /* 1: stdout is a terminal that can be drawn on */
    int true_colour; /* 1: 24-bit colours; 0: 256 colours */
    int columns;     /* columns in use */
    int small;       /* 1: the window has become too small, so nothing is drawn */
    int drawn;       /* rows above the cursor that the next picture replaces */
    terminal_cell cells[TERMINAL_ROWS][TERMINAL_COLUMNS];
} terminal;

/* Reads the size of the terminal window, and sets t->columns. Returns 0 if the window is too small
   to draw on, if stdout is no terminal, and without POSIX; then t->columns stays. */
static inline int terminal_measure(terminal *t)
{
#ifdef TERMINAL_POSIX
    struct winsize size;
    if (ioctl(1, TIOCGWINSZ, &size) != 0 || size.ws_row <= TERMINAL_ROWS ||
        size.ws_col <= TERMINAL_LEAST_COLUMNS)
        return 0;
    t->columns = size.ws_col <= TERMINAL_COLUMNS ? size.ws_col - 1 : TERMINAL_COLUMNS;
    return 1;
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

/* Makes Ctrl-C, SIGTERM and SIGHUP set terminal_interrupted, so that the program can save and end.
   A program that was started by nohup still ignores SIGHUP. */
static inline void terminal_catch_signals(void)
{
    signal(SIGINT, terminal_on_interrupt);
    signal(SIGTERM, terminal_on_interrupt);
#ifdef TERMINAL_POSIX
    if (signal(SIGHUP, terminal_on_interrupt) == SIG_IGN) signal(SIGHUP, SIG_IGN);
#endif
}

static inline void terminal_open(terminal *t)
{
    const char *const depth = getenv("COLORTERM"), *const type = getenv("TERM");
    memset(t, 0, sizeof *t);
    terminal_catch_signals();
#ifdef TERMINAL_POSIX
    t->live = isatty(1) && type != NULL && strcmp(type, "dumb") != 0 && terminal_measure(t);
#else
    (void)type;
#endif
    t->true_colour = depth != NULL &&
                     (strcmp(depth, "truecolor") == 0 || strcmp(depth, "24bit") == 0);
    if (!t->live) return;
    setvbuf(stdout, NULL, _IOFBF, 1 << 16); /* one large write for each picture avoids flicker */
    fputs("\033[?25l", stdout);
    atexit(terminal_close);
}

static inline void terminal_clear(terminal *t)
{
    terminal_cell const blank = {' ', TERMINAL_PLAIN, TERMINAL_PLAIN};
    int row, column;
    t->small = !terminal_measure(t);
    for (row = 0; row < TERMINAL_ROWS; row++)
        for (column = 0; column < TERMINAL_COLUMNS; column++) t->cells[row][column] = blank;
}

/* Sets a cell. A cell outside the canvas is not drawn. */
static inline void terminal_put(terminal *t, int row, int column, int glyph, int ink, int paper)
{
    terminal_cell const cell = {glyph, ink, paper};
    if (row >= 0 && row < TERMINAL_ROWS && column >= 0 && column < TERMINAL_COLUMNS)
        t->cells[row][column] = cell;
}

/* Returns the character of UTF-8 at *text, and moves *text past this character. Returns '?' for a
   control character. Returns '?' and moves *text by one byte if no character up to U+FFFF begins
   there. */
static inline int terminal_character(const char **text)
{
    static const int least[] = {0x20, 0xA0, 0x800};
    const unsigned char *const bytes = (const unsigned char *)*text;
    int const more = bytes[0] >= 0xE0 && bytes[0] < 0xF0 ? 2 : bytes[0] >= 0xC0 && bytes[0] < 0xE0;
    int i, glyph = more > 0 ? bytes[0] & (0x3F >> more) : bytes[0];
    (*text)++;
    if (bytes[0] >= 0x80 && more == 0) return '?';
    for (i = 1; i <= more; i++) {
        if ((bytes[i] & 0xC0) != 0x80) return '?';
        glyph = glyph << 6 | (bytes[i] & 0x3F);
    }
    if (glyph < least[more] || glyph == 0x7F || (glyph >= 0xD800 && glyph < 0xE000)) return '?';
    *text += more;
    return glyph;
}

/* Writes a line of UTF-8. Each character has one cell. */
TERMINAL_PRINTF(5, 6)
static inline void terminal_text(terminal *t, int row, int column, int ink, const char *format, ...)
{
    char text[3 * TERMINAL_COLUMNS + 1];
    const char *rest = text;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    while (*rest != '\0')
        terminal_put(t, row, column++, terminal_character(&rest), ink, TERMINAL_PLAIN);
}

/* Draws a progress bar of which `share` (0 to 1) is filled, exact to half a character. */
static inline void terminal_bar(terminal *t, int row, int column, int columns, double share,
                                int ink)
{
    int const halves = (int)(2 * columns * (share < 0 ? 0 : share > 1 ? 1 : share) + 0.5);
    int i;
    for (i = 0; i < columns; i++)
        terminal_put(t, row, column + i, halves == 2 * i + 1 ? 0x2578 : 0x2501,
                     halves > 2 * i ? ink : 0x303030, TERMINAL_PLAIN);
}

/* Draws a dot. A braille character has 2 x 4 dots; x and y count dots from the top left. */
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

/* Sets the colour of the characters that follow (layer 30) or of their background (layer 40). */
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

/* Prints a character up to U+FFFF in UTF-8. */
static inline void terminal_print_glyph(int glyph)
{
    if (glyph < 0x80) {
        putchar(glyph);
        return;
    }
    if (glyph < 0x800) {
        putchar(0xC0 | glyph >> 6);
    } else {
        putchar(0xE0 | glyph >> 12);
        putchar(0x80 | (glyph >> 6 & 63));
    }
    putchar(0x80 | (glyph & 63));
}

/* Prints all cells over the previous picture. */
static inline void terminal_show(terminal *t)
{
    int row, column;
    if (t->small) {
        t->drawn = 0; /* the next picture begins below */
        return;
    }
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

#endif
