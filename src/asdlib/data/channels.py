"""Which channel of a recording with several is used: a number from 0, or the microphone that it belongs to.

In the recordings of 2026, the first channel is that of a microphone near the machine, the second that of one far away.
"""

NEAR, FAR = "near", "far"
_NUMBERS = {NEAR: 0, FAR: 1}
Channel = int | str | None  # None: recordings have one channel, or their channels are averaged


def channel_number(channel: Channel) -> int | None:
    """Return the number of a channel, or None if none is chosen."""
    return _NUMBERS[channel] if isinstance(channel, str) else channel


def missing_channel(channels: int, channel: Channel) -> str | None:
    """Return what is wrong if a recording lacks the chosen channel; the only channel is any but that far away."""
    if channels == 1 and channel == FAR:
        return "has one channel and none of a far microphone: add it, or leave out what reads it"
    if channel is None or channels == 1 or channel_number(channel) < channels:
        return None
    return f"has {channels} channels, the last is {channels - 1}: correct prepare.channel ({channel})"
