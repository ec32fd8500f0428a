//! Which sample comes when.

use super::Walk;
use crate::dataset::{Dataset, Pass};
use crate::random::{CounterRng, Stream};

/// Batches among which lengths are sorted: more pad less, fewer mix better.
const BUCKET_BATCHES: usize = 50;

/// Order of the samples, a function of seed and epoch.
///
/// Which samples are left out, by `drop_last` or a limit, is settled before lengths are looked at: it would
/// be the longest otherwise, in every epoch.
pub(super) fn order(dataset: &dyn Dataset, walk: &Walk) -> Vec<usize> {
    let mut order: Vec<usize> = (0..dataset.len()).collect();
    let lengths = walk.by_length && !order.is_empty() && dataset.length_of(0).is_some();
    let Pass { seed, epoch, .. } = walk.pass;
    if walk.shuffle {
        CounterRng::new(&[seed, Stream::Order as u64, epoch]).shuffle(&mut order);
    }
    if !lengths {
        return order;
    }
    if walk.drop_last {
        order.truncate(order.len() / walk.batch_size * walk.batch_size);
    }
    let length = |&index: &usize| dataset.length_of(index).unwrap_or(0);
    if !walk.shuffle {
        // The first ones of the file, as without sorting.
        order.truncate(walk.limit.map_or(order.len(), |batches| batches.saturating_mul(walk.batch_size)));
        order.sort_by_cached_key(length);
        return order;
    }
    for bucket in order.chunks_mut(walk.batch_size.saturating_mul(BUCKET_BATCHES)) {
        bucket.sort_by_cached_key(length);
    }
    // Whole batches change places, so that the steps of an epoch do not go from short to long.
    let full = order.len() / walk.batch_size;
    let mut places: Vec<usize> = (0..full).collect();
    CounterRng::new(&[seed, Stream::Buckets as u64, epoch]).shuffle(&mut places);
    let rest = order.split_off(full * walk.batch_size);
    let batches: Vec<&[usize]> = order.chunks(walk.batch_size).collect();
    let mut mixed: Vec<usize> = places.iter().flat_map(|&p| batches[p]).copied().collect();
    mixed.extend(rest);
    mixed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Batch, DataError, Delivery};

    /// Texts of these lengths.
    struct Lengths(Vec<usize>);

    impl Dataset for Lengths {
        fn len(&self) -> usize {
            self.0.len()
        }
        fn class_names(&self) -> &[String] {
            &[]
        }
        fn class_of(&self, _index: usize) -> Option<usize> {
            None
        }
        fn id(&self, index: usize) -> String {
            index.to_string()
        }
        fn input_shape(&self) -> String {
            String::new()
        }
        fn batch(&self, indices: &[usize], _pass: &Pass) -> Result<Batch, DataError> {
            Ok(Batch::new(Vec::new(), None, indices.to_vec()))
        }
        fn length_of(&self, index: usize) -> Option<usize> {
            Some(self.0[index])
        }
        fn fixed_inputs(&self, _pass: &Pass) -> bool {
            true
        }
    }

    fn walk(epoch: u64) -> Walk {
        Walk {
            pass: Pass { seed: 1, epoch, view: epoch, augment: false, delivery: Delivery::Cpu },
            batch_size: 4,
            shuffle: true,
            by_length: true,
            drop_last: true,
            workers: 0,
            prefetch_mib: 0,
            start_batch: 0,
            limit: None,
        }
    }

    #[test]
    fn what_drop_last_leaves_out_is_not_always_the_longest() {
        let texts = Lengths((0..11).collect());
        let kept: Vec<Vec<usize>> = (0..20).map(|epoch| order(&texts, &walk(epoch))).collect();
        assert!(kept.iter().all(|kept| kept.len() == 8));
        for index in 0..11 {
            assert!(kept.iter().any(|kept| kept.contains(&index)), "{index} is never trained on");
            assert!(!kept.iter().all(|kept| kept.contains(&index)), "{index} is never left out");
        }
    }

    #[test]
    fn a_limit_takes_the_first_texts_of_the_file_whatever_their_length() {
        let texts = Lengths(vec![9, 2, 7, 4, 8, 1, 6, 3, 5, 0]);
        let walk = Walk { shuffle: false, drop_last: false, limit: Some(1), ..walk(0) };
        assert_eq!(order(&texts, &walk), [1, 3, 2, 0], "rows 0 to 3, by length");
        let all = order(&texts, &Walk { limit: None, ..walk });
        assert_eq!(all, [9, 5, 1, 7, 3, 8, 6, 2, 4, 0]);
        assert_eq!(order(&texts, &Walk { limit: Some(99), ..walk }), all);
    }
}
