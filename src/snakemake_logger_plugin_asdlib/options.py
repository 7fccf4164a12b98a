"""The options of Snakemake's parser: what they are called and what words they take."""

from collections.abc import Iterable
from dataclasses import dataclass

# Of `RULE=GROUP` and `GROUP=NUMBER`, which the parser does not say.
_ASSIGNMENTS = {"groups", "group_components"}


@dataclass(frozen=True)
class Option:
    """An option. `nargs` is argparse's: None takes one word, 0 none, `?`, `*` and `+` what they say, a number that.

    `values` describes the words in the help (`NAME=INT`, `TARGET`, `FILE`); `choices` are the only allowed ones.
    """

    names: tuple[str, ...]
    dest: str
    nargs: str | int | None
    values: str
    choices: frozenset[str]

    @property
    def assigns(self) -> bool:
        """Whether every word is of the form NAME=VALUE."""
        return "=" in self.values


def read_options() -> list[Option]:
    """Return the options of Snakemake's parser, which is built for this."""
    from snakemake.cli import get_argument_parser

    return [
        Option(tuple(action.option_strings), action.dest, action.nargs, _values(action), _choices(action.choices))
        for action in get_argument_parser()._actions
        if action.option_strings
    ]


def _values(action) -> str:
    return "NAME=VALUE" if action.dest in _ASSIGNMENTS else str(action.metavar or "")


def _choices(choices: Iterable | None) -> frozenset[str]:
    """Return the choices as they are typed; some are members of an Enum."""
    return frozenset(str(getattr(choice, "value", choice)) for choice in choices or ())


def find(options: Iterable[Option], word: str) -> tuple[Option, str | None] | None:
    """Return the option that a word beginning with a dash means, and the value that is attached to it.

    Like argparse, it understands unique abbreviations, `--name=value`, `-j4`, and several letters after one dash.
    """
    named = {name: option for option in options for name in option.names}
    if word in named:
        return named[word], None
    if word.startswith("--"):
        name, equals, value = word.partition("=")
        meant = [named[name]] if name in named else [named[full] for full in named if full.startswith(name)]
        return (meant[0], value if equals else None) if meant and len({one.dest for one in meant}) == 1 else None
    option, rest = named.get(word[:2]), word[2:]
    if option is None or not rest:
        return None
    return find(options, f"-{rest}") if option.nargs == 0 else (option, rest.removeprefix("="))
