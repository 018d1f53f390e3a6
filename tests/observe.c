/* Tests rise_agent_observe: observed steps and own steps give the same transitions; demonstrations
   have a large-margin loss, are kept, and count in some metrics only; wrong calls change
   nothing. */
#define RISE_THREADS
#include "toy.h"

static const char *const kinds[] = {
    "memory=none environments=3",
    "memory=rise environments=3",
    "memory=full stored environments=3",
    "memory=rise carry_state=1 feed_action=1 action_masks=1 environments=3",
    "memory=rise stored window_samples=3 environments=3",
    "memory=none head=iqn noisy=1 action_masks=1 environments=3",
    "memory=rise head=c51 background=1 environments=3",
};

/* Lets an agent observe the step of a world, with these actions. */
static rise_result observe(rise_agent *a, const world *w, int *actions)
{
    return rise_agent_observe(a, w->frames, NULL, w->rewards, w->events,
                              rise_agent_query(a)->action_masks ? w->allowed : NULL, actions);
}
/* Returns whether two replay buffers hold the same frames, rewards, actions, events, frame numbers,
   16-bit recurrent states and priorities. Embeddings, numbers and masks are not compared. */
static int same_replay(const rise_agent *a, const rise_agent *b)
{
    const risei_history *const h = &a->replay.history, *const g = &b->replay.history;
    size_t const slots = (size_t)h->lanes * (size_t)h->capacity;
    return memcmp(h->written, g->written, (size_t)h->lanes * sizeof *h->written) == 0 &&
           memcmp(h->frames, g->frames, slots * (size_t)h->frame_bytes) == 0 &&
           memcmp(h->rewards, g->rewards, slots * sizeof *h->rewards) == 0 &&
           memcmp(h->actions, g->actions, slots * sizeof *h->actions) == 0 &&
           memcmp(h->events, g->events, slots) == 0 &&
           memcmp(h->episode_frame, g->episode_frame, slots * sizeof *h->episode_frame) == 0 &&
           (h->state_size == 0 || h->f32 ||
            memcmp(h->half_state, g->half_state,
                   slots * (size_t)h->state_size * sizeof *h->half_state) == 0) &&
           memcmp(a->replay.tree, b->replay.tree, slots * sizeof *a->replay.tree) == 0;
}

/* ---------------------------------------------------------------------------------------------- */

/* One agent acts. Another one observes its steps. Both learn, and stay the same. */
static void observed_steps_are_as_own_steps(void)
{
    int k, step;
    for (k = 0; k < COUNT(kinds); k++) {
        rise_agent_desc const d = described(kinds[k]);
        world w = world_of(created(&d));
        rise_agent *const watcher = created(&d);
        rise_metrics m, n;
        check_about("%s", kinds[k]);
        for (step = 0; step < 120; step++) {
            int actions[GAMES], before[GAMES], i;
            world_move(&w);
            CHECK(world_act(&w) == RISE_OK);
            memcpy(actions, w.actions, sizeof actions);
            memcpy(before, actions, sizeof before);
            for (i = 0; i < GAMES; i++)
                if (risei_event_is_last((int)w.events[i])) actions[i] = 12345; /* no meaning */
            CHECK(observe(watcher, &w, actions) == RISE_OK);
            CHECK(memcmp(actions, before, sizeof actions) == 0);
            risei_background_finish(&w.agent->background); /* the workers use the buffers */
            risei_background_finish(&watcher->background);
            CHECK(same_replay(w.agent, watcher));
        }
        rise_agent_metrics(w.agent, &m), rise_agent_metrics(watcher, &n);
        CHECK(m.updates > 20 && n.updates == m.updates && n.steps == m.steps);
        CHECK(n.episodes == m.episodes && n.mean_return == m.mean_return);
        CHECK(hash_of(w.agent) == hash_of(watcher));
        rise_agent_destroy(w.agent), rise_agent_destroy(watcher);
    }
}
/* With -1 as the action of all environments, rise_agent_observe does the same as
   rise_agent_step_all, to the bit. With -1 for some environments, the agent acts in these only. */
