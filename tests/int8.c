/* Tests policies with 8-bit weights: what they compute, their files, and what is refused. The tests
   of kernels.c and files.c have their kernels, and damage to their files.
       cc -O2 tests/int8.c -o int8 -pthread -lm && ./int8 */
#define RISE_THREADS
#define RISEI_THREADS_MINIMUM 500 /* divides many jobs of toy agents */
#include "toy.h"
#include "agent_file.h"

enum { STEPS = 40 };
#define UNIT (0.5 * (double)FLT_EPSILON) /* unit roundoff */

static const char *const words[] = {
    "memory=none",
    "memory=rise",
    "memory=rise cell=gru fusion=gate feed_action=1 carry_state=1",
    "memory=full cell=mingru head=c51 fusion=sum layer_norm=1",
    "memory=full feed_action=1 layer_norm=1 wide",
    "memory=none head=iqn noisy=1 plain",
    "memory=rise head=c51 residual spectral_norm=1 embedding=conv panels",
    "memory=full munchausen=1 noisy=1 residual spectral_norm=1",
    "memory=rise numbers=3 number_features=5 embedding=user panels",
    "memory=rise blind cell=gru head=iqn fusion=gate no_dueling=1",
    "memory=none blind panels",
    "memory=rise embedding=snapshot snapshot_steps=3 embedding_f32=1 fusion=sum",
    "memory=none impala layer_norm=1",
    "memory=none features=1 head_units=1 no_dueling=1",
};
/* With CHECK_QUICK, slow tests take one kind of agent in KINDS_EACH. */
enum { KINDS_EACH = check_share > 1 ? 3 : 1 };

/* ---------------------------------------------------------------------------------------------- */
/* Tools */

/* Plays as player 0, every second step with a mask. Writes q [steps][ACTIONS]. */
static void play_steps(rise_agent *a, int steps, float *q)
{
    toy t = {11, 0, 0};
    uint8_t allowed[ACTIONS];
    int i;
    for (i = 0; i < steps; i++) {
        int const action = toy_play(a, 0, &t, i % ACTIONS, i % 2, allowed);
        CHECK(action >= 0 && action < ACTIONS && (i % 2 == 0 || allowed[action]));
        memcpy(q + i * ACTIONS, rise_agent_values(a, 0), ACTIONS * sizeof *q);
    }
}
/* Writes q [STEPS][ACTIONS]. */
static void play(rise_agent *a, float *q) { play_steps(a, STEPS, q); }
static rise_agent *loaded_on(buffer *b, rise_isa isa, int threads)
{
    rise_agent_desc machine = machine_for(RISE_SAVE_INT8);
    machine.isa = isa, machine.threads = threads;
    return loaded(b, &machine);
}
/* Returns the address of a float weight. */
static float *weight_at(float *w, const risei_layer *l, int input, int output)
{
    rise_matrix const m = risei_layer_matrix(l, w);
    return w + l->weights + risei_walk_offset(&m.rows, input) + risei_matrix_column(&m, output);
}
/* Returns the bytes that the weights of a layer take. */
static size_t bytes_of(const risei_layer *l) { return 4 * (l->scales - l->weights); }
static int8_t *byte_at(float *w, const risei_layer *l, int input, int output)
{
    int const even = risei_int8_even(l->run), block = output / 16, at = output % 16;
    int const width = l->outputs - block * 16 < 16 ? l->outputs - block * 16 : 16;
    int const run = input / l->run, k = input % l->run;
    return (int8_t *)(void *)(w + l->weights) + block * 16 * l->runs * even +
           ((run * even + k) / 2 * width + at) * 2 + k % 2;
}
static int inputs_of(const risei_layer *l) { return l->runs * l->run; }
static int has_bias(const risei_net *n, const risei_layer *l)
{
    size_t const end = l->bias + (size_t)l->outputs;
    risei_layer next;
    int i;
    for (i = 0; risei_net_layer(n, i, &next); i++)
        if (next.weights >= l->bias && next.weights < end) return 0;
    return end <= n->weights_size;
}

/* ---------------------------------------------------------------------------------------------- */
/* What is computed */

