"""What is fitted to trials without a stimulus."""

import numpy as np
import pytest

from spikepool.models.baseline_plan import baseline_spec
from spikepool.models.spec import ModelSpec


@pytest.mark.parametrize(
    ("spec", "wanted"),
    [
        (
            ModelSpec("nb2", "partial", "complete", "student-t", "partial", None, True),
            ModelSpec("nb2", "partial", "complete", "student-t"),
        ),
        (
            ModelSpec("poisson", "partial", None, within="crossed"),
            ModelSpec("poisson", "partial", None),
        ),
        (
            ModelSpec("nb1", "none", "none", condition_pooling="none"),
            ModelSpec("nb1", "none", "none"),
        ),
    ],
)
def test_model_of_the_baseline_is_the_same_without_conditions(spec, wanted):
    """Same family, poolings and population; no stimuli, and no labels within groups."""
    assert baseline_spec(spec) == wanted


def test_priors_have_the_baselines_own_centre(tmp_path):
    """m0 of the blanks; a prior that was given holds for both."""
    from spikepool.config_file import resolve_config
    from spikepool.pipeline import plan_run

    path = tmp_path / "counts.csv"
    lines = [f"n{i},{c},{y}\n" for i in range(3) for c, y in (("blank", 1), ("odor", 20))] * 2
    path.write_text("neuron,condition,count\n" + "".join(lines), encoding="utf-8")
    sections = {
        "input": {"tables": [str(path)], "baseline_condition": "blank"},
        "model": {"prior": ["tau=half-normal(1)"]},
    }
    models = plan_run(resolve_config({}, sections)).models
    assert models.priors.mu.mean == pytest.approx(np.log((40 + 0.5) / 2))
    assert models.baseline.priors.mu.mean == pytest.approx(np.log((2 + 0.5) / 2))
    assert models.baseline.priors.tau == models.priors.tau
