/* Your own frozen encoder: a frozen encoder computes an embedding of each frame, and RISE stores
   the embedding. Here the encoder is a function of the caller. The function sums the brightness of
   each quarter of the frame. The library calls the function once for each frame, and again for the
   frames that are stored when learning starts. Updates only read the embeddings. Runs for about 4
   seconds.

       cc -O2 examples/own_encoder.c -o own_encoder -lm && ./own_encoder
*/
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <stdio.h>
#include <string.h>

enum { SIZE = 8, QUARTERS = 4, DARK_STEPS = 5, ASKED = DARK_STEPS + 1, EPISODES = 1500 };

/* Computes the embedding [QUARTERS] of a frame [SIZE][SIZE]. The result must depend on the frame
   only. The library standardises each number of an embedding. So the scale of a number does not
   matter, if its standard deviation is far above 0.001. `user` points to the number of calls, for
   the text at the end. */
static void embed(void *user, const uint8_t *frame, float *embedding, int size)
{
    int i, y, x;
    ++*(long *)user;
    for (i = 0; i < size; i++) embedding[i] = 0;
    for (y = 0; y < SIZE; y++)
        for (x = 0; x < SIZE; x++)
            embedding[y / (SIZE / 2) * 2 + x / (SIZE / 2)] += (float)frame[y * SIZE + x] / 255;
}

/* Draws frame `time` of an episode. A light flashes in one quarter, and dark frames follow. Then a
   mark in the centre asks in which quarter the light was. The mark covers one pixel of each
   quarter. */
static void draw(int time, int quarter, uint8_t *frame)
{
    int const top = time == 0 ? quarter / 2 * (SIZE / 2) + 1 : SIZE / 2 - 1;
    int const left = time == 0 ? quarter % 2 * (SIZE / 2) + 1 : SIZE / 2 - 1;
    int const size = time == 0 || time == ASKED ? 2 : 0;
    int y;
    memset(frame, 0, SIZE * SIZE);
    for (y = 0; y < size; y++) memset(frame + (top + y) * SIZE + left, 255, (size_t)size);
}

int main(void)
{
    rise_agent_desc desc;
    rise_agent *agent;
    rise_error error;
    rise_metrics metrics;
    uint8_t frame[SIZE * SIZE];
    uint32_t random = 1;
    long calls = 0;
    int episode, time, action = 0, right = 0, good;

    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = SIZE;
    desc.actions = QUARTERS;
    desc.window = ASKED + 1;
    desc.embedding = RISE_EMBED_USER;
    desc.embedding_size = QUARTERS;
    desc.embed_fn = embed; /* files do not hold embed_fn: also set embed_fn in `machine` */
    desc.embed_user = &calls;
    desc.epsilon_steps = 6000;
    if (rise_agent_create(&agent, &desc, &error) != RISE_OK)
        return fprintf(stderr, "own_encoder: %s\n", error.text), 1;
    for (episode = 0; episode < EPISODES; episode++) {
        int const quarter = (int)((random = random * 1664525 + 1013904223) >> 30);
        for (time = 0; time <= ASKED; time++) {
            draw(time, quarter, frame);
            action = rise_agent_step(agent, frame, 0, time == 0 ? RISE_FIRST : RISE_MIDDLE);
            if (action < 0)
                return fprintf(stderr, "own_encoder: %s\n", rise_agent_error(agent)->text), 1;
        }
        right += episode >= EPISODES - 100 && action == quarter;
        draw(time, quarter, frame);
        if (rise_agent_step(agent, frame, action == quarter ? 1 : -1, RISE_TERMINATED) < 0)
            return fprintf(stderr, "own_encoder: %s\n", rise_agent_error(agent)->text), 1;
    }
    rise_agent_metrics(agent, &metrics);
    printf("%d of the last 100 answers were correct (by chance: 25). Some actions are random, for "
           "exploration.\n"
           "The agent saw %ld frames and did %ld updates. The encoder ran %ld times: once for each "
           "frame,\n"
           "and again for the frames that were stored when learning started.\n",
           right, (long)metrics.steps + EPISODES, (long)metrics.updates, calls);
    rise_agent_destroy(agent);
    good = right >= 85 && calls < 2 * ((long)metrics.steps + EPISODES);
    if (!good) fputs("own_encoder: the agent has not learned, or embedded too often\n", stderr);
    return good ? 0 : 1;
}
