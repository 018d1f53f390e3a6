/* Shows how a saved agent plays: the game, and the expected return of each action. If stdout is no
   terminal, prints the score of each episode instead. memory.c names its files after the game
   (lock-catch.rise, corridor-10.rise), and watch reads the game from such a name. For other names
   pass --game and --length.

       cc -O2 examples/watch.c -o watch -lm && ./watch lock-catch.rise

   With --export, writes the agent as a C header instead, for a program that plays the agent without
   a file. The agent need not play a small game. But agents with the embeddings USER and RESNET18
   are refused, because files do not hold these encoders. The comment at the top of the header
   explains the use of the header.

       ./watch lock-catch.rise --export catcher.h

   With --weights float16, the header has half the bytes, but the weights are copied to RAM. With
   --weights int8, the header has a quarter of the bytes. Watch then compares both kinds of weights,
   if the file name or --game names the game. For this, watch plays 200 episodes (--episodes) with
   the weights of the file, and the same episodes with those of the header. Watch prints both scores
   and the share of equal actions.

       ./watch lock-catch.rise --export catcher8.h --weights int8
*/
#include "export.h" /* first: defines _DEFAULT_SOURCE */
#include "command_line.h"
#include "game_episode.h"
#include "self_test.h"

#define RISE_IMPLEMENTATION
#include "../rise.h"

enum {
    SHOWN = 10,    /* episodes */
    COMPARED = 200 /* episodes with each kind of weights */
};

typedef struct options {
    const char *path;
    const char *header; /* to be written; NULL: show how the agent plays */
    rise_save weights;  /* of the header: RISE_SAVE_POLICY (32-bit floats), _FLOAT16 or _INT8 */
    game_kind game;     /* GAME_KINDS: unknown */
    int stated;         /* 1: --game or --length was given */
    int length;
    int episodes; /* 0: SHOWN or COMPARED */
    int seed;
} options;

static void print_usage(void)
{
    int kind;
    fputs("watch FILE [--game NAME] [--length L] [--episodes N] [--seed N]\n"
          "    Shows how a saved agent plays [10 episodes, seed 1]. Ctrl-C ends watch.\n"
          "watch FILE --export HEADER.h [--weights float32|float16|int8]\n"
          "    Writes the agent as a C header [float32]. A file with 8-bit weights keeps them.\n"
          "    With float16 and int8, watch then plays N episodes [200] with the weights of the\n"
          "    file, and with those of the header. Then watch prints both scores. --game or the\n"
          "    file name says which game. --length, --episodes and --seed are as above.\n"
          "watch --self-test\n"
          "    Checks this build on this machine.\n"
          "Small games:",
          stdout);
    for (kind = 0; kind < GAME_KINDS; kind++) printf(" %s", game_spec_of((game_kind)kind)->name);
    puts("\nwatch reads the game and its length from a file name such as corridor-20.rise.");
}

