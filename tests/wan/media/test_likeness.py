"""Whether a video begins with an image."""

from __future__ import annotations

import io

import media
import numpy as np
import pytest
from PIL import Image
from wanpack.wan.errors import MediaError
from wanpack.wan.media.likeness import Likeness, compare, first_image, to_image


def noise(seed: int, *, size=(300, 200), blocks=12) -> Image.Image:
    levels = (media.noise(blocks, seed=seed)[0] * 255).astype(np.uint8)
    return Image.fromarray(levels).resize(size, Image.Resampling.BICUBIC)


def flat(*colour: int) -> Image.Image:
    return Image.new("RGB", (64, 64), colour)


def night() -> Image.Image:
    """Almost black, a little lighter to the right."""
    return Image.fromarray(np.tile(np.linspace(0, 24, 64).astype(np.uint8)[:, None], (64, 1, 3)))


def watermarked(image: Image.Image) -> Image.Image:
    """The image with a white mark in its corner."""
    marked = image.copy()
    marked.paste((255, 255, 255), (50, 58, 62, 62))
    return marked


def repainted(image: Image.Image) -> Image.Image:
    """What a model and H.264 make of an image: another size, a little blur, noise and a shift of the colours."""
    small = np.asarray(image.resize((208, 144), Image.Resampling.BILINEAR), np.float32)
    changed = small * 0.95 + 6 + np.random.default_rng(1).normal(0, 6, small.shape)
    return Image.fromarray(np.clip(changed, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("seed", range(5))
def test_a_repainted_image_is_alike(seed):
    assert compare(noise(seed), repainted(noise(seed))) is Likeness.ALIKE


@pytest.mark.parametrize("seed", range(5))
def test_another_image_is_unlike(seed):
    assert compare(noise(seed), repainted(noise(seed + 10))) is Likeness.UNLIKE


def test_an_image_that_was_cut_to_another_shape_is_alike():
    whole = noise(3)
    assert compare(whole, whole.crop((75, 0, 225, 200))) is Likeness.ALIKE


def test_an_image_with_bars_beside_it_is_alike():
    framed = Image.new("RGB", (600, 200))
    framed.paste(noise(3), (150, 0))
    assert compare(noise(3), framed) is Likeness.ALIKE


@pytest.mark.parametrize(
    ("one", "two", "verdict"),
    [
        (flat(200, 30, 30), flat(190, 35, 30), Likeness.ALIKE),
        (flat(200, 30, 30), flat(30, 30, 200), Likeness.UNLIKE),
        (flat(128, 128, 128), noise(1), Likeness.UNLIKE),
        (flat(0, 0, 0), watermarked(flat(0, 0, 0)), Likeness.UNCLEAR),
        (flat(0, 0, 0), watermarked(flat(200, 200, 200)), Likeness.UNLIKE),
        (night(), watermarked(night()), Likeness.UNCLEAR),
    ],
)
def test_flat_images_are_distinguished_by_their_colour(one, two, verdict):
    assert compare(one, two) is verdict


def test_the_same_image_in_another_light_is_no_proof():
    dark = Image.fromarray((np.asarray(noise(2)) * 0.4).astype(np.uint8))
    assert compare(noise(2), dark) is Likeness.UNCLEAR


def test_the_first_frame_of_a_video_is_seen():
    frames = [np.asarray(noise(seed).resize((208, 144))) for seed in (4, 5)]
    file = media.video(io.BytesIO(), frames, fps=10, codec="mpeg4", container="mp4")
    file.seek(0)
    seen = first_image(file)
    assert compare(noise(4), seen) is Likeness.ALIKE
    assert compare(noise(5), seen) is Likeness.UNLIKE


def test_what_is_no_video_is_an_error():
    with pytest.raises(MediaError):
        first_image(io.BytesIO(b"no video"))


def test_an_image_of_a_graph_is_what_is_sent():
    image = np.zeros((20, 40, 4), np.float32)
    image[..., 0] = 1.0
    image[:, 20:, 3] = 1.0
    sent = np.asarray(to_image(image))
    assert sent.shape == (20, 40, 3)
    assert sent[10, 5].tolist() == [255, 255, 255]
    assert sent[10, 30].tolist() == [255, 0, 0]
