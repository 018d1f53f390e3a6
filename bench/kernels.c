/* Measures the kernels alone, on the shapes of real networks, and compares them with oneDNN,
   OpenBLAS and BLIS.

       make bench-kernels [BENCH="--quick --isa avx2 --threads 2"]

   "ratio" is the peer's time over ours: above 1, ours are faster. A peer that is not installed is
   printed as absent. With AVX2, each peer is forced to use kernels of the same instruction set.
   With AVX-512, only the BLAS libraries are forced, because on virtual machines they choose old
   kernels. With other instruction sets, each peer chooses its kernels. oneDNN chooses the layout of
   its data, and the time of changing the layout is not counted. In the forward pass, our
   convolutions include bias and ReLU, and our dense layers include the bias. oneDNN's convolutions
   include the bias. The products of the BLAS libraries include neither. */
#include "bench.h"

#include <dlfcn.h>

enum { OURS, PEAK, FIRST_PEER };
enum { FORWARD, WEIGHTS, DATA };
enum { NO_DX, WITH_DX };
static const char *const pass_names[] = {"forward", "weights", "data"};

/* ---------------------------------------------------------------------------------------------- */
/* Peers: loaded when the program runs, after their environment variables have been set */

typedef void (*sgemm_fn)(int order, int transpose_a, int transpose_b, int m, int n, int k,
                         float alpha, const float *a, int lda, const float *b, int ldb, float beta,
                         float *c, int ldc);
typedef struct blas {
    const char *name, *file;
    const char *beside;  /* the path to try if `file` is not found */
    const char *version; /* the function that returns the version */
    sgemm_fn sgemm;
} blas;

#if defined(__x86_64__)
#define TRIPLET "x86_64-linux-gnu"
#elif defined(__aarch64__)
#define TRIPLET "aarch64-linux-gnu"
#else
#define TRIPLET "unknown"
#endif
static blas blases[] = {{"OpenBLAS", "libopenblas.so.0",
                         "/usr/lib/" TRIPLET "/openblas-pthread/libopenblas.so.0",
                         "openblas_get_config", NULL},
                        {"BLIS", "libblis.so.4", "/usr/lib/" TRIPLET "/blis-pthread/libblis.so.4",
                         "bli_info_get_version_str", NULL}};
enum { BLASES = sizeof blases / sizeof *blases };

/* The functions of peer_onednn.cpp; NULL where oneDNN is absent. */
static struct {
    void (*version)(char *text, int size);
    void *(*conv)(int pass, int count, int channels, int height, int filters, int size, int stride,
                  int pad);
    void *(*cell)(int lstm, int pass, int steps, int rows, int in, int units);
    void (*run)(void *);
    void (*free)(void *);
} onednn;

/* Stores the address of `name` in the function pointer at `function`. dlsym returns a pointer to
   an object, which C cannot convert to a pointer to a function: so the bytes are copied. */
static void load(void *library, const char *name, void *function)
{
    void *const symbol = library != NULL ? dlsym(library, name) : NULL;
    memcpy(function, &symbol, sizeof symbol);
}

/* Sets the peers' environment variables: number of threads, instruction set, short spinning. */
static void environment(void)
{
    int const avx2 = option.isa == RISE_ISA_AVX2, avx512 = option.isa == RISE_ISA_AVX512;
    char threads[16];
    snprintf(threads, sizeof threads, "%d", option.threads);
    setenv("OMP_NUM_THREADS", threads, 1);
    setenv("OPENBLAS_NUM_THREADS", threads, 1);
    setenv("BLIS_NUM_THREADS", threads, 1);
    /* their threads spin for some milliseconds at most, so that they do not disturb the others */
    setenv("GOMP_SPINCOUNT", "100000", 0);
    setenv("OPENBLAS_THREAD_TIMEOUT", "22", 0); /* 2^22 cycles */
    if (avx2) setenv("DNNL_MAX_CPU_ISA", "AVX2", 1), setenv("ONEDNN_MAX_CPU_ISA", "AVX2", 1);
    if (avx2 || avx512) setenv("OPENBLAS_CORETYPE", avx2 ? "Haswell" : "SkylakeX", 1);
}

