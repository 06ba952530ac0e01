"""Which model: a family of counts, how rates are pooled, how dispersions are pooled."""

from dataclasses import dataclass
from typing import Literal

type Family = Literal["poisson", "nb2", "nb1"]
type Pooling = Literal["none", "complete", "partial"]

FAMILY_LABELS: dict[Family, str] = {"poisson": "Poisson", "nb2": "NB2", "nb1": "NB1"}


@dataclass(frozen=True, order=True)
class ModelSpec:
    """One model of the family × pooling × dispersion-pooling core.

    Attributes
    ----------
    family : {'poisson', 'nb2', 'nb1'}
    pooling : {'none', 'complete', 'partial'}
        Pooling of the log rates.
    dispersion_pooling : {'none', 'complete', 'partial'} or None
        Pooling of the dispersions; None exactly for Poisson, which has none.
    """

    family: Family
    pooling: Pooling
    dispersion_pooling: Pooling | None

    def __post_init__(self) -> None:
        if (self.family == "poisson") != (self.dispersion_pooling is None):
            raise ValueError(f"Poisson, and only Poisson, has no dispersion: {self}")

    @property
    def name(self) -> str:
        """File-safe name: ``nb2-partial``, or ``nb2-partial-complete`` where poolings differ."""
        parts: list[str] = [self.family, self.pooling]
        if self.dispersion_pooling not in (None, self.pooling):
            parts.append(str(self.dispersion_pooling))
        return "-".join(parts)

    @property
    def label(self) -> str:
        """What a person reads: ``NB2 partial``."""
        label = f"{FAMILY_LABELS[self.family]} {self.pooling}"
        if self.dispersion_pooling not in (None, self.pooling):
            label += f" ({self.dispersion_pooling} dispersion)"
        return label
