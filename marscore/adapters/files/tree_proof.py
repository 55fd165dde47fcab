"""What was unpacked of archives, as `verify` has to prove it: records --> files to be hashed, and what is wrong without that."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

from marscore.adapters.files.tree_records import TreeRecords
from marscore.resolve.model import Download
from marscore.resolve.trees import Tree
from marscore.resolve.verify import Expected, Finding, is_of_another, of_tree
from marscore.state import Claim, key_of


class TreeProof:
    """Of one output folder.

    `expected` are files to be hashed, `findings` what is wrong already, `gone` the paths of archives that need not be there any more, and
    `named` those of all links, of which nothing is to be hashed.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._records = TreeRecords(root, "none")
        self.expected: list[Expected] = []
        self.findings: list[Finding] = []
        self.gone: set[str] = set()
        self.named: set[str] = set()

    def of_downloads(self, downloads: Iterable[Download], claims: Mapping[str, Claim]) -> None:
        """Prove what a manifest wants unpacked."""
        for download in downloads:
            if download.into is None:
                continue
            tree = self._records.of(download.into)
            if tree is None:
                self.findings.append(Finding(download.into, "missing", "the archive is not unpacked", "manifest"))
            elif is_of_another(tree, download, claims.get(key_of(download.path))):
                self.findings.append(Finding(download.into, "changed", "it was unpacked of another archive, or otherwise", "manifest"))
            else:
                self._add(tree, download.stays)

    def of_records(self, archives: Collection[str] | None = None) -> None:
        """Prove all that was ever unpacked here, or that of these archives."""
        for tree in self._records.all():
            if archives is None or tree.archive_path in archives:
                self._add(tree, tree.stays)

    def _add(self, tree: Tree, stays: bool) -> None:
        self.expected += of_tree(tree)
        self.findings += [finding for path, target in tree.links if (finding := self._link(f"{tree.into}/{path}", target))]
        self.named.update(f"{tree.into}/{path}" for path, _ in tree.links)
        if not stays:
            self.gone.add(tree.archive_path)

    def _link(self, path: str, target: str) -> Finding | None:
        try:
            found = os.readlink(self._root / path)  # noqa: PTH115 - as it is written, not as a path
        except FileNotFoundError:
            return Finding(path, "missing", "it is not there", "state")
        except OSError:
            return Finding(path, "changed", "it is no link", "state")
        return None if found == target else Finding(path, "changed", "it is a link to something else", "state")

    def doubt(self, into: str) -> None:
        """Have a folder unpacked again by the next run, whatever its files look like."""
        self._records.doubt(into)
