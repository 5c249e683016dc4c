"""What is written from the pack's own tables and node definitions: the tables of docs/models.md, locales, help pages.

`python dev.py docs` writes them; a test compares them, so that none of them falls behind.
"""
