"""Compiled execution: a validated operation becomes generated Python once, and runs without walking its document.

Knows Strawberry and graphql-core, and nothing of the program around it. graphql-core's executor is the reference: the
same answer, byte for byte, errors and their order included. `Compiler` says what is not covered.
"""

from gateway.execution.compiled.compiler import FIRST_RUNS, Compiler, Plans

__all__ = ["FIRST_RUNS", "Compiler", "Plans"]
