"""The sandbox's people, offered for trying: whoever the sandbox's own enrolments name."""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Person:
    """A fictional person, in a region that is assigned to no place."""

    resident_id: str
    name: str


@cache
def people() -> tuple[Person, ...]:
    """Return each once, in the order of the file."""
    text = files("database.sandbox").joinpath("enrolments.csv").read_text(encoding="utf-8")
    found = {row["resident_id"]: row["name"] for row in csv.DictReader(text.splitlines())}
    return tuple(Person(resident_id, name) for resident_id, name in found.items())
