"""DashScope over HTTP: the tables of models, effects and regions, the checks, the client."""
