/* Files of tiny pretrained encoders in memory, and the networks that read them. For the tests of
   the encoder and for the fuzzers. */
#ifndef ENCODER_FILE_H
#define ENCODER_FILE_H

#include "toy.h"

/* ---------------------------------------------------------------------------------------------- */
/* Files */

/* tensors of a layer; index of the batch count among them; tensors of a file with fc's two */
enum { ENDS = 6, COUNTS = 5, TENSORS = ENDS * RISEI_RESNET_CONVS + 2 };

typedef struct recipe {
    int size;  /* embedding_size */
    int dtype; /* dtype of the weights */
    uint32_t seed;
    int backwards;     /* data in the opposite order of the header */
    int bare;          /* without metadata, batch counts and fc */
    const char *blank; /* white space between tokens of the header */
} recipe;

CHECK_UNUSED static recipe recipe_of(int size, int dtype)
{
    recipe r;
    memset(&r, 0, sizeof r);
    r.size = size, r.dtype = dtype, r.seed = 1, r.blank = "";
    return r;
}
/* A tensor of a file. `sides`: its number of dimensions. `begin`, `end`: bytes of the data. */
typedef struct part {
    char name[48];
    const char *dtype;
    int bytes, sides;
    int shape[4], count;
    int fan_in; /* inputs of a convolution, else 0 */
    size_t begin, end;
} part;

static void part_describe(const recipe *r, const risei_resnet *net, int i, part *p)
{
    const risei_conv *c = &net->conv[i / ENDS % RISEI_RESNET_CONVS];
    int const fc = i >= ENDS * RISEI_RESNET_CONVS, end = i % ENDS, counts = !fc && end == COUNTS;
    int s;
    memset(p, 0, sizeof *p);
    if (fc)
        strcpy(p->name, end == 0 ? "fc.weight" : "fc.bias");
    else if (counts)
        snprintf(p->name, sizeof p->name, "%s%s", risei_resnet_layers[i / ENDS].norm,
                 risei_tensor_suffixes[COUNTS]);
    else
        risei_tensor_name(5 * (i / ENDS) + end, p->name, sizeof p->name);
    p->dtype = counts ? "I64" : risei_tensor_dtypes[r->dtype].name;
    p->bytes = counts ? 8 : risei_tensor_dtypes[r->dtype].bytes;
    p->sides = fc ? 2 - end : counts ? 0 : end == 0 ? 4 : 1;
    p->shape[0] = fc ? 3 : c->filters, p->shape[1] = fc ? r->size : c->channels;
    p->shape[2] = p->shape[3] = c->size;
    p->count = 1;
    for (s = 0; s < p->sides; s++) p->count *= p->shape[s];
    p->fan_in = p->sides == 4 ? p->count / c->filters : 0;
}
/* Describes all tensors of a file in parts [TENSORS]: layer by layer in the order of
   risei_tensor_suffixes, then fc. Returns the bytes of their data. */
static size_t parts_of(const recipe *r, part *parts)
{
    risei_resnet const net =
        risei_resnet_make(RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1, r->size);
    size_t size = 0;
    int i;
    for (i = 0; i < TENSORS; i++) part_describe(r, &net, i, &parts[i]);
    for (i = 0; i < TENSORS; i++) {
        part *const p = &parts[r->backwards ? TENSORS - 1 - i : i];
        int const needed = p->name[0] != 'f' && strcmp(p->dtype, "I64") != 0;
        if (r->bare && !needed) p->count = 0;
        p->begin = size;
        p->end = size += (size_t)(p->count * p->bytes);
    }
    return size;
}
/* Returns the next number of a tensor. The number has few bits, so it is exact in any dtype. The
   scale of the numbers keeps the magnitude of activations from layer to layer. */
static float part_number(const part *p, int end, toy *dice)
{
    int const number = (int)(toy_draw(dice) % 255) - 127;
    int scale = 0;
    if (end == 1) return (float)(96 + number / 2) / 128; /* weight of a batch norm */
    /* bias, which keeps most features active */
    if (end == 2) return (float)(number + 64) / 256;
    if (end == 4) return (float)(128 + number / 2) / 128; /* variance of a batch norm */
    if (p->fan_in == 0) return (float)number / 512;
    while ((127 * 127 * p->fan_in) >> (2 * scale) > 6) scale++;
    return (float)number / (float)(1 << scale);
}
static void print(buffer *b, const char *format, ...)
{
    char text[300];
    va_list arguments;
    va_start(arguments, format);
    buffer_write(b, text, (size_t)vsnprintf(text, sizeof text, format, arguments));
    va_end(arguments);
}
CHECK_UNUSED static size_t data_at(const buffer *b) { return 8 + (size_t)get(b, 0, 8); }

