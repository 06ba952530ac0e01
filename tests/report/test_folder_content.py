"""What spikepool wrote in a folder is told from what it did not."""

import pytest

from spikepool.report.folder_content import FolderContent, list_content


def test_tells_ours_from_foreign(tmp_path):
    """Files at any depth, empty folders, and links that are not followed."""
    for path in ("a.csv", "plots/x.png", "plots/mine.png", "notes/deep/n.txt"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "plots")
    content = list_content(tmp_path, frozenset({"a.csv", "plots/x.png", "gone.csv"}))
    assert content.ours == ("a.csv", "plots/x.png")
    assert content.foreign_files == ("link", "notes/deep/n.txt", "plots/mine.png")
    assert content.foreign_folders == ("empty",)


@pytest.mark.parametrize(
    ("files", "folders", "blocked"),
    [
        (("notes.txt",), (), None),
        (("a.csv",), (), "a.csv"),
        (("plots",), (), "plots"),
        (("a.csv/x",), (), "a.csv/x"),
        ((), ("plots",), None),
        ((), ("a.csv",), "a.csv"),
        (("plots/mine.png",), ("plots/data",), None),
    ],
)
def test_finds_what_is_in_the_way(files, folders, blocked):
    """A foreign file of a name to be written, or where a folder is needed, and the reverse."""
    content = FolderContent((), files, folders)
    assert content.first_in_the_way(frozenset({"a.csv", "plots/data/x.csv"})) == blocked
