"""Serves environments of Gymnasium to a C program, over standard input and output. This is the
child process of env_bridge.h, which describes the messages.

Observations that are uint8 images are sent unchanged. Boolean images (MinAtar) are sent as 0 and
255. For any other observation, such as CartPole's four numbers, the rendered picture is sent.
Actions must be discrete.
"""

import ast
import difflib
import os
import signal
import struct
import sys

try:
    import numpy
except ImportError:  # import_for reports it in a sentence
    numpy = None

VERSION = 1
HEAD = struct.Struct("<4sIII")  # "RISE", type, number, length of what follows
HELLO, STEP, SPEC, STATE, ERROR, BYE = range(1, 7)
RESET = 1  # of a STEP
TERMINATED, TRUNCATED = 1, 2  # of a STATE
ENVIRONMENTS, FRAMES = 256, 8  # largest values
MAX_BYTES = ENVIRONMENTS * (2 + 255)  # of a message from the program: a STEP for all environments
MAX_TEXT = 1000  # bytes of an ERROR


class Refusal(Exception):
    """A request that cannot be served. The text is a sentence for the user."""


class Environment:
    """An environment of Gymnasium: its steps and its newest frame."""

    def __init__(self, env):
        self.env = env
        self.latest = None

    def reset(self, seed):
        self.latest, _ = self.env.reset(seed=seed)

    def step(self, action):
        self.latest, reward, terminated, truncated, _ = self.env.step(action)
        return reward, terminated, truncated

    def frame(self):
        return as_image(self.latest)


class Rendered(Environment):
    """An environment whose observations are not images: its rendered picture is used."""

    def frame(self):
        return as_image(self.env.render())


class Atari(Environment):
    """The Arcade Learning Environment without Gymnasium's wrappers: reads only frames in use."""

    @staticmethod
    def fits(env):
        """Returns whether the wrappers of `env` change nothing: no frame skip, no time limit."""
        plain = env.unwrapped
        simple = hasattr(plain, "ale") and plain._frameskip == 1
        return simple and env.spec.max_episode_steps is None

    def __init__(self, env):
        super().__init__(env)
        self.ale = env.unwrapped.ale
        self.codes = env.unwrapped._action_set
        self.grey = len(env.observation_space.shape) == 2

    def reset(self, seed):
        self.env.reset(seed=seed)

    def step(self, action):
        reward = self.ale.act(self.codes[action])
        return reward, self.ale.game_over(with_truncation=False), self.ale.game_truncated()

    def frame(self):
        return as_image(self.ale.getScreenGrayscale() if self.grey else self.ale.getScreenRGB())


def as_image(observation):
    """Returns uint8 [height][width][channels]; None if the observation is not an image."""
    try:
        image = numpy.asarray(observation)
    except ValueError:  # a tuple of arrays with different shapes
        return None
    if image.ndim == 2:
        image = image[:, :, None]
    if image.ndim != 3 or not 1 <= image.shape[2] <= 16 or max(image.shape) > 1024:
        return None
    if image.dtype == bool:
        return image * numpy.uint8(255)
    return image if image.dtype == numpy.uint8 else None


def import_for(name):
    """Imports Gymnasium, and registers the environments of the package that `name` belongs to."""
    package = {"ALE": "ale_py", "MinAtar": "minatar"}.get(name.split("/")[0])
    installed = {"ale_py": "ale-py gymnasium", "minatar": "minatar gymnasium"}
    wanted = installed.get(package, "gymnasium")
    try:
        import gymnasium  # installs numpy, too

        gymnasium.logger.min_level = gymnasium.logger.ERROR
        if package == "ale_py":
            import ale_py

            gymnasium.register_envs(ale_py)
        elif package == "minatar":
            import minatar.gym

            minatar.gym.register_envs()
    except ImportError as missing:
        lacking = missing.name or missing
        raise Refusal(f"Python has no package {lacking}: pip install {wanted}") from missing
    return gymnasium


