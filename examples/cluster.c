/* Trains one agent with several processes, on one machine or on many, with MPI. A process is called
   a rank. There are two ways.

   By default, all ranks learn together. Each rank has its own environments, replay buffer and
   batch, and desc.reduce_fn adds up the gradients of all ranks. So all ranks have the same weights.
   The sum has a fixed order, so the bits depend on the number of ranks only.

   With --actors, rank 0 learns, and the other ranks play one environment each with the policy of
   rank 0. They send their steps to rank 0, which passes them to rise_agent_observe (Ape-X, Horgan
   et al. 2018).

       mpicc -O2 examples/cluster.c -o cluster -lm && mpirun -n 4 ./cluster
       mpirun -n 4 ./cluster --actors --game key-door
       mpirun -n 4 ./cluster --env ALE/Pong-v5 --steps 1M

   Rank 0 prints a line every five seconds: steps, updates, mean return, steps a second, and the
   share of the time that ranks wait for each other. With 4 ranks on 2 shared cores, the first
   command takes about 20 seconds, and its last line says that the greedy agent scores 1.

   The folder of the run must be the same for all ranks, on a disk that all machines share. All
   ranks save together: see "Saving" below. --resume goes on, also with another number of ranks. If
   a rank dies, the others save the agent and end. mpirun gives them one second, and so does Ctrl-C.
   A run that saves large replay buffers needs longer. End it by `kill -USR1` of mpirun. */
#include "training_run.h" /* first: defines _DEFAULT_SOURCE */

#include "arcade.h"
#include "command_line.h"
#include "game_trainer.h"
#include "mpi_ranks.h"
#include "self_test.h"

#include <dirent.h>
#include <fcntl.h>

#define RISE_IMPLEMENTATION
#include "../rise.h"

/* ---------------------------------------------------------------------------------------------- */
/* Options */

static const char *const usage =
    "mpirun -n RANKS cluster [options]\n"
    "  --game NAME             a small game, such as corridor, key-door or pong [corridor]\n"
    "  --env NAME              or an environment of Gymnasium; ALE/ games get 84 x 84 pixels, 4\n"
    "                          frames a step, sticky actions, and the sign of rewards\n"
    "  --environments N        environments of each rank, without --actors [8]\n"
    "  --actors                rank 0 learns, all others play\n"
    "  --publish-every N       --actors: updates between two policies for the actors [50]\n"
    "  --sum                   MPI_SUM adds the gradients; its order depends on the machine\n"
    "  --memory rise|none|full [rise]\n"
    "  --steps N               steps of all ranks together [what the game needs; 1M with --env]\n"
    "  --seed N                [1]\n"
    "  --set FIELD=VALUE       a field of rise_agent_desc; may be repeated\n"
    "  --threads N             threads of each agent [1]\n"
    "  --folder PATH           [runs/cluster-NAME-MEMORY-SEED]\n"
    "  --save-every S          seconds between saves [60]\n"
    "  --whole                 saves the replay buffers, too\n"
    "  --resume                goes on with the run in the folder\n"
    "  --check                 all ranks play the same episodes, with made-up actions; saves nothing\n"
    "  --python PATH, --bridge PATH   [python3, examples/bridge.py]\n"
    "  --self-test             checks this build on this machine\n";

