"""ComfyUI's entry to the pack: its nodes and their names."""

from .nodes import NODES, host

NODE_CLASS_MAPPINGS = {node.NODE_ID: node for node in NODES}
NODE_DISPLAY_NAME_MAPPINGS = {node.NODE_ID: node.DISPLAY_NAME for node in NODES}
WEB_DIRECTORY = "./nodes/web"

if host.in_comfyui():
    from .nodes.routes import register

    register()

__all__ = ["NODE_CLASS_MAPPINGS", "NODE_DISPLAY_NAME_MAPPINGS", "WEB_DIRECTORY"]
