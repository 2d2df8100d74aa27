"""Fold batch normalization into the operators before it."""

import onnx_ir as ir

from edgekit.model.passes.rewriting import GraphPass


class FoldBatchNormPass(GraphPass):
    """Fold the scale and shift of each BatchNormalization into the constants of the preceding Conv, ConvTranspose or
    Gemm."""

    def apply(self, model: ir.Model) -> None:
        from onnxscript.rewriter import RewriteRuleSet
        from onnxscript.rewriter.rules import common

        rules = [
            common.fuse_batchnorm_into_conv_rule,
            common.fuse_batchnorm_into_conv_transpose_rule,
            common.fuse_batchnorm_into_gemm_rule,
        ]
        RewriteRuleSet(rules).apply_to_model(model)
