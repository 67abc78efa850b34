"""Each primitive beside the one of another library."""

from __future__ import annotations

import numpy as np
import pytest
from Crypto.Protocol.SecretSharing import Shamir
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from hypothesis import given, settings
from hypothesis import strategies as st

from selvedge.federate.masking import agreement, ring, sealed, shares, stream
from selvedge.federate.message import Refused

key = st.binary(min_size=32, max_size=32)


@given(secret=st.binary(min_size=1, max_size=80), info=st.binary(max_size=80), salt=st.binary(max_size=80),
       length=st.integers(1, 200))  # fmt: skip
def test_hkdf_is_that_of_cryptography(secret: bytes, info: bytes, salt: bytes, length: int) -> None:
    other = HKDF(hashes.SHA256(), length, salt or None, info).derive(secret)
    assert agreement.hkdf(secret, info, salt, length) == other


def test_hkdf_is_that_of_the_rfc() -> None:
    """RFC 5869, A.1."""
    found = agreement.hkdf(bytes([11] * 22), bytes(range(0xF0, 0xFA)), bytes(range(13)), 42)
    assert found.hex() == ("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865")


@settings(max_examples=50)
@given(secret=key, other=key)
def test_x25519_is_that_of_cryptography(secret: bytes, other: bytes) -> None:
    theirs = X25519PrivateKey.from_private_bytes(secret)
    public = agreement.public(other)
    assert agreement.public(secret) == theirs.public_key().public_bytes_raw()
    shared = theirs.exchange(X25519PublicKey.from_public_bytes(public))
    assert agreement.agreed(secret, public, b"for this") == agreement.hkdf(shared, b"for this")
    assert agreement.between(secret, public, 3, 9) == agreement.between(other, agreement.public(secret), 9, 3)
    assert agreement.between(secret, public, 3, 9) != agreement.between(secret, public, 3, 8)


@settings(max_examples=50)
@given(secret=key, chunk=st.integers(0, 1 << 40), length=st.integers(1, 3000))
def test_the_key_stream_is_that_of_cryptography(secret: bytes, chunk: int, length: int) -> None:
    nonce = (1).to_bytes(4, "little") + chunk.to_bytes(12, "little")  # theirs has the counter of blocks before it
    theirs = Cipher(ChaCha20(secret, nonce), None).encryptor().update(bytes(length))
    assert stream.stream(secret, chunk, length)[:length] == theirs


