"""What is known of the file on the server: its version, whether ranges work, and what may be joined with what.

    answers --adopt, merge--> Knowledge --combinable, if_range, unacceptable--> Transfer's decisions

Bytes of several answers are joined only where something proves that they are of one version: a strong validator (`marscore.validator`), or
a checksum of the whole.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from marscore.execute.transfer.answer import Version
from marscore.execute.transfer.protocol import Opened
from marscore.journal import Proof
from marscore.resolve.model import Download
from marscore.state import key_of
from marscore.validator import Validator
from marscore.values import Announced, Failure


class Knowledge:
    """Of one download, from its current source. `ranges` is None until a server says or shows whether they work."""

    def __init__(self, download: Download) -> None:
        self._download = download
        #: What holds the bytes together that are joined.
        self.proof: Proof = _proof_of(download)
        #: The checksums, by key, that all bytes which wait for one wait for.
        self.checksums = _keys_of(download)
        #: How many of the validator's forms the server did not take in an If-Range.
        self._refused = 0
        self.version: Version | None = None
        self.ranges: bool | None = None

    @property
    def size(self) -> int | None:
        """The file's size, where it was told."""
        return self.version.size if self.version else None

    @property
    def validator(self) -> Validator:
        """The version's validator; an empty one where there is none."""
        return self.version.validator if self.version else Validator()

    @property
    def combinable(self) -> bool:
        """Whether bytes of several answers may be joined."""
        return self.proof == "checksum" or bool(self.validator.strong)

    @property
    def resumable(self) -> bool:
        """Whether a cut body may be continued by another request."""
        return self.combinable and self.ranges is not False

    @property
    def worth_keeping(self) -> bool:
        """Whether a later run can go on with these bytes: what no proof would join, or no server continues, only takes room from others."""
        return self.combinable and (self.ranges is not False or len(self._download.sources) > 1)

    @property
    def if_range(self) -> str | None:
        """What a request for a part has to name, so that no part of another version is sent."""
        return (*self.validator.strong, None)[self._refused]

    @property
    def announced(self) -> tuple[Announced, ...]:
        """The digests of the whole that answers gave of the version."""
        return self.version.announced if self.version else ()

    def adopt(self, version: Version) -> None:
        """Take a version as the one to fetch."""
        self.version = version
        self._refused = 0

    def adopt_found(self, found: Opened) -> None:
        """Take the version that an earlier run left a part of."""
        self.adopt(Version(found.size, found.validator, found.encoding, found.resource, found.announced))
        if found.proof == "checksum":
            self.checksums = tuple(key for key in found.checksums if key in self.checksums)
        # Its journal tells a later run that this validator proves each piece. So it has to, though there is a checksum now; but it says
        # nothing of what another URL will bring.
        elif found.validator.strong and found.url_key in {key_of(url) for url in self._download.sources}:
            self.proof = "validator"

    def adopt_answer(self, version: Version, accepts_ranges: bool | None) -> None:
        """Take the version of an answer that holds the whole file."""
        self.adopt(version)
        # That a server says "none" is believed; that it says "bytes" is only a reason to try.
        if self.ranges is None or accepts_ranges is False:
            self.ranges = accepts_ranges

    def take_over(self, other: Knowledge) -> None:
        """Know of the file what was known of it from another source: its size, what proves it, and what was said of its content."""
        self.proof, self.checksums = other.proof, other.checksums
        if other.size is not None:
            self.version = self.version or Version(None, Validator(), announced=other.announced)
            self.complete_size(other.size)

    def complete_size(self, size: int) -> None:
        """Learn the size of a version that was told without one."""
        self.version = replace(self.version, size=size) if self.version else Version(size, Validator())

    def merge(self, version: Version) -> None:
        """Complete what is known by what a part of the same version tells."""
        self.ranges = True
        announced = tuple(dict.fromkeys([*self.announced, *version.announced]))
        if not self.validator:
            self.adopt(replace(version, size=version.size if version.size is not None else self.size, announced=announced))
            return
        if self.size is None and version.size is not None:
            self.complete_size(version.size)
        if announced != self.announced and self.version:
            self.version = replace(self.version, announced=announced)

    def weaken_condition(self) -> bool:
        """Use the next form of If-Range. False: there is none left.

        Some servers answer 200 to an If-Range that holds an ETag; the date, and then each 206's own validators, say the same.
        """
        if self._refused == len(self.validator.strong):
            return False
        self._refused += 1
        return True

    def forget(self) -> None:
        """Know nothing of the version any more; no bytes of it are left."""
        self.version = None
        self.proof = _proof_of(self._download)
        self.checksums = _keys_of(self._download)
        self._refused = 0

    def change_to(self, version: Version) -> str | None:
        """Say in what an answer's version differs from the one being fetched; None where nothing speaks against it."""
        change = version.differs_from(self.version) if self.version else None
        return f"the file changed on the server: {change}" if change else None

    def refuted(self, digests: Mapping[str, str]) -> str | None:
        """Which announced digest a file with these (algorithm -> lowercase hex) has not; None where it has all that were computed."""
        for each in self.announced:
            algorithm, named = each.checksum.algorithm, each.checksum.hex
            if (found := digests.get(algorithm, named)) != named:
                return f"{algorithm} is {found} and the answer's {each.field} names {named}"
        return None

    def leaves_unproven(self, version: Version, condition: str | None) -> bool:
        """Whether nothing proves that a part, asked for with `condition` in If-Range, is of the version that is known."""
        if self.proof == "checksum":
            return False
        known = self.version.resource if self.version else None
        return known not in (None, version.resource) or not self.validator.joins(version.validator, condition)

    @property
    def weakness(self) -> str:
        """Why what is known joins no bytes, for people."""
        if self.ranges is False:
            return "the server cannot resume"
        return _weakness(self.validator)

    def unacceptable(self, size: int | None) -> Failure | None:
        """Why a file of this size is not what the manifest wants; None where it may be."""
        wanted = self._download.size
        if size is not None and wanted is not None and size != wanted:
            return self._another_size(f"the file has {size} bytes", f"and should have {wanted}", f"and the lock names {wanted}")
        standing = self._download.standing
        if size is not None and standing is not None and size != standing.identity.size:
            return self._download.other_than_standing
        return None if size is None else self.too_long(size)

    def too_long(self, size: int) -> Failure | None:
        """Why so many bytes are too many already; None where they are not."""
        most, wanted = self._download.options.max_size, self._download.size
        if most is not None and size > most:
            return Failure("too_large", f"the file has more than max_size, {most} bytes")
        if wanted is not None and size > wanted:
            own = f"than the {wanted} bytes that it should have"
            return self._another_size("the file has more", own, f"than the {wanted} bytes that the lock names")
        return None

    def _another_size(self, told: str, by_manifest: str, by_lock: str) -> Failure:
        held = self._download.held
        if held is not None and held.size is not None:
            return Failure("checksum", f"{told} {by_lock}")
        return Failure("size", f"{told} {by_manifest}")

    def unusable(self, found: Opened, source_keys: Collection[str]) -> str | None:
        """Why what an earlier run left cannot be built on; None where it can."""
        wanted = self._download.size
        if wanted is not None and found.size not in (None, wanted):
            return f"it is of a file of {found.size} bytes"
        if found.proof == "checksum" and not set(found.checksums) & set(_keys_of(self._download)):
            now = "has another one now" if self._download.checksums else "no longer has one"
            return f"a checksum was to prove that it is of one version, and the manifest {now}"
        if self._download.checksums:
            return None
        if found.url_key not in source_keys:
            return "it came from another URL, and no checksum would tell whether the content is the same"
        return None if found.validator.strong else _weakness(found.validator)


def _proof_of(download: Download) -> Proof:
    return "checksum" if download.checksums else "validator"


def _keys_of(download: Download) -> tuple[str, ...]:
    return tuple(key_of(str(checksum)) for checksum in download.checksums)


def _weakness(validator: Validator) -> str:
    sent = [name for name, value in (("ETag", validator.etag), ("Last-Modified", validator.last_modified)) if value]
    if not sent:
        return "the server sends nothing that tells one version from another"
    why = {"ETag": "weak or no entity tag", "Last-Modified": "no date, or less than a minute older than its answer"}
    said = " and ".join(f"{name} ({why[name]})" for name in sent)
    return f"the server sends nothing that surely tells one version from another: {said}"
