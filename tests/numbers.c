/* Tests agents that see numbers, beside frames or instead of them: what enters the network, the
   statistics, files, threads, publishing, and wrong calls. tests/gradients.c tests the gradients of
   numbers, and tests/replay.c what an update reads of them. */
#define RISE_THREADS
#include "toy.h"

enum { NUMBERS = 5 };

static const char *const kinds[] = {
    "memory=none",
    "memory=rise",
    "memory=full",
    "memory=rise feed_action=1 cell=gru action_masks=1 embedding=user",
    "memory=rise stored window_samples=3",
    "memory=none head=iqn noisy=1 frame_stack=3 fusion=gate",
    "memory=rise fusion=gate plain",
    "memory=full fusion=sum plain layer_norm=1",
    "memory=rise head=c51 embedding=snapshot snapshot_steps=30 wide",
    "memory=none plain raw_frames=1",
};

/* Returns kind k, with frames or without. */
static rise_agent_desc kind_described(int k, int frames)
{
    rise_agent_desc d = described(kinds[k]);
    d.numbers = NUMBERS, d.number_features = 9;
    if (!frames) {
        d.frame_width = d.frame_height = 0;
        d.network = RISE_NETWORK_AUTO, d.conv_count = 0;
        d.embedding = RISE_EMBED_AUTO;
    }
    return d;
}

/* A toy game with numbers: a world, and the numbers of each game's observation, which follow from
   its frame. One number is large, one constant, one tiny. */
typedef struct numbers_world {
    world w;
    float numbers[GAMES * NUMBERS];
} numbers_world;

static rise_result numbers_act(numbers_world *n)
{
    const rise_agent_desc *d = rise_agent_query(n->w.agent);
    return rise_agent_step_all(n->w.agent, d->frame_width > 0 ? n->w.frames : NULL, n->numbers,
                               n->w.rewards, n->w.events, d->action_masks ? n->w.allowed : NULL,
                               n->w.actions);
}
/* Runs some steps. Returns a hash of the actions. */
static uint64_t numbers_run(numbers_world *n, int steps)
{
    uint64_t hash = HASH_START;
    int i;
    while (steps-- > 0) {
        world_move(&n->w);
        for (i = 0; i < GAMES; i++)
            toy_numbers(n->w.frames + i * PIXELS, NUMBERS, n->numbers + i * NUMBERS);
        CHECK(numbers_act(n) == RISE_OK);
        hash = hash_bytes(hash, n->w.actions, sizeof(int));
    }
    return hash;
}
static numbers_world numbers_world_of(const rise_agent_desc *d)
{
    numbers_world n;
    memset(&n, 0, sizeof n);
    n.w = world_of(created(d));
    return n;
}

/* ---------------------------------------------------------------------------------------------- */
/* What enters the network */

/* Returns number j of an observation as the network should see it: `raw`, standardised by the
   agent's own statistics once they are frozen. */
static double expected_number(const rise_agent *a, double raw, int j)
{
    const risei_statistics *const s = &a->numbers;
    double const z = (raw - (double)s->shift[j]) * (double)s->gain[j];
    if (!s->frozen) return raw;
    return z > 8 ? 8 : z < -8 ? -8 : z;
}
/* The numbers of a run, and for each step the step at which its episode began. */
enum { STORY = 90 };
static float story[STORY][NUMBERS];
static int first_step[STORY];

/* Returns whether x is the stack of numbers up to step `at`, as the network should see it. */
static int is_stack(const rise_agent *a, int at, const rise_real *x)
{
    int const stack = a->desc.frame_stack;
    int s, j, wrong = 0;
    for (s = 0; s < stack; s++) {
        int const back = stack - 1 - s;
        int const from = at - back < first_step[at] ? first_step[at] : at - back;
        for (j = 0; j < NUMBERS; j++)
            wrong += !(fabs((double)x[s * NUMBERS + j] -
                            expected_number(a, (double)story[from][j], j)) < 1e-3);
    }
    return wrong == 0;
}
/* Returns whether the window of acting at step `at` has the right numbers: a stack at each step
   with FULL, the numbers of each step with RISE. Steps before the episode have no entries. */
