"""Multiply-accumulates of convolutions, matrix products and recurrent layers. A count is exact, or unknown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import prod

from onnx import AttributeProto, GraphProto, ModelProto, NodeProto

from edgekit.model.constants import small_constants
from edgekit.model.operators import attribute, is_standard
from edgekit.model.shapes import shapes_of

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Macs:
    """The count for one sample, or the reason why it is unknown."""

    count: int | None
    unknown: str = ""


class _Unknown(Exception):
    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def macs_of(shaped: ModelProto) -> Macs:
    """The multiply-accumulates of a model in the form of `for_one_sample`.

    Convolutions, matrix products, Einsum, attention and recurrent layers are counted; elementwise arithmetic and
    transforms are not. An If is counted if its branches agree, a Scan once per iteration.
    """
    try:
        return Macs(_of_graph(shaped.graph, {}, {}))
    except _Unknown as unknown:
        return Macs(None, unknown.why)


class _Node:
    """A node with the shapes of its tensors."""

    def __init__(self, node: NodeProto, shapes: Mapping[str, Shape]) -> None:
        self.node = node
        self._shapes = shapes

    def has(self, position: int) -> bool:
        return len(self.node.input) > position and bool(self.node.input[position])

    def input(self, position: int) -> Shape:
        return self._shape(self.node.input[position])

    @property
    def output(self) -> int:
        """The number of elements of the first output."""
        return prod(self._shape(self.node.output[0]))

    def flag(self, name: str, default: int = 0) -> int:
        return attribute(self.node, name, default)

    def _shape(self, name: str) -> Shape:
        if name not in self._shapes:
            raise _Unknown(f"the shape of '{name}' at {self.node.op_type} is not known")
        return self._shapes[name]


def _of_graph(graph: GraphProto, outer: Mapping[str, Shape], constants: Mapping[str, bool]) -> int:
    shapes = {**outer, **shapes_of(graph)}
    fixed = {**constants, **_conditions(graph)}
    return sum(_of_node(node, shapes, fixed) for node in graph.node)


def _of_node(node: NodeProto, shapes: Mapping[str, Shape], constants: Mapping[str, bool]) -> int:
    inner = [each for each in node.attribute if each.type == AttributeProto.GRAPH]
    if inner:
        return _of_control_flow(node, inner, shapes, constants)
    counter = (_STANDARD if is_standard(node) else _RUNTIMES_OWN).get(node.op_type)
    if counter is not None:
        return counter(_Node(node, shapes))
    if is_standard(node) or node.op_type in _FREE:
        return 0
    raise _Unknown(f"the multiply-accumulates of {node.domain}.{node.op_type} are not known")


def _of_control_flow(
    node: NodeProto, inner: list[AttributeProto], shapes: Mapping[str, Shape], constants: Mapping[str, bool]
) -> int:
    counts = {each.name: _of_graph(each.g, shapes, constants) for each in inner}
    if node.op_type == "If":
        if node.input[0] in constants:
            return counts["then_branch" if constants[node.input[0]] else "else_branch"]
        if len(set(counts.values())) == 1:
            return counts["then_branch"]
        raise _Unknown("the branches of an If differ")
    if not any(counts.values()):
        return 0
    if node.op_type == "Scan" and not any(each.name == "scan_input_axes" for each in node.attribute):
        return counts["body"] * _Node(node, shapes).input(len(node.input) - 1)[0]
    raise _Unknown(f"the number of iterations of a {node.op_type} is not known")


def _conditions(graph: GraphProto) -> dict[str, bool]:
    """Constants that may decide an If."""
    constants = small_constants(graph)
    return {name: bool(value) for name, value in constants.items() if value.dtype == bool and value.size == 1}


def _convolution(weight: int) -> Callable[[_Node], int]:
    """For each output element, a kernel over the input channels of its group: weight (out, in / groups, ...)."""
    return lambda node: node.output * prod(node.input(weight)[1:])


def _transposed_convolution(node: _Node) -> int:
    """For each input element, a kernel over the output channels of its group: weight (in, out / groups, ...)."""
    return prod(node.input(0)) * prod(node.input(1)[1:])


def _product(node: _Node) -> int:
    if node.flag("transBatchA") or node.flag("transBatchB"):
        raise _Unknown("matrix products over transposed batches are not counted")
    return node.output * node.input(0)[-2 if node.flag("transA") else -1]


def _packed_product(node: _Node) -> int:
    """A product whose weight is packed; attributes give its sizes."""
    return prod(node.input(0)[:-1]) * node.flag("K") * node.flag("N")


def _recurrent(node: _Node) -> int:
    """For each step and sample, the weights of all gates: x (steps, samples, features), or samples first with layout 1.
    W and R hold every direction."""
    steps, samples, _ = node.input(0)
    return steps * samples * (prod(node.input(1)) + prod(node.input(2)))


def _einsum(node: _Node) -> int:
    """The product of all axis lengths, except for axes of only one operand, which can be summed first."""
    equation = next(each.s.decode() for each in node.node.attribute if each.name == "equation").replace(" ", "")
    given, _, wanted = equation.partition("->")
    terms = given.split(",")
    if len(terms) == 1:
        return 0
    if len(terms) > 2 or "." in equation or any(len(set(term)) != len(term) for term in terms):
        raise _Unknown(f"the order in which Einsum computes {equation} is not known")
    if "->" not in equation:
        wanted = "".join(each for each in set(given) if given.count(each) == 1)
    sizes: dict[str, int] = {}
    for position, term in enumerate(terms):
        for label, size in zip(term, node.input(position), strict=True):
            sizes[label] = max(sizes.get(label, 1), size)
    kept = set(wanted) | set(terms[0]) & set(terms[1])
    return prod(size for label, size in sizes.items() if label in kept)


def _attention(node: _Node) -> int:
    """Queries times keys, then scores times values: (batch, heads, steps, size) each, or (batch, steps, heads x
    size)."""
    if node.has(4) or node.has(5):
        raise _Unknown("attention over a past of unknown length is not counted")
    query, key, value = (node.input(i) for i in range(3))
    if len(query) == 4:
        return prod(query[:3]) * key[2] * (query[3] + value[3])
    heads, kv_heads = node.flag("q_num_heads"), node.flag("kv_num_heads")
    return query[0] * query[1] * key[1] * (query[2] + value[2] * heads // kv_heads)


def _fused_attention(node: _Node) -> int:
    """ONNX Runtime's Attention and QAttention: one projection of x (batch, steps, features), then attention. Queries,
    keys and values have the same width."""
    if any(each.name == "qkv_hidden_sizes" for each in node.node.attribute) or node.flag("do_rotary"):
        raise _Unknown(f"{node.node.op_type} with its own sizes is not counted")
    past = {"Attention": 4, "QAttention": 8}[node.node.op_type]
    if node.has(past):
        raise _Unknown("attention over a past of unknown length is not counted")
    (batch, steps, features), (_, width) = node.input(0), node.input(1)
    return batch * steps * features * width + 2 * batch * steps * steps * (width // 3)


def _separate_attention(node: _Node) -> int:
    """ONNX Runtime's MultiHeadAttention on queries, keys and values (batch, steps, heads x size)."""
    if not (node.has(1) and node.has(2)) or node.has(6) or len(node.input(1)) != 3 or len(node.input(0)) != 3:
        raise _Unknown("attention that is packed or over a past is not counted")
    query, key, value = (node.input(i) for i in range(3))
    return query[0] * query[1] * key[1] * (query[2] + value[2])


