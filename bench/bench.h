/* What the benches share: the clock, the machine's limits, competitors that take turns, and tables.

   The machine is never quiet. So competitors take turns within a round, each long enough to be timed; what is quoted of them is
   the median over rounds, and of a ratio the median of the rounds' ratios: what disturbs a whole round falls out of it. The
   machine's own limit (multiply-adds or bytes read a second) runs in every round, too. */
#define _POSIX_C_SOURCE 200809L
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <signal.h>
#include <sys/types.h>
#include <sys/wait.h>

enum { MOST_ROUNDS = 101, MOST_COMPETITORS = 24, CHAINS = 12 };

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
static double median(const double *values, int count)
{
    double sorted[MOST_ROUNDS];
    memcpy(sorted, values, (size_t)count * sizeof *sorted);
    qsort(sorted, (size_t)count, sizeof *sorted, ascending);
    return sorted[count / 2];
}

/* ---------------------------------------------------------------------------------------------- */
/* options and the device they make */

typedef struct options {
    rise_isa isa; /* resolved: never AUTO */
    int threads, quick;
} options;

static options option;
static risei_device device;

RISEI_FN void device_make(void)
{
    device.kernels = rise_kernels_of(option.isa);
    if (device.kernels == NULL) {
        fprintf(stderr, "this machine or build lacks the kernels asked for\n");
        exit(1);
    }
    option.isa = device.kernels->isa;
    device.scratch = calloc((size_t)option.threads, rise_product_scratch());
#ifdef RISE_THREADS
    if (option.threads > 1) {
        device.threads = (risei_threads *)calloc(1, sizeof(risei_threads));
        if (device.threads == NULL || !risei_threads_begin(device.threads, option.threads,
                                                           device.scratch, rise_product_scratch()))
            exit(1);
    }
#endif
}
static void options_read(int count, char **arguments)
{
    /* as rise_isa counts */
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
/* limits: each loop is written once and compiled for every instruction set. `part` of `parts` threads does the same again. */

static volatile float sink; /* what loops compute goes there, or they would be dropped */

/* CHAINS independent sums hide the latency of a multiply-add; 2 * CHAINS * lanes * 2 operations a turn. */
#define PEAK_LOOP(name, target, vector, lanes, set1, fma, load, add)                               \
    RISEI_FN target void peak_##name(long turns)                                                   \
    {                                                                                              \
        vector const b = set1(0.999f), c = set1(0.001f);                                           \
        vector sum[CHAINS];                                                                        \
        float out[lanes];                                                                          \
        int i;                                                                                     \
        RISEI_UNROLL for (i = 0; i < CHAINS; i++)                                                  \
            sum[i] = set1(sink + (float)i); /* equal ones would become one */                      \
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
#if RISEI_NEON && RISEI_HARD_FMA
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
#if RISEI_NEON && RISEI_HARD_FMA
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
/* Floating-point operations of peak_run, or 0 where there is no peak to speak of. */
RISEI_FN double peak_work(void)
{
    static const double lanes[] = {0, 0, 0, 8, 16, 4}; /* as rise_isa counts */
    return 2.0 * 2 * CHAINS * lanes[option.isa] * PEAK_TURNS * option.threads;
}

/* What the machine gives at this moment: with two threads on cores that others use, too, no figure below is worth anything. */
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
        printf(" with one thread, %.2f times that with %d",
               option.threads * median(one, 9) / median(all, 9), option.threads);
    if (median(all, 9) > 1.25 * median(one, 9)) printf(" - CORES ARE BUSY OR MISSING");
    printf("\n");
}

/* Reading memory once: the limit of what uses every weight once. */
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
#if RISEI_NEON && RISEI_HARD_FMA
    case RISE_ISA_NEON: read_neon(data, share); break;
#endif
    default: read_plain(data, share);
    }
}
RISEI_FN void reading_run(void *user) { risei_device_run(&device, 1e9, reading_part, user); }

/* ---------------------------------------------------------------------------------------------- */
/* competitors */

typedef struct competitor {
    void (*run)(void *user);   /* does it once; or NULL and */
    double (*ask)(void *user); /* another process does it once and says how many seconds it took */
    void *user;
    int repeat; /* so often a sample */
    double seconds[MOST_ROUNDS];
    double median;
} competitor;

static competitor competitors[MOST_COMPETITORS];
RISEI_FN int competitor_count, round_count;

