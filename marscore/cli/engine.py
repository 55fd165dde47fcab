"""What the verbs ask of the app, and how they get it.

The seam for tests: a click context that carries an object (`CliRunner().invoke(cli, args, obj=fake)`) uses that one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

import click

from marscore.settings import ManifestInput, RunSettings

if TYPE_CHECKING:
    from marscore.planning.document import PlanDocument
    from marscore.report.ended import Ended


class Engine(Protocol):
    """The functions of `marscore.app` that the command line calls."""

    def run(self, manifest: ManifestInput, settings: RunSettings, handle_signals: bool = False) -> Ended:
        """Fetch what is wanted."""
        ...

    def plan(self, manifest: ManifestInput, settings: RunSettings) -> PlanDocument:
        """Tell what a run would do."""
        ...

    def validate(self, manifest: ManifestInput, settings: RunSettings) -> int:
        """Check the manifest and count its downloads."""
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
