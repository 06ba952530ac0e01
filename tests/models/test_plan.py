"""Which models are fitted: those asked for, less what the design cannot tell."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Labels
from spikepool.data.tally import tally_counts
from spikepool.errors import NotIdentifiableError, UsageError
from spikepool.models.plan import plan_models
from spikepool.models.priors import HalfNormal, default_priors

REPEATED = [[8, 9, 16, 12, 7, 15, 11]] * 6
SINGLE_TRIALS = [[1], [0], [4], [2], [9], [3]]
ONE_NEURON = [[30, 10, 40]]


@pytest.fixture
def plan(build_tally):
    """Return a function from neurons' counts and model options to the plan."""

    def make(counts, condition=None, **options):
        return plan_models(ModelOptions(**options), build_tally(counts, condition=condition))

    return make


def names(plan):
    """Return the names of the models of a plan."""
    return [spec.name for spec in plan.specs]


def codes(plan):
    """Return the codes of the notices of a plan."""
    return [notice.code for notice in plan.notices]


def test_default_is_every_pooling_of_poisson_and_nb2(plan):
    """Six models, NB2 partial the primary one, and nothing to note."""
    made = plan(REPEATED)
    assert names(made) == [
        f"{family}-{pooling}"
        for family in ("poisson", "nb2")
        for pooling in ("none", "complete", "partial")
    ]
    assert made.primary.name == "nb2-partial"
    assert not made.notices


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"family": "nb1"}, ["nb1-none", "nb1-complete", "nb1-partial"]),
        ({"pooling": "none"}, ["poisson-none", "nb2-none"]),
        ({"family": "negbin,nb1", "pooling": "partial"}, ["nb2-partial", "nb1-partial"]),
        ({"family": "nb2,nb2", "pooling": "none,none"}, ["nb2-none"]),
        (
            {"family": "poisson,nb2", "pooling": "partial", "dispersion_pooling": "complete"},
            ["poisson-partial", "nb2-partial-complete"],
        ),
    ],
)
def test_options_choose_the_models(plan, asked, wanted):
    """Each model once, in the order asked for; Poisson has no dispersion to pool."""
    assert names(plan(REPEATED, **asked)) == wanted


def test_dispersions_are_pooled_as_the_rates_unless_told_otherwise(plan):
    """The contract's rule."""
    specs = plan(REPEATED, family="nb2").specs
    assert all(spec.pooling == spec.dispersion_pooling for spec in specs)


class TestOneTrialPerNeuron:
    """Noise and differences between neurons cannot be told apart."""

    def test_default_set_drops_nb_with_a_note(self, plan):
        """Poisson models only, and the primary is one of them."""
        made = plan(SINGLE_TRIALS)
        assert names(made) == ["poisson-none", "poisson-complete", "poisson-partial"]
        assert made.primary.name == "poisson-partial"
        assert codes(made) == ["nb-left-out"]

    @pytest.mark.parametrize("family", ["nb2", "nb1", "poisson,nb2"])
    def test_nb_by_name_is_refused(self, plan, family):
        """The message says why and gives two ways out."""
        with pytest.raises(NotIdentifiableError) as refused:
            plan(SINGLE_TRIALS, family=family)
        assert "repeated trials" in refused.value.message
        assert "--family poisson" in refused.value.hint
        assert "--allow-unidentified" in refused.value.hint

    def test_nb_is_fitted_when_allowed_and_labelled(self, plan):
        """The results carry the reason not to trust them."""
        made = plan(SINGLE_TRIALS, family="nb2", pooling="partial", allow_unidentified=True)
        assert names(made) == ["nb2-partial"]
        assert codes(made) == ["not-identified"]
        assert "not to be trusted" in made.notices[0].message

    @pytest.mark.parametrize("family", ["poisson", "poisson,poisson"])
    def test_poisson_by_name_needs_no_note(self, plan, family):
        """Poisson models are identified, however often they are named."""
        assert not plan(SINGLE_TRIALS, family=family).notices

    def test_one_neuron_with_two_trials_is_enough_to_try(self, plan):
        """The rule is about the whole table; lone trials are flagged per neuron."""
        assert "nb2-partial" in names(plan([[1], [0], [4, 2], [3], [1]]))


