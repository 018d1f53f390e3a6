/* Tests files: what is saved loads bit for bit; damaged and hostile files and full disks do no
   harm.
       cc -O2 tests/files.c -o files -lm && ./files
   `./files --fuzz 1000000 7` tries a million mutated files from seed 7; the default is 2000 files
   from seed 1. It writes files_test.* in the current folder.
   `./files --write-samples FOLDER` writes the sample files that are missing: see "Sample files"
   below. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L /* symlink, sigaction */
#define _DARWIN_C_SOURCE        /* mkdtemp of folder.h, which macOS hides behind the line above */
#define _FILE_OFFSET_BITS 64    /* else readdir fails if inode numbers have more bits */
#endif
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* 1: rise.h runs in a made-up locale whose decimal point has two bytes, like that of ps_AF. Few
   machines have such a locale. */
static int long_point;
static const char point_bytes[] = "\xD9\xAB"; /* U+066B in UTF-8 */
/* snprintf in this locale. */
static int point_print(char *text, size_t room, const char *format, ...)
{
    va_list arguments;
    int length;
    char *dot;
    va_start(arguments, format);
    length = vsnprintf(text, room, format, arguments);
    va_end(arguments);
    dot = strchr(text, '.');
    if (!long_point || dot == NULL || (strcmp(format, "%.1f") != 0 && strcmp(format, "%.*g") != 0))
        return length;
    memmove(dot + 2, dot + 1, strlen(dot + 1) + 1);
    memcpy(dot, point_bytes, 2);
    return length + 1;
}
#undef snprintf
#define snprintf point_print
#include "toy.h"
#undef snprintf
#include "agent_file.h"
#include "number_text.h"
#include <locale.h>
#if defined(__unix__) || defined(__APPLE__)
#include "folder.h"
#include "process.h"
#include <sys/stat.h>
#define LINKS 1
#else
#define LINKS 0
#endif
#ifdef _WIN32
#include <wchar.h>
#endif

/* ---------------------------------------------------------------------------------------------- */
/* What is written */

/* The same state gives the same bytes: in a second save, from another block of memory, and after
   loading. */
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
        first = saved(w.agent, (rise_save)kind);
        second = saved(w.agent, (rise_save)kind);
        third = saved(elsewhere.agent, (rise_save)kind);
        back = loaded(&first, &machine);
        fourth = saved(back, (rise_save)kind);
        CHECK(same_buffers(&first, &second) && same_buffers(&first, &third) &&
              same_buffers(&first, &fourth));
        CHECK(get(&first, 16, 8) == first.size);
        rise_agent_destroy(back);
        rise_agent_destroy(w.agent);
        rise_agent_destroy(elsewhere.agent);
        free(first.data), free(second.data), free(third.data), free(fourth.data), free(block);
    }
}
/* The header, the table of sections, the description and the weights have the documented bytes,
   little-endian. */
static void numbers_are_little_endian(void)
{
    static const unsigned char begin[12] = {0x89, 'R', 'I', 'S', 'E', 0x0D, 0x0A, 0x1A, 7, 0, 0, 0};
    static const unsigned char digits[9] = {'1', '2', '3', '4', '5', '6', '7', '8', '9'};
    world w = tiny_world("memory=rise", 20);
    char description[80];
    buffer b;
    size_t at, s;
    uint64_t total;
    int i;
    snprintf(description, sizeof description,
             "description=%d\nframe_width=5\nframe_height=4\nactions=3\n",
             RISEI_DESCRIPTION_REVISION);
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
        total += section_bytes(&b, s);
    }
    CHECK(total == b.size);
    CHECK(memcmp(b.data + at, description, strlen(description)) == 0);
    at = weights_begin(&b);
    CHECK(get(&b, at, 4) == 0x3E200000u);
    for (i = 0; i < 4; i++)
        CHECK(get(&b, at + 4 * (size_t)i, 4) == risei_bits(w.agent->model.weights[i]));
    rise_agent_destroy(w.agent);
    free(b.data);
}
/* If a write fails after any number of bytes, RISE_IO is returned. */
static void says_that_writing_failed(int kind)
{
    world w = tiny_world("memory=rise cell=gru", 20);
    buffer whole = saved(w.agent, (rise_save)kind);
    size_t room;
    check_about("%s, writing fails", kind_names[kind]);
    for (room = 0; room <= whole.size; room += room < 200 || room + 20 > whole.size ? 1 : 13) {
        buffer b = {NULL, 0, 0, 0, 0};
        rise_error error = {RISE_OK, ""};
        rise_result result;
        b.room = room;
        result = rise_agent_write(w.agent, (rise_save)kind, buffer_write, &b, &error);
        CHECK(result == (room < whole.size ? RISE_IO : RISE_OK) && error.result == result);
        CHECK((error.text[0] != '\0') == (room < whole.size));
        CHECK(memcmp(b.data != NULL ? b.data : whole.data, whole.data, b.size) == 0);
        free(b.data);
    }
    rise_agent_destroy(w.agent);
    free(whole.data);
}
static void nonsense_is_not_saved(void)
{
    world w = tiny_world("memory=rise", 20);
    rise_error error = {RISE_OK, ""};
    int kind;
    check_about("weights that are not finite");
    rise_agent_parameters(w.agent)[3] = (float)NAN;
    for (kind = 0; kind < KINDS; kind++) {
        buffer b = {NULL, 0, 0, SIZE_MAX, 0};
        CHECK(rise_agent_write(w.agent, (rise_save)kind, buffer_write, &b, &error) ==
              RISE_NOT_FINITE);
        CHECK(b.size == 0 && strstr(error.text, "weight") != NULL); /* the old file stays */
    }
    rise_agent_destroy(w.agent);
}

/* An unknown kind of file is refused, and a player has only a policy to save. */
static void wrong_kinds_are_not_saved(void)
{
    static const int wrong[] = {RISE_SAVE_AGENT - 1, RISE_SAVE_FLOAT16 + 1, INT_MIN, INT_MAX};
    world w = tiny_world("memory=rise", 20);
    buffer b = saved(w.agent, RISE_SAVE_POLICY), none = {NULL, 0, 0, SIZE_MAX, 0};
    rise_agent_desc const machine = machine_for(RISE_SAVE_POLICY);
    rise_agent *const player = loaded(&b, &machine);
    rise_error error = {RISE_OK, ""};
    int i;
    for (i = 0; i < COUNT(wrong); i++) {
        check_about("what is %d", wrong[i]);
        CHECK(rise_agent_write(w.agent, (rise_save)wrong[i], buffer_write, &none, &error) ==
                  RISE_BAD_CALL &&
              strstr(error.text, "what is") != NULL);
    }
    for (i = 0; i < KINDS; i++) {
        if (kind_plays(i)) continue;
        check_about("a player, %s", kind_names[i]);
        CHECK(rise_agent_write(player, (rise_save)i, buffer_write, &none, &error) ==
                  RISE_BAD_CALL &&
              strstr(error.text, "RISE_SAVE_POLICY") != NULL);
    }
    CHECK(none.size == 0);
    rise_agent_destroy(player), rise_agent_destroy(w.agent);
    free(b.data);
}
/* After a failure, a byte stream writes nothing, and each number that is read is 0. */
static void failed_streams_move_nothing(void)
{
    buffer b = {NULL, 0, 0, SIZE_MAX, 0};
    unsigned char bytes[4] = {1, 2, 3, 4};
    uint32_t number = 77;
    risei_io f;
    check_about("a byte stream that has failed");
    risei_io_begin(&f, RISEI_IO_WRITE, 0);
    f.write = buffer_write, f.user = &b;
    f.failed = 1;
    risei_io_move(&f, bytes, sizeof bytes);
    risei_io_numbers(&f, &number, 1, sizeof number);
    CHECK(b.size == 0 && f.length == 0 && f.crc == 0 && number == 77);
    risei_io_begin(&f, RISEI_IO_READ, 3);
    f.read = buffer_read, f.user = &b;
    risei_io_numbers(&f, &number, 1, sizeof number);
    CHECK(f.failed && f.past_end && number == 0 && f.length == 0);
}

/* ---------------------------------------------------------------------------------------------- */
/* Damage */