/* One layer with random weights. */
typedef struct layer {
    risei_linear linear;
    float *w, *x, *y;
    int16_t q[512];
    int rows, relu, accumulate;
    ptrdiff_t x_stride, y_stride;
} layer;

/* Checks y against doubles; `before` are the y that the layer adds to. Returns whether each is as
   close as three roundings allow. */
static int layer_is_right(layer *l, const float *before)
{
    const risei_linear *const n = &l->linear;
    risei_layer const any = risei_layer_of_linear(n);
    int row, j, k, right = 1;
    for (row = 0; row < l->rows; row++) {
        const rise_kernels *const ref = rise_kernels_of(RISE_ISA_REF);
        double const scale =
            (double)ref->int8_round(n->in, l->x + row * l->x_stride,
                                    risei_int8_limit(risei_int8_even(n->in)), l->q);
        for (j = 0; j < n->out; j++) {
            ptrdiff_t const at = row * l->y_stride + j;
            double from = n->has_bias ? (double)l->w[n->bias + (size_t)j] : 0, sum = 0, product;
            if (l->accumulate) from = (double)before[at];
            for (k = 0; k < n->in; k++) sum += (double)l->q[k] * *byte_at(l->w, &any, k, j);
            product = sum * scale * (double)l->w[n->scales + (size_t)j];
            sum = from + product;
            if (l->relu && sum < 0) sum = 0;
            right &= fabs((double)l->y[at] - sum) <= 6 * UNIT * (fabs(from) + fabs(product));
        }
    }
    return right;
}
static void layer_case(risei_random *dice, int in, int out, int rows, int kind)
{
    enum { MOST = 9 * 580 };
    static float w[40000], x[MOST], y[MOST], before[MOST], first[MOST];
    risei_parameters p = {3, 1};
    risei_device device = {NULL, NULL, NULL, 0, 0};
    static int16_t scratch[4 * 514];
    layer l;
    risei_layer any;
    int isa, i, k, seen = 0;
    memset(&l, 0, sizeof l);
    l.linear = risei_linear_make(&p, in, out, kind != 2);
    any = risei_layer_of_linear(&l.linear);
    memset(w, 0, sizeof w); /* also the weights that pad rows */
    l.w = w, l.x = x, l.y = y, l.rows = rows, l.relu = kind == 1, l.accumulate = kind == 2;
    l.x_stride = in + kind, l.y_stride = out + 3;
    if (!CHECK(p.count <= COUNT(w) && (size_t)rows * (size_t)(in + out + 5) <= COUNT(x))) return;
    for (i = (int)l.linear.scales; i < (int)p.count; i++) w[i] = risei_random_normal(dice);
    for (i = 0; i < out; i++)
        for (k = 0; k < in; k++)
            *byte_at(w, &any, k, i) = (int8_t)(risei_random_below(dice, 255) - 127);
    for (i = 0; i < MOST; i++) x[i] = risei_random_normal(dice), before[i] = (float)(i % 7 - 3);
    device.scratch = scratch;
    for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
        device.kernels = rise_kernels_of((rise_isa)isa);
        if (device.kernels == NULL) continue;
        check_about("%d x %d, %d rows, kind %d, %s", in, out, rows, kind, device.kernels->name);
        memcpy(y, before, sizeof y);
        risei_linear_multiply(&device, &l.linear, w, rows, x, l.x_stride, y, l.y_stride, l.relu,
                              l.accumulate);
        CHECK(layer_is_right(&l, before));
        for (i = out; i < (int)l.y_stride; i++) CHECK(same_reals(&y[i], &before[i], 1));
        if (seen++ == 0) memcpy(first, y, sizeof y);
        CHECK(same_reals(y, first, MOST));
    }
}
static void layers_compute_what_their_scales_say(void)
{
    static const int in[] = {1, 2, 3, 4, 5, 31, 32, 33, 64, 70, 127, 500};
    static const int out[] = {1, 2, 5, 16, 33, 70};
    risei_random dice = risei_random_stream(5, 5);
    int i, j, rows;
    for (i = 0; i < COUNT(in); i++)
        for (j = 0; j < COUNT(out); j++)
            for (rows = 1; rows <= 9; rows += rows < 5 ? 1 : 4)
                layer_case(&dice, in[i], out[j], rows, (i + j + rows) % 3);
}

