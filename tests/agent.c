/* Tests a whole agent. Acting and learning compute the same values. The agent learns the same on
   every instruction set, resumes exactly, stays within its memory, runs with every frozen encoder,
   and refuses wrong calls without changing.
       cc -O2 tests/agent.c -o agent -lm && ./agent
   `./agent --golden` prints a new table of golden hashes. */
#if defined(__unix__) || defined(__APPLE__)
#define _POSIX_C_SOURCE 200809L /* clock_gettime */
#include <time.h>
/* The number of times that rise.h has read a clock, and the id of the clock that it read last. */
static long clock_reads;
static clockid_t clock_id;
static int read_clock(clockid_t id, struct timespec *now)
{
    clock_reads++, clock_id = id;
    return clock_gettime(id, now);
}
#define clock_gettime read_clock
#include "toy.h"
#undef clock_gettime
#define MONOTONIC (clock_reads > 0 && clock_id == CLOCK_MONOTONIC)
#else
#include "toy.h"
#define MONOTONIC 1
#endif

/* With CHECK_QUICK, tests that try many kinds of agents take one kind in KINDS_EACH. The golden
   hashes are then still compared for every kind on the fused tables, but on REF, which is slow, for
   one kind in check_share only. With RISE_NO_SIMD, REF may be the only fused table. */
enum { KINDS_EACH = check_share > 1 ? 7 : 1 };

/* Returns whether the frozen encoder reads its weights from a file. Such encoders have tests of
   their own: tests/pretrained.c tests RESNET18. */
static int needs_file(int embedding)
{
    const char *const source = risei_embedder_kinds[embedding]->source;
    return source != NULL && strcmp(source, "embedding_file") == 0;
}

/* ---------------------------------------------------------------------------------------------- */
/* Acting and learning compute the same values for the same history */

enum { HISTORY = 150 };

/* The Q values that acting computed: [lane][step][action]. */
static float said[GAMES][HISTORY][ACTIONS];

/* Draws batches as learning does, and compares the values of states and of next states with those
   of acting. Leaves out samples before since[lane], whose values are from older weights. Where
   acting carried state from before the window, learning cannot see that state, so these samples are
   left out, too. */
static void compare_with_learning(rise_agent *a, const int64_t *since)
{
    const rise_agent_desc *d = &a->desc;
    const risei_history *h = &a->replay.history;
    int const carries = d->carry_state && !d->stored_state && d->memory != RISE_MEMORY_NONE;
    risei_random dice = risei_random_stream(1, 2);
    int draw, next, r, i, compared[2] = {0, 0};
    for (draw = 0; draw < 60; draw++) {
        risei_batch_draw(&a->learner.batch, &a->replay, &dice);
        risei_learner_gather(&a->learner);
        for (next = 0; next < 2; next++) {
            risei_learner_forward(&a->learner, RISEI_USE_LEARN, next * d->batch,
                                  (next + 1) * d->batch);
            for (r = 0; r < d->batch; r++) {
                const risei_transition *t = &a->learner.batch.transition[r];
                int64_t const at = t->at + (next ? t->steps : 0);
                if (t->at < since[t->lane] ||
                    (carries && h->episode_frame[risei_history_slot(h, t->lane, at)] >= d->window))
                    continue;
                CHECK(same_reals(said[t->lane][at], a->model.pass.heads.q + r * ACTIONS, ACTIONS));
                for (i = 0; i < ACTIONS; i++)
                    CHECK(risei_finite(a->model.pass.heads.q[r * ACTIONS + i]));
                compared[next]++;
            }
        }
    }
    CHECK(compared[0] > 100 && compared[1] > 100);
}
/* Environments, players and learning compute the same values. The players see what the environments
   show. Players act one after another, the environments all at once. */
static void acts_as_it_learns(const char *words)
{
    char all_words[250];
    rise_agent_desc d;
    world w;
    int64_t since[GAMES] = {0, 0, 0};
    int step, lane;
    /* without masks, the greedy agent would always choose the same action */
    snprintf(all_words, sizeof all_words, "%s learn_outside=1 action_masks=1 greedy", words);
    check_about("%s", all_words);
    d = described(all_words);
    d.players = d.environments;
    d.replay_capacity = HISTORY * d.environments;
    w = world_of(created(&d));
    for (step = 0; step < HISTORY; step++) {
        world_move(&w);
        CHECK(world_act(&w) == RISE_OK);
        for (lane = 0; lane < d.environments; lane++)
            memcpy(said[lane][step], w.agent->model.pass.heads.q + lane * ACTIONS,
                   sizeof said[0][0]);
        for (lane = 0; lane < d.environments; lane++) {
            int const action = rise_agent_play(w.agent, lane, w.frames + lane * PIXELS,
                                               w.rewards[lane], w.events[lane],
                                               risei_event_is_last((int)w.events[lane])
                                                   ? NULL
                                                   : w.allowed + lane * ACTIONS);
            CHECK(action == w.actions[lane]);
            CHECK(same_reals(rise_agent_values(w.agent, lane), said[lane][step], ACTIONS));
        }
        /* the update invalidates the values so far; carried state is stale until an episode
           begins */
        if (step == HISTORY / 3) {
            CHECK(rise_agent_learn(w.agent) == RISE_OK);
            for (lane = 0; lane < d.environments; lane++) since[lane] = INT64_MAX;
        }
        for (lane = 0; lane < d.environments; lane++)
            if (since[lane] == INT64_MAX && w.events[lane] == RISE_FIRST && step > HISTORY / 3)
                since[lane] = step;
    }
    /* a head with quantiles, such as IQN, learns at other fractions than it acts at */
    if (!risei_head_kinds[d.head].quantiles) compare_with_learning(w.agent, since);
    rise_agent_destroy(w.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* Learning gives the same numbers on every instruction set and machine */

static const struct {
    const char *words;
    uint64_t hash; /* of the parameters after 30 updates */
} golden[] = {
    {"raw_frames=1 memory=rise", UINT64_C(0xF6B797FCBD3E89CA)},
    {"raw_frames=1 memory=rise cell=gru fusion=gate embedding_f32=1 environments=3",
     UINT64_C(0x88D73E10071EBEA7)},
    {"raw_frames=1 memory=rise fusion=sum feed_action=1 carry_state=1 embedding=gaussian",
     UINT64_C(0x173C85F0B0C5DC54)},
    {"raw_frames=1 memory=rise wide layer_norm=1 embedding=sparse pool priority_exponent=-1",
     UINT64_C(0xA0ECBEE3AF6E1D9A)},
    {"raw_frames=1 memory=rise cell=gru wide conv_count=2 embedding=conv no_double=1",
     UINT64_C(0x6988DFD410A77783)},
    {"raw_frames=1 memory=rise plain embedding=downsample action_masks=1 n_step=1",
     UINT64_C(0x939826B828F0B607)},
    {"raw_frames=1 memory=rise embedding=user frame_stack=1", UINT64_C(0xEB88AB75D23676F5)},
    {"raw_frames=1 memory=none wide", UINT64_C(0xBC7F3AB2C31640DC)},
    {"raw_frames=1 memory=none plain conv_count=2 environments=3", UINT64_C(0xC5BDAF3A7AA76FAB)},
    {"raw_frames=1 memory=full wide", UINT64_C(0x0D4B710103721DBD)},
    {"raw_frames=1 memory=full cell=gru fusion=sum feed_action=1 carry_state=1 frame_stack=1",
     UINT64_C(0x135367F91992E25B)},
    {"raw_frames=1 memory=full fusion=gate layer_norm=1 pool environments=3",
     UINT64_C(0xA01B35BF17049A81)},
    {"raw_frames=1 memory=rise panels fusion=gate environments=3", UINT64_C(0x486647D06088F0BC)},
    {"raw_frames=1 memory=full cell=gru panels layer_norm=1", UINT64_C(0x3F695124B53F6546)},
    {"raw_frames=1 memory=none head=c51 environments=3", UINT64_C(0xA90801BC5E51F712)},
    {"raw_frames=1 memory=rise head=c51 noisy=1 cell=gru fusion=gate conv_count=2",
     UINT64_C(0x23FFB846DCA0C250)},
    {"raw_frames=1 memory=full head=c51 residual conv_count=2 spectral_norm=1 plain",
     UINT64_C(0x5D8C9A582359CEED)},
    {"raw_frames=1 memory=none wide head=c51 noisy=1 no_double=1", UINT64_C(0x6E11EB150208921C)},
    {"raw_frames=1 memory=rise head=iqn munchausen=1 environments=3", UINT64_C(0x0591109DC3728649)},
    {"raw_frames=1 memory=rise head=iqn value_rescale=1 no_double=1 feed_action=1",
     UINT64_C(0x3C6A9925BF6CF1F9)},
    {"raw_frames=1 memory=full head=iqn layer_norm=1 noisy=1 target_rate=0.3",
     UINT64_C(0x7F5490F3A3642912)},
    {"raw_frames=1 memory=none wide head=iqn panels noisy=1", UINT64_C(0x5738DC77258A293C)},
    {"raw_frames=1 memory=none value_rescale=1 action_masks=1", UINT64_C(0x5EAD1882CF92F974)},
    {"raw_frames=1 memory=full munchausen=1 noisy=1 plain target_rate=0.3 environments=3",
     UINT64_C(0xECFA81749819B4D9)},
    {"raw_frames=1 memory=rise context_scale=0.7", UINT64_C(0x85AA21428F210228)},
    {"raw_frames=1 memory=full context_scale=0.7 cell=gru fusion=gate",
     UINT64_C(0x4E29ACDEFF5CBD8B)},
    {"raw_frames=1 memory=rise context_scale=0.7 fusion=sum cell=mingru head=iqn environments=3",
     UINT64_C(0x5F91C2411BB39C67)},
    {"raw_frames=1 memory=rise residual spectral_norm=1 pool_to=2 embedding=conv",
     UINT64_C(0x2AA5A04557955588)},
    {"raw_frames=1 memory=none head=iqn noisy=1 munchausen=1 residual spectral_norm=1 pool_to=2 "
     "target_rate=0.3 action_masks=1",
     UINT64_C(0xFC2AD90361D421BB)},
    {"raw_frames=1 memory=none impala head=iqn noisy=1 spectral_norm=1 environments=3",
     UINT64_C(0x05E014C785D02006)},
    {"memory=rise", UINT64_C(0x7AC15450F8142B3C)},
    {"memory=rise cell=gru wide layer_norm=1 embedding=conv environments=3",
     UINT64_C(0x8F3B00FBCDC3EEFF)},
    {"memory=rise embedding=snapshot snapshot_steps=40 frame_stack=4",
     UINT64_C(0x792A2D26EDC155F6)},
    {"memory=none plain conv_count=2", UINT64_C(0xAC0E478898A88B0C)},
    {"memory=none residual frame_stack=1 environments=3", UINT64_C(0x1D2D5E3D89031E51)},
    {"memory=full wide", UINT64_C(0xC58EDEB7FA4AAA57)},
    {"memory=rise context_decay=0.01", UINT64_C(0x48334635FFDC2A48)},
    {"memory=rise context_decay=0.03 panels fusion=sum head=iqn noisy=1 environments=3",
     UINT64_C(0xE860E9C0C0F01F1E)},
    {"memory=full context_decay=0.005 learning_rate_steps=60 stored", UINT64_C(0x145177E85A964D47)},
};

static uint64_t learned_on(const char *words, rise_isa isa)
{
    rise_agent_desc d = described(words);
    d.isa = isa;
    return learned(&d, 30);
}
static void learns_the_same(int print)
{
    int i, isa;
    for (i = 0; i < COUNT(golden); i++)
        for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
            const rise_kernels *const kernels = rise_kernels_of((rise_isa)isa);
            uint64_t hash;
            /* REF is by far the slowest */
            if (kernels == NULL || (isa == RISE_ISA_REF && i % check_share != 0)) continue;
            check_about("%s on %s", golden[i].words, kernels->name);
            hash = learned_on(golden[i].words, (rise_isa)isa);
            if (print && isa == RISE_ISA_REF)
                printf("    {\"%s\", UINT64_C(0x%016llX)},\n", golden[i].words,
                       (unsigned long long)hash);
            if (kernels->fused)
                CHECK(print || hash == golden[i].hash);
            else if (i == 0 && !print)
                check_note("%s is not fused here: its numbers %s", kernels->name,
                           hash == golden[i].hash ? "are equal" : "differ");
        }
}

/* ---------------------------------------------------------------------------------------------- */
/* A resumed run equals an uninterrupted one */

enum { WHOLE = 110 };

static void resumes(const char *words)
{
    /* before and after learning starts, and with a full replay buffer */
    static int const moments[] = {0, 1, 19, 20, 22, 37, 64, 65, 66, 100};
    world w = world_begin(words, 0), again;
    buffer files[COUNT(moments)];
    world at[COUNT(moments)];
    uint64_t actions[COUNT(moments)], state;
    rise_metrics m, n;
    int i, j, step;
    for (i = step = 0; step <= WHOLE; step++) {
        if (i < COUNT(moments) && step == moments[i]) {
            at[i] = w;
            files[i] = saved(w.agent, RISE_SAVE_ALL);
            actions[i++] = HASH_START;
        }
        if (step == WHOLE) break;
        {
            uint64_t const did = world_run(&w, 1);
            for (j = 0; j < i; j++) actions[j] = hash_bytes(actions[j], &did, sizeof did);
        }
    }
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates > 30);
    state = state_of(w.agent);
    for (i = 0; i < COUNT(moments); i++) {
        uint64_t did = HASH_START;
        check_about("%s, resumed after %d steps", words, moments[i]);
        again = at[i];
        again.agent = loaded(&files[i], &w.agent->desc); /* supplies embed_fn */
        for (step = moments[i]; step < WHOLE; step++) {
            uint64_t const one = world_run(&again, 1);
            did = hash_bytes(did, &one, sizeof one);
        }
        rise_agent_metrics(again.agent, &n);
        CHECK(did == actions[i]);
        n.action_time = m.action_time, n.update_time = m.update_time, n.advice = m.advice;
        CHECK(memcmp(&m, &n, sizeof m) == 0); /* times and advice are not saved */
        CHECK(same_reals(rise_agent_parameters(w.agent), rise_agent_parameters(again.agent),
                         m.parameters));
        CHECK(state_of(again.agent) == state);
        rise_agent_destroy(again.agent);
        free(files[i].data);
    }
    rise_agent_destroy(w.agent);
}
/* Loads without the replay buffer: learning goes on from a new episode and an empty buffer. */
static void resumes_learning(const char *words)
{
    world w = world_begin(words, 70);
    rise_agent *const a = w.agent, *b;
    buffer file = saved(a, RISE_SAVE_AGENT);
    /* `block` also counts the directions of the spectral norms */
    size_t const n = a->model.net.parameters, block = a->model.net.weights_size;
    rise_metrics m;
    int64_t updates;
    check_about("%s, resumed without its replay buffer", words);
    b = loaded(&file, &a->desc);
    CHECK(same_reals(a->model.weights, b->model.weights, block) &&
          same_reals(a->model.target, b->model.target, block));
    CHECK(same_reals(a->learner.optimizer.m, b->learner.optimizer.m, n) &&
          same_reals(a->learner.optimizer.v, b->learner.optimizer.v, n));
    CHECK(a->learner.optimizer.power1 == b->learner.optimizer.power1 &&
          a->learner.optimizer.power2 == b->learner.optimizer.power2);
    CHECK(memcmp(&a->actor.explore_random, &b->actor.explore_random, sizeof(risei_random)) == 0 &&
          memcmp(&a->learner.sample_random, &b->learner.sample_random, sizeof(risei_random)) == 0 &&
          a->actor.steps == b->actor.steps && a->actor.episodes == b->actor.episodes &&
          a->model.updates == b->model.updates && a->learner.owed_steps == b->learner.owed_steps &&
          a->learner.snapshots == b->learner.snapshots &&
          a->learner.snapshot_next == b->learner.snapshot_next &&
          memcmp(&a->model.metrics, &b->model.metrics, offsetof(risei_update_metrics, time)) == 0);
    rise_agent_metrics(b, &m);
    CHECK(m.replay_size == 0 && m.replay_ready == 0 && m.mean_length == 0);
    w.agent = b;
    for (w.events[0] = RISE_MIDDLE; w.events[0] <= RISE_TRUNCATED;
         w.events[0] = (rise_event)((int)w.events[0] + 1))
        CHECK(world_act(&w) == RISE_BAD_CALL); /* no episode is in progress */
    memset(w.games, 0, sizeof w.games);
    updates = m.updates;
    world_run(&w, 20 / a->desc.environments);
    rise_agent_metrics(b, &m);
    CHECK(m.updates == updates); /* updates wait until the buffer holds learn_start frames again */
    world_run(&w, 80);
    rise_agent_metrics(b, &m);
    CHECK(m.updates > updates + 10);
    rise_agent_destroy(a);
    rise_agent_destroy(b);
    free(file.data);
}
static void plays_from_a_policy(const char *words)
{
    world w = world_begin(words, 70);
    rise_agent_desc machine = w.agent->desc;
    buffer file = saved(w.agent, RISE_SAVE_POLICY);
    rise_agent *small;
    rise_metrics m;
    int i, player;
    check_about("%s, as a policy", words);
    machine.play_only = 1, machine.players = 2;
    small = loaded(&file, &machine);
    rise_agent_metrics(small, &m);
    CHECK(m.bytes == rise_agent_bytes(&small->desc, NULL) && m.steps == 0);
    memset(w.games, 0, sizeof w.games); /* the games begin again, and players play them */
    for (i = 0; i < 40; i++) {
        world_move(&w);
        for (player = 0; player < 2; player++) {
            const uint8_t *frame = w.frames + player * PIXELS;
            int const action =
                rise_agent_play(w.agent, player, frame, w.rewards[player], w.events[player], NULL);
            CHECK(rise_agent_play(small, player, frame, w.rewards[player], w.events[player],
                                  NULL) == action);
            CHECK(same_reals(rise_agent_values(w.agent, player), rise_agent_values(small, player),
                             ACTIONS));
            w.actions[player] = action;
        }
    }
    CHECK(rise_agent_learn(small) == RISE_BAD_CALL && rise_agent_error(small)->text[0] != '\0');
    CHECK(rise_agent_step(small, w.frames, 0, RISE_FIRST) < 0 &&
          rise_agent_learn_for(small, 1e6) == 0);
    rise_agent_destroy(small);
    rise_agent_destroy(w.agent);
    free(file.data);
}
/* Players do not change what is learned. */
static void plays_without_a_trace(const char *words)
{
    world quiet = world_begin(words, 0), busy = world_begin(words, 0);
    toy other = {99, 0, 0};
    uint8_t frame[PIXELS], allowed[ACTIONS];
    float reward;
    int i, player, action = 0;
    check_about("%s, with players", words);
    for (i = 0; i < WHOLE; i++) {
        for (player = 0; player < i % 3; player++) {
            rise_event const event =
                toy_next(&other, action < 0 ? 0 : action, frame, allowed, &reward);
            action = rise_agent_play(busy.agent, player, frame, reward, event, NULL);
            /* the event did not fit, so the episode begins again */
            if (action < 0)
                CHECK(rise_agent_play(busy.agent, player, frame, reward, RISE_FIRST, NULL) >= 0);
        }
        CHECK(world_run(&quiet, 1) == world_run(&busy, 1));
    }
    CHECK(state_of(quiet.agent) == state_of(busy.agent));
    rise_agent_destroy(quiet.agent);
    rise_agent_destroy(busy.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* Memory */

/* The agent makes one allocation, of the size that rise_agent_bytes returns, and no other. */
static void allocates_once(const char *words)
{
    rise_agent_desc const d = described(words);
    long const calls = toy_memory.calls;
    rise_metrics m;
    world w;
    check_about("%s, memory", words);
    w = world_of(created(&d));
    CHECK(toy_memory.calls == calls + 1 && toy_memory.held == 1);
    CHECK(toy_memory.newest == rise_agent_bytes(&d, NULL));
    world_run(&w, 70);
    CHECK(rise_agent_learn(w.agent) == RISE_OK && rise_agent_learn_for(w.agent, 1) >= 0);
    CHECK(rise_agent_play(w.agent, 1, w.frames, 0, RISE_FIRST, NULL) >= 0);
    rise_agent_metrics(w.agent, &m);
    CHECK(m.bytes == toy_memory.newest);
    CHECK(m.updates > (d.learn_outside ? 0 : 10));
    CHECK(toy_memory.calls == calls + 1);
    rise_agent_destroy(w.agent);
    rise_agent_destroy(NULL);
    CHECK(toy_memory.held == 0);
}
/* The agent runs in a block that is not zeroed, at any address, and writes only inside the
   block. */
static void lives_in_a_block(const char *words)
{
    rise_agent_desc d = described(words);
    size_t const bytes = rise_agent_bytes(&d, NULL);
    unsigned char *const room = (unsigned char *)malloc(bytes + 128);
    long const calls = toy_memory.calls;
    rise_agent *refused;
    rise_error error;
    uint64_t state;
    world w;
    size_t i;
    int at;
    check_about("%s, in a block", words);
    if (room == NULL) exit(1);
    w = world_begin(words, 60);
    state = state_of(w.agent);
    rise_agent_destroy(w.agent);
    for (at = 0; at < 65; at += 1 + 3 * at) { /* 0, 1, 5, 21 */
        memset(room, 0xA5, bytes + 128);
        d.memory_block = room + at;
        d.memory_bytes = bytes;
        w = world_of(created(&d));
        world_run(&w, 60);
        CHECK(state_of(w.agent) == state);
        rise_agent_destroy(w.agent);
        for (i = 0; i < bytes + 128; i++)
            if ((i < (size_t)at || i >= (size_t)at + bytes) && !CHECK(room[i] == 0xA5)) break;
        d.memory_bytes = bytes - 1;
        CHECK(rise_agent_create(&refused, &d, &error) == RISE_NO_MEMORY && refused == NULL);
        CHECK(error.result == RISE_NO_MEMORY && strstr(error.text, "memory_bytes") != NULL);
    }
    d.memory_bytes = 0;
    CHECK(rise_agent_create(&refused, &d, &error) == RISE_BAD_DESC &&
          strstr(error.text, "memory_bytes") != NULL);
    CHECK(toy_memory.calls == calls + 1); /* the first allocation */
    free(room);
}
static void bytes_are_as_promised(void)
{
    rise_agent_desc d = described("memory=rise");
    rise_agent *a;
    rise_error error;
    rise_metrics m;
    size_t less, more, full;
    double frame;
    check_about("sizes");
    toy_memory.refuse = 1; /* no memory is left */
    CHECK(rise_agent_create(&a, &d, &error) == RISE_NO_MEMORY && a == NULL &&
          error.text[0] != '\0');
    CHECK(rise_agent_create(&a, &d, NULL) == RISE_NO_MEMORY && a == NULL);
    toy_memory.refuse = 0;
    d.memory_bytes = rise_agent_bytes(&d, NULL); /* an exact limit */
    rise_agent_destroy(created(&d));
    d.memory_bytes--;
    CHECK(rise_agent_create(&a, &d, &error) == RISE_NO_MEMORY && a == NULL &&
          strstr(error.text, "memory_bytes") != NULL);
    d.memory_bytes = 1; /* the smallest limit; 0 means no limit */
    CHECK(rise_agent_create(&a, &d, &error) == RISE_NO_MEMORY && a == NULL &&
          strstr(error.text, "memory_bytes") != NULL);
    CHECK(toy_memory.held == 0);

    /* an Atari frame costs its pixels and its embedding, plus less than 3% */
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 84, d.actions = 6;
    d.replay_capacity = 50000;
    less = rise_agent_bytes(&d, NULL);
    d.replay_capacity = 150000; /* fits 32 bits, with embedding_f32, too */
    more = rise_agent_bytes(&d, NULL);
    frame = (double)(more - less) / 100000;
    /* the embedding is a grid of 22 x 22 numbers of 2 bytes */
    CHECK(frame >= 84 * 84 + 2 * 484 && frame < 1.03 * (84 * 84 + 2 * 484));
    d.embedding_f32 = 1;
    CHECK_NEAR((double)(rise_agent_bytes(&d, NULL) - more), 150000.0 * 2 * 484, 0.001);
    d.embedding_f32 = 0, d.play_only = 1;
    full = rise_agent_bytes(&d, NULL);
    CHECK(full > 0 && full < less / 20);
    d.play_only = 0, d.replay_capacity = 1000000000;
    if (sizeof(size_t) > 4)
        CHECK(rise_agent_bytes(&d, &error) > (size_t)1000000000 * 8);
    else
        CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_NO_MEMORY &&
              error.text[0] != '\0');
    d.actions = 0;
    CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_BAD_DESC);

    d = described("memory=rise");
    a = created(&d);
    rise_agent_metrics(a, &m);
    /* frame, embedding in 16-bit floats, reward, action, event, index in the episode, tree */
    CHECK(m.bytes_per_step == PIXELS + 2 * 9 + 4 + 2 + 1 + 4 + 64 / 7);
    rise_agent_destroy(a);
    d = described("memory=rise stored action_masks=1 embedding_f32=1");
    a = created(&d);
    rise_agent_metrics(a, &m);
    /* the same with one byte for a mask, and floats: 9 of the embedding, 2 * 7 of the state */
    CHECK(m.bytes_per_step == PIXELS + 4 * (9 + 14) + 1 + 4 + 2 + 1 + 4 + 64 / 7);
    rise_agent_destroy(a);
}

