"""Documents of the seed system's catalogue, as MongoDB's extended JSON has them: read into records. Pure.

Version 2 (relaxed, canonical) and version 1 of extended JSON. Numbers with a type become numbers; every other value
with a type (dates, object ids) stays the object that it came as, but for the dates that a record has a place for.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from jobpass import ids
from jobpass.authority import details as sound
from jobpass.clock import EPOCH
from jobpass.errors import InvalidInput
from jobpass.records import Details

Kind = Literal["jobs", "pipelines", "others"]

NULL: Final = b"null"
NAMES: Final = "_history_names"
"""The attribute that holds, by sequence, event names as they were sent where that is not how they are recorded."""
SHOWN_AS_IT_IS: Final = ("agent", "task", "_visible")
"""Attributes that are members of a document by themselves; the rest of a job's attributes is in ``attributes``."""
_TYPED: Final = b'"$'
_DIGITS: Final = re.compile("[+-]?[0-9]+")
_MILLISECOND: Final = timedelta(milliseconds=1)
_PLAIN_REPR: Final = (str, int, float, bool, type(None))


class Entry(Struct):
    """One entry of a job's history."""

    date: Any
    name: str
    uuid: str
    data: Raw = Raw(NULL)


class JobDocument(Struct):
    """A job's document. Members that it may lack may be null as well."""

    uuid: str
    state: str
    last_event: str
    pipeline_uuid: str
    history: list[Entry]
    updated: Any = None
    data: Raw = Raw(NULL)
    lifecycle: str = "pipeline"
    child_of: list[str] | None = None
    generated_by: list[str] | None = None
    acted_on: list[str] | None = None
    acted_using: list[str] | None = None
    archive_path: str | None = None
    archive_system: str | None = None
    archive_patterns: Raw = Raw(NULL)
    product_patterns: Raw = Raw(NULL)
    session: str | None = None
    salt: str | None = msgspec.field(name="_salt", default=None)
    admin: dict[str, Any] | UnsetType | None = msgspec.field(name="_admin", default=UNSET)
    properties: dict[str, Any] | None = msgspec.field(name="_properties", default=None)
    attributes: dict[str, Raw] | None = None


class PipelineDocument(Struct):
    """A pipeline's document; its other members are shown as they are."""

    uuid: str
    name: str
    components: list[dict[str, Raw]]
    admin: dict[str, Any] | UnsetType | None = msgspec.field(name="_admin", default=UNSET)
    properties: dict[str, Any] | None = msgspec.field(name="_properties", default=None)


_HIDDEN: Final = frozenset(("_id", "_salt", "uuid", "_update_token"))
_IN_RECORDS: Final = frozenset(JobDocument.__struct_encode_fields__) - {"_admin", "_properties"} | _HIDDEN
_decode_job = msgspec.json.Decoder(JobDocument).decode
_decode_pipeline = msgspec.json.Decoder(PipelineDocument).decode
_decode_members = msgspec.json.Decoder(dict[str, Raw]).decode
_decode_any = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


def members_of(text: bytes) -> dict[str, Raw]:
    """The members of a document; ``InvalidInput`` if it is no JSON object."""
    return _read(_decode_members, text)  # type: ignore[no-any-return]


def kind_of(members: Mapping[str, Raw]) -> Kind:
    """What a document is: as its uuid says, else as its members look."""
    uuid = bytes(members.get("uuid", b""))[1:4].decode("ascii", "replace")
    if uuid in (ids.PREFIXES["pipelinejob"], ids.PREFIXES["pipeline"]):
        return "jobs" if uuid == ids.PREFIXES["pipelinejob"] else "pipelines"
    if "history" in members or "pipeline_uuid" in members:
        return "jobs"
    return "pipelines" if "components" in members else "others"


def shown_uuid(members: Mapping[str, Raw]) -> str | None:
    """The uuid of a document as it can be shown, None if it has none."""
    uuid = bytes(members.get("uuid", b"")).decode("utf-8", "replace").strip('"')
    return uuid if ids.is_uuid(uuid) else None


def read_job(text: bytes) -> JobDocument:
    """The document of a job; ``InvalidInput`` tells the member that is not as it should be."""
    return _read(_decode_job, plain(text))  # type: ignore[no-any-return]


def read_pipeline(text: bytes) -> PipelineDocument:
    """The document of a pipeline, likewise."""
    return _read(_decode_pipeline, plain(text))  # type: ignore[no-any-return]


def plain(text: bytes) -> bytes:
    """JSON whose numbers are written as numbers; the text itself if no number has a type."""
    if b'"$number' not in text:
        return text
    return _encode(_untyped(_read(_decode_any, text)))


