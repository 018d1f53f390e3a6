/* Fuzz target: text for rise_agent_set, and the descriptions that result. The input is a byte of
   options, then lines of text. A line's first byte, if it is 128 or more, means a field and '=',
   together with the byte after it. A later byte of 128 or more means a word. */
#include "fuzz.h"

/* Copies one line to text [room]. Replaces the bytes above 127 by fields and words. */
static void set_line(program *p, char *text, size_t room)
{
    static const risei_word_fn words[] = {risei_memory_word, risei_cell_word,
                                          risei_fusion_word, risei_head_word,
                                          risei_embedder_word, risei_network_word};
    size_t length = 0;
    text[0] = '\0';
    while (p->at < p->end) {
        unsigned const byte = program_byte(p);
        int conv;
        if (byte == '\n') break;
        if (byte < 128) {
            snprintf(text + length, room - length, "%c", (int)byte);
        } else if (length == 0) {
            const risei_field *const field =
                fuzz_field((byte - 128 + 128 * (size_t)(program_byte(p) & 1)) % FUZZ_FIELDS, &conv);
            if (conv < 0) snprintf(text, room, "%s=", field->name);
            if (conv >= 0) snprintf(text, room, "conv[%d].%s=", conv, field->name);
        } else {
            const char *const word = words[byte % COUNT(words)]((int)(byte / 8 % 9));
            snprintf(text + length, room - length, "%s", word != NULL ? word : "seed=");
        }
        length = strlen(text);
        if (length + 1 >= room) break;
    }
}
/* Sets a field from a block of exactly the text's size. A refusal says why and changes nothing. */
static void set_field(rise_agent_desc *d, const char *line)
{
    size_t const size = strlen(line) + 1;
    char *const text = (char *)malloc(size);
    rise_agent_desc const before = *d;
    rise_error error;
    rise_result result;
    if (text == NULL) exit(1);
    memset(&error, 0x55, sizeof error);
    memcpy(text, line, size);
    result = rise_agent_set(d, text, &error);
    CHECK(result == RISE_OK || result == RISE_BAD_DESC);
    if (result != RISE_OK) {
        CHECK(memcmp(d, &before, sizeof before) == 0);
        CHECK(error.result == result && memchr(error.text, 0, sizeof error.text) != NULL &&
              error.text[0] != '\0');
    }
    free(text);
}
/* Sets a field of the second description from a line about the first. */
static void set_again(void *user, const char *text)
{
    rise_error error = {RISE_OK, ""};
    CHECK(strlen(text) < RISEI_DESC_LINE);
    if (!CHECK(rise_agent_set((rise_agent_desc *)user, text, &error) == RISE_OK))
        printf("    %s\n", error.text);
}
/* Checks that the lines of rise_agent_describe set the same description. */
static void set_repeats_all(const rise_agent_desc *d)
{
    rise_agent_desc again;
    int i;
    memset(&again, 0, sizeof again);
    rise_agent_describe(d, set_again, &again);
    for (i = 0; i < RISEI_FIELDS; i++) {
        double const x = risei_field_get(&risei_fields[i], d);
        double const y = risei_field_get(&risei_fields[i], &again);
        if (!CHECK(memcmp(&x, &y, sizeof x) == 0)) printf("    %s\n", risei_fields[i].name);
    }
    CHECK(again.seed == d->seed);
    for (i = 0; i < d->conv_count && i < RISE_MAX_CONV; i++)
        CHECK(memcmp(&again.conv[i], &d->conv[i], sizeof d->conv[i]) == 0);
}
/* The same for one field. Descriptions repeat most of their values, so each value of a field is
   checked once. */
static void set_repeats_value(const rise_agent_desc *d, int i)
{
    static struct {
        double value;
        int checked;
    } checked[FUZZ_FIELDS][256];
    int conv;
    const risei_field *const field = fuzz_field((size_t)i, &conv);
    double const x = risei_field_get(field, conv < 0 ? (const void *)d : &d->conv[conv]);
    int const slot = (int)(hash_bytes(HASH_START, &x, sizeof x) & 255u);
    rise_agent_desc again;
    char prefix[24] = "";
    double y;
    if (checked[i][slot].checked && memcmp(&checked[i][slot].value, &x, sizeof x) == 0) return;
    memset(&again, 0, sizeof again);
    if (conv >= 0) snprintf(prefix, sizeof prefix, "conv[%d].", conv);
    risei_fields_write(field, 1, conv < 0 ? (const void *)d : &d->conv[conv], prefix, set_again,
                       &again);
    y = risei_field_get(field, conv < 0 ? (const void *)&again : &again.conv[conv]);
    if (!CHECK(memcmp(&x, &y, sizeof x) == 0)) printf("    %s%s\n", prefix, field->name);
    checked[i][slot].value = x, checked[i][slot].checked = 1;
}
/* A whole description is described for one input in 16, because it takes most of the time. */
static void set_repeats(const rise_agent_desc *d, int whole)
{
    int const convs = d->conv_count < RISE_MAX_CONV ? d->conv_count : RISE_MAX_CONV;
    int const fields = RISEI_FIELDS + (convs > 0 ? convs : 0) * RISEI_CONV_FIELDS;
    int i;
    if (whole) set_repeats_all(d);
    for (i = 0; i < fields; i++) set_repeats_value(d, i);
}
static void fuzz_set(const uint8_t *data, size_t size)
{
    int const whole = hash_bytes(HASH_START, data, size) % 16 == 0;
    program p;
    rise_agent_desc d, resolved, twice;
    rise_error error = {RISE_OK, ""};
    char line[400];
    unsigned preset;
    p.at = data, p.end = data + size;
    memset(&d, 0, sizeof d);
    preset = program_byte(&p);
    if (preset & 8) d.frame_width = d.frame_height = 84, d.actions = 4;
    if (preset & 16) d.frame_width = d.frame_height = 10, d.actions = 4;
    d.embed_fn = fuzz_embed;
    while (p.at < p.end) {
        set_line(&p, line, sizeof line);
        set_field(&d, line);
    }
    if ((preset & 7) < RISE_PRESET_COUNT) rise_agent_preset(&d, (rise_preset)(preset & 7));
    set_repeats(&d, whole);
    resolved = d;
    if (rise_agent_resolve(&resolved, &error) != RISE_OK) {
        CHECK(error.text[0] != '\0' && rise_agent_bytes(&d, &error) == 0);
        return;
    }
    twice = resolved;
    CHECK(rise_agent_resolve(&twice, &error) == RISE_OK);
    CHECK(memcmp(&twice, &resolved, sizeof twice) == 0);
    CHECK(rise_agent_bytes(&d, &error) == rise_agent_bytes(&resolved, NULL));
    set_repeats(&resolved, whole);
}
FUZZ_TARGET(fuzz_set)
