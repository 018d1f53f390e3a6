/* Tests examples/preprocess.h, gif.h and tensorboard.h: their outputs are read back and compared.
       cc -O2 tests/media.c -o media -lm && ./media
   Writes media_test.* and an event file in the current folder, and removes them. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define RISE_IMPLEMENTATION
#include "../examples/gif.h"
#include "../examples/preprocess.h"
#include "../examples/tensorboard.h"
#include "check.h"

#define PATH "media_test.bin"
#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

static uint64_t chance = 7;

/* Returns a number in 0..n-1. */
static int any(int n) { return (int)(((uint64_t)preprocess_random(&chance) * (uint64_t)n) >> 32); }

static void fill(uint8_t *bytes, size_t count, int values)
{
    while (count-- > 0) *bytes++ = (uint8_t)(values == 2 ? 255 * any(2) : any(values));
}
static uint8_t *room(size_t bytes)
{
    uint8_t *const block = (uint8_t *)malloc(bytes); /* exactly this size, for address sanitizers */
    if (block == NULL) exit(1);
    return block;
}

/* ---------------------------------------------------------------------------------------------- */
/* preprocess.h: single pixels, random numbers */

static void grey_is_as_in_opencv(void)
{
    uint8_t rgb[256 * 3], grey[256];
    double worst = 0;
    int r, g, b;
    for (r = 0; r < 256; r += check_share)
        for (g = 0; g < 256; g += 3) {
            for (b = 0; b < 256; b++)
                rgb[3 * b] = (uint8_t)r, rgb[3 * b + 1] = (uint8_t)g, rgb[3 * b + 2] = (uint8_t)b;
            preprocess_grey(rgb, 256, grey);
            for (b = 0; b < 256; b++) {
                double const error = fabs(grey[b] - (0.299 * r + 0.587 * g + 0.114 * b));
                if (error > worst) worst = error; /* fmax here breaks GCC 12 on ARMv7 */
            }
        }
    CHECK(worst > 0.49 && worst < 0.51); /* rounded to nearest, with 15 bits of precision */
    for (b = 0; b < 256; b++) rgb[3 * b] = rgb[3 * b + 1] = rgb[3 * b + 2] = (uint8_t)b;
    preprocess_grey(rgb, 256, grey);
    for (b = 0; b < 256; b++) CHECK(grey[b] == b);
    rgb[0] = 255, rgb[1] = 0, rgb[2] = 0, rgb[3] = 0, rgb[4] = 0, rgb[5] = 255;
    preprocess_grey(rgb, 2, grey);
    /* red and blue; only two pixels are written */
    CHECK(grey[0] == 76 && grey[1] == 29 && grey[2] == 2);
    rgb[0] = 0, rgb[1] = 12, rgb[2] = 4;
    preprocess_grey(rgb, 1, grey);
    CHECK(grey[0] == 8); /* a half in 15 bits is rounded up, as in OpenCV */
}

static void maximum_is_taken_per_pixel(void)
{
    static const uint8_t a[] = {0, 255, 3, 128, 127, 9}, b[] = {255, 0, 3, 127, 128, 7};
    static const uint8_t most[] = {255, 255, 3, 128, 128};
    uint8_t out[6] = {0, 0, 0, 0, 0, 42};
    preprocess_maximum(5, a, b, out);
    CHECK(memcmp(out, most, 5) == 0 && out[5] == 42);
    memcpy(out, a, 5);
    preprocess_maximum(5, out, b, out);
    CHECK(memcmp(out, most, 5) == 0);
    memcpy(out, b, 5);
    preprocess_maximum(5, a, out, out);
    CHECK(memcmp(out, most, 5) == 0);
}

/* The first outputs of pcg32s of O'Neill's pcg-c for seed 42. */
static void random_numbers_are_pcg32(void)
{
    static const uint32_t first[] = {0xc2f57bd6, 0x6b07c4a9, 0x72b7b29b,
                                     0x44215383, 0xf5af5ead, 0x68beb632};
    uint64_t state = preprocess_seed(42);
    int i;
    for (i = 0; i < COUNT(first); i++) CHECK(preprocess_random(&state) == first[i]);
}

static void sticky_actions_repeat(void)
{
    static const double probabilities[] = {0, 0.25, 0.9, 1};
    int const count = 100000;
    int p, i;
    for (p = 0; p < COUNT(probabilities); p++) {
        double const odds = probabilities[p], sigma = sqrt(odds * (1 - odds) * count);
        uint64_t state = preprocess_seed(3), again = state, draws = state;
        int kept = 0, pairs = 0, last = 0;
        check_about("sticky actions, %g", odds);
        for (i = 0; i < count; i++) {
            int const executed = preprocess_sticky(&state, odds, 5, 6), is_kept = executed == 5;
            if (executed != 5 && executed != 6) break;
            kept += is_kept;
            pairs += is_kept && last;
            last = is_kept;
            preprocess_random(&draws); /* one draw for each action, whatever the probability */
        }
        CHECK(i == count && state == draws);
        CHECK(fabs(kept - odds * count) <= 5 * sigma);
        /* repeats are independent of each other */
        CHECK(fabs(pairs - odds * odds * count) <= 8 * sigma + 1);
        for (i = 0; i < 9; i++) preprocess_sticky(&again, odds, 1, 2);
        CHECK(again != state);
    }
    check_about("%s", "");
}

