"""The ``jobpass`` command: finds the command, imports what it needs, turns errors into exit codes."""

from __future__ import annotations

import os
import sys
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer._click.exceptions import NoArgsIsHelpError
from typer._completion_classes import completion_init
from typer.core import TyperGroup
from typer.main import get_command

from jobpass.cli import exits, output
from jobpass.errors import Error, InvalidInput, SetupError
from jobpass.log import scrub, scrub_crashes

COMMANDS: Final = {
    "init": ("jobpass.cli.data", "init"),
    "serve": ("jobpass.cli.data", "serve"),
    "verify": ("jobpass.cli.data", "verify"),
    "login": ("jobpass.cli.login", "login"),
    "logout": ("jobpass.cli.login", "logout"),
    "run": ("jobpass.cli.run", "run"),
    "job": ("jobpass.cli.job", "app"),
    "pipeline": ("jobpass.cli.pipeline", "app"),
    "token": ("jobpass.cli.tokens", "app"),
    "lifecycle": ("jobpass.cli.lifecycle", "app"),
    "admin-key": ("jobpass.cli.admin_key", "app"),
    "admin-token": ("jobpass.cli.admin_key", "admin_token"),
    "user": ("jobpass.cli.user", "app"),
    "apikey": ("jobpass.cli.api_key", "app"),
    "platform": ("jobpass.cli.platforms", "app"),
    "contain": ("jobpass.cli.contain", "contain"),
    "webhook": ("jobpass.cli.webhook", "app"),
    "worker": ("jobpass.cli.worker", "worker"),
    "audit": ("jobpass.cli.audit", "audit"),
    "anchor": ("jobpass.cli.copies", "anchor"),
    "backup": ("jobpass.cli.copies", "backup"),
    "restore": ("jobpass.cli.copies", "restore"),
    "copy": ("jobpass.cli.copying", "copy"),
    "finish-migration": ("jobpass.cli.copying", "finish"),
    "import": ("jobpass.cli.migrate", "app"),
    "export": ("jobpass.cli.migrate", "export"),
    "keys": ("jobpass.cli.keys", "app"),
    "settings": ("jobpass.cli.in_force", "settings"),
    "completion": ("jobpass.cli.in_force", "completion"),
    "demo": ("jobpass.cli.demo", "demo"),
}
"""Command -> where it is; a module is imported when its command is asked for."""


class LazyGroup(TyperGroup):
    """A group whose commands are imported when they are used."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        """The commands in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        """The command, imported; None for an unknown name."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def _main_shell_completion(self, ctx_args: Any, prog_name: str, complete_var: str | None = None) -> None:
        """Answer a shell that completes a command line, and leave; return if this is none."""
        completion_init()
        super()._main_shell_completion(ctx_args, prog_name, complete_var)


def load(name: str) -> Any:
    """Import the command of this name."""
    module, attribute = COMMANDS[name]
    found = getattr(import_module(module), attribute)
    if not isinstance(found, typer.Typer):
        function, found = found, typer.Typer(add_completion=False, rich_markup_mode=None)
        found.command(name, context_settings=getattr(function, "context_settings", None))(function)
    command = get_command(found)
    command.name = name
    return command


app = typer.Typer(
    cls=LazyGroup,
    add_completion=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def main(
    *,
    version: Annotated[bool, typer.Option("--version", help="Show the version and leave.")] = False,
) -> None:
    """The authority that decides who may do what to a compute job, and keeps the record of it."""
    if version:
        from jobpass import __version__

        output.line(f"jobpass {__version__}")
        raise typer.Exit


def run(arguments: list[str]) -> int:
    """Run one command line; the exit code."""
    scrub_crashes()
    _fill_standard_streams()
    as_json = "--json" in arguments[: arguments.index("--")] if "--" in arguments else "--json" in arguments
    try:
        code = get_command(app)(arguments, prog_name="jobpass", standalone_mode=False)
        sys.stdout.flush()
    except Error as failure:
        output.error(failure, as_json=as_json)
        return exits.code_of(failure)
    except typer.Abort:
        return exits.INTERRUPTED
    except KeyboardInterrupt:
        return exits.INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output left; without this Python complains once more when it closes stdout.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return exits.NO
    except OSError as failure:
        place = f": {os.fsdecode(failure.filename)}" if isinstance(failure.filename, str | bytes) else ""
        output.error(SetupError(f"{failure.strerror or failure}{place}"), as_json=as_json)
        return exits.SETUP
    except typer.TyperException as failure:
        return _usage(failure, as_json=as_json)
    return code if isinstance(code, int) else exits.OK


def _fill_standard_streams() -> None:
    """Put the null device in the place of a stream that was closed, which else the next file would take."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115


def _usage(failure: typer.TyperException, *, as_json: bool) -> int:
    """Say what is wrong with the command line, or show the help that was asked for by giving nothing."""
    if isinstance(failure, NoArgsIsHelpError):
        output.note(failure.format_message())
        return exits.USAGE
    context = getattr(failure, "ctx", None)
    path = context.command_path if context is not None else "jobpass"
    # Somebody may have written a token as an argument, which need not be shown on top of that.
    message = f"{scrub(failure.format_message())} (see {path} --help)"
    output.error(InvalidInput(message), as_json=as_json, command=path)
    return exits.USAGE
