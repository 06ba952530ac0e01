"""Seeds of models: from the run's seed and the model's name, and from nothing else."""

from itertools import product

from spikepool.engines.seeds import group_seed, model_seed
from spikepool.models.spec import ModelSpec

SPECS = [
    ModelSpec("poisson", "partial", None),
    ModelSpec("poisson", "partial", None, "gamma"),
    ModelSpec("poisson", "partial", None, "student-t"),
    ModelSpec("nb2", "partial", "partial"),
    ModelSpec("nb2", "partial", "complete"),
    ModelSpec("nb1", "none", "none"),
]


def test_models_and_runs_have_seeds_of_their_own():
    """Of 32 bits, for any seed of a run."""
    seeds = [model_seed(seed, spec) for seed, spec in product((0, 1, 2**64 - 1), SPECS)]
    assert len(set(seeds)) == len(seeds)
    assert all(0 <= seed < 2**32 for seed in seeds)


def test_seeds_stay_as_they_were():
    """A change would change every result: the first four bytes of a SHA-256."""
    assert model_seed(7, ModelSpec("nb2", "partial", "partial")) == 0x6C101B28


def test_groups_have_seeds_of_their_own():
    """By name, for any seed of a run, and apart from the seeds of models."""
    names = ("V1", "V2", "v1", "", *(spec.name for spec in SPECS))
    seeds = [group_seed(seed, name) for seed, name in product((0, 1, 2**64 - 1), names)]
    seeds += [model_seed(seed, spec) for seed, spec in product((0, 1), SPECS)]
    assert len(set(seeds)) == len(seeds)
    assert group_seed(7, "V1") == group_seed(7, "V1")