class TestOneNeuron:
    """One neuron is no population."""

    def test_default_set_drops_partial_pooling_with_a_note(self, plan):
        """No and complete pooling fit."""
        made = plan(ONE_NEURON)
        assert names(made) == ["poisson-none", "poisson-complete", "nb2-none", "nb2-complete"]
        assert made.primary.name == "nb2-none"
        assert codes(made) == ["partial-left-out"]

    @pytest.mark.parametrize("pooling", ["partial", "none,partial"])
    def test_partial_by_name_is_refused(self, plan, pooling):
        """The message names what cannot be told."""
        with pytest.raises(NotIdentifiableError, match="one neuron: τ"):
            plan(ONE_NEURON, pooling=pooling)

    def test_partial_dispersions_by_name_are_refused(self, plan):
        """A population of dispersions needs neurons as well."""
        with pytest.raises(NotIdentifiableError, match="--dispersion-pooling partial"):
            plan(ONE_NEURON, family="nb2", pooling="none", dispersion_pooling="partial")

    @pytest.mark.parametrize(
        "asked",
        [
            {"family": "nb2", "pooling": "partial"},
            {"family": "nb2", "pooling": "none", "dispersion_pooling": "partial"},
        ],
    )
    def test_is_fitted_when_allowed_and_labelled(self, plan, asked):
        """Whichever population it is that one neuron cannot make."""
        made = plan(ONE_NEURON, allow_unidentified=True, **asked)
        assert len(made.specs) == 1
        assert codes(made) == ["not-identified"]

    def test_one_row_in_all_fits_two_poisson_models(self, plan):
        """Both rules at once, each with its note."""
        made = plan([[3]])
        assert names(made) == ["poisson-none", "poisson-complete"]
        assert codes(made) == ["nb-left-out", "partial-left-out"]


@pytest.mark.parametrize(("neurons", "noted"), [(2, True), (4, True), (5, False)])
def test_few_neurons_say_little_about_the_spread(plan, neurons, noted):
    """Below five neurons a population is noted as weakly informed, with its size."""
    made = plan(REPEATED[:neurons])
    assert codes(made) == (["few-neurons"] if noted else [])
    if noted:
        assert str(neurons) in made.notices[0].message


def test_few_neurons_matter_only_to_a_population(plan):
    """Without partial pooling nothing is said of τ."""
    assert not plan(REPEATED[:3], pooling="none,complete").notices


def test_dispersion_pooling_of_poisson_alone_is_a_usage_error(plan):
    """There is nothing that it could do."""
    with pytest.raises(UsageError, match="--dispersion-pooling"):
        plan(REPEATED, family="poisson", dispersion_pooling="partial")


def test_merged_conditions_are_noted(build_counts):
    """What the table tells apart and the fit does not."""
    counts = build_counts([[8, 9, 16, 12]] * 5, condition=[[0, 1, 0, 1]] * 5)
    tally = tally_counts(counts)
    assert not plan_models(ModelOptions(), tally).notices
    (note,) = plan_models(ModelOptions(condition_pooling="complete"), tally).notices
    assert note.code == "conditions-merged"
    assert note.message.startswith("2 conditions")


def test_conditions_are_pooled_as_the_rates_unless_told_otherwise(build_counts):
    """And not at all where the table has one."""
    several = tally_counts(build_counts([[8, 9, 16, 12]] * 5, condition=[[0, 1, 0, 1]] * 5))
    specs = plan_models(ModelOptions(), several).specs
    assert all(spec.condition_pooling == spec.pooling for spec in specs)
    assert {spec.name for spec in specs} >= {"nb2-partial", "poisson-none"}
    (spec,) = plan_models(
        ModelOptions(family=("nb2",), pooling=("partial",), condition_pooling="none"), several
    ).specs
    assert spec.name == "nb2-partial-conditions-none"
    one = tally_counts(build_counts([[1, 2]] * 5))
    assert {spec.condition_pooling for spec in plan_models(ModelOptions(), one).specs} == {None}
    with pytest.raises(UsageError, match="one condition"):
        plan_models(ModelOptions(condition_pooling="none"), one)


