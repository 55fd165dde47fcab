"""What has to hold after each run. The disk is the witness: what a run says of itself is what is tried."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from marscore.adapters.files.folder import Folder
from marscore.errors import StorageError
from marscore.events import DownloadFailed, DownloadResumed, DownloadStarted, MirrorDropped, Outcome, ResumeDiscarded
from marscore.execute.transfer.protocol import Moment
from marscore.execute.worker.writing import reopen
from marscore.journal import decode
from marscore.resolve.reconcile import UpToDate
from marscore.state import claim_of, key_of
from marscore.values import ByteRange, merge_ranges
from tests.simulation.faults.disks import CallFails, TakesItsTime, TakesLess
from tests.simulation.faults.mirrors import OfOneSource
from tests.simulation.faults.origins import OfAnswers
from tests.simulation.faults.versions import ChangesMeanwhile
from tests.simulation.scenario import STRANGER, File, secret_of

if TYPE_CHECKING:
    from tests.simulation.play import Play
    from tests.simulation.run import Ended

#: Stands for a file that is in place.
WHOLE = (ByteRange(0, 1 << 62),)
IN_PLACE = ("downloaded", "up_to_date")
#: Seconds within which a signal has to end a run.
STOPS_WITHIN = 2.0
#: What a run may say of a worker that the world has killed.
_OF_DEATHS = ("the worker process died twice", "worker processes died one after the other")
_OF_THE_MACHINE = ("disk_full", "permission")


def found_by(play: Play, ended: Ended) -> list[str]:
    """What is wrong after a run."""
    wrong = [*play.network.wrong, *_secrets(play), *_contents(play, ended), *_journals(play, ended), *_claims(play), *_proven(play, ended)]
    wrong += _blamed(play, ended)
    if ended.exit_code is not None:
        wrong += [*_outcomes(play, ended), *_entries(play, ended), *_exit(play, ended), *_left(play, ended), *_told(ended)]
        wrong += [*_timelines(play, ended)]
    return wrong


def _secrets(play: Play) -> Iterator[str]:
    """No secret goes to a host that is none of its download's own."""
    owners: dict[str, set[str]] = {}
    for file in play.scenario.files:
        if file.secret is not None:
            owners.setdefault(secret_of(file.secret), set()).update({file.host, *filter(None, (file.mirror, file.second))})
    for seen in play.network.requests:
        for secret, hosts in owners.items():
            # What a server itself writes into a redirect is not what we tell.
            if seen.host not in hosts and any(secret in value for value in seen.fields.values()):
                yield f"a secret of {sorted(hosts)} was sent to {seen.host}"
    for seen in play.network.requests:
        if seen.host == STRANGER and "authorization" in seen.fields:
            yield "credentials were sent to a stranger"


def _blamed(play: Play, ended: Ended) -> Iterator[str]:
    """No source is said to have sent wrong bytes that sent none, where nothing but servers could have spoiled any."""
    if not all(isinstance(fault, (OfAnswers, OfOneSource)) and not isinstance(fault, ChangesMeanwhile) for fault in play.spec.faults):
        return
    lies = [fault.where for fault in play.spec.faults if fault.is_lie]  # type: ignore[attr-defined]  # both kinds say so
    files = {f"downloads[{file.number}]": file for file in play.scenario.files}
    for event in ended.events:
        if isinstance(event, MirrorDropped) and "wrong bytes" in event.reason:
            file = files[event.download]
            asked = file.target if event.url == file.url else event.url
            if len(file.sizes) == 1 and not play.leads_elsewhere(file) and not any(where in asked for where in lies):
                yield f"{event.url} is said to have sent wrong bytes"


def _contents(play: Play, ended: Ended) -> Iterator[str]:
    """Every file in place is one version of its own, whole."""
    # What a power cut took, nobody claims: it is there until a run replaces it.
    believed = {d.download.path for d in ended.decisions if isinstance(d, UpToDate)} if play.lost_power else None
    if play.loses_power and ended.exit_code is None:
        # It was right when it was looked at, and is believed by nobody yet.
        believed = set()
    there = play.disk.files()
    for file in play.scenario.files:
        inode = there.get(file.path)
        if inode is None or (believed is not None and file.path not in believed):
            continue
        if not play.is_version(file, inode.data) and play.edited.get(file.path) is not inode:
            yield f"{file.path} has {len(inode.data)} bytes that are no version of it"
    for path in play.before - there.keys() if not play.loses_power else ():
        yield f"{path} was in place and is no more"
    for path in there.keys() - {file.path for file in play.scenario.files}:
        yield f"{path} is there, which nobody wanted"


