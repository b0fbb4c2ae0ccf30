"""
Bulk operations of the GraphQL API: a query run over everything, its rows in a file behind a signed link.

Confirmed: at most five connections, two levels of nesting, five operations at once; children as lines of
their own with `__parentId`, after their parent with groupObjects; statuses; userErrors.
Unconfirmed [M]: the words of the errors; no url where nothing was found; lists must not hold connections.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

import msgspec

from sandbox.graphql_text import BadQuery, Field, Fragment, Operation
from sandbox.messages import Answer, BadRequest, Request
from sandbox.reporting import PATH, DeskRules, ReportDesk
from sandbox.shopify_objects import Connection, Node, gid

FILES = "/shopify/files/"
#: From the start of an operation until its file is ready; real ones take minutes.
SECONDS = 0.5
MOST_CONNECTIONS, MOST_DEEP = 5, 2
STATUSES = {"running": "RUNNING", "ready": "COMPLETED", "failed": "FAILED", "expired": "EXPIRED"}

Project = Callable[[tuple[Field | Fragment, ...], Node], dict[str, Any]]


class Exports:
    """The bulk operations of one shop."""

    def __init__(self, *, clock: Callable[[], float]) -> None:
        self.desk = ReportDesk(DeskRules(seconds=SECONDS, link_seconds=7 * 86_400.0), clock=clock)
        self._roots: dict[str, int] = {}
        self._lines: dict[str, int] = {}

    def start(self, lines: list[bytes], *, roots: int) -> Node:
        """Return the payload of bulkOperationRunQuery."""
        try:
            report = self.desk.start(
                b"".join(line + b"\n" for line in lines), content_type="application/jsonl"
            )
        except BadRequest:
            text = "A bulk query operation for this app and shop is already in progress: wait for it to end."
            return self.refusal(text)
        self._roots[report], self._lines[report] = roots, len(lines)
        operation = Node("BulkOperation", report, status="CREATED")
        return Node("BulkOperationRunQueryPayload", bulkOperation=operation, userErrors=[])

    def refusal(self, text: str) -> Node:
        error = Node("BulkOperationUserError", field=["query"], message=text)
        return Node("BulkOperationRunQueryPayload", bulkOperation=None, userErrors=[error])

    def operation(self, number: str, *, origin: str) -> Node | None:
        """Return how an operation stands; None if there is none."""
        try:
            status = STATUSES[self.desk.state(number)]
        except BadRequest:
            return None
        is_done = status == "COMPLETED"
        link = self.desk.link(number, origin=origin).replace(PATH, FILES, 1) if is_done else None
        return Node(
            "BulkOperation",
            number,
            status=status,
            errorCode="INTERNAL_SERVER_ERROR" if status == "FAILED" else None,
            objectCount=str(self._lines[number]),
            rootObjectCount=str(self._roots[number]),
            fileSize=None,
            url=link if self._lines[number] else None,
            partialDataUrl=None,
            completedAt=None,
        )

    def file(self, request: Request) -> Answer:
        """Serve a file behind a link."""
        if "x-shopify-access-token" in request.headers:
            return Answer(status=400, body=b"<Error><Code>InvalidArgument</Code></Error>")
        return self.desk.file(replace(request, path=PATH + request.path.removeprefix(FILES)))


def checked_root(operation: Operation) -> Field:
    """Return the one list a bulk query is about. :raises BadQuery: if it may not be run"""
    [root, *more] = operation.fields
    if operation.kind != "query" or more or not isinstance(root, Field):
        raise BadQuery("Bulk queries must contain exactly one top-level connection.")
    depths = list(_connections(root, 0))
    if not depths:
        raise BadQuery("Bulk queries must contain at least one connection.")
    if len(depths) > MOST_CONNECTIONS:
        raise BadQuery(f"Bulk queries cannot contain more than {MOST_CONNECTIONS} connections.")
    if max(depths) > MOST_DEEP:
        raise BadQuery(
            f"Bulk queries cannot contain connections with a nesting depth greater than {MOST_DEEP}."
        )
    return root


def _connections(field: Field | Fragment, depth: int) -> Iterator[int]:
    """Yield how deep each connection lies."""
    inside = field.inside or ()
    is_connection = any(isinstance(one, Field) and one.name == "edges" for one in inside)
    if is_connection:
        yield depth
    for one in inside:
        yield from _connections(one, depth + is_connection)


def written(nodes: Iterable[Node], root: Field, project: Project) -> Iterator[bytes]:
    """Yield the lines of a file, children behind their parents."""
    wanted = _node_fields(root)
    for node in nodes:
        yield from _family(node, wanted, project)


def _family(
    node: Node, wanted: tuple[Field | Fragment, ...], project: Project, *, parent: Node | None = None
) -> Iterator[bytes]:
    own = tuple(one for one in wanted if not isinstance(_value(node, one), Connection))
    line = project(own, node)
    if parent is not None:
        line["__parentId"] = parent["id"]
    yield msgspec.json.encode(line)
    for one in wanted:
        children = _value(node, one)
        if isinstance(one, Field) and isinstance(children, Connection):
            for child in children:
                yield from _family(child, _node_fields(one), project, parent=node)


def _value(node: Node, field: Field | Fragment) -> Any:
    return node.get(field.name) if isinstance(field, Field) else None


def _node_fields(connection: Field) -> tuple[Field | Fragment, ...]:
    """Return what is wanted of each object: edges { node { ... } }."""
    for edges in connection.inside or ():
        if isinstance(edges, Field) and edges.name == "edges":
            for node in edges.inside or ():
                if isinstance(node, Field) and node.name == "node" and node.inside:
                    return node.inside
    raise BadQuery("Bulk queries must ask for edges { node { ... } } of their connections.")


def number_in(text: str, kind: str) -> str:
    """Return the number of a global id of that kind; "" of any other."""
    start = gid(kind, "")
    return text.removeprefix(start) if text.startswith(start) else ""
