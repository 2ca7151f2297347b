"""What the page /verify says, in both languages.

An outcome's own words stand on the page of that outcome alone: whoever reads it with a program looks for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: UNKNOWN is any number with any code that is not its own. Of the first three nothing was looked up.
OUTCOMES: Final = ("INCOMPLETE", "THROTTLED", "UNAVAILABLE", "STANDS", "VOID", "UNKNOWN")


@dataclass(frozen=True, slots=True)
class Texts:
    """One language."""

    skip: str
    service: str
    title: str
    form: str
    intro: str
    number: str
    number_hint: str
    code: str
    code_hint: str
    submit: str
    hotlines: str
    outcomes: Mapping[str, str]
    explanations: Mapping[str, str]
    #: The same in English, beside the Chinese.
    also: Mapping[str, str]
    #: The names of the facts.
    payer: str
    resident_id: str
    insurance: str
    pooling_area: str
    months: str
    amount: str
    institution: str
    issued_at: str
    voided_at: str
    insurances: Mapping[str, str]
    to: str


_ENGLISH: Final = Texts(
    skip="Skip to the content",
    service="Social insurance contributions of flexibly employed people",
    title="Check a payment voucher",
    form="Number and code",
    intro="Type in what is printed on the voucher, or scan its QR code. Names and identity numbers are masked.",
    number="Voucher number",
    number_hint="18 digits",
    code="Verification code",
    code_hint="12 letters and digits; capitals or not",
    submit="Check",
    hotlines="Hotlines: 12333 for enrolment and benefits, 12345 for medical insurance, 12366 for paying.",
    outcomes={
        "STANDS": "This voucher is authentic",
        "VOID": "This voucher is void",
        "UNKNOWN": "There is no such voucher",
        "INCOMPLETE": "Number and code are both needed",
        "THROTTLED": "Too many checks",
        "UNAVAILABLE": "The check is not available",
    },
    explanations={
        "STANDS": "The payment stands. Compare what follows with the voucher in your hands.",
        "VOID": "It was issued, and the payment was reversed or refunded since. It proves no payment.",
        "UNKNOWN": "No voucher has this number with this code. Compare both with what is printed.",
        "INCOMPLETE": "Nothing was looked up.",
        "THROTTLED": "Nothing was looked up. Try again in a minute.",
        "UNAVAILABLE": "Nothing was looked up. Try again in a moment.",
    },
    also={},
    payer="Payer",
    resident_id="Identity number",
    insurance="Insurance",
    pooling_area="Pooling area",
    months="Months",
    amount="Amount",
    institution="Collected by",
    issued_at="Issued",
    voided_at="Void since",
    insurances={"PENSION": "Pension (基本养老保险)", "MEDICAL": "Medical (基本医疗保险)"},
    to="to",
)

_CHINESE: Final = Texts(
    skip="跳到正文",
    service="灵活就业人员社会保险费",
    title="电子缴费凭证查验",
    form="凭证号码和验证码",
    intro="请输入凭证上的号码和验证码，或扫描凭证上的二维码。姓名和身份证号码已作掩码处理。",
    number="凭证号码",
    number_hint="18 位数字",
    code="验证码",
    code_hint="12 位字母和数字，不分大小写",
    submit="查验",
    hotlines="服务热线：参保登记和待遇 12333，医保 12345，缴费 12366。",
    outcomes={
        "STANDS": "真实有效",
        "VOID": "凭证已作废",
        "UNKNOWN": "查无此凭证",
        "INCOMPLETE": "请同时输入凭证号码和验证码",
        "THROTTLED": "查验次数过多",
        "UNAVAILABLE": "暂时无法查验",
    },
    explanations={
        "STANDS": "该笔缴费有效。请将以下内容与您手中的凭证核对。",
        "VOID": "凭证开具后，该笔缴费已冲正或退费，不能作为缴费证明。",
        "UNKNOWN": "没有与该号码和验证码相符的凭证，请核对后重新输入。",
        "INCOMPLETE": "尚未查验。",
        "THROTTLED": "尚未查验，请一分钟后再试。",
        "UNAVAILABLE": "尚未查验，请稍后再试。",
    },
    also={"STANDS": "authentic", "VOID": "void", "UNKNOWN": "no such voucher"},
    payer="缴费人",
    resident_id="身份证号码",
    insurance="险种",
    pooling_area="统筹地区",
    months="费款所属期",
    amount="金额",
    institution="代收机构",
    issued_at="开具时间",
    voided_at="作废时间",
    insurances={"PENSION": "基本养老保险", "MEDICAL": "基本医疗保险"},
    to="至",
)

TEXTS: Final[Mapping[str, Texts]] = {"zh_CN": _CHINESE, "en": _ENGLISH}
