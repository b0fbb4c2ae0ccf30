"""What the web says while PostgreSQL is away: 503, a plain page and one line in the log."""

from __future__ import annotations

import logging
import sys

import psycopg2
from django.http import HttpRequest, HttpResponse
from django.views.defaults import server_error

RETRY_SECONDS = 5
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>The database is away</title>
<h1>The database is away</h1>
<p>PostgreSQL cannot be reached just now. What was saved is safe; syncs go on once it is back.</p>
<p>Wait a few seconds and load this page again. If it stays away, look at PostgreSQL and at DATABASE_URL.</p>
</html>
"""


# Not a middleware: Django turns errors into answers around each of those, so that one outside of all the
# others would see nothing of what their own queries meet.
def server_failed(request: HttpRequest) -> HttpResponse:
    """Answer a request that ended in an exception."""
    if is_away(sys.exc_info()[1]):
        return HttpResponse(PAGE, status=503, headers={"Retry-After": str(RETRY_SECONDS)})
    return server_error(request)


def is_away(error: BaseException | None) -> bool:
    """Tell whether PostgreSQL was out of reach, let nobody in or hung up; a refused statement is not that."""
    cause = error and error.__cause__
    if isinstance(cause, psycopg2.InterfaceError):
        return "connection already closed" in str(cause)
    # Without an SQLSTATE it is the client library's own word. A link that broke while an answer was read
    # comes as the base class.
    if isinstance(cause, psycopg2.OperationalError) or type(cause) is psycopg2.DatabaseError:
        return cause.pgcode is None or cause.pgcode.startswith("57P")
    return False


class OneLine(logging.Filter):
    """Leaves of an outage its reason: a traceback per request would bury what else happens."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info and record.exc_info[1]
        if is_away(error or None):
            record.reason = " ".join(str(error).split())
            record.exc_info = None
        return True
