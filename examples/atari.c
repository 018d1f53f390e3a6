/* Trains an agent on Atari games, and on any environment of Gymnasium that shows images, numbers or
   both, and has discrete actions. The games run in a Python child process, and the agent learns in
   this process. --help lists the options.

       pip install ale-py gymnasium
       cc -O2 -pthread examples/atari.c -o atari -lm && ./atari --game pong
       ./atari --env CartPole-v1 --memory none --steps 50k

       pip install minigrid vizdoom
       ./atari --env MiniGrid-MemoryS7-v0 --wrap minigrid.wrappers:RGBImgPartialObsWrapper
       ./atari --env VizdoomBasic-v1 --keyword frame_skip=4 --set value_rescale=1
*/
#include "training_run.h"

#include "arcade.h"
#include "command_line.h"
#include "gif.h"
#include "self_test.h"

#include <ctype.h>

#define RISE_THREADS
#define RISE_IMPLEMENTATION
#include "../rise.h"

/* ---------------------------------------------------------------------------------------------- */
/* Options */

/* most environments of an evaluation; most frames of a GIF */
enum { EVALUATED_GAMES = 8, GIF_FRAMES = 2000 };

typedef struct options {
    /* an Atari game as ALE names it, such as space_invaders; or a name of Gymnasium */
    const char *game, *environment;
    const char *python, *bridge, *play;
    int preset; /* a rise_preset; -1: none */
    const char *settings;         /* lines "field=value" for the agent; NULL: none */
    const char *keywords, *wraps; /* lines for the environment; NULL: none */
    const char *observation;
    rise_memory memory;
    double steps, hours, save_every, blank;
    double evaluate_every;   /* 0: the default */
    double evaluate_epsilon; /* negative: 0.001 with --game, else 0 */
    double patience; /* of the bridge, in seconds */
    int episodes, last_episodes, seed, environments, threads, size;
    int btr, whole, plain, render, colour;
} options;

/* in two parts, because C99 compilers need not accept a string of more than 4095 bytes */
static const char *const usage[] = {
    "atari --game NAME            an Atari game: pong, breakout, space_invaders ...\n"
    "      --env NAME             or any environment of Gymnasium with images or numbers, and\n"
    "                             discrete actions: MinAtar/Breakout-v1, CartPole-v1 ...\n"
    "  --memory rise|none|full    the kind of memory [rise]\n"
    "  --steps N, --hours H       the run ends when one of them is reached [2000000 steps]\n"
    "  --seed N                   [1]\n"
    "  --resume                   goes on with the run in the folder; begins a run if there is\n"
    "                             none. Options that are not given keep their values in its\n"
    "                             run.txt, except --plain, --python and --bridge. The\n"
    "                             environments go on with a new seed, made from --seed and the\n"
    "                             steps so far\n"
    "  --play FILE                no training: a saved agent plays as many episodes as\n"
    "                             --last-episodes says. Give all options of its environment\n"
    "                             again, because run.txt is not read. If the agent sees\n"
    "                             frames, a GIF of the first episode, at most 2000 steps of it,\n"
    "                             is written beside FILE, or into --folder: episode.gif\n"
    "  --self-test                no training: checks this build on this machine\n"
    "Files\n"
    "  --folder PATH              [runs/GAME-MEMORY-SEED, with the whole name of the game; with\n"
    "                             --play, the folder of FILE]\n"
    "  --save-every S             seconds between saves [600]\n"
    "  --whole                    saves the replay buffer, too: a resumed run need not refill it,\n"
    "                             but the file is large\n"
    "  --plain                    lines of text, no panel\n"
    "Evaluation\n"
    "  --evaluate-every N         steps between evaluations [50000; with numbers alone, a tenth\n"
    "                             of --steps, from 1000 to 50000]. The last is at the run's end\n"
    "  --episodes N               episodes of an evaluation; see --evaluate-epsilon [5]\n"
    "  --last-episodes N          episodes of the best agent at the end [20]\n"
    "  --evaluate-epsilon P       probability of a random action in evaluations. At 0, an agent\n"
    "                             that never serves the ball does nothing until the time limit\n"
    "                             of the episode [0.001 with --game, else 0]\n"
    "Environment\n",
    "  --env MODULE:NAME          imports the module, which registers the environment. ALE,\n"
    "                             MinAtar, MiniGrid, BabyAI and Vizdoom need no MODULE\n"
    "  --keyword KEY=VALUE        an argument of the environment; may be repeated\n"
    "  --wrap MODULE:WRAPPER      wraps the environment; may be repeated, the last is outermost.\n"
    "                             \"MODULE:WRAPPER(KEY=VALUE, ...)\" passes arguments\n"
    "  --observation KEY,KEY      the agent sees only these parts of the observation. Needed if\n"
    "                             there are several images [the image, and each part that is\n"
    "                             Discrete, MultiDiscrete, MultiBinary or a Box of one dimension;\n"
    "                             at most 1024 numbers]\n"
    "  --render                   the agent sees the rendered picture, not the observation. The\n"
    "                             picture may show what the agent should not see\n"
    "  --size N                   frames are resized to N x N pixels, and become grey [84 with\n"
    "                             --game and for frames with a side above 96, else unchanged]\n"
    "  --colour                   resized frames keep their colours\n"
    "  --blank P                  probability that a frame is black [0]\n"
    "  --environments N           environments that are played at once [8]\n"
    "  --patience SECONDS         most time for a step of all environments. Their start, and a\n"
    "                             step in which an episode begins, may take ten times as long\n"
    "                             [60]\n"
    "  --protocol dopamine|btr    of --game. dopamine: the game's own actions; btr: all 18\n"
    "                             actions, and 1 to 30 no-ops at the start of an episode.\n"
    "                             Both: 4 frames a step, sticky actions 0.25, at most 108000\n"
    "                             frames an episode, rewards clipped to their sign\n"
    "                             [dopamine]. With --env, none of this is done\n"
    "Agent\n"
    "  --preset dqn|rainbow|btr|r2d2   an agent of the literature, instead of the default, which\n"
    "                             is made for a small machine. As published, dqn, rainbow and\n"
    "                             btr have --memory none, and r2d2 has --memory full\n"
    "  --set FIELD=VALUE          a field of rise_agent_desc, such as window=32; may be repeated\n"
    "  --threads N                threads of the agent; the games have their own process [1]\n"
    "  --python PATH, --bridge PATH    [python3, examples/bridge.py]\n"};

