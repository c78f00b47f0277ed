"""The callbacks that users pass to ``Model.train``, one file each.

What they share stands in rooms of its own: `ms_lr_callbacks.training` (one training and its
updates), `ms_lr_callbacks.scheduling`, `ms_lr_callbacks.monitoring`, `ms_lr_callbacks.resuming`.
"""
