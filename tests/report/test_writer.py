"""The output folder appears whole or not at all, whatever goes wrong."""

import errno
import os
import resource
from datetime import UTC, datetime
from pathlib import Path

import pytest

from spikepool.config import EngineOptions, RunConfig
from spikepool.errors import OutputExistsError, ReadWriteError
from spikepool.report.manifest import changed_files, make_manifest, read_manifest
from spikepool.report.writer import already_done, open_output, write_files, write_output

CONFIG = RunConfig()
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OLD = {"summary.json": b"old", "neurons.csv": b"old", "plots/old.png": b"old"}
NEW = {"summary.json": b"new", "plots/new.png": b"new", "plots/data/new.csv": b"new"}


@pytest.fixture
def write(run):
    """Write files into a folder, as the pipeline does."""

    def write_files(folder, files, if_exists="fail"):
        def manifest_of(digests):
            return make_manifest(run, CONFIG, started=START, finished=START, files=digests)

        return write_output(open_output(folder, if_exists), files.items(), manifest_of)

    return write_files


@pytest.fixture
def old(write, tmp_path):
    """Return a folder with results, and files and folders of the user's."""
    folder = tmp_path / "out"
    write(folder, OLD)
    (folder / "notes").mkdir()
    (folder / "notes/mine.txt").write_text("mine")
    (folder / "plots/mine.png").write_text("mine")
    (folder / "empty").mkdir()
    return folder


FOREIGN = {"notes/mine.txt": "mine", "plots/mine.png": "mine"}


def tree(folder):
    """Every file below a folder with its text; empty folders with None."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(folder))] = path.read_text()
        elif not any(path.iterdir()):
            found[str(path.relative_to(folder))] = None
    return found


def texts(files):
    """Return files to be written as `tree` shows them."""
    return {path: data.decode() for path, data in files.items()}


def names_beside(folder):
    """Everything in the folder's parent; nothing hidden may be left there."""
    return [path.name for path in folder.parent.iterdir()]


def without_manifest(found):
    """Leave the manifest out."""
    return {path: text for path, text in found.items() if path != "manifest.json"}


def test_writes_a_new_folder_with_its_parents(write, tmp_path):
    """All files, and a manifest that knows them; nothing beside."""
    folder = tmp_path / "a/b/out"
    manifest = write(folder, NEW)
    assert without_manifest(tree(folder)) == texts(NEW)
    assert read_manifest(folder) == manifest
    assert changed_files(folder, manifest) == ()
    assert names_beside(folder) == ["out"]
    assert folder.stat().st_mode & 0o777 == 0o777 & ~current_umask()


def current_umask():
    """Return the umask, which can only be read by setting it."""
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_an_empty_folder_is_used(write, tmp_path):
    """It keeps its permissions."""
    (tmp_path / "out").mkdir(mode=0o750)
    write(tmp_path / "out", NEW)
    assert without_manifest(tree(tmp_path / "out")) == texts(NEW)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750


def test_opening_leaves_no_trace(tmp_path):
    """The check makes nothing, so that a run that fails later leaves nothing."""
    open_output(tmp_path / "a/b/out", "fail")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("if_exists", ["fail", "skip", "replace"])
def test_files_that_spikepool_did_not_write_are_left_alone(if_exists, tmp_path):
    """A folder without a manifest is refused before any work, with the way out."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("years of work")
    with pytest.raises(OutputExistsError, match="not empty") as caught:
        open_output(tmp_path / "out", if_exists)
    assert caught.value.exit_code == 73
    assert "-o" in caught.value.hint
    assert tree(tmp_path / "out") == {"thesis.tex": "years of work"}


@pytest.mark.parametrize("if_exists", ["fail", "skip", "replace"])
def test_a_file_or_a_root_is_no_output(if_exists, tmp_path):
    """Neither is a link to the root, nor a folder below a file."""
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("/")
    for path in ("file", "link", "file/out"):
        with pytest.raises(OutputExistsError):
            open_output(tmp_path / path, if_exists)


def test_results_are_not_replaced_unasked(old):
    """`fail` names the option that replaces."""
    with pytest.raises(OutputExistsError) as caught:
        open_output(old, "fail")
    assert "--if-exists replace" in caught.value.hint


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_found_early(tmp_path):
    """Before any fitting."""
    tmp_path.chmod(0o500)
    with pytest.raises(OutputExistsError, match="Permission denied"):
        open_output(tmp_path / "out", "fail")


def test_a_name_that_is_too_long_is_found_early(tmp_path):
    """The hidden folder beside has a longer name than the output."""
    with pytest.raises(OutputExistsError, match="too long"):
        open_output(tmp_path / ("x" * 255), "fail")


def test_a_damaged_manifest_is_no_leave_to_delete(old):
    """What it listed cannot be known."""
    (old / "manifest.json").write_text("{")
    with pytest.raises(OutputExistsError, match="no results of spikepool"):
        open_output(old, "replace")


def test_replace_deletes_only_what_the_manifest_lists(write, old):
    """The user's files and empty folders are carried along."""
    write(old, NEW, "replace")
    assert without_manifest(tree(old)) == {**texts(NEW), **FOREIGN, "empty": None}
    assert set(read_manifest(old).files) == set(NEW)
    assert names_beside(old) == ["out"]


