"""The exception whose message is meant for users."""


class AsdError(Exception):
    """Wrong input or a wrong setting.

    The message is one line: it names the file or the config key, says what is wrong with it, and what to do.
    Commands print it without a traceback. Any other exception that reaches the command line is a bug and keeps its
    traceback.
    """
