"""``jobpass worker``: take jobs of one platform and run them here."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import signal
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from jobpass.cli import connect, inputs, options, output, saved
from jobpass.errors import InvalidInput, SetupError

if TYPE_CHECKING:
    from jobpass.worker.local import LocalExecutor
    from jobpass.worker.work import Limits, Setup

MEBIBYTE = 1024 * 1024


def worker(
    arguments: Annotated[list[str] | None, typer.Argument(help="Of the runner command: what is run.")] = None,
    *,
    platform: Annotated[str, typer.Option("--platform", help="The platform whose jobs are taken.")],
    runner: Annotated[str, typer.Option("--runner", help="perceval, command, or python:MODULE:FUNCTION.")],
    apikey_file: Annotated[Path, typer.Option("--apikey-file", help="The file with the worker's API key.")],
    slots: Annotated[int, typer.Option("--slots", min=1, max=1024, help="How many jobs run at once.")] = 1,
    commands: Annotated[
        list[str] | None, typer.Option("--command", help="A command that jobs may name, of the other runners.")
    ] = None,
    option: Annotated[list[str] | None, typer.Option("--option", help="NAME=JSON, of the runner.")] = None,
    path: Annotated[list[Path] | None, typer.Option("--path", help="Import modules from this directory, too.")] = None,
    visible: Annotated[list[Path] | None, typer.Option("--visible", help="Jobs may read this, too.")] = None,
    memory: Annotated[int | None, typer.Option("--memory", min=64, help="MiB of memory of a process.")] = None,
    tmp: Annotated[int | None, typer.Option("--tmp", min=1, help="MiB of files of a job.")] = None,
    processes: Annotated[int | None, typer.Option("--processes", min=2, help="Processes and threads.")] = None,
    require_isolation: Annotated[
        bool, typer.Option("--require-isolation", help="Do not start unless every means of isolation is in force.")
    ] = False,
    log_format: Annotated[str, options.LOG_FORMAT] = "auto",
    log_level: Annotated[str, options.LOG_LEVEL] = "info",
    url: connect.Url = None,
    as_json: output.Json = False,
) -> None:
    """Take jobs of a platform and run them here, each on its own; a first SIGTERM lets those that run end."""
    from jobpass import log
    from jobpass.settings import environment
    from jobpass.worker.work import Setup

    inputs.one_of(log_format, ("auto", "text", "json"), "--log-format")
    inputs.one_of(log_level, ("debug", "info", "warning", "error"), "--log-level")
    target, key = connect.resolve(url, apikey_file, "API key file")
    if target is None or key is None:
        raise SetupError("No server is configured: name it with --url, or set JOBPASS_URL.")
    data = environment().get("JOBPASS_DATA")
    private = (Path(data),) if data else ()
    setup = Setup(
        runner=runner,
        arguments=_command(arguments or []),
        options=_options(option or []),
        paths=tuple(str(one.resolve()) for one in path or ()),
        visible=tuple(str(one.resolve()) for one in visible or ()),
        hidden=tuple(str(one.resolve()) for one in (apikey_file, saved.login_path(), *private)),
        limits=_limits(memory, tmp, processes),
        require_isolation=require_isolation,
        **({"commands": tuple(commands)} if commands else {}),
    )
    log.configure(log_format, log_level)
    with connect.naming(target, key):
        asyncio.run(_work(target, key, platform, setup, slots, as_json=as_json))


async def _work(url: str, key: str, platform: str, setup: Setup, slots: int, *, as_json: bool) -> None:
    from jobpass.client.aio import AsyncClient
    from jobpass.worker.local import LocalExecutor
    from jobpass.worker.loop import Loop

    worker_id = f"{_host()}:{os.getpid()}:{secrets.token_hex(4)}"
    executor = await LocalExecutor.open(setup)
    try:
        _warn(executor)
        async with AsyncClient(url, key, allow_plain_http=saved.plain_http_allowed(url)) as client:
            loop = Loop(client, executor, platform, worker_id, slots)
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, loop.drain)
            await loop.run(lambda: _say(worker_id, platform, executor, as_json=as_json))
    finally:
        await executor.close()


def _say(worker_id: str, platform: str, executor: LocalExecutor, *, as_json: bool) -> None:
    """Tell that the worker is ready, and what isolation there is."""
    items = executor.isolation.items
    if as_json:
        told = {item.name: item.in_force for item in items}
        output.json_line({"worker": worker_id, "platform": platform, "isolation": told})
    else:
        shown = ", ".join(f"{item.name} {'yes' if item.in_force else 'NO'}" for item in items)
        output.line(f"Worker {worker_id} takes jobs of {platform}; isolation: {shown}")
    sys.stdout.flush()


def _warn(executor: LocalExecutor) -> None:
    from jobpass.worker.sandbox.isolation import warning

    if not executor.isolation.complete:
        logging.getLogger("jobpass.worker").warning("%s", warning(executor.isolation))


def _host() -> str:
    """The machine's name as far as it may stand in a worker's."""
    name = "".join(one for one in socket.gethostname() if one.isascii() and (one.isalnum() or one in "._-"))
    return name.strip("._-")[:64] or "worker"


def _command(given: list[str]) -> tuple[str, ...]:
    """The command line with the whole path of what is run: jobs have a working directory of their own."""
    return tuple(str(Path(word).absolute()) if n == 0 and "/" in word else word for n, word in enumerate(given))


def _options(given: list[str]) -> dict[str, Any]:
    options: dict[str, Any] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise InvalidInput("--option is NAME=JSON.")
        options[name] = inputs.read_json(value, "--option")
    return options


def _limits(memory: int | None, tmp: int | None, processes: int | None) -> Limits:
    from jobpass.worker.work import Limits

    given: dict[str, int] = {}
    if memory is not None:
        given["memory_bytes"] = memory * MEBIBYTE
    if tmp is not None:
        given["tmp_bytes"] = tmp * MEBIBYTE
    if processes is not None:
        given["processes"] = processes
    return Limits(**given)
