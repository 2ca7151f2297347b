"""What of a person may be shown: the masks of names and resident identity numbers."""

from unicodedata import category

_SHOWN_FIRST = 3
_SHOWN_LAST = 4


def mask_name(name: str) -> str:
    """Return the name with every character but the last as `*`: 陈晓兰 is `**兰`.

    A name of one character is `*`: its last character would be the whole of it. A mark that belongs to a
    character (an accent, the variation selector of a rare ideograph) is shown or hidden with it.
    """
    if len(name) > 1 and name.isalpha():
        # Letters alone, as nearly all names are: a mark is none.
        return "*" * (len(name) - 1) + name[-1]
    starts = [index for index, character in enumerate(name) if not category(character).startswith("M")]
    if len(starts) < 2:
        return "*"
    return "*" * (len(starts) - 1) + name[starts[-1] :]


def mask_resident_id(number: str) -> str:
    """Return the number with its first 3 and last 4 characters shown: `369***********0010`."""
    hidden = len(number) - _SHOWN_FIRST - _SHOWN_LAST
    if hidden <= 0:
        raise ValueError("a resident identity number is longer than what its mask shows")
    return number[:_SHOWN_FIRST] + "*" * hidden + number[-_SHOWN_LAST:]
