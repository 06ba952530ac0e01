"""The collapsed model in PyMC: the hyperparameters, and one term for all that is integrated out."""

from collections.abc import Mapping
from typing import Any, override

import numpy as np

from spikepool.engines.collapsed.gradient import total_with_gradient
from spikepool.engines.collapsed.marginal_likelihood import MarginalLikelihood
from spikepool.models.graph import place_hyperparameters
from spikepool.models.priors import Priors
from spikepool.models.spec import ModelSpec


def collapsed_model(spec: ModelSpec, priors: Priors, marginal: MarginalLikelihood) -> Any:
    """Build the PyMC model of `spec` in which only the hyperparameters are left.

    Parameters
    ----------
    spec : ModelSpec
        With hyperparameters, but not both parameters shared by all neurons: `models.graph` builds
        that model.
    priors : Priors
    marginal : MarginalLikelihood

    Returns
    -------
    pymc.Model
        Its ``log_likelihood`` potential is Σ_i ln p_i(φ), NaN beyond the lattices.
    """
    import pymc as pm

    with pm.Model() as model:
        hyperparameters = place_hyperparameters(spec, priors)
        pm.Potential("log_likelihood", log_likelihood(marginal, hyperparameters))
    return model


def log_likelihood(marginal: MarginalLikelihood, hyperparameters: Mapping[str, Any]) -> Any:
    """Return Σ_i ln p_i(φ) as a PyTensor scalar that has a gradient.

    Parameters
    ----------
    marginal : MarginalLikelihood
    hyperparameters : dict of str to tensor
        Scalars, by the names of `models.graph.hyperparameter_names`.
    """
    import pytensor.tensor as pt
    from pytensor.graph.op import Op

    names = tuple(hyperparameters)

    class LogLikelihood(Op):  # type: ignore[misc]  # PyTensor has no types
        """The log-likelihood and its gradient, which cost hardly more than either alone."""

        itypes = (pt.dscalar,) * len(names)
        otypes = (pt.dscalar, pt.dvector)

        @override
        def perform(self, node: Any, inputs: Any, output_storage: Any) -> None:
            phi = {name: float(value) for name, value in zip(names, inputs, strict=True)}
            total, gradient = total_with_gradient(marginal, phi)
            output_storage[0][0] = np.asarray(total)
            output_storage[1][0] = np.array([gradient[name] for name in names])

        @override
        def pullback(self, inputs: Any, outputs: Any, cotangents: Any) -> list[Any]:
            return [cotangents[0] * outputs[1][i] for i in range(len(inputs))]

    return LogLikelihood()(*hyperparameters.values())[0]
