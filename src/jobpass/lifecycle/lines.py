"""On which line each key and each array element of a TOML text stands; ``tomllib`` does not tell."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field
from typing import Final

Path = tuple[str | int, ...]
"""The way to a value: ("events", "submit", "from", 0)."""

_TOKEN: Final = re.compile(
    r"""
      (?P<space>   [ \t\r]+ | \#[^\n]* )
    | (?P<newline> \n )
    | (?P<string>  \"{3} (?: \\[\s\S] | (?!\"{3}) [^\\] )*+ \"{3,5}
                 | '{3}  (?: (?!'{3}) [\s\S] )*+  '{3,5}
                 | " (?: \\. | [^"\\\n] )*+ "
                 | ' [^'\n]*+ ' )
    | (?P<mark>    [\[\]{}=,.] )
    | (?P<bare>    [^\s\[\]{}=,.\#"']+ )
    """,
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


def lines(text: str) -> dict[Path, int]:
    """Path -> line, from 1, for a text that ``tomllib`` accepts; a table that is opened twice keeps its first line."""
    return _Scan(_tokens(text)).run()


def _tokens(text: str) -> list[_Token]:
    tokens: list[_Token] = []
    line = 1
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind != "space":
            tokens.append(_Token(kind, match.group(), line))
        line += match.group().count("\n")
    tokens.append(_Token("newline", "", line))
    return tokens


@dataclass(slots=True)
class _Scan:
    tokens: list[_Token]
    at: int = 0
    found: dict[Path, int] = field(default_factory=dict)
    lengths: dict[Path, int] = field(default_factory=dict)  # of arrays of tables, so far

    def run(self) -> dict[Path, int]:
        table: Path = ()
        while self.at < len(self.tokens):
            if self._take("\n") or self._take(""):
                continue
            if self._take("["):
                table = self._header()
            else:
                self._member(table)
        return self.found

    def _take(self, text: str) -> bool:
        """Step over the next token if it is this mark (or newline)."""
        token = self.tokens[self.at]
        taken = token.text == text and token.kind != "string"
        self.at += taken
        return taken

    def _header(self) -> Path:
        is_array = self._take("[")
        line = self.tokens[self.at].line
        path: Path = ()
        keys = self._keys("]")
        for position, key in enumerate(keys, start=1):
            path = (*path, key)
            self.found.setdefault(path, line)
            if is_array and position == len(keys):
                self.lengths[path] = self.lengths.get(path, 0) + 1
            if path in self.lengths:
                path = (*path, self.lengths[path] - 1)
                self.found.setdefault(path, line)
        if is_array:
            self._take("]")
        return path

    def _keys(self, end: str) -> list[str]:
        """The parts of a dotted key, up to and over its end."""
        keys: list[str] = []
        while not self._take(end):
            token = self.tokens[self.at]
            if token.kind == "string":
                keys.append(str(tomllib.loads(f"key = {token.text}")["key"]))
            elif token.kind == "bare":
                keys.append(token.text)
            self.at += 1
        return keys

    def _member(self, table: Path) -> None:
        line = self.tokens[self.at].line
        path = table
        for key in self._keys("="):
            path = (*path, key)
            self.found.setdefault(path, line)
        self._value(path)

    def _value(self, path: Path) -> None:
        if self._take("["):
            self._items(path)
        elif self._take("{"):
            while not self._take("}"):
                if not (self._take(",") or self._take("\n")):
                    self._member(path)
        elif self.tokens[self.at].kind == "string":
            self.at += 1
        else:
            while self.tokens[self.at].kind == "bare" or self.tokens[self.at].text == ".":
                self.at += 1

    def _items(self, path: Path) -> None:
        index = 0
        while not self._take("]"):
            if not (self._take(",") or self._take("\n")):
                self.found[(*path, index)] = self.tokens[self.at].line
                self._value((*path, index))
                index += 1
