/* How many machines help: the time of an update of examples/cluster.c for 1 to 64 ranks, by a model
   and by a simulated network. Prints a Markdown table for each agent. Needs no MPI.

       make bench-cluster, or: cc -O2 bench/cluster.c -o bench_cluster -lm && ./bench_cluster

   The model: an update takes the time of one rank alone, plus the time of the network,

       2 latency + 2 (n - 1) overhead + bytes / bandwidth, with bytes = 2 (n - 1) / n * 4 numbers

   because the sum of ranks_add_in_order sends two rounds of n - 1 messages.

   The simulation: one process learns with desc.processes = 64, and its reduce_fn waits for as long
   as the network would take. The number of ranks changes from update to update. A measured time is
   the processor time of the update and of the steps before it, plus the time in reduce_fn. So other
   programs on the machine matter less. Times are lower quartiles.

   Options: --updates N, updates for each number of ranks [30]; --gbit X [10]; --latency US [30];
   --overhead US, of each message [3] */
#include "../examples/arcade.h"
#include "../examples/game_trainer.h"

#define RISE_IMPLEMENTATION
#include "../rise.h"

/* LANES environments step once before each update */
enum { SIZES = 7, MOST_RANKS = 64, MOST_UPDATES = 1000, LANES = 4 };
static const int sizes[SIZES] = {1, 2, 4, 8, 16, 32, 64};

typedef struct network {
    double bandwidth, latency, overhead; /* bytes a second; seconds; seconds */
    int ranks;
    double numbers; /* of the last call */
    double waited;  /* seconds of the last call */
    /* processor time of the last call; the end of a wait is a busy loop, which is not work */
    double busy;
} network;

static double bytes_of(const network *w, int ranks)
{
    return 2.0 * (ranks - 1) / ranks * sizeof(rise_real) * w->numbers;
}
static double network_time(const network *w, int ranks)
{
    if (ranks == 1) return 0;
    return 2 * w->latency + 2 * (ranks - 1) * w->overhead + bytes_of(w, ranks) / w->bandwidth;
}
static double processor_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
/* A rise_reduce_fn that takes as long as the network. The other ranks send zeros. */
static int delay(void *user, rise_real *numbers, size_t count)
{
    network *const w = (network *)user;
    double const begin = terminal_seconds(), began = processor_seconds();
    double end;
    (void)numbers;
    w->numbers = (double)count;
    end = begin + network_time(w, w->ranks);
    if (end - begin > 1e-3) terminal_sleep(end - begin - 5e-4); /* a sleep may end late */
    while (terminal_seconds() < end) continue;
    w->waited = terminal_seconds() - begin, w->busy = processor_seconds() - began;
    return 0;
}

/* Lets the agent see made-up frames. Episodes have 32 steps on average. */
static int see(rise_agent *agent, uint32_t *random)
{
    static uint8_t frames[LANES * 84 * 84];
    float rewards[LANES];
    rise_event events[LANES];
    int actions[LANES], i;
    size_t const pixels = (size_t)rise_agent_query(agent)->frame_width *
                          (size_t)rise_agent_query(agent)->frame_height;
    rise_metrics m;
    rise_agent_metrics(agent, &m);
    for (i = 0; i < LANES; i++) {
        *random = *random * 1664525 + 1013904223;
        memset(frames + (size_t)i * pixels, (int)(*random >> 24), pixels / 2);
        rewards[i] = (float)(*random >> 31);
        events[i] = *random >> 27 == 0 || m.replay_size == 0 ? RISE_FIRST : RISE_MIDDLE;
    }
    if (rise_agent_step_all(agent, frames, NULL, rewards, events, NULL, actions) == RISE_OK)
        return 1;
    return fprintf(stderr, "bench_cluster: %s\n", rise_agent_error(agent)->text), 0;
}

