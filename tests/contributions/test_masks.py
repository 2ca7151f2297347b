import pytest
from hypothesis import given
from hypothesis import strategies as st

from contributions.masks import mask_name, mask_resident_id


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("陈晓兰", "**兰"),
        ("欧阳明", "**明"),
        ("王芳", "*芳"),
        ("阿依古丽·买买提", "*******提"),
        ("José", "***é"),
        ("𠮷𡈽", "*𡈽"),
    ],
)
def test_every_character_of_a_name_but_the_last_is_hidden(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize("name", ["王", "𠮷", "邉\U000e0100", ""])
def test_a_name_of_one_character_is_hidden_whole(name: str) -> None:
    assert mask_name(name) == "*"


def test_a_mark_goes_with_its_character() -> None:
    assert mask_name("渡邉\U000e0100") == "*邉\U000e0100"
    assert mask_name("邉\U000e0100明") == "*明"


@given(st.text(st.characters(categories=["L"]), min_size=2, max_size=50))
def test_a_mask_keeps_the_length_and_the_last_letter_only(name: str) -> None:
    assert mask_name(name) == "*" * (len(name) - 1) + name[-1]


def test_the_first_three_and_the_last_four_of_a_number_are_shown() -> None:
    assert mask_resident_id("369999198503120010") == "369***********0010"
    assert mask_resident_id("36999919660630004X") == "369***********004X"


def test_a_number_that_its_mask_would_show_whole_is_not_masked() -> None:
    with pytest.raises(ValueError, match="longer") as refused:
        mask_resident_id("3690010")
    assert "3690010" not in str(refused.value)
