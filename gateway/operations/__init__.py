"""The operator's page at /operator: the day's numbers, for a client with the scope operations:read."""