/* ---------------------------------------------------------------------------------------------- */
/* Descriptions */

#define FIELD(field) #field, offsetof(rise_agent_desc, field)
#define CONV(field)                                                                                \
    "conv[1]." #field,                                                                             \
        offsetof(rise_agent_desc, conv) + sizeof(rise_conv) + offsetof(rise_conv, field)
/* The limits that the API states. `least` and `most` are accepted; `below` and most + 1 are
   refused. If 0 lies between `below` and `least`, it means the default and is not tried. */
static const struct {
    const char *name;
    size_t at;
    int below, least, most;
} limits[] = {
    {FIELD(frame_width), 0, 1, 1024},
    {FIELD(frame_height), 0, 1, 1024},
    {FIELD(frame_channels), -1, 1, 16},
    {FIELD(frame_stack), -1, 1, 16},
    {FIELD(actions), 0, 1, 256},
    {FIELD(action_masks), -1, 0, 1},
    {FIELD(environments), -1, 1, 4096},
    {FIELD(players), -1, 1, 4096},
    {FIELD(play_only), -1, 0, 1},
    {FIELD(memory), -1, 0, RISE_MEMORY_COUNT - 1},
    {FIELD(window), -1, 1, 1024},
    {FIELD(cell), -1, 0, RISE_CELL_COUNT - 1},
    {FIELD(recurrent_units), -1, 1, 4096},
    {FIELD(fusion), -1, 0, 2},
    {FIELD(carry_state), -1, 0, 1},
    {FIELD(feed_action), -1, 0, 1},
    {FIELD(embedding), -1, 0, RISE_EMBED_COUNT - 1},
    {FIELD(embedding_size), -1, 1, 8192},
    {FIELD(embedding_pool), -1, 1, 64},
    {FIELD(embedding_f32), -1, 0, 1},
    {FIELD(network), -1, 0, 4},
    {FIELD(conv_count), 0, 1, 8},
    {FIELD(features), -2, -1, 8192},
    {FIELD(head_units), -1, 1, 8192},
    {FIELD(no_dueling), -1, 0, 1},
    {FIELD(layer_norm), -1, 0, 1},
    {FIELD(batch), -1, 1, 4096},
    {FIELD(n_step), -1, 1, 64},
    {FIELD(no_double), -1, 0, 1},
    {FIELD(target_period), -1, 1, 1000000000},
    {FIELD(learn_start), 3, 4, 1000000000},
    {FIELD(learn_period), -1, 1, 1000000},
    {FIELD(replay_capacity), 20, 5000, 1000000000},
    {FIELD(learn_outside), -1, 0, 1},
    {FIELD(epsilon_steps), -1, 1, 1000000000},
    {FIELD(learning_rate_steps), -1, 0, 1000000000},
    {CONV(filters), 0, 1, 1024},
    {CONV(size), 0, 1, 64},
    {CONV(stride), -1, 1, 64},
    {CONV(pad), -1, 0, 32},
    {CONV(pool), -1, 0, 64},
    {CONV(pool_stride), -1, 0, 64},
    {CONV(pool_pad), -1, 0, 1},
    {CONV(residual), -1, 0, 4},
    {FIELD(network_width), -1, 1, 16},
    {FIELD(pool_to), -2, -1, 33},
    {FIELD(spectral_norm), -1, 0, 1},
    {FIELD(noisy), -1, 0, 1},
    {FIELD(head), -1, 0, RISE_HEAD_COUNT - 1},
    {FIELD(atoms), 1, 2, 256},
    {FIELD(quantiles), -1, 1, 256},
    {FIELD(munchausen), -1, 0, 1},
    {FIELD(value_rescale), -1, 0, 1},
};
static const struct {
    const char *name;
    size_t at;
    double good[3], bad[3]; /* 0 is good as well; infinities and NaN are bad as well */
} real_limits[] = {
    {FIELD(discount), {1e-6, 0.5, 1}, {-1e-9, 1.0000001, -1}},
    {FIELD(learning_rate), {1e-12, 0.1, 1}, {-1e-9, 1.1, -1}},
    {FIELD(adam_epsilon), {1e-12, 0.1, 1}, {-1e-9, 1.1, -1}},
    {FIELD(gradient_clip), {-1, 1e-3, 1e12}, {1e13, -1e300, 1e300}},
    {FIELD(context_decay), {-1, 1e-4, 1}, {1.1, -1.1, 1e300}},
    {FIELD(priority_exponent), {-1, 0.1, 1}, {1.1, 2, 1e9}},
    {FIELD(importance_exponent), {-1, 0.1, 1}, {1.1, 2, 1e9}},
    {FIELD(epsilon_start), {-1, 0.1, 1}, {1.1, 2, 1e9}},
    {FIELD(epsilon_end), {-1, 0.1, 1}, {1.1, 2, 1e9}},
    {FIELD(value_min), {-1e9, -0.5, 9.99}, {10, 11, -1.1e9}},
    {FIELD(value_max), {1e9, 0.5, -9.99}, {-10, -11, 1.1e9}},
    {FIELD(target_rate), {1e-6, 0.5, 1}, {-1e-9, 1.001, -1}},
    {FIELD(temperature), {1e-6, 0.1, 1e6}, {-1e-9, 1.1e6, -1}},
    {FIELD(munchausen_scale), {-1, 0.1, 1}, {1.1, 2, 1e9}},
    {FIELD(context_scale), {1e-6, 1, 100}, {-1, 100.1, 1e9}},
};
/* Returns a description in which every field may go to its limits. */
static rise_agent_desc roomy(void)
{
    rise_agent_desc d;
    int l;
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 62, d.actions = 2;
    d.network = RISE_NETWORK_CUSTOM;
    d.conv_count = 2;
    for (l = 0; l < RISE_MAX_CONV; l++) d.conv[l].filters = 1, d.conv[l].size = 1;
    d.conv[1].size = 3, d.conv[1].pad = 2, d.conv[1].pool_pad = 1, d.conv[1].pool = 2;
    d.batch = 4;
    d.replay_capacity = 1000000000, d.learn_start = 5000;
    d.embed_fn = toy_embed;
    return d;
}
/* Checks that the description is refused, that the error names `name`, and that no agent is
   created. */
static void refused_for(const char *name, const rise_agent_desc *d)
{
    rise_agent_desc copy = *d;
    rise_agent *agent = (rise_agent *)&copy;
    rise_error error;
    memset(&error, 0, sizeof error);
    CHECK(rise_agent_resolve(&copy, &error) == RISE_BAD_DESC && error.result == RISE_BAD_DESC);
    if (!CHECK(strstr(error.text, name) != NULL))
        printf("    \"%s\" does not name %s\n", error.text, name);
    CHECK(rise_agent_create(&agent, d, NULL) == RISE_BAD_DESC && agent == NULL);
    CHECK(rise_agent_bytes(d, &error) == 0);
}
static void accepted(const rise_agent_desc *d)
{
    rise_agent_desc copy = *d, twice;
    rise_error error = {RISE_OK, ""};
    if (!CHECK(rise_agent_resolve(&copy, &error) == RISE_OK)) printf("    \"%s\"\n", error.text);
    twice = copy;
    /* resolving twice changes nothing */
    CHECK(rise_agent_resolve(&twice, NULL) == RISE_OK && memcmp(&copy, &twice, sizeof copy) == 0);
}
static void fields_keep_their_limits(void)
{
    rise_agent_desc d;
    int i, j;
    for (i = 0; i < COUNT(limits); i++) {
        int const values[6] = {limits[i].least,    limits[i].most, limits[i].below,
                               limits[i].most + 1, INT_MAX,        INT_MIN};
        for (j = 0; j < 6; j++) {
            check_about("%s = %d", limits[i].name, values[j]);
            d = roomy();
            memcpy((char *)&d + limits[i].at, &values[j], sizeof values[j]);
            if (j < 2)
                accepted(&d);
            else
                refused_for(limits[i].at == offsetof(rise_agent_desc, replay_capacity) && j == 2
                                ? "learn_start"
                                : limits[i].name,
                            &d);
        }
    }
    for (i = 0; i < COUNT(real_limits); i++) {
        const double *good = real_limits[i].good, *bad = real_limits[i].bad;
        double const values[10] = {0,      good[0], good[1],  good[2],   bad[0],
                                   bad[1], bad[2],  HUGE_VAL, -HUGE_VAL, (double)NAN};
        for (j = 0; j < 10; j++) {
            check_about("%s = %g", real_limits[i].name, values[j]);
            d = roomy();
            memcpy((char *)&d + real_limits[i].at, &values[j], sizeof values[j]);
            if (j < 4)
                accepted(&d);
            else
                refused_for(real_limits[i].name, &d);
        }
    }
}
/* The error text about a number out of range names both ends of the range. */
static void sentences_name_the_range(void)
{
    rise_agent_desc d = roomy();
    rise_error error;
    d.learn_start = -5;
    CHECK(rise_agent_resolve(&d, &error) == RISE_BAD_DESC);
    CHECK(strstr(error.text, "learn_start is -5; it must be between 1 and 1e+09") != NULL);
}
/* An agent whose frames have one column needs a frame: NULL is refused. */
static void the_smallest_frame_is_needed(void)
{
    rise_agent_desc d = roomy();
    rise_agent *a;
    d.frame_width = 1, d.conv_count = 1, d.environments = 1;
    d.replay_capacity = 1000, d.learn_start = 100;
    a = created(&d);
    CHECK(rise_agent_step(a, NULL, 0, RISE_FIRST) == RISE_BAD_CALL);
    CHECK(strcmp(rise_agent_error(a)->text, "frame is NULL") == 0);
    rise_agent_destroy(a);
}
static void user_embeddings_need_embed_fn(void)
{
    rise_agent_desc d = roomy();
    d.embedding = RISE_EMBED_USER, d.embed_fn = NULL;
    refused_for("embed_fn", &d);
    d.memory = RISE_MEMORY_NONE; /* NONE has no embedding */
    accepted(&d);
}
/* With C51, the atoms are apart. */
static void atoms_need_a_range(void)
{
    rise_agent_desc d = roomy();
    d.head = RISE_HEAD_C51;
    d.value_max = 5e-324;
    refused_for("value_max", &d);
    d.value_max = 50 * (double)FLT_MIN * 0.999; /* 51 atoms */
    refused_for("value_max", &d);
    d.value_max = 50 * (double)FLT_MIN;
    accepted(&d);
    d.head = RISE_HEAD_MEAN, d.value_max = 5e-324; /* not used */
    accepted(&d);
}
/* A wrong number of processes is named, also where the default of another field depends on it. */
static void many_processes_are_refused(void)
{
    rise_agent_desc d = roomy();
    d.processes = 2000000000;
    refused_for("processes is 2000000000", &d);
}
static void replay_must_hold_what_learning_reads(void)
{
    rise_agent_desc d = roomy();
    /* one step of window_stride can be drawn at any time */
    d.window = 4, d.window_samples = d.window_stride = 64, d.batch = 64, d.n_step = 1;
    d.environments = 1, d.learn_start = 64, d.replay_capacity = 131;
    refused_for("window_stride", &d);
    d.replay_capacity = 132;
    accepted(&d);
    d = roomy();
    /* 15 frames before a transition, its own, 3 after it, and one to write */
    d.replay_capacity = 20, d.learn_start = 10;
    accepted(&d);
    d.replay_capacity = 19;
    refused_for("replay_capacity", &d);
    d.environments = 2, d.replay_capacity = 39;
    refused_for("replay_capacity", &d);
    d.replay_capacity = 40;
    accepted(&d);
    d.learn_start = 41;
    refused_for("learn_start", &d);
    d.learn_start = 3;
    refused_for("learn_start", &d);
    d.play_only = 1; /* a play-only agent has no replay buffer and no warm-up */
    accepted(&d);
}
static void conv_layers_must_fit_the_frame(void)
{
    rise_agent_desc d = roomy();
    d.conv[1].size = 64, d.conv[1].pad = 0;
    refused_for("conv[1].size", &d);
    d.conv[1].size = 60;
    d.conv[1].pool = 6;
    refused_for("conv[1].pool", &d);
    d.conv[1].pool = 5;
    accepted(&d);
    d = roomy();
    d.conv[1].pool = 64, d.conv[1].pool_pad = 63;
    accepted(&d);
    d = roomy();
    d.frame_width = 61, d.conv[1].size = 62, d.conv[1].pad = 0, d.conv[1].pool = 0;
    d.conv[1].pool_pad = 0;
    refused_for("conv[1].size", &d); /* high enough, not wide enough */
    d.frame_width = 63, d.frame_height = 61;
    refused_for("conv[1].size", &d);
    d.frame_height = 62;
    accepted(&d);
    d.conv[1].size = 1, d.conv[1].pool = 62;
    accepted(&d);
    d.frame_width = 61;
    refused_for("conv[1].pool", &d);
    d = roomy();
    d.frame_width = d.frame_height = 1024, d.conv_count = 1, d.conv[0].filters = 5;
    refused_for("conv", &d);
    d.conv[0].filters = 4;
    accepted(&d);
}
static void pool_to_must_fit_the_frame(void)
{
    rise_agent_desc d = roomy(); /* without the pool, 64 x 64 pixels are left */
    d.conv[1].pool = d.conv[1].pool_pad = 0, d.pool_to = 64;
    accepted(&d);
    d.pool_to = 65;
    refused_for("pool_to", &d);
    d.conv[1].pad = 1, d.pool_to = 63; /* 62 x 62 */
    refused_for("pool_to", &d);
    d.frame_height = 70; /* 62 wide, 70 high */
    refused_for("pool_to", &d);
    d.pool_to = 62;
    accepted(&d);
    d.conv[0].residual = 5;
    refused_for("conv[0].residual", &d);
    d = roomy();
    d.network = RISE_NETWORK_IMPALA, d.frame_width = 41; /* 41, 21, 11, 6 pixels are just enough */
    accepted(&d);
    d.frame_width = 40;
    refused_for("pool_to", &d);
    d.pool_to = 5;
    accepted(&d);
    d.pool_to = -1;
    accepted(&d);
}
static void heads_must_fit_together(void)
{
    rise_agent_desc d = roomy();
    d.head = RISE_HEAD_C51, d.munchausen = 1;
    refused_for("munchausen is 1", &d);
    d.munchausen = 0, d.value_rescale = 1;
    refused_for("value_rescale is 1", &d);
    d.head = RISE_HEAD_IQN;
    accepted(&d);
    d.munchausen = 1;
    refused_for("munchausen and value_rescale", &d);
    d.head = RISE_HEAD_MEAN;
    refused_for("munchausen and value_rescale", &d);
    /* munchausen and value_rescale each work with noise, spectral norm and soft copies, also
       without residual units */
    d.value_rescale = 0, d.noisy = d.spectral_norm = 1, d.target_rate = 0.01;
    accepted(&d);
    d.munchausen = 0, d.value_rescale = 1;
    accepted(&d);
    d.value_min = 3, d.value_max = 3;
    refused_for("value_min", &d);
}
static void batch_must_fit_in_memory(void)
{
    rise_agent_desc d = roomy();
    d.batch = 4096, d.frame_width = d.frame_height = 512, d.conv_count = 1; /* 2^31 floats */
    refused_for("batch", &d);
    d.batch = 1024;
    accepted(&d);
    d.memory = RISE_MEMORY_FULL;
    refused_for("batch", &d);
}
/* The published IMPALA network: 16, 32 and 32 filters times the width; after each conv a pool of 3
   with stride 2, and two residual units. */
