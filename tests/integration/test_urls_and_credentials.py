"""One URL is one place: what is checked is what is asked and what the report names, in every form that two readers may read two ways.

GOOD is the origin that the manifest names, EVIL another one. What EVIL sends differs from what GOOD sends, so the file tells who was asked.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.integration.command import Run, fetch, marscore, write
from tests.origin import Body, Good, Origin, Seen, Status, Step, redirect

CONTENT = {"GOOD": b"what the origin of the manifest sends\n", "EVIL": b"what another origin sends, which is something else\n"}
HASHES = {hashlib.sha256(content).hexdigest(): name for name, content in CONTENT.items()}
CREDENTIALS = ("x-api-key", "authorization", "cookie", "proxy-authorization")
QUICK: dict[str, Any] = {"retry": {"max_retries": 1, "backoff": {"initial": "1ms"}}}
LANES = ("auto", "requests")


@dataclass(frozen=True)
class Town:
    good: Origin
    evil: Origin

    def text(self, form: str) -> str:
        """A form with hosts and ports put in."""
        named = {"GOODPORT": self.good.port, "EVILPORT": self.evil.port, "GOODHOST": self.good.host, "EVILHOST": self.evil.host}
        named |= {"GOOD": f"{self.good.host}:{self.good.port}", "EVIL": f"{self.evil.host}:{self.evil.port}"}
        for name, value in named.items():
            form = form.replace(name, str(value))
        return form

    def sender(self, url: str) -> str | None:
        """Who is at a URL without userinfo. Its port may be masked, where it is somebody's password too."""
        names = {f"http://{self.good.host}:": "GOOD", f"http://{self.evil.host}:": "EVIL", "http://localhost:": "GOOD"}
        return next((name for start, name in names.items() if url.startswith(start)), None)


def always(step: Step) -> Callable[[Seen], Step]:
    return lambda seen: step


@pytest.fixture
def town() -> Iterator[Town]:
    with Origin() as good, Origin(host="127.0.0.2") as evil:
        for name, origin in (("GOOD", good), ("EVIL", evil)):
            origin.handle_rest(always(Good(Body(text=CONTENT[name]))))
        yield Town(good, evil)


def carried(requests: list[Seen]) -> list[str]:
    """The credentials that came with requests."""
    return [f"{name}: {seen.fields[name]}" for seen in requests for name in CREDENTIALS if name in seen.fields]


def ended(town: Town, run: Run, number: int) -> str:
    """Whose file is there, by its content, once it is sure that the report says the same; or the kind of the failure."""
    entry = run.entry(number)
    if entry["status"] != "downloaded":
        assert not (run.folder / entry["path"]).exists()
        return str(entry["error"]["kind"])
    sender = HASHES[hashlib.sha256(run.data(entry["path"])).hexdigest()]
    assert town.sender(entry["source"]) == sender, entry
    return sender


# Redirects

