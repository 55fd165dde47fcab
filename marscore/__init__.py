"""marscore fetches what a YAML manifest lists: verified files, a JSON report, a structured log.

    downloads.yaml --manifest--> Manifest --resolve--> Download... --resolve.reconcile with the output folder--> decisions
       --planning--> Plan --execute, in worker processes and threads--> Event... --report--> report.json, log, progress, exit code

Each stage is a folder of that name and hands the next frozen values only; `app` calls them in order. `policy` decides what is retried and
how fast, `journal` makes partial files resumable, `adapters` are the only code that touches the network, the disk or the clock.

    import marscore
    results = marscore.downloader(urls=["https://example.com/a.zip"], process=4, threads=10)     # list[bool]
    report = marscore.run("downloads.yaml")                                                      # Report

Names are loaded when they are first used, so that `import marscore` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module

from marscore.version import __version__

#: As in typing, whose import takes longer than all else that is done before a command takes its signals (12 ms).
TYPE_CHECKING = False

if TYPE_CHECKING:
    from typing import Any

    from marscore.api import arun, downloader, plan, run
    from marscore.errors import DownloadError, IntegrityError, Interrupted, ManifestError, MarscoreError, OriginError, StorageError
    from marscore.manifest import Manifest
    from marscore.planning.document import PlanDocument
    from marscore.report.model import Report
    from marscore.settings import RunSettings

_HOMES = {
    "downloader": "marscore.api",
    "run": "marscore.api",
    "arun": "marscore.api",
    "plan": "marscore.api",
    "Manifest": "marscore.manifest",
    "Report": "marscore.report.model",
    "PlanDocument": "marscore.planning.document",
    "RunSettings": "marscore.settings",
    "MarscoreError": "marscore.errors",
    "ManifestError": "marscore.errors",
    "DownloadError": "marscore.errors",
    "OriginError": "marscore.errors",
    "IntegrityError": "marscore.errors",
    "StorageError": "marscore.errors",
    "Interrupted": "marscore.errors",
}

__all__ = [
    "DownloadError",
    "IntegrityError",
    "Interrupted",
    "Manifest",
    "ManifestError",
    "MarscoreError",
    "OriginError",
    "PlanDocument",
    "Report",
    "RunSettings",
    "StorageError",
    "__version__",
    "arun",
    "downloader",
    "plan",
    "run",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        # `from marscore import plan` may mean the sub-package only where nothing public has the name.
        raise AttributeError(f"module 'marscore' has no attribute {name!r}")
    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
