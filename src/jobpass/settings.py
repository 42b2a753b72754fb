"""Where a setting comes from: defaults, then a TOML file, then the environment, then flags; later ones win.

The only module that reads the environment. A value that cannot be used is refused with the place where it stands.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Mapping
from ipaddress import ip_network
from itertools import combinations
from pathlib import Path
from typing import Annotated, Any, Final, Literal, get_args, get_origin

import msgspec
from msgspec import Meta, Struct

from jobpass.errors import SetupError
from jobpass.urls import POSTGRES, has_password, masked

PREFIX: Final = "JOBPASS_"
CONFIG_NAME: Final = "jobpass.toml"
KEYRING_VARIABLE: Final = "JOBPASS_KEYRING"
STORE_VARIABLE: Final = "JOBPASS_STORE"
JOB_VARIABLES: Final = ("JOBPASS_URL", "JOBPASS_JOB", "JOBPASS_TOKEN")
"""What a job process is given, and nothing else that begins with ``JOBPASS_``."""

HIDDEN: Final = "(hidden)"

_OTHER_VARIABLES: Final = frozenset(
    {*JOB_VARIABLES, KEYRING_VARIABLE, "JOBPASS_ADMIN_KEY", "JOBPASS_CONFIG", "JOBPASS_DATA"}
)
_MEBIBYTE: Final = 1024 * 1024


ARCHIVE_SCHEMES: Final = ("file", "memory", "s3", "gs", "az", "oci", "oss", "tos")
"""Local directories, and those of fsspec's file systems that have no links, so that none can lead out."""

SystemName = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
_BASE: Final = re.compile(r"([a-z0-9]+)://([^/?#@]*)(/[^?#]*)?")
_ROOT: Final = re.compile(r"/|(/(?!\.{1,2}(/|$))[^/\x00-\x1f\x7f]+)+")


class ArchiveSystem(Struct, frozen=True, forbid_unknown_fields=True):
    """A file system of jobs' archive directories: its base URL, what fsspec needs to open it, and its roots."""

    url: str
    roots: Annotated[tuple[str, ...], Meta(min_length=1)] = ("/products",)
    """Jobs' directories lie strictly below one of them; absolute within the base."""
    options: dict[str, Any] = {}
    """Arguments of fsspec's file system; they may be secrets, and are shown nowhere."""

    def __post_init__(self) -> None:
        parts = _BASE.fullmatch(self.url)
        if parts is None or parts[1] not in ARCHIVE_SCHEMES or not _ROOT.fullmatch((parts[3] or "").rstrip("/") or "/"):
            known = ", ".join(f"{scheme}://" for scheme in ARCHIVE_SCHEMES)
            raise ValueError(f"url must be a base without user, query or fragment, and begin with one of {known}")
        if parts[1] == "file" and (parts[2] or not parts[3] or self.options):
            raise ValueError("url must be like file:///srv/archive, and such a system has no options")
        if not all(_ROOT.fullmatch(root) for root in self.roots):
            raise ValueError("roots must be absolute paths like /products, without . or .. or a slash at the end")

    def __repr__(self) -> str:
        return f"ArchiveSystem(url={self.url!r}, roots={self.roots!r})"

    def overlaps(self, other: ArchiveSystem) -> bool:
        """Whether a directory may lie below the roots of both."""
        mine, others = self._places(), other._places()
        return any(one.startswith(two) or two.startswith(one) for one in mine for two in others)

    def _places(self) -> list[str]:
        return [re.sub("/{2,}", "/", f"{self.url}{root}/") for root in self.roots]


WEBHOOK_RETRY_SECONDS: Final = (5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400)
"""What the Standard Webhooks specification gives as an example: ten attempts in 75 hours."""

_Pause = Annotated[int, Meta(ge=0, le=30 * 86_400)]


