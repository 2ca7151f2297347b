"""Tracing by OpenTelemetry: spans of a request, its operation and its statements, and of a worker's jobs.

Nothing of this is imported, and no request passes through any of it, unless GATEWAY_TRACES_URL is set. A span holds
names of ours and numbers, never a value, a document's text, an identity number, a name of a person or a token.
"""
