"""`python -m marscore` and the `marscore` command."""

import os
import sys

from marscore.adapters.terminal.scarcity import is_scarcity, tell_of_scarcity
from marscore.adapters.terminal.signals import take_for_good


def main() -> None:
    """Run the command line and exit with its code. Signals are taken before anything that takes time is imported."""
    take_for_good()
    try:
        _run()
    except SystemExit as ended:
        _leave(ended.code)
        raise
    except (MemoryError, ImportError) as error:
        if not is_scarcity(error):
            raise
        tell_of_scarcity()
        # Python's own way out takes memory.
        os._exit(3)


def _run() -> None:
    from marscore.adapters.terminal.streams import occupy_standard_descriptors, start_again_in_utf8  # noqa: PLC0415  as said
    from marscore.cli.main import cli  # noqa: PLC0415  as said

    start_again_in_utf8()
    occupy_standard_descriptors()
    cli(prog_name="marscore")


def _leave(code: object) -> None:
    """End at once: to free what a hundred thousand downloads were held in, one by one, takes Python a second.

    Where a stream cannot be flushed, Python's own way out is left to say so.
    """
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return
    if isinstance(code, int) or code is None:
        os._exit(code or 0)


if __name__ == "__main__":
    main()
