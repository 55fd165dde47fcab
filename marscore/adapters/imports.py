"""Import what a run needs without what it does not: for processes that are marscore's own, as those of the command line are.

Measured with -X importtime: structlog imports rich, with its lexers and tables, to draw tracebacks, and asyncio for loggers that are
awaited (60 ms); requests imports what guesses the encoding of texts (10 ms), urllib3 what reads the metadata of packages (9 ms); and the
collector looks for garbage among modules, which are none (25 ms of a start with all of them). A program that calls marscore's functions
is spared all this: there, these modules are its own matter.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import sys
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

#: Not found meanwhile; whoever wants them later finds them.
_FOR_LATER = ("rich",)
#: Not found for good. requests does without them where nobody asks it for text.
_NEVER = ("charset_normalizer", "chardet")
#: A collection for every so many new objects that are kept: reading a manifest makes a million of them, and none is garbage.
_COLLECT_AFTER = 50_000


class _Process:
    """Whether this process is marscore's own: it is where `only_needed` was used once."""

    own = False


def only_needed_if_own() -> contextlib.AbstractContextManager[None]:
    """The same as `only_needed` for what is imported later on; nothing in a program that calls marscore's functions."""
    return only_needed() if _Process.own else contextlib.nullcontext()


@contextlib.contextmanager
def only_needed() -> Iterator[None]:
    """While this lasts, the modules that are not needed are not found. What is loaded already is left alone."""
    _Process.own = True
    warnings.filterwarnings("ignore", message="Unable to find acceptable character detection dependency")
    hidden = [name for name in (*_FOR_LATER, *_NEVER) if name not in sys.modules]
    # Python's own way to say that there is no such module (docs.python.org, "The module cache").
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]  # None is allowed there
    waiting = [stand_in(name) for name, stand_in in _PUT_OFF.items() if name not in sys.modules]
    sys.modules.update((module.__name__, module) for module in waiting)
    # structlog makes a record of the logging module to see its fields; from Python 3.12 on that asks asyncio for its task, if it is there.
    logs: Any = sys.modules.get("logging", ModuleType("logging"))
    asking, logs.logAsyncioTasks = getattr(logs, "logAsyncioTasks", True), False
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        logs.logAsyncioTasks = asking
        for name in hidden:
            if name in _FOR_LATER:
                del sys.modules[name]
        for module in waiting:
            module.step_aside()
        if collecting:
            gc.freeze()
            gc.set_threshold(_COLLECT_AFTER)
            gc.enable()


class _Waiting(ModuleType):
    """Stands for a module until something of it is asked for. Python's LazyLoader does not do: a second import loads what it put off."""

    def __getattr__(self, name: str) -> Any:
        self.step_aside()
        return getattr(importlib.import_module(self.__name__), name)

    def step_aside(self) -> None:
        """Let the next import find the module itself."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]


class _Calling(_Waiting):
    """The same for a module whose functions are imported by name: they stand for themselves until they are called."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            # The import system asks whether it is a package.
            raise AttributeError(name)
        asked = super().__getattr__

        def call(*args: Any, **options: Any) -> Any:
            return asked(name)(*args, **options)

        return call


_PUT_OFF: dict[str, type[_Waiting]] = {"asyncio": _Waiting, "importlib.metadata": _Calling}
