"""Built-in operators, one file per family; kernels are compiled when they are first used."""
