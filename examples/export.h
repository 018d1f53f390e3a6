/* Writes a trained agent as one C header: the policy as a constant array, and a test vector.

       rise_error error;
       if (!export_policy("npc.rise", "npc.h", RISE_SAVE_POLICY, &error)) puts(error.text);

   A program that includes the header and rise.h plays the agent without a file. The program watch.c
   writes headers with the option --export. RISE_SAVE_FLOAT16 and RISE_SAVE_INT8 give headers with
   smaller weights. Names in the header begin with the name of the header's file. */
#ifndef EXPORT_H
#define EXPORT_H

#include "replace.h" /* first: defines _DEFAULT_SOURCE */

#include <ctype.h>
#include <float.h>

#include "../rise.h"

enum {
    EXPORT_STEPS = 8,   /* frames of the test vector: an episode from its start */
    EXPORT_SEEDS = 64,  /* test vectors that are tried: see export_test */
    EXPORT_NAME = 64,   /* bytes of a name */
    EXPORT_TEXT = 16384 /* bytes of a description as text */
};

/* What is written, and its sources. */
typedef struct exported {
    FILE *file;
    const char *header;         /* the name of the header, without its folder */
    char name[EXPORT_NAME], upper[EXPORT_NAME];
    char defaults[EXPORT_TEXT]; /* "\nfield=value\nfield=value\n" */
    void *block;                /* holds `policy` */
    unsigned char *policy;      /* at a multiple of 64 bytes */
    size_t size, at;            /* bytes of the policy; bytes counted or copied so far */
    int bits;                   /* of a weight in the policy: 32, 16 or 8 */
    rise_agent *agent;          /* plays the policy; in place, unless `bits` is 16 */
    rise_metrics training;      /* counters; all 0 if they cannot be read */
    uint32_t seed;              /* of the test vector */
    float *q;                   /* [EXPORT_STEPS][actions] */
    int actions[EXPORT_STEPS];
} exported;

/* ---------------------------------------------------------------------------------------------- */
/* The agent */

/* Sets `error` (may be NULL) to the sentence "SUBJECT TEXT". Returns 0. */
static inline int export_fail(rise_error *error, rise_result result, const char *subject,
                              const char *text)
{
    if (error == NULL) return 0;
    error->result = result;
    snprintf(error->text, sizeof error->text, "%.118s %.119s", subject, text);
    return 0;
}

/* Returns the part of a path after its folder. */
static inline const char *export_base(const char *path)
{
    const char *base = path;
    for (; *path != '\0'; path++)
        if (*path == '/' || *path == '\\') base = path + 1;
    return base;
}

/* Returns whether a file name can stand in a comment and in an #include. Such a name has no control
   characters, and none of * " ? < > |. */
static inline int export_writes(const char *name)
{
    for (; *name != '\0'; name++)
        if ((unsigned char)*name < ' ' || strchr("*\"?<>|", *name) != NULL) return 0;
    return 1;
}

/* Sets e->header, e->name and e->upper from the path of the header: "game/my npc.h" gives
   "my npc.h", "my_npc" and "MY_NPC". Returns 0 and sets `error` if the path is refused. */
static inline int export_name(exported *e, const char *path, rise_error *error)
{
    const char *const base = export_base(path);
    size_t const length = strlen(base);
    size_t i;
    if (length < 3 || strcmp(base + length - 2, ".h") != 0)
        return export_fail(error, RISE_BAD_CALL, path, "is not a name followed by .h");
    if (length > EXPORT_NAME - 8)
        return export_fail(error, RISE_BAD_CALL, path,
                           "is too long: choose a file name of at most 56 bytes");
    if (strcmp(base, "rise.h") == 0)
        return export_fail(error, RISE_BAD_CALL, path, "is the library; choose another name");
    if (!export_writes(base))
        return export_fail(error, RISE_BAD_CALL, path,
                           "has characters that #include does not take: choose a name of letters, "
                           "digits and ._-+");
    e->header = base;
    /* A name of C must not begin with a digit, and names with '_' at the start are reserved. */
    snprintf(e->name, sizeof e->name, "%s%.*s", isalpha((unsigned char)base[0]) ? "" : "agent_",
             (int)length - 2, base);
    for (i = 0; e->name[i] != '\0'; i++) {
        if (!isalnum((unsigned char)e->name[i])) e->name[i] = '_';
        e->upper[i] = (char)toupper((unsigned char)e->name[i]);
    }
    return 1;
}

