/* Converts screens to the frames of an agent: luminance, the maximum of two frames, area resize.
   Also, for training on Atari: sticky actions (Machado et al. 2018) and rewards clipped to
   their sign (Mnih et al. 2015). Integers only, so the result is the same on every machine. Nothing
   is allocated. */
#ifndef PREPROCESS_H
#define PREPROCESS_H

#include <stddef.h>
#include <stdint.h>

/* Converts rgb [pixels][3] to luminance [pixels]: 0.299 R + 0.587 G + 0.114 B (ITU-R BT.601), with
   15 bits of fraction, as OpenCV computes it. */
static inline void preprocess_grey(const uint8_t *rgb, size_t pixels, uint8_t *grey)
{
    size_t i;
    for (i = 0; i < pixels; i++, rgb += 3)
        grey[i] = (uint8_t)((9798u * rgb[0] + 19235u * rgb[1] + 3735u * rgb[2] + 16384) >> 15);
}

/* Takes the pixelwise maximum of two successive frames, because some games draw a sprite in every
   other frame only. `out` may be `a` or `b`. */
static inline void preprocess_maximum(size_t bytes, const uint8_t *a, const uint8_t *b,
                                      uint8_t *out)
{
    size_t i;
    for (i = 0; i < bytes; i++) out[i] = a[i] > b[i] ? a[i] : b[i];
}

/* ---------------------------------------------------------------------------------------------- */
/* Area resize: each output pixel is the mean of the input box that it covers */

/* Largest side and number of channels. A sum over a box has 8 + 10 + 10 bits and fits into 32. */
enum { PREPROCESS_SIDE = 1024, PREPROCESS_CHANNELS = 4 };

/* The edge between two output pixels along one axis. The axis is in * out units long: an input
   pixel is `out` units, an output pixel `in` units. */
typedef struct preprocess_edge {
    int pixel;      /* the input pixel that contains the edge */
    uint32_t units; /* units of that pixel before the edge */
} preprocess_edge;

/* A plan that resizes [height][width][channels] to [out_height][out_width][channels]. It is only
   read after preprocess_area_init, so threads may share it. */
typedef struct preprocess_area {
    int height, width, channels, out_height, out_width;
    uint64_t reciprocal; /* 2^48 / (height * width), rounded up: 1 / the units of a box */
    /* [out_height + 1], [out_width + 1] */
    preprocess_edge rows[PREPROCESS_SIDE + 1], columns[PREPROCESS_SIDE + 1];
} preprocess_area;

static inline void preprocess_edges(int in, int out, preprocess_edge *edges)
{
    int o;
    for (o = 0; o <= out; o++) {
        edges[o].pixel = o < out ? o * in / out : in - 1; /* last edge: end of the last pixel */
        edges[o].units = (uint32_t)(o * in - edges[o].pixel * out);
    }
}

/* Makes a plan. The output may be larger than the input: then a box is smaller than an input pixel.
   Returns 0 if a size is out of range. */
static inline int preprocess_area_init(preprocess_area *a, int height, int width, int channels,
                                       int out_height, int out_width)
{
    if (height < 1 || width < 1 || channels < 1 || out_height < 1 || out_width < 1) return 0;
    if (height > PREPROCESS_SIDE || width > PREPROCESS_SIDE || channels > PREPROCESS_CHANNELS)
        return 0;
    if (out_height > PREPROCESS_SIDE || out_width > PREPROCESS_SIDE) return 0;
    a->height = height;
    a->width = width;
    a->channels = channels;
    a->out_height = out_height;
    a->out_width = out_width;
    a->reciprocal = ((uint64_t)1 << 48) / (uint64_t)(height * width) + 1;
    preprocess_edges(height, out_height, a->rows);
    preprocess_edges(width, out_width, a->columns);
    return 1;
}

/* Returns the mean of a box, rounded to nearest, halves to even. It divides raised by units, with a
   multiplication by a = 2^48 / units rounded up. The integer part is exact: `a` is too large by at
   most 1 and raised < 2^28, so the quotient is too large by less than 2^-20. The true quotient is
   at least 1 / units >= 2^-20 below the next whole number. */
