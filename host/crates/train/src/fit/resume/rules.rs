//! What becomes of each key of a run config that has another value when a run is resumed.

use std::fmt;

use Rule::{AtOnce, BetweenEpochs, FromNextEpoch, Refused, WhereItFits};

/// What a changed key does to a resumed run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// It holds from the first batch of the resumed run on.
    AtOnce,
    /// It holds from the next epoch that begins.
    FromNextEpoch,
    /// It holds where the checkpoint lies between two epochs; inside of one it is refused.
    BetweenEpochs,
    /// It holds where the checkpoint allows it; the row says where it does not.
    WhereItFits,
    /// The run is not resumed with it.
    Refused,
}

/// Keys that share a rule.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// Their names, `TABLE.KEY`; `TABLE.*` stands for those of the table that no other row names.
    pub keys: &'static [&'static str],
    /// What a change of them does.
    pub rule: Rule,
    /// Why, or within which limits.
    pub note: &'static str,
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AtOnce => "takes effect",
            FromNextEpoch => "from the next epoch on",
            BetweenEpochs => "between epochs",
            WhereItFits => "where it fits",
            Refused => "refused",
        })
    }
}

/// The rows, in the order of the guide's table.
pub const ROWS: &[Row] = &[
    Row {
        keys: &["seed"],
        rule: Refused,
        note: "the order of the data and the random numbers so far come from it",
    },
    Row {
        keys: &["plugins"],
        rule: AtOnce,
        note: "files may have moved; one with other content than before is warned of",
    },
    Row { keys: &["model.weights"], rule: Refused, note: "the weights are those of the checkpoint" },
    Row {
        keys: &["model.id", "model.*"],
        rule: Refused,
        note: "weights, optimizer and freeze state belong to that model; a file that it names may lie \
               elsewhere",
    },
    Row {
        keys: &[
            "data.path",
            "data.val_path",
            "data.root",
            "data.val_prefix",
            "data.path_column",
            "data.label_column",
            "data.text",
            "data.text_pair",
            "data.label",
            "data.label_separator",
            "data.classes",
            "data.ignore_labels",
            "data.test_path",
        ],
        rule: AtOnce,
        note: "the classes have to be the same, in the same order; another number of training samples is \
               warned of, and refused inside an epoch",
    },
    Row {
        keys: &["data.validation"],
        rule: WhereItFits,
        note: "a set whose metric a `monitor` names has to stay; one that is added begins where the run goes \
               on",
    },
    Row {
        keys: &["data.kind", "data.target", "data.inputs", "data.tokenizer", "data.pad_token_id"],
        rule: Refused,
        note: "inputs and targets would mean something else to the trained model; the tokenizer's file may \
               lie elsewhere",
    },
    Row {
        keys: &["data.id", "dataset.*"],
        rule: Refused,
        note: "as above; `dataset.*` are the own keys of a plugin's data set in `[data]`, of which paths are \
               as `data.path`",
    },
    Row {
        keys: &["data.val_split", "data.split_seed"],
        rule: Refused,
        note: "samples that were trained on would be validated on",
    },
    Row {
        keys: &["data.batch_size"],
        rule: WhereItFits,
        note: "inside an epoch only where the samples so far are whole batches of the new size, and not with \
               `bucket`",
    },
    Row {
        keys: &["data.shuffle", "data.drop_last", "data.bucket", "data.max_length"],
        rule: BetweenEpochs,
        note: "inside an epoch samples would be repeated or left out",
    },
    Row {
        keys: &[
            "data.val_batch_size",
            "data.workers",
            "data.prefetch_mib",
            "data.image_size",
            "data.resize",
            "data.crop_pct",
            "data.interpolation",
            "data.jpeg_scale",
            "data.mean",
            "data.std",
            "data.augment",
            "data.on_error",
            "data.cache",
            "data.cache_mib",
            "data.max_mib",
            "data.max_pixels",
            "data.padding",
        ],
        rule: AtOnce,
        note: "",
    },
    Row {
        keys: &["optimizer.lr", "optimizer.weight_decay"],
        rule: Refused,
        note: "each group of the checkpoint has its own, which strategies and schedules have made of it",
    },
    Row {
        keys: &["optimizer.id", "optimizer.amsgrad"],
        rule: Refused,
        note: "the checkpoint has the state of another optimizer",
    },
    Row {
        keys: &["optimizer.parameters"],
        rule: Refused,
        note: "the groups are those of the checkpoint, which strategies may have changed",
    },
    Row {
        keys: &[
            "optimizer.momentum",
            "optimizer.dampening",
            "optimizer.nesterov",
            "optimizer.betas",
            "optimizer.eps",
            "optimizer.maximize",
        ],
        rule: WhereItFits,
        note: "refused where a group has options of its own (a strategy's, a one-cycle schedule's), or a \
               strategy has replaced the optimizer",
    },
    Row {
        keys: &["scheduler.*"],
        rule: Refused,
        note: "the rates so far come from the schedule of the checkpoint",
    },
    Row {
        keys: &["callbacks"],
        rule: WhereItFits,
        note: "a further callback begins anew; a further strategy is refused, as it would not freeze before \
               training, and so is one that is missing, as its state would be lost",
    },
    Row {
        keys: &["callbacks.*"],
        rule: FromNextEpoch,
        note: "what a strategy froze, unfroze and set before stays; a callback has it at its next hook",
    },
    Row {
        keys: &["trainer.max_epochs", "trainer.max_steps"],
        rule: AtOnce,
        note: "a schedule that spans the run (`cosine` without `T_max`, `one-cycle` without a length, also \
               within others) follows its curve over the new length",
    },
    Row {
        keys: &["trainer.accumulate_grad_batches"],
        rule: WhereItFits,
        note: "inside an epoch only where the batches so far are whole windows; schedules as for \
               `trainer.max_epochs`",
    },
    Row {
        keys: &["trainer.limit_train_batches", "trainer.overfit_batches"],
        rule: BetweenEpochs,
        note: "schedules as for `trainer.max_epochs`",
    },
    Row {
        keys: &["trainer.val_check_interval"],
        rule: AtOnce,
        note: "inside an epoch, from its next batch on",
    },
    Row {
        keys: &["trainer.precision"],
        rule: AtOnce,
        note: "the loss scale of `fp16-mixed` is the checkpoint's, or begins anew",
    },
    Row {
        keys: &["trainer.num_sanity_val_steps"],
        rule: Refused,
        note: "a resumed run makes no sanity check",
    },
    Row { keys: &["trainer.metrics"], rule: WhereItFits, note: "one that a `monitor` names has to stay" },
    Row {
        keys: &[
            "trainer.device",
            "trainer.weighting",
            "trainer.gradient_clip_val",
            "trainer.gradient_clip_algorithm",
            "trainer.check_val_every_n_epoch",
            "trainer.limit_val_batches",
            "trainer.limit_test_batches",
            "trainer.min_epochs",
            "trainer.min_steps",
            "trainer.log_every_n_steps",
            "trainer.report_samples",
            "trainer.profiler",
            "trainer.audit",
            "trainer.detect_anomaly",
            "trainer.deterministic",
            "trainer.matmul_precision",
            "trainer.cudnn_benchmark",
            "trainer.threads",
            "trainer.activation_checkpointing",
            "trainer.cache_mib",
            "trainer.cache_disk_gib",
            "trainer.cache_files",
            "trainer.backend",
            "trainer.timeout",
            "trainer.bucket_mib",
            "trainer.gradient_compression",
            "trainer.sync_batchnorm",
        ],
        rule: AtOnce,
        note: "",
    },
    Row {
        keys: &["trainer.channels_last"],
        rule: AtOnce,
        note: "`auto` keeps the layout of the checkpoint, in which results have its bits",
    },
    Row {
        keys: &["trainer.frozen_precision"],
        rule: AtOnce,
        note: "checkpoints have the exact values whatever it is",
    },
    Row {
        keys: &["trainer.frozen_cache", "trainer.cache_dtype"],
        rule: AtOnce,
        note: "what frozen stages give is computed anew; results differ by rounding from those without",
    },
    Row {
        keys: &["trainer.strategy"],
        rule: AtOnce,
        note: "another number of processes goes on from the same sample, as another `data.batch_size`",
    },
    Row {
        keys: &["checkpoint.monitor", "checkpoint.mode"],
        rule: Refused,
        note: "`best` and the checkpoints that are kept were ranked by it",
    },
    Row {
        keys: &[
            "checkpoint.every_n_epochs",
            "checkpoint.every_n_train_steps",
            "checkpoint.save_top_k",
            "checkpoint.enabled",
            "checkpoint.write",
        ],
        rule: AtOnce,
        note: "",
    },
    Row {
        keys: &["loggers"],
        rule: AtOnce,
        note: "one that is added begins where the run goes on; what another one wrote stays",
    },
    Row {
        keys: &["loss.*"],
        rule: Refused,
        note: "the losses so far, by which checkpoints were ranked and rates lowered, are of another kind; \
               the weights of `balanced` stay those of the checkpoint, whatever the data",
    },
    Row { keys: &["trainer.max_time"], rule: AtOnce, note: "the time that the run has taken so far counts" },
    Row {
        keys: &["trainer.fast_dev_run"],
        rule: Refused,
        note: "a trial begins anew and keeps no checkpoint",
    },
];

/// The row of a key such as `trainer.max_epochs`, `callbacks.0.patience` or `model.num_classes`: the one that
/// names it, else the one of its table.
pub fn row_of(key: &str) -> Option<&'static Row> {
    let named = ROWS.iter().find(|row| row.keys.contains(&key));
    let of_table = || {
        let (table, _) = key.split_once('.')?;
        ROWS.iter().find(|row| row.keys.iter().any(|known| known.strip_suffix(".*") == Some(table)))
    };
    named.or_else(of_table)
}

#[cfg(test)]
mod tests;
