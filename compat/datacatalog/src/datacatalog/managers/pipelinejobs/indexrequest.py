"""What is to be indexed, as the original's requests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

__all__ = [
    "ARCHIVE",
    "PRODUCT",
    "ArchiveIndexRequest",
    "IndexType",
    "IndexingError",
    "InvalidIndexingRequest",
    "ProductIndexRequest",
    "get_index_request",
]

ARCHIVE: Final = "archive"
PRODUCT: Final = "product"


class IndexingError(Exception):
    """The indexing could not be begun, or did not end well; the reason is ``args[0]``."""


class InvalidIndexingRequest(ValueError):  # noqa: N818 - the original's name
    """A request lacks what its kind needs."""


class IndexType(str):
    """The name of a kind of request: ``archive`` or ``product``, in whatever case."""

    __slots__ = ()
    MEMBERS: ClassVar[list[str]] = [ARCHIVE, PRODUCT]

    def __new__(cls, value: object) -> IndexType:
        name = str(value).lower()
        if name not in cls.MEMBERS:
            raise InvalidIndexingRequest(f"{name} is not a valid {cls.__name__}")
        return str.__new__(cls, name)

    @property
    def patterns_field(self) -> str:
        """The member of a job that holds the requests of this kind."""
        return f"{self}_patterns"


class IndexRequest(Mapping[str, Any]):
    """A mapping whose members are attributes too. ``filters`` is another name for ``patterns``, and
    ``processing_level`` for ``level``."""

    PARAMS: ClassVar[tuple[tuple[str, bool, str, Any], ...]] = ()
    kind: ClassVar[str | None] = None

    filters: list[str]

    def __init__(self, **kwargs: Any) -> None:
        given = dict(kwargs)
        if given.get("processing_level") is not None:
            given["level"] = given["processing_level"]
        if given.get("patterns") is None and given.get("filters") is not None:
            given["patterns"] = given["filters"]
        self._members: dict[str, Any] = {}
        for name, mandatory, attribute, default in self.PARAMS:
            if mandatory and name not in given:
                raise InvalidIndexingRequest(f"{type(self).__name__} missing required key {name}")
            value = given.get(name, default)
            self._members[attribute] = list(value) if isinstance(value, list | tuple) else value

    @property
    def params(self) -> tuple[tuple[str, bool, str, Any], ...]:
        """Name, whether it is required, attribute and default of each member."""
        return self.PARAMS

    def to_dict(self) -> dict[str, Any]:
        """The members by their attributes."""
        return dict(self._members)

    def to_json(self) -> str:
        """The same as JSON, sorted and without spaces."""
        return json.dumps(self._members, sort_keys=True, separators=(",", ":"))

    def regex(self) -> re.Pattern[str]:
        """The filters as one regular expression of Python: for looking at, since the server has its own kind."""
        return re.compile("|".join(self.filters))

    def asked(self) -> dict[str, Any]:
        """The filter that the server is asked for; whether digests are made is said of all filters together."""
        named = {"patterns" if name == "filters" else name: value for name, value in self._members.items()}
        return {name: value for name, value in named.items() if value is not None and name not in ("note", "fixity")}

    def __getattr__(self, name: str) -> Any:
        try:
            return self.__dict__["_members"][name]
        except KeyError:
            raise AttributeError(name) from None

    def __getitem__(self, name: str) -> Any:
        return self._members[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._members)

    def __len__(self) -> int:
        return len(self._members)

    def __repr__(self) -> str:
        return f"{type(self).__name__}:{self._members}"


class ArchiveIndexRequest(IndexRequest):
    """Files of the archive, which have a processing level."""

    PARAMS = (
        ("patterns", True, "filters", ()),
        ("note", False, "note", None),
        ("fixity", False, "fixity", True),
        ("generated_by", False, "generated_by", ()),
        ("level", True, "level", "1"),
    )
    kind = ARCHIVE


class ProductIndexRequest(IndexRequest):
    """Products, which are derived from files, using references."""

    PARAMS = (
        ("patterns", True, "filters", ()),
        ("note", False, "note", None),
        ("fixity", False, "fixity", False),
        ("generated_by", False, "generated_by", ()),
        ("derived_from", True, "derived_from", ()),
        ("derived_using", False, "derived_using", ()),
    )
    kind = PRODUCT


def get_index_request(**kwargs: Any) -> ArchiveIndexRequest | ProductIndexRequest:
    """The request of the first kind that has all that it needs; ``InvalidIndexingRequest`` if there is none."""
    try:
        return ArchiveIndexRequest(**kwargs)
    except InvalidIndexingRequest:
        return ProductIndexRequest(**kwargs)
