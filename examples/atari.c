/* Trains an agent on Atari games, and on any environment of Gymnasium that has pictures and
   discrete actions. The games run in a Python child process, and the agent learns in this process.
   --help lists the options.

       pip install ale-py gymnasium
       cc -O2 -pthread examples/atari.c -o atari -lm && ./atari --game pong --set context_scale=1
*/
#include "training_run.h"

#include "arcade.h"
#include "gif.h"

#include <ctype.h>

#define RISE_THREADS
#define RISE_IMPLEMENTATION
#include "../rise.h"

/* ---------------------------------------------------------------------------------------------- */
/* Options */

enum { MAX_SETTINGS = 40, TEXT = 1000, EVALUATED_GAMES = 8, GIF_FRAMES = 2000 };

typedef struct options {
    /* an Atari game as ALE names it, such as space_invaders; or a name of Gymnasium */
    const char *game, *environment;
    const char *protocol, *preset;
    const char *python, *bridge, *folder, *play;
    const char *settings[MAX_SETTINGS]; /* "field=value", for the agent */
    int setting_count;
    char keywords[TEXT]; /* "key=value" lines, for the environment */
    rise_memory memory;
    double steps, hours, evaluate_every, save_every, blank;
    double evaluate_epsilon; /* negative: 0.001 for Atari, else 0 */
    int episodes, last_episodes, seed, environments, threads;
    int resume, whole, plain;
} options;

static const char *const usage =
    "atari --game NAME            an Atari game: pong, breakout, space_invaders ...\n"
    "      --env NAME             or any environment of Gymnasium: MinAtar/Breakout-v1 ...\n"
    "  --memory rise|none|full    the kind of memory [rise]\n"
    "  --steps N, --hours H       the run ends when one of them is reached [2000000 steps]\n"
    "  --seed N                   [1]\n"
    "  --resume                   goes on with the run in the folder\n"
    "  --play FILE                no training: a saved agent plays --last-episodes\n"
    "Files\n"
    "  --folder PATH              [runs/GAME-MEMORY-SEED]\n"
    "  --save-every S             seconds between saves [600]\n"
    "  --whole                    saves the replay buffer, too: a resumed run need not refill it,\n"
    "                             but the file is large\n"
    "  --plain                    lines of text, no panel\n"
    "Evaluation\n"
    "  --evaluate-every N         steps between evaluations [50000]\n"
    "  --episodes N               episodes of an evaluation, played greedily [5]\n"
    "  --last-episodes N          episodes of the best agent at the end [20]\n"
    "  --evaluate-epsilon P       probability of a random action in evaluations. At 0, an agent\n"
    "                             that never serves the ball does nothing until the time limit\n"
    "                             of the episode [0.001 in Atari games, else 0]\n"
    "Game\n"
    "  --protocol dopamine|btr    dopamine: the game's own actions; btr: all 18 actions, and up\n"
    "                             to 30 frames without action at the start. Both: 4 frames a "
    "step,\n"
    "                             sticky actions 0.25, 108000 frames an episode [dopamine]\n"
    "  --blank P                  probability that a frame is black [0]\n"
    "  --keyword KEY=VALUE        an argument of the environment; may be repeated\n"
    "  --environments N           environments that are played at once [8]\n"
    "Agent\n"
    "  --preset dqn|rainbow|btr|r2d2   an agent of the literature, instead of the default, which\n"
    "                             is made for a small machine\n"
    "  --set FIELD=VALUE          a field of rise_agent_desc, such as window=32; may be repeated\n"
    "  --threads N                threads of the agent; the games have their own process [1]\n"
    "  --python PATH, --bridge PATH    [python3, examples/bridge.py]\n";

/* Reads a number of at least `least`; "k" and "M" stand for thousands and millions. */
static int parse_number(const char *text, double least, double *number)
{
    char *end;
    *number = strtod(text, &end);
    if (*end == 'k') *number *= 1e3, end++;
    if (*end == 'M') *number *= 1e6, end++;
    return end != text && *end == '\0' && *number >= least;
}
static int parse_whole(const char *text, int least, int *number)
{
    double x;
    int const good = parse_number(text, least, &x) && x <= 1e9;
    *number = good ? (int)x : 0;
    return good;
}

