/* Tests the kernels of every instruction set of this machine: `ref` against double, and all others
   against `ref` bit for bit.
       cc -O2 tests/kernels.c -o kernels -lm && ./kernels
   `./kernels --all` tries all 2^32 floats instead of samples (an hour). */
#define RISE_IMPLEMENTATION
#include "../rise.h"
#include "check.h"

enum { LARGE = check_share > 1 ? 1 : 8 }; /* products of each of the larger sizes */
#define UNIT (0.5 * (double)FLT_EPSILON)  /* unit roundoff */

/* NEON of ARMv7 flushes denormals; the scalar unit does not. */
#if defined(__arm__) && !defined(__aarch64__)
#define DENORMALS 0
#else
#define DENORMALS 1
#endif

static const rise_kernels *ref, *table[4]; /* all tables except ref */
static int tables, misnamed;
static risei_random dice;

static void find_tables(void)
{
    static const struct {
        rise_isa isa;
        const char *name;
    } known[] = {{RISE_ISA_REF, "ref"},
                 {RISE_ISA_C, "c"},
                 {RISE_ISA_AVX2, "avx2"},
                 {RISE_ISA_AVX512, "avx512"},
                 {RISE_ISA_NEON, "neon"}};
    size_t i;
    for (i = 0; i < sizeof known / sizeof *known; i++) {
        const rise_kernels *const k = rise_kernels_of(known[i].isa);
        if (k == NULL) continue;
        if (strcmp(k->name, known[i].name) != 0 || k->isa != known[i].isa) misnamed++;
        if (k->isa == RISE_ISA_REF)
            ref = k;
        else
            table[tables++] = k;
    }
}
static void tables_are_found(void)
{
    char names[100] = "";
    int i;
    for (i = 0; i < tables; i++) {
        size_t const used = strlen(names);
        snprintf(names + used, sizeof names - used, " %s%s", table[i]->name,
                 table[i]->fused ? "" : " (not fused)");
    }
    check_note("ref%s", names);
    CHECK(misnamed == 0);
    CHECK(ref != NULL && ref->fused && tables > 0);
    /* the list goes from slow to fast */
    CHECK(rise_kernels_of(RISE_ISA_AUTO) == table[tables - 1]);
}

/* ---------------------------------------------------------------------------------------------- */
/* Numbers and memory */

static int below(int n) { return risei_random_below(&dice, n); }
/* Returns a number of either sign within nine binades. Sums of such numbers round at nearly every
   step, and none is denormal. */
static float real(void)
{
    return (float)ldexp((double)risei_random_uniform(&dice) * 2 - 1, below(9) - 4);
}
static float integer(void) { return (float)(below(17) - 8); }

/* Returns whether the bits are equal. All NaNs count as equal, because processors create different
   ones. */
static int same(const float *a, const float *b, ptrdiff_t n)
{
    ptrdiff_t i;
    if (n == 0 || memcmp(a, b, (size_t)n * sizeof *a) == 0) return 1;
    for (i = 0; i < n; i++)
        if (risei_bits(a[i]) != risei_bits(b[i]) && !(isnan(a[i]) && isnan(b[i]))) return 0;
    return 1;
}

/* Blocks that end with the array, so that address sanitizers notice every overrun. They begin at
   addresses that need not be aligned for vectors. */
static void *blocks[32];
static int block_count;

static void *block(ptrdiff_t count, size_t size)
{
    size_t const before = (size_t)below(size == 1 ? 16 : 4) * size, bytes = (size_t)count * size;
    unsigned char *const whole = (unsigned char *)malloc(before + bytes > 0 ? before + bytes : 1);
    if (whole == NULL || block_count == (int)(sizeof blocks / sizeof *blocks)) {
        printf("no memory\n");
        exit(1);
    }
    blocks[block_count++] = whole;
    return whole + before;
}
static float *floats(ptrdiff_t count) { return (float *)block(count, sizeof(float)); }
static void free_blocks(void)
{
    while (block_count > 0) free(blocks[--block_count]);
}

/* ---------------------------------------------------------------------------------------------- */
/* Fused multiply-add */

#ifdef __GLIBC__ /* fmaf of glibc rounds once; other libraries may differ */
static float any_bits(void) { return risei_float(risei_random_bits(&dice)); }

static void fma_rounds_once(void)
{
    float const special[] = {
        0.0f,    -0.0f,    1.0f,      -1.0f,      FLT_MIN, -FLT_MIN, FLT_MIN / 8388608,
        FLT_MAX, -FLT_MAX, HUGE_VALF, -HUGE_VALF, NAN};
    int const specials = (int)(sizeof special / sizeof *special);
    int i, j, wrong = 0;
    for (i = 0; i < specials * specials * specials; i++) {
        float const a = special[i % specials], b = special[i / specials % specials];
        float const c = special[i / specials / specials];
        float const x = risei_fma(a, b, c), y = fmaf(a, b, c);
        wrong += !same(&x, &y, 1);
    }
    for (i = 0; i < 300000; i++) {
        float a = any_bits(), b = any_bits(), c = any_bits(), x, y;
        /* (1 + u) (1 - u) is less than 1 by too little for a sum in double */
        double const u = ldexp(1, -13 - below(11));
        int const e = below(2) ? 0 : below(200) - 100;
        /* three random floats rarely have similar exponents, so such cases are constructed: */
        switch (i % 5) {
        case 0: break;
        case 1: /* c somewhere near the product */
            a = real(), b = real(), c = (float)ldexp((double)real(), below(60) - 30);
            break;
        /* a sum very close to the middle of two floats, where rounding twice goes to the wrong
           side */
        case 2:
            a = (float)ldexp(1 + u, e / 2 - 1), b = (float)ldexp(1 - u, e - e / 2);
            c = (float)ldexp(8388608 + below(8388608), e);
            break;
        case 3: /* the same among the denormals */
            a = (float)ldexp(1 + u, -75), b = (float)ldexp(1 - u, -75),
            c = (float)ldexp(below(8388608), -149);
            break;
        case 4: /* where floats overflow */
            a = (float)ldexp((double)real(), 62), b = (float)ldexp((double)real(), 62), c = FLT_MAX;
            break;
        }
        for (j = 0; j < 4; j++) {
            float const s = j & 1 ? -a : a, t = j & 2 ? -c : c;
            x = risei_fma(s, b, t), y = fmaf(s, b, t);
            if (!same(&x, &y, 1) && ++wrong == 1)
                check_about("fma(%.9g, %.9g, %.9g) = %.9g, not %.9g", (double)s, (double)b,
                            (double)t, (double)x, (double)y);
        }
    }
    CHECK(wrong == 0);
    check_about("%s", "");
}
#endif

/* ---------------------------------------------------------------------------------------------- */
/* Products */

/* The walk and the matrix as the API describes them, computed plainly. */
static ptrdiff_t walk_at(const rise_walk *w, int i)
{
    return i % w->inner * w->stride[0] + i / w->inner % w->middle * w->stride[1] +
           i / w->inner / w->middle * w->stride[2];
}
static ptrdiff_t matrix_at(const rise_matrix *m, int i, int j)
{
    return walk_at(&m->rows, i) + j / m->run * m->run_stride + j % m->run;
}

/* Panels and transposes have the described layout, and transposing weights moves each to its
   place. */
static void layouts_are_as_described(void)
{
    static const int sizes[] = {1, 3, 4, 20, 31, 32, 36, 64, 96, 97};
    int const count = (int)(sizeof sizes / sizeof *sizes);
    int s, i, j;
    for (s = 0; s < count * count; s++) {
        int const rows = sizes[s / count], columns = sizes[s % count];
        int const panel = columns % 32 == 0 ? 32 : columns;
        rise_matrix const m = rise_matrix_panels(NULL, rows, columns);
        rise_matrix const transposed = rise_matrix_transpose(m);
        rise_matrix const plain = rise_matrix_plain(NULL, columns + 3);
        rise_matrix const plain_transposed = rise_matrix_transpose(plain);
        rise_matrix const to = rise_matrix_panels(NULL, columns, rows);
        float *const x = floats(rows * columns), *const y = floats(rows * columns);
        int good = 1, moved = 1;
        for (i = 0; i < rows * columns; i++) x[i] = (float)i, y[i] = -1;
        risei_transpose_panels(x, rows, columns, y);
        for (i = 0; i < rows; i++)
            for (j = 0; j < columns; j++) {
                ptrdiff_t const at = (j / panel * rows + i) * panel + j % panel;
                ptrdiff_t const plain_at = i * (columns + 3) + j;
                good &= matrix_at(&m, i, j) == at && matrix_at(&transposed, j, i) == at;
                good &= matrix_at(&plain, i, j) == plain_at &&
                        matrix_at(&plain_transposed, j, i) == plain_at;
                moved &= y[matrix_at(&to, j, i)] == x[at];
            }
        check_about("%d rows, %d columns", rows, columns);
        CHECK(good);
        CHECK(moved);
        free_blocks();
    }
}

/* The lowest and the highest index of the elements that are used. */
typedef struct span {
    ptrdiff_t low, high;
} span;
static void span_add(span *s, ptrdiff_t at, int first)
{
    if (first || at < s->low) s->low = at;
    if (first || at > s->high) s->high = at;
}
static span walk_span(const rise_walk *w, int rows)
{
    span s = {0, 0};
    int i;
    for (i = 0; i < rows; i++) span_add(&s, walk_at(w, i), i == 0);
    return s;
}
static span matrix_span(const rise_matrix *m, int rows, int columns)
{
    span s = walk_span(&m->rows, rows), across = {0, 0};
    int j;
    for (j = 0; j < columns; j++) span_add(&across, matrix_at(m, 0, j), j == 0);
    s.low += across.low, s.high += across.high;
    return s;
}
static ptrdiff_t span_count(const span *s, int rows, int columns)
{
    return rows > 0 && columns > 0 ? s->high - s->low + 1 : 0;
}

typedef enum layout {
    PLAIN,
    TRANSPOSED,
    PANELS,
    TRANSPOSED_PANELS,
    RUNS,
    PATCHES,
    COLUMNS,
    LAYOUTS
} layout;

/* Panels of 32, 64 or 96 columns, one after another; the last may be narrower. */
static rise_matrix runs_make(int rows)
{
    int const run = RISE_PANEL * (1 + below(3));
    rise_matrix m = rise_matrix_plain(NULL, run + below(3));
    m.run = run;
    m.run_stride = m.rows.stride[0] * rows + below(4);
    return m;
}
/* Runs that start anywhere, also backwards and overlapping, as those of a convolution and its
   gradient. */
static rise_matrix patches_make(int rows, int columns)
{
    rise_matrix m = rise_matrix_plain(NULL, 0);
    int i;
    m.rows.inner = 1 + below(rows + 2), m.rows.middle = 1 + below(4);
    for (i = 0; i < 3; i++) m.rows.stride[i] = below(61) - 30;
    /* also runs of whole vectors */
    m.run = below(3) == 0 ? 4 << below(4) : 1 + below(below(2) ? columns + 2 : 7);
    m.run_stride = below(61) - 30;
    return m;
}
/* Columns in pieces at any address: weights as a convolution's gradient reads them. */
static rise_matrix columns_make(int rows)
{
    rise_matrix m = patches_make(rows, 0);
    m.rows.stride[0] = 1;
    m.run = 1;
    return m;
}
/* A matrix of random numbers in the smallest memory that holds it. */
static rise_matrix matrix_make(layout kind, int rows, int columns, int integers)
{
    rise_matrix m = rise_matrix_plain(NULL, columns + below(3));
    float *data;
    span s;
    ptrdiff_t count, i;
    if (kind == TRANSPOSED) m = rise_matrix_transpose(rise_matrix_plain(NULL, rows + below(3)));
    if (kind == PANELS) m = rise_matrix_panels(NULL, rows, columns);
    if (kind == TRANSPOSED_PANELS)
        m = rise_matrix_transpose(rise_matrix_panels(NULL, columns, rows));
    if (kind == RUNS) m = runs_make(rows);
    if (kind == PATCHES) m = patches_make(rows, columns);
    if (kind == COLUMNS) m = columns_make(rows);
    s = matrix_span(&m, rows, columns);
    count = span_count(&s, rows, columns);
    data = floats(count);
    for (i = 0; i < count; i++) data[i] = integers ? integer() : real();
    m.data = data - s.low;
    return m;
}
/* Rows of length `width`: in order, or as the pixels of an image with padding, or those backwards;
   never overlapping. */
