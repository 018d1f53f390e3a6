/* What the fuzz targets share: a reader of input bytes, values at the edges of their ranges, the
   work that an agent must be able to do, and a driver that needs no fuzzing library.

   A target is a function of bytes. The bytes are a program: a list of changes to an object that the
   target makes itself, such as the file of a tiny agent. So short inputs reach deep, and the
   checksums of changed files are right. A target uses CHECK; a failed check counts as a crash.

   A target is compiled in one of three ways.
   * FUZZ_ALL: tests/fuzz.c includes all targets and calls fuzz_replay.
   * FUZZ_LIBFUZZER: libFuzzer has main and calls LLVMFuzzerTestOneInput. See tests/fuzz/run.sh.
   * Otherwise: the target has a main of its own: `./agent CORPUS.txt [RUNS [SEED]]`.

   corpus/NAME.txt holds inputs, one a line, in hexadecimal. Lines that begin with # are comments.
   An input that found a bug stays there, with a comment that says which bug. */
#ifndef FUZZ_H
#define FUZZ_H

#include "../toy.h"

enum { FUZZ_INPUT = 4096, FUZZ_CORPUS = 2000 }; /* most bytes of an input; most inputs */

/* ---------------------------------------------------------------------------------------------- */
/* Reading an input */

typedef struct program {
    const uint8_t *at, *end;
} program;

/* Each function returns zeros after the end of the input. */
CHECK_UNUSED static unsigned program_byte(program *p) { return p->at < p->end ? *p->at++ : 0; }
CHECK_UNUSED static uint64_t program_number(program *p, int bytes)
{
    uint64_t number = 0;
    while (bytes-- > 0) number = number << 8 | program_byte(p);
    return number;
}
/* Returns an index below n. Reads a second byte if n is large. */
CHECK_UNUSED static size_t program_below(program *p, size_t n)
{
    return (size_t)program_number(p, n > 256 ? 2 : 1) % (n > 0 ? n : 1);
}
/* Copies a string of at most room - 1 characters, and a zero. Its length is in front of it. Returns
   the length. */
CHECK_UNUSED static size_t program_text(program *p, char *text, size_t room)
{
    size_t length = program_below(p, room), i;
    for (i = 0; i < length; i++) text[i] = (char)program_byte(p);
    text[length] = '\0';
    return length;
}

/* ---------------------------------------------------------------------------------------------- */
/* Values */

/* Integers and bits of floats at the edges of their ranges. */
static const uint64_t fuzz_odd[] = {0,
                                    1,
                                    2,
                                    0x7F,
                                    0xFF,
                                    0x7FFF,
                                    0xFFFF,
                                    0x7FFFFFFF,
                                    0x80000000,
                                    0xFFFFFFFF,
                                    0x100000000,
                                    0x3F800000,
                                    0x7F800000,
                                    0x7FC00000,
                                    0xFF800000,
                                    0x7F7FFFFF,
                                    0xFF7FFFFF,
                                    0x00000001,
                                    0x7C00,
                                    0x7E00,
                                    UINT64_C(0x3FF0000000000000),
                                    UINT64_C(0xBFF0000000000000),
                                    UINT64_C(0x7FF0000000000000),
                                    UINT64_C(0x7FF8000000000000),
                                    UINT64_C(0x7FEFFFFFFFFFFFFF),
                                    UINT64_C(0x3EB0C6F7A0B5ED8D),
                                    UINT64_C(0x0020000000000000),
                                    UINT64_C(0x0020000000000001),
                                    UINT64_C(0x7FFFFFFFFFFFFFFF),
                                    UINT64_C(0x8000000000000000),
                                    UINT64_C(0xFFFFFFFFFFFFFFFF)};
CHECK_UNUSED static uint64_t fuzz_integer(program *p)
{
    unsigned const kind = program_byte(p);
    if (kind < 128) return kind;
    if (kind < 160) return program_number(p, (int)(kind % 8) + 1);
    return fuzz_odd[kind % COUNT(fuzz_odd)];
}

/* Returns row i of the tables of fields: those of a description, then those of conv[0], conv[1] and
   so on. *conv is the layer, or -1. */
