/* Fuzz target: .safetensors files of the pretrained encoder. The input changes the list of tensors,
   then the text of the header, then the numbers. */
#include "../encoder_file.h"
#include "fuzz.h"

enum { ENCODER_SIZE = 8 }; /* features of the network: the smallest */

/* Changes one tensor of the list. */
static void encoder_change_part(program *p, part *parts)
{
    static const char *const dtypes[] = {"F32", "F16", "BF16", "F64", "I64", "", "F8_E4M3"};
    part *const one = &parts[program_below(p, TENSORS)];
    const part *const other = &parts[program_below(p, TENSORS)];
    unsigned const how = program_byte(p);
    switch (how % 8) {
    case 0: one->count = 0; break; /* leaves it out */
    case 1: *one = *other; break;
    case 2: memcpy(one->name, other->name, sizeof one->name); break;
    case 3: one->dtype = dtypes[how / 8 % COUNT(dtypes)]; break;
    case 4: one->sides = (int)(how / 8 % 5); break;
    case 5: one->shape[how / 8 % 4] = (int)(fuzz_integer(p) & 0x7FFFFFFF); break;
    case 6: one->begin = (size_t)(int)(one->begin + program_byte(p) - 128); break;
    default: one->end = (size_t)(int)(one->end + program_byte(p) - 128); break;
    }
}
/* Replaces some bytes of the header by tokens, or by another piece of it. */
static void encoder_change_header(program *p, buffer *b)
{
    static const char *const tokens[] = {
        "{", "}", "[", "]", ":", ",", "\"", "\\", "\\u0041", "\\u00", " ", "\t", "0", "-1", "1.5",
        "18446744073709551616", "9007199254740993", "1e5", "null", "\"dtype\":", "\"shape\":",
        "\"data_offsets\":", "\"__metadata__\":{}", "\"fc.x\":", "\x80", "\x01", "F16", "I64"};
    size_t const at = (size_t)program_number(p, 2) % (b->size + 1);
    size_t const from = (size_t)program_number(p, 2) % (b->size + 1);
    size_t cut = program_below(p, 40), count = program_below(p, 120);
    unsigned const how = program_byte(p);
    buffer c = copy_of(b, at);
    c.room = SIZE_MAX;
    if (cut > b->size - at) cut = b->size - at;
    if (count > b->size - from) count = b->size - from;
    if (how & 128)
        buffer_write(&c, tokens[how % COUNT(tokens)], strlen(tokens[how % COUNT(tokens)]));
    else
        buffer_write(&c, b->data + from, count);
    buffer_write(&c, b->data + at + cut, b->size - at - cut);
    free(b->data);
    *b = c;
}
/* Changes numbers of the data, the length of the header, or the size of the file. */
static void encoder_damage(program *p, buffer *b)
{
    unsigned const how = program_byte(p);
    size_t const at = (size_t)program_number(p, 2) % (b->size + 1);
    int const width = 1 << how / 8 % 4;
    buffer c;
    switch (how % 4) {
    case 0:
        put(b, 0, 8, how & 64 ? fuzz_integer(p) : get(b, 0, 8) + program_byte(p) - 128);
        break;
    case 1:
        c = copy_of(b, at + 8);
        free(b->data);
        *b = c;
        break;
    default:
        if (at + (size_t)width <= b->size) put(b, at, width, fuzz_integer(p));
    }
}
/* A good file, its list of tensors, and the text of each: printing takes longer than reading. */
typedef struct encoder_good {
    buffer file;
    part parts[TENSORS];
    buffer text[TENSORS];
} encoder_good;

static const encoder_good *encoder_sample(const recipe *r)
{
    static encoder_good samples[2][3];
    encoder_good *const good = &samples[r->backwards][r->dtype];
    int i;
    if (good->file.data != NULL) return good;
    good->file = baked(r);
    parts_of(r, good->parts);
    for (i = 0; i < TENSORS; i++) {
        good->text[i].room = SIZE_MAX;
        print_part(&good->text[i], r, &good->parts[i], 1);
    }
    return good;
}
/* Prints the header, with the text of the good file where a tensor is unchanged. */
static void encoder_header(buffer *b, const recipe *r, const part *parts, const encoder_good *good)
{
    static const char begin[] = "{\"__metadata__\":{\"format\":\"pt\"}";
    int i;
    buffer_write(b, begin, sizeof begin - 1);
    for (i = 0; i < TENSORS; i++) {
        if (parts[i].count == 0) continue;
        if (memcmp(&parts[i], &good->parts[i], sizeof parts[i]) != 0)
            print_part(b, r, &parts[i], 1);
        else
            buffer_write(b, good->text[i].data, good->text[i].size);
    }
    buffer_write(b, "}", 1);
}
static buffer encoder_file(program *p)
{
    static part parts[TENSORS];
    unsigned const options = program_byte(p);
    recipe r = recipe_of(ENCODER_SIZE, (int)(options / 2 % 3));
    const encoder_good *good;
    buffer b = {NULL, 0, 0, SIZE_MAX, 0};
    uint8_t length[8] = {0};
    size_t data;
    int changes = 0;
    r.backwards = (int)(options & 1);
    good = encoder_sample(&r);
    memcpy(parts, good->parts, sizeof parts);
    while ((program_byte(p) & 3) == 3 && changes++ < 32) encoder_change_part(p, parts);
    encoder_header(&b, &r, parts, good);
    while ((program_byte(p) & 3) == 3 && changes++ < 32) encoder_change_header(p, &b);
    data = b.size;
    buffer_write(&b, good->file.data + data_at(&good->file),
                 good->file.size - data_at(&good->file));
    buffer_write(&b, length, 8); /* makes room for the length in front */
    memmove(b.data + 8, b.data, b.size - 8);
    put(&b, 0, 8, data);
    while (p->at < p->end && changes++ < 48) encoder_damage(p, &b);
    return b;
}
static void fuzz_encoder(const uint8_t *data, size_t size)
{
    static const uint8_t frame[RISEI_RESNET_SIDE_MIN * RISEI_RESNET_SIDE_MIN];
    network n = network_make(RISE_ISA_AUTO, RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1,
                             ENCODER_SIZE);
    program p;
    rise_error error = {RISE_OK, ""};
    rise_result result;
    float features[ENCODER_SIZE];
    uint64_t hash;
    size_t w;
    buffer b, exact;
    p.at = data, p.end = data + size;
    b = encoder_file(&p);
    exact = copy_of(&b, b.size);
    toy_memory.bytes = 0;
    result = network_read(&n, &exact, &error);
    CHECK((result == RISE_OK) == (error.text[0] == '\0') && error.result == result);
    CHECK(memchr(error.text, 0, sizeof error.text) != NULL && toy_memory.bytes == 0);
    if (result == RISE_OK) {
        for (w = 0; w < n.net->parameters && risei_finite(n.net->weights[w]); w++) {}
        CHECK(w == n.net->parameters);
        risei_resnet_forward(&n.device, n.net, frame, features);
        hash = n.net->fingerprint;
        CHECK(network_read(&n, &exact, NULL) == RISE_OK && n.net->fingerprint == hash);
    }
    free(exact.data);
    free(b.data);
    network_free(&n);
}
FUZZ_TARGET(fuzz_encoder)
