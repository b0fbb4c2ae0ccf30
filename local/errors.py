"""What a person reads when a private server cannot be had."""


class ServerError(Exception):
    """A private server cannot be started or stopped; the text says what to do."""
