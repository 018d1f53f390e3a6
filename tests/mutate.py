#!/usr/bin/env python3
"""Makes single-token mistakes in a copy of rise.h and runs quick tests on each copy (mutation
testing: DeMillo, Lipton and Sayward 1978). tests/mutate.sh starts this script and has its options.

    python3 tests/mutate.py COUNT SEED

The mistakes, in code outside comments, strings and directives:
* a relational operator becomes its neighbour: < and <=, > and >=, == and !=
* + and -, += and -=, && and || are exchanged
* a constant 0 becomes 1, and 1 becomes 0
* a statement of one line is removed
* the arguments of a call with two plain arguments are exchanged.

COUNT mutants are drawn, each room in turn. Mutants that do not compile are not counted. A mutant is
killed when a test fails, crashes, or needs more than its time limit.
"""
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

ROOMS = "replay targets agent learner actor files describe"
# The tests of each room, quick ones first. EVERY follows them: another file's tests may notice.
TESTS = {
    "replay": "replay targets",
    "targets": "targets rules",
    "agent": "agent",
    "learner": "targets rules agent",
    "actor": "targets agent",
    "files": "files faults fuzz",
    "describe": "rules files",
}
EVERY = "targets replay sizes snapshot rules files faults fuzz agent sequences threads"
# Wrong types are errors: such a mutant does not compile in a strict build.
FLAGS = ["-O0", "-DCHECK_QUICK", "-DSEQUENCES=3", "-pthread",
         "-Werror=incompatible-pointer-types", "-Werror=int-conversion", "-DRISE_STATIC"]
LARGEST_MEMORY = 8 << 30  # bytes of address space of a test program

SWAPS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "==", "&&": "||",
         "||": "&&", "+=": "-=", "-=": "+=", "0": "1", "1": "0"}
TOKEN = re.compile(r"[A-Za-z_]\w*|\.?\d(?:[eEpP][+-]|[\w.])*|->|\+\+|--|<<=|>>=|<<|>>"
                   r"|[-+*/%&|^<>=!]=|&&|\|\||\S")
KEYWORDS = ("return", "if", "for", "while", "switch", "case", "else", "sizeof", "do", "goto")


def code_only(text):
    """Comments, strings, characters and directives become spaces; line breaks stay."""
    pattern = re.compile(r'/\*.*?\*/|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\''
                         r'|^[ \t]*#(?:\\\n|[^\n])*', re.S | re.M)
    return pattern.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def is_statement(code, previous):
    """Is this line one whole statement that is neither a declaration nor a return? `previous`: the
    code above it."""
    if not re.search(r"([;{}):]|\belse|\bdo)$", previous):
        return False
    tokens = TOKEN.findall(code)
    if not tokens or tokens[-1] != ";" or code.count(";") != 1:
        return False
    if code.count("(") != code.count(")") or tokens[0] in KEYWORDS:
        return False
    if tokens[0] in ("break", "continue", "*", "(", "++", "--"):
        return True
    return len(tokens) > 2 and re.match(r"[A-Za-z_]", tokens[0]) is not None and (
        re.match(r"[A-Za-z_*]", tokens[1]) is None)


def mutations_of(code, previous):
    """Yields (column, old text, new text) for a line of code without comments. `previous`: the code
    above it."""
    if "RISEI_PREFETCH" in code:  # changes no result
        return
    before = ""
    for match in TOKEN.finditer(code):
        token = match.group(0)
        if token in SWAPS:
            yield match.start(), token, SWAPS[token]
        elif token in "+-" and re.match(r"[\w)\]]", before) and before not in KEYWORDS:
            yield match.start(), token, "-" if token == "+" else "+"
        before = token
    for match in re.finditer(r"\b([a-z_]\w*)\(([^(),]+), ([^(),]+)\)", code):
        name, first, second = match.groups()
        declares = re.search(r"\w[ *]+\w+[ *]*$", first) or re.search(r"\w[ *]+\w+$", second)
        if name not in KEYWORDS and first.strip() != second.strip() and not declares:
            yield match.start(2), f"{first}, {second}", f"{second}, {first}"
    if is_statement(code, previous):
        text = code.strip()
        yield code.index(text), text, ";"


class Mutant:
    def __init__(self, room, number, line, column, old, new):
        self.room, self.number, self.old, self.new = room, number, old, new
        self.line = line[:column] + new + line[column + len(old):]

    def __str__(self):
        if self.new == ";":
            return f"rise.h:{self.number} ({self.room}): removed: {self.old}"
        return f"rise.h:{self.number} ({self.room}): {self.old} becomes {self.new}: " \
               f"{self.line.strip()}"


