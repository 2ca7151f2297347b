"""What the developer's pages say, each text in Chinese and in English."""

from typing import Final

from gateway.pages.texts import in_both

TEXTS: Final = in_both(
    {
        "pages": ("开发者页面", "Developer's pages"),
        "home": ("首页", "Start"),
        "graphiql": ("GraphiQL", "GraphiQL"),
        "reference": ("模式参考", "Schema reference"),
        "problems": ("问题代码", "Problem codes"),
        # The page at /
        "title": ("社会保险费征收网关", "Contribution gateway"),
        "what": (
            "合作银行通过这个 GraphQL 接口代收灵活就业人员的养老和医疗保险费：按证件号码和姓名查询缴费人，查看"
            "可缴月份，计价或申请核定，提交已收的款项，取得缴费凭证，日终对账。",
            "A GraphQL API through which partner banks collect the pension and medical contributions of flexibly "
            "employed people: find the payer by number and name, see what can be paid, have it priced or assessed, "
            "submit the payment collected, get the receipt, and reconcile the day.",
        ),
        "status": ("状态", "Status"),
        "ready": ("正常服务", "Ready to serve"),
        "not_ready": ("数据库无响应，暂不能服务", "The database does not answer: not able to serve"),
        "version": ("版本", "Version"),
        "business_date": ("业务日期", "Business date"),
        "environment": ("环境", "Environment"),
        "sandbox": ("沙箱：虚构的人员，固定的业务日期", "Sandbox: fictional people, a pinned business date"),
        "production": ("生产", "Production"),
        "issuer": ("地址", "Address"),
        "token": ("取得令牌", "Get a token"),
        "token_how": (
            "OAuth 2.0 客户端凭证。令牌有效 10 分钟；在到期前重复使用，不必每次请求都申请。",
            "OAuth 2.0 client credentials. A token lives ten minutes: use it again until shortly before it ends.",
        ),
        "token_production": (
            "把 CLIENT_ID 和 SECRET 换成运营方为贵机构登记的客户端。也可用 private_key_jwt 或客户端证书，不必有密码。",
            "Put the client that the operator registered for your institution in the place of CLIENT_ID and SECRET. "
            "private_key_jwt or a client certificate do without a secret.",
        ),
        "query_how": ("用令牌发送第一个查询：", "The first query with it:"),
        "clients": ("沙箱客户端", "The sandbox's clients"),
        "clients_how": ("密码都是 sandbox，出了沙箱就无效。", "Their secret is sandbox, which is refused elsewhere."),
        "client": ("客户端", "Client"),
        "institution": ("机构", "Institution"),
        "channel": ("渠道", "Channel"),
        "scopes": ("权限", "Scopes"),
        "no_channel": ("无", "none"),
        "links": ("从这里开始", "Where to go on"),
        "graphiql_what": (
            "在浏览器里编写并运行查询，附文档中的示例。",
            "Write and run operations in the browser, with the documents of the guide as examples.",
        ),
        "reference_what": (
            "每个类型、字段、参数、枚举值及其说明，可搜索。",
            "Every type, field, argument and enum value with its description, searchable.",
        ),
        "problems_what": (
            "每一种拒绝和错误：代码、含义、应当怎么做。",
            "Every refusal and error: its code, what it means, what to do.",
        ),
        "contract": ("合同（SDL）", "The contract (SDL)"),
        "contract_what": ("GraphQL 模式原文，可供代码生成。", "The GraphQL schema itself, for code generators."),
        "verify": ("凭证查验", "Check a voucher"),
        "verify_what": ("公众查验电子缴费凭证的真伪。", "The public check of an electronic voucher."),
        "channels": ("缴费渠道体验", "The channels to try"),
        "channels_what": (
            "银行柜台、手机银行、微信、支付宝和办税窗口的缴费过程。",
            "Paying at the counter, in the bank's app, WeChat, Alipay and at the tax window.",
        ),
        "metadata": ("OAuth 元数据", "OAuth metadata"),
        "metadata_what": (
            "供程序读取的端点、认证方式和权限（RFC 8414）。",
            "Endpoints, authentication methods and scopes, for programs (RFC 8414).",
        ),
        "jwks": ("公钥", "Public keys"),
        "jwks_what": ("验证令牌签名的密钥（RFC 7517）。", "The keys that tokens are signed with (RFC 7517)."),
        "guide": ("文档", "Guide"),
        "guide_what": (
            "从取得令牌到日终对账，一步一步说明（英文）。",
            "From the first token to the day's reconciliation, step by step.",
        ),
        # /graphiql
        "graphiql_title": ("GraphiQL：在浏览器里运行查询", "GraphiQL: run operations in the browser"),
        "graphiql_client": ("以沙箱客户端身份", "As the sandbox's client"),
        "graphiql_token": ("访问令牌", "Access token"),
        "graphiql_token_hint": (
            "粘贴从 /oauth/token 取得的令牌；它不会被保存。",
            "Paste one from /oauth/token; it is not kept.",
        ),
        "graphiql_example": ("示例", "Example"),
        "graphiql_privacy": (
            "输入的内容只留在本页，不存入浏览器。Ctrl-Enter 运行。",
            "What you type stays in this page and is not kept in the browser. Ctrl-Enter runs it.",
        ),
        "graphiql_script": ("GraphiQL 需要 JavaScript。", "GraphiQL needs JavaScript."),
        "graphiql_no_token": ("没有取得令牌", "No token was given"),
        "graphiql_paste_first": ("请先粘贴访问令牌。", "Paste an access token first."),
        "graphiql_no_start": ("GraphiQL 未能启动", "GraphiQL did not start"),
        "graphiql_operation": ("操作", "Operation"),
        "graphiql_variables": ("变量和请求头", "Variables and headers"),
        "graphiql_answer": ("回答", "Answer"),
        "graphiql_licences": ("开源许可", "Licences"),
        # /reference
        "reference_title": ("模式参考", "Schema reference"),
        "search": ("搜索", "Search"),
        "search_hint": ("类型、字段、参数或说明中的词", "Words of a type, field, argument or description"),
        "search_submit": ("搜索", "Search"),
        "search_all": ("显示全部", "Show everything"),
        "found_none": ("没有找到。", "Nothing is found."),
        "found": ("找到的类型：", "Types found: "),
        "throttled": ("搜索太多，请稍后再试。", "Too many searches: wait a little."),
        "contents": ("目录", "Contents"),
        "operation": ("操作", "Operations"),
        "object": ("对象", "Objects"),
        "interface": ("接口", "Interfaces"),
        "union": ("联合", "Unions"),
        "input": ("输入", "Inputs"),
        "enum": ("枚举", "Enums"),
        "scalar": ("标量", "Scalars"),
        "directive": ("指令", "Directives"),
        "implements": ("实现", "Implements"),
        "one_of": ("其中之一", "One of"),
        "arguments": ("参数", "Arguments"),
        "default": ("默认", "default"),
        "deprecated": ("已弃用", "Deprecated"),
        "stands_on": ("可用于", "Stands on"),
        # /reference/problems
        "problems_title": ("问题代码", "Problem codes"),
        "problems_intro": (
            "可以处理的拒绝是数据：HTTP 200，在结果的位置上，带 code 和 nextAction。读不懂的请求是 errors 中的错误。"
            "程序应读取代码；文字供人阅读，可能改动。",
            "A refusal that you can act on is data: HTTP 200, in the place of the result, with code and nextAction. "
            "What cannot be read is an error in errors. Programs read the codes; the messages are for people and may "
            "change.",
        ),
        "refusals": ("问题（Problem）", "Problems"),
        "code": ("代码", "Code"),
        "next_action": ("下一步", "Next action"),
        "message": ("说明", "Message"),
        "type": ("类型", "Type"),
        "next_actions": ("nextAction 的含义", "What each nextAction asks for"),
        "to_do": ("应当怎么做", "What to do"),
        "errors": ("错误（extensions.code）", "Errors (extensions.code)"),
        "when": ("何时", "When"),
    }
)
