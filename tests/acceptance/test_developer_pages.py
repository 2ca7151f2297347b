"""The developer's pages: what they say is so, their links lead on, and nothing in them comes from elsewhere."""

import asyncio
import re
import shutil
import subprocess
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest

from database.pool import connect
from gateway.developer import guide
from gateway.developer.assets import IMMUTABLE
from gateway.developer.tokens import MAX_BODY_BYTES, TOKENS_PER_MINUTE
from tests.acceptance.gateway import Server, gateway, serving
from tests.databases import fresh_database

ENGLISH = {"accept-language": "en"}
OWN_PAGE = {"sec-fetch-site": "same-origin"}
PAGES = (
    "/",
    "/graphiql",
    "/reference",
    "/reference?q=refund",
    "/reference/problems",
    *(f"/docs/{name}" for name in guide.PAGES),
)


class Page(HTMLParser):
    """The elements of a page, and its text."""

    def __init__(self, response: httpx.Response) -> None:
        super().__init__()
        assert response.status_code == 200, response.text
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(response.text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def values(self, *names: str) -> list[str]:
        return [value for _, attributes in self.elements for name in names if (value := attributes.get(name))]


@pytest.fixture(scope="module", params=[False, True], ids=["as it comes", "with introspection"])
def production(
    request: pytest.FixtureRequest, postgres_url: str, master_key: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[bool, Server]]:
    with fresh_database(postgres_url) as url:
        settings = {"GATEWAY_DATABASE_URL": url, "GATEWAY_MASTER_KEY": master_key}
        migrated = gateway("migrate", **settings)
        assert migrated.returncode == 0, migrated.stderr
        if request.param:
            settings["GATEWAY_INTROSPECTION"] = "true"
        log: Path = tmp_path_factory.mktemp("production") / "server.log"
        with serving(log, sandbox=False, **settings) as running:
            yield request.param, running


@cache
def _fetched(base_url: str, path: str) -> httpx.Response:
    return httpx.get(base_url + path, trust_env=False)


def fetched(server: Server, path: str) -> httpx.Response:
    """An answer that is the same each time: pages have many links in common."""
    return _fetched(server.base_url, path)


def token(server: Server, client: object = "abc-counter", **headers: str) -> httpx.Response:
    return server.http.post("/graphiql/token", json={"client": client}, headers=OWN_PAGE | headers)


@pytest.mark.parametrize(("language", "words"), [("en", "Ready to serve"), ("zh-CN", "正常服务")])
def test_the_first_page_says_what_this_is_and_how_it_is(server: Server, language: str, words: str) -> None:
    page = Page(server.http.get("/", headers={"accept-language": language}))
    assert words in page.text
    assert "2020-11-16" in page.text
    assert server.base_url in page.text


def test_the_first_page_says_when_the_database_is_away(
    postgres_url: str, sandbox_template: str, master_key: str, tmp_path: Path
) -> None:
    async def refuse_connections(url: str) -> None:
        name = urlsplit(url).path.removeprefix("/")
        connection = await connect(postgres_url)
        try:
            await connection.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false')
            await connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", name)
        finally:
            await connection.close()

    with fresh_database(postgres_url, sandbox_template) as url:
        settings = {"GATEWAY_DATABASE_URL": url, "GATEWAY_MASTER_KEY": master_key}
        with serving(tmp_path / "log", **settings) as server:
            asyncio.run(refuse_connections(url))
            assert "not able to serve" in Page(server.http.get("/", headers=ENGLISH)).text


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_what_the_first_page_has_for_the_command_line_works_as_it_stands(server: Server) -> None:
    commands = re.findall(r"<pre[^>]*><code>(.*?)</code></pre>", server.http.get("/").text, re.DOTALL)
    script = "\n".join(command.replace("&#34;", '"').replace("&#39;", "'") for command in commands)
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert '"clientId":"icbc-mobile"' in done.stdout


@pytest.mark.parametrize(("path", "lang"), [*((path, "zh") for path in PAGES), ("/", "en"), ("/docs/paying", "en")])
def test_every_link_of_a_page_leads_on_and_keeps_the_language(server: Server, path: str, lang: str) -> None:
    page = Page(server.http.get(path, params={**dict(httpx.QueryParams(urlsplit(path).query)), "lang": lang}))
    ids = set(page.values("id"))
    for link in sorted(set(page.values("href", "src"))):
        target = urlsplit(link)
        if target.scheme == "tel":
            continue
        if not target.path:
            assert target.fragment in ids, link
        else:
            answer = fetched(server, link.partition("#")[0])
            assert answer.status_code == 200, link
            assert not target.fragment or f'id="{target.fragment}"' in answer.text, link
            if answer.headers["content-type"].startswith("text/html"):
                assert re.search(r"(^|&)lang=(zh|en)(&|$)", target.query), link


def test_the_guide_begins_where_the_first_page_says(server: Server) -> None:
    begins = server.http.get("/docs", params={"lang": "en"}, follow_redirects=False)
    assert (begins.status_code, begins.headers["location"]) == (307, "/docs/getting-started?lang=en")


@pytest.mark.parametrize("path", ["/docs/operator", "/docs/nothing", "/docs/images/nothing.png", "/docs/..%2fREADME"])
def test_what_is_no_page_of_the_guide_is_not_there(server: Server, path: str) -> None:
    assert server.http.get(path).status_code == 404


@pytest.mark.parametrize("path", PAGES)
def test_nothing_of_a_page_is_inline_or_from_elsewhere(server: Server, path: str) -> None:
    response = server.http.get(path)
    policy = response.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert not re.search(r"https?:|\*", policy)
    page = Page(response)
    assert page.values("style", "onclick", "onload", "onchange", "onsubmit") == []
    assert all(attributes.get("src") for tag, attributes in page.elements if tag == "script")
    loaded = page.values("src") + [a["href"] or "" for tag, a in page.elements if tag == "link"]
    assert all(address.startswith(("/static/", "/docs/images/")) for address in loaded), loaded


def test_two_answers_never_have_the_same_nonce(server: Server) -> None:
    nonces = [re.findall(r"nonce-([\w-]+)", str(server.http.get("/graphiql").headers)) for _ in range(2)]
    assert nonces[0] != nonces[1]
    assert all(len(found) == 1 and len(found[0]) >= 22 for found in nonces)


def test_a_static_file_is_kept_for_good_and_is_not_sent_twice(server: Server) -> None:
    (path,) = [src for src in Page(server.http.get("/graphiql")).values("src") if "graphiql" in src]
    first = server.http.get(path)
    assert first.headers["cache-control"] == IMMUTABLE
    assert first.headers["content-encoding"] == "gzip"
    again = server.http.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = server.http.get(path, headers={"accept-encoding": "gzip;q=0"})
    assert "content-encoding" not in plain.headers
    assert plain.content == first.content


def test_a_static_file_of_another_content_is_not_there(server: Server) -> None:
    (path,) = [src for src in Page(server.http.get("/reference")).values("src") if "reference" in src]
    assert server.http.get(re.sub(r"-\w+\.js$", f"-{'0' * 16}.js", path)).status_code == 404
    assert server.http.get("/static/developer/..%2f__init__.py").status_code == 404


def test_the_page_gets_a_token_of_the_client_that_was_chosen(server: Server) -> None:
    answer = token(server)
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    given = answer.json()
    viewer = server.http.post(
        "/graphql",
        json={"query": "{ viewer { clientId } }"},
        headers={"authorization": f"Bearer {given['access_token']}"},
    )
    assert viewer.json()["data"] == {"viewer": {"clientId": "abc-counter"}}
    assert given["expires_in"] <= 600


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"sec-fetch-site": "none"},
        {"origin": "http://elsewhere.example"},
        {"origin": "null"},
    ],
)
def test_no_other_page_gets_a_token(server: Server, headers: dict[str, str]) -> None:
    answer = server.http.post("/graphiql/token", json={"client": "abc-counter"}, headers=headers)
    assert answer.status_code == 403
    assert "access_token" not in answer.json()