static void knows_impala(void)
{
    rise_agent_desc d;
    int width, l;
    for (width = 0; width <= 16; width++) {
        memset(&d, 0, sizeof d);
        d.frame_width = 84, d.frame_height = 100, d.actions = 3;
        d.network = RISE_NETWORK_IMPALA, d.network_width = width;
        CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
        CHECK(d.network_width == (width == 0 ? 2 : width) && d.pool_to == 6 && d.features == -1 &&
              d.head_units == 512);
        CHECK(d.conv_count == 3);
        for (l = 0; l < 3; l++) {
            const rise_conv *c = &d.conv[l];
            CHECK(c->filters == (l == 0 ? 16 : 32) * d.network_width && c->size == 3 &&
                  c->stride == 1 && c->pad == 1);
            CHECK(c->pool == 3 && c->pool_stride == 2 && c->pool_pad == 1 && c->residual == 2);
        }
    }
}
/* The sums of SIGNS are exact in 32 bits, so frames of more than 2^31 / 255 bytes are refused. */
static void frames_of_signs_are_limited(void)
{
    static const struct {
        rise_embedding embedding;
        int height, channels, possible;
    } cases[] = {{RISE_EMBED_SIGNS, 1024, 8, 1},     {RISE_EMBED_SIGNS, 1024, 9, 0},
                 {RISE_EMBED_SIGNS, 914, 9, 0},      {RISE_EMBED_SIGNS, 913, 9, 1},
                 {RISE_EMBED_GAUSSIAN, 1024, 16, 1}, {RISE_EMBED_AUTO, 1024, 16, 1}};
    int i;
    for (i = 0; i < COUNT(cases); i++) {
        rise_agent_desc d;
        rise_error error = {RISE_OK, ""};
        check_about("case %d", i);
        memset(&d, 0, sizeof d);
        d.frame_width = 1024, d.frame_height = cases[i].height, d.actions = 2;
        d.frame_channels = cases[i].channels, d.embedding = cases[i].embedding;
        CHECK(rise_agent_resolve(&d, &error) == (cases[i].possible ? RISE_OK : RISE_BAD_DESC));
        if (!cases[i].possible)
            CHECK(strstr(error.text, "at most 8421504 with") != NULL &&
                  strstr(error.text, "smaller, or choose another embedding") != NULL);
    }
    check_about("%s", "");
}
static void defaults_are_filled_in(void)
{
    static const int sides[] = {1, 2, 3, 5, 8, 20, 32, 33, 84, 300};
    rise_agent_desc d;
    int width, height, kind;
    for (width = 0; width < COUNT(sides); width++)
        for (height = 0; height < COUNT(sides); height++)
            for (kind = RISE_EMBED_AUTO; kind < RISE_EMBED_COUNT; kind++) {
                if (kind != RISE_EMBED_AUTO && needs_file(kind)) continue;
                memset(&d, 0, sizeof d);
                d.frame_width = sides[width], d.frame_height = sides[height], d.actions = 2;
                d.network = RISE_NETWORK_CUSTOM, d.conv_count = 1, d.conv[0].size = 1,
                d.conv[0].filters = 2;
                d.embedding = (rise_embedding)kind, d.embed_fn = toy_embed;
                d.embedding_size = 64;
                check_about("embedding %d of %d x %d", kind, d.frame_width, d.frame_height);
                accepted(&d);
            }
    check_about("defaults");
    memset(&d, 0, sizeof d);
    d.frame_width = 10, d.frame_height = 14, d.actions = 3;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
    CHECK(d.network == RISE_NETWORK_SMALL && d.window == 16 && d.batch == 32 && d.n_step == 3 &&
          d.frame_stack == 4);
    CHECK(d.learn_start == 1000 && d.replay_capacity == 50000 && d.target_period == 100 &&
          d.recurrent_units == 32);
    CHECK(d.head == RISE_HEAD_MEAN && d.atoms == 51 && d.quantiles == 8 && !d.noisy &&
          !d.munchausen && !d.value_rescale);
    CHECK(d.value_min == -10 && d.value_max == 10 && d.target_rate == 1 &&
          d.munchausen_scale == 0.9 && d.temperature == 0.03);
    CHECK(d.network_width == 2 && d.pool_to == -1 && !d.spectral_norm && d.conv[0].residual == 0);
    CHECK(d.embedding == RISE_EMBED_DOWNSAMPLE && d.embedding_size == 64 && d.context_scale == 1);
    d.raw_frames = 1, d.context_scale = 0;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.context_scale == 0.5);
    d.memory = RISE_MEMORY_FULL, d.context_scale = 0;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.context_scale == 1);
    d.memory = RISE_MEMORY_RISE;
    /* DOWNSAMPLE needs a number per channel, so 3 are too few for 4 channels */
    d.embedding = RISE_EMBED_AUTO, d.embedding_size = 3, d.frame_channels = 4;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_BAD_DESC && d.embedding == RISE_EMBED_AUTO);
    /* and 4 are enough */
    d.embedding = RISE_EMBED_AUTO, d.embedding_size = 4;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.embedding == RISE_EMBED_DOWNSAMPLE &&
          d.embedding_size == 4);
    /* raw frames of more than 32 columns need another context_scale */
    d.embedding = RISE_EMBED_AUTO, d.embedding_size = 0, d.context_scale = 0, d.frame_width = 33;
    d.raw_frames = 1;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.embedding == RISE_EMBED_DOWNSAMPLE &&
          d.embedding_size == 64 && d.context_scale == 0.05);
    knows_impala();
}
static void missing_kernels_are_refused(void)
{
    rise_agent_desc d = described("memory=rise");
    rise_agent *a;
    rise_error error;
    int isa;
    for (isa = -1; isa < 8; isa++) {
        int const there = isa >= RISE_ISA_AUTO && isa <= RISE_ISA_NEON &&
                          rise_kernels_of((rise_isa)isa) != NULL;
        check_about("isa %d", isa);
        memcpy(&d.isa, &isa, sizeof isa);
        CHECK(rise_agent_create(&a, &d, &error) == (there ? RISE_OK : RISE_UNAVAILABLE));
        CHECK((a != NULL) == there && (there || strstr(error.text, "isa") != NULL));
        rise_agent_destroy(a);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Wrong calls */

/* Checks the result of a refused call: its error contains `word`, and the agent has not changed. */
static void refused(const rise_agent *a, uint64_t before, int got, rise_result result,
                    const char *word)
{
    const rise_error *error = rise_agent_error(a);
    CHECK(got == (int)result && error->result == result);
    if (!CHECK(strstr(error->text, word) != NULL))
        printf("    \"%s\" does not say %s\n", error->text, word);
    CHECK(state_of(a) == before);
}
/* Steps world `w` with one wrong argument in game `game`. */
static int step_wrong(world w, int game, int event, float reward)
{
    w.rewards[game] = reward;
    memcpy(&w.events[game], &event, sizeof event);
    return (int)world_act(&w);
}
static void refuses_missing_arrays(world *w, uint64_t before)
{
    rise_agent *const a = w->agent;
    refused(a, before,
            (int)rise_agent_step_all(a, NULL, NULL, w->rewards, w->events, w->allowed, w->actions),
            RISE_BAD_CALL, "frames");
    refused(a, before,
            (int)rise_agent_step_all(a, w->frames, NULL, NULL, w->events, w->allowed, w->actions),
            RISE_BAD_CALL, "rewards");
    refused(a, before,
            (int)rise_agent_step_all(a, w->frames, NULL, w->rewards, NULL, w->allowed, w->actions),
            RISE_BAD_CALL, "events");
    refused(a, before,
            (int)rise_agent_step_all(a, w->frames, NULL, w->rewards, w->events, w->allowed, NULL),
            RISE_BAD_CALL, "actions");
}
static void refuses_steps(const char *words)
{
    static const float nonfinite[] = {(float)HUGE_VAL, -(float)HUGE_VAL, (float)NAN};
    world w = world_begin(words, 0), clean = world_begin(words, 0);
    rise_agent *const a = w.agent;
    /* the games before the last are valid, and must not advance either */
    int const last = a->desc.environments - 1;
    int step, i;
    check_about("%s, wrong steps", words);
    CHECK(rise_agent_error(a)->text[0] == '\0');
    for (step = 0; step < 55; step += 11) {
        uint64_t const before = state_of(a);
        int const between = risei_history_ended(&a->replay.history, last);
        uint8_t allowed[GAMES * ACTIONS];
        world_move(&w);
        for (i = RISE_MIDDLE; i <= RISE_TRUNCATED && between; i++)
            refused(a, before, step_wrong(w, last, i, 0), RISE_BAD_CALL, "RISE_FIRST");
        for (i = 0; i < COUNT(nonfinite) && !between; i++)
            refused(a, before, step_wrong(w, last, 1 + i, nonfinite[i]), RISE_NOT_FINITE, "reward");
        refused(a, before, step_wrong(w, last, -1, 0), RISE_BAD_CALL, "event");
        refused(a, before, step_wrong(w, last, RISE_ABSENT + 1, 0), RISE_BAD_CALL, "event");
        refuses_missing_arrays(&w, before);
        if (a->desc.action_masks) {
            refused(a, before,
                    (int)rise_agent_step_all(a, w.frames, NULL, w.rewards, w.events, NULL,
                                             w.actions),
                    RISE_BAD_CALL, "allowed");
            memcpy(allowed, w.allowed, sizeof allowed);
            memset(allowed + last * ACTIONS, 0, ACTIONS);
            if (!risei_event_is_last((int)w.events[last]))
                refused(a, before,
                        (int)rise_agent_step_all(a, w.frames, NULL, w.rewards, w.events, allowed,
                                                 w.actions),
                        RISE_BAD_CALL, "no action");
        } else
            refused(a, before,
                    (int)rise_agent_step_all(a, w.frames, NULL, w.rewards, w.events, w.allowed,
                                             w.actions),
                    RISE_BAD_CALL, "allowed");
        if (last == 0 && !a->desc.action_masks)
            refused(a, before, rise_agent_step(a, NULL, 0, RISE_FIRST), RISE_BAD_CALL, "frame");
        else
            refused(a, before, rise_agent_step(a, w.frames, 0, RISE_FIRST), RISE_BAD_CALL,
                    "rise_agent_step_all");
        if (step == 0) refused(a, before, (int)rise_agent_learn(a), RISE_BAD_CALL, "transition");
        CHECK(world_act(&w) == RISE_OK);
        world_run(&w, 10);
        world_run(&clean, 11);
    }
    CHECK(state_of(a) == state_of(clean.agent));
    rise_agent_destroy(a);
    rise_agent_destroy(clean.agent);
}
static void refuses_plays(const char *words)
{
    static const uint8_t none[ACTIONS] = {0, 0, 0};
    world w = world_begin(words, 30);
    rise_agent *const a = w.agent;
    uint64_t const before = state_of(a);
    const uint8_t *frame = w.frames;
    int i, action;
    float q[ACTIONS];
    check_about("%s, wrong plays", words);
    CHECK(rise_agent_values(a, 0) == NULL && rise_agent_values(a, -1) == NULL &&
          rise_agent_values(a, 2) == NULL);
    for (i = 0; i < 2; i++) { /* before the first episode, and within it */
        refused(a, before, rise_agent_play(a, -1, frame, 0, RISE_FIRST, NULL), RISE_BAD_CALL,
                "player");
        refused(a, before, rise_agent_play(a, 2, frame, 0, RISE_FIRST, NULL), RISE_BAD_CALL,
                "player");
        refused(a, before, rise_agent_play(a, 0, NULL, 0, RISE_FIRST, NULL), RISE_BAD_CALL,
                "frame");
        refused(a, before, rise_agent_play(a, 0, frame, 0, RISE_FIRST, none), RISE_BAD_CALL,
                "no action");
        refused(a, before, rise_agent_play(a, 1, frame, 0, RISE_MIDDLE, NULL), RISE_BAD_CALL,
                "RISE_FIRST");
        /* the reward of a first frame is ignored */
        if (i == 0) CHECK(rise_agent_play(a, 0, frame, (float)NAN, RISE_FIRST, NULL) >= 0);
        refused(a, before, rise_agent_play(a, 0, frame, (float)NAN, RISE_MIDDLE, NULL),
                RISE_NOT_FINITE, "reward");
        refused(a, before, rise_agent_play(a, 0, frame, (float)HUGE_VAL, RISE_TERMINATED, NULL),
                RISE_NOT_FINITE, "reward");
    }
    action = rise_agent_play(a, 0, frame, 1, RISE_MIDDLE, NULL);
    memcpy(q, rise_agent_values(a, 0), sizeof q);
    /* the other player, without refused calls, computes the same */
    CHECK(rise_agent_play(a, 1, frame, 0, RISE_FIRST, NULL) >= 0);
    CHECK(rise_agent_play(a, 1, frame, 1, RISE_MIDDLE, NULL) == action);
    CHECK(same_reals(q, rise_agent_values(a, 1), ACTIONS));
    /* a last frame needs no action, so no action need be allowed */
    CHECK(rise_agent_play(a, 1, frame, 1, RISE_TERMINATED, none) == 0);
    rise_agent_destroy(a);
}
/* A first frame may come before the last episode ended. The episode is then truncated at the frame
   before. */
static void early_first_frame_truncates(void)
{
    rise_agent_desc const d = described("memory=rise learn_outside=1 greedy");
    rise_agent *cut = created(&d), *told = created(&d);
    toy t = {5, 0, 0};
    uint8_t frame[PIXELS], allowed[ACTIONS];
    rise_metrics m, n;
    float reward;
    int i;
    check_about("early first frames");
    for (i = 0; i < 55; i++) {
        int const last = i % 5 == 4;
        toy_next(&t, 0, frame, allowed, &reward);
        rise_agent_step(cut, frame, reward, i % 5 == 0 ? RISE_FIRST : RISE_MIDDLE);
        rise_agent_step(told, frame, reward,
                        i % 5 == 0 ? RISE_FIRST
                        : last     ? RISE_TRUNCATED
                                   : RISE_MIDDLE);
        if (!last) continue;
        /* the action for a last frame is arbitrary, so it is made equal */
        cut->replay.history.actions[i] = told->replay.history.actions[i];
    }
    rise_agent_step(cut, frame, 0, RISE_FIRST);
    rise_agent_step(told, frame, 0, RISE_FIRST);
    rise_agent_metrics(cut, &m);
    rise_agent_metrics(told, &n);
    CHECK(m.replay_ready == n.replay_ready && m.replay_size == n.replay_size);
    CHECK(m.episodes == n.episodes);
    CHECK_NEAR(m.mean_return, n.mean_return, 1e-12);
    CHECK(memcmp(cut->replay.history.events, told->replay.history.events, 56) == 0);
    for (i = 0; i < 55; i++) CHECK((cut->replay.tree[i] > 0) == (told->replay.tree[i] > 0));
    CHECK(rise_agent_learn(cut) == RISE_OK && rise_agent_learn(told) == RISE_OK);
    rise_agent_metrics(cut, &m);
    CHECK(same_reals(cut->model.weights, told->model.weights, m.parameters));
    rise_agent_destroy(cut);
    rise_agent_destroy(told);
}

/* ---------------------------------------------------------------------------------------------- */
/* Numbers that are not finite */

/* An update notices a weight that is not finite, and leaves everything else as it was. */
static void refuses_weights(const char *words)
{
    static const float nonfinite[] = {(float)NAN, (float)HUGE_VAL, -(float)HUGE_VAL};
    world w = world_begin(words, 60);
    rise_agent *const a = w.agent;
    size_t const n = a->model.net.parameters;
    rise_real *const weights = rise_agent_parameters(a);
    risei_random const sample = a->learner.sample_random;
    int j, tried = 0, unnoticed = 0;
    size_t i;
    for (i = 0; i < n; i += n / 41 + 1)
        for (j = 0; j < COUNT(nonfinite); j++) {
            rise_real const was = weights[i];
            uint64_t const before = state_of(a);
            rise_result result;
            check_about("%s, weight %d is %g", words, (int)i, (double)nonfinite[j]);
            weights[i] = nonfinite[j];
            result = rise_agent_learn(a);
            unnoticed += result != RISE_NOT_FINITE, tried++;
            weights[i] = was;
            if (result == RISE_OK) { /* the update was not refused, so the weights are spoiled */
                rise_agent_destroy(a);
                printf("%s: weight %d is %g, and the update did not notice\n", words, (int)i,
                       (double)nonfinite[j]);
                CHECK(0);
                return;
            }
            CHECK(rise_agent_error(a)->result == RISE_NOT_FINITE &&
                  rise_agent_error(a)->text[0] != '\0');
            /* only the random stream of sampling may advance, so that the same batch is not drawn
               again */
            a->learner.sample_random = sample;
            CHECK(state_of(a) == before);
        }
    CHECK(unnoticed == 0 && tried > 100);
    CHECK(rise_agent_learn(a) == RISE_OK); /* learning goes on */
    rise_agent_destroy(a);
}
/* Each reward is finite, and their sum is not. */
static void nonfinite_losses_are_refused(void)
{
    rise_agent_desc d = described("memory=rise learn_outside=1 greedy");
    rise_agent *a;
    uint8_t frame[PIXELS] = {0};
    uint64_t before;
    risei_random sample;
    int i;
    check_about("losses that are not finite");
    d.discount = 1;
    a = created(&d);
    for (i = 0; i < 12; i++)
        CHECK(rise_agent_step(a, frame, i > 5 ? FLT_MAX : 0, i == 0 ? RISE_FIRST : RISE_MIDDLE) >=
              0);
    risei_learner_end_warm_up(&a->learner, 0);
    before = state_of(a);
    sample = a->learner.sample_random;
    CHECK(rise_agent_learn(a) == RISE_NOT_FINITE &&
          strstr(rise_agent_error(a)->text, "finite") != NULL);
    CHECK(a->learner.sample_random.state != sample.state); /* the next update draws another batch */
    a->learner.sample_random = sample;
    CHECK(state_of(a) == before);
    rise_agent_destroy(a);
}

/* ---------------------------------------------------------------------------------------------- */
/* Embeddings */

static void fill(uint8_t *frame, toy *t)
{
    int i;
    for (i = 0; i < PIXELS; i++) frame[i] = (uint8_t)(toy_draw(t) & 255u);
}
/* SIGNS adds up sums over squares of pixels, each times +1 or -1. The frame's edge may cut a
   square. */
static void signs_embedding_sums_over_squares(void)
{
    rise_agent_desc d;
    rise_agent *a;
    toy t = {3, 0, 0};
    uint8_t frame[PIXELS];
    float raw[40];
    int i, j, pool;
    for (pool = 1; pool <= 3; pool++) {
        int const columns = (WIDTH + pool - 1) / pool;
        int const inputs = columns * ((HEIGHT + pool - 1) / pool);
        check_about("signs over squares of %d", pool);
        d = described("memory=rise wide");
        d.embedding_pool = pool;
        a = created(&d);
        fill(frame, &t);
        risei_embedder_embed(&a->model.device, a->model.embedder, frame, raw);
        for (j = 0; j < d.embedding_size; j++) {
            int sum = 0;
            for (i = 0; i < PIXELS; i++) {
                int const square = i / WIDTH / pool * columns + i % WIDTH / pool;
                sum += rise_sign(a->model.embedder->encoder.seed,
                                 rise_sign_bits(inputs, d.embedding_size), square, j) *
                       frame[i];
            }
            CHECK_NEAR(raw[j], sum / (255.0 * pool * pool) / sqrt((double)inputs), 1e-6);
        }
        rise_agent_destroy(a);
    }
}
/* The projection is linear, and its entries have variance 1. */
static void random_projections_have_variance_one(void)
{
    rise_agent_desc d;
    rise_agent *a;
    toy t = {3, 0, 0};
    uint8_t frame[PIXELS], twice[PIXELS];
    float raw[40], other[40];
    int i, j, kind;
    for (kind = RISE_EMBED_SIGNS; kind <= RISE_EMBED_SPARSE; kind++) {
        double sum = 0, squares = 0;
        check_about("projection %d", kind);
        d = described("memory=rise wide");
        d.embedding = (rise_embedding)kind;
        a = created(&d);
        for (i = 0; i < PIXELS; i++)
            frame[i] = (uint8_t)(toy_draw(&t) & 127u), twice[i] = (uint8_t)(2 * frame[i]);
        risei_embedder_embed(&a->model.device, a->model.embedder, frame, raw);
        risei_embedder_embed(&a->model.device, a->model.embedder, twice, other);
        for (j = 0; j < d.embedding_size; j++)
            CHECK(check_near((double)other[j], 2 * (double)raw[j], 1e-5) ||
                  fabs((double)raw[j]) < 1e-6);
        for (i = 0; i < PIXELS; i++) {
            memset(frame, 0, sizeof frame);
            frame[i] = 255;
            risei_embedder_embed(&a->model.device, a->model.embedder, frame, raw);
            for (j = 0; j < d.embedding_size; j++) {
                double const entry = (double)raw[j] * sqrt((double)PIXELS);
                sum += entry, squares += entry * entry;
                if (kind == RISE_EMBED_SIGNS) CHECK_NEAR(fabs(entry), 1, 1e-6);
                if (kind == RISE_EMBED_SPARSE)
                    CHECK(fabs(entry) < 1e-6 || check_near(fabs(entry), sqrt(3), 1e-6));
            }
        }
        CHECK(fabs(sum / (PIXELS * d.embedding_size)) < 0.15 &&
              fabs(squares / (PIXELS * d.embedding_size) - 1) < 0.2);
        rise_agent_destroy(a);
    }
}
static void downsample_and_user_embeddings_are_exact(void)
{
    rise_agent_desc d = described("memory=rise embedding=downsample");
    rise_agent *a;
    toy t = {3, 0, 0};
    uint8_t frame[PIXELS];
    float raw[40], other[40];
    int i;
    check_about("downsample");
    d.embedding_size = 25; /* 5 x 5 pixels would fit, so every pixel is kept */
    a = created(&d);
    fill(frame, &t);
    risei_embedder_embed(&a->model.device, a->model.embedder, frame, raw);
    CHECK(a->desc.embedding_size == PIXELS);
    for (i = 0; i < PIXELS; i++) CHECK_NEAR(raw[i], frame[i] / 255.0, 1e-6);
    rise_agent_destroy(a);
    check_about("user");
    d = described("memory=rise embedding=user embedding_f32=1");
    a = created(&d);
    toy_embed(NULL, frame, other, 9);
    CHECK(rise_agent_step(a, frame, 0, RISE_FIRST) >= 0);
    CHECK(same_reals(a->replay.history.full, other, 9));
    rise_agent_destroy(a);
}
/* Each colour of a square is an input of its own, for every random projection. */
static void colours_are_projected(void)
{
    enum { COLOURS = 3, BYTES = COLOURS * PIXELS, POOL = 2, COLUMNS = 3, ROWS = 2 };
    int const inputs = COLUMNS * ROWS * COLOURS;
    uint8_t frame[BYTES];
    float raw[40], other[40];
    int kind, i, j, c;
    for (i = 0; i < BYTES; i++) frame[i] = (uint8_t)((i * 29 + 7) % 200);
    for (kind = RISE_EMBED_SIGNS; kind <= RISE_EMBED_CONV; kind++) {
        rise_agent_desc d = described("memory=rise wide");
        rise_agent *a;
        check_about("embedding %d", kind);
        d.embedding = (rise_embedding)kind;
        d.frame_channels = COLOURS, d.embedding_pool = POOL;
        a = created(&d);
        risei_embedder_embed(&a->model.device, a->model.embedder, frame, raw);
        for (c = 0; c < COLOURS; c++) {
            frame[7 * COLOURS + c] ^= 255;
            risei_embedder_embed(&a->model.device, a->model.embedder, frame, other);
            CHECK(!same_reals(raw, other, 40));
            frame[7 * COLOURS + c] ^= 255;
        }
        for (j = 0; j < 40 && kind == RISE_EMBED_SIGNS; j++) {
            int sum = 0;
            for (i = 0; i < BYTES; i++) {
                int const pixel = i / COLOURS;
                int const square = pixel / WIDTH / POOL * COLUMNS + pixel % WIDTH / POOL;
                sum += rise_sign(a->model.embedder->encoder.seed, rise_sign_bits(inputs, 40),
                                 square * COLOURS + i % COLOURS, j) * frame[i];
            }
            CHECK(fabs((double)raw[j] - sum / (255.0 * POOL * POOL) / sqrt(inputs)) < 1e-5);
        }
        rise_agent_destroy(a);
    }
    check_about("%s", "");
}
/* With room for every pixel and colour, DOWNSAMPLE keeps every byte of the frame. */
static void colours_are_downsampled(void)
{
    enum { COLOURS = 3, BYTES = COLOURS * PIXELS };
    rise_agent_desc d = described("memory=rise embedding=downsample");
    uint8_t frame[BYTES];
    float raw[BYTES];
    rise_agent *a;
    int i;
    d.frame_channels = COLOURS, d.embedding_size = BYTES;
    a = created(&d);
    CHECK(a->desc.embedding_size == BYTES);
    for (i = 0; i < BYTES; i++) frame[i] = (uint8_t)(4 * i + 3);
    risei_embedder_embed(&a->model.device, a->model.embedder, frame, raw);
    for (i = 0; i < BYTES; i++) CHECK_NEAR(raw[i], frame[i] / 255.0, 1e-6);
    rise_agent_destroy(a);
}
/* Draws a frame. Byte 0 is always 255, byte 1 always 0. The others lie around 100, but if `jumps`,
   byte 2 is 255. */
static void frame_draw(uint8_t *frame, int number, int jumps)
{
    int i;
    for (i = 0; i < PIXELS; i++) frame[i] = (uint8_t)(75 + (i * 7 + number * 5) % 11 * 5);
    frame[0] = 255, frame[1] = 0, frame[2] = jumps ? 255 : 100;
}
/* Compares the numbers that the conv net reads of a frame with the formula, in double. */
static void compare_numbers(const rise_agent *a, const uint8_t *frame, const double *mean,
                            double sigma)
{
    risei_image const image = risei_image_make(HEIGHT, WIDTH, 1, 1);
    const uint8_t *const frames[1] = {frame};
    risei_encoder_input input = {NULL, NULL, 1, NULL, NULL};
    rise_real out[(HEIGHT + 2) * (WIDTH + 2)];
    double border = 0;
    int i;
    input.frames = frames, input.scale = &a->model.frame_statistics->scale;
    risei_encoder_input_convert(a->model.device.kernels, &input, 0, 1, &image, out);
    for (i = 0; i < PIXELS; i++) {
        double const right = (frame[i] - mean[i]) / 255 / sigma;
        CHECK_NEAR(out[risei_image_at(&image, i / WIDTH, i % WIDTH)],
                   right > 8    ? 8
                   : right < -8 ? -8
                                : right,
                   1e-5);
        out[risei_image_at(&image, i / WIDTH, i % WIDTH)] = 0;
    }
    for (i = 0; i < COUNT(out); i++) border += fabs((double)out[i]);
    CHECK(border == 0); /* the padding stays zero */
}
/* Conv nets read x / 255 before learning starts, and always with raw_frames. Afterwards they read
   (x - mean) / 255 / sigma, clamped to -8..8. sigma is at least 1/64. */
static void standardises_frames(const char *words, int constant)
{
    enum { FRAMES = 40 };
    rise_agent_desc d = described(words);
    double mean[PIXELS] = {0}, zero[PIXELS] = {0}, square = 0, sigma = 0;
    uint8_t frame[PIXELS];
    rise_agent *a;
    int i, n;
    d.learn_outside = 1;
    a = created(&d);
    for (n = 0; n < FRAMES; n++) {
        frame_draw(frame, constant ? 0 : n, 0);
        CHECK(rise_agent_step(a, frame, 0, n == 0 ? RISE_FIRST : RISE_MIDDLE) >= 0);
        for (i = 0; i < PIXELS; i++)
            mean[i] += (double)frame[i] / FRAMES, square += (double)frame[i] * frame[i] / FRAMES;
    }
    check_about("%s before learning starts", words);
    compare_numbers(a, frame, zero, 1);
    CHECK(rise_agent_learn(a) == RISE_OK);
    for (i = 0; i < PIXELS; i++) {
        sigma += mean[i] * mean[i];
        mean[i] = floor(mean[i] + 0.5);
    }
    sigma = sqrt((square - sigma) / PIXELS) / 255;
    if (constant) sigma = 1.0 / 64;
    check_about("%s, sigma %g", words, sigma);
    for (i = 0; i < 2; i++) {
        frame_draw(frame, 3, i); /* byte 2 jumps far: it is clamped */
        compare_numbers(a, frame, d.raw_frames ? zero : mean, d.raw_frames ? 1 : sigma);
    }
    CHECK(rise_agent_step(a, frame, 0, RISE_TRUNCATED) >= 0); /* later frames change nothing */
    compare_numbers(a, frame, d.raw_frames ? zero : mean, d.raw_frames ? 1 : sigma);
    rise_agent_destroy(a);
}
static void frames_are_standardised(void)
{
    static const char *const memory[] = {"memory=rise", "memory=none", "memory=full"};
    int i, constant;
    for (constant = 0; constant < 2; constant++)
        for (i = 0; i < COUNT(memory); i++) standardises_frames(memory[i], constant);
    standardises_frames("memory=none raw_frames=1", 0);
    standardises_frames("memory=rise embedding=conv raw_frames=1", 0);
}
/* With several bytes a pixel, each byte has its own mean, and sigma is that of all bytes. */
static void colours_are_standardised(void)
{
    enum { COLOURS = 3, BYTES = COLOURS * PIXELS, FRAMES = 40 };
    rise_agent_desc d = described("memory=none learn_outside=1");
    uint8_t frame[BYTES];
    int sums[BYTES] = {0}, i, n;
    double squares = 0, of_means = 0;
    rise_agent *a;
    d.frame_channels = COLOURS;
    a = created(&d);
    for (n = 0; n < FRAMES; n++) {
        for (i = 0; i < BYTES; i++) {
            frame[i] = (uint8_t)(60 * (i % COLOURS) + (i * 7 + n * 5) % 11 * 5);
            sums[i] += frame[i], squares += (double)frame[i] * frame[i] / FRAMES;
        }
        CHECK(rise_agent_step(a, frame, 0, n == 0 ? RISE_FIRST : RISE_MIDDLE) >= 0);
    }
    CHECK(rise_agent_learn(a) == RISE_OK && a->frames.bytes == BYTES);
    for (i = 0; i < BYTES; i++) {
        double const mean = (double)sums[i] / FRAMES;
        of_means += mean * mean;
        CHECK(a->frames.mean[i] == (uint8_t)(mean + 0.5));
    }
    CHECK_NEAR(a->frames.scale.factor, 1 / sqrt((squares - of_means) / BYTES), 1e-5);
    rise_agent_destroy(a);
}
/* After learning has started, each number that varies has mean 0 over the stored embeddings. Its
   variance is 1, or less if the size is above 64 and above the units. `size` and `units`: 0 means
   the value of described(). An encoder that reads standardised frames has the statistics of a
   sample, in which some frames count more often than others. So its bounds are wider. */
static void standardises(int kind, int size, int units)
{
    rise_agent_desc d = described("memory=rise learn_outside=1 embedding_f32=1 environments=3");
    int const sampled = risei_embedder_kinds[kind]->scaled;
    const risei_history *h;
    world w;
    int i, j, varying = 0;
    double expected, most;
    check_about("standardised embedding %d, size %d, units %d", kind, size, units);
    d.embedding = (rise_embedding)kind;
    if (size > 0) d.embedding_size = size;
    if (units > 0) d.recurrent_units = units;
    w = world_of(created(&d));
    most = w.agent->desc.recurrent_units > 64 ? w.agent->desc.recurrent_units : 64;
    expected = fmin(1, most / w.agent->desc.embedding_size);
    world_run(&w, 55);
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    h = &w.agent->replay.history;
    CHECK(w.agent->model.embedder->statistics.seen == (sampled ? RISEI_SAMPLE_FRAMES : 55 * GAMES));
    for (j = 0; j < h->embedding_size; j++) {
        double mean = 0;
        double ratio = 0; /* of the variance to the expected one */
        for (i = 0; i < 55 * GAMES; i++) {
            ptrdiff_t const slot = risei_history_slot(h, i % GAMES, i / GAMES);
            double const x = (double)h->full[slot * h->embedding_size + j];
            mean += x / (55 * GAMES), ratio += x * x / (55 * GAMES) / expected;
        }
        CHECK(fabs(mean) < (sampled ? 0.2 : 1e-4));
        /* slightly less than 1: 1e-6 is added before the root */
        CHECK(ratio < 1e-9 || fabs(ratio - 1) < (sampled ? 0.3 : 0.01));
        varying += ratio > 0.5;
    }
    CHECK(varying > h->embedding_size / 2);
    rise_agent_destroy(w.agent);
}
/* A snapshot, too, gives the numbers of a large embedding a variance below 1. */
static void standardises_snapshot(void)
{
    world w = world_begin("memory=rise embedding=snapshot embedding_size=100", 60);
    const risei_statistics *s = &w.agent->model.embedder->statistics;
    rise_real before[100];
    rise_metrics m;
    int i, steps = 0, changed = 0;
    memcpy(before, s->gain, sizeof before);
    CHECK(rise_agent_snapshot(w.agent) == RISE_OK);
    for (m.refreshing = 1; m.refreshing > 0 && steps < 2000; steps++) {
        world_run(&w, 1);
        rise_agent_metrics(w.agent, &m);
    }
    CHECK(m.refreshing == 0 && s->seen == RISEI_SAMPLE_FRAMES);
    for (i = 0; i < 100; i++) {
        double const variance = s->squared_deviations[i] / (double)s->seen;
        CHECK(s->gain[i] == (rise_real)(sqrt(0.64) / sqrt(variance + 1e-6)));
        changed += s->gain[i] != before[i];
    }
    CHECK(changed > 50);
    rise_agent_destroy(w.agent);
}
static void spoiled_embed(void *user, const uint8_t *frame, float *embedding, int size)
{
    toy_embed(NULL, frame, embedding, size);
    if (frame[0] == 255) embedding[8] = *(const float *)user;
}
/* An infinite embedding is refused after the statistics are frozen, too, although numbers are then
   clamped. */
static void infinite_embeddings_are_refused_while_learning(void)
{
    rise_agent_desc d = described("memory=rise embedding=user");
    uint8_t frame[PIXELS] = {1, 2, 3};
    float spoil = 0;
    rise_agent *a;
    uint64_t before;
    int i;
    d.embed_fn = spoiled_embed, d.embed_user = &spoil;
    a = created(&d);
    for (i = 0; i < 40; i++)
        CHECK(rise_agent_step(a, frame, 1, i == 0 ? RISE_FIRST : RISE_MIDDLE) >= 0);
    CHECK(a->model.embedder->statistics.frozen);
    before = state_of(a);
    frame[0] = 255, spoil = (float)HUGE_VAL;
    refused(a, before, rise_agent_step(a, frame, 0, RISE_MIDDLE), RISE_NOT_FINITE, "embed_fn");
    rise_agent_destroy(a);
}
/* Every result code has a text of its own; all other numbers share one text. */
static void results_have_texts(void)
{
    static const char none[] = "not a result code of rise.h";
    int i, j;
    for (i = RISE_RESULT_LAST + 1; i <= RISE_OK; i++) {
        const char *const text = rise_result_text((rise_result)i);
        check_about("result %d: %s", i, text);
        CHECK(text[0] != '\0' && strcmp(text, none) != 0);
        for (j = i + 1; j <= RISE_OK; j++)
            CHECK(strcmp(text, rise_result_text((rise_result)j)) != 0);
    }
    check_about("%s", "");
    CHECK(strcmp(rise_result_text(RISE_OK), "no error") == 0);
    CHECK(strcmp(rise_result_text(RISE_RESULT_LAST), none) == 0 &&
          strcmp(rise_result_text((rise_result)1), none) == 0 &&
          strcmp(rise_result_text((rise_result)-99), none) == 0);
}
/* Appends a line of rise_metrics_describe, and a newline, to the text `user`. */
static void append_line(void *user, const char *text)
{
    char *const lines = (char *)user;
    strcat(strcat(lines, text), "\n");
}
/* A binding needs no struct: sizes, error texts and metrics come from functions. */
static void bindings_need_no_struct(void)
{
    static rise_metrics m;
    rise_error error;
    char version[40], lines[2000] = "";
    rise_agent_desc d = described("memory=rise");
    CHECK(rise_size_of("rise_agent_desc") == sizeof(rise_agent_desc));
    CHECK(rise_size_of("rise_metrics") == sizeof(rise_metrics));
    CHECK(rise_size_of("rise_error") == sizeof(rise_error));
    CHECK(rise_size_of("rise_agent") == 0 && rise_size_of(NULL) == 0);
    CHECK(rise_agent_set(&d, "threads=2", &error) == RISE_BAD_DESC && d.threads == 0);
    CHECK(strstr(error.text, "no field \"threads\" that text can set") != NULL);
    CHECK(rise_agent_set(&d, "wings=2", &error) == RISE_BAD_DESC);
    CHECK(rise_error_text(&error) == error.text && strcmp(rise_error_text(NULL), "") == 0);
    snprintf(version, sizeof version, "%d.%d.%d", RISE_VERSION_MAJOR, RISE_VERSION_MINOR,
             RISE_VERSION_PATCH);
    CHECK(strcmp(rise_version(), version) == 0);
    m.steps = (int64_t)1 << 52, m.loss = -0.1, m.advice = 64, m.isa = "neon", m.fused = 1;
    rise_metrics_describe(&m, append_line, lines);
    CHECK(strstr(lines, "steps=4503599627370496\n") == lines);
    CHECK(strstr(lines, "\nloss=-0.1\n") != NULL && strstr(lines, "\nadvice=64\n") != NULL);
    CHECK(strstr(lines, "\nfused=1\nisa=neon\n") != NULL);
    lines[0] = '\0', m.isa = NULL;
    rise_metrics_describe(&m, append_line, lines);
    CHECK(strstr(lines, "\nfused=1\nisa=\n") != NULL);
    lines[0] = '\0';
    rise_metrics_describe(NULL, append_line, lines), rise_metrics_describe(&m, NULL, lines);
    CHECK(lines[0] == '\0');
}
/* Compilers may store an enumeration in one, two or four bytes. Storing a field changes no byte
   beside it. */
static void fields_of_any_size_are_stored(void)
{
    static struct {
        signed char before, one, after;
        int16_t two, beside;
        int four, last;
        double real;
    } s;
    risei_field f;
    memset(&f, 0, sizeof f);
    f.at = (size_t)((const char *)&s.one - (const char *)&s), f.bytes = 1;
    risei_field_put(&f, &s, 5);
    CHECK(s.before == 0 && s.one == 5 && s.after == 0 && risei_field_get(&f, &s) == 5);
    risei_field_put(&f, &s, -1);
    CHECK(s.before == 0 && s.one == -1 && s.after == 0 && risei_field_get(&f, &s) == -1);
    f.at = (size_t)((const char *)&s.two - (const char *)&s), f.bytes = 2;
    risei_field_put(&f, &s, -300);
    CHECK(s.two == -300 && s.beside == 0 && risei_field_get(&f, &s) == -300);
    f.at = (size_t)((const char *)&s.four - (const char *)&s), f.bytes = sizeof s.four;
    risei_field_put(&f, &s, 70000);
    CHECK(s.four == 70000 && s.last == 0 && risei_field_get(&f, &s) == 70000);
    f.at = (size_t)((const char *)&s.real - (const char *)&s), f.bytes = sizeof s.real, f.real = 1;
    risei_field_put(&f, &s, -0.25);
    CHECK(s.real == -0.25 && risei_field_get(&f, &s) == -0.25);
}
static void is_wrong(const rise_agent *a, const char *text)
{
    const char *const wrong = risei_agent_wrong(a);
    if (!CHECK(wrong != NULL && strcmp(wrong, text) == 0))
        printf("    \"%s\" is not \"%s\"\n", wrong != NULL ? wrong : "right", text);
}
/* Sets a member to a wrong value, checks what risei_agent_wrong says, and undoes the change. */
#define WRONG(type, member, value, text)                                                           \
    do {                                                                                           \
        type const right = (member);                                                               \
        check_about("%s = %s", #member, #value);                                                   \
        (member) = (type)(value);                                                                  \
        is_wrong(a, text);                                                                         \
        (member) = right;                                                                          \
    } while (0)
/* Slots 0 to 4: FIRST, MIDDLE, TERMINATED, FIRST, MIDDLE. With n_step = 1, the transitions of slots
   0, 1 and 3 are enabled. */
static void wrong_slots_are_noticed(void)
{
    static const rise_event events[5] = {RISE_FIRST, RISE_MIDDLE, RISE_TERMINATED, RISE_FIRST,
                                         RISE_MIDDLE};
    static const char gap[] = "an episode has no first frame";
    static const char idle[] = "a slot that cannot be sampled has a priority";
    rise_agent_desc const d = described("memory=none n_step=1 action_masks=1");
    rise_agent *a = created(&d);
    risei_replay *const r = &a->replay;
    risei_history *const h = &r->history;
    uint8_t const frame[PIXELS] = {1}, all[ACTIONS] = {1, 1, 1};
    float const reward = 1;
    int i, action;
    for (i = 0; i < 5; i++)
        CHECK(rise_agent_step_all(a, frame, NULL, &reward, &events[i], all, &action) == RISE_OK);
    CHECK(risei_agent_wrong(a) == NULL && r->ready == 3);
    WRONG(int16_t, h->actions[1], -1, "an action is out of range");
    WRONG(int16_t, h->actions[1], ACTIONS, "an action is out of range");
    WRONG(uint8_t, h->events[1], RISE_TRUNCATED + 1, "an event is out of range");
    WRONG(uint8_t, h->masks[1], 0, "a mask allows no action");
    WRONG(uint8_t, h->masks[1], 7 & ~(1 << h->actions[1]), "an action is not allowed by its mask");
    WRONG(int32_t, h->episode_frame[0], 1, gap);
    WRONG(int32_t, h->episode_frame[1], -1, gap);
    WRONG(int32_t, h->episode_frame[1], 0, gap);
    WRONG(int32_t, h->episode_frame[2], 0, gap);
    WRONG(uint8_t, h->events[1], RISE_FIRST, "an episode begins twice");
    WRONG(int32_t, h->episode_frame[1], 2, "the frames of an episode do not follow each other");
    WRONG(int32_t, h->episode_frame[4], 2, "the frames of an episode do not follow each other");
    WRONG(double, r->largest_leaf, 0.5, "a priority is above the largest");
    WRONG(double, r->tree[2], 1, idle); /* the last frame of an episode */
    WRONG(double, r->tree[4], 1, idle); /* no next frame yet */
    WRONG(double, r->tree[5], 1, "a slot without a frame has a priority");
    WRONG(int64_t, r->ready, 2, "the number of transitions is wrong");
    WRONG(double, r->tree[r->level[1]], 4, "a sum of priorities is wrong");
    WRONG(double, r->tree[r->level[1]], 2, "a sum of priorities is wrong");
    WRONG(double, r->tree[r->level[r->levels - 1]], 4, "a sum of priorities is wrong");
    /* After a termination, a mask may allow no action. A last frame needs no allowed action. */
    h->masks[2] = 0;
    CHECK(risei_agent_wrong(a) == NULL);
    rise_agent_destroy(a);
}
static void wrong_counters_are_noticed(void)
{
    static const char negative[] = "a counter is negative";
    static const char powers[] = "the optimizer's powers are out of range";
    static const char never[] = "a snapshot is in progress that never began";
    rise_agent_desc d = described("memory=none");
    rise_agent *a = created(&d);
    risei_learner *l = &a->learner;
    world w;
    CHECK(risei_agent_wrong(a) == NULL);
    WRONG(int64_t, a->actor.steps, -1, negative);
    WRONG(int64_t, a->actor.episodes, -1, negative);
    WRONG(int64_t, a->model.updates, -1, negative);
    WRONG(int64_t, a->model.updates, 1, "there were updates before learning");
    WRONG(int64_t, l->owed_steps, -1, "the count of owed steps is invalid");
    WRONG(int64_t, l->owed_steps, 1, "the count of owed steps is invalid");
    WRONG(int64_t, l->snapshots, -1, "a counter of snapshots is negative");
    WRONG(int64_t, l->snapshot_next, -1, "a counter of snapshots is negative");
    WRONG(int64_t, l->snapshots, 1, "there was a snapshot, but embedding is not SNAPSHOT");
    WRONG(double, l->optimizer.power1, -0.5, powers);
    WRONG(double, l->optimizer.power1, 1.5, powers);
    WRONG(double, l->optimizer.power1, NAN, powers);
    WRONG(double, l->optimizer.power2, -0.5, powers);
    WRONG(double, l->optimizer.power2, 1.5, powers);
    rise_agent_destroy(a);
    w = world_begin("memory=rise embedding=snapshot", 60);
    a = w.agent, l = &a->learner;
    CHECK(a->model.updates > 0 && rise_agent_snapshot(a) == RISE_OK && l->snapshot_next == 1);
    CHECK(risei_agent_wrong(a) == NULL);
    WRONG(int64_t, a->replay.ended, a->replay.ended + 1, "the number of episodes is wrong");
    WRONG(rise_real, a->model.frame_statistics->scale.factor, 0,
          "the scale of frames is not above 0");
    WRONG(int64_t, l->snapshots, 0, never);
    WRONG(int, a->model.embedder->statistics.frozen, 0, never);
    WRONG(int64_t, l->snapshot_next, risei_embedder_snapshot_frames(&a->replay.history) + 1,
          "a snapshot is past its end");
    /* With background = 1, the warm-up ends with the second half of a snapshot. */
    a->desc.background = 1, l->snapshots = 0;
    WRONG(int64_t, l->snapshot_next, RISEI_SAMPLE_FRAMES, never);
    l->snapshot_next = RISEI_SAMPLE_FRAMES + 1;
    CHECK(risei_agent_wrong(a) == NULL);
    a->desc.background = 0, l->snapshots = 1;
    l->snapshot_next = risei_embedder_snapshot_frames(&a->replay.history);
    CHECK(risei_agent_wrong(a) == NULL && risei_learner_snapshot_left(l) == 1);
    rise_agent_destroy(a);
}
/* Without desc.clock_fn, the agent measures time by the system's clock. */
static void time_is_measured_without_a_clock(void)
{
    world w = world_begin("memory=none learn_outside=1", 60);
    rise_metrics m;
    double before, after;
    CHECK(w.agent->desc.clock_fn == NULL);
    before = risei_model_clock(&w.agent->desc);
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates_owed > 5);
    CHECK(rise_agent_learn_for(w.agent, 1e9) == (int)m.updates_owed);
    after = risei_model_clock(&w.agent->desc);
    CHECK(MONOTONIC); /* the time of day may be set at any moment */
    /* seconds, and not microseconds or nanoseconds */
    CHECK(after >= before && after - before < 100);
    CHECK(w.agent->learner.part_time > 0 && w.agent->learner.part_time < 1e8);
    rise_agent_destroy(w.agent);
}
/* Creating the agent is refused with a text that contains `text`, before memory is asked for. */
static void is_unavailable(const rise_agent_desc *d, const char *text)
{
    rise_agent_desc stands_in;
    rise_agent *a = (rise_agent *)&stands_in;
    rise_error error = {RISE_OK, ""};
    long const calls = toy_memory.calls;
    check_about("%s", text);
    CHECK(rise_agent_create(&a, d, &error) == RISE_UNAVAILABLE && a == NULL);
    CHECK(error.result == RISE_UNAVAILABLE && strstr(error.text, text) != NULL);
    CHECK(toy_memory.calls == calls);
}
/* What this machine or this build lacks is refused: instruction sets, and without RISE_THREADS also
   threads above 1 and background. */
static void unavailable_is_refused(void)
{
    rise_agent_desc d = described("memory=none");
    char text[30];
    int isa, lacking = 0;
    for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
        if (rise_kernels_of((rise_isa)isa) != NULL) continue;
        d.isa = (rise_isa)isa;
        snprintf(text, sizeof text, "isa is %d", isa);
        is_unavailable(&d, text);
        lacking++;
    }
    CHECK(lacking > 0); /* no processor has all of them */
    d.isa = RISE_ISA_AUTO;
#ifndef RISE_THREADS
    d.threads = 2;
    is_unavailable(&d, "threads is 2");
    d.threads = 1, d.background = 1;
    is_unavailable(&d, "background is 1");
#else
    check_note("threads and background: skipped, because this build has threads");
#endif
}
/* A downsampled frame has at least one number for each channel. */
static void downsample_needs_a_number_per_channel(void)
{
    rise_agent_desc d = described("memory=rise embedding=downsample");
    d.frame_channels = 3, d.embedding_size = 2;
    refused_for("embedding_size is 2", &d);
    d.embedding_size = 3;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.embedding_size == 3);
}
/* Each row of a batch has its own state and its own features. 2 * 8 row numbers fill a cache line,
   so an array of row numbers has no padding behind it: a row too many would change the next
   array. */
