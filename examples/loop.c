/* The loop: the shortest useful program. At each step the game calls rise_agent_step with a frame
   and the reward of the last action. The agent learns inside this call. The call returns the next
   action. The game: a ball falls, and the agent moves a paddle under the ball. Runs for about 5
   seconds.

       cc -O2 examples/loop.c -o loop -lm && ./loop
*/
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 8, LEFT = 0, RIGHT = 2, GAMES = 2500 };

/* Draws the ball at `row` and column `ball`, and the paddle in the last row. */
static void draw(uint8_t *frame, int row, int ball, int paddle)
{
    memset(frame, 0, SIZE * SIZE);
    frame[row * SIZE + ball] = 255;
    frame[(SIZE - 1) * SIZE + paddle] = 255;
}

/* Plays one game. Only the last frame has a reward: 1 for a catch, -1 for a miss. Returns 0 if the
   agent refuses a call. */
static int play(rise_agent *agent, int ball)
{
    uint8_t frame[SIZE * SIZE];
    int row, paddle = SIZE / 2;
    for (row = 0; row < SIZE - 1; row++) {
        int action;
        draw(frame, row, ball, paddle);
        action = rise_agent_step(agent, frame, 0, row == 0 ? RISE_FIRST : RISE_MIDDLE);
        if (action < 0) return 0;
        if (action == LEFT && paddle > 0) paddle--;
        if (action == RIGHT && paddle < SIZE - 1) paddle++;
    }
    draw(frame, row, ball, paddle);
    return rise_agent_step(agent, frame, ball == paddle ? 1 : -1, RISE_TERMINATED) >= 0;
}

int main(void)
{
    rise_agent_desc desc;
    rise_agent *agent;
    rise_error error;
    rise_metrics metrics;
    uint32_t random = 1;
    int game, learned;

    memset(&desc, 0, sizeof desc); /* a field that stays 0 gets its default */
    desc.frame_width = desc.frame_height = SIZE;
    desc.actions = 3; /* left, stay, right */
    if (rise_agent_create(&agent, &desc, &error) != RISE_OK) {
        fprintf(stderr, "loop: %s\n", error.text);
        return 1;
    }
    for (game = 0; game < GAMES; game++) {
        random = random * 1664525 + 1013904223; /* a linear congruential generator */
        /* the upper 3 bits of `random` are one of eight columns */
        if (!play(agent, (int)(random >> 29))) {
            fprintf(stderr, "loop: %s\n", rise_agent_error(agent)->text);
            return 1;
        }
    }
    rise_agent_metrics(agent, &metrics);
    rise_agent_destroy(agent);

    learned = metrics.mean_return > 0.9;
    printf("After %d games and %ld updates the agent caught %.0f of the last 100 balls: %s.\n",
           GAMES, (long)metrics.updates, 50 + 50 * metrics.mean_return,
           learned ? "it has learned the game" : "it has NOT learned the game");
    return learned ? 0 : 1;
}
