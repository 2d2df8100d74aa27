"""Batch norms folded into the operators before them."""

import onnx_ir as ir


def fold_batch_norm(model: ir.Model) -> None:
    """The scale and shift of a BatchNormalization go into the constants of the Conv, ConvTranspose or Gemm that it
    follows."""
    from onnxscript.rewriter import RewriteRuleSet
    from onnxscript.rewriter.rules import common

    rules = [
        common.fuse_batchnorm_into_conv_rule,
        common.fuse_batchnorm_into_conv_transpose_rule,
        common.fuse_batchnorm_into_gemm_rule,
    ]
    RewriteRuleSet(rules).apply_to_model(model)