static void notices_damage(const char *words, int kind)
{
    world w = tiny_world(words, 20);
    buffer const whole = saved(w.agent, (rise_save)kind);
    rise_agent_desc const machine = machine_for(kind);
    buffer b;
    size_t i, bit;
    rise_agent_destroy(w.agent);
    /* cut short, and a device that fails there; with CHECK_QUICK, at one byte in 13 */
    for (i = 0; i < whole.size; i += check_share > 1 ? 13 : 1) {
        rise_agent *agent;
        rise_error error = {RISE_OK, ""};
        check_about("%s, %s, %d of %d bytes", words, kind_names[kind], (int)i, (int)whole.size);
        b = copy_of(&whole, i);
        load_refused(&b, &machine, RISE_BAD_FILE, "");
        b.at = 0;
        CHECK(rise_agent_read(&agent, buffer_read, &b, whole.size, &machine, &error) == RISE_IO &&
              agent == NULL && strstr(error.text, "read") != NULL);
        CHECK(toy_memory.held == 0);
        free(b.data);
    }
    /* extra bytes follow */
    for (i = whole.size + 1; i <= 2 * whole.size; i += i < whole.size + 40 ? 1 : whole.size - 40) {
        check_about("%s, %s, %d of %d bytes", words, kind_names[kind], (int)i, (int)whole.size);
        b = copy_of(&whole, i);
        memcpy(b.data + whole.size, whole.data, i - whole.size);
        load_refused(&b, &machine, RISE_BAD_FILE, "");
        free(b.data);
    }
    b = copy_of(&whole, whole.size);
    /* a bit flipped; with CHECK_QUICK, one bit in 13 */
    for (bit = 0; bit < 8 * whole.size; bit += check_share > 1 ? 13 : 1) {
        i = bit / 8;
        check_about("%s, %s, bit %d of byte %d of %d", words, kind_names[kind], (int)(bit % 8),
                    (int)i, (int)whole.size);
        b.data[i] = (unsigned char)(b.data[i] ^ 1u << bit % 8);
        load_refused(&b, &machine, RISE_OK, "");
        b.data[i] = whole.data[i];
    }
    free(b.data);
    free(whole.data);
}
/* Wrong header fields are refused, although the checksums are correct. */
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
    world w = tiny_world("memory=rise", 20);
    buffer const whole = saved(w.agent, (rise_save)kind);
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
                free(b.data); /* unchanged, or "fused" for "not fused" */
                continue;
            }
            if (field == 0)
                load_refused(&b, &machine,
                        (odd[i] & 0xFFFFFFFFu) > RISEI_FILE_VERSION ? RISE_NEWER_FILE
                                                                    : RISE_BAD_FILE,
                        "version");
            else
                load_refused(&b, &machine, RISE_BAD_FILE, "header");
            free(b.data);
        }
    }
    free(whole.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* Hostile files with correct checksums */

/* Writes the file of an agent that has `value` in `size` bytes at `place`, and checks that the file
   is refused. */
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
    load_refused(&b, &machine, result, word);
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
/* Writes a value that is not finite to each statistic of the numbers of observations, and to a
   number of the oldest and of the newest slot. */
static void refuses_hostile_numbers(rise_agent *a, float value)
{
    risei_history *const h = &a->replay.history;
    risei_statistics *const s = &a->numbers;
    int const lane = h->lanes - 1;
    ptrdiff_t const oldest = risei_history_slot(h, lane, risei_history_oldest(h, lane));
    int i;
    for (i = 0; i < s->size; i++) {
        hostile_float(a, &s->shift[i], value, "shift");
        hostile_float(a, &s->gain[i], value, "gain");
        hostile_double(a, &s->mean[i], (double)value, "mean");
        hostile_double(a, &s->squared_deviations[i], (double)value, "squared_deviations");
        hostile_float(a, &h->raw_numbers[oldest * s->size + i], value, "number of an observation");
        hostile_float(a, &h->raw_numbers[risei_history_newest(h, lane) * s->size + i], value,
                      "number of an observation");
    }
    hostile_float(a, &s->gain[0], -1e-30f, "gain");
    hostile_double(a, &s->squared_deviations[0], -1e-300, "squared_deviations");
    hostile_double(a, &s->squared_deviations[0], 1e95, "squared_deviations");
    hostile_double(a, &s->mean[0], 1e39, "mean");
    hostile_double(a, &s->mean[0], -1e39, "mean");
}
static void refuses_hostile_reals(rise_agent *a)
{
    static const float odd[] = {(float)NAN, (float)HUGE_VAL, -(float)HUGE_VAL};
    risei_history *const h = &a->replay.history;
    size_t const n = a->model.net.parameters, units = (size_t)(a->model.net.cell.units * h->lanes);
    int const lane = h->lanes - 1;
    ptrdiff_t const slot = risei_history_slot(h, lane, h->written[lane] - 2);
    int i;
    for (i = 0; i < COUNT(odd); i++) {
        double const wide = (double)odd[i];
        hostile_float(a, &a->model.weights[0], odd[i], "weight");
        hostile_float(a, &a->model.weights[n - 1], odd[i], "weight");
        hostile_float(a, &a->model.target[n - 1], odd[i], "target");
        /* a direction, with spectral norms */
        hostile_float(a, &a->model.weights[a->model.net.weights_size - 1], odd[i], "weight");
        hostile_float(a, &a->model.target[a->model.net.weights_size - 1], odd[i], "target");
        hostile_float(a, &a->learner.optimizer.m[n - 1], odd[i], "first moment");
        hostile_float(a, &a->learner.optimizer.v[0], odd[i], "second moment");
        hostile_double(a, &a->learner.optimizer.power1, wide, "power");
        hostile_double(a, &a->learner.optimizer.power2, wide, "power");
        hostile_double(a, &a->model.metrics.loss, wide, "loss");
        hostile_double(a, &a->model.metrics.mean_value, wide, "mean_value");
        hostile_double(a, &a->model.metrics.td_error, wide, "td_error");
        hostile_double(a, &a->model.metrics.gradient_norm, wide, "gradient_norm");
        hostile_double(a, &a->actor.returns[RISEI_RETURNS - 1], wide, "return");
        hostile_double(a, &a->actor.lane_return[lane], wide, "return");
        hostile_double(a, &a->replay.largest_leaf, wide, "priority");
        hostile_float(a, &h->rewards[slot], odd[i], "reward");
        if (units > 0) hostile_float(a, &a->actor.states.array[0][units - 1], odd[i], "state");
        if (h->numbers > 0) refuses_hostile_numbers(a, odd[i]);
        if (!a->model.net.embeds) continue;
        hostile_float(a, &a->model.embedder->statistics.shift[0], odd[i], "shift");
        hostile_float(a, &a->model.embedder->statistics.gain[0], odd[i], "gain");
        hostile_double(a, &a->model.embedder->statistics.mean[1], wide, "mean");
        hostile_double(a, &a->model.embedder->statistics.squared_deviations[1], wide,
                       "squared_deviations");
    }
    hostile_float(a, &a->learner.optimizer.v[n / 2], -1e-30f, "second moment");
    hostile_double(a, &a->learner.optimizer.power1, 1.5, "power");
    hostile_double(a, &a->learner.optimizer.power2, -0.5, "power");
    hostile_double(a, &a->replay.largest_leaf, -1, "priority");
}
static void refuses_hostile_counts(rise_agent *a)
{
    static const int64_t counts[] = {-1, INT64_MIN, INT64_MAX, (INT64_C(1) << 53) + 1,
                                     (INT64_C(1) << 50) + 1};
    risei_history *const h = &a->replay.history;
    risei_learner *const c = &a->learner;
    int const frames = a->model.frame_statistics->standardises;
    int i, lane = h->lanes - 1;
    for (i = 0; i < COUNT(counts); i++) {
        hostile_integer(a, &a->actor.steps, counts[i], "steps");
        hostile_integer(a, &a->actor.episodes, counts[i], "episodes");
        hostile_integer(a, &a->model.updates, counts[i], "updates");
        hostile_integer(a, &c->owed_steps, counts[i], "owed");
        if (frames) hostile_integer(a, &a->model.frame_statistics->seen, counts[i], "frames.seen");
        hostile_integer(a, &a->model.embedder->statistics.seen, counts[i], "seen");
        if (h->numbers > 0) hostile_integer(a, &a->numbers.seen, counts[i], "seen");
        hostile_integer(a, &h->written[lane], counts[i], "number of frames");
        hostile_integer(a, &c->snapshots, counts[i], "snapshots");
        hostile_integer(a, &c->snapshot_next, counts[i], "snapshot");
    }
    if (!risei_embedder_takes_snapshots(a->model.embedder)) {
        hostile_integer(a, &c->snapshots, 1, "snapshot");
        hostile_integer(a, &c->snapshot_next, 1, "snapshot");
    }
    if (frames)
        hostile_integer(a, &a->model.frame_statistics->seen, RISEI_FRAMES_SEEN_MAX + 1,
                        "frames.seen");
    hostile_integer(a, &c->owed_steps, a->actor.steps + 1, "owed");
    /* other slots become the newest and the oldest */
    hostile_integer(a, &h->written[lane], h->written[lane] + 1, "");
    hostile_integer(a, &h->written[lane], h->written[lane] - 1, "");
}
/* Stored states: 16-bit or 32-bit floats that are not finite, and denormal 16-bit floats. */
static void refuses_hostile_states(const char *words)
{
    static const uint16_t halves[] = {0x7C00, 0xFC00, 0x7E00, 0x7C01, 0xFFFF, 1, 0x83FF};
    static const float reals[] = {(float)NAN, (float)HUGE_VAL, -(float)HUGE_VAL};
    world w = tiny_world(words, 30);
    risei_history *const h = &w.agent->replay.history;
    int const lane = h->lanes - 1;
    ptrdiff_t const slot = risei_history_slot(h, lane, h->written[lane] - 1);
    ptrdiff_t const last = slot * h->state_size + h->state_size - 1;
    int i;
    check_about("%s", words);
    CHECK(h->state_size > 0);
    for (i = 0; i < COUNT(halves) && !h->f32; i++)
        hostile(w.agent, &h->half_state[last], &halves[i], 2, RISE_BAD_FILE, "stored state");
    for (i = 0; i < COUNT(reals) && h->f32; i++)
        hostile_float(w.agent, &h->full_state[last], reals[i], "stored state");
    rise_agent_destroy(w.agent);
}
/* A small file that describes a large network is refused before memory is asked for. */
static void lengths_are_compared_first(void)
{
    static const char *const larger[][2] = {{"features", "features=8192\n"},
                                            {"recurrent_units", "recurrent_units=4096\n"},
                                            {"conv[0].filters", "conv[0].filters=1024\n"},
                                            {"actions", "actions=256\n"}};
    world w = tiny_world("memory=rise", 20);
    int i, kind;
    for (kind = 0; kind < KINDS; kind++) {
        buffer b = saved(w.agent, (rise_save)kind);
        rise_agent_desc const machine = machine_for(kind);
        for (i = 0; i < COUNT(larger); i++) {
            buffer c = with_line(&b, larger[i][0], larger[i][1]);
            long const calls = toy_memory.calls;
            check_about("%s with %s", kind_names[kind], larger[i][1]);
            load_refused(&c, &machine, RISE_BAD_FILE, "but the description requires");
            CHECK(toy_memory.calls == calls);
            free(c.data);
        }
        free(b.data);
    }
    rise_agent_destroy(w.agent);
}
/* Section EPISODES is refused if it is a byte longer than its slots need. */
static void longer_episodes_are_refused(void)
{
    world w = tiny_world("memory=rise", 20);
    buffer const b = saved(w.agent, RISE_SAVE_ALL);
    buffer c = copy_of(&b, b.size + 1);
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    rise_agent_destroy(w.agent);
    put(&c, 16, 8, c.size);
    put(&c, TABLE + 16 * 3 + 8, 8, section_bytes(&b, 3) + 1);
    fix_sums(&c);
    check_about("a byte after the last slot");
    load_refused(&c, &machine, RISE_BAD_FILE, "section 4 does not have the length");
    free(b.data), free(c.data);
}
/* One wrong slot is noticed in each lane. */
static void each_lane_is_checked(void)
{
    static const int32_t index = 77;
    world w = tiny_world("memory=rise environments=3", 30);
    risei_history *const h = &w.agent->replay.history;
    int lane;
    for (lane = 0; lane < h->lanes; lane++) {
        ptrdiff_t const slot = risei_history_slot(h, lane, h->written[lane] - 1);
        check_about("lane %d", lane);
        hostile(w.agent, &h->episode_frame[slot], &index, sizeof index, RISE_BAD_FILE, "episode");
    }
    rise_agent_destroy(w.agent);
}
static void refuses_hostile_slots(rise_agent *a, const char *words)
{
    static const int16_t actions[] = {-1, ACTIONS, INT16_MIN, INT16_MAX};
    static const uint8_t events[] = {4, 255};
    static const int32_t indices[] = {-1, INT32_MIN, INT32_MAX, 77};
    static const uint8_t no_action = 0;
    risei_history *const h = &a->replay.history;
    int64_t at;
    int i, lane = h->lanes - 1;
    for (at = risei_history_oldest(h, lane); at < h->written[lane]; at++) {
        ptrdiff_t const slot = risei_history_slot(h, lane, at);
        double *const leaf = &a->replay.tree[slot];
        check_about("%s, slot %d", words, (int)slot);
        for (i = 0; i < COUNT(actions); i++)
            hostile(a, &h->actions[slot], &actions[i], sizeof *actions, RISE_BAD_FILE, "action");
        for (i = 0; i < COUNT(events); i++)
            hostile(a, &h->events[slot], &events[i], sizeof *events, RISE_BAD_FILE, "event");
        for (i = 0; i < COUNT(indices); i++)
            if (i < 2 || at > risei_history_oldest(h, lane))
                hostile(a, &h->episode_frame[slot], &indices[i], sizeof *indices, RISE_BAD_FILE,
                        "episode");
        if (h->mask_bytes > 0 && h->events[slot] != RISE_TERMINATED) {
            uint8_t const others = (uint8_t)(255 & ~(1 << h->actions[slot]));
            hostile(a, &h->masks[slot], &no_action, 1, RISE_BAD_FILE, "mask");
            if (!risei_event_is_last(h->events[slot]))
                hostile(a, &h->masks[slot], &others, 1, RISE_BAD_FILE, "mask");
        }
        hostile_double(a, leaf, -1e-9, "priority");
        hostile_double(a, leaf, (double)NAN, "priority");
        hostile_double(a, leaf, HUGE_VAL, "priority");
        hostile_double(a, leaf, DBL_MAX, "priority"); /* the sum of two would be infinite, */
        hostile_double(a, leaf, 1e-300, "priority");  /* or the ratio of two */
        if (!(*leaf > 0)) hostile_double(a, leaf, 1, "priority");
    }
}
static void refuses_hostile_values(const char *words)
{
    world w = tiny_world(words, 30);
    refuses_hostile_reals(w.agent);
    refuses_hostile_counts(w.agent);
    refuses_hostile_slots(w.agent, words);
    rise_agent_destroy(w.agent);
    CHECK(toy_memory.held == 0);
}
/* Wrong descriptions are refused. Valid ones of other agents load or are refused. */
static void hostile_descriptions_are_refused(void)
{
    static const double odd[] = {-1, 0.5, 1e9, 1e300, -1e300, 4294967297.0};
    world w = tiny_world("memory=rise", 20);
    rise_agent *const a = w.agent;
    rise_agent_desc machine = machine_for(RISE_SAVE_ALL);
    const risei_field *field;
    int i, l;
    buffer b;
    rise_agent *other;
    rise_error error;
    b = saved_blindly(a, RISE_SAVE_ALL);
    for (l = 0; l < RISEI_COUNT(risei_fields) + RISEI_COUNT(risei_conv_fields); l++) {
        int const conv = l >= RISEI_COUNT(risei_fields);
        field = conv ? &risei_conv_fields[l - RISEI_COUNT(risei_fields)] : &risei_fields[l];
        for (i = 0; i < 9; i++) {
            double const high = field->word_of != NULL ? risei_words_count(field->word_of) - 1
                                                    : field->high;
            double const value = i < 6    ? odd[i]
                                 : i == 6 ? HUGE_VAL
                                 : i == 7 ? (double)NAN
                                          : high * 1.5;
            int const possible = value >= field->low && value <= high &&
                                 (field->real || floor(value) == value);
            char name[40], line[120];
            buffer changed;
            check_about("description: %s is %g", field->name, value);
            snprintf(name, sizeof name, "%s%s", conv ? "conv[0]." : "", field->name);
            snprintf(line, sizeof line, "%s=%.17g\n", name, value);
            changed = with_line(&b, name, line);
            /* a description of another agent, or one that is too large: it may load or not, but
               safely */
            if (possible) {
                rise_result const result = load(&other, &changed, &machine, &error);
                CHECK((result == RISE_OK) == (other != NULL));
                CHECK(result == RISE_OK || error.text[0] != '\0');
                rise_agent_destroy(other);
            } else {
                load_refused(&changed, &machine, RISE_BAD_FILE, field->name);
            }
            free(changed.data);
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
    hostile(a, &a->desc.replay_capacity, &i, sizeof i, RISE_NO_MEMORY,
            sizeof(size_t) > 4 ? "memory_bytes" : "address space");
    rise_agent_destroy(a);
    free(b.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* Descriptions as text */

/* Checks that a changed file loads, and that the agent has this state. Frees the file. */
static void reads_text(buffer b, uint64_t state)
{
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    rise_agent *a = loaded(&b, &machine);
    CHECK(state_of(a) == state);
    rise_agent_destroy(a);
    free(b.data);
}
/* Checks that a changed file is refused. Frees the file. */
static void refuses_text(buffer b, rise_result result, const char *word)
{
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    load_refused(&b, &machine, result, word);
    free(b.data);
}
/* A description is refused if a line that is not optional is missing, is there twice or has no
   newline, if the text ends before this line, or if any byte is 0. */
static void refuses_missing_lines(const buffer *b)
{
    size_t length, at, size;
    char *const text = description_of(b, &length);
    for (at = 0; at < length; at += size) {
        char name[60], line[300];
        const char *field;
        size = strcspn(text + at, "\n") + 1;
        if (text[at] == '?') continue;
        snprintf(line, sizeof line, "%.*s%.*s", (int)size, text + at, (int)size, text + at);
        snprintf(name, sizeof name, "%.*s", (int)strcspn(text + at, "="), text + at);
        field = name + (name[4] == '[' ? 8 : 0); /* without "conv[0]." */
        check_about("description without %s", name);
        refuses_text(with_line(b, name, ""), RISE_BAD_FILE, at == 0 ? "description" : field);
        check_about("description with two of %s", name);
        refuses_text(with_line(b, name, line), RISE_BAD_FILE, field);
        check_about("description without the newline of %s", name);
        refuses_text(with_description(b, text, at + size - 1), RISE_BAD_FILE, "description");
        check_about("description that ends before %s", name);
        refuses_text(with_description(b, text, at), RISE_BAD_FILE, "description");
    }
    for (at = 0; at < length; at++) { /* a zero byte at every place */
        char const was = text[at];
        check_about("byte %d of the description is zero", (int)at);
        text[at] = '\0';
        refuses_text(with_description(b, text, length), RISE_BAD_FILE, "description");
        text[at] = was;
    }
    free(text);
}
/* Lines that are refused, each in place of the field's own line; the error contains `word`. */
static const struct {
    const char *field, *value, *word;
} bad_lines[] = {
    {"n_step", "", "n_step"},
    {"n_step", "x", "n_step"},
    {"n_step", "1x", "n_step"},
    {"n_step", "--1", "n_step"},
    {"n_step", "0.5", "n_step"},
    {"n_step", "1,5", "n_step"},
    {"n_step", "1 ", "n_step"},
    {"n_step", "1\r", "n_step"},
    {"n_step", "1e400", "n_step"},
    {"n_step", "1.2.3", "n_step"},
    {"n_step", "=1", "n_step"},
    {"n_step", "1=1", "n_step"},
    {"n_step", "99999", "n_step"},
    {"n_step", "true", "n_step"},
    {"n_step", "\"1\"", "n_step"},
    {"n_step", "inf", "n_step"},
    {"n_step", "-inf", "n_step"},
    {"n_step", "nan", "n_step"},
    {"n_step", "4294967297.0", "n_step"},
    {"n_step", "1e", "n_step"},
    {"discount", "nan", "discount"},
    {"discount", "inf", "discount"},
    {"discount", "1.5", "discount"},
    {"cell", "LSTM", "cell=LSTM"},
    {"cell", "lst", "cell=lst"},
    {"cell", "7", "cell=7"},
    {"seed", "", "seed"},
    {"seed", "-1", "seed"},
    {"seed", "x", "seed"},
    {"seed", "18446744073709551616", "seed"},
    {"seed", "99999999999999999999", "seed"},
    {"seed", "1.0", "seed"},
    {"seed", "1 ", "seed"},
    {"seed", "0x10", "seed"},
    {"description", "0", "revision"},
    {"description", "-1", "revision"},
    {"description", "1.5", "revision"},
    {"description", "x", "revision"},
    {"description", "", "revision"},
    {"description", "1e10", "revision"},
    {"description", "1000000001", "revision"},
    {"description", "nan", "revision"},
    {"description", "1 1", "revision"},
    {"n_step", "1\n\n", "line"},
    {"n_step", "1\nframe_width\n", "line"},
    {"n_step", "1\n?\n", "line"},
    {"n_step", "1\n?frame_width\n", "line"},
    {"n_step", "1\n \n", "line"},
    {"n_step", "1\ndescription=1", "description"},
};
/* Files have no defaults. So 0 is refused where it is no value of the field. */
static void refuses_zeros(const buffer *b)
{
    int i, positive = 0;
    for (i = 0; i < RISEI_FIELDS + RISEI_CONV_FIELDS; i++) {
        int const conv = i >= RISEI_FIELDS;
        const risei_field *const field = conv ? &risei_conv_fields[i - RISEI_FIELDS]
                                              : &risei_fields[i];
        char name[60], line[64];
        if (field->low <= 0) continue;
        snprintf(name, sizeof name, "%s%s", conv ? "conv[0]." : "", field->name);
        snprintf(line, sizeof line, "%s=0\n", name);
        check_about("%s=0", name);
        refuses_text(with_line(b, name, line), RISE_BAD_FILE, "bad line");
        positive++;
    }
    check_about("fields that are never 0");
    CHECK(positive > 30);
}
static void refuses_bad_lines(const buffer *b)
{
    int i;
    for (i = 0; i < COUNT(bad_lines); i++) {
        char line[80];
        check_about("%s=%s", bad_lines[i].field, bad_lines[i].value);
        snprintf(line, sizeof line, "%s=%s\n", bad_lines[i].field, bad_lines[i].value);
        refuses_text(with_line(b, bad_lines[i].field, line), RISE_BAD_FILE, bad_lines[i].word);
    }
    refuses_zeros(b);
    check_about("a first line that is not the revision");
    refuses_text(with_line(b, "description", "frame_channels=1\ndescription=1\n"), RISE_BAD_FILE,
                 "begins with frame_channels");
    /* a name as long as "description", and a name that begins with it */
    refuses_text(with_line(b, "description", "frame_width=1\ndescription=1\n"), RISE_BAD_FILE,
                 "begins with frame_width");
    refuses_text(with_line(b, "description", "descriptions=1\ndescription=1\n"), RISE_BAD_FILE,
                 "begins with descriptions");
    refuses_text(with_description(b, "", 0), RISE_BAD_FILE, "revision");
}
/* Writes the first line of a description of the next revision, and another line after it. */
static const char *newer(const char *next, char *line, size_t room)
{
    snprintf(line, room, "description=%d\n%s\n", RISEI_DESCRIPTION_REVISION + 1, next);
    return line;
}
/* Unknown fields are refused by name. Those marked as optional are ignored. */
static void refuses_unknown_fields(const buffer *b, uint64_t state)
{
    char line[80], name[80];
    size_t length;
    check_about("unknown fields");
    refuses_text(with_line(b, "n_step", "n_step=1\nwarp_factor=9\n"), RISE_BAD_FILE,
                 "\"warp_factor\"");
    refuses_text(with_line(b, "n_step", "n_step=1\nconv[8].filters=9\n"), RISE_BAD_FILE,
                 "\"conv[8].filters\"");
    refuses_text(with_line(b, "n_step", "n_step=1\nconv[0].warp=9\n"), RISE_BAD_FILE,
                 "\"conv[0].warp\"");
    for (length = 59; length <= 62; length++) { /* the error has up to 60 characters */
        memset(name, 'x', sizeof name);
        snprintf(name + length, sizeof name - length, "=1\n");
        snprintf(line, sizeof line, "\"%.*s\"", (int)(length < 60 ? length : 60), name);
        refuses_text(with_line(b, "n_step", name), RISE_BAD_FILE, line);
    }
    reads_text(with_line(b, "n_step", "n_step=1\n?warp_factor=9\n?warp_factor=x\n?=\n"), state);
    check_about("optional fields that are known");
    reads_text(with_line(b, "n_step", "?n_step=1\n"), state);
    refuses_text(with_line(b, "n_step", "?n_step=x\n"), RISE_BAD_FILE, "n_step");
    refuses_text(with_line(b, "n_step", "n_step=1\n?n_step=1\n"), RISE_BAD_FILE, "n_step");
    check_about("a second seed, which may be ignored");
    refuses_text(with_line(b, "seed", "seed=7\n?seed=7\n"), RISE_BAD_FILE, "seed");
    check_about("files of a newer release");
    reads_text(with_line(b, "description", newer("?warp_factor=9", line, sizeof line)), state);
    refuses_text(with_line(b, "description", newer("warp_factor=9", line, sizeof line)),
                 RISE_NEWER_FILE, "\"warp_factor\"");
    refuses_text(with_line(b, "description", newer("n_step=1", line, sizeof line)), RISE_BAD_FILE,
                 "n_step");
}
/* What files of earlier revisions imply is a value that the field may have. It is 0 only where 0 is
   the default, because 0 means the default when the description is resolved. */
static void earlier_files_imply_valid_values(void)
{
    int i;
    for (i = 0; i < RISEI_FIELDS; i++) {
        const risei_field *f = &risei_fields[i];
        double const most = f->word_of != NULL ? risei_words_count(f->word_of) - 1 : f->high;
        check_about("%s", f->name);
        CHECK(f->since <= RISEI_DESCRIPTION_REVISION);
        if (f->since == 0) continue;
        CHECK(f->value_before >= f->low && f->value_before <= most);
        CHECK(!risei_is_zero(f->value_before) ||
              (risei_is_zero(f->for_small) && risei_is_zero(f->for_others)));
    }
}
/* Lines and descriptions of the greatest length are read. Longer ones are refused. */
static void refuses_long_text(const buffer *b, uint64_t state)
{
    static char longest[RISEI_DESC_BYTES + 200];
    char line[300];
    size_t length, at, end;
    char *const text = description_of(b, &length);
    for (at = RISEI_DESC_LINE - 2; at <= RISEI_DESC_LINE + 130; at++) {
        check_about("a line of %d characters", (int)at);
        memset(line, 'x', sizeof line);
        memcpy(line, "n_step=1\n?", 10);
        memcpy(line + 9 + at - 2, "=1\n", 4);
        if (at <= RISEI_DESC_LINE)
            reads_text(with_line(b, "n_step", line), state);
        else
            refuses_text(with_line(b, "n_step", line), RISE_BAD_FILE, "too long");
    }
    memset(longest, 'x', sizeof longest); /* lines of 100 characters that may be ignored */
    memcpy(longest, text, length);
    for (at = length; at + 100 <= RISEI_DESC_BYTES; at += 100)
        longest[at] = '?', longest[at + 98] = '=', longest[at + 99] = '\n';
    check_about("a description of %d bytes", (int)at);
    reads_text(with_description(b, longest, at), state);
    for (end = RISEI_DESC_BYTES - 1; end <= RISEI_DESC_BYTES + 1; end++) {
        memset(longest + at, 'x', sizeof longest - at);
        longest[at] = '?', longest[end - 2] = '=', longest[end - 1] = '\n';
        check_about("a description of %d bytes", (int)end);
        if (end <= RISEI_DESC_BYTES)
            reads_text(with_description(b, longest, end), state);
        else
            refuses_text(with_description(b, longest, end), RISE_BAD_FILE, "too long");
    }
    free(text);
}
/* Returns a file with a replay buffer, and the state of its agent. */
static buffer text_file(uint64_t *state)
{
    world w = tiny_world("memory=rise", 20);
    buffer const b = saved(w.agent, RISE_SAVE_ALL);
    *state = state_of(w.agent);
    rise_agent_destroy(w.agent);
    return b;
}
static void each_line_is_needed_once(void)
{
    uint64_t state;
    buffer b = text_file(&state);
    reads_text(with_line(&b, "cell", "cell=lstm\n"), state);
    refuses_missing_lines(&b);
    free(b.data);
}
static void bad_lines_are_refused(void)
{
    uint64_t state;
    buffer b = text_file(&state);
    refuses_bad_lines(&b);
    free(b.data);
}
static void unknown_fields_are_refused(void)
{
    uint64_t state;
    buffer b = text_file(&state);
    refuses_unknown_fields(&b, state);
    free(b.data);
}
static void long_text_is_refused(void)
{
    uint64_t state;
    buffer b = text_file(&state);
    refuses_long_text(&b, state);
    free(b.data);
}

/* A field that is newer than the file's revision gets value_before. A missing field that the
   revision has is reported. The table of fields is made for this test. */
static void fields_of_newer_files_get_their_earlier_values(void)
{
    typedef struct object {
        int first, added;
        double real;
    } object;
    static const risei_field fields[] = {
        {"first", NULL, 0, 10, 0, 0, 0, offsetof(object, first), sizeof(int), 0, 0, 0, 0},
        {"added", NULL, 0, 10, 7, 0, 0, offsetof(object, added), sizeof(int), 0, 0, 2, 0},
        {"real", NULL, 0, 10, 0.25, 0, 0, offsetof(object, real), sizeof(double), 1, 0, 3, 0}};
    static const int since[3] = {1, 2, 3};
    int marked, revision, i;
    for (marked = 0; marked < 8; marked++)
        for (revision = 1; revision <= 4; revision++) {
            object o = {100, 101, 102}; /* the values that were read */
            unsigned char marks[3];
            const risei_field *right = NULL;
            for (i = 2; i >= 0; i--) {
                marks[i] = (unsigned char)(marked >> i & 1);
                if (!marks[i] && since[i] <= revision) right = &fields[i];
            }
            check_about("fields %d of a file of revision %d", marked, revision);
            CHECK(risei_fields_fill_missing(fields, 3, marks, revision, &o) == right);
            CHECK(o.first == 100);
            if (right != NULL) continue;
            CHECK(o.added == (marks[1] ? 101 : 7));
            CHECK(check_near(o.real, marks[2] ? 102 : 0.25, 0));
        }
}

/* Returns number i of a sequence of special numbers, short ones, floats, and random bits. */
static double many_numbers(int i, risei_random *dice)
{
    static const double odd[] = {0,      -0.0,    0.1,     -0.5,   1.0 / 3,
                                 1e-310, 5e-324,  6.25e-5, 1e15,   1e16,
                                 1e17,   1e22,    1e23,    2.5,    123456.789,
                                 0.3,    DBL_MAX, DBL_MIN, -1e-9,  1 + DBL_EPSILON,
                                 0.7,    0.00015, -1e300,  1e-300, 1 - DBL_EPSILON / 2};
    uint64_t const high = risei_random_bits(dice);
    uint64_t const bits = high << 32 | risei_random_bits(dice);
    double value;
    memcpy(&value, &bits, sizeof value);
    if (i < COUNT(odd)) return odd[i];
    if (i % 4 == 0) return ldexp((double)(bits >> 40), (int)(bits & 63) - 60);
    if (i % 4 == 1) return (double)risei_random_uniform(dice);
    if (i % 4 == 2) return floor((double)(bits & 0xFFFFFF) / 3) / 1000;
    return value - value == 0 ? value : 1;
}
/* Numbers are read as they were written, bit for bit. Returns a hash of their texts. */
static uint64_t number_texts(void)
{
    risei_random dice = risei_random_stream(14, 1);
    uint64_t hash = HASH_START;
    int i, wrong = 0;
    for (i = 0; i < 40000 / check_share; i++) {
        double const value = many_numbers(i, &dice);
        double back = 77;
        char text[RISEI_NUMBER_TEXT];
        risei_number_write(value, text);
        wrong += strspn(text, "+-.0123456789e") != strlen(text);
        wrong += !risei_number_read(text, &back) || memcmp(&back, &value, sizeof value) != 0;
        hash = hash_bytes(hash, text, strlen(text));
    }
    CHECK(wrong == 0);
    return hash;
}
/* The reader of numbers gives the bits of strtod, and refuses what is no number. */
static void numbers_are_read_as_by_strtod(void)
{
#ifdef _WIN32
    check_skip("this strtod is not exact");
#else
    risei_random dice = risei_random_stream(15, 1);
    int const most = 200000 / check_share;
    int i, good = 0;
    for (i = 0; i < most; i++) {
        char text[NUMBER_TEXT];
        double right = 0, value = 77;
        int reads;
        number_text(i, &dice, text);
        reads = number_right(text, &right);
        check_about("\"%s\"", text);
        CHECK(risei_number_read(text, &value) == reads);
        if (reads) CHECK(memcmp(&value, &right, sizeof value) == 0);
        good += reads;
    }
    check_about("of %d texts, %d are numbers", most, good);
    CHECK(good > most / 2 && good < most - most / 50);
#endif
}
static void seed_texts(void)
{
    static const char *const seeds[] = {"0",
                                        "1",
                                        "9",
                                        "10",
                                        "9007199254740993",
                                        "9999999999999999999",
                                        "10000000000000000000",
                                        "18446744073709551610",
                                        "18446744073709551614",
                                        "18446744073709551615"};
    static const uint64_t right[] = {0,
                                     1,
                                     9,
                                     10,
                                     (UINT64_C(1) << 53) + 1,
                                     UINT64_C(9999999999999999999),
                                     UINT64_C(10000000000000000000),
                                     UINT64_MAX - 5,
                                     UINT64_MAX - 1,
                                     UINT64_MAX};
    int i;
    for (i = 0; i < COUNT(seeds); i++) {
        char text[24], line[40];
        uint64_t back = 77;
        rise_agent_desc d;
        memset(&d, 0, sizeof d);
        risei_seed_write(right[i], text);
        CHECK(strcmp(text, seeds[i]) == 0);
        CHECK(risei_seed_read(text, &back) && back == right[i]);
        snprintf(line, sizeof line, "seed=%s", text);
        CHECK(rise_agent_set(&d, line, NULL) == RISE_OK && d.seed == right[i]);
    }
}
/* Saves and loads an agent with long numbers. Returns a hash of the file. */
static uint64_t file_text(void)
{
    rise_agent_desc d = tiny("memory=rise"), machine = machine_for(RISE_SAVE_ALL);
    uint64_t hash;
    world w;
    buffer b;
    rise_agent *a;
    d.seed = UINT64_MAX, d.learning_rate = 1.0 / 3, d.discount = 0.997;
    w = world_of(created(&d));
    world_run(&w, 9);
    b = saved(w.agent, RISE_SAVE_ALL);
    hash = hash_bytes(HASH_START, b.data, b.size);
    a = loaded(&b, &machine);
    CHECK(a->desc.seed == UINT64_MAX && state_of(a) == state_of(w.agent));
    CHECK(memcmp(&a->desc.learning_rate, &d.learning_rate, sizeof d.learning_rate) == 0 &&
          memcmp(&a->desc.discount, &d.discount, sizeof d.discount) == 0);
    rise_agent_destroy(a), rise_agent_destroy(w.agent);
    free(b.data);
    return hash;
}
static void hash_line(void *user, const char *text)
{
    *(uint64_t *)user = hash_bytes(*(uint64_t *)user, text, strlen(text) + 1);
}
/* Reads the numbers of all presets. Returns a hash of the descriptions. */
static uint64_t preset_texts(void)
{
    uint64_t hash = HASH_START;
    int preset;
    for (preset = 0; preset < RISE_PRESET_COUNT; preset++) {
        rise_agent_desc d;
        memset(&d, 0, sizeof d);
        CHECK(rise_agent_preset(&d, (rise_preset)preset) == RISE_OK);
        CHECK(check_near(d.discount, preset >= RISE_PRESET_BTR ? 0.997 : 0, 0));
        rise_agent_describe(&d, hash_line, &hash);
    }
    return hash;
}
/* The text is the same in locales with another decimal point: a comma, or two bytes. */
static void numbers_are_the_same_text_in_every_locale(void)
{
    static const char *const locales[] = {"de_DE.UTF-8", "de_DE.utf8", "de_DE",
                                          "fr_FR.UTF-8", "fr_FR.utf8", "ru_RU.UTF-8",
                                          "pl_PL.UTF-8", "de-DE",      "German",
                                          "ps_AF.UTF-8", "ps_AF.utf8", "ps_AF"};
    uint64_t numbers, file, presets;
    char point[16];
    int i, count = 0;
    check_about("numbers as text");
    numbers = number_texts();
    file = file_text();
    presets = preset_texts();
    seed_texts();
    for (i = 0; i < COUNT(locales); i++) {
        if (setlocale(LC_ALL, locales[i]) == NULL) continue;
        risei_decimal_point(point);
        if (strcmp(point, ".") == 0) continue;
        check_about("numbers as text, %s", locales[i]);
        CHECK(number_texts() == numbers);
        CHECK(file_text() == file);
        CHECK(preset_texts() == presets);
        seed_texts();
        count++;
    }
    CHECK(setlocale(LC_ALL, "C") != NULL);
    check_about("numbers as text, a point of two bytes");
    long_point = 1;
    risei_decimal_point(point);
    CHECK(strcmp(point, point_bytes) == 0);
    CHECK(number_texts() == numbers);
    CHECK(file_text() == file);
    CHECK(preset_texts() == presets);
    seed_texts();
    long_point = 0;
    if (count == 0)
        check_note("no locale with another decimal point is installed");
    else
        check_note("in %d locales with another decimal point", count);
}

/* ---------------------------------------------------------------------------------------------- */
/* What the reader supplies */

static void reader_supplies_the_memory(void)
{
    world w = tiny_world("memory=rise embedding=user", 30);
    buffer b = saved(w.agent, RISE_SAVE_ALL);
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
    load_refused(&b, &machine, RISE_NO_MEMORY, "memory_bytes");
    machine.memory_block = block;
    load_refused(&b, &machine, RISE_NO_MEMORY, "memory_bytes");
    machine.memory_bytes = bytes;
    calls = toy_memory.calls;
    a = loaded(&b, &machine);
    CHECK(toy_memory.calls == calls && (unsigned char *)a >= block &&
          (unsigned char *)a < block + bytes && state_of(a) == state);
    rise_agent_destroy(a);
    machine = machine_for(RISE_SAVE_ALL);
    toy_memory.refuse = 1;
    load_refused(&b, &machine, RISE_NO_MEMORY, "bytes");
    toy_memory.refuse = 0;
    free(block);
    free(b.data);
}
static void quiet_log(void *user, const char *text) { (void)user, (void)text; }
static double still_clock(void *user) { return (void)user, 7; }
static void reader_supplies_the_machine(void)
{
    world w = tiny_world("memory=rise embedding=user", 30);
    buffer b = saved(w.agent, RISE_SAVE_ALL), policy = saved(w.agent, RISE_SAVE_POLICY);
    rise_agent_desc machine = machine_for(RISE_SAVE_ALL);
    uint64_t const state = state_of(w.agent);
    rise_agent *a;
    long calls = 0; /* of toy_embed */
    rise_agent_destroy(w.agent);
    machine.embed_fn = NULL;
    load_refused(&b, &machine, RISE_BAD_DESC, "embed_fn");
    machine = machine_for(RISE_SAVE_ALL);
    load_refused(&policy, &machine, RISE_MISMATCH, "play_only");
    machine.isa = RISE_ISA_NEON;
    if (rise_kernels_of(RISE_ISA_NEON) == NULL) load_refused(&b, &machine, RISE_UNAVAILABLE, "isa");
    machine.isa = RISE_ISA_REF;
    a = loaded(&b, &machine); /* continues on other kernels */
    CHECK(strcmp(a->model.device.kernels->name, "ref") == 0 &&
          (rise_kernels_of(RISE_ISA_AUTO)->fused == 0 || state_of(a) == state));
    rise_agent_destroy(a);
    machine = machine_for(RISE_SAVE_ALL);
    machine.embedding_file = "files_test.none"; /* unused with this embedding, but kept */
    machine.embed_user = &calls, machine.log_user = &b, machine.clock_user = &policy;
    machine.log_fn = quiet_log, machine.clock_fn = still_clock;
    a = loaded(&b, &machine);
    CHECK(a->desc.embedding_file == machine.embedding_file);
    CHECK(a->desc.embed_fn == machine.embed_fn && a->desc.embed_user == machine.embed_user);
    CHECK(a->desc.log_fn == machine.log_fn && a->desc.log_user == machine.log_user);
    CHECK(a->desc.clock_fn == machine.clock_fn && a->desc.clock_user == machine.clock_user);
    rise_agent_destroy(a);
    free(b.data);
    free(policy.data);
}
static void players_load_from_any_file(void)
{
    world w = tiny_world("memory=rise embedding=user", 30);
    buffer b = saved(w.agent, RISE_SAVE_ALL), policy = saved(w.agent, RISE_SAVE_POLICY);
    size_t const bytes = w.agent->bytes;
    rise_agent_desc machine = machine_for(RISE_SAVE_POLICY);
    rise_agent *a;
    rise_agent_destroy(w.agent);
    a = loaded(&b, &machine); /* a whole agent's file loads as a player too */
    CHECK(a->desc.players == 2 && a->bytes < bytes);
    rise_agent_destroy(a);
    machine.players = 5;
    a = loaded(&policy, &machine);
    CHECK(a->desc.players == 5 && rise_agent_query(a)->play_only == 1);
    CHECK(rise_agent_play(a, 4, w.frames, 0, RISE_FIRST, NULL) >= 0);
    rise_agent_destroy(a);
    machine.players = 5000;
    load_refused(&policy, &machine, RISE_BAD_DESC, "players");
    machine.players = 0, machine.play_only = -1;
    load_refused(&policy, &machine, RISE_BAD_DESC, "play_only");
    free(b.data);
    free(policy.data);
}
static void machine_may_be_null(void)
{
    world w = tiny_world("memory=rise", 8);
    buffer b = saved(w.agent, RISE_SAVE_ALL);
    rise_agent *a = loaded(&b, NULL);
    CHECK(state_of(a) == state_of(w.agent));
    rise_agent_destroy(a);
    rise_agent_destroy(w.agent);
    free(b.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* What the reader states */

/* Returns a valid value of a field that is neither `value` nor 0 (0 states nothing), or 0 if there
   is none. */
static double another_value(const risei_field *field, double value)
{
    double const high = field->word_of != NULL ? risei_words_count(field->word_of) - 1
                                                : field->high;
    double other;
    for (other = field->low > 1 ? field->low : 1; other <= high; other++)
        if (!(other <= value && other >= value)) return other;
    return 0;
}
/* Checks that the file's own value is accepted and another is refused. `place` is the struct of
   `machine` that has the field. */
static void refuses_other_value(buffer *b, const rise_agent_desc *machine, const risei_field *field,
                                void *place, double value, double other, const char *name)
{
    rise_agent *a;
    char text[150];
    check_about("%s is %g, machine says %g", name, value, other);
    risei_field_put(field, place, value);
    a = loaded(b, machine);
    rise_agent_destroy(a);
    risei_field_put(field, place, other);
    if (strcmp(name, "embedding_size") == 0)
        snprintf(text, sizeof text, "%s is ", name); /* DOWNSAMPLE may choose another size */
    else if (field->word_of != NULL)
        snprintf(text, sizeof text, "%s is %s, but the file was saved with %s", name,
                 field->word_of((int)other), field->word_of((int)value));
    else
        snprintf(text, sizeof text, "%s is %g, but the file was saved with %g", name, other, value);
    load_refused(b, machine, RISE_MISMATCH, text);
    if (field->word_of != NULL) { /* not a word */
        risei_field_put(field, place, 99);
        snprintf(text, sizeof text, "%s is 99, but the file was saved with %g", name, value);
        load_refused(b, machine, RISE_MISMATCH, text);
    }
    risei_field_put(field, place, 0);
}
/* Checks each field of the shape. Returns their number. */
static int refuses_other_fields(buffer *b, const rise_agent_desc *has, int kind)
{
    rise_agent_desc machine = machine_for(kind);
    int i, l, count = 0;
    for (i = 0; i < RISEI_COUNT(risei_fields); i++) {
        const risei_field *const field = &risei_fields[i];
        double const value = risei_field_get(field, has);
        double other = another_value(field, value);
        if (!field->shape || risei_is_zero(other)) continue;
        if (kind == RISE_SAVE_INT8 && i >= RISEI_FIELDS_TO_ACT) continue; /* not held */
        /* without a replay buffer, the number of environments may change */
        if (strcmp(field->name, "environments") == 0 && kind != RISE_SAVE_ALL) continue;
        /* DOWNSAMPLE adapts the size to the frame, so that close sizes are the same */
        if (strcmp(field->name, "embedding_size") == 0) other = value + 20;
        refuses_other_value(b, &machine, field, &machine, value, other, field->name);
        count++;
    }
    for (l = 0; l < has->conv_count; l++)
        for (i = 0; i < RISEI_COUNT(risei_conv_fields); i++) {
            const risei_field *const field = &risei_conv_fields[i];
            double const value = risei_field_get(field, &has->conv[l]);
            char name[40];
            snprintf(name, sizeof name, "conv[%d].%s", l, field->name);
            refuses_other_value(b, &machine, field, &machine.conv[l], value,
                                another_value(field, value), name);
            count++;
        }
    return count;
}
static void other_shapes_are_refused(void)
{
    static const char *const words[] = {
        "memory=rise action_masks=1 environments=3",
        "memory=full cell=gru feed_action=1",
        "memory=none head=c51",
        "memory=rise embedding=downsample",
    };
    int i, kind, l, count = 0;
    for (i = 0; i < COUNT(words); i++)
        for (kind = 0; kind < KINDS; kind++) {
            world w = tiny_world(words[i], 20);
            buffer b = saved(w.agent, (rise_save)kind);
            rise_agent_desc machine = w.agent->desc;
            rise_agent *a;
            rise_agent_destroy(w.agent);
            if (kind == RISE_SAVE_INT8) machine.weight_bits = 8;
            count += refuses_other_fields(&b, &machine, kind);
            /* all fields at once, as the saved agent has them */
            check_about("%s, %s: machine is the agent's description", words[i], kind_names[kind]);
            machine.play_only = kind_plays(kind);
            a = loaded(&b, &machine);
            for (l = machine.conv_count; l < RISE_MAX_CONV; l++) /* unused, so not saved */
                memset(&machine.conv[l], 0, sizeof machine.conv[l]);
            if (kind != RISE_SAVE_INT8)
                CHECK(memcmp(&a->desc, &machine, sizeof machine) == 0);
            for (l = 0; l < RISEI_FIELDS_TO_ACT; l++) /* INT8 holds no others */
                CHECK(!(risei_field_get(&risei_fields[l], &a->desc) !=
                        risei_field_get(&risei_fields[l], &machine)));
            rise_agent_destroy(a);
            free(b.data);
        }
    check_about("%d fields", count);
    CHECK(count > 300);
}
/* DOWNSAMPLE lowers embedding_size to the size of its grid: 9 to 15 numbers are 3 x 3 here. */
static void stated_sizes_are_lowered(void)
{
    world w = world_begin("memory=rise embedding=downsample", 30);
    buffer b = saved(w.agent, RISE_SAVE_AGENT);
    rise_agent_desc machine = machine_for(RISE_SAVE_AGENT);
    for (machine.embedding_size = 9; machine.embedding_size < 16; machine.embedding_size++) {
        rise_agent *const a = loaded(&b, &machine);
        CHECK(a->desc.embedding_size == 9);
        rise_agent_destroy(a);
    }
    load_refused(&b, &machine, RISE_MISMATCH, "embedding_size is 16");
    machine.embedding_size = 8;
    load_refused(&b, &machine, RISE_MISMATCH, "embedding_size is 4");
    rise_agent_destroy(w.agent), free(b.data);
}

/* The caller's values out of range, which have no word, are refused like others. */
static void values_out_of_range_are_refused(void)
{
    static const int odd[] = {-1, 99, INT_MIN, INT_MAX};
    world w = tiny_world("memory=rise", 20);
    buffer b = saved(w.agent, RISE_SAVE_ALL);
    rise_agent_desc const has = w.agent->desc;
    int i, k;
    rise_agent_destroy(w.agent);
    for (k = 0; k < RISEI_COUNT(risei_fields); k++) {
        const risei_field *const field = &risei_fields[k];
        rise_agent_desc machine = machine_for(RISE_SAVE_ALL);
        if (!field->shape) continue;
        for (i = 0; i < COUNT(odd); i++) {
            if (risei_is_zero(odd[i] - risei_field_get(field, &has))) continue;
            check_about("machine says %s=%d", field->name, odd[i]);
            risei_field_put(field, &machine, odd[i]);
            load_refused(&b, &machine, RISE_MISMATCH, field->name);
        }
    }
    free(b.data);
}

/* Steps an agent of n environments. Arrays have exactly that length, for address sanitizers. */
static void steps_all(rise_agent *a, int n, int steps)
{
    uint8_t *const frames = (uint8_t *)calloc((size_t)n, PIXELS);
    float *const rewards = (float *)calloc((size_t)n, sizeof *rewards);
    rise_event *const events = (rise_event *)calloc((size_t)n, sizeof *events);
    int *const actions = (int *)calloc((size_t)n, sizeof *actions);
    int i, step;
    if (frames == NULL || rewards == NULL || events == NULL || actions == NULL) exit(1);
    for (step = 0; step < steps; step++) {
        for (i = 0; i < n; i++) {
            rewards[i] = (float)(i % 3);
            events[i] = step % 10 == 0   ? RISE_FIRST
                        : step % 10 == 9 ? RISE_TERMINATED
                                         : RISE_MIDDLE;
        }
        for (i = 0; i < n * PIXELS; i++) frames[i] = (uint8_t)(i * 7 + step * 5);
        CHECK(rise_agent_step_all(a, frames, NULL, rewards, events, NULL, actions) == RISE_OK);
        for (i = 0; i < n; i++) CHECK(actions[i] >= 0 && actions[i] < ACTIONS);
    }
    free(frames), free(rewards), free(events), free(actions);
}
/* Loads an agent of 8 environments for another number of them. With the replay buffer, which has a
   lane for each environment, loading fails. Without it, the agent continues with that number. */
static void environments_change_without_replay(void)
{
    static const int numbers[] = {1, 4, 7, 8, 9, 16};
    rise_agent_desc d = described("memory=rise cell=gru carry_state=1");
    int kind, i;
    d.environments = 8;
    d.replay_capacity = 60 * d.environments;
    for (kind = 0; kind < KINDS; kind++) {
        rise_agent *a = created(&d);
        rise_agent_desc machine = machine_for(kind);
        rise_metrics m;
        buffer b;
        steps_all(a, 8, 12);
        b = saved(a, (rise_save)kind);
        rise_agent_destroy(a);
        for (i = 0; i < COUNT(numbers); i++) {
            int const n = machine.environments = numbers[i];
            check_about("%s of 8 environments, loaded with %d", kind_names[kind], n);
            if (kind == RISE_SAVE_ALL && n != 8) {
                load_refused(&b, &machine, RISE_MISMATCH, "environments");
                continue;
            }
            a = loaded(&b, &machine);
            CHECK(rise_agent_query(a)->environments == n);
            if (!machine.play_only) {
                steps_all(a, n, 60);
                rise_agent_metrics(a, &m);
                CHECK(m.replay_size >= 60 && m.updates > 0);
            }
            rise_agent_destroy(a);
        }
        machine.environments = 4, machine.play_only = 1; /* a player does not load the buffer */
        a = loaded(&b, &machine);
        CHECK(rise_agent_query(a)->environments == 4);
        rise_agent_destroy(a);
        free(b.data);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* On disk */

#define PATH "files_test.rise"

#if LINKS
static int count_bytes(void *user, const void *data, size_t size)
{
    (void)data;
    *(size_t *)user += size;
    return 1;
}
static size_t written_size(const rise_agent *a)
{
    size_t size = 0;
    CHECK(rise_agent_write(a, RISE_SAVE_ALL, count_bytes, &size, NULL) == RISE_OK);
    return size;
}
#endif
/* Checks that the file at PATH holds the state, and that no other file was left. */
static void holds(uint64_t state)
{
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    rise_agent *a;
    CHECK(rise_agent_load(&a, PATH, &machine, NULL) == RISE_OK && state_of(a) == state);
    rise_agent_destroy(a);
#if LINKS
    CHECK(folder_count(PATH) == 1);
#endif
}
/* A save that the agent refuses says what rise_agent_write says, after the path. No system call has
   failed, so the text has no message of strerror. */
static void save_says_what_write_says(const rise_agent *a, rise_save what, rise_result result)
{
    buffer none = {NULL, 0, 0, SIZE_MAX, 0};
    rise_error written = {RISE_OK, ""}, error = {RISE_OK, ""};
    char text[sizeof error.text + 40];
    CHECK(rise_agent_write(a, what, buffer_write, &none, &written) == result && none.size == 0);
    CHECK(rise_agent_save(a, what, PATH, &error) == result && error.result == result);
    snprintf(text, sizeof text, "%s: %s", PATH, written.text);
    CHECK(strcmp(error.text, text) == 0);
}
static void failed_save_keeps_the_old_file(void)
{
    static char endless[2000];
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    world w = tiny_world("memory=rise", 20);
    uint64_t const old = state_of(w.agent);
    rise_agent *a;
    rise_error error = {RISE_OK, ""};
    rise_agent_desc desc;
    size_t size;
    check_about("on disk");
    remove(PATH);
    CHECK(rise_agent_load(&a, PATH, NULL, &error) == RISE_IO && a == NULL &&
          strstr(error.text, PATH) != NULL);
    CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_IO);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    holds(old);
    world_run(&w, 20);
#if LINKS
    /* the largest sizes fail only when the rest of stdio's buffer is written */
    for (size = 1; size < written_size(w.agent); size += size < 4000 ? 777 : 47) {
        process_limit_files(size);
        CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_IO);
        process_limit_files(0);
        check_about("a disk with room for %.0f bytes: %s", (double)size, error.text);
        CHECK(strstr(error.text, PATH) != NULL && strstr(error.text, strerror(EFBIG)) != NULL);
        holds(old);
    }
#else
    (void)size;
#endif
    rise_agent_parameters(w.agent)[0] += (float)HUGE_VAL;
    save_says_what_write_says(w.agent, RISE_SAVE_ALL, RISE_NOT_FINITE);
    save_says_what_write_says(w.agent, (rise_save)77, RISE_BAD_CALL);
    holds(old);
    CHECK(rise_agent_load(&a, PATH, &machine, &error) == RISE_OK);
    rise_agent_destroy(w.agent);
    w.agent = a;
    world_run(&w, 5);
    /* replaces the old file */
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK);
    holds(state_of(w.agent));
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, "files_test.none/x.rise", &error) == RISE_IO &&
          error.text[0] != '\0');
    memset(endless, 'x', sizeof endless - 1);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, endless, &error) == RISE_IO &&
          strstr(error.text, "path") != NULL);
    remove(PATH);
    rise_agent_destroy(w.agent);
}
#if LINKS
/* The new file has the permissions of the old one. */
static void saving_keeps_permissions(void)
{
    world w = tiny_world("memory=rise", 20);
    uint64_t const state = state_of(w.agent);
    rise_error error = {RISE_OK, ""};
    struct stat about;
    mode_t mask;
    FILE *file;
    remove(PATH);
    CHECK((file = fopen(PATH, "wb")) != NULL && fclose(file) == 0 && chmod(PATH, 0600) == 0);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    CHECK(stat(PATH, &about) == 0 && (about.st_mode & 0777) == 0600);
    holds(state);
    check_about("also permissions that the umask takes from new files");
    CHECK(chmod(PATH, 0664) == 0);
    mask = umask(077);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    umask(mask);
    CHECK(stat(PATH, &about) == 0 && (about.st_mode & 0777) == 0664);
    remove(PATH);
    rise_agent_destroy(w.agent);
}
/* Loading refuses a path that leads to no plain file, and does not wait for a writer of a pipe. */
static void special_is_not_read(const char *path)
{
    rise_agent_desc desc;
    rise_agent *agent;
    rise_error error = {RISE_OK, ""};
    CHECK(rise_agent_peek(&desc, path, &error) == RISE_IO && strstr(error.text, "plain file"));
    CHECK(rise_agent_load(&agent, path, NULL, &error) == RISE_IO && agent == NULL);
    CHECK(strstr(error.text, path) != NULL && strstr(error.text, "plain file") != NULL);
}
/* A save replaces the file that a link leads to, refuses a pipe and a folder, and leaves files of
   the user. */
static void saving_respects_other_files(void)
{
    static const char *const others[] = {PATH ".new", PATH ".new-1-0"};
    world w = tiny_world("memory=rise", 20);
    rise_error error = {RISE_OK, ""};
    static char far_away[1060];
    struct stat about;
    char name[80];
    int i;
    remove(PATH);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    check_about("a symbolic link stays, the file behind it is replaced");
    CHECK(mkdir("files_test.folder", 0700) == 0);
    CHECK(rename(PATH, "files_test.folder/agent") == 0);
    CHECK(symlink("files_test.folder/agent", PATH) == 0);
    world_run(&w, 5);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    CHECK(lstat(PATH, &about) == 0 && S_ISLNK(about.st_mode));
    holds(state_of(w.agent));
    CHECK(remove("files_test.folder/agent") == 0); /* a link to nothing yet */
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    CHECK(lstat(PATH, &about) == 0 && S_ISLNK(about.st_mode));
    holds(state_of(w.agent));
    remove("files_test.folder/agent"), remove("files_test.folder"), remove(PATH);
    check_about("a link to a path that is too long");
    memset(far_away, 'x', sizeof far_away - 1), far_away[0] = '/';
    CHECK(symlink(far_away, PATH) == 0);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_IO &&
          strstr(error.text, "path") != NULL);
    remove(PATH);
    check_about("a circle of links");
    CHECK(symlink(PATH, PATH) == 0);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_IO);
    remove(PATH);
    check_about("a pipe and a folder are refused at once");
    CHECK(mkfifo(PATH, 0600) == 0);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_IO &&
          strstr(error.text, "plain file") != NULL);
    special_is_not_read(PATH);
    remove(PATH);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, ".", &error) == RISE_IO);
    special_is_not_read(".");
    special_is_not_read("/dev/zero");
    check_about("files of the user stay");
    snprintf(name, sizeof name, PATH ".new-%ld-0", (long)getpid());
    for (i = 0; i < COUNT(others); i++) CHECK(mkfifo(others[i], 0600) == 0);
    CHECK(symlink("files_test.victim", name) == 0);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    CHECK(folder_count(PATH) == COUNT(others) + 2 && stat("files_test.victim", &about) != 0);
    for (i = 0; i < COUNT(others); i++) CHECK(remove(others[i]) == 0);
    CHECK(remove(name) == 0);
    holds(state_of(w.agent));
    remove(PATH);
    rise_agent_destroy(w.agent);
}
/* A link is refused if its folder and its target are too long together. */
static void long_links_are_refused(void)
{
    static char far_away[801], longer[700];
    world w = tiny_world("memory=rise", 20);
    rise_error error = {RISE_OK, ""};
    int i;
    CHECK(mkdir("files_test.folder", 0700) == 0);
    for (i = 0; i < 400; i++) memcpy(far_away + 2 * i, "./", 2);
    for (i = 200; i <= 300; i += 100) { /* the link leads to a path of 1018, and of 1218 bytes */
        far_away[2 * i] = '\0';
        CHECK(symlink(far_away, "files_test.folder/link") == 0);
        far_away[2 * i] = '.';
        snprintf(longer, sizeof longer, "files_test.folder/%.600slink", far_away);
        CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, longer, &error) == RISE_IO &&
              strstr(error.text, i == 200 ? "plain file" : "is longer than") != NULL);
        CHECK(remove("files_test.folder/link") == 0);
    }
    CHECK(remove("files_test.folder") == 0);
    rise_agent_destroy(w.agent);
}
/* A save takes the last temporary name that is free. If none is free, the error is EEXIST. */
static void taken_names_are_reported(void)
{
    world w = tiny_world("memory=rise", 20);
    rise_error error = {RISE_OK, ""};
    char name[80];
    FILE *file;
    int i;
    remove(PATH);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    for (i = 0; i < 1000; i++) {
        snprintf(name, sizeof name, PATH ".new-%ld-%d", (long)getpid(), i);
        CHECK((file = fopen(name, "wb")) != NULL && fclose(file) == 0);
    }
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_IO &&
          strstr(error.text, strerror(EEXIST)) != NULL);
    CHECK(folder_count(PATH) == 1001);
    snprintf(name, sizeof name, PATH ".new-%ld-999", (long)getpid()); /* the last one is free */
    CHECK(remove(name) == 0);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    for (i = 0; i < 999; i++) {
        snprintf(name, sizeof name, PATH ".new-%ld-%d", (long)getpid(), i);
        CHECK(remove(name) == 0);
    }
    holds(state_of(w.agent));
    remove(PATH);
    rise_agent_destroy(w.agent);
}
/* While two processes save to one path, each load from this path finds a whole file. */
static void two_savers_leave_a_whole_file(void)
{
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    world w = tiny_world("memory=rise", 20);
    int i, good = 1;
    pid_t child[2];
    remove(PATH);
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) == RISE_OK);
    fflush(stdout);
    for (i = 0; i < 2; i++) {
        child[i] = fork();
        if (child[i] == 0) {
            int j;
            for (j = 0; j < 60; j++)
                if (rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, NULL) != RISE_OK) _exit(1);
            _exit(0);
        }
    }
    for (i = 0; i < 100; i++) {
        rise_agent *a = NULL;
        good = rise_agent_load(&a, PATH, &machine, NULL) == RISE_OK && good;
        rise_agent_destroy(a);
    }
    CHECK(good);
    for (i = 0; i < 2; i++) CHECK(process_end(child[i]) == 0);
    holds(state_of(w.agent));
    remove(PATH);
    rise_agent_destroy(w.agent);
}
#endif
/* A path may have 1023 bytes. The path of the new file is longer while it is written. */
static void long_paths_are_saved_and_loaded(void)
{
    static const char name[] = "files_test_long.rise";
    rise_agent_desc const machine = machine_for(RISE_SAVE_POLICY);
    world w = tiny_world("memory=rise", 20);
    rise_error error = {RISE_OK, ""};
    char path[1024 + 1];
    rise_agent *a;
    size_t length;
    for (length = 1000; length <= 1024; length++) {
        size_t const folders = length - (sizeof name - 1);
        size_t i;
        for (i = 0; i < folders; i++) path[i] = i % 2 == folders % 2 ? '.' : '/';
        if (folders % 2 == 1) path[0] = '.', path[1] = '/', path[2] = '/';
        memcpy(path + folders, name, sizeof name);
        check_about("a path of %d bytes", (int)length);
        CHECK(rise_agent_save(w.agent, RISE_SAVE_POLICY, path, &error) ==
              (length < 1024 ? RISE_OK : RISE_IO));
        if (length == 1024) {
            CHECK(strstr(error.text, "longer than 1023 bytes") != NULL);
            continue;
        }
        CHECK(rise_agent_load(&a, path, &machine, &error) == RISE_OK);
        rise_agent_destroy(a);
    }
    check_about("%s", "");
    CHECK(remove(name) == 0);
    rise_agent_destroy(w.agent);
}
/* Paths are UTF-8, on Windows too: "files_test", e with an acute accent, the euro sign. */
static void paths_are_utf_8(void)
{
    static const char path[] = "files_test-\xC3\xA9\xE2\x82\xAC.rise";
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    rise_agent_desc const player = machine_for(RISE_SAVE_POLICY);
    world w = tiny_world("memory=rise", 20);
    rise_error error = {RISE_OK, ""};
    rise_agent_desc desc;
    rise_agent *a;
    FILE *file;
    int i;
    for (i = 0; i < 2; i++) /* a new file, and one that is replaced */
        CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, path, &error) == RISE_OK);
    CHECK(rise_agent_peek(&desc, path, &error) == RISE_OK && desc.seed == w.agent->desc.seed);
    CHECK(rise_agent_load(&a, path, &machine, &error) == RISE_OK &&
          state_of(a) == state_of(w.agent));
    rise_agent_destroy(a);
