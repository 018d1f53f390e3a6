/* Makes the README's picture, an animated GIF. One agent has memory, and the other has none. Both
   train on the corridor game for the same number of steps. Then both play the same episodes. The
   file has the same bytes on every machine with fused multiply-add. Runs for about 10 seconds.

       cc -O2 examples/memory_gif.c -o memory_gif -lm && ./memory_gif examples/memory.gif
*/
#include "game_trainer.h" /* first: defines _DEFAULT_SOURCE */

#include "gif.h"
#include "letters.h"
#include "self_test.h"

#define RISE_IMPLEMENTATION
#include "../rise.h"

/* WIDTH and HEIGHT of the drawing, in pixels. Each pixel becomes SCALE x SCALE pixels of the file.
   A tile is a square of the corridor's map. */
enum { WIDTH = 440, HEIGHT = 216, SCALE = 2, TILE = 12, MAP_TOP = 48, MAP_LEFT = 146 };
enum { LENGTH = 10, STEPS = 15000, SEED = 1, EPISODES = 8, LEFT = 1 /* an action */ };
enum { PAPER = 0x0D1117, INK = 0xE6EDF3, DIM = 0x9AA4AF, LAMP = 0xFFD33D, GREEN = 0x2EA043 };
enum { RED = 0xDA3633, EMPTY = 0x30363D };

typedef struct side {
    const char *with, *what; /* captions */
    int colour;
    int text_left, map_left; /* columns of the drawing */
    rise_memory memory;
    rise_agent *agent;
    episode playing;
    int won[EPISODES]; /* 1: the episode ended with the correct turn */
} side;

static side sides[2];
static uint8_t canvas[HEIGHT * WIDTH * 3];

/* ---------------------------------------------------------------------------------------------- */
/* Drawing */

static void fill(int left, int top, int width, int height, int colour)
{
    int x, y;
    for (y = top; y < top + height; y++)
        for (x = left; x < left + width; x++) {
            uint8_t *const pixel = canvas + 3 * (y * WIDTH + x);
            pixel[0] = (uint8_t)(colour >> 16 & 255);
            pixel[1] = (uint8_t)(colour >> 8 & 255);
            pixel[2] = (uint8_t)(colour & 255);
        }
}

static void write_text(int left, int top, int size, int colour, const char *text)
{
    int row, bit;
    for (; *text != '\0'; text++, left += LETTERS_WIDTH * size)
        for (row = 0; row < LETTERS_HEIGHT; row++)
            for (bit = 0; bit < 5; bit++)
                if (letters_rows(*text)[row] >> (4 - bit) & 1)
                    fill(left + bit * size, top + row * size, size, size, colour);
}

static void write_centred(int top, int colour, const char *text)
{
    write_text((WIDTH - (int)strlen(text) * LETTERS_WIDTH) / 2, top, 1, colour, text);
}

/* Returns the colour of a tile. The agent sees 5 x 5 tiles: its own row and the next four. Tiles
   that the agent does not see are darker. */
static int tile_colour(const game *g, int across, int distance)
{
    int const seen = distance >= g->place && distance <= g->place + 4;
    int const floor_here = (across == 0 && distance <= g->length) || distance == g->length;
    if (floor_here) return seen ? 0x1C2530 : 0x12181F;
    if (distance % 2 == 0) return seen ? 0x4A5A6E : 0x1E2631;
    return seen ? 0x62748A : 0x252E3A;
}

/* Draws the whole corridor, the start at the bottom. */
static void draw_map(const side *s)
{
    const game *const g = &s->playing.state;
    int const light = g->start == 0 ? -1 : 1;
    int const turned = g->done && g->place == g->length && s->playing.action > 0;
    int const turn = !turned ? 0 : s->playing.action == LEFT ? -1 : 1;
    int across, distance, left, top;
    for (distance = 0; distance <= g->length + 1; distance++)
        for (across = -2; across <= 2; across++) {
            left = s->map_left + (across + 2) * TILE;
            top = MAP_TOP + (g->length + 1 - distance) * TILE;
            fill(left, top, TILE, TILE, tile_colour(g, across, distance));
            if (across == light && distance == 0) { /* the lamp: lit in the first frame only */
                fill(left + 1, top + 1, TILE - 2, TILE - 2, LAMP);
                if (g->time > 0) fill(left + 2, top + 2, TILE - 4, TILE - 4, PAPER);
            }
        }
    left = s->map_left + (turn + 2) * TILE;
    top = MAP_TOP + (g->length + 1 - g->place) * TILE;
    if (turned)
        fill(turn < 0 ? left - TILE : left, top, 2 * TILE, TILE,
             s->playing.reward > 0 ? GREEN : RED);
    fill(left + 2, top + 2, TILE - 4, TILE - 4, s->colour);
}

/* Writes the captions, the score, and a square for each of the EPISODES. The square is grey until
   the episode has ended. Then it is green for the correct turn, else red. */
