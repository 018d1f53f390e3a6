/* Hide and seek at 60 frames a second: eight seekers hunt the player and learn while he plays. Each
   seeker sees only what is in front of it. The agent computes its updates in a thread of its own
   (desc.background), so the game does not wait for them. Needs SDL2.

       cc -O2 examples/npc.c -o npc $(sdl2-config --cflags --libs) -lm -pthread && ./npc

   You see a house from above. You are the blue figure. The seekers are orange, and the yellow light
   is what they see. A seeker that sees you is red. Two rings show for 3 seconds where you were last
   seen. The round ends when a seeker touches you, or after 30 seconds. The agent is saved on exit
   and loaded at the next start (npc.rise).

       arrow keys  move the player              v, V   show the next seeker's frame; hide it
       0           the seekers learn            h      show how long the agent's calls take
       1 .. 5      a match without learning:    d      a script plays for you
                   5 is the most difficult      - =    fewer or more seekers
       t           teach: you are a seeker      Escape save and quit

   To teach, play the first seeker with the arrow keys, and catch the scripted player. You see him
   only while your seeker does. The agent learns from what you do, while you play. Your rounds are
   added to npc.txt, or to the file of --teach or --demonstrations. A new agent can learn from them
   before its first step:

       ./npc --teach rounds.txt                            play the seeker, and write rounds.txt
       ./npc --path new.rise --demonstrations rounds.txt   a new agent learns from it

   The seekers of a new agent walk at random. They learn sooner from a teacher than alone. A script
   can teach, too: add --demo to --teach, or --fast, which plays without a window, as fast as the
   machine can.

       ./npc --path none --teach rounds.txt --fast 15      the script plays for 15 minutes
       ./npc --path new.rise --demonstrations rounds.txt   a new agent learns from it, then play
       ./npc --fast 25                                     or: 25 minutes of training alone

   --fast prints the catches per minute. --match 15 measures them without learning, at levels 1 and
   5 only. Ctrl-C ends --fast and --match, and the agent is saved. ./npc --help lists all
   options.
*/
#include "terminal.h" /* first: defines _DEFAULT_SOURCE */

#include "demonstrations.h"

#define SDL_MAIN_HANDLED
#include <SDL.h>

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command_line.h"
#include "letters.h"
#include "npc_world.h"

#define RISE_THREADS /* for desc.background */
#define RISE_IMPLEMENTATION
#include "../rise.h"

/* ---------------------------------------------------------------------------------------------- */
/* Durations */

enum {
    SAMPLES = 65536, /* newest durations that are kept */
    BINS = 20,       /* of the histogram; each edge is sqrt(2) times the edge before */
    SPINS_TRIED = 20000, /* iterations of the empty loop, until crew.spins is known */
    SETTLING = 50        /* calls of the agent before crew.spins is set */
};

/* Durations of one kind of work, in microseconds. */
typedef struct durations {
    double values[SAMPLES]; /* a ring buffer */
    long count; /* all durations so far; only the newest SAMPLES are in `values` */
} durations;

typedef struct summary {
    double mean, median, most, worst; /* microseconds; 99% of the values are not above `most` */
} summary;

