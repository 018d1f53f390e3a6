/* Shows how a saved agent plays: the game, and the expected return of each action. memory.c names
   its files after the game (lock-catch.rise, corridor-10.rise), and watch reads the game from such
   a name. For other names pass --game and --length.

       cc -O2 examples/watch.c -o watch -lm && ./watch lock-catch.rise

   With --export, writes the agent as a C header instead, for a program that plays it without a
   file. Any file of rise.h will do. The header explains its use.

       ./watch lock-catch.rise --export catcher.h

   With --int8, the header has 8-bit weights and a quarter of the bytes. If the agent plays one of
   the small games, watch plays it with both kinds of weights. It reports both scores, and how many
   actions are equal.

       ./watch lock-catch.rise --export catcher8.h --int8
*/
#include "export.h" /* first: defines _DEFAULT_SOURCE */
#include "command_line.h"
#include "game_episode.h"
#include "self_test.h"

#define RISE_IMPLEMENTATION
#include "../rise.h"

enum { COMPARED = 200 /* episodes */ };

typedef struct options {
    const char *path;
    const char *header; /* to be written; NULL: show how the agent plays */
    int int8;           /* 1: the header has 8-bit weights */
    game_kind game;     /* GAME_KINDS: read from the file name */
    int length;
    int episodes; /* 0: 10, or COMPARED with --int8 */
    int seed;
} options;

static void print_usage(void)
{
    int kind;
    fputs("watch FILE [--game NAME] [--length L] [--episodes N] [--seed N]: shows how a "
          "saved agent plays.\nwatch FILE --export HEADER.h [--int8]: writes the agent as a C "
          "header.\nwatch --self-test: checks this build on this machine.\nGames:",
          stdout);
    for (kind = 0; kind < GAME_KINDS; kind++) printf(" %s", game_spec_of((game_kind)kind)->name);
    puts(". Ctrl-C ends watch.");
}

