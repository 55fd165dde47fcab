"""Archives that are to be unpacked: whether what is in them is in place, and what has to be done where it is not.

    decision about the archive + the record of what was unpacked --with_tree--> UpToDate | Unpacking | ... about both

A tree is known by its record (`trees`): of which archive it was made, how, and each of its files. Pure: who calls it has looked at the
disk.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal, TypeAlias

from marscore.frozen import dataclass
from marscore.resolve.model import Download
from marscore.resolve.reconcile import Cached, Decision, Fetch, Refresh, Refuse, Resume, Unpacking, UpToDate, may_ask
from marscore.resolve.trees import Tree
from marscore.state import Claim, key_of
from marscore.validator import Validator
from marscore.values import Failure, Unpacked

#: How a tree stands: as it was recorded; not, or not all of it; or nobody has recorded one.
Standing: TypeAlias = Literal["whole", "changed", "none"]


@dataclass(frozen=True, slots=True)
class FoundTree:
    """What is there of a download's tree, and the claim that the state has of its archive."""

    standing: Standing
    tree: Tree | None = None
    claim: Claim | None = None


def with_tree(decision: Decision, found: FoundTree) -> Decision:
    """The decision about an archive and what is in it, from the one about the archive alone."""
    download = decision.download
    match decision:
        case UpToDate():
            if (unpacked := _made_of(download, decision.digests, found)) is not None:
                return replace(decision, noted=False, unpacked=unpacked)
            return Unpacking(download, _why(decision.reason, found), _claim(decision, found))
        case Cached() if decision.file is not None:
            return Unpacking(download, decision.reason, _claim(decision, found), "cached")
        case Refresh():
            return replace(decision, unpacked=_made_of(download, decision.claim.digests, found))
        case _:
            return decision


def without_archive(decision: Decision, found: FoundTree) -> Decision:
    """The decision about an archive that went once it was unpacked, as it was to: it counts as there while what was in it is."""
    download = decision.download
    claim = _known(found)
    if download.stays or not isinstance(decision, Fetch | Resume) or claim is None or not _is_wanted(download, claim):
        return decision
    unpacked = _made_of(download, claim.digests, found)
    mode = download.options.if_exists
    if unpacked is None or mode == "replace":
        return decision
    if mode == "fail":
        return Refuse(download, "if_exists is fail", Failure("path", "the archive was unpacked already, and if_exists is fail"))
    if mode == "refresh" and may_ask(download, claim):
        return Refresh(download, "if_exists is refresh", claim, unpacked)
    if mode == "refresh":
        return decision
    return UpToDate(download, "it is unpacked, and was not to be kept", claim.identity, claim.digests, unpacked=unpacked)


def _known(found: FoundTree) -> Claim | None:
    """What is known of an archive that is gone: what the state says, else what was noted with its tree."""
    noted = found.tree.archive if found.tree is not None else None
    if found.claim is not None and (noted is None or _sha256(found.claim) == _sha256(noted)):
        return found.claim
    return noted


def _sha256(claim: Claim) -> str | None:
    return next((digest for digest in claim.digests if digest.startswith("sha256:")), None)


def _is_wanted(download: Download, claim: Claim) -> bool:
    """Whether an archive that is gone was the one that the manifest wants."""
    if download.size not in (None, claim.identity.size):
        return False
    if download.checksums:
        return all(str(checksum) in claim.digests for checksum in download.checksums)
    return claim.url_key == key_of(download.url)


def _made_of(download: Download, digests: tuple[str, ...], found: FoundTree) -> Unpacked | None:
    """What was unpacked, if that is whole and was made of the archive with these digests as the manifest wants it now."""
    tree = found.tree
    if found.standing != "whole" or tree is None or _sha256(tree.archive) not in digests or not tree.is_made_as(download):
        return None
    return tree.told


def _why(reason: str, found: FoundTree) -> str:
    what = "it is not unpacked yet" if found.tree is None else "what was unpacked of it is another one or has changed"
    return f"{reason}; {what}"


def _claim(decision: UpToDate | Cached, found: FoundTree) -> Claim:
    """What is known of an archive in place."""
    assert decision.file is not None
    download, known = decision.download, found.claim
    claim = Claim(key_of(download.path), key_of(download.url), decision.file, decision.digests, Validator(), durable=False)
    if known is None or known.url_key != key_of(download.url) or not _is_same(known, decision):
        return claim
    return replace(claim, validator=known.validator, validator_of=known.validator_of)


def _is_same(known: Claim, decision: UpToDate | Cached) -> bool:
    return _sha256(known) in decision.digests
