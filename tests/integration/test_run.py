"""`marscore run`: a manifest in, files in place, a report and a log out."""

from __future__ import annotations

import email.utils
import hashlib
import json
import re
import time
from pathlib import Path

import jsonschema
import pytest

from tests.integration.command import Run, fetch, marscore, write
from tests.origin import Body, Good, Origin, Status, busy, redirect
from tests.origin.steps import Handler
from tests.servers import Nginx

MIB = 1024 * 1024
SCHEMAS = Path(__file__).parents[2] / "schemas"


def test_three_files_of_which_one_is_missing_one_busy_and_one_cut(origin: Origin, tmp_path: Path) -> None:
    good = origin.serve("/busy.bin", Body(MIB, seed=1), [busy(503), Good()])
    cut = origin.serve("/cut.bin", Body(9 * MIB, seed=2), [Good(cut_after=5 * MIB), Good()])
    run = fetch(tmp_path, good, origin.url("/missing.bin"), {"url": cut, "threads": 1})
    assert run.code == 1
    assert [entry["status"] for entry in run.report["downloads"]] == ["downloaded", "failed", "downloaded"]
    assert run.entry(1)["error"] == {"kind": "http_status", "status": 404, "message": "the server answered 404 Not Found"}
    assert [retry["kind"] for retry in run.entry(0)["retries"]] == ["server_error"]
    assert [retry["kind"] for retry in run.entry(2)["retries"]] == ["truncated"]
    assert hashlib.sha256(run.data("cut.bin")).hexdigest() == Body(9 * MIB, seed=2).sha256
    assert run.entry(2)["checksum"] == f"sha256:{Body(9 * MIB, seed=2).sha256}"
    assert run.entry(2)["bytes_downloaded"] == 9 * MIB
    assert {event["event"] for event in run.events()} >= {
        "run_started",
        "plan_compiled",
        "retry_scheduled",
        "download_failed",
        "run_finished",
    }


def test_report_and_log_follow_their_schemas(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(1000), [busy(503, "0"), Good()])
    run = fetch(tmp_path, {"url": url, "checksum": f"sha256:{Body(1000).sha256}"}, origin.url("/gone"), name="a run")
    jsonschema.validate(run.report, json.loads((SCHEMAS / "report.v1.schema.json").read_text()))
    schema = json.loads((SCHEMAS / "event.v1.schema.json").read_text())
    for event in run.events():
        jsonschema.validate(event, schema)
    assert run.report["name"] == "a run"
    assert run.report["manifest"]["sha256"] == hashlib.sha256((tmp_path / "downloads.yaml").read_bytes()).hexdigest()
    assert all(event["run_id"] == run.report["run_id"] for event in run.events())


def test_a_second_run_with_nothing_to_do_sends_no_request(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(5000, seed=n)) for n in range(5)]
    assert fetch(tmp_path, *urls).code == 0
    before = len(origin.requests)
    run = fetch(tmp_path, *urls)
    assert run.code == 0
    assert len(origin.requests) == before == 5
    assert run.report["totals"]["up_to_date"] == 5
    assert run.partials() == []


def test_each_small_file_costs_one_request_and_connections_are_kept(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(2000, seed=n)) for n in range(60)]
    assert fetch(tmp_path, *urls, execution={"processes": 1, "threads": 4}).code == 0
    assert len(origin.requests) == 60
    assert origin.connections_accepted <= 4


def test_nginx_serves_a_large_file_in_ranges(web: Nginx, tmp_path: Path) -> None:
    content = Body(40 * MIB, seed=7).read(0, 40 * MIB)
    (web.root / "large.bin").write_bytes(content)
    run = fetch(tmp_path, web.url("large.bin"))
    assert run.code == 0
    assert run.data("large.bin") == content
    assert run.entry()["etag"]


