"""Which column names the recording sessions."""

import pytest

from spikepool.errors import BadDataError, UsageError

HEAD = "neuron,trial,session,count"


def sessions(counts):
    """Return the session of every row."""
    return [counts.session.values[code] for code in counts.session.codes]


def test_the_usual_name_is_recognised_and_stays_a_label(read):
    """Neurons are still compared by it, and it is carried into the results."""
    counts = read(f"{HEAD}\na,1,s1,3\nb,1,s2,4\n")
    assert sessions(counts) == ["s1", "s2"]
    assert ("session", "session") in counts.recognised
    assert [column.name for column in counts.neuron_columns] == ["session"]


def test_sessions_may_name_neurons_too(read):
    """Ids that repeat between sessions."""
    counts = read(f"{HEAD}\na,1,s1,3\na,1,s2,4\n", neuron=("session", "neuron"))
    assert sessions(counts) == ["s1", "s2"]
    assert counts.neuron.values == ("s1/a", "s2/a")


def test_several_columns_make_a_product(read):
    """Of days and runs."""
    text = "neuron,trial,day,run,count\na,1,d1,r1,3\nb,1,d1,r2,4\n"
    assert sessions(read(text, session=("day", "run"))) == ["d1/r1", "d1/r2"]


def test_wide_tables_have_sessions(read):
    """A row is a trial of one session."""
    counts = read("trial,session,u1,u2\n1,s1,3,4\n2,s2,,5\n")
    assert sessions(counts) == ["s1", "s1", "s2"]


def test_zeros_filled_in_belong_to_the_session_of_their_trial(read):
    """They stand last."""
    counts = read(f"{HEAD}\na,1,s1,3\nb,2,s1,4\n", fill_zeros=True)
    assert sessions(counts) == ["s1"] * 4


def test_blanks_keep_their_sessions(read):
    """The table of trials without a stimulus has them, too."""
    text = "neuron,trial,session,condition,count\na,1,s1,x,3\na,2,s2,blank,4\na,3,s2,x,1\n"
    counts = read(text, baseline_condition="blank")
    assert sessions(counts) == ["s1", "s2"]
    assert sessions(counts.baseline.counts) == ["s2"]


def test_an_empty_cell_is_refused_only_where_the_column_was_named(read):
    """A column that merely has the usual name is left alone."""
    text = f"{HEAD}\na,1,s1,3\nb,1,,4\n"
    assert read(text).session is None
    with pytest.raises(BadDataError, match=r"line 3, column 'session'.*session is needed"):
        read(text, session=("session",))


def test_a_column_in_another_role_is_not_taken(read):
    """A condition called session is a condition."""
    counts = read(f"{HEAD}\na,1,s1,3\na,2,s2,4\n", condition=("session",))
    assert counts.session is None


def test_sessions_need_trials(read):
    """They tell which neurons were recorded together."""
    text = "neuron,day,count\na,d1,3\nb,d1,4\n"
    with pytest.raises(UsageError, match="--session day needs a trial column"):
        read(text, session=("day",))
