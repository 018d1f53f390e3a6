/* Builds of rise.h that leave parts out, for tests that compare them with the whole library.

   One program cannot include rise.h with RISE_PLAY_ONLY and without it. So each build is an object
   of its own, whose functions the test calls through a table. This header is compiled for an
   object, with the name of the table and with the macros of the build:

       cc -DPLAYER_BUILD=player_plain -DRISE_PLAY_ONLY -DRISE_NO_SIMD -x c -c tests/player_builds.h

   The types of the public functions are the same in all builds. rise_agent is another struct in
   each build, so an agent belongs to the functions of its table. tests/run.sh and tests/fuzz/run.sh
   compile the objects. */
#ifndef PLAYER_BUILDS_H
#define PLAYER_BUILDS_H

#ifdef PLAYER_BUILD
#undef RISE_SELF
#undef RISE_STATIC
#define RISE_STATIC
#define RISE_IMPLEMENTATION
#include "../rise.h"
#endif

/* The functions of a build: those of rise.h with the same name. */
typedef struct player_build {
    const char *name;
    rise_result (*open)(rise_agent **agent, const void *data, size_t size,
                        const rise_agent_desc *machine, rise_error *error);
    size_t (*open_bytes)(const void *data, size_t size, const rise_agent_desc *machine,
                         rise_error *error);
    rise_result (*read)(rise_agent **agent, rise_read_fn fn, void *user, uint64_t size,
                        const rise_agent_desc *machine, rise_error *error);
    void (*destroy)(rise_agent *agent);
    int (*play)(rise_agent *agent, int player, const uint8_t *frame, float reward, rise_event event,
                const uint8_t *allowed);
    int (*play_numbers)(rise_agent *agent, int player, const uint8_t *frame, const float *numbers,
                        float reward, rise_event event, const uint8_t *allowed);
    rise_result (*play_all)(rise_agent *agent, const uint8_t *frames, const float *numbers,
                            const float *rewards, const rise_event *events, const uint8_t *allowed,
                            int *actions);
    rise_result (*set_player)(rise_agent *agent, int player, double epsilon, double temperature);
    const rise_real *(*values)(const rise_agent *agent, int player);
    const rise_agent_desc *(*query)(const rise_agent *agent);
    const rise_error *(*error)(const rise_agent *agent);
    void (*metrics)(const rise_agent *agent, rise_metrics *metrics);
    const char *(*result_text)(rise_result result);
    const char *(*version)(void);
    rise_result (*shrink)(const rise_kernels *kernels, const rise_picture *picture, uint8_t *frame,
                          int width, int height, int channels, rise_error *error);
    const rise_kernels *(*kernels)(rise_isa isa);
    /* reads a number, as a float if the build has float fields: RISE_PLAY_ONLY with
       RISE_NO_RAINBOW */
    int (*number)(const char *text, double *value);
    /* NULL with RISE_PLAY_ONLY */
    rise_result (*create)(rise_agent **agent, const rise_agent_desc *desc, rise_error *error);
    rise_result (*self_test)(rise_isa isa, rise_error *error);
} player_build;

static inline int player_number(const char *text, double *value)
{
    risei_value number = 0;
    if (!risei_number_read(text, &number)) return 0;
    *value = (double)number;
    return 1;
}
#ifdef RISE_PLAY_ONLY
#define PLAYER_LEARNS(function) NULL
#else
#define PLAYER_LEARNS(function) function
#endif
#define PLAYER_TABLE(name)                                                                         \
    {name, rise_agent_open, rise_agent_open_bytes, rise_agent_read, rise_agent_destroy,            \
     rise_agent_play, rise_agent_play_numbers, rise_agent_play_all, rise_agent_set_player,         \
     rise_agent_values, rise_agent_query, rise_agent_error, rise_agent_metrics, rise_result_text,  \
     rise_version, rise_frame_shrink, rise_kernels_of, player_number,                              \
     PLAYER_LEARNS(rise_agent_create), PLAYER_LEARNS(rise_self_test)}

#ifdef PLAYER_BUILD
#define PLAYER_TEXT(name) #name
#define PLAYER_NAME(name) PLAYER_TEXT(name)
extern const player_build PLAYER_BUILD;
const player_build PLAYER_BUILD = PLAYER_TABLE(PLAYER_NAME(PLAYER_BUILD));
#endif

#endif
