"""Effects of conditions on the log rates of all neurons, which sum to zero.

c = Q x with x ~ N(0, ω_c² I), of one entry fewer than there are conditions, and orthonormal columns
of Q that each sum to zero: the effects are independent N(0, ω_c²), given that their sum is zero.
Without that condition their mean and μ would be known in sum only. A neuron's own log rate is so
its mean over the conditions of its population.
"""

from typing import Any

import numpy as np

from spikepool.data.spike_counts import FloatArray, IntArray
from spikepool.data.tally import Tally
from spikepool.models.populations import normal_members


def presented(tally: Tally) -> IntArray:
    """Return the conditions with which any neuron was presented, ascending."""
    return np.unique(tally.responses.condition)


def presented_names(tally: Tally) -> tuple[str, ...]:
    """Name those conditions."""
    return tuple(tally.conditions[c] for c in presented(tally))


def zero_sum_basis(size: int) -> FloatArray:
    """Return orthonormal columns that each sum to zero (Helmert); shape (size, size − 1)."""
    basis = np.zeros((size, size - 1))
    for j in range(1, size):
        basis[:j, j - 1] = 1 / np.sqrt(j * (j + 1))
        basis[j, j - 1] = -np.sqrt(j / (j + 1))
    return basis


def place_condition_effects(tally: Tally, sd: Any, centring: FloatArray) -> Any:
    """Add the effects to the model on PyMC's context stack.

    Parameters
    ----------
    tally : Tally
    sd : tensor
        ω_c.
    centring : ndarray, shape (conditions − 1,)
        Of x.

    Returns
    -------
    tensor, shape (R,)
        The effect of every response's condition.
    """
    import pymc as pm
    import pytensor.tensor as pt

    of = presented(tally)
    contrast = normal_members("condition_contrast", np.float64(0), sd, centring, dims="contrast")
    basis = pt.as_tensor_variable(zero_sum_basis(len(of)))
    effect = pt.sum(basis * contrast, axis=1)
    effect = pm.Deterministic("condition_effect", effect, dims="condition")
    return effect[np.searchsorted(of, tally.responses.condition)]