/* Prints a tensor's entry of the header. `some`: 1 if an entry is in front of it. */
static void print_part(buffer *b, const recipe *r, const part *p, int some)
{
    const char *const _ = r->blank;
    int s;
    print(b, "%s%s\"%s\"%s:%s{%s\"dtype\"%s:%s\"%s\"%s,", some ? "," : "", _, p->name, _, _, _, _,
          _, p->dtype, _);
    print(b, "%s\"shape\"%s:%s[%s", _, _, _, _);
    for (s = 0; s < p->sides; s++) print(b, s > 0 ? "%s,%s%d" : "%s%s%d", _, _, p->shape[s]);
    print(b, "%s]%s,%s\"data_offsets\":[%s%d%s,%s%d%s]%s}", _, _, _, _, (int)p->begin, _, _,
          (int)p->end, _, _);
}
static void print_header(buffer *b, const recipe *r, const part *parts)
{
    const char *const _ = r->blank;
    int i, some = !r->bare;
    print(b, "{%s", _);
    if (!r->bare) print(b, "\"__metadata__\"%s:%s{%s\"format\"%s:%s\"pt\"%s}", _, _, _, _, _, _);
    for (i = 0; i < TENSORS; i++) {
        if (parts[i].count == 0) continue;
        print_part(b, r, &parts[i], some);
        some = 1;
    }
    print(b, "%s}%s", _, _);
}
CHECK_UNUSED static buffer baked(const recipe *r)
{
    static part parts[TENSORS];
    buffer b = {NULL, 0, 0, SIZE_MAX, 0};
    size_t const size = parts_of(r, parts);
    size_t start;
    int i, n;
    print(&b, "........");
    print_header(&b, r, parts);
    put(&b, 0, 8, b.size - 8);
    start = b.size;
    b.data = (unsigned char *)realloc(b.data, b.size += size);
    if (b.data == NULL) exit(1);
    for (i = 0; i < TENSORS; i++) {
        const part *p = &parts[i];
        toy dice;
        memset(&dice, 0, sizeof dice);
        dice.dice = r->seed * 1000 + (uint32_t)i;
        for (n = 0; n < p->count; n++) {
            float const x = part_number(p, i < TENSORS - 2 ? i % ENDS : 0, &dice);
            uint32_t const wide = risei_bits(x);
            uint32_t const bits = r->dtype == RISEI_TENSOR_F16    ? risei_to_half(x)
                                  : r->dtype == RISEI_TENSOR_BF16 ? wide >> 16
                                                                  : wide;
            put(&b, start + p->begin + (size_t)(n * p->bytes), p->bytes,
                p->bytes == 8 ? 100 : bits);
        }
    }
    return b;
}

/* ---------------------------------------------------------------------------------------------- */
/* Networks */

typedef struct network {
    risei_resnet *net;
    risei_device device;
    unsigned char *memory;
} network;

CHECK_UNUSED static network network_make(int isa, int height, int width, int channels, int size)
{
    static void *scratch; /* one for all tests, because it is large */
    network n;
    risei_arena arena;
    memset(&n, 0, sizeof n);
    memset(&arena, 0, sizeof arena);
    risei_resnet_layout(&arena, height, width, channels, size);
    arena.base = n.memory = (unsigned char *)malloc(arena.used);
    if (scratch == NULL) scratch = malloc(rise_product_scratch());
    if (n.memory == NULL || scratch == NULL) exit(1);
    n.device.scratch = scratch;
    arena.used = 0;
    n.net = risei_resnet_layout(&arena, height, width, channels, size);
    n.device.kernels = rise_kernels_of((rise_isa)isa);
    return n;
}
CHECK_UNUSED static void network_free(network *n) { free(n->memory); }
CHECK_UNUSED static rise_result network_read(network *n, buffer *b, rise_error *error)
{
    b->at = 0;
    return risei_resnet_read(n->net, buffer_read, b, b->size, error);
}

#endif
