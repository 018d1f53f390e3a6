/* Tests threads: any number of them computes the same bits in learning, acting and saving, and
   sleeping threads wake up again. Work of any size is divided here. */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L /* fork, pipe */
#endif
#define RISE_THREADS
#define RISEI_THREADS_MINIMUM 0
#include "toy.h"
#ifndef _WIN32
#include "process.h"
#endif

static const char *const kinds[] = {
    "memory=rise",
    "memory=rise cell=gru fusion=gate embedding_f32=1 environments=3",
    "memory=rise wide layer_norm=1 embedding=sparse pool",
    "memory=rise panels fusion=gate environments=3",
    "memory=none plain environments=3",
    "memory=full wide",
    "memory=full cell=gru panels layer_norm=1",
    "memory=rise embedding=user carry_state=1 feed_action=1 action_masks=1",
    "memory=none impala head=iqn noisy=1 spectral_norm=1 environments=3",
    "memory=rise head=iqn noisy=1 munchausen=1 action_masks=1",
    "memory=none head=c51 wide noisy=1",
    "memory=full head=c51 residual conv_count=2 spectral_norm=1 pool_to=2",
};

/* Returns a hash of the parameters after 8 updates. */
static uint64_t learned_by(const char *words, int threads)
{
    rise_agent_desc d = described(words);
    d.threads = threads;
    return learned(&d, 8);
}
static void learns_the_same(const char *words)
{
    uint64_t const alone = learned_by(words, 1);
    int threads;
    for (threads = 2; threads <= 5; threads++) {
        check_about("%s, %d threads", words, threads);
        CHECK(learned_by(words, threads) == alone);
    }
}

/* The parts cover all work exactly, also where there are more parts than work. */
static void parts_cover_all_work(void)
{
    int total, unit, parts, part;
    for (total = 0; total <= 40; total++)
        for (unit = 1; unit <= 12; unit += 11)
            for (parts = 1; parts <= 7; parts++) {
                int end = 0;
                for (part = 0; part < parts; part++) {
                    int from, to;
                    risei_part_range(total, unit, part, parts, &from, &to);
                    CHECK(from == end && to >= from && (from % unit == 0 || from == total));
                    end = to;
                }
                CHECK(end == total);
            }
}

static void wait_for(double seconds)
{
    clock_t const start = clock();
    while ((double)(clock() - start) < seconds * (double)CLOCKS_PER_SEC) continue;
}
/* Threads fall asleep between the frames of a slow game, and wake up again. They compute what one
   thread computes. A thread that does not wake up hangs the test. */
static void sleeping_threads_wake_up(void)
{
    rise_agent_desc d = described("memory=rise");
    world w, alone = world_of(created(&d));
    int i;
    d.threads = 3;
    w = world_of(created(&d));
    for (i = 0; i < 20; i++) {
        CHECK(world_run(&w, 5) == world_run(&alone, 5));
        wait_for(i % 2 ? 0.003 : 0.0001);
    }
    CHECK(w.agent->model.updates > 20 && hash_of(w.agent) == hash_of(alone.agent));
    rise_agent_destroy(w.agent), rise_agent_destroy(alone.agent);
}

/* Agents with 1, 2 and 4 threads write equal files. A file of an agent with 2 threads loads with 4
   threads, and both agents learn the same. */
static void files_do_not_depend_on_threads(void)
{
    rise_agent_desc d = described("memory=rise environments=3"), machine;
    world w;
    rise_agent *again;
    buffer b;
    int threads;
    memset(&machine, 0, sizeof machine);
    d.threads = 2, machine.threads = 4;
    w = world_of(created(&d));
    world_run(&w, 100);
    b = saved(w.agent, RISE_SAVE_ALL);
    for (threads = 1; threads <= 4; threads += 3) {
        world other;
        buffer c;
        d.threads = threads;
        other = world_of(created(&d));
        world_run(&other, 100);
        c = saved(other.agent, RISE_SAVE_ALL);
        check_about("%d threads", threads);
        CHECK(same_buffers(&c, &b));
        free(c.data);
        rise_agent_destroy(other.agent);
    }
    check_about("%s", "");
    again = loaded(&b, &machine);
    CHECK(rise_agent_query(again)->threads == 4);
    CHECK(hash_of(again) == hash_of(w.agent));
    CHECK(rise_agent_learn(w.agent) == RISE_OK && rise_agent_learn(again) == RISE_OK);
    CHECK(hash_of(again) == hash_of(w.agent));
    rise_agent_destroy(w.agent);
    rise_agent_destroy(again);
    free(b.data);
}

