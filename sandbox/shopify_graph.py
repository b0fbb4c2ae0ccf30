"""
Shopify's Admin GraphQL API: lists by page, single objects, bulk operations; unknown fields are refused.

Confirmed: POST graphql.json; first of 1 to 250, after, pageInfo; 25,000 objects to page through; errors with
extensions.code and status 200, a throttled answer without data; extensions.cost.throttleStatus.
Unconfirmed [M]: names of most fields; sortKey and the search syntax of `query`; costs (`shopify_cost`);
texts. Lists come oldest update first whatever is asked for. Rows that no server could write as JSON are
left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from sandbox import shopify_cost
from sandbox.dataset import Dataset
from sandbox.graphql_text import BadQuery, Field, Fragment, Operation, filled, parse
from sandbox.listing import turn
from sandbox.messages import Answer, Request, json_answer, served_rows
from sandbox.shopify_arguments import Refused, check_variables, first_of, place_of, undefined
from sandbox.shopify_bulk import Exports, checked_root, number_in, written
from sandbox.shopify_doors import VERSION, Bucket, Keys, refused
from sandbox.shopify_ids import LOCATION_IDS, ORDER_IDS, PRODUCT_IDS, STRIDE
from sandbox.shopify_nodes import node_of
from sandbox.shopify_objects import Connection, Node
from sandbox.shopify_stock import level_of

#: The bucket of GraphQL points, and how many of them drain with each of REST's calls.
POINTS, POINTS_PER_CALL = 2_000.0, 50.0
DEEPEST = 25_000
#: Each list's dataset, and the scope it needs.
LISTS = {
    "customers": ("customers", "read_customers"),
    "products": ("products", "read_products"),
    "orders": ("orders", "read_orders"),
    "inventoryItems": ("inventory_items", "read_inventory"),
    "locations": ("locations", "read_locations"),
}
ACCOUNT = {
    "payouts": ("payouts", "read_shopify_payments_payouts"),
    "balanceTransactions": ("balance_transactions", "read_shopify_payments_payouts"),
    "disputes": ("disputes", "read_shopify_payments_disputes"),
}
Selection = tuple[Field | Fragment, ...]


class GraphApi:
    """One shop's GraphQL."""

    def __init__(
        self, datasets: Mapping[str, Dataset], *, keys: Keys, leak_rate: float, clock: Callable[[], float]
    ) -> None:
        self._datasets = datasets
        self.keys = keys
        self._bucket = Bucket(leak_rate=leak_rate * POINTS_PER_CALL, clock=clock, size=POINTS)
        self.exports = Exports(clock=clock)

    def answer(self, request: Request) -> Answer:
        scopes = self.keys.scopes(request)
        if scopes is None:
            return refused()
        try:
            asked = msgspec.json.decode(request.body, type=dict[str, Any])
            operation = parse(asked["query"])
            variables = asked.get("variables") or {}
            check_variables(operation, variables)
        except (msgspec.DecodeError, KeyError, TypeError):
            return json_answer({"errors": "Required parameter missing or invalid"}, status=400)
        except BadQuery as error:
            return json_answer({"errors": [{"message": str(error)}]})
        return self._paid(operation, _Run(self, request, variables, frozenset(scopes)))

    def _paid(self, operation: Operation, run: _Run) -> Answer:
        cost = shopify_cost.requested(operation.fields, run.variables)
        if cost > shopify_cost.MOST:
            text = (
                f"Query cost is {cost}, which exceeds the single query max cost limit ({shopify_cost.MOST})."
            )
            extensions = {"code": "MAX_COST_EXCEEDED", "cost": cost, "maxCost": shopify_cost.MOST}
            return json_answer({"errors": [{"message": text, "extensions": extensions}]})
        if self._bucket.take(cost) is None:
            error = {"message": "Throttled", "extensions": {"code": "THROTTLED"}}
            return json_answer({"errors": [error], "extensions": self._cost(cost, None, 0)})
        body: dict[str, Any] = {}
        try:
            body["data"] = run.root(operation)
        except Refused as error:
            body["errors"] = [{"message": str(error), "extensions": error.extensions}]
            body["data"] = None
        spent = min(max(shopify_cost.actual(body["data"]) - 1, 1), cost) if cost else 0
        body["extensions"] = self._cost(cost, spent, cost - spent)
        answer = json_answer(body, headers={"X-Shopify-API-Version": VERSION})
        answer.served = run.served
        return answer

    def _cost(self, cost: int, spent: int | None, unused: int) -> dict[str, Any]:
        status = {
            "maximumAvailable": self._bucket.size,
            "currentlyAvailable": int(self._bucket.give_back(unused)),
            "restoreRate": self._bucket.leak_rate,
        }
        return {"cost": {"requestedQueryCost": cost, "actualQueryCost": spent, "throttleStatus": status}}

    def dataset(self, name: str) -> Dataset:
        return self._datasets[name]


