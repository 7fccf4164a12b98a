"""`asdlib completion`: a script that lets a shell complete the commands, options and systems."""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

HELP = "print a script that completes commands and options in bash, zsh or fish"
SHELLS = ("bash", "zsh", "fish")
_SYSTEMS = ("SYSTEM", "TARGET")  # arguments that can be names of systems

# Names of files never reach `compgen -W`, which would run what is written in them.
BASH = """\
_asdlib() {{
    local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD - 1]}} words= systems= file name
    for file in config/systems/*.yaml; do
        name=${{file##*/}} name=${{name%.yaml}}
        [[ $name =~ ^[A-Za-z0-9_]+$ ]] && systems+=" $name"
    done
    if ((COMP_CWORD == 1)); then
        words="{commands} --version --help"
    else
        case ${{COMP_WORDS[1]}} in
{cases}
        esac
    fi
    COMPREPLY=($(compgen -W "$words" -- "$current"))
}}
complete -o default -F _asdlib asdlib
"""
ZSH = f"autoload -U +X compinit bashcompinit && compinit && bashcompinit\n{BASH}"
FISH = """\
function __asdlib_systems
    for file in config/systems/*.yaml
        string replace -r '^.*/(.*)\\.yaml$' '$1' -- $file
    end
end
complete -c asdlib -n __fish_use_subcommand -l version
{lines}
"""


@dataclass(frozen=True)
class Command:
    """A command: its options, each with its choices, and the words that it takes beside them."""

    name: str
    help: str
    options: dict[str, tuple[str, ...]]
    words: tuple[str, ...]
    systems: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("shell", choices=SHELLS, help="the shell that will read the script")


def run(args: argparse.Namespace) -> None:
    """Print the script."""
    print(script(args.shell, args.parser), end="")


def script(shell: str, parser: argparse.ArgumentParser) -> str:
    """Return the script for the commands of a parser."""
    write: dict[str, Callable[[list[Command]], str]] = {
        "bash": lambda commands: _bash(BASH, commands),
        "zsh": lambda commands: _bash(ZSH, commands),
        "fish": _fish,
    }
    return write[shell](_commands(parser))


def _commands(parser: argparse.ArgumentParser) -> list[Command]:
    (group,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    helps = {action.dest: action.help or "" for action in group._choices_actions}
    return [_command(name, helps[name], sub._actions) for name, sub in group.choices.items()]


def _command(name: str, text: str, actions: list[argparse.Action]) -> Command:
    options = {action.option_strings[-1]: _words(action) for action in actions if action.option_strings}
    others = [action for action in actions if not action.option_strings]
    words = tuple(word for action in others for word in _words(action))
    return Command(name, text, options, words, any(action.metavar in _SYSTEMS for action in actions))


def _words(action: argparse.Action) -> tuple[str, ...]:
    return tuple(map(str, action.choices or ()))


def _bash(template: str, commands: list[Command]) -> str:
    cases = []
    for one in commands:
        words = [*one.options, *one.words, *(["$systems"] if one.systems else [])]
        cases += [f"        {one.name})", f'            words="{" ".join(words)}"']
        for option, choices in one.options.items():
            if choices:
                cases.append(f'            [[ $previous == {option} ]] && words="{" ".join(choices)}"')
        cases.append("            ;;")
    return template.format(commands=" ".join(one.name for one in commands), cases="\n".join(cases))


def _fish(commands: list[Command]) -> str:
    lines = []
    for one in commands:
        lines.append(f'complete -c asdlib -f -n __fish_use_subcommand -a {one.name} -d "{one.help}"')
        start = f"complete -c asdlib -n '__fish_seen_subcommand_from {one.name}'"
        for option, choices in one.options.items():
            values = f" -x -a '{' '.join(choices)}'" if choices else ""
            lines.append(f"{start} -l {option.removeprefix('--')}{values}")
        lines += [f"{start} -f -a '{' '.join(one.words)}'"] if one.words else []
        lines += [f"{start} -a '(__asdlib_systems)'"] if one.systems else []
    return FISH.format(lines="\n".join(lines))
