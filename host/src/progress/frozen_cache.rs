//! What epochs start from, in a line.

use thaw_data::Split;
use thaw_plugin_api::context::Progress;
use thaw_train::fit::events::{CacheOrigin, CacheStart};

/// Which splits were shown to start from a cache.
#[derive(Default)]
pub(super) struct Shown {
    train: bool,
    val: bool,
}

impl Shown {
    /// The line of a change; none where a split goes on from its samples, as it does where nothing is said.
    pub(super) fn line(
        &mut self,
        progress: &Progress,
        split: Split,
        start: &CacheStart<'_>,
    ) -> Option<String> {
        let (what, shown) = match split {
            Split::Train => ("training", &mut self.train),
            Split::Val => ("validation", &mut self.val),
        };
        let is_cached = matches!(start, CacheStart::Stage { .. });
        if !std::mem::replace(shown, is_cached) && !is_cached {
            return None;
        }
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
                     {how} in {seconds:.1} s"
                )
            }
            CacheStart::Samples { reason } => format!("{what} starts from the samples: {reason}"),
        };
        Some(format!("epoch {:>3}: frozen cache  {text}", progress.epoch + 1))
    }
}

fn place(is_on_disk: bool) -> &'static str {
    if is_on_disk { "on disk" } else { "in memory" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_that_ends_is_told_and_one_that_never_was_is_not() {
        let (mut shown, progress) = (Shown::default(), Progress { epoch: 2, ..Progress::default() });
        let samples = CacheStart::Samples { reason: "`layer4` trains" };
        assert_eq!(shown.line(&progress, Split::Train, &samples), None);
        let (after, cut, stages, bytes) = ("layer4", 5, 7, 3 << 20);
        let (origin, view) = (CacheOrigin::Computed, None);
        let stage =
            CacheStart::Stage { after, cut, stages, bytes, is_on_disk: false, seconds: 1.25, origin, view };
        assert_eq!(
            shown.line(&progress, Split::Train, &stage).as_deref(),
            Some(
                "epoch   3: frozen cache  training starts after `layer4` (5 of 7 stages): 3.0 MiB in \
                 memory, computed in 1.2 s"
            )
        );
        let told = shown.line(&progress, Split::Train, &samples).unwrap();
        assert_eq!(told, "epoch   3: frozen cache  training starts from the samples: `layer4` trains");
        assert_eq!(shown.line(&progress, Split::Train, &samples), None);
        assert_eq!(shown.line(&progress, Split::Val, &samples), None);
    }
}
