"""What a shell offers while a command is typed, by click's own completion: `marscore completion bash|zsh|fish` prints the script.

options and choices   click's own      files   the shell's      --only   tags and paths of the manifest that stands there already
"""

from __future__ import annotations

import os
from collections import UserDict
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from marscore.cli.exits import say
from marscore.cli.verb import Verb

#: The variable by which click tells that a shell asks.
_ASKS = "_MARSCORE_COMPLETE"
#: More than this nobody reads.
_MOST = 200


def files(_context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files and folders, as the shell finds them."""
    return [CompletionItem(incomplete, type="file")]


def selections(context: click.Context, _parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The tags and paths of the manifest on the line; none where it is wrong, or stands behind what is typed."""
    # Where the line ends with the option, click takes its words apart no further.
    manifest = context.params.get("manifest") or next((word for word in context.args if not word.startswith("-")), None)
    if not manifest:
        return []
    try:
        from marscore.resolve.expand import load  # noqa: PLC0415 - a shell asks for this alone

        _, downloads = load(Path(manifest).read_text("utf-8"), manifest, _Anything(os.environ))
    except Exception:  # noqa: BLE001 - a traceback in the middle of a line helps nobody
        return []
    tags = sorted({tag for download in downloads for tag in download.options.tags})
    offered = [*((tag, "tag") for tag in tags), *((download.path, "path") for download in downloads)]
    return [CompletionItem(text, help=what) for text, what in offered if text.startswith(incomplete)][:_MOST]


class _Anything(UserDict[str, str]):
    """The environment with a value for every name: a token that is not set has no say in what the tags are."""

    def __contains__(self, name: object) -> bool:
        return True

    def __missing__(self, name: str) -> str:
        return "x"


@click.command(cls=Verb)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, /, shell: str) -> None:
    """Print what lets SHELL complete marscore's verbs, options and files.

    \b
      bash   eval "$(marscore completion bash)"                 in ~/.bashrc; bash 4.4 or later
      zsh    eval "$(marscore completion zsh)"                  in ~/.zshrc, after compinit
      fish   marscore completion fish >~/.config/fish/completions/marscore.fish
    """
    made = get_completion_class(shell)
    assert made is not None, "click knows these three"
    say(made(context.find_root().command, {}, "marscore", _ASKS).source().rstrip("\n"))
