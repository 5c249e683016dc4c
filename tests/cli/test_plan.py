"""What is refused before anything runs."""

import asyncio

import pytest

from cli.errors import InvalidGraphError
from cli.plan import plan


class Source:
    RETURN_TYPES = ("IMAGE", "INT", "STRING,FLOAT", "*")
    FUNCTION = "work"

    INPUT_TYPES = classmethod(lambda cls: {})


class Sink:
    """An output node with an input of every kind."""

    RETURN_TYPES = ()
    FUNCTION = "work"
    OUTPUT_NODE = True

    INPUT_TYPES = classmethod(
        lambda cls: {
            "optional": {
                "image": ("IMAGE",),
                "count": ("INT", {"min": 2, "max": 15}),
                "scale": ("FLOAT", {"min": 0.0, "max": 1.0}),
                "text": ("STRING", {"multiline": True}),
                "flag": ("BOOLEAN", {}),
                "choice": (["480P", "720P"], {}),
                "new_choice": ("COMBO", {"options": ["a", "b"]}),
                "anything": ("*",),
            },
        }
    )


class Needs(Sink):
    INPUT_TYPES = classmethod(lambda cls: {"required": {"image": ("IMAGE",), "prompt": ("STRING", {})}})


CLASSES = {"Source": Source, "Sink": Sink, "Needs": Needs}


def planned(inputs, *, kind="Sink", classes=CLASSES, **others):
    prompt = {
        "sink": {"class_type": kind, "inputs": inputs},
        "source": {"class_type": "Source", "inputs": {}},
        **others,
    }
    return asyncio.run(plan(prompt, classes=classes))


def faults(inputs, **options):
    with pytest.raises(InvalidGraphError) as caught:
        planned(inputs, **options)
    return list(caught.value.problems)


@pytest.mark.parametrize(
    ("name", "value", "converted"),
    [
        ("count", "5", 5),
        ("count", 5.9, 5),
        ("scale", "0.5", 0.5),
        ("text", 12, "12"),
        ("flag", 1, True),
        ("choice", "720P", "720P"),
        ("new_choice", "b", "b"),
        ("anything", {"__value__": [1, 2, 3]}, [1, 2, 3]),
    ],
)
def test_constants_are_converted_to_their_type(name, value, converted):
    (step,) = planned({name: value})
    assert step.inputs[name] == converted
    assert type(step.inputs[name]) is type(converted)


@pytest.mark.parametrize(
    ("name", "value", "reported"),
    [
        ("count", "many", "must be INT, not 'many'"),
        ("count", None, "must be INT, not None"),
        ("count", 1, "is 1, and the least is 2"),
        ("count", 16, "is 16, and the most is 15"),
        ("scale", 1.5, "is 1.5, and the most is 1.0"),
        ("choice", "8K", "is '8K', and can be: 480P, 720P"),
        ("new_choice", "c", "is 'c', and can be: a, b"),
        ("image", ["source", 1], "wants IMAGE, and output 1 of node source is INT"),
        ("choice", ["source", 2], "wants one of a list, and output 2 of node source is STRING,FLOAT"),
        ("image", ["source", 4], "links to output 4 of node source, which has 4 outputs"),
        ("image", ["source", -1], "links to output -1 of node source, which has 4 outputs"),
        ("image", ["nobody", 0], "links to node nobody, which does not exist"),
        ("image", ["source"], """must link to an output as ["node id", index], not ['source']"""),
        ("image", [7, 0], """must link to an output as ["node id", index], not [7, 0]"""),
        ("unheard_of", ["source", 0], "is none that this class has"),
    ],
)
def test_an_input_that_cannot_be_is_refused(name, value, reported):
    assert faults({name: value}) == [f"node sink (Sink): input {name!r} {reported}"]


@pytest.mark.parametrize(
    ("name", "output"), [("image", 0), ("image", 3), ("anything", 1), ("text", 2), ("scale", 2), ("choice", 3)]
)
def test_types_that_meet_can_be_linked(name, output):
    assert [step.node_id for step in planned({name: ["source", output]})] == ["source", "sink"]


