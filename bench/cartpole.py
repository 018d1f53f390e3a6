#!/usr/bin/env python3
"""Compares rise.h with the DQN of Stable-Baselines3 on CartPole-v1, and writes a table.

    pip install gymnasium numpy stable-baselines3 torch
    python3 bench/cartpole.py [--seeds 10] [--steps 50000] [--report FILE]
    python3 bench/cartpole.py --task hidden --seeds 5
    python3 bench/cartpole.py --task acrobot --seeds 5 --peer-seeds 1

Each finished seed is a line of --results. The same command skips these seeds, also after a change
of rise.h or of examples/cartpole.py. A seed runs again only if --steps or the fields in TASKS have
changed. Delete the file to measure again.

All play one copy of the game. rise.h has the settings of examples/cartpole.py. DQN has the settings
of RL Baselines3 Zoo for CartPole-v1. Both take all steps. "rise.h, stops early" is learn() of the
example: every 5000 steps it plays 100 greedy games, and it stops when their mean is 490. Its
seconds include these games. For each seed, the agents run one after the other, on one thread. The
score is the mean of 100 other greedy games after training. Seconds are processor time of training,
the median of the seeds: other programs on the machine change them little.

--task hidden: CartPole-v1 without the two velocities. Both agents are learn() of the example with
its settings HIDDEN, RISE and NONE. Each stops early, or after HIDDEN_STEPS steps.
--task acrobot: Acrobot-v1 from its six numbers. A score is minus the steps of a game.
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

import bootstrap
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
ZOO_ACROBOT = {  # the same file, Acrobot-v1
    "learning_rate": 6.3e-4,
    "batch_size": 128,
    "buffer_size": 50_000,
    "learning_starts": 0,
    "gamma": 0.99,
    "target_update_interval": 250,
    "train_freq": 4,
    "gradient_steps": -1,
    "exploration_fraction": 0.12,
    "exploration_final_eps": 0.1,
    "policy_kwargs": {"net_arch": [256, 256]},
}
ACROBOT_STEPS = 100_000
ACROBOT = {
    **cartpole.FIELDS,
    "numbers": 6,
    "actions": 3,
    "n_step": 3,
    "discount": 0.99,
    "learning_rate_steps": ACROBOT_STEPS,
    "learn_period": 1,
    "target_period": 250,
    "target_rate": 1,
    "munchausen": 0,
    "epsilon_end": 0.1,
}
HIDDEN_NONE = {**cartpole.HIDDEN, "memory": "none"}
EPISODES = 100


def evaluate(choose, seed, game):
    """Returns the mean score of 100 games. `choose` maps numbers [100][n] to actions [100]."""
    env = gymnasium.make_vec(game, EPISODES)
    numbers, _ = env.reset(seed=seed)
    scores, plays = np.zeros(EPISODES), np.full(EPISODES, True)
    while plays.any():
        numbers, rewards, terminated, truncated, _ = env.step(choose(numbers))
        scores += rewards * plays
        plays &= ~(terminated | truncated)
    return float(scores.mean())


def ours(seed, steps, fields, game="CartPole-v1"):
    agent = rise.Agent(**{**fields, "seed": seed})
    began = time.process_time()
    cartpole.train(agent, steps, gymnasium.make(game), seed)
    seconds = time.process_time() - began
    return cartpole.evaluate(agent, 10_000 + seed, game), seconds, steps


def early(seed, steps, fields, _=None):
    began = time.process_time()
    agent, taken = cartpole.learn(seed, fields, steps)
    seconds = time.process_time() - began
    return cartpole.evaluate(agent, 10_000 + seed), seconds, taken


def theirs(seed, steps, fields, game="CartPole-v1"):
    env = gymnasium.make(game)
    agent = stable_baselines3.DQN("MlpPolicy", env, seed=seed, device="cpu", **fields)
    began = time.process_time()
    agent.learn(steps)
    seconds = time.process_time() - began
    choose = lambda numbers: agent.predict(numbers, deterministic=True)[0]
    return evaluate(choose, 10_000 + seed, game), seconds, agent.num_timesteps


TASKS = {  # the game, steps, and a row for each agent
    "full": ("CartPole-v1", cartpole.STEPS, {
        "rise.h": (ours, cartpole.FIELDS),
        "rise.h, stops early": (early, cartpole.FIELDS),
        "DQN of Stable-Baselines3": (theirs, ZOO),
    }),
    "hidden": ("CartPole-v1", cartpole.HIDDEN_STEPS, {
        "rise.h, RISE": (early, cartpole.HIDDEN),
        "rise.h, NONE": (early, HIDDEN_NONE),
    }),
    "acrobot": ("Acrobot-v1", ACROBOT_STEPS, {
        "rise.h": (ours, ACROBOT),
        "DQN of Stable-Baselines3": (theirs, ZOO_ACROBOT),
    }),
}


def report(results, task, steps):
    """Returns the table: a row for each agent."""
    goal = gymnasium.spec(TASKS[task][0]).reward_threshold  # CartPole 475, Acrobot -100
    seeds = max(map(len, results.values()))
    lines = [
        f"`python3 bench/cartpole.py --task {task} --seeds {seeds} --steps {steps}`, one thread. "
        f"Torch {torch.__version__}, Stable-Baselines3 {stable_baselines3.__version__}, Gymnasium "
        f"{gymnasium.__version__}.",
        "",
        f"| agent | mean score | 95% interval | worst seed | seeds of {goal:.0f} or more "
        "| mean steps | seconds |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rows in results.items():
        if not rows:
            continue
        scores, seconds, taken = map(np.array, zip(*rows))
        low, high = bootstrap.interval(scores)
        lines.append(
            f"| {name} | {scores.mean():.0f} | {low:.0f} to {high:.0f} | {scores.min():.0f} | "
            f"{(scores >= goal).sum()} of {len(scores)} | {taken.mean():.0f} | "
            f"{np.median(seconds):.1f} |"
        )
    lines += ["", "Scores of the seeds, in order:", ""]
    for name, rows in results.items():
        if rows:
            lines.append(f"* {name}: {' '.join(f'{score:.0f}' for score, *_ in rows)}")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--task", choices=TASKS, default="full")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--peer-seeds", type=int, default=10, help="of DQN, which is slow")
    parser.add_argument("--steps", type=int, help="of each seed [as the example]")
    parser.add_argument("--results", default=os.path.join(ROOT, "build", "cartpole.jsonl"))
    parser.add_argument("--report", help="a file for the table")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    os.makedirs(os.path.dirname(os.path.abspath(arguments.results)), exist_ok=True)
    game, default_steps, agents = TASKS[arguments.task]
    steps = arguments.steps or default_steps
    rows = {name: [] for name in agents}
    with open(arguments.results, "a+") as file:
        file.seek(0)
        known = dict(json.loads(line) for line in file)
        for seed in range(1, arguments.seeds + 1):
            for name, (run, fields) in agents.items():
                if run is theirs and seed > arguments.peer_seeds:
                    continue
                key = json.dumps([name, game, fields, steps, seed])
                if key not in known:
                    known[key] = run(seed, steps, fields, game)
                    print(json.dumps([key, known[key]]), file=file, flush=True)
                rows[name].append(known[key])
                score, seconds, _ = known[key]
                print(f"seed {seed}: {name}: {score:.1f} in {seconds:.1f} s", flush=True)
    table = report(rows, arguments.task, steps)
    print(table)
    if arguments.report:
        with open(arguments.report, "w") as file:
            file.write(table)


if __name__ == "__main__":
    main()