def _journals(play: Play, ended: Ended) -> Iterator[str]:
    """What was recorded can be read: half a line is the last one. What was damaged is put right when a run goes on with it."""
    if play.loses_power:
        return
    begun = {event.download for event in ended.events if isinstance(event, (DownloadStarted, DownloadResumed))}
    for file in play.scenario.files:
        inode = play.disk.names.get(f"{play.disk.root}/.marscore/partial/{key_of(file.path)}.journal")
        if inode is None or ((play.lost_power or play.damaged) and f"downloads[{file.number}]" not in begun):
            continue
        journal = decode(bytes(inode.data))
        if journal is not None and b"\n" in inode.data[journal.sound :]:
            yield f"{len(inode.data) - journal.sound} bytes of a journal are of no use"


def _claims(play: Play) -> Iterator[str]:
    """What the state claims of a file that has its identity, holds of its content."""
    there = {key_of(path): inode for path, inode in play.disk.files().items()}
    for row in play.database.rows.values():
        claim = claim_of(row)
        inode = there.get(row[0])
        if claim is None or inode is None or (play.lost_power and not claim.durable):
            continue
        known = claim.identity
        same = (known.size, known.mtime_ns, known.inode) == (len(inode.data), inode.mtime_ns, inode.number)
        if same and f"sha256:{inode.sha256}" not in claim.digests:
            yield f"a claim lies of a file of {known.size} bytes"


def _proven(play: Play, ended: Ended) -> Iterator[str]:
    """No byte that was proven is asked for again, unless it was thrown away and told of."""
    if any(isinstance(fault, CallFails) and fault.is_of_looking for fault in play.spec.faults):
        # What cannot be looked at counts as none.
        return
    discarded = {event.download for event in ended.events if isinstance(event, ResumeDiscarded)}
    for file in play.scenario.files:
        spans = play.proven.get(file.number, ())
        if spans == WHOLE and ended.exit_code is not None and any(s.exchange.request.url.text in file.urls for s in play.network.requests):
            yield f"{file.path} was asked for, though it was in place and its journal told of it"
        if not spans or f"downloads[{file.number}]" in discarded or ended.exit_code is None:
            continue
        for number, seen in enumerate(seen for seen in play.network.requests if seen.exchange.request.url.text in file.urls):
            # Of a server that refuses a part, the whole is asked for once.
            asked = seen.fields.get("range")
            start, _, last = asked[6:].partition("-") if asked else ("0", "", "")
            end = int(last) + 1 if last else 1 << 62
            if (asked or not number) and any(int(start) < span.end and span.start < end for span in spans):
                yield f"{file.path}: {asked or 'all of it'} was asked for, of which {spans} were proven"


def _outcomes(play: Play, ended: Ended) -> Iterator[str]:
    """Every download has exactly one outcome, and a defect is none."""
    if ended.trouble is not None or (ended.signalled_at is not None and ended.crew is None):
        # It was over before anything began.
        return
    counted = Counter(event.download for event in ended.events if isinstance(event, Outcome))
    for file in play.scenario.files:
        if counted[f"downloads[{file.number}]"] != 1:
            yield f"downloads[{file.number}] has {counted[f'downloads[{file.number}]']} outcomes"
    for event in ended.events:
        if isinstance(event, DownloadFailed) and event.kind == "internal" and not any(said in event.message for said in _OF_DEATHS):
            yield f"{event.download} failed by a defect: {event.message}"


def _entries(play: Play, ended: Ended) -> Iterator[str]:
    """What the report says to be in place is in place as it says."""
    there = play.disk.files()
    for file, entry in zip(play.scenario.files, ended.entries, strict=True):
        if entry["status"] not in IN_PLACE:
            continue
        inode = there.get(file.path)
        if inode is None:
            yield f"{file.path} is {entry['status']} and not there"
        elif len(inode.data) != entry["size"]:
            yield f"{file.path} is told to have {entry['size']} bytes and has {len(inode.data)}"
        elif entry["checksum"] != f"sha256:{inode.sha256}":
            yield f"{file.path} does not have the checksum that is told of it"
        elif not play.is_version(file, inode.data, wanted=True):
            yield f"{file.path} is {entry['status']} with another content than the manifest's checksum says"


