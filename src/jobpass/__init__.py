"""Jobpass decides who may do what to a compute job, and keeps the record of it.

The names below are looked up when they are first used, so that ``import jobpass`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jobpass import errors as errors
    from jobpass.authority.secret import derive_admin_key as derive_admin_key
    from jobpass.authority.secret import derive_key as derive_key
    from jobpass.client.aio import AsyncClient as AsyncClient
    from jobpass.client.job import CurrentJob
    from jobpass.client.offline import admin_lifetime as admin_lifetime
    from jobpass.client.offline import admin_token as admin_token
    from jobpass.client.offline import attenuate as attenuate
    from jobpass.client.picture import draw_job as draw_job
    from jobpass.client.sync import Client as Client
    from jobpass.compose import open as open  # noqa: A004
    from jobpass.wire.callbacks import AGAVE_EVENTS as AGAVE_EVENTS

__version__ = "0.1.0"

__all__ = [
    "AGAVE_EVENTS",
    "AsyncClient",
    "Client",
    "__version__",
    "admin_lifetime",
    "admin_token",
    "attenuate",
    "current_job",
    "derive_admin_key",
    "derive_key",
    "draw_job",
    "errors",
    "open",
]

_HOMES = {
    "AGAVE_EVENTS": ("jobpass.wire.callbacks", "AGAVE_EVENTS"),
    "AsyncClient": ("jobpass.client.aio", "AsyncClient"),
    "Client": ("jobpass.client.sync", "Client"),
    "admin_lifetime": ("jobpass.client.offline", "admin_lifetime"),
    "admin_token": ("jobpass.client.offline", "admin_token"),
    "attenuate": ("jobpass.client.offline", "attenuate"),
    "derive_admin_key": ("jobpass.authority.secret", "derive_admin_key"),
    "derive_key": ("jobpass.authority.secret", "derive_key"),
    "draw_job": ("jobpass.client.picture", "draw_job"),
    "errors": ("jobpass.errors", None),
    "open": ("jobpass.compose", "open"),
}


def current_job() -> CurrentJob:
    """The job that this process works on, from ``JOBPASS_URL``, ``JOBPASS_JOB`` and ``JOBPASS_TOKEN``.

    Raises ``SetupError`` when one of them is missing.
    """
    from jobpass.client.job import CurrentJob
    from jobpass.client.offline import admin_token as admin_token
    from jobpass.client.offline import attenuate as attenuate
    from jobpass.settings import environment

    return CurrentJob.from_environment(environment())


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'jobpass' has no attribute {name!r}")
    module = import_module(home[0])
    value = module if home[1] is None else getattr(module, home[1])
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