def test_replace_keeps_links_and_does_not_follow_them(write, old, tmp_path):
    """A link of the user's still points there; what it points to is untouched."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data/neurons.csv").write_text("theirs")
    (old / "plots/old.png").unlink()
    (old / "link").symlink_to(tmp_path / "data")
    write(old, NEW, "replace")
    assert (old / "link").is_symlink()
    assert tree(tmp_path / "data") == {"neurons.csv": "theirs"}


def test_replace_refuses_what_it_would_write_over(write, old):
    """A table of the user's with the name of ours is found before any work."""
    (old / "population.csv").write_text("theirs")
    with pytest.raises(OutputExistsError, match=r"population\.csv"):
        open_output(old, "replace")


def test_replace_refuses_a_picture_it_would_write_over(write, old):
    """A name not known beforehand is found before anything is replaced."""
    (old / "plots/new.png").write_text("theirs")
    before = tree(old)
    with pytest.raises(OutputExistsError, match=r"plots/new\.png"):
        write(old, NEW, "replace")
    assert tree(old) == before
    assert names_beside(old) == ["out"]


def test_a_link_to_a_folder_is_followed(write, old, tmp_path):
    """The results go where the link points; the link stays."""
    (tmp_path / "link").symlink_to(old)
    write(tmp_path / "link", NEW, "replace")
    assert (tmp_path / "link").is_symlink()
    assert (old / "summary.json").read_text() == "new"


def test_of_two_runs_into_one_folder_one_wins(write, run, tmp_path):
    """The second finds the folder taken, and leaves it as it is."""
    output = open_output(tmp_path / "out", "fail")
    write(tmp_path / "out", OLD)
    before = tree(tmp_path / "out")
    with pytest.raises(OutputExistsError, match="another run"):
        write_output(output, NEW.items(), lambda files: manifest_for(run, files))
    assert tree(tmp_path / "out") == before


def test_of_two_runs_that_replace_one_wins(write, run, old):
    """The manifest is no longer the one that was there when the run began."""
    output = open_output(old, "replace")
    write(old, NEW, "replace")
    before = tree(old)
    with pytest.raises(OutputExistsError, match="another run"):
        write_output(output, OLD.items(), lambda files: manifest_for(run, files))
    assert tree(old) == before


def manifest_for(run, files):
    """Describe a run."""
    return make_manifest(run, CONFIG, started=START, finished=START, files=files)


def test_two_files_of_one_name_are_a_bug(write, tmp_path):
    """The second does not write over the first."""
    output = open_output(tmp_path / "out", "fail")
    with pytest.raises(ValueError, match="one name"):
        write_output(output, [("a", b"1"), ("a", b"2")], lambda _: None)
    assert not list(tmp_path.iterdir())


def test_skip_finds_the_same_run(old, run):
    """Nothing needs to be done again."""
    assert already_done(open_output(old, "skip"), CONFIG, run.counts.sources)


def test_skip_has_nothing_to_skip(tmp_path, run):
    """No folder yet, or an empty one."""
    (tmp_path / "empty").mkdir()
    for name in ("new", "empty"):
        output = open_output(tmp_path / name, "skip")
        assert not already_done(output, CONFIG, run.counts.sources)


def test_replace_never_skips(old, run):
    """Only `skip` trusts what is there."""
    assert not already_done(open_output(old, "replace"), CONFIG, run.counts.sources)


def test_skip_refuses_another_run(old, run):
    """Other options: neither skipped nor written over."""
    other = RunConfig(engine=EngineOptions(seed=1))
    with pytest.raises(OutputExistsError, match="other options"):
        already_done(open_output(old, "skip"), other, run.counts.sources)


@pytest.mark.parametrize("damage", [Path.unlink, lambda path: path.write_bytes(b"OLD")])
def test_skip_refuses_results_that_were_changed(old, run, damage):
    """A table that is missing or edited is not a finished run."""
    damage(old / "neurons.csv")
    with pytest.raises(OutputExistsError, match=r"neurons\.csv"):
        already_done(open_output(old, "skip"), CONFIG, run.counts.sources)


STEPS = {"open", "fsync", "rename", "mkdir"}
"""The calls by which the writer changes the disk."""


KILLED = 9


def at_step(patch, step, strike):
    """Strike before the step-th change of the disk; return the names of those reached."""
    reached = []

    def counted(name, call):
        def count_and_call(*args, **kwargs):
            reached.append(name)
            if len(reached) == step:
                strike()
            return call(*args, **kwargs)

        return count_and_call

    patch.setattr(os, "fsync", counted("fsync", os.fsync))
    for name in ("open", "rename", "mkdir"):
        patch.setattr(Path, name, counted(name, getattr(Path, name)))
    return reached


