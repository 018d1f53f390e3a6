/* A time budget for learning: a real-time game lets the agent learn only in the time that is left
   of each tick. With learn_outside, rise_agent_step never learns. rise_agent_learn_for does the
   updates that are due, for about the given number of microseconds. Runs for about 5 seconds.

       cc -O2 examples/frame_budget.c -o frame_budget -lm && ./frame_budget

   Here clock_fn returns the CPU time of this process, so that other programs do not disturb the
   measurement. (On Windows, clock() returns elapsed time.) In a real game, leave clock_fn NULL: the
   library then reads a clock of the system.
*/
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SIZE = 8, LEFT = 0, RIGHT = 2, TICKS = 20000, BUDGET = 1000 /* microseconds a tick */ };

static double cpu_seconds(void *user)
{
    (void)user;
    return (double)clock() / CLOCKS_PER_SEC;
}

/* Draws the falling ball and the paddle. */
static void draw(uint8_t *frame, int row, int ball, int paddle)
{
    memset(frame, 0, SIZE * SIZE);
    frame[row * SIZE + ball] = 255;
    frame[(SIZE - 1) * SIZE + paddle] = 255;
}

int main(void)
{
    rise_agent_desc desc;
    rise_agent *agent;
    rise_error error;
    rise_metrics metrics;
    uint8_t frame[SIZE * SIZE];
    uint32_t random = 1;
    double spent = 0;
    int tick, row = 0, ball = 0, paddle = 0, good;

    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = SIZE;
    desc.actions = 3;
    desc.learn_outside = 1;
    desc.clock_fn = cpu_seconds;
    if (rise_agent_create(&agent, &desc, &error) != RISE_OK)
        return fprintf(stderr, "frame_budget: %s\n", error.text), 1;
    for (tick = 0; tick < TICKS; tick++) {
        double const begin = cpu_seconds(NULL);
        double left;
        int const last = row == SIZE - 1;
        int action;
        if (row == 0) {
            random = random * 1664525 + 1013904223;
            ball = (int)(random >> 29);
            paddle = SIZE / 2;
        }
        draw(frame, row, ball, paddle);
        action = rise_agent_step(agent, frame,
                                 !last            ? 0.0f
                                 : ball == paddle ? 1.0f
                                                  : -1.0f,
                                 row == 0 ? RISE_FIRST
                                 : last   ? RISE_TERMINATED
                                          : RISE_MIDDLE);
        if (action < 0)
            return fprintf(stderr, "frame_budget: %s\n", rise_agent_error(agent)->text), 1;
        if (action == LEFT && paddle > 0) paddle--;
        if (action == RIGHT && paddle < SIZE - 1) paddle++;
        row = last ? 0 : row + 1;
        /* A real game draws its picture here. The agent learns in the time that is then left. */
        left = BUDGET - 1e6 * (cpu_seconds(NULL) - begin);
        if (rise_agent_learn_for(agent, left > 0 ? left : 0) < 0)
            return fprintf(stderr, "frame_budget: %s\n", rise_agent_error(agent)->text), 1;
        spent += 1e6 * (cpu_seconds(NULL) - begin);
    }
    rise_agent_metrics(agent, &metrics);
    rise_agent_destroy(agent);
    printf("Game and agent together took %.0f of %d microseconds a tick on average, with %ld "
           "updates\n"
           "in %d ticks; %ld more updates are due. The agent caught %.0f of the last 100 balls.\n",
           spent / TICKS, BUDGET, (long)metrics.updates, TICKS, (long)metrics.updates_owed,
           50 + 50 * metrics.mean_return);
    /* 5% of the actions are random, so not every ball is caught */
    good = spent / TICKS <= BUDGET && metrics.mean_return > 0.8;
    if (!good) fputs("frame_budget: too slow for this budget, or not learned\n", stderr);
    return good ? 0 : 1;
}
