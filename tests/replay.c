/* Tests replay against an oracle that forgets nothing. The oracle keeps every moment of every game
   in plain arrays. Each time, it computes from these what replay may sample and what a sample
   must contain.
       cc -O2 tests/replay.c -o replay -lm && ./replay
   `./replay --all` tries every history of 12 events instead of 9, and plays all games instead of a
   third of them (a minute). */
#define RISE_IMPLEMENTATION
#include "../rise.h"
#include "check.h"

enum { LANES = 3, ACTIONS = 9, EMBEDDING = 3, MOST = 14, BATCH = 5, IMAGE = 4 * 5 * 2 * 4 };
enum { NUMBERS = 4 }; /* of an observation */

static int all;
static risei_random dice;
static long configurations, appends, compared, differences;
/* REF and the fastest kernels, looked up once because the lookup takes longer than their work */
static const rise_kernels *stackers[2];

/* ---------------------------------------------------------------------------------------------- */
/* The oracle */

typedef struct setup {
    rise_memory memory;
    int feed, stack, window, n, lanes, capacity;
    int length, end; /* frames of an episode (0: random); how it ends, see next_event */
    int width, height, channels; /* width 0: no frames */
} setup;

/* One frame of a game. Its lane, episode and step identify it. */
typedef struct moment {
    int lane, episode, step, action;
    rise_event event;
    float q[ACTIONS]; /* with an agent: the values that acting computed */
} moment;

typedef struct life {
    moment *at;
    int count, room, left; /* left: frames that this episode still has */
} life;

static life lives[LANES];

/* Mistakes seen in other implementations. The oracle makes them one by one, and each must show as a
   difference. */
typedef enum bug {
    NO_BUG,
    RESET_FRAME,  /* the frame after a truncation is taken from the next episode */
    GAMMA,        /* discount in place of discount^steps */
    TERMINAL,     /* a truncation does not bootstrap */
    CUT_UNSEEN,   /* an episode without a last event continues into the next one */
    REWARD_EARLY, /* sums the rewards that arrived with the frames acted upon */
    HASTY,        /* one known future step is enough */
    CROSSING,     /* stack and window reach into the previous episode */
    OVERWRITTEN,  /* stack and window reach across the write position */
    BUGS
} bug;
static const char *const bug_names[BUGS] = {"",         "reset frame", "gamma",
                                            "terminal", "cut unseen",  "reward early",
                                            "hasty",    "crossing",    "overwritten"};
static bug oracle_bug;

static void differ(const setup *s, const char *what, int lane, int at)
{
    if (differences++ > 0 || oracle_bug != NO_BUG) return;
    check_about("%s of slot %d in lane %d: memory %d feed %d stack %d window %d n %d lanes %d "
                "capacity %d length %d end %d",
                what, at, lane, (int)s->memory, s->feed, s->stack, s->window, s->n, s->lanes,
                s->capacity, s->length, s->end);
    CHECK(differences == 0);
}

static uint8_t pixel(const moment *m, int i)
{
    int const id[3] = {m->lane, m->episode, m->step};
    return (uint8_t)(1 + id[i % 3] + 16 * i); /* never 0, which marks what was never written */
}
static float number(const moment *m, int i)
{
    int const id[EMBEDDING] = {m->lane, m->episode, m->step};
    return (float)(1 + id[i]);
}
/* Returns number j of the observation. Some are far from the others. */
static float raw_of(const moment *m, int j)
{
    int const id[NUMBERS] = {m->step, m->lane, m->episode, m->step % 5 == 3 ? -4000 : m->step};
    return (float)(id[j] + 16 * j) / 2;
}
/* Returns what the network should read of this number. All sums are exact. */
static float standard_of(const risei_statistics *with, const moment *m, int j)
{
    double const z = ((double)raw_of(m, j) - (double)with->shift[j]) * (double)with->gain[j];
    return with->frozen ? (float)fmin(fmax(z, -8), 8) : raw_of(m, j);
}
/* Gives statistics a shift and a gain that round nothing. Number 2 is always clamped. */
static void standardise(risei_statistics *with)
{
    int j;
    with->frozen = 1;
    for (j = 0; j < NUMBERS; j++)
        with->shift[j] = (rise_real)(3 * j - 1), with->gain[j] = j == 2 ? 16 : (rise_real)0.25;
}
static float reward_of(const moment *m)
{
    return (float)(1 + m->lane + 4 * m->step + 64 * m->episode);
}
static int may(const moment *m, int action)
{
    return (m->lane + 2 * m->episode + m->step + action) % 3 != 0;
}

static int together(const life *l, int a, int b)
{
    return a >= 0 && b >= 0 && a < l->count && b < l->count && l->at[a].episode == l->at[b].episode;
}
static int ended(const life *l, int at)
{
    return l->at[at].event >= RISE_TERMINATED ||
           (at + 1 < l->count && l->at[at + 1].event == RISE_FIRST && oracle_bug != CUT_UNSEEN);
}
/* Returns the frame `back` places before `at` in a stack; before the episode, its first frame. */
static int stacked(const life *l, int at, int back)
{
    if (oracle_bug == CROSSING && at >= back) return at - back;
    return together(l, at, at - back) ? at - back : at - l->at[at].step;
}
/* Returns the oldest moment that learning from `at` reads. */
static int oldest(const setup *s, const life *l, int at)
{
    int const frames = s->memory == RISE_MEMORY_NONE ? 1 : s->window;
    int first = at, w, b;
    for (w = 0; w < frames && together(l, at, at - w); w++) {
        for (b = 0; b < s->stack && (w == 0 || s->memory == RISE_MEMORY_FULL); b++)
            if (stacked(l, at - w, b) < first) first = stacked(l, at - w, b);
        if (s->memory == RISE_MEMORY_NONE) continue;
        if (at - w < first) first = at - w;
        if (s->feed && together(l, at, at - w - 1) && at - w - 1 < first) first = at - w - 1;
    }
    return first;
}

typedef struct answer {
    int sampleable, steps, next;
    double reward, discount;
} answer;

static answer ask(const setup *s, const life *l, int at)
{
    answer a;
    memset(&a, 0, sizeof a);
    if (at < 0 || ended(l, at)) return a;
    for (a.steps = 1, a.discount = 0.5;; a.steps++, a.discount *= 0.5) {
        a.next = at + a.steps;
        if (a.next >= l->count && !(oracle_bug == HASTY && a.steps > 1)) return a;
        if (a.next >= l->count) break;
        a.reward += 2 * a.discount *
                    (double)reward_of(&l->at[oracle_bug == REWARD_EARLY ? a.next - 1 : a.next]);
        if (a.steps == s->n || ended(l, a.next)) break;
    }
    a.sampleable = oracle_bug == OVERWRITTEN ? at >= l->count - s->capacity
                                             : oldest(s, l, at) >= l->count - s->capacity;
    if (a.next >= l->count) return a;
    if (oracle_bug == GAMMA) a.discount = 0.5;
    if (l->at[a.next].event == RISE_TERMINATED) a.discount = 0;
    if (oracle_bug == TERMINAL && ended(l, a.next)) a.discount = 0;
    if (oracle_bug == RESET_FRAME && ended(l, a.next) && a.discount > 0 && a.next + 1 < l->count)
        a.next++;
    return a;
}

/* Returns whether the image is the stack of slot `at`, or all zeros if `at` is -1. The padding must
   be zero. */
