"""Thin edges between HTTP and what runs: no rules."""
