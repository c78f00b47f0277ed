"""What the callbacks that watch a training share.

`observed` finds out what each update used, `recording` and `logged_steps` take it down off the hot
path, `history` keeps it, `history_plot` and `pictures` draw it, `bar_display` prints it; `trust`
tells whether a value can have changed unseen, `group_names` what groups are called.
"""
