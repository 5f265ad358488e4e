"""The forms of a training file's lines, one module a method."""
