"""Images as files: PNG for drawings, exactly and no larger than usual; JPEG for the rest."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from media import flat_shapes, page, photo, slope
from PIL import Image
from wanpack.wan.media.image import CHUNK_BYTES, EncodedFrame
from wanpack.wan.media.image_codec import encode_image

PLENTY = 20 << 20


def opened(packed):
    return np.asarray(Image.open(io.BytesIO(packed.data)))


@pytest.mark.parametrize("draw", [flat_shapes, page, slope])
def test_drawings_come_back_exactly_and_are_no_larger_than_pillows_own_png(draw):
    pixels = draw()
    packed = encode_image(pixels, max_bytes=PLENTY, min_side=240)
    assert (packed.mime, packed.quality) == ("image/png", None)
    assert np.array_equal(opened(packed), pixels)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert len(packed.data) <= 1.1 * len(file.getvalue()) + 1000


@pytest.mark.parametrize("size", [(240, 241), (331, 240), (1000, 257)])
def test_a_png_of_any_size_is_whole(size):
    pixels = flat_shapes(size)
    with Image.open(io.BytesIO(encode_image(pixels, max_bytes=PLENTY, min_side=240).data)) as image:
        image.verify()


def test_a_photograph_has_less_than_half_the_bytes_of_its_png():
    pixels = photo(960, 540)
    packed = encode_image(pixels, max_bytes=PLENTY, min_side=240)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    assert packed.mime == "image/jpeg"
    assert len(packed.data) < len(file.getvalue()) / 2


def test_what_could_never_fit_is_scaled_down_at_once():
    noise = np.random.default_rng(1).integers(0, 256, (1200, 1200, 3), dtype=np.uint8)
    packed = encode_image(noise, max_bytes=300_000, min_side=240)
    assert packed.size < (1200, 1200)
    assert len(packed.data) <= 300_000


@pytest.mark.parametrize("length", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 2])
def test_the_data_uri_in_pieces_is_the_data_uri(length):
    data = np.random.default_rng(2).bytes(length)
    frame = EncodedFrame(data, "image/jpeg", 1, 1, 95, scaled=False)
    whole = "data:image/jpeg;base64," + base64.b64encode(data).decode()
    assert frame.data_uri == b"".join(frame.iter_chunks()).decode() == whole
