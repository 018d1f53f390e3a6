/* Tests background: the bits depend neither on the worker's speed nor on the number of threads, a
   round takes effect when the next update is due, saving in the middle of a round loses nothing,
   and with learn_outside no step waits. Some tests delay the worker. Jobs of any size are divided
   among the threads. */
#ifndef _WIN32
#define _POSIX_C_SOURCE 200809L /* fork, pipe, nanosleep */
#endif
#include "pause.h"
#ifndef _WIN32
#include "process.h"
#include <sched.h>
#endif
#ifdef __linux__
#include <dirent.h>
#endif

/* What the worker does when a phase begins: how long it pauses in the phases IDLE, REPLAY and
   COMPUTE, in microseconds, and whether it waits at the gate before it computes. */
static struct {
    int pause[3]; /* atomic */
    int closed;   /* atomic */
} worker;
static void phase_begins(int phase);
#define RISE_THREADS
#define RISEI_THREADS_MINIMUM 0
#define RISEI_BACKGROUND_PHASE(phase) phase_begins((int)(phase))
#include "agent_file.h"
#include "toy.h"

static void phase_begins(int phase)
{
    int const pause = __atomic_load_n(&worker.pause[phase], __ATOMIC_RELAXED);
    if (pause > 0) pause_for(pause);
    while (phase == RISEI_PHASE_COMPUTE && __atomic_load_n(&worker.closed, __ATOMIC_ACQUIRE))
        pause_for(100);
}
static void delay(int idle, int replay, int compute)
{
    __atomic_store_n(&worker.pause[RISEI_PHASE_IDLE], idle, __ATOMIC_RELAXED);
    __atomic_store_n(&worker.pause[RISEI_PHASE_REPLAY], replay, __ATOMIC_RELAXED);
    __atomic_store_n(&worker.pause[RISEI_PHASE_COMPUTE], compute, __ATOMIC_RELAXED);
}
static void close_gate(int closed) { __atomic_store_n(&worker.closed, closed, __ATOMIC_RELEASE); }

static const char *const kinds[] = {
    "memory=rise",
    "memory=none",
    "memory=full wide",
    "memory=rise cell=gru fusion=gate embedding_f32=1 environments=3",
    "memory=rise environments=3 learn_period=1", /* three updates in a round */
    "memory=none environments=3 learn_period=8",
    "memory=rise window_samples=3 overlap stored burn_in=2",
    "memory=full window_samples=2 environments=3",
    "memory=rise embedding=user carry_state=1 feed_action=1 action_masks=1",
    "memory=none head=iqn noisy=1 munchausen=1 action_masks=1",
    "memory=none impala head=iqn noisy=1 spectral_norm=1 environments=3",
    "memory=rise head=c51 residual conv_count=2 embedding=snapshot snapshot_steps=30",
    "memory=rise embedding=conv learn_period=4",
    "memory=rise target_rate=0.3 raw_frames=1 priority_exponent=-1",
    "memory=full batch_parts=3 environments=3 learn_period=1",
    "memory=rise batch_parts=2 numbers=3 number_features=2 action_masks=1",
};
/* With CHECK_QUICK, tests that try many kinds take one in KINDS_EACH. With 7, one is of RISE, and
   two are of FULL. */
#ifdef CHECK_QUICK
enum { KINDS_EACH = 7 };
#else
enum { KINDS_EACH = 1 };
#endif

static rise_agent_desc behind(const char *words)
{
    rise_agent_desc d = described(words);
    d.background = 1;
    return d;
}

/* Returns a hash of all actions and of the whole state after `steps` steps. */
static uint64_t run_of(const rise_agent_desc *d, int steps)
{
    world w = world_of(created(d));
    uint64_t hash = world_run(&w, steps), state;
    rise_metrics m;
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates > 0 && m.loss > 0 && m.gradient_norm > 0);
    state = state_of(w.agent); /* waits for the worker */
    CHECK(risei_agent_wrong(w.agent) == NULL);
    rise_agent_destroy(w.agent);
    return hash_bytes(hash, &state, sizeof state);
}
/* Slow and fast workers, and 1 to 3 threads, give the same bits. The replay buffer wraps around, so
   the game overwrites what the worker has gathered. */
static void speed_and_threads_change_no_bit(void)
{
    static const int delays[][3] = {{0, 0, 0}, {0, 90, 0}, {0, 0, 200}, {90, 0, 0}, {9, 0, 600}};
    int i, k;
    for (k = 0; k < COUNT(kinds); k += KINDS_EACH) {
        rise_agent_desc d = behind(kinds[k]);
        uint64_t expected = 0;
        for (i = 0; i < COUNT(delays); i++) {
            uint64_t hash;
            d.threads = 1 + i % 3;
            delay(delays[i][0], delays[i][1], delays[i][2]);
            hash = run_of(&d, 140);
            if (i == 0) expected = hash;
            check_about("%s, %d threads, delays %d", kinds[k], d.threads, i);
            CHECK(hash == expected);
        }
    }
    delay(0, 0, 0);
}
/* With uniform replay and random actions, an update learns the same in the background as in the
   foreground. It takes effect one update later. */
