/* Random sequences of calls on random small agents. Three twins get the same calls:

       plain   one thread, the fastest kernels
       other   other kernels with the same `fused`, and sometimes several threads
       saved   lives in a caller's block, and is saved and loaded at random moments

   Some agents learn in the background. Then each twin's worker has its own delays, and at times the
   workers of all twins wait before they compute, while calls go on that need not wait for them.

   After each call the twins must agree: result codes, actions, values, metrics, error sentences.
   A model of the documented rules predicts result codes and counters. A refused call must not
   change anything. At times and at the end, the files of the twins must be equal.
       cc -O2 -pthread tests/sequences.c -o sequences -lm && ./sequences
   ./sequences --count N --seed S runs the sequences S .. S + N - 1. A sequence that fails is made
   shorter, and the command that repeats it is printed: --words has the description in the form of
   toy.h, --calls the numbers of the calls that are made. */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L /* nanosleep */
#define RISE_THREADS
#define RISEI_THREADS_MINIMUM 500 /* divides most jobs of an update, few of acting */
#define RISEI_BACKGROUND_PHASE(phase) phase_begins(b->acting->desc->embed_user, (int)(phase))
static void phase_begins(const void *user, int phase);
#include "pause.h"
#endif
#include "toy.h"

/* The number of sequences without --count. .ci/run sets other numbers with -DSEQUENCES=N. */
#ifndef SEQUENCES
#define SEQUENCES 8
#endif

enum {
    PLAIN,
    OTHER,
    SAVED,
    TWINS,
    MOST = 3,        /* environments; players */
    CALLS = 220,     /* calls of the longest sequence */
    WORDS_SIZE = 1500,
    FILES_EACH = 40, /* calls between comparisons of the twins' files */
    PHASES = 3,      /* of a worker: see risei_phase */
    UNTOUCHED = -77  /* fills actions before a call */
};

/* A random stream. */
typedef struct stream {
    uint64_t state;
} stream;

static uint32_t draw(stream *s)
{
    s->state = s->state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((s->state >> 18 ^ s->state) >> 27);
}
static int below(stream *s, int n) { return (int)(draw(s) % (uint32_t)n); }
static int one_in(stream *s, int n) { return below(s, n) == 0; }
/* Returns the random stream for call `number` of a sequence, or for its description. */
static stream stream_of(uint64_t seed, int number)
{
    stream s;
    s.state = (seed + 1) * UINT64_C(0x9E3779B97F4A7C15) ^ (uint64_t)(number + 3) * 0x85EBCA77u;
    draw(&s), draw(&s);
    return s;
}

typedef struct twin {
    rise_agent *agent;
    rise_agent *copy;     /* plays only, with what the agent publishes; NULL: none yet */
    unsigned char *block; /* memory_block of the agent; NULL: none */
    double now, tick;     /* seconds: the fake clock; how far each reading moves it */
    int poison;           /* 1: the user's frozen encoder returns NaN */
    int pause[PHASES];    /* atomic: microseconds that the worker waits when a phase begins */
} twin;

/* The episode of an environment or a player. LOADED: the saved twin has lost the player's episode,
   so the player's next frame must be RISE_FIRST. */
enum { ENDED, PLAYING, LOADED };

/* What the documentation says of the state of the twins. */
typedef struct model {
    int in_episode[MOST]; /* of environments: ENDED or PLAYING */
    int player[MOST];     /* ENDED, PLAYING or LOADED */
    int copy[MOST];       /* of the players of the copies: ENDED or PLAYING */
    int64_t written[MOST], seen;
    int64_t steps, episodes, updates, owed;
    double lane_return[MOST], returns[100];
    int started; /* learning has started */
    int round;   /* background: updates of the round that is not in effect yet; 0: there is none */
} model;

/* The sequence that runs. */
static struct {
    uint64_t seed;
    rise_agent_desc desc; /* resolved; without the fields of the machine */
    twin twins[TWINS];
    model model;
    rise_metrics metrics; /* of the plain twin, before the call */
    stream dice;          /* of the call */
    int huge;             /* 1: some rewards are huge, so updates may be discarded */
    int sabotage;         /* 0: none; else which value of the saved twin is changed after loading */
    int loads, calls, refused, behind; /* behind: sequences that learned in the background */
    const char *name;  /* of the call */
    char failure[300]; /* what does not hold; "" if all holds */
} run;

/* Which sequences, and how. Set from the command line. */
static struct {
    int count;
    uint64_t seed;
    const char *words, *calls; /* NULL: drawn; all */
    int announce;              /* 1: prints each tenth number, so that a crash can be repeated */
} options = {SEQUENCES, 1, NULL, NULL, SEQUENCES > 8};

#define MUST(condition) must((condition) ? 1 : 0, #condition, __LINE__)
static int must(int good, const char *text, int line)
{
    if (!good && run.failure[0] == '\0')
        snprintf(run.failure, sizeof run.failure, "line %d: %s", line, text);
    return good;
}

/* ---------------------------------------------------------------------------------------------- */
/* Workers */

/* 1: workers wait at a gate before they compute. All twins have started the same rounds. */
static int gate; /* atomic */

#ifdef RISE_THREADS
/* Delays the worker of the twin `user`. */
static void phase_begins(const void *user, int phase)
{
    const twin *const t = (const twin *)user;
    int const pause = __atomic_load_n(&t->pause[phase], __ATOMIC_RELAXED);
    if (pause > 0) pause_for(pause);
    while (phase == (int)RISEI_PHASE_COMPUTE && __atomic_load_n(&gate, __ATOMIC_ACQUIRE))
        pause_for(20);
}
#endif
static int is_behind(void) { return run.desc.background; }
/* Returns whether all workers wait at the gate or will soon. The gate was closed when they were
   idle. */
static int workers_wait(void)
{
    return gate && !risei_background_is_idle(&run.twins[PLAIN].agent->background);
}
static void open_gate(void)
{
#ifdef RISE_THREADS
    __atomic_store_n(&gate, 0, __ATOMIC_RELEASE);
#endif
}
/* Opens the gate if workers wait at it. Call this function before each call that waits until a
   round is computed. */
