"""Running the pack's workflows without ComfyUI: `python dev.py run` and `python dev.py offline`."""