class Settings(Struct, frozen=True, kw_only=True):
    """What a server needs to know; units are in the names."""

    host: Annotated[str, Meta(min_length=1, max_length=255)] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 8470
    """0 takes a free one."""
    store: Annotated[str, Meta(pattern=r"^postgres(ql)?://")] | None = None
    """The URL of the database of PostgreSQL that keeps the record; None: a file in the data folder."""
    workers: Annotated[int, Meta(ge=1, le=64)] = 1
    """Processes that serve at the one port, each a node of its own; more than one needs ``store``."""
    frozen_seconds: Annotated[int, Meta(ge=3, le=3600)] = 30
    """One of several processes that has said nothing for so long is killed, and started again."""
    body_limit_bytes: Annotated[int, Meta(ge=1024, le=64 * _MEBIBYTE)] = _MEBIBYTE
    log_format: Literal["auto", "text", "json"] = "auto"
    """``auto`` is text on a terminal and JSON elsewhere."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    access_log: bool = True
    password_slots: Annotated[int, Meta(ge=0, le=1024)] = 0
    """Password hashes at once; 0 means as many as there are cores."""
    certfile: Annotated[str, Meta(min_length=1)] | None = None
    """The TLS certificate with its chain, PEM; None means plain HTTP."""
    keyfile: Annotated[str, Meta(min_length=1)] | None = None
    """The certificate's private key, PEM; None if it stands in ``certfile``."""
    metrics_port: Annotated[int, Meta(ge=1, le=65535)] | None = None
    """A loopback port of its own for the metrics, open to whoever is on this machine."""
    single_operator: bool = False
    """Whether an operator may approve an own request for an admin key; the record says so."""
    admin_lifetime_seconds: Annotated[int, Meta(ge=1, le=7 * 86_400)] = 3600
    """L: the tokens of an admin key that asks for no other lifetime live more than L and at most 2 L seconds."""
    node: Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")] = "main"
    """The name of the audit chain that this installation writes."""
    uuid_domain: Annotated[str, Meta(pattern=r"^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$")] = "sd2e.org"
    """The DNS name in whose namespace the uuids of jobs and pipelines are made; another one gives others."""
    archives: dict[SystemName, ArchiveSystem] = {}
    """Where jobs' archive directories are, by archive system; on a system that is not named nothing is ever cleared."""
    default_archive: SystemName | None = None
    """The archive system of new jobs that name none."""
    callbacks: bool = False
    """Whether events are taken from who calls a URL with a ticket in it; off, since a URL is seen by many."""
    public_url: Annotated[str, Meta(pattern=r"^https?://[^\s?#@]+$", max_length=1024)] | None = None
    """Where the outside reaches a server of this folder: what clients in process put before a ticket."""
    webhook_networks: tuple[str, ...] = ()
    """Networks (CIDR) to which webhooks may lead beside public addresses, and also without TLS."""
    webhook_retry_seconds: Annotated[tuple[_Pause, ...], Meta(max_length=32)] = WEBHOOK_RETRY_SECONDS
    """Between the attempts of a delivery; after the last one it is given up."""
    payload_limit_bytes: Annotated[int, Meta(ge=1024, le=16 * _MEBIBYTE)] = 4 * _MEBIBYTE
    """What the payload of a compute job may have."""
    result_limit_bytes: Annotated[int, Meta(ge=1024, le=1024 * _MEBIBYTE)] = 64 * _MEBIBYTE
    """What the results of a compute job may have."""
    status_hold_seconds: Annotated[float, Meta(ge=0, le=5)] = 2.0
    """So long the answer about a compute job that has not ended may be held until it has; 0: never."""
    lease_seconds: Annotated[int, Meta(ge=1, le=3600)] = 30
    """So long a worker has a compute job without saying anything of it."""

    def shown(self) -> dict[str, Any]:
        """The settings in plain values, to be shown and recorded: without passwords and the options of archives."""
        members: dict[str, Any] = msgspec.to_builtins(self)
        if self.store is not None:
            members["store"] = masked(self.store)
        for system in members["archives"].values():
            system["options"] = dict.fromkeys(system["options"], HIDDEN)
        return members

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.shown().items())})"