def moment(value: Any, field: str) -> datetime:
    """A date of extended JSON, aware: as text or in milliseconds; what has no time zone is UTC."""
    inner = value.get("$date") if type(value) is dict and len(value) == 1 else value
    try:
        if type(inner) is str and inner[10:11] in ("T", " "):
            at = datetime.fromisoformat(inner)
            return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
        if type(inner) is int:
            return EPOCH + inner * _MILLISECOND
    except (ValueError, OverflowError):
        pass  # told below, with what could not be read at all
    raise InvalidInput.at(field, "is not a date")


def written(at: datetime) -> dict[str, str]:
    """A moment as a date of extended JSON."""
    spec = "microseconds" if at.microsecond % 1000 else "milliseconds" if at.microsecond else "seconds"
    return {"$date": at.replace(tzinfo=None).isoformat(timespec=spec) + "Z"}


def details_of(document: JobDocument, members: Mapping[str, Raw]) -> Details:
    """What the job says of itself; ``members`` are those of the document's text."""
    attributes = {name: plain(bytes(raw)) for name, raw in members.items() if name not in _IN_RECORDS}
    attributes |= {name: bytes(raw) for name, raw in (document.attributes or {}).items()}
    attributes.pop(NAMES, None)
    source = (document.properties or {}).get("source")
    if isinstance(source, str):
        attributes["source"] = _encode(source)
    if attributes.get("_visible") == b"true":  # as all are but the few that were hidden
        del attributes["_visible"]
    names = {str(n): entry.name for n, entry in enumerate(document.history, 1) if entry.name != entry.name.lower()}
    if names:
        attributes[NAMES] = _encode(names)
    found = Details(
        generated_by=tuple(document.generated_by or ()),
        acted_on=tuple(document.acted_on or ()),
        acted_using=tuple(document.acted_using or ()),
        archive_patterns=_array(document.archive_patterns),
        product_patterns=_array(document.product_patterns),
        attributes=_encode({name: Raw(raw) for name, raw in attributes.items()}),
    )
    sound.check(tuple(document.child_of or ()), found)
    return found


def body_of(members: Mapping[str, Raw]) -> bytes:
    """What a pipeline is shown as: the members of its document but those that are not its own."""
    return _encode({name: Raw(plain(bytes(raw))) for name, raw in members.items() if name not in _HIDDEN})


def data_of(document: JobDocument) -> bytes:
    """The job's data, which its ``create`` event must have as well, or have none: JSON text of an object."""
    outer, first = bytes(document.data), bytes(document.history[0].data)
    if first == NULL:
        first = b"{}" if outer == NULL else outer
    if not first.startswith(b"{"):
        raise InvalidInput.at("history[0].data", "must be an object")
    if outer not in (NULL, first) and not sound.same_data(outer, _read(_decode_any, first)):
        raise InvalidInput.at("data", "is not that of the create event")
    return first


def owner_of(admin: object) -> str:
    """The name of a document's owner; empty if it tells none."""
    owner = admin.get("owner") if isinstance(admin, dict) else None
    if owner is None:
        return ""
    if not isinstance(owner, str) or not owner:
        raise InvalidInput.at("_admin.owner", "must be a text")
    return owner


def token_fields(document: JobDocument) -> str | None:
    """The text that the old algorithm hashed after the salt: Python's ``repr`` of what the token stands for.

    None if the document has a value whose ``repr`` was another one in the seed system.
    """
    values: list[Any] = [document.uuid]
    if document.admin is not UNSET:
        values.append(document.admin)
    return str(values) if _has_plain_repr(values) else None


def _read(decode: Any, text: bytes) -> Any:
    try:
        return decode(text)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error).replace("`", "")) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidInput("is not JSON, or holds half a character") from None


def _array(raw: Raw) -> bytes:
    return b"[]" if bytes(raw) == NULL else bytes(raw)


def _untyped(value: Any) -> Any:
    if isinstance(value, list):
        return [_untyped(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, inner),) = value.items()
        if name in ("$numberInt", "$numberLong", "$numberDouble"):
            return _number(name, inner)
    return {name: _untyped(item) for name, item in value.items()}


def _number(name: str, text: Any) -> int | float:
    try:
        number = float(str(text)) if name == "$numberDouble" else _whole(str(text))
    except ValueError:
        raise InvalidInput(f"holds a {name} that is none") from None
    if number != number or number in (float("inf"), float("-inf")):
        raise InvalidInput("holds NaN or an infinity, which is not JSON")
    return number


def _whole(text: str) -> int:
    if not _DIGITS.fullmatch(text):  # int() knows more spellings
        raise ValueError(text)
    return int(text)


def _has_plain_repr(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_has_plain_repr, value))
    if isinstance(value, dict):
        return all(name[:1] != "$" and _has_plain_repr(item) for name, item in value.items())
    return isinstance(value, _PLAIN_REPR)
