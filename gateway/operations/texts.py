"""What the operator's page says, in both languages."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

#: Why there is a form and not the numbers. None of them for whoever comes for the first time.
OUTCOMES: Final = ("REFUSED", "NO_SCOPE", "MUST_BE_BOUND", "ENDED", "SIGNED_OUT", "THROTTLED", "UNAVAILABLE")


@dataclass(frozen=True, slots=True)
class Texts:
    """One language. `{}` is where a value goes."""

    skip: str
    service: str
    title: str
    hotlines: str
    sign_in: str
    intro: str
    client_id: str
    client_secret: str
    sign_out: str
    signed_in: str
    outcomes: Mapping[str, str]
    as_of: str
    refresh: str
    refresh_always: str
    refresh_never: str
    payments: str
    no_payments: str
    of_day: str
    count_and_amount: str
    as_table: str
    bank: str
    channel: str
    channels: Mapping[str | None, str]
    accepted: str
    amount: str
    reversed: str
    all_banks: str
    postings: str
    waiting: str
    failed: str
    oldest: str
    seconds: str
    none: str
    reconciliation: str
    reconciliation_hint: str
    no_days: str
    statuses: Mapping[str, str]
    lookups: str
    lookups_hint: str
    lookup_failures: str
    locked_numbers: str
    locked_clients: str
    locked_numbers_now: str
    client: str
    failures: str
    locked_until: str
    health: str
    health_hint: str
    database: str
    path: str
    answered: str
    refused: str
    faults: str
    prompt: str


_ENGLISH: Final = Texts(
    skip="Skip to the content",
    service="Social insurance contributions of flexibly employed people",
    title="Operations",
    hotlines="Hotlines: 12333 for enrolment and benefits, 12345 for medical insurance, 12366 for paying.",
    sign_in="Sign in",
    intro="With the id and the secret of a client that has the scope operations:read. You are signed out after "
    "{} minutes.",
    client_id="Client id",
    client_secret="Secret",  # noqa: S106 -- a label
    sign_out="Sign out",
    signed_in="Signed in as {}.",
    outcomes={
        "REFUSED": "Id and secret do not fit, or the client was revoked.",
        "NO_SCOPE": "This client may not see the operations: it lacks the scope operations:read.",
        "MUST_BE_BOUND": "Tokens of this client must be bound to a key, which a browser does not have.",
        "ENDED": "Your session has ended. Sign in again.",
        "SIGNED_OUT": "You are signed out.",
        "THROTTLED": "Too many tries. Wait a minute.",
        "UNAVAILABLE": "The numbers can't be had at the moment. Try again.",
    },
    as_of="Business date {}. As of {}.",
    refresh="Refresh",
    refresh_always="Refresh every minute",
    refresh_never="Stop refreshing",
    payments="Today's payments by bank and channel",
    no_payments="No payment has been accepted today.",
    of_day="Payments accepted today, reversed ones included; longer is more.",
    count_and_amount="{} accepted, ¥{}",
    as_table="The same as a table",
    bank="Institution",
    channel="Channel",
    channels={
        "MOBILE_BANKING": "Mobile banking",
        "COUNTER": "Counter",
        "WECHAT": "WeChat",
        "MINI_PROGRAM": "Mini-program",
        "TAX_WINDOW": "Tax window",
        None: "No channel",
    },
    accepted="Accepted",
    amount="Amount, ¥",
    reversed="Reversed since",
    all_banks="All",
    postings="Postings to the tax ledger",
    waiting="Waiting",
    failed="Failed",
    oldest="Age of the oldest",
    seconds="{} s",
    none="none",
    reconciliation="Reconciliation by bank and day",
    reconciliation_hint="Open: the bank has sent no list yet. An empty cell: nothing to reconcile.",
    no_days="There is nothing to reconcile in these days.",
    statuses={"OPEN": "Open", "RECONCILED": "Reconciled", "DIFFERENT": "Different"},
    lookups="Failed look-ups",
    lookups_hint="Look-ups of people that found nobody. The first three count since this server started; the list has "
    "what is not yet forgotten, of all servers.",
    lookup_failures="In vain",
    locked_numbers="Locks of one number",
    locked_clients="Locks of a client",
    locked_numbers_now="Numbers locked at the moment",
    client="Client",
    failures="In vain lately",
    locked_until="Locked until",
    health="Service health",
    health_hint="Answers of this server since it started.",
    database="The database took {} ms for all of this.",
    path="Path",
    answered="Answers",
    refused="Refused (4xx)",
    faults="Failed (5xx)",
    prompt="Within {} ms",
)

_CHINESE: Final = Texts(
    skip="跳到正文",
    service="灵活就业人员社会保险费",
    title="运营概览",
    hotlines="服务热线：参保登记和待遇 12333，医保 12345，缴费 12366。",
    sign_in="登录",
    intro="请使用具有 operations:read 权限的客户端编号和密钥登录。{} 分钟后自动退出。",
    client_id="客户端编号",
    client_secret="密钥",  # noqa: S106 -- a label
    sign_out="退出",
    signed_in="已登录：{}。",
    outcomes={
        "REFUSED": "客户端编号与密钥不符，或该客户端已被吊销。",
        "NO_SCOPE": "该客户端没有 operations:read 权限，不能查看运营概览。",
        "MUST_BE_BOUND": "该客户端的令牌必须绑定密钥，浏览器无法使用。",
        "ENDED": "会话已结束，请重新登录。",
        "SIGNED_OUT": "您已退出。",
        "THROTTLED": "尝试次数过多，请一分钟后再试。",
        "UNAVAILABLE": "暂时无法取得数据，请稍后再试。",
    },
    as_of="业务日期 {}，数据时间 {}。",
    refresh="刷新",
    refresh_always="每分钟自动刷新",
    refresh_never="停止自动刷新",
    payments="今日缴费（按机构和渠道）",
    no_payments="今日尚无缴费。",
    of_day="今日受理的缴费笔数，含已冲正；条越长笔数越多。",
    count_and_amount="{} 笔，¥{}",
    as_table="以表格显示",
    bank="机构",
    channel="渠道",
    channels={
        "MOBILE_BANKING": "手机银行",
        "COUNTER": "柜台",
        "WECHAT": "微信",
        "MINI_PROGRAM": "小程序",
        "TAX_WINDOW": "办税窗口",
        None: "无渠道",
    },
    accepted="受理笔数",
    amount="金额（元）",
    reversed="其中已冲正",
    all_banks="合计",
    postings="税务记账",
    waiting="待记账",
    failed="失败",
    oldest="最早一笔已等待",
    seconds="{} 秒",
    none="无",
    reconciliation="日终对账（按机构和日期）",
    reconciliation_hint="未对账：机构尚未报送清单。空白：当日无账可对。",
    no_days="近几日无账可对。",
    statuses={"OPEN": "未对账", "RECONCILED": "已对平", "DIFFERENT": "有差异"},
    lookups="查询失败",
    lookups_hint="未查到人的查询。前三项为本服务器启动以来的次数；列表为全部服务器近期的次数。",
    lookup_failures="未查到",
    locked_numbers="锁定单个号码",
    locked_clients="锁定客户端",
    locked_numbers_now="目前锁定的号码",
    client="客户端",
    failures="近期未查到",
    locked_until="锁定至",
    health="服务状况",
    health_hint="本服务器启动以来的应答。",
    database="以上数据由数据库在 {} 毫秒内返回。",
    path="路径",
    answered="应答",
    refused="拒绝 (4xx)",
    faults="故障 (5xx)",
    prompt="{} 毫秒内",
)

TEXTS: Final[Mapping[str, Texts]] = {"zh_CN": _CHINESE, "en": _ENGLISH}
