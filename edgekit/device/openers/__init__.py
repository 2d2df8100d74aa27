"""How each runtime loads a model: one file a runtime, which is sent to the device with a job and imports nothing of
edgekit.

Each file has `open_model(module, path, threads, floats)`, which takes the imported runtime and returns a session with
`get_inputs()` and `run(None, feed)` as ONNX Runtime's has them.
"""

LOADED_BY_NAME = True
"""Its files are loaded by name: whatever imports the package has all of them in its version (project/sources.py)."""
