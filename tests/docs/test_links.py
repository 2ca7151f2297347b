"""Every link leads somewhere, and nothing in the repository leads to a machine or a registry."""

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.pages import ROOT, files, pages

_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_URL = re.compile(r"https?://[^\s\"'`<>)\]},\\]+")

#: Hosts outside that are named on purpose: what a format or a convention is called by.
PUBLIC = frozenset({"keepachangelog.com", "semver.org", "www.w3.org", "ns.adobe.com", "purl.org", "www.aiim.org"})
#: Licences of what is vendored, word for word, and GraphiQL as it was bundled: what its code calls things by. That the
#: page loads nothing of another host is tested in a browser.
LICENCES = frozenset(
    {
        "gateway/vouchers/fonts/OFL.txt",
        "gateway/pages/static/graphiql/LICENCES.txt",
        "gateway/pages/static/graphiql/graphiql.js",
    }
)

#: Directories of somebody's machine. A container's own (/srv, /opt, /run, /tmp, /var) are part of its image.
_MACHINE = re.compile(r"(?<![\w.:/*-])/(?:home|root|work|Users|mnt|media)/\w")

#: How a tool is told of another registry than its own default.
_REGISTRY = re.compile(r"(?<!no-emit-)(?:index-url|find-links|registry)[ =:]+[\"']?https?:|\"resolved\"\s*:")


def anchors(page: Path) -> set[str]:
    """What can be linked to inside a page: its headings, as GitHub names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_resolves(page: Path) -> None:
    broken = []
    for link in _LINK.findall(page.read_text(encoding="utf-8")):
        parts = urlsplit(link)
        if parts.scheme:
            continue
        target = (page.parent / parts.path).resolve() if parts.path else page
        if not target.exists() or (parts.fragment and parts.fragment not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page.suffix != ".md":
            continue
        reached.add(page)
        links = [urlsplit(link) for link in _LINK.findall(page.read_text(encoding="utf-8"))]
        waiting += [(page.parent / link.path).resolve() for link in links if link.path and not link.scheme]
    assert set(pages()) - reached == set()


def lines_of_every_file() -> list[tuple[str, str]]:
    return [
        (f"{path.relative_to(ROOT)}:{number}", line)
        for path in files()
        for number, line in enumerate(path.read_text(encoding="utf-8", errors="replace").splitlines(), 1)
    ]


def test_no_file_names_a_directory_of_somebodys_machine() -> None:
    assert [where for where, line in lines_of_every_file() if _MACHINE.search(line)] == []


def test_no_file_names_a_registry() -> None:
    assert [where for where, line in lines_of_every_file() if _REGISTRY.search(line)] == []


def test_every_url_leads_to_this_machine_an_example_or_a_convention() -> None:
    foreign = [
        (where, host)
        for where, line in lines_of_every_file()
        if where.partition(":")[0] not in LICENCES
        for url in _URL.findall(line)
        if (host := _host(url)) and "." in host and not _ours(host)
    ]
    assert foreign == []


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        # No host, but a pattern or a piece of code that a URL is made with.
        return ""


def _ours(host: str) -> bool:
    return host.startswith("127.") or host.endswith(".example") or host in PUBLIC
