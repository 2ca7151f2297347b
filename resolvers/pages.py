"""Pages of connections: keyset, never offset."""

from collections.abc import Callable, Sequence
from typing import Any

from contributions.problems import BadInput
from resolvers.asking import Asked, asked_below
from resolvers.call import Call
from resolvers.reading import Row, Shape
from resolvers.records import Edge, Page

DEFAULT_PAGE_SIZE = 20
#: A page of a hundred is as much as a screen or a printed list takes, and bounds the cost of one answer.
MAX_PAGE_SIZE = 100


def page_size(first: int | None, field: str) -> int:
    """Return how many nodes a page has. Raises BadInput that names `field`."""
    if first is None:
        return DEFAULT_PAGE_SIZE
    if not 1 <= first <= MAX_PAGE_SIZE:
        raise BadInput(field, f"must be 1 to {MAX_PAGE_SIZE}")
    return first


def row_after(call: Call, kind: str, after: str, field: str) -> int:
    """Return the row behind which a page begins: a cursor is the node's own id. Raises BadInput that names `field`."""
    row_id = call.row_id(kind, after)
    if row_id is None:
        raise BadInput(field, "is no cursor of this connection")
    return row_id


def node_asked(asked: Asked, edge_kind: str, kind: str) -> Asked:
    """Return what is asked of the nodes of a connection."""
    return asked_below(asked_below(asked, "edges", edge_kind), "node", kind)


def page_reader(
    shape: Shape[Any], size: int, cursor: Callable[[Any], str], *, after: str | None
) -> Callable[[Sequence[Row]], Page]:
    """Return a reader of up to size + 1 rows: the one too many only tells that there is a next page."""

    def read(rows: Sequence[Row]) -> Page:
        nodes = [shape.read(row) for row in rows[:size]]
        return Page(
            edges=tuple(Edge(cursor(node), node) for node in nodes),
            has_next_page=len(rows) > size,
            has_previous_page=after is not None,
        )

    return read
