/* Tests the pretrained encoder: the features of ResNet-18, and the reader of .safetensors files
   with damaged and hostile files.
       cc -O2 tests/pretrained.c -o pretrained -lm && ./pretrained
   `./pretrained --fuzz 1000000 7` reads a million damaged files from seed 7 instead of a few
   thousand. `./pretrained --write x.safetensors` writes the file whose features are listed below.
   The tests write pretrained_test.* in the current folder. */
#include "toy.h"
#include "encoder_file.h"

#define PATH "pretrained_test.safetensors"

/* ---------------------------------------------------------------------------------------------- */
/* Files on disk, and hashes of their weights */

static void to_disk(const buffer *b, const char *path)
{
    FILE *const file = fopen(path, "wb");
    CHECK(file != NULL && fwrite(b->data, 1, b->size, file) == b->size);
    if (file != NULL) fclose(file);
}

/* Returns the hash of the weights in a valid file. */
static uint64_t network_hash(const recipe *r)
{
    network n =
        network_make(RISE_ISA_AUTO, RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1, r->size);
    buffer b = baked(r);
    rise_error error = {RISE_OK, ""};
    uint64_t hash;
    if (!CHECK(network_read(&n, &b, &error) == RISE_OK)) printf("    %s\n", error.text);
    hash = n.net->fingerprint;
    free(b.data);
    network_free(&n);
    return hash;
}

/* ---------------------------------------------------------------------------------------------- */
/* Features */

enum { SIZE = 32, SHAPES = 2 };
/* height, width, channels */
static const int golden_shapes[SHAPES][3] = {{37, 45, 1}, {32, 33, 3}};
/* By PyTorch in double: tests/pretrained_torch.py --golden */
static const double golden_features[SHAPES][SIZE] = {
    {1.15179005,   0.491674946, 0.0849415134, 0.0433382411, 0.618627036, 0.339952054, 1.31174639,
     0.612210907,  0.136256187, 0.814269226,  0.772148196,  1.99176817,  1.0335756,   1.45397025,
     0.867226462,  1.56703578,  0.623108716,  1.78500407,   0.339814945, 0.320498694, 0.669269386,
     0.876285072,  1.73516911,  2.8151264,    0.0249606742, 1.63167094,  0.8268787,   0.45162323,
     0.0154700421, 0.482032537, 3.70863516,   2.38019033},
    {1.56399715,  0.322738777, 0,           0.069676674, 0.419229883, 0.341618061, 0.969059409,
     0.178598406, 0.210770763, 0.446025397, 0.837005254, 1.36867315,  0.454173031, 1.24464723,
     0.634950425, 1.81427994,  0.677443431, 1.46572919,  0.995048146, 0,           0.871715448,
     1.34607539,  1.1065905,   2.48421788,  0.216703565, 1.76949134,  0.730489099, 0.632831933,
     0.219550449, 0.540152931, 2.81091323,  2.49283465},
};

static void features_equal_pytorch(void)
{
    recipe const r = recipe_of(SIZE, RISEI_TENSOR_F32);
    buffer b = baked(&r);
    int s, isa, i, x, y, c;
    for (s = 0; s < SHAPES; s++) {
        int const height = golden_shapes[s][0], width = golden_shapes[s][1];
        int const channels = golden_shapes[s][2];
        int const bytes = height * width * channels;
        uint8_t *const frame = (uint8_t *)malloc((size_t)bytes);
        uint8_t *const other = (uint8_t *)malloc((size_t)bytes);
        float first[2][SIZE]; /* for kernels that are not fused, and for fused ones */
        int known[2] = {0, 0};
        double most = 0;
        if (frame == NULL || other == NULL) exit(1);
        for (i = 0, y = 0; y < height; y++)
            for (x = 0; x < width; x++)
                for (c = 0; c < channels; c++)
                    frame[i++] = (uint8_t)((x * x + 3 * x * y + 7 * y + 50 * c) % 256);
        for (i = 0; i < bytes; i++) other[i] = (uint8_t)(255 - frame[i]);
        for (i = 0; i < SIZE; i++)
            most = golden_features[s][i] > most ? golden_features[s][i] : most;
        for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
            network n = network_make(isa, height, width, channels, SIZE);
            float features[SIZE];
            int fused, round;
            if (n.device.kernels != NULL) {
                check_about("%s, %d x %d x %d", n.device.kernels->name, height, width, channels);
                fused = n.device.kernels->fused != 0;
                CHECK(network_read(&n, &b, NULL) == RISE_OK);
                for (round = 0; round < 2; round++) { /* no trace is left of the frame before */
                    if (round == 1) risei_resnet_forward(&n.device, n.net, other, features);
                    risei_resnet_forward(&n.device, n.net, frame, features);
                    for (i = 0; i < SIZE; i++)
                        CHECK(fabs((double)features[i] - golden_features[s][i]) <= 1e-5 * most);
                    if (!known[fused]) memcpy(first[fused], features, sizeof features);
                    known[fused] = 1;
                    CHECK(same_reals(features, first[fused], SIZE));
                }
            }
            network_free(&n);
        }
        free(frame), free(other);
    }
    free(b.data);
}
/* Each 16-bit float and each bfloat16 becomes the float of its definition. */
static void numbers_are_widened_exactly(void)
{
    uint32_t bits;
    long good = 0;
    check_about("16-bit floats");
    for (bits = 0; bits < 65536; bits++) {
        int const exponent = (int)(bits >> 10 & 31), brain = (int)(bits >> 7 & 255);
        double const sign = bits >> 15 ? -1 : 1, fraction = (double)(bits & 1023);
        double const tail = (double)(bits & 127);
        double const half =
            sign * (exponent > 0 ? ldexp(1024 + fraction, exponent - 25) : ldexp(fraction, -24));
        double const wide = sign * (brain > 0 ? ldexp(128 + tail, brain - 134) : ldexp(tail, -133));
        float const ours = risei_tensor_number(bits, RISEI_TENSOR_F16);
        float const brains = risei_tensor_number(bits, RISEI_TENSOR_BF16);
        good += exponent == 31 ? !risei_finite(ours) : (double)ours >= half && (double)ours <= half;
        good += brain == 255 ? !risei_finite(brains)
                             : (double)brains >= wide && (double)brains <= wide;
    }
    CHECK(good == 2 * 65536);
    CHECK(risei_tensor_number(0x3E200000u, RISEI_TENSOR_F32) == 0.15625f);
}
/* Returns number `i` of a tensor in a file of 32-bit floats. */
static double number_of(const buffer *b, const part *p, int i)
{
    return (double)risei_float((uint32_t)get(b, data_at(b) + p->begin + 4 * (size_t)i, 4));
}
/* Returns whether each weight and each bias of conv `l` is in its place, with the batch norm folded
   in. `p`: the tensors of the layer. */
