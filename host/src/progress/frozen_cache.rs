//! What epochs start from, in a line.

use super::duration;
use thaw_data::Split;
use thaw_plugin_api::context::Progress;
use thaw_train::fit::events::{CacheOrigin, CacheStart};

/// What a pass over a split starts from now, in two parts: the epoch, and what it is.
pub(super) fn line(progress: &Progress, split: Split, start: &CacheStart<'_>) -> [String; 2] {
    let what = match split {
        Split::Train => "training",
        Split::Val => "validation",
    };
    let text = match start {
        CacheStart::Stage { after, cut, stages, bytes, is_on_disk, seconds, origin, view } => {
            let (mib, place) = (*bytes as f64 / f64::from(1 << 20), place(*is_on_disk));
            let how = match origin {
                CacheOrigin::Computed => "computed",
                CacheOrigin::Taken => "taken from an earlier run",
            };
            let view = view.map(|(view, views)| format!(" in view {} of {views}", view + 1));
            let view = view.unwrap_or_default();
            format!(
                "{what} starts after `{after}` ({cut} of {stages} stages){view}: {mib:.1} MiB {place}, \
                 {how} in {}",
                duration(*seconds)
            )
        }
        CacheStart::Samples { reason } => format!("{what} starts from the samples: {reason}"),
    };
    [format!("epoch {:>3}: frozen cache", progress.epoch + 1), text]
}

fn place(is_on_disk: bool) -> &'static str {
    if is_on_disk { "on disk" } else { "in memory" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_epoch_starts_from_is_said_with_its_reason() {
        let progress = Progress { epoch: 2, ..Progress::default() };
        let line = |start: &CacheStart<'_>| line(&progress, Split::Train, start).join("  ");
        let (after, cut, stages, bytes) = ("layer4", 5, 7, 3 << 20);
        let (origin, view) = (CacheOrigin::Computed, None);
        let stage =
            CacheStart::Stage { after, cut, stages, bytes, is_on_disk: false, seconds: 1.25, origin, view };
        assert_eq!(
            line(&stage),
            "epoch   3: frozen cache  training starts after `layer4` (5 of 7 stages): 3.0 MiB in \
             memory, computed in 1.2 s"
        );
        assert_eq!(
            line(&CacheStart::Samples { reason: "`layer4` trains" }),
            "epoch   3: frozen cache  training starts from the samples: `layer4` trains"
        );
    }
}