static void updates_are_those_of_the_foreground(void)
{
    static const char *const words[] = {"memory=none", "memory=none environments=3 learn_period=1",
                                        "memory=none head=iqn noisy=1 munchausen=1 action_masks=1",
                                        "memory=full window_samples=2 wide",
                                        "memory=none learning_rate_steps=40",
                                        "memory=none environments=3 learn_period=1 batch_parts=3",
                                        "memory=full environments=3 learn_period=1 batch_parts=2"};
    int k;
    for (k = 0; k < COUNT(words); k++) {
        char text[200];
        rise_agent_desc d;
        world fore, back;
        rise_metrics m, n;
        size_t bytes;
        float *weights;
        int step, updates = 0;
        snprintf(text, sizeof text, "%s random priority_exponent=-1", words[k]);
        check_about("%s", text);
        d = described(text);
        fore = world_of(created(&d));
        d.background = 1;
        back = world_of(created(&d));
        bytes = fore.agent->model.net.parameters * sizeof *weights;
        weights = (float *)malloc(bytes);
        if (weights == NULL) exit(1);
        delay(0, 0, 200);
        for (step = 0; step < 150; step++) {
            rise_agent_metrics(fore.agent, &m);
            memcpy(weights, fore.agent->model.weights, bytes);
            CHECK(world_run(&fore, 1) == world_run(&back, 1));
            rise_agent_metrics(fore.agent, &n);
            if (n.updates == m.updates) continue;
            /* what the foreground had before this step, the background uses now */
            rise_agent_metrics(back.agent, &n);
            CHECK(n.updates == m.updates && memcmp(&n.loss, &m.loss, sizeof n.loss) == 0);
            CHECK(memcmp(weights, back.agent->model.weights, bytes) == 0);
            updates++;
        }
        CHECK(updates > 20);
        free(weights);
        rise_agent_destroy(fore.agent), rise_agent_destroy(back.agent);
    }
    delay(0, 0, 0);
}
/* Weights act from the step on in which the next update is due, not earlier. */
static void a_round_takes_effect_when_the_next_is_due(void)
{
    rise_agent_desc const d = behind("memory=none learn_period=4");
    world w = world_of(created(&d));
    rise_metrics m;
    uint64_t hash = 0;
    int64_t updates = 0, owed = 0;
    int step, changes = 0, due = 0;
    rise_agent_metrics(w.agent, &m);
    for (step = 0; step < 200; step++) {
        const risei_model *const acting = &w.agent->model;
        uint64_t now;
        world_run(&w, 1);
        pause_for(200); /* enough for the worker, most of the time */
        now = hash_reals(HASH_START, acting->weights, acting->net.parameters);
        due += w.agent->learner.owed_steps < owed; /* an update became due in this step */
        CHECK((now != hash) == (acting->updates != updates) || step == 0);
        CHECK(acting->updates == (due > 0 ? due - 1 : 0));
        changes += acting->updates != updates;
        hash = now, updates = acting->updates, owed = w.agent->learner.owed_steps;
    }
    CHECK(changes > 20);
    rise_agent_destroy(w.agent);
}

/* An agent that is loaded goes on as the agent that was saved, in the middle of a round, too.
   Saving changes nothing: an agent that was saved has, MORE steps later, the state of an agent that
   was not saved before. */
static void saving_loses_no_round(void)
{
    enum { LAST = 130, MORE = 34 }; /* MORE is a multiple of the steps between later cuts */
    rise_agent_desc machine;
    uint64_t later[LAST + MORE]; /* hash of an agent that was saved MORE steps before, or 0 */
    int k, cut, compared = 0;
    memset(&machine, 0, sizeof machine);
    machine.embed_fn = toy_embed;
    delay(0, 0, 90);
    for (k = 0; k < COUNT(kinds); k += KINDS_EACH) {
        rise_agent_desc const d = behind(kinds[k]);
        int const close = k % 3 == 0; /* whether the first cuts are one step apart: this is slow */
        memset(later, 0, sizeof later);
        for (cut = 17; cut < LAST; cut += close && cut < 26 ? 1 : 17) {
            world w = world_after(d, cut), v;
            buffer b = saved(w.agent, RISE_SAVE_ALL), c;
            check_about("%s, cut after %d", kinds[k], cut);
            compared += later[cut] != 0;
            CHECK(later[cut] == 0 || later[cut] == hash_bytes(HASH_START, b.data, b.size));
            v = w;
            v.agent = loaded(&b, &machine);
            CHECK(rise_agent_query(v.agent)->background == 1);
            CHECK(world_run(&w, MORE) == world_run(&v, MORE));
            c = saved(w.agent, RISE_SAVE_ALL);
            later[cut + MORE] = hash_bytes(HASH_START, c.data, c.size);
            free(b.data);
            b = saved(v.agent, RISE_SAVE_ALL);
            CHECK(same_buffers(&b, &c));
            rise_agent_destroy(w.agent), rise_agent_destroy(v.agent);
            free(b.data), free(c.data);
        }
    }
    CHECK(compared >= 4);
    delay(0, 0, 0);
}
/* A file without the replay buffer keeps the last round. A policy of the agent loads, and plays. */
static void smaller_files_load(void)
{
    rise_agent_desc d = behind("memory=rise"), machine;
    world w = world_after(d, 101);
    buffer agent = saved(w.agent, RISE_SAVE_AGENT), policy = saved(w.agent, RISE_SAVE_POLICY);
    rise_agent *a = loaded(&agent, &d), *p;
    CHECK(w.agent->background.started && a->background.started && !a->background.renews);
    CHECK(same_reals(a->model.weights, w.agent->model.weights, w.agent->model.net.weights_size));
    CHECK(hash_of(a) == hash_of(w.agent)); /* both put the round into effect */
    w.agent->error.text[0] = '\0';
    memset(&machine, 0, sizeof machine);
    machine.play_only = 1;
    p = loaded(&policy, &machine);
    CHECK(!p->background.begun && rise_agent_play(p, 0, w.frames, 0, RISE_FIRST, NULL) >= 0);
    rise_agent_destroy(a), rise_agent_destroy(p), rise_agent_destroy(w.agent);
    free(agent.data), free(policy.data);
}
/* The number of updates and the failure of a round are saved with it. */
static void results_of_rounds_are_saved(void)
{
    rise_agent_desc const d = behind("memory=none learn_outside=1");
    int fails;
    for (fails = 0; fails < 2; fails++) {
        world w = world_after(d, 60);
        buffer b;
        rise_agent *a;
        if (fails) rise_agent_parameters(w.agent)[3] = NAN;
        if (fails) CHECK(rise_agent_learn(w.agent) == RISE_OK);
        if (fails) risei_background_finish(&w.agent->background);
        if (fails) w.agent->model.weights[3] = w.agent->learner.model->weights[3] = 0;
        if (!fails) CHECK(rise_agent_learn_for(w.agent, 0) == 0);
        b = saved(w.agent, RISE_SAVE_ALL);
        a = loaded(&b, NULL);
        CHECK(a->background.updates == 1);
        if (fails) {
            CHECK(rise_agent_learn(a) == RISE_NOT_FINITE);
            CHECK(rise_agent_learn(w.agent) == RISE_NOT_FINITE);
            CHECK(strstr(rise_agent_error(a)->text, "not finite") != NULL);
        } else {
            CHECK(rise_agent_learn_for(a, 0) == 1);
        }
        rise_agent_destroy(a), rise_agent_destroy(w.agent);
        free(b.data);
    }
}
/* An agent that learned without background goes on with it, if `machine` says so. If the file has
   an update with some of its parts computed, this update begins again: the agent then computes the
   same bits as an agent whose file has no computed part. */
