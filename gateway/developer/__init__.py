"""The developer's pages: what this is, GraphiQL, the schema reference and the problem codes."""