#ifndef _WIN32
    /* a sentence does not begin inside a character of the path */
    for (i = 0; i < 2; i++) {
        char name[200] = "files_test-x";
        const char *begin;
        size_t at = strlen(name);
        while (at < 160) name[at++] = '\xC3', name[at++] = '\xA9';
        strcpy(name + at, i == 0 ? ".rise" : "x.rise");
        CHECK(rise_agent_save(w.agent, RISE_SAVE_POLICY, name, &error) == RISE_OK);
        CHECK(rise_agent_load(&a, name, NULL, &error) == RISE_MISMATCH);
        begin = error.text + 3;
        CHECK(strncmp(error.text, "...", 3) == 0 && ((unsigned char)*begin & 0xC0) != 0x80);
        CHECK(rise_agent_load(&a, name, &player, &error) == RISE_OK);
        rise_agent_destroy(a);
        CHECK(remove(name) == 0);
    }
#else
    (void)player;
#endif
#ifdef _WIN32
    file = _wfopen(L"files_test-\u00E9\u20AC.rise", L"rb");
    if (CHECK(file != NULL)) fclose(file);
    CHECK(_wremove(L"files_test-\u00E9\u20AC.rise") == 0);
#else
    file = fopen(path, "rb");
    if (CHECK(file != NULL)) fclose(file);
    CHECK(remove(path) == 0);