#: What Location says, and whose file there is at the end, or the kind of the failure.
LOCATIONS: Mapping[str, str] = {
    # A backslash, which some readers take for a slash.
    r"http://EVIL\@GOOD/x": "redirect",
    r"http://GOOD\@EVIL/x": "redirect",
    r"http://EVIL\\@GOOD/x": "redirect",
    r"http://GOODHOST:GOODPORT\@EVIL/x": "redirect",
    r"http://GOOD\.EVILHOST/x": "redirect",
    r"http:\\EVIL\x": "redirect",
    r"http:/\EVIL/x": "redirect",
    r"http://\EVIL/x": "redirect",
    r"//EVIL\@GOOD/x": "redirect",
    r"//GOOD\@EVIL/x": "redirect",
    r"\\EVIL\x": "GOOD",
    r"/\EVIL/x": "GOOD",
    # What ends an authority.
    "http://EVIL#@GOOD/x": "EVIL",
    "http://EVIL?@GOOD/x": "EVIL",
    "http://EVIL/@GOOD/x": "EVIL",
    "http://GOOD#@EVIL/x": "GOOD",
    "http://GOOD?@EVIL/x": "GOOD",
    "http://GOOD/@EVIL/x": "GOOD",
    "http://EVIL;@GOOD/x": "GOOD",
    "http://GOOD;@EVIL/x": "EVIL",
    "http://EVIL;GOOD/x": "redirect",
    "http://EVIL,GOOD/x": "redirect",
    "http://EVIL&@GOOD/x": "GOOD",
    "http://GOOD&@EVIL/x": "EVIL",
    # User information.
    "http://GOOD@EVIL/x": "EVIL",
    "http://EVIL@GOOD/x": "GOOD",
    "http://EVIL@EVIL@GOOD/x": "GOOD",
    "http://GOOD@GOOD@EVIL/x": "EVIL",
    "http://GOOD:@EVIL/x": "EVIL",
    "http://GOOD:pass@EVIL/x": "EVIL",
    "http://:@EVIL/x": "EVIL",
    "http://@EVIL/x": "EVIL",
    "http://evil:evil@GOOD/x": "GOOD",
    "http://EVIL%2f@GOOD/x": "GOOD",
    "http://EVIL%2f%40GOOD/x": "redirect",
    "http://GOOD%23@EVIL/x": "EVIL",
    "http://[@EVIL/x": "EVIL",
    "http://GOOD]@EVIL/x": "EVIL",
    # Percent-encoding in an authority.
    "http://GOOD%40EVIL/x": "redirect",
    "http://EVIL%00@GOOD/x": "redirect",
    "http://GOOD:%0d%0a@EVIL/x": "redirect",
    "http://GOOD:%C2%85@EVIL/x": "redirect",
    "http://127.0.0%2e2:EVILPORT/x": "redirect",
    "http://%31%32%37.0.0.2:EVILPORT/x": "redirect",
    "http://EVILHOST%3aEVILPORT/x": "redirect",
    "http://EVILHOST%2f:GOODPORT/x": "redirect",
    "http://EVILHOST:%38%30/x": "redirect",
    # Tabs, spaces, folded lines.
    "http://EVIL\t@GOOD/x": "redirect",
    "http://GOOD\t@EVIL/x": "redirect",
    "ht\ttp://EVIL/x": "redirect",
    "http:\t//EVIL/x": "redirect",
    "http://\tEVIL/x": "redirect",
    "/\t/EVIL/x": "redirect",
    "http://EVIL/\tx": "redirect",
    "http://EVIL @GOOD/x": "redirect",
    "http://GOOD @EVIL/x": "redirect",
    "http:// EVIL/x": "redirect",
    "http://EVIL\r\n @GOOD/x": "redirect",
    "http://EVIL/a b": "EVIL",
    "http ://EVIL/x": "GOOD",
    # How many slashes.
    "//EVIL/x": "EVIL",
    "///x": "redirect",
    "///EVIL/x": "redirect",
    "////EVIL/x": "redirect",
    "/.//EVIL/x": "GOOD",
    "/x/..//EVIL/x": "GOOD",
    "http:EVIL": "redirect",
    "http:/EVIL/x": "redirect",
    "http:///EVIL/x": "redirect",
    "http:////EVIL/x": "redirect",
    "http:x": "redirect",
    "http:": "redirect",
    "http://": "redirect",
    "http://:EVILPORT/x": "redirect",
    "http://GOOD:@/x": "redirect",
    "://EVIL/x": "GOOD",
    # Ports.
    "http://EVILHOST:EVILPORT:GOODPORT/x": "redirect",
    "http://EVILHOST:0/x": "redirect",
    "http://EVILHOST:65536/x": "redirect",
    "http://EVILHOST:999999999999999999999/x": "redirect",
    "http://EVILHOST:-1/x": "redirect",
    "http://EVILHOST:+EVILPORT/x": "redirect",
    "http://EVILHOST:EVILPORTa/x": "redirect",
    "http://EVILHOST:1_0/x": "redirect",
    "http://EVILHOST:٨٠/x": "redirect",
    "http://EVILHOST:８０/x": "redirect",
    "http://EVILHOST:000EVILPORT/x": "EVIL",
    # Addresses that are written otherwise: what reads them as numbers does so in several ways.
    "http://2130706434:EVILPORT/x": "redirect",
    "http://127.2:EVILPORT/x": "redirect",
    "http://127.0.2:EVILPORT/x": "redirect",
    "http://0177.0.0.2:EVILPORT/x": "redirect",
    "http://127.0.0.002:EVILPORT/x": "redirect",
    "http://0x7f.0.0.2:EVILPORT/x": "redirect",
    "http://0x7f000002:EVILPORT/x": "redirect",
    "http://127.0.0.2.:EVILPORT/x": "redirect",
    "http://127.0.0.258:EVILPORT/x": "redirect",
    "http://127.0.0.2.1:EVILPORT/x": "redirect",
    # Names that become other names.
    "http://１２７.0.0.2:EVILPORT/x": "EVIL",
    "http://127。0。0。2:EVILPORT/x": "EVIL",
    "http://127．0．0．2:EVILPORT/x": "EVIL",
    "http://127｡0｡0｡2:EVILPORT/x": "EVIL",
    "http://①②⑦.0.0.2:EVILPORT/x": "EVIL",
    "http://EVIL／@GOOD/x": "GOOD",
    "http://EVIL／GOOD/x": "redirect",
    "http://EVILHOST／.GOODHOST:GOODPORT/x": "redirect",
    "http://EVILHOST？.GOODHOST:GOODPORT/x": "redirect",
    "http://EVILHOST＃.GOODHOST:GOODPORT/x": "redirect",
    "http://EVILHOST＠GOODHOST:GOODPORT/x": "redirect",
    "http://EVILHOST：EVILPORT/x": "redirect",
    "http://EVILHOST＼.GOODHOST:GOODPORT/x": "redirect",
    "http://EVILHOST℀.GOODHOST:GOODPORT/x": "redirect",
    "http://EVILHOST\N{SOFT HYPHEN}:EVILPORT/x": "EVIL",
    "http://ＬＯＣＡＬＨＯＳＴ:GOODPORT/x": "GOOD",
    "http://localhost:GOODPORT/x": "GOOD",
    "http://LOCALHOST:GOODPORT/x": "GOOD",
    # Brackets.
    "http://[EVILHOST]:EVILPORT/x": "redirect",
    "http://[::1/x": "redirect",
    "http://::1]/x": "redirect",
    "http://[::1]GOOD/x": "redirect",
    "http://[::1]@GOOD/x": "GOOD",
    "http://[::1]:GOODPORT@EVIL/x": "EVIL",
    "http://[v1.GOOD]/x": "redirect",
    "http://[::1%25]/x": "redirect",
    "http://[::1%25l/o]/x": "redirect",
    "http://[::g]/x": "redirect",
    # Hosts that are none.
    "http://.EVILHOST:EVILPORT/x": "redirect",
    "http://EVILHOST..:EVILPORT/x": "redirect",
    "http://*.EVILHOST:EVILPORT/x": "redirect",
    "http://EVILHOST!:EVILPORT/x": "redirect",
    "http://EVILHOST$:EVILPORT/x": "redirect",
    "http://{GOOD}/x": "redirect",
    "http://<EVIL>/x": "redirect",
    'http://"EVIL"/x': "redirect",
    "http://EVIL|GOOD/x": "redirect",
    "http://EVIL^GOOD/x": "redirect",
    "http://EVIL`GOOD/x": "redirect",
    # Schemes.
    "HTTP://EVIL/x": "EVIL",
    "hTtP://GOOD/x": "GOOD",
    "url:http://EVIL/x": "redirect",
    "view-source:http://GOOD/x": "redirect",
    "javascript://GOOD/%0aalert(1)": "redirect",
    "file://EVIL/etc/passwd": "redirect",
    "data:,x": "redirect",
    "ftp://EVIL/x": "redirect",
    "jar:http://EVIL!/x": "redirect",
    # References to the same origin.
    "x?http://EVIL/": "GOOD",
    "?x#http://EVIL/": "GOOD",
    "/x@EVIL": "GOOD",
    "@EVIL/x": "GOOD",
    ".EVIL/x": "GOOD",
    "../../x": "GOOD",
    "/%2e%2e/x": "GOOD",
    "/é/\N{IDEOGRAPHIC SPACE}": "GOOD",
    "": "redirect",
}