static int is_window(const rise_agent *a, int at)
{
    const risei_sequence *const q = &a->model.pass.sequence;
    const risei_net *const net = &a->model.net;
    int i, j, wrong = q->steps != risei_pass_act_steps(&a->desc);
    for (i = 0; i < q->steps; i++) {
        int const then = at - (q->steps - 1) + i;
        const rise_real *x = q->x + (ptrdiff_t)q->begin[i] * net->cell.in + net->embedding;
        wrong += risei_sequence_active(q, i) != (then >= first_step[at]);
        if (then < first_step[at]) continue;
        if (net->memory->encodes_window)
            wrong += !is_stack(a, then, a->model.numbers + q->begin[i] * net->encoder.numbers.in);
        for (j = 0; j < net->numbers; j++)
            wrong += !(fabs((double)x[j] - expected_number(a, (double)story[then][j], j)) < 1e-3);
    }
    return wrong == 0;
}
/* The network gets stacks of standardised numbers, and the statistics equal those of two passes
   over all numbers of the warm-up. The test keeps the numbers of the run. It checks what acting
   reads, because the inputs of an update overwrite it. */
static void numbers_enter_the_network(void)
{
    int k, frames, step, j;
    for (k = 0; k < COUNT(kinds); k++)
        for (frames = 0; frames < 2; frames++) {
            rise_agent_desc const d = kind_described(k, frames);
            numbers_world n = numbers_world_of(&d);
            const rise_agent *const a = n.w.agent;
            const risei_net *const net = &a->model.net;
            int seen = 0, windows = 0;
            check_about("%s, %s", kinds[k], frames ? "and frames" : "without frames");
            CHECK(net->encoder.numbers.in == NUMBERS * a->desc.frame_stack);
            CHECK(net->encoder.out == net->encoder.image_features + 9);
            CHECK((net->encoder.layers > 0) == frames);
            CHECK(net->numbers == (d.memory == RISE_MEMORY_RISE ? NUMBERS : 0));
            for (step = 0; step < STORY; step++) {
                int64_t const updates = a->model.updates;
                if (!a->numbers.frozen) seen = step + 1;
                numbers_run(&n, 1);
                memcpy(story[step], n.numbers, sizeof story[step]);
                first_step[step] = n.w.events[0] == RISE_FIRST ? step : first_step[step - 1];
                /* only without an update are the inputs of acting still there */
                if (a->model.updates > updates) continue;
                if (!net->memory->encodes_window) CHECK(is_stack(a, step, a->model.numbers));
                if (net->memory->recurrent) CHECK(is_window(a, step));
                windows += a->numbers.frozen && step - first_step[step] > 1;
            }
            CHECK(windows > 5);
            CHECK(a->numbers.frozen && a->numbers.seen == seen && seen > 10 && seen < STORY);
            for (j = 0; j < NUMBERS; j++) {
                double mean = 0, variance = 0;
                for (step = 0; step < seen; step++) mean += (double)story[step][j] / seen;
                for (step = 0; step < seen; step++)
                    variance += pow((double)story[step][j] - mean, 2) / seen;
                CHECK(fabs((double)a->numbers.shift[j] - mean) <= 1e-5 * (1 + fabs(mean)));
                CHECK_NEAR(a->numbers.gain[j], 1 / sqrt(variance + 1e-6), 1e-4);
            }
            rise_agent_destroy(n.w.agent);
        }
}
/* The statistics count each observation of each environment, and none of an absent one. */
static void statistics_count_all_environments(void)
{
    enum { STEPS = 6 };
    rise_agent_desc d = described("memory=none blind environments=3");
    rise_agent *const a = created(&d);
    double sum[TOY_NUMBERS] = {0}, squares[TOY_NUMBERS] = {0};
    int step, lane, j, seen = 0;
    for (step = 0; step < STEPS; step++) {
        float numbers[GAMES * TOY_NUMBERS], rewards[GAMES] = {0};
        rise_event events[GAMES];
        int actions[GAMES];
        for (lane = 0; lane < GAMES; lane++) {
            int const absent = step > 0 && (step + lane) % 3 == 0;
            events[lane] = absent ? RISE_ABSENT : step == 0 ? RISE_FIRST : RISE_MIDDLE;
            seen += !absent;
            for (j = 0; j < d.numbers; j++) {
                float const x = (float)(100 * lane + step * (j + 1));
                numbers[lane * d.numbers + j] = absent ? (float)NAN : x;
                if (!absent) sum[j] += (double)x, squares[j] += (double)x * (double)x;
            }
        }
        CHECK(rise_agent_step_all(a, NULL, numbers, rewards, events, NULL, actions) == RISE_OK);
    }
    CHECK(a->numbers.seen == seen && !a->numbers.frozen);
    for (j = 0; j < d.numbers; j++) {
        CHECK_NEAR(a->numbers.mean[j], sum[j] / seen, 1e-9);
        CHECK_NEAR(a->numbers.squared_deviations[j], squares[j] - sum[j] * sum[j] / seen, 1e-6);
    }
    rise_agent_destroy(a);
}
/* The weights have the variance 1 / (3 inputs), and the biases are at most 1 / sqrt(inputs). A
   layer of zeros would never learn, because its ReLU would pass no gradient. */
