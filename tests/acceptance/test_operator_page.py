"""The operator's page over HTTP: who gets in, with what, for how long, and what is on it."""

import asyncio
import re
from collections.abc import Iterator
from http.cookies import Morsel, SimpleCookie

import httpx
import pytest

from auth.scopes import RETAIL
from auth.tokens import LIFETIME_SECONDS
from database.pool import connect
from gateway.operations.page import FAILURES_PER_MINUTE
from tests.acceptance.gateway import Server, gateway, serving
from tests.acceptance.operations import pay, payer_id, quote, reverse
from tests.acceptance.people import CHEN, LIU, SANDBOX, WANG

COOKIE = "__Host-operator"
ENGLISH = {"accept-language": "en"}
FORM = 'action="/operator/sign-in"'


#: Addresses of people who sign in, one each: failures are counted by address, and these tests make many.
ADDRESSES = (f"192.0.2.{number}" for number in range(1, 255))


@pytest.fixture(scope="module")
def server(settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server behind a proxy, which tells whose request it is."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    with serving(log, GATEWAY_TRUSTED_PROXIES="127.0.0.1", **settings) as running:
        yield running


def sign_in(server: Server, client_id: str, secret: str = "sandbox", **headers: str) -> httpx.Response:
    form = {"client_id": client_id, "client_secret": secret, "lang": "en"}
    headers = {"x-forwarded-for": next(ADDRESSES)} | headers
    return server.http.post("/operator/sign-in", data=form, headers=headers)


def cookie_of(response: httpx.Response) -> "Morsel[str]":
    return SimpleCookie(response.headers["set-cookie"])[COOKIE]


def session(server: Server, client_id: str = "operator", secret: str = "sandbox") -> str:
    """Sign in, and return the Cookie header of a browser that has."""
    response = sign_in(server, client_id, secret)
    assert response.status_code == 303, response.text
    return f"{COOKIE}={cookie_of(response).value}"


def shown(server: Server, cookie: str | None = None, **headers: str) -> httpx.Response:
    return server.http.get("/operator", headers=ENGLISH | headers | ({"cookie": cookie} if cookie else {}))


def is_open(response: httpx.Response) -> bool:
    """Whether the numbers are shown, and not the form."""
    assert ("Reconciliation by bank and day" in response.text) is (FORM not in response.text)
    return FORM not in response.text


@pytest.fixture(scope="module")
def own_operator(settings: dict[str, str]) -> tuple[str, str]:
    """A client of this module's own with the scope, for the test that spoils it."""
    return register(settings, "TAX")


def register(settings: dict[str, str], institution: str, scope: str = "operations:read") -> tuple[str, str]:
    done = run(settings, "clients", "register", "--institution", institution, "--scope", scope)
    found = re.fullmatch(r'\{"client_id": "(.+)", "client_secret": "(.+)"\}', done.strip())
    assert found, done
    return found[1], found[2]


def run(settings: dict[str, str], *arguments: str) -> str:
    done = gateway(*arguments, **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_without_a_session_there_is_a_form_and_no_number(server: Server) -> None:
    response = shown(server)
    assert response.status_code == 200
    assert not is_open(response)
    assert "set-cookie" not in response.headers


def test_the_operators_client_signs_in_and_sees_the_numbers(server: Server) -> None:
    response = sign_in(server, "operator")
    assert response.headers["location"] == "/operator?lang=en"
    page = shown(server, f"{COOKIE}={cookie_of(response).value}")
    assert is_open(page)
    assert "Signed in as operator." in page.text


def test_the_cookie_is_strict_short_and_no_token(server: Server) -> None:
    cookie = cookie_of(sign_in(server, "operator"))
    assert (cookie["path"], cookie["domain"], cookie["samesite"]) == ("/", "", "strict")
    assert cookie["secure"]
    assert cookie["httponly"]
    assert int(cookie["max-age"]) == LIFETIME_SECONDS
    # What is in it opens nothing else.
    assert "eyJ" not in cookie.value
    headers = {"authorization": f"Bearer {cookie.value}"}
    assert server.http.post("/graphql", json={"query": "{ viewer { clientId } }"}, headers=headers).status_code == 401


@pytest.mark.parametrize(
    ("client_id", "secret", "words"),
    [
        ("abc-counter", "sandbox", "lacks the scope operations:read"),
        ("social-insurance-agency", "sandbox", "lacks the scope operations:read"),
        ("operator", "wrong", "do not fit"),
        ("nobody", "sandbox", "do not fit"),
        ("", "", "do not fit"),
        ("操作员:%", "密:钥%", "do not fit"),
    ],
)
def test_nobody_else_gets_in(server: Server, client_id: str, secret: str, words: str) -> None:
    response = sign_in(server, client_id, secret)
    assert response.status_code == 403
    assert words in response.text
    assert "set-cookie" not in response.headers
    # Nothing of what was typed in comes back.
    assert 'value="en"' in response.text
    assert response.text.count("value=") == 1


def test_a_cookie_that_was_not_made_here_opens_nothing(server: Server) -> None:
    token = server.token("operator").json()["access_token"]
    cookie = session(server)
    changed = cookie[:-6] + ("AAAA==" if not cookie.endswith("AAAA==") else "BBBB==")
    for header in (f"{COOKIE}={token}", f"{COOKIE}=x", f"{COOKIE}=", f"{COOKIE}={'A' * 5000}", cookie[:-8], changed):
        response = shown(server, header)
        assert response.status_code == 200
        assert not is_open(response)
    assert is_open(shown(server, cookie))


def test_signing_out_ends_the_session_for_whoever_has_a_copy(server: Server) -> None:
    cookie = session(server)
    response = server.http.post("/operator/sign-out", data={"lang": "en"}, headers={"cookie": cookie})
    assert "You are signed out." in response.text
    assert cookie_of(response)["max-age"] == "0"
    after = shown(server, cookie)
    assert not is_open(after)
    assert "Your session has ended." in after.text
    assert cookie_of(after)["max-age"] == "0"


def test_signing_out_of_nothing_is_no_fault(server: Server) -> None:
    assert "You are signed out." in server.http.post("/operator/sign-out", data={"lang": "en"}).text


def test_a_revoked_client_is_out_at_once(
    server: Server, settings: dict[str, str], own_operator: tuple[str, str]
) -> None:
    client_id, secret = own_operator
    cookie = session(server, client_id, secret)
    assert is_open(shown(server, cookie))
    run(settings, "clients", "revoke", client_id)
    assert not is_open(shown(server, cookie))
    assert sign_in(server, client_id, secret).status_code == 403


def test_no_client_of_a_bank_may_have_the_scope(settings: dict[str, str]) -> None:
    done = gateway(
        *("clients", "register", "--institution", "ABC", "--scope", "payer:read operations:read"),
        **settings,
    )
    assert done.returncode != 0
    assert "is for no bank" in done.stderr


def test_a_client_that_loses_the_scope_is_out_at_once(
    server: Server, settings: dict[str, str], sandbox_database: str
) -> None:
    client_id, secret = register(settings, "MI", "operations:read bill:read")
    cookie = session(server, client_id, secret)
    assert is_open(shown(server, cookie))
    give(sandbox_database, client_id, "bill:read")
    assert not is_open(shown(server, cookie))
    assert "lacks the scope" in sign_in(server, client_id, secret).text


def test_a_bank_that_got_the_scope_past_the_command_does_not_get_in(server: Server, sandbox_database: str) -> None:
    give(sandbox_database, "icbc-mobile", "operations:read")
    assert server.token("icbc-mobile").json()["scope"] == "operations:read"
    response = sign_in(server, "icbc-mobile")
    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    give(sandbox_database, "icbc-mobile", *RETAIL)


def give(database: str, client_id: str, *scopes: str) -> None:
    """Write a client's scopes where no command does."""

    async def write() -> None:
        connection = await connect(database)
        try:
            await connection.execute("UPDATE clients SET scopes = $2 WHERE id = $1", client_id, list(scopes))
        finally:
            await connection.close()

    asyncio.run(write())


def test_a_client_whose_tokens_must_be_bound_cannot_sign_in(server: Server, settings: dict[str, str]) -> None:
    client_id, secret = register(settings, "SI")
    cookie = session(server, client_id, secret)
    run(settings, "clients", "bind", client_id, "dpop")
    assert not is_open(shown(server, cookie))
    response = sign_in(server, client_id, secret)
    assert response.status_code == 403
    assert "must be bound to a key" in response.text


@pytest.mark.parametrize(
    "headers",
    [{"sec-fetch-site": "cross-site"}, {"sec-fetch-site": "same-site"}, {"origin": "https://elsewhere.example"}],
)
def test_a_form_of_another_site_is_refused(server: Server, headers: dict[str, str]) -> None:
    response = sign_in(server, "operator", **headers)
    assert response.status_code == 403
    assert "set-cookie" not in response.headers
    cookie = session(server)
    refused = server.http.post("/operator/sign-out", data={"lang": "en"}, headers={"cookie": cookie, **headers})
    assert refused.status_code == 403
    assert is_open(shown(server, cookie))


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"client_id=operator", "application/json", 415),
        (b"client_id=" + b"x" * 4000, "application/x-www-form-urlencoded", 413),
        (b"client_id=operator&client_id=nobody", "application/x-www-form-urlencoded", 400),
        (b"a=1&b=2&c=3&d=4&e=5", "application/x-www-form-urlencoded", 400),
        ("client_id=操".encode(), "application/x-www-form-urlencoded", 400),
    ],
)
def test_what_is_no_form_is_refused(server: Server, content: bytes, media_type: str, status: int) -> None:
    response = server.http.post("/operator/sign-in", content=content, headers={"content-type": media_type})
    assert response.status_code == status


