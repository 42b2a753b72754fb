"""Which files of an archive directory are recorded, and as what: the filters of an indexing.

They have the names of the seed system. A filter with ``derived_from`` or ``derived_using``, and each of the
``product_patterns``, makes products; any other makes files of the archive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from jobpass import ids
from jobpass.authority.details import MAX_PATTERN_LENGTH
from jobpass.authority.patterns import Patterns, share
from jobpass.authority.references import resolve
from jobpass.errors import InvalidInput
from jobpass.records import Details, FileKind, FileSource

if TYPE_CHECKING:
    from jobpass.records import FileFound

MAX_FILTERS: Final = 100
"""In one request, or in each list of a job's own."""
MAX_PATTERNS: Final = 512
"""In one filter."""
MAX_REFERENCES: Final = 10_000
"""Links that all filters of an indexing have together."""
MAX_TEXT: Final = 4096
"""Characters of a reference."""
MAX_LEVEL: Final = 64
DEFAULT_LEVEL: Final = "1"

Texts = list[str]


class _Item(Struct, frozen=True, forbid_unknown_fields=True):
    patterns: Texts | None = None
    filters: Texts | None = None
    level: str | int | None = None
    processing_level: str | int | None = None
    note: Any = None
    fixity: bool | None = None
    generated_by: Texts | None = None
    derived_from: Texts | None = None
    derived_using: Texts | None = None


_items = msgspec.json.Decoder(list[str | _Item])


class Filter(NamedTuple):
    """Files whose names have one of the patterns are recorded so."""

    patterns: Patterns
    kind: FileKind
    level: str | None
    fixity: bool


class Sorted(NamedTuple):
    """What a file is recorded as; ``sources`` are the numbers of the filters that it fits."""

    kind: FileKind
    level: str | None
    fixity: bool
    sources: tuple[int, ...]


class Plan(NamedTuple):
    """All filters of an indexing with their sources, in order, and the paths that must turn up."""

    filters: tuple[Filter, ...]
    sources: tuple[FileSource, ...]
    needed: frozenset[str]

    def sort(self, file: FileFound) -> Sorted | None:
        """What the file is recorded as; None if it fits no filter. The pattern is looked for in its last name."""
        name = file.path.rpartition("/")[2]
        fits = [number for number, one in enumerate(self.filters) if one.patterns.match(name)]
        if not fits:
            return None
        found = [self.filters[number] for number in fits]
        levels = [one.level for one in found if one.level is not None]
        kind: FileKind = "product" if any(one.kind == "product" for one in found) else "archive"
        return Sorted(kind, levels[-1] if levels else None, any(one.fixity for one in found), tuple(fits))


class Reader:
    """Makes the plan of one indexing of the job ``uuid``; ``InvalidInput`` at the list that is not sound."""

    def __init__(self, uuid: str, archive_path: str, namespace: str, level: str, *, fixity: bool) -> None:
        self._uuid = uuid
        self._archive_path = archive_path
        self._namespace = namespace
        self._level = level
        self._fixity = fixity
        self._needed: set[str] = set()
        self._references = 0

    def asked(self, filters: bytes) -> Plan:
        """The plan of filters that somebody asks for, a JSON array."""
        return self._plan([("json.filters", "archive", item) for item in _read(filters, "json.filters")])

    def own(self, details: Details) -> Plan:
        """The plan of the job's own patterns; without any for the archive, each file belongs to it."""
        archive = _read(details.archive_patterns, "json.archive_patterns") or [_Item(patterns=[])]
        products = _read(details.product_patterns, "json.product_patterns")
        return self._plan(
            [("json.archive_patterns", "archive", item) for item in archive]
            + [("json.product_patterns", "product", item) for item in products]
        )

    def _plan(self, items: Sequence[tuple[str, FileKind, _Item]]) -> Plan:
        memory = share(len(items))
        filters = tuple(self._filter(item, kind, field, memory) for field, kind, item in items)
        sources = tuple(self._source(item, field) for field, _, item in items)
        return Plan(filters, sources, frozenset(self._needed))

    def _filter(self, item: _Item, kind: FileKind, field: str, memory: int) -> Filter:
        patterns = item.patterns if item.patterns is not None else item.filters
        if patterns is None:
            raise InvalidInput.at(field, "each filter needs patterns")
        if len(patterns) > MAX_PATTERNS:
            raise InvalidInput.at(field, f"a filter must have at most {MAX_PATTERNS} patterns")
        if any(len(pattern) > MAX_PATTERN_LENGTH for pattern in patterns):
            raise InvalidInput.at(field, f"a pattern must have at most {MAX_PATTERN_LENGTH} characters")
        if item.derived_from is not None or item.derived_using is not None:
            kind = "product"
        given = item.level if item.processing_level is None else item.processing_level
        level = str(given) if given is not None else None if kind == "product" else self._level
        if level is not None and len(level) > MAX_LEVEL:
            raise InvalidInput.at(field, f"a level must have at most {MAX_LEVEL} characters")
        fixity = self._fixity and item.fixity is not False
        return Filter(Patterns(patterns, field, memory), kind, level, fixity)

    def _source(self, item: _Item, field: str) -> FileSource:
        makers = tuple(self._maker(text, field) for text in item.generated_by or ())
        derived_from = self._resolved(item.derived_from or (), field)
        return FileSource(
            tuple(dict.fromkeys((self._uuid, *makers))),
            derived_from,
            self._resolved(item.derived_using or (), field),
        )

    def _maker(self, text: str, field: str) -> str:
        self._count(field)
        ids.uuid_type(text, field)
        return text

    def _resolved(self, texts: Sequence[str], field: str) -> tuple[str, ...]:
        found = set()
        for text in texts:
            self._count(field)
            if len(text) > MAX_TEXT:
                raise InvalidInput.at(field, f"a reference must have at most {MAX_TEXT} characters")
            uuid, path = resolve(text, self._archive_path, self._namespace, field)
            found.add(uuid)
            if path is not None:
                self._needed.add(path)
        return tuple(sorted(found))

    def _count(self, field: str) -> None:
        self._references += 1
        if self._references > MAX_REFERENCES:
            raise InvalidInput.at(field, f"must have at most {MAX_REFERENCES} links in all")


def _read(text: bytes, field: str) -> list[_Item]:
    """The filters of a JSON array; a text is a filter with that one pattern."""
    try:
        items = _items.decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput.at(field, f"is not an array of filters: {str(error)[:200]}") from None
    if len(items) > MAX_FILTERS:
        raise InvalidInput.at(field, f"must have at most {MAX_FILTERS} filters")
    return [_Item(patterns=[item]) if isinstance(item, str) else replace(item, note=None) for item in items]
