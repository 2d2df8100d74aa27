"""One technique per file. Importing a file registers its step."""
