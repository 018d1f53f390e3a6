/* Tests rise_frame_shrink: every pixel against an exact reference in integers, all formats, odd
   sizes, strides, every instruction set, and wrong calls.
       cc -O2 tests/shrink.c -o shrink -lm && ./shrink
   ./shrink --frames N --seed S compares N random frames with the reference. Frame i is drawn from
   the seed S + i. A failure names its seed, and --frames 1 --seed SEED repeats that frame. */
#include "toy.h"

/* The number of random frames without --frames. */
#ifdef CHECK_QUICK
enum { FRAMES = 10000 };
#else
enum { FRAMES = 150000 };
#endif

static struct {
    long frames;
    uint64_t seed;
} options = {FRAMES, 1};

/* What rise_frame_shrink gets: NULL, which is plain C, and all tables of this machine. They are
   asked for once, because a virtual machine traps the instruction that lists the features. */
static const rise_kernels *tables[6];
static int table_count;

static void tables_find(void)
{
    int isa;
    for (isa = RISE_ISA_REF, table_count = 1; isa <= RISE_ISA_NEON; isa++)
        if (rise_kernels_of((rise_isa)isa) != NULL)
            tables[table_count++] = rise_kernels_of((rise_isa)isa);
}

/* SplitMix64 (Steele et al. 2014): successive seeds give independent numbers. */
static uint64_t dice;
static uint32_t draw(void)
{
    uint64_t z = dice += UINT64_C(0x9E3779B97F4A7C15);
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return (uint32_t)(z >> 32);
}
static int between(int low, int high) { return low + (int)(draw() % (uint32_t)(high - low + 1)); }

/* Returns the length of what [a, a + size) and [b, b + other) share. */
static int64_t shared(int64_t a, int64_t size, int64_t b, int64_t other)
{
    int64_t const from = a > b ? a : b, to = a + size < b + other ? a + size : b + other;
    return to > from ? to - from : 0;
}
/* Returns total / units, rounded to nearest, halves to even. */
static uint8_t mean_of(uint64_t total, uint64_t units)
{
    uint64_t const mean = total / units, rest = total % units;
    return (uint8_t)(mean + (2 * rest > units || (2 * rest == units && mean % 2 == 1)));
}
/* Computes the frame by its definition: each pixel is the mean of all pixels of the picture,
   weighted by the area that they share with it. */
static void reference(const rise_picture *p, int width, int height, int channels, uint8_t *frame)
{
    static const int order[5][3] = {{0, 0, 0}, {0, 1, 2}, {2, 1, 0}, {0, 1, 2}, {2, 1, 0}};
    const int *const at = order[p->format];
    int const bytes = p->format == RISE_PIXELS_GREY ? 1 : p->format >= RISE_PIXELS_RGBA ? 4 : 3;
    ptrdiff_t const stride = p->stride != 0 ? p->stride : (ptrdiff_t)p->width * bytes;
    uint64_t const units = (uint64_t)p->width * (uint64_t)p->height;
    int row, column, x, y, c, first_x, first_y = 0;
    for (row = 0; row < height; row++) {
        int64_t const top = (int64_t)row * p->height;
        while (shared((int64_t)first_y * height, height, top, p->height) == 0) first_y++;
        for (column = first_x = 0; column < width; column++) {
            int64_t const left = (int64_t)column * p->width;
            uint64_t total[3] = {0, 0, 0}; /* red, green, blue */
            int64_t tall, wide;
            while (shared((int64_t)first_x * width, width, left, p->width) == 0) first_x++;
            for (y = first_y; y < p->height; y++) {
                const uint8_t *pixel = p->pixels + y * stride + (ptrdiff_t)first_x * bytes;
                tall = shared((int64_t)y * height, height, top, p->height);
                if (tall == 0) break;
                for (x = first_x; x < p->width; x++, pixel += bytes) {
                    wide = shared((int64_t)x * width, width, left, p->width);
                    if (wide == 0) break;
                    for (c = 0; c < 3; c++) total[c] += (uint64_t)(tall * wide) * pixel[at[c]];
                }
            }
            if (channels == 1) /* the weights' sum is 2^15 */
                *frame++ = mean_of(9798 * total[0] + 19235 * total[1] + 3735 * total[2],
                                   units << 15);
            for (c = 0; c < 3 && channels == 3; c++) *frame++ = mean_of(total[c], units);
        }
    }
}
enum { GUARD = 16, PICTURE_BYTES = 400000, FRAME_BYTES = 1024 * 3 * 3 };