static void the_layer_is_initialised(void)
{
    int k, frames;
    for (k = 0; k < COUNT(kinds); k++)
        for (frames = 0; frames < 2; frames++) {
            rise_agent_desc d = kind_described(k, frames);
            const risei_linear *layer;
            rise_agent *a;
            double squares = 0;
            int i, count;
            d.number_features = 64;
            a = created(&d);
            layer = &a->model.net.encoder.numbers, count = layer->in * layer->out;
            check_about("%s, %s", kinds[k], frames ? "and frames" : "without frames");
            for (i = 0; i < count; i++)
                squares += pow((double)a->model.weights[layer->weights + (size_t)i], 2) / count;
            CHECK(fabs(squares * 3 * layer->in - 1) < 0.25);
            for (i = 0; i < layer->out; i++)
                CHECK(fabs((double)a->model.weights[layer->bias + (size_t)i]) <=
                      1 / sqrt(layer->in) + 1e-6);
            rise_agent_destroy(a);
        }
}
/* Two agents with the same frames and actions learn the same weights if their numbers are equal. If
   a number of one step differs, the weights differ. With RISE, numbers enter the window too. */
static void numbers_matter(void)
{
    int k, change;
    for (k = 0; k < COUNT(kinds); k++)
        for (change = 0; change < 2; change++) {
            rise_agent_desc const d = kind_described(k, 1);
            numbers_world a = numbers_world_of(&d), b = numbers_world_of(&d);
            int step;
            check_about("%s", kinds[k]);
            for (step = 0; step < 60; step++) {
                numbers_run(&a, 1);
                world_move(&b.w);
                toy_numbers(b.w.frames, NUMBERS, b.numbers);
                if (change && step == 40) b.numbers[1] += 0.5f;
                CHECK(numbers_act(&b) == RISE_OK);
                memcpy(b.w.actions, a.w.actions, sizeof b.w.actions);
            }
            CHECK((hash_of(a.w.agent) == hash_of(b.w.agent)) == !change);
            CHECK(a.w.agent->model.net.numbers ==
                  (d.memory == RISE_MEMORY_RISE ? NUMBERS : 0));
            rise_agent_destroy(a.w.agent), rise_agent_destroy(b.w.agent);
        }
}

/* Plays a game of four steps with stacks of one observation. Number 0 of the first step is `first`.
   Writes the values of the last step [ACTIONS]. */
