"""The widget of the plugin: a form around `segraft.napari.job`, which does the work."""

from __future__ import annotations

from typing import Any

import napari
from magicgui.widgets import (
    ComboBox,
    Container,
    FileEdit,
    FloatSpinBox,
    Label,
    LineEdit,
    ProgressBar,
    PushButton,
    SpinBox,
)
from magicgui.widgets import create_widget as create
from napari.layers import Image
from napari.qt.threading import create_worker
from qtpy.QtCore import QTimer

from segraft.errors import UserError
from segraft.model.config import Segmentation
from segraft.model.model_file import shipped
from segraft.napari.job import Choices, Found, Job, configuration, size_of

FILE = "file or run folder …"
"""What is chosen in place of a model's name."""
AUTOMATIC = "automatic"
TILES = [AUTOMATIC, "2048", "1024", "512", "256", "128"]
SIZE = "diameter of the objects in pixels, or auto; where it is empty the image is taken as it is"
LOOK = 100
"""Milliseconds between two looks at the progress."""
PERCENT = 100
WIDTH = 240
"""Pixels that a line of text takes at least, so that it is not broken sooner."""


class SegmentWidget(Container):
    """Segments an image layer with a model, in a thread, and adds the objects as a layer of labels with their table."""

    def __init__(self, napari_viewer: napari.viewer.Viewer) -> None:
        self.viewer = napari_viewer
        self.model = ComboBox(label="model", choices=[*shipped(), FILE])
        self.file = FileEdit(label="file", mode="r", filter="Models (*.safetensors *.onnx);;All files (*)")
        self.about = Label()
        self.image = create(annotation=Image, label="image")
        self.foreground_threshold = FloatSpinBox(label="foreground threshold", min=0, max=1, step=0.05)
        self.minimum_size = SpinBox(label="minimum size", min=0, max=10**9, tooltip="in pixels; smaller ones vanish")
        self.object_size = LineEdit(label="object size", tooltip=SIZE)
        self.tile = ComboBox(label="tile", choices=TILES, tooltip="in pixels; smaller ones need less memory")
        self.segment, self.cancel = PushButton(text="Segment"), PushButton(text="Cancel", enabled=False)
        self.progress = ProgressBar(min=0, max=PERCENT)
        self.said = Label()
        settings = [self.object_size, self.foreground_threshold, self.minimum_size, self.tile]
        form = Container(widgets=[self.image, *settings])
        buttons = Container(widgets=[self.segment, self.cancel], layout="horizontal", labels=False)
        parts = [Container(widgets=[self.model, self.file]), self.about, form, buttons, self.progress, self.said]
        super().__init__(widgets=parts, labels=False)
        self.job: Job | None = None
        self._stored = Segmentation()
        self._watch = QTimer(self.native)
        self._arrange()

    def _arrange(self) -> None:
        """Connect what happens, and begin with the first model."""
        for text in (self.about, self.said):
            text.native.setWordWrap(True)
            text.min_width = WIDTH
        self.model.changed.connect(self._choose)
        self.file.changed.connect(self._choose)
        self.segment.clicked.connect(self.start)
        self.cancel.clicked.connect(self.stop)
        self._watch.setInterval(LOOK)
        self._watch.timeout.connect(self._show_progress)
        self.native.destroyed.connect(self.stop)
        self.progress.visible = False
        self._choose()

    def chosen(self) -> str:
        """Name or path of the model."""
        return str(self.file.value) if self.model.value == FILE else str(self.model.value)

    def _choose(self) -> None:
        """Show what the model is, and its own settings."""
        self.file.visible = self.model.value == FILE
        try:
            config = configuration(self.chosen())
        except UserError as error:
            self.about.value = str(error)
            return
        trained = config.training.get("dataset")
        self.about.value = config.network.name + (f", trained on {trained}" if trained else "")
        self._stored = config.segmentation
        self.foreground_threshold.value = self._stored.foreground_threshold
        self.minimum_size.value = self._stored.minimum_size
        self.object_size.enabled = config.object_size is not None
        self.object_size.native.setPlaceholderText("as it is" if self.object_size.enabled else "not known to the model")

    def start(self) -> None:
        """Begin to segment the chosen layer; `stop` ends it."""
        layer = self.image.value
        if layer is None:
            self.said.value = "There is no image to segment: open one, or one of File, Open Sample, segraft."
            return
        try:
            choices = self._choices()
        except UserError as error:
            self.said.value = str(error)
            return
        data = layer.data[0] if layer.multiscale else layer.data
        self.job = Job(data, choices, rgb=layer.rgb, voxel_size=voxel_size(layer))
        worker = create_worker(self.job.run, _start_thread=False)
        worker.returned.connect(lambda found: self._finish(found, layer))
        worker.errored.connect(lambda _: self._rest("It failed; the message of napari says why."))
        self._working(True)
        self.said.value = "Segmenting …"
        worker.start()

    def _choices(self) -> Choices:
        """What the form says, where it differs from what is stored; ``UserError`` for what cannot be read."""
        threshold, minimum = self.foreground_threshold.value, self.minimum_size.value
        return Choices(
            model=self.chosen(),
            object_size=size_of(self.object_size.value) if self.object_size.enabled else None,
            foreground_threshold=None if threshold == self._stored.foreground_threshold else threshold,
            minimum_size=None if minimum == self._stored.minimum_size else minimum,
            tile=None if self.tile.value == AUTOMATIC else int(self.tile.value),
        )

    def stop(self) -> None:
        """End the work at the next tile."""
        if self.job is not None:
            self.job.stop()

    def _finish(self, found: Found | str, layer: Image) -> None:
        """Add the labels to the viewer, or say why there are none."""
        if isinstance(found, str):
            self._rest(found)
            return
        axes = slice(layer.ndim - found.labels.ndim, None)
        place = {"scale": layer.scale[axes], "translate": layer.translate[axes], "units": layer.units[axes]}
        self.viewer.add_labels(found.labels, name=f"{layer.name} objects", features=found.features, **place)
        self._rest(f"{found.count} objects in {layer.name}")

    def _rest(self, words: str) -> None:
        """Ready for the next."""
        self.said.value, self.job = words, None
        self._working(False)

    def _working(self, working: bool) -> None:
        self.segment.enabled, self.cancel.enabled = not working, working
        self.progress.visible, self.progress.value = working, 0
        (self._watch.start if working else self._watch.stop)()

    def _show_progress(self) -> None:
        if self.job is not None:
            self.progress.value = round(PERCENT * self.job.progress)


def voxel_size(layer: Any) -> tuple[float, ...]:
    """Size of a layer's pixels along its last axes, in nm: of as many as are measured in lengths."""
    sizes: list[float] = []
    for scale, unit in zip(layer.scale[::-1], layer.units[::-1], strict=True):
        if not unit.is_compatible_with("nanometer"):
            break
        sizes.insert(0, float((float(scale) * unit).to("nanometer").magnitude))
    return tuple(sizes)