static rise_walk rows_make(int rows, int width)
{
    rise_walk w = rise_matrix_plain(NULL, width + below(4)).rows;
    int const kind = below(3);
    int i;
    if (kind > 0) {
        w.inner = 1 + below(rows + 1), w.middle = 1 + below(3);
        w.stride[1] = w.inner * w.stride[0] + below(4);
        w.stride[2] = w.middle * w.stride[1] + below(4);
        for (i = 0; i < 3 && kind == 2; i++) w.stride[i] = -w.stride[i];
    }
    return w;
}
/* The layout of C without its data: a layer's weights; whole rows; runs of 32, 64 or 96 columns,
   side by side in a row, or as panels of rows one after another, also backwards; one of the first
   two transposed; or columns that are images, whose pixels are rows of C in the order of the
   transposed image. */
static rise_matrix c_make(int m, int n)
{
    enum { WEIGHTS, ROWS, BESIDE, APART, TRANSPOSED_ROWS, TRANSPOSED_WEIGHTS, IMAGES, KINDS };
    int const kind = below(KINDS), run = RISE_PANEL * (1 + below(3)), gap = below(4);
    int const runs = (n + run - 1) / run;
    rise_matrix c = rise_matrix_plain(NULL, m + gap);
    span s;
    if (kind == WEIGHTS) return rise_matrix_panels(NULL, m, n);
    if (kind == TRANSPOSED_ROWS) return rise_matrix_transpose(c);
    if (kind == TRANSPOSED_WEIGHTS) return rise_matrix_transpose(rise_matrix_panels(NULL, n, m));
    if (kind == IMAGES) {
        int const height = 1 + below(4), width = (m + height - 1) / height;
        c.run = 1, c.run_stride = height * (width + (m == 0)) + gap;
        c.rows.inner = height, c.rows.middle = INT_MAX;
        c.rows.stride[0] = width, c.rows.stride[1] = 1;
        return c;
    }
    c.rows = rows_make(m, kind == ROWS     ? n
                          : kind == BESIDE ? runs * (run + gap)
                          : n < run        ? n
                                           : run);
    s = walk_span(&c.rows, m);
    c.run = kind != ROWS ? run : below(2) ? INT_MAX : n + (n == 0) + below(3);
    /* for whole rows, run_stride is not used */
    c.run_stride = kind == BESIDE ? run + gap : s.high - s.low + run + gap;
    if (kind == APART && below(2)) c.run_stride = -c.run_stride;
    return c;
}

/* Computes what C [m][n] should be, and its error bound. If all numbers are small integers, the
   bound is 0; else it is Higham's bound: gamma of k steps times the sum of |a| |b|. */
typedef struct truth {
    double *sum, *bound;
} truth;

static double *dense(const rise_matrix *x, int rows, int columns)
{
    double *const to = (double *)block((ptrdiff_t)rows * columns, sizeof *to);
    int i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < columns; j++) to[i * columns + j] = (double)x->data[matrix_at(x, i, j)];
    return to;
}
static truth product_truth(const rise_product *p, const float *start, int integers)
{
    double const gamma = (p->k + 2) * UNIT / (1 - (p->k + 2) * UNIT);
    double *const a = p->transposed ? dense(&p->a, p->k, p->m) : dense(&p->a, p->m, p->k);
    double *const b = dense(&p->b, p->k, p->n);
    ptrdiff_t const a_row = p->transposed ? 1 : p->k, a_k = p->transposed ? p->m : 1;
    truth t;
    int i, j, k;
    t.sum = (double *)block((ptrdiff_t)p->m * p->n, sizeof *t.sum);
    t.bound = (double *)block((ptrdiff_t)p->m * p->n, sizeof *t.bound);
    for (i = 0; i < p->m; i++)
        for (j = 0; j < p->n; j++) {
            float const first = p->accumulate     ? start[matrix_at(&p->c, i, j)]
                                : p->bias != NULL ? p->bias[j]
                                                  : 0;
            double sum = (double)first, size = fabs(sum);
            for (k = 0; k < p->k; k++) {
                double const x = a[i * a_row + k * a_k] * b[(ptrdiff_t)k * p->n + j];
                sum += x;
                size += fabs(x);
            }
            t.sum[(ptrdiff_t)i * p->n + j] = p->relu && !(sum > 0) ? 0 : sum;
            t.bound[(ptrdiff_t)i * p->n + j] = integers ? 0 : gamma * size;
        }
    return t;
}

/* A product, and C in memory: before the product, expected, and computed. C starts `low` elements
   from the first element in memory. */
typedef struct product_trial {
    rise_product p;
    truth exact;
    float *start, *right, *whole, *c;
    float *sums_start, *sums_right, *sums; /* sums of B's columns, or NULL */
    unsigned char *taken;                  /* elements that a part wrote */
    ptrdiff_t count, low;
    void *scratch;
    int kept; /* 1: no product has written after its scratch_bytes */
    char about[120];
} product_trial;

static void product_run(product_trial *t, const rise_kernels *k, float *c, int part, int parts)
{
    size_t const all = rise_product_scratch(), bytes = t->p.scratch_bytes;
    size_t i;
    t->p.c.data = c - t->low;
    memset(t->scratch, 0xFF, all); /* NaN */
    k->product(&t->p, part, parts, t->scratch);
    for (i = bytes; i < all && i < bytes + 4096 && bytes > 0; i++)
        t->kept &= ((unsigned char *)t->scratch)[i] == 0xFF;
}
static void product_restart(const product_trial *t, float *c)
{
    if (t->count > 0) memcpy(c, t->start, (size_t)t->count * sizeof *c);
    if (t->sums != NULL) memcpy(t->sums, t->sums_start, (size_t)t->p.n * sizeof *t->sums);
}
/* Returns whether the column sums equal those of a plain loop, bit for bit on every table. */
static int product_sums_good(const product_trial *t)
{
    return t->sums == NULL || same(t->sums, t->sums_right, t->p.n);
}
/* Computes C in one part. */
static void product_whole(product_trial *t, const rise_kernels *k, float *c)
{
    product_restart(t, c);
    product_run(t, k, c, 0, 1);
}
/* Returns whether C, which is in `whole`, is within the bound, and memory around C is unchanged. */
static int product_good(const product_trial *t, const float *whole)
{
    float *const c = t->c - t->low;
    int i, j, good = 1;
    if (t->count > 0) memcpy(t->c, whole, (size_t)t->count * sizeof *whole);
    for (i = 0; i < t->p.m; i++)
        for (j = 0; j < t->p.n; j++) {
            ptrdiff_t const at = matrix_at(&t->p.c, i, j), to = (ptrdiff_t)i * t->p.n + j;
            good &= fabs((double)c[at] - t->exact.sum[to]) <= t->exact.bound[to];
            c[at] = (t->start - t->low)[at];
        }
    return good && same(t->c, t->start, t->count);
}
/* Returns whether the parts, in any order, give the bits of `whole`. */
static int product_parts_good(product_trial *t, const rise_kernels *k, int parts)
{
    int const first = below(parts), step = below(2) ? 1 : parts - 1;
    int i;
    product_restart(t, t->c);
    for (i = 0; i < parts; i++) product_run(t, k, t->c, (first + i * step) % parts, parts);
    return same(t->c, t->whole, t->count) && product_sums_good(t);
}
/* Returns whether a product with less scratch gives the bits of `whole` and stays in its scratch.
   The first trial has all that this product can use, the second the least, the others a random
   size. */
static int product_scratch_good(product_trial *t, const rise_kernels *k)
{
    size_t const least = RISEI_PRODUCT_SCRATCH_LEAST;
    size_t const most = risei_product_bytes(t->p.m, t->p.n, t->p.k, 0);
    int i, good = most <= rise_product_scratch();
    for (i = 0; i < 4; i++) {
        t->p.scratch_bytes = i == 0 && most > least ? most : least;
        if (i > 1 && most > least) t->p.scratch_bytes += (size_t)below((int)(most - least));
        t->kept = 1;
        product_whole(t, k, t->c);
        good &= t->kept && same(t->c, t->whole, t->count) && product_sums_good(t);
    }
    t->p.scratch_bytes = 0;
    return good;
}
/* Returns whether each part writes its own share of C and nothing else. */
static int product_shares_good(product_trial *t, const rise_kernels *k, int parts)
{
    int part, good = 1;
    ptrdiff_t i;
    memset(t->taken, 0, (size_t)t->count);
    for (part = 0; part < parts; part++) {
        product_restart(t, t->c);
        product_run(t, k, t->c, part, parts);
        if (same(t->c, t->start, t->count)) continue;
        for (i = 0; i < t->count; i++) {
            if (same(&t->c[i], &t->start[i], 1)) continue;
            good &= !t->taken[i] && same(&t->c[i], &t->whole[i], 1);
            t->taken[i] = 1;
        }
    }
    for (i = 0; i < t->count; i++) good &= t->taken[i] || same(&t->whole[i], &t->start[i], 1);
    return good;
}

static void product_sums_make(product_trial *t)
{
    rise_product *const p = &t->p;
    int j, k;
    p->sums = t->sums = floats(p->n), t->sums_start = floats(p->n), t->sums_right = floats(p->n);
    for (j = 0; j < p->n; j++) {
        t->sums_start[j] = real(), t->sums_right[j] = p->accumulate ? t->sums_start[j] : 0;
        for (k = 0; k < p->k; k++)
            t->sums_right[j] = t->sums_right[j] + p->b.data[matrix_at(&p->b, k, j)];
    }
}
/* Makes a random product. */
static void product_make(product_trial *t, int m, int n, int k)
{
    layout const a_kind = (layout)below(LAYOUTS), b_kind = (layout)below(LAYOUTS);
    int const integers = below(3) == 0;
    rise_product *const p = &t->p;
    span s;
    ptrdiff_t i;
    memset(p, 0, sizeof *p);
    p->m = m, p->n = n, p->k = k;
    p->transposed = below(2);
    p->a = matrix_make(a_kind, p->transposed ? k : m, p->transposed ? m : k, integers);
    p->b = matrix_make(b_kind, k, n, integers);
    p->c = c_make(m, n);
    p->relu = below(2);
    p->accumulate = below(3) == 0;
    if (below(2)) {
        float *const bias = floats(n);
        for (i = 0; i < n; i++) bias[i] = integers ? integer() : real();
        p->bias = bias;
    }
    t->sums = NULL;
    if (m > 0 && below(3) == 0) product_sums_make(t);
    s = matrix_span(&p->c, m, n);
    t->low = s.low;
    t->count = span_count(&s, m, n);
    t->start = floats(t->count), t->right = floats(t->count), t->whole = floats(t->count),
    t->c = floats(t->count);
    t->taken = (unsigned char *)block(t->count, 1);
    for (i = 0; i < t->count; i++) t->start[i] = integers ? integer() : real();
    t->exact = product_truth(p, t->start - t->low, integers);
    t->scratch = block((ptrdiff_t)(rise_product_scratch() / sizeof(ptrdiff_t)), sizeof(ptrdiff_t));
    snprintf(t->about, sizeof t->about, "m %d n %d k %d, A %d%s, B %d, C in runs of %d, %s%s%s", m,
             n, k, (int)a_kind, p->transposed ? " transposed" : "", (int)b_kind,
             p->c.run < n ? p->c.run : n,
             p->accumulate     ? "accumulate"
             : p->bias != NULL ? "bias"
                               : "zero",
             p->relu ? ", relu" : "", p->sums != NULL ? ", sums" : "");
}
/* Compares one product on all tables, whole and in parts. */
static void product_case(int m, int n, int k)
{
    product_trial trial;
    int t;
    product_make(&trial, m, n, k);
    product_whole(&trial, ref, trial.right);
    check_about("ref, %s", trial.about);
    CHECK(product_good(&trial, trial.right) && product_sums_good(&trial));
    for (t = (double)m * n * k < 20000 ? -1 : 0; t < tables; t++) { /* ref is slow */
        const rise_kernels *const kernels = t < 0 ? ref : table[t];
        int const parts = 1 + below(5);
        check_about("%s, %s, %d parts", kernels->name, trial.about, parts);
        product_whole(&trial, kernels, trial.whole);
        CHECK(product_sums_good(&trial));
        CHECK(kernels->fused ? same(trial.whole, trial.right, trial.count)
                             : product_good(&trial, trial.whole));
        CHECK(parts == 1 || product_parts_good(&trial, kernels, parts));
        CHECK(parts == 1 || product_shares_good(&trial, kernels, parts));
        CHECK(below(8) != 0 || product_scratch_good(&trial, kernels));
    }
    free_blocks();
}