static void last_values(const rise_agent_desc *d, float first, float *values)
{
    static const uint8_t frame[PIXELS] = {9, 200, 30};
    rise_agent *const a = created(d);
    int step;
    for (step = 0; step < 4; step++) {
        float const numbers[NUMBERS] = {step == 0 ? first : 0.5f, 0.1f * (float)step, 0, 1, -1};
        CHECK(rise_agent_play_numbers(a, 0, d->frame_width > 0 ? frame : NULL, numbers, 0,
                                      step == 0 ? RISE_FIRST : RISE_MIDDLE, NULL) >= 0);
    }
    memcpy(values, rise_agent_values(a, 0), ACTIONS * sizeof *values);
    rise_agent_destroy(a);
}
/* RISE and FULL remember numbers of earlier steps, with frames and without; NONE does not. */
static void earlier_numbers_are_remembered(void)
{
    static const char *const memories[] = {"memory=none", "memory=rise", "memory=full",
                                           "memory=rise carry_state=1 cell=gru fusion=gate"};
    int k, frames;
    for (k = 0; k < COUNT(memories); k++)
        for (frames = 0; frames < 2; frames++) {
            char words[120];
            float one[ACTIONS], other[ACTIONS], same[ACTIONS];
            rise_agent_desc d;
            snprintf(words, sizeof words, "%s%s", memories[k], frames ? "" : " blind");
            check_about("%s", words);
            d = described(words);
            d.numbers = NUMBERS, d.number_features = 9, d.frame_stack = 1;
            last_values(&d, 2, one), last_values(&d, -2, other), last_values(&d, 2, same);
            CHECK(same_reals(one, same, ACTIONS));
            CHECK(same_reals(one, other, ACTIONS) == (d.memory == RISE_MEMORY_NONE));
        }
}

/* ---------------------------------------------------------------------------------------------- */
/* The same bits: other kernels, threads, the background, files */

