"""The page of a run in a real browser, used as a person does: with the mouse, by keyboard alone, in the dark, printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from marscore.report.model import Error, Note, ThroughputReport, Timeline
from marscore.values import FetchedRange
from tests.browser.made_reports import HOSTILE, a_file, a_report, at, failed, small, written


@pytest.fixture(scope="session")
def page_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(small(), tmp_path_factory.mktemp("page"))


@pytest.fixture(scope="session")
def large_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(a_report(*map(a_file, range(10_000))), tmp_path_factory.mktemp("large"))


def test_what_is_seen_at_once(open_page: Any, page_file: Path) -> None:
    page = open_page(page_file).page
    assert page.title() == "nightly: failed"
    assert page.locator("#totals").inner_text().split() == [
        *("14", "files", "11", "downloaded", "1", "up", "to", "date", "2", "failed", "1", "retry"),
        *("10.9", "KiB", "received", "500", "B", "resumed", "10.0", "s", "duration", "1.1", "KiB/s", "mean", "speed"),
    ]
    assert page.locator("#failures-heading").inner_text() == "2 failures"
    assert "check the URL's spelling" in page.locator("#failures li").first.inner_text()
    assert page.locator("#throughput-told").inner_text().startswith("at most 3.7 KiB/s, at 9.75 s")
    assert page.locator("#chart canvas").count() == 1


def test_hosts(open_page: Any, page_file: Path) -> None:
    rows = [row.split() for row in open_page(page_file).page.locator("#hosts tbody tr").all_inner_texts()]
    assert [row[:2] for row in rows] == [["one.example", "13"], ["two.example", "400"]]
    assert rows[0][-4:] == ["1", "200", "ms", "2"]


def test_what_was_interrupted_is_no_failure(open_page: Any, tmp_path: Path) -> None:
    told = {"status": "interrupted", "error": Error("interrupted", None, "interrupted by signal 15; run again to resume")}
    page = open_page(written(a_report(failed(1, "gone.bin"), *(a_file(n, f"{n}.bin", **told) for n in (2, 3))), tmp_path)).page
    assert page.locator("#failures-heading").inner_text() == "1 failure, 2 interrupted"
    assert page.locator("#hosts tbody tr td").last.inner_text() == "1"


def test_a_pause_is_seen_in_each_row_and_counted_once(open_page: Any, tmp_path: Path) -> None:
    pause, ranges = Note(at(1), "host_paused", host="one.example:443", wait_s=3.0), (FetchedRange(0, 1000, 3.5, 3.6, 4.0, 0, "done", True),)
    held = [a_file(n, started_at=at(1), duration_s=4.0, timeline=Timeline(("https://one.example/x",), ranges, 0, (pause,))) for n in (1, 2)]
    page = open_page(written(a_report(*held), tmp_path)).page
    assert page.locator("#hosts tbody tr").inner_text().split()[-2:] == ["3.00", "s"]
    bars = page.locator("#rows .bars, tbody .bars").evaluate_all("all => all.map(each => [...each.children].map(one => one.className))")
    assert bars == [["rest", "pause", "wait", "s0"]] * 2


def test_a_stranger_s_text_is_text(open_page: Any, page_file: Path) -> None:
    opened = open_page(page_file)
    assert HOSTILE in opened.rows
    assert opened.page.locator("img").count() == 0
    opened.page.get_by_role("button", name=HOSTILE).last.click()
    assert opened.page.locator("#details h2").inner_text().startswith(HOSTILE)


def test_the_files_are_filtered(open_page: Any, page_file: Path) -> None:
    opened = open_page(page_file)
    page = opened.page
    page.get_by_label("Search").fill("PART-3")
    opened.until("document.getElementById('count').textContent", "1 of 14 files")
    assert opened.rows == ["part-3.bin"]
    page.get_by_label("Search").fill("")
    page.get_by_label("Status").select_option("failed")
    opened.until("document.getElementById('count').textContent", "2 of 14 files")
    assert sorted(opened.rows) == sorted([HOSTILE, "gone.bin"])
    page.get_by_label("Status").select_option("")
    page.locator("#host").select_option("two.example")
    opened.until("document.getElementById('count').textContent", "1 of 14 files")
    assert opened.rows == ["images/big.iso"]
    page.locator("#host").select_option("")
    page.get_by_label("with trouble only").check()
    opened.until("document.getElementById('count').textContent", "3 of 14 files")
    page.get_by_label("Search").fill("nothing of that name")
    opened.until("document.getElementById('count').textContent", "0 of 14 files")
    assert page.locator("#table tbody").inner_text().strip() == "No file matches."


def test_the_files_are_sorted(open_page: Any, page_file: Path) -> None:
    opened = open_page(page_file)
    # By when they began, at first; what was in place comes last.
    assert (opened.rows[0], opened.rows[-1]) == ("part-0.bin", "there.bin")
    opened.page.get_by_role("button", name="Size").click()
    assert opened.page.locator("th[data-name=size]").get_attribute("aria-sort") == "ascending"
    assert opened.rows[:2] == ["part-0.bin", "images/big.iso"]
    opened.page.get_by_role("button", name="Size").click()
    assert opened.page.locator("th[data-name=size]").get_attribute("aria-sort") == "descending"
    assert opened.rows[0] == "there.bin"
    assert set(opened.rows[-2:]) == {HOSTILE, "gone.bin"}, "what has no size comes last, whatever the direction"


def test_a_failure_is_opened(open_page: Any, page_file: Path) -> None:
    page = open_page(page_file).page
    page.locator("#failures button").first.click()
    details = page.locator("#details")
    assert details.is_visible()
    assert "the server answered 404" in details.inner_text()
    assert "check the URL's spelling" in details.inner_text()
    details.get_by_role("button", name="Close").click()
    assert not details.is_visible()


def test_a_file_with_all_that_can_happen(open_page: Any, page_file: Path) -> None:
    opened = open_page(page_file)
    page = opened.page
    bars = page.locator("tr", has_text="images/big.iso").locator(".bars i")
    kinds = {name for classes in bars.evaluate_all("all => all.map(one => one.className)") for name in classes.split()}
    assert kinds == {"rest", "wait", "s0", "s1", "fail", "retry", "pause", "verify", "mark"}
    page.get_by_role("button", name="images/big.iso").click()
    told = page.locator("#details").inner_text()
    for words in ("Resumed", "Source dropped", "Retry 1", "Host paused", "3 ranges", "from an earlier run", "two.example", '"v1"'):
        assert words in told


def test_by_keyboard_alone(open_page: Any, page_file: Path) -> None:
    opened = open_page(page_file)
    page = opened.page
    page.locator("#scroller").focus()
    page.keyboard.press("ArrowDown")
    opened.until("document.activeElement.innerText", "part-0.bin")
    page.keyboard.press("ArrowDown")
    opened.until("document.activeElement.innerText", "part-1.bin")
    page.keyboard.press("End")
    opened.until("document.activeElement.innerText", "there.bin")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    assert page.locator("#details h2").inner_text().startswith("part-0.bin")
    opened.until("document.activeElement.innerText", "Close")
    page.keyboard.press("ArrowRight")
    assert page.locator("#details h2").inner_text().startswith("part-1.bin")
    page.keyboard.press("Escape")
    assert not page.locator("#details").is_visible()
    opened.until("document.activeElement.innerText", "part-1.bin")


def test_every_control_is_reached_by_tab(open_page: Any, page_file: Path) -> None:
    page = open_page(page_file).page
    reached = set()
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement.id || document.activeElement.dataset.zoom || document.activeElement.textContent"))
    wanted = {
        "To the files",
        "search",
        "status",
        "host",
        "troubled",
        "in",
        "out",
        "all",
        "scroller",
        "Path",
        "Size",
        "part-0.bin",
        "gone.bin",
    }
    assert wanted <= reached, wanted - reached


def test_what_a_screen_reader_is_told(open_page: Any, page_file: Path) -> None:
    page = open_page(page_file).page
    assert page.get_by_role("table", name="Files").get_attribute("aria-rowcount") == "15"
    assert page.locator("tr[aria-rowindex]").first.get_attribute("aria-rowindex") == "2"
    bars = page.locator("tr", has_text="images/big.iso").get_by_role("img")
    assert bars.get_attribute("aria-label") == "from 1.00 s to 5.50 s, 3 ranges, 1 retry"
    unnamed = "all => all.filter(one => !(one.innerText.trim() || one.getAttribute('aria-label'))).map(one => one.outerHTML)"
    assert page.locator("button").evaluate_all(unnamed) == []
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_part_of_the_time(open_page: Any, page_file: Path) -> None:
    opened = open_page(page_file)
    page = opened.page
    page.get_by_role("button", name="Zoom in").click()
    assert page.locator("#window").inner_text() == "2.50 s – 7.50 s"
    page.get_by_role("button", name="Later").click()
    assert page.locator("#window").inner_text() == "5.00 s – 10.0 s"
    page.get_by_role("button", name="All").click()
    assert page.locator("#window").inner_text() == ""
    over = page.locator(".u-over").bounding_box()
    page.mouse.move(over["x"] + over["width"] * 0.2, over["y"] + 40)
    page.mouse.down()
    page.mouse.move(over["x"] + over["width"] * 0.4, over["y"] + 40, steps=5)
    page.mouse.up()
    opened.until("document.getElementById('window').textContent !== ''", True)
    assert page.evaluate("[view.from, view.to].map(Math.round)") == [2, 4]


def painted(page: Any, *seconds: float) -> list[float]:
    """At which of these times the chart is filled, a third of its height above nothing."""
    filled: list[float] = page.evaluate(
        """seconds => {
            const y = Math.round(chart.valToPos(chart.scales.y.max * 0.34, "y", true));
            const line = chart.ctx.getImageData(0, y, chart.ctx.canvas.width, 1).data;
            return seconds.filter(second => line[4 * Math.round(chart.valToPos(second, "x", true)) + 3] > 0);
        }""",
        list(seconds),
    )
    return filled


def test_bytes_stand_in_the_interval_in_which_they_came(open_page: Any, tmp_path: Path) -> None:
    counts = (1000, 0, 0, 0, 1000, 0, 0, 0, 0, 500)
    report = a_report(a_file(0)).model_copy(update={"throughput": ThroughputReport(interval_s=1.0, bytes=counts), "duration_s": 9.5})
    page = open_page(written(report, tmp_path)).page
    assert painted(page, 0.1, 0.9, 1.1, 3.9, 4.1, 4.9, 5.1, 8.9, 9.1, 9.4) == [0.1, 0.9, 4.1, 4.9, 9.1, 9.4]


def test_a_run_shorter_than_an_interval_has_its_chart_and_no_mean_above_the_maximum(open_page: Any, tmp_path: Path) -> None:
    changes = {"throughput": ThroughputReport(interval_s=0.1, bytes=(1000,)), "duration_s": 0.073}
    page = open_page(written(a_report(a_file(0)).model_copy(update=changes), tmp_path)).page
    assert page.locator("#throughput-told").inner_text().startswith("at most 13.4 KiB/s, at 37 ms")
    assert painted(page, 0.005, 0.03, 0.07) == [0.005, 0.03, 0.07]


def test_a_run_without_downloads(open_page: Any, tmp_path: Path) -> None:
    empty = a_report().model_copy(update={"throughput": ThroughputReport(interval_s=0.1, bytes=())})
    page = open_page(written(empty, tmp_path)).page
    assert page.locator("#table tbody").inner_text().strip() == "The run had no downloads."
    page.get_by_role("button", name="Path").click()
    assert page.locator("#count").inner_text() == "0 files"


def test_ten_thousand_files_are_drawn_as_they_scroll(open_page: Any, large_file: Path) -> None:
    opened = open_page(large_file)
    page = opened.page
    assert page.locator("#count").inner_text() == "10,000 files"
    assert page.evaluate("document.getElementsByTagName('*').length") < 2000
    page.locator("#scroller").evaluate("one => one.scrollTop = one.scrollHeight / 2")
    opened.until("Number(document.querySelector('tr[aria-rowindex]').getAttribute('aria-rowindex')) > 4900", True)
    assert page.evaluate("document.getElementsByTagName('*').length") < 2000
    page.locator("#scroller").focus()
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.closest('tr').getAttribute('aria-rowindex')") == "10001"
    page.get_by_label("Search").fill("part-9999")
    opened.until("document.getElementById('count').textContent", "1 of 10,000 files")
    assert opened.rows == ["part-9999.bin"]


def test_many_failures_are_grouped_and_a_group_is_shown(open_page: Any, tmp_path: Path) -> None:
    other = [failed(100 + n, f"other-{n}.bin", 401, url=f"https://two.example/{n}", source=None) for n in range(5)]
    opened = open_page(written(a_report(*(failed(n, f"gone-{n}.bin") for n in range(30)), *other), tmp_path))
    groups = opened.page.locator("#failures li").all_inner_texts()
    assert [group.split(" of ")[0] for group in groups] == ["30 files", "5 files"]
    opened.page.get_by_role("button", name="and 27 more").click()
    assert opened.page.locator("#count").inner_text() == "30 of 35 files"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_the_light_and_in_the_dark(open_page: Any, page_file: Path, scheme: str) -> None:
    page = open_page(page_file, color_scheme=scheme).page
    ground, texts = page.evaluate(
        "(() => { const of = (one) => getComputedStyle(one); const all = ['.quiet', '.remedy', '.bad', '.good', 'button.link', 'td'];"
        "return [of(document.body).backgroundColor, all.map((one) => of(document.querySelector(one)).color)] })()"
    )
    assert (_light(ground) > 0.5) is (scheme == "light")
    for text in texts:
        light, dark = sorted((_light(ground), _light(text)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, "WCAG 2.2, 1.4.3"


def _light(color: str) -> float:
    """The relative luminance of `rgb(r, g, b)` (WCAG 2.2)."""
    parts = [int(part) / 255 for part in color.partition("(")[2].rstrip(")").split(",")[:3]]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def test_printed_it_has_all_rows_and_no_controls(open_page: Any, tmp_path: Path) -> None:
    opened = open_page(written(a_report(*map(a_file, range(300))), tmp_path))
    assert len(opened.rows) < 100
    opened.page.emulate_media(media="print")
    opened.until("document.querySelectorAll('tr[aria-rowindex]').length", 300)
    assert not opened.page.locator("#filter").is_visible()
    assert opened.page.locator("#scroller").evaluate("one => one.scrollHeight <= one.clientHeight + 1")
    opened.page.emulate_media(media="screen")
    opened.until("document.querySelectorAll('tr[aria-rowindex]').length < 100", True)


def test_on_a_narrow_screen_nothing_is_cut(open_page: Any, page_file: Path) -> None:
    page = open_page(page_file, viewport={"width": 400, "height": 800}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.get_by_role("button", name="images/big.iso").click()
    assert page.locator("#details").bounding_box()["width"] <= 400
