/* Writes animated GIFs (GIF89a, CompuServe 1990), frame by frame, that loop forever. Grey frames
   keep their 256 greys. A frame in colour keeps its colours if the rectangle that changes has at
   most 256 of them. Otherwise each colour becomes the nearest of 6 x 6 x 6 colours. Nothing is
   allocated. A struct gif has 3 MB, which is too large for the stack: make it static.

       static gif g;
       FILE *file = fopen("game.gif", "wb");
       // 160 x 210 pixels in colour, drawn twice as large, a frame every 0.07 s
       gif_begin(&g, file, 160, 210, 3, 2, 7);
       gif_frame(&g, frame); // once for each frame
       if (!gif_end(&g)) perror("game.gif");
       if (file != NULL) fclose(file);
*/
#ifndef GIF_H
#define GIF_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { GIF_SIDE = 1024, GIF_COLOURS = 256, GIF_CUBE = 6, GIF_CODES = 4096 };

typedef struct gif {
    FILE *file;
    int good; /* 0: a write has failed, and nothing more is written */
    int width, height, channels, scale;
    int delay; /* of the next frame, in 1/100 s, 0..65535: may be changed between frames */
    int begun; /* 1: a frame has been written, and `shown` holds it */
    uint8_t shown[GIF_SIDE * GIF_SIDE * 3]; /* [height][width][channels] */

    /* The colours 0xRRGGBB of the rectangle being written. With more than GIF_COLOURS of them, the
       fixed 6 x 6 x 6 colours are used. */
    uint32_t colours[GIF_COLOURS];
    int colour_count;
    uint16_t colour_slots[4 * GIF_COLOURS]; /* hash table from colour to index + 1 */

    /* LZW: bits of a pixel and of a code; the next code to be defined */
    int root_bits, bits, next;
    int string; /* code of the pixels not yet written; -1: none */
    /* hash table: string << 20 | pixel << 12 | code of string + pixel; 0: free slot */
    uint32_t strings[2 * GIF_CODES];
    uint32_t pool; /* bits not yet in the block; the lowest bit is written first */
    int pool_bits, block_bytes;
    uint8_t block[255];
} gif;

typedef struct gif_rectangle {
    int left, top, right, bottom; /* right and bottom are the first pixels outside */
} gif_rectangle;

static inline void gif_write(gif *g, const void *data, size_t size)
{
    if (g->good && fwrite(data, 1, size, g->file) != size) g->good = 0;
}
static inline void gif_byte(gif *g, int byte)
{
    uint8_t const b = (uint8_t)byte;
    gif_write(g, &b, 1);
}
static inline void gif_word(gif *g, int word)
{
    gif_byte(g, word & 255);
    gif_byte(g, word >> 8);
}

/* ---------------------------------------------------------------------------------------------- */
/* Colours */

static inline uint32_t gif_colour(const uint8_t *rgb)
{
    return (uint32_t)rgb[0] << 16 | (uint32_t)rgb[1] << 8 | rgb[2];
}

/* Returns the slot of a colour in the hash table, or the free slot where it belongs. */
static inline uint16_t *gif_colour_slot(gif *g, uint32_t colour)
{
    uint32_t slot = colour * 2654435761u >> 22;
    while (g->colour_slots[slot] != 0 && g->colours[g->colour_slots[slot] - 1] != colour)
        slot = (slot + 1) % (4 * GIF_COLOURS);
    return &g->colour_slots[slot];
}

/* Collects the colours of a rectangle. Stops when there are more than GIF_COLOURS. */
static inline void gif_count_colours(gif *g, const uint8_t *pixels, const gif_rectangle *r)
{
    int x, y;
    g->colour_count = 0;
    memset(g->colour_slots, 0, sizeof g->colour_slots);
    for (y = r->top; y < r->bottom; y++)
        for (x = r->left; x < r->right; x++) {
            uint32_t const colour = gif_colour(pixels + 3 * (y * g->width + x));
            uint16_t *const slot = gif_colour_slot(g, colour);
            if (*slot != 0) continue;
            if (g->colour_count++ == GIF_COLOURS) return;
            g->colours[g->colour_count - 1] = colour;
            *slot = (uint16_t)g->colour_count;
        }
}

