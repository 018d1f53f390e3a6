/* What the tests of whole agents share: rise.h with counted allocations, toy agents and toy games,
   and files in memory. */
#ifndef TOY_H
#define TOY_H

#include <float.h> /* everything that rise.h includes, before calloc and free are replaced */
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "fuzz/slots.h"

/* ---------------------------------------------------------------------------------------------- */
/* Memory, counted */

static struct {
    long calls, held; /* calls for memory; blocks not yet freed */
    int refuse;       /* 1: calls for memory fail */
    size_t newest;    /* bytes of the newest block */
    size_t bytes;     /* of all blocks since a test last set it to 0 */
} toy_memory;

static void *toy_calloc(size_t count, size_t size)
{
    void *const block = toy_memory.refuse ? NULL : fuzz_calloc(count, size);
    toy_memory.calls++;
    toy_memory.newest = count * size;
    toy_memory.bytes += count * size;
    if (block != NULL) toy_memory.held++;
    return block;
}
static void toy_free(void *block)
{
    if (block != NULL) toy_memory.held--;
    fuzz_free(block);
}
#define calloc(count, size) toy_calloc(count, size)
#define malloc(size) toy_calloc(1, size)
#define realloc(block, size) rise_h_may_not_call_realloc(block, size)
#define free(block) toy_free(block)
#define RISE_IMPLEMENTATION
#include "../rise.h"
#undef calloc
#undef malloc
#undef realloc
#undef free

/* Runs after each test: checks that all memory is freed. */
CHECK_UNUSED static void check_memory(void) { CHECK(toy_memory.held == 0); }

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

/* ---------------------------------------------------------------------------------------------- */
/* Hashes: FNV-1a */

#define HASH_START UINT64_C(14695981039346656037)

