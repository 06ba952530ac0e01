"""What the gate makes of what the rules find."""

from dataclasses import replace

import numpy as np
import pytest

from spikepool.config import ModelOptions
from spikepool.errors import NotIdentifiableError
from spikepool.models.identifiability.conditions import find_conditions
from spikepool.models.identifiability.gate import RULES, find_all, leave_out, notices_of, refuse
from spikepool.models.identifiability.repeats import find_repeats
from spikepool.models.spec import ModelSpec

NB = ModelSpec("nb2", "partial", "partial")
TUNED = ModelSpec("nb2", "partial", "partial", condition_pooling="partial")


def names(findings, severity):
    """Return the rules that speak with a severity."""
    return [finding.rule.name for finding in findings if finding.severity == severity]


def test_first_refusal_is_told_with_the_number_of_others(build_tally):
    """One neuron of one trial: two reasons, one message."""
    findings = find_all([NB], build_tally([[7]]))
    assert names(findings, "refused") == ["no_repeats", "one_neuron"]
    with pytest.raises(NotIdentifiableError, match="repeated trials") as refused:
        refuse(ModelOptions(), findings)
    assert refused.value.hint.endswith("(or --allow-unidentified); 1 more: see spikepool check")
    refuse(ModelOptions(allow_unidentified=True), findings)


def test_default_models_give_way_only_to_what_nobody_asked_for(build_tally):
    """A dispersion pooling that was given asks for NB as its name does."""
    poisson = ModelSpec("poisson", "partial", None)
    specs, tally = (poisson, NB), build_tally([[7], [3], [4], [9], [2]])
    findings = find_all(specs, tally)
    kept, left_out = leave_out(ModelOptions(), specs, findings)
    assert kept == (poisson,)
    assert names(left_out, "left_out") == ["no_repeats"]
    for options in (ModelOptions(family=("nb2",)), ModelOptions(dispersion_pooling="partial")):
        assert leave_out(options, specs, findings) == (specs, ())


def test_neurons_get_no_notices(build_tally):
    """Their findings are in the table alone."""
    findings = find_all([NB], build_tally([[30, 40, 35]] * 5 + [[0, 1, 0], [0, 0]]))
    assert {*names(findings, "weak")} == {"silent", "no_count_above_1", "gain_information"}
    assert notices_of(findings) == ()


def test_names_are_different():
    """Each rule has its own."""
    assert len({rule.name for rule in RULES}) == len(RULES)


class TestTuning:
    """Designs of conditions, one step on either side of each rule."""

    def test_one_repeated_condition_is_enough_to_try(self, build_tally):
        """Of one neuron; the spread of dispersions is then weak."""
        once = build_tally([[5, 9]] * 6, condition=[[0, 1]] * 6)
        assert names(find_repeats([TUNED], once), "refused") == ["no_repeated_conditions"]
        merged = replace(TUNED, condition_pooling="complete")
        assert names(find_repeats([merged], once), "refused") == []
        counts, condition = [[5, 9]] * 5 + [[5, 9, 7]], [[0, 1]] * 5 + [[0, 1, 1]]
        repeated = [*find_repeats([TUNED], build_tally(counts, condition=condition))]
        assert names(repeated, "refused") == []
        assert names(repeated, "weak") == ["few_repeats"]

    @pytest.mark.parametrize(
        ("two", "severity"), [(0, "refused"), (1, "weak"), (3, "weak"), (4, "none")]
    )
    def test_comparisons_within_neurons(self, build_tally, two, severity):
        """Of 6 neurons so many have two conditions."""
        condition = [[0, 1, 1]] * two + [[i % 2] * 3 for i in range(6 - two)]
        findings = find_conditions([TUNED], build_tally([[5, 9, 4]] * 6, condition=condition))
        assert [finding.severity for finding in findings] == [severity] * (severity != "none")

    def test_confounded_in_one_group_is_refused_there(self, build_tally):
        """By its name."""
        condition = [[0, 1, 1]] * 4 + [[0] * 3, [1] * 3]
        tally = replace(
            build_tally([[5, 9, 4]] * 6, condition=condition),
            group=np.array([0, 0, 0, 0, 1, 1]),
            groups=("V1", "V2"),
        )
        (finding,) = find_conditions([TUNED], tally)
        assert (finding.severity, finding.scope, finding.names) == ("refused", "group", ["V2"])
        assert finding.by_default is None


def test_order_and_names_change_nothing(build_tally):
    """The figures follow the neurons."""
    counts = [[3, 5, 9], [0, 0, 1], [12, 7, 5], [4, 4, 4], [1, 0, 2]]
    order = [3, 1, 4, 0, 2]
    found = find_all([NB], build_tally(counts))
    again = find_all([NB], build_tally([counts[i] for i in order]))

    def figures(findings, back):
        return {
            (finding.rule.name, finding.severity, back.get(each.name, each.name), each.found)
            for finding in findings
            for each in finding.subjects
        }

    back = {f"n{place}": f"n{i}" for place, i in enumerate(order)}
    same = {f"n{i}": f"n{i}" for i in order}
    assert figures(again, back) == figures(found, same)
