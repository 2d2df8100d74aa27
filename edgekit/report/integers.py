"""The notes of a build's steps as lines: one function for each section that a step's class may declare."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from edgekit.contract.step import DISTURBED, Section
from edgekit.wording import count_of, format_metric


def scheme_lines(notes: Mapping[str, Any]) -> list[str]:
    """Of quantization: the scheme and its reason, and what stayed float with the reason."""
    scale = "channel" if notes["per_channel"] else "tensor"
    why = f": {notes['why']}" if notes.get("why") else ""
    lines = [f"{notes['activation']} activations, {notes['weight']} weights, one scale per {scale}{why}"]
    if "smoothing" in notes:
        lines.append(_smoothing_line(notes["smoothing"], notes["smoothed_everywhere"]))
    if "backend" in notes:
        lines.append(_search_line(notes))
    kept: Mapping[str, str] = notes.get("kept_float", {})
    if kept:
        name, reason = next(iter(kept.items()))
        lines.append(f"{count_of(len(kept), 'operator')} kept in float, such as {name}: {reason}")
    return lines


def _smoothing_line(alpha: float | None, everywhere: bool) -> str:
    if alpha is None:
        return "activations not smoothed"
    smoothed = f"activations smoothed by alpha {alpha:g}"
    if everywhere:
        return smoothed
    return f"{smoothed} before products with fewer outputs than inputs: smoothing the others gains almost nothing"


def training_lines(notes: Mapping[str, Any]) -> list[str]:
    """Of qat: the rounding that was trained for, and what the float student then is."""
    lines = [
        "trained with the rounding of these integers: the float student has the same weights, and its activations "
        f"are not rounded; ranges differ from those in training by at most {notes['range_drift']:.1%} of their width"
    ]
    if notes["weight_bits"] < 8:
        lines.append(f"weights on {2 ** notes['weight_bits'] - 1} levels, stored in 8 bits: the file is not smaller")
    return lines


_BACKENDS = {"ort": "ONNX Runtime", "inc": "Intel Neural Compressor"}


def _search_line(notes: Mapping[str, Any]) -> str:
    """The quantizer that was chosen, and the metric behind it."""
    name, metric = _BACKENDS[notes["backend"]], notes["metric"]
    if "values" not in notes:
        best, own = (format_metric(each, metric) for each in (max(notes["trials"]), notes["float"]))
        tried = count_of(len(notes["trials"]), "trial")
        return f"by {name}: {metric} {best} of {own} on calibration samples, best of {tried}"
    values = ", ".join(f"{_BACKENDS[each]} {format_metric(value, metric)}" for each, value in notes["values"].items())
    failed = "".join(f"; {_BACKENDS[each]} failed: {why}" for each, why in notes["failed"].items())
    return f"by {name}, the better by {metric} on calibration samples: {values}{failed}"


def precision_lines(notes: Mapping[str, Any]) -> list[str]:
    """Of mixed-precision: the operators in float for speed, and how they were found."""
    floats, ratio = notes["floats"], notes["ratio"]
    time = f", {ratio['median']:.3f} ({ratio['low']:.3f} to {ratio['high']:.3f}) of the time" if ratio else ""
    if notes.get(DISTURBED):
        time += f" by CPU time, because the machine was disturbed ({notes[DISTURBED][0]})"
    if not floats:
        return [f"mixed precision: {notes['placed']}{time}"]
    return [f"{count_of(len(floats), 'operator')} put back to float, such as {floats[0]}{time}: {notes['placed']}"]


def given_lines(notes: Mapping[str, Any]) -> list[str]:
    """Of keep: the form of the given integers."""
    text = f" with {' and '.join(notes['activations'])} activations" if notes["activations"] else ""
    return [
        f"already quantized ({', '.join(notes['forms']) or 'integer weights'}{text}): unchanged",
        "no float model exists to compare it with: the comparison is between this machine and the target",
    ]


def operator_lines(notes: Mapping[str, Any]) -> list[str]:
    """Of fuse: the integer and float operators of the fused graph."""
    integer, floating = notes["integer_operators"], notes["float_operators"]
    kinds = ", ".join(f"{count} {kind}" for kind, count in floating.items())
    lines = [f"{count_of(integer, 'integer operator')}, {sum(floating.values())} in float{kinds and ': ' + kinds}"]
    if notes["islands"]:
        islands = "; ".join(f"{count} x {kinds}" for kinds, count in notes["islands"].items())
        lines.append(f"float islands between integer operators: {islands}")
    return lines


def tflite_lines(notes: Mapping[str, Any]) -> list[str]:
    """Of the steps that write TFLite: the agreement with the ONNX model."""
    text = f"as TFLite, under {notes['compared_with']} on {notes['compared_on']}"
    if "steps_off" not in notes:
        noise = notes["signal_to_noise_db"]
        exact = "outputs are the same" if noise is None else f"SQNR of {noise:.1f} dB"
        return [f"{text}: {exact} against the ONNX model"]
    most = max(notes["output_steps_off"].values(), default=0.0)
    return [
        f"{text}: each operator differs by at most {notes['steps_off']:g} LSB, given the integers that it "
        f"received; the outputs by at most {most:g} LSB"
    ]


def simplification_lines(notes: Mapping[str, Any]) -> list[str]:
    """Of simplify: the simplifier that was chosen, and what it saved."""
    return [f"simplified by {notes['chosen']}: {notes['nodes_before']} nodes became {notes['nodes']}"]


_LINES: Mapping[Section, Callable[[Mapping[str, Any]], list[str]]] = {
    "as-given": given_lines,
    "training": training_lines,
    "scheme": scheme_lines,
    "float-fallback": precision_lines,
    "operators": operator_lines,
    "tflite": tflite_lines,
    "simplification": simplification_lines,
}


def section_lines(sections: Iterable[Section], notes: Mapping[str, Any]) -> list[str]:
    """A step's notes, section by section as its class declares them."""
    return [line for section in sections for line in _LINES[section](notes)]
