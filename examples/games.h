/* Small pixel games that need memory, and the same games with nothing hidden. The examples, the
   tests and the benchmarks use these games.

   The start of an episode is a number. The start and the actions determine the whole episode: later
   random events, such as a serve or a blank frame, are computed from the start. Most games have
   exactly `starts` starts, all equally likely. A greedy agent plays each start once, so its mean
   score is exact. A `sampled` game has about 2^31 starts. Its score is the mean over the first
   `starts` of them, and training never uses these.

   "Without memory" means a policy that sees the last GAME_STACK frames only. A game with a cue
   shows the cue in its first frames. The game ignores all actions until the cue has left the last
   GAME_STACK frames. So the policy cannot store the cue in a position or a reward. No later frame
   depends on the cue. Pairs and Pong have no single cue: they hide things at every step.

   So the best scores are known, with memory and without. tests/games.c derives the scores in the
   table below from the rules; for Pairs and Pong, tests/ceilings.c does. */
#ifndef GAMES_H
#define GAMES_H

#include <stdint.h>
#include <string.h>

#define GAME_STACK 4    /* frames that a policy without memory sees */
#define GAME_ACTIONS 16 /* most actions of a game */
#define GAME_STARTS 30  /* most starts of a game that is not sampled */
#define GAME_PIXELS 144 /* of the largest frame */
#define GAME_SIDE 84    /* of the largest enlarged frame */

/* In an open game nothing is hidden: the cue stays visible. Catch is the open Lock-Catch, and
   Pong is the open Pong-75 and Pong-50. */
typedef enum game_kind {
    GAME_BLINK,
    GAME_CORRIDOR,
    GAME_LOCK_CATCH,
    GAME_CATCH,
    GAME_KEY_DOOR,
    GAME_PAIRS,
    GAME_PONG_75,
    GAME_PONG_50,
    GAME_PONG,
    GAME_OPEN_BLINK,
    GAME_OPEN_CORRIDOR,
    GAME_OPEN_KEY_DOOR,
    GAME_OPEN_PAIRS,
    GAME_KINDS
} game_kind;

/* Games with the same rules differ in what is seen. In Lock-Catch, the first actions also have no
   effect. In Catch, all actions have an effect. */
typedef enum game_rules {
    GAME_BLINKING,
    GAME_WALKING,
    GAME_CATCHING,
    GAME_UNLOCKING,
    GAME_PAIRING,
    GAME_RALLYING
} game_rules;

typedef struct game_spec {
    const char *name;
    const char *text; /* the rules in a line */
    game_rules rules;
    int open;  /* 1: nothing is hidden */
    int blank; /* percent of the frames that show nothing */
    /* of a frame: one byte a pixel, 0 is black, rows top to bottom */
    int width, height;
    int starts, sampled; /* sampled: the game has many more starts */
    int actions;
    const char *const *action_names;
    int length, least_length, most_length; /* steps to wait or walk; all 0: it is fixed */
    /* mean score of the best policy without memory, and of the best policy */
    double without_memory, best;
    /* Sampled games: four standard errors of the mean score over `starts` starts, for the best
       policy without memory. without_memory itself is exact. Other games: 0. */
    double margin;
} game_spec;

/* Pairs: the 16 cards, in 4 rows. A set of cards is a mask of bits; a single card is 0..15, or -1
   for none. */
typedef struct game_cards {
    uint8_t face[16];    /* 0..7, each twice */
    uint32_t gone, seen; /* sets: removed cards; cards that have been face up */
    int up;              /* the card that is face up */
    int waiting;         /* first card of a turn, until the second is turned up */
} game_cards;

/* Pong: columns are 0 to 7. The ball's rows are 0 to 3; row 0 is next to the
   opponent. */
typedef struct game_court {
    int x, y, dx, dy; /* the ball, and its last move */
    int other;        /* leftmost column of the opponent's paddle; game.place is the player's */
    int points, other_points;
    int served; /* the time of the last serve */
} game_court;

