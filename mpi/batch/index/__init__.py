"""The whole index at once: loaded, linked again, compared with what is stored, and written."""
