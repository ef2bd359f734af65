"""Images and volumes beyond memory: predicted block by block."""
