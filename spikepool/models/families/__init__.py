"""Families of spike counts, one file each, and the dispatch from a model to its family."""

from spikepool.models.families.interface import CountFamily
from spikepool.models.families.nb1 import NB1
from spikepool.models.families.nb2 import NB2
from spikepool.models.families.nb2_duration import NB2Duration
from spikepool.models.families.poisson import Poisson
from spikepool.models.spec import Family, ModelSpec

FAMILIES: dict[Family, CountFamily] = {"poisson": Poisson(), "nb2": NB2(), "nb1": NB1()}


def family_of(spec: ModelSpec) -> CountFamily:
    """Return the family of counts of a model."""
    if spec.reference_exposure is not None:
        return NB2Duration(spec.reference_exposure)
    return FAMILIES[spec.family]


__all__ = ["FAMILIES", "CountFamily", "family_of"]