static void minus_one_lets_the_agent_act(void)
{
    int k, step, i;
    for (k = 0; k < COUNT(kinds); k++) {
        rise_agent_desc const d = described(kinds[k]);
        world w = world_of(created(&d)), v = world_of(created(&d));
        check_about("%s", kinds[k]);
        for (step = 0; step < 90; step++) {
            world_run(&w, 1);
            world_move(&v);
            for (i = 0; i < GAMES; i++) v.actions[i] = -1;
            CHECK(observe(v.agent, &v, v.actions) == RISE_OK);
            CHECK(memcmp(v.actions, w.actions, sizeof v.actions) == 0);
        }
        CHECK(state_of(w.agent) == state_of(v.agent));
        for (step = 0; step < 30; step++) { /* game 1 is somebody else's */
            world_move(&v);
            for (i = 0; i < GAMES; i++) v.actions[i] = -1;
            for (i = 0; i < ACTIONS; i++)
                if (!d.action_masks || v.allowed[ACTIONS + i]) v.actions[1] = i;
            i = v.actions[1];
            CHECK(observe(v.agent, &v, v.actions) == RISE_OK);
            CHECK(v.actions[1] == (risei_event_is_last((int)v.events[1]) ? 0 : i));
            CHECK(v.actions[0] >= 0 && v.actions[2] >= 0);
            CHECK(risei_agent_wrong(v.agent) == NULL);
        }
        rise_agent_destroy(w.agent), rise_agent_destroy(v.agent);
    }
}

/* What `actions` holds for an absent environment has no meaning. It changes no stored action, also
   not before the environment's first frame. */
static void absent_environments_keep_their_actions(void)
{
    rise_agent_desc const d = described("memory=rise environments=3");
    world w = world_of(created(&d));
    rise_agent *const all = w.agent, *const some = created(&d);
    const risei_history *const h = &some->replay.history;
    int step, i;
    for (step = 0; step < 60; step++) {
        int actions[GAMES], present[GAMES];
        rise_event events[GAMES];
        world_move(&w);
        memcpy(events, w.events, sizeof events);
        for (i = 0; i < GAMES; i++) actions[i] = i;
        CHECK(observe(all, &w, actions) == RISE_OK);
        for (i = 0; i < GAMES; i++) { /* the same steps, one environment after another */
            int j;
            for (j = 0; j < GAMES; j++) {
                present[j] = j;
                w.events[j] = i == j ? events[j] : RISE_ABSENT;
            }
            CHECK(observe(some, &w, present) == RISE_OK);
            for (j = 0; j < GAMES; j++) CHECK(i == j || present[j] == 0);
        }
        memcpy(w.events, events, sizeof events);
        memcpy(w.actions, actions, sizeof actions);
        CHECK(memcmp(h->actions, all->replay.history.actions,
                     (size_t)h->lanes * (size_t)h->capacity * sizeof *h->actions) == 0);
    }
    rise_agent_destroy(all), rise_agent_destroy(some);
}

/* ---------------------------------------------------------------------------------------------- */
/* Demonstrations */

/* The agent's own steps never overwrite demonstrations. */
static void demonstrations_are_kept(void)
{
    rise_agent_desc const d = described("memory=rise environments=3 demonstrators=1");
    world w = world_of(created(&d));
    const risei_history *const h = &w.agent->replay.history;
    uint8_t *const kept = (uint8_t *)malloc((size_t)h->capacity * PIXELS);
    size_t const lane = (size_t)h->capacity * PIXELS;
    rise_metrics m;
    int step;
    if (kept == NULL) exit(1);
    for (step = 0; step < 40; step++) {
        int const shown = step % ACTIONS;
        world_move(&w);
        w.actions[0] = w.actions[1] = -1, w.actions[2] = shown;
        CHECK(observe(w.agent, &w, w.actions) == RISE_OK);
        CHECK(w.actions[2] == (risei_event_is_last((int)w.events[2]) ? 0 : shown));
    }
    memcpy(kept, h->frames + 2 * lane, lane);
    for (step = 0; step < 200; step++) { /* overwrites the other lanes three times */
        world_move(&w);
        w.events[2] = RISE_ABSENT;
        CHECK(world_act(&w) == RISE_OK);
    }
    CHECK(h->written[2] == 40 && h->written[0] == 240);
    CHECK(memcmp(kept, h->frames + 2 * lane, lane) == 0);
    rise_agent_metrics(w.agent, &m);
    CHECK(m.episodes > 0 && m.updates > 100 && risei_agent_wrong(w.agent) == NULL);
    free(kept);
    rise_agent_destroy(w.agent);
}
/* Returns the event of frame `step` of a game whose episodes have `frames` frames. */
static rise_event event_in(int frames, int step)
{
    int const at = step % frames;
    return at == 0 ? RISE_FIRST : at == frames - 1 ? RISE_TERMINATED : RISE_MIDDLE;
}
/* Demonstrations count in metrics.steps and metrics.mean_length, but not in metrics.episodes and
   metrics.mean_return. The agent's episodes have 2 steps and return 2. Those of the demonstrator
   have 5 steps and return 500. */
