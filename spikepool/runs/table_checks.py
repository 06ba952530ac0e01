"""What a table of counts says before any model is fitted to it."""

from collections.abc import Sequence
from dataclasses import dataclass

from spikepool.config import RunConfig
from spikepool.data.spike_counts import Notice, SpikeCounts
from spikepool.diagnostics.company import Sessions, company_notices, measure_company
from spikepool.diagnostics.dispersion_share import (
    DispersionShare,
    share_dispersion,
    share_notices,
)
from spikepool.diagnostics.drift import Drift, drift_notices, measure_drift


@dataclass(frozen=True)
class TableChecks:
    """What may pass for gain.

    Attributes
    ----------
    shares : tuple of DispersionShare
        What labels that no model uses explain of the dispersion.
    drift : Drift
        What the order of trials says.
    sessions : Sessions or None
        What neurons recorded together share.
    notices : tuple of Notice
    """

    shares: tuple[DispersionShare, ...]
    drift: Drift
    sessions: Sessions | None
    notices: tuple[Notice, ...]


def check_table(counts: SpikeCounts, config: RunConfig) -> TableChecks:
    """Look for what varies between trials and is no gain.

    Parameters
    ----------
    counts : SpikeCounts
    config : RunConfig

    Returns
    -------
    TableChecks
    """
    shares = share_dispersion(counts, config.engine.seed)
    drift = measure_drift(counts)
    sessions = measure_company(counts, config.report.interval)
    stimuli = counts.condition is not None and len(counts.condition.values) > 1
    notices = (
        *_notices_of_labels(counts, shares),
        *drift_notices(
            drift,
            config.report.fdr,
            in_blocks=counts.blocks is not None,
            several_rates=stimuli or counts.baseline is not None,
        ),
        *company_notices(sessions, counts),
    )
    return TableChecks(shares, drift, sessions, notices)


def _notices_of_labels(
    counts: SpikeCounts, shares: Sequence[DispersionShare]
) -> tuple[Notice, ...]:
    return share_notices(shares, [factor.name for factor in counts.factors])
