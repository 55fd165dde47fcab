"""What is wanted against what is on disk: for each download, what has to be done, and why.

    Download + Found (the state's claim, the file, a partial file) --reconcile--> UpToDate | Fetch | Resume | Refresh | Prove | Refuse
    Fetch | Resume + what the cache has --> Cached      UpToDate | Cached of an archive that is to be unpacked --unpacking--> Unpacking

Pure: who calls it has looked at the disk. Prove means: read the file and hash it; `proven` then decides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from marscore.frozen import dataclass
from marscore.journal import Journal
from marscore.policy.redirect import resource_of
from marscore.resolve.model import Download
from marscore.state import UNKNOWN_URL, Claim, FileIdentity, Measured, digests_in, key_of
from marscore.url import parse_url
from marscore.validator import Validator
from marscore.values import Failure, Unpacked


@dataclass(frozen=True, slots=True)
class Found:
    """What the output folder holds for one download."""

    claim: Claim | None = None
    file: FileIdentity | None = None
    partial: bool = False


@dataclass(frozen=True, slots=True)
class UpToDate:
    """Nothing to do. `digests` is what is known of the file, as `algorithm:hex`.

    `noted` tells that the state says all of this already, and that nothing is left of the file's way here; `of_another_url` that the file
    came from another URL than the download's. `unpacked` says of an archive what of it is in place.
    """

    download: Download
    reason: str
    file: FileIdentity
    digests: tuple[str, ...]
    noted: bool = False
    of_another_url: bool = False
    unpacked: Unpacked | None = None


@dataclass(frozen=True, slots=True)
class Cached:
    """Brought from the cache. `digests` is what is known of the file, as `algorithm:hex`. `file` is None where it only would be brought."""

    download: Download
    reason: str
    file: FileIdentity | None = None
    digests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Fetch:
    """Get it from the source, whole."""

    download: Download
    reason: str


@dataclass(frozen=True, slots=True)
class Resume:
    """Go on with what an earlier run left; `kept` is how many bytes of how many (`size`), where somebody has looked."""

    download: Download
    reason: str
    kept: int = 0
    size: int | None = None


@dataclass(frozen=True, slots=True)
class Refresh:
    """Ask the source whether the file in place is still current. `unpacked`: see `UpToDate`."""

    download: Download
    reason: str
    claim: Claim
    unpacked: Unpacked | None = None


@dataclass(frozen=True, slots=True)
class Unpacking:
    """Unpack an archive that is in place, which came from the cache where that is its `status`. `claim` is what is known of it."""

    download: Download
    reason: str
    claim: Claim
    status: Literal["up_to_date", "cached"] = "up_to_date"


@dataclass(frozen=True, slots=True)
class Prove:
    """Hash the file in place with these algorithms, then ask `proven`. `trusted` is the sha256 that it had when it was finished."""

    download: Download
    reason: str
    file: FileIdentity
    algorithms: tuple[str, ...]
    trusted: str | None = None
    claim: Claim | None = None


@dataclass(frozen=True, slots=True)
class Refuse:
    """Nothing can be done."""

    download: Download
    reason: str
    failure: Failure


_UNTOUCHED = "fetched before and unchanged since"
_RIGHT = "its known digest matches the checksum"
_UNASKABLE = "if_exists is refresh, and nothing is known that a server could be asked about"

Decision: TypeAlias = UpToDate | Cached | Fetch | Resume | Refresh | Prove | Refuse | Unpacking


def reconcile(download: Download, found: Found) -> Decision:
    """Decide what one download needs."""
    if download.bad is not None:
        return Refuse(download, "its row is bad", Failure("row", download.bad))
    if found.file is None:
        return _missing(download, found)
    if found.file.kind != "file":
        what = "a folder" if found.file.kind == "folder" else "something that is not a file (a symbolic link or a device)"
        return Refuse(download, "in the way", Failure("path", f"{what} stands where the file should be"))
    mode = download.options.if_exists
    if mode == "fail":
        return Refuse(download, "if_exists is fail", Failure("path", "the file exists already, and if_exists is fail"))
    if mode == "replace":
        return _get(download, found, "if_exists is replace")
    decision = _keep(download, found, found.file)
    if mode == "refresh" and isinstance(decision, UpToDate | Prove):
        return _refresh(download, found, decision)
    return decision


def unchanged(download: Download, row: tuple[Any, ...], file: FileIdentity) -> UpToDate | None:
    """What `reconcile` says of a finished file that nobody touched, told from the row of its claim, where nothing else is to be minded.

    For a hundred thousand files of a run with nothing to do, in a third of the time; None leaves the decision to `reconcile`.
    """
    _, url_key, size, mtime_ns, inode, digests, _, _, _, verified, durable = row
    same = size == verified == file.size and mtime_ns == file.mtime_ns and inode == str(file.inode) and file.kind == "file" and durable == 1
    if not same or url_key != key_of(download.url) or download.options.if_exists != "keep" or download.size not in (None, file.size):
        return None
    known = digests_in(digests)
    if known is None or (download.checksums and not all(str(checksum) in known for checksum in download.checksums)):
        return None
    return UpToDate(download, _RIGHT if download.checksums else _UNTOUCHED, file, known, noted=True)


def unclaimed(download: Download, file: FileIdentity, journal: Journal) -> Claim:
    """The claim that a run would have made of a file in place, from the journal in which it had noted that the file was verified."""
    source = journal.header.url_key
    url_key = key_of(download.url) if source in map(key_of, download.sources) else source
    # The validator of a redirect's target says nothing about what was asked, nor does any of pieces that only a checksum held together.
    asked = next((url for url in dict.fromkeys((download.url, *download.sources)) if key_of(url) == source), None)
    is_its_own = (
        asked is not None and journal.header.resource == key_of(resource_of(parse_url(asked))) and journal.header.proof == "validator"
    )
    known = journal.header.validator if is_its_own else Validator()
    validator = Validator(known.etag, known.strong_date)
    of = source if validator and source != url_key else None
    return Claim(key_of(download.path), url_key, file, (f"sha256:{journal.finished}",), validator, durable=False, validator_of=of)


def proven(question: Prove, found: Measured, partial: bool) -> Decision:
    """Decide after the file was hashed with each algorithm asked for."""
    download, digests = question.download, found.digests
    wanted = {c.algorithm: c.hex for c in download.checksums}
    right = all(digests[algorithm] == value for algorithm, value in wanted.items())
    if right and (wanted or digests["sha256"] == question.trusted):
        known = tuple(f"{algorithm}:{value}" for algorithm, value in digests.items())
        if download.options.if_exists == "refresh":
            return _ask(question, found.identity, known, partial)
        another = question.claim is not None and _is_of_another_url(download, question.claim)
        return UpToDate(download, "the file has the right content", found.identity, known, of_another_url=another)
    reason = "the file in place has other content than the checksum says" if wanted else "the file in place has changed"
    return _get(download, Found(partial=partial), reason)


def _is_of_another_url(download: Download, claim: Claim) -> bool:
    return claim.url_key not in (UNKNOWN_URL, key_of(download.url), *map(key_of, download.sources))


def _ask(question: Prove, file: FileIdentity, known: tuple[str, ...], partial: bool) -> Decision:
    # A file may be right by its checksum and yet not be the one that the claim's validator speaks of.
    if question.claim is None or f"sha256:{question.trusted}" not in known:
        return _get(question.download, Found(partial=partial), _UNASKABLE)
    return Refresh(question.download, "if_exists is refresh", replace(question.claim, identity=file, digests=known))


def _missing(download: Download, found: Found) -> Decision:
    return _get(download, found, "not there yet")


def _get(download: Download, found: Found, reason: str) -> Decision:
    if found.partial:
        return Resume(download, f"{reason}; an earlier run left a part")
    return Fetch(download, reason)


def _keep(download: Download, found: Found, file: FileIdentity) -> Decision:
    # Of a file that has another size, nothing that is known holds.
    claim = found.claim if found.claim and found.claim.identity.size == file.size else None
    if download.size is not None and file.size != download.size:
        return _get(download, found, f"the file in place has {file.size} bytes")
    if download.checksums:
        return _keep_by_checksum(download, found, file, claim)
    if claim is None or claim.url_key != key_of(download.url):
        ours = found.claim is not None and found.claim.url_key == key_of(download.url)
        told = "the file in place has changed since it was fetched" if ours else "the file in place is not known to be from this URL"
        return _get(download, found, told)
    if claim.identity != file:
        return _prove(download, file, "fetched before, and copied or touched since", claim)
    if claim.durable:
        return UpToDate(download, _UNTOUCHED, file, claim.digests, noted=not found.partial)
    return _prove(download, file, "fetched before, and not known to be flushed to the disk", claim)


def _keep_by_checksum(download: Download, found: Found, file: FileIdentity, claim: Claim | None) -> Decision:
    if claim and claim.identity != file:
        return _prove(download, file, "a file is there that was copied or touched since it was fetched", claim)
    known = dict(digest.split(":", 1) for digest in claim.digests) if claim else {}
    if any(known.get(c.algorithm, c.hex) != c.hex for c in download.checksums):
        return _get(download, found, "the file in place has other content than the checksum says")
    if claim and claim.durable and all(c.algorithm in known for c in download.checksums):
        noted = not found.partial and claim.url_key == key_of(download.url)
        return UpToDate(download, _RIGHT, file, claim.digests, noted, _is_of_another_url(download, claim))
    return _prove(download, file, "a file is there whose content is not known", claim)


def _prove(download: Download, file: FileIdentity, reason: str, claim: Claim | None) -> Prove:
    algorithms = tuple(dict.fromkeys(["sha256", *(c.algorithm for c in download.checksums)]))
    trusted = next((d.split(":", 1)[1] for d in claim.digests if d.startswith("sha256:")), None) if claim else None
    return Prove(download, reason, file, algorithms, trusted, claim)


def _refresh(download: Download, found: Found, decision: UpToDate | Prove) -> Decision:
    # `_keep` has looked whether the claim may be of this file; where that is not sure, it is proven.
    claim = found.claim if found.file and found.claim and found.claim.identity.size == found.file.size else None
    if claim is None or not may_ask(download, claim):
        return _get(download, found, _UNASKABLE)
    # That a file is current on the server says nothing about the copy here, so what has to be proven of it is proven first.
    return decision if isinstance(decision, Prove) else Refresh(download, "if_exists is refresh", claim)


def may_ask(download: Download, claim: Claim) -> bool:
    """Whether any source can be asked if what it served is still current: a validator is that one's alone."""
    return claim.url_key == key_of(download.url) and any(claim.validator_at(source).conditions for source in download.sources)