def assert_old_or_new(folder, before):
    """Hold that the folder is as it was, or new and whole; the user's files are somewhere."""
    if (folder / "plots/new.png").exists():
        assert changed_files(folder, read_manifest(folder)) == ()
        assert set(read_manifest(folder).files) == set(NEW)
    else:
        assert tree(folder) == before
    kept = {Path(path).name: text for path, text in tree(folder.parent).items()}
    assert kept["mine.txt"] == kept["mine.png"] == "mine"


@pytest.fixture
def old_at(write, tmp_path):
    """Make a folder of results and of the user's files, one for every step."""

    def make(step):
        folder = tmp_path / str(step) / "out"
        write(folder, OLD)
        for path, text in FOREIGN.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text)
        return folder

    return make


def disk_full():
    """Fail as a full disk does."""
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def interrupt():
    """Fail as Ctrl-C does."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("strike", "seen"), [(disk_full, ReadWriteError), (interrupt, KeyboardInterrupt)]
)
def test_a_failure_at_any_step_leaves_the_old_or_the_new(run, old_at, strike, seen, monkeypatch):
    """Each change of the disk fails in turn: never a mixture, and until the end the old."""
    struck = set()
    for step in range(1, 100):
        folder = old_at(step)
        before, output = tree(folder), open_output(folder, "replace")
        with monkeypatch.context() as patch:
            reached = at_step(patch, step, strike)
            try:
                write_output(output, NEW.items(), lambda files: manifest_for(run, files))
            except seen:
                pass
            else:
                break
        struck.add(reached[step - 1])
        assert_old_or_new(folder, before)
        if not (folder / "plots/new.png").exists():
            assert names_beside(folder) == ["out"], reached
    assert step == len(reached) + 1
    assert struck == STEPS


def test_a_kill_at_any_step_leaves_the_old_the_new_or_none(run, old_at, monkeypatch):
    """Nothing can be tidied up: still no folder looks whole and is not."""
    outcomes = set()
    for step in range(1, 100):
        folder = old_at(step)
        before, output = tree(folder), open_output(folder, "replace")
        child = os.fork()
        if not child:
            try:
                at_step(monkeypatch, step, lambda: os._exit(KILLED))
                write_output(output, NEW.items(), lambda files: manifest_for(run, files))
                os._exit(0)
            finally:
                os._exit(1)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status == 0:
            break
        assert status == KILLED
        if folder.exists():
            outcomes.add("new" if (folder / "plots/new.png").exists() else "old")
            assert_old_or_new(folder, before)
        else:
            outcomes.add("none")
            (previous,) = folder.parent.glob(".out.previous-*")
            assert tree(previous) == before
    assert outcomes == {"old", "none", "new"}


def test_a_failure_while_contents_are_made_leaves_the_old(run, old):
    """Contents may be made one by one, while earlier ones are already written."""

    def contents():
        yield "summary.json", b"new"
        raise RuntimeError("no posterior")

    before = tree(old)
    with pytest.raises(RuntimeError, match="no posterior"):
        write_output(open_output(old, "replace"), contents(), lambda _: None)
    assert tree(old) == before
    assert names_beside(old) == ["out"]


def test_a_full_disk_is_explained(run, tmp_path):
    """A limit on the size of files stands for a full disk: the write itself fails."""
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    output = open_output(tmp_path / "out", "fail")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limit[1]))
    try:
        with pytest.raises(ReadWriteError, match="File too large") as caught:
            write_output(output, [("a", b"x" * 5000)], lambda files: manifest_for(run, files))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert caught.value.exit_code == 74
    assert isinstance(caught.value.__cause__, OSError)
    assert not list(tmp_path.iterdir())


def test_pictures_are_drawn_over_earlier_ones(tmp_path):
    """Drawing again replaces the pictures of those names and nothing else."""
    folder = tmp_path / "a/pictures"
    written = write_files(folder, [("plots/x.png", b"1"), ("plots/y.png", b"1")])
    assert written == [folder / "plots/x.png", folder / "plots/y.png"]
    write_files(folder, [("plots/x.png", b"2")])
    assert tree(folder) == {"plots/x.png": "2", "plots/y.png": "1"}


def test_pictures_are_not_drawn_into_a_run(old, tmp_path):
    """Its manifest would no longer hold; nor into a file."""
    before = tree(old)
    (tmp_path / "file").touch()
    for folder in (old, tmp_path / "file"):
        with pytest.raises(OutputExistsError):
            write_files(folder, [("plots/old.png", b"2")])
    assert tree(old) == before


@pytest.mark.parametrize("step", [1, 2, 3])
def test_a_picture_that_cannot_be_written_leaves_the_earlier(tmp_path, step, monkeypatch):
    """Neither the new folder, nor the file, nor its way to the disk may fail half-way."""
    write_files(tmp_path / "p", [("x.png", b"1")])
    with monkeypatch.context() as patch:
        at_step(patch, step, disk_full)
        with pytest.raises(ReadWriteError):
            write_files(tmp_path / "p", [("x.png", b"2")])
    assert tree(tmp_path / "p") == {"x.png": "1"}
