"""Independent peers for the network specs: python3-websockets and raw sockets.

peer.py client PORT TLSPORT CERT   drives our server through a list of cases
peer.py server PORTFILE CERT KEY   answers our client: the path says how; runs until it is told /quit
"""
import asyncio
import base64
import hashlib
import http.client
import os
import socket
import ssl
import struct
import sys

import websockets

HOST = "127.0.0.1"
TIMEOUT = 10


# ---- raw WebSocket -------------------------------------------------------------------------------

def frame(first, payload=b"", mask=True):
    head = bytes([first])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + struct.pack(">H", len(payload))
    else:
        head += bytes([bit | 127]) + struct.pack(">Q", len(payload))
    if not mask:
        return head + payload
    key = os.urandom(4)
    return head + key + bytes(c ^ key[i & 3] for i, c in enumerate(payload))


class Raw:
    """A client that sends what it is told to send."""

    def __init__(self, port, extra="", path="/echo"):
        self.sock = socket.create_connection((HOST, port), TIMEOUT)
        self.buffer = b""
        key = base64.b64encode(os.urandom(16)).decode()
        self.sock.sendall((f"GET {path} HTTP/1.1\r\nHost: {HOST}\r\nConnection: Upgrade\r\n"
                           f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
                           f"Sec-WebSocket-Key: {key}\r\n{extra}\r\n").encode())
        self.head = self.until(b"\r\n\r\n").decode()

    def until(self, mark):
        while mark not in self.buffer:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self.buffer)
            self.buffer += data
        at = self.buffer.index(mark) + len(mark)
        out, self.buffer = self.buffer[:at], self.buffer[at:]
        return out

    def take(self, n):
        while len(self.buffer) < n:
            data = self.sock.recv(65536)
            if not data:
                raise EOFError(self.buffer)
            self.buffer += data
        out, self.buffer = self.buffer[:n], self.buffer[n:]
        return out

    def read(self):
        first, second = self.take(2)
        assert second < 0x80, "a server must not mask"
        size = second
        if size == 126:
            size = struct.unpack(">H", self.take(2))[0]
        elif size == 127:
            size = struct.unpack(">Q", self.take(8))[0]
        return first, self.take(size)

    def closed_with(self):
        """Reads up to the close frame and the end of the stream; the code, or None without frame."""
        try:
            while True:
                first, payload = self.read()
                if first == 0x88:
                    code = struct.unpack(">H", payload[:2])[0] if len(payload) >= 2 else 1005
                    self.sock.sendall(frame(0x88, payload[:2]))
                    break
        except (EOFError, ConnectionResetError):
            return None
        try:
            while self.sock.recv(4096):
                pass
        except ConnectionResetError:
            pass
        return code


def raw_violations(port):
    cases = [
        ("unmasked", frame(0x82, b"x", False), 1002),
        ("reserved bit", frame(0xC2, b"x"), 1002),
        ("unknown opcode", frame(0x83, b"x"), 1002),
        ("unknown control opcode", frame(0x8B), 1002),
        ("text", frame(0x81, b"x"), 1003),
        ("continuation first", frame(0x80, b"x"), 1002),
        ("fragmented ping", frame(0x09, b"x"), 1002),
        ("long ping", frame(0x89, b"x" * 126), 1002),
        ("close of one byte", frame(0x88, b"x"), 1002),
        ("close code 1005", frame(0x88, struct.pack(">H", 1005)), 1002),
        ("bad UTF-8 in a close reason", frame(0x88, struct.pack(">H", 1000) + b"\xff"), 1007),
        ("too big", frame(0x82, b"x" * (1024 * 1024 + 1)), 1009),
        ("message in a message", frame(0x02, b"x") + frame(0x82, b"x"), 1002),
        ("close", frame(0x88, struct.pack(">H", 1000)), 1000),
        ("close without code", frame(0x88), 1005),
        ("close 4001", frame(0x88, struct.pack(">H", 4001) + b"why"), 4001),
    ]
    for name, data, code in cases:
        peer = Raw(port)
        peer.sock.sendall(data)
        got = peer.closed_with()
        assert got == code, f"{name}: closed with {got} instead of {code}"
        peer.sock.close()


def raw_pieces(port):
    peer = Raw(port)
    for byte in frame(0x02, b"ab") + frame(0x89, b"now") + frame(0x80, b"cd"):
        peer.sock.sendall(bytes([byte]))
    assert peer.read() == (0x8A, b"now")
    assert peer.read() == (0x82, b"abcd")
    peer.sock.close()


