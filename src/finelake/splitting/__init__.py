"""What a split depends on beside the salted hash: pinned assignments, exact shares, a cut in time, links."""
