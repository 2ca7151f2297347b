"""What is sent to /verify: two typed fields, or a voucher's file, which is held in memory and kept nowhere.

A file is taken out of its form and checked in a thread, one file at a time: neither is done on the event loop.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final

import anyio
from anyio import to_thread
from cryptography import x509
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from gateway.pages.forms import BadForm, read_form
from gateway.vouchers.faults import SignedVoucher

#: A number, a code and a language, percent-encoded at the worst, are less.
MAX_FORM_BYTES: Final = 4096
MAX_FIELDS: Final = 8
#: A voucher has some 45 kB, whose form is little more; what gateway/vouchers/checking.py takes has room.
MAX_FILE_FORM_BYTES: Final = 1024 * 1024
#: A telephone's picture of a voucher is read to its end and dropped, so that its sender is told what it is: a browser
#: shows no answer to what it has not finished sending. Beyond this the connection is closed.
MAX_DROPPED_BYTES: Final = 16 * 1024 * 1024
#: A voucher over the slowest telephone line, 16 kbit/s, takes less.
FILE_TIMEOUT_SECONDS: Final = 30.0
#: Files in one process, arriving or waiting for their check: 32 MiB in memory at the most.
MAX_FILES: Final = 32

_FILE_FORM: Final = "multipart/form-data"


class NoFile(Exception):
    """No file was chosen."""


class FileTooLarge(Exception):
    """The file is too large to be a voucher."""


class FilesBusy(Exception):
    """As many files as MAX_FILES are being checked; nothing was read."""


def carries_file(request: Request) -> bool:
    """Return whether the request is the form with a file."""
    return request.method == "POST" and _media_type(request) == _FILE_FORM


async def fields_of(request: Request) -> Mapping[str, str]:
    """Return the fields of the query, of a repeated one the last; or of the form. Raises BadForm."""
    if request.method != "POST":
        return dict(request.query_params)
    return await read_form(request, max_bytes=MAX_FORM_BYTES, max_fields=MAX_FIELDS)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


class FileDesk:
    """Where files are checked: so many in memory, one at a time in a thread."""

    def __init__(self) -> None:
        self._files = 0
        # Two threads of Python check no faster.
        self._thread = anyio.CapacityLimiter(1)

    async def check(self, request: Request, certificates: Sequence[x509.Certificate]) -> SignedVoucher:
        """Return what the form's file says that it is.

        Raises NotGenuine, NoFile, FileTooLarge, FilesBusy and BadForm.
        """
        if self._files >= MAX_FILES:
            raise FilesBusy
        self._files += 1
        try:
            body = await _file_form(request)
            return await to_thread.run_sync(_checked, request.headers, body, certificates, limiter=self._thread)
        finally:
            self._files -= 1


async def _file_form(request: Request) -> bytes:
    """Return the form's body. Raises FileTooLarge and BadForm."""
    body, size = bytearray(), 0
    try:
        with anyio.fail_after(FILE_TIMEOUT_SECONDS):
            async for piece in request.stream():
                size += len(piece)
                if size > MAX_DROPPED_BYTES:
                    raise BadForm(413)
                if size <= MAX_FILE_FORM_BYTES:
                    body += piece
                else:
                    body.clear()
    except TimeoutError:
        raise BadForm(408) from None
    except ClientDisconnect:
        raise BadForm(400) from None
    if size > MAX_FILE_FORM_BYTES:
        raise FileTooLarge
    return bytes(body)


class _InMemory(MultiPartParser):
    """Starlette's parser, which writes nothing to the disk: the whole body is smaller than what it spools."""

    spool_max_size = MAX_FILE_FORM_BYTES


def _checked(headers: Headers, body: bytes, certificates: Sequence[x509.Certificate]) -> SignedVoucher:
    """Take the file out of its form and check it: what runs in the thread."""
    from gateway.vouchers.checking import check_file  # takes a quarter of a second, once

    async def piece() -> AsyncGenerator[bytes, None]:
        yield body

    try:
        # One file and nothing beside it: the language is in the form's address.
        form = asyncio.run(_InMemory(headers, piece(), max_files=1, max_fields=0).parse())
    except (MultiPartException, ValueError):
        raise BadForm(400) from None
    upload = form.get("file")
    if not isinstance(upload, UploadFile):
        raise NoFile
    with upload.file as opened:
        content = opened.read()
    # What a browser sends for a field with no file chosen.
    if not content and not upload.filename:
        raise NoFile
    return check_file(content, certificates)