def refuse_unknown(gymnasium, name):
    """Raises a Refusal with similar names if there is no environment `name`."""
    if name in gymnasium.registry:
        return
    plain = {known.lower(): known for known in gymnasium.registry}
    near = difflib.get_close_matches(name.lower(), plain, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(plain[known] for known in near)}?" if near else ""
    raise Refusal(f"there is no environment {name}{hint}")


def make(name, settings):
    """Makes one environment by Gymnasium's name, with keyword arguments."""
    gymnasium = import_for(name)
    refuse_unknown(gymnasium, name)
    try:
        env = gymnasium.make(name, disable_env_checker=True, **settings)
        space = env.action_space
        if not isinstance(space, gymnasium.spaces.Discrete) or space.start != 0:
            kind = f"{name} has actions of the kind {space}"
            raise Refusal(f"{kind}; only discrete actions that start at 0 are supported")
        if as_image(env.observation_space.sample()) is not None:
            return Atari(env) if Atari.fits(env) else Environment(env)
        env.close()
        settings = {**settings, "render_mode": "rgb_array"}
        return Rendered(gymnasium.make(name, disable_env_checker=True, **settings))
    except TypeError as wrong:
        raise Refusal(f"{name} does not know a setting: {wrong}") from wrong


def action_names(env):
    meanings = getattr(env.unwrapped, "get_action_meanings", None)
    return meanings() if meanings else [str(i) for i in range(env.action_space.n)]


class Served:
    """Plays the actions of a message in one environment, and keeps the newest frames."""

    def __init__(self, environment, frames):
        self.environment = environment
        self.frames = frames  # [count][height][width][channels], newest last; part of the answer

    def reset(self, seed):
        self.environment.reset(seed)
        self.frames[:] = self.environment.frame()

    def play(self, actions):
        """Plays actions until the episode ends. Returns the end, the actions played, the reward."""
        count = len(self.frames)
        if len(actions) < count:
            self.frames[: count - len(actions)] = self.frames[len(actions) :].copy()
        total, played, ended = 0.0, 0, 0
        for action in actions:
            reward, terminated, truncated = self.environment.step(action)
            total += float(reward)
            played += 1
            ended = TERMINATED if terminated else TRUNCATED if truncated else 0
            to_come = len(actions) - played
            if ended and to_come:
                self.frames[:] = self.environment.frame()  # the older frames were never read
            elif to_come < count:
                self.frames[count - 1 - to_come] = self.environment.frame()
            if ended:
                break
        return ended, played, total

    def begin(self, seed, actions):
        """Begins an episode and plays actions. Begins another episode if it ends early."""
        self.reset(seed)
        while actions:
            ended, played, _ = self.play(actions)
            actions = actions[played:]
            if ended:
                self.reset(None)


class Stream:
    """Sends and receives whole messages and checks their numbers. Exits if the socket is closed."""

    def __init__(self, source, sink):
        self.source, self.sink, self.number = source, sink, 0

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                piece = os.read(self.source, size - len(data))
            except ConnectionError:
                piece = b""
            if not piece:
                sys.exit(0)
            data += piece
        return bytes(data)

    def receive(self):
        magic, kind, number, size = HEAD.unpack(self.exactly(HEAD.size))
        expected, self.number = self.number, (self.number + 1) % (1 << 32)
        if magic != b"RISE" or number != expected or size > MAX_BYTES:
            raise Refusal("the environment's process was sent something that is no message")
        return kind, self.exactly(size)

    def send(self, kind, body):
        number = (self.number - 1) % (1 << 32)
        data = memoryview(HEAD.pack(b"RISE", kind, number, len(body)) + body)
        try:
            while data:
                data = data[os.write(self.sink, data) :]
        except ConnectionError:
            sys.exit(0)

    def complain(self, sentence):
        text = sentence.encode(errors="backslashreplace")[:MAX_TEXT]
        self.send(ERROR, text.decode(errors="ignore").encode())  # drops a character that was cut