static int ascending(const void *a, const void *b)
{
    double const x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
/* Returns the lower quartile. Sorts x. */
static double quartile(double *x, int count)
{
    qsort(x, (size_t)count, sizeof *x, ascending);
    return x[count / 4];
}

/* Measures one agent: updates, and the steps between them. Returns 0 if a call fails. */
static int measure(const char *name, rise_agent_desc *d, network *w, int updates)
{
    static double times[SIZES][MOST_UPDATES];
    uint32_t random = 1;
    rise_agent *agent;
    rise_error error;
    int i, k, owed = 0;
    d->environments = LANES;
    d->replay_capacity = 8000, d->learn_start = 1000;
    d->learn_outside = 1;
    d->processes = MOST_RANKS, d->reduce_fn = delay, d->reduce_user = w;
    w->ranks = 1;
    if (rise_agent_create(&agent, d, &error) != RISE_OK)
        return fprintf(stderr, "bench_cluster: %s\n", error.text), 0;
    for (i = 0; i < 1200 / LANES; i++)
        if (!see(agent, &random)) return 0;
    for (i = 0; i < 3; i++)
        if (rise_agent_learn(agent) != RISE_OK) return 0;
    for (k = 0; k < updates; k++)
        for (i = 0; i < SIZES; i++) {
            double const begin = processor_seconds();
            w->ranks = sizes[i];
            owed += rise_agent_query(agent)->learn_period;
            for (; owed >= LANES; owed -= LANES)
                if (!see(agent, &random)) return 0;
            if (rise_agent_learn(agent) != RISE_OK) return 0;
            times[i][k] = processor_seconds() - begin - w->busy + w->waited;
        }
    printf("\n%s: %.0f numbers\n\n", name, w->numbers);
    printf("| ranks | messages of a rank | MB of a rank | network, ms | update, ms: model "
           "| measured | steps a second, all ranks: model | measured | efficiency: model "
           "| measured |\n|---|---|---|---|---|---|---|---|---|---|\n");
    for (i = 0; i < SIZES; i++) {
        int const n = sizes[i], period = rise_agent_query(agent)->learn_period;
        double const alone = quartile(times[0], updates), real = quartile(times[i], updates);
        double const model = alone + network_time(w, n);
        printf("| %d | %d | %.2f | %.2f | %.2f | %.2f | %.0f | %.0f | %.0f%% | %.0f%% |\n", n,
               2 * (n - 1), bytes_of(w, n) / 1e6, 1e3 * network_time(w, n), 1e3 * model, 1e3 * real,
               n * period / model, n * period / real, 100 * alone / model, 100 * alone / real);
    }
    rise_agent_destroy(agent);
    return 1;
}

int main(int argc, char **argv)
{
    static const rise_memory kinds[] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE};
    double updates = 30, gbit = 10, latency = 30, overhead = 3;
    network w;
    int i, good = 1;
    for (i = 1; i < argc; i += 2) {
        double *const x = strcmp(argv[i], "--updates") == 0    ? &updates
                          : strcmp(argv[i], "--gbit") == 0     ? &gbit
                          : strcmp(argv[i], "--latency") == 0  ? &latency
                          : strcmp(argv[i], "--overhead") == 0 ? &overhead
                                                               : NULL;
        if (x == NULL || i + 1 == argc || !((*x = atof(argv[i + 1])) > 0) || updates > MOST_UPDATES)
            return fprintf(stderr, "bench_cluster [--updates N] [--gbit X] [--latency US] "
                                   "[--overhead US]\n"), 2;
    }
    memset(&w, 0, sizeof w);
    w.bandwidth = gbit * 1e9 / 8, w.latency = latency * 1e-6, w.overhead = overhead * 1e-6;
    printf("%g Gbit/s, latency %g us, %g us a message; lower quartiles of %.0f updates.\n", gbit,
           latency, overhead, updates);
    for (i = 0; i < 4 && good; i++) {
        rise_agent_desc d;
        game g;
        char name[80];
        game_init(&g, GAME_CORRIDOR, 0, 1);
        d = trainer_desc(&g, 80000, 1);
        if (i >= 2) {
            memset(&d, 0, sizeof d);
            d.frame_width = d.frame_height = 84, d.actions = 6;
            arcade_describe(&d);
        }
        d.memory = kinds[i % 2];
        snprintf(name, sizeof name, "%s, %s", i < 2 ? "Corridor, 10 x 10" : "Atari, 84 x 84",
                 d.memory == RISE_MEMORY_NONE ? "NONE" : "RISE");
        good = measure(name, &d, &w, (int)updates);
    }
    return good ? 0 : 1;
}
