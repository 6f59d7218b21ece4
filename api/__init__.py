"""The server: HTTP doors to the services of `mpi`."""
