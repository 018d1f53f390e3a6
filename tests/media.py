#!/usr/bin/env python3
"""Compares examples/preprocess.h, gif.h and tensorboard.h with other programs that do the same.

    python3 tests/media.py

Needs numpy and a C compiler, $CC or cc. Compares with those of opencv-python, gymnasium, ale-py,
pillow and tensorboard that are installed.

A small C file that calls the headers is compiled to a shared object.
"""

import ctypes
import importlib
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
except ImportError:
    print("media.py: skipped, numpy is not installed")
    sys.exit(0)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = r"""
#define RISE_IMPLEMENTATION
#include "examples/gif.h"
#include "examples/preprocess.h"
#include "examples/tensorboard.h"

void grey(const uint8_t *rgb, size_t pixels, uint8_t *out) { preprocess_grey(rgb, pixels, out); }
void maximum(size_t bytes, const uint8_t *a, const uint8_t *b, uint8_t *out)
{ preprocess_maximum(bytes, a, b, out); }
int resize(int height, int width, int channels, int out_height, int out_width, const uint8_t *in,
           uint8_t *out)
{
    static uint8_t scratch[2 * PREPROCESS_SIDE * PREPROCESS_SIDE];
    return preprocess_resize(rise_kernels_of(RISE_ISA_AUTO), in, height, width, channels, out,
                             out_height, out_width, scratch, NULL) == RISE_OK;
}
int film(const char *path, int width, int height, int channels, int scale, int delay, int frames,
         const uint8_t *pixels)
{
    static gif g;
    FILE *const file = fopen(path, "wb");
    int i;
    gif_begin(&g, file, width, height, channels, scale, delay);
    for (i = 0; i < frames; i++) gif_frame(&g, pixels + i * height * width * channels);
    return gif_end(&g) && fclose(file) == 0;
}
/* Point i belongs to the curve tags[i % 2]. */
int curves(const char *folder, const char *const *tags, int points, const int64_t *steps,
           const double *values, const double *times)
{
    tensorboard tb;
    int i;
    tensorboard_open(&tb, folder, "media_test");
    for (i = 0; i < points; i++)
        tensorboard_scalar(&tb, tags[i % 2], steps[i], values[i], times[i]);
    return tensorboard_close(&tb);
}
"""

counts = {True: 0, False: 0}
random = np.random.default_rng(410)


def check(what, good, why="differs"):
    counts[bool(good)] += 1
    if not good:
        print(f"{what}: {why}")


def call(function, *arguments):
    """Calls a C function. Arrays must be contiguous and are passed by address."""
    assert all(a.flags.c_contiguous for a in arguments if isinstance(a, np.ndarray))
    return function(
        *[ctypes.c_void_p(a.ctypes.data) if isinstance(a, np.ndarray) else a for a in arguments]
    )


def close(what, ours, theirs, most=1, equal=0.0):
    """Checks that bytes differ by at most `most`, and that at least a share `equal` is equal."""
    apart = np.abs(ours.astype(int) - theirs.astype(int))
    share = (apart == 0).mean()
    check(
        what,
        ours.shape == theirs.shape and apart.max() <= most and share >= equal,
        f"{apart.max()} apart, {share:.5f} equal",
    )
    return apart.max(), share


def grey_of(library, rgb):
    out = np.empty(rgb.shape[:-1], np.uint8)
    call(library.grey, rgb, ctypes.c_size_t(out.size), out)
    return out


def resized(library, image, height, width):
    channels = image.shape[2] if image.ndim == 3 else 1
    out = np.empty((height, width) + image.shape[2:], np.uint8)
    check("resize", call(library.resize, *image.shape[:2], channels, height, width, image, out))
    return out


def test_grey(library):
    cv2 = importlib.import_module("cv2")
    colours = np.arange(1 << 24, dtype=np.uint32)
    rgb = (
        np.stack([colours >> 16, colours >> 8 & 255, colours & 255], -1)
        .astype(np.uint8)
        .reshape(4096, 4096, 3)
    )
    most, share = close(
        "RGB2GRAY, all colours",
        grey_of(library, rgb),
        cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY),
        1,
        0.99,
    )
    print(f"OpenCV's luminance of all colours: at most {most} apart, {100 * share:.3f} % equal")