CHECK_UNUSED static uint64_t hash_bytes(uint64_t hash, const void *data, size_t size)
{
    const unsigned char *byte = (const unsigned char *)data;
    while (size-- > 0) hash = (hash ^ *byte++) * UINT64_C(1099511628211);
    return hash;
}
/* Hashes little-endian bytes on every machine. */
CHECK_UNUSED static uint64_t hash_reals(uint64_t hash, const float *x, size_t count)
{
    size_t i;
    int shift;
    for (i = 0; i < count; i++)
        for (shift = 0; shift < 32; shift += 8) {
            unsigned char const byte = (unsigned char)(risei_bits(x[i]) >> shift & 255u);
            hash = hash_bytes(hash, &byte, 1);
        }
    return hash;
}
CHECK_UNUSED static int same_reals(const float *a, const float *b, size_t count)
{
    return memcmp(a, b, count * sizeof *a) == 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Descriptions as text */

/* size of a toy game; frames of its longest episode */
enum { WIDTH = 5, HEIGHT = 4, PIXELS = WIDTH * HEIGHT, ACTIONS = 3, GAMES = 3, LONGEST = 9 };
enum { TOY_NUMBERS = 8 }; /* most numbers of an observation */

/* An embed_fn: a pure function of the frame. */
CHECK_UNUSED static void toy_embed(void *user, const uint8_t *frame, float *embedding, int size)
{
    int i;
    if (user != NULL) ++*(long *)user;
    for (i = 0; i < size; i++)
        embedding[i] = (float)frame[i] / 64 - (float)frame[PIXELS - 1 - i] / 128;
}
/* A clock_fn that advances 3 ms at each call. `user`: a double, the seconds. */
CHECK_UNUSED static double toy_clock(void *user) { return *(double *)user += 0.003; }

/* The agent of most tests. Most sizes are not multiples of a vector's length, so every kernel also
   runs its loop for the remainder. */
static const char toy_agent[] =
    "frame_stack=2 players=2 memory=rise window=5 cell=lstm fusion=concat context_scale=1 "
    "embedding=signs embedding_size=9 network=custom conv_count=1 conv[0].filters=4 "
    "conv[0].size=3 conv[1].filters=3 conv[1].size=2 conv[1].stride=2 conv[1].pad=1 atoms=11 "
    "value_min=-3 value_max=4 quantiles=5 features=6 recurrent_units=7 head_units=5 batch=6 "
    "n_step=3 learning_rate=0.01 context_decay=-1 target_period=7 learn_start=20 learn_period=2 "
    "epsilon_start=0.9 epsilon_end=0.1 epsilon_steps=50 seed=7";

/* Words for what takes several fields. */
static const struct {
    const char *word, *text;
} toy_words[] = {
    /* sizes that fill the widest vectors, and leave a tail too */
    {"wide", "embedding_size=40 conv[0].filters=18 atoms=33 quantiles=17 features=37 "
             "recurrent_units=20 head_units=37"},
    /* sizes that are multiples of RISE_PANEL, where the layer allows that */
    {"panels", "features=64 recurrent_units=32 head_units=48"},
    {"plain", "features=-1 no_dueling=1"},
    {"pool", "embedding_pool=2 conv[0].pool=2 conv[0].pool_stride=1"},
    {"residual", "conv[0].residual=2 conv[1].residual=1"},
    {"impala", "network=impala network_width=1 pool_to=1"},
    {"stored", "carry_state=1 stored_state=1"},
    /* no frames, only numbers */
    {"blind", "numbers=5 number_features=3 frame_width=0 frame_height=0 network=auto conv_count=0 "
              "embedding=auto"},
    {"overlap", "window_stride=2 priority_mix=0.9"},
    {"greedy", "epsilon_start=-1 epsilon_end=-1"},
    {"random", "epsilon_start=1 epsilon_end=1"},
};

/* Sets the fields in `text`, which has "field=value" as in rise_agent_set, or toy_words, with
   spaces between them. */
static void describe(rise_agent_desc *d, const char *text)
{
    while (*text != '\0') {
        size_t const length = strcspn(text, " ");
        char part[60];
        rise_error error;
        int i;
        snprintf(part, sizeof part, "%.*s", (int)length, text);
        for (i = 0; i < COUNT(toy_words) && strcmp(toy_words[i].word, part) != 0; i++) continue;
        if (i < COUNT(toy_words)) {
            describe(d, toy_words[i].text);
        } else if (rise_agent_set(d, part, &error) != RISE_OK) {
            printf("%s\n", error.text);
            exit(1);
        }
        text += length;
        text += strspn(text, " ");
    }
}
/* Returns the toy agent with the fields in `text` changed. */
static rise_agent_desc described(const char *text)
{
    rise_agent_desc d;
    memset(&d, 0, sizeof d);
    d.frame_width = WIDTH, d.frame_height = HEIGHT, d.actions = ACTIONS;
    d.environments = 1;
    d.embed_fn = toy_embed;
    describe(&d, toy_agent);
    describe(&d, text);
    d.replay_capacity = 60 * d.environments;
    return d;
}
static rise_agent *created(const rise_agent_desc *desc)
{
    rise_agent *agent;
    rise_error error = {RISE_OK, ""};
    if (!CHECK(rise_agent_create(&agent, desc, &error) == RISE_OK)) {
        printf("%s: %s\n", check_state.about, error.text);
        exit(1);
    }
    return agent;
}

/* ---------------------------------------------------------------------------------------------- */
/* Toy games */

/* A game that depends on its random state and the actions only. Episodes have 1 to LONGEST frames.
   They end in three ways: terminated, truncated, or by the next first frame. */
typedef struct toy {
    uint32_t dice;
    int index, length; /* index of the frame; number of frames in this episode */
} toy;

/* An agent that plays one toy game or GAMES of them. A copy with another agent continues from the
   same moment. */
typedef struct world {
    rise_agent *agent;
    toy games[GAMES];
    int actions[GAMES];
    uint8_t frames[GAMES * PIXELS], allowed[GAMES * ACTIONS];
    float rewards[GAMES];
    rise_event events[GAMES];
} world;

static uint32_t toy_draw(toy *t)
{
    t->dice = t->dice * 1664525u + 1013904223u;
    return t->dice >> 16;
}
static rise_event toy_next(toy *t, int action, uint8_t *frame, uint8_t *allowed, float *reward)
{
    static const rise_event endings[3] = {RISE_MIDDLE, RISE_TERMINATED, RISE_TRUNCATED};
    rise_event ending;
    int i;
    t->dice += (uint32_t)action * 77u;
    for (i = 0; i < PIXELS; i++) frame[i] = (uint8_t)(toy_draw(t) & 255u);
    for (i = 0; i < ACTIONS; i++) allowed[i] = (uint8_t)(toy_draw(t) & 2u);
    allowed[toy_draw(t) % ACTIONS] = 1;
    *reward = ((float)(toy_draw(t) & 7u) + (float)action - 3) / 4;
    ending = endings[toy_draw(t) % 3];
    if (t->index == t->length) {
        t->index = 1, t->length = 1 + (int)(toy_draw(t) % LONGEST);
        return RISE_FIRST;
    }
    return ++t->index < t->length ? RISE_MIDDLE : ending;
}
/* Writes the numbers of an observation, which follow from its frame: a large one, one in 0..1, a
   constant, a tiny one, and so on. */
CHECK_UNUSED static void toy_numbers(const uint8_t *frame, int count, float *numbers)
{
    int i;
    for (i = 0; i < count; i++) {
        float const pixel = (float)frame[i];
        numbers[i] = i % 4 == 0   ? pixel * 1000 - 5e4f
                     : i % 4 == 1 ? pixel / 255
                     : i % 4 == 2 ? 0.25f
                                  : (pixel - 100) * 1e-3f;
    }
}
/* Plays the next frame of a game as a player. `before` is the action that the game gets. With
   `masks`, passes allowed [ACTIONS], which is written in any case. Returns the player's action. */
CHECK_UNUSED static int toy_play(rise_agent *a, int player, toy *t, int before, int masks,
                                 uint8_t *allowed)
{
    const rise_agent_desc *d = rise_agent_query(a);
    uint8_t frame[PIXELS];
    float reward, numbers[TOY_NUMBERS];
    rise_event const event = toy_next(t, before, frame, allowed, &reward);
    toy_numbers(frame, d->numbers, numbers);
    return rise_agent_play_numbers(a, player, d->frame_width > 0 ? frame : NULL,
                                   d->numbers > 0 ? numbers : NULL, reward, event,
                                   masks ? allowed : NULL);
}
static world world_of(rise_agent *agent)
{
    world w;
    int i;
    memset(&w, 0, sizeof w);
    w.agent = agent;
    for (i = 0; i < GAMES; i++) w.games[i].dice = (uint32_t)i + 1;
    return w;
}
/* Moves the games on; the agent does not act yet. */
static void world_move(world *w)
{
    int i;
    for (i = 0; i < GAMES; i++)
        w->events[i] = toy_next(&w->games[i], w->actions[i], w->frames + i * PIXELS,
                                w->allowed + i * ACTIONS, &w->rewards[i]);
}
static rise_result world_act(world *w)
{
    const rise_agent_desc *d = rise_agent_query(w->agent);
    float numbers[GAMES * TOY_NUMBERS];
    int i;
    for (i = 0; i < GAMES && CHECK(d->numbers <= TOY_NUMBERS); i++)
        toy_numbers(w->frames + i * PIXELS, d->numbers, numbers + i * d->numbers);
    return rise_agent_step_all(w->agent, d->frame_width > 0 ? w->frames : NULL,
                               d->numbers > 0 ? numbers : NULL, w->rewards, w->events,
                               d->action_masks ? w->allowed : NULL, w->actions);
}
/* Runs some steps. Returns a hash of the actions. */
CHECK_UNUSED static uint64_t world_run(world *w, int steps)
{
    const rise_agent_desc *d = rise_agent_query(w->agent);
    uint64_t hash = HASH_START;
    int i;
    while (steps-- > 0) {
        world_move(w);
        CHECK(world_act(w) == RISE_OK);
        for (i = 0; i < d->environments; i++) {
            unsigned char const action = (unsigned char)w->actions[i];
            CHECK(w->actions[i] >= 0 && w->actions[i] < ACTIONS);
            CHECK(!d->action_masks || risei_event_is_last((int)w->events[i]) ||
                  w->allowed[i * ACTIONS + w->actions[i]] != 0);
            hash = hash_bytes(hash, &action, 1);
        }
    }
    return hash;
}
/* Returns a world with a new agent of this description after some steps. */
CHECK_UNUSED static world world_after(rise_agent_desc d, int steps)
{
    world w = world_of(created(&d));
    world_run(&w, steps);
    return w;
}
CHECK_UNUSED static world world_begin(const char *words, int steps)
{
    return world_after(described(words), steps);
}

CHECK_UNUSED static uint64_t hash_of(rise_agent *a)
{
    rise_metrics m;
    rise_agent_metrics(a, &m);
    return hash_reals(HASH_START, rise_agent_parameters(a), m.parameters);
}
/* Returns a hash of the parameters after `updates` updates. */
CHECK_UNUSED static uint64_t learned(const rise_agent_desc *d, int updates)
{
    rise_metrics m;
    world w = world_of(created(d));
    uint64_t hash;
    do {
        world_run(&w, 1);
        rise_agent_metrics(w.agent, &m);
    } while (m.updates < updates);
    CHECK(m.loss > 0 && m.gradient_norm > 0 && m.td_error > 0);
    hash = hash_of(w.agent);
    rise_agent_destroy(w.agent);
    return hash;
}

/* ---------------------------------------------------------------------------------------------- */
/* Files */

/* Returns a folder of files that tests read: what the environment variable says, or the folder
   `name` beside this header. */
CHECK_UNUSED static const char *folder_beside(const char *variable, const char *name)
{
    static char path[800];
    const char *const given = getenv(variable);
    const char *const slash = strrchr(__FILE__, '/');
    if (given != NULL) return given;
    snprintf(path, sizeof path, "%.*s%s", slash != NULL ? (int)(slash + 1 - __FILE__) : 0, __FILE__,
             name);
    return path;
}

/* A file in memory. */
typedef struct buffer {
    unsigned char *data;
    size_t size, at; /* at: bytes read so far */
    size_t room;     /* writing fails beyond it */
    size_t held;     /* bytes that buffer_write has allocated; 0: another function did */
} buffer;

static int buffer_write(void *user, const void *data, size_t size)
{
    buffer *const b = (buffer *)user;
    if (size > b->room - b->size) return 0;
    if (b->size + size >= b->held) {
        b->held = 2 * (b->size + size) + 64;
        b->data = (unsigned char *)realloc(b->data, b->held);
        if (b->data == NULL) exit(1);
    }
    memcpy(b->data + b->size, data, size);
    b->size += size;
    return 1;
}
static int buffer_read(void *user, void *data, size_t size)
{
    buffer *const b = (buffer *)user;
    if (size > b->size - b->at) return 0;
    memcpy(data, b->data + b->at, size);
    b->at += size;
    return 1;
}
/* Return and write an integer of 1 to 8 bytes at `at`, little-endian. */
CHECK_UNUSED static uint64_t get(const buffer *b, size_t at, int bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0) value = value << 8 | b->data[at + (size_t)bytes];
    return value;
}
CHECK_UNUSED static void put(buffer *b, size_t at, int bytes, uint64_t value)
{
    int i;
    for (i = 0; i < bytes; i++) b->data[at + (size_t)i] = (unsigned char)(value >> (8 * i) & 255u);
}
/* Returns a copy of exactly `size` bytes, for address sanitizers. Bytes beyond b->size are 0. */
CHECK_UNUSED static buffer copy_of(const buffer *b, size_t size)
{
    buffer c = {NULL, 0, 0, SIZE_MAX, 0};
    c.data = (unsigned char *)calloc(size > 0 ? size : 1, 1);
    if (c.data == NULL) exit(1);
    if (b->size > 0) memcpy(c.data, b->data, size < b->size ? size : b->size);
    c.size = size;
    return c;
}
CHECK_UNUSED static int same_buffers(const buffer *a, const buffer *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}
static buffer saved(const rise_agent *agent, rise_save what)
{
    buffer b = {NULL, 0, 0, SIZE_MAX, 0};
    rise_error error = {RISE_OK, ""};
    if (!CHECK(rise_agent_write(agent, what, buffer_write, &b, &error) == RISE_OK))
        printf("%s: %s\n", check_state.about, error.text);
    return b;
}
static rise_result load(rise_agent **agent, buffer *b, const rise_agent_desc *machine,
                        rise_error *error)
{
    b->at = 0;
    return rise_agent_read(agent, buffer_read, b, b->size, machine, error);
}
CHECK_UNUSED static rise_agent *loaded(buffer *b, const rise_agent_desc *machine)
{
    rise_agent *agent;
    rise_error error = {RISE_OK, ""};
    if (!CHECK(load(&agent, b, machine, &error) == RISE_OK)) {
        printf("%s: %s\n", check_state.about, error.text);
        exit(1);
    }
    return agent;
}
/* Checks that loading fails with `result`, that the error contains `word`, and that no memory stays
   allocated. With RISE_OK as `result`, both RISE_BAD_FILE and RISE_NEWER_FILE are right. */
CHECK_UNUSED static void load_refused(buffer *b, const rise_agent_desc *machine, rise_result result,
                                      const char *word)
{
    rise_agent *agent = (rise_agent *)b;
    rise_error error = {RISE_OK, ""};
    long const held = toy_memory.held;
    rise_result const got = load(&agent, b, machine, &error);
    CHECK(result != RISE_OK ? got == result : got == RISE_BAD_FILE || got == RISE_NEWER_FILE);
    CHECK(agent == NULL && error.result == got && error.text[0] != '\0');
    if (!CHECK(strstr(error.text, word) != NULL))
        printf("    \"%s\" does not say %s\n", error.text, word);
    if (got == RISE_OK) rise_agent_destroy(agent);
    CHECK(toy_memory.held == held);
}
/* Returns a hash of the agent's whole state without its players. */
CHECK_UNUSED static uint64_t state_of(const rise_agent *agent)
{
    buffer b = saved(agent, agent->desc.play_only ? RISE_SAVE_POLICY : RISE_SAVE_ALL);
    uint64_t const hash = hash_bytes(HASH_START, b.data, b.size);
    free(b.data);
    return hash;
}

#endif
