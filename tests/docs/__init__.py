"""The pages: their links, their commands, their site."""
