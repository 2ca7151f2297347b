"""The page on operating has the figures of the operator's page."""

from auth import scopes, tokens
from gateway.operations import numbers, page, session
from resolvers import overview
from tests.docs.pages import text


def test_the_figures_of_the_operators_page_are_the_codes_own() -> None:
    section = text("docs/operator.md").partition("## The operator's page")[2].partition("\n## ")[0]
    told = " ".join(section.split())
    for words in (
        f"the last {overview.DAYS} days",
        f"scope `{scopes.OPERATIONS_READ}`",
        f"`{session.COOKIE}`",
        f"lasts {tokens.LIFETIME_SECONDS // 60} minutes",
        f"After {page.FAILURES_PER_MINUTE} failures in a minute",
        f"read anew after {numbers.REMEMBER_SECONDS:.0f} seconds",
    ):
        assert words in told