/* Checks output f of pixel (oy, ox) against doubles. */
static int output_is_right(float *w, const risei_conv *c, const int16_t *q, double scale,
                           const risei_image *x, int oy, int ox, int f, double y, double before,
                           int relu)
{
    risei_layer const l = risei_layer_of_conv(c);
    double sum = 0, product;
    int k;
    for (k = 0; k < inputs_of(&l); k++) {
        int const iy = oy * c->stride - c->pad + k / c->channels / c->size;
        int const ix = ox * c->stride - c->pad + k / c->channels % c->size;
        sum += (double)q[risei_image_at(x, iy, ix) + k % c->channels] * *byte_at(w, &l, k, f);
    }
    product = sum * scale * (double)w[l.scales + (size_t)f];
    sum = before + (double)w[l.bias + (size_t)f] + product;
    if (relu && sum < 0) sum = 0;
    return fabs(y - sum) <= 8 * UNIT * (fabs(before) + 3 + fabs(product));
}
enum { SIDE = 9, CONV_MOST = 8000, IMAGES = 2 };
/* A conv, what it reads, and its output for each kind. kind & 1: relu. kind & 2: accumulate. */
typedef struct conv_test {
    risei_conv conv;
    float w[3 * CONV_MOST], x[CONV_MOST], before[CONV_MOST], y[4][CONV_MOST];
    risei_image in, out;
} conv_test;

/* Makes a conv with random weights. Returns 0 if an array is too small. */
static int conv_begin(conv_test *t, risei_random *dice, const rise_conv *desc, int channels)
{
    risei_parameters p = {3, 1};
    risei_layer l;
    int i, k;
    t->conv = risei_conv_make(&p, desc, SIDE, SIDE - 2, channels);
    l = risei_layer_of_conv(&t->conv);
    t->in = risei_image_make(SIDE, SIDE - 2, channels, desc->pad);
    t->out = risei_image_make(t->conv.out_height, t->conv.out_width, desc->filters,
                              t->conv.stride - 1);
    t->in.data = t->x;
    if (!CHECK(p.count <= COUNT(t->w) && IMAGES * risei_image_size(&t->in) < CONV_MOST &&
               IMAGES * risei_image_size(&t->out) <= CONV_MOST))
        return 0;
    for (i = 0; i < (int)p.count; i++) t->w[i] = risei_random_normal(dice);
    memset(t->w + l.weights, 0, bytes_of(&l)); /* also the weights that pad runs */
    for (i = 0; i < l.outputs; i++)
        for (k = 0; k < inputs_of(&l); k++)
            *byte_at(t->w, &l, k, i) = (int8_t)(risei_random_below(dice, 256) - 128);
    for (i = 0; i < CONV_MOST; i++)
        t->x[i] = risei_random_normal(dice), t->before[i] = (float)(i % 7 - 3);
    return 1;
}
/* Checks all outputs of a kind against doubles, and that nothing else was written. */
static void conv_check(conv_test *t, int kind)
{
    static int16_t q[CONV_MOST];
    static unsigned char is_output[CONV_MOST];
    const rise_kernels *const ref = rise_kernels_of(RISE_ISA_REF);
    int const each = (int)risei_image_size(&t->in);
    int const limit =
        risei_int8_limit(t->conv.size * risei_int8_even(t->conv.size * t->conv.channels));
    int n, oy, ox, f, right = 1, kept = 1;
    memset(is_output, 0, sizeof is_output);
    for (n = 0; n < IMAGES; n++) {
        double const scale = (double)ref->int8_round(each, t->x + n * each, limit, q);
        for (oy = 0; oy < t->out.height; oy++)
            for (ox = 0; ox < t->out.width; ox++)
                for (f = 0; f < t->conv.filters; f++) {
                    ptrdiff_t const at =
                        n * risei_image_size(&t->out) + risei_image_at(&t->out, oy, ox) + f;
                    is_output[at] = 1;
                    right &= output_is_right(t->w, &t->conv, q, scale, &t->in, oy, ox, f,
                                             (double)t->y[kind][at],
                                             kind > 1 ? (double)t->before[at] : 0, kind & 1);
                }
    }
    for (n = 0; n < CONV_MOST; n++)
        kept &= is_output[n] || same_reals(&t->y[kind][n], &t->before[n], 1);
    CHECK(right && kept);
}
/* One conv on all tables, which give the same bits. */
static void conv_case(risei_random *dice, const rise_conv *desc, int channels)
{
    static conv_test t;
    static unsigned char scratch[2 * CONV_MOST];
    static float y[CONV_MOST];
    risei_device device = {NULL, NULL, NULL, 0, 0};
    int isa, kind;
    if (!conv_begin(&t, dice, desc, channels)) return;
    CHECK(risei_conv_bytes(&t.conv, IMAGES, 0) <= sizeof scratch);
    device.scratch = scratch;
    for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++)
        for (kind = 0; kind < 4; kind++) {
            device.kernels = rise_kernels_of((rise_isa)isa);
            if (device.kernels == NULL) continue;
            check_about("size %d, stride %d, pad %d, %d channels, %d filters, kind %d, %s",
                        desc->size, desc->stride, desc->pad, channels, desc->filters, kind,
                        device.kernels->name);
            memcpy(y, t.before, sizeof y);
            t.out.data = y;
            risei_conv_forward(&device, &t.conv, t.w, IMAGES, &t.in, &t.out, kind & 1, kind > 1);
            if (isa == RISE_ISA_REF) {
                memcpy(t.y[kind], y, sizeof y);
                conv_check(&t, kind);
            }
            CHECK(same_reals(y, t.y[kind], CONV_MOST));
        }
}
static void convs_compute_what_their_scales_say(void)
{
    static const int filters[] = {1, 5, 8, 15, 16, 17, 24, 35};
    risei_random dice = risei_random_stream(6, 5);
    rise_conv desc;
    int i;
    memset(&desc, 0, sizeof desc);
    for (i = 0; i < COUNT(filters); i++)
        for (desc.size = 1; desc.size <= 4; desc.size++) {
            desc.filters = filters[i];
            desc.stride = 1 + (i + desc.size) % 3, desc.pad = (i + desc.size) % 2;
            conv_case(&dice, &desc, 1 + (i * 3 + desc.size) % 5);
        }
}