typedef struct game {
    const game_spec *spec;
    game_kind kind;
    int length;
    uint64_t random;
    /* state of the episode: start, steps taken, position of the player */
    int start, time, place;
    game_cards cards;           /* Pairs only */
    game_court court;           /* Pong only */
    int done;                   /* the episode is over; call game_reset or game_start next */
    int cut;                    /* truncated: the step limit ended the episode */
    uint8_t frame[GAME_PIXELS]; /* what the player sees: [height][width] */
    /* 0: the player gets `frame`. 14 .. GAME_SIDE: the player gets side x side pixels, which hold
       the enlarged frame. Set `side` after game_init. */
    int side;
} game;

static inline const game_spec *game_spec_of(game_kind kind)
{
    static const char *const
        stripes[] = {"across", "down"},
        *const turns[] = {"ahead", "left", "right"}, *const doors[] = {"left", "ahead", "right"},
        *const paddle[] = {"left", "stay", "right"}, *const restless[] = {"left", "right"},
        *const cards[] = {"a1", "a2", "a3", "a4", "b1", "b2", "b3", "b4",
                          "c1", "c2", "c3", "c4", "d1", "d2", "d3", "d4"};
    static const game_spec specs[GAME_KINDS] = {
        /* name, text, rules, open, blank, width, height, starts, sampled, actions, action names,
           lengths, without memory, best, margin */
        {"blink", "Stripes flash, then a wait, then a question mark: which way did they run?",
         GAME_BLINKING, 0, 0, 8, 8, 2, 0, 2, stripes, 8, 8, 500, 0, 1, 0},
        {"corridor", "A light at the start of a corridor tells which way to turn at its end.",
         GAME_WALKING, 0, 0, 10, 10, 2, 0, 3, turns, 10, 4, 500, 0, 1, 0},
        {"lock-catch", "Only the top three rows show the ball; the paddle is locked for six steps.",
         GAME_CATCHING, 0, 0, 10, 14, 30, 0, 3, paddle, 0, 0, 0, -0.8, 1, 0},
        {"catch", "A ball falls; the paddle must be under it. Needs no memory.", GAME_CATCHING, 1,
         0, 10, 14, 30, 0, 3, paddle, 0, 0, 0, 1, 1, 0},
        {"key-door", "A key is shown, then a hallway. Which of three doors has its colour?",
         GAME_UNLOCKING, 0, 0, 10, 10, 18, 0, 3, doors, 8, 4, 500, -1.0 / 3, 1, 0},
        {"pairs", "Find eight pairs among 16 cards. Only the card turned last is face up.",
         GAME_PAIRING, 0, 0, 12, 12, 200, 1, 16, cards, 0, 0, 0, 0.404072, 0.612719, 0.03},
        {"pong-75", "Pong to five points; three frames in four show nothing.", GAME_RALLYING, 0, 75,
         8, 7, 200, 1, 2, restless, 0, 0, 0, -0.044248, 1, 0.16},
        {"pong-50", "Pong to five points; every other frame shows nothing.", GAME_RALLYING, 0, 50,
         8, 7, 200, 1, 2, restless, 0, 0, 0, 0.918454, 1, 0.04},
        {"pong", "Pong to five points. Needs no memory.", GAME_RALLYING, 1, 0, 8, 7, 200, 1, 2,
         restless, 0, 0, 0, 1, 1, 0},
        {"open-blink", "Blink with stripes that stay in sight. Needs no memory.", GAME_BLINKING, 1,
         0, 8, 8, 2, 0, 2, stripes, 8, 8, 500, 1, 1, 0},
        {"open-corridor", "Corridor with a light that stays beside the player. Needs no memory.",
         GAME_WALKING, 1, 0, 10, 10, 2, 0, 3, turns, 10, 4, 500, 1, 1, 0},
        {"open-key-door", "Key-Door with the key in sight all the time. Needs no memory.",
         GAME_UNLOCKING, 1, 0, 10, 10, 18, 0, 3, doors, 8, 4, 500, 1, 1, 0},
        {"open-pairs", "Pairs whose faces stay visible once seen. Needs no memory.", GAME_PAIRING,
         1, 0, 12, 12, 200, 1, 16, cards, 0, 0, 0, 0.612719, 0.612719, 0.006},
    };
    return &specs[kind];
}