static void rows_of_a_batch_stay_in_their_arrays(void)
{
    enum { SIZE = 8 };
    world w = world_begin("memory=rise batch=8", 60);
    const risei_learner *const l = &w.agent->learner;
    const risei_pass *const pass = &w.agent->model.pass;
    int r;
    CHECK(w.agent->model.updates > 0 && pass->state_row == pass->feature_row + 2 * SIZE);
    risei_learner_forward(&w.agent->learner, RISEI_USE_LEARN, 0, 2 * SIZE);
    for (r = 0; r < 2 * SIZE; r++) {
        int const next = r >= SIZE ? l->batch.transition[r % SIZE].steps : 0;
        CHECK(pass->feature_row[r] == r);
        CHECK(pass->state_row[r] ==
              pass->sequence.begin[l->batch.before + 1 + next] + r % SIZE);
    }
    rise_agent_destroy(w.agent);
}
/* An embedding of one number is stored and read back, in both formats. */
static void embeddings_may_have_one_number(void)
{
    int f32;
    for (f32 = 0; f32 <= 1; f32++) {
        rise_agent_desc d = described("memory=rise embedding=user embedding_size=1");
        uint8_t const frame[PIXELS] = {1};
        float stored = 0.375f, back = 77;
        rise_agent *a;
        d.embedding_f32 = f32;
        a = created(&d);
        CHECK(rise_agent_step(a, frame, 0, RISE_FIRST) >= 0);
        risei_history_embed(&a->replay.history, 0, &stored);
        risei_history_input(a->model.device.kernels, &a->replay.history, 0, 0, NULL, 0, &back);
        CHECK(back == 0.375f);
        rise_agent_destroy(a);
    }
}
/* The statistics of frames stop changing at RISEI_FRAMES_SEEN_MAX frames. Freezing them a second
   time changes nothing. */
