/* Measures the parts of an update, for 1 to 32 parts. Prints a Markdown table of their times and of
   the agent's bytes. Where qemu is installed, the table also has the instructions of the longest
   part and of the update.

       make bench-parts [BENCH="--quick --isa avx2 --threads 2"]

   All fields of the description have their defaults, except the frame size, the 4 actions, the
   memory, isa, threads, batch_parts, and what a benchmark needs. These are random actions, a
   replay buffer of 400 frames, learn_start = 200, learn_period = 1 and learn_outside = 1. The
   replay buffer holds random frames of one episode. The step before each timed update overwrites
   the oldest frame, so timed updates have no window with padding. The update whose instructions are
   counted may have a few: there the buffer still begins with the episode. A clock that the program
   sets makes each call of rise_agent_learn_for do one part.

   The agents of one frame size and memory take turns: each does a whole update in a round. With
   one thread a time is processor time, so that other programs matter little; with several threads
   it is elapsed time.

   Instructions are counted under qemu with bench/count_insns.c: this program runs itself there as

       parts --count WIDTH HEIGHT MEMORY PARTS ISA

   and makes a system call before and after each part. qemu has no AVX-512, so on a machine with
   AVX-512 the AVX2 kernels are counted. Counting takes most of the time; with --quick, it is left
   out for frames of 84 x 84. */
#include "bench.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { ACTIONS = 4, SIZES = 4, KINDS = 2, COUNTS = 6, PARTS_MAX = 32, STORED = 200, LARGE = 36 };

/* The time between two readings of the agents' clock, in seconds. Its multiples are exact. */
#define TICK (1.0 / 1024)

static const int sizes[SIZES][2] = {{8, 8}, {16, 12}, {32, 24}, {84, 84}};
static const rise_memory kinds[KINDS] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE};
static const char *const kind_names[KINDS] = {"NONE", "RISE"};
static const int counts[COUNTS] = {1, 2, 4, 8, 16, 32};

/* One agent that is measured. */
typedef struct subject {
    rise_agent *agent;
    uint8_t *frame;
    double clock;                           /* what its clock_fn returned last, in seconds */
    int parts, steps, updates, competitor;
    double seconds[PARTS_MAX][ROUNDS_MAX];  /* of the newest updates, by the place of the part */
} subject;

/* What qemu counted: the instructions of the longest part and of the whole update. */
typedef struct instructions {
    char kernels[16];
    double longest, update; /* 0: not counted */
} instructions;

static void failed(const char *text)
{
    fprintf(stderr, "parts: %s\n", text);
    exit(1);
}

/* ---------------------------------------------------------------------------------------------- */
/* Agents */

static double clock_read(void *user) { return ((subject *)user)->clock += TICK; }

static rise_agent_desc description(int width, int height, rise_memory memory, int parts)
{
    rise_agent_desc desc = bench_desc(width, height, memory, ACTIONS);
    desc.batch_parts = parts;
    return desc;
}
static void subject_step(subject *s)
{
    const rise_agent_desc *const desc = rise_agent_query(s->agent);
    fill_bytes(s->frame, (size_t)desc->frame_width * (size_t)desc->frame_height,
               (uint32_t)s->steps);
    if (rise_agent_step(s->agent, s->frame, (float)(s->steps % 7 == 0),
                        s->steps == 0 ? RISE_FIRST : RISE_MIDDLE) < 0)
        failed(rise_agent_error(s->agent)->text);
    s->steps++;
}
/* Creates the agent and fills its whole replay buffer; updates are due from the middle on. Random
   actions need no network. */
static void subject_make(subject *s, rise_agent_desc desc)
{
    rise_error error;
    memset(s, 0, sizeof *s);
    s->parts = desc.batch_parts;
    desc.replay_capacity = 2 * STORED, desc.learn_start = STORED;
    desc.learn_period = 1;
    desc.epsilon_end = 1;
    desc.clock_fn = clock_read, desc.clock_user = s;
    s->frame = (uint8_t *)malloc((size_t)desc.frame_width * (size_t)desc.frame_height);
    if (s->frame == NULL) failed("no memory");
    if (rise_agent_create(&s->agent, &desc, &error) != RISE_OK) failed(error.text);
    while (s->steps < 2 * STORED) subject_step(s);
    /* ends the warm-up: standardises and embeds the stored frames, which is no part of an update */
    if (rise_agent_learn_for(s->agent, 0) != 0) failed(rise_agent_error(s->agent)->text);
}
static void subject_free(subject *s)
{
    rise_agent_destroy(s->agent);
    free(s->frame);
}
/* Computes the next part of the update; `part` is its place. */
static void subject_part(subject *s, int part)
{
    if (rise_agent_learn_for(s->agent, 1e6 * TICK) != (part == s->parts - 1))
        failed("a call of rise_agent_learn_for did not do one part");
}

/* ---------------------------------------------------------------------------------------------- */
/* Time */

/* Does an update, and returns its seconds. */
static double update_time(void *user)
{
    subject *const s = (subject *)user;
    double sum = 0;
    int part;
    subject_step(s);
    for (part = 0; part < s->parts; part++) {
        double const begin = work_seconds();
        subject_part(s, part);
        s->seconds[part][s->updates % ROUNDS_MAX] = work_seconds() - begin;
        sum += s->seconds[part][s->updates % ROUNDS_MAX];
    }
    s->updates++;
    return sum;
}
/* Writes the seconds of a part: the median of all parts, and that of the longest one. First takes
   the median over the updates for each place in the update. */
