"""Every bad input of design/bad_inputs.md ends in a fit, a notice or one clear error."""

import gzip
import re

import pytest

from spikepool.config import InputOptions
from spikepool.data.read import read_counts
from spikepool.data.tally import tally_counts
from spikepool.errors import BadDataError, SpikepoolError, UsageError


def long_table(*rows):
    """Return a long table with these rows of neuron, trial and count."""
    return "neuron,trial,count\n" + "".join(f"{row}\n" for row in rows)


BAD = [
    pytest.param(
        long_table("a,1,3", ",2,4"), {}, "line 3, column 'neuron': an empty", id="8-empty"
    ),
    pytest.param(long_table("a,1,3", "  ,2,4"), {}, "line 3, column 'neuron': '  '", id="8-spaces"),
    pytest.param(long_table("a,1,3", "b\0,2,4"), {}, "line 3.*NUL", id="12-nul"),
    pytest.param(long_table("a,1,3", "a,2,-1"), {}, "line 3, column 'count': '-1' is neg", id="14"),
    pytest.param(long_table("a,1,2.5"), {}, "line 2.*'2.5' is not a whole.*--exposure", id="16"),
    pytest.param(long_table("a,1,3.0"), {"strict": True}, "line 2.*'3.0' is not written", id="17"),
    pytest.param(long_table("a,1,1e3"), {"strict": True}, "'1e3' is not written", id="18"),
    *(
        pytest.param(
            long_table("b,1,1", f"a,2,{value}"), {}, "line 3, column 'count'", id=f"19-{i}"
        )
        for i, value in enumerate(["1_000", '"1,000"', "0x10", "３", "٣", "+5", "1 000", "five"])
    ),
    *(
        pytest.param(long_table(f"a,1,{value}"), {}, "line 2, column 'count'", id=f"20-{value}")
        for value in ["inf", "-inf", "nan", "NaN", "1e400", "Infinity", "1e99999999999999999999"]
    ),
    pytest.param(long_table("a,1,True"), {}, "line 2.*'True' is not a whole number", id="21"),
    pytest.param(long_table("a,1,3", "a,2,"), {}, "line 3.*empty cell.*--missing drop", id="22"),
    *(
        pytest.param(
            long_table("b,1,", f"a,1,{v}"), {"missing": "drop"}, "larger than", id=f"23-{v}"
        )
        for v in [2**53 + 1, 2**63 - 1, 2**63, 2**64, 10**30, 10**9 + 1]
    ),
    pytest.param("", {}, "is empty", id="32"),
    pytest.param("\n\n", {}, "no header and no rows", id="32-blank-lines"),
    pytest.param("neuron,trial,count\n", {}, "no rows", id="33"),
    pytest.param("neuron,trial,count", {}, "no rows", id="33-no-newline"),
    pytest.param("1,1,3\n1,2,4\n", {}, "all numbers.*header", id="34"),
    pytest.param("n1,1,3\nn1,2,4\n", {}, "is the first line data", id="34-text-id"),
    pytest.param("nueron,trial,count\na,1,3\n", {}, "did you mean 'nueron'", id="35-neuron"),
    pytest.param("neuron,trial,cuont\na,1,3\n", {}, "did you mean 'cuont'", id="35-count"),
    pytest.param("nueron,trial,cuont\na,1,3\n", {}, "did you mean 'nueron'", id="35-both"),
    pytest.param(long_table("a,1,3"), {"count": "conut"}, "did you mean 'count'", id="35-option"),
    pytest.param("unit,cell,count\na,b,3\n", {}, "more than one column.*unit, cell", id="35-two"),
    pytest.param("neuron,count,count\na,1,3\n", {}, "columns 2 and 3.*'count'", id="36"),
    pytest.param(long_table("a,1,3", "b,1"), {}, "line 3: 2 cells.*has 3", id="37"),
    pytest.param(long_table("", "a,1,3", "", "b,1"), {}, "line 5: 2 cells", id="37-blank"),
    pytest.param(long_table("a,1,3,9", "b,1,4,9"), {}, "line 2: 4 cells.*has 3", id="38"),
    pytest.param(long_table("a,1,3", 'b,"1,3', "c,1,4"), {}, "line 3: a quote", id="39"),
    pytest.param(long_table("a,1,3", '"b,1,3', '"c",1,4'), {}, "line 3: a quote", id="39-pair"),
    pytest.param("neuron;count\na;3\n", {}, "--delimiter ';'", id="40-semicolon"),
    pytest.param("neuron\tcount\na\t3\n", {}, r"--delimiter '\\t'", id="40-tab"),
    pytest.param("neuron|count\na|3\n", {}, "--delimiter '|'", id="40-bar"),
    pytest.param("# made today\n" + long_table("a,1,3"), {}, "--comment '#'", id="41"),
    pytest.param(long_table("a,1,3", "# note"), {}, "line 3.*--comment '#'", id="41-middle"),
    pytest.param(long_table("é,1,3").encode("utf-16"), {}, "--encoding utf-16", id="44-utf16"),
    pytest.param(long_table("a,1,3").encode("utf-16-be"), {}, "--encoding utf-16-be", id="44-be"),
    pytest.param(long_table("a,1,3", "é,1,3").encode("latin-1"), {}, "line 3.*latin-1", id="44-l1"),
    pytest.param(long_table("a,1,3", "a,1,4"), {}, "line 2 and .*line 3", id="45"),
    pytest.param(
        "neuron,trial,depth,count\na,1,10.5,3\na,2,10.5,3\na,1,20.5,4\n",
        {},
        "line 2 and .*line 4; column 'depth' tells them apart",
        id="45-column",
    ),
    pytest.param(
        "neuron,trial,duration,count\na,1,0.5,3\na,1,1,3\n",
        {},
        "'duration' tells",
        id="45-exposure",
    ),
    pytest.param(b"PK\x03\x04....", {}, "Excel", id="54-xlsx"),
    pytest.param(b"%PDF-1.7", {}, "PDF", id="54-pdf"),
    pytest.param("\n<!DOCTYPE html><html>", {}, "web page", id="54-html"),
    pytest.param("neuron,trial,count\n" + "a" * 200_000 + ',1,"3"x\n', {}, "line 2", id="47-cell"),
    pytest.param(
        "neuron,count,area\na,1,V1\na,2,V2\n",
        {"group": ("area",)},
        "'V1'.*line 2.*'V2'",
        id="group",
    ),
    pytest.param(
        "neuron,count,area,animal\na,1,V1,m1\nb,2,V1,m2\na,3,V1,m2\n",
        {"group": ("area",), "within": ("animal",)},
        "neuron 'a' has two labels in 'animal': 'm1' .*line 2.* and 'm2' .*line 4",
        id="within",
    ),
    pytest.param(
        "neuron,count,area,animal\na,1,V1,m1\nb,2,V1,\n",
        {"group": ("area",), "within": ("animal",)},
        "line 3, column 'animal'",
        id="within-empty",
    ),
]