def test_idle_connections_take_ranges_of_a_slow_large_file(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/slow.bin", Body(16 * MIB), [Good(rate=8 * MIB)])
    run = fetch(tmp_path, {"url": url, "threads": 4})
    assert run.code == 0
    assert run.entry()["segments"] >= 4
    ranges = [seen.fields["range"] for seen in origin.requests if "range" in seen.fields]
    assert ranges
    assert all(seen.fields["if-range"] == '"v1"' for seen in origin.requests if "range" in seen.fields)
    assert hashlib.sha256(run.data("slow.bin")).hexdigest() == Body(16 * MIB).sha256


def test_many_files_over_several_processes(web: Nginx, tmp_path: Path) -> None:
    names = [f"many-{n:03d}.bin" for n in range(120)]
    for number, name in enumerate(names):
        (web.root / name).write_bytes(Body(3000 + number, seed=number).read(0, 3000 + number))
    run = fetch(tmp_path, *[web.url(name) for name in names], execution={"processes": 3, "threads": 4})
    assert run.code == 0
    assert run.report["plan"] == {"processes": 3, "threads": 4, "downloads": 120}
    assert all(run.data(name) == (web.root / name).read_bytes() for name in names)


def once_there_are(connections: int, origin: Origin, body: Body) -> Handler:
    """Answers when the client has opened so many connections, and a little later, so that one more would be seen."""
    origin.watch_connections()
    return lambda seen: Good(body, delay_s=0.03) if origin.wait_for_connections(connections) else Status(504)


def test_a_host_gets_no_more_connections_than_per_host_over_all_processes(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.handle(f"/{n}.bin", once_there_are(4, origin, Body(20_000, seed=n))) for n in range(24)]
    run = fetch(tmp_path, *urls, execution={"processes": 2, "threads": 8, "per_host": 4})
    assert run.code == 0
    assert origin.peak_connections == 4


def test_one_process_has_no_more_connections_than_threads(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.handle(f"/{n}.bin", once_there_are(3, origin, Body(20_000, seed=n))) for n in range(12)]
    assert fetch(tmp_path, *urls, execution={"processes": 1, "threads": 3}).code == 0
    assert origin.peak_connections == 3


def test_retry_after_in_seconds_is_obeyed_by_all_connections_to_the_host(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve("/0.bin", Body(100), [busy(429, "3"), Good()])]
    # What is under way when the answer comes ends later, and is not followed by another.
    urls += [origin.serve(f"/{n}.bin", Body(100), [Good(delay_s=2)] if n == 1 else []) for n in range(1, 8)]
    run = fetch(tmp_path, *urls, execution={"processes": 1, "threads": 2})
    assert run.code == 0
    [retry] = run.entry(0)["retries"]
    assert (retry["kind"], retry["wait_s"], retry["attempt"]) == ("rate_limited", 3.0, 1)
    [paused] = run.events("host_paused")
    assert paused["host"] == f"127.0.0.1:{origin.port}"
    began = origin.requests_for("/0.bin")[0].at
    assert {seen.path for seen in origin.requests if seen.at < began + 2.95} <= {"/0.bin", "/1.bin"}
    assert len([seen for seen in origin.requests if seen.at < began + 2.95]) <= 2


def test_retry_after_as_a_date_is_obeyed(origin: Origin, tmp_path: Path) -> None:
    url = origin.handle(
        "/a.bin", lambda seen: busy(503, email.utils.formatdate(time.time() + 4, usegmt=True)) if first(origin) else Good(Body(9))
    )
    run = fetch(tmp_path, url)
    assert run.code == 0
    assert 0.5 < run.entry()["retries"][0]["wait_s"] <= 4


def first(origin: Origin) -> bool:
    return len(origin.requests) == 1


def test_a_longer_retry_after_than_allowed_fails_and_says_so(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(9), [busy(503, "3600")])
    run = fetch(tmp_path, url, defaults={"retry": {"max_retry_after": "1m"}})
    assert run.code == 1
    assert "3600 s" in run.entry()["error"]["message"]
    assert len(origin.requests) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 501])
