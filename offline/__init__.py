"""A local mock of the service: the same protocol, real videos, no cost."""