def refusing(decisions: Sequence[Decision], refused: Mapping[str, Failure]) -> list[Decision]:
    """The decisions, but for downloads of which something is not known that they need (by id): those fail."""
    if not refused:
        return list(decisions)
    return [
        Refuse(decision.download, "its checksum is not known", failure) if (failure := refused.get(decision.download.id)) else decision
        for decision in decisions
    ]


def in_the_way(decision: Decision, file: FileIdentity | None) -> bool:
    """Whether a file would be replaced that no earlier run is known to have put there."""
    return file is not None and isinstance(decision, Fetch | Resume)


def not_replacing(decision: Decision, found: Measured | None, offline: bool = False) -> Decision:
    """What becomes of a decision where such a file is not replaced: what comes is held against it, or the download fails.

    `found` is what was measured of it; None where it is of no use, since it is known to be wrong, or nothing may be asked for.
    """
    assert isinstance(decision, Fetch | Resume), "others replace nothing"
    download = decision.download
    if offline:
        message = "a file is there already that is not known to be right, and the run is offline: nothing can be fetched in its place"
        return Refuse(download, decision.reason, Failure("offline", message))
    if found is None:
        message = f"a file is there already, and is not replaced without --overwrite: {decision.reason.partition(';')[0]}"
        return Refuse(download, decision.reason, Failure("path", message))
    digests = tuple(f"{algorithm}:{value}" for algorithm, value in found.digests.items())
    standing = Claim(key_of(download.path), key_of(download.url), found.identity, digests, Validator(), durable=False)
    return replace(
        decision, download=replace(download, standing=standing), reason="a file is there already, and is compared with the server's"
    )


def without_network(decision: Decision) -> Decision:
    """What becomes of a decision where no request may be sent: what is in place and right stays, what would be fetched fails."""
    download = decision.download
    if isinstance(decision, Refresh):
        reason = "if_exists is refresh, and the run is offline"
        if download.into is not None and decision.unpacked is None:
            return Unpacking(download, reason, decision.claim)
        return UpToDate(download, reason, decision.claim.identity, decision.claim.digests, unpacked=decision.unpacked)
    if isinstance(decision, Fetch | Resume):
        told = f"{decision.reason}, it is not in a cache, and the run is offline"
        return Refuse(download, decision.reason, Failure("offline", told))
    return decision