#endif
    rise_agent_destroy(w.agent);
}
/* Sizes of files have 64 bits: this one has 3 GB, most of them a hole. */
static void sizes_of_files_have_64_bits(void)
{
    static const char size[] = "3221225472";
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    world w = tiny_world("memory=rise", 20);
    rise_error error = {RISE_OK, ""};
    rise_agent_desc desc;
    rise_agent *a;
    FILE *file;
    int long_enough = 0;
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    file = fopen(PATH, "r+b");
#ifdef _WIN32
    if (file != NULL)
        long_enough = _fseeki64(file, INT64_C(3221225471), SEEK_SET) == 0 && fputc(1, file) == 1;
#else
    if (file != NULL) long_enough = ftruncate(fileno(file), (off_t)INT64_C(3221225472)) == 0;
#endif
    if (file != NULL && fclose(file) != 0) long_enough = 0;
    if (!long_enough) check_skip("there is no room for a file of 3 GB");
    if (long_enough) {
        CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_BAD_FILE &&
              strstr(error.text, size) != NULL);
        CHECK(rise_agent_load(&a, PATH, &machine, &error) == RISE_BAD_FILE && a == NULL);
        check_about("%s", error.text);
        CHECK(strstr(error.text, size) != NULL);
    }
    CHECK(remove(PATH) == 0);
    rise_agent_destroy(w.agent);
}
#ifdef _WIN32
/* Opens PATH for reading, as another program does. `share`: what others may do meanwhile, 1 read,
   2 write, 4 delete. */
