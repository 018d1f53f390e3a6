#!/usr/bin/env python3
"""Trains an agent without memory (NONE) and one with RISE in each environment of TASKS, and writes
tables of their scores into bench/environments.md. Others wrote the environments: POPGym, MiniGrid,
MiniWorld, ViZDoom, MinAtar and Atari games. All agents have the default fields of examples/atari.c.

    python3 bench/environments.py --only popgym --seeds 3     trains, and writes the tables
    python3 bench/environments.py --report                    writes the tables
    python3 bench/environments.py --check                     the page must have these tables

A run is one call of examples/atari.c, and has a folder in build/environments. A run that ends adds
a line to bench/environments.csv, after the lines of the runs that began before it. A run that has a
line is not repeated. A run that has a folder but no line is resumed, so a complete one is not
trained again.
"""

import argparse
import concurrent.futures
import csv
import dataclasses
import os
import re
import statistics
import subprocess
import sys

import bootstrap

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = os.path.join(ROOT, "bench", "environments.csv")
PAGE = os.path.join(ROOT, "bench", "environments.md")
RUNS = os.path.join(ROOT, "build", "environments")
MEMORIES = ("none", "rise")
COLUMNS = ("task", "memory", "seed", "steps", "training", "best_agent", "seconds")  # of RESULTS
HEADS = ("environment", "steps", "seeds", "training, NONE", "training, RISE", "best agent, NONE",
         "best agent, RISE", "RISE's best agent is", "RISE's time")


@dataclasses.dataclass
class Task:
    """An environment, and the steps of each run."""

    name: str
    options: str  # of ./atari
    steps: int
    memory_pays: bool  # what we expected before the first run


def popgym(name):
    return Task(f"popgym {name}", f"--env popgym:popgym-{name}-v0", 100_000, True)


def blank_minatar(name):
    return Task(f"minatar {name}, half of the frames black",
                f"--env MinAtar/{name}-v0 --blank 0.5", 400_000, True)


def doom(name, memory_pays):
    return Task(f"vizdoom {name}", f"--env Vizdoom{name}-v1 --keyword frame_skip=4 --size 42",
                100_000, memory_pays)


def minigrid(name):
    return Task(
        f"minigrid {name}",
        f"--env MiniGrid-{name}-v0 --wrap minigrid.wrappers:RGBImgPartialObsWrapper(tile_size=4)",
        200_000, True)


def miniworld(name):
    return Task(f"miniworld {name}", f"--env miniworld:MiniWorld-{name}-v0 --size 42 --colour",
                100_000, True)


TASKS = [
    Task("atari phoenix", "--game phoenix", 150_000, False),
    Task("atari freeway", "--game freeway", 150_000, False),
    Task("atari pong, half of the frames black", "--game pong --blank 0.5", 150_000, True),
    Task("atari breakout, half of the frames black", "--game breakout --blank 0.5", 100_000, True),
    blank_minatar("Breakout"),
    blank_minatar("SpaceInvaders"),
    blank_minatar("Asterix"),
    doom("PredictPosition", True),
    doom("TakeCover", False),
    doom("HealthGatheringSupreme", False),
    doom("MyWayHome", True),
    minigrid("MemoryS7"),
    minigrid("MemoryS9"),
    miniworld("TMaze"),  # needs a display: xvfb-run -a python3 bench/environments.py ...
    popgym("RepeatPreviousEasy"),
    popgym("RepeatFirstEasy"),
    popgym("AutoencodeEasy"),
    popgym("CountRecallEasy"),
    popgym("ConcentrationEasy"),
    popgym("HigherLowerEasy"),
    popgym("MineSweeperEasy"),
    popgym("BattleshipEasy"),
    popgym("PositionOnlyCartPoleEasy"),
    popgym("VelocityOnlyCartpoleEasy"),
    popgym("NoisyPositionOnlyCartPoleEasy"),
]


def read_results():
    """Returns the lines of bench/environments.csv as dictionaries: column name to text."""
    if not os.path.exists(RESULTS):
        return []
    with open(RESULTS, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(task, memory, seed):
    """Makes or resumes one run. Returns its line of bench/environments.csv."""
    folder = os.path.join(RUNS, re.sub(r"[^a-zA-Z0-9]+", "-", f"{task.name}-{memory}-{seed}"))
    os.makedirs(RUNS, exist_ok=True)
    resume = ["--resume"] if os.path.exists(os.path.join(folder, "run.txt")) else []
    command = ["./atari", *task.options.split(), "--memory", memory, "--seed", str(seed),
               "--steps", str(task.steps), "--folder", folder, "--plain", "--whole", *resume]
    with open(folder + ".txt", "a+", encoding="utf-8") as output:
        done = subprocess.run(command, cwd=ROOT, stdout=output, stderr=output, check=False)
        output.seek(0)
        text = output.read()
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)}\n{text}")
    return (task.name, memory, seed, *result(text))


