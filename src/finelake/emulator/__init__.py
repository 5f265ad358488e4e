"""Rehearse fine-tuning on one machine: the service's protocol, with a small honest learner behind it.

The emulator speaks the Azure OpenAI data plane, the ARM deployment calls and OpenAI's own paths over real HTTP on the
loopback interface. It is a rehearsal, not a language model: it fits a token n-gram model to the training file, so
that the losses it reports are true cross-entropies, and a tuned deployment answers by looking up the nearest trained
reply. Every response carries the header `x-finelake-rehearsal: true`, and every chat completion the
`system_fingerprint` `fp_finelake_rehearsal`.
"""
