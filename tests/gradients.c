/*  Every forward pass against its plain formula and every backward pass against central differences, in double, every component
    of every gradient.
        cc -O2 tests/gradients.c -o gradients -lm && ./gradients
    A component a is compared with the difference n as |a - n| / (|n| + rms of all n). */
#define RISE_DOUBLE
#define RISE_IMPLEMENTATION
#include "../rise.h"
#include "check.h"

#define TOLERANCE 1e-6
#define MOST 8192 /* components of one gradient */
#define GARBAGE 1e3

static risei_device device;
static risei_random dice;
static double worst_of_all;

static double real(void) { return 2 * risei_uniform(&dice) - 1; }

/* Arrays of exactly their length, for address checkers, until free_arrays. */
static void *arrays[64];
static int array_count;

static double *numbers(size_t count, int fill)
{
    double *const x = (double *)malloc(count > 0 ? count * sizeof *x : 1);
    size_t i;
    if (x == NULL || array_count == (int)(sizeof arrays / sizeof *arrays)) {
        printf("no memory\n");
        exit(1);
    }
    arrays[array_count++] = x;
    for (i = 0; i < count; i++) x[i] = fill ? real() : 0;
    return x;
}
static void free_arrays(void)
{
    while (array_count > 0) free(arrays[--array_count]);
}
static double squash(double x) { return 1 / (1 + exp(-x)); }
static double dot(size_t count, const double *x, const double *y)
{
    double sum = 0;
    size_t i;
    for (i = 0; i < count; i++) sum += x[i] * y[i];
    return sum;
}
static void put(size_t count, double *x, double value)
{
    size_t i;
    for (i = 0; i < count; i++) x[i] = value;
}
/* Gradients are assigned, whatever was there before. */
static double *garbage(size_t count)
{
    double *const g = numbers(count, 0);
    put(count, g, GARBAGE);
    return g;
}
static int still_garbage(size_t count, const double *g)
{
    size_t i;
    for (i = 0; i < count && g[i] == GARBAGE; i++) {}
    return i == count;
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* The check                                                                                                          */

typedef double (*loss_fn)(void *layer);

static double difference(loss_fn loss, void *layer, double *x, double step)
{
    double const old = *x;
    double above, beneath;
    *x = old + step;
    above = loss(layer);
    *x = old - step;
    beneath = loss(layer);
    *x = old;
    return (above - beneath) / (2 * step);
}
static double distance(size_t count, const double *g, const double *n)
{
    double const rms = count > 0 ? sqrt(dot(count, n, n) / (double)count) : 0;
    double worst = 0;
    size_t i;
    for (i = 0; i < count; i++) {
        double const off = fabs(g[i] - n[i]), relative = off > 0 ? off / (fabs(n[i]) + rms) : off;
        if (!(relative <= worst)) worst = relative;
    }
    return worst;
}
/* The distance of g from the differences n [count], which are left for the caller. Where a ReLU or a maximum has its kink
   between the two points of a difference, a smaller step parts them; no step makes a wrong gradient right. */
static double differentiate(loss_fn loss, void *layer, double *x, const double *g, size_t count, double *n)
{
    double const near = TOLERANCE / 2 * sqrt(dot(count, g, g) / (double)(count + 1));
    size_t i;
    if (count > MOST) return HUGE_VAL;
    for (i = 0; i < count; i++) {
        double step = 1e-5;
        n[i] = difference(loss, layer, &x[i], step);
        while (step > 2e-8 && !(fabs(n[i] - g[i]) <= near)) {
            double const closer = difference(loss, layer, &x[i], step /= 10);
            if (fabs(closer - g[i]) < fabs(n[i] - g[i]) / 100) n[i] = closer;
        }
    }
    return distance(count, g, n);
}
static void check_gradient(const char *of, loss_fn loss, void *layer, double *x, double *g, size_t count)
{
    static double n[MOST];
    char about[sizeof check_state.about];
    double const worst = differentiate(loss, layer, x, g, count, n);
    size_t i, greatest = 0;
    memcpy(about, check_state.about, sizeof about);
    check_about("%.120s, gradient of %s: %.3g", about, of, worst);
    CHECK(worst <= TOLERANCE);
    if (worst > worst_of_all) worst_of_all = worst;
    for (i = 0; i < count && count <= MOST; i++)
        if (fabs(g[i]) > fabs(g[greatest])) greatest = i;
    if (count > 0 && g[greatest] != 0) { /* the control: one per cent off must be seen */
        g[greatest] *= 1.01;
        CHECK(distance(count, g, n) > TOLERANCE);
        g[greatest] /= 1.01;
    }
    check_about("%s", about);
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Linear                                                                                                             */

/* Output j of a linear layer, without and with its bias. Weights lie row by row, or as panels of 32 columns. */
static double plain_product(const double *w, const risei_linear *l, const double *x, int j)
{
    int const panel = l->out % 32 == 0 ? 32 : l->out;
    const double *const column = w + l->weights + j / panel * panel * l->in + j % panel;
    double sum = 0;
    int i;
    for (i = 0; i < l->in; i++) sum += x[i] * column[i * panel];
    return sum;
}
static double plain_linear(const double *w, const risei_linear *l, const double *x, int j)
{
    return w[l->bias + (size_t)j] + plain_product(w, l, x, j);
}
typedef struct linear_layer {
    risei_linear l;
    int rows;
    ptrdiff_t x_stride, y_stride;
    double *w, *x, *y, *slope; /* loss = sum of slope * y */
} linear_layer;

static double linear_loss(void *layer)
{
    linear_layer *const t = (linear_layer *)layer;
    double sum = 0;
    int r;
    risei_linear_forward(&device, &t->l, t->w, t->rows, t->x, t->x_stride, t->y, t->y_stride, 0);
    for (r = 0; r < t->rows; r++) sum += dot((size_t)t->l.out, t->y + r * t->y_stride, t->slope + r * t->y_stride);
    return sum;
}
/* rows, in, out, and what is between the rows of x, y, dx */
static void linear_case(int rows, int in, int out, int x_gap, int y_gap, int dx_gap)
{
    size_t const last = (size_t)rows - 1;
    ptrdiff_t const dx_stride = in + dx_gap;
    risei_parameters p = {0};
    linear_layer t;
    double *g, *dx;
    int row, i;
    risei_linear_make(&p, 2, 1, 1); /* so that it does not lie at 0 */
    t.l = risei_linear_make(&p, in, out, 1);
    t.rows = rows, t.x_stride = in + x_gap, t.y_stride = out + y_gap;
    t.w = numbers(p.count, 1);
    t.x = numbers(last * (size_t)t.x_stride + (size_t)in, 1);
    t.y = numbers(last * (size_t)t.y_stride + (size_t)out, 0);
    t.slope = numbers(last * (size_t)t.y_stride + (size_t)out, 1);
    g = garbage(p.count), dx = garbage(last * (size_t)dx_stride + (size_t)in);
    linear_loss(&t);
    check_about("linear %d: %d to %d", rows, in, out);
    for (row = 0; row < rows; row++)
        for (i = 0; i < out; i++)
            CHECK(fabs(t.y[row * t.y_stride + i] - plain_linear(t.w, &t.l, t.x + row * t.x_stride, i)) < 1e-12);
    risei_linear_backward(&device, &t.l, t.w, g, rows, t.x, t.x_stride, t.slope, t.y_stride, dx, dx_stride);
    check_gradient("weights", linear_loss, &t, t.w + t.l.weights, g + t.l.weights, p.count - t.l.weights);
    CHECK(still_garbage(t.l.weights, g)); /* of the other layer */
    for (row = 0; row < rows; row++) {
        double *const dx_row = dx + row * dx_stride;
        check_gradient("x", linear_loss, &t, t.x + row * t.x_stride, dx_row, (size_t)in);
        CHECK(row == rows - 1 || still_garbage((size_t)dx_gap, dx_row + in));
    }
    free_arrays();
}
static void test_linear(void)
{
    linear_case(1, 1, 1, 0, 0, 0);
    linear_case(1, 7, 3, 0, 0, 0);
    linear_case(5, 1, 4, 2, 0, 1);
    linear_case(4, 6, 1, 0, 3, 0);
    linear_case(3, 5, 7, 1, 2, 3);
    linear_case(7, 9, 5, 0, 0, 4);
    linear_case(2, 17, 13, 3, 1, 0);
    linear_case(19, 3, 2, 1, 1, 1);
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* Convolution and pool: images with borders, and their pixels as a flat array                                        */

static risei_image image_take(int count, int height, int width, int channels, int pad, double fill)
{
    risei_image i = risei_image_make(height, width, channels, pad);
    size_t const size = (size_t)(count * risei_image_size(&i));
    size_t at;
    i.data = numbers(size, 0);
    for (at = 0; at < size; at++) i.data[at] = fill;
    return i;
}
static size_t image_pixels(const risei_image *i, int count) { return (size_t)(count * i->height * i->width * i->channels); }
static void image_put(const risei_image *i, int count, const double *flat)
{
    int const row = i->width * i->channels;
    int n, y;
    for (n = 0; n < count; n++)
        for (y = 0; y < i->height; y++, flat += row)
            memcpy(i->data + n * risei_image_size(i) + risei_image_at(i, y, 0), flat, (size_t)row * sizeof *flat);
}
static void image_get(const risei_image *i, int count, double *flat)
{
    int const row = i->width * i->channels;
    int n, y;
    for (n = 0; n < count; n++)
        for (y = 0; y < i->height; y++, flat += row)
            memcpy(flat, i->data + n * risei_image_size(i) + risei_image_at(i, y, 0), (size_t)row * sizeof *flat);
}
/* Are all numbers outside the pixels still `value`? (Overwrites the pixels.) */
static int image_border_is(const risei_image *i, int count, double value)
{
    ptrdiff_t const size = count * risei_image_size(i);
    ptrdiff_t at;
    int n, y, x, good = 1;
    for (n = 0; n < count; n++)
        for (y = 0; y < i->height; y++) {
            double *const row = i->data + n * risei_image_size(i) + risei_image_at(i, y, 0);
            for (x = 0; x < i->width * i->channels; x++) row[x] = value;
        }
    for (at = 0; at < size; at++) good &= i->data[at] == value;
    return good;
}

/* What one output should be, as one would write it down. */
static double pixel(const risei_image *i, int n, int y, int x, int channel)
{
    ptrdiff_t const at = n * risei_image_size(i) + risei_image_at(i, y, x) + channel;
    return i->data[at];
}
static double plain_conv(const risei_conv *c, const double *w, const risei_image *x, int n, int oy, int ox, int filter)
{
    double sum = w[c->bias + (size_t)filter];
    int ky, kx, channel;
    for (ky = 0; ky < c->size; ky++)
        for (kx = 0; kx < c->size; kx++)
            for (channel = 0; channel < c->channels; channel++) {
                int const iy = oy * c->stride + ky - c->pad, ix = ox * c->stride + kx - c->pad;
                int const tap = (ky * c->size + kx) * c->channels + channel;
                if (iy >= 0 && iy < c->height && ix >= 0 && ix < c->width)
                    sum += pixel(x, n, iy, ix, channel) * w[c->weights + (size_t)(tap * c->filters + filter)];
            }
    return sum > 0 ? sum : 0;
}
static double plain_pool(const risei_conv *c, const double *w, const risei_image *x, int n, int oy, int ox, int filter)
{
    double most = -HUGE_VAL;
    int ky, kx;
    (void)w;
    for (ky = 0; ky < c->pool; ky++)
        for (kx = 0; kx < c->pool; kx++) {
            int const iy = oy * c->pool_stride + ky - c->pool_pad, ix = ox * c->pool_stride + kx - c->pool_pad;
            if (iy >= 0 && iy < c->out_height && ix >= 0 && ix < c->out_width) most = fmax(most, pixel(x, n, iy, ix, filter));
        }
    return most;
}
typedef double (*plain_fn)(const risei_conv *c, const double *w, const risei_image *x, int n, int oy, int ox, int filter);

static int image_good(plain_fn plain, const risei_conv *c, const double *w, int count, const risei_image *x,
                      const risei_image *y)
{
    double worst = 0;
    int n, oy, ox, filter;
    for (n = 0; n < count; n++)
        for (oy = 0; oy < y->height; oy++)
            for (ox = 0; ox < y->width; ox++)
                for (filter = 0; filter < y->channels; filter++)
                    worst = fmax(worst, fabs(pixel(y, n, oy, ox, filter) - plain(c, w, x, n, oy, ox, filter)));
    return worst < 1e-12;
}

typedef struct conv_layer {
    risei_conv c;
    int count;
    risei_image x, y;
    double *w, *flat_x, *flat_y, *slope;
} conv_layer;

static double conv_loss(void *layer)
{
    conv_layer *const t = (conv_layer *)layer;
    image_put(&t->x, t->count, t->flat_x);
    risei_conv_forward(&device, &t->c, t->w, t->count, &t->x, &t->y, 1, 0);
    image_get(&t->y, t->count, t->flat_y);
    return dot(image_pixels(&t->y, t->count), t->flat_y, t->slope);
}
static void test_conv(void)
{
    int size, stride, pad;
    for (size = 1; size <= 5; size++)
        for (stride = 1; stride <= 4; stride++)
            for (pad = 0; pad <= 2; pad++) {
                int const height = 5 + risei_below(&dice, 3), width = 5 + risei_below(&dice, 3);
                rise_conv const desc = {1 + risei_below(&dice, 3), size, stride, pad, 0, 0, 0, 0};
                risei_parameters p = {3};
                conv_layer t;
                risei_image slopes, dy, dx;
                double *g, *flat_dx;
                size_t outputs, inputs;
                t.c = risei_conv_make(&p, &desc, height, width, 1 + risei_below(&dice, 3));
                t.count = 1 + risei_below(&dice, 2);
                t.x = image_take(t.count, height, width, t.c.channels, pad + risei_below(&dice, 2), 0);
                t.y = image_take(t.count, t.c.out_height, t.c.out_width, t.c.filters, risei_below(&dice, 2), 9);
                slopes = image_take(t.count, t.c.out_height, t.c.out_width, t.c.filters, 0, 0);
                dy = image_take(t.count, t.c.out_height, t.c.out_width, t.c.filters, t.c.border, 0);
                dx = image_take(t.count, height, width, t.c.channels, risei_below(&dice, 3), 7);
                inputs = image_pixels(&t.x, t.count), outputs = image_pixels(&t.y, t.count);
                t.w = numbers(p.count, 1), t.flat_x = numbers(inputs, 1);
                t.flat_y = numbers(outputs, 0), t.slope = numbers(outputs, 1);
                g = garbage(p.count), flat_dx = numbers(inputs, 0);
                check_about("conv size %d stride %d pad %d, %d images of %dx%dx%d to %d", size, stride, pad, t.count, width,
                            height, t.c.channels, t.c.filters);
                conv_loss(&t);
                CHECK(image_good(plain_conv, &t.c, t.w, t.count, &t.x, &t.y));
                image_put(&slopes, t.count, t.slope);
                risei_relu_backward(&device, t.count, &t.y, &slopes, &dy);
                risei_conv_backward(&device, &t.c, t.w, g, t.count, &t.x, &dy, &dx);
                image_get(&dx, t.count, flat_dx);
                check_gradient("weights", conv_loss, &t, t.w + 3, g + 3, p.count - 3);
                CHECK(still_garbage(3, g));
                check_gradient("x", conv_loss, &t, t.flat_x, flat_dx, inputs);
                CHECK(image_border_is(&t.y, t.count, 9) && image_border_is(&dx, t.count, 7));
                CHECK(image_border_is(&t.x, t.count, 0));
                free_arrays();
            }
}

static double pool_loss(void *layer)
{
    conv_layer *const t = (conv_layer *)layer;
    image_put(&t->x, t->count, t->flat_x);
    risei_pool_forward(&device, &t->c, t->count, &t->x, &t->y);
    image_get(&t->y, t->count, t->flat_y);
    return dot(image_pixels(&t->y, t->count), t->flat_y, t->slope);
}
static void test_pool(void)
{
    int pool, stride, pad;
    for (pool = 1; pool <= 4; pool++)
        for (stride = 0; stride <= 4; stride++) /* 0: as the window */
            for (pad = 0; pad < pool; pad++) {
                int const height = 4 + risei_below(&dice, 4), width = 4 + risei_below(&dice, 4);
                rise_conv const desc = {1 + risei_below(&dice, 3), 1, 1, 0, pool, stride, pad, 0};
                risei_parameters p = {0};
                conv_layer t;
                risei_image dy, dx;
                double *flat_dx;
                size_t outputs, inputs;
                t.c = risei_conv_make(&p, &desc, height, width, 1);
                t.count = 2;
                t.x = image_take(t.count, height, width, t.c.filters, risei_below(&dice, 2), 9);
                t.y = image_take(t.count, t.c.pooled_height, t.c.pooled_width, t.c.filters, risei_below(&dice, 2), 9);
                dy = image_take(t.count, t.c.pooled_height, t.c.pooled_width, t.c.filters, 0, 0);
                dx = image_take(t.count, height, width, t.c.filters, risei_below(&dice, 2), 7);
                inputs = image_pixels(&t.x, t.count), outputs = image_pixels(&t.y, t.count);
                t.flat_x = numbers(inputs, 1), t.flat_y = numbers(outputs, 0);
                t.slope = numbers(outputs, 1), flat_dx = numbers(inputs, 0);
                check_about("pool %d stride %d pad %d, %dx%dx%d", pool, stride, pad, width, height, t.c.filters);
                pool_loss(&t);
                CHECK(image_good(plain_pool, &t.c, NULL, t.count, &t.x, &t.y));
                image_put(&dy, t.count, t.slope);
                risei_pool_backward(&device, &t.c, t.count, &t.x, &dy, &dx);
                image_get(&dx, t.count, flat_dx);
                check_gradient("x", pool_loss, &t, t.flat_x, flat_dx, inputs);
                CHECK(image_border_is(&t.y, t.count, 9) && image_border_is(&dx, t.count, 0));
                free_arrays();
            }
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* LayerNorm                                                                                                          */

typedef struct norm_layer {
    int n;
    double *x, *parameters, *y, *slope; /* parameters: gain, then bias */
    double stats[2];
} norm_layer;

static double norm_loss(void *layer)
{
    norm_layer *const t = (norm_layer *)layer;
    device.kernels->norm_forward(t->n, t->x, t->parameters, t->parameters + t->n, t->y, t->stats);
    return dot((size_t)t->n, t->y, t->slope);
}
static void test_norm(void)
{
    int n;
    for (n = 1; n <= 40; n += n < 5 ? 1 : 6) {
        size_t const size = (size_t)n;
        norm_layer t;
        double *g, *dy;
        size_t i;
        t.n = n;
        t.x = numbers(size, 1), t.parameters = numbers(2 * size, 1), t.y = numbers(size, 0), t.slope = numbers(size, 1);
        g = numbers(2 * size, 0), dy = numbers(size, 0);
        memcpy(dy, t.slope, size * sizeof *dy);
        norm_loss(&t);
        put(2 * size, g, 1);
        device.kernels->norm_backward(n, t.x, t.parameters, t.stats, dy, g, g + n);
        for (i = 0; i < 2 * size; i++) g[i] -= 1; /* these alone are added to */
        check_about("LayerNorm of %d", n);
        check_gradient("gain and bias", norm_loss, &t, t.parameters, g, 2 * size);
        check_gradient("x", norm_loss, &t, t.x, dy, size);
        free_arrays();
    }
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* LSTM and GRU                                                                                                       */

typedef struct cell_layer {
    risei_cell c;
    risei_sequence s;
    int steps; /* the loss looks at the state after these, and after the `ends` - 1 before; the sequence may go on */
    double *w, *slope;
} cell_layer;

static double cell_loss(void *layer)
{
    cell_layer *const t = (cell_layer *)layer;
    size_t const state = (size_t)(t->s.rows * t->c.units), last = (size_t)t->s.ends * state;
    ptrdiff_t const at = (ptrdiff_t)t->s.begin[t->steps] * t->c.units;
    double sum = 0;
    int end;
    risei_cell_forward(&device, &t->c, t->w, &t->s);
    for (end = 0; end < t->s.ends; end++) {
        int const step = t->steps - t->s.ends + 1 + end, rows = risei_sequence_active(&t->s, step);
        sum += dot((size_t)(rows * t->c.units), t->s.h + t->s.begin[step] * t->c.units, t->slope + (size_t)end * state);
    }
    return sum + (t->s.c != NULL ? dot(state, t->s.c + at, t->slope + last) : 0);
}

/* One row alone through the textbook's formulas; is the state after `steps` the library's? */
static int cell_row_good(const cell_layer *t, int row)
{
    int const n = t->c.units, lstm = t->c.kind == RISE_CELL_LSTM, begin = t->s.first != NULL ? t->s.first[row] : 0;
    double h[2][32], c[32], g[4], worst = 0;
    int i, j, step;
    for (i = 0; i < n; i++) {
        h[begin & 1][i] = begin == 0 ? t->s.h[row * n + i] : 0;
        c[i] = begin == 0 && lstm ? t->s.c[row * n + i] : 0;
    }
    for (step = begin; step < t->steps; step++) {
        const double *const x = t->s.x + (t->s.begin[step] + row) * t->c.in, *const old = h[step & 1];
        double *const now = h[~step & 1];
        for (i = 0; i < n; i++) {
            double u[4];
            for (j = 0; j < t->c.gates; j++) {
                g[j] = plain_linear(t->w, &t->c.x, x, j * n + i);
                if (t->c.h.out == 0) continue;
                u[j] = lstm ? plain_product(t->w, &t->c.h, old, j * n + i) : plain_linear(t->w, &t->c.h, old, j * n + i);
            }
            if (lstm) {
                c[i] = squash(g[1] + u[1]) * c[i] + squash(g[0] + u[0]) * tanh(g[2] + u[2]);
                now[i] = squash(g[3] + u[3]) * tanh(c[i]);
            } else if (t->c.kind == RISE_CELL_MINGRU) {
                now[i] = squash(g[0]) * old[i] + (1 - squash(g[0])) * tanh(g[1]);
            } else {
                double const z = squash(g[1] + u[1]);
                now[i] = z * old[i] + (1 - z) * tanh(g[2] + squash(g[0] + u[0]) * u[2]);
            }
        }
    }
    for (i = 0; i < n; i++) {
        ptrdiff_t const at = (ptrdiff_t)(t->s.begin[t->steps] + row) * n + i;
        worst = fmax(worst, fabs(t->s.h[at] - h[t->steps & 1][i]));
        if (lstm) worst = fmax(worst, fabs(t->s.c[at] - c[i]));
    }
    return worst < 1e-13;
}
/* With a burn-in the weights' gradients are the sums over the steps after it, and those steps' inputs get what they got before. */
static int cell_burn_good(cell_layer *t, double *g, int burn)
{
    ptrdiff_t const out = (ptrdiff_t)t->c.gates * t->c.units, from = t->s.begin[burn], all = t->s.begin[t->steps];
    size_t const inputs = (size_t)((all - from) * t->c.in), ends = (size_t)(t->s.ends * t->s.rows * t->c.units);
    double *const dx = numbers(inputs, 0);
    double worst = 0;
    ptrdiff_t i, j, e;
    memcpy(dx, t->s.dx + from * t->c.in, inputs * sizeof *dx);
    memcpy(t->s.dh, t->slope, ends * sizeof *g);
    if (t->s.dc != NULL) memcpy(t->s.dc, t->slope + ends, (size_t)(t->s.rows * t->c.units) * sizeof *g);
    t->s.burn = burn;
    risei_cell_backward(&device, &t->c, t->w, g, &t->s, t->steps);
    t->s.burn = 0;
    for (i = 0; i < t->c.in; i++)
        for (j = 0; j < out; j++) {
            double sum = 0;
            for (e = from; e < all; e++) sum += t->s.x[e * t->c.in + i] * t->s.dgates[e * out + j];
            worst = fmax(worst, fabs(sum - g[(ptrdiff_t)t->c.x.weights + i * out + j]));
        }
    for (i = 0; i < t->c.units && t->c.h.out > 0; i++)
        for (j = 0; j < out; j++) {
            double sum = 0;
            for (e = from; e < all; e++) sum += t->s.h[e * t->c.units + i] * t->s.du[e * out + j];
            worst = fmax(worst, fabs(sum - g[(ptrdiff_t)t->c.h.weights + i * out + j]));
        }
    for (i = 0; i < (ptrdiff_t)inputs; i++) worst = fmax(worst, fabs(dx[i] - t->s.dx[from * t->c.in + i]));
    return worst < 1e-12;
}
static void cell_case(rise_cell kind, int in, int units, int steps, int ends, int further, int rows, const int *first)
{
    static const char *const names[] = {"LSTM", "GRU", "minGRU"};
    int const all = steps + further;
    size_t const state = (size_t)(rows * units), last = (size_t)ends * state;
    size_t const missing = kind == RISE_CELL_LSTM ? 4 * (size_t)units : 0; /* h's bias */
    risei_parameters p = {5};
    risei_arena count, arena;
    cell_layer t;
    double *g;
    size_t i, starting;
    int row;
    memset(&t, 0, sizeof t), memset(&count, 0, sizeof count);
    t.c = risei_cell_make(&p, kind, in, units);
    t.steps = steps;
    t.s.ends = ends;
    risei_sequence_layout(&count, &t.c, &t.s, all, all * rows, (all + 1) * rows, rows, steps, 1);
    arena = count;
    arena.base = (unsigned char *)numbers(count.used / sizeof *g, 0), arena.used = 0;
    risei_sequence_layout(&arena, &t.c, &t.s, all, all * rows, (all + 1) * rows, rows, steps, 1);
    put(count.used / sizeof *g, (double *)(void *)arena.base, 9); /* what an earlier pass has left */
    t.s.steps = all, t.s.rows = rows, t.s.first = first;
    risei_sequence_plan(&t.s);
    starting = (size_t)(t.s.begin[1] * units);
    t.w = numbers(p.count + missing, 1), t.slope = numbers(last + state, 1), g = garbage(p.count + missing);
    put(missing, t.w + p.count, (double)NAN);
    for (i = 0; i < (size_t)(t.s.begin[all] * in); i++) t.s.x[i] = real();
    for (i = 0; i < starting; i++) t.s.h[i] = real();
    for (i = 0; i < starting && t.s.c != NULL; i++) t.s.c[i] = real();

    cell_loss(&t);
    check_about("%s of %d units, %d in, %d steps of %d, %d ends, %d rows%s", names[kind], units, in, steps, all, ends, rows,
                first != NULL ? ", some late" : "");
    for (row = 0; row < rows; row++) CHECK(cell_row_good(&t, row));
    memcpy(t.s.dh, t.slope, last * sizeof *g);
    if (t.s.dc != NULL) memcpy(t.s.dc, t.slope + last, state * sizeof *g);
    risei_cell_backward(&device, &t.c, t.w, g, &t.s, steps);
    check_gradient("weights", cell_loss, &t, t.w + 5, g + 5, p.count - 5);
    CHECK(still_garbage(5, g) && still_garbage(missing, g + p.count));
    check_gradient("x", cell_loss, &t, t.s.x, t.s.dx, (size_t)(t.s.begin[steps] * in));
    check_gradient("the first h", cell_loss, &t, t.s.h, t.s.dh, starting);
    if (t.s.c != NULL) check_gradient("the first c", cell_loss, &t, t.s.c, t.s.dc, starting);
    cell_loss(&t);
    if (t.c.gates * units % RISE_PANEL != 0 && steps > ends) CHECK(cell_burn_good(&t, g, 1 + risei_below(&dice, steps - ends)));
    free_arrays();
}
static void test_cells(void)
{
    static const int firsts[][4] = {{0, 1, 2, 3}, {2, 0, 1, 6}, {1, 3, 0, 2}, {1, 1, 1, 1}}; /* as many as the steps allow */
    static const rise_cell kinds[] = {RISE_CELL_LSTM, RISE_CELL_GRU, RISE_CELL_MINGRU};
    int kind, steps, rows, mask, i, first[4];
    for (kind = 0; kind < 3; kind++)
        for (steps = 1; steps <= 7; steps++)
            for (rows = 1; rows <= 4; rows += 1 + rows % 2) /* 1, 3, 4 */
                for (mask = -1; mask < 4; mask++) {
                    int const in = 1 + risei_below(&dice, 4), units = 1 + risei_below(&dice, 4);
                    for (i = 0; i < 4 && mask >= 0; i++) first[i] = firsts[mask][i] < steps ? firsts[mask][i] : steps - 1;
                    cell_case(kinds[kind], in, units, steps, 1 + risei_below(&dice, steps), mask & 1 ? 2 : 0, rows,
                              mask < 0 ? NULL : first);
                }
}
/* Weights that lie as panels of 32 columns. */
static void test_panels(void)
{
    static const int late[] = {0, 1, 2};
    static const rise_cell kinds[] = {RISE_CELL_LSTM, RISE_CELL_GRU};
    int kind;
    linear_case(1, 3, 32, 0, 0, 0);
    linear_case(4, 32, 5, 1, 0, 2);
    linear_case(3, 7, 64, 0, 2, 1);
    linear_case(5, 33, 96, 2, 1, 0);
    for (kind = 0; kind < 2; kind++) {
        cell_case(kinds[kind], 3, 8, 4, 2, 1, 3, late);
        cell_case(kinds[kind], 2, 32, 2, 1, 0, 1 + kind, NULL); /* the transposed recurrent weights, too */
    }
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* The whole network                                                                                                  */

typedef struct network {
    risei_net net;
    risei_pass pass;
    int rows, images;
    int first[2];
    double *frames;
    double *w, *g;
} network;

enum { ROWS = 2, STEPS = 3, FURTHER = 1, ALL = STEPS + FURTHER };

static double network_loss(void *layer)
{
    network *const t = (network *)layer;
    risei_net_forward(&device, &t->net, t->w, t->rows, t->images, t->frames, &t->pass);
    return dot((size_t)(ROWS * t->net.actions), t->pass.q, t->pass.dz);
}
/* A small network and its inputs. As in learning, the pass holds ROWS states and those FURTHER steps on;
   only the former learn. */
static void network_make(network *t, rise_memory memory, rise_cell cell, rise_fusion fusion, int norm, int dueling,
                         int variant)
{
    rise_agent_desc d;
    risei_arena count, arena;
    risei_sequence *s;
    risei_image image;
    int const full = memory == RISE_MEMORY_FULL;
    int i, r, y, x, sequences;
    memset(&d, 0, sizeof d), memset(&count, 0, sizeof count);
    memset(t, 0, sizeof *t);
    d.frame_width = 6, d.frame_height = 5, d.frame_channels = 1, d.frame_stack = variant & 1 ? 2 : 1, d.actions = 3;
    d.memory = memory, d.cell = cell, d.fusion = fusion, d.layer_norm = norm, d.no_dueling = !dueling;
    d.recurrent_units = variant % 4 == 3 ? 8 : 2, d.head_units = variant % 4 == 3 ? 16 : 3; /* 3: some weights lie as panels */
    d.embedding_size = 3, d.feed_action = variant & 1;
    d.window_samples = variant & 4 ? 2 : 1; /* 4: both rows are samples of one sequence */
    d.features = variant & 2 ? 5 : -1;
    d.network = RISE_NETWORK_CUSTOM, d.conv_count = 2;
    d.conv[0].filters = 2, d.conv[0].size = 3, d.conv[0].stride = 2, d.conv[0].pad = 1;
    d.conv[0].pool = 2, d.conv[0].pool_stride = 1, d.conv[0].pool_pad = variant & 1;
    d.conv[1].filters = 2, d.conv[1].size = 2, d.conv[1].stride = 1, d.conv[1].pad = !(variant & 1);
    if (variant & 2) d.conv[1].pool = 2;
    t->net = risei_net_make(&d);
    sequences = ROWS / t->net.samples;
    t->rows = 2 * ROWS, t->images = full ? ALL * ROWS : 2 * ROWS;

    risei_pass_layout(&count, &t->net, &t->pass, t->rows, t->images, ALL, ALL * ROWS, (ALL + 1) * ROWS, ROWS, STEPS);
    arena = count;
    arena.base = (unsigned char *)numbers(count.used / sizeof(double), 0), arena.used = 0;
    risei_pass_layout(&arena, &t->net, &t->pass, t->rows, t->images, ALL, ALL * ROWS, (ALL + 1) * ROWS, ROWS, STEPS);
    t->first[variant & 1] = 1; /* one row starts late */
    s = &t->pass.sequence;
    s->steps = ALL, s->rows = sequences, s->first = t->first;
    if (memory != RISE_MEMORY_NONE) {
        risei_sequence_plan(s);
        for (i = 0; i < s->begin[ALL] * t->net.cell.in; i++) s->x[i] = real();
        for (i = 0; i < (ALL + 1) * ROWS * t->net.cell.units; i++) {
            s->h[i] = i < s->begin[1] * t->net.cell.units ? real() : 9;
            if (s->c != NULL) s->c[i] = i < s->begin[1] * t->net.cell.units ? real() : 9;
        }
        if (full) t->images = s->begin[ALL];
    }
    for (r = 0; r < t->rows; r++) {
        int const row = r % ROWS % sequences, back = t->net.samples - 1 - r % ROWS / sequences;
        int const step = (r < ROWS ? STEPS : ALL) - back;
        if (memory != RISE_MEMORY_NONE) t->pass.state_row[r] = s->begin[step] + row;
        t->pass.feature_row[r] = full ? s->begin[step - 1] + row : r;
    }
    for (i = 0; i < ROWS * d.actions; i++) t->pass.dz[i] = real();

    image = t->pass.encoder.in[0];
    t->frames = numbers((size_t)(t->images * risei_image_size(&image)), 0);
    for (i = 0; i < t->images; i++)
        for (y = 0; y < image.height; y++)
            for (x = 0; x < image.width * image.channels; x++)
                t->frames[i * risei_image_size(&image) + risei_image_at(&image, y, 0) + x] = risei_below(&dice, 256) / 255.0;
    t->w = numbers(t->net.parameters, 0), t->g = garbage(t->net.parameters);
    risei_net_initialise(&t->net, t->w, 8, &dice);
    for (i = 0; i < (int)t->net.parameters; i++) t->w[i] += 0.1 * real();
    check_about("network: memory %d, cell %d, fusion %d%s%s, variant %d", (int)memory, (int)cell, (int)fusion,
                norm ? ", norm" : "", dueling ? ", dueling" : "", variant);
}
/* Does every layer, from the frames to q, give what its formula says? */
static int network_row_good(const network *t, int row)
{
    const risei_net *const n = &t->net;
    const risei_pass *const a = &t->pass;
    int const f = n->encoder.out, h = n->memory != RISE_MEMORY_NONE ? n->cell.units : 0, units = n->advantage.in;
    const double *const features = a->encoder.features + a->feature_row[row] * f, *const w = t->w;
    const double *const state = h > 0 ? a->sequence.h + a->state_row[row] * h : NULL;
    double x[MOST], hidden[MOST], mean = 0, var = 0, worst = 0;
    int i, j;
    for (i = 0; i < n->fused; i++) {
        if (i >= f)
            x[i] = state[i - f];
        else if (h == 0 || n->fusion == RISE_FUSION_CONCAT)
            x[i] = features[i];
        else if (n->fusion == RISE_FUSION_GATE)
            x[i] = features[i] * squash(plain_linear(w, &n->fuse, state, i));
        else
            x[i] = features[i] + plain_linear(w, &n->fuse, state, i);
        mean += x[i] / n->fused;
    }
    for (i = 0; i < n->fused; i++) var += (x[i] - mean) * (x[i] - mean) / n->fused;
    for (i = 0; i < n->fused && n->norm; i++)
        x[i] = (x[i] - mean) / sqrt(var + 1e-5) * w[n->gain + (size_t)i] + w[n->shift + (size_t)i];
    for (j = 0; j < n->hidden.out; j++) hidden[j] = fmax(plain_linear(w, &n->hidden, x, j), 0);
    for (mean = 0, j = 0; j < n->actions; j++) mean += plain_linear(w, &n->advantage, hidden, j) / n->actions;
    for (j = 0; j < n->actions; j++) {
        double q = plain_linear(w, &n->advantage, hidden, j);
        if (n->dueling) q += plain_linear(w, &n->value, hidden + units, 0) - mean;
        worst = fmax(worst, fabs(a->q[row * n->actions + j] - q));
    }
    return worst < 1e-12;
}
static int network_encoder_good(const network *t)
{
    const risei_encoder *const e = &t->net.encoder;
    const risei_encoder_data *const a = &t->pass.encoder;
    int l, i, j, good = 1;
    for (l = 0; l < e->layers; l++) {
        good &= image_good(plain_conv, &e->conv[l], t->w, t->images, &a->in[l], &a->y[l]);
        if (e->conv[l].pool != 0) good &= image_good(plain_pool, &e->conv[l], NULL, t->images, &a->y[l], &a->in[l + 1]);
    }
    for (i = 0; i < t->images; i++) {
        const double *const flat = a->in[l].data + i * e->flat;
        for (j = 0; j < e->out; j++) {
            double const feature = e->dense ? fmax(plain_linear(t->w, &e->linear, flat, j), 0) : flat[j];
            good &= fabs(a->features[i * e->out + j] - feature) < 1e-12;
        }
    }
    return good;
}
static void network_backward(network *t)
{
    network_loss(t);
    risei_net_backward(&device, &t->net, t->w, t->g, ROWS, STEPS, &t->pass);
}
static void network_case(rise_memory memory, rise_cell cell, rise_fusion fusion, int norm, int dueling, int variant)
{
    network t;
    double *once;
    int row;
    network_make(&t, memory, cell, fusion, norm, dueling, variant);
    once = numbers(t.net.parameters, 0);
    network_backward(&t);
    CHECK(network_encoder_good(&t));
    for (row = 0; row < t.rows; row++) CHECK(network_row_good(&t, row));
    check_gradient("weights", network_loss, &t, t.w, t.g, t.net.parameters);
    memcpy(once, t.g, t.net.parameters * sizeof *once);
    put(t.net.parameters, t.g, -GARBAGE);
    network_backward(&t); /* and nothing was left lying about */
    CHECK(distance(t.net.parameters, t.g, once) < 1e-9);
    free_arrays();
}
static void test_network(void)
{
    static const rise_memory memories[] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE, RISE_MEMORY_FULL};
    static const rise_cell cells[] = {RISE_CELL_LSTM, RISE_CELL_GRU, RISE_CELL_MINGRU};
    static const rise_fusion fusions[] = {RISE_FUSION_CONCAT, RISE_FUSION_GATE, RISE_FUSION_SUM};
    int memory, cell, fusion, norm, variant = 0;
    for (memory = 0; memory < 3; memory++)
        for (cell = 0; cell < (memory > 0 ? 3 : 1); cell++)
            for (fusion = 0; fusion < (memory > 0 ? 3 : 1); fusion++)
                for (norm = 0; norm < 2; norm++, variant++) /* each with and without norm, and with and without dueling */
                    network_case(memories[memory], cells[cell], fusions[fusion], norm, (norm + cell + fusion) % 2,
                                 variant % 9 % 8);
}

/* ------------------------------------------------------------------------------------------------------------------ */
/* The control: in each of these, one term of the backward pass is one per cent off, or is added, and the check must say so. */

static const rise_kernels *honest;

static void scale(int n, double *x)
{
    int i;
    for (i = 0; i < n; i++) x[i] *= 1.01;
}
static void bad_product(const rise_product *p, int part, int parts, void *scratch)
{
    int i;
    honest->product(p, part, parts, scratch);
    for (i = 0; i < p->m && !p->transposed; i++) /* one column of a gradient of data */
        scale(1, (double *)(uintptr_t)p->c.data + risei_walk(&p->c.rows, i));
}
/* These two add to what was there, by which gradients would pile up. */
static void bad_product_adds(const rise_product *p, int part, int parts, void *scratch)
{
    rise_product q = *p;
    if (p->transposed) q.accumulate = 1;
    honest->product(&q, part, parts, scratch);
}
static void bad_sums(const rise_product *p, int part, int parts, void *scratch)
{
    honest->product(p, part, parts, scratch);
    if (p->sums != NULL) scale(1, p->sums + p->n - 1);
}
static void bad_add(int n, const double *x, double *y) { honest->add(n, x, y), scale(n, y); }
static void bad_relu_backward(int n, const double *y, const double *dy, double *dx)
{
    honest->relu_backward(n, y, dy, dx), scale(n, dx);
}
static void bad_lstm_backward(int n, const double *gates, const double *c, const double *c_next, const double *dh, double *dc,
                              double *dgates)
{
    honest->lstm_backward(n, gates, c, c_next, dh, dc, dgates), scale(1, dgates + n); /* one unit's forget gate */
}
static void bad_lstm_carry(int n, const double *gates, const double *c, const double *c_next, const double *dh, double *dc,
                           double *dgates)
{
    honest->lstm_backward(n, gates, c, c_next, dh, dc, dgates), scale(1, dc);
}
static void bad_gru_backward(int n, const double *x, const double *u, const double *h, double *dh, double *dx, double *du)
{
    honest->gru_backward(n, x, u, h, dh, dx, du), scale(1, du + 2 * n);
}
static void bad_gru_carry(int n, const double *x, const double *u, const double *h, double *dh, double *dx, double *du)
{
    honest->gru_backward(n, x, u, h, dh, dx, du), scale(1, dh);
}
static void bad_gate_backward(int n, const double *x, const double *s, double *dy, double *dx)
{
    honest->gate_backward(n, x, s, dy, dx), scale(n, dy);
}
static void bad_norm_backward(int n, const double *x, const double *gain, const double *stats, double *dy, double *dgain,
                              double *dbias)
{
    honest->norm_backward(n, x, gain, stats, dy, dgain, dbias), scale(n, dy);
}

static void control(const char *what, const rise_kernels *bad, rise_cell cell, rise_fusion fusion)
{
    static double n[MOST];
    network t;
    network_make(&t, RISE_MEMORY_FULL, cell, fusion, 1, 1, 2);
    device.kernels = bad;
    risei_net_forward(&device, &t.net, t.w, t.rows, t.images, t.frames, &t.pass);
    risei_net_backward(&device, &t.net, t.w, t.g, ROWS, STEPS, &t.pass);
    device.kernels = honest;
    check_about("%s", what);
    CHECK(differentiate(network_loss, &t, t.w, t.g, t.net.parameters, n) > TOLERANCE);
    free_arrays();
}
static void test_controls(void)
{
    rise_kernels bad;
    honest = device.kernels;
#define CONTROL(kernel, function, cell, fusion)                                                                        \
    bad = *honest;                                                                                                     \
    bad.kernel = function;                                                                                             \
    control(#function, &bad, cell, fusion)
    CONTROL(product, bad_sums, RISE_CELL_LSTM, RISE_FUSION_CONCAT);
    CONTROL(relu_backward, bad_relu_backward, RISE_CELL_LSTM, RISE_FUSION_CONCAT);
    CONTROL(add, bad_add, RISE_CELL_LSTM, RISE_FUSION_CONCAT); /* in a SUM it would bend the forward pass as well */
    CONTROL(lstm_backward, bad_lstm_backward, RISE_CELL_LSTM, RISE_FUSION_SUM);
    CONTROL(lstm_backward, bad_lstm_carry, RISE_CELL_LSTM, RISE_FUSION_SUM);
    CONTROL(gru_backward, bad_gru_backward, RISE_CELL_GRU, RISE_FUSION_SUM);
    CONTROL(gru_backward, bad_gru_carry, RISE_CELL_GRU, RISE_FUSION_SUM);
    CONTROL(gate_backward, bad_gate_backward, RISE_CELL_GRU, RISE_FUSION_GATE);
    CONTROL(norm_backward, bad_norm_backward, RISE_CELL_GRU, RISE_FUSION_GATE);
    CONTROL(product, bad_product, RISE_CELL_GRU, RISE_FUSION_CONCAT);
    CONTROL(product, bad_product_adds, RISE_CELL_GRU, RISE_FUSION_CONCAT);
#undef CONTROL
}

int main(void)
{
    device.kernels = rise_kernels_of(RISE_ISA_AUTO);
    device.scratch = calloc(rise_product_scratch(), 1);
    dice = risei_stream(2512, 20513);
    CHECK(device.kernels == rise_kernels_of(RISE_ISA_REF) && rise_kernels_of(RISE_ISA_C) == NULL);
    test_linear();
    test_conv();
    test_pool();
    test_norm();
    test_cells();
    test_network();
    test_panels();
    test_controls();
    free(device.scratch);
    printf("worst component off by %.2g of itself and the rms\n", worst_of_all);
    return check_done();
}
