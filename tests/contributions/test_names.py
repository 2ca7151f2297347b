from unicodedata import is_normalized

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contributions.names import MAX_LENGTH, normalise


@pytest.mark.parametrize("dot", "•‧∙⋅・･⸱⸳ꞏ᛫·\u0387")
def test_every_middle_dot_becomes_the_one_of_names(dot: str) -> None:
    assert normalise(f"阿依古丽{dot}买买提") == "阿依古丽·买买提"


def test_a_full_stop_is_no_middle_dot() -> None:
    assert normalise("J. Smith") == "J. Smith"


@pytest.mark.parametrize("name", ["  陈晓兰", "陈晓兰 ", "\u3000陈晓兰\u3000", "\u00a0陈晓兰"])
def test_white_space_around_a_name_goes(name: str) -> None:
    assert normalise(name) == "陈晓兰"


@pytest.mark.parametrize("space", ["  ", "\u3000", "\u00a0 ", "\u2003"])
def test_white_space_inside_a_name_becomes_one_space(space: str) -> None:
    assert normalise(f"Anna{space}Li") == "Anna Li"


def test_a_name_is_compared_in_nfc() -> None:
    assert normalise("Jose\u0301") == "José"
    # A compatibility ideograph of an old code page.
    assert normalise("\uf9e1") == "\u674e"


def test_a_full_width_letter_is_another_letter() -> None:
    assert normalise("Ｌｉ") == "Ｌｉ"


@pytest.mark.parametrize("name", ["", "   ", "\u3000", "陈" * (MAX_LENGTH + 1)])
def test_a_name_has_1_to_50_characters(name: str) -> None:
    with pytest.raises(ValueError, match=r"^name: must have 1 to 50 characters$"):
        normalise(name)


def test_a_name_of_50_characters_stands() -> None:
    assert normalise(" " + "陈" * MAX_LENGTH + " ") == "陈" * MAX_LENGTH


@pytest.mark.parametrize("hidden", ["\0", "\n", "\t", "\r", "\x7f", "\x85", "\u200b", "\u202e", "\ufeff", "\ud800"])
@pytest.mark.parametrize("name", ["{}陈晓兰", "陈{}晓兰", "陈晓兰{}"])
def test_control_and_invisible_characters_are_refused_anywhere(name: str, hidden: str) -> None:
    with pytest.raises(ValueError, match=r"^name: ") as refused:
        normalise(name.format(hidden))
    assert not any(character in str(refused.value) for character in "陈晓兰" + hidden)


@pytest.mark.parametrize("rare", ["\U00031350", "\ue863", "邉\U000e0100"])
def test_rare_ideographs_stand_even_where_unicode_tables_do_not_know_them(rare: str) -> None:
    assert normalise("王" + rare) == "王" + rare


@given(st.text(max_size=60))
def test_a_normal_name_stays_as_it_is(name: str) -> None:
    try:
        normal = normalise(name)
    except ValueError:
        return
    assert normalise(normal) == normal
    assert is_normalized("NFC", normal)
    assert normal == normal.strip()
