"""The pages of the documentation, as the tests read them."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

#: What a command or a run leaves behind; `.gitignore` keeps it out of the repository.
_LEFT_BEHIND = re.compile(
    r"\.git|\.venv|\.data|\.hypothesis|\.env|\..*_cache|__pycache__|node_modules|.*\.egg-info|secrets|build|dist"
)

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def files() -> Iterator[Path]:
    """Every text file of the repository, whether git is here to ask or not."""
    waiting = [ROOT]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            # A link leads to what is here under its own name.
            if _LEFT_BEHIND.fullmatch(path.name) or path.is_symlink():
                continue
            if path.is_dir():
                waiting.append(path)
            else:
                yield path


def pages() -> list[Path]:
    """Every page of documentation."""
    return [path for path in files() if path.suffix == ".md"]


@cache
def text(page: str) -> str:
    """The text of a page, by its path from the root."""
    return (ROOT / page).read_text(encoding="utf-8")


def fenced(page: Path, language: str) -> list[str]:
    """The code blocks of a language in a page."""
    return [code for info, code in _FENCED.findall(page.read_text(encoding="utf-8")) if info == language]


def rows(page: str, first_column: str) -> list[list[str]]:
    """The rows of the table whose first column has this heading, without heading and rule."""
    found: list[list[str]] = []
    inside = False
    for line in text(page).splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")] if line.startswith("| ") else []
        if cells and cells[0] == first_column:
            inside = True
        elif not cells:
            inside = False
        elif inside and set(line) - set("| -"):
            found.append(cells)
    assert found, f"{page} has no table of {first_column}"
    return found


def code(cell: str) -> str:
    """What stands between the backticks of a cell."""
    return cell.strip("`")
