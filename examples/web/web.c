/* The C half of the web page: one agent that learns one game of games.h. The page runs this program
   twice, in two workers: once with memory, once without. `make web` builds the page from this file,
   worker.js, page.js and index.html. The page is one file, and a browser can open it from the disk:
   build/web/index.html.

       emcc -O3 -msimd128 examples/web/web.c -o build/web/rise.js -sMODULARIZE \
           -sEXPORT_NAME=createRise -sENVIRONMENT=worker,node -sSINGLE_FILE -sALLOW_MEMORY_GROWTH \
           -sEXPORTED_RUNTIME_METHODS=UTF8ToString,HEAPU8,HEAPF32 --no-entry

   JavaScript calls the functions marked WEB_API. Arrays are passed as addresses in the memory of
   WebAssembly. tests/web.sh also compiles this file natively, and compares the trained weights. */
#include "../game_trainer.h" /* first: defines _DEFAULT_SOURCE */

#define RISE_IMPLEMENTATION
#include "../../rise.h"

/* emcc exports functions that are marked as used. */
#define WEB_API __attribute__((used))

/* The agent, and the episode that the page draws. The greedy agent plays this episode. */
static struct {
    trainer training;
    game game; /* kind and length: each evaluation starts from a copy */
    double steps;
    episode shown;
    uint8_t real[GAME_PIXELS]; /* the frame of `shown` with nothing hidden */
    float values[GAME_ACTIONS];
    char text[1024];
} web;

/* Returns the number of games. */
WEB_API int web_games(void) { return GAME_KINDS; }

/* Describes a game as JSON. "length" is the default length; 0 if the length is fixed. */
WEB_API const char *web_game(int kind)
{
    const game_spec *const spec = game_spec_of((game_kind)kind);
    int used = snprintf(
        web.text, sizeof web.text,
        "{\"name\":\"%s\",\"text\":\"%s\",\"width\":%d,\"height\":%d,\"length\":%d,\"least\":%d,"
        "\"most\":%d,\"without\":%.6f,\"best\":%.6f,\"open\":%d,\"steps\":%d,\"actions\":[",
        spec->name, spec->text, spec->width, spec->height, spec->length, spec->least_length,
        spec->most_length, spec->without_memory, spec->best, spec->open,
        recipe_of((game_kind)kind)->show_steps);
    int i;
    for (i = 0; i < spec->actions; i++)
        used += snprintf(web.text + used, sizeof web.text - (size_t)used, "%s\"%s\"",
                         i > 0 ? "," : "", spec->action_names[i]);
    snprintf(web.text + used, sizeof web.text - (size_t)used, "]}");
    return web.text;
}

/* Returns the number of frames from the first frame of the cue to the last frame where the agent
   needs the cue. Both are counted, and the agent makes no detour. A shorter window cannot hold
   both. In Lock-Catch, three frames show the ball, so a window that is two shorter still holds one
   of them. Pairs and Pong have no single cue: returns the library's default window. */
WEB_API int web_needed(int kind, int length)
{
    switch (game_spec_of((game_kind)kind)->rules) {
    case GAME_BLINKING: return length + 2;
    case GAME_WALKING:
    case GAME_UNLOCKING: return length + 1;
    case GAME_CATCHING: return GAME_CATCH_STEPS;
    default: return 16;
    }
}

/* Returns the window that game_trainer.h sets for the game (struct recipe). If it sets none,
   returns the most frames of an episode before its last frame. Such a window also holds the cue if
   the agent makes detours, as it does in exploration. */
WEB_API int web_longest(int kind, int length)
{
    const recipe *const how = recipe_of((game_kind)kind);
    game g;
    game_init(&g, (game_kind)kind, length, 0);
    return how->window > 0 ? how->window : game_longest(&g);
}

static void web_begin_episode(void)
{
    game_reset(&web.shown.state);
    episode_begin(&web.shown, web.shown.state.start);
    memset(web.values, 0, sizeof web.values);
}

/* Destroys the agent, if there is one, and makes a new one. `memory` is a rise_memory. The share of
   random actions falls during half of the `steps`, and the learning rate during all. Returns "" or
   the sentence of an error. */
