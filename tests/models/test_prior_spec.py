"""Priors as a user gives them: read, laid over the defaults, or refused in words."""

from dataclasses import fields

import pytest

from spikepool.config import ModelOptions
from spikepool.errors import UsageError
from spikepool.models.prior_spec import PARAMETERS, given_priors, prior_notices, priors_of
from spikepool.models.priors import (
    Exponential,
    Gamma,
    HalfCauchy,
    HalfNormal,
    HalfStudentT,
    InverseGamma,
    Normal,
    RootInverseGamma,
    Uniform,
    default_priors,
)

TEXTS = {
    "normal(-1.5, 2)": Normal(-1.5, 2.0),
    "half-normal(0.5)": HalfNormal(0.5),
    "half-cauchy(5)": HalfCauchy(5.0),
    "half-student-t(3, 0.5)": HalfStudentT(3.0, 0.5),
    "exponential(2)": Exponential(2.0),
    "gamma(2, 0.1)": Gamma(2.0, 0.1),
    "inverse-gamma(3, 2)": InverseGamma(3.0, 2.0),
    "uniform(0, 3)": Uniform(0.0, 3.0),
}
POSITIVE = {"half-normal", "half-cauchy", "half-student-t", "exponential", "gamma"}
POSITIVE |= {"inverse-gamma", "uniform"}
ALLOWED = dict.fromkeys(PARAMETERS, POSITIVE) | {"mu": {"normal", "uniform"}}
ALLOWED |= {"theta": {"normal"}}
SDS_WITHIN = {"within_sd", "interaction_sd", "within_sd_delta", "interaction_sd_delta"}
ON_THE_SQUARE = {"tau", "tau_delta", "tuning_sd", "drift_sd", "condition_sd"} | SDS_WITHIN


@pytest.fixture
def tally(build_tally):
    """Return some table's tally."""
    return build_tally([[3, 4, 5], [0, 1], [9, 9]], 0.5)


def read(*texts):
    """Return the priors that texts give."""
    return given_priors(ModelOptions(prior=texts))


def refused(*texts):
    """Return the refusal of texts; it is a usage error."""
    with pytest.raises(UsageError) as error:
        read(*texts)
    assert error.value.exit_code == 2
    return error.value


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("text", TEXTS)
def test_every_prior_of_every_parameter(name, text):
    """Taken, and written again as it was given, or refused where the parameter cannot be."""
    family, prior = text.split("(")[0], TEXTS[text]
    if family not in ALLOWED[name]:
        error = refused(f"{name}={text}")
        assert family in error.message
        assert all(f"{each}(" in error.hint for each in ALLOWED[name])
        return
    if family == "inverse-gamma" and name in ON_THE_SQUARE:
        prior = RootInverseGamma(prior.shape, prior.scale)
    (found,) = read(f"{name}={text}").items()
    assert found == (name, prior)
    assert str(found[1]) == text


def test_spaces_do_not_matter():
    """Nor how a number is written."""
    wanted = {"tau": HalfStudentT(3.0, 0.5)}
    for text in ("tau=half-student-t(3,.5)", " tau = half-student-t ( +3.0 , 5e-1 ) "):
        assert read(text) == wanted


class TestLaidOverTheDefaults:
    """The priors of a run."""

    def test_without_any_they_are_the_defaults(self, tally):
        """All of them."""
        assert priors_of(ModelOptions(), tally) == default_priors(tally)

    @pytest.mark.parametrize("name", PARAMETERS)
    def test_each_name_changes_one_prior(self, tally, name):
        """That which the model asks for by this name, and no other one."""
        text = "normal(0, 1)" if name in ("mu", "theta") else "exponential(7)"
        defaults = default_priors(tally)
        priors = priors_of(ModelOptions(prior=(f"{name}={text}",)), tally)
        changed = {each for each in PARAMETERS if priors.of(each) != defaults.of(each)}
        assert changed == {name}
        assert str(priors.of(name)) == text

    def test_unpooled_rates_keep_their_fixed_prior(self, tally):
        """`mu` sets the hyperprior of μ only."""
        priors = priors_of(ModelOptions(prior=("mu=normal(0, 1)",)), tally)
        assert priors.theta == default_priors(tally).mu

    def test_every_parameter_has_a_prior(self, tally):
        """Each name that can be given is one that a model can ask for."""
        names = {field.name for field in fields(default_priors(tally))}
        assert set(PARAMETERS) == names - {"fixed", "dispersion"} | {"theta"}


