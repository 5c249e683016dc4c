"""HTTP: sessions that may carry the key, sessions that may not, and downloads."""
