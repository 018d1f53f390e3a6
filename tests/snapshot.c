/* Tests the frozen encoder that is a snapshot of the learnable one: its embeddings, that learning
   waits while a snapshot is taken, that a run resumes in the middle of one, and what is refused.
       cc -O2 tests/snapshot.c -o snapshot -lm && ./snapshot */
#define RISE_IMPLEMENTATION
#include "../rise.h"
#include "../examples/games.h"
#include "check.h"

enum { CAPACITY = 3000, START = 500, AFTER = 300 };

typedef struct run {
    rise_agent *agent;
    game game;
    float reward;
    rise_event event;
} run;

static run run_make(const char *field, int snapshot_steps)
{
    rise_agent_desc d;
    rise_error error;
    run r;
    memset(&d, 0, sizeof d), memset(&r, 0, sizeof r);
    game_init(&r.game, GAME_CORRIDOR, 0, 1);
    r.event = RISE_FIRST;
    d.frame_width = r.game.spec->width, d.frame_height = r.game.spec->height,
    d.actions = r.game.spec->actions;
    d.learn_start = START, d.replay_capacity = CAPACITY, d.batch = 8,
    d.head_units = d.recurrent_units = d.embedding_size = 16;
    d.features = 16, d.snapshot_steps = snapshot_steps;
    if (rise_agent_set(&d, field, &error) != RISE_OK ||
        rise_agent_create(&r.agent, &d, &error) != RISE_OK) {
        printf("%s\n", error.text);
        exit(1);
    }
    return r;
}
static void run_on(run *r, int steps)
{
    for (; steps > 0; steps--) {
        int const action = rise_agent_step(r->agent, r->game.frame, r->reward, r->event);
        CHECK(action >= 0);
        if (r->game.done) {
            game_reset(&r->game);
            r->event = RISE_FIRST;
            continue;
        }
        r->reward = game_step(&r->game, action);
        r->event = r->game.done ? RISE_TERMINATED : RISE_MIDDLE;
    }
}
static rise_metrics metrics(const rise_agent *a)
{
    rise_metrics m;
    rise_agent_metrics(a, &m);
    return m;
}

/* Computes the embedding of a frame that fills the whole stack: first the learnable network's own
   conv layers, then the fixed random projection. */
static void plain_embedding(rise_agent *a, const rise_real *convs, const uint8_t *frame,
                            rise_real *out)
{
    const risei_encoder *e = &a->model.net.encoder;
    risei_image const in = a->model.pass.encoder.in[0];
    risei_embedder *const m = a->model.embedder;
    const risei_encoder *net = &((const risei_frozen_conv *)m->encoder.state)->net;
    int const pixels = e->height * e->width, stack = a->desc.frame_stack;
    const rise_frame_scale *const scale = &a->model.frame_statistics->scale;
    risei_encoder_input input = {NULL, NULL, 0, NULL, NULL};
    int i, s, j;
    input.images = (rise_real *)calloc((size_t)risei_image_size(&in), sizeof *input.images);
    if (input.images == NULL) exit(1);
    for (i = 0; i < pixels; i++)
        for (s = 0; s < stack; s++)
            input.images[risei_image_at(&in, i / e->width, i % e->width) + s] =
                risei_frame_scale_byte(scale, frame[i], scale->mean[i]);
    risei_encoder_forward(&a->model.device, e, convs, 1, &input, &a->model.pass.encoder);
    free(input.images);
    risei_linear_forward(&a->model.device, &net->linear, m->encoder.weights, 1,
                         a->model.pass.encoder.flat.data, e->flat, out, m->encoder.size, 0);
    for (j = 0; j < m->encoder.size; j++) {
        rise_real const z = (out[j] - m->statistics.shift[j]) * m->statistics.gain[j];
        out[j] = z > 8 ? 8 : z < -8 ? -8 : z;
    }
}
static void snapshot_embeds_with_copied_convs(void)
{
    run r = run_make("embedding=snapshot", 0);
    rise_agent *const a = r.agent;
    const risei_history *h = &a->replay.history;
    rise_real *convs, right[16];
    int64_t left, updates;
    int slot, j, wrong = 0, changed = 0;
    CHECK(rise_agent_snapshot(a) == RISE_BAD_CALL); /* there are no updates yet */
    run_on(&r, START + AFTER);
    convs = (rise_real *)malloc(a->model.net.weights_size * sizeof *convs);
    if (convs == NULL) exit(1);
    memcpy(convs, a->model.weights, a->model.net.weights_size * sizeof *convs);
    CHECK(metrics(a).refreshing == 0 && rise_agent_snapshot(a) == RISE_OK &&
          rise_agent_snapshot(a) == RISE_BAD_CALL);
    left = metrics(a).refreshing, updates = metrics(a).updates;
    CHECK(left == CAPACITY + 512);
    run_on(&r, 100); /* the updates of these steps are left out */
    CHECK(metrics(a).refreshing > 0 && metrics(a).refreshing < left &&
          metrics(a).updates == updates);
    run_on(&r, 1100);
    CHECK(metrics(a).refreshing == 0 && metrics(a).updates > updates);
    /* the learnable conv layers have changed */
    CHECK(memcmp(convs, a->model.weights,
                 a->model.embedder->encoder.snapshot_weights * sizeof *convs) != 0);
    for (slot = 0; slot < START + AFTER + 1000; slot++) {
        plain_embedding(a, convs, h->frames + slot * h->frame_bytes, right);
        for (j = 0; j < 16; j++) {
            wrong += h->half[slot * 16 + j] != risei_to_half(right[j]);
            changed += h->half[slot * 16 + j] != h->half[j];
        }
    }
    CHECK(wrong == 0 && changed > 1000);
    free(convs);
    rise_agent_destroy(a);
}
/* A weight that is not finite is not copied to the frozen encoder. After this weight is set to a
   finite number, learning, playing and saving go on. */