class TestRefusals:
    """Each names the text, what is wrong with it, and what there is."""

    @pytest.mark.parametrize(
        ("text", "told"),
        [
            ("tau", "not NAME=FAMILY(NUMBERS)"),
            ("tau=", "not NAME=FAMILY(NUMBERS)"),
            ("tau=half-normal(1", "not NAME=FAMILY(NUMBERS)"),
            ("tau=half-normal((1))", "not NAME=FAMILY(NUMBERS)"),
            ("tau=half-normal(1) 2", "not NAME=FAMILY(NUMBERS)"),
            ("tau half-normal(1)", "not NAME=FAMILY(NUMBERS)"),
            ("tau=mu=half-normal(1)", "no prior 'mu=half-normal'"),
            ("sigma=half-normal(1)", "no parameter 'sigma'"),
            ("=half-normal(1)", "no parameter ''"),
            ("TAU=half-normal(1)", "no parameter 'TAU'"),
            ("tau=halfnormal(1)", "no prior 'halfnormal'"),
            ("tau=half-normal", "takes 1 number, scale; found 0"),
            ("tau=half-normal()", "takes 1 number, scale; found 0"),
            ("tau=half-normal(1, 2)", "takes 1 number, scale; found 2"),
            ("tau=half-student-t(1)", "takes 2 numbers, nu, scale; found 1"),
            ("mu=normal(1)", "takes 2 numbers, mean, sd; found 1"),
            ("tau=uniform(3)", "takes 2 numbers, lower, upper; found 1"),
            ("tau=half-normal(one)", "scale is 'one', not a number"),
            ("tau=half-normal(nan)", "scale is 'nan', not a number"),
            ("tau=half-normal(inf)", "scale is 'inf', not a number"),
            ("tau=half-normal(1_0)", "scale is '1_0', not a number"),
            ("tau=half-normal(٣)", "scale is '٣', not a number"),
            ("tau=half-student-t(3,)", "scale is '', not a number"),
            ("tau=half-normal(1e400)", "scale must be positive and finite; found 1e400"),
            ("tau=half-normal(1e-400)", "scale must be positive and finite; found 1e-400"),
            ("tau=half-normal(0)", "scale must be positive and finite; found 0"),
            ("tau=half-cauchy(-1)", "scale must be positive and finite; found -1"),
            ("mu=normal(0, -1)", "sd must be positive and finite; found -1"),
            ("mu=normal(1e999, 1)", "mean must be finite; found 1e999"),
            ("tau=exponential(0)", "rate must be positive"),
            ("a=gamma(0, 1)", "shape must be positive"),
            ("tau=half-student-t(0, 1)", "nu must be positive"),
            ("mu=uniform(3, 1)", "lower must be less than upper"),
            ("mu=uniform(3, 3)", "lower must be less than upper"),
            ("tau=uniform(-1, 3)", "never negative"),
            ("tau=normal(0, 1)", "tau (the spread of the log rates) is never negative"),
            ("mu=half-normal(1)", "mu (the mean of the log rates) can have the prior normal or"),
            ("mu=jeffreys", "jeffreys is no prior of mu"),
        ],
    )
    def test_each_is_told(self, text, told):
        """With the text as given and an example or a list."""
        error = refused(text)
        assert error.message.startswith(f"--prior {text!r}: ")
        assert told in error.message
        assert error.hint

    def test_what_there_is_is_listed(self):
        """All parameters; all priors of one; an example that can be given."""
        unknown = refused("sigma=half-normal(1)").hint
        assert all(name in unknown for name in PARAMETERS)
        hint = refused("tau=half-norml(1)").hint
        assert "half-student-t(nu, scale)" in hint
        for name in PARAMETERS:
            example = refused(f"{name}=such(1)").hint.split("for instance ")[1]
            assert set(read(example)) == {name}

    def test_near_names_are_offered(self):
        """A misspelt parameter."""
        assert "did you mean 'tau_delta'?" in refused("tau_detla=half-normal(1)").hint

    def test_one_parameter_has_one_prior(self):
        """Two are not combined, and none is dropped."""
        assert (
            "tau is given two priors" in refused("tau=exponential(1)", "tau=exponential(2)").message
        )

    @pytest.mark.parametrize("text", ["tau=jeffreys", "tau=jeffreys()", "tau_delta=jeffreys"])
    def test_jeffreys_is_improper(self, text):
        """1/τ has no proper posterior, whatever the number of neurons; a way out is named."""
        error = refused(text)
        assert "∝ 1/τ" in error.message
        assert "improper" in error.message
        assert "any number of neurons" in error.message
        assert "half-cauchy(1)" in error.hint


class TestNotices:
    """What a reader should know of the priors of a run."""

    @staticmethod
    def codes(*texts, used=tuple(PARAMETERS)):
        """Return the codes of the notices of texts."""
        return [each.code for each in prior_notices(ModelOptions(prior=texts), used)]

    @pytest.mark.parametrize("name", ["tau", "tau_delta", "gain_sd", "typical_root_excess_fano"])
    def test_vague_inverse_gamma_is_warned_of(self, name):
        """Which keeps a spread away from 0; the sentence says what that excludes."""
        options = ModelOptions(prior=(f"{name}=inverse-gamma(0.01, 0.01)",))
        (notice,) = prior_notices(options, {name})
        assert notice.code == "prior-inverse-gamma"
        assert f"{name}=inverse-gamma(0.01, 0.01)" in notice.message
        assert PARAMETERS[name].near_zero in notice.message
        assert "half-cauchy" in notice.message
        assert "Gelman 2006" in notice.message

    @pytest.mark.parametrize(
        "text",
        ["tau=inverse-gamma(3, 1)", "tau=half-cauchy(0.1)", "a=inverse-gamma(0.1, 0.1)"],
    )
    def test_others_are_not(self, text):
        """An informative one, another family, or a parameter that is no spread."""
        assert not self.codes(text)

    def test_prior_that_no_model_has_is_noted(self):
        """It changes nothing; that it is an inverse gamma does not matter then."""
        assert self.codes("tau=inverse-gamma(0.1, 0.1)", used=("theta",)) == ["prior-unused"]

    def test_nothing_is_said_of_the_defaults(self):
        """No prior given, no notice."""
        assert not self.codes()