def _timelines(play: Play, ended: Ended) -> Iterator[str]:
    """The ranges that are told of a file cover it, each within its download's time, and all bytes that came are in the throughput."""
    for entry in ended.entries:
        timeline = entry.get("timeline") or {}
        ranges = timeline.get("ranges", [])
        for offset, length, began, answered, over, source, end, _kept in ranges:
            if not 0 <= began <= (began if answered is None else answered) <= over <= entry["duration_s"] + 0.001 or length < 0:
                yield f"{entry['path']}: {length} bytes from {offset} on came at {began}, {answered}, {over} of {entry['duration_s']} s"
            if (source is None) != (end == "resumed") or (source is not None and source >= len(timeline["urls"])):
                yield f"{entry['path']}: a range is {end} and of source {source}"
        if entry["status"] == "downloaded" and ranges:
            there = merge_ranges(ByteRange(offset, offset + length) for offset, length, *_, kept in ranges if kept)
            if there != ((ByteRange(0, entry["size"]),) if entry["size"] else ()):
                yield f"{entry['path']}: {there} were fetched of {entry['size']} bytes"
    died = ended.crew is not None and any(not worker.process.alive for worker in ended.crew.workers)
    told, counted = sum(entry["bytes_downloaded"] for entry in ended.entries), sum(ended.throughput)
    if counted < told and not died:
        yield f"{told} bytes were received, and {counted} of them over time"


def _under_way(play: Play) -> float:
    """Seconds in which a disk takes what was received when a signal came, up to 2 MiB, where it takes a part of it at each slow call."""
    parts = [fault.most for fault in play.spec.faults if isinstance(fault, TakesLess)]
    slow = sum(fault.seconds for fault in play.spec.faults if isinstance(fault, TakesItsTime) and "pwritev" in fault.calls)
    return slow * 2 * 1024 * 1024 / min(parts) if parts else 0.0


def _exit(play: Play, ended: Ended) -> Iterator[str]:
    """The exit code follows from the outcomes."""
    statuses = [entry["status"] for entry in ended.entries]
    kinds = {entry["error"]["kind"] for entry in ended.entries if entry.get("error")}
    if ended.trouble is None and all(status in IN_PLACE for status in statuses):
        right = 0
    elif play.run.signal is not None:
        right = 128 + play.run.signal
    else:
        right = 3 if ended.trouble is not None or kinds & set(_OF_THE_MACHINE) else 1
    if ended.exit_code != right:
        yield f"the exit code is {ended.exit_code} and should be {right}: {statuses}, {kinds}"
    # What is in place is hashed to the end, and what was finished is flushed.
    if play.spec.deadline is not None and ended.closed > max(play.spec.deadline, ended.planned) + STOPS_WITHIN:
        yield f"the run went on for {ended.closed:.2f} s, and was to end after {play.spec.deadline:g} s"
    if ended.signalled_at is not None:
        took = play.ended_at - ended.signalled_at
        if took > STOPS_WITHIN + _under_way(play):
            yield f"the run went on for {took:.2f} s after the signal"


def _left(play: Play, ended: Ended) -> Iterator[str]:
    """A run that ends well leaves nothing of its way, and none leaves a file open."""
    if ended.exit_code == 0 and not play.fails and (left := play.disk.own_files()):
        yield f"{left} are left of a run in which all went well"
    if ended.descriptors and ended.crew is not None:
        yield f"{ended.descriptors} files are left open by the run"
    for worker in ended.crew.workers if ended.crew else ():
        if worker.is_gone and worker.process.alive and worker.system.descriptors:
            yield f"{worker.system.descriptors} files are left open by a worker"


def _told(ended: Ended) -> Iterator[str]:
    """No secret is written down."""
    text = "".join(ended.lines) + "".join(map(str, ended.entries)) + "".join(ended.warnings)
    for kind in ("header", "password"):
        secret = secret_of(kind)
        if secret in text or secret.rpartition(":")[2] in text:
            yield "a secret stands in the log or the report"


def proven_before(play: Play, file: File) -> tuple[ByteRange, ...]:
    """The ranges of a file that an earlier run left, and that are on the disk as its journal says."""
    folder: Folder = play.looking_folder()
    inode = play.disk.files().get(file.path)
    finished = folder.finished(file.path)
    if finished is not None and inode is not None and finished.finished == inode.sha256 and play.is_version(file, inode.data, wanted=True):
        kept = play.spec.if_exists == "keep" and ((file.summed and not play.spec.unsummed) or finished.header.url_key == key_of(file.url))
        return WHOLE if kept and not play.fails else ()
    try:
        partial, opened = reopen(folder, file.path, lambda: Moment(0.0, 0.0))
    except StorageError:
        return ()
    if partial is not None:
        partial.close()
    return opened.proven
