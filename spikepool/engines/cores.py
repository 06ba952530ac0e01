"""How many cores this process may use."""

import os


def granted_cores(asked: int | None) -> int:
    """Cores to use: those asked for, no more than the machine, cgroup and Slurm grant.

    Parameters
    ----------
    asked : int or None
        None: all that are granted.

    Returns
    -------
    int
        At least 1.
    """
    import joblib

    granted = [int(joblib.cpu_count())]
    slurm = os.environ.get("SLURM_CPUS_PER_TASK", "")
    if slurm.isdigit():
        granted.append(int(slurm))
    if asked is not None:
        granted.append(asked)
    return max(1, min(granted))