static void load_blas(blas *b)
{
    void *library = dlopen(b->file, RTLD_NOW | RTLD_LOCAL);
    char *(*version)(void);
    if (library == NULL) library = dlopen(b->beside, RTLD_NOW | RTLD_LOCAL);
    load(library, "cblas_sgemm", &b->sgemm);
    load(library, b->version, &version);
    if (strcmp(b->name, "BLIS") == 0 && version != NULL &&
        (option.isa == RISE_ISA_AVX2 || option.isa == RISE_ISA_AVX512)) {
        /* BLIS before 1.0 takes a number. It reads the variable when it is first used. */
        int const old = version()[0] == '0', avx2 = option.isa == RISE_ISA_AVX2;
        setenv("BLIS_ARCH_TYPE", old ? avx2 ? "3" : "0" : avx2 ? "haswell" : "skx", 1);
    }
    if (b->sgemm == NULL)
        printf("%s: absent\n", b->name);
    else
        printf("%s: %s\n", b->name, version != NULL ? version() : "unknown version");
}

static void load_onednn(const char *program)
{
    char path[1024], version[64];
    void *library;
    /* without a slash in the path, dlopen would search the system's folders */
    beside(path, sizeof path, strchr(program, '/') != NULL ? program : "./", "peer_onednn.so");
    library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    load(library, "onednn_version", &onednn.version);
    load(library, "onednn_conv", &onednn.conv);
    load(library, "onednn_cell", &onednn.cell);
    load(library, "onednn_run", &onednn.run);
    load(library, "onednn_free", &onednn.free);
    if (library == NULL) {
        printf("oneDNN: absent\n");
        return;
    }
    onednn.version(version, sizeof version);
    printf("%s\n", version);
}

/* ---------------------------------------------------------------------------------------------- */
/* Rows of the table */

static void heads(void)
{
    static const char *const names[] = {"us",          "GFLOP/s", "% of peak", "oneDNN us", "ratio",
                                        "OpenBLAS us", "ratio",   "BLIS us",   "ratio"};
    int i;
    cell(-34, "kernel"), cell(-8, "pass"), cell(-7, "isa"), cell(7, "threads");
    for (i = 0; i < 9; i++) cell(i < 3 ? 9 : 11, "%s", names[i]);
    row_end();
}

static double logs; /* sum of the logarithms of ratios to the faster BLAS */
static int log_count;

/* Runs all competitors and prints their row. peers[0] is the number of oneDNN, the rest are those
   of the BLAS libraries; 0: absent. `work`: floating-point operations. */
static void compete_row(const char *name, const char *pass, double work, const int *peers)
{
    double best = 0;
    int i;
    compete(option.quick ? 0.25 : 1.5, option.quick ? 5 : 9);
    cell(-34, "%s", name), cell(-8, "%s", pass), cell(-7, "%s", isa_name()),
        cell(7, "%d", option.threads);
    cell(9, "%.1f", 1e6 * competitors[OURS].median);
    cell_number(9, 1, work / competitors[OURS].median / 1e9);
    cell_number(9, 0, percent(OURS, PEAK, work));
    for (i = 0; i < 1 + BLASES; i++) {
        double const times = peers[i] != 0 ? ratio(peers[i], OURS) : 0;
        cell_number(11, 1, peers[i] != 0 ? 1e6 * competitors[peers[i]].median : 0);
        cell_number(11, 2, times);
        if (i > 0 && times > 0 && (best <= 0 || times < best)) best = times;
    }
    row_end();
    if (best > 0) logs += log(best), log_count++;
}

/* Starts a row: our kernel and the peak are the first two competitors. */
static void begin(void (*run)(void *user), void *user)
{
    competitors_clear();
    competitor_add(run, NULL, user);
    competitor_add(peak_run, NULL, NULL);
}

/* ---------------------------------------------------------------------------------------------- */
/* Convolutions */

typedef struct conv_case {
    const char *name;
    int height, channels, filters, size, stride, pad;
    int network; /* index of the network in whose sum it counts, or -1 */
} conv_case;

