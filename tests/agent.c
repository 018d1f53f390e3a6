/*  A whole agent: does it act as it learns, learn the same everywhere, resume as if nothing had happened, keep to its memory,
    and refuse what is wrong without a trace?
        cc -O2 tests/agent.c -o agent -lm && ./agent
    `./agent golden` prints the table of golden hashes anew. */
#include "toy.h"

/* The quick form takes one in so many of what is tried with many kinds of agents: the hashes are of all there is. */
enum { SOME = check_share > 1 ? 4 : 1 };

/* ---------------------------------------------------------------------------------------------- */
/* Acting and learning give the same numbers for the same history */

enum { HISTORY = 150 };

/* What acting said about each slot. */
static float said[GAMES][HISTORY][ACTIONS];

/* Draws batches as learning does: their states, and what follows them as the target network is asked. What acting carries from
   before the window, learning does not see. */
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
                    (carries && h->index[risei_slot(h, t->lane, at)] >= d->window))
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
/* Players see what the games show, one after another where the games act at once, and must say the same. */
static void acts_as_it_learns(const char *words)
{
    char all_words[160];
    rise_agent_desc d;
    world w;
    int64_t since[GAMES] = {0, 0, 0};
    int step, lane;
    /* masks: or it would always do the same */
    snprintf(all_words, sizeof all_words, "%s outside masks greedy", words);
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
                                               risei_is_last((int)w.events[lane])
                                                   ? NULL
                                                   : w.allowed + lane * ACTIONS);
            CHECK(action == w.actions[lane]);
            CHECK(same_reals(rise_agent_values(w.agent, lane), said[lane][step], ACTIONS));
        }
        /* what was said before holds no more, and what is carried is stale until an episode begins */
        if (step == HISTORY / 3) {
            CHECK(rise_agent_learn(w.agent) == RISE_OK);
            for (lane = 0; lane < d.environments; lane++) since[lane] = INT64_MAX;
        }
        for (lane = 0; lane < d.environments; lane++)
            if (since[lane] == INT64_MAX && w.events[lane] == RISE_FIRST && step > HISTORY / 3)
                since[lane] = step;
    }
    /* which learns at fractions other than it acts at */
    if (d.head != RISE_HEAD_IQN) compare_with_learning(w.agent, since);
    rise_agent_destroy(w.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* The same numbers on every instruction set, and on every machine */

static const struct {
    const char *words;
    uint64_t hash; /* of the parameters after 30 updates */
} golden[] = {
    {"rise", UINT64_C(0xF6B797FCBD3E89CA)},
    {"rise gru gate f32 games", UINT64_C(0x88D73E10071EBEA7)},
    {"rise sum feed carry gaussian", UINT64_C(0x173C85F0B0C5DC54)},
    {"rise wide norm sparse pool uniform", UINT64_C(0xA0ECBEE3AF6E1D9A)},
    {"rise gru wide deep conv single", UINT64_C(0x6988DFD410A77783)},
    {"rise plain downsample masks one", UINT64_C(0x939826B828F0B607)},
    {"rise user alone", UINT64_C(0xEB88AB75D23676F5)},
    {"none wide", UINT64_C(0xBC7F3AB2C31640DC)},
    {"none plain deep games", UINT64_C(0xC5BDAF3A7AA76FAB)},
    {"full wide", UINT64_C(0x0D4B710103721DBD)},
    {"full gru sum feed carry alone", UINT64_C(0x135367F91992E25B)},
    {"full gate norm pool games", UINT64_C(0xA01B35BF17049A81)},
    {"rise panels gate games", UINT64_C(0x486647D06088F0BC)},
    {"full gru panels norm", UINT64_C(0x3F695124B53F6546)},
    {"none c51 games", UINT64_C(0xA90801BC5E51F712)},
    {"rise c51 noisy gru gate deep", UINT64_C(0x23FFB846DCA0C250)},
    {"full c51 units deep spectral plain", UINT64_C(0x5D8C9A582359CEED)},
    {"none wide c51 noisy single", UINT64_C(0x6E11EB150208921C)},
    {"rise iqn munchausen games", UINT64_C(0x0591109DC3728649)},
    {"rise iqn rescale single feed", UINT64_C(0x3C6A9925BF6CF1F9)},
    {"full iqn norm noisy soft", UINT64_C(0x7F5490F3A3642912)},
    {"none wide iqn panels noisy", UINT64_C(0x5738DC77258A293C)},
    {"none rescale masks", UINT64_C(0x5EAD1882CF92F974)},
    {"full munchausen noisy plain soft games", UINT64_C(0xECFA81749819B4D9)},
    {"rise scaled", UINT64_C(0x85AA21428F210228)},
    {"full scaled gru gate", UINT64_C(0x4E29ACDEFF5CBD8B)},
    {"rise scaled sum mingru iqn games", UINT64_C(0x5F91C2411BB39C67)},
    {"rise units spectral shrink conv", UINT64_C(0x2AA5A04557955588)},
    {"none iqn noisy munchausen units spectral shrink soft masks", UINT64_C(0xFC2AD90361D421BB)},
    {"none impala iqn noisy spectral games", UINT64_C(0x05E014C785D02006)},
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
            /* the slowest by far */
            if (kernels == NULL || (isa == RISE_ISA_REF && i % check_share != 0)) continue;
            check_about("%s on %s", golden[i].words, kernels->name);
            hash = learned_on(golden[i].words, (rise_isa)isa);
            if (print && isa == RISE_ISA_REF)
                printf("    {\"%s\", UINT64_C(0x%016llX)},\n", golden[i].words,
                       (unsigned long long)hash);
            if (kernels->fused)
                CHECK(print || hash == golden[i].hash);
            else if (i == 0 && !print)
                printf("%s is not fused on this machine: its numbers are its own (%s)\n",
                       kernels->name, hash == golden[i].hash ? "yet equal" : "they differ");
        }
}

