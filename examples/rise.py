"""rise.h for Python 3.9 or newer: one agent, through ctypes. Needs a C compiler the first time.

The first `import rise` builds the library with $CC, or cc, in about 12 seconds. So does the first
import after rise.h or this file has changed. The library is a file beside this one, called
librise-HASH.so. HASH is a hash of rise.h, of this file and of the kind of machine:

    cc -O2 -shared -fPIC -pthread -DRISE_THREADS -DRISE_IMPLEMENTATION -x c rise.h -o LIBRARY -lm

Copy this file and rise.h beside your program, or add this folder to PYTHONPATH.

    import rise
    agent = rise.Agent(numbers=4, actions=2, memory="none")
    action = agent.step(numbers=[0.1, 0.2, 0.3, 0.4], event=rise.FIRST)  # an episode begins
    action = agent.step(numbers=[0.2, 0.2, 0.3, 0.4], reward=1.0, event=rise.MIDDLE)

The reward is that of the last action. Give the last state of an episode too, as TERMINATED or
TRUNCATED. Two examples of the first step of an episode, with MinAtar and with a window of pygame:

    agent = rise.Agent(frame_width=10, frame_height=10, frame_channels=env.state_shape()[2],
                       actions=env.num_actions())
    action = agent.step(env.state().astype("uint8") * 255, event=rise.FIRST)

    agent = rise.Agent(frame_width=84, frame_height=84, frame_channels=3, actions=4)
    small = pygame.transform.smoothscale(window, (84, 84))
    action = agent.step(pygame.surfarray.array3d(small).swapaxes(0, 1), event=rise.FIRST)

Keywords are the fields of rise_agent_desc that rise_agent_set of rise.h can set; describe() lists
them. `threads`, `isa`, embedding_file and the callbacks are not among them. Learning starts after
learn_start steps. A call that the library refuses raises rise.Error. Data of a wrong size or type
raise ValueError or TypeError.

A frame is [height][width][channels] in uint8: bytes, or an array of NumPy. Only the number of bytes
is checked. Numbers are floats: lists or arrays. NumPy is optional. This file repeats no struct of
rise.h: rise_size_of gives the sizes, and rise_agent_set sets the fields from text.
"""

import array
import contextlib
import ctypes
import hashlib
import os
import platform
import re
import subprocess
import sys
from ctypes import POINTER, byref, c_char_p, c_double, c_float, c_int, c_size_t, c_void_p
from typing import Any, Optional, Union

try:
    import numpy
except ImportError:
    numpy = None  # type: ignore[assignment]

FIRST, MIDDLE, TERMINATED, TRUNCATED, ABSENT = range(5)  # rise_event
SAVES = ("agent", "all", "policy", "int8", "float16")  # rise_save
PRESETS = ("dqn", "rainbow", "btr", "r2d2")  # rise_preset


class Error(Exception):
    """A call that the library refused. `result` is its rise_result."""

    def __init__(self, text: str, result: int = -1):
        super().__init__(text)
        self.result = result


def _build() -> str:
    """Returns the path of the shared library for this rise.h and this file. Builds it if it is
    missing, and removes older ones."""
    folder = os.path.dirname(os.path.abspath(__file__))
    places = [p for p in (folder, os.path.dirname(folder)) if os.path.exists(f"{p}/rise.h")]
    if not places:
        raise ImportError(f"rise.h is neither in {folder} nor in the folder above")
    digest = hashlib.sha256()
    for source in f"{places[0]}/rise.h", __file__:
        with open(source, "rb") as file:
            digest.update(file.read())
    digest.update(f"{sys.platform} {platform.machine()}".encode())  # machines may share a folder
    suffix = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")
    path = os.path.join(folder, f"librise-{digest.hexdigest()[:12]}{suffix}")
    if os.path.exists(path):
        return path
    if not os.access(folder, os.W_OK):
        raise ImportError(f"the library cannot be written into {folder}: copy rise.py and rise.h "
                          "into a folder of your own, or make this one writable")
    new = f"{path}.{os.getpid()}"  # two programs may build at once
    try:
        _compile(f"{places[0]}/rise.h", new)
        os.replace(new, path)
    except OSError:
        if not os.path.exists(path):  # on Windows, another program may have built it and use it
            raise
    finally:  # also if the user interrupts the compiler
        with contextlib.suppress(OSError):
            os.remove(new)
    for name in os.listdir(folder):
        older = re.fullmatch("librise-[0-9a-f]{12}" + re.escape(suffix), name)
        if older and name != os.path.basename(path):
            with contextlib.suppress(OSError):  # Windows keeps a file that is in use
                os.remove(os.path.join(folder, name))
    return path