static const command_option table[] = {
    {"--game", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--length", COMMAND_WHOLE, COMMAND_ONCE, "", 1, 1e9, ""}, /* load checks its range */
    {"--episodes", COMMAND_WHOLE, COMMAND_ONCE, "", 1, 1e9, ""},
    {"--seed", COMMAND_WHOLE, COMMAND_ONCE, "1", 0, 1e9, ""},
    {"--export", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--weights", COMMAND_CHOICE, COMMAND_ONCE, "float32", 0, 0, "float32|float16|int8"},
};

/* Sets the options from the command line. Their strings point into `c` and argv, which must stay
   valid. Prints a message and returns 0 if an argument is wrong or missing. */
static int read_options(options *o, command_line *c, int argc, char **argv)
{
    /* in the order of the words of --weights */
    static const rise_save weights[] = {RISE_SAVE_POLICY, RISE_SAVE_FLOAT16, RISE_SAVE_INT8};
    const char *name;
    command_begin(c, table, (int)(sizeof table / sizeof *table));
    if (argc < 2 || argv[1][0] == '-')
        return fputs("watch: the first argument must be the file of an agent. See --help.\n",
                     stderr), 0;
    if (!command_parse(c, argc - 1, argv + 1)) return 0; /* the options follow argv[1] */
    name = command_string(c, "--game");
    o->path = argv[1];
    o->header = command_string(c, "--export");
    o->weights = weights[command_choice(c, "--weights")];
    o->game = name != NULL ? game_named(name) : GAME_KINDS;
    o->stated = name != NULL || command_given(c, "--length");
    o->length = command_whole(c, "--length");
    o->episodes = command_whole(c, "--episodes");
    o->seed = command_whole(c, "--seed");
    if (name != NULL && o->game == GAME_KINDS)
        return fprintf(stderr, "watch: there is no game %s; --help lists the games\n", name), 0;
    if (command_given(c, "--weights") && o->header == NULL)
        return fputs("watch: --weights needs --export HEADER.h. See --help.\n", stderr), 0;
    return 1;
}

/* Reads game and length from the file name: "saved/corridor-20.rise" is the corridor of length 20.
   If several names of games fit, takes the longest: "pong-75.rise" is Pong-75, not Pong. With
   --game, reads only the length, if the file name begins with that game. */
static void guess_game(options *o)
{
    const char *const name = export_base(o->path);
    size_t longest = 0;
    int kind, found = GAME_KINDS;
    for (kind = 0; kind < GAME_KINDS; kind++) {
        const char *const prefix = game_spec_of((game_kind)kind)->name;
        size_t const size = strlen(prefix);
        if (size <= longest || strncmp(name, prefix, size) != 0) continue;
        longest = size, found = kind;
    }
    if (o->game == GAME_KINDS) o->game = (game_kind)found;
    if (o->length == 0 && longest > 0 && found == (int)o->game && name[longest] == '-') {
        const game_spec *const spec = game_spec_of(o->game);
        int const number = atoi(name + longest + 1); /* "catch-2.rise": no length */
        if (number >= spec->least_length && number <= spec->most_length) o->length = number;
    }
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
        fprintf(stderr, "watch: the file name of %s does not begin with the name of a game; pass "
                        "--game\n", o->path);
        return NULL;
    }
    if (!game_init(&e->state, o->game, o->length, (uint64_t)o->seed)) {
        const game_spec *const spec = game_spec_of(o->game);
        if (spec->most_length > 0)
            fprintf(stderr, "watch: --length of %s must be %d to %d\n", spec->name,
                    spec->least_length, spec->most_length);
        else
            fprintf(stderr, "watch: %s has one length only: leave out --length\n", spec->name);
        return NULL;
    }
    if (rise_agent_load(&agent, o->path, &machine, &error) != RISE_OK) {
        fprintf(stderr, "watch: %s\n", error.text);
        return NULL;
    }
    desc = rise_agent_query(agent);
    if (desc->frame_width == e->state.spec->width && desc->frame_height == e->state.spec->height &&
        desc->frame_channels == 1 && desc->numbers == 0 &&
        desc->actions == e->state.spec->actions)
        return agent;
    fprintf(
        stderr,
        "watch: %s does not play %s: the agent sees %d x %d pixels and %d numbers, and has %d "
        "actions; pass another --game\n",
        o->path, e->state.spec->name, desc->frame_width, desc->frame_height, desc->numbers,
        desc->actions);
    rise_agent_destroy(agent);
    return NULL;
}

/* Returns whether a call of the agent failed. Then prints the error. */
static int agent_failed(const rise_agent *agent)
{
    const rise_error *const error = rise_agent_error(agent);
    if (error->result != RISE_OK) fprintf(stderr, "watch: %s\n", error->text);
    return error->result != RISE_OK;
}

static void play(const options *o, rise_agent *agent, episode *e, terminal *t)
{
    int const episodes = o->episodes > 0 ? o->episodes : SHOWN;
    double sum = 0;
    int i;
    for (i = 0; i < episodes && !terminal_interrupted; i++) {
        game_reset(&e->state);
        episode_begin(e, e->state.start);
        if (t->live)
            episode_watch(e, agent, 0, t, e->state.spec->name);
        else
            while (episode_step(e, agent, 0)) continue;
        if (!e->state.done) break; /* interrupted, or rise_agent_play failed */
        if (!t->live)
            printf("episode %d: start %d, score %+.2f\n", i + 1, e->state.start, e->score);
        sum += e->score;
    }
    if (i > 0)
        printf("Mean score of %d episodes of %s: %+.2f (best possible: %+.2f without memory, "
               "%+.2f with).\n",
               i, e->state.spec->name, sum / i, e->state.spec->without_memory, e->state.spec->best);
}

/* Plays one episode with `agent` and returns the score of the episode. If `other` is not NULL, asks
   `other` for an action at each frame, too. This action is not played. Adds to *equal the number of
   frames where both agents choose the same action. */
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

/* Plays the same episodes with the agent of the file and with the policy of the header. Prints both
   mean scores and the share of equal actions. Returns 0, after a message, if an agent refused a
   frame. */
static int compare(const options *o, rise_agent *agent, const exported *header, episode *e)
{
    int const episodes = o->episodes > 0 ? o->episodes : COMPARED;
    int const bits = rise_agent_query(agent)->weight_bits;
    double scores[2] = {0, 0};
    int steps = 0, equal = 0, i;
    for (i = 0; i < episodes; i++) {
        int const start = (game_reset(&e->state), e->state.start);
        scores[0] += play_with(agent, header->agent, start, e, &equal) / episodes;
        steps += e->state.time;
        scores[1] += play_with(header->agent, NULL, start, e, NULL) / episodes;
    }
    if (agent_failed(agent) || agent_failed(header->agent)) return 0;
    printf("Mean score of %d episodes of %s: %+.3f with %d-bit weights, %+.3f with %d-bit "
           "weights.\n"
           "In the states that the file's weights reach, both choose the same action in %d of %d "
           "steps (%.1f%%).\n",
           episodes, e->state.spec->name, scores[0], bits, scores[1], header->bits, equal, steps,
           100.0 * equal / steps);
    return 1;
}

/* Compares the scores with the weights of the header and of the file, if the game is known. Returns
   the exit status: 1 if the agent refused a frame, or if --game or --length was given and the agent
   does not play this game. A game that was read from the file name alone may be wrong. The status
   is then 0, because the header is written. */
static int report_change(const options *o, const exported *header)
{
    episode e;
    rise_agent *agent;
    int failed;
    if (o->game == GAME_KINDS) {
        printf("If the agent plays a small game, pass --game NAME: watch then compares the scores "
               "with the file's weights and with the header's.\n");
        return 0;
    }
    agent = load(o, &e);
    if (agent == NULL) return o->stated;
    failed = !compare(o, agent, header, &e);
    rise_agent_destroy(agent);
    return failed;
}

/* Opens the agent of the file as the policy that the header will hold. Returns NULL after a message
   if the file cannot be read, or if float16 would enlarge 8-bit weights. Sets *file_bits to the
   bits of a weight after loading: 8, or 32, because loading makes floats of 16-bit weights. */
static exported *open_policy(const options *o, int *file_bits)
{
    rise_agent_desc desc;
    rise_error error;
    exported *e = NULL;
    memset(&desc, 0, sizeof desc);
    if (rise_agent_peek(&desc, o->path, &error) == RISE_OK) {
        *file_bits = desc.weight_bits;
        if (desc.weight_bits == 8 && o->weights == RISE_SAVE_FLOAT16)
            return fprintf(stderr, "watch: %s has 8-bit weights, and float16 would be larger; "
                                   "leave out --weights\n", o->path), NULL;
        e = export_open(o->path, o->weights, &error);
    }
    if (e == NULL) fprintf(stderr, "watch: %s\n", error.text);
    return e;
}

/* Writes the header. If a weight of the header has fewer bits than a weight of the file, also
   compares the scores with both. Returns the exit status. */
static int write_header(const options *o)
{
    rise_error error;
    int file_bits = 0, status;
    exported *const e = open_policy(o, &file_bits);
    if (e == NULL) return 1;
    status = !export_header(e, o->path, o->header, &error);
    if (status == 0) {
        printf("The agent is in %s: an array of %lu bytes with %d-bit weights.\n", o->header,
               (unsigned long)e->size, e->bits);
        if (e->bits < file_bits) status = report_change(o, e);
    } else {
        fprintf(stderr, "watch: %s\n", error.text);
    }
    export_close(e);
    return status;
}

int main(int argc, char **argv)
{
    static terminal screen; /* too large for a small stack */
    static command_line line;
    options o;
    episode e;
    rise_agent *agent;
    int failed;
    if (self_test_wanted(argc, argv)) return self_test_status();
    if (command_wants_help(argc, argv)) return print_usage(), 0;
    if (!read_options(&o, &line, argc, argv)) return 2;
    guess_game(&o);
    if (o.header != NULL) return write_header(&o);
    agent = load(&o, &e);
    if (agent == NULL) return 1;
    terminal_open(&screen);
    play(&o, agent, &e, &screen);
    failed = agent_failed(agent);
    rise_agent_destroy(agent);
    return failed;
}
