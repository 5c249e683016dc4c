"""The body of a create call: the image is put into it once."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from wanpack.wan.api.client import to_json
from wanpack.wan.api.request import BODY_BYTES, VideoRequest, build_body, splice_data_uris
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.media.image import EncodedFrame

MARK = "0f" * 32


def body(prompt: str = "a cat", image: str = MARK):
    return build_body(VideoRequest(prompt=prompt), region=REGIONS["beijing"], media={"first_frame": image})


@pytest.mark.parametrize(
    "prompt",
    ["a cat", "猫抬起头", f"a {MARK}", f'"img_url":"{MARK}"', '\\"img_url\\":\\"', "half \ud83d", "\x00\u2028\n\t"],
)
def test_it_is_the_same_as_if_the_image_had_been_there_from_the_start(prompt):
    pieces = [b"data:image/png;base64,", b"iVBO", b"Rw0K"]
    built = splice_data_uris(to_json(body(prompt)), {MARK: pieces})
    assert built == to_json(body(prompt, image=b"".join(pieces).decode()))
    assert built.count(b"iVBORw0K") == 1


def test_the_address_of_an_audio_after_the_image_stays():
    request = VideoRequest(audio_url="https://example.com/a.mp3")
    made = build_body(request, region=REGIONS["beijing"], media={"first_frame": MARK, "driving_audio": "oss://sound"})
    built = json.loads(splice_data_uris(to_json(made), {MARK: [b"data:"]}))
    assert (built["input"]["img_url"], built["input"]["audio_url"]) == ("data:", "oss://sound")


def test_a_body_without_the_mark_is_a_mistake():
    with pytest.raises(ValueError, match="not found"):
        splice_data_uris(to_json(body(image="another")), {MARK: [b""]})


@pytest.mark.parametrize("model", ["wan2.7-i2v", "wan3.0-video", "wan2.2-kf2v-flash"])
def test_two_images_go_to_their_own_places(model):
    other = "1e" * 32
    media = {"first_frame": other, "last_frame": MARK}
    request = VideoRequest(model=model, prompt=f"{MARK} {other}")
    images = {MARK: [b"data:,", b"last"], other: [b"data:,first"]}
    built = json.loads(splice_data_uris(to_json(build_body(request, region=REGIONS["beijing"], media=media)), images))
    filled = {"first_frame": "data:,first", "last_frame": "data:,last"}
    assert built == build_body(request, region=REGIONS["beijing"], media=filled)


def test_a_body_of_6_mib_is_built_with_less_than_two_copies_of_the_data():
    frame = EncodedFrame(
        np.random.default_rng(1).bytes(BODY_BYTES * 3 // 4 - 4096), "image/jpeg", 1920, 1080, 95, False
    )
    text = to_json(body())
    tracemalloc.start()
    built = splice_data_uris(text, {MARK: frame.iter_chunks()})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert BODY_BYTES - 10_000 < len(built) <= BODY_BYTES
    # The image's own file, three quarters of it, was there before.
    assert peak + len(frame.data) < 2 * len(built)
