"""One technique a file. Importing a file registers its step."""
