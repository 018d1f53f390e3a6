#!/usr/bin/env python3
"""Compares rise_frame_shrink with OpenCV's INTER_AREA and with memcpy of the same picture.

    make bench-shrink [BENCH="--quick --isa avx2"]

Needs numpy, opencv-python and a C compiler, $CC or cc. All use one thread and take turns within a
round. A time is processor time, the median over all rounds. A ratio is the median of the rounds'
ratios. "cached": the same picture again and again. "memory": 64 MB of pictures in turn. A sample
takes about 3 ms, or one picture. A sample begins with the picture that follows the last one of the
previous sample. So all other pictures are read before a picture is read again, and most come from
memory. OpenCV has no call that resizes and converts colours. So two calls do one after the other,
in the order that is faster here. OpenCV's time includes the calls from Python, about half a
microsecond each. rise.h is called from a loop in C. The frames of both differ by at most 1, because
OpenCV's weights are floats; otherwise the benchmark ends with an error.
"""
import argparse
import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time

try:
    import cv2
    import numpy as np
except ImportError as error:
    print(f"bench-shrink: skipped, {error.name} is not installed")
    sys.exit(0)

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SOURCE = r"""
#define _POSIX_C_SOURCE 199309L
#define RISE_IMPLEMENTATION
#include "rise.h"

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}
const char *table(int isa)
{
    const rise_kernels *const k = rise_kernels_of((rise_isa)isa);
    return k != NULL ? k->name : "";
}
/* Both return the seconds for one picture, the mean of `repeat`, of `count` pictures in turn from
   picture `first` on. */
double shrink(int isa, const uint8_t *pictures, int count, int width, int height, int format,
              int frame_width, int frame_height, int channels, uint8_t *frame, int first,
              int repeat)
{
    const rise_kernels *const k = rise_kernels_of((rise_isa)isa);
    size_t const bytes = (size_t)width * (size_t)height * (format == 0 ? 1 : format > 2 ? 4 : 3);
    rise_picture p = {NULL, width, height, (rise_pixels)format, 0};
    double const start = now();
    int i;
    for (i = 0; i < repeat; i++) {
        p.pixels = pictures + (size_t)((first + i) % count) * bytes;
        if (rise_frame_shrink(k, &p, frame, frame_width, frame_height, channels, NULL) != RISE_OK)
            return -1;
    }
    return (now() - start) / repeat;
}
double copy(const uint8_t *pictures, int count, size_t bytes, uint8_t *to, int first, int repeat)
{
    double const start = now();
    int i;
    for (i = 0; i < repeat; i++) {
        memcpy(to, pictures + (size_t)((first + i) % count) * bytes, bytes);
        __asm__ volatile("" : : "r"(to) : "memory"); /* the compiler keeps each copy */
    }
    return (now() - start) / repeat;
}
"""
ISAS = ("auto", "ref", "c", "avx2", "avx512", "neon")
FORMATS = ("GREY", "RGB", "BGR", "RGBA", "BGRA")
MEMORY = 64 << 20
# width and height of the picture, its format, width, height and channels of the frame
CASES = (
    (160, 210, "GREY", 84, 84, 1),
    (160, 210, "RGB", 84, 84, 1),
    (160, 210, "RGB", 84, 84, 3),
    (320, 240, "RGB", 64, 48, 1),
    (320, 240, "RGB", 64, 48, 3),
    (320, 240, "RGB", 16, 12, 1),
    (320, 240, "RGB", 16, 12, 3),
    (640, 480, "RGBA", 32, 24, 1),
    (640, 480, "RGBA", 32, 24, 3),
    (640, 480, "BGRA", 32, 24, 1),
    (640, 480, "BGRA", 32, 24, 3),
)


def compiled(folder):
    source, shared = os.path.join(folder, "shrink.c"), os.path.join(folder, "shrink.so")
    with open(source, "w", encoding="utf-8") as file:
        file.write(SOURCE)
    compiler = os.environ.get("CC", "cc").split() + os.environ.get("CFLAGS", "-O2").split()
    options = ["-std=c99", "-shared", "-fPIC", "-I", ROOT, source, "-o", shared, "-lm"]
    subprocess.run([*compiler, *options], check=True)
    library = ctypes.CDLL(shared)
    library.shrink.restype = library.copy.restype = ctypes.c_double
    library.table.restype = ctypes.c_char_p
    return library


def address(array):
    return ctypes.c_void_p(array.ctypes.data)


def conversion(picture_format, channels):
    """Returns OpenCV's conversion from the picture's format to the frame's; None: not needed."""
    if picture_format == "GREY" or (picture_format == "RGB" and channels == 3):
        return None
    return getattr(cv2, f"COLOR_{picture_format}2{'GRAY' if channels == 1 else 'RGB'}")