static void rewards_are_clipped(void)
{
    CHECK(preprocess_reward(200) == 1 && preprocess_reward(0.001f) == 1 &&
          preprocess_reward(1) == 1);
    CHECK(preprocess_reward(-30) == -1 && preprocess_reward(-0.5f) == -1);
    CHECK(preprocess_reward(0) == 0 && preprocess_reward(-0.0f) == 0);
}

/* ---------------------------------------------------------------------------------------------- */
/* preprocess.h: resizing. tests/shrink.c compares rise_frame_shrink with exact integers. Here the
   reference is in double, and the order of sides and channels is that of preprocess_resize. */

static struct {
    int height, width, channels, out_height, out_width;
} area;

static rise_result resize(const uint8_t *in, uint8_t *out, int height, int width, int channels,
                          int out_height, int out_width)
{
    static uint8_t scratch[2 * PREPROCESS_SIDE * PREPROCESS_SIDE];
    area.height = height, area.width = width, area.channels = channels;
    area.out_height = out_height, area.out_width = out_width;
    return preprocess_resize(rise_kernels_of(RISE_ISA_AUTO), in, height, width, channels, out,
                             out_height, out_width, scratch, NULL);
}

typedef struct comparison {
    double worst;            /* distance of a pixel from the mean of its box */
    /* means halfway between integers; how many of these were rounded to odd */
    long halves, odd_halves;
    double bias;             /* mean of the signed distances */
} comparison;

/* Returns the mean by definition: output pixel o covers the input from o * in / out to (o + 1) * in
   / out. A `shift` must show as an error. */
static double mean_of_box(const uint8_t *in, int y, int x, int channel, double shift)
{
    double const top = (double)y * area.height / area.out_height;
    double const bottom = (double)(y + 1) * area.height / area.out_height;
    double const left = (double)x * area.width / area.out_width + shift;
    double const right = left + (double)area.width / area.out_width;
    double sum = 0;
    int i, j;
    for (i = (int)top; i < area.height && i < bottom; i++)
        for (j = (int)left; j < area.width && j < right; j++) {
            double const high = fmin(bottom, i + 1) - fmax(top, i);
            double const wide = fmin(right, j + 1) - fmax(left, j);
            if (high > 0 && wide > 0)
                sum += high * wide * in[(i * area.width + j) * area.channels + channel];
        }
    return sum / (bottom - top) / (right - left);
}

static comparison compare(const uint8_t *in, const uint8_t *out, double shift)
{
    comparison c = {0, 0, 0, 0};
    int y, x, channel;
    for (y = 0; y < area.out_height; y++)
        for (x = 0; x < area.out_width; x++)
            for (channel = 0; channel < area.channels; channel++, out++) {
                double const mean = mean_of_box(in, y, x, channel, shift);
                c.worst = fmax(c.worst, fabs(*out - mean));
                c.bias += *out - mean;
                if (fabs(mean - floor(mean) - 0.5) > 1e-9) continue;
                c.halves++;
                c.odd_halves += *out % 2;
            }
    c.bias /= (double)(area.out_height * area.out_width * area.channels);
    return c;
}

/* Resizes one frame of random pixels with this many values. */
static comparison resized(int height, int width, int channels, int out_height, int out_width,
                          int values, double shift)
{
    size_t const bytes = (size_t)(height * width * channels);
    size_t const out_bytes = (size_t)(out_height * out_width * channels);
    uint8_t *const in = room(bytes), *const out = room(out_bytes);
    comparison c;
    check_about("%dx%dx%d to %dx%d, %d values", height, width, channels, out_height, out_width,
                values);
    fill(in, bytes, values);
    CHECK(resize(in, out, height, width, channels, out_height, out_width) == RISE_OK);
    c = compare(in, out, shift);
    free(in), free(out);
    return c;
}

static void resize_equals_the_plain_formula(void)
{
    static const int sizes[][4] = {{210, 160, 84, 84}, {250, 160, 84, 84},  {96, 96, 84, 84},
                                   {400, 600, 84, 84}, {210, 160, 105, 80}, {84, 84, 210, 160},
                                   {7, 1024, 5, 1023}, {1024, 3, 1023, 7},  {1, 1, 9, 7},
                                   {13, 11, 1, 1},     {1, 1024, 1, 1},     {2, 3, 1024, 2}};
    long halves = 0;
    int i;
    for (i = 0; i < 400 / check_share + COUNT(sizes); i++) {
        int const named = i < COUNT(sizes);
        int const height = named ? sizes[i][0] : 1 + any(40);
        int const width = named ? sizes[i][1] : 1 + any(40);
        int const out_height = named ? sizes[i][2] : 1 + any(40);
        int const out_width = named ? sizes[i][3] : 1 + any(40);
        int const channels = 1 + any(PREPROCESS_CHANNELS), values = i % 3 == 0 ? 2 : 256;
        comparison const c = resized(height, width, channels, out_height, out_width, values, 0);
        CHECK(c.worst <= 0.5 + 1e-9); /* rounded to nearest */
        CHECK(c.odd_halves == 0);
        halves += c.halves;
    }
    CHECK(halves > 1000);
    /* control: a shift by half a pixel shows */
    CHECK(resized(20, 20, 1, 8, 8, 256, 0.5).worst > 5);
    /* the mean brightness stays, up to the rounding errors of all pixels, which are uniform and
       independent */
    CHECK(fabs(resized(210, 160, 3, 84, 84, 256, 0).bias) < 5 * sqrt(1.0 / 12 / (84 * 84 * 3)));
    check_about("%s", "");
}

