"""DashScope over HTTP: settings, checks, requests, responses."""
