"""What every field of one operation shares."""

import strawberry

from contributions.plain import record
from resolvers.call import Call


@record
class Context:
    """The call itself, and how its answer is worded."""

    call: Call
    #: The catalogue of messages: "zh_CN" or "en".
    locale: str
    #: Where the gateway is reached from outside, without a slash at the end.
    public_url: str


Info = strawberry.Info[Context, None]