/* Counts the bytes of the policy, as a rise_write_fn. If e->policy is not NULL, also copies the
   bytes there. Returns 0 if they do not fit. */
static inline int export_take(void *user, const void *data, size_t size)
{
    exported *const e = (exported *)user;
    if (e->policy != NULL) {
        if (size > e->size - e->at) return 0;
        memcpy(e->policy + e->at, data, size);
    }
    e->at += size;
    return 1;
}

/* Reads the counters of training. They stay 0 if the file holds a policy. They also stay 0 if the
   agent cannot be loaded to learn, for example because there is too little memory. */
static inline void export_read_training(exported *e, const char *path)
{
    rise_agent_desc machine;
    rise_agent *agent;
    memset(&machine, 0, sizeof machine);
    machine.background = -1; /* this program may be compiled without RISE_THREADS */
    if (rise_agent_load(&agent, path, &machine, NULL) != RISE_OK) return;
    rise_agent_metrics(agent, &e->training);
    rise_agent_destroy(agent);
}

/* Reads the agent of the file, and opens its policy with one player. `what` is RISE_SAVE_POLICY,
   RISE_SAVE_FLOAT16 or RISE_SAVE_INT8. */
static inline int export_read(exported *e, const char *path, rise_save what, rise_error *error)
{
    rise_agent_desc machine;
    rise_agent *agent;
    rise_result result;
    memset(&machine, 0, sizeof machine);
    machine.play_only = machine.players = 1;
    if (rise_agent_load(&agent, path, &machine, error) != RISE_OK) return 0;
    result = rise_agent_write(agent, what, export_take, e, error);
    if (result == RISE_OK) {
        e->size = e->at, e->at = 0;
        e->block = malloc(e->size + 64);
        e->q = (float *)malloc(sizeof(float) * EXPORT_STEPS *
                               (size_t)rise_agent_query(agent)->actions);
        if (e->block == NULL || e->q == NULL) {
            export_fail(error, result = RISE_NO_MEMORY, path, "is too large for the memory");
        } else {
            e->policy = (unsigned char *)e->block + (64 - (uintptr_t)e->block % 64) % 64;
            result = rise_agent_write(agent, what, export_take, e, error);
        }
    }
    rise_agent_destroy(agent);
    if (result != RISE_OK ||
        rise_agent_open(&e->agent, e->policy, e->size, &machine, error) != RISE_OK)
        return 0;
    e->bits = what == RISE_SAVE_FLOAT16 ? 16 : rise_agent_query(e->agent)->weight_bits;
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* The test vector. The code in the header generates the same random numbers, in the same order. */

/* Returns 0..255, from a linear congruential generator. */
static inline int export_byte(uint32_t *random)
{
    *random = *random * 1664525u + 1013904223u;
    return (int)(*random >> 24);
}

/* Returns the smallest difference between Q of the action and Q of another allowed action. */
static inline float export_gap(const float *q, int actions, int action, const uint8_t *allowed)
{
    float gap = FLT_MAX;
    int i;
    for (i = 0; i < actions; i++)
        if (i != action && (allowed == NULL || allowed[i]) && q[action] - q[i] < gap)
            gap = q[action] - q[i];
    return gap;
}

/* Plays one step of the test. Returns the gap of export_gap, or -1 if the agent refused. */
static inline float export_step(exported *e, int step, uint32_t *random, uint8_t *frame)
{
    const rise_agent_desc *const d = rise_agent_query(e->agent);
    int const pixels = d->frame_width * d->frame_height * d->frame_channels;
    float *const q = e->q + step * d->actions;
    float numbers[1024], reward;
    uint8_t allowed[256];
    const rise_real *values;
    int i, action;
    for (i = 0; i < pixels; i++) frame[i] = (uint8_t)export_byte(random);
    for (i = 0; i < d->numbers; i++) numbers[i] = (float)export_byte(random) / 64 - 2;
    for (i = 0; i < d->actions; i++) allowed[i] = (uint8_t)(export_byte(random) & 128);
    allowed[step % d->actions] = 1;
    reward = (float)export_byte(random) / 64 - 2;
    /* every other frame has a mask */
    action = rise_agent_play_numbers(e->agent, 0, pixels > 0 ? frame : NULL,
                                     d->numbers > 0 ? numbers : NULL, reward,
                                     step == 0 ? RISE_FIRST : RISE_MIDDLE,
                                     step % 2 == 1 ? allowed : NULL);
    values = rise_agent_values(e->agent, 0);
    if (action < 0 || values == NULL) return -1;
    for (i = 0; i < d->actions; i++) q[i] = (float)values[i];
    e->actions[step] = action;
    return export_gap(q, d->actions, action, step % 2 == 1 ? allowed : NULL);
}

/* Plays the test vector of e->seed. Returns the smallest gap of its frames, or -1 if the agent
   refused a frame. */
static inline float export_play(exported *e, uint8_t *frame)
{
    uint32_t random = e->seed;
    float smallest = FLT_MAX;
    int step;
    for (step = 0; step < EXPORT_STEPS && smallest >= 0; step++) {
        float const gap = export_step(e, step, &random, frame);
        if (gap < smallest) smallest = gap;
    }
    return smallest;
}

/* Computes the test vector. Where two actions have almost the same Q, kernels that round in another
   way may choose another action than here. So takes the seed whose smallest gap is the largest.
   Returns 0 and sets `error` on failure. */
static inline int export_test(exported *e, rise_error *error)
{
    const rise_agent_desc *const d = rise_agent_query(e->agent);
    size_t const pixels = (size_t)d->frame_width * (size_t)d->frame_height *
                          (size_t)d->frame_channels;
    uint8_t *const frame = (uint8_t *)malloc(pixels + 1);
    float best = -1, gap;
    uint32_t seed = 0;
    if (frame == NULL) return export_fail(error, RISE_NO_MEMORY, "the frame", "does not fit");
    for (e->seed = 1; e->seed <= EXPORT_SEEDS; e->seed++)
        if ((gap = export_play(e, frame)) > best) best = gap, seed = e->seed;
    e->seed = seed;
    gap = export_play(e, frame);
    free(frame);
    if (gap >= 0) return 1;
    if (error != NULL) *error = *rise_agent_error(e->agent);
    return 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* The text */

/* Writes the text. Replaces '@' by the name, and '^' by the name in capitals. */
static inline void export_text(const exported *e, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '@')
            fputs(e->name, e->file);
        else if (*text == '^')
            fputs(e->upper, e->file);
        else
            putc(*text, e->file);
}

/* Writes a file name. If export_writes refuses it, writes '_' in place of each character that is no
   letter, digit, '.', '-' or blank. */
static inline void export_file_name(const exported *e, const char *name)
{
    int const whole = export_writes(name);
    for (; *name != '\0'; name++)
        putc(whole || isalnum((unsigned char)*name) || strchr("._- ", *name) != NULL ? *name : '_',
             e->file);
}

/* Adds a line to e->defaults, as a rise_log_fn. */
static inline void export_default(void *user, const char *text)
{
    exported *const e = (exported *)user;
    size_t const length = strlen(e->defaults);
    if (length + strlen(text) + 2 <= sizeof e->defaults)
        snprintf(e->defaults + length, sizeof e->defaults - length, "%s\n", text);
}

/* Writes a field if its value is not the default, as a rise_log_fn. Leaves out the number of
   players and play_only, which do not belong to the agent. Writes all conv layers if they are the
   caller's, and none if they follow from `network`. */
static inline void export_field(void *user, const char *text)
{
    const exported *const e = (const exported *)user;
    char line[200];
    int differs;
    snprintf(line, sizeof line, "\n%s\n", text);
    differs = strstr(e->defaults, line) == NULL && strncmp(text, "play", 4) != 0;
    if (strncmp(text, "conv", 4) == 0)
        differs = rise_agent_query(e->agent)->network == RISE_NETWORK_CUSTOM;
    if (differs)
        fprintf(e->file, "       %s\n", text);
}

/* Writes the fields that differ from the defaults of an agent with the same frames, numbers and
   actions. */
static inline void export_fields(exported *e)
{
    const rise_agent_desc *const d = rise_agent_query(e->agent);
    rise_agent_desc defaults;
    memset(&defaults, 0, sizeof defaults);
    defaults.frame_width = d->frame_width, defaults.frame_height = d->frame_height;
    defaults.frame_channels = d->frame_channels, defaults.numbers = d->numbers;
    defaults.actions = d->actions;
    rise_agent_resolve(&defaults, NULL);
    strcpy(e->defaults, "\n");
    rise_agent_describe(&defaults, export_default, e);
    export_text(e, "\n   Fields that differ from the defaults:\n\n");
    rise_agent_describe(d, export_field, e);
}

/* Writes the number of weights, their kind, and the bytes that the agent takes. */
static inline void export_bytes(const exported *e)
{
    FILE *const f = e->file;
    rise_metrics m;
    rise_agent_metrics(e->agent, &m);
    fprintf(f, "       parameters    %.0f\n       weights       ", (double)m.parameters);
    if (e->bits == 16)
        fprintf(f, "16-bit floats, not read in place: rise_agent_open copies them to\n"
                   "                     RAM as 32-bit floats\n");
    else
        fprintf(f, "%s, read in place\n", e->bits == 8 ? "8 bits" : "32-bit floats");
    fprintf(f, "       flash         %.0f bytes, without code\n", (double)e->size);
    fprintf(f, "       RAM           %.0f bytes for one player, on a machine with %d bits\n",
            (double)m.bytes, (int)sizeof(void *) * 8);
    if (e->bits == 16)
        fprintf(f, "                     (at least %.0f of them for the weights)\n",
                4 * (double)m.parameters);
}

/* Writes what the agent is. */
static inline void export_facts(const exported *e)
{
    static const char *const memories[] = {"RISE", "NONE", "FULL"};
    const rise_agent_desc *const d = rise_agent_query(e->agent);
    const rise_metrics *const t = &e->training;
    FILE *const f = e->file;
    fprintf(f, "       observation   ");
    if (d->frame_width > 0)
        fprintf(f, "%d x %d pixels, %d byte%s each", d->frame_width, d->frame_height,
                d->frame_channels, d->frame_channels > 1 ? "s" : "");
    if (d->numbers > 0)
        fprintf(f, "%s%d number%s", d->frame_width > 0 ? "; " : "", d->numbers,
                d->numbers > 1 ? "s" : "");
    fprintf(f, "\n       actions       %d%s\n       memory        %s", d->actions,
            d->action_masks ? ", with masks" : "", memories[d->memory]);
    if (d->memory == RISE_MEMORY_NONE)
        fprintf(f, ": it sees the newest %d observation%s\n", d->frame_stack,
                d->frame_stack > 1 ? "s" : "");
    else
        fprintf(f, ": a recurrent net of %d units\n", d->recurrent_units);
    export_bytes(e);
    fprintf(f, "       training      ");
    if (t->steps == 0)
        fprintf(f, "unknown: the file has no counters that can be read here\n");
    else
        fprintf(f,
                "%.0f steps, %.0f updates, %.0f episodes;\n                     "
                "mean return of the last 100 episodes: %.4g\n",
                (double)t->steps, (double)t->updates, (double)t->episodes, t->mean_return);
}

/* Writes the program for a microcontroller, with the macros that leave out what this agent does not
   need. */
static inline void export_small(const exported *e)
{
    const rise_agent_desc *const d = rise_agent_query(e->agent);
    rise_metrics m;
    export_text(e, "\n   On a microcontroller, pass the memory for the agent:\n"
                   "   rise_agent_open_bytes returns the number of bytes. Define these macros in\n"
                   "   every file:\n\n"
                   "       #define RISE_PLAY_ONLY\n");
    if (d->head == RISE_HEAD_MEAN && !d->noisy && !d->spectral_norm)
        export_text(e, "       #define RISE_NO_RAINBOW\n");
    if (d->memory != RISE_MEMORY_RISE || d->embedding == RISE_EMBED_DOWNSAMPLE ||
        d->embedding == RISE_EMBED_SIGNS)
        export_text(e, "       #define RISE_NO_ENCODERS\n");
    rise_agent_metrics(e->agent, &m);
    fprintf(e->file, "\n       static unsigned char memory[%lu];\n",
            (unsigned long)(m.bytes + 1023) / 1024 * 1024);
    export_text(e, "       rise_agent_desc machine = {0};\n"
                   "       machine.memory_block = memory, machine.memory_bytes = sizeof memory;\n"
                   "       if (rise_agent_open(&agent, @_policy, sizeof @_policy, &machine, NULL)"
                   " < 0) return 1;\n\n"
                   "   Instead of @_check(), call @_check_in(memory, sizeof memory). Do this\n"
                   "   before rise_agent_open, because the check overwrites `memory`. ");
}

/* Writes the comment at the top. `path` is the agent's file. */
static inline void export_comment(exported *e, const char *path)
{
    const rise_agent_desc *const d = rise_agent_query(e->agent);
    fprintf(e->file, "/* ");
    export_file_name(e, e->header);
    fprintf(e->file, ": a trained agent, written by examples/watch.c from ");
    export_file_name(e, export_base(path));
    fprintf(e->file, ".\n   This header needs rise.h and nothing else.\n\n");
    export_facts(e);
    export_fields(e);
    export_text(e, "\n   A program that uses it; define RISE_IMPLEMENTATION in one file:\n\n"
                   "       #define RISE_IMPLEMENTATION\n       #include \"");
    export_file_name(e, e->header);
    export_text(e, "\"\n\n       rise_agent *agent;\n"
                   "       if (rise_agent_open(&agent, @_policy, sizeof @_policy, NULL, NULL) < 0)"
                   " return 1;\n");
    fprintf(e->file, "       action = rise_agent_play%s(agent, 0, %s, %s0, RISE_FIRST, NULL);\n",
            d->numbers > 0 ? "_numbers" : "", d->frame_width > 0 ? "frame" : "NULL",
            d->numbers > 0 ? "numbers, " : "");
    export_text(e, "\n   The later frames of an episode are RISE_MIDDLE. @_check() returns 0 if "
                   "the\n   agent computes the same here as where it was exported.\n");
    if (d->feed_action)
        export_text(e, "   With the later frames, pass the reward of the last action instead of 0: "
                       "the\n   agent reads it.\n");
    export_small(e);
    export_text(e, "*/\n"
                   "#ifndef ^_POLICY_H\n#define ^_POLICY_H\n\n#include \"rise.h\"\n\n"
                   "#include <string.h>\n\n");
}

static inline void export_sizes(const exported *e)
{
    const rise_agent_desc *const d = rise_agent_query(e->agent);
    export_text(e, "enum {\n");
    if (d->frame_width > 0) {
        export_text(e, "    @_width = ");
        fprintf(e->file, "%d,\n", d->frame_width);
        export_text(e, "    @_height = ");
        fprintf(e->file, "%d,\n", d->frame_height);
        export_text(e, "    @_channels = ");
        fprintf(e->file, "%d,\n", d->frame_channels);
    }
    if (d->numbers > 0) {
        export_text(e, "    @_numbers = ");
        fprintf(e->file, "%d,\n", d->numbers);
    }
    export_text(e, "    @_actions = ");
    fprintf(e->file, "%d\n};\n\n", d->actions);
}

/* Writes the policy as an array. Weights of 32 or 8 bits are read in place, so the array is
   aligned. */
static inline void export_array(const exported *e)
{
    char digits[8];
    size_t i;
    int column = 0, aligned = e->bits != 16;
    if (aligned)
        export_text(e, "#if defined(_MSC_VER)\n#define ^_ALIGN __declspec(align(64))\n"
                       "#elif defined(__GNUC__) || defined(__clang__) || defined(__TINYC__)\n"
                       "#define ^_ALIGN __attribute__((aligned(64)))\n"
                       "#else /* rise_agent_open copies the weights if they are not aligned */\n"
                       "#define ^_ALIGN\n#endif\n\n");
    export_text(e, aligned ? "static const ^_ALIGN unsigned char @_policy[] = {\n"
                           : "static const unsigned char @_policy[] = {\n");
    for (i = 0; i < e->size; i++) {
        int const length = snprintf(digits, sizeof digits, "%d,", e->policy[i]);
        if (column + length > 96) putc('\n', e->file), column = 0;
        if (column == 0) fputs("    ", e->file);
        fputs(digits, e->file);
        column += length;
    }
    export_text(e, aligned ? "\n};\n#undef ^_ALIGN\n\n" : "\n};\n\n");
}

/* Writes what the test must give: each Q value as the bits of a float, and the actions. */
static inline void export_expected(const exported *e)
{
    int const actions = rise_agent_query(e->agent)->actions;
    int step, i;
    fprintf(e->file, "    static const uint32_t expected[%d][%d] = {\n", EXPORT_STEPS, actions);
    for (step = 0; step < EXPORT_STEPS; step++) {
        fputs("        {", e->file);
        for (i = 0; i < actions; i++) {
            uint32_t bits;
            memcpy(&bits, &e->q[step * actions + i], sizeof bits);
            fprintf(e->file, "%s0x%08lxu", i == 0 ? "" : i % 6 == 0 ? ",\n         " : ", ",
                    (unsigned long)bits);
        }
        fputs(step + 1 < EXPORT_STEPS ? "},\n" : "}};\n", e->file);
    }
    fprintf(e->file, "    static const unsigned char actions[%d] = {", EXPORT_STEPS);
    for (step = 0; step < EXPORT_STEPS; step++)
        fprintf(e->file, "%s%d", step > 0 ? ", " : "", e->actions[step]);
    fputs("};\n", e->file);
}

/* Writes two functions: the random generator, and a step of the test with a random observation. */
static inline void export_play_function(const exported *e)
{
    const rise_agent_desc *const d = rise_agent_query(e->agent);
    int const frames = d->frame_width > 0, numbers = d->numbers > 0;
    export_text(e, "/* Returns 0..255, from a linear congruential generator. */\n"
                   "static inline int @_byte(uint32_t *random)\n{\n"
                   "    *random = *random * 1664525u + 1013904223u;\n"
                   "    return (int)(*random >> 24);\n}\n\n"
                   "/* Plays frame `step` of the test. Every other frame has a mask. */\n"
                   "static inline int @_test_step(rise_agent *agent, int step, uint32_t *random)\n"
                   "{\n");
    if (frames)
        export_text(e, "    static uint8_t frame[@_width * @_height * @_channels];\n");
    if (numbers) export_text(e, "    float numbers[@_numbers];\n");
    export_text(e, "    uint8_t allowed[@_actions];\n    float reward;\n    int i;\n");
    if (frames)
        export_text(e, "    for (i = 0; i < @_width * @_height * @_channels; i++)\n"
                       "        frame[i] = (uint8_t)@_byte(random);\n");
    if (numbers)
        export_text(e, "    for (i = 0; i < @_numbers; i++)\n"
                       "        numbers[i] = (float)@_byte(random) / 64 - 2;\n");
    export_text(e, "    for (i = 0; i < @_actions; i++)\n"
                   "        allowed[i] = (uint8_t)(@_byte(random) & 128);\n"
                   "    allowed[step % @_actions] = 1;\n"
                   "    reward = (float)@_byte(random) / 64 - 2;\n");
    fprintf(e->file,
            "    return rise_agent_play_numbers(agent, 0, %s, %s, reward,\n"
            "                                   step == 0 ? RISE_FIRST : RISE_MIDDLE,\n"
            "                                   step %% 2 == 1 ? allowed : NULL);\n}\n\n",
            frames ? "frame" : "NULL", numbers ? "numbers" : "NULL");
}

/* Writes the function that checks an agent. Kernels that are not fused may differ within `limit`.
   With 8-bit weights, inputs of layers are rounded to integers. An input whose last bits differ may
   be rounded to the next integer. So `limit` is wider for 8-bit weights. The largest difference was
   1.8e-7 * (1 + |Q|), in seven kinds of agents with 20 seeds each. The largest difference of an
   earlier version was 2.3e-4 * (1 + |Q|). */
static inline void export_check_agent(const exported *e)
{
    const char *const limit = e->bits == 8 ? "5e-3f" : "1e-5f";
    rise_metrics m;
    rise_agent_metrics(e->agent, &m);
    export_text(e, "/* Plays an episode of random frames as player 0 of an agent that was opened\n"
                   "   from @_policy. Returns 0 if Q values and actions are the expected ones.\n"
                   "   Else returns the number of the first wrong frame, counted from 1, or a\n"
                   "   negative rise_result. Q must be equal bit for bit if the kernels are\n"
                   "   fused, here and where the policy was exported. Otherwise Q may differ by\n"
                   "   `limit` * (1 + |Q|). Then another action than the expected one is right,\n"
                   "   too, if the Q values of both actions are almost equal. The frames after\n"
                   "   that action are not played. The player's next frame must be RISE_FIRST. */\n"
                   "static inline int @_check_agent(rise_agent *agent)\n{\n");
    export_expected(e);
    fprintf(e->file, "    float const limit = %s;\n    uint32_t random = %luu;\n", limit,
            (unsigned long)e->seed);
    fprintf(e->file, "    rise_metrics m;\n    int exact, step, i;\n"
                     "    rise_agent_metrics(agent, &m);\n    exact = %ssizeof(rise_real) == 4;\n",
            m.fused ? "m.fused && " : "0 && /* exported by kernels that are not fused */ ");
    fprintf(e->file, "    for (step = 0; step < %d; step++) {\n", EXPORT_STEPS);
    export_text(e, "        int const action = @_test_step(agent, step, &random);\n"
                   "        const rise_real *const q = rise_agent_values(agent, 0);\n"
                   "        float size[@_actions];\n"
                   "        if (action < 0) return action;\n"
                   "        if (q == NULL) return step + 1;\n"
                   "        for (i = 0; i < @_actions; i++) {\n"
                   "            float const value = (float)q[i];\n"
                   "            float wanted;\n"
                   "            memcpy(&wanted, &expected[step][i], sizeof wanted);\n"
                   "            if (exact && memcmp(&value, &wanted, sizeof value) != 0)"
                   " return step + 1;\n"
                   "            size[i] = limit * (1 + (wanted < 0 ? -wanted : wanted));\n"
                   "            if (!(value - wanted <= size[i] && wanted - value <= size[i]))"
                   " return step + 1;\n        }\n"
                   "        if (action == actions[step]) continue;\n"
                   "        if (exact) return step + 1;\n"
                   "        return (float)(q[action] - q[actions[step]]) <="
                   " size[action] + size[actions[step]] ? 0 : step + 1;\n"
                   "    }\n    return 0;\n}\n\n");
}

/* Writes the functions that open the policy and check it. */
static inline void export_check_functions(const exported *e)
{
    export_check_agent(e);
    export_text(e, "/* Opens an agent with the policy in `memory` [bytes], checks the agent with\n"
                   "   @_check_agent, and destroys the agent. If `memory` is NULL, the library\n"
                   "   allocates the memory, but not with RISE_PLAY_ONLY. Returns\n"
                   "   RISE_NO_MEMORY if `bytes` is too small. */\n"
                   "static inline int @_check_in(void *memory, size_t bytes)\n{\n"
                   "    rise_agent_desc machine;\n    rise_agent *agent;\n    int result;\n"
                   "    memset(&machine, 0, sizeof machine);\n"
                   "    machine.memory_block = memory, machine.memory_bytes = bytes;\n"
                   "    result = (int)rise_agent_open(&agent, @_policy, sizeof @_policy, &machine, "
                   "NULL);\n"
                   "    if (result < 0) return result;\n"
                   "    result = @_check_agent(agent);\n"
                   "    rise_agent_destroy(agent);\n"
                   "    return result;\n}\n"
                   "#ifndef RISE_PLAY_ONLY\n"
                   "static inline int @_check(void) { return @_check_in(NULL, 0); }\n#endif\n\n"
                   "#endif\n");
}

static inline int export_write(exported *e, const char *path, const char *out, rise_error *error)
{
    replace_file r;
    char text[140];
    e->file = replace_begin(&r, out);
    if (e->file != NULL) {
        export_comment(e, path);
        export_sizes(e);
        export_array(e);
        export_play_function(e);
        export_check_functions(e);
    }
    if (replace_end(&r, 1)) return 1;
    snprintf(text, sizeof text, "cannot be written%s", replace_cause(""));
    return export_fail(error, RISE_IO, out, text);
}

static inline void export_close(exported *e)
{
    if (e == NULL) return;
    rise_agent_destroy(e->agent);
    free(e->block);
    free(e->q);
    free(e);
}
/* Reads the agent of the file `path`, and opens the policy that export_policy would write. The
   member `agent` of the result plays this policy. The caller frees the result with export_close.
   Returns NULL on failure; `error` then has a sentence. */
static inline exported *export_open(const char *path, rise_save what, rise_error *error)
{
    exported *const e = (exported *)calloc(1, sizeof *e);
    if (e == NULL) return export_fail(error, RISE_NO_MEMORY, path, "needs more memory"), NULL;
    if (export_read(e, path, what, error)) return e;
    export_close(e);
    return NULL;
}
/* Writes an open policy as the header `out`. `path` is the file that it was opened from. Returns 0
   on failure; `error` then has a sentence. */
static inline int export_header(exported *e, const char *path, const char *out, rise_error *error)
{
    if (!export_name(e, out, error) || !export_test(e, error)) return 0;
    export_read_training(e, path);
    return export_write(e, path, out, error);
}
/* Writes the agent in the file `path` as the header `out`, which must end with ".h". `what` is
   RISE_SAVE_POLICY, or RISE_SAVE_FLOAT16 or RISE_SAVE_INT8 for weights of 16 or 8 bits. An agent
   with 8-bit weights keeps them with RISE_SAVE_POLICY. Returns 0 on failure; `error` then has a
   sentence. With POSIX, an older header stays until the new one is complete (see replace.h). */
static inline int export_policy(const char *path, const char *out, rise_save what,
                                rise_error *error)
{
    exported *const e = export_open(path, what, error);
    int good;
    if (e == NULL) return 0;
    good = export_header(e, path, out, error);
    export_close(e);
    return good;
}

#endif