def as_sent(text: str) -> str:
    """UTF-8, as an origin that writes Latin-1 sends it."""
    return text.encode().decode("latin-1")


#: What a request may carry, and the header fields by which it is known.
CARRIED: Mapping[str, Mapping[str, Any]] = {
    "key, password and cookie": {
        "headers": {"X-Api-Key": "the-key", "Cookie": "sid=of-the-manifest"},
        "auth": {"username": "me", "password": "pass-word"},
    },
    "netrc and the origin's cookie": {"auth": "netrc"},
}
NETRC = "machine 127.0.0.1 login me password of-netrc\nmachine localhost login me password of-netrc\ndefault login any password of-any\n"


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("kind", CARRIED)
def test_a_redirect_leads_where_it_was_checked_to_lead_and_credentials_stay_at_home(
    town: Town, tmp_path: Path, lane: str, kind: str
) -> None:
    def moved(seen: Seen) -> Step:
        if "?" in seen.target:
            return Good(Body(text=CONTENT["GOOD"]))
        location = as_sent(town.text(list(LOCATIONS)[int(seen.path.removeprefix("/from/"))]))
        cookie = [("Set-Cookie", "session=of-good; Path=/")] if "netrc" in kind else []
        return Status(302, (("Location", location), *cookie))

    options = CARRIED[kind]
    entries: list[Any] = [{"url": town.good.url("/plain"), "path": "plain", **options}]
    for number in range(len(LOCATIONS)):
        entries.append({"url": town.good.handle(f"/from/{number}", moved), "path": str(number), **options})
    (tmp_path / "netrc").write_text(NETRC)
    (tmp_path / "netrc").chmod(0o600)
    manifest = write(tmp_path, entries, execution={"processes": 1, "threads": 1, "lane": lane}, defaults=QUICK)
    run = marscore("run", manifest, cwd=tmp_path, env={"NETRC": str(tmp_path / "netrc")})

    assert ended(town, run, 0) == "GOOD"
    assert {form: ended(town, run, 1 + number) for number, form in enumerate(LOCATIONS)} == LOCATIONS
    assert carried(town.evil.requests) == []
    assert [seen.target for seen in town.good.requests if seen.fields["host"].startswith("localhost") and carried([seen])] == []
    own = [seen for seen in town.good.requests if seen.fields["host"] == f"127.0.0.1:{town.good.port}"]
    assert all("authorization" in seen.fields for seen in own)
    cookies = {seen.fields.get("cookie") for seen in own}
    assert cookies == ({None, "session=of-good"} if "netrc" in kind else {"sid=of-the-manifest"})
    steps = [(event["from"], event["to"]) for event in run.events("redirected")]
    assert all(town.sender(url) for step in steps for url in step), steps


