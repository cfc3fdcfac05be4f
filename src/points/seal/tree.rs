//! Merkle trees as RFC 6962 (2.1) has them: leaves and nodes are hashed apart, so that neither can pass for the other.

use sha2::{Digest as _, Sha256};

/// A SHA-256.
pub(super) type Hash = [u8; 32];

/// The hash of a leaf.
pub(super) fn leaf(text: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(text).finalize().into()
}

fn node(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The hash over all leaves; that of nothing where there are none.
pub(super) fn root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [only] => *only,
        many => {
            let (left, right) = many.split_at(split(many.len()));
            node(&root(left), &root(right))
        }
    }
}

/// On which side of the way up a hash stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Left,
    Right,
}

/// What is needed beside a leaf to come to the root, from the bottom up.
pub(super) fn path(leaves: &[Hash], position: usize) -> Vec<(Side, Hash)> {
    if leaves.len() < 2 {
        return Vec::new();
    }
    let middle = split(leaves.len());
    let (left, right) = leaves.split_at(middle);
    let (mut below, beside) = if position < middle {
        (path(left, position), (Side::Right, root(right)))
    } else {
        (path(right, position - middle), (Side::Left, root(left)))
    };
    below.push(beside);
    below
}

/// The largest power of two below `count`, which is at least two.
const fn split(count: usize) -> usize {
    1 << (count - 1).ilog2()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn climb(hash: Hash, path: &[(Side, Hash)]) -> Hash {
        path.iter().fold(hash, |at, (side, beside)| match side {
            Side::Left => node(beside, &at),
            Side::Right => node(&at, beside),
        })
    }

    /// The tree of seven leaves that the RFC draws in 2.1.3.
    #[test]
    fn the_tree_has_the_shape_of_the_rfc() {
        let leaves: Vec<Hash> = (0..7_u8).map(|number| leaf(&[number])).collect();
        let pair = |first: usize| node(&leaves[first], &leaves[first + 1]);
        let (left, right) = (node(&pair(0), &pair(2)), node(&pair(4), &leaves[6]));
        assert_eq!(root(&leaves), node(&left, &right));
        assert_eq!(path(&leaves, 0), [(Side::Right, leaves[1]), (Side::Right, pair(2)), (Side::Right, right)]);
        assert_eq!(path(&leaves, 6), [(Side::Left, pair(4)), (Side::Left, left)]);
    }

    #[test]
    fn known_answers_never_change() {
        let hex = crate::crypto::hex;
        assert_eq!(hex(&root(&[])), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        // The first answers of Certificate Transparency's own tests.
        assert_eq!(hex(&leaf(b"")), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        let both = root(&[leaf(b""), leaf(&[0])]);
        assert_eq!(hex(&both), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
    }

    proptest! {
        #[test]
        fn every_path_leads_to_the_root(count in 1..70_usize, at in any::<prop::sample::Index>()) {
            let leaves: Vec<Hash> = (0..count).map(|n| leaf(&n.to_be_bytes())).collect();
            let at = at.index(count);
            let steps = path(&leaves, at);
            prop_assert_eq!(climb(leaves[at], &steps), root(&leaves));
            prop_assert_ne!(climb(leaf(b"another"), &steps), root(&leaves));
        }
    }
}