def raw_long_protocols(port):
    names = ", ".join(f"com.mongodb.realm-query-sync#{n}" for n in range(14, 0, -1))
    assert len(names) >= 419
    peer = Raw(port, f"Sec-WebSocket-Protocol: {names}\r\n", "/choose")
    assert "101 Switching Protocols" in peer.head
    assert "Sec-WebSocket-Protocol: com.mongodb.realm-query-sync#14\r\n" in peer.head
    peer.sock.close()


def raw_refusals(port):
    peer = Raw(port, path="/refuse")
    assert peer.head.startswith("HTTP/1.1 401 "), peer.head
    peer = Raw(port, path="/kick")
    assert peer.head.startswith("HTTP/1.1 101 ")
    first, payload = peer.read()
    assert (first, payload) == (0x88, struct.pack(">H", 4001) + b"token expired")
    peer = Raw(port, path="/later")
    assert peer.head.startswith("HTTP/1.1 101 ")
    peer = Raw(port, path="/broken")
    assert peer.head.startswith("HTTP/1.1 500 "), peer.head


# ---- the library ---------------------------------------------------------------------------------

async def library(port, context):
    scheme = "wss" if context else "ws"
    async with websockets.connect(f"{scheme}://localhost:{port}/echo", ssl=context, max_size=None,
                                  subprotocols=["a", "b"], host=HOST) as ws:
        assert ws.extensions == []
        for size in (0, 1, 125, 126, 65535, 65536, 1024 * 1024):
            data = os.urandom(size)
            await ws.send(data)
            assert await ws.recv() == data
        await ws.send([b"one ", b"two ", b"three"])
        assert await ws.recv() == b"one two three"
        await asyncio.wait_for(await ws.ping(b"abc"), TIMEOUT)
        await ws.close(4002, "enough")
    async with websockets.connect(f"{scheme}://localhost:{port}/kick", ssl=context, host=HOST) as ws:
        try:
            await ws.recv()
            raise AssertionError("not closed")
        except websockets.ConnectionClosed as end:
            assert (end.code, end.reason) == (4001, "token expired"), end


async def many(port, context):
    scheme = "wss" if context else "ws"

    async def one(n):
        async with websockets.connect(f"{scheme}://localhost:{port}/echo", ssl=context, host=HOST,
                                      open_timeout=60) as ws:
            for i in range(3):
                data = f"{n}:{i}".encode()
                await ws.send(data)
                assert await ws.recv() == data

    await asyncio.gather(*(one(n) for n in range(200)))


# ---- HTTP ----------------------------------------------------------------------------------------

def http_library(port, context):
    make = (lambda: http.client.HTTPSConnection("localhost", port, timeout=TIMEOUT, context=context)
            ) if context else (lambda: http.client.HTTPConnection(HOST, port, timeout=TIMEOUT))
    c = make()
    for size in (0, 5, 8192, 8193, 200000):
        c.request("GET", f"/bytes?{size}")
        r = c.getresponse()
        body = r.read()
        assert r.status == 200 and len(body) == size, (r.status, len(body), size)
        assert (r.getheader("Transfer-Encoding") == "chunked") == (size > 8192)
        assert r.getheader("Date")
    c.request("HEAD", "/bytes?77")
    r = c.getresponse()
    assert r.read() == b"" and r.getheader("Content-Length") == "77"
    c.request("POST", "/mirror", b"x" * 50000)
    assert c.getresponse().read() == b"x" * 50000
    c.request("POST", "/mirror", iter([b"ab", b"cd"]), encode_chunked=True,
              headers={"Transfer-Encoding": "chunked"})
    assert c.getresponse().read() == b"abcd"
    c.request("DELETE", "/empty")
    r = c.getresponse()
    assert r.status == 204 and r.read() == b"" and r.getheader("Content-Length") is None
    c.close()
    c = make()
    c.request("POST", "/mirror", b"x" * 100001)
    assert c.getresponse().status == 413


def exchange(port, data, half_close=False):
    """Sends bytes, reads to the end."""
    s = socket.create_connection((HOST, port), TIMEOUT)
    s.sendall(data)
    if half_close:
        s.shutdown(socket.SHUT_WR)
    out = b""
    try:
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            out += piece
    except ConnectionResetError:
        pass
    s.close()
    return out


