/* Tests examples/games.h: the rules of the games; the table's best scores with memory and without;
   and that a policy without memory cannot carry the cue past the moment when it leaves the stack.
   The best scores of Pairs and Pong are derived in ceilings.c.

   The best play is found exactly, by dynamic programming over what a policy can know: the set of
   starts that agree with all it has seen. With memory, a policy sees everything. Without memory,
   the solver gives it more than it has: every frame since the oldest in the stack at the first step
   that counts. That is an upper bound for every policy of GAME_STACK frames, because before that
   step no action changes anything. A policy of GAME_STACK frames below attains the bound. */
#include "../examples/games.h"
#include "check.h"

#include <stdlib.h>

typedef struct variant {
    game_kind kind;
    int length;
} variant;

static const variant variants[] = {
    {GAME_BLINK, 8},          {GAME_BLINK, 9},         {GAME_BLINK, 40},
    {GAME_CORRIDOR, 4},       {GAME_CORRIDOR, 5},      {GAME_CORRIDOR, 10},
    {GAME_CORRIDOR, 37},      {GAME_LOCK_CATCH, 0},    {GAME_CATCH, 0},
    {GAME_KEY_DOOR, 4},       {GAME_KEY_DOOR, 8},      {GAME_KEY_DOOR, 37},
    {GAME_OPEN_BLINK, 8},     {GAME_OPEN_BLINK, 40},   {GAME_OPEN_CORRIDOR, 4},
    {GAME_OPEN_CORRIDOR, 10}, {GAME_OPEN_KEY_DOOR, 4}, {GAME_OPEN_KEY_DOOR, 8},
    {GAME_PAIRS, 0},          {GAME_OPEN_PAIRS, 0},    {GAME_PONG, 0},
    {GAME_PONG_50, 0},        {GAME_PONG_75, 0},
};
enum { VARIANTS = sizeof variants / sizeof variants[0] };

static game begun(variant v, int start)
{
    game g;
    CHECK(game_init(&g, v.kind, v.length, 1));
    game_start(&g, start);
    return g;
}

