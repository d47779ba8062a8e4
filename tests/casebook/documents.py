"""Small whole files of every kind that is kept, and of many that only pretend."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

PDF = (
    b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n"
    b"2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n3 0 obj<</Length 24>>stream\n"
    b"<script>/JS only ink</sc\nendstream endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HEADER = chunk(b"IHDR", struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0))
PIXELS = chunk(b"IDAT", zlib.compress(b"\x00\x00"))
PNG_START = b"\x89PNG\r\n\x1a\n"
PNG = PNG_START + HEADER + PIXELS + chunk(b"IEND", b"")


def segment(kind: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data


def jpeg(*segments: bytes) -> bytes:
    scan = segment(0xDA, b"\x01\x01\x00\x00\x3f\x00") + b"\x12\x34"
    return b"\xff\xd8" + b"".join(segments) + scan + b"\xff\xd9"


JPEG = jpeg(segment(0xE0, b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00"))


def webp(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        kind + struct.pack("<I", len(data)) + data + b"\x00" * (len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body


WEBP = webp((b"VP8L", b"\x2f\x00\x00\x00\x00\x88\x88\x08"))
WHOLE = {"pdf": PDF, "png": PNG, "jpeg": JPEG, "webp": WEBP}


def archive(comment: bytes = b"") -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as made:
        made.writestr("../../etc/passwd", "x")
        made.comment = comment
    return target.getvalue()


SCRIPT = b"<script>alert(1)</script>"
PRETENDERS: dict[str, bytes] = {
    "nothing": b"",
    "one space": b" ",
    "plain text": b"hello",
    "a page": b"<!doctype html><html><body>x</body></html>",
    "a page with a byte order mark": b"\xef\xbb\xbf<html></html>",
    "a drawing that runs": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "xml with an entity": b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>',
    "an archive": archive(),
    "a program of Windows": b"MZ\x90\x00" + b"\x00" * 60 + b"PE\x00\x00",
    "a program of Linux": b"\x7fELF\x02\x01\x01" + b"\x00" * 57,
    "a shell script": b"#!/bin/sh\nrm -rf /\n",
    "a picture that moves": b"GIF89a\x01\x00\x01\x00\x00\x00\x00;",
    "a TIFF": b"II*\x00\x08\x00\x00\x00",
    "a bitmap": b"BM" + b"\x00" * 60,
    "a HEIC": b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
    "rich text": b"{\\rtf1 hello}",
    "an old Word file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 500,
    "gzip": b"\x1f\x8b\x08\x00" + b"\x00" * 20,
    "a 7z": b"7z\xbc\xaf\x27\x1c" + b"\x00" * 26,
    "PHP": b"<?php system($_GET['c']); ?>",
    "a PDF after a page": b"<html>" + PDF,
    "a PDF after white space": b"\n" + PDF,
    "a PDF cut short": PDF[:60],
    "a PDF with something behind": PDF + b"MZ\x90\x00",
    "a PDF and an archive": PDF + archive(),
    "a PDF and an archive that ends like a PDF": PDF + archive(b"\n%%EOF\n"),
    "a PDF with a script of its own": PDF.replace(b"/Pages 2", b"/JavaScript(x)/Pages 2"),
    "a PDF with a script, spelt out": PDF.replace(b"/Pages 2", b"/J#61vaScript(x)/Pages 2"),
    "a PDF that starts a program": PDF.replace(b"/Pages 2", b"/Launch(x)/Pages 2"),
    "a PDF with a file inside": PDF.replace(b"/Pages 2", b"/EmbeddedFile(x)/Pages 2"),
    "a PDF with a page in its head": PDF.replace(b"1 0 obj", SCRIPT + b"1 0 obj"),
    "a PDF of an unknown age": b"%PDF-9.9\n%%EOF",
    "a PNG cut short": PNG[:-4],
    "a PNG with something behind": PNG + SCRIPT,
    "a PNG and an archive": PNG + archive(),
    "a PNG with a wrong sum": PNG[:-13] + bytes([PNG[-13] ^ 1]) + PNG[-12:],
    "a PNG without its header": PNG_START + PIXELS + chunk(b"IEND", b""),
    "a PNG with a page in a text": PNG_START
    + HEADER
    + chunk(b"tEXt", b"Comment\x00" + SCRIPT)
    + PIXELS
    + chunk(b"IEND", b""),
    "only the sign of a PNG": PNG_START,
    "a PNG whose chunk is too long": PNG_START + b"\xff\xff\xff\xffIHDR" + b"\x00" * 20,
    "a JPEG cut short": JPEG[:-2],
    "a JPEG with a page behind": JPEG + SCRIPT,
    "a JPEG and an archive": JPEG + archive(),
    "a JPEG and an archive that ends like a JPEG": JPEG + archive(b"\xff\xd9"),
    "a JPEG with PHP in a comment": jpeg(segment(0xFE, b"<?php x ?>")),
    "a JPEG with a page in its data": jpeg(segment(0xE1, b"Exif\x00\x00" + SCRIPT)),
    "a JPEG without a picture": b"\xff\xd8\xff\xd9",
    "a WebP with something behind": WEBP + b"xx",
    "a WebP with a page in its data": webp((b"VP8L", b"\x2f\x00"), (b"XMP ", SCRIPT)),
    "sound in the same container": b"RIFF\x24\x00\x00\x00WAVEfmt " + b"\x00" * 28,
    "a WebP of no kind": webp((b"ANIM", b"\x00" * 6)),
    "a WebP that lies about its size": WEBP[:4] + b"\xff\xff\x00\x00" + WEBP[8:],
}

BAD_NAMES = {
    "../../etc/passwd": "passwd.pdf",
    "..\\..\\windows\\system32\\x.pdf": "x.pdf",
    "/etc/cron.d/x": "x.pdf",
    "C:\\temp\\scan.PDF": "scan.PDF",
    "a\x00.pdf": "a.pdf",
    "scan\r\nSet-Cookie: x=1.pdf": "scanSet-Cookie: x=1.pdf",
    "\u202efdp.exe": "fdp.exe.pdf",
    ".htaccess": "htaccess.pdf",
    "....": "document.pdf",
    "": "document.pdf",
    'quote".pdf': 'quote".pdf',
    "知情同意书.pdf": "知情同意书.pdf",
    "page.html": "page.html.pdf",
    "x" * 400 + ".pdf": "x" * 251 + ".pdf",
    "%2e%2e%2fx": "%2e%2e%2fx.pdf",
}


def mutilated(content: bytes) -> Iterator[bytes]:
    """Every shorter beginning of a file."""
    for length in range(len(content)):
        yield content[:length]
