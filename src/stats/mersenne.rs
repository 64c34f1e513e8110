//! Mersenne Twister MT19937 (Matsumoto and Nishimura, "Mersenne twister: a 623-dimensionally equidistributed uniform pseudo-random
//! number generator", 1998), seeded and drawn from as Python's `random.Random` or numpy's `RandomState` does, for results that are to
//! agree with theirs.

/// Words of state.
const N: usize = 624;
/// How far ahead the word lies that each is mixed with.
const M: usize = 397;

/// A generator; its values are the same for a seed, everywhere.
#[derive(Debug, Clone)]
pub struct Mersenne {
    words: Vec<u32>,
    at: usize,
}

impl Mersenne {
    /// As `random.Random(seed)`: the seed's 32-bit words, the lowest first, are the key of the reference code's `init_by_array`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let (low, high) = (low_word(seed), low_word(seed >> 32));
        let key = if high == 0 { vec![low] } else { vec![low, high] };
        let mut words = Self::numpy(19_650_218).words;
        let mut i = 1;
        let next = |words: &mut Vec<u32>, i: &mut usize| {
            *i += 1;
            if *i == N {
                words[0] = words[N - 1];
                *i = 1;
            }
        };
        for step in 0..N {
            let place = step % key.len();
            let mixed = (words[i - 1] ^ (words[i - 1] >> 30)).wrapping_mul(1_664_525);
            words[i] = (words[i] ^ mixed).wrapping_add(key[place]).wrapping_add(u32::from(place == 1));
            next(&mut words, &mut i);
        }
        for _ in 1..N {
            let mixed = (words[i - 1] ^ (words[i - 1] >> 30)).wrapping_mul(1_566_083_941);
            words[i] = (words[i] ^ mixed).wrapping_sub(low_word(i as u64));
            next(&mut words, &mut i);
        }
        words[0] = 0x8000_0000;
        Self { words, at: N }
    }

    /// As `numpy.random.RandomState(seed)`: the reference code's `init_genrand`.
    #[must_use]
    pub fn numpy(seed: u32) -> Self {
        let mut words = vec![seed];
        for (i, _) in (1_u32..).zip(1..N) {
            let before = words.last().copied().unwrap_or_default();
            words.push((before ^ (before >> 30)).wrapping_mul(1_812_433_253).wrapping_add(i));
        }
        Self { words, at: N }
    }

    /// A whole number up to `most`, each as likely, as numpy's `RandomState` draws it to shuffle and to choose: the lowest bits that hold
    /// `most`, again until they are no more. Nothing is drawn for a `most` of 0.
    pub fn up_to(&mut self, most: u32) -> u32 {
        let mask = u32::MAX.checked_shr(most.leading_zeros()).unwrap_or(0);
        loop {
            let drawn = if most == 0 { 0 } else { self.word() & mask };
            if drawn <= most {
                return drawn;
            }
        }
    }

    /// The numbers below `n` in a random order, as `RandomState.permutation(n)`.
    pub fn permutation(&mut self, n: u32) -> Vec<u32> {
        let mut order: Vec<u32> = (0..n).collect();
        for i in (1..n).rev() {
            let other = self.up_to(i);
            order.swap(i as usize, other as usize);
        }
        order
    }

    /// The next 32 bits.
    fn word(&mut self) -> u32 {
        if self.at >= N {
            for i in 0..N {
                let y = (self.words[i] & 0x8000_0000) | (self.words[(i + 1) % N] & 0x7fff_ffff);
                let twist = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.words[i] = self.words[(i + M) % N] ^ (y >> 1) ^ twist;
            }
            self.at = 0;
        }
        let mut y = self.words[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }

    /// A whole number below `n`, each as likely: bits are drawn until they make one, as `random.Random.randrange(n)`. 0 for `n` of 0.
    pub fn below(&mut self, n: u32) -> u32 {
        if n == 0 {
            return 0;
        }
        let unused = n.leading_zeros();
        loop {
            let drawn = self.word() >> unused;
            if drawn < n {
                return drawn;
            }
        }
    }

    /// `k` different whole numbers below `n`, in the order they are drawn, as `random.Random.sample(range(n), k)`. All of them where
    /// `k` is more.
    pub fn sample(&mut self, n: u32, k: u32) -> Vec<u32> {
        let k = k.min(n);
        // Up to the size of the table that a set of `k` takes in Python, the rest of a pool is drawn from, else again what was had.
        let mut table = 1_u64;
        while table < u64::from(k) * 3 {
            table *= 4;
        }
        if u64::from(n) <= 21 + if k > 5 { table } else { 0 } {
            let mut pool: Vec<u32> = (0..n).collect();
            return (0..k).map(|i| pool.swap_remove(self.below(n - i) as usize)).collect();
        }
        let mut had = std::collections::BTreeSet::new();
        let mut drawn = Vec::new();
        while drawn.len() < k as usize {
            let one = self.below(n);
            if had.insert(one) {
                drawn.push(one);
            }
        }
        drawn
    }
}

