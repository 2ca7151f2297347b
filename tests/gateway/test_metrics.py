"""Requests are counted and timed by path and status, and strangers can't make the labels grow."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from gateway.metrics import MULTIPROCESS_DIRECTORY, Metrics, MetricsMiddleware
from tests.acceptance.gateway import Server


def counted(text: str) -> dict[tuple[str, str], float]:
    """Return the requests answered, by path and status."""
    return {
        (sample.labels["path"], sample.labels["status"]): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "gateway_http_requests_total"
    }


def test_each_request_is_counted(server: Server) -> None:
    before = counted(server.http.get("/metrics").text)
    client = server.client("abc-counter")
    client.run("{ viewer { clientId } }")
    client.run("{ viewer { clientId } }")
    client.http.post("/graphql")
    after = counted(server.http.get("/metrics").text)

    def more(path: str, status: str) -> float:
        return after.get((path, status), 0) - before.get((path, status), 0)

    assert more("/graphql", "200") == 2
    assert more("/graphql", "401") == 1
    assert more("/oauth/token", "200") == 1
    assert more("/metrics", "200") == 1


def test_requests_are_timed(server: Server) -> None:
    server.http.get("/healthz")
    text = server.http.get("/metrics").text
    assert re.search(r'gateway_http_request_seconds_count\{path="/healthz"\} [1-9]', text)


def test_unknown_paths_share_one_label(server: Server) -> None:
    for stranger in range(20):
        server.http.get(f"/stranger/{stranger}")
        server.http.get("/healthz", params={"n": stranger})
    paths = {path for path, _ in counted(server.http.get("/metrics").text)}
    assert ("other", "404") in counted(server.http.get("/metrics").text)
    assert paths <= {"other", "/healthz", "/readyz", "/metrics", "/graphql", "/oauth/token"}


def test_strange_methods_make_no_label(server: Server) -> None:
    for method in ("PROPFIND", "PURGE", "LOCK"):
        server.http.request(method, "/healthz")
    for family in text_string_to_metric_families(server.http.get("/metrics").text):
        for sample in family.samples:
            assert set(sample.labels) <= {"path", "status", "le", "state", "of"}


async def fails(_request: Request) -> Response:
    raise KeyError("x")


async def answers(_request: Request) -> Response:
    return PlainTextResponse("ok")


@pytest.fixture
async def local(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[httpx.AsyncClient, Metrics]]:
    monkeypatch.delenv(MULTIPROCESS_DIRECTORY, raising=False)
    routes = [Route("/graphql", fails), Route("/healthz", answers)]
    metrics = Metrics()
    app = MetricsMiddleware(Starlette(routes=routes), metrics)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as http:
        yield http, metrics


@pytest.mark.anyio
async def test_a_fault_counts_as_500(local: tuple[httpx.AsyncClient, Metrics]) -> None:
    http, metrics = local
    assert (await http.get("/graphql")).status_code == 500
    assert (await http.get("/healthz")).status_code == 200
    assert counted(generate_latest(metrics.registry).decode()) == {("/graphql", "500"): 1, ("/healthz", "200"): 1}


@pytest.mark.anyio
async def test_a_client_that_went_away_is_told_apart(local: tuple[httpx.AsyncClient, Metrics]) -> None:
    _, metrics = local

    async def silent(_scope: object, _receive: object, _send: object) -> None:
        return

    async def unused(*_arguments: object) -> None:
        raise AssertionError("called")

    await MetricsMiddleware(silent, metrics)({"type": "http", "path": "/graphql"}, unused, unused)
    assert counted(generate_latest(metrics.registry).decode()) == {("/graphql", "499"): 1}