static void trivial_resizes_are_exact(void)
{
    static uint8_t in[PREPROCESS_SIDE * PREPROCESS_SIDE],
        out[PREPROCESS_SIDE * PREPROCESS_SIDE + 1];
    static const int sizes[][4] = {{1024, 1024, 1, 1},    {1, 1, 1024, 1024}, {1024, 1024, 1023, 1},
                                   {1023, 1024, 7, 1024}, {5, 3, 2, 8},       {210, 160, 84, 84}};
    uint8_t same[9 * 9 * 3];
    int i, y, x;
    /* one grey level, also the highest: totals do not overflow */
    for (i = 0; i < COUNT(sizes); i++) {
        size_t const bytes = (size_t)(sizes[i][2] * sizes[i][3]);
        size_t j, good = 0;
        int const grey = 255 - any(2);
        memset(in, grey, sizeof in);
        memset(out, 0, sizeof out);
        CHECK(resize(in, out, sizes[i][0], sizes[i][1], 1, sizes[i][2], sizes[i][3]) == RISE_OK);
        for (j = 0; j < bytes; j++) good += out[j] == grey;
        CHECK(good == bytes && out[bytes] == 0);
    }
    fill(in, 31 * 17 * 3, 256); /* the same size gives the same frame */
    CHECK(resize(in, out, 31, 17, 3, 31, 17) == RISE_OK);
    CHECK(memcmp(in, out, 31 * 17 * 3) == 0);
    for (y = 0; y < 9; y++) /* three times the size gives 3 x 3 equal pixels */
        for (x = 0; x < 9 * 3; x++) same[27 * y + x] = in[9 * (y / 3) + 3 * (x / 9) + x % 3];
    CHECK(resize(in, out, 3, 3, 3, 9, 9) == RISE_OK);
    CHECK(memcmp(same, out, sizeof same) == 0);
    in[0] = 1, in[1] = 2, in[2] = 2, in[3] = 3; /* 1.5 and 2.5 both become 2 */
    CHECK(resize(in, out, 1, 4, 1, 1, 2) == RISE_OK);
    CHECK(out[0] == 2 && out[1] == 2);
    for (i = 1; i <= PREPROCESS_CHANNELS; i++) /* sizes that are out of range */
        CHECK(resize(in, out, 0, 4, i, 1, 2) == RISE_BAD_CALL &&
              resize(in, out, 4, 0, i, 1, 2) == RISE_BAD_CALL &&
              resize(in, out, 4, 4, i, PREPROCESS_SIDE + 1, 2) == RISE_BAD_CALL &&
              resize(in, out, 4, 4, i, 1, -2) == RISE_BAD_CALL);
}

/* ---------------------------------------------------------------------------------------------- */
/* A reader that accepts only the GIFs that gif.h should write */

typedef struct reader {
    const uint8_t *bytes;
    size_t size, at;
    int good;
} reader;

static int read_byte(reader *r)
{
    if (r->at < r->size) return r->bytes[r->at++];
    r->good = 0;
    return 0;
}
static int read_word(reader *r)
{
    int const low = read_byte(r);
    return low | read_byte(r) << 8;
}
static void expect(reader *r, const char *bytes, size_t size)
{
    while (size-- > 0)
        if (read_byte(r) != (uint8_t)*bytes++) r->good = 0;
}

typedef struct screen {
    int width, height;
    uint8_t global[3 * 256];
    uint8_t *canvas; /* [height][width][3] */
    /* about the last frame; own: it has its own colour table, with this many colours */
    int left, top, right, bottom, own, colours;
    /* about all frames: code tables begun again, codes used before they are defined, bits */
    int clears, unknown, widest;
} screen;

static int read_code(reader *data, int *at, int bits)
{
    int code = 0, i;
    for (i = 0; i < bits; i++, ++*at) {
        if ((size_t)*at >= 8 * data->size) return data->good = 0;
        code |= (data->bytes[*at / 8] >> *at % 8 & 1) << i;
    }
    return code;
}

/* Decodes the indexes of `count` pixels. None may be missing, and no data may be left. */
static void unpack(screen *s, reader *data, int root, uint8_t *out, int count)
{
    static int before[4096]; /* a string is an earlier string and one pixel */
    static uint8_t last[4096];
    int const clear = 1 << root;
    int bits = root + 1, next = clear + 2, previous = -1, at = 0, done = 0, code, c, i;
    for (c = 0; c < clear; c++) last[c] = (uint8_t)c;
    data->good &= read_code(data, &at, bits) == clear;
    while (data->good && (code = read_code(data, &at, bits)) != clear + 1) {
        if (code == clear) {
            bits = root + 1, next = clear + 2, previous = -1;
            s->clears++;
            continue;
        }
        if (code > next || code == 4096 || (previous < 0 && code > clear)) data->good = 0;
        if (!data->good) return;
        if (previous >= 0 && next < 4096) {
            s->unknown += code == next;
            for (c = code == next ? previous : code; c > clear; c = before[c]) continue;
            before[next] = previous;
            last[next] = (uint8_t)c;
            next++;
            if (next == 1 << bits && bits < 12) bits++;
        }
        for (i = done, c = code; c > clear; c = before[c]) i++;
        if (i >= count) data->good = 0;
        if (!data->good) return;
        for (done = i + 1, c = code; c > clear; c = before[c]) out[i--] = last[c];
        out[i] = last[c];
        previous = code;
        if (bits > s->widest) s->widest = bits;
    }
    while (at % 8 != 0 && data->good) data->good = read_code(data, &at, 1) == 0;
    if (done != count || (size_t)at != 8 * data->size) data->good = 0;
}