static const command_option table[] = {
    {"--game", COMMAND_STRING, COMMAND_FIXED, "corridor", 0, 0, ""},
    {"--env", COMMAND_STRING, COMMAND_FIXED, "", 0, 0, ""},
    {"--environments", COMMAND_WHOLE, COMMAND_FIXED, "8", 1, BRIDGE_ENVIRONMENTS, ""},
    {"--actors", COMMAND_SWITCH, COMMAND_FIXED, "", 0, 0, ""},
    {"--publish-every", COMMAND_WHOLE, COMMAND_FREE, "50", 1, 1e9, ""},
    {"--sum", COMMAND_SWITCH, COMMAND_FREE, "", 0, 0, ""},
    {"--memory", COMMAND_CHOICE, COMMAND_FIXED, "rise", 0, 0, "rise|none|full"},
    {"--steps", COMMAND_NUMBER, COMMAND_FREE, "", 1, 1e12, ""},
    {"--seed", COMMAND_WHOLE, COMMAND_FIXED, "1", 0, 1e9, ""},
    {"--set", COMMAND_LINES, COMMAND_FIXED, "", 0, 0, "FIELD=VALUE"},
    {"--threads", COMMAND_WHOLE, COMMAND_FREE, "1", 1, 64, ""},
    {"--folder", COMMAND_STRING, COMMAND_ONCE, "", 0, 0, ""},
    {"--save-every", COMMAND_NUMBER, COMMAND_FREE, "60", 0, 1e9, ""},
    {"--whole", COMMAND_SWITCH, COMMAND_FREE, "", 0, 0, ""},
    {"--resume", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
    {"--check", COMMAND_SWITCH, COMMAND_ONCE, "", 0, 0, ""},
    {"--python", COMMAND_STRING, COMMAND_ONCE, "python3", 0, 0, ""},
    {"--bridge", COMMAND_STRING, COMMAND_ONCE, "examples/bridge.py", 0, 0, ""},
};

typedef struct options {
    const char *environment; /* NULL: a small game */
    game_kind game;
    int environments, publish_every, seed, threads;
    int actors, any_order, whole, check;
    double steps, save_every;
} options;

/* ---------------------------------------------------------------------------------------------- */
/* The session */

enum { SENDING = 4 }; /* steps that an actor has sent and rank 0 has not received */

/* What each rank tells all others in each iteration. */
typedef struct news {
    double stops; /* 1: this rank was asked to end */
    double saves; /* 1: a save is due; from rank 0 */
    double ready; /* 1: the replay buffer has enough steps */
    double steps, mean_return, waited;
} news;

/* The files to resume from. set.txt holds this struct as text, and is written last. */
typedef struct saved_set {
    char letter; /* 'a' or 'b': the folder of the files */
    int ranks;   /* that have a file; 0: nothing was saved yet */
    double steps;
} saved_set;

/* What an actor sends before the numbers and the frame of a step. */
typedef struct step_head {
    float reward, waited;
    int event, action; /* event -1: the actor ends */
} step_head;

/* --actors: the steps that rank 0 receives from actors, [actors] each. An actor uses `messages` and
   `requests` alone, [SENDING]. */
typedef struct mail {
    size_t bytes; /* of a message */
    uint8_t *messages;
    MPI_Request *requests;
    uint8_t *frames;
    float *values, *rewards;
    rise_event *events;
    int *actions, *ended;
    double *waited; /* seconds, of each actor */
    int sent;       /* by an actor */
} mail;

/* --actors: a policy on its way. A message is the number of updates, as a double, and a file of
   RISE_SAVE_POLICY. The double alone ends an actor. */
typedef struct policy {
    uint8_t *bytes;
    size_t size, room, at;
    MPI_Request *requests; /* [ranks] */
    double updates;        /* of the last policy that was sent */
} policy;

typedef struct session {
    options options;
    command_line line;
    ranks all;
    char folder[TRAIN_PATH - 60];
    char why[700]; /* why this rank cannot go on; "": it can */
    saved_set set;
    rise_agent *agent;
    arcade games; /* the arrays of all environments; for small games, its bridge is closed */
    game small[BRIDGE_ENVIRONMENTS];
    int owed;       /* steps for which no update was done */
    uint32_t calls; /* iterations so far */
    news mine, *everyone; /* everyone: [ranks], of the last iteration */
    MPI_Request telling;
    double reported, saved; /* seconds, when the last report and the last save were made */
    news before;            /* sums over all ranks, at the last report */
    double updates_before;
    mail mail;
    policy policy;
} session;

/* Notes why this rank cannot go on. Returns 0. */
TERMINAL_PRINTF(2, 3)
static int fail(session *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Environments */

/* Opens small games. Their seeds differ between ranks, and after a resume. */
static int open_small(session *s, int count, uint64_t seed)
{
    arcade *const a = &s->games;
    const game_spec *const spec = game_spec_of(s->options.game);
    int i;
    memset(a, 0, sizeof *a);
    for (i = 0; i < count; i++) {
        game_init(&s->small[i], s->options.game, 0, seed + (uint64_t)i);
        a->events[i] = RISE_FIRST;
    }
    a->count = count;
    a->width = spec->width, a->height = spec->height, a->channels = 1;
    a->actions = spec->actions;
    a->frames = (uint8_t *)malloc((size_t)count * arcade_frame_bytes(a));
    if (a->frames == NULL) return fail(s, "there is no memory for frames");
    for (i = 0; i < count; i++)
        game_view(&s->small[i], a->frames + (size_t)i * arcade_frame_bytes(a));
    return 1;
}
static int open_gymnasium(session *s, int count, uint64_t seed)
{
    const char *const name = s->options.environment;
    arcade_protocol p;
    bridge_options link;
    memset(&p, 0, sizeof p);
    memset(&link, 0, sizeof link);
    p.side = 84, p.largest = 96;
    if (strncmp(name, "ALE/", 4) == 0) {
        p.largest = 0, p.repeat = 4, p.sticky = 0.25, p.most_frames = 108000;
        p.two_frames = p.clip = 1;
        link.settings = "frameskip=1\nrepeat_action_probability=0.0\nobs_type=grayscale\n";
    }
    link.name = name;
    link.environments = count;
    link.seed = seed;
    link.python = command_string(&s->line, "--python");
    link.script = command_string(&s->line, "--bridge");
    return arcade_open(&s->games, &link, &p) || fail(s, "%s", s->games.link.error);
}
static int open_games(session *s)
{
    const options *const o = &s->options;
    int const count = o->actors ? 1 : o->environments;
    uint64_t seed = (uint64_t)o->seed * 1000003u + (uint64_t)s->set.steps;
    if (!o->check) seed += (uint64_t)(s->all.rank * BRIDGE_ENVIRONMENTS);
    return o->environment != NULL ? open_gymnasium(s, count, seed) : open_small(s, count, seed);
}

/* Plays actions in all environments. Environments of Gymnasium then run until games_end. */
static int games_begin(session *s, const int *actions)
{
    arcade *const a = &s->games;
    int i;
    if (s->options.environment != NULL)
        return arcade_send(a, actions) || fail(s, "%s", a->link.error);
    for (i = 0; i < a->count; i++) {
        game *const g = &s->small[i];
        a->rewards[i] = 0;
        if (g->done)
            game_reset(g);
        else
            a->rewards[i] = game_step(g, actions[i]);
        a->events[i] = g->time == 0 ? RISE_FIRST
                       : !g->done   ? RISE_MIDDLE
                       : g->cut     ? RISE_TRUNCATED
                                    : RISE_TERMINATED;
        game_view(g, a->frames + (size_t)i * arcade_frame_bytes(a));
    }
    return 1;
}
static int games_end(session *s)
{
    if (s->options.environment == NULL) return 1;
    return arcade_receive(&s->games) || fail(s, "%s", s->games.link.error);
}

/* ---------------------------------------------------------------------------------------------- */
/* The agent */

/* Sets the fields that do not come from a file: this rank's part, and what the games look like. */
static void describe_machine(session *s, rise_agent_desc *d)
{
    const arcade *const a = &s->games;
    d->frame_width = a->width, d->frame_height = a->height, d->frame_channels = a->channels;
    d->numbers = a->numbers;
    d->actions = a->actions;
    d->environments = s->options.actors ? s->all.count - 1 : a->count;
    d->threads = s->options.threads;
    if (!s->options.actors) ranks_describe(&s->all, d, s->options.any_order);
}
static int describe(session *s, rise_agent_desc *d)
{
    const options *const o = &s->options;
    const char *at = s->line.texts[command_find(&s->line, "--set")];
    char field[COMMAND_TEXT];
    rise_error error;
    memset(d, 0, sizeof *d);
    if (o->environment == NULL)
        *d = trainer_desc(&s->small[0], o->actors ? o->steps : o->steps / s->all.count, o->seed);
    else if (s->games.width > 32 && s->games.height > 32)
        arcade_describe(d);
    d->memory = (rise_memory)command_choice(&s->line, "--memory"); /* its words are in that order */
    d->seed = (uint64_t)o->seed;
    d->learn_outside = !o->actors;
    describe_machine(s, d);
    while (*at != '\0') {
        size_t const length = strcspn(at, "\n");
        snprintf(field, sizeof field, "%.*s", (int)length, at);
        if (rise_agent_set(d, field, &error) != RISE_OK) return fail(s, "%s", error.text);
        at += length + (at[length] == '\n');
    }
    return rise_agent_resolve(d, &error) == RISE_OK || fail(s, "%s", error.text);
}

/* Returns whether all ranks have the same weights, and writes their hash. Sets s->all.lost if a
   rank does not answer. */
static int same_weights(session *s, uint64_t *hash)
{
    const uint8_t *const bytes = (const uint8_t *)rise_agent_parameters(s->agent);
    uint64_t *const hashes = (uint64_t *)malloc((size_t)s->all.count * sizeof *hashes);
    rise_metrics m;
    size_t at;
    int i, same = hashes != NULL;
    rise_agent_metrics(s->agent, &m);
    *hash = UINT64_C(0xCBF29CE484222325);
    for (at = 0; at < m.parameters * sizeof(rise_real); at++)
        *hash = (*hash ^ bytes[at]) * UINT64_C(0x100000001B3);
    same = same && ranks_gather(&s->all, hash, sizeof *hash, hashes);
    for (i = 0; i < s->all.count && same; i++) same = hashes[i] == *hash;
    free(hashes);
    return same;
}

static const char *set_path(const session *s, char letter, const char *name, char *path)
{
    snprintf(path, TRAIN_PATH, "%s/%c/%s", s->folder, letter, name);
    return path;
}

/* Makes the agent, or loads it from the set. A rank without a file of its own loads agent.rise:
   rank 0's agent, without its replay buffer. */
static int make_agent(session *s)
{
    int const own = s->all.rank < s->set.ranks &&
                    (!s->options.actors || s->all.count == s->set.ranks);
    rise_agent_desc d;
    rise_error error;
    rise_result result;
    uint64_t hash;
    char name[40], path[TRAIN_PATH];
    if (s->set.ranks == 0) {
        if (!describe(s, &d) || (s->all.rank == 0 && !train_memory_fits(&d))) return 0;
        result = rise_agent_create(&s->agent, &d, &error);
    } else {
        memset(&d, 0, sizeof d);
        describe_machine(s, &d);
        snprintf(name, sizeof name, "rank-%d.rise", s->all.rank);
        set_path(s, s->set.letter, own ? name : "agent.rise", path);
        result = rise_agent_load(&s->agent, path, &d, &error);
    }
    if (result != RISE_OK) return fail(s, "%s", error.text);
    if (s->options.actors || same_weights(s, &hash)) return 1;
    return fail(s, "the agents of the ranks have different weights");
}

/* ---------------------------------------------------------------------------------------------- */
/* Saving

   All ranks save in the same iteration. There are two sets of files, FOLDER/a and FOLDER/b. A save
   writes the set that is not in use. When all ranks have written their files, rank 0 replaces
   FOLDER/set.txt, which names the set in use. So a run that is killed at any moment resumes from
   one complete set. */

/* Writes this rank's files of a set. Returns 0, after a message, on failure. */
static int save_files(const session *s, char letter)
{
    rise_save const what = s->options.whole ? RISE_SAVE_ALL : RISE_SAVE_AGENT;
    char name[40], path[TRAIN_PATH];
    rise_error error;
    rise_result result;
    snprintf(name, sizeof name, "rank-%d.rise", s->all.rank);
    result = rise_agent_save(s->agent, what, set_path(s, letter, name, path), &error);
    if (result == RISE_OK && s->all.rank == 0)
        result = rise_agent_save(s->agent, RISE_SAVE_AGENT,
                                 set_path(s, letter, "agent.rise", path), &error);
    if (result != RISE_OK) fprintf(stderr, "cluster: NOT SAVED: %s\n", error.text);
    return result == RISE_OK;
}
static int write_set(const session *s, const saved_set *set)
{
    static replace_file file;
    char path[TRAIN_PATH];
    snprintf(path, sizeof path, "%s/set.txt", s->folder);
    if (replace_begin(&file, path) != NULL) {
        fprintf(file.file, "%c %d %.0f\nfolder of the files, ranks, steps\n", set->letter,
                set->ranks, set->steps);
        fflush(file.file), fsync(fileno(file.file));
    }
    if (replace_end(&file, 1)) return 1;
    fprintf(stderr, "cluster: NOT SAVED: %s cannot be written: %s\n", path, strerror(errno));
    return 0;
}
/* Reads set.txt. Without this file, *set stays as it is. Returns 0 if the file cannot be read. */
static int read_set(const session *s, saved_set *set)
{
    char path[TRAIN_PATH];
    FILE *file;
    int good;
    snprintf(path, sizeof path, "%s/set.txt", s->folder);
    file = fopen(path, "r");
    if (file == NULL) return errno == ENOENT || errno == ENOTDIR;
    good = fscanf(file, "%c %d %lf", &set->letter, &set->ranks, &set->steps) == 3;
    fclose(file);
    return good && (set->letter == 'a' || set->letter == 'b') && set->ranks > 0;
}

/* Saves all ranks. With --actors, only rank 0 calls this function. A save that fails leaves the set
   in use as it was, and the run goes on. Returns 0 if a rank is lost. */
static int save(session *s, double steps)
{
    int const together = !s->options.actors;
    saved_set set;
    char good = 0, *goods;
    int i;
    set.letter = s->set.letter == 'a' ? 'b' : 'a';
    set.ranks = s->all.count, set.steps = steps;
    s->saved = terminal_seconds();
    if (s->options.check) return 1;
    goods = (char *)calloc((size_t)s->all.count, 1);
    good = goods != NULL && save_files(s, set.letter);
    if (together && !ranks_gather(&s->all, &good, 1, goods)) return free(goods), 0;
    for (i = 0; i < s->all.count && together; i++) good = good && goods[i];
    free(goods);
    if (s->all.rank == 0) good = good && write_set(s, &set);
    if (together && !ranks_share(&s->all, &good, 1)) return 0;
    if (!good) return 1;
    s->set = set;
    printf("Saved after %.0f steps: %s\n", steps, s->folder);
    fflush(stdout);
    return 1;
}

/* Removes the files of saves that were killed. */
static void remove_leftovers(const session *s, const char *folder)
{
    char path[TRAIN_PATH], name[2 * TRAIN_PATH];
    DIR *directory;
    struct dirent *entry;
    snprintf(path, sizeof path, "%s/%s", s->folder, folder);
    directory = opendir(path);
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (strstr(entry->d_name, ".rise.new-") == NULL) continue;
        snprintf(name, sizeof name, "%.290s/%.290s", path, entry->d_name);
        remove(name);
    }
    if (directory != NULL) closedir(directory);
}
/* Returns whether this rank is the first one that ends a run that cannot go on. */
static int first_to_end(const session *s)
{
    char path[TRAIN_PATH];
    int file;
    snprintf(path, sizeof path, "%s/ended", s->folder);
    file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);
    if (file >= 0) close(file);
    return file >= 0;
}
/* Makes the folder. Rank 0 calls it before all others use the folder. */
static int prepare_folder(session *s)
{
    char path[TRAIN_PATH];
    int i;
    if (s->options.check) return 1;
    for (i = 0; i < 2; i++) {
        set_path(s, i == 0 ? 'a' : 'b', "", path);
        if (train_make_folder(path) < 0)
            return fail(s, "the folder %s cannot be made (%s): pass another --folder", path,
                        strerror(errno));
        remove_leftovers(s, i == 0 ? "a" : "b");
    }
    remove_leftovers(s, "");
    snprintf(path, sizeof path, "%s/ended", s->folder);
    remove(path);
    return 1;
}