static int folded(const risei_resnet *net, int l, const buffer *b, const part *p)
{
    const risei_conv *const c = &net->conv[l];
    int const taps = c->size * c->size;
    rise_matrix const m =
        rise_matrix_panels(net->weights + c->weights, taps * c->channels, c->filters);
    int o, i, wrong = 0;
    for (o = 0; o < c->filters; o++) {
        double const gain = number_of(b, &p[1], o) / sqrt(number_of(b, &p[4], o) + 1e-5);
        double const bias = number_of(b, &p[2], o) - number_of(b, &p[3], o) * gain;
        wrong += !(fabs((double)net->weights[c->bias + (size_t)o] - bias) < 1e-6);
        for (i = 0; i < taps * c->channels; i++) { /* in the file, [channels][taps] */
            int const row = i % taps * c->channels + i / taps;
            double const x = number_of(b, &p[0], o * taps * c->channels + i);
            wrong += !check_near((double)m.data[risei_walk_offset(&m.rows, row) +
                                                risei_matrix_column(&m, o)],
                                 x * gain, 1e-6);
        }
    }
    return wrong == 0;
}
/* Each weight goes to its place. The filters of the last convs fill several panels. */
static void weights_lie_as_products_read_them(void)
{
    static part parts[TENSORS];
    enum { WIDE = 64 };
    recipe const r = recipe_of(WIDE, RISEI_TENSOR_F32);
    network n = network_make(RISE_ISA_AUTO, RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1, WIDE);
    buffer b = baked(&r);
    int l;
    parts_of(&r, parts);
    CHECK(network_read(&n, &b, NULL) == RISE_OK);
    for (l = 0; l < RISEI_RESNET_CONVS; l++) {
        check_about("conv %d", l);
        CHECK(folded(n.net, l, &b, parts + ENDS * l));
    }
    free(b.data);
    network_free(&n);
}
/* If the first or the last number of a needed tensor changes, the hash changes. Batch counts and
   fc do not change it. */
static void each_tensor_changes_the_hash(void)
{
    static part parts[TENSORS];
    recipe const r = recipe_of(8, RISEI_TENSOR_F32);
    network n = network_make(RISE_ISA_AUTO, RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1, 8);
    buffer b = baked(&r);
    uint64_t hash;
    int i, last;
    parts_of(&r, parts);
    CHECK(network_read(&n, &b, NULL) == RISE_OK);
    hash = n.net->fingerprint;
    for (i = 0; i < TENSORS; i++)
        for (last = 0; last < 2; last++) {
            int const needed = parts[i].name[0] != 'f' && strcmp(parts[i].dtype, "I64") != 0;
            size_t const at = data_at(&b) + (last ? parts[i].end - (size_t)parts[i].bytes
                                                  : parts[i].begin);
            float const x = risei_float((uint32_t)get(&b, at, 4));
            check_about("%s, the %s number", parts[i].name, last ? "last" : "first");
            put(&b, at, 4, risei_bits(x + 0.0078125f)); /* in a batch count, its low bytes */
            CHECK(network_read(&n, &b, NULL) == RISE_OK);
            CHECK((n.net->fingerprint != hash) == needed);
            put(&b, at, 4, risei_bits(x));
        }
    free(b.data);
    network_free(&n);
}
/* The same numbers give the same weights in each dtype, in each order of the data, without the
   unneeded tensors, and with white space in the header. Other numbers give others. */
