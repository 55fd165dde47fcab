"""Serves a small set of files, some of which fail at first.

python -m tests.origin [--port N] [--until-eof]      prints the origin's URL, then serves
python -m tests.origin --list                        prints the sha256 of each file
"""

from __future__ import annotations

import argparse
import gzip
import io
import os
import signal
import sys
import tarfile
import threading

from tests.origin import Body, Good, Origin, Step, busy, redirect

MIB = 1024 * 1024


def _archive() -> bytes:
    """A small tar.gz, the same each time."""
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w") as archive:
        for name, content in {"bin/tool": b"#!/bin/sh\necho hello\n", "docs/readme.txt": b"Hello.\n", "src/tool.c": b"int main;\n"}.items():
            member = tarfile.TarInfo(f"tool-1.2/{name}")
            member.size, member.mode = len(content), 0o755 if name == "bin/tool" else 0o644
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(held.getvalue(), mtime=0)


FILES: dict[str, Body] = {
    "/files/hello.txt": Body(text=b"Hello from the origin.\n", content_type="text/plain"),
    "/files/dataset.bin": Body(24 * MIB, seed=2),
    "/files/flaky.bin": Body(3 * MIB, seed=3),
    "/files/cut.bin": Body(8 * MIB, seed=4),
    **{f"/files/shard-{n:02d}.bin": Body(256 * 1024, seed=10 + n) for n in range(8)},
    "/files/moved-here.bin": Body(MIB, seed=5),
    "/files/tool-1.2.tar.gz": Body(text=_archive(), content_type="application/gzip"),
}
SCRIPTS: dict[str, list[Step]] = {
    "/files/flaky.bin": [busy(503, "1"), Good()],
    "/files/cut.bin": [Good(cut_after=3 * MIB), Good()],
}


def dressed(origin: Origin) -> Origin:
    """The origin with all files in place."""
    for path, body in FILES.items():
        origin.serve(path, body, SCRIPTS.get(path, ()))
    lines = [f"{body.sha256}  {path.rpartition('/')[2]}\n" for path, body in FILES.items()]
    origin.serve("/files/SHA256SUMS", Body(text="".join(lines).encode(), content_type="text/plain"))
    origin.handle("/files/moved.bin", lambda seen: redirect("/files/moved-here.bin"))
    origin.handle("/mirror/broken.bin", lambda seen: busy(503))
    return origin


def main() -> None:
    """Serve until told to end."""
    arguments = _parser().parse_args()
    if arguments.list:
        for path, body in FILES.items():
            sys.stdout.write(f"sha256:{body.sha256}  {body.length:>9}  {path}\n")
        return
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with dressed(Origin(port=arguments.port)) as origin:
        sys.stdout.write(f"{origin.url('')}\n")
        sys.stdout.flush()
        if arguments.until_eof:
            threading.Thread(target=_end_with_input, args=(ended,), daemon=True).start()
        ended.wait()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.origin", description=__doc__)
    parser.add_argument("--list", action="store_true", help="print the sha256 of each file and leave")
    parser.add_argument("--port", type=int, default=0, help="0: any free port")
    parser.add_argument("--until-eof", action="store_true", help="serve until standard input ends")
    parser.add_argument("--demo", action="store_true", help="serve the demonstration's files, which is what it does anyway")
    return parser


def _end_with_input(ended: threading.Event) -> None:
    # Not sys.stdin, whose lock a thread must not hold when the interpreter leaves.
    while os.read(0, 4096):
        pass
    ended.set()


if __name__ == "__main__":
    main()
