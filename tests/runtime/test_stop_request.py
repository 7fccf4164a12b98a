"""Stops between two pieces of work."""

import os
import signal
import threading
import time

import pytest

from asdlib.runtime.stop_request import SIGNALS, StopRequest


@pytest.mark.parametrize("number", SIGNALS)
def test_the_first_signal_is_noted_and_the_second_has_its_usual_effect(number: int) -> None:
    ended = []
    before = signal.signal(number, lambda *_: ended.append(number))
    try:
        with StopRequest() as stop:
            assert not stop.wait(0)
            os.kill(os.getpid(), number)
            assert stop.wait(0)
            assert stop.wait(0), "it stays noted"
            assert not ended
            os.kill(os.getpid(), number)
            assert ended == [number]
        os.kill(os.getpid(), number)
        assert ended == [number, number]
    finally:
        signal.signal(number, before)


def test_a_signal_ends_the_wait_at_once() -> None:
    with StopRequest() as stop:
        threading.Timer(0.05, os.kill, (os.getpid(), signal.SIGTERM)).start()
        began = time.monotonic()
        assert stop.wait(20)
        assert time.monotonic() - began < 10


def test_an_ignored_signal_stays_ignored() -> None:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with StopRequest() as stop:
            os.kill(os.getpid(), signal.SIGINT)
            assert not stop.wait(0)
    finally:
        signal.signal(signal.SIGINT, before)
