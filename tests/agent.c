/*  A whole agent: does it act as it learns, learn the same everywhere, resume as if nothing had happened, keep to its memory,
    and refuse what is wrong without a trace?
        cc -O2 tests/agent.c -o agent -lm && ./agent
    `./agent golden` prints the table of golden hashes anew. */
#include "toy.h"

/* ------------------------------------------------------------------------------------------------------------------ */
/* Acting and learning give the same numbers for the same history                                                     */

enum { HISTORY = 150 };

/* What acting said about each slot. */
static float said[GAMES][HISTORY][ACTIONS];

/* Walks over all transitions, a batch at a time, as learning does. Next states have longer windows in learning than in acting;
   they can be compared where both hold the whole episode so far. */
static void compare_with_learning(rise_agent *a, const int64_t *since)
{
    const rise_agent_desc *d = &a->desc;
    const risei_history *h = &a->replay.history;
    int const none = d->memory == RISE_MEMORY_NONE;
    int count = 0, compared = 0, r, i;
    ptrdiff_t slot;
    for (slot = 0; slot < (ptrdiff_t)h->lanes * h->capacity; slot++) {
        if (!(a->replay.tree[a->replay.leaves + slot] > 0)) continue;
        a->batch[count] = risei_replay_transition(&a->replay, slot);
        if (a->batch[count].at < since[a->batch[count].lane]) continue;
        if (++count < d->batch) continue;
        risei_gather_batch(a);
        risei_forward_batch(a, a->weights, 0, 2 * d->batch);
        for (r = 0; r < 2 * d->batch; r++) {
            const risei_transition *t = &a->batch[r % d->batch];
            int64_t const at = t->at + (r < d->batch ? 0 : t->steps);
            int const begun = h->index[risei_slot(h, t->lane, at)], next = r >= d->batch;
            if ((next || d->carry_state) && !none && begun >= d->window) continue;
            compared += next;
            CHECK(same_reals(said[t->lane][at], a->pass.q + r * ACTIONS, ACTIONS));
            for (i = 0; i < ACTIONS; i++) CHECK(risei_finite(a->pass.q[r * ACTIONS + i]));
        }
        count = 0;
    }
    CHECK(compared > 20);
}
/* Players see what the games show, one after another where the games act at once, and must say the same. */
static void acts_as_it_learns(const char *words)
{
    char all_words[160];
    rise_agent_desc d;
    world w;
    int64_t since[GAMES] = {0, 0, 0};
    int step, lane;
    snprintf(all_words, sizeof all_words, "%s outside masks greedy", words); /* masks: or it would always do the same */
    check_about("%s", all_words);
    d = described(all_words);
    d.players = d.environments;
    d.replay_capacity = HISTORY * d.environments;
    w = world_of(created(&d));
    for (step = 0; step < HISTORY; step++) {
        world_move(&w);
        CHECK(world_act(&w) == RISE_OK);
        memcpy(said[0][step], w.agent->pass.q, sizeof said[0][0]);
        for (lane = 0; lane < d.environments; lane++) memcpy(said[lane][step], w.agent->pass.q + lane * ACTIONS, sizeof said[0][0]);
        for (lane = 0; lane < d.environments; lane++) {
            int const action = rise_agent_play(w.agent, lane, w.frames + lane * PIXELS, w.rewards[lane], w.events[lane],
                                               risei_is_last((int)w.events[lane]) ? NULL : w.allowed + lane * ACTIONS);
            CHECK(action == w.actions[lane]);
            CHECK(same_reals(rise_agent_values(w.agent, lane), said[lane][step], ACTIONS));
        }
        if (step == HISTORY / 3) { /* what was said before holds no more, and what is carried is stale until an episode begins */
            CHECK(rise_agent_learn(w.agent) == RISE_OK);
            for (lane = 0; lane < d.environments; lane++) since[lane] = INT64_MAX;
        }
        for (lane = 0; lane < d.environments; lane++)
            if (since[lane] == INT64_MAX && w.events[lane] == RISE_FIRST && step > HISTORY / 3) since[lane] = step;
    }
    compare_with_learning(w.agent, since);
    rise_agent_destroy(w.agent);
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* The same numbers on every instruction set, and on every machine                                                    */

static const struct {
    const char *words;
    uint64_t hash; /* of the parameters after 30 updates */
} golden[] = {
    {"rise", 0},
    {"rise gru gate f32 games", 0},
    {"rise sum feed carry gaussian", 0},
    {"rise wide norm sparse pool uniform", 0},
    {"rise gru wide deep conv single", 0},
    {"rise plain downsample masks one", 0},
    {"rise user alone", 0},
    {"none wide", 0},
    {"none plain deep games", 0},
    {"full wide", 0},
    {"full gru sum feed carry alone", 0},
    {"full gate norm pool games", 0},
};

static uint64_t learned(const char *words, rise_isa isa)
{
    rise_agent_desc d = described(words);
    rise_metrics m;
    world w;
    uint64_t hash;
    d.isa = isa;
    w = world_of(created(&d));
    do {
        world_run(&w, 1);
        rise_agent_metrics(w.agent, &m);
    } while (m.updates < 30);
    CHECK(m.loss > 0 && m.gradient_norm > 0 && m.td_error > 0);
    hash = hash_reals(HASH_START, rise_agent_parameters(w.agent), m.parameters);
    rise_agent_destroy(w.agent);
    return hash;
}
static void learns_the_same(int print)
{
    int i, isa;
    for (i = 0; i < COUNT(golden); i++)
        for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
            const rise_kernels *const kernels = rise_kernels_of((rise_isa)isa);
            uint64_t hash;
            if (kernels == NULL) continue;
            check_about("%s on %s", golden[i].words, kernels->name);
            hash = learned(golden[i].words, (rise_isa)isa);
            if (print && isa == RISE_ISA_REF) printf("    {\"%s\", UINT64_C(0x%016llX)},\n", golden[i].words, (unsigned long long)hash);
            if (kernels->fused)
                CHECK(print || hash == golden[i].hash);
            else if (i == 0 && !print)
                printf("%s is not fused on this machine: its numbers are its own (%s)\n", kernels->name, hash == golden[i].hash ? "yet equal" : "they differ");
        }
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* A resumed run is an uninterrupted run                                                                              */

enum { WHOLE = 110 };

static void resumes(const char *words)
{
    static int const moments[] = {0, 1, 19, 20, 22, 37, 64, 65, 66, 100}; /* before and after learning starts, and a full ring */
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
        CHECK(same_reals(rise_agent_parameters(w.agent), rise_agent_parameters(again.agent), m.parameters));
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
    size_t const n = a->net.parameters;
    rise_metrics m;
    int64_t updates;
    check_about("%s, resumed without its replay buffer", words);
    b = loaded(&file, &a->desc);
    CHECK(same_reals(a->weights, b->weights, n) && same_reals(a->target, b->target, n));
    CHECK(same_reals(a->optimizer.m, b->optimizer.m, n) && same_reals(a->optimizer.v, b->optimizer.v, n));
    CHECK(a->optimizer.power1 == b->optimizer.power1 && a->optimizer.power2 == b->optimizer.power2);
    CHECK(memcmp(&a->counters, &b->counters, sizeof a->counters) == 0);
    rise_agent_metrics(b, &m);
    CHECK(m.replay_size == 0 && m.replay_ready == 0);
    w.agent = b;
    for (w.events[0] = RISE_MIDDLE; w.events[0] <= RISE_TRUNCATED; w.events[0] = (rise_event)((int)w.events[0] + 1))
        CHECK(world_act(&w) == RISE_BAD_CALL); /* no episode is in progress */
    memset(w.games, 0, sizeof w.games);
    updates = m.updates;
    world_run(&w, 100);
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
            int const action = rise_agent_play(w.agent, player, frame, w.rewards[player], w.events[player], NULL);
            CHECK(rise_agent_play(small, player, frame, w.rewards[player], w.events[player], NULL) == action);
            CHECK(same_reals(rise_agent_values(w.agent, player), rise_agent_values(small, player), ACTIONS));
            w.actions[player] = action;
        }
    }
    CHECK(rise_agent_learn(small) == RISE_BAD_CALL && rise_agent_error(small)->text[0] != '\0');
    CHECK(rise_agent_step(small, w.frames, 0, RISE_FIRST) < 0 && rise_agent_learn_for(small, 1e6) == 0);
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
            rise_event const event = toy_next(&other, action < 0 ? 0 : action, frame, allowed, &reward);
            action = rise_agent_play(busy.agent, player, frame, reward, event, NULL);
            if (action < 0) CHECK(rise_agent_play(busy.agent, player, frame, reward, RISE_FIRST, NULL) >= 0); /* out of turn */
        }
        CHECK(world_run(&quiet, 1) == world_run(&busy, 1));
    }
    CHECK(state_of(quiet.agent) == state_of(busy.agent));
    rise_agent_destroy(quiet.agent);
    rise_agent_destroy(busy.agent);
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Memory                                                                                                             */

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
    CHECK(m.bytes == toy_memory.newest && m.updates > 20);
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
    for (at = 0; at < 66; at += at < 9 || at > 62 ? 1 : 27) {
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
    CHECK(rise_agent_create(&refused, &d, &error) == RISE_BAD_DESC && strstr(error.text, "memory_bytes") != NULL);
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
    CHECK(rise_agent_create(&a, &d, &error) == RISE_NO_MEMORY && a == NULL && error.text[0] != '\0');
    CHECK(rise_agent_create(&a, &d, NULL) == RISE_NO_MEMORY && a == NULL);
    toy_memory.refuse = 0;
    d.memory_bytes = rise_agent_bytes(&d, NULL); /* the most it may take */
    rise_agent_destroy(created(&d));
    d.memory_bytes--;
    CHECK(rise_agent_create(&a, &d, &error) == RISE_NO_MEMORY && a == NULL && strstr(error.text, "memory_bytes") != NULL);
    CHECK(toy_memory.held == 0);

    memset(&d, 0, sizeof d); /* Atari's: a frame costs its pixels and its embedding, and hardly more */
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
        CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_NO_MEMORY && error.text[0] != '\0');
    d.actions = 0;
    CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_BAD_DESC);

    d = described("rise");
    a = created(&d);
    rise_agent_metrics(a, &m);
    CHECK(m.bytes_per_step >= PIXELS + 2 * 9 && m.bytes_per_step < PIXELS + 2 * 9 + 64);
    rise_agent_destroy(a);
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Descriptions                                                                                                       */

