/* Measures the time of an update and of an action, and compares it with PyTorch and with the
   machine's limits.

       make bench-step [BENCH="--quick --isa avx2 --threads 2"]

   The competitors take turns: agents with memory NONE, RISE and FULL, and an update of the same
   networks in PyTorch if python3 has it. The replay buffer holds random frames of one episode. The
   episode is longer than any window, so no window contains padding. */
#include "bench.h"

#include <unistd.h>

enum { CAPACITY = 300, ACTIONS = 18, CASES_MAX = 8, ACT_REPEAT = 20 };

typedef struct step_case {
    const char *name;
    int side, window, batch, units;
    rise_memory memory;
    /* 0: without PyTorch; 1: beside PyTorch; 2: with --quick without PyTorch;
       3: with --quick this case is left out */
    int torch;
    const char *settings[2]; /* more fields, for rise_agent_set */
} step_case;

typedef struct memory_file {
    unsigned char *data;
    size_t size, room;
} memory_file;

/* A case that runs. */
typedef struct entry {
    const step_case *what;
    rise_agent *agent;
    uint8_t *frame;
    reading weights;
    int ours, torch[2], read; /* numbers of its competitors; 0 (the peak's number): none */
    memory_file small;        /* act: the policy with 8-bit weights, which `player` plays */
    rise_agent *player;
    int small_ours;
} entry;

static entry entries[CASES_MAX];
static int entry_count;

/* ---------------------------------------------------------------------------------------------- */
/* PyTorch, in two processes: "usual" is the usual code, "best" has PyTorch's optimisations */

typedef struct peer {
    FILE *to, *from;
    char version[64];
} peer;

typedef struct question {
    peer *who;
    int id, repeat;
} question;

static peer peers[2];
static const char *const peer_names[2] = {"usual", "best"};
static question questions[COMPETITORS_MAX];
static int question_count;

static void peer_environment(int best)
{
    static const char *const threads[] = {"OMP_NUM_THREADS", "MKL_NUM_THREADS"};
    int const avx2 = option.isa == RISE_ISA_AVX2;
    char text[16];
    int i;
    snprintf(text, sizeof text, "%d", option.threads);
    for (i = 0; i < 2; i++) setenv(threads[i], text, 1);
    /* its threads spin for some milliseconds at most, so that they do not disturb the others */
    setenv("GOMP_SPINCOUNT", "100000", 0);
    if (avx2) {
        setenv("ATEN_CPU_CAPABILITY", "avx2", 1), setenv("MKL_ENABLE_INSTRUCTIONS", "AVX2", 1);
        setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1), setenv("DNNL_MAX_CPU_ISA", "AVX2", 1);
    }
    if (!best) return;
    if (option.isa == RISE_ISA_AVX512) setenv("ATEN_CPU_CAPABILITY", "avx512", 1);
    /* malloc keeps the memory from one update to the next */
    setenv("MALLOC_MMAP_MAX_", "0", 1);
    setenv("MALLOC_TRIM_THRESHOLD_", "100000000000", 1);
    setenv("MALLOC_TOP_PAD_", "67108864", 1);
    setenv("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1", 1);
}

static void peer_start(int best, const char *program)
{
    const char *python = getenv("PYTHON");
    char script[1024], threads[16];
    int to[2], from[2];
    pid_t child;
    beside(script, sizeof script, program, "../bench/peer_torch.py");
    snprintf(threads, sizeof threads, "%d", option.threads);
    if (pipe(to) != 0 || pipe(from) != 0) exit(1);
    child = fork();
    if (child == 0) {
        dup2(to[0], 0), dup2(from[1], 1);
        close(to[0]), close(to[1]), close(from[0]), close(from[1]);
        /* otherwise the first process would not see its input end */
        if (best) close(fileno(peers[0].to)), close(fileno(peers[0].from));
        peer_environment(best);
        execlp(python != NULL ? python : "python3", "python3", script, peer_names[best], threads,
               (char *)NULL);
        _exit(1);
    }
    close(to[0]), close(from[1]);
    peers[best].to = fdopen(to[1], "w"), peers[best].from = fdopen(from[0], "r");
}

/* Reads the peer's answer into `text`. If there is none, the peer counts as absent from now on. */
static void peer_answer(peer *p, char *text, int size)
{
    text[0] = 0;
    if (p->from == NULL || fgets(text, size, p->from) == NULL || strncmp(text, "absent", 6) == 0)
        p->version[0] = 0;
    text[strcspn(text, "\n")] = 0;
}

