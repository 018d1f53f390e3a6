/* Many environments at once: 16 copies of a game step together, and one agent learns from all
   copies. Episodes end at different times, so each copy has its own event and its own reward. The
   game: a ball falls from a random height, and the agent moves a paddle under the ball. Runs for
   about 5 seconds.

       cc -O2 examples/many_environments.c -o many_environments -lm && ./many_environments
*/
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 8, LEFT = 0, RIGHT = 2, ENVIRONMENTS = 16, CALLS = 1200 };

typedef struct catch_game {
    int row, ball, paddle;
} catch_game;

static void reset(catch_game *g, uint32_t *random)
{
    *random = *random * 1664525 + 1013904223;
    g->ball = (int)(*random >> 29);    /* one of eight columns */
    g->row = (int)(*random >> 27) & 3; /* one of the four upper rows */
    g->paddle = SIZE / 2;
}

static void move(catch_game *g, int action)
{
    if (action == LEFT && g->paddle > 0) g->paddle--;
    if (action == RIGHT && g->paddle < SIZE - 1) g->paddle++;
    g->row++;
}

static void draw(const catch_game *g, uint8_t *frame)
{
    memset(frame, 0, SIZE * SIZE);
    frame[g->row * SIZE + g->ball] = 255;
    frame[(SIZE - 1) * SIZE + g->paddle] = 255;
}

int main(void)
{
    static catch_game games[ENVIRONMENTS];
    static uint8_t frames[ENVIRONMENTS][SIZE * SIZE];
    float rewards[ENVIRONMENTS] = {0};
    rise_event events[ENVIRONMENTS];
    int actions[ENVIRONMENTS], call, i, learned;
    rise_agent_desc desc;
    rise_agent *agent;
    rise_error error;
    rise_metrics metrics;
    uint32_t random = 1;

    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = SIZE;
    desc.actions = 3;
    desc.environments = ENVIRONMENTS;
    if (rise_agent_create(&agent, &desc, &error) != RISE_OK) {
        fprintf(stderr, "many_environments: %s\n", error.text);
        return 1;
    }
    for (i = 0; i < ENVIRONMENTS; i++) reset(&games[i], &random), events[i] = RISE_FIRST;
    for (call = 0; call < CALLS; call++) {
        for (i = 0; i < ENVIRONMENTS; i++) draw(&games[i], frames[i]);
        if (rise_agent_step_all(agent, frames[0], NULL, rewards, events, NULL,
                                actions) != RISE_OK) {
            fprintf(stderr, "many_environments: %s\n", rise_agent_error(agent)->text);
            return 1;
        }
        for (i = 0; i < ENVIRONMENTS; i++) {
            catch_game *const g = &games[i];
            if (events[i] == RISE_TERMINATED) { /* the last frame was passed: reset */
                reset(g, &random);
                events[i] = RISE_FIRST;
                rewards[i] = 0;
            } else {
                move(g, actions[i]);
                events[i] = g->row == SIZE - 1 ? RISE_TERMINATED : RISE_MIDDLE;
                rewards[i] = events[i] == RISE_MIDDLE ? 0 : g->ball == g->paddle ? 1 : -1;
            }
        }
    }
    rise_agent_metrics(agent, &metrics);
    rise_agent_destroy(agent);

    learned = metrics.mean_return > 0.8; /* 5% of the actions are random */
    printf("%d environments took %ld steps in %d calls and ended %ld episodes.\n"
           "The agent caught %.0f of the last 100 balls: %s.\n",
           ENVIRONMENTS, (long)metrics.steps, CALLS, (long)metrics.episodes,
           50 + 50 * metrics.mean_return,
           learned ? "it has learned the game" : "it has NOT learned the game");
    return learned ? 0 : 1;
}
