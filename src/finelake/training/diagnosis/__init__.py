"""What a job's measurements mean, in words: one rule a module, each a pure function from measurements to a finding."""