static void products_equal_the_reference(void)
{
    /* tiles are up to 32 columns wide, */
    static const int edge_n[] = {1, 8, 31, 32, 33, 64, 96, 129, 255, 256, 257, 513};
    /* a block of A has up to RISEI_KC = 256 columns */
    static const int edge_k[] = {1, 255, 256, 257, 513};
    /* a packed block of A has up to RISEI_MC = 84 rows */
    static const int edge_m[] = {15, 23, 24, 25, 28, 29, 55, 56, 57, 83, 84, 85, 97, 169};
    static const int large[][3] = {{257, 5, 3},    {255, 33, 7},   {513, 17, 2},   {300, 1, 9},
                                   {64, 64, 64},   {49, 100, 257}, {97, 257, 258}, {193, 64, 300},
                                   {24, 641, 260}, {48, 288, 259}, {49, 512, 20},  {100, 700, 5},
                                   {7, 640, 30},   {1, 1290, 12},  {130, 160, 96}, {288, 96, 33},
                                   {5, 9, 2049},   {40, 20, 4100}, {3, 128, 2500}, {110, 33, 2100},
                                   {3, 40000, 1},  {9, 17000, 3}};
    size_t i, j;
    int m, n, k;
    for (m = 0; m <= 20; m++)
        for (n = check_share > 1 ? below(3) : 0; n <= 20; n += check_share > 1 ? 1 + below(4) : 1)
            for (k = below(4); k <= 20; k += check_share + below(6 * check_share))
                product_case(m, n, k);
    for (n = 1; n <= 140; n++)
        for (m = 1; m <= 15; m += check_share + below(4)) product_case(m, n, 1 + below(9));
    for (i = 0; i < sizeof edge_n / sizeof *edge_n; i++)
        for (j = 0; j < sizeof edge_k / sizeof *edge_k; j++) {
            product_case(1, edge_n[i], edge_k[j]); /* products of few rows have code of their own */
            product_case(2 + below(3), edge_n[i], edge_k[j]);
            product_case(5 + below(9), edge_n[i], edge_k[j]);
        }
    for (i = 0; i < sizeof edge_m / sizeof *edge_m; i++)
        for (j = 0; j < 12; j += check_share) {
            product_case(edge_m[i], 1 + below(70), 1 + below(40));
            product_case(edge_m[i], RISE_PANEL * (1 + below(4)), 1 + below(40));
        }
    for (i = 0; i < sizeof large / sizeof *large; i++)
        for (j = 0; j < LARGE; j++) product_case(large[i][0], large[i][1], large[i][2]);
}

/* Control: products with a mistake, which must be noticed. */
/* every part computes all of C */
static void bad_product_share(const rise_product *p, int part, int parts, void *scratch)
{
    (void)part, (void)parts;
    ref->product(p, 0, 1, scratch);
}
/* the last part does nothing */
static void bad_product_end(const rise_product *p, int part, int parts, void *scratch)
{
    if (part + 1 < parts || parts == 1) ref->product(p, part, parts, scratch);
}
/* writes to a gap, too */
static void bad_product_beyond(const rise_product *p, int part, int parts, void *scratch)
{
    ref->product(p, part, parts, scratch);
    ((float *)(uintptr_t)p->c.data)[matrix_at(&p->c, 0, p->n - 1) + 1] = 3;
}
/* ignores the bias, except in the first part */
static void bad_product_bias(const rise_product *p, int part, int parts, void *scratch)
{
    rise_product q = *p;
    if (part > 0) q.bias = NULL;
    ref->product(&q, part, parts, scratch);
}
/* adds a number of the scratch memory, which is not initialised */
static void bad_product_scratch(const rise_product *p, int part, int parts, void *scratch)
{
    ref->product(p, part, parts, scratch);
    if (part == 0) ((float *)(uintptr_t)p->c.data)[matrix_at(&p->c, 0, 0)] += *(float *)scratch;
}
/* ignores C's runs */
static void bad_product_run(const rise_product *p, int part, int parts, void *scratch)
{
    rise_product q = *p;
    q.c.run = INT_MAX;
    ref->product(&q, part, parts, scratch);
}
static void broken_products_are_noticed(void)
{
    static const struct {
        void (*product)(const rise_product *p, int part, int parts, void *scratch);
        int whole, parts, shares; /* expected results; 0: the check must fail */
    } bad[] = {{bad_product_share, 1, 1, 0},   {bad_product_end, 1, 0, 0},
               {bad_product_beyond, 0, 1, 0},  {bad_product_bias, 1, 0, 0},
               {bad_product_scratch, 0, 1, 1}, {bad_product_run, 0, 1, 1}};
    size_t i;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        rise_kernels k = *ref;
        product_trial t;
        do { /* shows only where C's rows are runs of 32 with gaps between them */
            free_blocks();
            product_make(&t, 12, 70, 9);
        } while (t.p.accumulate || t.p.relu || t.p.bias == NULL || t.p.c.run != 32 ||
                 t.p.c.run_stride <= 32 || t.p.c.run_stride > t.p.c.rows.stride[0]);
        k.product = bad[i].product;
        check_about("a wrong product, number %d", (int)i);
        product_whole(&t, &k, t.whole);
        CHECK(product_good(&t, t.whole) == bad[i].whole);
        CHECK(product_parts_good(&t, &k, 3) == bad[i].parts);
        CHECK(product_shares_good(&t, &k, 3) == bad[i].shares);
        free_blocks();
    }
}

/* A NaN stays a NaN, except that ReLU makes it zero on all machines. */
static void products_keep_nan(void)
{
    enum { M = 13, N = 37, K = 5 };
    float a[M * K], b[K * N], c[M * N];
    void *const scratch = malloc(rise_product_scratch());
    rise_product p;
    int t, i, j;
    /* every third row has a NaN */
    for (i = 0; i < M * K; i++) a[i] = i / K % 3 == 1 && i % K == 2 ? NAN : 1.0f;
    for (i = 0; i < K * N; i++) b[i] = 1.0f;
    memset(&p, 0, sizeof p);
    p.m = M, p.n = N, p.k = K;
    p.a = rise_matrix_plain(a, K), p.b = rise_matrix_plain(b, N);
    p.c = rise_matrix_plain(c, N);
    for (t = -1; t < tables; t++)
        for (p.relu = 0; p.relu < 2; p.relu++) {
            float const full = K;
            int good = 1;
            (t < 0 ? ref : table[t])->product(&p, 0, 1, scratch);
            for (i = 0; i < M; i++)
                for (j = 0; j < N; j++) {
                    float const sum = c[i * N + j];
                    good &= i % 3 != 1 ? sum == full : p.relu ? sum == 0 : isnan(sum) != 0;
                }
            CHECK(good);
        }
    free(scratch);
}

/* ---------------------------------------------------------------------------------------------- */
/* Elementwise kernels, against their formulas in double */

static double squash(double x) { return 1 / (1 + exp(-x)); }

static const rise_adam adam_numbers = {0.5f, 0.9f, 0.999f, 0.01f, 3.0f, 1e-3f};

#define RUN(name, call)                                                                            \
    static void run_##name(const rise_kernels *k, int n, float *const *a) { call; }
RUN(add, k->add(n, a[0], a[1]))
RUN(relu_backward, k->relu_backward(n, a[0], a[1], a[2]))
RUN(relu_backward_in_place, k->relu_backward(n, a[0], a[1], a[1]))
RUN(exp, k->exp(n, a[0], a[1]))
RUN(log, k->log(n, a[0], a[1]))
RUN(tanh, k->tanh(n, a[0], a[1]))
RUN(tanh_in_place, k->tanh(n, a[0], a[0]))
RUN(sigmoid, k->sigmoid(n, a[0], a[1]))
RUN(lstm_forward, k->lstm_forward(n, a[0], a[1], a[2], a[3]))
RUN(lstm_backward, k->lstm_backward(n, a[0], a[1], a[2], a[3], a[4], a[5]))
RUN(gru_forward, k->gru_forward(n, a[0], a[1], a[2], a[3]))
RUN(gru_backward, k->gru_backward(n, a[0], a[1], a[2], a[3], a[4], a[5]))
RUN(gate_forward, k->gate_forward(n, a[0], a[1], a[2]))
RUN(gate_forward_in_place, k->gate_forward(n, a[0], a[1], a[0]))
RUN(gate_backward, k->gate_backward(n, a[0], a[1], a[2], a[3]))
RUN(norm_forward, if (n > 0) k->norm_forward(n, a[0], a[1], a[2], a[3], a[4]))
RUN(norm_backward, if (n > 0) k->norm_backward(n, a[0], a[1], a[2], a[3], a[4], a[5]))
RUN(adam, k->adam(n, &adam_numbers, a[0], a[1], a[2], a[3]))
RUN(multiply, k->multiply(n, a[0], a[1], 0, a[2]))
RUN(multiply_add, k->multiply(n, a[0], a[1], 1, a[2]))
RUN(maximum, k->maximum(n, a[0], a[1]))
RUN(perturb, k->perturb(n > 0, n, a[0], a[1], a[2], a[3]))
#undef RUN

#define EXPECT(name) static void expect_##name(int n, int i, double *const *a)
EXPECT(add)
{
    a[1][i] += a[0][i];
    (void)n;
}
EXPECT(relu_backward)
{
    a[2][i] = a[0][i] > 0 ? a[1][i] : 0;
    (void)n;
}
EXPECT(relu_backward_in_place)
{
    a[1][i] = a[0][i] > 0 ? a[1][i] : 0;
    (void)n;
}
EXPECT(exp)
{
    a[1][i] = exp(a[0][i]);
    (void)n;
}
EXPECT(log)
{
    a[1][i] = log(a[0][i]);
    (void)n;
}
EXPECT(tanh)
{
    a[1][i] = tanh(a[0][i]);
    (void)n;
}
EXPECT(tanh_in_place)
{
    a[0][i] = tanh(a[0][i]);
    (void)n;
}
EXPECT(sigmoid)
{
    a[1][i] = squash(a[0][i]);
    (void)n;
}
EXPECT(lstm_forward)
{
    double const in = squash(a[0][i]), forget = squash(a[0][n + i]), g = tanh(a[0][2 * n + i]);
    double const out = squash(a[0][3 * n + i]);
    a[0][i] = in, a[0][n + i] = forget, a[0][2 * n + i] = g, a[0][3 * n + i] = out;
    a[2][i] = forget * a[1][i] + in * g;
    a[3][i] = out * tanh(a[2][i]);
}
EXPECT(lstm_backward)
{
    double const in = a[0][i], forget = a[0][n + i], g = a[0][2 * n + i], out = a[0][3 * n + i];
    double const t = tanh(a[2][i]);
    double const d = a[4][i] + a[3][i] * out * (1 - t * t);
    a[5][i] = d * g * in * (1 - in);
    a[5][n + i] = d * a[1][i] * forget * (1 - forget);
    a[5][2 * n + i] = d * in * (1 - g * g);
    a[5][3 * n + i] = a[3][i] * t * out * (1 - out);
    a[4][i] = d * forget;
}
EXPECT(gru_forward)
{
    double const r = squash(a[0][i] + a[1][i]), z = squash(a[0][n + i] + a[1][n + i]);
    double const h = tanh(a[0][2 * n + i] + r * a[1][2 * n + i]);
    a[0][i] = r, a[0][n + i] = z, a[0][2 * n + i] = h;
    a[3][i] = (1 - z) * h + z * a[2][i];
}
EXPECT(gru_backward)
{
    double const r = a[0][i], z = a[0][n + i], h = a[0][2 * n + i], d = a[3][i];
    double const dn = d * (1 - z) * (1 - h * h);
    a[4][i] = a[5][i] = dn * a[1][2 * n + i] * r * (1 - r);
    a[4][n + i] = a[5][n + i] = d * (a[2][i] - h) * z * (1 - z);
    a[4][2 * n + i] = dn;
    a[5][2 * n + i] = dn * r;
    a[3][i] = d * z;
}
EXPECT(gate_forward)
{
    a[1][i] = squash(a[1][i]), a[2][i] = a[0][i] * a[1][i];
    (void)n;
}
EXPECT(gate_forward_in_place)
{
    a[1][i] = squash(a[1][i]), a[0][i] *= a[1][i];
    (void)n;
}
EXPECT(gate_backward)
{
    double const s = a[1][i], d = a[2][i];
    a[2][i] = d * a[0][i] * s * (1 - s);
    a[3][i] = d * s;
    (void)n;
}
EXPECT(norm_forward)
{
    double mean = 0, var = 0;
    int j;
    for (j = 0; j < n; j++) mean += a[0][j] / n;
    for (j = 0; j < n; j++) var += (a[0][j] - mean) * (a[0][j] - mean) / n;
    a[4][0] = mean, a[4][1] = 1 / sqrt(var + 1e-5);
    a[3][i] = (a[0][i] - mean) * a[4][1] * a[1][i] + a[2][i];
}
EXPECT(norm_backward)
{
    double const mean = a[2][0], scale = a[2][1];
    double d = 0, dx = 0; /* dy is replaced last, when it is no longer needed */
    int j;
    a[4][i] += a[3][i] * (a[0][i] - mean) * scale;
    a[5][i] += a[3][i];
    if (i < n - 1) return;
    for (j = 0; j < n; j++) {
        a[3][j] *= a[1][j];
        d += a[3][j] / n, dx += a[3][j] * (a[0][j] - mean) * scale / n;
    }
    for (j = 0; j < n; j++) a[3][j] = scale * (a[3][j] - d - (a[0][j] - mean) * scale * dx);
}
EXPECT(adam)
{
    rise_adam const n1 = adam_numbers;
    double const g = a[1][i] * (double)n1.scale;
    a[2][i] = (double)n1.beta1 * a[2][i] + (1 - (double)n1.beta1) * g;
    a[3][i] = (double)n1.beta2 * a[3][i] + (1 - (double)n1.beta2) * g * g;
    a[0][i] -= (double)n1.rate * a[2][i] /
               (sqrt(a[3][i]) * (double)n1.root_scale + (double)n1.epsilon);
    (void)n;
}
EXPECT(multiply)
{
    a[2][i] = a[0][i] * a[1][i];
    (void)n;
}
EXPECT(multiply_add)
{
    a[2][i] += a[0][i] * a[1][i];
    (void)n;
}
EXPECT(maximum)
{
    a[1][i] = fmax(a[0][i], a[1][i]);
    (void)n;
}
EXPECT(perturb)
{
    a[3][i] += a[0][i] * a[1][0] * a[2][i];
    (void)n;
}
#undef EXPECT

