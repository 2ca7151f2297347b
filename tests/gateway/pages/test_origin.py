"""A form, and a script's request for a token, are taken from pages of this site alone."""

import pytest

from gateway.pages.origin import is_own

PUBLIC_URL = "https://gateway.example"
HOST = {"host": "inside.example:8000"}


@pytest.mark.parametrize("unsaid", [True, False])
@pytest.mark.parametrize(
    ("headers", "own"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        # Behind a proxy that asks for another host.
        ({"sec-fetch-site": "same-origin", "origin": "https://inside.example"}, True),
        # Over plain http to another machine no browser sends Sec-Fetch-Site.
        ({"origin": "http://inside.example:8000"}, True),
        ({"origin": PUBLIC_URL}, True),
        ({"origin": "http://inside.example"}, False),
        ({"origin": "http://gateway.example"}, False),
        ({"origin": "http://[::1"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": PUBLIC_URL}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": ""}, False),
    ],
)
def test_where_a_request_comes_from(headers: dict[str, str], own: bool, unsaid: bool) -> None:
    assert is_own({**HOST, **headers}, unsaid=unsaid, public_url=PUBLIC_URL) is own


@pytest.mark.parametrize("unsaid", [True, False])
@pytest.mark.parametrize("headers", [{}, {"sec-fetch-site": "none"}])
def test_what_no_page_sent_is_as_the_caller_says(headers: dict[str, str], unsaid: bool) -> None:
    assert is_own({**HOST, **headers}, unsaid=unsaid) is unsaid


@pytest.mark.parametrize("headers", [{}, {"host": ""}])
def test_without_a_host_no_origin_is_ours(headers: dict[str, str]) -> None:
    assert not is_own({**headers, "origin": "http://"}, unsaid=True)
    assert not is_own({**headers, "origin": "null"}, unsaid=True)
