"""Alive is not ready: a load balancer sends nobody to a gateway whose database is away."""

from pathlib import Path

import asyncpg
import httpx
import pytest
from prometheus_client import CollectorRegistry
from starlette.applications import Starlette

from gateway.endpoints import health
from gateway.endpoints.health import health_routes

pytestmark = pytest.mark.anyio


def http_of(pool: asyncpg.Pool) -> httpx.AsyncClient:
    app = Starlette(routes=health_routes(pool, CollectorRegistry()))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://gateway.example")


async def test_with_its_database_the_gateway_is_alive_and_ready(empty_database: str) -> None:
    async with asyncpg.create_pool(empty_database, min_size=1, max_size=1) as pool, http_of(pool) as http:
        for path, text in (("/healthz", "alive\n"), ("/readyz", "ready\n")):
            response = await http.get(path)
            assert (response.status_code, response.text) == (200, text)


@pytest.mark.parametrize(
    ("answers", "told"), [(True, "in Redis"), (False, "in PostgreSQL, Redis does not answer")], ids=["there", "away"]
)
async def test_where_the_budgets_are_is_told_and_turns_nobody_away(
    empty_database: str, answers: bool, told: str
) -> None:
    async def redis_answers() -> bool:
        return answers

    async with asyncpg.create_pool(empty_database, min_size=1, max_size=1) as pool:
        app = Starlette(routes=health_routes(pool, CollectorRegistry(), redis_answers))
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway.example") as http:
            response = await http.get("/readyz")
    assert (response.status_code, response.text) == (200, f"ready\nbudgets: {told}\n")


async def test_without_it_the_gateway_is_alive_only(tmp_path: Path) -> None:
    pool = asyncpg.create_pool(host=str(tmp_path), user="nobody", min_size=0, max_size=1)
    async with pool, http_of(pool) as http:
        assert (await http.get("/healthz")).status_code == 200
        response = await http.get("/readyz")
        assert (response.status_code, response.text) == (503, "the database does not answer\n")


async def test_a_database_that_is_slow_to_answer_is_not_ready(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "READY_TIMEOUT_SECONDS", 0.05)
    async with asyncpg.create_pool(empty_database, min_size=1, max_size=1) as pool, http_of(pool) as http:
        async with pool.acquire():
            assert (await http.get("/readyz")).status_code == 503
        monkeypatch.undo()
        assert (await http.get("/readyz")).status_code == 200


async def test_after_the_pool_has_closed_it_is_not_ready(empty_database: str) -> None:
    async with asyncpg.create_pool(empty_database, min_size=1, max_size=1) as pool:
        pass
    async with http_of(pool) as http:
        assert (await http.get("/readyz")).status_code == 503


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
async def test_nothing_is_sent_there(empty_database: str, path: str) -> None:
    async with asyncpg.create_pool(empty_database, min_size=1, max_size=1) as pool, http_of(pool) as http:
        assert (await http.post(path)).status_code == 405
