"""The peers that `make bench` measures the gateway against: each a whole server, run for the measurement alone."""
