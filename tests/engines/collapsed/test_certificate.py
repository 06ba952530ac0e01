"""What a certificate says of chains, and of samples by importance."""

import numpy as np
import pytest

from spikepool.engines.collapsed.certificate import integral_problems, sample_problems
from spikepool.posterior.quadrature import Certificate, ChainCheck

GOOD = ChainCheck(1.002, 0)


def certificate(**fields):
    """Return a certificate that passes but for the fields given."""
    passed = {
        "refinement_error": np.array([1e-8, np.nan]),
        "direct_error": np.array([np.nan, 1e-7]),
        "pareto_k": 0.2,
        "ess": 900.0,
        "outside": 0.0,
        "problems": (),
    }
    return Certificate(**(passed | fields))


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, None),
        ({"pareto_k": np.nan, "ess": 1.0}, None),  # no hyperparameters
        ({"pareto_k": 0.71}, "0.71 (wanted at most 0.7)"),
        ({"ess": 399.0}, "399 effective"),
        ({"outside": 0.02}, "2.0 %"),
        ({"pareto_k": np.nan, "chains": GOOD}, None),
        ({"pareto_k": np.nan, "chains": ChainCheck(1.011, 0)}, "1.0110 (wanted at most 1.01)"),
        ({"pareto_k": np.nan, "chains": ChainCheck(np.nan, 0)}, "nan"),
        ({"pareto_k": np.nan, "chains": ChainCheck(1.0, 2)}, "2 divergent transitions"),
        ({"pareto_k": np.nan, "chains": GOOD, "ess": 300.0}, "300 effective"),
        ({"pareto_k": np.nan, "chains": GOOD, "outside": 0.02}, "2.0 %"),
    ],
)
def test_problems_of_the_sample(fields, words):
    """In words exactly where `sample_passed` says no."""
    made = certificate(**fields)
    problems = sample_problems(made)
    assert made.sample_passed == (words is None) == (not problems)
    assert words is None or words in problems[0]
    assert integral_problems(made) == []


@pytest.mark.parametrize("field", ["refinement_error", "direct_error"])
def test_problems_of_the_integrals(field):
    """The largest error of those that were checked."""
    (problem,) = integral_problems(certificate(**{field: np.array([np.nan, 2e-5, 1e-6])}))
    assert "2.0e-05 (wanted at most 1e-05)" in problem