def _compile(source: str, library: str) -> None:
    """Compiles rise.h. Raises ImportError if that fails."""
    flags = ["-O2", "-shared", "-pthread", "-DRISE_THREADS", "-DRISE_IMPLEMENTATION"]
    flags += [] if sys.platform == "win32" else ["-fPIC"]
    compiler = os.environ.get("CC") or "cc"
    command = [*compiler.split(), *flags, "-x", "c", source, "-o", library, "-lm"]
    try:
        built = subprocess.run(command, check=False).returncode == 0
    except OSError:  # there is no such compiler
        built = False
    if not built:
        remedy = "install gcc or clang, or set the variable CC to the command of your C compiler"
        raise ImportError(f'"{compiler}" could not build the library from rise.h: {remedy}')


_lib = ctypes.CDLL(_build())
_LINE = ctypes.CFUNCTYPE(None, c_void_p, c_char_p)  # rise_log_fn
_P = c_void_p
for _name, _result, *_arguments in (
    ("rise_size_of", c_size_t, c_char_p),
    ("rise_error_text", c_char_p, _P),
    ("rise_agent_metrics", None, _P, _P),
    ("rise_metrics_describe", None, _P, _LINE, _P),
    ("rise_agent_set", c_int, _P, c_char_p, _P),
    ("rise_agent_preset", c_int, _P, c_int),
    ("rise_agent_describe", None, _P, _LINE, _P),
    ("rise_agent_create", c_int, _P, _P, _P),
    ("rise_agent_destroy", None, _P),
    ("rise_agent_query", _P, _P),
    ("rise_agent_error", _P, _P),
    ("rise_agent_step_numbers", c_int, _P, _P, _P, c_float, c_int),
    ("rise_agent_step_all", c_int, _P, _P, _P, _P, _P, _P, _P),
    ("rise_agent_play_numbers", c_int, _P, c_int, _P, _P, c_float, c_int, _P),
    ("rise_agent_play_all", c_int, _P, _P, _P, _P, _P, _P, _P),
    ("rise_agent_set_player", c_int, _P, c_int, c_double, c_double),
    ("rise_agent_values", POINTER(c_float), _P, c_int),
    ("rise_agent_learn", c_int, _P),
    ("rise_agent_learn_for", c_int, _P, c_double),
    ("rise_agent_publish", c_int, _P, _P),
    ("rise_agent_save", c_int, _P, c_int, c_char_p, _P),
    ("rise_agent_load", c_int, _P, c_char_p, _P, _P),
):
    getattr(_lib, _name).restype, getattr(_lib, _name).argtypes = _result, _arguments


def _value(text: str) -> Union[int, float, str]:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text


def _one_of(name: str, words: tuple[str, ...], word: str) -> int:
    """Returns the index of `word` in `words`."""
    if word not in words:
        raise ValueError(f'{name} is "{word}"; it must be one of {" ".join(words)}')
    return words.index(word)


def _lines(function: Any, subject: Any) -> dict[str, Any]:
    """Calls function(subject, fn, NULL), which passes lines "name=value" to fn. Returns a dict."""
    lines: list[str] = []
    function(subject, _LINE(lambda _, text: lines.append(text.decode(errors="replace"))), None)
    return {name: _value(text) for name, text in (line.split("=", 1) for line in lines)}


def _arrays(rows: Any) -> bool:
    """Returns whether the rows are arrays of NumPy, such as a frame of each environment."""
    return bool(rows) and all(isinstance(row, numpy.ndarray) for row in rows)


