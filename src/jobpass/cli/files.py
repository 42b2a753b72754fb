"""Secrets that the commands make: each is shown once, or is in a new file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from jobpass.cli import output
from jobpass.errors import InvalidInput

if TYPE_CHECKING:
    from msgspec import Struct

T = TypeVar("T")


def kept(make: Callable[[], T], secret_of: Callable[[T], str], out: Path | None) -> T:
    """What ``make`` makes, with its secret in the new file ``out``, if there is to be one.

    The file is made first: a secret that cannot be written would be lost.
    """
    if out is None:
        return make()
    with new_file(out) as descriptor:
        made = make()
        os.write(descriptor, f"{secret_of(made)}\n".encode())
    return made


def show_once(made: Struct, secret: str, out: Path | None, told: str, *, as_json: bool) -> None:
    """Show what was made, with the member ``secret`` unless it is in a file by now; ``told`` says what it is."""
    import msgspec

    if as_json:
        members: dict[str, Any] = msgspec.to_builtins(made)
        output.json_line(members if out is None else members | {secret: None, "file": str(out)})
        return
    if out is None:
        output.line(getattr(made, secret))
    output.note(f"{told}." if out is None else f"{told}, is in {out}.")


@contextmanager
def new_file(path: Path) -> Iterator[int]:
    """A new private file, taken away again if it is not filled."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise InvalidInput(f"--out: {path} cannot be made: {error.strerror}.") from None
    try:
        yield descriptor
        os.fsync(descriptor)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