#define ARRAYS 6
typedef struct elementwise {
    const char *name;
    void (*run)(const rise_kernels *k, int n, float *const *a);
    void (*expect)(int n, int i, double *const *a);
    /* length of each array in multiples of n; 0 ends the list; PAIR means two numbers */
    int width[ARRAYS];
    int positive;      /* bit a: the numbers of array a are positive */
} elementwise;
enum { PAIR = -2 };

#define EACH(name) #name, run_##name, expect_##name
static const elementwise kernels[] = {
    {EACH(add), {1, 1, 0, 0, 0, 0}, 0},
    {EACH(relu_backward), {1, 1, 1, 0, 0, 0}, 0},
    {EACH(relu_backward_in_place), {1, 1, 0, 0, 0, 0}, 0},
    {EACH(exp), {1, 1, 0, 0, 0, 0}, 0},
    {EACH(log), {1, 1, 0, 0, 0, 0}, 1},
    {EACH(tanh), {1, 1, 0, 0, 0, 0}, 0},
    {EACH(tanh_in_place), {1, 0, 0, 0, 0, 0}, 0},
    {EACH(sigmoid), {1, 1, 0, 0, 0, 0}, 0},
    {EACH(lstm_forward), {4, 1, 1, 1, 0, 0}, 0},
    {EACH(lstm_backward), {4, 1, 1, 1, 1, 4}, 0},
    {EACH(gru_forward), {3, 3, 1, 1, 0, 0}, 0},
    {EACH(gru_backward), {3, 3, 1, 1, 3, 3}, 0},
    {EACH(gate_forward), {1, 1, 1, 0, 0, 0}, 0},
    {EACH(gate_forward_in_place), {1, 1, 0, 0, 0, 0}, 0},
    {EACH(gate_backward), {1, 1, 1, 1, 0, 0}, 0},
    {EACH(multiply), {1, 1, 1, 0, 0, 0}, 0},
    {EACH(multiply_add), {1, 1, 1, 0, 0, 0}, 0},
    {EACH(maximum), {1, 1, 0, 0, 0, 0}, 0},
    {EACH(perturb), {1, PAIR, 1, 1, 0, 0}, 0},
    {EACH(norm_forward), {1, 1, 1, 1, PAIR, 0}, 0},
    {EACH(norm_backward), {1, 1, PAIR, 1, 1, 1}, 4},
    {EACH(adam), {1, 1, 1, 1, 0, 0}, 8},
};
#undef EACH

/* Compares float arrays with the expected ones. Returns the largest error relative to the largest
   expected number, or to 1 if that is larger. */
static double distance(const float *const *x, double *const *expected, const int *size)
{
    double greatest = 1, worst = 0;
    int a, i;
    for (a = 0; a < ARRAYS; a++)
        for (i = 0; i < size[a]; i++) {
            double const error = fabs((double)x[a][i] - expected[a][i]);
            if (fabs(expected[a][i]) > greatest) greatest = fabs(expected[a][i]);
            if (!(error <= worst)) worst = error;
        }
    return worst / greatest;
}

static void elementwise_case(const elementwise *e, int n)
{
    float *start[ARRAYS], *right[ARRAYS], *now[ARRAYS];
    double *expected[ARRAYS];
    int size[ARRAYS];
    int a, i, t, equal;
    for (a = 0; a < ARRAYS; a++) {
        size[a] = e->width[a] == PAIR ? 2 : e->width[a] * n;
        start[a] = floats(size[a]), right[a] = floats(size[a]), now[a] = floats(size[a]);
        expected[a] = (double *)block(size[a], sizeof(double));
        for (i = 0; i < size[a]; i++) {
            start[a][i] = right[a][i] = e->positive >> a & 1 ? fabsf(real()) + 0.01f
                                                             : real() * 0.25f;
            expected[a][i] = (double)start[a][i];
        }
    }
    e->run(ref, n, right);
    for (i = 0; i < n; i++) e->expect(n, i, expected);
    check_about("%s, n %d", e->name, n);
    CHECK(distance((const float *const *)right, expected, size) <= 128 * UNIT);
    for (t = 0; t < tables; t++) {
        for (a = 0; a < ARRAYS; a++)
            if (size[a] > 0) memcpy(now[a], start[a], (size_t)size[a] * sizeof **now);
        e->run(table[t], n, now);
        check_about("%s, n %d, %s", e->name, n, table[t]->name);
        for (equal = 1, a = 0; a < ARRAYS; a++) equal &= same(now[a], right[a], size[a]);
        if (table[t]->fused)
            CHECK(equal);
        else
            CHECK(distance((const float *const *)now, expected, size) <= 128 * UNIT);
    }
    free_blocks();
}

static void elementwise_kernels_are_right(void)
{
    size_t e;
    int n;
    for (e = 0; e < sizeof kernels / sizeof *kernels; e++) {
        for (n = 0; n <= 70; n++) elementwise_case(&kernels[e], n);
        elementwise_case(&kernels[e], 1000);
    }
    /* Adam works in blocks of 2^20 */
    elementwise_case(&kernels[sizeof kernels / sizeof *kernels - 1], (1 << 20) + 5);
}

/* ---------------------------------------------------------------------------------------------- */
/* The simplest kernels, bit for bit against plain loops on numbers of all sorts */

/* Returns a b + c as a table with this `fused` rounds it. The compiler must not fuse what is
   rounded twice. */
static float plain_fma(int fused, float a, float b, float c)
{
    volatile float const product = a * b;
    return fused ? risei_fma(a, b, c) : product + c;
}
/* Returns an ordinary number, or one that is special in comparisons and sums; small integers, so
   that many are equal. */
static float odd_number(void)
{
    static const float odd[] = {0.0f,     -0.0f,     1.0f,       -1.0f,   FLT_MAX,
                                -FLT_MAX, HUGE_VALF, -HUGE_VALF, FLT_MIN, 2e-38f};
    /* products with the last two can be denormal */
    int const count = (int)(sizeof odd / sizeof *odd) - (DENORMALS ? 0 : 2);
    int const kind = below(4);
    if (kind == 3) return below(3) == 0 ? NAN : odd[below(count)];
    return kind == 0 ? real() : integer();
}
static float *odd_numbers(int n)
{
    float *const x = floats(n);
    int i;
    for (i = 0; i < n; i++) x[i] = odd_number();
    return x;
}
static float *copied(const float *x, int n)
{
    float *const y = floats(n);
    if (n > 0) memcpy(y, x, (size_t)n * sizeof *y);
    return y;
}
/* z = x y + z, or z = x y. z may be x, y or both. Without `add`, the old z is ignored. */
static void multiply_case(const rise_kernels *k, int n, int add, int place)
{
    const float *const x = odd_numbers(n), *const y = place == 3 ? x : odd_numbers(n);
    float *const right = floats(n);
    float *const z = place == 0 ? odd_numbers(n) : copied(place == 2 ? y : x, n);
    int i;
    for (i = 0; i < n; i++) {
        volatile float const product = x[i] * y[i];
        right[i] = add ? plain_fma(k->fused, x[i], y[i], z[i]) : product;
    }
    k->multiply(n, place & 1 ? z : x, place >= 2 ? z : y, add, z);
    check_about("%s: multiply of %d, add %d, in place %d", k->name, n, add, place);
    CHECK(same(z, right, n));
    free_blocks();
}
static void maximum_case(const rise_kernels *k, int n)
{
    const float *const x = odd_numbers(n);
    float *const y = odd_numbers(n), *const right = floats(n);
    int i;
    /* y where they are equal or one is NaN */
    for (i = 0; i < n; i++) right[i] = x[i] > y[i] ? x[i] : y[i];
    k->maximum(n, x, y);
    check_about("%s: maximum of %d", k->name, n);
    CHECK(same(y, right, n));
    free_blocks();
}
/* The pixels of one pooling region: the first maximum gets the whole gradient, the others get
   nothing. */
static void claim_case(const rise_kernels *k, int n, int pixels)
{
    float *const y = odd_numbers(n), *const rest = odd_numbers(n), *const left = copied(rest, n);
    float *x[5], *dx[5], *right[5];
    int p, i, good = 1;
    for (p = 0; p < pixels; p++) {
        x[p] = odd_numbers(n), dx[p] = odd_numbers(n), right[p] = copied(dx[p], n);
        k->maximum(n, x[p], y);
    }
    for (i = 0; i < n; i++) {
        /* (a NaN counts as the maximum) */
        for (p = 0; p < pixels && y[i] > x[p][i]; p++) continue;
        if (p < pixels) right[p][i] = right[p][i] + left[i];
        /* -0 becomes 0 */
        for (p++; p < pixels; p++) right[p][i] = y[i] > x[p][i] ? right[p][i] : right[p][i] + 0.0f;
    }
    for (p = 0; p < pixels; p++) {
        k->maximum_backward(n, x[p], y, rest, dx[p]);
        good &= same(dx[p], right[p], n);
    }
    check_about("%s: claim of %d in %d pixels", k->name, n, pixels);
    CHECK(good);
    for (i = 0; i < n; i++) {
        for (p = 0; p < pixels && y[i] > x[p][i]; p++) continue;
        good &= p < pixels ? rest[i] == 0 && !signbit(rest[i]) : same(&rest[i], &left[i], 1);
    }
    CHECK(good);
    free_blocks();
}
/* z[i][j] += x[i][j] (a[i] b[j]): the noise of a weight is rounded before use */
static void perturb_case(const rise_kernels *k, int rows, int n)
{
    const float *const x = odd_numbers(rows * n), *const a = odd_numbers(rows);
    const float *const b = odd_numbers(n);
    float *const z = odd_numbers(rows * n), *const right = copied(z, rows * n);
    int i, j;
    for (i = 0; i < rows; i++)
        for (j = 0; j < n; j++) {
            volatile float const noise = a[i] * b[j];
            right[i * n + j] = plain_fma(k->fused, x[i * n + j], noise, right[i * n + j]);
        }
    k->perturb(rows, n, x, a, b, z);
    check_about("%s: perturb of %d x %d", k->name, rows, n);
    CHECK(same(z, right, rows * n));
    free_blocks();
}
/* A dot product adds element i to lane i % 16, then joins the lanes in halves. */
static void dot_case(const rise_kernels *k, int n, int ordinary)
{
    float *const x = ordinary ? floats(n) : odd_numbers(n);
    float *const y = ordinary ? floats(n) : odd_numbers(n);
    float lane[16], sum;
    double exact = 0, size = 0, got;
    int i, width;
    for (i = 0; i < n && ordinary; i++) x[i] = real(), y[i] = real();
    for (i = 0; i < 16; i++) lane[i] = 0;
    for (i = 0; i < n; i++) {
        lane[i % 16] = plain_fma(k->fused, x[i], y[i], lane[i % 16]);
        exact += (double)x[i] * (double)y[i], size += fabs((double)x[i] * (double)y[i]);
    }
    for (width = 8; width > 0; width /= 2)
        for (i = 0; i < width; i++) lane[i] = lane[i] + lane[i + width];
    sum = lane[0];
    got = k->dot(n, x, y);
    check_about("%s: dot of %d", k->name, n);
    lane[1] = (float)got;
    CHECK(same(&lane[1], &sum, 1) && (isnan(got) || got == (double)lane[1]));
    if (ordinary) CHECK(fabs(got - exact) <= (n / 16 + 6) * UNIT * size);
    free_blocks();
}
static void simple_kernels_are_right(void)
{
    static const int sizes[] = {0,  1,  2,  3,  4,  5,  7,  8,  9,  15,  16,
                                17, 31, 32, 33, 48, 63, 64, 65, 70, 1000};
    size_t s;
    int t, place, i;
    for (t = -1; t < tables; t++) {
        const rise_kernels *const k = t < 0 ? ref : table[t];
        for (s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            int const n = sizes[s];
            for (place = 0; place < 8; place++) multiply_case(k, n, place & 1, place / 2);
            for (i = 1; i <= 5; i++) {
                maximum_case(k, n);
                claim_case(k, n, i);
                dot_case(k, n, i % 2);
                perturb_case(k, i - 1, n);
            }
            perturb_case(k, n, 37);
        }
        dot_case(k, 4096, 1);
        perturb_case(k, 129, RISE_PANEL);
    }
    check_about("%s", "");
}