/* Ends a run that cannot go on, because this rank failed or another one is lost. The first rank
   that comes here saves the agent as FOLDER/agent.rise, and says so. */
static void give_up(session *s)
{
    int const learns = s->agent != NULL && (!s->options.actors || s->all.rank == 0);
    char path[TRAIN_PATH];
    rise_error error;
    rise_metrics m;
    if (s->why[0] != '\0') fprintf(stderr, "cluster: rank %d: %s\n", s->all.rank, s->why);
    snprintf(path, sizeof path, "%s/agent.rise", s->folder);
    if (!learns) terminal_sleep(0.5); /* a rank that can save the agent comes first */
    if (!s->options.check && s->set.letter != '\0' && first_to_end(s)) {
        fprintf(stderr, "cluster: %s, so the run ends.",
                s->why[0] != '\0' ? "this rank failed" : "another rank is gone or did not answer");
        if (learns && rise_agent_save(s->agent, RISE_SAVE_AGENT, path, &error) == RISE_OK) {
            rise_agent_metrics(s->agent, &m);
            fprintf(stderr, " %s has the agent after %.0f updates.", path, (double)m.updates);
        }
        fprintf(stderr, " --resume goes on after %.0f steps.\n", s->set.steps);
    } else if (s->why[0] == '\0') {
        terminal_sleep(5); /* the first one ends all */
    }
    MPI_Abort(MPI_COMM_WORLD, 1);
}