static void demonstrations_count_as_steps_alone(void)
{
    rise_agent_desc const d = described("memory=none environments=2 demonstrators=1");
    world w = world_of(created(&d));
    rise_metrics m;
    int step;
    for (step = 0; step < 12; step++) {
        world_move(&w);
        w.events[0] = event_in(3, step), w.events[1] = event_in(6, step);
        w.rewards[0] = 1, w.rewards[1] = 100;
        w.actions[0] = -1, w.actions[1] = 0;
        CHECK(observe(w.agent, &w, w.actions) == RISE_OK);
    }
    rise_agent_metrics(w.agent, &m);
    CHECK(m.episodes == 4 && m.mean_return == 2);
    CHECK(m.steps == 4 * 2 + 2 * 5 && m.mean_length == (4 * 2 + 2 * 5) / 6.0);
    rise_agent_destroy(w.agent);
}
static void margin_loss_is_right_by_hand(void)
{
    static const rise_real q[4] = {1, (rise_real)2.5, (rise_real)2.25, -3};
    uint8_t const only_even = 5; /* actions 0 and 2 */
    int rival;
    CHECK_NEAR(risei_loss_margin(4, q, NULL, 0, (rise_real)0.8, &rival), 2.3, 1e-6);
    CHECK(rival == 1);
    CHECK_NEAR(risei_loss_margin(4, q, NULL, 1, (rise_real)0.8, &rival), 0.55, 1e-6);
    CHECK(rival == 2);
    CHECK(risei_loss_margin(4, q, NULL, 1, (rise_real)0.25, &rival) == 0 && rival == 1);
    CHECK_NEAR(risei_loss_margin(4, q, &only_even, 0, (rise_real)0.5, &rival), 1.75, 1e-6);
    CHECK(rival == 2);
    CHECK(risei_loss_margin(4, q, &only_even, 2, (rise_real)0.5, &rival) == 0 && rival == 2);
}
/* expect_backward of every head agrees with central differences of expect. */
static void heads_pass_gradients_of_q(void)
{
    int head, i, action;
    for (head = 0; head < RISE_HEAD_COUNT; head++) {
        rise_agent_desc d = described("memory=none value_min=-1 value_max=1");
        rise_agent *a;
        const risei_heads *h;
        rise_real z[ACTIONS * 16], probabilities[ACTIONS * 16], q[ACTIONS], dz[ACTIONS * 16];
        int size;
        d.head = (rise_head)head;
        a = created(&d);
        h = &a->model.net.heads;
        size = h->taus * h->atoms * ACTIONS;
        CHECK(size <= COUNT(z));
        for (i = 0; i < size; i++) z[i] = (rise_real)((i * 7 + 3) % 11) / 8;
        for (action = 0; action < ACTIONS; action++) {
            memcpy(probabilities, z, sizeof z);
            h->kind->expect(a->model.device.kernels, h, probabilities, q);
            for (i = 0; i < size; i++) dz[i] = 3; /* the gradient is added */
            h->kind->expect_backward(h, probabilities, action, 2, dz);
            for (i = 0; i < size; i++) {
                float const e = 0.03125f;
                rise_real up[ACTIONS * 16], down[ACTIONS * 16], high[ACTIONS], low[ACTIONS];
                memcpy(up, z, sizeof z), memcpy(down, z, sizeof z);
                up[i] += e, down[i] -= e;
                h->kind->expect(a->model.device.kernels, h, up, high);
                h->kind->expect(a->model.device.kernels, h, down, low);
                CHECK(fabs((double)(dz[i] - 3 - 2 * (high[action] - low[action]) / (2 * e))) <
                      2e-4);
            }
        }
        rise_agent_destroy(a);
    }
}
/* Checks the margin loss of each transition of a batch, and its gradient, with Q by hand. The mask
   and the lane are those of the transition's slot in the replay buffer. Returns how many losses
   were above 0. */