static void loading_can_turn_background_on(void)
{
    static const char *const words[] = {"memory=rise", "memory=none batch_parts=3 learn_outside=1"};
    int k, kind;
    for (k = 0; k < COUNT(words); k++)
        for (kind = RISE_SAVE_AGENT; kind <= RISE_SAVE_ALL; kind++) {
            rise_agent_desc const d = described(words[k]);
            rise_agent_desc machine = behind("");
            world w = world_after(d, 60), again;
            rise_metrics before, m;
            buffer b;
            rise_agent *a;
            check_about("%s, kind %d", words[k], kind);
            CHECK(d.learn_outside == 0 || risei_learner_advance(&w.agent->learner, 60, NULL) == 0);
            CHECK(w.agent->learner.part == d.learn_outside);
            b = saved(w.agent, (rise_save)kind);
            a = loaded(&b, &machine);
            rise_agent_metrics(w.agent, &before), rise_agent_metrics(a, &m);
            CHECK(a->desc.background == 1 && m.updates == before.updates && m.loss == before.loss);
            CHECK(risei_agent_wrong(a) == NULL);
            free(b.data);
            w.agent->learner.part = 0;
            b = saved(w.agent, (rise_save)kind);
            again = world_of(loaded(&b, &machine));
            rise_agent_destroy(w.agent), free(b.data);
            w = world_of(a);
            CHECK(world_run(&w, 60) == world_run(&again, 60));
            CHECK(rise_agent_learn(a) == RISE_OK && rise_agent_learn(a) == RISE_OK);
            CHECK(rise_agent_learn(again.agent) == RISE_OK);
            CHECK(rise_agent_learn(again.agent) == RISE_OK);
            CHECK(state_of(a) == state_of(again.agent));
            rise_agent_metrics(a, &m);
            CHECK(m.updates > before.updates);
            b = saved(a, RISE_SAVE_ALL);
            rise_agent_destroy(a), rise_agent_destroy(again.agent);
            a = loaded(&b, NULL);
            CHECK(a->desc.background == 1 && risei_agent_wrong(a) == NULL);
            rise_agent_destroy(a), free(b.data);
        }
}
/* An agent that learned in the background goes on without it, if `machine` says so. A round in
   progress takes effect. A warm-up whose end is in progress has ended, and a snapshot in progress
   goes on. The agent then computes the same bits as its copy, which was saved and loaded once more.
   */
static void loading_can_turn_background_off(void)
{
    static const char *const words[] = {"memory=rise environments=3 learn_period=1",
                                        "memory=none batch_parts=3 learn_outside=1",
                                        "memory=rise batch=2 learn_start=40 learn_period=4",
                                        ("memory=rise batch=6 conv_count=2 embedding=snapshot "
                                         "snapshot_steps=10")};
    rise_agent_desc machine;
    int k, kind, steps, warm_ups = 0, snapshots = 0; /* in progress: ends of warm-ups, snapshots */
    memset(&machine, 0, sizeof machine);
    machine.background = -1;
    for (k = 0; k < COUNT(words); k++)
        for (steps = 30; steps <= 70; steps += KINDS_EACH > 1 ? 10 : 4)
            for (kind = RISE_SAVE_AGENT; kind <= RISE_SAVE_ALL; kind++) {
                world w = world_after(behind(words[k]), steps), again;
                rise_metrics before, m;
                rise_real *after;
                buffer b;
                rise_agent *a;
                int64_t goes_on; /* snapshot_next of the loaded agent */
                check_about("%s, %d steps, kind %d", words[k], steps, kind);
                if (w.agent->desc.learn_outside) rise_agent_learn_for(w.agent, 0);
                b = saved(w.agent, (rise_save)kind); /* waits for the worker */
                goes_on = w.agent->learner.snapshots > 0 ? w.agent->learner.snapshot_next : 0;
                warm_ups += w.agent->learner.snapshot_next > 0 && w.agent->learner.snapshots == 0;
                snapshots += goes_on > 0;
                a = loaded(&b, &machine);
                CHECK(a->desc.background == 0 && risei_agent_wrong(a) == NULL);
                CHECK(!a->background.started);
                CHECK(a->learner.snapshot_next == goes_on);
                after = rise_agent_parameters(w.agent); /* puts the round into effect */
                rise_agent_metrics(w.agent, &before), rise_agent_metrics(a, &m);
                CHECK(same_reals(rise_agent_parameters(a), after, m.parameters));
                CHECK(m.updates == before.updates);
                free(b.data), rise_agent_destroy(w.agent);
                b = saved(a, RISE_SAVE_ALL);
                w = world_of(a), again = world_of(loaded(&b, NULL));
                world_run(&w, 90), world_run(&again, 90);
                CHECK(state_of(w.agent) == state_of(again.agent));
                rise_agent_metrics(w.agent, &m);
                CHECK(w.agent->desc.learn_outside || m.updates > before.updates);
                free(b.data), rise_agent_destroy(w.agent), rise_agent_destroy(again.agent);
            }
    CHECK(warm_ups > 0 && snapshots > 0);
}
/* A file says that a million updates are owed. With its replay buffer, three steps do at most 4
   updates, and at most one stays owed. This also holds before learn_start frames are stored.
   Without its replay buffer, no update is owed. With learn_outside, steps drop nothing, so only the
   number after loading is checked. */
