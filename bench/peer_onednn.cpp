/* oneDNN's side of bench/kernels.c. oneDNN chooses the layouts of its data. The time of changing
   the layout is not counted. This file becomes a library, because oneDNN reads environment
   variables when it is loaded: kernels.c sets them first and loads it then. */
#if __has_include(<oneapi/dnnl/dnnl.hpp>)
#include <oneapi/dnnl/dnnl.hpp>
#else
#include <dnnl.hpp>
#endif
#include <cstdio>
#include <cstring>
#include <unordered_map>
#include <vector>

using namespace dnnl;

/* Since version 3 there are no descriptions of operations: their arguments follow the engine. */
#if DNNL_VERSION_MAJOR >= 3
#define DESC(type, ...) type::primitive_desc(cpu(), __VA_ARGS__)
#define HINTED(type, hint, ...) type::primitive_desc(cpu(), __VA_ARGS__, hint)
#else
#define DESC(type, ...) type::primitive_desc({__VA_ARGS__}, cpu())
#define HINTED(type, hint, ...) type::primitive_desc({__VA_ARGS__}, cpu(), hint)
#endif

namespace {

auto const f32 = memory::data_type::f32;
auto const any = memory::format_tag::any;

engine &cpu()
{
    static engine e(engine::kind::cpu, 0);
    return e;
}

stream &queue()
{
    static stream s(cpu());
    return s;
}

struct job {
    primitive what;
    std::unordered_map<int, memory> arguments;
    /* results that oneDNN adds to; they are set to zero before each run */
    std::vector<memory> sums;
    char name[64];