@pytest.mark.parametrize("lane", LANES)
def test_a_line_break_in_a_location_never_makes_a_second_line_or_another_host(town: Town, tmp_path: Path, lane: str) -> None:
    for number, form in enumerate((r"http://EVIL{}@GOOD/x", r"http://GOOD{}@EVIL/x", r"http://GOOD/{}X-Evil: 1")):
        for place, ending in enumerate(("\n", "\r", "\0", "\x0b", "\x1f", "\x7f", "\x85")):
            location = town.text(form.replace("{}", ending))
            town.good.handle(f"/{number}/{place}", always(redirect(location)))
    paths = [f"/{number}/{place}" for number in range(3) for place in range(7)]
    entries = [{"url": town.good.url(path), "path": path[1:], "headers": {"X-Api-Key": "the-key"}} for path in paths]
    run = fetch(tmp_path, *entries, execution={"lane": lane, "processes": 1}, defaults=QUICK)
    for number in range(len(paths)):
        assert ended(town, run, number) in {"redirect", "connection", "GOOD"}
    assert town.evil.requests == []
    assert not [seen for seen in town.good.requests if "x-evil" in seen.fields]


@pytest.mark.parametrize("lane", LANES)
def test_what_the_report_names_is_what_was_asked(town: Town, tmp_path: Path, lane: str) -> None:
    """The path too: as it went out on the wire."""
    forms = ["/a/../b//c;p?q=é&r=%7e%2f", "/%41%zz", "//double//x", "/x?", "/[1]{2}|3^4`5", "/?@GOOD/", "/a;b=c@d:e"]
    for number, form in enumerate(forms):
        town.good.handle(f"/from/{number}", always(redirect(as_sent(town.text("http://GOOD" + form)))))
    entries = [{"url": town.good.url(f"/from/{number}"), "path": str(number)} for number in range(len(forms))]
    entries += [{"url": town.text("http://GOOD" + form), "path": f"own{number}"} for number, form in enumerate(forms)]
    plain = {"url": town.good.url("/plain"), "path": "plain"}
    run = fetch(tmp_path, plain, *entries, execution={"lane": lane, "processes": 1, "threads": 1})
    assert run.code == 0
    asked = [town.good.url(seen.target) for seen in town.good.requests if not seen.target.startswith("/from/")]
    assert sorted(asked) == sorted(run.entry(number)["source"] for number in range(1 + len(entries)))


