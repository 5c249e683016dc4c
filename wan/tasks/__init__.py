"""A paid task's life: submit, wait, fetch."""
