"""Each of the service's official sample calls is sent by the workflow that is shipped for it."""

from __future__ import annotations

import base64
import io
import json
from pathlib import Path

import pytest
import wanpack
from PIL import Image
from wanpack.wan.catalog.models import MODELS

SAMPLES = Path(wanpack.__file__).parent / "tests" / "wan" / "api" / "requests"
WORKFLOW_OF = {
    "audio_file": "audio_file",
    "auto_dubbing": "auto_dubbing",
    "base64": "silent",
    "multi_shot": "multi_shot",
    "negative_prompt": "negative_prompt",
    "silent": "silent",
    "video_effect": "video_effect",
}
# Beside the sample's own fields, what every model takes, with the service's own defaults.
FOR_ALL = {"duration": 5, "seed": 0, "watermark": False}
MIME = {"JPEG": "image/jpeg", "PNG": "image/png"}

each_sample = pytest.mark.parametrize("sample", WORKFLOW_OF)


def golden(sample):
    return json.loads((SAMPLES / f"{sample}.json").read_text("utf-8"))


def sent_by(runner, sample):
    [call] = runner(WORKFLOW_OF[sample]).creates
    return call


def may_be_added(model):
    """Parameters that a model's row allows, with the service's defaults."""
    allowed = dict(FOR_ALL)
    allowed |= {"audio": True} if model.audio_switch else {}
    allowed |= {"shot_type": "single"} if model.shot_types else {}
    return allowed


def test_every_sample_has_a_workflow():
    assert {path.stem for path in SAMPLES.glob("*.json")} == set(WORKFLOW_OF)


@each_sample
def test_its_fields_are_sent_as_they_are(runner, sample):
    wanted, body = golden(sample), sent_by(runner, sample).body
    assert body["model"] == wanted["model"]
    assert {**body["input"], "img_url": ""} == {**wanted["input"], "img_url": ""}
    assert wanted["parameters"].items() <= body["parameters"].items()


@each_sample
def test_what_is_added_is_allowed_by_the_models_row_and_the_services_own_default(runner, sample):
    wanted, body = golden(sample), sent_by(runner, sample).body
    assert set(body) == {"model", "input", "parameters"}
    added = {name: value for name, value in body["parameters"].items() if name not in wanted["parameters"]}
    assert added.items() <= may_be_added(MODELS[body["model"]]).items()


@each_sample
def test_the_image_is_sent_as_a_data_uri_of_what_it_says(runner, sample):
    head, _, encoded = sent_by(runner, sample).body["input"]["img_url"].partition(",")
    with Image.open(io.BytesIO(base64.b64decode(encoded, validate=True))) as image:
        assert head == f"data:{MIME[image.format]};base64"
        assert image.size == (512, 512)


@each_sample
def test_its_headers_ask_for_a_task_and_not_for_uploads(runner, sample):
    headers = sent_by(runner, sample).headers
    assert headers["x-dashscope-async"] == "enable"
    assert headers["content-type"] == "application/json"
    assert "x-dashscope-ossresourceresolve" not in headers
