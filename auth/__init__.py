"""Who may do it: institutions, their clients, the scopes, the tokens, and the OAuth 2.0 server."""
