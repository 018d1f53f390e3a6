/* Makes UPDATES updates of an agent. bench/neon.sh runs this program to count instructions.

       neon ref|c|neon rise|none|full SIDE UNITS BATCH UPDATES

   Frames are SIDE x SIDE, the window is 16. The replay buffer holds random frames of one episode.
   The episode is longer than any window, so no window contains padding. */
#define RISE_IMPLEMENTATION
#include "../rise.h"

enum { CAPACITY = 64, WINDOW = 16, ACTIONS = 18 };

/* Returns the index of `name` in `names`. Ends the program if it is not there. */
static int one_of(const char *const *names, int count, const char *name)
{
    int i;
    for (i = 0; i < count; i++)
        if (strcmp(name, names[i]) == 0) return i;
    fprintf(stderr, "neon: unknown argument: %s\n", name);
    exit(2);
}

int main(int count, char **arguments)
{
    /* in the order of rise_isa */
    static const char *const isas[] = {"auto", "ref", "c", "avx2", "avx512", "neon"};
    /* in the order of rise_memory */
    static const char *const memories[] = {"rise", "none", "full"};
    static uint8_t frame[1024 * 1024];
    static rise_agent_desc desc;
    rise_agent *agent;
    rise_error error;
    uint32_t random = 1;
    int step, i;
    if (count != 7)
        return fprintf(stderr, "usage: %s ISA MEMORY SIDE UNITS BATCH UPDATES\n", arguments[0]), 2;
    desc.isa = (rise_isa)one_of(isas, 6, arguments[1]);
    desc.memory = (rise_memory)one_of(memories, 3, arguments[2]);
    desc.frame_width = desc.frame_height = atoi(arguments[3]);
    desc.recurrent_units = desc.embedding_size = atoi(arguments[4]);
    desc.embedding = RISE_EMBED_SIGNS; /* downsampling would lower embedding_size */
    desc.batch = atoi(arguments[5]);
    desc.window = WINDOW;
    desc.actions = ACTIONS;
    desc.learn_outside = 1, desc.batch_parts = 1;
    desc.replay_capacity = desc.learn_start = CAPACITY;
    /* random actions need no network, so the buffer is filled quickly */
    desc.epsilon_end = 1;
    if (rise_agent_create(&agent, &desc, &error) != RISE_OK)
        return fprintf(stderr, "%s\n", error.text), 1;
    for (step = 0; step < CAPACITY + 2 * WINDOW; step++) {
        for (i = 0; i < desc.frame_width * desc.frame_height; i++)
            frame[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
        rise_agent_step(agent, frame, (float)(step % 7 == 0), step == 0 ? RISE_FIRST : RISE_MIDDLE);
    }
    for (i = 0; i < atoi(arguments[6]); i++)
        if (rise_agent_learn(agent) != RISE_OK)
            return fprintf(stderr, "%s\n", rise_agent_error(agent)->text), 1;
    rise_agent_destroy(agent);
    return 0;
}
