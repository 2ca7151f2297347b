"""Compiled plans beside graphql-core's executor: the same operation over the same records must answer the same."""
