/* What an update costs: the same agent without memory, with RISE and with an ordinary recurrent net, side by side.

       cc -O2 bench/step.c -o bench_step -lm && ./bench_step [SECONDS]

   Each figure is the median over rounds in which the three kinds take turns, so that a noisy machine disturbs all alike; quote
   the ratios. The replay buffer is filled with random frames and episodes longer than the window: nothing is padding. */
#define RISE_IMPLEMENTATION
#include "../rise.h"

enum { KINDS = 3, MOST_ROUNDS = 400, STEPS = 400 };

typedef struct shape {
    const char *name;
    int width, height, window, batch;
} shape;

static const char *const kind_names[KINDS] = {"NONE", "RISE", "FULL"};
static const rise_memory kinds[KINDS] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE, RISE_MEMORY_FULL};

static double now(void)
{
#ifdef TIME_UTC
    struct timespec t;
    timespec_get(&t, TIME_UTC);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
#else
    return (double)clock() / CLOCKS_PER_SEC;
#endif
}

static int ascending(const void *a, const void *b)
{
    double const x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* An agent that has seen STEPS random frames. NULL if this machine lacks the kernels. */
static rise_agent *prepare(const shape *s, rise_memory kind, rise_isa isa)
{
    rise_agent_desc desc;
    rise_agent *agent;
    rise_error error;
    uint8_t *frame = (uint8_t *)malloc((size_t)(s->width * s->height));
    uint32_t random = 1;
    int step, i;
    memset(&desc, 0, sizeof desc);
    desc.frame_width = s->width;
    desc.frame_height = s->height;
    desc.actions = 4;
    desc.memory = kind;
    desc.window = s->window;
    desc.batch = s->batch;
    desc.carry_state = 1;
    desc.learn_outside = 1;
    desc.replay_capacity = desc.learn_start = STEPS;
    desc.isa = isa;
    if (frame == NULL || rise_agent_create(&agent, &desc, &error) != RISE_OK) {
        free(frame);
        return NULL;
    }
    for (step = 0; step < STEPS; step++) {
        for (i = 0; i < s->width * s->height; i++) frame[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
        rise_agent_step(agent, frame, (float)(step % 7 == 0), step == 0 ? RISE_FIRST : RISE_MIDDLE);
    }
    free(frame);
    return agent;
}

static void measure(const shape *s, rise_isa isa, double seconds)
{
    static double times[KINDS][MOST_ROUNDS];
    rise_agent *agents[KINDS];
    double const start = now();
    double median[KINDS];
    rise_metrics m;
    int kind, rounds;
    for (kind = 0; kind < KINDS; kind++) {
        agents[kind] = prepare(s, kinds[kind], isa);
        if (agents[kind] == NULL) return; /* the same for every kind: nothing is left behind */
        rise_agent_learn(agents[kind]);
    }
    for (rounds = 0; rounds < MOST_ROUNDS && (rounds < 5 || now() - start < seconds); rounds++)
        for (kind = 0; kind < KINDS; kind++) {
            double const before = now();
            rise_agent_learn(agents[kind]);
            times[kind][rounds] = now() - before;
        }
    rise_agent_metrics(agents[0], &m);
    printf("%-8s %3dx%-3d window %2d batch %3d  %-7s", s->name, s->width, s->height, s->window, s->batch, m.isa);
    for (kind = 0; kind < KINDS; kind++) {
        qsort(times[kind], (size_t)rounds, sizeof times[kind][0], ascending);
        median[kind] = times[kind][rounds / 2];
        printf("  %s %8.2f ms %7.1f/s", kind_names[kind], 1e3 * median[kind], 1 / median[kind]);
        rise_agent_destroy(agents[kind]);
    }
    printf("  RISE/NONE %.2f  FULL/RISE %.1f\n", median[1] / median[0], median[2] / median[1]);
}

int main(int count, char **arguments)
{
    static const shape shapes[] = {{"small", 10, 14, 16, 32}, {"Nature", 84, 84, 16, 32}};
    static const rise_isa isas[] = {RISE_ISA_AVX512, RISE_ISA_AVX2, RISE_ISA_NEON, RISE_ISA_C};
    double const seconds = count > 1 ? atof(arguments[1]) : 3;
    int s, i;
    for (s = 0; s < 2; s++)
        for (i = 0; i < 4; i++) measure(&shapes[s], isas[i], seconds);
    return 0;
}
