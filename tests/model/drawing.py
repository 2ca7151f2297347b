"""What is drawn for a step: who, where, on which day, which months, and what is wrong about it."""

from decimal import Decimal

from hypothesis import strategies as st

from tests.model.gateways import DAYS, PEOPLE

INSTITUTIONS = {"abc-counter": "ABC", "abc-mobile": "ABC", "tax-window": "TAX"}
CHANNELS = {"abc-counter": "COUNTER", "abc-mobile": "MOBILE_BANKING", "tax-window": "TAX_WINDOW"}
COUNTERS = {"ABC": "abc-counter", "TAX": "tax-window"}
AGENCIES = {"social-insurance-agency": "PENSION", "medical-insurance-agency": "MEDICAL"}
REFUNDERS = {"social-insurance-refunds": "PENSION", "medical-insurance-refunds": "MEDICAL"}
REASON = "付错了"
#: Where a run of months begins (None: in what is owed, so many months on), and how long it is at the most.
Run = tuple[str | None, int, int]

# Most runs lie inside what is owed; the others are the first months of these lists, some over the year's end.
ANYWHERE = ("2017-12", "2018-02", "2018-12", "2019-11", "2020-01", "2020-12", "2021-01")
RUNS = st.tuples(
    st.sampled_from((None,) * 20 + ANYWHERE), st.sampled_from((0, 0, 0, 1, 2, 11)), st.sampled_from((1, 1, 2, 3, 12))
)
TELLERS = st.sampled_from(tuple(INSTITUTIONS))
TODAY = st.sampled_from((*DAYS[:1], *DAYS))
SOMEBODY = st.sampled_from(range(len(PEOPLE)))
PICK = st.integers(0, 15)
PENSIONS = st.sampled_from((("2018-01", None), ("2017-11", None), ("2019-11", "2020-12"), ("2019-02", "2020-08"), ()))
ELSEWHERE = st.sampled_from(((), ("2019-12", "2020-01"), ("2018-02", "2018-02"), ("2018-01", "2019-12")))
WRONG_BY = st.sampled_from(("0", "0", "0", "0", "0.01", "1", "-0.01"))
REFERENCES = st.sampled_from(("new", "new", "new", "new", "used", "theirs"))
COLLECTED_AT = st.sampled_from(("2020-11-16T09:30:00+08:00", "2020-11-16T01:30:00Z", "2020-11-16T09:30:01+08:00"))
BILLS = st.lists(
    st.fixed_dictionaries(
        {
            "somebody": st.sampled_from((0, 0, 0, 1, 1, 1, None)),
            "run": RUNS,
            "amount": st.sampled_from((Decimal("605.00"), Decimal("0.01"), Decimal("5712.00"))),
            "pay_by": st.sampled_from((None, None, "2020-11-15", "2020-11-16", "2020-12-31")),
            "number": st.sampled_from(("new", "new", "new", "new", "used")),
            "own": st.sampled_from((True,) * 9 + (False,)),
        }
    ),
    min_size=1,
    max_size=2,
)
