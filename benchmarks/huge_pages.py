"""Pages of 2 MB for PostgreSQL's shared buffers, set aside by the machine for as long as a block lasts.

Without them each of PostgreSQL's processes comes to know gigabytes of buffers 4 kB at a time, by a page fault each.
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_RESERVED = Path("/proc/sys/vm/nr_hugepages")
_PAGE_MB = 2
#: What PostgreSQL shares besides its buffers: 4% and more of them.
_BESIDE = 1.06
_MB = {"MB": 1, "GB": 1024}


class NotSetAside(Exception):
    """The machine has no such pages to give, or does not let us ask."""


@contextmanager
def huge_pages(shared_buffers: str) -> Iterator[None]:
    """Have enough of them for buffers such as `14GB`. Raises NotSetAside, ValueError for another unit."""
    size = re.fullmatch(r"([0-9]+)(MB|GB)", shared_buffers)
    if size is None:
        raise ValueError(f"{shared_buffers}: a number of MB or GB is needed")
    wanted = int(int(size[1]) * _MB[size[2]] / _PAGE_MB * _BESIDE) + 1
    try:
        before = _RESERVED.read_text(encoding="ascii")
        _RESERVED.write_text(str(wanted), encoding="ascii")
    except OSError as error:
        raise NotSetAside(f"{_RESERVED}: {error.strerror}") from error
    try:
        # The kernel gives as many as it finds.
        if int(_RESERVED.read_text(encoding="ascii")) < wanted:
            raise NotSetAside(f"{_RESERVED}: fewer than {wanted} were to be had")
        yield
    finally:
        _RESERVED.write_text(before, encoding="ascii")
