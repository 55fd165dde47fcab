"""A manifest that is read without the models is what the models would have made of it, and what they refuse is never read so."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marscore.errors import ManifestError
from marscore.manifest import DownloadOptions, Execution, Manifest, PlainExecution, Retry, read_manifest, read_mapping
from marscore.manifest.models import Defaults, Security
from marscore.manifest.plain_manifest import PlainDefaults, PlainManifest, PlainSecurity
from marscore.report import head
from marscore.report.model import ManifestReport, PlanReport, Report, ThroughputReport, Totals
from marscore.resolve.expand import expand
from marscore.resolve.options import _OPTION_NAMES, OptionsMaker, retry_rules

URL = "http://origin.example/folder/file.bin"
#: What may stand anywhere: right values of every kind, such as are just too small or too large, and others.
VALUES = st.one_of(
    st.sampled_from([0, 1, 64, 65, 1023, 1024, 4096, 4097, 2**40, 2**40 + 1, 2**63 - 1, 2**63, -1, True, False, None, [], {}]),
    st.sampled_from(["", "0", "1", "007", "64", "65", "1KiB", "10MiB", "2GB", "1.5MB", "auto", "true", "False", "no", "0x1", "1e3"]),
    st.sampled_from(
        [
            "0s",
            "1ms",
            "30s",
            "5m",
            "3660d",
            "3661d",
            "keep",
            "refresh",
            "server",
            "now",
            "0755",
            "never",
            "first_failure",
            "requests",
            "none",
            "null",
        ]
    ),
    st.sampled_from(["/etc/ca.pem", " x ", "a\nb", "${HOME}", "$$", 0.0, 5e-324, 1.5, 1024.0, float("inf"), float("nan"), 316224000.5]),
    st.integers(-5, 5000),
    st.floats(allow_nan=False),
    st.text(max_size=6),
)
EXECUTION = st.dictionaries(st.sampled_from([*(field.name for field in fields(PlainExecution)), "other"]), VALUES, max_size=4)
DEFAULTS = st.dictionaries(st.sampled_from([*(field.name for field in fields(PlainDefaults)), "tags", "other"]), VALUES, max_size=3)
TOP = st.dictionaries(st.sampled_from(["name", "output_dir", "public", "other", "version"]), VALUES, max_size=2)


def modelled(data: dict[str, Any]) -> Manifest | None:
    try:
        read = read_mapping({**data, "security": {"private_addresses": "allow"}}, {"HOME": "/home"}).manifest
    except ManifestError:
        return None
    assert isinstance(read, Manifest)
    return read


def plain(data: dict[str, Any]) -> Any:
    try:
        return read_mapping(data, {"HOME": "/home"}).manifest
    except ManifestError:
        return None


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same and of one type, which 1, 1.0 and True are not."""
    return (one, type(one)) == (other, type(other))


@given(TOP, EXECUTION, DEFAULTS)
def test_without_models_it_is_what_the_models_make_of_it(top: dict[str, Any], execution: dict[str, Any], defaults: dict[str, Any]) -> None:
    data = {"version": 1, "downloads": [URL, {"url": URL, "path": "b", "size": 7}], **top, "execution": execution, "defaults": defaults}
    expected, found = modelled(data), plain(data)
    assert (found is None) == (expected is None)
    if expected is None:
        return
    assert (found.name, found.output_dir, found.public) == (expected.name, expected.output_dir, expected.public)
    assert found.security.private_addresses == expected.security.private_addresses
    for name in Execution.model_fields:
        assert same(getattr(found.execution, name), getattr(expected.execution, name)), name
    for name in _OPTION_NAMES:
        assert same(getattr(found.defaults, name), getattr(expected.defaults, name)), name
    [first, second] = found.downloads
    assert OptionsMaker(found.defaults, "allow").of(first, None, None) == OptionsMaker(expected.defaults, "allow").of(first, None, None)
    assert second.path == "b"


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"name": "nightly", "output_dir": "data"},
        {
            "execution": {
                "processes": "auto",
                "threads": 4,
                "deadline": "1h",
                "lane": "requests",
                "fail_fast": "first_failure",
            }
        },
        {"execution": {"processes": 2, "per_host": 4096, "max_rate": "1MiB", "buffer_size": "2KiB"}},
        {"defaults": {"threads": 2, "verify": False, "min_speed": "1KiB", "max_size": 10, "if_exists": "refresh"}},
        {"defaults": {"mode": "0755", "mtime": "now"}},
    ],
)
def test_single_values_take_no_model(data: dict[str, Any]) -> None:
    assert type(plain({"version": 1, "downloads": [URL], **data})) is PlainManifest


