#!/usr/bin/env python3
"""Compares the layers of rise.h with PyTorch's, forward and backward, on every instruction set of
this machine.

    python3 tests/layers_torch.py

Needs torch and a C compiler: $CC or cc. Without torch, the script says so and passes.

A small C file that calls the layers is compiled to a shared object. This script converts weights
from the order of rise.h to that of PyTorch: linear [in][out], or panels [out / 32][in][32] where 32
divides out; conv [y][x][channel][filter]; images [n][y][x][channel]. Gradients start as garbage,
because rise.h assigns them.
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

/* Selects the kernels of an instruction set. Returns its name, or NULL where it is missing. */
const char *use(int isa)
{
    device.kernels = rise_kernels_of((rise_isa)isa);
    if (device.scratch == NULL) device.scratch = malloc(rise_product_scratch());
    return device.kernels != NULL ? device.kernels->name : NULL;
}
/* w and g hold weights, then bias, as in every layer below. */
void linear(int rows, int in, int out, const float *w, const float *x, float *y, int relu,
            const float *dy, float *g, float *dx)
{
    risei_parameters p = {0};
    risei_linear const l = risei_linear_make(&p, in, out, 1);
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
            memcpy(i.data + n * risei_image_size(&i) + risei_image_at(&i, y, 0), flat,
                   row * sizeof *flat);
    return i;
}
static void flatten(risei_image *i, int count, float *flat)
{
    size_t const row = (size_t)(i->width * i->channels);
    int n, y;
    for (n = 0; n < count; n++)
        for (y = 0; y < i->height; y++, flat += row)
            memcpy(flat, i->data + n * risei_image_size(i) + risei_image_at(i, y, 0),
                   row * sizeof *flat);
    free(i->data);
}
/* Runs a conv layer with its ReLU, and its pool if `pool` is not 0. */
void conv(int count, int height, int width, int channels, int filters, int size, int stride,
          int pad, int pool, int pool_stride, int pool_pad, const float *w, const float *x,
          float *y, const float *dy, float *g, float *dx)
{
    rise_conv const desc = {filters, size, stride, pad, pool, pool_stride, pool_pad, 0};
    risei_parameters p = {0};
    risei_conv const c = risei_conv_make(&p, &desc, height, width, channels);
    risei_image in = image(count, height, width, channels, pad, x),
                din = image(count, height, width, channels, 0, NULL);
    risei_image out = image(count, c.out_height, c.out_width, filters, 0, NULL);
    risei_image dout = image(count, c.out_height, c.out_width, filters, c.dy_padding, NULL);
    risei_image pooled = image(count, c.pooled_height, c.pooled_width, filters, 0, NULL);
    risei_image dpooled = image(count, c.pooled_height, c.pooled_width, filters, 0, dy);
    risei_conv_forward(&device, &c, w, count, &in, &out, 1, 0);
    if (pool) risei_maxpool_forward(&device, &c, count, &out, &pooled);
    if (pool) risei_maxpool_backward(&device, &c, count, &out, &dpooled, &dout);
    risei_relu_mask(&device, count, &out, pool ? &dout : &dpooled, &dout);
    risei_conv_backward(&device, &c, w, g, count, &in, &dout, &din);
    flatten(pool ? &pooled : &out, count, y);
    flatten(&din, count, dx);
    free(in.data), free(dout.data), free(dpooled.data), free(pool ? out.data : pooled.data);
}
/* Runs a cell; all rows start at step 0. w, g: weights and bias of x, then of h, which has no bias
   in an LSTM. h, c: [steps + 1][rows][units]; step 0 is an input. */
void cell(int gru, int steps, int rows, int in, int units, const float *w, const float *x, float *h,
          float *c, float *dh, float *dc, float *g, float *dx)
{
    risei_parameters p = {0};
    risei_cell const l = risei_cell_make(&p, gru ? RISE_CELL_GRU : RISE_CELL_LSTM, in, units);
    size_t const state = (size_t)(rows * units) * sizeof *h;
    risei_arena arena;
    risei_sequence s;
    memset(&arena, 0, sizeof arena), memset(&s, 0, sizeof s);
    s.dh_blocks = 1;
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
/* Runs an adaptive max pool to `to` x `to` pixels. */
void adaptive(int count, int height, int width, int channels, int to, const float *x, float *y,
              const float *dy, float *dx)
{
    risei_image in = image(count, height, width, channels, 1, x),
                din = image(count, height, width, channels, 0, NULL);
    risei_image out = image(count, to, to, channels, 0, NULL),
                dout = image(count, to, to, channels, 0, dy);
    risei_conv c;
    memset(&c, 0, sizeof c);
    c.pool = -1, c.filters = channels;
    c.out_height = height, c.out_width = width, c.pooled_height = c.pooled_width = to;
    risei_maxpool_forward(&device, &c, count, &in, &out);
    risei_maxpool_backward(&device, &c, count, &in, &dout, &din);
    flatten(&out, count, y);
    flatten(&din, count, dx);
    free(in.data), free(dout.data);
}
/* Runs an encoder: conv layers (each a rise_conv of eight ints), then a pool and a dense layer if
   asked for, and a dense layer of numbers [count][number_count] if `number_features` is not 0. g is
   the gradient of w. */
void encoder(int count, int height, int width, int channels, int layers, const int *conv,
             int pool_to, int dense, int number_count, int number_features, const float *w,
             const float *x, const float *numbers, float *y, const float *dy, float *g)
{
    rise_conv desc[RISE_MAX_CONV];
    risei_parameters p = {0};
    risei_encoder e;
    risei_encoder_data a;
    risei_arena arena;
    risei_image in;
    risei_encoder_input input = {NULL, NULL, 0, NULL, NULL};
    memcpy(desc, conv, (size_t)layers * sizeof *desc);
    memset(&a, 0, sizeof a), memset(&arena, 0, sizeof arena);
    risei_encoder_make(&e, &p, height, width, channels, desc, layers, pool_to, dense);
    if (number_features > 0) risei_encoder_add_numbers(&e, &p, number_count, number_features);
    risei_encoder_layout(&arena, &e, &a, count, count);
    arena.base = malloc(arena.used), arena.used = 0;
    risei_encoder_layout(&arena, &e, &a, count, count);
    in = image(count, height, width, channels, a.in[0].padding, x);
    input.images = in.data, input.numbers = numbers;
    risei_encoder_forward(&device, &e, w, count, &input, &a);
    memcpy(y, a.features, (size_t)(count * e.out) * sizeof *y);
    memcpy(a.dfeatures, dy, (size_t)(count * e.out) * sizeof *dy);
    risei_encoder_backward(&device, &e, w, g, count, &a);
    free(in.data), free(arena.base);
}
/* Makes one update of the spectral norms of a residual unit with f filters: w, derived and g
   [2][9 f][f], u [2][f]. g is first the gradient of the derived weights. */
void spectral(int f, const float *w, float *u, float *derived, float *g)
{
    size_t const each = 9 * (size_t)f * (size_t)f;
    rise_agent_desc d;
    risei_net n;
    float *block, *all, *gradient, *s;
    int i;
    memset(&d, 0, sizeof d);
    d.frame_width = d.frame_height = d.frame_channels = d.frame_stack = d.actions = d.head_units =
        1,
    d.features = -1;
    d.memory = RISE_MEMORY_NONE, d.spectral_norm = 1;
    d.conv_count = d.conv[0].size = d.conv[0].residual = 1, d.conv[0].filters = f;
    risei_net_make(&n, &d);
    block = calloc(n.weights_size, sizeof *block), all = calloc(n.weights_size, sizeof *all),
    gradient = calloc(n.weights_size, sizeof *gradient);
    s = calloc(risei_spectral_size(&n), sizeof *s);
    for (i = 0; i < 2; i++) {
        memcpy(block + risei_spectral_conv(&n, i).weights, w + i * each, each * sizeof *w);
        memcpy(gradient + risei_spectral_conv(&n, i).weights, g + i * each, each * sizeof *g);
    }
    memcpy(block + n.parameters, u, 2 * (size_t)f * sizeof *u);
    risei_net_derive(&device, &n, block, NULL, s, all);
    risei_net_derive_backward(&device, &n, NULL, s, all, gradient);
    risei_spectral_keep(&n, s, block);
    for (i = 0; i < 2; i++) {
        memcpy(derived + i * each, all + risei_spectral_conv(&n, i).weights, each * sizeof *w);
        memcpy(g + i * each, gradient + risei_spectral_conv(&n, i).weights, each * sizeof *g);
    }
    memcpy(u, block + n.parameters, 2 * (size_t)f * sizeof *u);
    free(block), free(all), free(gradient), free(s);
}
/* Runs heads (head: rise_head) on x [rows][fused]; z [rows][taus][actions][atoms]. w and g: IQN's
   layer for fractions, hidden, advantage, value. dz is the gradient of z, for C51 of the logits. */
void heads(int head, int rows, int fused, int actions, int atoms, int taus, int units, int dueling,
           const float *w, float *x, float *tau, float *z, float *q, float *dz, float *g, float *dx)
{
    size_t const many = (size_t)(rows * taus), outputs = (size_t)(actions * atoms);
    risei_parameters p = {0};
    risei_heads n;
    risei_heads_data a;
    float *room = calloc(many * (size_t)(RISEI_COSINES + 4 * fused + 4 * units + 2 * atoms) +
                             2 * many * outputs,
                         sizeof *room);
    float *at = room;
    memset(&n, 0, sizeof n), memset(&a, 0, sizeof a);
    n.kind = &risei_head_kinds[head], n.actions = actions, n.atoms = atoms, n.taus = taus;
    n.in = fused, n.dueling = dueling;
    n.value_min = -2, n.value_max = 3;
    if (head == RISE_HEAD_IQN) n.quantile = risei_linear_make(&p, RISEI_COSINES, fused, 1);
    n.hidden = risei_linear_make(&p, fused, units * (dueling ? 2 : 1), 1);
    n.advantage = risei_linear_make(&p, units, actions * atoms, 1);
    if (dueling) n.value = risei_linear_make(&p, units, atoms, 1);
    a.x = a.mixed = x, a.dx = a.dmixed = dx, a.tau = tau, a.z = z, a.q = q, a.dz = dz;
    a.hidden = at, at += many * 2 * (size_t)units;
    a.dhidden = at, at += many * 2 * (size_t)units;
    a.value = at, at += many * (size_t)atoms;
    a.dvalue = at, at += many * (size_t)atoms;
    a.advantage = at, at += many * outputs;
    a.dadvantage = at, at += many * outputs;
    if (head == RISE_HEAD_IQN) {
        a.cosines = at, at += many * RISEI_COSINES;
        a.phi = at, at += many * (size_t)fused;
        a.dphi = at, at += many * (size_t)fused;
        a.mixed = at, at += many * (size_t)fused;
        a.dmixed = at;
    }
    risei_heads_forward(&device, &n, w, rows, &a);
    risei_heads_backward(&device, &n, w, g, rows, &a);
    free(room);
}
void norm(int n, const float *x, const float *gain, const float *bias, float *y, float *dy,
          float *dgain, float *dbias)
{
    float stats[2];
    device.kernels->norm_forward(n, x, gain, bias, y, stats);
    device.kernels->norm_backward(n, x, gain, stats, dy, dgain, dbias);
}
"""

