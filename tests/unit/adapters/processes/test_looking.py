"""What another process finds of rows is what the run itself would tell of them, or nothing."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

from marscore.adapters.files.decisions import look
from marscore.adapters.files.folder import Folder
from marscore.adapters.processes.looking import Asked, Looker, LookSettings, is_plain, look_settings
from marscore.adapters.state.store import SqliteState, claims_at
from marscore.adapters.unchanged_records import UnchangedRecords
from marscore.manifest import Examined, examine_text
from marscore.policy.redact import Redactor
from marscore.resolve.model import Download, Options
from marscore.resolve.reconcile import UpToDate
from marscore.resolve.rows import BadRow, Cell, RowFile
from marscore.resolve.streamed import Piece, Streamed
from marscore.resolve.taken import HashedOutputs
from marscore.settings import LineSettings, LineStyle
from marscore.state import Claim, key_of, row_of
from marscore.validator import Validator

AT = 1714564801.5
LINES = LineSettings("r1", styles=(LineStyle("json"),))
SHA = "a" * 64
COLUMNS = ("link", "name", "sum", "kind")
ENTRY = '{from: rows.csv, url: link, path: "{kind}/{name}", checksum: "{sum}", on_bad_row: skip}'
BASE = "https://origin.example"

#: The rows, each with what its file is like: a file is what its claim says, or is not.
ROWS: list[tuple[tuple[Cell, ...], str]] = [
    ((f"{BASE}/0", "kept", None, "a"), "claimed"),
    ((f"{BASE}/1", "missing", None, "a"), "missing"),
    ((f"{BASE}/2", "changed", None, "a"), "changed"),
    ((f"{BASE}/3", "unknown", None, "a"), "unknown"),
    ((f"{BASE}/4", "as the checksum says", f"sha256:{SHA}", "b"), "claimed"),
    ((f"{BASE}/5", "not as the checksum says", f"sha256:{'b' * 64}", "b"), "claimed"),
    ((f"{BASE}/6", "not flushed", None, "b"), "unflushed"),
    ((f"{BASE}/7", "of another URL", None, "b"), "moved"),
    (("https://user:hush@origin.example/8", "with a login", None, "c"), "claimed"),
    ((None, "without a URL", None, "c"), "claimed"),
    ((f"{BASE}/10", 'quoted " and ünïcode', None, "c"), "claimed"),
    ((f"{BASE}/11?token=hush", "with a token", None, "c"), "claimed"),
    ((f"{BASE}/12", "../outside", None, "c"), "missing"),
    ((f"{BASE}/0", "kept", None, "a"), "missing"),
]


class Listed:
    """Implements `rows.OpenRows` and `rows.RowFile` by the rows above."""

    columns: tuple[str, ...] | None = COLUMNS

    def open(self, place: str) -> RowFile:
        return self

    def name(self, place: str) -> str:
        return place

    shown = name

    def rows(self, names: object) -> Iterator[tuple[int, tuple[Cell, ...] | BadRow]]:
        assert isinstance(names, list)
        for number, (cells, _) in enumerate(ROWS):
            yield number + 2, tuple(cells[COLUMNS.index(name)] for name in names)
        yield len(ROWS) + 2, BadRow("the row has 7 cells")

    def never_seen(self) -> frozenset[str]:
        return frozenset()

    def close(self) -> None: ...


def examined(entry: str = ENTRY, **more: str) -> Examined:
    keys = "".join(f"{name}: {text}\n" for name, text in more.items())
    found = examine_text(f"version: 1\noutput_dir: output\n{keys}downloads:\n- {entry}\n", "m", {"HUSH": "hush hush"}, {})
    assert not found.findings.found, found.findings.found
    return found


def piece_of(manifest: Examined) -> Piece:
    (piece,) = Streamed(manifest, Listed(), ()).pieces(HashedOutputs({}))
    return piece


def settings_of(manifest: Examined, root: Path) -> LookSettings:
    return look_settings(manifest, root, ".marscore", Redactor({"hush": "***"}), LINES)


def asked_of(piece: Piece) -> Asked:
    assert piece.entry is not None
    return Asked(piece.index, piece.entry.columns, piece.rows)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """An output folder in which some of the files are, and what the state says of them."""
    (tmp_path / ".marscore").mkdir()
    state, folder = SqliteState(tmp_path / ".marscore" / "state.db"), Folder(tmp_path)
    for (url, name, _, kind), how in ROWS:
        path = f"{kind}/{name}"
        if how != "missing" and name is not None:
            (tmp_path / str(kind)).mkdir(exist_ok=True)
            (tmp_path / path).write_bytes(b"content")
        identity = folder.identify(path)
        if identity is None or how == "unknown":
            continue
        of = key_of("https://elsewhere.example/" if how == "moved" else url or "")
        state.record([row_of(Claim(key_of(path), of, identity, (f"sha256:{SHA}",), Validator(), how != "unflushed"))])
        if how == "changed":
            (tmp_path / path).write_bytes(b"content of another length")
    state.close()
    return tmp_path


def told_by_the_run(downloads: list[Download], root: Path) -> list[tuple[str, str, str] | None]:
    """What the run makes of them without anybody's help."""
    claims = claims_at(root / ".marscore" / "state.db").claims
    records = UnchangedRecords(Redactor({"hush": "***"}), LINES)
    found: list[tuple[str, str, str] | None] = []
    for decision in look(Folder(root), claims, downloads):
        if isinstance(decision, UpToDate) and decision.noted and not decision.of_another_url:
            ((line, entry),) = records.each([decision], AT) or ()
            found.append((decision.download.path, line, entry))
        else:
            found.append(None)
    return found