def test_resize(library):
    """Compares with OpenCV, whose weights are floats.

    OpenCV rounds ties up or down, and always up for 2 x 2 pixels. OpenCV enlarges images by another
    method.
    """
    cv2 = importlib.import_module("cv2")
    sizes = [
        (210, 160, 84, 84),
        (250, 160, 84, 84),
        (210, 160, 105, 80),
        (96, 96, 84, 84),
        (400, 600, 84, 84),
        (210, 160, 70, 40),
        (1024, 1000, 84, 64),
        (84, 84, 83, 84),
        (210, 160, 1, 1),
        (168, 168, 84, 84),
        (9, 9, 9, 9),
    ]
    for _ in range(20):
        height, width = random.integers(2, 300, 2).tolist()
        sizes.append((height, width, *random.integers(1, (height, width)).tolist()))
    most, shares = 0, []
    for height, width, out_height, out_width in sizes:
        for channels in (1, 3, 4):
            y, x = np.mgrid[:height, :width]
            waves = np.stack(
                [128 + 127 * np.sin(x / (3 + c) + y * y / 900) for c in range(channels)], -1
            ).astype(np.uint8)
            noise = random.integers(0, 256, (height, width, channels), np.uint8)
            for name, image in (
                ("noise", noise),
                ("waves", waves),
                ("corners", noise // 128 * 255),
            ):
                what = f"INTER_AREA, {name} {height}x{width}x{channels} to {out_height}x{out_width}"
                image = np.ascontiguousarray(image[..., 0] if channels == 1 else image)
                theirs = cv2.resize(image, (out_width, out_height), interpolation=cv2.INTER_AREA)
                halves = (height, width) == (2 * out_height, 2 * out_width)
                result = close(
                    what,
                    resized(library, image, out_height, out_width),
                    theirs,
                    1,
                    0.8 if halves else 0.98,
                )
                most = max(most, result[0])
                shares += [] if halves else [result[1]]
    print(f"OpenCV's INTER_AREA: at most {most} apart, {100 * np.mean(shares):.3f} % equal")


def test_atari(library):
    """Compares the emulator's frames after preprocess.h and after AtariPreprocessing."""
    importlib.import_module("cv2")
    gymnasium = importlib.import_module("gymnasium")
    gymnasium.register_envs(importlib.import_module("ale_py"))

    class Recorder(gymnasium.Wrapper):
        def step(self, action):
            result = self.env.step(action)
            self.frames = [*self.frames[-1:], np.ascontiguousarray(result[0])]
            return result

        def reset(self, **options):
            result = self.env.reset(**options)
            self.frames = [np.zeros_like(result[0]), np.ascontiguousarray(result[0])]
            return result

    def ours(frames, is_grey):
        a, b = (grey_of(library, frame) for frame in frames) if is_grey else frames
        out = np.empty_like(a)
        call(library.maximum, ctypes.c_size_t(a.size), a, b, out)
        return resized(library, out, 84, 84)

    for game in ("Pong", "Breakout", "MsPacman", "Asteroids", "Tennis"):
        for is_grey in (True, False):
            recorder = Recorder(
                gymnasium.make(f"ALE/{game}-v5", frameskip=1, repeat_action_probability=0.25)
            )
            env = gymnasium.wrappers.AtariPreprocessing(recorder, noop_max=0, grayscale_obs=is_grey)
            env.action_space.seed(1)
            seen, kinds, shares, most, blinks = env.reset(seed=1)[0], set(), [], 0, 0
            for step in range(300):
                result = close(
                    f"{game}, grey {is_grey}, step {step}", ours(recorder.frames, is_grey), seen
                )
                most = max(most, result[0])
                shares.append(result[1])
                kinds.add(seen.tobytes())
                blinks += (recorder.frames[0] > recorder.frames[1]).any()
                seen, _, terminated, truncated, _ = env.step(env.action_space.sample())
                if terminated or truncated:  # AtariPreprocessing leaves out the last frames
                    seen = env.reset()[0]
            check(f"{game}: frames that differ", len(kinds) > 100, f"only {len(kinds)}")
            check(f"{game}: sprites that blink or move", blinks > 30, f"only {blinks} times")
            print(
                f"{game}, {'grey' if is_grey else 'colour'}: at most {most} apart, "
                f"{100 * np.mean(shares):.3f} % equal"
            )
            env.close()


def test_gif(library):
    image = importlib.import_module("PIL.Image")
    for height, width, channels, scale, values in (
        (84, 84, 1, 3, 256),
        (50, 40, 3, 1, 7),
        (60, 70, 3, 2, 256),
        (1, 1, 1, 1, 2),
        (210, 160, 1, 1, 256),
        (300, 301, 3, 1, 6),
        (3, 1024, 1, 1, 5),
    ):
        what = f"GIF of {height}x{width}x{channels}, scale {scale}"
        frames = np.empty((9, height, width, channels), np.uint8)
        frames[:] = random.integers(0, values, frames.shape[1:], np.uint8)
        for i in range(1, 9):  # each frame changes a rectangle; the sixth changes nothing
            y, x = sorted(random.integers(0, height + 1, 2)), sorted(
                random.integers(0, width + 1, 2)
            )
            frames[i] = frames[i - 1]
            if i != 5:
                part = frames[i, y[0] : y[1], x[0] : x[1]]
                part[...] = random.integers(0, values, part.shape, np.uint8)
        path = os.path.join(library.folder, "film.gif")
        check(what, call(library.film, path.encode(), width, height, channels, scale, 6, 9, frames))
        with image.open(path) as gif:
            check(what + ", frames", gif.n_frames == 9, f"{gif.n_frames} frames")
            check(what + ", loops", gif.info["loop"] == 0)
            for i in range(9):
                gif.seek(i)
                check(what + ", delay", gif.info["duration"] == 60, gif.info["duration"])
                theirs = np.asarray(gif.convert("RGB"))
                expected = (
                    np.broadcast_to(frames[i], (height, width, 3)).repeat(scale, 0).repeat(scale, 1)
                )
                rough = channels == 3 and len(np.unique(frames[0].reshape(-1, 3), axis=0)) > 256
                close(f"{what}, frame {i}", theirs, expected, 25 if rough else 0)


def test_tensorboard(library):
    loader = importlib.import_module("tensorboard.backend.event_processing.event_file_loader")
    accumulator = importlib.import_module("tensorboard.backend.event_processing.event_accumulator")
    tags, count = [b"score/mean", "Verlust \u00e4".encode()], 200
    steps = np.sort(random.integers(0, 1 << 40, count))
    values, times = (
        random.normal(size=count) * 10.0 ** random.integers(-30, 30, count),
        1.7e9 + random.random(count) * 1e6,
    )
    array = (ctypes.c_char_p * 2)(*tags)
    folder = os.path.join(library.folder, "run")
    os.mkdir(folder)
    check("event file", call(library.curves, folder.encode(), array, count, steps, values, times))
    path = os.path.join(folder, os.listdir(folder)[0])

    events = list(loader.LegacyEventFileLoader(path).Load())
    check("version", events[0].file_version == "brain.Event:2" and len(events) == count + 1)
    for i, event in enumerate(events[1:]):
        value = event.summary.value[0]
        check(
            f"event {i}",
            event.step == steps[i]
            and event.wall_time == times[i]
            and len(event.summary.value) == 1
            and value.tag == tags[i % 2].decode()
            and value.simple_value == np.float32(values[i]),
            event,
        )

    board = accumulator.EventAccumulator(
        folder, size_guidance={"scalars": 0, "tensors": 0}
    ).Reload()
    for i, tag in enumerate(tags):
        points = board.Scalars(tag.decode()) if tag.decode() in board.Tags()["scalars"] else []
        check(
            f"curve {tag.decode()}",
            [(p.step, p.wall_time, p.value) for p in points]
            == [(s, t, np.float32(v)) for s, t, v in zip(steps[i::2], times[i::2], values[i::2])],
            f"{len(points)} points",
        )


def main():
    with tempfile.TemporaryDirectory() as folder:
        source, shared = os.path.join(folder, "media.c"), os.path.join(folder, "media.so")
        with open(source, "w") as file:
            file.write(SOURCE)
        compiler = os.environ.get("CC", "cc").split()
        subprocess.run(
            [
                *compiler,
                "-O2",
                "-std=c99",
                "-shared",
                "-fPIC",
                "-I",
                ROOT,
                source,
                "-o",
                shared,
                "-lm",
            ],
            check=True,
        )
        library = ctypes.CDLL(shared)
        library.folder = folder
        for test in (test_grey, test_resize, test_atari, test_gif, test_tensorboard):
            try:
                test(library)
            except ModuleNotFoundError as error:
                print(f"skipped: {error.name} is not installed")
    print(f"{counts[True]} passed, {counts[False]} failed")
    return counts[False] != 0  # with nothing installed, nothing is tested


if __name__ == "__main__":
    sys.exit(main())
