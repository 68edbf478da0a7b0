//! The Merkle tree of RFC 6962 §2.1, kept as a compact range: the roots of its full subtrees, at most 64 of them.

use aws_lc_rs::digest;

/// A growing tree of which only the right edge is kept.
#[derive(Clone, Debug, Default)]
pub struct CompactRange {
    size: u64,
    /// Roots of full subtrees, largest first: one for each bit that is set in `size`.
    edge: Vec<[u8; 32]>,
}

impl CompactRange {
    /// The number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf by its hash.
    pub fn push(&mut self, leaf: [u8; 32]) {
        let mut node = leaf;
        // Each trailing one of the size is a full subtree as large as the one that was just completed.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.edge.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.edge.push(node);
        self.size += 1;
    }

    /// The tree's root; of the empty tree the hash of nothing.
    pub fn root(&self) -> [u8; 32] {
        let mut subtrees = self.edge.iter().rev().copied();
        match subtrees.next() {
            Some(smallest) => subtrees.fold(smallest, |right, left| node_hash(&left, &right)),
            None => sha256(&[]),
        }
    }
}

/// SHA-256 over 0x01 and the two children.
pub(super) fn node_hash(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    sha256(&[&[1], left, right])
}

/// SHA-256 over the parts, one after the other.
pub(super) fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; 32];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::event::leaf_hash;

    fn hex(hash: [u8; 32]) -> String {
        hash.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 6962 §2.1 as it is written there.
    fn definition(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [] => sha256(&[]),
            [one] => *one,
            _ => {
                let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
                node_hash(&definition(left), &definition(right))
            }
        }
    }

    #[test]
    fn roots_are_those_of_the_known_vectors() {
        // The test vectors of the Certificate Transparency project.
        let leaves: [&[u8]; 3] = [b"", b"\0", b"\x10"];
        let mut range = CompactRange::default();
        let mut roots = vec![hex(range.root())];
        for leaf in leaves {
            range.push(leaf_hash(leaf));
            roots.push(hex(range.root()));
        }
        assert_eq!(
            roots,
            [
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            ]
        );
    }

    #[test]
    fn every_size_has_the_root_of_the_definition() {
        let leaves: Vec<_> = (0..70_u8).map(|n| leaf_hash(&[n])).collect();
        let mut range = CompactRange::default();
        for (size, leaf) in leaves.iter().enumerate() {
            assert_eq!(range.root(), definition(&leaves[..size]), "{size}");
            range.push(*leaf);
        }
    }
}
