"""Which models let rates drift between blocks of trials."""

from collections.abc import Sequence

from spikepool.data.spike_counts import Notice
from spikepool.data.tally import Tally
from spikepool.models.options_in_use import OptionOfSome, check_in_use
from spikepool.models.spec import ModelSpec

_BLOCKS = OptionOfSome(
    name="--drift-block",
    of="models whose rates differ within a neuron",
    reason="with complete pooling no rate differs between blocks",
    hint="add --pooling partial, or --condition-pooling partial",
    code="drift-left-out",
)


def check_drift(specs: Sequence[ModelSpec], tally: Tally, notices: list[Notice]) -> None:
    """Refuse blocks of trials that no model can use; name the models that are without drift.

    Parameters
    ----------
    specs : sequence of ModelSpec
    tally : Tally
    notices : list of Notice

    Raises
    ------
    UsageError
        If no model's rates differ between blocks.
    """
    if tally.in_blocks:
        check_in_use(_BLOCKS, specs, lambda spec: spec.drifting, notices)