def test_a_constant_that_nobody_declared_is_dropped():
    (step,) = planned({"from an older version": 1})
    assert step.inputs == {}


def test_all_problems_come_at_once():
    found = faults(
        {"image": ["source", 1]},
        kind="Needs",
        other={"class_type": "Sink", "inputs": {"count": 99}},
        odd={"class_type": "Unknown", "inputs": {}},
        blank={},
        bare={"class_type": "Sink"},
    )
    assert found == [
        "node odd: there is no node class 'Unknown' here",
        "node blank: has no class_type",
        "node bare (Sink): has no inputs",
        "node sink (Needs): input 'image' wants IMAGE, and output 1 of node source is INT",
        "node sink (Needs): input 'prompt' is missing",
        "node other (Sink): input 'count' is 99, and the most is 15",
    ]


def test_a_link_to_a_node_at_fault_is_no_second_fault():
    odd = {"class_type": "Unknown", "inputs": {}}
    assert faults({"image": ["odd", 0]}, odd=odd) == ["node odd: there is no node class 'Unknown' here"]


def test_nodes_that_do_not_run_are_not_checked():
    class Unused(Needs):
        OUTPUT_NODE = False

    unused = {"class_type": "Unused", "inputs": {}}
    assert len(planned({}, classes={**CLASSES, "Unused": Unused}, unused=unused)) == 1


def test_a_graph_without_an_output_node_is_refused():
    assert faults({}, kind="Source") == ["it has no output node, so nothing of it would run"]


def test_a_circle_is_found():
    class Passes(Source):
        INPUT_TYPES = classmethod(lambda cls: {"required": {"value": ("*",)}})

    def passing(node_id):
        return {"class_type": "Passes", "inputs": {"value": [node_id, 0]}}

    found = faults({"anything": ["a", 0]}, classes={**CLASSES, "Passes": Passes}, a=passing("b"), b=passing("a"))
    assert found in (
        ["nodes a -> b -> a wait for each other in a circle"],
        ["nodes b -> a -> b wait for each other in a circle"],
    )


def validating(function):
    return {**CLASSES, "Sink": type("Sink", (Sink,), {"VALIDATE_INPUTS": classmethod(function)})}


def test_a_nodes_own_check_replaces_the_stock_checks_of_what_it_names():
    seen = []

    def check(cls, count, choice):
        seen.append((count, choice))
        return True

    given = {"count": 99, "choice": "8K", "scale": 7.0}
    found = faults(given, classes=validating(check))
    assert found == ["node sink (Sink): input 'scale' is 7.0, and the most is 1.0"]
    assert seen == [(99, "8K")]


def test_a_nodes_own_check_that_takes_everything_replaces_all_stock_checks():
    planned({"count": 99, "choice": "8K"}, classes=validating(lambda cls, **inputs: True))


@pytest.mark.parametrize(
    ("response", "reported"),
    [("too long for this model", "too long for this model"), (False, "its own check refused the inputs")],
)
def test_what_a_nodes_own_check_refuses_is_reported(response, reported):
    assert faults({"count": 5}, classes=validating(lambda cls, count: response)) == [f"node sink (Sink): {reported}"]


def test_a_nodes_own_check_may_be_a_coroutine_and_sees_none_for_links():
    async def check(cls, image, count):
        return f"{image} and {count}"

    found = faults({"image": ["source", 0], "count": "3"}, classes=validating(check))
    assert found == ["node sink (Sink): None and 3"]


def test_a_nodes_own_check_can_judge_the_linked_types():
    def check(cls, input_types):
        return str(input_types)

    found = faults({"image": ["source", 1]}, classes=validating(check))
    assert found == ["node sink (Sink): {'image': 'INT'}"]


def test_a_failing_check_is_a_fault_like_others():
    def check(cls, count):
        raise KeyError("model")

    assert faults({"count": 5}, classes=validating(check)) == [
        "node sink (Sink): its own check failed: KeyError: 'model'"
    ]
