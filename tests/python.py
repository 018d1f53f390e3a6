#!/usr/bin/env python3
"""Tests examples/rise.py, the binding for Python, and the functions of examples/cartpole.py.

    python3 tests/python.py

Needs gymnasium, numpy and a C compiler, $CC or cc. The binding builds its library in a new folder,
so that the test never uses an old one. Ends with "N passed, N failed".
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile

for package in ("gymnasium", "numpy"):
    if importlib.util.find_spec(package) is None:
        print(f"python.py: skipped, {package} is not installed")
        print("0 passed, 0 failed")
        sys.exit(0)

import numpy as np

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FRAMES = {"frame_width": 6, "frame_height": 5, "frame_channels": 2, "actions": 3, "seed": 9}
counts = {True: 0, False: 0}
random = np.random.default_rng(410)

# Steps an agent with lists and bytes alone, then prints its actions.
PLAIN = """
import sys
sys.modules["numpy"] = None  # as if it were not installed
import rise
assert rise.numpy is None
agent = rise.Agent(numbers=2, frame_width=2, frame_height=1, actions=5, environments=2)
actions = []
for t in range(30):
    events, frames = [rise.MIDDLE if t else rise.FIRST] * 2, bytes([t, 9, 7, 8])
    frames = frames if t % 3 else [frames[:2], list(frames[2:])]
    numbers = [t, 1.5, 2.5, t] if t % 2 else [[t, 1.5], (2.5, t)]
    actions += agent.step_all([0, t], events, frames, numbers)
