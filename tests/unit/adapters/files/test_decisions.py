"""A look at a real folder, and the answers to what has to be proven."""

from __future__ import annotations

import hashlib
from pathlib import Path

from marscore.adapters.files.decisions import look, prove
from marscore.adapters.files.folder import Folder
from marscore.journal import Header, Journal, PieceHasher
from marscore.resolve.model import Download, Options
from marscore.resolve.reconcile import Decision, Fetch, Prove, Refresh, Refuse, Resume, UpToDate, unclaimed
from marscore.state import Claim, Claims, FileIdentity, key_of, row_of
from marscore.validator import Validator
from marscore.values import Checksum

CONTENT = b"content"
SHA = hashlib.sha256(CONTENT).hexdigest()
#: What `http://origin.example/a` names.
OWN = "http://origin.example:80/a"


def wanted(path: str, checksum: str | None = None) -> Download:
    return Download(path, (f"http://origin.example/{path}",), path, Options(), (Checksum("sha256", checksum),) if checksum else ())


def leave_a_part(folder: Folder, path: str) -> None:
    partial = folder.create(path)
    partial.describe(Header("source", None, Validator()))
    partial.record(PieceHasher(0).piece())
    partial.close()


def claimed(folder: Folder, path: str, durable: bool = True) -> Claim:
    identity = folder.identify(path)
    assert identity is not None
    return Claim(key_of(path), key_of(f"http://origin.example/{path}"), identity, (f"sha256:{SHA}",), Validator(), durable)


def test_a_look_reads_no_file_and_makes_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path / "output")
    assert [type(d) for d in look(folder, Claims({}), [wanted("a"), wanted("deep/b", SHA)])] == [Fetch, Fetch]
    assert not (tmp_path / "output").exists()


def test_every_download_has_its_decision_in_order(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for path in ("kept", "unflushed", "stranger", "broken"):
        (tmp_path / path).write_bytes(CONTENT)
    (tmp_path / "folder").mkdir()
    leave_a_part(folder, "part")
    claims = [claimed(folder, "kept"), claimed(folder, "unflushed", durable=False)]
    downloads = [wanted(path) for path in ("kept", "unflushed", "part", "missing", "folder")]
    downloads += [wanted("stranger", SHA), wanted("broken", "0" * 64)]
    decisions = look(folder, Claims({claim.path_key: row_of(claim) for claim in claims}), downloads)
    assert [type(d) for d in decisions] == [UpToDate, Prove, Resume, Fetch, Refuse, Prove, Prove]
    answers = prove(folder, decisions)
    assert [type(d) for d in answers] == [UpToDate, UpToDate, Resume, Fetch, Refuse, UpToDate, Fetch]
    assert [d.download for d in answers] == downloads


def test_a_file_that_is_wrong_goes_on_with_the_part_of_the_right_one(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "file").write_bytes(b"old")
    leave_a_part(folder, "file")
    assert [type(d) for d in prove(folder, look(folder, Claims({}), [wanted("file", SHA)]))] == [Resume]


def test_a_file_that_cannot_be_read_is_refused_by_name(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    (tmp_path / "file").write_bytes(CONTENT)
    decisions = look(folder, Claims({}), [wanted("file", SHA)])
    (tmp_path / "file").unlink()
    (tmp_path / "file").mkdir()
    answers: list[Decision] = prove(folder, decisions)
    assert isinstance(answers[0], Refuse)
    assert answers[0].failure.kind == "path"


def finished_and_not_claimed(folder: Folder, path: str) -> None:
    """A run got as far as the rename of a file that came in pieces, and was killed."""
    partial = folder.create(path)
    own = key_of(f"http://origin.example:80/{path}")
    partial.describe(Header(key_of(f"http://origin.example/{path}"), len(CONTENT), Validator('"v1"'), resource=own))
    partial.write(0, CONTENT)
    hasher = PieceHasher(0)
    hasher.update(CONTENT)
    partial.record(hasher.piece())
    partial.finish(path, len(CONTENT), {"sha256": SHA})


def test_a_file_that_nobody_claimed_any_more_is_proven_in_place(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for path in ("a", "changed"):
        finished_and_not_claimed(folder, path)
    (tmp_path / "changed").write_bytes(b"contenT")
    before = {path: (tmp_path / path).stat().st_ino for path in ("a", "changed")}
    asked = [wanted("a"), wanted("a", SHA), wanted("a", "0" * 64), wanted("changed")]
    answers = prove(folder, look(folder, Claims({}), asked))
    assert [type(d) for d in answers] == [UpToDate, UpToDate, Resume, Resume]
    assert {path: (tmp_path / path).stat().st_ino for path in ("a", "changed")} == before


def test_a_file_that_nobody_claimed_any_more_is_replaced_only_by_what_is_fetched(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    finished_and_not_claimed(folder, "a")
    download = Download("a", ("http://origin.example/a",), "a", Options(if_exists="replace"))
    [decision] = prove(folder, look(folder, Claims({}), [download]))
    assert isinstance(decision, Resume)
    assert folder.reopen("a") is None
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_what_a_journal_says_of_a_file_in_place_can_be_asked_about(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    finished_and_not_claimed(folder, "a")
    download = Download("a", ("http://origin.example/a",), "a", Options(if_exists="refresh"))
    [decision] = prove(folder, look(folder, Claims({}), [download]))
    assert isinstance(decision, Refresh)
    assert decision.claim.validator.etag == '"v1"'


def test_a_file_that_goes_before_it_is_hashed_is_fetched(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    for path in ("gone", "kept"):
        (tmp_path / path).write_bytes(CONTENT)
    asked = look(folder, Claims({}), [wanted("gone", SHA), wanted("kept", SHA)])
    (tmp_path / "gone").unlink()
    assert [type(d) for d in prove(folder, asked)] == [Fetch, UpToDate]


def test_a_journal_whose_pieces_a_checksum_held_together_says_nothing_of_a_validator(tmp_path: Path) -> None:
    url = "http://origin.example/a"
    download = Download("a", (url, "http://mirror.example/a"), "a", Options())
    for header, etag in (
        (Header(key_of(url), 7, Validator('"v1"'), resource=key_of(OWN)), '"v1"'),
        (Header(key_of(url), 7, Validator('"v1"'), resource=key_of(OWN + "/target")), None),
        (Header(key_of(url), 7, Validator('"v1"'), proof="checksum", resource=key_of(OWN)), None),
        (Header(key_of("http://mirror.example/a"), 7, Validator('"v1"')), None),
    ):
        claim = unclaimed(download, FileIdentity(7, 1, 1), Journal(header, (), SHA))
        assert claim.validator.etag == etag, header
