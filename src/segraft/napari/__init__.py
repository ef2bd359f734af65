"""The plugin of napari: models segment the layers of a viewer. ``napari.yaml`` says what it offers."""