static int parse_memory(const char *text, rise_memory *memory)
{
    *memory = strcmp(text, "none") == 0   ? RISE_MEMORY_NONE
              : strcmp(text, "full") == 0 ? RISE_MEMORY_FULL
                                          : RISE_MEMORY_RISE;
    return *memory != RISE_MEMORY_RISE || strcmp(text, "rise") == 0;
}

static int parse_protocol(const char *text, const char **protocol)
{
    *protocol = text;
    return strcmp(text, "dopamine") == 0 || strcmp(text, "btr") == 0;
}

static int parse_keyword(options *o, const char *text)
{
    size_t const used = strlen(o->keywords);
    return strchr(text, '=') != NULL && used + strlen(text) + 2 < sizeof o->keywords &&
           snprintf(o->keywords + used, sizeof o->keywords - used, "%s\n", text) > 0;
}

static int parse_option(options *o, const char *name, const char *value)
{
    if (strcmp(name, "--game") == 0) return (o->game = value) != NULL;
    if (strcmp(name, "--env") == 0) return (o->environment = value) != NULL;
    if (strcmp(name, "--memory") == 0) return parse_memory(value, &o->memory);
    if (strcmp(name, "--steps") == 0) return parse_number(value, 1, &o->steps);
    if (strcmp(name, "--hours") == 0) return parse_number(value, 0, &o->hours);
    if (strcmp(name, "--seed") == 0) return parse_whole(value, 0, &o->seed);
    if (strcmp(name, "--play") == 0) return (o->play = value) != NULL;
    if (strcmp(name, "--folder") == 0) return (o->folder = value) != NULL;
    if (strcmp(name, "--evaluate-every") == 0) return parse_number(value, 1, &o->evaluate_every);
    if (strcmp(name, "--save-every") == 0) return parse_number(value, 0, &o->save_every);
    if (strcmp(name, "--episodes") == 0) return parse_whole(value, 1, &o->episodes);
    if (strcmp(name, "--last-episodes") == 0) return parse_whole(value, 1, &o->last_episodes);
    if (strcmp(name, "--evaluate-epsilon") == 0)
        return parse_number(value, 0, &o->evaluate_epsilon) && o->evaluate_epsilon <= 1;
    if (strcmp(name, "--protocol") == 0) return parse_protocol(value, &o->protocol);
    if (strcmp(name, "--blank") == 0) return parse_number(value, 0, &o->blank) && o->blank <= 1;
    if (strcmp(name, "--keyword") == 0) return parse_keyword(o, value);
    if (strcmp(name, "--environments") == 0) return parse_whole(value, 1, &o->environments);
    if (strcmp(name, "--preset") == 0) return (o->preset = value) != NULL;
    if (strcmp(name, "--set") == 0)
        return o->setting_count < MAX_SETTINGS && (o->settings[o->setting_count++] = value) != NULL;
    if (strcmp(name, "--threads") == 0) return parse_whole(value, 1, &o->threads);
    if (strcmp(name, "--python") == 0) return (o->python = value) != NULL;
    if (strcmp(name, "--bridge") == 0) return (o->bridge = value) != NULL;
    return 0;
}

static int parse_switch(options *o, const char *name)
{
    if (strcmp(name, "--resume") == 0) return o->resume = 1;
    if (strcmp(name, "--whole") == 0) return o->whole = 1;
    if (strcmp(name, "--plain") == 0) return o->plain = 1;
    return 0;
}

static int parse(options *o, int argc, char **argv)
{
    int i;
    for (i = 1; i < argc; i++) {
        if (parse_switch(o, argv[i])) continue;
        if (i + 1 < argc && parse_option(o, argv[i], argv[i + 1])) {
            i++;
            continue;
        }
        if (strcmp(argv[i], "--help") != 0)
            fprintf(stderr, "Not understood: %s %s\n", argv[i], i + 1 < argc ? argv[i + 1] : "");
        return 0;
    }
    return (o->game != NULL) != (o->environment != NULL);
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

/* Writes the Gymnasium name: space_invaders becomes ALE/SpaceInvaders-v5. */
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
            name[length++] = (char)(begins ? toupper((unsigned char)*at) : *at), begins = 0;
    }
    snprintf(name + length, size - length, "-v5");
}

