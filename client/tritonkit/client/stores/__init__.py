"""Where a cache keeps its entries."""
