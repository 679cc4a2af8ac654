"""Ground floor of the house: errors, progress, processes, files and paths. It knows no domain."""
