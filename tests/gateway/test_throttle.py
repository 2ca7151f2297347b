"""Throttles: so many at once, as many again in a minute, for each key."""

import pytest

from gateway import throttle
from gateway.throttle import Throttle, Throttled


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def taken(of: Throttle, key: str, tries: int) -> int:
    count = 0
    for _ in range(tries):
        try:
            of.take(key)
        except Throttled:
            continue
        count += 1
    return count


@pytest.mark.parametrize("per_minute", [1, 7, 10, 60])
def test_a_minutes_worth_may_come_at_once_and_the_next_comes_evenly(per_minute: int) -> None:
    clock = Clock()
    allowing = Throttle(per_minute, clock=clock)
    assert taken(allowing, "a", per_minute + 5) == per_minute
    clock.now += 60 / per_minute
    assert taken(allowing, "a", 5) == 1
    clock.now += 60
    assert taken(allowing, "a", per_minute + 5) == per_minute
    assert taken(allowing, "b", 1) == 1


def test_who_is_throttled_is_told_when_to_come_again() -> None:
    clock = Clock()
    allowing = Throttle(6, clock=clock)
    assert taken(allowing, "a", 6) == 6
    clock.now += 1.5
    with pytest.raises(Throttled) as refused:
        allowing.take("a")
    assert refused.value.retry_after_seconds == 9
    clock.now += 9
    assert taken(allowing, "a", 2) == 1


def test_what_is_given_back_was_not_counted() -> None:
    allowing = Throttle(3, clock=Clock())
    for _ in range(10):
        allowing.take("a")
        allowing.give_back("a")
    assert taken(allowing, "a", 5) == 3
    allowing.give_back("unknown")


def test_the_keys_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttle, "MAX_KEYS", 3)
    allowing = Throttle(1, clock=Clock())
    for key in "abcd":
        allowing.take(key)
    assert [taken(allowing, key, 1) for key in "dcb"] == [0, 0, 0]
    # The least used one was forgotten.
    assert taken(allowing, "a", 1) == 1