enum { FUZZ_FIELDS = RISEI_FIELDS + RISE_MAX_CONV * RISEI_CONV_FIELDS };
CHECK_UNUSED static const risei_field *fuzz_field(size_t i, int *conv)
{
    *conv = i < RISEI_FIELDS ? -1 : (int)(i - RISEI_FIELDS) / RISEI_CONV_FIELDS;
    return i < RISEI_FIELDS ? &risei_fields[i]
                            : &risei_conv_fields[(i - RISEI_FIELDS) % RISEI_CONV_FIELDS];
}
/* Returns a value for a field: small, in its range, at an end of it, or beyond. */
CHECK_UNUSED static double fuzz_value(program *p, const risei_field *field)
{
    static const double odd[] = {-1,   -0.0,  0.5,   1e-7, 1e9,         1e300,       -1e300,
                                 3e-5, 1e-45, 1e38,  0.99, 4294967297.0, 2147483648.0, -2e9,
                                 2e9,  1e6,   0.001, 4096, 8192,        65536,       255};
    double const high = field->word_of != NULL ? risei_words_count(field->word_of) - 1
                                                : field->high;
    unsigned const kind = program_byte(p);
    switch (kind % 8) {
    case 0: return odd[kind / 8 % COUNT(odd)];
    case 1: return field->low - (kind & 8 ? 1 : 0);
    case 2: return high + (kind & 8 ? 1 : 0);
    case 3: return (double)program_number(p, 2);
    case 4: return (double)program_byte(p) / 256;
    case 5: return floor(field->low + (high - field->low) * (double)program_byte(p) / 255);
    default: return kind / 8;
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Agents at work */

/* An embed_fn for frames and embeddings of any size. toy_embed reads PIXELS bytes, and a changed
   description may have smaller frames or larger embeddings. */
CHECK_UNUSED static void fuzz_embed(void *user, const uint8_t *frame, float *embedding, int size)
{
    int i;
    (void)user;
    for (i = 0; i < size; i++) embedding[i] = (float)frame[0] / 64 - (float)(i % 7) / 8;
}
/* Checks that the agent breaks no rule of risei_agent_wrong. */
CHECK_UNUSED static void fuzz_check_agent(const rise_agent *a)
{
    const char *const wrong = risei_agent_wrong(a);
    if (!CHECK(wrong == NULL)) printf("    %s\n", wrong);
    CHECK(rise_agent_query(a)->actions >= 1);
}
/* Sets the events of a step. Most episodes continue. Some are terminated or truncated. */
static void fuzz_events(const rise_agent *a, program *p, rise_event *events)
{
    size_t const games = (size_t)a->desc.environments;
    unsigned const chance = program_byte(p);
    size_t g;
    for (g = 0; g < games; g++) {
        const risei_history *const h = &a->replay.history;
        events[g] = risei_history_ended(h, (int)g) || (chance + g) % 7 == 6 ? RISE_FIRST
                    : (chance + g) % 5 == 4                                 ? RISE_TERMINATED
                    : (chance + g) % 11 == 10                               ? RISE_TRUNCATED
                                                                            : RISE_MIDDLE;
        if (risei_actor_demonstrates(&a->desc, (int)g)) events[g] = RISE_ABSENT;
    }
}
/* Does some steps with every environment, and an update. */
static void fuzz_train(rise_agent *a, program *p, int steps)
{
    const rise_agent_desc *const d = rise_agent_query(a);
    size_t const games = (size_t)d->environments, actions_each = (size_t)d->actions;
    size_t const pixels = (size_t)(d->frame_width * d->frame_height * d->frame_channels);
    uint8_t *const frames = (uint8_t *)malloc(games * pixels + 1);
    uint8_t *const allowed = (uint8_t *)malloc(games * actions_each);
    size_t const numbers_each = (size_t)d->numbers;
    float *const numbers = (float *)calloc(games * numbers_each + 1, sizeof *numbers);
    float *const rewards = (float *)calloc(games, sizeof *rewards);
    rise_event *const events = (rise_event *)calloc(games, sizeof *events);
    int *const actions = (int *)calloc(games, sizeof *actions);
    rise_result result = RISE_OK;
    size_t i;
    if (frames == NULL || allowed == NULL || rewards == NULL || events == NULL || actions == NULL ||
        numbers == NULL)
        exit(1);
    memset(allowed, 1, games * actions_each);
    while (steps-- > 0) {
        memset(frames, (int)program_byte(p), games * pixels);
        for (i = 0; i < games; i++) rewards[i] = (float)((int)program_byte(p) - 128) / 16;
        for (i = 0; i < games * numbers_each; i++) numbers[i] = rewards[i % games] * (float)i;
        fuzz_events(a, p, events);
        result = rise_agent_step_all(a, pixels > 0 ? frames : NULL,
                                     numbers_each > 0 ? numbers : NULL, rewards, events,
                                     d->action_masks ? allowed : NULL, actions);
        if (!CHECK(result == RISE_OK || result == RISE_NOT_FINITE))
            printf("    %s\n", rise_agent_error(a)->text);
        for (i = 0; i < games; i++) CHECK(actions[i] >= 0 && actions[i] < d->actions);
    }
    result = rise_agent_learn(a);
    CHECK(result == RISE_OK || result == RISE_NOT_FINITE ||
          (result == RISE_BAD_CALL && a->replay.ready == 0));
    free(frames), free(allowed), free(numbers), free(rewards), free(events), free(actions);
}
/* Trains, and plays as the last player. */
CHECK_UNUSED static void fuzz_work(rise_agent *a, program *p)
{
    const rise_agent_desc *const d = rise_agent_query(a);
    size_t const pixels = (size_t)(d->frame_width * d->frame_height * d->frame_channels);
    uint8_t *const frame = (uint8_t *)malloc(pixels + 1);
    float *const numbers = (float *)calloc((size_t)d->numbers + 1, sizeof *numbers);
    int i, action = -1;
    if (frame == NULL || numbers == NULL) exit(1);
    fuzz_check_agent(a);
    if (d->play_only)
        CHECK(rise_agent_learn(a) == RISE_BAD_CALL);
    else
        fuzz_train(a, p, 6);
    for (i = 0; i < 3; i++) {
        memset(frame, (int)program_byte(p), pixels);
        action = rise_agent_play_numbers(a, d->players - 1, pixels > 0 ? frame : NULL,
                                         d->numbers > 0 ? numbers : NULL, 0,
                                         action < 0 ? RISE_FIRST : RISE_MIDDLE, NULL);
        /* the forged weights of a snapshot may give embeddings that are not finite */
        CHECK(action < d->actions);
        CHECK(action >= 0 ||
              (action == RISE_NOT_FINITE && d->embedding == RISE_EMBED_SNAPSHOT));
        CHECK(action < 0 || rise_agent_values(a, d->players - 1) != NULL);
    }
    fuzz_check_agent(a);
    free(frame), free(numbers);
}

/* ---------------------------------------------------------------------------------------------- */
/* Blocks of memory */

/* Bytes before and after a block of the caller, which must keep their values. The address sanitizer
   guards the end of the memory itself, and sees reads too. */
enum { FUZZ_GUARD = 256, FUZZ_CANARY = 0x5A };
#if defined(__SANITIZE_ADDRESS__)
enum { FUZZ_AFTER = 0 };
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
enum { FUZZ_AFTER = 0 };
#else
enum { FUZZ_AFTER = FUZZ_GUARD };
#endif
#else
enum { FUZZ_AFTER = FUZZ_GUARD };
#endif
/* Returns whether all bytes are still FUZZ_CANARY. */
CHECK_UNUSED static int fuzz_keeps(const unsigned char *memory, size_t size)
{
    size_t i;
    for (i = 0; i < size && memory[i] == FUZZ_CANARY; i++) {}
    return i == size;
}

/* ---------------------------------------------------------------------------------------------- */
/* The driver */

typedef void (*fuzz_target)(const uint8_t *data, size_t size);

/* Runs an input from a block of exactly its size, for address sanitizers. Prints an input that
   fails, as a line for the corpus. */
CHECK_UNUSED static void fuzz_run(fuzz_target target, const uint8_t *data, size_t size)
{
    uint8_t *const copy = (uint8_t *)calloc(size > 0 ? size : 1, 1);
    long const failed = check_state.failed;
    size_t i;
    if (copy == NULL) exit(1);
    if (size > 0) memcpy(copy, data, size);
    target(copy, size);
    CHECK(toy_memory.held == 0);
    if (check_state.failed > failed && failed < 20) {
        printf("    the input was ");
        for (i = 0; i < size; i++) printf("%02x", (unsigned)copy[i]);
        printf("\n");
    }
    free(copy);
}

#ifndef FUZZ_LIBFUZZER

static struct {
    uint8_t *data[FUZZ_CORPUS];
    size_t size[FUZZ_CORPUS];
    int count;
} fuzz_corpus;

/* Reads one line of a corpus. Returns its bytes, or -1 for a comment or an empty line. */
static int fuzz_line(const char *line, uint8_t *data)
{
    static const char digits[] = "0123456789abcdef";
    int size = 0;
    while (line[0] != '\0' && line[1] != '\0' && strchr(digits, line[0]) != NULL &&
           strchr(digits, line[1]) != NULL && size < FUZZ_INPUT) {
        data[size++] = (uint8_t)((strchr(digits, line[0]) - digits) * 16 +
                                 (strchr(digits, line[1]) - digits));
        line += 2;
    }
    return size > 0 ? size : -1;
}
/* Reads a corpus. Returns whether the file could be read. */
static int fuzz_read(const char *path)
{
    static char line[2 * FUZZ_INPUT + 3];
    static uint8_t data[FUZZ_INPUT];
    FILE *const file = fopen(path, "r");
    while (fuzz_corpus.count > 0) free(fuzz_corpus.data[--fuzz_corpus.count]);
    if (file == NULL) return 0;
    while (fuzz_corpus.count < FUZZ_CORPUS && fgets(line, sizeof line, file) != NULL) {
        int const size = fuzz_line(line, data);
        if (size < 0) continue;
        fuzz_corpus.data[fuzz_corpus.count] = (uint8_t *)malloc((size_t)size);
        if (fuzz_corpus.data[fuzz_corpus.count] == NULL) exit(1);
        memcpy(fuzz_corpus.data[fuzz_corpus.count], data, (size_t)size);
        fuzz_corpus.size[fuzz_corpus.count++] = (size_t)size;
    }
    fclose(file);
    return 1;
}
/* Changes data [size], which has room for FUZZ_INPUT bytes. Returns the new size. */
static size_t fuzz_mutate(uint8_t *data, size_t size, risei_random *dice)
{
    size_t const at = size > 0 ? (size_t)risei_random_below(dice, (int)size) : 0, left = size - at;
    int const other = fuzz_corpus.count > 0 ? risei_random_below(dice, fuzz_corpus.count) : -1;
    size_t count = 1 + (size_t)risei_random_below(dice, 8);
    uint8_t const byte = (uint8_t)risei_random_below(dice, 256);
    switch (risei_random_below(dice, 6)) {
    case 0:
        if (size > 0) data[at] = (uint8_t)(data[at] ^ 1u << byte % 8);
        break;
    case 1:
        if (size > 0) data[at] = byte;
        break;
    case 2: /* removes bytes */
        if (count > left) count = left;
        memmove(data + at, data + at + count, left - count);
        size -= count;
        break;
    case 3: /* goes on as another input */
        if (other < 0) break;
        count = fuzz_corpus.size[other] < FUZZ_INPUT - at ? fuzz_corpus.size[other]
                                                          : FUZZ_INPUT - at;
        memcpy(data + at, fuzz_corpus.data[other], count);
        size = at + count;
        break;
    default: /* inserts bytes */
        if (count > FUZZ_INPUT - size) count = FUZZ_INPUT - size;
        memmove(data + at + count, data + at, left);
        size += count;
        while (count-- > 0) data[at + count] = (uint8_t)risei_random_below(dice, 256);
    }
    return size;
}
/* Runs the empty input, all inputs of a corpus, and then `runs` random changes of them. Returns the
   number of runs, or 0 if the corpus cannot be read. */
CHECK_UNUSED static long fuzz_replay(fuzz_target target, const char *path, long runs, uint64_t seed)
{
    static uint8_t data[FUZZ_INPUT];
    risei_random dice = risei_random_stream(seed, 1);
    long i;
    int n, changes;
    if (!fuzz_read(path)) return 0;
    fuzz_run(target, data, 0);
    for (n = 0; n < fuzz_corpus.count; n++) {
        check_about("%s, input %d", path, n + 1);
        fuzz_run(target, fuzz_corpus.data[n], fuzz_corpus.size[n]);
    }
    for (i = 0; i < runs; i++) {
        size_t size = 0;
        n = fuzz_corpus.count > 0 ? risei_random_below(&dice, fuzz_corpus.count) : -1;
        if (n >= 0) memcpy(data, fuzz_corpus.data[n], size = fuzz_corpus.size[n]);
        for (changes = 1 + risei_random_below(&dice, 4); changes > 0; changes--)
            size = fuzz_mutate(data, size, &dice);
        check_about("%s, run %ld of seed %.0f", path, i, (double)seed);
        fuzz_run(target, data, size);
    }
    check_about("%s", "");
    return 1 + fuzz_corpus.count + runs;
}
#endif

#if defined(FUZZ_ALL)
#define FUZZ_TARGET(function)
#elif defined(FUZZ_LIBFUZZER)
#define FUZZ_TARGET(function)                                                                      \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);                                  \
    int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)                                   \
    {                                                                                              \
        fuzz_run(function, data, size);                                                            \
        if (check_state.failed > 0) fflush(stdout), abort();                                       \
        return 0;                                                                                  \
    }
#else
#define FUZZ_TARGET(function)                                                                      \
    int main(int count, char **arguments)                                                          \
    {                                                                                              \
        long const runs = count > 2 ? strtol(arguments[2], NULL, 10) : 1000;                       \
        long const seed = count > 3 ? strtol(arguments[3], NULL, 10) : 1;                          \
        long done = 0;                                                                             \
        if (count > 1) done = fuzz_replay(function, arguments[1], runs, (uint64_t)seed);           \
        printf("%ld runs, %ld failures\n", done, check_state.failed);                              \
        return done == 0 || check_state.failed != 0;                                               \
    }
#endif

#endif
