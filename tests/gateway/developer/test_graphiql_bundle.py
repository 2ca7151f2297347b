"""What is served as GraphiQL was made of the sources that stand beside it, and asks nothing of anybody else."""

import hashlib
import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "graphiql"
BUILT = ROOT / "gateway" / "pages" / "static" / "graphiql"
#: For a page that a phone loads.
MAX_BYTES = 3_000_000


def digests(directory: Path, names: list[str]) -> dict[str, str]:
    return {name: hashlib.sha256((directory / name).read_bytes()).hexdigest() for name in names}


def manifest() -> dict[str, dict[str, str]]:
    content: dict[str, dict[str, str]] = json.loads((BUILT / "manifest.json").read_text(encoding="utf-8"))
    return content


def test_the_bundle_was_made_of_these_sources_and_this_lock() -> None:
    names = sorted(path.name for path in SOURCES.iterdir() if path.is_file())
    assert manifest()["sources"] == digests(SOURCES, names), "run: make pages"


def test_the_bundle_is_as_it_was_made() -> None:
    names = sorted(path.name for path in BUILT.iterdir() if path.name != "manifest.json")
    assert manifest()["built"] == digests(BUILT, names), "run: make pages"


def test_every_version_is_locked_and_no_package_is_fetched_from_an_address_of_its_own() -> None:
    wanted = json.loads((SOURCES / "package.json").read_text(encoding="utf-8"))
    versions = wanted["dependencies"] | wanted["devDependencies"]
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions.values())
    packages = json.loads((SOURCES / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in versions} == versions
    assert all("integrity" in package and "resolved" not in package for path, package in packages.items() if path)


def test_the_bundle_is_small_evaluates_no_text_and_loads_nothing() -> None:
    script = (BUILT / "graphiql.js").read_text(encoding="utf-8")
    style = (BUILT / "graphiql.css").read_text(encoding="utf-8")
    assert sum(path.stat().st_size for path in BUILT.iterdir()) < MAX_BYTES
    assert not re.search(r"\beval\(|new Function\(|sourceMappingURL|\bimport\(", script)
    assert not re.search(r"@import|@font-face|url\((?!['\"]?(?:data:|#))", style)


def test_the_licence_of_every_package_in_it_stands_beside_it() -> None:
    text = (BUILT / "LICENCES.txt").read_text(encoding="utf-8")
    for package in ("graphiql 4", "@graphiql/react 0", "codemirror 5", "graphql 16", "react 19", "react-dom 19"):
        assert re.search(rf"^{re.escape(package)}\.", text, re.MULTILINE), package