static void *held_open(unsigned long share)
{
    typedef void *(__stdcall * create)(const char *, unsigned long, unsigned long, void *,
                                       unsigned long, unsigned long, void *);
    return ((create)risei_windows_find("CreateFileA"))(PATH, 0x80000000u, share, NULL, 3, 0, NULL);
}
static void let_go(void *handle)
{
    typedef int(__stdcall * close)(void *);
    CHECK(((close)risei_windows_find("CloseHandle"))(handle) != 0);
}
/* Another program has the old file open. It may allow others to delete the file, as virus scanners
   do. A save that fails leaves the old file, and no new one. */
static void open_files_are_kept(void)
{
    static const unsigned long shares[] = {1, 3, 7, 7};
    world w = tiny_world("memory=rise", 20);
    uint64_t there = state_of(w.agent);
    rise_error error = {RISE_OK, ""};
    rise_result result;
    void *handle;
    FILE *file;
    char name[80];
    int i;
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    for (i = 0; i < COUNT(shares); i++) {
        world_run(&w, 5);
        handle = held_open(shares[i]);
        result = rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error);
        let_go(handle);
        check_about("shared for %lu: result %d", shares[i], (int)result);
        CHECK(result == RISE_OK || (result == RISE_IO && strstr(error.text, PATH) != NULL));
        CHECK(result == RISE_IO || (shares[i] & 4) != 0);
        if (result == RISE_OK) there = state_of(w.agent);
        holds(there);
        snprintf(name, sizeof name, PATH ".new-%ld-0", (long)_getpid());
        file = fopen(name, "rb");
        if (!CHECK(file == NULL)) fclose(file);
    }
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    holds(state_of(w.agent));
    remove(PATH);
    rise_agent_destroy(w.agent);
}
#endif
/* A file loads if its agent has a state that calls reach only in the long run, or with other
   settings of the processor. */