@pytest.mark.parametrize("client", ["nobody", "", None, ["abc-counter"], "abc-counter "])
def test_only_the_sandboxs_clients_can_be_chosen(server: Server, client: object) -> None:
    answer = token(server, client)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client")


def test_a_request_for_a_token_is_small_and_json(server: Server) -> None:
    assert token(server, "x" * MAX_BODY_BYTES).status_code == 413
    form = server.http.post("/graphiql/token", data={"client": "abc-counter"}, headers=OWN_PAGE)
    assert form.status_code == 415
    broken = server.http.post("/graphiql/token", content=b"[", headers={**OWN_PAGE, "content-type": "application/json"})
    assert broken.status_code == 400
    assert server.http.get("/graphiql/token").status_code == 405


def test_every_example_runs_as_the_client_that_the_page_chooses_for_it(server: Server) -> None:
    examples = server.http.get("/graphiql/examples.json").json()
    assert len(examples) >= 16
    for example in examples:
        client = server.client(example["client"])
        answer = client.http.post(
            "/graphql",
            content=f'{{"query": {httpx.Response(200, json=example["query"]).text}, '
            f'"variables": {example["variables"] or "{}"}}}'.encode(),
            headers={"authorization": f"Bearer {client.token}", "content-type": "application/json"},
        )
        assert answer.status_code == 200, (example["name"], answer.text)
        assert "errors" not in answer.json(), (example["name"], answer.text)


