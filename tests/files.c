/*  Files: damaged ones, hostile ones, disks that fail; and that what is written comes back bit for bit.
        cc -O2 tests/files.c -o files -lm && ./files
    `./files 1000000 7` makes a million hostile files from seed 7 instead of a few. It writes files_test.* where it is run. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L /* symlink */
#endif
#include "toy.h"
#if defined(__unix__) || defined(__APPLE__)
#include <unistd.h>
#define LINKS 1
#else
#define LINKS 0
#endif

enum { KINDS = 3, TABLE = 28 }; /* of files; where the table of sections begins */

/* as rise_save counts them */
static const char *const kind_names[KINDS] = {"agent", "all", "policy"};
static const rise_save kinds[KINDS] = {RISE_SAVE_AGENT, RISE_SAVE_ALL, RISE_SAVE_POLICY};

/* The smallest agent in these words: a test that damages each bit has few to damage. */
static rise_agent_desc tiny(const char *words)
{
    rise_agent_desc d = described(words);
    d.frame_stack = 1, d.window = 2, d.n_step = 1;
    d.conv_count = 1;
    d.conv[0].filters = 1, d.conv[0].size = 4, d.conv[0].pool = 0;
    d.features = d.head_units = d.recurrent_units = 2;
    d.embedding_size = has(words, "user") ? 9 : 2;
    d.batch = 2;
    d.learn_start = 4 * d.environments;
    d.replay_capacity = 8 * d.environments;
    return d;
}
static world tiny_world(const char *words, int steps)
{
    rise_agent_desc const d = tiny(words);
    world w = world_of(created(&d));
    world_run(&w, steps);
    return w;
}
/* What its reader supplies. */
static rise_agent_desc machine_for(int kind)
{
    rise_agent_desc m;
    memset(&m, 0, sizeof m);
    m.play_only = kind == RISE_SAVE_POLICY;
    m.embed_fn = toy_embed;
    m.memory_bytes = (size_t)1 << 22;
    return m;
}

/* ---------------------------------------------------------------------------------------------- */
/* Bytes of a file */

static uint64_t get(const buffer *b, size_t at, int bytes)
{
    uint64_t value = 0;
    while (bytes-- > 0) value = value << 8 | b->data[at + (size_t)bytes];
    return value;
}
static void put(buffer *b, size_t at, int bytes, uint64_t value)
{
    int i;
    for (i = 0; i < bytes; i++) b->data[at + (size_t)i] = (unsigned char)(value >> (8 * i) & 255u);
}
static size_t header_bytes(const buffer *b) { return TABLE + 16 * (size_t)get(b, 24, 4) + 4; }

static buffer copy_of(const buffer *b, size_t size)
{
    buffer c = {NULL, 0, 0, SIZE_MAX};
    c.data = (unsigned char *)calloc(size + 1, 1); /* exactly, for address checkers */
    if (c.data == NULL) exit(1);
    memcpy(c.data, b->data, size < b->size ? size : b->size);
    c.size = size;
    return c;
}
/* Makes the checksums right again, so that a parser is met and not only they. */
static void fix_sums(buffer *b)
{
    size_t at, s, sections;
    if (b->size < TABLE + 4) return;
    sections = get(b, 24, 4) < 8 ? (size_t)get(b, 24, 4) : 0;
    at = TABLE + 16 * sections + 4;
    if (at > b->size) return;
    for (s = 0; s < sections; s++) {
        uint64_t const length = get(b, TABLE + 16 * s + 8, 8);
        if (length > b->size - at) break;
        put(b, TABLE + 16 * s + 4, 4, risei_io_crc(0, b->data + at, (size_t)length));
        at += (size_t)length;
    }
    put(b, TABLE + 16 * sections, 4, risei_io_crc(0, b->data, TABLE + 16 * sections));
}
/* Refused with this result (0: with any of the two that damage has), in a sentence with `word`, and nothing is left of it. */
static void refused(buffer *b, const rise_agent_desc *machine, rise_result result, const char *word)
{
    rise_agent *agent = (rise_agent *)b;
    rise_error error = {RISE_OK, ""};
    long const held = toy_memory.held;
    rise_result const got = load(&agent, b, machine, &error);
    CHECK(result != RISE_OK ? got == result : got == RISE_BAD_FILE || got == RISE_NEWER_FILE);
    CHECK(agent == NULL && error.result == got && error.text[0] != '\0');
    if (!CHECK(strstr(error.text, word) != NULL))
        printf("    \"%s\" does not say %s\n", error.text, word);
    if (got == RISE_OK) rise_agent_destroy(agent);
    CHECK(toy_memory.held == held);
}

/* ---------------------------------------------------------------------------------------------- */
/* What is written */

static int same_buffers(const buffer *a, const buffer *b)
{
    return a->size == b->size && memcmp(a->data, b->data, a->size) == 0;
}

