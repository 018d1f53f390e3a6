"""Serves environments of Gymnasium to a C program, over standard input and output. This is the
child process of env_bridge.h, which describes the messages. A program such as atari starts this
script. The script reads no arguments, and Ctrl-C does not end the script.

The agent sees an image, numbers or both, taken from the observation. The observation space says
where the image is and how the values of the image become bytes (class Picture). The space also says
which parts become numbers (class Vector). With --render, the agent sees the rendered picture
instead. Actions are Discrete, or all combinations of a MultiBinary or MultiDiscrete space. Needs
Python 3.9 or newer.
"""

import ast
import contextlib
import copy
import difflib
import functools
import importlib
import importlib.metadata
import itertools
import math
import os
import platform
import select
import signal
import struct
import sys
import threading
import time

try:
    import numpy
except ImportError:  # import_for reports it in a sentence
    numpy = None

VERSION = 3
HEAD = struct.Struct("<4sIII")  # "RISE", type, number, length of what follows
HELLO, STEP, SPEC, STATE, ERROR, BYE = range(1, 7)
RESET = 1  # of a STEP
TERMINATED, TRUNCATED = 1, 2  # of a STATE
ENVIRONMENTS, FRAMES = 256, 8  # limits: these and the next ones, up to MAX_REWARD
SIDE, CHANNELS, ACTIONS, NUMBERS = 1024, 16, 256, 1024
MAX_BYTES = ENVIRONMENTS * (2 + 255)  # of a message from the program: a STEP for all environments
MAX_NAMES = 8000  # bytes of the text in a SPEC
MAX_TEXT = 1000  # bytes of an ERROR
MAX_REWARD = 3.4e38  # the sum of rewards is sent as a 32-bit float
MAX_PIXEL = 65535  # a Box with a larger limit holds no picture: all of its pixels would be dark
GRACE = 30  # seconds that a step may still take when the program has ended

# The prefix of a name: the module that registers such environments, and its package for pip.
PACKAGES = {
    "ALE/": ("ale_py", "ale-py"),
    "MinAtar/": ("minatar.gym", "minatar"),
    "MiniGrid-": ("minigrid", "minigrid"),
    "BabyAI-": ("minigrid", "minigrid"),
    "Vizdoom": ("vizdoom.gymnasium_wrapper", "vizdoom"),
}


class Refusal(Exception):
    """A request that cannot be served. The text is a sentence for the user."""


class Ended(Exception):
    """The program has sent BYE, or has closed the socket: this process ends."""


# What ast.parse and ast.literal_eval raise.
UNREADABLE = (SyntaxError, ValueError, TypeError, MemoryError, RecursionError)


def told(wrong):
    """Returns the type of an exception, and its text if it has one."""
    try:
        text = str(wrong)
    except Exception:  # the text is made by the environment's own code
        text = ""
    return f"{type(wrong).__name__}: {text}" if text else type(wrong).__name__


def brief(thing, most=80):
    """Returns a description of `thing` in ASCII, of at most `most` characters."""
    text = ascii(thing)
    return text if len(text) <= most else text[: most - 3] + "..."


# --------------------------------------------------------------------------------------------------
# Observations


def channels_first(shape):
    """Returns whether the first dimension is the channels.

    The first dimension is the channels if it is smaller than both others, and at most CHANNELS.
    """
    return len(shape) == 3 and shape[0] <= CHANNELS and shape[0] < min(shape[1:])


def why_no_image(space):
    """Returns "" if the space is an image that can be sent. Otherwise, returns the reason."""
    if not hasattr(space, "high"):
        return f"{type(space).__name__} is not a Box"
    shape = tuple(space.shape)
    if len(shape) not in (2, 3) or 0 in shape:
        return f"the shape {shape} is not an image"
    if numpy.any(space.low != 0):
        return f"values begin at {numpy.min(space.low)}, not at 0"
    if not 0 < numpy.max(space.high) <= MAX_PIXEL:  # also NaN
        return f"values end at {numpy.max(space.high)}, not above 0 and at most at {MAX_PIXEL}"
    sides = shape[1:] if channels_first(shape) else shape[:2]
    if len(shape) == 3 and (shape[0] if channels_first(shape) else shape[2]) > CHANNELS:
        return f"neither the first nor the last number of {shape} is 1 to {CHANNELS} channels"
    if max(sides) > SIDE:
        return f"{sides[1]} x {sides[0]} pixels are too many: at most {SIDE} x {SIDE} are possible"
    return ""


