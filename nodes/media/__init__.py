"""Pictures, sounds and videos: what goes into a request and what comes home."""