static void owed_updates_are_dropped(void)
{
    static const char *const words[] = {"memory=none", "memory=none background=1",
                                        "memory=rise background=1", "memory=rise learn_outside=1"};
    int k, kind, late;
    for (k = 0; k < COUNT(words); k++)
        for (kind = RISE_SAVE_AGENT; kind <= RISE_SAVE_ALL; kind++)
            for (late = 0; late < 2; late++) {
                rise_agent_desc d = described(words[k]);
                int64_t const owed = d.learn_period * (int64_t)1000000;
                rise_metrics before, m;
                buffer b;
                world w;
                check_about("%s, kind %d, %s learn_start", words[k], kind,
                            late ? "after" : "before");
                if (!late) d.learn_start = 60;
                w = world_after(d, 40);
                w.agent->actor.steps = w.agent->learner.owed_steps = owed;
                b = saved(w.agent, (rise_save)kind);
                rise_agent_destroy(w.agent);
                w = world_of(loaded(&b, NULL));
                rise_agent_metrics(w.agent, &before);
                CHECK(before.updates_owed == (kind == RISE_SAVE_AGENT ? 0 : 1000000));
                if (!d.learn_outside) {
                    world_run(&w, 3);
                    rise_agent_metrics(w.agent, &m);
                    CHECK(m.updates <= before.updates + 4 && m.updates_owed <= 1);
                    /* a round of the file, or of the warm-up, does not count here */
                    CHECK(d.background == 1 ||
                          (m.updates > before.updates) == (kind == RISE_SAVE_ALL));
                }
                free(b.data), rise_agent_destroy(w.agent);
            }
}
/* A number of updates that no round can have is refused. */
static void wrong_results_are_refused(void)
{
    static const uint64_t wrong[] = {UINT64_MAX, (uint64_t)INT_MAX + 1};
    rise_agent_desc const d = behind("memory=none learn_outside=1");
    world w = world_after(d, 60);
    buffer b;
    size_t at;
    int i;
    CHECK(rise_agent_learn_for(w.agent, 0) == 0);
    b = saved(w.agent, RISE_SAVE_ALL);
    at = place_of(w.agent, RISE_SAVE_ALL, &w.agent->background.updates, sizeof(int));
    CHECK(get(&b, at, 8) == 1);
    for (i = 0; i < COUNT(wrong); i++) {
        check_about("%.0f updates", (double)wrong[i]);
        number_refused(&b, at, wrong[i], NULL, "round.updates");
    }
    rise_agent_destroy(w.agent);
    free(b.data);
}
/* A number of draws that no round can have is refused, also by an agent without background, which
   drops the draws. A file that ends within the draws is refused, too. */
static void wrong_draws_are_refused(void)
{
    static const uint64_t wrong[] = {UINT64_MAX, RISEI_AT_ONCE_MAX + 1, (uint64_t)1 << 60, 2};
    world w = world_after(behind("memory=none"), 101);
    buffer b = saved(w.agent, RISE_SAVE_ALL);
    size_t const at = place_of(w.agent, RISE_SAVE_ALL, &w.agent->background.renews, sizeof(int));
    int i, off;
    CHECK(get(&b, at, 8) == 1);
    for (i = 0; i < COUNT(wrong); i++)
        for (off = 0; off < 2; off++) {
            rise_agent_desc machine;
            memset(&machine, 0, sizeof machine);
            machine.background = -off;
            check_about("%.0f draws, background %d", (double)wrong[i], machine.background);
            number_refused(&b, at, wrong[i], &machine, wrong[i] == 2 ? "section" : "draws");
        }
    rise_agent_destroy(w.agent);
    free(b.data);
}
/* Counters of a round that no agent can have are refused. */
static void wrong_rounds_are_refused(void)
{
    rise_agent_desc const d = behind("memory=rise");
    world w = world_after(d, 101);
    risei_background *const b = &w.agent->background;
    risei_transition *const t = &w.agent->learner.transitions[2];
    risei_transition kept;
    int64_t updates;
    risei_background_finish(b);
    kept = *t, updates = w.agent->learner.model->updates;
    CHECK(b->started && b->renews && risei_agent_wrong(w.agent) == NULL);
    t->lane = 1;
    CHECK(strstr(risei_agent_wrong(w.agent), "out of range") != NULL);
    t->lane = -1;
    CHECK(strstr(risei_agent_wrong(w.agent), "out of range") != NULL);
    *t = kept, t->at = w.agent->replay.history.written[0];
    CHECK(strstr(risei_agent_wrong(w.agent), "out of range") != NULL);
    t->at = -1;
    CHECK(strstr(risei_agent_wrong(w.agent), "out of range") != NULL);
    *t = kept, w.agent->learner.model->updates = w.agent->model.updates - 1;
    CHECK(strstr(risei_agent_wrong(w.agent), "updates") != NULL);
    w.agent->learner.model->updates = updates, b->started = 0;
    CHECK(strstr(risei_agent_wrong(w.agent), "updates") != NULL);
    w.agent->model.updates = updates;
    CHECK(strstr(risei_agent_wrong(w.agent), "not started") != NULL);
    b->started = 1;
    CHECK(risei_agent_wrong(w.agent) == NULL);
    rise_agent_destroy(w.agent);
}

