"""What `/object_info` says: the pack's nodes, as ComfyUI describes them, and the core nodes that its workflows use."""

from __future__ import annotations

from typing import Any

import wanpack


def object_info() -> dict[str, Any]:
    """Return the definitions of all nodes by their ids."""
    names = wanpack.NODE_DISPLAY_NAME_MAPPINGS
    ours = {name: _described(node, name, names[name]) for name, node in wanpack.NODE_CLASS_MAPPINGS.items()}
    return ours | {name: _core(name, **parts) for name, parts in _CORE.items()}


def _described(node: Any, name: str, display_name: str) -> dict[str, Any]:
    """As `node_info` of ComfyUI's server.py makes it."""
    inputs = node.INPUT_TYPES()
    described = {
        "input": inputs,
        "input_order": {kind: list(group) for kind, group in inputs.items()},
        "is_input_list": getattr(node, "INPUT_IS_LIST", False),
        "output": node.RETURN_TYPES,
        "output_is_list": getattr(node, "OUTPUT_IS_LIST", [False] * len(node.RETURN_TYPES)),
        "output_name": getattr(node, "RETURN_NAMES", node.RETURN_TYPES),
        "name": name,
        "display_name": display_name,
        "description": getattr(node, "DESCRIPTION", ""),
        "python_module": "custom_nodes.dashscope-wan",
        "category": node.CATEGORY,
        "output_node": getattr(node, "OUTPUT_NODE", False),
        "has_intermediate_output": False,
        "search_aliases": [],
    }
    if hasattr(node, "OUTPUT_TOOLTIPS"):
        described["output_tooltips"] = node.OUTPUT_TOOLTIPS
    return described


def _core(name: str, *, required: dict[str, Any], output: tuple[str, ...], output_node: bool = False) -> dict[str, Any]:
    return {
        "input": {"required": required},
        "input_order": {"required": list(required)},
        "is_input_list": False,
        "output": output,
        "output_is_list": [False] * len(output),
        "output_name": output,
        "name": name,
        "display_name": name,
        "description": "",
        "python_module": "nodes",
        "category": "core",
        "output_node": output_node,
        "has_intermediate_output": False,
        "search_aliases": [],
    }


_NUMBER = ("INT", {"default": 1, "min": 0, "max": 4096})
_COLOUR = ("INT", {"default": 0, "min": 0, "max": 0xFFFFFF})

_CORE: dict[str, dict[str, Any]] = {
    "LoadImage": {"required": {"image": [["example.png"], {"image_upload": True}]}, "output": ("IMAGE", "MASK")},
    "LoadAudio": {"required": {"audio": [["example.mp3"], {"audio_upload": True}]}, "output": ("AUDIO",)},
    "LoadVideo": {"required": {"file": [["example.mp4"], {"video_upload": True}]}, "output": ("VIDEO",)},
    "RepeatImageBatch": {"required": {"image": ("IMAGE",), "amount": _NUMBER}, "output": ("IMAGE",)},
    "EmptyImage": {
        "required": {"width": _NUMBER, "height": _NUMBER, "batch_size": _NUMBER, "color": _COLOUR},
        "output": ("IMAGE",),
    },
    "ImageBlend": {
        "required": {
            "image1": ("IMAGE",),
            "image2": ("IMAGE",),
            "blend_factor": ("FLOAT", {"default": 0.5, "min": 0.0, "max": 1.0, "step": 0.01}),
            "blend_mode": [["normal", "multiply", "screen"]],
        },
        "output": ("IMAGE",),
    },
    "ImageBatch": {"required": {"image1": ("IMAGE",), "image2": ("IMAGE",)}, "output": ("IMAGE",)},
    "ImageFromBatch": {
        "required": {"image": ("IMAGE",), "batch_index": _NUMBER, "length": _NUMBER},
        "output": ("IMAGE",),
    },
    "ImageScale": {
        "required": {
            "image": ("IMAGE",),
            "upscale_method": [["nearest-exact", "bilinear", "area", "bicubic", "lanczos"]],
            "width": _NUMBER,
            "height": _NUMBER,
            "crop": [["disabled", "center"]],
        },
        "output": ("IMAGE",),
    },
    "ImageCrop": {
        "required": {"image": ("IMAGE",), "width": _NUMBER, "height": _NUMBER, "x": _NUMBER, "y": _NUMBER},
        "output": ("IMAGE",),
    },
    "GetVideoComponents": {"required": {"video": ("VIDEO",)}, "output": ("IMAGE", "AUDIO", "FLOAT")},
    "PreviewImage": {"required": {"images": ("IMAGE",)}, "output": (), "output_node": True},
}
