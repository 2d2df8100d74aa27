"""The cache keys: digests of everything that affects an output."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgekit.cache import Cache
from edgekit.contract.artifact import Artifact
from edgekit.contract.step import Setting
from edgekit.data.listing import listing_of
from edgekit.data.splits import Splits
from edgekit.files import sha256_of_file, sha256_of_json
from edgekit.host import installed_version
from edgekit.planning.plan import PlannedStep
from edgekit.progress import Progress
from edgekit.project.project import Project, is_function
from edgekit.project.sources import code_version
from edgekit.runtime_specs import runtimes_of
from edgekit.target import Target
from edgekit.traits import Data, Format, Role


class DataDigests:
    """The digests of a project's splits, each computed once per build."""

    def __init__(self, project: Project, splits: Splits, cache: Cache, progress: Progress) -> None:
        self.project = project
        self.splits = splits
        self.cache = cache
        self.progress = progress
        self.assumed: list[str] = []
        self._known: dict[Data, str] = {}
        self._hashed: dict[str, str] = {}
        self._declared = project.declared_data_digest()

    def digest(self, split: Data) -> str:
        if split not in self._known:
            self._known[split] = sha256_of_json(self._identity(split))
        return self._known[split]

    def _identity(self, split: Data) -> list[Any]:
        entry = self.project.data_entry(split)
        settings: list[Any] = [
            self.project.data.batch_size,
            self.project.data.calibration_samples if split is Data.CALIBRATION else 0,
        ]
        if not is_function(entry):
            # The seed splits files into calibration and evaluation.
            how = [self.splits[split].preprocessing, self.project.seed, split if self.project.holds_out else ""]
            return [self._files(entry), how, settings]
        sources = self.project.entry_digest(entry)
        if self.project.holds_out:
            settings += [self.project.seed, split]
        if self._declared is not None:
            return [sources, self._declared, settings]
        return [sources, self._content(entry, sources, split), settings]

    def _files(self, entry: str) -> str:
        """The digest of the sample files at a path, and of their labels."""
        if entry not in self._hashed:
            listing = listing_of(self.project.root / entry)
            self.progress.note(f"hashing {len(listing.paths)} files in {entry}")
            digests = {str(path.relative_to(listing.root)): sha256_of_file(path) for path in listing.paths}
            labels = self.project.data.labels
            self._hashed[entry] = sha256_of_json(
                [digests, sha256_of_file(self.project.root / labels) if labels else ""]
            )
        return self._hashed[entry]

    def _content(self, entry: str, sources: str, split: Data) -> str:
        """The digest of undeclared data, computed once for these sources and kept."""
        alike = [each for each in Data if self.project.data_entry(each) == entry]
        read = split if self.project.holds_out else alike[0]
        key = sha256_of_json(["content", sources, read if self.project.holds_out else ""])

        def hash_samples(*_: Path) -> dict[str, Any]:
            self.progress.note(f"hashing the samples of '{entry}': edgekit.toml declares no data_files")
            return {"kind": "data", "entry": entry, "digest": self.splits[read].digest()}

        found, _ = self.cache.entry(key, hash_samples)
        text = (
            f"{entry}: hashed at {found.record['created']} and assumed unchanged since; declare data_files to "
            "detect changes"
        )
        if text not in self.assumed:
            self.assumed.append(text)
        return str(found.record["digest"])


def step_key(
    project: Project,
    data: DataDigests,
    target: Target,
    planned: PlannedStep,
    model: Artifact,
    joined: Mapping[Role, Artifact],
) -> str:
    """The key of a step's output: its options, its input models, and what its contract reads."""
    contract = planned.step.reads()
    from_torch = Format.TORCH in contract.requires
    decided_by = planned.step.decided_by(target)
    return sha256_of_json(
        {
            "step": planned.step.name(),
            "options": planned.step.options(),
            "model": model.digest,
            "joined": {role: each.digest for role, each in joined.items()},
            "entries": [
                project.entry_digest(project.model_entry(each.role) or "") for each in (model, *joined.values())
            ]
            if from_torch
            else [],
            "settings": {name: _setting(project, name, model.role) for name in sorted(contract.settings)},
            "data": {split: data.digest(split) for split in sorted(contract.data)},
            "target": {name: target.to_json()[name] for name in sorted(contract.target)},
            "code": code_version(type(planned.step).__module__),
            "packages": {name: package_version(name) for name in contract.packages},
            **({} if decided_by is None else {"decided_by": decided_by}),
        }
    )


def metric_key(
    project: Project, data: DataDigests, artifact: Artifact, *, exact: bool, reference: str = "", runtime: str = ""
) -> str:
    """The key of a model's metric on this machine.

    `exact` says that sums of 8-bit products must not saturate; `reference` is the digest of the float model for
    comparison; `runtime` is the requested one if ONNX Runtime does not run the file.
    """
    is_module = artifact.format is Format.TORCH
    packages = {"torch"} if is_module else {"onnxruntime", *([runtime] if runtime else [])}
    if artifact.format is Format.TFLITE:  # another runtime may replace the requested one if that is not installed
        packages |= set(runtimes_of(Format.TFLITE))
    return sha256_of_json(
        {
            "metric": _metric(project),
            "model": artifact.digest,
            "entry": project.entry_digest(project.model_entry(artifact.role) or "") if is_module else "",
            "exact": exact,
            "reference": reference,
            "data": data.digest(Data.EVALUATION),
            "code": code_version(f"edgekit.{'training' if is_module else 'metrics'}.evaluation"),
            "runtime": runtime,
            "packages": {name: package_version(name) for name in sorted(packages)},
        }
    )


def _setting(project: Project, name: Setting, role: Role) -> Any:
    """The part of a project's setting that affects a step's output."""
    if name == "seed":
        return project.seed
    if name == "ports":
        return [project.model.inputs, project.model.outputs]
    if name == "loss":
        return project.entry_digest(project.loss) if project.loss else ""
    if name == "metric":
        return [*_metric(project), project.budgets.max_drop]
    weights = project.weights_file(role)
    return sha256_of_file(weights) if weights else ""


def _metric(project: Project) -> list[str]:
    return [project.metric, project.entry_digest(project.metric) if ":" in project.metric else ""]


def package_version(package: str) -> str:
    """The version of an installed package, or "absent"."""
    return installed_version(package) or "absent"
