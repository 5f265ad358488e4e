"""Delta tables: their names, their contracts, and the only code that reads and writes them."""
