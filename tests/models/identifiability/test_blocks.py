"""Blocks of trials: what they can tell of drift, group by group."""

import numpy as np
import pytest

from spikepool.config import InputOptions, ModelOptions
from spikepool.data.read import read_counts
from spikepool.data.tally import tally_counts
from spikepool.errors import NotIdentifiableError, UsageError
from spikepool.models.plan import plan_models


@pytest.fixture
def planned(tmp_path):
    """Return a function from the trials of each neuron, by group, to the plan."""

    def plan(trials, *, size=4, insist=False, **options):
        path = tmp_path / "counts.csv"
        rng = np.random.default_rng(1)
        lines = [
            f"{group}{i},{t},{rng.poisson(30)},{group}"
            for group, of in trials.items()
            for i, n in enumerate(of)
            for t in range(n)
        ]
        path.write_text("neuron,trial,count,area\n" + "\n".join(lines) + "\n", encoding="utf-8")
        counts = read_counts(InputOptions(tables=(str(path),), group=("area",), drift_block=size))
        return plan_models(ModelOptions(allow_unidentified=insist, **options), tally_counts(counts))

    return plan


def found(plan):
    """Return rule and subjects of the findings about drift."""
    return {
        each.rule.name: each.names
        for each in plan.findings
        if "drift" in each.rule.quantities and each.severity != "enough"
    }


def test_many_blocks_tell(planned):
    """Five neurons of two blocks; complete pooling is fitted without drift, and said to be."""
    plan = planned({"V": [8] * 5})
    assert found(plan) == {}
    assert {spec.pooling: spec.drifting for spec in plan.specs} == {
        "none": True, "complete": False, "partial": True,
    }  # fmt: skip
    (notice,) = [each for each in plan.notices if each.code == "drift-left-out"]
    assert notice.message.endswith("Poisson complete, NB2 complete")


def test_few_blocks_are_weak(planned):
    """Three comparisons in one group, five in the other."""
    plan = planned({"V": [8] * 3 + [4] * 3, "W": [8] * 5})
    assert found(plan) == {"few_blocks": ["V"]}


def test_a_group_of_single_blocks_is_refused(planned):
    """Its drift and the differences between its neurons are one."""
    trials = {"V": [7] * 5, "W": [8] * 5}
    with pytest.raises(NotIdentifiableError, match=r"one block of trials.*in: V"):
        planned(trials, pooling=("partial",))
    assert found(planned(trials, insist=True)) == {"one_block_each": ["V"]}


def test_options_that_need_other_models_are_refused(planned):
    """Complete pooling has no drift, and blocks are no conditions."""
    trials = {"V": [8] * 5}
    with pytest.raises(UsageError, match="no rate differs between blocks"):
        planned(trials, pooling=("complete",))
    with pytest.raises(UsageError, match="--drift-block makes blocks"):
        planned(trials, condition_effects=True)


def test_blocks_do_not_tell_nb1_from_nb2(planned):
    """Drift is not a second mean count by design."""
    plan = planned({"V": [8] * 5}, family=("nb1", "nb2"))
    assert "one_mean_each" in {each.rule.name for each in plan.findings}
