"""Archives made in tests, honest and hostile, as bytes."""

from __future__ import annotations

import io
import random
import stat
import tarfile
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

from tests.origin import Body

#: What an ordinary archive holds.
FILES: Mapping[str, bytes] = {
    "top/readme.txt": b"hello\n",
    "top/bin/tool": b"#!/bin/sh\n" * 50,
    "top/data/empty": b"",
    "top/data/big.bin": random.Random(9).randbytes(300_000),
}


def tar(files: Mapping[str, bytes] = FILES, *members: tarfile.TarInfo, mode: str = "w:gz", mtime: int = 1_600_000_000) -> bytes:
    """A tar of these files, and of members without content."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode=mode) as archive:  # type: ignore[call-overload]
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime, member.mode = len(content), mtime, 0o755 if name.endswith("tool") else 0o644
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return held.getvalue()


def member(name: str, kind: bytes = tarfile.REGTYPE, target: str = "", **more: Any) -> tarfile.TarInfo:
    """A member of a tar as no tar would make it."""
    made = tarfile.TarInfo(name)
    made.type, made.linkname = kind, target
    for key, value in more.items():
        setattr(made, key, value)
    return made


def zipped(files: Mapping[str, bytes] = FILES, extra: Sequence[tuple[zipfile.ZipInfo, bytes]] = ()) -> bytes:
    """A zip of these files, and of entries as they are given."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, (2020, 9, 13, 12, 26, 40))
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (stat.S_IFREG | (0o755 if name.endswith("tool") else 0o644)) << 16
            archive.writestr(info, content)
        for info, content in extra:
            archive.writestr(info, content)
    return held.getvalue()


def entry(name: str, bits: int = 0, **more: Any) -> zipfile.ZipInfo:
    """An entry of a zip; `bits` is its mode, type included."""
    info = zipfile.ZipInfo("x")
    # Past what zipfile makes of names.
    info.filename = info.orig_filename = name
    info.external_attr = bits << 16
    for key, value in more.items():
        setattr(info, key, value)
    return info


def served(content: bytes, etag: str = '"v1"') -> Body:
    """A body that an origin serves."""
    return Body(text=content, etag=etag)
