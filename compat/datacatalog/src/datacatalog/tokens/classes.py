"""Texts that are tokens and salts."""

from __future__ import annotations

from typing import Any, Final, NoReturn, Self

_JOBPASS_PREFIX: Final = "jp_"


class Token(str):
    """The text of a token: usable as a ``str``, masked in ``repr``, never pickled.

    Lower-cased as ever, but for the texts of Jobpass (``jp_…``), whose case counts. ``scope`` is of this token alone.
    """

    __slots__ = ("scope",)

    scope: str

    def __new__(cls, value: object, scope: str = "user") -> Self:
        text = str(value)
        token = super().__new__(cls, text if text.startswith(_JOBPASS_PREFIX) else text.lower())
        token.scope = scope
        return token

    def __repr__(self) -> str:
        known = self[:7] if self.startswith(_JOBPASS_PREFIX) else ""
        return f"<Token {known}…>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a token is not pickled; write str(token) where it may be kept")


class Salt(str):
    """A cryptographic salt, lower-cased."""

    __slots__ = ()

    def __new__(cls, value: object) -> Self:
        return super().__new__(cls, str(value).lower())
