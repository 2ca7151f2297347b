"""The guide in the browser is the pages of docs/, and safe whatever stands in them."""

import re
from pathlib import Path
from typing import Any

import pytest

from gateway.developer import guide

DOCS = Path(__file__).parents[3] / "docs"


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write a page and return its HTML."""

    def write(text: str) -> str:
        (tmp_path / "paying.md").write_text(text, encoding="utf-8")
        monkeypatch.setattr(guide, "_directory", lambda: tmp_path)
        return guide.page.__wrapped__("paying", "?lang=zh").html

    return write


def test_the_folder_is_the_pages_own() -> None:
    assert Path(str(guide._directory())).resolve() == DOCS
    assert all(DOCS.joinpath(f"{name}.md").is_file() for name in guide.PAGES)


def test_every_page_has_a_title() -> None:
    assert dict(guide.titles())["getting-started"] == "Getting started"
    assert all(title for _, title in guide.titles())


@pytest.mark.parametrize(
    ("link", "served"),
    [
        ("tokens.md", "/docs/tokens?lang=zh"),
        ("tokens.md#with-a-key-dpop", "/docs/tokens?lang=zh#with-a-key-dpop"),
        ("#here", "#here"),
        ("../README.md", None),
        ("operator.md", None),
        ("javascript:alert(1)", None),
        ("//elsewhere.example/tokens.md", None),
    ],
)
def test_a_link_leads_to_a_page_that_is_served_or_nowhere(written: Any, link: str, served: str | None) -> None:
    html = written(f"# Paying\n\n[there]({link})\n")
    assert re.findall(r'href="([^"]*)"', html) == ([served] if served else [])
    assert "there" in html


def test_html_of_a_page_is_text_and_nothing_is_styled_inline(written: Any) -> None:
    html = written("# Paying\n\n<script>x</script> <b>\n\n| a | b |\n| --- | ---: |\n| 1 | `2` |\n\n```sh\n<i>\n```\n")
    assert not re.search(r"<script|<b>|<i>|style=", html)
    assert '<td class="right" data-label="b"><code>2</code></td>' in html


def test_a_picture_of_another_address_is_not_shown(written: Any) -> None:
    assert 'src=""' in written("# Paying\n\n![p](http://elsewhere.example/p.png)\n")


def test_the_pictures_are_those_that_the_pages_show() -> None:
    assert "graphiql-1280.png" in guide.pictures()
    assert guide.pictures()["graphiql-1280.png"].content == (DOCS / "images" / "graphiql-1280.png").read_bytes()