/* All tables that fuse give the same bits. Agents of 3 threads divide their jobs, and give these
   bits, too. They play a quarter of the steps, because each job waits for three threads. */
static void every_table_computes_the_same(void)
{
    static float first[STEPS * ACTIONS], q[STEPS * ACTIONS];
    int k, isa, threads;
    for (k = 0; k < COUNT(words); k += KINDS_EACH) {
        world w = world_begin(words[k], 60);
        buffer b = saved(w.agent, RISE_SAVE_INT8);
        rise_agent *a = loaded_on(&b, RISE_ISA_REF, 1);
        play(a, first);
        rise_agent_destroy(a), rise_agent_destroy(w.agent);
        for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++)
            for (threads = 1; threads <= 3; threads += 2) {
                const rise_kernels *const kernels = rise_kernels_of((rise_isa)isa);
                int const steps = threads > 1 ? STEPS / 4 : STEPS;
                if (kernels == NULL || !kernels->fused) continue;
                check_about("%s, %s, %d threads", words[k], kernels->name, threads);
                a = loaded_on(&b, (rise_isa)isa, threads);
                play_steps(a, steps, q);
                CHECK(same_reals(q, first, (size_t)(steps * ACTIONS)));
                rise_agent_destroy(a);
            }
        free(b.data);
    }
}

/* Writes the weights that an agent's 8-bit layers stand for into an agent of floats, and checks
   that each differs from the float weight by at most half a scale. */