def _pack(name: str, kind: str, size: int, values: Any) -> Optional[bytes]:
    """Returns the bytes of `size` uint8 ("B"), floats ("f") or ints ("i"). None stays None."""
    if values is None:
        return None
    if kind != "B" and numpy:
        values = numpy.asarray(values, kind)
    elif isinstance(values, (list, tuple)) and numpy and _arrays(values):
        values = numpy.stack(values)
    elif kind != "B" or isinstance(values, (list, tuple)):  # values, or rows of values
        rows = [row if isinstance(row, (list, tuple, bytes)) else [row] for row in values]
        values = [value for row in rows for value in row]
        values = bytes(values) if kind == "B" else array.array(kind, values)
    view = memoryview(values)
    if kind == "B" and view.itemsize != 1:
        raise TypeError(f"{name} must be uint8, but an item has {view.itemsize} bytes")
    if view.nbytes != size * view.itemsize:
        raise ValueError(f"{name} has {view.nbytes // view.itemsize} values; it must have {size}")
    return view.tobytes()


class Agent:
    """An agent. The methods are the functions rise_agent_* of rise.h, which explains them."""

    _agent = c_void_p()  # NULL until there is one

    def __init__(self, preset: Optional[str] = None, **fields: Any):
        self._open(None, fields, preset)

    @classmethod
    def load(cls, path: str, play_only: bool = False, **machine: Any) -> "Agent":
        """Makes an agent from a file. `machine`: fields such as players and background, as in
        rise_agent_read of rise.h. Fields such as learning_rate have no effect: the file decides."""
        agent = cls.__new__(cls)
        agent._open(path, {"play_only": play_only, **machine})
        return agent

    def _open(self, path: Optional[str], fields: dict[str, Any], preset: Optional[str] = None):
        self._agent = c_void_p()
        self._error = error = ctypes.create_string_buffer(_lib.rise_size_of(b"rise_error"))
        desc = ctypes.create_string_buffer(_lib.rise_size_of(b"rise_agent_desc"))  # zeros: defaults
        self._set(desc, fields)
        if preset is not None:
            _lib.rise_agent_preset(desc, _one_of("preset", PRESETS, preset))
            self._set(desc, fields)  # again: the preset has replaced a 0 that the caller has set
        if path is None:
            self._check(_lib.rise_agent_create(byref(self._agent), desc, error), error)
        else:
            name = os.fsencode(path)
            self._check(_lib.rise_agent_load(byref(self._agent), name, desc, error), error)
        d = self.describe()
        self.actions, self.environments, self.players = (
            int(d[name]) for name in ("actions", "environments", "players")
        )
        self._frame = d["frame_width"] * d["frame_height"] * d["frame_channels"]
        self.numbers = d["numbers"]

    def _set(self, desc: Any, fields: dict[str, Any]) -> None:
        for name, value in fields.items():
            text = f"{name}={int(value) if isinstance(value, bool) else value}"
            self._check(_lib.rise_agent_set(desc, text.encode(), self._error), self._error)

    def _check(self, result: int, error: Any = None) -> int:
        """Raises Error if `result` is negative. The sentence is in `error`, or in the agent."""
        if result < 0:
            error = error or _lib.rise_agent_error(self._agent)
            raise Error(_lib.rise_error_text(error).decode(errors="replace"), result)
        return result

    def _see(self, count: int, frames: Any, numbers: Any) -> tuple[Optional[bytes], ...]:
        return (
            _pack("frame", "B", count * self._frame, frames),
            _pack("numbers", "f", count * self.numbers, numbers),
        )

    def step(
        self, frame: Any = None, numbers: Any = None, reward: float = 0.0, *, event: int
    ) -> int:
        """Does one step of the environment, and the updates that are due. Needs environments=1 and
        no action_masks: else use step_all. Returns the action to take, which has no meaning after
        the last state of an episode."""
        seen = self._see(1, frame, numbers)
        return self._check(_lib.rise_agent_step_numbers(self._agent, *seen, reward, event))

    def play(
        self,
        frame: Any = None,
        numbers: Any = None,
        reward: float = 0.0,
        player: int = 0,
        allowed: Any = None,
        *,
        event: int,
    ) -> int:
        """Returns the action of a player: greedy, unless set_player chose otherwise. Learns
        nothing."""
        seen, allowed = self._see(1, frame, numbers), _pack("allowed", "B", self.actions, allowed)
        return self._check(
            _lib.rise_agent_play_numbers(self._agent, player, *seen, reward, event, allowed)
        )

    def _everyone(self, function: Any, count: int, seen: Any, rewards: Any, events: Any, mask: Any):
        actions = (c_int * count)()
        arguments = (
            *self._see(count, *seen),
            _pack("rewards", "f", count, rewards),
            _pack("events", "i", count, events),
            _pack("allowed", "B", count * self.actions, mask),
        )
        self._check(function(self._agent, *arguments, actions))
        return numpy.array(actions) if numpy else list(actions)

    def step_all(
        self,
        rewards: Any,
        events: Any,
        frames: Any = None,
        numbers: Any = None,
        allowed: Any = None,
    ) -> Any:
        """Does one step of all environments; arrays have a row for each. Returns their actions."""
        function, seen = _lib.rise_agent_step_all, (frames, numbers)
        return self._everyone(function, self.environments, seen, rewards, events, allowed)

    def play_all(
        self,
        rewards: Any,
        events: Any,
        frames: Any = None,
        numbers: Any = None,
        allowed: Any = None,
    ) -> Any:
        """Returns the actions of all players; arrays have a row for each. Learns nothing."""
        function, seen = _lib.rise_agent_play_all, (frames, numbers)
        return self._everyone(function, self.players, seen, rewards, events, allowed)

    def set_player(self, player: int = 0, epsilon: float = 0.0, temperature: float = 0.0) -> None:
        """Sets a player's share of random actions, `epsilon`, which is 0 at first. With
        `temperature` 0, the other actions are greedy. With `temperature` above 0, the other actions
        are drawn from softmax(Q / temperature)."""
        self._check(_lib.rise_agent_set_player(self._agent, player, epsilon, temperature))

    def values(self, player: int = 0) -> Optional[list[float]]:
        """Returns the Q values of the player's last play; with value_rescale, h(Q). Returns None if
        the player has not played yet or does not exist."""
        q = _lib.rise_agent_values(self._agent, player)
        return q[: self.actions] if q else None

    def learn(self) -> None:
        """Does one update now."""
        self._check(_lib.rise_agent_learn(self._agent))

    def learn_for(self, microseconds: float) -> int:
        """Does due updates for about this time (with learn_outside=1). Returns their number."""
        return self._check(_lib.rise_agent_learn_for(self._agent, microseconds))

    def publish(self, player: "Agent") -> None:
        """Copies what this agent has learned to `player`, which is play_only."""
        self._check(_lib.rise_agent_publish(self._agent, player._agent))

    def save(self, path: str, what: str = "all") -> None:
        """Saves to a file. "all" resumes bit for bit, "agent" resumes without the replay buffer.
        The others only play: "policy" with 32-bit weights, "float16" and "int8" with smaller ones.
        """
        name, kind, error = os.fsencode(path), _one_of("what", SAVES, what), self._error
        self._check(_lib.rise_agent_save(self._agent, kind, name, error), error)

    @property
    def metrics(self) -> dict[str, Any]:
        """Returns the members of rise_metrics, with their values now."""
        metrics = ctypes.create_string_buffer(_lib.rise_size_of(b"rise_metrics"))
        _lib.rise_agent_metrics(self._agent, metrics)
        return _lines(_lib.rise_metrics_describe, metrics)

    def describe(self) -> dict[str, Any]:
        """Returns all fields with the values that the agent uses, defaults included."""
        return _lines(_lib.rise_agent_describe, _lib.rise_agent_query(self._agent))

    def close(self) -> None:
        """Frees the agent. Python also does this when it drops the last reference."""
        agent, self._agent = self._agent, c_void_p()
        _lib.rise_agent_destroy(agent)

    __del__ = close
