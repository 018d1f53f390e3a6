/* Tests batches in parts: their gradients add up, rise_agent_learn_for stops between them, and
   several processes learn as one process with all their batches, to the bit. A process is a thread
   here, and its reduce_fn adds in the order of the processes. */
#define RISE_THREADS
#define RISEI_THREADS_MINIMUM 0
#include "agent_file.h"
#include "toy.h"

/* ---------------------------------------------------------------------------------------------- */
/* Processes */

enum { PROCESSES = 3, FAILS = 7 };

/* The processes that learn together. reduce waits until all of them have called it. */
typedef struct group {
    int processes, arrived;
    int rounds; /* sums that were computed */
    int fails;  /* 1: reduce returns FAILS */
    size_t count;
    rise_real *numbers[PROCESSES];
    risei_lock lock;
    risei_condition change;
} group;
typedef struct member {
    group *of;
    int number, calls;
    rise_agent *agent;
    rise_result result;
} member;

/* Replaces numbers[i] of all processes by the sum, in the order of the processes. */
static void add_up(group *g, size_t i)
{
    rise_real sum = g->numbers[0][i];
    int k;
    for (k = 1; k < g->processes; k++) sum = sum + g->numbers[k][i];
    for (k = 0; k < g->processes; k++) g->numbers[k][i] = sum;
}
/* A rise_reduce_fn. */
static int reduce(void *user, rise_real *numbers, size_t count)
{
    member *const m = (member *)user;
    group *const g = m->of;
    int round;
    m->calls++;
    if (g->fails) return FAILS;
    risei_lock_take(&g->lock);
    round = g->rounds;
    g->numbers[m->number] = numbers;
    if (g->arrived++ == 0) g->count = count;
    if (g->count != count) exit(1); /* the processes do not call it in the same order */
    if (g->arrived == g->processes) {
        size_t i;
        for (i = 0; i < count; i++) add_up(g, i);
        g->arrived = 0, g->rounds++;
        risei_condition_wake_all(&g->change);
    }
    while (g->rounds == round) risei_condition_wait(&g->change, &g->lock);
    risei_lock_release(&g->lock);
    return 0;
}
static void group_begin(group *g, int processes)
{
    memset(g, 0, sizeof *g);
    g->processes = processes;
    CHECK(risei_lock_begin(&g->lock) && risei_condition_begin(&g->change));
}
static void group_end(group *g)
{
    risei_condition_end(&g->change);
    risei_lock_end(&g->lock);
}
/* Begins a member, and sets the fields of `d` that make its agent one of several processes. */
static void member_begin(group *g, member *m, int number, rise_agent_desc *d)
{
    memset(m, 0, sizeof *m);
    m->of = g, m->number = number;
    d->processes = g->processes, d->process = number;
    d->reduce_fn = reduce, d->reduce_user = m;
}
/* Makes the agent of one process. */
static void join(group *g, member *m, int number, const rise_agent_desc *desc)
{
    rise_agent_desc d = *desc;
    member_begin(g, m, number, &d);
    m->agent = created(&d);
}
/* Loads the agent of one process. */
static void rejoin(group *g, member *m, int number, buffer *file)
{
    rise_agent_desc machine;
    memset(&machine, 0, sizeof machine);
    member_begin(g, m, number, &machine);
    m->agent = loaded(file, &machine);
}
static void learn(void *user)
{
    member *const m = (member *)user;
    m->result = rise_agent_learn(m->agent);
}
/* Lets all processes learn at the same time, each in a thread of its own. */
static void learn_together(member *m, int processes)
{
    risei_thread threads[PROCESSES];
    int k;
    for (k = 0; k < processes; k++) CHECK(risei_thread_begin(&threads[k], learn, &m[k]));
    for (k = 0; k < processes; k++) risei_thread_end(&threads[k]);
}
/* Lets an agent observe the step that a world has made. */
static void watch(rise_agent *a, const world *w)
{
    const rise_agent_desc *d = rise_agent_query(a);
    float numbers[GAMES * TOY_NUMBERS];
    int actions[GAMES], i;
    for (i = 0; i < GAMES; i++)
        toy_numbers(w->frames + i * PIXELS, d->numbers, numbers + i * d->numbers);
    memcpy(actions, w->actions, sizeof actions);
    CHECK(rise_agent_observe(a, w->frames, d->numbers > 0 ? numbers : NULL, w->rewards, w->events,
                             d->action_masks ? w->allowed : NULL, actions) == RISE_OK);
}
static int same_bytes(const void *a, const void *b, size_t bytes)
{
    return bytes == 0 || memcmp(a, b, bytes) == 0;
}
/* Returns whether the two agents have the same weights, target weights and moments. */
static int same_learning(rise_agent *a, rise_agent *b)
{
    const risei_net *n = &a->model.net;
    size_t const bytes = n->parameters * sizeof(rise_real);
    return memcmp(rise_agent_parameters(a), rise_agent_parameters(b), bytes) == 0 &&
           memcmp(a->learner.model->target, b->learner.model->target, bytes) == 0 &&
           memcmp(a->learner.optimizer.m, b->learner.optimizer.m, bytes) == 0 &&
           memcmp(a->learner.optimizer.v, b->learner.optimizer.v, bytes) == 0;
}

