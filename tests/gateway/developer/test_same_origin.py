"""A token for GraphiQL is for a page of this very address."""

import pytest

from gateway.developer.tokens import is_same_origin


@pytest.mark.parametrize(
    ("headers", "same"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "http://gateway.example"}, True),
        # Over plain http to another machine no browser sends Sec-Fetch-Site.
        ({"origin": "http://gateway.example"}, True),
        ({"origin": "http://gateway.example:8000"}, False),
        ({"origin": "http://[::1"}, False),
        ({"origin": "null"}, False),
        ({"origin": ""}, False),
        ({"sec-fetch-site": "cross-site", "origin": "http://gateway.example"}, False),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({}, False),
    ],
)
def test_where_a_request_comes_from(headers: dict[str, str], same: bool) -> None:
    assert is_same_origin({"host": "gateway.example", **headers}) is same


def test_without_a_host_nothing_is_the_same() -> None:
    assert not is_same_origin({"origin": "http://"})