static void peers_start(const char *program)
{
    int i;
    signal(SIGPIPE, SIG_IGN);
    for (i = 0; i < 2; i++) peer_start(i, program);
    for (i = 0; i < 2; i++) {
        char version[sizeof peers[i].version];
        strcpy(peers[i].version, "?");
        peer_answer(&peers[i], version, sizeof version);
        if (peers[i].version[0] != 0) strcpy(peers[i].version, version);
    }
    printf("PyTorch: %s\n", peers[0].version[0] != 0 ? peers[0].version : "absent");
}

static void peers_end(void)
{
    int i;
    for (i = 0; i < 2; i++) fclose(peers[i].to), fclose(peers[i].from);
    while (wait(NULL) > 0) {}
}

static double peer_ask(void *user)
{
    const question *const q = (const question *)user;
    char text[64];
    fprintf(q->who->to, "time %d %d\n", q->id, q->repeat);
    fflush(q->who->to);
    peer_answer(q->who, text, sizeof text);
    if (q->who->version[0] == 0) fprintf(stderr, "PyTorch's process has ended\n"), exit(1);
    return atof(text);
}

/* Lets the peer prepare the case. Returns the new competitor's number, or 0 without the peer. */
static int peer_enter(peer *p, const char *what, const step_case *c, int repeat)
{
    static const char *const names[] = {"rise", "none", "full"};
    question *const q = &questions[question_count];
    char text[64];
    if (p->version[0] == 0) return 0;
    q->who = p, q->id = question_count++, q->repeat = repeat;
    fprintf(p->to, "prepare %d %s %s %d %d %d\n", q->id, what, names[c->memory], c->batch,
            c->window, c->units);
    fflush(p->to);
    peer_answer(p, text, sizeof text);
    return p->version[0] != 0 ? competitor_add(NULL, peer_ask, q) : 0;
}