static const char *const kinds[] = {
    "memory=none",
    "memory=rise",
    "memory=full wide",
    "memory=none head=iqn noisy=1 munchausen=1 action_masks=1",
    "memory=rise head=c51 cell=gru residual conv_count=2 spectral_norm=1",
    "memory=rise head=iqn stored window_samples=3 overlap burn_in=2 feed_action=1",
    "memory=full window_samples=2 layer_norm=1 fusion=gate",
    "memory=rise numbers=3 number_features=3 embedding=conv",
};

/* Processes learn as one process whose batch has a part for each of them. */
static void processes_learn_as_one(void)
{
    int k, step, p;
    for (k = 0; k < COUNT(kinds); k++) {
        int const processes = 2 + k % 2;
        rise_agent_desc d = described(kinds[k]), all;
        member m[PROCESSES];
        group g;
        world w;
        check_about("%s, %d processes", kinds[k], processes);
        d.environments = GAMES, d.replay_capacity = 200, d.learn_outside = 1, d.learn_start = 21;
        d.priority_exponent = -1; /* each process knows the errors of its own part only */
        all = d;
        all.batch = d.batch * processes, all.batch_parts = processes;
        group_begin(&g, processes);
        for (p = 0; p < processes; p++) join(&g, &m[p], p, &d);
        w = world_of(created(&all));
        for (step = 0; step < 60; step++) {
            world_run(&w, 1);
            for (p = 0; p < processes; p++) watch(m[p].agent, &w);
            if (step < 20 || step % 2 != 0) continue;
            CHECK(rise_agent_learn(w.agent) == RISE_OK);
            learn_together(m, processes);
            for (p = 0; p < processes; p++)
                CHECK(m[p].result == RISE_OK && same_learning(w.agent, m[p].agent));
        }
        for (p = 0; p < processes; p++) {
            CHECK(m[p].agent->model.updates == 20 && m[p].calls > 20);
            rise_agent_destroy(m[p].agent);
        }
        rise_agent_destroy(w.agent);
        group_end(&g);
    }
}
/* Processes that play different games have the same weights, metrics and statistics, and different
   random actions. With background, too. */
static void processes_stay_the_same(void)
{
    static const char *const words[] = {"memory=rise", "memory=rise numbers=2 embedding=conv",
                                        "memory=rise learning_rate_steps=60 context_decay=0.02",
                                        "memory=rise embedding=snapshot snapshot_steps=7",
                                        "memory=none noisy=1 batch=12 batch_parts=2",
                                        "memory=rise random background=1 context_decay=0.1"};
    int k, step, p;
    for (k = 0; k < COUNT(words); k++) {
        rise_agent_desc d = described(words[k]);
        member m[PROCESSES];
        world w[PROCESSES];
        rise_metrics first, other;
        group g;
        check_about("%s", words[k]);
        d.learn_outside = 1;
        group_begin(&g, PROCESSES);
        for (p = 0; p < PROCESSES; p++) {
            join(&g, &m[p], p, &d);
            w[p] = world_of(m[p].agent);
            w[p].games[0].dice += (uint32_t)p * 1234;
        }
        for (step = 0; step < 60; step++) {
            for (p = 0; p < PROCESSES; p++) world_run(&w[p], 1);
            if (step >= 25) learn_together(m, PROCESSES);
        }
        CHECK(memcmp(m[0].agent->replay.history.actions, m[1].agent->replay.history.actions,
                     60 * sizeof *m[0].agent->replay.history.actions) != 0);
        for (p = 1; p < PROCESSES; p++) {
            const rise_agent *a = m[0].agent, *b = m[p].agent;
            size_t const size = (size_t)a->embedder.statistics.size * sizeof(rise_real);
            CHECK(m[p].result == RISE_OK && same_learning(m[0].agent, m[p].agent));
            CHECK(same_bytes(a->frames.mean, b->frames.mean, a->frames.bytes));
            CHECK(a->frames.scale.factor == b->frames.scale.factor);
            CHECK(same_bytes(a->embedder.statistics.shift, b->embedder.statistics.shift, size));
            CHECK(same_bytes(a->embedder.statistics.gain, b->embedder.statistics.gain, size));
            CHECK(same_bytes(a->numbers.gain, b->numbers.gain,
                             (size_t)d.numbers * sizeof *a->numbers.gain));
            rise_agent_metrics(m[0].agent, &first), rise_agent_metrics(m[p].agent, &other);
            CHECK(first.updates > (d.snapshot_steps > 0 ? 5 : 25));
            CHECK(first.updates == other.updates);
            CHECK(first.loss > 0 && first.loss == other.loss && first.td_error == other.td_error);
            CHECK(first.mean_value == other.mean_value);
            CHECK(first.gradient_norm == other.gradient_norm);
        }
        for (p = 0; p < PROCESSES; p++) rise_agent_destroy(m[p].agent);
        group_end(&g);
    }
}
/* Makes two processes that have learned together once. */
static void join_two(group *g, member m[2], const rise_agent_desc *desc)
{
    int p;
    group_begin(g, 2);
    for (p = 0; p < 2; p++) {
        world w;
        join(g, &m[p], p, desc);
        w = world_of(m[p].agent);
        world_run(&w, 30);
    }
    learn_together(m, 2);
}
/* If one process has a number that is not finite, all discard the update. */
static void processes_agree_to_discard(void)
{
    rise_agent_desc d = described("memory=rise learn_outside=1 context_decay=0.1");
    member m[2];
    group g;
    rise_real kept;
    uint64_t before;
    int p;
    join_two(&g, m, &d);
    CHECK(m[0].result == RISE_OK && m[1].result == RISE_OK);
    before = hash_of(m[0].agent);
    kept = rise_agent_parameters(m[1].agent)[3];
    rise_agent_parameters(m[1].agent)[3] = (rise_real)NAN;
    learn_together(m, 2);
    for (p = 0; p < 2; p++) {
        CHECK(m[p].result == RISE_NOT_FINITE && m[p].agent->model.updates == 1);
        CHECK(strstr(rise_agent_error(m[p].agent)->text, "not finite") != NULL);
    }
    CHECK(hash_of(m[0].agent) == before);
    rise_agent_parameters(m[1].agent)[3] = kept;
    learn_together(m, 2);
    for (p = 0; p < 2; p++) CHECK(m[p].result == RISE_OK && m[p].agent->model.updates == 2);
    CHECK(same_learning(m[0].agent, m[1].agent));
    for (p = 0; p < 2; p++) rise_agent_destroy(m[p].agent);
    group_end(&g);
}
/* Makes a process that has done one update. Returns a hash of its weights. */
static uint64_t join_and_learn(group *g, member *m, world *w, const rise_agent_desc *desc)
{
    group_begin(g, 1);
    join(g, m, 0, desc);
    *w = world_of(m->agent);
    world_run(w, 30);
    CHECK(rise_agent_learn(m->agent) == RISE_OK);
    return hash_of(m->agent);
}
/* Lets reduce_fn fail, and learns until a call says so. */
static void lose(group *g, rise_agent *a)
{
    g->fails = 1;
    while (rise_agent_learn(a) == RISE_OK) continue;
}
/* After reduce_fn has failed, a process learns no more, and says why. */
static void a_lost_process_is_reported(void)
{
    static const char *const words[] = {"learn_outside=1", "learn_outside=1 background=1"};
    int k;
    for (k = 0; k < COUNT(words); k++) {
        rise_agent_desc d = described(words[k]);
        member m;
        world w;
        group g;
        uint64_t hash;
        int calls;
        check_about("%s", words[k]);
        hash = join_and_learn(&g, &m, &w, &d);
        lose(&g, m.agent);
        calls = m.calls;
        CHECK(rise_agent_learn(m.agent) == RISE_UNAVAILABLE);
        CHECK(strstr(rise_agent_error(m.agent)->text, "reduce_fn returned 7") != NULL);
        CHECK(m.calls == calls && hash_of(m.agent) == hash);
        world_run(&w, 5);
        rise_agent_destroy(m.agent);
        group_end(&g);
    }
}

