/* Prints what an agent costs, as a Markdown table: weights, memory and time for four frame sizes.

       make bench-costs [BENCH="--quick --isa avx2 --threads 2"]

   All fields of the description have their defaults, except the frame size, the 4 actions, the
   memory, isa, threads, learn_outside = 1 and batch_parts = 1. With learn_outside, this program
   calls each update itself. batch_parts = 1 is the default without learn_outside. The replay buffer
   is filled with learn_start + 2 window random frames of one episode, so only the first windows
   contain padding. The three kinds of agent take turns within a round. Each time is the median over
   all rounds. With one thread, a time is processor time, so that other programs matter little. With
   several threads, a time is elapsed time. Only the public functions of rise.h are used here.
   bench.h has the rounds and the peak. */
#include "bench.h"

enum { ACTIONS = 4, KINDS = 3, SIZES = 4 };

typedef struct kind {
    const char *name;
    rise_memory memory;
} kind;

static const kind kinds[KINDS] = {{"NONE", RISE_MEMORY_NONE},
                                  {"RISE", RISE_MEMORY_RISE},
                                  {"FULL", RISE_MEMORY_FULL}};

/* One agent that is measured. */
typedef struct subject {
    rise_agent *agent;
    uint8_t *frame;
    size_t bytes;                     /* of the agent that learns */
    size_t play_bytes;                /* of the same agent with play_only = 1 */
    int update, action;               /* numbers of its competitors */
    int update_repeat, action_repeat; /* calls in a sample */
} subject;

static void failed(const char *text)
{
    fprintf(stderr, "costs: %s\n", text);
    exit(1);
}

/* Creates the agent and fills its replay buffer until it can learn. The first learn_start actions
   are random, so these steps take no time in the network. */
static void subject_make(subject *s, int width, int height, rise_memory memory)
{
    rise_agent_desc desc = bench_desc(width, height, memory, ACTIONS), player = desc;
    size_t const pixels = (size_t)width * (size_t)height;
    rise_error error;
    int step, steps;
    player.play_only = 1;
    s->bytes = rise_agent_bytes(&desc, &error);
    s->play_bytes = rise_agent_bytes(&player, &error);
    s->frame = (uint8_t *)malloc(pixels);
    if (s->frame == NULL) failed("no memory");
    if (rise_agent_create(&s->agent, &desc, &error) != RISE_OK) failed(error.text);
    steps = rise_agent_query(s->agent)->learn_start + 2 * rise_agent_query(s->agent)->window;
    for (step = 0; step < steps; step++) {
        fill_bytes(s->frame, pixels, (uint32_t)step);
        if (rise_agent_step(s->agent, s->frame, (float)(step % 7 == 0),
                            step == 0 ? RISE_FIRST : RISE_MIDDLE) < 0)
            failed(rise_agent_error(s->agent)->text);
    }
    /* fills the player's window */
    for (step = 0; step < 2 * rise_agent_query(s->agent)->window; step++)
        rise_agent_play(s->agent, 0, s->frame, 0, step == 0 ? RISE_FIRST : RISE_MIDDLE, NULL);
}

static void subject_free(subject *s)
{
    rise_agent_destroy(s->agent);
    free(s->frame);
}

/* Returns the seconds that an update takes. */
static double update_time(void *user)
{
    const subject *const s = (const subject *)user;
    double const begin = work_seconds();
    int i;
    for (i = 0; i < s->update_repeat; i++)
        if (rise_agent_learn(s->agent) != RISE_OK) failed(rise_agent_error(s->agent)->text);
    return (work_seconds() - begin) / s->update_repeat;
}

/* Returns the seconds that a greedy action takes. */
static double action_time(void *user)
{
    const subject *const s = (const subject *)user;
    double const begin = work_seconds();
    int i;
    for (i = 0; i < s->action_repeat; i++)
        if (rise_agent_play(s->agent, 0, s->frame, 0, RISE_MIDDLE, NULL) < 0)
            failed(rise_agent_error(s->agent)->text);
    return (work_seconds() - begin) / s->action_repeat;
}

/* Makes an agent and its two competitors. A sample takes about 5 ms or one call. */
static void subject_enter(subject *s, int width, int height, rise_memory memory)
{
    subject_make(s, width, height, memory);
    s->update_repeat = s->action_repeat = 1;
    update_time(s), action_time(s);
    s->update_repeat = 1 + (int)(5e-3 / update_time(s));
    s->action_repeat = 1 + (int)(5e-3 / action_time(s));
    s->update = competitor_add(NULL, update_time, s);
    s->action = competitor_add(NULL, action_time, s);
}

/* Prints a number of bytes in the largest unit of which there is at least one. */
static void print_bytes(size_t bytes)
{
    double const value = (double)bytes;
    if (value >= 1e9)
        printf(" %.2f GB |", value / 1e9);
    else if (value >= 1e6)
        printf(" %.1f MB |", value / 1e6);
    else
        printf(" %.0f kB |", value / 1e3);
}

static void print_row(const subject *s, int width, int height, const char *name)
{
    double const update = 1e3 * competitors[s->update].median;
    double const action = 1e3 * competitors[s->action].median;
    const rise_agent_desc *const desc = rise_agent_query(s->agent);
    rise_metrics m;
    rise_agent_metrics(s->agent, &m);
    printf("| %d x %d | %s | %lu |", width, height, name, (unsigned long)m.parameters);
    print_bytes(s->bytes);
    printf(" %d | %lu |", desc->replay_capacity, (unsigned long)m.bytes_per_step);
    print_bytes(s->play_bytes);
    printf(" %.3g | %.3g | %.3g |\n", update, action, action + update / desc->learn_period);
}

static void measure(int width, int height)
{
    subject subjects[KINDS];
    int i;
    competitors_clear();
    for (i = 0; i < KINDS; i++) subject_enter(&subjects[i], width, height, kinds[i].memory);
    compete(option.quick ? 1 : 15, option.quick ? 5 : 15);
    for (i = 0; i < KINDS; i++) print_row(&subjects[i], width, height, kinds[i].name);
    fflush(stdout);
    for (i = 0; i < KINDS; i++) subject_free(&subjects[i]);
}

int main(int count, char **arguments)
{
    static const int sizes[SIZES][2] = {{8, 8}, {16, 12}, {32, 24}, {84, 84}};
    int i;
    options_read(count, arguments);
    machine_print();
    printf("\n| frame | memory | parameters | agent | replay steps | bytes a step | play only | "
           "ms an update | ms an action | ms a step |\n");
    printf("|---|---|---|---|---|---|---|---|---|---|\n");
    for (i = 0; i < SIZES; i++) measure(sizes[i][0], sizes[i][1]);
    printf("\n");
    machine_print();
    return 0;
}
