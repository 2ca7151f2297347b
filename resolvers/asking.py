"""What a caller asks of a record, free of any GraphQL type."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any


def key_of(name: str, *arguments: Hashable) -> Hashable:
    """Return what an answer is kept under: the attribute and its arguments, whatever the caller calls it.

    The same attribute with the same arguments is the same answer, asked once or many times. Every argument is there,
    in the order in which the schema declares them.
    """
    return (name, *arguments) if arguments else name


@dataclass(frozen=True, slots=True)
class Ask:
    """One attribute that is asked of a record, with its arguments and what is asked of its value in turn."""

    #: The attribute's name, in snake case.
    name: str
    #: Every argument that the attribute takes, as the schema declares them; None where the caller left it out.
    arguments: Mapping[str, Any]
    #: By the kind of record that the value may be: what is asked of it.
    of: Mapping[str, "Asked"]

    @property
    def key(self) -> Hashable:
        """Return what the answer is kept under."""
        return key_of(self.name, *self.arguments.values())

    def asked_of(self, kind: str) -> "Asked":
        """Return what is asked of the value when it is a record of this kind."""
        return self.of.get(kind, NOTHING)


class Asked(tuple[Ask, ...]):
    """All that is asked of a record. What was composed for it is kept with it, and lives as long."""

    composed: dict[Hashable, Any]
    #: The attributes that hold plain values, in snake case; None for all that there are.
    plain: frozenset[str] | None

    def __new__(cls, asks: Iterable[Ask] = (), plain: frozenset[str] | None = None) -> "Asked":
        """Make it of the attributes that lead on, and the names of the others."""
        self = super().__new__(cls, asks)
        self.composed = {}
        self.plain = plain
        return self

    def has_plain(self, *names: str) -> bool:
        """Return whether any of these plain attributes is asked for."""
        return self.plain is None or not self.plain.isdisjoint(names)

    def with_plain(self, name: str) -> "Asked":
        """Return the same with one more plain attribute."""
        return self if self.plain is None else Asked(self, self.plain | {name})


#: Of a record that is only asked for its plain values, whichever they are.
NOTHING = Asked()
#: Of a record that is not asked for.
NOT_ASKED = Asked((), frozenset())


def asks(asked: Asked, name: str) -> bool:
    """Return whether an attribute of this name is asked for at all."""
    return any(ask.name == name for ask in asked)


def asked_below(asked: Asked, name: str, kind: str) -> Asked:
    """Return what is asked of the record of this kind that an attribute without arguments holds."""
    return next((ask.asked_of(kind) for ask in asked if ask.name == name), NOT_ASKED)