static void wrong_weights_are_not_copied(void)
{
    static const float wrong[] = {HUGE_VALF, NAN};
    const char *const path = "snapshot-test.rise";
    int automatic, i;
    for (automatic = 0; automatic < 2; automatic++)
        for (i = 0; i < 2; i++) {
            run r = run_make("embedding=snapshot", automatic ? AFTER : 0);
            int refused = 0, step;
            float kept;
            check_about("automatic %d, weight %g", automatic, (double)wrong[i]);
            run_on(&r, START + 100);
            kept = *rise_agent_parameters(r.agent);
            *rise_agent_parameters(r.agent) = wrong[i];
            if (!automatic) {
                CHECK(rise_agent_snapshot(r.agent) == RISE_NOT_FINITE);
                CHECK(strstr(rise_agent_error(r.agent)->text, "conv layers") != NULL);
            }
            for (step = 0; step < AFTER; step++) {
                int const result = rise_agent_step(r.agent, r.game.frame, 0, RISE_MIDDLE);
                CHECK(result >= 0 || result == RISE_NOT_FINITE);
                CHECK(strstr(rise_agent_error(r.agent)->text, "embedding gave") == NULL);
                refused += result < 0;
            }
            CHECK(refused > 0 && r.agent->learner.snapshots == 0);
            *rise_agent_parameters(r.agent) = kept;
            r.event = RISE_FIRST;
            run_on(&r, 500);
            CHECK(r.agent->learner.snapshots == automatic);
            CHECK(rise_agent_save(r.agent, RISE_SAVE_ALL, path, NULL) == RISE_OK);
            rise_agent_destroy(r.agent);
        }
    remove(path);
    check_about("%s", "");
}
/* A run that is saved at any moment of a snapshot resumes with the same bits. */
static void run_resumes_in_the_middle_of_a_snapshot(void)
{
    const char *const path = "snapshot-test.rise";
    size_t const kept = (size_t)CAPACITY * 16 * sizeof(uint16_t);
    int cut, cuts = 0, midway = 0;
    for (cut = START + AFTER - 40; cut < START + AFTER + 260;
         cuts++, cut += 25 * (check_share > 1 ? 5 : 1)) {
        run r = run_make("embedding=snapshot", AFTER), again;
        rise_error error;
        run_on(&r, cut);
        midway += metrics(r.agent).refreshing > 0;
        check_about("saved after %d steps, %.0f frames left", cut,
                    (double)metrics(r.agent).refreshing);
        CHECK(rise_agent_save(r.agent, RISE_SAVE_ALL, path, &error) == RISE_OK);
        again = r;
        CHECK(rise_agent_load(&again.agent, path, NULL, &error) == RISE_OK);
        CHECK(metrics(again.agent).refreshing == metrics(r.agent).refreshing);
        run_on(&r, 1500);
        run_on(&again, 1500);
        CHECK(memcmp(r.agent->model.weights, again.agent->model.weights,
                     r.agent->model.net.weights_size * sizeof(rise_real)) == 0);
        CHECK(memcmp(r.agent->replay.history.half, again.agent->replay.history.half, kept) == 0);
        CHECK(metrics(again.agent).updates == metrics(r.agent).updates &&
              r.agent->learner.snapshots == 1);
        rise_agent_destroy(r.agent);
        rise_agent_destroy(again.agent);
    }
    remove(path);
    CHECK(midway > cuts / 4);
}
static void other_encoders_refuse_snapshots(void)
{
    run r = run_make("embedding=conv", 0);
    CHECK(rise_agent_snapshot(r.agent) == RISE_BAD_CALL &&
          strstr(rise_agent_error(r.agent)->text, "SNAPSHOT") != NULL);
    CHECK(rise_agent_snapshot(NULL) == RISE_BAD_CALL);
    rise_agent_destroy(r.agent);
}

static const check_test tests[] = {
    TEST(other_encoders_refuse_snapshots),
    TEST(snapshot_embeds_with_copied_convs),
    TEST(wrong_weights_are_not_copied),
    TEST(run_resumes_in_the_middle_of_a_snapshot),
};
int main(int count, char **arguments)
{
    return CHECK_MAIN(count, arguments, tests);
}
