"""`mpi link`: any file of people, with no store and no labels."""
