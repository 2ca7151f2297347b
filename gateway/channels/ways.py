"""The guide's ways to pay (section 五, 缴费渠道): each channel with its client, and what its pages offer."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Way:
    """What one module of a channel shows of a person: payable periods, assessed bills, or both.

    `insurance` and `mode` narrow them down, None is any. With `asks_insurance` the person chooses the insurance first.
    """

    insurance: str | None = None
    mode: str | None = None
    periods: bool = False
    bills: bool = False
    asks_insurance: bool = False

    def variables(self) -> dict[str, Any]:
        """Return what the documents that find a payer are given beside the person."""
        return {"insurance": self.insurance, "mode": self.mode, "periods": self.periods, "bills": self.bills}


#: By the name in the address; what they are called in the guide stands in the catalogues.
WAYS: Final[Mapping[str, Way]] = {
    "current": Way("PENSION", "CURRENT_YEAR", periods=True),
    "arrears": Way("PENSION", "ARREARS", periods=True),
    "assessed": Way("PENSION", bills=True),
    "medical": Way("MEDICAL", bills=True),
    "pay": Way(periods=True, bills=True),
    "choose": Way(asks_insurance=True),
    "bills": Way(bills=True),
}


@dataclass(frozen=True, slots=True)
class Channel:
    """One channel: its sandbox client, how its payments' references begin, and its modules in their order."""

    name: str
    client_id: str
    reference_prefix: str
    modules: tuple[str, ...]
    #: A clerk takes the money: payments carry the branch and the teller.
    has_teller: bool = False


CHANNELS: Final[Mapping[str, Channel]] = {
    channel.name: channel
    for channel in (
        Channel("wechat", "tax-wechat", "WX", ("current", "arrears", "assessed", "medical", "receipts")),
        Channel("ganfutong", "ganfutong", "GFT", ("choose", "receipts")),
        Channel("mobile", "icbc-mobile", "ICBC", ("pay", "receipts")),
        Channel("counter", "abc-counter", "ABC", ("pay", "day", "settlement", "receipts"), has_teller=True),
        # The guide: what has been assessed is paid here; what has not, is assessed in the WeChat account first.
        Channel("window", "tax-window", "SW", ("bills", "receipts"), has_teller=True),
    )
}
