"""The evaluation for people: a page to open in a browser, and a model card in Markdown, with answers to read."""
