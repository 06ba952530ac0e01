"""Loading what only a fit needs: a million objects that stay, and no garbage among them."""

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def loading(library: str) -> Iterator[None]:
    """Load modules without garbage collection, and leave them out of every later one.

    A collection looks through all objects there are; those of the modules take 0.3 to 0.7 s of a
    fit of a few seconds. Only where `library` is not loaded yet: a program that fits again and
    again has no garbage of its own set aside.

    Parameters
    ----------
    library : str
        The heaviest of them.
    """
    if library in sys.modules or not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