@pytest.mark.parametrize("width", [8, 15, 20])
def test_a_mask_is_the_key_stream_of_its_chunks_as_words(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CHUNK", 256)
    kind, secret = ring.word(width), bytes(range(32))
    total = np.zeros(1000, kind)
    stream.mask(total, [(secret, True)])
    chunks = [stream.stream(secret, c, 256)[:256] for c in range(-(-total.nbytes // 256))]
    np.testing.assert_array_equal(total, np.frombuffer(b"".join(chunks), kind)[:1000])
    stream.mask(total, [(bytes(32), True), (secret, False), (bytes(32), False)])
    assert not total.any()


@settings(max_examples=30)
@given(secret=key, other=key, pair=key)
def test_a_sealed_pair_is_that_of_cryptography(secret: bytes, other: bytes, pair: bytes) -> None:
    mine, theirs = agreement.public(secret), agreement.public(other)
    data = sealed.sealed(secret, theirs, 1, 2, pair)
    cipher = ChaCha20Poly1305(agreement.agreed(other, mine, b"selvedge share 1 2"))
    assert cipher.decrypt(data[:12], data[12:], None) == pair == sealed.opened(other, mine, 1, 2, data)
    for wrong in (data[:-1] + bytes([data[-1] ^ 1]), data[:40], b""):
        with pytest.raises(Refused, match="changed on its way"):
            sealed.opened(other, mine, 1, 2, wrong)
    with pytest.raises(Refused, match="changed on its way"):
        sealed.opened(other, mine, 2, 1, data)
    assert sealed.sealed(secret, theirs, 1, 2, pair) != data, "a nonce of its own"


@settings(max_examples=30)
@given(secret=st.binary(min_size=16, max_size=16), n=st.integers(2, 12), data=st.data())
def test_what_is_recovered_is_what_pycryptodome_combines(secret: bytes, n: int, data: st.DataObject) -> None:
    threshold = data.draw(st.integers(2, n))
    made = shares.split(secret, threshold, n)
    places = data.draw(st.permutations(range(n)))[:threshold]
    found = shares.Recovery(places).secret(np.array([list(made[i]) for i in places], np.uint8))
    assert found == secret == Shamir.combine([(i + 1, made[i]) for i in places])
    # Of shares that nobody made the two say the same, too.
    false = data.draw(st.binary(min_size=16 * threshold, max_size=16 * threshold))
    table = np.frombuffer(false, np.uint8).reshape(threshold, 16)
    listed = [(i + 1, row.tobytes()) for i, row in zip(places, table, strict=True)]
    assert shares.Recovery(places).secret(table) == Shamir.combine(listed)


def test_at_the_size_of_a_large_group_too() -> None:
    places = list(range(5, 505, 10))
    table = np.random.default_rng(0).integers(0, 256, (50, 16)).astype(np.uint8)
    combined = Shamir.combine([(i + 1, row.tobytes()) for i, row in zip(places, table, strict=True)])
    assert shares.Recovery(places).secret(table) == combined


def test_fewer_shares_than_the_threshold_say_nothing() -> None:
    """Any secret at all fits to them."""
    made = shares.split(bytes(16), 3, 4)
    thirds = [np.array([[byte] * 16, list(made[0]), list(made[1])], np.uint8) for byte in range(256)]
    assert len({shares.Recovery([3, 0, 1]).secret(table) for table in thirds}) == 256


# -- the ring -------------------------------------------------------------------------------------------------------


@settings(max_examples=80)
@given(width=st.integers(1, 32), size=st.integers(1, 90), seed=st.integers(0, 999))
def test_words_are_packed_in_their_bits_and_come_back(width: int, size: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(0, 1 << width, size).astype(ring.word(width))
    data = ring.pack(values, width)
    assert len(data) == ring.packed_size(size, width) == -(-size * width // 8)
    bits = "".join(f"{int(v):0{width}b}"[::-1] for v in values)
    bits += "0" * (-len(bits) % 8)
    assert data == bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))
    total = values.copy()
    ring.add(total, data, width)
    mask = (1 << width) - 1
    np.testing.assert_array_equal(total & total.dtype.type(mask), (2 * values.astype(np.uint64)) & np.uint64(mask))
    for wrong in (data[:-1], data + b"\0"):
        with pytest.raises(Refused, match="of values where"):
            ring.add(total, wrong, width)


def test_many_blocks_are_packed_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(0).integers(0, 1 << 11, 1000).astype(np.uint16)
    whole = ring.pack(values, 11)
    monkeypatch.setattr(ring, "BLOCK", 64)
    assert ring.pack(values, 11) == whole
    total = np.zeros_like(values)
    ring.add(total, whole, 11)
    np.testing.assert_array_equal(total, values)


@given(bits=st.integers(1, 20), n=st.integers(2, 512))
def test_a_sum_of_values_within_their_bits_never_leaves_the_ring(bits: int, n: int) -> None:
    """-n 2**(bits-1) is at least -2**(width-1), and n (2**(bits-1) - 1) below 2**(width-1): by n <= 2**carry."""
    from selvedge.federate.masking.terms import carry

    width, half = bits + carry(n), 1 << bits - 1
    assert 2 ** carry(n) < 2 * n
    for edge in (-n * half, n * (half - 1)):
        assert -(1 << width - 1) <= edge < 1 << width - 1
        words = np.array([edge % (1 << width)], np.uint64).astype(ring.word(width))
        assert ring.signed(words, width).tolist() == [edge]


@given(bits=st.integers(1, 31), value=st.integers(-(1 << 31), (1 << 31) - 1))
def test_a_value_that_its_bits_do_not_hold_is_refused_and_never_another(bits: int, value: int) -> None:
    values = np.array([0, value], np.int32)
    if -(1 << bits - 1) <= value < 1 << bits - 1:
        assert ring.signed(ring.words(values, bits, 32), 32).tolist() == [0, value]
    else:
        with pytest.raises(Refused, match=f"{bits} bits hold"):
            ring.words(values, bits, 32)
