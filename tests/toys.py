"""A toy environment for tests/bridge.py. Its settings say what it shows and what it takes.

`observation`, `action` and `value` are Python: two spaces, and what an observation is after `t`
steps of an episode. `reward` is Python too; by default, the reward names the action that arrived.
"""

import gymnasium
import numpy
from gymnasium import spaces

__version__ = "1.2.3"
NAMES = {**vars(spaces), "numpy": numpy, "uint8": numpy.uint8, "float32": numpy.float32}


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
        known = {**NAMES, "picture": picture, "named": named, "t": self.t, **more}
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


gymnasium.register("Toy-v0", entry_point="toys:Toy")
