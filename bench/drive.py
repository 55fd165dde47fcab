"""Drives the Python libraries: `python drive.py LIBRARY job.json`, run by the Python of the library's own venv, so this file stands alone.

The job: {"files": [{"url", "name", "sha256"}], "folder", "authority" (TLS only), "at_once", "per_file" (null: the library's default),
"prove", "again"}.
Each function ends with an error if the library says that something failed.
"""
# Each import is the library's own and exists in its venv alone.
# ruff: noqa: PLC0415

from __future__ import annotations

import json
import ssl
import sys
from pathlib import Path
from typing import Any


def by_pypdl(job: dict[str, Any]) -> None:
    """pypdl: segments of a file, several files at once. It hashes a file after it is there."""
    from pypdl import Pypdl

    options: dict[str, Any] = {"ssl": ssl.create_default_context(cafile=job["authority"])} if job["authority"] else {}
    if job["per_file"]:
        options["segments"] = job["per_file"]
    tasks = [{"url": file["url"], "file_path": str(Path(job["folder"], file["name"]))} for file in job["files"]]
    algorithms = ["sha256"] if job["prove"] else None
    done = Pypdl(max_concurrent=job["at_once"]).start(
        tasks=tasks, display=False, overwrite=not job["again"], hash_algorithms=algorithms, **options
    )
    if len(done) != len(tasks):
        raise SystemExit(f"{len(tasks) - len(done)} of {len(tasks)} failed")
    if job["prove"] and not all(found.validate_hash(file["sha256"], "sha256") for (_, found), file in zip(done, job["files"], strict=True)):
        raise SystemExit("the checksum differs")


def by_parfive(job: dict[str, Any]) -> None:
    """parfive: splits of a file, several files at once."""
    from parfive import Downloader

    splits = {"max_splits": job["per_file"]} if job["per_file"] else {}
    loader = Downloader(max_conn=max(job["at_once"], job["per_file"] or 1), progress=False, overwrite=False, **splits)
    tls = {"ssl": ssl.create_default_context(cafile=job["authority"])} if job["authority"] else {}
    for file in job["files"]:
        checksum = f"sha-256={file['sha256']}" if job["prove"] else None
        loader.enqueue_file(file["url"], path=job["folder"], filename=file["name"], checksum=checksum, **tls)
    errors = loader.download().errors
    if errors:
        raise SystemExit(f"{len(errors)} failed, the first with {errors[0].exception!r}")


def by_pooch(job: dict[str, Any]) -> None:
    """pooch: one file after the other over one connection each."""
    import pooch

    pooch.get_logger().setLevel("WARNING")
    download = pooch.HTTPDownloader(verify=job["authority"] or True)
    for file in job["files"]:
        known = f"sha256:{file['sha256']}" if job["prove"] else None
        pooch.retrieve(file["url"], known_hash=known, fname=file["name"], path=job["folder"], downloader=download)


def by_original(job: dict[str, Any]) -> None:
    """marscore 0.2.1, before it had manifests."""
    import marscore

    options: dict[str, Any] = {"threads": job["per_file"]} if job["per_file"] else {}
    options["verify"] = job["authority"] or True
    urls = [file["url"] for file in job["files"]]
    done = marscore.downloader(urls, output_dir=job["folder"], **options)
    if not all(done):
        raise SystemExit(f"{len(done) - sum(done)} of {len(done)} failed")


if __name__ == "__main__":
    globals()[f"by_{sys.argv[1]}"](json.loads(Path(sys.argv[2]).read_text()))