def test_the_reference_is_searched_without_a_script(server: Server) -> None:
    page = Page(server.http.get("/reference", params={"q": "QUOTE  expired"}))
    ids = page.values("id")
    assert "QuoteExpired" in ids
    assert "Refund" not in ids
    assert "没有找到" in Page(server.http.get("/reference", params={"q": "no such word", "lang": "zh"})).text


def test_what_is_searched_for_is_shown_as_text_and_not_whole_when_it_is_long(server: Server) -> None:
    answer = server.http.get("/reference", params={"q": '"><script>' + "x" * 200})
    assert answer.status_code == 200
    assert "<script>x" not in answer.text
    assert "x" * 101 not in answer.text


def test_too_many_searches_or_tokens_of_one_address_have_to_wait(
    sandbox_database: str, master_key: str, tmp_path: Path
) -> None:
    settings = {"GATEWAY_DATABASE_URL": sandbox_database, "GATEWAY_MASTER_KEY": master_key}
    with serving(tmp_path / "log", **settings) as server:
        searches = [server.http.get("/reference", params={"q": "Refund"}) for _ in range(62)]
        assert searches[0].status_code == 200
        assert searches[-1].status_code == 429
        assert int(searches[-1].headers["retry-after"]) >= 1
        assert server.http.get("/reference").status_code == 200
        asked = [token(server, "nobody") for _ in range(TOKENS_PER_MINUTE + 2)]
        assert [asked[0].status_code, asked[-1].status_code] == [400, 429]


def test_the_schema_can_be_fetched_as_it_is(server: Server) -> None:
    sdl = Path(__file__).parents[2].joinpath("schema", "schema.graphql").read_text(encoding="utf-8")
    assert server.http.get("/reference/schema.graphql").text == sdl


def test_production_tells_its_schema_only_where_it_may_be_asked_for(production: tuple[bool, Server]) -> None:
    introspectable, server = production
    status = 200 if introspectable else 404
    for path in ("/graphiql", "/graphiql/examples.json", "/reference", "/reference/schema.graphql"):
        assert server.http.get(path).status_code == status, path
    for path in ("/", "/reference/problems"):
        page = Page(server.http.get(path))
        assert (
            any("graphiql" in link or link.startswith("/reference?") for link in page.values("href")) == introspectable
        )


def test_production_hands_out_no_token_and_names_no_client(production: tuple[bool, Server]) -> None:
    introspectable, server = production
    assert token(server).status_code == 404
    page = Page(server.http.get("/", headers=ENGLISH))
    assert "CLIENT_ID:SECRET" in page.text
    assert "sandbox" not in page.text.lower()
    if introspectable:
        graphiql = Page(server.http.get("/graphiql"))
        assert "token" in graphiql.values("id")
        assert "client" not in graphiql.values("id")
