/* Fuzz target: descriptions, the bytes that their agents need, and agents in a block of the caller.
   The input is a list of fields and values. */
#include "fuzz.h"

/* Bytes of the largest agent that is made. A larger one takes longer and reaches no more, so only
   the descriptions of one input in 16 may have agents of up to BLOCK_LARGE bytes. */
enum { BLOCK_AGENT = 1 << 16, BLOCK_LARGE = 1 << 21 };

/* Applies the input to a tiny agent's description. */
static rise_agent_desc block_desc(program *p)
{
    static const char *const words[] = {"", "memory=none", "memory=full cell=gru",
                                        "memory=rise embedding=conv residual head=c51",
                                        "memory=none head=iqn noisy=1", "play_only=1",
                                        "memory=rise numbers=3", "blind memory=full"};
    rise_agent_desc d = described(words[program_below(p, COUNT(words))]);
    int changes = 0, conv;
    d.batch = 2, d.learn_start = 4, d.embed_fn = fuzz_embed;
    while (p->at < p->end && changes++ < 40) {
        size_t const row = program_below(p, FUZZ_FIELDS);
        const risei_field *const field = fuzz_field(row, &conv);
        double const value = fuzz_value(p, field);
        if (!field->real && !(value > -2e9 && value < 2e9)) continue;
        risei_field_put(field, conv < 0 ? (void *)&d : (void *)&d.conv[conv], value);
    }
    return d;
}
/* A write function that looks at each byte of a file, and keeps their sum only. */
static int block_write(void *user, const void *data, size_t size)
{
    const unsigned char *const byte = (const unsigned char *)data;
    size_t i;
    for (i = 0; i < size; i++) *(unsigned *)user += byte[i];
    return 1;
}
/* Makes an agent in a block of exactly `bytes` bytes, lets it work, and saves it. */
static void block_use(rise_agent_desc *d, size_t bytes, program *p)
{
    size_t const offset = FUZZ_GUARD + program_below(p, 64);
    unsigned char *const memory = (unsigned char *)fuzz_malloc(offset + bytes + FUZZ_AFTER);
    long const calls = toy_memory.calls;
    rise_agent *a;
    rise_error error = {RISE_OK, ""};
    if (memory == NULL) exit(1);
    memset(memory, FUZZ_CANARY, offset + bytes + FUZZ_AFTER);
    d->memory_block = memory + offset, d->memory_bytes = bytes - 1;
    CHECK(rise_agent_create(&a, d, &error) == RISE_NO_MEMORY && a == NULL);
    d->memory_bytes = bytes;
    if (!CHECK(rise_agent_create(&a, d, &error) == RISE_OK)) {
        printf("    %s\n", error.text);
    } else {
        rise_metrics m;
        unsigned sum = 0;
        rise_result result;
        fuzz_work(a, p);
        rise_agent_metrics(a, &m);
        CHECK(m.bytes == bytes);
        result = rise_agent_write(a, d->play_only ? RISE_SAVE_POLICY : RISE_SAVE_ALL, block_write,
                                  &sum, &error);
        CHECK(result == RISE_OK || result == RISE_NOT_FINITE);
        rise_agent_destroy(a);
    }
    CHECK(toy_memory.calls == calls && fuzz_keeps(memory, offset) &&
          fuzz_keeps(memory + offset + bytes, FUZZ_AFTER));
    fuzz_free(memory);
}
/* Without RISE_THREADS, a description that needs threads has a size, but no agent is made. */
static void block_threads(rise_agent_desc *d)
{
#ifndef RISE_THREADS
    rise_agent *a;
    rise_error error = {RISE_OK, ""};
    if (d->threads <= 1 && d->background <= 0) return;
    CHECK(rise_agent_create(&a, d, &error) == RISE_UNAVAILABLE && a == NULL);
    CHECK(strstr(error.text, "RISE_THREADS") != NULL);
    d->threads = d->background = 0;
#else
    (void)d;
#endif
}
static void fuzz_block(const uint8_t *data, size_t size)
{
    size_t const most = hash_bytes(HASH_START, data, size) % 16 == 0 ? BLOCK_LARGE : BLOCK_AGENT;
    program p;
    rise_agent_desc d;
    rise_error error = {RISE_OK, ""};
    size_t bytes;
    rise_agent *a;
    p.at = data, p.end = data + size;
    d = block_desc(&p);
    d.isa = RISE_ISA_AUTO;
    p.at = data; /* frames and events are from the same bytes */
    bytes = rise_agent_bytes(&d, &error);
    if (bytes == 0) {
        CHECK(error.result == RISE_BAD_DESC || error.result == RISE_NO_MEMORY);
        CHECK(error.text[0] != '\0' && rise_agent_create(&a, &d, NULL) == error.result);
    } else {
        block_threads(&d);
        bytes = rise_agent_bytes(&d, NULL);
        if (bytes <= most) block_use(&d, bytes, &p);
    }
}
FUZZ_TARGET(fuzz_block)