/* Draws the sides of a picture and of a frame. Most are small, so that many are compared. Some
   pictures are wider than the columns that rise.h sums at a time, and some are as long as
   possible. */
static void draw_sides(uint64_t seed, rise_picture *p, int *width, int *height)
{
    int const is_long = seed % 65536 == 3, large = seed % 8192 == 2, medium = seed % 256 == 1;
    int const most = large ? 300 : medium ? 40 : 10;
    int const frame_most = large ? 12 : medium ? 30 : 5;
    p->width = between(1, most), p->height = between(1, most);
    *width = between(1, frame_most), *height = between(1, frame_most);
    if (is_long && between(0, 1)) {
        p->width = between(4000, 4096), *width = between(1, 1024);
        p->height = between(1, 3), *height = between(1, 3);
    } else if (is_long) {
        p->height = between(4000, 4096), *height = between(1, 1024);
        p->width = between(1, 3), *width = between(1, 3);
    }
}
/* Draws a picture: its format, stride, address and pixels. `memory` is [PICTURE_BYTES]. */
static void draw_picture(uint8_t *memory, rise_picture *p)
{
    uint32_t noise = 0;
    int bytes, kind, base, i, used;
    p->format = (rise_pixels)between(0, 4);
    bytes = p->format == RISE_PIXELS_GREY ? 1 : p->format >= RISE_PIXELS_RGBA ? 4 : 3;
    p->stride = between(0, 1) ? 0 : (ptrdiff_t)p->width * bytes + between(0, 9);
    used = p->height * (p->width * bytes + 9);
    memory += between(0, 63);
    p->pixels = memory;
    if (p->stride != 0 && between(0, 1)) { /* from bottom to top */
        p->pixels += (p->height - 1) * p->stride;
        p->stride = -p->stride;
    }
    kind = between(0, 4), base = between(0, 254);
    for (i = 0; i < used; i++) { /* white; black and white; two shades, with many halves; noise */
        noise = i % 4 == 0 ? draw() : noise >> 8;
        memory[i] = (uint8_t)(kind == 0   ? 255
                              : kind == 1 ? (noise & 1) * 255
                              : kind == 2 ? (uint32_t)base + (noise & 1)
                                          : noise & 255);
    }
}
/* Compares one random frame of every table with the reference. Returns the frame's bytes. */
static int compare_frame(uint64_t seed)
{
    static uint8_t memory[PICTURE_BYTES], right[FRAME_BYTES], frame[GUARD + FRAME_BYTES + GUARD];
    rise_picture p;
    int width, height, channels, bytes, t, offset, i;
    memset(&p, 0, sizeof p);
    dice = seed;
    draw_sides(seed, &p, &width, &height);
    channels = between(0, 1) ? 1 : 3, offset = between(0, GUARD - 1);
    bytes = width * height * channels;
    draw_picture(memory, &p);
    reference(&p, width, height, channels, right);
    for (t = 0; t < table_count; t++) {
        uint8_t *const out = frame + offset;
        int same, kept;
        memset(frame, 7, (size_t)(offset + bytes + GUARD));
        CHECK(rise_frame_shrink(tables[t], &p, out, width, height, channels, NULL) == RISE_OK);
        same = memcmp(out, right, (size_t)bytes) == 0;
        for (i = 0, kept = 1; i < GUARD; i++)
            kept &= out[bytes + i] == 7 && (i >= offset || frame[i] == 7);
        if (!same || !kept)
            check_about("seed %lu, %s: %d x %d to %d x %d, format %d, stride %ld, channels %d",
                        (unsigned long)seed, t > 0 ? tables[t]->name : "NULL", p.width, p.height,
                        width, height, (int)p.format, (long)p.stride, channels);
        CHECK(same);
        CHECK(kept); /* writes no more than the frame */
    }
    return bytes;
}
static void every_pixel_is_the_exact_mean(void)
{
    double bytes = 0;
    long i;
    tables_find();
    for (i = 0; i < options.frames; i++) bytes += compare_frame(options.seed + (uint64_t)i);
    check_note("%ld frames, seeds %lu and above, %.0f bytes, %d tables", options.frames,
               (unsigned long)options.seed, bytes, table_count - 1);
}
/* A picture of the largest size, all white, becomes a white frame without overflow, also a frame of
   one pixel. */