static void frame_statistics_stop_at_their_limit(void)
{
    world w = world_begin("memory=none", 10);
    risei_frames *const f = w.agent->model.frame_statistics;
    uint8_t bright[PIXELS];
    uint32_t const first = f->sums[0];
    uint64_t const squares = f->squares;
    rise_frame_scale used;
    memset(bright, 255, sizeof bright);
    f->seen = RISEI_FRAMES_SEEN_MAX;
    risei_frames_observe(f, bright);
    CHECK(f->seen == RISEI_FRAMES_SEEN_MAX && f->sums[0] == first && f->squares == squares);
    f->seen = RISEI_FRAMES_SEEN_MAX - 1;
    risei_frames_observe(f, bright);
    CHECK(f->seen == RISEI_FRAMES_SEEN_MAX && f->sums[0] == first + 255);
    CHECK(f->squares == squares + PIXELS * 255 * 255);
    CHECK(!f->statistics_frozen && f->scale.mean == NULL);
    f->seen = 10;
    risei_frames_freeze_statistics(f);
    used = f->scale;
    CHECK(f->statistics_frozen && used.mean == f->mean);
    f->seen = 9; /* another mean, if it were computed again */
    f->mean[0] = 7;
    risei_frames_freeze_statistics(f);
    CHECK(memcmp(&used, &f->scale, sizeof used) == 0 && f->mean[0] == 7);
    rise_agent_destroy(w.agent);
}
/* NULL in place of an agent, a description or an array is refused or ignored, and changes
   nothing. */