    /* Allocates an argument and fills it with small random numbers. */
    memory &take(int argument, memory::desc const &desc)
    {
        memory m(desc, cpu());
        float *data = static_cast<float *>(m.get_data_handle());
        unsigned random = 7;
        for (size_t i = 0; i < desc.get_size() / sizeof(float); i++) {
            random = random * 1664525u + 1013904223u;
            data[i] = (static_cast<float>(random >> 8) / 16777216.0f - 0.5f) * 0.1f;
        }
        return arguments[argument] = m;
    }
    template <class Desc> void named(Desc const &desc)
    { snprintf(name, sizeof name, "%s", desc.impl_info_str()); }
};

/* Returns the weights in the layout `desc`: the backward pass may need another than the forward. */
memory reordered(memory &from, memory::desc const &desc)
{
    memory to(desc, cpu());
    reorder(from, to).execute(queue(), from, to);
    queue().wait();
    return to;
}

void conv_make(job &j, int pass, memory::dim n, memory::dim c, memory::dim h, memory::dim f,
               memory::dim size, memory::dim stride, memory::dim pad)
{
    memory::dim const o = (h + 2 * pad - size) / stride + 1;
    memory::desc const x({n, c, h, h}, f32, any), w({f, c, size, size}, f32, any),
        y({n, f, o, o}, f32, any);
    memory::desc const b({f}, f32, memory::format_tag::a);
    memory::dims const strides{stride, stride}, pads{pad, pad};
    auto const direct = algorithm::convolution_direct;
    auto const forward = DESC(convolution_forward, prop_kind::forward_training, direct, x, w, b, y,
                              strides, pads, pads);
    if (pass == 0) {
        j.take(DNNL_ARG_SRC, forward.src_desc()), j.take(DNNL_ARG_WEIGHTS, forward.weights_desc());
        j.take(DNNL_ARG_BIAS, forward.bias_desc()), j.take(DNNL_ARG_DST, forward.dst_desc());
        j.what = convolution_forward(forward), j.named(forward);
    } else if (pass == 1) {
        auto const d =
            HINTED(convolution_backward_weights, forward, direct, x, w, b, y, strides, pads, pads);
        j.take(DNNL_ARG_SRC, d.src_desc()), j.take(DNNL_ARG_DIFF_WEIGHTS, d.diff_weights_desc());
        j.take(DNNL_ARG_DIFF_BIAS, d.diff_bias_desc()),
            j.take(DNNL_ARG_DIFF_DST, d.diff_dst_desc());
        j.what = convolution_backward_weights(d), j.named(d);
    } else {
        auto const d =
            HINTED(convolution_backward_data, forward, direct, x, w, y, strides, pads, pads);
        j.take(DNNL_ARG_DIFF_SRC, d.diff_src_desc()), j.take(DNNL_ARG_WEIGHTS, d.weights_desc());
        j.take(DNNL_ARG_DIFF_DST, d.diff_dst_desc());
        j.what = convolution_backward_data(d), j.named(d);
    }
}

template <class Forward> void cell_forward(job &j, Forward const &d)
{
    j.take(DNNL_ARG_SRC_LAYER, d.src_layer_desc()), j.take(DNNL_ARG_SRC_ITER, d.src_iter_desc());
    j.take(DNNL_ARG_WEIGHTS_LAYER, d.weights_layer_desc()),
        j.take(DNNL_ARG_WEIGHTS_ITER, d.weights_iter_desc());
    j.take(DNNL_ARG_BIAS, d.bias_desc());
    j.take(DNNL_ARG_DST_LAYER, d.dst_layer_desc()), j.take(DNNL_ARG_DST_ITER, d.dst_iter_desc());
    j.arguments[DNNL_ARG_WORKSPACE] = memory(d.workspace_desc(), cpu());
}

template <class Backward> void cell_backward(job &j, Backward const &d)
{
    memory &x = j.arguments[DNNL_ARG_WEIGHTS_LAYER], &h = j.arguments[DNNL_ARG_WEIGHTS_ITER];
    x = reordered(x, d.weights_layer_desc()), h = reordered(h, d.weights_iter_desc());
    j.take(DNNL_ARG_DIFF_SRC_LAYER, d.diff_src_layer_desc()),
        j.take(DNNL_ARG_DIFF_SRC_ITER, d.diff_src_iter_desc());
    j.sums.push_back(j.take(DNNL_ARG_DIFF_WEIGHTS_LAYER, d.diff_weights_layer_desc()));
    j.sums.push_back(j.take(DNNL_ARG_DIFF_WEIGHTS_ITER, d.diff_weights_iter_desc()));
    j.sums.push_back(j.take(DNNL_ARG_DIFF_BIAS, d.diff_bias_desc()));
    j.take(DNNL_ARG_DIFF_DST_LAYER, d.diff_dst_layer_desc()),
        j.take(DNNL_ARG_DIFF_DST_ITER, d.diff_dst_iter_desc());
}

auto const onward = rnn_direction::unidirectional_left2right;

void lstm_make(job &j, int pass, memory::dim t, memory::dim n, memory::dim in, memory::dim units)
{
    memory::desc const x({t, n, in}, f32, any), h({1, 1, n, units}, f32, any),
        y({t, n, units}, f32, any);
    memory::desc const wx({1, 1, in, 4, units}, f32, any), wh({1, 1, units, 4, units}, f32, any);
    memory::desc const b({1, 1, 4, units}, f32, memory::format_tag::ldgo);
    auto const forward =
        DESC(lstm_forward, prop_kind::forward_training, onward, x, h, h, wx, wh, b, y, h, h);
    cell_forward(j, forward);
    j.take(DNNL_ARG_SRC_ITER_C, forward.src_iter_c_desc()),
        j.take(DNNL_ARG_DST_ITER_C, forward.dst_iter_c_desc());
    j.what = lstm_forward(forward), j.named(forward);
    if (pass == 0) return;
    /* the forward pass fills the workspace, which the backward pass reads */
    j.what.execute(queue(), j.arguments), queue().wait();
    auto const d = HINTED(lstm_backward, forward, prop_kind::backward, onward, x, h, h, wx, wh, b,
                          y, h, h, x, h, h, wx, wh, b, y, h, h);
    cell_backward(j, d);
    j.take(DNNL_ARG_DIFF_SRC_ITER_C, d.diff_src_iter_c_desc()),
        j.take(DNNL_ARG_DIFF_DST_ITER_C, d.diff_dst_iter_c_desc());
    j.what = lstm_backward(d), j.named(d);
}

/* "Linear before reset" is the form of the GRU in PyTorch, cuDNN and rise.h. */
void gru_make(job &j, int pass, memory::dim t, memory::dim n, memory::dim in, memory::dim units)
{
    memory::desc const x({t, n, in}, f32, any), h({1, 1, n, units}, f32, any),
        y({t, n, units}, f32, any);
    memory::desc const wx({1, 1, in, 3, units}, f32, any), wh({1, 1, units, 3, units}, f32, any);
    memory::desc const b({1, 1, 4, units}, f32, memory::format_tag::ldgo);
    auto const forward =
        DESC(lbr_gru_forward, prop_kind::forward_training, onward, x, h, wx, wh, b, y, h);
    cell_forward(j, forward);
    j.what = lbr_gru_forward(forward), j.named(forward);
    if (pass == 0) return;
    j.what.execute(queue(), j.arguments), queue().wait();
    auto const d = HINTED(lbr_gru_backward, forward, prop_kind::backward, onward, x, h, wx, wh, b,
                          y, h, x, h, wx, wh, b, y, h);
    cell_backward(j, d);
    j.what = lbr_gru_backward(d), j.named(d);
}

} // namespace

extern "C" {

void onednn_version(char *text, int size)
{
    snprintf(text, static_cast<size_t>(size), "oneDNN %d.%d.%d", version()->major, version()->minor,
             version()->patch);
}

/* Returns a job, or NULL if oneDNN refuses. pass: 0 forward, 1 gradient of the weights, 2 gradient
   of the data. */
void *onednn_conv(int pass, int count, int channels, int height, int filters, int size, int stride,
                  int pad)
{
    job *const j = new job;
    try {
        conv_make(*j, pass, count, channels, height, filters, size, stride, pad);
        return j;
    } catch (...) {
        delete j;
        return nullptr;
    }
}

/* Returns a job, or NULL if oneDNN refuses. pass: 0 forward, 1 backward. The backward pass always
   includes the gradient of the input. */
void *onednn_cell(int lstm, int pass, int steps, int rows, int in, int units)
{
    job *const j = new job;
    try {
        (lstm ? lstm_make : gru_make)(*j, pass, steps, rows, in, units);
        return j;
    } catch (...) {
        delete j;
        return nullptr;
    }
}

char const *onednn_name(void *user) { return static_cast<job *>(user)->name; }

void onednn_run(void *user)
{
    job *const j = static_cast<job *>(user);
    for (memory &m : j->sums) memset(m.get_data_handle(), 0, m.get_desc().get_size());
    j->what.execute(queue(), j->arguments);
    queue().wait();
}

void onednn_free(void *user) { delete static_cast<job *>(user); }
}
