"""The page on the command line says what the code does; every error has an exit code."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from jobpass import errors
from jobpass.cli import exits, main
from jobpass.settings import Settings

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "command-line.md").read_text()


@functools.cache
def commands() -> dict[str, Any]:
    """Every command by its words."""
    found = {}
    for name in main.COMMANDS:
        command = main.load(name)
        inner = getattr(command, "commands", None)
        if inner is None:
            found[name] = command
        else:
            found |= {f"{name} {sub}": one for sub, one in inner.items()}
    return found


def options(command: Any) -> set[str]:
    return {text for parameter in command.params for text in (*parameter.opts, *parameter.secondary_opts)}


def examples(text: str) -> Iterator[list[str]]:
    """The words after ``jobpass`` of each call on a page, one for each part of a pipe."""
    for block in re.findall(r"```console\n(.*?)```", text, re.DOTALL):
        for line in block.splitlines():
            if line.startswith("$ "):
                for words in calls(line[2:]):
                    if words[0] == "jobpass":
                        yield words[1:]


def calls(line: str) -> list[list[str]]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|<>")
    lexer.whitespace_split = True
    found: list[list[str]] = [[]]
    words = iter(lexer)
    for word in words:
        if word == "|":
            found.append([])
        elif word in ("<", ">"):
            next(words)
        else:
            found[-1].append(word)
    return [words for words in found if words]


def command_of(words: list[str]) -> str:
    known = commands()
    return next(name for name in (" ".join(words[:2]), words[0]) if name in known)


def test_every_command_has_an_example() -> None:
    assert {command_of(words) for words in examples(PAGE)} == set(commands())


@pytest.mark.parametrize("page", ["docs/command-line.md", "README.md"])
def test_every_example_is_a_sound_call(page: str) -> None:
    known = commands()
    for words in examples((ROOT / page).read_text()):
        name = command_of(words)
        known[name].make_context(name, words[len(name.split()) :])  # raises for what it cannot read


def test_every_option_on_the_page_exists_and_every_option_is_on_it() -> None:
    known = set().union(*(options(command) for command in commands().values())) | {"--version", "--help"}
    named = set(re.findall(r"(?<![\w-])--[a-z][a-z-]+", PAGE)) - {"--epochs"}
    assert named <= known
    assert {text for text in known if text.startswith("--")} - named <= {"--version"}


def test_every_command_prints_json_when_asked() -> None:
    for name, command in commands().items():
        assert "--json" in options(command), name


def test_the_table_of_exit_codes_is_the_code_s() -> None:
    rows = re.findall(r"^\| (\d+) \| (.*) \|$", PAGE, re.MULTILINE)
    assert {int(code): text for code, text in rows} == exits.MEANINGS


def test_the_table_of_settings_is_the_code_s() -> None:
    rows = re.findall(r"^\| `(\w+)` \|[^|]*\| `([^`]*)` \|", PAGE, re.MULTILINE)
    assert dict(rows) == {name: msgspec.json.encode(v).decode().strip('"') for name, v in _settings().items()}


def _settings() -> dict[str, Any]:
    found: dict[str, Any] = msgspec.to_builtins(Settings())
    return found


def leaves(kind: type[errors.Error]) -> Iterator[type[errors.Error]]:
    below = kind.__subclasses__()
    if not below:
        yield kind
    for one in below:
        yield from leaves(one)


def test_every_error_has_an_exit_code() -> None:
    unexpected = {kind for kind in leaves(errors.Error) if exits.code_of(kind.__new__(kind)) == exits.UNEXPECTED}
    assert unexpected == {errors.UnexpectedAnswer, errors.WrongMethod, errors.WrongContentType}
    assert exits.code_of(errors.UnknownJob("x")) == exits.NOT_FOUND
    assert exits.code_of(errors.BrokenRecord("x")) == exits.NO
