"""What the page /verify says, in both languages.

An outcome's own words stand on the page of that outcome alone: whoever reads it with a program looks for them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: UNKNOWN is any number with any code that is not its own. Of the first three nothing was looked up. Those of a file:
#: FILE_UNKNOWN has the gateway's signature and is not in its book.
OUTCOMES: Final = (
    *("INCOMPLETE", "THROTTLED", "UNAVAILABLE", "STANDS", "VOID", "UNKNOWN"),
    *("FILE_MISSING", "FILE_TOO_LARGE", "FILE_NO_PDF", "FILE_FOREIGN", "FILE_CHANGED"),
    *("FILE_UNKNOWN", "FILE_STANDS", "FILE_VOID"),
)


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
    file_form: str
    file_intro: str
    file: str
    file_hint: str
    file_submit: str
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
    file_form="The file",
    file_intro="Was the PDF changed since it was signed? Send the file as you received it. It is not kept.",
    file="Voucher file",
    file_hint="PDF, at most 1 MB",
    file_submit="Check the file",
    hotlines="Hotlines: 12333 for enrolment and benefits, 12345 for medical insurance, 12366 for paying.",
    outcomes={
        "STANDS": "This voucher is authentic",
        "VOID": "This voucher is void",
        "UNKNOWN": "There is no such voucher",
        "INCOMPLETE": "Number and code are both needed",
        "THROTTLED": "Too many checks",
        "UNAVAILABLE": "The check is not available",
        "FILE_MISSING": "No file was chosen",
        "FILE_TOO_LARGE": "The file is too large",
        "FILE_NO_PDF": "The file is no PDF",
        "FILE_FOREIGN": "The file was not signed here",
        "FILE_CHANGED": "The file was changed after it was signed",
        "FILE_UNKNOWN": "The file is not in the books",
        "FILE_STANDS": "This file is authentic, and the payment stands",
        "FILE_VOID": "This file is as it was signed, and is void since",
    },
    explanations={
        "STANDS": "The payment stands. Compare what follows with the voucher in your hands.",
        "VOID": "It was issued, and the payment was reversed or refunded since. It proves no payment.",
        "UNKNOWN": "No voucher has this number with this code. Compare both with what is printed.",
        "INCOMPLETE": "Nothing was looked up.",
        "THROTTLED": "Nothing was looked up. Try again in a minute.",
        "UNAVAILABLE": "Nothing was looked up. Try again in a moment.",
        "FILE_MISSING": "Choose the PDF of the voucher first.",
        "FILE_TOO_LARGE": "A voucher is far smaller. A picture of one cannot be checked: type in its number and code.",
        "FILE_NO_PDF": "A picture or another document of a voucher has no signature: type in its number and code.",
        "FILE_FOREIGN": (
            "It has no signature of this service. A voucher that was scanned, printed to a file or saved by another "
            "program has lost it: type in its number and code."
        ),
        "FILE_CHANGED": "It is not what was signed, and proves nothing. Number and code show what was signed.",
        "FILE_UNKNOWN": "It is signed, but no payment has its number and code. Call 12366.",
        "FILE_STANDS": "Not a byte of it was changed since it was signed. This is what the books say now.",
        "FILE_VOID": "The payment was reversed or refunded. It proves no payment. This is what the books say now.",
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
    file_form="凭证文件",
    file_intro="核验 PDF 文件签名后是否被改动。请上传收到的原始文件；文件不会被保存。",
    file="PDF 文件",
    file_hint="不超过 1 MB",
    file_submit="核验文件",
    hotlines="服务热线：参保登记和待遇 12333，医保 12345，缴费 12366。",
    outcomes={
        "STANDS": "真实有效",
        "VOID": "凭证已作废",
        "UNKNOWN": "查无此凭证",
        "INCOMPLETE": "请同时输入凭证号码和验证码",
        "THROTTLED": "查验次数过多",
        "UNAVAILABLE": "暂时无法查验",
        "FILE_MISSING": "未选择文件",
        "FILE_TOO_LARGE": "文件过大",
        "FILE_NO_PDF": "文件不是 PDF",
        "FILE_FOREIGN": "文件没有本系统的签名",
        "FILE_CHANGED": "文件签名后被改动",
        "FILE_UNKNOWN": "账簿中没有该凭证",
        "FILE_STANDS": "文件真实，缴费有效",
        "FILE_VOID": "文件真实，但凭证已作废",
    },
    explanations={
        "STANDS": "该笔缴费有效。请将以下内容与您手中的凭证核对。",
        "VOID": "凭证开具后，该笔缴费已冲正或退费，不能作为缴费证明。",
        "UNKNOWN": "没有与该号码和验证码相符的凭证，请核对后重新输入。",
        "INCOMPLETE": "尚未查验。",
        "THROTTLED": "尚未查验，请一分钟后再试。",
        "UNAVAILABLE": "尚未查验，请稍后再试。",
        "FILE_MISSING": "请先选择凭证的 PDF 文件。",
        "FILE_TOO_LARGE": "凭证文件没有这么大。凭证的照片无法核验，请输入凭证号码和验证码。",
        "FILE_NO_PDF": "凭证的照片或其他格式的文件没有签名，请输入凭证号码和验证码。",
        "FILE_FOREIGN": "扫描、打印成文件或用其他程序另存的凭证会失去签名，请输入凭证号码和验证码。",
        "FILE_CHANGED": "文件内容与签名时不一致，不能作为证明。请输入凭证号码和验证码，查看原始内容。",
        "FILE_UNKNOWN": "文件有本系统的签名，但没有与其号码和验证码相符的缴费。请拨打 12366。",
        "FILE_STANDS": "文件自签名后未被改动。以下是账簿中的当前记录。",
        "FILE_VOID": "该笔缴费已冲正或退费，不能作为缴费证明。以下是账簿中的当前记录。",
    },
    also={
        "STANDS": "authentic",
        "VOID": "void",
        "UNKNOWN": "no such voucher",
        "FILE_STANDS": "authentic",
        "FILE_VOID": "void",
        "FILE_CHANGED": "changed after signing",
        "FILE_FOREIGN": "not signed here",
    },
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
