#!/usr/bin/env python3
"""Compares the pretrained encoder of rise.h with ResNet-18 in PyTorch, on every instruction set of
this machine.

    python3 tests/pretrained_torch.py
    python3 tests/pretrained_torch.py --golden  prints the expected features in tests/pretrained.c

Needs torch and a C compiler: $CC or cc. Without torch, the script says so and passes.

Random networks are saved under torchvision's names, and rise.h reads the files. save_by_hand writes
the files of fewer than 512 features. Where the packages `safetensors` and numpy are installed, they
write all files; elsewhere, save_by_hand does. The largest error allowed is 1e-5 of the largest
feature in float, and 1e-12 in double.
"""

import ctypes
import json
import os
import struct
import subprocess
import sys
import tempfile

try:
    import torch
    from torch import nn
    from torch.nn import functional as F
except ImportError:
    print("pretrained_torch.py: skipped, torch is not installed")
    sys.exit(0)
try:
    import numpy
    from safetensors.torch import save_file
except ImportError:
    print("pretrained_torch.py: without numpy and safetensors, files are only written by hand")
    save_file = None

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = r"""
#define RISE_IMPLEMENTATION
#include "rise.h"

/* Returns the name of an instruction set's kernels, or NULL. */
const char *name_of(int isa)
{
    const rise_kernels *const kernels = rise_kernels_of((rise_isa)isa);
    return kernels != NULL ? kernels->name : NULL;
}
/* Computes the features of one frame with a network from a file. Returns 0 and the error's text if
   the file cannot be read. */
int embed(int isa, const char *path, int height, int width, int channels, const uint8_t *frame,
          int size, double *features, char *sentence)
{
    risei_resnet *net;
    risei_arena arena = {0};
    risei_device device = {0};
    rise_real *out = malloc((size_t)size * sizeof *out);
    rise_error error;
    int good, i;
    device.kernels = rise_kernels_of((rise_isa)isa);
    device.scratch = malloc(rise_product_scratch());
    risei_resnet_layout(&arena, height, width, channels, size);
    arena.base = malloc(arena.used), arena.used = 0;
    net = risei_resnet_layout(&arena, height, width, channels, size);
    good = risei_resnet_load(net, path, &error) == RISE_OK;
    if (good) risei_resnet_forward(&device, net, frame, out);
    for (i = 0; i < size && good; i++) features[i] = out[i];
    if (!good) memcpy(sentence, error.text, sizeof error.text);
    free(arena.base), free(device.scratch), free(out);
    return good;
}
"""
GOLDEN = [(37, 45, 1), (32, 33, 3)]  # height, width, channels, as in tests/pretrained.c

passed = failed = 0
greatest = {}  # largest error for each bound


def check(what, good, why=""):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f"{what}: {why}")


class Block(nn.Module):
    def __init__(self, inner, outer, stride):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(inner, outer, 3, stride, 1, bias=False), nn.BatchNorm2d(
            outer
        )
        self.conv2, self.bn2 = nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer)
        self.downsample = None
        if stride != 1:
            self.downsample = nn.Sequential(
                nn.Conv2d(inner, outer, 1, stride, bias=False), nn.BatchNorm2d(outer)
            )

    def forward(self, x):
        shortcut = x if self.downsample is None else self.downsample(x)
        return F.relu(self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x))))) + shortcut)


class ResNet18(nn.Module):
    """torchvision.models.resnet18 up to the features that enter fc: its layers, names and order."""

    def __init__(self, size=512):
        super().__init__()
        width = [size // 8, size // 8, size // 4, size // 2, size]
        self.conv1, self.bn1 = nn.Conv2d(3, width[0], 7, 2, 3, bias=False), nn.BatchNorm2d(width[0])
        for s in range(1, 5):
            blocks = nn.Sequential(
                Block(width[s - 1], width[s], 1 if s == 1 else 2), Block(width[s], width[s], 1)
            )
            setattr(self, f"layer{s}", blocks)
        self.fc = nn.Linear(size, 3)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))


def randomise(net):
    """Draws weights and statistics that keep the magnitude of activations from layer to layer."""
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.3, 1.2)
            nn.init.uniform_(module.bias, -0.5, 0.5)
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.4, 2)
    return net


def save_by_hand(tensors, path):
    header, data = {"__metadata__": {"format": "pt"}}, b""
    names = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64"}
    for name, tensor in tensors.items():
        raw = bytes(tensor.contiguous().flatten().view(torch.uint8).tolist())
        ends = [len(data), len(data) + len(raw)]
        header[name] = {
            "dtype": names[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": ends,
        }
        data += raw
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + data)


def load_by_hand(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        data = file.read()
    types = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64}
    tensors = {}
    for name, entry in header.items():
        if name != "__metadata__":
            raw = bytearray(data[slice(*entry["data_offsets"])])
            tensors[name] = torch.frombuffer(raw, dtype=types[entry["dtype"]]).view(entry["shape"])
    return tensors


