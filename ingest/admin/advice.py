"""What a person can do about a failed job, by its error type; the error itself says what happened."""

from __future__ import annotations

_ADVICE = {
    "authentication": "Test connection on the page of the source says what is wrong. Connect the account "
    "again, or give credentials that the provider accepts, then sync again.",
    "configuration": "Change the setting named in the error on the source's page, then sync again.",
    "network": "Check that the provider is up and reachable from here, then sync again. It goes on by itself "
    "while attempts are left.",
    "rate_limit": "Nothing: the run waits as long as the provider asked and goes on by itself.",
    "parsing": "The provider answers other than documented. The error says where: if the "
    "trouble is passing, sync again, else the connector has to learn the new form.",
    "pagination": "Report the loop to the provider, or set another paging kind on the source's page.",
    "cursor_expired": "Nothing: the run starts its window over. If it happens again, enlarge the page size.",
    "not_asked": "Nothing: the run goes on by itself in some seconds.",
    "not_ready": "Nothing: the provider is making a report, and the run goes on when it is there.",
    "deletions_held": "Look at the provider: if the objects are really gone, press Accept deletions on the "
    "page of the run, else mend what the source may read and run a full refresh.",
    "incomplete": "Run a full refresh. If that falls short too, check filters and rights at the provider.",
    "crash": "Look at the log of the worker named as holder, then sync again.",
}
_OTHERWISE = "Look at the worker's log around the time it ended, then sync again."


def what_to_do(error_type: str) -> str:
    return _ADVICE.get(error_type, _OTHERWISE) if error_type else ""