static void peers_drop(void)
{
    char text[64];
    while (question_count > 0) {
        peer *const p = questions[--question_count].who;
        fprintf(p->to, "drop %d\n", question_count);
        fflush(p->to);
        peer_answer(p, text, sizeof text);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Agents */

/* Creates an agent and fills its replay buffer. The only episode began before the oldest frame that
   the buffer holds. */
static rise_agent *agent_make(const step_case *c)
{
    rise_agent_desc desc = bench_desc(c->side, c->side, c->memory, ACTIONS);
    rise_agent *agent;
    rise_error error;
    size_t const bytes = (size_t)(c->side * c->side);
    uint8_t *frame = (uint8_t *)malloc(bytes);
    int step, i;
    desc.window = c->window;
    desc.batch = c->batch;
    desc.recurrent_units = desc.embedding_size = c->units;
    desc.embedding = RISE_EMBED_SIGNS; /* downsampling would lower embedding_size */
    desc.cell = RISE_CELL_LSTM; /* PyTorch's agent has the same */
    desc.carry_state = 1;
    desc.replay_capacity = desc.learn_start = CAPACITY;
    for (i = 0; i < 2; i++)
        if (c->settings[i] != NULL && rise_agent_set(&desc, c->settings[i], &error) != RISE_OK)
            exit(1);
    if (frame == NULL || rise_agent_create(&agent, &desc, &error) != RISE_OK) {
        fprintf(stderr, "%s: %s\n", c->name, frame != NULL ? error.text : "no memory");
        exit(1);
    }
    for (step = 0; step < CAPACITY + c->window + 20; step++) {
        fill_bytes(frame, bytes, (uint32_t)step);
        rise_agent_step(agent, frame, (float)(step % 7 == 0), step == 0 ? RISE_FIRST : RISE_MIDDLE);
    }
    free(frame);
    return agent;
}

static void learn_run(void *user)
{
    rise_agent *const agent = ((const entry *)user)->agent;
    if (rise_agent_learn(agent) == RISE_OK) return;
    fprintf(stderr, "%s\n", rise_agent_error(agent)->text);
    exit(1);
}

static void act_run(void *user)
{
    const entry *const e = (const entry *)user;
    sink = (float)rise_agent_play(e->agent, 0, e->frame, 0, RISE_MIDDLE, NULL);
}
static void act_small_run(void *user)
{
    const entry *const e = (const entry *)user;
    sink = (float)rise_agent_play(e->player, 0, e->frame, 0, RISE_MIDDLE, NULL);
}
/* Adds bytes to a file in memory, as a rise_write_fn. */
static int memory_write(void *user, const void *data, size_t size)
{
    memory_file *const f = (memory_file *)user;
    if (f->size + size > f->room) {
        f->room = 2 * (f->size + size);
        f->data = (unsigned char *)realloc(f->data, f->room);
        if (f->data == NULL) exit(1);
    }
    memcpy(f->data + f->size, data, size);
    f->size += size;
    return 1;
}
/* Opens the agent's policy with 8-bit weights. */
static void small_make(entry *e)
{
    rise_agent_desc machine;
    rise_error error;
    memset(&machine, 0, sizeof machine);
    machine.isa = option.isa, machine.threads = option.threads;
    if (rise_agent_write(e->agent, RISE_SAVE_INT8, memory_write, &e->small, &error) != RISE_OK ||
        rise_agent_open(&e->player, e->small.data, e->small.size, &machine, &error) != RISE_OK) {
        fprintf(stderr, "%s\n", error.text);
        exit(1);
    }
    rise_agent_play(e->player, 0, e->frame, 0, RISE_FIRST, NULL);
}

/* Returns the floating-point operations of the conv layers for one image, and in *first those of
   the first layer. */
static double image_work(const risei_encoder *e, double *first)
{
    double image = 0;
    int l;
    for (l = 0; l < e->layers; l++) {
        const risei_conv *const c = &e->conv[l];
        double const layer = 2.0 * c->out_height * c->out_width * c->filters * c->channels *
                             c->size * c->size;
        if (l == 0) *first = layer;
        image += layer;
    }
    return image;
}

/* Returns the floating-point operations that the mathematics of an update needs. The target network
   computes the states n steps later, the online network both. In the backward pass the first layer
   has no gradient of its input, and the cell has one only with FULL. */
static double update_work(const rise_agent *a)
{
    const risei_net *const n = &a->model.net;
    double const batch = a->desc.batch;
    double const windows = n->memory->recurrent ? batch / a->desc.window_samples : 0;
    double const window = a->desc.window + a->desc.window_samples - 1, steps = windows * window;
    double const both = windows * (window + a->desc.n_step);
    double const gates = n->cell.x.out;
    double const recurrent = n->cell.h.in;
    int const full = n->memory->encodes_window;
    double first, image = image_work(&n->encoder, &first), head, work;
    if (n->encoder.has_linear) image += 2.0 * n->encoder.linear.in * n->encoder.linear.out;
    head = 2.0 * n->heads.hidden.in * n->heads.hidden.out +
           2.0 * n->heads.advantage.in * (n->heads.actions + 1);
    work = (full ? steps + both : 3 * batch) * image + (full ? steps : batch) * (2 * image - first);
    work += (3 + 2) * batch * head;
    /* forward twice, and the weights' gradient */
    work += (steps + both + steps) * 2 * (n->cell.in + recurrent) * gates;
    work += steps * 2 * (recurrent + (full ? n->cell.in : 0)) * gates;
    return work;
}

/* ---------------------------------------------------------------------------------------------- */
/* The table */

static void heads(void)
{
    static const char *const names[] = {"ms",      "a second", "/ first",   "usual ms", "ratio",
                                        "best ms", "ratio",    "% of peak", "/ reading"};
    int i;
    cell(-30, "what"), cell(-7, "isa"), cell(7, "threads");
    for (i = 0; i < 9; i++) cell(9, "%s", names[i]);
    row_end();
}

static void entry_row(const entry *e, const char *kind)
{
    int const digits = e->read != 0 ? 3 : 2;
    int i;
    cell(-30, "%s%s", kind, e->what->name), cell(-7, "%s", isa_name()),
        cell(7, "%d", option.threads);
    cell_number(9, digits, 1e3 * competitors[e->ours].median),
        cell_number(9, 1, 1 / competitors[e->ours].median);
    cell_number(9, 2, ratio(e->ours, entries[0].ours));
    for (i = 0; i < 2; i++) {
        cell_number(9, digits, e->torch[i] != 0 ? 1e3 * competitors[e->torch[i]].median : 0);
        cell_number(9, 2, e->torch[i] != 0 ? ratio(e->torch[i], e->ours) : 0);
    }
    cell_number(9, 0, e->read != 0 ? 0 : percent(e->ours, 0, update_work(e->agent)));
    cell_number(9, 2, e->read != 0 ? ratio(e->ours, e->read) : 0);
    row_end();
}

static void entries_begin(void)
{
    competitors_clear();
    competitor_add(peak_run, NULL, NULL);
    entry_count = 0;
}

static entry *entry_add(const step_case *c)
{
    entry *const e = &entries[entry_count++];
    memset(e, 0, sizeof *e);
    e->what = c;
    e->agent = agent_make(c);
    return e;
}

static void entries_end(void)
{
    while (entry_count > 0) {
        free(entries[--entry_count].frame);
        rise_agent_destroy(entries[entry_count].player);
        free(entries[entry_count].small.data);
        rise_agent_destroy(entries[entry_count].agent);
    }
    peers_drop();
}

static void learn_group(const step_case *cases, int count, double seconds)
{
    int i, j;
    entries_begin();
    for (i = 0; i < count; i++) {
        entry *e;
        if (cases[i].torch == 3 && option.quick) continue;
        e = entry_add(&cases[i]);
        e->ours = competitor_add(learn_run, NULL, e);
        for (j = 0; j < 2 && cases[i].torch > (option.quick && cases[i].torch == 2 ? 2 : 0); j++)
            e->torch[j] = peer_enter(&peers[j], "learn", &cases[i], 1);
    }
    compete(option.quick ? seconds / 10 : seconds, 5);
    for (i = 0; i < entry_count; i++) entry_row(&entries[i], "");
    for (i = 0; i < entry_count; i++)
        for (j = 0; j < entry_count; j++) {
            const step_case *const a = entries[i].what, *const b = entries[j].what;
            if (a->memory == RISE_MEMORY_FULL && b->memory == RISE_MEMORY_RISE &&
                a->window == b->window)
                printf("    FULL / RISE at window %d: time %.1f, operations %.1f\n", a->window,
                       ratio(entries[i].ours, entries[j].ours),
                       update_work(entries[i].agent) / update_work(entries[j].agent));
        }
    entries_end();
}

/* An action must read every weight once, and must do the multiply-adds of the conv layers. The time
   of reading plus the time of these multiply-adds at the peak is the limit. */
static void act_group(const step_case *cases, int count)
{
    int i, j;
    entries_begin();
    for (i = 0; i < count; i++) {
        entry *const e = entry_add(&cases[i]);
        size_t const bytes = (size_t)(cases[i].side * cases[i].side);
        e->frame = (uint8_t *)malloc(bytes);
        if (e->frame == NULL) exit(1);
        fill_bytes(e->frame, bytes, 1);
        rise_agent_play(e->agent, 0, e->frame, 0, RISE_FIRST, NULL);
        e->weights.data = e->agent->model.weights,
        e->weights.count = e->agent->model.net.parameters;
        small_make(e);
        e->ours = competitor_add(act_run, NULL, e);
        e->small_ours = competitor_add(act_small_run, NULL, e);
        e->read = competitor_add(reading_run, NULL, &e->weights);
        for (j = 0; j < 2; j++) e->torch[j] = peer_enter(&peers[j], "act", &cases[i], ACT_REPEAT);
    }
    compete(option.quick ? 2 : 10, 9);
    for (i = 0; i < entry_count; i++) entry_row(&entries[i], "act: ");
    for (i = 0; i < entry_count; i++) {
        double const bytes = 4.0 * (double)entries[i].weights.count;
        double const seconds = competitors[entries[i].read].median;
        double const operation = peak_work() > 0 ? competitors[0].median / peak_work() : 0;
        double first, conv = image_work(&entries[i].agent->model.net.encoder, &first) * operation;
        printf("    %s: reading %.1f MB of weights %.3f ms (%.1f GB/s), conv layers at the peak "
               "%.3f ms; our time / the sum: %.2f\n",
               cases[i].name, bytes / 1e6, 1e3 * seconds, bytes / seconds / 1e9, 1e3 * conv,
               competitors[entries[i].ours].median / (seconds + conv));
        printf("    %s: with 8-bit weights %.3f ms, %.2f of the time; the policy has %.1f MB\n",
               cases[i].name, 1e3 * competitors[entries[i].small_ours].median,
               ratio(entries[i].small_ours, entries[i].ours),
               (double)entries[i].small.size / 1e6);
    }
    entries_end();
}

/* The cases; ratios of a group are to its first row. */
static const step_case main_group[] = {
    {"NONE batch 32", 84, 16, 32, 128, RISE_MEMORY_NONE, 1, {NULL, NULL}},
    {"RISE 128 window 16 batch 32", 84, 16, 32, 128, RISE_MEMORY_RISE, 1, {NULL, NULL}},
    {"RISE 128 window 64 batch 32", 84, 64, 32, 128, RISE_MEMORY_RISE, 2, {NULL, NULL}},
    {"FULL 128 window 16 batch 32", 84, 16, 32, 128, RISE_MEMORY_FULL, 2, {NULL, NULL}}};
static const step_case large[] = {
    {"NONE batch 256", 84, 16, 256, 128, RISE_MEMORY_NONE, 1, {NULL, NULL}}};
static const step_case wide[] = {
    {"RISE 512 window 8 batch 32", 84, 8, 32, 512, RISE_MEMORY_RISE, 1, {NULL, NULL}},
    {"RISE 512 window 16 batch 32", 84, 16, 32, 512, RISE_MEMORY_RISE, 1, {NULL, NULL}},
    {"RISE 512 window 32 batch 32", 84, 32, 32, 512, RISE_MEMORY_RISE, 3, {NULL, NULL}},
    {"RISE 512 window 64 batch 32", 84, 64, 32, 512, RISE_MEMORY_RISE, 3, {NULL, NULL}}};
static const step_case cheap[] = {
    {"NONE batch 32", 84, 32, 32, 128, RISE_MEMORY_NONE, 0, {NULL, NULL}},
    {"RISE 128 window 32", 84, 32, 32, 128, RISE_MEMORY_RISE, 0, {NULL, NULL}},
    {"4 samples a window", 84, 32, 32, 128, RISE_MEMORY_RISE, 0, {"window_samples=4", NULL}},
    {"minGRU", 84, 32, 32, 128, RISE_MEMORY_RISE, 0, {"cell=mingru", NULL}},
    {"RISE 512 window 32", 84, 32, 32, 512, RISE_MEMORY_RISE, 0, {NULL, NULL}},
    {"512, 8 samples a window", 84, 32, 32, 512, RISE_MEMORY_RISE, 0, {"window_samples=8", NULL}},
    {"512, 8 samples, minGRU",
     84,
     32,
     32,
     512,
     RISE_MEMORY_RISE,
     0,
     {"window_samples=8", "cell=mingru"}}};
static const step_case small[] = {
    {"small NONE", 10, 16, 32, 64, RISE_MEMORY_NONE, 0, {NULL, NULL}},
    {"small RISE 64 window 16", 10, 16, 32, 64, RISE_MEMORY_RISE, 0, {NULL, NULL}},
    {"small FULL 64 window 16", 10, 16, 32, 64, RISE_MEMORY_FULL, 0, {NULL, NULL}}};
static const step_case act[] = {{"NONE", 84, 16, 32, 128, RISE_MEMORY_NONE, 1, {NULL, NULL}},
                                {"RISE 128", 84, 16, 32, 128, RISE_MEMORY_RISE, 1, {NULL, NULL}},
                                {"RISE 512", 84, 16, 32, 512, RISE_MEMORY_RISE, 1, {NULL, NULL}}};

static void print_terms(void)
{
    printf(
        "\nms: our time, the median of all rounds. a second: updates or actions.\n"
        "/ first: our time / our time in the first row of the group.\n"
        "usual ms: PyTorch, usual code. best ms: PyTorch with channels_last, fused Adam and a\n"
        "frozen target network. ratio: PyTorch's time / our time, the median of all rounds;\n"
        "above 1, ours is faster.\n"
        "%% of peak: of the multiply-adds a second that this processor can do.\n"
        "Our update includes prioritised sampling, gathering the batch and updating priorities;\n"
        "PyTorch's batch is in memory already.\n"
        "act: our action includes stacking and embedding frames. / reading: our time / the time\n"
        "of reading all weights once.\n");
}

int main(int count, char **arguments)
{
    static const char *const path = "build/bench_step.csv";
    options_read(count, arguments);
    table_open(path);
    machine_print();
    peers_start(arguments[0]);
    printf("Nature network, 84x84, %d actions, dueling heads of 512; small: 10x10\n", ACTIONS);
    heads();
    learn_group(main_group, 4, 40);
    learn_group(large, 1, 25);
    learn_group(wide, 4, 40);
    learn_group(cheap, 7, 20);
    learn_group(small, 3, 10);
    act_group(act, 3);
    print_terms();
    table_close(path);
    peers_end();
    return 0;
}