static void draw_score(const side *s, int ended)
{
    char text[20];
    int i, right = 0;
    for (i = 0; i < ended; i++) right += s->won[i];
    snprintf(text, sizeof text, "%d of %d", right, ended);
    fill(s->text_left, MAP_TOP, 126, 12 * TILE, PAPER);
    write_text(s->text_left, MAP_TOP, 2, s->colour, s->with);
    write_text(s->text_left, MAP_TOP + 18, 2, s->colour, "memory");
    write_text(s->text_left, MAP_TOP + 40, 1, DIM, s->what);
    write_text(s->text_left, MAP_TOP + 74, 3, INK, text);
    write_text(s->text_left, MAP_TOP + 102, 1, DIM, "turns were correct");
    for (i = 0; i < EPISODES; i++)
        fill(s->text_left + 13 * i, MAP_TOP + 122, 10, 10,
             i >= ended  ? EMPTY
             : s->won[i] ? GREEN
                         : RED);
}

/* ---------------------------------------------------------------------------------------------- */
/* Training and playing */

static int train(side *s)
{
    static trainer t;
    rise_agent_desc desc;
    rise_error error;
    int steps = 0, taken = 0;
    game_init(&s->playing.state, GAME_CORRIDOR, LENGTH, SEED);
    desc = trainer_desc(&s->playing.state, STEPS, SEED);
    desc.memory = s->memory;
    if (trainer_begin(&t, &s->playing.state, &desc, &error) != RISE_OK)
        return fprintf(stderr, "memory_gif: %s\n", error.text), 0;
    s->agent = t.agent;
    while (steps < STEPS && taken >= 0) steps += taken = trainer_tick(&t);
    if (taken < 0) return fprintf(stderr, "memory_gif: %s\n", rise_agent_error(s->agent)->text), 0;
    printf("%s memory: %d steps of training, mean score %+.2f\n", s->with, steps,
           trainer_score(s->agent, &s->playing.state));
    return 1;
}

static void prepare(void)
{
    side *const left = &sides[0], *const right = &sides[1];
    left->with = "with", right->with = "without";
    left->what = "remembers the light", right->what = "sees 4 frames";
    left->colour = 0xF0883E, right->colour = 0xB1BAC4;
    left->text_left = 14, right->text_left = WIDTH - 132;
    left->map_left = MAP_LEFT, right->map_left = WIDTH - MAP_LEFT - 5 * TILE;
    left->memory = RISE_MEMORY_RISE, right->memory = RISE_MEMORY_NONE;
}

/* Appends the canvas as a frame that is shown for `hundredths` of a second. */
static void show(gif *film, int hundredths)
{
    film->delay = hundredths;
    gif_frame(film, canvas);
}

/* Appends one episode of both agents. `start` chooses the side of the light. */
static void play(gif *film, int number, int start)
{
    int i, moved = 1, time;
    for (i = 0; i < 2; i++) episode_begin(&sides[i].playing, start);
    for (time = 0; moved; time++) {
        for (i = 0; i < 2; i++) draw_map(&sides[i]);
        show(film, time == 0 ? 60 : 9);
        for (i = 0, moved = 0; i < 2; i++)
            moved += episode_step(&sides[i].playing, sides[i].agent, SHOWN);
    }
    for (i = 0; i < 2; i++) {
        sides[i].won[number] = sides[i].playing.score > 0;
        draw_score(&sides[i], number + 1);
    }
    show(film, number + 1 < EPISODES ? 80 : 400);
}

int main(int argc, char **argv)
{
    static gif film; /* too large for a stack */
    const char *const path = argc > 1 ? argv[1] : "memory.gif";
    FILE *file;
    static const int starts[EPISODES] = {0, 1, 1, 0, 1, 0, 0, 1}; /* half of them left */
    int i, good;
    if (self_test_wanted(argc, argv)) return self_test_status();
    if (argc > 2 || path[0] == '-')
        return fputs("memory_gif [FILE.gif, else memory.gif]\n", stderr), 2;
    prepare();
    if (!train(&sides[0]) || !train(&sides[1])) return 1;
    file = fopen(path, "wb");
    fill(0, 0, WIDTH, HEIGHT, PAPER);
    write_centred(12, INK, "A light at the start tells which way to turn at the end.");
    write_centred(28, DIM, "It is lit in the first frame only. Bright: what the agent sees.");
    write_centred(200, DIM, "Both trained for 15,000 steps, and now play the same episodes.");
    for (i = 0; i < 2; i++) draw_score(&sides[i], 0);
    gif_begin(&film, file, WIDTH, HEIGHT, 3, SCALE, 10);
    for (i = 0; i < EPISODES; i++) play(&film, i, starts[i]);
    good = gif_end(&film);
    if (file == NULL || fclose(file) != 0 || !good) return perror(path), 1;
    for (i = 0; i < EPISODES; i++) good = good && sides[0].won[i];
    printf("%s is written%s.\n", path,
           good ? "" : ", but the agent with memory still makes errors");
    for (i = 0; i < 2; i++) rise_agent_destroy(sides[i].agent);
    return good ? 0 : 1;
}
