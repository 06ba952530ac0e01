"""Which model: a family, how rates are pooled, how dispersions are pooled."""

from dataclasses import dataclass
from typing import Literal

type Family = Literal["poisson", "nb2", "nb1", "normal"]
type Pooling = Literal["none", "complete", "partial"]
type LabelsWithin = Literal["crossed", "nested"]
type PopulationName = Literal["normal", "student-t", "gamma"]
type DispersionScaling = Literal["trial", "duration"]

FAMILY_LABELS: dict[Family, str] = {
    "poisson": "Poisson",
    "nb2": "NB2",
    "nb1": "NB1",
    "normal": "Normal",
}
_WITHOUT_DISPERSION: frozenset[Family] = frozenset({"poisson", "normal"})


@dataclass(frozen=True, order=True)
class ModelSpec:
    """One model of the family × pooling × dispersion-pooling core.

    Attributes
    ----------
    family : {'poisson', 'nb2', 'nb1', 'normal'}
        Of counts; `normal` is of estimates with standard errors (see `normal_normal`).
    pooling : {'none', 'complete', 'partial'}
        Pooling of the log rates, or of what is estimated.
    dispersion_pooling : {'none', 'complete', 'partial'} or None
        Pooling of the dispersions; None exactly for Poisson and normal, which have none.
    population : {'normal', 'student-t', 'gamma'}
        What partially pooled rates are drawn from: normal or student-t log rates, or gamma rates.
        Normal, and without meaning, in the other poolings.
    condition_pooling : {'none', 'complete', 'partial'} or None
        Pooling of a neuron's responses to different conditions: about its own log rate with a
        spread that is estimated (`partial`) or fixed (`none`), or all alike (`complete`). None for
        tables without conditions.
    condition_effects : bool
        Whether each condition shifts the log rates of all neurons; with partially pooled
        conditions only.
    within : {'crossed', 'nested'} or None
        Whether labels within groups (animals) shift the means of the populations, which joins the
        groups in one model (see `within`): `crossed` where some stand in several groups, `nested`
        where none does. Of partially pooled rates only.
    reference_exposure : float or None
        Of NB2 whose gain is drawn anew as time passes (see `families.nb2_duration`): the exposure
        in which its variance is α. None: one gain in each trial, whatever its exposure.
    drifting : bool
        Whether the conditions between which a neuron's rate differs are blocks of its trials.
    """

    family: Family
    pooling: Pooling
    dispersion_pooling: Pooling | None
    population: PopulationName = "normal"
    condition_pooling: Pooling | None = None
    within: LabelsWithin | None = None
    condition_effects: bool = False
    reference_exposure: float | None = None
    drifting: bool = False

    def __post_init__(self) -> None:
        if (self.family in _WITHOUT_DISPERSION) != (self.dispersion_pooling is None):
            raise ValueError(f"only Poisson and normal models have no dispersion: {self}")
        if self.population != "normal" and self.pooling != "partial":
            raise ValueError(f"only partially pooled rates have a population: {self}")
        if self.within is not None and (self.pooling != "partial" or self.population == "gamma"):
            raise ValueError(f"only populations of log rates have labels within groups: {self}")
        if self.condition_effects and (self.condition_pooling != "partial" or self.within):
            raise ValueError(f"only partially pooled conditions have effects, unjoined: {self}")
        if self.reference_exposure is not None and self.family != "nb2":
            raise ValueError(f"only NB2 has a gain that time could draw anew: {self}")
        if self.drifting and (not self.is_tuned or self.condition_effects):
            raise ValueError(f"only rates that differ between blocks drift: {self}")

    @property
    def is_tuned(self) -> bool:
        """Whether a neuron's rate differs between conditions, or between blocks of trials."""
        return self.condition_pooling in ("none", "partial")

    @property
    def dispersion_scaling(self) -> DispersionScaling | None:
        """What draws the gain anew: a trial, or duration; None but for NB2."""
        if self.family != "nb2":
            return None
        return "trial" if self.reference_exposure is None else "duration"

    @property
    def response_sd(self) -> str:
        """Name of the spread of one neuron's log rates between conditions, or between blocks."""
        return "drift_sd" if self.drifting else "tuning_sd"

    @property
    def pools(self) -> bool:
        """Whether neurons share any parameter; where none do, groups make no difference."""
        poolings = {self.pooling, self.dispersion_pooling, self.condition_pooling}
        return poolings - {"none", None} != set()

    @property
    def coupling(self) -> str | None:
        """What keeps neurons from being independent given their population's parameters."""
        if self.condition_effects:
            return "all neurons share the effects of the conditions"
        return None

    @property
    def name(self) -> str:
        """File-safe name: ``nb2-partial``, ``nb2-partial-complete`` where poolings differ.

        A population that is not normal comes last: ``nb2-partial-gamma``. Conditions that are
        pooled otherwise: ``nb2-partial-conditions-none``. Labels within groups:
        ``nb2-partial-crossed``; effects of conditions: ``nb2-partial-condition``. Gains that are
        drawn anew as time passes: ``nb2-partial-duration``; rates that drift between blocks of
        trials: ``nb2-partial-drifting``.
        """
        told = (
            f"{what}-{value}" if what in ("conditions", "blocks") else value
            for what, value in self._departures.items()
        )
        return "-".join((self.family, self.pooling, *told))

    @property
    def label(self) -> str:
        """What a person reads: ``NB2 partial``, ``NB2 partial (gamma population)``."""
        label = f"{FAMILY_LABELS[self.family]} {self.pooling}"
        told = ", ".join(f"{value} {what}" for what, value in self._departures.items())
        return f"{label} ({told})" if told else label

    @property
    def _departures(self) -> dict[str, str]:
        """What family and pooling of the rates do not say already."""
        departures: dict[str, str] = {}
        if self.dispersion_pooling not in (None, self.pooling):
            departures["dispersion"] = str(self.dispersion_pooling)
        if self.condition_pooling not in (None, self.pooling):
            what = "blocks" if self.drifting else "conditions"
            departures[what] = str(self.condition_pooling)
        if self.population != "normal":
            departures["population"] = self.population
        if self.within is not None:
            departures["labels"] = self.within
        if self.condition_effects:
            departures["effects"] = "condition"
        if self.reference_exposure is not None:
            departures["scaling"] = "duration"
        if self.drifting:
            departures["rates"] = "drifting"
        return departures
