/* Tests the example examples/self_play.c: the rules of its game, its Elo ratings, what it says
   about the copies, and its options. */
#include <stdarg.h>
#include <stdio.h>

#define RISE_IMPLEMENTATION
#include "../rise.h"

/* What the example prints goes to `output`. */
static char output[1 << 13];
static size_t output_length;

static int add_to_output(const char *format, va_list arguments)
{
    int const length =
        vsnprintf(output + output_length, sizeof output - output_length, format, arguments);
    if (length > 0) output_length += (size_t)length;
    if (output_length >= sizeof output) output_length = sizeof output - 1;
    return length;
}
static int print_to_output(const char *format, ...)
{
    va_list arguments;
    int length;
    va_start(arguments, format);
    length = add_to_output(format, arguments);
    va_end(arguments);
    return length;
}
static int print_error_to_output(FILE *file, const char *format, ...)
{
    va_list arguments;
    int length;
    (void)file;
    va_start(arguments, format);
    length = add_to_output(format, arguments);
    va_end(arguments);
    return length;
}

int self_play_main(int count, char **arguments);
#define main self_play_main
#define printf print_to_output
#define fprintf print_error_to_output
#include "../examples/self_play.c"
#undef printf
#undef fprintf
#undef main

#include "check.h"

/* Runs the example with these options. Returns its exit status. */
static int example(const char *options)
{
    char line[200], *words[20];
    output[0] = '\0', output_length = 0;
    snprintf(line, sizeof line, "self_play %s", options);
    return self_play_main(check_words(line, words, 20), words);
}
static int said(const char *words) { return strstr(output, words) != NULL; }

/* Reads the Elo rating of a copy from the printed table. */
static int rating(int copy, int steps)
{
    char row[40];
    const char *at;
    int elo = -9999;
    snprintf(row, sizeof row, "\n%4d  %7d  ", copy, steps);
    at = strstr(output, row);
    CHECK(at != NULL && sscanf(at + strlen(row), "%d", &elo) == 1);
    return elo;
}

static void later_copies_are_stronger(void)
{
    const char *at;
    int share = 0;
    CHECK(example("--steps 24000 --copies 2") == 0);
    CHECK(said("later copies are stronger") && !said("NOT"));
    CHECK(said("360 games in all. In 3 of 3 pairs"));
    at = strstr(output, "copy got ");
    CHECK(at != NULL && sscanf(at, "copy got %d%%", &share) == 1 && share >= 65);
    CHECK(rating(0, 0) == 0);
    CHECK(rating(1, 12000) > 0 && rating(2, 24000) > rating(1, 12000) + 20);
    check_note("last copy: %d%% against copy 0", share);
}

/* Without an update, no copy is stronger, and the example must say so. */
static void untrained_copies_are_not_stronger(void)
{
    CHECK(example("--steps 800 --copies 2") == 1);
    CHECK(said("later copies are NOT clearly stronger"));
}

static void wrong_options_are_refused(void)
{
    static const char *const wrong[][2] = {
        {"--steps", "--steps : a whole number from 96 to 100000000 is needed\n"},
        {"--steps x", "--steps x: a whole number from 96 to"},
        {"--steps 95", "--steps 95: a whole number from 96 to"},
        {"--steps 100.5", "--steps 100.5: a whole number from 96 to"},
        {"--copies 0", "--copies 0: a whole number from 1 to 12 is needed"},
        {"--seed 3 --copies 13", "--copies 13: a whole number from 1 to 12"},
        {"--seed 1x", "--seed 1x: a whole number from 0 to"},
        {"--seed -1", "--seed -1: a whole number from 0 to"},
        {"--other 1", "self_play: there is no option --other\n"},
    };
    int i;
    for (i = 0; i < (int)(sizeof wrong / sizeof *wrong); i++) {
        check_about("%s", wrong[i][0]);
        CHECK(example(wrong[i][0]) == 2 && said(wrong[i][1]) && !said("copy 0"));
        CHECK(said("[--steps N, at least 96] [--copies 1..12]"));
    }
    CHECK(example("--help") == 2 && said("at least 96") && !said("no option"));
}