static void null_is_refused(void)
{
    rise_error error = {RISE_OK, ""};
    rise_agent_desc d = described("memory=none"), same = d;
    rise_agent *a = created(&d), *none = a;
    uint64_t const before = state_of(a);
    uint8_t frame[PIXELS] = {1};
    float reward = 0;
    rise_event event = RISE_FIRST;
    rise_metrics m;
    int action;
    CHECK(rise_agent_set(NULL, "batch=3", NULL) == RISE_BAD_CALL &&
          rise_agent_set(&d, NULL, NULL) == RISE_BAD_CALL);
    CHECK(rise_agent_preset(NULL, RISE_PRESET_DQN) == RISE_BAD_CALL);
    rise_agent_describe(NULL, NULL, NULL);
    rise_agent_describe(&d, NULL, NULL);
    CHECK(rise_agent_resolve(NULL, NULL) == RISE_BAD_CALL && rise_agent_bytes(NULL, NULL) == 0);
    CHECK(rise_agent_bytes(NULL, &error) == 0 && error.result == RISE_BAD_CALL &&
          strcmp(error.text, "desc is NULL") == 0);
    CHECK(rise_agent_create(NULL, &d, NULL) == RISE_BAD_CALL &&
          rise_agent_create(&none, NULL, NULL) == RISE_BAD_CALL && none == NULL);
    rise_agent_destroy(NULL);
    CHECK(rise_agent_step(NULL, frame, 0, event) == RISE_BAD_CALL);
    CHECK(rise_agent_step_all(NULL, frame, NULL, &reward, &event, NULL, &action) == RISE_BAD_CALL);
    CHECK(rise_agent_play(NULL, 0, frame, 0, event, NULL) == RISE_BAD_CALL);
    CHECK(rise_agent_values(NULL, 0) == NULL && rise_agent_query(NULL) == NULL);
    CHECK(rise_agent_parameters(NULL) == NULL);
    CHECK(strcmp(rise_agent_error(NULL)->text, "agent is NULL") == 0);
    CHECK(rise_agent_learn(NULL) == RISE_BAD_CALL);
    CHECK(rise_agent_learn_for(NULL, 1) == RISE_BAD_CALL);
    CHECK(rise_agent_snapshot(NULL) == RISE_BAD_CALL);
    rise_agent_metrics(a, NULL);
    rise_agent_metrics(NULL, &m);
    CHECK(m.parameters == 0 && m.isa != NULL);
    CHECK(rise_agent_write(NULL, RISE_SAVE_ALL, NULL, NULL, NULL) == RISE_BAD_CALL &&
          rise_agent_write(a, RISE_SAVE_ALL, NULL, NULL, NULL) == RISE_BAD_CALL);
    CHECK(rise_agent_read(NULL, NULL, NULL, 0, NULL, NULL) == RISE_BAD_CALL &&
          rise_agent_read(&none, NULL, NULL, 0, NULL, NULL) == RISE_BAD_CALL);
#ifndef RISE_NO_STDIO
    CHECK(rise_agent_save(NULL, RISE_SAVE_ALL, "x", NULL) == RISE_BAD_CALL &&
          rise_agent_save(a, RISE_SAVE_ALL, NULL, NULL) == RISE_BAD_CALL);
    CHECK(rise_agent_load(NULL, "x", NULL, NULL) == RISE_BAD_CALL &&
          rise_agent_load(&none, NULL, NULL, NULL) == RISE_BAD_CALL);
    CHECK(rise_agent_peek(NULL, "x", NULL) == RISE_BAD_CALL &&
          rise_agent_peek(&d, NULL, NULL) == RISE_BAD_CALL);
#endif
    refused(a, before, rise_agent_step(a, NULL, 0, event), RISE_BAD_CALL, "frame");
    refused(a, before, rise_agent_play(a, 0, NULL, 0, event, NULL), RISE_BAD_CALL, "frame");
    refused(a, before, rise_agent_step_all(a, frame, NULL, NULL, &event, NULL, &action),
            RISE_BAD_CALL,
            "NULL");
    CHECK(memcmp(&d, &same, sizeof d) == 0);
    rise_agent_destroy(a);
}
/* The same for the functions that play, observe and publish. */
static void null_agents_do_not_play(void)
{
    rise_agent_desc const d = described("memory=none");
    rise_agent *a = created(&d);
    uint64_t const before = state_of(a);
    uint8_t frame[PIXELS] = {1};
    float reward = 0;
    rise_event event = RISE_FIRST;
    int action = 0;
    CHECK(rise_agent_publish(NULL, a) == RISE_BAD_CALL &&
          rise_agent_publish(a, NULL) == RISE_BAD_CALL);
    CHECK(rise_agent_set_player(NULL, 0, 0, 0) == RISE_BAD_CALL);
    CHECK(rise_agent_step_numbers(NULL, frame, NULL, 0, event) == RISE_BAD_CALL);
    CHECK(rise_agent_play_numbers(NULL, 0, frame, NULL, 0, event, NULL) == RISE_BAD_CALL);
    CHECK(rise_agent_play_all(NULL, frame, NULL, &reward, &event, NULL, &action) ==
          RISE_BAD_CALL);
    CHECK(rise_agent_observe(NULL, frame, NULL, &reward, &event, NULL, &action) ==
          RISE_BAD_CALL);
    refused(a, before, rise_agent_play_all(a, NULL, NULL, &reward, &event, NULL, &action),
            RISE_BAD_CALL, "frames");
    refused(a, before, rise_agent_observe(a, frame, NULL, &reward, NULL, NULL, &action),
            RISE_BAD_CALL, "events");
    refused(a, before, rise_agent_observe(a, frame, NULL, &reward, &event, NULL, NULL),
            RISE_BAD_CALL, "actions");
    rise_agent_destroy(a);
}
/* A refused call leaves the description as it was. */
static void refused_descriptions_stay(void)
{
    rise_agent_desc d, same;
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 20, d.actions = 3, d.burn_in = 40, d.seed = 5;
    same = d;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_BAD_DESC && memcmp(&d, &same, sizeof d) == 0);
    CHECK(rise_agent_set(&d, "seed=abc", NULL) == RISE_BAD_DESC);
    CHECK(rise_agent_set(&d, "seed=-1", NULL) == RISE_BAD_DESC);
    CHECK(rise_agent_set(&d, "window=x", NULL) == RISE_BAD_DESC);
    CHECK(rise_agent_preset(&d, (rise_preset)RISE_PRESET_COUNT) == RISE_BAD_CALL);
    CHECK(rise_agent_preset(&d, (rise_preset)-1) == RISE_BAD_CALL);
    CHECK(memcmp(&d, &same, sizeof d) == 0);
#ifndef RISE_NO_STDIO
    CHECK(rise_agent_peek(&d, "no such file", NULL) == RISE_IO);
    CHECK(memcmp(&d, &same, sizeof d) == 0);
#endif
}
static void nonfinite_embeddings_are_refused(void)
{
    static const float nonfinite[] = {(float)NAN, (float)HUGE_VAL, -(float)HUGE_VAL};
    rise_agent_desc d = described("memory=rise embedding=user");
    float spoil = 0;
    long called = 0;
    uint8_t frame[PIXELS] = {1, 2, 3};
    uint64_t before;
    rise_agent *a;
    int i;
    check_about("embed_fn");
    d.embed_user = &called;
    a = created(&d);
    CHECK(rise_agent_step(a, frame, 0, RISE_FIRST) >= 0 && called == 1);
    CHECK(rise_agent_play(a, 0, frame, 0, RISE_FIRST, NULL) >= 0 && called == 2);
    rise_agent_destroy(a);
    d.embed_fn = spoiled_embed, d.embed_user = &spoil;
    a = created(&d);
    CHECK(rise_agent_step(a, frame, 0, RISE_FIRST) >= 0 &&
          rise_agent_play(a, 0, frame, 0, RISE_FIRST, NULL) >= 0);
    before = state_of(a);
    frame[0] = 255;
    for (i = 0; i < COUNT(nonfinite); i++) {
        spoil = nonfinite[i];
        refused(a, before, rise_agent_step(a, frame, 0, RISE_MIDDLE), RISE_NOT_FINITE, "embed_fn");
        refused(a, before, rise_agent_play(a, 0, frame, 0, RISE_MIDDLE, NULL), RISE_NOT_FINITE,
                "embed_fn");
    }
    spoil = 1;
    CHECK(rise_agent_step(a, frame, 0, RISE_MIDDLE) >= 0 &&
          rise_agent_play(a, 0, frame, 0, RISE_MIDDLE, NULL) >= 0);
    rise_agent_destroy(a);
}

/* ---------------------------------------------------------------------------------------------- */
/* Counts and times of learning */

/* With toy_clock, an update takes 3 ms. */
static void learning_keeps_its_time_budget(void)
{
    static const double budgets[] = {100, 1000, 2999, 3000, 10000, 100000};
    double now = 1e6;
    rise_agent_desc d = described("memory=rise learn_outside=1");
    rise_metrics m;
    world w;
    int i, j, most;
    d.clock_fn = toy_clock, d.clock_user = &now;
    d.learn_period = 1;
    for (i = 0; i < COUNT(budgets); i += KINDS_EACH) {
        double const share = budgets[i] / 3000;
        /* a call that is long enough for an update uses no time of earlier calls */
        double const each = share < 1 ? share : floor(share);
        int const calls = 10 + (int)(30 / share);
        int done = 0;
        check_about("a budget of %g microseconds", budgets[i]);
        w = world_of(created(&d));
        CHECK(rise_agent_learn_for(w.agent, budgets[i]) == 0);
        world_run(&w, 900);
        rise_agent_metrics(w.agent, &m);
        CHECK(m.updates == 0 && m.updates_owed == m.steps - d.learn_start && m.updates_owed > 500);
        for (j = most = 0; j < calls; j++) {
            int const updates = rise_agent_learn_for(w.agent, budgets[i]);
            CHECK(updates >= 0 && updates <= (j > 0 && share > 1 ? share : share + 2));
            done += updates;
        }
        CHECK(fabs(done - calls * each) <= 2 + share);
        rise_agent_metrics(w.agent, &m);
        CHECK(m.updates == done && m.updates_owed == m.steps - d.learn_start - done);
        /* only the updates owed are made */
        CHECK(rise_agent_learn_for(w.agent, 1e9) == (int)m.updates_owed);
        /* a budget is not saved up while no update is owed */
        for (j = 0; j < 50; j++) CHECK(rise_agent_learn_for(w.agent, budgets[i]) == 0);
        world_run(&w, 200);
        CHECK(rise_agent_learn_for(w.agent, budgets[i]) <= share + 3);
        rise_agent_destroy(w.agent);
    }
    check_about("invalid budgets");
    w = world_of(created(&d));
    world_run(&w, 200);
    CHECK(rise_agent_learn_for(w.agent, 3000) >= 0); /* now the cost of an update is known */
    CHECK(rise_agent_learn_for(w.agent, (double)NAN) <= 0);
    CHECK(rise_agent_learn_for(w.agent, -1e9) <= 0);
    for (j = most = 0; j < 10; j++) most += rise_agent_learn_for(w.agent, 6000);
    CHECK(most > 5 && most < 25); /* the invalid budgets have no lasting effect */
    rise_agent_destroy(w.agent);
}
/* A clock that advances 3 ms at each call, until call `at`. Then it goes wrong, once or for
   ever. */
typedef struct bad_clock {
    double now, jump; /* seconds */
    int calls, at;
    int stands; /* 1: from call `at` on, the clock stands still */
} bad_clock;
static double bad_clock_read(void *user)
{
    bad_clock *const c = (bad_clock *)user;
    if (++c->calls == c->at) c->now += c->jump;
    if (!c->stands || c->at == 0 || c->calls < c->at) c->now += 0.003;
    return c->now;
}
/* Learns for `budget` microseconds in each of 400 calls. The clock goes wrong when it is read for
   the `at`-th time in these calls. With a good clock, there are 200 updates. With a wrong one,
   there are 100 to 400. A call does at most 2 updates. */
static void learns_with_a_bad_clock(const char *what, double jump, int stands, int at)
{
    enum { CALLS = 400 };
    double const budget = 1500; /* two calls for an update */
    bad_clock c = {1e6, 0, 0, 0, 0};
    rise_agent_desc d = described("memory=none learn_outside=1");
    int i, done = 0, late = 0;
    world w;
    d.clock_fn = bad_clock_read, d.clock_user = &c;
    d.learn_period = 1;
    check_about("the clock %s at call %d", what, at);
    w = world_of(created(&d));
    world_run(&w, 900); /* steps read the clock, too */
    c.jump = jump, c.stands = stands, c.at = c.calls + at;
    for (i = 0; i < CALLS; i++) {
        int const updates = rise_agent_learn_for(w.agent, budget);
        CHECK(updates >= 0 && updates <= 2);
        done += updates;
        if (i >= CALLS - 40) late += updates;
    }
    CHECK(done >= CALLS / 4 && done <= CALLS);
    CHECK(late >= 10 && late <= 40); /* nothing lasts */
    rise_agent_destroy(w.agent);
}
static void learning_survives_a_bad_clock(void)
{
    int at;
    /* Two calls of rise_agent_learn_for read the clock three times: at the start of each call, and
       at the end of one update. Read 2 ends the first update. A wrong time of the first update may
       count as 1 s, because there is no estimate yet. */
    for (at = 3; at <= 12; at++) {
        learns_with_a_bad_clock("jumps an hour ahead", 3600, 0, at);
        learns_with_a_bad_clock("jumps an hour back", -3600, 0, at);
        learns_with_a_bad_clock("stands still", 0, 1, at);
        learns_with_a_bad_clock("becomes NaN", (double)NAN, 0, at);
        learns_with_a_bad_clock("becomes infinite", HUGE_VAL, 0, at);
    }
    learns_with_a_bad_clock("stands still", 0, 1, 1);
    learns_with_a_bad_clock("is NaN", (double)NAN, 0, 1);
}
/* NaN weights make the carried state NaN. When the caller has set the weights right, the state is
   finite again in the middle of the episode, and the agent can be saved. */
static void carried_states_recover(void)
{
    static const uint8_t frame[PIXELS] = {9, 200, 30};
    static const char *const cells[] = {"cell=lstm", "cell=gru", "cell=mingru"};
    int k, i;
    for (k = 0; k < COUNT(cells); k++) {
        rise_agent_desc d = described("memory=rise carry_state=1 greedy");
        rise_agent *a;
        rise_real *weights, *kept;
        buffer b = {NULL, 0, 0, SIZE_MAX, 0};
        size_t bytes;
        check_about("%s", cells[k]);
        CHECK(rise_agent_set(&d, cells[k], NULL) == RISE_OK);
        a = created(&d);
        for (i = 0; i < 5; i++)
            CHECK(rise_agent_step(a, frame, 0, i == 0 ? RISE_FIRST : RISE_MIDDLE) >= 0);
        weights = rise_agent_parameters(a);
        bytes = a->model.net.parameters * sizeof *weights;
        kept = (rise_real *)malloc(bytes);
        if (kept == NULL) exit(1);
        memcpy(kept, weights, bytes);
        for (i = 0; i < (int)a->model.net.parameters; i++) weights[i] = (rise_real)NAN;
        CHECK(rise_agent_step(a, frame, 0, RISE_MIDDLE) >= 0);
        memcpy(rise_agent_parameters(a), kept, bytes);
        CHECK(rise_agent_step(a, frame, 0, RISE_MIDDLE) >= 0);
        CHECK(rise_agent_write(a, RISE_SAVE_ALL, buffer_write, &b, NULL) == RISE_OK);
        rise_agent_destroy(a), free(kept), free(b.data);
    }
    check_about("%s", "");
}
/* Whatever the first times of parts are, the mean is soon that of the later ones. */
static void wrong_first_times_are_forgotten(void)
{
    static const double wrong[] = {HUGE_VAL, 3.6e9, 1e300, 0.1, 1e-300, -5, (double)NAN, 0};
    int i, j, k;
    for (i = 0; i < COUNT(wrong); i++)
        for (j = 0; j < COUNT(wrong); j++) {
            risei_learner l;
            memset(&l, 0, sizeof l);
            check_about("%g, then %g microseconds", wrong[i], wrong[j]);
            for (k = 0; k < 200; k++) {
                double const counted =
                    risei_learner_count_time(&l, k < 2 ? wrong[k == 0 ? i : j] : 3000, 1500);
                CHECK(counted >= 0 && counted <= (k < 2 ? 2e6 : 1e6));
            }
            CHECK(fabs(l.part_time - 3000) < 300);
        }
    check_about("%s", "");
}
/* A clock that counts in `grain` seconds. Each reading takes 0.1 ms, and so does an update. */
typedef struct grain_clock {
    double now, grain;
} grain_clock;
static double grain_clock_read(void *user)
{
    grain_clock *const c = (grain_clock *)user;
    c->now += 1e-4;
    return c->grain * floor(c->now / c->grain);
}
/* With a clock that is coarser than an update, rise_agent_learn_for still uses most of its budget
   and does not exceed it: 50 updates a call. The game takes about 11 ms between two calls. */