def sizes_of(space, spaces):
    """Returns the number of values of each variable of a Discrete or MultiDiscrete space.

    Returns None for other spaces.
    """
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(n) for n in space.nvec.ravel()]
    return None


def count_of(space, spaces):
    """Returns how many numbers an observation of the space becomes; 0 if it is no vector."""
    sizes = sizes_of(space, spaces)
    if sizes is not None:
        return sum(sizes)
    shape = tuple(getattr(space, "shape", None) or ())
    if isinstance(space, spaces.MultiBinary):
        return math.prod(shape)
    return math.prod(shape) if hasattr(space, "high") and len(shape) < 2 else 0


def part_of(observation, path, shape, text):
    """Returns the part of the observation that `path` leads to, as an array of this shape."""
    try:
        for key in path:
            observation = observation[key]
        part = numpy.asarray(observation)
    except (KeyError, IndexError, TypeError, ValueError) as wrong:
        raise Refusal(f"{text} is missing or damaged: {brief(wrong)}") from wrong
    if part.shape != shape:
        raise Refusal(f"{text} has the shape {part.shape}; its space: {shape}")
    return part


def text_of(name, path):
    """Returns what a part of the observation is called in a sentence."""
    part = f"the part {'/'.join(map(str, path))} of " if path else ""
    return f"{part}the observation of {name}"


class Picture:
    """Turns observations into uint8 [height][width][channels], as the space says.

    The image is the part of the observation that `path` leads to. Its space is a Box with values
    from 0 to `high`, which become 0 to 255.
    """

    def __init__(self, name, path, space):
        self.path, self.shape, self.high = path, tuple(space.shape), space.high
        self.text = text_of(name, path)
        self.unchanged = space.dtype == numpy.uint8 and bool(numpy.all(space.high == 255))
        self.scale = 255.0 / numpy.where(space.high > 0, space.high, 1).astype(numpy.float64)
        self.first = channels_first(self.shape)

    def __call__(self, observation):
        image = part_of(observation, self.path, self.shape, self.text)
        if image.dtype != numpy.uint8 or not self.unchanged:
            image = self.stretched(image)
        if image.ndim == 2:
            return image[:, :, None]
        return image.transpose(1, 2, 0) if self.first else image

    def stretched(self, image):
        """Returns the image as uint8: values from 0 to `high` become 0 to 255."""
        if image.dtype.kind not in "biuf":
            raise Refusal(f"{self.text} has values of the type {image.dtype}, which are not "
                          "numbers")
        values = image * self.scale  # rounding errors below 0.5 outside the limits are accepted
        outside = ~((values >= -0.5) & (values < 255.5))  # also NaN
        if outside.any():
            wrong = f"the value {image[outside][0]}"
            limit = numpy.broadcast_to(self.high, image.shape)[outside][0]
            raise Refusal(f"{self.text} has {wrong}; its space: 0 to {limit}")
        return numpy.rint(values).astype(numpy.uint8)


class NoPicture:
    """Stands for the image of an observation that has none: an array without pixels."""

    text = ""

    def __call__(self, _):
        return numpy.empty((0, 0, 0), numpy.uint8)


class Vector:
    """Turns the part of the observation that `path` leads to into numbers.

    The numbers of a Box or MultiBinary are its values. A variable of a Discrete or MultiDiscrete is
    one-hot: one number for each possible value, which is 1 for the variable's value, else 0.
    """

    def __init__(self, name, path, space, spaces):
        self.path, self.shape = path, tuple(getattr(space, "shape", None) or ())
        self.sizes, self.count = sizes_of(space, spaces), count_of(space, spaces)
        self.starts = []
        if self.sizes is not None:  # a MultiDiscrete of Gymnasium below 0.29 has no start
            starts = numpy.broadcast_to(getattr(space, "start", 0), self.shape)
            self.starts = [int(start) for start in starts.ravel()]
        self.text = text_of(name, path)

    def __call__(self, observation):
        values = part_of(observation, self.path, self.shape, self.text).ravel()
        if values.dtype.kind not in ("biu" if self.sizes is not None else "biuf"):
            raise Refusal(f"{self.text} has values of the type {values.dtype}, which are not "
                          f"{'integers' if self.sizes is not None else 'numbers'}")
        if self.sizes is not None:
            return self.chosen(values)
        with numpy.errstate(over="ignore"):
            numbers = values.astype(numpy.float32)
        finite = numpy.isfinite(numbers)
        if not finite.all():
            at = int(numpy.argmin(finite))
            where = f" at index {at}" if self.shape else ""
            rule = "numbers must be finite, and at most 3.4e38"
            raise Refusal(f"{self.text} has the value {values[at]}{where}: {rule}")
        return numbers

    def chosen(self, values):
        numbers, begin = numpy.zeros(self.count, numpy.float32), 0
        for value, size, start in zip(map(int, values), self.sizes, self.starts):
            if not start <= value < start + size:
                limits = f"{start} to {start + size - 1}"
                raise Refusal(f"{self.text} has the value {value}; its space: {limits}")
            numbers[begin + value - start] = 1
            begin += size
        return numbers


