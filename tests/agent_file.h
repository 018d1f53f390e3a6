/* Files of tiny agents in memory: how to write them, take them apart, and correct their
   checksums. For the tests of files and for the fuzzers. */
#ifndef AGENT_FILE_H
#define AGENT_FILE_H

#include "toy.h"

/* kinds of files; offset of the table of sections */
enum { KINDS = RISE_SAVE_FLOAT16 + 1, TABLE = 28 };

/* A file's kind is a rise_save, which loops hold as an int. */
CHECK_UNUSED static const char *const kind_names[KINDS] = {"agent", "all", "policy", "int8",
                                                           "float16"};
/* Returns whether files of this kind hold only a policy. */
CHECK_UNUSED static int kind_plays(int kind) { return kind >= RISE_SAVE_POLICY; }

/* Returns a tiny agent's description with these words. Some tests damage each bit of its file. */
static rise_agent_desc tiny(const char *words)
{
    rise_agent_desc d = described(words);
    d.frame_stack = 1, d.window = 2, d.n_step = 1;
    d.conv_count = d.frame_width > 0;
    d.conv[0].filters = 1, d.conv[0].size = 4, d.conv[0].pool = 0;
    d.features = d.head_units = d.recurrent_units = 2;
    d.embedding_size = d.embedding == RISE_EMBED_USER ? 9 : 2;
    d.batch = 2;
    d.learn_start = 4 * d.environments;
    d.replay_capacity = 8 * d.environments;
    return d;
}
CHECK_UNUSED static world tiny_world(const char *words, int steps)
{
    return world_after(tiny(words), steps);
}
/* The agents whose files are damaged at random. */
static const char *const file_words[] = {
    "memory=rise",
    "memory=none environments=3 action_masks=1",
    "memory=full cell=gru feed_action=1",
    "memory=rise cell=gru carry_state=1 environments=3 embedding=conv",
    "memory=rise embedding=user embedding_f32=1 layer_norm=1",
    "memory=none head=iqn noisy=1 residual spectral_norm=1 munchausen=1",
    "memory=rise head=c51 residual noisy=1 target_rate=0.3",
    "memory=rise embedding=snapshot snapshot_steps=3 stored burn_in=1",
    "memory=full stored window_samples=2 overlap raw_frames=1",
    "memory=rise numbers=3 number_features=2",
    "memory=none blind head=iqn",
    "memory=rise blind feed_action=1 environments=3",
};
/* Returns what the reader of a file of this kind supplies. */
CHECK_UNUSED static rise_agent_desc machine_for(int kind)
{
    rise_agent_desc m;
    memset(&m, 0, sizeof m);
    m.play_only = kind_plays(kind);
    m.embed_fn = toy_embed;
    m.memory_bytes = (size_t)1 << 22;
    return m;
}

/* ---------------------------------------------------------------------------------------------- */
/* Bytes of a file */

CHECK_UNUSED static size_t header_bytes(const buffer *b)
{
    return TABLE + 16 * (size_t)get(b, 24, 4) + 4;
}
/* Returns the length of section `s`, counted from 0, by the file's table of sections. */
CHECK_UNUSED static uint64_t section_bytes(const buffer *b, size_t s)
{
    return get(b, TABLE + 16 * s + 8, 8);
}
/* Returns where the weights begin: behind section 0, the description. */
CHECK_UNUSED static size_t weights_begin(const buffer *b)
{
    return header_bytes(b) + (size_t)section_bytes(b, 0);
}

