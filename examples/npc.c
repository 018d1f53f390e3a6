/* Hide and seek at 60 frames a second: eight seekers hunt the player and learn while he plays. Each
   seeker sees only what is in front of it. The agent computes its updates in a thread of its own
   (desc.background), so the game does not wait for them. Needs SDL2.

       cc -O2 examples/npc.c -o npc $(sdl2-config --cflags --libs) -lm -pthread && ./npc

   You see a house from above. You are the blue figure. The seekers are orange, and the yellow light
   is what they see. A seeker that sees you is red. The ring is the place where you were last seen.
   The round ends when a seeker touches you. The agent is saved on exit and loaded at the next start
   (npc.rise).

       arrow keys  move the player              v, V   the frame of the next seeker; none
       0           the seekers learn            h      how long the agent's calls take
       1 .. 5      a match without learning:    d      the scripted player plays
                   5 is the most difficult      - =    fewer or more seekers
       Escape      save and quit

   The seekers of a new agent walk at random. `./npc --fast 25` first trains them for 25 minutes of
   the game, without a window, as fast as the machine can. After that they chase what they see.
   --fast prints the catches per minute. ./npc --help lists all options.
*/
#define SDL_MAIN_HANDLED
#include <SDL.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "letters.h"
#include "npc_world.h"

#define RISE_THREADS /* for desc.background */
#define RISE_IMPLEMENTATION
#include "../rise.h"

/* ---------------------------------------------------------------------------------------------- */
/* Durations */

enum {
    SAMPLES = 65536, /* newest durations that are kept */
    BINS = 20,       /* of the histogram; each bin is twice as long as two bins before */
    SPINS_TRIED = 20000, /* rounds of the empty loop, until its length is known */
    SETTLING = 50        /* calls of the agent until then */
};

