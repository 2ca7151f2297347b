"""The names of persons, brought to the one form in which they are compared."""

from unicodedata import category, normalize

# Longest names in the register, of minorities with the names of father and grandfather, stay below this.
MAX_LENGTH = 50

# Keyboards and old systems write the middle dot (间隔号, U+00B7) of a name in all these ways.
_MIDDLE_DOTS = str.maketrans(dict.fromkeys("•‧∙⋅・･⸱⸳᛫", "·"))
# Another of them, which is a letter by its category.
_LETTER_DOT = "ꞏ"

# Control characters, invisible format characters and halves of surrogate pairs. Unassigned and private
# characters stay: rare ideographs are newer than Python's tables, or live in a private area.
_REFUSED = frozenset({"Cc", "Cf", "Cs"})


def normalise(name: str) -> str:
    """Return the name in NFC, its middle dots as `·`, with single spaces inside and none around.

    1 to 50 characters remain. Raises ValueError, which does not repeat the name, for another length and for
    control, format and surrogate characters anywhere.
    """
    if not name.isprintable() and any(category(character) in _REFUSED for character in name):
        raise ValueError("name: contains a control or an invisible character")
    normal = normalize("NFC", name).replace(_LETTER_DOT, "·")
    if not normal.isalpha():
        # Nearly all names are letters alone, which have neither a dot nor a space.
        normal = " ".join(normal.translate(_MIDDLE_DOTS).split())
    if not 1 <= len(normal) <= MAX_LENGTH:
        raise ValueError(f"name: must have 1 to {MAX_LENGTH} characters")
    return normal
