"""A curl config, read (`curl -K`): URLs and what they are called, with the options of their section; `next` begins another.

As in curl, the first `output` or `remote-name` belongs to the first `url` of its section, wherever they stand.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import field
from typing import Any

from marscore.frozen import dataclass
from marscore.lists.aria2 import add_header
from marscore.lists.curl_lines import Option, options
from marscore.lists.model import Item, Listing
from marscore.lists.words import folder_under_output, has_scheme, is_http, number
from marscore.resolve.paths import relative

#: What changes nothing about which bytes are where in the end, or is what marscore does anyhow.
_OURS = frozenset(
    {"location", "silent", "show-error", "fail", "fail-with-body", "fail-early", "parallel", "parallel-max", "parallel-immediate"}
    | {"create-dirs", "progress-bar", "no-progress-meter", "globoff", "path-as-is", "compressed", "remote-time", "no-insecure", "verbose"}
    | {
        "http1.1",
        "http2",
        "http3",
        "disable",
        "remote-name-all",
        "retry-connrefused",
        "retry-all-errors",
        "basic",
        "no-clobber",
        "no-keepalive",
    }
    | {
        "write-out",
        "stderr",
        "trace",
        "trace-ascii",
        "dump-header",
        "tcp-nodelay",
        "no-buffer",
        "styled-output",
        "no-location",
        "remove-on-error",
    }
)
#: With these, curl asks for something else than a file, or otherwise.
_NO_DOWNLOAD = re.compile(r"data(-.*)?|json|form(-.*)?|upload-file|head|range|url-query|get|expand-.*|variable|quote|include|time-cond")
_SUFFIX = re.compile(r"(\d+)([kKmMgGtTpP]?)")


@dataclass(slots=True)
class _Section:
    """What stands between two `next`."""

    urls: list[tuple[int, str]] = field(default_factory=list)
    outputs: list[tuple[int, str | None]] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    made: dict[str, Any] = field(default_factory=dict)
    proxy_user: str | None = None
    folder: str | None = None
    refused: str | None = None
    plain: set[str] = field(default_factory=set)


_Handler = Callable[[_Section, Option, Listing], None]


def read(text: str) -> Listing:
    """Read one."""
    listing = Listing()
    section = _Section()
    for option in options(text, listing):
        if option.name == "next":
            _close(section, listing)
            section = _Section()
        else:
            _take(section, option, listing)
    _close(section, listing)
    return listing


def _take(section: _Section, option: Option, listing: Listing) -> None:
    name = option.name
    section.plain.add(name)
    if name in _HANDLERS:
        _HANDLERS[name](section, option, listing)
    elif _NO_DOWNLOAD.fullmatch(name):
        section.refused = name
    elif name not in _OURS:
        listing.warn(option.line, f"curl's option {name[:64]} has nothing that it could be here")


def _close(section: _Section, listing: Listing) -> None:
    made = _options(section)
    for at, (line, written) in enumerate(section.urls):
        output = section.outputs[at] if at < len(section.outputs) else (line, None)
        if at >= len(section.outputs) and "remote-name-all" not in section.plain:
            listing.warn(line, "curl would write this to standard output: the file is called as its URL says")
        elif output[1] == "-":
            output = (line, None)
            listing.warn(line, "standard output is no place for a file: it is called as its URL says")
        url = written if has_scheme(written) else f"http://{written}"
        if why := _refusal(section, url):
            listing.leave_out(line, why)
            continue
        path = None if output[1] is None else relative(output[1])
        listing.items.append(Item(line, url, path, options=made, folder=section.folder))
    for line, _ in section.outputs[len(section.urls) :]:
        listing.warn(line, "is a name without a URL")


def _refusal(section: _Section, url: str) -> str | None:
    if section.refused is not None:
        return f"with curl's option {section.refused[:64]} it is not the download of a file"
    if not is_http(url):
        return "only http and https are fetched"
    if "globoff" not in section.plain and _is_glob(url):
        return "curl makes several URLs of one with [] or {}: they have to be written out, or made by each"
    return None


def _is_glob(url: str) -> bool:
    """Whether curl takes it for several URLs; brackets around a host are no pattern."""
    host, _, rest = url.partition("://")[2].partition("/")
    return any(mark in rest for mark in "[]{}") or any(mark in host for mark in "{}")


def _options(section: _Section) -> dict[str, Any]:
    made = dict(section.made)
    if section.headers:
        made["headers"] = section.headers
    if section.proxy_user is not None and "proxies" in made:
        scheme, mark, rest = made["proxies"].partition("://")
        made["proxies"] = f"{scheme}{mark}{section.proxy_user}@{rest}"
    for name, scheme in (("digest", "digest"), ("anyauth", "auto")):
        if name in section.plain and isinstance(made.get("auth"), dict):
            made["auth"] = {**made["auth"], "scheme": scheme}
    return made


def _url(section: _Section, option: Option, _listing: Listing) -> None:
    section.urls.append((option.line, option.value))


def _output(section: _Section, option: Option, _listing: Listing) -> None:
    section.outputs.append((option.line, option.value if option.name == "output" else None))


def _output_dir(section: _Section, option: Option, listing: Listing) -> None:
    section.folder = folder_under_output(option.value, option.line, listing)


def _header(section: _Section, option: Option, listing: Listing) -> None:
    name, colon, text = option.value.partition(":")
    if option.value.startswith("@"):
        listing.warn(option.line, "headers in another file are not taken")
    elif colon and text.strip():
        add_header(section.headers, name.strip(), text.strip())
    elif option.value.rstrip().endswith(";"):
        add_header(section.headers, option.value.rstrip().removesuffix(";"), "")
    else:
        listing.warn(option.line, "is a header that curl leaves away, which marscore does not send anyhow")


def _named_header(name: str) -> _Handler:
    return lambda section, option, _listing: add_header(section.headers, name, option.value)


def _bearer(section: _Section, option: Option, _listing: Listing) -> None:
    add_header(section.headers, "Authorization", f"Bearer {option.value}")


def _cookie(section: _Section, option: Option, listing: Listing) -> None:
    if "=" in option.value:
        add_header(section.headers, "Cookie", option.value)
    else:
        listing.warn(option.line, "cookies in another file are not taken")


def _user(section: _Section, option: Option, listing: Listing) -> None:
    name, colon, password = option.value.partition(":")
    section.made["auth"] = {"username": name, "password": password} if colon else {"username": name}
    if not colon:
        listing.warn(option.line, "curl would ask for a password: the user name alone is sent")


def _netrc(section: _Section, _option: Option, _listing: Listing) -> None:
    section.made["auth"] = "netrc"


def _proxy(section: _Section, option: Option, _listing: Listing) -> None:
    section.made["proxies"] = option.value if "://" in option.value else f"http://{option.value}"


def _proxy_user(section: _Section, option: Option, _listing: Listing) -> None:
    section.proxy_user = option.value


def _request(section: _Section, option: Option, _listing: Listing) -> None:
    if option.value.upper() != "GET":
        section.refused = option.name


def _continue_at(section: _Section, option: Option, _listing: Listing) -> None:
    if option.value != "-":
        section.refused = option.name


def _insecure(section: _Section, option: Option, listing: Listing) -> None:
    listing.warn(option.line, "insecure becomes verify: false: nothing proves whose server it is")
    section.made["verify"] = False


def _text_of(key: str, inner: str | None = None) -> _Handler:
    """A value that stands as it is under a key of the options, or of a mapping among them."""

    def keep(section: _Section, option: Option, _listing: Listing) -> None:
        if inner is None:
            section.made[key] = option.value
        else:
            section.made.setdefault(key, {})[inner] = option.value

    return keep


def _number_of(key: str, inner: str) -> _Handler:
    """A number under a key of a mapping among the options."""

    def keep(section: _Section, option: Option, _listing: Listing) -> None:
        section.made.setdefault(key, {})[inner] = number(option.value)

    return keep


def _certificate(section: _Section, option: Option, _listing: Listing) -> None:
    path, colon, password = option.value.partition(":")
    section.made.setdefault("cert", {}).update({"cert": path, "password": password} if colon else {"cert": path})


def _size_of(key: str) -> _Handler:
    """A number of bytes; curl's suffixes are 1024s."""

    def keep(section: _Section, option: Option, listing: Listing) -> None:
        if found := _SUFFIX.fullmatch(option.value):
            section.made[key] = number(found[1]) if not found[2] else f"{found[1]}{found[2].upper()}iB"
        else:
            listing.warn(option.line, "is no number of bytes")

    return keep