def test_the_page_is_not_kept_framed_or_scripted(server: Server) -> None:
    for response in (shown(server), shown(server, session(server))):
        assert response.headers["cache-control"] == "no-store"
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert "<script" not in response.text
        assert " style=" not in response.text


def test_the_numbers_are_the_days_over_all_institutions_and_name_nobody(
    settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    # A server of its own, whose numbers nobody has asked for yet: they are shown again for some seconds.
    log = tmp_path_factory.mktemp("numbers") / "server.log"
    with serving(log, **settings) as server:
        abc, icbc, window = (server.client(name) for name in ("abc-counter", "icbc-mobile", "tax-window"))
        pay(abc, quote(abc, CHEN, "2020-04", "2020-06"), "OPERATOR-1")
        pay(abc, quote(abc, CHEN, "2020-07", "2020-07"), "OPERATOR-2")
        pay(icbc, quote(icbc, LIU, "2020-01", "2020-02"), "OPERATOR-3")
        pay(window, quote(window, LIU, "2020-03", "2020-03"), "OPERATOR-4")
        reverse(abc, "OPERATOR-2")
        nobody = 'query { payer(residentId: "369999198503120010", name: "王小明") { id } }'
        for _ in range(3):
            assert icbc.run(nobody)["payer"] is None
        reconcile = """mutation { reconcileDay(input: {date: "2020-11-16", entries: [
            {bankReference: "OPERATOR-1", amount: "1815.00", reversed: false},
            {bankReference: "OPERATOR-9", amount: "1.00", reversed: false}
        ]}) { __typename } }"""
        assert abc.run(reconcile)["reconcileDay"]["__typename"] == "SettlementDay"
        payer_id(abc, WANG)
        page = shown(server, session(server)).text
        metrics = server.http.get("/metrics").text
    assert rows(page, "payments-table") == [
        ["中国农业银行", "Counter", "2", "2,420.00", "1"],
        ["中国工商银行", "Mobile banking", "1", "1,210.00", "0"],
        ["江西省税务局", "Tax window", "1", "605.00", "0"],
        ["All", "", "4", "4,235.00", "1"],
    ]
    assert [row[:3] for row in rows(page, "reconciliation-table")] == [
        ["中国农业银行", "Different", ""],
        ["中国工商银行", "Open", ""],
        ["江西省税务局", "Open", ""],
    ]
    assert rows(page, "lookups-table") == [["icbc-mobile", "3", ""]]
    # The same as /metrics has: no worker runs beside these tests' servers, so every payment waits.
    waiting = re.search(r'^gateway_postings\{state="waiting"\} (\d+)', metrics, re.MULTILINE)
    assert waiting
    assert f"<dt>Waiting</dt><dd>{waiting[1]}</dd>" in page
    assert "gateway_lookup_failures_total 3.0" in metrics
    assert "<dt>In vain</dt><dd>3</dd>" in page
    for person in SANDBOX:
        assert person.name not in page
        assert person.resident_id not in page
    assert "OPERATOR-" not in page


def rows(page: str, table: str) -> list[list[str]]:
    """Return the cells of the rows of a table's body and foot."""
    found = re.search(rf'<table id="{table}">.*?<tbody>(.*?)</table>', page, re.DOTALL)
    assert found, page
    return [
        [re.sub("<[^>]+>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)]
        for row in re.findall(r"<tr>(.*?)</tr>", found[1])
    ]


def test_several_workers_take_one_anothers_sessions(
    settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.mktemp("workers") / "server.log"
    with serving(log, "--workers", "2", **settings) as server:
        cookie = session(server)
        for _ in range(6):
            assert httpx.post(f"{server.base_url}/graphql", trust_env=False).status_code == 401
        # A connection each, so that both workers answer.
        for _ in range(12):
            page = httpx.get(f"{server.base_url}/operator", headers=ENGLISH | {"cookie": cookie}, trust_env=False)
            assert is_open(page)
            # What either has counted, both tell.
            assert rows(page.text, "health-table")[0][:4] == ["/graphql", "6", "6", "0"]
        server.http.post("/operator/sign-out", data={"lang": "en"}, headers={"cookie": cookie})
        for _ in range(12):
            page = httpx.get(f"{server.base_url}/operator", headers=ENGLISH | {"cookie": cookie}, trust_env=False)
            assert not is_open(page)


def test_failures_are_throttled_and_success_is_not(
    settings: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    log = tmp_path_factory.mktemp("throttled") / "server.log"
    with serving(log, **settings) as server:
        for _ in range(FAILURES_PER_MINUTE + 2):
            session(server)
        statuses = [sign_in(server, "operator", "wrong").status_code for _ in range(FAILURES_PER_MINUTE + 1)]
        assert statuses[:-1] == [403] * FAILURES_PER_MINUTE
        assert statuses[-1] == 429
        late = sign_in(server, "operator")
        assert late.status_code == 429
        assert int(late.headers["retry-after"]) >= 1
