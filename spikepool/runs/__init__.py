"""The stages of a run that depend on the kind of table: spike counts, or estimates.

`interface` says what `spikepool.pipeline` asks of either kind; `counts` and `estimates` answer.
"""
