"""The inputs of the nodes with references and clips."""

from __future__ import annotations

from ..wan.catalog.fields import AUDIO_SETTINGS
from .inputs import Widget


def edited_clip() -> Widget:
    """Return the clip to edit."""
    return ("VIDEO", {"tooltip": "The clip to change, MP4 or MOV; its length depends on the model. Or use video_path."})


def video_url() -> Widget:
    """Return the URL of the clip to edit."""
    return (
        "STRING",
        {
            "default": "",
            "advanced": True,
            "tooltip": "Public URL of the clip, MP4 or MOV, instead of video; the price is then unknown.",
        },
    )


def edit_image() -> Widget:
    """Return an image that the prompt of an edit speaks of."""
    return ("IMAGE", {"tooltip": "What the prompt speaks of, such as a coat to put on; a batch is several images."})


def reference() -> Widget:
    """Return a reference: an image, a clip or a sound."""
    return (
        "IMAGE,VIDEO,AUDIO",
        {"tooltip": "Image, clip or sound (wan3.0); counted by kind, with wan2.6 jointly. A batch is several images."},
    )


def first_frame() -> Widget:
    """Return the first frame of a video with references."""
    return ("IMAGE", {"tooltip": "The first frame of the video; the video then has its shape, whatever ratio says."})


def voice(number: int) -> Widget:
    """Return the voice of a reference."""
    return ("AUDIO", {"tooltip": f"The voice of reference_{number}: 1 to 10 s of it speaking. Its words are not used."})


def audio_setting() -> Widget:
    """Return what becomes of a clip's sound."""
    return (
        list(AUDIO_SETTINGS),
        {
            "default": AUDIO_SETTINGS[0],
            "tooltip": "origin keeps the clip's sound; auto may make a new one where the prompt speaks of sound.",
        },
    )
