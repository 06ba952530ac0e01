"""Seeds of the engines' random numbers."""

import hashlib

from spikepool.models.spec import ModelSpec


def model_seed(seed: int, spec: ModelSpec) -> int:
    """Seed of one model, from the run's seed and the model's name, whatever else is fitted."""
    digest = hashlib.sha256(f"{seed}/{spec.name}".encode()).digest()
    return int.from_bytes(digest[:4], "little")