class Loaded(Struct, frozen=True):
    """Settings with, for each, the place where its value stands."""

    settings: Settings
    origins: dict[str, str]


_LISTS: Final = ("webhook_networks", "webhook_retry_seconds")
"""In the environment these are JSON."""
_FIELDS: Final = {field.name: field for field in msgspec.structs.fields(Settings)}


def environment() -> dict[str, str]:
    """The environment of this process, as a value."""
    return dict(os.environ)


def load(
    environ: Mapping[str, str],
    *,
    config: Path | None = None,
    data: Path | None = None,
    flags: Mapping[str, Any] | None = None,
) -> Loaded:
    """The settings in force. ``config`` must exist if given; else ``jobpass.toml`` in ``data`` is read if it is there.

    A flag of None counts as not given. Raises ``SetupError``, which names the file and line, the variable or the flag.
    """
    values: dict[str, Any] = {}
    origins = dict.fromkeys(_FIELDS, "default")
    layers = (_from_file(config, data), _from_environment(environ), _from_flags(flags or {}))
    for name, value, origin in (entry for layer in layers for entry in layer):
        values[name], origins[name] = value, origin
    _expect_distinct(values.get("archives", {}), origins["archives"])
    _expect_networks(values.get("webhook_networks", ()), origins["webhook_networks"])
    if values.get("default_archive") not in {None, *values.get("archives", {})}:
        origin = origins["default_archive"]
        raise SetupError(f"The setting default_archive ({origin}) is not the name of one in archives.", origin=origin)
    return Loaded(Settings(**values), origins)


Entry = tuple[str, Any, str]  # name, value, where it stands


def _from_file(config: Path | None, data: Path | None) -> Iterable[Entry]:
    path = config or (data / CONFIG_NAME if data else None)
    if path is None or (config is None and not path.exists()):
        return
    try:
        text = path.read_text("utf-8")
        members = tomllib.loads(text)
    except OSError as error:
        raise SetupError(f"The settings file {path} cannot be read: {error.strerror}.") from None
    except ValueError as error:  # TOML and UTF-8 errors, both of which tell the place
        raise SetupError(f"The settings file {path} is not TOML: {error}.") from None
    for name, value in members.items():
        origin = f"{path} line {_line_of(name, text)}"
        yield name, _convert(name, value, origin, strict=True), origin


def _line_of(name: str, text: str) -> int:
    pattern = re.compile(rf"""\s*(\[+\s*)?["']?{re.escape(name)}["']?\s*[=.\]]""")
    return next((n for n, line in enumerate(text.splitlines(), 1) if pattern.match(line)), 1)


def _from_environment(environ: Mapping[str, str]) -> Iterable[Entry]:
    for variable, text in sorted(environ.items()):
        if variable.startswith(PREFIX) and variable not in _OTHER_VARIABLES:
            name = variable.removeprefix(PREFIX).lower()
            origin = f"environment {variable}"
            yield name, _convert(name, text, origin, strict=False), origin


def _from_flags(flags: Mapping[str, Any]) -> Iterable[Entry]:
    for name, value in flags.items():
        if value is not None:
            origin = f"flag --{name.replace('_', '-')}"
            yield name, _convert(name, value, origin, strict=True), origin


def _convert(name: str, value: Any, origin: str, *, strict: bool) -> Any:
    field = _FIELDS.get(name)
    if field is None:
        known = ", ".join(_FIELDS)
        raise SetupError(f"There is no setting {name!r} ({origin}); there are: {known}.", origin=origin)
    return _used(name, value, field.type, origin, strict=strict)


def _used(name: str, value: Any, kind: Any, origin: str, *, strict: bool) -> Any:
    try:
        if kind is _FIELDS["archives"].type:
            return _archives(name, value, origin)
        if isinstance(value, str) and name in _LISTS:
            value = msgspec.json.decode(value)
        return msgspec.convert(value, kind, strict=strict)
    except msgspec.MsgspecError as error:
        choices = f"; it is one of {', '.join(get_args(kind))}" if get_origin(kind) is Literal else ""
        raise SetupError(f"The setting {name} ({origin}) cannot be used: {error}{choices}.", origin=origin) from None


