"""What all tests share: the hypothesis profiles ``default`` and ``long`` (``pytest --hypothesis-profile=long``)."""

from __future__ import annotations

import signal

import pytest
from hypothesis import HealthCheck, settings

pytest.register_assert_rewrite("support")  # so that what fails there shows its values, too

from support.postgres import NoServer, some_database, some_server  # noqa: E402 - that is said before

settings.register_profile("default", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("long", max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("default")

# A suite that was started in the background, or by nohup, would hand "ignore" down to every process that a test starts
# and signals. A handler, whatever it does, is not handed down: the process begins with the default.
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(number) is signal.SIG_IGN:
        signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def postgres_server():
    """The URL of a role that may create databases on a PostgreSQL server; skips the test where there is none."""
    try:
        with some_server() as url:
            yield url
    except NoServer as none:
        pytest.skip(str(none))


@pytest.fixture(scope="session")
def postgres_url(postgres_server):
    """The URL of a database that tests share one after the other; each empties it before."""
    with some_database(postgres_server) as url:
        yield url
