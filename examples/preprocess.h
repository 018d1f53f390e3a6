/* Converts screens to the frames of an agent: luminance, the maximum of two frames, resizing by
   rise_frame_shrink. Also, for training on Atari: sticky actions (Machado et al. 2018) and rewards
   clipped to their sign (Mnih et al. 2015). All sums are exact, so the results are the same on
   every machine. Nothing is allocated. */
#ifndef PREPROCESS_H
#define PREPROCESS_H

#include "../rise.h"

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
/* Resizing */

/* Largest side of a frame that rise_frame_shrink makes; most channels that callers of
   preprocess_resize pass. arcade.h checks both limits. */
enum { PREPROCESS_SIDE = 1024, PREPROCESS_CHANNELS = 4 };

/* Resizes [height][width][channels] to [out_height][out_width][channels] with rise_frame_shrink,
   which makes frames of 1 or 3 channels. With more than 1 and not 3, each channel is copied to
   `scratch` and resized as a grey picture. `scratch` then has height * width + out_height *
   out_width bytes. With 1 or 3 channels, `scratch` is not used and may be NULL. Returns what
   rise_frame_shrink returns. */
static inline rise_result preprocess_resize(const rise_kernels *kernels, const uint8_t *in,
                                            int height, int width, int channels, uint8_t *out,
                                            int out_height, int out_width, uint8_t *scratch,
                                            rise_error *error)
{
    int const pixels = height * width, out_pixels = out_height * out_width;
    rise_picture picture = {in, width, height, RISE_PIXELS_GREY, 0};
    rise_result result = RISE_OK;
    int channel, i;
    if (channels == 3) picture.format = RISE_PIXELS_RGB;
    if (channels <= 1 || channels == 3) /* rise_frame_shrink refuses 0 and below */
        return rise_frame_shrink(kernels, &picture, out, out_width, out_height, channels, error);
    picture.pixels = scratch;
    for (channel = 0; channel < channels && result == RISE_OK; channel++) {
        for (i = 0; i < pixels; i++) scratch[i] = in[i * channels + channel];
        result = rise_frame_shrink(kernels, &picture, scratch + pixels, out_width, out_height, 1,
                                   error);
        for (i = 0; i < out_pixels && result == RISE_OK; i++)
            out[i * channels + channel] = scratch[pixels + i];
    }
    return result;
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

/* Returns the action that a frame of the emulator executes: `executed` with `probability`, else
   `action`. Pass as `executed` the action of the previous frame, and 0 at an episode's first frame.
   Machado et al. use the probability 0.25. If an action is repeated for several frames, Machado et
   al. draw a random number for each frame. */
static inline int preprocess_sticky(uint64_t *random, double probability, int executed, int action)
{
    return preprocess_random(random) < probability * 4294967296.0 ? executed : action;
}

/* Returns the sign of a reward: -1, 0 or 1. */
static inline float preprocess_reward(float reward) { return (float)((reward > 0) - (reward < 0)); }

#endif
