"""How the bytes of one download came, as the report's JSON has it: its ranges, and what happened on the way.

events --note_of--> notes     ranges + notes + sources --timeline_text--> text
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence

from marscore.events import (
    DownloadResumed,
    HostPaused,
    MirrorDropped,
    MirrorSwitched,
    RangesFetched,
    RangesUnsupported,
    ResumeDiscarded,
    name_of,
)
from marscore.report.record import rfc3339, seconds, well_formed
from marscore.values import FetchedRange

#: What is told of a download besides its retries.
Noted = DownloadResumed | ResumeDiscarded | MirrorSwitched | MirrorDropped | RangesUnsupported | HostPaused
#: Notes of one download: a host may ask for a pause again and again.
MOST = 200

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def note_of(event: Noted) -> dict[str, object]:
    """A note as `model.Note` describes it, without what it does not say."""
    said: dict[str, object]
    match event:
        case DownloadResumed():
            said = {"bytes": event.bytes_resumed}
        case ResumeDiscarded():
            said = {"bytes": event.bytes_discarded, "reason": well_formed(event.reason)}
        case MirrorSwitched():
            said = {"url": well_formed(event.to), "reason": well_formed(event.reason)}
        case MirrorDropped() | RangesUnsupported():
            said = {"url": well_formed(event.url), "reason": well_formed(event.reason)}
        case HostPaused():
            said = {"host": well_formed(event.host), "wait_s": seconds(event.wait_s)}
    return {"at": rfc3339(event.at), "event": name_of(type(event)), **said}


def timeline_text(sources: Iterable[str], told: RangesFetched | None, notes: Sequence[Mapping[str, object]]) -> str | None:
    """The timeline as `model.Timeline` describes it; None: there is nothing to tell. `sources` are fit to be shown."""
    if told is None and not notes:
        return None
    fields: dict[str, object] = {"urls": list(map(well_formed, sources))}
    if told is not None:
        fields["ranges"] = list(map(_rounded, told.ranges))
        fields |= {"ranges_left_out": told.left_out} if told.left_out else {}
    if notes:
        fields["notes"] = notes
    return _encode(fields)


def _rounded(each: FetchedRange) -> FetchedRange:
    answered = None if each.answered_s is None else seconds(each.answered_s)
    return each._replace(began_s=seconds(each.began_s), answered_s=answered, ended_s=seconds(each.ended_s))
