"""What every command has in common: its help goes to standard output as all else does, so that a full disk there is told."""

from __future__ import annotations

from typing import Any

import click

from marscore.cli.exits import say


class Verb(click.Command):
    """A command whose help is written by `say`: click's own way ends in a traceback where it cannot be."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        """The option, with another callback."""
        option = super().get_help_option(ctx)
        if option is not None:
            option.callback = _help
        return option


class VerbGroup(Verb, click.Group):
    """Commands below one name, of the same kind."""

    command_class = Verb


def _help(context: click.Context, _: click.Parameter, value: Any) -> None:
    if value and not context.resilient_parsing:
        say(context.get_help())
        context.exit()


def say_version(context: click.Context, _: click.Parameter, value: Any) -> None:
    """Print which marscore this is."""
    if value and not context.resilient_parsing:
        from marscore.version import __version__  # noqa: PLC0415 - where it is asked for

        say(f"marscore {__version__}")
        context.exit()
