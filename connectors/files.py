"""From a configured path to files, and from bytes to text."""

import codecs
import glob
import os
import re
from pathlib import Path

import charset_normalizer

from connectors.errors import SourceError

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Not encodings of text: they interpret escapes or prefixes, and some warn on ordinary input.
_NOT_CHARSETS = frozenset({"unicode-escape", "raw-unicode-escape", "idna", "punycode", "undefined"})
# Files declared as these hold cp1252 in practice, as the WHATWG Encoding standard has it.
_MEANS_CP1252 = frozenset({"iso8859-1", "ascii", "cp1252"})
# What western text puts above ASCII; cp1252 is believed where little else is met.
_WESTERN = frozenset(
    "àâäáãåæçéèêëíìîïñóòôöõøœúùûüýÿßÀÂÄÁÃÅÆÇÉÈÊËÍÌÎÏÑÓÒÔÖÕØŒÚÙÛÜÝŸ€£§°·•«»‹›“”„‘’–—…¿¡©®™º²\xa0"
)
_LEAST_WESTERN = 0.9
_MOST_ADJACENT = 0.6
# EBCDIC pages fit any bytes at all, and no export of this century is written in them.
_NEVER_GUESSED = ["cp037", "cp273", "cp424", "cp500", "cp875", "cp1026", "cp1140", "utf_7", "latin_1"]
_SAMPLE_BYTES = 65_536

_UTF8_MULTIBYTE = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|\xe0[\xa0-\xbf][\x80-\xbf]|[\xe1-\xec\xee\xef][\x80-\xbf]{2}|\xed[\x80-\x9f][\x80-\xbf]"
    rb"|\xf0[\x90-\xbf][\x80-\xbf]{2}|[\xf1-\xf3][\x80-\xbf]{3}|\xf4[\x80-\x8f][\x80-\xbf]{2}"
)
_HIGH_BYTES = re.compile(rb"[\x80-\xff]")
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_UNMEANT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")


def _cp1252_char(code: int) -> str:
    """The character of one byte; the five bytes cp1252 leaves undefined become U+FFFD."""
    return bytes([code]).decode("cp1252", errors="replace")


# C1 controls are cp1252 read as latin-1; lone surrogates (UTF-7 can hold them) and C0 controls cannot
# be stored everywhere.
_REPAIRS = (
    {code: _cp1252_char(code) for code in range(0x80, 0xA0)}
    | dict.fromkeys(range(0xD800, 0xE000), "\ufffd")
    | {code: "" for code in (*range(0x20), 0x7F) if code not in (0x09, 0x0A, 0x0D)}
    | {0x0B: "\n", 0x0C: "\n"}
)


def _decode_stray(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    stray = error.object[error.start : error.end]
    return "".join(_cp1252_char(code) for code in stray), error.end


codecs.register_error("vigie-cp1252", _decode_stray)


def expand(base: Path, pattern: str, *, suffixes: frozenset[str] | None = None) -> list[Path]:
    """Files a configured path means, sorted by path: a file, all files under a folder, or a glob (`**` too).

    base: folder that a relative pattern starts from. suffixes: lower-case with the dot; they filter
    folders and globs, never a file named outright. Hidden files are left out, and the locks (`~$x.xlsx`)
    that stand beside a document while Office has it open. A folder that cannot be listed and a link that
    leads nowhere stand in the result themselves, so that reading them fails in the open.
    Raises SourceError if there is no such file or folder, or a glob matches nothing; a folder may be empty.
    """
    pattern = at_home(pattern)
    place = base / pattern
    try:
        if place.is_file():
            return [place]
        if place.is_dir():
            return _files_under(place, suffixes)
        # Path.glob refuses absolute patterns.
        found = glob.glob(pattern, root_dir=base, recursive=True)  # noqa: PTH207
    except OSError as error:
        raise SourceError(f"{place}: cannot be read ({error.strerror}); correct `path`") from error
    if not found:
        raise SourceError(f"{place}: no such file or folder; correct `path`, which starts from {base}")
    paths = {path for match in found for path in _matched(base / match, suffixes)}
    return sorted(paths, key=lambda path: path.parts)


def is_there(base: Path, pattern: str) -> bool:
    """Whether a configured path means anything: what `expand` needs, at the cost of one look."""
    pattern = at_home(pattern)
    try:
        return (base / pattern).exists() or any(glob.iglob(pattern, root_dir=base, recursive=True))  # noqa: PTH207
    except OSError:
        return False


def where_to_watch(base: Path, pattern: str) -> tuple[Path, bool]:
    """The folder where files a configured path means may appear, and whether those below it count too.

    >>> where_to_watch(Path("/srv"), "avis/*.csv")
    (PosixPath('/srv/avis'), True)
    """
    place = base / at_home(pattern)
    if place.is_dir():
        return place, True
    parts = place.parts
    plain = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts) - 1)
    return Path(*parts[:plain]), plain < len(parts) - 1 or glob.has_magic(parts[-1])


def at_home(path: str) -> str:
    """The path with `~` as the home folder, as it is where there is none.

    >>> at_home("data/~x")
    'data/~x'
    """
    # Path.expanduser raises where the home is unknown, and drops a glob's last slash.
    return os.path.expanduser(path)  # noqa: PTH111


def _matched(match: Path, suffixes: frozenset[str] | None) -> list[Path]:
    if match.is_dir():
        return _files_under(match, suffixes)
    return [match] if _is_meant(match, suffixes) else []


def _is_meant(path: Path, suffixes: frozenset[str] | None) -> bool:
    """Whether a path met in a folder or by a glob is to be read, or at least to be told of."""
    if path.name.startswith("~$") or not _has_suffix(path, suffixes):
        return False
    return path.is_file() or (path.is_symlink() and not path.exists())