class Server:
    def __init__(self, stream):
        self.stream = stream

    def greet(self):
        """Makes the environments that HELLO asks for, and sends SPEC."""
        name, settings, count, frames = self.hello()
        environments = [make(name, settings) for _ in range(count)]
        environments[0].reset(0)
        image = environments[0].frame()
        if image is None:
            raise Refusal(f"{name} shows neither an image nor a rendered picture")
        self.shape = (frames, *image.shape)
        self.answer = bytearray(count * (8 + int(numpy.prod(self.shape))))
        self.served, self.fresh = [], [True] * count
        for i, environment in enumerate(environments):
            start = len(self.answer) // count * i + 8
            view = numpy.frombuffer(self.answer, numpy.uint8, int(numpy.prod(self.shape)), start)
            self.served.append(Served(environment, view.reshape(self.shape)))
        names = "\n".join([name, *action_names(environments[0].env)])
        height, width, channels = image.shape
        self.actions = int(environments[0].env.action_space.n)
        head = struct.pack("<IIIII", VERSION, width, height, channels, self.actions)
        self.stream.send(SPEC, head + names.encode())

    def hello(self):
        """Reads HELLO. Returns name, settings, number of environments, and frames of each."""
        kind, body = self.ask()
        if kind != HELLO or len(body) < 20:
            raise Refusal("the environment's process was not greeted")
        version, count, frames, self.seed = struct.unpack_from("<IIIQ", body)
        if version != VERSION:
            ours = f"bridge.py speaks version {VERSION} of the protocol"
            raise Refusal(f"{ours}, the program {version}: take both from one release")
        if not 1 <= count <= ENVIRONMENTS or not 1 <= frames <= FRAMES:
            limits = f"1 to {ENVIRONMENTS} environments and 1 to {FRAMES} frames of each"
            raise Refusal(f"{limits} are possible, not {count} and {frames}")
        name, *settings = body[20:].decode(errors="replace").split("\n")
        return name, dict(map(setting, filter(None, settings))), count, frames

    def ask(self):
        """Returns the program's next message. BYE ends the process."""
        kind, body = self.stream.receive()
        if kind == BYE:
            sys.exit(0)
        return kind, body

    def step(self, body):
        """Plays the actions of a STEP, and sends STATE."""
        size = len(self.answer) // len(self.served)
        moves = self.moves(body)
        for i, served in enumerate(self.served):
            reset, actions = moves[i]
            outcome = (0, 0, 0.0)
            if reset == RESET:
                served.begin(self.seed + i if self.fresh[i] else None, actions)
                self.fresh[i] = False
            elif actions:
                outcome = served.play(actions)
            struct.pack_into("<BBHf", self.answer, size * i, outcome[0], outcome[1], 0, outcome[2])
        self.stream.send(STATE, self.answer)

    def moves(self, body):
        """Splits a STEP into (reset, actions), one for each environment."""
        moves, at = [], 0
        while len(moves) < len(self.served) and at + 1 < len(body):
            reset, actions = body[at], body[at + 2 : at + 2 + body[at + 1]]
            at += 2 + body[at + 1]
            moves.append((reset, actions))
            if reset > RESET or max(actions, default=0) >= self.actions:
                possible = f"0 to {self.actions - 1} are possible"
                raise Refusal(f"an environment was sent an action that it has not: {possible}")
        if len(moves) != len(self.served) or at != len(body):
            count = len(self.served)
            raise Refusal(f"the actions for {count} environments are incomplete, or too many")
        return moves

    def serve(self):
        self.greet()
        while True:
            kind, body = self.ask()
            if kind != STEP:
                raise Refusal(f"the environment's process was sent a message of type {kind}")
            self.step(body)


def setting(line):
    """Splits "frameskip=1". The value is a number, True or False; anything else is text."""
    key, _, value = line.partition("=")
    try:
        return key, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return key, value


def main():
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the program handles Ctrl-C: it sends BYE
    stream = Stream(os.dup(0), os.dup(1))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # keeps print() away from the messages
    os.dup2(2, 1)
    try:
        Server(stream).serve()
    except Refusal as why:
        stream.complain(str(why))
    except Exception as wrong:  # also an ImportError of an environment
        stream.complain(f"the environment failed: {type(wrong).__name__}: {wrong}")
        raise


if __name__ == "__main__":
    main()
