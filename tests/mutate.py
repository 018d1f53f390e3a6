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

COUNT mutants are drawn, each room in turn. Mutants that do not compile are not counted. Those that
tests/mutants.txt lists as equivalent are counted, but not tested. A mutant is killed when a check
fails, or when a program crashes or needs more than its time limit.

A unit is what one run of a test program does: one slow test, or all quick tests of a file. At first
each unit runs on the correct rise.h, compiled with gcc --coverage. Later only units that run the
changed line test a mutant. These measurements stay in OUT until rise.h or a test changes.
"""
import glob
import hashlib
import json
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time

ROOMS = "replay targets agent files describe"
# The tests of each room, quick ones first. EVERY follows them: another file's tests may notice.
TESTS = {
    "replay": "replay targets",
    "targets": "targets rules",
    "agent": "agent",
    "learner": "targets rules agent sequences",
    "background": "background",
    "actor": "targets agent sequences",
    "players": "players",
    "files": "files faults fuzz",
    "describe": "rules files",
}
EVERY = ("targets replay sizes fuzz snapshot agent files rules players faults sequences threads "
         "background numbers parts observe")
# Wrong types are errors: such a mutant does not compile in a strict build.
FLAGS = ["-O0", "-DCHECK_QUICK", "-DCHECK_STOP", "-DSEQUENCES=3", "-pthread",
         "-Werror=incompatible-pointer-types", "-Werror=int-conversion", "-DRISE_STATIC"]
LARGEST_MEMORY = 8 << 30  # bytes of address space of a test program
SLOW = 0.25  # a test of more seconds is a unit of its own
LONGEST = 1.5  # a test of more seconds of processor time runs only on mutants of its own room
LEFT_OUT = "rules/agents_learn_distributions"  # a test of 5 seconds that runs on no mutant
# The children of these tests are killed before gcov can write their counts.
NEVER_SKIPPED = ("faults",)
# The builds of rise.h that fuzz.c opens policies with, as in tests/run.sh.
PLAYERS = {"player_plain": [], "player_small": ["-DRISE_NO_RAINBOW", "-DRISE_NO_ENCODERS"]}

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
        self.text = f"removed: {old}" if new == ";" else self.line.strip()  # as in mutants.txt

    def __str__(self):
        change = "" if self.new == ";" else f"{self.old} becomes {self.new}: "
        return f"rise.h:{self.number} ({self.room}): {change}{self.text}"


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


def read_text(path):
    """Returns the text of a file, or "" if there is none."""
    if not os.path.exists(path):
        return ""
    with open(path, encoding="utf-8") as file:
        return file.read()


def key_of(words, paths):
    """Returns a hash of words and of the contents of files."""
    key = hashlib.sha256(" ".join(words).encode())
    for path in paths:
        key.update(read_text(path).encode())
    return key.hexdigest()


def limits_of(seconds):
    """Returns a function that sets the limits of a child process."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (LARGEST_MEMORY, LARGEST_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    return limit


class Unit:
    """Tests of one file that run together. `cpu` and `wall`: the seconds that they need. `lines`:
    those of rise.h that they run, or None."""

    def __init__(self, test, names, slow, cpu=100, wall=100, lines=None):
        self.test, self.names, self.slow = test, names, slow
        self.cpu, self.wall, self.lines = cpu, wall, lines and set(lines)

    def __str__(self):
        return f"{self.test}/{self.names[0]}" if self.slow else self.test


