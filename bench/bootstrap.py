"""The confidence interval of bench/cartpole.py and bench/environments.py."""

import numpy as np


def interval(scores):
    """Returns both ends of the 95% interval of the mean, from 10,000 bootstrap samples of `scores`.

    The ends are the percentiles 2.5 and 97.5 of the samples' means. The same scores always give the
    same interval.
    """
    samples = np.random.default_rng(1).choice(scores, (10_000, len(scores)))
    low, high = np.percentile(samples.mean(1), [2.5, 97.5])
    return low, high