def result(text):
    """Returns the steps, the two scores and the seconds, which a run prints at its end."""
    steps, time = re.findall(r": (\S+) steps in (\S+), \d", text)[-1]
    training = re.findall(r"training episodes scored (\S+) on average", text)[-1]
    best = re.findall(r"evaluation episodes, the best agent scored (\S+) ", text)[-1]
    hours, minutes, seconds = map(int, time.split(":"))
    return steps, float(training), float(best), hours * 3600 + minutes * 60 + seconds


def train(tasks, seeds, processes):
    """Makes all runs that bench/environments.csv does not have, and adds their lines."""
    known = {(r["task"], r["memory"], int(r["seed"])) for r in read_results()}
    todo = [(task, memory, seed) for task in tasks for seed in range(1, seeds + 1)
            for memory in MEMORIES if (task.name, memory, seed) not in known]
    with open(RESULTS, "a", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        if file.tell() == 0:
            writer.writerow(COLUMNS)
        with concurrent.futures.ThreadPoolExecutor(processes) as pool:
            for number, line in enumerate(pool.map(lambda each: run(*each), todo), 1):
                writer.writerow(line)
                file.flush()
                print(f"{number} of {len(todo)}:", *line, flush=True)


def mean(scores):
    """Returns the mean and both ends of its 95% interval."""
    return statistics.fmean(scores), *bootstrap.interval(scores)


def verdict(seeds, none, rise):
    """Compares RISE's mean with that of NONE, both from mean(). Returns the words of the table."""
    if seeds < 3:  # two intervals are apart too often by chance
        return "one seed" if seeds == 1 else "two seeds"
    if rise[1] > none[2]:
        return "higher"
    return "lower" if rise[2] < none[1] else "intervals overlap"


def text_of(score):
    """Returns a score with two decimals, or with fewer if it has many digits before the point."""
    return f"{score:.{2 if abs(score) < 10 else 1 if abs(score) < 100 else 0}f}"


def row(task, results):
    """Returns the row of a task, from the seeds that both agents have. None if there is no seed."""
    lines = [r for r in results if r["task"] == task.name]
    seeds = set.intersection(*({r["seed"] for r in lines if r["memory"] == memory}
                               for memory in MEMORIES))
    if not seeds:
        return None
    lines = [r for r in lines if r["seed"] in seeds]

    def values(memory, column):
        return [float(r[column]) for r in lines if r["memory"] == memory]

    means = {(column, memory): mean(values(memory, column))
             for column in ("training", "best_agent") for memory in MEMORIES}
    cells = [task.name, " and ".join(sorted({r["steps"] for r in lines})), len(seeds)]
    cells += [f"{text_of(value)} [{text_of(low)}, {text_of(high)}]"
              for value, low, high in means.values()]
    cells.append(verdict(len(seeds), means["best_agent", "none"], means["best_agent", "rise"]))
    time = sum(values("rise", "seconds")) / sum(values("none", "seconds"))
    return f"| {' | '.join(map(str, cells))} | {time:.1f} |"


def with_tables(page):
    """Returns the text of a page with new tables. A comment stands above each table."""
    results = read_results()
    for title, memory_pays in (("memory should pay", True), ("other tasks", False)):
        rows = [row(task, results) for task in TASKS if task.memory_pays == memory_pays]
        rows = [text for text in rows if text is not None]
        head = [f"| {' | '.join(HEADS)} |", "|---" * len(HEADS) + "|"]
        table = "\n".join([*head, *rows, ""]) if rows else ""
        mark = f"<!-- bench/environments.py writes this table: {title} -->\n"
        if page.count(mark) != 1:
            sys.exit(f"{PAGE} needs this line once, above the table:\n{mark}")
        above, below = page.split(mark)
        page = above + mark + table + re.sub(r"\A(\|.*\n)*", "", below)
    return page


def report(check):
    """Writes the tables into the page. With `check`, only compares the page with them."""
    with open(PAGE, encoding="utf-8") as file:
        page = file.read()
    new = with_tables(page)
    if not check:
        with open(PAGE, "w", encoding="utf-8") as file:
            file.write(new)
        return
    changed = new != page
    if changed:
        print(f"{PAGE} has other tables than bench/environments.csv gives: run --report")
    print(f"{int(not changed)} passed, {int(changed)} failed")
    sys.exit(int(changed))


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="tasks whose name contains this text")
    parser.add_argument("--seeds", type=int, default=3, help="of each agent in each task")
    parser.add_argument("--processes", type=int, default=1, help="runs at a time")
    parser.add_argument("--report", action="store_true", help="trains nothing, writes the tables")
    parser.add_argument("--check", action="store_true", help="trains nothing, compares the tables")
    arguments = parser.parse_args()
    tasks = [task for task in TASKS if arguments.only in task.name]
    if not (arguments.report or arguments.check):
        subprocess.run(["make", "-s", "atari"], cwd=ROOT, check=True)
        train(tasks, arguments.seeds, arguments.processes)
    report(arguments.check)


if __name__ == "__main__":
    main()
