/* Self-play: an agent learns a game for two by playing against earlier copies of itself. A copy is
   a play_only agent. One call of rise_agent_publish copies to this agent what the learning agent
   knows at that time. Each new copy plays a tournament against all earlier copies. The results
   become Elo ratings, and the program says whether later copies are stronger. Runs for about a
   minute and a half.

       cc -O2 examples/self_play.c -o self_play -lm && ./self_play

   The game: a ball flies between two paddles. A hit above or below the middle of a paddle changes
   the slope of the ball's path. After every three hits the ball gets faster. The player who misses
   the ball loses. After 40 hits the game is a draw.

   Options: --steps N, the frames to learn from, at least 96 [150000]; --copies N, 1..12 [12];
   --seed N [1]. N of --steps is rounded down to a multiple of 8 * copies. */
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 16, HEIGHT = 12, UP = 0, DOWN = 2, ACTIONS = 3 };
enum { SLOPES = 5, SERVES = 2 * HEIGHT * SLOPES }; /* the ball moves -2 to 2 rows a step */
/* After every FASTER hits the ball gets faster. After LONGEST hits the game is a draw. */
enum { FASTER = 3, LONGEST = 40 };
/* LEAST_STEPS: one call of rise_agent_step_all before each copy */
enum { ENVIRONMENTS = 8, MOST_COPIES = 12, LEAST_STEPS = ENVIRONMENTS * MOST_COPIES };

/* ---------------------------------------------------------------------------------------------- */
/* The game */

typedef enum outcome { GOES_ON, LEFT_WINS, RIGHT_WINS, DRAW } outcome;
typedef struct game {
    int paddles[2];   /* row of the middle; a paddle is 3 rows high. 0: left, 1: right */
    int x, y, dx, dy; /* the ball: column, row, direction (-1 or 1), rows a step */
    int hits;
} game;

static int random_below(uint32_t *random, int n)
{
    *random = *random * 1664525 + 1013904223;
    return (int)((uint64_t)*random * (uint64_t)n >> 32);
}
static int clamp(int x, int least, int most) { return x < least ? least : x > most ? most : x; }

/* Begins a game. `serve`, 0..SERVES-1, decides where the ball is and where it flies. */
static void game_begin(game *g, int serve)
{
    g->paddles[0] = g->paddles[1] = HEIGHT / 2;
    g->y = serve % HEIGHT;
    g->dy = serve / HEIGHT % SLOPES - SLOPES / 2;
    g->dx = serve < SERVES / 2 ? 1 : -1;
    g->x = g->dx > 0 ? WIDTH / 2 - 1 : WIDTH / 2;
    g->hits = 0;
}

/* Moves each paddle by at most a row, as the actions `left` and `right` say. Moves the ball by dy
   rows and by up to `speed` columns. At the column of a paddle, the player misses the ball, or the
   ball turns and moves one column back. Returns the outcome of the game so far. */
static outcome game_move(game *g, int left, int right)
{
    int const seat = g->dx > 0, speed = 1 + g->hits / FASTER;
    int i, off;
    g->paddles[0] = clamp(g->paddles[0] + left - 1, 1, HEIGHT - 2);
    g->paddles[1] = clamp(g->paddles[1] + right - 1, 1, HEIGHT - 2);
    g->y += g->dy;
    if (g->y < 0 || g->y >= HEIGHT) {
        g->y = g->y < 0 ? -g->y : 2 * (HEIGHT - 1) - g->y;
        g->dy = -g->dy;
    }
    for (i = 0; i < speed; i++) {
        g->x += g->dx;
        if (g->x > 0 && g->x < WIDTH - 1) continue;
        off = g->y - g->paddles[seat];
        if (abs(off) > 1) return seat ? LEFT_WINS : RIGHT_WINS;
        g->dy = clamp(g->dy + off, -SLOPES / 2, SLOPES / 2);
        g->dx = -g->dx;
        g->x += g->dx;
        return ++g->hits == LONGEST ? DRAW : GOES_ON;
    }
    return GOES_ON;
}

