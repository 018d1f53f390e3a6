/* Hide and seek, the rules of npc.c: a house with walls, one player and eight seekers. Seen from
   above. No graphics and no agent are in this file.

   A seeker sees what is in front of it: 60 degrees to each side, up to 110 pixels, and not through
   walls. A seeker hears the player within 20 pixels, but not through walls. The view of a seeker is
   160 x 160 pixels of the house, with the front of the seeker up. The view shows all walls there,
   but the player only while the seeker sees or hears him.

   A round ends when a seeker touches the player, or after 30 seconds. All numbers are integers, so
   the same seed and the same moves give the same game on every machine.

       static world w;
       world_begin(&w, 1);                      // seed 1
       world_turn(&w, 0, TURN_LEFT);            // seeker 0 turns left
       world_tick(&w, -1, 0, PLAYER_SPEED);     // one frame; the player walks left
       world_view(&w, 0, picture);              // what seeker 0 sees
*/
#ifndef NPC_WORLD_H
#define NPC_WORLD_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum {
    TILE = 16, /* pixels; every length without a unit is in pixels */
    HOUSE_COLUMNS = 20,
    HOUSE_ROWS = 14,
    TILES = HOUSE_COLUMNS * HOUSE_ROWS,
    WORLD_WIDTH = HOUSE_COLUMNS * TILE,
    WORLD_HEIGHT = HOUSE_ROWS * TILE,
    SEEKERS = 8,
    UNIT = 4, /* positions are in quarters of a pixel */
    BODY = 5, /* a body is a square of 2 * BODY x 2 * BODY pixels */
    SEEKER_SPEED = 4, /* quarters of a pixel per frame */
    PLAYER_SPEED = 5, /* of a human player */
    SCRIPT_SPEED = 3, /* of the scripted player */
    REACH = 13,       /* a seeker touches the player if their centres are at most this far apart */
    SIGHT = 110,
    HEARING = 20,
    VIEW = 80,       /* a view has VIEW x VIEW points */
    VIEW_STEP = 2,   /* from one point to the next */
    VIEW_ROW = 56,   /* where the seeker itself is in its view */
    VIEW_COLUMN = 40,
    ROUND_FRAMES = 30 * 60,
    DECISION = 6,   /* frames from one decision of a seeker to the next: 10 decisions a second */
    REACTION = 22, /* frames in which the scripted player is seen before he flees */
    /* A seeker has lost the player LOST frames after it saw him last. It has found him again if it
       sees him less than FOUND frames after that same moment. */
    LOST = 20,
    FOUND = 200,
    LONG_AGO = 100000
};

enum { GREY_DARK = 0, GREY_LIT = 45, GREY_WALL = 100, GREY_PLAYER = 255 };

/* The actions of a seeker. A seeker walks all the time, unless a wall stops it. A turn by 180
   degrees takes two actions. */
typedef enum turn { TURN_NONE, TURN_LEFT, TURN_RIGHT, TURNS } turn;

/* Where a seeker looks and walks: right, down, left, up. */
enum { FACINGS = 4 };
static const int facing_x[FACINGS] = {1, 0, -1, 0}, facing_y[FACINGS] = {0, 1, 0, -1};

typedef struct body {
    int x, y; /* centre, in quarters of a pixel */
} body;

typedef struct seeker {
    body at;
    int facing;
    int absent; /* 1: takes no part in the game */
    int sees;   /* 1: sees or hears the player now */
    int blocked; /* 1: did not move in the last frame, because of a wall */
    int unseen;  /* frames since it saw the player; large: not in this round */
    uint8_t lit[VIEW][VIEW]; /* 1: the seeker sees this point of its view */
} seeker;

/* When the scripted player has been seen for REACTION frames, he walks to a hiding place
   (script_hiding_place). He stays there for a while, and then walks to another place. */
typedef struct script {
    int goal;      /* tile; -1: none */
    int alarm;     /* frames in which he was seen; 0 again after 2 * REACTION frames unseen */
    int wait;      /* frames that he still stays at the goal */
    int way[TILES]; /* tiles from each tile to the goal */
} script;

typedef struct world {
    uint32_t random;
    body player;
    int player_x, player_y; /* direction of his last move, each -1, 0 or 1; for the picture */
    seeker seekers[SEEKERS];
    script script;
    int frame;  /* of the round */
    int caught; /* the seeker that touched the player; -1: none */
    int over;   /* 1: the round is over; call world_round next */
    body last_seen;
    int since_seen; /* frames since any seeker saw the player; large: not in this round */
    long losses, finds; /* how often a seeker lost the player and found him again, in all rounds */
} world;

