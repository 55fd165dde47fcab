"""A cache by digest: what one run fetched, another has without a request, and never other bytes than its digest says."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import Run, marscore, write
from tests.origin import Body, Origin

ONE, TWO, OTHER = Body(50_000, seed=1), Body(9_000_000, seed=2), Body(50_000, seed=3, etag='"v2"')


def entry_of(folder: Path, body: Body) -> Path:
    return folder / "cache" / "sha256" / body.sha256[:2] / body.sha256


def known(origin: Origin, at: str, body: Body, **more: Any) -> dict[str, Any]:
    """A download whose sha256 is known."""
    return {"url": origin.serve(at, body), "checksum": f"sha256:{body.sha256}", **more}


def run(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> Run:
    return marscore("run", "downloads.yaml", *arguments, cwd=folder, env=env)


def statuses(found: Run) -> list[str]:
    return [entry["status"] for entry in found.report["downloads"]]


@pytest.fixture
def filled(origin: Origin, tmp_path: Path) -> Path:
    """A folder with a cache that has two files, and an output folder that is gone."""
    write(tmp_path, [known(origin, "/one.bin", ONE), known(origin, "/two.bin", TWO)])
    assert statuses(run(tmp_path, "--cache", "cache")) == ["downloaded", "downloaded"]
    (tmp_path / "data").rename(tmp_path / "first")
    return tmp_path


def test_what_was_fetched_is_had_again_without_a_request(origin: Origin, filled: Path) -> None:
    asked = len(origin.requests)
    again = run(filled, "--cache", "cache")
    assert (again.code, statuses(again), len(origin.requests)) == (0, ["cached", "cached"], asked)
    assert (again.data("one.bin"), again.data("two.bin")) == (ONE.read(0, ONE.length), TWO.read(0, TWO.length))
    assert again.report["totals"]["cached"] == 2
    entry = again.entry(0)
    assert {"source": "cache", "checksum": f"sha256:{ONE.sha256}", "bytes_downloaded": 0, "size": ONE.length}.items() <= entry.items()
    assert again.partials() == []
    # The next run knows what is there.
    assert statuses(run(filled)) == ["up_to_date", "up_to_date"]
    assert (filled / "data" / "one.bin").stat().st_mode & 0o200


def test_it_is_off_unless_somebody_asks_for_it(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [known(origin, "/one.bin", ONE)])
    home = {"XDG_CACHE_HOME": str(tmp_path / "home"), "HOME": str(tmp_path / "home")}
    run(tmp_path, env=home)
    assert not (tmp_path / "home").exists()
    (tmp_path / "data" / "one.bin").unlink()
    run(tmp_path, "--cache", "on", env=home)
    assert (tmp_path / "home" / "marscore" / "sha256").is_dir()
    assert marscore("cache", "dir", cwd=tmp_path, env=home).out == f"{tmp_path}/home/marscore\n"
    (tmp_path / "data" / "one.bin").unlink()
    assert statuses(run(tmp_path, env={"MARSCORE_CACHE": str(tmp_path / "home" / "marscore")})) == ["cached"]
    (tmp_path / "data" / "one.bin").unlink()
    assert statuses(run(tmp_path, "--cache", "off", env={"MARSCORE_CACHE": str(tmp_path / "home" / "marscore")})) == ["downloaded"]


def test_another_url_has_it_only_by_choice(origin: Origin, filled: Path) -> None:
    write(filled, [known(origin, "/renamed.bin", ONE)])
    assert statuses(run(filled, "--cache", "cache")) == ["downloaded"]
    (filled / "data" / "renamed.bin").unlink()
    # Now it has brought it, too.
    assert statuses(run(filled, "--cache", "cache")) == ["cached"]
    write(filled, [known(origin, "/third.bin", ONE)], cache={"dir": "cache", "match": "digest"})
    assert statuses(run(filled)) == ["cached"]


@pytest.mark.parametrize("link", ["auto", "copy", "hard"])
def test_damaged_entries_are_named_set_aside_and_fetched(link: str, origin: Origin, filled: Path) -> None:
    data = entry_of(filled, ONE) / "data"
    data.chmod(0o644)
    data.write_bytes(OTHER.read(0, OTHER.length))
    write(filled, [known(origin, "/one.bin", ONE), known(origin, "/two.bin", TWO)], cache={"dir": "cache", "link": link})
    again = run(filled)
    assert (again.code, statuses(again)) == (0, ["downloaded", "cached"])
    assert again.data("one.bin") == ONE.read(0, ONE.length)
    assert any(ONE.sha256 in warning for warning in again.report["warnings"])
    # What was fetched in its place is in the cache again.
    assert hashlib.sha256(data.read_bytes()).hexdigest() == ONE.sha256
    assert len(list((filled / "cache" / "damaged").iterdir())) == 1


def test_a_wrong_checksum_and_a_wrong_size_are_no_hits(origin: Origin, filled: Path) -> None:
    both = [f"sha256:{ONE.sha256}", "md5:" + "0" * 32]
    write(filled, [{"url": origin.url("/one.bin"), "checksum": both}, known(origin, "/two.bin", TWO, size=5)])
    again = run(filled, "--cache", "cache")
    assert [entry["error"]["kind"] for entry in again.report["downloads"]] == ["checksum", "size"]
    assert not (filled / "data" / "one.bin").exists()


def test_further_checksums_are_proven_of_what_the_cache_has(origin: Origin, filled: Path) -> None:
    md5 = hashlib.md5(ONE.read(0, ONE.length), usedforsecurity=False).hexdigest()
    write(filled, [{"url": origin.url("/one.bin"), "checksum": [f"md5:{md5}", f"sha256:{ONE.sha256}"]}])
    again = run(filled, "--cache", "cache")
    assert (statuses(again), again.entry(0)["checksum"]) == (["cached"], f"md5:{md5}")


def test_a_lock_tells_the_digest_too(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [origin.serve("/one.bin", ONE)])
    assert marscore("lock", "downloads.yaml", "--cache", "cache", cwd=tmp_path).code == 0
    (tmp_path / "data" / "one.bin").unlink()
    asked = len(origin.requests)
    assert statuses(run(tmp_path, "--cache", "cache")) == ["cached"]
    assert len(origin.requests) == asked


def test_offline_takes_what_is_in_place_or_cached_and_fails_else(origin: Origin, filled: Path) -> None:
    asked = len(origin.requests)
    three = {"url": "http://127.0.0.1:9/three.bin", "checksum": f"sha256:{OTHER.sha256}"}
    write(
        filled,
        [{**known(origin, "/one.bin", ONE), "url": "http://127.0.0.1:9/one.bin"}, three, {**three, "path": "unknown", "checksum": None}],
    )
    again = run(filled, "--cache", "cache", "--offline")
    assert (again.code, statuses(again)) == (1, ["cached", "failed", "failed"])
    assert [entry["error"]["kind"] for entry in again.report["downloads"][1:]] == ["offline", "offline"]
    assert len(origin.requests) == asked
    again = run(filled, "--offline", "--only", "one.bin")
    assert (again.code, statuses(again)) == (0, ["up_to_date"])


def test_offline_asks_nobody_whether_a_file_is_current(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [{"url": origin.serve("/one.bin", ONE), "if_exists": "refresh"}])
    run(tmp_path)
    asked = len(origin.requests)
    again = run(tmp_path, "--offline")
    assert (again.code, statuses(again), len(origin.requests)) == (0, ["up_to_date"], asked)


def test_a_file_in_place_of_another_url_is_taken_with_a_warning_while_its_checksum_holds(origin: Origin, tmp_path: Path) -> None:
    write(tmp_path, [known(origin, "/one.bin", ONE, path="a.bin")])
    run(tmp_path)
    write(tmp_path, [known(origin, "/moved.bin", ONE, path="a.bin")])
    for _ in range(2):
        again = run(tmp_path)
        assert (again.code, statuses(again)) == (0, ["up_to_date"])
        [warning] = again.events("url_changed")
        assert {"level": "warning", "download": "downloads[0]", "path": "a.bin"}.items() <= warning.items()
    # The other URL has never brought anything: without the checksum, nothing says that this is its file.
    write(tmp_path, [{"url": origin.serve("/moved.bin", OTHER), "path": "a.bin"}])
    again = run(tmp_path)
    assert (statuses(again), again.data("a.bin")) == (["downloaded"], OTHER.read(0, OTHER.length))


def test_what_came_from_the_cache_for_any_url_is_of_no_url(origin: Origin, filled: Path) -> None:
    write(filled, [known(origin, "/other.bin", ONE, path="a.bin")])
    assert statuses(run(filled, "--cache", "cache", "--offline")) == ["cached"]
    write(filled, [{"url": origin.serve("/other.bin", OTHER), "path": "a.bin"}])
    again = run(filled)
    assert (statuses(again), again.data("a.bin")) == (["downloaded"], OTHER.read(0, OTHER.length))


def test_replace_takes_from_the_cache_only_without_the_network(origin: Origin, filled: Path) -> None:
    write(filled, [known(origin, "/one.bin", ONE, if_exists="replace")])
    assert statuses(run(filled, "--cache", "cache")) == ["downloaded"]
    assert statuses(run(filled, "--cache", "cache", "--offline")) == ["cached"]


def test_a_plan_says_what_would_come_from_the_cache(origin: Origin, filled: Path) -> None:
    found = marscore("plan", "downloads.yaml", "--cache", "cache", "--format", "json", cwd=filled)
    assert [download["action"] for download in json.loads(found.out)["downloads"]] == ["cached", "cached"]
    assert not (filled / "data").exists()


def test_what_was_used_longest_ago_goes_first(origin: Origin, filled: Path) -> None:
    os.utime(entry_of(filled, TWO) / "recorded", (1, 1))
    write(filled, [known(origin, "/one.bin", ONE)], cache={"dir": "cache", "max_size": "1MiB"})
    assert statuses(run(filled)) == ["cached"]
    assert entry_of(filled, ONE).exists()
    assert not entry_of(filled, TWO).exists()


def test_the_verbs(filled: Path) -> None:
    def said(*arguments: str) -> tuple[int, str]:
        done = marscore("cache", *arguments, "--cache", "cache", cwd=filled)
        return done.code, done.out

    assert said("stats") == (0, "2 files, 8.6 MiB\n")
    assert said("verify") == (0, "2 files, 8.6 MiB: 0 damaged\n")
    data = entry_of(filled, ONE) / "data"
    data.chmod(0o644)
    data.write_bytes(b"x")
    assert said("verify") == (1, "2 files, 8.6 MiB: 1 damaged\n")
    assert said("prune", "--older-than", "1d") == (0, "removed 0 files, 0 B\n")
    assert said("prune", "--max-size", "0") == (0, "removed 1 file, 8.6 MiB\n")
    assert said("stats") == (0, "0 files, 0 B\n")
    assert said("prune", "--max-size", "x")[0] == 2


def test_a_part_of_an_earlier_run_gives_way_to_the_cache(origin: Origin, filled: Path) -> None:
    partial = filled / "data" / ".marscore" / "partial"
    partial.mkdir(parents=True)
    write(filled, [known(origin, "/two.bin", TWO)])
    key = hashlib.sha256(b"two.bin").hexdigest()[:32]
    (partial / f"{key}.part").write_bytes(b"x" * 100)
    (partial / f"{key}.journal").write_bytes(b"not a journal")
    again = run(filled, "--cache", "cache")
    assert (statuses(again), again.partials()) == (["cached"], [])


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_cache_that_cannot_be_written_is_used(origin: Origin, filled: Path) -> None:
    for folder, _, _ in os.walk(filled / "cache"):
        Path(folder).chmod(0o555)
    write(filled, [known(origin, "/one.bin", ONE), known(origin, "/other.bin", OTHER)])
    again = run(filled, "--cache", "cache")
    assert (again.code, statuses(again), again.report["warnings"]) == (0, ["cached", "downloaded"], [])