/* An agent from the file of a process whose reduce_fn has failed learns at once: the file has no
   update in progress that must be discarded. */
static void a_lost_process_goes_on_from_its_file(void)
{
    static const char *const words[] = {"learn_outside=1", "learn_outside=1 background=1"};
    int k, i;
    for (k = 0; k < COUNT(words); k++) {
        rise_agent_desc const d = described(words[k]);
        rise_agent_desc machine = d;
        world w;
        member m;
        group g;
        buffer b;
        check_about("%s", words[k]);
        join_and_learn(&g, &m, &w, &d);
        lose(&g, m.agent);
        b = saved(m.agent, RISE_SAVE_ALL);
        rise_agent_destroy(m.agent);
        w.agent = loaded(&b, &machine);
        for (i = 0; i < 3; i++) CHECK(rise_agent_learn(w.agent) == RISE_OK);
        rise_agent_destroy(w.agent), free(b.data);
        group_end(&g);
    }
}
/* Sums over observations of up to MOST_SEEN numbers. */
enum { MOST_SEEN = 16 };
typedef struct sums {
    double x[MOST_SEEN], squares[MOST_SEEN];
    int count;
} sums;
static void sums_add(sums *s, const rise_real *x, int size)
{
    int i;
    s->count++;
    for (i = 0; i < size; i++)
        s->x[i] += (double)x[i], s->squares[i] += (double)x[i] * (double)x[i];
}
/* Checks that the numbers are standardised by the mean and the variance of these observations, to
   variance 1: embeddings have at most 64 numbers here. */
static void sums_check(const sums *s, const risei_statistics *with)
{
    int i;
    CHECK(with->frozen && with->size > 0 && with->size <= MOST_SEEN);
    for (i = 0; i < with->size; i++) {
        double const mean = s->x[i] / s->count;
        double const variance = s->squares[i] / s->count - mean * mean;
        CHECK(fabs((double)with->shift[i] - mean) <= 1e-5 * (1 + fabs(mean)));
        CHECK_NEAR(with->gain[i], 1 / sqrt(variance + 1e-6), 1e-4);
    }
}
/* Checks the mean frame, and the statistics of numbers and embeddings, of an agent with one
   environment: they are those of all frames in the replay buffer. CONV takes its statistics from
   RISEI_SAMPLE_FRAMES frames, spread evenly. */
