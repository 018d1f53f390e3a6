/* Preprocesses Gymnasium's environments for an agent. An action can be repeated for several frames,
   and be replaced at random by the previous one ("sticky actions"). An episode can begin with
   frames of action 0, and can have a limited length. Frames can become small and grey, or black.
   Rewards can be clipped. Each part is a field of arcade_protocol. Numbers of an observation stay
   unchanged. The environments step in their own process between arcade_send and arcade_receive,
   while the agent learns. */
#ifndef ARCADE_H
#define ARCADE_H

#include "env_bridge.h"
#include "preprocess.h"

#include "../rise.h"

/* All zeros leave frames, rewards and actions unchanged. */
typedef struct arcade_protocol {
    int repeat; /* frames for which an action is played, at most BRIDGE_PLAYED [1] */
    /* probability, in each frame, that the environment repeats its previous action (Machado et al.
       2018) */
    double sticky;
    /* an episode begins with 1 to `noops` frames of action 0, at most BRIDGE_PLAYED; 0: none */
    int noops;
    /* an episode is truncated after the step in which it reaches `most_frames` frames, no-ops
       included; 0: never */
    int most_frames;
    int side;        /* frames become grey, side x side pixels; 0: unchanged */
    int largest;     /* frames of at most largest x largest pixels stay unchanged; 0: none do */
    int colour;      /* 1: resized frames keep their channels, at most PREPROCESS_CHANNELS */
    /* 1: each pixel of a resized frame is the maximum of the last two frames. Atari games draw some
       sprites in every other frame only. Frames that are not resized ignore this field */
    int two_frames;
    int clip;     /* 1: the agent gets the sign of a reward */
    double blank; /* probability that a frame is black; numbers stay */
} arcade_protocol;

/* One environment. */
typedef struct arcade_environment {
    uint64_t random;
    int action;   /* the action that the last frame executed */
    int frames;   /* of this episode */
    double score; /* of this episode: sum of the unclipped rewards, without those of no-ops */
} arcade_environment;

typedef struct arcade {
    bridge link;
    arcade_protocol protocol;
    int count;                            /* environments */
    /* as the agent sees them; width 0: no frames; numbers 0: no numbers */
    int width, height, channels, actions, numbers;
    /* For rise_agent_step_all: frames [count][height][width][channels] and values [count][numbers],
       NULL if there are none; rewards, events. */
    uint8_t *frames;
    float *values;
    float rewards[BRIDGE_ENVIRONMENTS];
    rise_event events[BRIDGE_ENVIRONMENTS];
    arcade_environment environments[BRIDGE_ENVIRONMENTS];
    double frames_played; /* by all environments, no-ops included */
    const rise_kernels *kernels; /* for resizing */
    uint8_t *screen; /* scratch: two frames of the environment's size, with `channels` channels */
    uint8_t *plane;              /* scratch of preprocess_resize */
    bridge_move moves[BRIDGE_ENVIRONMENTS];
} arcade;

static inline size_t arcade_frame_bytes(const arcade *a)
{
    return (size_t)a->width * (size_t)a->height * (size_t)a->channels;
}
/* Returns the frame of environment i, or NULL if there are no frames. */
static inline const uint8_t *arcade_frame(const arcade *a, int i)
{
    return a->frames != NULL ? a->frames + (size_t)i * arcade_frame_bytes(a) : NULL;
}
/* Returns the numbers of environment i, or NULL if there are none. */
static inline const float *arcade_values(const arcade *a, int i)
{
    return a->numbers > 0 ? a->values + (size_t)i * (size_t)a->numbers : NULL;
}
static inline int arcade_over(rise_event event)
{
    return event == RISE_TERMINATED || event == RISE_TRUNCATED;
}

static inline void arcade_close(arcade *a)
{
    bridge_close(&a->link);
    free(a->frames);
    free(a->values);
    free(a->screen);
    free(a->plane);
    a->frames = a->screen = a->plane = NULL;
    a->values = NULL;
}

/* ---------------------------------------------------------------------------------------------- */
/* Frames */