@pytest.mark.parametrize(("content", "options", "message"), BAD)
def test_bad_table_is_one_clear_error(read, content, options, message):
    """A table that cannot be read is refused with the place and the next step."""
    with pytest.raises(BadDataError, match=f"(?s){message}") as caught:
        read(content, **options)
    assert caught.value.exit_code == 65
    assert "table.csv" in caught.value.message or "column could be" in caught.value.message


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(("NA", "nan", "None", "null", "N/A", "NULL", "-"), id="1-null-words"),
        pytest.param(("007", "7", "07"), id="2-leading-zeros"),
        pytest.param(("1.0", "1", "1.00"), id="3-decimals"),
        pytest.param(("1e5", "TRUE", "2024-01-01", "100000", "true"), id="4-looks-typed"),
        pytest.param(("a", "A"), id="13-case"),
        pytest.param(("../../etc/x", "/abs", "a/b", "con", "-rf", "=cmd|'/c calc'!A1"), id="10-11"),
        pytest.param(("x" * 10_000, "y"), id="9-long"),
    ],
)
@pytest.mark.parametrize("quote", ["", '"'])
def test_ids_stay_as_written(read, labels, quote):
    """Every id is kept as its own text, quoted in the file or not."""
    rows = [f"{quote}{label}{quote},1,{i}" for i, label in enumerate(labels)]
    counts = read(long_table(*rows))
    by_row = [counts.neuron.values[code] for code in counts.neuron.codes]
    assert by_row == list(labels)
    assert counts.count.tolist() == list(range(len(labels)))


def test_quoted_ids_keep_newline_comma_and_quote(read):
    """9: an id with a newline, a comma or a quote is kept, and later lines are still counted."""
    content = 'neuron,trial,count\n"a\r\nb",1,3\n"a,b",1,4\n"a""b",1,5\n'
    assert set(read(content).neuron.values) == {"a\r\nb", "a,b", 'a"b'}
    with pytest.raises(BadDataError, match="line 4, column 'count'"):
        read(content.replace(",4", ",x"))


