"""Learns CartPole-v1 of Gymnasium from its four numbers, and prints the score.

    pip install gymnasium numpy
    python3 examples/cartpole.py [--hide-velocities] [--memory none|rise] [seed [field=value ...]]

Options come first, and fields need the seed before them. A field such as n_step=5 replaces its
value in FIELDS and HIDDEN. rise.h explains the fields. After every 5000 steps, 100 greedy episodes
are played. Training stops when their mean score is at least 490, or after 50,000 steps (150,000
with --hide-velocities). The highest possible score is 500. The printed score is the mean of 100
other greedy episodes, played by the agent with the best mean score so far.

With --hide-velocities, the agent sees only the position and the angle, and needs memory: the
velocities follow from earlier numbers and actions. Add --memory none to see the score without
memory.
"""

import argparse
import time

import gymnasium
import numpy as np

import rise

STEPS, PART = 50_000, 5000
FIELDS = {
    "numbers": 4,  # position, velocity, angle, angular velocity
    "actions": 2,
    "players": 100,  # episodes that are played at once to measure the score
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
HIDDEN_STEPS = 150_000
HIDDEN = {  # what differs when the velocities are hidden
    "numbers": 2,  # position, angle
    "memory": "rise",
    "window": 16,
    "feed_action": 1,
    "n_step": 3,
    "discount": 0.99,
    "learning_rate_steps": 100_000,
}
# With random actions, the cart stays near the middle: the standard deviation of its position is
# 0.07 m. rise.h clamps standardised numbers at 8 standard deviations, which is 0.57 m here, and
# the track ends at 2.4 m. HIDDEN_SCALE multiplies the position by 0.003. The standard deviation of
# the product is far below 0.001, so rise.h divides the product by about 0.001. +-2.4 m then becomes
# +-7, and nothing is clamped.
HIDDEN_SCALE = np.array([0.003, 1], np.float32)


def shown(agent, numbers):
    """Returns what the agent sees: all numbers, or only the position and the angle."""
    return numbers[..., ::2] * HIDDEN_SCALE if agent.numbers == 2 else numbers


def train(agent, steps, env, seed=None):
    """Trains for `steps` steps. Begins with FIRST, which truncates an unfinished episode."""
    numbers, _ = env.reset(seed=seed)
    reward, event = 0.0, rise.FIRST
    for _ in range(steps):
        action = agent.step(numbers=shown(agent, numbers), reward=reward, event=event)
        numbers, reward, terminated, truncated, _ = env.step(action)
        event = rise.MIDDLE
        if terminated or truncated:  # the agent also sees the last numbers of an episode
            event = rise.TERMINATED if terminated else rise.TRUNCATED
            agent.step(numbers=shown(agent, numbers), reward=reward, event=event)
            numbers, _ = env.reset()
            event = rise.FIRST


def evaluate(agent, seed, game="CartPole-v1"):
    """Returns the mean score of one greedy episode of each player."""
    count = agent.players
    env = gymnasium.make_vec(game, count)
    numbers, _ = env.reset(seed=seed)
    scores, rewards, plays = np.zeros(count), np.zeros(count), np.full(count, True)
    events = np.full(count, rise.FIRST)
    while plays.any():
        actions = agent.play_all(rewards, events, numbers=shown(agent, numbers))
        numbers, rewards, terminated, truncated, _ = env.step(actions)
        scores += rewards * plays
        plays &= ~(terminated | truncated)
        events = np.where(plays, rise.MIDDLE, rise.ABSENT)
    return float(scores.mean())


def learn(seed, fields, limit=STEPS):
    """Returns a copy of the agent from its best evaluation, and the number of steps trained."""
    fields = {**FIELDS, **fields, "seed": seed}
    agent, best = rise.Agent(**fields), rise.Agent(**fields, play_only=True)
    env, high, steps = gymnasium.make("CartPole-v1"), 0.0, 0
    while steps < limit and high < 490:
        train(agent, PART, env, seed if steps == 0 else None)
        steps += PART
        score = evaluate(agent, seed)
        if score > high:
            high = score
            agent.publish(best)
    return best, steps


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    add = parser.add_argument
    add("--hide-velocities", action="store_true", help="the agent sees position and angle only")
    add("--memory", choices=("none", "rise"),
        help="[none; with --hide-velocities: rise, a recurrent net]")
    add("seed", type=int, nargs="?", default=1, help="of the agent and the games [1]")
    add("fields", nargs="*", metavar="field=value",
        help="a field of rise_agent_desc in rise.h, such as n_step=5")
    arguments = parser.parse_args()
    fields = dict(HIDDEN) if arguments.hide_velocities else {}
    if arguments.memory:
        fields["memory"] = arguments.memory
    for text in arguments.fields:
        name, equals, value = text.partition("=")
        if not equals or name in ("seed", "play_only"):
            parser.error(f"{text}: field=value is needed, and not seed or play_only")
        fields[name] = value
    began = time.perf_counter()
    limit = HIDDEN_STEPS if arguments.hide_velocities else STEPS
    agent, steps = learn(arguments.seed, fields, limit)
    seconds = time.perf_counter() - began
    score = evaluate(agent, 10_000 + arguments.seed)
    print(f"score {score:.1f} after {steps} steps in {seconds:.1f} s")


if __name__ == "__main__":
    main()