print(actions)
"""


def check(what, good, why="differs"):
    counts[bool(good)] += 1
    if not good:
        print(f"{what}: {why}")


def refused(what, call, kind, *words):
    """Checks that `call` raises `kind` with a sentence that has these words."""
    try:
        call()
        check(what, False, "no exception")
    except kind as error:
        check(what, all(word in str(error) for word in words), f'"{error}"')


def test_build(rise, folder):
    """The library is built once, beside rise.py, and again when rise.h has changed."""
    library = [name for name in os.listdir(folder) if name.startswith("librise")]
    check("build: one library", len(library) == 1, library)
    path = os.path.join(folder, library[0])
    before = os.stat(path)
    environment = {**os.environ, "CC": "no-such-compiler"}
    command = [sys.executable, "-c", "import rise"]
    again = subprocess.run(command, cwd=folder, env=environment, check=False)
    check("build: not twice", again.returncode == 0 and os.stat(path) == before)
    header = os.path.join(folder, "rise.h")
    with open(header, "a", encoding="utf-8") as file:
        file.write("/* changed */\n")
    os.utime(header, (0, 0))  # older than the library
    for compiler in ("no-such-compiler", "false"):
        environment["CC"] = compiler
        again = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True,
                               check=False)
        check("build: again for a changed rise.h", again.returncode != 0)
        last = again.stderr.strip().rsplit("\n", 1)[-1]
        sentence = f'ImportError: "{compiler}" could not build the library from rise.h: install'
        check("build: remedy", last.startswith(sentence) and "set the variable CC" in last, last)
        check("build: no other traceback", again.stderr.count("Traceback") == 1, again.stderr)
    compilers = {}
    slow = "kill -INT $PPID; exec sleep 9"
    for name, ends in ("broken", "exit 1"), ("quick", "exit 0"), ("slow", slow):
        compilers[name] = os.path.join(folder, name + ".sh")
        with open(compilers[name], "w", encoding="utf-8") as file:
            file.write(f'while [ "$1" != -o ]; do shift; done\ncp "{path}" "$2"\n{ends}\n')

    def libraries():
        return sorted(name for name in os.listdir(folder) if name.startswith("librise"))

    for name in ("broken", "slow"):
        environment["CC"] = f"sh {compilers[name]}"
        # a shell that runs the tests in the background lets Python ignore SIGINT
        heeds = "import signal as s\ns.signal(s.SIGINT, s.default_int_handler)\nimport rise"
        again = subprocess.run([sys.executable, "-c", heeds], cwd=folder, env=environment,
                               capture_output=True, check=False)
        check(f"build: {name}: nothing stays", again.returncode != 0 and libraries() == library,
              libraries())
    locked = ["-c", "import os\nos.access = lambda *_: False\nimport rise"]
    again = subprocess.run([sys.executable, *locked], cwd=folder, env=environment, text=True,
                           capture_output=True, check=False)
    last = again.stderr.strip().rsplit("\n", 1)[-1]
    check("build: a folder that is not writable", f"cannot be written into {folder}: copy" in last,
          last)
    environment["CC"] = f"sh {compilers['quick']}"
    again = subprocess.run(command, cwd=folder, env=environment, check=False)
    check("build: the older library is removed",
          again.returncode == 0 and len(libraries()) == 1 and libraries() != library, libraries())
    shutil.copy(os.path.join(ROOT, "rise.h"), folder)
    os.rename(os.path.join(folder, libraries()[0]), path)


def test_training(rise, cartpole):
    """3000 steps of CartPole: counters, and a score that random actions do not reach."""
    fields = {**cartpole.FIELDS, "learn_start": 500, "epsilon_steps": 1000, "seed": 3}
    agents = [rise.Agent(**fields) for _ in range(2)]
    for agent in agents:
        cartpole.train(agent, 3000, cartpole.gymnasium.make("CartPole-v1"), 5)
    m = agents[0].metrics
    check("training: steps", m["steps"] == 3000, m)
    check("training: updates", m["updates"] == 2500 // 4, m)
    check("training: episodes", m["episodes"] > 10 and m["mean_return"] > 10, m)
    check("training: repeats", [m["loss"], m["mean_return"]] == [
        agents[1].metrics[name] for name in ("loss", "mean_return")])
    score = cartpole.evaluate(agents[0], 7)
    check("training: score", score > 60, f"{score}, where random actions score 22")
    check("training: score repeats", score == cartpole.evaluate(agents[0], 7))
    return agents[0]


class Hand:
    """Plays CartPole from the angle and its last change. Stands in for an agent of HIDDEN."""

    numbers, players, last = 2, 20, 0.0

    def play_all(self, _rewards, events, numbers):
        angle = numbers[:, 1]
        change = np.where(events == 0, 0.0, angle - self.last)  # RISE_FIRST is 0
        self.last = angle
        return (angle + 20 * change > 0).astype(int)


def test_hidden(rise, cartpole):
    """CartPole without velocities: what the agent sees, also far from the middle of the track."""
    fields = {**cartpole.FIELDS, **cartpole.HIDDEN, "learn_start": 500, "seed": 3}
    with_rewards, without = (rise.Agent(**{**fields, "feed_action": n}) for n in (1, 0))
    check("hidden: all of four", cartpole.shown(rise.Agent(**cartpole.FIELDS), 5) == 5)
    score = cartpole.evaluate(Hand(), 7)
    check("hidden: played by the angle", score > 400, score)
    seen = cartpole.shown(with_rewards, np.array([[1, 2, 3, 4], [5, 6, 7, 8]], np.float32))
    check("hidden: shown", (seen / cartpole.HIDDEN_SCALE == [[1, 3], [5, 7]]).all(), seen)
    for agent in (with_rewards, without):
        cartpole.train(agent, 520, cartpole.gymnasium.make("CartPole-v1"), 5)
        values = []
        for position in (1.9, 2.3):
            state = np.array([position, 0, 0.01, 0], np.float32)
            agent.play(numbers=cartpole.shown(agent, state), event=rise.FIRST)
            values.append(agent.values())
        check("hidden: positions differ", values[0] != values[1], values)
        score = cartpole.evaluate(agent, 7)
        check("hidden: score repeats", score == cartpole.evaluate(agent, 7), score)
    check("hidden: updates", with_rewards.metrics["updates"] == 5, with_rewards.metrics)


def test_files(rise, agent, folder):
    """Agents from files play, and a resumed agent learns, as the saved agent does.

    Smaller weights change Q a little: the largest differences were 0.033 * (1 + |Q|) with int8, and
    0.0018 * (1 + |Q|) with float16.
    """
    sizes = {}
    for what in rise.SAVES:
        path = os.path.join(folder, what + ".rise")
        agent.save(path, what)
        sizes[what] = os.path.getsize(path)
        copy = rise.Agent.load(path, play_only=True, players=2)
        fields = copy.describe()
        check(f"files: {what}: fields", fields["play_only"] == 1 and copy.players == 2, fields)
        bits = fields["weight_bits"]
        check(f"files: {what}: bits", bits == (8 if what == "int8" else 32), bits)
        limit = {"int8": 0.1, "float16": 0.01}.get(what, 0)
        for _ in range(20):
            numbers = random.normal(size=4)
            actions = [a.play(numbers=numbers, event=rise.FIRST) for a in (agent, copy)]
            q = np.array(agent.values())
            close = limit * (1 + abs(q))
            check(f"files: {what}: values", (abs(q - copy.values()) <= close).all(), q)
            gap = q[actions[0]] - q[actions[1]]  # 0 if both actions are equal
            check(f"files: {what}: action", gap <= 2 * close.max(), actions)
    for what, share in ("float16", 0.5), ("int8", 0.25):
        size = sizes.get(what, 0) / sizes["policy"]
        check(f"files: {what}: size", abs(size - share) < 0.05, sizes)
    copy = rise.Agent.load(os.path.join(folder, "all.rise"))
    check("files: metrics", all(copy.metrics[name] == agent.metrics[name]
                                for name in ("steps", "updates", "mean_return", "replay_ready")))
    for t in range(40):
        numbers, event = random.normal(size=4), rise.MIDDLE if t else rise.FIRST
        actions = [a.step(numbers=numbers, reward=1.0, event=event) for a in (agent, copy)]
        check("files: resumed", actions[0] == actions[1])
    check("files: resumed loss", agent.metrics["loss"] == copy.metrics["loss"])
    refused("files: a policy does not learn",
            lambda: rise.Agent.load(os.path.join(folder, "policy.rise")), rise.Error, "play_only")


def test_frames(rise):
    """bytes, rows of NumPy arrays and views with gaps are the same frame; step is step_all."""
    agents = [rise.Agent(**FRAMES) for _ in range(4)]
    for t in range(60):
        frame = random.integers(0, 256, (5, 6, 2), np.uint8)
        gaps = np.repeat(frame, 2, axis=1)[:, ::2]
        event = rise.MIDDLE if t % 20 else rise.FIRST
        actions = [a.step(f, reward=t % 3, event=event)
                   for a, f in zip(agents, (frame, frame.tobytes(), gaps))]
        actions += list(agents[3].step_all([t % 3], [event], frame))
        check("frames: action", len(set(actions)) == 1, actions)
    pair = rise.Agent(**FRAMES, environments=2)
    events, frames = [rise.FIRST] * 2, [frame, frame]
    check("frames: a list of arrays", len(pair.step_all([0, 0], events, frames)) == 2)
    refused("frames: a list of floats", lambda: pair.step_all([0, 0], events, [frame / 255.0] * 2),
            TypeError, "uint8")
    played = agents[0].play(frame, allowed=[False, True, False], event=rise.FIRST)
    check("frames: mask", played == 1 and len(agents[0].values()) == 3)
    for a in agents:
        a.learn()
    losses = [a.metrics["loss"] for a in agents]
    check("frames: loss", len(set(losses)) == 1 and losses[0] > 0, losses)


def test_players(rise):
    """A play_only agent gets what was learned; random players are random."""
    learner, player = rise.Agent(**FRAMES), rise.Agent(**FRAMES, play_only=True)
    frame = random.integers(0, 256, 60, np.uint8)
    for t in range(100):
        learner.step(frame, reward=t % 2, event=rise.MIDDLE if t else rise.FIRST)
    for _ in range(5):
        learner.learn()
    both = learner, player
    check("players: before", len({(a.play(frame, event=rise.FIRST), *a.values()) for a in both}) == 2)
    learner.publish(player)
    check("players: after", len({(a.play(frame, event=rise.FIRST), *a.values()) for a in both}) == 1)
    player.set_player(epsilon=1.0)
    check("players: random", len({player.play(frame, event=rise.FIRST) for _ in range(50)}) == 3)
    check("players: all", player.play_all([0], [rise.FIRST], frame).tolist()[0] in range(3))


def test_refusals(rise):
    """The sentences come from the library; a refused call changes nothing."""
    agent = rise.Agent(numbers=2, actions=2, memory="none")
    check("refusals: no values yet", agent.values() is None)
    for what, call, *words in (
        ("field", lambda: rise.Agent(wings=2), "wings"),
        ("value", lambda: rise.Agent(memory="elephant"), "memory", "elephant", "rise none full"),
        ("range", lambda: rise.Agent(numbers=2, actions=999), "actions", "999", "256"),
        ("no frame", lambda: rise.Agent(**FRAMES).step(event=rise.FIRST), "frame is NULL"),
        ("no numbers", lambda: agent.step(event=rise.FIRST), "numbers is NULL"),
        ("event", lambda: agent.step(numbers=[1, 2], event=rise.MIDDLE), "RISE_FIRST"),
        ("NaN", lambda: agent.step(numbers=[1, float("nan")], event=rise.FIRST), "number"),
        ("player", lambda: agent.play(numbers=[1, 2], player=7, event=rise.FIRST), "player is 7"),
        ("epsilon", lambda: agent.set_player(0, 2.0), "epsilon is 2"),
        ("learn", agent.learn, "transition"),
        ("learn_for", lambda: agent.learn_for(-1), "microseconds is -1"),
        ("publish", lambda: agent.publish(agent), "play_only"),
        ("save", lambda: agent.save("/no/such/folder/x"), "/no/such/folder/x"),
        ("load", lambda: rise.Agent.load("/no/such/file"), "/no/such/file"),
        ("damaged", lambda: rise.Agent.load(__file__), "rise.h"),
    ):
        refused("refusals: " + what, call, rise.Error, *words)
    refused("refusals: no event", lambda: agent.step(numbers=[1, 2]), TypeError, "event")
    refused("refusals: preset", lambda: rise.Agent("dqnn", numbers=2, actions=2), ValueError,
            "preset", "dqn rainbow btr r2d2")
    refused("refusals: kind", lambda: agent.save("x", "polcy"), ValueError,
            "agent all policy int8 float16")
    refused("refusals: size", lambda: agent.step(numbers=[1], event=rise.FIRST), ValueError,
            "numbers has 1", "2")
    refused("refusals: rewards", lambda: agent.step_all([1, 2], [0], numbers=[1, 2]), ValueError,
            "rewards has 2")
    refused("refusals: float frame",
            lambda: rise.Agent(**FRAMES).step(np.zeros(60), event=rise.FIRST), TypeError, "uint8")
    check("refusals: nothing happened", agent.metrics["steps"] == 0)
    agent.close()
    refused("refusals: closed", lambda: agent.step(numbers=[1, 2], event=rise.FIRST), rise.Error,
            "agent is NULL")


def body_of(kind, name):
    """Returns what is between the braces of a struct or an enum of rise.h, without comments."""
    with open(os.path.join(ROOT, "rise.h"), encoding="utf-8") as file:
        body = re.search(rf"typedef {kind} {name} {{(.*?)}} {name};", file.read(), re.S)[1]
    return re.sub(r"/\*.*?\*/", "", body, flags=re.S)


def test_enumerations(rise):
    """The binding has the words of rise.h, in the same order."""
    for name, words in ("SAVE", rise.SAVES), ("PRESET", rise.PRESETS):
        wanted = re.findall(rf"RISE_{name}_(\w+)", body_of("enum", f"rise_{name.lower()}"))
        wanted = [word.lower() for word in wanted if word != "COUNT"]
        check(f"enumerations: {name}", list(words) == wanted, wanted)
    events = re.findall(r"RISE_(\w+)", body_of("enum", "rise_event"))
    check("enumerations: event", [getattr(rise, name) for name in events] == list(range(5)), events)


def test_names(rise, folder):
    """metrics has every member of rise_metrics; describe reads back; lists need no NumPy."""
    body = body_of("struct", "rise_metrics")
    members = {name for line in re.findall(r"[^;]+", body) for name in re.findall(r"(\w+)\s*$", line)}
    agent = rise.Agent(preset="rainbow", **FRAMES, replay_capacity=30000)
    check("names: metrics", set(agent.metrics) == members, set(agent.metrics) ^ members)
    check("names: isa", agent.metrics["isa"] in ("c", "ref", "avx2", "avx512", "neon"))
    fields = agent.describe()
    check("names: preset", fields["head"] == "c51" and fields["noisy"] == 1 and fields["seed"] == 9)
    plain = rise.Agent(preset="rainbow", **FRAMES, noisy=0).describe()
    check("names: 0 beside a preset", plain["noisy"] == 0 and plain["head"] == "c51", plain)
    check("names: describe", rise.Agent(**fields).describe() == fields)
    plain = subprocess.run([sys.executable, "-c", PLAIN], cwd=folder, capture_output=True, text=True,
                           check=False)
    agent = rise.Agent(numbers=2, frame_width=2, frame_height=1, actions=5, environments=2)
    actions = []
    for t in range(30):
        events = np.full(2, rise.MIDDLE if t else rise.FIRST)
        frames = np.array([[t, 9], [7, 8]], np.uint8)
        numbers = np.array([[t, 1.5], [2.5, t]])
        actions += agent.step_all(np.array([0, t]), events, frames, numbers).tolist()
    check("names: without NumPy", plain.stdout.strip() == str(actions), plain.stderr or plain.stdout)


def main():
    with tempfile.TemporaryDirectory() as folder:
        for name in ("rise.h", "examples/rise.py", "examples/cartpole.py"):
            shutil.copy(os.path.join(ROOT, name), folder)
        sys.path.insert(0, folder)
        import cartpole
        import rise

        test_build(rise, folder)
        test_files(rise, test_training(rise, cartpole), folder)
        test_hidden(rise, cartpole)
        test_frames(rise)
        test_players(rise)
        test_refusals(rise)
        test_enumerations(rise)
        test_names(rise, folder)
    print(f"{counts[True]} passed, {counts[False]} failed")
    return counts[False] != 0


if __name__ == "__main__":
    sys.exit(main())
