#!/usr/bin/env python3
"""Tests examples/bridge.py: talks to it as env_bridge.h does, and compares it with environments.

    python3 tests/bridge.py

Needs Gymnasium, ale-py, MinAtar, MiniGrid, ViZDoom and pygame for all tests, and says what it
skips.

A replacement for Gymnasium has made-up environments that fail in ways that real ones do not. With
it, the child also receives corrupted messages. The child must answer each message or end. If it
prints a traceback, it must send an ERROR first.
"""

import importlib.util
import os
import random
import select
import shlex
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SCRIPT = os.path.join(ROOT, "examples", "bridge.py")
HEAD = struct.Struct("<4sIII")
HELLO, STEP, SPEC, STATE, ERROR, BYE = range(1, 7)
SLOW = 600  # seconds; a child that takes longer hangs, also on a busy machine

# The part of Gymnasium that bridge.py uses, with environments that count. Names say what they do.
STAND_IN = r'''
import os, subprocess, sys, time, types
import numpy

NAMES = "Good Prints Reads Raises Unplugged Wordless Leaves Surrogate Ragged Blind Huge Hangs "
NAMES = (NAMES + "Spins Smaller Wider Closes Forks Herds Splits Quits Mute").split()
registry = dict.fromkeys(f"Stub/{name}-v0" for name in NAMES)
logger = types.SimpleNamespace(ERROR=40, min_level=0)

class Discrete:
    def __init__(self, n, start=0):
        self.n, self.start = n, start
    def __repr__(self):
        return f"Discrete({self.n}, start={self.start})"

class Box:
    def __init__(self, shape):
        self.shape, self.dtype = shape, numpy.dtype("uint8")
        self.low, self.high = numpy.zeros(shape), numpy.full(shape, 255)

class Other:
    pass

spaces = types.SimpleNamespace(
    Discrete=Discrete, Box=Box, Dict=Other, Tuple=Other, MultiBinary=Other, MultiDiscrete=Other
)

class Env:
    spec = types.SimpleNamespace(max_episode_steps=None)
    made = 0

    def __init__(self, does, render_mode=None, length=7):
        self.does, self.length = does, length
        self.action_space = Discrete(6)
        self.observation_space = Box((2, 4, 5, 3) if does == "Blind" else (4, 5, 3))
        if does == "Wider":  # each environment has one number more than the one before it
            Env.made += 1
            self.observation_space = Box((3 + Env.made,))
        self.unwrapped, self.seed, self.count, self.played = self, 0, 0, 0
    def see(self):
        if self.does == "Ragged":
            return (1, (2, 3))
        if self.does == "Wider":
            return numpy.zeros(self.observation_space.shape)
        if self.does == "Smaller" and self.seed == 1:
            return numpy.zeros((1, 1, 3), numpy.uint8)
        shade = (self.seed * 50 + self.count * 10 + self.played) % 256
        return numpy.full((4, 5, 3), shade, numpy.uint8)
    def render(self):
        return self.see()
    def reset(self, seed=None):
        if seed is not None:
            self.seed, self.count = seed, 0
        self.count, self.played = self.count + 1, 0
        return self.see(), {}
    def step(self, action):
        self.played += 1
        getattr(self, self.does, lambda: None)()
        ended = self.played == self.length
        reward = 1e300 if self.does == "Huge" else action
        return self.see(), reward, ended and self.count % 2 > 0, ended, {}
    def close(self):
        if self.does in ("Closes", "Splits"):
            os.write(2, b"closed.")
            raise ValueError

    def Prints(self):
        print("RISE", flush=True)
        os.write(1, b"RISE")
        subprocess.run(["echo", "RISE"], check=True)
    def Reads(self):
        assert sys.stdin.read() == ""
    def Raises(self):
        raise ZeroDivisionError("so many words: " + 5000 * "\u00e4")
    def Unplugged(self):
        raise ConnectionResetError("no network")
    def Wordless(self):
        raise RuntimeError
    def Surrogate(self):
        raise ValueError("\ud800")
    def Leaves(self):
        os._exit(3)
    def Forks(self):
        worker = os.fork()
        if worker == 0:
            time.sleep(60)
            os._exit(0)
        os.write(2, b"%d" % worker)
        os._exit(3)
    def Herds(self):
        if os.fork() == 0:
            os.write(2, b"two")
        time.sleep(60)
    def Splits(self):
        if os.fork() == 0:
            sys.exit("this is not the end of the game")
        os.wait()
    def Quits(self):
        sys.exit("the window was closed")
    def Mute(self):
        class Mute(Exception):
            def __str__(self):
                return 7
        raise Mute
    def Hangs(self):
        time.sleep(1000)
    def Spins(self):
        while True:
            pass

def make(name, disable_env_checker, **settings):
    return Env(name[5:-3], **settings)
'''

passed = failed = 0
said = set()  # what is missing


def check(what, good, *shown):
    global passed, failed
    passed, failed = passed + bool(good), failed + (not good)
    if not good and failed <= 20:
        print(what, *(str(x)[-400:] for x in shown))
    return good


def missing(*packages):
    """Says which packages are missing."""
    absent = [name for name in packages if importlib.util.find_spec(name) is None]
    for name in absent:
        if name not in said:
            print(f"skipped: {name} is not installed")
            said.add(name)
    return bool(absent)


def message(kind, number, body=b""):
    return HEAD.pack(b"RISE", kind, number, len(body)) + body


def hello(name, settings=(), environments=1, frames=1, seed=0, version=3):
    return (
        struct.pack("<IIIQ", version, environments, frames, seed)
        + "\n".join([name, *settings]).encode()
    )


