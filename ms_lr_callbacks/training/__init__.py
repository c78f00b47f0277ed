"""One training, as every callback of this package sees it.

`run` is what the callbacks of one training share, `updates` counts its updates, `losses` and
`monitored` know its loss and metrics, `loss_scale` its loss scale; `snapshot` keeps all of it aside,
and `termination` says when the process is told to end.
"""