static int margins_of_a_batch(rise_agent *a, rise_real margin)
{
    risei_learner *const l = &a->learner;
    const risei_history *const h = &a->replay.history;
    risei_heads_data *const out = &l->model->pass.heads;
    risei_batch *const b = &l->batch;
    int i, j, seen = 0;
    risei_background_finish(&a->background);
    risei_learner_draw(l, 0);
    risei_learner_gather(l);
    for (i = 0; i < b->size * ACTIONS; i++) {
        out->q[i] = out->z[i] = (rise_real)(check_below(33) - 16) / 8;
        out->dz[i] = 0;
    }
    for (i = 0; i < b->size; i++) {
        const risei_transition *const t = &b->transition[i];
        const uint8_t *const mask = risei_history_mask(h, risei_history_slot(h, t->lane, t->at));
        const rise_real *const q = out->q + i * ACTIONS;
        rise_real const scale = (b->importance[i] = (rise_real)(1 + i % 4) / 4) / 2;
        rise_real loss = 0;
        int rival = t->action;
        for (j = 0; j < ACTIONS && t->lane == 1; j++)
            if (j != t->action && risei_mask_allows(mask, j) &&
                q[j] + margin - q[t->action] > loss)
                loss = q[j] + margin - q[t->action], rival = j;
        CHECK_NEAR(risei_learner_margin(l, i), scale * loss, 1e-6);
        for (j = 0; j < ACTIONS; j++) {
            rise_real const sign = (rise_real)((j == rival) - (j == t->action));
            CHECK_NEAR(out->dz[i * ACTIONS + j], sign * scale / (rise_real)b->size, 1e-6);
        }
        seen += loss > 0;
    }
    return seen;
}
/* A batch's margin losses are those of the demonstrator's transitions only, have the importance
   weight and demonstration_weight as factors, and compare allowed actions only. A negative
   demonstration_margin is 0. With background, too. */
static void margins_are_weighted_and_masked(void)
{
    int kind, draw, step, seen = 0;
    for (kind = 0; kind < 4; kind++) {
        rise_agent_desc d = described("memory=none environments=2 demonstrators=1 action_masks=1 "
                                      "learn_outside=1 demonstration_weight=0.5");
        world w;
        d.background = kind % 2, d.demonstration_margin = kind < 2 ? 0.75 : -1;
        check_about("background %d, margin %g", d.background, d.demonstration_margin);
        w = world_of(created(&d));
        for (step = 0; step < 60; step++) {
            world_move(&w);
            w.actions[0] = -1;
            for (w.actions[1] = 0; !w.allowed[ACTIONS + w.actions[1]]; w.actions[1]++) continue;
            CHECK(observe(w.agent, &w, w.actions) == RISE_OK);
        }
        for (draw = 0; draw < 20; draw++)
            seen += margins_of_a_batch(w.agent, kind < 2 ? (rise_real)0.75 : 0);
        rise_agent_destroy(w.agent);
    }
    CHECK(seen > 50);
}
/* The statistics of frames, embeddings and numbers are of all environments, demonstrators too. */
static void demonstrations_count_in_statistics(void)
{
    rise_agent_desc d = described("memory=rise environments=2 learn_start=40"), e = d;
    world w;
    rise_agent *other;
    size_t size;
    int step, i;
    e.demonstrators = 1;
    w = world_of(created(&d)), other = created(&e);
    for (step = 0; step < 15; step++) {
        world_move(&w);
        for (i = 0; i < 2; i++) w.actions[i] = step % ACTIONS;
        CHECK(observe(w.agent, &w, w.actions) == RISE_OK);
        for (i = 0; i < 2; i++) w.actions[i] = step % ACTIONS;
        CHECK(observe(other, &w, w.actions) == RISE_OK);
    }
    size = (size_t)w.agent->embedder.statistics.size * sizeof(double);
    CHECK(other->embedder.statistics.seen == 30);
    CHECK(memcmp(w.agent->embedder.statistics.mean, other->embedder.statistics.mean, size) == 0);
    risei_frames_freeze_statistics(&w.agent->frames);
    risei_frames_freeze_statistics(&other->frames);
    CHECK(memcmp(w.agent->frames.mean, other->frames.mean, PIXELS) == 0);
    CHECK(w.agent->frames.scale.factor == other->frames.scale.factor);
    rise_agent_destroy(w.agent), rise_agent_destroy(other);
}
/* A demonstrator always shows the last action, which has the worst reward. With a large
   demonstration_weight the agent prefers this action, and with -1 it does not. */
