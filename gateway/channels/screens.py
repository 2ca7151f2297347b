"""What passes between the pages' parts: a visit in, a screen out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.channels.calls import Session
from gateway.channels.forms import Fields
from gateway.channels.ways import Channel


@dataclass(frozen=True, slots=True)
class Visit:
    """One request for a module of a channel. The fields, which name people, stay out of the repr."""

    channel: Channel
    module: str
    fields: Fields = field(repr=False)
    session: Session
    #: Whether a form was sent, and not only the page asked for.
    sent: bool


@dataclass(frozen=True, slots=True)
class Screen:
    """A page: its template, what that is given, and the HTTP status."""

    template: str
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)
    status: int = 200


class Missing(Exception):
    """There is no such thing here: 404."""


def refused(problem: Mapping[str, Any]) -> Screen:
    """Return the page of a Problem of the API's: its code, its message, and what it says to do next."""
    return Screen("problem.html", {"problem": problem})