passed = failed = 0


def check(what, ours, theirs):
    """Checks float against double: the error is at most 1e-5 of the largest number."""
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
    """Returns the tensor for PyTorch: in double, as a leaf with a gradient."""
    return x.double().requires_grad_()


def garbage(x):
    return torch.full_like(x, 1e3)


def plain(flat, inner, outer):
    """Returns a linear layer's weights row by row, as a view with a gradient."""
    if outer % 32:
        return flat.view(inner, outer)
    return flat.view(outer // 32, inner, 32).permute(1, 0, 2).reshape(inner, outer)


def call(function, *arguments):
    function(
        *[ctypes.c_void_p(a.data_ptr()) if isinstance(a, torch.Tensor) else a for a in arguments]
    )


def test_linear(library, isa):
    cases = [
        (1, 1, 1, 0),
        (1, 64, 130, 1),
        (5, 7, 3, 1),
        (32, 100, 65, 0),
        (33, 300, 17, 1),
        (1, 50, 96, 1),
        (7, 3, 32, 0),
        (32, 64, 512, 1),
        (100, 96, 64, 0),
        (130, 257, 288, 1),
    ]
    for rows, inner, outer, relu in cases:
        what = f"{isa}: linear {rows}x{inner}x{outer}"
        w, x, dy = (
            random(inner * outer + outer) / inner**0.5,
            random(rows, inner),
            random(rows, outer),
        )
        y, g, dx = torch.empty(rows, outer), garbage(w), torch.empty_like(x)
        call(library.linear, rows, inner, outer, w, x, y, relu, dy, g, dx)
        w2, x2 = wide(w), wide(x)
        y2 = x2 @ plain(w2[: inner * outer], inner, outer) + w2[inner * outer :]
        y2 = F.relu(y2) if relu else y2
        y2.backward(dy.double())
        check(what + ", y", y, y2)
        check(what + ", weights", g, w2.grad)
        check(what + ", x", dx, x2.grad)


def test_conv(library, isa):
    # count, height, width, channels, filters, size, stride, pad, pool, pool stride, pool pad
    cases = [
        (1, 5, 5, 1, 1, 1, 1, 0, 0, 0, 0),
        (2, 9, 7, 3, 5, 3, 1, 1, 0, 0, 0),
        (3, 20, 21, 4, 16, 8, 4, 0, 0, 0, 0),
        (2, 11, 13, 16, 33, 4, 2, 1, 0, 0, 0),
        (2, 9, 9, 8, 64, 3, 1, 0, 0, 0, 0),
        (2, 10, 14, 4, 16, 3, 1, 1, 2, 2, 0),
        (2, 12, 9, 5, 7, 3, 2, 1, 3, 2, 1),
        (1, 8, 8, 2, 3, 5, 3, 2, 2, 1, 1),
        (2, 7, 6, 3, 4, 2, 4, 0, 0, 0, 0),
    ]
    for case in cases:
        count, height, width, channels, filters, size, stride, pad, pool, pool_stride, pool_pad = (
            case
        )
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
        check(what + ", y", y, y2)
        check(what + ", weights", g, w2.grad)
        check(what + ", x", dx, x2.grad)


def test_cells(library, isa):
    for gru in (0, 1):
        gates = 3 if gru else 4
        for steps, rows, inner, units in [
            (1, 1, 1, 1),
            (1, 1, 64, 64),
            (7, 3, 5, 9),
            (16, 32, 64, 33),
            (20, 5, 17, 100),
            (3, 4, 6, 8),
            (12, 20, 40, 96),
        ]:
            what = (
                f"{isa}: {'GRU' if gru else 'LSTM'} {steps} steps, {rows} rows, {inner} to {units}"
            )
            out, bias = gates * units, gates * units if gru else 0
            split = (inner * out, out, units * out, bias)
            w, x = random(sum(split)) / units**0.5, random(steps, rows, inner)
            h, c = torch.zeros(steps + 1, rows, units), torch.zeros(steps + 1, rows, units)
            h[0], c[0] = random(rows, units), random(rows, units)
            dh, dc, g, dx = (
                random(rows, units),
                random(rows, units),
                garbage(w),
                torch.empty_like(x),
            )

            w2, x2, h2, c2 = wide(w), wide(x), wide(h[:1].clone()), wide(c[:1].clone())
            wx, bx, wh, bh = torch.split(w2, split)
            weights = [
                plain(wx, inner, out).t(),
                plain(wh, units, out).t(),
                bx,
                bh if gru else torch.zeros_like(bx),
            ]
            if gru:
                y2, last = torch._VF.gru(x2, h2, weights, True, 1, 0.0, False, False, False)
                (last[0] * dh.double()).sum().backward()
            else:
                y2, last, cell = torch._VF.lstm(
                    x2, (h2, c2), weights, True, 1, 0.0, False, False, False
                )
                ((last[0] * dh.double()).sum() + (cell[0] * dc.double()).sum()).backward()

            call(library.cell, gru, steps, rows, inner, units, w, x, h, c, dh, dc, g, dx)
            check(what + ", h", h[1:], y2)
            check(what + ", weights", g, w2.grad)
            check(what + ", x", dx, x2.grad)
            check(what + ", first h", dh, h2.grad[0])
            if not gru:
                check(what + ", c", c[-1], cell[0])
                check(what + ", first c", dc, c2.grad[0])


def test_norm(library, isa):
    for n in (16, 33, 512, 1000):  # for few numbers, dx is little more than rounding errors
        what = f"{isa}: LayerNorm {n}"
        x, gain, bias, dy = random(n) * 3 + 1, random(n), random(n), random(n)
        y, dgain, dbias, dx = torch.empty(n), torch.zeros(n), torch.zeros(n), dy.clone()
        call(library.norm, n, x, gain, bias, y, dx, dgain, dbias)
        x2, gain2, bias2 = wide(x), wide(gain), wide(bias)
        y2 = F.layer_norm(x2, (n,), gain2, bias2, 1e-5)
        y2.backward(dy.double())
        check(what + ", y", y, y2)
        check(what + ", x", dx, x2.grad)
        check(what + ", gain", dgain, gain2.grad)
        check(what + ", bias", dbias, bias2.grad)


def test_adaptive(library, isa):
    cases = [
        (2, 11, 11, 64, 6),
        (1, 6, 6, 3, 6),
        (3, 7, 10, 5, 3),
        (2, 13, 9, 33, 4),
        (1, 5, 8, 2, 1),
    ]
    for count, height, width, channels, to in cases:
        what = f"{isa}: adaptive pool of {height}x{width}x{channels} to {to}"
        x, dy = random(count, height, width, channels), random(count, to, to, channels)
        y, dx = torch.empty_like(dy), torch.empty_like(x)
        call(library.adaptive, count, height, width, channels, to, x, y, dy, dx)
        x2 = wide(x)
        y2 = torch.nn.AdaptiveMaxPool2d(to)(x2.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        y2.backward(dy.double())
        check(what + ", y", y, y2)
        check(what + ", x", dx, x2.grad)


class Weights:
    """Takes the weights of layer after layer from a flat array, in PyTorch's order."""

    def __init__(self, flat):
        self.flat, self.at = flat, 0

    def take(self, count):
        self.at += count
        return self.flat[self.at - count : self.at]

    def conv(self, size, channels, filters):
        kernel = (
            self.take(size * size * channels * filters)
            .view(size, size, channels, filters)
            .permute(3, 2, 0, 1)
        )
        return kernel, self.take(filters)

    def linear(self, x, outer):
        inner = x.shape[-1]
        return x @ plain(self.take(inner * outer), inner, outer) + self.take(outer)


def encode(weights, x, layers, pool_to, dense, numbers, number_features):
    """The layers of an encoder: those of images, if there are any, beside one of numbers."""
    parts = [encode_images(weights, x, layers, pool_to, dense)] if layers else []
    if number_features:
        parts.append(F.relu(weights.linear(numbers, number_features)))
    return torch.cat(parts, 1)


def encode_images(weights, x, layers, pool_to, dense):
    """The layers of images, such as IMPALA: conv, pool, residual units."""
    x = x.permute(0, 3, 1, 2)
    for filters, size, stride, pad, pool, pool_stride, pool_pad, units in layers:
        x = F.conv2d(x, *weights.conv(size, x.shape[1], filters), stride, pad)
        x = x if units else F.relu(x)
        x = F.max_pool2d(x, pool, pool_stride, pool_pad) if pool else x
        for _ in range(units):
            y = F.conv2d(F.relu(x), *weights.conv(3, filters, filters), padding=1)
            x = x + F.conv2d(F.relu(y), *weights.conv(3, filters, filters), padding=1)
    x = F.relu(x)
    x = F.adaptive_max_pool2d(x, pool_to) if pool_to > 0 else x
    x = x.permute(0, 2, 3, 1).flatten(1)
    return F.relu(weights.linear(x, dense)) if dense > 0 else x


def test_encoder(library, isa):
    impala = lambda *filters: [(f, 3, 1, 1, 3, 2, 1, 2) for f in filters]
    cases = [  # count, height, width, channels, layers, pool_to, dense, numbers, their features
        (2, 5, 7, 1, [(3, 3, 1, 1, 0, 0, 0, 1)], -1, -1, 0, 0),
        (3, 9, 8, 2, [(5, 3, 2, 2, 0, 0, 0, 2), (4, 4, 1, 0, 0, 0, 0, 1)], 2, 7, 0, 0),
        (2, 21, 19, 4, impala(4, 8, 8), 2, 32, 0, 0),
        (1, 84, 84, 4, impala(16, 32, 32), 6, -1, 0, 0),
        (9, 12, 11, 3, [(8, 5, 1, 0, 2, 2, 0, 0), (6, 2, 1, 1, 0, 0, 0, 1)], -1, 64, 0, 0),
        (7, 9, 8, 2, [(5, 3, 2, 2, 0, 0, 0, 0)], -1, 33, 5, 9),
        (3, 6, 5, 1, [(4, 3, 1, 0, 0, 0, 0, 0)], -1, 32, 12, 64),
        (5, 6, 5, 1, [(3, 3, 1, 0, 2, 2, 0, 0)], -1, -1, 3, 7),
        (2, 7, 6, 3, [(4, 3, 1, 1, 0, 0, 0, 1)], 2, -1, 17, 32),
        (19, 0, 0, 1, [], -1, -1, 16, 128),
        (1, 0, 0, 1, [], -1, -1, 1, 1),
    ]
    for count, height, width, channels, layers, pool_to, dense, seen, features in cases:
        what = f"{isa}: encoder {layers} of {height}x{width}x{channels}, "
        what += f"pool to {pool_to}, dense {dense}, {seen} numbers to {features}"
        x, counting = random(count, height, width, channels), Weights(torch.zeros(1 << 22))
        numbers = random(count, seen)
        shape = encode(counting, x, layers, pool_to, dense, numbers, features).shape
        w, dy = random(counting.at) / 9, random(*shape)
        y, g = torch.empty(shape), garbage(w)
        convs = torch.tensor(layers, dtype=torch.int32)
        call(
            library.encoder,
            count,
            height,
            width,
            channels,
            len(layers),
            convs,
            pool_to,
            dense,
            seen,
            features,
            w,
            x,
            numbers,
            y,
            dy,
            g,
        )
        w2 = wide(w)
        y2 = encode(Weights(w2), x.double(), layers, pool_to, dense, numbers.double(), features)
        y2.backward(dy.double())
        check(what + ", y", y, y2)
        check(what + ", weights", g, w2.grad)


def test_spectral(library, isa):
    for f in (1, 2, 7, 16, 32, 64):
        what = f"{isa}: spectral norm of {f} filters"
        w, u, dy = random(2, 9 * f, f), F.normalize(random(2, f), dim=1), random(2, 9 * f, f)
        y, g, u1 = torch.empty_like(w), dy.clone(), u.clone()
        call(library.spectral, f, w, u1, y, g)
        for i in range(2):  # u of rise.h is v of PyTorch, whose matrices have outputs first
            layer = torch.nn.Linear(f, 9 * f, bias=False).double()
            layer.weight.data.copy_(w[i])
            torch.nn.utils.parametrizations.spectral_norm(layer, n_power_iterations=1, eps=1e-12)
            norm = layer.parametrizations.weight[0]
            norm._v.copy_(u[i])
            y2 = layer.weight
            y2.backward(dy[i].double())
            check(what + ", weights", y[i], y2)
            check(what + ", u", u1[i], norm._v)
            check(what + ", gradient", g[i], layer.parametrizations.weight.original.grad)


def head_of(weights, x, tau, kind, actions, atoms, units, dueling):
    """Returns z [rows][taus][actions][atoms]; for C51, logits."""
    rows, taus = tau.shape
    x = x.unsqueeze(1).expand(rows, taus, -1)
    if kind == 2:
        cosines = torch.cos(torch.pi * tau.unsqueeze(-1) * torch.arange(64, dtype=torch.float64))
        x = x * F.relu(weights.linear(cosines, x.shape[-1]))
    hidden = F.relu(weights.linear(x, units * (2 if dueling else 1)))
    z = weights.linear(hidden[..., :units], actions * atoms).view(rows, taus, actions, atoms)
    if dueling:
        value = weights.linear(hidden[..., units:], atoms).view(rows, taus, 1, atoms)
        z = value + z - z.mean(2, keepdim=True)
    return z


def test_heads(library, isa):
    cases = [  # head, rows, fused, actions, atoms, taus, units
        (0, 5, 7, 3, 1, 1, 9),
        (1, 5, 7, 3, 51, 1, 9),
        (1, 33, 64, 4, 32, 1, 48),
        (2, 4, 9, 3, 1, 8, 5),
        (2, 32, 96, 18, 1, 8, 64),
        (2, 1, 2304, 6, 1, 8, 512),
    ]
    for head, rows, fused, actions, atoms, taus, units in cases:
        for dueling in (0, 1):
            what = f"{isa}: head {head}, {rows}x{taus} rows of {fused}, "
            what += f"{actions}x{atoms}{', dueling' if dueling else ''}"
            x, tau, dz = (
                random(rows, fused),
                torch.rand(rows, taus),
                random(rows, taus, actions, atoms),
            )
            shape = (actions, atoms, units, dueling)
            counting = Weights(torch.zeros(1 << 22, dtype=torch.float64))
            head_of(counting, x.double(), tau.double(), head, *shape)
            w = random(counting.at) / units**0.5
            z, q, g, dx = (
                torch.empty(dz.shape),
                torch.empty(rows, actions),
                garbage(w),
                torch.empty_like(x),
            )
            call(
                library.heads,
                head,
                rows,
                fused,
                actions,
                atoms,
                taus,
                units,
                dueling,
                w,
                x,
                tau,
                z,
                q,
                dz.clone(),
                g,
                dx,
            )
            w2, x2 = wide(w), wide(x)
            z2 = head_of(Weights(w2), x2, tau.double(), head, *shape)
            z2.backward(dz.double())
            if head == 1:
                z2 = z2.softmax(-1)
                q2 = (z2 * torch.linspace(-2, 3, atoms, dtype=torch.float64)).sum(-1).squeeze(1)
            else:
                q2 = z2.mean(1).squeeze(-1)
            check(what + ", z", z, z2)
            check(what + ", q", q, q2)
            check(what + ", weights", g, w2.grad)
            check(what + ", x", dx, x2.grad)


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
            for test in (
                test_linear,
                test_conv,
                test_cells,
                test_norm,
                test_adaptive,
                test_encoder,
                test_spectral,
                test_heads,
            ):
                test(library, isa.decode())
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