/* Returns a pixel's index in the colour table of its rectangle. */
static inline int gif_index(gif *g, const uint8_t *pixel)
{
    int index = 0, i;
    if (g->channels == 1) return pixel[0];
    if (g->colour_count <= GIF_COLOURS) return *gif_colour_slot(g, gif_colour(pixel)) - 1;
    for (i = 0; i < 3; i++) index = GIF_CUBE * index + (pixel[i] * (GIF_CUBE - 1) + 127) / 255;
    return index;
}

/* Writes the global table: 256 greys, or the 6 x 6 x 6 colours for frames with too many colours. */
static inline void gif_write_global_colours(gif *g)
{
    int const step = 255 / (GIF_CUBE - 1);
    int i;
    for (i = 0; i < GIF_COLOURS; i++) {
        gif_byte(g, g->channels == 1 ? i : i / (GIF_CUBE * GIF_CUBE) % GIF_CUBE * step);
        gif_byte(g, g->channels == 1 ? i : i / GIF_CUBE % GIF_CUBE * step);
        gif_byte(g, g->channels == 1 ? i : i % GIF_CUBE * step);
    }
}

/* Writes a local table of 2^bits colours, 2 to 256. */
static inline void gif_write_colours(gif *g, int bits)
{
    int i, shift;
    for (i = 0; i < 1 << bits; i++)
        for (shift = 16; shift >= 0; shift -= 8)
            gif_byte(g, i < g->colour_count ? (int)(g->colours[i] >> shift & 255u) : 0);
}

/* ---------------------------------------------------------------------------------------------- */
/* LZW (Welch 1984) with codes of growing width, in blocks of at most 255 bytes */

static inline void gif_flush_block(gif *g)
{
    gif_byte(g, g->block_bytes);
    gif_write(g, g->block, (size_t)g->block_bytes);
    g->block_bytes = 0;
}

static inline void gif_flush_pool(gif *g, int down_to)
{
    for (; g->pool_bits > down_to; g->pool_bits -= 8, g->pool >>= 8) {
        g->block[g->block_bytes++] = (uint8_t)(g->pool & 255u);
        if (g->block_bytes == (int)sizeof g->block) gif_flush_block(g);
    }
}

static inline void gif_code(gif *g, int code)
{
    g->pool |= (uint32_t)code << g->pool_bits;
    g->pool_bits += g->bits;
    gif_flush_pool(g, 7);
}

/* Clears the dictionary: only strings of one pixel are left. */
static inline void gif_clear(gif *g)
{
    int const clear = 1 << g->root_bits;
    gif_code(g, clear);
    memset(g->strings, 0, sizeof g->strings);
    g->bits = g->root_bits + 1;
    g->next = clear + 2; /* clear + 1 is the end code */
}

/* Writes the code of the current string. A decoder is one code behind this encoder: when the
   decoder reads this code, the decoder defines code next - 1. (The first code after a clear defines
   none.) The decoder's next code is then `next`. As soon as that code needs one more bit, the
   decoder reads wider codes. So the encoder widens its codes at the same moment. */
static inline void gif_flush_string(gif *g)
{
    gif_code(g, g->string);
    if (g->next == 1 << g->bits && g->next < GIF_CODES) g->bits++;
}

static inline void gif_pixel(gif *g, int pixel)
{
    uint32_t const key = (uint32_t)g->string << 8 | (uint32_t)pixel;
    uint32_t slot = key * 2654435761u >> 19; /* Fibonacci hashing (Knuth) */
    if (g->string < 0) {
        g->string = pixel;
        return;
    }
    for (; g->strings[slot] != 0; slot = (slot + 1) % (2 * GIF_CODES))
        if (g->strings[slot] >> 12 == key) {
            g->string = (int)(g->strings[slot] % GIF_CODES);
            return;
        }
    gif_flush_string(g);
    if (g->next < GIF_CODES)
        g->strings[slot] = key << 12 | (uint32_t)g->next++;
    else
        gif_clear(g);
    g->string = pixel;
}

/* ---------------------------------------------------------------------------------------------- */
/* Frames */

/* Returns the rectangle that differs from the frame before; one pixel if nothing differs, because
   no rectangle may be empty. */
static inline gif_rectangle gif_changed(const gif *g, const uint8_t *pixels)
{
    gif_rectangle const none = {0, 0, 1, 1};
    gif_rectangle r = {GIF_SIDE, GIF_SIDE, 0, 0};
    int x, y;
    for (y = 0; y < g->height; y++)
        for (x = 0; x < g->width; x++) {
            int const at = (y * g->width + x) * g->channels;
            if (memcmp(pixels + at, g->shown + at, (size_t)g->channels) == 0) continue;
            if (x < r.left) r.left = x;
            if (y < r.top) r.top = y;
            if (x >= r.right) r.right = x + 1;
            r.bottom = y + 1;
        }
    return r.right > 0 ? r : none;
}

