/* What the benchmarks share: the clock, the machine's limits, competitors that take turns, tables.

   Other programs always disturb the machine. So the competitors take turns within a round, and each
   turn is long enough to be timed. A printed time is the median over all rounds. A printed ratio is
   the median of the rounds' ratios: a disturbance that lasts for a whole round cancels out. In
   kernels.c and step.c, the machine's limit is a competitor in every round, too: the multiply-adds
   or the bytes read in a second. */
#define _POSIX_C_SOURCE 200809L
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

enum { ROUNDS_MAX = 101, COMPETITORS_MAX = 24, CHAINS = 12 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int ascending(const void *a, const void *b)
{
    double const x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Returns the median of `count` values, at most ROUNDS_MAX. */
static double median(const double *values, int count)
{
    double sorted[ROUNDS_MAX];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return sorted[count / 2];
}

/* ---------------------------------------------------------------------------------------------- */
/* Options, and the device that they ask for */

typedef struct options {
    rise_isa isa; /* after options_read never AUTO */
    int threads, quick;
} options;

static options option;
static risei_device device;

/* Returns the seconds of processor time so far; with several threads, those of the clock. */
RISEI_FN double work_seconds(void)
{
    struct timespec t;
    if (option.threads > 1) return now();
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Chooses the kernels and starts the threads. Ends the program if this machine cannot. */
RISEI_FN void device_make(void)
{
    device.kernels = rise_kernels_of(option.isa);
    if (device.kernels == NULL) {
        fprintf(stderr, "this machine or this build does not have the kernels of --isa\n");
        exit(1);
    }
    option.isa = device.kernels->isa;
    device.scratch = calloc((size_t)option.threads, rise_product_scratch());
#ifdef RISE_THREADS
    if (option.threads > 1) {
        device.threads = (risei_threads *)calloc(1, sizeof(risei_threads));
        if (device.threads == NULL ||
            !risei_threads_begin(device.threads, option.threads, 0, device.scratch,
                                 rise_product_scratch()))
            exit(1);
    }
#endif
}

/* Returns the description of an agent with the default fields, for this instruction set and number
   of threads. The agent learns only when told to. batch_parts is 1: with learn_outside, the default
   would be 4. */
static inline rise_agent_desc bench_desc(int width, int height, rise_memory memory, int actions)
{
    rise_agent_desc desc;
    memset(&desc, 0, sizeof desc);
    desc.frame_width = width, desc.frame_height = height;
    desc.actions = actions;
    desc.memory = memory;
    desc.learn_outside = 1, desc.batch_parts = 1;
    desc.isa = option.isa;
    desc.threads = option.threads;
    return desc;
}
/* Reads the command line into `option` and makes the device. Ends the program on a wrong option. */
static void options_read(int count, char **arguments)
{
    /* in the order of rise_isa */
    static const char *const names[] = {"auto", "ref", "c", "avx2", "avx512", "neon"};
    int i, isa;
    option.threads = 1;
    for (i = 1; i < count; i++) {
        const char *value = i + 1 < count ? arguments[i + 1] : "";
        if (strcmp(arguments[i], "--quick") == 0) {
            option.quick = 1;
            continue;
        }
        for (isa = 0; isa < 6 && strcmp(value, names[isa]) != 0; isa++) {}
        if (strcmp(arguments[i], "--isa") == 0 && isa < 6)
            option.isa = (rise_isa)isa;
        else if (strcmp(arguments[i], "--threads") == 0 && atoi(value) >= 1 &&
                 atoi(value) <= RISEI_THREADS_MAX)
            option.threads = atoi(value);
        else {
            fprintf(stderr, "usage: %s [--quick] [--isa avx512|avx2|neon|c|ref] [--threads N]\n",
                    arguments[0]);
            exit(2);
        }
        i++;
    }
#ifndef RISE_THREADS
    option.threads = 1;
#endif
    device_make();
}

/* ---------------------------------------------------------------------------------------------- */
/* Limits of the machine: the peak of multiply-adds, and the speed of reading memory. Each loop is
   written once and compiled for every instruction set. Every thread runs the whole peak loop. */

/* Receives the loops' results, so that the compiler cannot remove the loops. */
static volatile float sink;

/* Defines peak_<name>, which makes `turns` turns of 2 * CHAINS * lanes multiply-adds, and
   read_<name>, which sums `count` numbers. CHAINS independent sums hide the latency of a
   multiply-add. */
#define PEAK_LOOP(name, target, vector, lanes, set1, fma, load, add)                               \
    RISEI_FN target void peak_##name(long turns)                                                   \
    {                                                                                              \
        vector const b = set1(0.999f), c = set1(0.001f);                                           \
        vector sum[CHAINS];                                                                        \
        float out[lanes];                                                                          \
        int i;                                                                                     \
        RISEI_UNROLL for (i = 0; i < CHAINS; i++)                                                  \
            sum[i] = set1(sink + (float)i); /* all different: equal chains would be merged */      \
        for (; turns > 0; turns--) {                                                               \
            RISEI_UNROLL for (i = 0; i < CHAINS; i++)                                              \
                sum[i] = fma(sum[i], b, c);                                                        \
            RISEI_UNROLL for (i = 0; i < CHAINS; i++)                                              \
                sum[i] = fma(sum[i], b, c);                                                        \
        }                                                                                          \
        RISEI_UNROLL for (i = 1; i < CHAINS; i++)                                                  \
            sum[0] = add(sum[0], sum[i]);                                                          \
        memcpy(out, &sum[0], sizeof out);                                                          \
        sink = out[0];                                                                             \
    }                                                                                              \
    RISEI_FN target void read_##name(const float *x, size_t count)                                 \
    {                                                                                              \
        vector sum[8];                                                                             \
        float out[lanes];                                                                          \
        size_t at;                                                                                 \
        int i;                                                                                     \
        RISEI_UNROLL for (i = 0; i < 8; i++)                                                       \
            sum[i] = set1(0.0f);                                                                   \
        for (at = 0; at + 8 * (lanes) <= count; at += 8 * (lanes)) {                               \
            RISEI_UNROLL for (i = 0; i < 8; i++)                                                   \
                sum[i] = add(sum[i], load(x + at + i * (lanes)));                                  \
        }                                                                                          \
        RISEI_UNROLL for (i = 1; i < 8; i++)                                                       \
            sum[0] = add(sum[0], sum[i]);                                                          \
        memcpy(out, &sum[0], sizeof out);                                                          \
        sink = out[0];                                                                             \
    }
#if RISEI_AVX
PEAK_LOOP(avx512, RISEI_TARGET("avx512f"), __m512, 16, _mm512_set1_ps, _mm512_fmadd_ps,
          _mm512_loadu_ps, _mm512_add_ps)
PEAK_LOOP(avx2, RISEI_TARGET("avx2,fma"), __m256, 8, _mm256_set1_ps, _mm256_fmadd_ps,
          _mm256_loadu_ps, _mm256_add_ps)
#endif
#if RISEI_NEON && RISEI_HAS_FMA
#define NEON_FMA(sum, b, c) vfmaq_f32((c), (sum), (b))
PEAK_LOOP(neon, , float32x4_t, 4, vdupq_n_f32, NEON_FMA, vld1q_f32, vaddq_f32)
#endif
#define PLAIN_SET1(x) (x)
#define PLAIN_FMA(sum, b, c) ((sum) * (b) + (c))
#define PLAIN_LOAD(p) (*(p))
#define PLAIN_ADD(a, b) ((a) + (b))
PEAK_LOOP(plain, , float, 1, PLAIN_SET1, PLAIN_FMA, PLAIN_LOAD, PLAIN_ADD)

RISEI_FN void peak_part(void *job, int part, int parts, void *scratch)
{
    long const turns = *(const long *)job;
    (void)part, (void)parts, (void)scratch;
    switch (option.isa) {
#if RISEI_AVX
    case RISE_ISA_AVX512: peak_avx512(turns); break;
    case RISE_ISA_AVX2: peak_avx2(turns); break;
#endif
#if RISEI_NEON && RISEI_HAS_FMA
    case RISE_ISA_NEON: peak_neon(turns); break;
#endif
    default: peak_plain(turns);
    }
}

enum { PEAK_TURNS = 20000 };

RISEI_FN void peak_run(void *unused)
{
    long turns = PEAK_TURNS;
    (void)unused;
    risei_device_run(&device, 1e9, peak_part, &turns);
}

/* Returns the floating-point operations of peak_run; 0 for the kernels without vectors. */
RISEI_FN double peak_work(void)
{
    static const double lanes[] = {0, 0, 0, 8, 16, 4}; /* in the order of rise_isa */
    return 2.0 * 2 * CHAINS * lanes[option.isa] * PEAK_TURNS * option.threads;
}

/* Prints the kernels, the threads and the peak of the machine at this moment. Prints a warning if
   all threads together are slower than they should be: other programs then use the same cores, and
   figures of several threads mean nothing. */
RISEI_FN void machine_print(void)
{
    double one[9], all[9], rate;
    long turns = PEAK_TURNS;
    int i;
    for (i = 0; i < 9; i++) {
        double const start = now();
        double between;
        peak_part(&turns, 0, 1, NULL);
        between = now();
        peak_run(NULL);
        one[i] = between - start, all[i] = now() - between;
    }
    rate = peak_work() / option.threads / median(one, 9) / 1e9;
    printf("%s kernels, %d thread%s", device.kernels->name, option.threads,
           option.threads > 1 ? "s" : "");
    if (rate > 0) printf("; peak of multiply-adds: %.0f GFLOP/s", rate);
    if (option.threads > 1)
        printf(" with 1 thread, %.2f times as much with %d",
               option.threads * median(one, 9) / median(all, 9), option.threads);
    if (median(all, 9) > 1.25 * median(one, 9))
        printf(" - CORES ARE BUSY OR MISSING: these figures are of no use");
    printf("\n");
}

/* Memory that is read once: the limit of work that uses every weight once. */
typedef struct reading {
    const float *data;
    size_t count;
} reading;

RISEI_FN void reading_part(void *job, int part, int parts, void *scratch)
{
    const reading *const r = (const reading *)job;
    size_t const share = r->count / (size_t)parts;
    const float *data = r->data + (size_t)part * share;
    (void)scratch;
    switch (option.isa) {
#if RISEI_AVX
    case RISE_ISA_AVX512: read_avx512(data, share); break;
    case RISE_ISA_AVX2: read_avx2(data, share); break;
#endif
#if RISEI_NEON && RISEI_HAS_FMA
    case RISE_ISA_NEON: read_neon(data, share); break;
#endif
    default: read_plain(data, share);
    }
}

RISEI_FN void reading_run(void *user) { risei_device_run(&device, 1e9, reading_part, user); }

/* ---------------------------------------------------------------------------------------------- */
/* Competitors */

typedef struct competitor {
    void (*run)(void *user);   /* does the work once; or NULL, and */
    double (*ask)(void *user); /* does the work and measures itself: seconds for once */
    void *user;
    int repeat;                 /* times that `run` is called for one sample */
    double seconds[ROUNDS_MAX]; /* a sample of each round: seconds for once */
    double median;
} competitor;

static competitor competitors[COMPETITORS_MAX];
RISEI_FN int competitor_count, round_count;

RISEI_FN void competitors_clear(void) { competitor_count = round_count = 0; }

/* Adds a competitor and returns its number. One of `run` and `ask` is NULL. */
RISEI_FN int competitor_add(void (*run)(void *user), double (*ask)(void *user), void *user)
{
    competitor *c = &competitors[competitor_count];
    if (competitor_count == COMPETITORS_MAX) exit(1);
    c->run = run, c->ask = ask, c->user = user;
    return competitor_count++;
}

/* Waits 3 ms if there are several threads. The threads of other libraries spin for a while after
   their work is done. They must sleep before the next competitor's turn. */
RISEI_FN void settle(void)
{
    struct timespec pause;
    if (option.threads == 1) return;
    pause.tv_sec = 0, pause.tv_nsec = 3000000;
    nanosleep(&pause, NULL);
}

/* Returns the seconds that the competitor needs to do its work once: the mean of `repeat` calls of
   `run`, or what `ask` returns. */
RISEI_FN double competitor_sample(const competitor *c, int repeat)
{
    double start;
    int i;
    if (c->ask != NULL) return c->ask(c->user);
    start = now();
    for (i = 0; i < repeat; i++) c->run(c->user);
    return (now() - start) / repeat;
}

/* Chooses how often each competitor with `run` repeats its work, so that a sample takes 2 ms or
   more. A competitor with `ask` chooses this itself. */
static void competitors_warm(void)
{
    int i;
    for (i = 0; i < competitor_count; i++) {
        competitor *c = &competitors[i];
        double took = competitor_sample(c, 1);
        took = competitor_sample(c, 1); /* the first sample only warms the caches */
        for (c->repeat = 1; c->ask == NULL && took * c->repeat < 2e-3 && c->repeat < 1 << 20;) {
            c->repeat *= 2;
            if (took * c->repeat >= 1e-3) took = competitor_sample(c, c->repeat);
        }
    }
}

/* Runs rounds of all competitors for about `seconds`, and at least `least` rounds. */
RISEI_FN void compete(double seconds, int least)
{
    double const start = now();
    int i, r;
    competitors_warm();
    for (r = 0; r < ROUNDS_MAX && (r < least || now() - start < seconds); r++)
        for (i = 0; i < competitor_count; i++) {
            settle();
            /* once without the clock: the caches hold the data of the competitor before */
            if (competitors[i].repeat > 1) competitor_sample(&competitors[i], 1);
            competitors[i].seconds[r] = competitor_sample(&competitors[i], competitors[i].repeat);
        }
    round_count = r;
    for (i = 0; i < competitor_count; i++)
        competitors[i].median = median(competitors[i].seconds, r);
}

/* Returns the time of competitor a over that of competitor b. */
RISEI_FN double ratio(int a, int b)
{
    double ratios[ROUNDS_MAX];
    int r;
    for (r = 0; r < round_count; r++)
        ratios[r] = competitors[a].seconds[r] / competitors[b].seconds[r];
    return median(ratios, round_count);
}

/* Returns the speed of competitor c as a percentage of the peak; 0 without a peak. `work`: c's
   floating-point operations. `peak`: the number of the competitor peak_run. */
RISEI_FN double percent(int c, int peak, double work)
{
    return peak_work() > 0 ? 100 * work / peak_work() * ratio(peak, c) : 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Tables: printed in columns, and written to a CSV file */

typedef struct table {
    FILE *csv;
    int column;
} table;

static table out;

RISEI_FN void table_open(const char *path)
{
    out.csv = fopen(path, "w");
    if (out.csv == NULL) perror(path), exit(1);
}

/* Adds a cell to the row; a negative width aligns it to the left. */
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
RISEI_FN void cell(int width, const char *format, ...)
{
    char text[128];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    printf("%s%*s", out.column > 0 ? " " : "", width, text);
    fprintf(out.csv, "%s%s", out.column++ > 0 ? "," : "", text);
}

/* Adds a number with `digits` digits behind the point; a dash if the number is not above 0. */
RISEI_FN void cell_number(int width, int digits, double value)
{
    if (value > 0)
        cell(width, "%.*f", digits, value);
    else
        cell(width, "-");
}

RISEI_FN void row_end(void)
{
    printf("\n");
    fprintf(out.csv, "\n");
    fflush(stdout);
    out.column = 0;
}

/* Closes the CSV file and prints the peak once more, to be compared with the first one. */
RISEI_FN void table_close(const char *path)
{
    fclose(out.csv);
    machine_print();
    printf("written: %s\n", path);
}

/* Writes to `path` the path of a file that is named relative to the program's folder. */
RISEI_FN void beside(char *path, size_t size, const char *program, const char *file)
{
    const char *const slash = strrchr(program, '/');
    snprintf(path, size, "%.*s%s", slash != NULL ? (int)(slash - program + 1) : 0, program, file);
}

/* Returns `count` random numbers between -0.05 and 0.05, aligned to a page. */
RISEI_FN float *floats(size_t count)
{
    void *data = NULL;
    uint32_t random = 12345;
    size_t i;
    if (posix_memalign(&data, 4096, (count + 64) * sizeof(float)) != 0) exit(1);
    for (i = 0; i < count + 64; i++) {
        random = random * 1664525u + 1013904223u;
        ((float *)data)[i] = ((float)(random >> 8) / 16777216.0f - 0.5f) * 0.1f;
    }
    return (float *)data;
}

/* Fills `bytes` with random bytes; `random` is the seed. */
RISEI_FN void fill_bytes(uint8_t *bytes, size_t count, uint32_t random)
{
    size_t i;
    for (i = 0; i < count; i++)
        bytes[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
}

RISEI_FN const char *isa_name(void) { return device.kernels->name; }
