"""The documentation inside a bioimage.io package, made from the configuration of its model."""

from __future__ import annotations

from segraft.deploy.resource_description import Imprint, summary, title
from segraft.model.config import ModelConfig, Segmentation

TEXT = """# {title}

{summary}

{authors} {licence}

## What it was trained on

{training}

## What it takes

Grey values as stored, {channels}. The package scales each channel of each image: percentile {low:g} becomes 0,
percentile {high:g} becomes 1, and the network clips what is below 0.

{scaling}

## What it gives

- `affinities`: for each pixel and each offset below, the cosine of the embedding there and at the pixel that the offset
  leads to: 1 within an object, lower across a border, 0 where that pixel lies outside the image.
- `foreground`: the probability that a pixel lies in an object.

Pixels near the border of a tile depend on what lies beyond it; the description states how many (halo).

## From affinities to labels

segraft segments the two outputs, NumPy arrays without their axes of length 1, as its own `predict` does:

```python
from segraft.model.config import Segmentation

offsets = {offsets}
segmentation = {segmentation}
labels = segmentation.segment(affinities, offsets, foreground > segmentation.foreground_threshold)
```

{rules}

## Validation

`segraft evaluate LABELS TRUTH` scores label images by AJI, PQ, F1 and others. Do so on images that the model was not
trained on.
"""
EXACT = "segraft does the same, but for an image whose two percentiles are one value: there it takes the extremes."
NEAREST = """segraft itself takes the range of those blocks of an image that show more than noise, for which the format
has no word. The percentiles are the nearest to it, by the median over {count} images: they fit images with as much
empty area as those. Above 1 the network compresses grey values to 1 + log x, as segraft does."""
ATTRACTIVE = "Other programs do much the same: the first {count} offsets lead to the nearest neighbours and attract"
FILLED = "Then segments grow, in plane, over everything that is not segmented."


def readme(config: ModelConfig, percentiles: tuple[float, float], count: int, imprint: Imprint) -> str:
    """The documentation, as Markdown; ``count`` images told the percentiles, where the model has none of its own."""
    low, high = percentiles
    return TEXT.format(
        title=title(config),
        summary=summary(config),
        authors=f"By {', '.join(imprint.authors)}." if imprint.authors else "Its authors are not stated.",
        licence=f"Licence: {imprint.licence}." if imprint.licence else "Its licence is not stated; ask who made it.",
        training=_training(config),
        channels=_channels(config),
        low=low,
        high=high,
        scaling=EXACT if config.percentiles is not None else NEAREST.format(count=count),
        offsets=config.offsets,
        segmentation=config.segmentation,
        rules=_rules(config.segmentation, len(config.offsets[0])),
    )


def _training(config: ModelConfig) -> str:
    """All that is known of the training, as a list."""
    facts = {"network": f"{config.network.name}, embeddings of {config.network.dim} dimensions"}
    facts |= {name.replace("_", " "): _words(value) for name, value in config.training.items() if value is not None}
    if config.voxel_size is not None:
        facts["pixel size of its images"] = f"{_words(config.voxel_size)} nm"
    if config.object_size is not None:
        facts["typical diameter of its objects"] = f"{config.object_size:g} pixels"
    if config.pixel_type is not None:
        facts["type of their pixels"] = config.pixel_type
    return "\n".join(f"- {name}: {text}" for name, text in facts.items())


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " × ".join(map(_words, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _channels(config: ModelConfig) -> str:
    count = config.network.in_channels
    chosen = f", those at {', '.join(map(str, config.channels))} of the training images" if config.channels else ""
    return ("one channel" if count == 1 else f"{count} channels") + chosen


def _rules(segmentation: Segmentation, ndim: int) -> str:
    """How programs without segraft make labels."""
    repel = {"mutex": ", the others repel (mutex watershed, Wolf et al. 2020)"}.get(segmentation.segmenter, "")
    small = f", or have fewer than {segmentation.minimum_size} pixels," if segmentation.minimum_size else ""
    thin = f"Segments that are nowhere thicker than {segmentation.thickness:g} pixels{small}"
    sentences = [
        f"{ATTRACTIVE.format(count=ndim)}{repel}, within the foreground.",
        f"{thin} join a larger one that they touch.",
        FILLED if segmentation.fill else "",
    ]
    return "\n".join(filter(None, sentences))