class Rendering:
    """Renders the environment; the observation is ignored."""

    def __init__(self, name, env):
        self.env, self.shape = env, None
        self.text = f"the rendered picture of {name}"

    def __call__(self, _):
        picture = self.env.render()
        if not isinstance(picture, numpy.ndarray) or picture.dtype != numpy.uint8:
            kind = picture.dtype if isinstance(picture, numpy.ndarray) else type(picture).__name__
            raise Refusal(f"{self.text} is not an array of uint8 but {kind}: leave out --render")
        if picture.ndim != 3 or not 1 <= picture.shape[2] <= CHANNELS or 0 in picture.shape:
            shape = f"the shape {picture.shape}, which is not an image"
            raise Refusal(f"{self.text} has {shape}: leave out --render")
        if max(picture.shape) > SIDE:
            pixels = f"{picture.shape[1]} x {picture.shape[0]} pixels"
            most = f"at most {SIDE} x {SIDE} are possible"
            raise Refusal(f"{self.text} has {pixels}: {most}: leave out --render")
        self.shape = self.shape or picture.shape
        if picture.shape != self.shape:
            raise Refusal(f"{self.text} has the shape {picture.shape}; it was {self.shape}")
        return picture


def parts_of(space, spaces, path=()):
    """Yields (path, space) for each part of an observation space that has no parts itself."""
    inner = {}
    if isinstance(space, spaces.Dict):
        inner = space.spaces
    elif isinstance(space, spaces.Tuple):
        inner = dict(enumerate(space.spaces))
    else:
        yield path, space
    for key, part in inner.items():
        yield from parts_of(part, spaces, (*path, key))


def chosen_parts(name, parts, wanted):
    """Returns the keys that --observation names: one key, or several with commas."""
    if "" in parts:
        raise Refusal(f"the observations of {name} have no parts: leave out --observation")
    keys = [wanted] if wanted in parts else wanted.split(",")
    for key in keys:
        if key not in parts:
            listed = ", ".join(parts)[:150]
            raise Refusal(f"--observation {key}: the observations of {name} have the parts "
                          f"{listed}")
    return keys


def counted(name, vectors):
    """Raises a Refusal if the vectors have too many numbers. Otherwise, returns them."""
    total = sum(vector.count for vector in vectors)
    if total <= NUMBERS:
        return vectors
    most = f"at most {NUMBERS} are possible"
    if not vectors[0].path:
        raise Refusal(f"{vectors[0].text} has {total} numbers: {most}. A wrapper can offer fewer "
                      "(--wrap)")
    each = ", ".join(f"{'/'.join(map(str, v.path))} {v.count}" for v in vectors)[:120]
    raise Refusal(f"the observations of {name} have {total} numbers ({each}): {most}. Choose parts "
                  "with --observation KEY,KEY, or wrap the environment (--wrap)")


