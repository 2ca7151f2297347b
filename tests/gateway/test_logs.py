"""Logs are JSON lines on standard error, and hold no query, no variable, no answer and no message of the database."""

import json
import logging
import sys
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import structlog

from gateway.logs import MAX_CAUSES, configure_logs
from tests.acceptance.gateway import serving

NUMBER = "36999919660630004X"
NAME = "欧阳明"


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> Iterator[StringIO]:
    """What is logged, as standard error gets it."""
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    output = StringIO()
    monkeypatch.setattr(sys, "stderr", output)
    configure_logs("INFO")
    yield output
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def lines(written: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in written.getvalue().splitlines()]


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_a_line_of_ours_is_one_json_object(written: StringIO) -> None:
    structlog.get_logger("gateway").warning("two\nlines", count=2, name=NAME)
    (line,) = lines(written)
    assert line["event"] == "two\nlines"
    assert (line["level"], line["count"], line["name"]) == ("warning", 2, NAME)
    assert line["timestamp"]


def test_so_is_a_library_s(written: StringIO) -> None:
    logging.getLogger("uvicorn.error").info("Started %s", "server", extra={"color_message": "Started"})
    (line,) = lines(written)
    assert (line["event"], line["level"], line["logger"]) == ("Started server", "info", "uvicorn.error")
    assert "color_message" not in line


def test_what_is_below_the_level_is_left_out(written: StringIO) -> None:
    logging.getLogger("asyncpg").debug("x")
    structlog.get_logger("gateway").debug("x")
    assert written.getvalue() == ""


@pytest.mark.parametrize("library", [True, False])
def test_an_exception_is_logged_without_its_message(written: StringIO, library: bool) -> None:
    error = raised(asyncpg.DataError(f"invalid input for query argument $1: '{NUMBER}'"), raised(KeyError(NAME)))
    if library:
        logging.getLogger("uvicorn.error").error("Exception in ASGI application", exc_info=error)
    else:
        structlog.get_logger("gateway").error("fault", exc_info=error)
    assert NUMBER not in written.getvalue()
    assert NAME not in written.getvalue()
    (line,) = lines(written)
    told = line["exception"]
    assert told.index("builtins.KeyError") < told.index("which led to:") < told.index("DataError")
    assert f'File "{__file__}"' in told


def test_what_postgresql_says_without_values_is_kept(written: StringIO) -> None:
    error = asyncpg.UniqueViolationError(f"duplicate key: ({NAME})")
    error.constraint_name = "payers_resident_id_index_key"
    structlog.get_logger("gateway").error("fault", exc_info=raised(error))
    told = lines(written)[0]["exception"]
    assert "UniqueViolationError sqlstate=23505 constraint_name=payers_resident_id_index_key" in told
    assert NAME not in told


def test_the_system_s_messages_are_kept(written: StringIO) -> None:
    structlog.get_logger("gateway").error("fault", exc_info=raised(ConnectionRefusedError(111, "Connection refused")))
    assert lines(written)[0]["exception"].endswith("ConnectionRefusedError: [Errno 111] Connection refused")


def test_a_chain_without_end_is_cut_off(written: StringIO) -> None:
    error: BaseException | None = None
    for _ in range(3 * MAX_CAUSES):
        error = raised(RuntimeError(), error)
    structlog.get_logger("gateway").error("fault", exc_info=error)
    assert lines(written)[0]["exception"].count("RuntimeError") == MAX_CAUSES


def test_a_cause_that_was_cut_off_stays_so(written: StringIO) -> None:
    try:
        try:
            raise KeyError("inner")
        except KeyError:
            raise ValueError("outer") from None
    except ValueError as error:
        structlog.get_logger("gateway").error("fault", exc_info=error)
    assert "KeyError" not in lines(written)[0]["exception"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_server_writes_nothing_but_json_lines(
    sandbox_database: str, master_key: str, tmp_path: Path, workers: str
) -> None:
    settings: dict[str, Any] = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    with serving(tmp_path / "log", "--workers", workers, GATEWAY_LOG_LEVEL="DEBUG", **settings) as server:
        client = server.client("abc-counter")
        query = (
            "query Watermark($number: ResidentId!, $name: String!) { payer(residentId: $number, name: $name) { id } }"
        )
        answer = client.run(query, number=NUMBER, name=NAME)
        assert server.stop() == 0
        log = server.log.read_text(encoding="utf-8")
    for line in log.splitlines():
        assert {"event", "level", "timestamp"} <= set(json.loads(line)), line
    assert log
    for secret in (NUMBER, NAME, "Watermark", answer["payer"]["id"], client.token, "Basic "):
        assert secret not in log