/* Converts the environment's newest frames into the frame that the agent sees. */
static inline void arcade_see(arcade *a, const uint8_t *frames, uint8_t *seen)
{
    int const pixels = a->link.width * a->link.height, bytes = pixels * a->link.channels;
    int const kept = pixels * a->channels; /* bytes of a frame that is to be resized */
    const uint8_t *newest = frames + (a->link.frames - 1) * bytes;
    int i;
    if (a->protocol.side == 0) {
        memcpy(seen, newest, (size_t)bytes);
        return;
    }
    if (a->link.channels != a->channels) {
        for (i = 0; i < a->link.frames; i++)
            preprocess_grey(frames + i * bytes, (size_t)pixels, a->screen + i * kept);
        frames = a->screen;
        newest = frames + (a->link.frames - 1) * kept;
    }
    if (a->link.frames == 2) {
        preprocess_maximum((size_t)kept, frames, frames + kept, a->screen);
        newest = a->screen;
    }
    preprocess_resize(a->kernels, newest, a->link.height, a->link.width, a->channels, seen,
                      a->height, a->width, a->plane, NULL);
}

/* Sets the size of the agent's frames. Returns 0 if the environment's frames cannot be resized. */
static inline int arcade_prepare(arcade *a)
{
    arcade_protocol *const p = &a->protocol;
    int const channels = a->link.channels;
    a->numbers = a->link.numbers;
    if (a->link.width == 0) return 1;
    if (a->link.width <= p->largest && a->link.height <= p->largest) p->side = 0;
    a->width = p->side > 0 ? p->side : a->link.width;
    a->height = p->side > 0 ? p->side : a->link.height;
    a->channels = p->side > 0 && !p->colour ? 1 : channels;
    if (p->side == 0) return 1;
    if (!p->colour && channels != 1 && channels != 3)
        return bridge_fail(&a->link,
                           "frames of %d channels cannot become grey: keep their channels "
                           "(--colour), or wrap the environment (--wrap)",
                           channels);
    if (a->channels > PREPROCESS_CHANNELS)
        return bridge_fail(&a->link,
                           "frames of %d channels cannot be resized, at most %d channels can: wrap "
                           "the environment to resize its frames (--wrap)",
                           channels, PREPROCESS_CHANNELS);
    return p->side <= PREPROCESS_SIDE ||
           bridge_fail(&a->link, "frames cannot be resized to %d x %d, at most to %d x %d", p->side,
                       p->side, PREPROCESS_SIDE, PREPROCESS_SIDE);
}

/* Draws the frame of environment i as a grey picture [height][width]. If the frame has several
   channels, each channel gets a different grey. */