/* With learn_outside, steps, plays and rise_agent_learn_for do not wait for the worker, however
   long it computes. */
static void nothing_waits_with_learn_outside(void)
{
    rise_agent_desc d = behind("memory=rise learn_outside=1");
    world w = world_after(d, 60);
    rise_metrics m;
    int i;
    close_gate(1);
    CHECK(rise_agent_learn_for(w.agent, 0) == 0); /* starts a round */
    for (i = 0; i < 500; i++) {
        world_run(&w, 1);
        CHECK(rise_agent_learn_for(w.agent, 1000) == 0);
        CHECK(rise_agent_play(w.agent, 1, w.frames, 0, RISE_FIRST, NULL) >= 0);
    }
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates == 0 && m.updates_owed > 200 && risei_agent_wrong(w.agent) == NULL);
    close_gate(0);
    while (rise_agent_learn_for(w.agent, 1000) == 0) pause_for(100);
    rise_agent_metrics(w.agent, &m);
    CHECK(m.refreshing > 0 || m.updates == 1); /* the first round embeds stored frames */
    for (i = 0; i < 50; i += rise_agent_learn_for(w.agent, 0)) pause_for(100);
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates >= 45); /* the first rounds embed frames */
    rise_agent_destroy(w.agent);
}
/* A game that is faster than the worker waits for it, and the metrics say how long. */
static void waiting_is_counted(void)
{
    rise_agent_desc const d = behind("memory=none");
    world w = world_after(d, 30);
    rise_metrics m, again;
    delay(0, 0, 20000);
    world_run(&w, 10);
    rise_agent_metrics(w.agent, &m);
    CHECK(m.waited > 0.01);
    delay(0, 0, 0);
    risei_background_finish(&w.agent->background);
    rise_agent_metrics(w.agent, &m);
    risei_background_finish(&w.agent->background); /* the worker is idle: no time is counted */
    rise_agent_metrics(w.agent, &again);
    CHECK(memcmp(&again.waited, &m.waited, sizeof m.waited) == 0);
    rise_agent_destroy(w.agent);
}
static void learn_does_one_update_after_another(void)
{
    rise_agent_desc const d = behind("memory=none learn_outside=1");
    world w = world_after(d, 60);
    rise_metrics m;
    int i;
    for (i = 0; i < 10; i++) {
        CHECK(rise_agent_learn(w.agent) == RISE_OK);
        rise_agent_metrics(w.agent, &m);
        CHECK(m.updates == i);
    }
    rise_agent_parameters(w.agent); /* puts the last one into effect */
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates == 10);
    rise_agent_destroy(w.agent);
}
/* With learn_outside, an update that fails stays owed, and one that succeeds does not. In the
   background, an update is no longer owed when it begins. */
static void failed_updates_stay_owed(void)
{
    int k;
    for (k = 0; k < 2; k++) {
        rise_agent_desc d = described("memory=none learn_outside=1");
        world w;
        rise_metrics m, n;
        float kept;
        d.background = k;
        check_about("background %d", k);
        w = world_after(d, 60);
        rise_agent_metrics(w.agent, &m);
        CHECK(rise_agent_learn(w.agent) == RISE_OK);
        rise_agent_metrics(w.agent, &n);
        CHECK(m.updates_owed > 5 && n.updates_owed == m.updates_owed - 1);
        kept = *rise_agent_parameters(w.agent);
        *rise_agent_parameters(w.agent) = NAN;
        if (!k) CHECK(rise_agent_learn(w.agent) == RISE_NOT_FINITE);
        if (!k) CHECK(rise_agent_learn_for(w.agent, 1e9) == (int)RISE_NOT_FINITE);
        *rise_agent_parameters(w.agent) = kept;
        rise_agent_metrics(w.agent, &m);
        CHECK(m.updates_owed == n.updates_owed);
        rise_agent_destroy(w.agent);
    }
}
/* A call returns the failure of a round once, also if no other round begins. */
static void failures_are_reported_once(void)
{
    rise_agent_desc const d = behind("memory=none learn_outside=1");
    world w = world_after(d, 60);
    rise_agent_parameters(w.agent)[3] = NAN;
    w.agent->learner.owed_steps = d.learn_period; /* one update is due */
    CHECK(rise_agent_learn_for(w.agent, 0) == 0);
    risei_background_finish(&w.agent->background);
    CHECK(rise_agent_learn_for(w.agent, 0) == (int)RISE_NOT_FINITE);
    CHECK(rise_agent_learn_for(w.agent, 0) == 0);
    rise_agent_destroy(w.agent);
}
/* A snapshot copies the weights that act, not those of a round that is not in effect yet. */
static void snapshots_copy_what_acts(void)
{
    rise_agent_desc const d = behind("memory=rise embedding=snapshot learn_outside=1");
    world w = world_after(d, 60);
    const risei_frozen *const encoder = &w.agent->embedder.encoder;
    size_t const bytes = encoder->snapshot_weights * sizeof(rise_real);
    rise_metrics m;
    do {
        CHECK(rise_agent_learn(w.agent) == RISE_OK);
        rise_agent_metrics(w.agent, &m);
    } while (m.updates < 2);
    risei_background_finish(&w.agent->background);
    CHECK(rise_agent_snapshot(w.agent) == RISE_OK);
    CHECK(memcmp(w.agent->model.weights, w.agent->learning.weights, bytes) != 0);
    CHECK(memcmp(w.agent->model.weights, encoder->next_weights, bytes) == 0);
    rise_agent_destroy(w.agent);
}
/* After loading turned background on, a round without an update leaves the metrics of the file. */
static void failed_rounds_keep_the_metrics(void)
{
    rise_agent_desc const d = described("memory=none"), machine = behind("");
    world w = world_after(d, 60);
    buffer b = saved(w.agent, RISE_SAVE_ALL);
    rise_agent *const a = loaded(&b, &machine);
    rise_metrics m, n;
    rise_agent_metrics(a, &m);
    rise_agent_parameters(a)[3] = NAN;
    CHECK(rise_agent_learn(a) == RISE_OK);
    rise_agent_parameters(a); /* puts the round into effect */
    rise_agent_metrics(a, &n);
    CHECK(m.updates > 0 && n.updates == m.updates && m.loss > 0 && n.loss == m.loss);
    CHECK(n.td_error == m.td_error && n.gradient_norm == m.gradient_norm);
    rise_agent_destroy(a), rise_agent_destroy(w.agent);
    free(b.data);
}
/* A batch that is computed from copies of the replay buffer's slots has the same Q, in states and
   next states, and the same masks as one that is computed from the replay buffer itself. */
