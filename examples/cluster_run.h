/* One rank of a run of cluster.c: its environments, its agent, and its part of each save. */
#ifndef CLUSTER_RUN_H
#define CLUSTER_RUN_H

#include "training_run.h" /* first: defines _DEFAULT_SOURCE */

#include "arcade.h"
#include "command_line.h"
#include "game_trainer.h"
#include "mpi_ranks.h"

#include <dirent.h>
#include <fcntl.h>

typedef struct options {
    const char *environment; /* NULL: a small game */
    game_kind game;
    int environments, publish_every, seed, threads;
    int actors, any_order, whole, check;
    double steps, save_every;
} options;

/* ---------------------------------------------------------------------------------------------- */
/* The session */

enum { SENDING = 4 }; /* most steps that an actor has sent and rank 0 has not received */

/* What each rank tells all others in each iteration. */
typedef struct news {
    double stops; /* 1: this rank was asked to end */
    double saves; /* 1: a save is due; from rank 0 */
    double ready; /* 1: the agent's steps and its stored frames both exceed learn_start */
    double steps, mean_return, waited;
} news;

/* The files to resume from. set.txt holds this struct as text, and is written last. */
typedef struct saved_set {
    char letter; /* 'a' or 'b': the folder of the files */
    int ranks;   /* of the session that saved; 0: nothing was saved yet */
    double steps;
} saved_set;

/* What an actor sends before the numbers and the frame of a step. */
typedef struct step_head {
    float reward, waited;
    int event, action; /* event -1: the actor ends */
} step_head;

/* --actors: the steps that rank 0 receives from actors. On rank 0, each array has a row for each
   actor. An actor uses only `messages` and `requests`, which have SENDING rows there. */
typedef struct mail {
    size_t bytes; /* of a message */
    uint8_t *messages;
    MPI_Request *requests;
    uint8_t *frames;
    float *values, *rewards;
    rise_event *events;
    int *actions, *ended;
    double *waited; /* seconds that each actor has waited so far */
    int sent;       /* steps that this actor has sent */
} mail;

/* --actors: a policy as a message: the number of updates, as a double, and then a file of
   RISE_SAVE_POLICY. The double alone ends an actor. */
typedef struct policy {
    uint8_t *bytes;
    size_t size, room, at;
    MPI_Request *requests; /* [ranks] */
    double updates;        /* of the last policy that was sent or, by an actor, received */
} policy;

typedef struct session {
    options options;
    command_line line;
    ranks all;
    char folder[TRAIN_PATH - 60];
    char why[700]; /* how this rank failed; "": it did not, but another one may be lost */
    saved_set set; /* the newest complete save; ranks = 0: none */
    int not_saved; /* 1: the last save failed on this rank or another one */
    rise_agent *agent;
    arcade games; /* the arrays of all environments; for small games, games.link is not open */
    game small[BRIDGE_ENVIRONMENTS];
    int owed;       /* frames for which no update was done: see learn() */
    uint32_t calls; /* of act() so far */
    news mine, *everyone; /* everyone: [ranks], of the last iteration */
    MPI_Request telling;
    double began, reported, saved; /* seconds: start of this session, last report, last save */
    news before;                   /* sums over all ranks, at the last report */
    double updates_before;
    double earlier_steps; /* of all ranks, in earlier sessions of this run */
    double first_steps;   /* of this rank's agent at the start of this session */
    double first_updates;
    mail mail;
    policy policy;
} session;

/* Records why this rank cannot go on. Returns 0. */
TERMINAL_PRINTF(2, 3)
static inline int fail(session *s, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(s->why, sizeof s->why, format, arguments);
    va_end(arguments);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Environments */

/* Opens small games. Game i gets the seed `seed` + i. */
static inline int open_small(session *s, int count, uint64_t seed)
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
    if (a->frames == NULL) return fail(s, "out of memory for frames");
    for (i = 0; i < count; i++)
        game_view(&s->small[i], a->frames + (size_t)i * arcade_frame_bytes(a));
    return 1;
}
static inline int open_gymnasium(session *s, int count, uint64_t seed)
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
    link.seed = seed % (1u << 30); /* some environments take no seed above 2^31 */
    link.python = command_string(&s->line, "--python");
    link.script = command_string(&s->line, "--bridge");
    return arcade_open(&s->games, &link, &p) || fail(s, "%s", s->games.link.error);
}
/* Opens the environments. The seed depends on the steps of earlier sessions, so a session does not
   repeat their episodes. With --check, all ranks have the same seed. */
static inline int open_games(session *s)
{
    const options *const o = &s->options;
    int const count = o->actors ? 1 : o->environments;
    uint64_t seed = (uint64_t)o->seed * 1000003u + (uint64_t)s->set.steps;
    if (!o->check) seed += (uint64_t)(s->all.rank * BRIDGE_ENVIRONMENTS);
    return o->environment != NULL ? open_gymnasium(s, count, seed) : open_small(s, count, seed);
}

/* Plays actions in all environments. An environment whose episode is over ignores its action and
   begins an episode. Environments of Gymnasium run until games_end, which fetches their results. */
static inline int games_begin(session *s, const int *actions)
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
static inline int games_end(session *s)
{
    if (s->options.environment == NULL) return 1;
    return arcade_receive(&s->games) || fail(s, "%s", s->games.link.error);
}

/* ---------------------------------------------------------------------------------------------- */
/* The agent */

/* Sets the fields that making and loading an agent need: this rank's part, and the shapes of
   frames, numbers and actions. When an agent is loaded, the shapes must agree with the file. */
