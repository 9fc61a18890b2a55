//! Test data that both ends can make without sending it: seeded, unlike itself at every offset that
//! matters, and cheap enough for gigabytes.

use std::io::{self, Read};

use ring::digest;

/// One block of noise is repeated with its index stamped into it: a lost, doubled or swapped block
/// changes the hash as surely as a flipped bit does.
const BLOCK: usize = 64 * 1024;
const STAMP: usize = size_of::<u64>();

/// A SHA-256 sum.
pub type Sha256 = [u8; 32];

/// Reads `length` bytes that depend on `seed` alone.
#[derive(Debug)]
pub struct SeededBytes {
    block: Vec<u8>,
    position: u64,
    length: u64,
}

impl SeededBytes {
    pub fn new(seed: u64, length: u64) -> Self {
        let mut block = vec![0; BLOCK];
        fastrand::Rng::with_seed(seed).fill(&mut block);
        let mut bytes = Self { block, position: 0, length };
        bytes.stamp(0);
        bytes
    }

    fn stamp(&mut self, index: u64) {
        self.block[..STAMP].copy_from_slice(&index.to_le_bytes());
    }
}

impl Read for SeededBytes {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let offset = usize::try_from(self.position % BLOCK as u64).expect("below BLOCK");
        if offset == 0 {
            self.stamp(self.position / BLOCK as u64);
        }
        let left = usize::try_from(self.length - self.position).unwrap_or(usize::MAX);
        let count = buffer.len().min(BLOCK - offset).min(left);
        buffer[..count].copy_from_slice(&self.block[offset..offset + count]);
        self.position += count as u64;
        Ok(count)
    }
}

/// The sum of `length` bytes of this seed.
pub fn seeded_sha256(seed: u64, length: u64) -> Sha256 {
    let mut hasher = Hasher::new();
    let mut bytes = SeededBytes::new(seed, length);
    let mut buffer = vec![0; BLOCK];
    loop {
        match bytes.read(&mut buffer).expect("memory can be read") {
            0 => return hasher.finish(),
            count => hasher.update(&buffer[..count]),
        }
    }
}

/// Sums bytes up as they pass.
pub(crate) struct Hasher {
    context: digest::Context,
    bytes: u64,
}

impl Hasher {
    pub(crate) fn new() -> Self {
        Self { context: digest::Context::new(&digest::SHA256), bytes: 0 }
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.context.update(bytes);
        self.bytes += bytes.len() as u64;
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    pub(crate) fn finish(self) -> Sha256 {
        let sum = self.context.finish();
        sum.as_ref().try_into().expect("SHA-256 has 32 bytes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_bytes_however_they_are_read() {
        let length = 3 * BLOCK as u64 + 17;
        let mut hasher = Hasher::new();
        let mut bytes = SeededBytes::new(7, length);
        let mut odd = [0; 1021];
        loop {
            match bytes.read(&mut odd).unwrap() {
                0 => break,
                count => hasher.update(&odd[..count]),
            }
        }
        assert_eq!(hasher.finish(), seeded_sha256(7, length));
        assert_ne!(seeded_sha256(7, length), seeded_sha256(8, length));
    }

    #[test]
    fn blocks_differ() {
        let mut all = Vec::new();
        SeededBytes::new(1, 2 * BLOCK as u64).read_to_end(&mut all).unwrap();
        assert_ne!(all[..BLOCK], all[BLOCK..]);
    }
}
