"""大写金额: an amount of renminbi in the characters that a voucher states it in."""

from decimal import Decimal

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿")

# Three groups of four digits, the bound of every amount of the contract.
_LIMIT = Decimal(10) ** 12


def in_words(amount: Decimal) -> str:
    """Return the amount in words: 12096.00 is 壹万贰仟零玖拾陆元整.

    Yuan, at least zero, below 10^12, with at most two decimals; raises ValueError for anything else.

    The rules are those of 《支付结算办法》 (银发〔1997〕393号), 附件一, 二 and 三: zeros between other
    digits are one 零; 零 stands before 分 where 角 is zero; 整 ends an amount without 角 and 分. Where
    三 (三) leaves a choice, the 零 of a zero at 万 is written and that of a zero at 元 before 角 is not
    (壹拾万零柒仟元伍角叁分, 壹仟陆佰捌拾元叁角贰分); where 二 leaves one, no 整 follows 角
    (壹仟肆佰零玖元伍角).
    """
    if not (amount.is_finite() and 0 <= amount < _LIMIT):
        raise ValueError("an amount in words is at least zero and below 10^12")
    yuan = int(amount)
    hundredths = (amount - yuan) * 100
    if hundredths % 1:
        raise ValueError("an amount in words has at most two decimals")
    jiao, fen = divmod(int(hundredths), 10)

    words = _whole(yuan) + "元" if yuan else ""
    if jiao:
        words += _DIGITS[jiao] + "角"
    elif fen and yuan:
        words += "零"
    if fen:
        words += _DIGITS[fen] + "分"
    elif not jiao:
        words = (words or "零元") + "整"
    return words


def _whole(yuan: int) -> str:
    """Return a whole number above zero in words, without its unit."""
    words = ""
    skipped = False
    group_written = False
    digits = str(yuan)
    for place, digit in zip(reversed(range(len(digits))), digits, strict=True):
        group, place_in_group = divmod(place, 4)
        if digit == "0":
            skipped = True
        else:
            words += ("零" if skipped else "") + _DIGITS[int(digit)] + _PLACES[place_in_group]
            skipped = False
            group_written = True
        if place_in_group == 0:
            if group_written:
                words += _GROUPS[group]
            group_written = False
    return words
