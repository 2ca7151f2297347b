"""What the pages say is there in both languages, and every text is for a page."""

import re
from collections.abc import Mapping
from pathlib import Path

import pytest

from gateway.developer import texts as developer_texts
from gateway.operations import texts as operator_texts
from gateway.pages import texts as common_texts
from gateway.pages import verify_texts
from gateway.pages.texts import Texts

GATEWAY = Path(common_texts.__file__).parents[1]
#: Each with what reads it.
READ = (
    (common_texts.COMMON, ("pages/*.html", "channels/templates/base.html")),
    (operator_texts.TEXTS, ("pages/operator*.html", "operations/view.py")),
    (verify_texts.TEXTS, ("pages/verify.html", "endpoints/verify.py")),
    (developer_texts.TEXTS, ("pages/developer*.html", "developer/*.py")),
)


@pytest.mark.parametrize(("texts", "readers"), READ)
def test_every_text_is_there_in_both_languages_and_on_a_page(
    texts: Mapping[str, Texts], readers: tuple[str, ...]
) -> None:
    chinese, english = texts["zh_CN"], texts["en"]
    source = "\n".join(path.read_text(encoding="utf-8") for reader in readers for path in GATEWAY.glob(reader))
    for name in english:
        assert chinese[name]
        assert english[name]
        assert chinese[name].count("{}") == english[name].count("{}")
        # By its own name, or of a group whose name a page completes: outcome.VOID.
        begin, dot, _ = name.rpartition(".")
        assert re.search(rf"\b{begin}\.[~'\"{{ ]" if dot else rf"[.\"'(]{name}\b", source), name


def test_what_no_page_says_is_an_error() -> None:
    texts = verify_texts.TEXTS["en"]
    assert texts.title == texts["title"] == "Check a payment voucher"
    with pytest.raises(AttributeError):
        _ = texts.nothing
    with pytest.raises(KeyError):
        texts["outcome.NOTHING"]


def test_every_outcome_of_a_check_has_its_words_and_says_so_beside_its_chinese_or_not() -> None:
    names = set(verify_texts.TEXTS["en"])
    for outcome in verify_texts.OUTCOMES:
        assert {f"outcome.{outcome}", f"explanation.{outcome}"} <= names
    assert set(verify_texts.ALSO) <= set(verify_texts.OUTCOMES)