static void coarse_clocks_keep_the_budget(void)
{
    static const double grains[] = {1e-6, 1e-3, 1.0 / 64};
    enum { CALLS = check_share > 1 ? 150 : 300, LAST = CALLS / 3 };
    int const quick = check_share > 1; /* only milliseconds */
    toy dice;
    int k, i;
    memset(&dice, 0, sizeof dice);
    for (k = quick; k < (quick ? 2 : COUNT(grains)); k++) {
        rise_agent_desc d = described("memory=none learn_outside=1 batch_parts=1");
        grain_clock c = {1000, 0};
        rise_metrics m;
        int updates = 0, most = 0;
        world w;
        c.grain = grains[k];
        d.clock_fn = grain_clock_read, d.clock_user = &c, d.learn_period = 1;
        w = world_of(created(&d));
        world_run(&w, 40);
        for (i = 0; i < CALLS; i++) {
            int done;
            w.agent->learner.owed_steps = 200;
            c.now += 0.01 + 1e-5 * (toy_draw(&dice) % 200);
            done = rise_agent_learn_for(w.agent, 5000);
            CHECK(done >= 0);
            if (i >= CALLS - LAST) updates += done, most = done > most ? done : most;
        }
        rise_agent_metrics(w.agent, &m);
        check_about("a grain of %g s: %g updates a call, at most %d, %g us an update", grains[k],
                    (double)updates / LAST, most, m.update_time);
        CHECK(updates > 30 * LAST && updates < 55 * LAST && most < 60);
        CHECK(m.update_time > 90 && m.update_time < 160);
        rise_agent_destroy(w.agent);
    }
    check_about("%s", "");
}
/* An update makes a weight infinite. The target network does not take this weight, so learning goes
   on after the caller has made the weight finite. */
static void target_network_takes_no_infinite_weight(void)
{
    int rate;
    for (rate = 0; rate < 2; rate++) {
        rise_agent_desc d = described("memory=none learn_outside=1 learning_rate=1");
        rise_real *weight, kept;
        world w;
        int i;
        d.target_period = 1 + rate, d.target_rate = rate ? 1 : 0.5;
        check_about("target_rate %g", d.target_rate);
        w = world_of(created(&d));
        world_run(&w, 300);
        CHECK(rise_agent_learn(w.agent) == RISE_OK);
        kept = *rise_agent_parameters(w.agent);
        w.agent->learner.optimizer.m[0] = FLT_MAX, w.agent->learner.optimizer.v[0] = 0;
        CHECK(rise_agent_learn(w.agent) == RISE_OK && rise_agent_learn(w.agent) == RISE_NOT_FINITE);
        weight = rise_agent_parameters(w.agent);
        CHECK(!(*weight - *weight == 0));
        *weight = kept, w.agent->learner.optimizer.m[0] = 0;
        for (i = 0; i < 4; i++) {
            CHECK(rise_agent_learn(w.agent) == RISE_OK);
            if (rate)
                CHECK(same_reals(w.agent->model.target, w.agent->model.weights,
                                 w.agent->model.net.weights_size) ==
                      (w.agent->model.updates % 2 == 0));
        }
        CHECK(risei_agent_wrong(w.agent) == NULL);
        rise_agent_destroy(w.agent);
    }
    check_about("%s", "");
}
/* A failed update takes the time of an update from the budget. A call whose update fails keeps at
   most the time of one update for later calls. */
static void failed_updates_take_their_time(void)
{
    double now = 1e6;
    rise_agent_desc d = described("memory=none learn_outside=1");
    rise_real *weight, right;
    world w;
    d.clock_fn = toy_clock, d.clock_user = &now, d.learn_period = 1;
    w = world_of(created(&d));
    world_run(&w, 900);
    CHECK(rise_agent_learn_for(w.agent, 3000) >= 0); /* now the time of an update is known */
    weight = rise_agent_parameters(w.agent), right = *weight;
    *weight = (rise_real)NAN;
    CHECK(rise_agent_learn_for(w.agent, 3100) == RISE_NOT_FINITE);
    *weight = right;
    /* 100 microseconds are left; two calls give enough time for an update, and one does not */
    CHECK(rise_agent_learn_for(w.agent, 1500) == 0);
    CHECK(rise_agent_learn_for(w.agent, 1500) == 1);
    *weight = (rise_real)NAN;
    CHECK(rise_agent_learn_for(w.agent, 1e9) == RISE_NOT_FINITE);
    *weight = right;
    CHECK(rise_agent_learn_for(w.agent, 3000) <= 2); /* and not hundreds */
    CHECK(rise_agent_learn_for(w.agent, 1e9) > 100);
    rise_agent_destroy(w.agent);
}
static double slow_seconds; /* that slow_embed takes */
static void slow_embed(void *user, const uint8_t *frame, float *embedding, int size)
{
    toy_embed(NULL, frame, embedding, size);
    *(double *)user += slow_seconds;
}
/* The end of the warm-up embeds all frames again. This takes a minute of the clock here, but the
   budget for updates stays. */
static void warm_up_takes_no_budget(void)
{
    double now = 1e6;
    rise_agent_desc d = described("memory=rise embedding=user learn_outside=1");
    world w;
    int i, done = 0;
    d.clock_fn = toy_clock, d.clock_user = &now, d.learn_period = 1;
    d.embed_fn = slow_embed, d.embed_user = &now;
    w = world_of(created(&d));
    world_run(&w, 900);
    slow_seconds = 1;
    for (i = 0; i < 100; i++) {
        int const updates = rise_agent_learn_for(w.agent, 1500); /* two calls for an update */
        CHECK(updates >= 0 && updates <= 2);
        done += updates;
    }
    slow_seconds = 0;
    CHECK(now > 1e6 + 60 && done >= 45 && done <= 55);
    rise_agent_destroy(w.agent);
}
static void copies_its_target(const char *words)
{
    rise_agent_desc d = described(words);
    rise_agent *faster;
    world w, v;
    size_t const size = 4096;
    float weights[4096], target[4096];
    double sum = 0, off = 0;
    size_t i, n;
    int update;
    check_about("%s, target network", words);
    w = world_of(created(&d));
    n = w.agent->model.net.parameters;
    if (!CHECK(n <= size)) return;
    CHECK(same_reals(w.agent->model.weights, w.agent->model.target, n));
    world_run(&w, 50);
    d.learning_rate *= 2;
    v = world_of(faster = created(&d));
    world_run(&v, 50);
    memcpy(weights, w.agent->model.weights, n * sizeof *weights);
    CHECK(rise_agent_learn(w.agent) == RISE_OK && rise_agent_learn(faster) == RISE_OK);
    for (i = 0; i < n; i++) { /* with twice the rate, the weights move twice as far */
        double const slow = (double)(w.agent->model.weights[i] - weights[i]);
        double const fast = (double)(faster->model.weights[i] - weights[i]);
        sum += slow * slow, off += (fast - 2 * slow) * (fast - 2 * slow);
    }
    CHECK(sum > 0 && off <= 1e-6 * sum);
    for (update = 2; update <= 15; update++) {
        memcpy(target, w.agent->model.target, n * sizeof *target);
        CHECK(rise_agent_learn(w.agent) == RISE_OK);
        if (update % 7 == 0)
            CHECK(same_reals(w.agent->model.weights, w.agent->model.target, n) &&
                  !same_reals(w.agent->model.target, target, n));
        else
            CHECK(same_reals(w.agent->model.target, target, n) &&
                  !same_reals(w.agent->model.weights, target, n));
    }
    rise_agent_destroy(w.agent);
    rise_agent_destroy(faster);
}
/* Plays until the first update is done. */
static void first_update(rise_agent *a)
{
    world w = world_of(a);
    while (a->model.updates == 0) world_run(&w, 1);
}
/* A decay whose factor is 1: the weights of the context are 0 at first, and do not decay. */
static double const least_decay = 1e-30;
/* The layer that multiplies the context: its inputs from `first` on are the context. */
static const risei_linear *context_layer(const rise_agent *a, int *first)
{
    const risei_net *const n = &a->model.net;
    const risei_linear *const l = n->fusion == RISE_FUSION_CONCAT ? &n->heads.hidden : &n->fuse;
    *first = l->in - a->desc.recurrent_units;
    return l;
}
/* Returns the index of a weight of a layer among all weights of the agent. */
static size_t layer_weight(const risei_linear *l, int row, int column)
{
    size_t const panel = l->out % RISE_PANEL == 0 ? RISE_PANEL : (size_t)l->out;
    return l->weights + (size_t)column / panel * panel * (size_t)l->in + (size_t)row * panel +
           (size_t)column % panel;
}
/* With context_decay, the weights of the context are 0 in a new agent. All other weights, and those
   of the target network, are the ones that the agent has without context_decay. */
static void context_begins_at_zero(const char *words)
{
    rise_agent_desc d = described(words);
    rise_agent *random, *zero;
    const risei_linear *l;
    size_t i, other = 0;
    int row, column, first, wrong = 0;
    check_about("%s", words);
    d.context_decay = -1;
    random = created(&d);
    d.context_decay = least_decay;
    zero = created(&d);
    l = context_layer(zero, &first);
    CHECK(first >= 0 && first < l->in);
    for (row = first; row < l->in; row++)
        for (column = 0; column < l->out; column++) {
            size_t const at = layer_weight(l, row, column);
            wrong += zero->model.weights[at] != 0 || random->model.weights[at] == 0;
            wrong += zero->model.target[at] != 0;
            zero->model.weights[at] = random->model.weights[at];
            zero->model.target[at] = random->model.weights[at];
        }
    CHECK(wrong == 0);
    for (i = 0; i < zero->model.net.weights_size; i++)
        other += zero->model.weights[i] != random->model.weights[i] ||
                 zero->model.target[i] != random->model.weights[i];
    CHECK(other == 0);
    rise_agent_destroy(random), rise_agent_destroy(zero);
}
/* After the first update with context_decay, the weights of the context are the undecayed weights
   times the factor. All other weights, and Adam's moments, are equal. */
static void context_decays(const char *words, double decay)
{
    rise_agent_desc d = described(words);
    rise_agent *kept, *decayed;
    const risei_linear *l;
    size_t i, other = 0;
    int row, column, first, wrong = 0, moved = 0;
    rise_real factor;
    check_about("%s, %g", words, decay);
    d.learning_rate_steps = 30;
    d.context_decay = least_decay;
    kept = created(&d);
    d.context_decay = decay;
    decayed = created(&d);
    first_update(kept), first_update(decayed);
    /* the learning rate falls from step 20 on, to a tenth in 30 steps */
    CHECK(decayed->actor.steps > 20 && decayed->actor.steps < 30);
    factor = (rise_real)(1 - decay * (1 - 0.9 * ((double)decayed->actor.steps - 20) / 30));
    l = context_layer(kept, &first);
    for (row = first; row < l->in; row++)
        for (column = 0; column < l->out; column++) {
            size_t const at = layer_weight(l, row, column);
            moved += kept->model.weights[at] != 0;
            wrong += !(fabs(decayed->model.weights[at] - factor * kept->model.weights[at]) <=
                       1e-6 * fabs(kept->model.weights[at]));
            decayed->model.weights[at] = kept->model.weights[at];
        }
    CHECK(wrong == 0 && moved > 0);
    for (i = 0; i < kept->model.net.weights_size; i++)
        other += decayed->model.weights[i] != kept->model.weights[i];
    CHECK(other == 0);
    i = kept->model.net.parameters;
    CHECK(same_reals(kept->learner.optimizer.m, decayed->learner.optimizer.m, i));
    CHECK(same_reals(kept->learner.optimizer.v, decayed->learner.optimizer.v, i));
    rise_agent_destroy(kept), rise_agent_destroy(decayed);
}
static void weights_of_the_context_decay(void)
{
    static const char *const kinds[] = {
        "memory=rise",
        "memory=rise panels cell=gru",
        "memory=rise fusion=gate",
        "memory=rise fusion=sum panels noisy=1 head=iqn",
        "memory=rise head=c51 noisy=1 layer_norm=1 panels",
        "memory=full cell=mingru head=iqn",
        "memory=full fusion=gate residual spectral_norm=1",
        "memory=rise numbers=3 number_features=3",
        "memory=rise plain",
    };
    rise_agent_desc d;
    uint64_t plain, none;
    int i;
    for (i = 0; i < COUNT(kinds); i++) {
        context_begins_at_zero(kinds[i]);
        context_decays(kinds[i], 0.01);
        context_decays(kinds[i], 0.7);
        context_decays(kinds[i], 1);
    }
    for (i = 0; i < RISE_MEMORY_COUNT; i++) {
        d = described("context_decay=0");
        d.memory = (rise_memory)i;
        CHECK(rise_agent_resolve(&d, NULL) == RISE_OK);
        CHECK(d.context_decay == (d.memory == RISE_MEMORY_RISE ? 1e-4 : 0));
    }
    d = described("memory=rise");
    plain = learned(&d, 3);
    d.context_decay = -0.5;
    CHECK(learned(&d, 3) == plain);
    d.context_decay = 0.5;
    CHECK(learned(&d, 3) != plain);
    for (i = 0; i < 3; i++) { /* each fusion; without a recurrent net, nothing decays */
        d = described("memory=none");
        d.fusion = (rise_fusion)i;
        none = learned(&d, 3);
        d.context_decay = 0.5;
        CHECK(learned(&d, 3) == none);
    }
}
/* Decay writes 0 for magnitudes below 2^-100. NaN stays NaN. */
static void decayed_weights_are_no_denormals(void)
{
    rise_agent_desc d = described("memory=rise");
    rise_agent *const a = created(&d);
    const risei_linear *const l = &a->model.net.heads.hidden;
    rise_real *const w = rise_agent_parameters(a) + l->weights + d.features * l->out;
    int const count = d.recurrent_units * l->out;
    int i, wrong = 0;
    for (i = 0; i < count; i++) w[i] = (rise_real)ldexp(i % 2 ? 1 : -1, -99);
    w[1] = (rise_real)NAN;
    risei_fusion_decay(&a->model.net, a->model.weights, 0.5f);
    for (i = 0; i < count; i++) wrong += i != 1 && fabs(w[i]) != ldexp(1, -100);
    risei_fusion_decay(&a->model.net, a->model.weights, 0.5f);
    for (i = 0; i < count; i++) wrong += i != 1 && w[i] != 0;
    CHECK(wrong == 0 && w[1] != w[1] && w[-1] != 0);
    rise_agent_destroy(a);
}
static void schedules_follow_the_steps(void)
{
    rise_agent_desc d = described("memory=rise learn_outside=1");
    int taken[ACTIONS] = {0, 0, 0};
    int i, other = 0, steps = 0;
    rise_metrics m;
    world w;
    check_about("schedules");
    d.learning_rate_steps = 30;
    w = world_of(created(&d));
    for (i = 0; i < 110; i++) {
        rise_agent_metrics(w.agent, &m);
        CHECK(m.steps == steps);
        CHECK_NEAR(m.epsilon,
                   steps <= 20   ? 0.9
                   : steps >= 70 ? 0.1
                                 : 0.9 - 0.8 * (steps - 20) / 50.0,
                   1e-12);
        CHECK_NEAR(risei_learner_rate(&w.agent->desc, w.agent->actor.steps),
                   steps <= 20   ? 0.01
                   : steps >= 50 ? 0.001
                                 : 0.01 - 0.009 * (steps - 20) / 30.0,
                   1e-12);
        world_run(&w, 1);
        steps += !risei_event_is_last((int)w.events[0]); /* no action follows a last frame */
    }
    CHECK(steps > 80);
    rise_agent_destroy(w.agent);
    d.epsilon_start = d.epsilon_end = 0.5;
    w = world_of(created(&d));
    for (i = steps = 0; i < 4000; i++) {
        world_run(&w, 1);
        if (risei_event_is_last((int)w.events[0])) continue;
        steps++, taken[w.actions[0]]++;
        other += w.actions[0] != risei_best_action(ACTIONS, w.agent->model.pass.heads.q, NULL);
    }
    /* half of the actions are random, and a third of these are greedy by chance; the bound is 5
       sigma */
    CHECK(fabs((double)other / steps - 1.0 / 3) < 0.04);
    CHECK(taken[0] > steps / 12 && taken[1] > steps / 12 && taken[2] > steps / 12);
    rise_agent_destroy(w.agent);
    w = world_begin("memory=rise greedy", 0);
    for (i = 0; i < 60; i++) {
        world_run(&w, 1);
        if (w.agent->model.updates == 0 && !risei_event_is_last((int)w.events[0]))
            CHECK(w.actions[0] == risei_best_action(ACTIONS, w.agent->model.pass.heads.q, NULL));
    }
    rise_agent_destroy(w.agent);
}
static long logged;
static void log_line(void *user, const char *text)
{
    CHECK(user == &logged && text[0] != '\0' && strchr(text, '\n') == NULL);
    logged++;
}
static void metrics_count_steps_and_episodes(void)
{
    rise_agent_desc d = described("memory=none");
    rise_agent *a;
    rise_metrics m;
    uint8_t frame[PIXELS] = {0};
    double sum = 0;
    int episode, i;
    check_about("metrics");
    d.log_fn = log_line, d.log_user = &logged;
    a = created(&d);
    CHECK(logged >= 1);
    /* episode e ends after its second step and returns e */
    for (episode = 1; episode <= 150; episode++) {
        CHECK(rise_agent_step(a, frame, 1000, RISE_FIRST) >= 0);
        CHECK(rise_agent_step(a, frame, -1, RISE_MIDDLE) >= 0);
        CHECK(rise_agent_step(a, frame, (float)episode + 1,
                              episode % 2 ? RISE_TERMINATED : RISE_TRUNCATED) == 0);
        sum = 0;
        for (i = episode; i > 0 && i > episode - 100; i--) sum += i;
        rise_agent_metrics(a, &m);
        CHECK(m.episodes == episode && m.steps == 2 * episode);
        CHECK_NEAR(m.mean_return, sum / (episode < 100 ? episode : 100), 1e-12);
        CHECK(m.replay_size == (episode < 20 ? 3 * episode : 60) &&
              m.replay_ready <= m.replay_size);
        CHECK(m.updates == (m.steps > 20 ? (m.steps - 20) / 2 : 0) && m.updates_owed == 0);
    }
    CHECK(m.fused == rise_kernels_of(RISE_ISA_AUTO)->fused &&
          strcmp(m.isa, rise_kernels_of(RISE_ISA_AUTO)->name) == 0);
    CHECK(m.replay_ready == 40); /* the last of 3 frames is not a transition */
    rise_agent_destroy(a);
}

/* With window_stride, exactly these transitions can be drawn: every stride-th step of an episode,
   and the last step of an episode, both only once the n-step return is complete. */
