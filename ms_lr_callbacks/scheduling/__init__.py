"""What the callbacks that drive a hyperparameter share.

`driving` takes it in hand and gives it back, `scheduled` is the timeline of those that follow a
schedule, `values` checks what schedules give, `plateau` decides when a metric has stopped improving.
"""
