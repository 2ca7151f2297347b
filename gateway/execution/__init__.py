"""How an operation runs. Knows Strawberry and graphql-core, and nothing of contributions."""
