/* Tests environments and players that are absent, players that play in one pass, worse players, and
   what is published to a play_only agent. */
#define RISE_THREADS
#include "toy.h"

static const char *const kinds[] = {
    "memory=rise environments=3",
    "memory=none environments=3",
    "memory=full wide environments=3",
    "memory=rise cell=gru embedding=user carry_state=1 feed_action=1 action_masks=1 environments=3",
    "memory=rise stored window_samples=3 environments=3",
    "memory=none head=iqn noisy=1 action_masks=1 environments=3",
    "memory=rise head=c51 embedding=snapshot snapshot_steps=30 environments=3",
    "memory=rise impala spectral_norm=1 layer_norm=1 environments=3",
};

/* ---------------------------------------------------------------------------------------------- */
/* Absent environments */

/* Runs `steps` steps in which each game is absent at random. Checks that an absent game gets action
   0 and that nothing is written to its lane. */
static void run_with_absent(world *w, int steps)
{
    const risei_history *const h = &w->agent->replay.history;
    uint32_t dice = 1;
    while (steps-- > 0) {
        world const before = *w;
        int64_t written[GAMES];
        int64_t const counted = w->agent->actor.steps;
        int i, present = 0;
        world_move(w);
        for (i = 0; i < GAMES; i++) {
            written[i] = h->written[i];
            dice = dice * 1664525u + 1013904223u;
            if (dice >> 30 == 0) { /* the game stands still and sends rubbish */
                w->games[i] = before.games[i];
                w->events[i] = RISE_ABSENT;
                w->rewards[i] = NAN;
                memset(w->allowed + i * ACTIONS, 0, ACTIONS);
                memset(w->frames + i * PIXELS, 0xEE, PIXELS);
            }
        }
        CHECK(world_act(w) == RISE_OK);
        for (i = 0; i < GAMES; i++) {
            int const absent = w->events[i] == RISE_ABSENT;
            CHECK(h->written[i] == written[i] + !absent);
            CHECK(!absent || w->actions[i] == 0);
            present += !absent && !risei_event_is_last((int)w->events[i]);
            if (absent) w->actions[i] = before.actions[i]; /* the game repeats this one */
        }
        CHECK(w->agent->actor.steps == counted + present);
    }
}
static void absent_environments_take_no_part(void)
{
    int k;
    for (k = 0; k < COUNT(kinds); k++) {
        rise_agent_desc const d = described(kinds[k]);
        world w = world_of(created(&d));
        rise_metrics m;
        check_about("%s", kinds[k]);
        run_with_absent(&w, 200);
        rise_agent_metrics(w.agent, &m);
        CHECK(m.updates > 20 && risei_agent_wrong(w.agent) == NULL);
        rise_agent_destroy(w.agent);
    }
}
/* A frozen encoder that is measured at the end of the warm-up gets all of its RISEI_SAMPLE_FRAMES
   frames, whichever game is the only one present. */
static void absent_games_leave_the_statistics_right(void)
{
    int game, step, i;
    for (game = 0; game < GAMES; game++) {
        rise_agent_desc d = described("memory=rise embedding=conv environments=3 random");
        world w = world_of(created(&d));
        for (step = 0; step < 60; step++) {
            world_move(&w);
            for (i = 0; i < GAMES; i++)
                if (i != game) w.events[i] = RISE_ABSENT;
            CHECK(world_act(&w) == RISE_OK);
        }
        CHECK(w.agent->model.embedder->statistics.seen == RISEI_SAMPLE_FRAMES);
        CHECK(w.agent->model.embedder->statistics.frozen && w.agent->model.updates > 0);
        rise_agent_destroy(w.agent);
    }
}
/* An agent of three games of which only one is ever present plays as an agent of this game alone
   does, as long as nothing is learned and all actions are greedy. */
