"""The pure core: one model, compiled to SQL for bulk and to Python for one; records to persons."""