class Bench:
    """A copy of rise.h and of the tests, and how to compile and run them."""

    def __init__(self, out, compiler):
        self.out, self.compiler = os.path.abspath(out), compiler
        self.built = {}  # whether the program of each test file compiled
        self.units = []
        self.known_lines = set()  # lines of rise.h that gcov has counts of
        os.makedirs(out, exist_ok=True)
        for folder in ("tests", "examples"):
            shutil.rmtree(os.path.join(out, folder), ignore_errors=True)
            shutil.copytree(folder, os.path.join(out, folder))
        shutil.copy("rise.h", out)
        self.build_kernels()

    def build_kernels(self):
        """Compiles the kernels. They do not change, so once per rise.h is enough."""
        command = self.compiler + ["-O2", "-c", "tests/shared_kernels.c", "-o", "kernels.o"]
        path, key = os.path.join(self.out, "kernels.key"), key_of(command, ["rise.h"])
        if read_text(path) != key:
            self.compile(command, True)
            with open(path, "w", encoding="utf-8") as file:
                file.write(key)

    def compile(self, command, must):
        done = subprocess.run(command, cwd=self.out, capture_output=True, text=True)
        if must and done.returncode != 0:
            sys.exit(done.stderr[:3000])
        return done.returncode == 0

    def build(self, test, compiler=None, must=False):
        if test not in self.built:
            command = (compiler or self.compiler) + FLAGS
            players = PLAYERS if test == "fuzz" else {}
            good = all(self.compile(command + macros + [
                "-DRISE_PLAY_ONLY", "-DRISE_NO_SIMD", f"-DPLAYER_BUILD={name}", "-x", "c",
                "-c", "tests/player_builds.h", "-o", name + ".o"], must)
                for name, macros in players.items())
            command += ['-DRISE_SELF="tests/shared_kernels.h"', f"tests/{test}.c", "kernels.o",
                        *(name + ".o" for name in players), "-o", test, "-lm"]
            self.built[test] = good and self.compile(command, must)
        return self.built[test]

    def run(self, unit):
        """Returns whether the tests of a unit pass within their time limit."""
        folder = os.path.join(self.out, "run")
        shutil.rmtree(folder, ignore_errors=True)  # what a killed program left
        os.makedirs(folder)
        with open(os.path.join(self.out, "log.txt"), "w", encoding="utf-8") as log:
            child = subprocess.Popen([f"../{unit.test}", *unit.names], cwd=folder, stdout=log,
                                     stderr=log, start_new_session=True,
                                     preexec_fn=limits_of(int(3 + 3 * unit.cpu)))
            try:
                return child.wait(20 + 10 * unit.wall) == 0  # others may use the processor
            except subprocess.TimeoutExpired:
                return False
            finally:
                try:
                    os.killpg(child.pid, signal.SIGKILL)  # also processes that the test started
                except ProcessLookupError:
                    pass
                child.wait()

    def run_correct(self, unit):
        """Runs a unit on the correct rise.h. Returns (processor time, wall time, its output)."""
        start, before = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
        good = self.run(unit)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        with open(os.path.join(self.out, "log.txt"), encoding="utf-8") as log:
            text = log.read()
        if not good:
            sys.exit(f"{unit} fails without a mutation:\n{text[-2000:]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return cpu, time.time() - start, text

    def measure(self, test, coverage):
        """Splits the tests of a file into units and runs each. Returns (units, lines that gcov
        knows)."""
        self.build(test, coverage, must=True)
        cpu, wall, text = self.run_correct(Unit(test, [], False))
        times = re.findall(r"^\w+/(\w+) +([\d.]+) s ", text, re.M)
        share = min(1.0, cpu / wall)  # of the processor, which others use too
        slow = [name for name, seconds in times if float(seconds) * share > SLOW]
        quick = [name for name, _ in times if name not in slow]
        units = [Unit(test, quick, False)] if quick else []
        units += [Unit(test, [name], True) for name in slow]
        known = set()
        for unit in units:
            self.forget_counts()
            unit.cpu, unit.wall, _ = self.run_correct(unit)
            if coverage:
                unit.lines = self.read_counts(known)
        print(f"{test}: {len(quick)} quick tests, {len(slow)} slow ones", flush=True)
        return units, known

    def forget_counts(self):
        for path in glob.glob(os.path.join(self.out, "*.gcda")):
            os.remove(path)

    def read_counts(self, known):
        """Returns the lines of rise.h that the last run has run. Adds those that have counts to
        `known`."""
        lines = set()
        paths = glob.glob(os.path.join(self.out, "*.gcda"))
        text = subprocess.run(["gcov", "--json-format", "--stdout", *paths], cwd=self.out,
                              check=True, capture_output=True, text=True).stdout
        for part in text.splitlines():
            for file in json.loads(part)["files"]:
                if os.path.basename(file["file"]) == "rise.h":
                    known.update(line["line_number"] for line in file["lines"])
                    lines.update(line["line_number"] for line in file["lines"] if line["count"])
        return lines

    def prepare(self, tests):
        """Measures the tests, except for those that were measured before and did not change."""
        coverage = None
        if shutil.which("gcc") and shutil.which("gcov"):
            coverage = ["gcc", "--coverage"]
        path = os.path.join(self.out, "measured.json")
        headers = sorted(glob.glob("tests/*.h") + glob.glob("examples/*.h")) + ["rise.h"]
        saved = json.loads(read_text(path) or "{}")
        for test in tests:
            sources = [f"tests/{test}.c"] + (glob.glob("tests/fuzz/*.c") if test == "fuzz" else [])
            key = key_of(FLAGS, headers + sorted(sources))
            if saved.get(test, {}).get("key") != key:
                units, known = self.measure(test, coverage)
                saved[test] = {"key": key, "known": sorted(known), "units": [
                    dict(vars(unit), lines=unit.lines and sorted(unit.lines)) for unit in units]}
                with open(path, "w", encoding="utf-8") as file:
                    json.dump(saved, file)
            self.known_lines.update(saved[test]["known"])
            self.units += [Unit(**values) for values in saved[test]["units"]]

    def units_for(self, room, number):
        """Returns the units that run a line, or may run it: quick ones first, and among them those
        of the room first."""
        order, own = tests_for(room), TESTS.get(room, "").split()
        units = [unit for unit in self.units
                 if unit.test in order and str(unit) != LEFT_OUT
                 and (unit.cpu <= LONGEST or unit.test in own)]
        running = [unit for unit in units if unit.lines is None or number in unit.lines]
        if number in self.known_lines and running:
            units = [unit for unit in units if unit in running or unit.test in NEVER_SKIPPED]
        return sorted(units, key=lambda unit: (unit.slow, unit.slow and unit.test not in own,
                                               order.index(unit.test), unit.cpu))

    def judge(self, mutant, source):
        """Returns the unit that kills the mutant, None for a survivor, or 'compiler'."""
        lines = source.split("\n")
        lines[mutant.number - 1] = mutant.line
        with open(os.path.join(self.out, "rise.h"), "w", encoding="utf-8") as file:
            file.write("\n".join(lines))
        self.built = {}
        for unit in self.units_for(mutant.room, mutant.number):
            if not self.build(unit.test):
                return "compiler" if len(self.built) == 1 else unit.test
            if not self.run(unit):
                return str(unit)
        return None


def tests_for(room):
    names = TESTS.get(room, "").split()
    return names + [name for name in EVERY.split() if name not in names]


def draw(source, wanted, seed):
    """Returns the mutants of the wanted rooms in a random order, one of each room in turn."""
    first, last = (int(n) for n in os.environ.get("LINES", "1-999999").split("-"))
    found = find_mutants(source, wanted, first, last)
    order = random.Random(seed)
    for room in wanted:
        order.shuffle(found[room])
    queue = []
    for i in range(max(len(mutants) for mutants in found.values())):
        queue += [found[room][i] for room in wanted if i < len(found[room])]
    return [mutant for mutant in queue if not mutant.old.startswith("(void)")]  # without effect


def read_verdicts(path):
    """Returns {mutant: the unit that killed it} of an earlier run."""
    text = read_text(path) if os.environ.get("REUSE") else ""
    pairs = [line.split(": ", 1) for line in text.splitlines()]
    return {name: killer for killer, name in pairs}


class Tally:
    def __init__(self):
        self.tested = self.killed = self.equivalent = 0
        self.start = time.time()

    def __str__(self):
        survived = self.tested - self.killed - self.equivalent
        share = 100.0 * self.killed / max(1, self.tested - self.equivalent)
        return (f"{self.tested} mutants: {self.killed} killed, {self.equivalent} equivalent, "
                f"{survived} survived; {share:.1f}% of those not equivalent killed; "
                f"{time.time() - self.start:.0f} s")


def main():
    os.chdir(os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
    count, seed = int(sys.argv[1]), int(sys.argv[2])
    wanted = os.environ.get("ROOMS", ROOMS).split()
    with open("rise.h", encoding="utf-8") as file:
        source = file.read()
    known = read_known("tests/mutants.txt")
    queue = draw(source, wanted, seed)
    print(f"{len(queue)} possible mutants, seed {seed}", flush=True)
    if os.environ.get("LIST"):
        print(*queue[:count], sep="\n")
        return
    compiler = os.environ.get("CC") or ("clang" if shutil.which("clang") else "cc")
    out = os.environ.get("OUT", "build/mutants")
    os.makedirs(out, exist_ok=True)
    verdicts = read_verdicts(os.path.join(out, "killed.txt"))
    tally = Tally()
    bench = Bench(out, compiler.split())
    bench.prepare(sorted({test for room in wanted for test in tests_for(room)}))
    with open(os.path.join(out, "killed.txt"), "w", encoding="utf-8") as killed:
        for mutant in queue:
            if tally.tested == count:
                break
            if (mutant.room, mutant.text) in known:
                tally.tested += 1
                tally.equivalent += 1
                continue
            killer = verdicts.get(str(mutant)) or bench.judge(mutant, source)
            if killer is not None:
                print(f"{killer}: {mutant}", file=killed, flush=True)
            if killer == "compiler":
                continue
            tally.tested += 1
            tally.killed += killer is not None
            if killer is None or os.environ.get("VERBOSE"):
                print("survived" if killer is None else f"killed by {killer}", mutant, flush=True)
    print(tally)
    if tally.tested < count:
        print(f"there are no more than {tally.tested} mutants")


main()
