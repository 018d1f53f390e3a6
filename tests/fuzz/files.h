/* What the fuzz targets of agent files share. A file is taken apart into its sections, which are
   changed one by one; then it is put together with correct lengths and checksums; then its bytes
   may be damaged. */
#ifndef FUZZ_FILES_H
#define FUZZ_FILES_H

#include "../agent_file.h"
#include "fuzz.h"

static rise_agent_desc fuzz_machine(int kind)
{
    rise_agent_desc m = machine_for(kind);
    m.embed_fn = fuzz_embed;
    return m;
}

/* ---------------------------------------------------------------------------------------------- */
/* Sample agents */

enum { FILE_AGENTS = COUNT(file_words), FILE_PLACES = 60 };
/* Bytes of the largest agent that a target makes for its file. Larger ones take longer, so only one
   program in 16 may make agents of up to FILE_LARGE bytes. */
enum { FILE_AGENT = 1 << 17, FILE_LARGE = 1 << 20 };

/* Bytes of a file that hold one number of the agent. */
typedef struct file_place {
    int section;
    size_t at; /* in the section */
    int bytes;
} file_place;

/* A file taken apart. */
typedef struct file_parts {
    uint32_t flags;
    int sections;
    buffer part[RISEI_SECTIONS];
} file_parts;

static struct {
    int made;
    file_parts parts;
    file_place places[FILE_PLACES];
    int count;
} file_samples[FILE_AGENTS][KINDS];

static file_parts file_take_apart(const buffer *b)
{
    file_parts f;
    size_t at = header_bytes(b);
    int s;
    memset(&f, 0, sizeof f);
    f.flags = (uint32_t)get(b, 12, 4);
    f.sections = (int)get(b, 24, 4);
    for (s = 0; s < f.sections; s++) {
        buffer rest = {NULL, 0, 0, SIZE_MAX, 0};
        size_t const length = (size_t)section_bytes(b, (size_t)s);
        rest.data = b->data + at, rest.size = length;
        f.part[s] = copy_of(&rest, length);
        at += length;
    }
    return f;
}
static void file_free(file_parts *f)
{
    int s;
    for (s = 0; s < RISEI_SECTIONS; s++) free(f->part[s].data);
}
static buffer file_assemble(const file_parts *f)
{
    size_t size = TABLE + 16 * (size_t)f->sections + 4;
    buffer b = {NULL, 0, 0, SIZE_MAX, 0}, empty = {NULL, 0, 0, SIZE_MAX, 0};
    int s;
    for (s = 0; s < f->sections; s++) size += f->part[s].size;
    b = copy_of(&empty, size);
    memcpy(b.data, risei_file_magic, sizeof risei_file_magic);
    put(&b, 8, 4, RISEI_FILE_VERSION);
    put(&b, 12, 4, f->flags);
    put(&b, 16, 8, size);
    put(&b, 24, 4, (uint64_t)f->sections);
    size = header_bytes(&b);
    for (s = 0; s < f->sections; s++) {
        put(&b, TABLE + 16 * (size_t)s, 4, (uint64_t)s + 1);
        put(&b, TABLE + 16 * (size_t)s + 8, 8, f->part[s].size);
        if (f->part[s].size > 0) memcpy(b.data + size, f->part[s].data, f->part[s].size);
        size += f->part[s].size;
    }
    fix_sums(&b);
    return b;
}

/* Finds the bytes of a number in the file: changes the number's lowest bit, writes the file again,
   and looks for the first difference. */
static void file_find(rise_agent *a, int agent, int kind, void *number, size_t size)
{
    file_place place = {0, 0, (int)size};
    file_parts *const was = &file_samples[agent][kind].parts;
    file_parts now;
    buffer b;
    flip_lowest_bit(number, size);
    b = saved_blindly(a, (rise_save)kind);
    flip_lowest_bit(number, size);
    now = file_take_apart(&b);
    for (; place.section < was->sections; place.section++) {
        const buffer *const x = &was->part[place.section], *const y = &now.part[place.section];
        for (place.at = 0; place.at < x->size && place.at < y->size; place.at++)
            if (x->data[place.at] != y->data[place.at]) break;
        if (place.at < x->size && place.at < y->size) break;
    }
    if (place.section < was->sections && file_samples[agent][kind].count < FILE_PLACES)
        file_samples[agent][kind].places[file_samples[agent][kind].count++] = place;
    file_free(&now);
    free(b.data);
}
#define FILE_FIND(number) file_find(a, agent, kind, &(number), sizeof(number))

