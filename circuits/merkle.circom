// SPDX-License-Identifier: GPL-3.0-or-later
pragma circom 2.1.6;

include "poseidon2.circom";

/// A binary tree before and after one leaf is replaced, over one and the same path.
///
/// depth    - levels between leaf and root, at least 1
/// oldLeaf, newLeaf - the leaf before and after
/// path     - bits of the leaf's index, lowest (nearest the leaf) first; MUST be constrained to 0 or 1 by the caller
/// siblings - the sibling on each level, nearest the leaf first
/// oldTop, newTop - the two children of the root (left, right) before and after. The caller binds oldTop to the tree it
///            trusts; only then does newTop mean anything
///
/// Both trees share path and siblings on purpose: that is what makes "nothing but this leaf changed" true.
///
/// The root itself is left to the caller. Where one update follows another, the tree between them is never published, and
/// comparing its two children says as much as comparing its root and spares two hashes.
template MerkleUpdate(depth) {
    assert(depth >= 1);
    signal input oldLeaf;
    signal input newLeaf;
    signal input path[depth];
    signal input siblings[depth];
    signal output oldTop[2];
    signal output newTop[2];

    component oldNode[depth - 1];
    component newNode[depth - 1];
    signal oldLeft[depth];
    signal newLeft[depth];

    var oldChild = oldLeaf;
    var newChild = newLeaf;
    for (var level = 0; level < depth; level++) {
        oldLeft[level] <== oldChild + path[level] * (siblings[level] - oldChild);
        newLeft[level] <== newChild + path[level] * (siblings[level] - newChild);
        var oldRight = oldChild + siblings[level] - oldLeft[level];
        var newRight = newChild + siblings[level] - newLeft[level];

        if (level == depth - 1) {
            oldTop <== [oldLeft[level], oldRight];
            newTop <== [newLeft[level], newRight];
        } else {
            oldNode[level] = Poseidon2Hash(2);
            oldNode[level].in <== [oldLeft[level], oldRight];
            oldChild = oldNode[level].out;
            newNode[level] = Poseidon2Hash(2);
            newNode[level].in <== [newLeft[level], newRight];
            newChild = newNode[level].out;
        }
    }
}

/// Root of a full binary tree.
///
/// count  - number of leaves, a power of two; a tree of one leaf is that leaf
/// leaves - from left to right
template MerkleRoot(count) {
    signal input leaves[count];
    signal output root;

    component node[count];

    // Heap order: node i has the children 2i and 2i + 1, the leaves stand at count .. 2 * count - 1.
    for (var i = count - 1; i > 0; i--) {
        node[i] = Poseidon2Hash(2);
        for (var side = 0; side < 2; side++) {
            var child = 2 * i + side;
            if (child >= count) {
                node[i].in[side] <== leaves[child - count];
            } else {
                node[i].in[side] <== node[child].out;
            }
        }
    }

    if (count == 1) {
        root <== leaves[0];
    } else {
        root <== node[1].out;
    }
}
