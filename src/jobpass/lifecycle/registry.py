"""All lifecycles that an installation knows, by name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import MappingProxyType

from jobpass.errors import InvalidInput, InvalidLifecycle
from jobpass.lifecycle.model import Lifecycle


class Lifecycles:
    """An immutable set of lifecycles, each name once; iterates in the order given."""

    __slots__ = ("_by_name",)

    def __init__(self, lifecycles: Iterable[Lifecycle]) -> None:
        by_name: dict[str, Lifecycle] = {}
        for lifecycle in lifecycles:
            if lifecycle.name in by_name:
                problem = f"there are two lifecycles named {lifecycle.name}"
                raise InvalidLifecycle(f"{problem.capitalize()}.", problems=[{"line": 0, "problem": problem}])
            by_name[lifecycle.name] = lifecycle
        self._by_name = MappingProxyType(by_name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names, in the order given."""
        return tuple(self._by_name)

    def get(self, name: str, field: str = "json.lifecycle") -> Lifecycle:
        """The lifecycle of exactly this name; ``InvalidInput`` at ``field`` if there is none."""
        try:
            return self._by_name[name]
        except (KeyError, TypeError):
            known = ", ".join(self._by_name) or "none"
            raise InvalidInput.at(field, f"is not a lifecycle that is known here ({known})") from None

    def adding(self, lifecycles: Iterable[Lifecycle]) -> Lifecycles:
        """Another set with these too; ``InvalidLifecycle`` if a name is taken."""
        return Lifecycles((*self, *lifecycles))

    def __iter__(self) -> Iterator[Lifecycle]:
        return iter(self._by_name.values())

    def __len__(self) -> int:
        return len(self._by_name)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name in self._by_name

    def __eq__(self, other: object) -> bool:
        return tuple(self) == tuple(other) if isinstance(other, Lifecycles) else NotImplemented

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Lifecycles({', '.join(self._by_name)})"
