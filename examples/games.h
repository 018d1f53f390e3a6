/* Small pixel games that cannot be played without memory, and one that can, for the examples, the tests and the bench.

   Chance decides nothing but how an episode starts: there are `starts` equally likely ones, and from there on the game
   follows from the actions. So the score of the best play is known exactly, with memory and without, and so is the mean
   score of a greedy agent: it plays every start once. tests/games.c derives the numbers below from the rules.

   "Without memory" is a policy that sees the last GAME_STACK frames and no more. Each game hides its cue early and takes no
   notice of the actions until the cue has left those frames: until then every action does the same, so that neither a
   position nor a reward can carry the cue past that moment. From then on no frame depends on it. */
#ifndef GAMES_H
#define GAMES_H

#include <stdint.h>
#include <string.h>

#define GAME_STACK 4    /* frames that a policy without memory sees */
#define GAME_ACTIONS 3  /* most actions of a game */
#define GAME_STARTS 30  /* most starts of a game */
#define GAME_PIXELS 140 /* of the largest frame */

typedef enum game_kind { GAME_BLINK, GAME_CORRIDOR, GAME_LOCK_CATCH, GAME_CATCH, GAME_KINDS } game_kind;

typedef struct game_spec {
    const char *name;
    const char *text;                       /* the rules in a line */
    int width, height;                      /* of a frame: one byte a pixel, 0 black, rows top to bottom */
    int starts;
    int actions;
    const char *action_names[GAME_ACTIONS];
    int length, least_length, most_length;  /* of the wait; all 0 where it cannot be chosen */
    double without_memory, best;            /* mean score of the best policy without memory, and of the best one */
} game_spec;

typedef struct game {
    const game_spec *spec;
    game_kind kind;
    int length;
    uint64_t random;
    int start, time, place;                 /* the whole state: which start, steps taken, where the player stands */
    int done;                               /* the episode is over; the next call is game_reset or game_start */
    uint8_t frame[GAME_PIXELS];             /* what the player sees: [height][width] */
} game;

static inline const game_spec *game_spec_of(game_kind kind)
{
    static const game_spec specs[GAME_KINDS] = {
        {"blink", "Stripes flash up. After a wait, a question mark: which way did they run?", 8, 8, 2, 2,
         {"across", "down", NULL}, 8, 8, 500, 0, 1},
        {"corridor", "A light at the start of a corridor tells which way to turn at its end.", 10, 10, 2, 3,
         {"ahead", "left", "right"}, 10, 4, 500, 0, 1},
        {"lock-catch", "The ball is seen in the top three rows only; the paddle is set free later.", 10, 14, 30, 3,
         {"left", "stay", "right"}, 0, 0, 0, -0.8, 1},
        {"catch", "The ball is seen all the way, the paddle is free: memory is of no use here.", 10, 14, 30, 3,
         {"left", "stay", "right"}, 0, 0, 0, 1, 1},
    };
    return &specs[kind];
}

/* GAME_KINDS where there is no such game. */
static inline game_kind game_named(const char *name)
{
    int kind = 0;
    while (kind < GAME_KINDS && strcmp(name, game_spec_of((game_kind)kind)->name) != 0) kind++;
    return (game_kind)kind;
}

/* The share of the way from the best play without memory to the best play, in percent; in the game where memory is of
   no use, from the worst play on. */
