"""The numbers of trials, which tell their order in time."""

import re

import numpy as np

from spikepool.data.natural_order import NUMBER
from spikepool.data.spike_counts import FloatArray, Labels

_NUMBERED = re.compile(r"(.*?)([0-9]+)", re.DOTALL)


def trial_times(trial: Labels | None) -> FloatArray | None:
    """Return the number of every row's trial; None where the labels are no numbers.

    All labels are numbers, or one word followed by a number (``trial_12``).

    Parameters
    ----------
    trial : Labels or None

    Returns
    -------
    ndarray of float64, shape (rows,), or None
    """
    if trial is None:
        return None
    values = trial.values
    if not all(NUMBER.fullmatch(value) for value in values):
        found = [_NUMBERED.fullmatch(value) for value in values]
        numbered = [(each[1], each[2]) for each in found if each is not None]
        if len(numbered) < len(values) or len({word for word, _ in numbered}) > 1:
            return None
        values = tuple(digits for _, digits in numbered)
    times = np.array([float(value) for value in values])
    return times[trial.codes] if np.isfinite(times).all() else None
