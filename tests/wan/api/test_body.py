"""The body of a create call: built once, with the media put into their places."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from wanpack.wan.api.request import BODY_BYTES, CreateBody, build_body, to_json, url_chunks
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.media.image import EncodedFrame

BEIJING = REGIONS["beijing"]
DATA = [b"data:image/png;base64,", b"iVBO", b"Rw0K"]


def encoded(request, **media):
    """The bytes that are sent, for media in chunks by kind."""
    body = CreateBody(request, region=BEIJING, kinds=list(media))
    return body.encode({kind: lambda chunks=chunks: chunks for kind, chunks in media.items()})


@pytest.mark.parametrize(
    "prompt", ["a cat", "猫抬起头", '"img_url":"x"', '\\"img_url\\":\\"', "half \ud83d", "\x00\u2028\n\t"]
)
def test_it_is_the_same_as_if_the_image_had_been_there_from_the_start(prompt):
    request = VideoRequest(prompt=prompt)
    built = encoded(request, first_frame=DATA)
    assert built == to_json(build_body(request, region=BEIJING, media={"first_frame": b"".join(DATA).decode()}))
    assert built.count(b"iVBORw0K") == 1


@pytest.mark.parametrize("url", ["oss://sound", 'https://example.com/a"b.mp3', "https://example.com/声.mp3"])
def test_the_url_of_an_audio_goes_beside_the_image(url):
    built = json.loads(encoded(VideoRequest(audio_url=url), first_frame=[b"data:"], driving_audio=url_chunks(url)))
    assert (built["input"]["img_url"], built["input"]["audio_url"]) == ("data:", url)


@pytest.mark.parametrize("model", ["wan2.7-i2v", "wan3.0-video", "wan2.2-kf2v-flash"])
def test_two_images_go_to_their_own_places(model):
    request = VideoRequest(model=model, prompt="a cat")
    built = json.loads(encoded(request, first_frame=[b"data:,first"], last_frame=[b"data:,", b"last"]))
    media = {"first_frame": "data:,first", "last_frame": "data:,last"}
    assert built == build_body(request, region=BEIJING, media=media)


@pytest.mark.parametrize("model", ["wan2.6-i2v-flash", "wan2.7-i2v", "wan2.2-kf2v-flash"])
def test_hashes_stand_where_the_media_go(model):
    request = VideoRequest(model=model, prompt="a cat")
    media = {"first_frame": "hash 1", "last_frame": "hash 2"} if "flash" not in model else {"first_frame": "hash 1"}
    body = CreateBody(request, region=BEIJING, kinds=list(media))
    assert body.with_hashes(media) == build_body(request, region=BEIJING, media=media)


@pytest.mark.parametrize("model", ["wan2.6-i2v-flash", "wan2.7-i2v", "wan2.2-kf2v-flash"])
def test_its_size_is_that_of_a_body_without_media(model):
    request = VideoRequest(model=model, prompt="猫抬起头")
    body = CreateBody(request, region=BEIJING, kinds=["first_frame"])
    without = build_body(request, region=BEIJING, media={})
    if model == "wan2.7-i2v":
        without["input"]["media"] = []
    assert body.size == len(to_json(without))


def test_a_body_of_6_mib_is_built_with_less_than_two_copies_of_the_data():
    frame = EncodedFrame(
        np.random.default_rng(1).bytes(BODY_BYTES * 3 // 4 - 4096), "image/jpeg", 1920, 1080, 95, False
    )
    body = CreateBody(VideoRequest(prompt="a cat"), region=BEIJING, kinds=["first_frame"])
    tracemalloc.start()
    built = body.encode({"first_frame": frame.iter_chunks})
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert BODY_BYTES - 10_000 < len(built) <= BODY_BYTES
    # The image's own file, three quarters of it, was there before.
    assert peak + len(frame.data) < 2 * len(built)
