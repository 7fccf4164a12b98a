"""Put the targets of a Snakemake command line first, where no option takes them for its values."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from snakemake_logger_plugin_asdlib.options import Option, find
from snakemake_logger_plugin_asdlib.targets import Workflow, workflow_of
from snakemake_logger_plugin_asdlib.values import check, is_swallowed

_NUMBER = re.compile(r"-\d+$|-\d*\.\d+$")
_END = "--"  # all words behind it are targets


@dataclass
class Group:
    """An option as it is written, and the words that argparse would give to it; without an option, targets."""

    option: Option | None = None
    written: list[str] = field(default_factory=list)
    attached: str | None = None
    words: list[str] = field(default_factory=list)


def in_order(words: Sequence[str], options: Iterable[Option]) -> list[str]:
    """Return the words of a command line with the targets first; unchanged if it needs no other order.

    Raises WrongWordError for a word that is neither a target nor a value that its option can have. Command lines of
    other workflows, and with options that are not known, are unchanged.
    """
    end = words.index(_END) if _END in words else len(words)
    groups = list(_groups(words[:end], options))
    workflow = _called(groups)
    if workflow is None:
        return list(words)
    moved = _moved(groups, workflow, list(words[end + 1 :]))
    for group in groups:
        if group.option:
            given = [] if group.attached is None else [group.attached]
            check(group.option, [*given, *_kept(group, moved)], workflow)
    placed = [group for group in groups if not group.option and group.words]
    if not any(moved.values()) and len(placed) < 2:
        return list(words)
    targets = [word for group in groups for word in (moved[id(group)] if group.option else group.words)]
    rest = [word for group in groups if group.option for word in (*group.written, *_kept(group, moved))]
    return [*rest, _END, *targets, *words[end + 1 :]] if _END in words else [*targets, *rest]


def is_asdlib(words: Sequence[str], options: Iterable[Option]) -> bool:
    """Return whether a command line is one of this workflow, and has no option that is not known."""
    end = words.index(_END) if _END in words else len(words)
    return _called(list(_groups(words[:end], options))) is not None


def _called(groups: Sequence[Group]) -> Workflow | None:
    known = all(group.option or not group.written for group in groups)
    return workflow_of(_snakefile(groups)) if known else None


def _groups(words: Sequence[str], options: Iterable[Option]) -> Iterator[Group]:
    """Divide words as argparse would: into options with their values, and targets."""
    group = Group()
    for word in words:
        if word.startswith("-") and word != "-" and " " not in word and not _NUMBER.match(word):
            yield group
            option, attached = find(options, word) or (None, None)
            group = Group(option, [word], attached)
        elif group.option and not _takes_more(group):
            yield group
            group = Group(words=[word])
        else:
            group.words.append(word)
    yield group


def _takes_more(group: Group) -> bool:
    if group.attached is not None:
        return False
    most = {None: 1, "?": 1}.get(group.option.nargs, group.option.nargs)
    return not isinstance(most, int) or len(group.words) < most


def _snakefile(groups: Iterable[Group]) -> str | None:
    given = [group for group in groups if group.option and group.option.dest == "snakefile"]
    return given[-1].attached or " ".join(given[-1].words) if given else None


def _moved(groups: Sequence[Group], workflow: Workflow, last: list[str]) -> dict[int, list[str]]:
    """Return, for each group, the words that are targets and no values of its option.

    Targets can be the values of --until, --forcerun, … (TARGET). There, only files that follow names of rules are
    moved, and only if the call has no other target: `--until download results/baseline/scores.csv`.
    """
    moved = {id(group): [] for group in groups}
    for group in groups:
        if group.option and group.option.values != "TARGET":
            moved[id(group)] = [word for word in group.words if is_swallowed(group.option, word, workflow)]
    if last or any(moved.values()) or any(not group.option and group.words for group in groups):
        return moved
    for group in groups:
        if group.option and group.option.values == "TARGET":
            rules = next((i for i, word in enumerate(group.words) if word not in workflow.rules), len(group.words))
            files = group.words[rules:]
            moved[id(group)] = files if rules and all(map(workflow.makes, files)) else []
    return moved


def _kept(group: Group, moved: dict[int, list[str]]) -> list[str]:
    return [word for word in group.words if word not in moved[id(group)]]