static void late_states_load(void)
{
    rise_agent_desc machine = machine_for(RISE_SAVE_AGENT);
    rise_agent_desc d = described("memory=rise embedding=snapshot");
    world w = tiny_world("memory=rise", 30);
    rise_agent *a;
    buffer b;
    check_about("with flush-to-zero, the optimizer's powers become 0");
    w.agent->learner.optimizer.power1 = w.agent->learner.optimizer.power2 = 0;
    b = saved(w.agent, RISE_SAVE_AGENT);
    a = loaded(&b, &machine);
    rise_agent_destroy(a), rise_agent_destroy(w.agent);
    free(b.data);
    check_about("a snapshot in progress goes on where it was, as far as there are frames");
    w = world_of(created(&d));
    world_run(&w, 60);
    CHECK(rise_agent_snapshot(w.agent) == RISE_OK && w.agent->learner.snapshot_next == 1);
    w.agent->learner.snapshot_next = 2;
    b = saved(w.agent, RISE_SAVE_AGENT);
    a = loaded(&b, &machine);
    CHECK(a->learner.snapshot_next > 0 && a->learner.snapshot_next <= 2);
    rise_agent_destroy(a), rise_agent_destroy(w.agent);
    free(b.data);
    check_about("a snapshot in progress, then more environments with a smaller buffer in all");
    d.replay_capacity = 100;
    w = world_of(created(&d));
    world_run(&w, 60);
    CHECK(rise_agent_snapshot(w.agent) == RISE_OK);
    w.agent->learner.snapshot_next = risei_embedder_snapshot_frames(&w.agent->replay.history);
    b = saved(w.agent, RISE_SAVE_AGENT);
    machine.environments = 3; /* 33 slots each: 99 */
    a = loaded(&b, &machine);
    steps_all(a, 3, 60);
    rise_agent_destroy(a), rise_agent_destroy(w.agent);
    free(b.data);
}
/* Peeking gives the description that loading gives. A failed peek leaves the description. */
static void peek_reads_the_description(void)
{
    rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
    world w = tiny_world("memory=rise", 20);
    rise_agent *a;
    rise_error error = {RISE_OK, ""};
    rise_agent_desc desc, before;
    FILE *file;
    check_about("on disk");
    CHECK(rise_agent_save(w.agent, RISE_SAVE_ALL, PATH, &error) == RISE_OK);
    CHECK(rise_agent_load(&a, PATH, &machine, &error) == RISE_OK);
    rise_agent_destroy(w.agent);
    w.agent = a;
    CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_OK);
    CHECK(rise_agent_bytes(&desc, &error) == w.agent->bytes);
    desc.isa = w.agent->desc.isa, desc.threads = w.agent->desc.threads,
    desc.embed_fn = w.agent->desc.embed_fn;
    desc.processes = w.agent->desc.processes;
    desc.memory_bytes = w.agent->desc.memory_bytes;
    CHECK(memcmp(&desc, &w.agent->desc, sizeof desc) == 0);
    file = fopen(PATH, "r+b");
    if (CHECK(file != NULL)) {
        CHECK(fseek(file, TABLE + 16 * 4 + 4 + 11, SEEK_SET) == 0 && fputc(77, file) == 77);
        fclose(file);
    }
    before = desc;
    CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_BAD_FILE &&
          strstr(error.text, "description") != NULL);
    CHECK(memcmp(&desc, &before, sizeof desc) == 0);
    file = fopen(PATH, "wb"); /* an empty file */
    if (CHECK(file != NULL)) fclose(file);
    CHECK(rise_agent_peek(&desc, PATH, &error) == RISE_BAD_FILE && error.text[0] != '\0');
    CHECK(rise_agent_load(&a, PATH, NULL, &error) == RISE_BAD_FILE && a == NULL);
    CHECK(rise_agent_load(&a, ".", NULL, &error) < RISE_OK && a == NULL);
    remove(PATH);
    rise_agent_destroy(w.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* Sample files: tests/samples/v7-*.rise

   These files hold agents that were written as file version 7. v7 is revision 1 of the description,
   v7r2 is revision 2, and so on. Every later release must read them. So NEVER write them again, and
   never change their actions and values in this table. A release that changes the format adds files
   of its own: add lines to the table; then `./files --write-samples tests/samples` writes the
   missing files and prints their lines in full. */

enum { AGENT_FILE, ALL_FILE, POLICY_FILE, INT8_FILE, PLAYED = 40 };

typedef struct sample {
    const char *name;    /* the file is <name>.rise */
    const char *words;   /* for described, or for tiny */
    int is_tiny;         /* 1: created by tiny */
    int kind;            /* of file: a rise_save */
    int steps;           /* steps of each environment before the save */
    const char *actions; /* that it plays on fused kernels, one digit a frame */
    uint64_t q;          /* hash of its values for these frames */
    /* Hash of its weights after 20 more steps of training; 0 for a policy. Only this number may
       change: when learning changes, together with the hashes in agent.c. */
    uint64_t learned;
} sample;

static const sample samples[] = {
    {"v7-rise-gru-mean-all",
     "memory=rise cell=gru action_masks=1 environments=3", 0, ALL_FILE, 25,
     "0110112011121121221012101022120111201212", UINT64_C(0x3ACA5EAF79FC8FD3),
     UINT64_C(0x8EE234785FA4DD32)},
    {"v7-rise-lstm-c51-agent",
     "memory=rise head=c51 noisy=1 embedding=gaussian conv_count=2 action_masks=1",
     0, AGENT_FILE, 30,
     "0110212022222221222022202022120221202222", UINT64_C(0x8BA659466769E719),
     UINT64_C(0x5E9D18704D2C39D9)},
    {"v7-rise-mingru-iqn-policy",
     "memory=rise cell=mingru head=iqn embedding=sparse feed_action=1", 0, POLICY_FILE, 30,
     "2220222022222222222022202222220222202222", UINT64_C(0xC6DD11E5788C06A8),
     UINT64_C(0x0000000000000000)},
    {"v7-rise-user-small-all",
     "memory=rise embedding=user fusion=gate embedding_f32=1 action_masks=1", 1, ALL_FILE, 30,
     "0010012002020121100012100020100001002010", UINT64_C(0x76DA1262C390571E),
     UINT64_C(0x2DAE477FF5997DC5)},
    {"v7-rise-conv-stored-all",
     "memory=rise embedding=conv stored window_samples=3 burn_in=2 action_masks=1", 0, ALL_FILE, 30,
     "0110111011121121111012101011110111001010", UINT64_C(0x382940A818E7B2A1),
     UINT64_C(0xDF3BF9675F034EA2)},
    {"v7-rise-stored-f32-all",
     "memory=rise cell=gru stored window_samples=3 overlap embedding_f32=1 window=9",
     0, ALL_FILE, 30,
     "0000000000000010000000000000000000000000", UINT64_C(0x85CDE9B1AEE8C93E),
     UINT64_C(0x110FB77EDFC82A6E)},
    {"v7-rise-snapshot-all",
     "memory=rise embedding=snapshot snapshot_steps=3 fusion=sum action_masks=1", 0, ALL_FILE, 30,
     "0110111011121121111012101011110111001010", UINT64_C(0x0E7FC3559C7DB45C),
     UINT64_C(0x5128F32C2DECC632)},
    {"v7-rise-downsample-carry-policy",
     "memory=rise embedding=downsample carry_state=1 layer_norm=1 action_masks=1",
     0, POLICY_FILE, 30,
     "0110012001022121201022101020100201201020", UINT64_C(0xDCE89235E9D73758),
     UINT64_C(0x0000000000000000)},
    {"v7-none-mean-policy",
     "memory=none action_masks=1 plain no_double=1", 0, POLICY_FILE, 30,
     "0110212022222221222022202022120221202222", UINT64_C(0x8979CEFB4C08A383),
     UINT64_C(0x0000000000000000)},
    {"v7-none-c51-all",
     "memory=none head=c51 environments=3 pool action_masks=1", 0, ALL_FILE, 25,
     "0010012002020221200022200020100001002020", UINT64_C(0x8CA7D3B067DEBCCB),
     UINT64_C(0xED6D97CC8514515E)},
    {"v7-none-iqn-agent",
     "memory=none head=iqn noisy=1 residual spectral_norm=1 munchausen=1 target_rate=0.3",
     0, AGENT_FILE, 30,
     "2220222022222222222022202222220222202222", UINT64_C(0x4EDC3EDAECD33CC1),
     UINT64_C(0x66A9D782FB19F416)},
    {"v7-full-gru-iqn-all",
     "memory=full cell=gru head=iqn feed_action=1 value_rescale=1 frame_stack=1", 0, ALL_FILE, 30,
     "1110111011111111111011101111110111101111", UINT64_C(0x07F4A5F9A94CC22D),
     UINT64_C(0xDFCA2422449465ED)},
    {"v7-full-lstm-stored-all",
     "memory=full stored window_samples=3 overlap environments=3 action_masks=1", 0, ALL_FILE, 20,
     "0110111011121121111012101011110111201212", UINT64_C(0xBC3D4A4BF82E6CFB),
     UINT64_C(0x0D98A3E99B24EB2E)},
    {"v7-full-mingru-c51-agent",
     "memory=full cell=mingru head=c51 fusion=gate layer_norm=1 action_masks=1", 0, AGENT_FILE, 30,
     "0010012002020221200022200020100001002020", UINT64_C(0x6DDAC124656A8922),
     UINT64_C(0x0A66D662FC4FAA66)},
    /* revision 2 of the description: frames are standardised unless raw_frames is 1 */
    {"v7r2-rise-lstm-mean-all",
     "memory=rise action_masks=1 environments=3", 0, ALL_FILE, 25,
     "0110111011122121111012202011120111201212", UINT64_C(0x2285CBBD41FD1E0E),
     UINT64_C(0x22D24249D044BCA6)},
    {"v7r2-rise-conv-warm-up-all",
     "memory=rise embedding=conv action_masks=1", 0, ALL_FILE, 8,
     "0010011011020121111012100011110111001010", UINT64_C(0x273503B1BB2033B8),
     UINT64_C(0xBA208878369DF9FF)},
    {"v7r2-none-mean-policy",
     "memory=none plain action_masks=1", 0, POLICY_FILE, 30,
     "0110212021222221222022102022120221202222", UINT64_C(0x76C99E33C29638AE),
     UINT64_C(0x0000000000000000)},
    /* revision 3: numbers, and batches in parts */
    {"v7r3-rise-numbers-all",
     "memory=rise numbers=3 number_features=3 environments=3 action_masks=1",
     0, ALL_FILE, 25,
     "0110111011121121111012101011110111001010", UINT64_C(0xE7454F91F435D4A2),
     UINT64_C(0xB69A39221ECFC550)},
    {"v7r3-none-blind-policy",
     "memory=none blind action_masks=1", 0, POLICY_FILE, 30,
     "0010212022222221222022202022120221202222", UINT64_C(0x09068F425109C063),
     UINT64_C(0x0000000000000000)},
    {"v7r3-rise-parts-all",
     "memory=rise batch_parts=3 action_masks=1", 0, ALL_FILE, 30,
     "0010011001020121100012100010100001001010", UINT64_C(0xEA7505B69075A454),
     UINT64_C(0x70E9A02651907B1B)},
    /* revision 4: 8-bit weights, and acting fields first */
    {"v7r4-rise-gru-int8",
     "memory=rise cell=gru feed_action=1", 0, INT8_FILE, 30,
     "2220222022222222222022202222220222202222", UINT64_C(0x279C7ADFCC0B9A80),
     UINT64_C(0x0000000000000000)},
    {"v7r4-full-c51-int8",
     "memory=full head=c51 layer_norm=1", 0, INT8_FILE, 30,
     "2220222022222222222022202222220222202222", UINT64_C(0x642BCBFAB63762A1),
     UINT64_C(0x0000000000000000)},
    {"v7r4-rise-lstm-all",
     "memory=rise environments=3 action_masks=1", 0, ALL_FILE, 25,
     "0110111011121121111012101011110111001010", UINT64_C(0x97FB316AE98CA634),
     UINT64_C(0xF4FB5FD98216C6FE)},
    /* revision 5: context_decay */
    {"v7r5-rise-decay-all",
     "memory=rise context_decay=0.025 environments=3 action_masks=1", 0, ALL_FILE, 25,
     "0110111011121121111012101011110111001010", UINT64_C(0x663D047E9535C140),
     UINT64_C(0x18928B8AFC896B19)},
};

static rise_agent_desc sample_desc(const sample *s)
{
    rise_agent_desc d = s->is_tiny ? tiny(s->words) : described(s->words);
    d.replay_capacity = (d.stored_state ? 24 : 12) * d.environments;
    if (!s->is_tiny) d.learn_start = 12;
    return d;
}
static world sample_world(const sample *s) { return world_after(sample_desc(s), s->steps); }
/* Plays a fixed sequence of frames as player 1. Writes the actions as digits [PLAYED + 1], and
   returns a hash of all values. */
static uint64_t sample_play(rise_agent *a, char *actions)
{
    const rise_agent_desc *d = rise_agent_query(a);
    uint64_t hash = HASH_START;
    toy t = {7, 0, 0};
    uint8_t allowed[ACTIONS];
    int i;
    for (i = 0; i < PLAYED; i++) {
        /* the frames do not depend on the agent's actions */
        int const action = toy_play(a, 1, &t, i % ACTIONS, d->action_masks, allowed);
        CHECK(action >= 0 && action < ACTIONS);
        actions[i] = (char)('0' + action);
        hash = hash_reals(hash, rise_agent_values(a, 1), ACTIONS);
    }
    actions[PLAYED] = '\0';
    return hash;
}
/* Returns a hash of the weights after more training, with games that differ from sample_world's. */
static uint64_t sample_learn(rise_agent *a)
{
    world w = world_of(a);
    int i;
    for (i = 0; i < GAMES; i++) w.games[i].dice += 99;
    world_run(&w, 20);
    return hash_of(a);
}

static void sample_path(const char *folder, const char *name, char *path, size_t size)
{
    snprintf(path, size, "%s/%s.rise", folder, name);
}
/* Writes a sample file and prints its line of the table. */
static void write_sample(const sample *s, const char *path)
{
    static const char *const names[] = {"AGENT_FILE", "ALL_FILE", "POLICY_FILE", "INT8_FILE"};
    char actions[PLAYED + 1];
    rise_agent_desc const machine = machine_for(s->kind);
    world w = sample_world(s);
    rise_agent *a;
    rise_error error = {RISE_OK, ""};
    uint64_t q;
    if (!CHECK(rise_agent_save(w.agent, (rise_save)s->kind, path, &error) == RISE_OK))
        printf("%s\n", error.text);
    rise_agent_destroy(w.agent);
    if (!CHECK(rise_agent_load(&a, path, &machine, &error) == RISE_OK)) {
        printf("%s\n", error.text);
        return;
    }
    q = sample_play(a, actions);
    printf("    {\"%s\",\n     \"%s\", %d, %s, %d,\n     \"%s\", UINT64_C(0x%016llX),\n"
           "     UINT64_C(0x%016llX)},\n",
           s->name, s->words, s->is_tiny, names[s->kind], s->steps, actions, (unsigned long long)q,
           (unsigned long long)(kind_plays(s->kind) ? 0 : sample_learn(a)));
    rise_agent_destroy(a);
}
/* Writes the sample files that are missing. Files that exist do not change. */
static void write_samples(const char *folder)
{
    char path[1000];
    int i;
    for (i = 0; i < COUNT(samples); i++) {
        FILE *file;
        sample_path(folder, samples[i].name, path, sizeof path);
        file = fopen(path, "rb");
        if (file == NULL)
            write_sample(&samples[i], path);
        else
            fclose(file);
    }
}
/* Loads a sample file on one instruction set, lets the agent play, and trains it. */
static void sample_loads(const sample *s, const char *folder, const rise_kernels *kernels,
                         rise_isa isa)
{
    char path[1000], actions[PLAYED + 1];
    rise_agent_desc machine = machine_for(s->kind), desc;
    rise_error error = {RISE_OK, ""};
    rise_agent *a;
    uint64_t q;
    check_about("%s on %s", s->name, kernels->name);
    sample_path(folder, s->name, path, sizeof path);
    machine.isa = isa;
    CHECK(rise_agent_peek(&desc, path, &error) == RISE_OK);
    if (!CHECK(rise_agent_load(&a, path, &machine, &error) == RISE_OK)) {
        printf("    %s\n", error.text);
        return;
    }
    q = sample_play(a, actions);
    if (kernels->fused) {
        CHECK(strcmp(actions, s->actions) == 0);
        CHECK(q == s->q);
    }
    if (!kind_plays(s->kind)) {
        uint64_t const learned_hash = sample_learn(a);
        if (kernels->fused) CHECK(learned_hash == s->learned);
    }
    rise_agent_destroy(a);
}
static void sample_files_load(void)
{
    const char *const folder = folder_beside("RISE_SAMPLES", "samples");
    int i, isa;
    for (i = 0; i < COUNT(samples); i++)
        for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
            const rise_kernels *const kernels = rise_kernels_of((rise_isa)isa);
            if (kernels != NULL) sample_loads(&samples[i], folder, kernels, (rise_isa)isa);
        }
}

