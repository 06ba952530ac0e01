"""The columns that every table promises."""

import subprocess
import sys

import pytest

from spikepool.diagnostics import drift
from spikepool.diagnostics.overdispersion import FORMULAS, Overdispersion
from spikepool.report.schema import FLAGS, TABLE_NAMES, table_schemas

CONTRACT = {
    "estimates": (
        "neuron level group condition family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling "
        "engine is_primary n_trials exposure spike_count rate_unit rate_raw rate_mean "
        "rate_median rate_sd rate_lower rate_upper log_rate_mean log_rate_sd "
        "log_rate_mcse own_weight_mean own_weight_lower own_weight_upper realised_weight "
        "mse_ratio gain_sd_median gain_sd_lower gain_sd_upper fano_model_median "
        "fano_model_lower fano_model_upper tuning_strength_median tuning_strength_lower "
        "tuning_strength_upper dispersion_source elpd_trials elpd_neuron flags"
    ),
    "evoked": (
        "neuron group condition family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine "
        "is_primary n_trials baseline_n_trials rate_unit rate_raw baseline_rate_raw "
        "evoked_rate_raw baseline_rate_median baseline_rate_lower baseline_rate_upper "
        "evoked_rate_median evoked_rate_lower evoked_rate_upper rate_ratio_median "
        "rate_ratio_lower rate_ratio_upper prob_above_baseline"
    ),
    "comparison": (
        "family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine is_primary group left_out "
        "elpd elpd_se elpd_difference elpd_difference_se stacking_weight pareto_k"
    ),
    "law": (
        "family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine group elpd elpd_behind "
        "elpd_behind_se stacking_weight neurons neurons_telling law"
    ),
    "holdout": (
        "estimate family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine is_primary "
        "holdout_share holdout_keep trials_fitted trials_aside neurons squared_error "
        "squared_error_se squared_error_ratio squared_error_ratio_se expected_ratio log_score "
        "log_score_se log_score_difference log_score_difference_se"
    ),
    "predictive": (
        "neuron group fano_observed fano_expected fano_pvalue zeros_observed zeros_expected "
        "zeros_pvalue maximum_observed maximum_expected maximum_pvalue"
    ),
    "left_out": (
        "model family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine left_out neuron "
        "session condition exposure count n_trials log_density"
    ),
    "labels": ("label quantity levels neurons estimate estimate_se pvalue pvalue_adjusted noticed"),
    "identifiability": (
        "rule severity scope subject baseline quantities models figure found wanted "
        "least_dispersion trials_wanted meaning remedy"
    ),
    "sessions": (
        "session neurons trials pairs correlation correlation_lower correlation_upper "
        "shared_gain_variance shared_gain_variance_lower shared_gain_variance_upper "
        "gain_variance gain_variance_lower gain_variance_upper shared_share shared_share_lower "
        "shared_share_upper untested"
    ),
    "matched_fano": (
        "compared set reference method family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine "
        "points reference_points mean_count reference_mean_count fano fano_lower fano_upper "
        "reference_fano reference_fano_lower reference_fano_upper difference difference_lower "
        "difference_upper ratio ratio_lower ratio_upper prob_greater"
    ),
    "diagnostics": (
        "family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine group parameter "
        "neuron condition r_hat ess_bulk ess_tail passed centring divergences bfmi "
        "gradient_evaluations pareto_k outside refinement_error direct_error"
    ),
    "population": (
        "family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine group parameter mean "
        "sd median lower upper ess_bulk ess_tail r_hat flags"
    ),
    "contrasts": (
        "family pooling dispersion_pooling "
        "dispersion_scaling condition_pooling engine is_primary parameter "
        "group reference difference_mean difference_median difference_lower "
        "difference_upper ratio_median ratio_lower ratio_upper prob_greater flags"
    ),
    "overdispersion": (
        "neuron group n_trials mean_count fano_raw fano_lower fano_upper poisson_lower "
        "poisson_upper dispersion_index pvalue_over pvalue_under qvalue_over qvalue_under "
        "fano_model_median fano_model_lower fano_model_upper prob_fano_above "
        "elpd_over_poisson verdict "
        "lag1_r fano_successive drift_pvalue drift_qvalue drift_untested"
    ),
}


@pytest.mark.parametrize("table", CONTRACT)
def test_columns_and_their_order_are_the_published_ones(table):
    """The names on the design page, in its order."""
    assert [column.name for column in table_schemas()[table]] == CONTRACT[table].split()


def test_neurons_are_estimates_with_other_poolings_beside():
    """The table to publish adds the rates without and with complete pooling."""
    schemas = table_schemas()
    assert schemas["neurons"][: len(schemas["estimates"])] == schemas["estimates"]
    added = schemas["neurons"][len(schemas["estimates"]) :]
    assert [column.name for column in added] == ["rate_mean_none", "rate_mean_complete"]


def test_every_column_is_described_once():
    """Each table has unique names and each column a sentence."""
    for columns in table_schemas().values():
        names = [column.name for column in columns]
        assert len(set(names)) == len(names)
        assert all(column.description.endswith(".") for column in columns)


def test_formulas_stand_in_the_descriptions():
    """What the diagnostics compute is what the schema says."""
    described = {c.name: c.description for c in table_schemas()["overdispersion"]}
    assert set(FORMULAS) == set(Overdispersion.__dataclass_fields__)
    stated = {**FORMULAS, **drift.FORMULAS}
    assert all(formula in described[name] for name, formula in stated.items())


def test_flags_are_single_words():
    """Flags are joined by a space, so none may hold one."""
    assert not any(" " in flag for flag in FLAGS)
    assert tuple(table_schemas()) == TABLE_NAMES


def test_importing_the_schema_is_light():
    """`spikepool schema` must not wait for SciPy, pandas or Arrow to load."""
    code = (
        "import sys, spikepool.report.schema; "
        "print(sorted({'scipy', 'pandas', 'pyarrow', 'pymc'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
