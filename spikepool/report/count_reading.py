"""What was read of a table of counts, in numbers."""

import numpy as np
from pydantic import JsonValue

from spikepool.data.spike_counts import Baseline, DriftBlocks, SpikeCounts
from spikepool.data.tally import Tally
from spikepool.report.schema import FEW_TRIALS
from spikepool.report.summary_parts import Json, reading_as_json


def _group_sizes(tally: Tally) -> list[JsonValue]:
    """Neurons of every group, in the order of the groups."""
    sizes = np.bincount(tally.group, minlength=len(tally.groups)).tolist()
    return [
        {"group": group, "neurons": size} for group, size in zip(tally.groups, sizes, strict=True)
    ]


def _baseline(baseline: Baseline | None) -> Json | None:
    """Size of the table of trials without a stimulus."""
    if baseline is None:
        return None
    return {
        "name": baseline.name,
        "trials": len(baseline.counts.count),
        "neurons": len(baseline.counts.neuron.values),
        "spikes": int(baseline.counts.count.sum()),
        "exposure_known": baseline.counts.exposure_known,
        "exposure_min": float(baseline.counts.exposure.min()),
        "exposure_max": float(baseline.counts.exposure.max()),
    }


def _blocks(blocks: DriftBlocks | None, tally: Tally) -> Json | None:
    """Size and number of the blocks that rates drift between."""
    if blocks is None:
        return None
    of_neurons = np.bincount(tally.responses.neuron)
    return {
        "trials": blocks.size,
        "fewest": int(of_neurons.min()),
        "most": int(of_neurons.max()),
    }


def summarise_data(counts: SpikeCounts, tally: Tally) -> Json:
    """Say what was read: files, columns and sizes, ready for JSON."""
    trials = tally.n_trials
    return {
        **reading_as_json(counts.sources, counts.recognised, counts.unmodelled),
        "neurons": tally.n_neurons,
        "trials": int(trials.sum()),
        "spikes": sum(tally.spike_count.tolist()),
        "groups": len(tally.groups) if counts.group else None,
        "group_sizes": _group_sizes(tally) if counts.group else None,
        "conditions": len(tally.conditions) if counts.condition else None,
        "blocks": _blocks(counts.blocks, tally),
        "baseline": _baseline(counts.baseline),
        "silent_neurons": int(np.sum(tally.spike_count == 0)),
        "one_trial_neurons": int(np.sum(trials == 1)),
        "few_trial_neurons": int(np.sum(trials <= FEW_TRIALS)),
        "few_trials": FEW_TRIALS,
        "exposure_known": counts.exposure_known,
        "exposure_min": float(tally.exposure.min()),
        "exposure_max": float(tally.exposure.max()),
        "rate_unit": counts.rate_unit,
    }