class Child:
    """bridge.py at the other end of a socket. The number of each of its messages is checked."""

    def __init__(self, options=(), folder=None, place=None):
        self.folder, self.place = folder, place  # of the modules, and where the child starts
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(SLOW)
        self.said, self.number = tempfile.TemporaryFile(), 0
        environment = {**os.environ, "PYTHONPATH": folder} if folder else None
        self.start([sys.executable, *options, SCRIPT], theirs, environment)
        theirs.close()

    def start(self, command, theirs, environment):
        self.process = subprocess.Popen(
            command,
            stdin=theirs,
            stdout=theirs,
            stderr=self.said,
            env=environment,
            cwd=self.place,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def read(self, size):
        data = b""
        while len(data) < size:
            piece = self.socket.recv(size - len(data))
            if not piece:
                raise EOFError(f"ended after {data!r}: {self.words()}")
            data += piece
        return data

    def answer(self):
        magic, kind, number, size = HEAD.unpack(self.read(HEAD.size))
        check(
            "head",
            magic == b"RISE" and number == max(self.number - 1, 0),
            magic,
            number,
            self.number,
        )
        return kind, self.read(size)

    def ask(self, kind, body=b""):
        self.socket.sendall(message(kind, self.number, body))
        self.number += 1
        return self.answer()

    def words(self):
        self.said.seek(0)
        return self.said.read().decode(errors="replace")

    def end(self):
        """Closes the socket. Returns the exit status; a child that does not end is a failure."""
        self.socket.close()
        return self.wait()

    def wait(self):
        try:
            return self.process.wait(SLOW)
        except subprocess.TimeoutExpired:
            check("the child hangs", False, self.words())
            self.process.kill()
            return self.process.wait()


class Forked(Child):
    """A copy of this process that becomes bridge.py, which is faster than a new process.

    `changed` holds other values of constants of bridge.py. If `leads` is true, the child leads a
    process group of its own, as env_bridge.h makes it.
    """

    def __init__(self, changed=(), leads=False, **how):
        self.changed, self.leads = dict(changed), leads
        super().__init__(**how)

    def start(self, command, theirs, environment):
        self.status = None
        self.process = os.fork()
        if self.process:
            return
        status = 1
        signal.alarm(SLOW)  # ends a child that hangs
        if self.leads:
            os.setpgid(0, 0)
        try:
            for target, source in enumerate((theirs.fileno(), theirs.fileno(), self.said.fileno())):
                os.dup2(source, target)
            self.socket.close()
            theirs.close()
            os.chdir(self.place or ".")
            sys.path.insert(0, self.folder)
            sys.stderr = os.fdopen(2, "w")
            bridge = bridge_module()
            for name, value in self.changed.items():
                setattr(bridge, name, value)
            bridge.main()
            status = 0
        except SystemExit as end:
            status = end.code
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def wait(self):
        if self.status is None:
            self.status = os.waitstatus_to_exitcode(os.waitpid(self.process, 0)[1])
        return self.status


def sizes_of(body):
    """Returns version, width, height, channels, actions and numbers of a SPEC."""
    return struct.unpack_from("<IIIIII", body)


def lines_of(body, part):
    """Returns the lines of the text of a SPEC: names (0) or facts (1)."""
    return body[24:].decode().split("\n\n")[part].split("\n")


def names_of(body):
    return lines_of(body, 0)


def refused(what, words, body, kind=HELLO, **how):
    """Checks that the child answers with an ERROR that contains these words, and ends."""
    refused_later(what, words, body, [], kind, **how)


def refused_later(what, words, body, steps, kind=HELLO, make=Child, **how):
    """As `refused`, but the child is sent further messages, and refuses the last."""
    with make(**how) as child:
        answered, text = child.ask(kind, body)
        for step in steps:
            check(what + ": goes on", answered in (SPEC, STATE), text)
            answered, text = child.ask(*step)
        check(
            what, answered == ERROR and all(word in text.decode() for word in words), answered, text
        )
        check(what + ": fits in an error of the bridge", len(text) < 400, len(text))
        check(what + ": ends", child.wait() in (0, 1) and child.socket.recv(1) == b"")
        check(
            what + ": no traceback where a sentence will do",
            "Traceback" not in child.words(),
            child.words(),
        )


# --------------------------------------------------------------------------------------------------
# The environments themselves


def no_image(_env, _observation):
    return b""


def no_numbers(_):
    return ()


class Direct:
    """An environment of Gymnasium, with frames and numbers as the protocol sends them."""

    def __init__(self, env, seed, frames, image, numbers):
        self.env, self.seed, self.frames = env, seed, frames
        self.image, self.numbers = image, numbers

    def reset(self):
        self.seen, _ = self.env.reset(seed=self.seed)
        self.seed, self.over = None, False
        self.shown = self.frames * [self.image(self.env, self.seen)]

    def step(self, action):
        self.seen, reward, terminated, truncated, _ = self.env.step(action)
        self.shown = [*self.shown[1:], self.image(self.env, self.seen)]
        return float(reward), 1 if terminated else 2 if truncated else 0

    def move(self, reset, actions):
        if reset:
            self.reset()
            for action in actions:
                if self.step(action)[1]:
                    self.reset()
            return 0, 0, 0.0
        total, ended, played = 0.0, 0, 0
        while played < len(actions) and not ended:
            reward, ended = self.step(actions[played])
            total, played = total + reward, played + 1
        if played < len(actions):
            self.shown = self.frames * self.shown[-1:]
        self.over = ended != 0
        return ended, played, total

    def bytes(self):
        frames = b"".join(x if isinstance(x, bytes) else x.tobytes() for x in self.shown)
        numbers = [float(number) for number in self.numbers(self.seen)]
        return frames + struct.pack(f"<{len(numbers)}f", *numbers)


def body_of(moves):
    return b"".join(bytes([reset, len(actions), *actions]) for reset, actions in moves)


def compare(
    what, name, settings, make, image, steps, most=4, environments=2, frames=2, seed=20513,
    numbers=no_numbers, **how
):
    """Makes random moves through the bridge and directly. Returns the ended episodes, by kind."""
    chance, ends = random.Random(seed), [0, 0, 0]
    twins = [Direct(make(), seed + i, frames, image, numbers) for i in range(environments)]
    with Child(**how) as child:
        kind, body = child.ask(HELLO, hello(name, settings, environments, frames, seed))
        if not check(what, kind == SPEC, body):
            return ends
        version, width, height, channels, actions, count = sizes_of(body)
        names, size = names_of(body), 8 + frames * height * width * channels + 4 * count
        check(
            what + ": names", version == 3 and names[0] == name and len(names) == 1 + actions, names
        )
        for t in range(steps):
            moves = []
            for twin in twins:
                reset = t == 0 or twin.over or chance.random() < 0.02
                moves.append(
                    (reset, [chance.randrange(actions) for _ in range(chance.randrange(most + 1))])
                )
            kind, body = child.ask(STEP, body_of(moves))
            expected = b""
            for twin, move in zip(twins, moves):
                ended, played, reward = twin.move(*move)
                ends[ended] += 1
                expected += struct.pack("<BBHf", ended, played, 0, reward) + twin.bytes()
            right = kind == STATE and len(body) == environments * size and body == expected
            if not check(f"{what}: step {t}", right, body[:200] if kind == ERROR else ""):
                return ends
        child.socket.sendall(message(BYE, child.number))
        check(what + ": BYE", child.wait() == 0 and child.socket.recv(1) == b"")
    return ends


def test_atari():
    if missing("gymnasium", "ale_py"):
        return
    import ale_py
    import gymnasium

    gymnasium.register_envs(ale_py)
    pong = ["frameskip=1", "repeat_action_probability=0.0", "obs_type=grayscale"]
    plain = {"frameskip": 1, "repeat_action_probability": 0.0, "obs_type": "grayscale"}

    def same(game, settings, steps, environments=2, **keywords):
        name = f"ALE/{game}-v5"
        what = f"{name} {settings}"
        return compare(
            what,
            name,
            settings,
            lambda: gymnasium.make(name, **keywords),
            lambda _, x: x,
            steps,
            4,
            environments,
        )

    same("Pong", pong, 150, **plain)
    check(
        "truncated",
        same(
            "Pong",
            [*pong, "max_num_frames_per_episode=60"],
            120,
            max_num_frames_per_episode=60,
            **plain,
        )[2]
        > 2,
    )
    check(
        "limited",
        same("Pong", [*pong, "max_episode_steps=30"], 60, max_episode_steps=30, **plain)[2] > 2,
    )
    same("Pong", ["frameskip=(2, 5)"], 30, 1, frameskip=(2, 5))
    check(
        "terminated", same("Breakout", [], 160, 1)[1] > 0
    )  # four frames a step, sticky, in colour


def test_not_quite_atari():
    """Only a game of ALE itself is stepped without Gymnasium."""
    if missing("gymnasium", "ale_py"):
        return
    import gymnasium
    import toys  # noqa: F401: registers the environments

    compare("a wrapper in the entry point", "toys:TenPong-v0", [],
            lambda: gymnasium.make("TenPong-v0"), lambda _, seen: seen, 20, folder=TOYS["folder"])
    compare("an attribute ale", "toys:Plain-v0", [], lambda: gymnasium.make("Plain-v0"), no_image,
            5, numbers=list, folder=TOYS["folder"])
    silent = {"frameskip": 1, "repeat_action_probability": 0.0}
    compare("sound", "ALE/Pong-v5", ["sound_obs=True", "--observation=image",
                                     *(f"{key}={value}" for key, value in silent.items())],
            lambda: gymnasium.make("ALE/Pong-v5", sound_obs=True, **silent),
            lambda _, seen: seen["image"], 10, environments=1)


def test_minatar():
    if missing("gymnasium", "minatar"):
        return
    import gymnasium
    import minatar.gym

    minatar.gym.register_envs()
    name = "MinAtar/Breakout-v1"

    def make():
        return gymnasium.make(name, sticky_action_prob=0.2)

    ends = compare(
        name,
        name,
        ["sticky_action_prob=0.2"],
        make,
        lambda _, planes: planes.astype("uint8") * 255,
        300,
    )
    check(name + " terminated", ends[1] > 5, ends)


def test_cartpole():
    if missing("gymnasium"):
        return
    if missing("pygame"):
        with Child() as child:
            kind, text = child.ask(HELLO, hello("CartPole-v1", ["--render"]))
            check(
                "CartPole tells what it misses",
                kind == ERROR and b"pygame" in text and b"pip install" in text,
                text,
            )
        return
    import gymnasium

    def make():
        return gymnasium.make("CartPole-v1", render_mode="rgb_array", sutton_barto_reward=True)

    ends = compare(
        "CartPole",
        "CartPole-v1",
        ["--render", "sutton_barto_reward=True"],
        make,
        lambda env, _: env.render(),
        60,
    )
    check("CartPole terminated", ends[1] > 0)


def one_hot(value, size):
    return [float(i == value) for i in range(size)]


def test_vectors():
    """Environments of Gymnasium whose observations are numbers."""
    if missing("gymnasium"):
        return
    import gymnasium

    for name, settings, keywords, numbers, frames in (
        ("CartPole-v1", [], {}, list, 1),
        ("CartPole-v1", ["max_episode_steps=9"], {"max_episode_steps": 9}, list, 2),
        ("Acrobot-v1", [], {}, list, 1),
        ("FrozenLake-v1", [], {}, lambda seen: one_hot(seen, 16), 1),
        ("Blackjack-v1", [], {}, lambda seen: [*one_hot(seen[0], 32), *one_hot(seen[1], 11),
                                               *one_hot(seen[2], 2)], 1),
    ):
        ends = compare(f"{name} {settings}", name, settings,
                       lambda: gymnasium.make(name, **keywords), no_image, 200, 4, 2, frames,
                       numbers=numbers)
        check(f"{name} ended", ends[1] + ends[2] > 3 or name == "Acrobot-v1", ends)
        with Child() as child:
            _, body = child.ask(HELLO, hello(name, settings))
            count = len(numbers(gymnasium.make(name).reset(seed=1)[0]))
            check(name + ": sizes", sizes_of(body)[1:4] == (0, 0, 0), sizes_of(body))
            check(name + ": numbers", sizes_of(body)[5] == count, sizes_of(body))
    if not missing("ale_py"):
        import ale_py

        gymnasium.register_envs(ale_py)
        compare("the RAM of Pong", "ALE/Pong-v5", ["obs_type=ram", "frameskip=1"],
                lambda: gymnasium.make("ALE/Pong-v5", obs_type="ram", frameskip=1), no_image, 40,
                numbers=list)


def test_refusals():
    if missing("gymnasium"):
        return
    refused(
        "unknown",
        ["no environment CartPoel-v1", "did you mean", "CartPole-v1"],
        hello("CartPoel-v1"),
    )
    refused("quite unknown", ["no environment qwertzuiop"], hello("qwertzuiop"))
    refused(
        "continuous",
        ["Pendulum-v1 has actions of the kind Box", "only Discrete"],
        hello("Pendulum-v1"),
    )
    refused("setting", ["does not know a setting", "colour"], hello("CartPole-v1", ["colour=red"]))
    if not missing("ale_py"):
        refused("unknown game", ["did you mean", "ALE/Pong-v5"], hello("ALE/Pogn-v5"))
        refused("continuous game", ["only Discrete"], hello("ALE/Pong-v5", ["continuous=True"]))


# --------------------------------------------------------------------------------------------------
# Spaces, wrappers and modules: toys.py, with the real Gymnasium

TOYS = {"make": Forked, "folder": os.path.dirname(os.path.abspath(__file__))}


def toy_child(place=None):
    return Forked(folder=TOYS["folder"], place=place)


def toy(**settings):
    """Returns HELLO for a Toy. Options of the bridge are a list of lines."""
    options = settings.pop("options", [])
    return hello("toys:Toy-v0", [*options, *(f"{key}={value}" for key, value in settings.items())])


def shown(what, expected, numbers=no_numbers, facts=None, **settings):
    """Checks what is sent after 0, 1 and 2 steps.

    `expected` returns the frame as [y][x][channel], or is None if there is no frame. `numbers`
    returns the numbers, and `facts` is how the facts begin.
    """
    with toy_child() as child:
        kind, body = child.ask(HELLO, toy(**settings))
        if not check(what, kind == SPEC, body):
            return
        _, width, height, channels, _, count = sizes_of(body)
        said = lines_of(body, 1)
        check(f"{what}: facts", facts is None or said[: len(facts)] == facts, said)
        for t, move in enumerate((bytes([1, 0]), bytes([0, 1, 1]), bytes([0, 1, 0]))):
            kind, body = child.ask(STEP, move)
            pixels, values = b"", [float(number) for number in numbers(t)]
            if expected is not None:
                pixels = expected(t).tobytes()
                size = expected(t).shape
                check(f"{what}: size", size == (height, width, channels), size)
            check(f"{what}: count", count == len(values), count)
            right = pixels + struct.pack(f"<{len(values)}f", *values)
            check(f"{what}: step {t}", kind == STATE and body[8:] == right, body[:99])


def test_images():
    """Each kind of observation space that holds an image."""
    import numpy
    from toys import picture

    def pixels(t):
        return picture(t)

    whole = "Box(0, 255, (4, 5, 3), uint8)"
    shown("bytes", pixels, observation=whole)
    shown("one channel", lambda t: picture(t, (4, 5, 1)), observation="Box(0, 255, (4, 5), uint8)",
          value="picture(t, (4, 5))")
    shown("channels first", lambda t: picture(t, (3, 4, 5)).transpose(1, 2, 0),
          observation="Box(0, 255, (3, 4, 5), uint8)", value="picture(t, (3, 4, 5))")
    shown("four frames first", lambda t: picture(t, (4, 40, 30)).transpose(1, 2, 0),
          observation="Box(0, 255, (4, 40, 30), uint8)", value="picture(t, (4, 40, 30))")
    shown("as many channels as pixels", lambda t: picture(t, (9, 9, 9)),
          observation="Box(0, 255, (9, 9, 9), uint8)", value="picture(t, (9, 9, 9))")
    shown("booleans", lambda t: (picture(t) % 2 * 255).astype("uint8"),
          observation="Box(0, 1, (4, 5, 3), bool)", value="picture(t) % 2 > 0")
    for high, kind in ((1, "float32"), (1, "numpy.float64"), (255, "float32"), (10, "float32")):
        shown(f"{kind} up to {high}", pixels, observation=f"Box(0, {high}, (4, 5, 3), {kind})",
              value=f"(picture(t) / 255 * {high}).astype({kind})")
    kinds = ((5, "uint8"), (5, "numpy.int64"), (51, "numpy.int32"), (65535, "numpy.uint16"))
    for high, kind in kinds:

        def stretched(t):
            return numpy.rint(picture(t).astype(int) % (high + 1) * (255 / high)).astype("uint8")

        shown(f"{kind} up to {high}", stretched,
              observation=f"Box(0, {high}, (4, 5, 3), {kind})",
              value=f"(picture(t).astype(int) % {high + 1}).astype({kind})")
    shown("a high for each channel",
          lambda t: (picture(t) % 2 * numpy.array([255, 51, 0])).astype("uint8"),
          observation="Box(numpy.zeros((4, 5, 3)), numpy.full((4, 5, 3), (1., 5., 0.)))",
          value="picture(t) % 2 * numpy.array([1., 1., 0.])")
    shown("rounding beyond the limit", lambda t: numpy.full((4, 5, 1), 255, "uint8"),
          observation="Box(0, 1, (4, 5), float32)", value="numpy.full((4, 5), 1.0001, float32)")
    shown("other integers than the space says", pixels, observation=whole,
          value="picture(t).astype(int)")


def test_parts():
    """Dict and Tuple: the only image, or the part that is named."""
    from toys import picture

    whole = "Box(0, 255, (4, 5, 3), uint8)"
    other = "'words': Text(9), 'sound': Box(-99, 99, (8, 2))"
    rest = "'words': '', 'sound': 0"
    shown("the only image of a Dict", picture, observation=f"Dict({{'eye': {whole}, {other}}})",
          value=f"{{'eye': picture(t), {rest}}}")
    two = {"observation": f"Dict({{'left': {whole}, 'right': {whole}}})",
           "value": "{'left': picture(t), 'right': picture(t + 1)}"}
    shown("left", picture, options=["--observation=left"], **two)
    shown("right", lambda t: picture(t + 1), options=["--observation=right"], **two)
    refused("two images", ["hold 2 images", "--observation: left, right"], toy(**two), **TOYS)
    refused("no such part", ["--observation up:", "have the parts left, right"],
            toy(options=["--observation=up"], **two), **TOYS)
    refused("two of two images", ["hold 2 images"],
            toy(options=["--observation=left,right"], **two), **TOYS)
    shown("the only image of a Tuple", picture, observation=f"Tuple((Text(2), {whole}))",
          value="('', picture(t))")
    shown("a number names a part", picture, options=["--observation=1"],
          observation=f"Tuple(({whole}, {whole}))", value="(None, picture(t))")
    shown("a Dict in a Dict", picture, options=["--observation=head/eye"],
          observation=f"Dict({{'head': Dict({{'eye': {whole}}}), 'hand': {whole}}})",
          value="{'head': {'eye': picture(t)}, 'hand': 0}")
    shown("rendered", picture, options=["--render"], observation="Box(-1, 1, (4,))",
          value="numpy.zeros(4, float32)")
    refused("no image", ["sound: values begin at -99", "words: Text is not a Box",
                         "--wrap gymnasium.wrappers:FlattenObservation makes a vector"],
            toy(observation=f"Dict({{{other}}})", options=["--observation=sound"]).replace(
                b"--observation=sound\n", b""), **TOYS)
    refused("not an image",
            ["--observation sound", "neither an image nor a vector of numbers: values begin at"],
            toy(observation=f"Dict({{{other}}})", options=["--observation=sound"]), **TOYS)
    refused("no parts", ["have no parts: leave out --observation"],
            toy(options=["--observation=eye"]), **TOYS)
    refused("never rendered", ["toys:Plain-v0 does not know a setting (--render): "],
            hello("toys:Plain-v0", ["--render"]), **TOYS)
    refused("never rendered, and a keyword", ["a setting (--keyword or --render): "],
            hello("toys:Plain-v0", ["--render", "t=1"]), **TOYS)
    refused("both", ["leave out --observation or --render"],
            toy(options=["--observation=eye", "--render"]), **TOYS)


def test_numbers_alone():
    """Each kind of observation space that becomes numbers."""
    shown("floats", None, lambda t: [t + 0.5, -t, 1e30],
          ["numbers: the observation of toys:Toy-v0"],
          observation="Box(-numpy.inf, numpy.inf, (3,))", value="numpy.array([t + .5, -t, 1e30])")
    shown("beyond its space", None, lambda t: [99, 2], observation="Box(0, 9, (2,))",
          value="numpy.array([99., 2.])")
    for kind in ("uint8", "numpy.int64", "numpy.float64", "numpy.float16", "bool"):
        shown(kind, None, lambda t: [t % 2, 1], observation=f"Box(0, 1, (2,), {kind})",
              value=f"numpy.array([t % 2, 1], {kind})")
    shown("a list", None, lambda t: [t, 7], observation="Box(0, 9, (2,))", value="[t, 7]")
    shown("one number", None, lambda t: [t], observation="Box(0, 9, (1,))", value="[t]")
    shown("no dimension", None, lambda t: [t], observation="Box(0, 9, ())", value="t")
    shown("as many as possible", None, lambda t: 1024 * [t], observation="Box(0, 9, (1024,))",
          value="numpy.full(1024, t)")
    shown("Discrete", None, lambda t: one_hot(t + 1, 4), observation="Discrete(4)", value="t + 1")
    shown("of numpy", None, lambda t: one_hot(t, 4), observation="Discrete(4)",
          value="numpy.int64(t)")
    shown("with a start", None, lambda t: one_hot(t, 3), observation="Discrete(3, start=-7)",
          value="t - 7")
    shown("MultiDiscrete", None, lambda t: [*one_hot(t, 3), *one_hot(1, 2)],
          observation="MultiDiscrete([3, 2])", value="numpy.array([t, 1])")
    shown("MultiDiscrete with a start", None, lambda t: [*one_hot(t, 3), *one_hot(1, 2)],
          observation="MultiDiscrete([3, 2], start=[5, -1])", value="numpy.array([t + 5, 0])")
    shown("MultiDiscrete of an earlier Gymnasium", None, lambda t: [*one_hot(t, 3), *one_hot(1, 2)],
          observation="without_start(MultiDiscrete([3, 2]))", value="numpy.array([t, 1])")
    shown("two dimensions", None, lambda t: [*one_hot(t, 3), 1, *one_hot(0, 2), 1],
          observation="MultiDiscrete([[3, 1], [2, 1]])", value="numpy.array([[t, 0], [0, 0]])")
    shown("MultiBinary", None, lambda t: [t % 2, 1, 0, 0], observation="MultiBinary((2, 2))",
          value="numpy.array([[t % 2, 1], [0, 0]], numpy.int8)")
    shown("flattened", None, lambda t: [t, 1, 2, 3], observation="Box(-9, 9, (2, 2))",
          value="numpy.array([[t, 1], [2, 3]], float32)",
          options=["--wrap=gymnasium.wrappers:FlattenObservation"])


def test_numbers_beside_images():
    """Dict and Tuple: an image and vectors, in the order of the space, or the parts named."""
    from toys import picture

    whole = "Box(0, 255, (4, 5, 3), uint8)"
    parts = {"observation": f"Dict({{'eye': {whole}, 'pose': Box(-9, 9, (2,)), 'side': Discrete(3),"
                            " 'words': Text(9)})",
             "value": "{'eye': picture(t), 'pose': [t, -t], 'side': t, 'words': ''}"}

    def both(t):
        return [t, -t, *one_hot(t, 3)]

    shown("both", picture, both,
          ["frames: the part eye of the observation of toys:Toy-v0",
           "numbers: the parts pose, side of the observation of toys:Toy-v0",
           "not seen: words"], **parts)
    shown("the image alone", picture, options=["--observation=eye"],
          facts=["frames: the part eye of the observation of toys:Toy-v0",
                 "not seen: pose, side, words"], **parts)
    shown("a vector alone", None, lambda t: [t, -t],
          ["numbers: the part pose of the observation of toys:Toy-v0",
           "not seen: eye, side, words"], options=["--observation=pose"], **parts)
    shown("two parts", picture, lambda t: one_hot(t, 3), options=["--observation=side,eye"],
          **parts)
    shown("in the order of the space", None, both, options=["--observation=side,pose"], **parts)
    shown("the same part twice", None, lambda t: [t, -t], options=["--observation=pose,pose"],
          **parts)
    shown("a comma in a key", None, lambda t: [t], options=["--observation=a,b"],
          observation="Dict({'a,b': Box(0, 9, (1,)), 'a': Text(9)})", value="{'a,b': [t], 'a': ''}")
    shown("a Tuple", picture, lambda t: [*one_hot(t, 3), 7],
          observation=f"Tuple((Discrete(3), {whole}, Box(0, 9, (1,))))",
          value="(t, picture(t), [7])")
    shown("a part of a part", None, lambda t: [t], options=["--observation=head/pose"],
          observation=f"Dict({{'head': Dict({{'eye': {whole}, 'pose': Box(0, 9, (1,))}})}})",
          value="{'head': {'eye': 0, 'pose': [t]}}")
    shown("two images and a vector", picture, lambda t: [t], options=["--observation=left,pose"],
          observation=f"Dict({{'left': {whole}, 'right': {whole}, 'pose': Box(0, 9, (1,))}})",
          value="{'left': picture(t), 'right': picture(9), 'pose': [t]}")
    refused("two parts of one name", ["two parts", "are called a/b: rename one with a wrapper"],
            toy(observation="Dict({'a/b': Discrete(2), 'a': Dict({'b': Discrete(3)})})"), **TOYS)
    refused("one key is wrong", ["--observation up: the observations", "eye, pose, side, words"],
            toy(options=["--observation=eye,up"], **parts), **TOYS)
    refused("one part is text", ["--observation words of", "neither", "Text is not a Box"],
            toy(options=["--observation=eye,words"], **parts), **TOYS)


def test_bad_numbers():
    """Too many numbers; numbers that are not finite or not in their space."""
    most = "at most 1024 are possible"
    for space, words in (
        ("Box(0, 9, (1025,))", ["the observation of toys:Toy-v0 has 1025 numbers: " + most]),
        ("Box(0, 9, (1025,))", ["A wrapper can offer fewer (--wrap)"]),
        ("Discrete(1025)", ["has 1025 numbers: " + most]),
        ("MultiDiscrete([1000, 25])", ["has 1025 numbers: " + most]),
        ("MultiDiscrete([2**40, 2**40])", ["has 2199023255552 numbers: " + most]),
        ("MultiBinary((5, 205))", ["has 1025 numbers: " + most]),
        ("Dict({'a': Box(0, 9, (1000,)), 'b': Discrete(25)})",
         ["have 1025 numbers (a 1000, b 25): " + most, "Choose parts with --observation KEY,KEY"]),
    ):
        refused(space, words, toy(observation=space), **TOYS)
    line, finite = "Box(-9, 9, (2,))", "numbers must be finite, and at most 3.4e38"
    pair = "MultiDiscrete([3, 2])"
    for value, space, words in (
        ("numpy.array([0, numpy.nan])", line, "has the value nan at index 1: " + finite),
        ("numpy.array([numpy.inf, 0])", line, "has the value inf at index 0: " + finite),
        ("[0, -float('inf')]", line, "has the value -inf at index 1: " + finite),
        ("[1e300, 0]", line, "has the value 1e+300 at index 0: " + finite),
        ("float('nan')", "Box(0, 9, ())", "has the value nan: " + finite),
        ("[0, 1, 2]", line, "has the shape (3,); its space: (2,)"),
        ("[[0, 1]]", line, "has the shape (1, 2); its space: (2,)"),
        ("7", line, "has the shape (); its space: (2,)"),
        ("['a', 'b']", line, "which are not numbers"),
        ("[10**30, 0]", line, "which are not numbers"),
        ("None", "Discrete(3)", "which are not integers"),
        ("0.0", "Discrete(3)", "of the type float64, which are not integers"),
        ("3", "Discrete(3)", "has the value 3; its space: 0 to 2"),
        ("-1", "Discrete(3)", "has the value -1; its space: 0 to 2"),
        ("4", "Discrete(3, start=5)", "has the value 4; its space: 5 to 7"),
        ("[0, 2]", pair, "has the value 2; its space: 0 to 1"),
        ("[0]", pair, "has the shape (1,); its space: (2,)"),
        ("{'hand': 1}", f"Dict({{'pose': {line}}})", "the part pose of the observation of toys:"),
        ("{'pose': [0, float('nan')]}", f"Dict({{'pose': {line}}})",
         "the part pose of the observation of toys:Toy-v0 has the value nan at index 1"),
    ):
        good = {"B": "0" if "()" in space else "[0, 0]", "M": "[0, 0]",
                "D": "5" if "5" in space else "0"}[space[0]]
        good = "{'pose': [0, 0]}" if "pose" in space else good
        steps = [(STEP, bytes([1, 0])), (STEP, bytes([0, 1, 0])), (STEP, bytes([0, 1, 0]))]
        refused_later(value, [words], toy(observation=space, value=value), steps[:1], **TOYS)
        later = toy(observation=space, value=f"{value} if t == 2 else {good}")
        refused_later(value + " later", [words], later, steps, **TOYS)


def test_no_images():
    """Each reason why a space is not an image. The error names the option that helps."""
    for space, words in {
        "Box(0, 255, (0,), uint8)": "the shape (0,) is not an image",
        "Box(0, 255, (2, 4, 5, 3), uint8)": "the shape (2, 4, 5, 3) is not an image",
        "Box(0, 255, (40, 41, 42), uint8)": "the last number of (40, 41, 42) is 1 to 16 channels",
        "Box(0, 255, (2000, 3, 3), uint8)": "3 x 2000 pixels",
        "Box(0, 255, (3, 20, 3000), uint8)": "3000 x 20 pixels are too many: at most 1024 x 1024",
        "Box(-1, 1, (4, 5))": "values begin at -1",
        "Box(0, numpy.inf, (4, 5))": "values end at inf",
        "Box(0, 3.4e38, (4, 5))": "not above 0 and at most at 65535",
        "Box(0, 65536, (4, 5), numpy.int32)": "values end at 65536, not above 0",
        "Box(0, 0, (4, 5))": "values end at 0",
        "Text(5)": "Text is not a Box",
        "Sequence(Discrete(5))": "Sequence is not a Box",
        "Graph(Box(0, 9, (2,)), None)": "Graph is not a Box",
        "Dict({})": "hold no image and no vector",
    }.items():
        way = "--render shows the agent the rendered picture, which may show what it should not"
        refused(space, [words, way], toy(observation=space), **TOYS)


def test_damaged_images():
    """Observations that are not in their space: at the start, and after a step."""
    whole, unit = "Box(0, 255, (4, 5, 3), uint8)", "Box(0, 1, (4, 5), float32)"
    for value, space, words in (
        ("picture(t)[:, :4]", whole, "has the shape (4, 4, 3); its space: (4, 5, 3)"),
        ("picture(t)[:, :, 0]", whole, "has the shape (4, 5)"),
        ("None", whole, "has the shape ()"),
        ("[[1, 2], [3]]", whole, "is missing or damaged"),
        ("numpy.full((4, 5), 'x')", unit, "which are not numbers"),
        ("numpy.full((4, 5), numpy.nan)", unit, "has the value nan; its space: 0 to 1"),
        ("numpy.full((4, 5), numpy.inf)", unit, "has the value inf"),
        ("numpy.full((4, 5), 1.1)", unit, "has the value 1.1; its space: 0 to 1"),
        ("numpy.full((4, 5), -0.1)", unit, "has the value -0.1"),
        ("numpy.full((4, 5, 3), 256)", whole, "has the value 256; its space: 0 to 255"),
        ("{'hand': 1}", f"Dict({{'eye': {whole}}})", "the part eye of the observation of"),
        ("7", f"Tuple(({whole},))", "the part 0 of the observation"),
    ):
        good = "picture(t)" if space == whole else "numpy.zeros((4, 5))"
        good = {"D": "{'eye': picture(t)}", "T": "(picture(t),)"}.get(space[0], good)
        refused(value, [words], toy(observation=space, value=value), **TOYS)
        later = toy(observation=space, value=f"{value} if t == 2 else {good}")
        steps = [(STEP, bytes([1, 0])), (STEP, bytes([0, 1, 0])), (STEP, bytes([0, 1, 0]))]
        refused_later(value + " later", [words], later, steps, **TOYS)
    for value, words in {
        "None": "but NoneType: leave out --render",
        "[picture(t)]": "but list",
        "picture(t) / 255": "but float64",
        "picture(t)[0]": "has the shape (5, 3), which is not an image",
        "numpy.zeros((1025, 7, 3), uint8)": "7 x 1025 pixels: at most 1024 x 1024 are possible",
    }.items():
        refused("render: " + value, [words], toy(options=["--render"], picture=value), **TOYS)
    growing = toy(options=["--render"], picture="numpy.zeros((4 + t, 5, 3), uint8)")
    steps = [(STEP, bytes([1, 0])), (STEP, bytes([0, 1, 0]))]
    refused_later("it grows", ["has the shape (5, 5, 3); it was (4, 5, 3)"], growing, steps, **TOYS)


def test_rewards():
    steps = [(STEP, bytes([1, 0])), (STEP, bytes([0, 1, 0])), (STEP, bytes([0, 1, 0]))]
    for reward in ("float('nan')", "float('inf')", "-1e39", "10**400", "None", "'a lot'",
                   "[1.0, 2.0]"):
        words = ["toys:Toy-v0 gave the reward ", "a reward must be a finite number"]
        refused_later(f"the reward {reward}", words, toy(reward=f"{reward} if t == 2 else 0"),
                      steps, **TOYS)
    refused_later("a large sum", ["gave the reward 2e+38"], toy(reward="2e38"),
                  [*steps[:1], (STEP, bytes([0, 2, 0, 0]))], **TOYS)
    with toy_child() as child:
        child.ask(HELLO, toy(reward="numpy.float32(0.5)"))
        child.ask(*steps[0])
        check("a reward of numpy", child.ask(*steps[1])[1][4:8] == struct.pack("<f", 0.5))


def test_actions():
    """Each kind of action space: all actions arrive, in order."""
    for space, expected, names in (
        ("Discrete(3)", [0, 1, 2], ["0", "1", "2"]),
        ("Discrete(3, start=-1)", [-1, 0, 1], ["-1", "0", "1"]),
        ("Discrete(256)", list(range(256)), None),
        ("MultiBinary(2)", [0, 1, 10, 11], ["0 0", "0 1", "1 0", "1 1"]),
        ("MultiBinary((2, 1))", [0, 1, 10, 11], ["0 0", "0 1", "1 0", "1 1"]),
        ("MultiBinary(8)", [int(f"{i:b}") for i in range(256)], None),
        ("MultiDiscrete([2, 3])", [0, 1, 2, 10, 11, 12], None),
        ("MultiDiscrete([2, 2], start=[1, 5])", [15, 16, 25, 26], ["1 5", "1 6", "2 5", "2 6"]),
        ("MultiDiscrete([[2, 1], [1, 2]])", [0, 1, 1000, 1001], None),
    ):
        with toy_child() as child:
            kind, body = child.ask(HELLO, toy(action=space))
            if not check(space, kind == SPEC, body):
                continue
            count = struct.unpack_from("<I", body, 16)[0]
            check(space + ": count", count == len(expected), count)
            check(space + ": names", names is None or names_of(body)[1:] == names, names_of(body))
            child.ask(STEP, bytes([1, 0]))
            answers = [child.ask(STEP, bytes([0, 1, i]))[1] for i in range(count)]
            arrived = [struct.unpack_from("<f", answer, 4)[0] for answer in answers]
            check(space + ": actions", arrived == expected, arrived)
    with toy_child() as child:  # the environment changes its argument
        child.ask(HELLO, toy(action="MultiDiscrete([2, 2])", reward="altered(action)"))
        child.ask(STEP, bytes([1, 0]))
        answers = [child.ask(STEP, bytes([0, 1, 2]))[1] for _ in range(3)]
        arrived = [struct.unpack_from("<f", answer, 4)[0] for answer in answers]
        check("an argument that changes", arrived == [10, 10, 10], arrived)
    for space, words in {
        "Discrete(257)": "Discrete(257), more than 256: a wrapper can offer fewer (--wrap)",
        "MultiBinary(9)": "MultiBinary(9), more than 256",
        "MultiBinary(5000)": "more than 256",
        "MultiDiscrete([20, 20])": "more than 256",
        "Box(-1, 1, (2,))": "only Discrete, MultiBinary and MultiDiscrete are supported",
        "Dict({'a': Discrete(2), 'b': Discrete(2)})": "only Discrete",
    }.items():
        refused(space, [words, "toys:Toy-v0 has actions of the kind"], toy(action=space), **TOYS)


def test_action_names():
    for meanings, expected in (
        (["go left", "\u00e4\u4e2d", "=a:b;"], None),
        (["only", "two"], ["0", "1", "2"]),
        ([], ["0", "1", "2"]),
    ):
        with toy_child() as child:
            kind, body = child.ask(HELLO, toy(meanings=meanings))
            right = kind == SPEC and names_of(body)[1:] == (expected or meanings)
            check(f"names {meanings}", right, body)
    for bad in ("'UP\\nDOWN'", "''", "'\\ud800'", "'\\x07'", "7", "None", "'a\\u2028b'"):
        words = ["toys:Toy-v0 calls its action 1 ", "a name must be a line of printable text"]
        refused(f"the name {bad}", words, toy(meanings=f"['a', {bad}, 'b']"), **TOYS)
    refused("long names", ["the names of the actions of toys:Toy-v0 have", "at most 8000 are"],
            toy(meanings=["x" * 3000] * 3), **TOYS)


def test_wrappers():
    from toys import picture

    shown("a wrapper", lambda t: (picture(t) + 1) * 2, options=["--wrap=toys:Add"])
    shown("with an argument", lambda t: (picture(t) + 7) * 2, options=["--wrap=toys:Add(number=7)"])
    shown("the last is outermost", lambda t: ((picture(t) + 7) * 2 + 1) * 2,
          options=["--wrap=toys:Add(number=7)", "--wrap=toys:Add"])
    with toy_child() as child:
        kind, body = child.ask(
            HELLO, toy(options=["--wrap=toys:Fewer"], meanings=["a", "b", "c"]))
        check("fewer actions", kind == SPEC and names_of(body)[1:] == ["0"], body)
        child.ask(STEP, bytes([1, 0]))
        check("fewer: arrives", child.ask(STEP, bytes([0, 1, 0]))[1][4:8] == struct.pack("<f", 2))
    for text, words in {
        "toys": "is not understood: write module:Wrapper or",
        ":Add": "is not understood",
        "toys:": "is not understood",
        "toys:Add(7)": "is not understood",
        "toys:Add(number=": "is not understood",
        "toys:Add(number=t)": "is not understood",
        "toys:Add(**{})": "is not understood",
        "toys:Add(number={[]: 1})": "is not understood",
        "toys:Add(number=7)(number=1)": "is not understood",
        "toys:Add(number=7).env()": "is not understood",
        "toys:Hard": "--wrap toys:Hard failed: NotImplementedError",
        "toys:Ad": "the module toys has no class Ad",
        "toys:__version__": "has no class __version__",
        "toyz:Add": "Python has no package toyz: pip install toyz, or start in the folder",
        "toys:Add(nummer=7)": "--wrap toys:Add(nummer=7) failed: ",
    }.items():
        refused(f"--wrap {text}", [words], toy(options=["--wrap=" + text]), **TOYS)
    refused("an unknown option", ["has no option --spin"], toy(options=["--spin"]), **TOYS)


def test_modules(folder):
    """Modules come from the search path, or from the folder in which the program starts."""
    place = os.path.join(folder, "place")
    os.mkdir(place)
    for name, text in {
        "mine": "import gymnasium\ngymnasium.register('Mine-v0', entry_point='toys:Toy')\n",
        "broken": "from gymnasium import nothing_like_this\n",
        "hungry": "import no_such_package.inner\n",
        "cartpole": "from gymnasium import register, register_envs\n"
                    "register('Pole-v0', entry_point='toys:Toy')\n",
    }.items():
        with open(os.path.join(place, name + ".py"), "w") as file:
            file.write(text)
    with toy_child(place) as child:
        kind, body = child.ask(HELLO, hello("mine:Mine-v0"))
        check("the current folder", kind == SPEC and b"\ntoys 1.2.3" in body, body)
        facts = lines_of(body, 1)
        version = sys.version.split()[0]
        check("facts", facts[0] == "frames: the observation of mine:Mine-v0", facts)
        check("versions", facts[1] == f"python {version}" and facts[2][:11] == "gymnasium 1", facts)
    # bridge.py has a neighbour cartpole.py. register_envs is Gymnasium's, and needs an argument.
    for name in ("cartpole:Pole-v0", "gymnasium:CartPole-v1"):
        with Child(folder=TOYS["folder"], place=place) as child:
            kind, body = child.ask(HELLO, hello(name))
            check(name, kind == SPEC, body)
    for name, words in {
        "mine:Mein-v0": "there is no environment Mein-v0; did you mean Mine-v0",
        "toyz:Toy-v0": "Python has no package toyz: pip install toyz, or start in the folder that",
        "toyz.inner:Toy-v0": "Python has no package toyz: pip install toyz, or",
        "broken:Mine-v0": "the module broken cannot be imported: cannot import name",
        "hungry:Mine-v0": "Python has no module no_such_package, which hungry imports: install",
    }.items():
        refused(name, [words], hello(name), place=place, **TOYS)


def test_minigrid():
    if missing("gymnasium", "minigrid"):
        return
    import gymnasium
    from minigrid.wrappers import RGBImgPartialObsWrapper

    wrap = "--wrap=minigrid.wrappers:RGBImgPartialObsWrapper(tile_size=4)"
    for name, options, numbers in (
        ("MiniGrid-MemoryS7-v0", [], lambda seen: one_hot(seen["direction"], 4)),
        ("minigrid:MiniGrid-MemoryS7-v0", ["--observation=image"], no_numbers),
    ):
        compare(name, name, [wrap, "max_steps=9", *options],
                lambda: RGBImgPartialObsWrapper(
                    gymnasium.make("MiniGrid-MemoryS7-v0", max_steps=9), tile_size=4),
                lambda _, seen: seen["image"], 20, numbers=numbers)


def test_vizdoom(folder):
    if missing("gymnasium", "vizdoom"):
        return
    import gymnasium
    import vizdoom.gymnasium_wrapper  # noqa: F401: registers the environments

    before = os.getcwd()
    os.chdir(folder)  # the game writes a file into the current folder
    for name in ("VizdoomBasic-v1", "vizdoom.gymnasium_wrapper:VizdoomPredictPosition-v1"):
        compare(name, name, ["frame_skip=8"],
                lambda: gymnasium.make(name, frame_skip=8), lambda _, seen: seen["screen"], 15,
                environments=1, numbers=lambda seen: seen.get("gamevariables", ()))
    refused("too many buttons", ["MultiBinary(19), more than 256"],
            hello("VizdoomFreedoom1E1M1-S1-v0"))
    os.chdir(before)


# --------------------------------------------------------------------------------------------------
# The protocol


def test_packages(folder):
    """A missing package is reported with the line that installs it."""
    bare = ["-S", "-I"]
    refused(
        "no Gymnasium",
        ["no package gymnasium: pip install gymnasium"],
        hello("CartPole-v1"),
        options=bare,
    )
    refused("no Gymnasium", ["pip install ale-py gymnasium"], hello("ALE/Pong-v5"), options=bare)
    for package, name in (("ale_py", "ALE/Pong-v5"), ("minatar", "MinAtar/Breakout-v1")):
        hidden = os.path.join(folder, "no " + package)
        os.mkdir(hidden)
        for path in (package + ".py", "gymnasium.py"):
            with open(os.path.join(hidden, path), "w") as file:
                file.write(
                    f"raise ModuleNotFoundError('hidden', name='{package}')\n"
                    if path[0] == package[0]
                    else ""
                )
                file.write(
                    "from types import SimpleNamespace\nlogger = SimpleNamespace(ERROR=40)\n"
                )
        words = f"no package {package}: pip install {package.replace('_', '-')} gymnasium"
        refused("no " + package, [words], hello(name), folder=hidden)


def test_limits(folder):
    good = hello("Stub/Good-v0")
    refused(
        "version",
        ["speaks version 3 of the protocol, the program 2"],
        hello("Stub/Good-v0", version=2),
        folder=folder,
    )
    refused("no HELLO", ["the first message must be HELLO"], good, kind=STEP, folder=folder)
    refused("short", ["the first message must be HELLO"], good[:19], folder=folder)
    for environments, frames in ((0, 1), (257, 1), (1, 0), (1, 9), (0xFFFFFFFF, 1)):
        body = hello("Stub/Good-v0", environments=environments, frames=frames)
        refused(
            f"{environments} of {frames}",
            ["1 to 256 environments and 1 to 8 frames"],
            body,
            folder=folder,
        )
    with Child(folder=folder) as child:  # and the largest allowed
        kind, body = child.ask(HELLO, hello("Stub/Good-v0", ["length=200"], 256, 8))
        check("all limits", kind == SPEC, body)
        kind, body = child.ask(STEP, 256 * (bytes([1, 255]) + 255 * b"\1"))
        check("all limits: step", kind == STATE and len(body) == 256 * (8 + 8 * 60), body[:200])


def test_stand_in(folder):
    """Compares made-up environments with themselves, and tries those that fail."""
    spec = importlib.util.spec_from_file_location("stand_in", os.path.join(folder, "gymnasium.py"))
    stand_in = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(stand_in)
    for frames, does in ((1, "Good"), (2, "Good"), (8, "Good"), (2, "Prints"), (2, "Reads")):
        ends = compare(
            f"{does}, {frames} frames",
            f"Stub/{does}-v0",
            [],
            lambda: stand_in.Env("Good"),
            lambda env, x: x,
            200 if does == "Good" else 10,
            frames=frames,
            seed=1,
            folder=folder,
        )
        check("ends", does != "Good" or min(ends) > 0, ends)
    for does, words in (
        ("Raises", "ZeroDivisionError: so many"),
        ("Unplugged", "no network"),
        ("Wordless", "RuntimeError"),
        ("Surrogate", "\\ud800"),
        ("Mute", "failed: Mute"),
    ):
        with Child(folder=folder) as child:
            child.ask(HELLO, hello(f"Stub/{does}-v0"))
            child.ask(STEP, bytes([1, 0]))
            kind, text = child.ask(STEP, bytes([0, 1, 0]))
            check(does, kind == ERROR and len(text) < 8192 and words in text.decode(), kind, text)
            check(does + " is traced", child.wait() == 1 and "Traceback" in child.words())
    refused_later("Quits", ["the environment failed: SystemExit: the window was closed"],
                  hello("Stub/Quits-v0"), [(STEP, bytes([1, 0])), (STEP, bytes([0, 1, 0]))],
                  folder=folder)
    for does, words in (("Blind", "hold no image"), ("Ragged", "missing or damaged")):
        refused(does, [words], hello(f"Stub/{does}-v0"), folder=folder)
    for options, space in ([], "its space"), (["--render"], "that of the first environment"):
        words = [f"has the shape (1, 1, 3); {space}: (4, 5, 3)"]
        body = hello("Stub/Smaller-v0", options, 2, 2)
        refused_later("Smaller", words, body, [(STEP, bytes([1, 0, 1, 0]))], folder=folder)
    refused("Wider", ["of Stub/Wider-v0 have 5 numbers; those of the first environment: 4"],
            hello("Stub/Wider-v0", [], 2), folder=folder)
    steps = [(STEP, bytes([1, 0])), (STEP, bytes([0, 1, 0]))]
    refused_later("Huge", ["gave the reward 1e+300"], hello("Stub/Huge-v0"), steps, folder=folder)


def test_bad_steps(folder):
    good = bytes([1, 2, 0, 5])
    bad = {
        "a short one": good[:-1],
        "nothing": b"",
        "a head": b"\0",
        "a long one": good + b"\0",
        "an action": bytes([1, 1, 6]),
        "a reset": bytes([2, 0]),
        "two": good + good,
    }
    for what, body in bad.items():
        with Child(folder=folder) as child:
            child.ask(HELLO, hello("Stub/Good-v0"))
            check(what, child.ask(STEP, good)[0] == STATE)
            kind, text = child.ask(STEP, body)
            check(
                what + " is refused",
                kind == ERROR and b"action" in text and "Traceback" not in child.words(),
                kind,
                text,
            )
    long = HEAD.pack(b"RISE", STEP, 1, 1 << 20)
    for what, data in {
        "nonsense": b"x" * 100,
        "number": message(STEP, 7, good),
        "long": long,
    }.items():
        with Child(folder=folder) as child:
            child.ask(HELLO, hello("Stub/Good-v0"))
            child.socket.sendall(data)
            child.number += 1  # the answer belongs to the next message
            kind, text = child.answer()
            refusal = kind == ERROR and b"not a message" in text
            check(what, refusal and child.wait() in (0, 1), kind, text)


def test_ends(folder):
    """BYE, the end of input at any place, and Ctrl-C."""
    greeting = message(HELLO, 0, hello("Stub/Good-v0"))
    for what, data in {
        "at once": b"",
        "in a head": greeting[:9],
        "in a body": greeting[:30],
        "after HELLO": greeting,
        "BYE": greeting + message(BYE, 1),
        "BYE alone": message(BYE, 0),
    }.items():
        with Child(folder=folder) as child:
            child.socket.sendall(data)
            child.socket.shutdown(socket.SHUT_WR)
            check("end " + what, child.wait() == 0 and child.words() == "", child.words())
    by_hand = subprocess.run([sys.executable, SCRIPT, "--env", "CartPole-v1"], timeout=SLOW,
                             stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    check("by hand", by_hand.returncode == 1 and "env_bridge.h" in by_hand.stderr, by_hand.stderr)
    with Child(folder=folder) as child:  # a program that asks and does not wait for the answer
        check("greeted", child.ask(HELLO, hello("Stub/Good-v0", ["length=200"], 256, 8))[0] == SPEC)
        child.socket.sendall(message(STEP, 1, 256 * (bytes([1, 255]) + 255 * b"\1")))
        check("hung up on", child.end() == 0 and child.words() == "", child.words())
    with Child(
        folder=folder
    ) as child:  # a program that leaves an answer unread: the child's socket is reset
        check("greeted", child.ask(HELLO, hello("Stub/Good-v0"))[0] == SPEC)
        child.socket.sendall(message(STEP, 1, bytes([1, 0])))
        select.select([child.socket], [], [], SLOW)
        check("left unread", child.end() == 0 and child.words() == "", child.words())
    with Child(folder=folder) as child:
        check("greeted", child.ask(HELLO, hello("Stub/Good-v0"))[0] == SPEC)
        for _ in range(3):
            child.process.send_signal(signal.SIGINT)
            check("after Ctrl-C", child.ask(STEP, bytes([1, 0]))[0] == STATE)
    for number in (signal.SIGHUP, signal.SIGTERM):
        with Child(folder=folder) as child:
            child.ask(HELLO, hello("Stub/Good-v0"))
            child.process.send_signal(number)
            check(f"after {number.name}", child.ask(STEP, bytes([1, 0]))[0] == STATE)
    for does in ("Hangs", "Spins"):  # the program ends while a step hangs
        with Forked({"GRACE": 0.01}, folder=folder) as child:
            child.ask(HELLO, hello(f"Stub/{does}-v0"))
            child.ask(STEP, bytes([1, 0]))
            child.socket.sendall(message(STEP, 2, bytes([0, 1, 0])))
            check(f"{does} without a program", child.end() == 1, child.words())
    for what, body in ("BYE", None), ("a refused step", b""):  # both environments are closed
        with Child(folder=folder) as child:
            child.ask(HELLO, hello("Stub/Closes-v0", (), 2))
            if body is None:
                child.socket.sendall(message(BYE, 1))
            else:
                child.ask(STEP, body)
            check(f"{what} closes", child.wait() == 0 and child.words() == "closed.closed.",
                  child.words())
    with Child(folder=folder) as child:  # a process that it has forked does not hide its end
        child.ask(HELLO, hello("Stub/Forks-v0"))
        child.socket.sendall(message(STEP, 1, bytes([1, 1, 0])))
        check("its end is seen", select.select([child.socket], [], [], 20)[0] != [])
        check("its status", child.wait() == 3)
        os.kill(int(child.words()), signal.SIGKILL)
    with Child(folder=folder) as child:  # such a process ends: the environment goes on
        child.ask(HELLO, hello("Stub/Splits-v0"))
        check("it goes on", child.ask(STEP, bytes([1, 1, 0]))[0] == STATE)
        child.socket.sendall(message(BYE, 2))
        words = child.wait(), child.words().split()[-1:]
        check("one process closes", words == (0, ["closed."]) and child.words().count("closed") == 1,
              child.words())
    source, sink = os.pipe()  # the group of a child whose program has ended while a step hangs
    with Forked({"GRACE": 0.01}, leads=True, folder=folder) as child:
        child.ask(HELLO, hello("Stub/Herds-v0"))
        child.socket.sendall(message(STEP, 1, bytes([1, 1, 0])))
        os.close(sink)
        for _ in range(100 * SLOW):
            if child.words() == "two":
                break
            time.sleep(0.01)
        check("killed with its group", child.end() == -signal.SIGKILL, child.words())
        check("the group has ended", select.select([source], [], [], 20)[0] == [source])
        os.close(source)
    with Child(folder=folder) as child:
        child.ask(HELLO, hello("Stub/Leaves-v0"))
        child.socket.sendall(message(STEP, 1, bytes([1, 1, 0])))
        check("an environment that exits", child.socket.recv(1) == b"" and child.wait() == 3)


def bridge_module():
    spec = importlib.util.spec_from_file_location("bridge_child", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_numbers(bridge):
    """Numbers have 32 bits and wrap around."""
    source, sink = os.pipe()
    stream = bridge.Stream(source, sink)
    stream.number = 0xFFFFFFFF
    for number in (0xFFFFFFFF, 0, 1):
        os.write(sink, message(BYE, number))
        check("number", stream.receive() == (BYE, b""))
        stream.send(STATE, b"")
        check("answer", os.read(source, 100) == message(STATE, number))
    os.close(source)
    os.close(sink)


# --------------------------------------------------------------------------------------------------
# Nonsense


def corrupted(chance, data):
    data = bytearray(data)
    for _ in range(chance.randint(1, 3)):
        at, kind = chance.randrange(len(data)), chance.randrange(4)
        if kind == 0:
            data[at] ^= 1 << chance.randrange(8)
        elif kind == 1:
            data[at] = chance.randrange(256)
        elif kind == 2 and len(data) > 1:
            del data[at]
        else:
            data.insert(at, chance.randrange(256))
    return bytes(data[: chance.randrange(len(data))] if chance.random() < 0.2 else data)


def answers_of(data):
    """Returns the types of whole messages, or None if there is anything else."""
    kinds, at = [], 0
    while at < len(data):
        if len(data) - at < HEAD.size:
            return None
        magic, kind, number, size = HEAD.unpack_from(data, at)
        at += HEAD.size + size
        if magic != b"RISE" or number != len(kinds) or at > len(data):
            return None
        kinds.append(kind)
    return kinds


def test_nonsense(folder):
    chance, ends = random.Random(4711), {}
    steps = [message(STEP, 1 + i, body_of(2 * [(i == 0, [1, 2, 3])])) for i in range(3)]
    good = b"".join(
        [message(HELLO, 0, hello("Stub/Good-v0", ["length=9"], 2, 2)), *steps, message(BYE, 4)]
    )
    for i in range(400):
        data = (
            good
            if i == 0
            else chance.randbytes(chance.randrange(200)) if i % 20 == 0 else corrupted(chance, good)
        )
        with Forked(folder=folder) as child:
            child.socket.sendall(data)
            child.socket.shutdown(socket.SHUT_WR)
            heard = b""
            try:
                while piece := child.socket.recv(1 << 16):
                    heard += piece
            except ConnectionError:  # it ended with unread input
                pass
            except socket.timeout:
                check(f"nonsense {i} hangs", False, data)
                os.kill(child.process, signal.SIGKILL)
            kinds, status = answers_of(heard), child.wait()
            right = kinds is not None and set(kinds[:-1]) <= {SPEC, STATE} and status in (0, 1)
            told = "Traceback" not in child.words() or (kinds and kinds[-1] == ERROR)
            check(f"nonsense {i}", right and told, data, kinds, status, child.words())
            last = kinds[-1] if kinds else 0
            ends[last] = ends.get(last, 0) + 1
            if i == 0:
                check(
                    "sense",
                    kinds == [SPEC, STATE, STATE, STATE] and status == 0,
                    kinds,
                    child.words(),
                )
    check("all kinds of ends", ends.get(ERROR, 0) > 50 and ends.get(STATE, 0) > 10, ends)


# --------------------------------------------------------------------------------------------------
# Both halves

PROGRAM = r"""
#include "env_bridge.h"

int main(int count, char **arguments)
{
    static bridge b;
    static bridge_move moves[2];
    bridge_options o = {0};
    int t;
    o.name = "Stub/Prints-v0", o.settings = "length=5", o.environments = o.frames = 2, o.seed = 1;
    o.python = arguments[1], o.script = arguments[count - 1];
    if (!bridge_open(&b, &o)) return puts(b.error), 1;
    printf("%s %dx%dx%d %d %s\n", b.name, b.width, b.height, b.channels, b.actions,
           b.action_names[5]);
    for (t = 0; t < 3; t++) {
        moves[0].reset = t != 1, moves[1].reset = t == 0;
        moves[0].count = 3, moves[1].count = t;
        moves[0].actions[0] = 4;
        if (!bridge_send(&b, moves) || !bridge_receive(&b)) return puts(b.error), 1;
        printf("%d%d %d %g %d %d, %d %d\n", b.states[0].terminated, b.states[0].truncated,
               b.states[0].played, b.states[0].reward, b.states[0].frames[0],
               b.states[0].frames[119], b.states[1].frames[0], b.states[1].frames[119]);
    }
    moves[1].count = 1, moves[1].actions[0] = 9;
    if (bridge_send(&b, moves) && !bridge_receive(&b)) puts(b.error);
    bridge_close(&b);
    return 0;
}
"""
EXPECTED = """Stub/Prints-v0 5x4x3 6 5
00 0 0 62 63, 110 110
10 2 4 65 65, 110 111
00 0 0 72 73, 112 113
an environment was sent an action that it does not have: 0 to 5 are possible
"""


def test_both(folder):
    compiler = shlex.split(os.environ.get("CC", "cc"))
    source, program = os.path.join(folder, "both.c"), os.path.join(folder, "both")
    with open(source, "w") as file:
        file.write(PROGRAM)
    try:
        subprocess.run(
            [*compiler, "-std=c99", "-I", os.path.dirname(SCRIPT), source, "-o", program, "-lm"],
            check=True,
        )
    except FileNotFoundError:
        print(f"skipped: {compiler[0]} is not installed")
        return
    environment = {**os.environ, "PYTHONPATH": folder}
    ran = subprocess.run(
        [program, sys.executable, SCRIPT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=SLOW,
    )
    check("both halves", ran.returncode == 0 and ran.stdout == EXPECTED, ran.stdout, ran.stderr)


# Lines of examples/atari.c's comment, made short: an agent of each package.
QUICK = "--steps 120 --environments 2 --plain --python {} --bridge {} --folder {} --set batch=4 " \
    "--set learn_start=50 --set window=4 --set replay_capacity=500"
LINES = {
    "gymnasium": "--env CartPole-v1 --memory none",
    "minigrid": "--env MiniGrid-MemoryS7-v0 --wrap minigrid.wrappers:RGBImgPartialObsWrapper",
    "vizdoom": "--env VizdoomBasic-v1 --keyword frame_skip=4 --set value_rescale=1",
}


def test_training(folder):
    """The tool trains on MiniGrid and on ViZDoom with one line each."""
    compiler = shlex.split(os.environ.get("CC", "cc"))
    program, source = os.path.join(folder, "atari"), os.path.join(ROOT, "examples", "atari.c")
    try:
        subprocess.run([*compiler, "-O1", "-pthread", source, "-o", program, "-lm"], check=True)
    except FileNotFoundError:
        print(f"skipped: {compiler[0]} is not installed")
        return
    for package, line in LINES.items():
        if missing("gymnasium", package):
            continue
        place = os.path.join(folder, "runs", package)
        words = [*line.split(), *QUICK.format(sys.executable, SCRIPT, place).split()]
        for more in ([], ["--resume"]):
            ran = subprocess.run([program, *words, *more], cwd=folder, capture_output=True,
                                 text=True, timeout=4 * SLOW)
            check(f"{line}: {more}", ran.returncode == 0, ran.stdout, ran.stderr)
            words[words.index("--steps") + 1] = "160"
        with open(os.path.join(place, "run.txt"), encoding="utf-8") as file:
            text = file.read()
        right = text.count(f"\n{package} ") == 2 and line.split()[1] in text
        check(f"{package}: run.txt", right, text)
    if not missing("gymnasium"):
        test_learning(program, folder)
        test_sentences(program, folder)


def test_learning(program, folder):
    """Agents learn from numbers alone, and from an image and a number that are both needed."""
    quick = "--memory none --steps 2000 --evaluate-every 1000 --episodes 20 --set frame_stack=1 " \
        "--set learn_start=500 --set discount=0.1 --set epsilon_steps=1000 " \
        "--set learning_rate=1e-3"
    for line, least, most in (
        ("--env CartPole-v1 --memory none --steps 10k --evaluate-every 3k", 150, 500),
        (f"--env toys:Both-v0 {quick}", 7.8, 8),
        (f"--env toys:Both-v0 --observation eye {quick}", 2, 6),
        (f"--env toys:Both-v0 --observation sign {quick}", 2, 6),
    ):
        place = os.path.join(folder, "learns", str(hash(line)))
        where = f"--plain --python {sys.executable} --bridge {SCRIPT} --folder {place}"
        environment = {**os.environ, "PYTHONPATH": TOYS["folder"]}
        ran = subprocess.run([program, *line.split(), *where.split()], cwd=folder, text=True,
                             capture_output=True, timeout=4 * SLOW, env=environment)
        score = float((ran.stdout.rpartition("the best agent scored ")[2].split() or ["nan"])[0])
        check(line, ran.returncode == 0 and least <= score <= most, score, ran.stdout, ran.stderr)


def test_sentences(program, folder):
    """What bridge.py or arcade.h refuses reaches the user as a sentence."""
    pixels = "observation=Box(0, 255, (8, 9, {0}), uint8)|value=picture(t, (8, 9, {0}))"
    for options, keywords, words in (
        ("--size 7", pixels.format(4), "frames of 4 channels cannot become grey: keep their"),
        ("--size 7 --colour", pixels.format(5), "frames of 5 channels cannot be resized, at most"),
        ("", "observation=Box(0, 9, (4, 4, 4, 4))", "hold no image and no vector (the shape (4, 4"),
        ("--size 7", "observation=Box(0, 9, (4,))|value=[1, 2, 3, 4]",
         "toys:Toy-v0 shows numbers and no frames: leave out --size, --colour and --blank"),
        ("", "observation=Box(0, 9, (2,))|value=[t, float('nan')]",
         "the observation of toys:Toy-v0 has the value nan at index 1: numbers must be finite"),
        ("", "observation=Discrete(5000)", "toys:Toy-v0 has 5000 numbers: at most 1024 are"),
        ("", "reward=float('nan')", "toys:Toy-v0 gave the reward nan: a reward must be a finite"),
        ("", "value=picture(t)[t:]", "has the shape (3, 5, 3); its space: (4, 5, 3)"),
    ):
        place = os.path.join(folder, "refused", str(hash(words)))
        line = f"--env toys:Toy-v0 {options} {QUICK.format(sys.executable, SCRIPT, place)}".split()
        line += [word for keyword in keywords.split("|") for word in ("--keyword", keyword)]
        environment = {**os.environ, "PYTHONPATH": TOYS["folder"]}
        ran = subprocess.run([program, *line], cwd=folder, capture_output=True, text=True,
                             timeout=SLOW, env=environment)
        right = ran.returncode == 1 and "atari: " in ran.stderr and words in ran.stderr
        check(f"{options} {keywords}", right and "Traceback" not in ran.stderr, ran.stderr)


def run(test, *arguments):
    try:
        test(*arguments)
    except Exception:  # for example a child that ended: the other tests go on
        check(test.__name__, False, traceback.format_exc())


def main():
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "gymnasium.py"), "w") as file:
            file.write(STAND_IN)
        bridge = bridge_module()
        run(test_numbers, bridge)
        run(test_packages, folder)
        if not missing("numpy"):
            run(test_nonsense, folder)
            for test in (test_limits, test_stand_in, test_bad_steps, test_ends, test_both):
                run(test, folder)
        for test in (test_refusals, test_minatar, test_atari, test_cartpole, test_minigrid):
            run(test)
        run(test_not_quite_atari)
        run(test_vectors)
        run(test_vizdoom, folder)
        run(test_training, folder)
        if not missing("gymnasium"):
            for test in (test_images, test_parts, test_no_images, test_damaged_images):
                run(test)
            for test in (test_numbers_alone, test_numbers_beside_images, test_bad_numbers):
                run(test)
            for test in (test_rewards, test_actions, test_action_names, test_wrappers):
                run(test)
            run(test_modules, folder)
    print(f"{passed} passed, {failed} failed")
    return failed != 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
