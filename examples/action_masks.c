/* Action masks: the game says at each step which actions are allowed, and the agent takes no other.
   The game: six coins of different value lie on a table. The agent takes three of them, one a turn.
   A coin that has been taken cannot be taken again. Runs for about 5 seconds.

       cc -O2 examples/action_masks.c -o action_masks -lm && ./action_masks
*/
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 8, COINS = 6, TURNS = 3, BEST = 6 + 5 + 4, LEARNED = 3000, TESTED = 200 };

typedef struct table {
    int value[COINS]; /* 1 to 6, in any order */
    uint8_t allowed[COINS];
} table;

/* Puts all six coins on the table, in random order (Fisher and Yates). */
static void deal(table *t, uint32_t *random)
{
    int i, j;
    memset(t->allowed, 1, sizeof t->allowed);
    for (i = 0; i < COINS; i++) {
        *random = *random * 1664525 + 1013904223;
        j = (int)((*random >> 16) % (uint32_t)(i + 1));
        t->value[i] = t->value[j];
        t->value[j] = i + 1;
    }
}

/* Draws a bar for each coin that can still be taken. The height of the bar is the value of the
   coin, in pixels. */
static void draw(const table *t, uint8_t *frame)
{
    int i, y;
    memset(frame, 0, SIZE * SIZE);
    for (i = 0; i < COINS; i++)
        for (y = 0; y < t->value[i] && t->allowed[i]; y++)
            frame[(SIZE - 1 - y) * SIZE + i + 1] = 255;
}

/* Plays one game: with `learn` the agent learns, otherwise it plays greedily. Returns the value of
   the three coins; -1 if a call failed or the agent took a coin that is not allowed. */
static int play(rise_agent *agent, table *t, int learn)
{
    uint8_t frame[SIZE * SIZE];
    float reward = 0;
    int turn, taken = 0, action = 0;
    for (turn = 0; turn <= TURNS; turn++) {
        rise_event const event = turn == 0      ? RISE_FIRST
                                 : turn < TURNS ? RISE_MIDDLE
                                                : RISE_TERMINATED;
        draw(t, frame);
        if (!learn && turn < TURNS)
            action = rise_agent_play(agent, 0, frame, reward, event, t->allowed);
        else if (learn && rise_agent_step_all(agent, frame, NULL, &reward, &event, t->allowed,
                                              &action))
            action = -1;
        if (action < 0) return -1;
        if (turn == TURNS) return taken;
        if (!t->allowed[action]) return -1;
        taken += t->value[action];
        reward = (float)t->value[action] / BEST;
        t->allowed[action] = 0;
    }
    return taken;
}

int main(void)
{
    rise_agent_desc desc;
    rise_agent *agent;
    rise_error error;
    uint32_t random = 1;
    table t;
    int game, taken = 0, sum = 0;

    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = SIZE;
    desc.actions = COINS;
    desc.action_masks = 1;          /* rise_agent_step_all needs a mask [environments][actions] */
    desc.memory = RISE_MEMORY_NONE; /* the frame shows the whole state */
    if (rise_agent_create(&agent, &desc, &error) != RISE_OK) {
        fprintf(stderr, "action_masks: %s\n", error.text);
        return 1;
    }
    for (game = 0; game < LEARNED + TESTED && taken >= 0; game++) {
        deal(&t, &random);
        taken = play(agent, &t, game < LEARNED);
        sum += game < LEARNED ? 0 : taken;
    }
    if (taken < 0) {
        const rise_error *const why = rise_agent_error(agent);
        fprintf(stderr, "action_masks: %s\n",
                why->result != RISE_OK ? why->text : "the agent took a coin twice");
        return 1;
    }
    rise_agent_destroy(agent);
    printf(
        "In %d games the agent never took a coin twice. In the last %d it took coins worth %.2f\n"
        "on average. The best three are worth %d, and three random ones 10.5 on average.\n",
        game, TESTED, (double)sum / TESTED, BEST);
    if (sum >= 0.95 * BEST * TESTED) return 0;
    fputs("action_masks: the agent has not learned which coins are worth most\n", stderr);
    return 1;
}