static void demonstrations_are_imitated(void)
{
    static const char *const heads[] = {"head=mean", "head=c51", "head=iqn"};
    int k, weighs, step, i;
    for (k = 0; k < COUNT(heads); k++)
        for (weighs = 0; weighs < 2; weighs++) {
            rise_agent_desc d = described("memory=rise environments=2 demonstrators=1");
            int same = 0;
            toy game;
            world w;
            describe(&d, heads[k]);
            d.demonstration_weight = weighs ? 10 : -1;
            w = world_of(created(&d));
            for (step = 0; step < 400; step++) {
                world_move(&w);
                for (i = 0; i < 2; i++) w.rewards[i] = w.actions[i] == ACTIONS - 1 ? -0.3f : 0.3f;
                w.actions[0] = -1, w.actions[1] = ACTIONS - 1;
                CHECK(observe(w.agent, &w, w.actions) == RISE_OK);
            }
            memset(&game, 0, sizeof game);
            game.dice = 4711;
            for (step = 0; step < 100; step++) {
                uint8_t frame[PIXELS], allowed[ACTIONS];
                float reward;
                rise_event const event = toy_next(&game, 0, frame, allowed, &reward);
                i = rise_agent_play(w.agent, 0, frame, 0, event, NULL);
                if (!risei_event_is_last((int)event)) same += i == ACTIONS - 1;
            }
            check_about("%s, %s, %d", heads[k], weighs ? "with weight" : "without", same);
            CHECK(weighs ? same > 60 : same < 20);
            rise_agent_destroy(w.agent);
        }
}
/* All environments may be demonstrators: the agent then learns from demonstrations alone. */
static void demonstrations_alone_teach(void)
{
    rise_agent_desc const d = described("memory=rise environments=2 demonstrators=2");
    world w = world_of(created(&d));
    rise_metrics m;
    int step;
    for (step = 0; step < 60; step++) {
        world_move(&w);
        w.actions[0] = w.actions[1] = step % ACTIONS;
        CHECK(observe(w.agent, &w, w.actions) == RISE_OK);
    }
    rise_agent_metrics(w.agent, &m);
    CHECK(m.updates > 10 && m.episodes == 0 && m.steps > 60);
    rise_agent_destroy(w.agent);
}

/* ---------------------------------------------------------------------------------------------- */
/* Wrong calls */

static void wrong_actions_change_nothing(void)
{
    rise_agent_desc d = described("memory=rise environments=3 demonstrators=1 action_masks=1");
    world w = world_of(created(&d));
    rise_error error;
    uint64_t state;
    int step, i;
    for (step = 0;; step++) {
        world_move(&w);
        if (step > 45 && w.events[0] == RISE_MIDDLE && w.events[2] == RISE_MIDDLE) break;
        w.actions[0] = w.actions[1] = -1;
        for (i = 0; i < ACTIONS; i++)
            if (w.allowed[2 * ACTIONS + i]) w.actions[2] = i;
        CHECK(observe(w.agent, &w, w.actions) == RISE_OK);
    }
    w.events[1] = RISE_ABSENT;
    memset(w.allowed, 1, sizeof w.allowed);
    w.allowed[0] = 0;
    state = state_of(w.agent);
    w.actions[0] = -1, w.actions[2] = -1;
    CHECK(observe(w.agent, &w, w.actions) == RISE_BAD_CALL);
    CHECK(strstr(rise_agent_error(w.agent)->text, "environment 2 is a demonstrator") != NULL);
    CHECK(world_act(&w) == RISE_BAD_CALL);
    w.actions[2] = 0, w.actions[0] = 0;
    CHECK(observe(w.agent, &w, w.actions) == RISE_BAD_CALL);
    CHECK(strstr(rise_agent_error(w.agent)->text, "not allowed by its mask") != NULL);
    w.actions[0] = ACTIONS;
    CHECK(observe(w.agent, &w, w.actions) == RISE_BAD_CALL);
    w.actions[0] = -2;
    CHECK(observe(w.agent, &w, w.actions) == RISE_BAD_CALL);
    CHECK(strstr(rise_agent_error(w.agent)->text, "-1..2") != NULL);
    CHECK(rise_agent_observe(NULL, w.frames, NULL, w.rewards, w.events, w.allowed, w.actions) ==
          RISE_BAD_CALL);
    CHECK(rise_agent_observe(w.agent, w.frames, NULL, w.rewards, w.events, w.allowed, NULL) ==
          RISE_BAD_CALL);
    CHECK(state_of(w.agent) == state);
    w.actions[0] = 1;
    CHECK(observe(w.agent, &w, w.actions) == RISE_OK);
    rise_agent_destroy(w.agent);
    d.demonstrators = 4;
    CHECK(rise_agent_resolve(&d, &error) == RISE_BAD_DESC);
    CHECK(strstr(error.text, "demonstrators is 4") != NULL);
}

static const check_test tests[] = {
    TEST(observed_steps_are_as_own_steps),
    TEST(minus_one_lets_the_agent_act),
    TEST(absent_environments_keep_their_actions),
    TEST(demonstrations_are_kept),
    TEST(demonstrations_count_as_steps_alone),
    TEST(margin_loss_is_right_by_hand),
    TEST(heads_pass_gradients_of_q),
    TEST(margins_are_weighted_and_masked),
    TEST(demonstrations_count_in_statistics),
    TEST(demonstrations_are_imitated),
    TEST(demonstrations_alone_teach),
    TEST(wrong_actions_change_nothing),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