/* ---------------------------------------------------------------------------------------------- */
/* A resumed run is an uninterrupted run */

enum { WHOLE = 110 };

static void resumes(const char *words)
{
    /* before and after learning starts, and a full ring */
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
        again.agent = loaded(&files[i], &w.agent->desc); /* for its embed_fn */
        for (step = moments[i]; step < WHOLE; step++) {
            uint64_t const one = world_run(&again, 1);
            did = hash_bytes(did, &one, sizeof one);
        }
        rise_agent_metrics(again.agent, &n);
        CHECK(did == actions[i]);
        CHECK(memcmp(&m, &n, sizeof m) == 0);
        CHECK(same_reals(rise_agent_parameters(w.agent), rise_agent_parameters(again.agent),
                         m.parameters));
        CHECK(state_of(again.agent) == state);
        rise_agent_destroy(again.agent);
        free(files[i].data);
    }
    rise_agent_destroy(w.agent);
}
/* Without the replay buffer: what was learned goes on, from a new episode and an empty buffer. */
static void resumes_learning(const char *words)
{
    world w = world_begin(words, 70);
    rise_agent *const a = w.agent, *b;
    buffer file = saved(a, RISE_SAVE_AGENT);
    /* the latter with directions of spectral norms */
    size_t const n = a->model.net.parameters, block = a->model.net.block;
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
    CHECK(memcmp(&a->actor.explore, &b->actor.explore, sizeof a->actor.explore) == 0 &&
          memcmp(&a->learner.sample, &b->learner.sample, sizeof a->learner.sample) == 0 &&
          a->actor.steps == b->actor.steps && a->actor.episodes == b->actor.episodes &&
          a->model.updates == b->model.updates && a->learner.owed == b->learner.owed &&
          a->learner.snapshots == b->learner.snapshots &&
          a->learner.refreshed == b->learner.refreshed &&
          memcmp(&a->learner.metrics, &b->learner.metrics, sizeof a->learner.metrics) == 0);
    rise_agent_metrics(b, &m);
    CHECK(m.replay_size == 0 && m.replay_ready == 0);
    w.agent = b;
    for (w.events[0] = RISE_MIDDLE; w.events[0] <= RISE_TRUNCATED;
         w.events[0] = (rise_event)((int)w.events[0] + 1))
        CHECK(world_act(&w) == RISE_BAD_CALL); /* no episode is in progress */
    memset(w.games, 0, sizeof w.games);
    updates = m.updates;
    world_run(&w, 20 / a->desc.environments);
    rise_agent_metrics(b, &m);
    CHECK(m.updates == updates); /* not before the buffer holds learn_start frames again */
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
    memset(w.games, 0, sizeof w.games); /* they begin anew, and are left to players */
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
/* Players leave no trace in what is learned. */
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
            /* out of turn */
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

/* One allocation of what rise_agent_bytes says, and none after it. */
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
/* In a dirty block at any address, and not a byte beside it. */
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
    CHECK(toy_memory.calls == calls + 1); /* the one that came first */
    free(room);
}
static void minds_its_size(void)
{
    rise_agent_desc d = described("rise");
    rise_agent *a;
    rise_error error;
    rise_metrics m;
    size_t less, more, full;
    double frame;
    check_about("sizes");
    toy_memory.refuse = 1; /* no memory to be had */
    CHECK(rise_agent_create(&a, &d, &error) == RISE_NO_MEMORY && a == NULL &&
          error.text[0] != '\0');
    CHECK(rise_agent_create(&a, &d, NULL) == RISE_NO_MEMORY && a == NULL);
    toy_memory.refuse = 0;
    d.memory_bytes = rise_agent_bytes(&d, NULL); /* the most it may take */
    rise_agent_destroy(created(&d));
    d.memory_bytes--;
    CHECK(rise_agent_create(&a, &d, &error) == RISE_NO_MEMORY && a == NULL &&
          strstr(error.text, "memory_bytes") != NULL);
    CHECK(toy_memory.held == 0);

    /* Atari's: a frame costs its pixels and its embedding, and hardly more */
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 84, d.actions = 6;
    d.replay_capacity = 100000;
    less = rise_agent_bytes(&d, NULL);
    d.replay_capacity = 400000;
    more = rise_agent_bytes(&d, NULL);
    frame = (double)(more - less) / 300000;
    CHECK(frame >= 84 * 84 + 2 * 512 && frame < 1.03 * (84 * 84 + 2 * 512));
    d.embedding_f32 = 1;
    CHECK_NEAR((double)(rise_agent_bytes(&d, NULL) - more), 400000.0 * 1024, 0.001);
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

    d = described("rise");
    a = created(&d);
    rise_agent_metrics(a, &m);
    CHECK(m.bytes_per_step >= PIXELS + 2 * 9 && m.bytes_per_step < PIXELS + 2 * 9 + 64);
    rise_agent_destroy(a);
}

