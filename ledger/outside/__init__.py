"""What is kept outside the database, as files: keys, checkpoints, tiles."""