/* Draws the picture that player `seat` sees (0: left, 1: right). Each player sees its own paddle at
   the left, so a copy can play on both sides. */
static void game_draw(const game *g, int seat, uint8_t *frame)
{
    int i;
    memset(frame, 0, WIDTH * HEIGHT);
    for (i = -1; i <= 1; i++) {
        frame[(g->paddles[seat] + i) * WIDTH] = 255;
        frame[(g->paddles[!seat] + i) * WIDTH + WIDTH - 1] = 255;
    }
    frame[g->y * WIDTH + (seat ? WIDTH - 1 - g->x : g->x)] = 255;
}

/* ---------------------------------------------------------------------------------------------- */
/* Learning against copies */

typedef struct session {
    rise_agent *agent;                   /* learns */
    rise_agent *copies[MOST_COPIES + 1]; /* copies[0] plays at random */
    int copy_count, count;               /* copies to make, without copy 0; copies that play
                                            already, with copy 0 */
    game games[ENVIRONMENTS];            /* the agent plays left, a copy right */
    int opponents[ENVIRONMENTS];         /* which copy */
    float rewards[ENVIRONMENTS];
    rise_event events[ENVIRONMENTS];
    uint32_t random;
    double points[MOST_COPIES + 1][MOST_COPIES + 1]; /* of copy i against j; a draw is 0.5 */
    double elo[MOST_COPIES + 1];
} session;

/* Begins game i and chooses its opponent: half of the time the newest copy, else any copy. An agent
   that meets only the newest copy may forget how to beat the others. */
static void begin(session *s, int i)
{
    game_begin(&s->games[i], random_below(&s->random, SERVES));
    s->opponents[i] = s->count - 1;
    if (random_below(&s->random, 2)) s->opponents[i] = random_below(&s->random, s->count);
    s->events[i] = RISE_FIRST;
    s->rewards[i] = 0;
}

/* Plays one step of all games; the agent learns from this step. In game i, the opponent is player i
   of copy opponents[i]. Returns 0 if a call failed. */
static int learn(session *s)
{
    static uint8_t frames[ENVIRONMENTS][WIDTH * HEIGHT], frame[WIDTH * HEIGHT];
    int actions[ENVIRONMENTS], i;
    for (i = 0; i < ENVIRONMENTS; i++) game_draw(&s->games[i], 0, frames[i]);
    if (rise_agent_step_all(s->agent, frames[0], NULL, s->rewards, s->events, NULL,
                            actions) != RISE_OK)
        return 0;
    for (i = 0; i < ENVIRONMENTS; i++) {
        int reply;
        outcome result;
        if (s->events[i] == RISE_TERMINATED) { /* the last frame was passed: the next game */
            begin(s, i);
            continue;
        }
        game_draw(&s->games[i], 1, frame);
        reply = rise_agent_play(s->copies[s->opponents[i]], i, frame, 0, s->events[i], NULL);
        if (reply < 0) return 0;
        result = game_move(&s->games[i], actions[i], reply);
        s->events[i] = result == GOES_ON ? RISE_MIDDLE : RISE_TERMINATED;
        s->rewards[i] = result == LEFT_WINS ? 1 : result == RIGHT_WINS ? -1 : 0;
    }
    return 1;
}

/* ---------------------------------------------------------------------------------------------- */
/* The tournament */

/* Plays one game between two copies. Returns its outcome, or GOES_ON if a call failed. Player
   ENVIRONMENTS of each copy plays here, so the games in which the agent learns are not
   disturbed. */
static outcome contest(rise_agent *left, rise_agent *right, int serve)
{
    uint8_t frame[WIDTH * HEIGHT];
    rise_event event = RISE_FIRST;
    outcome result = GOES_ON;
    game g;
    game_begin(&g, serve);
    for (; result == GOES_ON; event = RISE_MIDDLE) {
        int a, b;
        game_draw(&g, 0, frame);
        a = rise_agent_play(left, ENVIRONMENTS, frame, 0, event, NULL);
        game_draw(&g, 1, frame);
        b = rise_agent_play(right, ENVIRONMENTS, frame, 0, event, NULL);
        if (a < 0 || b < 0) return GOES_ON;
        result = game_move(&g, a, b);
    }
    return result;
}