def test_a_status_that_is_not_listed_fails_at_once(origin: Origin, tmp_path: Path, status: int) -> None:
    run = fetch(tmp_path, origin.serve("/a.bin", Body(9), [busy(status)]))
    assert run.code == 1
    assert (run.entry()["error"]["kind"], run.entry()["error"]["status"]) == ("http_status", status)
    assert len(origin.requests) == 1


def test_retries_end_at_their_limit(origin: Origin, tmp_path: Path) -> None:
    run = fetch(
        tmp_path, origin.serve("/a.bin", Body(9), [busy(503)]), defaults={"retry": {"max_retries": 2, "backoff": {"initial": "1ms"}}}
    )
    assert run.code == 1
    assert len(origin.requests) == 3
    assert [retry["attempt"] for retry in run.entry()["retries"]] == [1, 2]
    assert run.entry()["error"]["kind"] == "server_error"


def test_mirrors_are_tried_in_order(origin: Origin, tmp_path: Path) -> None:
    body = Body(MIB)
    broken, good = origin.serve("/broken/a.bin", body, [busy(404)]), origin.serve("/good/a.bin", body)
    run = fetch(tmp_path, {"url": origin.url("/none/a.bin"), "mirrors": [broken, good]})
    assert run.code == 0
    assert run.entry()["source"] == good
    assert [event["to"] for event in run.events("mirror_switched")] == [broken, good]


def test_a_redirect_is_followed_and_told(origin: Origin, tmp_path: Path) -> None:
    there = origin.serve("/there.bin", Body(500))
    here = origin.handle("/here.bin", lambda seen: redirect("/there.bin"))
    run = fetch(tmp_path, here)
    assert run.code == 0
    assert run.data("here.bin") == Body(500).read(0, 500)
    assert run.entry()["source"] == there
    assert [(e["from"], e["to"]) for e in run.events("redirected")] == [(here, there)]


def test_a_redirect_loop_ends(origin: Origin, tmp_path: Path) -> None:
    run = fetch(tmp_path, origin.handle("/loop.bin", lambda seen: redirect("/loop.bin")))
    assert run.entry()["error"]["kind"] == "redirect"


def test_headers_go_to_the_origin_that_they_were_written_for_and_to_no_other(origin: Origin, tmp_path: Path) -> None:
    with Origin() as other:
        other.serve("/there.bin", Body(500))
        here = origin.handle("/here.bin", lambda seen: redirect(other.url("/there.bin")))
        headers = {"Authorization": "Bearer s3cret-token", "X-Own": "1", "User-Agent": "me/1"}
        run = fetch(tmp_path, {"url": here, "headers": headers})
        assert run.code == 0
        assert origin.requests[0].fields["authorization"] == "Bearer s3cret-token"
        assert origin.requests[0].fields["x-own"] == "1"
        assert not {"authorization", "x-own"} & set(other.requests[0].fields)
        assert other.requests[0].fields["user-agent"] == "me/1"
        assert "s3cret-token" not in run.err + json.dumps(run.report)