class _Run:
    """One operation under way."""

    def __init__(
        self, api: GraphApi, request: Request, variables: Mapping[str, Any], scopes: frozenset[str]
    ) -> None:
        self.variables = variables
        self.served: Any = None
        self._api = api
        self._request = request
        self._scopes = scopes

    def root(self, operation: Operation) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for one in operation.fields:
            if not isinstance(one, Field):
                raise Refused("Fragments cannot stand at the root here.")
            made[one.alias] = self._root_field(one, operation.kind)
        return made

    def _root_field(self, field: Field, kind: str) -> Any:
        given = filled(field.arguments, self.variables)
        if kind == "mutation":
            if field.name != "bulkOperationRunQuery":
                raise undefined(field, "Mutation")
            return self._project(field.inside or (), self._bulk(given))
        if field.name in LISTS:
            return self._list(field, *LISTS[field.name])
        if field.name == "node":
            node = self._node(str(given.get("id", "")), field.inside or ())
            return None if node is None else self._project(field.inside or (), node)
        if field.name == "shopifyPaymentsAccount":
            inside = [one for one in field.inside or () if isinstance(one, Field)]
            unknown = [one for one in inside if one.name not in ACCOUNT]
            if unknown:
                raise undefined(unknown[0], "ShopifyPaymentsAccount")
            return {one.alias: self._list(one, *ACCOUNT[one.name]) for one in inside}
        raise undefined(field, "QueryRoot")

    # Lists

    def _list(self, field: Field, resource: str, scope: str) -> dict[str, Any]:
        self._need(field.name, scope)
        return self._page(field, resource, self._accepts(resource))

    def _accepts(self, resource: str) -> Callable[[int], bool] | None:
        since = self._api.keys.orders_since(self._request) if resource == "orders" else 0.0
        created = self._api.dataset(resource).created
        return (lambda index: created(index) >= since) if since else None

    def _need(self, name: str, scope: str) -> None:
        if scope not in self._scopes:
            needed = f"`{scope}` access scope."
            raise Refused(
                f"Access denied for {name} field. Required access: {needed}",
                "ACCESS_DENIED",
                requiredAccess=needed,
            )

    def _page(self, field: Field, resource: str, accepts: Callable[[int], bool] | None) -> dict[str, Any]:
        given = filled(field.arguments, self.variables)
        place, first = place_of(given), first_of(field, given)
        dataset = self._api.dataset(resource)
        read = int(place.status) if place.status.isdecimal() else 0
        if read + first > DEEPEST:
            raise Refused(f"Pagination is limited to {DEEPEST} objects.", "PAGINATION_LIMIT")
        leaf = turn(dataset, place, limit=first, request=self._request, accepts=accepts)
        nodes = [node for node in (node_of(resource, row) for row in leaf.rows) if node is not None]
        self.served = served_rows(dataset, leaf.rows, cursor=place.token())
        following = leaf.next and msgspec.structs.replace(leaf.next, status=str(read + len(leaf.rows)))
        info = Node(
            "PageInfo",
            hasNextPage=following is not None,
            hasPreviousPage=place.k > 0,
            endCursor=following.token() if following else None,
            startCursor=None,
        )
        return self._listed(field, nodes, info)

    def _listed(self, field: Field, nodes: list[Node], info: Node) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for one in field.inside or ():
            match one.name if isinstance(one, Field) else "":
                case "nodes":
                    made["nodes"] = [self._project(one.inside or (), node) for node in nodes]
                case "edges":
                    made["edges"] = [{"node": self._project(_inner(one), node)} for node in nodes]
                case "pageInfo":
                    made["pageInfo"] = self._project(one.inside or (), info)
                case _:
                    raise Refused(f"A connection has no such field: {one}", "undefinedField")
        return made

    # Objects

    def _project(self, selection: Selection, node: Node) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for one in selection:
            if isinstance(one, Fragment):
                if one.type == node["__typename"]:
                    made |= self._project(one.inside, node)
            else:
                made[one.alias] = self._value(one, node)
        return made

    def _value(self, field: Field, node: Node) -> Any:
        if field.name == "inventoryLevels" and node["__typename"] == "Location":
            self._need("inventoryLevels", "read_inventory")
            here = (int(str(node["id"]).rpartition("/")[2]) - LOCATION_IDS) // STRIDE
            return self._page(field, "inventory_levels", lambda index: level_of(index)[1] == here)
        if field.name not in node:
            raise undefined(field, node["__typename"])
        value = node[field.name]
        if isinstance(value, Connection):
            return self._children(field, value)
        is_object = isinstance(value, Node) or (
            isinstance(value, list) and value and isinstance(value[0], Node)
        )
        if is_object and field.inside is None:
            raise Refused(f"Field must have selections (field '{field.name}')", "selectionMismatch")
        if isinstance(value, Node):
            return self._project(field.inside or (), value)
        if isinstance(value, list) and field.inside is not None:
            return [self._project(field.inside, one) for one in value]
        return value

    def _children(self, field: Field, children: Connection) -> dict[str, Any]:
        given = filled(field.arguments, self.variables)
        first, after = first_of(field, given), given.get("after")
        start = int(after) if after else 0
        info = Node(
            "PageInfo",
            hasNextPage=start + first < len(children),
            hasPreviousPage=start > 0,
            endCursor=str(min(start + first, len(children))),
            startCursor=str(start),
        )
        nodes: list[Any] = children[start : start + first]
        return self._listed(field, nodes, info)

    def _node(self, wanted: str, selection: Selection) -> Node | None:
        operation = number_in(wanted, "BulkOperation")
        if operation:
            return self._api.exports.operation(operation, origin=self._request.origin)
        if number_in(wanted, "Location"):
            return Node("Location", number_in(wanted, "Location"))
        for kind, resource, start in (("Order", "orders", ORDER_IDS), ("Product", "products", PRODUCT_IDS)):
            number = number_in(wanted, kind)
            if number:
                self._need(resource, LISTS[resource][1])
                return self._found(resource, (int(number) - start) // STRIDE)
        raise Refused(f"Invalid global id '{wanted}'", "argumentLiteralsIncompatible")

    def _found(self, resource: str, index: int) -> Node | None:
        dataset = self._api.dataset(resource)
        keys = dataset.keys_of([index])
        return node_of(resource, dataset.rows(keys)[0]) if keys else None

    # Bulk operations

    def _bulk(self, given: Mapping[str, Any]) -> Node:
        exports = self._api.exports
        try:
            root = checked_root(parse(str(given.get("query", ""))))
            resource, scope = LISTS.get(root.name, ("", ""))
            if not resource:
                return exports.refusal(f"Field '{root.name}' cannot be exported.")
            self._need(root.name, scope)
            place = place_of(filled(root.arguments, self.variables))
            dataset = self._api.dataset(resource)
            accepts = self._accepts(resource)
            leaf = turn(dataset, place, limit=max(len(dataset), 1), request=self._request, accepts=accepts)
            nodes = [node for node in (node_of(resource, row) for row in leaf.rows) if node is not None]
            return exports.start(list(written(nodes, root, self._project)), roots=len(nodes))
        except (BadQuery, Refused) as error:
            return exports.refusal(str(error))


def _inner(edges: Field | Fragment) -> Selection:
    inside = [one for one in edges.inside or () if isinstance(one, Field) and one.name == "node"]
    return inside[0].inside or () if inside else ()