static void read_image(screen *s, reader *r, const uint8_t *table, int colours)
{
    int const wide = s->right - s->left, count = wide * (s->bottom - s->top), root = read_byte(r);
    uint8_t *const data = room(r->size), *const pixels = room((size_t)count);
    reader packed = {NULL, 0, 0, 1};
    int i, block, full = 1, used = 0;
    while (r->good && (block = read_byte(r)) > 0) {
        r->good &= full; /* all but the last one */
        full = block == 255;
        for (; block > 0 && r->good; block--) data[packed.size++] = (uint8_t)read_byte(r);
    }
    packed.bytes = data;
    if (root < 2 || root > 8 || (root > 2 && 1 << root != colours) || (root == 2 && colours > 4))
        r->good = 0;
    if (r->good) unpack(s, &packed, root, pixels, count);
    for (i = 0; i < count && r->good && packed.good; i++) {
        uint8_t *const pixel = s->canvas +
                               3 * ((s->top + i / wide) * s->width + s->left + i % wide);
        if (pixels[i] >= used) used = pixels[i] + 1;
        if (used > colours)
            r->good = 0;
        else
            memcpy(pixel, table + 3 * pixels[i], 3);
    }
    /* a smaller table is enough */
    if (s->own && 2 * used <= colours && colours > 2) r->good = 0;
    for (i = 3 * used; s->own && i < 3 * colours; i++) r->good &= table[i] == 0;
    r->good &= packed.good;
    free(data), free(pixels);
}

static void read_begin(screen *s, reader *r)
{
    int i;
    memset(s, 0, sizeof *s);
    expect(r, "GIF89a", 6);
    s->width = read_word(r);
    s->height = read_word(r);
    expect(r, "\xF7\0\0", 3);
    for (i = 0; i < 3 * 256; i++) s->global[i] = (uint8_t)read_byte(r);
    expect(r, "\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0\0", 19);
}

/* Returns 0 at the end of the file or at an error. */
static int read_frame(screen *s, reader *r, int delay)
{
    uint8_t table[3 * 256];
    int kind, flags, i;
    if (!r->good || (kind = read_byte(r)) == 0x3B) return 0;
    r->good &= kind == 0x21;
    expect(r, "\xF9\x04\x04", 3);
    r->good &= read_word(r) == delay;
    expect(r, "\0\0\x2C", 3);
    s->left = read_word(r);
    s->top = read_word(r);
    s->right = s->left + read_word(r);
    s->bottom = s->top + read_word(r);
    flags = read_byte(r);
    s->own = flags >> 7;
    s->colours = s->own ? 2 << flags % 8 : 256;
    r->good &= s->own ? (flags & 0x78) == 0 : flags == 0;
    r->good &= s->left < s->right && s->top < s->bottom && s->right <= s->width &&
               s->bottom <= s->height;
    for (i = 0; s->own && i < 3 * s->colours; i++) table[i] = (uint8_t)read_byte(r);
    if (r->good) read_image(s, r, s->own ? table : s->global, s->colours);
    return r->good;
}

/* ---------------------------------------------------------------------------------------------- */
/* gif.h: frames, written and read again */

enum { DELAY = 7, BYTES = 1 << 23 };

static gif writer;
static uint8_t file_bytes[BYTES];
static size_t file_size;

typedef struct film {
    int width, height, channels, scale, frames;
    uint8_t *pixels; /* [frames][height][width][channels] */
} film;

static film film_of(int width, int height, int channels, int scale, int frames)
{
    film f = {0, 0, 0, 0, 0, NULL};
    f.width = width, f.height = height, f.channels = channels, f.scale = scale, f.frames = frames;
    f.pixels = room((size_t)(frames * width * height * channels));
    check_about("%d GIF frames %dx%dx%d, scale %d", frames, width, height, channels, scale);
    return f;
}
static uint8_t *film_frame(const film *f, int frame)
{
    return f->pixels + frame * f->width * f->height * f->channels;
}
static const uint8_t *film_pixel(const film *f, int frame, int x, int y)
{
    return film_frame(f, frame) + (y / f->scale * f->width + x / f->scale) * f->channels;
}

/* Writes the film to a temporary file, and reads this file into file_bytes. */
static void film_write(const film *f)
{
    FILE *const file = tmpfile();
    int good, i;
    if (file == NULL) exit(1);
    good = gif_begin(&writer, file, f->width, f->height, f->channels, f->scale, DELAY);
    for (i = 0; i < f->frames; i++) good &= gif_frame(&writer, film_frame(f, i));
    good &= gif_end(&writer);
    CHECK(good);
    rewind(file);
    file_size = fread(file_bytes, 1, BYTES, file);
    CHECK(file_size > 0 && file_size < BYTES);
    fclose(file);
}

/* Returns whether the last frame's rectangle is exactly that of its changes. */
static int film_fits(const film *f, int frame, const screen *s)
{
    int left = s->width, top = s->height, right = 0, bottom = 0, x, y;
    for (y = 0; y < s->height; y++)
        for (x = 0; x < s->width; x++)
            if (frame == 0 || memcmp(film_pixel(f, frame, x, y), film_pixel(f, frame - 1, x, y),
                                     (size_t)f->channels) != 0) {
                left = x < left ? x : left, right = x >= right ? x + 1 : right;
                top = y < top ? y : top, bottom = y + 1;
            }
    if (right == 0) left = top = 0, right = bottom = f->scale;
    return s->left == left && s->top == top && s->right == right && s->bottom == bottom;
}

/* Returns whether the canvas equals the frame. Where the colour cube replaces too many colours, the
   nearest of it is at most 25.5 away. */