class TestChecksumsAndSizes:
    def test_a_right_checksum_is_verified_and_reported(self, origin: Origin, tmp_path: Path) -> None:
        data = Body(5000).read(0, 5000)
        sums = [f"md5:{hashlib.md5(data).hexdigest()}", f"blake2b:{hashlib.blake2b(data).hexdigest()}"]
        run = fetch(tmp_path, {"url": origin.serve("/a.bin", Body(5000)), "checksum": sums})
        assert run.code == 0
        assert [event["checksum"] for event in run.events("checksum_verified")] == sums
        assert run.entry()["checksum"] == sums[0]

    def test_a_wrong_checksum_is_tried_once_more_and_leaves_nothing(self, origin: Origin, tmp_path: Path) -> None:
        url = origin.serve("/a.bin", Body(5000))
        run = fetch(tmp_path, {"url": url, "checksum": "sha256:" + "0" * 64})
        assert run.code == 1
        assert run.entry()["error"]["kind"] == "checksum"
        assert len(origin.requests) == 2
        assert not (run.folder / "a.bin").exists()
        assert run.partials() == []

    def test_a_wrong_size_fails_before_the_body_is_read(self, origin: Origin, tmp_path: Path) -> None:
        url = origin.serve("/a.bin", Body(50 * MIB))
        run = fetch(tmp_path, {"url": url, "size": "49MiB"})
        assert (run.code, run.entry()["error"]["kind"], run.entry()["bytes_downloaded"]) == (1, "size", 0)

    @pytest.mark.parametrize("length", ["true", "chunked", "none"])
    def test_more_than_max_size_is_never_written(self, origin: Origin, tmp_path: Path, length: str) -> None:
        url = origin.serve("/a.bin", Body(5 * MIB), [Good(length=length)])  # type: ignore[arg-type]  # one of its literals
        run = fetch(tmp_path, {"url": url, "max_size": "1MiB"})
        assert (run.code, run.entry()["error"]["kind"]) == (1, "too_large")
        assert not (run.folder / "a.bin").exists()

    def test_a_file_with_another_content_is_replaced_only_by_a_verified_one(self, origin: Origin, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "a.bin").write_text("mine")
        bad = fetch(tmp_path, {"url": origin.serve("/a.bin", Body(50)), "checksum": "sha256:" + "0" * 64})
        assert (bad.code, bad.data("a.bin")) == (1, b"mine")
        good = fetch(tmp_path, {"url": origin.url("/a.bin"), "checksum": f"sha256:{Body(50).sha256}"})
        assert (good.code, good.data("a.bin")) == (0, Body(50).read(0, 50))


class TestWhatIsThere:
    def test_keep_proves_an_unknown_file_by_its_checksum_without_a_request(self, origin: Origin, tmp_path: Path) -> None:
        (tmp_path / "data").mkdir()
        (tmp_path / "data" / "a.bin").write_bytes(Body(50).read(0, 50))
        run = fetch(tmp_path, {"url": origin.serve("/a.bin", Body(50)), "checksum": f"sha256:{Body(50).sha256}"})
        assert (run.code, run.entry()["status"], origin.requests) == (0, "up_to_date", [])

    def test_keep_fetches_a_changed_file_anew(self, origin: Origin, tmp_path: Path) -> None:
        url = origin.serve("/a.bin", Body(50))
        fetch(tmp_path, url)
        (tmp_path / "data" / "a.bin").write_text("changed")
        run = fetch(tmp_path, url)
        assert (run.entry()["status"], run.data("a.bin")) == ("downloaded", Body(50).read(0, 50))

    def test_refresh_asks_and_replaces_only_what_changed(self, origin: Origin, tmp_path: Path) -> None:
        url = origin.serve("/a.bin", Body(50))
        entry = {"url": url, "if_exists": "refresh"}
        fetch(tmp_path, entry)
        assert fetch(tmp_path, entry).entry()["status"] == "up_to_date"
        assert origin.requests[-1].fields["if-none-match"] == '"v1"'
        origin.serve("/a.bin", Body(60, seed=2, etag='"v2"', last_modified="Tue, 07 Jul 2026 10:00:00 GMT"))
        run = fetch(tmp_path, entry)
        assert (run.entry()["status"], run.entry()["size"]) == ("downloaded", 60)

    def test_replace_always_fetches_and_fail_fails(self, origin: Origin, tmp_path: Path) -> None:
        url = origin.serve("/a.bin", Body(50))
        fetch(tmp_path, url)
        assert fetch(tmp_path, {"url": url, "if_exists": "replace"}).entry()["status"] == "downloaded"
        run = fetch(tmp_path, {"url": url, "if_exists": "fail"})
        assert (run.code, run.entry()["error"]["kind"]) == (1, "path")
        assert len(origin.requests) == 2


def test_max_rate_holds_for_the_whole_run(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(2 * MIB, seed=n)) for n in range(3)]
    run = fetch(tmp_path, *urls, execution={"max_rate": "2MiB", "processes": 1})
    assert run.code == 0
    # 6 MiB at 2 MiB/s: a burst of a quarter of a second is let through at once, and what the last turn brought.
    assert run.report["duration_s"] > 2.0