class TestGroups:
    """Neurons 1, 2, ... of a table in groups of given sizes."""

    @pytest.fixture
    def planned(self, build_counts):
        """Return a function from sizes of groups, and trials of a neuron in each, to a plan."""

        def plan_of(sizes, trials=None, **options):
            trials = trials or dict.fromkeys(sizes, 3)
            names = [name for name, size in sizes.items() for _ in range(size)]
            counts = build_counts([[8, 9, 16][: trials[name]] for name in names])
            codes_of = np.array([[*sizes].index(name) for name in names], dtype=np.int64)
            group = Labels("area", tuple(sizes), codes_of[counts.neuron.codes])
            return plan_models(ModelOptions(**options), tally_counts(replace(counts, group=group)))

        return plan_of

    def test_large_ones_need_no_note(self, planned):
        """Groups are fitted, not merged."""
        assert not planned({"V1": 5, "V2": 6}).notices

    def test_of_one_neuron_is_refused_by_name(self, planned):
        """Whether partial pooling was asked for or is the default."""
        for options in ({}, {"pooling": "partial"}, {"dispersion_pooling": "partial"}):
            with pytest.raises(NotIdentifiableError, match="group 'V2' has one neuron") as refused:
                planned({"V1": 5, "V2": 1}, **options)
            assert "--where" in refused.value.hint
            assert "--group" in refused.value.hint

    def test_of_one_neuron_may_be_insisted_on(self, planned):
        """The result is labelled."""
        made = planned({"V1": 5, "V2": 1, "V3": 1}, allow_unidentified=True)
        assert codes(made) == ["not-identified"]
        assert "V2, V3 have one neuron" in made.notices[0].message

    def test_of_one_neuron_serve_other_poolings(self, planned):
        """Complete pooling needs no population, and none has nothing to do with groups."""
        assert not planned({"V1": 5, "V2": 1}, pooling="none,complete").notices

    def test_few_neurons_are_named(self, planned):
        """Those with fewer than five alone; not without partial pooling."""
        (note,) = planned({"V1": 5, "V2": 4, "V3": 2}).notices
        assert note.code == "few-neurons"
        assert note.message.endswith(": V2, V3")
        assert not planned({"V1": 5, "V2": 4}, pooling="complete").notices

    def test_of_single_trials_is_refused_by_name(self, planned):
        """Though another group has repeats: its populations are its own."""
        trials = {"V1": 3, "V2": 1}
        with pytest.raises(NotIdentifiableError, match="repeated trials in every group") as refused:
            planned({"V1": 5, "V2": 5}, trials)
        assert refused.value.message.endswith(", in: V2")
        made = planned({"V1": 5, "V2": 5}, trials, allow_unidentified=True)
        assert codes(made) == ["not-identified"]
        assert not planned({"V1": 5, "V2": 5}, trials, family="poisson").notices
        assert not planned({"V1": 5, "V2": 5}, trials, pooling="none").notices

    def test_more_than_fifteen_are_not_compared(self, planned):
        """Fifteen are."""
        sizes = {f"a{i}": 5 for i in range(16)}
        assert codes(planned(sizes)) == ["many-groups"]
        sizes.pop("a0")
        assert not planned(sizes).notices


def test_one_condition_needs_no_note(plan):
    """Nothing is merged."""
    assert not plan(REPEATED, condition=[[0] * 7] * 6).notices


class TestPopulation:
    """What partially pooled rates are drawn from."""

    @pytest.mark.parametrize("population", ["student-t", "gamma"])
    def test_concerns_partial_pooling_only(self, plan, population):
        """The other poolings stay as they are; the primary model has it."""
        made = plan(REPEATED, population=population)
        assert names(made) == [
            "poisson-none", "poisson-complete", f"poisson-partial-{population}",
            "nb2-none", "nb2-complete", f"nb2-partial-{population}",
        ]  # fmt: skip
        assert made.primary.name == f"nb2-partial-{population}"
        assert plan(REPEATED, population=population, primary="poisson:partial").primary.population

    def test_needs_partial_pooling(self, plan):
        """Asked for without it, it would do nothing."""
        with pytest.raises(UsageError, match="--population gamma: only partial") as refused:
            plan(REPEATED, population="gamma", pooling="none,complete")
        assert "--pooling partial" in refused.value.hint

    def test_of_one_neuron_is_left_out_with_partial_pooling(self, plan):
        """The note on that says enough."""
        made = plan(ONE_NEURON, population="gamma")
        assert codes(made) == ["partial-left-out"]