/* ---------------------------------------------------------------------------------------------- */
/* exp, log, tanh, sigmoid: errors in units in the last place */

static double unit_in_last_place(double exact)
{
    int exponent;
    frexp(exact, &exponent);
    return ldexp(1, (exponent < -125 ? -125 : exponent) - 24);
}

typedef struct curve {
    const char *name;
    void (*run)(const rise_kernels *k, int n, float *const *a);
    double (*exact)(double x);
    float low, high; /* beyond these, the value is that of the end */
    float least, most;
    double off;     /* largest allowed error in units in the last place */
    float dense[2]; /* range in which all floats are tried */
    int rising;     /* it is monotone, also between neighbouring floats */
} curve;

static const curve curves[] = {
    {"exp", run_exp, exp, -87.0f, 88.0f, 0, FLT_MAX, 2, {5.86f, 5.89f}, 1},
    {"log", run_log, log, FLT_MIN, FLT_MAX, -FLT_MAX, FLT_MAX, 2, {0.707f, 0.711f}, 0},
    /* the two formulas meet at 0.625 */
    {"tanh", run_tanh, tanh, -FLT_MAX, FLT_MAX, -1, 1, 2, {0.623f, 0.627f}, 1},
    /* where the rounding of exp shows most */
    {"sigmoid", run_sigmoid, squash, -80.0f, FLT_MAX, 0, 1, 2.5, {0.245f, 0.246f}, 1},
};

/* The largest error of a table, and the x where it occurs. */
typedef struct curve_worst {
    double off, at;
} curve_worst;

/* Tries the floats of one sign from the bits `from` to `to`, in runs of 256 neighbours that begin
   256 * stride apart. */
static void curve_walk(const curve *c, uint32_t sign, uint32_t from, uint32_t to, uint32_t stride,
                       curve_worst *worst)
{
    enum { RUN = 256 };
    float x[RUN], right[RUN], y[RUN], last[5];
    float *const to_ref[2] = {x, right}, *const to_y[2] = {x, y};
    int fell[5] = {0, 0, 0, 0, 0}, left[5] = {0, 0, 0, 0, 0}, differs[5] = {0, 0, 0, 0, 0};
    uint32_t bits;
    int i, t, started = 0;
    for (bits = from; bits < to; bits += RUN * stride) {
        for (i = 0; i < RUN; i++) x[i] = risei_float((bits + (uint32_t)i) | sign);
        if (x[0] < c->low && c->low > 0) continue; /* log takes normal numbers only */
        c->run(ref, RUN, to_ref);
        for (t = -1; t < tables; t++) {
            const float *const value = t < 0 ? right : y;
            int const slot = t + 1;
            if (t >= 0) c->run(table[t], RUN, to_y);
            if (t >= 0 && table[t]->fused) {
                differs[slot] |= !same(y, right, RUN);
                continue;
            }
            for (i = 0; i < RUN; i++) {
                double const held = (double)(x[i] < c->low    ? c->low
                                             : x[i] > c->high ? c->high
                                                              : x[i]);
                double const exact = c->exact(held);
                double const off = fabs((double)value[i] - exact) / unit_in_last_place(exact);
                if (!(off <= worst[slot].off)) worst[slot].off = off, worst[slot].at = (double)x[i];
                left[slot] |= !(value[i] >= c->least && value[i] <= c->most);
                if (started || i > 0)
                    fell[slot] |= sign ? value[i] > last[slot] : value[i] < last[slot];
                last[slot] = value[i];
            }
        }
        started = 1;
    }
    for (t = -1; t < tables; t++) {
        int const slot = t + 1;
        check_about("%s, %s, %c%.9g to %.9g", c->name, t < 0 ? "ref" : table[t]->name,
                    sign ? '-' : '+', (double)risei_float(from), (double)risei_float(to));
        CHECK(!differs[slot] && !left[slot]);
        CHECK(!(c->rising && fell[slot]));
    }
}

static void curve_case(uint32_t stride)
{
    struct {
        size_t curve;
        float x, y;
    } const exact[] = {{0, 0, 1},        {0, -0.0f, 1}, {1, 1, 0},         {2, 0, 0},
                       {2, -0.0f, 0},    {2, 20, 1},    {2, -20, -1},      {3, 0, 0.5f},
                       {3, -0.0f, 0.5f}, {3, 20, 1},    {2, HUGE_VALF, 1}, {2, -HUGE_VALF, -1},
                       {3, HUGE_VALF, 1}};
    float const beyond[][2] = {{HUGE_VALF, 88},   {FLT_MAX, 88},   {88.5f, 88},
                               {-HUGE_VALF, -87}, {-FLT_MAX, -87}, {-87.5f, -87}};
    uint32_t sign;
    size_t c, i;
    int t;
    for (c = 0; c < sizeof curves / sizeof *curves; c++) {
        uint32_t const least = DENORMALS ? 0 : 0x00800000u, end = 0x7F800000u;
        uint32_t const from = risei_bits(curves[c].dense[0]), to = risei_bits(curves[c].dense[1]);
        curve_worst worst[5] = {{0, 0}, {0, 0}, {0, 0}, {0, 0}, {0, 0}};
        for (sign = 0;; sign = 0x80000000u) {
            curve_walk(&curves[c], sign, least, end, stride, worst);
            curve_walk(&curves[c], sign, from, to, 1, worst);
            if (sign != 0) break;
        }
        for (t = -1; t < tables; t++) {
            const rise_kernels *const k = t < 0 ? ref : table[t];
            if (t >= 0 && k->fused) continue; /* it has the bits of ref */
            printf("    %-8s %-5s %.3f units in the last place, at %.9g\n", curves[c].name, k->name,
                   worst[t + 1].off, worst[t + 1].at);
            check_about("%s, %s", curves[c].name, k->name);
            CHECK(worst[t + 1].off <= curves[c].off);
        }
    }
    for (t = -1; t < tables; t++) {
        const rise_kernels *const k = t < 0 ? ref : table[t];
        float x[2], y[2];
        float *const from[2] = {x, y};
        check_about("%s", k->name);
        for (i = 0; i < sizeof exact / sizeof *exact; i++) {
            x[0] = exact[i].x;
            curves[exact[i].curve].run(k, 1, from);
            CHECK(y[0] == exact[i].y);
        }
        for (i = 0; i < sizeof beyond / sizeof *beyond; i++) {
            x[0] = beyond[i][0], x[1] = beyond[i][1];
            run_exp(k, 2, from);
            CHECK(same(&y[0], &y[1], 1) && y[0] > 0 && y[0] < HUGE_VALF);
        }
        x[0] = -HUGE_VALF, x[1] = -80;
        run_sigmoid(k, 2, from);
        CHECK(same(&y[0], &y[1], 1) && y[0] > 0);
        for (c = 0; c < sizeof curves / sizeof *curves; c++) {
            if (curves[c].run == run_log) continue;
            x[0] = NAN, x[1] = -NAN;
            curves[c].run(k, 2, from);
            CHECK(isnan(y[0]) && isnan(y[1]));
        }
    }
}

/* ---------------------------------------------------------------------------------------------- */
/* Sums, images, projections and special numbers */

static void sums_are_right(void)
{
    static const int sizes[] = {0, 1, 2, 15, 16, 17, 31, 32, 33, 70, 255, 1000, 4095, 4096};
    size_t s;
    int i, t;
    for (s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        float *const x = floats(sizes[s]);
        double exact = 0, right;
        for (i = 0; i < sizes[s]; i++) x[i] = real(), exact += (double)x[i] * (double)x[i];
        right = ref->dot(sizes[s], x, x);
        check_about("n %d", sizes[s]);
        CHECK(fabs(right - exact) <= 4096 / 16 * UNIT * exact);
        for (t = 0; t < tables; t++) {
            double const sum = table[t]->dot(sizes[s], x, x);
            CHECK(table[t]->fused ? memcmp(&sum, &right, sizeof sum) == 0
                                  : fabs(sum - exact) <= 4096 / 16 * UNIT * exact);
        }
        free_blocks();
    }
}

/* Makes rows of images from rows of frames, equal on every table. Nothing beyond a frame is read.
   Without a mean, bytes become multiples of 1/255. With a mean, they are centred and clamped. */
static void stack_case(int pixels, int channels, int stack, int centred)
{
    const uint8_t *frames[16];
    float *const right = floats(pixels * channels * stack);
    float *const out = floats(pixels * channels * stack);
    uint8_t *const mean = (uint8_t *)block(pixels * channels, 1);
    rise_frame_scale scale = {NULL, 1.0f / 255.0f, 8};
    int s, x, c, t;
    if (centred) scale.mean = mean, scale.factor = 0.1f; /* clamps differences above 80 */
    for (x = 0; x < pixels * channels; x++) mean[x] = (uint8_t)below(256);
    for (s = 0; s < stack; s++) {
        uint8_t *const frame = (uint8_t *)block(pixels * channels, 1);
        for (x = 0; x < pixels; x++)
            for (c = 0; c < channels; c++) {
                int const at = x * channels + c;
                float y;
                frame[at] = (uint8_t)below(256);
                y = (float)(frame[at] - (centred ? mean[at] : 0)) * scale.factor;
                if (y > 8) y = 8;
                if (y < -8) y = -8;
                right[(x * stack + s) * channels + c] = y;
            }
        frames[s] = frame;
    }
    for (t = -1; t < tables; t++) {
        const rise_kernels *const k = t < 0 ? ref : table[t];
        memset(out, 0xFF, (size_t)(pixels * channels * stack) * sizeof *out);
        k->stack(pixels, channels, stack, frames, &scale, scale.mean, out);
        check_about("%d pixels, %d channels, %d frames, centred %d, %s", pixels, channels, stack,
                    centred, k->name);
        CHECK(same(out, right, pixels * channels * stack));
    }
    free_blocks();
}
static void frame_stacks_are_right(void)
{
    int pixels, channels, stack, centred;
    for (centred = 0; centred < 2; centred++) {
        for (pixels = 1; pixels <= 70; pixels += pixels < 40 ? 1 : 7)
            for (channels = 1; channels <= 5; channels++)
                for (stack = 1; stack <= 5; stack++) stack_case(pixels, channels, stack, centred);
        stack_case(84, 1, 4, centred);
        stack_case(33, 16, 16, centred);
        stack_case(1024, 3, 1, centred);
    }
}

/* A first conv layer, its frames, and what it computes from finished images. */
typedef struct first_layer {
    risei_conv conv;
    int count; /* of images */
    risei_device device;
    risei_encoder_input input;
    const uint8_t **frames;
    rise_frame_scale scale;
    risei_image x, y[2], dy; /* y[0], g[0]: from frames; y[1], g[1]: from images */
    rise_real *w, *g[2];
    size_t parameters;
} first_layer;

typedef struct first_case {
    int height, width, channels, stack, count;
    rise_conv conv;
} first_case;