/* Ratings against the formula for two copies; three equal copies; a copy that always wins. */
static void ratings_are_most_likely(void)
{
    static session s;
    int i, j;
    s.count = 2;
    s.points[1][0] = 90, s.points[0][1] = SERVES - 90;
    rate(&s);
    CHECK(fabs(s.elo[0]) < 1e-9);
    CHECK_NEAR(s.elo[1], 400 * log10(90.5 / (SERVES - 90 + 0.5)), 1e-9);
    s.count = 3;
    for (i = 0; i < 3; i++)
        for (j = 0; j < 3; j++) s.points[i][j] = i == j ? 0 : SERVES / 2;
    rate(&s);
    CHECK(fabs(s.elo[1]) < 1e-9 && fabs(s.elo[2]) < 1e-9);
    /* Points that the model explains without error: 2 : 1 and 4 : 1, so also 2 : 1. */
    for (i = 0; i < 3; i++)
        for (j = 0; j < 3; j++)
            if (i != j) s.points[i][j] = (SERVES + 1.0) * (1 << i) / ((1 << i) + (1 << j)) - 0.5;
    rate(&s);
    CHECK_NEAR(s.elo[1], 400 * log10(2), 1e-9);
    CHECK_NEAR(s.elo[2], 400 * log10(4), 1e-9);
    s.count = 2;
    s.points[1][0] = SERVES, s.points[0][1] = 0;
    rate(&s);
    CHECK_NEAR(s.elo[1], 400 * log10(2 * SERVES + 1), 1e-9);
}

/* With the serve mirrored and the actions exchanged, each player sees what the other one saw. */
static void sides_are_equal(void)
{
    static const outcome mirrored[] = {GOES_ON, RIGHT_WINS, LEFT_WINS, DRAW};
    uint8_t a[WIDTH * HEIGHT], b[WIDTH * HEIGHT];
    uint32_t random = 1;
    int serve, ends[4] = {0};
    for (serve = 0; serve < SERVES; serve++) {
        outcome result = GOES_ON;
        game g, m;
        game_begin(&g, serve);
        game_begin(&m, (serve + SERVES / 2) % SERVES);
        while (result == GOES_ON) {
            int const left = random_below(&random, ACTIONS), right = random_below(&random, ACTIONS);
            game_draw(&g, 0, a), game_draw(&m, 1, b);
            CHECK(memcmp(a, b, sizeof a) == 0);
            game_draw(&g, 1, a), game_draw(&m, 0, b);
            CHECK(memcmp(a, b, sizeof a) == 0);
            result = game_move(&g, left, right);
            CHECK(game_move(&m, right, left) == mirrored[result]);
            CHECK(g.y >= 0 && g.y < HEIGHT && abs(g.dy) <= SLOPES / 2);
        }
        ends[result]++;
    }
    CHECK(ends[LEFT_WINS] > SERVES / 4 && ends[RIGHT_WINS] > SERVES / 4);
}

/* A ball that flies straight between two paddles that do not move ends in a draw. */
static void long_games_are_draws(void)
{
    outcome result = GOES_ON;
    int steps = 0;
    game g;
    game_begin(&g, HEIGHT / 2 + HEIGHT * (SLOPES / 2)); /* in the middle, straight */
    CHECK(g.y == g.paddles[0] && g.dy == 0);
    while (result == GOES_ON && steps++ < 1000) result = game_move(&g, 1, 1);
    CHECK(result == DRAW && g.hits == LONGEST);
}

static const check_test tests[] = {
    TEST(later_copies_are_stronger),
    TEST(untrained_copies_are_not_stronger),
    TEST(wrong_options_are_refused),
    TEST(ratings_are_most_likely),
    TEST(sides_are_equal),
    TEST(long_games_are_draws),
};
int main(int count, char **arguments) { return CHECK_MAIN(count, arguments, tests); }
