"""The whole way of who needs the same files again: locked here, refused where the server has others, restored elsewhere without it."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.disk import files_in
from tests.integration.archives import FILES, served, tar
from tests.integration.command import Run, marscore, write
from tests.origin import Body, Origin

ONE, LARGE, OTHER = Body(50_000, seed=1), Body(9_000_000, seed=2), Body(50_000, seed=3, etag='"v2"')


def elsewhere(here: Path, name: str) -> Path:
    """Another machine, which got the manifest and its lock from a repository."""
    there = here.parent / name
    there.mkdir()
    for each in ("downloads.yaml", "downloads.lock"):
        shutil.copy(here / each, there)
    return there


def statuses(run: Run) -> dict[str, str]:
    return {entry["path"]: entry["status"] for entry in run.report["downloads"]}


def test_files_are_locked_refused_where_they_changed_and_restored_without_the_server(tmp_path: Path) -> None:
    here, cache = tmp_path / "here", ["--cache", str(tmp_path / "cache")]
    here.mkdir()
    with Origin() as origin:
        urls = [origin.serve("/one.bin", ONE), origin.serve("/large.bin", LARGE), origin.serve("/tree.tar.gz", served(tar()))]
        write(here, [*urls[:2], {"url": urls[2], "unpack": {"into": "tree"}}])
        assert marscore("lock", "downloads.yaml", *cache, cwd=here).code == 0
        assert marscore("lock", "downloads.yaml", "--check", cwd=here).code == 0
        locked = files_in(here / "data")

        origin.serve("/one.bin", OTHER)
        there = elsewhere(here, "changed")
        refused = marscore("run", "downloads.yaml", "--locked", cwd=there)
        assert refused.code == 1
        assert statuses(refused) == {"one.bin": "failed", "large.bin": "downloaded", "tree.tar.gz": "downloaded"}
        error = refused.entry(0)["error"]
        assert (error["kind"], "lock" in error["message"]) == ("checksum", True)
        assert not (there / "data" / "one.bin").exists()

    # No server any more.
    there = elsewhere(here, "offline")
    restored = marscore("run", "downloads.yaml", "--locked", "--offline", *cache, cwd=there)
    assert restored.code == 0, restored.err
    assert set(statuses(restored).values()) == {"cached"}
    assert files_in(there / "data") == locked
    assert {path for path in locked if path.startswith("tree/")} == {f"tree/{name}" for name in FILES}
    assert marscore("verify", "downloads.yaml", "--extra", cwd=there).code == 0

    (there / "data" / "large.bin").unlink()
    (there / "data" / "tree" / next(iter(FILES))).write_bytes(b"edited")
    broken = marscore("verify", "downloads.yaml", cwd=there)
    assert broken.code == 1
    assert "large.bin" in broken.out
    assert f"tree/{next(iter(FILES))}" in broken.out
    assert marscore("run", "downloads.yaml", "--offline", *cache, cwd=there).code == 0
    assert files_in(there / "data") == locked
    assert marscore("verify", "downloads.yaml", cwd=there).code == 0