class TestPriors:
    """What the user gives, over the table's defaults."""

    def test_are_the_defaults_unless_given(self, plan, build_tally):
        """Those of the table."""
        assert plan(REPEATED).priors == default_priors(build_tally(REPEATED))

    def test_are_in_the_plan(self, plan):
        """As given."""
        assert plan(REPEATED, prior="tau=half-normal(2)").priors.tau == HalfNormal(2.0)

    def test_that_cannot_be_used_are_refused(self, plan):
        """Before anything is fitted."""
        with pytest.raises(UsageError, match="--prior 'tau=jeffreys'"):
            plan(REPEATED, prior="tau=jeffreys")

    @pytest.mark.parametrize(
        ("prior", "options", "wanted"),
        [
            ("tau=inverse-gamma(0.1, 0.1)", {}, ["prior-inverse-gamma"]),
            ("tau=half-cauchy(0.1)", {}, []),
            ("a=exponential(2)", {}, ["prior-unused"]),
            ("a=exponential(2)", {"population": "gamma"}, []),
            ("tau=exponential(2)", {"population": "gamma"}, ["prior-unused"]),
            ("tau=exponential(2)", {"population": "student-t"}, []),
            ("mu=normal(0, 1)", {"population": "gamma"}, []),  # complete pooling has it
            ("mu=normal(0, 1)", {"pooling": "none"}, ["prior-unused"]),
            ("theta=normal(0, 1)", {"pooling": "none"}, []),
            ("theta=normal(0, 1)", {"pooling": "partial"}, ["prior-unused"]),
            ("gain_sd=exponential(1)", {"family": "nb1"}, ["prior-unused"]),
            ("gain_sd=exponential(1)", {"pooling": "partial"}, ["prior-unused"]),
            ("typical_gain_sd=exponential(1)", {"pooling": "partial"}, []),
            ("tau_delta=exponential(1)", {"dispersion_pooling": "none"}, ["prior-unused"]),
        ],
    )
    def test_are_noted_where_they_mislead(self, plan, prior, options, wanted):
        """An inverse gamma that decides the answer, and a prior that no model has."""
        assert codes(plan(REPEATED, prior=prior, **options)) == wanted


class TestPrimary:
    """The model of the table ``neurons``."""

    @pytest.mark.parametrize(
        ("asked", "wanted"),
        [
            ({}, "nb2-partial"),
            ({"family": "poisson,nb1"}, "nb1-partial"),
            ({"family": "poisson"}, "poisson-partial"),
            ({"pooling": "complete,none"}, "nb2-none"),
            ({"pooling": "complete"}, "nb2-complete"),
        ],
    )
    def test_is_the_most_pooled_and_richest_unless_named(self, plan, asked, wanted):
        """Partial before none before complete; NB2 before NB1 before Poisson."""
        assert plan(REPEATED, **asked).primary.name == wanted

    @pytest.mark.parametrize(
        ("named", "wanted"),
        [
            ("poisson:none", "poisson-none"),
            ("negbin:complete", "nb2-complete"),
            ("nb2:partial:partial", "nb2-partial"),
        ],
    )
    def test_can_be_named(self, plan, named, wanted):
        """By family and pooling, and by the dispersion's pooling where that matters."""
        assert plan(REPEATED, primary=named).primary.name == wanted

    def test_is_found_by_family_and_pooling_whatever_the_dispersion(self, plan):
        """Two parts name it when the dispersion is pooled in another way."""
        made = plan(REPEATED, family="nb2", dispersion_pooling="complete", primary="nb2:partial")
        assert made.primary.name == "nb2-partial-complete"

    @pytest.mark.parametrize(
        "named", ["nb2", "", "nb2-partial", "nb3:none", "nb2:some", "nb2:none:none:none", ":"]
    )
    def test_that_names_no_model_is_a_usage_error(self, plan, named):
        """The message shows the form."""
        with pytest.raises(UsageError, match="--primary") as refused:
            plan(REPEATED, primary=named)
        assert "nb2:partial" in refused.value.hint

    @pytest.mark.parametrize("named", ["nb1:none", "nb2:none:complete", "poisson:none:none"])
    def test_that_is_not_fitted_is_a_usage_error(self, plan, named):
        """The message lists the models that are."""
        with pytest.raises(UsageError, match="not among the models fitted: poisson:none"):
            plan(REPEATED, primary=named)
