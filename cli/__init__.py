"""What `python dev.py` runs without ComfyUI: workflows, the key, the mock server."""