static const conv_case conv_cases[] = {{"nature1 84x84x4 8x8/4 32", 84, 4, 32, 8, 4, 0, 0},
                                       {"nature2 20x20x32 4x4/2 64", 20, 32, 64, 4, 2, 0, 0},
                                       {"nature3 9x9x64 3x3 64", 9, 64, 64, 3, 1, 0, 0},
                                       {"impala1 84x84x4 3x3p1 32", 84, 4, 32, 3, 1, 1, 1},
                                       {"impala2 42x42x32 3x3p1 64", 42, 32, 64, 3, 1, 1, 1},
                                       {"impala3 21x21x64 3x3p1 64", 21, 64, 64, 3, 1, 1, 1},
                                       {"small 10x10x4 3x3 16", 10, 4, 16, 3, 1, 0, -1}};
static const char *const network_names[] = {"nature", "impala"};
static const int batches[] = {1, 32, 256};

/* Sums over a network's layers and passes, for each batch size. */
static struct {
    double ours, theirs; /* seconds */
    double least;        /* the smallest ratio of a row */
} sums[2][3];

typedef struct conv_job {
    risei_conv conv;
    risei_image x, y, dy, dx;
    float *w, *g;
    int count;
} conv_job;

static void conv_forward(void *user)
{
    const conv_job *const j = (const conv_job *)user;
    risei_conv_forward(&device, &j->conv, j->w, j->count, &j->x, &j->y, 1, 0);
}

static void conv_weights(void *user)
{
    const conv_job *const j = (const conv_job *)user;
    risei_conv_backward(&device, &j->conv, j->w, j->g, j->count, &j->x, &j->dy, NULL);
}

static void conv_data(void *user)
{
    const conv_job *const j = (const conv_job *)user;
    risei_conv_backward_data(&device, &j->conv, j->w, j->count, &j->dy, &j->dx);
}

static risei_image image(int height, int channels, int pad, int count)
{
    risei_image i = risei_image_make(height, height, channels, pad);
    i.data = floats((size_t)(count * risei_image_size(&i)));
    return i;
}

static void conv_row(const conv_case *k, conv_job *j, int batch, int pass)
{
    static void (*const runs[])(void *) = {conv_forward, conv_weights, conv_data};
    double const work = 2.0 * j->count * j->conv.out_height * j->conv.out_width * k->filters *
                        k->channels * k->size * k->size;
    int peers[1 + BLASES] = {0};
    void *peer = NULL;
    char name[64];
    if (onednn.conv != NULL)
        peer = onednn.conv(pass, j->count, k->channels, k->height, k->filters, k->size, k->stride,
                           k->pad);
    begin(runs[pass], j);
    if (peer != NULL) peers[0] = competitor_add(onednn.run, NULL, peer);
    snprintf(name, sizeof name, "%s b%d", k->name, j->count);
    compete_row(name, pass_names[pass], work, peers);
    if (peer != NULL && k->network >= 0) {
        double const times = ratio(peers[0], OURS);
        sums[k->network][batch].ours += competitors[OURS].median;
        sums[k->network][batch].theirs += competitors[peers[0]].median;
        if (sums[k->network][batch].least <= 0 || times < sums[k->network][batch].least)
            sums[k->network][batch].least = times;
    }
    if (peer != NULL) onednn.free(peer);
}

static void conv_rows(const conv_case *k, int batch)
{
    risei_parameters p = {0};
    rise_conv desc;
    conv_job j;
    int pass;
    memset(&desc, 0, sizeof desc);
    desc.filters = k->filters, desc.size = k->size, desc.stride = k->stride, desc.pad = k->pad;
    j.count = batches[batch];
    j.conv = risei_conv_make(&p, &desc, k->height, k->height, k->channels);
    j.w = floats(p.count), j.g = floats(p.count);
    j.x = image(k->height, k->channels, k->pad, j.count),
    j.dx = image(k->height, k->channels, 0, j.count);
    j.y = image(j.conv.out_height, k->filters, 0, j.count);
    j.dy = image(j.conv.out_height, k->filters, k->channels == 4 ? 0 : j.conv.dy_padding, j.count);
    /* a first layer (4 channels) has no data pass: the gradient of pixels is not needed */
    for (pass = FORWARD; pass <= DATA; pass++)
        if (pass != DATA || k->channels != 4) conv_row(k, &j, batch, pass);
    free(j.w), free(j.g), free(j.x.data), free(j.y.data), free(j.dy.data), free(j.dx.data);
}

/* ---------------------------------------------------------------------------------------------- */
/* Dense layers: `rows` inputs of `in` numbers to `out` numbers. The BLAS libraries read row-major
   weights; of the possible forms of the product, they get the fastest. */

