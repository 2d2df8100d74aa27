import numpy as np

from edgekit.tflite.subgraph import NONE, QuantParams, Subgraph


def test_a_grid_reaches_from_the_least_integer_to_the_largest() -> None:
    assert QuantParams((0.5,), (-28,)).reaches() == (-50.0, 77.5)


def test_constants_of_the_same_values_and_meaning_are_one() -> None:
    graph, ones = Subgraph(), np.ones(3, np.int8)
    first = graph.constant("a", ones)
    assert graph.constant("b", ones.copy()) == first
    assert graph.constant("c", ones, QuantParams((1.0,), (0,))) != first
    assert graph.constant("d", np.ones(3, np.int32)) != first


def test_what_no_output_hangs_on_is_taken_out() -> None:
    graph = Subgraph()
    given, unused, made = (graph.tensor(name, "float32", (2,)) for name in ("x", "u", "y"))
    graph.inputs, graph.outputs = [given], [made]
    graph.operator("RELU", [given], unused)
    graph.operator("CONV_2D", [given, NONE], made)
    left, places = graph.without_unused()
    assert places[made] == 1 and unused not in places
    assert [each.name for each in left.tensors] == ["x", "y"]
    assert [(each.kind, each.inputs, each.outputs) for each in left.operators] == [("CONV_2D", (0, NONE), (1,))]
    assert (left.inputs, left.outputs) == ([0], [1])


def test_an_input_that_nothing_reads_stays_one() -> None:
    graph = Subgraph()
    graph.inputs = [graph.tensor("x", "float32", (2,))]
    made = graph.tensor("y", "float32", (2,))
    graph.outputs = [graph.operator("RELU", [graph.constant("c", np.ones(2, np.float32))], made)]
    assert len(graph.without_unused()[0].inputs) == 1