/* Returns the game of that name; GAME_KINDS if there is none. */
static inline game_kind game_named(const char *name)
{
    int kind = 0;
    while (kind < GAME_KINDS && strcmp(name, game_spec_of((game_kind)kind)->name) != 0) kind++;
    return (game_kind)kind;
}

/* Returns a score in percent: 0 is the best score possible without memory, 100 the best score
   possible. In games that need no memory, 0 is a score of -1. */
static inline double game_percent(const game_spec *spec, double score)
{
    double const from = spec->without_memory < spec->best ? spec->without_memory : -1;
    return 100 * (score - from) / (spec->best - from);
}

/* Returns random number `index` of this episode, 0 .. below-1: output number start * 2^32 + `index`
   of SplitMix64 (Steele, Lea, Flood 2014) with seed 0. The first output has number 1. */
static inline int game_chance(const game *g, int index, int below)
{
    uint64_t z = ((uint64_t)(uint32_t)g->start << 32 | (uint32_t)index) * 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (int)((z >> 32) * (uint64_t)below >> 32);
}

/* ---------------------------------------------------------------------------------------------- */
/* Blink: frame 0 shows stripes, `length` frames are blank, the next frame shows a question mark. */

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

/* ---------------------------------------------------------------------------------------------- */
/* Corridor: the player walks along a corridor of `length` steps that ends in a fork. The player is
   at the bottom of the frame. In the first GAME_CORRIDOR_LOCK steps every action moves the player
   ahead. A turn at the fork ends the episode: 1 on the side of the light, else -1. Each other step
   without progress costs 1/length. After `length` such steps the episode ends. */

#define GAME_CORRIDOR_LOCK GAME_STACK /* the cue is in frame 0 */

static inline uint8_t game_corridor_tile(const game *g, int across, int ahead)
{
    int const distance = g->place + ahead;
    if (across == 0 && ahead == 0) return 200; /* the player */
    if (distance == g->length || (across == 0 && distance < g->length)) return 0;
    return distance % 2 == 0 ? 60 : 110; /* walls alternate, to make movement visible */
}

