"""Sends a signal when a run comes to one point, in whichever of its processes is there first. Python imports this before any program.

MARSCORE_POINT says which: the start of the name of an audit event and the end of what it is about (`import click`, `open lock.pid`), or
`call MODULE NAME NTH`. Nothing of marscore is changed but the function that is called.
"""

from __future__ import annotations

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Callable
from typing import Any


def _install(point: str, number: int, sent: str) -> None:
    # The first process is the run's own; its children inherit this.
    target = int(os.environ.setdefault("MARSCORE_POINT_PID", str(os.getpid())))

    def send() -> None:
        try:
            os.close(os.open(sent, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        except FileExistsError:
            return
        os.kill(target, number)

    kind, _, about = point.partition(" ")
    if kind != "call":
        sys.addaudithook(_hook(kind, about, send))
        return
    module, name, nth = about.split()
    if module == "os":
        _wrap(os, name, int(nth), send if os.getpid() == target else lambda: None)
    else:
        sys.meta_path.insert(0, _Wrapping(module, lambda found: _wrap(found, name, int(nth), send)))


def _hook(kind: str, about: str, send: Callable[[], None]) -> Callable[[str, tuple[object, ...]], None]:
    done: list[bool] = []

    def hear(event: str, arguments: tuple[object, ...]) -> None:
        if event == kind and not done and any(_names(argument, about) for argument in arguments):
            # Before it is sent: to write that down opens a file.
            done.append(True)
            send()

    return hear


def _names(argument: object, about: str) -> bool:
    text = os.fsdecode(argument) if isinstance(argument, (str, bytes, os.PathLike)) else ""
    return about.rstrip("*") in text if about.endswith("*") else text.endswith(about)


def _wrap(owner: Any, name: str, nth: int, send: Callable[[], None]) -> None:
    *classes, last = name.split(".")
    for each in classes:
        owner = getattr(owner, each)
    real = getattr(owner, last)
    calls: list[None] = []

    def called(*arguments: Any, **named: Any) -> Any:
        calls.append(None)
        if len(calls) == nth:
            send()
        return real(*arguments, **named)

    setattr(owner, last, called)


class _Wrapping(importlib.abc.MetaPathFinder):
    """Lets something be done to a module once it is imported."""

    def __init__(self, module: str, then: Callable[[Any], None]) -> None:
        self._module = module
        self._then = then

    def find_spec(self, fullname: str, path: object, target: object = None) -> Any:
        if fullname != self._module:
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        loader: Any = spec and spec.loader
        run = loader.exec_module

        def exec_module(module: Any) -> None:
            run(module)
            self._then(module)

        loader.exec_module = exec_module
        return spec


if "MARSCORE_POINT" in os.environ:
    _install(os.environ["MARSCORE_POINT"], int(os.environ["MARSCORE_POINT_SIGNAL"]), os.environ["MARSCORE_POINT_SENT"])
