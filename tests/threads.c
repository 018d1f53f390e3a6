/* Any number of threads computes the same bits: whole agents, learning, acting, saving; and threads that slept wake up again.
   Here even the least of work is divided. */
#ifdef _WIN32
#include <stdio.h>
int main(void) { return puts("skipped: RISE_THREADS needs POSIX threads\n0 passed, 0 failed"), 0; }
#else
#define RISE_THREADS
#define RISEI_THREADS_MINIMUM 0
#include "toy.h"

static const char *const kinds[] = {"rise",
                                    "rise gru gate f32 games",
                                    "rise wide norm sparse pool",
                                    "rise panels gate games",
                                    "none plain games",
                                    "full wide",
                                    "full gru panels norm",
                                    "rise user carry feed masks",
                                    "none impala iqn noisy spectral games",
                                    "rise iqn noisy munchausen masks",
                                    "none c51 wide noisy",
                                    "full c51 units deep spectral shrink"};

/* The parameters after some updates. */
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

/* A share of no work, and more threads than there is work for. */
static void shares_everything(void)
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
/* Threads fall asleep between the ticks of a slow game, and are woken. */
static void wakes_up(void)
{
    rise_agent_desc d = described("rise");
    world w;
    int i;
    d.threads = 3;
    w = world_of(created(&d));
    for (i = 0; i < 20; i++) {
        world_run(&w, 5);
        wait_for(i % 2 ? 0.003 : 0.0001);
    }
    rise_agent_destroy(w.agent);
}

/* What is saved does not know how many threads there were. */
static void saves_without_threads(void)
{
    rise_agent_desc d = described("rise games"), machine;
    world w;
    rise_agent *again;
    buffer b;
    memset(&machine, 0, sizeof machine);
    d.threads = 2, machine.threads = 4;
    w = world_of(created(&d));
    world_run(&w, 100);
    b = saved(w.agent, RISE_SAVE_ALL);
    again = loaded(&b, &machine);
    CHECK(rise_agent_query(again)->threads == 4);
    CHECK(hash_of(again) == hash_of(w.agent));
    CHECK(rise_agent_learn(w.agent) == RISE_OK && rise_agent_learn(again) == RISE_OK);
    CHECK(hash_of(again) == hash_of(w.agent));
    rise_agent_destroy(w.agent);
    rise_agent_destroy(again);
    free(b.data);
}

static void comes_and_goes(void)
{
    int i;
    for (i = 0; i < 50; i++) {
        rise_agent_desc d = described("none");
        d.threads = 1 + i % 6;
        rise_agent_destroy(created(&d));
    }
    CHECK(toy_memory.held == 0);
}
static void refuses_too_many(void)
{
    static const int wrong[] = {-1, 65, 1 << 30};
    int i;
    for (i = 0; i < COUNT(wrong); i++) {
        rise_agent_desc d = described("none");
        rise_error error;
        d.threads = wrong[i];
        CHECK(rise_agent_resolve(&d, &error) == RISE_BAD_DESC &&
              strstr(error.text, "threads") != NULL);
    }
}

int main(void)
{
    int i;
    shares_everything();
    refuses_too_many();
    for (i = 0; i < COUNT(kinds); i++) learns_the_same(kinds[i]);
    wakes_up();
    saves_without_threads();
    comes_and_goes();
    return check_done();
}
#endif