static inline void describe_machine(session *s, rise_agent_desc *d)
{
    const arcade *const a = &s->games;
    d->frame_width = a->width, d->frame_height = a->height, d->frame_channels = a->channels;
    d->numbers = a->numbers;
    d->actions = a->actions;
    d->environments = s->options.actors ? s->all.count - 1 : a->count;
    d->threads = s->options.threads;
    if (!s->options.actors) ranks_describe(&s->all, d, s->options.any_order);
}
static inline int describe(session *s, rise_agent_desc *d)
{
    const options *const o = &s->options;
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
    if (!command_set_fields(command_string(&s->line, "--set"), d, &error) ||
        rise_agent_resolve(d, &error) != RISE_OK)
        return fail(s, "%s", error.text);
    return 1;
}

/* Writes the hash of this rank's weights, and returns whether all ranks have the same one. Also
   returns 0 if a rank does not answer (then s->all.lost is 1) or if memory runs out. */
static inline int same_weights(session *s, uint64_t *hash)
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

static inline const char *set_path(const session *s, char letter, const char *name, char *path)
{
    snprintf(path, TRAIN_PATH, "%s/%c/%s", s->folder, letter, name);
    return path;
}

/* Makes the agent, or loads it from the set. A rank without a file of its own loads agent.rise:
   rank 0's agent, without its replay buffer. With --actors and another number of ranks, rank 0 also
   loads agent.rise. */
static inline int make_agent(session *s)
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
    /* the library's thread would call MPI beside the main thread */
    if (rise_agent_query(s->agent)->processes > 1 && rise_agent_query(s->agent)->background)
        return fail(s, "background is 1, and ranks that learn together cannot have it: %s",
                    s->set.ranks > 0 ? "resume with one rank" : "leave it out");
    if (s->options.actors || same_weights(s, &hash)) return 1;
    return s->all.lost ? 0 : fail(s, "the agents of the ranks have different weights");
}

/* ---------------------------------------------------------------------------------------------- */
/* Saving

   All ranks save in the same iteration. There are two sets of files, FOLDER/a and FOLDER/b. A save
   writes the set that is not in use. When all ranks have written their files, rank 0 replaces
   FOLDER/set.txt, which names the set in use. So a run that is killed at any moment resumes from
   one complete set. */

/* Writes this rank's files of a set. Returns 0, after a message, on failure. */
static inline int save_files(const session *s, char letter)
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
static inline int write_set(const session *s, const saved_set *set)
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
static inline int read_set(const session *s, saved_set *set)
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
static inline int save(session *s, double steps)
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
    s->not_saved = !good;
    if (!good) return 1;
    s->set = set;
    printf("Saved after %.0f steps: %s\n", steps, s->folder);
    fflush(stdout);
    return 1;
}

/* Removes the temporary files of agents, which runs leave if they are killed while they save. */
static inline void remove_leftovers(const session *s, const char *folder)
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
/* Returns whether this rank is the first one that ends a run that cannot go on. The first one
   creates the file `ended`. Returns 0 if this file cannot be created. */
static inline int first_to_end(const session *s)
{
    char path[TRAIN_PATH];
    int file;
    snprintf(path, sizeof path, "%s/ended", s->folder);
    file = open(path, O_CREAT | O_EXCL | O_WRONLY, 0666);
    if (file >= 0) close(file);
    return file >= 0;
}
/* Makes the folder. Removes temporary files of agents, and the file `ended`, of earlier sessions.
   Only rank 0 calls this function, while no rank writes to the folder. Returns 0 on failure. */
static inline int prepare_folder(session *s)
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

/* Sleeps; signals do not end the sleep early. */
static inline void pause_for(double seconds)
{
    double const end = terminal_seconds() + seconds;
    while (terminal_seconds() < end) terminal_sleep(0.05);
}
/* Ends a run that cannot go on, because this rank failed or another one is lost. If the session had
   begun, the first rank that calls this function prints a message. If this rank has an agent that
   learns, it saves the agent as FOLDER/agent.rise. With --check, nothing is saved. */
static inline void give_up(session *s)
{
    int const learns = s->agent != NULL && (!s->options.actors || s->all.rank == 0);
    char path[TRAIN_PATH];
    rise_error error;
    rise_metrics m;
    /* a mistake that all ranks make is reported by rank 0, which ends the others */
    if (s->began <= 0 && s->all.rank > 0) pause_for(2);
    if (s->why[0] != '\0') fprintf(stderr, "cluster: rank %d: %s\n", s->all.rank, s->why);
    snprintf(path, sizeof path, "%s/agent.rise", s->folder);
    if (!learns) pause_for(0.5); /* a rank that can save the agent comes first */
    if (!s->options.check && s->began > 0 && first_to_end(s)) {
        fprintf(stderr, "cluster: %s, so the run ends.",
                s->why[0] != '\0' ? "this rank failed" : "another rank is gone or did not answer");
        if (learns && rise_agent_save(s->agent, RISE_SAVE_AGENT, path, &error) == RISE_OK) {
            rise_agent_metrics(s->agent, &m);
            fprintf(stderr, " %s has the agent after %.0f updates.", path, (double)m.updates);
        } else if (learns) {
            fprintf(stderr, " %s.", error.text);
        }
        fprintf(stderr, " %s.\n",
                s->set.ranks > 0 ? "--resume goes on from the last save" : "No save is complete");
    } else if (s->why[0] == '\0') {
        pause_for(5); /* the first one ends all */
    }
    MPI_Abort(MPI_COMM_WORLD, 1);
}

#endif
