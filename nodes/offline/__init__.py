"""A local stand-in for the service: the same protocol, real videos, no cost."""