static inline double game_percent(const game_spec *spec, double score)
{
    double const from = spec->without_memory < spec->best ? spec->without_memory : -1;
    return 100 * (score - from) / (spec->best - from);
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Blink: frame 0 shows stripes, `length` frames are blank, the next one asks.                                         */

static inline void game_draw_blink(const game *g, int reveal, uint8_t *frame)
{
    static const uint8_t question_mark[8] = {0x00, 0x3C, 0x66, 0x0C, 0x18, 0x00, 0x18, 0x00};
    int const cue = reveal || g->time == 0, question = g->time == g->length + 1;
    int x, y;
    for (y = 0; y < 8; y++)
        for (x = 0; x < 8; x++) {
            int const stripe = cue && (g->start == 0 ? y : x) % 4 < 2;
            int const mark = question && (question_mark[y] >> (7 - x) & 1);
            frame[y * 8 + x] = mark ? 255 : stripe ? 160 : 0;
        }
}

static inline float game_step_blink(game *g, int action)
{
    g->done = g->time == g->length + 1;
    g->time++;
    return !g->done ? 0.0f : action == g->start ? 1.0f : -1.0f;
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Corridor: the player at the bottom of the view looks up a corridor of `length` steps to where it forks. The first steps
   are taken for it. Every later one that gets it nowhere costs 1/length, and after `length` of them it gives up.          */

#define GAME_CORRIDOR_LOCK GAME_STACK /* the cue is in frame 0 */

static inline uint8_t game_corridor_tile(const game *g, int across, int ahead)
{
    int const distance = g->place + ahead;
    if (across == 0 && ahead == 0) return 200; /* the player */
    if (distance == g->length || (across == 0 && distance < g->length)) return 0;
    return distance % 2 == 0 ? 60 : 110; /* the walls alternate, so that walking can be seen */
}

static inline void game_draw_corridor(const game *g, int reveal, uint8_t *frame)
{
    int const light = g->start == 0 ? -1 : 1, cue = reveal || g->time == 0;
    int x, y;
    for (y = 0; y < 10; y++)
        for (x = 0; x < 10; x++) {
            int const across = x / 2 - 2, ahead = 4 - y / 2; /* 5 x 5 tiles of 2 x 2 pixels */
            frame[y * 10 + x] = cue && across == light && ahead == 0 ? 255 : game_corridor_tile(g, across, ahead);
        }
}

static inline float game_step_corridor(game *g, int action)
{
    int const locked = g->time < GAME_CORRIDOR_LOCK;
    g->time++;
    if (g->place < g->length && (locked || action == 0)) {
        g->place++;
        return 0;
    }
    if (g->place == g->length && action != 0) {
        g->done = 1;
        return action - 1 == g->start ? 1.0f : -1.0f;
    }
    g->done = g->time - g->place == g->length;
    return -1.0f / (float)g->length;
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Lock-Catch and Catch: a ball falls one row a step and bounces off the sides; `place` is the paddle's column. The start
   is chosen by where the ball lands, so that every column is equally likely.                                             */

#define GAME_CATCH_SEEN 3                              /* rows in which Lock-Catch shows the ball */
#define GAME_CATCH_LOCK (GAME_CATCH_SEEN - 1 + GAME_STACK) /* the first step at which none of them is in the stack */
#define GAME_CATCH_STEPS 13                            /* from row 0 to row 13, the paddle's */

/* The column at `time`, counted back from the landing; bouncing is walking to and fro on a loop of 18 columns. */
static inline int game_ball(const game *g, int time)
{
    int const landing = g->start / 3, direction = g->start % 3 - 1;
    int const loop = (landing + direction * (time - GAME_CATCH_STEPS) + 18) % 18;
    return loop < 10 ? loop : 18 - loop;
}

static inline void game_draw_catch(const game *g, int reveal, uint8_t *frame)
{
    memset(frame, 0, 140);
    if (reveal || g->kind == GAME_CATCH || g->time < GAME_CATCH_SEEN) frame[g->time * 10 + game_ball(g, g->time)] = 160;
    frame[GAME_CATCH_STEPS * 10 + g->place] = 255;
}

static inline float game_step_catch(game *g, int action)
{
    int const locked = g->kind == GAME_LOCK_CATCH && g->time < GAME_CATCH_LOCK;
    if (!locked && action == 0 && g->place > 0) g->place--;
    if (!locked && action == 2 && g->place < 9) g->place++;
    g->time++;
    g->done = g->time == GAME_CATCH_STEPS;
    return !g->done ? 0.0f : game_ball(g, g->time) == g->place ? 1.0f : -1.0f;
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Any game                                                                                                           */

/* Draws what the player sees, or, to `reveal`, also what is hidden from it. `frame` holds [height][width] bytes. */
static inline void game_draw(const game *g, int reveal, uint8_t *frame)
{
    switch (g->kind) {
    case GAME_BLINK: game_draw_blink(g, reveal, frame); break;
    case GAME_CORRIDOR: game_draw_corridor(g, reveal, frame); break;
    default: game_draw_catch(g, reveal, frame); break;
    }
}

/* Begins the episode number `start`, 0 .. starts-1. */
static inline void game_start(game *g, int start)
{
    g->start = start;
    g->time = 0;
    g->place = g->kind == GAME_LOCK_CATCH || g->kind == GAME_CATCH ? 5 : 0;
    g->done = 0;
    game_draw(g, 0, g->frame);
}

/* Begins an episode drawn from the game's own random numbers: PCG32 (O'Neill 2014). */
static inline void game_reset(game *g)
{
    uint64_t const old = g->random;
    uint32_t const mixed = (uint32_t)(((old >> 18) ^ old) >> 27), turn = (uint32_t)(old >> 59);
    uint32_t const drawn = (mixed >> turn) | (mixed << ((32 - turn) & 31));
    g->random = old * 6364136223846793005u + 1442695040888963407u;
    game_start(g, (int)(((uint64_t)drawn * (uint64_t)g->spec->starts) >> 32));
}

/* `length` 0 means the usual one; returns 0 if the game cannot have this length. The same seed gives the same episodes. */
static inline int game_init(game *g, game_kind kind, int length, uint64_t seed)
{
    memset(g, 0, sizeof *g);
    g->kind = kind;
    g->spec = game_spec_of(kind);
    g->length = length == 0 ? g->spec->length : length;
    g->random = (seed ^ 0x9E3779B97F4A7C15u) * 6364136223846793005u + 1442695040888963407u;
    if (g->length < g->spec->least_length || g->length > g->spec->most_length) return 0;
    game_reset(g);
    return 1;
}

/* Takes one step: 0 <= action < actions. Returns the reward; g->done tells whether it was the last one. */
static inline float game_step(game *g, int action)
{
    float const reward = g->kind == GAME_BLINK      ? game_step_blink(g, action)
                         : g->kind == GAME_CORRIDOR ? game_step_corridor(g, action)
                                                    : game_step_catch(g, action);
    game_draw(g, 0, g->frame);
    return reward;
}

/* The first step, counted from 0, whose action counts. */
static inline int game_unlocked(const game *g)
{
    switch (g->kind) {
    case GAME_BLINK: return g->length + 1;
    case GAME_CORRIDOR: return GAME_CORRIDOR_LOCK;
    case GAME_LOCK_CATCH: return GAME_CATCH_LOCK;
    default: return 0;
    }
}

/* The most steps that an episode takes. */
static inline int game_longest(const game *g)
{
    switch (g->kind) {
    case GAME_BLINK: return g->length + 2;
    case GAME_CORRIDOR: return 2 * g->length;
    default: return GAME_CATCH_STEPS;
    }
}

#endif
