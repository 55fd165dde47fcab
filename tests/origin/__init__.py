"""A scripted origin for tests and for the demonstration: a real server on loopback that can misbehave in every known way.

`Good` and its knobs are in steps.py, named misbehaviours of more than one knob in faults.py.
"""

from tests.origin.content import Body, content, sha256_of
from tests.origin.server import Origin
from tests.origin.steps import Good, HangUp, Raw, Seen, Status, Step, busy, redirect

__all__ = ["Body", "Good", "HangUp", "Origin", "Raw", "Seen", "Status", "Step", "busy", "content", "redirect", "sha256_of"]
