#!/usr/bin/env python3
"""Checks linli's seals without linli: see docs/seals.md. Needs Python 3.8 and nothing else.

    check_seals.py EXPORT_FOLDER [--known FILE ...] [--key HEX]
    check_seals.py --proof PROOF.json [--known FILE ...] [--key HEX]

EXPORT_FOLDER holds seals.csv and, to check the journals themselves, seal_leaves.csv, as `linli export` writes them.
PROOF.json is the answer of /me/points/entries/{id}/proof, or a statement with ?proof=true. A file of --known is what
somebody kept: an answer of /points/seals or /points/seals/{no}, or an older seals.csv; each seal in it must still be there
and say the same. --key is the public key of /points/seals/key; without it the one in seals.csv is used, and a proof's
signature is not looked at.

Exit code: 0 all is in order, 1 something is not (each named on a line of its own), 2 wrong usage or unreadable files.
"""

import argparse
import csv
import hashlib
import json
import os
import sys

FIELDS = ("no", "previous", "journals", "entries", "sum", "first_journal", "last_journal", "root", "sealed_at")
found = []


def tell(what):
    found.append(what)
    print(what)


def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()


def leaf_hash(text):
    return sha256(b"\x00", text.encode("utf-8"))


def node(left, right):
    return sha256(b"\x01", left, right)


def root_of(leaves):
    """RFC 6962, 2.1: the left side has the largest power of two of leaves that is smaller than all."""
    if not leaves:
        return sha256()
    if len(leaves) == 1:
        return leaves[0]
    middle = 1 << ((len(leaves) - 1).bit_length() - 1)
    return node(root_of(leaves[:middle]), root_of(leaves[middle:]))


def seal_hash(seal):
    names = ("no", "previous", "journals", "entries", "sum", "first", "last", "root", "sealed_at")
    lines = ["%s %s\n" % (name, seal[field]) for name, field in zip(names, FIELDS)]
    return sha256(("linli seal 1\n" + "".join(lines)).encode("ascii"))


# Ed25519 (RFC 8032, 5.1), by the book and slowly: some milliseconds a signature.
P = 2**255 - 19
Q = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P


def add(a, b):
    x, y, z, t = ((a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P,
                  2 * a[2] * b[2] % P, 2 * a[3] * b[3] * D % P)
    e, f, g, h = y - x, z - t, z + t, y + x
    return (e * f % P, g * h % P, f * g % P, e * h % P)


def times(number, point):
    total = (0, 1, 1, 0)
    while number:
        if number & 1:
            total = add(total, point)
        point = add(point, point)
        number >>= 1
    return total


def recover(y, sign):
    if y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    return (x, y, 1, x * y % P)


def point_of(bytes_):
    number = int.from_bytes(bytes_, "little")
    return recover(number & ((1 << 255) - 1), number >> 255)


BASE = recover(4 * pow(5, P - 2, P) % P, 0)


def is_signed(key, message, signature):
    a, r = point_of(key), point_of(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if len(signature) != 64 or a is None or r is None or s >= Q:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + message).digest(), "little") % Q
    left, right = times(s, BASE), add(r, times(h, a))
    return (left[0] * right[2] - right[0] * left[2]) % P == 0 and (left[1] * right[2] - right[1] * left[2]) % P == 0


def check_seal(seal, key):
    name = "seal %s" % seal["no"]
    made = seal_hash(seal)
    if made.hex() != seal["hash"]:
        tell("%s: its hash is not that of its words" % name)
    if key is None:
        return
    if sha256(key)[:8].hex() != seal["key_id"]:
        tell("%s: signed with another key (%s)" % (name, seal["key_id"]))
    elif not is_signed(key, bytes.fromhex(seal["hash"]), bytes.fromhex(seal["signature"])):
        tell("%s: its signature is not right" % name)


def check_chain(seals, key):
    before, number = "0" * 64, 1
    for seal in seals:
        if int(seal["no"]) != number or seal["previous"] != before:
            tell("seal %s: does not follow the one before" % seal["no"])
        check_seal(seal, key)
        before, number = seal["hash"], int(seal["no"]) + 1