static void a_game_alone_plays_as_before(void)
{
    int k, step, i;
    for (k = 0; k < COUNT(kinds); k++) {
        rise_agent_desc d = described(kinds[k]);
        world one, three;
        describe(&d, "greedy learn_start=60");
        three = world_of(created(&d));
        d.environments = 1, d.replay_capacity = 60;
        one = world_of(created(&d));
        one.games[0] = three.games[1];
        check_about("%s", kinds[k]);
        for (step = 0; step < 50; step++) {
            world_move(&one);
            memcpy(three.frames + PIXELS, one.frames, PIXELS);
            memcpy(three.allowed + ACTIONS, one.allowed, ACTIONS);
            for (i = 0; i < GAMES; i++) three.events[i] = RISE_ABSENT;
            three.events[1] = one.events[0], three.rewards[1] = one.rewards[0];
            CHECK(world_act(&one) == RISE_OK && world_act(&three) == RISE_OK);
            CHECK(one.actions[0] == three.actions[1]);
            CHECK(same_reals(one.agent->model.pass.heads.q, three.agent->model.pass.heads.q,
                             ACTIONS));
        }
        rise_agent_destroy(one.agent), rise_agent_destroy(three.agent);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Players */

enum { PLAYERS = 47 }; /* those that are present are more than the 32 of one pass */

typedef struct crowd {
    toy games[PLAYERS];
    int actions[PLAYERS];
    uint8_t frames[PLAYERS * PIXELS], allowed[PLAYERS * ACTIONS];
    float rewards[PLAYERS];
    rise_event events[PLAYERS];
} crowd;

static void crowd_begin(crowd *c)
{
    int i;
    memset(c, 0, sizeof *c);
    for (i = 0; i < PLAYERS; i++) c->games[i].dice = (uint32_t)i * 99 + 5;
}
/* Moves four of five games on. The others are absent. */
static void crowd_move(crowd *c, int step)
{
    int i;
    for (i = 0; i < PLAYERS; i++) {
        c->events[i] = RISE_ABSENT;
        if ((step * 7 + i * 3) % 5 == 0) continue;
        c->events[i] = toy_next(&c->games[i], c->actions[i], c->frames + i * PIXELS,
                                c->allowed + i * ACTIONS, &c->rewards[i]);
    }
}
/* All players in one call get the actions and values that they get one after the other. Some of
   them draw actions, and all draw from one random stream. */
static void players_play_together_as_alone(void)
{
    static crowd c;
    int k, step, i;
    for (k = 0; k < COUNT(kinds); k++) {
        rise_agent_desc d = described(kinds[k]);
        world w;
        buffer b;
        rise_agent *together, *alone;
        rise_agent_desc machine;
        w = world_after(d, 90);
        b = saved(w.agent, RISE_SAVE_POLICY);
        memset(&machine, 0, sizeof machine);
        machine.play_only = 1, machine.players = PLAYERS, machine.embed_fn = toy_embed;
        together = loaded(&b, &machine), alone = loaded(&b, &machine);
        check_about("%s", kinds[k]);
        for (i = 0; i < PLAYERS; i += 3) {
            CHECK(rise_agent_set_player(together, i, 0.4, 0.5) == RISE_OK);
            CHECK(rise_agent_set_player(alone, i, 0.4, 0.5) == RISE_OK);
        }
        crowd_begin(&c);
        for (step = 0; step < 25; step++) {
            const uint8_t *const allowed = step % 2 || d.action_masks ? c.allowed : NULL;
            int actions[PLAYERS];
            crowd_move(&c, step);
            CHECK(rise_agent_play_all(together, c.frames, NULL, c.rewards, c.events, allowed,
                                      actions) ==
                  RISE_OK);
            for (i = 0; i < PLAYERS; i++) {
                if (c.events[i] == RISE_ABSENT) {
                    CHECK(actions[i] == 0);
                    continue;
                }
                c.actions[i] = rise_agent_play(alone, i, c.frames + i * PIXELS, c.rewards[i],
                                               c.events[i],
                                               allowed != NULL ? allowed + i * ACTIONS : NULL);
                CHECK(c.actions[i] == actions[i]);
                CHECK(same_reals(rise_agent_values(together, i), rise_agent_values(alone, i),
                                 ACTIONS));
            }
        }
        rise_agent_destroy(w.agent), rise_agent_destroy(together), rise_agent_destroy(alone);
        free(b.data);
    }
}
/* If the input of one player is refused, no player moves. */
static void refused_calls_move_nobody(void)
{
    static crowd c;
    rise_agent_desc d = described("memory=rise players=47");
    rise_agent *const a = created(&d);
    int actions[PLAYERS], step, i;
    crowd_begin(&c);
    for (step = 0; step < 5; step++) {
        int64_t written = 0, after = 0;
        float kept;
        crowd_move(&c, step);
        for (i = 0; i < PLAYERS; i++) written += a->players.history.written[i];
        c.events[PLAYERS - 1] = RISE_MIDDLE;
        kept = c.rewards[PLAYERS - 1], c.rewards[PLAYERS - 1] = NAN;
        CHECK(rise_agent_play_all(a, c.frames, NULL, c.rewards, c.events, NULL,
                                  actions) != RISE_OK);
        CHECK(strstr(rise_agent_error(a)->text, "player 46") != NULL);
        c.rewards[PLAYERS - 1] = kept, c.events[PLAYERS - 1] = RISE_ABSENT;
        CHECK(rise_agent_play_all(a, NULL, NULL, c.rewards, c.events, NULL, actions) ==
              RISE_BAD_CALL);
        CHECK(rise_agent_play_all(a, c.frames, NULL, NULL, c.events, NULL, actions) ==
              RISE_BAD_CALL);
        CHECK(rise_agent_play_all(a, c.frames, NULL, c.rewards, NULL, NULL, actions) ==
              RISE_BAD_CALL);
        CHECK(rise_agent_play_all(a, c.frames, NULL, c.rewards, c.events, NULL, NULL) ==
              RISE_BAD_CALL);
        for (i = 0; i < PLAYERS; i++) after += a->players.history.written[i];
        CHECK(after == written);
        CHECK(rise_agent_play_all(a, c.frames, NULL, c.rewards, c.events, NULL, actions) ==
              RISE_OK);
    }
    CHECK(rise_agent_play_all(NULL, c.frames, NULL, c.rewards, c.events, NULL, actions) ==
          RISE_BAD_CALL);
    rise_agent_destroy(a);
}
/* Writes a number behind the weights of the players, into the padding of this array. */
static rise_real *padding_filled(rise_agent *a, rise_real number)
{
    rise_real *const padding = a->players.weights + ACTIONS;
    CHECK((ACTIONS + 1) * sizeof *padding <= RISEI_ALIGN);
    *padding = number;
    return padding;
}
/* The shares of a worse player's actions are those of its epsilon and its temperature. The masks
   forbid the action with the largest value. */
static void worse_players_play_as_told(void)
{
    enum { DRAWS = 4000 };
    rise_agent_desc d = described("memory=none frame_stack=1");
    rise_agent *const a = created(&d);
    rise_real *const padding = padding_filled(a, -7);
    uint8_t frame[PIXELS] = {1, 200, 3, 90}, allowed[ACTIONS] = {1, 1, 1};
    int masked, mode;
    allowed[rise_agent_play(a, 1, frame, 0, RISE_FIRST, NULL)] = 0;
    for (masked = 0; masked < 2; masked++)
        for (mode = 0; mode < 4; mode++) {
            double const epsilon = mode == 1 ? 0.6 : mode == 2 ? 1 : 0;
            double const temperature = mode == 3 ? 0.05 : 0;
            const rise_real *q;
            double right[ACTIONS], sum = 0, choices = masked ? 2 : 3;
            int seen[ACTIONS] = {0, 0, 0}, i, best = -1;
            uint64_t const state = a->players.random.state;
            CHECK(rise_agent_set_player(a, 1, epsilon, temperature) == RISE_OK);
            for (i = 0; i < DRAWS; i++)
                seen[rise_agent_play(a, 1, frame, 0, RISE_FIRST, masked ? allowed : NULL)]++;
            CHECK((a->players.random.state == state) == (mode == 0)); /* greedy: no numbers drawn */
            q = rise_agent_values(a, 1);
            for (i = 0; i < ACTIONS; i++) {
                if (masked && !allowed[i]) continue;
                if (best < 0 || q[i] > q[best]) best = i;
            }
            for (i = 0; i < ACTIONS; i++) {
                right[i] = temperature > 0 ? exp((double)(q[i] - q[best]) / temperature)
                                           : epsilon / choices + (i == best ? 1 - epsilon : 0);
                if (masked && !allowed[i]) right[i] = 0;
                sum += right[i];
            }
            for (i = 0; i < ACTIONS; i++) {
                double const p = right[i] / sum, deviation = sqrt(DRAWS * p * (1 - p));
                check_about("masked %d, mode %d, action %d: %d of %.0f", masked, mode, i, seen[i],
                            DRAWS * p);
                CHECK(fabs(seen[i] - DRAWS * p) <= 4 * deviation);
            }
            CHECK(*padding == -7);
        }
    CHECK(rise_agent_set_player(a, 2, 0, 0) == RISE_BAD_CALL);
    CHECK(rise_agent_set_player(a, -1, 0, 0) == RISE_BAD_CALL);
    CHECK(rise_agent_set_player(a, 0, 1.5, 0) == RISE_BAD_CALL);
    CHECK(rise_agent_set_player(a, 0, (double)NAN, 0) == RISE_BAD_CALL);
    CHECK(rise_agent_set_player(a, 0, 0, -1) == RISE_BAD_CALL);
    CHECK(rise_agent_set_player(NULL, 0, 0, 0) == RISE_BAD_CALL);
    rise_agent_destroy(a);
}
/* An action is drawn if the random number is below the sum of the weights up to its own, and not if
   it is equal. If it is below no sum, the last allowed action is drawn. Numbers behind the weights
   play no part. A random number that is equal to epsilon gives no random action. */
static void draws_are_exact(void)
{
    rise_real const unit = (rise_real)(1.0 / 16777216);
    rise_agent_desc d = described("memory=none");
    rise_agent *const a = created(&d);
    risei_players *const p = &a->players;
    int i;
    padding_filled(a, 7);
    for (i = 0; i < 100; i++) {
        risei_random copy = p->random;
        rise_real const number = risei_random_uniform(&copy);
        p->weights[0] = number, p->weights[1] = 1 - number, p->weights[2] = 0;
        CHECK(risei_players_draw(p, NULL) == 1);
        copy = p->random;
        p->weights[0] = risei_random_uniform(&copy) + unit, p->weights[1] = 1 - p->weights[0];
        CHECK(risei_players_draw(p, NULL) == 0);
    }
    for (i = 0; i < 10; i++) {
        const rise_real q[ACTIONS] = {1, 2, 3};
        risei_random copy = p->random;
        p->epsilon[0] = (float)risei_random_uniform(&copy);
        CHECK(risei_players_choose(p, 0, q, NULL) == 2 && p->random.state == copy.state);
    }
    memset(p->weights, 0, ACTIONS * sizeof *p->weights);
    CHECK(risei_players_draw(p, NULL) == ACTIONS - 1);
    rise_agent_destroy(a);
}

/* ---------------------------------------------------------------------------------------------- */
/* Publishing */

/* Checks that two agents choose the same actions and have the same values for player 0. */
static void plays_the_same(rise_agent *a, rise_agent *b, toy *game, int steps)
{
    uint8_t frame[PIXELS], allowed[ACTIONS];
    float reward;
    int action = 0;
    while (steps-- > 0) {
        rise_event const event = toy_next(game, action, frame, allowed, &reward);
        action = rise_agent_play(a, 0, frame, reward, event, allowed);
        CHECK(action >= 0 && action == rise_agent_play(b, 0, frame, reward, event, allowed));
        CHECK(same_reals(rise_agent_values(a, 0), rise_agent_values(b, 0), ACTIONS));
    }
}
/* A play_only agent plays as the learner does after each publishing, also after a snapshot. Nothing
   is allocated. Learning starts before the first publishing. */
static void published_agents_play_as_the_learner(void)
{
    int k, background, round;
    for (k = 0; k < COUNT(kinds); k++)
        for (background = 0; background < 2; background++) {
            rise_agent_desc d = described(kinds[k]);
            world w = world_of(created(&d));
            rise_agent *p;
            toy game;
            memset(&game, 0, sizeof game);
            d.play_only = 1, d.background = background;
            p = created(&d);
            check_about("%s, background %d", kinds[k], background);
            for (round = 0; round < 12; round++) {
                long const calls = toy_memory.calls;
                world_run(&w, 9);
                CHECK(rise_agent_publish(w.agent, p) == RISE_OK && toy_memory.calls == calls);
                plays_the_same(w.agent, p, &game, 7);
            }
            rise_agent_destroy(w.agent), rise_agent_destroy(p);
        }
}
static void wrong_publishing_is_refused(void)
{
    static const struct {
        const char *words, *field;
    } wrong[] = {{"seed=8", "seed"},
                 {"features=7", "features"},
                 {"raw_frames=1", "raw_frames"},
                 {"context_scale=0.5", "context_scale"},
                 {"conv[0].filters=5", "conv"},
                 {"memory=none", "memory"},
                 {"noisy=1", "noisy"},
                 {"value_max=400", "value_max"},
                 {"value_rescale=1", "value_rescale"},
                 {"conv[0].residual=1 spectral_norm=1", "spectral_norm"},
                 {"feed_action=1", "feed_action"},
                 {"frame_stack=3", "frame_stack"},
                 {"window=6", "window"},
                 {"cell=gru", "cell"},
                 {"recurrent_units=8", "recurrent_units"},
                 {"layer_norm=1", "layer_norm"},
                 {"embedding=sparse", "embedding"}};
    rise_agent_desc d = described("memory=rise");
    rise_agent *const a = created(&d), *p;
    int i;
    for (i = 0; i < COUNT(wrong); i++) {
        rise_agent_desc other = described("memory=rise");
        describe(&other, wrong[i].words);
        other.play_only = 1;
        p = created(&other);
        check_about("%s", wrong[i].words);
        CHECK(rise_agent_publish(a, p) == RISE_MISMATCH);
        CHECK(strstr(rise_agent_error(a)->text, wrong[i].field) != NULL);
        rise_agent_destroy(p);
    }
    CHECK(rise_agent_publish(a, a) == RISE_BAD_CALL);
    CHECK(rise_agent_publish(NULL, a) == RISE_BAD_CALL);
    CHECK(rise_agent_publish(a, NULL) == RISE_BAD_CALL);
    rise_agent_destroy(a);
}

/* A thread that plays while another one publishes. All parameters of policy n have the same value.
   So the values of the fixed frame tell which policy played, or that it was mixed from two
   policies. Publishing goes on until the thread has played two policies. A thread that does not
   play, or always plays the same policy, fails after PATIENCE seconds. */
enum { POLICIES = 8, PATIENCE = 60 };
static struct {
    rise_agent *player;
    uint8_t frame[PIXELS];
    rise_real q[POLICIES][ACTIONS];
    int stop, policies; /* atomic; policies: how many of them have played */
    long wrong, seen[POLICIES];
} other;
static void set_policy(rise_agent *a, int n)
{
    rise_real *const w = rise_agent_parameters(a);
    size_t i;
    for (i = 0; i < a->model.net.parameters; i++) w[i] = (rise_real)(n + 1) / 64;
}
static void plays_on(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&other.stop, __ATOMIC_ACQUIRE)) {
        int n;
        other.wrong += rise_agent_play(other.player, 0, other.frame, 0, RISE_FIRST, NULL) < 0;
        for (n = 0; n < POLICIES; n++)
            if (same_reals(rise_agent_values(other.player, 0), other.q[n], ACTIONS)) break;
        if (n == POLICIES)
            other.wrong++;
        else if (other.seen[n]++ == 0)
            __atomic_fetch_add(&other.policies, 1, __ATOMIC_RELEASE);
    }
}
static void another_thread_can_play_meanwhile(void)
{
    rise_agent_desc d = described("memory=rise wide");
    world w = world_after(d, 60);
    risei_thread thread;
    double start;
    int i, n;
    memset(&other, 0, sizeof other);
    for (i = 0; i < PIXELS; i++) other.frame[i] = (uint8_t)(i * 11);
    d.play_only = 1, d.background = 1;
    other.player = created(&d);
    for (n = POLICIES - 1; n >= 0; n--) {
        set_policy(w.agent, n);
        CHECK(rise_agent_publish(w.agent, other.player) == RISE_OK);
        CHECK(rise_agent_play(other.player, 0, other.frame, 0, RISE_FIRST, NULL) >= 0);
        memcpy(other.q[n], rise_agent_values(other.player, 0), sizeof other.q[n]);
    }
    CHECK(!same_reals(other.q[0], other.q[1], ACTIONS));
    CHECK(risei_thread_begin(&thread, plays_on, NULL));
    start = check_clock();
    for (i = 0; i < 4000 || (__atomic_load_n(&other.policies, __ATOMIC_ACQUIRE) < 2 &&
                             check_clock() - start < PATIENCE); i++) {
        set_policy(w.agent, i % POLICIES);
        CHECK(rise_agent_publish(w.agent, other.player) == RISE_OK);
    }
    __atomic_store_n(&other.stop, 1, __ATOMIC_RELEASE);
    risei_thread_end(&thread);
    CHECK(other.wrong == 0 && other.policies >= 2);
    check_note("%d policies seen", other.policies);
    rise_agent_destroy(other.player), rise_agent_destroy(w.agent);
}

static const check_test tests[] = {
    TEST(absent_environments_take_no_part),
    TEST(absent_games_leave_the_statistics_right),
    TEST(a_game_alone_plays_as_before),
    TEST(players_play_together_as_alone),
    TEST(refused_calls_move_nobody),
    TEST(worse_players_play_as_told),
    TEST(draws_are_exact),
    TEST(published_agents_play_as_the_learner),
    TEST(wrong_publishing_is_refused),
    TEST(another_thread_can_play_meanwhile),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
