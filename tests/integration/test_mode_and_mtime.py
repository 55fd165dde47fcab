"""The mode and the modification time of finished files: what the manifest wants, read from the disk."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import Run, fetch, marscore, write
from tests.origin import Body, Good, Origin, Status

#: Mon, 06 Jul 2026 10:00:00 GMT, the origin's usual date.
SERVERS = 1_783_332_000
SMALL, LARGE = Body(3_000, seed=1), Body(9_000_000, seed=2)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def mtimes(run: Run) -> list[float]:
    return [(run.folder / entry["path"]).stat().st_mtime for entry in run.report["downloads"]]


def statuses(run: Run) -> list[str]:
    return [entry["status"] for entry in run.report["downloads"]]


def both(origin: Origin, **options: Any) -> Sequence[dict[str, Any]]:
    """A file that comes with its answer, and one that takes several connections."""
    return [{"url": origin.serve("/small.bin", SMALL), **options}, {"url": origin.serve("/large.bin", LARGE), **options}]


def test_a_finished_file_has_the_time_that_its_server_told(origin: Origin, tmp_path: Path) -> None:
    run = fetch(tmp_path, *both(origin))
    assert (run.code, mtimes(run)) == (0, [SERVERS, SERVERS])
    asked = len(origin.requests)
    again = fetch(tmp_path, *both(origin))
    assert (statuses(again), len(origin.requests)) == (["up_to_date"] * 2, asked)
    assert not again.events("proving_started"), "what is known of them holds: nothing is hashed"


def test_or_the_time_at_which_it_was_finished(origin: Origin, tmp_path: Path) -> None:
    before = time.time() - 2
    run = fetch(tmp_path, *both(origin), defaults={"mtime": "now"})
    assert run.code == 0
    assert all(before < mtime <= time.time() + 2 for mtime in mtimes(run))
    assert not fetch(tmp_path, *both(origin), defaults={"mtime": "now"}).events("proving_started")


@pytest.mark.parametrize(
    "told", [None, "yesterday", "Fri, 06 Nov 2099 08:49:37 GMT", "Wed, 31 Dec 1969 23:59:59 GMT", "Mon, 30 Feb 2026 10:00:00 GMT"]
)
def test_a_date_that_is_none_of_a_file_s_past_counts_as_none(origin: Origin, tmp_path: Path, told: str | None) -> None:
    before = time.time() - 2
    url = origin.serve("/f.bin", replace(SMALL, last_modified=told))
    run = fetch(tmp_path, url)
    assert (run.code, statuses(run)) == (0, ["downloaded"])
    assert before < mtimes(run)[0] <= time.time() + 2


def test_it_is_the_date_of_the_version_in_place(origin: Origin, tmp_path: Path) -> None:
    """After a redirect, a mirror, and a version that changed on the way."""
    newer = replace(LARGE, seed=5, etag='"v2"', last_modified="Tue, 07 Jul 2026 10:00:00 GMT")
    changing = origin.serve("/changing.bin", LARGE, script=[Good(cut_after=5_000_000), Good(body=newer)])
    mirror = origin.serve("/mirror.bin", replace(SMALL, last_modified="Wed, 08 Jul 2026 10:00:00 GMT"))
    gone = origin.serve("/gone.bin", SMALL, script=[Status(404)])
    run = fetch(tmp_path, {"url": changing, "threads": 1}, {"url": gone, "mirrors": [mirror]})
    assert run.code == 0
    assert mtimes(run) == [SERVERS + 86_400, SERVERS + 2 * 86_400]


def test_a_file_has_the_mode_that_is_asked_for_and_no_other(origin: Origin, tmp_path: Path) -> None:
    run = fetch(tmp_path, *both(origin, mode="0751"), origin.serve("/plain.bin", SMALL))
    umask = os.umask(0)
    os.umask(umask)
    assert [mode_of(run.folder / name) for name in ("small.bin", "large.bin", "plain.bin")] == [0o751, 0o751, 0o666 & ~umask]


def test_a_file_in_place_of_another_mode_gets_it_without_a_request(origin: Origin, tmp_path: Path) -> None:
    fetch(tmp_path, *both(origin))
    asked = len(origin.requests)
    run = fetch(tmp_path, *both(origin, mode="0700"))
    assert (run.code, statuses(run), len(origin.requests)) == (0, ["up_to_date"] * 2, asked)
    assert run.entry()["reason"].endswith("; its mode was set")
    assert [mode_of(run.folder / name) for name in ("small.bin", "large.bin")] == [0o700] * 2
    again = fetch(tmp_path, *both(origin, mode="0700"))
    assert not again.entry()["reason"].endswith("; its mode was set")
    assert not again.events("proving_started"), "a mode is nothing that a file is known by"


def test_a_plan_changes_no_mode(origin: Origin, tmp_path: Path) -> None:
    fetch(tmp_path, *both(origin))
    before = mode_of(tmp_path / "data" / "small.bin")
    write(tmp_path, both(origin, mode="0700"))
    assert marscore("plan", "downloads.yaml", cwd=tmp_path).code == 0
    assert mode_of(tmp_path / "data" / "small.bin") == before


def test_a_file_without_the_right_to_write_is_replaced_and_resumed_like_any_other(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/f.bin", LARGE)
    assert fetch(tmp_path, {"url": url, "mode": "0444"}).code == 0
    origin.serve("/f.bin", replace(LARGE, seed=7, etag='"v2"', last_modified="Tue, 07 Jul 2026 10:00:00 GMT"))
    run = fetch(tmp_path, {"url": url, "mode": "0444", "if_exists": "refresh"})
    assert (statuses(run), mtimes(run), mode_of(run.folder / "f.bin")) == (["downloaded"], [SERVERS + 86_400], 0o444)


def test_what_comes_from_the_cache_has_the_mode_and_the_time_of_what_went_in(origin: Origin, tmp_path: Path) -> None:
    one, two = ({**entry, "checksum": f"sha256:{body.sha256}"} for entry, body in zip(both(origin), (SMALL, LARGE), strict=True))
    for link in ("auto", "hard"):
        cache = {"dir": f"cache-{link}", "link": link}
        for path in (tmp_path / "data").glob("*.bin"):
            path.unlink()
        assert fetch(tmp_path, one, two, cache=cache).code == 0
        for options, wanted in (({}, SERVERS), ({"mode": "0740"}, SERVERS), ({"mtime": "now"}, None)):
            for path in (tmp_path / "data").glob("*.bin"):
                path.unlink()
            run = fetch(tmp_path, one, two, cache=cache, defaults=options)
            assert statuses(run) == ["cached", "cached"]
            assert [mtime > SERVERS + 1 if wanted is None else mtime == wanted for mtime in mtimes(run)] == [True, True]
            assert "mode" not in options or mode_of(run.folder / "small.bin") == 0o740
            assert statuses(fetch(tmp_path, one, two, cache=cache, defaults=options)) == ["up_to_date"] * 2
        checked = marscore("cache", "verify", "--cache", f"cache-{link}", cwd=tmp_path)
        assert checked.code == 0, checked.err


def test_verify_fix_gives_them_too(origin: Origin, tmp_path: Path) -> None:
    fetch(tmp_path, *both(origin, mode="0711"))
    for name in ("small.bin", "large.bin"):
        (tmp_path / "data" / name).write_bytes(b"other")
    assert marscore("verify", "downloads.yaml", "--fix", cwd=tmp_path).code == 0
    for name in ("small.bin", "large.bin"):
        path = tmp_path / "data" / name
        assert (mode_of(path), path.stat().st_mtime) == (0o711, SERVERS)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("0755", 'must be text in quotes, as in "0755"'),
        ("755", 'must be text in quotes, as in "0755"'),
        ('"4755"', "must not set the set-uid, set-gid or sticky bit"),
        ('"rwxr-xr-x"', 'must be permission bits in octal, as in "0755"'),
        ('"0789"', 'must be permission bits in octal, as in "0755"'),
        ('"0077"', "must let the owner read the file"),
        ("true", 'must be permission bits in octal, as in "0755"'),
    ],
)
def test_a_mode_that_is_none_is_told_at_its_place(tmp_path: Path, written: str, told: str) -> None:
    for text, line in (
        (f"version: 1\ndefaults:\n  mode: {written}\ndownloads: [http://h/f]\n", 3),
        (f"version: 1\ndownloads:\n  - url: http://h/f\n    mode: {written}\n", 4),
    ):
        (tmp_path / "downloads.yaml").write_text(text)
        run = marscore("validate", "downloads.yaml", cwd=tmp_path)
        assert run.code == 2
        assert f"downloads.yaml:{line}:" in run.err
        assert told in run.err


def test_a_mode_may_come_from_the_environment(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, both(origin, mode="${MODE}"))
    run = marscore("run", "downloads.yaml", cwd=tmp_path, env={"MODE": "0750"})
    assert (run.code, mode_of(run.folder / "small.bin")) == (0, 0o750)