static void the_largest_picture_is_exact(void)
{
    static const int sizes[][2] = {{1, 1}, {1024, 3}, {7, 1024}, {84, 84}};
    size_t const bytes = (size_t)4096 * 4096;
    uint8_t *const white = (uint8_t *)malloc(bytes), *const frame = (uint8_t *)malloc(1024 * 1024);
    rise_picture p;
    int s, i;
    if (white == NULL || frame == NULL) exit(1);
    memset(white, 255, bytes);
    memset(&p, 0, sizeof p);
    p.pixels = white, p.width = p.height = 4096;
    for (s = 0; s < COUNT(sizes); s++) {
        int right = 1;
        CHECK(rise_frame_shrink(rise_kernels_of(RISE_ISA_AUTO), &p, frame, sizes[s][0], sizes[s][1],
                                1, NULL) == RISE_OK);
        for (i = 0; i < sizes[s][0] * sizes[s][1]; i++) right &= frame[i] == 255;
        CHECK(right);
    }
    free(white), free(frame);
}
static void wrong_calls_are_refused(void)
{
    static const int wrong[][5] = {{0, 4, 2, 2, 1},    {4, 0, 2, 2, 1},    {4097, 4, 2, 2, 1},
                                   {4, 4097, 2, 2, 1}, {4, 4, 0, 2, 1},    {4, 4, 2, 0, 1},
                                   {4, 4, 1025, 2, 1}, {4, 4, 2, 1025, 1}, {4, 4, 2, 2, 2},
                                   {-1, 4, 2, 2, 1},   {4, 4, 2, 2, 4}};
    uint8_t pixels[64], frame[64];
    rise_picture p;
    rise_error error;
    int i, format;
    memset(pixels, 9, sizeof pixels);
    memset(&p, 0, sizeof p);
    p.pixels = pixels;
    for (i = 0; i < COUNT(wrong); i++) {
        p.width = wrong[i][0], p.height = wrong[i][1];
        memset(frame, 3, sizeof frame);
        CHECK(rise_frame_shrink(NULL, &p, frame, wrong[i][2], wrong[i][3], wrong[i][4], &error) ==
              RISE_BAD_CALL);
        CHECK(error.result == RISE_BAD_CALL && error.text[0] != '\0' && frame[0] == 3);
    }
    p.width = p.height = 4;
    for (format = -1; format <= 5; format += 6) {
        memcpy(&p.format, &format, sizeof p.format);
        CHECK(rise_frame_shrink(NULL, &p, frame, 2, 2, 1, &error) == RISE_BAD_CALL &&
              strstr(error.text, "format") != NULL);
    }
    p.format = RISE_PIXELS_RGBA;
    for (p.stride = -16; p.stride <= 16; p.stride++) { /* a row has 16 bytes; 0 means that */
        int const right = p.stride == -16 || p.stride == 0 || p.stride == 16;
        p.pixels = pixels + (p.stride < 0 ? 48 : 0);
        CHECK(rise_frame_shrink(NULL, &p, frame, 2, 2, 1, &error) ==
              (right ? RISE_OK : RISE_BAD_CALL));
        CHECK(right || strstr(error.text, "a row has 16") != NULL);
    }
    p.height = 1, p.stride = 1; /* there is no row below */
    CHECK(rise_frame_shrink(NULL, &p, frame, 2, 1, 1, &error) == RISE_OK);
    p.height = 4, p.stride = 0;
    p.format = RISE_PIXELS_GREY;
    CHECK(rise_frame_shrink(NULL, NULL, frame, 2, 2, 1, &error) == RISE_BAD_CALL);
    CHECK(rise_frame_shrink(NULL, &p, NULL, 2, 2, 1, &error) == RISE_BAD_CALL);
    p.pixels = NULL;
    CHECK(rise_frame_shrink(NULL, &p, frame, 2, 2, 1, NULL) == RISE_BAD_CALL);
}

static const check_test tests[] = {
    TEST(every_pixel_is_the_exact_mean),
    TEST(the_largest_picture_is_exact),
    TEST(wrong_calls_are_refused),
};
/* Takes the options out of the arguments; what is left names tests. */
int main(int count, char **arguments)
{
    int i, left = 1;
    for (i = 1; i < count; i++) {
        const char *const name = arguments[i], *const value = i + 1 < count ? arguments[i + 1] : "";
        int const option = strncmp(name, "--", 2) == 0;
        if (strcmp(name, "--frames") == 0) options.frames = atol(value);
        if (strcmp(name, "--seed") == 0) options.seed = (uint64_t)strtoul(value, NULL, 10);
        if (option) i++;
        if (!option) arguments[left++] = arguments[i];
    }
    check_state.after = check_memory;
    return CHECK_MAIN(left, arguments, tests);
}
