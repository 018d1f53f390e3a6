"""Learns CartPole-v1 of Gymnasium from its four numbers, and prints the score of 100 greedy games.

    pip install gymnasium numpy
    python3 examples/cartpole.py [seed [field=value ...]]

A field such as n_step=5 replaces its value in FIELDS. rise.h explains the fields. After every 5000
steps, 100 greedy games are played. Training stops when their mean score is at least 490 of 500.
Other games give the score that is printed.
"""

import sys
import time

import gymnasium
import numpy as np

import rise

STEPS, PART = 50_000, 5000
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
}


def train(agent, steps, env, seed=None):
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
    return float(scores.mean())


def learn(seed, fields):
    """Returns an agent that plays as well as the best part of training, and the steps trained."""
    fields = {**FIELDS, **fields, "seed": seed}
    agent, best = rise.Agent(**fields), rise.Agent(**fields, play_only=True)
    env, high, steps = gymnasium.make("CartPole-v1"), 0.0, 0
    while steps < STEPS and high < 490:
        train(agent, PART, env, seed if steps == 0 else None)
        steps += PART
        score = evaluate(agent, seed)
        if score > high:
            high = score
            agent.publish(best)
    return best, steps


def main(seed=1, *fields):
    began = time.perf_counter()
    agent, steps = learn(int(seed), dict(text.split("=") for text in fields))
    seconds = time.perf_counter() - began
    print(f"score {evaluate(agent, 10_000 + int(seed)):.1f} after {steps} steps in {seconds:.1f} s")


if __name__ == "__main__":
    main(*sys.argv[1:])
