"""Which versions of HTTP can be spoken here, as far as a manifest asks for one by name."""

from __future__ import annotations

from marscore.extras import installing
from marscore.values import HttpVersion


def unavailable(http: HttpVersion) -> str | None:
    """Why a version cannot be spoken, as the rest of a sentence about what names it; None where it can."""
    if http in ("auto", "1.1"):
        return None
    try:
        import pycurl  # noqa: PLC0415 - most runs do not ask, and it is not everywhere
    except ImportError:
        return f"must be auto or 1.1 here: without pycurl nothing else is spoken ({installing('curl')})"
    features = pycurl.version_info()[4]
    if http == "2":
        return None if features & pycurl.VERSION_HTTP2 else "must be auto or 1.1 here: this libcurl speaks no HTTP/2"
    return None if features & pycurl.VERSION_HTTP3 else "must be auto, 1.1 or 2 here: this libcurl speaks no HTTP/3"
