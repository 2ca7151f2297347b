"""What runs: settings, the ASGI app and its HTTP endpoints, the command line, the demo."""
