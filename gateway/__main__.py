"""`python -m gateway` is the command `gateway`."""

from gateway.cli import app

app(prog_name="gateway")
