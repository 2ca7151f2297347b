"""Draws a voucher: one page A4, in Chinese. The same voucher gives the same bytes."""

import io
from datetime import datetime
from itertools import groupby
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import segno
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from contributions import money, months, words
from contributions.records import Line
from gateway.vouchers.archival import make_archival
from gateway.vouchers.text import FONT, Pen, font
from resolvers.vouchers import Voucher

#: 社会保险费的险种, as the guide names them.
INSURANCES: Final = {"PENSION": "基本养老保险", "MEDICAL": "基本医疗保险"}
HOTLINES: Final = (
    "参保登记、权益记录、待遇发放请拨打社保服务热线 12333，医保专席 12345；缴费业务请拨打税务服务热线 12366。"
)

#: Months that are listed one by one; more of them stand as runs of months with the same amount.
MAX_MONTHS_LISTED: Final = 12

#: Points of a millimetre: a point is 1/72 inch.
_MM: Final = 72 / 25.4
_SHANGHAI: Final = ZoneInfo("Asia/Shanghai")
_WIDTH: Final[float] = A4[0]
_HEIGHT: Final[float] = A4[1]
_LEFT: Final[float] = 20 * _MM
_RIGHT: Final = _WIDTH - _LEFT
_MIDDLE: Final = _WIDTH / 2
_FACT_HEIGHT: Final[float] = 8 * _MM
_LINE_HEIGHT: Final[float] = 6.5 * _MM
#: The lines' own part of the page, between the facts and the foot; more lines are lower.
_LINES_HEIGHT: Final[float] = 92 * _MM
_QR_SIZE: Final[float] = 34 * _MM
_INK, _RULE, _VOID = (0, 0, 0), (0.45, 0.45, 0.45), (0.96, 0.72, 0.72)


def verify_url(public_url: str, number: str, code: str) -> str:
    """Return the address of the public check of one voucher, as its QR code has it."""
    return f"{public_url}/verify?{urlencode({'number': number, 'code': code})}"


def draw(voucher: Voucher, public_url: str) -> bytes:
    """Return the page as PDF. Takes some 15 ms of CPU: never call it on the event loop."""
    output = io.BytesIO()
    # Registers the font, which is the only one: what is not embedded may look otherwise in twenty years.
    font()
    # Invariant: no clock and no random number goes into the bytes.
    canvas = Canvas(output, pagesize=A4, invariant=1, pageCompression=1, lang="zh-CN", initialFontName=FONT)
    _describe(canvas, voucher)
    pen = Pen(canvas)
    if voucher.voided_at is not None:
        # Beneath the text, so that both can be read.
        _strike(canvas, pen)
    y = _head(canvas, pen, voucher)
    y = _facts(canvas, pen, voucher, y)
    _lines(canvas, pen, voucher, y)
    _foot(canvas, pen, voucher, public_url)
    canvas.showPage()
    canvas.save()
    return output.getvalue()


def _describe(canvas: Canvas, voucher: Voucher) -> None:
    state = "作废" if voucher.voided_at else "有效"
    title, author, creator = f"电子缴费凭证 {voucher.number}", "灵活就业人员社会保险费征收网关", "contribution-gateway"
    subject = f"{state}，第 {max(voucher.prints, 1)} 次打印"
    changed = (voucher.voided_at or voucher.issued_at).astimezone(_SHANGHAI).replace(microsecond=0)
    canvas.setTitle(title)
    canvas.setAuthor(author)
    canvas.setSubject(subject)
    canvas.setCreator(creator)
    canvas.setKeywords("")
    canvas.setDateFormatter(lambda *_given: f"D:{changed:%Y%m%d%H%M%S}+08'00'")
    make_archival(canvas, title=title, subject=subject, author=author, creator=creator, moment=changed)


def _strike(canvas: Canvas, pen: Pen) -> None:
    canvas.saveState()
    canvas.translate(_MIDDLE, _HEIGHT / 2)
    canvas.rotate(35)
    canvas.setFillColorRGB(*_VOID)
    pen.centred(0, -60, "作废", 190)
    canvas.restoreState()


def _head(canvas: Canvas, pen: Pen, voucher: Voucher) -> float:
    y = _HEIGHT - 24 * _MM
    canvas.setFillColorRGB(*_INK)
    pen.centred(_MIDDLE, y, "灵活就业人员社会保险费", 13)
    pen.centred(_MIDDLE, y - 10 * _MM, "电子缴费凭证", 22)
    y -= 19 * _MM
    pen.left(_LEFT, y, f"凭证号码：{voucher.number}", 10)
    pen.right(_RIGHT, y, f"开具时间：{_time(voucher.issued_at)}", 10)
    y -= 6 * _MM
    if voucher.voided_at is not None:
        pen.left(_LEFT, y, f"本凭证已作废，作废时间：{_time(voucher.voided_at)}", 10)
    if voucher.prints > 1:
        pen.right(_RIGHT, y, f"补打：第 {voucher.prints} 次打印", 10)
    return y - 3 * _MM


