"""Access to MindSpore optimizers: the one room that knows their insides.

Everything else in the package asks here: which optimizer a training run uses (`find`), what the
user gave its constructor (`constructor`, `groups`), what its learning rate is in each of its forms
(`rates`, `reading`), how many updates it has done (`counter`), and how to change what its next
update uses (`driving`). A new MindSpore release is a change in this folder and nowhere else.
"""
import mindspore as ms

from ms_lr_callbacks.optimizers.access import OptimizerAccess, access_to
from ms_lr_callbacks.optimizers.find import find_optimizer, updates_at_each_call
from ms_lr_callbacks.optimizers.internals import warn_if_untried
from ms_lr_callbacks.optimizers.overview import Hyperparameter, hyperparameters
from ms_lr_callbacks.optimizers.reading import get_last_lr, get_lr, print_lr

__all__ = ["Hyperparameter", "OptimizerAccess", "access_to", "find_optimizer", "get_last_lr", "get_lr",
           "hyperparameters", "print_lr", "updates_at_each_call"]

warn_if_untried(ms.__version__)
