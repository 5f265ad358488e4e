"""The columns of every Delta table, a module for each family of tables."""
