"""The body of a request to /graphql, taken apart: members of the right types, within limits, and no more than that."""

import re
from collections.abc import Mapping
from typing import Any

import orjson

from auth.documents import document_id
from contributions.plain import record
from gateway.endpoints.bearer import Refused
from gateway.execution.trusted import Named

_SHA256 = re.compile(r"[0-9a-f]{64}")
#: How the GraphQL over HTTP working group's persisted documents write an id.
_PREFIX = "sha256:"


@record
class GraphQLRequest:
    """One operation to run: how its document is named, its name there, and the variables as they came."""

    document: Named
    variables: Mapping[str, Any]
    operation_name: str | None


def read_request(body: bytes) -> GraphQLRequest:
    """Read a body. Raises Refused, 400, with a message that repeats nothing of it."""
    try:
        request = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson's own message can quote the body.
        raise Refused(400, "The body is not JSON.") from None
    if not isinstance(request, dict):
        raise Refused(400, "The body must be a JSON object: one operation a request.")
    variables = request.get("variables")
    operation_name = request.get("operationName")
    extensions = request.get("extensions")
    if variables is not None and not isinstance(variables, dict):
        raise Refused(400, "variables: must be an object.")
    if operation_name is not None and not isinstance(operation_name, str):
        raise Refused(400, "operationName: must be a string.")
    if extensions is not None and not isinstance(extensions, dict):
        raise Refused(400, "extensions: must be an object.")
    document = _document(request, extensions or {})
    return GraphQLRequest(document, variables or {}, operation_name or None)


def _document(request: Mapping[str, Any], extensions: Mapping[str, Any]) -> Named:
    text = request.get("query")
    id_ = request.get("documentId")
    persisted = extensions.get("persistedQuery")
    if text is not None and not isinstance(text, str):
        raise Refused(400, "query: must be a string.")
    if id_ is not None:
        if text is not None or persisted is not None:
            raise Refused(400, "documentId: must be the only name of the document.")
        if not isinstance(id_, str) or not _SHA256.fullmatch(id_.removeprefix(_PREFIX)):
            raise Refused(400, "documentId: must be sha256: and 64 hexadecimal digits in lower case.")
        return Named(None, id_.removeprefix(_PREFIX))
    if persisted is None:
        if text is None:
            raise Refused(400, "query: must be a string.")
        return Named(text, None)
    if not isinstance(persisted, dict) or persisted.get("version") != 1:
        raise Refused(400, "extensions.persistedQuery: must be an object of version 1.")
    sha256 = persisted.get("sha256Hash")
    if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256):
        raise Refused(400, "extensions.persistedQuery.sha256Hash: must be 64 hexadecimal digits in lower case.")
    if text is not None and document_id(text) != sha256:
        raise Refused(400, "extensions.persistedQuery.sha256Hash: is not the SHA-256 of query.")
    return Named(text, sha256, persist=text is not None)