typedef struct dense_job {
    risei_linear layer;
    float *w, *g, *x, *dy, *dx;
    float *plain; /* the weights, row-major, for the BLAS libraries */
    int rows, pass;
    sgemm_fn sgemm[BLASES];
} dense_job;

static void dense_run(void *user)
{
    const dense_job *const j = (const dense_job *)user;
    int const in = j->layer.in, out_units = j->layer.out;
    rise_product p;
    if (j->pass == FORWARD)
        risei_linear_forward(&device, &j->layer, j->w, j->rows, j->x, in, j->dy, out_units, 0);
    else if (j->pass == WEIGHTS)
        risei_linear_backward_weights(&device, &j->layer, j->g, j->rows, j->x, in, j->dy,
                                      out_units);
    else { /* the same product as in risei_linear_backward */
        rise_matrix const w = rise_matrix_panels(j->w + j->layer.weights, in, out_units);
        int const many = j->rows > 64;
        memset(&p, 0, sizeof p);
        p.k = out_units, p.m = many ? j->rows : in, p.n = many ? in : j->rows;
        p.a = rise_matrix_plain(j->dy, out_units), p.c = rise_matrix_plain(j->dx, in);
        p.b = rise_matrix_transpose(many ? w : p.a);
        if (!many) p.a = w, p.c = rise_matrix_transpose(p.c);
        risei_product_run(&device, &p);
    }
}

static void dense_blas(const dense_job *j, sgemm_fn sgemm)
{
    enum { ROWS = 101, PLAIN = 111, TRANSPOSED = 112 };
    int const in = j->layer.in, n = j->layer.out, m = j->rows;
    if (j->pass == FORWARD)
        sgemm(ROWS, PLAIN, PLAIN, m, n, in, 1, j->x, in, j->plain, n, 0, j->dy, n);
    else if (j->pass == WEIGHTS)
        sgemm(ROWS, TRANSPOSED, PLAIN, in, n, m, 1, j->x, in, j->dy, n, 0, j->g, n);
    else
        sgemm(ROWS, PLAIN, TRANSPOSED, m, in, n, 1, j->dy, n, j->plain, n, 0, j->dx, in);
}

static void dense_openblas(void *user) { dense_blas((const dense_job *)user, blases[0].sgemm); }
static void dense_blis(void *user) { dense_blas((const dense_job *)user, blases[1].sgemm); }

static void dense_rows(const char *name, int rows, int out_units, int in, int backward)
{
    static void (*const runs[BLASES])(void *) = {dense_openblas, dense_blis};
    risei_parameters p = {0};
    char text[64];
    dense_job j;
    int i;
    j.layer = risei_linear_make(&p, in, out_units, 1);
    j.rows = rows;
    j.w = floats(p.count), j.g = floats(p.count), j.plain = floats(p.count);
    j.x = floats((size_t)rows * (size_t)in), j.dx = floats((size_t)rows * (size_t)in);
    j.dy = floats((size_t)rows * (size_t)out_units);
    snprintf(text, sizeof text, "%s %dx%dx%d", name, rows, out_units, in);
    for (j.pass = FORWARD; j.pass <= (backward ? DATA : FORWARD); j.pass++) {
        int peers[1 + BLASES] = {0};
        begin(dense_run, &j);
        for (i = 0; i < BLASES; i++)
            if (blases[i].sgemm != NULL) peers[1 + i] = competitor_add(runs[i], NULL, &j);
        compete_row(text, pass_names[j.pass], 2.0 * rows * out_units * in, peers);
    }
    free(j.w), free(j.g), free(j.plain), free(j.x), free(j.dx), free(j.dy);
}

static void dense_all(void)
{
    static const struct {
        const char *name;
        int rows, out, in, backward;
    } cases[] = {{"dense", 32, 512, 3136, 1},
                 {"heads", 32, 1024, 3136, 1},
                 {"dense", 256, 512, 3136, 1},
                 {"dense", 32, 1024, 512, 0},
                 {"dense", 1, 512, 3136, 0},
                 {"LSTM-256 step", 1, 1024, 512, 0},
                 {"conv1 as a product", 12800, 32, 256, 0},
                 {"conv2 as a product", 2592, 64, 512, 0},
                 {"conv3 as a product", 1568, 64, 576, 0},
                 {"square", 1024, 1024, 1024, 0},
                 {"projection", 1, 512, 7056, 0},
                 {"projection", 32, 512, 7056, 0}};
    size_t i;
    for (i = 0; i < sizeof cases / sizeof *cases; i++)
        dense_rows(cases[i].name, cases[i].rows, cases[i].out, cases[i].in, cases[i].backward);
}

