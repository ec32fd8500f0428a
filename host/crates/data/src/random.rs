//! Random numbers as a function of what they are for.

const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// What a stream of random numbers is for; keeps streams of one seed apart.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Order = 1,
    Buckets = 2,
    Augment = 3,
}

/// A counter-based generator: the n-th number is a hash of the key and n, so a stream can be
/// had anywhere, on any thread, without a state that has to be handed on.
///
/// The hash is splitmix64's finalizer; good enough for orders and augmentation, not for secrets.
#[derive(Debug, Clone)]
pub struct CounterRng {
    key: u64,
    counter: u64,
}

fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

impl CounterRng {
    /// The stream of a key, for instance seed, purpose, epoch and sample.
    pub fn new(key: &[u64]) -> CounterRng {
        let key = key
            .iter()
            .fold(GOLDEN, |key, &word| mix(key ^ mix(word.wrapping_add(GOLDEN)).wrapping_add(GOLDEN)));
        CounterRng { key, counter: 0 }
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.counter += 1;
        mix(self.key.wrapping_add(self.counter.wrapping_mul(GOLDEN)))
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.next_u64() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[low, high)`; `low` if they are equal.
    pub fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// Uniform in `0..n`, without bias; 0 if `n` is 0.
    pub fn below(&mut self, n: u64) -> u64 {
        if n == 0 {
            return 0;
        }
        let reject = n.wrapping_neg() % n;
        loop {
            let product = u128::from(self.next_u64()) * u128::from(n);
            if product as u64 >= reject {
                return (product >> 64) as u64;
            }
        }
    }

    /// Puts a slice into random order (Fisher-Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i as u64 + 1) as usize);
        }
    }
}

/// A hash of a text, the same on every machine and in every version.
pub(crate) fn stable_hash(seed: u64, text: &str) -> u64 {
    let mut hash = mix(seed.wrapping_add(GOLDEN));
    for chunk in text.as_bytes().chunks(8) {
        let mut word = [0u8; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        hash = mix(hash ^ u64::from_le_bytes(word)).wrapping_add(GOLDEN);
    }
    mix(hash ^ text.len() as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_spread_evenly() {
        let mut rng = CounterRng::new(&[1, 2, 3]);
        let mut bins = [0usize; 10];
        for _ in 0..100_000 {
            bins[(rng.unit() * 10.0) as usize] += 1;
        }
        // Standard deviation of a bin is 95.
        assert!(bins.iter().all(|&n| n.abs_diff(10_000) < 500), "{bins:?}");
        let mut bins = [0usize; 7];
        for _ in 0..70_000 {
            bins[rng.below(7) as usize] += 1;
        }
        assert!(bins.iter().all(|&n| n.abs_diff(10_000) < 500), "{bins:?}");
    }

    #[test]
    fn neighbouring_keys_give_unrelated_streams() {
        let ones: u32 = (0..1000)
            .map(|i| {
                let a = CounterRng::new(&[42, 0, i]).next_u64();
                let b = CounterRng::new(&[42, 0, i + 1]).next_u64();
                (a ^ b).count_ones()
            })
            .sum();
        assert!(ones.abs_diff(32_000) < 1000, "{ones}");
        assert_ne!(CounterRng::new(&[1, 2]).next_u64(), CounterRng::new(&[2, 1]).next_u64());
    }

    #[test]
    fn every_order_of_three_is_equally_likely() {
        let mut counts = std::collections::HashMap::new();
        for epoch in 0..6000 {
            let mut items = [0, 1, 2];
            CounterRng::new(&[7, epoch]).shuffle(&mut items);
            *counts.entry(items).or_insert(0u32) += 1;
        }
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|&n| n.abs_diff(1000) < 200), "{counts:?}");
    }

    #[test]
    fn hash_depends_on_each_byte_and_the_length() {
        assert_ne!(stable_hash(0, "a/1.png"), stable_hash(0, "a/2.png"));
        assert_ne!(stable_hash(0, "a"), stable_hash(0, "a\0"));
        assert_ne!(stable_hash(0, "a"), stable_hash(1, "a"));
    }
}