static void all_forms_of_a_file_give_the_same(void)
{
    static const int sizes[] = {8, 24, SIZE};
    int i, form;
    for (i = 0; i < COUNT(sizes); i++) {
        recipe const plain = recipe_of(sizes[i], RISEI_TENSOR_F32);
        uint64_t const hash = network_hash(&plain);
        recipe other = plain;
        for (form = 0; form < 12; form++) {
            recipe r = recipe_of(sizes[i], form % 3);
            r.backwards = form & 1, r.bare = form >> 1 & 1;
            r.blank = form >> 2 & 1 ? " \t\r\n" : "";
            check_about("%d features, form %d", sizes[i], form);
            CHECK(network_hash(&r) == hash);
        }
        other.seed = 2;
        CHECK(network_hash(&other) != hash);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Hostile files */

/* Returns a copy of a file in which the header's bytes at .. at + cut - 1 are replaced by `others`
   [count]. Corrects the header's length. */
static buffer spliced(const buffer *b, size_t at, size_t cut, const void *others, size_t count)
{
    buffer c = {NULL, 0, 0, SIZE_MAX, 0};
    buffer_write(&c, b->data, at);
    buffer_write(&c, others, count);
    buffer_write(&c, b->data + at + cut, b->size - at - cut);
    put(&c, 0, 8, get(b, 0, 8) + count - cut);
    return c;
}
static void refused(buffer *b, rise_result result, const char *word)
{
    network n = network_make(RISE_ISA_AUTO, RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1, 8);
    rise_error error = {RISE_OK, ""};
    rise_result const got = network_read(&n, b, &error);
    CHECK(got == result && error.result == got);
    if (!CHECK(strstr(error.text, word) != NULL))
        printf("    \"%s\" does not say %s\n", error.text, word);
    CHECK(network_read(&n, b, NULL) == got); /* error may be NULL */
    network_free(&n);
}

/* `to` replaces the first `from` in a valid header. The message has `word` in it. */
static const struct {
    const char *from, *to;
    rise_result result;
    const char *word;
} hostile_headers[] = {
    {"{\"__", "[\"__", RISE_BAD_FILE, "wrong at byte 8: { is missing"},
    {"{\"__metadata__\"", "", RISE_BAD_FILE, "{ is missing"},
    {"\"__metadata__\":", "\"__metadata__\"", RISE_BAD_FILE, ": is missing"},
    {"{\"format\"", "[\"format\"", RISE_BAD_FILE, "{ is missing"},
    {"\"pt\"}", "\"pt\",}", RISE_BAD_FILE, "\" is missing"},
    {"\"pt\"}", "\"pt\"", RISE_BAD_FILE, "\" is missing"},
    {"\"pt\"", "7", RISE_BAD_FILE, "\" is missing"},
    {"\"pt\"", "{}", RISE_BAD_FILE, "\" is missing"},
    {"\"pt\"", "\"\\x\"", RISE_BAD_FILE, "escape"},
    {"\"pt\"", "\"\\u00g0\"", RISE_BAD_FILE, "escape"},
    {"\"pt\"", "\"\\u00", RISE_BAD_FILE, "escape"},
    {"\"pt\"", "\"\\u00e\"", RISE_BAD_FILE, "escape"},
    {"\"pt\"", "\"\n\"", RISE_BAD_FILE, "string"},
    {"{\"format\":\"pt\"}", "{}", RISE_OK, ""},
    {"{\"format\":\"pt\"}", "{\"a\":\"\",\"b\":\"c d\"}", RISE_OK, ""},
    {"\"pt\"", "\" \\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\uAF09{}[],:\"", RISE_OK, ""},
    {"{\"format\":\"pt\"}", "{},\"__metadata__\":{}", RISE_BAD_FILE, "__metadata__ is there twice"},
    {"\"conv1.weight\"", "\"conv1.w\\u0065ight\"", RISE_BAD_FILE, "backslash"},
    {"\"conv1.weight\"", "conv1.weight", RISE_BAD_FILE, "\" is missing"},
    {"\"conv1.weight\"", "\"layer1.2.conv1.weight\"", RISE_MISMATCH,
     "layer1.2.conv1.weight is no tensor"},
    {"\"conv1.weight\"", "\"module.conv1.weight\"", RISE_MISMATCH,
     "module.conv1.weight is no tensor"},
    {"\"conv1.weight\"", "\"conv1.weight\x80\"", RISE_MISMATCH, "conv1.weight? is no tensor"},
    {"\"conv1.weight\"", "\"conv1.weight0123456789012345678901234567890123456789\"", RISE_MISMATCH,
     "no tensor"},
    {"\"conv1.weight\"", "\"conv1.bias\"", RISE_MISMATCH, "conv1.bias is no tensor"},
    {"\"conv1.weight\"", "\"\"", RISE_MISMATCH, "no tensor"},
    {"\"conv1.weight\"", "\"fc.more\"", RISE_MISMATCH, "conv1.weight is missing"},
    {"\"layer4.1.bn2.running_var\"", "\"fc.more\"", RISE_MISMATCH,
     "layer4.1.bn2.running_var is missing"},
    {"\"bn1.bias\"", "\"bn1.weight\"", RISE_BAD_FILE, "bn1.weight is there twice"},
    {"\"F32\"", "\"F64\"", RISE_MISMATCH, "conv1.weight has the dtype F64"},
    {"\"F32\"", "\"F31\"", RISE_MISMATCH, "dtype F31"},
    {"\"F32\"", "\"\"", RISE_MISMATCH, "F32, F16 or BF16"},
    {"\"F32\"", "\"F32F32F32F32F32F32F32\"", RISE_MISMATCH, "dtype"},
    {"\"F32\"", "\"F16\"", RISE_BAD_FILE, "cannot be bytes 0 to 588"},
    {"\"I64\"", "\"I65\"", RISE_MISMATCH, "dtype I65"},
    {"\"dtype\":\"F32\",", "", RISE_BAD_FILE, "lacks its dtype"},
    {",\"data_offsets\":[0,588]", "", RISE_BAD_FILE, "lacks its dtype, shape or data_offsets"},
    {"\"dtype\":\"F32\"", "\"dtype\":\"F32\",\"dtype\":\"F32\"", RISE_BAD_FILE, "twice"},
    {"\"shape\":[1,3,7,7]", "\"shape\":[147],\"shape\":[1,3,7,7]", RISE_BAD_FILE, "twice"},
    {"\"data_offsets\":[0,588]", "\"data_offsets\":[0,0],\"data_offsets\":[0,588]", RISE_BAD_FILE,
     "twice"},
    {"\"dtype\"", "\"type\"", RISE_BAD_FILE, "unknown"},
    {"\"dtype\"", "\"dtypedtypedtypedtypedtype\"", RISE_BAD_FILE, "unknown"},
    {"\"dtype\":", "\"dtype\"", RISE_BAD_FILE, ": is missing"},
    {"\"dtype\":\"F32\",", "\"dtype\":\"F32\"", RISE_BAD_FILE, "} is missing"},
    {"[1,3,7,7]", "[1,3,7]", RISE_BAD_FILE, "conv1.weight cannot be bytes"},
    {"[1,3,7,7]", "[]", RISE_BAD_FILE, "cannot be bytes"},
    {"[1,3,7,7]", "[0,3,7,7]", RISE_BAD_FILE, "cannot be bytes"},
    {"[1,3,7,7]", "147", RISE_BAD_FILE, "[ is missing"},
    {"[1,3,7,7]", "[1,3,7,7", RISE_BAD_FILE, "is missing"},
    {"[1,3,7,7]", "[1,3,7,7.0]", RISE_BAD_FILE, "] is missing"},
    {"[1,3,7,7]", "[1,3,7,-7]", RISE_BAD_FILE, "whole number"},
    {"[1,3,7,7]", "[1,3,7,07]", RISE_BAD_FILE, "] is missing"},
    {"[1,3,7,7]", "[1,3,7,]", RISE_BAD_FILE, "whole number"},
    {"[1,3,7,7]", "[1,3,7,99999999999999999999]", RISE_BAD_FILE, "a number is too large"},
    {"[1,3,7,7]", "[1,3,7,9007199254740993]", RISE_BAD_FILE, "a number is too large"},
    {"[1,3,7,7]", "[4194305,4194305,211106198978564]", RISE_BAD_FILE, "a shape is too large"},
    {"[1,3,7,7]", "[9007199254740992,1]", RISE_BAD_FILE, "cannot be bytes"},
    {"[1,3,7,7]", "[3,1,7,7]", RISE_MISMATCH,
     "shape [3, 1, 7, 7]; embedding_size 8 asks for [1, 3, 7, 7]"},
    {"[1,3,7,7]", "[1,3,49]", RISE_MISMATCH, "shape [1, 3, 49]"},
    {"[1,3,7,7]", "[1,3,49,1]", RISE_MISMATCH, "shape [1, 3, 49, 1]"},
    {"[1,3,7,7],\"data_offsets\":[0,588]",
     "[0,9007199254740992,9007199254740992,9007199254740992],\"data_offsets\":[0,0]", RISE_MISMATCH,
     "shape [0, 9007199254740992, 9007199254740992"},
    {"\"conv1.weight\"",
     "\"fc.none\":{\"dtype\":\"F64\",\"shape\":[0],\"data_offsets\":[0,0]},\"conv1.weight\"",
     RISE_OK, ""},
    {"[1,3,7,7]", "[1,3,7,7,1]", RISE_MISMATCH, "shape [1, 3, 7, 7, ...]"},
    {"[1,3,7,7]", "[1,3,7,7,0,9007199254740992]", RISE_BAD_FILE, "cannot be bytes"},
    {"\"shape\":[1],", "\"shape\":[],", RISE_MISMATCH,
     "bn1.weight has the shape []; embedding_size 8 asks for [1]"},
    {"[0,588]", "[0,589]", RISE_BAD_FILE, "cannot be bytes 0 to 589"},
    {"[0,588]", "[588,0]", RISE_BAD_FILE, "cannot be bytes 588 to 0"},
    {"[0,588]", "[0,588,588]", RISE_BAD_FILE, "] is missing"},
    {"[0,588]", "[588]", RISE_BAD_FILE, ", is missing"},
    {"[0,588]", "[100000,100588]", RISE_BAD_FILE, "cannot be bytes 100000 to 100588"},
    {"[0,588]", "[18446744073709551615,587]", RISE_BAD_FILE, "a number is too large"},
    {"[0,588]", "[4,592]", RISE_BAD_FILE, "overlap"},
    {"[588,592]", "[0,4]", RISE_BAD_FILE, "overlap"},
    {"[588,592]", "[592,596]", RISE_BAD_FILE, "overlap"},
};

static void hostile_headers_are_refused(void)
{
    recipe const r = recipe_of(8, RISEI_TENSOR_F32);
    buffer b = baked(&r), c;
    size_t const length = (size_t)get(&b, 0, 8);
    char *const header = (char *)calloc(length + 1, 1);
    int i;
    if (header == NULL) exit(1);
    memcpy(header, b.data + 8, length);
    for (i = 0; i < COUNT(hostile_headers); i++) {
        const char *from = hostile_headers[i].from, *to = hostile_headers[i].to;
        const char *at = strstr(header, from);
        check_about("%s for %s", to, from);
        if (!CHECK(at != NULL)) continue;
        c = spliced(&b, 8 + (size_t)(at - header), strlen(from), to, strlen(to));
        refused(&c, hostile_headers[i].result, hostile_headers[i].word);
        free(c.data);
    }
    check_about("a zero byte");
    c = spliced(&b, 8 + (size_t)(strstr(header, "pt\"") - header), 0, "\\\0", 2);
    refused(&c, RISE_BAD_FILE, "escape");
    free(c.data);
    c = spliced(&b, 8 + (size_t)(strstr(header, "pt\"") - header), 0, "\\u12\0", 5);
    refused(&c, RISE_BAD_FILE, "escape");
    free(c.data);
    c = spliced(&b, 8 + length, 0, "", 1);
    refused(&c, RISE_BAD_FILE, "something follows its end");
    free(c.data);
    check_about("after the header's end");
    c = spliced(&b, 8 + length, 0, " \n }", 4);
    refused(&c, RISE_BAD_FILE, "something follows its end");
    free(c.data);
    c = spliced(&b, 8, length, "{}", 2);
    refused(&c, RISE_MISMATCH, "conv1.weight is missing");
    free(c.data);
    free(header);
    free(b.data);
}
static void hostile_lengths_are_refused(void)
{
    static const uint64_t odd[] = {0,           1,           2,
                                   0x7FFFFFFFu, 0xFFFFFFFFu, UINT64_C(0x7FFFFFFFFFFFFFFF),
                                   UINT64_MAX};
    static part parts[TENSORS];
    recipe const r = recipe_of(8, RISEI_TENSOR_F32);
    buffer b = baked(&r), c;
    uint64_t const length = get(&b, 0, 8);
    size_t i, needed;
    parts_of(&r, parts);
    needed = data_at(&b) + parts[TENSORS - 3].begin; /* data that follow are not needed */
    for (i = 0; i < sizeof odd / sizeof *odd; i++) {
        check_about("a header of %.0f bytes", (double)odd[i]);
        put(&b, 0, 8, odd[i]);
        refused(&b, RISE_BAD_FILE, "header");
    }
    put(&b, 0, 8, length - 1);
    refused(&b, RISE_BAD_FILE, "} is missing");
    put(&b, 0, 8, length);
    /* a file that ends there, and a device that fails there */
    for (i = 0; i <= b.size; i += i < 900 || i + 40 > b.size ? 1 : i < length ? 7 : 97) {
        network n = network_make(RISE_ISA_AUTO, RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1, 8);
        rise_error error = {RISE_OK, ""};
        rise_result const result = i < needed ? RISE_IO : RISE_OK;
        check_about("%d of %d bytes", (int)i, (int)b.size);
        c = copy_of(&b, i);
        if (i < b.size) refused(&c, RISE_BAD_FILE, "");
        c.at = 0;
        CHECK(risei_resnet_read(n.net, buffer_read, &c, b.size, &error) == result &&
              error.result == result);
        CHECK(i >= needed || strstr(error.text, "could not be read") != NULL);
        free(c.data);
        network_free(&n);
    }
    check_about("nothing after the header, or in it");
    c = copy_of(&b, 10);
    put(&c, 0, 8, 2);
    memcpy(c.data + 8, "{}", 2);
    refused(&c, RISE_MISMATCH, "conv1.weight is missing");
    c.size = 8;
    refused(&c, RISE_BAD_FILE, "header would have 2 bytes");
    put(&c, 0, 8, 0);
    refused(&c, RISE_BAD_FILE, "{ is missing");
    free(c.data);
    check_about("something after the data");
    c = copy_of(&b, b.size + 4);
    memset(c.data + b.size, 0, 4);
    refused(&c, RISE_BAD_FILE, "do not fill the file");
    free(c.data);
    check_about("an endless header");
    c = copy_of(&b, 8 + RISEI_TENSORS_HEADER_MAX + 8);
    memset(c.data, ' ', c.size);
    put(&c, 0, 8, RISEI_TENSORS_HEADER_MAX + 1);
    refused(&c, RISE_BAD_FILE, "header");
    put(&c, 0, 8, RISEI_TENSORS_HEADER_MAX);
    refused(&c, RISE_BAD_FILE, "{ is missing");
    free(c.data);
    free(b.data);
}
/* A device from which call `at` fails, and no other. */
typedef struct flaky {
    buffer *file;
    long calls, at;
} flaky;
static int flaky_read(void *user, void *data, size_t size)
{
    flaky *const f = (flaky *)user;
    return ++f->calls != f->at && buffer_read(f->file, data, size);
}
/* Each failed read of the data is reported, and nothing more is read. Reads fail within a tensor,
   and between two tensors, where the reader skips batch counts. */
static void each_failed_read_is_reported(void)
{
    static part parts[TENSORS];
    recipe const r = recipe_of(8, RISEI_TENSOR_F32);
    buffer b = baked(&r);
    long const header = 1 + (long)get(&b, 0, 8); /* calls: the length, then one per character */
    network n = network_make(RISE_ISA_AUTO, RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1, 8);
    rise_result result;
    int gaps = 0, i;
    flaky f = {NULL, 0, 0};
    f.file = &b;
    parts_of(&r, parts);
    for (f.at = header + 1;; f.at++) {
        rise_error error = {RISE_OK, ""};
        char text[40];
        b.at = 0, f.calls = 0;
        result = risei_resnet_read(n.net, flaky_read, &f, b.size, &error);
        check_about("call %ld fails at byte %.0f: %s", f.at, (double)b.at, error.text);
        if (f.calls < f.at) break;
        snprintf(text, sizeof text, "could not be read after %.0f bytes", (double)b.at);
        CHECK(result == RISE_IO && error.result == RISE_IO && strstr(error.text, text) != NULL);
        CHECK(f.calls == f.at);
        for (i = 0; i < TENSORS; i++)
            gaps += strcmp(parts[i].dtype, "I64") == 0 && b.at == data_at(&b) + parts[i].begin;
    }
    CHECK(result == RISE_OK && f.calls == f.at - 1);
    CHECK(gaps == RISEI_RESNET_CONVS - 1); /* the last one is behind all needed tensors */
    network_free(&n);
    free(b.data);
}
static void hostile_numbers_are_refused(void)
{
    static part parts[TENSORS];
    recipe r = recipe_of(8, RISEI_TENSOR_F32);
    buffer b = baked(&r);
    size_t start = data_at(&b);
    parts_of(&r, parts);
    check_about("numbers");
    put(&b, start + parts[0].end - 4, 4, 0x7FC00000u);
    refused(&b, RISE_NOT_FINITE, "conv1.weight has a number that is not finite");
    put(&b, start + parts[0].end - 4, 4, 0);
    put(&b, start + parts[TENSORS - 4].begin, 4, 0xBF800000u);
    refused(&b, RISE_BAD_FILE, "layer4.1.bn2.running_var has a negative number");
    /* a variance of 0 is valid, because an epsilon is added */
    put(&b, start + parts[TENSORS - 4].begin, 4, 0);
    /* fc and batch counts are not read */
    put(&b, start + parts[TENSORS - 3].begin, 4, 0xFFFFFFFFu);
    put(&b, start + parts[TENSORS - 2].begin, 4, 0x7FC00000u);
    refused(&b, RISE_OK, "");
    put(&b, start + parts[TENSORS - 7].begin, 4, 0x7F7FFFFFu);
    refused(&b, RISE_NOT_FINITE, "batch norm");
    free(b.data);
    r.dtype = RISEI_TENSOR_F16;
    b = baked(&r);
    start = data_at(&b);
    parts_of(&r, parts);
    put(&b, start + parts[6].begin, 2, 0xFC00u);
    refused(&b, RISE_NOT_FINITE, "layer1.0.conv1.weight has a number that is not finite");
    free(b.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* Agents */

static void save_recipe(int size, uint32_t seed)
{
    recipe r = recipe_of(size, RISEI_TENSOR_F32);
    buffer b;
    r.seed = seed;
    b = baked(&r);
    to_disk(&b, PATH);
    free(b.data);
}
static rise_agent_desc resnet_desc(void)
{
    rise_agent_desc d;
    memset(&d, 0, sizeof d);
    d.frame_width = 32, d.frame_height = 33;
    d.actions = ACTIONS;
    d.embedding = RISE_EMBED_RESNET18;
    d.embedding_file = PATH;
    d.embedding_size = SIZE;
    d.network = RISE_NETWORK_CUSTOM;
    d.conv_count = 1;
    d.conv[0].filters = 2, d.conv[0].size = d.conv[0].stride = 8;
    d.features = 8, d.head_units = 8, d.recurrent_units = 8;
    d.window = 4, d.batch = 4;
    d.learn_start = 16, d.replay_capacity = 64;
    return d;
}
static uint8_t *noise(toy *dice)
{
    static uint8_t frame[33 * 32];
    size_t i;
    for (i = 0; i < sizeof frame; i++) frame[i] = (uint8_t)(toy_draw(dice) & 255u);
    return frame;
}
/* Plays steps from .. to - 1 of a game of random frames. */
static void play(rise_agent *a, int from, int to)
{
    toy dice;
    int t;
    for (t = from; t < to; t++) {
        memset(&dice, 0, sizeof dice);
        dice.dice = (uint32_t)t;
        CHECK(rise_agent_step(a, noise(&dice), (float)(t % 3),
                              t % 7 == 0 ? RISE_FIRST : RISE_MIDDLE) >= 0);
    }
}
static void not_created(rise_agent_desc d, rise_result result, const char *word)
{
    rise_agent *agent = (rise_agent *)&d;
    rise_error error = {RISE_OK, ""};
    CHECK(rise_agent_create(&agent, &d, &error) == result && error.result == result &&
          agent == NULL);
    if (!CHECK(strstr(error.text, word) != NULL))
        printf("    \"%s\" does not say %s\n", error.text, word);
    /* the size needs no file */
    CHECK((rise_agent_bytes(&d, NULL) == 0) == (result == RISE_BAD_DESC));
    CHECK(toy_memory.held == 0);
}
static void descriptions_are_checked(void)
{
    rise_agent_desc const good = resnet_desc();
    rise_agent_desc d = good;
    rise_agent *a;
    check_about("descriptions");
    save_recipe(SIZE, 1);
    d.embedding_file = NULL;
    not_created(d, RISE_BAD_DESC, "embedding_file is NULL");
    d.memory = RISE_MEMORY_NONE; /* NONE needs no encoder */
    a = created(&d);
    rise_agent_destroy(a);
    d = good, d.frame_channels = 2;
    not_created(d, RISE_BAD_DESC, "frame_channels is 2");
    d = good, d.frame_width = 31;
    not_created(d, RISE_BAD_DESC, "frame_width is 31");
    d = good, d.frame_height = 31;
    not_created(d, RISE_BAD_DESC, "frame_height is 31");
    d = good, d.embedding_size = 36;
    not_created(d, RISE_BAD_DESC, "embedding_size is 36");
    d.embedding_size = 40;
    not_created(
        d, RISE_MISMATCH,
        "embedding_file: " PATH
        ": conv1.weight has the shape [4, 3, 7, 7]; embedding_size 40 asks for [5, 3, 7, 7]");
    d.embedding_size = 0;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.embedding_size == 512);
    not_created(d, RISE_MISMATCH, "embedding_size 512 asks for [64, 3, 7, 7]");
    d = good, d.embedding_file = "pretrained_test.none";
    not_created(d, RISE_IO, "embedding_file: pretrained_test.none cannot be opened");
    d.embedding_file = "."; /* a directory */
    a = NULL;
    CHECK(rise_agent_create(&a, &d, NULL) < RISE_OK && a == NULL && toy_memory.held == 0);
    d = good, d.frame_channels = 3;
    a = created(&d);
    CHECK(a->bytes == rise_agent_bytes(&d, NULL));
    rise_agent_destroy(a);
}
/* An agent publishes only to players whose encoder has the same weights. */
static void publishing_needs_the_same_weights(void)
{
    rise_agent_desc d = resnet_desc();
    rise_agent *same, *other, *player;
    save_recipe(SIZE, 2);
    other = created(&d);
    save_recipe(SIZE, 1);
    same = created(&d);
    d.play_only = 1;
    player = created(&d);
    CHECK(rise_agent_publish(other, player) == RISE_MISMATCH &&
          strstr(rise_agent_error(other)->text, "embedding_file of the receiver") != NULL);
    CHECK(rise_agent_publish(same, player) == RISE_OK);
    rise_agent_destroy(same), rise_agent_destroy(other), rise_agent_destroy(player);
    remove(PATH);
}
static void agent_learns_and_resumes(void)
{
    rise_agent_desc d = resnet_desc(), machine;
    rise_agent *a, *b;
    rise_metrics m;
    buffer all, policy;
    toy dice;
    unsigned char *block;
    size_t const bytes = rise_agent_bytes(&d, NULL);
    check_about("learning");
    save_recipe(SIZE, 1);
    d.memory_block = block = (unsigned char *)malloc(bytes), d.memory_bytes = bytes;
    a = created(&d);
    play(a, 0, 60);
    rise_agent_metrics(a, &m);
    CHECK(m.updates > 5 && m.loss > 0 && m.loss < 100 && m.bytes == bytes && toy_memory.held == 0);
    all = saved(a, RISE_SAVE_ALL);
    policy = saved(a, RISE_SAVE_POLICY);
    memset(&machine, 0, sizeof machine);
    machine.embedding_file = PATH;
    b = loaded(&all, &machine);
    CHECK(state_of(a) == state_of(b));
    play(a, 60, 80);
    play(b, 60, 80);
    CHECK(state_of(a) == state_of(b));
    rise_agent_destroy(b);

    machine.play_only = 1;
    b = loaded(&policy, &machine);
    rise_agent_destroy(a);
    machine.play_only = 0;
    a = loaded(&all, &machine);
    memset(&dice, 0, sizeof dice);
    CHECK(rise_agent_play(a, 0, noise(&dice), 0, RISE_FIRST, NULL) >= 0);
    memset(&dice, 0, sizeof dice);
    CHECK(rise_agent_play(b, 0, noise(&dice), 0, RISE_FIRST, NULL) >= 0);
    CHECK(same_reals(rise_agent_values(a, 0), rise_agent_values(b, 0), ACTIONS));
    rise_agent_destroy(a);
    rise_agent_destroy(b);

    check_about("another file");
    load_refused(&all, NULL, RISE_BAD_DESC, "embedding_file is NULL");
    save_recipe(SIZE, 2);
    load_refused(&all, &machine, RISE_MISMATCH, "embedding_file has other weights");
    machine.play_only = 1;
    load_refused(&policy, &machine, RISE_MISMATCH, "embedding_file");
    save_recipe(8, 1);
    load_refused(&all, &machine, RISE_MISMATCH, "embedding_size 32");
    remove(PATH);
    load_refused(&all, &machine, RISE_IO, PATH);
    CHECK(toy_memory.held == 0);
    free(all.data), free(policy.data), free(block);
}

/* ---------------------------------------------------------------------------------------------- */
/* Fuzz: files damaged at random, and networks run if they load */

static size_t below(risei_random *dice, size_t n)
{
    return (size_t)risei_random_below(dice, (int)n);
}

static buffer mutated(const buffer *b, risei_random *dice)
{
    static const char tokens[] = "{}[]:,\"\\ 0123456789eE.-+utfn_";
    static const uint32_t odd[] = {0,           1,           0x80000000u, 0x7F800000u, 0xFF800000u,
                                   0x7FC00000u, 0x7F7FFFFFu, 0x7C00u,     UINT32_MAX};
    size_t header, at, from, cut, count;
    buffer c;
    if (b->size < 17 || get(b, 0, 8) < 1 || get(b, 0, 8) > b->size - 16) return copy_of(b, b->size);
    header = data_at(b);
    at = 8 + below(dice, header - 8), from = 8 + below(dice, header - 8);
    cut = below(dice, header - at < 40 ? header - at : 40);
    count = below(dice, header - from < 40 ? header - from : 40);
    switch (risei_random_below(dice, 10)) {
    /* copies a part of the header */
    case 0: return spliced(b, at, cut, b->data + from, count);
    case 1: return spliced(b, at, 0, b->data + from, count); /* or inserts it elsewhere */
    case 2: return spliced(b, at, cut, "", 0);               /* or removes it */
    case 3: return spliced(b, at, 1, &tokens[below(dice, sizeof tokens)], 1);
    case 4: return copy_of(b, below(dice, 4) > 0 ? b->size : below(dice, b->size));
    default: c = copy_of(b, b->size);
    }
    switch (risei_random_below(dice, 5)) {
    case 0: c.data[at] = (unsigned char)(c.data[at] ^ 1u << risei_random_below(dice, 8)); break;
    case 1: c.data[at] = (unsigned char)('0' + risei_random_below(dice, 10)); break;
    case 2: c.data[at] = (unsigned char)tokens[below(dice, sizeof tokens)]; break;
    case 3:
        at = header + below(dice, b->size - header - 4),
        put(&c, at, 4, odd[below(dice, sizeof odd / sizeof *odd)]);
        break;
    default:
        if (below(dice, 8) == 0)
            put(&c, 0, 8, get(&c, 0, 8) ^ (uint64_t)1 << risei_random_below(dice, 64));
    }
    return c;
}
static void fuzz(long rounds, uint64_t seed)
{
    static const int sizes[] = {8, 24};
    uint8_t frame[RISEI_RESNET_SIDE_MIN * RISEI_RESNET_SIDE_MIN];
    buffer files[12];
    risei_random dice = risei_random_stream(seed, 1);
    long taken = 0, i;
    int f;
    memset(frame, 77, sizeof frame);
    for (f = 0; f < COUNT(files); f++) {
        recipe r = recipe_of(sizes[f == 0], f % 3);
        r.backwards = f & 1, r.bare = f >> 1 & 1;
        r.blank = f >> 2 & 1 ? " " : "";
        files[f] = baked(&r);
    }
    for (i = 0; i < rounds; i++) {
        int const which = risei_random_below(&dice, COUNT(files)), size = sizes[which == 0];
        int changes = 1 + risei_random_below(&dice, 3);
        network n =
            network_make(RISE_ISA_AUTO, RISEI_RESNET_SIDE_MIN, RISEI_RESNET_SIDE_MIN, 1, size);
        buffer b = copy_of(&files[which], files[which].size);
        rise_error error = {RISE_OK, ""};
        rise_result result;
        float features[24];
        check_about("fuzz: round %ld of seed %.0f", i, (double)seed);
        while (changes-- > 0) {
            buffer const next = mutated(&b, &dice);
            free(b.data);
            b = next;
        }
        result = network_read(&n, &b, &error);
        CHECK((result == RISE_OK) == (error.text[0] == '\0') && error.result == result);
        if (result == RISE_OK) {
            size_t w;
            for (w = 0; w < n.net->parameters && risei_finite(n.net->weights[w]); w++) {}
            CHECK(w == n.net->parameters);
            risei_resnet_forward(&n.device, n.net, frame, features);
            taken++;
        }
        free(b.data);
        network_free(&n);
    }
    CHECK(taken < rounds || rounds < 100);
    check_note("%ld files, %ld loaded", rounds, taken);
    for (f = 0; f < COUNT(files); f++) free(files[f].data);
}

static long fuzz_rounds = 6000 / check_share;
static uint64_t fuzz_seed = 1;
static void mutated_files_do_no_harm(void) { fuzz(fuzz_rounds, fuzz_seed); }

static const check_test tests[] = {
    TEST(features_equal_pytorch),
    TEST(numbers_are_widened_exactly),
    TEST(weights_lie_as_products_read_them),
    TEST(each_tensor_changes_the_hash),
    TEST(all_forms_of_a_file_give_the_same),
    TEST(hostile_headers_are_refused),
    TEST(hostile_lengths_are_refused),
    TEST(each_failed_read_is_reported),
    TEST(hostile_numbers_are_refused),
    TEST(descriptions_are_checked),
    TEST(publishing_needs_the_same_weights),
    TEST(agent_learns_and_resumes),
    TEST(mutated_files_do_no_harm),
};
int main(int count, char **arguments)
{
    if (count > 2 && strcmp(arguments[1], "--write") == 0) {
        recipe const r = recipe_of(SIZE, RISEI_TENSOR_F32);
        buffer b = baked(&r);
        to_disk(&b, arguments[2]);
        free(b.data);
        return check_state.failed != 0;
    }
    if (count > 3 && strcmp(arguments[1], "--fuzz") == 0) {
        fuzz_rounds = strtol(arguments[2], NULL, 10);
        fuzz_seed = strtoul(arguments[3], NULL, 10);
        count -= 3, arguments += 3;
    }
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