@pytest.mark.parametrize(
    ("ids", "code", "point"),
    [
        pytest.param(("é", "e\u0301"), "look-alike-labels", "u0301", id="5-nfd"),
        pytest.param(("a\u200b",), "invisible-characters", "U\\+200B", id="6-zero-width"),
        pytest.param(("a\u00a0",), "invisible-characters", "U\\+00A0", id="6-nbsp"),
        pytest.param(("\ufeffa",), "invisible-characters", "U\\+FEFF", id="6-bom"),
        pytest.param(("a\u202e",), "invisible-characters", "U\\+202E", id="6-bidi"),
        pytest.param(("a ", "a"), "outer-spaces", "'a '", id="7-trailing-space"),
    ],
)
@pytest.mark.parametrize("layout", ["long", "wide"])
def test_odd_ids_are_kept_and_noticed(read, ids, code, point, layout):
    """Ids that deceive the eye are kept apart, and the notice names the character."""
    if layout == "wide" and code == "outer-spaces":
        pytest.skip("outer spaces of a header are stripped, and equal names refused")
    rows = [f"{label},1,3" for label in ids]
    wide = "trial," + ",".join(ids) + ",x1,x2\n1" + ",3" * (len(ids) + 2) + "\n"
    counts = read(long_table(*rows) if layout == "long" else wide, layout=layout)
    assert set(ids) <= set(counts.neuron.values)
    (notice,) = (notice for notice in counts.notices if notice.code == code)
    assert re.search(point, notice.message)


@pytest.mark.parametrize(
    ("text", "value", "noticed"),
    [
        pytest.param("-0", 0, False, id="15"),
        pytest.param("3.0", 3, True, id="17"),
        pytest.param("0.00", 0, True, id="17-zero"),
        pytest.param("1e3", 1000, True, id="18"),
        pytest.param("007", 7, False, id="zeros"),
        pytest.param(" 5 ", 5, False, id="spaces"),
        pytest.param("1000000000", 10**9, False, id="30-largest"),
    ],
)
def test_counts_are_exact(read, codes, text, value, noticed):
    """Whole numbers are read exactly; those with a point or exponent are noticed."""
    counts = read(long_table(f"a,1,{text}"))
    assert counts.count.tolist() == [value]
    assert ("decimal-counts" in codes(counts)) == noticed


def test_empty_counts_are_dropped_on_request(read):
    """22: --missing drop leaves out the rows without a count, and says how many."""
    counts = read(long_table("a,1,3", "a,2,", "a,3,5"), missing="drop")
    assert counts.count.tolist() == [3, 5]
    assert any(n.message.startswith("1 row with an empty count") for n in counts.notices)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("quote", ["", '"'])
def test_line_ends(read, ending, quote):
    """43: lines may end as on any system."""
    text = long_table(f"{quote}a{quote},1,3", "b,2,4").replace("\n", ending)
    counts = read(text)
    assert counts.neuron.values == ("a", "b")
    assert counts.notices == ()


def test_missing_final_newline_is_noticed(read, codes):
    """43: a file that may have been cut off is noticed."""
    assert codes(read(long_table("a,1,3", "b,1,1").rstrip("\n"))) == ["no-final-newline"]


@pytest.mark.parametrize("blank", ["", "   "])
def test_blank_lines_are_ignored_and_counted(read, blank):
    """42: blank lines between rows are passed over."""
    counts = read(long_table("a,1,3", blank, blank, "b,1,4"))
    assert counts.count.tolist() == [3, 4]
    assert any("2 blank lines ignored" in notice.message for notice in counts.notices)


@pytest.mark.parametrize("row", ["a,1,3", '"a",1,3', '"a\nb",1,3'])
def test_comments_and_blank_lines_do_not_shift_line_numbers(read, row):
    """41: with --comment, comment lines are passed over and errors still name the file's line."""
    text = "# made\n" + long_table(row, "#x,9,9", "", "b,1,4")
    counts = read(text, comment="#")
    assert counts.count.tolist() == [3, 4]
    blank = [notice.message for notice in counts.notices if notice.code == "blank-lines"]
    assert [message.split(": ")[1] for message in blank] == ["1 blank line ignored"]
    line = text.count("\n")
    with pytest.raises(BadDataError, match=f"line {line}, column 'count': 'x'"):
        read(text.replace(",4", ",x"), comment="#")


def test_byte_order_mark_is_no_part_of_the_first_name(read):
    """44: a UTF-8 byte-order mark is passed over."""
    assert read("\ufeff" + long_table("a,1,3")).recognised[0] == ("neuron", "neuron")


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1", "cp1252", "utf-8-sig"])
def test_named_encoding(read, encoding):
    """44: --encoding reads other encodings."""
    counts = read(long_table("é,1,3").encode(encoding), encoding=encoding)
    assert counts.neuron.values == ("é",)


def test_byte_order_mark_in_a_named_encoding(read):
    """44: the mark is no part of the first name when the byte order is named, too."""
    text = "\ufeff" + long_table("é,1,3")
    assert read(text.encode("utf-16-le"), encoding="utf-16-le").recognised[0][1] == "neuron"


@pytest.mark.parametrize("encoding", ["nonsense", "hex", "rot13"])
def test_unknown_encoding_is_a_usage_error(read, encoding):
    """An encoding that does not exist is refused."""
    with pytest.raises(UsageError):
        read(long_table("a,1,3"), encoding=encoding)


