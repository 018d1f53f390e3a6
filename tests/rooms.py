#!/usr/bin/env python3
"""Checks how rise.h is laid out, and the lengths of lines and functions in all C files.

A room is a part of rise.h that begins with a mark, such as >>replay. Checked are:
* every mark stands at one room, and the contents list each of them;
* no mark is the beginning of another one, so that a search for it finds one room;
* a room uses only names that rooms above it define, and its header lists the rooms that it uses,
  except for platform, memory, random, kernels and threads, which any room may use;
* the header of a room names a test file that exists;
* functions have at most 60 lines, and lines at most 100 columns.

Ends with "N passed, N failed".
"""
import glob
import os
import re
import sys

os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
LONGEST_LINE, LONGEST_FUNCTION = 100, 60
passed, failed = 0, 0


def check(good, text):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(text)


def without_comments(text):
    """Comments and strings become spaces; line breaks stay."""
    pattern = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"', re.S)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


source = open("rise.h", encoding="utf-8").read()
lines = source.split("\n")

# ---------------------------------------------------------------- marks
rooms = []  # (mark, first line)
for number, line in enumerate(lines):
    match = re.match(r"/\* >>([a-z-]+)", line)
    if match:
        rooms.append((match.group(1), number))
marks = [mark for mark, _ in rooms]
contents = re.findall(r"^ +>>([a-z-]+)", source, re.M)
check(len(marks) > 20, "rise.h has hardly any marks")
for mark in marks:
    check(marks.count(mark) == 1, f">>{mark} stands at two rooms")
    check(mark in contents, f">>{mark} is not in the contents")
    others = [other for other in marks if other != mark and other.startswith(mark)]
    check(not others, f"a search for >>{mark} also finds {others}")
for mark in contents:
    check(mark in marks, f">>{mark} is in the contents, but it is no room")


# ---------------------------------------------------------------- who uses whom
# The template is at the bottom of the file, but is included where the room kernels says so.
def order(mark):
    return marks.index("kernels") + 0.5 if mark == "template" else marks.index(mark)


bounds = [number for _, number in rooms] + [len(lines)]
code = without_comments(source).split("\n")
texts = {mark: "\n".join(code[bounds[i]:bounds[i + 1]]) for i, (mark, _) in enumerate(rooms)}
name = re.compile(r"\b(?:risei_|RISEI_)\w+")
defined = {}  # name -> room
for mark, text in texts.items():
    definitions = re.findall(r"^#define (RISEI_\w+)", text, re.M)
    definitions += re.findall(r"^(?:RISEI_FN|RISEI_INLINE|RISEK_FN|RISEK_INLINE)\b[^;{=]*?\b(risei_\w+)\s*\(",
                              text, re.M)
    definitions += re.findall(r"^static const [^;{=]*?\b(risei_\w+)(?:\[[^\]]*\])* =", text, re.M)
    definitions += re.findall(r"^(?:typedef )?(?:struct|enum) (risei_\w+) \{", text, re.M)
    definitions += re.findall(r"^\} (risei_\w+);", text, re.M)
    definitions += re.findall(r"^typedef [^;{]*\(\*(risei_\w+)\)", text, re.M)
    for body in re.findall(r"\benum(?: \w+)? \{(.*?)\}", text, re.S):
        definitions += re.findall(r"\b(RISEI_\w+)\b(?=\s*(?:=|,|$))", body, re.M)
    for one in definitions:
        defined.setdefault(one, mark)
for mark in marks:
    if mark.startswith("api-"):
        continue
    head = re.match(r"/\*.*?\*/", "\n".join(lines[bounds[marks.index(mark)]:]), re.S).group(0)
    listed = re.search(r"Uses:?\s(.*?)\.(?=\s)", head, re.S)
    listed = set(re.findall(r"[a-z]+", listed.group(1))) if listed else set()
    used = {}
    for one in name.findall(texts[mark]):
        if one in defined and defined[one] != mark:
            used.setdefault(defined[one], one)
    for room, one in sorted(used.items()):
        check(order(room) < order(mark), f">>{mark} uses {one} of >>{room}, which is below it")
        basic = room in ("platform", "memory", "random", "kernels", "threads")
        check(basic or room in listed,
              f">>{mark} uses {one}, but its header does not list {room} under Uses")
    for test in re.findall(r"\btests/\w+\.(?:c|py|sh)", head):
        check(os.path.exists(test), f">>{mark} names {test}, which does not exist")
    check("tests/" in head or mark == "template", f">>{mark} does not say where its test is")

# ---------------------------------------------------------------- lengths
for path in ["rise.h"] + sorted(glob.glob("tests/*.[ch]") + glob.glob("tests/fuzz/*.[ch]") +
                                glob.glob("bench/*.[ch]") + glob.glob("examples/*.[ch]")):
    text = open(path, encoding="utf-8").read()
    long = [i + 1 for i, line in enumerate(text.split("\n")) if len(line) > LONGEST_LINE]
    check(not long, f"{path}: lines over {LONGEST_LINE} columns: {long[:5]}")
    begin = None
    for i, line in enumerate(text.split("\n")):
        if line == "{":
            begin = i
        elif line == "}" and begin is not None:
            length = i - begin + 1
            check(length <= LONGEST_FUNCTION,
                  f"{path}:{begin + 1}: a function of {length} lines, more than {LONGEST_FUNCTION}")
            begin = None

print(f"{passed} passed, {failed} failed")
sys.exit(failed != 0)
