"""The second route: open models, trained by TRL and PEFT on the curated tables. Needs `pip install 'finelake[hf]'`."""
