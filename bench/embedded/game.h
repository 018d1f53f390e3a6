/* The game of bench/embedded.sh. A light flashes left or right, and five dark frames follow. Then a
   mark asks on which side the light was. In training, action 1 before the mark costs 0.1. In each
   frame, a dim light flickers at a random place of the last row, so no two episodes are equal. The
   desktop and the boards play the same episodes. */
#ifndef GAME_H
#define GAME_H

enum { SIZE = 6, ASKED = 6, STEPS = ASKED + 1 };

typedef struct game {
    uint32_t random, hash; /* hash: of the bits of all Q values (FNV-1a) */
    int right;             /* episodes with the right answer */
} game;

static game game_new(void)
{
    game const g = {7, 2166136261u, 0};
    return g;
}
/* Returns a number below `below`. */
static int game_random(game *g, uint32_t below)
{
    g->random = g->random * 1664525u + 1013904223u;
    return (int)((g->random >> 16) % below);
}
static void game_draw(game *g, int time, int side, uint8_t *frame)
{
    int i, place;
    for (i = 0; i < SIZE * SIZE; i++) frame[i] = 0;
    if (time == 0) frame[side * (SIZE - 1)] = 255;
    if (time == ASKED) frame[SIZE * 3 + 3] = 255;
    place = SIZE * 5 + game_random(g, SIZE); /* two statements: C must draw in this order */
    frame[place] = (uint8_t)(32 + game_random(g, 64));
}

/* Plays an episode as player 0. Writes a line: the actions, and whether the answer was right.
   Returns 0 on failure. */
static int game_play(game *g, rise_agent *agent, char line[STEPS + 4])
{
    uint8_t frame[SIZE * SIZE];
    int const side = game_random(g, 2);
    int time, i, right = 0;
    for (time = 0; time < STEPS; time++) {
        const float *q;
        int action;
        game_draw(g, time, side, frame);
        action =
            rise_agent_play(agent, 0, frame, 0, time == 0 ? RISE_FIRST : RISE_MIDDLE, NULL);
        q = rise_agent_values(agent, 0);
        if (action < 0 || q == NULL) return 0;
        for (i = 0; i < 2; i++) {
            uint32_t bits;
            memcpy(&bits, &q[i], sizeof bits);
            g->hash = (g->hash ^ bits) * 16777619u;
        }
        right = action == side;
        line[time] = (char)('0' + action);
    }
    g->right += right;
    line[STEPS] = ' ';
    line[STEPS + 1] = right ? '+' : '-';
    line[STEPS + 2] = '\n';
    line[STEPS + 3] = '\0';
    return 1;
}

#endif
