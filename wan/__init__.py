"""The engine: requests are validated, charged once, polled and saved. It does not depend on ComfyUI."""