static arcade_protocol protocol_of(const options *o)
{
    arcade_protocol p;
    memset(&p, 0, sizeof p);
    p.blank = o->blank;
    if (o->game == NULL) return p;
    p.repeat = 4;
    p.sticky = 0.25;
    p.most_frames = 108000;
    p.noops = strcmp(o->protocol, "btr") == 0 ? 30 : 0;
    p.side = 84;
    p.two_frames = 1;
    p.clip = 1;
    return p;
}

/* Starts `count` environments. Frames larger than 96 x 96 become grey, 84 x 84. Returns 0, after a
   message, on failure. */
static int open_arcade(arcade *a, const options *o, int count, int seed)
{
    /* ALE leaves the frames raw, because arcade.h preprocesses them */
    static const char *const ale =
        "frameskip=1\nrepeat_action_probability=0.0\nobs_type=grayscale\n";
    arcade_protocol p = protocol_of(o);
    bridge_options link;
    char name[100], settings[TEXT + 200];
    memset(&link, 0, sizeof link);
    game_name(o, name, sizeof name);
    snprintf(settings, sizeof settings, "%s%s%s", o->game == NULL ? "" : ale,
             o->game != NULL && strcmp(o->protocol, "btr") == 0 ? "full_action_space=True\n" : "",
             o->keywords);
    link.name = name;
    link.settings = settings;
    link.environments = count;
    link.seed = (uint64_t)seed;
    link.python = o->python;
    link.script = o->bridge;
    if (arcade_open(a, &link, &p)) {
        if (p.side > 0 || (a->width <= 96 && a->height <= 96)) return 1;
        arcade_close(a);
        p.side = 84;
        if (arcade_open(a, &link, &p)) return 1;
    }
    fprintf(stderr, "atari: %s\n", a->link.error);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* The agent */

/* Sets the default agent for 84 x 84 on a few cores: the conv net of Mnih et al. 2013 and a small
   recurrent net. */
static void describe_small(rise_agent_desc *d)
{
    d->network = RISE_NETWORK_CUSTOM;
    d->conv_count = 2;
    d->conv[0].filters = 16, d->conv[0].size = 8, d->conv[0].stride = 4;
    d->conv[1].filters = 32, d->conv[1].size = 4, d->conv[1].stride = 2;
    d->features = 256;
    d->head_units = d->recurrent_units = d->embedding_size = 128;
    d->window = 16;
    d->learning_rate = 2.5e-4;
    d->target_period = 1000;
    d->replay_capacity = 100000;
    d->learn_start = 5000;
    d->epsilon_steps = 100000;
    d->epsilon_end = 0.02;
}

static int preset_named(const char *name, rise_preset *preset)
{
    static const struct {
        const char *name;
        rise_preset preset;
    } presets[] = {{"dqn", RISE_PRESET_DQN},
                   {"rainbow", RISE_PRESET_RAINBOW},
                   {"btr", RISE_PRESET_BTR},
                   {"r2d2", RISE_PRESET_R2D2}};
    int i;
    for (i = 0; i < 4; i++)
        if (strcmp(name, presets[i].name) == 0) return *preset = presets[i].preset, 1;
    fprintf(stderr, "atari: unknown --preset %s: use dqn, rainbow, btr or r2d2\n", name);
    return 0;
}

/* Fills in the description. A field of --set overrides --preset and the default for the frame size.
   --preset replaces this default. Prints a message and returns 0 on failure. */
static int describe(const options *o, const arcade *a, rise_agent_desc *d)
{
    rise_preset preset = RISE_PRESET_DQN;
    rise_error error;
    int i;
    memset(d, 0, sizeof *d);
    d->frame_width = a->width;
    d->frame_height = a->height;
    d->frame_channels = a->channels;
    d->actions = a->actions;
    d->environments = a->count;
    d->players = EVALUATED_GAMES;
    d->memory = o->memory;
    d->threads = o->threads;
    d->seed = (uint64_t)o->seed;
    d->learn_outside = 1;
    for (i = 0; i < o->setting_count; i++)
        if (rise_agent_set(d, o->settings[i], &error) != RISE_OK)
            return fprintf(stderr, "atari: %s\n", error.text), 0;
    if (o->preset != NULL) {
        if (!preset_named(o->preset, &preset)) return 0;
        rise_agent_preset(d, preset);
    } else if (a->width >= 64 && a->height >= 64 && d->network == RISE_NETWORK_AUTO) {
        describe_small(d);
        for (i = 0; i < o->setting_count; i++) rise_agent_set(d, o->settings[i], &error);
    }
    if (rise_agent_resolve(d, &error) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Playing */

typedef struct session {
    options options;
    char folder[TRAIN_PATH - 40], title[100];
    arcade games;     /* for training */
    arcade evaluated; /* for evaluation, opened when first needed */
    train_run training;
    int shown; /* 1: the panel shows the evaluation */
    gif film;
    FILE *film_file;
    uint64_t random; /* state of preprocess_random; the same at the start of each evaluation */
} session;

/* Draws the first environment for the panel. */
static void draw_picture(void *user, uint8_t *picture)
{
    const session *const s = (const session *)user;
    const arcade *const a = s->shown ? &s->evaluated : &s->games;
    static preprocess_area area;
    static uint8_t grey[BRIDGE_SIDE * BRIDGE_SIDE];
    arcade_picture(a, 0, grey);
    preprocess_area_init(&area, a->height, a->width, 1, TRAIN_PICTURE, TRAIN_PICTURE);
    preprocess_area_resize(&area, grey, picture);
}

/* Begins a GIF of the first episode of the first environment. */
static void film_begin(session *s, const char *path)
{
    const arcade *const a = &s->evaluated;
    int const scale = a->width >= 80 ? 2 : 1 + 160 / a->width;
    s->film_file = path != NULL ? fopen(path, "wb") : NULL;
    if (s->film_file != NULL) gif_begin(&s->film, s->film_file, a->width, a->height, 1, scale, 7);
}
static void film_frame(session *s)
{
    static uint8_t grey[BRIDGE_SIDE * BRIDGE_SIDE];
    if (s->film_file == NULL) return;
    arcade_picture(&s->evaluated, 0, grey);
    gif_frame(&s->film, grey);
}
static void film_end(session *s)
{
    if (s->film_file == NULL) return;
    gif_end(&s->film);
    fclose(s->film_file);
    s->film_file = NULL;
}

/* Opens the environments for evaluation, unless they are open. */
static int open_evaluation(session *s, int episodes)
{
    int const count = episodes < EVALUATED_GAMES ? episodes : EVALUATED_GAMES;
    return s->evaluated.frames != NULL ||
           open_arcade(&s->evaluated, &s->options, count, s->options.seed + 1000000);
}

/* Chooses actions [environments]: greedy, or random with probability epsilon; -1 for an environment
   without episodes left. A random action is forced by a mask that allows this action only. So the
   agent knows which action is played, and a recurrent net with feed_action gets this action. */
static int evaluate_act(session *s, rise_agent *agent, const int *left, int *actions)
{
    double const epsilon = s->options.evaluate_epsilon >= 0 ? s->options.evaluate_epsilon
                           : s->options.game != NULL        ? 0.001
                                                            : 0;
    arcade *const a = &s->evaluated;
    uint8_t only[BRIDGE_ACTIONS];
    int i;
    for (i = 0; i < a->count; i++) {
        const uint8_t *const frame = a->frames + (size_t)i * arcade_frame_bytes(a), *allowed = NULL;
        actions[i] = left[i] == 0 ? -1 : 0;
        if (left[i] == 0 || arcade_over(a->events[i])) continue;
        if (preprocess_random(&s->random) < epsilon * 4294967296.0) {
            memset(only, 0, sizeof only);
            allowed = only;
            only[preprocess_random(&s->random) % (uint32_t)a->actions] = 1;
        }
        actions[i] = rise_agent_play(agent, i, frame, a->rewards[i], a->events[i], allowed);
        if (actions[i] < 0) return fprintf(stderr, "atari: %s\n", rise_agent_error(agent)->text), 0;
    }
    return 1;
}

/* Plays `episodes` episodes greedily. Returns 1 and the mean score; 0 if it was interrupted or
   failed. */
static int evaluate(session *s, rise_agent *agent, int episodes, const char *film, double *mean)
{
    arcade *const a = &s->evaluated;
    int left[EVALUATED_GAMES], actions[EVALUATED_GAMES], to_come = episodes, filmed = 0, i, good;
    double sum = 0;
    if (!open_evaluation(s, episodes)) return 0;
    for (i = 0; i < a->count; i++) left[i] = (episodes + i) / a->count;
    s->shown = 1;
    s->random = preprocess_seed((uint64_t)s->options.seed);
    film_begin(s, film);
    good = arcade_begin(a);
    while (good && to_come > 0 && !terminal_interrupted) {
        if (filmed >= 0 && filmed++ < GIF_FRAMES) film_frame(s);
        good = evaluate_act(s, agent, left, actions) && arcade_send(a, actions) &&
               arcade_receive(a);
        for (i = 0; i < a->count; i++) {
            if (actions[i] < 0 || !arcade_over(a->events[i])) continue;
            sum += a->environments[i].score;
            left[i]--;
            to_come--;
            if (i == 0) filmed = -1;
        }
        if (s->training.agent != NULL) train_tick(&s->training); /* redraws the panel */
    }
    film_end(s);
    s->shown = 0;
    *mean = sum / episodes;
    if (!good) fprintf(stderr, "atari: %s\n", a->link.error);
    return good && to_come == 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Learning */

/* Steps all games once; the agent learns while they run. Returns 0, after a message, on failure. */
static int learn_step(session *s)
{
    arcade *const a = &s->games;
    rise_agent *const agent = s->training.agent;
    int actions[BRIDGE_ENVIRONMENTS], i;
    if (rise_agent_step_all(agent, a->frames, a->rewards, a->events, NULL, actions) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", rise_agent_error(agent)->text), 0;
    if (!arcade_send(a, actions)) return fprintf(stderr, "atari: %s\n", a->link.error), 0;
    if (rise_agent_learn_for(agent, 1e9) < 0)
        return fprintf(stderr, "atari: %s\n", rise_agent_error(agent)->text), 0;
    if (!arcade_receive(a)) return fprintf(stderr, "atari: %s\n", a->link.error), 0;
    for (i = 0; i < a->count; i++)
        if (arcade_over(a->events[i])) train_episode(&s->training, a->environments[i].score);
    return 1;
}

static int learn(session *s)
{
    train_run *const t = &s->training;
    int good = 1;
    double score;
    while (good && !train_over(t)) {
        good = learn_step(s);
        train_tick(t);
        if (good && train_evaluation_due(t)) {
            good = evaluate(s, t->agent, s->options.episodes, NULL, &score) || terminal_interrupted;
            if (good && !terminal_interrupted) train_evaluated(t, score);
        }
    }
    return good;
}

/* Checks that the agent fits the game. Returns 0, after a message, if not. */
static int agent_suits(const rise_agent_desc *desc, const arcade *a, const char *path)
{
    if (desc->actions == a->actions && desc->frame_width == a->width &&
        desc->frame_height == a->height && desc->frame_channels == a->channels)
        return 1;
    fprintf(stderr,
            "atari: %s was trained on another game, with %d actions and frames of %d x %d x %d: "
            "pass its --game or --env\n",
            path, desc->actions, desc->frame_width, desc->frame_height, desc->frame_channels);
    return 0;
}

/* Plays with a saved agent. Prints the mean score and writes a GIF of the first episode. */
static int play(session *s, const char *path)
{
    char film[TRAIN_PATH];
    rise_agent_desc machine;
    rise_agent *agent;
    rise_error error;
    double score;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    machine.players = EVALUATED_GAMES;
    if (rise_agent_load(&agent, path, &machine, &error) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    snprintf(film, sizeof film, "%s/episode.gif", s->folder);
    if (!open_evaluation(s, s->options.last_episodes)) return 0;
    if (!agent_suits(rise_agent_query(agent), &s->evaluated, path)) return 0;
    if (evaluate(s, agent, s->options.last_episodes, film, &score))
        printf("Playing %d more episodes greedily, the best agent scored %.4g on average. Film of "
               "one: %s\n",
               s->options.last_episodes, score, film);
    rise_agent_destroy(agent);
    return 1;
}

/* Looks for agent.rise in the folder. If the file exists, reads its description into *desc and
   takes the number of environments from the description. Prints a message and returns 0 if --resume
   is missing or the file is damaged. */
static int find_run(session *s, int *found, rise_agent_desc *desc)
{
    char path[TRAIN_PATH];
    rise_error error;
    snprintf(path, sizeof path, "%s/agent.rise", s->folder);
    *found = access(path, F_OK) == 0;
    if (!*found) return 1;
    if (!s->options.resume) {
        fprintf(stderr,
                "atari: there is a run in %s already: add --resume to go on, or begin another with "
                "--folder or --seed\n",
                s->folder);
        return 0;
    }
    if (rise_agent_peek(desc, path, &error) != RISE_OK)
        return fprintf(stderr, "atari: %s\n", error.text), 0;
    s->options.environments = desc->environments;
    return 1;
}

/* Creates the agent, or loads the agent of the run that was found. Returns NULL, after a message,
   on failure. */
static rise_agent *make_agent(session *s, int found, const rise_agent_desc *desc)
{
    char path[TRAIN_PATH];
    rise_agent_desc machine;
    rise_agent *agent = NULL;
    rise_error error;
    rise_result result;
    memset(&machine, 0, sizeof machine);
    machine.threads = s->options.threads;
    snprintf(path, sizeof path, "%s/agent.rise", s->folder);
    if (!agent_suits(desc, &s->games, path) || !train_memory_fits(desc)) return NULL;
    result = found ? rise_agent_load(&agent, path, &machine, &error)
                   : rise_agent_create(&agent, desc, &error);
    if (result != RISE_OK) fprintf(stderr, "atari: %s\n", error.text);
    return agent;
}

static int run(session *s)
{
    const options *const o = &s->options;
    train_options tool;
    rise_agent_desc desc;
    char best[TRAIN_PATH];
    rise_agent *agent;
    int good, found, i;
    memset(&tool, 0, sizeof tool);
    if (!find_run(s, &found, &desc)) return 0;
    printf("Starting %d games.\n", o->environments);
    fflush(stdout);
    if (!open_arcade(&s->games, o, o->environments, o->seed)) return 0;
    if (!found && !describe(o, &s->games, &desc)) return 0;
    agent = make_agent(s, found, &desc);
    if (agent == NULL) return 0;
    tool.title = s->title;
    tool.folder = s->folder;
    tool.steps = o->steps > 0 || o->hours > 0 ? o->steps : 2e6;
    tool.seconds = 3600 * o->hours;
    tool.evaluate_every = o->evaluate_every;
    tool.save_every = o->save_every;
    tool.whole = o->whole;
    tool.plain = o->plain;
    tool.draw = draw_picture;
    tool.user = s;
    for (i = 0; i < KNOWN && o->game != NULL; i++)
        if (strcmp(o->game, known[i].name) == 0)
            tool.level_name = "human", tool.level = known[i].human;
    if (!train_open(&s->training, &tool, agent)) return 0;
    good = learn(s);
    good = train_close(&s->training) && good;
    if (good && !terminal_interrupted && !isnan(s->training.best)) {
        snprintf(best, sizeof best, "%s/best.rise", s->folder);
        good = play(s, best);
    } else if (good && terminal_interrupted) {
        puts("Stopped. The same command with --resume goes on.");
    }
    rise_agent_destroy(agent);
    return good;
}

/* Names the folder after game, memory and seed, unless --folder is given. */
static void name_folder(session *s)
{
    static const char *const memories[] = {"rise", "none", "full"};
    const options *const o = &s->options;
    const char *const name = o->game != NULL ? o->game : o->environment;
    const char *const slash = strrchr(name, '/');
    const char *const memory = memories[o->memory];
    snprintf(s->title, sizeof s->title, "%.60s, memory %s, seed %d", name, memory, o->seed);
    if (o->folder != NULL) {
        snprintf(s->folder, sizeof s->folder, "%s", o->folder);
    } else {
        mkdir("runs", 0777);
        snprintf(s->folder, sizeof s->folder, "runs/%.100s-%s-%d", slash != NULL ? slash + 1 : name,
                 memory, o->seed);
    }
    mkdir(s->folder, 0777);
}

int main(int argc, char **argv)
{
    static session s;
    int good;
    s.options.seed = 1;
    s.options.protocol = "dopamine";
    s.options.bridge = "examples/bridge.py";
    s.options.environments = 8;
    s.options.threads = 1;
    s.options.evaluate_every = 50000;
    s.options.save_every = 600;
    s.options.episodes = 5;
    s.options.last_episodes = 20;
    s.options.evaluate_epsilon = -1;
    if (!parse(&s.options, argc, argv)) return fputs(usage, stderr), 2;
    name_folder(&s);
    good = s.options.play != NULL ? play(&s, s.options.play) : run(&s);
    arcade_close(&s.games);
    arcade_close(&s.evaluated);
    return good ? 0 : 1;
}
