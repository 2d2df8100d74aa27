"""Quantizers: ONNX Runtime's static quantization and Intel Neural Compressor, with their calibration and float
fallback."""
