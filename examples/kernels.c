/* Kernels alone: computes a convolution as one matrix product, without an agent. Each row of the
   matrix is a patch of the image. Patches are not copied: rise_matrix holds the strides that
   address them in the image. All instruction sets with fused multiply-add must return the same
   bits. Runs for about a second.

       cc -O2 examples/kernels.c -o kernels -lm && ./kernels
*/
#define RISE_IMPLEMENTATION
#include "../rise.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* image [SIDE][SIDE][CHANNELS], weights [KERNEL][KERNEL][CHANNELS][FILTERS], output
   [OUT][OUT][FILTERS]: the second layer of the network of Mnih et al. 2015 */
enum { SIDE = 20, CHANNELS = 32, KERNEL = 4, STRIDE = 2, FILTERS = 64, TIMES = 50 };
enum { OUT = (SIDE - KERNEL) / STRIDE + 1, PATCH = KERNEL * KERNEL * CHANNELS };

static float image[SIDE * SIDE * CHANNELS], weights[PATCH * FILTERS], bias[FILTERS];
static float output[OUT * OUT * FILTERS], first_output[OUT * OUT * FILTERS];

/* Fills x [count] with numbers between -0.5 and 0.5 from a linear congruential generator. */
static void fill(float *x, int count, uint32_t random)
{
    int i;
    for (i = 0; i < count; i++) {
        random = random * 1664525 + 1013904223;
        x[i] = (float)(random >> 8) / 16777216 - 0.5f;
    }
}

/* Returns the matrix of patches [OUT * OUT][PATCH]. Row i is the patch of output pixel i. A patch
   is KERNEL runs of KERNEL pixels. The pixels of a run are adjacent in memory. */
static rise_matrix patches(void)
{
    rise_matrix m;
    m.data = image;
    m.rows.inner = OUT;                          /* output pixels in a row of the output */
    m.rows.middle = OUT;                         /* rows of the output */
    m.rows.stride[0] = STRIDE * CHANNELS;        /* to the patch on the right */
    m.rows.stride[1] = STRIDE * SIDE * CHANNELS; /* to the patch below */
    m.rows.stride[2] = SIDE * SIDE * CHANNELS;   /* to the next image, if there were more */
    m.run = KERNEL * CHANNELS;                   /* numbers that are adjacent in memory */
    m.run_stride = SIDE * CHANNELS;              /* from a row of the patch to the next */
    return m;
}

/* Returns the largest difference between the kernel's output and plain loops in double, or NaN. */
static double largest_error(void)
{
    double largest = 0;
    int pixel, f, y, i;
    for (pixel = 0; pixel < OUT * OUT; pixel++)
        for (f = 0; f < FILTERS; f++) {
            const float *const corner = image +
                                        (pixel / OUT * SIDE + pixel % OUT) * STRIDE * CHANNELS;
            double sum = (double)bias[f];
            for (y = 0; y < KERNEL; y++)
                for (i = 0; i < KERNEL * CHANNELS; i++)
                    sum += (double)corner[y * SIDE * CHANNELS + i] *
                           (double)weights[(y * KERNEL * CHANNELS + i) * FILTERS + f];
            sum = sum > 0 ? sum : 0; /* ReLU */
            sum = fabs(sum - (double)output[pixel * FILTERS + f]);
            if (!(sum <= largest)) largest = sum; /* also NaN, which fmax ignores */
            if (isnan(largest)) return largest;
        }
    return largest;
}

/* Convolves with one table of kernels, and prints the time and the error. Returns 0 if the output
   is wrong. If the table fuses multiply-adds, also returns 0 if the bits of the output differ from
   those of the first table, `ref`, which always fuses. `first`: 1 for the first table. */
static int convolve(const rise_kernels *kernels, void *scratch, int first)
{
    rise_product p;
    double error, seconds;
    clock_t begin;
    int i, same;
    memset(&p, 0, sizeof p);
    p.m = OUT * OUT, p.k = PATCH, p.n = FILTERS;
    p.a = patches();
    p.b = rise_matrix_plain(weights, FILTERS);
    p.c = rise_matrix_plain(output, FILTERS);
    p.bias = bias;
    p.relu = 1;
    memset(output, 0, sizeof output);
    begin = clock();
    for (i = 0; i < TIMES; i++) kernels->product(&p, 0, 1, scratch);
    seconds = (double)(clock() - begin) / CLOCKS_PER_SEC / TIMES;
    error = largest_error();
    if (first) memcpy(first_output, output, sizeof output);
    same = memcmp(first_output, output, sizeof output) == 0;
    printf("%-6s  %7.1f us  %6.1f GFLOP/s  largest error %.1e  %s\n", kernels->name, 1e6 * seconds,
           2e-9 * p.m * p.n * p.k / seconds, error,
           first            ? "the reference"
           : same           ? "same bits as ref"
           : kernels->fused ? "BITS DIFFER FROM ref"
                            : "bits differ from ref: no fused multiply-add");
    return error < 1e-4 && (same || !kernels->fused);
}

int main(void)
{
    void *const scratch = malloc(rise_product_scratch() + 1); /* the scratch may have 0 bytes */
    int isa, good = scratch != NULL;
    if (!good) fputs("kernels: too little memory\n", stderr);
    fill(image, SIDE * SIDE * CHANNELS, 1);
    fill(weights, PATCH * FILTERS, 2);
    fill(bias, FILTERS, 3);
    printf(
        "A conv layer, %d x %d x %d to %d x %d x %d, with each instruction set of this machine:\n",
        SIDE, SIDE, CHANNELS, OUT, OUT, FILTERS);
    for (isa = RISE_ISA_REF; isa <= RISE_ISA_NEON && good; isa++) {
        const rise_kernels *const kernels = rise_kernels_of((rise_isa)isa);
        if (kernels != NULL) good = convolve(kernels, scratch, isa == RISE_ISA_REF);
    }
    free(scratch);
    return good ? 0 : 1;
}