/* ---------------------------------------------------------------------------------------------- */
/* Progress */

/* Prints a line, from the sums of all ranks. `waiting` names who waits. */
static void report(session *s, const news *sum, const char *waiting)
{
    double const now = terminal_seconds(), since = now - s->reported;
    char steps[30];
    rise_metrics m;
    rise_agent_metrics(s->agent, &m);
    printf("%3.0f%%  %s steps  %.0f updates  return %.3f  %.0f steps/s  %.0f updates/s  %s %.0f%%\n",
           100 * fmin(1, sum->steps / s->options.steps), train_count(sum->steps, steps, sizeof steps),
           (double)m.updates, sum->mean_return, (sum->steps - s->before.steps) / since,
           ((double)m.updates - s->updates_before) / since, waiting,
           100 * (sum->waited - s->before.waited) / since);
    fflush(stdout);
    s->reported = now, s->before = *sum, s->updates_before = (double)m.updates;
}

/* Prints how the greedy agent plays a small game. */
static void print_score(session *s)
{
    const game_spec *const spec = game_spec_of(s->options.game);
    game g = s->small[0];
    if (s->options.environment != NULL) return;
    printf("Playing greedily, the agent scores %.3g in %s. The best score is %.3g, and %.3g without "
           "memory.\n",
           trainer_score(s->agent, &g), spec->name, spec->best, spec->without_memory);
}

/* ---------------------------------------------------------------------------------------------- */
/* All ranks learn together */