static inline void gif_image(gif *g, const uint8_t *pixels, const gif_rectangle *r)
{
    int x, y, i;
    gif_byte(g, g->root_bits);
    g->bits = g->root_bits + 1;
    g->pool = 0;
    g->pool_bits = g->block_bytes = 0;
    gif_clear(g);
    g->string = -1;
    for (y = r->top * g->scale; y < r->bottom * g->scale; y++)
        for (x = r->left; x < r->right; x++) {
            int const index = gif_index(g, pixels + (y / g->scale * g->width + x) * g->channels);
            for (i = 0; i < g->scale; i++) gif_pixel(g, index);
        }
    gif_flush_string(g);
    gif_code(g, (1 << g->root_bits) + 1);
    gif_flush_pool(g, 0);
    if (g->block_bytes > 0) gif_flush_block(g);
    gif_byte(g, 0);
}

/* Begins a file for frames [height][width][channels], with 1 channel for grey or 3 for RGB. Each
   pixel is drawn as scale x scale pixels. Each frame is shown for `hundredths` of a second. Many
   viewers show a frame longer if `hundredths` is below 2. Returns 0 if an argument is wrong or the
   file cannot be written. */
static inline int gif_begin(gif *g, FILE *file, int width, int height, int channels, int scale,
                            int hundredths)
{
    /* the 0 at the end of the C string is the terminator of the block */
    static const uint8_t loop[] = "\x21\xFF\x0BNETSCAPE2.0\x03\x01\0\0";
    g->file = file;
    g->width = width;
    g->height = height;
    g->channels = channels;
    g->scale = scale;
    g->delay = hundredths;
    g->begun = 0;
    g->good = file != NULL && width > 0 && height > 0 && width <= GIF_SIDE && height <= GIF_SIDE &&
              (channels == 1 || channels == 3) && scale > 0 &&
              scale <= 65535 / (width > height ? width : height) && hundredths >= 0 &&
              hundredths <= 65535;
    if (!g->good) return 0;
    gif_write(g, "GIF89a", 6);
    gif_word(g, width * scale);
    gif_word(g, height * scale);
    gif_word(g, 0xF7); /* a global table of 256 colours with 8 bits each; background 0 */
    gif_byte(g, 0);
    gif_write_global_colours(g);
    gif_write(g, loop, sizeof loop);
    return g->good;
}

/* Writes a frame [height][width][channels]. Returns 0 if gif_begin, this write or an earlier one
   failed. */
static inline int gif_frame(gif *g, const uint8_t *pixels)
{
    gif_rectangle r = {0, 0, g->width, g->height};
    int bits = 8, own;
    if (!g->good) return 0;
    if (g->begun) r = gif_changed(g, pixels);
    if (g->channels == 3) gif_count_colours(g, pixels, &r);
    own = g->channels == 3 && g->colour_count <= GIF_COLOURS;
    if (own)
        for (bits = 1; 1 << bits < g->colour_count; bits++) continue;
    gif_write(g, "\x21\xF9\x04\x04", 4); /* the next frame is drawn over this one */
    gif_word(g, g->delay);
    gif_word(g, 0);
    gif_byte(g, 0x2C);
    gif_word(g, r.left * g->scale);
    gif_word(g, r.top * g->scale);
    gif_word(g, (r.right - r.left) * g->scale);
    gif_word(g, (r.bottom - r.top) * g->scale);
    gif_byte(g, own ? 0x80 | (bits - 1) : 0);
    if (own) gif_write_colours(g, bits);
    g->root_bits = bits < 2 ? 2 : bits; /* GIF requires at least 2 */
    gif_image(g, pixels, &r);
    memcpy(g->shown, pixels, (size_t)(g->width * g->height * g->channels));
    g->begun = 1;
    return g->good;
}

/* Ends the GIF, and leaves g->file open. Returns 0 if gif_begin or a write has failed. */
static inline int gif_end(gif *g)
{
    gif_byte(g, 0x3B);
    if (g->good && fflush(g->file) != 0) g->good = 0;
    return g->good;
}

#endif
