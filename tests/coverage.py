#!/usr/bin/env python3
"""Reports the coverage of rise.h by room. tests/coverage.sh starts this script.

    python3 tests/coverage.py FOLDER [GCOV]

FOLDER has the .gcno and .gcda files of gcc --coverage. A line is covered if one of the programs ran
it. A branch is a way out of a condition, and is covered if one of the programs took it.

The template is compiled once for each instruction set, under other names. A line of the template
is covered if the kernels of one instruction set ran it.
"""
import collections
import glob
import json
import os
import re
import subprocess
import sys

KERNELS = ("kernels", "template")  # their uncovered lines are counted, not listed


def find_rooms(lines):
    """Returns (name, first line) of each room, in order. Line numbers start at 1."""
    rooms = [("declarations", 1)]
    for number, line in enumerate(lines, 1):
        match = re.match(r"/\* >>([a-z-]+):", line)
        if match:
            rooms.append((match.group(1), number))
    return rooms


def read_counts(folder, gcov):
    """Returns the runs of each line, and the runs of the branches of each line.

    The branches of a line are kept by function and by their number, because programs with other
    macros, such as RISE_DOUBLE, may have other branches in the same line.
    """
    runs = collections.Counter()
    branches = {}
    notes = sorted(glob.glob(os.path.join(folder, "*.gcda")))
    if not notes:
        sys.exit(f"{folder} has no .gcda files")
    for path in notes:
        text = subprocess.run([gcov, "--json-format", "--stdout", "--branch-probabilities", path],
                              check=True, capture_output=True, text=True).stdout
        for part in text.splitlines():
            for file in json.loads(part)["files"]:
                if os.path.basename(file["file"]) == "rise.h":
                    add_file(file, runs, branches)
    return runs, branches


def add_file(file, runs, branches):
    for line in file["lines"]:
        number = line["line_number"]
        runs[number] += line["count"]
        counts = [branch["count"] for branch in line["branches"]]
        if not counts:
            continue
        key = (line.get("function_name", ""), len(counts))
        before = branches.setdefault(number, {}).get(key, [0] * len(counts))
        branches[number][key] = [a + b for a, b in zip(before, counts)]


def best(variants):
    """Returns (covered, total) of the variant of a line with the largest covered share."""
    pairs = [(sum(1 for count in counts if count > 0), len(counts)) for counts in variants]
    return max(pairs, key=lambda pair: (pair[0] / pair[1], pair[1]))


def share(covered, total):
    return f"{covered:6d} /{total:6d} {100.0 * covered / total:6.1f}%" if total else f"{'-':>22}"


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    folder = sys.argv[1] if len(sys.argv) > 1 else "build/coverage"
    gcov = sys.argv[2] if len(sys.argv) > 2 else "gcov"
    with open("rise.h", encoding="utf-8") as file:
        source = file.read().split("\n")
    runs, branches = read_counts(folder, gcov)
    rooms = find_rooms(source)
    ends = [first for _, first in rooms[1:]] + [len(source) + 1]
    totals = [0, 0, 0, 0]
    uncovered = []
    print(f"{'room':<14}{'lines':>22}  {'branches':>22}")
    for (room, first), end in zip(rooms, ends):
        here = [n for n in range(first, end) if n in runs]
        pairs = [best(branches[n].values()) for n in here if n in branches]
        counts = [sum(1 for n in here if runs[n] > 0), len(here),
                  sum(covered for covered, _ in pairs), sum(total for _, total in pairs)]
        if not here:
            continue
        print(f"{room:<14}{share(*counts[:2])}  {share(*counts[2:])}")
        totals = [a + b for a, b in zip(totals, counts)]
        if room not in KERNELS:
            uncovered += [n for n in here if runs[n] == 0]
    print(f"{'all rooms':<14}{share(*totals[:2])}  {share(*totals[2:])}")
    print(f"\n{len(uncovered)} lines outside the kernels that no test runs:")
    for number in uncovered:
        print(f"rise.h:{number}: {source[number - 1].strip()}")


if __name__ == "__main__":
    main()
