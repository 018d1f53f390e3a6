"""Learns CartPole-v1 of Gymnasium from its four numbers, and prints the score of 100 greedy games.

    pip install gymnasium numpy
    python3 examples/cartpole.py [seed [field=value ...]]

A field such as n_step=5 replaces its value in FIELDS. rise.h explains the fields. The score is the
mean of 100 games, which are played at once: each is a player of the agent.
"""

import sys
import time

import gymnasium
import numpy as np

import rise

STEPS = 50_000
FIELDS = {
    "numbers": 4,  # position, speed, angle, angular speed
    "actions": 2,
    "players": 100,  # games that are played at once to measure the score
    "memory": "none",  # nothing is hidden
    "frame_stack": 1,
    "n_step": 10,
    "discount": 0.98,
    "learning_rate": 1e-3,
    "learning_rate_steps": STEPS,
    "target_period": 20,
    "target_rate": 0.05,
    "munchausen": 1,
    "temperature": 0.3,
}


def train(agent, steps, seed):
    env = gymnasium.make("CartPole-v1")
    numbers, _ = env.reset(seed=seed)
    reward, event = 0.0, rise.FIRST
    for _ in range(steps):
        action = agent.step(numbers=numbers, reward=reward, event=event)
        numbers, reward, terminated, truncated, _ = env.step(action)
        event = rise.MIDDLE
        if terminated or truncated:  # the agent also sees the last numbers of a game
            event = rise.TERMINATED if terminated else rise.TRUNCATED
            agent.step(numbers=numbers, reward=reward, event=event)
            numbers, _ = env.reset()
            event = rise.FIRST


def evaluate(agent, seed):
    """Returns the mean score of one greedy game of each player."""
    count = agent.players
    env = gymnasium.make_vec("CartPole-v1", count, vectorization_mode="vector_entry_point")
    numbers, _ = env.reset(seed=seed)
    scores, plays = np.zeros(count), np.full(count, True)
    events = np.full(count, rise.FIRST)
    while plays.any():
        actions = agent.play_all(np.zeros(count), events, numbers=numbers)
        numbers, rewards, terminated, truncated, _ = env.step(actions)
        scores += rewards * plays
        plays &= ~(terminated | truncated)
        events = np.where(plays, rise.MIDDLE, rise.ABSENT)
    return scores.mean()


def main(seed=1, *fields):
    seed = int(seed)
    agent = rise.Agent(**{**FIELDS, "seed": seed, **dict(text.split("=") for text in fields)})
    began = time.perf_counter()
    train(agent, STEPS, seed)
    seconds = time.perf_counter() - began
    print(f"score {evaluate(agent, 10_000 + seed):.1f} after {STEPS} steps in {seconds:.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
