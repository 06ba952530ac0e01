"""Hyperparameters by group, as pictures need them."""

from collections.abc import Sequence

from spikepool.posterior.results import PopulationParameter


def by_group(
    population: Sequence[PopulationParameter], parameter: str
) -> dict[str, PopulationParameter]:
    """One hyperparameter of every group that has it, in the order given."""
    return {each.group: each for each in population if each.parameter == parameter}
