"""Label images ``(*space)``: 0 background, −1 unknown, everything else an instance."""