/* Threads wait in a loop only where each has a core of its own. */
static void threads_without_a_core_sleep(void)
{
    long const cores = risei_thread_cores();
    int threads;
    for (threads = 2; threads <= RISEI_THREADS_MAX; threads *= 2) {
        rise_agent_desc d = described("memory=none");
        rise_agent *a;
        d.threads = threads;
        a = created(&d);
        check_about("%d threads, %ld cores", threads, cores);
        CHECK(a->model.device.threads->spins ==
              (cores > 0 && cores < threads ? 0 : RISEI_THREADS_SPINS));
        rise_agent_destroy(a);
    }
}
static void threads_come_and_go(void)
{
    int i;
    for (i = 0; i < 50; i++) {
        rise_agent_desc d = described("memory=none");
        d.threads = 1 + i % 6;
        rise_agent_destroy(created(&d));
    }
    CHECK(toy_memory.held == 0);
}
#ifndef _WIN32
/* A process made by fork has no workers: it computes the same on its own thread, and ends. */
static void a_forked_process_goes_on(void)
{
    rise_agent_desc d = described("memory=rise");
    int pipe_ends[2];
    uint64_t hash = 0;
    world w, v;
    pid_t child;
    d.threads = 4;
    w = world_of(created(&d)), v = world_of(created(&d));
    world_run(&w, 60), world_run(&v, 60);
    CHECK(pipe(pipe_ends) == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        world_run(&w, 20);
        hash = hash_of(w.agent);
        rise_agent_destroy(w.agent);
        _exit(write(pipe_ends[1], &hash, sizeof hash) == (ssize_t)sizeof hash ? 0 : 1);
    }
    CHECK(process_end(child) == 0);
    CHECK(read(pipe_ends[0], &hash, sizeof hash) == (ssize_t)sizeof hash);
    world_run(&w, 20), world_run(&v, 20); /* the parent's workers still work */
    CHECK(hash_of(w.agent) == hash && hash_of(v.agent) == hash);
    close(pipe_ends[0]), close(pipe_ends[1]);
    rise_agent_destroy(w.agent), rise_agent_destroy(v.agent);
}
#endif
/* A thread pool whose workers belong to another process runs all jobs on the caller's thread. Here
   only pool->process says so. */
static void pool_of_another_process_runs_alone(void)
{
    rise_agent_desc d = described("memory=rise");
    risei_threads *pool;
    unsigned jobs;
    world w, v;
    d.threads = 4;
    w = world_of(created(&d)), v = world_of(created(&d));
    pool = w.agent->model.device.threads;
    world_run(&w, 60), world_run(&v, 60);
    pool->process++;
    jobs = pool->jobs;
    world_run(&w, 20), world_run(&v, 20);
    CHECK(pool->jobs == jobs && hash_of(w.agent) == hash_of(v.agent));
    risei_threads_end(pool, d.threads); /* does nothing */
    CHECK(pool->jobs == jobs && pool->stop == 0);
    pool->process--;
    world_run(&w, 20), world_run(&v, 20); /* the workers still work */
    CHECK(hash_of(w.agent) == hash_of(v.agent));
    rise_agent_destroy(w.agent), rise_agent_destroy(v.agent);
}
static void wrong_numbers_of_threads_are_refused(void)
{
    static const int wrong[] = {-1, 65, 1 << 30};
    int i;
    for (i = 0; i < COUNT(wrong); i++) {
        rise_agent_desc d = described("memory=none");
        rise_error error;
        d.threads = wrong[i];
        CHECK(rise_agent_resolve(&d, &error) == RISE_BAD_DESC &&
              strstr(error.text, "threads") != NULL);
    }
}

static void any_number_of_threads_learns_the_same(void)
{
    int i;
    for (i = 0; i < COUNT(kinds); i++) learns_the_same(kinds[i]);
}

static const check_test tests[] = {
    TEST(parts_cover_all_work),
    TEST(wrong_numbers_of_threads_are_refused),
    TEST(any_number_of_threads_learns_the_same),
    TEST(sleeping_threads_wake_up),
    TEST(files_do_not_depend_on_threads),
    TEST(threads_come_and_go),
    TEST(threads_without_a_core_sleep),
#ifndef _WIN32
    TEST(a_forked_process_goes_on),
#endif
    TEST(pool_of_another_process_runs_alone),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
