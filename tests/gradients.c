/* Tests every forward pass against its plain formula and every backward pass against central
   differences, in double and for every component of every gradient.
       cc -O2 tests/gradients.c -o gradients -lm && ./gradients
   The error of a component a with difference n is |a - n| / (|n| + rms of all n). */
#define RISE_DOUBLE
#define RISE_IMPLEMENTATION
#include "../rise.h"
#include "check.h"

#define TOLERANCE 1e-6
#define COMPONENTS_MAX 8192 /* of one gradient */
#define GARBAGE 1e3
/* With CHECK_QUICK, checks one component in CHECKED_EACH. The number is prime, so the checked
   components are in different columns, unless a matrix has a multiple of 7 columns. Gradients of
   fewer than CHECKED_WHOLE components are checked completely. */
enum { CHECKED_EACH = check_share > 1 ? 7 : 1, CHECKED_WHOLE = 100 };

static risei_device device;
static risei_random dice;
static double worst_of_all;

static double real(void) { return 2 * risei_random_uniform(&dice) - 1; }

/* Arrays of exactly their length, for address sanitizers. They live until free_arrays. */
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
/* Returns an array of garbage, because gradients are assigned, not added. */
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

/* ---------------------------------------------------------------------------------------------- */
/* The check */

typedef double (*loss_fn)(void *layer);

static double difference(loss_fn loss, void *layer, double *x, double step)
{
    double const old = *x;
    double above, below;
    *x = old + step;
    above = loss(layer);
    *x = old - step;
    below = loss(layer);
    *x = old;
    return (above - below) / (2 * step);
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
/* Returns the distance of g from the differences n [count], and leaves n for the caller. Computes
   one component in `each`; the others of n are copied from g. If a kink of a ReLU or a maximum lies
   between the two points of a difference, a smaller step avoids it. No step makes a wrong gradient
   right. */
static double differentiate(loss_fn loss, void *layer, double *x, const double *g, size_t count,
                            size_t each, double *n)
{
    double const near = TOLERANCE / 2 * sqrt(dot(count, g, g) / (double)(count + 1));
    size_t i;
    if (count > COMPONENTS_MAX) return HUGE_VAL;
    memcpy(n, g, count * sizeof *n);
    for (i = 0; i < count; i += each) {
        double step = 1e-5;
        n[i] = difference(loss, layer, &x[i], step);
        while (step > 2e-8 && !(fabs(n[i] - g[i]) <= near)) {
            double const closer = difference(loss, layer, &x[i], step /= 10);
            if (fabs(closer - g[i]) < fabs(n[i] - g[i]) / 100) n[i] = closer;
        }
    }
    return distance(count, g, n);
}
static void check_gradient(const char *of, loss_fn loss, void *layer, double *x, double *g,
                           size_t count)
{
    static double n[COMPONENTS_MAX];
    char about[sizeof check_state.about];
    double const worst =
        differentiate(loss, layer, x, g, count, count < CHECKED_WHOLE ? 1 : CHECKED_EACH, n);
    size_t i, greatest = 0;
    memcpy(about, check_state.about, sizeof about);
    check_about("%.120s, gradient of %s: %.3g", about, of, worst);
    CHECK(worst <= TOLERANCE);
    if (worst > worst_of_all) worst_of_all = worst;
    for (i = 0; i < count && count <= COMPONENTS_MAX; i++)
        if (fabs(g[i]) > fabs(g[greatest])) greatest = i;
    if (count > 0 && g[greatest] != 0) { /* control: an error of 1% must show */
        g[greatest] *= 1.01;
        CHECK(distance(count, g, n) > TOLERANCE);
        g[greatest] /= 1.01;
    }
    check_about("%s", about);
}

/* ---------------------------------------------------------------------------------------------- */
/* Linear */

/* Return output j of a linear layer, without its bias and with it. Weights are row by row, or
   panels of 32 columns. */
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
    for (r = 0; r < t->rows; r++)
        sum += dot((size_t)t->l.out, t->y + r * t->y_stride, t->slope + r * t->y_stride);
    return sum;
}
/* rows, in, out, and gaps between the rows of x, y, dx */
static void linear_case(int rows, int in, int out, int x_gap, int y_gap, int dx_gap)
{
    size_t const last = (size_t)rows - 1;
    ptrdiff_t const dx_stride = in + dx_gap;
    risei_parameters p = {0, 0};
    linear_layer t;
    double *g, *dx;
    int row, i;
    risei_linear_make(&p, 2, 1, 1); /* so that its offset is not 0 */
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
            CHECK(fabs(t.y[row * t.y_stride + i] -
                       plain_linear(t.w, &t.l, t.x + row * t.x_stride, i)) < 1e-12);
    risei_linear_backward(&device, &t.l, t.w, g, rows, t.x, t.x_stride, t.slope, t.y_stride, dx,
                          dx_stride);
    check_gradient("weights", linear_loss, &t, t.w + t.l.weights, g + t.l.weights,
                   p.count - t.l.weights);
    CHECK(still_garbage(t.l.weights, g)); /* weights of the other layer */
    for (row = 0; row < rows; row++) {
        double *const dx_row = dx + row * dx_stride;
        check_gradient("x", linear_loss, &t, t.x + row * t.x_stride, dx_row, (size_t)in);
        CHECK(row == rows - 1 || still_garbage((size_t)dx_gap, dx_row + in));
    }
    free_arrays();
}
static void linear_layers_are_right(void)
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

/* ---------------------------------------------------------------------------------------------- */
/* Convolution and pool: images with padding, and their pixels as a flat array */

static risei_image image_take(int count, int height, int width, int channels, int pad, double fill)
{
    risei_image i = risei_image_make(height, width, channels, pad);
    size_t const size = (size_t)(count * risei_image_size(&i));
    size_t at;
    i.data = numbers(size, 0);
    for (at = 0; at < size; at++) i.data[at] = fill;
    return i;
}
static size_t image_pixels(const risei_image *i, int count)
{
    return (size_t)(count * i->height * i->width * i->channels);
}
static void image_put(const risei_image *i, int count, const double *flat)
{
    int const row = i->width * i->channels;
    int n, y;
    for (n = 0; n < count; n++)
        for (y = 0; y < i->height; y++, flat += row)
            memcpy(i->data + n * risei_image_size(i) + risei_image_at(i, y, 0), flat,
                   (size_t)row * sizeof *flat);
}
static void image_get(const risei_image *i, int count, double *flat)
{
    int const row = i->width * i->channels;
    int n, y;
    for (n = 0; n < count; n++)
        for (y = 0; y < i->height; y++, flat += row)
            memcpy(flat, i->data + n * risei_image_size(i) + risei_image_at(i, y, 0),
                   (size_t)row * sizeof *flat);
}
/* Returns whether all numbers outside the pixels are still `value`. (Overwrites the pixels.) */
static int image_padding_is(const risei_image *i, int count, double value)
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

/* Returns one number of image n. The functions plain_... compute one output by its formula. */
static double pixel(const risei_image *i, int n, int y, int x, int channel)
{
    ptrdiff_t const at = n * risei_image_size(i) + risei_image_at(i, y, x) + channel;
    return i->data[at];
}
static double plain_conv(const risei_conv *c, const double *w, const risei_image *x, int n, int oy,
                         int ox, int filter)
{
    double sum = w[c->bias + (size_t)filter];
    int ky, kx, channel;
    for (ky = 0; ky < c->size; ky++)
        for (kx = 0; kx < c->size; kx++)
            for (channel = 0; channel < c->channels; channel++) {
                int const iy = oy * c->stride + ky - c->pad, ix = ox * c->stride + kx - c->pad;
                int const tap = (ky * c->size + kx) * c->channels + channel;
                if (iy >= 0 && iy < c->height && ix >= 0 && ix < c->width)
                    sum += pixel(x, n, iy, ix, channel) *
                           w[c->weights + (size_t)(tap * c->filters + filter)];
            }
    return sum > 0 ? sum : 0;
}
static double plain_pool(const risei_conv *c, const double *w, const risei_image *x, int n, int oy,
                         int ox, int filter)
{
    double most = -HUGE_VAL;
    int ky, kx;
    (void)w;
    /* adaptive pool: the height is divided into pooled_height equal parts; region oy has every
       pixel that overlaps part oy (the width likewise) */
    if (c->pool < 0) {
        for (ky = 0; ky < c->out_height; ky++)
            for (kx = 0; kx < c->out_width; kx++)
                if ((ky + 1) * c->pooled_height > oy * c->out_height &&
                    ky * c->pooled_height < (oy + 1) * c->out_height &&
                    (kx + 1) * c->pooled_width > ox * c->out_width &&
                    kx * c->pooled_width < (ox + 1) * c->out_width)
                    most = fmax(most, pixel(x, n, ky, kx, filter));
        return most;
    }
    for (ky = 0; ky < c->pool; ky++)
        for (kx = 0; kx < c->pool; kx++) {
            int const iy = oy * c->pool_stride + ky - c->pool_pad;
            int const ix = ox * c->pool_stride + kx - c->pool_pad;
            if (iy >= 0 && iy < c->out_height && ix >= 0 && ix < c->out_width)
                most = fmax(most, pixel(x, n, iy, ix, filter));
        }
    return most;
}
typedef double (*plain_fn)(const risei_conv *c, const double *w, const risei_image *x, int n,
                           int oy, int ox, int filter);