static void part_times(const subject *s, double *middle, double *longest)
{
    double places[PARTS_MAX];
    int part;
    *longest = 0;
    for (part = 0; part < s->parts; part++) {
        places[part] = median(s->seconds[part], s->updates < ROUNDS_MAX ? s->updates : ROUNDS_MAX);
        if (places[part] > *longest) *longest = places[part];
    }
    *middle = median(places, s->parts);
}

/* ---------------------------------------------------------------------------------------------- */
/* Instructions */

#ifdef __aarch64__
#define EMULATOR "qemu-aarch64"
#else
#define EMULATOR "qemu-x86_64 -cpu max"
#endif

/* Under qemu: does an update, with a mark before and after each part. Prints the name of the
   kernels; the plugin then prints the instructions at each mark. The first update is enough: later
   updates execute the same number, except a few dozen instructions and the copies to the target
   network. */
static int count_marked(char **arguments)
{
    subject *const s = (subject *)malloc(sizeof *s);
    rise_agent_desc desc;
    int part;
    if (s == NULL) failed("no memory");
    option.isa = (rise_isa)atoi(arguments[4]);
    if (rise_kernels_of(option.isa) == NULL) option.isa = RISE_ISA_AUTO;
    printf("%s\n", rise_kernels_of(option.isa)->name);
    fflush(stdout);
    option.threads = 1;
    desc = description(atoi(arguments[0]), atoi(arguments[1]), (rise_memory)atoi(arguments[2]),
                       atoi(arguments[3]));
    subject_make(s, desc);
    for (part = 0; part < s->parts; part++) {
        getppid(); /* the mark */
        subject_part(s, part);
    }
    getppid();
    subject_free(s);
    free(s);
    return 0;
}
/* Counts the instructions of an update in qemu. `program`: the path of this program. */
static instructions count(const char *program, const rise_agent_desc *desc)
{
    instructions result;
    char plugin[1000], command[3000];
    FILE *from;
    double before = 0, at;
    int part, good;
    memset(&result, 0, sizeof result);
    beside(plugin, sizeof plugin, program, "count_insns.so");
    snprintf(command, sizeof command,
             "%s -plugin '%s',mark=%ld '%s' --count %d %d %d %d %d 2> /dev/null", EMULATOR, plugin,
             (long)SYS_getppid, program, desc->frame_width, desc->frame_height, (int)desc->memory,
             desc->batch_parts, (int)desc->isa);
    from = popen(command, "r");
    if (from == NULL) return result;
    good = fscanf(from, "%15s %lf", result.kernels, &before) == 2;
    for (part = 0; good && part < desc->batch_parts; part++) {
        good = fscanf(from, "%lf", &at) == 1;
        result.update += at - before;
        if (at - before > result.longest) result.longest = at - before;
        before = at;
    }
    if (pclose(from) != 0 || !good) memset(&result, 0, sizeof result);
    return result;
}

/* ---------------------------------------------------------------------------------------------- */
/* The table */

static void print_row(const subject *s, const char *name, const instructions *counted)
{
    const rise_agent_desc *const used = rise_agent_query(s->agent);
    rise_agent_desc const desc = description(used->frame_width, used->frame_height, used->memory,
                                             used->batch_parts);
    double middle, longest;
    part_times(s, &middle, &longest);
    printf("| %d x %d | %s | %d | %.3g | %.3g | %.3g | %.1f |", desc.frame_width,
           desc.frame_height, name, s->parts, 1e3 * middle, 1e3 * longest,
           1e3 * competitors[s->competitor].median, 1e-6 * (double)rise_agent_bytes(&desc, NULL));
    if (counted->longest > 0)
        printf(" %.3g | %.3g |\n", 1e-6 * counted->longest, 1e-6 * counted->update);
    else
        printf(" - | - |\n");
    fflush(stdout);
}
static void measure(const char *program, const int *size, int kind)
{
    static subject subjects[COUNTS];
    int i;
    competitors_clear();
    for (i = 0; i < COUNTS; i++) {
        subject_make(&subjects[i], description(size[0], size[1], kinds[kind], counts[i]));
        subjects[i].competitor = competitor_add(NULL, update_time, &subjects[i]);
    }
    compete(option.quick ? 1 : 5, option.quick ? 5 : 15);
    for (i = 0; i < COUNTS; i++) {
        rise_agent_desc const desc = description(size[0], size[1], kinds[kind], counts[i]);
        instructions counted = {"", 0, 0};
        if (!option.quick || size[0] < LARGE) counted = count(program, &desc);
        print_row(&subjects[i], kind_names[kind], &counted);
    }
    for (i = 0; i < COUNTS; i++) subject_free(&subjects[i]);
}
/* Prints which kernels qemu counts, or that it cannot. */
static void counter_print(const char *program)
{
    rise_agent_desc const desc = description(8, 8, RISE_MEMORY_NONE, 1);
    instructions const counted = count(program, &desc);
    if (counted.longest > 0)
        printf("Instructions: %s kernels, counted under qemu\n", counted.kernels);
    else
        printf("Instructions are not counted: that needs qemu's user mode, with plugins\n");
}

int main(int count_of_arguments, char **arguments)
{
    int i, kind;
    if (count_of_arguments == 7 && strcmp(arguments[1], "--count") == 0)
        return count_marked(arguments + 2);
    options_read(count_of_arguments, arguments);
    machine_print();
    counter_print(arguments[0]);
    printf("\n| frame | memory | parts | ms, median part | ms, longest part | ms, update | MB | "
           "million instructions, longest part | million instructions, update |\n");
    printf("|---|---|---|---|---|---|---|---|---|\n");
    for (i = 0; i < SIZES; i++)
        for (kind = 0; kind < KINDS; kind++) measure(arguments[0], sizes[i], kind);
    printf("\n");
    machine_print();
    return 0;
}