def opencv_orders(case):
    """Returns functions from a picture to a frame: resize last, resize first."""
    _, _, picture_format, width, height, channels = case
    code, size, area = conversion(picture_format, channels), (width, height), cv2.INTER_AREA
    if code is None:
        return [lambda picture: cv2.resize(picture, size, interpolation=area)]
    return [
        lambda picture: cv2.resize(cv2.cvtColor(picture, code), size, interpolation=area),
        lambda picture: cv2.cvtColor(cv2.resize(picture, size, interpolation=area), code),
    ]


def timed(function, pictures, first, repeat):
    count, start = len(pictures), time.thread_time()
    for i in range(first, first + repeat):
        function(pictures[i % count])
    return (time.thread_time() - start) / repeat


def calibrated(run):
    """Returns how often `run` must repeat its work to take 3 ms."""
    run(1)
    return max(1, min(1 << 16, int(3e-3 / min(run(3) for _ in range(3)))))


def competitors(library, isa, case, pictures):
    """Returns functions that take a number of repetitions and return the seconds for one picture.

    All go through the pictures together: each call begins where the call before ended."""
    width, height, picture_format, frame_width, frame_height, channels = case
    count, form = len(pictures), FORMATS.index(picture_format)
    frame = np.empty((frame_height, frame_width, channels), np.uint8)
    to, size = np.empty(pictures[0].nbytes, np.uint8), ctypes.c_size_t(pictures[0].nbytes)
    following = 0

    def turn(repeat):
        """Returns the first picture of a call."""
        nonlocal following
        first, following = following, (following + repeat) % count
        return first

    def ours(repeat):
        return library.shrink(isa, address(pictures), count, width, height, form, frame_width,
                              frame_height, channels, address(frame), turn(repeat), repeat)

    def copy(repeat):
        return library.copy(address(pictures), count, size, address(to), turn(repeat), repeat)

    listed = list(pictures)
    orders = opencv_orders(case)
    ours(1)
    apart = np.abs(orders[0](listed[0]).astype(int).ravel() - frame.astype(int).ravel()).max()
    if apart > 1:
        sys.exit(f"{case}: the frames differ by {apart}")
    peers = [lambda repeat, order=order: timed(order, listed, turn(repeat), repeat)
             for order in orders]
    return [ours, copy, *peers]


def measure(library, isa, case, count, rounds):
    width, height, picture_format = case[:3]
    shape = (count, height, width) + ((len(picture_format),) if picture_format != "GREY" else ())
    pictures = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    runs = competitors(library, isa, case, pictures)
    repeats = [calibrated(run) for run in runs]
    seconds = [[run(repeat) for run, repeat in zip(runs, repeats)] for _ in range(rounds)]
    medians = [statistics.median(column) for column in zip(*seconds)]
    best = min(range(2, len(runs)), key=lambda i: medians[i])
    ratio = statistics.median(row[best] / row[0] for row in seconds)
    copies = statistics.median(row[0] / row[1] for row in seconds)
    return medians[0], medians[best], ratio, medians[1], copies


def main():
    parser = argparse.ArgumentParser(prog="make bench-shrink")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    parser.add_argument("--isa", choices=ISAS, default="auto", help="the kernels of rise.h")
    options = parser.parse_args()
    isa, rounds = ISAS.index(options.isa), 9 if options.quick else 41
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory() as folder:
        library = compiled(folder)
        name = library.table(isa).decode()
        if not name:
            sys.exit("this machine or this build does not have the kernels of --isa")
        print(f"{name} kernels, OpenCV {cv2.__version__}, one thread, {rounds} rounds\n")
        columns = ("us", "OpenCV us", "OpenCV / ours", "memcpy us", "ours / memcpy")
        names = [f"{kind}: {column}" for kind in ("cached", "memory") for column in columns]
        print("| " + " | ".join(["picture", "frame", *names]) + " |\n" + "|---" * 12 + "|")
        for case in CASES:
            width, height, picture_format, frame_width, frame_height, channels = case
            size = width * height * (1 if picture_format == "GREY" else len(picture_format))
            cells = [f"{width} x {height} {picture_format}",
                     f"{frame_width} x {frame_height} {'grey' if channels == 1 else 'RGB'}"]
            for count in (1, MEMORY // size):
                ours, peer, ratio, copy, copies = measure(library, isa, case, count, rounds)
                cells += [f"{1e6 * ours:.1f}", f"{1e6 * peer:.1f}", f"{ratio:.2f}",
                          f"{1e6 * copy:.1f}", f"{copies:.1f}"]
            print("| " + " | ".join(cells) + " |", flush=True)


main()
