"""What of a manifest is a secret: what came from the environment, but for what the manifest itself shows."""

from __future__ import annotations

import pytest
import yaml

from marscore.errors import ManifestError
from marscore.policy.redact import Redactor
from marscore.resolve.expand import load, load_mapping
from marscore.resolve.secrets import secrets_of

ENVIRONMENT = {"A": "a-0123456789", "B": "b-0123456789", "WORD": "artifacts"}


def secrets(downloads, **more):
    parsed, expanded = load_mapping({"version": 1, **more, "downloads": downloads}, ENVIRONMENT)
    return secrets_of(parsed, expanded)


def hidden(downloads, **more):
    """The variables whose values are secrets."""
    return {name for name, value in ENVIRONMENT.items() if value in secrets(downloads, **more).shown}


@pytest.mark.parametrize(
    "download",
    [
        {"url": "http://h/${A}?x=${B}"},
        {"url": "http://${A}/f", "headers": {"X": "${B}"}, "path": "f"},
        {"url": "http://h/f", "mirrors": ["http://h/${A}"], "tags": ["${B}"], "path": "f"},
        {"url": "http://h/{a}{b}", "path": "f-{n}", "each": {"n": [1], "a": ["${A}"], "b": ["${B}"]}},
        {"url": "http://h/{a}-${B}", "each": {"a": ["${A}"]}},
    ],
)
def test_what_came_from_the_environment_is_a_secret(download):
    assert hidden([download]) == {"A", "B"}
    assert secrets([download]).shown[ENVIRONMENT["A"]] == "${A}"


@pytest.mark.parametrize(
    ("download", "more"),
    [
        ({"url": "http://h/${A}?x=${B}", "path": "${A}/f"}, {}),
        ({"url": "http://h/${A}?x=${B}", "path": "x-${A}.${NOT_SET:-bin}"}, {}),
        ({"url": "http://h/${A}?x=${B}"}, {"output_dir": "/data/${A}"}),
        ({"url": "http://h/${A}?x=${B}"}, {"public": ["A"]}),
        ({"url": "http://h/${A}?x=${B}"}, {"public": "A"}),
        ({"url": "http://h/{a}?x=${B}", "path": "{a}", "each": {"a": ["${A}", "z"]}}, {}),
        ({"url": "http://h/{userinfo}?x=${B}", "path": "{userinfo}", "each": {"userinfo": ["${A}"]}}, {}),
        ({"url": "http://h/{a}?x={b}", "path": "{a:}/f", "each": {"a": ["${A}"], "b": ["${B}"]}}, {}),
    ],
)
def test_what_a_path_or_the_manifest_itself_shows_is_none(download, more):
    assert hidden([download], **more) == {"B"}


@pytest.mark.parametrize(
    "download",
    [
        {"headers": {"Authorization": "Bearer ${A}"}},
        {"headers": {"X-Api-Key": "${A}"}},
        {"headers": {"Cookie": "sid={a}"}, "each": {"a": ["${A}"]}},
        {"auth": {"username": "me", "password": "${A}"}},
        {"url": "http://me:${A}@h/f"},
        {"url": "http://${A}@h/f"},
        {"url": "http://${NOT_SET:-u/v}:${A}@h/f"},
        {"url": "http://me:{a}@h/f", "each": {"a": ["${A}"]}},
        {"url": "http://me:{a}@[{b}]/f", "each": {"a": ["${A}"], "b": ["::1"]}},
        {"mirrors": ["http://me:${A}@h/f"]},
        {"proxies": "http://me:${A}@proxy:1"},
        {"proxies": {"https": "http://me:${A}@proxy:1"}},
    ],
)
@pytest.mark.parametrize("public", [[], ["A"]])
def test_a_credential_is_a_secret_whatever_else_it_is_used_for(download, public):
    found = secrets([{"url": "http://h/f", "path": "${A}/f", **download}], public=public)
    assert found.shown[ENVIRONMENT["A"]] == "${A}"
    assert not found.words


def test_defaults_hold_credentials_too():
    found = secrets([{"url": "http://h/f", "path": "${A}/f"}], defaults={"headers": {"X-Token": "${A}"}})
    assert found.shown[ENVIRONMENT["A"]] == "${A}"


def test_what_follows_the_userinfo_is_no_credential():
    assert hidden([{"url": "http://me:pw@h/${A}", "path": "${A}"}, {"url": "http://h/${B}/@x"}]) == {"B"}


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("artifacts/f", {"artifacts"}),
        ("x/artifacts", {"artifacts"}),
        ("{d}/f", {"artifacts"}),
        ("artifacts.tar/f", set()),
        ("my-artifacts", set()),
        ("{e}/f", set()),
    ],
)
def test_a_secret_that_is_a_word_of_a_path_is_known_as_one(path, found):
    download = {"url": "http://h/f?w=${WORD}", "path": path, "each": {"d": ["artifacts"], "e": ["x"]}}
    assert secrets([download]).words == found


def test_the_name_that_a_url_gives_is_no_word_of_a_path_of_the_manifest():
    found = secrets(["http://h/x/${WORD}"])
    assert (found.shown, found.words) == ({"artifacts": "${WORD}"}, frozenset())


def test_two_variables_with_one_value_are_as_secret_as_the_more_secret_one():
    environment = {"SHOWN": "same-value", "HIDDEN": "same-value"}
    data = {"version": 1, "public": ["SHOWN"], "downloads": ["http://h/${SHOWN}/f?x=${HIDDEN}"]}
    parsed, downloads = load_mapping(data, environment)
    assert secrets_of(parsed, downloads).shown == {"same-value": "${HIDDEN}"}


@pytest.mark.parametrize("public", [["A-B"], ["$A"], ["${A}"], ["${NOT_SET}"], [""], ["1A"], {"A": 1}, [["A"]], [None], "a b"])
def test_what_is_no_name_of_a_variable_is_an_error_at_its_place(public):
    text = yaml.safe_dump({"version": 1, "downloads": ["http://h/f"], "public": public})
    with pytest.raises(ManifestError) as caught:
        load(text, "m.yaml", ENVIRONMENT)
    [problem] = caught.value.problems
    assert problem.path in ("public", "public[0]")
    assert problem.line is not None
    assert ENVIRONMENT["A"] not in str(caught.value)


def test_what_is_shown_in_urls():
    found = secrets([{"url": "http://h/${A}/${B}", "path": "${A}"}])
    redactor = Redactor(found.shown, found.words)
    assert redactor.url("http://h/a-0123456789/b%2d0123456789") == "http://h/a-0123456789/${B}"