static int film_equals(const film *f, int frame, const screen *s, uint8_t *rough)
{
    int x, y, c, good = 1;
    for (y = 0; y < s->height && good; y++)
        for (x = 0; x < s->width; x++) {
            const uint8_t *const pixel = film_pixel(f, frame, x, y);
            int const at = y * s->width + x;
            if (x >= s->left && x < s->right && y >= s->top && y < s->bottom)
                rough[at] = f->channels == 3 && !s->own;
            for (c = 0; c < 3; c++) {
                int const seen = s->canvas[3 * at + c];
                int const distance = abs(seen - pixel[f->channels == 3 ? c : 0]);
                if (rough[at] ? distance > 25 || seen % 51 != 0 : distance != 0) good = 0;
            }
        }
    return good;
}

/* Returns whether file_bytes holds the film. Adds up in `s` what the reader met. */
static int film_plays(const film *f, screen *s)
{
    size_t const pixels = (size_t)(f->width * f->scale * f->height * f->scale);
    uint8_t *const rough = room(pixels);
    reader r = {NULL, 0, 0, 1};
    int frame = 0, good, i;
    r.bytes = file_bytes, r.size = file_size;
    read_begin(s, &r);
    s->canvas = room(3 * pixels);
    good = r.good && s->width == f->width * f->scale && s->height == f->height * f->scale;
    for (i = 0; i < 256; i++) { /* grey levels, or the colour cube and some of it again */
        int const grey = f->channels == 1;
        good &= s->global[3 * i] == (grey ? i : i / 36 % 6 * 51);
        good &= s->global[3 * i + 1] == (grey ? i : i / 6 % 6 * 51);
        good &= s->global[3 * i + 2] == (grey ? i : i % 6 * 51);
    }
    for (; good && read_frame(s, &r, DELAY); frame++)
        good = frame < f->frames && film_fits(f, frame, s) && film_equals(f, frame, s, rough);
    free(rough), free(s->canvas);
    return good && r.good && r.at == r.size && frame == f->frames;
}

/* Writes the film, reads it back and frees it. */
static screen film_check(film *f)
{
    screen s;
    film_write(f);
    CHECK(film_plays(f, &s));
    free(f->pixels);
    return s;
}

/* Makes one frame with this many colours. */
static screen film_of_colours(int width, int height, int channels, int scale, int colours)
{
    film f = film_of(width, height, channels, scale, 1);
    int i, c;
    for (i = 0; i < width * height; i++) {
        /* each colour occurs, if there is room */
        int const colour = i < colours ? i : any(colours);
        for (c = 0; c < channels; c++)
            f.pixels[channels * i + c] = (uint8_t)(c == 2 ? colour >> 8 : colour * (c + 1));
    }
    return film_check(&f);
}

/* All pairs of grey levels, none of them twice. Each pixel is then a code, and the code table fills
   as early as possible. This is a de Bruijn sequence: the Lyndon words of lengths 1 and 2 in a
   row. */
static void fill_pairs(uint8_t *pixels, int count)
{
    int a = 0, b = 0, i = 0;
    while (i < count) {
        pixels[i++] = (uint8_t)a;
        if (b > a && i < count) pixels[i++] = (uint8_t)b;
        if (++b == 256) a++, b = a;
    }
}

/* Codes of every width are read, 3 to 12 bits. Grey images have 1 to 4199 pixels; the code table is
   full after 3839. All lengths are tested near those at which codes become wider, and one in seven
   of the others. A length that no image of at most 1024 rows and columns has is left out. Images of
   few colours have narrower codes. */
static void gif_codes_of_every_width_are_read(void)
{
    static const int colours[] = {1, 2, 3, 4, 5, 8, 9, 17, 33, 100};
    screen s;
    film f;
    int count, height, i, widths = 0; /* bit w: a code of w bits was the widest of an image */
    memset(&writer, 0xA5, sizeof writer); /* the memory need not be zeroed */
    for (count = 1; count < 4200; count++) {
        int const close = (count + 6) % 256 < 12; /* codes become wider at 256 n - 1 */
        for (height = 1; height <= 1024 && (count % height != 0 || count / height > 1024); height++)
            continue;
        if (height > 1024 || (!close && count % (7 * check_share) != 0)) continue;
        f = film_of(count / height, height, 1, 1, 1);
        fill_pairs(f.pixels, count);
        s = film_check(&f);
        widths |= 1 << s.widest;
        CHECK(s.clears == (count > 3839) && s.widest == (count < 255    ? 9
                                                         : count < 767  ? 10
                                                         : count < 1791 ? 11
                                                                        : 12));
    }
    for (i = 0; i < COUNT(colours); i++)
        for (count = colours[i]; count <= 1024; count += count < 80 ? 1 : 1 + any(9 * check_share))
            widths |= 1 << film_of_colours(count, 1, 3, 1, colours[i]).widest;
    CHECK(widths == 0x1FF8);
}

