"""What objects with an id have in common, and the pages that they come in."""

from collections.abc import Callable
from typing import Any

import strawberry
from strawberry import Parent

from resolvers import records


def made_of(*kinds: type) -> Callable[[Any, Any], bool]:
    """Return the `is_type_of` of a type whose values are records of these kinds."""

    def is_type_of(value: Any, _info: Any) -> bool:
        return isinstance(value, kinds)

    # A compiled plan knows a value of just these classes without asking.
    is_type_of.classes = frozenset(kinds)  # type: ignore[attr-defined]
    return is_type_of


@strawberry.interface(description="An object with an id of its own.")
class Node:
    id: strawberry.ID


@strawberry.type(description="Where a page begins and ends, by the Relay cursor specification.")
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


def _page_info(page: Parent[records.Page]) -> records.Page:
    return page


def page_info() -> Any:
    """Return the field `pageInfo`: a page knows its own ends."""
    return strawberry.field(resolver=_page_info, graphql_type=PageInfo)
