"""What a check of a voucher's file finds: what it says that it is, or why it is not genuine."""

import enum
from dataclasses import dataclass


class Fault(enum.Enum):
    """What a file is that is no voucher as the gateway signed it."""

    NO_PDF = enum.auto()
    #: The gateway did not sign it: another's, or one that lost its signature when it was printed or saved anew.
    FOREIGN = enum.auto()
    #: It carries a signature that names the gateway's certificate, and is not what was signed.
    CHANGED = enum.auto()


class NotGenuine(Exception):
    """The file is no voucher as the gateway signed it; the message says why, and repeats nothing of the file."""

    def __init__(self, message: str, fault: Fault = Fault.FOREIGN) -> None:
        super().__init__(message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class SignedVoucher:
    """What a genuine file says that it is."""

    number: str
    verification_code: str