static const command_option table[] = {
    {"--game", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--length", COMMAND_WHOLE, COMMAND_ONCE, "", 1, 1e9, ""}, /* load checks its range */
    {"--episodes", COMMAND_WHOLE, COMMAND_ONCE, "", 1, 1e9, ""},
    {"--seed", COMMAND_WHOLE, COMMAND_ONCE, "1", 0, 1e9, ""},
    {"--export", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--int8", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
};

/* Sets the options from the command line. Their strings point into `c` and argv, which must stay
   valid. Prints a message and returns 0 if an argument is wrong or missing. */
static int read_options(options *o, command_line *c, int argc, char **argv)
{
    const char *name;
    command_begin(c, table, (int)(sizeof table / sizeof *table));
    if (argc < 2 || argv[1][0] == '-')
        return fputs("watch: the first argument must be the file of an agent. See --help.\n",
                     stderr), 0;
    if (!command_parse(c, argc - 1, argv + 1)) return 0; /* the options follow argv[1] */
    name = command_string(c, "--game");
    o->path = argv[1];
    o->header = command_string(c, "--export");
    o->int8 = command_string(c, "--int8") != NULL;
    o->game = name != NULL ? game_named(name) : GAME_KINDS;
    o->length = command_whole(c, "--length");
    o->episodes = command_whole(c, "--episodes");
    o->seed = command_whole(c, "--seed");
    if (name != NULL && o->game == GAME_KINDS)
        return fprintf(stderr, "watch: there is no game %s; --help lists the games\n", name), 0;
    if (o->int8 && o->header == NULL)
        return fputs("watch: --int8 needs --export HEADER.h. See --help.\n", stderr), 0;
    return 1;
}

/* Reads game and length from the file name: "saved/corridor-20.rise" is the corridor of length 20.
   If several names of games fit, takes the longest: "pong-75.rise" is Pong-75, not Pong. */
static void guess_game(options *o)
{
    const char *const slash = strrchr(o->path, '/');
    const char *const name = slash != NULL ? slash + 1 : o->path;
    size_t longest = 0;
    int kind;
    if (o->game != GAME_KINDS) return;
    for (kind = 0; kind < GAME_KINDS; kind++) {
        const char *const prefix = game_spec_of((game_kind)kind)->name;
        size_t const size = strlen(prefix);
        if (size <= longest || strncmp(name, prefix, size) != 0) continue;
        longest = size;
        o->game = (game_kind)kind;
    }
    if (o->length == 0 && longest > 0 && name[longest] == '-') o->length = atoi(name + longest + 1);
}

/* Loads the agent and prepares its game. Prints a message and returns NULL on failure. */
static rise_agent *load(const options *o, episode *e)
{
    rise_agent_desc machine;
    const rise_agent_desc *desc;
    rise_agent *agent;
    rise_error error;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    machine.players = 1;
    if (o->game == GAME_KINDS) {
        fprintf(stderr, "watch: %s does not begin with the name of a game; pass --game\n", o->path);
        return NULL;
    }
    if (!game_init(&e->state, o->game, o->length, (uint64_t)o->seed)) {
        fprintf(stderr, "watch: %s cannot have the length %d; pass another --length\n",
                game_spec_of(o->game)->name, o->length);
        return NULL;
    }
    if (rise_agent_load(&agent, o->path, &machine, &error) != RISE_OK) {
        fprintf(stderr, "watch: %s\n", error.text);
        return NULL;
    }
    desc = rise_agent_query(agent);
    if (desc->frame_width == e->state.spec->width && desc->frame_height == e->state.spec->height &&
        desc->frame_channels == 1 && desc->actions == e->state.spec->actions)
        return agent;
    fprintf(
        stderr,
        "watch: %s does not play %s: the agent sees %d x %d pixels and has %d actions; pass "
        "another --game\n",
        o->path, e->state.spec->name, desc->frame_width, desc->frame_height, desc->actions);
    rise_agent_destroy(agent);
    return NULL;
}

static void play(const options *o, rise_agent *agent, episode *e, terminal *t)
{
    int const episodes = o->episodes > 0 ? o->episodes : 10;
    double sum = 0;
    int i;
    for (i = 0; i < episodes && !terminal_interrupted; i++) {
        game_reset(&e->state);
        episode_begin(e, e->state.start);
        if (t->live)
            episode_watch(e, agent, 0, t, e->state.spec->name);
        else
            while (episode_step(e, agent, 0)) continue;
        if (!e->state.done) break; /* interrupted */
        if (!t->live)
            printf("episode %d: start %d, score %+.2f\n", i + 1, e->state.start + 1, e->score);
        sum += e->score;
    }
    if (i > 0)
        printf("Mean score of %d episodes of %s: %+.2f (best possible: %+.2f without memory, "
               "%+.2f with).\n",
               i, e->state.spec->name, sum / i, e->state.spec->without_memory, e->state.spec->best);
}

/* Plays one episode with `agent` and returns its score. If `other` is not NULL, it also chooses an
   action for each frame, which is not played. *equal counts the frames where both actions are
   equal. */
static double play_with(rise_agent *agent, rise_agent *other, int start, episode *e, int *equal)
{
    uint8_t view[GAME_SIDE * GAME_SIDE];
    episode_begin(e, start);
    while (!e->state.done) {
        float const reward = e->reward;
        rise_event const event = e->state.time == 0 ? RISE_FIRST : RISE_MIDDLE;
        game_view(&e->state, view);
        if (!episode_step(e, agent, 0)) break;
        if (other != NULL)
            *equal += rise_agent_play(other, 0, view, reward, event, NULL) == e->action;
    }
    return e->score;
}
/* Compares the agent with its header's policy of 8-bit weights. */
static void compare(const options *o, rise_agent *agent, const exported *policy8, episode *e)
{
    int const episodes = o->episodes > 0 ? o->episodes : COMPARED;
    double scores[2] = {0, 0};
    int steps = 0, equal = 0, i;
    for (i = 0; i < episodes; i++) {
        int const start = (game_reset(&e->state), e->state.start);
        scores[0] += play_with(agent, policy8->agent, start, e, &equal) / episodes;
        steps += e->state.time;
        scores[1] += play_with(policy8->agent, NULL, start, e, NULL) / episodes;
    }
    printf("%d episodes of %s: mean score %+.3f with 32-bit weights, %+.3f with 8-bit weights.\n"
           "In the same states, %d of %d actions are equal (%.1f%%).\n",
           episodes, e->state.spec->name, scores[0], scores[1], equal, steps,
           100.0 * equal / steps);
}

/* Returns the exit status. */
static int write_header(const options *o)
{
    rise_save const what = o->int8 ? RISE_SAVE_INT8 : RISE_SAVE_POLICY;
    rise_error error;
    if (!export_policy(o->path, o->header, what, &error))
        return fprintf(stderr, "watch: %s\n", error.text), 1;
    printf("The agent is in %s.\n", o->header);
    return 0;
}
/* Compares the 8-bit weights that were written with the agent's own weights. Returns the exit
   status. */
static int report_int8(const options *o)
{
    rise_error error;
    episode e;
    exported *policy8;
    rise_agent *agent;
    if (o->game == GAME_KINDS) {
        printf("The scores of both were not compared: the name of %s is not that of a small game; "
               "pass --game\n", o->path);
        return 0;
    }
    agent = load(o, &e);
    if (agent == NULL) return 1;
    policy8 = export_open(o->path, RISE_SAVE_INT8, &error);
    if (policy8 != NULL) compare(o, agent, policy8, &e);
    if (policy8 == NULL) fprintf(stderr, "watch: %s\n", error.text);
    rise_agent_destroy(agent);
    export_close(policy8);
    return policy8 == NULL;
}

int main(int argc, char **argv)
{
    static terminal screen; /* too large for a small stack */
    static command_line line;
    options o;
    episode e;
    rise_agent *agent;
    if (self_test_wanted(argc, argv)) return self_test_status();
    if (command_wants_help(argc, argv)) return print_usage(), 0;
    if (!read_options(&o, &line, argc, argv)) return 2;
    guess_game(&o);
    if (o.header != NULL) {
        int const status = write_header(&o);
        return status == 0 && o.int8 ? report_int8(&o) : status;
    }
    agent = load(&o, &e);
    if (agent == NULL) return 1;
    terminal_open(&screen);
    play(&o, agent, &e, &screen);
    rise_agent_destroy(agent);
    return 0;
}