/* Makes random frames, and a mean frame if there are several images. One image has no frames. */
static void first_layer_frames(first_layer *f, const first_case *k)
{
    int const size = k->height * k->width * k->channels, frames = k->count * k->stack;
    uint8_t *const bytes = (uint8_t *)block((ptrdiff_t)frames * size, 1);
    int i;
    f->frames = (const uint8_t **)malloc((size_t)frames * sizeof *f->frames);
    if (f->frames == NULL) exit(1);
    for (i = 0; i < frames * size; i++) bytes[i] = (uint8_t)below(256);
    for (i = 0; i < frames; i++)
        f->frames[i] = i == k->stack ? NULL : bytes + (ptrdiff_t)i * size;
    f->scale.mean = k->count > 1 ? bytes : NULL;
    f->scale.factor = 1.0f / 255.0f, f->scale.limit = 0.5f;
}
static risei_image first_layer_image(const first_layer *f)
{
    risei_image y = risei_image_make(f->conv.out_height, f->conv.out_width, f->conv.filters, 1);
    y.data = floats(f->count * risei_image_size(&y));
    return y;
}
static void first_layer_make(first_layer *f, const first_case *k, int t)
{
    int const channels = k->channels * k->stack;
    risei_parameters p = {0, 0};
    size_t scratch;
    ptrdiff_t image;
    int i, r;
    memset(f, 0, sizeof *f);
    f->conv = risei_conv_make(&p, &k->conv, k->height, k->width, channels);
    f->count = k->count, f->parameters = p.count;
    f->x = risei_image_make(f->conv.height, f->conv.width, channels, f->conv.pad);
    image = risei_image_size(&f->x);
    scratch = rise_product_scratch() +
              (size_t)(risei_frames_chunk_images(&f->x) * image) * sizeof(float);
    f->w = floats((ptrdiff_t)p.count);
    f->device.kernels = table[t];
    f->device.scratch = malloc(scratch);
    if (f->device.scratch == NULL) exit(1);
    memset(f->device.scratch, 1, scratch);
    first_layer_frames(f, k);
    for (i = 0; i < (int)p.count; i++) f->w[i] = real();
    f->input.frames = f->frames, f->input.stack = k->stack, f->input.scale = &f->scale;
    f->x.data = floats(f->count * image);
    for (i = 0; i < f->count; i++)
        risei_encoder_input_convert(ref, &f->input, i, f->count, &f->x, f->x.data + i * image);
    f->dy = first_layer_image(f);
    for (i = 0; i < (int)(f->count * risei_image_size(&f->dy)); i++) f->dy.data[i] = real();
    for (r = 0; r < 2; r++) {
        f->y[r] = first_layer_image(f);
        for (i = 0; i < (int)(f->count * risei_image_size(&f->y[r])); i++) f->y[r].data[i] = 3;
        f->g[r] = floats((ptrdiff_t)p.count);
    }
}
static int first_layer_same_y(const first_layer *f)
{
    return same(f->y[0].data, f->y[1].data, f->count * risei_image_size(&f->y[0]));
}
static int first_layer_same_g(const first_layer *f)
{
    return same(f->g[0], f->g[1], (ptrdiff_t)f->parameters);
}
/* Runs the layer in parts, as threads share it. */
static void first_layer_in_parts(first_layer *f, int parts)
{
    risei_frames_conv_job job;
    int i;
    memset(&job, 0, sizeof job);
    job.kernels = f->device.kernels, job.conv = &f->conv, job.w = f->w, job.count = f->count;
    job.input = &f->input, job.x = &f->x;
    for (i = 0; i < (int)(f->count * risei_image_size(&f->y[0])); i++) f->y[0].data[i] = 3;
    for (job.y = &f->y[0], i = 0; i < parts; i++)
        risei_frames_conv_part(&job, i, parts, f->device.scratch);
    CHECK(first_layer_same_y(f));
    memset(f->g[0], 0, f->parameters * sizeof(float));
    job.y = NULL, job.dy = &f->dy, job.g = f->g[0];
    for (i = 0; i < parts; i++) risei_frames_conv_part(&job, i, parts, f->device.scratch);
    CHECK(first_layer_same_g(f));
}
static void first_layer_case(const first_case *k, int t)
{
    static const int parts[] = {2, 3, 7}; /* also more parts than images */
    first_layer f;
    int i;
    first_layer_make(&f, k, t);
    risei_frames_conv_forward(&f.device, &f.conv, f.w, f.count, &f.input, &f.x, &f.y[0], 0);
    risei_conv_forward(&f.device, &f.conv, f.w, f.count, &f.x, &f.y[1], 0, 0);
    CHECK(first_layer_same_y(&f));
    risei_frames_conv_backward(&f.device, &f.conv, f.g[0], f.count, &f.input, &f.x, &f.dy);
    risei_conv_backward(&f.device, &f.conv, f.w, f.g[1], f.count, &f.x, &f.dy, NULL);
    CHECK(first_layer_same_g(&f));
    for (i = 0; i < 3; i++) first_layer_in_parts(&f, parts[i]);
    f.w[f.conv.weights] += 1; /* control: a mistake shows */
    risei_conv_forward(&f.device, &f.conv, f.w, f.count, &f.x, &f.y[1], 0, 0);
    CHECK(!first_layer_same_y(&f));
    free((void *)f.frames), free(f.device.scratch);
    free_blocks();
}
/* A first layer that reads frames, a few at a time, computes the same as over finished images. */
static void first_layer_reads_frames_as_images(void)
{
    static const first_case cases[] = {{5, 4, 1, 4, 3, {3, 2, 1, 0, 0, 0, 0, 0}},
                                       {6, 7, 2, 3, 5, {16, 3, 2, 1, 0, 0, 0, 0}},
                                       {61, 60, 1, 4, 5, {32, 8, 4, 0, 0, 0, 0, 0}},
                                       {40, 41, 3, 4, 4, {17, 3, 1, 1, 0, 0, 0, 0}}};
    risei_parameters odd = {0, 0};
    risei_encoder encoder;
    size_t c;
    int t;
    risei_encoder_make(&encoder, &odd, 15, 15, 1, &cases[0].conv, 1, 0, 0);
    /* else the next thread's memory is not aligned */
    CHECK(risei_encoder_chunk_bytes(&encoder, 1) % RISEI_ALIGN == 0);
    CHECK(risei_encoder_bytes(&encoder, 1, 1) % RISEI_ALIGN == 0);
    for (c = 0; c < sizeof cases / sizeof *cases; c++)
        for (t = 0; t < tables; t++) first_layer_case(&cases[c], t);
}
/* The data gradient has the same bits for one image, which may be computed tap by tap, and for
   many, which are computed band by band. */
static void data_gradients_do_not_depend_on_the_batch(void)
{
    static const rise_conv convs[] = {{16, 3, 1, 1, 0, 0, 0, 0},
                                      {32, 4, 2, 0, 0, 0, 0, 0},
                                      {33, 5, 3, 0, 0, 0, 0, 0},
                                      {64, 2, 3, 0, 0, 0, 0, 0},
                                      {3, 8, 4, 7, 0, 0, 0, 0}};
    /* images that are computed together, and in two parts */
    static const int counts[] = {9, 2 * RISEI_CONV_GROUP_IMAGES - 1};
    size_t c;
    int t, i;
    for (c = 0; c < 2 * sizeof convs / sizeof *convs; c++)
        for (t = 0; t < tables; t++) {
            int const n = (int)(c / 2), many = counts[c % 2];
            risei_parameters p = {0, 0};
            risei_conv const conv = risei_conv_make(&p, &convs[n], 9 + n, 20, 4 * n + 1);
            risei_image dx = risei_image_make(conv.height, conv.width, conv.channels, 1), one = dx;
            risei_image dy =
                risei_image_make(conv.out_height, conv.out_width, conv.filters, conv.dy_padding);
            ptrdiff_t const gradient = risei_image_size(&dy), image = risei_image_size(&dx);
            rise_real *const w = floats((ptrdiff_t)p.count);
            rise_real *const of_all = floats(many * gradient);
            risei_device device;
            memset(&device, 0, sizeof device);
            device.kernels = table[t];
            device.scratch = malloc(rise_product_scratch());
            if (device.scratch == NULL) exit(1);
            check_about("%s, %d images, conv of size %d, stride %d, pad %d", table[t]->name, many,
                        conv.size, conv.stride, conv.pad);
            for (i = 0; i < (int)p.count; i++) w[i] = real();
            memset(of_all, 0, (size_t)(many * gradient) * sizeof *of_all);
            for (i = 0; i < many * conv.out_height * conv.out_width * conv.filters; i++) {
                int const f = i % conv.filters, x = i / conv.filters % conv.out_width;
                int const y = i / conv.filters / conv.out_width;
                of_all[y / conv.out_height * gradient +
                       risei_image_at(&dy, y % conv.out_height, x) + f] = real();
            }
            dx.data = floats(many * image), one.data = floats(image);
            memset(dx.data, 0, (size_t)(many * image) * sizeof(float)),
                memset(one.data, 0, (size_t)image * sizeof(float));
            dy.data = of_all;
            risei_conv_backward_data(&device, &conv, w, many, &dy, &dx);
            for (i = 0; i < many; i++) {
                dy.data = of_all + i * gradient;
                risei_conv_backward_data(&device, &conv, w, 1, &dy, &one);
                CHECK(same(dx.data + i * image, one.data, image));
            }
            free(device.scratch);
            free_blocks();
        }
}
static void random_projections_are_right(void)
{
    static const int counts[] = {0, 1, 2, 7, 16, 17, 33, 100};
    static const int sizes[] = {1, 2, 8, 31, 32, 33, 63, 64, 65, 100};
    static const uint32_t seeds[] = {0, 1, 0xDEADBEEFu, 0xFFFFFFFFu};
    size_t a, b;
    int i, j, t;
    for (a = 0; a < sizeof counts / sizeof *counts; a++)
        for (b = 0; b < sizeof sizes / sizeof *sizes; b++) {
            int const n = counts[a], size = sizes[b], bits = rise_sign_bits(n, size);
            uint32_t const seed = seeds[(a + b) % (sizeof seeds / sizeof *seeds)];
            int32_t *const x = (int32_t *)block(n, 4), *const signs = (int32_t *)block(size, 4);
            int32_t *const work = (int32_t *)block((ptrdiff_t)1 << bits, 4);
            int32_t *const ternary = (int32_t *)block(size, 4);
            int32_t *const sums = (int32_t *)block(size, 4);
            int8_t *const w = (int8_t *)block((ptrdiff_t)n * size, 1);
            for (i = 0; i < n; i++) x[i] = below(2 * 65025 + 1) - 65025;
            for (i = 0; i < n * size; i++) w[i] = (int8_t)(below(3) - 1);
            for (j = 0; j < size; j++) {
                signs[j] = ternary[j] = 0;
                for (i = 0; i < n; i++) {
                    signs[j] += rise_sign(seed, bits, i, j) * x[i];
                    ternary[j] += x[i] * w[i * size + j];
                }
            }
            for (t = -1; t < tables; t++) {
                const rise_kernels *const k = t < 0 ? ref : table[t];
                check_about("n %d, size %d, %s", n, size, k->name);
                memcpy(work, x, (size_t)n * sizeof *x);
                k->project_signs(n, work, size, seed, sums);
                CHECK(memcmp(sums, signs, (size_t)size * sizeof *sums) == 0);
                k->project_ternary(n, x, size, w, sums);
                CHECK(memcmp(sums, ternary, (size_t)size * sizeof *sums) == 0);
            }
            free_blocks();
        }
}

/* A random projection preserves distances only if its signs are fair, no two outputs are alike, and
   no two inputs. */
static void random_signs_are_fair(void)
{
    enum { BITS = 11, N = 1 << BITS, SIZE = 512 };
    static const uint32_t seeds[] = {0, 1, 12345, 0xFFFFFFFFu};
    static int8_t sign[SIZE][N];
    double const sigma = sqrt((double)N);
    size_t s;
    int i, j, k, sum, others, bits;
    for (bits = 4; bits < 12; bits++) {
        CHECK(rise_sign_bits(1 << bits, 1) == bits &&
              rise_sign_bits((1 << bits) + 1, 1) == bits + 1);
        CHECK(rise_sign_bits(0, 1 << bits) == bits &&
              rise_sign_bits(9, (1 << bits) + 1) == bits + 1);
    }
    CHECK(rise_sign_bits(0, 0) == 4 && rise_sign_bits(3, 1) == 4);
    for (s = 0; s < sizeof seeds / sizeof *seeds; s++) {
        double worst_sum = 0, worst_pair = 0;
        check_about("signs of seed %u", (unsigned)seeds[s]);
        for (j = 0; j < SIZE; j++)
            for (i = 0; i < N; i++) sign[j][i] = (int8_t)rise_sign(seeds[s], BITS, i, j);
        /* outputs: each has as many of both signs, and any two are orthogonal */
        for (j = 0; j < SIZE; j++) {
            for (i = 0, sum = 0; i < N; i++) sum += sign[j][i];
            if (abs(sum) > worst_sum) worst_sum = abs(sum);
            for (k = 0; k < j; k += 1 + j / 8) {
                for (i = 0, sum = 0; i < N; i++) sum += sign[j][i] * sign[k][i];
                CHECK(sum == 0);
            }
        }
        /* inputs: neighbours in both directions of an image, and distant ones */
        for (i = 0; i < N; i += 3)
            for (k = 1; k < N; k = 3 * k + 1) {
                for (j = 0, sum = 0; j < SIZE; j++) sum += sign[j][i] * sign[j][(i + k) % N];
                if (abs(sum) > worst_pair) worst_pair = abs(sum);
            }
        check_about("seed %u: sums off by %.2f sigma, pairs by %.2f", (unsigned)seeds[s],
                    worst_sum / sigma, worst_pair / sqrt((double)SIZE));
        /* all but one in a million sums of coin tosses are within 5 sigma; there are many pairs */
        CHECK(worst_sum < 5 * sigma && worst_pair < 6 * sqrt((double)SIZE));
        for (i = 0, others = 0; i < N; i++)
            others += rise_sign(seeds[s] + 1, BITS, i, 0) * sign[0][i];
        CHECK(abs(others) < 5 * sigma);
    }
}

