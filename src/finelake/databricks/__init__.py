"""What is special to a Databricks workspace: its client, Volumes from outside, task values, grants, limits."""