_STANDARD: dict[str, Callable[[_Node], int]] = {
    "Conv": _convolution(1),
    "ConvInteger": _convolution(1),
    "QLinearConv": _convolution(3),
    "DeformConv": _convolution(1),
    "ConvTranspose": _transposed_convolution,
    "Gemm": _product,
    "MatMul": _product,
    "MatMulInteger": _product,
    "QLinearMatMul": _product,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
    "Einsum": _einsum,
    "Attention": _attention,
}

_RUNTIMES_OWN: dict[str, Callable[[_Node], int]] = {
    "FusedConv": _convolution(1),
    "FusedGemm": _product,
    "QGemm": _product,
    "FusedMatMul": _product,
    "GemmFastGelu": _product,
    "MatMulIntegerToFloat": _product,
    "DynamicQuantizeMatMul": _product,
    "MatMulNBits": _packed_product,
    "DynamicQuantizeLSTM": _recurrent,
    "Attention": _fused_attention,
    "QAttention": _fused_attention,
    "MultiHeadAttention": _separate_attention,
}

# Contrib operators without matrix products.
_FREE = {
    "ArrayFeatureExtractor", "BiasAdd", "BiasGelu", "BiasSoftmax", "BiasSplitGelu", "Binarizer", "CastMap",
    "CategoryMapper", "DequantizeLinear", "DictVectorizer", "EmbedLayerNormalization", "ExpandDims", "FastGelu",
    "FeatureVectorizer", "GatherND", "Gelu", "GridSample", "GroupNorm", "Imputer", "LabelEncoder", "NhwcMaxPool",
    "Normalizer", "OneHotEncoder", "Pad", "QEmbedLayerNormalization", "QLinearAdd", "QLinearAveragePool",
    "QLinearConcat", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul", "QLinearReduceMean",
    "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere", "QuantizeLinear", "QuickGelu", "Range", "ReduceSumInteger",
    "RelativePositionBias", "RotaryEmbedding", "Scaler", "SkipGroupNorm", "SkipLayerNormalization",
    "SkipSimplifiedLayerNormalization", "Trilu", "Unique", "ZipMap",
}  # fmt: skip
