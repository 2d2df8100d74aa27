"""Quantizers: ONNX Runtime's static quantization and Intel Neural Compressor, with what calibrates them."""