def features(tensors, size, frame):
    """Returns the features that PyTorch computes in double."""
    net = ResNet18(size).double().eval()
    state = net.state_dict()
    state.update({name: tensor.double() for name, tensor in tensors.items() if name in state})
    net.load_state_dict(state)
    x = frame.permute(2, 0, 1)[None].double() / 255
    x = x.expand(-1, 3, -1, -1)
    mean, deviation = (
        torch.tensor(v, dtype=torch.float64).view(1, 3, 1, 1)
        for v in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    )
    with torch.no_grad():
        return net((x - mean) / deviation)[0]


def compare(library, what, tensors, size, frame, path, most):
    theirs = features(tensors, size, frame)
    for isa in range(1, 6):  # rise_isa, without AUTO
        name = library.name_of(isa)
        if name is None or (
            name == b"ref" and most > 1e-8 and size > 128
        ):  # plain loops are slow: 128 features are enough
            continue
        ours, sentence = torch.empty(size, dtype=torch.float64), ctypes.create_string_buffer(240)
        good = library.embed(
            isa,
            path.encode(),
            *frame.shape,
            ctypes.c_void_p(frame.data_ptr()),
            size,
            ctypes.c_void_p(ours.data_ptr()),
            sentence,
        )
        worst = (ours - theirs).abs().max().item() / theirs.abs().max().item() if good else 1
        greatest[most] = max(greatest.get(most, 0), worst)
        check(
            f"{name.decode()}: {what}",
            good and worst <= most,
            f"off by {worst:.3g} {sentence.value.decode()}",
        )


def compiled(folder, macros):
    source, shared = os.path.join(folder, "resnet.c"), os.path.join(
        folder, f"resnet{len(macros)}.so"
    )
    with open(source, "w") as file:
        file.write(SOURCE)
    compiler = os.environ.get("CC", "cc").split()
    options = ["-O2", "-std=c99", *macros, "-shared", "-fPIC", "-I", ROOT]
    subprocess.run([*compiler, *options, source, "-o", shared, "-lm"], check=True)
    library = ctypes.CDLL(shared)
    library.name_of.restype = ctypes.c_char_p
    return library


def golden_frame(height, width, channels):
    y, x, c = torch.meshgrid(
        torch.arange(height), torch.arange(width), torch.arange(channels), indexing="ij"
    )
    return ((x * x + 3 * x * y + 7 * y + 50 * c) % 256).to(torch.uint8)


def golden(folder):
    program, path = os.path.join(folder, "pretrained"), os.path.join(folder, "golden.safetensors")
    compiler = os.environ.get("CC", "cc").split()
    subprocess.run(
        [*compiler, "-O2", os.path.join(ROOT, "tests", "pretrained.c"), "-o", program, "-lm"],
        check=True,
    )
    subprocess.run([program, "--write", path], check=True, stdout=subprocess.DEVNULL)
    for shape in GOLDEN:
        numbers = [
            f"{x:.9g}" for x in features(load_by_hand(path), 32, golden_frame(*shape)).tolist()
        ]
        print("    {" + ", ".join(numbers) + "},")


def main():
    torch.manual_seed(1512)
    with tempfile.TemporaryDirectory() as folder:
        if "--golden" in sys.argv:
            return golden(folder)
        single, double = compiled(folder, []), compiled(folder, ["-DRISE_DOUBLE"])
        path = os.path.join(folder, "net.safetensors")
        cases = [
            (512, 84, 84, 1, torch.float32),
            (512, 96, 71, 3, torch.float32),
            (512, 84, 84, 3, torch.float16),
            (512, 84, 84, 1, torch.bfloat16),
            (32, 84, 84, 1, torch.float32),
            (32, 32, 32, 3, torch.float32),
            (32, 101, 33, 1, torch.float16),
            (24, 47, 64, 3, torch.bfloat16),
            (128, 210, 160, 3, torch.float32),
            (8, 65, 66, 1, torch.float32),
        ]
        for size, height, width, channels, dtype in cases:
            tensors = {
                name: tensor.to(dtype) if tensor.is_floating_point() else tensor
                for name, tensor in randomise(ResNet18(size)).state_dict().items()
            }
            frame = torch.randint(0, 256, (height, width, channels), dtype=torch.uint8)
            what = f"{size} features of {height} x {width} x {channels}, {dtype}"
            if save_file is not None:
                save_file(tensors, path)
                compare(single, what + ", safetensors", tensors, size, frame, path, 1e-5)
            if save_file is None or size < 512:
                save_by_hand(tensors, path)
                compare(single, what + ", by hand", tensors, size, frame, path, 1e-5)
            if size < 512:
                compare(double, what + ", double", tensors, size, frame, path, 1e-12)
    for most, worst in greatest.items():
        print(f"to {most}: off by {worst:.3g} at most")
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