def view_of(name, space, spaces, wanted):
    """Returns a Picture or NoPicture, the Vectors, and the keys of the parts that are not seen.

    The agent sees the parts that `wanted` names, with commas between. If `wanted` is empty, the
    agent sees all parts that are images or vectors.
    """
    parts = {}
    for path, part in parts_of(space, spaces):
        key = "/".join(map(str, path))
        if key in parts:
            raise Refusal(f"two parts of the observations of {name} are called {key}: rename one "
                          "with a wrapper (--wrap)")
        parts[key] = path, part
    reasons = {key: why_no_image(part) for key, (_, part) in parts.items()}
    kept = chosen_parts(name, parts, wanted) if wanted else list(parts)
    images = [key for key in parts if key in kept and not reasons[key]]
    numbers = [key for key in parts if key in kept and count_of(parts[key][1], spaces) > 0]
    neither = [key for key in kept if key not in images and key not in numbers]
    if wanted and neither:
        raise Refusal(f"--observation {neither[0]} of {name} is neither an image nor a vector of "
                      f"numbers: {reasons[neither[0]]}")
    if not images and not numbers:
        why = "; ".join(f"{key}: {why}".removeprefix(": ") for key, why in reasons.items())[:100]
        flat = "--wrap gymnasium.wrappers:FlattenObservation makes a vector of most"
        way = "--render shows the agent the rendered picture, which may show what it should not see"
        raise Refusal(f"the observations of {name} hold no image and no vector ({why}): {flat}; "
                      f"{way}")
    if len(images) > 1:
        several = ", ".join(images)[:150]
        raise Refusal(f"the observations of {name} hold {len(images)} images: choose one with "
                      f"--observation: {several}")
    picture = Picture(name, *parts[images[0]]) if images else NoPicture()
    vectors = [Vector(name, *parts[key], spaces) for key in numbers]
    missed = [key for key in parts if key not in images and key not in numbers]
    return picture, counted(name, vectors), missed


# --------------------------------------------------------------------------------------------------
# Actions


def actions_of(name, space, spaces):
    """Returns the actions of a space in the order of their numbers, as Gymnasium takes them."""
    kind = f"{name} has actions of the kind {' '.join(str(space).split())[:100]}"
    sizes = sizes_of(space, spaces)
    if isinstance(space, spaces.MultiBinary):
        sizes = [2] * math.prod(space.shape)
    if sizes is None:
        only = "only Discrete, MultiBinary and MultiDiscrete are supported"
        raise Refusal(f"{kind}; {only}: a wrapper can offer one of these (--wrap)")
    if math.prod(sizes) > ACTIONS:
        raise Refusal(f"{kind}, more than {ACTIONS}: a wrapper can offer fewer (--wrap)")
    start = getattr(space, "start", 0)
    if isinstance(space, spaces.Discrete):
        return [int(start) + i for i in range(sizes[0])]
    combinations = itertools.product(*map(range, sizes))
    return [numpy.array(one, space.dtype).reshape(space.shape) + start for one in combinations]


def action_names(name, env, actions):
    """Returns the environment's own names of its actions. If it has none, returns their values."""
    meanings = getattr(env.unwrapped, "get_action_meanings", None)
    names = list(meanings()) if meanings else []
    if len(names) != len(actions):  # a wrapper may have other actions
        return [" ".join(map(str, numpy.ravel(action))) for action in actions]
    for i, text in enumerate(names):
        if not isinstance(text, str) or not text or not text.isprintable():
            rule = "a name must be a line of printable text"
            raise Refusal(f"{name} calls its action {i} {brief(text)}: {rule}")
    return names


# --------------------------------------------------------------------------------------------------
# Environments


class Environment:
    """An environment of Gymnasium: its steps, its newest frame and its newest numbers.

    `view` is what view_of returns.
    """

    def __init__(self, name, env, actions, view):
        self.name, self.env, self.actions = name, env, actions
        self.picture, self.vectors, self.missed = view
        self.count = sum(vector.count for vector in self.vectors)
        self.latest = None

    def reset(self, seed):
        self.latest, _ = self.env.reset(seed=seed)

    def step(self, action):
        chosen = copy.copy(self.actions[action])  # an environment may change its argument
        self.latest, reward, terminated, truncated, _ = self.env.step(chosen)
        return reward, terminated, truncated

    def frame(self):
        return self.picture(self.latest)

    def write_numbers(self, out):
        begin = 0
        for vector in self.vectors:
            out[begin : begin + vector.count] = vector(self.latest)
            begin += vector.count

    def facts(self):
        """Returns lines that say what the agent sees, and what it does not see."""
        lines = [f"frames: {self.picture.text}"] if self.picture.text else []
        if self.vectors:
            text = self.vectors[0].text
            if len(self.vectors) > 1:
                keys = ", ".join("/".join(map(str, vector.path)) for vector in self.vectors)[:150]
                text = f"the parts {keys} of the observation of {self.name}"
            lines.append(f"numbers: {text}")
        if self.missed:
            lines.append(f"not seen: {', '.join(self.missed)[:150]}")
        return lines


