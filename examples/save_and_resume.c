/* Save and resume: saves an agent in the middle of its training and loads a copy. The original and
   the copy both continue to train. At the end their weights are equal, bit for bit. RISE_SAVE_ALL
   stores the replay buffer too. The caller must store the state of the game. Runs for about 3
   seconds.

       cc -O2 examples/save_and_resume.c -o save_and_resume -lm && ./save_and_resume
*/
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 8, DARK_STEPS = 5, STEPS = 4000 };

/* The state of the game. A light flashes left or right, and dark frames follow. Then a mark asks on
   which side the light was. The caller saves this struct when it saves the agent. */
typedef struct light_game {
    uint32_t random;
    int time, side;
    float reward;
} light_game;

/* Passes `steps` frames to the agent, last frames of episodes included. metrics.steps leaves last
   frames out: after 4000 frames, metrics.steps is 3500. Returns 0 if the agent refuses a call. */
static int train(rise_agent *agent, light_game *g, int steps)
{
    uint8_t frame[SIZE * SIZE];
    for (; steps > 0; steps--) {
        rise_event const event = g->time == 0               ? RISE_FIRST
                                 : g->time < DARK_STEPS + 2 ? RISE_MIDDLE
                                                            : RISE_TERMINATED;
        int action;
        if (event == RISE_FIRST) {
            g->random = g->random * 1664525 + 1013904223;
            g->side = (int)(g->random >> 31);
        }
        memset(frame, 0, sizeof frame);
        if (g->time == 0) frame[g->side * (SIZE - 1)] = 255;      /* the light */
        if (g->time == DARK_STEPS + 1) frame[SIZE * 4 + 4] = 255; /* the question */
        action = rise_agent_step(agent, frame, g->reward, event);
        if (action < 0) return 0;
        g->reward = g->time != DARK_STEPS + 1 ? 0 : action == g->side ? 1 : -1;
        g->time = event == RISE_TERMINATED ? 0 : g->time + 1;
    }
    return 1;
}

int main(void)
{
    static const char *const path = "save_and_resume.rise";
    rise_agent_desc desc;
    rise_agent *original, *resumed;
    rise_error error;
    rise_metrics metrics;
    rise_result loaded;
    light_game game = {1, 0, 0, 0}, saved_game;
    int same, good;

    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = SIZE;
    desc.actions = 2;
    desc.window = DARK_STEPS + 2;
    desc.epsilon_steps = STEPS;
    if (rise_agent_create(&original, &desc, &error) != RISE_OK)
        return fprintf(stderr, "save_and_resume: %s\n", error.text), 1;
    if (!train(original, &game, STEPS))
        return fprintf(stderr, "save_and_resume: %s\n", rise_agent_error(original)->text), 1;
    saved_game = game;
    if (rise_agent_save(original, RISE_SAVE_ALL, path, &error) != RISE_OK)
        return fprintf(stderr, "save_and_resume: %s\n", error.text), 1;
    rise_agent_metrics(original, &metrics);
    printf("Saved after %ld steps: mean return of the last 100 episodes %+.2f.\n",
           (long)metrics.steps, metrics.mean_return);

    if (!train(original, &game, STEPS)) /* the original is not interrupted */
        return fprintf(stderr, "save_and_resume: %s\n", rise_agent_error(original)->text), 1;

    loaded = rise_agent_load(&resumed, path, NULL, &error);
    remove(path);
    if (loaded != RISE_OK) return fprintf(stderr, "save_and_resume: %s\n", error.text), 1;
    if (!train(resumed, &saved_game, STEPS))
        return fprintf(stderr, "save_and_resume: %s\n", rise_agent_error(resumed)->text), 1;

    rise_agent_metrics(resumed, &metrics);
    same = memcmp(rise_agent_parameters(original), rise_agent_parameters(resumed),
                  metrics.parameters * sizeof(rise_real)) == 0;
    printf("The resumed agent is at step %ld: mean return %+.2f.\n"
           "The %ld weights of the resumed agent %s those of the original.\n",
           (long)metrics.steps, metrics.mean_return, (long)metrics.parameters,
           same ? "equal" : "DIFFER FROM");
    rise_agent_destroy(resumed);
    rise_agent_destroy(original);
    good = same && metrics.mean_return > 0.8;
    if (!good) fputs("save_and_resume: the agents differ, or have not learned\n", stderr);
    return good ? 0 : 1;
}
