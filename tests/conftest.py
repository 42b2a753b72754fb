"""What all tests share: the hypothesis profiles ``default`` and ``long`` (``pytest --hypothesis-profile=long``)."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A suite that was started in the background hands "ignore" down to every process that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