class Atari(Environment):
    """The Arcade Learning Environment without Gymnasium's wrappers.

    Reads a frame from the emulator only if the frame is sent.
    """

    @staticmethod
    def fits(env):
        """Returns whether `env` is a game of ALE without a frame skip, and without wrappers.

        Wrappers that only check calls do not count. A time limit is a wrapper that counts."""
        while type(env).__name__ in ("OrderEnforcing", "PassiveEnvChecker"):
            env = env.env
        kind = type(env)
        known = kind.__name__ == "AtariEnv" and kind.__module__.split(".")[0] == "ale_py"
        return known and env._frameskip == 1

    def __init__(self, *how):
        super().__init__(*how)
        self.ale = self.env.unwrapped.ale
        self.codes = self.env.unwrapped._action_set
        self.grey = len(self.env.observation_space.shape) == 2

    def reset(self, seed):
        self.env.reset(seed=seed)

    def step(self, action):
        reward = self.ale.act(self.codes[action])
        return reward, self.ale.game_over(with_truncation=False), self.ale.game_truncated()

    def frame(self):
        return self.picture(self.ale.getScreenGrayscale() if self.grey else self.ale.getScreenRGB())


def install_line(module):
    return f"{module.split('.')[0]}, or start in the folder that holds it"


def imported(module, install):
    """Imports a module. If it is missing, raises a Refusal that says "pip install `install`"."""
    try:
        return importlib.import_module(module)
    except ImportError as missing:
        lacking = missing.name if isinstance(missing, ModuleNotFoundError) else None
        if lacking is None:
            raise Refusal(f"the module {module} cannot be imported: {missing}") from missing
        if lacking.split(".")[0] != module.split(".")[0]:  # pip may know it by another name
            what = f"Python has no module {lacking}, which {module} imports"
            raise Refusal(f"{what}: install the package that holds it") from missing
        raise Refusal(f"Python has no package {lacking}: pip install {install}") from missing


def import_for(name):
    """Imports Gymnasium, and the module that registers the environment `name`.

    The module is in the name, as in module:Name-v0, or in PACKAGES. Returns Gymnasium and the name
    without the module.
    """
    module, _, plain = name.rpartition(":")
    wanted, install = "gymnasium", install_line(module)
    for prefix, (known, package) in PACKAGES.items():
        if plain.startswith(prefix) and module in ("", known, known.split(".")[0]):
            module, wanted = known, package + " gymnasium"
            install = wanted
    gymnasium = imported("gymnasium", wanted)
    gymnasium.logger.min_level = gymnasium.logger.ERROR
    if module:
        # register_envs of MinAtar registers the environments of MinAtar. Gymnasium has another
        # function of this name, which many modules import. That function is not called.
        register = getattr(imported(module, install), "register_envs", None)
        if register not in (None, getattr(gymnasium, "register_envs", None)):
            register()
    return gymnasium, plain


def refuse_unknown(gymnasium, name):
    """Raises a Refusal with similar names if there is no environment `name`."""
    if name in gymnasium.registry:
        return
    plain = {known.lower(): known for known in gymnasium.registry}
    near = difflib.get_close_matches(name.lower(), plain, n=3, cutoff=0.5)
    hint = f"; did you mean {' or '.join(plain[known] for known in near)}?" if near else ""
    raise Refusal(f"there is no environment {name}{hint}")


def wrapper_of(text):
    """Reads "module:Wrapper" or "module:Wrapper(key=value, ...)".

    Returns a function that wraps an environment.
    """
    target, _, arguments = text.partition("(")
    module, _, attribute = target.strip().partition(":")
    try:
        call = ast.parse(f"f({arguments or ')'}", mode="eval").body
        keywords = {word.arg: ast.literal_eval(word.value) for word in call.keywords}
        plain = isinstance(call.func, ast.Name) and not call.args and None not in keywords
        if not module or not attribute.isidentifier() or not plain:
            raise ValueError
    except (*UNREADABLE, AttributeError) as wrong:  # AttributeError: the text is not a call
        forms = "write module:Wrapper or module:Wrapper(key=value)"
        raise Refusal(f"--wrap {text} is not understood: {forms}") from wrong
    wrapper = getattr(imported(module, install_line(module)), attribute, None)
    if not callable(wrapper):
        raise Refusal(f"--wrap {text}: the module {module} has no class {attribute}")

    def wrap(env):
        try:
            return wrapper(env, **keywords)
        except (TypeError, ValueError, AssertionError, NotImplementedError) as wrong:
            raise Refusal(f"--wrap {text} failed: {told(wrong)}") from wrong

    return wrap