/* ---------------------------------------------------------------------------------------------- */
/* Policies in place */

/* Returns whether two agents act the same, and with the same values. */
static int play_the_same(rise_agent *a, rise_agent *b)
{
    char x[PLAYED + 1], y[PLAYED + 1];
    return sample_play(a, x) == sample_play(b, y) && strcmp(x, y) == 0;
}
/* Opens a file of `learner` and compares the agent with `own`, which has weights of its own. */
static void open_at(rise_agent *learner, rise_agent *own, buffer *b, rise_save kind, int offset)
{
    rise_agent_desc const machine = machine_for(RISE_SAVE_POLICY);
    size_t const bytes = own->model.net.weights_size * sizeof(float);
    placed const p = placed_at(b, (size_t)offset);
    rise_agent *a, *again;
    rise_error error = {RISE_OK, ""};
    int in_place;
    if (!CHECK(rise_agent_open(&a, p.data, b->size, &machine, &error) == RISE_OK)) {
        printf("%s\n", error.text);
        exit(1);
    }
    in_place = a->desc.weights != NULL;
    CHECK(a->desc.play_only);
    /* machines that are not little-endian copy the weights */
    CHECK(in_place == (offset % 4 == 0 && is_little_endian() && kind != RISE_SAVE_FLOAT16));
    CHECK(a->bytes <= own->bytes && own->bytes - a->bytes + 64 >= (in_place ? bytes : 0));
    CHECK((kind != RISE_SAVE_POLICY && kind != RISE_SAVE_INT8) || !in_place || offset > 0 ||
          (uintptr_t)a->desc.weights % 64 == 0);
    CHECK(rise_agent_open(&again, p.data, b->size, &machine, NULL) == RISE_OK);
    CHECK(play_the_same(a, own) && play_the_same(again, own));
    CHECK((rise_agent_publish(learner, a) == RISE_BAD_CALL) == in_place);
    CHECK(memcmp(p.data, b->data, b->size) == 0);
    rise_agent_destroy(a), rise_agent_destroy(again);
    free(p.room);
}
/* An agent that reads its weights in place plays as one with weights of its own, and takes less
   memory. Where the weights cannot be read in place, they are copied. */
static void policies_play_in_place(void)
{
    static const char *const words[] = {
        "memory=rise", "memory=none head=iqn noisy=1", "memory=full cell=gru action_masks=1",
        "memory=rise embedding=snapshot snapshot_steps=3 spectral_norm=1 residual",
        "memory=none blind"};
    rise_agent_desc const machine = machine_for(RISE_SAVE_POLICY);
    int k, kind, offset;
    for (k = 0; k < COUNT(words); k++)
        for (kind = 0; kind < KINDS; kind++) {
            world w = world_begin(words[k], 40);
            buffer b = saved(w.agent, (rise_save)kind);
            rise_agent *const own = loaded(&b, &machine);
            check_about("%s, kind %d", words[k], kind);
            for (offset = 0; offset < 6; offset += check_share > 1 ? 3 : 1)
                open_at(w.agent, own, &b, (rise_save)kind, offset);
            rise_agent_destroy(own), rise_agent_destroy(w.agent);
            free(b.data);
        }
}
/* Damaged files in memory are refused, as on a disk. So are other weights than the file's. */
static void damaged_policies_are_not_opened(void)
{
    world w = world_begin("memory=none plain", 30);
    buffer b = saved(w.agent, RISE_SAVE_POLICY);
    placed const p = placed_at(&b, 0);
    rise_agent_desc machine = machine_for(RISE_SAVE_POLICY);
    rise_error error;
    rise_agent *a;
    size_t i;
    for (i = 0; i < b.size; i++) {
        CHECK(rise_agent_open(&a, p.data, i, &machine, &error) < 0 && a == NULL);
        p.data[i] ^= 0x10;
        CHECK(rise_agent_open(&a, p.data, b.size, &machine, &error) < 0 && a == NULL);
        p.data[i] ^= 0x10;
    }
    CHECK(rise_agent_open(NULL, p.data, b.size, &machine, &error) == RISE_BAD_CALL);
    CHECK(rise_agent_open(&a, NULL, b.size, &machine, &error) == RISE_BAD_CALL);
    CHECK(strstr(error.text, "data is NULL") != NULL);
    machine.weights = w.agent->model.weights;
    CHECK(load(&a, &b, &machine, &error) == RISE_OK); /* the same numbers */
    rise_agent_destroy(a);
    w.agent->model.weights[5] += 1;
    load_refused(&b, &machine, RISE_BAD_FILE, "desc.weights");
    free(b.data), free(p.room);
    machine.play_only = 0;
    b = saved(w.agent, RISE_SAVE_AGENT);
    load_refused(&b, &machine, RISE_BAD_DESC, "only a play_only agent");
    rise_agent_destroy(w.agent), free(b.data);
}

/* A reader may state other numbers than the file has where they give no array its shape. */
static void other_numbers_of_learning_may_be_stated(void)
{
    static const char *const lines[] = {"demonstration_margin=0.3", "demonstration_weight=2",
                                        "learning_rate=0.1",        "discount=0.9",
                                        "priority_exponent=0.2",    "gradient_clip=1",
                                        "epsilon_end=0.3",          "target_period=9"};
    world w = world_begin("memory=rise", 30);
    buffer b = saved(w.agent, RISE_SAVE_AGENT);
    int i;
    for (i = 0; i < COUNT(lines); i++) {
        rise_agent_desc machine = machine_for(RISE_SAVE_AGENT);
        check_about("%s", lines[i]);
        CHECK(rise_agent_set(&machine, lines[i], NULL) == RISE_OK);
        rise_agent_destroy(loaded(&b, &machine));
    }
    check_about("%s", "");
    rise_agent_destroy(w.agent), free(b.data);
}
/* An agent that only plays does not learn in the background, whatever its file says. It loads no
   replay buffer, so it may have other environments than the file. No threads are needed: this
   program is compiled without RISE_THREADS. */
static void opened_agents_ignore_how_they_learned(void)
{
    static const rise_save kinds[] = {RISE_SAVE_POLICY, RISE_SAVE_FLOAT16, RISE_SAVE_AGENT,
                                      RISE_SAVE_ALL};
    world w = world_begin("memory=rise", 40);
    int const had = w.agent->desc.environments;
    rise_agent_desc machine;
    int i, stated;
    memset(&machine, 0, sizeof machine);
    for (i = 0; i < COUNT(kinds); i++) {
        buffer was = saved(w.agent, kinds[i]);
        buffer b = with_line(&was, "background", "background=1\n");
        placed const p = placed_at(&b, 0);
        for (stated = 0; stated < 4; stated++) {
            const rise_agent_desc *const given = stated ? &machine : NULL;
            rise_agent *a;
            rise_error error = {RISE_OK, ""};
            check_about("kind %d, machine %d", (int)kinds[i], stated);
            machine.environments = stated == 2 ? had + 1 : 0;
            machine.background = stated == 3 ? -1 : 0;
            if (!CHECK(rise_agent_open(&a, p.data, b.size, given, &error) == RISE_OK)) {
                printf("    %s\n", error.text);
                continue;
            }
            CHECK(a->desc.background == 0 && a->desc.play_only);
            CHECK(a->desc.environments == (stated == 2 ? had + 1 : had));
            CHECK(a->bytes == rise_agent_open_bytes(p.data, b.size, given, NULL));
            rise_agent_destroy(a);
        }
        free(was.data), free(b.data), free(p.room);
    }
    check_about("%s", "");
    rise_agent_destroy(w.agent);
}
/* The players of each process have a random stream of their own, as tools with several actors need:
   no file holds this stream. */