def _archives(name: str, value: Any, origin: str) -> dict[str, ArchiveSystem]:
    """Each system by itself, so that an error names it; a text (of the environment) is JSON."""
    table = msgspec.json.decode(value) if isinstance(value, str) else value
    systems = msgspec.convert(table, dict[SystemName, Any])
    return {key: _used(f"{name}.{key}", system, ArchiveSystem, origin, strict=True) for key, system in systems.items()}


def _expect_distinct(systems: Mapping[str, ArchiveSystem], origin: str) -> None:
    """A directory belongs to one system, or jobs of two would not be seen to share it."""
    for (one, mine), (two, others) in combinations(systems.items(), 2):
        if mine.overlaps(others):
            raise SetupError(f"The setting archives ({origin}): {one} and {two} share directories.", origin=origin)


def _expect_networks(networks: Iterable[str], origin: str) -> None:
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            problem = f"The setting webhook_networks ({origin}) cannot be used: {error}."
            raise SetupError(problem, origin=origin) from None


def config_path(environ: Mapping[str, str], given: Path | None = None) -> Path | None:
    """The settings file that was asked for by flag or ``JOBPASS_CONFIG``, None if neither did."""
    named = environ.get("JOBPASS_CONFIG")
    return given or (Path(named) if named else None)


def add_to_file(folder: Path, name: str, value: bool) -> None:
    """Put a setting into the ``jobpass.toml`` of a data folder; ``SetupError`` if it stands there otherwise."""
    path = folder / CONFIG_NAME
    found = {entry[0]: entry[1] for entry in _from_file(None, folder)}
    if name not in found:
        text = path.read_text("utf-8") if path.exists() else ""
        path.write_text(f"{name} = {str(value).lower()}\n{text}", "utf-8")
    elif found[name] != value:
        raise SetupError(f"{path} sets {name} to another value; nothing was changed.")


def data_path(environ: Mapping[str, str], given: Path | None = None) -> Path:
    """The data folder that was asked for by flag or ``JOBPASS_DATA``; ``SetupError`` if neither did."""
    named = environ.get("JOBPASS_DATA")
    if given is None and not named:
        raise SetupError("Say where the data folder is: --data DIR, or JOBPASS_DATA.")
    return given or Path(str(named))


def user_config_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's log-in is kept (XDG base directories)."""
    return _xdg(environ, "XDG_CONFIG_HOME", ".config")


def user_state_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's private server keeps its data (XDG base directories)."""
    return _xdg(environ, "XDG_STATE_HOME", ".local/state")


def _xdg(environ: Mapping[str, str], variable: str, below_home: str) -> Path:
    named = environ.get(variable, "")
    # The specification says that a relative path is to be ignored.
    base = Path(named) if named.startswith("/") else Path(environ.get("HOME") or Path.home()) / below_home
    return base / "jobpass"


def use_store(url: str | None) -> None:
    """Have the setting ``store`` be this for the rest of the process and for those that it starts, if it is given.

    It was an argument, which everybody on this machine can see: ``SetupError`` if there is a password in it, or if it
    is no URL of PostgreSQL.
    """
    if url is None:
        return
    if has_password(url):
        raise SetupError(
            f"--store must hold no password: put it into a password file (PGPASSFILE) or {STORE_VARIABLE}."
        )
    if url.partition("://")[0] not in POSTGRES:
        raise SetupError("--store must be a URL that begins with postgresql://; a file is always that of --data.")
    os.environ[STORE_VARIABLE] = url


def plain_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment without anything of Jobpass's."""
    return {name: value for name, value in environ.items() if not name.startswith(PREFIX)}


def job_environment(environ: Mapping[str, str], url: str, job: str, token: str) -> dict[str, str]:
    """The environment of a job process: this one's without anything of Jobpass's, and the job's three variables."""
    return plain_environment(environ) | dict(zip(JOB_VARIABLES, (url, job, token), strict=True))
