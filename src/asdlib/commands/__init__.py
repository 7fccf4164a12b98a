"""The commands of `asdlib`, one module each: `HELP`, `add_arguments(parser)` and `run(args)`.

Modules import nothing slow before `run` is called, so that `asdlib --help` answers at once.
"""