static void players_of_processes_explore_differently(void)
{
    world w = world_begin("memory=none", 30);
    buffer b = saved(w.agent, RISE_SAVE_POLICY);
    char actions[4][PLAYED + 1];
    int i;
    for (i = 0; i < 4; i++) { /* processes 0, 1, 2 and 0 again */
        rise_agent_desc machine = machine_for(RISE_SAVE_POLICY);
        rise_agent *a;
        machine.processes = 3, machine.process = i % 3;
        a = loaded(&b, &machine);
        CHECK(rise_agent_set_player(a, 1, 1, 0) == RISE_OK);
        sample_play(a, actions[i]);
        rise_agent_destroy(a);
    }
    CHECK(strcmp(actions[0], actions[1]) != 0 && strcmp(actions[0], actions[2]) != 0);
    CHECK(strcmp(actions[1], actions[2]) != 0 && strcmp(actions[0], actions[3]) == 0);
    rise_agent_destroy(w.agent), free(b.data);
}
/* Each weight in place must be finite. Without a machine there are defaults. */
static void weights_in_place_are_checked(void)
{
    world w = world_begin("memory=none", 30);
    buffer b = saved(w.agent, RISE_SAVE_POLICY);
    size_t const at = place_of(w.agent, RISE_SAVE_POLICY, w.agent->model.weights, sizeof(float));
    size_t const size = b.size, weights = w.agent->model.net.weights_size;
    placed p = placed_at(&b, 0);
    rise_agent_desc machine = machine_for(RISE_SAVE_POLICY);
    rise_error error;
    rise_agent *a;
    size_t i;
    CHECK(rise_agent_open(&a, p.data, b.size, NULL, &error) == RISE_OK && a->desc.play_only);
    CHECK(weights > 192); /* 64 are checked at once */
    rise_agent_destroy(a), free(p.room);
    machine.weights = w.agent->model.weights;
    b.size = at + 300; /* reading fails here */
    b.at = 0;
    CHECK(rise_agent_read(&a, buffer_read, &b, size, &machine, &error) == RISE_IO && a == NULL);
    b.size = size, machine.weights = NULL;
    for (i = 0; i < weights; i += i < 130 || i + 70 > weights ? 1 : 13) {
        uint32_t const bits = risei_bits(w.agent->model.weights[i]);
        check_about("weight %lu of %lu", (unsigned long)i, (unsigned long)weights);
        CHECK(get(&b, at + 4 * i, 4) == bits);
        put(&b, at + 4 * i, 4, i % 2 == 0 ? 0x7FC00000 : 0xFF800000); /* NaN; minus infinity */
        fix_sums(&b);
        p = placed_at(&b, 0);
        CHECK(rise_agent_open(&a, p.data, b.size, &machine, &error) == RISE_BAD_FILE && a == NULL);
        CHECK(strstr(error.text, "a weight is not a finite number") != NULL);
        free(p.room);
        put(&b, at + 4 * i, 4, bits);
    }
    rise_agent_destroy(w.agent), free(b.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* Fuzz: files damaged at random, 7 of 8 with correct checksums; those that load are used */

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
    /* a third of the changes are near the description, which is in front */
    size_t const near_front = fuzz_draw(dice, 3) == 0 && b->size > 2000 ? 2000 : b->size;
    size_t const at = (size_t)fuzz_draw(dice, near_front);
    int const width = widths[fuzz_draw(dice, 4)];
    size_t from, count;
    if (at < 2000 && fuzz_draw(dice, 2)) { /* a character of a description */
        b->data[at] = (unsigned char)"0123456789.-e=?\n"[fuzz_draw(dice, 16)];
        return;
    }
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
    case 5: /* a part of another file, or of this one from elsewhere */
        from = (size_t)fuzz_draw(dice, other->size);
        count = 1 + (size_t)fuzz_draw(dice, 64);
        if (count > other->size - from) count = other->size - from;
        if (count > b->size - at) count = b->size - at;
        memcpy(b->data + at, other->data + from, count);
        break;
    case 6: b->data[at] = (unsigned char)(b->data[at] + 1); break;
    default: /* cut short, with or without a corrected header */
        if (fuzz_draw(dice, 8) != 0) break;
        b->size = at + 1;
        if (at > TABLE && fuzz_draw(dice, 2)) put(b, 16, 8, b->size);
        break;
    }
}
/* Checks that an agent from a mutated file steps, learns, plays, and is saved and loaded. */
static void put_to_work(rise_agent *a)
{
    const rise_agent_desc *d = rise_agent_query(a);
    size_t const games = (size_t)d->environments;
    size_t const pixels = (size_t)(d->frame_width * d->frame_height * d->frame_channels);
    uint8_t *const frames = (uint8_t *)calloc(games * pixels + PIXELS, 1);
    uint8_t *const allowed = (uint8_t *)malloc(games * (size_t)d->actions);
    float *const numbers = (float *)calloc(games * (size_t)d->numbers + 1, sizeof *numbers);
    float *const rewards = (float *)calloc(games, sizeof *rewards);
    rise_event *const events = (rise_event *)calloc(games, sizeof *events);
    int *const actions = (int *)calloc(games, sizeof *actions);
    rise_agent_desc machine;
    rise_agent *again;
    rise_result result;
    rise_error error = {RISE_OK, ""};
    buffer b = {NULL, 0, 0, SIZE_MAX, 0};
    size_t g;
    int i;
    if (frames == NULL || allowed == NULL || rewards == NULL || events == NULL || actions == NULL ||
        numbers == NULL)
        exit(1);
    memset(allowed, 1, games * (size_t)d->actions);
    for (i = 0; i < 12 && !d->play_only; i++) {
        for (g = 0; g < games; g++) {
            int const first = i == 0 && risei_history_ended(&a->replay.history, (int)g);
            events[g] = first || i == 7        ? RISE_FIRST
                        : i == 5 && g % 2 == 0 ? RISE_TERMINATED
                        : i == 6 && g % 2 == 0 ? RISE_FIRST
                                               : RISE_MIDDLE;
            if (risei_actor_demonstrates(d, (int)g)) events[g] = RISE_ABSENT;
            rewards[g] = (float)i;
        }
        frames[0] = (uint8_t)i, numbers[0] = (float)(i * i);
        result = rise_agent_step_all(a, pixels > 0 ? frames : NULL,
                                     d->numbers > 0 ? numbers : NULL, rewards, events,
                                     d->action_masks ? allowed : NULL, actions);
        CHECK(result == RISE_OK || result == RISE_NOT_FINITE);
        for (g = 0; g < games; g++) CHECK(actions[g] >= 0 && actions[g] < d->actions);
    }
    result = rise_agent_learn(a);
    CHECK(result == RISE_OK || result == RISE_NOT_FINITE ||
          (result == RISE_BAD_CALL && (d->play_only || a->replay.ready == 0)));
    for (i = 0; i < 3; i++)
        CHECK(rise_agent_play_numbers(a, d->players - 1, pixels > 0 ? frames : NULL,
                                      d->numbers > 0 ? numbers : NULL, 0,
                                      i == 0 ? RISE_FIRST : RISE_MIDDLE, NULL) >= 0);
    machine = machine_for(d->play_only ? RISE_SAVE_POLICY : RISE_SAVE_ALL);
    result = rise_agent_write(a, d->play_only ? RISE_SAVE_POLICY : RISE_SAVE_ALL, buffer_write, &b,
                              NULL);
    CHECK(result == RISE_OK || result == RISE_NOT_FINITE);
    if (result == RISE_OK && !CHECK(load(&again, &b, &machine, &error) == RISE_OK))
        printf("    %s\n", error.text);
    if (result == RISE_OK) rise_agent_destroy(again);
    free(b.data);
    free(frames), free(allowed), free(numbers), free(rewards), free(events), free(actions);
}
static void fuzz(long rounds, uint64_t seed)
{
    buffer files[COUNT(file_words) * KINDS];
    risei_random dice = risei_random_stream(seed, 1);
    long taken = 0, i;
    int n = 0, w, kind;
    for (w = 0; w < COUNT(file_words); w++)
        for (kind = 0; kind < KINDS; kind++) {
            world one = tiny_world(file_words[w], 9 + 6 * kind);
            files[n++] = saved(one.agent, (rise_save)kind);
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
    check_note("%ld files, %ld loaded", rounds, taken);
    while (n-- > 0) free(files[n].data);
}

static const char *const kinds_of_agent[] = {
    "memory=rise",
    "memory=rise cell=gru fusion=gate embedding_f32=1 environments=3 feed_action=1 carry_state=1",
    "memory=none action_masks=1",
    "memory=full environments=3",
    "memory=rise embedding=user",
    "memory=rise cell=gru embedding=conv layer_norm=1",
    "memory=rise embedding=sparse plain no_double=1",
    "memory=rise embedding=downsample",
    "memory=full cell=gru fusion=sum feed_action=1",
    "memory=none head=iqn noisy=1 environments=3",
    "memory=rise head=c51 residual spectral_norm=1 embedding=conv",
    "memory=full munchausen=1 noisy=1 residual spectral_norm=1 target_rate=0.3",
    "memory=rise numbers=3 embedding=user",
    "memory=full numbers=2 plain environments=3",
    "memory=rise blind feed_action=1 carry_state=1",
};
static void same_state_gives_the_same_bytes(void)
{
    int i;
    for (i = 0; i < COUNT(kinds_of_agent); i++) writes_the_same(kinds_of_agent[i]);
}
static void failed_writes_are_reported(void)
{
    int kind;
    for (kind = 0; kind < KINDS; kind++) says_that_writing_failed(kind);
}
static void damage_is_noticed(void)
{
    notices_damage("memory=rise", RISE_SAVE_POLICY);
    notices_damage("memory=none frame_stack=1", RISE_SAVE_ALL);
    notices_damage("memory=rise", RISE_SAVE_AGENT);
    notices_damage("memory=rise numbers=2 number_features=1 plain", RISE_SAVE_POLICY);
    notices_damage("memory=none blind numbers=1 number_features=1 no_dueling=1", RISE_SAVE_ALL);
    notices_damage("memory=none plain numbers=1 number_features=1", RISE_SAVE_INT8);
}
static void wrong_headers_are_refused(void)
{
    int kind;
    for (kind = 0; kind < KINDS; kind++) minds_the_header(kind);
}
/* Finite statistics are accepted, however large. A standardised number may then overflow to
   infinity, which is clamped, or be NaN (an infinite difference times a gain of 0). Actions stay
   valid. */
static void odd_statistics_of_numbers_do_no_harm(void)
{
    static const float shifts[] = {-FLT_MAX, FLT_MAX, 0}, gains[] = {0, 1e-45f, FLT_MAX};
    int i;
    for (i = 0; i < COUNT(shifts) * COUNT(gains); i++) {
        world w = tiny_world(i % 2 ? "memory=rise numbers=3" : "memory=rise blind", 30);
        risei_statistics *const s = &w.agent->numbers;
        rise_agent_desc const machine = machine_for(RISE_SAVE_ALL);
        rise_agent *again;
        buffer b;
        int slot, j;
        check_about("shift %g, gain %g", (double)shifts[i % 3], (double)gains[i / 3]);
        for (j = 0; j < s->size; j++) s->shift[j] = shifts[i % 3], s->gain[j] = gains[i / 3];
        for (slot = 0; slot < w.agent->replay.history.capacity * s->size; slot++)
            w.agent->replay.history.raw_numbers[slot] = slot % 2 ? FLT_MAX : -FLT_MAX;
        b = saved_blindly(w.agent, RISE_SAVE_ALL);
        again = loaded(&b, &machine);
        CHECK(same_reals(again->numbers.gain, s->gain, (size_t)s->size));
        put_to_work(again);
        rise_agent_destroy(again), rise_agent_destroy(w.agent);
        free(b.data);
    }
}
/* A file is refused if its agent has learned and its numbers are not standardised. */
static void thawed_numbers_are_refused(void)
{
    static const int no = 0;
    world w = tiny_world("memory=none blind", 30);
    check_about("numbers that are not standardised");
    CHECK(w.agent->model.updates > 0 && w.agent->numbers.frozen);
    hostile(w.agent, &w.agent->numbers.frozen, &no, sizeof no, RISE_BAD_FILE, "before learning");
    rise_agent_destroy(w.agent);
}
static void hostile_values_are_refused(void)
{
    refuses_hostile_values("memory=rise");
    refuses_hostile_values("memory=rise cell=gru environments=3 carry_state=1");
    refuses_hostile_values("memory=none");
    refuses_hostile_values("memory=none action_masks=1 environments=3");
    refuses_hostile_values("memory=none head=iqn noisy=1 residual spectral_norm=1");
    refuses_hostile_values("memory=rise numbers=3 number_features=2");
    refuses_hostile_values("memory=full blind environments=3");
    odd_statistics_of_numbers_do_no_harm();
    thawed_numbers_are_refused();
    refuses_hostile_states("memory=rise stored");
    refuses_hostile_states("memory=full stored environments=3 embedding_f32=1");
    refuses_hostile_states("memory=full stored cell=gru");
}
static long fuzz_rounds = 2000 / check_share;
static uint64_t fuzz_seed = 1;
static void mutated_files_do_no_harm(void) { fuzz(fuzz_rounds, fuzz_seed); }

/* ---------------------------------------------------------------------------------------------- */
/* Weights of 16 bits */

/* Returns the value of a 16-bit float that is normal or 0, by the definition of IEEE 754. */
static double half_value(unsigned half)
{
    double const size = (half & 0x7FFF) == 0
                            ? 0
                            : ldexp(1024 + (half & 1023), (int)(half >> 10 & 31) - 25);
    return half >> 15 ? -size : size;
}
/* A policy with 16-bit weights has half the bytes. Each weight is the nearest 16-bit float. The
   loaded agent has weights of its own, can be published to, and is saved again as the same file. */
static void weights_of_16_bits(void)
{
    static const char *const words[] = {"memory=rise", "memory=full cell=gru layer_norm=1 wide",
                                        "memory=none head=iqn noisy=1 spectral_norm=1 residual"};
    int k;
    for (k = 0; k < COUNT(words); k++) {
        world w = world_begin(words[k], 60);
        size_t const count = w.agent->model.net.weights_size;
        rise_real *const weights = w.agent->model.weights;
        rise_agent_desc machine = machine_for(RISE_SAVE_FLOAT16);
        buffer b, again, policy = saved(w.agent, RISE_SAVE_POLICY);
        rise_agent *a;
        size_t i, at, good = 0;
        check_about("%s", words[k]);
        weights[0] = 65505, weights[1] = -1e30f, weights[2] = 6e-5f, weights[3] = 6.2e-5f;
        b = saved(w.agent, RISE_SAVE_FLOAT16);
        CHECK(policy.size - b.size + 1 >= 2 * count && policy.size - b.size <= 2 * count);
        machine.weights = weights; /* for other files; here the agent needs its own */
        a = loaded(&b, &machine);
        CHECK(a->desc.weights == NULL && a->desc.weight_bits == 32);
        CHECK(a->model.weights[0] == 65504 && a->model.weights[1] == -65504);
        CHECK(a->model.weights[2] == 0 && a->model.weights[3] > 6.1e-5f);
        at = weights_begin(&b);
        for (i = 0; i < count; i++) {
            double const x = half_value((unsigned)get(&b, at + 2 * i, 2));
            good += a->model.weights[i] == x &&
                    (i < 3 || fabs(x - weights[i]) <= fabs(x) / 2048 || fabs(weights[i]) < 6.2e-5);
        }
        CHECK(good == count);
        again = saved(a, RISE_SAVE_FLOAT16);
        CHECK(same_buffers(&again, &b));
        CHECK(rise_agent_publish(w.agent, a) == RISE_OK);
        CHECK(memcmp(a->model.weights, weights, count * sizeof *weights) == 0);
        free(b.data), free(again.data), free(policy.data);
        rise_agent_destroy(a), rise_agent_destroy(w.agent);
    }
}
/* 16-bit weights that saving never writes are refused: infinite, NaN and denormal. So are files of
   learners with 16-bit weights, a description that asks for them, and 16 bits of an agent with
   8-bit weights. */
static void wrong_weights_of_16_bits(void)
{
    static const unsigned wrong[] = {0x7C00, 0xFC00, 0x7E00, 0xFFFF, 0x0001, 0x83FF};
    world w = tiny_world("memory=rise", 20);
    rise_agent_desc const machine = machine_for(RISE_SAVE_FLOAT16);
    rise_agent_desc d = tiny("memory=rise");
    buffer b = saved(w.agent, RISE_SAVE_FLOAT16), c = saved(w.agent, RISE_SAVE_INT8), none = {0};
    rise_agent *const small_one = loaded(&c, &machine);
    size_t const at = weights_begin(&b), last = w.agent->model.net.weights_size - 1;
    rise_error error = {RISE_OK, ""};
    int i;
    for (i = 0; i < 2 * COUNT(wrong); i++) {
        size_t const here = at + 2 * (i % 2 ? last : 0);
        uint64_t const kept = get(&b, here, 2);
        check_about("%x", wrong[i / 2]);
        put(&b, here, 2, wrong[i / 2]);
        fix_sums(&b);
        load_refused(&b, &machine, RISE_BAD_FILE, "16-bit weight");
        put(&b, here, 2, kept);
    }
    none.room = SIZE_MAX;
    CHECK(rise_agent_write(small_one, RISE_SAVE_FLOAT16, buffer_write, &none, &error) ==
              RISE_BAD_CALL &&
          strstr(error.text, "RISE_SAVE_POLICY") != NULL && none.size == 0);
    free(c.data), free(b.data);
    b = saved(w.agent, RISE_SAVE_AGENT);
    c = with_line(&b, "weight_bits", "weight_bits=16\n");
    load_refused(&c, NULL, RISE_BAD_FILE, "not a policy");
    d.weight_bits = 16, d.play_only = 1;
    CHECK(rise_agent_resolve(&d, &error) == RISE_BAD_DESC);
    free(c.data), free(b.data);
    rise_agent_destroy(small_one), rise_agent_destroy(w.agent);
}

static const check_test tests[] = {
    TEST(same_state_gives_the_same_bytes),
    TEST(numbers_are_little_endian),
    TEST(earlier_files_imply_valid_values),
    TEST(failed_writes_are_reported),
    TEST(nonsense_is_not_saved),
    TEST(wrong_kinds_are_not_saved),
    TEST(failed_streams_move_nothing),
    TEST(damage_is_noticed),
    TEST(wrong_headers_are_refused),
    TEST(hostile_values_are_refused),
    TEST(longer_episodes_are_refused),
    TEST(lengths_are_compared_first),
    TEST(each_lane_is_checked),
    TEST(hostile_descriptions_are_refused),
    TEST(each_line_is_needed_once),
    TEST(bad_lines_are_refused),
    TEST(unknown_fields_are_refused),
    TEST(long_text_is_refused),
    TEST(fields_of_newer_files_get_their_earlier_values),
    TEST(numbers_are_read_as_by_strtod),
    TEST(numbers_are_the_same_text_in_every_locale),
    TEST(reader_supplies_the_memory),
    TEST(reader_supplies_the_machine),
    TEST(players_load_from_any_file),
    TEST(machine_may_be_null),
    TEST(other_shapes_are_refused),
    TEST(stated_sizes_are_lowered),
    TEST(values_out_of_range_are_refused),
    TEST(environments_change_without_replay),
    TEST(late_states_load),
    TEST(failed_save_keeps_the_old_file),
#if LINKS
    TEST(saving_keeps_permissions),
    TEST(saving_respects_other_files),
    TEST(long_links_are_refused),
    TEST(taken_names_are_reported),
    TEST(two_savers_leave_a_whole_file),
#endif
    TEST(long_paths_are_saved_and_loaded),
    TEST(paths_are_utf_8),
    TEST(sizes_of_files_have_64_bits),
#ifdef _WIN32
    TEST(open_files_are_kept),
#endif
    TEST(peek_reads_the_description),
    TEST(sample_files_load),
    TEST(weights_of_16_bits),
    TEST(wrong_weights_of_16_bits),
    TEST(policies_play_in_place),
    TEST(damaged_policies_are_not_opened),
    TEST(opened_agents_ignore_how_they_learned),
    TEST(players_of_processes_explore_differently),
    TEST(weights_in_place_are_checked),
    TEST(other_numbers_of_learning_may_be_stated),
    TEST(mutated_files_do_no_harm),
};
int main(int count, char **arguments)
{
    if (count > 3 && strcmp(arguments[1], "--fuzz") == 0) {
        fuzz_rounds = strtol(arguments[2], NULL, 10);
        fuzz_seed = strtoul(arguments[3], NULL, 10);
        count -= 3, arguments += 3;
    }
    if (count > 2 && strcmp(arguments[1], "--write-samples") == 0) {
        write_samples(arguments[2]);
        return check_state.failed != 0;
    }
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
