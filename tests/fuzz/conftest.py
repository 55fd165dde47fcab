"""`make fuzz` sets FUZZ_EXAMPLES; without it each target is tried briefly."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz", max_examples=int(os.environ.get("FUZZ_EXAMPLES", "50")), deadline=None, suppress_health_check=list(HealthCheck)
)