static const char *const world_map[HOUSE_ROWS] = {
    "####################",
    "#........#.........#",
    "#..##....#....##...#",
    "#..#...........#...#",
    "#......##..........#",
    "#.......#....##....#",
    "###............#.###",
    "#......##..........#",
    "#...#...#...#......#",
    "#...#.......##..#..#",
    "#.......#.......#..#",
    "#..##...##...#.....#",
    "#...#........#..#..#",
    "####################",
};

static inline uint32_t world_random(world *w, uint32_t below)
{
    w->random = w->random * 1664525u + 1013904223u;
    return (uint32_t)(((uint64_t)w->random * below) >> 32);
}
static inline int world_tile_is_wall(int column, int row)
{
    if (column < 0 || row < 0 || column >= HOUSE_COLUMNS || row >= HOUSE_ROWS) return 1;
    return world_map[row][column] == '#';
}
/* Returns whether there is a wall at the pixel (x, y). Both must be at least -1000. */
static inline int world_is_wall(int x, int y)
{
    return world_tile_is_wall((x + 64 * TILE) / TILE - 64, (y + 64 * TILE) / TILE - 64);
}
static inline int world_tile_of(const body *b)
{
    return b->y / (UNIT * TILE) * HOUSE_COLUMNS + b->x / (UNIT * TILE);
}
static inline body world_centre_of(int tile)
{
    body b;
    b.x = (tile % HOUSE_COLUMNS * TILE + TILE / 2) * UNIT;
    b.y = (tile / HOUSE_COLUMNS * TILE + TILE / 2) * UNIT;
    return b;
}
/* Returns the square of the distance of two bodies, in pixels. */
static inline int world_distance2(const body *a, const body *b)
{
    int const x = (a->x - b->x) / UNIT, y = (a->y - b->y) / UNIT;
    return x * x + y * y;
}

/* ---------------------------------------------------------------------------------------------- */
/* Walking */

/* Returns whether a body with its centre at (x, y), in quarters of a pixel, touches no wall. The
   corners are enough, because a body is smaller than a tile. */
static inline int body_fits(int x, int y)
{
    int const left = x / UNIT - BODY, top = y / UNIT - BODY;
    int const right = (x + UNIT - 1) / UNIT + BODY - 1, bottom = (y + UNIT - 1) / UNIT + BODY - 1;
    return !world_is_wall(left, top) && !world_is_wall(right, top) &&
           !world_is_wall(left, bottom) && !world_is_wall(right, bottom);
}
/* Returns -1, 0 or 1: the direction from the coordinate `from` to the middle of its tile. */
static inline int body_to_middle(int from)
{
    int const offset = from % (UNIT * TILE) - UNIT * TILE / 2;
    return offset < 0 ? 1 : offset > 0 ? -1 : 0;
}
/* Walks up to `speed` quarters of a pixel along one axis. At the corner of a wall, the body slides
   around the corner. */