/* Returns whether a player sees the same. */
static int looks_alike(const game *a, const game *b)
{
    return a->done == b->done &&
           memcmp(a->frame, b->frame, (size_t)(a->spec->width * a->spec->height)) == 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* The solver */

/* All starts of a game side by side. A set of starts is a mask of bits. */
typedef struct world {
    int starts;
    game games[GAME_STARTS];
} world;

enum { MEMO = 1 << 16 };
static struct {
    uint32_t set; /* never 0 in use */
    int time, place;
    double value;
} memo[MEMO];
static int told_apart; /* 1: some frame differs between starts of a set */

static double value_of(const world *w, uint32_t set);

static int first_of(uint32_t set)
{
    int i = 0;
    while ((set >> i & 1) == 0) i++;
    return i;
}

static size_t memo_slot(uint32_t set, int time, int place)
{
    size_t slot = (set * 2654435761u ^ (uint32_t)(time * 1000 + place) * 2246822519u) % MEMO;
    while (memo[slot].set != 0 &&
           (memo[slot].set != set || memo[slot].time != time || memo[slot].place != place))
        slot = (slot + 1) % MEMO;
    return slot;
}

/* Returns the best policy's return from here on, summed over `set`, whose starts all look alike so
   far. */
static double value_alike(const world *w, uint32_t set)
{
    const game *const g = &w->games[first_of(set)];
    size_t slot = memo_slot(set, g->time, g->place);
    double best = -HUGE_VAL;
    int action, i;
    if (g->done) return 0;
    if (memo[slot].set != 0) return memo[slot].value;
    for (action = 0; action < g->spec->actions; action++) {
        world next = *w;
        double sum = 0;
        for (i = 0; i < w->starts; i++)
            if (set >> i & 1) sum += (double)game_step(&next.games[i], action);
        sum += value_of(&next, set);
        best = sum > best ? sum : best;
    }
    slot = memo_slot(set, g->time, g->place); /* again, because the recursion has filled others */
    memo[slot].set = set;
    memo[slot].time = g->time;
    memo[slot].place = g->place;
    memo[slot].value = best;
    return best;
}

/* The same for any set. The current frame may separate some of its starts. */
static double value_of(const world *w, uint32_t set)
{
    double sum = 0;
    while (set != 0) {
        int const first = first_of(set);
        uint32_t alike = 0;
        int i;
        for (i = first; i < w->starts; i++)
            if ((set >> i & 1) && looks_alike(&w->games[first], &w->games[i])) alike |= 1u << i;
        /* the memo relies on this: the same actions so far, so the same time and place */
        for (i = first; i < w->starts; i++)
            if (alike >> i & 1)
                CHECK(w->games[i].time == w->games[first].time &&
                      w->games[i].place == w->games[first].place);
        told_apart = told_apart || alike != set;
        sum += value_alike(w, alike);
        set &= ~alike;
    }
    return sum;
}

/* Returns the mean return of the best policy that recalls all frames from number `from` on. */
static double best_score(variant v, int from)
{
    world w;
    int i, time;
    memset(&w, 0, sizeof w);
    memset(memo, 0, sizeof memo);
    told_apart = 0;
    w.starts = game_spec_of(v.kind)->starts;
    for (i = 0; i < w.starts; i++) {
        w.games[i] = begun(v, i);
        for (time = 0; time < from; time++) game_step(&w.games[i], 0);
    }
    return value_of(&w, (1u << w.starts) - 1) / w.starts;
}

/* ---------------------------------------------------------------------------------------------- */
/* Policies of GAME_STACK frames that attain the best score without memory */

static int brightest(const uint8_t *row)
{
    int x, best = 0;
    for (x = 1; x < 10; x++)
        if (row[x] > row[best]) best = x;
    return best;
}

/* Catch: the last two frames tell where the ball lands, and the paddle goes there. */
static int catch_policy(const uint8_t *before, const uint8_t *now)
{
    int const paddle = brightest(now + 130);
    int row = 0, x, dx, target;
    while (now[row * 10 + brightest(now + row * 10)] == 0) row++;
    if (row == 0) return 1;
    target = x = brightest(now + row * 10);
    dx = x - brightest(before + (row - 1) * 10);
    for (; row < 13; row++) {
        if (target + dx < 0 || target + dx > 9) dx = -dx;
        target += dx;
    }
    return target < paddle ? 0 : target > paddle ? 2 : 1;
}

/* Returns the pixels' value in a tile of 2 x 2 pixels of the view from the corridor or hallway. */
static int tile(const uint8_t *frame, int across, int ahead)
{
    return frame[(8 - 2 * ahead) * 10 + 4 + 2 * across];
}

/* Goes left where the corridor is open to the left, or to the light, where there is one. */
static int corridor_policy(const uint8_t *now)
{
    if (tile(now, -1, 0) == 255) return tile(now, 1, 0) == 0 ? 1 : 0;
    if (tile(now, 1, 0) == 255) return tile(now, -1, 0) == 0 ? 2 : 0;
    return tile(now, -1, 0) == 0 ? 1 : 0;
}

/* At the doors: takes the one of the key's colour if there is a key, else the left one. */
static int key_door_policy(const uint8_t *now)
{
    int door = 2;
    if (tile(now, -1, 0) != 0) return 1;
    while (door > 0 && tile(now, door - 1, 1) != tile(now, 1, 0)) door--;
    return door;
}

static int policy(const game_spec *spec, uint8_t stack[GAME_STACK][GAME_PIXELS])
{
    const uint8_t *const now = stack[GAME_STACK - 1];
    switch (spec->rules) {
    /* a stripe or a gap, where there are stripes */
    case GAME_BLINKING: return spec->open && now[2] == 0;
    case GAME_WALKING: return corridor_policy(now);
    case GAME_UNLOCKING: return key_door_policy(now);
    default: return spec->open ? catch_policy(stack[GAME_STACK - 2], now) : 1;
    }
}

static double policy_score(variant v)
{
    const game_spec *const spec = game_spec_of(v.kind);
    uint8_t stack[GAME_STACK][GAME_PIXELS];
    double sum = 0;
    int start, i;
    for (start = 0; start < spec->starts; start++) {
        game g = begun(v, start);
        for (i = 0; i < GAME_STACK; i++) memcpy(stack[i], g.frame, sizeof g.frame);
        while (!g.done) {
            sum += (double)game_step(&g, policy(spec, stack));
            memmove(stack[0], stack[1], sizeof stack - sizeof stack[0]);
            memcpy(stack[GAME_STACK - 1], g.frame, sizeof g.frame);
        }
    }
    return sum / spec->starts;
}

static void best_scores_case(variant v)
{
    game const g = begun(v, 0);
    int const oldest = game_unlocked(&g) - (GAME_STACK - 1);
    if (game_spec_of(v.kind)->sampled) return;
    CHECK(fabs(best_score(v, 0) - g.spec->best) < 1e-6);
    CHECK(told_apart);
    CHECK(fabs(best_score(v, oldest > 0 ? oldest : 0) - g.spec->without_memory) < 1e-6);
    /* Key-Door's starts differ in their doors. In other games, no action brings the cue back. */
    CHECK(told_apart == (g.spec->open || v.kind == GAME_KEY_DOOR));
    CHECK(fabs(policy_score(v) - g.spec->without_memory) < 1e-6);
}

/* ---------------------------------------------------------------------------------------------- */
/* Nothing carries the cue */

/* Until the first step that counts, two players with the same start see and get the same, whatever
   they do. After that, the action matters in at least one state. */
static void lock_case(variant v)
{
    int start, repeat, action, matters = 0;
    for (start = 0; start < game_spec_of(v.kind)->starts; start++)
        for (repeat = 0; repeat < 50; repeat++) {
            game a = begun(v, start), b = a;
            while (a.time < game_unlocked(&a)) {
                float const reward_a = game_step(&a, check_below(a.spec->actions));
                float const reward_b = game_step(&b, check_below(b.spec->actions));
                CHECK(reward_a >= 0 && reward_a <= 0 && reward_b >= 0 && reward_b <= 0);
                CHECK(looks_alike(&a, &b) && a.place == b.place && !a.done);
            }
            for (action = 0; action < a.spec->actions; action++) {
                game c = a, d = a;
                float const reward_c = game_step(&c, action), reward_d = game_step(&d, 0);
                matters = matters || !looks_alike(&c, &d) || reward_c < reward_d ||
                          reward_c > reward_d;
            }
        }
    CHECK(matters);
}

/* Two players have different starts. From the first step that counts on, both take the same
   actions. From the oldest frame of that step's stack on, both see the same frames. Both get the
   same rewards until the end. Actions before that step make no difference. In Key-Door they have
   the same doors. */
static void secrecy_case(variant v)
{
    const game_spec *const spec = game_spec_of(v.kind);
    int repeat;
    if (game_spec_of(v.kind)->sampled || game_spec_of(v.kind)->open) return;
    for (repeat = 0; repeat < 500; repeat++) {
        int const start = check_below(spec->starts), other = check_below(spec->starts);
        game a = begun(v, start);
        game b = begun(v, v.kind == GAME_KEY_DOOR ? other / 6 * 6 + start % 6 : other);
        while (!a.done) {
            int const locked = a.time < game_unlocked(&a), action = check_below(a.spec->actions);
            float const reward_a = game_step(&a, action);
            float const reward_b = game_step(&b, locked ? check_below(a.spec->actions) : action);
            if (a.time > game_unlocked(&a) - GAME_STACK) CHECK(looks_alike(&a, &b));
            CHECK(a.done == b.done && a.time == b.time && a.place == b.place);
            if (!a.done) CHECK(reward_a >= reward_b && reward_a <= reward_b);
        }
    }
}

/* With `reveal`, game_draw draws nothing more in the first frame. In Blink, Corridor and Key-Door,
   this frame shows the cue. */
static void reveal_case(variant v)
{
    uint8_t all[GAME_PIXELS];
    game a = begun(v, 0), b = begun(v, game_spec_of(v.kind)->starts - 1);
    if (a.spec->rules == GAME_BLINKING || a.spec->rules == GAME_WALKING ||
        a.spec->rules == GAME_UNLOCKING)
        CHECK(!looks_alike(&a, &b));
    game_draw(&a, 1, all);
    CHECK(memcmp(a.frame, all, (size_t)(a.spec->width * a.spec->height)) == 0);
}

/* An open game has the rules of the hidden one, and shows what game_draw draws with `reveal`. */
static void open_case(game_kind hidden, game_kind open)
{
    game g, h;
    int i;
    check_about("%s", game_spec_of(open)->name);
    CHECK(game_init(&g, hidden, 0, 3) && game_init(&h, open, 0, 3) && g.length == h.length);
    for (i = 0; i < 5000; i++) {
        int const action = check_below(g.spec->actions);
        uint8_t all[GAME_PIXELS];
        game_draw(&g, 1, all);
        CHECK(g.start == h.start &&
              memcmp(all, h.frame, (size_t)(g.spec->width * g.spec->height)) == 0);
        if (g.done) {
            game_reset(&g);
            game_reset(&h);
        } else {
            float const reward = game_step(&g, action), same = game_step(&h, action);
            CHECK(reward <= same && reward >= same && g.done == h.done && g.cut == h.cut);
        }
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Enlarged frames */

/* Checks each pixel of the view: `block` is the side of a block, computed by hand. */
static void check_view(const game *g, int block)
{
    static uint8_t view[GAME_SIDE * GAME_SIDE];
    int const width = g->spec->width, height = g->spec->height;
    int const left = (g->side - width * block) / 2, top = (g->side - height * block) / 2;
    int x, y, wrong = 0;
    game_view(g, view);
    for (y = 0; y < g->side; y++)
        for (x = 0; x < g->side; x++) {
            int const inside = x >= left && x < left + width * block && y >= top &&
                               y < top + height * block;
            int const seen = inside ? g->frame[(y - top) / block * width + (x - left) / block] : 0;
            wrong += view[y * g->side + x] != seen;
        }
    CHECK(wrong == 0);
}

/* Every pixel of an enlarged frame is exact, through random play. Without `side`, the player gets
   the frame itself. The size of frames changes nothing in the play. */
static void enlarged_case(variant v)
{
    static const struct {
        int side, blocks[6]; /* of the rules, in the order of game_rules */
    } sizes[] = {{84, {10, 8, 6, 8, 7, 10}}, {42, {5, 4, 3, 4, 3, 5}}, {47, {5, 4, 3, 4, 3, 5}}};
    int i, step;
    for (i = 0; i < 3; i++) {
        game g = begun(v, 1), plain = g;
        g.side = sizes[i].side;
        CHECK(game_width(&g) == g.side && game_height(&g) == g.side);
        for (step = 0; step < 200; step++) {
            int const action = check_below(g.spec->actions);
            uint8_t view[GAME_PIXELS];
            check_view(&g, sizes[i].blocks[g.spec->rules]);
            game_view(&plain, view);
            CHECK(looks_alike(&g, &plain));
            CHECK(memcmp(view, g.frame, (size_t)(game_width(&plain) * game_height(&plain))) == 0);
            if (g.done) {
                game_reset(&g);
                game_reset(&plain);
            } else {
                game_step(&g, action);
                game_step(&plain, action);
            }
        }
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* The rules */

/* Plays `action` for up to `steps` steps, until the episode is over. Returns the sum of rewards. */
static double repeat_action(game *g, int action, int steps)
{
    double sum = 0;
    for (; steps > 0 && !g->done; steps--) sum += (double)game_step(g, action);
    return sum;
}

static void blink_case(variant v)
{
    int start, action;
    for (start = 0; start < 2; start++)
        for (action = 0; action < 2; action++) {
            game g = begun(v, start);
            /* only the answer counts */
            CHECK(fabs(repeat_action(&g, 1 - action, v.length + 1)) < 1e-9 && !g.done);
            CHECK(fabs(repeat_action(&g, action, 1) - (action == start ? 1 : -1)) < 1e-9);
            CHECK(g.done && g.time == v.length + 2 && g.time == game_longest(&g));
        }
}

static void corridor_case(variant v)
{
    int start;
    for (start = 0; start < 2; start++) {
        game g = begun(v, start);
        CHECK(fabs(repeat_action(&g, 0, v.length)) < 1e-9 && g.place == v.length && !g.done);
        CHECK(fabs(repeat_action(&g, 1, 1) - (start == 0 ? 1 : -1)) < 1e-9 && g.done);

        g = begun(v, start); /* giving up */
        CHECK(fabs(repeat_action(&g, 0, v.length) + repeat_action(&g, 0, 1000) + 1) < 1e-6);
        CHECK(g.done && g.time == 2 * v.length && g.time == game_longest(&g));

        g = begun(v, start); /* the worst play: almost give up, then take the wrong turn */
        repeat_action(&g, 0, v.length);
        CHECK(fabs(repeat_action(&g, 0, v.length - 1) + repeat_action(&g, 2 - start, 1) + 2 -
                   1.0 / v.length) < 1e-6);
        CHECK(g.done && g.time == game_longest(&g));
    }
}

static int visible_ball(const game *g, int row)
{
    return g->frame[row * 10 + brightest(g->frame + row * 10)] != 0;
}

static void catch_case(variant v)
{
    int landings[10] = {0}, start, row;
    for (start = 0; start < 30; start++) {
        game g = begun(v, start);
        int x = game_ball(&g, 0), dx = game_ball(&g, 1) - x;
        for (row = 0; row < 13; row++) { /* falls and bounces */
            CHECK(g.time == row && game_ball(&g, row) == x && abs(dx) <= 1);
            CHECK(visible_ball(&g, row) == (v.kind == GAME_CATCH || row < 3));
            CHECK(g.place == 5 && g.frame[13 * 10 + 5] == 255);
            if (x + dx < 0 || x + dx > 9) dx = -dx;
            x += dx;
            CHECK(fabs((double)game_step(&g, 1) - (row < 12 ? 0 : x == 5 ? 1 : -1)) < 1e-9);
        }
        CHECK(g.done && g.time == 13 && g.time == game_longest(&g));
        landings[x]++;
    }
    for (row = 0; row < 10; row++) CHECK(landings[row] == 3);
}

/* The paddle obeys from step 6 on, in Catch at once. It moves one column a step and stays on the
   screen. */
static void paddle_case(variant v)
{
    game left = begun(v, 7), right = left;
    int const locked = v.kind == GAME_CATCH ? 0 : 6;
    repeat_action(&left, 0, locked);
    repeat_action(&right, 2, locked);
    CHECK(left.place == 5 && right.place == 5);
    repeat_action(&left, 0, 1);
    repeat_action(&right, 2, 1);
    CHECK(left.place == 4 && right.place == 6);
    repeat_action(&left, 0, 13);
    repeat_action(&right, 2, 13);
    CHECK(left.place == 0 && right.place == 9);
}

static void key_door_case(variant v)
{
    int start, door, right[3][3] = {{0}};
    for (start = 0; start < 18; start++)
        for (door = 0; door < 3; door++) {
            game g = begun(v, start);
            int const opens = game_door(&g, door) == game_key(&g);
            CHECK(fabs(repeat_action(&g, 1, v.length)) < 1e-9 && g.place == v.length && !g.done);
            CHECK(fabs(repeat_action(&g, door, 1) - (opens ? 1 : -1)) < 1e-9 && g.done);
            right[game_key(&g)][door] += opens;

            if (v.length == GAME_KEY_DOOR_LOCK) continue;
            g = begun(v, start); /* the walls at the sides: open at one place, then closed */
            CHECK(fabs(repeat_action(&g, door / 2 * 2, 4 + v.length - 1)) < 1e-9 && g.place == 4 &&
                  !g.done);
            CHECK(fabs(repeat_action(&g, 0, 1) + 1) < 1e-9 && g.done && g.time == 4 + v.length);

            g = begun(v, start); /* the longest path */
            CHECK(fabs(repeat_action(&g, 2, 4 + v.length - 1) +
                       repeat_action(&g, 1, v.length - 4)) < 1e-9);
            CHECK(fabs(repeat_action(&g, door, 1) - (opens ? 1 : -1)) < 1e-9 && g.done &&
                  g.time == game_longest(&g));
        }
    /* each colour at each place */
    for (start = 0; start < 9; start++) CHECK(right[start / 3][start % 3] == 2);
}

/* Checks the value of a card's dot in the frame, and the number of lit pixels around the dot. */
static void check_card(const game *g, int card, int dot, int pixels)
{
    const uint8_t *const corner = g->frame + card / 4 * 36 + card % 4 * 3;
    int x, y, lit = 0;
    for (y = 0; y < 3; y++)
        for (x = 0; x < 3; x++) lit += (x != 1 || y != 1) && corner[y * 12 + x] != 0;
    CHECK(corner[13] == dot && lit == pixels);
}

/* Compares random play with a referee of the test's own. */
static void pairs_case(variant v)
{
    int const open = game_spec_of(v.kind)->open;
    int start, i, finished = 0, cut = 0;
    for (start = 0; start < 100; start++) {
        game g = begun(v, start);
        int gone[16] = {0}, seen[16] = {0}, faces[8] = {0}, pairs = 0, first = -1;
        for (i = 0; i < 16; i++) faces[g.cards.face[i]]++;
        for (i = 0; i < 8; i++) CHECK(faces[i] == 2);
        while (!g.done) {
            int card = check_below(16), second = first >= 0, match;
            float const reward = game_step(&g, card);
            while (gone[card] || card == first) card = (card + 1) % 16;
            match = second && g.cards.face[card] == g.cards.face[first];
            seen[card] = 1;
            if (match) gone[card] = gone[first] = 1;
            pairs += match;
            first = second ? -1 : card;
            CHECK(fabs((double)reward - (match / 8.0 - 1 / 64.0)) < 1e-6 &&
                  g.done == (pairs == 8 || g.time == 64));
            for (i = 0; i < 16; i++) {
                int const dot = gone[i] ? 0 : i != card ? 60 : second ? 160 : 255;
                check_card(&g, i, dot, !gone[i] && (i == card || (open && seen[i])));
            }
        }
        CHECK(g.cut == (pairs < 8) && g.time <= game_longest(&g));
        finished += !g.cut;
        cut += g.cut;
    }
    CHECK(cut > 0 && finished < cut);
}

/* What a step of Pong does with the ball. */
enum { FLIES, PLAYER_HITS, PLAYER_MISSES, OTHER_HITS, OTHER_MISSES, BALL_CASES };

/* A referee of the test's own. Returns what a step does with the ball. Writes the columns of both
   paddles after the step, and the ball's direction if nobody misses. */
static int referee(const game *before, int action, int *place, int *other, int *dx)
{
    const game_court *const b = &before->court;
    int ball = FLIES;
    *place = before->place + (action == 0 ? -1 : 1);
    if (*place < 0 || *place > 6) *place = before->place; /* at a side */
    *other = b->other;
    if (b->y < 2) *other += (b->x > b->other + 1) - (b->x < b->other + 1);
    if (*other < 0 || *other > 5) *other = b->other;
    *dx = b->dx;
    if (b->y == 3 && b->dy > 0) { /* to the left from the left column of the paddle */
        ball = b->x - *place == 0 || b->x - *place == 1 ? PLAYER_HITS : PLAYER_MISSES;
        *dx = 2 * (b->x - *place) - 1;
    } else if (b->y == 0 && b->dy < 0) { /* straight from the middle column */
        ball = abs(b->x - *other - 1) <= 1 ? OTHER_HITS : OTHER_MISSES;
        *dx = b->x - *other - 1;
    }
    if ((b->x == 0 && *dx == -1) || (b->x == 7 && *dx == 1)) *dx = -*dx; /* a side */
    return ball;
}
/* Compares a step of Pong with the referee. A point is worth 1/5, and the next serve follows it.
   Returns what the step did with the ball. */
static int check_rally(const game *before, const game *g, int action, double reward)
{
    const game_court *const b = &before->court, *const c = &g->court;
    int place, other, dx;
    int const ball = referee(before, action, &place, &other, &dx);
    int const wins = ball == OTHER_MISSES, loses = ball == PLAYER_MISSES;
    CHECK(c->points == b->points + wins && c->other_points == b->other_points + loses);
    CHECK(fabs(reward - (wins - loses) / 5.0) < 1e-6);
    CHECK(g->done == (c->points == 5 || c->other_points == 5 || g->time == 500));
    CHECK(g->cut == (g->time == 500 && c->points < 5 && c->other_points < 5));
    if (!wins && !loses) {
        CHECK(c->dx == dx && c->dy == (ball == FLIES ? b->dy : -b->dy));
        CHECK(c->x == b->x + dx && c->y == b->y + c->dy && c->served == b->served);
        CHECK(c->x >= 0 && c->x < 8 && c->y >= 0 && c->y < 4);
        CHECK(g->place == place && c->other == other);
    } else if (!g->done) {
        CHECK(c->served == g->time && c->y == 1 && c->dy == 1 && c->x - c->dx >= 2 &&
              c->x - c->dx <= 6);
        CHECK(g->place == 3 && c->other == 2);
    }
    return ball;
}

/* Each step is as the referee says. In every second match, the player mostly follows the ball, so
   that the opponent misses balls, too. Frames are blank at the right rate, whatever the player
   does, and never at a serve. */
static void pong_case(variant v)
{
    const game_spec *const spec = game_spec_of(v.kind);
    int serves[8][3] = {{0}}, balls[BALL_CASES] = {0}, frames = 0, blank = 0, start, i, j;
    for (start = 0; start < 300; start++) {
        game g = begun(v, start), h = g;
        for (i = 0; !g.done; i++) {
            game const before = g;
            int const follows = start % 2 == 1 && check_below(8) > 0;
            int const action = follows ? g.court.x > g.place : check_below(2);
            int const empty = memchr(g.frame, 255, 56) == NULL;
            if (g.court.served == g.time) {
                serves[g.court.x - g.court.dx][g.court.dx + 1]++;
                CHECK(!empty);
            } else {
                frames++;
                blank += empty;
                CHECK(h.done || h.court.served == h.time ||
                      empty == (memchr(h.frame, 255, 56) == NULL));
            }
            balls[check_rally(&before, &g, action, (double)game_step(&g, action))]++;
            if (!h.done) game_step(&h, check_below(2));
        }
        CHECK(g.time <= game_longest(&g));
    }
    for (i = 0; i < BALL_CASES; i++) CHECK(balls[i] > 20);
    CHECK(fabs(blank - spec->blank / 100.0 * frames) <=
          4 * sqrt(frames * 0.25) * (spec->blank > 0));
    for (i = 0; i < 8; i++)
        for (j = 0; j < 3; j++)
            CHECK((serves[i][j] > 50) == (i >= 2 && i <= 6) &&
                  (serves[i][j] > 0) == (i >= 2 && i <= 6));
}

/* A match that is not over after 500 steps is cut off, whatever happens in the last step. */
static void pong_limit_case(variant v)
{
    int start, points = 0;
    for (start = 0; start < 300; start++) {
        game g = begun(v, start);
        int i;
        for (i = 0; i < 2; i++) game_step(&g, start % 2); /* the ball comes down to the paddle */
        g.time = 499;
        points += game_step(&g, start % 2) < 0;
        CHECK(g.done && g.cut && g.time == game_longest(&g));
    }
    CHECK(points > 0 && points < 300);
}

/* ---------------------------------------------------------------------------------------------- */
/* Names, lengths, seeds */

static void table_is_complete(void)
{
    int kind, i, open = 0;
    for (kind = 0; kind < GAME_KINDS; kind++) {
        const game_spec *const spec = game_spec_of((game_kind)kind);
        game g;
        CHECK(game_named(spec->name) == (game_kind)kind);
        CHECK(spec->width * spec->height <= GAME_PIXELS && spec->actions <= GAME_ACTIONS);
        CHECK(spec->sampled || spec->starts <= GAME_STARTS);
        for (i = 0; i < spec->actions; i++) CHECK(spec->action_names[i] != NULL);
        CHECK(game_init(&g, (game_kind)kind, 0, 1) && g.length == spec->length);
        CHECK(game_init(&g, (game_kind)kind, spec->most_length, 1));
        CHECK(!game_init(&g, (game_kind)kind, spec->most_length + 1, 1));
        CHECK(spec->least_length == 0 ||
              !game_init(&g, (game_kind)kind, spec->least_length - 1, 1));
        CHECK(fabs(game_percent(spec, spec->best) - 100) < 1e-9);
        CHECK(fabs(game_percent(spec, spec->without_memory) - (spec->open ? 100 : 0)) < 1e-9);
        open += spec->open;
    }
    CHECK(game_named("chess") == GAME_KINDS);
    CHECK(GAME_KINDS - open >= 7 && open >= 3);
}

/* The same seed gives the same episodes, another seed gives others, and all starts are about
   equally frequent. In a sampled game, the starts that its score is computed from are never drawn,
   and all others are, counted here in sixteen parts. */
static void seeds_case(variant v)
{
    enum { DRAWS = 30000, PARTS = 16 };
    int count[GAME_STARTS] = {0}, differ = 0, parts, i;
    game a, b, c;
    double expected;
    game_init(&a, v.kind, v.length, 5);
    game_init(&b, v.kind, v.length, 5);
    game_init(&c, v.kind, v.length, 6);
    parts = a.spec->sampled ? PARTS : a.spec->starts;
    expected = (double)DRAWS / parts;
    for (i = 0; i < DRAWS; i++) {
        CHECK(a.start == b.start && looks_alike(&a, &b));
        differ += a.start != c.start;
        CHECK(a.start >= (a.spec->sampled ? a.spec->starts : 0));
        count[a.spec->sampled ? a.start / (INT32_MAX / PARTS + 1) : a.start]++;
        game_reset(&a);
        game_reset(&b);
        game_reset(&c);
    }
    CHECK(differ > DRAWS / 3);
    for (i = 0; i < parts; i++) CHECK(fabs(count[i] - expected) < 5 * sqrt(expected));
}

/* Calls a test with each variant of the games with these rules (-1: of all games). */
static void each_variant(void (*test)(variant v), int rules)
{
    int i;
    for (i = 0; i < VARIANTS; i++) {
        const game_spec *const spec = game_spec_of(variants[i].kind);
        check_about("%s, length %d", spec->name, variants[i].length);
        if (rules < 0 || (int)spec->rules == rules) test(variants[i]);
    }
}
static void best_scores_are_those_of_the_table(void) { each_variant(best_scores_case, -1); }
static void cue_is_not_carried_by_play(void) { each_variant(secrecy_case, -1); }
static void early_actions_change_nothing(void) { each_variant(lock_case, -1); }
static void reveal_shows_the_cue(void) { each_variant(reveal_case, -1); }
static void enlarged_frames_are_exact(void) { each_variant(enlarged_case, -1); }
static void seeds_give_their_episodes(void) { each_variant(seeds_case, -1); }
static void blink_follows_its_rules(void) { each_variant(blink_case, GAME_BLINKING); }
static void corridor_follows_its_rules(void) { each_variant(corridor_case, GAME_WALKING); }
static void catch_follows_its_rules(void) { each_variant(catch_case, GAME_CATCHING); }
static void paddle_obeys_when_unlocked(void) { each_variant(paddle_case, GAME_CATCHING); }
static void key_door_follows_its_rules(void) { each_variant(key_door_case, GAME_UNLOCKING); }
static void pairs_follows_its_rules(void) { each_variant(pairs_case, GAME_PAIRING); }
static void pong_follows_its_rules(void) { each_variant(pong_case, GAME_RALLYING); }
static void pong_ends_at_its_limit(void) { each_variant(pong_limit_case, GAME_RALLYING); }
static void open_games_show_what_is_hidden(void)
{
    open_case(GAME_BLINK, GAME_OPEN_BLINK);
    open_case(GAME_CORRIDOR, GAME_OPEN_CORRIDOR);
    open_case(GAME_KEY_DOOR, GAME_OPEN_KEY_DOOR);
    open_case(GAME_PAIRS, GAME_OPEN_PAIRS);
    open_case(GAME_PONG_50, GAME_PONG);
    open_case(GAME_PONG_75, GAME_PONG);
}

static const check_test tests[] = {
    TEST(table_is_complete),
    TEST(best_scores_are_those_of_the_table),
    TEST(cue_is_not_carried_by_play),
    TEST(early_actions_change_nothing),
    TEST(reveal_shows_the_cue),
    TEST(enlarged_frames_are_exact),
    TEST(seeds_give_their_episodes),
    TEST(blink_follows_its_rules),
    TEST(corridor_follows_its_rules),
    TEST(catch_follows_its_rules),
    TEST(paddle_obeys_when_unlocked),
    TEST(key_door_follows_its_rules),
    TEST(pairs_follows_its_rules),
    TEST(pong_follows_its_rules),
    TEST(pong_ends_at_its_limit),
    TEST(open_games_show_what_is_hidden),
};
int main(int count, char **arguments) { return CHECK_MAIN(count, arguments, tests); }