static void gif_contents_are_kept(void)
{
    screen s;
    film f = film_of(200, 200, 1, 1, 1);
    int i;
    fill(f.pixels, 40000, 256);
    s = film_check(&f);
    CHECK(s.clears >= 8 && s.widest == 12);
    f = film_of(1024, 1024, 1, 1, 1); /* long strings, used before the reader has defined them */
    memset(f.pixels, 9, 1024 * 1024);
    s = film_check(&f);
    CHECK(s.unknown > 1000 && file_size < 4000);
    f = film_of(1, 1, 1, 1, 3); /* the smallest image */
    f.pixels[0] = 0, f.pixels[1] = 255, f.pixels[2] = 255;
    s = film_check(&f);
    CHECK(s.clears == 0 && s.unknown == 0);
    f = film_of(1, 1, 3, 200, 2);
    fill(f.pixels, 6, 256);
    film_check(&f);
    for (i = 1; i < 9; i++) { /* colour tables */
        s = film_of_colours(23, 17, 3, i % 3 + 1, 1 << i);
        CHECK(s.own && s.colours == 1 << i);
        s = film_of_colours(23, 17, 3, 1, (1 << i) + 1);
        CHECK(i < 8 ? s.own && s.colours == 2 << i : !s.own);
    }
    s = film_of_colours(23, 17, 3, 2, 1);
    CHECK(s.own && s.colours == 2);
}

/* A square moves over noise. Each frame covers the old and the new place of the square. After the
   first frame there are few colours. */
static void gif_frames_cover_what_moves(void)
{
    int channels, i, y, x;
    for (channels = 1; channels <= 3; channels += 2) {
        size_t const bytes = (size_t)(160 * 210 * channels);
        film f = film_of(160, 210, channels, 1, 20);
        size_t alone;
        screen s;
        fill(f.pixels, bytes, 256);
        for (i = 1; i < f.frames; i++) {
            memcpy(film_frame(&f, i), film_frame(&f, 0), bytes);
            for (y = 0; y < 5; y++)
                for (x = 0; x < 5 * channels; x++)
                    film_frame(&f, i)[((50 + 3 * i + y) * 160 + 2 * i) * channels + x] = 200;
        }
        f.frames = 1;
        film_write(&f);
        alone = file_size;
        f.frames = 20;
        s = film_check(&f);
        CHECK(file_size < alone + 19 * (size_t)(180 + 200 * channels));
        CHECK(s.own == (channels == 3));
    }
}

/* Random films are read back as they were written. */
static void gif_keeps_random_films(void)
{
    int i, frame, pixel;
    for (i = 0; i < 300 / check_share; i++) {
        film f = film_of(1 + any(60), 1 + any(60), any(2) ? 3 : 1, 1 + any(3), 1 + any(6));
        int const bytes = f.width * f.height * f.channels, values = 1 + any(any(2) ? 256 : 4);
        fill(f.pixels, (size_t)bytes, values);
        for (frame = 1; frame < f.frames; frame++) {
            memcpy(film_frame(&f, frame), film_frame(&f, frame - 1), (size_t)bytes);
            for (pixel = any(2) ? any(bytes) : 0; pixel > 0; pixel--)
                film_frame(&f, frame)[any(bytes)] = (uint8_t)any(values);
        }
        film_check(&f);
    }
}

/* The reader notices any flipped bit of a file. */
static void gif_reader_sees_every_bit(void)
{
    int channels, i;
    for (channels = 1; channels <= 3; channels += 2) {
        film f = film_of(9, 7, channels, 1, 3);
        screen s;
        long unseen = 0;
        for (i = 0; i < 9 * 7 * channels * 3; i++)
            f.pixels[i] = (uint8_t)(i / channels % 4 * 60 + any(2) * (channels == 1));
        for (i = 0; i < 9 * 7 * channels; i++) film_frame(&f, 1)[i] ^= (uint8_t)(i % 5 < 3);
        film_write(&f);
        CHECK(film_plays(&f, &s));
        for (i = 0; i < 8 * (int)file_size; i++) {
            file_bytes[i / 8] ^= (uint8_t)(1 << i % 8);
            unseen += film_plays(&f, &s);
            file_bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        }
        CHECK(unseen == 0);
        CHECK(film_plays(&f, &s));
        free(f.pixels);
    }
}

static void gif_errors_are_reported(void)
{
    static const int bad[][5] = {{0, 9, 1, 1, 5},  {9, 1025, 1, 1, 5},  {9, 9, 2, 1, 5},
                                 {9, 9, 1, 0, 5},  {1024, 9, 1, 64, 5}, {9, 1024, 1, 64, 5},
                                 {9, 9, 1, 1, -1}, {9, 9, 1, 1, 65536}};
    static const uint8_t pixels[81] = {0};
    FILE *file = fopen(PATH, "wb");
    int i;
    check_about("%s", "");
    if (file == NULL) exit(1);
    for (i = 0; i < COUNT(bad); i++) {
        CHECK(!gif_begin(&writer, file, bad[i][0], bad[i][1], bad[i][2], bad[i][3], bad[i][4]));
        CHECK(!gif_frame(&writer, pixels) && !gif_end(&writer));
    }
    CHECK(!gif_begin(&writer, NULL, 9, 9, 1, 1, 5) && !gif_frame(&writer, pixels) &&
          !gif_end(&writer));
    CHECK(ftell(file) == 0);
    fclose(file);
    file = fopen(PATH, "rb"); /* not writable */
    if (file == NULL) exit(1);
    CHECK(!gif_begin(&writer, file, 9, 9, 1, 1, 5) && !gif_frame(&writer, pixels) &&
          !gif_end(&writer));
    fclose(file);
    remove(PATH);
    /* where /dev/full exists: writes fail when the buffer is flushed */
    file = fopen("/dev/full", "wb");
    if (file == NULL) return;
    CHECK(gif_begin(&writer, file, 9, 9, 1, 1, 5) && gif_frame(&writer, pixels) &&
          !gif_end(&writer));
    fclose(file);
}

/* ---------------------------------------------------------------------------------------------- */
/* tensorboard.h */