static void other_kernels_and_threads_learn_the_same(void)
{
    int k, frames, isa;
    for (k = 0; k < COUNT(kinds); k++)
        for (frames = 0; frames < 2; frames++) {
            rise_agent_desc d = kind_described(k, frames);
            numbers_world one;
            uint64_t hash;
            d.isa = RISE_ISA_REF;
            one = numbers_world_of(&d);
            hash = numbers_run(&one, 90);
            for (isa = 1; isa < RISE_ISA_NEON + 1; isa++) {
                numbers_world other;
                const rise_kernels *const table = rise_kernels_of((rise_isa)isa);
                if (table == NULL || !table->fused) continue;
                d.isa = (rise_isa)isa, d.threads = 1 + isa % 3;
                check_about("%s, %s", kinds[k], table->name);
                other = numbers_world_of(&d);
                CHECK(numbers_run(&other, 90) == hash);
                CHECK(hash_of(other.w.agent) == hash_of(one.w.agent));
                rise_agent_destroy(other.w.agent);
            }
            rise_agent_destroy(one.w.agent);
        }
}
/* A run that is saved and loaded in the middle ends as one without a break does. */
static void files_keep_numbers(void)
{
    static const int moments[] = {5, 21, 60, 100};
    int k, frames, i;
    for (k = 0; k < COUNT(kinds); k++)
        for (frames = 0; frames < 2; frames++)
            for (i = 0; i < COUNT(moments); i++) {
                rise_agent_desc d = kind_described(k, frames);
                numbers_world n, again;
                rise_agent_desc machine;
                buffer file;
                uint64_t hash;
                memset(&machine, 0, sizeof machine);
                machine.embed_fn = toy_embed;
                d.background = i % 2;
                check_about("%s, after %d steps", kinds[k], moments[i]);
                n = numbers_world_of(&d);
                numbers_run(&n, moments[i]);
                file = saved(n.w.agent, RISE_SAVE_ALL);
                again = n;
                again.w.agent = loaded(&file, &machine);
                hash = numbers_run(&n, 40);
                CHECK(numbers_run(&again, 40) == hash);
                CHECK(state_of(again.w.agent) == state_of(n.w.agent));
                free(file.data);
                rise_agent_destroy(n.w.agent), rise_agent_destroy(again.w.agent);
            }
}
static void other_shapes_are_refused(void)
{
    rise_agent_desc d = kind_described(1, 1), machine;
    numbers_world n = numbers_world_of(&d);
    buffer file;
    numbers_run(&n, 30);
    file = saved(n.w.agent, RISE_SAVE_AGENT);
    memset(&machine, 0, sizeof machine);
    machine.numbers = NUMBERS + 1;
    load_refused(&file, &machine, RISE_MISMATCH, "numbers is 6");
    machine.numbers = 0, machine.number_features = 8;
    load_refused(&file, &machine, RISE_MISMATCH, "number_features is 8");
    free(file.data);
    rise_agent_destroy(n.w.agent);
}
/* A policy plays as its learner does, and what is published plays as the learner. */
static void policies_play_with_numbers(void)
{
    int k, frames;
    for (k = 0; k < COUNT(kinds); k++)
        for (frames = 0; frames < 2; frames++) {
            rise_agent_desc d = kind_described(k, frames), only;
            numbers_world n = numbers_world_of(&d);
            rise_agent *policy, *published;
            buffer file;
            toy game;
            int step;
            check_about("%s, %s", kinds[k], frames ? "and frames" : "without frames");
            numbers_run(&n, 90);
            only = d, only.play_only = 1;
            only.background = k % 2; /* then the player takes what is published at its next call */
            published = created(&only);
            CHECK(rise_agent_publish(n.w.agent, published) == RISE_OK);
            file = saved(n.w.agent, RISE_SAVE_POLICY);
            memset(&only, 0, sizeof only);
            only.play_only = 1, only.embed_fn = toy_embed;
            policy = loaded(&file, &only);
            memset(&game, 0, sizeof game);
            game.dice = 99;
            for (step = 0; step < 40; step++) {
                uint8_t frame[PIXELS], allowed[ACTIONS];
                float numbers[NUMBERS], reward;
                rise_event const event = toy_next(&game, 1, frame, allowed, &reward);
                const uint8_t *const pixels = frames ? frame : NULL;
                int action;
                toy_numbers(frame, NUMBERS, numbers);
                action = rise_agent_play_numbers(n.w.agent, 0, pixels, numbers, reward, event,
                                                 NULL);
                CHECK(action >= 0);
                CHECK(rise_agent_play_numbers(policy, 0, pixels, numbers, reward, event, NULL) ==
                      action);
                CHECK(rise_agent_play_numbers(published, 0, pixels, numbers, reward, event, NULL) ==
                      action);
                CHECK(same_reals(rise_agent_values(policy, 0), rise_agent_values(n.w.agent, 0),
                                 ACTIONS));
                CHECK(same_reals(rise_agent_values(published, 0), rise_agent_values(n.w.agent, 0),
                                 ACTIONS));
            }
            free(file.data);
            rise_agent_destroy(policy), rise_agent_destroy(published);
            rise_agent_destroy(n.w.agent);
        }
}

/* Players that play together, and alone, see their own numbers and no one else's. */
static void players_see_their_own_numbers(void)
{
    int k, frames;
    for (k = 0; k < COUNT(kinds); k++)
        for (frames = 0; frames < 2; frames++) {
            rise_agent_desc d = kind_described(k, frames);
            rise_agent *const together = created(&d), *const alone = created(&d);
            const risei_history *const h = &together->players.history;
            int step, i;
            check_about("%s, %s", kinds[k], frames ? "and frames" : "without frames");
            for (step = 0; step < 12; step++) {
                uint8_t pixels[2 * PIXELS], allowed[2 * ACTIONS];
                float numbers[2 * NUMBERS], rewards[2] = {0, 0};
                rise_event const event = step % 7 == 0 ? RISE_FIRST : RISE_MIDDLE;
                rise_event const events[2] = {event, event};
                int actions[2];
                memset(allowed, 1, sizeof allowed);
                for (i = 0; i < 2 * PIXELS; i++) pixels[i] = (uint8_t)(step * 37 + i * 11);
                for (i = 0; i < 2; i++)
                    toy_numbers(pixels + i * PIXELS, NUMBERS, numbers + i * NUMBERS);
                CHECK(rise_agent_play_all(together, frames ? pixels : NULL, numbers, rewards,
                                          events, allowed, actions) == RISE_OK);
                for (i = 1; i >= 0; i--) {
                    CHECK(same_reals(h->raw_numbers + risei_history_newest(h, i) * NUMBERS,
                                     numbers + i * NUMBERS, NUMBERS));
                    CHECK(rise_agent_play_numbers(alone, i, frames ? pixels + i * PIXELS : NULL,
                                                  numbers + i * NUMBERS, 0, event, allowed) ==
                          actions[i]);
                    CHECK(same_reals(rise_agent_values(alone, i), rise_agent_values(together, i),
                                     ACTIONS));
                }
                /* numbers are raw, and raw ones saturate the softmax of C51 */
                CHECK(d.head == RISE_HEAD_C51 || !same_reals(rise_agent_values(alone, 0),
                                                             rise_agent_values(alone, 1), ACTIONS));
            }
            CHECK(together->numbers.seen == 0);
            rise_agent_destroy(together), rise_agent_destroy(alone);
        }
}