static void check_statistics(const rise_agent *a)
{
    const risei_history *const h = &a->replay.history;
    const risei_embedder *const e = &a->embedder;
    int const frames = (int)h->written[0];
    int i, k;
    sums numbers, embeddings;
    memset(&numbers, 0, sizeof numbers), memset(&embeddings, 0, sizeof embeddings);
    for (i = 0; i < PIXELS; i++) {
        double sum = 0;
        for (k = 0; k < frames; k++) sum += h->frames[k * PIXELS + i];
        CHECK(a->frames.mean[i] == (uint8_t)(sum / frames + 0.5));
    }
    for (k = 0; k < frames; k++)
        sums_add(&numbers, h->raw_numbers + k * h->numbers, h->numbers);
    if (h->numbers > 0) sums_check(&numbers, &a->numbers);
    if (!a->model.net.embeds) return;
    k = e->encoder.kind->scaled ? RISEI_SAMPLE_FRAMES : frames;
    for (i = 0; i < k; i++) {
        rise_real raw[MOST_SEEN];
        e->encoder.kind->embed(&a->model.device, &e->encoder, h->frames + i * frames / k * PIXELS,
                               raw);
        sums_add(&embeddings, raw, e->statistics.size);
    }
    sums_check(&embeddings, &e->statistics);
}
/* If reduce_fn fails at the end of the warm-up, the warm-up goes on. After a restart from the file,
   the warm-up ends, with the statistics of all frames. */
static void a_process_lost_in_the_warm_up_shares_later(void)
{
    static const char *const words[] = {"memory=rise numbers=2 number_features=3 embedding=conv",
                                        "memory=rise background=1", "memory=none",
                                        "memory=rise batch=12 batch_parts=4"};
    int k, p;
    for (k = 0; k < COUNT(words); k++)
        for (p = 0; p < 2; p++) {
            rise_agent_desc d = described(words[k]);
            rise_agent_desc const machine = d;
            world w;
            member m;
            group g;
            buffer b;
            check_about("%s, process %d", words[k], p);
            d.learn_outside = 1;
            group_begin(&g, 2);
            g.fails = 1;
            join(&g, &m, p, &d);
            w = world_of(m.agent);
            world_run(&w, 30);
            CHECK(rise_agent_learn_for(m.agent, 1) == RISE_BAD_CALL);
            CHECK(strstr(rise_agent_error(m.agent)->text, "rise_agent_learn ") != NULL);
            while (rise_agent_learn(m.agent) == RISE_OK) continue;
            CHECK(m.agent->learner.part == 0);
            world_run(&w, 5);
            b = saved(m.agent, RISE_SAVE_ALL);
            CHECK(!risei_learner_warmed_up(&m.agent->model));
            rise_agent_destroy(m.agent);
            w.agent = loaded(&b, &machine);
            CHECK(!risei_learner_warmed_up(&w.agent->model) && w.agent->learner.part == 0);
            while (w.agent->model.updates == 0) CHECK(rise_agent_learn(w.agent) == RISE_OK);
            risei_background_finish(&w.agent->background);
            CHECK(risei_learner_warmed_up(&w.agent->model));
            CHECK(w.agent->replay.history.written[0] == 35);
            check_statistics(w.agent);
            rise_agent_destroy(w.agent), free(b.data);
            group_end(&g);
        }
}
/* A rise_clock_fn that stands still. rise_agent_learn_for then computes one part in each call. */
static double standing_clock(void *user)
{
    (void)user;
    return 0;
}
/* One process saves an agent in the middle of an update. Two processes load the file and learn
   together: the update begins again, and the processes have the same weights and random stream. */
static void two_processes_begin_the_update_again(void)
{
    rise_agent_desc d = described("memory=rise batch=12 batch_parts=4 learn_outside=1");
    int parts, p, i;
    d.clock_fn = standing_clock;
    for (parts = 0; parts < 4; parts++) {
        world w = world_of(created(&d));
        member m[2];
        group g;
        buffer b;
        check_about("%d parts", parts);
        world_run(&w, 60);
        CHECK(rise_agent_learn(w.agent) == RISE_OK);
        for (i = 0; i < parts; i++) CHECK(rise_agent_learn_for(w.agent, 1) == 0);
        CHECK(w.agent->learner.part == parts);
        b = saved(w.agent, RISE_SAVE_ALL);
        rise_agent_destroy(w.agent);
        group_begin(&g, 2);
        for (p = 0; p < 2; p++) {
            rejoin(&g, &m[p], p, &b);
            CHECK(m[p].agent->learner.part == 0);
        }
        for (i = 0; i < 3; i++) {
            learn_together(m, 2);
            for (p = 0; p < 2; p++) CHECK(m[p].result == RISE_OK);
            CHECK(same_learning(m[0].agent, m[1].agent));
            CHECK(m[0].agent->learner.sample_random.state ==
                  m[1].agent->learner.sample_random.state);
        }
        for (p = 0; p < 2; p++) rise_agent_destroy(m[p].agent);
        group_end(&g);
        free(b.data);
    }
}
/* Goes on in two processes from the files of processes that were lost in a snapshot. */
static void share_the_snapshot(buffer *files)
{
    member m[2];
    group g;
    rise_metrics metrics[2];
    const risei_embedder *e[2];
    int p, i;
    group_begin(&g, 2);
    for (p = 0; p < 2; p++) {
        rejoin(&g, &m[p], p, &files[p]);
        e[p] = &m[p].agent->embedder;
    }
    do {
        learn_together(m, 2);
        for (p = 0; p < 2; p++) {
            risei_background_finish(&m[p].agent->background);
            rise_agent_metrics(m[p].agent, &metrics[p]);
        }
    } while (CHECK(m[0].result == RISE_OK && m[1].result == RISE_OK) && metrics[0].refreshing > 0);
    CHECK(metrics[0].refreshing == 0 && metrics[1].refreshing == 0);
    CHECK(same_reals(e[0]->encoder.weights, e[1]->encoder.weights, e[0]->encoder.snapshot_weights));
    for (i = 0; i < e[0]->statistics.size; i++) {
        CHECK(e[0]->statistics.shift[i] == e[1]->statistics.shift[i]);
        CHECK(e[0]->statistics.gain[i] == e[1]->statistics.gain[i]);
        CHECK(e[0]->statistics.shift[i] == (rise_real)e[0]->statistics.mean[i]);
    }
    for (p = 0; p < 2; p++) rise_agent_destroy(m[p].agent);
    group_end(&g);
}
/* If reduce_fn fails while a snapshot shares its statistics, the call says so, and each process
   keeps the statistics that it computed itself. After a restart from the files, they are shared. */
