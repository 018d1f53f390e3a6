/* The desktop's half of bench/embedded.sh. Trains an agent of 13131 parameters, saves its policy
   with floats and with 8-bit weights, exports both as C headers, and plays both:

       embedded FOLDER

   The folders FOLDER/float32 and FOLDER/int8 must exist. Each gets echo.rise, echo.h and
   desktop.txt, which the board's output must equal. The exit status is 1 if a call failed. */
#include "../examples/export.h" /* first: defines _DEFAULT_SOURCE */

#define RISE_IMPLEMENTATION
#include "../rise.h"

#include "embedded/game.h"

enum { TRAINING = 2000, EPISODES = 1000 };

static int fail(const rise_error *error)
{
    fprintf(stderr, "embedded: %s\n", error->text);
    return 0;
}
static const char *in_folder(const char *folder, const char *kind, const char *name)
{
    static char path[512];
    snprintf(path, sizeof path, "%.400s/%s/%s", folder, kind, name);
    return path;
}

/* Trains the agent. Returns NULL on failure. */
static rise_agent *train(rise_error *error)
{
    rise_agent_desc desc;
    rise_agent *agent;
    game g = game_new();
    uint8_t frame[SIZE * SIZE];
    int episode, time, action = 0;
    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = SIZE;
    desc.actions = 2;
    desc.window = STEPS;
    desc.recurrent_units = 20, desc.carry_state = 1, desc.feed_action = 1;
    desc.embedding_size = 25, desc.features = 32, desc.head_units = 16, desc.frame_stack = 1;
    desc.epsilon_steps = 4000;
    if (rise_agent_create(&agent, &desc, error) != RISE_OK) return NULL;
    g.random = 1;
    for (episode = 0; episode < TRAINING; episode++) {
        int const side = game_random(&g, 2);
        for (time = action = 0; time < STEPS; time++) {
            game_draw(&g, time, side, frame);
            action = rise_agent_step(agent, frame, action ? -0.1f : 0,
                                     time == 0 ? RISE_FIRST : RISE_MIDDLE);
        }
        game_draw(&g, time, side, frame);
        rise_agent_step(agent, frame, action == side ? 1 : -1, RISE_TERMINATED);
    }
    return agent;
}

/* Loads a policy, plays the episodes that the board plays, and writes what the board prints. */
static int play(const char *policy, const char *output, rise_error *error)
{
    rise_agent_desc machine;
    rise_agent *agent;
    game g = game_new();
    char line[STEPS + 4];
    int episode;
    FILE *file;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    if (rise_agent_load(&agent, policy, &machine, error) != RISE_OK) return 0;
    file = fopen(output, "w");
    for (episode = 0; file != NULL && episode < EPISODES; episode++)
        if (game_play(&g, agent, line)) fputs(line, file);
    rise_agent_destroy(agent);
    if (file == NULL) return 0;
    fprintf(file, "score %d hash %lu \n", g.right, (unsigned long)g.hash);
    return fclose(file) == 0;
}

/* Saves a policy, exports it and plays it. */
static int ship(const rise_agent *agent, rise_save what, const char *folder, const char *kind,
                rise_error *error)
{
    char policy[512];
    strcpy(policy, in_folder(folder, kind, "echo.rise"));
    return rise_agent_save(agent, what, policy, error) == RISE_OK &&
           export_policy(policy, in_folder(folder, kind, "echo.h"), RISE_SAVE_POLICY, error) &&
           play(policy, in_folder(folder, kind, "desktop.txt"), error);
}

int main(int count, char **arguments)
{
    rise_error error = {RISE_OK, "cannot write"};
    rise_agent *agent;
    int good;
    if (count != 2) return fprintf(stderr, "usage: %s FOLDER\n", arguments[0]), 2;
    agent = train(&error);
    good = agent != NULL &&
           ship(agent, RISE_SAVE_POLICY, arguments[1], "float32", &error) &&
           ship(agent, RISE_SAVE_INT8, arguments[1], "int8", &error);
    if (!good) fail(&error);
    rise_agent_destroy(agent);
    return !good;
}
