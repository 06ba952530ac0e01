"""What a design cannot tell: refused, or fitted with a mark where the user insists."""

from spikepool.config import ModelOptions
from spikepool.data.spike_counts import Notice
from spikepool.errors import NotIdentifiableError


def refuse_unidentified(
    options: ModelOptions, notices: list[Notice], message: str, hint: str
) -> None:
    """Refuse a model, or note with ``--allow-unidentified`` that it is not to be trusted.

    Parameters
    ----------
    options : ModelOptions
    notices : list of Notice
    message : str
        What cannot be told, and why.
    hint : str
        What to do instead.

    Raises
    ------
    NotIdentifiableError
        Without ``--allow-unidentified``.
    """
    if not options.allow_unidentified:
        raise NotIdentifiableError(message, f"{hint} (or --allow-unidentified)")
    notices.append(Notice("not-identified", f"not to be trusted: {message}"))