/* Moments and gradients of states below 2^-100 are set to zero, so they never become denormal. A
   NaN stays a NaN, except in ReLU. */
#define TINY 7e-31f /* these two lie on either side of 2^-100 */
#define SMALL 9e-31f

/* Returns whether gates of one half leave the right gradient. The state's gradient is TINY, -8
   SMALL or NaN; the results are those of the previous state and of a gate's input. */
static int faded(int i, float before, float gate)
{
    if (i % 3 == 0) return before == 0 && gate == 0;
    if (i % 3 == 1) return before == -4 * SMALL && gate == -3 * SMALL;
    return isnan(before) && isnan(gate);
}
static void extreme_numbers_are_right(void)
{
    enum { MOST = 33 };
    float w[MOST], g[MOST], m[MOST], v[MOST], y[MOST], zero[3 * MOST], half[4 * MOST], d[4 * MOST],
        du[3 * MOST];
    int t, n, i;
    for (i = 0; i < 3 * MOST; i++) zero[i] = 0;
    for (i = 0; i < 4 * MOST; i++) half[i] = 0.5f;
    for (t = -1; t < tables; t++) {
        const rise_kernels *const k = t < 0 ? ref : table[t];
        check_about("%s", k->name);
        for (n = 1; n <= MOST; n += 4) {
            int good = 1;
            for (i = 0; i < n; i++) w[i] = 1, g[i] = 0, m[i] = i % 2 ? -TINY : TINY, v[i] = TINY;
            k->adam(n, &adam_numbers, w, g, m, v);
            for (i = 0; i < n; i++) good &= m[i] == 0 && v[i] == 0 && w[i] == 1 && g[i] == 0;
            CHECK(good);
            /* gradient of a state */
            for (i = 0; i < n; i++) v[i] = i % 3 == 0 ? TINY : i % 3 == 1 ? -8 * SMALL : NAN;
            memcpy(m, v, sizeof m);
            k->lstm_backward(n, half, zero, zero, zero, v, d);
            for (i = 0; i < n; i++) good &= faded(i, v[i], d[2 * n + i]);
            CHECK(good);
            k->gru_backward(n, half, zero, zero, m, d, du);
            for (i = 0; i < n; i++) good &= faded(i, m[i], d[2 * n + i]);
            CHECK(good);
            for (i = 0; i < n; i++)
                y[i] = i % 3 == 0 ? NAN : (float)(i % 3 - 1), w[i] = i % 2 ? NAN : 2.0f;
            k->relu_backward(n, y, w, v);
            for (i = 0; i < n; i++)
                good &= i % 3 != 2 ? v[i] == 0 : i % 2 ? isnan(v[i]) != 0 : v[i] == 2;
            CHECK(good);
        }
        {
            float x[37];
            for (i = 0; i < 37; i++) x[i] = 1;
            CHECK(k->dot(37, x, x) == 37);
            for (i = 0; i < 37; i++) {
                x[i] = i % 2 ? NAN : HUGE_VALF;
                CHECK(!(k->dot(37, x, x) <= DBL_MAX)); /* by which a bad gradient is noticed */
                x[i] = 1;
            }
        }
    }
}

/* A sum of squares over many blocks has the same bits on all fused tables. Its error is within the
   bound for the sum of one block. */
static void long_sums_have_the_error_of_one_block(void)
{
    static const int sizes[] = {0, 1, RISEI_OPTIMIZER_BLOCK, RISEI_OPTIMIZER_BLOCK + 1,
                                3 * RISEI_OPTIMIZER_BLOCK + 17};
    double squares[4];
    risei_optimizer o = {NULL, NULL, squares, 1, 1, 0};
    int t, s, i;
    for (s = 0; s < (int)(sizeof sizes / sizeof *sizes); s++) {
        float *const x = floats(sizes[s]);
        double exact = 0, right = 0;
        for (i = 0; i < sizes[s]; i++) x[i] = real(), exact += (double)x[i] * (double)x[i];
        for (t = -1; t < tables; t++) {
            risei_device device = {t < 0 ? ref : table[t], NULL, NULL, 0, 0};
            double const sum = risei_optimizer_sum_squares(&device, &o, (size_t)sizes[s], x);
            if (t < 0) right = sum;
            check_about("%s, n %d", device.kernels->name, sizes[s]);
            CHECK(device.kernels->fused ? memcmp(&sum, &right, sizeof sum) == 0 : 1);
            CHECK(fabs(sum - exact) <= RISEI_OPTIMIZER_BLOCK / 16 * UNIT * exact);
        }
        free_blocks();
    }
}
/* The sums of blocks are added in double. Here the sums are 2^24, 1, 1 and 1, and no kernel rounds
   one of them. A float cannot hold 2^24 + 1. */
static void sums_of_blocks_are_added_in_double(void)
{
    enum { N = 3 * RISEI_OPTIMIZER_BLOCK + 17 };
    double squares[4];
    risei_optimizer o = {NULL, NULL, squares, 1, 1, 0};
    float *const x = floats(N);
    int t, i;
    for (i = 0; i < N; i++) x[i] = i == 5 ? 4096.0f : i % RISEI_OPTIMIZER_BLOCK == 5 ? 1.0f : 0.0f;
    for (t = -1; t < tables; t++) {
        risei_device device = {t < 0 ? ref : table[t], NULL, NULL, 0, 0};
        double const sum = risei_optimizer_sum_squares(&device, &o, N, x);
        check_about("%s: %.0f", device.kernels->name, sum);
        CHECK(fabs(sum - 16777219) < 0.5);
    }
    free_blocks();
}

/* Every 16-bit float that replay stores is widened exactly, and no call writes too much. */
static void halves_are_widened_exactly(void)
{
    enum { ALL = 65536, MOST = 40 };
    static uint16_t half[ALL];
    float *const y = floats(ALL + 1);
    int t, n, i, count = 0, good = 1;
    for (i = 0; i < ALL; i++)
        if ((i >> 10 & 31) != 31 && ((i >> 10 & 31) != 0 || (i & 1023) == 0))
            half[count++] = (uint16_t)i;
    for (t = -1; t < tables; t++) {
        const rise_kernels *const k = t < 0 ? ref : table[t];
        check_about("%s", k->name);
        for (i = 0; i < count; i++) y[i] = NAN; /* no result of another table stays */
        k->half_to_real(count, half, y);
        for (i = 0; i < count; i++) good &= risei_to_half(y[i]) == half[i];
        CHECK(good);
        for (n = 0; n <= MOST; n++) {
            for (i = 0; i <= n; i++) y[i] = -7;
            k->half_to_real(n, half + 5000, y);
            for (i = 0; i < n; i++) good &= y[i] == risei_from_half(half[5000 + i]);
            CHECK(good && y[n] == -7);
        }
    }
    free_blocks();
}

/* How the numbers of a product with 8-bit weights are chosen: at random; or all of the largest
   magnitude, so that long sums are close to a limit of int32. */
enum { INT8_RANDOM, INT8_LARGEST, INT8_SMALLEST, INT8_CASES };

/* Fills x [count] and the weights of p [bytes]. Weights that pad a run are 0. */
static void int8_fill(const rise_int8_product *p, int16_t *x, ptrdiff_t count, int8_t *w,
                      ptrdiff_t bytes, int kind)
{
    int const n = p->runs * p->run, even = risei_int8_even(p->run);
    int const largest = n > 0 ? (int)((INT64_C(1) << 31) / 128 / n) : 32767;
    int const most = largest < 32767 ? largest : 32767; /* 128 most n is at most 2^31 */
    int first, run, j;
    ptrdiff_t i;
    for (i = 0; i < count; i++)
        x[i] = (int16_t)(kind != INT8_RANDOM ? -most : below(2 * most + 1) - most);
    for (i = 0; i < bytes; i++)
        w[i] = (int8_t)(kind == INT8_LARGEST    ? -127
                        : kind == INT8_SMALLEST ? 127
                                                : below(256) - 128);
    for (first = 0; first < p->outputs && p->run % 2 > 0; first += 16) {
        int const width = p->outputs - first < 16 ? p->outputs - first : 16;
        for (run = 0; run < p->runs; run++)
            for (j = 0; j < width; j++)
                w[(ptrdiff_t)first * p->runs * even +
                  ((ptrdiff_t)(run * even + even - 2) / 2 * width + j) * 2 + 1] = 0;
    }
}
/* Returns output j of row `row`, in the order of operations that all tables have. */
static float int8_output(const rise_int8_product *p, int row, int j, float before)
{
    int const even = risei_int8_even(p->run), first = j / 16 * 16;
    int const width = p->outputs - first < 16 ? p->outputs - first : 16;
    int64_t sum = 0;
    float y = p->accumulate ? before : 0;
    volatile float factor, product; /* no compiler fuses a multiplication and an addition */
    int run, k;
    for (run = 0; run < p->runs; run++)
        for (k = 0; k < p->run; k++)
            sum += (int64_t)p->x[row * p->x_step + run * p->run_stride + k] *
                   p->w[(ptrdiff_t)first * p->runs * even +
                        ((ptrdiff_t)(run * even + k) / 2 * width + j - first) * 2 + k % 2];
    CHECK(sum <= INT32_MAX && sum >= INT32_MIN);
    if (p->bias != NULL) y = y + p->bias[j];
    factor = p->x_scales[row * p->x_scale_step] * p->scales[j];
    product = (float)(int32_t)sum * factor;
    y = y + product;
    return p->relu && !(y > 0) ? 0 : y;
}
/* Checks the outputs of every table: the same bits, and nothing else is written. */
static void int8_check(rise_int8_product *p, const float *before, int size)
{
    float *const y = floats(size + 2), *const exact = floats(size);
    int t, row, j;
    memcpy(exact, before, (size_t)size * sizeof *exact);
    for (row = 0; row < p->count; row++)
        for (j = 0; j < p->outputs; j++)
            exact[row * p->y_step + j] = int8_output(p, row, j, before[row * p->y_step + j]);
    for (t = -1; t < tables; t++) {
        const rise_kernels *const k = t < 0 ? ref : table[t];
        check_about("%d runs of %d, %d rows, %d outputs, relu %d, add %d, %s", p->runs, p->run,
                    p->count, p->outputs, p->relu, p->accumulate, k->name);
        memcpy(y + 1, before, (size_t)size * sizeof *y);
        y[0] = y[size + 1] = -7;
        p->y = y + 1;
        k->int8_product(p);
        CHECK(same(y + 1, exact, size) && y[0] == -7 && y[size + 1] == -7);
    }
}
static void int8_case(int runs, int run, int rows, int outputs, int kind)
{
    int const even = risei_int8_even(run);
    int const size = (rows - 1) * (outputs + 2) + outputs;
    ptrdiff_t const bytes = (ptrdiff_t)runs * even * outputs;
    rise_int8_product p;
    float *const scales = floats(outputs), *const bias = floats(outputs), *before = floats(size);
    float *const x_scales = floats(rows);
    ptrdiff_t count;
    int16_t *x;
    int8_t *const w = (int8_t *)block(bytes, sizeof *w);
    int i;
    memset(&p, 0, sizeof p);
    p.runs = runs, p.run = run, p.count = rows, p.outputs = outputs;
    p.x_step = below(run + 3), p.run_stride = run + below(3);
    p.relu = below(2), p.accumulate = below(2), p.x_scale_step = below(2);
    p.x_scales = x_scales, p.scales = scales, p.bias = below(2) ? bias : NULL;
    p.y_step = outputs + 2;
    count = (rows - 1) * p.x_step + (runs - 1) * p.run_stride + even;
    x = (int16_t *)block((int)count, sizeof *x);
    p.x = x, p.w = w;
    int8_fill(&p, x, count, w, bytes, kind);
    for (i = 0; i < outputs; i++) scales[i] = real(), bias[i] = real();
    for (i = 0; i < rows; i++) x_scales[i] = real();
    for (i = 0; i < size; i++) before[i] = real();
    int8_check(&p, before, size);
    free_blocks();
}
/* Products with 8-bit weights are exact sums: of each length up to 70, of some long ones, for
   blocks of all widths and any number of rows. */
