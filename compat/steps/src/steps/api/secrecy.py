"""What holds secrets and shows none."""

from __future__ import annotations

from typing import Any, ClassVar, NoReturn

HIDDEN = "…"


class Guarded:
    """Its ``repr`` has its fields, secrets as ``…``; while it holds a secret it is neither pickled nor copied.

    Other attributes than its fields are not shown.
    """

    _fields: ClassVar[tuple[str, ...]] = ()
    _secrets: ClassVar[tuple[str, ...]] = ()

    def __repr__(self) -> str:
        shown = (f"{name}={self._shown(name)!r}" for name in self._fields)
        return f"{type(self).__name__}({', '.join(shown)})"

    def __getstate__(self) -> dict[str, Any]:
        for name in self._secrets:
            if getattr(self, name):
                raise TypeError(f"{type(self).__name__} holds a secret ({name}) and is not pickled or copied.")
        return dict(self.__dict__)

    def _shown(self, name: str) -> Any:
        value = getattr(self, name)
        return HIDDEN if value and name in self._secrets else value


class Body(dict[str, Any]):
    """The members of a request; ``repr`` hides the password, and it is not pickled. ``dict(body)`` is a plain one."""

    def __repr__(self) -> str:
        return repr({name: HIDDEN if name == "password" and value else value for name, value in self.items()})

    def __reduce__(self) -> NoReturn:
        raise TypeError("The members of a request hold a password and are not pickled or copied.")