/* ---------------------------------------------------------------------------------------------- */
/* Descriptions */

#define FIELD(field) #field, offsetof(rise_agent_desc, field)
#define CONV(field)                                                                                \
    "conv[1]." #field,                                                                             \
        offsetof(rise_agent_desc, conv) + sizeof(rise_conv) + offsetof(rise_conv, field)
/* Limits as the API states them. `least` and `most` are good, `below` and most + 1 are not; 0 may be the default between. */
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
    {FIELD(memory), -1, 0, 2},
    {FIELD(window), -1, 1, 1024},
    {FIELD(cell), -1, 0, 3},
    {FIELD(recurrent_units), -1, 1, 4096},
    {FIELD(fusion), -1, 0, 2},
    {FIELD(carry_state), -1, 0, 1},
    {FIELD(feed_action), -1, 0, 1},
    {FIELD(embedding), -1, 0, 8},
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
    {FIELD(head), -1, 0, 2},
    {FIELD(atoms), 1, 2, 256},
    {FIELD(quantiles), -1, 1, 256},
    {FIELD(munchausen), -1, 0, 1},
    {FIELD(value_rescale), -1, 0, 1},
};
static const struct {
    const char *name;
    size_t at;
    double good[3], bad[3]; /* besides 0, which is good, and what is not finite, which is bad */
} real_limits[] = {
    {FIELD(discount), {1e-6, 0.5, 1}, {-1e-9, 1.0000001, -1}},
    {FIELD(learning_rate), {1e-12, 0.1, 1}, {-1e-9, 1.1, -1}},
    {FIELD(adam_epsilon), {1e-12, 0.1, 1}, {-1e-9, 1.1, -1}},
    {FIELD(gradient_clip), {-1, 1e-3, 1e12}, {1e13, -1e300, 1e300}},
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
/* One whose every field may go to its limits. */
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
/* Is it refused, in a sentence about `name`? And does nothing come of it? */
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
    /* once is enough */
    CHECK(rise_agent_resolve(&twice, NULL) == RISE_OK && memcmp(&copy, &twice, sizeof copy) == 0);
}
static void keeps_limits(void)
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
static void keeps_fields_together(void)
{
    rise_agent_desc d = roomy();
    check_about("fields together");
    d.embedding = RISE_EMBED_USER, d.embed_fn = NULL;
    refused_for("embed_fn", &d);
    d.memory = RISE_MEMORY_NONE; /* which embeds nothing */
    accepted(&d);

    d = roomy();
    /* 15 frames before a transition, itself, 3 after it, and one to write */
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
    d.play_only = 1; /* which has neither */
    accepted(&d);

    d = roomy();
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
    d.frame_width = d.frame_height = 1024, d.conv_count = 1, d.conv[0].filters = 5;
    refused_for("conv", &d);
    d.conv[0].filters = 4;
    accepted(&d);

    d = roomy(); /* 64 x 64 pixels are left, once the pool is gone */
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

    d = roomy();
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
    /* neither minds the others, nor no units */
    d.value_rescale = 0, d.noisy = d.spectral_norm = 1, d.target_rate = 0.01;
    accepted(&d);
    d.value_min = 3, d.value_max = 3;
    refused_for("value_min", &d);

    d = roomy();
    d.batch = 4096, d.frame_width = d.frame_height = 512, d.conv_count = 1; /* 2^31 numbers */
    refused_for("batch", &d);
    d.batch = 1024;
    accepted(&d);
    d.memory = RISE_MEMORY_FULL;
    refused_for("batch", &d);
}
/* As published: filters 16, 32, 32 times the width, and after each conv a pool of 3 with stride 2 and two units. */
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
static void fills_in_defaults(void)
{
    static const int sides[] = {1, 2, 3, 5, 8, 20, 32, 33, 84, 300};
    rise_agent_desc d;
    rise_agent *a;
    rise_error error;
    int width, height, kind, isa;
    for (width = 0; width < COUNT(sides); width++)
        for (height = 0; height < COUNT(sides); height++)
            for (kind = 0; kind <= RISE_EMBED_USER; kind++) {
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
          d.recurrent_units == 64);
    CHECK(d.head == RISE_HEAD_MEAN && d.atoms == 51 && d.quantiles == 8 && !d.noisy &&
          !d.munchausen && !d.value_rescale);
    CHECK(d.value_min == -10 && d.value_max == 10 && d.target_rate == 1 &&
          d.munchausen_scale == 0.9 && d.temperature == 0.03);
    CHECK(d.network_width == 2 && d.pool_to == -1 && !d.spectral_norm && d.conv[0].residual == 0);
    CHECK(d.embedding == RISE_EMBED_DOWNSAMPLE && d.embedding_size == 64 && d.context_scale == 0.5);
    d.memory = RISE_MEMORY_FULL, d.context_scale = 0;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.context_scale == 1);
    d.memory = RISE_MEMORY_RISE;
    /* too few for a thumbnail */
    d.embedding = RISE_EMBED_AUTO, d.embedding_size = 3, d.frame_channels = 4;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.embedding == RISE_EMBED_SIGNS &&
          d.embedding_size == 3);
    /* too wide for one */
    d.embedding = RISE_EMBED_AUTO, d.embedding_size = 0, d.context_scale = 0, d.frame_width = 33;
    CHECK(rise_agent_resolve(&d, NULL) == RISE_OK && d.embedding == RISE_EMBED_SIGNS &&
          d.embedding_size == 64);
    CHECK(d.context_scale == 0.05);
    knows_impala();
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
/* Calls that are wrong */

