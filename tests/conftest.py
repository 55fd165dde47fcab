"""What all tests share: servers, a marscore to run, and the word on what was left out."""

from __future__ import annotations

import gc
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.long import ALL, SLOW, slow, spared
from tests.origin import Origin
from tests.servers import Nginx, Proxy, Tls, make_tls, nginx, tinyproxy

# How long an example takes says how busy the machine is.
settings.register_profile("untimed", deadline=None, max_examples=200 if ALL else 40, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

# Eight thousand tests are collected by each of pytest's processes, and live to the end: to look through them for garbage took a third of
# the time that collecting takes, and some of every test's.
gc.disable()

# What is run by tests tells nothing to the job that they are a part of.
for variable in ("GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY"):
    os.environ.pop(variable, None)
# Some machines say that no bytecode is to be kept. Hundreds of interpreters are started here: each would compile all of marscore anew, and
# each of pytest's processes all tests.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A suite makes and deletes a quarter of a million files, and what runs wait for most is a disk that flushes. `make test-long` is for disks,
# and so is whoever says where temporary files go.
_MEMORY = Path("/dev/shm")
_SAID = {"TMPDIR", "PYTEST_DEBUG_TEMPROOT"} & os.environ.keys()
if not ALL and not _SAID and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 8 << 30:
    os.environ["PYTEST_DEBUG_TEMPROOT"] = os.fspath(_MEMORY)

# A shell's background job starts with SIGINT ignored and what nohup starts with SIGHUP; that is inherited, and marscore leaves ignored
# signals alone.
for number, usual in ((signal.SIGINT, signal.default_int_handler), (getattr(signal, "SIGHUP", None), signal.SIG_DFL)):
    if number is not None and signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, usual)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """In a fresh clone, compile all once, in two processes; else each of pytest's processes would: eleven seconds of a processor each."""
    tests = config.rootpath / "tests"
    if config.args_source is not pytest.Config.ArgsSource.TESTPATHS or any((tests / "unit").rglob("*-pytest-*.pyc")):
        return
    halves = (
        ["tests/unit"],
        [each.as_posix() for each in sorted(tests.iterdir()) if each.name != "unit" and (each / "__init__.py").exists()],
    )
    line = [sys.executable, "-m", "pytest", "--collect-only", "-p", "no:xdist"]
    compiling = [subprocess.Popen([*line, *half], cwd=config.rootpath, stdout=subprocess.DEVNULL) for half in halves]
    for process in compiling:
        process.wait()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is for `make test-long` alone, and mark what is slow."""
    left_out = spared(items)
    config.hook.pytest_deselected(items=[item for item in items if item in left_out])
    items[:] = [item for item in items if item not in left_out]
    for item in items:
        if item.nodeid.startswith(SLOW):
            item.add_marker(slow)


def pytest_collection_finish() -> None:
    """Look for garbage again from here on."""
    gc.freeze()
    gc.enable()


@pytest.fixture
def origin() -> Iterator[Origin]:
    """A scripted origin."""
    with Origin() as running:
        yield running


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """Certificates that are right."""
    return make_tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    """nginx, plain."""
    with nginx(tmp_path_factory.mktemp("nginx")) as running:
        yield running


@pytest.fixture(scope="session")
def secure_web(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[Nginx]:
    """nginx over TLS."""
    with nginx(tmp_path_factory.mktemp("nginx-tls"), tls) as running:
        yield running


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[Proxy]:
    """A forward proxy."""
    with tinyproxy(tmp_path / "proxy") as running:
        yield running


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which tests were left out and how to have them."""
    skipped = [str(report.longrepr) for report in terminalreporter.stats.get("skipped", [])]
    packages = {text.split("apt-get install ")[1].rstrip("')") for text in skipped if "apt-get install " in text}
    for package in sorted(packages):
        count = sum(package in text for text in skipped)
        terminalreporter.write_line(f"{count} tests were left out, since a program is missing: apt-get install {package}")
    if count := sum("pip install 'marscore[page]'" in text for text in skipped):
        terminalreporter.write_line(f"{count} tests of a run's page were left out: make page-test")