static void open_gate_for_round(void)
{
    if (gate && workers_wait()) open_gate();
}
/* At times closes the gate, or opens it. */
static void move_gate(void)
{
    int t;
    if (!is_behind()) return;
    if (gate && one_in(&run.dice, 12)) open_gate();
    if (gate || !one_in(&run.dice, 12)) return;
    for (t = 0; t < TWINS; t++) risei_background_finish(&run.twins[t].agent->background);
#ifdef RISE_THREADS
    __atomic_store_n(&gate, 1, __ATOMIC_RELEASE);
#endif
}
/* Draws the delays of a twin's worker. */
static void draw_pauses(twin *t)
{
    static const int pauses[8] = {0, 0, 0, 0, 0, 1, 1, 150};
    int phase;
    for (phase = 0; phase < PHASES; phase++) {
        int const pause = pauses[below(&run.dice, 8)];
#ifdef RISE_THREADS
        __atomic_store_n(&t->pause[phase], pause, __ATOMIC_RELAXED);
#else
        t->pause[phase] = pause;
#endif
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Descriptions */

/* A random description takes one text of each line. An empty text keeps the toy agent's value. */
static const char *const choices[][11] = {
    {"", "", "memory=none", "memory=full", NULL},
    {"", "cell=gru", "cell=mingru", NULL},
    {"", "fusion=gate", "fusion=sum", NULL},
    {"", "", "head=c51", "head=iqn", NULL},
    {"", "embedding=gaussian", "embedding=sparse", "embedding=conv", "embedding=downsample",
     "embedding=user", "embedding=snapshot", "embedding=snapshot snapshot_steps=9", NULL},
    {"", "raw_frames=1", NULL},
    {"", "embedding_f32=1", NULL},
    {"", "", "pool", "residual", "residual pool", "conv_count=2", NULL},
    {"", "", "", "network=small", "features=-1", NULL},
    {"", "", "", "", "", "", "", "", "wide", "panels", NULL},
    {"", "", "spectral_norm=1", "pool_to=1", NULL},
    {"", "window=1", "window=2", "window=4", "window=9", NULL},
    {"", "", "burn_in=1", "burn_in=3", NULL},
    {"", "", "window_samples=2", "window_samples=3 window_stride=2",
     "window_samples=6 window_stride=6 priority_mix=0.9", NULL},
    {"", "carry_state=1", "stored", "stored", NULL},
    {"", "feed_action=1", NULL},
    {"", "frame_stack=1", "frame_stack=3", NULL},
    {"", "action_masks=1", NULL},
    {"", "", "numbers=1 number_features=3", "numbers=3", NULL},
    {"", "environments=2", "environments=3", NULL},
    {"players=1", "players=2", "players=3", NULL},
    {"", "n_step=1", "n_step=2", "n_step=5", NULL},
    {"", "discount=1", "learning_rate_steps=20", "gradient_clip=0.1", "gradient_clip=-1", NULL},
    {"", "no_double=1", "munchausen=1", "value_rescale=1", NULL},
    {"", "target_period=1", "target_period=3 target_rate=0.5", NULL},
    {"replay_capacity=30", "replay_capacity=41", "replay_capacity=64", "replay_capacity=100", NULL},
    {"", "learn_start=6", "learn_start=13", "learn_start=30", NULL},
    {"", "learn_period=1", "learn_period=3", "learn_period=8", NULL},
    {"", "", "learn_outside=1", NULL},
#ifdef RISE_THREADS
    {"", "background=1", NULL},
#endif
    {"", "priority_exponent=-1", "priority_exponent=1", "importance_exponent=-1", NULL},
    {"", "greedy", "random", "epsilon_steps=10", NULL},
    {"", "", "layer_norm=1", "no_dueling=1", "noisy=1", "noisy=1 layer_norm=1", NULL},
    {"", "", "batch=12", "context_scale=0.1", "context_decay=0.05", NULL},
    {"", "", "", "batch_parts=2", "batch_parts=3", NULL},
};

/* The user's frozen encoder, for embeddings of any size. */
static void sequence_embed(void *user, const uint8_t *frame, float *embedding, int size)
{
    int i;
    for (i = 0; i < size; i++)
        embedding[i] = (float)frame[i % PIXELS] / 64 - (float)frame[i * 7 % PIXELS] / 128;
    if (((const twin *)user)->poison) embedding[size - 1] = (float)NAN;
}
/* The clock of learn_for. */
static double sequence_clock(void *user)
{
    twin *const t = (twin *)user;
    return t->now += t->tick;
}
static rise_agent_desc description(const char *words)
{
    rise_agent_desc d;
    memset(&d, 0, sizeof d);
    d.frame_width = WIDTH, d.frame_height = HEIGHT, d.actions = ACTIONS;
    d.embed_fn = sequence_embed;
    d.clock_fn = sequence_clock;
    describe(&d, toy_agent);
    describe(&d, words);
    return d;
}
/* Draws words until they are a valid description. Checks that invalid ones make no agent. */
static void draw_words(uint64_t seed, char words[WORDS_SIZE])
{
    stream s = stream_of(seed, -1);
    rise_agent_desc d;
    rise_error error;
    int valid = 0;
    while (!valid) {
        size_t at = 0;
        int i, n;
        for (i = 0; i < COUNT(choices); i++) {
            const char *text;
            for (n = 0; choices[i][n] != NULL; n++) continue;
            text = choices[i][below(&s, n)];
            at += (size_t)snprintf(words + at, WORDS_SIZE - at, "%s%s",
                                   at > 0 && text[0] != '\0' ? " " : "", text);
        }
        /* IMPALA has by far the largest network of these */
        if (one_in(&s, 50)) snprintf(words + at, WORDS_SIZE - at, " impala");
        d = description(words);
        d.seed = draw(&s);
        valid = rise_agent_resolve(&d, &error) == RISE_OK;
        if (!valid) {
            rise_agent *agent = run.twins[0].agent;
            d = description(words);
            CHECK(rise_agent_create(&agent, &d, NULL) == RISE_BAD_DESC && agent == NULL);
            CHECK(rise_agent_bytes(&d, NULL) == 0 && error.text[0] != '\0');
            run.refused++;
        }
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Twins */

/* Returns an instruction set whose kernels give the bits of the fastest ones. The reference is by
   far the slowest, so it is drawn less often. */
static rise_isa draw_isa(stream *s)
{
    static rise_isa known[RISE_ISA_NEON + 1];
    static int count;
    int const first = count == 0; /* in a virtual machine, asking the processor is slow */
    int isa;
    for (isa = RISE_ISA_AUTO; first && isa <= RISE_ISA_NEON; isa++) {
        const rise_kernels *k = rise_kernels_of((rise_isa)isa);
        if (k != NULL && k->fused == rise_kernels_of(RISE_ISA_AUTO)->fused)
            known[count++] = (rise_isa)isa;
    }
    isa = (int)known[below(s, count)];
    return isa == (int)RISE_ISA_REF && !one_in(s, 8) ? RISE_ISA_AUTO : (rise_isa)isa;
}
static int draw_threads(stream *s)
{
#ifdef RISE_THREADS
    return one_in(s, 16) ? 2 + below(s, 2) : 1;
#else
    (void)s;
    return 1;
#endif
}
/* Sets the fields of the machine for a twin. `d` describes the agent; `fields` receives them and
   may be `d`. */
static void set_machine(int number, const rise_agent_desc *d, rise_agent_desc *fields,
                        unsigned char **block)
{
    twin *const t = &run.twins[number];
    rise_agent_desc sized = *d;
    size_t bytes;
    *block = NULL;
    fields->embed_fn = sequence_embed, fields->embed_user = t;
    fields->clock_fn = sequence_clock, fields->clock_user = t;
    draw_pauses(t);
    if (number == PLAIN) return;
    fields->isa = draw_isa(&run.dice), fields->threads = draw_threads(&run.dice);
    if (number != SAVED) return;
    /* the block is at any alignment, and is not zeroed */
    sized.threads = fields->threads;
    bytes = rise_agent_bytes(&sized, NULL);
    if (bytes == 0) return;
    *block = (unsigned char *)malloc(bytes + 8);
    if (*block == NULL) exit(1);
    memset(*block, 0xA5, bytes + 8);
    fields->memory_block = *block + below(&run.dice, 8), fields->memory_bytes = bytes;
}
/* Replaces the twin's agent and its block by `agent` and `block`, which may be NULL. */
static void replace_agent(twin *t, rise_agent *agent, unsigned char *block)
{
    rise_agent_destroy(t->agent);
    free(t->block);
    t->agent = agent, t->block = block;
}
/* Returns a hash of bytes, eight at a time. It differs between machines. */
static uint64_t hash_words(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *at = (const unsigned char *)data;
    uint64_t word;
    for (; size >= sizeof word; at += sizeof word, size -= sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        hash ^= hash >> 29;
    }
    return hash_bytes(hash, at, size);
}
/* A write function that keeps a hash only. Most files here are written to be compared. */
static int hash_write(void *user, const void *data, size_t size)
{
    uint64_t *const hash = (uint64_t *)user;
    *hash = hash_words(*hash, data, size);
    return 1;
}
static uint64_t hash_file(const rise_agent *a, rise_save what)
{
    uint64_t hash = HASH_START;
    rise_error error;
    open_gate();
    if (rise_agent_write(a, what, hash_write, &hash, &error) != RISE_OK) must(0, error.text, 0);
    return hash;
}
static buffer file_of(const rise_agent *a, rise_save what)
{
    buffer b = {NULL, 0, 0, SIZE_MAX, 0};
    rise_error error;
    open_gate();
    if (rise_agent_write(a, what, buffer_write, &b, &error) != RISE_OK) must(0, error.text, 0);
    return b;
}
static uint64_t hash_history(uint64_t hash, const risei_history *h)
{
    int lane;
    hash = hash_words(hash, h->written, (size_t)h->lanes * sizeof *h->written);
    for (lane = 0; lane < h->lanes; lane++) {
        int64_t at;
        for (at = risei_history_oldest(h, lane); at < h->written[lane]; at++) {
            ptrdiff_t const slot = risei_history_slot(h, lane, at);
            size_t const size = (size_t)h->embedding_size;
            hash = hash_words(hash, h->frames + slot * h->frame_bytes, (size_t)h->frame_bytes);
            hash = hash_words(hash, h->raw_numbers + slot * h->numbers,
                              (size_t)h->numbers * sizeof *h->raw_numbers);
            hash = hash_words(hash, &h->rewards[slot], sizeof *h->rewards);
            hash = hash_words(hash, &h->actions[slot], sizeof *h->actions);
            hash = hash_words(hash, &h->events[slot], sizeof *h->events);
            hash = hash_words(hash, &h->episode_frame[slot], sizeof *h->episode_frame);
            if (h->mask_bytes > 0)
                hash = hash_words(hash, risei_history_mask(h, slot), (size_t)h->mask_bytes);
            if (h->f32) hash = hash_words(hash, h->full + slot * h->embedding_size, size * 4);
            if (!h->f32) hash = hash_words(hash, h->half + slot * h->embedding_size, size * 2);
        }
    }
    return hash;
}
/* Returns a hash of the agent: what a file holds, the embeddings, and the players. */
static uint64_t whole_of(const rise_agent *a)
{
    const risei_players *p = &a->players;
    uint64_t hash = hash_file(a, a->desc.play_only ? RISE_SAVE_POLICY : RISE_SAVE_ALL);
    size_t const numbers = (size_t)(a->desc.players * a->model.net.cell.units);
    int const carries = a->desc.carry_state && a->model.net.memory->recurrent;
    int const parts = carries ? risei_cell_state_arrays(a->model.net.cell.kind) : 0;
    int player, part;
    hash = hash_history(hash, &p->history);
    hash = hash_words(hash, p->has_q, (size_t)a->desc.players * sizeof *p->has_q);
    hash = hash_words(hash, p->epsilon, (size_t)a->desc.players * sizeof *p->epsilon);
    hash = hash_words(hash, p->temperature, (size_t)a->desc.players * sizeof *p->temperature);
    hash = hash_words(hash, &p->random, sizeof p->random);
    for (player = 0; player < a->desc.players; player++)
        if (p->has_q[player])
            hash = hash_words(hash, p->q + (ptrdiff_t)player * ACTIONS, ACTIONS * sizeof *p->q);
    for (part = 0; part < parts; part++)
        hash = hash_words(hash, p->states.array[part], numbers * sizeof *p->states.array[part]);
    if (a->desc.play_only) return hash;
    hash = hash_history(hash, &a->replay.history);
    hash = hash_words(hash, &a->learner.budget, sizeof a->learner.budget);
    hash = hash_words(hash, &a->learner.timed, sizeof a->learner.timed);
    hash = hash_words(hash, &a->learner.grain, sizeof a->learner.grain);
    hash = hash_words(hash, &a->learner.untimed, sizeof a->learner.untimed);
    return hash_words(hash, &a->learner.part_time, sizeof a->learner.part_time);
}
/* Returns whether an agent and its copy act with the same weights and the same snapshot. */
static int same_policy(rise_agent *a, rise_agent *copy)
{
    risei_policy const x = risei_policy_of(a), y = risei_policy_of(copy);
    const risei_net *const n = &a->model.net;
    size_t const size = n->memory->embeds ? (size_t)a->embedder.encoder.size : 0;
    size_t const snapshot = n->memory->embeds ? a->embedder.encoder.snapshot_weights : 0;
    return same_reals(x.weights, y.weights, n->weights_size) &&
           (size == 0 ||
            (same_reals(x.shift, y.shift, size) && same_reals(x.gain, y.gain, size))) &&
           (snapshot == 0 || same_reals(x.snapshot, y.snapshot, snapshot)) &&
           same_reals(x.number_shift, y.number_shift, (size_t)a->desc.numbers) &&
           same_reals(x.number_gain, y.number_gain, (size_t)a->desc.numbers) &&
           *x.numbers_frozen == *y.numbers_frozen &&
           *x.frames_frozen == *y.frames_frozen && *x.embeddings_frozen == *y.embeddings_frozen;
}
/* Checks that the twins' files are equal. */
static void compare_files(rise_save what)
{
    uint64_t const plain = hash_file(run.twins[PLAIN].agent, what);
    int t;
    for (t = PLAIN + 1; t < TWINS; t++) MUST(hash_file(run.twins[t].agent, what) == plain);
}

/* ---------------------------------------------------------------------------------------------- */
/* One call on all twins */

/* A call, and the result that the model predicts. */
typedef struct call {
    enum {
        STEP,
        STEP_ALL,
        OBSERVE,
        PLAY,
        PLAY_ALL,
        SET_PLAYER,
        PUBLISH,
        LEARN,
        LEARN_FOR,
        SNAPSHOT
    } kind;
    rise_result expected; /* RISE_OK: any result of 0 or more */
    const uint8_t *frames, *allowed; /* these point to the arrays below, or are NULL */
    const float *rewards;
    const rise_event *events;
    int no_actions; /* 1: `actions` is NULL */
    int player, poison;
    int to_agent; /* PUBLISH, 1: not to the copy but to the agent itself, which learns */
    double microseconds, epsilon, temperature;
    uint8_t frame[MOST * PIXELS], mask[MOST * ACTIONS];
    float reward[MOST];
    rise_event event[MOST];
    int given[MOST]; /* OBSERVE: actions, or -1 */
} call;

/* Returns the numbers of the observations whose frames are given, or NULL if the agents see none.
   They follow from the frames. The next call overwrites them. */
static const float *numbers_of(const uint8_t *frames)
{
    static float numbers[MOST * 3];
    int const count = run.desc.numbers;
    int i, j;
    for (i = 0; i < MOST && frames != NULL; i++)
        for (j = 0; j < count; j++)
            numbers[i * count + j] = (float)frames[i * PIXELS + j] * (float)(1 + 1000 * j);
    return count > 0 ? numbers : NULL;
}

/* Lets all players play in one call. The other twin calls rise_agent_play for one player after
   another, unless the call is wrong. */
static int make_play_all(twin *t, const call *c, int actions[MOST])
{
    int i;
    if (t != &run.twins[OTHER] || c->expected != RISE_OK)
        return (int)rise_agent_play_all(t->agent, c->frames, numbers_of(c->frames), c->rewards,
                                        c->events,
                                        c->allowed,
                                        c->no_actions ? NULL : actions);
    for (i = 0; i < run.desc.players; i++) {
        const uint8_t *const allowed = c->allowed != NULL ? c->mask + i * ACTIONS : NULL;
        const float *const numbers = numbers_of(c->frame);
        actions[i] = rise_agent_play_numbers(t->agent, i, c->frame + i * PIXELS,
                                             numbers != NULL ? numbers + i * run.desc.numbers
                                                             : NULL,
                                             c->reward[i], c->event[i], allowed);
        if (actions[i] < 0) return actions[i];
    }
    return (int)RISE_OK;
}
/* Does updates that are due. In the background, asks until the round in progress is in effect. If
   the workers wait at the gate, no call may put it into effect. */
static int make_learn_for(twin *t, const call *c)
{
    const risei_background *const b = &t->agent->background;
    int const waits = workers_wait(), started = b->started && c->expected == RISE_OK;
    int result;
    do {
        result = rise_agent_learn_for(t->agent, c->microseconds);
#ifdef RISE_THREADS
        if (started && !waits && result == 0) pause_for(20);
#endif
    } while (started && !waits && result == 0);
    return result;
}
static int make_call(twin *t, const call *c, int actions[MOST])
{
    rise_agent *const a = t->agent;
    int result;
    switch (c->kind) {
    case STEP:
        result = rise_agent_step_numbers(a, c->frames, numbers_of(c->frames), c->reward[0],
                                         c->event[0]);
        if (result >= 0) actions[0] = result;
        return result;
    case STEP_ALL:
        return (int)rise_agent_step_all(a, c->frames, numbers_of(c->frames), c->rewards, c->events,
                                        c->allowed, c->no_actions ? NULL : actions);
    case OBSERVE:
        memcpy(actions, c->given, sizeof c->given);
        return (int)rise_agent_observe(a, c->frames, numbers_of(c->frames), c->rewards, c->events,
                                       c->allowed, actions);
    case PLAY:
        result = rise_agent_play_numbers(a, c->player, c->frames, numbers_of(c->frames),
                                         c->reward[0], c->event[0], c->allowed);
        if (result >= 0) actions[0] = result;
        return result;
    case PLAY_ALL: return make_play_all(t, c, actions);
    case SET_PLAYER:
        return (int)rise_agent_set_player(a, c->player, c->epsilon, c->temperature);
    case PUBLISH: return (int)rise_agent_publish(a, c->to_agent ? a : t->copy);
    case LEARN: return (int)rise_agent_learn(a);
    case LEARN_FOR: return make_learn_for(t, c);
    case SNAPSHOT: break;
    }
    return (int)rise_agent_snapshot(a);
}
/* Checks a call that all twins must refuse. */
static void check_refused(const call *c, int number, int result, const int actions[MOST])
{
    const rise_error *error = rise_agent_error(run.twins[number].agent);
    const rise_error *plain = rise_agent_error(run.twins[PLAIN].agent);
    int i;
    MUST(result == (int)c->expected);
    MUST(error->result == c->expected && error->text[0] != '\0');
    MUST(strcmp(error->text, plain->text) == 0);
    for (i = 0; i < MOST; i++) MUST(actions[i] == UNTOUCHED);
}
/* Sets what the user's frozen encoder of a twin returns. */
static void poison(twin *t, int value)
{
    if (t->poison == value) return;
    risei_background_leave_replay(&t->agent->background); /* the worker calls the encoder too */
    t->poison = value;
}
/* Makes the call on all twins. Returns the result of the plain one, and its actions. Hashing an
   agent takes longer than most calls, so only one drawn twin is hashed around one in four refused
   calls. */
static int perform(const call *c, int actions[MOST])
{
    int const hashes = c->expected != RISE_OK && one_in(&run.dice, 4);
    int const hashed = hashes ? below(&run.dice, TWINS) : -1;
    int all[TWINS][MOST], result[TWINS], t, i;
    for (t = 0; t < TWINS; t++) {
        uint64_t const before = t == hashed ? whole_of(run.twins[t].agent) : 0;
        for (i = 0; i < MOST; i++) all[t][i] = UNTOUCHED;
        poison(&run.twins[t], c->poison);
        result[t] = make_call(&run.twins[t], c, all[t]);
        poison(&run.twins[t], 0);
        if (c->expected != RISE_OK) check_refused(c, t, result[t], all[t]);
        MUST(t != hashed || whole_of(run.twins[t].agent) == before);
        if (c->expected == RISE_OK)
            MUST(result[t] >= 0 || (result[t] == (int)RISE_NOT_FINITE && run.huge &&
                                    (c->kind <= OBSERVE ||
                                     (c->kind >= LEARN && c->kind != SNAPSHOT))));
        MUST(result[t] == result[PLAIN]);
        MUST(memcmp(all[t], all[PLAIN], sizeof all[t]) == 0);
    }
    memcpy(actions, all[PLAIN], sizeof all[PLAIN]);
    if (c->kind == STEP && result[PLAIN] < 0) actions[0] = 0; /* the step was taken */
    return result[PLAIN];
}

static int same_number(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }
static int same_metrics(const rise_metrics *a, const rise_metrics *b)
{
    return a->steps == b->steps && a->episodes == b->episodes && a->updates == b->updates &&
           a->updates_owed == b->updates_owed && a->replay_size == b->replay_size &&
           a->refreshing == b->refreshing && a->replay_ready == b->replay_ready &&
           a->parameters == b->parameters && a->bytes_per_step == b->bytes_per_step &&
           a->fused == b->fused && same_number(a->epsilon, b->epsilon) &&
           same_number(a->mean_return, b->mean_return) &&
           same_number(a->mean_length, b->mean_length) && same_number(a->loss, b->loss) &&
           same_number(a->mean_value, b->mean_value) && same_number(a->td_error, b->td_error) &&
           same_number(a->gradient_norm, b->gradient_norm);
}
/* Checks the values of all players. */
static void compare_values(void)
{
    int t, player;
    for (t = 0; t < TWINS; t++) {
        MUST(rise_agent_values(run.twins[t].agent, -1) == NULL);
        MUST(rise_agent_values(run.twins[t].agent, run.desc.players) == NULL);
        for (player = 0; player < run.desc.players; player++) {
            const float *plain = rise_agent_values(run.twins[PLAIN].agent, player);
            const float *q = rise_agent_values(run.twins[t].agent, player);
            if (run.model.player[player] == LOADED) continue;
            MUST((q != NULL) == (plain != NULL));
            MUST(q == NULL || plain == NULL || same_reals(q, plain, ACTIONS));
        }
    }
}
/* Checks the metrics against the model. */
static void compare_model(const rise_metrics *m)
{
    const rise_agent_desc *d = &run.desc;
    const model *x = &run.model;
    int const known = x->episodes < 100 ? (int)x->episodes : 100;
    /* some updates are parts of a snapshot or, in the background, of the end of the warm-up */
    int const automatic = d->embedding == RISE_EMBED_SNAPSHOT ||
                          (d->background && d->memory == RISE_MEMORY_RISE);
    double const start = d->epsilon_start < 0 ? 0 : d->epsilon_start;
    double const end = d->epsilon_end < 0 ? 0 : d->epsilon_end;
    double share = (double)(x->steps - d->learn_start) / d->epsilon_steps, sum = 0, size = 0;
    int64_t held = 0;
    int i;
    share = share < 0 ? 0 : share > 1 ? 1 : share;
    for (i = 0; i < d->environments; i++) {
        int64_t const capacity = d->replay_capacity / d->environments;
        held += x->written[i] < capacity ? x->written[i] : capacity;
    }
    for (i = 0; i < known; i++) sum += x->returns[i], size += fabs(x->returns[i]);
    MUST(m->steps == x->steps);
    MUST(m->episodes == x->episodes);
    MUST(m->updates == x->updates || (automatic && m->updates <= x->updates));
    MUST(m->updates_owed == x->owed / d->learn_period);
    MUST(m->replay_size == held);
    MUST(m->replay_ready >= 0 && m->replay_ready <= held);
    MUST(fabs(m->epsilon - (start + (end - start) * share)) < 1e-9);
    MUST(fabs(m->mean_return - (known > 0 ? sum / known : 0)) <= 1e-6 + 1e-9 * size);
    MUST(m->refreshing == 0 || automatic);
}
/* Checks what must hold after every call. Keeps the metrics for the next call. */
static void compare_twins(void)
{
    int t;
    for (t = 0; t < TWINS; t++) {
        /* a worker that computes changes what is looked at */
        int const idle = risei_background_is_idle(&run.twins[t].agent->background);
        const char *const wrong = idle ? risei_agent_wrong(run.twins[t].agent) : NULL;
        rise_metrics m;
        rise_agent_metrics(run.twins[t].agent, &m);
        if (t == PLAIN) run.metrics = m;
        MUST(same_metrics(&m, &run.metrics));
        if (wrong != NULL) must(0, wrong, __LINE__);
    }
    if (run.huge) { /* the model does not know which updates were discarded */
        const risei_background *const b = &run.twins[PLAIN].agent->background;
        run.model.updates = run.metrics.updates;
        run.model.owed = run.twins[PLAIN].agent->learner.owed_steps;
        run.model.round = b->started ? b->updates : 0;
    }
    compare_model(&run.metrics);
    compare_values();
}

/* ---------------------------------------------------------------------------------------------- */
/* Calls to step and to play, right and wrong */

static rise_event draw_event(int in_episode)
{
    int const choice = below(&run.dice, 16);
    if (choice == 3) return RISE_ABSENT;
    if (!in_episode || choice == 0) return RISE_FIRST;
    return choice == 1 ? RISE_TRUNCATED : choice == 2 ? RISE_TERMINATED : RISE_MIDDLE;
}
/* Returns the state of an episode after an event. */
static int after_event(rise_event event, int in_episode)
{
    if (event == RISE_ABSENT) return in_episode;
    return event >= RISE_TERMINATED ? ENDED : PLAYING;
}
/* Draws the arguments of row `i`. */
static void draw_row(call *c, int i, int in_episode)
{
    static const float ignored[3] = {(float)NAN, (float)INFINITY, 7};
    int const plain = one_in(&run.dice, 5); /* all pixels are equal */
    int k;
    for (k = 0; k < PIXELS; k++)
        c->frame[i * PIXELS + k] = (uint8_t)(plain && k > 0 ? c->frame[i * PIXELS]
                                                            : draw(&run.dice) & 255u);
    for (k = 0; k < ACTIONS; k++) c->mask[i * ACTIONS + k] = (uint8_t)(draw(&run.dice) & 2u);
    c->mask[i * ACTIONS + below(&run.dice, ACTIONS)] = 1;
    c->event[i] = draw_event(in_episode);
    c->reward[i] = (float)(below(&run.dice, 17) - 8) / 4;
    if (run.huge && one_in(&run.dice, 8)) c->reward[i] *= one_in(&run.dice, 2) ? 1e30f : 1.7e38f;
    /* what the documentation says is ignored */
    if ((c->event[i] == RISE_FIRST || c->event[i] == RISE_ABSENT) && one_in(&run.dice, 4))
        c->reward[i] = ignored[below(&run.dice, 3)];
    if ((c->event[i] == RISE_TERMINATED || c->event[i] == RISE_ABSENT) && one_in(&run.dice, 2))
        memset(c->mask + i * ACTIONS, 0, ACTIONS);
}
/* Lets an absent row begin an episode. */
static void make_present(call *c, int i)
{
    if (c->event[i] == RISE_ABSENT) c->event[i] = RISE_FIRST, c->mask[i * ACTIONS] = 1;
}
static call draw_step(void)
{
    int const single = run.desc.environments == 1 && !run.desc.action_masks;
    call c;
    int lane;
    memset(&c, 0, sizeof c);
    c.kind = single && one_in(&run.dice, 2) ? STEP : STEP_ALL;
    for (lane = 0; lane < run.desc.environments; lane++)
        draw_row(&c, lane, run.model.in_episode[lane]);
    return c;
}
/* Sets the pointers of a call to its own arrays. A struct that is copied must be set again. */
static void set_pointers(call *c, int masks)
{
    c->frames = c->frame, c->rewards = c->reward, c->events = c->event;
    c->allowed = masks ? c->mask : NULL;
}
/* Updates the model for one environment that took a step. */
static void model_lane(model *x, const call *c, int lane)
{
    rise_event const event = c->event[lane];
    int const cut = event == RISE_FIRST && x->in_episode[lane];
    double *const sum = &x->lane_return[lane];
    if (event == RISE_ABSENT) return;
    if (event != RISE_FIRST) *sum += (double)c->reward[lane];
    if (cut || event >= RISE_TERMINATED) x->returns[x->episodes++ % 100] = *sum;
    if (event == RISE_FIRST) *sum = 0;
    x->in_episode[lane] = after_event(event, x->in_episode[lane]);
    x->written[lane]++, x->seen++;
}
/* Updates the model for updates in one call. In the background, those of the call before take
   effect, and these are started. */
static void model_updates(model *x, int due)
{
    x->updates += is_behind() ? x->round : due;
    x->round = is_behind() ? due : 0;
    x->started |= due > 0;
}
/* Updates the model for a step. The plain twin has taken it. */
static void model_step(model *x, const call *c)
{
    const rise_agent_desc *d = &run.desc;
    int64_t const most = d->learn_period + d->environments;
    rise_metrics m;
    int lane, acting = 0, due = 0;
    rise_agent_metrics(run.twins[PLAIN].agent, &m);
    for (lane = 0; lane < d->environments; lane++) {
        model_lane(x, c, lane);
        acting += c->event[lane] < RISE_TERMINATED;
    }
    x->steps += acting;
    if (x->steps > d->learn_start && x->seen > d->learn_start) x->owed += acting;
    if (!d->learn_outside && x->owed > most) x->owed = most;
    while (!d->learn_outside && x->owed >= d->learn_period && m.replay_ready > 0)
        x->owed -= d->learn_period, due++;
    if (due > 0) model_updates(x, due);
}
/* Lets somebody else choose some of the actions of a step. */
static void draw_given(call *c)
{
    int lane;
    c->kind = OBSERVE;
    for (lane = 0; lane < MOST; lane++) {
        const uint8_t *const mask = c->mask + lane * ACTIONS;
        int const action = below(&run.dice, ACTIONS + 1) - 1;
        int const allowed = action >= 0 && (!run.desc.action_masks || mask[action] != 0);
        c->given[lane] = allowed ? action : -1;
        if (c->event[lane] == RISE_ABSENT || c->event[lane] >= RISE_TERMINATED)
            c->given[lane] = below(&run.dice, 100) - 50; /* has no meaning */
        if (lane >= run.desc.environments) c->given[lane] = UNTOUCHED;
    }
}
static void call_step(void)
{
    call c = draw_step();
    int const observes = one_in(&run.dice, 4);
    int const acts = (run.metrics.epsilon < 1 && !observes) || run.desc.carry_state;
    int actions[MOST], lane, t, present = 0;
    if (observes) draw_given(&c);
    for (lane = 0; lane < run.desc.environments; lane++) present += c.event[lane] != RISE_ABSENT;
    set_pointers(&c, run.desc.action_masks);
    if (!run.desc.learn_outside &&
        run.model.owed + run.desc.environments >= run.desc.learn_period)
        open_gate_for_round();
    perform(&c, actions);
    /* the values of acting, or those of the update after it */
    for (t = PLAIN + 1; t < TWINS && acts; t++)
        MUST(same_reals(run.twins[t].agent->model.pass.heads.q,
                        run.twins[PLAIN].agent->model.pass.heads.q, (size_t)(present * ACTIONS)));
    for (lane = 0; lane < run.desc.environments; lane++) {
        MUST(actions[lane] >= 0 && actions[lane] < ACTIONS);
        if (c.event[lane] >= RISE_TERMINATED) MUST(actions[lane] == 0);
        if (c.event[lane] < RISE_TERMINATED && c.allowed != NULL)
            MUST(c.mask[lane * ACTIONS + actions[lane]] != 0);
        if (observes && c.event[lane] < RISE_TERMINATED && c.given[lane] >= 0)
            MUST(actions[lane] == c.given[lane]);
    }
    model_step(&run.model, &c);
}
/* Draws a way to make row `i` wrong. Returns whether that way is possible there. `in_episode`:
   ENDED, PLAYING, or LOADED if the twins do not agree. */
static int break_row(call *c, int i, int in_episode)
{
    static const int events[3] = {-1, RISE_ABSENT + 1, 1000};
    static const float rewards[3] = {(float)NAN, (float)INFINITY, -(float)INFINITY};
    c->expected = RISE_BAD_CALL;
    make_present(c, i);
    switch (below(&run.dice, 5)) {
    case 0: c->event[i] = (rise_event)events[below(&run.dice, 3)]; return 1;
    case 1:
        c->reward[i] = rewards[below(&run.dice, 3)];
        c->expected = RISE_NOT_FINITE;
        return c->event[i] != RISE_FIRST;
    case 2:
        if (in_episode) return 0;
        c->event[i] = (rise_event)(RISE_MIDDLE + below(&run.dice, 3));
        c->mask[i * ACTIONS] = 1;
        return 1;
    case 3:
        if (in_episode == PLAYING && one_in(&run.dice, 3))
            c->event[i] = RISE_TRUNCATED, c->reward[i] = 0; /* a first frame's may be NaN */
        memset(c->mask + i * ACTIONS, 0, ACTIONS);
        return c->allowed != NULL && c->event[i] != RISE_TERMINATED;
    default:
        c->poison = 1;
        c->expected = RISE_NOT_FINITE;
        return run.desc.memory == RISE_MEMORY_RISE && run.desc.embedding == RISE_EMBED_USER;
    }
}
static void call_wrong_step(void)
{
    call c = draw_step();
    int const lane = below(&run.dice, run.desc.environments);
    int const single = run.desc.environments == 1 && !run.desc.action_masks;
    int actions[MOST];
    set_pointers(&c, run.desc.action_masks);
    if (one_in(&run.dice, 2) || !break_row(&c, lane, run.model.in_episode[lane])) {
        c = draw_step();
        set_pointers(&c, run.desc.action_masks);
        c.expected = RISE_BAD_CALL;
        c.kind = STEP_ALL;
        switch (below(&run.dice, 6)) {
        case 0: c.rewards = NULL; break;
        case 1: c.events = NULL; break;
        case 2: c.no_actions = 1; break;
        case 3: c.allowed = c.allowed == NULL ? c.mask : NULL; break;
        case 4: c.frames = NULL; break;
        default:
            c.kind = STEP;
            if (single) c.frames = NULL;
        }
    }
    perform(&c, actions);
}
static call draw_play(void)
{
    call c;
    memset(&c, 0, sizeof c);
    c.kind = PLAY;
    c.player = below(&run.dice, run.desc.players);
    draw_row(&c, 0, run.model.player[c.player] == PLAYING);
    return c;
}
static void call_play(void)
{
    call c = draw_play();
    int actions[MOST];
    set_pointers(&c, one_in(&run.dice, 2));
    perform(&c, actions);
    MUST(actions[0] >= 0 && actions[0] < ACTIONS);
    if (c.event[0] >= RISE_TERMINATED) MUST(actions[0] == 0);
    if (c.event[0] < RISE_TERMINATED && c.allowed != NULL) MUST(c.mask[actions[0]] != 0);
    run.model.player[c.player] = after_event(c.event[0], run.model.player[c.player]);
}
/* Checks the actions of a call to rise_agent_play_all. */
static void check_actions(const call *c, const int actions[MOST])
{
    int i;
    for (i = 0; i < run.desc.players; i++) {
        MUST(actions[i] >= 0 && actions[i] < ACTIONS);
        if (c->event[i] >= RISE_TERMINATED) MUST(actions[i] == 0);
        if (c->event[i] < RISE_TERMINATED && c->allowed != NULL)
            MUST(c->mask[i * ACTIONS + actions[i]] != 0);
    }
}
/* Draws a call of all players, whose episodes are `state` [players]. */
static call draw_play_all(const int state[MOST])
{
    call c;
    int i;
    memset(&c, 0, sizeof c);
    c.kind = PLAY_ALL;
    for (i = 0; i < run.desc.players; i++) draw_row(&c, i, state[i] == PLAYING);
    return c;
}
static void call_play_all(void)
{
    call c = draw_play_all(run.model.player);
    int actions[MOST], i;
    set_pointers(&c, one_in(&run.dice, 2));
    perform(&c, actions);
    check_actions(&c, actions);
    for (i = 0; i < run.desc.players; i++)
        run.model.player[i] = after_event(c.event[i], run.model.player[i]);
}
static void call_wrong_play_all(void)
{
    call c = draw_play_all(run.model.player);
    int const player = below(&run.dice, run.desc.players);
    int actions[MOST];
    set_pointers(&c, one_in(&run.dice, 2));
    if (one_in(&run.dice, 3) || !break_row(&c, player, run.model.player[player])) {
        c = draw_play_all(run.model.player);
        set_pointers(&c, one_in(&run.dice, 2));
        c.expected = RISE_BAD_CALL;
        switch (below(&run.dice, 4)) {
        case 0: c.rewards = NULL; break;
        case 1: c.events = NULL; break;
        case 2: c.no_actions = 1; break;
        default: c.frames = NULL;
        }
    }
    perform(&c, actions);
}
/* Makes a player worse, or greedy again. Some values are out of range. */
static void call_set_player(void)
{
    static const double epsilons[4] = {0, 0.3, 1, 1e-40}, wrong[4] = {-1e-9, 1.001, NAN, INFINITY};
    static const double temperatures[4] = {0, 0.05, 1, 1e6}, hot[4] = {-1, 1e6 + 1, NAN, INFINITY};
    call c;
    int actions[MOST];
    memset(&c, 0, sizeof c);
    c.kind = SET_PLAYER;
    c.player = below(&run.dice, run.desc.players);
    c.epsilon = epsilons[below(&run.dice, 4)];
    c.temperature = temperatures[below(&run.dice, 4)];
    if (one_in(&run.dice, 4)) {
        c.expected = RISE_BAD_CALL;
        switch (below(&run.dice, 3)) {
        case 0: c.player = one_in(&run.dice, 2) ? -1 : run.desc.players; break;
        case 1: c.epsilon = wrong[below(&run.dice, 4)]; break;
        default: c.temperature = hot[below(&run.dice, 4)];
        }
    }
    perform(&c, actions);
}
static void call_wrong_play(void)
{
    static const int wrong[3] = {-1, INT_MAX, INT_MIN};
    call c = draw_play();
    int actions[MOST];
    set_pointers(&c, one_in(&run.dice, 2));
    if (one_in(&run.dice, 3) || !break_row(&c, 0, run.model.player[c.player])) {
        int const choice = below(&run.dice, 5);
        c = draw_play();
        set_pointers(&c, one_in(&run.dice, 2));
        c.expected = RISE_BAD_CALL;
        if (choice < 3) c.player = wrong[choice];
        if (choice == 3) c.player = run.desc.players;
        if (choice == 4) c.frames = NULL;
    }
    perform(&c, actions);
}

/* ---------------------------------------------------------------------------------------------- */
/* Calls to publish */

/* Makes the copies, which only play. Each has its own fields of the machine. */
static void create_copies(void)
{
    int t;
    for (t = 0; t < TWINS; t++) {
        rise_agent_desc d = run.desc;
        d.play_only = 1;
        d.background = one_in(&run.dice, 2);
        d.embed_user = d.clock_user = &run.twins[t];
        d.isa = draw_isa(&run.dice), d.threads = draw_threads(&run.dice);
#ifndef RISE_THREADS
        d.background = 0;
#endif
        run.twins[t].copy = created(&d);
    }
}
static void destroy_copies(void)
{
    int t;
    for (t = 0; t < TWINS; t++) {
        rise_agent_destroy(run.twins[t].copy);
        run.twins[t].copy = NULL;
    }
}
/* Publishes to the copies at times, and lets them play. The twins' copies agree. */
static void call_publish(void)
{
    call c;
    int actions[MOST], all[TWINS][MOST], t, i;
    int const publishes = run.twins[PLAIN].copy == NULL || one_in(&run.dice, 2);
    memset(&c, 0, sizeof c);
    c.kind = PUBLISH;
    if (run.twins[PLAIN].copy == NULL) create_copies();
    if (publishes) perform(&c, actions);
    c = draw_play_all(run.model.copy);
    set_pointers(&c, one_in(&run.dice, 2));
    for (t = 0; t < TWINS; t++) {
        rise_agent *const copy = run.twins[t].copy;
        MUST(rise_agent_play_all(copy, c.frames, numbers_of(c.frames), c.rewards, c.events,
                                 c.allowed, all[t]) ==
             RISE_OK);
        for (i = 0; i < run.desc.players; i++) {
            const float *const plain = rise_agent_values(run.twins[PLAIN].copy, i);
            const float *const q = rise_agent_values(copy, i);
            MUST(all[t][i] == all[PLAIN][i] && (q == NULL) == (plain == NULL));
            MUST(q == NULL || plain == NULL || same_reals(q, plain, ACTIONS));
        }
        MUST(!publishes || same_policy(run.twins[t].agent, copy));
    }
    check_actions(&c, all[PLAIN]);
    for (i = 0; i < run.desc.players; i++)
        run.model.copy[i] = after_event(c.event[i], run.model.copy[i]);
}
/* Nothing is published to an agent that learns, or to one with another seed. */
static void call_wrong_publish(void)
{
    rise_agent_desc d = run.desc;
    rise_agent *const a = run.twins[PLAIN].agent, *other;
    call c;
    int actions[MOST];
    memset(&c, 0, sizeof c);
    c.kind = PUBLISH;
    c.to_agent = 1;
    c.expected = RISE_BAD_CALL;
    perform(&c, actions);
    d.play_only = 1, d.background = 0;
    d.seed++;
    d.embed_user = d.clock_user = &run.twins[PLAIN];
    other = created(&d);
    MUST(rise_agent_publish(a, other) == RISE_MISMATCH);
    MUST(strncmp(rise_agent_error(a)->text, "seed", 4) == 0);
    rise_agent_destroy(other);
}

/* ---------------------------------------------------------------------------------------------- */
/* Calls to learn */

static int takes_snapshots(void)
{
    return run.desc.memory == RISE_MEMORY_RISE && run.desc.embedding == RISE_EMBED_SNAPSHOT;
}
/* Returns how many owed steps the next rise_agent_learn uses up: learn_period if an update is due,
   otherwise 0. */
static int64_t steps_due(void)
{
    return run.desc.learn_outside && run.model.owed >= run.desc.learn_period &&
                   run.metrics.replay_ready > 0
               ? run.desc.learn_period
               : 0;
}
static void call_learn(void)
{
    int64_t const due = steps_due();
    call c;
    int actions[MOST], result;
    memset(&c, 0, sizeof c);
    c.kind = LEARN;
    c.expected = run.metrics.replay_ready > 0 ? RISE_OK : RISE_BAD_CALL;
    open_gate_for_round();
    result = perform(&c, actions);
    if (c.expected == RISE_OK) model_updates(&run.model, 1);
    if (result == RISE_OK || is_behind()) run.model.owed -= due;
}
static void call_learn_for(void)
{
    static const double budgets[6] = {0, 1, 50, 300, 3000, 1e12};
    model *const x = &run.model;
    int const due = x->owed >= run.desc.learn_period && run.metrics.replay_ready > 0;
    /* Loading reads the clock, so the twins' clocks differ. All times are multiples of 2^-20
       seconds, so their differences are exact, and all twins measure the same time for an update.
       Most ticks are short. */
    double const tick = (1 + below(&run.dice, one_in(&run.dice, 3) ? 400 : 10)) / 1048576.0;
    call c;
    int actions[MOST], t, done;
    int const waits = workers_wait(), round = waits ? 0 : x->round;
    memset(&c, 0, sizeof c);
    c.kind = LEARN_FOR;
    c.microseconds = budgets[below(&run.dice, 6)];
    for (t = 0; t < TWINS; t++) run.twins[t].tick = tick;
    done = perform(&c, actions);
    if (done < 0) done = 0; /* an update was discarded */
    if (is_behind()) {
        MUST(run.huge || done == round);
        if (!waits) model_updates(x, due);
        if (!waits && due) x->owed -= run.desc.learn_period;
        return;
    }
    MUST(run.huge || (done <= x->owed / run.desc.learn_period && (due || done == 0)));
    x->owed -= (int64_t)done * run.desc.learn_period, x->updates += done;
    x->started |= due;
}
static void call_wrong_learn_for(void)
{
    static const double wrong[5] = {-1, NAN, INFINITY, -1e-300, 1.0000001e12};
    call c;
    int actions[MOST];
    memset(&c, 0, sizeof c);
    c.kind = LEARN_FOR;
    c.expected = RISE_BAD_CALL;
    c.microseconds = wrong[below(&run.dice, 5)];
    perform(&c, actions);
}
static void call_snapshot(void)
{
    call c;
    int actions[MOST];
    memset(&c, 0, sizeof c);
    c.kind = SNAPSHOT;
    c.expected = takes_snapshots() && run.model.started && run.metrics.refreshing == 0
                     ? RISE_OK
                     : RISE_BAD_CALL;
    perform(&c, actions);
}
/* A weight that is not finite: an update is discarded, and saving is refused. */
static void call_broken_weight(void)
{
    static const float broken[3] = {(float)NAN, (float)INFINITY, -(float)INFINITY};
    int64_t const due = steps_due();
    uint32_t const at = draw(&run.dice);
    float const value = broken[below(&run.dice, 3)];
    int const ready = run.metrics.replay_ready > 0;
    int t;
    if (takes_snapshots()) return; /* a part of a snapshot would not look at the weights */
    if (is_behind() && run.desc.memory == RISE_MEMORY_RISE &&
        (run.metrics.refreshing > 0 || !run.model.started))
        return; /* and a part of the end of the warm-up would not */
    open_gate();
    for (t = 0; t < TWINS; t++) {
        rise_agent *const a = run.twins[t].agent;
        size_t const i = at % a->model.net.parameters;
        float *w = rise_agent_parameters(a);
        float const keep = w[i];
        uint64_t const before = hash_of(a);
        buffer b = {NULL, 0, 0, SIZE_MAX, 0};
        rise_result before_learn; /* with background, of the update before */
        rise_agent_parameters(a)[i] = value;
        before_learn = is_behind() ? (rise_result)a->background.result : RISE_NOT_FINITE;
        MUST(run.huge || before_learn == (is_behind() ? RISE_OK : RISE_NOT_FINITE));
        MUST(rise_agent_learn(a) == (ready ? before_learn : RISE_BAD_CALL));
        MUST(rise_agent_write(a, RISE_SAVE_ALL, buffer_write, &b, NULL) == RISE_NOT_FINITE);
        MUST(b.size == 0);
        rise_agent_parameters(a)[i] = keep;
        if (is_behind() && ready) { /* the next call that learns would return the error */
            MUST(a->background.result == RISE_NOT_FINITE);
            a->background.result = RISE_OK;
        }
        MUST((is_behind() && due > 0) || hash_of(a) == before);
    }
    if (is_behind()) run.model.owed -= due;
    run.model.started |= ready;
    if (is_behind()) model_updates(&run.model, 0); /* rise_agent_parameters puts it into effect */
}

/* ---------------------------------------------------------------------------------------------- */
/* Calls to save and load */

/* Changes one value of an agent, as a wrong loader would. */
static void sabotage(rise_agent *a)
{
    risei_replay *r = &a->replay;
    ptrdiff_t slot;
    switch (run.sabotage) {
    case 1: a->learner.sample_random.state += 2; break;
    case 2: a->actor.explore_random.state += 2; break;
    case 3: a->learner.owed_steps++; break;
    case 4: a->actor.steps++; break;
    case 5: a->learner.optimizer.power2 *= 0.5; break;
    case 6: a->model.target[0] += 1; break;
    case 7: a->model.weights[1] += 1; break;
    case 8:
        for (slot = 0; slot < (ptrdiff_t)r->history.lanes * r->history.capacity; slot++)
            if (r->tree[slot] > 0) {
                risei_replay_tree_set(r, slot, r->tree[slot] * 2);
                break;
            }
        break;
    default: break;
    }
}
/* Files hold no players: a player must begin an episode after loading. */
static void reset_players(void)
{
    int i;
    for (i = 0; i < MOST; i++) run.model.player[i] = LOADED;
}
/* Saves the twin with everything, and continues with what the file gives. */
static void call_load_saved(void)
{
    twin *const t = &run.twins[SAVED];
    risei_learner const times = t->agent->learner;
    const rise_agent *const old = t->agent;
    rise_agent_desc machine;
    unsigned char *block;
    rise_agent *agent;
    int i;
    buffer b = file_of(t->agent, RISE_SAVE_ALL), again;
    memset(&machine, 0, sizeof machine);
    set_machine(SAVED, &run.desc, &machine, &block);
    agent = loaded(&b, &machine);
    again = file_of(agent, RISE_SAVE_ALL);
    MUST(same_buffers(&again, &b));
    free(again.data);
    /* While a snapshot is in progress, loading already gives all frames their new embeddings. No
       call reads those that differ before the snapshot is done. */
    MUST(run.metrics.refreshing > 0 ||
         hash_history(0, &agent->replay.history) == hash_history(0, &t->agent->replay.history));
    free(b.data);
    /* files hold no measured times, and not how well players play */
    agent->learner.budget = times.budget, agent->learner.part_time = times.part_time;
    agent->learner.timed = times.timed, agent->learner.grain = times.grain;
    agent->learner.untimed = times.untimed;
    for (i = 0; i < run.desc.players; i++)
        rise_agent_set_player(agent, i, (double)old->players.epsilon[i],
                              (double)old->players.temperature[i]);
    agent->players.random = old->players.random;
    replace_agent(t, agent, block);
    reset_players();
    sabotage(agent);
    run.loads++;
}
/* Saves all twins without their replay buffers, and continues with what the files give. The numbers
   of environments and players may change. */
static void call_load_agents(void)
{
    rise_agent_desc desc = run.desc, next;
    rise_result result = RISE_OK;
    uint64_t plain = 0;
    int environments, players, t, i;
    environments = one_in(&run.dice, 2) ? 1 + below(&run.dice, MOST) : 0;
    players = one_in(&run.dice, 2) ? 1 + below(&run.dice, MOST) : 0;
    if (environments != 0) desc.environments = environments;
    if (players != 0) desc.players = players;
    next = desc;
    result = rise_agent_resolve(&next, NULL);
    for (t = 0; t < TWINS; t++) {
        buffer b = file_of(run.twins[t].agent, RISE_SAVE_AGENT);
        uint64_t const hash = hash_words(HASH_START, b.data, b.size);
        rise_agent *agent = run.twins[t].agent;
        rise_agent_desc machine;
        unsigned char *block;
        if (t == PLAIN) plain = hash;
        MUST(hash == plain);
        memset(&machine, 0, sizeof machine);
        set_machine(t, &desc, &machine, &block);
        machine.environments = environments, machine.players = players;
        MUST(load(&agent, &b, &machine, NULL) == result && (agent != NULL) == (result == RISE_OK));
        if (agent != NULL)
            replace_agent(&run.twins[t], agent, block);
        else
            free(block);
        free(b.data);
    }
    if (result != RISE_OK) return;
    run.desc = next;
    destroy_copies(); /* the number of players may have changed */
    memset(run.model.copy, 0, sizeof run.model.copy);
    reset_players();
    run.model.owed %= next.learn_period; /* whole updates are not owed without the frames */
    run.model.seen = 0;
    for (i = 0; i < MOST; i++)
        run.model.in_episode[i] = 0, run.model.written[i] = 0, run.model.lane_return[i] = 0;
}
/* Checks that an agent that only plays refuses everything else, unchanged. */
static void check_play_only(rise_agent *a)
{
    uint64_t const before = whole_of(a);
    call c = draw_step();
    buffer b = {NULL, 0, 0, SIZE_MAX, 0};
    int actions[MOST] = {UNTOUCHED, UNTOUCHED, UNTOUCHED};
    rise_metrics m;
    set_pointers(&c, run.desc.action_masks);
    MUST(rise_agent_step_all(a, c.frames, NULL, c.rewards, c.events, c.allowed, actions) ==
         RISE_BAD_CALL);
    MUST(rise_agent_step(a, c.frames, 0, RISE_FIRST) == RISE_BAD_CALL);
    MUST(rise_agent_learn(a) == RISE_BAD_CALL);
    MUST(rise_agent_learn_for(a, -1) == RISE_BAD_CALL);
    MUST(rise_agent_learn_for(a, 1000) <= 0);
    MUST(rise_agent_snapshot(a) == RISE_BAD_CALL);
    MUST(rise_agent_write(a, RISE_SAVE_ALL, buffer_write, &b, NULL) == RISE_BAD_CALL);
    MUST(rise_agent_write(a, RISE_SAVE_AGENT, buffer_write, &b, NULL) == RISE_BAD_CALL);
    MUST(b.size == 0 && actions[0] == UNTOUCHED);
    rise_agent_metrics(a, &m);
    MUST(m.steps == 0 && m.updates == 0 && m.replay_size == 0 && m.bytes_per_step == 0);
    MUST(whole_of(a) == before);
}
/* Plays the same steps with player 0 of both agents. Actions and values must be the same. */
static void play_both(rise_agent *a, rise_agent *b, int steps)
{
    int step, in_episode = 0;
    for (step = 0; step < steps; step++) {
        call c = draw_play();
        c.player = 0;
        draw_row(&c, 0, in_episode);
        set_pointers(&c, one_in(&run.dice, 2));
        if (step == 0) make_present(&c, 0);
        MUST(rise_agent_play_numbers(a, 0, c.frames, numbers_of(c.frames), c.reward[0], c.event[0],
                                     c.allowed) ==
             rise_agent_play_numbers(b, 0, c.frames, numbers_of(c.frames), c.reward[0], c.event[0],
                                     c.allowed));
        MUST(same_reals(rise_agent_values(a, 0), rise_agent_values(b, 0), ACTIONS));
        in_episode = after_event(c.event[0], in_episode);
    }
}
/* An agent that only plays, from a file, plays as the whole agent does. */
static void call_load_policy(void)
{
    twin *const t = &run.twins[below(&run.dice, TWINS)];
    int const whole = one_in(&run.dice, 2);
    buffer all = file_of(t->agent, RISE_SAVE_ALL), b = file_of(t->agent, RISE_SAVE_POLICY);
    rise_agent *agent, *policy;
    rise_agent_desc machine;
    compare_files(RISE_SAVE_POLICY);
    memset(&machine, 0, sizeof machine);
    machine.embed_fn = sequence_embed, machine.embed_user = t;
    agent = loaded(&all, &machine);
    MUST(load(&policy, &b, &machine, NULL) == RISE_MISMATCH && policy == NULL);
    machine.play_only = 1, machine.isa = draw_isa(&run.dice);
    machine.threads = draw_threads(&run.dice);
    machine.background = is_behind() && one_in(&run.dice, 2);
    policy = loaded(whole ? &all : &b, &machine);
    play_both(agent, policy, 7);
    check_play_only(policy);
    MUST(same_policy(t->agent, policy));
    MUST(is_behind() ||
         hash_file(policy, RISE_SAVE_POLICY) == hash_file(t->agent, RISE_SAVE_POLICY));
    rise_agent_learn(agent); /* so that it is destroyed while its worker computes */
    rise_agent_destroy(agent);
    rise_agent_destroy(policy);
    free(all.data), free(b.data);
}
/* Returns whether a player writes the file that it was loaded from. */
static int writes_again(const rise_agent *a, const buffer *from)
{
    buffer b = file_of(a, RISE_SAVE_INT8);
    int const same_file = same_buffers(&b, from);
    free(b.data);
    return same_file;
}
/* A policy with 8-bit weights is the same file for all twins, and plays the same on all tables.
   Another such policy can be published to it, but not a learner. */
static void call_load_int8(void)
{
    twin *const t = &run.twins[below(&run.dice, TWINS)];
    buffer b = file_of(t->agent, RISE_SAVE_INT8);
    rise_agent *players[2];
    rise_agent_desc machine;
    int i;
    compare_files(RISE_SAVE_INT8);
    memset(&machine, 0, sizeof machine);
    machine.embed_fn = sequence_embed, machine.embed_user = t;
    machine.play_only = 1;
    for (i = 0; i < 2; i++) {
        machine.isa = draw_isa(&run.dice), machine.threads = draw_threads(&run.dice);
        players[i] = loaded(&b, &machine);
        MUST(rise_agent_query(players[i])->weight_bits == 8);
    }
    play_both(players[0], players[1], 5);
    check_play_only(players[0]);
    MUST(rise_agent_publish(t->agent, players[0]) == RISE_MISMATCH);
    MUST(writes_again(players[0], &b));
    MUST(rise_agent_publish(players[1], players[0]) == RISE_OK);
    MUST(writes_again(players[0], &b));
    play_both(players[0], players[1], 5);
    for (i = 0; i < 2; i++) rise_agent_destroy(players[i]);
    free(b.data);
}
/* Files that cannot be written or read change nothing and make no agent. */
static void call_bad_file(void)
{
    rise_agent *const a = run.twins[below(&run.dice, TWINS)].agent;
    rise_save const what = (rise_save)below(&run.dice, 5);
    uint64_t const before = whole_of(a);
    rise_agent_desc machine;
    rise_agent *agent = a;
    buffer b = file_of(a, what), cut = {NULL, 0, 0, 0, 0};
    int const wrong[3] = {-1, RISE_SAVE_FLOAT16 + 1, 1000};
    memset(&machine, 0, sizeof machine);
    machine.embed_fn = sequence_embed, machine.embed_user = &run.twins[PLAIN];
    machine.play_only = what >= RISE_SAVE_POLICY;
    cut.room = draw(&run.dice) % (b.size < 3000 ? b.size : 3000);
    MUST(rise_agent_write(a, what, buffer_write, &cut, NULL) == RISE_IO);
    MUST(rise_agent_write(a, (rise_save)wrong[below(&run.dice, 3)], buffer_write, &cut, NULL) ==
         RISE_BAD_CALL);
    free(cut.data);
    cut = b;
    cut.size = draw(&run.dice) % b.size;
    MUST(load(&agent, &cut, &machine, NULL) < 0 && agent == NULL);
    machine.actions = ACTIONS + 1;
    MUST(load(&agent, &b, &machine, NULL) == RISE_MISMATCH && agent == NULL);
    machine.actions = 0;
    b.data[draw(&run.dice) % b.size] ^= (unsigned char)(1u << below(&run.dice, 8));
    MUST(load(&agent, &b, &machine, NULL) < 0 && agent == NULL);
    free(b.data);
    MUST(whole_of(a) == before);
}
/* Calls that get NULL are refused; only rise_agent_destroy allows NULL. */
static void call_null(void)
{
    uint8_t frame[PIXELS] = {0};
    float const reward = 0;
    rise_event const event = RISE_FIRST;
    rise_agent *agent = run.twins[PLAIN].agent;
    int action = UNTOUCHED;
    MUST(rise_agent_step(NULL, frame, reward, event) == RISE_BAD_CALL);
    MUST(rise_agent_step_all(NULL, frame, NULL, &reward, &event, NULL, &action) == RISE_BAD_CALL);
    MUST(rise_agent_play(NULL, 0, frame, reward, event, NULL) == RISE_BAD_CALL);
    MUST(rise_agent_play_all(NULL, frame, NULL, &reward, &event, NULL, &action) == RISE_BAD_CALL);
    MUST(rise_agent_set_player(NULL, 0, 0, 0) == RISE_BAD_CALL);
    MUST(rise_agent_publish(NULL, agent) == RISE_BAD_CALL);
    MUST(rise_agent_publish(agent, NULL) == RISE_BAD_CALL);
    MUST(rise_agent_learn(NULL) == RISE_BAD_CALL);
    MUST(rise_agent_learn_for(NULL, 1) == RISE_BAD_CALL);
    MUST(rise_agent_snapshot(NULL) == RISE_BAD_CALL);
    MUST(rise_agent_error(NULL)->result == RISE_BAD_CALL && action == UNTOUCHED);
    MUST(rise_agent_create(NULL, &run.desc, NULL) == RISE_BAD_CALL);
    MUST(rise_agent_create(&agent, NULL, NULL) == RISE_BAD_CALL && agent == NULL);
    rise_agent_destroy(NULL);
}

/* ---------------------------------------------------------------------------------------------- */
/* Sequences */

/* The calls, each with its share. */
static const struct {
    int share;
    const char *name;
    void (*run)(void);
} kinds[] = {
    {56, "step", call_step},
    {8, "wrong step", call_wrong_step},
    {10, "play", call_play},
    {4, "wrong play", call_wrong_play},
    {7, "play_all", call_play_all},
    {3, "wrong play_all", call_wrong_play_all},
    {2, "set_player", call_set_player},
    {3, "publish", call_publish},
    {1, "wrong publish", call_wrong_publish},
    {4, "learn", call_learn},
    {6, "learn_for", call_learn_for},
    {1, "wrong learn_for", call_wrong_learn_for},
    {2, "snapshot", call_snapshot},
    {1, "broken weight", call_broken_weight},
    {4, "load saved", call_load_saved},
    {1, "load agents", call_load_agents},
    {1, "load policy", call_load_policy},
    {1, "load 8-bit policy", call_load_int8},
    {1, "bad file", call_bad_file},
    {1, "null", call_null},
};

static void draw_call(int number)
{
    int i, sum = 0, pick;
    run.dice = stream_of(run.seed, number);
    for (i = 0; i < COUNT(kinds); i++) sum += kinds[i].share;
    pick = below(&run.dice, sum);
    for (i = 0; pick >= kinds[i].share; i++) pick -= kinds[i].share;
    run.name = kinds[i].name;
    move_gate();
    kinds[i].run();
    run.calls++;
    compare_twins();
}
static void create_twins(const char *words)
{
    int t;
    run.dice = stream_of(run.seed, -2);
    for (t = 0; t < TWINS; t++) {
        rise_agent_desc d = description(words);
        d.seed = run.seed;
        set_machine(t, &d, &d, &run.twins[t].block);
        run.twins[t].agent = created(&d);
    }
    run.desc = run.twins[PLAIN].agent->desc;
    /* with feed_action, a huge reward could make a carried state NaN; saving is refused then */
    run.huge = one_in(&run.dice, 5) && !run.desc.feed_action;
}
/* Runs the calls of `keep` [CALLS]. Returns the number of the call after which something did not
   hold, 0 if that was before the first call, or -1 if all held. */
static int run_sequence(uint64_t seed, const char *words, const unsigned char *keep, int wrong)
{
    int const calls = run.calls, refused = run.refused, loads = run.loads, behind = run.behind;
    int i, t, failed = 0;
    memset(&run, 0, sizeof run);
    run.seed = seed;
    run.name = "before the first call";
    run.sabotage = wrong;
    run.calls = calls, run.refused = refused, run.loads = loads;
    create_twins(words);
    run.behind = behind + is_behind();
    compare_twins();
    for (i = 0; i < CALLS && run.failure[0] == '\0'; i++) {
        if (!keep[i]) continue;
        draw_call(i);
        failed = i;
        if (i % FILES_EACH == FILES_EACH - 1 && run.failure[0] == '\0')
            compare_files(RISE_SAVE_ALL);
    }
    if (run.failure[0] == '\0') compare_files(RISE_SAVE_ALL);
    for (t = 0; t < TWINS; t++) {
        if (run.failure[0] == '\0')
            MUST(hash_of(run.twins[t].agent) == hash_of(run.twins[PLAIN].agent));
    }
    open_gate();
    destroy_copies();
    for (t = 0; t < TWINS; t++) replace_agent(&run.twins[t], NULL, NULL);
    return run.failure[0] != '\0' ? failed : -1;
}
/* Chooses which calls a sequence makes: the first ones, or those of --calls. */
static void draw_keep(uint64_t seed, unsigned char keep[CALLS])
{
    stream s = stream_of(seed, -3);
    int const one = below(&s, CALLS - CALLS / 4), two = below(&s, CALLS - CALLS / 4);
    int const length = CALLS / 4 + (one < two ? one : two); /* most are short */
    const char *at = options.calls;
    memset(keep, 0, CALLS);
    if (at == NULL) memset(keep, 1, (size_t)length);
    while (at != NULL && *at != '\0') {
        char *end;
        long const number = strtol(at, &end, 10);
        if (number >= 0 && number < CALLS) keep[number] = 1;
        at = *end != '\0' ? end + 1 : end;
    }
}

/* Tries to leave out the calls from .. from + count - 1, and those after the failure. */
static void leave_out_calls(uint64_t seed, const char *words, unsigned char keep[CALLS], int from,
                            int count)
{
    unsigned char fewer[CALLS];
    int failed;
    memcpy(fewer, keep, CALLS);
    memset(fewer + from, 0, (size_t)(from + count < CALLS ? count : CALLS - from));
    if (memcmp(fewer, keep, CALLS) == 0) return;
    failed = run_sequence(seed, words, fewer, 0);
    if (failed < 0) return;
    memcpy(keep, fewer, CALLS);
    memset(keep + failed + 1, 0, (size_t)(CALLS - failed - 1));
}
/* Tries to leave out each word. Returns whether one was left out. */
static int leave_out_words(uint64_t seed, char words[WORDS_SIZE], const unsigned char *keep)
{
    char fewer[WORDS_SIZE], *at = words;
    int changed = 0;
    while (*at != '\0') {
        size_t const word = strcspn(at, " "), length = word + (at[word] == ' ');
        rise_agent_desc d;
        snprintf(fewer, sizeof fewer, "%.*s%s", (int)(at - words), words, at + length);
        d = description(fewer);
        if (rise_agent_resolve(&d, NULL) == RISE_OK && run_sequence(seed, fewer, keep, 0) >= 0)
            memcpy(words, fewer, sizeof fewer), changed = 1;
        else
            at += length;
    }
    return changed;
}
/* Makes a sequence shorter that fails at call `failed`. Begins nothing after 20 seconds. */
static void shorten(uint64_t seed, char words[WORDS_SIZE], unsigned char keep[CALLS], int failed)
{
    double const end = check_clock() + 20;
    int chunk, from;
    memset(keep + failed + 1, 0, (size_t)(CALLS - failed - 1));
    for (chunk = CALLS / 2; chunk > 0; chunk /= 2)
        for (from = 0; from < CALLS && check_clock() < end; from += chunk)
            leave_out_calls(seed, words, keep, from, chunk);
    while (check_clock() < end && leave_out_words(seed, words, keep)) continue;
}
/* Prints how to repeat a sequence that fails. */
static void report(uint64_t seed, const char *words, const unsigned char *keep)
{
    int const failed = run_sequence(seed, words, keep, 0);
    const char *comma = "";
    int i;
    printf("sequence %lu fails at call %d, %s: %s\n", (unsigned long)seed, failed, run.name,
           run.failure);
    printf("  ./sequences --count 1 --seed %lu --words \"%s\" --calls ", (unsigned long)seed,
           words);
    for (i = 0; i < CALLS; i++) {
        if (keep[i]) printf("%s%d", comma, i), comma = ",";
    }
    printf("\n");
}

static void twins_agree_after_every_call(void)
{
    int i;
    run.calls = run.refused = run.loads = run.behind = 0;
    for (i = 0; i < options.count; i++) {
        uint64_t const seed = options.seed + (uint64_t)i;
        unsigned char keep[CALLS];
        char words[WORDS_SIZE];
        int failed;
        if (options.announce && i % 10 == 0) {
            printf("sequences from %lu\n", (unsigned long)seed);
            fflush(stdout);
        }
        if (options.words != NULL)
            snprintf(words, sizeof words, "%s", options.words);
        else
            draw_words(seed, words);
        draw_keep(seed, keep);
        check_about("sequence %lu", (unsigned long)seed);
        failed = run_sequence(seed, words, keep, 0);
        if (CHECK(failed < 0)) continue;
        if (options.calls == NULL) shorten(seed, words, keep, failed);
        report(seed, words, keep);
    }
    check_note("%d sequences, %d in the background, %d calls, %d loads, %d refused", options.count,
               run.behind, run.calls, run.loads, run.refused);
}
/* The test above can fail: it notices each of eight values that a loader could lose. */
static void changed_values_are_noticed(void)
{
    static const char words[] = "players=1 learn_period=1 learn_start=6 replay_capacity=64";
    int wrong;
    for (wrong = 0; wrong <= 8; wrong++) {
        unsigned char keep[CALLS];
        memset(keep, 1, sizeof keep);
        check_about("value %d", wrong);
        CHECK((run_sequence(1, words, keep, wrong) >= 0) == (wrong > 0));
    }
}

static const check_test tests[] = {
    TEST(twins_agree_after_every_call),
    TEST(changed_values_are_noticed),
};
/* Takes the options out of the arguments; what is left names tests. */
int main(int count, char **arguments)
{
    int i, left = 1;
    for (i = 1; i < count; i++) {
        const char *const name = arguments[i], *const value = i + 1 < count ? arguments[i + 1] : "";
        int const option = strncmp(name, "--", 2) == 0;
        if (strcmp(name, "--count") == 0) options.count = atoi(value), options.announce = 1;
        if (strcmp(name, "--seed") == 0) options.seed = (uint64_t)strtoul(value, NULL, 10);
        if (strcmp(name, "--words") == 0) options.words = value;
        if (strcmp(name, "--calls") == 0) options.calls = value;
        if (option) i++;
        if (!option) arguments[left++] = arguments[i];
    }
    check_state.after = check_memory;
    return CHECK_MAIN(left, arguments, tests);
}
