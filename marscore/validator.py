"""What tells one version of a resource from another, and what of that proves that bytes are of one version (RFC 9110 section 8.8).

    ETag, Last-Modified, Date of one answer --> Validator --strong, joins--> whether bytes of two answers may be joined
                                                          --conditions--> what asks whether a file is still current

What is strong is decided here and nowhere else; resume, parallel ranges, new connections and mirrors go by it.
"""

from __future__ import annotations

import re
from datetime import datetime, timezone
from functools import lru_cache

from marscore.frozen import dataclass

#: `[W/]"..."`, the W in upper case, in the quotes neither quotes, spaces nor controls (RFC 9110 section 8.8.3). A list is none.
_ENTITY_TAG = re.compile(r'(?:W/)?"[\x21\x23-\x7e\x80-\xff]*"')
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTH = f"(?P<month>{'|'.join(_MONTHS)})"
_DAY_NAME = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_LONG_DAY_NAME = "(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day"
_TIME = r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9]|60)"
#: The three forms of an HTTP-date (RFC 9110 section 5.6.7): IMF-fixdate, that of RFC 850, that of asctime.
_DATES = (
    re.compile(rf"{_DAY_NAME}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_TIME} GMT"),
    re.compile(rf"{_LONG_DAY_NAME}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_TIME} GMT"),
    re.compile(rf"{_DAY_NAME} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_TIME} (?P<year>[0-9]{{4}})"),
)
_LONGEST_DATE = len("Wednesday, 06-Nov-94 08:49:37 GMT")
#: How much older than its answer a date has to be. A second would do if nothing but the date's resolution stood in the way; a minute allows
#: for a server whose clock and whose file system's clock differ (RFC 9110 section 8.8.2.2).
_SETTLED = 60


@dataclass(frozen=True, slots=True)
class Validator:
    """The ETag and Last-Modified of an answer, as sent, and the Date that it had.

    Without the Date nothing is known of the worth of a Last-Modified, and it proves nothing.
    """

    etag: str | None = None
    last_modified: str | None = None
    date: str | None = None

    @property
    def entity_tag(self) -> str | None:
        """The ETag, weak or strong, if it is one at all."""
        return self.etag if self.etag is not None and _ENTITY_TAG.fullmatch(self.etag) else None

    @property
    def strong_etag(self) -> str | None:
        """The ETag if it is strong; a weak one never proves that bytes are the same (RFC 9110 section 8.8.1)."""
        tag = self.entity_tag
        return None if tag is None or tag.startswith("W/") else tag

    @property
    def strong_date(self) -> str | None:
        """The Last-Modified if no other version can have it: the file was left alone for a minute when the answer was made.

        A file may change twice in the second that the date stands for (RFC 9110 section 8.8.2.2).
        """
        modified, sent = http_date(self.last_modified), http_date(self.date)
        return self.last_modified if modified is not None and sent is not None and sent - modified >= _SETTLED else None

    @property
    def strong(self) -> tuple[str, ...]:
        """What proves that bytes are of this version, and may stand in an If-Range: the ETag first (RFC 9110 section 13.1.5)."""
        return tuple(form for form in (self.strong_etag, self.strong_date) if form is not None)

    @property
    def conditions(self) -> tuple[tuple[str, str], ...]:
        """The fields that ask whether a file with this validator is still current; weak ones do (RFC 9110 sections 13.1.2 and 13.1.3)."""
        date = self.last_modified if http_date(self.last_modified) is not None else None
        fields = (("If-None-Match", self.entity_tag), ("If-Modified-Since", date))
        return tuple((name, value) for name, value in fields if value is not None)

    def joins(self, shown: Validator, condition: str | None) -> bool:
        """Whether a 206 that shows these validators is of this version. `condition` was the request's If-Range.

        An ETag counts by strong comparison (RFC 9110 section 8.8.3.2). That the condition held is a proof where the 206 lacks nothing
        but the date, which it may (section 15.3.7). An ETag that the whole file had it must have, so one without it comes from a server
        that does not keep to that section, and perhaps did not look at the condition either.
        """
        if self.etag is not None and shown.etag is not None:
            if self.etag != shown.etag:
                return False
            if self.strong_etag is not None:
                return True
        if shown.last_modified is not None:
            return shown.last_modified == self.strong_date
        return condition is not None and condition == self.strong_date and shown.etag == self.etag

    def excludes(self, shown: Validator) -> bool:
        """Whether a 304 that shows these speaks of another version than this, by weak comparison (RFC 9110 sections 8.8.3.2 and 15.4.5)."""
        mine, theirs = self.entity_tag, shown.entity_tag
        if mine is not None and theirs is not None:
            return mine.removeprefix("W/") != theirs.removeprefix("W/")
        return None not in (self.last_modified, shown.last_modified) and self.last_modified != shown.last_modified

    def __bool__(self) -> bool:
        return bool(self.etag or self.last_modified)


def http_date(text: str | None) -> int | None:
    """Read an HTTP-date as Unix time; None for what is none. It is in GMT by definition (RFC 9110 section 5.6.7)."""
    return _http_date(text) if text is not None and len(text) <= _LONGEST_DATE else None


# Many answers of one second have the same Date.
@lru_cache(maxsize=1024)
def _http_date(text: str) -> int | None:
    match = next((found for form in _DATES if (found := form.fullmatch(text))), None)
    if match is None:
        return None
    year = int(match["year"])
    if len(match["year"]) == 2:
        # What is more than fifty years ahead is past (RFC 9110 section 5.6.7). Read so without a clock: no file is older than Unix time.
        year += 1900 if year >= 70 else 2000
    try:
        minute = datetime(
            year, _MONTHS.index(match["month"]) + 1, int(match["day"]), int(match["hour"]), int(match["minute"]), tzinfo=timezone.utc
        )
    except ValueError:
        return None
    return int(minute.timestamp()) + int(match["second"])