class Request:
    """What the text of HELLO asks for: an environment, its settings, and options of the bridge."""

    def __init__(self, text):
        self.name, *lines = text.split("\n")
        self.settings, self.wraps, self.observation, self.render = {}, [], "", False
        for line in filter(None, lines):
            key, _, value = line.partition("=")
            if key == "--wrap":
                self.wraps.append(value)
            elif key == "--observation":
                self.observation = value
            elif key == "--render":
                self.render = True
            elif key.startswith("--"):
                remedy = "use the bridge.py of the program's release"
                raise Refusal(f"bridge.py has no option {key}: {remedy}")
            else:
                self.settings[key] = literal(value)
        if self.render:
            self.settings["render_mode"] = "rgb_array"
        if self.render and self.observation:
            raise Refusal("--render shows the picture alone: leave out --observation or --render")

    def make(self):
        """Makes one environment."""
        gymnasium, known = import_for(self.name)
        refuse_unknown(gymnasium, known)
        wraps = [wrapper_of(text) for text in self.wraps]
        try:
            env = gymnasium.make(known, disable_env_checker=True, **self.settings)
        except TypeError as wrong:
            given = ["--keyword"] if len(self.settings) > self.render else []
            given += ["--render"] if self.render else []
            if not given:
                raise
            options = " or ".join(given)
            raise Refusal(f"{self.name} does not know a setting ({options}): {wrong}") from wrong
        plain = not wraps and Atari.fits(env)
        env = functools.reduce(lambda inner, wrap: wrap(inner), wraps, env)
        spaces = gymnasium.spaces
        actions = actions_of(self.name, env.action_space, spaces)
        if self.render:
            return Environment(self.name, env, actions, (Rendering(self.name, env), [], []))
        view = view_of(self.name, env.observation_space, spaces, self.observation)
        # Class Atari sends whole frames only. With obs_type=ram, ALE shows numbers. With
        # sound_obs=True, ALE shows a Dict.
        kind = Atari if plain and not view[1] and not view[0].path else Environment
        return kind(self.name, env, actions, view)

    def versions(self, env):
        """Returns "name version" of Python and of each package that takes part."""
        modules = ["gymnasium", "numpy", type(env.unwrapped).__module__, *self.wraps]
        tops = dict.fromkeys(module.replace(":", ".").split(".")[0] for module in modules)
        return [f"python {platform.python_version()}", *(f"{top} {version(top)}" for top in tops)]


def version(package):
    known = getattr(sys.modules.get(package), "__version__", None)
    try:
        text = str(known or importlib.metadata.version(package))
    except importlib.metadata.PackageNotFoundError:
        text = "of unknown version"
    return " ".join(text.split())


def literal(text):
    """Returns the value of a Python literal, such as 3, 0.5, True, None, [1, 2] or 'a'.

    Any other text is returned as it is.
    """
    try:
        return ast.literal_eval(text)
    except UNREADABLE:
        return text


# --------------------------------------------------------------------------------------------------
# Messages


class Served:
    """Plays the actions of a message in one environment, and writes what it shows into the answer.

    `frames` and `numbers` are parts of the answer: the newest frames [count][height][width]
    [channels], newest last, and the newest numbers.
    """

    def __init__(self, environment, frames, numbers):
        self.environment, self.frames, self.numbers = environment, frames, numbers

    def frame(self):
        """Returns the newest frame. Refuses another shape, which NumPy might broadcast silently."""
        frame = self.environment.frame()
        if frame.shape != self.frames.shape[1:]:
            sizes = f"{frame.shape}; that of the first environment: {self.frames.shape[1:]}"
            raise Refusal(f"{self.environment.picture.text} has the shape {sizes}")
        return frame

    def reset(self, seed):
        self.environment.reset(seed)
        self.frames[:] = self.frame()
        self.environment.write_numbers(self.numbers)

    def play(self, actions):
        """Plays actions until the episode ends.

        Returns the end (TERMINATED, TRUNCATED or 0), the number of actions played, and the sum of
        their rewards.
        """
        count = len(self.frames)
        if len(actions) < count:
            self.frames[: count - len(actions)] = self.frames[len(actions) :].copy()
        total, played, ended = 0.0, 0, 0
        for action in actions:
            reward, terminated, truncated = self.environment.step(action)
            total = self.sum(total, reward)
            played += 1
            ended = TERMINATED if terminated else TRUNCATED if truncated else 0
            to_come = len(actions) - played
            if ended and to_come:
                self.frames[:] = self.frame()  # the frames in between may not have been read
            elif to_come < count:
                self.frames[count - 1 - to_come] = self.frame()
            if ended:
                break
        self.environment.write_numbers(self.numbers)
        return ended, played, total

    def sum(self, total, reward):
        """Returns total + reward. The sum must be finite as a 32-bit float (see MAX_REWARD)."""
        try:
            total += float(reward)
        except (TypeError, ValueError, OverflowError):
            total = math.nan
        if not abs(total) <= MAX_REWARD:  # also NaN
            rule = "a reward must be a finite number, and the sum in a step at most 3.4e38"
            raise Refusal(f"{self.environment.name} gave the reward {brief(reward)}: {rule}")
        return total

    def begin(self, seed, actions):
        """Begins an episode and plays actions. Each time an episode ends, begins another."""
        self.reset(seed)
        while actions:
            ended, played, _ = self.play(actions)
            actions = actions[played:]
            if ended:
                self.reset(None)


