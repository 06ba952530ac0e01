"""Families of spike counts, one file each, and the dispatch from a name to its family."""

from spikepool.models.families.interface import CountFamily
from spikepool.models.families.nb1 import NB1
from spikepool.models.families.nb2 import NB2
from spikepool.models.families.poisson import Poisson
from spikepool.models.spec import Family

FAMILIES: dict[Family, CountFamily] = {"poisson": Poisson(), "nb2": NB2(), "nb1": NB1()}

__all__ = ["FAMILIES", "CountFamily"]
