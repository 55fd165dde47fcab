"""A list becomes a manifest, and what could not be said in it becomes warnings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from marscore.frozen import dataclass
from marscore.lists import aria2, curl, json_list, metalink, osbuild, pooch, sums, url_list
from marscore.lists.checked import check_base, entries
from marscore.lists.guess import guess
from marscore.lists.manifest_text import write
from marscore.lists.model import Format, ListError, Listing, Note, Secrecy
from marscore.lists.secret_names import Secrets
from marscore.version import __version__

_READERS: Mapping[Format, Callable[[str, str], Listing]] = {
    "urls": lambda text, _title: url_list.read(text),
    "aria2": lambda text, _title: aria2.read(text),
    "curl": lambda text, _title: curl.read(text),
    "metalink": lambda text, _title: metalink.read(text),
    "sha256sums": sums.read,
    "pooch": lambda text, _title: pooch.read(text),
    "osbuild": lambda text, _title: osbuild.read(text),
    "json": lambda text, _title: json_list.read(text),
    "jsonl": lambda text, _title: json_list.read_lines(text),
}
_CALLED: Mapping[Format, str] = {
    "urls": "a list of URLs",
    "aria2": "an input file of aria2",
    "curl": "a config of curl",
    "metalink": "a Metalink",
    "sha256sums": "a list of checksums",
    "pooch": "a registry of pooch",
    "osbuild": "sources of osbuild",
    "json": "a list in JSON",
    "jsonl": "a list in JSON Lines",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """A list as a manifest: its text, in pieces; the warnings, by lines; how many entries are in it, and how many not."""

    text: Iterable[str]
    warnings: tuple[str, ...]
    downloads: int
    left_out: int


def import_list(text: str, source: str, form: Format | None, base: str | None, secrecy: Secrecy = "named") -> Imported:
    """Make a manifest of a list.

    Args:
        text: the list.
        source: its name, for warnings; `-` is standard input.
        form: its format; without it, that is guessed.
        base: the URL of the folder in which its files are, for names and relative URLs; or the URL of the list itself.
        secrecy: whether what is secret in it gets a name in the environment, or stands in the manifest too.

    Raises:
        ListError: it cannot be read.
        ValueError: `base` is none.
    """
    text = text.removeprefix("\ufeff")
    if "\n" not in text:
        # Line ends of another age: without them all would be one line, which a comment may begin.
        text = text.replace("\r", "\n")
    title = "" if source == "-" else source.replace("\\", "/").rpartition("/")[2]
    folder = None if base is None else check_base(base, title)
    if form is None:
        if not text.strip():
            raise ListError("is empty")
        form = guess(text, title)
    listing = _READERS[form](text, title)
    secrets = Secrets(secrecy, listing)
    made = entries(listing, folder, secrets)
    left_out = sum(note.is_left_out for note in listing.notes)
    if not made and not left_out:
        listing.warn(None, "names no file")
    head = _head(source, form, base, secrets)
    return Imported(write(head, made), tuple(_warnings(listing.notes, source)), len(made), left_out)


def _head(source: str, form: Format, base: str | None, secrets: Secrets) -> Iterator[str]:
    yield "yaml-language-server: $schema=manifest.v1.schema.json"
    yield "(marscore schema manifest >manifest.v1.schema.json writes it, for editors)"
    below = "" if base is None else f", with files below {base}"
    yield f"Made by marscore {__version__} of {'standard input' if source == '-' else source}, {_CALLED[form]}{below}."
    if secrets.values:
        yield f"It needs these of the environment: {', '.join(secrets.values)}."


def _warnings(notes: Iterable[Note], source: str) -> Iterator[str]:
    """A line for each entry that is left out, and for each kind of what is not taken, at the first line that has it."""
    ordered = sorted(notes, key=lambda note: note.line or 0)
    counts = Counter(note.message for note in ordered if not note.is_left_out)
    told: set[str] = set()
    for note in ordered:
        place = source if note.line is None else f"{source}:{note.line}"
        if note.is_left_out:
            yield f"{place}: left out: {note.message}"
        elif note.message not in told:
            told.add(note.message)
            more = counts[note.message] - 1
            yield f"{place}: {note.message}" + (f" (and {more} more times below)" if more else "")
