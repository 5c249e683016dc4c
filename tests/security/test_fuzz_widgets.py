"""Random values for widgets and inputs: only the pack's own errors come out."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
import torch
from fuzz import json_values, texts
from hypothesis import given
from hypothesis import strategies as st
from mock_faults import ErrorResponse
from wanpack.nodes import host
from wanpack.nodes.connection import DashScopeWanConnection
from wanpack.nodes.continue_video import DashScopeWanContinueVideo
from wanpack.nodes.fetch_task import DashScopeWanFetchTask
from wanpack.nodes.image_to_video import DashScopeWanImageToVideo
from wanpack.nodes.last_frame import DashScopeWanLastFrame
from wanpack.nodes.video_effect import DashScopeWanVideoEffect
from wanpack.wan.api.request import warnings
from wanpack.wan.api.validation import validate
from wanpack.wan.catalog.fields import VideoRequest
from wanpack.wan.catalog.models import MODELS
from wanpack.wan.catalog.regions import REGIONS
from wanpack.wan.errors import WanError
from wanpack.wan.tasks.output import resolve_output
from wanpack.wan.tasks.retry import Clock

anything = st.one_of(json_values, st.binary(max_size=8), st.builds(object))


FINE = {
    "prompt": "a cat",
    "model": "wanx2.1-i2v-turbo",
    "resolution": "480P",
    "duration": 3,
    "shot_type": "single",
    "prompt_extend": True,
    "negative_prompt": "",
    "seed": 0,
    "generate_audio": True,
    "watermark": False,
    "audio_url": "",
    "filename_prefix": "wan/i2v",
    "audio": None,
    "connection": None,
}
EFFECT = {name: FINE[name] for name in ("model", "resolution", "duration", "seed", "watermark", "filename_prefix")} | {
    "template": "flying",
    "connection": None,
}
models = st.sampled_from(list(MODELS))
connections = st.one_of(
    st.none(),
    anything,
    st.builds(
        lambda *choice: DashScopeWanConnection().connect(*choice)[0],
        st.one_of(st.sampled_from(["default", "beijing", "frankfurt"]), anything),
        st.one_of(st.just(""), st.just("llm-x"), anything),
        st.one_of(st.just(60), anything),
    ),
)
audios = st.one_of(
    st.none(),
    anything,
    st.fixed_dictionaries(
        {},
        optional={
            "waveform": st.one_of(
                anything,
                st.sampled_from(
                    [torch.zeros(1, 1, 30_000), torch.zeros(0), torch.zeros(2, 2, 2), torch.zeros(1, 1, 9)]
                ),
            ),
            "sample_rate": st.one_of(st.just(8000), anything),
        },
    ),
)
images = st.one_of(
    anything,
    st.sampled_from(
        [
            *(torch.full((1, 240, 240, channels), 0.5) for channels in (1, 2, 3, 4, 5)),
            *(torch.zeros(0, 240, 240, 3), torch.zeros(240, 240, 3), torch.zeros(1, 1, 1, 3), torch.zeros(())),
            *(torch.zeros(1, 240, 240, 3, dtype=torch.int32), torch.full((1, 240, 240, 3), float("nan"))),
        ]
    ),
)


def changes(fine, **special):
    """A few inputs with odd values."""
    own = {name: st.one_of(anything, special.get(name, anything)) for name in fine}
    return st.lists(st.sampled_from(sorted(fine)), min_size=1, max_size=3, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: own[name] for name in names})
    )


@pytest.fixture
def refusing(live_server, monkeypatch):
    """The service, which refuses what comes as far as that: nothing is rendered."""
    host.configure(clock=Clock(0.001))
    for on in ("create", "query", "policy"):
        live_server.faults.add(on=on, fault=ErrorResponse(400, "InvalidParameter", "no"), times=10**6)
    return live_server


def tried(node, **inputs):
    with contextlib.suppress(WanError):
        asyncio.run(getattr(node(), node.FUNCTION)(**inputs))


def test_random_values_in_the_main_node(refusing, examples):
    fine = torch.full((1, 240, 240, 3), 0.5)
    odd = changes({**FINE, "image": fine}, model=models, connection=connections, audio=audios, image=images)

    @examples(400)
    @given(values=odd)
    def check(values):
        tried(DashScopeWanImageToVideo, **{"image": fine, **FINE, **values})

    check()
    # The query asks for the time, before anything is sent.
    assert {call.on for call in refusing.received} <= {"create", "policy", "query"}


def test_random_values_in_the_effect_node(refusing, examples):
    fine = torch.full((1, 240, 240, 3), 0.5)

    @examples(150)
    @given(values=changes({**EFFECT, "image": fine}, model=models, connection=connections, image=images))
    def check(values):
        tried(DashScopeWanVideoEffect, **{"image": fine, **EFFECT, **values})

    check()


def test_random_values_in_fetch_task(refusing, examples):
    fine = {"task_id": "t-1", "filename_prefix": "wan/task", "connection": None}

    @examples(150)
    @given(values=changes(fine, task_id=texts, filename_prefix=texts, connection=connections))
    def check(values):
        tried(DashScopeWanFetchTask, **{**fine, **values})

    check()


def test_random_values_in_last_frame(standalone_host, examples):
    @examples(150)
    @given(values=st.fixed_dictionaries({}, optional={"video": anything, "video_path": st.one_of(texts, anything)}))
    def check(values):
        tried(DashScopeWanLastFrame, **values)
        tried(DashScopeWanContinueVideo, prompt="", model="wan2.7-i2v", resolution="720P", duration=5, **values)

    check()


def test_random_requests_are_judged_without_an_exception(tmp_path, examples):
    request = st.builds(
        VideoRequest,
        model=st.one_of(models, anything),
        prompt=st.one_of(texts, anything),
        resolution=st.one_of(st.sampled_from(["480P", "720P", "1080P"]), anything),
        duration=st.one_of(st.integers(1, 15), anything),
        shot_type=st.one_of(st.sampled_from(["single", "multi"]), anything),
        prompt_extend=st.one_of(st.booleans(), anything),
        negative_prompt=st.one_of(texts, anything),
        seed=st.one_of(st.integers(0, 9), anything),
        generate_audio=st.one_of(st.booleans(), anything),
        watermark=st.one_of(st.booleans(), anything),
        audio_url=st.one_of(st.just(""), st.just("https://a.example/a.mp3"), texts.map("http://{}".format), anything),
        template=st.one_of(st.just(""), st.just("flying"), anything),
    )

    @examples(400)
    @given(request=request, region=st.sampled_from(list(REGIONS.values())), prefix=st.one_of(texts, anything))
    def check(request, region, prefix):
        faults = validate(request, region=region)
        place, wrong = resolve_output(prefix, output_folder=tmp_path)
        reported = [*faults, *wrong, *([] if faults else warnings(request, region=region))]
        assert all(len(one) < 1000 and one.encode("utf-8", "surrogatepass") for one in reported)
        assert place.folder.resolve().is_relative_to(tmp_path.resolve())

    check()
