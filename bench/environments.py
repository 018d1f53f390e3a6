#!/usr/bin/env python3
"""Trains agents without memory and with RISE in environments that others wrote: POPGym, MiniGrid,
ViZDoom, MinAtar and Atari games. All agents have the default fields of examples/atari.c.

    python3 bench/environments.py --only popgym --seeds 3     trains, and prints the tables
    python3 bench/environments.py --report                    prints the tables

A run is one call of examples/atari.c, with a folder in build/environments. The result of a run is a
line of bench/environments.csv. Runs that have a line are not repeated. An interrupted run goes on.
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

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
RESULTS = os.path.join(ROOT, "bench", "environments.csv")
RUNS = os.path.join(ROOT, "build", "environments")
MEMORIES = ("none", "rise")
COLUMNS = ("task", "memory", "seed", "steps", "training", "best_agent", "seconds")


@dataclasses.dataclass
class Task:
    """An environment. `memory_pays` is what we expected before the first run."""

    name: str
    options: str  # of ./atari
    steps: int
    memory_pays: bool


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


TASKS = [
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
    """Returns the lines of the file of results, as dictionaries."""
    if not os.path.exists(RESULTS):
        return []
    with open(RESULTS, newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def run(task, memory, seed):
    """Trains one agent, or goes on with its run, and returns its line of results."""
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
    """Reads the steps, the two scores and the seconds at the end of a run's output."""
    steps, time = re.findall(r": (\S+) steps in (\S+), \d", text)[-1]
    training = re.findall(r"training episodes scored (\S+) on average", text)[-1]
    best = re.findall(r"more episodes greedily, the best agent scored (\S+) ", text)[-1]
    hours, minutes, seconds = map(int, time.split(":"))
    return steps, float(training), float(best), hours * 3600 + minutes * 60 + seconds


def train(tasks, seeds, processes):
    """Makes all runs that the file of results does not have."""
    known = {(r["task"], r["memory"], int(r["seed"])) for r in read_results()}
    todo = [(task, memory, seed) for task in tasks for seed in range(1, seeds + 1)
            for memory in MEMORIES if (task.name, memory, seed) not in known]
    with concurrent.futures.ThreadPoolExecutor(processes) as pool:
        for number, line in enumerate(pool.map(lambda each: run(*each), todo), 1):
            new = not os.path.exists(RESULTS)
            with open(RESULTS, "a", newline="", encoding="utf-8") as file:
                writer = csv.writer(file, lineterminator="\n")
                if new:
                    writer.writerow(COLUMNS)
                writer.writerow(line)
            print(f"{number} of {len(todo)}:", *line, flush=True)


def mean(scores):
    """Returns the mean and its 95% interval, from 10,000 bootstrap samples of the seeds."""
    draws = np.random.default_rng(1).choice(scores, (10_000, len(scores)))
    low, high = np.percentile(draws.mean(1), [2.5, 97.5])
    return f"{statistics.fmean(scores):.2f} [{low:.2f}, {high:.2f}]", low, high


def verdict(none, rise):
    """Compares two intervals."""
    if rise[1] > none[2]:
        return "higher"
    return "lower" if rise[2] < none[1] else "intervals overlap"


def report(tasks):
    """Prints a table of the tasks where we expected that memory pays, and one of the others."""
    results = read_results()
    for memory_pays in (True, False):
        print("\n| environment | steps | seeds | training, NONE | training, RISE | best agent, NONE "
              "| best agent, RISE | RISE's best agent is | RISE's time |\n" + "|---" * 9 + "|")
        for task in tasks:
            lines = [r for r in results if r["task"] == task.name]
            seeds = set.intersection(*({r["seed"] for r in lines if r["memory"] == memory}
                                       for memory in MEMORIES))
            if task.memory_pays != memory_pays or not seeds:
                continue

            def values(memory, column):
                return [float(r[column]) for r in lines
                        if r["memory"] == memory and r["seed"] in seeds]

            cells = {(memory, column): mean(values(memory, column))
                     for memory in MEMORIES for column in ("training", "best_agent")}
            time = sum(values("rise", "seconds")) / sum(values("none", "seconds"))
            print(f"| {task.name} | {task.steps // 1000}k | {len(seeds)} "
                  f"| {cells['none', 'training'][0]} | {cells['rise', 'training'][0]} "
                  f"| {cells['none', 'best_agent'][0]} | {cells['rise', 'best_agent'][0]} "
                  f"| {verdict(cells['none', 'best_agent'], cells['rise', 'best_agent'])} "
                  f"| {time:.1f} |")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="tasks whose name contains this text")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--processes", type=int, default=1, help="runs at a time")
    parser.add_argument("--report", action="store_true")
    arguments = parser.parse_args()
    tasks = [task for task in TASKS if arguments.only in task.name]
    if not arguments.report:
        subprocess.run(["make", "-s", "atari"], cwd=ROOT, check=True)
        train(tasks, arguments.seeds, arguments.processes)
    report(tasks)


if __name__ == "__main__":
    main()