static int image_good(plain_fn plain, const risei_conv *c, const double *w, int count,
                      const risei_image *x, const risei_image *y)
{
    double worst = 0;
    int n, oy, ox, filter;
    for (n = 0; n < count; n++)
        for (oy = 0; oy < y->height; oy++)
            for (ox = 0; ox < y->width; ox++)
                for (filter = 0; filter < y->channels; filter++)
                    worst = fmax(worst, fabs(pixel(y, n, oy, ox, filter) -
                                             plain(c, w, x, n, oy, ox, filter)));
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
/* Checks outputs, gradients and padding of a convolution over `count` small images. */
static void conv_case(int size, int stride, int pad, int count)
{
    int const height = 5 + risei_random_below(&dice, 3), width = 5 + risei_random_below(&dice, 3);
    rise_conv const desc = {1 + risei_random_below(&dice, 3), size, stride, pad, 0, 0, 0, 0};
    risei_parameters p = {3, 0};
    conv_layer t;
    risei_image slopes, dy, dx;
    double *g, *flat_dx, *by_taps;
    size_t outputs, inputs;
    t.c = risei_conv_make(&p, &desc, height, width, 1 + risei_random_below(&dice, 3));
    t.count = count;
    t.x = image_take(t.count, height, width, t.c.channels, pad + risei_random_below(&dice, 2), 0);
    t.y = image_take(t.count, t.c.out_height, t.c.out_width, t.c.filters,
                     risei_random_below(&dice, 2), 9);
    slopes = image_take(t.count, t.c.out_height, t.c.out_width, t.c.filters, 0, 0);
    dy = image_take(t.count, t.c.out_height, t.c.out_width, t.c.filters, t.c.dy_padding, 0);
    dx = image_take(t.count, height, width, t.c.channels, risei_random_below(&dice, 3), 7);
    inputs = image_pixels(&t.x, t.count), outputs = image_pixels(&t.y, t.count);
    t.w = numbers(p.count, 1), t.flat_x = numbers(inputs, 1);
    t.flat_y = numbers(outputs, 0), t.slope = numbers(outputs, 1);
    g = garbage(p.count), flat_dx = numbers(inputs, 0), by_taps = numbers(inputs, 0);
    check_about("conv size %d stride %d pad %d, %d images of %dx%dx%d to %d", size, stride, pad,
                t.count, width, height, t.c.channels, t.c.filters);
    conv_loss(&t);
    CHECK(image_good(plain_conv, &t.c, t.w, t.count, &t.x, &t.y));
    image_put(&slopes, t.count, t.slope);
    risei_relu_mask(&device, t.count, &t.y, &slopes, &dy);
    risei_conv_backward(&device, &t.c, t.w, g, t.count, &t.x, &dy, &dx);
    image_get(&dx, t.count, flat_dx);
    check_gradient("weights", conv_loss, &t, t.w + 3, g + 3, p.count - 3);
    CHECK(still_garbage(3, g));
    check_gradient("x", conv_loss, &t, t.flat_x, flat_dx, inputs);
    /* with taps, dx must be the same as with bands */
    risei_conv_backward_taps(&device, &t.c, t.w, t.count, &dy, &dx);
    image_get(&dx, t.count, by_taps);
    CHECK(distance(inputs, by_taps, flat_dx) < 1e-12);
    CHECK(image_padding_is(&t.y, t.count, 9) && image_padding_is(&dx, t.count, 7));
    CHECK(image_padding_is(&t.x, t.count, 0));
    free_arrays();
}
static void convolutions_are_right(void)
{
    int size, stride, pad;
    for (size = 1; size <= 5; size++)
        for (stride = 1; stride <= 4; stride++)
            for (pad = 0; pad <= 2; pad++) {
                /* dx: the bands for few images */
                conv_case(size, stride, pad, 1 + risei_random_below(&dice, 2));
                /* and those for many */
                conv_case(size, stride, pad, 8 + risei_random_below(&dice, 2));
            }
}

static double pool_loss(void *layer)
{
    conv_layer *const t = (conv_layer *)layer;
    image_put(&t->x, t->count, t->flat_x);
    risei_maxpool_forward(&device, &t->c, t->count, &t->x, &t->y);
    image_get(&t->y, t->count, t->flat_y);
    return dot(image_pixels(&t->y, t->count), t->flat_y, t->slope);
}
/* Checks a max pool. `c` describes the pool, without its images. */
static void pool_case(const risei_conv *c, const char *about)
{
    conv_layer t;
    risei_image dy, dx;
    double *flat_dx;
    size_t outputs, inputs;
    t.c = *c;
    t.count = 2;
    t.x = image_take(t.count, c->out_height, c->out_width, c->filters, risei_random_below(&dice, 2),
                     9);
    t.y = image_take(t.count, c->pooled_height, c->pooled_width, c->filters,
                     risei_random_below(&dice, 2), 9);
    dy = image_take(t.count, c->pooled_height, c->pooled_width, c->filters, 0, 0);
    dx = image_take(t.count, c->out_height, c->out_width, c->filters, risei_random_below(&dice, 2),
                    7);
    inputs = image_pixels(&t.x, t.count), outputs = image_pixels(&t.y, t.count);
    t.flat_x = numbers(inputs, 1), t.flat_y = numbers(outputs, 0);
    t.slope = numbers(outputs, 1), flat_dx = numbers(inputs, 0);
    check_about("%s, %dx%dx%d", about, c->out_width, c->out_height, c->filters);
    pool_loss(&t);
    CHECK(image_good(plain_pool, &t.c, NULL, t.count, &t.x, &t.y));
    image_put(&dy, t.count, t.slope);
    risei_maxpool_backward(&device, &t.c, t.count, &t.x, &dy, &dx);
    image_get(&dx, t.count, flat_dx);
    check_gradient("x", pool_loss, &t, t.flat_x, flat_dx, inputs);
    CHECK(image_padding_is(&t.y, t.count, 9) && image_padding_is(&dx, t.count, 0));
    free_arrays();
}
static void max_pooling_is_right(void)
{
    char about[80];
    int pool, stride, pad;
    for (pool = 1; pool <= 4; pool++)
        for (stride = 0; stride <= 4; stride++) /* 0: as the kernel size */
            for (pad = 0; pad < pool; pad++) {
                int const height = 4 + risei_random_below(&dice, 4),
                          width = 4 + risei_random_below(&dice, 4);
                rise_conv const desc = {
                    1 + risei_random_below(&dice, 3), 1, 1, 0, pool, stride, pad, 0};
                risei_parameters p = {0, 0};
                risei_conv const c = risei_conv_make(&p, &desc, height, width, 1);
                snprintf(about, sizeof about, "pool %d stride %d pad %d", pool, stride, pad);
                pool_case(&c, about);
            }
}
/* Returns an adaptive pool as an encoder makes it. The sizes may divide evenly or not. */
static risei_conv adaptive(int height, int width, int filters, int rows, int columns)
{
    risei_conv c;
    memset(&c, 0, sizeof c);
    c.pool = -1, c.filters = filters;
    c.out_height = height, c.out_width = width, c.pooled_height = rows, c.pooled_width = columns;
    return c;
}
static void adaptive_pooling_is_right(void)
{
    char about[80];
    int to, more;
    for (to = 1; to <= 6; to++)
        for (more = 0; more <= 7; more++) {
            risei_conv const c =
                adaptive(to + more, to + (5 * more + to) % 8, 1 + more % 3, to, to);
            snprintf(about, sizeof about, "adaptive pool to %d x %d", to, to);
            pool_case(&c, about);
        }
    for (more = 0; more < 12; more++) { /* rows and columns must not be mixed up */
        int const rows = 1 + risei_random_below(&dice, 4);
        int const columns = 1 + risei_random_below(&dice, 4);
        risei_conv const c = adaptive(rows + risei_random_below(&dice, 5),
                                      columns + risei_random_below(&dice, 5), 2, rows, columns);
        snprintf(about, sizeof about, "adaptive pool to %d x %d", columns, rows);
        pool_case(&c, about);
    }
}
/* Of equal pixels, the first in a pooling region gets the whole gradient. A pixel in several
   regions gets it from each. */
static void first_of_equal_pixels_has_the_gradient(void)
{
    /* 5 x 5 to 3 x 3: regions of 2, 3 and 2 pixels begin at 0, 1 and 3 */
    static const double right[2][25] = {{1, 2, 0, 3, 0, 4, 5, 0, 6, 0, 0, 0, 0,
                                         0, 0, 7, 8, 0, 9, 0, 0, 0, 0, 0, 0},
                                        /* (1, 1) and (1, 3), (3, 1), (3, 3) */
                                        {0, 0, 0, 0,  0, 0, 12, 0, 9, 0, 0, 0, 0,
                                         0, 0, 0, 15, 0, 9, 0,  0, 0, 0, 0, 0}};
    risei_conv const c = adaptive(5, 5, 1, 3, 3);
    int peaks, i;
    for (peaks = 0; peaks < 2; peaks++) {
        risei_image x = image_take(1, 5, 5, 1, 0, -3), dx = image_take(1, 5, 5, 1, 0, 7);
        risei_image dy = image_take(1, 3, 3, 1, 0, 0);
        for (i = 0; i < 9; i++) dy.data[i] = i + 1;
        if (peaks) x.data[6] = x.data[8] = x.data[16] = x.data[18] = 2;
        risei_maxpool_backward(&device, &c, 1, &x, &dy, &dx);
        check_about("ties, %d", peaks);
        for (i = 0; i < 25; i++) CHECK(dx.data[i] == right[peaks][i]);
        free_arrays();
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* LayerNorm */

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
static void layer_norm_is_right(void)
{
    int n;
    for (n = 1; n <= 40; n += n < 5 ? 1 : 6) {
        size_t const size = (size_t)n;
        norm_layer t;
        double *g, *dy;
        size_t i;
        t.n = n;
        t.x = numbers(size, 1), t.parameters = numbers(2 * size, 1), t.y = numbers(size, 0),
        t.slope = numbers(size, 1);
        g = numbers(2 * size, 0), dy = numbers(size, 0);
        memcpy(dy, t.slope, size * sizeof *dy);
        norm_loss(&t);
        put(2 * size, g, 1);
        device.kernels->norm_backward(n, t.x, t.parameters, t.stats, dy, g, g + n);
        for (i = 0; i < 2 * size; i++) g[i] -= 1; /* only these gradients are added to */
        check_about("LayerNorm of %d", n);
        check_gradient("gain and bias", norm_loss, &t, t.parameters, g, 2 * size);
        check_gradient("x", norm_loss, &t, t.x, dy, size);
        free_arrays();
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Recurrent cells */

typedef struct cell_layer {
    risei_cell c;
    risei_sequence s;
    /* the loss reads the state after this step and after the `ends` - 1 steps before; the sequence
       may go on */
    int steps;
    double *w, *slope;
} cell_layer;

static double cell_loss(void *layer)
{
    cell_layer *const t = (cell_layer *)layer;
    size_t const state = (size_t)(t->s.rows * t->c.units), last = (size_t)t->s.dh_blocks * state;
    ptrdiff_t const at = (ptrdiff_t)t->s.begin[t->steps] * t->c.units;
    double sum = 0;
    int block;
    risei_cell_forward(&device, &t->c, t->w, &t->s);
    for (block = 0; block < t->s.dh_blocks; block++) {
        int const step = t->steps - t->s.dh_blocks + 1 + block;
        int const rows = risei_sequence_active(&t->s, step);
        sum += dot((size_t)(rows * t->c.units), t->s.h + t->s.begin[step] * t->c.units,
                   t->slope + (size_t)block * state);
    }
    return sum + (t->s.c != NULL ? dot(state, t->s.c + at, t->slope + last) : 0);
}

/* The published formula of a cell, for one unit: returns its next h, and changes *c if the cell has
   one. x and u [gates] are the parts of the gates that come from the input and from the old state;
   u has no meaning without a recurrent matrix. */
typedef double (*cell_formula)(const double *x, const double *u, double h, double *c);

static double plain_lstm(const double *x, const double *u, double h, double *c)
{
    (void)h;
    *c = squash(x[1] + u[1]) * *c + squash(x[0] + u[0]) * tanh(x[2] + u[2]);
    return squash(x[3] + u[3]) * tanh(*c);
}
static double plain_gru(const double *x, const double *u, double h, double *c)
{
    double const z = squash(x[1] + u[1]);
    (void)c;
    return z * h + (1 - z) * tanh(x[2] + squash(x[0] + u[0]) * u[2]);
}
static double plain_mingru(const double *x, const double *u, double h, double *c)
{
    (void)u, (void)c;
    return squash(x[0]) * h + (1 - squash(x[0])) * tanh(x[1]);
}
/* Returns NULL for a cell whose formula is not written here. */
static cell_formula formula_of(const risei_cell_kind *kind)
{
    return kind == &risei_cell_lstm     ? plain_lstm
           : kind == &risei_cell_gru    ? plain_gru
           : kind == &risei_cell_mingru ? plain_mingru
                                        : NULL;
}
/* Runs one row through the cell's formula. Returns whether the library's state after `steps` is the
   same. */
static int cell_row_good(const cell_layer *t, cell_formula formula, int row)
{
    int const n = t->c.units, has_c = t->s.c != NULL;
    int const begin = t->s.start != NULL ? t->s.start[row] : 0;
    double h[2][32], c[32], g[8], u[8], worst = 0;
    int i, j, step;
    for (i = 0; i < n; i++) {
        h[begin & 1][i] = begin == 0 ? t->s.h[row * n + i] : 0;
        c[i] = begin == 0 && has_c ? t->s.c[row * n + i] : 0;
    }
    for (step = begin; step < t->steps; step++) {
        const double *const x = t->s.x + (t->s.begin[step] + row) * t->c.in;
        const double *const old = h[step & 1];
        double *const now = h[~step & 1];
        for (i = 0; i < n; i++) {
            for (j = 0; j < t->c.kind->gates; j++) {
                g[j] = plain_linear(t->w, &t->c.x, x, j * n + i);
                u[j] = !t->c.kind->recurrent       ? 0
                       : t->c.kind->recurrent_bias ? plain_linear(t->w, &t->c.h, old, j * n + i)
                                                   : plain_product(t->w, &t->c.h, old, j * n + i);
            }
            now[i] = formula(g, u, old[i], &c[i]);
        }
    }
    for (i = 0; i < n; i++) {
        ptrdiff_t const at = (ptrdiff_t)(t->s.begin[t->steps] + row) * n + i;
        worst = fmax(worst, fabs(t->s.h[at] - h[t->steps & 1][i]));
        if (has_c) worst = fmax(worst, fabs(t->s.c[at] - c[i]));
    }
    return worst < 1e-13;
}
/* With a burn-in, gradients of the weights are sums over the steps after it. The gradients of the
   inputs after the burn-in are the same as without a burn-in. */
static int cell_burn_good(cell_layer *t, double *g, int burn)
{
    ptrdiff_t const out = (ptrdiff_t)t->c.kind->gates * t->c.units, from = t->s.begin[burn];
    ptrdiff_t const all = t->s.begin[t->steps];
    size_t const inputs = (size_t)((all - from) * t->c.in);
    size_t const ends = (size_t)(t->s.dh_blocks * t->s.rows * t->c.units);
    double *const dx = numbers(inputs, 0);
    double worst = 0;
    ptrdiff_t i, j, e;
    memcpy(dx, t->s.dx + from * t->c.in, inputs * sizeof *dx);
    memcpy(t->s.dh, t->slope, ends * sizeof *g);
    if (t->s.dc != NULL)
        memcpy(t->s.dc, t->slope + ends, (size_t)(t->s.rows * t->c.units) * sizeof *g);
    t->s.burn_in = burn;
    risei_cell_backward(&device, &t->c, t->w, g, &t->s, t->steps);
    t->s.burn_in = 0;
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
    for (i = 0; i < (ptrdiff_t)inputs; i++)
        worst = fmax(worst, fabs(dx[i] - t->s.dx[from * t->c.in + i]));
    return worst < 1e-12;
}
static void cell_case(rise_cell kind, int in, int units, int steps, int ends, int further, int rows,
                      const int *first)
{
    int const all = steps + further;
    size_t const state = (size_t)(rows * units), last = (size_t)ends * state;
    size_t missing; /* where the bias of the recurrent matrix would be, if the cell has none */
    risei_parameters p = {5, 0};
    risei_arena count, arena;
    cell_formula formula;
    cell_layer t;
    double *g;
    size_t i, starting;
    int row;
    memset(&t, 0, sizeof t), memset(&count, 0, sizeof count);
    t.c = risei_cell_make(&p, kind, in, units);
    missing = t.c.kind->recurrent && !t.c.kind->recurrent_bias ? (size_t)t.c.h.out : 0;
    formula = formula_of(t.c.kind);
    t.steps = steps;
    t.s.dh_blocks = ends;
    risei_sequence_layout(&count, &t.c, &t.s, all, all * rows, (all + 1) * rows, rows, steps, 1);
    arena = count;
    arena.base = (unsigned char *)numbers(count.used / sizeof *g, 0), arena.used = 0;
    risei_sequence_layout(&arena, &t.c, &t.s, all, all * rows, (all + 1) * rows, rows, steps, 1);
    /* the rest of an earlier pass */
    put(count.used / sizeof *g, (double *)(void *)arena.base, 9);
    t.s.steps = all, t.s.rows = rows, t.s.start = first;
    risei_sequence_plan(&t.s);
    starting = (size_t)(t.s.begin[1] * units);
    t.w = numbers(p.count + missing, 1), t.slope = numbers(last + state, 1),
    g = garbage(p.count + missing);
    put(missing, t.w + p.count, (double)NAN);
    for (i = 0; i < (size_t)(t.s.begin[all] * in); i++) t.s.x[i] = real();
    for (i = 0; i < starting; i++) t.s.h[i] = real();
    for (i = 0; i < starting && t.s.c != NULL; i++) t.s.c[i] = real();

    cell_loss(&t);
    check_about("%s of %d units, %d in, %d steps of %d, %d ends, %d rows%s",
                risei_cell_word((int)kind), units, in, steps, all, ends, rows,
                first != NULL ? ", some late" : "");
    for (row = 0; row < rows && formula != NULL; row++) CHECK(cell_row_good(&t, formula, row));
    memcpy(t.s.dh, t.slope, last * sizeof *g);
    if (t.s.dc != NULL) memcpy(t.s.dc, t.slope + last, state * sizeof *g);
    risei_cell_backward(&device, &t.c, t.w, g, &t.s, steps);
    check_gradient("weights", cell_loss, &t, t.w + 5, g + 5, p.count - 5);
    CHECK(still_garbage(5, g) && still_garbage(missing, g + p.count));
    check_gradient("x", cell_loss, &t, t.s.x, t.s.dx, (size_t)(t.s.begin[steps] * in));
    check_gradient("the first h", cell_loss, &t, t.s.h, t.s.dh, starting);
    if (t.s.c != NULL) check_gradient("the first c", cell_loss, &t, t.s.c, t.s.dc, starting);
    cell_loss(&t);
    if (t.c.kind->gates * units % RISE_PANEL != 0 && steps > ends)
        CHECK(cell_burn_good(&t, g, 1 + risei_random_below(&dice, steps - ends)));
    free_arrays();
}
static void recurrent_cells_are_right(void)
{
    /* the first step of each row; steps - 1 in place of a larger one */
    static const int firsts[][4] = {{0, 1, 2, 3}, {2, 0, 1, 6}, {1, 3, 0, 2}, {1, 1, 1, 1}};
    int kind, steps, rows, mask, i, first[4];
    for (kind = RISE_CELL_LSTM; kind < RISE_CELL_COUNT; kind++) {
        if (formula_of(risei_cell_kinds[kind]) == NULL)
            printf("    %s: without a formula in formula_of, only its gradients are checked\n",
                   risei_cell_word(kind));
        for (steps = 1; steps <= 7; steps++)
            for (rows = 1; rows <= 4; rows += 1 + rows % 2) /* 1, 3, 4 */
                for (mask = -1; mask < 4; mask++) {
                    int const in = 1 + risei_random_below(&dice, 4),
                              units = 1 + risei_random_below(&dice, 4);
                    for (i = 0; i < 4 && mask >= 0; i++)
                        first[i] = firsts[mask][i] < steps ? firsts[mask][i] : steps - 1;
                    cell_case((rise_cell)kind, in, units, steps,
                              1 + risei_random_below(&dice, steps), mask & 1 ? 2 : 0, rows,
                              mask < 0 ? NULL : first);
                }
    }
}
/* Weights in panels of 32 columns. */
static void panels_are_right(void)
{
    static const int late[] = {0, 1, 2};
    int kind;
    linear_case(1, 3, 32, 0, 0, 0);
    linear_case(4, 32, 5, 1, 0, 2);
    linear_case(3, 7, 64, 0, 2, 1);
    linear_case(5, 33, 96, 2, 1, 0);
    for (kind = RISE_CELL_LSTM; kind < RISE_CELL_COUNT; kind++) {
        cell_case((rise_cell)kind, 3, 8, 4, 2, 1, 3, late);
        /* also the transposed recurrent weights */
        cell_case((rise_cell)kind, 2, 32, 2, 1, 0, 1 + (kind - RISE_CELL_LSTM) % 2, NULL);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Encoders: from frames to features */

/* One image without padding: [height][width][channels] */
typedef struct flat {
    int height, width, channels;
    double *x;
} flat;

static flat flat_make(int height, int width, int channels)
{
    flat f = {height, width, channels, NULL};
    f.x = (double *)malloc((size_t)(height * width * channels) * sizeof *f.x);
    if (f.x == NULL) exit(1);
    return f;
}
static flat flat_of(const risei_image *i, int n)
{
    flat const f = flat_make(i->height, i->width, i->channels);
    int y, x, c;
    for (y = 0; y < f.height; y++)
        for (x = 0; x < f.width; x++)
            for (c = 0; c < f.channels; c++)
                f.x[(y * f.width + x) * f.channels + c] = pixel(i, n, y, x, c);
    return f;
}
static void flat_relu(flat *f)
{
    int i;
    for (i = 0; i < f->height * f->width * f->channels; i++) f->x[i] = f->x[i] > 0 ? f->x[i] : 0;
}
/* Returns the convolution `c` of x without ReLU. Frees x. */
static flat flat_conv(const risei_conv *c, const double *w, flat x)
{
    int const height = (x.height + 2 * c->pad - c->size) / c->stride + 1;
    flat const y = flat_make(height, (x.width + 2 * c->pad - c->size) / c->stride + 1, c->filters);
    int oy, ox, filter, ky, kx, channel;
    for (oy = 0; oy < y.height; oy++)
        for (ox = 0; ox < y.width; ox++)
            for (filter = 0; filter < y.channels; filter++) {
                double sum = w[c->bias + (size_t)filter];
                for (ky = 0; ky < c->size; ky++)
                    for (kx = 0; kx < c->size; kx++)
                        for (channel = 0; channel < x.channels; channel++) {
                            int const iy = oy * c->stride + ky - c->pad;
                            int const ix = ox * c->stride + kx - c->pad;
                            int const tap = (ky * c->size + kx) * x.channels + channel;
                            if (iy >= 0 && iy < x.height && ix >= 0 && ix < x.width)
                                sum += x.x[(iy * x.width + ix) * x.channels + channel] *
                                       w[c->weights + (size_t)(tap * c->filters + filter)];
                        }
                y.x[(oy * y.width + ox) * y.channels + filter] = sum;
            }
    free(x.x);
    return y;
}
/* Returns the maxima of the regions rows[2 i]..rows[2 i + 1], and columns likewise. Frees x. */
static flat flat_maxima(flat x, int height, int width, const int *rows, const int *columns)
{
    flat const y = flat_make(height, width, x.channels);
    int oy, ox, c, iy, ix;
    for (oy = 0; oy < height; oy++)
        for (ox = 0; ox < width; ox++)
            for (c = 0; c < x.channels; c++) {
                double most = -HUGE_VAL;
                for (iy = rows[2 * oy]; iy < rows[2 * oy + 1]; iy++)
                    for (ix = columns[2 * ox]; ix < columns[2 * ox + 1]; ix++)
                        if (iy >= 0 && iy < x.height && ix >= 0 && ix < x.width)
                            most = fmax(most, x.x[(iy * x.width + ix) * x.channels + c]);
                y.x[(oy * width + ox) * x.channels + c] = most;
            }
    free(x.x);
    return y;
}
static flat flat_pool(const risei_conv *c, flat x)
{
    int const height = (x.height + 2 * c->pool_pad - c->pool) / c->pool_stride + 1;
    int const width = (x.width + 2 * c->pool_pad - c->pool) / c->pool_stride + 1;
    int rows[64], columns[64], i;
    for (i = 0; i < height || i < width; i++) {
        rows[2 * i] = columns[2 * i] = i * c->pool_stride - c->pool_pad;
        rows[2 * i + 1] = columns[2 * i + 1] = i * c->pool_stride - c->pool_pad + c->pool;
    }
    return flat_maxima(x, height, width, rows, columns);
}
/* PyTorch's AdaptiveMaxPool2d: from floor(i n / m) to ceil((i + 1) n / m) */
static flat flat_shrink(int to, flat x)
{
    int rows[64], columns[64], i;
    for (i = 0; i < to; i++) {
        rows[2 * i] = (int)floor((double)i * x.height / to),
                 rows[2 * i + 1] = (int)ceil((i + 1.0) * x.height / to);
        columns[2 * i] = (int)floor((double)i * x.width / to),
                    columns[2 * i + 1] = (int)ceil((i + 1.0) * x.width / to);
    }
    return flat_maxima(x, to, to, rows, columns);
}
/* x + conv(relu(conv(relu(x)))) (He et al. 2016, in the order of Espeholt et al. 2018) */
static flat flat_unit(const risei_encoder *e, int l, int unit, const double *w, flat x)
{
    risei_conv const first = risei_residual_conv(e, l, 2 * unit);
    risei_conv const second = risei_residual_conv(e, l, 2 * unit + 1);
    int const size = x.height * x.width * x.channels;
    flat y = flat_make(x.height, x.width, x.channels);
    int i;
    memcpy(y.x, x.x, (size_t)size * sizeof *y.x);
    flat_relu(&y);
    y = flat_conv(&first, w, y);
    flat_relu(&y);
    y = flat_conv(&second, w, y);
    for (i = 0; i < size; i++) y.x[i] += x.x[i];
    free(x.x);
    return y;
}
/* Computes the features of image n. Returns how many there are. */
static int plain_images(const risei_encoder *e, const double *w, const risei_image *frames, int n,
                        double *features)
{
    flat x = flat_of(frames, n);
    int l, i, count;
    for (l = 0; l < e->layers; l++) {
        x = flat_conv(&e->conv[l], w, x);
        if (e->residuals[l] == 0) flat_relu(&x);
        if (e->conv[l].pool > 0) x = flat_pool(&e->conv[l], x);
        for (i = 0; i < e->residuals[l]; i++) x = flat_unit(e, l, i, w, x);
    }
    if (e->residuals[e->layers - 1] > 0) flat_relu(&x);
    if (e->adaptive_pool.pool != 0) x = flat_shrink(e->adaptive_pool.pooled_height, x);
    count = e->has_linear ? e->linear.out : x.height * x.width * x.channels;
    for (i = 0; i < count; i++)
        features[i] = e->has_linear ? fmax(plain_linear(w, &e->linear, x.x, i), 0) : x.x[i];
    free(x.x);
    return count;
}
/* Computes all features of an image: those of its pixels, then those of its numbers [in]. Returns
   how many there are. */
static int plain_encoder(const risei_encoder *e, const double *w, const risei_image *frames, int n,
                         const double *given, double *features)
{
    int const images = e->layers > 0 ? plain_images(e, w, frames, n, features) : 0;
    int i;
    for (i = 0; i < e->numbers.out; i++)
        features[images + i] = fmax(plain_linear(w, &e->numbers, given, i), 0);
    return images + e->numbers.out;
}
static int encoder_good(const risei_encoder *e, const double *w, const risei_image *frames,
                        int count, const double *given, const double *features)
{
    double expected[256], worst = 0;
    int n, i;
    for (n = 0; n < count; n++) {
        if (plain_encoder(e, w, frames, n, given, expected) != e->out) return 0;
        if (given != NULL) given += e->numbers.in;
        for (i = 0; i < e->out; i++)
            worst = fmax(worst, fabs(features[n * e->out + i] - expected[i]));
    }
    return worst < 1e-12;
}

/* A convolution with ReLU and without, and one that adds to what is there. */
static void convolutions_add_and_rectify(void)
{
    rise_conv const desc = {3, 3, 2, 1, 0, 0, 0, 0};
    int form;
    for (form = 0; form < 4; form++) {
        int const relu = form & 1, add = form >> 1;
        risei_parameters p = {2, 0};
        risei_conv const c = risei_conv_make(&p, &desc, 7, 6, 2);
        risei_image x = image_take(2, 7, 6, 2, 1, 0);
        risei_image y = image_take(2, c.out_height, c.out_width, 3, 1, 9);
        double *const w = numbers(p.count, 1), *const flat_x = numbers(image_pixels(&x, 2), 1);
        double *const before = numbers(image_pixels(&y, 2), 1);
        double *const after = numbers(image_pixels(&y, 2), 0);
        int n, at, good = 1;
        image_put(&x, 2, flat_x);
        image_put(&y, 2, before);
        risei_conv_forward(&device, &c, w, 2, &x, &y, relu, add);
        image_get(&y, 2, after);
        for (n = 0; n < 2; n++) {
            flat const right = flat_conv(&c, w, flat_of(&x, n));
            int const size = right.height * right.width * right.channels;
            for (at = 0; at < size; at++) {
                double const sum = right.x[at] + (add ? before[n * size + at] : 0);
                good &= fabs(after[n * size + at] - (relu ? fmax(sum, 0) : sum)) < 1e-12;
            }
            free(right.x);
        }
        check_about("conv%s%s", relu ? ", relu" : "", add ? ", add" : "");
        CHECK(good && image_padding_is(&y, 2, 9));
        free_arrays();
    }
}

typedef struct encoder_case {
    const char *name;
    int height, width, channels, count, learn, pool_to, features;
    int layers;
    rise_conv conv[3]; /* filters, size, stride, pad, pool, pool stride, pool pad, residual */
} encoder_case;

static const encoder_case encoders[] = {
    {"a unit", 5, 4, 1, 2, 2, -1, -1, 1, {{2, 3, 1, 1, 0, 0, 0, 1}}},
    {"two units, dense", 4, 5, 2, 3, 2, -1, 3, 1, {{2, 2, 1, 0, 0, 0, 0, 2}}},
    {"a block of IMPALA", 7, 6, 2, 2, 1, -1, 3, 1, {{3, 3, 1, 1, 3, 2, 1, 2}}},
    {"four units on one pixel", 1, 1, 1, 3, 3, -1, 2, 1, {{3, 1, 1, 0, 0, 0, 0, 4}}},
    {"a unit, then a conv with a pool",
     6,
     5,
     1,
     2,
     2,
     -1,
     -1,
     2,
     {{2, 3, 1, 1, 0, 0, 0, 1}, {2, 2, 1, 0, 2, 1, 0, 0}}},
    {"a conv, then units and a pool",
     7,
     7,
     1,
     2,
     2,
     3,
     -1,
     2,
     {{2, 3, 1, 0, 0, 0, 0, 0}, {2, 2, 1, 1, 0, 0, 0, 2}}},
    {"units in both, pools in both",
     9,
     7,
     1,
     1,
     1,
     2,
     4,
     2,
     {{2, 3, 1, 1, 2, 2, 0, 2}, {3, 3, 1, 1, 0, 0, 0, 1}}},
    {"padding wider than a residual unit's",
     8,
     7,
     1,
     9,
     9,
     -1,
     2,
     2,
     {{2, 2, 1, 0, 0, 0, 0, 1}, {2, 4, 1, 0, 0, 0, 0, 1}}},
    {"the same, of few images",
     8,
     7,
     1,
     2,
     2,
     1,
     -1,
     2,
     {{2, 2, 1, 0, 0, 0, 0, 1}, {2, 4, 1, 0, 0, 0, 0, 2}}},
    {"strides and padding",
     9,
     8,
     2,
     10,
     8,
     1,
     -1,
     2,
     {{2, 3, 2, 2, 0, 0, 0, 1}, {3, 3, 2, 1, 2, 1, 1, 1}}},
    {"a small IMPALA",
     19,
     17,
     1,
     2,
     2,
     2,
     3,
     3,
     {{2, 3, 1, 1, 3, 2, 1, 2}, {2, 3, 1, 1, 3, 2, 1, 2}, {2, 3, 1, 1, 3, 2, 1, 2}}},
    {"no unit, a pool at the end", 6, 9, 2, 3, 2, 2, -1, 1, {{3, 3, 1, 0, 0, 0, 0, 0}}},
    {"the same, dense, after a pool",
     9,
     8,
     1,
     2,
     2,
     3,
     4,
     2,
     {{2, 3, 1, 1, 2, 1, 0, 0}, {2, 2, 1, 0, 2, 1, 1, 0}}},
};

typedef struct encoder_layer {
    risei_encoder e;
    risei_encoder_data a;
    int count;
    size_t parameters;
    /* only the first images learn: the gradient of the others is 0 */
    double *w, *frames, *numbers, *slope;
} encoder_layer;

static double encoder_loss(void *layer)
{
    encoder_layer *const t = (encoder_layer *)layer;
    risei_encoder_input const input = {t->frames, NULL, 0, NULL, t->numbers};
    risei_encoder_forward(&device, &t->e, t->w, t->count, &input, &t->a);
    return dot((size_t)(t->count * t->e.out), t->a.features, t->slope);
}
/* Makes random images for the encoder. */
static void encoder_images(encoder_layer *t, const encoder_case *k)
{
    risei_image const image = image_take(k->count, k->height, k->width, k->channels,
                                         t->a.in[0].padding, 0);
    size_t const count = image_pixels(&image, k->count);
    double *const pixels = numbers(count, 1);
    size_t i;
    for (i = 0; i < count; i++) pixels[i] = fabs(pixels[i]);
    image_put(&image, k->count, pixels);
    t->frames = image.data;
}
/* `in`, `out`: of the layer of numbers; `out` 0: there is none */
static void encoder_make(encoder_layer *t, const encoder_case *k, int in, int out)
{
    risei_parameters p = {0, 0};
    risei_arena count, arena;
    size_t i;
    memset(t, 0, sizeof *t), memset(&count, 0, sizeof count);
    risei_encoder_make(&t->e, &p, k->height, k->width, k->channels, k->conv, k->layers, k->pool_to,
                       k->features);
    if (out > 0) risei_encoder_add_numbers(&t->e, &p, in, out);
    t->count = k->count;
    risei_encoder_layout(&count, &t->e, &t->a, k->count, k->learn);
    arena = count;
    arena.base = (unsigned char *)numbers(count.used / sizeof(double), 0), arena.used = 0;
    risei_encoder_layout(&arena, &t->e, &t->a, k->count, k->learn);
    if (k->layers > 0) encoder_images(t, k);
    if (out > 0) t->numbers = numbers((size_t)(k->count * in), 1);
    t->parameters = p.count;
    t->w = numbers(p.count, 0), t->slope = numbers((size_t)(k->count * t->e.out), 0);
    risei_encoder_initialise(&t->e, t->w, 1, &dice);
    for (i = 0; i < p.count; i++) t->w[i] += 0.1 * real();
    for (i = 0; i < (size_t)(k->learn * t->e.out); i++) t->slope[i] = real();
}
static void encoder_backward(encoder_layer *t, int learn, double *g)
{
    encoder_loss(t);
    memcpy(t->a.dfeatures, t->slope, (size_t)(learn * t->e.out) * sizeof *g);
    risei_encoder_backward(&device, &t->e, t->w, g, learn, &t->a);
}
static void encoder_case_is_right(const encoder_case *c, int in, int out)
{
    encoder_layer t;
    double *g, *again;
    encoder_make(&t, c, in, out);
    g = garbage(t.parameters + 3), again = garbage(t.parameters);
    encoder_backward(&t, c->learn, g);
    t.a.in[0].data = t.frames;
    check_about("encoder: %s, %d numbers to %d features", c->name, in, out);
    CHECK(encoder_good(&t.e, t.w, &t.a.in[0], c->count, t.numbers, t.a.features));
    check_gradient("weights", encoder_loss, &t, t.w, g, t.parameters);
    CHECK(still_garbage(3, g + t.parameters));
    /* nothing remains from before, and padding is still zero */
    encoder_backward(&t, c->learn, again);
    CHECK(memcmp(again, g, t.parameters * sizeof *g) == 0);
    free_arrays();
}
static void encoders_are_right(void)
{
    size_t k;
    for (k = 0; k < sizeof encoders / sizeof *encoders; k++)
        encoder_case_is_right(&encoders[k], 0, 0);
}
/* The layer of numbers after the layers of images: after a linear layer, after conv layers alone,
   and without any. In a last layer with a pool or a residual unit, the gradient of the features has
   a place of its own. */
static void encoders_of_numbers_are_right(void)
{
    static const encoder_case images[] = {
        {"a conv, dense", 5, 4, 1, 3, 2, -1, 3, 1, {{2, 3, 2, 1, 0, 0, 0, 0}}},
        {"a conv alone", 5, 3, 2, 3, 2, -1, -1, 1, {{3, 2, 1, 0, 0, 0, 0, 0}}},
        {"a pool at the end", 7, 5, 1, 3, 3, -1, -1, 1, {{2, 3, 1, 1, 2, 2, 0, 0}}},
        {"an adaptive pool", 7, 5, 1, 3, 1, 2, -1, 1, {{2, 3, 1, 1, 0, 0, 0, 0}}},
        {"a unit at the end", 4, 5, 1, 2, 2, -1, -1, 1, {{2, 3, 1, 1, 0, 0, 0, 1}}},
        {"panels", 3, 3, 1, 3, 2, -1, 32, 1, {{3, 3, 1, 1, 0, 0, 0, 0}}},
        {"nothing", 0, 0, 1, 5, 3, -1, 3, 0, {{0, 0, 0, 0, 0, 0, 0, 0}}},
    };
    static const int sizes[][2] = {{1, 1}, {3, 5}, {7, 2}, {5, 32}, {33, 9}};
    size_t k, i;
    for (k = 0; k < sizeof images / sizeof *images; k++)
        for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
            encoder_case_is_right(&images[k], sizes[i][0], sizes[i][1]);
}

/* ---------------------------------------------------------------------------------------------- */
/* The whole network */

typedef struct network_kind {
    rise_memory memory;
    rise_cell cell;
    rise_fusion fusion;
    int norm, dueling, variant;
    rise_head head;
    /* residual: units after the first conv, plus 4 times the units after the second */
    int noisy, residual, spectral;
    int pool_to;
} network_kind;

typedef struct network {
    risei_net net;
    risei_pass pass;
    int rows, images;
    int first[2];
    double *frames, *numbers;
    double *w, *g; /* the learnable weights, and their gradient */
    /* the weights that the network runs on; w itself if none are derived */
    double *noise, *spectral, *derived;
    /* the head's loss: a target and a weight for each action of each state */
    double *target, *weight;
} network;

enum { ROWS = 2, STEPS = 3, FURTHER = 1, ALL = STEPS + FURTHER };

/* The outputs of one state: [taus][actions][atoms]. */
static int state_outputs(const risei_heads *h) { return h->taus * h->actions * h->atoms; }

/* Returns the weighted sum of the head's loss over all actions of ROWS states. Writes its gradient
   to pass.heads.dz. */
static double head_loss(network *t)
{
    const risei_heads *h = &t->net.heads;
    const risei_heads_data *a = &t->pass.heads;
    double loss = 0, td;
    int row, action;
    for (row = 0; row < ROWS; row++)
        for (action = 0; action < h->actions; action++) {
            int const at = row * state_outputs(h) + action * h->atoms;
            int const which = row * h->actions + action;
            risei_loss_weight const weight = {t->weight[which], 1};
            loss += t->weight[which] *
                    h->kind->loss(device.kernels, h, a->z + at,
                                  h->kind->quantiles ? a->tau + row * h->taus : NULL,
                                  t->target + which * h->taus * h->atoms, &weight, a->dz + at, &td);
        }
    return loss;
}
/* Computes the derived weights: mu + sigma f(e_in) f(e_out) (Fortunato et al. 2018), and W / (v^T W
   u) (Miyato et al. 2018) with the given v and u. */
static void plain_derive(network *t)
{
    const risei_net *n = &t->net;
    const risei_linear *const layer[3] = {&n->heads.hidden, &n->heads.advantage, &n->heads.value};
    const double *noise = t->noise, *s = t->spectral;
    int i, k, j;
    memcpy(t->derived, t->w, (n->heads.hidden.weights + (size_t)n->heads.sigmas) * sizeof *t->w);
    for (k = 0; k < (n->heads.dueling ? 3 : 2) && n->heads.noisy; k++) {
        const risei_linear *l = layer[k];
        int const panel = l->out % 32 == 0 ? 32 : l->out;
        for (j = 0; j < l->out; j++) {
            for (i = 0; i < l->in; i++) {
                size_t const at = l->weights +
                                  (size_t)(j / panel * panel * l->in + i * panel + j % panel);
                double const sigma = t->w[(ptrdiff_t)at + n->heads.sigmas];
                t->derived[at] = t->w[at] + sigma * noise[i] * noise[l->in + j];
            }
            t->derived[l->bias + (size_t)j] += t->w[(ptrdiff_t)l->bias + j + n->heads.sigmas] *
                                               noise[l->in + j];
        }
        noise += l->in + l->out;
    }
    for (k = 0; k < n->encoder.layers && n->spectral; k++)
        for (i = 0; i < 2 * n->encoder.residuals[k]; i++) {
            risei_conv const c = risei_residual_conv(&n->encoder, k, i);
            int const rows = 9 * c.channels, f = c.filters;
            double sigma = 0;
            for (j = 0; j < rows * f; j++)
                sigma += s[j / f] * t->w[c.weights + (size_t)j] * s[rows + j % f];
            for (j = 0; j < rows * f; j++)
                t->derived[c.weights + (size_t)j] = t->w[c.weights + (size_t)j] / sigma;
            s += rows + f + 1;
        }
}
static double network_loss(void *layer)
{
    network *const t = (network *)layer;
    risei_encoder_input const input = {t->frames, NULL, 0, NULL, t->numbers};
    if (t->derived != t->w) plain_derive(t);
    risei_net_forward(&device, &t->net, t->derived, t->rows, t->images, &input, &t->pass);
    return head_loss(t);
}
#define SCALE 0.7 /* desc.context_scale */
static rise_agent_desc network_desc_head(rise_agent_desc d, const network_kind *k)
{
    d.head = k->head, d.atoms = 4, d.quantiles = 3, d.value_min = -1.5, d.value_max = 2;
    d.noisy = k->noisy;
    return d;
}
static rise_agent_desc network_desc(const network_kind *k)
{
    rise_agent_desc d;
    int const variant = k->variant;
    memset(&d, 0, sizeof d);
    d.frame_width = 6, d.frame_height = 5, d.frame_channels = 1,
    d.frame_stack = variant & 1 ? 2 : 1, d.actions = 3;
    d.memory = k->memory, d.cell = k->cell, d.fusion = k->fusion, d.layer_norm = k->norm,
    d.no_dueling = !k->dueling;
    /* 3: some weights are in panels */
    d.recurrent_units = variant % 4 == 3 ? 8 : 2, d.head_units = variant % 4 == 3 ? 16 : 3;
    d.context_scale = SCALE, d.embedding_size = 3, d.feed_action = variant & 1;
    d.window_samples = variant & 4 ? 2 : 1; /* 4: both rows are samples of one sequence */
    d.features = variant & 2 ? 5 : -1;
    /* 8: numbers beside the frames; 24: numbers alone */
    d.numbers = variant & 8 ? 3 : 0, d.number_features = variant & 2 ? 7 : 4;
    if (variant & 16) {
        d.frame_width = d.frame_height = 0, d.network = RISE_NETWORK_SMALL;
        return network_desc_head(d, k);
    }
    d.network = RISE_NETWORK_CUSTOM, d.conv_count = 2;
    d.conv[0].filters = 2, d.conv[0].size = 3, d.conv[0].stride = 2, d.conv[0].pad = 1;
    d.conv[0].pool = 2, d.conv[0].pool_stride = 1, d.conv[0].pool_pad = variant & 1;
    d.conv[1].filters = 2, d.conv[1].size = 2, d.conv[1].stride = 1, d.conv[1].pad = !(variant & 1);
    if (variant & 2) d.conv[1].pool = 2;
    d.spectral_norm = k->spectral, d.pool_to = k->pool_to;
    d.conv[0].residual = k->residual & 3, d.conv[1].residual = k->residual >> 2;
    return network_desc_head(d, k);
}
/* Draws what the loss needs: weights, and targets from random outputs for a next state. */
static void network_targets(network *t)
{
    const risei_heads *h = &t->net.heads;
    int const per_action = h->taus * h->atoms, count = ROWS * h->actions;
    double *const next = numbers((size_t)state_outputs(h), 0);
    double *const q = numbers((size_t)h->actions, 0);
    risei_bootstrap b;
    int which, i;
    memset(&b, 0, sizeof b);
    t->weight = numbers((size_t)count, 1), t->target = numbers((size_t)(count * per_action), 0);
    b.actions = h->actions, b.discount = 0.9, b.next = next;
    for (which = 0; which < count; which++) {
        for (i = 0; i < state_outputs(h); i++) next[i] = real();
        h->kind->expect(device.kernels, h, next, q); /* C51: makes them probabilities */
        b.reward = real(), b.next_action = which % h->actions;
        h->kind->target(h, &b, t->target + which * per_action);
    }
}
/* Draws what is random besides the weights. */
static void network_draw(network *t)
{
    const risei_net *const n = &t->net;
    int i;
    network_targets(t);
    for (i = 0; i < t->rows * n->heads.taus && n->heads.kind->quantiles; i++)
        t->pass.heads.tau[i] = i < 2 ? i : risei_random_uniform(&dice);
    t->derived = t->w;
    if (!n->heads.noisy && !n->spectral) return;
    t->derived = numbers(n->weights_size, 0);
    t->noise = numbers(risei_noise_size(&n->heads), 0);
    t->spectral = numbers(risei_spectral_size(n), 0);
    risei_noise_draw(&n->heads, t->noise, &dice);
    for (i = 0; i < 2; i++) { /* twice, so that u leaves its first direction */
        risei_net_derive(&device, n, t->w, n->heads.noisy ? t->noise : NULL, t->spectral,
                         t->derived);
        risei_spectral_keep(n, t->spectral, t->w);
    }
}
/* Makes random frames and numbers for the network. */
static void network_frames(network *t)
{
    risei_image const image = t->pass.encoder.in[0];
    int i, y, x;
    t->numbers = numbers((size_t)(t->images * t->net.encoder.numbers.in), 1);
    t->frames = numbers((size_t)(t->images * risei_image_size(&image)), 0);
    for (i = 0; i < t->images; i++)
        for (y = 0; y < image.height; y++)
            for (x = 0; x < image.width * image.channels; x++)
                t->frames[i * risei_image_size(&image) + risei_image_at(&image, y, 0) + x] =
                    risei_random_below(&dice, 256) / 255.0;
}
/* A small network and its inputs. As in learning, the pass holds ROWS states and those FURTHER
   steps later; only the first learn. */
static void network_make(network *t, const network_kind *k)
{
    rise_agent_desc const d = network_desc(k);
    risei_arena count, arena;
    risei_sequence *s;
    int const full = k->memory == RISE_MEMORY_FULL, variant = k->variant;
    risei_pass_size size;
    int i, r, samples, sequences;
    memset(&count, 0, sizeof count);
    memset(t, 0, sizeof *t);
    risei_net_make(&t->net, &d);
    samples = k->memory != RISE_MEMORY_NONE ? d.window_samples : 1;
    sequences = ROWS / samples;
    t->rows = 2 * ROWS, t->images = full ? ALL * ROWS : 2 * ROWS;

    memset(&size, 0, sizeof size);
    size.rows = t->rows, size.images = t->images;
    size.steps = ALL, size.entries = ALL * ROWS, size.states = (ALL + 1) * ROWS;
    size.learn = ROWS, size.windows = sequences, size.learn_steps = STEPS;
    size.samples = samples;
    risei_pass_layout(&count, &t->net, &t->pass, &size);
    arena = count;
    arena.base = (unsigned char *)numbers(count.used / sizeof(double), 0), arena.used = 0;
    risei_pass_layout(&arena, &t->net, &t->pass, &size);
    t->first[variant & 1] = 1; /* one row starts late */
    s = &t->pass.sequence;
    s->steps = ALL, s->rows = sequences, s->start = t->first;
    if (k->memory != RISE_MEMORY_NONE) {
        risei_sequence_plan(s);
        for (i = 0; i < s->begin[ALL] * t->net.cell.in; i++) s->x[i] = real();
        for (i = 0; i < (ALL + 1) * ROWS * t->net.cell.units; i++) {
            s->h[i] = i < s->begin[1] * t->net.cell.units ? real() : 9;
            if (s->c != NULL) s->c[i] = i < s->begin[1] * t->net.cell.units ? real() : 9;
        }
        if (full) t->images = s->begin[ALL];
    }
    for (r = 0; r < t->rows; r++) {
        int const row = r % ROWS % sequences, back = samples - 1 - r % ROWS / sequences;
        int const step = (r < ROWS ? STEPS : ALL) - back;
        if (k->memory != RISE_MEMORY_NONE) t->pass.state_row[r] = s->begin[step] + row;
        t->pass.feature_row[r] = full ? s->begin[step - 1] + row : r;
    }

    network_frames(t);
    t->w = numbers(t->net.weights_size, 0), t->g = garbage(t->net.weights_size);
    risei_net_initialise(&t->net, t->w, &d, &dice);
    for (i = 0; i < (int)t->net.parameters; i++) t->w[i] += 0.1 * real();
    network_draw(t);
    check_about(
        "network: memory %d, cell %d, fusion %d%s%s, variant %d, head %d%s%s, %d units, pool to %d",
        (int)k->memory, (int)k->cell, (int)k->fusion, k->norm ? ", norm" : "",
        k->dueling ? ", dueling" : "", variant, (int)k->head, k->noisy ? ", noisy" : "",
        k->spectral ? ", spectral" : "", k->residual, k->pool_to);
}
/* Writes the heads' input of a state to x [fused_size]. */
static void plain_fused(const network *t, int row, double *x)
{
    const risei_net *const n = &t->net;
    const risei_pass *const a = &t->pass;
    const double *const w = t->derived;
    int const f = n->encoder.out, h = n->memory->recurrent ? n->cell.units : 0;
    const double *const features = a->encoder.features + a->feature_row[row] * f;
    double state[8], mean = 0, var = 0;
    int i;
    for (i = 0; i < h; i++) state[i] = SCALE * a->sequence.h[a->state_row[row] * h + i];
    for (i = 0; i < n->fused_size; i++) {
        if (i >= f)
            x[i] = state[i - f];
        else if (h == 0 || n->fusion == RISE_FUSION_CONCAT)
            x[i] = features[i];
        else if (n->fusion == RISE_FUSION_GATE)
            x[i] = features[i] * squash(plain_linear(w, &n->fuse, state, i));
        else
            x[i] = features[i] + plain_linear(w, &n->fuse, state, i);
        mean += x[i] / n->fused_size;
    }
    for (i = 0; i < n->fused_size; i++) var += (x[i] - mean) * (x[i] - mean) / n->fused_size;
    for (i = 0; i < n->fused_size && n->norm; i++)
        x[i] = (x[i] - mean) / sqrt(var + 1e-5) * w[n->gain + (size_t)i] + w[n->bias + (size_t)i];
}
/* Computes z [actions][atoms] of x: values or logits. Dueling: V + A - mean A, for each atom by
   itself. */
static void plain_heads(const network *t, const double *x, double *z)
{
    const risei_net *const n = &t->net;
    const double *const w = t->derived;
    double hidden[COMPONENTS_MAX];
    int i, j;
    for (j = 0; j < n->heads.hidden.out; j++)
        hidden[j] = fmax(plain_linear(w, &n->heads.hidden, x, j), 0);
    for (i = 0; i < n->heads.atoms; i++) {
        double mean = 0;
        for (j = 0; j < n->heads.actions; j++)
            mean += plain_linear(w, &n->heads.advantage, hidden, j * n->heads.atoms + i) /
                    n->heads.actions;
        for (j = 0; j < n->heads.actions; j++) {
            z[j * n->heads.atoms + i] =
                plain_linear(w, &n->heads.advantage, hidden, j * n->heads.atoms + i);
            if (n->heads.dueling)
                z[j * n->heads.atoms + i] +=
                    plain_linear(w, &n->heads.value, hidden + n->heads.advantage.in, i) - mean;
        }
    }
}
/* IQN (Dabney et al. 2018): x times relu(sum over i of cos(pi i tau) w_ij + b_j) */
static void plain_quantile(const network *t, double tau, const double *x, double *mixed)
{
    double cosines[64];
    int i;
    for (i = 0; i < 64; i++) cosines[i] = cos(acos(-1) * i * tau);
    for (i = 0; i < t->net.fused_size; i++)
        mixed[i] = x[i] * fmax(plain_linear(t->derived, &t->net.heads.quantile, cosines, i), 0);
}
/* Computes q [actions] from z of one state by the formula of the head. C51 replaces z by its
   softmax. A head without a formula here computes q itself. */
static void plain_expect(const risei_heads *h, double *z, double *q)
{
    int const c51 = h->kind == &risei_head_kinds[RISE_HEAD_C51];
    int const mean = h->kind == &risei_head_kinds[RISE_HEAD_MEAN] ||
                     h->kind == &risei_head_kinds[RISE_HEAD_IQN];
    int i, j, k;
    if (!c51 && !mean) {
        h->kind->expect(device.kernels, h, z, q);
        return;
    }
    for (j = 0; j < h->actions; j++) {
        double *const out = z + j * h->atoms;
        double sum = 0;
        q[j] = 0;
        for (k = 0; k < h->taus && mean; k++) q[j] += z[k * h->actions + j] / h->taus;
        for (i = 0; i < h->atoms && c51; i++) sum += exp(out[i]);
        for (i = 0; i < h->atoms && c51; i++) {
            double const share = (double)i / (h->atoms - 1);
            out[i] = exp(out[i]) / sum;
            q[j] += out[i] * (h->value_min + share * (h->value_max - h->value_min));
        }
    }
}
/* Returns whether every layer, from features and states to z and q, follows its formula. */
static int network_row_good(const network *t, int row)
{
    const risei_heads *const h = &t->net.heads;
    int const outputs = h->actions * h->atoms;
    double x[COMPONENTS_MAX], mixed[COMPONENTS_MAX], z[COMPONENTS_MAX], q[COMPONENTS_MAX],
        worst = 0;
    int i, k;
    plain_fused(t, row, x);
    for (k = 0; k < h->taus; k++) {
        if (h->kind->quantiles) plain_quantile(t, t->pass.heads.tau[row * h->taus + k], x, mixed);
        plain_heads(t, h->kind->quantiles ? mixed : x, z + k * outputs);
    }
    plain_expect(h, z, q);
    for (i = 0; i < state_outputs(h); i++)
        worst = fmax(worst, fabs(t->pass.heads.z[row * state_outputs(h) + i] - z[i]));
    for (i = 0; i < h->actions; i++)
        worst = fmax(worst, fabs(t->pass.heads.q[row * h->actions + i] - q[i]));
    return worst < 1e-12;
}
static int network_encoder_good(const network *t)
{
    risei_image frames = t->pass.encoder.in[0];
    frames.data = t->frames;
    return encoder_good(&t->net.encoder, t->derived, &frames, t->images, t->numbers,
                        t->pass.encoder.features);
}
/* Computes the gradient as an update does: of the derived weights, then of the learnable ones. A
   control changes the kernels of the backward pass. */
static int only_backward_is_bad;
static void network_backward(network *t)
{
    const rise_kernels *const kernels = device.kernels;
    const risei_net *const n = &t->net;
    int const derived = t->derived != t->w;
    double *const s = t->spectral;
    size_t const size = risei_spectral_size(n);
    double *const kept = numbers(size, 0);
    risei_encoder_input const input = {t->frames, NULL, 0, NULL, t->numbers};
    if (only_backward_is_bad) device.kernels = rise_kernels_of(RISE_ISA_AUTO);
    if (derived)
        risei_net_derive(&device, n, t->w, n->heads.noisy ? t->noise : NULL, s, t->derived);
    if (size > 0) memcpy(kept, s, size * sizeof *s);
    risei_net_forward(&device, n, t->derived, t->rows, t->images, &input, &t->pass);
    head_loss(t);
    device.kernels = kernels;
    risei_net_backward(&device, n, t->derived, t->g, ROWS, STEPS, &t->pass);
    if (derived) risei_net_derive_backward(&device, n, t->noise, s, t->derived, t->g);
    /* the backward pass may overwrite v and u, and the loss needs the same ones */
    if (size > 0) memcpy(s, kept, size * sizeof *s);
}
static void network_case(const network_kind *k)
{
    network t;
    double *once;
    int row;
    size_t i;
    network_make(&t, k);
    once = numbers(t.net.weights_size, 0);
    network_backward(&t);
    memcpy(once, t.derived,
           (t.net.heads.hidden.weights + (size_t)t.net.heads.sigmas) * sizeof *once);
    network_loss(&t);
    for (i = 0; i < t.net.heads.hidden.weights + (size_t)t.net.heads.sigmas; i++)
        /* 1e-12 keeps a length of 0 safe */
        if (!(fabs(once[i] - t.derived[i]) <= 1e-11 * (1 + fabs(once[i])))) break;
    CHECK(i == t.net.heads.hidden.weights + (size_t)t.net.heads.sigmas);
    CHECK(network_encoder_good(&t));
    for (row = 0; row < t.rows; row++) CHECK(network_row_good(&t, row));
    check_gradient("weights", network_loss, &t, t.w, t.g, t.net.parameters);
    CHECK(still_garbage(t.net.weights_size - t.net.parameters, t.g + t.net.parameters));
    memcpy(once, t.g, t.net.parameters * sizeof *once);
    put(t.net.parameters, t.g, -GARBAGE);
    network_backward(&t); /* and nothing remains from before */
    CHECK(distance(t.net.parameters, t.g, once) < 1e-9);
    free_arrays();
}
static void networks_are_right(void)
{
    static const rise_memory memories[] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE, RISE_MEMORY_FULL};
    static const rise_fusion fusions[] = {RISE_FUSION_CONCAT, RISE_FUSION_GATE, RISE_FUSION_SUM};
    int memory, cell, fusion, norm, variant = 0;
    for (memory = 0; memory < 3; memory++)
        for (cell = RISE_CELL_LSTM; cell < (memory > 0 ? RISE_CELL_COUNT : RISE_CELL_LSTM + 1);
             cell++)
            for (fusion = 0; fusion < (memory > 0 ? 3 : 1); fusion++)
                /* each with norm and without, with dueling and without */
                for (norm = 0; norm < 2; norm++, variant++) {
                    network_kind k;
                    memset(&k, 0, sizeof k);
                    k.memory = memories[memory], k.cell = (rise_cell)cell,
                    k.fusion = fusions[fusion];
                    k.norm = norm, k.dueling = (norm + cell + fusion) % 2,
                    k.variant = variant % 9 % 8;
                    network_case(&k);
                }
}
/* Numbers beside frames, with a linear layer and without, and numbers alone. */
static void networks_of_numbers_are_right(void)
{
    static const rise_memory memories[] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE, RISE_MEMORY_FULL};
    int const cells = RISE_CELL_COUNT - RISE_CELL_LSTM;
    int memory, fusion, form, turn = 0;
    for (memory = 0; memory < 3; memory++)
        for (fusion = 0; fusion < (memory > 0 ? 3 : 1); fusion++)
            for (form = 0; form < 6; form++, turn++) {
                network_kind k;
                memset(&k, 0, sizeof k);
                k.memory = memories[memory], k.fusion = (rise_fusion)fusion;
                k.cell = (rise_cell)(RISE_CELL_LSTM + turn % cells);
                k.variant = (form < 4 ? 8 + form : 24 + form % 4 * 3) | (turn & 4);
                k.norm = turn / 2 % 2, k.dueling = turn % 2;
                network_case(&k);
            }
}
/* Every head with everything before it. Every second network has derived weights. */
static void heads_are_right(void)
{
    static const rise_memory memories[] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE, RISE_MEMORY_FULL};
    int const cells = RISE_CELL_COUNT - RISE_CELL_LSTM;
    int head, memory, norm, dueling, turn = 0;
    for (head = RISE_HEAD_MEAN; head < RISE_HEAD_COUNT; head++)
        for (memory = 0; memory < 3; memory++)
            for (norm = 0; norm < 2; norm++)
                for (dueling = 0; dueling < 2; dueling++, turn++) {
                    network_kind k;
                    memset(&k, 0, sizeof k);
                    k.head = (rise_head)head, k.memory = memories[memory], k.norm = norm,
                    k.dueling = dueling;
                    k.cell = (rise_cell)(RISE_CELL_LSTM + turn % cells);
                    k.fusion = (rise_fusion)((turn + turn / 4) % 3);
                    k.variant = turn * 3 % 4;
                    k.noisy = (norm + memory) % 2;
                    if (turn % check_share == 0) network_case(&k);
                }
}
/* Noise and residual units with spectral norm, alone and together, in every kind of network. */
static void derived_weights_are_right(void)
{
    static const network_kind some[] = {
        {RISE_MEMORY_NONE, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 0, 0, 0, RISE_HEAD_MEAN, 1, 0, 0, 0},
        /* 3: in panels */
        {RISE_MEMORY_NONE, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 1, 1, 3, RISE_HEAD_MEAN, 1, 0, 0, 2},
        {RISE_MEMORY_NONE, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 0, 1, 0, RISE_HEAD_MEAN, 0, 1, 1, 0},
        {RISE_MEMORY_NONE, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 0, 0, 1, RISE_HEAD_MEAN, 0, 4, 1, 2},
        {RISE_MEMORY_NONE, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 0, 1, 2, RISE_HEAD_MEAN, 0, 5, 0, 0},
        {RISE_MEMORY_RISE, RISE_CELL_LSTM, RISE_FUSION_GATE, 0, 1, 0, RISE_HEAD_IQN, 1, 10, 1, 2},
        {RISE_MEMORY_RISE, RISE_CELL_GRU, RISE_FUSION_SUM, 1, 0, 1, RISE_HEAD_C51, 1, 6, 1, 1},
        {RISE_MEMORY_FULL, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 0, 1, 2, RISE_HEAD_IQN, 1, 5, 1, 0},
        {RISE_MEMORY_FULL, RISE_CELL_GRU, RISE_FUSION_CONCAT, 0, 1, 1, RISE_HEAD_MEAN, 1, 9, 1, 3},
        {RISE_MEMORY_FULL, RISE_CELL_LSTM, RISE_FUSION_SUM, 1, 1, 0, RISE_HEAD_C51, 0, 8, 0, 2},
    };
    size_t i;
    for (i = 0; i < sizeof some / sizeof *some; i++) network_case(&some[i]);
}

/* ---------------------------------------------------------------------------------------------- */
/* Noise and spectral norm alone */

static risei_net net_of(const rise_agent_desc *d)
{
    risei_net n;
    risei_net_make(&n, d);
    return n;
}
/* Noise is f(e) = sign(e) sqrt(|e|) of normal numbers e, one for each input and output of each
   layer. sigma begins at 0.5 / sqrt(inputs). Weights begin within 1 / sqrt(inputs). */
static void noise_has_its_distribution(void)
{
    network_kind const k = {
        RISE_MEMORY_NONE, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 0, 1, 3, RISE_HEAD_C51, 1, 0, 0, 0};
    rise_agent_desc const d = network_desc(&k);
    risei_net const n = net_of(&d);
    const risei_linear *const layer[3] = {&n.heads.hidden, &n.heads.advantage, &n.heads.value};
    size_t const size = risei_noise_size(&n.heads);
    double *const noise = numbers(size, 0), *const w = numbers(n.weights_size, 0);
    double mean = 0, square = 0;
    int round, i, j, inputs = 0, good = 1;
    check_about("noise");
    risei_net_initialise(&n, w, &d, &dice);
    for (i = 0; i < 3; i++) {
        double const sigma = 0.5 / sqrt(layer[i]->in);
        inputs += layer[i]->in + layer[i]->out;
        const double *mu = w + layer[i]->weights; /* and then the bias */
        for (j = 0; j < (layer[i]->in + 1) * layer[i]->out; j++)
            good &= mu[j + n.heads.sigmas] == sigma && fabs(mu[j]) <= 2 * sigma;
    }
    CHECK(good && size == (size_t)inputs);
    CHECK(n.parameters == n.heads.value.bias + (size_t)n.heads.value.out + (size_t)n.heads.sigmas &&
          n.weights_size == n.parameters);
    CHECK(n.heads.sigmas ==
          (ptrdiff_t)(n.heads.value.bias + (size_t)n.heads.value.out - n.heads.hidden.weights));
    for (round = 0; round < 200; round++) {
        risei_random same = dice;
        risei_noise_draw(&n.heads, noise, &dice);
        for (i = 0; i < (int)size; i++) {
            double normal = -6;
            for (j = 0; j < 12; j++) normal += risei_random_uniform(&same);
            good &= fabs(fabs(noise[i]) - sqrt(fabs(normal))) < 1e-15 &&
                    (normal < 0) == (noise[i] < 0);
            mean += noise[i], square += noise[i] * noise[i];
        }
    }
    mean /= 200.0 * (double)size, square /= 200.0 * (double)size;
    CHECK(good);
    CHECK(fabs(mean) < 5 * sqrt(0.8 / 200 / (double)size)); /* five standard deviations */
    CHECK(fabs(square - sqrt(2 / acos(-1))) < 0.02);        /* E |e| of a normal number e */
    free_arrays();
}

/* Returns the largest singular value of W [rows][columns]: the root of the largest eigenvalue of
   W^T W, by Jacobi rotations. */
static double largest_singular_value(const double *w, int rows, int columns)
{
    double a[8][8], most = 0;
    int i, j, k, p, q, sweep;
    for (i = 0; i < columns; i++)
        for (j = 0; j < columns; j++)
            for (a[i][j] = 0, k = 0; k < rows; k++)
                a[i][j] += w[k * columns + i] * w[k * columns + j];
    for (sweep = 0; sweep < 30; sweep++)
        for (p = 0; p < columns; p++)
            for (q = p + 1; q < columns; q++) {
                double const angle = atan2(2 * a[p][q], a[q][q] - a[p][p]) / 2, c = cos(angle);
                double const s = sin(angle);
                for (k = 0; k < columns; k++) {
                    double const x = a[k][p], y = a[k][q];
                    a[k][p] = c * x - s * y, a[k][q] = s * x + c * y;
                }
                for (k = 0; k < columns; k++) {
                    double const x = a[p][k], y = a[q][k];
                    a[p][k] = c * x - s * y, a[q][k] = s * x + c * y;
                }
            }
    for (i = 0; i < columns; i++) most = fmax(most, a[i][i]);
    return sqrt(most);
}
/* Compares one iteration of an update with v = W u / |W u|, u' = W^T v / |W^T v|, quotient |W^T
   v|. */
static int spectral_step_good(const double *w, int rows, int f, const double *u, const double *s,
                              const double *derived)
{
    double v[9 * 8], next[8], length = 0, quotient = 0, worst = 0;
    int i, j;
    for (i = 0; i < rows; i++) {
        for (v[i] = 0, j = 0; j < f; j++) v[i] += w[i * f + j] * u[j];
        length += v[i] * v[i];
    }
    for (i = 0; i < rows; i++) v[i] /= sqrt(length);
    for (j = 0; j < f; j++) {
        for (next[j] = 0, i = 0; i < rows; i++) next[j] += w[i * f + j] * v[i];
        quotient += next[j] * next[j];
    }
    quotient = sqrt(quotient);
    for (i = 0; i < rows; i++) worst = fmax(worst, fabs(s[i] - v[i]));
    for (j = 0; j < f; j++) worst = fmax(worst, fabs(s[rows + j] - next[j] / quotient));
    for (i = 0; i < rows * f; i++) worst = fmax(worst, fabs(derived[i] - w[i] / quotient));
    return worst < 1e-9 && fabs(s[rows + f] - quotient) < 1e-9; /* 1e-12 is added to each length */
}
/* From update to update the quotient grows to the largest singular value, for each conv by itself.
   Other weights do not change. */
static void spectral_norm_divides_by_the_largest_singular_value(void)
{
    network_kind const k = {RISE_MEMORY_NONE,
                            RISE_CELL_LSTM,
                            RISE_FUSION_CONCAT,
                            0,
                            1,
                            0,
                            RISE_HEAD_MEAN,
                            0,
                            4 + 2,
                            1,
                            0};
    rise_agent_desc d = network_desc(&k);
    int filters, updates, i, c;
    for (filters = 1; filters <= 8; filters += check_share) {
        risei_net n;
        double *w, *s, *derived, *u;
        /* where two values are too close, 1000 updates are not enough */
        risei_random weights = risei_random_stream((uint64_t)filters, 1);
        d.conv[0].filters = filters, d.conv[1].filters = 9 - filters;
        risei_net_make(&n, &d);
        w = numbers(n.weights_size, 0), s = numbers(risei_spectral_size(&n), 0),
        derived = numbers(n.weights_size, 0);
        risei_net_initialise(&n, w, &d, &weights);
        check_about("spectral norm of %d filters, and of %d", filters, 9 - filters);
        CHECK(risei_spectral_count(&n) == 6 &&
              n.weights_size == n.parameters + (size_t)(4 * filters + 2 * (9 - filters)));
        for (updates = 0; updates < 1000; updates++) {
            int const look = updates < 4 || updates % 300 == 0 || updates == 999;
            const double *at = s;
            risei_net_derive(&device, &n, w, NULL, s, derived);
            for (i = 0, u = w + n.parameters; i < 6 && look; i++) {
                risei_conv const conv = risei_residual_conv(&n.encoder, i < 4 ? 0 : 1, i % 4);
                int const f = conv.filters, rows = 9 * f;
                double const most = largest_singular_value(w + conv.weights, rows, f);
                CHECK(spectral_step_good(w + conv.weights, rows, f, u, at, derived + conv.weights));
                CHECK(at[rows + f] <= most * (1 + 1e-9) + 2e-12);
                if (updates == 999) CHECK_NEAR(at[rows + f], most, 1e-6);
                if (updates == 999)
                    CHECK_NEAR(largest_singular_value(derived + conv.weights, rows, f), 1, 1e-6);
                at += rows + f + 1, u += f;
            }
            for (c = 0, i = 0; c < (int)n.parameters && look; c++) i += w[c] != derived[c];
            CHECK(!look || i == 4 * 9 * filters * filters + 2 * 9 * (9 - filters) * (9 - filters));
            risei_spectral_keep(&n, s, w);
        }
        free_arrays();
    }
}
/* Weights of zero give derived weights of zero and gradients that are not amplified, in the next
   update, too. The direction u stays, so later weights are normalised. */
static void spectral_norm_keeps_zero_weights(void)
{
    network_kind const k = {
        RISE_MEMORY_NONE, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 0, 1, 0, RISE_HEAD_MEAN, 0, 1, 1, 0};
    network t;
    size_t i;
    int c, update;
    network_make(&t, &k);
    for (c = 0; c < 2; c++)
        put(9 * 2 * 2, t.w + risei_residual_conv(&t.net.encoder, 0, c).weights, 0);
    for (update = 0; update < 2; update++) {
        int zero = 1, small = 1;
        double direction = 0;
        check_about("spectral norm of zeros, update %d", update);
        network_backward(&t);
        for (c = 0; c < 2; c++)
            for (i = 0; i < 9 * 2 * 2; i++)
                zero &= t.derived[risei_residual_conv(&t.net.encoder, 0, c).weights + i] == 0;
        for (i = 0; i < t.net.parameters; i++)
            small &= fabs(t.g[i]) < 1e6 && fabs(t.derived[i]) < 1e6;
        CHECK(zero && small);
        risei_spectral_keep(&t.net, t.spectral, t.w);
        for (i = t.net.parameters; i < t.net.weights_size; i++) direction += t.w[i] * t.w[i];
        CHECK_NEAR(direction, 2, 1e-6); /* of two convs */
    }
    free_arrays();
}

/* ---------------------------------------------------------------------------------------------- */
/* Whole updates: an agent's gradient is that of the loss that it reports */

typedef struct update_layer {
    rise_agent *agent;
    int rows;
} update_layer;

/* Returns the loss for the batch, targets and noise of the last update. */
static double update_loss(void *layer)
{
    update_layer *const t = (update_layer *)layer;
    risei_update_metrics metrics;
    memset(&metrics, 0, sizeof metrics);
    risei_learner_forward(&t->agent->learner, RISEI_USE_LEARN, 0, t->rows);
    return risei_learner_loss(&t->agent->learner, &metrics);
}
static rise_agent_desc update_desc(const network_kind *k)
{
    rise_agent_desc d = network_desc(k);
    d.window = 3, d.batch = 3, d.n_step = 2, d.discount = 0.9, d.embedding_f32 = 1;
    d.replay_capacity = 64, d.learn_start = 8, d.learn_outside = 1, d.target_period = 1000,
    d.learning_rate = 0.02;
    d.importance_exponent = 0.9, d.priority_exponent = 0.7;
    return d;
}
/* Plays episodes of 5 frames with different rewards, and makes updates, so that the target network
   differs from the network and priorities differ from each other. */
static void update_begin(update_layer *t, const rise_agent_desc *d)
{
    rise_error error;
    uint8_t frame[30];
    float given[3];
    int i, j;
    if (!CHECK(rise_agent_create(&t->agent, d, &error) == RISE_OK)) {
        printf("%s\n", error.text);
        exit(1);
    }
    for (i = 0; i < 30; i++) {
        for (j = 0; j < 30; j++) frame[j] = (uint8_t)risei_random_below(&dice, 256);
        for (j = 0; j < 3; j++) given[j] = (float)(20 * real() + j);
        CHECK(rise_agent_step_numbers(t->agent, d->frame_width > 0 ? frame : NULL,
                                      d->numbers > 0 ? given : NULL, (float)(3 * real()),
                                      i % 5 == 0    ? RISE_FIRST
                                      : i % 10 == 4 ? RISE_TERMINATED
                                      : i % 10 == 9 ? RISE_TRUNCATED
                                                    : RISE_MIDDLE) >= 0);
    }
    for (i = 0; i < 6; i++) CHECK(rise_agent_learn(t->agent) == RISE_OK);
    t->rows = d->no_double || d->munchausen ? d->batch : 2 * d->batch;
}
static void update_case(const network_kind *k, int munchausen, int rescale, int single)
{
    rise_agent_desc d = update_desc(k);
    update_layer t;
    int64_t before;
    rise_agent *a;
    double *w, loss;
    d.munchausen = munchausen, d.value_rescale = rescale, d.no_double = single;
    update_begin(&t, &d);
    a = t.agent;
    w = numbers(a->model.net.weights_size, 0);
    memcpy(w, a->model.weights, a->model.net.weights_size * sizeof *w);
    before = a->model.updates;
    CHECK(rise_agent_learn(a) == RISE_OK);
    loss = a->model.metrics.loss;
    check_about("update: memory %d, variant %d, head %d%s%s%s%s, loss %g", (int)k->memory,
                k->variant, (int)k->head, k->noisy ? ", noisy" : "",
                munchausen ? ", munchausen" : "", rescale ? ", rescaled" : "",
                single ? ", no double" : "", loss);
    CHECK(a->model.updates == before + 1 && loss > 0);
    /* back to the weights at which the gradient was computed */
    memcpy(a->model.weights, w, a->model.net.weights_size * sizeof *w);
    a->model.updates = before;
    CHECK_NEAR(update_loss(&t), loss, 1e-12);
    check_gradient("weights", update_loss, &t, a->model.weights, a->learner.gradient,
                   a->model.net.parameters);
    rise_agent_destroy(a);
    free_arrays();
}
static void updates_are_right(void)
{
    static const rise_memory memories[] = {RISE_MEMORY_NONE, RISE_MEMORY_RISE, RISE_MEMORY_FULL};
    network_kind k;
    int head, i;
    memset(&k, 0, sizeof k);
    for (head = RISE_HEAD_MEAN; head < RISE_HEAD_COUNT; head++)
        for (i = 0; i < 3; i++) {
            int const values = risei_head_kinds[head].values;
            k.head = (rise_head)head, k.memory = memories[i], k.variant = (i + head) % 3,
            k.residual = i == 1 ? 5 : 0;
            k.dueling = i < 2, k.noisy = (i + head) % 2, k.norm = i == 2;
            update_case(&k, values && i == 1, values && i == 2, head % 3 == i);
            k.variant |= head % 2 ? 8 : 24;
            update_case(&k, 0, 0, head % 3 == i);
        }
}

/* ---------------------------------------------------------------------------------------------- */
/* Control: each of these kernels has one mistake. Results are 1% too large, are added instead of
   assigned, or go to the wrong element. The check must notice. */

static const rise_kernels *correct;

static void scale(int n, double *x)
{
    int i;
    for (i = 0; i < n; i++) x[i] *= 1.01;
}
static void bad_product(const rise_product *p, int part, int parts, void *scratch)
{
    int i;
    correct->product(p, part, parts, scratch);
    for (i = 0; i < p->m && !p->transposed; i++) /* one column of a data gradient */
        scale(1, (double *)(uintptr_t)p->c.data + risei_walk_offset(&p->c.rows, i));
}
/* Adds to what is there, so gradients of weights accumulate. */
static void bad_product_adds(const rise_product *p, int part, int parts, void *scratch)
{
    rise_product q = *p;
    if (p->transposed) q.accumulate = 1;
    correct->product(&q, part, parts, scratch);
}
static void bad_sums(const rise_product *p, int part, int parts, void *scratch)
{
    correct->product(p, part, parts, scratch);
    if (p->sums != NULL) scale(1, p->sums + p->n - 1);
}
static void bad_add(int n, const double *x, double *y) { correct->add(n, x, y), scale(n, y); }
static void bad_relu_backward(int n, const double *y, const double *dy, double *dx)
{
    correct->relu_backward(n, y, dy, dx), scale(n, dx);
}
static void bad_lstm_backward(int n, const double *gates, const double *c, const double *c_next,
                              const double *dh, double *dc, double *dgates)
{
    /* one unit's forget gate */
    correct->lstm_backward(n, gates, c, c_next, dh, dc, dgates), scale(1, dgates + n);
}
static void bad_lstm_carry(int n, const double *gates, const double *c, const double *c_next,
                           const double *dh, double *dc, double *dgates)
{
    correct->lstm_backward(n, gates, c, c_next, dh, dc, dgates), scale(1, dc);
}
static void bad_gru_backward(int n, const double *x, const double *u, const double *h, double *dh,
                             double *dx, double *du)
{
    correct->gru_backward(n, x, u, h, dh, dx, du), scale(1, du + 2 * n);
}
static void bad_gru_carry(int n, const double *x, const double *u, const double *h, double *dh,
                          double *dx, double *du)
{
    correct->gru_backward(n, x, u, h, dh, dx, du), scale(1, dh);
}
static void bad_gate_backward(int n, const double *x, const double *s, double *dy, double *dx)
{
    correct->gate_backward(n, x, s, dy, dx), scale(n, dy);
}
static void bad_norm_backward(int n, const double *x, const double *gain, const double *stats,
                              double *dy, double *dgain, double *dbias)
{
    correct->norm_backward(n, x, gain, stats, dy, dgain, dbias), scale(n, dy);
}

static void bad_maximum_backward(int n, const double *x, const double *y, double *rest, double *dx)
{
    correct->maximum_backward(n, x, y, rest, dx), scale(n, dx);
}
/* every pixel gets the gradient */
static void bad_maximum_backward_all(int n, const double *x, const double *y, double *rest,
                                     double *dx)
{
    int i;
    for (i = 0; i < n; i++) dx[i] += rest[i];
    (void)x, (void)y;
}
static void bad_perturb(int rows, int n, const double *x, const double *a, const double *b,
                        double *z)
{
    correct->perturb(rows, n, x, a, b, z), scale(rows * n, z);
}
static void bad_multiply(int n, const double *x, const double *y, int add, double *z)
{
    correct->multiply(n, x, y, add, z), scale(n, z);
}
static void bad_multiply_adds(int n, const double *x, const double *y, int add, double *z)
{
    correct->multiply(n, x, y, 1, z);
    (void)add;
}
static double bad_dot(ptrdiff_t n, const double *x, const double *y)
{
    return 1.01 * correct->dot(n, x, y);
}

/* Changes the backward pass only, in a network where that matters: ReLUs may hide it. */
static void control_of(const char *what, const rise_kernels *bad, const network_kind *k)
{
    static double n[COMPONENTS_MAX];
    network t;
    double *g;
    int tries = 0, seen = 0;
    do {
        free_arrays();
        network_make(&t, k);
        network_backward(&t);
        g = numbers(t.net.parameters, 0);
        memcpy(g, t.g, t.net.parameters * sizeof *g);
        put(t.net.parameters, t.g, GARBAGE);
        device.kernels = bad;
        only_backward_is_bad = 1;
        network_backward(&t);
        only_backward_is_bad = 0;
        device.kernels = correct;
        seen = distance(t.net.parameters, t.g, g) > 1e-4;
    } while (!seen && ++tries < 20);
    check_about("%s", what);
    CHECK(seen);
    CHECK(differentiate(network_loss, &t, t.w, t.g, t.net.parameters, CHECKED_EACH, n) > TOLERANCE);
    CHECK(differentiate(network_loss, &t, t.w, g, t.net.parameters, CHECKED_EACH, n) <= TOLERANCE);
    free_arrays();
}
/* Makes up to 20 networks until one notices a change of the backward pass: in some, ReLUs hide
   it. */
static void control(const char *what, const rise_kernels *bad, rise_cell cell, rise_fusion fusion)
{
    static double n[COMPONENTS_MAX];
    network_kind k;
    network t;
    int tries, noticed = 0;
    memset(&k, 0, sizeof k);
    k.memory = RISE_MEMORY_FULL, k.cell = cell, k.fusion = fusion, k.norm = k.dueling = 1,
    k.variant = 2;
    for (tries = 0; tries < 20 && !noticed; tries++) {
        free_arrays();
        network_make(&t, &k);
        device.kernels = bad;
        only_backward_is_bad = 1;
        network_backward(&t);
        only_backward_is_bad = 0;
        device.kernels = correct;
        /* 1: some controls change a single component */
        noticed = differentiate(network_loss, &t, t.w, t.g, t.net.parameters, 1, n) > TOLERANCE;
    }
    check_about("%s", what);
    CHECK(noticed);
    free_arrays();
}
static void broken_gradients_are_noticed(void)
{
    rise_kernels bad;
#define CONTROL(kernel, function, cell, fusion)                                                    \
    bad = *correct;                                                                                \
    bad.kernel = function;                                                                         \
    control(#function, &bad, cell, fusion)
    CONTROL(product, bad_sums, RISE_CELL_LSTM, RISE_FUSION_CONCAT);
    CONTROL(relu_backward, bad_relu_backward, RISE_CELL_LSTM, RISE_FUSION_CONCAT);
    CONTROL(add, bad_add, RISE_CELL_LSTM, RISE_FUSION_CONCAT);
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
static void broken_derived_gradients_are_noticed(void)
{
    network_kind const k = {
        RISE_MEMORY_RISE, RISE_CELL_LSTM, RISE_FUSION_CONCAT, 0, 1, 2, RISE_HEAD_IQN, 1, 5, 1, 0};
    rise_kernels bad;
#define CONTROL(kernel, function)                                                                  \
    bad = *correct;                                                                                \
    bad.kernel = function;                                                                         \
    control_of(#function, &bad, &k)
    CONTROL(maximum_backward, bad_maximum_backward);
    CONTROL(maximum_backward, bad_maximum_backward_all);
    CONTROL(perturb, bad_perturb);
    CONTROL(multiply, bad_multiply);
    CONTROL(multiply, bad_multiply_adds);
    CONTROL(dot, bad_dot);
    CONTROL(add, bad_add);
#undef CONTROL
}

static void double_has_the_reference_kernels_only(void)
{
    CHECK(device.kernels == rise_kernels_of(RISE_ISA_REF) && rise_kernels_of(RISE_ISA_C) == NULL);
}
static int write_nothing(void *user, const void *data, size_t size)
{
    (void)user, (void)data, (void)size;
    return 1;
}
static void eight_bits_need_floats(void)
{
    rise_agent_desc d;
    rise_agent *a;
    rise_error error;
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = 8, d.actions = 2, d.play_only = 1;
    CHECK(rise_agent_create(&a, &d, &error) == RISE_OK);
    CHECK(rise_agent_write(a, RISE_SAVE_INT8, write_nothing, NULL, &error) == RISE_UNAVAILABLE);
    CHECK(strstr(error.text, "RISE_SAVE_INT8 does not work with RISE_DOUBLE") != NULL);
    rise_agent_destroy(a);
    d.weight_bits = 8;
    CHECK(rise_agent_create(&a, &d, &error) == RISE_UNAVAILABLE);
    CHECK(strstr(error.text, "weight_bits is 8, and RISE_DOUBLE is defined") != NULL);
}
/* Without a table of kernels, rise_frame_shrink uses the one that a build with doubles has. */
static void frames_are_shrunk_without_a_table(void)
{
    uint8_t const pixels[4] = {0, 1, 2, 9};
    rise_picture picture;
    uint8_t frame = 0;
    memset(&picture, 0, sizeof picture);
    picture.pixels = pixels, picture.width = picture.height = 2;
    picture.format = RISE_PIXELS_GREY;
    CHECK(rise_frame_shrink(NULL, &picture, &frame, 1, 1, 1, NULL) == RISE_OK && frame == 3);
}
static void begin_test(void)
{
    device.kernels = correct = rise_kernels_of(RISE_ISA_AUTO);
    device.scratch = calloc(rise_product_scratch(), 1);
    dice = risei_random_stream(2512, 20513);
    worst_of_all = 0;
}
static void end_test(void)
{
    free(device.scratch);
    if (worst_of_all > 0) check_note("worst component off by %.2g", worst_of_all);
}

static const check_test tests[] = {
    TEST(double_has_the_reference_kernels_only),
    TEST(eight_bits_need_floats),
    TEST(frames_are_shrunk_without_a_table),
    TEST(linear_layers_are_right),
    TEST(convolutions_are_right),
    TEST(max_pooling_is_right),
    TEST(layer_norm_is_right),
    TEST(recurrent_cells_are_right),
    TEST(networks_are_right),
    TEST(networks_of_numbers_are_right),
    TEST(panels_are_right),
    TEST(broken_gradients_are_noticed),
    TEST(adaptive_pooling_is_right),
    TEST(first_of_equal_pixels_has_the_gradient),
    TEST(convolutions_add_and_rectify),
    TEST(encoders_are_right),
    TEST(encoders_of_numbers_are_right),
    TEST(heads_are_right),
    TEST(derived_weights_are_right),
    TEST(noise_has_its_distribution),
    TEST(spectral_norm_divides_by_the_largest_singular_value),
    TEST(spectral_norm_keeps_zero_weights),
    TEST(broken_derived_gradients_are_noticed),
    TEST(updates_are_right),
};
int main(int count, char **arguments)
{
    check_state.before = begin_test;
    check_state.after = end_test;
    return CHECK_MAIN(count, arguments, tests);
}
