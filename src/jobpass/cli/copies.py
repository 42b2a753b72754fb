"""``jobpass backup``, ``jobpass restore`` and ``jobpass anchor``: what is kept elsewhere."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from jobpass.cli import output
from jobpass.cli.data import Data, Store, folder_of
from jobpass.errors import InvalidInput


def backup(
    file: Annotated[Path, typer.Argument(help="The new file.")],
    *,
    data: Data = None,
    store: Store = None,
    as_json: output.Json = False,
) -> None:
    """Copy the database to a new file, also while it is served. The keyring is not in it: keep that elsewhere."""
    from jobpass import compose

    folder = folder_of(data, store)
    if not file.parent.is_dir():
        raise InvalidInput(f"{file} cannot be made: there is no folder {file.parent}.")
    asyncio.run(compose.back_up(folder, file))
    size = file.stat().st_size
    output.say({"file": str(file), "bytes": size}, f"{file} holds {folder} ({size} bytes).", as_json=as_json)


def restore(
    file: Annotated[Path, typer.Argument(help="The copy that backup made.")],
    *,
    data: Data = None,
    store: Store = None,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="End every token that was issued before: a fresh key signs alone.")
    ] = False,
    as_json: output.Json = False,
) -> None:
    """Make the database of a data folder, which has its keyring and no database, from a copy."""
    from jobpass import compose

    folder = folder_of(data, store)
    try:
        file.open("rb").close()
    except OSError as error:
        raise InvalidInput(f"The copy {file} cannot be read: {error.strerror}.") from None
    count = asyncio.run(compose.restore(folder, file, rotate=rotate))
    if as_json:
        output.json_line({"data": str(folder), "rotated": rotate, "jobs_rekeyed": count})
        return
    output.line(f"Restored {folder} from {file}.")
    if rotate:
        output.line(f"Every token issued before is dead; {count} jobs have new ones (job token UUID).")
    else:
        output.note("Tokens that were ended after the copy was made live again: --rotate ends all of them.")


def anchor(
    *,
    data: Data = None,
    store: Store = None,
    out: Annotated[Path | None, typer.Option("--out", help="Write it into this file instead of stdout.")] = None,
    as_json: output.Json = False,
) -> None:
    """Write down the heads of all histories and audit chains, as JSON lines, to be kept elsewhere."""
    lines = asyncio.run(_anchor(folder_of(data, store)))
    if out is None:
        for line in lines:
            output.line(line.decode().rstrip("\n"))
        return
    from jobpass.compose import write_private

    try:
        write_private(out, b"".join(lines))
    except OSError as error:
        raise InvalidInput(f"--out: {out} cannot be written: {error.strerror}.") from None
    shown = {"file": str(out), "heads": len(lines) - 2}
    output.say(shown, f"{out} holds {len(lines) - 2} heads.", as_json=as_json)


async def _anchor(folder: Path) -> list[bytes]:
    from jobpass import compose
    from jobpass.authority.anchors import write

    async with compose.open_authority(folder) as authority:
        return [write(line) async for line in authority.anchor()]
