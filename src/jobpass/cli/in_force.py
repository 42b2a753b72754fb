"""``jobpass settings`` and ``jobpass completion``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from jobpass.cli import inputs, options, output
from jobpass.cli.data import Data

SHELLS = ("bash", "zsh", "fish")


def settings(
    *,
    data: Data = None,
    config: options.Config = None,
    as_json: output.Json = False,
) -> None:
    """Show the settings that serve would use, and where each comes from; secrets are not shown."""
    from jobpass.compose import KEYRING
    from jobpass.settings import HIDDEN, KEYRING_VARIABLE, config_path, environment, load

    environ = environment()
    named = data or (Path(environ["JOBPASS_DATA"]) if environ.get("JOBPASS_DATA") else None)
    loaded = load(environ, config=config_path(environ, config), data=named)
    rows = [(name, value, loaded.origins[name]) for name, value in loaded.settings.shown().items()]
    if KEYRING_VARIABLE in environ:
        rows.append(("keyring", HIDDEN, f"environment {KEYRING_VARIABLE}"))
    elif named is not None:
        rows.append(("keyring", HIDDEN, str(named / KEYRING)))
    members = {name: {"value": value, "from": origin} for name, value, origin in rows}
    shown = ((name, _shown(value), origin) for name, value, origin in rows)
    output.listing(members, ("setting", "value", "from"), shown, as_json=as_json)


def completion(
    shell: Annotated[str, typer.Argument(help="bash, zsh or fish.")], *, as_json: output.Json = False
) -> None:
    """Print the script that makes a shell complete the commands and their options."""
    from typer._completion_shared import get_completion_script

    name = inputs.one_of(shell, SHELLS, "SHELL")
    script = get_completion_script(prog_name="jobpass", complete_var="_JOBPASS_COMPLETE", shell=name)
    output.say({"shell": name, "script": script}, script, as_json=as_json)


def _shown(value: object) -> str:
    return "-" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