/* Finds the numbers of the replay buffer. */
static void file_find_slots(rise_agent *a, int agent, int kind)
{
    risei_history *const h = &a->replay.history;
    int const lane = h->lanes - 1;
    int64_t at;
    FILE_FIND(a->replay.largest_leaf);
    FILE_FIND(a->actor.lane_return[lane]);
    FILE_FIND(h->written[lane]);
    for (at = risei_history_oldest(h, lane); at < h->written[lane]; at += 3) {
        ptrdiff_t const slot = risei_history_slot(h, lane, at);
        if (h->numbers > 0) FILE_FIND(h->raw_numbers[slot * h->numbers]);
        FILE_FIND(h->rewards[slot]);
        FILE_FIND(h->actions[slot]);
        FILE_FIND(h->events[slot]);
        FILE_FIND(h->episode_frame[slot]);
        FILE_FIND(a->replay.tree[slot]);
    }
}
/* Finds the statistics of the numbers of observations. */
static void file_find_numbers(rise_agent *a, int agent, int kind)
{
    risei_statistics *const s = &a->numbers;
    if (s->size == 0) return;
    FILE_FIND(s->frozen);
    FILE_FIND(s->shift[s->size - 1]);
    FILE_FIND(s->gain[s->size - 1]);
    if (kind_plays(kind)) return;
    FILE_FIND(s->seen);
    FILE_FIND(s->mean[s->size - 1]);
    FILE_FIND(s->squared_deviations[s->size - 1]);
}
/* Finds the counters, and one number of each array. */
static void file_find_all(rise_agent *a, int agent, int kind)
{
    risei_learner *const l = &a->learner;
    risei_embedder *const e = a->model.embedder;
    FILE_FIND(a->model.weights[0]);
    FILE_FIND(a->model.frame_statistics->scale.factor);
    FILE_FIND(a->model.frame_statistics->statistics_frozen);
    FILE_FIND(e->statistics.frozen);
    if (a->model.net.embeds) FILE_FIND(e->statistics.shift[0]);
    if (a->model.net.embeds) FILE_FIND(e->statistics.gain[0]);
    file_find_numbers(a, agent, kind);
    if (kind_plays(kind)) return;
    FILE_FIND(a->model.frame_statistics->seen);
    FILE_FIND(a->model.frame_statistics->squares);
    if (a->model.frame_statistics->standardises) FILE_FIND(a->model.frame_statistics->sums[0]);
    FILE_FIND(e->statistics.seen);
    if (a->model.net.embeds) FILE_FIND(e->statistics.mean[0]);
    if (a->model.net.embeds) FILE_FIND(e->statistics.squared_deviations[0]);
    FILE_FIND(a->model.target[0]);
    FILE_FIND(l->optimizer.m[0]);
    FILE_FIND(l->optimizer.v[0]);
    FILE_FIND(l->optimizer.power1);
    FILE_FIND(l->optimizer.power2);
    FILE_FIND(a->actor.explore_random.state);
    FILE_FIND(l->sample_random.state);
    FILE_FIND(a->actor.steps);
    FILE_FIND(a->actor.episodes);
    FILE_FIND(a->model.updates);
    FILE_FIND(l->owed_steps);
    FILE_FIND(l->snapshots);
    FILE_FIND(l->snapshot_next);
    FILE_FIND(a->model.metrics.loss);
    FILE_FIND(a->actor.returns[0]);
    if (kind == RISE_SAVE_ALL) file_find_slots(a, agent, kind);
}
/* Makes the file of a sample agent when it is first needed. */
static void file_sample(int agent, int kind)
{
    world w;
    buffer b;
    if (file_samples[agent][kind].made) return;
    file_samples[agent][kind].made = 1;
    w = tiny_world(file_words[agent], 9 + 6 * kind);
    b = saved_blindly(w.agent, (rise_save)kind);
    file_samples[agent][kind].parts = file_take_apart(&b);
    free(b.data);
    file_find_all(w.agent, agent, kind);
    rise_agent_destroy(w.agent);
}
/* Returns a copy of a sample's parts. Sections that its file does not have are empty. */
static file_parts file_copy(int agent, int kind)
{
    file_parts f = file_samples[agent][kind].parts;
    int s;
    for (s = 0; s < RISEI_SECTIONS; s++) f.part[s] = copy_of(&f.part[s], f.part[s].size);
    return f;
}

