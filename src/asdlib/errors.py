"""The one exception a user is meant to read."""


class AsdError(Exception):
    """Wrong input or a wrong setting.

    The message is one line: it names the file or the config key, says what is wrong with it, and what to do.
    Commands print it without a traceback; anything else that escapes is a bug of ours and keeps its traceback.
    """
