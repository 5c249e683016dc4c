"""ComfyUI's real page in a browser, before a server of ours that answers its calls."""