#define FIELD(field) #field, offsetof(rise_agent_desc, field)
#define CONV(field) "conv[1]." #field, offsetof(rise_agent_desc, conv) + sizeof(rise_conv) + offsetof(rise_conv, field)
/* Limits as the API states them. `least` and `most` are good, and what lies next to them is not: see `below`. */
static const struct {
    const char *name;
    size_t at;
    int below, least, most;
} limits[] = {
    {FIELD(frame_width), 0, 8, 1024},       {FIELD(frame_height), 0, 8, 1024},       {FIELD(frame_channels), -1, 1, 16},
    {FIELD(frame_stack), -1, 1, 16},        {FIELD(actions), 0, 1, 256},             {FIELD(action_masks), -1, 0, 1},
    {FIELD(environments), -1, 1, 4096},     {FIELD(players), -1, 1, 4096},           {FIELD(play_only), -1, 0, 1},
    {FIELD(memory), -1, 0, 2},              {FIELD(window), -1, 1, 1024},            {FIELD(cell), -1, 0, 1},
    {FIELD(recurrent_units), -1, 1, 4096},  {FIELD(fusion), -1, 0, 2},               {FIELD(carry_state), -1, 0, 1},
    {FIELD(feed_action), -1, 0, 1},         {FIELD(embedding), -1, 0, 5},            {FIELD(embedding_size), -1, 1, 8192},
    {FIELD(embedding_pool), -1, 1, 64},     {FIELD(embedding_f32), -1, 0, 1},        {FIELD(network), -1, 0, 3},
    {FIELD(conv_count), 0, 1, 8},           {FIELD(features), -2, -1, 8192},         {FIELD(head_units), -1, 1, 8192},
    {FIELD(no_dueling), -1, 0, 1},          {FIELD(layer_norm), -1, 0, 1},           {FIELD(batch), -1, 1, 4096},
    {FIELD(n_step), -1, 1, 64},             {FIELD(no_double), -1, 0, 1},            {FIELD(target_period), -1, 1, 1000000000},
    {FIELD(replay_capacity), -1, 40, 1000000000}, {FIELD(learn_start), -1, 4, 1000000000}, {FIELD(learn_period), -1, 1, 1000000},
    {FIELD(learn_outside), -1, 0, 1},       {FIELD(epsilon_steps), -1, 1, 1000000000},
    {CONV(filters), 0, 1, 1024},            {CONV(size), 0, 1, 64},                  {CONV(stride), -1, 1, 64},
    {CONV(pad), -1, 0, 32},                 {CONV(pool), -1, 0, 64},                 {CONV(pool_stride), -1, 0, 64},
    {CONV(pool_pad), -1, 0, 63},
};
static const struct {
    const char *name;
    size_t at;
    double good[3], bad[3]; /* besides 0, which is good, and what is not finite, which is bad */
} real_limits[] = {
    {FIELD(discount), {1e-6, 0.5, 1}, {-1e-9, 1.0000001, -1}},  {FIELD(learning_rate), {1e-12, 0.1, 1}, {-1e-9, 1.1, -1}},
    {FIELD(adam_epsilon), {1e-12, 0.1, 1}, {-1e-9, 1.1, -1}},   {FIELD(gradient_clip), {-1, 1e-3, 1e12}, {1e13, -1e300, 1e300}},
    {FIELD(priority_exponent), {-1, 0.1, 1}, {1.1, 2, 1e9}},    {FIELD(importance_exponent), {-1, 0.1, 1}, {1.1, 2, 1e9}},
    {FIELD(epsilon_start), {-1, 0.1, 1}, {1.1, 2, 1e9}},        {FIELD(epsilon_end), {-1, 0.1, 1}, {1.1, 2, 1e9}},
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
    if (!CHECK(strstr(error.text, name) != NULL)) printf("    \"%s\" does not name %s\n", error.text, name);
    CHECK(rise_agent_create(&agent, d, NULL) == RISE_BAD_DESC && agent == NULL);
    CHECK(rise_agent_bytes(d, &error) == 0);
}
static void accepted(const rise_agent_desc *d)
{
    rise_agent_desc copy = *d, twice;
    rise_error error = {RISE_OK, ""};
    if (!CHECK(rise_agent_resolve(&copy, &error) == RISE_OK)) printf("    \"%s\"\n", error.text);
    twice = copy;
    CHECK(rise_agent_resolve(&twice, NULL) == RISE_OK && memcmp(&copy, &twice, sizeof copy) == 0); /* once is enough */
}
static void set_int(rise_agent_desc *d, size_t at, int value) { memcpy((char *)d + at, &value, sizeof value); }
static void set_real(rise_agent_desc *d, size_t at, double value) { memcpy((char *)d + at, &value, sizeof value); }