# Manifests

#: What no manifest may say.
NO_URLS = [form for form, end in LOCATIONS.items() if end == "redirect" and form.lower().startswith("http:")]


def test_a_url_that_could_be_read_two_ways_is_an_error_at_its_place_and_nothing_is_asked(town: Town, tmp_path: Path) -> None:
    assert len(NO_URLS) > 60
    forms = [town.text(form) for form in NO_URLS]
    entries = [{"url": form, "path": str(number)} for number, form in enumerate(forms)]
    entries += [{"url": town.good.url("/x"), "mirrors": [form], "path": f"m{number}"} for number, form in enumerate(forms)]
    entries += [{"url": town.good.url("/x"), "proxies": form, "path": f"p{number}"} for number, form in enumerate(forms)]
    run = marscore("run", write(tmp_path, entries), cwd=tmp_path)
    assert run.code == 2
    count = len(forms)
    missing = [form for n, form in enumerate(forms) if f"downloads[{n}].url:" not in run.err]
    missing += [form for n, form in enumerate(forms) if f"downloads[{count + n}].mirrors[0]:" not in run.err]
    missing += [form for n, form in enumerate(forms) if f"downloads[{2 * count + n}].proxies" not in run.err]
    assert missing == []
    assert town.good.connections_accepted == town.evil.connections_accepted == 0


@pytest.mark.parametrize("lane", LANES)
def test_a_mirror_is_asked_at_the_host_that_the_report_names(town: Town, tmp_path: Path, lane: str) -> None:
    forms = {form: end for form, end in LOCATIONS.items() if end in CONTENT and form.lower().startswith("http:") and " " not in form}
    assert len(forms) > 30
    gone = town.good.handle("/gone", lambda seen: Status(404))
    entries = [{"url": gone, "mirrors": [town.text(form)], "path": str(number)} for number, form in enumerate(forms)]
    run = fetch(tmp_path, *entries, execution={"lane": lane, "processes": 1}, defaults=QUICK)
    assert {form: ended(town, run, number) for number, form in enumerate(forms)} == forms


# Credentials


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(user.encode()).decode()