/* Durations of one kind of work, in microseconds. */
typedef struct durations {
    double values[SAMPLES]; /* a ring */
    long count;
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
/* A loop of additions that does nothing useful. Its time shows what other programs and the system
   do to any work of this length. */
static long spin(long rounds)
{
    volatile long sum = 0;
    long i;
    for (i = 0; i < rounds; i++) sum = sum + i;
    return sum;
}

/* ---------------------------------------------------------------------------------------------- */
/* The seekers: one agent with eight environments */

enum {
    FRAME = 16,   /* a seeker's frame has FRAME x FRAME pixels */
    DECISION = 6, /* frames from one decision to the next: 10 decisions a second */
    LEVELS = 5    /* of difficulty; level 0 means that the seekers learn */
};

/* The discounted sum of sight_reward is below sight_reward / (1 - discount) = 0.5. A catch ends the
   episode, so the catch must pay more than watching the player for ever. */
static const float sight_reward = 0.01f, catch_reward = 1;

/* For a seeker that walks against a wall. Without it, a seeker that sees nothing may stay there. */
static const float blocked_reward = -0.01f;

/* The share of random actions at each level. */
static const double level_epsilon[LEVELS + 1] = {0, 0.7, 0.45, 0.25, 0.1, 0.02};

typedef struct crew {
    rise_agent *agent;
    world *w;
    int level;
    int near;           /* 1: a round begins with seekers near the player */
    int begun[SEEKERS]; /* 1: the seeker has an episode in progress */
    uint8_t frames[SEEKERS][FRAME * FRAME];
    float rewards[SEEKERS];
    rise_event events[SEEKERS];
    int actions[SEEKERS];
    durations calls, empty; /* of the agent; of the empty loop */
    long spins;             /* rounds of the empty loop; 0: not known yet */
    double fastest;         /* seconds of SPINS_TRIED rounds */
} crew;

static rise_agent_desc crew_desc(void)
{
    rise_agent_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = FRAME;
    desc.actions = TURNS;
    desc.environments = SEEKERS; /* seekers that learn */
    desc.players = SEEKERS;      /* seekers in a match */
    desc.background = 1;         /* a thread computes updates while the game goes on */
    desc.window = 32;            /* remembers up to 3.1 seconds */
    desc.carry_state = 1;        /* an action costs the same for any window */
    desc.discount = 0.98;        /* looks about 5 seconds ahead */
    desc.n_step = 5;
    desc.epsilon_steps = 20000;
    desc.learn_period = 8; /* 10 updates a second */
    return desc;
}

/* Draws the frame of a seeker: the mean of a square of its view for each pixel. */
static void crew_draw(crew *c, int i)
{
    static uint8_t view[VIEW * VIEW];
    rise_picture picture;
    world_view(c->w, i, view);
    memset(&picture, 0, sizeof picture);
    picture.pixels = view;
    picture.width = picture.height = VIEW;
    picture.stride = VIEW;
    picture.format = RISE_PIXELS_GREY;
    rise_frame_shrink(NULL, &picture, c->frames[i], FRAME, FRAME, 1, NULL);
}
/* Fills in frame, reward and event of a seeker. The episode of the seeker that touches the player
   is terminated. The other episodes are truncated, because only the round ends them. A seeker that
   takes no part is absent, and its episode goes on later. */
static void crew_observe(crew *c, int i)
{
    const seeker *s = &c->w->seekers[i];
    int const caught = c->w->caught == i, over = c->w->over;
    crew_draw(c, i);
    c->rewards[i] = caught       ? catch_reward
                    : s->sees    ? sight_reward
                    : s->blocked ? blocked_reward
                                 : 0;
    if (s->absent || (over && !c->begun[i]))
        c->events[i] = RISE_ABSENT;
    else if (!c->begun[i])
        c->events[i] = RISE_FIRST;
    else
        c->events[i] = caught ? RISE_TERMINATED : over ? RISE_TRUNCATED : RISE_MIDDLE;
    if (c->events[i] != RISE_ABSENT || over) c->begun[i] = !over;
}
/* All seekers choose an action, in one call of the agent. Call this function every DECISION frames
   and when a round is over. Returns 0 if the agent fails. */
static int crew_decide(crew *c)
{
    double from;
    rise_result result;
    int i;
    for (i = 0; i < SEEKERS; i++) crew_observe(c, i);
    from = now_seconds();
    result = c->level == 0 ? rise_agent_step_all(c->agent, c->frames[0], NULL, c->rewards,
                                                 c->events,
                                                 NULL, c->actions)
                           : rise_agent_play_all(c->agent, c->frames[0], NULL, c->rewards,
                                                 c->events,
                                                 NULL, c->actions);
    durations_add(&c->calls, now_seconds() - from);
    if (result != RISE_OK) {
        fprintf(stderr, "npc: %s\n", rise_agent_error(c->agent)->text);
        return 0;
    }
    for (i = 0; i < SEEKERS && !c->w->over; i++)
        if (!c->w->seekers[i].absent) world_turn(c->w, i, c->actions[i]);
    return 1;
}
/* Begins a round. All episodes begin anew. In training the seekers start near the player, so that
   they see him often. */
static void crew_round(crew *c)
{
    memset(c->begun, 0, sizeof c->begun);
    world_round(c->w, c->near ? 40 : 100, c->near ? 110 : 1000);
}
/* Chooses a match of this level, or learning for 0. Begins a round. */
static void crew_set_level(crew *c, int level)
{
    int i;
    c->level = level;
    for (i = 0; i < SEEKERS; i++)
        rise_agent_set_player(c->agent, i, level_epsilon[level], 0);
    crew_round(c);
}

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
    uint8_t light[WORLD_HEIGHT][WORLD_WIDTH]; /* seekers that see this pixel */
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
static void draw_world(canvas *c, const world *w)
{
    int i;
    draw_house(c, w);
    if (w->since_seen > 0 && w->since_seen < 180)
        for (i = 0; i < 2; i++)
            canvas_ring(c, w->last_seen.x / UNIT, w->last_seen.y / UNIT,
                        5 + 4 * i + w->since_seen / 8 % 4, INK_PLAYER,
                        (uint32_t)(200 - w->since_seen));
    draw_body(c, &w->player, w->player_x, w->player_x != 0 ? 0 : w->player_y, INK_PLAYER);
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
/* Draws the frame of one seeker, each pixel as a square, on the side where the player is not. */
static void draw_view(canvas *c, const crew *of, int number)
{
    enum { BLOCK = 6, SIDE = FRAME * BLOCK };
    const seeker *s = &of->w->seekers[number];
    int const left = of->w->player.x / UNIT > WIDTH / 2 ? 6 : WIDTH - SIDE - 14, top = 6;
    char text[TEXT_MOST];
    int x, y;
    canvas_ring(c, s->at.x / UNIT, s->at.y / UNIT, 9, 0xFFFFFF, 256);
    draw_panel(c, left, top, SIDE + 8, SIDE + 18);
    snprintf(text, sizeof text, "seeker %d sees", number + 1);
    canvas_text(c, left + 5, top + 4, INK_TEXT, text);
    for (y = 0; y < FRAME; y++)
        for (x = 0; x < FRAME; x++)
            canvas_box(c, left + 4 + x * BLOCK, top + 14 + y * BLOCK, BLOCK, BLOCK,
                       0x010101u * of->frames[number][y * FRAME + x]);
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
    canvas_text(c, LEFT + 88, BASE + 13, INK_FAINT, "mean    99 in 100  worst");
    draw_summary(c, LEFT + 8, BASE + 23, inks[0], "agent      ", kinds[0]);
    draw_summary(c, LEFT + 8, BASE + 33, inks[1], "empty loop ", kinds[1]);
}

/* ---------------------------------------------------------------------------------------------- */
/* The game */

typedef struct options {
    rise_memory memory;
    const char *path; /* of the saved agent; NULL: none is loaded or saved */
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
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *texture;
} game;

/* Moves everybody by one frame. Returns 0 if the agent fails. */
static int game_tick(game *g, int dx, int dy)
{
    world *const w = &g->world;
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

/* Lets the first `count` seekers take part, at least one. The others are absent. */
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
    if (eyes > 0) {
        snprintf(text, sizeof text, eyes == 1 ? "%d sees you" : "%d see you", eyes);
        canvas_text(&g->canvas, 144, top, INK_ALERT, text);
    } else
        canvas_text(&g->canvas, 144, top, INK_PLAYER, "hidden");
    if (g->crew.level == 0)
        snprintf(text, sizeof text, "they learn");
    else
        snprintf(text, sizeof text, "level %d of %d", g->crew.level, LEVELS);
    canvas_text(&g->canvas, WIDTH - 6 - text_width(text), top, INK_TEXT, text);
}
static void game_draw(game *g)
{
    canvas *const c = &g->canvas;
    draw_world(c, &g->world);
    game_draw_bar(g);
    if (g->view >= 0) draw_view(c, &g->crew, g->view);
    if (g->histogram) draw_histogram(c, &g->crew);
    if (g->world.over && !g->histogram) {
        const char *const text = g->world.caught >= 0 ? "caught" : "you stayed hidden";
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
    if (key >= SDLK_0 && key <= SDLK_0 + LEVELS) crew_set_level(&g->crew, key - SDLK_0);
    if (key == SDLK_v) g->view = shift ? -1 : (g->view + 1) % SEEKERS;
    if (key == SDLK_h) g->histogram = !g->histogram;
    if (key == SDLK_d) g->demo = !g->demo;
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
/* Times the empty loop. The first calls set its length: the median of the agent's calls. */
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
/* Runs the game until the player quits. Returns 0 if the agent fails. */
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
   for every `every` minutes. Returns 0 if the agent fails. */
static int game_fast(game *g, double minutes, double every, double begin)
{
    long const frames = (long)(minutes * 3600), block = (long)(every * 3600);
    long frame, seen = 0;
    int i;
    g->rounds = g->catches = 0;
    g->world.losses = g->world.finds = 0;
    for (frame = 1; frame <= frames; frame++) {
        if (!game_tick(g, 0, 0)) return 0;
        for (i = 0; i < SEEKERS; i++) seen += g->world.seekers[i].sees;
        if (frame % block == 0) {
            rise_metrics m;
            rise_agent_metrics(g->crew.agent, &m);
            if (g->crew.level == 0)
                printf("minute %4.1f  learning", (double)frame / 3600);
            else
                printf("minute %4.1f  level %d ", (double)frame / 3600, g->crew.level);
            printf("  %5.2f catches a minute  sees him %4.1f%% of the time  finds him again "
                   "%4.1f%% of %4ld times  %ld steps  %ld updates  %.0f s\n",
                   g->catches / every, 100.0 * (double)seen / (double)(block * SEEKERS),
                   100.0 * (double)g->world.finds / fmax(1, (double)g->world.losses),
                   g->world.losses, (long)m.steps, (long)m.updates, now_seconds() - begin);
            fflush(stdout);
            g->rounds = g->catches = 0;
            g->world.losses = g->world.finds = 0;
            seen = 0;
        }
    }
    return 1;
}
/* Trains, then measures every level in a match, and a level of random actions only. */
static int game_train(game *g)
{
    double const begin = now_seconds();
    int level;
    g->demo = 1;
    if (g->options.fast > 0 && !game_fast(g, g->options.fast, 5, begin)) return 0;
    for (level = 1; g->options.match > 0 && level <= LEVELS; level += LEVELS - 1) {
        crew_set_level(&g->crew, level);
        if (!game_fast(g, g->options.match, g->options.match, begin)) return 0;
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* The program */

static int path_exists(const char *path)
{
    FILE *const file = fopen(path, "rb");
    if (file == NULL) return 0;
    fclose(file);
    return 1;
}
/* Loads the agent, or makes a new one. Prints a message and returns 0 on failure. */
static int game_begin(game *g)
{
    const options *const o = &g->options;
    rise_agent_desc desc = crew_desc();
    rise_error error;
    rise_result result;
    desc.memory = o->memory;
    desc.seed = (uint64_t)o->seed;
    if (o->path != NULL && path_exists(o->path)) {
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
static void print_usage(void)
{
    fputs("npc [options]: hide and seek; the first comment of npc.c lists the keys.\n"
          "  --path FILE        of the saved agent (npc.rise); none: neither load nor save\n"
          "  --memory KIND      of a new agent: rise, none or full\n"
          "  --level L          0: they learn; 1 to 5: a match without learning\n"
          "  --seekers N        in the game, 1 to 8; the others are absent\n"
          "  --demo             the scripted player plays\n"
          "  --view N           shows the frame of seeker N, 1 to 8\n"
          "  --histogram        shows how long the agent's calls take\n"
          "  --scale N          window pixels for each pixel (3)\n"
          "  --frames N         ends after N frames\n"
          "  --screenshot FILE  saves the last picture as a BMP file\n"
          "  --fast MINUTES     trains without a window\n"
          "  --match MINUTES    with --fast: then plays levels 1 and 5 for so long\n"
          "  --seed N           of the game and of a new agent (1)\n",
          stderr);
}
static int memory_named(const char *name, rise_memory *memory)
{
    static const char *const names[RISE_MEMORY_COUNT] = {"rise", "none", "full"};
    int i;
    for (i = 0; i < RISE_MEMORY_COUNT; i++)
        if (strcmp(name, names[i]) == 0) return *memory = (rise_memory)i, 1;
    return 0;
}
/* Reads a number. Returns 0 if the text is not one from `least` to `most`. */
static int parse_number(const char *text, double least, double most, double *number)
{
    char *end;
    *number = strtod(text, &end);
    return end != text && *end == '\0' && *number >= least && *number <= most;
}
/* Reads an option with a value. Returns 0 if it is wrong. */
static int parse_option(options *o, const char *name, const char *value)
{
    double n = 0;
    int good = 1;
    if (strcmp(name, "--path") == 0)
        o->path = strcmp(value, "none") == 0 ? NULL : value;
    else if (strcmp(name, "--screenshot") == 0)
        o->screenshot = value;
    else if (strcmp(name, "--memory") == 0)
        good = memory_named(value, &o->memory);
    else if (strcmp(name, "--level") == 0)
        good = parse_number(value, 0, LEVELS, &n), o->level = (int)n;
    else if (strcmp(name, "--view") == 0)
        good = parse_number(value, 1, SEEKERS, &n), o->view = (int)n - 1;
    else if (strcmp(name, "--seekers") == 0)
        good = parse_number(value, 1, SEEKERS, &n), o->seekers = (int)n;
    else if (strcmp(name, "--scale") == 0)
        good = parse_number(value, 1, 8, &n), o->scale = (int)n;
    else if (strcmp(name, "--frames") == 0)
        good = parse_number(value, 1, 1e9, &n), o->frames = (long)n;
    else if (strcmp(name, "--fast") == 0)
        good = parse_number(value, 0, 1e5, &o->fast);
    else if (strcmp(name, "--match") == 0)
        good = parse_number(value, 0, 1e5, &o->match);
    else if (strcmp(name, "--seed") == 0)
        good = parse_number(value, 0, 1e9, &n), o->seed = (int)n;
    else
        good = 0;
    return good;
}
static int parse(options *o, int argc, char **argv)
{
    int i;
    for (i = 1; i < argc; i++)
        if (strcmp(argv[i], "--demo") == 0)
            o->demo = 1;
        else if (strcmp(argv[i], "--histogram") == 0)
            o->histogram = 1;
        else if (i + 1 < argc && parse_option(o, argv[i], argv[i + 1]))
            i++;
        else
            return 0;
    return 1;
}
int main(int argc, char **argv)
{
    static game g; /* too large for the stack */
    options *const o = &g.options;
    int good;
    o->path = "npc.rise";
    o->view = -1;
    o->scale = 3;
    o->seekers = SEEKERS;
    o->seed = 1;
    if (!parse(o, argc, argv)) {
        print_usage();
        return 2;
    }
    if (!game_begin(&g)) return 1;
    if (o->fast > 0 || o->match > 0)
        good = game_train(&g);
    else if ((good = game_open(&g)) != 0)
        good = game_run(&g);
    else
        fprintf(stderr, "npc: %s\n", SDL_GetError());
    if (good && o->screenshot != NULL) {
        game_draw(&g);
        good = game_save_picture(&g, o->screenshot, o->scale);
        if (!good) fprintf(stderr, "npc: %s: %s\n", o->screenshot, SDL_GetError());
    }
    game_report(&g);
    good = game_save(&g) && good;
    rise_agent_destroy(g.crew.agent);
    SDL_Quit();
    return good ? 0 : 1;
}