def test_a_deadline_ends_the_run(origin: Origin, tmp_path: Path) -> None:
    urls = [origin.serve(f"/{n}.bin", Body(MIB, seed=n), [Good(stall_after=1000, stall_s=30)]) for n in range(3)]
    run = fetch(tmp_path, *urls, execution={"deadline": "3s", "processes": 1, "threads": 2})
    assert run.code == 1
    assert [entry["status"] for entry in run.report["downloads"]] == ["failed", "failed", "skipped"]
    assert run.entry(0)["error"]["kind"] == "timeout"


def test_the_first_failure_ends_the_run_if_that_is_wanted(origin: Origin, tmp_path: Path) -> None:
    slow = [origin.serve(f"/{n}.bin", Body(MIB, seed=n), [Good(delay_s=0.5)]) for n in range(3)]
    run = fetch(tmp_path, origin.url("/missing"), *slow, execution={"fail_fast": "first_failure", "processes": 1, "threads": 1})
    assert run.code == 1
    assert run.report["totals"]["skipped"] == 3
    assert len(origin.requests) == 1


def test_a_stalled_body_times_out_and_is_resumed(origin: Origin, tmp_path: Path) -> None:
    url = origin.serve("/a.bin", Body(MIB), [Good(stall_after=500_000, stall_s=30), Good()])
    run = fetch(tmp_path, url, defaults={"timeout": "1s", "retry": {"backoff": {"initial": "1ms"}}})
    assert run.code == 0
    assert [retry["kind"] for retry in run.entry()["retries"]] == ["timeout"]
    assert run.data("a.bin") == Body(MIB).read(0, MIB)
    assert origin.requests[1].fields["range"].startswith("bytes=")


def test_only_takes_what_a_glob_or_a_tag_names(origin: Origin, tmp_path: Path) -> None:
    entries = [{"url": origin.serve(f"/{n}.bin", Body(50)), "path": f"d/{n}.bin", "tags": ["even"] if n % 2 == 0 else []} for n in range(4)]
    manifest = write(tmp_path, entries)
    run = marscore("run", manifest, "--only", "even", cwd=tmp_path)
    assert [entry["path"] for entry in run.report["downloads"]] == ["d/0.bin", "d/2.bin"]
    run = marscore("run", manifest, "--only", "d/[13].bin", cwd=tmp_path)
    assert [entry["id"] for entry in run.report["downloads"]] == ["downloads[1]", "downloads[3]"]
    assert marscore("run", manifest, "--only", "odd", cwd=tmp_path).code == 2


def test_templates_make_many_downloads(origin: Origin, tmp_path: Path) -> None:
    for number in range(4):
        origin.serve(f"/s-{number:02d}.bin", Body(100, seed=number))
    run = fetch(tmp_path, {"url": origin.url("/s-{i:02d}.bin"), "path": "s/{i}.bin", "each": {"i": {"from": 0, "to": 3}}})
    assert run.code == 0
    assert [entry["id"] for entry in run.report["downloads"]] == [f"downloads[0][{n}]" for n in range(4)]
    assert run.data("s/3.bin") == Body(100, seed=3).read(0, 100)