fn low_word(bits: u64) -> u32 {
    u32::try_from(bits & 0xffff_ffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `random.Random(seed)` in Python 3.11: `getrandbits(32)` twice, then `sample(range(n), k)`.
    #[test]
    fn it_draws_as_python_does() {
        let draws = |seed, n, k| {
            let mut random = Mersenne::new(seed);
            (random.word(), random.word(), random.sample(n, k))
        };
        assert_eq!(draws(0, 70, 8), (3_626_764_237, 1_654_615_998, vec![53, 5, 33, 65, 62, 51, 38, 61]));
        assert_eq!(draws(42, 5_000, 6), (2_746_317_213, 478_163_327, vec![204, 2253, 2006, 1828, 1143, 839]));
        assert_eq!(
            draws(1_099_511_627_781, 10, 10),
            (2_166_296_868, 2_220_160_828, vec![4, 0, 8, 1, 7, 6, 9, 2, 5, 3])
        );
        assert_eq!(draws(1, 21, 4), (577_090_037, 2_444_712_010, vec![2, 8, 3, 15]));
        assert_eq!(draws(3, 22, 4), (1_022_050_301, 2_545_373_330, vec![17, 4, 11, 19]));
        assert_eq!(draws(3, 85, 6), (1_022_050_301, 2_545_373_330, vec![69, 16, 47, 77, 60, 74]));
        assert_eq!(draws(3, 86, 6), (1_022_050_301, 2_545_373_330, vec![69, 16, 47, 77, 60, 80]));
    }

    /// `numpy.random.RandomState(seed)`: `permutation(n)`, then `choice(m, 4)`.
    #[test]
    fn it_draws_as_numpy_does() {
        let draws = |seed, n, m: u32| {
            let mut random = Mersenne::numpy(seed);
            (random.permutation(n), (0..4).map(|_| random.up_to(m - 1)).collect::<Vec<_>>())
        };
        assert_eq!(draws(42, 10, 1000), (vec![8, 1, 5, 0, 7, 2, 9, 4, 3, 6], vec![466, 214, 330, 458]));
        assert_eq!(draws(0, 1, 7), (vec![0], vec![4, 5, 0, 3]));
        assert_eq!(
            draws(7, 17, 65536),
            (vec![13, 11, 16, 8, 5, 2, 1, 0, 14, 10, 7, 12, 3, 6, 9, 4, 15], vec![50608, 55167, 57735, 23468])
        );
    }

    #[test]
    fn a_sample_has_each_once_and_no_more_than_there_are() {
        let mut random = Mersenne::new(7);
        for (n, k) in [(0, 0), (0, 3), (1, 1), (5, 9), (70, 30), (5000, 40)] {
            let mut drawn = random.sample(n, k);
            drawn.sort_unstable();
            drawn.dedup();
            assert_eq!(drawn.len(), k.min(n) as usize);
            assert!(drawn.iter().all(|one| *one < n));
        }
        assert_eq!(random.below(0), 0);
    }
}
