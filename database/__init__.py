"""PostgreSQL: the server, its schema, the way to it, and what is kept in it under key."""
