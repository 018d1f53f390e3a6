#!/usr/bin/env python3
"""Compares the layers of rise.h with PyTorch's, forward and backward, on every instruction set that this machine has.

    python3 tests/layers_torch.py          (needs torch and a C compiler: $CC or cc; without torch it says so and passes)

A small C file that calls the layers is compiled to a shared object. Weights are turned from our order to PyTorch's here:
linear [in][out], in panels [out / 32][in][32] where 32 divides out; conv [y][x][channel][filter]; images [n][y][x][channel].
Gradients start from garbage: they are assigned.
"""
import ctypes
import os
import subprocess
import sys
import tempfile

try:
    import torch
    from torch.nn import functional as F
except ImportError:
    print("layers_torch.py: skipped, torch is not installed")
    sys.exit(0)

SOURCE = r"""
#define RISE_IMPLEMENTATION
#include "rise.h"

static risei_device device;

/* Takes the kernels of an instruction set; its name, or NULL where there is none. */
const char *use(int isa)
{
    device.kernels = rise_kernels_of((rise_isa)isa);
    if (device.scratch == NULL) device.scratch = malloc(rise_product_scratch());
    return device.kernels != NULL ? device.kernels->name : NULL;
}
/* w and g hold weights, then bias, as in every layer below. */
void linear(int rows, int in, int out, const float *w, const float *x, float *y, int relu, const float *dy, float *g,
            float *dx)
{
    risei_parameters p = {0};
    risei_linear const l = risei_linear_make(&p, in, out);
    float *d = malloc((size_t)(rows * out) * sizeof *d);
    risei_linear_forward(&device, &l, w, rows, x, in, y, out, relu);
    memcpy(d, dy, (size_t)(rows * out) * sizeof *d);
    if (relu) device.kernels->relu_backward(rows * out, y, d, d);
    risei_linear_backward(&device, &l, w, g, rows, x, in, d, out, dx, in);
    free(d);
}
static risei_image image(int count, int height, int width, int channels, int pad, const float *flat)
{
    risei_image i = risei_image_make(height, width, channels, pad);
    size_t const row = (size_t)(width * channels);
    int n, y;
    i.data = calloc((size_t)(count * risei_image_size(&i)), sizeof *i.data);
    for (n = 0; n < count && flat != NULL; n++)
        for (y = 0; y < height; y++, flat += row)
            memcpy(i.data + n * risei_image_size(&i) + risei_image_at(&i, y, 0), flat, row * sizeof *flat);
    return i;
}
static void flatten(risei_image *i, int count, float *flat)
{
    size_t const row = (size_t)(i->width * i->channels);
    int n, y;
    for (n = 0; n < count; n++)
        for (y = 0; y < i->height; y++, flat += row)
            memcpy(flat, i->data + n * risei_image_size(i) + risei_image_at(i, y, 0), row * sizeof *flat);
    free(i->data);
}
/* A conv layer with its ReLU, and where `pool` its pool as well. */
void conv(int count, int height, int width, int channels, int filters, int size, int stride, int pad, int pool, int pool_stride,
          int pool_pad, const float *w, const float *x, float *y, const float *dy, float *g, float *dx)
{
    rise_conv const desc = {filters, size, stride, pad, pool, pool_stride, pool_pad};
    risei_parameters p = {0};
    risei_conv const c = risei_conv_make(&p, &desc, height, width, channels);
    risei_image in = image(count, height, width, channels, pad, x), din = image(count, height, width, channels, 0, NULL);
    risei_image out = image(count, c.out_height, c.out_width, filters, 0, NULL);
    risei_image dout = image(count, c.out_height, c.out_width, filters, c.border, NULL);
    risei_image pooled = image(count, c.pooled_height, c.pooled_width, filters, 0, NULL);
    risei_image dpooled = image(count, c.pooled_height, c.pooled_width, filters, 0, dy);
    risei_conv_forward(&device, &c, w, count, &in, &out);
    if (pool) risei_pool_forward(&c, count, &out, &pooled);
    if (pool) risei_pool_backward(&c, count, &out, &pooled, &dpooled, &dout);
    risei_relu_backward(&device, count, &out, pool ? &dout : &dpooled, &dout);
    risei_conv_backward(&device, &c, w, g, count, &in, &dout, &din);
    flatten(pool ? &pooled : &out, count, y);
    flatten(&din, count, dx);
    free(in.data), free(dout.data), free(dpooled.data), free(pool ? out.data : pooled.data);
}
/* All rows start at step 0. w, g: weights and bias of x, then of h, which has no bias in an LSTM. h, c:
   [steps + 1][rows][units]; step 0 comes in. */
void cell(int gru, int steps, int rows, int in, int units, const float *w, const float *x, float *h, float *c, float *dh,
          float *dc, float *g, float *dx)
{
    risei_parameters p = {0};
    risei_cell const l = risei_cell_make(&p, gru ? RISE_CELL_GRU : RISE_CELL_LSTM, in, units);
    size_t const state = (size_t)(rows * units) * sizeof *h;
    risei_arena arena;
    risei_sequence s;
    memset(&arena, 0, sizeof arena), memset(&s, 0, sizeof s);
    risei_sequence_layout(&arena, &l, &s, steps, steps * rows, (steps + 1) * rows, rows, steps, 1);
    arena.base = malloc(arena.used), arena.used = 0;
    risei_sequence_layout(&arena, &l, &s, steps, steps * rows, (steps + 1) * rows, rows, steps, 1);
    s.steps = steps, s.rows = rows;
    risei_sequence_plan(&s);
    memcpy(s.x, x, (size_t)(steps * rows * in) * sizeof *x);
    memcpy(s.h, h, state), memcpy(s.dh, dh, state);
    if (!gru) memcpy(s.c, c, state), memcpy(s.dc, dc, state);
    risei_cell_forward(&device, &l, w, &s);
    risei_cell_backward(&device, &l, w, g, &s, steps);
    memcpy(h, s.h, state * (size_t)(steps + 1)), memcpy(dh, s.dh, state);
    if (!gru) memcpy(c, s.c, state * (size_t)(steps + 1)), memcpy(dc, s.dc, state);
    memcpy(dx, s.dx, (size_t)(steps * rows * in) * sizeof *dx);
    free(arena.base);
}
void norm(int n, const float *x, const float *gain, const float *bias, float *y, float *dy, float *dgain, float *dbias)
{
    float stats[2];
    device.kernels->norm_forward(n, x, gain, bias, y, stats);
    device.kernels->norm_backward(n, x, gain, stats, dy, dgain, dbias);
}
"""