/* ---------------------------------------------------------------------------------------------- */
/* Wrong calls and descriptions */

static void wrong_numbers_are_refused(void)
{
    static const float odd[] = {(float)NAN, (float)INFINITY, -(float)INFINITY};
    rise_agent_desc d = kind_described(1, 1);
    numbers_world n = numbers_world_of(&d);
    rise_agent *const a = n.w.agent;
    uint64_t state;
    int i;
    numbers_run(&n, 30);
    state = state_of(a);
    world_move(&n.w);
    for (i = 0; i < NUMBERS; i++) {
        n.numbers[i] = odd[i % COUNT(odd)];
        CHECK(numbers_act(&n) == RISE_NOT_FINITE);
        CHECK(strstr(rise_agent_error(a)->text, "number ") != NULL);
        CHECK(rise_agent_play_numbers(a, 0, n.w.frames, n.numbers, 0, RISE_FIRST, NULL) ==
              RISE_NOT_FINITE);
        n.numbers[i] = 0;
        CHECK(state_of(a) == state);
    }
    CHECK(rise_agent_step(a, n.w.frames, 0, n.w.events[0]) == RISE_BAD_CALL);
    CHECK(strstr(rise_agent_error(a)->text, "functions with _numbers") != NULL);
    CHECK(rise_agent_play(a, 0, n.w.frames, 0, RISE_FIRST, NULL) == RISE_BAD_CALL);
    CHECK(strstr(rise_agent_error(a)->text, "functions with _numbers") != NULL);
    CHECK(rise_agent_step_numbers(a, NULL, n.numbers, 0, n.w.events[0]) == RISE_BAD_CALL);
    CHECK(state_of(a) == state);
    rise_agent_destroy(a);
    d = kind_described(1, 0);
    n = numbers_world_of(&d);
    CHECK(rise_agent_step_numbers(n.w.agent, n.w.frames, n.numbers, 0, RISE_FIRST) ==
          RISE_BAD_CALL);
    CHECK(strstr(rise_agent_error(n.w.agent)->text, "frames is not NULL") != NULL);
    CHECK(rise_agent_step_numbers(n.w.agent, NULL, n.numbers, 0, RISE_FIRST) >= 0);
    rise_agent_destroy(n.w.agent);
    d = described("memory=none");
    n.w = world_of(created(&d));
    CHECK(rise_agent_step_numbers(n.w.agent, n.w.frames, n.numbers, 0, RISE_FIRST) ==
          RISE_BAD_CALL);
    CHECK(strstr(rise_agent_error(n.w.agent)->text, "desc.numbers is 0") != NULL);
    rise_agent_destroy(n.w.agent);
}
/* The largest numbers have a variance whose inverse is a denormal. The gain is not, so it stays
   above 0 on a machine that replaces denormals by 0. */