static inline void game_draw_corridor(const game *g, int reveal, uint8_t *frame)
{
    int const light = g->start == 0 ? -1 : 1, cue = reveal || g->time == 0;
    int x, y;
    for (y = 0; y < 10; y++)
        for (x = 0; x < 10; x++) {
            int const across = x / 2 - 2, ahead = 4 - y / 2; /* 5 x 5 tiles of 2 x 2 pixels */
            frame[y * 10 + x] =
                cue && across == light && ahead == 0 ? 255 : game_corridor_tile(g, across, ahead);
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

/* ---------------------------------------------------------------------------------------------- */
/* Lock-Catch and Catch: a ball falls one row a step and bounces off the sides. `place` is the
   paddle's column. The start determines where the ball lands: every column is equally likely. */

#define GAME_CATCH_SEEN 3 /* rows in which Lock-Catch shows the ball */
#define GAME_CATCH_LOCK                                                                            \
    (GAME_CATCH_SEEN - 1 + GAME_STACK) /* first step when no frame of the stack shows the ball */
#define GAME_CATCH_STEPS 13            /* from row 0 to row 13, the paddle's */

/* Returns the ball's column at `time`, computed backwards from the landing. A ball that bounces
   between 10 columns returns to the same column and direction after 18 steps. */
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

/* ---------------------------------------------------------------------------------------------- */
/* Key-Door: a corridor with a key at its start and three doors of different colours at its end. The
   door of the key's colour wins. After `length` steps without progress the episode is lost. */

#define GAME_KEY_DOOR_LOCK                                                                         \
    GAME_STACK /* the key is in frame 0; in the first GAME_STACK steps every action moves ahead */

/* The start encodes the key's colour, 0..2, and one of 6 orders of the doors. */
static inline int game_key(const game *g) { return g->start / 6; }
static inline int game_door(const game *g, int door)
{
    static const uint8_t orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    return orders[g->start % 6][door];
}

static inline uint8_t game_key_door_tile(const game *g, int across, int ahead, int key_seen)
{
    static const uint8_t colours[3] = {90, 170, 250};
    int const distance = g->place + ahead, beside = across == -1 || across == 1;
    if (across == 0 && ahead == 0) return 210; /* the player */
    if (across == 1 && ahead == 0 && key_seen) return colours[game_key(g)];
    if (distance == g->length + 1 && (across == 0 || beside))
        return colours[game_door(g, across + 1)];
    if (distance <= g->length &&
        (across == 0 || (beside && (distance == 0 || distance == g->length))))
        return 0;
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

/* ---------------------------------------------------------------------------------------------- */
/* Pairs: the card game Concentration, for one player. Each step turns one card face up, and the
   previous card face down. Two steps are a turn; if their cards match, both are removed. An action
   may choose a removed card, or the first card of the same turn. Then the next card that is neither
   is turned. Each step costs 1/64, and a pair earns 1/8. The game ends when all cards are removed,
   or after 64 steps. */

#define GAME_PAIRS_STEPS 64

static inline void game_begin_pairs(game *g)
{
    game_cards *const c = &g->cards;
    int i;
    c->gone = c->seen = 0;
    c->up = c->waiting = -1;
    for (i = 0; i < 16; i++) { /* Fisher and Yates' shuffle, inside out */
        int const j = game_chance(g, i, i + 1);
        c->face[i] = c->face[j];
        c->face[j] = (uint8_t)(i / 2);
    }
}

/* Draws each card as 3 x 3 pixels. The centre marks the card. One of the 8 pixels around the centre
   shows the face. */
static inline void game_draw_pairs(const game *g, int reveal, uint8_t *frame)
{
    const game_cards *const c = &g->cards;
    int i;
    memset(frame, 0, 144);
    for (i = 0; i < 16; i++) {
        uint8_t *const corner = frame + i / 4 * 36 + i % 4 * 3;
        int const face = c->face[i] < 4 ? c->face[i] : c->face[i] + 1; /* pixel 4 is the centre */
        if (c->gone >> i & 1) continue;
        corner[13] = c->up != i ? 60 : c->waiting == i ? 255 : 160;
        if (c->up == i || (reveal && (c->seen >> i & 1)))
            corner[face / 3 * 12 + face % 3] = c->up == i ? 255 : 110;
    }
}

static inline float game_step_pairs(game *g, int card)
{
    game_cards *const c = &g->cards;
    int const first = c->waiting;
    float reward = -1.0f / GAME_PAIRS_STEPS;
    while ((c->gone >> card & 1) || card == first) card = (card + 1) % 16;
    c->seen |= 1u << card;
    c->up = card;
    c->waiting = first < 0 ? card : -1;
    if (first >= 0 && c->face[card] == c->face[first]) {
        c->gone |= 1u << card | 1u << first;
        c->up = -1;
        reward += 1.0f / 8;
    }
    g->time++;
    g->cut = g->time == GAME_PAIRS_STEPS && c->gone != 0xFFFF;
    g->done = g->cut || c->gone == 0xFFFF;
    return reward;
}

/* ---------------------------------------------------------------------------------------------- */
/* Pong: the player's paddle, at the bottom, is two columns wide. The paddle moves at every step,
   unless a side stops it. The opponent's paddle, at the top, is three columns wide and follows
   the ball while the ball is in the upper two of four rows. Both paddles move one column a step.
   The ball moves one row and -1, 0 or 1 columns a step, and bounces off the sides. The column of
   the paddle that the ball hits sets the next direction of the ball. The opponent serves, from one
   of five columns in one of three directions. A point of the player is worth 1/5, and a point of
   the opponent -1/5. Five points or 500 steps end the episode.

   A dimmer pixel marks the ball's previous position, so that one frame shows the whole state. In
   Pong-75 and Pong-50 each frame is blank with probability 0.75 or 0.5, except a frame with a
   serve. */

#define GAME_PONG_POINTS 5
#define GAME_PONG_STEPS 500

static inline void game_serve(game *g)
{
    game_court *const c = &g->court;
    int const serve = game_chance(g, GAME_PONG_STEPS + 1 + c->points + c->other_points, 15);
    c->dx = serve / 5 - 1;
    c->dy = 1;
    c->x = 2 + serve % 5 + c->dx;
    c->y = 1;
    c->other = 2;
    c->served = g->time;
    g->place = 3;
}

static inline void game_begin_pong(game *g)
{
    g->court.points = g->court.other_points = 0;
    game_serve(g);
}

/* Draws, from top to bottom: a row with the points, the player's on the right; the opponent's
   paddle; four rows for the ball; the player's paddle. */
static inline void game_draw_pong(const game *g, int reveal, uint8_t *frame)
{
    const game_court *const c = &g->court;
    memset(frame, 0, 56);
    if (!reveal && g->time != c->served && game_chance(g, g->time, 100) < g->spec->blank) return;
    memset(frame, 100, (size_t)c->other_points);
    memset(frame + 8 - c->points, 100, (size_t)c->points);
    memset(frame + 8 + c->other, 200, 3);
    memset(frame + 48 + g->place, 200, 2);
    frame[(2 + c->y - c->dy) * 8 + c->x - c->dx] = 90;
    frame[(2 + c->y) * 8 + c->x] = 255;
}

/* Moves the ball. Returns 1 if the opponent missed the ball, -1 if the player missed it, else 0. */
static inline int game_fly(game *g)
{
    game_court *const c = &g->court;
    if (c->dy > 0 && c->y == 3) {
        if (c->x < g->place || c->x > g->place + 1) return -1;
        c->dx = c->x == g->place ? -1 : 1;
        c->dy = -1;
    } else if (c->dy < 0 && c->y == 0) {
        if (c->x < c->other || c->x > c->other + 2) return 1;
        c->dx = c->x - (c->other + 1);
        c->dy = 1;
    }
    if (c->x + c->dx < 0 || c->x + c->dx > 7) c->dx = -c->dx;
    c->x += c->dx;
    c->y += c->dy;
    return 0;
}

static inline float game_step_pong(game *g, int action)
{
    game_court *const c = &g->court;
    int point;
    g->time++;
    if (action == 0 && g->place > 0) g->place--;
    if (action == 1 && g->place < 6) g->place++;
    if (c->y < 2 && c->x < c->other + 1 && c->other > 0)
        c->other--;
    else if (c->y < 2 && c->x > c->other + 1 && c->other < 5)
        c->other++;
    point = game_fly(g);
    c->points += point > 0;
    c->other_points += point < 0;
    g->done = c->points == GAME_PONG_POINTS || c->other_points == GAME_PONG_POINTS;
    g->cut = !g->done && g->time == GAME_PONG_STEPS;
    if (point != 0 && !g->done) game_serve(g);
    g->done = g->done || g->cut;
    return (float)point / GAME_PONG_POINTS;
}

/* ---------------------------------------------------------------------------------------------- */
/* All games */

/* Draws what the player sees into `frame` [height][width]. With `reveal`, also draws what is
   hidden. In Pairs, these are the faces of cards that have been up; other faces stay hidden. */
static inline void game_draw(const game *g, int reveal, uint8_t *frame)
{
    int const all = reveal || g->spec->open;
    switch (g->spec->rules) {
    case GAME_BLINKING: game_draw_blink(g, all, frame); break;
    case GAME_WALKING: game_draw_corridor(g, all, frame); break;
    case GAME_CATCHING: game_draw_catch(g, all, frame); break;
    case GAME_UNLOCKING: game_draw_key_door(g, all, frame); break;
    case GAME_PAIRING: game_draw_pairs(g, all, frame); break;
    case GAME_RALLYING: game_draw_pong(g, all, frame); break;
    }
}

/* Returns the width and the height of what the player gets. */
static inline int game_width(const game *g) { return g->side > 0 ? g->side : g->spec->width; }
static inline int game_height(const game *g) { return g->side > 0 ? g->side : g->spec->height; }

/* Writes what the player gets to `view` [game_height][game_width]. In an enlarged frame, each pixel
   of the frame is a square block of equal pixels. All blocks have the same size, the largest with
   which the frame fits. The frame is in the centre, and the margin around it is black. */
static inline void game_view(const game *g, uint8_t *view)
{
    int const width = g->spec->width, height = g->spec->height;
    int const block = g->side / (width > height ? width : height);
    int const left = (g->side - width * block) / 2, top = (g->side - height * block) / 2;
    int x, y, i;
    if (g->side == 0) {
        memcpy(view, g->frame, (size_t)(width * height));
        return;
    }
    memset(view, 0, (size_t)(g->side * g->side));
    for (y = 0; y < height * block; y++)
        for (x = 0; x < width; x++)
            for (i = 0; i < block; i++)
                view[(top + y) * g->side + left + x * block + i] = g->frame[y / block * width + x];
}

/* Begins the episode with this start. Evaluations use the starts 0 .. starts-1. */
static inline void game_start(game *g, int start)
{
    g->start = start;
    g->time = 0;
    g->place = g->spec->rules == GAME_CATCHING ? 5 : 0;
    g->done = g->cut = 0;
    if (g->spec->rules == GAME_PAIRING) game_begin_pairs(g);
    if (g->spec->rules == GAME_RALLYING) game_begin_pong(g);
    game_draw(g, 0, g->frame);
}

/* Begins an episode with a random start, drawn from the game's PCG32 (O'Neill 2014). */
static inline void game_reset(game *g)
{
    uint64_t const old = g->random;
    uint32_t const mixed = (uint32_t)(((old >> 18) ^ old) >> 27), turn = (uint32_t)(old >> 59);
    uint32_t const drawn = (mixed >> turn) | (mixed << ((32 - turn) & 31));
    int const first = g->spec->sampled ? g->spec->starts : 0;
    int const count = g->spec->sampled ? INT32_MAX - first : g->spec->starts;
    g->random = old * 6364136223846793005u + 1442695040888963407u;
    game_start(g, first + (int)((uint64_t)drawn * (uint64_t)count >> 32));
}

/* Prepares a game and begins an episode. `length` 0 means the default. The same seed gives the same
   starts, in the same order. Returns 0 if the game cannot have this length; then no episode has
   begun. */
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

/* Takes one step with an action 0 .. actions-1. Returns the reward, and sets g->done after the last
   step. */
static inline float game_step(game *g, int action)
{
    float reward = 0;
    switch (g->spec->rules) {
    case GAME_BLINKING: reward = game_step_blink(g, action); break;
    case GAME_WALKING: reward = game_step_corridor(g, action); break;
    case GAME_CATCHING: reward = game_step_catch(g, action); break;
    case GAME_UNLOCKING: reward = game_step_key_door(g, action); break;
    case GAME_PAIRING: reward = game_step_pairs(g, action); break;
    case GAME_RALLYING: reward = game_step_pong(g, action); break;
    }
    game_draw(g, 0, g->frame);
    return reward;
}

/* Returns the first step, counted from 0, at which the action has an effect. */
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

/* Returns the most steps that an episode can take. */
static inline int game_longest(const game *g)
{
    switch (g->spec->rules) {
    case GAME_BLINKING: return g->length + 2;
    case GAME_CATCHING: return GAME_CATCH_STEPS;
    case GAME_PAIRING: return GAME_PAIRS_STEPS;
    case GAME_RALLYING: return GAME_PONG_STEPS;
    default: return 2 * g->length;
    }
}

#endif