static void copies_hold_all_that_is_read(void)
{
    static const char *const words[] = {
        "memory=none numbers=3 action_masks=1",
        "memory=rise feed_action=1",
        "memory=rise feed_action=1 embedding_f32=1 frame_stack=4 window=2",
        "memory=full feed_action=1 numbers=3",
        "memory=rise stored window_samples=3 window=2 numbers=3",
        "memory=full stored window_samples=3 window=2 embedding_f32=1",
    };
    int k, draw, i;
    for (k = 0; k < COUNT(words); k++) {
        rise_agent_desc const d = behind(words[k]);
        world w = world_after(d, 130);
        risei_learner *const l = &w.agent->learner;
        const risei_heads_data *const out = &l->model->pass.heads;
        size_t const values = 2 * (size_t)l->batch.size * ACTIONS;
        size_t const masks = 2 * (size_t)l->batch.size * (size_t)l->replay->history.mask_bytes;
        check_about("%s", words[k]);
        risei_background_finish(&w.agent->background);
        for (draw = 0; draw < 20; draw++) {
            int const lanes = l->copies.lanes;
            rise_real q[2][2 * 6 * ACTIONS];
            uint8_t mask[2][2 * 6];
            CHECK(values == COUNT(q[0]) && masks <= sizeof mask[0]);
            memset(mask, 0, sizeof mask);
            risei_learner_draw(l, 0);
            for (i = 0; i < 2; i++) {
                l->copies.lanes = i == 0 ? lanes : 0;
                risei_learner_gather(l);
                risei_learner_forward(l, RISEI_USE_LEARN, 0, 2 * l->batch.size);
                memcpy(q[i], out->q, sizeof q[i]);
                if (masks > 0) memcpy(mask[i], l->batch.masks, masks);
            }
            l->copies.lanes = lanes;
            CHECK(lanes > 0 && same_reals(q[0], q[1], values));
            CHECK(memcmp(mask[0], mask[1], sizeof mask[0]) == 0);
        }
        rise_agent_destroy(w.agent);
    }
}
/* A call that makes more updates due than fit into one group: the priorities of each group are
   renewed before the next group is drawn. */