/* Plays every serve once between the newest copy and each other copy. Returns 0 if a call failed.
   The newest copy plays left. Half of the serves fly to the left and half to the right, so neither
   side has an advantage. */
static int tournament(session *s)
{
    int const newest = s->count - 1;
    int i, serve;
    for (i = 0; i < newest; i++)
        for (serve = 0; serve < SERVES; serve++) {
            outcome const result = contest(s->copies[newest], s->copies[i], serve);
            if (result == GOES_ON) return 0;
            s->points[newest][i] += result == LEFT_WINS ? 1 : result == DRAW ? 0.5 : 0;
            s->points[i][newest] += result == RIGHT_WINS ? 1 : result == DRAW ? 0.5 : 0;
        }
    return 1;
}

/* Computes Elo ratings from all games so far, by maximum likelihood; copy 0 has the rating 0. In
   the model of Bradley and Terry, copy i beats copy j with probability p[i] / (p[i] + p[j]). The MM
   algorithm (Hunter 2004) finds p. One more draw of each pair keeps ratings finite if a copy wins
   all its games. */
static void rate(session *s)
{
    double p[MOST_COPIES + 1];
    int i, j, round;
    for (i = 0; i < s->count; i++) p[i] = 1;
    for (round = 0; round < 2000; round++)
        for (i = 0; i < s->count; i++) {
            double points = 0, games = 0;
            for (j = 0; j < s->count; j++) {
                if (j == i) continue;
                points += s->points[i][j] + 0.5;
                games += (SERVES + 1) / (p[i] + p[j]);
            }
            p[i] = points / games;
        }
    for (i = 0; i < s->count; i++) s->elo[i] = 400 * log10(p[i] / p[0]);
}

/* Prints the table. Returns whether later copies are stronger. */
static int report(const session *s, double steps)
{
    int const last = s->count - 1, pairs = s->count * last / 2;
    double const share = s->points[last][0] / SERVES;
    int i, j, ordered = 0, good;
    printf("\ncopy    steps   Elo   points against all others\n");
    for (i = 0; i < s->count; i++) {
        double points = 0;
        for (j = 0; j < s->count; j++) points += s->points[i][j];
        for (j = 0; j < i; j++) ordered += s->elo[i] > s->elo[j];
        printf("%4d  %7.0f  %4.0f   %3.0f%% of %d games%s\n", i, steps * i / last, s->elo[i],
               100 * points / (last * SERVES), last * SERVES, i == 0 ? ", at random" : "");
    }
    good = share >= 0.65 && ordered >= 0.75 * pairs;
    printf("\n%d games in all. In %d of %d pairs, the later copy has the higher rating. The last\n"
           "copy got %.0f%% of the points against copy 0: later copies are %s.\n",
           pairs * SERVES, ordered, pairs, 100 * share, good ? "stronger" : "NOT clearly stronger");
    return good;
}

/* ---------------------------------------------------------------------------------------------- */

/* Makes the agent and its copies. The copies have the agent's description with play_only = 1. */
static rise_result session_make(session *s, int steps, int seed, rise_error *error)
{
    rise_agent_desc desc;
    rise_result result;
    int i;
    memset(&desc, 0, sizeof desc);
    desc.frame_width = WIDTH;
    desc.frame_height = HEIGHT;
    desc.frame_stack = 2; /* shows how the ball moves */
    desc.actions = ACTIONS;
    desc.environments = ENVIRONMENTS;
    desc.memory = RISE_MEMORY_NONE; /* nothing is hidden */
    desc.head = RISE_HEAD_C51;
    desc.atoms = 21;
    desc.value_min = -1, desc.value_max = 1;
    desc.epsilon_end = 0.02;
    desc.learning_rate_steps = steps;
    desc.seed = (uint64_t)seed;
    result = rise_agent_create(&s->agent, &desc, error);
    desc.play_only = 1;
    desc.players = ENVIRONMENTS + 1; /* one for the tournament */
    for (i = 0; i <= s->copy_count && result == RISE_OK; i++)
        result = rise_agent_create(&s->copies[i], &desc, error);
    for (i = 0; i < desc.players && result == RISE_OK; i++)
        result = rise_agent_set_player(s->copies[0], i, 1, 0); /* all actions are random */
    s->random = (uint32_t)seed;
    s->count = 1;
    for (i = 0; i < ENVIRONMENTS; i++) begin(s, i);
    return result;
}