def test_numbers_in_quotes_are_refused_without_models_as_with_them() -> None:
    text = "version: 1\nexecution: {{threads: {}}}\ndownloads: [{}]\n"
    assert type(read_manifest(text.format("4", URL), "m", {}).manifest) is PlainManifest
    with pytest.raises(ManifestError, match="must be a whole number"):
        read_manifest(text.format('"4"', URL), "m", {})


def test_what_is_filled_in_from_the_environment_is_known_as_such() -> None:
    parsed = read_manifest(f"version: 1\noutput_dir: ${{DATA}}\ndownloads: [{URL}]\n", "m", {"DATA": "secret-place"})
    assert type(parsed.manifest) is PlainManifest
    assert (parsed.manifest.output_dir, parsed.used["DATA"].places) == ("secret-place", {("output_dir",)})


def test_the_values_have_the_fields_and_defaults_of_the_models() -> None:
    assert {field.name: field.default for field in fields(PlainExecution)} == Execution().model_dump()
    assert {name: getattr(PlainDefaults(), name) for name in Defaults.model_fields} == Defaults().model_dump()
    assert {field.name: field.default for field in fields(PlainSecurity)} == Security().model_dump()
    assert set(DownloadOptions.model_fields) == _OPTION_NAMES
    assert {name for name in Manifest.model_fields if not hasattr(PlainManifest, name)} == {"version"}
    assert retry_rules(None) == retry_rules(Retry())


@pytest.mark.parametrize(
    ("value", "model"),
    [(head.ManifestNamed, ManifestReport), (head.PlanSums, PlanReport), (head.Sums, Totals), (head.Samples, ThroughputReport)],
)
def test_the_parts_of_a_report_s_head_have_the_fields_of_the_model(value: Any, model: Any) -> None:
    assert [field.name for field in fields(value)] == list(model.model_fields)


def test_a_report_s_head_is_written_with_the_fields_of_the_model_in_their_order() -> None:
    sums = head.Sums(*range(10))
    one = head.Head(
        "1", "r", None, head.ManifestNamed("m", None), "t", "t", 0.5, "succeeded", 0, head.PlanSums(), sums, ("w",), head.Samples(0.2, (3,))
    )
    written = one.as_written()
    assert [*written, "downloads"] == [field.alias or name for name, field in Report.model_fields.items()]
    report = Report.model_validate({**written, "downloads": []})
    assert report.model_dump(mode="json") == {
        **written,
        "warnings": ["w"],
        "throughput": {"interval_s": 0.2, "bytes": [3]},
        "downloads": [],
    }


def test_both_expand_to_the_same_downloads() -> None:
    data = {"version": 1, "downloads": [URL], "defaults": {"threads": 2, "verify": "/ca.pem", "min_speed": 0, "if_exists": "fail"}}
    assert expand(read_mapping(data, {})) == expand(read_mapping({**data, "security": {}}, {}))


@pytest.mark.parametrize("http", ["auto", "1.1", "2", "3", 1.1, 2])
def test_a_version_of_http_takes_no_model_unless_nothing_speaks_it(http: object) -> None:
    written = {"version": 1, "downloads": [URL], "execution": {"http": http}}
    read = plain(written)
    assert type(read) is PlainManifest
    assert read.execution.http == str(http)
    asks_for_more = {"version": 1, "downloads": [URL], "execution": {"http": http, "lane": "requests"}}
    assert (plain(asks_for_more) is None) == (str(http) in ("2", "3"))
