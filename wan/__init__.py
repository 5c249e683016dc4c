"""The engine: a request is checked, paid once, followed and saved. It knows no ComfyUI."""