static void groups_renew_their_priorities(void)
{
    enum { MANY = 20, CAPACITY = 40 };
    static uint8_t frames[MANY * PIXELS];
    rise_agent_desc d = described("memory=none learn_period=1 priority_exponent=0.5 random");
    rise_event events[MANY];
    float rewards[MANY];
    int actions[MANY], step, i, draw, compared = 0;
    static double right[MANY * CAPACITY];
    const risei_history *h;
    rise_agent *a;
    d.environments = MANY, d.replay_capacity = MANY * CAPACITY, d.learn_start = 20 * MANY;
    d.background = 1;
    a = created(&d);
    h = &a->replay.history;
    for (step = 0; step < 30; step++) {
        for (i = 0; i < MANY * PIXELS; i++) frames[i] = (uint8_t)check_below(256);
        for (i = 0; i < MANY; i++) {
            events[i] = step == 0 ? RISE_FIRST : RISE_MIDDLE;
            rewards[i] = (float)(check_below(17) - 8) / 4;
        }
        CHECK(rise_agent_step_all(a, frames, NULL, rewards, events, NULL, actions) == RISE_OK);
    }
    risei_background_finish(&a->background);
    CHECK(a->background.updates == MANY && a->background.renews == MANY - RISEI_AT_ONCE_MAX);
    CHECK(a->learner.draws == RISEI_AT_ONCE_MAX && h->capacity == CAPACITY);
    /* the draws behind those of the last group are of the group before */
    for (draw = a->background.renews; draw < a->learner.draws; draw++)
        for (i = 0; i < a->learner.batch.size; i++) {
            ptrdiff_t const at = (ptrdiff_t)draw * a->learner.batch.size + i;
            const risei_transition *const t = &a->learner.transitions[at];
            right[risei_history_slot(h, t->lane, t->at)] =
                sqrt(fabs((double)a->learner.errors[at]) + 0.001);
        }
    for (i = 0; i < MANY * CAPACITY; i++) {
        if (!(right[i] > 0)) continue;
        CHECK_NEAR(a->replay.tree[i], right[i], 1e-5);
        compared++;
    }
    CHECK(compared > 40);
    rise_agent_destroy(a);
}
/* A round renews the priorities of all parts of its update. */
static void all_parts_renew_their_priorities(void)
{
    enum { SLOTS = 60, PARTS = 3 };
    rise_agent_desc const d =
        behind("memory=none batch_parts=3 learn_outside=1 priority_exponent=0.5");
    world w = world_after(d, 50);
    const risei_learner *const l = &w.agent->learner;
    const risei_replay *const r = &w.agent->replay;
    double right[SLOTS];
    int i;
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    risei_background_finish(&w.agent->background);
    CHECK(w.agent->background.renews == PARTS && r->history.capacity == SLOTS);
    memcpy(right, r->tree, sizeof right);
    for (i = 0; i < PARTS * l->batch.size; i++) {
        const risei_transition *const t = &l->transitions[i];
        right[risei_history_slot(&r->history, t->lane, t->at)] =
            sqrt(fabs((double)l->errors[i]) + 0.001);
    }
    rise_agent_parameters(w.agent); /* puts the round into effect */
    for (i = 0; i < SLOTS; i++)
        CHECK(right[i] > 0 ? check_near(r->tree[i], right[i], 1e-5) : r->tree[i] <= 0);
    rise_agent_destroy(w.agent);
}
/* A discarded update changes the priorities of none of its parts. */
static void discarded_parts_change_no_priority(void)
{
    rise_agent_desc const d =
        behind("memory=none batch_parts=3 learn_outside=1 priority_exponent=0.5");
    world w = world_after(d, 60);
    double before[60];
    rise_real kept;
    CHECK(rise_agent_learn(w.agent) == RISE_OK); /* all errors are finite now */
    kept = rise_agent_parameters(w.agent)[3];
    rise_agent_parameters(w.agent)[3] = (rise_real)NAN;
    memcpy(before, w.agent->replay.tree, sizeof before);
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    risei_background_finish(&w.agent->background);
    CHECK(w.agent->background.renews == 3);
    CHECK(w.agent->background.result == RISE_NOT_FINITE);
    rise_agent_parameters(w.agent)[3] = kept; /* puts the round into effect */
    CHECK(memcmp(before, w.agent->replay.tree, sizeof before) == 0);
    rise_agent_destroy(w.agent);
}
/* An update that is not finite is reported by the call that would put it into effect. */
static void failures_are_reported(void)
{
    rise_agent_desc const d = behind("memory=none learn_outside=1");
    world w = world_after(d, 60);
    buffer b;
    float kept;
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    kept = rise_agent_parameters(w.agent)[3];
    rise_agent_parameters(w.agent)[3] = NAN;
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    CHECK(rise_agent_learn(w.agent) == RISE_NOT_FINITE);
    CHECK(strstr(rise_agent_error(w.agent)->text, "not finite") != NULL);
    rise_agent_parameters(w.agent)[3] = kept;
    /* rise_agent_parameters has put the second such update into effect; the next call reports it */
    CHECK(rise_agent_learn(w.agent) == RISE_NOT_FINITE);
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    rise_agent_parameters(w.agent);
    b = saved(w.agent, RISE_SAVE_ALL); /* no round is in progress that holds the wrong weight */
    free(b.data);
    CHECK(rise_agent_learn(w.agent) == RISE_OK && rise_agent_learn(w.agent) == RISE_OK);
    risei_background_finish(&w.agent->background);
    CHECK(risei_agent_wrong(w.agent) == NULL);
    rise_agent_destroy(w.agent);
}
static double counting_clock(void *user)
{
    return 0.001 * __atomic_add_fetch((int *)user, 1, __ATOMIC_ACQ_REL);
}
/* While the worker computes, and the game makes no call, nobody reads the user's clock. */
static void the_worker_reads_no_clock(void)
{
    rise_agent_desc d = behind("memory=none learn_outside=1");
    int reads = 0, before;
    rise_metrics m;
    world w;
    d.clock_fn = counting_clock, d.clock_user = &reads;
    w = world_after(d, 60);
    close_gate(1);
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    before = __atomic_load_n(&reads, __ATOMIC_ACQUIRE);
    close_gate(0);
    while (!risei_background_is_idle(&w.agent->background)) pause_for(100);
    CHECK(__atomic_load_n(&reads, __ATOMIC_ACQUIRE) == before);
    rise_agent_parameters(w.agent); /* puts the update into effect */
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates == 1 && m.update_time == 0);
    rise_agent_destroy(w.agent);
}
/* Agents can be destroyed at any time, also in the middle of a round. */
static void agents_come_and_go(void)
{
    int i;
    delay(100, 100, 500);
    for (i = 0; i < 40; i++) {
        rise_agent_desc d = behind(kinds[i % COUNT(kinds)]);
        world w;
        d.threads = 1 + i % 3;
        w = world_after(d, i);
        rise_agent_destroy(w.agent);
    }
    delay(0, 0, 0);
}
/* The learning model is part of what rise_agent_bytes says, and a block of that size is enough. */
static void bytes_are_known_before(void)
{
    int k;
    for (k = 0; k < COUNT(kinds); k += KINDS_EACH) {
        rise_agent_desc d = behind(kinds[k]);
        size_t const bytes = rise_agent_bytes(&d, NULL);
        unsigned char *block = (unsigned char *)malloc(bytes + 64);
        world w;
        d.background = 0;
        CHECK(bytes > rise_agent_bytes(&d, NULL));
        d.background = 1, d.memory_block = block, d.memory_bytes = bytes;
        memset(block, 0xA5, bytes + 64);
        w = world_after(d, 120);
        rise_agent_destroy(w.agent);
        CHECK(block[bytes] == 0xA5 && block[bytes + 63] == 0xA5);
        free(block);
    }
}
#ifndef _WIN32
static int same_world(const world *a, const world *b)
{
    return a->games[0].dice == b->games[0].dice;
}
/* In a process made by fork, the calling thread computes the updates. If the worker was computing
   at the fork, calls that need the round are refused there. */
