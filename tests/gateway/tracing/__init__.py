"""Tests of gateway/tracing."""
