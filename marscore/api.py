"""What `import marscore` offers to programs: the same engine as the command line, without its signals and its exit."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marscore import arguments
from marscore.errors import ManifestError, Problem
from marscore.library import arun, plan, run

if TYPE_CHECKING:
    import requests


__all__ = ["arun", "downloader", "plan", "run"]

_MIB = 1024 * 1024
#: Where in the manifest that `downloader` makes an argument stands.
_PLACES = {
    "output_dir": "output_dir",
    "execution.processes": "process",
    "execution.threads": "threads",
    "execution.per_host": "threads",
    "execution.buffer_size": "buffer_size_mb",
    "execution.chunk_size": "chunk_size",
    "defaults.threads": "threads",
    "defaults.retry": "retry_num",
    "defaults.headers": "headers",
    "defaults.timeout": "timeout",
    "defaults.proxies": "proxies",
    "defaults.verify": "verify",
    "downloads[0].path": "output_filename",
}
_ENTRY = re.compile(r"downloads\[(\d+)\]")
_SAME_FILE = re.compile(r"the same file as downloads\[(\d+)\]")


def downloader(  # noqa: PLR0913 - the parameters of the original marscore, kept for its users
    url: str | Sequence[str] | None = None,
    output_dir: str | Path = "output",
    output_filename: str | None = None,
    threads: int = 2,
    process: int | None = None,
    buffer_size_mb: float = 10,
    chunk_size: int | None = None,
    retry_num: int = 3,
    headers: Mapping[str, str] | None = None,
    timeout: float | tuple[float, float] = 30,
    proxies: Mapping[str, str] | str | None = None,
    verify: bool | str = True,
    *,
    urls: str | Sequence[str] | None = None,
    session: requests.Session | None = None,
) -> list[bool]:
    """Fetch one URL or several and say of each whether its file is in place.

    Args:
        url, urls: a URL or a list of them, under either name.
        output_dir: the folder that the files go to.
        output_filename: the file's name where there is one URL; by default the last part of the URL's path.
        threads: connections for one file.
        process: worker processes; by default the number of URLs, at most 4 and at most one for each core.
        buffer_size_mb: most MiB that one file may hold in memory.
        chunk_size: most bytes of one read; by default marscore's own choice.
        retry_num: retries after the first try, for whatever may pass; a try that made progress starts the count anew.
        headers: header fields to send.
        timeout: seconds to connect and to wait for the next bytes, or one number for each.
        proxies: a URL for each of http and https, or one for both; by default the environment's.
        verify: whether to verify TLS certificates, or the path of a CA bundle.
        session: what sends the requests, as in `run`.

    Returns:
        For each URL, in their order, whether its file is in place. The same URL twice is fetched once.

    Raises:
        TypeError, ValueError: an argument is not what it should be; the message names it, and nothing was started.
        ManifestError: a URL is wrong, or the name that it gives its file; nothing was started.
        StorageError: the output folder cannot be used, or another run holds it.

    Example:
        >>> marscore.downloader(urls=["https://example.com/a.zip", "https://example.com/b.zip"], process=4, threads=10)
        [True, True]
    """
    _check_counts(threads, process, buffer_size_mb, chunk_size, retry_num)
    _check_options(headers, timeout, proxies, verify)
    _check_places(output_dir, output_filename)
    wanted, names = _urls_of(url, urls)
    distinct = list(dict.fromkeys(wanted))
    if output_filename is not None and len(distinct) > 1:
        raise ValueError("output_filename names one file, and there are several URLs")
    if not distinct:
        return []
    data = {
        "version": 1,
        "output_dir": _literal(str(output_dir)),
        "execution": _execution(threads, process, buffer_size_mb, chunk_size),
        "defaults": _options(threads, retry_num, headers, timeout, proxies, verify),
        "downloads": [_entry(each, output_filename) for each in distinct],
    }
    try:
        report = run(data, session=session)
    except ManifestError as error:
        raise _named(error, wanted, names) from error
    in_place = {
        each: entry.status in ("downloaded", "up_to_date", "cached") for each, entry in zip(distinct, report.downloads, strict=True)
    }
    return [in_place[each] for each in wanted]


def _urls_of(url: str | Sequence[str] | None, urls: str | Sequence[str] | None) -> tuple[list[str], list[str]]:
    """The URLs, and what each is called in messages."""
    if (url is None) == (urls is None):
        raise TypeError("downloader takes either url or urls")
    name, given = ("url", url) if urls is None else ("urls", urls)
    if isinstance(given, str):
        return [given], [name]
    if isinstance(given, (bytes, Mapping)) or not isinstance(given, Iterable):
        arguments.refuse(name, given, "a URL or a list of them")
    found = list(given)
    names = [f"{name}[{number}]" for number in range(len(found))]
    for each, called in zip(found, names, strict=True):
        arguments.text(called, each)
    return found, names


def _check_counts(threads: object, process: object, buffer_size_mb: object, chunk_size: object, retry_num: object) -> None:
    arguments.whole("threads", threads)
    if process is not None:
        arguments.whole("process", process)
    arguments.above_zero("buffer_size_mb", buffer_size_mb)
    if chunk_size is not None:
        arguments.whole("chunk_size", chunk_size)
    arguments.whole("retry_num", retry_num, least=0)


def _check_options(headers: object, timeout: object, proxies: object, verify: object) -> None:
    if headers is not None:
        _check_fields("headers", headers)
    if isinstance(timeout, tuple) and len(timeout) != 2:
        raise ValueError("timeout must be a number of seconds, or two of them")
    for seconds in timeout if isinstance(timeout, tuple) else (timeout,):
        arguments.above_zero("timeout", seconds)
    if isinstance(proxies, Mapping):
        _check_fields("proxies", {scheme: proxy for scheme, proxy in proxies.items() if proxy is not None})
    elif proxies is not None and not isinstance(proxies, str):
        arguments.refuse("proxies", proxies, "a mapping or a string")
    if not isinstance(verify, (bool, str)):
        arguments.refuse("verify", verify, "True, False or a path")


def _check_fields(name: str, value: object) -> None:
    if not isinstance(value, Mapping):
        arguments.refuse(name, value, "a mapping of strings")
    arguments.strings(name, value)


def _check_places(output_dir: object, output_filename: object) -> None:
    arguments.path("output_dir", output_dir)
    if output_filename is not None:
        arguments.text("output_filename", output_filename)


def _named(error: ManifestError, wanted: Sequence[str], names: Sequence[str]) -> ManifestError | ValueError:
    """What is wrong with the manifest that was made of arguments, as said of the arguments: `names` are those of the URLs `wanted`."""
    distinct = list(dict.fromkeys(wanted))
    told = [_of_argument(problem, [names[wanted.index(url)] for url in distinct]) for problem in error.problems]
    if any(problem.path in names for problem in told):
        return ManifestError("downloader", tuple(told))
    return ValueError("; ".join(dict.fromkeys(f"{problem.path}: {problem.message}" for problem in told)))


def _of_argument(problem: Problem, names: Sequence[str]) -> Problem:
    place = next((place for place in _PLACES if problem.path.startswith(place)), None)
    entry = _ENTRY.match(problem.path)
    if place is not None and (entry is None or len(names) == 1):
        return Problem(_PLACES[place], problem.message)
    if entry is None:
        return problem
    name = names[int(entry[1])]
    if same := _SAME_FILE.match(problem.message):
        return Problem(name, f"its file has the name of that of {names[int(same[1])]}: fetch them by two calls, into two folders")
    return Problem(name, problem.message.replace("is needed, since the URL", "has to be fetched by itself, with output_filename, since it"))


def _execution(threads: int, process: int | None, buffer_size_mb: float, chunk_size: int | None) -> dict[str, object]:
    buffer = int(buffer_size_mb * _MIB)
    execution: dict[str, object] = {
        "processes": "auto" if process is None else process,
        "threads": threads,
        "buffer_size": buffer,
        # Whoever asks for this many threads and processes means that many connections, also where all URLs are of one host.
        "per_host": max(16, threads * (process or 4)),
        "chunk_size": min(_MIB, buffer) if chunk_size is None else chunk_size,
    }
    return execution


def _options(
    threads: int,
    retry_num: int,
    headers: Mapping[str, str] | None,
    timeout: float | tuple[float, float],
    proxies: Mapping[str, str] | str | None,
    verify: bool | str,
) -> dict[str, object]:
    connect, read = timeout if isinstance(timeout, tuple) else (timeout, timeout)
    options: dict[str, object] = {
        "threads": threads,
        "retry": {"max_retries": retry_num},
        "timeout": {"connect": connect, "read": read},
        "verify": _literal(verify),
    }
    if headers:
        options["headers"] = {name: _literal(value) for name, value in headers.items()}
    if proxies:
        options["proxies"] = _literal(proxies) if isinstance(proxies, str) else {k: _literal(v) for k, v in proxies.items() if v}
    return options


def _entry(url: str, output_filename: str | None) -> dict[str, object]:
    entry: dict[str, object] = {"url": _literal(url)}
    if output_filename is not None:
        entry["path"] = _literal(output_filename)
    return entry


def _literal(value: Any) -> Any:
    # Arguments are meant as they are; only a manifest reads the environment.
    return value.replace("$", "$$") if isinstance(value, str) else value
