"""The ways people pay (缴费渠道), as pages of the sandbox: clients of the public API like any other, and no more."""