/* Corrects the checksums, so that the parser sees the damage. */
CHECK_UNUSED static void fix_sums(buffer *b)
{
    size_t at, s, sections;
    if (b->size < TABLE + 4) return;
    sections = get(b, 24, 4) < 8 ? (size_t)get(b, 24, 4) : 0;
    at = TABLE + 16 * sections + 4;
    if (at > b->size) return;
    for (s = 0; s < sections; s++) {
        uint64_t const length = section_bytes(b, s);
        if (length > b->size - at) break;
        put(b, TABLE + 16 * s + 4, 4, risei_io_crc(0, b->data + at, (size_t)length));
        at += (size_t)length;
    }
    put(b, TABLE + 16 * sections, 4, risei_io_crc(0, b->data, TABLE + 16 * sections));
}
/* Returns the description of a file: its text [*length], and a zero. The caller frees it. */
CHECK_UNUSED static char *description_of(const buffer *b, size_t *length)
{
    char *text;
    *length = (size_t)section_bytes(b, 0);
    text = (char *)malloc(*length + 1);
    if (text == NULL) exit(1);
    memcpy(text, b->data + header_bytes(b), *length);
    text[*length] = '\0';
    return text;
}
/* Returns the file with another description, and with correct lengths and checksums. */
CHECK_UNUSED static buffer with_description(const buffer *b, const char *text, size_t length)
{
    size_t const at = header_bytes(b), end = weights_begin(b);
    buffer c = copy_of(b, at + length + b->size - end);
    memcpy(c.data + at, text, length);
    memcpy(c.data + at + length, b->data + end, b->size - end);
    put(&c, 16, 8, c.size);
    put(&c, TABLE + 8, 8, length);
    fix_sums(&c);
    return c;
}
/* Returns the file with other text in place of the line "name=..." and its newline. */
CHECK_UNUSED static buffer with_line(const buffer *b, const char *name, const char *line)
{
    size_t length, before, rest;
    char *const text = description_of(b, &length);
    char *const changed = (char *)malloc(length + strlen(line) + 1);
    const char *at = text;
    buffer c;
    if (changed == NULL) exit(1);
    while (strncmp(at, name, strlen(name)) != 0 || at[strlen(name)] != '=') {
        at = strchr(at, '\n') + 1;
        if (*at == '\0') {
            printf("the file has no line %s=\n", name);
            exit(1);
        }
    }
    before = (size_t)(at - text);
    rest = (size_t)(strchr(at, '\n') + 1 - text);
    memcpy(changed, text, before);
    memcpy(changed + before, line, strlen(line));
    memcpy(changed + before + strlen(line), text + rest, length - rest);
    c = with_description(b, changed, before + strlen(line) + length - rest);
    free(text), free(changed);
    return c;
}
/* Checks that the file is refused with `word` if its number of 8 bytes at `at` is `value`. */
CHECK_UNUSED static void number_refused(const buffer *b, size_t at, uint64_t value,
                                        const rise_agent_desc *machine, const char *word)
{
    buffer c = copy_of(b, b->size);
    put(&c, at, 8, value);
    fix_sums(&c);
    load_refused(&c, machine, RISE_BAD_FILE, word);
    free(c.data);
}
/* Returns a file as rise_agent_write writes it, without the checks of rise_agent_write. */
CHECK_UNUSED static buffer saved_blindly(rise_agent *a, rise_save what)
{
    int const bits = what == RISE_SAVE_INT8 ? 8 : what == RISE_SAVE_FLOAT16 ? 16 : 0;
    buffer b = {NULL, 0, 0, SIZE_MAX, 0}, head = {NULL, 0, 0, SIZE_MAX, 0};
    risei_file_header header;
    risei_io f;
    uint32_t s;
    memset(&header, 0, sizeof header);
    header.version = RISEI_FILE_VERSION;
    header.flags = what == RISE_SAVE_ALL    ? RISEI_FILE_REPLAY
                   : kind_plays((int)what) ? RISEI_FILE_POLICY
                                            : 0;
    header.sections = risei_file_sections(header.flags);
    header.size = TABLE + 16 * (uint64_t)header.sections + 4;
    while (b.size < header.size) buffer_write(&b, "", 1); /* room for the header */
    for (s = 0; s < header.sections; s++) {
        risei_io_begin(&f, RISEI_IO_WRITE, 0);
        f.write = buffer_write, f.user = &b, f.weight_bits = bits;
        risei_file_visit(&f, a, (int)s + 1);
        header.kind[s] = s + 1, header.crc[s] = f.crc, header.length[s] = f.length;
        header.size += f.length;
    }
    risei_io_begin(&f, RISEI_IO_WRITE, 0);
    f.write = buffer_write, f.user = &head;
    risei_file_visit_header(&f, &header);
    memcpy(b.data, head.data, head.size);
    free(head.data);
    return b;
}
CHECK_UNUSED static int is_little_endian(void)
{
    uint16_t const one = 1;
    return *(const unsigned char *)&one == 1;
}
CHECK_UNUSED static void flip_lowest_bit(void *number, size_t size)
{
    ((unsigned char *)number)[is_little_endian() ? 0 : size - 1] ^= 1;
}
/* Returns where the file has a number of the agent: changes the number's lowest bit, writes the
   file again, and finds the first difference behind the header. */
CHECK_UNUSED static size_t place_of(rise_agent *a, rise_save what, void *number, size_t size)
{
    buffer was = saved(a, what), now;
    size_t at = header_bytes(&was);
    flip_lowest_bit(number, size);
    now = saved(a, what);
    flip_lowest_bit(number, size);
    while (at < was.size && at < now.size && was.data[at] == now.data[at]) at++;
    free(was.data), free(now.data);
    return at;
}

/* ---------------------------------------------------------------------------------------------- */
/* Files at addresses that a test chooses */

typedef struct placed {
    unsigned char *room, *data;
} placed;

/* Copies a file to an address that is a multiple of 64, plus `offset`. The caller frees `room`. The
   end of `room` is the end of the file, for address sanitizers; without POSIX, up to 63 bytes
   later. */
CHECK_UNUSED static placed placed_at(const buffer *b, size_t offset)
{
    size_t const size = offset + b->size;
    placed p;
#if defined(_POSIX_C_SOURCE) && _POSIX_C_SOURCE >= 200112L
    void *room;
    if (posix_memalign(&room, 64, size > 0 ? size : 1) != 0) exit(1);
    p.room = (unsigned char *)room;
    p.data = p.room + offset;
#else
    p.room = (unsigned char *)malloc(size + 64);
    if (p.room == NULL) exit(1);
    p.data = p.room + (64 - (size_t)((uintptr_t)p.room % 64)) + offset;
#endif
    if (b->size > 0) memcpy(p.data, b->data, b->size);
    return p;
}

#endif
