"""Modules are loaded without garbage collection, once."""

import gc

import pytest

from spikepool.runs.loading import loading

NOT_LOADED = "a_library_that_is_not_loaded"


@pytest.fixture(autouse=True)
def unfrozen():
    """Leave nothing set aside."""
    yield
    gc.unfreeze()


def test_what_was_loaded_is_left_out_of_collections():
    """Nothing is collected meanwhile, and collection goes on afterwards."""
    gc.unfreeze()
    with loading(NOT_LOADED):
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > 1_000


@pytest.mark.parametrize("library", ["gc", NOT_LOADED])
def test_nothing_is_set_aside_twice(library):
    """Where the library is there already, or a program collects by itself."""
    gc.unfreeze()
    if library == NOT_LOADED:
        gc.disable()
    try:
        was = gc.isenabled()
        with loading(library):
            assert gc.isenabled() == was
        assert gc.isenabled() == was
        assert gc.get_freeze_count() == 0
    finally:
        gc.enable()


def test_a_failing_import_leaves_collection_on():
    """As it was."""
    gc.unfreeze()
    with pytest.raises(ImportError), loading(NOT_LOADED):
        raise ImportError("no")
    assert gc.isenabled()
    assert gc.get_freeze_count() == 0
