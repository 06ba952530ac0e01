"""What must be set before NumPy, PyTensor and numba are imported: threads and caches."""

import os
import tempfile
from pathlib import Path

THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


def prepare_environment() -> None:
    """Give every chain one thread, and the compilers a folder they can write to.

    Values that the user has set are left alone.
    """
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    if "base_compiledir" not in os.environ.get("PYTENSOR_FLAGS", "") and not _home_is_writable():
        folder = tempfile.mkdtemp(prefix="spikepool-compile-")
        flags = [flag for flag in (os.environ.get("PYTENSOR_FLAGS"),) if flag]
        os.environ["PYTENSOR_FLAGS"] = ",".join([*flags, f"base_compiledir={folder}"])
        os.environ.setdefault("NUMBA_CACHE_DIR", folder)


def _home_is_writable() -> bool:
    try:
        home = Path.home()
    except RuntimeError:
        return False
    return os.access(home, os.W_OK)
