"""When a download is tried again: the policy, and the config's block `download` that sets it."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

CHUNK = 1 << 18  # bytes
_DICE = random.Random()  # a separate generator, so that no seeded result depends on the network


@dataclass(frozen=True)
class Retry:
    """The policy for retries: give up after `attempts` failures in a row without a new `CHUNK` of bytes.

    The n-th wait is base·2ⁿ⁻¹ seconds, times a random factor from 0.5 to 1.5. A longer Retry-After of the server is
    respected. No wait exceeds `longest` seconds. `timeout`, in seconds, applies to connecting and to each read. A
    connection fails if fewer than `slowest` bytes a second arrive over `window` seconds.
    """

    attempts: int = 8
    base: float = 1.0
    longest: float = 300.0
    timeout: float = 60.0
    slowest: float = 1024.0
    window: float = 60.0
    sleep: Callable[[float], None] = time.sleep

    def wait(self, failures: int, asked: float) -> None:
        """Wait after the given number of failures; `asked` is the server's Retry-After in seconds, or 0."""
        delay = self.base * 2 ** (failures - 1) * _DICE.uniform(0.5, 1.5)
        self.sleep(min(max(delay, asked), self.longest))


class TryAgainError(Exception):
    """Raised for a failure that may be temporary; `after` is the server's Retry-After in seconds."""

    def __init__(self, reason: str, after: float = 0.0):
        super().__init__(reason)
        self.after = after


@dataclass(frozen=True)
class Network:
    """The config's block `download`: base addresses, and settings for retries."""

    zenodo: str
    github: str
    hub: str
    attempts: int
    backoff: float  # s, doubled at every attempt
    timeout: float  # s without a byte, and the time over which the least rate is measured
    parallel: int  # archives of one machine at a time

    @property
    def retry(self) -> Retry:
        """The policy for retries."""
        return Retry(self.attempts, self.backoff, timeout=self.timeout, window=self.timeout)