typedef struct event {
    double wall_time;
    int64_t step;
    float value;
    char tag[TENSORBOARD_TAG + 1], version[20];
} event;

static uint64_t read_number(reader *r, int bytes)
{
    uint64_t value = 0;
    int i;
    for (i = 0; i < bytes; i++) value |= (uint64_t)read_byte(r) << 8 * i;
    return value;
}
static uint64_t read_varint(reader *r)
{
    uint64_t value = 0;
    int shift = 0, byte;
    do {
        byte = read_byte(r);
        value |= (uint64_t)(byte & 127) << shift;
        shift += 7;
    } while (byte > 127 && shift < 70 && r->good);
    if (byte > 127) r->good = 0;
    return value;
}
/* The contents of a field of bytes, or of a record. */
static reader read_part(reader *r, uint64_t size)
{
    reader part = {NULL, 0, 0, 0};
    if (size > r->size - r->at) r->good = 0;
    if (!r->good) return part;
    part.bytes = r->bytes + r->at, part.size = (size_t)size, part.good = 1;
    r->at += part.size;
    return part;
}
static void read_text(reader *r, char *text, size_t room_for)
{
    reader part = read_part(r, read_varint(r));
    if (part.size >= room_for) r->good = 0;
    if (!r->good) return;
    memcpy(text, part.bytes, part.size);
    text[part.size] = '\0';
}

/* Reads fields in any order. Fields that our events do not have are an error. */
static void read_event(reader *r, event *e)
{
    while (r->good && r->at < r->size) {
        uint64_t const key = read_varint(r);
        uint64_t bits;
        uint32_t word;
        if (key == (1 << 3 | 1)) {
            bits = read_number(r, 8);
            memcpy(&e->wall_time, &bits, 8);
        } else if (key == (2 << 3 | 0)) {
            e->step = (int64_t)read_varint(r);
        } else if (key == (3 << 3 | 2)) {
            read_text(r, e->version, sizeof e->version);
        } else if (key == (5 << 3 | 2)) {
            reader summary = read_part(r, read_varint(r)), value;
            r->good &= read_varint(&summary) == (1 << 3 | 2);
            value = read_part(&summary, read_varint(&summary));
            r->good &= summary.good && summary.at == summary.size &&
                       read_varint(&value) == (1 << 3 | 2);
            read_text(&value, e->tag, sizeof e->tag);
            r->good &= read_varint(&value) == (2 << 3 | 5);
            word = (uint32_t)read_number(&value, 4);
            memcpy(&e->value, &word, 4);
            r->good &= value.good && value.at == value.size;
        } else {
            r->good = 0;
        }
    }
}

/* The CRC by definition, bit by bit: the remainder of a division by 0x1EDC6F41, mirrored. */
static uint32_t crc_of(const uint8_t *bytes, size_t size)
{
    uint32_t crc = 0xFFFFFFFFu, mirrored = 0;
    size_t i;
    for (i = 0; i < 8 * size; i++) {
        uint32_t const bit = crc >> 31 ^ (bytes[i / 8] >> i % 8 & 1u);
        crc = crc << 1 ^ (bit != 0 ? 0x1EDC6F41u : 0);
    }
    for (i = 0; i < 32; i++) mirrored |= (crc >> i & 1u) << (31 - i);
    return ~mirrored;
}
static uint32_t masked_crc_of(const uint8_t *bytes, size_t size)
{
    uint64_t const crc = crc_of(bytes, size);
    return (uint32_t)(((crc << 32 | crc) >> 15) + 0xA282EAD8u);
}

/* Returns the number of events in file_bytes, at most `most`; -1: one is damaged. */
static int read_events(event *events, int most)
{
    reader r = {NULL, 0, 0, 1};
    int count = 0;
    r.bytes = file_bytes, r.size = file_size;
    for (; r.at < r.size && count < most; count++) {
        const uint8_t *const head = r.bytes + r.at;
        uint64_t const size = read_number(&r, 8);
        reader record = {NULL, 0, 0, 0};
        if (!r.good || read_number(&r, 4) != masked_crc_of(head, 8)) return -1;
        record = read_part(&r, size);
        if (!r.good || read_number(&r, 4) != masked_crc_of(record.bytes, record.size)) return -1;
        memset(&events[count], 0, sizeof *events);
        read_event(&record, &events[count]);
        if (!record.good) return -1;
    }
    return r.good && r.at == r.size ? count : -1;
}

static void read_file(const char *path)
{
    FILE *const file = fopen(path, "rb");
    file_size = file != NULL ? fread(file_bytes, 1, BYTES, file) : 0;
    if (file != NULL) fclose(file);
    CHECK(file_size > 0);
}

static void crc_is_masked_crc32c(void)
{
    static const uint8_t zeros[32] = {0}, length[8] = {24, 0, 0, 0, 0, 0, 0, 0};
    const uint8_t *const digits = (const uint8_t *)"123456789";
    uint8_t noise[200];
    size_t i;
    CHECK(tensorboard_crc(digits, 9) == 0xE3069283u && crc_of(digits, 9) == 0xE3069283u);
    CHECK(tensorboard_crc(zeros, 32) == 0x8A9136AAu); /* RFC 3720, B.4 */
    CHECK(tensorboard_crc(zeros, 0) == 0);
    /* as TensorFlow's event files begin */
    CHECK(tensorboard_masked_crc(length, 8) == 0x224B7FA3u);
    fill(noise, sizeof noise, 256);
    for (i = 0; i < sizeof noise; i++)
        CHECK(tensorboard_masked_crc(noise, i) == masked_crc_of(noise, i));
}

