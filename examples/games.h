/* Small pixel games that cannot be played without memory, and the same games with all in sight, for the examples, the tests
   and the bench.

   An episode follows from its start and the actions: whatever chance deals later on, a serve or a blank frame, is drawn from
   the number of the start. Most games have `starts` equally likely ones and no more: the mean score of a greedy agent is
   exact, it plays each of them once. The `sampled` games have two thousand million: their scores are means over a fixed list,
   the first `starts` of them, and no episode of training is taken from that.

   "Without memory" is a policy that sees the last GAME_STACK frames and no more. A game with a cue hides it early, and takes
   no notice of the actions until the cue has left those frames: until then every action does the same, so that neither a
   position nor a reward can carry the cue past that moment. From then on no frame depends on it. So the score
   of the best play is known, with memory and without: tests/games.c derives the numbers below from the rules. */
#ifndef GAMES_H
#define GAMES_H

#include <stdint.h>
#include <string.h>

#define GAME_STACK 4    /* frames that a policy without memory sees */
#define GAME_ACTIONS 16 /* most actions of a game */
#define GAME_STARTS 30  /* most starts of a game that is not sampled */
#define GAME_PIXELS 144 /* of the largest frame */

/* An open game is one without a secret: what would have to be remembered stays in sight. Catch is the open Lock-Catch. */
typedef enum game_kind {
    GAME_BLINK, GAME_CORRIDOR, GAME_LOCK_CATCH, GAME_CATCH, GAME_KEY_DOOR,
    GAME_OPEN_BLINK, GAME_OPEN_CORRIDOR, GAME_OPEN_KEY_DOOR, GAME_KINDS
} game_kind;

/* What games have in common that differ in what is seen. */
typedef enum game_rules { GAME_BLINKING, GAME_WALKING, GAME_CATCHING, GAME_UNLOCKING } game_rules;

typedef struct game_spec {
    const char *name;
    const char *text;                      /* the rules in a line */
    game_rules rules;
    int open;                              /* nothing is hidden */
    int blank;                             /* of 100 frames, so many show nothing */
    int width, height;                     /* of a frame: one byte a pixel, 0 black, rows top to bottom */
    int starts, sampled;                   /* sampled: there are many more */
    int actions;
    const char *const *action_names;
    int length, least_length, most_length; /* of the wait; all 0 where it cannot be chosen */
    double without_memory, best;           /* mean score of the best policy without memory, and of the best one */
    double margin;                         /* four standard errors of the former where it is a mean over `starts` of many */
} game_spec;

typedef struct game {
    const game_spec *spec;
    game_kind kind;
    int length;
    uint64_t random;
    int start, time, place;                /* the whole state: which start, steps taken, where the player stands, */
    int done;                              /* the episode is over; the next call is game_reset or game_start */
    int cut;                               /* by a limit of steps, that is: the game would have gone on */
    uint8_t frame[GAME_PIXELS];            /* what the player sees: [height][width] */
} game;