static void describes(void)
{
    static const char *const fine[] = {"rise", "rise wide downsample", "none", "full gru feed", "rise conv pool", "rise masks games deep user"};
    static const double odd[] = {HUGE_VAL, -HUGE_VAL};
    rise_agent_desc d, e;
    rise_agent *a;
    rise_error error;
    int i, j, isa;
    for (i = 0; i < COUNT(limits); i++) {
        int const values[6] = {limits[i].below, limits[i].most + 1, INT_MAX, INT_MIN, limits[i].least, limits[i].most};
        for (j = 0; j < 6; j++) {
            check_about("%s = %d", limits[i].name, values[j]);
            d = roomy();
            set_int(&d, limits[i].at, values[j]);
            if (d.pad_test_dummy) continue;
            if (j < 4)
                refused_for(limits[i].name, &d);
            else
                accepted(&d);
        }
    }
    for (i = 0; i < COUNT(real_limits); i++)
        for (j = 0; j < 10; j++) {
            double const value = j < 3 ? real_limits[i].good[j] : j == 3 ? 0 : j < 7 ? real_limits[i].bad[j - 4] : j < 9 ? odd[j - 7] : (double)NAN;
            check_about("%s = %g", real_limits[i].name, value);
            d = roomy();
            set_real(&d, real_limits[i].at, value);
            if (j > 3)
                refused_for(real_limits[i].name, &d);
            else
                accepted(&d);
        }
}