static const command_option table[] = {
    {"--game", COMMAND_STRING, COMMAND_FIXED, "", 0, 0, ""},
    {"--env", COMMAND_STRING, COMMAND_FIXED, "", 0, 0, ""},
    {"--memory", COMMAND_CHOICE, COMMAND_FIXED, "rise", 0, 0, "rise|none|full"},
    {"--steps", COMMAND_NUMBER, COMMAND_FREE, "", 1, 1e12, ""},
    {"--hours", COMMAND_NUMBER, COMMAND_FREE, "", 0, 1e6, ""},
    {"--seed", COMMAND_WHOLE, COMMAND_FIXED, "1", 0, 1e9, ""},
    {"--resume", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
    {"--play", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--folder", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--save-every", COMMAND_NUMBER, COMMAND_FREE, "600", 0, 1e9, ""},
    {"--whole", COMMAND_SWITCH, COMMAND_FREE, "", 0, 0, ""},
    {"--plain", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
    {"--evaluate-every", COMMAND_NUMBER, COMMAND_FREE, "", 1, 1e12, ""},
    {"--episodes", COMMAND_WHOLE, COMMAND_FREE, "5", 1, 1e9, ""},
    {"--last-episodes", COMMAND_WHOLE, COMMAND_FREE, "20", 1, 1e9, ""},
    {"--evaluate-epsilon", COMMAND_NUMBER, COMMAND_FREE, "", 0, 1, ""},
    {"--keyword", COMMAND_LINES, COMMAND_FIXED, "", 0, 0, "KEY=VALUE"},
    {"--wrap", COMMAND_LINES, COMMAND_FIXED, "", 0, 0, "MODULE:WRAPPER"},
    {"--observation", COMMAND_STRING, COMMAND_FIXED, "", 0, 0, ""},
    {"--render", COMMAND_SWITCH, COMMAND_FIXED, "", 0, 0, ""},
    {"--size", COMMAND_WHOLE, COMMAND_FIXED, "", 1, PREPROCESS_SIDE, ""},
    {"--colour", COMMAND_SWITCH, COMMAND_FIXED, "", 0, 0, ""},
    {"--blank", COMMAND_NUMBER, COMMAND_FIXED, "0", 0, 1, ""},
    {"--environments", COMMAND_WHOLE, COMMAND_FIXED, "8", 1, BRIDGE_ENVIRONMENTS, ""},
    {"--patience", COMMAND_NUMBER, COMMAND_FREE, "60", 0.01, 1e6, ""},
    {"--protocol", COMMAND_CHOICE, COMMAND_FIXED, "dopamine", 0, 0, "dopamine|btr"},
    {"--preset", COMMAND_CHOICE, COMMAND_FIXED, "", 0, 0, "dqn|rainbow|btr|r2d2"},
    {"--set", COMMAND_LINES, COMMAND_FIXED, "", 0, 0, "FIELD=VALUE"},
    {"--threads", COMMAND_WHOLE, COMMAND_FREE, "1", 1, 1e9, ""},
    {"--python", COMMAND_STRING, COMMAND_ONCE, "python3", 0, 0, ""},
    {"--bridge", COMMAND_STRING, COMMAND_ONCE, "examples/bridge.py", 0, 0, ""},
};
enum { TABLE = sizeof table / sizeof *table };

/* Copies the options from the command line. The strings of *o point into `c`, so `c` must stay
   valid. Returns 0, after a message, unless exactly one of --game and --env is given. Also returns
   0 for --protocol with --env, and if --set names a field of the tool. */
static int read_options(options *o, const command_line *c)
{
    o->game = command_string(c, "--game");
    o->environment = command_string(c, "--env");
    o->memory = (rise_memory)command_choice(c, "--memory"); /* in the order of rise_memory */
    o->steps = command_number(c, "--steps");
    o->hours = command_number(c, "--hours");
    o->seed = command_whole(c, "--seed");
    o->play = command_string(c, "--play");
    o->save_every = command_number(c, "--save-every");
    o->whole = command_string(c, "--whole") != NULL;
    o->plain = command_string(c, "--plain") != NULL;
    o->evaluate_every = command_number(c, "--evaluate-every");
    o->episodes = command_whole(c, "--episodes");
    o->last_episodes = command_whole(c, "--last-episodes");
    o->evaluate_epsilon = command_string(c, "--evaluate-epsilon") != NULL
                              ? command_number(c, "--evaluate-epsilon")
                              : -1;
    o->keywords = command_string(c, "--keyword");
    o->wraps = command_string(c, "--wrap");
    o->observation = command_string(c, "--observation");
    o->render = command_string(c, "--render") != NULL;
    o->size = command_whole(c, "--size");
    o->colour = command_string(c, "--colour") != NULL;
    o->blank = command_number(c, "--blank");
    o->environments = command_whole(c, "--environments");
    o->patience = command_number(c, "--patience");
    o->btr = command_choice(c, "--protocol") == 1;
    o->preset = command_choice(c, "--preset"); /* in the order of rise_preset */
    o->settings = command_string(c, "--set");
    o->threads = command_whole(c, "--threads");
    o->python = command_string(c, "--python");
    o->bridge = command_string(c, "--bridge");
    if ((o->game != NULL) == (o->environment != NULL))
        return fputs("atari: pass either --game or --env. See --help.\n", stderr), 0;
    if (o->environment != NULL && command_given(c, "--protocol"))
        return fputs("atari: --protocol is for --game: leave it out\n", stderr), 0;
    return command_fields_are_free(c);
}

/* ---------------------------------------------------------------------------------------------- */
/* The game */

/* Scores of random play and of a human tester (Wang et al. 2016). */
static const struct {
    const char *name;
    double random, human;
} known[] = {
    {"pong", -20.7, 14.6},          {"breakout", 1.7, 30.5},       {"freeway", 0, 29.6},
    {"battle_zone", 2360, 37187.5}, {"double_dunk", -18.6, -16.4}, {"name_this_game", 2292.3, 8049},
    {"phoenix", 761.4, 7242.6},     {"qbert", 163.9, 13455},       {"space_invaders", 148, 1668.7},
    {"boxing", 0.1, 12.1},          {"ms_pacman", 307.3, 6951.6}};
enum { KNOWN = sizeof known / sizeof *known };

/* Writes the Gymnasium name: space_invaders becomes ALE/SpaceInvaders-v5. A letter after a digit
   becomes upper case, too: tic_tac_toe_3d becomes ALE/TicTacToe3D-v5. A name of --env stays. */
static void game_name(const options *o, char *name, size_t size)
{
    size_t length;
    const char *at;
    int begins = 1;
    if (o->environment != NULL) {
        snprintf(name, size, "%s", o->environment);
        return;
    }
    length = (size_t)snprintf(name, size, "ALE/");
    for (at = o->game; *at != '\0' && length + 5 < size; at++) {
        if (*at == '_')
            begins = 1;
        else
            name[length++] = (char)(begins ? toupper((unsigned char)*at) : *at),
            begins = isdigit((unsigned char)*at) != 0;
    }
    snprintf(name + length, size - length, "-v5");
}

/* Returns the preprocessing. With --env, also for an Atari game, frames are only resized, and black
   with the probability of --blank. */
static arcade_protocol protocol_of(const options *o)
{
    arcade_protocol p;
    memset(&p, 0, sizeof p);
    p.blank = o->blank;
    p.side = o->size > 0 ? o->size : 84;
    p.colour = o->colour;
    p.largest = o->size > 0 || o->game != NULL ? 0 : 96;
    if (o->game == NULL) return p;
    p.repeat = 4;
    p.sticky = 0.25;
    p.most_frames = 108000;
    p.noops = o->btr ? 30 : 0;
    p.two_frames = 1;
    p.clip = 1;
    return p;
}

/* Appends each of the lines to `text`, after `prefix`. */
static void add_lines(char *text, size_t size, const char *prefix, const char *lines)
{
    while (lines != NULL && *lines != '\0') {
        size_t const used = strlen(text), length = strcspn(lines, "\n");
        snprintf(text + used, size - used, "%s%.*s\n", prefix, (int)length, lines);
        lines += length + (lines[length] == '\n');
    }
}

/* Writes the settings of bridge.py. ALE leaves the frames raw, because arcade.h preprocesses
   them. */
static void bridge_settings(const options *o, char *text, size_t size)
{
    text[0] = '\0';
    if (o->game != NULL) {
        add_lines(text, size, "", "frameskip=1\nrepeat_action_probability=0.0");
        add_lines(text, size, "obs_type=", o->colour ? "rgb" : "grayscale");
        if (o->btr) add_lines(text, size, "", "full_action_space=True");
    }
    add_lines(text, size, "", o->keywords);
    add_lines(text, size, "--wrap=", o->wraps);
    add_lines(text, size, "--observation=", o->observation);
    if (o->render) add_lines(text, size, "", "--render");
}

/* Starts `count` environments. Returns 0, after train_fail, on failure. */
static int open_arcade(arcade *a, train_run *t, const options *o, int count, int seed)
{
    arcade_protocol const p = protocol_of(o);
    bridge_options link;
    char name[COMMAND_TEXT + 20];
    static char settings[4 * COMMAND_TEXT]; /* bridge_open refuses too long a text */
    memset(&link, 0, sizeof link);
    game_name(o, name, sizeof name);
    bridge_settings(o, settings, sizeof settings);
    link.name = name;
    link.settings = settings;
    link.environments = count;
    link.seed = (uint64_t)seed;
    link.patience = o->patience;
    link.python = o->python;
    link.script = o->bridge;
    if (!arcade_open(a, &link, &p)) return train_fail(t, "atari: %s", a->link.error);
    if (a->width > 0 || !(o->size > 0 || o->colour || o->blank > 0)) return 1;
    arcade_close(a);
    return train_fail(t,
                      "atari: %.100s shows numbers and no frames: leave out --size, --colour and "
                      "--blank",
                      name);
}

/* ---------------------------------------------------------------------------------------------- */
/* The agent */

/* Sets the default agent for numbers without frames. bench/README.md has its scores in CartPole. */
static void describe_numbers(rise_agent_desc *d, double steps)
{
    d->frame_stack = 1;
    d->n_step = 10;
    d->learning_rate = 3e-4;
    d->learning_rate_steps = (int)fmin(0.8 * steps, 1e9); /* 0: the rate does not fall */
    d->target_period = 500;
}

/* Returns the steps of the run; 0: only --hours limits it. */
static double steps_of(const options *o)
{
    return o->steps > 0 || o->hours > 0 ? o->steps : 2e6;
}

/* Fills in the description. A field of --set has priority over --preset. Without --preset, defaults
   are those of describe_numbers without frames, and of arcade_describe for frames with both sides
   above 32. Other frames, and frames with a network of --set, have the defaults of rise.h. Prints a
   message and returns 0 on failure. */
static int describe(const options *o, const arcade *a, rise_agent_desc *d)
{
    rise_error error;
    memset(d, 0, sizeof *d);
    d->frame_width = a->width;
    d->frame_height = a->height;
    d->frame_channels = a->channels;
    d->numbers = a->numbers;
    d->actions = a->actions;
    d->environments = a->count;
    d->players = EVALUATED_GAMES;
    d->memory = o->memory;
    d->threads = o->threads;
    d->seed = (uint64_t)o->seed;
    d->learn_outside = 1, d->batch_parts = 1; /* no game waits for a part of an update */
    if (!command_set_fields(o->settings, d, &error))
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    if (o->preset >= 0) {
        rise_agent_preset(d, (rise_preset)o->preset);
        if (a->width == 0) d->network = RISE_NETWORK_AUTO; /* there is nothing for a conv net */
    } else if (a->width > 32 && a->height > 32 && d->network == RISE_NETWORK_AUTO) {
        arcade_describe(d);
    } else if (a->width == 0) {
        describe_numbers(d, steps_of(o));
    }
    command_set_fields(o->settings, d, &error);
    if (rise_agent_resolve(d, &error) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Playing */

static const char *const memory_names[] = {"rise", "none", "full"}; /* [rise_memory] */

typedef struct session {
    options options;
    command_line line;
    int argc;
    char **argv;
    char folder[TRAIN_PATH - 40], title[100];
    arcade games;     /* for training */
    arcade evaluated; /* for evaluation, opened when first needed */
    rise_agent *agent; /* of the run; NULL: not yet made */
    train_run training;
    int shown; /* 1: the panel shows the evaluation */
    float largest[BRIDGE_NUMBERS]; /* largest magnitude of each number in the last pictures */
    gif film;
    replace_file film_file;
    uint64_t random; /* state of preprocess_random; the same at the start of each evaluation */
} session;

/* Draws numbers as bars, one below the other: to the left if negative, to the right if positive.
   The length of a bar is the number's share of its largest recent magnitude, s->largest. This
   maximum falls by 1% with each picture. Draws at most the first TRAIN_PICTURE / 2 numbers. */
static void draw_numbers(session *s, const float *numbers, int count, uint8_t *picture)
{
    int const shown = count < TRAIN_PICTURE / 2 ? count : TRAIN_PICTURE / 2;
    int const rows = TRAIN_PICTURE / shown, middle = TRAIN_PICTURE / 2;
    int i, y, x;
    memset(picture, 0, TRAIN_PICTURE * TRAIN_PICTURE);
    for (i = 0; i < shown; i++) {
        float const value = numbers[i];
        s->largest[i] = fmaxf(0.99f * s->largest[i], fabsf(value));
        for (y = i * rows; y < (i + 1) * rows - 1; y++) {
            uint8_t *const row = picture + y * TRAIN_PICTURE + middle;
            float const length = s->largest[i] > 0 ? value / s->largest[i] * (float)middle : 0;
            for (x = -middle; x < middle; x++) row[x] = x == 0 ? 90 : 30;
            for (x = 0; x < (int)length; x++) row[x] = 230;
            for (x = -1; x >= (int)length; x--) row[x] = 230;
        }
    }
}

/* Draws the first environment for the panel. */
static void draw_picture(void *user, uint8_t *picture)
{
    session *const s = (session *)user;
    const arcade *const a = s->shown ? &s->evaluated : &s->games;
    static uint8_t grey[BRIDGE_SIDE * BRIDGE_SIDE];
    if (a->width == 0) {
        draw_numbers(s, arcade_values(a, 0), a->numbers, picture);
        return;
    }
    arcade_picture(a, 0, grey);
    preprocess_resize(a->kernels, grey, a->height, a->width, 1, picture, TRAIN_PICTURE,
                      TRAIN_PICTURE, NULL, NULL);
}

/* Begins a GIF of environment 0: its first episode, at most GIF_FRAMES steps of it. Without frames,
   there is no GIF. */
static void film_begin(session *s, const char *path)
{
    const arcade *const a = &s->evaluated;
    int const scale = a->width >= 80 || a->width == 0 ? 2 : 1 + 160 / a->width;
    s->film_file.file = NULL;
    if (path != NULL && a->width > 0 && replace_begin(&s->film_file, path) != NULL)
        gif_begin(&s->film, s->film_file.file, a->width, a->height, 1, scale, 7);
}
static void film_frame(session *s)
{
    static uint8_t grey[BRIDGE_SIDE * BRIDGE_SIDE];
    if (s->film_file.file == NULL) return;
    arcade_picture(&s->evaluated, 0, grey);
    gif_frame(&s->film, grey);
}
/* Ends the GIF, which then replaces an older one. Prints a message if the GIF cannot be written. If
   `whole` is 0, the evaluation was not played to its end, and the older GIF stays. */
static void film_end(session *s, const char *path, int whole)
{
    int const good = s->film_file.file != NULL && gif_end(&s->film);
    if (path == NULL || s->evaluated.width == 0) return;
    if (replace_end(&s->film_file, good && whole))
        printf("GIF of one episode: %s\n", path);
    else if (whole)
        fprintf(stderr, "atari: %s cannot be written: %s\n", path, strerror(errno));
}

/* Hides the numbers of an environment from an agent that sees frames alone. So agents that an
   earlier release saved can go on. */
static void keep_to_frames(const rise_agent_desc *desc, arcade *a)
{
    if (desc->numbers == 0 && desc->frame_width > 0 && a->width > 0) a->numbers = 0;
}

/* Opens the environments for evaluation, unless they are open. */
static int open_evaluation(session *s, const rise_agent *agent, int episodes)
{
    int const count = episodes < EVALUATED_GAMES ? episodes : EVALUATED_GAMES;
    if (s->evaluated.link.open) return 1;
    if (!open_arcade(&s->evaluated, &s->training, &s->options, count, s->options.seed + 1000000))
        return 0;
    keep_to_frames(rise_agent_query(agent), &s->evaluated);
    return 1;
}

/* Chooses actions [environments]: greedy, or random with probability epsilon; -1 for an environment
   without episodes left. A random action is forced by a mask that allows this action only. So the
   agent knows which action is played, and a recurrent net with feed_action gets this action.
   Returns 0, after train_fail, if the agent fails. */
static int evaluate_act(session *s, rise_agent *agent, const int *left, int *actions)
{
    double const epsilon = s->options.evaluate_epsilon >= 0 ? s->options.evaluate_epsilon
                           : s->options.game != NULL        ? 0.001
                                                            : 0;
    arcade *const a = &s->evaluated;
    uint8_t only[BRIDGE_ACTIONS];
    int i;
    for (i = 0; i < a->count; i++) {
        const uint8_t *allowed = NULL;
        actions[i] = left[i] == 0 ? -1 : 0;
        if (left[i] == 0 || arcade_over(a->events[i])) continue;
        if (preprocess_random(&s->random) < epsilon * 4294967296.0) {
            memset(only, 0, sizeof only);
            allowed = only;
            only[preprocess_random(&s->random) % (uint32_t)a->actions] = 1;
        }
        actions[i] = rise_agent_play_numbers(agent, i, arcade_frame(a, i), arcade_values(a, i),
                                             a->rewards[i], a->events[i], allowed);
        if (actions[i] < 0)
            return train_fail(&s->training, "atari: %s", rise_agent_error(agent)->text);
    }
    return 1;
}

/* Plays `episodes` episodes, with actions of evaluate_act. Returns 1 and writes the mean score to
   *mean. Returns 0 after an interruption and, with train_fail, on failure; *mean then has no
   meaning. `film` is the path of the GIF (see film_begin); NULL: none. */
static int evaluate(session *s, rise_agent *agent, int episodes, const char *film, double *mean)
{
    arcade *const a = &s->evaluated;
    int left[EVALUATED_GAMES], actions[EVALUATED_GAMES], to_come = episodes, filmed = 0;
    int acted = 1, good, i;
    double sum = 0;
    if (!open_evaluation(s, agent, episodes)) return 0;
    /* environment 0, which is filmed, has the first episode */
    for (i = 0; i < a->count; i++) left[i] = (episodes + a->count - 1 - i) / a->count;
    s->shown = 1;
    s->random = preprocess_seed((uint64_t)s->options.seed);
    film_begin(s, film);
    good = arcade_begin(a);
    while (good && to_come > 0 && !terminal_interrupted) {
        if (filmed >= 0 && filmed++ < GIF_FRAMES) film_frame(s);
        acted = evaluate_act(s, agent, left, actions); /* prints a message if it fails */
        good = acted && arcade_send(a, actions) && arcade_receive(a);
        for (i = 0; i < a->count && good; i++) {
            if (actions[i] < 0 || !arcade_over(a->events[i])) continue;
            sum += a->environments[i].score;
            left[i]--;
            to_come--;
            if (i == 0) filmed = -1;
        }
        /* redraws the panel, and saves the agent when that is due */
        if (s->training.agent != NULL) train_tick(&s->training);
    }
    film_end(s, film, good && to_come == 0);
    s->shown = 0;
    *mean = sum / episodes;
    if (acted && !good) train_fail(&s->training, "atari: %s", a->link.error);
    return good && to_come == 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Learning */

/* Does one step of all games. While they run, the agent learns. Returns 0, after train_fail, on
   failure. */
static int learn_step(session *s)
{
    arcade *const a = &s->games;
    rise_agent *const agent = s->training.agent;
    int actions[BRIDGE_ENVIRONMENTS], i;
    if (rise_agent_step_all(agent, arcade_frame(a, 0), arcade_values(a, 0), a->rewards, a->events,
                            NULL, actions) != RISE_OK)
        return train_fail(&s->training, "atari: %s", rise_agent_error(agent)->text);
    if (!arcade_send(a, actions)) return train_fail(&s->training, "atari: %s", a->link.error);
    if (rise_agent_learn_for(agent, 1e9) < 0)
        return train_fail(&s->training, "atari: %s", rise_agent_error(agent)->text);
    if (!arcade_receive(a)) return train_fail(&s->training, "atari: %s", a->link.error);
    for (i = 0; i < a->count; i++)
        if (arcade_over(a->events[i])) train_episode(&s->training, a->environments[i].score);
    return 1;
}

/* Evaluates the agent if that is due. Returns 0 on failure, but 1 after an interruption. */
static int evaluate_in_time(session *s)
{
    train_run *const t = &s->training;
    double score;
    if (!train_evaluation_due(t)) return 1;
    if (evaluate(s, t->agent, s->options.episodes, NULL, &score) && !terminal_interrupted)
        return train_evaluated(t, score), 1;
    return terminal_interrupted;
}
static int learn(session *s)
{
    train_run *const t = &s->training;
    int good = 1;
    /* the last evaluation of the run may have been interrupted */
    if (train_spent(t) && !terminal_interrupted) good = evaluate_in_time(s);
    while (good && !train_over(t)) {
        good = learn_step(s);
        train_tick(t);
        good = good && evaluate_in_time(s);
    }
    return good;
}

/* Checks that the agent fits the game. Returns 0, after a message, if not. */
static int agent_suits(const rise_agent_desc *desc, const arcade *a, const char *path)
{
    if (desc->actions == a->actions && desc->numbers == a->numbers &&
        desc->frame_width == a->width && desc->frame_height == a->height &&
        (a->width == 0 || desc->frame_channels == a->channels))
        return 1;
    fprintf(stderr, "atari: the agent (%s) has %d actions, ", path, desc->actions);
    if (desc->frame_width > 0)
        fprintf(stderr, "frames of %d x %d x %d, ", desc->frame_width, desc->frame_height,
                desc->frame_channels);
    fprintf(stderr, "and %d numbers; the game has %d actions, ", desc->numbers, a->actions);
    if (a->width > 0)
        fprintf(stderr, "frames of %d x %d x %d, ", a->width, a->height, a->channels);
    fprintf(stderr,
            "and %d numbers: pass the options of the agent's environment (run.txt has them)\n",
            a->numbers);
    return 0;
}

/* Plays with a saved agent. Prints the mean score, and writes a GIF (see film_begin). Returns 0 on
   failure, but 1 after an interruption. */
static int play(session *s, const char *path)
{
    char film[TRAIN_PATH];
    rise_agent_desc machine;
    rise_agent *agent;
    rise_error error;
    double score;
    int good;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    machine.players = EVALUATED_GAMES;
    if (rise_agent_load(&agent, path, &machine, &error) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    snprintf(film, sizeof film, "%s/episode.gif", s->folder);
    good = open_evaluation(s, agent, s->options.last_episodes) &&
           agent_suits(rise_agent_query(agent), &s->evaluated, path);
    terminal_catch_signals(); /* an interrupted evaluation removes its unfinished GIF */
    if (good && train_make_folder(s->folder) < 0) {
        fprintf(stderr, "atari: the folder %s cannot be made (%s): pass another --folder\n",
                s->folder, strerror(errno));
        good = 0;
    }
    if (good && evaluate(s, agent, s->options.last_episodes, film, &score))
        printf("In %d evaluation episodes, the %s scored %.4g on average.\n",
               s->options.last_episodes, s->options.play != NULL ? "agent" : "best agent", score);
    else
        good = good && terminal_interrupted;
    rise_agent_destroy(agent);
    return good;
}

/* Returns whether the folder of the run holds a file with this name. Also returns 1 if the system
   cannot look up the file: reading the file then fails with the reason, and nothing replaces it. */
static int has_file(const session *s, const char *name)
{
    char path[TRAIN_PATH];
    snprintf(path, sizeof path, "%s/%s", s->folder, name);
    return access(path, F_OK) == 0 ||
           (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG);
}
/* Returns whether the folder holds something of a run that must not be lost. */
static int has_run(const session *s)
{
    return has_file(s, "agent.rise") || has_file(s, "best.rise");
}

/* Takes the options of the run in the folder, if there is a run. Returns 0, after a message, if
   --resume is missing, run.txt cannot be read, or command_resume refuses an option. */
static int resume_options(session *s)
{
    static command_line old;
    char path[TRAIN_PATH];
    int const steps = command_find(&s->line, "--steps"), hours = command_find(&s->line, "--hours");
    if (command_string(&s->line, "--play") != NULL || !has_run(s)) return 1;
    if (command_string(&s->line, "--resume") == NULL) {
        fprintf(stderr,
                "atari: there is a run in %s already: add --resume to go on, or begin another with "
                "--folder or --seed\n",
                s->folder);
        return 0;
    }
    command_begin(&old, table, TABLE);
    snprintf(path, sizeof path, "%s/run.txt", s->folder);
    if (!command_read(&old, path)) {
        if (errno == ENOENT) return 1; /* made before there was a run.txt */
        fprintf(stderr,
                "atari: %s cannot be read: %s; make it readable, or pass another --folder\n", path,
                strerror(errno));
        return 0;
    }
    /* a new limit replaces both limits */
    if (s->line.given[steps] || s->line.given[hours])
        s->line.given[steps] = s->line.given[hours] = 1;
    return command_resume(&s->line, &old);
}

/* Looks for agent.rise in the folder. If the file exists, loads the agent, reads its description
   into *desc, and takes the number of environments and the memory from the description. Returns 0,
   after a message, if the file cannot be loaded, if options disagree with the description, or if
   the machine has too little memory. Returns 1 if there is no file; *desc then stays as it was. */
static int find_run(session *s, rise_agent_desc *desc)
{
    char path[TRAIN_PATH];
    rise_agent_desc machine;
    rise_error error;
    options *const o = &s->options;
    snprintf(path, sizeof path, "%s/agent.rise", s->folder);
    if (!has_file(s, "agent.rise")) return 1;
    if (rise_agent_peek(desc, path, &error) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    if ((command_given(&s->line, "--environments") &&
         o->environments != desc->environments) ||
        (command_given(&s->line, "--memory") && o->memory != desc->memory)) {
        fprintf(stderr, "atari: %s has %d environments and --memory %s: leave these options out\n",
                path, desc->environments, memory_names[desc->memory]);
        return 0;
    }
    o->environments = desc->environments;
    o->memory = desc->memory;
    if (!train_memory_fits(desc)) return 0;
    memset(&machine, 0, sizeof machine);
    machine.threads = o->threads;
    if (rise_agent_load(&s->agent, path, &machine, &error) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    return 1;
}

/* Returns the seed of the environments. In a new run, this is --seed. A session that resumes a run
   adds a number made from the steps so far. With the same seed, this session would play the
   episodes of the first session again. The result is below 2^31, because some environments take no
   larger seed. */
static int environments_seed(const session *s)
{
    rise_metrics m;
    if (s->agent == NULL) return s->options.seed;
    rise_agent_metrics(s->agent, &m);
    return s->options.seed + (int)(preprocess_seed((uint64_t)m.steps) >> 34);
}

/* Adds this session to run.txt. Returns 0, after a message, on failure. */
static int record(const session *s)
{
    char path[TRAIN_PATH];
    static char facts[BRIDGE_TEXT + 100];
    snprintf(facts, sizeof facts, "rise.h %d.%d.%d\n%s", RISE_VERSION_MAJOR, RISE_VERSION_MINOR,
             RISE_VERSION_PATCH, s->games.link.facts);
    snprintf(path, sizeof path, "%s/run.txt", s->folder);
    if (command_write(&s->line, path, s->argc, s->argv, facts)) return 1;
    fprintf(stderr, "%s cannot be written (%s): pass another --folder.\n", path, strerror(errno));
    return 0;
}

/* Creates the folder of the run and its files. On failure, prints a message, removes run.txt,
   log.csv and the folders if this call created them, and returns 0. An older run.txt may then have
   the block of this session, although the session did not begin. */
static int begin_files(session *s, const train_options *tool)
{
    static const char *const names[] = {"run.txt", "log.csv"};
    char path[TRAIN_PATH];
    int const had[] = {has_file(s, names[0]), has_file(s, names[1])};
    int const made = train_make_folder(s->folder);
    int i;
    if (made < 0) {
        fprintf(stderr, "The folder %s cannot be written (%s): pass another --folder.\n", s->folder,
                strerror(errno));
        return 0;
    }
    if (record(s) && train_open(&s->training, tool, s->agent)) return 1;
    for (i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", s->folder, names[i]);
        if (!had[i]) remove(path);
    }
    train_remove_folders(s->folder, made);
    return 0;
}

/* Creates the agent, unless the run has one, which must fit the environments. Returns 0, after a
   message, on failure. */
static int make_agent(session *s, const rise_agent_desc *desc)
{
    char path[TRAIN_PATH];
    rise_error error;
    snprintf(path, sizeof path, "%s/agent.rise", s->folder);
    if (s->agent != NULL) return agent_suits(desc, &s->games, path);
    if (!train_memory_fits(desc)) return 0;
    if (rise_agent_create(&s->agent, desc, &error) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    return 1;
}

/* Copies what follows `name` in the fact that begins with `name` to `text`; "" if the child sent no
   such fact. Returns `text`. */
static const char *fact_of(const session *s, const char *name, char *text, size_t size)
{
    const char *at = s->games.link.facts;
    size_t const length = strlen(name);
    text[0] = '\0';
    while (strncmp(at, name, length) != 0) {
        at = strchr(at, '\n');
        if (at == NULL) return text;
        at++;
    }
    snprintf(text, size, "%.*s", (int)strcspn(at + length, "\n"), at + length);
    return text;
}
/* Prints what the agent sees, and which parts of the observation it does not see. */
static void say_what_is_seen(const session *s)
{
    const arcade *const a = &s->games;
    char text[300];
    if (a->width > 0)
        printf("The agent sees %d x %d pixels, %d channel%s; the environment sends "
               "%d x %d x %d, %s.\n",
               a->width, a->height, a->channels, a->channels > 1 ? "s" : "", a->link.width,
               a->link.height, a->link.channels, fact_of(s, "frames: ", text, sizeof text));
    if (a->numbers > 0)
        printf("The agent sees %d number%s: %s.\n", a->numbers, a->numbers > 1 ? "s" : "",
               fact_of(s, "numbers: ", text, sizeof text));
    else if (a->link.numbers > 0)
        puts("The environment also shows numbers, which this agent does not see.");
    if (fact_of(s, "not seen: ", text, sizeof text)[0] != '\0')
        printf("The agent does not see these parts of the observation: %s.\n", text);
}

/* Returns the steps between evaluations. Agents of numbers alone learn within few steps, so they
   are evaluated ten times in a run of 10000 to 500000 steps. */
static double steps_between_evaluations(const session *s)
{
    double const given = s->options.evaluate_every;
    double const tenth = floor(steps_of(&s->options) / 10);
    if (given > 0) return given;
    return s->games.width == 0 && tenth > 0 ? fmin(50000, fmax(1000, tenth)) : 50000;
}

static int run(session *s)
{
    const options *const o = &s->options;
    train_options tool;
    rise_agent_desc desc;
    char best[TRAIN_PATH];
    int good, i;
    memset(&tool, 0, sizeof tool);
    if (!find_run(s, &desc)) return 0;
    snprintf(s->title, sizeof s->title, "%.60s, memory %s, seed %d",
             o->game != NULL ? o->game : o->environment, memory_names[o->memory], o->seed);
    printf("Starting %d environments.\n", o->environments);
    fflush(stdout);
    if (!open_arcade(&s->games, &s->training, o, o->environments, environments_seed(s))) return 0;
    if (s->agent == NULL && !describe(o, &s->games, &desc)) return 0;
    keep_to_frames(&desc, &s->games);
    say_what_is_seen(s);
    if (!make_agent(s, &desc)) return 0;
    tool.title = s->title;
    tool.folder = s->folder;
    tool.steps = steps_of(o);
    tool.seconds = 3600 * o->hours;
    tool.evaluate_every = steps_between_evaluations(s);
    tool.save_every = o->save_every;
    tool.whole = o->whole;
    tool.plain = o->plain;
    tool.draw = draw_picture;
    tool.user = s;
    for (i = 0; i < KNOWN && o->game != NULL; i++)
        if (strcmp(o->game, known[i].name) == 0)
            tool.level_name = "human", tool.level = known[i].human;
    if (!begin_files(s, &tool)) return 0;
    good = learn(s);
    good = train_close(&s->training) && good;
    if (good && !terminal_interrupted && !isnan(s->training.best.score)) {
        snprintf(best, sizeof best, "%s/best.rise", s->folder);
        good = play(s, best);
    } else if (good && terminal_interrupted) {
        puts("Stopped. The same command with --resume goes on.");
    }
    return good;
}

/* Names the folder after game, memory and seed, unless --folder is given. The game keeps its whole
   name, because packages may have games of the same name: MinAtar/Breakout-v1 gets the folder
   runs/MinAtar/Breakout-v1-rise-1. With --play, takes the folder of the agent's file, because
   the default --memory and --seed may name the folder of another run. */
static int name_folder(session *s)
{
    const command_line *const c = &s->line;
    const char *const name = command_string(c, "--game") != NULL ? command_string(c, "--game")
                                                                 : command_string(c, "--env");
    const char *const folder = command_string(c, "--folder");
    const char *const seed = command_string(c, "--seed");
    const char *const played = command_string(c, "--play");
    const char *const slash = played != NULL ? strrchr(played, '/') : NULL;
    int length;
    if (folder != NULL) {
        length = snprintf(s->folder, sizeof s->folder, "%s", folder);
    } else if (played != NULL) {
        int const size = slash == NULL || slash == played ? 1 : (int)(slash - played);
        length = snprintf(s->folder, sizeof s->folder, "%.*s", size, slash == NULL ? "." : played);
    } else {
        if (name == NULL) return fputs("atari: pass --game or --env. See --help.\n", stderr), 0;
        length = snprintf(s->folder, sizeof s->folder, "runs/%s-%s-%s", name,
                          command_string(c, "--memory"), seed);
    }
    if (length < (int)sizeof s->folder) return 1;
    fprintf(stderr,
            "atari: the folder's name has %d bytes, at most %d are possible: pass a shorter "
            "--folder\n",
            length, (int)sizeof s->folder - 1);
    return 0;
}

int main(int argc, char **argv)
{
    static session s;
    options *const o = &s.options;
    int good;
    if (self_test_wanted(argc, argv)) return self_test_status();
    s.argc = argc;
    s.argv = argv;
    if (argc == 1 || command_wants_help(argc, argv))
        return fputs(usage[0], stdout), fputs(usage[1], stdout), argc == 1 ? 2 : 0;
    command_begin(&s.line, table, TABLE);
    if (!command_parse(&s.line, argc, argv) || !name_folder(&s)) return 2;
    if (!resume_options(&s)) return 1;
    if (!read_options(o, &s.line)) return 2;
    good = o->play != NULL ? play(&s, o->play) : run(&s);
    rise_agent_destroy(s.agent);
    arcade_close(&s.games);
    arcade_close(&s.evaluated);
    return good ? 0 : 1;
}
