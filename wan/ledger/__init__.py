"""The record of every request, kept on disk before it is sent."""