static void dequantise(rise_agent *from, rise_agent *to)
{
    risei_layer a, b;
    int i, j, k;
    for (i = 0; risei_net_layer(&from->model.net, i, &a); i++) {
        CHECK(risei_net_layer(&to->model.net, i, &b) && a.runs == b.runs && a.run == b.run &&
              a.outputs == b.outputs);
        for (j = 0; j < a.outputs; j++) {
            double const scale = (double)from->model.weights[a.scales + (size_t)j];
            int reached = 0, close = 1;
            for (k = 0; k < inputs_of(&a); k++) {
                int const byte = *byte_at(from->model.weights, &a, k, j);
                float *const weight = weight_at(to->model.weights, &b, k, j);
                /* the file of 8-bit weights has normalised ones; these are not compared */
                int const other = !a.panels && to->desc.spectral_norm;
                double const off = other ? 0 : fabs((double)*weight - scale * byte);
                close &= off <= scale * (0.5 + 256 * UNIT);
                close &= byte >= -127;
                reached |= byte == 127 || byte == -127;
                *weight = (float)(scale * byte);
            }
            CHECK(close && (reached || scale <= 0));
            CHECK(!has_bias(&from->model.net, &a) ||
                  same_reals(from->model.weights + a.bias + j, to->model.weights + b.bias + j, 1));
        }
    }
    CHECK(i >= 2);
}
/* Q is close to that of an agent of floats with the same weights, but not the same. Only the inputs
   of layers are rounded, to multiples of at most 1/63 of the largest. */
static void values_are_those_of_the_weights(void)
{
    static float exact[STEPS * ACTIONS], q[STEPS * ACTIONS];
    double worst_all = 0;
    int k, i;
    for (k = 0; k < COUNT(words); k += KINDS_EACH) {
        world w = world_begin(words[k], 60);
        buffer b = saved(w.agent, RISE_SAVE_INT8), policy = saved(w.agent, RISE_SAVE_POLICY);
        rise_agent *const a = loaded_on(&b, RISE_ISA_AUTO, 1);
        rise_agent *const f = loaded_on(&policy, RISE_ISA_AUTO, 1);
        double worst = 0, largest = 0;
        check_about("%s", words[k]);
        CHECK(rise_agent_query(a)->weight_bits == 8 && rise_agent_query(f)->weight_bits == 32);
        CHECK(b.size < policy.size);
        dequantise(a, f);
        play(a, q), play(f, exact);
        for (i = 0; i < COUNT(q); i++) {
            double const off = fabs((double)q[i] - (double)exact[i]);
            if (!(off <= worst)) worst = off;
            if (fabs((double)exact[i]) > largest) largest = fabs((double)exact[i]);
        }
        check_about("%s: off by %g of %g", words[k], worst, largest);
        CHECK(worst <= 0.01 * largest && worst > 0);
        if (worst / largest > worst_all) worst_all = worst / largest;
        rise_agent_destroy(a), rise_agent_destroy(f), rise_agent_destroy(w.agent);
        free(b.data), free(policy.data);
    }
    check_note("at most %.2g of the largest Q", worst_all);
}

/* ---------------------------------------------------------------------------------------------- */
/* What is saved */

/* A learner, a player with floats and a player with 8-bit weights save the same INT8 file, and the
   last also as POLICY. */
