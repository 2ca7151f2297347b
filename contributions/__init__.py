"""The rules of contributions, pure: no I/O, and nothing of the other rooms."""
