/* Measures the replay buffer: gathering a batch compared with memcpy, prioritised sampling, and the
   bytes of a stored step.

       make bench-replay [BENCH="--quick --isa avx2 --threads 2"]

   The library does not copy the frames of a batch. When the first conv layer reads them, a few
   images at a time become floats in the cache. Here the same happens without the layer. This
   gathering competes with memcpy of the same number of bytes of frames and embeddings. Each
   competitor has its own BATCHES batches, drawn beforehand, and takes them in turn. So neither
   competitor reads what the other has just brought into the cache. */
#include "bench.h"

enum { SIDE = 84, STACK = 4, BATCHES = 48, LEAVES = 1 << 20, DRAWN = 256 };

/* ---------------------------------------------------------------------------------------------- */
/* Gathering */

static rise_agent *agent;
/* The transitions of each batch, copied after risei_batch_draw. The first BATCHES batches are for
   our gathering, the others for memcpy. */
static risei_transition *batches[2 * BATCHES];
static uint8_t *copies;

/* Creates `agent`, fills its replay buffer with one long episode and draws the batches. */
static void agent_fill(rise_memory memory, int units, int window, int batch, int capacity)
{
    rise_agent_desc desc;
    rise_error error;
    uint8_t *frame = (uint8_t *)malloc(SIDE * SIDE);
    float *embedding = floats((size_t)units);
    risei_observation o;
    int i, r, b;
    memset(&o, 0, sizeof o);
    memset(&desc, 0, sizeof desc);
    desc.frame_width = desc.frame_height = SIDE;
    desc.actions = 18;
    desc.memory = memory, desc.window = window, desc.batch = batch;
    desc.recurrent_units = desc.embedding_size = units;
    desc.embedding = RISE_EMBED_SIGNS; /* downsampling would lower embedding_size */
    desc.replay_capacity = desc.learn_start = capacity;
    desc.isa = option.isa;
    desc.threads = option.threads;
    if (frame == NULL || rise_agent_create(&agent, &desc, &error) != RISE_OK) {
        fprintf(stderr, "%s\n", frame != NULL ? error.text : "no memory");
        exit(1);
    }
    fill_bytes(frame, SIDE * SIDE, 1);
    o.frame = frame, o.embedding = embedding;
    /* appends to the buffer directly, because acting on each frame would take long */
    for (i = 0; i < capacity; i++) {
        frame[i % (SIDE * SIDE)]++;
        o.event = i == 0 ? RISE_FIRST : RISE_MIDDLE;
        risei_replay_append(&agent->replay, 0, &o, desc.actions);
    }
    for (b = 0; b < 2 * BATCHES; b++) {
        batches[b] = (risei_transition *)calloc((size_t)batch, sizeof *batches[b]);
        if (batches[b] == NULL) exit(1);
        risei_batch_draw(&agent->learner.batch, &agent->replay, &agent->learner.sample_random);
        for (r = 0; r < batch; r++) batches[b][r] = agent->learner.batch.transition[r];
    }
    free(frame), free(embedding);
}

static void agent_free(void)
{
    int b;
    for (b = 0; b < 2 * BATCHES; b++) free(batches[b]);
    rise_agent_destroy(agent);
}

/* The batches of a competitor. */
typedef struct turns {
    risei_transition *const *own; /* [BATCHES] */
    int turn;
} turns;
static const risei_transition *next(void *user)
{
    turns *const t = (turns *)user;
    t->turn = (t->turn + 1) % BATCHES;
    return t->own[t->turn];
}

/* Converts frames to floats, as risei_frames_conv_part does before each of its products. */
static void stack_part(void *unused, int part, int parts, void *scratch)
{
    const risei_image *const image = &agent->model.pass.encoder.in[0];
    risei_encoder_input const input = risei_model_input(&agent->model, 0);
    int n, end;
    (void)unused;
    for (risei_part_range(2 * agent->desc.batch, 1, part, parts, &n, &end); n < end; n++)
        risei_encoder_input_convert(agent->model.device.kernels, &input, n, end, image,
                                  (rise_real *)(void *)((unsigned char *)scratch +
                                                        rise_product_scratch()));
}