static void all_save_the_same_policy(void)
{
    int k;
    for (k = 0; k < COUNT(words); k += KINDS_EACH) {
        world w = world_begin(words[k], 60);
        buffer file[4];
        buffer policy = saved(w.agent, RISE_SAVE_POLICY), none = {NULL, 0, 0, SIZE_MAX, 0};
        rise_agent *const f = loaded_on(&policy, RISE_ISA_AUTO, 1), *a;
        rise_error error;
        int i;
        check_about("%s", words[k]);
        file[0] = saved(w.agent, RISE_SAVE_INT8), file[1] = saved(f, RISE_SAVE_INT8);
        a = loaded_on(&file[0], RISE_ISA_AUTO, 1);
        file[2] = saved(a, RISE_SAVE_INT8), file[3] = saved(a, RISE_SAVE_POLICY);
        for (i = 1; i < 4; i++) CHECK(same_buffers(&file[0], &file[i]));
        for (i = 0; i < 2; i++)
            CHECK(rise_agent_write(a, i == 0 ? RISE_SAVE_AGENT : RISE_SAVE_ALL, buffer_write, &none,
                                   &error) == RISE_BAD_CALL &&
                  strstr(error.text, "play_only") != NULL && none.size == 0);
        CHECK(rise_agent_publish(w.agent, a) == RISE_MISMATCH);
        CHECK(strstr(rise_agent_error(w.agent)->text, "weight_bits") != NULL);
        CHECK(rise_agent_parameters(a) == NULL && rise_agent_parameters(f) != NULL);
        for (i = 0; i < 4; i++) free(file[i].data);
        free(policy.data);
        rise_agent_destroy(a), rise_agent_destroy(f), rise_agent_destroy(w.agent);
    }
}
/* Weights that are not finite are not saved, wherever they are. */
static void nonsense_has_no_bytes(void)
{
    static const float odd[] = {HUGE_VALF, -HUGE_VALF, NAN};
    world w = tiny_world("memory=rise", 20);
    int const count = (int)w.agent->model.net.parameters;
    int i, j;
    for (i = 0; i < count; i++)
        for (j = 0; j < 3; j++) {
            float *const at = rise_agent_parameters(w.agent) + i, was = *at;
            buffer b = {NULL, 0, 0, SIZE_MAX, 0};
            rise_error error;
            check_about("parameter %d is %g", i, (double)odd[j]);
            *at = odd[j];
            CHECK(rise_agent_write(w.agent, RISE_SAVE_INT8, buffer_write, &b, &error) ==
                  RISE_NOT_FINITE);
            CHECK(b.size == 0 && strstr(error.text, "weight") != NULL);
            *at = was;
        }
    rise_agent_destroy(w.agent);
}
/* Weights of extreme sizes have the right bytes, checked in one output. The bytes are 0 where the
   scale would be a denormal float. */