passed = failed = 0


def check(what, ours, theirs):
    """Float against double: equal to 1e-5 of the greatest number."""
    global passed, failed
    scale = max(theirs.abs().max().item(), 1e-3)
    worst = (ours.double() - theirs.detach()).abs().max().item() / scale
    if worst <= 1e-5:
        passed += 1
    else:
        failed += 1
        print(f"{what}: off by {worst:.3g}")


def random(*shape):
    return torch.rand(*shape, dtype=torch.float32) * 2 - 1


def wide(x):
    """As PyTorch sees it: in double, as a leaf that learns."""
    return x.double().requires_grad_()


def garbage(x):
    return torch.full_like(x, 1e3)


def plain(flat, inner, outer):
    """A linear layer's weights, as a view that learns: row by row."""
    if outer % 32:
        return flat.view(inner, outer)
    return flat.view(outer // 32, inner, 32).permute(1, 0, 2).reshape(inner, outer)


def call(function, *arguments):
    function(*[ctypes.c_void_p(a.data_ptr()) if isinstance(a, torch.Tensor) else a for a in arguments])


def test_linear(library, isa):
    cases = [(1, 1, 1, 0), (1, 64, 130, 1), (5, 7, 3, 1), (32, 100, 65, 0), (33, 300, 17, 1),
             (1, 50, 96, 1), (7, 3, 32, 0), (32, 64, 512, 1), (100, 96, 64, 0), (130, 257, 288, 1)]
    for rows, inner, outer, relu in cases:
        what = f"{isa}: linear {rows}x{inner}x{outer}"
        w, x, dy = random(inner * outer + outer) / inner**0.5, random(rows, inner), random(rows, outer)
        y, g, dx = torch.empty(rows, outer), garbage(w), torch.empty_like(x)
        call(library.linear, rows, inner, outer, w, x, y, relu, dy, g, dx)
        w2, x2 = wide(w), wide(x)
        y2 = x2 @ plain(w2[: inner * outer], inner, outer) + w2[inner * outer :]
        y2 = F.relu(y2) if relu else y2
        y2.backward(dy.double())
        check(what + ", y", y, y2), check(what + ", weights", g, w2.grad), check(what + ", x", dx, x2.grad)


def test_conv(library, isa):
    cases = [  # count, height, width, channels, filters, size, stride, pad, pool, pool stride, pool pad
        (1, 5, 5, 1, 1, 1, 1, 0, 0, 0, 0), (2, 9, 7, 3, 5, 3, 1, 1, 0, 0, 0), (3, 20, 21, 4, 16, 8, 4, 0, 0, 0, 0),
        (2, 11, 13, 16, 33, 4, 2, 1, 0, 0, 0), (2, 9, 9, 8, 64, 3, 1, 0, 0, 0, 0), (2, 10, 14, 4, 16, 3, 1, 1, 2, 2, 0),
        (2, 12, 9, 5, 7, 3, 2, 1, 3, 2, 1), (1, 8, 8, 2, 3, 5, 3, 2, 2, 1, 1), (2, 7, 6, 3, 4, 2, 4, 0, 0, 0, 0)]
    for case in cases:
        count, height, width, channels, filters, size, stride, pad, pool, pool_stride, pool_pad = case
        what = f"{isa}: conv {case}"
        area = size * size * channels
        w, x = random(area * filters + filters) / area**0.5, random(count, height, width, channels)
        w2, x2 = wide(w), wide(x)
        kernel = w2[: area * filters].view(size, size, channels, filters).permute(3, 2, 0, 1)
        y2 = F.relu(F.conv2d(x2.permute(0, 3, 1, 2), kernel, w2[area * filters :], stride, pad))
        if pool:
            y2 = F.max_pool2d(y2, pool, pool_stride, pool_pad)
        y2 = y2.permute(0, 2, 3, 1)
        dy = random(*y2.shape)
        y2.backward(dy.double())
        y, g, dx = torch.empty(y2.shape), garbage(w), torch.empty_like(x)
        call(library.conv, *case, w, x, y, dy, g, dx)
        check(what + ", y", y, y2), check(what + ", weights", g, w2.grad), check(what + ", x", dx, x2.grad)


def test_cells(library, isa):
    for gru in (0, 1):
        gates = 3 if gru else 4
        for steps, rows, inner, units in [(1, 1, 1, 1), (1, 1, 64, 64), (7, 3, 5, 9), (16, 32, 64, 33), (20, 5, 17, 100),
                                          (3, 4, 6, 8), (12, 20, 40, 96)]:
            what = f"{isa}: {'GRU' if gru else 'LSTM'} {steps} steps, {rows} rows, {inner} to {units}"
            out, bias = gates * units, gates * units if gru else 0
            split = (inner * out, out, units * out, bias)
            w, x = random(sum(split)) / units**0.5, random(steps, rows, inner)
            h, c = torch.zeros(steps + 1, rows, units), torch.zeros(steps + 1, rows, units)
            h[0], c[0] = random(rows, units), random(rows, units)
            dh, dc, g, dx = random(rows, units), random(rows, units), garbage(w), torch.empty_like(x)

            w2, x2, h2, c2 = wide(w), wide(x), wide(h[:1].clone()), wide(c[:1].clone())
            wx, bx, wh, bh = torch.split(w2, split)
            weights = [plain(wx, inner, out).t(), plain(wh, units, out).t(), bx, bh if gru else torch.zeros_like(bx)]
            if gru:
                y2, last = torch._VF.gru(x2, h2, weights, True, 1, 0.0, False, False, False)
                (last[0] * dh.double()).sum().backward()
            else:
                y2, last, cell = torch._VF.lstm(x2, (h2, c2), weights, True, 1, 0.0, False, False, False)
                ((last[0] * dh.double()).sum() + (cell[0] * dc.double()).sum()).backward()

            call(library.cell, gru, steps, rows, inner, units, w, x, h, c, dh, dc, g, dx)
            check(what + ", h", h[1:], y2), check(what + ", weights", g, w2.grad), check(what + ", x", dx, x2.grad)
            check(what + ", first h", dh, h2.grad[0])
            if not gru:
                check(what + ", c", c[-1], cell[0]), check(what + ", first c", dc, c2.grad[0])


def test_norm(library, isa):
    for n in (16, 33, 512, 1000):  # of few numbers almost nothing is left of dx, and that is rounding
        what = f"{isa}: LayerNorm {n}"
        x, gain, bias, dy = random(n) * 3 + 1, random(n), random(n), random(n)
        y, dgain, dbias, dx = torch.empty(n), torch.zeros(n), torch.zeros(n), dy.clone()
        call(library.norm, n, x, gain, bias, y, dx, dgain, dbias)
        x2, gain2, bias2 = wide(x), wide(gain), wide(bias)
        y2 = F.layer_norm(x2, (n,), gain2, bias2, 1e-5)
        y2.backward(dy.double())
        check(what + ", y", y, y2), check(what + ", x", dx, x2.grad)
        check(what + ", gain", dgain, gain2.grad), check(what + ", bias", dbias, bias2.grad)


def main():
    torch.manual_seed(20513)
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    with tempfile.TemporaryDirectory() as folder:
        source, shared = os.path.join(folder, "layers.c"), os.path.join(folder, "layers.so")
        with open(source, "w") as file:
            file.write(SOURCE)
        compiler = os.environ.get("CC", "cc").split()
        options = ["-O2", "-std=c99", "-shared", "-fPIC", "-I", root]
        subprocess.run([*compiler, *options, source, "-o", shared, "-lm"], check=True)
        library = ctypes.CDLL(shared)
        library.use.restype = ctypes.c_char_p
        for number in range(1, 6):  # rise_isa, without AUTO
            isa = library.use(number)
            if isa is None:
                continue
            for test in (test_linear, test_conv, test_cells, test_norm):
                test(library, isa.decode())
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