def find_mutants(source, wanted, first, last):
    """Returns {room: mutants}."""
    lines = source.split("\n")
    code = code_only(source).split("\n")
    found = {room: [] for room in wanted}
    room = previous = ""
    for number, line in enumerate(lines, 1):
        mark = re.match(r"/\* >>([a-z-]+):", line)
        room = mark.group(1) if mark else room
        if room in found and first <= number <= last:
            for column, old, new in mutations_of(code[number - 1], previous):
                # A removed statement with a string is longer than its code.
                old = line.strip() if new == ";" and "/*" not in line else old
                if line[column:].startswith(old):
                    found[room].append(Mutant(room, number, line, column, old, new))
        previous = code[number - 1].strip() or previous
    return found


def read_known(path):
    """Returns the known equivalents, as (room, changed line), and checks that each has a reason."""
    known, reason = set(), False
    with open(path, encoding="utf-8") as file:
        for line in file:
            line = line.strip()
            if line.startswith("#"):
                reason = True
            elif line:
                if not reason:
                    sys.exit(f"{path}: no reason above: {line}")
                room, text = line.split(": ", 1)
                known.add((room, text))
            else:
                reason = False
    return known


def limit_memory():
    resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY, LARGEST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


class Bench:
    """A copy of rise.h and of the tests, and how to compile and run them."""

    def __init__(self, out, compiler):
        self.out, self.compiler = out, compiler
        self.limits = {}  # seconds that each test file may run
        shutil.rmtree(out, ignore_errors=True)
        os.makedirs(out)
        for folder in ("tests", "examples"):
            shutil.copytree(folder, os.path.join(out, folder))
        shutil.copy("rise.h", out)
        # The kernels do not change, so they are compiled once.
        self.compile(["-O2", "-c", "tests/shared_kernels.c", "-o", "kernels.o"], True)

    def compile(self, arguments, must):
        done = subprocess.run(self.compiler + arguments, cwd=self.out, capture_output=True,
                              text=True)
        if must and done.returncode != 0:
            sys.exit(done.stderr[:3000])
        return done.returncode == 0

    def build(self, test, must=False):
        return self.compile(FLAGS + ['-DRISE_SELF="tests/shared_kernels.h"', f"tests/{test}.c",
                                     "kernels.o", "-o", test, "-lm"], must)

    def run(self, test):
        """Returns whether the tests of a file pass within their time limit."""
        with open(os.path.join(self.out, "log.txt"), "w", encoding="utf-8") as log:
            child = subprocess.Popen([f"./{test}"], cwd=self.out, stdout=log, stderr=log,
                                     start_new_session=True, preexec_fn=limit_memory)
            try:
                return child.wait(self.limits.get(test, 600)) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                try:
                    os.killpg(child.pid, signal.SIGKILL)  # also processes that the test started
                except ProcessLookupError:
                    pass
                child.wait()

    def measure(self, tests):
        """Runs the tests on the correct rise.h. Sets their time limits."""
        for test in tests:
            self.build(test, must=True)
            start = time.time()
            if not self.run(test):
                sys.exit(f"tests/{test}.c fails without a mutation: see {self.out}/log.txt")
            self.limits[test] = 5 + 6 * (time.time() - start)

    def judge(self, tests):
        """Returns the test file that kills the mutant, None for a survivor, or 'compiler'."""
        for i, test in enumerate(tests):
            if not self.build(test):
                return "compiler" if i == 0 else test
            if not self.run(test):
                return test
        return None


def tests_for(room):
    names = TESTS.get(room, "").split()
    return names + [name for name in EVERY.split() if name not in names]


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    wanted = os.environ.get("ROOMS", ROOMS).split()
    first, last = (int(n) for n in os.environ.get("LINES", "1-999999").split("-"))
    with open("rise.h", encoding="utf-8") as file:
        source = file.read()
    known = read_known("tests/mutants.txt")
    found = find_mutants(source, wanted, first, last)
    order = random.Random(seed)
    for room in wanted:
        order.shuffle(found[room])
    # One mutant of each room in turn.
    queue = []
    for i in range(max(len(mutants) for mutants in found.values())):
        queue += [found[room][i] for room in wanted if i < len(found[room])]
    queue = [mutant for mutant in queue if (mutant.room, mutant.line.strip()) not in known]
    print(f"{len(queue)} possible mutants, seed {seed}")
    if os.environ.get("LIST"):
        print(*queue[:count], sep="\n")
        return
    bench = Bench(os.environ.get("OUT", "build/mutants"), os.environ.get("CC", "cc").split())
    bench.measure(sorted({test for room in wanted for test in tests_for(room)}))
    lines = source.split("\n")
    tested = killed = 0
    for mutant in queue:
        if tested == count:
            break
        changed = lines[:]
        changed[mutant.number - 1] = mutant.line
        with open(os.path.join(bench.out, "rise.h"), "w", encoding="utf-8") as file:
            file.write("\n".join(changed))
        killer = bench.judge(tests_for(mutant.room))
        if killer == "compiler":
            continue
        tested += 1
        killed += killer is not None
        if killer is None or os.environ.get("VERBOSE"):
            print("survived" if killer is None else f"killed by {killer}", mutant, flush=True)
    print(f"{tested} mutants, {killed} killed, {tested - killed} survived")


main()
