"""What `import marscore` offers to programs: the same engine as the command line, without its signals and its exit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from marscore.errors import StorageError
from marscore.settings import ManifestInput, RunSettings

if TYPE_CHECKING:
    from marscore.manifest import Manifest
    from marscore.planning.document import PlanDocument
    from marscore.report.model import Report

#: In a program the log holds what went wrong and what was retried; a command line tells more.
_QUIET = RunSettings(log_level="warning")
_MIB = 1024 * 1024


def run(manifest: str | Path | Mapping[str, Any] | Manifest, settings: RunSettings = _QUIET) -> Report:
    """Fetch what a manifest lists.

    Args:
        manifest: the path of a YAML file, its content as a mapping, or a Manifest. A mapping's output_dir is relative to the current
            folder, a file's to its own.
        settings: what is to be otherwise than the manifest says.

    Returns:
        The report; `report.exit_code` is 0 if every download is in place. Failed downloads do not raise.

    Raises:
        ManifestError: the manifest is wrong; nothing was started.
        StorageError: the output folder cannot be used, or another run holds it, or the report cannot be written.
    """
    from marscore import app  # noqa: PLC0415 - loads pydantic, requests and yaml only when there is something to do

    ended = app.run(_input_of(manifest), settings)
    if ended.trouble is not None:
        raise StorageError(ended.trouble)
    return ended.report()


def plan(manifest: str | Path | Mapping[str, Any] | Manifest, settings: RunSettings = _QUIET) -> PlanDocument:
    """Say what `run` would do now, without fetching or writing anything. Arguments and errors are those of `run`."""
    from marscore import app  # noqa: PLC0415 - as in run

    return app.plan(_input_of(manifest), settings)


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

    Returns:
        For each URL, in their order, whether its file is in place. The same URL twice is fetched once.

    Raises:
        ManifestError: an argument is wrong; nothing was started.
        StorageError: the output folder cannot be used, or another run holds it.
    """
    wanted = _urls_of(url, urls)
    distinct = list(dict.fromkeys(wanted))
    if output_filename is not None and len(distinct) > 1:
        raise ValueError("output_filename names one file, and there are several URLs")
    if not distinct:
        return []
    data = {
        "version": 1,
        "output_dir": _literal(str(Path(output_dir).absolute())),
        "execution": _execution(threads, process, buffer_size_mb, chunk_size),
        "defaults": _options(threads, retry_num, headers, timeout, proxies, verify),
        "downloads": [_entry(each, output_filename) for each in distinct],
    }
    report = run(data)
    in_place = {each: entry.status in ("downloaded", "up_to_date") for each, entry in zip(distinct, report.downloads, strict=True)}
    return [in_place[each] for each in wanted]


def _urls_of(url: str | Sequence[str] | None, urls: str | Sequence[str] | None) -> list[str]:
    if (url is None) == (urls is None):
        raise TypeError("downloader takes either url or urls")
    given = url if urls is None else urls
    assert given is not None
    return [given] if isinstance(given, str) else list(given)


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


def _input_of(manifest: str | Path | Mapping[str, Any] | Manifest) -> ManifestInput:
    if isinstance(manifest, (str, Path)):
        path = Path(manifest)
        return ManifestInput(str(manifest), path.absolute().parent, text=path.read_text(encoding="utf-8"))
    return ManifestInput("<dict>", Path.cwd(), data=manifest)
