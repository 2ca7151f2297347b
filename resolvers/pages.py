"""Pages of connections: keyset, never offset."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any

from contributions.problems import BadInput
from resolvers.asking import Ask, Asked, asked_below
from resolvers.call import Call
from resolvers.reading import Column, Reading, Row, Shape, Statement
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


def is_after(reading: Reading, column: str, kind: str, after: str, field: str) -> str:
    """Return the condition that a row comes behind a cursor that is what was asked for; `field` is where it was."""
    return f"{column} > {reading.of_call(lambda call: row_after(call, kind, after, field), 'bigint')}"


def node_asked(asked: Asked, edge_kind: str, kind: str) -> Asked:
    """Return what is asked of the nodes of a connection; of their ids as well where a cursor is made of one."""
    edge = asked_below(asked, "edges", edge_kind)
    node = asked_below(edge, "node", kind)
    page_info = asked_below(asked, "page_info", "PageInfo")
    has_cursors = edge.has_plain("cursor") or page_info.has_plain("start_cursor", "end_cursor")
    return node.with_plain("id") if has_cursors else node


def page_column(
    reading: Reading, ask: Ask, shape: Shape[Any], source: str, size: int, cursor_of: Callable[[Any], str]
) -> Column:
    """Return the page that is asked for, of `source`: what follows the columns of a SELECT, but its LIMIT."""
    # The row too many only tells that there is a next page.
    source = f"{source} LIMIT {reading.fixed(size + 1, 'integer')}"
    # Who asks for more than is usual expects more; most people have few bills.
    sql, read_nodes = shape.many(reading.alias("c"), source, is_long=size > DEFAULT_PAGE_SIZE)
    has_previous_page = ask.arguments.get("after") is not None

    def read(value: Any, call: Call) -> Page:
        nodes = read_nodes(value, call)
        edges = tuple(map(Edge, nodes[:size], repeat(cursor_of)))
        return Page(edges, has_next_page=len(nodes) > size, has_previous_page=has_previous_page)

    return Column(ask.key, sql, read)


def id_of(node: Any) -> str:
    """Return the cursor of a node that has an id: the id."""
    return str(node.id)


@dataclass(frozen=True, slots=True)
class Place:
    """Which page of a root's own connection is asked for: how large, and behind which row."""

    size: int
    after: object | None

    @property
    def is_first(self) -> bool:
        """Whether the page begins at the beginning."""
        return self.after is None

    @property
    def given(self) -> tuple[object, ...]:
        """Return what `page_statement` is run with."""
        return (self.size + 1,) if self.after is None else (self.after, self.size + 1)


def place_of(call: Call, kind: str, first: int | None, after: str | None) -> Place:
    """Return the place that a root's arguments name. Raises BadInput."""
    size = page_size(first, "first")
    return Place(size, None if after is None else row_after(call, kind, after, "after"))


def page_statement(
    reading: Reading, shape: Shape[Any], source: str, key: str, conditions: Sequence[str], *, is_first: bool
) -> Statement[tuple[Any, ...]]:
    """Return the statement of one page, in the order of `key`, a bigint of `source`: the rows, and one too many."""
    wanted = [*conditions]
    if not is_first:
        wanted.append(f"{key} > {reading.given('bigint')}")
    rows = f"FROM {source} WHERE {' AND '.join(wanted)} ORDER BY {key} LIMIT {reading.given('integer')}"
    sql, read_nodes = shape.many(reading.alias("c"), rows, is_long=True)

    def read(row: Row, call: Call) -> tuple[Any, ...]:
        return tuple(read_nodes(row[0], call))

    return reading.statement(f"SELECT {sql}", read)


def page(nodes: Sequence[Any], place: Place, cursor_of: Callable[[Any], str] = id_of) -> Page:
    """Return the page at a place, of its nodes and perhaps one too many."""
    edges = tuple([Edge(node, cursor_of) for node in nodes[: place.size]])
    return Page(edges, has_next_page=len(nodes) > place.size, has_previous_page=not place.is_first)
