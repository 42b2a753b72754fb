"""``jobpass copy``: a whole record into another store."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from jobpass.cli import exits, output
from jobpass.cli.data import Store
from jobpass.errors import InvalidInput


def copy(
    *,
    source: Annotated[str, typer.Option("--from", help="What is copied: a data folder, or a URL of PostgreSQL.")],
    target: Annotated[str, typer.Option("--to", help="Where to: the same, and empty.")],
    as_json: output.Json = False,
) -> int:
    """Copy a whole record from one store into another, with both servers stopped; the keyring is not in it.

    A copy that was broken off goes on where it was when it is started again. If the counts do not add up at the end the
    exit code is 1.
    """
    from jobpass import compose
    from jobpass.urls import POSTGRES, has_password

    for option, place in (("--from", source), ("--to", target)):
        if place.partition("://")[0] in POSTGRES and has_password(place):
            raise InvalidInput(f"{option} must hold no password: put it into a password file (PGPASSFILE).")
    if source == target or Path(source).resolve() == Path(target).resolve():
        raise InvalidInput("--from and --to are the same store.")

    def tell(table: str, written: int) -> None:
        if written:
            output.note(f"{table}: {written}")

    counts = asyncio.run(compose.copy(source, target, tell))
    adds_up = all(count.here == count.there for count in counts)
    shown = {"complete": adds_up, "tables": [count._asdict() for count in counts]}
    rows = ((count.table, count.there, count.here) for count in counts)
    output.listing(shown, ("table", "copied", "of"), rows, as_json=as_json)
    return exits.OK if adds_up else exits.NO


def finish(
    *,
    store: Store = None,
    as_json: output.Json = False,
) -> None:
    """Take away what only earlier releases need in the database, once no node of theirs runs any more."""
    from jobpass import compose
    from jobpass.settings import environment, load, use_store

    use_store(store)
    url = load(environment()).settings.store
    if url is None:
        raise InvalidInput("Say which database: --store URL, or JOBPASS_STORE.")
    version, compatible = asyncio.run(compose.finish_migration(url))
    shown = {"schema": version, "compatible_from": compatible}
    output.say(shown, f"Schema {version}; nodes that know {compatible} can use it.", as_json=as_json)