static void event_files_are_read_back(void)
{
    static const int64_t steps[] = {0, 1, 127, 128, 50000000, INT64_MAX, -1, INT64_MIN};
    float const values[] = {0, -0.0f, 1.5f, -21, 3e38f, 1e-40f, HUGE_VALF, -HUGE_VALF};
    enum { POINTS = COUNT(steps) };
    static event events[POINTS + 3];
    char tag[TENSORBOARD_TAG + 2], expected[100];
    tensorboard tb;
    time_t const before = time(NULL);
    long unseen = 0;
    int i;
    CHECK(tensorboard_open(&tb, ".", "media_test"));
    for (i = 0; i < POINTS; i++) {
        memset(tag, 'a' + i, sizeof tag);
        tag[i == 0 ? 0 : i == 1 ? TENSORBOARD_TAG : 30 * i] = '\0';
        CHECK(tensorboard_scalar(&tb, tag, steps[i], (double)values[i], 1.7e9 + i / 8.0));
        read_file(tb.path); /* the file is complete at once */
        CHECK(read_events(events, POINTS + 1) == i + 2);
    }
    memset(tag, 'x', sizeof tag);
    tag[TENSORBOARD_TAG + 1] = '\0';
    CHECK(!tensorboard_scalar(&tb, tag, 1, 1, 1));
    CHECK(tensorboard_scalar(&tb, "score/\xC3\xA4", 9, 2.5, 0));
    CHECK(tensorboard_close(&tb));
    read_file(tb.path);
    remove(tb.path);
    CHECK(read_events(events, POINTS + 3) == POINTS + 2);
    CHECK(strcmp(events[0].version, "brain.Event:2") == 0 && events[0].tag[0] == '\0');
    CHECK(events[0].wall_time >= (double)before && events[0].wall_time <= (double)time(NULL));
    sprintf(expected, "./events.out.tfevents.%.0f.media_test", events[0].wall_time);
    CHECK(strcmp(tb.path, expected) == 0);
    for (i = 0; i < POINTS; i++) {
        const event *const e = &events[i + 1];
        size_t const length = (size_t)(i == 0 ? 0 : i == 1 ? TENSORBOARD_TAG : 30 * i);
        CHECK(e->step == steps[i] && memcmp(&e->value, &values[i], 4) == 0 &&
              e->version[0] == '\0');
        CHECK(fabs(e->wall_time - (1.7e9 + i / 8.0)) <= 0);
        CHECK(strlen(e->tag) == length &&
              (length == 0 || (e->tag[0] == 'a' + i && e->tag[length - 1] == 'a' + i)));
    }
    CHECK(strcmp(events[POINTS + 1].tag, "score/\xC3\xA4") == 0 && events[POINTS + 1].step == 9);
    for (i = 0; i < 8 * (int)file_size; i += check_share) { /* any flipped bit is noticed */
        file_bytes[i / 8] ^= (uint8_t)(1 << i % 8);
        unseen += read_events(events, POINTS + 3) >= 0;
        file_bytes[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    CHECK(unseen == 0 && read_events(events, POINTS + 3) == POINTS + 2);
}

static void event_file_errors_are_reported(void)
{
    static char folder[TENSORBOARD_PATH];
    tensorboard tb, other;
    int i;
    CHECK(!tensorboard_open(&tb, "media_test_is_no_folder", "x"));
    CHECK(!tensorboard_scalar(&tb, "a", 1, 2, 3) && !tensorboard_close(&tb));
    /* too long together with the file name */
    for (i = 0; i < TENSORBOARD_PATH - 20; i++) folder[i] = "./"[i % 2];
    CHECK(!tensorboard_open(&tb, folder, "x") && !tensorboard_close(&tb));
    CHECK(tensorboard_open(&tb, ".", "media_test"));
    fclose(tb.file);
    tb.file = fopen(tb.path, "rb"); /* cannot be written */
    CHECK(!tensorboard_scalar(&tb, "a", 1, 2, 3));
    CHECK(!tensorboard_scalar(&tb, "a", 1, 2, 3) && !tensorboard_close(&tb));
    remove(tb.path);
    CHECK(tensorboard_open(&tb, ".", "media_test") && tensorboard_open(&other, ".", "media_test"));
    CHECK(strcmp(tb.path, other.path) != 0); /* two sessions may begin in the same second */
    CHECK(tensorboard_close(&other) && remove(other.path) == 0);
    fclose(tb.file);
    tb.file = fopen("/dev/full", "wb");
    CHECK(tb.file == NULL || !tensorboard_scalar(&tb, "a", 1, 2, 3));
    if (tb.file != NULL) CHECK(!tensorboard_close(&tb));
    remove(tb.path);
}

static const check_test tests[] = {
    TEST(random_numbers_are_pcg32),
    TEST(grey_is_as_in_opencv),
    TEST(maximum_is_taken_per_pixel),
    TEST(sticky_actions_repeat),
    TEST(rewards_are_clipped),
    TEST(resize_equals_the_plain_formula),
    TEST(trivial_resizes_are_exact),
    TEST(gif_codes_of_every_width_are_read),
    TEST(gif_contents_are_kept),
    TEST(gif_frames_cover_what_moves),
    TEST(gif_keeps_random_films),
    TEST(gif_reader_sees_every_bit),
    TEST(gif_errors_are_reported),
    TEST(crc_is_masked_crc32c),
    TEST(event_files_are_read_back),
    TEST(event_file_errors_are_reported),
};
int main(int count, char **arguments)
{
    return CHECK_MAIN(count, arguments, tests);
}
