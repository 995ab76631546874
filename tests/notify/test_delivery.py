"""Tries and their bounds: how often, how long, and what is recorded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from batchfish.core.notifications import Channel, Target
from batchfish.notify.delivery import TRIES, TRY_WITHIN, WITHIN, Delivery, deliver
from batchfish.notify.targets import Message, NotSent

if TYPE_CHECKING:
    from collections.abc import Sequence


Calls = list[tuple[str, int]]


@dataclass
class Log:
    """Records the calls."""

    calls: Calls = field(default_factory=list)

    def begin_try(self, pk: int) -> None:
        self.calls.append(("try", pk))

    def record_sent(self, pk: int, now: float) -> None:
        self.calls.append(("sent", pk))

    def record_failure(self, pk: int, error: str) -> None:
        self.calls.append((error, pk))


@dataclass
class Clock:
    """A clock that only waits move."""

    time: float = 0.0

    def now(self) -> float:
        return 1_000.0 + self.time

    def boottime(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class Network:
    """Sends: each target fails with the errors that are left for it, each after this many seconds."""

    clock: Clock
    errors: dict[str, list[NotSent]] = field(default_factory=dict)
    takes: float = 0.0
    sent: list[str] = field(default_factory=list)
    allowed: list[float] = field(default_factory=list)

    async def send(self, target: Target, message: Message, within: float) -> None:
        self.allowed.append(within)
        self.clock.time += min(self.takes, within)
        if self.takes > within:
            raise NotSent("no answer")
        if left := self.errors.get(target.name):
            raise left.pop(0)
        self.sent.append(message.key)


def delivery(pk: int, variable: str = "HOOK") -> Delivery:
    target = Target(channel=Channel.WEBHOOK, variable=variable)
    message = Message(key=f"key-{pk}", batch="shop", event="finished", subject="", text="", body="{}")
    return Delivery(pk=pk, target=target, message=message)


async def run(
    network: Network, deliveries: Sequence[Delivery]
) -> tuple[list[str | None], list[tuple[str, int]]]:
    """Return the error of each result, and what was recorded."""
    log = Log()
    results = await deliver(deliveries, network.send, log, network.clock)
    return [result.error for result in results], log.calls


async def test_what_is_sent_is_recorded_after_its_try() -> None:
    errors, calls = await run(Network(Clock()), [delivery(1)])
    assert errors == [None]
    assert calls == [("try", 1), ("sent", 1)]


async def test_a_failure_is_tried_again_after_a_wait_that_doubles() -> None:
    clock = Clock()
    network = Network(clock, {"webhook $HOOK": [NotSent("busy"), NotSent("busy")]})
    errors, calls = await run(network, [delivery(1)])
    assert errors == [None]
    assert calls == [("try", 1), ("busy", 1), ("try", 1), ("busy", 1), ("try", 1), ("sent", 1)]
    assert clock.time == 3.0


async def test_after_three_tries_it_is_left_to_the_next_process() -> None:
    network = Network(Clock(), {"webhook $HOOK": [NotSent("busy")] * 9})
    errors, calls = await run(network, [delivery(1), delivery(2)])
    assert errors == ["busy"]
    assert calls == [("try", 1), ("busy", 1)] * TRIES, "nor is another one sent to a target that fails"
    assert network.sent == []


async def test_a_lasting_failure_is_tried_once() -> None:
    network = Network(Clock(), {"webhook $HOOK": [NotSent("gone", is_lasting=True)]})
    errors, calls = await run(network, [delivery(1)])
    assert errors == ["gone"]
    assert calls == [("try", 1), ("gone", 1)]


async def test_one_target_that_fails_keeps_nothing_from_another() -> None:
    network = Network(Clock(), {"webhook $DOWN": [NotSent("busy")] * 3})
    errors, _ = await run(network, [delivery(1, "DOWN"), delivery(2), delivery(3)])
    assert errors == ["busy", None, None]
    assert network.sent == ["key-2", "key-3"]


async def test_all_tries_together_take_bounded_time() -> None:
    clock = Clock()
    network = Network(clock, takes=60.0)
    errors, _ = await run(network, [delivery(1)])
    assert errors == ["no answer"]
    assert clock.time <= WITHIN
    assert network.allowed == [TRY_WITHIN, TRY_WITHIN, WITHIN - 2 * TRY_WITHIN - 3.0]


async def test_what_there_is_no_time_for_is_not_tried() -> None:
    network = Network(Clock(), takes=TRY_WITHIN)
    errors, calls = await run(network, [delivery(pk) for pk in range(1, 6)])
    assert errors == [None, None, None]
    assert ("try", 4) not in calls