static void a_forked_process_goes_on(int computing)
{
    rise_agent_desc const d = behind("memory=none");
    world w = world_after(d, 60), v = world_after(d, 60);
    uint64_t hash = 0;
    int pipe_ends[2];
    pid_t child;
    risei_background_finish(&w.agent->background);
    close_gate(computing);
    if (computing)
        while (risei_background_is_idle(&w.agent->background)) world_run(&w, 1);
    CHECK(pipe(pipe_ends) == 0);
    fflush(stdout);
    child = fork();
    if (child == 0) {
        buffer b = {NULL, 0, 0, SIZE_MAX, 0};
        if (computing) {
            int i, refused = 0, wrong = 0;
            for (i = 0; i < 6; i++) {
                world_move(&w);
                refused += world_act(&w) == RISE_UNAVAILABLE;
            }
            /* the refused updates stay due */
            wrong += w.agent->learner.owed_steps < w.agent->desc.learn_period;
            wrong += rise_agent_write(w.agent, RISE_SAVE_ALL, buffer_write, &b, NULL) !=
                     RISE_UNAVAILABLE;
            wrong += rise_agent_write(w.agent, RISE_SAVE_POLICY, buffer_write, &b, NULL) != RISE_OK;
            hash = (uint64_t)(refused > 0 && wrong == 0);
        } else {
            world_run(&w, 21);
            hash = hash_of(w.agent);
        }
        rise_agent_destroy(w.agent);
        free(b.data);
        _exit(write(pipe_ends[1], &hash, sizeof hash) == (ssize_t)sizeof hash ? 0 : 1);
    }
    CHECK(process_end(child) == 0);
    CHECK(read(pipe_ends[0], &hash, sizeof hash) == (ssize_t)sizeof hash);
    close_gate(0);
    world_run(&w, 21); /* the parent goes on */
    while (v.agent->actor.steps < w.agent->actor.steps || !same_world(&v, &w)) world_run(&v, 1);
    CHECK(hash == (computing ? 1 : hash_of(v.agent)) && hash_of(w.agent) == hash_of(v.agent));
    close(pipe_ends[0]), close(pipe_ends[1]);
    rise_agent_destroy(w.agent), rise_agent_destroy(v.agent);
}
static void forked_processes_go_on(void) { a_forked_process_goes_on(0); }
static void a_fork_while_computing_is_said(void) { a_forked_process_goes_on(1); }
#endif

#ifdef __linux__
/* Returns how many threads of this process have the scheduling policy SCHED_BATCH (3). */
static int batch_threads(void)
{
    DIR *const folder = opendir("/proc/self/task");
    const struct dirent *entry;
    int count = 0;
    if (folder == NULL) return 0;
    while ((entry = readdir(folder)) != NULL) count += sched_getscheduler(atoi(entry->d_name)) == 3;
    closedir(folder);
    return count;
}
/* With background, all threads that compute updates have the scheduling policy SCHED_BATCH: the
   background thread and the workers of its thread pool. Without background, no thread has this
   policy. */
static void threads_give_way_to_the_game(void)
{
    int background;
    if (sched_getscheduler(0) != SCHED_OTHER || access("/proc/self/task", R_OK) != 0) {
        check_skip("this thread has another policy, or /proc does not show the threads");
        return;
    }
    for (background = 0; background < 2; background++) {
        rise_agent_desc d = described("memory=none greedy");
        world w;
        int tries;
        d.threads = 3, d.background = background;
        w = world_of(created(&d));
        if (!background) { /* each worker takes part in a job, so it has chosen its policy */
            world_run(&w, 1);
            CHECK(w.agent->model.device.threads->jobs > 0);
        }
        for (tries = 0; tries < 1000 && batch_threads() != 3 * background; tries++) pause_for(1000);
        CHECK(batch_threads() == 3 * background);
        rise_agent_destroy(w.agent);
    }
}
#endif

static const check_test tests[] = {
#ifdef __linux__
    TEST(threads_give_way_to_the_game),
#endif
    TEST(speed_and_threads_change_no_bit),
    TEST(updates_are_those_of_the_foreground),
    TEST(a_round_takes_effect_when_the_next_is_due),
    TEST(saving_loses_no_round),
    TEST(smaller_files_load),
    TEST(results_of_rounds_are_saved),
    TEST(owed_updates_are_dropped),
    TEST(wrong_results_are_refused),
    TEST(loading_can_turn_background_on),
    TEST(loading_can_turn_background_off),
    TEST(wrong_draws_are_refused),
    TEST(wrong_rounds_are_refused),
    TEST(nothing_waits_with_learn_outside),
    TEST(waiting_is_counted),
    TEST(learn_does_one_update_after_another),
    TEST(failed_updates_stay_owed),
    TEST(failures_are_reported_once),
    TEST(snapshots_copy_what_acts),
    TEST(failed_rounds_keep_the_metrics),
    TEST(copies_hold_all_that_is_read),
    TEST(groups_renew_their_priorities),
    TEST(all_parts_renew_their_priorities),
    TEST(discarded_parts_change_no_priority),
    TEST(failures_are_reported),
    TEST(the_worker_reads_no_clock),
    TEST(agents_come_and_go),
    TEST(bytes_are_known_before),
#ifndef _WIN32
    TEST(forked_processes_go_on),
    TEST(a_fork_while_computing_is_said),
#endif
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