/* ---------------------------------------------------------------------------------------------- */
/* Recurrent layers */

typedef struct cell_job {
    risei_cell cell;
    risei_sequence sequence;
    float *w, *g, *dh;
    void *block;
} cell_job;

static void cell_forward(void *user)
{
    const cell_job *const j = (const cell_job *)user;
    risei_cell_forward(&device, &j->cell, j->w, &j->sequence);
}

static void cell_backward(void *user)
{
    const cell_job *const j = (const cell_job *)user;
    const risei_sequence *const s = &j->sequence;
    size_t const bytes = (size_t)(s->rows * j->cell.units) * sizeof *s->dh;
    memcpy(s->dh, j->dh, bytes); /* the last run has overwritten s->dh */
    if (s->dc != NULL) memset(s->dc, 0, bytes);
    risei_cell_backward(&device, &j->cell, j->w, j->g, s, s->steps);
}

static void cell_make(cell_job *j, rise_cell kind, int steps, int rows, int in, int units, int dx)
{
    risei_parameters p = {0};
    risei_arena arena;
    risei_random random = risei_random_stream(1, 1);
    int pass, i;
    memset(j, 0, sizeof *j);
    memset(&arena, 0, sizeof arena);
    j->cell = risei_cell_make(&p, kind, in, units);
    /* pass 0 counts the bytes, pass 1 sets the pointers */
    for (pass = 0; pass < 2; pass++) {
        if (pass == 1 && posix_memalign(&j->block, RISEI_ALIGN, arena.used) != 0) exit(1);
        arena.base = (unsigned char *)j->block;
        arena.used = 0;
        j->sequence.dh_blocks = 1;
        risei_sequence_layout(&arena, &j->cell, &j->sequence, steps, steps * rows,
                              (steps + 1) * rows, rows, steps, dx);
    }
    j->sequence.steps = steps, j->sequence.rows = rows;
    risei_sequence_plan(&j->sequence);
    j->w = floats(p.count), j->g = floats(p.count), j->dh = floats((size_t)(rows * units));
    risei_cell_initialise(&j->cell, j->w, steps, &random);
    for (i = 0; i < steps * rows * in; i++)
        j->sequence.x[i] = 2 * risei_random_uniform(&random) - 1;
}