static void gather_run(void *user)
{
    const risei_transition *const batch = next(user);
    memcpy(agent->learner.batch.transition, batch, (size_t)agent->desc.batch * sizeof *batch);
    risei_learner_gather(&agent->learner);
    risei_device_run(&agent->model.device, 1e9, stack_part, NULL);
}

/* Copies the frames of both stacks by memcpy, and the embeddings of the window without its padding.
   */
static void copy_part(void *job, int part, int parts, void *scratch)
{
    const risei_transition *const batch = *(const risei_transition *const *)job;
    const risei_history *const h = &agent->replay.history;
    int const before = agent->desc.window - 1, steps = before + 1 + agent->desc.n_step;
    uint16_t *const embeddings =
        (uint16_t *)(void *)(copies + (size_t)agent->desc.batch * 2 * STACK * SIDE * SIDE);
    int r, end, s;
    (void)scratch;
    for (risei_part_range(agent->desc.batch, 1, part, parts, &r, &end); r < end; r++) {
        s = risei_history_window_start(h, 0, batch[r].at, before);
        for (; s < steps && h->embedding_size > 0; s++)
            memcpy(embeddings + ((size_t)r * (size_t)steps + (size_t)s) * (size_t)h->embedding_size,
                   h->half + risei_history_slot(h, 0, batch[r].at - before + s) * h->embedding_size,
                   (size_t)h->embedding_size * sizeof *h->half);
        for (s = 0; s < 2 * STACK; s++) {
            int64_t const at = batch[r].at + (s >= STACK ? batch[r].steps : 0);
            int const begun = h->episode_frame[risei_history_slot(h, 0, at)];
            int const back = STACK - 1 - s % STACK;
            memcpy(copies + (size_t)(r * 2 * STACK + s) * SIDE * SIDE,
                   h->frames + h->frame_bytes *
                                   risei_history_slot(h, 0, at - (back < begun ? back : begun)),
                   SIDE * SIDE);
        }
    }
}

static void copy_run(void *user)
{
    const risei_transition *batch = next(user);
    risei_device_run(&device, 1e9, copy_part, &batch);
}

static void gather_row(const char *name, rise_memory memory, int units, int window, int batch,
                       int capacity)
{
    turns of_gather = {batches, 0}, of_copy = {batches + BATCHES, 0};
    double frames, windows;
    rise_metrics m;
    agent_fill(memory, units, window, batch, capacity);
    rise_agent_metrics(agent, &m);
    frames = (double)batch * 2 * STACK * SIDE * SIDE;
    windows = memory == RISE_MEMORY_RISE ? (double)batch * (window + agent->desc.n_step) * units * 2
                                         : 0;
    copies = (uint8_t *)malloc((size_t)(frames + windows));
    if (copies == NULL) exit(1);
    memset(copies, 0, (size_t)(frames + windows));
    competitors_clear();
    competitor_add(gather_run, NULL, &of_gather);
    competitor_add(copy_run, NULL, &of_copy);
    compete(option.quick ? 1 : 5, 9);
    cell(-30, "%s", name), cell(-7, "%s", isa_name()), cell(7, "%d", option.threads);
    cell(10, "%.1f", 1e6 * competitors[0].median), cell(12, "%.0f", batch / competitors[0].median);
    cell(10, "%.2f", (frames + windows) / competitors[0].median / 1e9);
    cell(10, "%.2f", (frames + windows) / competitors[1].median / 1e9),
        cell(10, "%.2f", ratio(1, 0));
    row_end();
    if (memory == RISE_MEMORY_RISE) {
        double const needed = SIDE * SIDE + 2.0 * units;
        printf("    a stored step: %d bytes = frame %d + embedding %d + bookkeeping %d: %.2f%% "
               "more than frame and embedding\n",
               (int)m.bytes_per_step, SIDE * SIDE, 2 * units,
               (int)((double)m.bytes_per_step - needed),
               100 * ((double)m.bytes_per_step / needed - 1));
    }
    free(copies);
    agent_free();
}

/* ---------------------------------------------------------------------------------------------- */
/* Sampling */

typedef struct sampling {
    risei_replay replay;
    risei_random random;
    risei_transition drawn[DRAWN];
    rise_real td[DRAWN], weights[DRAWN], work[DRAWN];
    void *block;
} sampling;