/* The result, a sentence with `word` in it, and not a bit of the agent changed. */
static void refused(const rise_agent *a, uint64_t before, int got, rise_result result,
                    const char *word)
{
    const rise_error *error = rise_agent_error(a);
    CHECK(got == (int)result && error->result == result);
    if (!CHECK(strstr(error->text, word) != NULL))
        printf("    \"%s\" does not say %s\n", error->text, word);
    CHECK(state_of(a) == before);
}
/* Steps world `w` with something wrong in one of its games. */
static int step_wrong(world w, int game, int event, float reward)
{
    w.rewards[game] = reward;
    memcpy(&w.events[game], &event, sizeof event);
    return (int)world_act(&w);
}
static void refuses_steps(const char *words)
{
    static const float odd[] = {(float)HUGE_VAL, -(float)HUGE_VAL, (float)NAN};
    world w = world_begin(words, 0), clean = world_begin(words, 0);
    rise_agent *const a = w.agent;
    /* the games before it are in order, and may not move either */
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
        for (i = 0; i < COUNT(odd) && !between; i++)
            refused(a, before, step_wrong(w, last, 1 + i, odd[i]), RISE_NOT_FINITE, "reward");
        refused(a, before, step_wrong(w, last, -1, 0), RISE_BAD_CALL, "event");
        refused(a, before, step_wrong(w, last, 4, 0), RISE_BAD_CALL, "event");
        refused(a, before,
                (int)rise_agent_step_all(a, NULL, w.rewards, w.events, w.allowed, w.actions),
                RISE_BAD_CALL, "frames");
        refused(a, before,
                (int)rise_agent_step_all(a, w.frames, NULL, w.events, w.allowed, w.actions),
                RISE_BAD_CALL, "rewards");
        refused(a, before,
                (int)rise_agent_step_all(a, w.frames, w.rewards, NULL, w.allowed, w.actions),
                RISE_BAD_CALL, "events");
        refused(a, before,
                (int)rise_agent_step_all(a, w.frames, w.rewards, w.events, w.allowed, NULL),
                RISE_BAD_CALL, "actions");
        if (a->desc.action_masks) {
            refused(a, before,
                    (int)rise_agent_step_all(a, w.frames, w.rewards, w.events, NULL, w.actions),
                    RISE_BAD_CALL, "allowed");
            memcpy(allowed, w.allowed, sizeof allowed);
            memset(allowed + last * ACTIONS, 0, ACTIONS);
            if (!risei_is_last((int)w.events[last]))
                refused(a, before,
                        (int)rise_agent_step_all(a, w.frames, w.rewards, w.events, allowed,
                                                 w.actions),
                        RISE_BAD_CALL, "no action");
        } else
            refused(a, before,
                    (int)rise_agent_step_all(a, w.frames, w.rewards, w.events, w.allowed,
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
    for (i = 0; i < 2; i++) { /* before the first episode, and in the middle of it */
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
        /* the first reward is ignored */
        if (i == 0) CHECK(rise_agent_play(a, 0, frame, (float)NAN, RISE_FIRST, NULL) >= 0);
        refused(a, before, rise_agent_play(a, 0, frame, (float)NAN, RISE_MIDDLE, NULL),
                RISE_NOT_FINITE, "reward");
        refused(a, before, rise_agent_play(a, 0, frame, (float)HUGE_VAL, RISE_TERMINATED, NULL),
                RISE_NOT_FINITE, "reward");
    }
    action = rise_agent_play(a, 0, frame, 1, RISE_MIDDLE, NULL);
    memcpy(q, rise_agent_values(a, 0), sizeof q);
    /* the same, without the refusals between */
    CHECK(rise_agent_play(a, 1, frame, 0, RISE_FIRST, NULL) >= 0);
    CHECK(rise_agent_play(a, 1, frame, 1, RISE_MIDDLE, NULL) == action);
    CHECK(same_reals(q, rise_agent_values(a, 1), ACTIONS));
    /* nothing can be done on it, and nothing is asked */
    CHECK(rise_agent_play(a, 1, frame, 1, RISE_TERMINATED, none) == 0);
    rise_agent_destroy(a);
}
/* An episode may begin before the last one ended: that is a truncation at the frame before. */
static void begins_early(void)
{
    rise_agent_desc const d = described("rise outside greedy");
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
        /* to a last frame, either answers as it likes */
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

/* A weight that is not finite is met in the update, and the update leaves everything else as it is. */
static void refuses_weights(const char *words)
{
    static const float odd[] = {(float)NAN, (float)HUGE_VAL, -(float)HUGE_VAL};
    world w = world_begin(words, 60);
    rise_agent *const a = w.agent;
    size_t const n = a->model.net.parameters;
    rise_real *const weights = rise_agent_parameters(a);
    risei_random const sample = a->learner.sample;
    int j, tried = 0, unnoticed = 0;
    size_t i;
    for (i = 0; i < n; i += n / 41 + 1)
        for (j = 0; j < COUNT(odd); j++) {
            rise_real const was = weights[i];
            uint64_t const before = state_of(a);
            rise_result result;
            check_about("%s, weight %d is %g", words, (int)i, (double)odd[j]);
            weights[i] = odd[j];
            result = rise_agent_learn(a);
            unnoticed += result != RISE_NOT_FINITE, tried++;
            weights[i] = was;
            if (result == RISE_OK) { /* it learned from nonsense: begin again */
                rise_agent_destroy(a);
                printf("%s: weight %d is %g, and nobody noticed\n", words, (int)i, (double)odd[j]);
                CHECK(0);
                return;
            }
            CHECK(rise_agent_error(a)->result == RISE_NOT_FINITE &&
                  rise_agent_error(a)->text[0] != '\0');
            a->learner.sample = sample; /* all that may move: the same batch is not drawn again */
            CHECK(state_of(a) == before);
        }
    CHECK(unnoticed == 0 && tried > 100);
    CHECK(rise_agent_learn(a) == RISE_OK); /* and goes on */
    rise_agent_destroy(a);
}
/* Rewards that are finite, yet not their sum. */
static void refuses_losses(void)
{
    rise_agent_desc d = described("rise outside greedy");
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
    sample = a->learner.sample;
    CHECK(rise_agent_learn(a) == RISE_NOT_FINITE &&
          strstr(rise_agent_error(a)->text, "finite") != NULL);
    CHECK(a->learner.sample.state != sample.state); /* another batch may be better */
    a->learner.sample = sample;
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
static void embeds_as_it_says(void)
{
    rise_agent_desc d;
    rise_agent *a;
    toy t = {3, 0, 0};
    uint8_t frame[PIXELS], twice[PIXELS];
    float raw[40], other[40];
    int i, j, pool, kind;
    /* +-1 signs times sums of squares, which the edges may cut */
    for (pool = 1; pool <= 3; pool++) {
        int const columns = (WIDTH + pool - 1) / pool;
        int const inputs = columns * ((HEIGHT + pool - 1) / pool);
        check_about("signs over squares of %d", pool);
        d = described("rise wide");
        d.embedding_pool = pool;
        a = created(&d);
        fill(frame, &t);
        risei_embedder_embed(&a->model.device, &a->model.embedder, frame, raw);
        for (j = 0; j < d.embedding_size; j++) {
            int sum = 0;
            for (i = 0; i < PIXELS; i++) {
                int const square = i / WIDTH / pool * columns + i % WIDTH / pool;
                sum += rise_sign(a->model.embedder.encoder.seed,
                                 rise_sign_bits(inputs, d.embedding_size), square, j) *
                       frame[i];
            }
            CHECK_NEAR(raw[j], sum / (255.0 * pool * pool) / sqrt((double)inputs), 1e-6);
        }
        rise_agent_destroy(a);
    }
    /* linear, each entry of variance 1 */
    for (kind = RISE_EMBED_SIGNS; kind <= RISE_EMBED_SPARSE; kind++) {
        double sum = 0, squares = 0;
        check_about("projection %d", kind);
        d = described("rise wide");
        d.embedding = (rise_embedding)kind;
        a = created(&d);
        for (i = 0; i < PIXELS; i++)
            frame[i] = (uint8_t)(toy_draw(&t) & 127u), twice[i] = (uint8_t)(2 * frame[i]);
        risei_embedder_embed(&a->model.device, &a->model.embedder, frame, raw);
        risei_embedder_embed(&a->model.device, &a->model.embedder, twice, other);
        for (j = 0; j < d.embedding_size; j++)
            CHECK(check_near((double)other[j], 2 * (double)raw[j], 1e-5) ||
                  fabs((double)raw[j]) < 1e-6);
        for (i = 0; i < PIXELS; i++) {
            memset(frame, 0, sizeof frame);
            frame[i] = 255;
            risei_embedder_embed(&a->model.device, &a->model.embedder, frame, raw);
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
    check_about("downsample");
    d = described("rise downsample");
    d.embedding_size = 25; /* 5 x 5 would fit: every pixel is seen */
    a = created(&d);
    fill(frame, &t);
    risei_embedder_embed(&a->model.device, &a->model.embedder, frame, raw);
    CHECK(a->desc.embedding_size == PIXELS);
    for (i = 0; i < PIXELS; i++) CHECK_NEAR(raw[i], frame[i] / 255.0, 1e-6);
    rise_agent_destroy(a);
    check_about("user");
    d = described("rise user f32");
    a = created(&d);
    toy_embed(NULL, frame, other, 9);
    CHECK(rise_agent_step(a, frame, 0, RISE_FIRST) >= 0);
    CHECK(same_reals(a->replay.history.full, other, 9));
    rise_agent_destroy(a);
}
/* Once learning starts, what was seen until then has mean 0 and variance 1, wherever it varies. */
static void standardises(int kind)
{
    rise_agent_desc d = described("rise outside f32 games");
    const risei_history *h;
    world w;
    int i, j, varying = 0;
    check_about("standardised embedding %d", kind);
    d.embedding = (rise_embedding)kind;
    w = world_of(created(&d));
    world_run(&w, 55);
    CHECK(rise_agent_learn(w.agent) == RISE_OK);
    h = &w.agent->replay.history;
    CHECK(w.agent->model.embedder.seen == 55 * GAMES);
    for (j = 0; j < h->size; j++) {
        double mean = 0, variance = 0;
        for (i = 0; i < 55 * GAMES; i++) {
            double const x = (double)h->full[risei_slot(h, i % GAMES, i / GAMES) * h->size + j];
            mean += x / (55 * GAMES), variance += x * x / (55 * GAMES);
        }
        CHECK(fabs(mean) < 1e-4);
        /* the least bit less: 1e-6 is added before the root */
        CHECK(variance < 1e-9 || fabs(variance - 1) < 0.01);
        varying += variance > 0.5;
    }
    CHECK(varying > h->size / 2);
    rise_agent_destroy(w.agent);
}
static void spoiled_embed(void *user, const uint8_t *frame, float *embedding, int size)
{
    toy_embed(NULL, frame, embedding, size);
    if (frame[0] == 255) embedding[8] = *(const float *)user;
}
static void refuses_embeddings(void)
{
    static const float odd[] = {(float)NAN, (float)HUGE_VAL, -(float)HUGE_VAL};
    rise_agent_desc d = described("rise user");
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
    for (i = 0; i < COUNT(odd); i++) {
        spoil = odd[i];
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
/* Learning, counted and timed */

/* Each look at this clock is 3 ms after the last: so long does an update take. */
static double fake_clock(void *user) { return *(double *)user += 0.003; }

static void keeps_its_budget(void)
{
    static const double budgets[] = {100, 1000, 2999, 3000, 10000, 100000};
    double now = 1e6;
    rise_agent_desc d = described("rise outside");
    rise_metrics m;
    world w;
    int i, j, most;
    d.clock_fn = fake_clock, d.clock_user = &now;
    d.learn_period = 1;
    for (i = 0; i < COUNT(budgets); i += SOME) {
        double const share = budgets[i] / 3000;
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
            CHECK(updates >= 0 && updates <= share + 2);
            done += updates;
        }
        CHECK(fabs(done - calls * share) <= 2 + share);
        rise_agent_metrics(w.agent, &m);
        CHECK(m.updates == done && m.updates_owed == m.steps - d.learn_start - done);
        CHECK(rise_agent_learn_for(w.agent, 1e9) == (int)m.updates_owed); /* no more than is owed */
        /* and time in which nothing was owed is lost */
        for (j = 0; j < 50; j++) CHECK(rise_agent_learn_for(w.agent, budgets[i]) == 0);
        world_run(&w, 200);
        CHECK(rise_agent_learn_for(w.agent, budgets[i]) <= share + 3);
        rise_agent_destroy(w.agent);
    }
    check_about("odd budgets");
    w = world_of(created(&d));
    world_run(&w, 200);
    CHECK(rise_agent_learn_for(w.agent, 3000) >= 0); /* now the cost is known */
    CHECK(rise_agent_learn_for(w.agent, (double)NAN) <= 0);
    CHECK(rise_agent_learn_for(w.agent, -1e9) <= 0);
    for (j = most = 0; j < 10; j++) most += rise_agent_learn_for(w.agent, 6000);
    CHECK(most > 5 && most < 25); /* neither has spoiled what comes after */
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
    for (i = 0; i < n; i++) { /* twice the rate, twice the way */
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
static void keeps_its_schedules(void)
{
    rise_agent_desc d = described("rise outside");
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
        CHECK_NEAR(risei_learning_rate(&w.agent->desc, w.agent->actor.steps),
                   steps <= 20   ? 0.01
                   : steps >= 50 ? 0.001
                                 : 0.01 - 0.009 * (steps - 20) / 30.0,
                   1e-12);
        world_run(&w, 1);
        steps += !risei_is_last((int)w.events[0]); /* a last frame is not acted upon */
    }
    CHECK(steps > 80);
    rise_agent_destroy(w.agent);
    d.epsilon_start = d.epsilon_end = 0.5;
    w = world_of(created(&d));
    for (i = steps = 0; i < 4000; i++) {
        world_run(&w, 1);
        if (risei_is_last((int)w.events[0])) continue;
        steps++, taken[w.actions[0]]++;
        other += w.actions[0] != risei_best_action(ACTIONS, w.agent->model.pass.heads.q, NULL);
    }
    /* half are random; a third of these is the best by chance: 5 sigma */
    CHECK(fabs((double)other / steps - 1.0 / 3) < 0.04);
    CHECK(taken[0] > steps / 12 && taken[1] > steps / 12 && taken[2] > steps / 12);
    rise_agent_destroy(w.agent);
    w = world_begin("rise greedy", 0);
    for (i = 0; i < 60; i++) {
        world_run(&w, 1);
        if (w.agent->model.updates == 0 && !risei_is_last((int)w.events[0]))
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
static void counts(void)
{
    rise_agent_desc d = described("none");
    rise_agent *a;
    rise_metrics m;
    uint8_t frame[PIXELS] = {0};
    double sum = 0;
    int episode, i;
    check_about("metrics");
    d.log_fn = log_line, d.log_user = &logged;
    a = created(&d);
    CHECK(logged >= 1);
    /* episode e ends after its second step and brings e */
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
    CHECK(m.replay_ready == 40); /* of 3 frames, the last is no transition */
    rise_agent_destroy(a);
}

/* ---------------------------------------------------------------------------------------------- */

int main(int argc, char **argv)
{
    static const char *const histories[] = {"rise",
                                            "rise gru gate f32 games",
                                            "rise sum feed",
                                            "rise carry long",
                                            "rise gru gate feed carry long f32 games",
                                            "rise wide norm sparse pool games",
                                            "none",
                                            "none plain games",
                                            "full",
                                            "full gru sum feed games",
                                            "full gate carry long",
                                            "full wide feed carry long games alone",
                                            "rise gru conv alone feed",
                                            "rise panels gate games",
                                            "full gru panels",
                                            "rise stored f32",
                                            "full stored shared f32 games feed",
                                            "rise gru stored shared overlap f32",
                                            "rise mingru stored burn f32",
                                            "rise mingru games",
                                            "full stored shared overlap burn f32",
                                            "none c51 units spectral shrink games",
                                            "rise c51 units deep conv",
                                            "full c51 units spectral gru",
                                            "none iqn games",
                                            "rise iqn units spectral feed",
                                            "full iqn wide"};
    static const char *const runs[] = {"rise",
                                       "rise gru gate f32 games feed",
                                       "rise carry feed masks",
                                       "none games",
                                       "none masks one",
                                       "full",
                                       "full gru carry games sum",
                                       "rise user single uniform",
                                       "rise mingru shared games",
                                       "rise stored f32 games",
                                       "full stored shared overlap burn feed",
                                       "rise c51 noisy gru carry",
                                       "full munchausen noisy plain",
                                       "none iqn noisy munchausen units spectral shrink soft games",
                                       "rise iqn rescale masks units spectral"};
    static const char *const masks[] = {"rise masks random", "rise masks greedy games",
                                        "none masks"};
    world w;
    int i;
    if (argc > 1 && strcmp(argv[1], "golden") == 0) {
        learns_the_same(1);
        return 0;
    }
    for (i = 0; i < COUNT(histories); i += SOME) acts_as_it_learns(histories[i]);
    learns_the_same(0);
    for (i = 0; i < COUNT(runs); i += SOME) {
        resumes(runs[i]);
        resumes_learning(runs[i]);
        plays_from_a_policy(runs[i]);
        plays_without_a_trace(runs[i]);
        allocates_once(runs[i]);
        lives_in_a_block(runs[i]);
        refuses_steps(runs[i]);
        refuses_plays(runs[i]);
        refuses_weights(runs[i]);
    }
    for (i = 0; i < COUNT(masks); i++) {
        check_about("%s", masks[i]);
        w = world_begin(masks[i], 300); /* checks each action */
        rise_agent_destroy(w.agent);
    }
    minds_its_size();
    keeps_limits();
    keeps_fields_together();
    fills_in_defaults();
    begins_early();
    refuses_losses();
    embeds_as_it_says();
    for (i = RISE_EMBED_SIGNS; i <= RISE_EMBED_USER; i++) standardises(i);
    refuses_embeddings();
    keeps_its_budget();
    copies_its_target("rise outside");
    copies_its_target("full outside");
    copies_its_target("none outside");
    copies_its_target("none iqn noisy units spectral outside");
    copies_its_target("rise c51 noisy outside");
    keeps_its_schedules();
    counts();
    CHECK(toy_memory.held == 0);
    return check_done();
}