/* Begins to tell all ranks how this one is doing. The messages travel during the iteration. */
static int tell(session *s)
{
    const rise_agent_desc *const d = rise_agent_query(s->agent);
    double const now = terminal_seconds();
    rise_metrics m;
    rise_agent_metrics(s->agent, &m);
    s->mine.stops = ranks_asked != 0;
    s->mine.saves = s->all.rank == 0 && now - s->saved >= s->options.save_every;
    s->mine.ready = m.steps > d->learn_start && m.replay_size > d->learn_start;
    s->mine.steps = (double)m.steps, s->mine.mean_return = m.mean_return;
    s->mine.waited = s->all.waited;
    s->all.lost |= MPI_Iallgather(&s->mine, sizeof s->mine, MPI_BYTE, s->everyone, sizeof s->mine,
                                  MPI_BYTE, MPI_COMM_WORLD, &s->telling) != MPI_SUCCESS;
    return !s->all.lost;
}
/* Returns the sums of what all ranks told; mean_return and waited become means. */
static news told(const session *s)
{
    news sum;
    int i;
    memset(&sum, 0, sizeof sum);
    for (i = 0; i < s->all.count; i++) {
        const news *const n = &s->everyone[i];
        sum.stops += n->stops, sum.saves += n->saves, sum.ready += n->ready;
        sum.steps += n->steps, sum.mean_return += n->mean_return, sum.waited += n->waited;
    }
    sum.mean_return /= s->all.count, sum.waited /= s->all.count;
    return sum;
}

/* Chooses the actions of all environments. With --check, they follow from the number of calls, so
   all ranks see the same steps. */
static int act(session *s, int *actions)
{
    arcade *const a = &s->games;
    rise_result result;
    int i;
    s->calls++;
    for (i = 0; i < a->count && s->options.check; i++)
        actions[i] = (int)((s->calls * 2654435761u + (uint32_t)i * 40503u) >> 16) % a->actions;
    if (s->options.check)
        result = rise_agent_observe(s->agent, arcade_frame(a, 0), arcade_values(a, 0), a->rewards,
                                    a->events, NULL, actions);
    else
        result = rise_agent_step_all(s->agent, arcade_frame(a, 0), arcade_values(a, 0), a->rewards,
                                     a->events, NULL, actions);
    return result == RISE_OK || fail(s, "%s", rise_agent_error(s->agent)->text);
}

/* Does the updates that are due. All ranks must do the same number. The steps of an agent do not
   count the last frames of episodes, so they differ between ranks: the calls are counted. */
static int learn(session *s)
{
    s->owed += s->games.count;
    for (; s->owed >= rise_agent_query(s->agent)->learn_period;
         s->owed -= rise_agent_query(s->agent)->learn_period)
        if (rise_agent_learn(s->agent) != RISE_OK)
            return s->all.lost ? 0 : fail(s, "%s", rise_agent_error(s->agent)->text);
    return 1;
}