/* The same state gives the same bytes: again, from another place in memory, and after it was loaded. */
static void writes_the_same(const char *words)
{
    int kind;
    for (kind = 0; kind < KINDS; kind++) {
        rise_agent_desc d = tiny(words), machine = machine_for(kind);
        world w = world_of(created(&d)), elsewhere;
        size_t const bytes = rise_agent_bytes(&d, NULL);
        unsigned char *const block = (unsigned char *)malloc(bytes + 1);
        buffer first, second, third, fourth;
        rise_agent *back;
        check_about("%s, %s", words, kind_names[kind]);
        if (block == NULL) exit(1);
        memset(block, 0x5A, bytes + 1);
        d.memory_block = block + 1, d.memory_bytes = bytes;
        elsewhere = world_of(created(&d));
        world_run(&w, 30);
        world_run(&elsewhere, 30);
        first = saved(w.agent, kinds[kind]);
        second = saved(w.agent, kinds[kind]);
        third = saved(elsewhere.agent, kinds[kind]);
        back = loaded(&first, &machine);
        fourth = saved(back, kinds[kind]);
        CHECK(same_buffers(&first, &second) && same_buffers(&first, &third) &&
              same_buffers(&first, &fourth));
        CHECK(get(&first, 16, 8) == first.size);
        rise_agent_destroy(back);
        rise_agent_destroy(w.agent);
        rise_agent_destroy(elsewhere.agent);
        free(first.data), free(second.data), free(third.data), free(fourth.data), free(block);
    }
}
/* Some bytes, by hand. */
static void writes_little_endian(void)
{
    static const unsigned char begin[12] = {0x89, 'R', 'I', 'S', 'E', 0x0D, 0x0A, 0x1A, 6, 0, 0, 0};
    static const unsigned char width[8] = {0, 0, 0, 0, 0, 0, 0x14, 0x40}; /* 5 as a 64-bit float */
    static const unsigned char digits[9] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    world w = tiny_world("rise", 20);
    buffer b;
    size_t at, s;
    uint64_t total;
    int i;
    check_about("layout");
    CHECK(risei_io_crc(0, digits, 9) == 0xCBF43926u &&
          risei_io_crc(risei_io_crc(0, digits, 4), digits + 4, 5) == 0xCBF43926u);
    w.agent->model.weights[0] = 0.15625f; /* 0x3E200000 */
    b = saved(w.agent, RISE_SAVE_ALL);
    CHECK(memcmp(b.data, begin, sizeof begin) == 0);
    CHECK(get(&b, 12, 4) == (w.agent->model.device.kernels->fused ? 3u : 2u) &&
          get(&b, 16, 8) == b.size && get(&b, 24, 4) == 4);
    at = header_bytes(&b);
    CHECK(get(&b, at - 4, 4) == risei_io_crc(0, b.data, at - 4));
    for (s = 0, total = at; s < 4; s++) {
        CHECK(get(&b, TABLE + 16 * s, 4) == s + 1);
        total += get(&b, TABLE + 16 * s + 8, 8);
    }
    CHECK(total == b.size);
    CHECK(memcmp(b.data + at, width, sizeof width) == 0);
    at += (size_t)get(&b, TABLE + 8, 8);
    CHECK(get(&b, at, 4) == 0x3E200000u);
    for (i = 0; i < 4; i++)
        CHECK(get(&b, at + 4 * (size_t)i, 4) == risei_bits(w.agent->model.weights[i]));
    rise_agent_destroy(w.agent);
    free(b.data);
}
/* A disk that is full after so many bytes. */
static void says_that_writing_failed(int kind)
{
    world w = tiny_world("rise gru", 20);
    buffer whole = saved(w.agent, kinds[kind]);
    size_t room;
    check_about("%s, writing fails", kind_names[kind]);
    for (room = 0; room <= whole.size; room += room < 200 || room + 20 > whole.size ? 1 : 13) {
        buffer b = {NULL, 0, 0, 0};
        rise_error error = {RISE_OK, ""};
        rise_result result;
        b.room = room;
        result = rise_agent_write(w.agent, kinds[kind], buffer_write, &b, &error);
        CHECK(result == (room < whole.size ? RISE_IO : RISE_OK) && error.result == result);
        CHECK((error.text[0] != '\0') == (room < whole.size));
        CHECK(memcmp(b.data != NULL ? b.data : whole.data, whole.data, b.size) == 0);
        free(b.data);
    }
    rise_agent_destroy(w.agent);
    free(whole.data);
}
static void saves_no_nonsense(void)
{
    world w = tiny_world("rise", 20);
    rise_error error = {RISE_OK, ""};
    int kind;
    check_about("weights that are not finite");
    rise_agent_parameters(w.agent)[3] = (float)NAN;
    for (kind = 0; kind < KINDS; kind++) {
        buffer b = {NULL, 0, 0, SIZE_MAX};
        CHECK(rise_agent_write(w.agent, kinds[kind], buffer_write, &b, &error) == RISE_NOT_FINITE);
        CHECK(b.size == 0 && strstr(error.text, "weight") != NULL); /* the old file stays */
    }
    rise_agent_destroy(w.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* Damage */

static void notices_damage(const char *words, int kind)
{
    world w = tiny_world(words, 20);
    buffer const whole = saved(w.agent, kinds[kind]);
    rise_agent_desc const machine = machine_for(kind);
    buffer b;
    size_t i;
    int bit;
    rise_agent_destroy(w.agent);
    for (i = 0; i < whole.size; i++) { /* cut short; and a device that fails there */
        rise_agent *agent;
        rise_error error = {RISE_OK, ""};
        check_about("%s, %s, %d of %d bytes", words, kind_names[kind], (int)i, (int)whole.size);
        b = copy_of(&whole, i);
        refused(&b, &machine, RISE_BAD_FILE, "");
        b.at = 0;
        CHECK(rise_agent_read(&agent, buffer_read, &b, whole.size, &machine, &error) == RISE_IO &&
              agent == NULL && strstr(error.text, "read") != NULL);
        CHECK(toy_memory.held == 0);
        free(b.data);
    }
    /* something follows */
    for (i = whole.size + 1; i <= 2 * whole.size; i += i < whole.size + 40 ? 1 : whole.size - 40) {
        check_about("%s, %s, %d of %d bytes", words, kind_names[kind], (int)i, (int)whole.size);
        b = copy_of(&whole, i);
        memcpy(b.data + whole.size, whole.data, i - whole.size);
        refused(&b, &machine, RISE_BAD_FILE, "");
        free(b.data);
    }
    b = copy_of(&whole, whole.size);
    for (i = 0; i < whole.size; i++)
        for (bit = (int)(i % check_share); bit < 8; bit += check_share) {
            check_about("%s, %s, bit %d of byte %d of %d", words, kind_names[kind], bit, (int)i,
                        (int)whole.size);
            b.data[i] = (unsigned char)(b.data[i] ^ 1u << bit);
            refused(&b, &machine, RISE_OK, "");
            b.data[i] = whole.data[i];
        }
    free(b.data);
    free(whole.data);
}
/* Header fields of every size, with right checksums. */
static void minds_the_header(int kind)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   2,
                                   3,
                                   5,
                                   8,
                                   0x7FFFFFFFu,
                                   0x80000000u,
                                   0xFFFFFFFEu,
                                   0xFFFFFFFFu,
                                   0x100000000u,
                                   UINT64_C(0x7FFFFFFFFFFFFFFF),
                                   UINT64_C(0x8000000000000000),
                                   UINT64_C(0xFFFFFFFFFFFFFFFF)};
    world w = tiny_world("rise", 20);
    buffer const whole = saved(w.agent, kinds[kind]);
    rise_agent_desc const machine = machine_for(kind);
    size_t const sections = (size_t)get(&whole, 24, 4);
    size_t field, i;
    rise_agent_destroy(w.agent);
    for (field = 0; field < 4 + 2 * sections; field++) {
        size_t const row = field < 4 ? 0 : (field - 4) / 2;
        size_t const at = field == 0   ? 8
                          : field == 1 ? 12
                          : field == 2 ? 16
                          : field == 3 ? 24
                                       : TABLE + 16 * row + (field % 2 ? 8 : 0);
        int const bytes = field == 2 || (field > 3 && field % 2) ? 8 : 4;
        for (i = 0; i < sizeof odd / sizeof *odd; i++) {
            buffer b = copy_of(&whole, whole.size);
            check_about("%s, header field at %d is %.0f", kind_names[kind], (int)at,
                        (double)odd[i]);
            put(&b, at, bytes, odd[i]);
            put(&b, header_bytes(&whole) - 4, 4, risei_io_crc(0, b.data, header_bytes(&whole) - 4));
            if (get(&b, at, bytes) == get(&whole, at, bytes) ||
                (field == 1 && ((odd[i] ^ get(&whole, at, bytes)) & 0xFFFFFFFFu) == 1)) {
                free(b.data); /* as it was, or "fused" for "not fused" */
                continue;
            }
            if (field == 0)
                refused(&b, &machine,
                        (odd[i] & 0xFFFFFFFFu) > RISEI_FILE_VERSION ? RISE_NEWER_FILE
                                                                    : RISE_BAD_FILE,
                        "version");
            else
                refused(&b, &machine, RISE_BAD_FILE, "header");
            free(b.data);
        }
    }
    free(whole.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* Hostile files, with right checksums */

/* What rise_agent_write does, without a look at what it writes. */
static buffer saved_blindly(rise_agent *a, rise_save what)
{
    buffer b = {NULL, 0, 0, SIZE_MAX};
    risei_file_header header;
    risei_io f;
    uint32_t s;
    memset(&header, 0, sizeof header);
    header.version = RISEI_FILE_VERSION;
    header.flags = what == RISE_SAVE_ALL      ? RISEI_FILE_REPLAY
                   : what == RISE_SAVE_POLICY ? RISEI_FILE_POLICY
                                              : 0;
    header.sections = risei_file_sections(header.flags);
    header.size = TABLE + 16 * (uint64_t)header.sections + 4;
    for (s = 0; s < header.sections; s++) {
        risei_io_begin(&f, RISEI_MEASURE, 0);
        risei_file_visit(&f, a, (int)s + 1);
        header.kind[s] = s + 1, header.crc[s] = f.crc, header.length[s] = f.length;
        header.size += f.length;
    }
    for (s = 0; s <= header.sections; s++) {
        risei_io_begin(&f, RISEI_WRITE, 0);
        f.write = buffer_write, f.user = &b;
        if (s == 0)
            risei_file_visit_header(&f, &header);
        else
            risei_file_visit(&f, a, (int)s);
    }
    return b;
}
/* Writes a file with `size` bytes at `place` as in `value`, and sees it refused. */
static void hostile(rise_agent *a, void *place, const void *value, size_t size, rise_result result,
                    const char *word)
{
    unsigned char was[8];
    rise_agent_desc machine = machine_for(RISE_SAVE_ALL);
    buffer b;
    memcpy(was, place, size);
    memcpy(place, value, size);
    b = saved_blindly(a, RISE_SAVE_ALL);
    memcpy(place, was, size);
    refused(&b, &machine, result, word);
    free(b.data);
}
static void hostile_float(rise_agent *a, float *place, float value, const char *word)
{
    check_about("%s: %g", word, (double)value);
    hostile(a, place, &value, sizeof value, RISE_BAD_FILE, word);
}
static void hostile_double(rise_agent *a, double *place, double value, const char *word)
{
    check_about("%s: %g", word, value);
    hostile(a, place, &value, sizeof value, RISE_BAD_FILE, word);
}
static void hostile_integer(rise_agent *a, int64_t *place, int64_t value, const char *word)
{
    check_about("%s: %.0f", word, (double)value);
    hostile(a, place, &value, sizeof value, RISE_BAD_FILE, word);
}
static void refuses_hostile_values(const char *words)
{
    static const float odd[] = {(float)NAN, (float)HUGE_VAL, -(float)HUGE_VAL};
    static const int64_t counts[] = {-1, INT64_MIN, INT64_MAX, (INT64_C(1) << 53) + 1};
    static const int16_t actions[] = {-1, ACTIONS, INT16_MIN, INT16_MAX};
    static const uint8_t events[] = {4, 255};
    static const int32_t indices[] = {-1, INT32_MIN, INT32_MAX, 77};
    world w = tiny_world(words, 30);
    rise_agent *const a = w.agent;
    risei_history *const h = &a->replay.history;
    risei_learner *const c = &a->learner;
    size_t const n = a->model.net.parameters, units = (size_t)(a->model.net.cell.units * h->lanes);
    int64_t at;
    int i, lane = h->lanes - 1;
    for (i = 0; i < COUNT(odd); i++) {
        double const wide = (double)odd[i];
        hostile_float(a, &a->model.weights[0], odd[i], "weight");
        hostile_float(a, &a->model.weights[n - 1], odd[i], "weight");
        hostile_float(a, &a->model.target[n - 1], odd[i], "target");
        /* a direction, with spectral norms */
        hostile_float(a, &a->model.weights[a->model.net.block - 1], odd[i], "weight");
        hostile_float(a, &a->model.target[a->model.net.block - 1], odd[i], "target");
        hostile_float(a, &a->learner.optimizer.m[n - 1], odd[i], "first moment");
        hostile_float(a, &a->learner.optimizer.v[0], odd[i], "second moment");
        hostile_double(a, &a->learner.optimizer.power1, wide, "power");
        hostile_double(a, &a->learner.optimizer.power2, wide, "power");
        hostile_double(a, &c->metrics.loss, wide, "loss");
        hostile_double(a, &c->metrics.mean_value, wide, "mean_value");
        hostile_double(a, &c->metrics.td_error, wide, "td_error");
        hostile_double(a, &c->metrics.gradient_norm, wide, "gradient_norm");
        hostile_double(a, &a->actor.returns[RISEI_RETURNS - 1], wide, "return");
        hostile_double(a, &a->actor.lane_return[lane], wide, "return");
        hostile_double(a, &a->replay.top, wide, "priority");
        hostile_float(a, &h->rewards[risei_slot(h, lane, h->written[lane] - 2)], odd[i], "reward");
        if (units > 0) hostile_float(a, &a->actor.states.h[units - 1], odd[i], "state");
        if (!a->model.net.memory->embeds) continue;
        hostile_float(a, &a->model.embedder.shift[0], odd[i], "shift");
        hostile_float(a, &a->model.embedder.gain[0], odd[i], "gain");
        hostile_double(a, &a->model.embedder.mean[1], wide, "mean");
        hostile_double(a, &a->model.embedder.squares[1], wide, "squares");
    }
    hostile_float(a, &a->learner.optimizer.v[n / 2], -1e-30f, "second moment");
    hostile_double(a, &a->learner.optimizer.power1, 1.5, "power");
    hostile_double(a, &a->learner.optimizer.power2, -0.5, "power");
    hostile_double(a, &a->replay.top, -1, "priority");
    for (i = 0; i < COUNT(counts); i++) {
        hostile_integer(a, &a->actor.steps, counts[i], "steps");
        hostile_integer(a, &a->actor.episodes, counts[i], "episodes");
        hostile_integer(a, &a->model.updates, counts[i], "updates");
        hostile_integer(a, &c->owed, counts[i], "owed");
        hostile_integer(a, &a->model.embedder.seen, counts[i], "seen");
        hostile_integer(a, &h->written[lane], counts[i], "number of frames");
    }
    /* other slots are the newest and the oldest then */
    hostile_integer(a, &h->written[lane], h->written[lane] + 1, "");
    hostile_integer(a, &h->written[lane], h->written[lane] - 1, "");
    for (at = risei_history_oldest(h, lane); at < h->written[lane]; at++) {
        ptrdiff_t const slot = risei_slot(h, lane, at);
        double *const leaf = &a->replay.tree[slot];
        check_about("%s, slot %d", words, (int)slot);
        for (i = 0; i < COUNT(actions); i++)
            hostile(a, &h->actions[slot], &actions[i], sizeof *actions, RISE_BAD_FILE, "action");
        for (i = 0; i < COUNT(events); i++)
            hostile(a, &h->events[slot], &events[i], sizeof *events, RISE_BAD_FILE, "event");
        for (i = 0; i < COUNT(indices); i++)
            if (i < 2 || at > risei_history_oldest(h, lane))
                hostile(a, &h->index[slot], &indices[i], sizeof *indices, RISE_BAD_FILE, "episode");
        hostile_double(a, leaf, -1e-9, "priority");
        hostile_double(a, leaf, (double)NAN, "priority");
        hostile_double(a, leaf, HUGE_VAL, "priority");
        hostile_double(a, leaf, DBL_MAX, "priority"); /* the sum of two would not be finite, */
        hostile_double(a, leaf, 1e-300, "priority");  /* nor the ratio of two */
        if (!(*leaf > 0)) hostile_double(a, leaf, 1, "priority");
    }
    rise_agent_destroy(a);
    CHECK(toy_memory.held == 0);
}
/* Descriptions that are wrong, and right ones of other agents. */
static void refuses_hostile_descriptions(void)
{
    static const double odd[] = {-1, 0.5, 1e9, 1e300, -1e300, 4294967297.0};
    world w = tiny_world("rise", 20);
    rise_agent *const a = w.agent;
    rise_agent_desc machine = machine_for(RISE_SAVE_ALL);
    const risei_field *field;
    size_t at;
    int i, l;
    buffer b;
    rise_agent *other;
    rise_error error;
    b = saved_blindly(a, RISE_SAVE_ALL);
    for (l = 0, at = header_bytes(&b);
         l < RISEI_COUNT(risei_fields) + RISEI_COUNT(risei_conv_fields); l++, at += 8) {
        field = l < RISEI_COUNT(risei_fields) ? &risei_fields[l]
                                              : &risei_conv_fields[l - RISEI_COUNT(risei_fields)];
        for (i = 0; i < 9; i++) {
            double const value = i < 6    ? odd[i]
                                 : i == 6 ? HUGE_VAL
                                 : i == 7 ? (double)NAN
                                          : field->high * 1.5;
            uint64_t const was = get(&b, at, 8);
            uint64_t bits;
            int const possible = value >= field->low && value <= field->high &&
                                 (field->real || i != 1);
            check_about("description: %s is %g", field->name, value);
            memcpy(&bits, &value, sizeof bits);
            put(&b, at, 8, bits);
            fix_sums(&b);
            /* a description, but not of this agent, or too large a one: whatever comes of it must be in order */
            if (possible) {
                rise_result const result = load(&other, &b, &machine, &error);
                CHECK((result == RISE_OK) == (other != NULL));
                CHECK(result == RISE_OK || error.text[0] != '\0');
                rise_agent_destroy(other);
            } else {
                refused(&b, &machine, RISE_BAD_FILE, field->name);
            }
            put(&b, at, 8, was);
        }
    }
    CHECK(toy_memory.held == 1);
    for (i = 0; i < 2; i++) { /* one more unit, one more action: the sections are too short */
        int *const changed = i == 0 ? &a->desc.recurrent_units : &a->desc.actions;
        int const value = *changed + 1;
        check_about("another shape");
        hostile(a, changed, &value, sizeof value, RISE_BAD_FILE, "section");
    }
    i = 16;
    check_about("more slots than the file has");
    hostile(a, &a->desc.replay_capacity, &i, sizeof i, RISE_BAD_FILE, "section");
    i = 1000000000; /* asks for more than the reader allows */
    check_about("too large");
    hostile(a, &a->desc.replay_capacity, &i, sizeof i, RISE_NO_MEMORY, "memory_bytes");
    rise_agent_destroy(a);
    free(b.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* What the reader supplies */

static void takes_its_machine(void)
{
    world w = tiny_world("rise user", 30);
    buffer b = saved(w.agent, RISE_SAVE_ALL), policy = saved(w.agent, RISE_SAVE_POLICY);
    size_t const bytes = w.agent->bytes;
    unsigned char *const block = (unsigned char *)malloc(bytes);
    rise_agent_desc machine = machine_for(RISE_SAVE_ALL);
    uint64_t const state = state_of(w.agent);
    rise_agent *a;
    long calls;
    if (block == NULL) exit(1);
    rise_agent_destroy(w.agent);
    check_about("machine");
    machine.memory_bytes = bytes;
    a = loaded(&b, &machine);
    CHECK(a->bytes == bytes && state_of(a) == state);
    rise_agent_destroy(a);
    machine.memory_bytes = bytes - 1;
    refused(&b, &machine, RISE_NO_MEMORY, "memory_bytes");
    machine.memory_block = block;
    refused(&b, &machine, RISE_NO_MEMORY, "memory_bytes");
    machine.memory_bytes = bytes;
    calls = toy_memory.calls;
    a = loaded(&b, &machine);
    CHECK(toy_memory.calls == calls && (unsigned char *)a >= block &&
          (unsigned char *)a < block + bytes && state_of(a) == state);
    rise_agent_destroy(a);
    free(block);

    machine = machine_for(RISE_SAVE_ALL);
    toy_memory.refuse = 1;
    refused(&b, &machine, RISE_NO_MEMORY, "bytes");
    toy_memory.refuse = 0;
    machine.embed_fn = NULL;
    refused(&b, &machine, RISE_BAD_DESC, "embed_fn");
    machine = machine_for(RISE_SAVE_ALL);
    refused(&policy, &machine, RISE_MISMATCH, "play_only");
    machine.isa = RISE_ISA_NEON;
    if (rise_kernels_of(RISE_ISA_NEON) == NULL) refused(&b, &machine, RISE_UNAVAILABLE, "isa");
    machine.isa = RISE_ISA_REF;
    a = loaded(&b, &machine); /* goes on, on other kernels */
    CHECK(strcmp(a->model.device.kernels->name, "ref") == 0 &&
          (rise_kernels_of(RISE_ISA_AUTO)->fused == 0 || state_of(a) == state));
    rise_agent_destroy(a);

    machine = machine_for(RISE_SAVE_POLICY); /* a whole agent's file serves a player, too */
    a = loaded(&b, &machine);
    CHECK(a->desc.players == 2 && a->bytes < bytes);
    rise_agent_destroy(a);
    machine.players = 5;
    a = loaded(&policy, &machine);
    CHECK(a->desc.players == 5 && rise_agent_query(a)->play_only == 1);
    CHECK(rise_agent_play(a, 4, w.frames, 0, RISE_FIRST, NULL) >= 0);
    rise_agent_destroy(a);
    machine.players = 5000;
    refused(&policy, &machine, RISE_BAD_DESC, "players");
    w = tiny_world("rise", 8);
    free(b.data);
    b = saved(w.agent, RISE_SAVE_ALL);
    a = loaded(&b, NULL); /* there need not be a machine */
    CHECK(state_of(a) == state_of(w.agent));
    rise_agent_destroy(a);
    rise_agent_destroy(w.agent);
    free(b.data);
    free(policy.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* On disk */

#define PATH "files_test.rise"

static void check_no_leftover(void)
{
    FILE *const file = fopen(PATH ".new", "rb");
    CHECK(file == NULL);
    if (file != NULL) fclose(file);
}
static void keeps_the_old_file(void)
{
    static char endless[2000];
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    world w = tiny_world("rise", 20);
    uint64_t const old = state_of(w.agent);
    rise_agent *a;
    rise_error error = {RISE_OK, ""};
    rise_agent_desc desc;
    FILE *file;
    check_about("on disk");
    remove(PATH);
    CHECK(rise_agent_load(&a, PATH, NULL, &error) == RISE_IO && a == NULL &&
          strstr(error.text, PATH) != NULL);
    CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_IO);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    check_no_leftover();
    CHECK(rise_agent_load(&a, PATH, &machine, &error) == RISE_OK && state_of(a) == old);
    rise_agent_destroy(a);
    world_run(&w, 20);
#if LINKS
    file = fopen("/dev/full", "wb");
    /* what is written beside the file meets a full disk */
    if (file != NULL && symlink("/dev/full", PATH ".new") == 0) {
        fclose(file);
        CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_IO &&
              strstr(error.text, PATH) != NULL);
        check_no_leftover();
        CHECK(symlink("/dev/full", PATH ".new") == 0);
        /* small enough to show only when flushed */
        CHECK(rise_agent_save(w.agent, RISE_SAVE_POLICY, PATH, &error) == RISE_IO);
        check_no_leftover();
        CHECK(rise_agent_load(&a, PATH, &machine, &error) == RISE_OK && state_of(a) == old);
        rise_agent_destroy(a);
    } else {
        printf("there is no /dev/full here\n");
    }
#endif
    rise_agent_parameters(w.agent)[0] += (float)HUGE_VAL;
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_NOT_FINITE);
    check_no_leftover();
    CHECK(rise_agent_load(&a, PATH, &machine, &error) == RISE_OK && state_of(a) == old);
    rise_agent_destroy(w.agent);
    w.agent = a;
    world_run(&w, 5);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK); /* over the old one */
    CHECK(rise_agent_load(&a, PATH, &machine, NULL) == RISE_OK && state_of(a) == state_of(w.agent));
    rise_agent_destroy(a);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, "files_test.none/x.rise", &error) == RISE_IO &&
          error.text[0] != '\0');
    memset(endless, 'x', sizeof endless - 1);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, endless, &error) == RISE_IO &&
          strstr(error.text, "path") != NULL);

    CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_OK); /* what would it take? */
    CHECK(rise_agent_bytes(&desc, &error) == w.agent->bytes);
    desc.isa = w.agent->desc.isa, desc.threads = w.agent->desc.threads,
    desc.embed_fn = w.agent->desc.embed_fn;
    desc.memory_bytes = w.agent->desc.memory_bytes;
    CHECK(memcmp(&desc, &w.agent->desc, sizeof desc) == 0);
    file = fopen(PATH, "r+b");
    if (CHECK(file != NULL)) {
        CHECK(fseek(file, TABLE + 16 * 4 + 4 + 11, SEEK_SET) == 0 && fputc(77, file) == 77);
        fclose(file);
    }
    CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_BAD_FILE &&
          strstr(error.text, "description") != NULL);
    file = fopen(PATH, "wb"); /* nothing at all */
    if (CHECK(file != NULL)) fclose(file);
    CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_BAD_FILE && error.text[0] != '\0');
    CHECK(rise_agent_load(&a, PATH, NULL, &error) == RISE_BAD_FILE && a == NULL);
    CHECK(rise_agent_load(&a, ".", NULL, &error) < RISE_OK && a == NULL);
    remove(PATH);
    rise_agent_destroy(w.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* Fuzz: files damaged at random, half of them with right checksums, and then used if they were taken */

static uint64_t fuzz_draw(risei_random *dice, uint64_t n)
{
    return (((uint64_t)risei_random_bits(dice) << 32) | risei_random_bits(dice)) % n;
}

static void mutate(buffer *b, const buffer *other, risei_random *dice)
{
    static const uint64_t odd[] = {0,
                                   1,
                                   0x7F,
                                   0x80,
                                   0xFF,
                                   0x7FFF,
                                   0x8000,
                                   0xFFFF,
                                   0x7FFFFFFF,
                                   0x80000000,
                                   0xFFFFFFFF,
                                   0x7F800000,
                                   0x7FC00000,
                                   0xFF800000,
                                   0x7F7FFFFF,
                                   UINT64_C(0x7FF0000000000000),
                                   UINT64_C(0x7FF8000000000000),
                                   UINT64_C(0x3FF0000000000000),
                                   UINT64_C(0x4090000000000000),
                                   UINT64_C(0x41CDCD6500000000),
                                   UINT64_C(0x7FFFFFFFFFFFFFFF),
                                   UINT64_C(0xFFFFFFFFFFFFFFFF)};
    static const int widths[] = {1, 2, 4, 8};
    /* where the description is */
    size_t const near_front = fuzz_draw(dice, 3) == 0 && b->size > 500 ? 500 : b->size;
    size_t const at = (size_t)fuzz_draw(dice, near_front);
    int const width = widths[fuzz_draw(dice, 4)];
    size_t from, count;
    switch (fuzz_draw(dice, 8)) {
    case 0: b->data[at] = (unsigned char)(b->data[at] ^ 1u << fuzz_draw(dice, 8)); break;
    case 1: b->data[at] = (unsigned char)fuzz_draw(dice, 256); break;
    case 2:
    case 3:
    case 4:
        if (at + (size_t)width <= b->size)
            put(b, at / (size_t)width * (size_t)width, width,
                odd[fuzz_draw(dice, sizeof odd / sizeof *odd)]);
        break;
    case 5: /* a part of another file, or of this one, elsewhere */
        from = (size_t)fuzz_draw(dice, other->size);
        count = 1 + (size_t)fuzz_draw(dice, 64);
        if (count > other->size - from) count = other->size - from;
        if (count > b->size - at) count = b->size - at;
        memcpy(b->data + at, other->data + from, count);
        break;
    case 6: b->data[at] = (unsigned char)(b->data[at] + 1); break;
    default: /* cut short, the header being told or not */
        if (fuzz_draw(dice, 8) != 0) break;
        b->size = at + 1;
        if (at > TABLE && fuzz_draw(dice, 2)) put(b, 16, 8, b->size);
        break;
    }
}
/* An agent out of a doubtful file must work as any other. */
static void put_to_work(rise_agent *a)
{
    const rise_agent_desc *d = rise_agent_query(a);
    size_t const games = (size_t)d->environments;
    size_t const pixels = (size_t)(d->frame_width * d->frame_height * d->frame_channels);
    uint8_t *const frames = (uint8_t *)calloc(games, pixels);
    uint8_t *const allowed = (uint8_t *)malloc(games * (size_t)d->actions);
    float *const rewards = (float *)calloc(games, sizeof *rewards);
    rise_event *const events = (rise_event *)calloc(games, sizeof *events);
    int *const actions = (int *)calloc(games, sizeof *actions);
    rise_agent_desc machine;
    rise_agent *again;
    rise_result result;
    rise_error error = {RISE_OK, ""};
    buffer b = {NULL, 0, 0, SIZE_MAX};
    size_t g;
    int i;
    if (frames == NULL || allowed == NULL || rewards == NULL || events == NULL || actions == NULL)
        exit(1);
    memset(allowed, 1, games * (size_t)d->actions);
    for (i = 0; i < 12 && !d->play_only; i++) {
        for (g = 0; g < games; g++) {
            int const first = i == 0 && risei_history_ended(&a->replay.history, (int)g);
            events[g] = first || i == 7        ? RISE_FIRST
                        : i == 5 && g % 2 == 0 ? RISE_TERMINATED
                        : i == 6 && g % 2 == 0 ? RISE_FIRST
                                               : RISE_MIDDLE;
            rewards[g] = (float)i;
        }
        frames[0] = (uint8_t)i;
        result = rise_agent_step_all(a, frames, rewards, events, d->action_masks ? allowed : NULL,
                                     actions);
        CHECK(result == RISE_OK || result == RISE_NOT_FINITE);
        for (g = 0; g < games; g++) CHECK(actions[g] >= 0 && actions[g] < d->actions);
    }
    result = rise_agent_learn(a);
    CHECK(result == RISE_OK || result == RISE_NOT_FINITE ||
          (result == RISE_BAD_CALL && (d->play_only || a->replay.ready == 0)));
    for (i = 0; i < 3; i++)
        CHECK(rise_agent_play(a, d->players - 1, frames, 0, i == 0 ? RISE_FIRST : RISE_MIDDLE,
                              NULL) >= 0);
    machine = machine_for(d->play_only ? RISE_SAVE_POLICY : RISE_SAVE_ALL);
    result = rise_agent_write(a, d->play_only ? RISE_SAVE_POLICY : RISE_SAVE_ALL, buffer_write, &b,
                              NULL);
    CHECK(result == RISE_OK || result == RISE_NOT_FINITE);
    if (result == RISE_OK && !CHECK(load(&again, &b, &machine, &error) == RISE_OK))
        printf("    %s\n", error.text);
    if (result == RISE_OK) rise_agent_destroy(again);
    free(b.data);
    free(frames), free(allowed), free(rewards), free(events), free(actions);
}
static void fuzz(long rounds, uint64_t seed)
{
    static const char *const words[] = {"rise",
                                        "none games masks",
                                        "full gru feed",
                                        "rise gru carry games conv",
                                        "rise user f32 norm",
                                        "none iqn noisy units spectral munchausen",
                                        "rise c51 units noisy soft"};
    buffer files[COUNT(words) * KINDS];
    risei_random dice = risei_random_stream(seed, 1);
    long taken = 0, i;
    int n = 0, w, kind;
    for (w = 0; w < COUNT(words); w++)
        for (kind = 0; kind < KINDS; kind++) {
            world one = tiny_world(words[w], 9 + 6 * kind);
            files[n++] = saved(one.agent, kinds[kind]);
            rise_agent_destroy(one.agent);
        }
    for (i = 0; i < rounds; i++) {
        int const which = (int)fuzz_draw(&dice, (uint64_t)n);
        buffer b = copy_of(&files[which], files[which].size);
        rise_agent_desc machine = machine_for(which % KINDS);
        rise_agent *agent = (rise_agent *)&b;
        rise_error error = {RISE_OK, ""};
        rise_result result;
        int changes = 1 + (int)fuzz_draw(&dice, 3), sums = fuzz_draw(&dice, 8) != 0;
        check_about("fuzz: round %ld of seed %.0f", i, (double)seed);
        while (changes-- > 0) mutate(&b, &files[fuzz_draw(&dice, (uint64_t)n)], &dice);
        if (sums) fix_sums(&b);
        result = load(&agent, &b, &machine, &error);
        if (result == RISE_OK) {
            put_to_work(agent);
            rise_agent_destroy(agent);
            taken++;
        } else {
            CHECK(agent == NULL && error.result == result && error.text[0] != '\0');
        }
        CHECK(toy_memory.held == 0);
        free(b.data);
    }
    printf("fuzz: %ld files, of which %ld were taken\n", rounds, taken);
    while (n-- > 0) free(files[n].data);
}

int main(int argc, char **argv)
{
    static const char *const words[] = {"rise",
                                        "rise gru gate f32 games feed carry",
                                        "none masks",
                                        "full games",
                                        "rise user",
                                        "rise gru conv norm",
                                        "rise sparse plain single",
                                        "rise downsample",
                                        "full gru sum feed",
                                        "none iqn noisy games",
                                        "rise c51 units spectral conv",
                                        "full munchausen noisy units spectral soft"};
    int i, kind;
    if (argc > 1) {
        fuzz(strtol(argv[1], NULL, 10), argc > 2 ? strtoul(argv[2], NULL, 10) : 1);
        return check_done();
    }
    for (i = 0; i < COUNT(words); i++) writes_the_same(words[i]);
    writes_little_endian();
    for (kind = 0; kind < KINDS; kind++) says_that_writing_failed(kind);
    saves_no_nonsense();
    notices_damage("rise", RISE_SAVE_POLICY);
    notices_damage("none alone", RISE_SAVE_ALL);
    notices_damage("rise", RISE_SAVE_AGENT);
    for (kind = 0; kind < KINDS; kind++) minds_the_header(kind);
    refuses_hostile_values("rise");
    refuses_hostile_values("rise gru games carry");
    refuses_hostile_values("none");
    refuses_hostile_values("none iqn noisy units spectral");
    refuses_hostile_descriptions();
    takes_its_machine();
    keeps_the_old_file();
    fuzz(2000 / check_share, 1);
    CHECK(toy_memory.held == 0);
    return check_done();
}
