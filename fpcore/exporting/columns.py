"""The columns of exported tables: the unit and the meaning of each, in one place."""

from fpcore.config.run_config import RunConfig
from fpcore.metric import METRICS
from fpcore.records.frames import COLUMNS

RUN = {
    "run": ("", "name of the record"),
    "source": ("", "measured by this book, or imported from a file"),
    "label": ("", "architecture in short: layers, context_dim, input_tokens"),
    "started": ("", "date or time (UTC) of the start"),
    "alpha": ("", "printed scaling exponent over all sizes, of imported runs"),
    "seconds": ("s", "time of the whole run, where it is known for no single size"),
    "cut_short": (
        "true or false",
        "whether a best epoch is the last that epochs allowed: then perplexity, accuracy and the "
        "exponent cannot be compared with those of other runs",
    ),
    "config": ("", "all knobs as JSON, also those of baselines"),
}
KNOBS = {
    name: ("", f"knob: {field.description}")
    for name, field in RunConfig.model_fields.items()
    if name != "name"
}
KEYS = {
    "run": ("", "name of the record"),
    "seed": ("", "seed of a run; empty where nothing is drawn, or it is not known"),
    "samples": ("conversations", "training conversations"),
}
COUNTS = {
    "train_tokens": ("tokens", "length of the training text"),
    "val_tokens": ("tokens", "length of the validation text"),
    "val_bytes": ("bytes", "length of the validation text"),
    "phase1_iterations": ("iterations", "length of phase 1"),
    "train_er_rows": ("rows", "contexts that the effective rank of training was measured on"),
    "val_er_rows": ("rows", "contexts that the effective rank of validation was measured on"),
    "best_epoch": ("epochs", "epoch that the figures are of, from 1"),
    "epochs_run": ("epochs", "length of phase 2"),
    "trained_parameters": ("parameters", "parameters that training changes"),
    "chosen": ("", "learning rate or n-gram order that development chose of several"),
    "seconds": ("s", "time over all stages"),
}
TRACES = {
    "iteration": ("iterations", "iteration of phase 1, from 2: the first only draws"),
    "convergence_rate": ("share of 1", "tokens whose context changed by less than the threshold"),
    "loss": ("", "loss of phase 1: both terms, weighted"),
    "fixed_point_loss": ("", "mean squared change of a context"),
    "diversity_loss": ("", "minus the spread of the contexts"),
    "grad_norm": ("", "norm of the gradient before it is clipped"),
    "clipped": ("true or false", "whether the gradient was clipped"),
    "layernorm_gain": ("", "mean scale of the block's last LayerNorm"),
}
EPOCHS = {
    "epoch": ("epochs", "epoch of phase 2, from 1"),
    "train_loss": ("nats per token", "training loss, each batch before its update"),
    "val_loss": ("nats per token", "validation loss"),
    "val_acc": ("share of 1", "validation tokens that are predicted"),
    "dev_loss": ("nats per token", "development loss"),
    "dev_acc": ("share of 1", "development tokens that are predicted"),
}
OF_METRICS = {"": "", "%": "share of 1", " 分": "s"}
TABLES: dict[str, dict[str, tuple[str, str]]] = {
    "runs": RUN | KNOBS,
    "results": KEYS
    | {
        name: COUNTS.get(name) or (OF_METRICS[METRICS[name].unit], METRICS[name].label)
        for name in (*COLUMNS, "seconds")
        if name not in KEYS
    },
    "traces": KEYS | TRACES,
    "epochs": KEYS | EPOCHS,
}
