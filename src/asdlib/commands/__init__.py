"""The commands of `asdlib`, one module each: `HELP`, `add_arguments(parser)` and `run(args)`.

Modules import nothing heavy before `run`, so that `asdlib --help` answers at once.
"""
