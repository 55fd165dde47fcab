"""Of what `make test` tries some and `make test-long` all: where unit and contract tests hold each row of what decides already.

some, few       of the rows of one matrix, those that are named here, or the first
slow            what takes much of a processor: SLOW says which, `make test-slow` runs them, and CI runs both. `make test`, for who waits
                for it, leaves them out
long            a test, or a row, for `make test-long` alone: it costs a second or more, and a quicker one holds the same rule
combined        a test of crossed matrices (several `parametrize`) of which each combination is tried. Of other tests in the folders
                CROSSED, `make test` tries each row of each matrix, no more; `spared` finds what is left out
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar

import pytest

_T = TypeVar("_T")
_Row: TypeAlias = "tuple[str, tuple[int, ...]]"
ALL = bool(os.environ.get("MARSCORE_LONG"))
CROSSED = ("tests/integration/", "tests/torture/")
#: Beginnings of names of tests: a twentieth of all, which takes half of the processor time of all (two cores, six processes).
SLOW = (
    "tests/browser/",
    "tests/docs/test_code_blocks.py::test_what_a_page_shows_is_what_happens",
    "tests/integration/test_bench.py",
    "tests/integration/test_completion.py::test_bash_offers",
    "tests/integration/test_dying_workers.py",
    "tests/integration/test_engines.py",
    "tests/integration/test_examples.py::test_an_example_runs",
    "tests/integration/test_examples.py::test_the_demonstration",
    "tests/integration/test_get.py::test_after_an_end_too_early",
    "tests/integration/test_get.py::test_what_is_left_of_two_calls",
    "tests/integration/test_hooks.py::test_a_hook_may_look",
    "tests/integration/test_hooks.py::test_what_a_hook_prints",
    "tests/integration/test_http2.py",
    "tests/integration/test_interrupt_and_resume.py::test_an_output_folder",
    "tests/integration/test_interrupt_and_resume.py::test_kill_9",
    "tests/integration/test_library.py::test_cancel_ends",
    "tests/integration/test_locked_state.py",
    "tests/integration/test_long_lists.py",
    "tests/integration/test_loop.py",
    "tests/integration/test_machine_",
    "tests/integration/test_many_in_place.py",
    "tests/integration/test_memory.py",
    "tests/integration/test_metrics.py::test_what_reads",
    "tests/integration/test_mirrors.py::test_a_killed_run",
    "tests/integration/test_mirrors.py::test_two_of_three",
    "tests/integration/test_outputs.py::test_a_pipe_that_is_full",
    "tests/integration/test_progress.py",
    "tests/integration/test_python.py::test_a_plain_script",
    "tests/integration/test_redaction.py",
    "tests/integration/test_remote_lists.py::test_a_long_list",
    "tests/integration/test_standing_workers.py",
    "tests/integration/test_start.py",
    "tests/integration/test_store_conditions.py",
    "tests/integration/test_store_signals.py",
    "tests/integration/test_stores",
    "tests/integration/test_surroundings.py",
    "tests/integration/test_terminal.py",
    "tests/integration/test_traces.py",
    "tests/integration/test_unpack.py::test_a_deadline",
    "tests/integration/test_unpack.py::test_a_run_that_ends_while",
    "tests/integration/test_unpack.py::test_other_downloads_go_on",
    "tests/integration/test_unread_log.py",
    "tests/integration/test_what_the_log_names.py::test_every_line",
    "tests/power/",
    "tests/torture/",
    "tests/unit/adapters/test_imports.py",
    "tests/unit/execute/test_fault_at_every_call.py::test_a_fault_at_any_call",
    "tests/unit/lists/test_readers.py::test_of_a_list_of_many_files",
)
slow = pytest.mark.slow
long = pytest.mark.long
combined = pytest.mark.combined


def some(rows: Mapping[str, _T], *names: str) -> dict[str, _T]:
    """The rows of these names, or all of them."""
    return dict(rows) if ALL else {name: rows[name] for name in names}


def few(rows: Sequence[_T], number: int = 1) -> list[_T]:
    """The first rows, or all of them."""
    return [*rows] if ALL else [*rows[:number]]


def examples(number: int) -> int:
    """How many examples hypothesis tries: a fifth of those of a long test."""
    return number if ALL else max(20, number // 5)


def spared(items: Iterable[pytest.Item]) -> set[pytest.Item]:
    """The tests that are left out, none in a long test."""
    if ALL:
        return set()
    items = list(items)
    left_out = {item for item in items if item.get_closest_marker("long")}
    crossed: dict[str, list[tuple[pytest.Item, set[_Row]]]] = {}
    for item in items:
        rows = _rows(item)
        if item not in left_out and len(rows) > 1 and item.nodeid.startswith(CROSSED) and not item.get_closest_marker("combined"):
            crossed.setdefault(item.nodeid.partition("[")[0], []).append((item, rows))
    for combinations in crossed.values():
        left_out |= _needless(combinations)
    return left_out


def _rows(item: pytest.Item) -> set[_Row]:
    """Which row of each matrix a test has, told by its very values; the arguments of one `parametrize` are one row together."""
    drawn = getattr(item, "callspec", None)
    if drawn is None:
        return set()
    together: dict[str, str] = {}
    for mark in item.iter_markers("parametrize"):
        names = mark.args[0]
        names = [name.strip() for name in names.split(",")] if isinstance(names, str) else names
        together.update(dict.fromkeys(names, names[0]))
    rows: dict[str, list[int]] = {}
    for name, value in sorted(drawn.params.items()):
        rows.setdefault(together.get(name, name), []).append(id(value))
    return {(matrix, tuple(row)) for matrix, row in rows.items()}


def _needless(combinations: list[tuple[pytest.Item, set[_Row]]]) -> set[pytest.Item]:
    used: Counter[_Row] = Counter()
    left = dict(combinations)
    while left:
        # The one with most that was not tried yet, and beside it what was tried least.
        item, rows = min(left.items(), key=lambda pair: (-sum(not used[row] for row in pair[1]), sum(used[row] for row in pair[1])))
        if all(used[row] for row in rows):
            break
        used.update(rows)
        del left[item]
    return set(left)