static inline const game_spec *game_spec_of(game_kind kind)
{
    static const char *const stripes[] = {"across", "down"}, *const turns[] = {"ahead", "left", "right"},
                      *const doors[] = {"left", "ahead", "right"}, *const paddle[] = {"left", "stay", "right"};
    static const game_spec specs[GAME_KINDS] = {
        /* rules, open, blank, width, height, starts, sampled, actions, lengths; without memory, best, margin */
        {"blink", "Stripes flash up. After a wait, a question mark: which way did they run?",
         GAME_BLINKING, 0, 0, 8, 8, 2, 0, 2, stripes, 8, 8, 500, 0, 1, 0},
        {"corridor", "A light at the start of a corridor tells which way to turn at its end.",
         GAME_WALKING, 0, 0, 10, 10, 2, 0, 3, turns, 10, 4, 500, 0, 1, 0},
        {"lock-catch", "The ball is seen in the top three rows only; the paddle is set free later.",
         GAME_CATCHING, 0, 0, 10, 14, 30, 0, 3, paddle, 0, 0, 0, -0.8, 1, 0},
        {"catch", "The ball is seen all the way, the paddle is free: memory is of no use here.",
         GAME_CATCHING, 1, 0, 10, 14, 30, 0, 3, paddle, 0, 0, 0, 1, 1, 0},
        {"key-door", "A key is shown, then a hallway. Which of three doors is of its colour?",
         GAME_UNLOCKING, 0, 0, 10, 10, 18, 0, 3, doors, 8, 4, 500, -1.0 / 3, 1, 0},
        {"open-blink", "Blink with stripes that stay: memory is of no use here.",
         GAME_BLINKING, 1, 0, 8, 8, 2, 0, 2, stripes, 8, 8, 500, 1, 1, 0},
        {"open-corridor", "Corridor with a light that goes along: memory is of no use here.",
         GAME_WALKING, 1, 0, 10, 10, 2, 0, 3, turns, 10, 4, 500, 1, 1, 0},
        {"open-key-door", "Key-Door with the key in sight all the way: memory is of no use here.",
         GAME_UNLOCKING, 1, 0, 10, 10, 18, 0, 3, doors, 8, 4, 500, 1, 1, 0},
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

/* The share of the way from the best play without memory to the best play, in percent; in games where memory is of no use,
   from the worst play on. */
static inline double game_percent(const game_spec *spec, double score)
{
    double const from = spec->without_memory < spec->best ? spec->without_memory : -1;
    return 100 * (score - from) / (spec->best - from);
}

/* The draw number `index` of this episode, 0 .. below-1: SplitMix64 (Steele, Lea, Flood 2014) at any of its steps. */
static inline int game_chance(const game *g, int index, int below)
{
    uint64_t z = ((uint64_t)(uint32_t)g->start << 32 | (uint32_t)index) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (int)((z >> 32) * (uint64_t)below >> 32);
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
    if (reveal || g->time < GAME_CATCH_SEEN) frame[g->time * 10 + game_ball(g, g->time)] = 160;
    frame[GAME_CATCH_STEPS * 10 + g->place] = 255;
}

static inline float game_step_catch(game *g, int action)
{
    int const locked = !g->spec->open && g->time < GAME_CATCH_LOCK;
    if (!locked && action == 0 && g->place > 0) g->place--;
    if (!locked && action == 2 && g->place < 9) g->place++;
    g->time++;
    g->done = g->time == GAME_CATCH_STEPS;
    return !g->done ? 0.0f : game_ball(g, g->time) == g->place ? 1.0f : -1.0f;
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Key-Door: like a corridor, but there is a key at its start and a room with three doors at its end, each of another colour.
   The door that has the key's colour is the right one. After `length` steps that get it nowhere the player is shut in.     */

#define GAME_KEY_DOOR_LOCK GAME_STACK /* the key is in frame 0; the first steps are taken for the player */

/* The start is the key's colour, 0..2, and one of 6 orders of the doors. */
static inline int game_key(const game *g) { return g->start / 6; }
static inline int game_door(const game *g, int door)
{
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    return orders[g->start % 6][door];
}

static inline uint8_t game_key_door_tile(const game *g, int across, int ahead, int key_seen)
{
    static const uint8_t colours[3] = {90, 170, 250};
    int const distance = g->place + ahead, beside = across == -1 || across == 1;
    if (across == 0 && ahead == 0) return 210; /* the player */
    if (across == 1 && ahead == 0 && key_seen) return colours[game_key(g)];
    if (distance == g->length + 1 && (across == 0 || beside)) return colours[game_door(g, across + 1)];
    if (distance <= g->length && (across == 0 || (beside && (distance == 0 || distance == g->length)))) return 0;
    return distance % 2 == 0 ? 25 : 50; /* the walls */
}

static inline void game_draw_key_door(const game *g, int reveal, uint8_t *frame)
{
    int x, y;
    for (y = 0; y < 10; y++)
        for (x = 0; x < 10; x++) /* 5 x 5 tiles of 2 x 2 pixels */
            frame[y * 10 + x] = game_key_door_tile(g, x / 2 - 2, 4 - y / 2, reveal || g->time == 0);
}

static inline float game_step_key_door(game *g, int action)
{
    int const locked = g->time < GAME_KEY_DOOR_LOCK;
    g->time++;
    if (g->place == g->length) {
        g->done = 1;
        return game_door(g, action) == game_key(g) ? 1.0f : -1.0f;
    }
    if (locked || action == 1) g->place++;
    g->done = g->time - g->place == g->length;
    return g->done ? -1.0f : 0.0f;
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Any game                                                                                                           */

/* Draws what the player sees, or, to `reveal`, also what it has seen before or would see in other games. `frame` holds
   [height][width] bytes. */
static inline void game_draw(const game *g, int reveal, uint8_t *frame)
{
    int const all = reveal || g->spec->open;
    switch (g->spec->rules) {
    case GAME_BLINKING: game_draw_blink(g, all, frame); break;
    case GAME_WALKING: game_draw_corridor(g, all, frame); break;
    case GAME_CATCHING: game_draw_catch(g, all, frame); break;
    case GAME_UNLOCKING: game_draw_key_door(g, all, frame); break;
    }
}

/* Begins the episode number `start`: 0 .. starts-1 are those that scores are taken from. */
static inline void game_start(game *g, int start)
{
    g->start = start;
    g->time = 0;
    g->place = g->spec->rules == GAME_CATCHING ? 5 : 0;
    g->done = g->cut = 0;
    game_draw(g, 0, g->frame);
}

/* Begins an episode drawn from the game's own random numbers: PCG32 (O'Neill 2014). */
static inline void game_reset(game *g)
{
    uint64_t const old = g->random;
    uint32_t const mixed = (uint32_t)(((old >> 18) ^ old) >> 27), turn = (uint32_t)(old >> 59);
    uint32_t const drawn = (mixed >> turn) | (mixed << ((32 - turn) & 31));
    int const first = g->spec->sampled ? g->spec->starts : 0, count = g->spec->sampled ? INT32_MAX - first : g->spec->starts;
    g->random = old * 6364136223846793005u + 1442695040888963407u;
    game_start(g, first + (int)((uint64_t)drawn * (uint64_t)count >> 32));
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
    float reward = 0;
    switch (g->spec->rules) {
    case GAME_BLINKING: reward = game_step_blink(g, action); break;
    case GAME_WALKING: reward = game_step_corridor(g, action); break;
    case GAME_CATCHING: reward = game_step_catch(g, action); break;
    case GAME_UNLOCKING: reward = game_step_key_door(g, action); break;
    }
    game_draw(g, 0, g->frame);
    return reward;
}

/* The first step, counted from 0, whose action counts. */
static inline int game_unlocked(const game *g)
{
    switch (g->spec->rules) {
    case GAME_BLINKING: return g->length + 1;
    case GAME_WALKING: return GAME_CORRIDOR_LOCK;
    case GAME_CATCHING: return g->spec->open ? 0 : GAME_CATCH_LOCK;
    case GAME_UNLOCKING: return GAME_KEY_DOOR_LOCK;
    default: return 0;
    }
}

/* The most steps that an episode takes. */
static inline int game_longest(const game *g)
{
    switch (g->spec->rules) {
    case GAME_BLINKING: return g->length + 2;
    case GAME_CATCHING: return GAME_CATCH_STEPS;
    default: return 2 * g->length;
    }
}

#endif
