"""Seeds of the engines' random numbers."""

import hashlib

from spikepool.models.spec import ModelSpec


def model_seed(seed: int, spec: ModelSpec) -> int:
    """Seed of one model, from the run's seed and the model's name, whatever else is fitted."""
    return _seed_of(f"{seed}/{spec.name}")


def group_seed(seed: int, group: str) -> int:
    """Seed of one group's fits, from the run's seed and the group's name, whatever others do."""
    return _seed_of(f"{seed}/group/{group}")


def baseline_seed(seed: int) -> int:
    """Seed of the fits of what was recorded without a stimulus, from the run's seed."""
    return _seed_of(f"{seed}/baseline")


def _seed_of(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "little")
