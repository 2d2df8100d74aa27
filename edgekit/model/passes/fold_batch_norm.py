"""Fold batch normalization into the operators before it."""

import onnx_ir as ir


def fold_batch_norm(model: ir.Model) -> None:
    """Fold the scale and shift of each BatchNormalization into the constants of the preceding Conv, ConvTranspose or
    Gemm."""
    from onnxscript.rewriter import RewriteRuleSet
    from onnxscript.rewriter.rules import common

    rules = [
        common.fuse_batchnorm_into_conv_rule,
        common.fuse_batchnorm_into_conv_transpose_rule,
        common.fuse_batchnorm_into_gemm_rule,
    ]
    RewriteRuleSet(rules).apply_to_model(model)
