"""The shipped workflows, and graphs of users: loading changes nothing that is allowed, saving keeps every position."""

import json
from pathlib import Path

import pytest
from wanpack import NODE_CLASS_MAPPINGS
from wanpack.wan.catalog.effects import EFFECTS
from wanpack.wan.catalog.fields import rows_of
from wanpack.wan.catalog.models import MODELS
from webpage.pages import in_nodes2, in_one_page, on_canvas

MAIN, EFFECT, CONTINUE = "DashScopeWanImageToVideo", "DashScopeWanVideoEffect", "DashScopeWanContinueVideo"
TEXT, REFERENCE, EDIT = (f"DashScopeWan{job}" for job in ("TextToVideo", "ReferenceToVideo", "VideoEdit"))
WITH_MODEL = (MAIN, EFFECT, CONTINUE, TEXT, REFERENCE, EDIT)
WORKFLOWS = Path(__file__).resolve().parents[2] / "workflows"
SHIPPED = sorted(path.name for path in WORKFLOWS.glob("*.json"))

SET_ALL = """
  const [id, models] = given;
  return models.map((model) => {
    steps.set(steps.node(id), "model", model);
    return steps.state(steps.node(id)).widgets;
  });
"""

ADD_EACH = """
  const [kind, models] = given;
  const nodes = models.map(() => steps.add(kind));
  nodes.forEach((node, index) => steps.set(node, "model", models[index]));
  await steps.frames();
  return nodes.map((node) => steps.state(node));
"""


def read(name):
    return json.loads((WORKFLOWS / name).read_text(encoding="utf-8"))


def ours(graph):
    return {node["id"]: node for node in graph["nodes"] if node["type"].startswith("DashScopeWan")}


def with_model(graph):
    """The graph's nodes that have a model, each with the models that it offers."""
    for number, node in ours(graph).items():
        if node["type"] in WITH_MODEL:
            yield number, models_of(node["type"])


def kinds_of(name):
    """The kinds of a workflow's nodes that have a model, and their inputs that are linked."""
    graph = read(name)
    return frozenset(
        (graph_node["type"], slot["name"])
        for graph_node in graph["nodes"]
        if graph_node["type"] in WITH_MODEL
        for slot in graph_node["inputs"]
        if slot.get("link") is not None
    )


ONE_OF_EACH_KIND = sorted({kinds_of(name): name for name in reversed(SHIPPED)}.values())


def models_of(kind):
    return NODE_CLASS_MAPPINGS[kind].INPUT_TYPES()["required"]["model"][0]


def appended(kind, before):
    """The inputs of a node that are not among those that were there before, each with its default."""
    inputs = NODE_CLASS_MAPPINGS[kind].INPUT_TYPES()["optional"]
    return {name: options["default"] for name, (_, options) in inputs.items() if "default" in options} | before


def values(graph):
    return {number: node.get("widgets_values") for number, node in ours(graph).items()}


def row_of(kind, model):
    return next(rows[model] for rows in map(rows_of, NODE_CLASS_MAPPINGS[kind].JOBS) if model in rows)


def durations_of(row, kind):
    """The seconds of a video with the shortest clip, where the node has one."""
    clip = row.clip_limits.seconds[0] if kind in (CONTINUE, EDIT) else 0
    shortest = clip + 1 if kind == CONTINUE else 0
    longest = row.total_seconds - clip if row.total_seconds else row.durations[-1]
    return {second for second in row.durations if shortest <= second <= longest}


def check(widgets, row, kind):
    """The widgets of a node are those of its model's row."""
    durations = durations_of(row, kind)
    assert widgets["resolution"]["values"] == list(row.resolutions)
    duration = widgets["duration"]
    between = {1} if 0 in durations else set()  # no video is as short, and 0 is as long as the clip
    assert {*range(duration["min"], duration["max"] + 1, duration["step"])} - between == durations
    assert widgets["resolution"]["value"] in row.resolutions
    assert duration["value"] in durations
    if "template" in widgets:
        assert widgets["template"]["values"] == [effect.id for effect in EFFECTS.values() if row.id in effect.models]
        assert widgets["template"]["value"] in widgets["template"]["values"]
        return
    is_multi = "shot_type" in widgets and widgets["shot_type"]["value"] == "multi"
    hidden = {
        "shot_type": not row.shot_types,
        "generate_audio": not row.audio_switch,
        "audio_url": not row.audio_input,
        "prompt_extend": not row.prompt_extend or is_multi,
        "negative_prompt": not row.negative_prompt,
        "ratio": not row.ratios,
        "audio_setting": not row.audio_settings,
    }
    assert {name: widgets[name]["hidden"] for name in hidden if name in widgets} == {
        name: is_hidden for name, is_hidden in hidden.items() if name in widgets
    }


@on_canvas
@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_workflow_is_saved_as_it_was_and_sent_as_its_api_twin(page, name):
    workflow = read(name)
    page.load(workflow)
    kinds = [node["type"] for node in workflow["nodes"]]
    assert page.run("return given.filter((type) => !LiteGraph.registered_node_types[type])", kinds) == []
    saved = page.saved()
    for number, node in ours(workflow).items():
        # A file of an earlier version has less: what was appended since comes after it.
        stored, now = node.get("widgets_values") or [], values(saved)[number] or []
        assert now[: len(stored)] == stored
        names = [slot["name"] for slot in node["inputs"]]
        assert [slot["name"] for slot in ours(saved)[number]["inputs"] if slot["name"] in names] == names
    twin = read(f"api/{name}")
    sent = {
        number: node["inputs"] for number, node in page.prompt().items() if twin[number]["class_type"] in WITH_MODEL
    }
    assert sent
    assert sent == {number: appended(twin[number]["class_type"], twin[number]["inputs"]) for number in sent}


