#!/usr/bin/env python3
"""Compares rise.h with the DQN of Stable-Baselines3 on CartPole-v1, and writes a table.

    pip install gymnasium numpy stable-baselines3 torch
    python3 bench/cartpole.py [--seeds 10] [--steps 50000] [--report bench/cartpole.md]

Each finished seed is a line of --results. A run that was stopped goes on after the last one, and
only an agent whose fields have changed runs again. Delete the file to measure anew.

Both play one copy of the game and take the same number of steps. rise.h has the settings of
examples/cartpole.py. DQN has the settings of RL Baselines3 Zoo for CartPole-v1. For each seed, one
runs after the other, on one thread. The score is the mean of 100 greedy episodes after training.
Seconds are processor time of training: other programs on the machine change them little.
"""

import argparse
import json
import os
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "examples"))

import gymnasium
import numpy as np
import stable_baselines3
import torch

import cartpole
import rise

ZOO = {  # rl-baselines3-zoo, hyperparams/dqn.yml, CartPole-v1
    "learning_rate": 2.3e-3,
    "batch_size": 64,
    "buffer_size": 100_000,
    "learning_starts": 1000,
    "gamma": 0.99,
    "target_update_interval": 10,
    "train_freq": 256,
    "gradient_steps": 128,
    "exploration_fraction": 0.16,
    "exploration_final_eps": 0.04,
    "policy_kwargs": {"net_arch": [256, 256]},
}
EPISODES = 100


def evaluate(choose, seed):
    """Returns the mean score of 100 games. `choose` maps numbers [100][4] to actions [100]."""
    env = gymnasium.make_vec("CartPole-v1", EPISODES, vectorization_mode="vector_entry_point")
    numbers, _ = env.reset(seed=seed)
    scores, plays = np.zeros(EPISODES), np.full(EPISODES, True)
    while plays.any():
        numbers, rewards, terminated, truncated, _ = env.step(choose(numbers))
        scores += rewards * plays
        plays &= ~(terminated | truncated)
    return float(scores.mean())


def ours(seed, steps):
    agent = rise.Agent(**{**cartpole.FIELDS, "seed": seed})
    began = time.process_time()
    cartpole.train(agent, steps, seed)
    seconds = time.process_time() - began
    return float(cartpole.evaluate(agent, 10_000 + seed)), seconds, agent.metrics["updates"]


def theirs(seed, steps):
    env = gymnasium.make("CartPole-v1")
    agent = stable_baselines3.DQN("MlpPolicy", env, seed=seed, device="cpu", **ZOO)
    began = time.process_time()
    agent.learn(steps)
    seconds = time.process_time() - began
    choose = lambda numbers: agent.predict(numbers, deterministic=True)[0]
    return evaluate(choose, 10_000 + seed), seconds, agent._n_updates


def report(results, steps):
    """Returns the table: a row for each agent."""
    lines = [
        f"`python3 bench/cartpole.py --seeds {len(results['rise.h'])} --steps {steps}`",
        "",
        "| agent | mean score | worst seed | seeds of 475 or more | updates | seconds |",
        "|---|---|---|---|---|---|",
    ]
    for name, rows in results.items():
        scores, seconds, updates = map(np.array, zip(*rows))
        lines.append(
            f"| {name} | {scores.mean():.0f} | {scores.min():.0f} | {(scores >= 475).sum()} of "
            f"{len(scores)} | {updates.mean():.0f} | {np.median(seconds):.1f} |"
        )
    lines += ["", "Scores of the seeds, in order:", ""]
    for name, rows in results.items():
        lines.append(f"* {name}: {' '.join(f'{score:.0f}' for score, *_ in rows)}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--results", default=os.path.join(ROOT, "build", "cartpole.jsonl"))
    parser.add_argument("--report", help="a file for the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.makedirs(os.path.dirname(os.path.abspath(arguments.results)), exist_ok=True)
    agents = {"rise.h": (ours, cartpole.FIELDS), "DQN of Stable-Baselines3": (theirs, ZOO)}
    rows = {name: [] for name in agents}
    with open(arguments.results, "a+") as file:
        file.seek(0)
        known = dict(json.loads(line) for line in file)
        for seed in range(1, arguments.seeds + 1):
            for name, (run, fields) in agents.items():
                key = json.dumps([name, fields, arguments.steps, seed])
                if key not in known:
                    known[key] = run(seed, arguments.steps)
                    print(json.dumps([key, known[key]]), file=file, flush=True)
                rows[name].append(known[key])
                score, seconds, _ = known[key]
                print(f"seed {seed}: {name}: {score:.1f} in {seconds:.1f} s", flush=True)
    table = report(rows, arguments.steps)
    print(table)
    if arguments.report:
        with open(arguments.report, "w") as file:
            file.write(table)


if __name__ == "__main__":
    main()
