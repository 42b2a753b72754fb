"""What several commands have in their options and arguments, said once; what is about servers is in ``connect``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

Uuid = Annotated[str, typer.Argument(help="The job's uuid.")]
After = Annotated[int, typer.Option("--after", min=0, help="Begin after this sequence.")]
Key = Annotated[str | None, typer.Option("--key", help="The idempotency key; else a fresh one.")]
Limit = Annotated[int | None, typer.Option("--limit", min=1, help="At most so many; else all.")]
Expired = Annotated[bool, typer.Option("--expired", help="Those that ended by time, too.")]
Revoked = Annotated[bool, typer.Option("--revoked", help="Those that were revoked, too.")]
Compromised = Annotated[bool, typer.Option("--compromised", help="For good: it cannot be reopened.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Config = Annotated[Path | None, typer.Option("--config", help="The settings file.")]

LOG_FORMAT: Final = typer.Option("--log-format", help="auto, text or json.")
LOG_LEVEL: Final = typer.Option("--log-level", help="debug, info, warning or error.")


def several(option: str, what: str) -> Any:
    """An option that takes several words; ``inputs.split`` reads them."""
    return typer.Option(option, help=f"Only {what}; separated by commas, or given again.")


def secret_file(what: str) -> Any:
    """The option to have a secret written into a file; ``files.kept`` does that."""
    return typer.Option("--out", help=f"Write {what} into this new file (mode 0600) instead of stdout.")


def group(does: str) -> typer.Typer:
    """A group of commands."""
    return typer.Typer(help=does, no_args_is_help=True, rich_markup_mode=None, add_completion=False)