def test_what_came_from_the_environment_is_never_written(origin: Origin, tmp_path: Path) -> None:
    origin.serve("/v9.9.9-rc/f.bin", Body(10))
    origin.handle("/deny/s3cond-abc", lambda seen: busy(403))
    entries = [
        {
            "url": origin.url("/${RELEASE}/f.bin?token=${TOKEN}"),
            "path": "${RELEASE}/f.bin",
            "headers": {"Authorization": "Bearer ${TOKEN}"},
        },
        {"url": origin.url("/deny/${PART}?key=${TOKEN}"), "path": "x"},
    ]
    manifest = write(tmp_path, entries)
    env = {"TOKEN": "t0k-abc-123", "RELEASE": "v9.9.9-rc", "PART": "s3cond-abc"}
    run = marscore("run", manifest, cwd=tmp_path, env=env)
    assert run.data("v9.9.9-rc/f.bin") == Body(10).read(0, 10)
    assert origin.requests_for("/v9.9.9-rc/f.bin")[0].fields["authorization"] == "Bearer t0k-abc-123"
    kept = b"".join(p.read_bytes() for p in (run.folder / ".marscore").rglob("*") if p.is_file())
    plan = marscore("plan", manifest, "--format", "json", cwd=tmp_path, env=env)
    for text in (run.err, run.out, json.dumps(run.report), kept.decode("latin-1"), plan.out, plan.err):
        assert "t0k-abc-123" not in text
        assert "s3cond-abc" not in text
    assert run.entry()["path"] == "v9.9.9-rc/f.bin", "a path names the file that exists"
    assert run.entry()["url"] == origin.url("/v9.9.9-rc/f.bin?token=***"), "what is in a path is no secret elsewhere"
    assert run.entry(1)["url"] == origin.url("/deny/${PART}?key=***")


def test_get_needs_no_manifest(origin: Origin, tmp_path: Path) -> None:
    run = marscore("get", origin.serve("/a$b.bin", Body(50)), "--output-dir", "data", cwd=tmp_path)
    assert (run.code, run.data("a$b.bin")) == (0, Body(50).read(0, 50))


def test_a_manifest_may_come_on_standard_input(origin: Origin, tmp_path: Path) -> None:
    text = f"version: 1\noutput_dir: data\ndownloads: [{origin.serve('/a.bin', Body(50))}]\n"
    assert marscore("run", "-", cwd=tmp_path, stdin=text).code == 0


def test_a_wrong_manifest_starts_nothing_and_tells_every_mistake_at_its_place(origin: Origin, tmp_path: Path) -> None:
    (tmp_path / "downloads.yaml").write_text(
        f"version: 1\noutput_dir: data\ndownloads:\n  - {origin.url('/a')}\n  - url: {origin.url('/b')}\n    path: ../up\n"
        "    retry: {max_retries: -1}\n    chekcsum: md5:0\n"
    )
    run = marscore("run", "downloads.yaml", cwd=tmp_path)
    assert run.code == 2
    places = re.findall(r"^downloads\.yaml:(\d+):(\d+): (\S+): ", run.err, re.MULTILINE)
    assert [place[2] for place in places] == ["downloads[1].path", "downloads[1].retry.max_retries", "downloads[1].chekcsum"]
    assert [int(place[0]) for place in places] == [6, 7, 8]
    assert not (tmp_path / "data").exists()
    assert origin.requests == []


def test_a_plan_fetches_and_writes_nothing(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/a.bin", Body(50)), origin.serve("/b.bin", Body(50))])
    run = marscore("plan", manifest, "--format", "json", cwd=tmp_path)
    plan = json.loads(run.out)
    jsonschema.validate(plan, json.loads((SCHEMAS / "plan.v1.schema.json").read_text()))
    assert [(entry["path"], entry["action"]) for entry in plan["downloads"]] == [("a.bin", "fetch"), ("b.bin", "fetch")]
    assert not (tmp_path / "data").exists()
    assert origin.requests == []
    assert "a.bin" in marscore("plan", manifest, cwd=tmp_path).out


def test_report_and_log_file_go_where_they_are_told(origin: Origin, tmp_path: Path) -> None:
    manifest = write(tmp_path, [origin.serve("/a.bin", Body(50))])
    marscore("run", manifest, "--report", "out/r.json", "--log-file", "out/l.jsonl", cwd=tmp_path)
    assert json.loads((tmp_path / "out" / "r.json").read_text())["status"] == "succeeded"
    lines = (tmp_path / "out" / "l.jsonl").read_text().splitlines()
    assert [json.loads(line)["event"] for line in lines][-1] == "run_finished"


def test_a_missing_output_permission_is_the_machines(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    run: Run = marscore("run", write(tmp_path, ["http://127.0.0.1:9/a"]), cwd=tmp_path)
    assert run.code == 3
    assert "Traceback" not in run.err
