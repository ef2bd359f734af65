"""What prediction is made of: a runner, a configuration, and tiles within bounded memory."""
