"""What the verbs ask of the app, and how they get it.

The seam for tests: a click context that carries an object (`CliRunner().invoke(cli, args, obj=fake)`) uses that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import click

from marscore.settings import ManifestInput, RunSettings

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from marscore.app import Validated
    from marscore.asking import Asked
    from marscore.exporting import Exported
    from marscore.lists.imported import Imported
    from marscore.lists.model import Format, Secrecy, Target
    from marscore.locking import Locked
    from marscore.long_plan import LongPlan
    from marscore.manifest.environment import Unset
    from marscore.planning.document import PlanDocument
    from marscore.report.ended import Ended
    from marscore.resolve.locked import Mismatch
    from marscore.verifying import Extra, Fix, Verified


class Engine(Protocol):
    """The functions of `marscore.app` that the command line calls."""

    def run(self, manifest: ManifestInput, settings: RunSettings, handle_signals: bool = False) -> Ended:
        """Fetch what is wanted."""
        ...

    def get(self, manifest: ManifestInput, settings: RunSettings, overwrite: bool = False, handle_signals: bool = False) -> Ended:
        """The same, leaving nothing but the files."""
        ...

    def planned(self, manifest: ManifestInput, settings: RunSettings) -> PlanDocument | LongPlan:
        """Tell what a run would do."""
        ...

    def validate(self, manifest: ManifestInput, settings: RunSettings, unset: Unset = "refused") -> Validated:
        """Check the manifest, count its downloads and tell what it runs."""
        ...

    def lock(self, manifest: ManifestInput, settings: RunSettings, upgrade: Iterable[str] = (), handle_signals: bool = False) -> Locked:
        """Write down what each file is."""
        ...

    def check_lock(self, manifest: ManifestInput, settings: RunSettings) -> list[Mismatch]:
        """In what a manifest differs from its lock."""
        ...

    def diff_lock(self, manifest: ManifestInput, settings: RunSettings, old: Path) -> list[str]:
        """In what a lock differs from an older one."""
        ...

    def verify(self, manifest: ManifestInput | None, settings: RunSettings, extra: Extra = "ignored", fix: Fix = "no") -> Verified:
        """Prove the files in place."""
        ...

    def import_list(self, text: str, source: str, form: Format | None, base: str | None, secrecy: Secrecy = "named") -> Imported:
        """Make a manifest of a list."""
        ...

    def export(self, manifest: ManifestInput, settings: RunSettings, target: Target) -> Exported:
        """Write a manifest for another program."""

    def outdated(self, manifest: ManifestInput, settings: RunSettings) -> Asked:
        """Ask the servers what has changed there."""
        ...

    def schema(self, name: str) -> dict[str, Any]:
        """The JSON Schema of this name."""
        ...


def engine(context: click.Context) -> Engine:
    """The app, imported now, since it brings everything with it; or what the context carries in its place."""
    if context.obj is not None:
        return cast(Engine, context.obj)
    from marscore.adapters.imports import only_needed  # noqa: PLC0415  --help and --version must not wait for these

    with only_needed():
        from marscore import app  # noqa: PLC0415  as above

    return app
