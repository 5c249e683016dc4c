"""Images, audio files and videos: what goes into a request and what comes home."""
