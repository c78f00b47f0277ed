"""How a training is kept in a checkpoint and brought back.

`capture` takes hold of everything, `saving` hands it to the store in `ms_lr_callbacks.checkpoint`;
`resume` brings it back after `state_form` and `mismatch` found nothing wrong; `data_position`, `randomness` and
`callback_states` are parts of it, `agreement` has all ranks load the same, `stop_signals` turns a
signal into a last save.
"""
