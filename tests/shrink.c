/* Tests rise_frame_shrink: every pixel against an exact reference in integers, all formats, odd
   sizes, strides, every instruction set, and wrong calls. */
#include "toy.h"

static uint64_t dice = 1;
static uint32_t draw(void)
{
    dice = dice * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)(dice >> 33);
}
static int between(int low, int high) { return low + (int)(draw() % (uint32_t)(high - low + 1)); }

/* Returns the length of what [a, a + size) and [b, b + other) share. */
static int64_t shared(int64_t a, int64_t size, int64_t b, int64_t other)
{
    int64_t const from = a > b ? a : b, to = a + size < b + other ? a + size : b + other;
    return to > from ? to - from : 0;
}
/* Returns one byte of the frame, by its definition: sums all pixels of the picture, weighted by the
   area that they share with the pixel of the frame. */
static int expected(const rise_picture *p, int width, int height, int channels, int column, int row,
                    int channel)
{
    static const int order[5][3] = {{0, 0, 0}, {0, 1, 2}, {2, 1, 0}, {0, 1, 2}, {2, 1, 0}};
    static const uint64_t luma[3] = {9798, 19235, 3735}; /* the sum is 2^15 */
    int const bytes = p->format == RISE_PIXELS_GREY ? 1 : p->format >= RISE_PIXELS_RGBA ? 4 : 3;
    ptrdiff_t const stride = p->stride != 0 ? p->stride : (ptrdiff_t)p->width * bytes;
    uint64_t total = 0, units = (uint64_t)p->width * (uint64_t)p->height, mean, rest;
    int x, y, c;
    for (y = 0; y < p->height; y++) {
        int64_t const top = (int64_t)row * p->height;
        int64_t const tall = shared((int64_t)y * height, height, top, p->height);
        for (x = 0; x < p->width && tall > 0; x++) {
            const uint8_t *const pixel = p->pixels + y * stride + (ptrdiff_t)x * bytes;
            uint64_t const area = (uint64_t)(tall * shared((int64_t)x * width, width,
                                                           (int64_t)column * p->width, p->width));
            if (channels == 3) total += area * pixel[order[p->format][channel]];
            for (c = 0; c < 3 && channels == 1; c++)
                total += area * luma[c] * pixel[order[p->format][c]];
        }
    }
    if (channels == 1) units <<= 15;
    mean = total / units, rest = total % units;
    return (int)(mean + (2 * rest > units || (2 * rest == units && mean % 2 == 1)));
}
static void one_picture(int most, int frame_most, long *pixels)
{
    static uint8_t memory[200 * 200 * 4 + 4000], frame[64 * 64 * 3 + 1], other[64 * 64 * 3 + 1];
    rise_picture p;
    int const width = between(1, frame_most), height = between(1, frame_most);
    int const channels = between(0, 1) ? 1 : 3, flat = between(0, 3);
    int bytes, row, column, c, isa;
    size_t i;
    memset(&p, 0, sizeof p);
    p.width = between(1, most), p.height = between(1, most);
    p.format = (rise_pixels)between(0, 4);
    bytes = p.format == RISE_PIXELS_GREY ? 1 : p.format >= RISE_PIXELS_RGBA ? 4 : 3;
    p.stride = between(0, 1) ? 0 : (ptrdiff_t)p.width * bytes + between(0, 9);
    p.pixels = memory;
    if (p.stride != 0 && between(0, 1)) { /* from bottom to top */
        p.pixels += (p.height - 1) * p.stride;
        p.stride = -p.stride;
    }
    for (i = 0; i < sizeof memory; i++)
        memory[i] = (uint8_t)(flat == 0 ? 255 : flat == 1 ? draw() % 2 * 255 : draw());
    memset(frame, 7, sizeof frame);
    CHECK(rise_frame_shrink(NULL, &p, frame, width, height, channels, NULL) == RISE_OK);
    check_about("%d x %d to %d x %d, format %d, %d channels", p.width, p.height, width, height,
                (int)p.format, channels);
    for (row = 0; row < height; row++)
        for (column = 0; column < width; column++)
            for (c = 0; c < channels; c++, ++*pixels)
                CHECK(frame[(row * width + column) * channels + c] ==
                      expected(&p, width, height, channels, column, row, c));
    CHECK(frame[width * height * channels] == 7); /* writes no more */
    for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
        const rise_kernels *const k = rise_kernels_of((rise_isa)isa);
        if (k == NULL) continue;
        CHECK(rise_frame_shrink(k, &p, other, width, height, channels, NULL) == RISE_OK);
        CHECK(memcmp(frame, other, (size_t)(width * height * channels)) == 0);
    }
}
static void every_pixel_is_the_exact_mean(void)
{
    long pixels = 0;
    int i;
#ifdef CHECK_QUICK
    int const pictures = 100;
#else
    int const pictures = 1500;
#endif
    for (i = 0; i < pictures; i++) one_picture(i % 3 ? 40 : 9, i % 2 ? 16 : 50, &pixels);
    for (i = 0; i < pictures / 50; i++) one_picture(200, 12, &pixels);
    check_note("%ld pixels", pixels);
}
/* A picture of the largest size, all white, has no overflow; the frame of one pixel too. */
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
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