static void sample_run(void *user)
{
    sampling *const s = (sampling *)user;
    risei_replay_sample(&s->replay, &s->random, DRAWN, s->drawn);
    risei_replay_weights(device.kernels, DRAWN, s->drawn, 0.4, s->weights);
}

static void update_run(void *user)
{
    sampling *const s = (sampling *)user;
    risei_replay_set_priorities(&s->replay, device.kernels, DRAWN, s->drawn, s->td, 0.5, s->work);
}

static void both_run(void *user)
{
    sampling *const s = (sampling *)user;
    int i;
    sample_run(user);
    for (i = 0; i < DRAWN; i++) s->td[i] = 2 * risei_random_uniform(&s->random) - 1;
    update_run(user);
}

static void sampling_row(void)
{
    static const char *const names[] = {"sample and update", "sample and weights",
                                        "update (same transitions)"};
    static sampling s;
    uint8_t frame = 0;
    risei_observation o;
    int pass, i;
    risei_arena arena;
    memset(&o, 0, sizeof o);
    o.frame = &frame;
    memset(&arena, 0, sizeof arena);
    s.random = risei_random_stream(1, 1);
    s.replay.history.lanes = 1, s.replay.history.capacity = LEAVES,
    s.replay.history.frame_bytes = 1;
    s.replay.n_step = 3, s.replay.discount = 0.99;
    for (pass = 0; pass < 2; pass++) {
        if (pass == 1 && posix_memalign(&s.block, RISEI_ALIGN, arena.used) != 0) exit(1);
        arena.base = (unsigned char *)s.block;
        arena.used = 0;
        risei_replay_layout(&arena, &s.replay);
    }
    for (i = 0; i < LEAVES; i++)
        o.event = i == 0 ? RISE_FIRST : RISE_MIDDLE, risei_replay_append(&s.replay, 0, &o, 2);
    for (i = 0; i < LEAVES - s.replay.n_step; i++)
        risei_replay_tree_set(&s.replay, i, 0.01 + (double)risei_random_uniform(&s.random));
    competitors_clear();
    competitor_add(both_run, NULL, &s);
    competitor_add(sample_run, NULL, &s);
    competitor_add(update_run, NULL, &s);
    compete(option.quick ? 1 : 5, 21);
    for (i = 0; i < 3; i++) {
        cell(-30, "%s", names[i]), cell(-7, "%s", isa_name()), cell(7, "%d", 1);
        cell(10, "%.1f", 1e6 * competitors[i].median),
            cell(12, "%.0f", DRAWN / competitors[i].median);
        row_end();
    }
    free(s.block);
}

int main(int count, char **arguments)
{
    static const char *const names[] = {"us", "a second", "GB/s", "memcpy", "ratio"};
    static const char *const path = "build/bench_replay.csv";
    int i, capacity;
    options_read(count, arguments);
    capacity = option.quick ? 20000 : 100000;
    table_open(path);
    machine_print();
    printf("%d frames of 84x84; each transition of a batch has two stacks of %d frames\n", capacity,
           STACK);
    cell(-30, "what"), cell(-7, "isa"), cell(7, "threads");
    for (i = 0; i < 5; i++) cell(i == 1 ? 12 : 10, "%s", names[i]);
    row_end();
    gather_row("gather NONE batch 32", RISE_MEMORY_NONE, 512, 16, 32, capacity);
    gather_row("gather NONE batch 256", RISE_MEMORY_NONE, 512, 16, 256, capacity);
    gather_row("gather RISE 512 w16 batch 32", RISE_MEMORY_RISE, 512, 16, 32, capacity);
    printf("prioritised sampling of %d transitions from 2^20\n", DRAWN);
    sampling_row();
    printf(
        "\nGB/s: bytes of frames and embeddings that our gathering reads a second.\n"
        "memcpy: GB/s of copying the same bytes. ratio: memcpy's time / our time, the median of\n"
        "all rounds. The stacks of a state and of the state n steps later overlap if n is below\n"
        "%d: some frames are read twice.\n",
        STACK);
    table_close(path);
    return 0;
}
