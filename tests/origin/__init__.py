"""A scripted origin for tests and for the demonstration: a real server on loopback that can misbehave in every known way."""

from tests.origin.content import Body, content, sha256_of
from tests.origin.server import Origin
from tests.origin.steps import Good, HangUp, Raw, Seen, Status, Step, busy, redirect

__all__ = ["Body", "Good", "HangUp", "Origin", "Raw", "Seen", "Status", "Step", "busy", "content", "redirect", "sha256_of"]
