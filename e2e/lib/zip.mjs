// Reads a ZIP archive as its central directory has it (APPNOTE 6.3, §4.3.12 and §4.3.16). No I/O.
import { inflateRawSync } from "node:zlib";

const END = 0x06054b50;
const ENTRY = 0x02014b50;
const LOCAL = 0x04034b50;
const END_BYTES = 22;

/** The files of an archive: from name to text. */
export function readZip(bytes) {
  const end = findEnd(bytes);
  const files = new Map();
  let at = bytes.readUInt32LE(end + 16);
  for (let left = bytes.readUInt16LE(end + 10); left > 0; left -= 1) {
    if (bytes.readUInt32LE(at) !== ENTRY) throw new Error(`no entry of the directory at ${at}`);
    const [nameLength, extra, comment] = [28, 30, 32].map((place) =>
      bytes.readUInt16LE(at + place),
    );
    const name = bytes.toString("utf8", at + 46, at + 46 + nameLength);
    if (files.has(name)) throw new Error(`two files are called ${name}`);
    files.set(name, textAt(bytes, at));
    at += 46 + nameLength + extra + comment;
  }
  return files;
}

function findEnd(bytes) {
  for (let at = bytes.length - END_BYTES; at >= 0; at -= 1) {
    if (bytes.readUInt32LE(at) === END) return at;
  }
  throw new Error("no ZIP archive: it has no end");
}

/** What the entry of the directory at `at` stands for. */
function textAt(bytes, at) {
  const method = bytes.readUInt16LE(at + 10);
  const [packed, size] = [bytes.readUInt32LE(at + 20), bytes.readUInt32LE(at + 24)];
  const local = bytes.readUInt32LE(at + 42);
  if (bytes.readUInt32LE(local) !== LOCAL) throw new Error(`no file at ${local}`);
  const begin = local + 30 + bytes.readUInt16LE(local + 26) + bytes.readUInt16LE(local + 28);
  const data = bytes.subarray(begin, begin + packed);
  if (method !== 0 && method !== 8) throw new Error(`packed by method ${method}`);
  const plain = method === 0 ? data : inflateRawSync(data);
  if (plain.length !== size) throw new Error(`${plain.length} bytes instead of ${size}`);
  return plain.toString("utf8");
}
