"""What a person sees while a run goes on: a bar on a terminal, plain lines elsewhere."""

import sys
import time
from typing import override

from spikepool.progress import Progress, Silent

SECONDS_BETWEEN_LINES = 10.0


def make_progress(*, quiet: bool) -> Progress:
    """Choose the listener for standard error: a bar, lines, or nothing."""
    if quiet:
        return Silent()
    return BarProgress() if sys.stderr.isatty() else LineProgress()


class LineProgress(Progress):
    """One line per stage, and one every ten seconds of a long one."""

    def __init__(self) -> None:
        self._name = ""
        self._told_at = 0.0

    @override
    def stage(self, name: str) -> None:
        self._name, self._told_at = name, time.monotonic()
        print(name, file=sys.stderr, flush=True)

    @override
    def advance(self, done: int, total: int, detail: str = "") -> None:
        now = time.monotonic()
        if now - self._told_at < SECONDS_BETWEEN_LINES:
            return
        self._told_at = now
        tail = f", {detail}" if detail else ""
        print(f"{self._name}: {100 * done // total} %{tail}", file=sys.stderr, flush=True)

    @override
    def close(self) -> None:
        return


class BarProgress(Progress):
    """A bar that is gone when the run is over."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn
        from rich.progress import Progress as Bars

        self._bars: Bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._task = self._bars.add_task("", total=None, detail="")
        self._bars.start()

    @override
    def stage(self, name: str) -> None:
        self._bars.reset(self._task, total=None, description=name, detail="")

    @override
    def advance(self, done: int, total: int, detail: str = "") -> None:
        self._bars.update(self._task, completed=done, total=total, detail=detail)

    @override
    def close(self) -> None:
        self._bars.stop()
