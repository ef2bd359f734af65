"""The best model of a run: kept while it trains, its segmentation tuned at the end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from segraft.metrics.scores import choosing, finds_nothing
from segraft.model import checkpoint, model_file
from segraft.model.model import Model, load
from segraft.model.torch_runner import TorchRunner, find_device
from segraft.reporting.view import View
from segraft.run_folder import RunFolder
from segraft.settings import TrainSettings
from segraft.terminal.progress import counting
from segraft.training.building import Trainee
from segraft.training.callbacks import Recorder
from segraft.training.opening import rank
from segraft.training.validation import Tuned, Validation


def _better(scores: Mapping[str, float | int], others: Mapping[str, float | int], monitor: str) -> bool:
    rank = choosing(monitor).rank
    return rank(scores[monitor]) > rank(others[monitor])


class BestModel:
    """The best model of a run: written to the run folder, and kept in memory for the end of the run."""

    def __init__(self, trainee: Trainee, folder: RunFolder, validation: Validation) -> None:
        self.trainee, self.folder, self.validation = trainee, folder, validation
        self.views: list[View] | None = None
        self._weights: checkpoint.Weights | None = None

    def keep(self) -> None:
        """Keep the network as it is now, with the threshold at which the last validation was best, and its views."""
        self.trainee = self.trainee.segmenting(foreground_threshold=self.validation.threshold)
        self._weights = checkpoint.weights(self.trainee.network)
        if not rank():
            checkpoint.save_weights(self.folder.model, self._weights, self.trainee.config)
        self.views = self.validation.views

    def model(self, device: str) -> Model:
        """Return the best model on a device; loaded from the run folder only where it is not in memory."""
        if self._weights is None:  # an earlier part of the run kept it
            return load(self.folder.path, device)
        network = self.trainee.network
        network.load_state_dict(self._weights)
        network.to(find_device(device)).eval().requires_grad_(False)
        return Model(TorchRunner(network), self.trainee.config)

    def tuned(self, model: Model, settings: TrainSettings, recorder: Recorder) -> Model:
        """The best model with the best segmentation on the validation images, which is stored and recorded.

        A model that finds nothing stays as it is, and so do one that is tuned, and one for which nothing is better on
        all validation images. Raises ``Stopped`` after a signal.
        """
        best = self.folder.best_validation()
        assert best is not None  # the last step is validated
        if self.folder.tuned():
            return model
        start = self.trainee.segmenting(foreground_threshold=best["val"].get("foreground_threshold")).config
        model = Model(model.runner, replace(model.config, segmentation=start.segmentation))  # and no half-stored one
        found = None if finds_nothing(best["val"]) else self._search(model, settings, recorder)
        recorder.stop_where_asked()
        if found is None or not _better(found.scores, best["val"], self.validation.monitor):
            recorder.record_tuned(best["step"])
            return model
        model_file.change(self.folder.path, segmentation=found.segmentation)
        recorder.record_tuned(best["step"], found.scores)
        self.views = self.validation.views
        print(f"segmentation tuned: {settings.monitor} {found}")
        return Model(model.runner, replace(model.config, segmentation=found.segmentation))

    def _search(self, model: Model, settings: TrainSettings, recorder: Recorder) -> Tuned | None:
        """Search the best segmentation; what the user told is not changed."""
        told = {name: getattr(settings, name) for name in ("foreground_threshold", "minimum_size")}
        fixed = {name: value for name, value in told.items() if value is not None}
        recorder.begun = True  # a signal waits for the next trial
        with counting() as show:

            def tell(text: str) -> None:
                recorder.stop_where_asked()
                show(f"tune the segmentation: {text}")

            return self.validation.tune(model, fixed, tell)
