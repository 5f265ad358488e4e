"""The only code of the training driver that changes something at the service.

Each effect goes the same way (`perform`): what is recorded is not done again; the service is looked through; what is
about to be asked is written down, which fails for a driver that another one has replaced; one request is sent, which
nothing repeats by itself; and when its answer is lost, the service is looked through again before the next attempt.
"""
