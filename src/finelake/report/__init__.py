"""The report of a curation: bounded summaries of its tables, as a JSON document and a page made from that alone."""
