"""JSON bodies read strictly: what two readers could understand differently is refused.

Refused beside what is not JSON: invalid UTF-8, NaN and infinities, a member that comes twice in an object at any depth,
unknown members, nesting deeper than a bound, and more arrays and objects than a bound. Every refusal is an
``InvalidInput`` with fields ``json.<member>``; what concerns the body as a whole is at ``json._body``.
"""

from __future__ import annotations

import json
import re
from itertools import accumulate
from typing import Any, Final, NoReturn, TypeVar

import msgspec

from jobpass.errors import InvalidInput
from jobpass.ids import MAX_DEPTH
from jobpass.wire.messages import NULL, NewEvent

T = TypeVar("T")

BODY: Final = "json._body"
"""The field that stands for the body as a whole."""
MAX_CONTAINERS: Final = 200_000
"""Arrays and objects in a body: a megabyte can have 500,000, and whoever reads them keeps all others waiting."""
SHOWN_NAME_LENGTH: Final = 64
"""Characters of an unknown member's name that an error repeats."""

_STRINGS = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEPS = bytes.maketrans(b"[]{}", b"\x02\x00\x02\x00")
_PLACE = re.compile(r" - at `\$(.*)`\Z", re.DOTALL)
_MISSING = re.compile(r"Object missing required field `(.*)`\Z", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`\Z", re.DOTALL)

_event_decoder = msgspec.json.Decoder(NewEvent)
_any_decoder = msgspec.json.Decoder()


def decode(body: bytes, decoder: msgspec.json.Decoder[T], max_depth: int = MAX_DEPTH + 1) -> T:
    """The body as the type of ``decoder``.

    ``max_depth`` counts containers in containers, the body itself included; a member may have one fewer.
    """
    value = _decode(body, decoder)
    check(body, max_depth)
    return value


def decode_event(body: bytes) -> NewEvent:
    """``decode`` for the one route whose speed counts: most bodies are seen to be sound without a second reading."""
    event = _decode(body, _event_decoder)
    if not _plainly_sound(body, event):
        check(body, MAX_DEPTH + 1)
    return event


def to_python(raw: bytes, field: str) -> Any:
    """JSON that was checked, as Python values; ``InvalidInput`` at ``field`` if a number is too long for Python."""
    try:
        return json.loads(raw.decode())
    except json.JSONDecodeError as error:
        raise InvalidInput.at(field, f"is not JSON: {error.msg} at character {error.pos}") from None
    except ValueError:
        raise InvalidInput.at(field, "holds a number that is too long") from None


def check(body: bytes, max_depth: int, most: int = MAX_CONTAINERS) -> None:
    """Raise ``InvalidInput`` unless ``body`` is UTF-8 JSON without repeated members, at most ``max_depth`` deep, and of
    at most so many arrays and objects."""
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise InvalidInput.at(BODY, f"is not UTF-8 (byte {error.start})") from None
    if body.count(b"[") + body.count(b"{") > max_depth:
        _check_containers(_brackets(body), max_depth, most)
    try:
        _reader.decode(text)
    except json.JSONDecodeError as error:
        raise InvalidInput.at(BODY, f"is not JSON: {error.msg} at character {error.pos}") from None


def depth(body: bytes) -> int:
    """Containers in containers, the outermost included, in time linear in the length; the JSON need not be sound."""
    return _height(_brackets(body))


def _brackets(body: bytes) -> bytes:
    """Of a body the brackets outside of texts: an opening one is 2, a closing one 0."""
    return _STRINGS.sub(b"", body).translate(_STEPS, _NO_BRACKETS)


def _height(brackets: bytes) -> int:
    # Each less 1, their running sum is the depth.
    return max((height - position for position, height in enumerate(accumulate(brackets), 1)), default=0)


def _check_containers(brackets: bytes, max_depth: int, most: int) -> None:
    if brackets.count(2) > most:
        raise InvalidInput.at(BODY, f"must not hold more than {most:,} arrays and objects")
    if _height(brackets) > max_depth:
        _refuse_depth()


def _plainly_sound(body: bytes, event: NewEvent) -> bool:
    """Whether a few counts show what ``check`` would: False says only that they do not.

    Each member has one colon outside of texts. If there are no more colons than members which the decoder kept apart,
    no member came twice.
    """
    if not body.isascii() or body.count(b"[") + body.count(b"{") > MAX_DEPTH:
        return False
    data = event.data
    if data is NULL:
        return body.count(b":") == 1
    raw = bytes(data)
    colons = raw.count(b":")
    if body.count(b":") != colons + 2:
        return False
    if colons < 2:
        return True
    try:
        value = _any_decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return type(value) is dict and len(value) == colons


def _decode(body: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    if not body or body.isspace():
        raise InvalidInput.at(BODY, "is empty")
    try:
        return decoder.decode(body)
    except msgspec.ValidationError as error:
        raise _explain(str(error)) from None
    except msgspec.DecodeError as error:
        raise _malformed(str(error)) from None
    except UnicodeDecodeError:
        raise InvalidInput.at(BODY, "is not UTF-8") from None
    except RecursionError:
        _refuse_depth()


def _malformed(words: str) -> InvalidInput:
    if words == "Input data was truncated":  # said of a lone surrogate as well
        return InvalidInput.at(BODY, "is not JSON: it ends too early, or a text holds a lone surrogate")
    return InvalidInput.at(BODY, f"is not JSON: {words.removeprefix('JSON is malformed: ')}")


def _explain(words: str) -> InvalidInput:
    """The error for a sentence of msgspec: ``Expected `str`, got `int` - at `$.name```."""
    place = ""
    # The name of an unknown member is the caller's own: it could look like a place.
    if not words.startswith("Object contains unknown field") and (found := _PLACE.search(words)):
        place, words = found[1], words[: found.start()]
    if found := _MISSING.match(words):
        place, words = f"{place}.{found[1]}", "is required"
    elif found := _UNKNOWN.match(words):
        place, words = f".{found[1][:SHOWN_NAME_LENGTH]}", "is not known here"
    else:
        words = words[:1].lower() + words[1:].replace("`", "")
    return InvalidInput.at(f"json{place}" if place else BODY, words)


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> None:
    if len(dict(pairs)) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise InvalidInput.at(f"json.{name[:SHOWN_NAME_LENGTH]}", "comes twice")
            seen.add(name)


def _constant(name: str) -> NoReturn:
    raise InvalidInput.at(BODY, f"holds {name}, which is not JSON")


def _refuse_depth() -> NoReturn:
    raise InvalidInput.at(BODY, f"must not be nested deeper than {MAX_DEPTH}")


# Numbers stay texts: none is too long, and none is worth the time. A decoder is dear to make and free to keep.
_reader: Final = json.JSONDecoder(
    object_pairs_hook=_refuse_repeats, parse_int=str, parse_float=str, parse_constant=_constant
)