static void int8_products_are_exact(void)
{
    static const int lengths[] = {1023, 1024, 3136, 16512, 16530, 100003};
    int n, rows, outputs, kind, i;
    for (n = 1; n <= 70; n += n < 40 ? 1 : check_share)
        for (rows = 1; rows <= 9; rows++)
            for (kind = 0; kind < INT8_CASES; kind++)
                int8_case(1 + below(4), n, rows, 1 + below(40), kind);
    for (outputs = 1; outputs <= 50; outputs++)
        for (rows = 1; rows <= 5; rows += check_share) int8_case(3, 12, rows, outputs, 0);
    for (i = 0; i < (int)(sizeof lengths / sizeof *lengths); i++)
        for (kind = 0; kind < INT8_CASES; kind++) int8_case(1, lengths[i], 1 + i, 17, kind);
}

/* The limit is small enough that no sum overflows, even with the weight -128 of a forged file, and
   not smaller than it must be. */
static void int8_limits_prevent_overflow(void)
{
    static const int lengths[] = {1,    2,     17,     3136,    16399,  16400,    16512,
                                  16530, 65536, 999999, 4000000, 4194304, 16777215};
    size_t i;
    for (i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        int64_t const n = lengths[i], limit = risei_int8_limit(lengths[i]);
        check_about("n %d", lengths[i]);
        CHECK(limit >= 1 && limit <= 32767);
        CHECK(128 * limit * n <= INT32_MAX);
        CHECK(limit == 32767 || 128 * (limit + 1) * n > INT32_MAX);
    }
}

/* Rounds x [n] with every table and checks q [n], where `scale` is the expected one. Also repeats x
   until there are several vectors. */
static void int8_round_gives(int n, const float *x, int limit, const int *q, float scale)
{
    int const most = n > 0 ? 40 : 0;
    float *const many = floats(most);
    int16_t *const got = (int16_t *)block(most, sizeof *got);
    int t, k, count;
    for (k = 0; k < most; k++) many[k] = x[k % n];
    for (count = n; count <= most; count++)
        for (t = -1; t < tables; t++) {
            const rise_kernels *const set = t < 0 ? ref : table[t];
            float const got_scale = set->int8_round(count, many, limit, got);
            check_about("%s, n %d, limit %d, first x %g", set->name, count, limit,
                        n > 0 ? (double)x[0] : 0);
            CHECK(same(&got_scale, &scale, 1));
            for (k = 0; k < count; k++) CHECK(got[k] == q[k % n]);
        }
    free_blocks();
}
/* Examples that were computed by hand. Ties round to even. */
static void int8_rounding_is_as_by_hand(void)
{
    static const float halves[] = {4, 0.5f, 1.5f, 2.5f, -0.5f, -1.5f, -2.5f, -4};
    static const int rounded[] = {4, 0, 2, 2, 0, -2, -2, -4};
    static const float quarters[] = {-1, 0.5f, 0.25f, 0, -0.0f, 0.126f};
    static const int hundredths[] = {-100, 50, 25, 0, 0, 13};
    static const float large[] = {1e38f, -1e38f, 5e37f, FLT_MIN, 0};
    static const int of_large[] = {1023, -1023, 512, 0, 0}; /* 511.5 is rounded to 512 */
    static const float largest[] = {FLT_MAX, -FLT_MAX, FLT_MAX / 2, 1e37f};
    static const int fours[] = {4, -4, 2, 0};
    static const float zeros[] = {0, -0.0f, 0};
    static const int none[] = {0, 0, 0, 0};
    static const float tiny[] = {FLT_MIN, -FLT_MIN / 2, FLT_MIN / 8388608, 0};
    int16_t one = 7;
    int8_round_gives(8, halves, 4, rounded, 1);
    int8_round_gives(6, quarters, 100, hundredths, 1.0f / 100);
    int8_round_gives(5, large, 1023, of_large, 1e38f / 1023);
    int8_round_gives(4, largest, 4, fours, FLT_MAX / 4);
    int8_round_gives(3, zeros, 1023, none, 0);
    int8_round_gives(0, zeros, 1023, none, 0);
    int8_round_gives(4, tiny, 1023, none, 0); /* limit / x is infinite */
    int8_round_gives(3, tiny + 1, 1023, none, 0);
    CHECK(ref->int8_round(1, halves, 1023, &one) > 0 && one == 1023);
}
/* Random numbers of all magnitudes: |q| is at most the limit. |x - scale q| is at most half the
   scale, plus the rounding error of x * factor. */
static void int8_rounding_is_within_half(void)
{
    enum { MOST = 70 };
    static const int limits[] = {4, 17, 400, 1022, 1023, 5000, 32767};
    int trial, k;
    for (trial = 0; trial < 4000; trial++) {
        int const n = 1 + below(MOST), limit = limits[trial % 7], power = below(230) - 110;
        float *const x = floats(n);
        int16_t *const q = (int16_t *)block(n, sizeof *q);
        int within = 1, reached = 0, odd = 0;
        float scale;
        for (k = 0; k < n; k++) x[k] = (float)ldexp((double)real(), power);
        if (trial % 5 == 0) x[below(n)] = 0;
        scale = ref->int8_round(n, x, limit, q);
        check_about("n %d, limit %d, 2^%d", n, limit, power);
        for (k = 0; k < tables; k++) {
            int16_t *const other = (int16_t *)block(n, sizeof *q);
            float const other_scale = table[k]->int8_round(n, x, limit, other);
            CHECK(same(&other_scale, &scale, 1));
            CHECK(memcmp(q, other, (size_t)n * sizeof *q) == 0);
        }
        for (k = 0; k < n; k++) {
            double const off = fabs((double)x[k] - (double)scale * q[k]);
            within &= off <= (double)scale * (0.5 + limit * 4 * UNIT);
            within &= q[k] <= limit && q[k] >= -limit;
            reached |= q[k] == limit || q[k] == -limit;
            odd |= x[k] < 0 || x[k] > 0;
        }
        CHECK(within && (reached || !odd));
        free_blocks();
    }
}
/* An infinity or a NaN among the inputs makes the scale NaN, so that the outputs show it; and q is
   0, because no conversion of such numbers is defined. */
static void int8_rounding_keeps_nan(void)
{
    enum { N = 37 };
    float const odd[] = {HUGE_VALF, -HUGE_VALF, NAN};
    float x[N];
    int16_t q[N];
    int t, i, k, j;
    for (t = -1; t < tables; t++)
        for (i = 0; i < 3; i++)
            for (k = 0; k < N; k++) {
                const rise_kernels *const set = t < 0 ? ref : table[t];
                int zero = 1;
                check_about("%s, %g at %d", set->name, (double)odd[i], k);
                for (j = 0; j < N; j++) x[j] = real(), q[j] = 99;
                x[k] = odd[i];
                CHECK(isnan(set->int8_round(N, x, 1023, q)));
                for (j = 0; j < N; j++) zero &= q[j] == 0;
                CHECK(zero);
            }
}

/* Adam reports whether all weights are finite, wherever the one is that is not. */
static void adam_notices_nonfinite_weights(void)
{
    enum { MOST = 70, LONG = (1 << 20) + 5 }; /* Adam works in blocks of 2^20 */
    float const odd[] = {HUGE_VALF, -HUGE_VALF, NAN};
    float *const w = floats(LONG), *const g = floats(LONG), *const m = floats(LONG);
    float *const v = floats(LONG);
    int t, n, i;
    for (i = 0; i < LONG; i++) w[i] = i % 2 ? FLT_MAX : -FLT_MAX, g[i] = m[i] = v[i] = 0;
    for (t = -1; t < tables; t++) {
        const rise_kernels *const k = t < 0 ? ref : table[t];
        for (n = 1; n <= MOST; n++) {
            check_about("%s, n %d", k->name, n);
            CHECK(k->adam(n, &adam_numbers, w, g, m, v));
            i = below(n);
            w[i] = odd[n % 3];
            CHECK(!k->adam(n, &adam_numbers, w, g, m, v));
            w[i] = 1;
        }
        CHECK(k->adam(LONG, &adam_numbers, w, g, m, v));
        for (i = 0; i < 4; i++) {
            int const at = i == 0 ? 3 : i == 1 ? LONG - 1 : below(LONG);
            w[at] = odd[i % 3];
            CHECK(!k->adam(LONG, &adam_numbers, w, g, m, v));
            w[at] = 1;
        }
    }
    free_blocks();
}

/* The optimizer around Adam clips the norm, counts its steps, and refuses gradients that are not
   finite. */
static void optimizer_clips_counts_and_refuses(void)
{
    enum { N = 41 };
    int t, step, i;
    for (t = -1; t < tables; t++) {
        const rise_kernels *const k = t < 0 ? ref : table[t];
        float w[N], g[N], m[N], v[N], before[N], moments[2 * N];
        double w1[N], m1[N], v1[N], worst = 0, power1, power2;
        double squares[1];
        risei_optimizer o = {m, v, squares, 1, 1, 0};
        risei_device device = {k, NULL, NULL, 0, 0};
        check_about("%s", k->name);
        for (i = 0; i < N; i++)
            w[i] = real(), m[i] = v[i] = 0, w1[i] = (double)w[i], m1[i] = v1[i] = 0;
        for (step = 1; step <= 20; step++) {
            double norm = 0, clip = step % 3 == 0 ? -1 : 2.5, scale;
            for (i = 0; i < N; i++)
                g[i] = real() * (step % 2 ? 1.0f : 0.01f), norm += (double)g[i] * (double)g[i];
            norm = sqrt(norm);
            scale = clip > 0 && norm > clip ? clip / norm : 1;
            for (i = 0; i < N; i++) {
                double const d = (double)g[i] * scale;
                m1[i] = 0.9 * m1[i] + 0.1 * d, v1[i] = 0.999 * v1[i] + 0.001 * d * d;
                w1[i] -= 0.01 * (m1[i] / (1 - pow(0.9, step))) /
                         (sqrt(v1[i] / (1 - pow(0.999, step))) + 1e-4);
            }
            CHECK_NEAR(risei_optimizer_update(&device, &o, N, w, g, 0.01, 1e-4, clip), norm, 1e-6);
            for (i = 0; i < N; i++)
                worst = fabs((double)w[i] - w1[i]) > worst ? fabs((double)w[i] - w1[i]) : worst;
        }
        CHECK(worst <= 1e-5); /* the weights moved by about 0.2 */
        memcpy(before, w, sizeof w);
        for (i = 0; i < N; i++) g[i] = 1;
        g[N - 1] = t % 2 ? NAN : -HUGE_VALF;
        memcpy(moments, m, sizeof m), memcpy(moments + N, v, sizeof v);
        power1 = o.power1, power2 = o.power2;
        CHECK(!(risei_optimizer_update(&device, &o, N, w, g, 0.01, 1e-4, 10) <= DBL_MAX));
        CHECK(same(w, before, N) && same(m, moments, N) && same(v, moments + N, N));
        CHECK(o.power1 == power1 && o.power2 == power2);
    }
}

static uint32_t curve_stride = 4001 * check_share;
static void curves_are_accurate(void) { curve_case(curve_stride); }
static void seed_dice(void) { dice = risei_random_stream(2512, 20513); }

static const check_test tests[] = {
    TEST(tables_are_found),
#ifdef __GLIBC__
    TEST(fma_rounds_once),
#endif
    TEST(layouts_are_as_described),
    TEST(products_equal_the_reference),
    TEST(broken_products_are_noticed),
    TEST(products_keep_nan),
    TEST(elementwise_kernels_are_right),
    TEST(simple_kernels_are_right),
    TEST(curves_are_accurate),
    TEST(sums_are_right),
    TEST(frame_stacks_are_right),
    TEST(first_layer_reads_frames_as_images),
    TEST(data_gradients_do_not_depend_on_the_batch),
    TEST(random_projections_are_right),
    TEST(random_signs_are_fair),
    TEST(extreme_numbers_are_right),
    TEST(adam_notices_nonfinite_weights),
    TEST(optimizer_clips_counts_and_refuses),
    TEST(long_sums_have_the_error_of_one_block),
    TEST(sums_of_blocks_are_added_in_double),
    TEST(halves_are_widened_exactly),
    TEST(int8_products_are_exact),
    TEST(int8_limits_prevent_overflow),
    TEST(int8_rounding_is_as_by_hand),
    TEST(int8_rounding_is_within_half),
    TEST(int8_rounding_keeps_nan),
};
int main(int count, char **arguments)
{
    if (count > 1 && strcmp(arguments[1], "--all") == 0) curve_stride = 1, count--, arguments++;
    find_tables();
    check_state.before = seed_dice;
    return CHECK_MAIN(count, arguments, tests);
}
