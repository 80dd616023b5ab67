"""A machine behind an endpoint of chat completions."""

from __future__ import annotations

import io
from functools import partial
from pathlib import Path

from budget.errors import InputError
from hpo.data.dataset import Dataset
from hpo.market.machines.machine import MachineOpening, OpenedModel
from labeling.machine.endpoint import EndpointModel, Prompt
from labeling.machine.endpoint_settings import read_endpoint


def open_model(opening: MachineOpening) -> OpenedModel:
    """The machine of an endpoint: the file that describes it.

    Raises:
        InputError: the file or the key is wrong, or there are no images to show.
    """
    data, campaign = opening.data, opening.market.campaign
    if data.images.vectors is not None:
        raise InputError("--machine: endpoint: these are features, which show no image")
    if opening.config.machine_cost is not None:
        raise InputError("--machine-cost: the endpoint's file has prices of tokens; leave it out")
    settings = read_endpoint(Path(opening.where))
    prompt = Prompt.of(campaign.instructions, opening.market.asked.text, data.classes)
    image = partial(png_of, data, settings.image_side)
    return OpenedModel(EndpointModel(settings, prompt, image, settings.key()))


def png_of(data: Dataset, side: int, row: int) -> bytes:
    """An image as the bytes of a PNG file.

    Args:
        data: the images.
        side: of the square, in pixels.
        row: the image.
    """
    from PIL import Image

    from training.images import read_batch

    file = io.BytesIO()
    Image.fromarray(read_batch(data.images, [row], side)[0]).save(file, "PNG")
    return file.getvalue()
