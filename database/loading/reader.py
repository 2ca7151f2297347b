"""The program of one reading process (readers.py): pieces come in, lines for COPY go out."""

import os
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any, BinaryIO, Final

from database.loading import bills, contributions, enrolments
from database.loading.kinds import Kind
from database.loading.readers import LENGTH_BYTES, Failed, Order
from database.loading.reading import Reader, Staged
from database.vault import Vault

KINDS: Final[dict[str, Callable[[Vault], Kind]]] = {
    "bills": bills.kind,
    "contributions": contributions.kind,
    "enrolments": enrolments.kind,
}


def serve(source: BinaryIO, sink: BinaryIO) -> None:
    """Answer the pieces behind an Order until the source ends, or with Failed at the first error that is no row's."""
    order: Order = _receive(source)
    kind = KINDS[order.kind](Vault.of_keys(order.keys))
    reader = Reader(kind.columns, kind.staged_columns, kind.parse)
    while (piece := _receive(source)) is not None:
        try:
            answer: Staged | Failed = reader.read(piece)
        except Exception as error:
            answer = Failed(type(error).__name__, "".join(traceback.format_tb(error.__traceback__)))
        content = pickle.dumps(answer, pickle.HIGHEST_PROTOCOL)
        sink.write(len(content).to_bytes(LENGTH_BYTES))
        sink.write(content)
        sink.flush()
        if isinstance(answer, Failed):
            return


def _receive(source: BinaryIO) -> Any:
    """Return the next message, None when there is none."""
    length = source.read(LENGTH_BYTES)
    if len(length) < LENGTH_BYTES:
        return None
    # What the load sends through its own pipe.
    return pickle.loads(source.read(int.from_bytes(length)))  # noqa: S301


if __name__ == "__main__":
    try:
        serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        # The load has ended. At once, for the interpreter would try to write the rest, and complain.
        os._exit(1)
