/* Ship a policy: saves a trained agent without the data that only learning needs, such as the
   replay buffer. The shipped game loads the policy with play_only. One agent then plays 30
   characters, and keeps a short history of each character. Runs for about 5 seconds. A program
   that reads no files can include a policy as a C header: `./watch FILE --export guards.h` writes
   such a header.

       cc -O2 examples/ship_policy.c -o ship_policy -lm && ./ship_policy
*/
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 8, DARK_STEPS = 5, ASKED = DARK_STEPS + 1, CHARACTERS = 30, EPISODES = 1200 };

static const char *const path = "ship_policy.rise";

/* Draws frame `time` of an episode. A light flashes left or right, and dark frames follow. Then a
   mark asks on which side the light was. */
static void draw(int time, int side, uint8_t *frame)
{
    memset(frame, 0, SIZE * SIZE);
    if (time == 0) frame[side * (SIZE - 1)] = 255;
    if (time == ASKED) frame[SIZE * 4 + 4] = 255;
}

/* Trains an agent and saves its policy. Returns the bytes of the training agent; 0 on failure. */
static size_t train_and_save(rise_error *error)
{
    rise_agent_desc desc;
    rise_agent *agent;
    rise_metrics metrics;
    uint8_t frame[SIZE * SIZE];
    uint32_t random = 1;
    int episode, time, action = 0, good = 1;
    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = SIZE;
    desc.actions = 2;
    desc.window = ASKED + 1;
    desc.epsilon_steps = 4000;
    if (rise_agent_create(&agent, &desc, error) != RISE_OK) return 0;
    for (episode = 0; episode < EPISODES && good; episode++) {
        int const side = (int)((random = random * 1664525 + 1013904223) >> 31);
        for (time = 0; time <= ASKED && good; time++) {
            draw(time, side, frame);
            action = rise_agent_step(agent, frame, 0, time == 0 ? RISE_FIRST : RISE_MIDDLE);
            good = action >= 0;
        }
        if (!good) break;
        draw(time, side, frame);
        good = rise_agent_step(agent, frame, action == side ? 1 : -1, RISE_TERMINATED) >= 0;
    }
    rise_agent_metrics(agent, &metrics);
    if (!good) {
        *error = *rise_agent_error(agent);
        metrics.bytes = 0;
    } else if (rise_agent_save(agent, RISE_SAVE_POLICY, path, error) != RISE_OK) metrics.bytes = 0;
    rise_agent_destroy(agent);
    return metrics.bytes;
}

int main(void)
{
    rise_agent_desc machine;
    rise_agent *agent;
    rise_error error;
    rise_metrics metrics;
    uint8_t frame[SIZE * SIZE];
    int tick, i, right = 0, good;
    size_t const training_bytes = train_and_save(&error);
    rise_result loaded;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    machine.players = CHARACTERS;
    if (training_bytes == 0) return fprintf(stderr, "ship_policy: %s\n", error.text), 1;
    loaded = rise_agent_load(&agent, path, &machine, &error);
    remove(path);
    if (loaded != RISE_OK) return fprintf(stderr, "ship_policy: %s\n", error.text), 1;
    /* Character i begins its episode at tick i. So at each tick the characters are at different
       frames of their episodes. The side of the light differs between characters, too. */
    for (tick = 0; tick <= CHARACTERS + ASKED; tick++)
        for (i = 0; i < CHARACTERS; i++) {
            int const time = tick - i, side = i * 7 % 3 % 2;
            int action;
            if (time < 0 || time > ASKED) continue;
            draw(time, side, frame);
            action =
                rise_agent_play(agent, i, frame, 0, time == 0 ? RISE_FIRST : RISE_MIDDLE, NULL);
            if (action < 0)
                return fprintf(stderr, "ship_policy: %s\n", rise_agent_error(agent)->text), 1;
            right += time == ASKED && action == side;
        }
    rise_agent_metrics(agent, &metrics);
    printf("To train, the agent took %.1f MB of memory. To play, the agent takes %.2f MB for %d "
           "characters.\n"
           "%d of %d characters remembered on which side their light was.\n",
           (double)training_bytes / 1e6, (double)metrics.bytes / 1e6, CHARACTERS, right,
           CHARACTERS);
    rise_agent_destroy(agent);
    good = right == CHARACTERS && metrics.bytes < training_bytes / 4;
    if (!good) fputs("ship_policy: not all remembered, or the memory is too large\n", stderr);
    return good ? 0 : 1;
}
