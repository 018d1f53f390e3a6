#!/usr/bin/env python3
"""Reports the MC/DC of rise.h by room. tests/mcdc.sh starts this script.

    python3 tests/mcdc.py FOLDER ROOM...

FOLDER has the output of `llvm-cov export` for each program, with the counts of all programs. Only
decisions with two conditions or more count. The decisions of the ROOMs that are not covered are
listed, with a '-' for each condition without its two runs.
"""
import glob
import json
import os
import sys

from coverage import find_rooms, share


def read_decisions(folder):
    """Returns the conditions of each decision of rise.h: covered or not, by its place."""
    decisions = {}
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            functions = json.load(file)["data"][0]["functions"]
        for function in functions:
            if os.path.basename(function["filenames"][0]) != "rise.h":
                continue
            for record in function["mcdc_records"]:
                conditions = record[-1]
                place = (*record[:4], len(conditions))
                before = decisions.setdefault(place, [False] * len(conditions))
                decisions[place] = [a or b for a, b in zip(before, conditions)]
    return decisions


def text_of(source, place):
    """Returns the text of a decision in one line."""
    first, begin, last, end = place[:4]
    lines = source[first - 1:last]
    lines[-1] = lines[-1][:end - 1]
    lines[0] = lines[0][begin - 1:]
    return " ".join(line.strip() for line in lines)


def main():
    decisions = read_decisions(sys.argv[1])
    with open("rise.h", encoding="utf-8") as file:
        source = file.read().split("\n")
    rooms = find_rooms(source)
    ends = [first for _, first in rooms[1:]] + [len(source) + 1]
    print(f"{'room':<14}{'conditions':>22}")
    for (room, first), end in zip(rooms, ends):
        here = [c for place, c in decisions.items() if first <= place[0] < end]
        if here:
            print(f"{room:<14}{share(sum(map(sum, here)), sum(map(len, here)))}")
    print()
    for (room, first), end in zip(rooms, ends):
        if room not in sys.argv[2:]:
            continue
        for place in sorted(decisions):
            if first <= place[0] < end and not all(decisions[place]):
                shown = "".join("x" if covered else "-" for covered in decisions[place])
                print(f"{room} rise.h:{place[0]}: {shown}  {text_of(source, place)}")


main()