def http_raw(port):
    host = b"Host: a\r\n"
    two = exchange(port, b"GET /bytes?3 HTTP/1.1\r\n" + host + b"\r\n" +
                   b"GET /later HTTP/1.1\r\n" + host + b"\r\n" +
                   b"GET /bytes?4 HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    assert two.count(b"HTTP/1.1 200 ") == 3, two
    assert b"xxxx" in two and b"Connection: close" in two
    assert two.index(b"in a moment") < two.index(b"xxxx")
    smuggled = exchange(port, b"POST /mirror HTTP/1.1\r\n" + host +
                        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /")
    assert smuggled.startswith(b"HTTP/1.1 400 ") and smuggled.count(b"HTTP/1.1") == 1
    assert exchange(port, b"GET /" + b"a" * 20000 + b" HTTP/1.1\r\n").startswith(b"HTTP/1.1 414 ")
    assert exchange(port, b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n").startswith(b"HTTP/1.1 431 ")
    assert exchange(port, b"\x16\x03\x01\x02\x00").startswith(b"HTTP/1.1 400 ") # TLS on a plain port
    expect = exchange(port, b"POST /mirror HTTP/1.1\r\n" + host +
                      b"Expect: 100-continue\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi")
    assert expect.startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 "), expect
    half = exchange(port, b"GET /bytes?5 HTTP/1.1\r\n" + host + b"\r\n", True)
    assert half.endswith(b"xxxxx"), half
    old = exchange(port, b"GET /bytes?9000 HTTP/1.0\r\n\r\n")
    assert b"Content-Length: 9000" in old and b"chunked" not in old
    sizes = exchange(port, b"GET /bytes?20000 HTTP/1.1\r\n" + host + b"Connection: close\r\n\r\n")
    body = sizes.split(b"\r\n\r\n", 1)[1]
    while body:
        line, body = body.split(b"\r\n", 1)
        n = int(line, 16)
        assert n <= 8190
        body = body[n + 2:]


def http_slow(port):
    """A head, a body and an upgrade that never end are ended by the server."""
    assert exchange(port, b"GET / HTTP/1.1\r\nHost").startswith(b"HTTP/1.1 408 ")
    assert exchange(port, b"") == b""
    assert exchange(port, b"POST /mirror HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"
                    ).startswith(b"HTTP/1.1 408 ")
    assert exchange(port, b"GET /bytes?1 HTTP/1.1\r\nHost: a\r\n\r\n").endswith(b"x")  # keep-alive


def slow_reader(port):
    """One peer does not read; the others are served as ever."""
    slow = Raw(port, path="/flood")
    start = asyncio.new_event_loop()
    start.run_until_complete(library(port, None))
    start.close()
    total = 0
    while total < 8 * 1024 * 1024:
        first, payload = slow.read()
        total += len(payload)
    slow.sock.close()


def silent_upgrades(port):
    peer = Raw(port, path="/impatient")
    assert peer.closed_with() is None


def client(port, tls_port, cert):
    context = ssl.create_default_context(cafile=cert)
    run = asyncio.run
    for name, case in [
            ("library", lambda: run(library(port, None))),
            ("library over TLS", lambda: run(library(tls_port, context))),
            ("200 connections", lambda: run(many(port, None))),
            ("200 connections over TLS", lambda: run(many(tls_port, context))),
            ("violations", lambda: raw_violations(port)),
            ("single bytes", lambda: raw_pieces(port)),
            ("long protocol list", lambda: raw_long_protocols(port)),
            ("refusals", lambda: raw_refusals(port)),
            ("HTTP library", lambda: http_library(port, None)),
            ("HTTP library over TLS", lambda: http_library(tls_port, context)),
            ("raw HTTP", lambda: http_raw(port)),
            ("slow HTTP", lambda: http_slow(port)),
            ("slow reader", lambda: slow_reader(port)),
            ("silent upgrade", lambda: silent_upgrades(port))]:
        try:
            case()
            print("ok", name, flush=True)
        except BaseException as error:  # the report must come whatever happened
            print("not ok", name, "-", type(error).__name__, error, flush=True)


# ---- a server for our client -----------------------------------------------------------------------

async def read_head(reader):
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def accept_value(head):
    key = next((line.split(":", 1)[1].strip() for line in head.split("\r\n")
                if line.lower().startswith("sec-websocket-key:")), "")
    guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    return base64.b64encode(hashlib.sha1((key + guid).encode()).digest()).decode()


RAW_FRAMES = {
    "/masked": frame(0x82, b"x", True),
    "/rsv": frame(0xC2, b"x", False),
    "/text": frame(0x81, b"x", False),
    "/opcode": frame(0x87, b"", False),
    "/badclose": frame(0x88, b"\x03", False),
    "/close4003": frame(0x88, struct.pack(">H", 4003) + b"moved", False),
    "/closeempty": frame(0x88, b"", False),
    "/continuation": frame(0x80, b"x", False),
    "/nested": frame(0x02, b"a", False) + frame(0x82, b"b", False),
    "/longping": frame(0x89, b"x" * 126, False),
    "/splitping": frame(0x09, b"x", False),
    "/controlcode": frame(0x8B, b"", False),
    "/badcode": frame(0x88, struct.pack(">H", 1005), False),
    "/badutf8": frame(0x88, struct.pack(">H", 1000) + b"\xff", False),
    "/huge": b"\x82\x7f" + struct.pack(">Q", 1 << 40) + b"x",
    "/drop": b"",
    "/half": frame(0x82, b"cut off", False)[:4],
    "/fragments": frame(0x02, b"a", False) + frame(0x89, b"p", False) + frame(0x80, b"b", False),
}


async def raw_server(reader, writer):
    try:
        head = await read_head(reader)
        path = head.split(" ")[1]
        upgrade = ("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                   f"Sec-WebSocket-Accept: {accept_value(head)}\r\n")
        if path == "/quit":
            stop.set()
        elif path.startswith("/status/"):
            writer.write(f"HTTP/1.1 {path[8:]} X\r\nContent-Length: 2\r\n\r\nno".encode())
        elif path == "/badaccept":
            writer.write(upgrade.replace("Accept: ", "Accept: A").encode() + b"\r\n")
        elif path == "/unoffered":
            writer.write(upgrade.encode() + b"Sec-WebSocket-Protocol: other\r\n\r\n")
        elif path == "/extension":
            writer.write(upgrade.encode() + b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n")
        elif path == "/garbage":
            writer.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        elif path == "/silent":
            await reader.read(1 << 20)
        else:
            writer.write(upgrade.encode() + b"\r\n" + RAW_FRAMES[path])
            if path not in ("/drop", "/half"):
                answer = await asyncio.wait_for(reader.read(4096), TIMEOUT)
                report.append((path, unmask(answer)))
        await writer.drain()
    except (ConnectionError, asyncio.IncompleteReadError, asyncio.TimeoutError):
        pass
    writer.close()


def unmask(data):
    """Opcode and payload of the first frame of a client, as hexadecimal."""
    if len(data) < 6:
        return "none"
    assert data[1] & 0x80, "a client must mask"
    size, key = data[1] & 0x7F, data[2:6]
    return "%02x %s" % (data[0], bytes(c ^ key[i & 3] for i, c in enumerate(data[6:6 + size])).hex())


async def echo(ws):
    await ws.ping()
    async for message in ws:
        await ws.send(message)


async def report_server(reader, writer):
    await read_head(reader)
    body = "\n".join(f"{path} {what}" for path, what in report)
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
    await writer.drain()
    writer.close()


async def server(portfile, cert, key):
    global report, stop
    report, stop = [], asyncio.Event()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    old.load_cert_chain(cert, key)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    servers = [
        await websockets.serve(echo, HOST, 0, subprotocols=["b"], max_size=None),
        await websockets.serve(echo, HOST, 0, subprotocols=["b"], max_size=None, ssl=context),
        await websockets.serve(echo, HOST, 0, subprotocols=["b"], max_size=None, ssl=old),
        await asyncio.start_server(raw_server, HOST, 0),
        await asyncio.start_server(report_server, HOST, 0)]
    ports = [str(s.sockets[0].getsockname()[1]) for s in servers]
    with open(portfile + ".new", "w") as out:
        out.write(" ".join(ports) + "\n")
    os.rename(portfile + ".new", portfile)
    try:
        await asyncio.wait_for(stop.wait(), 120)
    except asyncio.TimeoutError:
        pass


if sys.argv[1] == "client":
    client(int(sys.argv[2]), int(sys.argv[3]), sys.argv[4])
else:
    asyncio.run(server(*sys.argv[2:5]))