static int same_stack(const setup *s, const life *l, int at, const risei_image *image,
                      const float *seen)
{
    int const pad = image->padding, high = s->height + 2 * pad, wide = s->width + 2 * pad;
    int const pixels = s->channels * s->stack;
    int y, x, p, c;
    compared += high * wide * pixels;
    for (p = 0; p < s->stack; p++) {
        const moment *m = at >= 0 ? &l->at[stacked(l, at, s->stack - 1 - p)] : NULL;
        for (y = 0; y < high; y++)
            for (x = 0; x < wide; x++)
                for (c = 0; c < s->channels; c++) {
                    int const inside = m != NULL && y >= pad && x >= pad && y < high - pad &&
                                       x < wide - pad;
                    int const i = ((y - pad) * s->width + x - pad) * s->channels + c;
                    float const right = inside ? (float)pixel(m, i) * (1.0f / 255.0f) : 0;
                    if (seen[(y * wide + x) * pixels + p * s->channels + c] != right) return 0;
                }
    }
    return 1;
}
/* Returns whether x is the stack of numbers of slot `at`, or all zeros if `at` is -1. */
static int same_numbers(const setup *s, const life *l, int at, const risei_statistics *with,
                        const rise_real *x)
{
    int p, j;
    compared += s->stack * NUMBERS;
    for (p = 0; p < s->stack; p++) {
        const moment *m = at >= 0 ? &l->at[stacked(l, at, s->stack - 1 - p)] : NULL;
        for (j = 0; j < NUMBERS; j++)
            if (x[p * NUMBERS + j] != (m != NULL ? standard_of(with, m, j) : 0)) return 0;
    }
    return 1;
}
/* Returns whether x is the cell's input at slot `at`, or all zeros if `at` is -1. `size` is 0 where
   the network computes the embedding. If `with` is NULL, the input has no numbers. */
static int same_input(const life *l, int at, int size, const risei_statistics *with, int extras,
                      const rise_real *x)
{
    int i;
    for (i = 0; i < size; i++)
        if (x[i] != (at < 0 ? 0 : number(&l->at[at], i))) return 0;
    for (x += size, i = 0; with != NULL && i < NUMBERS; i++)
        if (*x++ != (at < 0 ? 0 : standard_of(with, &l->at[at], i))) return 0;
    for (i = 0; i < extras; i++) {
        int const later = at >= 0 && l->at[at].step > 0;
        float const reward = later ? reward_of(&l->at[at]) : 0;
        float const taken = later && l->at[at - 1].action == i ? 1.0f : 0;
        if (x[i] != (i == extras - 1 ? reward : taken)) return 0;
    }
    compared += size + extras;
    return 1;
}
static int same_masks(const risei_history *h, const life *l, int lane, int at)
{
    int i;
    compared += ACTIONS;
    for (i = 0; i < ACTIONS; i++)
        if (risei_mask_allows(risei_history_mask(h, risei_history_slot(h, lane, at)), i) !=
            may(&l->at[at], i))
            return 0;
    return 1;
}

/* Returns whether the stack that starts at frames[0], as the first layer reads it, is that of slot
   `at`, or all zeros if `at` < 0. */
static int same_frames(const setup *s, const life *l, int at, const rise_kernels *k,
                       const uint8_t *const *frames)
{
    risei_image const image = risei_image_make(s->height, s->width, s->channels * s->stack, at & 1);
    rise_frame_scale const scale = {NULL, 1.0f / 255.0f, 8};
    risei_encoder_input input;
    rise_real seen[IMAGE];
    if (s->width == 0) return 1;
    input.images = NULL, input.frames = frames, input.stack = s->stack, input.scale = &scale;
    memset(seen, 1, sizeof seen); /* memory that is not zeroed */
    risei_encoder_input_convert(k, &input, 0, 1, &image, seen);
    return same_stack(s, l, at, &image, seen);
}

/* What to compare: which slots can be sampled, their transitions, and what learning reads of
   them. */
enum { LEAVES, TRANSITIONS, CONTENTS };

/* The statistics that the tests without an agent use. Every second time, they are frozen. */
static rise_real known_shift[NUMBERS], known_gain[NUMBERS];
static risei_statistics known = {NUMBERS, 0, 0, NULL, NULL, known_shift, known_gain};

