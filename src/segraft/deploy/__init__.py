"""Networks leave PyTorch: exported files that run elsewhere."""