@pytest.mark.parametrize("lane", LANES)
def test_credentials_are_sent_in_utf_8_from_wherever_they_come(town: Town, tmp_path: Path, lane: str) -> None:
    # Before 3.11, Python's netrc takes no words but those of ASCII.
    user = "jürgen:straße" if sys.version_info >= (3, 11) else "juergen:strasse"
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login {} password {}\n".format(*user.split(":")))
    (tmp_path / "netrc").chmod(0o600)
    entries = [
        {"url": town.text("http://jürgen:stra%C3%9Fe@GOOD/userinfo")},
        {"url": town.text("http://j%C3%BCrgen:straße@GOOD/encoded")},
        {"url": town.good.url("/auth"), "auth": {"username": "jürgen", "password": "straße"}},
        {"url": town.good.url("/netrc"), "auth": "netrc"},
        {"url": town.text("http://me:p@ss:w%2fd@GOOD/signs")},
        {"url": town.text("http://me@GOOD/name")},
        {"url": town.text("http://me:中文@GOOD/chinese")},
    ]
    manifest = write(tmp_path, entries, execution={"lane": lane, "processes": 1})
    run = marscore("run", manifest, cwd=tmp_path, env={"NETRC": str(tmp_path / "netrc"), "PYTHONUTF8": "1"})
    assert run.code == 0
    sent = {seen.path: seen.fields.get("authorization") for seen in town.good.requests}
    expected = {"/netrc": basic(user), **dict.fromkeys(("/userinfo", "/encoded", "/auth"), basic("jürgen:straße"))}
    assert sent == {**expected, "/signs": basic("me:p@ss:w/d"), "/name": basic("me:"), "/chinese": basic("me:中文")}
    assert not [word for word in ("straße", "stra%C3", "p@ss", "w%2fd", "中文") if word in run.err + str(run.report)]


@pytest.mark.parametrize("lane", LANES)
def test_credentials_in_a_url_stay_with_its_origin_and_a_location_brings_none(town: Town, tmp_path: Path, lane: str) -> None:
    leads = {"relative": "/x", "absolute": "http://GOOD/x", "other": "http://EVIL/x", "named": "http://you:yours@GOOD/x"}
    for path, form in leads.items():
        town.good.handle(f"/{path}", always(redirect(town.text(form))))
    entries = [{"url": town.text(f"http://me:mine@GOOD/{path}")} for path in leads]
    run = fetch(tmp_path, *entries, execution={"lane": lane, "processes": 1})
    assert run.code == 0
    assert carried(town.evil.requests) == []
    assert {seen.fields.get("authorization") for seen in town.good.requests} == {basic("me:mine")}


# Proxies


def through(proxy: Origin, folder: Path, url: str, text: str, way: str) -> Run:
    """Fetch through a proxy that the manifest or the environment names."""
    entry = {"url": url, "path": "x", "headers": {"X-Api-Key": "the-key"}, "auth": {"username": "me", "password": "pass-word"}}
    if way == "manifest":
        return marscore("run", write(folder, [{**entry, "proxies": text}], defaults=QUICK), cwd=folder)
    environment = {"http_proxy": text, "HTTP_PROXY": text, "no_proxy": "", "NO_PROXY": ""}
    return marscore("run", write(folder, [entry], defaults=QUICK), cwd=folder, env=environment)


@pytest.mark.parametrize("way", ["manifest", "environment"])
@pytest.mark.parametrize(
    "form", [r"http://u:of-proxy@EVIL\@GOOD", r"http://u:of-proxy@GOOD\@EVIL", "http://u:of-proxy@GOOD%40EVIL", "http://u:of-proxy@GOOD:x"]
)
def test_a_proxy_that_could_be_read_two_ways_is_never_asked(town: Town, tmp_path: Path, form: str, way: str) -> None:
    run = through(town.good, tmp_path, "http://origin.invalid/x", town.text(form), way)
    if way == "manifest":
        assert run.code == 2
    else:
        assert run.entry()["error"]["kind"] == "proxy"
    assert "of-proxy" not in run.err + str(run.report)
    assert town.good.connections_accepted == town.evil.connections_accepted == 0


