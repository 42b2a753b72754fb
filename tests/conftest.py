"""What all tests share: the hypothesis profiles ``default`` and ``long`` (``pytest --hypothesis-profile=long``)."""

from __future__ import annotations

import signal

from hypothesis import HealthCheck, settings

settings.register_profile("default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

# A suite that was started in the background, or by nohup, would hand "ignore" down to every process that a test starts
# and signals. A handler, whatever it does, is not handed down: the process begins with the default.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)
