"""Read TFLite files, and write them from ONNX graphs."""
