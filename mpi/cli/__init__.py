"""The `mpi` command: one module for each group of commands."""
