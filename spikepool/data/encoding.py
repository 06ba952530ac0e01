"""Decode the bytes of a text file, or say which encoding they seem to be in."""

import codecs

from spikepool.data.sources import SourceFile
from spikepool.errors import BadDataError, UsageError

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


def as_utf8(file: SourceFile, encoding: str) -> bytes:
    """Return the text of a file as UTF-8 without a byte-order mark.

    Parameters
    ----------
    file : SourceFile
    encoding : str
        The encoding the user named; ``utf-8`` unless told otherwise.

    Returns
    -------
    bytes

    Raises
    ------
    BadDataError
        If the bytes are not text in that encoding.
    UsageError
        If there is no such encoding.
    """
    if _codec_name(encoding) in {"utf-8", "utf-8-sig"}:
        _check_utf8(file)
        return file.data.removeprefix(codecs.BOM_UTF8)
    try:
        text = file.data.decode(encoding)
    except LookupError as error:
        raise UsageError(f"{encoding} is not a text encoding") from error
    except UnicodeError as error:
        raise BadDataError(f"{file.shown} is not {encoding}: {error}") from error
    return text.removeprefix("\ufeff").encode()


def _codec_name(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise UsageError(f"there is no encoding {encoding!r}", "try utf-8 or latin-1") from error


def _check_utf8(file: SourceFile) -> None:
    wide = _wide_encoding(file.data)
    if wide:
        raise BadDataError(f"{file.shown} is {wide.upper()}, not UTF-8", f"give --encoding {wide}")
    if file.data.isascii():
        return
    try:
        file.data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = file.data.count(b"\n", 0, error.start) + 1
        raise BadDataError(
            f"{file.shown}, line {line}: byte 0x{file.data[error.start]:02x} is not UTF-8; "
            "the file is probably Latin-1 (ISO-8859-1) or Windows-1252",
            "give --encoding latin-1 or --encoding cp1252, or save it as UTF-8",
        ) from error


def _wide_encoding(data: bytes) -> str:
    """Name UTF-16 or UTF-32 by its mark, or UTF-16 by the zeros between plain letters."""
    for mark, name in _MARKS.items():
        if data.startswith(mark):
            return name
    head = data[:400]
    even, odd = head[0::2].count(0), head[1::2].count(0)
    if odd > 0.4 * len(head[1::2]) and not even:
        return "utf-16-le"
    if even > 0.4 * len(head[0::2]) and not odd:
        return "utf-16-be"
    return ""
