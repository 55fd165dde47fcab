"""The claim that a finished download makes."""

from __future__ import annotations

from marscore.events import DownloadFinished
from marscore.resolve.model import Download
from marscore.state import Claim, FileIdentity, key_of
from marscore.validator import Validator


def claim_of(event: DownloadFinished, download: Download) -> Claim:
    """What the state is to hold of its file, as far as this run has found out; not durable yet."""
    identity = FileIdentity(event.size, event.mtime_ns, event.inode)
    validator = Validator(event.etag, event.last_modified)
    return Claim(
        key_of(download.path), key_of(download.url), identity, event.digests, validator, durable=False, validator_of=event.validator_of
    )