/* Compares the numbers that learning reads of a state and of the next one. */
static void look_into_numbers(const setup *s, const risei_history *h, int lane, int at, int next)
{
    rise_real out[RISEI_STACK_MAX * NUMBERS + 1];
    int i;
    if (h->numbers == 0) return;
    standardise(&known);
    known.frozen = at / 2 % 2;
    for (i = 0; i < 2; i++) {
        out[s->stack * NUMBERS] = 77;
        risei_history_stack_numbers(h, &known, lane, i == 0 ? at : next, s->stack, out);
        if (!same_numbers(s, &lives[lane], i == 0 ? at : next, &known, out) ||
            out[s->stack * NUMBERS] != 77)
            differ(s, "stack of numbers", lane, at);
    }
}
static void look_into(const setup *s, const risei_replay *r, int lane, int at, const answer *a,
                      int closely)
{
    const rise_kernels *const k = stackers[at % 2];
    const uint8_t *frames[RISEI_STACK_MAX];
    const risei_history *h = &r->history;
    const life *l = &lives[lane];
    risei_transition const t = risei_replay_transition(r, risei_history_slot(h, lane, at));
    rise_real x[EMBEDDING + NUMBERS + ACTIONS + 1];
    const risei_statistics *const with = s->memory == RISE_MEMORY_RISE ? &known : NULL;
    int const extras = s->feed ? ACTIONS + 1 : 0;
    int w;
    compared += 6;
    if (t.lane != lane || t.at != at || t.action != l->at[at].action)
        differ(s, "identity", lane, at);
    if (t.steps != a->steps) differ(s, "steps", lane, at);
    if ((double)t.reward != a->reward || (double)t.discount != a->discount)
        differ(s, "return", lane, at);
    if (closely < CONTENTS || a->next >= l->count) return;
    risei_history_stack(h, lane, t.at, s->stack, frames);
    if (!same_frames(s, l, at, k, frames)) differ(s, "stack", lane, at);
    risei_history_stack(h, lane, t.at + t.steps, s->stack, frames);
    if (!same_frames(s, l, a->next, k, frames)) differ(s, "next stack", lane, at);
    look_into_numbers(s, h, lane, at, a->next);
    if (!same_masks(h, l, lane, at) || !same_masks(h, l, lane, a->next))
        differ(s, "masks", lane, at);
    for (w = a->next; w > at - s->window && together(l, at, w) && s->memory != RISE_MEMORY_NONE;
         w--) {
        risei_history_input(stackers[1], h, lane, w, h->numbers > 0 ? with : NULL, extras, x);
        if (!same_input(l, w, h->embedding_size, h->numbers > 0 ? with : NULL, extras, x))
            differ(s, "input", lane, at);
    }
}
/* Compares all slots of a lane: replay and oracle can sample the same slots. */
static void look(const setup *s, const risei_replay *r, int lane, int closely)
{
    const life *l = &lives[lane];
    int at;
    for (at = l->count - s->capacity; at < l->count; at++) {
        answer const a = ask(s, l, at);
        compared++;
        if (at < 0) { /* not yet written */
            if (r->tree[(ptrdiff_t)lane * s->capacity + at + s->capacity] != 0)
                differ(s, "unwritten leaf", lane, at);
        } else if ((r->tree[risei_history_slot(&r->history, lane, at)] > 0) != (a.sampleable != 0))
            differ(s, "leaf", lane, at);
        else if (a.sampleable && closely > LEAVES)
            look_into(s, r, lane, at, &a, closely);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Games */

static int below(int n) { return risei_random_below(&dice, n); }

/* Returns the next event. `end` 0: terminated, 1: truncated, 2: cut by an early first frame, 3: all
   of these. An episode of one frame can only be cut. */
static rise_event next_event(const setup *s, int lane)
{
    life *l = &lives[lane];
    int const end = s->end < 3 ? s->end : below(3), first = l->left == 0;
    if (first)
        l->left = s->length == 0 ? 1 + below(6)
                  : l->count > 0 ? s->length
                                 : 1 + (s->length - 1 + lane) % s->length;
    l->left--;
    if (first) return RISE_FIRST;
    return l->left > 0 || end == 2 ? RISE_MIDDLE : end == 0 ? RISE_TERMINATED : RISE_TRUNCATED;
}
static moment *remember(int lane, rise_event event)
{
    life *l = &lives[lane];
    const moment *before;
    moment *m;
    if (l->count == l->room) {
        l->room = 2 * l->room + 64;
        l->at = (moment *)realloc(l->at, (size_t)l->room * sizeof *l->at);
        if (l->at == NULL) exit(1);
    }
    before = l->at + l->count - 1;
    m = &l->at[l->count];
    memset(m, 0, sizeof *m);
    m->lane = lane, m->event = event;
    m->episode = l->count == 0 ? 0 : before->episode + (event == RISE_FIRST);
    m->step = event == RISE_FIRST ? 0 : before->step + 1;
    m->action = event >= RISE_TERMINATED ? 0
                                         : (m->lane + 3 * m->episode + 5 * m->step + 1) % ACTIONS;
    l->count++;
    return m;
}
static void forget(void)
{
    int lane;
    for (lane = 0; lane < LANES; lane++) lives[lane].count = lives[lane].left = 0;
}
static void show(const setup *s, const moment *m, uint8_t *frame, float *raw,
                 rise_real *embedding, uint8_t *allowed)
{
    int i;
    for (i = 0; i < NUMBERS; i++) raw[i] = raw_of(m, i);
    for (i = 0; i < s->width * s->height * s->channels; i++) frame[i] = pixel(m, i);
    for (i = 0; i < EMBEDDING; i++) embedding[i] = number(m, i);
    for (i = 0; i < ACTIONS; i++) allowed[i] = (uint8_t)(may(m, i) ? 200 : 0);
}
/* Appends one event without an agent. The reward of a first frame is NaN, because it must be
   ignored. */
static void live(const setup *s, risei_replay *r, int lane, rise_event event)
{
    const moment *m = remember(lane, event);
    uint8_t frame[64], allowed[ACTIONS];
    float raw[NUMBERS];
    rise_real embedding[EMBEDDING];
    risei_observation o;
    ptrdiff_t slot;
    show(s, m, frame, raw, embedding, allowed);
    o.frame = frame, o.numbers = raw, o.embedding = embedding, o.allowed = allowed;
    o.reward = event == RISE_FIRST ? (float)NAN : reward_of(m), o.event = (int)event;
    risei_replay_append(r, lane, &o, ACTIONS);
    /* Last frames have no action. Equal runs save equal bytes only if these slots forget their old
       actions. */
    slot = risei_history_newest(&r->history, lane);
    if (r->history.actions[slot] != 0) differ(s, "old action", lane, lives[lane].count - 1);
    r->history.actions[slot] = (int16_t)m->action;
    appends++;
}

static setup plain(int capacity, int stack, int n)
{
    setup s;
    memset(&s, 0, sizeof s);
    s.memory = RISE_MEMORY_NONE;
    s.stack = stack, s.window = 1, s.n = n, s.lanes = 1, s.capacity = capacity, s.end = 3;
    s.width = 2, s.height = 1, s.channels = 2;
    return s;
}
/* Creates a replay in a block of exactly its size. With `f32`, embeddings are 32-bit floats. */
static unsigned char *make(const setup *s, risei_replay *r, int f32, size_t *bytes)
{
    rise_agent_desc d;
    risei_arena arena;
    unsigned char *block;
    memset(&d, 0, sizeof d);
    memset(r, 0, sizeof *r);
    memset(&arena, 0, sizeof arena);
    d.memory = s->memory, d.frame_stack = s->stack, d.window = s->window, d.window_samples = 1,
    d.feed_action = s->feed;
    r->reach = risei_replay_reach(&d);
    r->n_step = s->n;
    r->discount = 0.5; /* makes all sums exact */
    r->history.lanes = s->lanes, r->history.capacity = s->capacity;
    r->history.frame_bytes = s->width * s->height * s->channels;
    r->history.embedding_size = s->memory == RISE_MEMORY_RISE ? EMBEDDING : 0;
    r->history.f32 = f32;
    r->history.numbers = NUMBERS;
    r->history.mask_bytes = (ACTIONS + 7) / 8;
    r->history.restart = risei_replay_restart(1);
    risei_replay_layout(&arena, r);
    block = (unsigned char *)malloc(arena.used);
    if (block == NULL) exit(1);
    if (bytes != NULL) *bytes = arena.used;
    memset(&arena, 0, sizeof arena);
    arena.base = block;
    risei_replay_layout(&arena, r);
    configurations++;
    forget();
    return block;
}

/* ---------------------------------------------------------------------------------------------- */
/* All small cases */

/* Tries every history of `depth` more events, depth first. Replay is restored after each. */
static void every_history(const setup *s, risei_replay *r, unsigned char *block, size_t bytes,
                          int depth)
{
    risei_replay const before = *r;
    const life *l = &lives[0];
    int const over = l->count == 0 || l->at[l->count - 1].event >= RISE_TERMINATED;
    unsigned char saved[2048];
    int event;
    memcpy(saved, block, bytes <= sizeof saved ? bytes : 0);
    for (event = RISE_FIRST; event <= (over ? RISE_FIRST : RISE_TRUNCATED); event++) {
        live(s, r, 0, (rise_event)event);
        look(s, r, 0, TRANSITIONS);
        if (depth > 1) every_history(s, r, block, bytes, depth - 1);
        lives[0].count--;
        memcpy(block, saved, bytes <= sizeof saved ? bytes : 0);
        *r = before;
    }
}
static void histories_case(int depth)
{
    int capacity, stack, n;
    for (capacity = 1; capacity <= 7; capacity++)
        for (stack = 1; stack <= 4; stack++)
            for (n = 1; n <= 4; n++) {
                setup const s = plain(capacity, stack, n);
                risei_replay r;
                size_t bytes;
                unsigned char *block = make(&s, &r, 0, &bytes);
                CHECK(bytes <= 2048);
                every_history(&s, &r, block, bytes, depth);
                free(block);
            }
    CHECK(differences == 0);
}

/* Plays a game until the ring was overwritten twice. Compares after each frame which slots can be
   sampled, and each seventh time everything. */
static void play(const setup *s, int f32)
{
    int const ticks = 3 * s->capacity + 2;
    risei_replay r;
    unsigned char *block = make(s, &r, f32, NULL);
    int tick, lane;
    for (tick = 0; tick < ticks; tick++)
        for (lane = 0; lane < s->lanes; lane++) {
            live(s, &r, lane, next_event(s, lane));
            look(s, &r, lane, (tick + lane) % 7 == 0 ? CONTENTS : LEAVES);
        }
    free(block);
}
typedef void (*setup_fn)(const setup *s, int turn);

/* Calls fn for each kind of memory with each stack, window and n. NONE has no window and feeds no
   actions. */
static void each_reader(setup_fn fn)
{
    setup s = plain(1, 1, 1);
    int kind, turn = 0;
    for (kind = 0; kind < 5; kind++)
        for (s.stack = 1; s.stack <= 4; s.stack++)
            for (s.window = 1; s.window <= (kind == 0 ? 1 : 5); s.window++)
                for (s.n = 1; s.n <= 4; s.n++) {
                    s.memory = kind == 0  ? RISE_MEMORY_NONE
                               : kind < 3 ? RISE_MEMORY_RISE
                                          : RISE_MEMORY_FULL;
                    s.feed = kind > 0 && kind % 2 == 0;
                    if (turn++ % check_share == 0) fn(&s, turn - 1);
                }
}
/* Plays a third of all games with each reader, a different third with the next reader; or all
   games. */
static void each_game(const setup *reader, int turn)
{
    setup s = *reader;
    for (s.capacity = 1; s.capacity <= MOST; s.capacity++)
        for (s.length = 0; s.length <= 6; s.length++)
            for (s.end = s.length == 1 ? 3 : 0; s.end <= 3; s.end++) {
                s.lanes = 1 + ++turn / 3 % LANES;
                if (all || turn % 3 == 0) play(&s, turn % 2);
            }
}

/* ---------------------------------------------------------------------------------------------- */
/* Agents: learning gathers what the oracle says, and computes what acting computed */

static void embed(void *user, const uint8_t *frame, float *embedding, int size)
{
    int i;
    (void)user;
    /* the same as number() */
    for (i = 0; i < size; i++) embedding[i] = (float)(uint8_t)(frame[i] - 16 * i);
}
static rise_agent_desc describe(const setup *s, int turn)
{
    rise_agent_desc d;
    memset(&d, 0, sizeof d);
    d.frame_width = s->width, d.frame_height = s->height, d.frame_channels = s->channels,
    d.frame_stack = s->stack;
    d.actions = ACTIONS, d.action_masks = 1, d.environments = s->lanes;
    d.memory = s->memory, d.window = s->window, d.window_samples = 1, d.feed_action = s->feed;
    d.cell = turn % 2 ? RISE_CELL_GRU : RISE_CELL_LSTM;
    d.fusion = (rise_fusion)(turn % 3);
    d.recurrent_units = 3, d.head_units = 3, d.features = 2;
    d.embedding = RISE_EMBED_USER, d.embed_fn = embed, d.embedding_size = EMBEDDING,
    d.embedding_f32 = turn / 2 % 2;
    d.network = RISE_NETWORK_CUSTOM, d.conv_count = 1;
    d.conv[0].filters = 2, d.conv[0].size = 2, d.conv[0].pad = turn % 2;
    d.carry_state = turn % 7 == 3;
    d.numbers = turn % 5 < 3 || s->width == 0 ? NUMBERS : 0, d.number_features = 3;
    if (s->width == 0) {
        d.network = RISE_NETWORK_AUTO, d.conv_count = 0;
        d.embedding = RISE_EMBED_AUTO, d.embed_fn = NULL;
    }
    d.batch = s->lanes * s->capacity < BATCH ? 3 : BATCH, d.n_step = s->n, d.discount = 0.5;
    d.replay_capacity = s->lanes * s->capacity, d.learn_start = d.batch, d.learn_outside = 1;
    d.epsilon_start = d.epsilon_end = 0.5;
    return d;
}
/* Returns whether image `image` of the encoder's input is that of slot `at`, or all zeros if `at`
   is -1. */
static int same_image(const setup *s, const rise_agent *a, const life *l, int at, ptrdiff_t image)
{
    const risei_model *m = &a->model;
    return same_frames(s, l, at, m->device.kernels, m->frames + image * s->stack) &&
           (a->desc.numbers == 0 ||
            same_numbers(s, l, at, &a->numbers, m->numbers + image * m->net.encoder.numbers.in));
}
/* Compares one row of a batch with the oracle. Before its window starts, a row has no entries, or
   zeros. */
static void gathered(const setup *s, const rise_agent *a, int row, int lane, int at,
                     const answer *e)
{
    const life *l = &lives[lane];
    const risei_net *const n = &a->model.net;
    const risei_sequence *q = &a->model.pass.sequence;
    const risei_statistics *const with = n->numbers > 0 ? &a->numbers : NULL;
    int const full = s->memory == RISE_MEMORY_FULL, batch = a->desc.batch;
    int const features = full ? n->embedding : 0;
    int j, first = 0, wrong = 0;
    if (!full && !same_image(s, a, l, at, row)) differ(s, "gathered stack", lane, at);
    if (!full && !same_image(s, a, l, e->next, batch + row))
        differ(s, "gathered next stack", lane, at);
    if (s->memory == RISE_MEMORY_NONE) return;
    if (q->steps != s->window + s->n || q->rows != batch)
        differ(s, "shape of the window", lane, at);
    for (j = 0; j < q->steps; j++) {
        int const then = at - (s->window - 1) + j;
        int const there = oracle_bug == CROSSING ? then >= 0 : together(l, at, then);
        int const from = there && then <= e->next ? then : -1;
        ptrdiff_t const entry = q->begin[j] + row;
        if (from < 0 && then <= at) first = j + 1;
        if (row >= risei_sequence_active(q, j)) {
            wrong += from >= 0;
            continue;
        }
        wrong += !same_input(l, from, n->cell.in - features - n->numbers - n->extras, with,
                             n->extras, q->x + entry * n->cell.in + features);
        wrong += full && !same_image(s, a, l, from, entry);
    }
    if (wrong > 0) differ(s, "gathered window", lane, at);
    if (q->start[row] != first) differ(s, "start of the window", lane, at);
}
/* Compares Q of states and of next states with those of acting, bit for bit. `alone` [row][ACTIONS]
   holds Q of next states after a window of their own, as the target network computes them. Q of
   next states after the states' window is compared only where both windows start at the episode's
   first frame. */
static void remembered(const setup *s, const rise_agent *a, int row, int lane, int at,
                       const answer *e, const rise_real *alone)
{
    const life *l = &lives[lane];
    int const batch = a->desc.batch, recurrent = s->memory != RISE_MEMORY_NONE;
    int const carry = a->desc.carry_state;
    compared += 3 * ACTIONS;
    if (!(recurrent && carry && l->at[e->next].step >= s->window) &&
        memcmp(alone + row * ACTIONS, l->at[e->next].q, sizeof l->at[at].q) != 0)
        differ(s, "next Q alone", lane, at);
    if (recurrent && carry && l->at[at].step >= s->window) return;
    if (memcmp(a->model.pass.heads.q + row * ACTIONS, l->at[at].q, sizeof l->at[at].q) != 0)
        differ(s, "Q", lane, at);
    if (recurrent && l->at[e->next].step >= s->window) return;
    if (memcmp(a->model.pass.heads.q + (batch + row) * ACTIONS, l->at[e->next].q,
               sizeof l->at[at].q) != 0)
        differ(s, "next Q", lane, at);
}
static void gather(const setup *s, rise_agent *a)
{
    rise_real target[BATCH * ACTIONS];
    int row, strange = 0;
    risei_batch_draw(&a->learner.batch, &a->replay, &dice);
    risei_learner_gather(&a->learner);
    for (row = 0; row < a->desc.batch; row++) {
        answer const e = ask(s, &lives[a->learner.batch.transition[row].lane],
                             (int)a->learner.batch.transition[row].at);
        strange += !e.sampleable;
        if (e.sampleable)
            gathered(s, a, row, a->learner.batch.transition[row].lane,
                     (int)a->learner.batch.transition[row].at, &e);
    }
    if (strange > 0) differ(s, "drawn", 0, 0);
    if (strange > 0 || oracle_bug != NO_BUG) return;
    /* as the target network is run */
    risei_learner_forward(&a->learner, RISEI_USE_TARGET, a->desc.batch, 2 * a->desc.batch);
    memcpy(target, a->model.pass.heads.q, (size_t)(a->desc.batch * ACTIONS) * sizeof *target);
    risei_learner_forward(&a->learner, RISEI_USE_LEARN, 0, 2 * a->desc.batch);
    for (row = 0; row < a->desc.batch; row++) {
        answer const e = ask(s, &lives[a->learner.batch.transition[row].lane],
                             (int)a->learner.batch.transition[row].at);
        remembered(s, a, row, a->learner.batch.transition[row].lane,
                   (int)a->learner.batch.transition[row].at, &e, target);
    }
}
static void play_agent(const setup *s, int turn)
{
    rise_agent_desc const d = describe(s, turn);
    int const bytes = s->width * s->height * s->channels;
    uint8_t frames[LANES * 16], allowed[LANES * ACTIONS];
    float rewards[LANES], raw[LANES * NUMBERS];
    rise_event events[LANES];
    rise_real embedding[EMBEDDING];
    rise_error error;
    rise_agent *a;
    int actions[LANES], tick, lane, episodes = 0;
    if (!CHECK(rise_agent_create(&a, &d, &error) == RISE_OK)) return;
    configurations++;
    forget();
    if (d.numbers > 0 && turn % 2) standardise(&a->numbers);
    for (tick = 0; tick < 2 * s->capacity + 6; tick++) {
        for (lane = 0; lane < s->lanes; lane++) {
            const moment *m = remember(lane, next_event(s, lane));
            show(s, m, frames + lane * bytes, raw + lane * NUMBERS, embedding,
                 allowed + lane * ACTIONS);
            events[lane] = m->event;
            rewards[lane] = m->event == RISE_FIRST ? (float)NAN : reward_of(m);
        }
        if (rise_agent_step_all(a, bytes > 0 ? frames : NULL, d.numbers > 0 ? raw : NULL, rewards,
                                events, allowed, actions) != RISE_OK)
            differ(s, "a refused step", 0, tick);
        for (lane = 0; lane < s->lanes; lane++) {
            moment *m = &lives[lane].at[lives[lane].count - 1];
            m->action = actions[lane];
            memcpy(m->q, a->model.pass.heads.q + lane * ACTIONS, sizeof m->q);
            if (m->event < RISE_TERMINATED && !may(m, m->action))
                differ(s, "an action that is not allowed", lane, tick);
            look(s, &a->replay, lane, tick % 3 == 0 ? CONTENTS : TRANSITIONS);
        }
        appends += s->lanes;
        if (a->replay.ready > 0) gather(s, a);
    }
    for (lane = 0; lane < s->lanes; lane++)
        for (tick = 0; tick < lives[lane].count; tick++) episodes += ended(&lives[lane], tick);
    if (oracle_bug == NO_BUG && a->actor.episodes != episodes)
        differ(s, "number of episodes", 0, tick);
    rise_agent_destroy(a);
}
/* Plays agents with each reader, with the smallest replay and with a larger one. The games differ
   from one reader to the next. */
static void each_agent(const setup *reader, int turn)
{
    setup s = *reader;
    rise_agent_desc const d = describe(&s, 0);
    int more;
    turn += turn / 4; /* so that n does not decide the rest */
    for (more = 0; more <= 1; more++, turn++) {
        s.width = turn % 4 == 3 ? 0 : 3, s.height = s.width * 2 / 3;
        s.channels = 1 + turn % 2;
        s.capacity = more ? MOST : risei_replay_reach(&d) + s.n + 2;
        s.lanes = 1 + turn % LANES;
        s.end = turn % 5 % 4, s.length = s.end == 3 ? 0 : 2 + turn % 5;
        play_agent(&s, turn);
    }
}

/* Makes each mistake once, in a game where it shows. */
static void known_mistakes_are_noticed(void)
{
    setup s = plain(9, 3, 3);
    int i;
    s.memory = RISE_MEMORY_RISE, s.window = 3;
    s.width = 3, s.height = 2;
    for (i = NO_BUG; i < BUGS; i++) {
        oracle_bug = (bug)i;
        differences = 0;
        play(&s, 0);
        check_about("without an agent: %s", bug_names[i]);
        CHECK((differences > 0) == (i != NO_BUG));
    }
    for (i = 0; i < 3; i++) {
        oracle_bug = i == 0 ? NO_BUG : i == 1 ? CROSSING : RESET_FRAME;
        differences = 0;
        play_agent(&s, 0);
        check_about("gathered by an agent: %s", bug_names[oracle_bug]);
        CHECK((differences > 0) == (oracle_bug != NO_BUG));
    }
    oracle_bug = NO_BUG;
    differences = 0;
    check_about("%s", "");
}

/* ---------------------------------------------------------------------------------------------- */
/* Priorities */

/* Returns the sum of the leaves as a binary tree adds them; leaves from `count` on are 0. */
static double binary_sum(const double *leaf, int64_t width, int64_t count)
{
    if (count <= 0) return 0;
    return width == 1 ? leaf[0]
                      : binary_sum(leaf, width / 2, count) +
                            binary_sum(leaf + width / 2, width / 2, count - width / 2);
}
static ptrdiff_t tree_slots(const risei_replay *r)
{
    return (ptrdiff_t)r->history.lanes * r->history.capacity;
}
/* Returns whether each entry is the sum of its leaves, bit for bit in the order of a binary tree,
   and `ready` counts the leaves. */
static int tree_sound(const risei_replay *r)
{
    ptrdiff_t const slots = tree_slots(r);
    int64_t ready = 0, width = 1;
    ptrdiff_t i;
    int l;
    for (l = 0; l < r->levels; l++, width *= 8)
        for (i = 0; i * width < slots; i++)
            if (r->tree[r->level[l] + i] !=
                binary_sum(r->tree + i * width, width, slots - i * width))
                return 0;
    for (i = 0; i < slots; i++) {
        if (!(r->tree[i] >= 0 && r->tree[i] <= DBL_MAX)) return 0;
        ready += r->tree[i] > 0;
    }
    return ready == r->ready;
}
static double leaf(const risei_replay *r, ptrdiff_t slot) { return r->tree[slot]; }
static ptrdiff_t tree_find(const risei_replay *r, double mass)
{
    ptrdiff_t found;
    risei_replay_tree_find(r, 1, &mass, &found);
    return found;
}

/* Whole numbers are summed without rounding, so each whole or half mass has exactly one right
   leaf. */
static void tree_finds_every_leaf_exactly(void)
{
    int slots, i, mass;
    for (slots = 1; slots <= 80; slots++) {
        setup const s = plain(slots, 1, 1);
        risei_replay r;
        unsigned char *block = make(&s, &r, 0, NULL);
        int sum = 0, wrong = 0;
        for (i = 0; i < slots; i++) risei_replay_tree_set(&r, i, i % 3 == 1 ? 0 : i % 5 + 1);
        for (i = 0; i < slots; i++) {
            int const share = (int)leaf(&r, i);
            for (mass = 2 * sum; mass < 2 * (sum + share); mass++)
                wrong += tree_find(&r, mass / 2.0) != i;
            sum += share;
        }
        CHECK(wrong == 0 && risei_replay_tree_total(&r) == sum && tree_sound(&r));
        for (i = 0; i < slots; i++) risei_replay_tree_set(&r, i, 0);
        CHECK(r.ready == 0 && risei_replay_tree_total(&r) == 0);
        for (i = 0; i < slots; i++) { /* a single leaf is found by any mass */
            risei_replay_tree_set(&r, i, 0.1);
            CHECK(tree_find(&r, 0) == i && tree_find(&r, 0.1) == i && tree_find(&r, 0.05) == i);
            risei_replay_tree_set(&r, i, 0);
        }
        free(block);
    }
}
/* Each level begins behind the one below, in whole nodes of eight entries, and the arena has no
   byte more than its arrays. */
static void tree_has_no_room_to_spare(void)
{
    int slots, l;
    for (slots = 1; slots <= 600; slots++) {
        setup const s = plain(slots, 1, 1);
        size_t const count = (size_t)slots, frame = (size_t)(s.width * s.height * s.channels);
        risei_replay r;
        size_t bytes, right = risei_arena_aligned(sizeof(int64_t)); /* written */
        ptrdiff_t width = slots, at = 0;
        unsigned char *block = make(&s, &r, 0, &bytes);
        for (l = 0; l < r.levels; l++) {
            CHECK(r.level[l] == at);
            at += width + (8 - width % 8) % 8;
            CHECK((width == 1) == (l == r.levels - 1));
            width = width / 8 + (width % 8 > 0);
        }
        right += risei_arena_aligned(count * frame) + risei_arena_aligned(count * sizeof(float)) +
                 risei_arena_aligned(count * sizeof(int16_t)) + risei_arena_aligned(count) +
                 risei_arena_aligned(count * sizeof(int32_t)) +
                 risei_arena_aligned(count * (size_t)r.history.mask_bytes) +
                 risei_arena_aligned(count * (size_t)r.history.numbers * sizeof(rise_real)) +
                 (size_t)at * sizeof(double);
        CHECK(bytes == right);
        free(block);
    }
}
/* No mass finds a leaf of 0 or a slot outside of the tree, although sums of priorities over sixteen
   decades are rounded. Two of three priorities are set to 0. Masses include those that rounding
   moves furthest. */
static void tree_survives_rounding(void)
{
    setup const s = plain(1000, 1, 1);
    risei_replay r;
    unsigned char *block = make(&s, &r, 0, NULL);
    long draw, zero = 0, outside = 0;
    double sum = 0;
    int i, unsound = 0;
    for (draw = 0; draw < 10000000 / check_share; draw++) {
        double const total = risei_replay_tree_total(&r);
        double mass;
        ptrdiff_t slot;
        if (draw % 50 == 0) {
            int const at = below(s.capacity);
            risei_replay_tree_set(&r, at,
                                  below(3) > 0 && r.ready > 1
                                      ? 0
                                      : (1 + (double)risei_random_uniform(&dice)) *
                                            pow(10, below(17) - 8));
            if (draw % 100000 == 0) unsound += !tree_sound(&r);
            continue;
        }
        switch (draw % 8) {
        case 0: mass = 0; break;
        case 1: mass = total * (1 - 1.0 / 16777216); break;
        case 2: mass = total * (1 - DBL_EPSILON / 2); break;
        case 3: mass = total; break;
        case 4: mass = nextafter(total, 0); break;
        /* the first mass in the right half */
        case 5: mass = binary_sum(r.tree, 512, 512); break;
        case 6: mass = (31 + (1 - 1.0 / 16777216)) * (total / 32); break;
        default: mass = (double)risei_random_uniform(&dice) * total; break;
        }
        slot = tree_find(&r, mass);
        if (slot < 0 || slot >= s.capacity)
            outside++;
        else
            zero += !(leaf(&r, slot) > 0);
    }
    for (i = 0; i < s.capacity; i++) sum += leaf(&r, i);
    CHECK(zero == 0 && outside == 0 && unsound == 0 && r.ready > 100);
    CHECK_NEAR(sum, risei_replay_tree_total(&r), 1e-12);
    free(block);
}

/* Plays three games for two wraps, gives each transition its own priority, and plays some more
   frames. */
static unsigned char *played(setup *s, risei_replay *r)
{
    unsigned char *block;
    rise_real td, work;
    int tick, lane, slot;
    *s = plain(40, 2, 3);
    s->lanes = 3;
    block = make(s, r, 0, NULL);
    for (tick = 0; tick < 95; tick++) {
        for (lane = 0; lane < s->lanes; lane++) live(s, r, lane, next_event(s, lane));
        for (slot = 0; slot < 120 && tick == 85; slot++) {
            risei_transition t;
            if (!(leaf(r, slot) > 0)) continue;
            t = risei_replay_transition(r, slot);
            td = (rise_real)(below(2) ? 1 : -1) *
                 (rise_real)(0.1 + 3 * (double)risei_random_uniform(&dice));
            risei_replay_set_priorities(r, rise_kernels_of(RISE_ISA_AUTO), 1, &t, &td, 0.7, &work);
        }
    }
    return block;
}
/* Checks Pearson's chi-square of frequencies against leaves. The mean of chi-square is the number
   of degrees of freedom. Chi-square must be at most 5 standard deviations above its mean. With one
   draw at a time, it must also be at most 5 below. Stratified draws make it lower. */
static void frequency_case(int count)
{
    double const draws = 256000;
    static risei_transition out[32];
    static long seen[120];
    setup s;
    risei_replay r;
    unsigned char *block = played(&s, &r);
    double chi = 0, degrees = -1;
    int draw, i;
    memset(seen, 0, sizeof seen);
    for (draw = 0; draw < (int)draws; draw += count) {
        risei_replay_sample(&r, &dice, count, out);
        for (i = 0; i < count; i++) seen[risei_history_slot(&r.history, out[i].lane, out[i].at)]++;
    }
    for (i = 0; i < 120; i++) {
        double const expected = draws * leaf(&r, i) / risei_replay_tree_total(&r);
        double const off = (double)seen[i] - expected;
        if (expected > 0)
            chi += off * off / expected, degrees++;
        else
            CHECK(seen[i] == 0);
    }
    check_about("%d draws at once: chi-square %.1f of %.0f degrees", count, chi, degrees);
    CHECK(degrees > 50 && degrees < 118);
    CHECK(chi < degrees + 5 * sqrt(2 * degrees));
    CHECK(chi > degrees - 5 * sqrt(2 * degrees) || count > 1);
    for (chi = 0, i = 1; i < 120; i++) { /* control: a neighbour's frequencies do not fit */
        double const expected = draws * leaf(&r, i) / risei_replay_tree_total(&r);
        double const off = (double)seen[i - 1] - expected;
        if (expected > 0) chi += off * off / expected;
    }
    CHECK(chi > degrees + 50 * sqrt(2 * degrees));
    check_about("%s", "");
    free(block);
}
/* One sample comes from each equal share of the total. */
static void samples_are_stratified(void)
{
    risei_transition out[32];
    setup s;
    risei_replay r;
    unsigned char *block = played(&s, &r);
    double before[121];
    int draw, i, wrong = 0;
    for (before[0] = 0, i = 0; i < 120; i++) before[i + 1] = before[i] + leaf(&r, i);
    for (draw = 0; draw < 1000; draw++) {
        double const share = risei_replay_tree_total(&r) / 32;
        risei_replay_sample(&r, &dice, 32, out);
        for (i = 0; i < 32; i++) {
            ptrdiff_t const slot = risei_history_slot(&r.history, out[i].lane, out[i].at);
            wrong += before[slot] > (i + 1) * share * (1 + 1e-12) ||
                     before[slot + 1] < i * share * (1 - 1e-12);
            wrong += out[i].leaf != leaf(&r, slot);
        }
    }
    CHECK(wrong == 0);
    free(block);
}

/* TD errors give the right priorities on all kernels; errors that are not finite are refused. */
static void update_case(const rise_kernels *k)
{
    const float odd[] = {NAN, -NAN, HUGE_VALF, -HUGE_VALF};
    static const float good[] = {0, 1e-6f, -1e-6f, 0.5f, -0.5f, 1, -3, 100, 1e10f, -1e10f};
    static const double exponents[] = {0, 0.2, 0.5, 1};
    setup s = plain(30, 1, 1);
    risei_replay r;
    unsigned char *block;
    risei_transition t[16];
    rise_real td[16], work[16];
    size_t i, e;
    int tick;
    s.length = 6;
    for (e = 0; e < 4; e++) {
        double top = 1;
        check_about("%s, exponent %g", k->name, exponents[e]);
        block = make(&s, &r, 0, NULL);
        for (tick = 0; tick < 40; tick++)
            live(&s, &r, 0, tick % 10 == 0 ? RISE_FIRST : RISE_MIDDLE);
        for (i = 0; i < 10; i++) {
            double const right = pow(fabs((double)good[i]) + 0.001, exponents[e]);
            t[i] = risei_replay_transition(&r, (ptrdiff_t)i);
            CHECK(t[i].leaf == 1 || i == 9); /* new; slot 9 has the newest frame */
            td[i] = good[i];
            top = right > top ? right : top;
        }
        risei_replay_set_priorities(&r, k, 10, t, td, exponents[e], work);
        for (i = 0; i < 9; i++)
            CHECK_NEAR(leaf(&r, (ptrdiff_t)i), pow(fabs((double)good[i]) + 0.001, exponents[e]),
                       2e-6);
        CHECK(leaf(&r, 9) == 0); /* a slot that cannot be sampled gets no priority */
        CHECK(leaf(&r, 1) == leaf(&r, 2) && leaf(&r, 3) == leaf(&r, 4));
        CHECK_NEAR(r.largest_leaf, exponents[e] > 0 ? pow(1e10, exponents[e]) : 1, 2e-6);
        top = r.largest_leaf;
        /* a new transition has the largest priority so far, and no exponent is applied to it
           again; frame 40 completes that of frame 39, in slot 9 */
        live(&s, &r, 0, RISE_MIDDLE);
        CHECK(leaf(&r, 9) == top && leaf(&r, 10) == 0);
        live(&s, &r, 0, RISE_MIDDLE);
        CHECK(leaf(&r, 10) == top);
        CHECK(tree_sound(&r));
        for (i = 0; i < 3; i++) { /* the same error always gives the same priority */
            double const once = leaf(&r, 3);
            t[0] = risei_replay_transition(&r, 3);
            td[0] = -0.5f;
            risei_replay_set_priorities(&r, k, 1, t, td, exponents[e], work);
            CHECK(leaf(&r, 3) == once);
        }
        for (i = 0; i < 4; i++) { /* refused, without effect on its neighbours in the batch */
            double const mine = leaf(&r, 4);
            t[0] = risei_replay_transition(&r, 4), t[1] = risei_replay_transition(&r, 5);
            td[0] = odd[i], td[1] = (rise_real)(2 + i);
            check_about("%s, exponent %g, td error %g", k->name, exponents[e], (double)odd[i]);
            risei_replay_set_priorities(&r, k, 2, t, td, exponents[e], work);
            CHECK(leaf(&r, 4) == mine && r.largest_leaf == top && tree_sound(&r));
            CHECK_NEAR(leaf(&r, 5), pow((double)(2 + i) + 0.001, exponents[e]), 2e-6);
        }
        free(block);
    }
    check_about("%s", "");
}
/* An update of a priority is dropped if its slot was overwritten or has lost its past. */
static void stale_updates_are_dropped(void)
{
    const rise_kernels *k = rise_kernels_of(RISE_ISA_AUTO);
    setup const s = plain(10, 3, 2);
    risei_replay r;
    unsigned char *block = make(&s, &r, 0, NULL);
    risei_transition t[2];
    rise_real td[2] = {1000, 1000}, work[2];
    double old[10]; /* the leaves */
    int tick;
    for (tick = 0; tick < 9; tick++) live(&s, &r, 0, tick == 0 ? RISE_FIRST : RISE_MIDDLE);
    t[0] = risei_replay_transition(&r, 0), t[1] = risei_replay_transition(&r, 2);
    /* overwrites slot 0, so slots 1 and 2 lose their past */
    for (tick = 0; tick < 2; tick++) live(&s, &r, 0, RISE_MIDDLE);
    CHECK(t[0].leaf == 1 && t[1].leaf == 1 && leaf(&r, 2) == 0 && leaf(&r, 3) == 1);
    memcpy(old, r.tree, sizeof old);
    risei_replay_set_priorities(&r, k, 2, t, td, 1, work);
    CHECK(memcmp(old, r.tree, sizeof old) == 0 && r.largest_leaf == 1);
    /* both slots hold other transitions now */
    for (tick = 0; tick < 9; tick++) live(&s, &r, 0, RISE_MIDDLE);
    CHECK(leaf(&r, 0) == 0 && leaf(&r, 2) == 1);
    memcpy(old, r.tree, sizeof old);
    risei_replay_set_priorities(&r, k, 2, t, td, 1, work);
    CHECK(memcmp(old, r.tree, sizeof old) == 0 && r.largest_leaf == 1);
    free(block);
}
/* A priority stays until the next update, also when frames follow or an end completes other
   slots. */
static void priorities_are_kept(void)
{
    setup const s = plain(10, 1, 3);
    rise_real const td = 7;
    rise_real work;
    int event, tick;
    for (event = RISE_FIRST; event <= RISE_TRUNCATED; event++) {
        risei_replay r;
        risei_transition t;
        unsigned char *block = make(&s, &r, 0, NULL);
        for (tick = 0; tick < 5; tick++) live(&s, &r, 0, tick == 0 ? RISE_FIRST : RISE_MIDDLE);
        /* slots 0 and 1 have three future steps, slot 2 has two */
        for (tick = 0; tick < 2; tick++) {
            t = risei_replay_transition(&r, tick);
            risei_replay_set_priorities(&r, rise_kernels_of(RISE_ISA_REF), 1, &t, &td, 1, &work);
        }
        r.largest_leaf = 9;
        live(&s, &r, 0, (rise_event)event);
        check_about("event %d", event);
        CHECK(fabs(leaf(&r, 0) - 7.001) < 1e-4 && leaf(&r, 1) == leaf(&r, 0));
        CHECK(leaf(&r, 2) == 9 && leaf(&r, 3) == (event == RISE_MIDDLE ? 0 : 9));
        free(block);
    }
    check_about("%s", "");
}
/* Weights are (N p / total)^-exponent divided by their maximum. The smallest p has the maximum, so
   N and the total cancel. */
static void weights_case(const rise_kernels *k)
{
    enum { COUNT = 37 };
    static const double exponents[] = {0, 0.4, 1};
    risei_transition t[COUNT];
    rise_real weights[COUNT];
    int e, i, round;
    memset(t, 0, sizeof t);
    check_about("%s", k->name);
    for (round = 0; round < 20; round++)
        for (e = 0; e < 3; e++) {
            double least = HUGE_VAL;
            rise_real largest = 0;
            for (i = 0; i < COUNT; i++) {
                t[i].leaf =
                    round == 0 ? 0.3
                               : (double)(float)((0.001 + (double)risei_random_uniform(&dice)) *
                                                 pow(10, below(6) - 3));
                if (t[i].leaf < least) least = t[i].leaf;
            }
            risei_replay_weights(k, COUNT, t, exponents[e], weights);
            for (i = 0; i < COUNT; i++) {
                CHECK_NEAR(weights[i], pow(t[i].leaf / least, -exponents[e]), 5e-6);
                if (weights[i] > largest) largest = weights[i];
                CHECK(weights[i] == 1 || (exponents[e] > 0 && round > 0));
            }
            CHECK(largest == 1);
        }
    check_about("%s", "");
}
static void each_kernels(void (*test)(const rise_kernels *k))
{
    static const rise_isa isas[] = {RISE_ISA_REF, RISE_ISA_C, RISE_ISA_AVX2, RISE_ISA_AVX512,
                                    RISE_ISA_NEON};
    size_t i;
    for (i = 0; i < sizeof isas / sizeof *isas; i++)
        if (rise_kernels_of(isas[i]) != NULL) test(rise_kernels_of(isas[i]));
}
static void td_errors_give_priorities(void) { each_kernels(update_case); }
/* risei_replay_weights writes no weight behind the last one. */
static void weights_stay_in_their_array(const rise_kernels *k)
{
    risei_transition t[3];
    rise_real weights[3] = {7, 7, 7};
    memset(t, 0, sizeof t);
    t[0].leaf = 1, t[1].leaf = 4, t[2].leaf = 9, t[2].before_episode = 1;
    risei_replay_weights(k, 2, t, 0.5, weights);
    CHECK_NEAR(weights[0], 1, 1e-6);
    CHECK_NEAR(weights[1], 0.5, 1e-6);
    CHECK(weights[2] > 6);
}
static void importance_weights_are_right(void)
{
    each_kernels(weights_case);
    each_kernels(weights_stay_in_their_array);
}
static void samples_follow_priorities(void)
{
    frequency_case(1);
    frequency_case(32);
}

/* ---------------------------------------------------------------------------------------------- */
/* 16-bit floats */

/* Rounds to 11 significant bits, halves to even as rint does. Below 2^-14, returns 0; above 65504,
   65504 with the sign of x. */
static double rounded(double x)
{
    int exponent;
    double const size = fabs(x);
    if (size < 1.0 / 16384) return 0;
    if (size > 65504) return x > 0 ? 65504 : -65504;
    frexp(size, &exponent);
    return ldexp(rint(ldexp(x, 11 - exponent)), exponent - 11);
}
static int half_right(float x)
{
    uint16_t const half = risei_to_half(x);
    double const back = (double)risei_from_half(half);
    return back == rounded((double)x) && (half >> 15 != 0) == (signbit(x) != 0);
}
static void halves_are_rounded_to_even(void)
{
    const float edges[] = {0,
                           65503.9f,
                           65504,
                           65504.004f,
                           65519.99f,
                           65520,
                           65536,
                           1e30f,
                           HUGE_VALF,
                           6.1035156e-5f,
                           FLT_MIN,
                           1e-45f,
                           6.097555e-5f,
                           1,
                           1.00048828125f,
                           1.00146484375f,
                           1.000488f,
                           1.0004884f,
                           2047.5f,
                           2048.9999f};
    uint32_t bits;
    size_t e;
    int i, wrong = 0, normal = 0;
    for (i = 0; i < 65536; i++) {
        uint16_t const half = (uint16_t)i;
        int const exponent = half >> 10 & 31, fraction = half & 1023;
        double const size = exponent == 0 ? 0 : ldexp(1024 + fraction, exponent - 25);
        float const value = (float)(half & 0x8000 ? -size : size);
        /* infinities, NaN and denormals are never stored */
        if (exponent == 31 || (exponent == 0 && fraction != 0)) continue;
        normal++;
        wrong += (double)risei_from_half(half) != (double)value || risei_to_half(value) != half;
        /* the middle to its neighbour, and the floats on either side of the middle */
        if (exponent > 0) {
            float const middle = (float)(half & 0x8000 ? -ldexp(2049 + 2 * fraction, exponent - 26)
                                                       : ldexp(2049 + 2 * fraction, exponent - 26));
            wrong += !half_right(middle) + !half_right(nextafterf(middle, 0)) +
                     !half_right(nextafterf(middle, 2 * middle));
        }
    }
    CHECK(wrong == 0 && normal == 2 * (30 * 1024 + 1));
    for (e = 0; e < sizeof edges / sizeof *edges; e++) {
        check_about("%.9g as a half", (double)edges[e]);
        CHECK(half_right(edges[e]) && half_right(-edges[e]));
    }
    check_about("%s", "");
    CHECK(half_right(nextafterf(1.0f / 16384, 0)) &&
          risei_to_half(nextafterf(1.0f / 16384, 0)) == 0 && risei_to_half(-1e-6f) == 0x8000);
    /* spread over the finite floats */
    for (bits = 0; bits < 0x7F800000u; bits += 997 * check_share) {
        float x;
        memcpy(&x, &bits, sizeof x);
        wrong += !half_right(x) + !half_right(-x);
    }
    CHECK(wrong == 0);
}
/* A part of the recurrent state of a slot is read as it was stored, or rounded to 16 bits. Its
   neighbours keep their values. */
static void state_case(const rise_kernels *k)
{
    enum { SIZE = 41, FROM = 3, PART = 37 };
    int f32, i;
    for (f32 = 0; f32 < 2; f32++) {
        risei_history h;
        risei_arena arena;
        rise_real state[PART], back[PART + 1];
        unsigned char *block;
        memset(&h, 0, sizeof h);
        memset(&arena, 0, sizeof arena);
        h.lanes = 2, h.capacity = 3, h.state_size = SIZE, h.f32 = f32;
        risei_history_layout(&arena, &h);
        block = (unsigned char *)calloc(arena.used, 1);
        if (block == NULL) exit(1);
        memset(&arena, 0, sizeof arena);
        arena.base = block;
        risei_history_layout(&arena, &h);
        for (i = 0; i < PART; i++) state[i] = (rise_real)(i - 20) / 7;
        for (i = 0; i <= PART; i++) back[i] = 99;
        risei_history_store_state(&h, 4, FROM, PART, state);
        risei_history_load_state(k, &h, 4, FROM, PART, back);
        for (i = 0; i < PART; i++)
            CHECK((double)back[i] == (f32 ? (double)state[i] : rounded((double)state[i])));
        CHECK(back[PART] > 98);
        risei_history_load_state(k, &h, 4, FROM + PART, 1, back);
        risei_history_load_state(k, &h, 4, FROM - 1, 1, back + 1);
        CHECK(back[0] == 0 && back[1] == 0);
        free(block);
    }
}
static void states_are_read_back(void) { each_kernels(state_case); }

static void every_short_history_equals_the_oracle(void)
{
    histories_case(all ? 12 : check_share > 1 ? 6 : 9);
}
static void note_size(void)
{
    check_note("%ld configurations, %ld frames, %ld comparisons", configurations, appends,
               compared);
}
static void games_equal_the_oracle(void)
{
    each_reader(each_game);
    CHECK(differences == 0);
    note_size();
}
static void agents_gather_what_the_oracle_says(void)
{
    each_reader(each_agent);
    CHECK(differences == 0);
    note_size();
}

static void begin_test(void)
{
    dice = risei_random_stream(1, 100);
    configurations = appends = compared = 0;
}
static void end_test(void)
{
    int lane;
    for (lane = 0; lane < LANES; lane++) {
        free(lives[lane].at);
        memset(&lives[lane], 0, sizeof lives[lane]);
    }
}

/* risei_replay_reach returns how many slots before a transition learning reads, here counted by
   hand. */
static void reach_is_the_furthest_slot_that_is_read(void)
{
    static const struct {
        const char *fields;
        int reach;
    } cases[] = {
        {"memory=none frame_stack=4", 3},
        {"memory=rise window=5 frame_stack=2", 4},
        {"memory=rise window=5 frame_stack=2 feed_action=1", 5},
        {"memory=rise window=2 frame_stack=4", 3},
        {"memory=rise window=5 window_samples=4 frame_stack=2", 7},
        /* the stack of the first of four samples, which is three steps before the last */
        {"memory=rise window=1 window_samples=4 frame_stack=4", 6},
        {"memory=full window=5 frame_stack=2", 5},
        {"memory=full window=5 frame_stack=1 feed_action=1", 5},
    };
    int i;
    for (i = 0; i < (int)(sizeof cases / sizeof *cases); i++) {
        rise_agent_desc d;
        char text[120], *word;
        memset(&d, 0, sizeof d);
        d.frame_width = d.frame_height = 4, d.actions = 2;
        snprintf(text, sizeof text, "%s", cases[i].fields);
        for (word = strtok(text, " "); word != NULL; word = strtok(NULL, " "))
            CHECK(rise_agent_set(&d, word, NULL) == RISE_OK);
        check_about("%s", cases[i].fields);
        CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
        CHECK(risei_replay_reach(&d) == cases[i].reach);
    }
}

/* Runs over 2^31 frames of one episode, to learn every stride-th step. The indices go on behind
   INT32_MAX, are above every distance, and keep the stride: the same steps can be drawn as if 64
   bits counted them. */
static void endless_episodes_keep_the_stride(void)
{
    static const int strides[] = {1, 2, 3, 7, 40, 1023, 1024};
    int k;
    for (k = 0; k < (int)(sizeof strides / sizeof *strides); k++) {
        int const stride = strides[k];
        setup s = plain(64, 1, 1);
        risei_replay r;
        unsigned char *block = make(&s, &r, 0, NULL);
        risei_history *const h = &r.history;
        int64_t index = (int64_t)INT32_MAX - 1500;
        int enabled = 0;
        check_about("stride %d", stride);
        r.window_stride = stride, h->restart = risei_replay_restart(stride);
        CHECK(h->restart >= 1 << 30 && (h->restart - ((int64_t)1 << 31)) % stride == 0);
        live(&s, &r, 0, RISE_FIRST), live(&s, &r, 0, RISE_MIDDLE);
        h->episode_frame[1] = (int32_t)index;
        for (; index < (int64_t)INT32_MAX + 1500; index++) {
            ptrdiff_t const slot = risei_history_slot(h, 0, h->written[0] - 1);
            live(&s, &r, 0, RISE_MIDDLE);
            CHECK(h->episode_frame[slot] >= 1 << 30);
            CHECK((leaf(&r, (int)slot) > 0) == ((index + 1) % stride == 0));
            enabled += leaf(&r, (int)slot) > 0;
        }
        CHECK(enabled >= 3000 / stride && risei_replay_wrong(&r, ACTIONS) == NULL);
        free(block);
    }
}
/* risei_random_below draws numbers below 2^32 mod n again. */
static void biased_numbers_are_drawn_again(void)
{
    static const int bounds[] = {1, 2, 3, 1000, (1 << 30) + 1, 3 << 29, INT32_MAX};
    int i, j, again = 0;
    for (i = 0; i < (int)(sizeof bounds / sizeof *bounds); i++) {
        risei_random drawn = risei_random_stream(5, (uint64_t)i), same = drawn;
        uint64_t const n = (uint64_t)bounds[i], reject = (UINT64_C(1) << 32) % n;
        check_about("n = %d", bounds[i]);
        for (j = 0; j < 200; j++) {
            uint64_t x = risei_random_bits(&same);
            for (; x < reject; again++) x = risei_random_bits(&same);
            CHECK(risei_random_below(&drawn, bounds[i]) == (int)(x % n));
        }
    }
    check_about("%d numbers were drawn again", again);
    CHECK(again > 100);
}

static const check_test tests[] = {
    TEST(halves_are_rounded_to_even),
    TEST(states_are_read_back),
    TEST(reach_is_the_furthest_slot_that_is_read),
    TEST(endless_episodes_keep_the_stride),
    TEST(biased_numbers_are_drawn_again),
    TEST(tree_finds_every_leaf_exactly),
    TEST(tree_has_no_room_to_spare),
    TEST(tree_survives_rounding),
    TEST(samples_follow_priorities),
    TEST(samples_are_stratified),
    TEST(stale_updates_are_dropped),
    TEST(priorities_are_kept),
    TEST(td_errors_give_priorities),
    TEST(importance_weights_are_right),
    TEST(every_short_history_equals_the_oracle),
    TEST(games_equal_the_oracle),
    TEST(agents_gather_what_the_oracle_says),
    TEST(known_mistakes_are_noticed),
};
int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--all") == 0) all = 1, count--, arguments++;
    stackers[0] = rise_kernels_of(RISE_ISA_REF), stackers[1] = rise_kernels_of(RISE_ISA_AUTO);
    check_state.before = begin_test, check_state.after = end_test;
    return CHECK_MAIN(count, arguments, tests);
}