static inline void arcade_picture(const arcade *a, int i, uint8_t *grey)
{
    const uint8_t *const frame = arcade_frame(a, i);
    int p, c;
    for (p = 0; p < a->width * a->height; p++) {
        int brightest = 0;
        for (c = 0; c < a->channels; c++) {
            int const shade = frame[p * a->channels + c] * (a->channels + 1 + c) /
                              (2 * a->channels);
            brightest = shade > brightest ? shade : brightest;
        }
        grey[p] = (uint8_t)brightest;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Steps */

/* Prepares the next move of environment i: `action`, or a new episode if the last one is over. A
   negative action means no move. */
static inline void arcade_move(arcade *a, int i, int action)
{
    const arcade_protocol *const p = &a->protocol;
    arcade_environment *const environment = &a->environments[i];
    bridge_move *const move = &a->moves[i];
    move->reset = action >= 0 && arcade_over(a->events[i]);
    move->count = 0;
    if (action < 0) return;
    if (move->reset) {
        environment->action = 0;
        if (p->noops > 0)
            move->count = 1 + (int)(preprocess_random(&environment->random) % (uint32_t)p->noops);
        memset(move->actions, 0, (size_t)move->count);
    } else {
        for (; move->count < p->repeat; move->count++) {
            environment->action =
                preprocess_sticky(&environment->random, p->sticky, environment->action, action);
            move->actions[move->count] = (uint8_t)environment->action;
        }
    }
}

/* Stores the result of the move of environment i: its frame, reward and event. */
static inline void arcade_take(arcade *a, int i)
{
    const arcade_protocol *const p = &a->protocol;
    const bridge_state *const state = &a->link.states[i];
    const bridge_move *const move = &a->moves[i];
    arcade_environment *const environment = &a->environments[i];
    int black;
    if (!move->reset && move->count == 0) return;
    if (move->reset) {
        environment->frames = move->count;
        environment->score = 0;
        a->events[i] = RISE_FIRST;
        a->rewards[i] = 0;
    } else {
        environment->frames += state->played;
        environment->score += (double)state->reward;
        a->rewards[i] = p->clip ? preprocess_reward(state->reward) : state->reward;
        a->events[i] = state->terminated ? RISE_TERMINATED : RISE_MIDDLE;
        if (!state->terminated &&
            (state->truncated || (p->most_frames > 0 && environment->frames >= p->most_frames)))
            a->events[i] = RISE_TRUNCATED;
    }
    a->frames_played += move->reset ? move->count : state->played;
    black = preprocess_random(&environment->random) < p->blank * 4294967296.0;
    if (a->frames != NULL && black)
        memset(a->frames + (size_t)i * arcade_frame_bytes(a), 0, arcade_frame_bytes(a));
    else if (a->frames != NULL)
        arcade_see(a, state->frames, a->frames + (size_t)i * arcade_frame_bytes(a));
    if (a->numbers > 0)
        memcpy(a->values + (size_t)i * (size_t)a->numbers, state->numbers,
               (size_t)a->numbers * sizeof *a->values);
}

/* Sends actions [count] to the environments; a negative action means no move. Returns 0 if the
   bridge has failed; a->link.error says why. */
static inline int arcade_send(arcade *a, const int *actions)
{
    int i;
    for (i = 0; i < a->count; i++) arcade_move(a, i, actions[i]);
    return bridge_send(&a->link, a->moves);
}
/* Waits for the results of all moves. Returns 0 if the bridge has failed. */
static inline int arcade_receive(arcade *a)
{
    int i;
    if (!bridge_receive(&a->link)) return 0;
    for (i = 0; i < a->count; i++) arcade_take(a, i);
    return 1;
}

/* Begins an episode in every environment. Returns 0 if the bridge has failed. */
static inline int arcade_begin(arcade *a)
{
    static const int any[BRIDGE_ENVIRONMENTS] = {0};
    int i;
    for (i = 0; i < a->count; i++) a->events[i] = RISE_TERMINATED;
    return arcade_send(a, any) && arcade_receive(a);
}

/* Allocates the frames and numbers of the agent, and memory to resize frames. Returns 0 on failure.
   Without frames or without numbers, their pointers stay NULL. */
static inline int arcade_allocate(arcade *a)
{
    size_t const pixels = (size_t)a->link.width * (size_t)a->link.height;
    size_t const values = (size_t)a->count * (size_t)a->numbers;
    if (values > 0) a->values = (float *)malloc(values * sizeof *a->values);
    if (pixels > 0) {
        a->frames = (uint8_t *)malloc((size_t)a->count * arcade_frame_bytes(a));
        a->screen = (uint8_t *)malloc(2 * pixels * (size_t)a->channels);
        a->plane = (uint8_t *)malloc(pixels + (size_t)a->width * (size_t)a->height);
    }
    return (values == 0 || a->values != NULL) &&
           (pixels == 0 || (a->frames != NULL && a->screen != NULL && a->plane != NULL));
}

/* Starts the environments. o->frames is ignored: p->two_frames sets the number of frames. Returns
   0 on failure, and a->link.error says why. */
static inline int arcade_open(arcade *a, const bridge_options *o, const arcade_protocol *p)
{
    bridge_options options = *o;
    int i;
    memset(a, 0, sizeof *a);
    a->protocol = *p;
    if (a->protocol.repeat == 0) a->protocol.repeat = 1;
    if (p->repeat > BRIDGE_PLAYED || p->noops > BRIDGE_PLAYED)
        return bridge_fail(&a->link, "repeat is %d and noops is %d; the most is %d", p->repeat,
                           p->noops, BRIDGE_PLAYED);
    options.frames = p->two_frames ? 2 : 1;
    if (!bridge_open(&a->link, &options)) return 0;
    a->count = a->link.environments;
    a->actions = a->link.actions;
    a->kernels = rise_kernels_of(RISE_ISA_AUTO);
    for (i = 0; i < a->count; i++)
        a->environments[i].random = preprocess_seed(o->seed + (uint64_t)i);
    if (arcade_prepare(a)) {
        if (!arcade_allocate(a))
            bridge_fail(&a->link, "out of memory for frames and numbers");
        else if (arcade_begin(a))
            return 1;
    }
    arcade_close(a);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* The agent */

/* Sets the default agent for 84 x 84 on a few cores: the conv net of Mnih et al. 2013 and a small
   recurrent net. The tools also take this agent for other frames with both sides above 32. */
static inline void arcade_describe(rise_agent_desc *d)
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

#endif
