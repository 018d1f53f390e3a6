/* Fuzz target: policies, with floats and with 8-bit weights. Builds with RISE_PLAY_ONLY open them
   in a block of exactly the bytes that they ask for, and play. The builds are objects of their own:
   see tests/player_builds.h. */
#include "files.h"

#include "../player_builds.h"

/* RISE_PLAY_ONLY, and the same with RISE_NO_RAINBOW and RISE_NO_ENCODERS; both with RISE_NO_SIMD */
extern const player_build player_plain, player_small;

/* Bytes of the largest agent that is opened. */
enum { PLAYER_AGENT = 1 << 18 };

/* Plays a short episode as the last player. A policy holds the weights of a snapshot. A forged one
   may have weights so large that an embedding is infinite: such a frame is refused. */
static void player_play(const player_build *b, rise_agent *a, program *p)
{
    const rise_agent_desc *const d = b->query(a);
    size_t const pixels = (size_t)(d->frame_width * d->frame_height * d->frame_channels);
    size_t i, count = (size_t)d->actions;
    uint8_t *const frame = (uint8_t *)malloc(pixels + count);
    float *const numbers = (float *)calloc((size_t)d->numbers + 1, sizeof *numbers);
    int step;
    if (frame == NULL || numbers == NULL) exit(1);
    for (step = 0; step < 4; step++) {
        int action;
        for (i = 0; i < pixels; i++) frame[i] = (uint8_t)(program_byte(p) + i);
        for (i = 0; i < (size_t)d->numbers; i++) numbers[i] = (float)program_byte(p) / 16;
        for (i = 0; i < count; i++) frame[pixels + i] = (uint8_t)(i == (size_t)step % count);
        action = b->play_numbers(a, d->players - 1, pixels > 0 ? frame : NULL,
                                 d->numbers > 0 ? numbers : NULL, (float)step,
                                 step == 0 ? RISE_FIRST : RISE_MIDDLE,
                                 step % 2 == 1 ? frame + pixels : NULL);
        if (action == RISE_NOT_FINITE && d->embedding == RISE_EMBED_SNAPSHOT) break;
        if (!CHECK(action >= 0 && (size_t)action < count)) printf("    %d\n", action);
        if (step % 2 == 1) CHECK((size_t)action == (size_t)step % count);
        CHECK(b->values(a, d->players - 1) != NULL);
    }
    free(frame), free(numbers);
}
/* Opens the file in a block of `bytes` bytes between canaries, and plays. */
static void player_open(const player_build *b, const unsigned char *data, size_t size,
                        rise_agent_desc *machine, size_t bytes, program *p)
{
    size_t const offset = FUZZ_GUARD + program_below(p, 64);
    unsigned char *const memory = (unsigned char *)malloc(offset + bytes + FUZZ_AFTER);
    rise_error error = {RISE_OK, "x"};
    rise_agent *a;
    rise_result result;
    if (memory == NULL) exit(1);
    memset(memory, FUZZ_CANARY, offset + bytes + FUZZ_AFTER);
    machine->memory_block = memory + offset, machine->memory_bytes = bytes - 1;
    CHECK(b->open(&a, data, size, machine, &error) == RISE_NO_MEMORY && a == NULL);
    CHECK(error.result == RISE_NO_MEMORY && error.text[0] == '\0');
    machine->memory_bytes = bytes;
    result = b->open(&a, data, size, machine, &error);
    CHECK((result == RISE_OK) == (a != NULL));
    if (result == RISE_OK) {
        rise_metrics m;
        b->metrics(a, &m);
        CHECK(m.bytes == bytes);
        player_play(b, a, p);
        b->destroy(a);
    } else {
        CHECK(error.result == result && result < RISE_OK);
    }
    CHECK(fuzz_keeps(memory, offset) && fuzz_keeps(memory + offset + bytes, FUZZ_AFTER));
    free(memory);
}
static void fuzz_player(const uint8_t *data, size_t size)
{
    program p;
    rise_agent_desc machine;
    rise_error error = {RISE_OK, "x"};
    const player_build *build;
    placed file;
    buffer b;
    unsigned options;
    size_t bytes, shift;
    memset(&machine, 0, sizeof machine);
    machine.embed_fn = fuzz_embed;
    p.at = data, p.end = data + size;
    options = program_byte(&p);
    build = options & 1 ? &player_small : &player_plain;
    if (options & 2) machine.players = 1 + (int)(options / 64);
    /* half of the files begin at a multiple of 16 */
    shift = options & 4 ? options / 8 % 8 : options / 8 % 4 * 16;
    b = file_of(&p, RISE_SAVE_POLICY, RISE_SAVE_FLOAT16);
    file = placed_at(&b, shift);
    p.at = data; /* frames are from the same bytes */
    bytes = build->open_bytes(file.data, b.size, &machine, &error);
    if (bytes == 0)
        CHECK(error.result < RISE_OK && error.text[0] == '\0');
    else if (bytes <= PLAYER_AGENT)
        player_open(build, file.data, b.size, &machine, bytes, &p);
    free(file.room);
    free(b.data);
}
FUZZ_TARGET(fuzz_player)