static void the_largest_numbers_have_a_gain(void)
{
    rise_agent_desc d = described("memory=none blind");
    rise_agent *a;
    int i;
    d.numbers = 1;
    a = created(&d);
    for (i = 0; i < 4 * d.learn_start; i++) {
        float const number = i % 4 == 0 ? FLT_MAX : -FLT_MAX;
        CHECK(rise_agent_step_numbers(a, NULL, &number, 0, i == 0 ? RISE_FIRST : RISE_MIDDLE) >= 0);
    }
    CHECK(a->numbers.frozen && a->numbers.gain[0] >= FLT_MIN && a->model.updates > 0);
    rise_agent_destroy(a);
}
static void wrong_descriptions_are_refused(void)
{
    static const struct {
        int width, height, numbers, conv_count, network;
        const char *text;
    } wrong[] = {
        {0, 0, 0, 0, 0, "frame_width is 0"},
        {0, 5, 3, 0, 0, "frame_width is 0"},
        {5, 0, 3, 0, 0, "frame_height is 0"},
        {0, 0, 1025, 0, 0, "numbers is 1025"},
        {0, 0, -1, 0, 0, "numbers is -1"},
        {0, 0, 3, 1, 0, "no conv layers"},
        {0, 0, 3, 0, RISE_NETWORK_NATURE, "no conv layers"},
        {5, 5, 3, 0, RISE_NETWORK_CUSTOM, "conv_count is 0"},
    };
    int i;
    for (i = 0; i < COUNT(wrong); i++) {
        rise_agent_desc d;
        rise_error error;
        memset(&d, 0, sizeof d);
        d.actions = 2;
        d.frame_width = wrong[i].width, d.frame_height = wrong[i].height;
        d.numbers = wrong[i].numbers, d.conv_count = wrong[i].conv_count;
        d.network = (rise_network)wrong[i].network;
        check_about("%s", wrong[i].text);
        CHECK(rise_agent_resolve(&d, &error) == RISE_BAD_DESC);
        CHECK(strstr(error.text, wrong[i].text) != NULL);
        CHECK(rise_agent_bytes(&d, &error) == 0);
    }
}
/* An agent that sees only numbers has these defaults, and allocates exactly the bytes that
   rise_agent_bytes returns. */
static void numbers_alone_have_defaults(void)
{
    rise_agent_desc d;
    rise_agent *a;
    rise_error error;
    size_t bytes;
    memset(&d, 0, sizeof d);
    d.numbers = 4, d.actions = 2;
    CHECK(rise_agent_resolve(&d, &error) == RISE_OK);
    CHECK(d.network == RISE_NETWORK_SMALL && d.conv_count == 0 && d.number_features == 128);
    CHECK(d.frame_stack == 4 && d.learn_start == 1000 && d.memory == RISE_MEMORY_RISE);
    bytes = rise_agent_bytes(&d, &error);
    CHECK(bytes > 0 && bytes < 12 * 1000 * 1000);
    a = created(&d);
    CHECK(toy_memory.newest == bytes);
    rise_agent_destroy(a);
}
/* metrics.bytes_per_step grows by 4 bytes for each number of an observation. */
static void numbers_count_in_the_bytes_of_a_step(void)
{
    rise_agent_desc d = described("memory=rise");
    double before = 0;
    int i;
    for (i = 0; i < 2; i++) {
        rise_metrics m;
        rise_agent *a;
        d.numbers = i * NUMBERS;
        a = created(&d);
        rise_agent_metrics(a, &m);
        if (i > 0) CHECK(fabs((double)m.bytes_per_step - before - 4.0 * NUMBERS) < 0.5);
        before = (double)m.bytes_per_step;
        rise_agent_destroy(a);
    }
}

static const check_test tests[] = {
    TEST(numbers_enter_the_network),
    TEST(statistics_count_all_environments),
    TEST(the_layer_is_initialised),
    TEST(numbers_matter),
    TEST(earlier_numbers_are_remembered),
    TEST(other_kernels_and_threads_learn_the_same),
    TEST(files_keep_numbers),
    TEST(other_shapes_are_refused),
    TEST(policies_play_with_numbers),
    TEST(players_see_their_own_numbers),
    TEST(wrong_numbers_are_refused),
    TEST(the_largest_numbers_have_a_gain),
    TEST(wrong_descriptions_are_refused),
    TEST(numbers_alone_have_defaults),
    TEST(numbers_count_in_the_bytes_of_a_step),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