def test_what_is_found_of_a_row_is_what_the_run_tells_of_its_file(root: Path) -> None:
    manifest = examined()
    # As they are sent to it.
    settings = pickle.loads(pickle.dumps(settings_of(manifest, root)))
    asked = pickle.loads(pickle.dumps(asked_of(piece_of(manifest))))
    found = Looker(settings, lambda: AT).look(asked)
    told = told_by_the_run(piece_of(manifest).made(), root)
    assert [None if one is None else one[0] for one in found[:-2]] == [
        "a/kept",
        None,
        None,
        None,
        "b/as the checksum says",
        None,
        None,
        None,
        # Its secret has to be known to the run before anything is told of it.
        None,
        None,
        'c/quoted " and ünïcode',
        "c/with a token",
        None,
    ]
    assert [one for one in found[:-2] if one is not None] == [
        one for number, one in enumerate(told[:-2]) if one is not None and number not in (8,)
    ]
    # Of two rows with one path it finds both in place; which one has it, the run knows.
    assert (found[-2], told[-2]) == ((found[0] or ())[:1] + (found[-2] or ())[1:], None)
    assert found[-1] is None
    assert "hush" not in repr(found)


def test_it_looks_anew_each_time(root: Path) -> None:
    manifest = examined()
    looker, asked = Looker(settings_of(manifest, root), lambda: AT), asked_of(piece_of(manifest))
    first = looker.look(asked)
    assert looker.look(asked) == first
    (root / "a" / "kept").unlink()
    assert [one is None for one in looker.look(asked)] == [one is None or one[0] == "a/kept" for one in first]


@pytest.mark.parametrize("choice", ["replace", "refresh"])
def test_of_files_that_are_asked_for_anew_nothing_is_found(root: Path, choice: str) -> None:
    manifest = examined(defaults=f"{{if_exists: {choice}}}")
    asked = asked_of(piece_of(manifest))
    assert Looker(settings_of(manifest, root)).look(asked) == [None] * len(asked.rows)


#: What of options has no bearing on a file in place that needs nothing: what asks for it, receives it, and says whether it needs something.
WITHOUT_A_BEARING = {
    *("headers", "threads", "timeouts", "retry", "proxies", "cert", "min_speed", "max_size", "if_exists", "mtime", "tags"),
    *("forward_headers", "private_addresses", "chosen"),
}


def test_options_that_mean_more_than_a_line_and_an_entry_are_not_plain() -> None:
    assert is_plain(Options())
    assert not is_plain(Options(verify=False))
    assert is_plain(Options(verify="authority.pem"))
    assert not is_plain(Options(mode=0o644))
    assert not is_plain(Options(auth="netrc"))
    # A new option has to be thought of here.
    assert {each.name for each in fields(Options)} == WITHOUT_A_BEARING | {"verify", "mode", "auth", "unpack"}


def test_of_a_file_with_something_left_of_its_way_nothing_is_found(root: Path) -> None:
    manifest = examined()
    looker, asked = Looker(settings_of(manifest, root), lambda: AT), asked_of(piece_of(manifest))
    first = looker.look(asked)
    (root / ".marscore" / "partial").mkdir()
    (root / ".marscore" / "partial" / f"{key_of('a/kept')}.part").write_bytes(b"")
    assert [one is None for one in looker.look(asked)] == [one is None or one[0] == "a/kept" for one in first]


def test_of_files_without_a_state_or_with_a_damaged_one_nothing_is_found(root: Path) -> None:
    manifest = examined()
    looker, asked = Looker(settings_of(manifest, root)), asked_of(piece_of(manifest))
    (root / ".marscore" / "state.db").write_bytes(b"no database" * 100)
    assert looker.look(asked) == [None] * len(asked.rows)
    (root / ".marscore" / "state.db").unlink()
    assert looker.look(asked) == [None] * len(asked.rows)