def _has_suffix(path: Path, suffixes: frozenset[str] | None) -> bool:
    return suffixes is None or path.suffix.lower() in suffixes


def _files_under(folder: Path, suffixes: frozenset[str] | None) -> list[Path]:
    found: list[Path] = []
    for root, folders, names in os.walk(folder, onerror=lambda error: found.append(Path(error.filename))):
        # A hidden folder is a tool's own, except in Maildir++, which names its subfolders `.Sent`.
        folders[:] = [
            name for name in folders if not name.startswith(".") or Path(root, name, "cur").is_dir()
        ]
        paths = (Path(root, name) for name in names if not name.startswith("."))
        found.extend(path for path in paths if _is_meant(path, suffixes))
    return sorted(found, key=lambda path: path.parts)


def relative_name(base: Path, path: Path) -> str:
    """The path as seen from base, with forward slashes: `boites/sav.mbox`, `../data/avis.csv`.

    Bytes of a name that are not UTF-8 show as `?`.
    """
    return Path(os.path.relpath(path, base)).as_posix().encode("utf-8", errors="replace").decode("utf-8")


def decode(data: bytes, encoding: str | None = None) -> tuple[str, str]:
    """Text of bytes, and the name of the encoding used. Never raises.

    A byte-order mark decides; then `encoding` if it fits; then UTF-8; then charset-normalizer's guess.
    Bytes of cp1252 inside UTF-8, on the same line or not, are read one by one as cp1252
    (`utf-8+cp1252`), and C1 control characters, never meant, as the cp1252 characters they stand for;
    other control characters but tab and line ends are dropped.

    >>> decode(b"d\\xc3\\xa9j\\xe0 vu")
    ('déjà vu', 'utf-8+cp1252')
    """
    text, used = _decode_marked(data) or _decode_declared(data, encoding) or _decode_found(data)
    if _UNMEANT.search(text):
        text = text.translate(_REPAIRS)
    return text, used


def is_charset(name: str) -> bool:
    """Whether `decode` can make use of a declared encoding.

    >>> is_charset("latin-1"), is_charset("utf-88"), is_charset("base64")
    (True, False, False)
    """
    try:
        return codecs.lookup(name).name not in _NOT_CHARSETS and "".encode(name) is not None
    except (LookupError, ValueError):
        return False


def _decode_marked(data: bytes) -> tuple[str, str] | None:
    for mark, name in _BOMS:
        if data.startswith(mark):
            body = data[len(mark) :]
            return _decode_utf8(body) if name == "utf-8" else (body.decode(name, errors="replace"), name)
    return None


def _decode_declared(data: bytes, encoding: str | None) -> tuple[str, str] | None:
    if not encoding:
        return None
    try:
        name = codecs.lookup(encoding).name
        if name in _NOT_CHARSETS:
            return None
        if name == "utf-8":
            return _decode_utf8(data)
        # UTF-8 often hides under an old default charset; the reverse is vanishingly rare.
        if name in _MEANS_CP1252:
            trusted = name != "ascii" and not data.isascii() and not _looks_utf8(data)
            return _decode_cp1252(data) if trusted else _decode_found(data)
        return data.decode(name), name
    except (LookupError, ValueError):
        return None


def _decode_found(data: bytes) -> tuple[str, str]:
    if data.isascii():
        return _decode_seven_bits(data)
    if _looks_utf8(data):
        return _decode_utf8(data)
    sample = _high_sample(data)
    if not _looks_western(sample):
        guess = charset_normalizer.from_bytes(sample, cp_exclusion=_NEVER_GUESSED).best()
        if guess is not None:
            name = codecs.lookup(guess.encoding).name
            return data.decode(name, errors="replace"), name
    return _decode_cp1252(data)


def _decode_seven_bits(data: bytes) -> tuple[str, str]:
    """ASCII, or Japanese mail's escape sequences."""
    if b"\x1b$" in data:
        try:
            return data.decode("iso2022_jp_2"), "iso2022_jp_2"
        except UnicodeDecodeError:
            pass
    return data.decode("ascii"), "utf-8"


def _decode_utf8(data: bytes) -> tuple[str, str]:
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        return data.decode("utf-8", errors="vigie-cp1252"), "utf-8+cp1252"


def _decode_cp1252(data: bytes) -> tuple[str, str]:
    return data.decode("cp1252", errors="replace"), "cp1252"


def _looks_utf8(data: bytes) -> bool:
    """Whether most bytes above ASCII belong to well-formed UTF-8 sequences."""
    well_formed = sum(map(len, _UTF8_MULTIBYTE.findall(data)))
    return 2 * well_formed > len(_HIGH_BYTES.findall(data))


def _looks_western(sample: bytes) -> bool:
    """Whether cp1252 gives western letters and signs, standing alone rather than in a row.

    Cyrillic or Greek read as cp1252 gives western letters too, but whole words of them.
    """
    runs = _NON_ASCII.findall(sample.decode("cp1252", errors="replace"))
    total = sum(map(len, runs))
    western = sum(char in _WESTERN for run in runs for char in run)
    adjacent = sum(len(run) for run in runs if len(run) > 2)
    return western >= _LEAST_WESTERN * total and adjacent <= _MOST_ADJACENT * total


def _high_sample(data: bytes) -> bytes:
    """The lines that tell: those with bytes above ASCII, up to 64 KiB of them."""
    if len(data) <= _SAMPLE_BYTES:
        return data
    telling = b"\n".join(line for line in data.split(b"\n") if not line.isascii())
    return telling[:_SAMPLE_BYTES]
