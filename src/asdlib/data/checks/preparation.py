"""What `prepare` will do with recordings whose rate, channels or length are not those of the clips."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from asdlib.data.channels import missing_channel
from asdlib.data.checks.problem import ERROR, NOTE, WARNING, Problem, pasted
from asdlib.data.checks.sounds import Sound
from asdlib.data.clip_format import CUT, REFUSE, SPLIT, ClipFormat, prepared_samples
from asdlib.data.pieces import MISLEADING, recording_of
from asdlib.data.recordings import form_problems
from asdlib.errors import and_more


def preparation(machine: str, sounds: Sequence[Sound], wanted: ClipFormat) -> Iterator[Problem]:
    """Yield lines about the form and the lengths of a machine's recordings."""
    yield from forms(machine, sounds, wanted)
    yield from _lengths(machine, sounds, wanted)


def span(values: Sequence[float]) -> str:
    """Return the smallest and the largest value, or one of them if they look alike."""
    low, high = (f"{value:.4g}" for value in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def forms(machine: str, sounds: Sequence[Sound], wanted: ClipFormat) -> Iterator[Problem]:
    """Yield lines about rates and channels."""
    for problem, found in _alike(sounds, lambda one: missing_channel(one.channels, wanted.channel)).items():
        yield Problem(ERROR, f"{found[0].path}: {problem}{and_more(found)}")
    allowed = (wanted.sample_rate, wanted.resample, wanted.downmix, wanted.channel)
    refused = {one: form_problems(one.channels, one.rate, *allowed)[1] for one in sounds}
    wrong = [one for one in sounds if refused[one]]
    usual = f"mono at {wanted.sample_rate} Hz"
    if wrong:
        settings = tuple(sorted({remedy for one in wrong for remedy in refused[one]}))
        who = "no recording is" if len(wrong) == len(sounds) else f"{_of(wrong, sounds)} not"
        other = ", or channel: 0 in place of downmix" if "downmix: true" in settings else ""
        line = f"{machine}: {who} {usual} ({_counted(wrong)}): convert them, or set {pasted(settings)}{other}"
        yield Problem(ERROR, line, settings)
        return
    converted = [one for one in sounds if (one.channels, one.rate) != (1, wanted.sample_rate)]
    if converted:
        yield Problem(NOTE, f"{machine}: {_of(converted, sounds)} converted to {usual} ({_counted(converted)})")
    if len({(one.channels, one.rate) for one in sounds}) > 1:
        what = f"rates or channels differ ({_counted(sounds)})"
        yield Problem(WARNING, f"{machine}: {what}: a detector may learn the recorder: record all clips alike")


def _lengths(machine: str, sounds: Sequence[Sound], wanted: ClipFormat) -> Iterator[Problem]:
    length = {one: prepared_samples(one.samples, one.rate, wanted) for one in sounds}
    least = wanted.shortest / wanted.sample_rate
    useless = [one for one in sounds if one.clip.split != "supplemental" and length[one] < wanted.shortest]
    if useless:
        first = useless[0]
        what = f"lasts {first.seconds:.3g} s, a clip needs {least:.3g} s{and_more(useless)}"
        yield Problem(ERROR, f"{first.path}: {what}: replace or remove it")
    shorter = [one for one in sounds if length[one] < wanted.samples and one not in useless]
    if shorter:
        seconds = span([one.seconds for one in shorter])
        what = f"{_of(shorter, sounds)} shorter than {wanted.seconds:g} s ({seconds} s) and padded"
        all_alike = len(shorter) == len(sounds) and " " not in seconds
        instead = f", or set {pasted([f'seconds: {seconds}'])}" if all_alike else ""
        remedy = f"padding is neither trained on nor scored{instead}"
        yield Problem(NOTE, f"{machine}: {what}: {remedy}")
    longer = [one for one in sounds if length[one] > wanted.samples]
    whole = [one for one in sounds if length[one] <= wanted.samples] if wanted.longer == SPLIT else []
    misnamed = [one for one in whole if recording_of(one.clip.source_file) != one.clip.source_file]
    if misnamed:
        yield Problem(ERROR, f"{misnamed[0].path}: {MISLEADING}{and_more(misnamed)}: rename it")
    if longer:
        yield _longer(machine, longer, sounds, wanted)


def _longer(machine: str, longer: Sequence[Sound], sounds: Sequence[Sound], wanted: ClipFormat) -> Problem:
    seconds = span([one.seconds for one in longer])
    what = f"{_of(longer, sounds)} longer than {wanted.seconds:g} s ({seconds} s)"
    if wanted.longer == REFUSE:
        return Problem(ERROR, f"{machine}: {what}: set prepare: {{longer: split}} or {{longer: cut}}, or seconds")
    if wanted.longer == SPLIT:
        clips = sum(one.made(wanted) for one in longer)
        return Problem(NOTE, f"{machine}: {what}: split into {clips} clips of {wanted.seconds:g} s")
    assert wanted.longer == CUT
    lost = sum(one.seconds - wanted.seconds for one in longer) / sum(one.seconds for one in sounds)
    what = f"{what}, and {100 * lost:.3g} % of all sound is cut off"
    settings = (f"longer: {SPLIT}",)
    return Problem(WARNING, f"{machine}: {what}: set {pasted(settings)}, or seconds", settings)


def _of(some: Sequence[Sound], sounds: Sequence[Sound]) -> str:
    if len(some) == len(sounds):
        return "all recordings are" if len(sounds) > 1 else "the only recording is"
    return f"{len(some)} of {len(sounds)} recordings {'is' if len(some) == 1 else 'are'}"


def _counted(sounds: Sequence[Sound]) -> str:
    """Return how many recordings have which channels and rate."""
    found = Counter((one.channels, one.rate) for one in sounds).most_common()
    return ", ".join(
        f"{number} with {channels} channel{'s' if channels > 1 else ''} at {rate} Hz"
        for (channels, rate), number in found
    )


def _alike(sounds: Sequence[Sound], key: Callable[[Sound], str | None]) -> dict[str, list[Sound]]:
    groups: dict[str, list[Sound]] = {}
    for sound in sounds:
        if said := key(sound):
            groups.setdefault(said, []).append(sound)
    return groups