static double now_seconds(void)
{
    return (double)SDL_GetPerformanceCounter() / (double)SDL_GetPerformanceFrequency();
}
static int durations_held(const durations *d)
{
    return d->count < SAMPLES ? (int)d->count : SAMPLES;
}
static void durations_add(durations *d, double seconds)
{
    d->values[d->count++ % SAMPLES] = 1e6 * seconds;
}
static int compare_doubles(const void *a, const void *b)
{
    double const x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static summary durations_summary(const durations *d)
{
    static double sorted[SAMPLES];
    summary s = {0, 0, 0, 0};
    int const held = durations_held(d);
    int i;
    if (held == 0) return s;
    memcpy(sorted, d->values, (size_t)held * sizeof *sorted);
    qsort(sorted, (size_t)held, sizeof *sorted, compare_doubles);
    for (i = 0; i < held; i++) s.mean += sorted[i] / held;
    s.median = sorted[held / 2];
    s.most = sorted[(held * 99 + 99) / 100 - 1];
    s.worst = sorted[held - 1];
    return s;
}
/* Returns the lower edge of a bin in microseconds: 16, 23, 32, 45, 64 ... The first bin holds all
   shorter durations too, the last bin all longer ones. */
static double bin_edge(int bin)
{
    double const edge = (double)(16L << (bin / 2));
    return bin % 2 != 0 ? edge * 1.41421356 : edge;
}
static void durations_histogram(const durations *d, int *bins)
{
    int const held = durations_held(d);
    int i;
    memset(bins, 0, BINS * sizeof *bins);
    for (i = 0; i < held; i++) {
        int bin = BINS - 1;
        while (bin > 0 && d->values[i] < bin_edge(bin)) bin--;
        bins[bin]++;
    }
}
/* Runs a loop of additions that does nothing useful. The time of this loop shows how much other
   programs and the system delay any work of its length. */
static long spin(long rounds)
{
    volatile long sum = 0;
    long i;
    for (i = 0; i < rounds; i++) sum = sum + i;
    return sum;
}

/* ---------------------------------------------------------------------------------------------- */
/* The seekers: one agent with an environment for each of the eight, and one for a teacher */

enum {
    FRAME = 16,   /* a seeker's frame has FRAME x FRAME pixels */
    LEVELS = 5,   /* of difficulty; level 0 means that the seekers learn */
    TEACHER = SEEKERS, /* the environment of the teacher, a person or a script; the last one */
    ENVIRONMENTS = SEEKERS + 1,
    TAUGHT = 1000 /* calls of rise_agent_learn on demonstrations alone, before a new agent acts */
};

/* The discounted sum of sight_reward is below sight_reward / (1 - discount) = 0.5. A catch ends the
   episode, so the catch must pay more than watching the player for ever. */
static const float sight_reward = 0.01f, catch_reward = 1;

/* The reward of a seeker that does not see the player and whose last frame ended at a wall. Without
   this reward, such a seeker may stay at the wall. */
static const float blocked_reward = -0.01f;

/* The share of random actions at each level. */
static const double level_epsilon[LEVELS + 1] = {0, 0.7, 0.45, 0.25, 0.1, 0.02};

typedef struct crew {
    rise_agent *agent;
    world *w;
    int level;
    int teaching;            /* 1: a teacher plays seeker 0, and the agent learns */
    int near;                /* 1: a round begins with seekers near the player */
    int begun[ENVIRONMENTS]; /* 1: the environment has an episode in progress */
    uint8_t frames[ENVIRONMENTS][FRAME * FRAME];
    float rewards[ENVIRONMENTS];
    rise_event events[ENVIRONMENTS];
    int actions[ENVIRONMENTS];
    durations calls, empty; /* of the agent's calls; of the empty loop */
    long spins;             /* iterations of the empty loop; 0: not known yet */
    double fastest;         /* least seconds of SPINS_TRIED iterations so far */
} crew;

static rise_agent_desc crew_desc(void)
{
    rise_agent_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = FRAME;
    desc.actions = TURNS;
    desc.environments = ENVIRONMENTS;
    desc.demonstrators = 1;      /* the last environment is the teacher's */
    desc.players = SEEKERS;      /* seekers in a match */
    desc.background = 1;         /* a thread computes updates while the game goes on */
    desc.window = 32;            /* learns from windows of 3.1 seconds */
    desc.carry_state = 1;        /* an action costs the same for any window */
    desc.discount = 0.98;        /* looks about 5 seconds ahead */
    desc.n_step = 5;
    desc.epsilon_steps = 20000;
    desc.learn_period = 8; /* with 8 seekers: 10 updates a second */
    return desc;
}

/* Changes the description of a new agent that learns from demonstrations first. The teacher's
   environment has 1 / ENVIRONMENTS of the replay buffer, which has 50000 frames by default. */
static void crew_desc_taught(rise_agent_desc *desc, const demonstrations *d)
{
    double const frames = ((double)d->steps + d->count) * ENVIRONMENTS;
    desc->demonstration_weight = 0.3;
    desc->epsilon_start = 0.3; /* default 1: most actions would be random */
    desc->learn_start = d->steps > 100 ? (int)d->steps : 100;
    if (frames > 50000) desc->replay_capacity = (int)fmin(frames, 1e9); /* all demonstrations fit */
}

/* Draws the frame of a seeker. Each pixel is the mean of a square of its view. */
static void crew_draw(crew *c, int i, uint8_t *frame)
{
    static uint8_t view[VIEW * VIEW];
    rise_picture picture;
    world_view(c->w, i, view);
    memset(&picture, 0, sizeof picture);
    picture.pixels = view;
    picture.width = picture.height = VIEW;
    picture.stride = VIEW;
    picture.format = RISE_PIXELS_GREY;
    rise_frame_shrink(NULL, &picture, frame, FRAME, FRAME, 1, NULL);
}
/* Returns the reward for a seeker's last action. */
static float seeker_reward(const world *w, int i)
{
    const seeker *const s = &w->seekers[i];
    return w->caught == i ? catch_reward
           : s->sees      ? sight_reward
           : s->blocked   ? blocked_reward
                          : 0;
}
/* Fills in frame, reward and event of an environment, for a seeker. The episode of the seeker that
   touches the player is terminated. The other episodes are truncated, because only the round ends
   them. A seeker that takes no part is absent. Its episode goes on if the seeker comes back in
   the same round. */
static void crew_observe(crew *c, int i, int environment)
{
    int *const begun = &c->begun[environment];
    int const caught = c->w->caught == i, over = c->w->over;
    rise_event event = caught ? RISE_TERMINATED : over ? RISE_TRUNCATED : RISE_MIDDLE;
    crew_draw(c, i, c->frames[environment]);
    c->rewards[environment] = seeker_reward(c->w, i);
    if (c->w->seekers[i].absent || (over && !*begun))
        event = RISE_ABSENT;
    else if (!*begun)
        event = RISE_FIRST;
    if (event != RISE_ABSENT || over) *begun = !over;
    c->events[environment] = event;
}
/* Records the time of a call of the agent that began at `from`. Prints a message and returns 0 if
   the call failed. */
static int crew_called(crew *c, rise_result result, double from)
{
    durations_add(&c->calls, now_seconds() - from);
    if (result == RISE_OK) return 1;
    fprintf(stderr, "npc: %s\n", rise_agent_error(c->agent)->text);
    return 0;
}
/* Lets all seekers choose an action, in one call of the agent. Call this function every DECISION
   frames and when a round is over. Returns 0 if the agent fails. */
static int crew_decide(crew *c)
{
    double from;
    rise_result result;
    int i;
    for (i = 0; i < SEEKERS; i++) crew_observe(c, i, i);
    c->events[TEACHER] = RISE_ABSENT;
    from = now_seconds();
    result = c->level == 0 ? rise_agent_step_all(c->agent, c->frames[0], NULL, c->rewards,
                                                 c->events,
                                                 NULL, c->actions)
                           : rise_agent_play_all(c->agent, c->frames[0], NULL, c->rewards,
                                                 c->events,
                                                 NULL, c->actions);
    if (!crew_called(c, result, from)) return 0;
    for (i = 0; i < SEEKERS && !c->w->over; i++)
        if (!c->w->seekers[i].absent) world_turn(c->w, i, c->actions[i]);
    return 1;
}
/* Begins a round. All episodes begin anew. With `near`, the seekers start near the player, so that
   they see him often. */
static void crew_round(crew *c)
{
    memset(c->begun, 0, sizeof c->begun);
    world_round(c->w, c->near ? NEAREST : 100, c->near ? FARTHEST : 1000);
}
/* Chooses a match of this level, or learning for 0. Ends teaching, and begins a round. */
static void crew_set_level(crew *c, int level)
{
    int i;
    c->level = level;
    c->teaching = 0;
    for (i = 0; i < SEEKERS; i++)
        rise_agent_set_player(c->agent, i, level_epsilon[level], 0);
    crew_round(c);
}

/* -- A teacher -- */

/* Begins the lesson with the number `start`, which determines all starting places. */
static void crew_lesson(crew *c, int start)
{
    memset(c->begun, 0, sizeof c->begun);
    world_lesson(c->w, start);
}
/* Shows the agent what seeker 0 sees and the action that the teacher chose. The seekers of the
   agent are absent. Call this function where crew_decide is called in other rounds. Returns 0 if
   the agent fails. */
static int crew_show(crew *c, int action)
{
    double from;
    int i;
    for (i = 0; i < SEEKERS; i++) c->events[i] = RISE_ABSENT;
    crew_observe(c, 0, TEACHER);
    c->actions[TEACHER] = action;
    from = now_seconds();
    return crew_called(c,
                       rise_agent_observe(c->agent, c->frames[0], NULL, c->rewards, c->events,
                                          NULL, c->actions),
                       from);
}
/* Shows all recorded lessons to a new agent, which then learns from them. Returns 0 if the agent
   fails. */
static int crew_be_taught(crew *c, const demonstrations *d)
{
    static world lesson; /* too large for the stack */
    world *const house = c->w;
    int i, k, good = 1;
    c->w = &lesson;
    for (i = 0; i < d->count && good; i++) {
        const demonstration *const e = &d->episodes[i];
        crew_lesson(c, e->start);
        for (k = 0; k < e->steps && good; k++) {
            int const action = d->actions[e->first + (size_t)k];
            good = crew_show(c, action);
            world_lesson_step(&lesson, action);
        }
        good = good && crew_show(c, TURN_NONE); /* the last frame */
    }
    c->w = house;
    for (i = 0; i < TAUGHT && good; i++)
        good = crew_called(c, rise_agent_learn(c->agent), now_seconds());
    c->calls.count = 0; /* only calls during the game are counted */
    return good;
}

/* The rules for demonstrations.h. */
static void lesson_begin(void *state, int start) { world_lesson((world *)state, start); }
static int lesson_step(void *state, int action, double *score)
{
    world *const w = (world *)state;
    world_lesson_step(w, action);
    *score += (double)seeker_reward(w, 0);
    return w->over;
}
static const demonstrations_game lesson_game = {
    "hide-and-seek", ROUND_FRAMES / DECISION, INT32_MAX, TURNS, lesson_begin, lesson_step, ""};

/* ---------------------------------------------------------------------------------------------- */
/* The picture: 320 x 240 pixels of 0xRRGGBB */

enum { WIDTH = WORLD_WIDTH, HEIGHT = WORLD_HEIGHT + 16, TEXT_MOST = 80 };

enum {
    INK_FLOOR = 0x252B38,
    INK_TILE = 0x282F3D, /* every other tile of the floor */
    INK_LIGHT = 0xC8A24A,
    INK_WALL = 0x5B6A86,
    INK_WALL_TOP = 0x7686A4,
    INK_WALL_FOOT = 0x3B465C,
    INK_PLAYER = 0x4FC3F7,
    INK_SEEKER = 0xF0883E,
    INK_ALERT = 0xF2504B,
    INK_BAR = 0x161A22,
    INK_TEXT = 0xE6EAF2,
    INK_FAINT = 0x8D97AB
};

typedef struct canvas {
    uint32_t pixels[HEIGHT][WIDTH];
    uint8_t light[WORLD_HEIGHT][WORLD_WIDTH]; /* number of seekers that see this pixel */
} canvas;

static void canvas_dot(canvas *c, int x, int y, uint32_t ink)
{
    if (x >= 0 && y >= 0 && x < WIDTH && y < HEIGHT) c->pixels[y][x] = ink;
}
static void canvas_box(canvas *c, int left, int top, int width, int height, uint32_t ink)
{
    int x, y;
    for (y = top; y < top + height; y++)
        for (x = left; x < left + width; x++) canvas_dot(c, x, y, ink);
}
/* Returns `from` moved towards `to` by share / 256. */
static uint32_t ink_mix(uint32_t from, uint32_t to, uint32_t share)
{
    uint32_t mixed = 0;
    int shift;
    for (shift = 0; shift <= 16; shift += 8) {
        uint32_t const a = from >> shift & 255, b = to >> shift & 255;
        mixed |= ((a * (256 - share) + b * share) >> 8 & 255) << shift;
    }
    return mixed;
}
static void canvas_shade(canvas *c, int left, int top, int width, int height, uint32_t ink,
                         uint32_t share)
{
    int x, y;
    for (y = top; y < top + height; y++)
        for (x = left; x < left + width; x++)
            canvas_dot(c, x, y, ink_mix(c->pixels[y][x], ink, share));
}
static void canvas_disc(canvas *c, int cx, int cy, int radius, uint32_t ink)
{
    int x, y;
    for (y = -radius; y <= radius; y++)
        for (x = -radius; x <= radius; x++)
            if (x * x + y * y <= radius * radius + radius / 2) canvas_dot(c, cx + x, cy + y, ink);
}
static void canvas_ring(canvas *c, int cx, int cy, int radius, uint32_t ink, uint32_t share)
{
    int x, y;
    for (y = -radius; y <= radius; y++)
        for (x = -radius; x <= radius; x++) {
            int const d = x * x + y * y, px = cx + x, py = cy + y;
            if (d > radius * radius + radius / 2 || d <= (radius - 1) * (radius - 1)) continue;
            if (px >= 0 && py >= 0 && px < WIDTH && py < HEIGHT)
                c->pixels[py][px] = ink_mix(c->pixels[py][px], ink, share);
        }
}
static void canvas_text(canvas *c, int left, int top, uint32_t ink, const char *text)
{
    int x, y;
    for (; *text != '\0'; text++, left += LETTERS_WIDTH) {
        const uint8_t *const rows = letters_rows(*text);
        for (y = 0; y < LETTERS_HEIGHT; y++)
            for (x = 0; x < 5; x++)
                if (rows[y] >> (4 - x) & 1) canvas_dot(c, left + x, top + y, ink);
    }
}
static int text_width(const char *text) { return LETTERS_WIDTH * (int)strlen(text) - 1; }

/* -- The house -- */

static void draw_light(canvas *c, const world *w)
{
    int i, row, column, k;
    memset(c->light, 0, sizeof c->light);
    for (i = 0; i < SEEKERS; i++) {
        const seeker *s = &w->seekers[i];
        for (row = 0; row < VIEW; row++)
            for (column = 0; column < VIEW; column++) {
                body const at = seeker_point(s, row, column);
                if (!s->lit[row][column]) continue;
                for (k = 0; k < VIEW_STEP * VIEW_STEP; k++)
                    c->light[at.y + k / VIEW_STEP][at.x + k % VIEW_STEP]++;
            }
    }
}
static void draw_house(canvas *c, const world *w)
{
    int x, y;
    draw_light(c, w);
    for (y = 0; y < WORLD_HEIGHT; y++)
        for (x = 0; x < WORLD_WIDTH; x++) {
            uint32_t const light = c->light[y][x];
            uint32_t ink = (x / TILE + y / TILE) % 2 != 0 ? INK_FLOOR : INK_TILE;
            if (light > 0) ink = ink_mix(ink, INK_LIGHT, light == 1 ? 70 : light == 2 ? 105 : 130);
            if (world_is_wall(x, y)) {
                ink = INK_WALL;
                if (!world_is_wall(x, y - 1)) ink = INK_WALL_TOP;
                if (!world_is_wall(x, y + 3)) ink = INK_WALL_FOOT;
            } else if (world_is_wall(x, y - 2))
                ink = ink_mix(ink, 0, 90); /* the shadow of a wall */
            c->pixels[y][x] = ink;
        }
}
/* Draws a body with two eyes that look along (dx, dy). */
static void draw_body(canvas *c, const body *b, int dx, int dy, uint32_t ink)
{
    int const x = b->x / UNIT, y = b->y / UNIT;
    int side;
    canvas_disc(c, x, y, 6, ink_mix(ink, 0, 150));
    canvas_disc(c, x, y, 5, ink);
    for (side = -2; side <= 2; side += 4) {
        int const ex = x + dx * 2 + (dy != 0 ? side : 0), ey = y + dy * 2 + (dy == 0 ? side : 0);
        canvas_box(c, ex - 1, ey - 1, 3, 3, 0xFFFFFF);
        canvas_box(c, ex - (dx <= 0), ey - (dy <= 0), 2, 2, 0x1B2230);
    }
}
/* `teaching`: the person plays seeker 0 and sees the player only while the seeker does. */
static void draw_world(canvas *c, const world *w, int teaching)
{
    int i;
    draw_house(c, w);
    if (w->since_seen > 0 && w->since_seen < 180)
        for (i = 0; i < 2; i++)
            canvas_ring(c, w->last_seen.x / UNIT, w->last_seen.y / UNIT,
                        5 + 4 * i + w->since_seen / 8 % 4, INK_PLAYER,
                        (uint32_t)(200 - w->since_seen));
    if (!teaching || w->seekers[0].sees)
        draw_body(c, &w->player, w->player_x, w->player_x != 0 ? 0 : w->player_y, INK_PLAYER);
    if (teaching)
        canvas_ring(c, w->seekers[0].at.x / UNIT, w->seekers[0].at.y / UNIT, 9, 0xFFFFFF, 256);
    for (i = 0; i < SEEKERS; i++) {
        const seeker *s = &w->seekers[i];
        if (!s->absent)
            draw_body(c, &s->at, facing_x[s->facing], facing_y[s->facing],
                      s->sees ? INK_ALERT : INK_SEEKER);
    }
}

/* -- Panels -- */

static void draw_panel(canvas *c, int left, int top, int width, int height)
{
    canvas_shade(c, left, top, width, height, INK_BAR, 225);
    canvas_box(c, left, top, width, 1, INK_FAINT);
    canvas_box(c, left, top + height - 1, width, 1, INK_FAINT);
    canvas_box(c, left, top, 1, height, INK_FAINT);
    canvas_box(c, left + width - 1, top, 1, height, INK_FAINT);
}
/* Draws the frame of one seeker, each pixel as a square, on the side where the person's figure is
   not. */
static void draw_view(canvas *c, const crew *of, int number)
{
    enum { BLOCK = 6, SIDE = FRAME * BLOCK };
    const seeker *s = &of->w->seekers[number];
    const uint8_t *const frame = of->frames[of->teaching && number == 0 ? TEACHER : number];
    const body *const person = of->teaching ? &of->w->seekers[0].at : &of->w->player;
    int const left = person->x / UNIT > WIDTH / 2 ? 6 : WIDTH - SIDE - 14, top = 6;
    char text[TEXT_MOST];
    int x, y;
    canvas_ring(c, s->at.x / UNIT, s->at.y / UNIT, 9, 0xFFFFFF, 256);
    draw_panel(c, left, top, SIDE + 8, SIDE + 18);
    snprintf(text, sizeof text, "seeker %d sees", number + 1);
    canvas_text(c, left + 5, top + 4, INK_TEXT, text);
    for (y = 0; y < FRAME; y++)
        for (x = 0; x < FRAME; x++)
            canvas_box(c, left + 4 + x * BLOCK, top + 14 + y * BLOCK, BLOCK, BLOCK,
                       0x010101u * frame[y * FRAME + x]);
}
static void draw_summary(canvas *c, int left, int top, uint32_t ink, const char *name,
                         const durations *d)
{
    summary const s = durations_summary(d);
    char text[TEXT_MOST];
    canvas_box(c, left, top + 1, 5, 5, ink);
    snprintf(text, sizeof text, "%s %6.2f %6.2f %6.2f", name, s.mean / 1000, s.most / 1000,
             s.worst / 1000);
    canvas_text(c, left + 9, top, INK_TEXT, text);
}
/* Draws the histogram of the agent's call and of the empty loop. The heights are logarithmic, so
   that a single long call is visible. */
static void draw_histogram(canvas *c, const crew *of)
{
    enum { LEFT = 40, TOP = 92, WIDE = 240, TALL = 124, BAR = 11, BASE = TOP + 78 };
    const durations *const kinds[2] = {&of->calls, &of->empty};
    static const uint32_t inks[2] = {INK_SEEKER, INK_PLAYER};
    int bins[BINS], kind, i;
    draw_panel(c, LEFT, TOP, WIDE, TALL);
    canvas_text(c, LEFT + 8, TOP + 5, INK_TEXT, "how long calls take");
    for (kind = 0; kind < 2; kind++) {
        durations_histogram(kinds[kind], bins);
        for (i = 0; i < BINS; i++) {
            int height = 0, rest;
            for (rest = bins[i]; rest > 0; rest /= 2) height += 4;
            if (height > 60) height = 60;
            canvas_box(c, LEFT + 10 + i * BAR + kind * 5, BASE - height, 4, height, inks[kind]);
        }
    }
    canvas_box(c, LEFT + 8, BASE, BINS * BAR + 2, 1, INK_FAINT);
    for (i = 0; i < BINS; i += 4) {
        char text[TEXT_MOST];
        snprintf(text, sizeof text, "%.3g", bin_edge(i) / 1000);
        canvas_text(c, LEFT + 10 + i * BAR, BASE + 3, INK_FAINT, text);
    }
    canvas_text(c, LEFT + WIDE - 18, BASE + 3, INK_FAINT, "ms");
    canvas_text(c, LEFT + 88, BASE + 13, INK_FAINT, "mean    p99        worst");
    draw_summary(c, LEFT + 8, BASE + 23, inks[0], "agent      ", kinds[0]);
    draw_summary(c, LEFT + 8, BASE + 33, inks[1], "empty loop ", kinds[1]);
}

/* ---------------------------------------------------------------------------------------------- */
/* The game */

typedef struct options {
    rise_memory memory;
    const char *path; /* of the saved agent; NULL: none is loaded or saved */
    const char *teach, *demonstrations; /* files of demonstrations.h; NULL: not given */
    const char *screenshot;
    int demo, view, histogram, level, seekers, scale, seed;
    long frames;        /* ends after this many; 0: never */
    double fast, match; /* minutes of training and of the match after it */
} options;

typedef struct game {
    options options;
    crew crew;
    world world;
    canvas canvas;
    int demo;      /* 1: the scripted player plays */
    int seekers;   /* that take part */
    int view;      /* the seeker whose frame is shown; -1: none */
    int histogram; /* 1: shown */
    int pause;     /* frames until the next round */
    int rounds, catches;
    int best; /* frames of the longest round */
    int arrow; /* direction of the arrow key that was pressed last: see facing_x */
    demonstrations shown;
    uint8_t lesson[ROUND_FRAMES / DECISION]; /* actions of the lesson in progress */
    int lesson_steps;
    double lesson_score; /* the sum of its rewards */
    hunt hunt; /* the scripted seeker */
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
} game;

/* Lets the first `count` seekers take part; the others are absent. Does nothing unless `count` is
   1..SEEKERS. */
static void game_set_seekers(game *g, int count)
{
    int i;
    if (count < 1 || count > SEEKERS) return;
    g->seekers = count;
    for (i = 0; i < SEEKERS; i++) {
        seeker *const s = &g->world.seekers[i];
        s->absent = i >= count;
        seeker_look(s, &g->world.player);
    }
}

/* -- Teaching -- */

static const char *game_lessons_path(const game *g)
{
    const options *const o = &g->options;
    return o->teach != NULL ? o->teach : o->demonstrations != NULL ? o->demonstrations : "npc.txt";
}
/* Reads the file of demonstrations. It need not exist if `may_be_new`. Prints a message and returns
   0 if the file cannot be read. */
static int game_read_lessons(game *g, int may_be_new)
{
    static world lesson; /* too large for the stack */
    demonstrations_free(&g->shown);
    demonstrations_init(&g->shown, &lesson_game);
    if (demonstrations_read(&g->shown, game_lessons_path(g), &lesson)) return 1;
    if (g->shown.missing && may_be_new) return 1;
    fprintf(stderr, "npc: %s\n", g->shown.why);
    demonstrations_free(&g->shown); /* else the next lesson would replace a file half read */
    return 0;
}
static void game_begin_lesson(game *g)
{
    crew_lesson(&g->crew, g->shown.count); /* each lesson of a file has another start */
    g->lesson_steps = 0;
    g->lesson_score = 0;
    g->arrow = g->world.seekers[0].facing;
    g->hunt.goal = -1;
    g->hunt.random = (uint32_t)g->shown.count;
}
/* Begins or ends teaching. New lessons are added to those of the file. If the file cannot be read,
   prints a message, and a round begins without teaching. */
static void game_set_teaching(game *g, int teaching)
{
    crew_set_level(&g->crew, g->crew.level);
    if (teaching && (g->shown.count > 0 || game_read_lessons(g, 1))) {
        g->crew.teaching = 1;
        game_begin_lesson(g);
    } else
        game_set_seekers(g, g->seekers);
}
/* Adds the finished lesson to the file. Returns 0 on failure. */
static int game_keep_lesson(game *g)
{
    demonstrations *const d = &g->shown;
    if (demonstrations_add(d, d->count, g->lesson, g->lesson_steps, g->lesson_score) &&
        demonstrations_write(d, game_lessons_path(g)))
        return 1;
    fprintf(stderr, "npc: %s\n", d->why);
    return 0;
}
/* Moves seeker 0 as the teacher wants, and the scripted player, by one frame. Returns 0 if the
   agent or the file fails. */
static int game_teach(game *g)
{
    world *const w = &g->world;
    if (w->over) game_begin_lesson(g);
    if (w->frame % DECISION == 0) {
        int action;
        if (w->frame > 0) g->lesson_score += (double)seeker_reward(w, 0);
        if (g->demo) g->arrow = hunt_facing(&g->hunt, w);
        action = seeker_turn_to(&w->seekers[0], g->arrow);
        if (!crew_show(&g->crew, action)) return 0;
        g->lesson[g->lesson_steps++] = (uint8_t)action;
        world_turn(w, 0, action);
    }
    world_lesson_tick(w);
    if (!w->over) return 1;
    g->rounds++;
    g->catches += w->caught >= 0;
    g->lesson_score += (double)seeker_reward(w, 0);
    return crew_show(&g->crew, TURN_NONE) && game_keep_lesson(g);
}

/* Moves everybody by one frame. Returns 0 if the agent or, in lessons, the file fails. */
static int game_tick(game *g, int dx, int dy)
{
    world *const w = &g->world;
    if (g->crew.teaching) return game_teach(g);
    g->crew.near = g->demo;
    if (w->over) crew_round(&g->crew);
    if (w->frame % DECISION == 0 && !crew_decide(&g->crew)) return 0;
    if (g->demo) script_move(w, &dx, &dy);
    world_tick(w, dx, dy, g->demo ? SCRIPT_SPEED : PLAYER_SPEED);
    if (!w->over) return 1;
    g->rounds++;
    g->catches += w->caught >= 0;
    if (w->frame > g->best) g->best = w->frame;
    return crew_decide(&g->crew); /* the last frame of the round */
}

/* -- With a window -- */

static void game_draw_bar(game *g)
{
    const world *const w = &g->world;
    char text[TEXT_MOST];
    int i, eyes = 0, top = WORLD_HEIGHT + 4;
    for (i = 0; i < SEEKERS; i++) eyes += w->seekers[i].sees;
    canvas_box(&g->canvas, 0, WORLD_HEIGHT, WIDTH, HEIGHT - WORLD_HEIGHT, INK_BAR);
    snprintf(text, sizeof text, "%d.%d s", w->frame / 60, w->frame / 6 % 10);
    canvas_text(&g->canvas, 6, top, INK_TEXT, text);
    snprintf(text, sizeof text, "best %d.%d s", g->best / 60, g->best / 6 % 10);
    canvas_text(&g->canvas, 58, top, INK_FAINT, text);
    if (g->crew.teaching) {
        canvas_text(&g->canvas, 144, top, eyes > 0 ? INK_ALERT : INK_PLAYER,
                    eyes > 0 ? "you see him" : "find him");
    } else if (eyes > 0) {
        snprintf(text, sizeof text, eyes == 1 ? "%d sees you" : "%d see you", eyes);
        canvas_text(&g->canvas, 144, top, INK_ALERT, text);
    } else
        canvas_text(&g->canvas, 144, top, INK_PLAYER, "hidden");
    if (g->crew.teaching)
        snprintf(text, sizeof text, "rounds shown: %d", g->shown.count);
    else if (g->crew.level == 0)
        snprintf(text, sizeof text, "they learn");
    else
        snprintf(text, sizeof text, "level %d of %d", g->crew.level, LEVELS);
    canvas_text(&g->canvas, WIDTH - 6 - text_width(text), top, INK_TEXT, text);
}
static void game_draw(game *g)
{
    canvas *const c = &g->canvas;
    draw_world(c, &g->world, g->crew.teaching);
    game_draw_bar(g);
    if (g->view >= 0) draw_view(c, &g->crew, g->view);
    if (g->histogram) draw_histogram(c, &g->crew);
    if (g->world.over && !g->histogram) {
        const char *const text = g->world.caught >= 0 ? "caught"
                                 : g->crew.teaching   ? "he stayed hidden"
                                                      : "you stayed hidden";
        int const width = text_width(text) + 20;
        draw_panel(c, (WIDTH - width) / 2, 100, width, 20);
        canvas_text(c, (WIDTH - width) / 2 + 10, 106,
                    g->world.caught >= 0 ? INK_ALERT : INK_PLAYER, text);
    }
}
static void game_show(game *g)
{
    SDL_UpdateTexture(g->texture, NULL, g->canvas.pixels, WIDTH * 4);
    SDL_RenderClear(g->renderer);
    SDL_RenderCopy(g->renderer, g->texture, NULL, NULL);
    SDL_RenderPresent(g->renderer);
}
/* Writes the picture to a BMP file, each pixel as a square of scale x scale. Returns 0 on
   failure. */
static int game_save_picture(const game *g, const char *path, int scale)
{
    SDL_Surface *const s = SDL_CreateRGBSurfaceWithFormat(0, WIDTH * scale, HEIGHT * scale, 32,
                                                          SDL_PIXELFORMAT_RGB888);
    int x, y, good;
    if (s == NULL) return 0;
    for (y = 0; y < s->h; y++)
        for (x = 0; x < s->w; x++)
            ((uint32_t *)((uint8_t *)s->pixels + y * s->pitch))[x] =
                g->canvas.pixels[y / scale][x / scale];
    good = SDL_SaveBMP(s, path) == 0;
    SDL_FreeSurface(s);
    return good;
}
static int game_open(game *g)
{
    int const scale = g->options.scale;
    SDL_SetMainReady();
    if (SDL_Init(SDL_INIT_VIDEO) != 0) return 0;
    g->window = SDL_CreateWindow("rise.h: hide and seek", SDL_WINDOWPOS_CENTERED,
                                 SDL_WINDOWPOS_CENTERED, WIDTH * scale, HEIGHT * scale,
                                 SDL_WINDOW_RESIZABLE);
    if (g->window == NULL) return 0;
    g->renderer = SDL_CreateRenderer(g->window, -1, SDL_RENDERER_PRESENTVSYNC);
    if (g->renderer == NULL) g->renderer = SDL_CreateRenderer(g->window, -1, 0);
    if (g->renderer == NULL) return 0;
    SDL_RenderSetLogicalSize(g->renderer, WIDTH, HEIGHT);
    g->texture = SDL_CreateTexture(g->renderer, SDL_PIXELFORMAT_RGB888,
                                   SDL_TEXTUREACCESS_STREAMING, WIDTH, HEIGHT);
    return g->texture != NULL;
}
/* Returns 0 if the player quits. */
static int game_press(game *g, SDL_Keycode key, int shift)
{
    if (key == SDLK_ESCAPE) return 0;
    /* these keys begin a round, so they end the pause after the last one */
    if ((key >= SDLK_0 && key <= SDLK_0 + LEVELS) || key == SDLK_t) g->pause = 0;
    if (key >= SDLK_0 && key <= SDLK_0 + LEVELS) {
        crew_set_level(&g->crew, key - SDLK_0);
        game_set_seekers(g, g->seekers);
    }
    if (key == SDLK_t) game_set_teaching(g, !g->crew.teaching);
    if (key == SDLK_RIGHT) g->arrow = 0;
    if (key == SDLK_DOWN) g->arrow = 1;
    if (key == SDLK_LEFT) g->arrow = 2;
    if (key == SDLK_UP) g->arrow = 3;
    if (key == SDLK_v) g->view = shift ? -1 : (g->view + 1) % SEEKERS;
    if (key == SDLK_h) g->histogram = !g->histogram;
    if (key == SDLK_d) g->demo = !g->demo;
    if (g->crew.teaching) return 1; /* seeker 0 is alone */
    if (key == SDLK_MINUS || key == SDLK_KP_MINUS) game_set_seekers(g, g->seekers - 1);
    if (key == SDLK_EQUALS || key == SDLK_PLUS || key == SDLK_KP_PLUS)
        game_set_seekers(g, g->seekers + 1);
    return 1;
}
/* Handles all events. Returns 0 if the player quits. */
static int game_listen(game *g)
{
    SDL_Event event;
    while (SDL_PollEvent(&event)) {
        if (event.type == SDL_QUIT) return 0;
        if (event.type == SDL_KEYDOWN && !event.key.repeat &&
            !game_press(g, event.key.keysym.sym, (event.key.keysym.mod & KMOD_SHIFT) != 0))
            return 0;
    }
    return 1;
}
/* Measures the time of the empty loop. The first calls choose the loop's length, so that the loop
   takes as long as the median call of the agent. */
static void game_measure(game *g)
{
    crew *const c = &g->crew;
    long const rounds = c->spins > 0 ? c->spins : SPINS_TRIED;
    double const from = now_seconds();
    double seconds;
    (void)spin(rounds);
    seconds = now_seconds() - from;
    if (c->spins > 0) {
        durations_add(&c->empty, seconds);
        return;
    }
    if (seconds > 0 && (c->fastest <= 0 || seconds < c->fastest)) c->fastest = seconds;
    if (c->calls.count >= SETTLING && c->fastest > 0)
        c->spins =
            1 + (long)(SPINS_TRIED * 1e-6 * durations_summary(&c->calls).median / c->fastest);
}
/* Runs the game until the player quits, or for options.frames pictures, pauses between rounds
   included. Returns 0 if the agent or, in lessons, the file fails. */
static int game_run(game *g)
{
    double next = now_seconds();
    long frame;
    for (frame = 1; game_listen(g); frame++) {
        const uint8_t *const keys = SDL_GetKeyboardState(NULL);
        int const dx = keys[SDL_SCANCODE_RIGHT] - keys[SDL_SCANCODE_LEFT];
        int const dy = keys[SDL_SCANCODE_DOWN] - keys[SDL_SCANCODE_UP];
        double wait;
        if (g->pause > 0)
            g->pause--;
        else if (!game_tick(g, dx, dy))
            return 0;
        else if (g->world.over)
            g->pause = 60;
        if (frame % DECISION == DECISION / 2) game_measure(g);
        game_draw(g);
        game_show(g);
        if (frame == g->options.frames) return 1;
        next += 1.0 / 60;
        wait = next - now_seconds();
        if (wait > 0)
            SDL_Delay((uint32_t)(wait * 1000));
        else if (wait < -0.1)
            next = now_seconds(); /* the machine was too slow: do not catch up */
    }
    return 1;
}

/* -- Without a window -- */

/* Plays `minutes` of the game with the scripted player, as fast as the machine can. Prints a line
   for every `every` minutes, and one for the rest. Returns 0 if the agent fails. */
static int game_fast(game *g, double minutes, double every, double begin)
{
    long const frames = (long)(minutes * 3600), block = (long)(every * 3600);
    long frame, printed = 0, seen = 0;
    int i;
    g->rounds = g->catches = 0;
    g->world.losses = g->world.finds = 0;
    for (frame = 1; frame <= frames && !terminal_interrupted; frame++) {
        if (!game_tick(g, 0, 0)) return 0;
        for (i = 0; i < SEEKERS; i++) seen += g->world.seekers[i].sees;
        if (frame % block == 0 || frame == frames || terminal_interrupted) {
            double const since = (double)(frame - printed); /* frames since the last line */
            rise_metrics m;
            rise_agent_metrics(g->crew.agent, &m);
            if (g->crew.level == 0)
                printf("minute %4.1f  learning", (double)frame / 3600);
            else
                printf("minute %4.1f  level %d ", (double)frame / 3600, g->crew.level);
            printf("  %5.2f catches a minute  seekers see the player %4.1f%% of the time  found "
                   "again in %4.1f%% of %4ld losses  %ld steps  %ld updates  %.0f s\n",
                   3600 * g->catches / since, 100.0 * (double)seen / (since * g->seekers),
                   100.0 * (double)g->world.finds / fmax(1, (double)g->world.losses),
                   g->world.losses, (long)m.steps, (long)m.updates, now_seconds() - begin);
            fflush(stdout);
            g->rounds = g->catches = 0;
            g->world.losses = g->world.finds = 0;
            seen = 0;
            printed = frame;
        }
    }
    return 1;
}
/* Lets the scripted seeker teach for `minutes` of the game. Returns 0 if the agent or the file
   fails. */
static int game_record(game *g, double minutes)
{
    long const frames = (long)(minutes * 3600);
    long frame;
    g->rounds = g->catches = 0;
    for (frame = 0; frame < frames && !terminal_interrupted; frame++)
        if (!game_tick(g, 0, 0)) return 0;
    printf("%d rounds shown, %d catches; ", g->rounds, g->catches);
    if (g->shown.count > 0)
        printf("%s holds %d rounds, mean score %.2f\n", game_lessons_path(g), g->shown.count,
               g->shown.score);
    else
        printf("no round ended, so %s is not written\n", game_lessons_path(g));
    return 1;
}
/* With --teach, lets the script teach. Otherwise, plays options.fast minutes, with learning if
   options.level is 0. Then plays options.match minutes at level 1 and as many at level 5. Returns 0
   on failure. */
static int game_train(game *g)
{
    const options *const o = &g->options;
    double const begin = now_seconds();
    int level;
    terminal_catch_signals(); /* with a window, SDL reports Ctrl-C as the end of the game */
    g->demo = 1;
    if (g->crew.teaching) return game_record(g, o->fast);
    if (o->fast > 0 && !game_fast(g, o->fast, 5, begin)) return 0;
    for (level = 1; o->match > 0 && level <= LEVELS && !terminal_interrupted; level += LEVELS - 1) {
        crew_set_level(&g->crew, level);
        if (!game_fast(g, o->match, o->match, begin)) return 0;
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* The program */

/* Returns whether there is such a file. Also returns 1 for a file that exists and cannot be opened:
   loading it then fails with the reason, so the game ends and does not replace the file. */
static int path_exists(const char *path)
{
    FILE *const file = fopen(path, "rb");
    if (file == NULL) return errno != ENOENT && errno != ENOTDIR;
    fclose(file);
    return 1;
}
/* Lets a new agent learn from the file of demonstrations, if there is one. For an agent that was
   loaded, prints a sentence instead: such an agent does not learn from the file. Returns 0 on
   failure. */
static int game_be_taught(game *g, int loaded)
{
    if (g->shown.count == 0) return 1;
    if (loaded) {
        printf("The agent of %s exists already, so it does not learn from the %d rounds in %s. "
               "For a new agent, name a new file with --path.\n",
               g->options.path, g->shown.count, game_lessons_path(g));
        return 1;
    }
    printf("The agent learns from %d rounds first: %.0f steps, mean score %.2f.\n", g->shown.count,
           (double)g->shown.steps, g->shown.score);
    fflush(stdout);
    return crew_be_taught(&g->crew, &g->shown);
}
/* Loads the agent, or makes a new one and teaches it the demonstrations. Begins a round or, with
   --teach, a lesson. Prints a message and returns 0 on failure. */
static int game_begin(game *g)
{
    const options *const o = &g->options;
    rise_agent_desc desc = crew_desc();
    rise_error error;
    rise_result result;
    int const loaded = o->path != NULL && path_exists(o->path);
    if ((o->teach != NULL || o->demonstrations != NULL) && !game_read_lessons(g, o->teach != NULL))
        return 0;
    if (g->shown.count > 0) crew_desc_taught(&desc, &g->shown);
    desc.memory = o->memory;
    desc.seed = (uint64_t)o->seed;
    if (loaded) {
        desc.memory = RISE_MEMORY_RISE; /* 0: as in the file */
        result = rise_agent_load(&g->crew.agent, o->path, &desc, &error);
    } else
        result = rise_agent_create(&g->crew.agent, &desc, &error);
    if (result != RISE_OK) {
        fprintf(stderr, "npc: %s\n", error.text);
        return 0;
    }
    world_begin(&g->world, (uint32_t)o->seed);
    g->crew.w = &g->world;
    g->view = o->view;
    g->demo = o->demo;
    g->histogram = o->histogram;
    crew_set_level(&g->crew, o->level);
    game_set_seekers(g, o->seekers);
    if (!game_be_taught(g, loaded)) return 0;
    if (o->teach != NULL) game_set_teaching(g, 1);
    return 1;
}
static void print_durations(const char *name, const durations *d)
{
    summary const s = durations_summary(d);
    int bins[BINS], i;
    printf("%s: worst %.3f ms, 99%% below %.3f ms, mean %.3f ms, %ld calls\n", name, s.worst / 1000,
           s.most / 1000, s.mean / 1000, d->count);
    durations_histogram(d, bins);
    for (i = 0; i < BINS; i++)
        if (bins[i] > 0)
            printf("  from %8.3f ms %7d\n", i == 0 ? 0.0 : bin_edge(i) / 1000, bins[i]);
}
static void game_report(const game *g)
{
    rise_metrics m;
    rise_agent_metrics(g->crew.agent, &m);
    print_durations("agent", &g->crew.calls);
    if (g->crew.empty.count > 0) print_durations("empty loop", &g->crew.empty);
    printf("%ld steps, %ld updates; calls have waited %.3f s for updates\n", (long)m.steps,
           (long)m.updates, m.waited);
}
/* Saves the agent. Returns 0 on failure. */
static int game_save(const game *g)
{
    rise_error error;
    if (g->options.path == NULL) return 1;
    if (rise_agent_save(g->crew.agent, RISE_SAVE_ALL, g->options.path, &error) == RISE_OK) return 1;
    fprintf(stderr, "npc: %s\n", error.text);
    return 0;
}
static const char *const usage =
    "npc [options]: hide and seek; the first comment of npc.c lists the keys.\n"
    "  --path FILE        the saved agent; none: neither loads nor saves [npc.rise]\n"
    "  --memory KIND      of a new agent: rise, none or full [rise]\n"
    "  --level L          0: the seekers learn; 1 to 5: a match without learning [0]\n"
    "  --seekers N        in the game, 1 to 8; the others are absent [8]\n"
    "  --demo             a script plays for you\n"
    "  --teach FILE       you are a seeker, and your rounds are added to FILE. A new agent\n"
    "                     learns first from the rounds that FILE has\n"
    "  --demonstrations FILE\n"
    "                     a new agent learns first from the rounds of FILE\n"
    "  --view N           shows the frame of seeker N, 1 to 8\n"
    "  --histogram        shows how long the agent's calls take\n"
    "  --scale N          window pixels for each pixel, 1 to 8 [3]\n"
    "  --frames N         with a window: ends after N frames\n"
    "  --screenshot FILE  saves the last picture as a BMP file\n"
    "  --fast MINUTES     plays MINUTES of the game without a window, and learns at --level 0;\n"
    "                     with --teach, a script teaches\n"
    "  --match MINUTES    no window: plays level 1 and then level 5, MINUTES each, without\n"
    "                     learning; with --fast, after the training\n"
    "  --seed N           of the game and of a new agent [1]\n";

static const command_option table[] = {
    {"--path", COMMAND_STRING, COMMAND_ONCE, "npc.rise", 0, 0, ""},
    {"--memory", COMMAND_CHOICE, COMMAND_ONCE, "rise", 0, 0, "rise|none|full"},
    {"--level", COMMAND_WHOLE, COMMAND_ONCE, "0", 0, LEVELS, ""},
    {"--seekers", COMMAND_WHOLE, COMMAND_ONCE, "8", 1, SEEKERS, ""},
    {"--demo", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
    {"--teach", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--demonstrations", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--view", COMMAND_WHOLE, COMMAND_ONCE, "", 1, SEEKERS, ""},
    {"--histogram", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
    {"--scale", COMMAND_WHOLE, COMMAND_ONCE, "3", 1, 8, ""},
    {"--frames", COMMAND_WHOLE, COMMAND_ONCE, "", 1, 1e9, ""},
    {"--screenshot", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--fast", COMMAND_NUMBER, COMMAND_ONCE, "", 0, 1e5, ""},
    {"--match", COMMAND_NUMBER, COMMAND_ONCE, "", 0, 1e5, ""},
    {"--seed", COMMAND_WHOLE, COMMAND_ONCE, "1", 0, 1e9, ""},
};

/* Sets the options from the command line. Their strings point into `c`, which must stay valid. */
static void read_options(options *o, const command_line *c)
{
    o->path = command_string(c, "--path");
    if (strcmp(o->path, "none") == 0) o->path = NULL;
    o->memory = (rise_memory)command_choice(c, "--memory"); /* in the order of rise_memory */
    o->level = command_whole(c, "--level");
    o->seekers = command_whole(c, "--seekers");
    o->demo = command_string(c, "--demo") != NULL;
    o->teach = command_string(c, "--teach");
    o->demonstrations = command_string(c, "--demonstrations");
    o->view = command_whole(c, "--view") - 1; /* -1: not given */
    o->histogram = command_string(c, "--histogram") != NULL;
    o->scale = command_whole(c, "--scale");
    o->frames = command_whole(c, "--frames");
    o->screenshot = command_string(c, "--screenshot");
    o->fast = command_number(c, "--fast");
    o->match = command_number(c, "--match");
    o->seed = command_whole(c, "--seed");
}
int main(int argc, char **argv)
{
    static game g; /* too large for the stack */
    static command_line line;
    options *const o = &g.options;
    int good, plays, windowless;
    if (command_wants_help(argc, argv)) return fputs(usage, stdout), 0;
    command_begin(&line, table, (int)(sizeof table / sizeof *table));
    if (!command_parse(&line, argc, argv)) return 2;
    if (!command_not_both(&line, "--teach", "--demonstrations") ||
        !command_not_both(&line, "--teach", "--match"))
        return 2;
    read_options(o, &line);
    if (!game_begin(&g)) return 1;
    windowless = o->fast > 0 || o->match > 0;
    plays = windowless || game_open(&g);
    good = plays && (windowless ? game_train(&g) : game_run(&g));
    if (!plays)
        fprintf(stderr,
                "npc: the window cannot be opened: %s; --fast and --match need no window\n",
                SDL_GetError());
    if (good && o->screenshot != NULL) {
        game_draw(&g);
        good = game_save_picture(&g, o->screenshot, o->scale);
        if (!good)
            fprintf(stderr, "npc: --screenshot %s cannot be written: %s; choose another path\n",
                    o->screenshot, SDL_GetError());
    }
    if (plays) game_report(&g);
    /* if the window did not open and there were no lessons, the agent is unchanged: no file */
    if (plays || g.shown.count > 0) good = game_save(&g) && good;
    rise_agent_destroy(g.crew.agent);
    demonstrations_free(&g.shown);
    SDL_Quit();
    return good ? 0 : 1;
}