/* Returns the error of the call that failed. */
static const char *failure(const session *s)
{
    const rise_error *error = rise_agent_error(s->agent);
    int i;
    for (i = 0; i <= s->copy_count && error->result == RISE_OK; i++)
        error = rise_agent_error(s->copies[i]);
    return error->text;
}

/* Reads the options into numbers: steps, copies, seed. Prints a message and returns 0 if an option
   is wrong, and also for --help. */
static int parse(int argc, char **argv, int *numbers)
{
    static const struct {
        const char *name;
        int least, most;
    } options[] = {{"--steps", LEAST_STEPS, 100000000},
                   {"--copies", 1, MOST_COPIES},
                   {"--seed", 0, 100000000}};
    int i, k;
    for (i = 1; i < argc; i += 2) {
        const char *const text = i + 1 < argc ? argv[i + 1] : "";
        char *end;
        long const value = strtol(text, &end, 10);
        for (k = 0; k < 3 && strcmp(argv[i], options[k].name) != 0; k++) continue;
        if (k < 3 && end != text && *end == '\0' && value >= options[k].least &&
            value <= options[k].most) {
            numbers[k] = (int)value;
            continue;
        }
        if (k < 3)
            fprintf(stderr, "self_play: %s %s: a whole number from %d to %d is needed\n", argv[i],
                    text, options[k].least, options[k].most);
        else if (strcmp(argv[i], "--help") != 0)
            fprintf(stderr, "self_play: there is no option %s\n", argv[i]);
        fprintf(stderr,
                "self_play [--steps N, at least %d] [--copies 1..%d] [--seed N]\n"
                "The defaults are --steps 150000 --copies %d --seed 1.\n",
                LEAST_STEPS, MOST_COPIES, MOST_COPIES);
        return 0;
    }
    return 1;
}

int main(int argc, char **argv)
{
    session s;
    rise_error error;
    int numbers[] = {150000, MOST_COPIES, 1}; /* the defaults of steps, copies, seed */
    int steps, good = 1, i;
    if (!parse(argc, argv, numbers)) return 2;
    memset(&s, 0, sizeof s);
    steps = numbers[0], s.copy_count = numbers[1];
    if (session_make(&s, steps, numbers[2], &error) != RISE_OK)
        return fprintf(stderr, "self_play: %s\n", error.text), 1;
    steps -= steps % (s.copy_count * ENVIRONMENTS);
    printf("An agent learns from %d frames against copies of itself. Copy 0 plays at random.\n"
           "The share of the points that each new copy gets:\n",
           steps);
    while (good && s.count <= s.copy_count) {
        rise_agent *const copy = s.copies[s.count];
        for (i = steps / s.copy_count / ENVIRONMENTS; i > 0 && good; i--) good = learn(&s);
        good = good && rise_agent_publish(s.agent, copy) == RISE_OK; /* `copy` plays as the agent */
        s.count++;
        good = good && tournament(&s);
        if (!good) break;
        rate(&s);
        i = s.count - 1;
        printf("copy %2d: %3.0f%% against copy %d, %3.0f%% against copy 0, Elo %.0f so far\n", i,
               100 * s.points[i][i - 1] / SERVES, i - 1, 100 * s.points[i][0] / SERVES, s.elo[i]);
        fflush(stdout);
    }
    if (!good) fprintf(stderr, "self_play: %s\n", failure(&s));
    good = good && report(&s, steps);
    rise_agent_destroy(s.agent);
    for (i = 0; i <= s.copy_count; i++) rise_agent_destroy(s.copies[i]);
    return good ? 0 : 1;
}