class Stream:
    """Sends and receives whole messages, and checks the number of each message received.

    Raises Ended if the socket is closed.
    """

    def __init__(self, source, sink):
        self.source, self.sink, self.number = source, sink, 0

    def close(self):
        """Closes both descriptors, once."""
        for descriptor in {self.source, self.sink} - {-1}:
            os.close(descriptor)
        self.source = self.sink = -1

    def exactly(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                piece = os.read(self.source, size - len(data))
            except ConnectionError:
                piece = b""
            if not piece:
                raise Ended
            data += piece
        return bytes(data)

    def receive(self):
        magic, kind, number, size = HEAD.unpack(self.exactly(HEAD.size))
        expected, self.number = self.number, (self.number + 1) % (1 << 32)
        if magic != b"RISE" or number != expected or size > MAX_BYTES:
            raise Refusal("the environment's process was sent something that is not a message")
        return kind, self.exactly(size)

    def send(self, kind, body):
        number = (self.number - 1) % (1 << 32)
        data = memoryview(HEAD.pack(b"RISE", kind, number, len(body)) + body)
        try:
            while data:
                data = data[os.write(self.sink, data) :]
        except ConnectionError:
            raise Ended from None

    def complain(self, sentence):
        text = sentence.encode(errors="backslashreplace")[:MAX_TEXT]
        with contextlib.suppress(Ended):
            self.send(ERROR, text.decode(errors="ignore").encode())  # drops a cut character


class Server:
    def __init__(self, stream):
        self.stream, self.environments, self.dismissed = stream, [], False

    def close(self):
        """Closes all environments, because some write files or have processes of their own.

        Ignores errors of an environment. After BYE, env_bridge.h waits two seconds, or `patience`
        if that is shorter, and then kills this process.
        """
        for environment in self.environments:
            with contextlib.suppress(Exception, SystemExit):
                environment.env.close()

    def greet(self):
        """Makes the environments that HELLO asks for, and sends SPEC."""
        request, count, frames = self.hello()
        for _ in range(count):
            self.environments.append(request.make())
        first = self.environments[0]
        first.reset(0)
        image = first.frame()
        self.fresh = [True] * count
        self.prepare((frames, *image.shape))
        self.actions = len(first.actions)
        names = [request.name, *action_names(request.name, first.env, first.actions)]
        facts = [*first.facts(), *request.versions(first.env)]
        text = "\n".join([*names, "", *facts]).encode(errors="backslashreplace")
        if len(text) > MAX_NAMES:
            size = f"{len(text)} bytes: at most {MAX_NAMES} are possible"
            raise Refusal(f"the names of the actions of {request.name} have {size}")
        height, width, channels = image.shape
        sizes = (width, height, channels, self.actions, first.count)
        self.stream.send(SPEC, struct.pack("<IIIIII", VERSION, *sizes) + text)

    def prepare(self, shape):
        """Allocates the answer, with frames of this shape and numbers for each environment."""
        pixels, count = math.prod(shape), self.environments[0].count
        size = 8 + pixels + 4 * count
        self.answer, self.served = bytearray(len(self.environments) * size), []
        for i, environment in enumerate(self.environments):
            if environment.count != count:
                sizes = f"{environment.count} numbers; those of the first environment: {count}"
                raise Refusal(f"the observations of {environment.name} have {sizes}")
            frames = numpy.frombuffer(self.answer, numpy.uint8, pixels, size * i + 8)
            numbers = numpy.frombuffer(self.answer, "<f4", count, size * i + 8 + pixels)
            self.served.append(Served(environment, frames.reshape(shape), numbers))

    def hello(self):
        """Reads HELLO. Returns the request, number of environments, and frames of each."""
        kind, body = self.ask()
        if kind != HELLO or len(body) < 20:
            raise Refusal("the first message must be HELLO, with at least 20 bytes")
        version, count, frames, self.seed = struct.unpack_from("<IIIQ", body)
        if version != VERSION:
            ours = f"bridge.py speaks version {VERSION} of the protocol"
            raise Refusal(f"{ours}, the program {version}: take both from one release")
        if not 1 <= count <= ENVIRONMENTS or not 1 <= frames <= FRAMES:
            limits = f"1 to {ENVIRONMENTS} environments and 1 to {FRAMES} frames of each"
            raise Refusal(f"{limits} are possible, not {count} and {frames}")
        return Request(body[20:].decode(errors="replace")), count, frames

    def ask(self):
        """Returns the program's next message. BYE ends the process."""
        kind, body = self.stream.receive()
        if kind == BYE:
            self.dismissed = True
            raise Ended
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
                have = f"does not have: 0 to {self.actions - 1} are possible"
                raise Refusal(f"an environment was sent an action that it {have}")
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


def watch(parent, source):
    """Ends this process about GRACE seconds after the program has ended, also while a step hangs.

    But a step that hangs in C code, and holds Python's global lock (GIL), also stops this thread.
    Also ends the processes that an environment has started: see end_group.

    There are two tests of whether the program has ended. The first: the other end of the socket
    `source` is closed. The second: the parent of this process is no longer `parent`, the parent at
    the start. Some systems report a closed socket only to a process that reads from the socket:
    then only the second test notices the end. If the parent is a shell between the program and this
    process, only the first test notices the end.
    """
    hung_up = select.poll()
    hung_up.register(source, select.POLLHUP)
    while os.getppid() == parent and not any(
        what & (select.POLLHUP | select.POLLERR) for _, what in hung_up.poll(0)
    ):
        time.sleep(1)
    time.sleep(GRACE)
    end_group()
    os._exit(1)


def end_group():
    """Ends the process group of this process, if this process leads the group. Else does nothing.

    The group holds this process and the processes that environments have started. env_bridge.h
    makes this process the leader of a new group. If --python names a shell script that starts this
    process, the shell leads the group. Then only env_bridge.h can end the group.
    """
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)


