"""Importers: pure readers of foreign files, and the pipeline that puts what they read in time order."""