def _facts(canvas: Canvas, pen: Pen, voucher: Voucher, y: float) -> float:
    amount = voucher.amount
    facts = (
        (("缴费人", voucher.masked_name), ("身份证号码", voucher.masked_resident_id)),
        (("险种", INSURANCES[voucher.insurance]), ("统筹地区", voucher.pooling_area)),
        (("费款所属期", f"{_run(voucher.first_month, voucher.last_month)}"), ("月数", f"{voucher.month_count} 个月")),
        (("代收机构", voucher.institution_name), ("代收机构流水号", voucher.bank_reference)),
        (("金额（小写）", f"{money.text(amount)} 元"),),
        (("金额（大写）", words.in_words(amount)),),
    )
    label = 30 * _MM
    _rule(canvas, y)
    for row in facts:
        width = (_RIGHT - _LEFT) / len(row)
        baseline = y - _FACT_HEIGHT + 2.6 * _MM
        for column, (name, value) in enumerate(row):
            x = _LEFT + column * width
            pen.left(x + 2 * _MM, baseline, name, 10)
            pen.left(x + label, baseline, value, 10.5, within=width - label - 2 * _MM)
        y -= _FACT_HEIGHT
        _rule(canvas, y)
    return y - 6 * _MM


def _lines(canvas: Canvas, pen: Pen, voucher: Voucher, y: float) -> None:
    rows = _rows(voucher)
    # A working life of arrears, a row for each year, fits as well.
    height = min(_LINE_HEIGHT, _LINES_HEIGHT / (len(rows) + 1))
    size = min(10.0, height * 0.68)
    ends = (_LEFT + 62 * _MM, _LEFT + 96 * _MM, _LEFT + 122 * _MM, _RIGHT - 2 * _MM)
    for row in (("费款所属期", "月缴费基数（元）", "费率", "金额（元）"), *rows):
        y -= height
        baseline = y + height * 0.3
        pen.left(_LEFT + 2 * _MM, baseline, row[0], size)
        for x, text in zip(ends[1:], row[1:], strict=True):
            pen.right(x, baseline, text, size)
        _rule(canvas, y)


def _rows(voucher: Voucher) -> list[tuple[str, str, str, str]]:
    if not voucher.lines:
        # An agency's own bill states one amount.
        return [(_run(voucher.first_month, voucher.last_month), "—", "—", money.text(voucher.amount))]
    if len(voucher.lines) <= MAX_MONTHS_LISTED:
        groups = [[line] for line in voucher.lines]
    else:
        groups = [list(group) for _, group in groupby(voucher.lines, key=_alike)]
    return [
        (
            _run(group[0].month, group[-1].month),
            money.text(group[0].monthly_base),
            f"{(group[0].rate * 100).normalize():f}%",
            money.text(group[0].amount * len(group)),
        )
        for group in groups
    ]


def _alike(line: Line) -> tuple[object, ...]:
    return months.year_of(line.month), line.monthly_base, line.rate, line.amount


def _foot(canvas: Canvas, pen: Pen, voucher: Voucher, public_url: str) -> None:
    y = 22 * _MM
    _rule(canvas, y + 6 * _MM)
    pen.centred(_MIDDLE, y, HOTLINES, 8.5, within=_RIGHT - _LEFT)
    url = verify_url(public_url, voucher.number, voucher.verification_code)
    bottom = y + 11 * _MM
    _draw_qr(canvas, url, _RIGHT - _QR_SIZE, bottom)
    top = bottom + _QR_SIZE - 5 * _MM
    room = _RIGHT - _QR_SIZE - 6 * _MM - _LEFT
    code = voucher.verification_code
    pen.left(_LEFT, top, f"验证码：{code}", 12)
    pen.left(_LEFT, top - 9 * _MM, "查验：扫描二维码，或在下列网址输入凭证号码和验证码", 9.5, within=room)
    pen.left(_LEFT, top - 15 * _MM, f"{public_url}/verify", 9.5, within=room)
    pen.left(_LEFT, top - 23 * _MM, "本凭证由系统生成；缴费人姓名、身份证号码已作掩码处理。", 8.5, within=room)


def _draw_qr(canvas: Canvas, content: str, x: float, y: float) -> None:
    """Draw the QR code with its quiet zone, the lower left corner at this place: one path for all its modules."""
    matrix = tuple(segno.make_qr(content, error="m", boost_error=False).matrix_iter(border=4))
    module = _QR_SIZE / len(matrix)
    path = canvas.beginPath()
    for row, bits in enumerate(matrix):
        column = 0
        for bit, run in groupby(bits):
            length = len(list(run))
            if bit:
                path.rect(x + column * module, y + (len(matrix) - row - 1) * module, length * module, module)
            column += length
    canvas.drawPath(path, stroke=0, fill=1)


def _rule(canvas: Canvas, y: float) -> None:
    canvas.setStrokeColorRGB(*_RULE)
    canvas.setLineWidth(0.5)
    canvas.line(_LEFT, y, _RIGHT, y)


def _run(first: int, last: int) -> str:
    return months.text(first) if first == last else f"{months.text(first)} 至 {months.text(last)}"


def _time(moment: datetime) -> str:
    return f"{moment.astimezone(_SHANGHAI):%Y-%m-%d %H:%M:%S}"
