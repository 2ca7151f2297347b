"""What the operator's page says, in both languages. `{}` is where a value goes."""

from typing import Final

from gateway.pages.texts import in_both

#: Why there is a form and not the numbers. None of them for whoever comes for the first time.
OUTCOMES: Final = ("REFUSED", "NO_SCOPE", "MUST_BE_BOUND", "ENDED", "SIGNED_OUT", "THROTTLED", "UNAVAILABLE")

TEXTS: Final = in_both(
    {
        "title": ("运营概览", "Operations"),
        "sign_in": ("登录", "Sign in"),
        "intro": (
            "请使用具有 operations:read 权限的客户端编号和密钥登录。{} 分钟后自动退出。",
            "With the id and the secret of a client that has the scope operations:read. You are signed out after "
            "{} minutes.",
        ),
        "client_id": ("客户端编号", "Client id"),
        "client_secret": ("密钥", "Secret"),
        "sign_out": ("退出", "Sign out"),
        "signed_in": ("已登录：{}。", "Signed in as {}."),
        "outcome.REFUSED": (
            "客户端编号与密钥不符，或该客户端已被吊销。",
            "Id and secret do not fit, or the client was revoked.",
        ),
        "outcome.NO_SCOPE": (
            "该客户端没有 operations:read 权限，不能查看运营概览。",
            "This client may not see the operations: it lacks the scope operations:read.",
        ),
        "outcome.MUST_BE_BOUND": (
            "该客户端的令牌必须绑定密钥，浏览器无法使用。",
            "Tokens of this client must be bound to a key, which a browser does not have.",
        ),
        "outcome.ENDED": ("会话已结束，请重新登录。", "Your session has ended. Sign in again."),
        "outcome.SIGNED_OUT": ("您已退出。", "You are signed out."),
        "outcome.THROTTLED": ("尝试次数过多，请一分钟后再试。", "Too many tries. Wait a minute."),
        "outcome.UNAVAILABLE": ("暂时无法取得数据，请稍后再试。", "The numbers can't be had at the moment. Try again."),
        "as_of": ("业务日期 {}，数据时间 {}。", "Business date {}. As of {}."),
        "refresh": ("刷新", "Refresh"),
        "refresh_always": ("每分钟自动刷新", "Refresh every minute"),
        "refresh_never": ("停止自动刷新", "Stop refreshing"),
        "payments": ("今日缴费（按机构和渠道）", "Today's payments by bank and channel"),
        "no_payments": ("今日尚无缴费。", "No payment has been accepted today."),
        "of_day": (
            "今日受理的缴费笔数，含已冲正；条越长笔数越多。",
            "Payments accepted today, reversed ones included; longer is more.",
        ),
        "count_and_amount": ("{} 笔，¥{}", "{} accepted, ¥{}"),
        "as_table": ("以表格显示", "The same as a table"),
        "bank": ("机构", "Institution"),
        "channel": ("渠道", "Channel"),
        "channel.MOBILE_BANKING": ("手机银行", "Mobile banking"),
        "channel.COUNTER": ("柜台", "Counter"),
        "channel.WECHAT": ("微信", "WeChat"),
        "channel.MINI_PROGRAM": ("小程序", "Mini-program"),
        "channel.TAX_WINDOW": ("办税窗口", "Tax window"),
        "channel.NONE": ("无渠道", "No channel"),
        "accepted": ("受理笔数", "Accepted"),
        "amount": ("金额（元）", "Amount, ¥"),
        "reversed": ("其中已冲正", "Reversed since"),
        "all_banks": ("合计", "All"),
        "postings": ("税务记账", "Postings to the tax ledger"),
        "waiting": ("待记账", "Waiting"),
        "failed": ("失败", "Failed"),
        "oldest": ("最早一笔已等待", "Age of the oldest"),
        "seconds": ("{} 秒", "{} s"),
        "none": ("无", "none"),
        "reconciliation": ("日终对账（按机构和日期）", "Reconciliation by bank and day"),
        "reconciliation_hint": (
            "未对账：机构尚未报送清单。空白：当日无账可对。",
            "Open: the bank has sent no list yet. An empty cell: nothing to reconcile.",
        ),
        "no_days": ("近几日无账可对。", "There is nothing to reconcile in these days."),
        "status.OPEN": ("未对账", "Open"),
        "status.RECONCILED": ("已对平", "Reconciled"),
        "status.DIFFERENT": ("有差异", "Different"),
        "lookups": ("查询失败", "Failed look-ups"),
        "lookups_hint": (
            "未查到人的查询。前三项为本服务器启动以来的次数；列表为全部服务器近期的次数。",
            "Look-ups of people that found nobody. The first three count since this server started; the list has "
            "what is not yet forgotten, of all servers.",
        ),
        "lookup_failures": ("未查到", "In vain"),
        "locked_numbers": ("锁定单个号码", "Locks of one number"),
        "locked_clients": ("锁定客户端", "Locks of a client"),
        "locked_numbers_now": ("目前锁定的号码", "Numbers locked at the moment"),
        "client": ("客户端", "Client"),
        "failures": ("近期未查到", "In vain lately"),
        "locked_until": ("锁定至", "Locked until"),
        "health": ("服务状况", "Service health"),
        "health_hint": ("本服务器启动以来的应答。", "Answers of this server since it started."),
        "database": ("以上数据由数据库在 {} 毫秒内返回。", "The database took {} ms for all of this."),
        "path": ("路径", "Path"),
        "answered": ("应答", "Answers"),
        "refused": ("拒绝 (4xx)", "Refused (4xx)"),
        "faults": ("故障 (5xx)", "Failed (5xx)"),
        "prompt": ("{} 毫秒内", "Within {} ms"),
    }
)
