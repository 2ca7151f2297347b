"""What a caller asks of a record, free of any GraphQL type."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


def key_of(name: str, arguments: Mapping[str, Any]) -> Hashable:
    """Return what an answer is kept under: the attribute and its arguments, whatever the caller calls it.

    The same attribute with the same arguments is the same answer, asked once or many times.
    """
    return (name, *sorted(arguments.items())) if arguments else name


@dataclass(frozen=True, slots=True)
class Ask:
    """One attribute that is asked of a record, with its arguments and what is asked of its value in turn."""

    #: The attribute's name, in snake case.
    name: str
    #: Every argument that the attribute takes, None where the caller left it out.
    arguments: Mapping[str, Any]
    #: By the kind of record that the value may be: what is asked of it.
    of: Mapping[str, "Asked"]

    @property
    def key(self) -> Hashable:
        """Return what the answer is kept under."""
        return key_of(self.name, self.arguments)

    def asked_of(self, kind: str) -> "Asked":
        """Return what is asked of the value when it is a record of this kind."""
        return self.of.get(kind, NOTHING)


class Asked(tuple[Ask, ...]):
    """All that is asked of a record. What was composed for it is kept with it, and lives as long."""

    composed: dict[Hashable, Any]

    def __new__(cls, asks: Iterable[Ask] = ()) -> "Asked":
        """Make it of its attributes."""
        self = super().__new__(cls, asks)
        self.composed = {}
        return self


#: Of a record that is only asked for its plain values.
NOTHING = Asked()


def asks(asked: Asked, name: str) -> bool:
    """Return whether an attribute of this name is asked for at all."""
    return any(ask.name == name for ask in asked)


def asked_below(asked: Asked, name: str, kind: str) -> Asked:
    """Return what is asked of the record of this kind that an attribute without arguments holds."""
    return next((ask.asked_of(kind) for ask in asked if ask.name == name), NOTHING)