@pytest.mark.parametrize("way", ["manifest", "environment"])
@pytest.mark.parametrize(
    ("form", "asked"),
    [
        ("http://u:of-%40pröxy@GOOD", "GOOD"),
        ("http://u:of-@pröxy@GOOD/", "GOOD"),
        ("http://u:of-@pröxy@GOOD#@EVIL", "GOOD"),
        ("http://u:of-@pröxy@GOOD/@EVIL", "GOOD"),
        ("http://u:of-@pröxy@GOOD?@EVIL", "GOOD"),
        ("http://u:of-@pröxy@EVIL#@GOOD", "EVIL"),
    ],
)
def test_a_proxys_password_goes_to_the_proxy_that_was_read(town: Town, tmp_path: Path, form: str, asked: str, way: str) -> None:
    run = through(town.good, tmp_path, "http://origin.invalid/x", town.text(form), way)
    assert run.code == 0
    asked_one, other = (town.good, town.evil) if asked == "GOOD" else (town.evil, town.good)
    assert other.connections_accepted == 0
    [seen] = asked_one.requests
    assert seen.target == "http://origin.invalid/x"
    assert seen.fields["host"] == "origin.invalid"
    assert seen.fields["proxy-authorization"] == basic("u:of-@pröxy")
    assert run.data("x") == CONTENT[asked]
    assert not [word for word in ("of-@pr", "of-%40pr") if word in run.err + str(run.report)]


@pytest.mark.parametrize("text", ["socks5://u:of-proxy@GOOD", "ftp://u:of-proxy@GOOD"])
def test_a_proxy_of_a_kind_that_cannot_be_used_is_named(town: Town, tmp_path: Path, text: str) -> None:
    if text.startswith("socks") and importlib.util.find_spec("socks"):
        pytest.skip("here is something installed that speaks SOCKS")
    run = through(town.good, tmp_path, "http://origin.invalid/x", town.text(text), "environment")
    assert run.entry()["error"]["kind"] == "proxy"
    assert town.good.connections_accepted == 0


def test_a_proxy_of_the_environment_may_be_written_without_a_scheme(town: Town, tmp_path: Path) -> None:
    run = through(town.good, tmp_path, "http://origin.invalid/x", town.text("u:of-proxy@GOOD"), "environment")
    assert run.code == 0
    assert town.good.requests[0].fields["proxy-authorization"] == basic("u:of-proxy")
    assert "of-proxy" not in run.err + str(run.report)


def test_behind_a_proxy_a_redirect_is_asked_as_it_was_checked(town: Town, tmp_path: Path) -> None:
    """The proxy is told a whole URL: it names the host that was checked, and credentials go along to the manifest's own origin only."""
    numbers = dict(enumerate(LOCATIONS))

    def answer(seen: Seen) -> Step:
        number = seen.target.removeprefix(town.good.url("/from/"))
        if number.isdigit():
            return Status(302, (("Location", as_sent(town.text(numbers[int(number)]))),))
        sender = town.sender(seen.target)
        return Good(Body(text=CONTENT[sender])) if sender else Status(502)

    options: dict[str, Any] = {**CARRIED["key, password and cookie"]}
    with Origin() as proxy:
        proxy.handle_rest(answer)
        options["proxies"] = proxy.url("")
        entries = [{"url": town.good.url(f"/from/{number}"), "path": str(number), **options} for number in numbers]
        run = fetch(tmp_path, *entries, execution={"processes": 1}, defaults=QUICK)
        assert {form: ended(town, run, number) for number, form in numbers.items()} == LOCATIONS
        assert all(seen.target.startswith(f"http://{seen.fields['host']}/") for seen in proxy.requests)
        elsewhere = [seen for seen in proxy.requests if not seen.target.startswith(town.good.url("/"))]
        assert elsewhere
        assert carried(elsewhere) == []
    assert town.good.connections_accepted == town.evil.connections_accepted == 0