def ignore_signals():
    """Leaves SIGINT, SIGHUP and SIGTERM to the program, which saves its work and sends BYE."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in (signal.SIGHUP, signal.SIGTERM):
        # not SIG_IGN, which a program that an environment starts would inherit
        signal.signal(number, lambda *_: None)
        signal.siginterrupt(number, False)
        os.register_at_fork(after_in_child=functools.partial(signal.signal, number, signal.SIG_DFL))


def main():
    if len(sys.argv) > 1 or os.isatty(0):
        sys.exit("bridge.py plays environments for a program: see examples/env_bridge.h, ./atari")
    ignore_signals()
    if os.path.realpath(sys.path[0]) == os.path.dirname(os.path.realpath(__file__)):
        del sys.path[0]  # a module of the user may have the name of a file in this folder
    stream = Stream(os.dup(0), os.dup(1))
    # A process that an environment forks must not keep the socket open after this process.
    os.register_at_fork(after_in_child=stream.close)
    threading.Thread(target=watch, args=(os.getppid(), stream.source), daemon=True).start()
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)  # keeps print() away from the messages
    os.dup2(2, 1)
    sys.path.append(os.getcwd())  # for the user's own modules
    server, this, lost = Server(stream), os.getpid(), False
    try:
        server.serve()
    except Ended:
        lost = not server.dismissed
    except Refusal as why:
        stream.complain(str(why))
    except BaseException as wrong:  # also SystemExit: an environment may call sys.exit
        if os.getpid() == this:
            stream.complain(f"the environment failed: {told(wrong)}")
        raise
    finally:
        if os.getpid() == this:  # not in a process that an environment has forked
            server.close()
    if lost:  # nobody else ends the processes of the environments
        end_group()


if __name__ == "__main__":
    main()
