"""Training: patches, augmentation, batches, steps, validation, and what a run leaves behind."""