static int learn_together(session *s)
{
    int actions[BRIDGE_ENVIRONMENTS], ready = 0, over = 0;
    uint64_t hash;
    while (!over) {
        news sum;
        if (!tell(s) || !act(s, actions) || !games_begin(s, actions) || (ready && !learn(s)) ||
            !games_end(s) || !ranks_wait(&s->all, &s->telling))
            return 0;
        sum = told(s);
        ready = ready || sum.ready == s->all.count;
        over = sum.stops > 0 || sum.steps >= s->options.steps;
        if (s->all.rank == 0 && (over || terminal_seconds() - s->reported >= 5))
            report(s, &sum, "waiting");
        if ((over || sum.saves > 0) && !save(s, sum.steps)) return 0;
    }
    if (!same_weights(s, &hash)) return s->all.lost ? 0 : fail(s, "the weights of ranks differ");
    printf("All ranks have the same weights: %016" PRIx64 "\n", hash);
    if (s->all.count > 1)
        printf("Rank 0 sent %.3g MB in %.0f messages.\n", s->all.bytes / 1e6, s->all.messages);
    print_score(s);
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* Rank 0 learns, and the others act */

enum { STEP = 1, POLICY = 2 }; /* tags of messages */

static int write_policy(void *user, const void *data, size_t size)
{
    policy *const p = (policy *)user;
    if (p->size + size > p->room) {
        size_t const room = 2 * (p->size + size);
        uint8_t *const more = (uint8_t *)realloc(p->bytes, room);
        if (more == NULL) return 0;
        p->bytes = more, p->room = room;
    }
    memcpy(p->bytes + p->size, data, size);
    p->size += size;
    return 1;
}
static int read_policy(void *user, void *data, size_t size)
{
    policy *const p = (policy *)user;
    if (size > p->size - p->at) return 0;
    memcpy(data, p->bytes + p->at, size);
    p->at += size;
    return 1;
}

/* Sends the policy to all actors, or the end if `ends`. If an actor has not yet received the last
   policy, does nothing, unless it is the end. */
static int publish(session *s, int ends)
{
    policy *const p = &s->policy;
    int i, done = 0;
    rise_error error;
    rise_metrics m;
    for (i = 1; i < s->all.count && ends; i++)
        if (!ranks_wait(&s->all, &p->requests[i])) return 0;
    if (MPI_Testall(s->all.count, p->requests, &done, MPI_STATUSES_IGNORE) != MPI_SUCCESS)
        return s->all.lost = 1, 0;
    if (!done) return 1;
    rise_agent_metrics(s->agent, &m);
    p->updates = (double)m.updates, p->size = 0;
    if (!write_policy(p, &p->updates, sizeof p->updates)) return fail(s, "there is no memory");
    if (!ends &&
        rise_agent_write(s->agent, RISE_SAVE_POLICY, write_policy, p, &error) != RISE_OK)
        return fail(s, "%s", error.text);
    for (i = 1; i < s->all.count; i++)
        s->all.lost |= MPI_Isend(p->bytes, (int)p->size, MPI_BYTE, i, POLICY, MPI_COMM_WORLD,
                                 &p->requests[i]) != MPI_SUCCESS;
    return !s->all.lost;
}

/* Receives the next step of an actor. */
static void expect(session *s, int actor)
{
    mail *const m = &s->mail;
    s->all.lost |= MPI_Irecv(m->messages + (size_t)actor * m->bytes, (int)m->bytes, MPI_BYTE,
                             actor + 1, STEP, MPI_COMM_WORLD, &m->requests[actor]) != MPI_SUCCESS;
}
/* Copies a step that has arrived to the arrays for rise_agent_observe. */
static void unpack(session *s, int actor)
{
    const arcade *const a = &s->games;
    mail *const m = &s->mail;
    const uint8_t *at = m->messages + (size_t)actor * m->bytes;
    size_t const values = (size_t)a->numbers * sizeof(float);
    step_head head;
    memcpy(&head, at, sizeof head);
    m->waited[actor] = (double)head.waited;
    if (head.event < 0) {
        m->ended[actor] = 1;
        return;
    }
    m->rewards[actor] = head.reward;
    m->events[actor] = (rise_event)head.event;
    m->actions[actor] = head.action;
    memcpy(m->values + (size_t)actor * (size_t)a->numbers, at + sizeof head, values);
    memcpy(m->frames + (size_t)actor * arcade_frame_bytes(a), at + sizeof head + values,
           arcade_frame_bytes(a));
    expect(s, actor);
}
/* Takes the steps that have arrived, at most one of each actor. Waits for the first one, unless the
   run is asked to end. Returns how many; -1: a rank is lost. */
static int collect(session *s)
{
    mail *const m = &s->mail;
    int const actors = s->all.count - 1;
    double const began = MPI_Wtime();
    int i, done, taken = 0, tests = 0;
    for (i = 0; i < actors; i++) m->events[i] = RISE_ABSENT;
    for (;;) {
        for (i = 0; i < actors && !s->all.lost; i++) {
            if (m->ended[i] || m->events[i] != RISE_ABSENT) continue;
            s->all.lost = MPI_Test(&m->requests[i], &done, MPI_STATUS_IGNORE) != MPI_SUCCESS;
            if (done && !s->all.lost) unpack(s, i), taken++;
        }
        if (s->all.lost) return -1;
        if (taken > 0 || ranks_asked != 0) break;
        if (++tests > 200) terminal_sleep(20e-6);
    }
    s->all.waited += MPI_Wtime() - began;
    return taken;
}
/* Ends all actors: tells them, and takes their last steps. Returns 0 if a rank is lost. */
static int end_actors(session *s)
{
    int const actors = s->all.count - 1;
    double const began = MPI_Wtime();
    int i, left = actors;
    if (!publish(s, 1)) return 0;
    while (left > 0) {
        if (collect(s) < 0 || ranks_too_long(&s->all, began)) return s->all.lost = 1, 0;
        for (i = left = 0; i < actors; i++) left += !s->mail.ended[i];
    }
    for (i = 1; i <= actors; i++)
        if (!ranks_wait(&s->all, &s->policy.requests[i])) return 0;
    return 1;
}

/* The loop of rank 0. The updates that are due are done inside rise_agent_observe. */
static int learn_from_actors(session *s)
{
    mail *const m = &s->mail;
    int i, over = 0;
    for (i = 0; i < s->all.count - 1; i++) expect(s, i);
    if (!publish(s, 0)) return 0;
    while (!over) {
        news sum;
        rise_metrics now;
        double const at = terminal_seconds();
        if (collect(s) < 0) return 0;
        if (rise_agent_observe(s->agent, s->games.width > 0 ? m->frames : NULL,
                               s->games.numbers > 0 ? m->values : NULL, m->rewards, m->events,
                               NULL, m->actions) != RISE_OK)
            return fail(s, "%s", rise_agent_error(s->agent)->text);
        rise_agent_metrics(s->agent, &now);
        if ((double)now.updates - s->policy.updates >= s->options.publish_every && !publish(s, 0))
            return 0;
        over = ranks_asked != 0 || (double)now.steps >= s->options.steps;
        if (over || at - s->saved >= s->options.save_every) save(s, (double)now.steps);
        if (!over && at - s->reported < 5) continue;
        memset(&sum, 0, sizeof sum);
        sum.steps = (double)now.steps, sum.mean_return = now.mean_return;
        for (i = 0; i < s->all.count - 1; i++) sum.waited += m->waited[i] / (s->all.count - 1);
        report(s, &sum, "actors wait");
    }
    if (!end_actors(s)) return 0;
    print_score(s);
    return 1;
}

/* Lets the actor play with the policy that it has received. A player keeps its past frames when
   rise_agent_publish changes its policy. Until the first update, actions are random. From then on,
   actor i of n has the epsilon 0.4^(1 + 7 i / (n - 1)) (Horgan et al. 2018). */
static int use_policy(session *s)
{
    int const actors = s->all.count - 1, i = s->all.rank - 1;
    double const power = actors > 1 ? 1 + 7.0 * i / (actors - 1) : 1;
    rise_agent *fresh;
    rise_agent_desc machine;
    rise_error error;
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    machine.processes = s->all.count, machine.process = s->all.rank;
    if (rise_agent_read(&fresh, read_policy, &s->policy, s->policy.size - s->policy.at, &machine,
                        &error) != RISE_OK)
        return fail(s, "%s", error.text);
    if (s->agent == NULL) {
        s->agent = fresh;
    } else {
        rise_result const result = rise_agent_publish(fresh, s->agent);
        if (result != RISE_OK) fail(s, "%s", rise_agent_error(fresh)->text);
        rise_agent_destroy(fresh);
        if (result != RISE_OK) return 0;
    }
    rise_agent_set_player(s->agent, 0, s->policy.updates > 0 ? pow(0.4, power) : 1, 0);
    return 1;
}

/* Takes the policies that have arrived; waits for the first one. Returns 0 on failure; *ends: 1 if
   the actor must end. */
static int take_policies(session *s, int *ends)
{
    policy *const p = &s->policy;
    double const began = MPI_Wtime();
    int there = 0, size;
    MPI_Status status;
    MPI_Request request;
    for (;;) {
        s->all.lost |= MPI_Iprobe(0, POLICY, MPI_COMM_WORLD, &there, &status) != MPI_SUCCESS ||
                       (s->agent == NULL && ranks_too_long(&s->all, began));
        if (s->all.lost) return 0;
        if (!there && s->agent != NULL) return 1;
        if (!there) {
            terminal_sleep(1e-3);
            continue;
        }
        MPI_Get_count(&status, MPI_BYTE, &size);
        if ((size_t)size > p->room) {
            free(p->bytes);
            p->bytes = (uint8_t *)malloc((size_t)size);
            p->room = p->bytes != NULL ? (size_t)size : 0;
            if (p->bytes == NULL) return fail(s, "there is no memory for a policy");
        }
        s->all.lost |= MPI_Irecv(p->bytes, size, MPI_BYTE, 0, POLICY, MPI_COMM_WORLD, &request) !=
                       MPI_SUCCESS;
        if (!ranks_wait(&s->all, &request)) return 0;
        p->size = (size_t)size, p->at = sizeof p->updates;
        memcpy(&p->updates, p->bytes, sizeof p->updates);
        *ends = p->size == p->at;
        if (*ends) return 1;
        if (!use_policy(s)) return 0;
    }
}

/* Sends the step that the actor sees, or event -1 when it ends. Waits if SENDING steps are on their
   way. */
static int send_step(session *s, int event, int action)
{
    const arcade *const a = &s->games;
    mail *const m = &s->mail;
    int const slot = m->sent++ % SENDING;
    uint8_t *const at = m->messages + (size_t)slot * m->bytes;
    size_t const values = (size_t)a->numbers * sizeof(float);
    step_head head;
    if (!ranks_wait(&s->all, &m->requests[slot])) return 0;
    head.reward = a->rewards[0], head.waited = (float)s->all.waited;
    head.event = event, head.action = action;
    memcpy(at, &head, sizeof head);
    if (values > 0) memcpy(at + sizeof head, arcade_values(a, 0), values);
    if (a->width > 0) memcpy(at + sizeof head + values, a->frames, arcade_frame_bytes(a));
    s->all.lost |= MPI_Issend(at, (int)m->bytes, MPI_BYTE, 0, STEP, MPI_COMM_WORLD,
                              &m->requests[slot]) != MPI_SUCCESS;
    return !s->all.lost;
}

/* The loop of the other ranks. */
static int play_for_learner(session *s)
{
    const arcade *const a = &s->games;
    int ends = 0, action, i;
    while (take_policies(s, &ends) && !ends) {
        action = rise_agent_play_numbers(s->agent, 0, arcade_frame(a, 0), arcade_values(a, 0),
                                         a->rewards[0], a->events[0], NULL);
        if (action < 0) return fail(s, "%s", rise_agent_error(s->agent)->text);
        if (!send_step(s, (int)a->events[0], action) || !games_begin(s, &action) || !games_end(s))
            return 0;
    }
    if (!ends || !send_step(s, -1, 0)) return 0;
    for (i = 0; i < SENDING; i++)
        if (!ranks_wait(&s->all, &s->mail.requests[i])) return 0;
    return 1;
}

/* Allocates the messages. */
static int open_mail(session *s)
{
    const arcade *const a = &s->games;
    mail *const m = &s->mail;
    size_t const actors = (size_t)s->all.count - 1;
    size_t const slots = s->all.rank == 0 ? actors : SENDING;
    int i;
    m->bytes = sizeof(step_head) + (size_t)a->numbers * sizeof(float) + arcade_frame_bytes(a);
    m->messages = (uint8_t *)malloc(slots * m->bytes);
    m->requests = (MPI_Request *)malloc(slots * sizeof *m->requests);
    m->frames = (uint8_t *)calloc(actors, arcade_frame_bytes(a) + 1);
    m->values = (float *)calloc(actors, (size_t)(a->numbers + 1) * sizeof *m->values);
    m->rewards = (float *)calloc(actors, sizeof *m->rewards);
    m->events = (rise_event *)calloc(actors, sizeof *m->events);
    m->actions = (int *)calloc(actors, sizeof *m->actions);
    m->ended = (int *)calloc(actors, sizeof *m->ended);
    m->waited = (double *)calloc(actors, sizeof *m->waited);
    s->policy.requests = (MPI_Request *)malloc((size_t)s->all.count * sizeof(MPI_Request));
    if (m->messages == NULL || m->requests == NULL || m->frames == NULL || m->values == NULL ||
        m->rewards == NULL || m->events == NULL || m->actions == NULL || m->ended == NULL ||
        m->waited == NULL || s->policy.requests == NULL)
        return fail(s, "there is no memory for messages");
    for (i = 0; i < (int)slots; i++) m->requests[i] = MPI_REQUEST_NULL;
    for (i = 0; i < s->all.count; i++) s->policy.requests[i] = MPI_REQUEST_NULL;
    return 1;
}
static void close_mail(session *s)
{
    mail *const m = &s->mail;
    free(m->messages), free(m->requests), free(m->frames), free(m->values), free(m->rewards);
    free(m->events), free(m->actions), free(m->ended), free(m->waited);
    free(s->policy.bytes), free(s->policy.requests);
}

/* ---------------------------------------------------------------------------------------------- */
/* The run */

/* Sets the options. Returns 0, after a message, if they are wrong. */
static int read_options(session *s)
{
    options *const o = &s->options;
    const command_line *const c = &s->line;
    o->environment = command_string(c, "--env");
    o->game = game_named(command_string(c, "--game"));
    o->environments = command_whole(c, "--environments");
    o->publish_every = command_whole(c, "--publish-every");
    o->seed = command_whole(c, "--seed");
    o->threads = command_whole(c, "--threads");
    o->actors = command_string(c, "--actors") != NULL;
    o->any_order = command_string(c, "--sum") != NULL;
    o->whole = command_string(c, "--whole") != NULL;
    o->check = command_string(c, "--check") != NULL;
    o->steps = command_number(c, "--steps");
    o->save_every = command_number(c, "--save-every");
    if (o->game == GAME_KINDS && o->environment == NULL)
        return fprintf(stderr, "cluster: there is no small game %s; ./memory --help lists them\n",
                       command_string(c, "--game")), 0;
    if (o->actors && (s->all.count == 1 || o->check))
        return fputs("cluster: --actors needs two ranks or more, and no --check\n", stderr), 0;
    if (s->all.count > RANKS_MOST)
        return fprintf(stderr, "cluster: at most %d ranks are possible\n", RANKS_MOST), 0;
    if (o->steps == 0) o->steps = o->environment != NULL ? 1e6 : recipe_of(o->game)->steps;
    return 1;
}
/* Takes the options of the run in the folder. Returns 0, after a message, if there is a run and
   --resume is missing, or if an option must not change. */
static int resume_options(session *s)
{
    static command_line old;
    char path[TRAIN_PATH];
    if (command_string(&s->line, "--check") != NULL) return 1;
    if (!read_set(s, &s->set))
        return fprintf(stderr, "cluster: %s/set.txt cannot be read\n", s->folder), 0;
    if (s->set.ranks == 0) return 1;
    if (command_string(&s->line, "--resume") == NULL)
        return fprintf(stderr,
                       "cluster: there is a run in %s already: add --resume to go on, or begin "
                       "another with --folder or --seed\n",
                       s->folder), 0;
    command_begin(&old, table, (int)(sizeof table / sizeof *table));
    snprintf(path, sizeof path, "%s/run.txt", s->folder);
    if (!command_read(&old, path))
        return fprintf(stderr, "cluster: %s cannot be read: %s\n", path, strerror(errno)), 0;
    return command_resume(&s->line, &old);
}
/* Reads the command line. */
static int read_command(session *s, int argc, char **argv)
{
    const command_line *const c = &s->line;
    const char *name, *at;
    command_begin(&s->line, table, (int)(sizeof table / sizeof *table));
    if (!command_parse(&s->line, argc, argv)) return 0;
    name = command_string(c, "--env") != NULL ? command_string(c, "--env")
                                              : command_string(c, "--game");
    at = command_string(c, "--folder");
    if (at != NULL)
        snprintf(s->folder, sizeof s->folder, "%s", at);
    else
        snprintf(s->folder, sizeof s->folder, "runs/cluster-%.100s-%s-%s", name,
                 command_string(c, "--memory"), command_string(c, "--seed"));
    return resume_options(s) && read_options(s);
}

/* Prepares the folder, the games and the agent. Returns 0 on failure. */
static int begin(session *s, int argc, char **argv)
{
    char path[TRAIN_PATH], facts[100];
    char ready = 1;
    if (s->all.rank == 0) ready = (char)prepare_folder(s);
    if (!ranks_share(&s->all, &ready, 1) || !ready) return 0;
    s->everyone = (news *)calloc((size_t)s->all.count, sizeof *s->everyone);
    if (s->everyone == NULL) return fail(s, "there is no memory");
    if (!open_games(s)) return 0;
    if (s->options.actors && !open_mail(s)) return 0;
    if ((!s->options.actors || s->all.rank == 0) && !make_agent(s)) return 0;
    s->saved = s->reported = terminal_seconds();
    if (s->all.rank > 0 || s->options.check) return 1;
    snprintf(facts, sizeof facts, "rise.h %d.%d.%d, %d ranks", RISE_VERSION_MAJOR,
             RISE_VERSION_MINOR, RISE_VERSION_PATCH, s->all.count);
    snprintf(path, sizeof path, "%s/run.txt", s->folder);
    if (!command_write(&s->line, path, argc, argv, facts))
        return fail(s, "%s cannot be written: %s", path, strerror(errno));
    s->before.steps = s->set.steps;
    if (s->set.ranks > 0) printf("Resumed after %.0f steps, saved by %d ranks.\n", s->set.steps,
                                 s->set.ranks);
    return 1;
}

int main(int argc, char **argv)
{
    static session s;
    char good = 1;
    int help;
    if (self_test_wanted(argc, argv)) return self_test_status();
    help = argc > 1 && strcmp(argv[1], "--help") == 0;
    if (help) return fputs(usage, stdout), 0;
    ranks_begin(&s.all, &argc, &argv);
    /* rank 0 is the first to read the command line, so that a mistake is reported once */
    if (s.all.rank == 0) good = (char)read_command(&s, argc, argv);
    if (!ranks_share(&s.all, &good, 1) || !good) return ranks_end(&s.all), 2;
    if (s.all.rank > 0) good = (char)read_command(&s, argc, argv);
    good = good && begin(&s, argc, argv);
    if (good && !s.options.actors) good = (char)learn_together(&s);
    else if (good && s.all.rank == 0) good = (char)learn_from_actors(&s);
    else if (good) good = (char)play_for_learner(&s);
    if (!good) give_up(&s);
    arcade_close(&s.games);
    rise_agent_destroy(s.agent);
    close_mail(&s);
    free(s.everyone);
    ranks_end(&s.all);
    return 0;
}