static inline void body_walk(body *b, int dx, int dy, int speed)
{
    int i;
    for (i = 0; i < speed; i++) {
        int const ahead_x = b->x / UNIT + dx * TILE, ahead_y = b->y / UNIT + dy * TILE;
        if (body_fits(b->x + dx, b->y + dy))
            b->x += dx, b->y += dy;
        else if (world_is_wall(ahead_x, ahead_y))
            return;
        else if (dx != 0)
            b->y += body_to_middle(b->y);
        else
            b->x += body_to_middle(b->x);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Seeing */

/* Returns where a point of the view is in the house. Here x and y of the body are pixels, not
   quarters. */
static inline body seeker_point(const seeker *s, int row, int column)
{
    int const ahead = (VIEW_ROW - row) * VIEW_STEP, aside = (column - VIEW_COLUMN) * VIEW_STEP;
    int const fx = facing_x[s->facing], fy = facing_y[s->facing];
    body b;
    b.x = s->at.x / UNIT + ahead * fx - aside * fy;
    b.y = s->at.y / UNIT + ahead * fy + aside * fx;
    return b;
}
/* Sets `lit` for the points on the line from the seeker to a point of its view. Stops at a wall and
   at the end of the range: SIGHT in front of the seeker, else HEARING. */
static inline void seeker_cast(seeker *s, int row, int column)
{
    int const dx = column - VIEW_COLUMN, dy = row - VIEW_ROW;
    int const steps = abs(dx) > abs(dy) ? abs(dx) : abs(dy);
    int const range = abs(dx) * 4 <= -dy * 7 ? SIGHT : HEARING; /* tan 60 degrees: about 7/4 */
    int i;
    for (i = 0; i <= steps; i++) {
        int const x = (dx * i * 2 + (dx < 0 ? -steps : steps)) / (2 * steps);
        int const y = (dy * i * 2 + (dy < 0 ? -steps : steps)) / (2 * steps);
        body const at = seeker_point(s, VIEW_ROW + y, VIEW_COLUMN + x);
        if ((x * x + y * y) * VIEW_STEP * VIEW_STEP > range * range) return;
        if (world_is_wall(at.x, at.y)) return;
        s->lit[VIEW_ROW + y][VIEW_COLUMN + x] = 1;
    }
}
/* Computes what the seeker sees now: `lit` and `sees`. */
static inline void seeker_look(seeker *s, const body *player)
{
    int const dx = player->x / UNIT - s->at.x / UNIT, dy = player->y / UNIT - s->at.y / UNIT;
    int const fx = facing_x[s->facing], fy = facing_y[s->facing];
    int const row = VIEW_ROW - (dx * fx + dy * fy) / VIEW_STEP;
    int const column = VIEW_COLUMN + (dy * fx - dx * fy) / VIEW_STEP;
    int i;
    memset(s->lit, 0, sizeof s->lit);
    s->sees = 0;
    if (s->absent) return;
    for (i = 0; i < VIEW; i++) {
        seeker_cast(s, 0, i);
        seeker_cast(s, VIEW - 1, i);
        seeker_cast(s, i, 0);
        seeker_cast(s, i, VIEW - 1);
    }
    if (row >= 0 && column >= 0 && row < VIEW && column < VIEW) s->sees = s->lit[row][column];
}
/* Draws what a seeker sees: [VIEW][VIEW] grey points. */
static inline void world_view(const world *w, int number, uint8_t *picture)
{
    const seeker *s = &w->seekers[number];
    int const px = w->player.x / UNIT, py = w->player.y / UNIT;
    int row, column;
    for (row = 0; row < VIEW; row++)
        for (column = 0; column < VIEW; column++) {
            body const at = seeker_point(s, row, column);
            int grey = s->lit[row][column] ? GREY_LIT : GREY_DARK;
            if (world_is_wall(at.x, at.y)) grey = GREY_WALL;
            if (s->sees && abs(at.x - px) <= 10 && abs(at.y - py) <= 10) grey = GREY_PLAYER;
            picture[row * VIEW + column] = (uint8_t)grey;
        }
}
/* Returns whether no wall is between two bodies. */
static inline int world_clear(const body *a, const body *b)
{
    int const dx = (b->x - a->x) / UNIT, dy = (b->y - a->y) / UNIT;
    int const steps = (abs(dx) > abs(dy) ? abs(dx) : abs(dy)) / 2 + 1;
    int i;
    for (i = 0; i <= steps; i++)
        if (world_is_wall(a->x / UNIT + dx * i / steps, a->y / UNIT + dy * i / steps)) return 0;
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* The scripted player */

/* From a tile to its four neighbours. The house has a wall around it, so every tile without a wall
   has four. */
static const int tile_steps[4] = {1, -1, HOUSE_COLUMNS, -HOUSE_COLUMNS};

static inline int tile_is_wall(int tile)
{
    return world_tile_is_wall(tile % HOUSE_COLUMNS, tile / HOUSE_COLUMNS);
}
/* Fills in the number of tiles from each tile to the nearest of the tiles where `tiles` is 0 at the
   call, by breadth-first search. All other tiles must hold TILES, and walls keep it. */
static inline void world_spread(int *tiles)
{
    int queue[TILES], first = 0, last = 0, i;
    for (i = 0; i < TILES; i++)
        if (tiles[i] == 0) queue[last++] = i;
    while (first < last) {
        int const at = queue[first++];
        for (i = 0; i < 4; i++) {
            int const next = at + tile_steps[i];
            if (tile_is_wall(next) || tiles[next] < TILES) continue;
            tiles[next] = tiles[at] + 1;
            queue[last++] = next;
        }
    }
}
static inline void world_spread_from(int *tiles, int tile)
{
    int i;
    for (i = 0; i < TILES; i++) tiles[i] = i == tile ? 0 : TILES;
    world_spread(tiles);
}
/* Returns whether a seeker is within 120 pixels of the tile, with no wall between. Such a seeker
   sees the tile soon, if it turns and comes a few pixels nearer: SIGHT is 110. */
static inline int script_is_exposed(const world *w, int tile)
{
    body const at = world_centre_of(tile);
    int i;
    for (i = 0; i < SEEKERS; i++) {
        const seeker *s = &w->seekers[i];
        if (s->absent || world_distance2(&s->at, &at) > 120 * 120) continue;
        if (world_clear(&s->at, &at)) return 1;
    }
    return 0;
}
/* Returns the tile with the best score, within 16 tiles of the player. Near tiles score more, and
   exposed tiles less. A tile that a seeker reaches first, or just as soon, scores far less. */
static inline int script_hiding_place(world *w)
{
    int mine[TILES], theirs[TILES], best = -1, best_score = -1000000, i;
    world_spread_from(mine, world_tile_of(&w->player));
    for (i = 0; i < TILES; i++) theirs[i] = TILES;
    for (i = 0; i < SEEKERS; i++)
        if (!w->seekers[i].absent) theirs[world_tile_of(&w->seekers[i].at)] = 0;
    world_spread(theirs);
    for (i = 0; i < TILES; i++) {
        int score;
        if (mine[i] >= TILES || mine[i] > 16) continue;
        score = -10 * mine[i] + (int)world_random(w, 15);
        if (theirs[i] <= mine[i]) score -= 400 + 20 * (mine[i] - theirs[i]);
        if (script_is_exposed(w, i)) score -= 200;
        if (score > best_score) best = i, best_score = score;
    }
    return best;
}
static inline void script_go(world *w, int tile)
{
    w->script.goal = tile;
    world_spread_from(w->script.way, tile);
}
/* Chooses where he walks to: a random tile without a wall. */
static inline void script_stroll(world *w)
{
    int tile;
    do {
        tile = (int)world_random(w, TILES);
    } while (tile_is_wall(tile));
    script_go(w, tile);
}
static inline int sign_of(int i) { return i < 0 ? -1 : i > 0 ? 1 : 0; }
/* Chooses a new goal when he has been seen for REACTION frames, or when he has waited long enough
   at the last goal. In each frame in which he is seen, also draws a new waiting time. */
static inline void script_think(world *w)
{
    script *s = &w->script;
    if (w->since_seen == 0) {
        s->alarm++;
        s->wait = 120 + (int)world_random(w, 120);
        if (s->alarm % REACTION == 0) script_go(w, script_hiding_place(w));
    } else if (w->since_seen > 2 * REACTION)
        s->alarm = 0;
    if (s->goal < 0 || (world_tile_of(&w->player) == s->goal && --s->wait <= 0)) {
        s->wait = 10 + (int)world_random(w, 60);
        script_stroll(w);
    }
}
/* Updates his goal, and computes the direction in which he moves in the next frame: *dx and *dy are
   -1, 0 or 1. Call this function once a frame: each call counts a frame. */
static inline void script_move(world *w, int *dx, int *dy)
{
    const script *s = &w->script;
    int const at = world_tile_of(&w->player);
    int i, next = at;
    body aim;
    script_think(w);
    for (i = 0; i < 4; i++)
        if (s->way[at + tile_steps[i]] < s->way[next]) next = at + tile_steps[i];
    aim = world_centre_of(next);
    *dx = sign_of(aim.x / UNIT - w->player.x / UNIT);
    *dy = sign_of(aim.y / UNIT - w->player.y / UNIT);
}

/* ---------------------------------------------------------------------------------------------- */
/* Rounds and frames */

/* Begins a round. The player and all seekers are at random places, each seeker from `nearest` to
   `farthest` pixels away from the player. */
static inline void world_round(world *w, int nearest, int farthest)
{
    int i, distance2;
    script_stroll(w);
    w->player = world_centre_of(w->script.goal);
    w->player_x = 1, w->player_y = 0;
    for (i = 0; i < SEEKERS; i++) {
        seeker *s = &w->seekers[i];
        do {
            script_stroll(w);
            s->at = world_centre_of(w->script.goal);
            distance2 = world_distance2(&s->at, &w->player);
        } while (distance2 < nearest * nearest || distance2 > farthest * farthest);
        s->facing = (int)world_random(w, FACINGS);
        s->unseen = LONG_AGO;
        seeker_look(s, &w->player);
    }
    w->script.goal = -1;
    w->script.alarm = w->script.wait = 0;
    w->frame = w->over = 0;
    w->caught = -1;
    w->since_seen = LONG_AGO;
    w->last_seen = w->player;
}
static inline void world_begin(world *w, uint32_t seed)
{
    memset(w, 0, sizeof *w);
    w->random = seed * 2654435761u + 1;
    world_round(w, 100, 1000);
}
/* Turns a seeker by the action, a `turn`. */
static inline void world_turn(world *w, int number, int action)
{
    static const int quarters[TURNS] = {0, 3, 1};
    seeker *s = &w->seekers[number];
    s->facing = (s->facing + quarters[action]) % FACINGS;
}
/* Does one frame: moves the player in the direction (dx, dy), each -1, 0 or 1, and all seekers
   where they face. Then each seeker looks. */
static inline void world_tick(world *w, int dx, int dy, int player_speed)
{
    int i;
    if (dx != 0) body_walk(&w->player, dx, 0, player_speed);
    if (dy != 0) body_walk(&w->player, 0, dy, player_speed);
    if (dx != 0 || dy != 0) w->player_x = dx, w->player_y = dy;
    w->since_seen++;
    for (i = 0; i < SEEKERS; i++) {
        seeker *s = &w->seekers[i];
        if (s->absent) continue;
        s->blocked = s->at.x + s->at.y;
        body_walk(&s->at, facing_x[s->facing], facing_y[s->facing], SEEKER_SPEED);
        s->blocked = s->at.x + s->at.y == s->blocked;
        seeker_look(s, &w->player);
        if (w->caught < 0 && world_distance2(&s->at, &w->player) <= REACH * REACH) w->caught = i;
        s->unseen++;
        w->losses += s->unseen == LOST;
        if (!s->sees) continue;
        w->finds += s->unseen >= LOST && s->unseen < FOUND;
        s->unseen = w->since_seen = 0;
        w->last_seen = w->player;
    }
    w->frame++;
    w->over = w->caught >= 0 || w->frame >= ROUND_FRAMES;
}

/* ---------------------------------------------------------------------------------------------- */
/* Lessons. A lesson is a round in which a teacher plays seeker 0, and the scripted player hides.
   The teacher is a person or a script. The other seekers are absent, so the start and the actions
   determine the whole round. The file of demonstrations stores a lesson as one episode. */

/* In lessons, seekers begin at this distance from the player, in pixels, so that they see the
   player often. The same holds for rounds that begin while the scripted player plays, except the
   first round of the program. */
enum { NEAREST = 40, FARTHEST = 110 };

static inline void world_lesson(world *w, int start)
{
    int i;
    for (i = 0; i < SEEKERS; i++) w->seekers[i].absent = i > 0;
    w->random = (uint32_t)start * 2654435761u + 1;
    world_round(w, NEAREST, FARTHEST);
}
static inline void world_lesson_tick(world *w)
{
    int dx, dy;
    script_move(w, &dx, &dy);
    world_tick(w, dx, dy, SCRIPT_SPEED);
}
/* Does an action, and then DECISION frames, or fewer if the round ends. */
static inline void world_lesson_step(world *w, int action)
{
    int i;
    world_turn(w, 0, action);
    for (i = 0; i < DECISION && !w->over; i++) world_lesson_tick(w);
}
/* Returns the action with which a seeker turns towards `facing`. A turn by 180 degrees takes two
   actions. */
static inline int seeker_turn_to(const seeker *s, int facing)
{
    static const int turns[FACINGS] = {TURN_NONE, TURN_RIGHT, TURN_LEFT, TURN_LEFT};
    return turns[(facing + FACINGS - s->facing) % FACINGS];
}

/* The scripted seeker plays seeker 0 as a person would. It walks to the place where it saw the
   player last. If it does not see the player there, it walks to random tiles. It has random numbers
   of its own. A lesson from a file is played without this seeker, and the world must then draw the
   same numbers. */
typedef struct hunt {
    uint32_t random;
    int goal;       /* tile; -1: none */
    int way[TILES]; /* tiles from each tile to the goal */
} hunt;

static inline void hunt_go(hunt *h, int tile)
{
    h->goal = tile;
    world_spread_from(h->way, tile);
}
/* Returns the facing that the scripted seeker wants for seeker 0. */
static inline int hunt_facing(hunt *h, const world *w)
{
    const seeker *const s = &w->seekers[0];
    int const at = world_tile_of(&s->at), here = world_tile_of(&w->player);
    int const dx = w->player.x - s->at.x, dy = w->player.y - s->at.y;
    int i, facing = s->facing;
    if (s->sees) hunt_go(h, here);
    if (s->sees && at == here) return abs(dx) > abs(dy) ? (dx > 0 ? 0 : 2) : (dy > 0 ? 1 : 3);
    while (h->goal < 0 || h->goal == at || tile_is_wall(h->goal)) {
        h->random = h->random * 1664525u + 1013904223u;
        hunt_go(h, (int)(((uint64_t)h->random * TILES) >> 32));
    }
    for (i = 0; i < FACINGS; i++)
        if (h->way[at + facing_x[i] + facing_y[i] * HOUSE_COLUMNS] < h->way[at]) facing = i;
    return facing;
}

#endif