/* ---------------------------------------------------------------------------------------------- */
/* Changes */

/* Replaces the `cut` bytes of a part from `at` on by bytes [count]. */
static void file_splice(buffer *part, size_t at, size_t cut, const void *bytes, size_t count)
{
    buffer b = copy_of(part, at);
    b.room = SIZE_MAX;
    buffer_write(&b, bytes, count);
    buffer_write(&b, part->data + at + cut, part->size - at - cut);
    free(part->data);
    *part = b;
}
/* Returns where line i of a text begins; i is taken modulo the number of lines. *length: the bytes
   of the line with its newline. */
static size_t file_line(const buffer *text, size_t i, size_t *length)
{
    size_t lines = 0, at = 0, end;
    for (end = 0; end < text->size; end++) lines += text->data[end] == '\n';
    i = lines > 0 ? i % lines : 0;
    for (; i > 0; i--) at += 1 + (size_t)((unsigned char *)memchr(text->data + at, '\n',
                                                                  text->size - at) -
                                          (text->data + at));
    for (end = at; end < text->size && text->data[end] != '\n'; end++) {}
    *length = end < text->size ? end + 1 - at : end - at;
    return at;
}
/* Replaces the line of a field, or adds the line if there is none. */
static void file_set_line(buffer *text, const char *line)
{
    size_t const name = strcspn(line, "=") + 1;
    size_t at = 0, length = 0;
    while (at < text->size) {
        for (length = 0; at + length < text->size && text->data[at + length] != '\n'; length++) {}
        length += at + length < text->size;
        if (length >= name && memcmp(text->data + at, line, name) == 0) break;
        at += length;
        length = 0;
    }
    file_splice(text, at, length, line, strlen(line));
}
/* Gives a field of the description another value, written as the value's word if it has one. */
static void file_set_field(program *p, buffer *text)
{
    int conv;
    const risei_field *const field = fuzz_field(program_below(p, FUZZ_FIELDS), &conv);
    double const value = fuzz_value(p, field);
    char prefix[24] = "", number[RISEI_NUMBER_TEXT], line[120];
    const char *const word =
        field->word_of != NULL ? field->word_of((int)fmin(fmax(value, -1), 99)) : NULL;
    if (conv >= 0) snprintf(prefix, sizeof prefix, "conv[%d].", conv);
    risei_number_write(value, number);
    snprintf(line, sizeof line, "%s%s=%s\n", prefix, field->name, word != NULL ? word : number);
    file_set_line(text, line);
}
/* Changes the lines of the description. */
static void file_change_text(program *p, unsigned how, buffer *text)
{
    size_t length, other;
    size_t at = file_line(text, program_byte(p), &length);
    char line[200], copy[RISEI_DESC_LINE + 2];
    switch (how % 6) {
    case 0: file_splice(text, at, length, "", 0); break;
    case 1: /* a line twice, at any place */
        if (length > sizeof copy) length = sizeof copy;
        memcpy(copy, text->data + at, length);
        file_splice(text, file_line(text, program_byte(p), &other), 0, copy, length);
        break;
    case 2: file_splice(text, at, 0, "?", 1); break;
    case 3:
        other = program_text(p, line, sizeof line - 1);
        line[other++] = '\n';
        file_splice(text, at, program_byte(p) & 1 ? length : 0, line, other);
        break;
    case 4: /* some characters */
        if (length > 0) at += program_byte(p) % length;
        other = program_text(p, line, 5);
        file_splice(text, at, text->size - at < 2 ? 0 : program_below(p, 3), line, other);
        break;
    default: file_splice(text, at, 0, "?warp_factor=9\n", 15);
    }
}
/* Makes an agent of the description, if that is possible, and replaces the other sections by those
   of this agent. So the file is a valid one, of an unusual agent. */