@in_nodes2
@pytest.mark.parametrize("name", ["09_audio_file.json", "04_continue_video.json"])
def test_nodes2_saves_and_sends_a_shipped_workflow_with_a_model_that_was_chosen(page, name):
    workflow = read(name)
    page.load(workflow)
    for number, models in with_model(workflow):
        for model, widgets in zip(models[-2:], page.run(SET_ALL, [number, models[-2:]]), strict=True):
            kind = ours(workflow)[number]["type"]
            check(widgets, row_of(kind, model), kind)
    saved, sent = page.saved(), page.prompt()
    page.load(saved)
    assert (values(page.saved()), page.prompt()) == (values(saved), sent)


@in_one_page
@pytest.mark.parametrize("name", ONE_OF_EACH_KIND)
def test_every_model_can_be_chosen_in_a_shipped_workflow(page, name):
    workflow = read(name)
    page.load(workflow)
    for number, models in with_model(workflow):
        for model, widgets in zip(models, page.run(SET_ALL, [number, models]), strict=True):
            assert widgets["model"]["value"] == model
            kind = ours(workflow)[number]["type"]
            check(widgets, row_of(kind, model), kind)
    saved = page.saved()
    assert all(len(values(saved)[number] or []) >= len(stored or []) for number, stored in values(workflow).items())
    page.load(saved)
    assert values(page.saved()) == values(saved)


@on_canvas
@pytest.mark.parametrize("kind", WITH_MODEL)
def test_every_model_survives_saving_and_loading(page, kind):
    before = page.run(ADD_EACH, [kind, models_of(kind)])
    saved = page.saved()
    page.load(saved)
    assert values(page.saved()) == values(saved)
    after = page.run("return given.map((id) => steps.state(steps.node(id)))", list(ours(saved)))
    assert [state["widgets"]["model"]["value"] for state in after] == models_of(kind)
    assert after == before


@on_canvas
def test_allowed_values_of_hidden_widgets_are_not_touched(page):
    node = page.add(MAIN)
    page.set(node, "model", "wan2.2-i2v-flash")
    saved = page.saved()
    (stored,) = values(saved).values()
    assert stored[-5:] == [True, False, "", "wan/i2v", "adaptive"]
    stored[-5] = False
    page.load(saved)
    generate_audio = page.state(node)["widgets"]["generate_audio"]
    assert (generate_audio["value"], generate_audio["hidden"]) == (False, True)
    assert values(page.saved()) == values(saved)


@on_canvas
def test_refused_values_of_a_saved_workflow_are_corrected(page):
    node = page.add(MAIN)
    page.set(node, "model", "wan2.2-i2v-plus")
    saved = page.saved()
    (stored,) = values(saved).values()
    assert stored[2:5] == ["1080P", 5, "single"]
    stored[2:5] = ["720P", 10, "multi"]
    page.load(saved)
    (stored,) = values(page.saved()).values()
    assert stored[2:5] == ["480P", 5, "single"]


@on_canvas
@pytest.mark.parametrize(
    "kind", [MAIN, *(f"DashScopeWan{job}" for job in ("TextToVideo", "ReferenceToVideo", "VideoEdit"))]
)
def test_the_seed_of_a_new_node_stays_and_that_of_a_saved_one_does_what_it_says(page, kind):
    page.add(kind)
    saved = page.saved()
    (stored,) = values(saved).values()
    place = stored.index("fixed")
    assert stored[place - 1] == 0  # the seed
    stored[place] = "randomize"
    page.load(saved)
    assert values(page.saved()) == values(saved)


@on_canvas
def test_sockets_keep_their_places(page):
    node = page.add(MAIN)
    names = "return steps.node(given).inputs.map((slot) => slot.name)"
    before = page.run(names, node)
    assert before[:4] == ["image", "audio", "connection", "last_frame"]
    for model in MODELS:
        page.run("steps.set(steps.node(given[0]), 'model', given[1])", [node, model])
        assert page.run(names, node) == before


def test_loading_keeps_the_size(page):
    size = page.run(
        """
        const node = steps.add(given), sound = steps.add("LoadAudio", 900);
        steps.set(node, "model", "wan2.6-i2v");
        steps.link(sound, 0, node, "audio");
        node.setSize([500, 900]);
        const saved = steps.saved();
        await steps.app.loadGraphData(saved);
        await steps.app.loadGraphData(steps.saved());
        return [...steps.node(node.id).size];
        """,
        MAIN,
    )
    assert size == [500, 900]


@on_canvas
def test_a_node_that_is_configured_anew_forgets_what_its_widgets_had(page):
    node = page.add(MAIN)
    page.set(node, "shot_type", "multi")
    page.set(node, "model", "wan2.2-i2v-plus")
    page.run("const node = steps.node(given); node.configure(node.serialize())", node)
    page.set(node, "model", "wan2.6-i2v")
    assert page.state(node)["widgets"]["shot_type"]["value"] == "single"