static inline uint8_t preprocess_mean(const preprocess_area *a, uint32_t total)
{
    uint32_t const units = (uint32_t)(a->height * a->width), raised = total + units / 2;
    uint32_t const mean = (uint32_t)(raised * a->reciprocal >> 48);
    int const halfway = units % 2 == 0 && raised == mean * units;
    return (uint8_t)(halfway ? mean & ~1u : mean);
}

/* Sums the input rows of one output row, weighted by their overlap: sums [width][channels]. */
static inline void preprocess_area_rows(const preprocess_area *a, int row, const uint8_t *in,
                                        uint32_t *sums)
{
    preprocess_edge const top = a->rows[row], bottom = a->rows[row + 1];
    int const count = a->width * a->channels;
    const uint8_t *const first = in + top.pixel * count, *const last = in + bottom.pixel * count;
    int y, i;
    /* The first value may be negative. The final sum is right, because sums are modulo 2^32. */
    for (i = 0; i < count; i++) sums[i] = bottom.units * last[i] - top.units * first[i];
    for (y = top.pixel; y < bottom.pixel; y++)
        for (i = 0; i < count; i++) sums[i] += (uint32_t)a->out_height * in[y * count + i];
}

/* Resizes a frame. For each output row, sums the input rows, then forms the running sum (integral)
   along the row. The integral at an edge is interpolated, and a box is the difference of two edges.
   All sums are modulo 2^32, which is enough for a box. `out` may not overlap `in`. */
static inline void preprocess_area_resize(const preprocess_area *a, const uint8_t *in, uint8_t *out)
{
    /* [width + 1][channels], starting at 0 */
    uint32_t integral[(PREPROCESS_SIDE + 1) * PREPROCESS_CHANNELS] = {0};
    int const channels = a->channels;
    int row, channel, x;
    for (row = 0; row < a->out_height; row++, out += a->out_width * channels) {
        preprocess_area_rows(a, row, in, integral + channels);
        for (channel = 0; channel < channels; channel++) {
            uint32_t total = 0, before = 0;
            for (x = 1; x <= a->width; x++)
                integral[x * channels + channel] = total += integral[x * channels + channel];
            for (x = 0; x < a->out_width; x++) {
                preprocess_edge const edge = a->columns[x + 1];
                const uint32_t *const at = integral + edge.pixel * channels + channel;
                uint32_t const up_to = (uint32_t)a->out_width * at[0] +
                                       edge.units * (at[channels] - at[0]);
                out[x * channels + channel] = preprocess_mean(a, up_to - before);
                before = up_to;
            }
        }
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Sticky actions, rewards */

/* PCG32 (O'Neill 2014). preprocess_seed returns the first state, preprocess_random the next
   number. */
static inline uint64_t preprocess_seed(uint64_t seed)
{
    return (1442695040888963407u + seed) * 6364136223846793005u + 1442695040888963407u;
}
static inline uint32_t preprocess_random(uint64_t *state)
{
    uint64_t const old = *state;
    uint32_t const mixed = (uint32_t)((old ^ old >> 18) >> 27), turn = (uint32_t)(old >> 59);
    *state = old * 6364136223846793005u + 1442695040888963407u;
    return mixed >> turn | mixed << ((32 - turn) & 31);
}

/* Returns the action that a frame of the emulator executes: with `probability` the action that the
   previous frame executed (0 at first), else `action`. Machado et al. use 0.25. If an action is
   repeated for several frames, they draw a random number for each frame. */
static inline int preprocess_sticky(uint64_t *random, double probability, int executed, int action)
{
    return preprocess_random(random) < probability * 4294967296.0 ? executed : action;
}

/* Returns the sign of a reward: -1, 0 or 1. */
static inline float preprocess_reward(float reward) { return (float)((reward > 0) - (reward < 0)); }

#endif
