"""`output_dir: memory://…`, from Python: a store that lives as long as the process, and so is seen from inside."""

from __future__ import annotations

import itertools
import sys
import threading
from pathlib import Path
from typing import Any

import obstore
import pytest

import marscore
from marscore.adapters.stores.lease import Lease, Record
from marscore.adapters.stores.opened import open_store
from marscore.destination import Destination
from marscore.policy.retry import Patience
from marscore.resolve.streamed import BATCH, MOST
from tests.origin import Body, Origin
from tests.origin.steps import Good

_NUMBERS = itertools.count()


@pytest.fixture
def where(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Destination:
    monkeypatch.setenv("MARSCORE_WORK_DIR", str(tmp_path / "work"))
    return Destination("memory", f"of-this-test-{next(_NUMBERS)}", "p")


def data(where: Destination, path: str) -> bytes:
    return bytes(obstore.get(open_store(where, Patience()), where.key(path)).bytes())


def manifest(where: Destination, *urls: str, **more: Any) -> dict[str, Any]:
    return {"version": 1, "output_dir": where.url(), "downloads": list(urls), **more}


def test_a_run_into_memory(origin: Origin, where: Destination) -> None:
    bodies = {f"{number}.bin": Body(number * 1000, seed=number) for number in range(5)}
    job = manifest(where, *(origin.serve(f"/{path}", body) for path, body in bodies.items()), execution={"processes": 4})
    report = marscore.run(job)
    assert (report.ok, report.plan.processes) == (True, 1)
    assert {path: data(where, path) for path in bodies} == {path: body.read(0, body.size) for path, body in bodies.items()}
    with pytest.raises(ValueError, match=f"objects in {where.url()}"):
        report.path("1.bin")
    assert marscore.run(job).totals.up_to_date == 5
    assert marscore.run(job, output_dir=where.url() + "/other").totals.downloaded == 5


def test_a_run_whose_lock_another_takes_puts_nothing_any_more_and_ends_by_3(
    origin: Origin, where: Destination, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Lease.__init__, "__defaults__", (0.6,))
    held = threading.Event()
    url = origin.serve("/a.bin", Body(5000), [Good(stall_after=10, stall_s=60, until=held)])
    errors: list[marscore.StorageError] = []

    def run() -> None:
        try:
            marscore.run(manifest(where, url))
        except marscore.StorageError as error:
            errors.append(error)

    started = threading.Thread(target=run)
    started.start()
    assert origin.wait_for_requests(1)
    other = Record("elsewhere", 7, "token", "place").data()
    obstore.put(open_store(where, Patience()), where.key(".marscore/lock"), other)
    started.join(30)
    held.set()
    assert ["another run took the lock" in str(error) for error in errors] == [True]
    assert data(where, ".marscore/lock") == other
    for name in ("a.bin", ".marscore/report.json", ".marscore/state.db"):
        with pytest.raises(FileNotFoundError):
            data(where, name)


def test_without_obstore_a_store_is_refused_at_its_place(where: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    with pytest.raises(marscore.ManifestError, match=r"output_dir: is an object store, which needs obstore: pip install obstore"):
        marscore.run(manifest(where, "http://127.0.0.1:9/a.bin"))


def test_a_variable_that_makes_no_sense_is_not_repeated(where: Destination, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_CHECKSUM_ALGORITHM", "AWS_SKIP_SIGNATURE"):
        monkeypatch.setenv(name, "a-secret-value")
    with pytest.raises(marscore.StorageError, match="a variable of the environment makes no sense") as error:
        marscore.run({**manifest(where, "http://127.0.0.1:9/a.bin"), "output_dir": "s3://bucket/p"})
    assert "a-secret-value" not in str(error.value)


def test_a_long_list_is_read_while_the_run_goes_on(origin: Origin, where: Destination, tmp_path: Path) -> None:
    count = MOST + BATCH + 5
    good = [0, MOST - 1, count - 1]
    links = {number: origin.serve(f"/{number}.bin", Body(2_000 + number % 97, seed=number)) for number in good}
    (tmp_path / "rows.csv").write_text("link,name\n" + "".join(f"{links.get(number, 'none')},{number:06d}\n" for number in range(count)))
    entry = {"from": str(tmp_path / "rows.csv"), "url": "link", "path": "{name:3}/{name}", "on_bad_row": "skip"}
    job = {"version": 1, "output_dir": where.url(), "downloads": entry, "defaults": {"retry": {"max_retries": 0}}}
    report = marscore.run(job)
    assert (report.totals.downloaded, report.totals.failed, len(report.downloads)) == (len(good), count - len(good), count)
    for number in good:
        path = f"{number:06d}"
        assert data(where, f"{path[:3]}/{path}") == Body(2_000 + number % 97, seed=number).read(0, 2_000 + number % 97)
    # What is in the store is known by one list of it.
    again = marscore.run(job)
    assert (again.totals.up_to_date, again.totals.failed) == (len(good), count - len(good))
    assert len(origin.requests) == len(good)
    with pytest.raises(marscore.ManifestError, match=r"downloads\[1\]\.mode: is nothing that an object has"):
        marscore.run({**job, "downloads": [entry, {"url": links[0], "path": "last", "mode": "0644"}]})
