"""A toy environment for tests/bridge.py. Its settings say what it shows and what it takes.

`observation`, `action` and `value` are Python: two spaces, and what an observation is after `t`
steps of an episode. `reward` is Python too; by default, the reward names the action that arrived.
"""

import gymnasium
import numpy
from gymnasium import spaces

__version__ = "1.2.3"


def without_start(space):
    """Makes a MultiDiscrete one of Gymnasium below 0.29."""
    del space.start
    return space


NAMES = {**vars(spaces), "numpy": numpy, "uint8": numpy.uint8, "float32": numpy.float32,
         "without_start": without_start}


def picture(t, shape=(4, 5, 3)):
    """Returns a picture with different pixels, which depends on the step."""
    return (numpy.arange(numpy.prod(shape)) * 3 + 40 * t).reshape(shape).astype(numpy.uint8)


class Toy(gymnasium.Env):
    metadata = {"render_modes": ["rgb_array"], "render_fps": 4}

    def __init__(self, observation="Box(0, 255, (4, 5, 3), uint8)", value="picture(t)",
                 action="Discrete(3)", reward="named(action)", picture="picture(t)", meanings=None,
                 render_mode=None):
        self.observation_space = eval(observation, dict(NAMES))
        self.action_space = eval(action, dict(NAMES))
        self.value, self.reward, self.picture = value, reward, picture
        self.render_mode, self.t = render_mode, 0
        if meanings is not None:
            self.get_action_meanings = lambda: meanings

    def see(self, text, **more):
        known = {**NAMES, "picture": picture, "named": named, "altered": altered, "t": self.t,
                 **more}
        return eval(text, known) if isinstance(text, str) else text

    def render(self):
        return self.see(self.picture)

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.see(self.value), {}

    def step(self, action):
        assert self.action_space.contains(action), action
        self.t += 1
        return self.see(self.value), self.see(self.reward, action=action), False, False, {}


def named(action):
    """Returns a number that only this action has: its digits are the action's values."""
    values = numpy.ravel(action).astype(int)
    return float(numpy.dot(values, 10 ** numpy.arange(len(values))[::-1]))


def altered(action):
    """Returns the number of the action, which it then changes."""
    number = named(action)
    action += 5
    return number


class Plain(gymnasium.Env):
    """Takes no settings, not even a render mode. Has an attribute of the name that ALE's games
    have for the emulator."""

    observation_space, action_space = spaces.Box(-1, 1, (2,)), spaces.Discrete(2)
    ale = "a drink"

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        return numpy.zeros(2, numpy.float32), {}

    def step(self, action):
        return numpy.ones(2, numpy.float32), 1.0, False, False, {}


class Ten(gymnasium.Wrapper):
    """Makes each step worth 10, and an episode 5 steps long."""

    def reset(self, seed=None, options=None):
        self.t = 0
        return self.env.reset(seed=seed, options=options)

    def step(self, action):
        seen, _, terminated, truncated, more = self.env.step(action)
        self.t += 1
        return seen, 10.0, terminated or self.t == 5, truncated, more


def ten_pong(**how):
    from ale_py.env import AtariEnv

    return Ten(AtariEnv("pong", obs_type="grayscale", frameskip=1, repeat_action_probability=0.0,
                        **how))


class Hard(gymnasium.Wrapper):
    """Cannot be made, and does not say why."""

    def __init__(self, env):
        raise NotImplementedError


class Add(gymnasium.ObservationWrapper):
    """Adds `number` to each pixel, and then doubles it."""

    def __init__(self, env, number=1):
        super().__init__(env)
        self.number = number

    def observation(self, observation):
        return (observation + numpy.uint8(self.number)) * numpy.uint8(2)


class Fewer(gymnasium.ActionWrapper):
    """Offers the last action only."""

    def __init__(self, env):
        super().__init__(env)
        self.action_space = spaces.Discrete(1)

    def action(self, action):
        return self.env.action_space.n - 1


class Both(gymnasium.Env):
    """A task for which an image and a number are both needed.

    A half of the image is lit, and the number is 5 or -5. Action 1 is right if the left half is lit
    and the number is 5, and if the right half is lit and the number is -5. Else, action 0 is right.
    Each step draws both again. An episode has 8 steps, and a right action is worth 1: an agent that
    sees only one of the two scores 4 on average, as a random one does.
    """

    observation_space = spaces.Dict({"eye": spaces.Box(0, 255, (4, 4), numpy.uint8),
                                     "sign": spaces.Box(-9, 9, (1,))})
    action_space = spaces.Discrete(2)

    def see(self):
        self.left, self.positive = self.np_random.integers(2, size=2)
        eye = numpy.zeros((4, 4), numpy.uint8)
        eye[:, :2] = 255 * self.left
        eye[:, 2:] = 255 * (1 - self.left)
        return {"eye": eye, "sign": numpy.array([10.0 * self.positive - 5], numpy.float32)}

    def reset(self, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self.see(), {}

    def step(self, action):
        reward = float(action == (self.left == self.positive))
        self.t += 1
        return self.see(), reward, self.t == 8, False, {}


gymnasium.register("Toy-v0", entry_point="toys:Toy")
gymnasium.register("Both-v0", entry_point="toys:Both")
gymnasium.register("Plain-v0", entry_point="toys:Plain")
gymnasium.register("TenPong-v0", entry_point="toys:ten_pong")
