"""Images, and models that take them."""

import numpy as np
from PIL import Image

from edgekit.data.model_inputs import Inputs
from edgekit.model.ports import Port


def image_inputs(*shape: int | str, dtype: str = "float32") -> Inputs:
    """Of a model that takes one image."""
    return Inputs((Port("image", dtype, shape),))


def colours(width: int = 8, height: int = 6) -> Image.Image:
    """Red at the left, green above, blue everywhere."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2, 0] = 200
    pixels[: height // 2, :, 1] = 100
    pixels[..., 2] = 50
    return Image.fromarray(pixels)