static void extreme_weights_are_saved(void)
{
    static const float sizes[] = {FLT_MAX, 1e30f, 1e-30f, 200 * FLT_MIN, FLT_MIN, 1e-43f, 1e-45f};
    int i, j, k;
    for (i = 0; i < COUNT(sizes); i++) {
        world w = tiny_world("memory=none blind", 0);
        rise_agent *a;
        buffer b;
        risei_layer from, to;
        from = risei_layer_of_linear(&w.agent->model.net.heads.hidden);
        for (j = 0; j < from.outputs; j++)
            for (k = 0; k < from.run; k++)
                *weight_at(rise_agent_parameters(w.agent), &from, k, j) =
                    k == 0 ? -sizes[i] : sizes[i] / 3;
        b = saved(w.agent, RISE_SAVE_INT8);
        a = loaded_on(&b, RISE_ISA_AUTO, 1);
        to = risei_layer_of_linear(&a->model.net.heads.hidden);
        check_about("weights of %g", (double)sizes[i]);
        for (k = 0; k < to.run; k++) {
            int const byte = *byte_at(a->model.weights, &to, k, 0);
            CHECK(byte == (sizes[i] <= 100 * FLT_MIN ? 0 : k == 0 ? -127 : 42));
        }
        rise_agent_destroy(a), rise_agent_destroy(w.agent);
        free(b.data);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* What is refused, and what does no harm */

static void refuses_desc(const char *text, const char *sentence)
{
    rise_agent_desc d = described(text);
    rise_agent *a;
    rise_error error = {RISE_OK, ""};
    rise_result const result = rise_agent_create(&a, &d, &error);
    check_about("%s: \"%s\"", text, error.text);
    CHECK(result == RISE_BAD_DESC && a == NULL && strstr(error.text, sentence) != NULL);
    CHECK(rise_agent_bytes(&d, &error) == 0 && error.result == RISE_BAD_DESC);
}
static void wrong_descriptions_are_refused(void)
{
    refuses_desc("weight_bits=8", "play_only must be 1");
    refuses_desc("weight_bits=8 play_only=1 noisy=1", "noisy and spectral_norm 0");
    refuses_desc("weight_bits=8 play_only=1 spectral_norm=1", "noisy and spectral_norm 0");
    refuses_desc("weight_bits=9 play_only=1", "it must be 8 or 32");
    refuses_desc("weight_bits=16 play_only=1", "it must be 8 or 32");
    refuses_desc("weight_bits=31", "it must be 8 or 32");
}
/* An agent that is created, not loaded, has weights of 0, so its values are 0, except with C51. */
static void an_agent_without_a_file_does_no_harm(void)
{
    static float q[STEPS * ACTIONS];
    int k, i, zero = 1;
    for (k = 0; k < COUNT(words); k++) {
        rise_agent_desc d = described(words[k]);
        rise_agent *a;
        d.play_only = 1, d.weight_bits = 8, d.noisy = d.spectral_norm = 0;
        check_about("%s", words[k]);
        a = created(&d);
        play(a, q);
        for (i = 0; i < COUNT(q); i++) zero &= q[i] <= 0 && q[i] >= 0;
        /* C51 chooses among fixed returns */
        CHECK(zero || d.head == RISE_HEAD_C51), zero = 1;
        rise_agent_destroy(a);
    }
}
/* A file with a scale or a bias that is not finite is refused. With any finite one, the agent
   plays. */
static void hostile_numbers_do_no_harm(void)
{
    static const float odd[] = {HUGE_VALF, -HUGE_VALF, NAN, -1, 0, FLT_MAX, -FLT_MAX, 1e-45f};
    static float q[STEPS * ACTIONS];
    world w = world_begin("memory=rise cell=gru layer_norm=1", 40);
    buffer b = saved(w.agent, RISE_SAVE_INT8);
    rise_agent_desc const machine = machine_for(RISE_SAVE_INT8);
    rise_agent *const a = loaded(&b, &machine);
    risei_layer l;
    int i, j, bias, count = 0;
    while (risei_net_layer(&a->model.net, count, &l)) count++;
    for (i = 0; i < 2 * count * COUNT(odd); i++) {
        rise_agent *again;
        buffer c;
        float *at, was;
        bias = i % 2, j = i / (2 * count);
        CHECK(risei_net_layer(&a->model.net, i / 2 % count, &l));
        if (bias && !has_bias(&a->model.net, &l)) continue;
        at = a->model.weights + (bias ? l.bias : l.scales) + l.outputs / 2, was = *at;
        check_about("%s of layer %d is %g", bias ? "bias" : "scale", i / 2 % count, (double)odd[j]);
        *at = odd[j];
        c = saved_blindly(a, RISE_SAVE_INT8);
        *at = was;
        if (load(&again, &c, &machine, NULL) == RISE_OK) {
            CHECK(odd[j] - odd[j] <= 0);
            play(again, q);
            rise_agent_destroy(again);
        } else {
            CHECK(!(odd[j] - odd[j] <= 0));
        }
        free(c.data);
    }
    rise_agent_destroy(a), rise_agent_destroy(w.agent), free(b.data);
}
/* Any bytes are weights, also -128, and all tables compute the same with them. */
static void any_bytes_are_weights(void)
{
    static float first[STEPS * ACTIONS], q[STEPS * ACTIONS];
    world w = world_begin("memory=full layer_norm=1 wide", 40);
    buffer b = saved(w.agent, RISE_SAVE_INT8);
    rise_agent *a = loaded_on(&b, RISE_ISA_REF, 1);
    risei_layer l;
    int i, isa;
    size_t at;
    for (i = 0; risei_net_layer(&a->model.net, i, &l); i++)
        for (at = 0; at < bytes_of(&l); at++)
            ((int8_t *)(void *)(a->model.weights + l.weights))[at] =
                (int8_t)(at % 3 ? -128 : (int)(at * 37 % 256) - 128);
    free(b.data);
    b = saved(a, RISE_SAVE_INT8);
    play(a, first);
    rise_agent_destroy(a), rise_agent_destroy(w.agent);
    for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON; isa++) {
        const rise_kernels *const kernels = rise_kernels_of((rise_isa)isa);
        if (kernels == NULL || !kernels->fused) continue;
        check_about("%s", kernels->name);
        a = loaded_on(&b, (rise_isa)isa, 1);
        play(a, q);
        CHECK(same_reals(q, first, COUNT(q)));
        rise_agent_destroy(a);
    }
    free(b.data);
}
/* A file of 8-bit weights whose text has other weight_bits is refused. */
static void forged_bits_are_refused(void)
{
    static const char *const lines[] = {"weight_bits=0\n",  "weight_bits=9\n",
                                        "weight_bits=-8\n", "weight_bits=32\n",
                                        "weight_bits=8.5\n", "weight_bits=16\n"};
    world w = tiny_world("memory=rise", 20);
    buffer b = saved(w.agent, RISE_SAVE_INT8);
    rise_agent_desc const machine = machine_for(RISE_SAVE_INT8);
    int i;
    for (i = 0; i < COUNT(lines); i++) {
        buffer c = with_line(&b, "weight_bits", lines[i]);
        rise_error error = {RISE_OK, ""};
        rise_agent *a;
        CHECK(load(&a, &c, &machine, &error) < 0 && a == NULL);
        check_about("%s: \"%s\"", lines[i], error.text);
        CHECK(error.text[0] != '\0');
        free(c.data);
    }
    rise_agent_destroy(w.agent), free(b.data);
}

/* With too many inputs, a sum of 32 bits would leave too few bits for an input. */
static void too_many_inputs_are_refused(void)
{
    static const char *const fields =
        "memory=none frame_width=%d frame_height=130 network=custom conv_count=1 "
        "conv[0].filters=16 conv[0].size=1 features=1 frame_stack=1 play_only=1 players=1";
    int wide;
    for (wide = 128; wide <= 129; wide++) {
        char text[400];
        rise_agent_desc d;
        rise_agent *a;
        rise_error error = {RISE_OK, ""};
        buffer b = {NULL, 0, 0, SIZE_MAX, 0};
        int many;
        memset(&d, 0, sizeof d);
        d.actions = ACTIONS;
        snprintf(text, sizeof text, fields, wide);
        many = wide * 130 * 16 > INT32_MAX / 128 / 63;
        describe(&d, text);
        check_about("%d inputs", wide * 130 * 16);
        if (!CHECK(rise_agent_create(&a, &d, &error) == RISE_OK)) return;
        CHECK((rise_agent_write(a, RISE_SAVE_INT8, buffer_write, &b, &error) == RISE_OK) == !many);
        CHECK(!many || strstr(error.text, "weight_bits is 8, and a layer has") != NULL);
        CHECK(many == (b.size == 0));
        rise_agent_destroy(a), free(b.data);
        d.weight_bits = 8;
        CHECK((rise_agent_resolve(&d, &error) == RISE_OK) == !many);
    }
}

/* Only an agent that plays, without noise and spectral norms, can have 8-bit weights. */
static void learners_and_noise_are_refused(void)
{
    static const char sentence[] = "play_only must be 1, noisy and spectral_norm 0";
    int i;
    for (i = 0; i < 5; i++) {
        rise_agent_desc d = described("memory=rise");
        rise_error error = {RISE_OK, ""};
        int const right = i == 0;
        d.play_only = i != 1, d.noisy = i == 2, d.spectral_norm = i == 3;
        d.weight_bits = i == 4 ? 16 : 8;
        check_about("case %d", i);
        CHECK(rise_agent_resolve(&d, &error) == (right ? RISE_OK : RISE_BAD_DESC));
        CHECK(right || strstr(error.text, i == 4 ? "must be 8 or 32" : sentence) != NULL);
    }
}

static const check_test tests[] = {
    TEST(learners_and_noise_are_refused),
    TEST(layers_compute_what_their_scales_say),
    TEST(too_many_inputs_are_refused),
    TEST(convs_compute_what_their_scales_say),
    TEST(every_table_computes_the_same),
    TEST(values_are_those_of_the_weights),
    TEST(all_save_the_same_policy),
    TEST(nonsense_has_no_bytes),
    TEST(extreme_weights_are_saved),
    TEST(wrong_descriptions_are_refused),
    TEST(an_agent_without_a_file_does_no_harm),
    TEST(hostile_numbers_do_no_harm),
    TEST(any_bytes_are_weights),
    TEST(forged_bits_are_refused),
};
int main(int count, char **arguments)
{
    check_state.after = check_memory;
    return CHECK_MAIN(count, arguments, tests);
}