static void cell_rows(rise_cell kind, int steps, int rows, int in, int units)
{
    int const lstm = kind == RISE_CELL_LSTM;
    /* operations for each input number or each unit of the state */
    double const each = 2.0 * steps * rows * (lstm ? 4 : 3) * units;
    int dx, pass;
    char name[64];
    snprintf(name, sizeof name, "%s T%d b%d %d->%d", lstm ? "LSTM" : "GRU", steps, rows, in, units);
    for (dx = NO_DX; dx <= WITH_DX; dx++) {
        cell_job j;
        cell_make(&j, kind, steps, rows, in, units, dx);
        for (pass = dx == NO_DX ? 0 : 1; pass < 2; pass++) {
            double const work = each * (pass == 0 ? in + units : (1 + dx) * in + 2 * units);
            int peers[1 + BLASES] = {0};
            void *peer = onednn.cell != NULL ? onednn.cell(lstm, pass, steps, rows, in, units)
                                             : NULL;
            cell_forward(&j);
            begin(pass == 0 ? cell_forward : cell_backward, &j);
            if (peer != NULL) peers[0] = competitor_add(onednn.run, NULL, peer);
            compete_row(name, pass == 0 ? "forward" : dx ? "back+dx" : "back", work, peers);
            if (peer != NULL) onednn.free(peer);
        }
        free(j.block), free(j.w), free(j.g), free(j.dh);
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Random projection by signs. No peer has this function. The peers compute a product of the same
   size with stored weights. */

typedef struct projection_job {
    int n, size;
    int32_t *inputs, *x, *projected;
    dense_job dense;
} projection_job;

static void projection_run(void *user)
{
    const projection_job *const j = (const projection_job *)user;
    memcpy(j->x, j->inputs, (size_t)j->n * sizeof *j->x);
    device.kernels->project_signs(j->n, j->x, j->size, 1, j->projected);
}

static void projection_openblas(void *user)
{
    dense_blas(&((const projection_job *)user)->dense, blases[0].sgemm);
}

static void projection_blis(void *user)
{
    dense_blas(&((const projection_job *)user)->dense, blases[1].sgemm);
}

static void projection_row(int n, int size)
{
    static void (*const runs[BLASES])(void *) = {projection_openblas, projection_blis};
    double const logs_before = logs;
    int const count_before = log_count;
    int peers[1 + BLASES] = {0};
    risei_parameters p = {0};
    projection_job j;
    char name[64];
    int i;
    memset(&j, 0, sizeof j);
    j.n = n, j.size = size;
    j.inputs = (int32_t *)calloc((size_t)n, sizeof *j.x),
    j.x = (int32_t *)calloc((size_t)1 << rise_sign_bits(n, size), sizeof *j.x);
    j.projected = (int32_t *)calloc((size_t)size, sizeof *j.projected);
    if (j.inputs == NULL || j.x == NULL || j.projected == NULL) exit(1);
    for (i = 0; i < n; i++) j.inputs[i] = i * 37 % 256;
    j.dense.layer = risei_linear_make(&p, n, size, 1);
    j.dense.rows = 1;
    j.dense.plain = floats(p.count), j.dense.x = floats((size_t)n),
    j.dense.dy = floats((size_t)size);
    begin(projection_run, &j);
    for (i = 0; i < BLASES; i++)
        if (blases[i].sgemm != NULL) peers[1 + i] = competitor_add(runs[i], NULL, &j);
    snprintf(name, sizeof name, "signs %d->%d", n, size);
    compete_row(name, "forward", 2.0 * n * size, peers);
    /* not counted in the mean ratio of products, because our projection is not a product */
    logs = logs_before, log_count = count_before;
    free(j.inputs), free(j.x), free(j.projected), free(j.dense.plain), free(j.dense.x),
        free(j.dense.dy);
}

static void summary(void)
{
    int n, b;
    printf("\nratio: the peer's time / our time, the median of all rounds; above 1, ours is "
           "faster.\n"
           "%% of peak: of the multiply-adds a second that this processor can do, measured in the\n"
           "same rounds. oneDNN's recurrent backward pass always includes the gradient of the\n"
           "input; ours only in rows back+dx.\n");
    for (n = 0; n < 2; n++)
        for (b = 0; b < 3; b++) {
            double const ours = sums[n][b].ours, theirs = sums[n][b].theirs;
            if (ours > 0)
                printf("%s, batch %3d, all passes: ours %.2f ms, oneDNN %.2f ms, ratio %.2f "
                       "(inverse %.2f), lowest ratio of a row %.2f\n",
                       network_names[n], batches[b], 1e3 * ours, 1e3 * theirs, theirs / ours,
                       ours / theirs, sums[n][b].least);
        }
    if (log_count > 0)
        printf("products: geometric mean of %d ratios to the faster BLAS: %.2f\n", log_count,
               exp(logs / log_count));
}

int main(int count, char **arguments)
{
    static const char *const path = "build/bench_kernels.csv";
    int b, kind;
    size_t i;
    options_read(count, arguments);
    environment();
    for (b = 0; b < BLASES; b++) load_blas(&blases[b]);
    load_onednn(arguments[0]);
    table_open(path);
    machine_print();
    heads();
    for (b = 0; b < (option.quick ? 2 : 3); b++)
        for (i = 0; i < sizeof conv_cases / sizeof *conv_cases; i++) conv_rows(&conv_cases[i], b);
    dense_all();
    for (kind = 0; kind < 2; kind++) {
        rise_cell const cell_kind = kind == 0 ? RISE_CELL_LSTM : RISE_CELL_GRU;
        cell_rows(cell_kind, 80, 32, 256, 256);
        cell_rows(cell_kind, 20, 32, 512, 512);
        cell_rows(cell_kind, 16, 32, 128, 128);
    }
    projection_row(7056, 512);
    projection_row(784, 512);
    summary();
    table_close(path);
    return 0;
}
