"""For those who work on the pack: benches, and the generator of tables and help pages."""