static void file_fit(program *p, file_parts *f)
{
    rise_agent_desc desc, machine = fuzz_machine(RISE_SAVE_ALL);
    rise_agent *a;
    file_parts fresh;
    risei_file_memory memory;
    risei_io text;
    buffer b;
    int s, bits;
    int const policy = (f->flags & RISEI_FILE_POLICY) != 0;
    risei_io_begin(&text, RISEI_IO_READ, f->part[0].size);
    memory.at = f->part[0].data, memory.left = f->part[0].size;
    text.read = risei_file_memory_read, text.user = &memory;
    if (risei_desc_read(&desc, &text, NULL) != RISE_OK) return;
    machine.memory_bytes =
        hash_bytes(HASH_START, p->at, (size_t)(p->end - p->at)) % 16 == 0 ? FILE_LARGE : FILE_AGENT;
    risei_file_take_machine(&desc, &machine, 0, 1);
    bits = desc.weight_bits, desc.weight_bits = 32;
    if (rise_agent_create(&a, &desc, NULL) != RISE_OK) return;
    fuzz_train(a, p, (int)program_below(p, 10));
    b = saved_blindly(a, policy && bits == 8              ? RISE_SAVE_INT8
                         : policy && bits == 16           ? RISE_SAVE_FLOAT16
                         : policy                         ? RISE_SAVE_POLICY
                         : (f->flags & RISEI_FILE_REPLAY) ? RISE_SAVE_ALL
                                                          : RISE_SAVE_AGENT);
    rise_agent_destroy(a);
    fresh = file_take_apart(&b);
    for (s = 1; s < f->sections && s < fresh.sections; s++) {
        buffer const was = f->part[s];
        f->part[s] = fresh.part[s];
        fresh.part[s] = was;
    }
    file_free(&fresh);
    free(b.data);
}
/* Changes the length or a number of a section. */
static void file_change_section(program *p, unsigned how, buffer *part)
{
    size_t const at = (size_t)program_number(p, 2) % (part->size + 1);
    int const width = 1 << program_below(p, 4);
    size_t const count = program_below(p, 64);
    buffer other;
    switch (how % 4) {
    case 0: file_splice(part, at, part->size - at < count ? part->size - at : count, "", 0); break;
    case 1:
        other = copy_of(part, at + count); /* cut short, or longer by zeros */
        free(part->data);
        *part = other;
        break;
    default:
        if (part->size - at >= (size_t)width) put(part, at, width, fuzz_integer(p));
    }
}
/* Writes another value to the number at `place`. */
static void file_change_place(program *p, const file_place *place, file_parts *f)
{
    buffer *const part = &f->part[place->section];
    uint64_t value;
    if (place->section >= f->sections || place->at + (size_t)place->bytes > part->size) return;
    value = get(part, place->at, place->bytes);
    switch (program_byte(p) % 4) {
    case 0: value += program_byte(p) - UINT64_C(128); break;
    case 1: value ^= (uint64_t)1 << program_byte(p) % 64; break;
    default: value = fuzz_integer(p);
    }
    put(part, place->at, place->bytes, value);
}
/* Damages bytes of the whole file, with or without correct checksums. */
static void file_damage(program *p, buffer *b)
{
    while (p->at < p->end) {
        unsigned const how = program_byte(p);
        size_t const at = how & 64 ? program_below(p, header_bytes(b))
                                   : (size_t)program_number(p, 2) % (b->size + 1);
        int const width = 1 << how % 4;
        buffer cut;
        if (how >= 0xF0) {
            cut = copy_of(b, at + (how & 1 ? 40 : 0));
            free(b->data);
            *b = cut;
            if (b->size >= 24 && (how & 2)) put(b, 16, 8, b->size);
        } else if (at + (size_t)width <= b->size) {
            put(b, at, width, fuzz_integer(p));
        }
        if (b->size < TABLE) return;
        if (how & 32) fix_sums(b);
    }
}
/* Builds a file from an input. The file's kind is one of `first` to `last`. */
static buffer file_of(program *p, int first, int last)
{
    int const agent = (int)program_below(p, FILE_AGENTS);
    int const kind = first + (int)program_below(p, (size_t)(last - first + 1));
    file_parts f, other;
    buffer b;
    int damage = 0, changes = 0, fits = 0;
    file_sample(agent, kind);
    f = file_copy(agent, kind);
    while (p->at < p->end && !damage && changes++ < 32) {
        unsigned const what = program_byte(p);
        int const s = (int)(what / 16) % f.sections;
        switch (what % 16) {
        case 0:
        case 1:
        case 2: file_set_field(p, &f.part[0]); break;
        case 3:
        case 4: file_change_text(p, what / 16, &f.part[0]); break;
        case 5:
        case 6: /* making an agent takes longer than all else */
            if (fits++ == 0) file_fit(p, &f);
            break;
        case 7:
        case 8: file_change_section(p, program_byte(p), &f.part[s]); break;
        case 9: f.flags = program_byte(p); break;
        case 10: f.sections = 1 + (int)(what / 16 % RISEI_SECTIONS); break;
        case 11: /* a section of another agent */
            other = file_samples[(size_t)program_below(p, FILE_AGENTS)][kind].parts;
            if (s >= other.sections) break;
            free(f.part[s].data);
            f.part[s] = copy_of(&other.part[s], other.part[s].size);
            break;
        case 15: damage = 1; break;
        default:
            file_change_place(p, &file_samples[agent][kind].places[program_below(
                                     p, (size_t)file_samples[agent][kind].count)], &f);
        }
    }
    b = file_assemble(&f);
    file_free(&f);
    if (damage) file_damage(p, &b);
    return b;
}

