"""The guide for a team that moves here, followed to the letter on a made-up catalogue of 10,000 documents."""

from __future__ import annotations

import gzip
import json
from itertools import islice
from pathlib import Path

import pytest

from docs.test_docs import Terminal, blocks, calls, matches, terminal
from support.catalogue import Catalogue, lines, old_token

__all__ = ["terminal"]

PAGE = "docs/migration.md"
STAND_IN = """#!/bin/sh
# Writes the made-up catalogue as the tool of this name writes a real one.
while [ $# -gt 1 ]; do
  case "$1" in --collection) collection="$2" ;; --out) out="$2" ;; esac
  shift 2
done
cp "$HOME/catalogue/$collection" "$out"
"""


def write_catalogue(folder: Path) -> None:
    """The collections of a catalogue, and a running job of ann's with the token that it holds."""
    catalogue = Catalogue()
    sound = catalogue.jobs(9_982)
    held = catalogue.job(1) | {"_admin": {"owner": "ann", "project": "SD2E-Community", "tenant": "sd2e"}}
    some = list(islice(sound, 5_000))
    broken = [document for _, document in catalogue.broken()]
    folder.mkdir()
    (folder / "pipelines").write_bytes(lines(catalogue.pipelines))
    (folder / "jobs").write_bytes(lines([*some, *broken, held, *sound]))
    (folder.parent / "held").write_text(f"{held['uuid']} {old_token(held)}\n")


@pytest.mark.timeout(300)
def test_the_guide_is_followed_to_the_letter(terminal: Terminal) -> None:
    home = terminal.home
    write_catalogue(home / "catalogue")
    (home / "bin").mkdir()
    (home / "bin" / "mongoexport").write_text(STAND_IN)
    (home / "bin" / "mongoexport").chmod(0o700)
    terminal.type(f"export CATALOG_URI=mongodb://localhost/catalog PATH={home}/bin:$PATH")
    (home / "password").write_text("correct-horse-battery\n")
    (home / "password-of-ann").write_text("another-odd-battery-horse\n")
    for block in blocks(PAGE, terminal.port):
        if block.file:
            (home / block.file).write_text(block.text)
            continue
        assert block.language == "console", block
        for call in calls(block.text):
            said = terminal.type(call.line)
            assert matches(call.shown, said), (call.line, said)
            assert call.shown or not said.strip(), (call.line, said)
    told = [json.loads(line) for line in (home / "refused.jsonl").read_text().splitlines()]
    assert len(told) == 17
    assert (home / "refused-dry.jsonl").read_bytes() == (home / "refused.jsonl").read_bytes()
    packed = gzip.decompress((home / "catalogue.jsonl.gz").read_bytes())
    salts = [json.loads(line)["_salt"] for line in (home / "catalogue" / "pipelines").read_bytes().splitlines()]
    assert b"_salt" not in packed
    assert not [salt for salt in salts if salt.encode() in packed]
    assert packed.count(b"\n") == 9_988