def _max_rate(_section: _Section, option: Option, listing: Listing) -> None:
    listing.warn(option.line, "a manifest limits the rate of the whole run (execution.max_rate) and not that of a file")


def _speed_time(_section: _Section, option: Option, listing: Listing) -> None:
    if option.value != "30":
        listing.warn(option.line, "min_speed looks at the last 30 s, always")


_HANDLERS: Mapping[str, _Handler] = {
    "url": _url,
    "output": _output,
    "remote-name": _output,
    "output-dir": _output_dir,
    "header": _header,
    "user-agent": _named_header("User-Agent"),
    "referer": _named_header("Referer"),
    "cookie": _cookie,
    "oauth2-bearer": _bearer,
    "user": _user,
    "netrc": _netrc,
    "proxy": _proxy,
    "proxy-user": _proxy_user,
    "digest": lambda _section, _option, _listing: None,
    "anyauth": lambda _section, _option, _listing: None,
    "request": _request,
    "continue-at": _continue_at,
    "insecure": _insecure,
    "cacert": _text_of("verify"),
    "cert": _certificate,
    "key": _text_of("cert", "key"),
    "pass": _text_of("cert", "password"),
    "connect-timeout": _number_of("timeout", "connect"),
    "max-time": _number_of("timeout", "total"),
    "retry": _number_of("retry", "max_retries"),
    "max-filesize": _size_of("max_size"),
    "speed-limit": _size_of("min_speed"),
    "speed-time": _speed_time,
    "limit-rate": _max_rate,
}
