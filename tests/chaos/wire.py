"""As much of Kafka's protocol as a harness needs: where the log ends, what is in it, offsets of a group.

One broker, no compression, no transactions. The versions used are the oldest that Kafka 4 still speaks.
"""
from __future__ import annotations

import socket
import struct
import time
from dataclasses import dataclass
from typing import Iterator

PRODUCE, FETCH, LIST_OFFSETS, OFFSET_COMMIT, OFFSET_FETCH, FIND_COORDINATOR = 0, 1, 2, 8, 9, 10
WAIT = 20.0


@dataclass(slots=True)
class Record:
    offset: int
    key: bytes
    value: bytes


class Broken(Exception):
    """The broker did not answer, or with an error."""


def _string(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">h", len(data)) + data


class Answer:
    """A response that is read from its beginning to its end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, form: str) -> int:
        (value,) = struct.unpack_from(">" + form, self.data, self.at)
        self.at += struct.calcsize(">" + form)
        return value

    def bytes(self, length: int) -> bytes:
        self.at += max(length, 0)
        return self.data[self.at - max(length, 0):self.at]

    def string(self) -> str:
        return self.bytes(self.take("h")).decode()


class Broker:
    """One connection. After a failure it is made anew."""

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        self.address, self.connection = (host, int(port)), None

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None

    def ask(self, api: int, version: int, body: bytes) -> Answer:
        request = struct.pack(">hhi", api, version, 1) + _string("chaos") + body
        try:
            if self.connection is None:
                self.connection = socket.create_connection(self.address, WAIT)
            self.connection.sendall(struct.pack(">i", len(request)) + request)
            (length,) = struct.unpack(">i", self._exactly(4))
            answer = Answer(self._exactly(length))
        except (OSError, struct.error) as error:
            self.close()
            raise Broken(str(error)) from error
        answer.take("i")
        return answer

    def _exactly(self, length: int) -> bytes:
        parts, left = [], length
        while left:
            part = self.connection.recv(min(left, 1 << 20))
            if not part:
                raise OSError("the broker closed the connection")
            parts.append(part)
            left -= len(part)
        return b"".join(parts)

    def end(self, topic: str, partition: int) -> int:
        """The offset after the last record."""
        body = struct.pack(">ii", -1, 1) + _string(topic) + struct.pack(">iiq", 1, partition, -1)
        answer = self.ask(LIST_OFFSETS, 1, body)
        answer.take("i"), answer.string(), answer.take("i"), answer.take("i")
        _expect_none(answer.take("h"))
        answer.take("q")
        return answer.take("q")

    def fetch(self, topic: str, partition: int, offset: int, bytes_max: int = 1 << 20) -> list[Record]:
        """Records from an offset on; none after waiting a little."""
        body = struct.pack(">iiiib", -1, 200, 1, bytes_max, 0) + struct.pack(">i", 1) + _string(topic)
        body += struct.pack(">iiqi", 1, partition, offset, bytes_max)
        answer = self.ask(FETCH, 4, body)
        answer.take("i"), answer.take("i"), answer.string(), answer.take("i"), answer.take("i")
        _expect_none(answer.take("h"))
        answer.take("q"), answer.take("q")
        for _ in range(max(answer.take("i"), 0)):
            answer.take("q"), answer.take("q")
        batches = answer.bytes(answer.take("i"))
        return [record for record in _records(batches) if record.offset >= offset]

    def produce(self, topic: str, partition: int, values: list[bytes]) -> int:
        """Appends records without keys, whatever is in them; the offset of the first."""
        batch = _batch(values)
        body = struct.pack(">hhii", -1, -1, 20_000, 1) + _string(topic)
        body += struct.pack(">iii", 1, partition, len(batch)) + batch
        answer = self.ask(PRODUCE, 3, body)
        answer.take("i"), answer.string(), answer.take("i"), answer.take("i")
        _expect_none(answer.take("h"))
        return answer.take("q")

    def introduce(self, group: str) -> None:
        """Lets the broker get ready to keep the offsets of a group."""
        _expect_none(self.ask(FIND_COORDINATOR, 0, _string(group)).take("h"))

    def commit(self, group: str, topic: str, offsets: dict[int, int]) -> None:
        """Says how far a group has read, as a consumer that was given its partitions by hand."""
        body = _string(group) + struct.pack(">i", -1) + _string("") + struct.pack(">q", -1)
        body += struct.pack(">i", 1) + _string(topic) + struct.pack(">i", len(offsets))
        for partition, offset in offsets.items():
            body += struct.pack(">iq", partition, offset) + _string("")
        answer = self.ask(OFFSET_COMMIT, 2, body)
        answer.take("i"), answer.string()
        for _ in range(answer.take("i")):
            answer.take("i")
            _expect_none(answer.take("h"))

    def committed(self, group: str, topic: str, partition: int) -> int:
        """How far a group has read, or -1."""
        body = _string(group) + struct.pack(">i", 1) + _string(topic) + struct.pack(">ii", 1, partition)
        answer = self.ask(OFFSET_FETCH, 1, body)
        answer.take("i"), answer.string(), answer.take("i"), answer.take("i")
        offset = answer.take("q")
        answer.string()
        _expect_none(answer.take("h"))
        return offset


def _expect_none(code: int) -> None:
    if code:
        raise Broken(f"the broker answers with error {code}")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return (value >> 1) ^ -(value & 1), at


def _records(data: bytes) -> Iterator[Record]:
    """The records of whole batches; the last one of an answer may be cut off."""
    at = 0
    while at + 61 <= len(data):
        base, length = struct.unpack_from(">qi", data, at)
        end = at + 12 + length
        if end > len(data):
            return
        (attributes,) = struct.unpack_from(">h", data, at + 21)
        if attributes & 7:
            raise Broken("the records are compressed")
        (count,) = struct.unpack_from(">i", data, at + 57)
        at += 61
        for _ in range(0 if attributes & 0x20 else count):
            size, at = _varint(data, at)
            after = at + size
            _, at = _varint(data, at + 1)
            delta, at = _varint(data, at)
            length, at = _varint(data, at)
            key, at = data[at:at + max(length, 0)], at + max(length, 0)
            length, at = _varint(data, at)
            yield Record(base + delta, key, data[at:at + max(length, 0)])
            at = after
        at = end


def _written(value: int) -> bytes:
    """A number as `_varint` reads it."""
    value = (value << 1) ^ (value >> 63)
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _batch(values: list[bytes]) -> bytes:
    """A batch of format 2."""
    records = b""
    for nth, value in enumerate(values):
        record = b"\0" + _written(0) + _written(nth) + _written(-1) + _written(len(value)) + value + _written(0)
        records += _written(len(record)) + record
    now = int(time.time() * 1000)
    tail = struct.pack(">hiqqqhii", 0, len(values) - 1, now, now, -1, -1, -1, len(values)) + records
    return struct.pack(">qiibI", 0, len(tail) + 9, -1, 2, _crc32c(tail)) + tail


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_CRC_TABLE = _crc_table()


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