WEB_API const char *web_begin(int kind, int length, int memory, int window, int steps, int seed)
{
    rise_error error;
    rise_agent_desc desc;
    rise_agent_destroy(web.training.agent);
    memset(&web, 0, sizeof web);
    if (!game_init(&web.game, (game_kind)kind, length, (uint64_t)seed))
        return "The game cannot have this length.";
    desc = trainer_desc(&web.game, steps, seed);
    desc.memory = (rise_memory)memory;
    desc.window = window;
    if (trainer_begin(&web.training, &web.game, &desc, &error) != RISE_OK) {
        snprintf(web.text, sizeof web.text, "%s", error.text);
        return web.text;
    }
    web.shown.state = web.game;
    web_begin_episode();
    return "";
}

/* Steps the TRAINER_GAMES games in which the agent learns, `ticks` times each, and does the updates
   that are due. Returns the number of steps since web_begin, or -1 if the agent failed. */
WEB_API double web_train(int ticks)
{
    int i;
    for (i = 0; i < ticks; i++) {
        int const steps = trainer_tick(&web.training);
        if (steps < 0) return -1;
        web.steps += steps;
    }
    return web.steps;
}

/* Returns the mean score of the greedy agent over the starts of the game. */
WEB_API double web_score(void) { return trainer_score(web.training.agent, &web.game); }

WEB_API double web_updates(void)
{
    rise_metrics metrics;
    rise_agent_metrics(web.training.agent, &metrics);
    return (double)metrics.updates;
}
WEB_API double web_exploration(void)
{
    rise_metrics metrics;
    rise_agent_metrics(web.training.agent, &metrics);
    return metrics.epsilon;
}
/* Returns the sentence of the agent's last error. */
WEB_API const char *web_error(void) { return rise_agent_error(web.training.agent)->text; }

/* Plays one step of the shown episode. If the episode was over, begins the next one instead.
   Returns 1 if the step ended the episode with a reward above 0, -1 if the step ended the episode
   otherwise, else 0. */
WEB_API int web_show(void)
{
    if (web.shown.state.done)
        web_begin_episode();
    else if (episode_step(&web.shown, web.training.agent, SHOWN))
        memcpy(web.values, rise_agent_values(web.training.agent, SHOWN),
               (size_t)web.game.spec->actions * sizeof *web.values);
    if (!web.shown.state.done) return 0;
    return web.shown.reward > 0 ? 1 : -1;
}
/* Returns what the player sees: [height][width] bytes. */
WEB_API const uint8_t *web_seen(void) { return web.shown.state.frame; }
/* Returns the same frame with nothing hidden. */
WEB_API const uint8_t *web_real(void)
{
    game_draw(&web.shown.state, 1, web.real);
    return web.real;
}
/* Returns the Q values [actions] of the last step, and 0 before the first. */
WEB_API const float *web_values(void) { return web.values; }
/* Returns the last action, or -1 before the first. */
WEB_API int web_action(void) { return web.shown.action; }

/* Returns "" if the self-test of the reference kernels and of the plain C kernels passes, else the
   sentence of the error. The self-test compares the weights of a training run with a hash that is
   the same on every machine. */
WEB_API const char *web_self_test(void)
{
    rise_error error;
    if (rise_self_test(RISE_ISA_REF, &error) == RISE_OK &&
        rise_self_test(RISE_ISA_C, &error) == RISE_OK)
        return "";
    snprintf(web.text, sizeof web.text, "%s", error.text);
    return web.text;
}
/* Returns the FNV-1a hash of the agent's weights, as 16 hexadecimal digits. */
WEB_API const char *web_hash(void)
{
    const uint8_t *const bytes = (const uint8_t *)rise_agent_parameters(web.training.agent);
    uint64_t hash = UINT64_C(14695981039346656037);
    rise_metrics metrics;
    size_t i;
    rise_agent_metrics(web.training.agent, &metrics);
    for (i = 0; i < metrics.parameters * sizeof(rise_real); i++)
        hash = (hash ^ bytes[i]) * UINT64_C(1099511628211);
    snprintf(web.text, sizeof web.text, "%08lx%08lx", (unsigned long)(hash >> 32),
             (unsigned long)(hash & 0xFFFFFFFFu));
    return web.text;
}