def test_row_index_of_pandas_is_ignored(read, codes):
    """A column without a name is the index that pandas wrote, and no label."""
    counts = read(",neuron,trial,count\n0,a,1,3\n1,a,1,3\n")
    assert counts.count.tolist() == [3]
    assert codes(counts) == ["index-column", "repeated-rows"]


def test_what_is_recognised(read):
    """Usual names are recognised in any case, and what is left is listed."""
    counts = read("Unit_ID,Rep,nSpikes,condition,area,depth\nu10,1,3,x,V1,5\nu2,1,4,y,V2,6\n")
    assert counts.neuron.values == ("u2", "u10")
    assert counts.recognised == (
        ("neuron", "Unit_ID"),
        ("trial", "Rep"),
        ("count", "nSpikes"),
        ("condition", "condition"),
    )
    assert counts.unmodelled == ("area", "depth")
    assert [(c.name, c.values) for c in counts.neuron_columns] == [
        ("area", ("V2", "V1")),
        ("depth", ("6", "5")),
    ]
    assert counts.rate_unit == "spikes/trial"


def test_column_that_varies_within_a_neuron_is_not_carried(read):
    """A stimulus label is unmodelled but belongs to no neuron; a constant one is not listed."""
    counts = read("neuron,trial,stim,lab,count\na,1,x,L,3\na,2,y,L,4\n")
    assert counts.unmodelled == ("stim",)
    assert [column.name for column in counts.neuron_columns] == ["lab"]


def test_joined_neuron_names_do_not_collide(read):
    """A product key escapes the separator in its parts."""
    counts = read("s,u,count\na/b,c,1\na,b/c,2\na\\,b,3\n", neuron=("s", "u"))
    assert set(counts.neuron.values) == {"a\\/b/c", "a/b\\/c", "a\\\\/b"}
    assert counts.neuron.name == "s,u"
    assert [column.name for column in counts.neuron_columns] == ["s", "u"]


def test_one_column_in_two_roles_is_refused(read):
    """A column cannot be the condition and the trial."""
    with pytest.raises(UsageError, match="both"):
        read(long_table("a,1,3"), condition=("trial",), trial="trial")


def test_error_message_escapes_control_characters(read):
    """12: a value with an escape sequence is printed harmlessly."""
    with pytest.raises(BadDataError) as caught:
        read(long_table("a,1,\x1b[31m"))
    assert "\x1b" not in str(caught.value)


def test_gzip_members_are_all_read(read):
    """53: a gzip file of several members is read to its end."""
    data = gzip.compress(b"neuron,trial,count\na,1,3\n") + gzip.compress(b"a,2,4\n")
    assert read(data, "table.csv.gz").count.tolist() == [3, 4]


@pytest.mark.parametrize("name", ["cooper_v1v2_uncorr_only", "cooper_v1v2_disparity"])
def test_real_parquet(shared_data, name):
    """The tables of Cooper's group are read whole."""
    path = shared_data / f"{name}.parquet"
    counts = read_counts(InputOptions(tables=(str(path),)))
    assert len(counts.neuron.values) == {"uncorr_only": 1446, "disparity": 1575}[name[12:]]
    assert counts.exposure_known
    assert [column.name for column in counts.neuron_columns] == ["area", "animal", "exptype"]


def test_real_csv_and_parquet_agree(shared_data):
    """One table gives one tally in both formats."""
    paths = [shared_data / f"cooper_v1v2_uncorr_only.{suffix}" for suffix in ("csv", "parquet")]
    first, second = (tally_counts(read_counts(InputOptions(tables=(str(p),)))) for p in paths)
    for name in ("neuron", "condition", "exposure", "count", "weight"):
        assert getattr(first, name).tolist() == getattr(second, name).tolist()
    assert first.neurons == second.neurons


@pytest.mark.parametrize(
    "content", [b"\xff", b"\x00" * 64, b"\x1f\x8b", b",,,\n,,,", b'"', b"'\n'"]
)
def test_rubbish_is_an_error_and_no_traceback(read, content):
    """Bytes that are no table end in an error of the tree."""
    with pytest.raises(SpikepoolError):
        read(content)


def test_column_that_another_option_names_is_not_said_to_be_missing(read):
    """A neuron column named as the group may be the neuron's, too."""
    text = "neuron,trial,count\na,1,2\na,2,3\nb,1,1\nb,2,0\n"
    with pytest.raises(BadDataError, match="no neuron column but 'neuron', which another") as found:
        read(text, group=("neuron",))
    assert "--neuron neuron" in str(found.value)
    assert read(text, group=("neuron",), neuron=("neuron",)).group.values == ("a", "b")