RISEI_FN void competitors_clear(void) { competitor_count = round_count = 0; }
/* Returns its number. */
RISEI_FN int competitor_add(void (*run)(void *user), double (*ask)(void *user), void *user)
{
    competitor *c = &competitors[competitor_count];
    if (competitor_count == MOST_COMPETITORS) exit(1);
    c->run = run, c->ask = ask, c->user = user;
    return competitor_count++;
}
/* Other people's threads spin for a while after their work is done: let them fall asleep before the next one's turn. */
static void settle(void)
{
    struct timespec pause;
    if (option.threads == 1) return;
    pause.tv_sec = 0, pause.tv_nsec = 3000000;
    nanosleep(&pause, NULL);
}
static double competitor_sample(const competitor *c, int repeat)
{
    double start;
    int i;
    if (c->ask != NULL) return c->ask(c->user);
    start = now();
    for (i = 0; i < repeat; i++) c->run(c->user);
    return (now() - start) / repeat;
}
/* Runs all for about `seconds`, but `least` rounds. The first time of each warms it up and says how often to repeat it. */
static void compete(double seconds, int least)
{
    double const start = now();
    int i, r;
    for (i = 0; i < competitor_count; i++) {
        competitor *c = &competitors[i];
        double took = competitor_sample(c, 1);
        took = competitor_sample(c, 1);
        for (c->repeat = 1; c->ask == NULL && took * c->repeat < 2e-3 && c->repeat < 1 << 20;) {
            c->repeat *= 2;
            if (took * c->repeat >= 1e-3) took = competitor_sample(c, c->repeat);
        }
    }
    for (r = 0; r < MOST_ROUNDS && (r < least || now() - start < seconds); r++)
        for (i = 0; i < competitor_count; i++) {
            settle();
            /* the caches are full of the last one */
            if (competitors[i].repeat > 1) competitor_sample(&competitors[i], 1);
            competitors[i].seconds[r] = competitor_sample(&competitors[i], competitors[i].repeat);
        }
    round_count = r;
    for (i = 0; i < competitor_count; i++)
        competitors[i].median = median(competitors[i].seconds, r);
}
/* How many times as long a takes as b. */
static double ratio(int a, int b)
{
    double ratios[MOST_ROUNDS];
    int r;
    for (r = 0; r < round_count; r++)
        ratios[r] = competitors[a].seconds[r] / competitors[b].seconds[r];
    return median(ratios, round_count);
}
/* Percent of the peak, which competes as number `peak`, that `work` operations in c's time are; 0 without a peak. */
RISEI_FN double percent(int c, int peak, double work)
{
    return peak_work() > 0 ? 100 * work / peak_work() * ratio(peak, c) : 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* tables: what is printed, in columns, and written to a CSV beside it */

typedef struct table {
    FILE *csv;
    int column;
} table;

static table out;

static void table_open(const char *path)
{
    out.csv = fopen(path, "w");
    if (out.csv == NULL) perror(path), exit(1);
}
#if defined(__GNUC__)
__attribute__((format(printf, 2, 3)))
#endif
static void cell(int width, const char *format, ...) /* a negative width: to the left */
{
    char text[128];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    printf("%s%*s", out.column > 0 ? " " : "", width, text);
    fprintf(out.csv, "%s%s", out.column++ > 0 ? "," : "", text);
}
/* A number with `digits` behind the point, or a dash where it is not known. */
RISEI_FN void cell_number(int width, int digits, double value)
{
    if (value > 0)
        cell(width, "%.*f", digits, value);
    else
        cell(width, "-");
}
static void row_end(void)
{
    printf("\n");
    fprintf(out.csv, "\n");
    fflush(stdout);
    out.column = 0;
}
static void table_close(const char *path)
{
    fclose(out.csv);
    machine_print();
    printf("written: %s\n", path);
}

/* The path of a file, named as seen from where the program is. */
RISEI_FN void beside(char *path, size_t size, const char *program, const char *file)
{
    const char *const slash = strrchr(program, '/');
    snprintf(path, size, "%.*s%s", slash != NULL ? (int)(slash - program + 1) : 0, program, file);
}

/* Random numbers in +-0.05, from a page's beginning. */
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
RISEI_FN void fill_bytes(uint8_t *bytes, size_t count, uint32_t random)
{
    size_t i;
    for (i = 0; i < count; i++)
        bytes[i] = (uint8_t)((random = random * 1664525u + 1013904223u) >> 24);
}
RISEI_FN const char *isa_name(void) { return device.kernels->name; }
