"""Two server processes on one Redis: one budget, which outlives the Redis."""

import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.acceptance.gateway import Client, Server, gateway, serving
from tests.gateway.processes import until
from tests.redis_servers import RedisServer, redis_server

BUDGET = 60
#: One for each test: a process remembers who has spent all.
CLIENTS = ("social-insurance-agency", "medical-insurance-agency", "ganfutong", "tax-wechat")
VIEWER = "{ viewer { clientId } }"


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_server(tmp_path_factory.mktemp("redis")) as server:
        yield server


@pytest.fixture(scope="module")
def servers(
    redis: RedisServer, sandbox_database: str, master_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[list[Server]]:
    """Two servers on one database and one Redis, and clients with a small budget."""
    settings = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    for client_id in CLIENTS:
        done = gateway("clients", "budget", client_id, str(BUDGET), **settings)
        assert done.returncode == 0, done.stderr
    with ExitStack() as stack:
        logs = tmp_path_factory.mktemp("servers")
        settings["GATEWAY_REDIS_URL"] = redis.url
        # A busy machine is no outage.
        settings["GATEWAY_REDIS_TIMEOUT"] = "PT2S"
        yield [stack.enter_context(serving(logs / f"{number}.log", **settings)) for number in (1, 2)]


def at_both(servers: list[Server], client_id: str) -> list[Client]:
    """Return the client with a token, as it asks the one server and the other."""
    return [server.client(client_id) for server in servers]


def remaining(client: Client) -> int:
    """Send an operation of one point and return what is told to be left."""
    return int(client.post(VIEWER).json()["extensions"]["cost"]["budget"]["remaining"])


def test_two_processes_share_one_budget(servers: list[Server]) -> None:
    clients = at_both(servers, CLIENTS[0])
    begun = time.monotonic()
    statuses = [clients[number % 2].post(VIEWER).status_code for number in range(BUDGET + 20)]
    refilled = (time.monotonic() - begun) * BUDGET / 60
    assert BUDGET <= statuses.count(200) <= BUDGET + refilled
    assert set(statuses) <= {200, 429}


def test_what_one_process_tells_is_what_the_other_left(servers: list[Server]) -> None:
    one, other = at_both(servers, CLIENTS[1])
    assert remaining(one) == BUDGET - 1
    for _ in range(30):
        last = remaining(one)
    assert last < BUDGET - 15
    # It refills a point a second, and a slow machine may take some of them.
    assert last - 1 <= remaining(other) <= last + 10


def test_when_redis_dies_nobody_is_refused_and_no_door_is_open(servers: list[Server], redis: RedisServer) -> None:
    clients = at_both(servers, CLIENTS[2])
    assert [client.post(VIEWER).status_code for client in clients] == [200, 200]
    redis.kill()
    assert [client.post(VIEWER).status_code for client in clients * 3] == [200] * 6
    for server in servers:
        ready = server.http.get("/readyz")
        assert (ready.status_code, ready.text) == (200, "ready\nbudgets: in PostgreSQL, Redis does not answer\n")
        failures = [line for line in server.http.get("/metrics").text.splitlines() if line.startswith("gateway_redis")]
        assert [float(line.split()[1]) >= 1 for line in failures if "failures_total" in line] == [True]
    statuses = [clients[number % 2].post(VIEWER).status_code for number in range(2 * BUDGET)]
    assert 429 in statuses
    redis.start()
    for server in servers:
        until(lambda server=server: "in Redis" in server.http.get("/readyz").text, "budgets in Redis")
        assert remaining(server.client(CLIENTS[2])) >= BUDGET - len(servers)
        log = server.log.read_text()
        # Each outage once, whatever was asked meanwhile.
        assert log.count("Redis does not answer") == log.count("budgets are in Redis again") == 1
        assert redis.password not in log
        assert redis.url not in log


def test_redis_holds_no_secret_and_no_token(servers: list[Server], redis: RedisServer) -> None:
    servers[0].client(CLIENTS[3]).run(VIEWER)
    with redis.administrator() as client:
        kept = {str(key): client.hgetall(key) for key in client.scan_iter()}
    assert f"gateway:budget:{CLIENTS[3]}" in kept
    assert kept.keys() <= {f"gateway:budget:{name}" for name in (*CLIENTS, ":check")}
    for values in kept.values():
        # A number of points and a time: nothing else is there to be read.
        assert values.keys() == {"points", "filled_at"}
        assert all(float(value) >= 0 for value in values.values())
