"""Options that only some models have room for: refused where none has, else said to be left out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from spikepool.data.spike_counts import Notice
from spikepool.data.wording import listed
from spikepool.errors import UsageError
from spikepool.models.spec import ModelSpec


@dataclass(frozen=True)
class OptionOfSome:
    """An option that not every model can use.

    Attributes
    ----------
    name : str
        As it is given: ``--within``.
    of : str
        The models that can use it.
    reason, hint : str
        Why the others cannot, and what to do where there are no others.
    code : str
        Of the notice that names the models fitted without it.
    """

    name: str
    of: str
    reason: str
    hint: str
    code: str


def check_in_use(
    option: OptionOfSome,
    specs: Sequence[ModelSpec],
    uses: Callable[[ModelSpec], bool],
    notices: list[Notice],
) -> None:
    """Refuse an option that no model uses; name the models that are fitted without it.

    Parameters
    ----------
    option : OptionOfSome
    specs : sequence of ModelSpec
    uses : callable
        Whether a model uses the option.
    notices : list of Notice

    Raises
    ------
    UsageError
    """
    without = [spec.label for spec in specs if not uses(spec)]
    if len(without) == len(specs):
        raise UsageError(f"{option.name}: {option.reason}", option.hint)
    if without:
        text = f"{option.name} is of {option.of}; fitted without it: {listed(without)}"
        notices.append(Notice(option.code, text))