/* ---------------------------------------------------------------------------------------------- */
/* Loading */

/* An agent that was loaded is saved and loaded again: both files are equal. */
static void file_repeats(const rise_agent *a, const rise_agent_desc *machine)
{
    rise_save const what = a->desc.play_only ? RISE_SAVE_POLICY : RISE_SAVE_ALL;
    buffer first = saved(a, what), second;
    rise_agent *again = NULL;
    rise_error error = {RISE_OK, ""};
    if (!CHECK(load(&again, &first, machine, &error) == RISE_OK)) {
        printf("    %s\n", error.text);
    } else {
        fuzz_check_agent(again);
        second = saved(again, what);
        CHECK(same_buffers(&first, &second));
        rise_agent_destroy(again);
        free(second.data);
    }
    free(first.data);
}
/* Returns whether the file was refused before an agent was made. Wrong lengths of the sections
   ACTING and LEARNING are found before the agent is made. Other faults of a section, and faults of
   the whole agent, are found later. */
static int file_refused_early(const char *text)
{
    return strstr(text, "but the description requires") != NULL ||
           (strncmp(text, "section ", 8) != 0 &&
            strncmp(text, "the agent in the file is wrong", 30) != 0);
}
/* A refusal has a reason and leaves no memory allocated. An early refusal takes at most 100 bytes
   for each byte of the file, plus 1 MB. */
static void file_refused(const rise_agent *a, rise_result result, const rise_error *error,
                         size_t size)
{
    CHECK(a == NULL && error->result == result && error->text[0] != '\0');
    CHECK(memchr(error->text, 0, sizeof error->text) != NULL);
    CHECK(result < RISE_OK);
    CHECK(toy_memory.held == 0);
    if (file_refused_early(error->text))
        if (!CHECK(toy_memory.bytes <= 100 * size + (1 << 20)))
            printf("    %.0f bytes for a file of %.0f: %s\n", (double)toy_memory.bytes,
                   (double)size, error->text);
}
/* Loads the file and uses the agent. */
static void file_use(buffer *b, const rise_agent_desc *machine, program *p)
{
    rise_agent *a = (rise_agent *)b;
    rise_error error = {RISE_OK, ""};
    rise_result result;
    toy_memory.bytes = 0;
    result = load(&a, b, machine, &error);
    if (result != RISE_OK) {
        file_refused(a, result, &error, b->size);
        return;
    }
    file_repeats(a, machine);
    fuzz_work(a, p);
    rise_agent_destroy(a);
}
#endif
