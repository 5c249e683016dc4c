"""Images, audio files and videos: encoding for requests, and reading of results."""