static void windows_end_at_strides_and_ends(void)
{
    int n, stride, ends = 0;
    for (n = 1; n <= 3; n++)
        for (stride = 2; stride <= 4; stride++) {
            rise_agent_desc d = described("memory=rise learn_outside=1");
            const risei_replay *r;
            const risei_history *h;
            world w;
            int64_t at;
            check_about("n_step %d, stride %d", n, stride);
            d.n_step = n, d.window_samples = d.window_stride = stride, d.batch = 12;
            d.replay_capacity = 200;
            w = world_after(d, 150);
            r = &w.agent->replay, h = &r->history;
            for (at = 0; at < h->written[0] - 1; at++) {
                int const strides = (h->episode_frame[at] + 1) % stride == 0;
                int const end = risei_event_is_last(h->events[at + 1]);
                CHECK((r->tree[at] > 0) == (!risei_event_is_last(h->events[at]) &&
                                            risei_replay_has_future(r, 0, at) &&
                                            (strides || end)));
                ends += end && !strides && !risei_event_is_last(h->events[at]);
            }
            rise_agent_destroy(w.agent);
        }
    CHECK(ends > 50);
}
/* A window is drawn by the priority of its last sample. All samples of the window have the
   importance weight of this last sample. A sample from before the episode repeats the last sample,
   with weight 0. */
static void samples_share_the_weight_of_their_window(void)
{
    rise_agent_desc d = described("memory=rise window_samples=3 learn_outside=1 "
                                  "importance_exponent=0.7 priority_exponent=0.6");
    world w = world_after(d, 60);
    const risei_batch *const b = &w.agent->learner.batch;
    const risei_history *const h = &w.agent->replay.history;
    int update, i, before = 0, first = 0, differ = 0;
    for (update = 0; update < 20; update++) {
        CHECK(rise_agent_learn(w.agent) == RISE_OK);
        for (i = 0; i < b->size; i++) {
            int const row = i % b->windows, last = b->size - b->windows + row;
            int const back = 2 - i / b->windows;
            const risei_transition *const t = &b->transition[last];
            int const index = h->episode_frame[risei_history_slot(h, t->lane, t->at)];
            CHECK(b->transition[i].before_episode == (index < back));
            CHECK(b->transition[i].at == (index < back ? t->at : t->at - back));
            CHECK(b->importance[i] == (index < back ? 0 : b->importance[last]));
            before += index < back, first += index == back && back > 0;
            differ += b->importance[i] > 0 && b->importance[i] < 1;
        }
    }
    CHECK(before > 10 && first > 5 && differ > 10);
    rise_agent_destroy(w.agent);
}
/* Recurrent states are carried also while all actions are random: they are those of players that
   see the same frames. */
static void random_agents_carry_states(void)
{
    static const char *const words[] = {"memory=rise carry_state=1",
                                        "memory=full cell=gru carry_state=1 environments=3"};
    int k, step, lane, array, nonzero = 0;
    for (k = 0; k < COUNT(words); k++) {
        rise_agent_desc d = described("random learn_outside=1");
        world w;
        describe(&d, words[k]);
        d.players = d.environments, d.replay_capacity = 60 * d.environments;
        w = world_of(created(&d));
        check_about("%s", words[k]);
        for (step = 0; step < 40; step++) {
            const risei_model *const m = &w.agent->model;
            size_t const units = (size_t)m->net.cell.units;
            world_run(&w, 1);
            for (lane = 0; lane < d.environments; lane++) {
                CHECK(rise_agent_play(w.agent, lane, w.frames + lane * PIXELS, w.rewards[lane],
                                      w.events[lane], NULL) >= 0);
                for (array = 0; array < risei_cell_state_arrays(m->net.cell.kind); array++) {
                    const rise_real *const a = w.agent->actor.states.array[array];
                    const rise_real *const p = w.agent->players.states.array[array];
                    CHECK(same_reals(a + lane * (int)units, p + lane * (int)units, units));
                    nonzero += a[lane * (int)units] != 0;
                }
            }
        }
        rise_agent_destroy(w.agent);
    }
    CHECK(nonzero > 100);
}
/* No gradient flows to the features of the first burn_in steps of a window, but to those of the
   next step. */
static void no_gradient_flows_to_the_burn_in(void)
{
    int burn_in;
    for (burn_in = 0; burn_in < 4; burn_in++) {
        rise_agent_desc d = described("memory=full window=5 learn_outside=1");
        const risei_sequence *s;
        const risei_pass *pass;
        world w;
        int update, i, size, before = 0, after = 0;
        check_about("burn_in %d", burn_in);
        d.burn_in = burn_in;
        w = world_after(d, 60);
        pass = &w.agent->model.pass, s = &pass->sequence, size = w.agent->model.net.encoder.out;
        for (update = 0; update < 20; update++) {
            CHECK(rise_agent_learn(w.agent) == RISE_OK);
            for (i = 0; i < s->begin[burn_in + 1] * size; i++)
                if (i < s->begin[burn_in] * size)
                    before += pass->encoder.dfeatures[i] != 0;
                else
                    after += pass->encoder.dfeatures[i] != 0;
        }
        CHECK(before == 0 && after > 20);
        rise_agent_destroy(w.agent);
    }
}
/* A negative importance_exponent or munchausen_scale means 0: all importance weights are 1, and
   rewards have no bonus. With positive ones, they differ. */
static void negative_factors_are_zero(void)
{
    int negative, i;
    for (negative = 0; negative < 2; negative++) {
        rise_agent_desc d = described("memory=none munchausen=1 learn_outside=1");
        world w;
        risei_learner *l;
        int weights = 0, rewards = 0;
        d.importance_exponent = negative ? -1 : 0.5, d.munchausen_scale = negative ? -1 : 0.9;
        check_about("negative %d", negative);
        w = world_after(d, 60);
        l = &w.agent->learner;
        for (i = 0; i < 10; i++) CHECK(rise_agent_learn(w.agent) == RISE_OK);
        for (i = 0; i < l->batch.size; i++) {
            weights += l->batch.importance[i] != 1;
            rewards += risei_learner_reward(l, i) != l->batch.transition[i].reward;
        }
        CHECK((weights > 0) == !negative && (rewards > 0) == !negative);
        rise_agent_destroy(w.agent);
    }
}
/* learn_start may be replay_capacity: learning then starts after the next step. */
static void learning_can_start_with_a_full_buffer(void)
{
    int environments;
    for (environments = 1; environments <= GAMES; environments += 2) {
        rise_agent_desc d = described("memory=none");
        rise_metrics m;
        world w;
        d.environments = environments;
        d.learn_start = d.replay_capacity = 60 * environments;
        w = world_after(d, 150);
        rise_agent_metrics(w.agent, &m);
        CHECK(m.replay_size == d.replay_capacity && m.updates > 5);
        rise_agent_destroy(w.agent);
    }
}
/* A snapshot copies the conv layers that act: with spectral_norm, the normalised weights. */
static void snapshots_copy_normalised_weights(void)
{
    rise_agent_desc d = described("memory=rise embedding=snapshot residual conv_count=2 "
                                  "spectral_norm=1 learn_outside=1");
    world w = world_after(d, 60);
    const risei_frozen *const encoder = &w.agent->embedder.encoder;
    size_t const bytes = encoder->snapshot_weights * sizeof(rise_real);
    uint8_t frame[PIXELS] = {9, 8, 200};
    int i;
    for (i = 0; i < 20; i++) CHECK(rise_agent_learn(w.agent) == RISE_OK);
    CHECK(rise_agent_play(w.agent, 0, frame, 0, RISE_FIRST, NULL) >= 0);
    CHECK(rise_agent_snapshot(w.agent) == RISE_OK);
    CHECK(memcmp(encoder->next_weights, w.agent->model.weights, bytes) != 0);
    CHECK(memcmp(encoder->next_weights, w.agent->model.derived, bytes) == 0);
    rise_agent_destroy(w.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* The kinds of agents that these tests try, and the tests */

static const char *const histories[] = {
    "memory=rise",
    "memory=rise cell=gru fusion=gate embedding_f32=1 environments=3",
    "memory=rise fusion=sum feed_action=1",
    "memory=rise carry_state=1 window=9",
    ("memory=rise cell=gru fusion=gate feed_action=1 carry_state=1 window=9 embedding_f32=1 "
     "environments=3"),
    "memory=rise wide layer_norm=1 embedding=sparse pool environments=3",
    "memory=none",
    "memory=none plain environments=3",
    "memory=full",
    "memory=full cell=gru fusion=sum feed_action=1 environments=3",
    "memory=full fusion=gate carry_state=1 window=9",
    "memory=full wide feed_action=1 carry_state=1 window=9 environments=3 frame_stack=1",
    "memory=rise cell=gru embedding=conv frame_stack=1 feed_action=1",
    "memory=rise panels fusion=gate environments=3",
    "memory=full cell=gru panels",
    "memory=rise stored embedding_f32=1",
    "memory=full stored window_samples=3 embedding_f32=1 environments=3 feed_action=1",
    "memory=rise cell=gru stored window_samples=3 overlap embedding_f32=1",
    "memory=rise cell=mingru stored burn_in=2 embedding_f32=1",
    "memory=rise cell=mingru environments=3",
    "memory=full stored window_samples=3 overlap burn_in=2 embedding_f32=1",
    "memory=none head=c51 residual spectral_norm=1 pool_to=2 environments=3",
    "memory=rise head=c51 residual conv_count=2 embedding=conv",
    "memory=full head=c51 residual spectral_norm=1 cell=gru",
    "memory=none head=iqn environments=3",
    "memory=rise head=iqn residual spectral_norm=1 feed_action=1",
    "memory=full head=iqn wide",
};
static const char *const runs[] = {
    "memory=rise",
    "memory=rise cell=gru fusion=gate embedding_f32=1 environments=3 feed_action=1",
    "memory=rise carry_state=1 feed_action=1 action_masks=1 context_decay=0.03",
    "memory=none environments=3",
    "memory=none action_masks=1 n_step=1",
    "memory=full",
    "memory=full cell=gru carry_state=1 environments=3 fusion=sum context_decay=0.1",
    "memory=rise embedding=user no_double=1 priority_exponent=-1",
    "memory=rise cell=mingru window_samples=3 environments=3",
    "memory=rise stored embedding_f32=1 environments=3",
    "memory=full stored window_samples=3 overlap burn_in=2 feed_action=1",
    "memory=rise head=c51 noisy=1 cell=gru carry_state=1",
    "memory=full munchausen=1 noisy=1 plain",
    ("memory=none head=iqn noisy=1 munchausen=1 residual spectral_norm=1 pool_to=2 "
     "target_rate=0.3 environments=3"),
    "memory=rise head=iqn value_rescale=1 action_masks=1 residual spectral_norm=1",
};

/* Calls a test with each kind of agent. */
static void each(const char *const *kinds, int count, void (*test)(const char *kind))
{
    int i;
    for (i = 0; i < count; i += KINDS_EACH) test(kinds[i]);
}
static void acting_equals_learning(void) { each(histories, COUNT(histories), acts_as_it_learns); }
static void saved_run_resumes_exactly(void) { each(runs, COUNT(runs), resumes); }
static void run_without_replay_resumes(void) { each(runs, COUNT(runs), resumes_learning); }
static void policy_file_plays_the_same(void) { each(runs, COUNT(runs), plays_from_a_policy); }
static void players_leave_no_trace(void) { each(runs, COUNT(runs), plays_without_a_trace); }
static void agent_allocates_once(void) { each(runs, COUNT(runs), allocates_once); }
static void agent_stays_inside_its_block(void) { each(runs, COUNT(runs), lives_in_a_block); }
static void wrong_steps_change_nothing(void) { each(runs, COUNT(runs), refuses_steps); }
static void wrong_plays_change_nothing(void) { each(runs, COUNT(runs), refuses_plays); }
static void nonfinite_weights_are_noticed(void) { each(runs, COUNT(runs), refuses_weights); }
static void instruction_sets_learn_the_same(void) { learns_the_same(0); }
static void masked_actions_are_not_taken(void)
{
    static const char *const masks[] = {
        "memory=rise action_masks=1 random",
        "memory=rise action_masks=1 greedy environments=3",
        "memory=none action_masks=1",
    };
    int i;
    for (i = 0; i < COUNT(masks); i++) {
        world w;
        check_about("%s", masks[i]);
        w = world_begin(masks[i], 300); /* world_run checks each action */
        rise_agent_destroy(w.agent);
    }
}
static void embeddings_are_standardised(void)
{
    int i;
    for (i = RISE_EMBED_SIGNS; i < RISE_EMBED_COUNT; i++)
        if (!needs_file(i)) standardises(i, 0, 0);
    standardises(RISE_EMBED_SIGNS, 1, 0);
    standardises(RISE_EMBED_SIGNS, 64, 0);
    standardises(RISE_EMBED_SIGNS, 100, 0);
    standardises(RISE_EMBED_SIGNS, 100, 80);
    standardises(RISE_EMBED_SIGNS, 100, 100);
    standardises(RISE_EMBED_GAUSSIAN, 333, 0);
    standardises_snapshot();
}
static void agents_run_with_every_encoder(void)
{
    char words[60];
    int i, count = 0;
    for (i = RISE_EMBED_SIGNS; i < RISE_EMBED_COUNT; i++) {
        if (needs_file(i)) continue;
        snprintf(words, sizeof words, "memory=rise embedding=%s", risei_embedder_word(i));
        acts_as_it_learns(words);
        resumes(words);
        plays_from_a_policy(words);
        lives_in_a_block(words);
        count++;
    }
    check_note("%d encoders; tests/pretrained.c has those that read a file", count);
}
static void target_network_is_copied_in_time(void)
{
    /* The decay comes before the copy. It does not grow with learning_rate, so it must be tiny:
       copies_its_target expects weights to move twice as far at twice the rate. */
    copies_its_target("memory=rise learn_outside=1 context_decay=2e-5");
    copies_its_target("memory=full learn_outside=1");
    copies_its_target("memory=none learn_outside=1");
    copies_its_target("memory=none head=iqn noisy=1 residual spectral_norm=1 learn_outside=1");
    copies_its_target("memory=rise head=c51 noisy=1 learn_outside=1");
}
/* Fields of windows that contradict each other are refused. */
static void windows_must_fit_together(void)
{
    rise_agent_desc d = described("memory=rise burn_in=5");
    refused_for("burn_in is 5; it must be less than window, 5", &d);
    d.burn_in = 4;
    accepted(&d);
    d = described("memory=rise window_samples=2 window_stride=3");
    refused_for("window_stride is 3; more than window_samples, 2", &d);
    d.window_stride = 2;
    accepted(&d);
    d = described("memory=rise stored_state=1");
    refused_for("stored_state is 1; set carry_state", &d);
    d.carry_state = 1;
    accepted(&d);
    d = described("memory=none stored_state=1 window_stride=3"); /* NONE ignores both */
    accepted(&d);
    d = described("memory=rise window_samples=4");
    refused_for("window_samples is 4; it must divide batch, 6", &d);
}

static const check_test tests[] = {
    TEST(acting_equals_learning),
    TEST(instruction_sets_learn_the_same),
    TEST(saved_run_resumes_exactly),
    TEST(run_without_replay_resumes),
    TEST(policy_file_plays_the_same),
    TEST(players_leave_no_trace),
    TEST(agent_allocates_once),
    TEST(agent_stays_inside_its_block),
    TEST(wrong_steps_change_nothing),
    TEST(wrong_plays_change_nothing),
    TEST(nonfinite_weights_are_noticed),
    TEST(masked_actions_are_not_taken),
    TEST(bytes_are_as_promised),
    TEST(fields_keep_their_limits),
    TEST(sentences_name_the_range),
    TEST(the_smallest_frame_is_needed),
    TEST(user_embeddings_need_embed_fn),
    TEST(atoms_need_a_range),
    TEST(many_processes_are_refused),
    TEST(replay_must_hold_what_learning_reads),
    TEST(conv_layers_must_fit_the_frame),
    TEST(pool_to_must_fit_the_frame),
    TEST(heads_must_fit_together),
    TEST(batch_must_fit_in_memory),
    TEST(frames_of_signs_are_limited),
    TEST(defaults_are_filled_in),
    TEST(missing_kernels_are_refused),
    TEST(early_first_frame_truncates),
    TEST(nonfinite_losses_are_refused),
    TEST(signs_embedding_sums_over_squares),
    TEST(random_projections_have_variance_one),
    TEST(downsample_and_user_embeddings_are_exact),
    TEST(colours_are_projected),
    TEST(colours_are_downsampled),
    TEST(frames_are_standardised),
    TEST(colours_are_standardised),
    TEST(embeddings_are_standardised),
    TEST(agents_run_with_every_encoder),
    TEST(nonfinite_embeddings_are_refused),
    TEST(infinite_embeddings_are_refused_while_learning),
    TEST(frame_statistics_stop_at_their_limit),
    TEST(null_is_refused),
    TEST(null_agents_do_not_play),
    TEST(rows_of_a_batch_stay_in_their_arrays),
    TEST(embeddings_may_have_one_number),
    TEST(results_have_texts),
    TEST(bindings_need_no_struct),
    TEST(fields_of_any_size_are_stored),
    TEST(wrong_slots_are_noticed),
    TEST(wrong_counters_are_noticed),
    TEST(time_is_measured_without_a_clock),
    TEST(unavailable_is_refused),
    TEST(downsample_needs_a_number_per_channel),
    TEST(refused_descriptions_stay),
    TEST(learning_keeps_its_time_budget),
    TEST(learning_survives_a_bad_clock),
    TEST(wrong_first_times_are_forgotten),
    TEST(carried_states_recover),
    TEST(coarse_clocks_keep_the_budget),
    TEST(target_network_takes_no_infinite_weight),
    TEST(failed_updates_take_their_time),
    TEST(warm_up_takes_no_budget),
    TEST(target_network_is_copied_in_time),
    TEST(weights_of_the_context_decay),
    TEST(decayed_weights_are_no_denormals),
    TEST(schedules_follow_the_steps),
    TEST(metrics_count_steps_and_episodes),
    TEST(windows_end_at_strides_and_ends),
    TEST(samples_share_the_weight_of_their_window),
    TEST(random_agents_carry_states),
    TEST(no_gradient_flows_to_the_burn_in),
    TEST(negative_factors_are_zero),
    TEST(learning_can_start_with_a_full_buffer),
    TEST(snapshots_copy_normalised_weights),
    TEST(windows_must_fit_together),
};
int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--golden") == 0) {
        learns_the_same(1);
        return 0;
    }
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
