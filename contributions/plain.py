"""Records: plain values under names, which nobody changes."""

from dataclasses import dataclass, field
from typing import TypeVar, dataclass_transform

Kind = TypeVar("Kind")


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(kind: type[Kind]) -> type[Kind]:
    """Make a class one of records: a dataclass that is frozen for the type checker, and for it alone.

    Freezing at run time makes a record of twelve values take five times as long to make, and an answer is made of
    hundreds.
    """
    return dataclass(slots=True, unsafe_hash=True)(kind)