static void a_process_lost_in_a_snapshot_shares_later(void)
{
    static const char *const words[] = {
        "memory=rise embedding=snapshot learn_outside=1",
        "memory=rise embedding=snapshot learn_outside=1 background=1"};
    int k, p, i;
    for (k = 0; k < COUNT(words); k++) {
        rise_agent_desc d = described(words[k]);
        member m[2];
        group g;
        buffer files[2];
        join_two(&g, m, &d);
        do { /* with background, the end of the warm-up takes several calls */
            learn_together(m, 2);
            for (p = 0; p < 2; p++) risei_background_finish(&m[p].agent->background);
        } while (m[0].agent->learner.snapshot_next > 0);
        g.fails = 1;
        for (p = 0; p < 2; p++) {
            rise_agent *const a = m[p].agent;
            const risei_statistics *s = &a->embedder.statistics;
            check_about("%s, process %d", words[k], p);
            CHECK(m[p].result == RISE_OK && a->learner.snapshot_next == 0);
            CHECK(rise_agent_snapshot(a) == RISE_OK);
            while (rise_agent_learn(a) == RISE_OK) continue;
            risei_background_finish(&a->background);
            CHECK(a->learner.snapshot_next == RISEI_SAMPLE_FRAMES + 1);
            CHECK(rise_agent_learn(a) == RISE_UNAVAILABLE);
            CHECK(rise_agent_snapshot(a) == RISE_UNAVAILABLE);
            for (i = 0; i < s->size; i++)
                CHECK(s->gain[i] > 0 && s->shift[i] == (rise_real)s->mean[i]);
            files[p] = saved(a, RISE_SAVE_ALL);
            CHECK(a->learner.snapshot_next == RISEI_SAMPLE_FRAMES + 1);
            rise_agent_destroy(a);
        }
        group_end(&g);
        share_the_snapshot(files);
        for (p = 0; p < 2; p++) free(files[p].data);
    }
}
/* Processes explore independently: two of them explore in the same step as often as by chance. */
static void processes_explore_independently(void)
{
    enum { STEPS = 100000 };
    int process, i;
    for (process = 1; process < 4096; process = 2 * process + process / 3) {
        risei_random first = risei_random_stream(7, RISEI_RANDOM_EXPLORE_OF(0));
        risei_random other = risei_random_stream(7, RISEI_RANDOM_EXPLORE_OF(process));
        int both = 0;
        for (i = 0; i < STEPS; i++) { /* both draw, whether or not the other one explores */
            int const one = risei_random_uniform(&first) < (rise_real)0.05;
            both += risei_random_uniform(&other) < (rise_real)0.05 && one;
        }
        check_about("processes 0 and %d explore together %d times", process, both);
        CHECK(both > 190 && both < 310); /* 250 is right; 4 standard deviations */
    }
    check_about("%s", "");
}
/* Skipping n random numbers is the same as drawing them, and takes no longer for a large n. */
static void skips_equal_draws(void)
{
    int64_t n;
    for (n = 0; n < 2000; n += 1 + n / 3) {
        risei_random a = risei_random_stream(7, 5), b = a;
        int64_t i;
        for (i = 0; i < n; i++) risei_random_bits(&a);
        risei_random_skip(&b, n);
        check_about("%d numbers", (int)n);
        CHECK(a.state == b.state);
    }
    {
        risei_random a = risei_random_stream(7, 5), b = a;
        risei_random_skip(&a, INT64_C(1) << 40);
        for (n = 0; n < 1024; n++) risei_random_skip(&b, INT64_C(1) << 30);
        CHECK(a.state == b.state);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Parts */

/* Copies the transitions of all draws of `from` to the batch of `to`, least padding first. */
static void gather_all(const risei_learner *from, risei_learner *to)
{
    const risei_history *h = &to->replay->history;
    int start, i, row = 0;
    for (start = 0; start <= to->batch.before; start++)
        for (i = 0; i < to->batch.size; i++) {
            const risei_transition *t = &from->transitions[i];
            if (risei_history_window_start(h, t->lane, t->at, to->batch.before) == start)
                to->batch.transition[row++] = *t;
        }
    CHECK(row == to->batch.size);
}
/* The gradients of the parts add up to the gradient of the whole batch. */
static void gradients_of_parts_add_up(void)
{
    static const char *const words[] = {"memory=none", "memory=rise", "memory=full wide",
                                        "memory=rise head=c51 noisy=1 spectral_norm=1 residual"};
    int k, parts;
    for (k = 0; k < COUNT(words); k++)
        for (parts = 2; parts <= 12; parts *= 2 + (parts == 4 ? 1 : 0)) {
            rise_agent_desc d = described(words[k]);
            world w, v;
            double most = 0, error = 0;
            size_t i;
            check_about("%s, %d parts", words[k], parts);
            d.batch = 12, d.batch_parts = 1, d.learn_outside = 1, d.priority_exponent = -1;
            w = world_after(d, 50);
            d.batch_parts = parts;
            v = world_after(d, 50);
            risei_learner_end_warm_up(&w.agent->learner, 50);
            do CHECK(v.agent->learner.part < parts);
            while (risei_learner_advance(&v.agent->learner, 50, NULL) == 0);
            memcpy(w.agent->model.target, v.agent->model.target,
                   v.agent->model.net.parameters * sizeof(rise_real));
            gather_all(&v.agent->learner, &w.agent->learner);
            risei_learner_compute_part(&w.agent->learner);
            for (i = 0; i < w.agent->model.net.parameters; i++) {
                double const x = (double)w.agent->learner.gradient[i];
                double const y = (double)v.agent->learner.gradient[i];
                if (fabs(x) > most) most = fabs(x);
                if (fabs(x - y) > error) error = fabs(x - y);
            }
            CHECK(most > 1e-3 && error < 1e-5 * most);
            CHECK_NEAR(w.agent->learner.metrics.loss, v.agent->model.metrics.loss, 1e-5);
            CHECK_NEAR(w.agent->learner.metrics.td_error, v.agent->model.metrics.td_error, 1e-5);
            rise_agent_destroy(w.agent), rise_agent_destroy(v.agent);
        }
}
/* A clock on which each part of an update takes PART microseconds. Its numbers are exact. */
#define PART (1e6 / 1024)
static double clock_of_parts(void *user) { return *(double *)user += PART / 1e6; }

static rise_agent_desc in_parts(double *now)
{
    rise_agent_desc d = described("memory=rise batch=12 batch_parts=4 learn_outside=1");
    d.clock_fn = clock_of_parts, d.clock_user = now;
    return d;
}
/* With a budget of one part, each call of rise_agent_learn_for computes one part. The weights are
   those of an agent that computes whole updates. */
static void time_budgets_stop_between_parts(void)
{
    double now = 1e6;
    rise_agent_desc const d = in_parts(&now);
    world w = world_after(d, 40), v = world_after(d, 40);
    rise_metrics m;
    int i;
    CHECK(rise_agent_learn_for(w.agent, 0) == 0 && w.agent->learner.part == 0);
    for (i = 0; i < 8; i++) {
        uint64_t const before = hash_reals(HASH_START, w.agent->model.weights, 100);
        CHECK(rise_agent_learn_for(w.agent, PART) == (i % 4 == 3));
        CHECK(w.agent->learner.part == (i + 1) % 4);
        CHECK((hash_reals(HASH_START, w.agent->model.weights, 100) != before) == (i % 4 == 3));
    }
    for (i = 0; i < 2; i++) CHECK(rise_agent_learn(v.agent) == RISE_OK);
    CHECK(same_learning(w.agent, v.agent));
    rise_agent_metrics(w.agent, &m);
    CHECK(m.update_time == 4 * PART);
    CHECK(m.updates == 2);

    /* rise_agent_learn ends the update in progress; the game goes on between parts */
    CHECK(rise_agent_learn_for(w.agent, 2 * PART) == 0 && w.agent->learner.part == 2);
    world_run(&w, 3);
    CHECK(rise_agent_learn(w.agent) == RISE_OK && w.agent->learner.part == 0);
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates == 3);

    /* changed weights end it without an update, because its parts had other weights */
    CHECK(rise_agent_learn_for(w.agent, PART) == 0 && w.agent->learner.part == 1);
    rise_agent_parameters(w.agent)[0] = 0;
    CHECK(w.agent->learner.part == 0);
    rise_agent_destroy(w.agent), rise_agent_destroy(v.agent);
}
/* An agent that is saved between two parts goes on with the next part after loading. A file without
   the replay buffer has no parts. */
static void parts_are_saved(void)
{
    double now = 1e6;
    rise_agent_desc const d = in_parts(&now);
    world w = world_after(d, 40), v = w;
    buffer b;
    int i;
    CHECK(rise_agent_learn_for(w.agent, 2 * PART) == 0 && w.agent->learner.part == 2);
    b = saved(w.agent, RISE_SAVE_AGENT);
    v.agent = loaded(&b, &d);
    CHECK(w.agent->learner.part == 2 && v.agent->learner.part == 0);
    rise_agent_destroy(v.agent), free(b.data);
    b = saved(w.agent, RISE_SAVE_ALL);
    v.agent = loaded(&b, &d);
    CHECK(w.agent->learner.part == 2 && v.agent->learner.part == 2);
    for (i = 0; i < 3; i++) {
        CHECK(rise_agent_learn(w.agent) == RISE_OK && rise_agent_learn(v.agent) == RISE_OK);
        CHECK(world_run(&w, 5) == world_run(&v, 5));
    }
    CHECK(state_of(w.agent) == state_of(v.agent));
    free(b.data);
    v.agent->learner.part = 4;
    CHECK(strstr(risei_agent_wrong(v.agent), "parts of an update") != NULL);
    v.agent->learner.part = 1, v.agent->learner.transitions[1].lane = 1;
    CHECK(strstr(risei_agent_wrong(v.agent), "out of range") != NULL);
    rise_agent_destroy(w.agent), rise_agent_destroy(v.agent);
}
/* Parts that no agent can have are refused. A discarded update stays discarded. */
static void wrong_parts_are_refused(void)
{
    double now = 1e6;
    rise_agent_desc const d = in_parts(&now);
    world w = world_after(d, 40);
    risei_learner *const l = &w.agent->learner;
    size_t at;
    buffer b;
    rise_agent *a;
    CHECK(rise_agent_learn_for(w.agent, 2 * PART) == 0 && l->part == 2);
    b = saved(w.agent, RISE_SAVE_ALL);
    at = place_of(w.agent, RISE_SAVE_ALL, &l->part, sizeof l->part);
    CHECK(get(&b, at, 8) == 2);
    number_refused(&b, at, UINT64_MAX, NULL, "draws");
    number_refused(&b, at, (uint64_t)l->draws + 1, NULL, "draws");
    at = place_of(w.agent, RISE_SAVE_ALL, &l->errors[1], sizeof l->errors[1]);
    CHECK(get(&b, at, 4) == risei_bits(l->errors[1]));
    number_refused(&b, at, UINT64_C(0x7FC00000), NULL, "a td error is not a finite number");
    free(b.data);
    l->discards = 1;
    b = saved(w.agent, RISE_SAVE_ALL);
    a = loaded(&b, &d);
    CHECK(a->learner.discards == 1 && a->learner.part == 2);
    rise_agent_destroy(a), rise_agent_destroy(w.agent);
    free(b.data);
}
/* More parts take less memory, and the number of bytes is known before. */
static void parts_save_memory(void)
{
    size_t before = SIZE_MAX;
    int parts;
    for (parts = 1; parts <= 64; parts *= 4) {
        rise_agent_desc d = described("memory=full batch=64 learn_start=64 learn_outside=1");
        world w;
        d.replay_capacity = 100;
        d.batch_parts = parts, d.memory_bytes = rise_agent_bytes(&d, NULL);
        CHECK(d.memory_bytes > 0 && d.memory_bytes < before);
        before = d.memory_bytes;
        w = world_after(d, 70);
        CHECK(rise_agent_learn(w.agent) == RISE_OK);
        rise_agent_destroy(w.agent);
    }
}
static int refused(rise_agent_desc d, const char *sentence)
{
    rise_error error = {RISE_OK, ""};
    rise_agent *agent;
    return rise_agent_create(&agent, &d, &error) == RISE_BAD_DESC && agent == NULL &&
           strstr(error.text, sentence) != NULL;
}
static void wrong_descriptions_are_refused(void)
{
    rise_agent_desc const good = described("memory=rise");
    rise_agent_desc d = good;
    d.batch = 12, d.batch_parts = 5;
    CHECK(refused(d, "batch_parts is 5; batch_parts * window_samples must divide batch, 12"));
    d.batch_parts = 6, d.window_samples = 4;
    CHECK(refused(d, "batch_parts is 6"));
    d.batch_parts = -1;
    CHECK(refused(d, "batch_parts is -1"));
    d = good, d.processes = 4097;
    CHECK(refused(d, "processes is 4097"));
    d.processes = -1;
    CHECK(refused(d, "processes is -1"));
    d.processes = 2, d.process = 2;
    CHECK(refused(d, "process is 2; it must be between 0 and processes - 1, 1"));
    d.process = -1;
    CHECK(refused(d, "process is -1"));
    d.process = 1;
    CHECK(refused(d, "processes is 2; set reduce_fn, too"));
    d.reduce_fn = reduce, d.n_step = 30;
    CHECK(refused(d, "learn_start is 20; several processes need"));
    d.window_stride = 1, d.learn_start = d.n_step + 1; /* just enough */
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
    d.learn_start--;
    CHECK(refused(d, "learn_start is 30; several processes need"));
    d.reduce_fn = NULL, d.play_only = 1; /* a play_only agent does not learn */
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
}

/* Checks that renewing the priorities of two parts gives each sample the priority of its td error,
   which is mixed for the last sample of each window. Later samples overwrite earlier ones. */
static void errors_of_all_parts_are_mixed(void)
{
    rise_agent_desc d = described("memory=rise window_samples=3 batch=12 batch_parts=2 "
                                  "learn_outside=1 priority_mix=0.75 priority_exponent=0.5");
    world w = world_after(d, 60);
    risei_learner *const l = &w.agent->learner;
    const risei_replay *const r = &w.agent->replay;
    int const size = l->batch.size, windows = l->batch.windows;
    double right[60];
    int draw, i, j;
    CHECK(rise_agent_learn(w.agent) == RISE_OK && r->history.capacity == 60);
    memcpy(right, r->tree, sizeof right);
    for (draw = 0; draw < 2; draw++) {
        risei_learner_draw(l, draw);
        for (i = 0; i < size; i++) l->batch.td[i] = (rise_real)(check_below(64) - 32) / 8;
        for (i = 0; i < size; i++) {
            const risei_transition *const t = &l->batch.transition[i];
            ptrdiff_t const slot = risei_history_slot(&r->history, t->lane, t->at);
            double error = fabs((double)l->batch.td[i]), most = 0, sum = 0, count = 0;
            for (j = i % windows; j < size && i >= size - windows; j += windows) {
                double const one = fabs((double)l->batch.td[j]);
                if (l->batch.transition[j].before_episode) continue;
                most = one > most ? one : most, sum += one, count++;
            }
            if (i >= size - windows) error = 0.75 * most + 0.25 * sum / count;
            if (!t->before_episode && right[slot] > 0) right[slot] = sqrt(error + 0.001);
        }
    }
    risei_learner_renew_priorities(l, 2);
    for (i = 0; i < 60; i++) CHECK(right[i] > 0 ? check_near(r->tree[i], right[i], 1e-5)
                                                : r->tree[i] <= 0);
    rise_agent_destroy(w.agent);
}
/* IQN: each part of a batch has random fractions of its own. */
static void parts_have_their_own_fractions(void)
{
    rise_agent_desc d = described("memory=none head=iqn batch=12 batch_parts=2 learn_outside=1");
    world w = world_after(d, 60);
    risei_learner *const l = &w.agent->learner;
    const rise_real *const tau = l->model->pass.heads.tau;
    size_t const count = (size_t)l->batch.size * (size_t)w.agent->model.net.heads.taus;
    rise_real first[6 * 5];
    CHECK(count == COUNT(first) && risei_learner_advance(l, 60, NULL) == 0);
    memcpy(first, tau, sizeof first);
    CHECK(risei_learner_advance(l, 60, NULL) == 1 && !same_reals(first, tau, count));
    rise_agent_destroy(w.agent);
}
static int reduce_calls, reduce_last; /* atomic; reduce_last: the calls after it fail */
static int reduce_until(void *user, rise_real *numbers, size_t count)
{
    (void)user, (void)numbers, (void)count;
    return __atomic_add_fetch(&reduce_calls, 1, __ATOMIC_ACQ_REL) >
           __atomic_load_n(&reduce_last, __ATOMIC_ACQUIRE);
}
/* Lets three environments take a step. */
static void three_step(world *w)
{
    int i;
    world_move(w);
    for (i = 0; i < GAMES; i++)
        w->events[i] = risei_history_ended(&w->agent->replay.history, i) ? RISE_FIRST : RISE_MIDDLE;
    CHECK(world_act(w) == RISE_OK);
}
/* Of a round of three updates, the first succeeds, and reduce_fn fails in the second. Then the
   transitions of the first update get new priorities. Those of the others keep theirs, although
   their td errors are finite. */
static void lost_updates_change_no_priority(void)
{
    enum { SLOTS = GAMES * 60 };
    rise_agent_desc d = described("memory=none environments=3 learn_period=1 background=1 "
                                  "priority_exponent=0.5");
    risei_learner *l;
    world w;
    double right[SLOTS];
    int i, step;
    d.reduce_fn = reduce_until;
    reduce_calls = 0, reduce_last = INT_MAX;
    w = world_of(created(&d));
    l = &w.agent->learner;
    for (step = 0; step < 40; step++) three_step(&w);
    risei_background_finish(&w.agent->background);
    __atomic_store_n(&reduce_last, reduce_calls + 1, __ATOMIC_RELEASE);
    three_step(&w);
    risei_background_finish(&w.agent->background);
    CHECK(w.agent->background.renews == 3 && w.agent->replay.history.capacity == 60);
    memcpy(right, w.agent->replay.tree, sizeof right);
    for (i = 0; i < l->batch.size; i++) {
        const risei_transition *const t = &l->transitions[i];
        right[risei_history_slot(&w.agent->replay.history, t->lane, t->at)] =
            sqrt(fabs((double)l->errors[i]) + 0.001);
    }
    rise_agent_parameters(w.agent); /* puts the round into effect */
    for (i = 0; i < SLOTS; i++)
        CHECK(right[i] > 0 ? check_near(w.agent->replay.tree[i], right[i], 1e-5)
                           : w.agent->replay.tree[i] <= 0);
    rise_agent_destroy(w.agent);
}

static const check_test tests[] = {
    TEST(gradients_of_parts_add_up),
    TEST(time_budgets_stop_between_parts),
    TEST(parts_are_saved),
    TEST(wrong_parts_are_refused),
    TEST(parts_save_memory),
    TEST(processes_learn_as_one),
    TEST(processes_stay_the_same),
    TEST(processes_agree_to_discard),
    TEST(a_lost_process_is_reported),
    TEST(a_lost_process_goes_on_from_its_file),
    TEST(a_process_lost_in_the_warm_up_shares_later),
    TEST(two_processes_begin_the_update_again),
    TEST(a_process_lost_in_a_snapshot_shares_later),
    TEST(processes_explore_independently),
    TEST(skips_equal_draws),
    TEST(wrong_descriptions_are_refused),
    TEST(errors_of_all_parts_are_mixed),
    TEST(parts_have_their_own_fractions),
    TEST(lost_updates_change_no_priority),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