def check_leaves(seals, path):
    """All leaves of a seal stand together, in order of their place."""
    by_number = {seal["no"]: seal for seal in seals}
    waiting, number, rows, count = set(by_number), None, [], 0
    with open(path, encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            count += 1
            if row["seal_no"] != number and number is not None:
                check_tree(by_number.get(number), number, rows)
                waiting.discard(number)
                rows = []
            number = row["seal_no"]
            rows.append(row)
    if number is not None:
        check_tree(by_number.get(number), number, rows)
        waiting.discard(number)
    for number in sorted(waiting, key=int):
        tell("seal %s: has no leaves" % number)
    return count


def check_tree(seal, number, rows):
    if seal is None:
        tell("seal %s: has leaves and is not there" % number)
        return
    hashes, entries, total, ids = [], 0, 0, []
    for place, row in enumerate(rows):
        name = "seal %s, journal %s" % (number, row["journal_id"])
        if int(row["position"]) != place:
            tell("%s: stands in place %s instead of %d" % (name, row["position"], place))
        hashes.append(bytes.fromhex(row["leaf_hash"]))
        ids.append(row["journal_id"])
        if not row["leaf"]:
            tell("%s: is gone" % name)
            continue
        if leaf_hash(row["leaf"]) != hashes[-1]:
            tell("%s: was changed" % name)
        journal = json.loads(row["leaf"])
        if journal["journal"] != row["journal_id"]:
            tell("%s: is another one (%s)" % (name, journal["journal"]))
        if sum(entry["amount"] for entry in journal["entries"]) != 0:
            tell("%s: does not sum to zero" % name)
        entries += len(journal["entries"])
        total += sum(entry["amount"] for entry in journal["entries"] if entry["amount"] > 0)
    if root_of(hashes).hex() != seal["root"]:
        tell("seal %s: its root is not that of its leaves" % number)
    said = (int(seal["journals"]), int(seal["entries"]), seal["sum"], seal["first_journal"], seal["last_journal"])
    if said != (len(rows), entries, "%d.%02d" % divmod(total, 100), min(ids), max(ids)):
        tell("seal %s: its figures are not those of its journals" % number)


def check_proof(proof, key):
    seal, name = proof["seal"], "journal %s" % proof["journal_id"]
    at = leaf_hash(proof["leaf"])
    if at.hex() != proof["leaf_hash"]:
        tell("%s: was changed since it was sealed" % name)
    if json.loads(proof["leaf"])["journal"] != proof["journal_id"]:
        tell("%s: the leaf is of another journal" % name)
    for step in proof["path"]:
        beside = bytes.fromhex(step["hash"])
        at = node(beside, at) if step["side"] == "left" else node(at, beside)
    if at.hex() != seal["root"]:
        tell("%s: does not stand in seal %s" % (name, seal["no"]))
    check_seal(seal, key)


def proofs_of(document):
    if "leaf" in document:
        return [document]
    return [entry["proof"] for entry in document.get("entries", []) if entry.get("proof")]


def read_seals(path):
    with open(path, encoding="utf-8", newline="") as file:
        if path.endswith(".csv"):
            return list(csv.DictReader(file))
        document = json.load(file)
    seals = document.get("items", [document])
    return [{name: str(value) for name, value in seal.items()} for seal in seals]


def check_known(seals, files):
    by_number = {str(seal["no"]): seal for seal in seals}
    for path in files:
        for kept in read_seals(path):
            seal = by_number.get(kept["no"])
            if seal is None:
                tell("seal %s: was published (%s) and is not there" % (kept["no"], path))
            elif seal["hash"] != kept["hash"]:
                tell("seal %s: is not what was published (%s)" % (kept["no"], path))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?")
    parser.add_argument("--proof")
    parser.add_argument("--known", action="append", default=[])
    parser.add_argument("--key")
    options = parser.parse_args()
    if bool(options.folder) == bool(options.proof):
        parser.error("give a folder or --proof")
    csv.field_size_limit(1 << 24)
    key = bytes.fromhex(options.key) if options.key else None
    if options.proof:
        with open(options.proof, encoding="utf-8") as file:
            proofs = proofs_of(json.load(file))
        for proof in proofs:
            check_proof(proof, key)
        known = {str(seal["no"]): seal for path in options.known for seal in read_seals(path)}
        for proof in proofs:
            kept = known.get(str(proof["seal"]["no"]))
            if kept is not None and kept["hash"] != proof["seal"]["hash"]:
                tell("seal %s: is not what was published" % kept["no"])
        print("%d proofs, %d findings" % (len(proofs), len(found)))
    else:
        seals = read_seals(os.path.join(options.folder, "seals.csv"))
        if key is None and seals:
            key = bytes.fromhex(seals[-1]["public_key"])
        check_chain(seals, key)
        leaves = os.path.join(options.folder, "seal_leaves.csv")
        journals = check_leaves(seals, leaves) if os.path.exists(leaves) else 0
        check_known(seals, options.known)
        print("%d seals, %d journals, %d findings" % (len(seals), journals, len(found)))
    return 1 if found else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (OSError, ValueError, KeyError) as error:
        print("cannot be read: %r" % (error,), file=sys.stderr)
        sys.exit(2)
