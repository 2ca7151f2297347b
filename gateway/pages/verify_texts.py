"""What the page /verify says, in both languages.

An outcome's own words stand on the page of that outcome alone: whoever reads it with a program looks for them.
"""

from collections.abc import Mapping
from typing import Final

from gateway.pages.texts import in_both

#: UNKNOWN is any number with any code that is not its own. Of the first three nothing was looked up. Those of a file:
#: FILE_UNKNOWN has the gateway's signature and is not in its book.
OUTCOMES: Final = (
    *("INCOMPLETE", "THROTTLED", "UNAVAILABLE", "STANDS", "VOID", "UNKNOWN"),
    *("FILE_MISSING", "FILE_TOO_LARGE", "FILE_NO_PDF", "FILE_FOREIGN", "FILE_CHANGED"),
    *("FILE_UNKNOWN", "FILE_STANDS", "FILE_VOID"),
)

#: The English that stands beside the Chinese of an outcome.
ALSO: Final[Mapping[str, str]] = {
    "STANDS": "authentic",
    "VOID": "void",
    "UNKNOWN": "no such voucher",
    "FILE_STANDS": "authentic",
    "FILE_VOID": "void",
    "FILE_CHANGED": "changed after signing",
    "FILE_FOREIGN": "not signed here",
}

TEXTS: Final = in_both(
    {
        "title": ("电子缴费凭证查验", "Check a payment voucher"),
        "form": ("凭证号码和验证码", "Number and code"),
        "intro": (
            "请输入凭证上的号码和验证码，或扫描凭证上的二维码。姓名和身份证号码已作掩码处理。",
            "Type in what is printed on the voucher, or scan its QR code. Names and identity numbers are masked.",
        ),
        "number": ("凭证号码", "Voucher number"),
        "number_hint": ("18 位数字", "18 digits"),
        "code": ("验证码", "Verification code"),
        "code_hint": ("12 位字母和数字，不分大小写", "12 letters and digits; capitals or not"),
        "submit": ("查验", "Check"),
        "file_form": ("凭证文件", "The file"),
        "file_intro": (
            "核验 PDF 文件签名后是否被改动。请上传收到的原始文件；文件不会被保存。",
            "Was the PDF changed since it was signed? Send the file as you received it. It is not kept.",
        ),
        "file": ("PDF 文件", "Voucher file"),
        "file_hint": ("不超过 1 MB", "PDF, at most 1 MB"),
        "file_submit": ("核验文件", "Check the file"),
        "outcome.STANDS": ("真实有效", "This voucher is authentic"),
        "outcome.VOID": ("凭证已作废", "This voucher is void"),
        "outcome.UNKNOWN": ("查无此凭证", "There is no such voucher"),
        "outcome.INCOMPLETE": ("请同时输入凭证号码和验证码", "Number and code are both needed"),
        "outcome.THROTTLED": ("查验次数过多", "Too many checks"),
        "outcome.UNAVAILABLE": ("暂时无法查验", "The check is not available"),
        "outcome.FILE_MISSING": ("未选择文件", "No file was chosen"),
        "outcome.FILE_TOO_LARGE": ("文件过大", "The file is too large"),
        "outcome.FILE_NO_PDF": ("文件不是 PDF", "The file is no PDF"),
        "outcome.FILE_FOREIGN": ("文件没有本系统的签名", "The file was not signed here"),
        "outcome.FILE_CHANGED": ("文件签名后被改动", "The file was changed after it was signed"),
        "outcome.FILE_UNKNOWN": ("账簿中没有该凭证", "The file is not in the books"),
        "outcome.FILE_STANDS": ("文件真实，缴费有效", "This file is authentic, and the payment stands"),
        "outcome.FILE_VOID": ("文件真实，但凭证已作废", "This file is as it was signed, and is void since"),
        "explanation.STANDS": (
            "该笔缴费有效。请将以下内容与您手中的凭证核对。",
            "The payment stands. Compare what follows with the voucher in your hands.",
        ),
        "explanation.VOID": (
            "凭证开具后，该笔缴费已冲正或退费，不能作为缴费证明。",
            "It was issued, and the payment was reversed or refunded since. It proves no payment.",
        ),
        "explanation.UNKNOWN": (
            "没有与该号码和验证码相符的凭证，请核对后重新输入。",
            "No voucher has this number with this code. Compare both with what is printed.",
        ),
        "explanation.INCOMPLETE": ("尚未查验。", "Nothing was looked up."),
        "explanation.THROTTLED": ("尚未查验，请一分钟后再试。", "Nothing was looked up. Try again in a minute."),
        "explanation.UNAVAILABLE": ("尚未查验，请稍后再试。", "Nothing was looked up. Try again in a moment."),
        "explanation.FILE_MISSING": ("请先选择凭证的 PDF 文件。", "Choose the PDF of the voucher first."),
        "explanation.FILE_TOO_LARGE": (
            "凭证文件没有这么大。凭证的照片无法核验，请输入凭证号码和验证码。",
            "A voucher is far smaller. A picture of one cannot be checked: type in its number and code.",
        ),
        "explanation.FILE_NO_PDF": (
            "凭证的照片或其他格式的文件没有签名，请输入凭证号码和验证码。",
            "A picture or another document of a voucher has no signature: type in its number and code.",
        ),
        "explanation.FILE_FOREIGN": (
            "扫描、打印成文件或用其他程序另存的凭证会失去签名，请输入凭证号码和验证码。",
            "It has no signature of this service. A voucher that was scanned, printed to a file or saved by "
            "another program has lost it: type in its number and code.",
        ),
        "explanation.FILE_CHANGED": (
            "文件内容与签名时不一致，不能作为证明。请输入凭证号码和验证码，查看原始内容。",
            "It is not what was signed, and proves nothing. Number and code show what was signed.",
        ),
        "explanation.FILE_UNKNOWN": (
            "文件有本系统的签名，但没有与其号码和验证码相符的缴费。请拨打 12366。",
            "It is signed, but no payment has its number and code. Call 12366.",
        ),
        "explanation.FILE_STANDS": (
            "文件自签名后未被改动。以下是账簿中的当前记录。",
            "Not a byte of it was changed since it was signed. This is what the books say now.",
        ),
        "explanation.FILE_VOID": (
            "该笔缴费已冲正或退费，不能作为缴费证明。以下是账簿中的当前记录。",
            "The payment was reversed or refunded. It proves no payment. This is what the books say now.",
        ),
        "payer": ("缴费人", "Payer"),
        "resident_id": ("身份证号码", "Identity number"),
        "insurance": ("险种", "Insurance"),
        "pooling_area": ("统筹地区", "Pooling area"),
        "months": ("费款所属期", "Months"),
        "amount": ("金额", "Amount"),
        "institution": ("代收机构", "Collected by"),
        "issued_at": ("开具时间", "Issued"),
        "voided_at": ("作废时间", "Void since"),
        "insurance.PENSION": ("基本养老保险", "Pension (基本养老保险)"),
        "insurance.MEDICAL": ("基本医疗保险", "Medical (基本医疗保险)"),
        "to": ("至", "to"),
    }
)
