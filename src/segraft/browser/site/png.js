// Portable Network Graphics (https://www.w3.org/TR/png-3) with all bits of their pixels: a canvas keeps eight.

import { deflate, inflate } from "./compression.js";

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const SAMPLES = { 0: 1, 2: 3, 3: 1, 4: 2, 6: 4 }; // per pixel, by colour type
const PALETTE = 3;
const PASSES = [
  [0, 0, 8, 8],
  [0, 4, 8, 8],
  [4, 0, 8, 4],
  [0, 2, 4, 4],
  [2, 0, 4, 2],
  [0, 1, 2, 2],
  [1, 0, 2, 1],
];
// of an interlaced image: first row and column, and the steps between them
const FILTERS = [() => 0, left => left, (_, above) => above, (left, above) => (left + above) >> 1, paeth];

export const isPng = bytes => SIGNATURE.every((byte, k) => bytes[k] === byte);

/** Decode into `{pixels, width, height, samples}`, pixels as stored, or the colours of a palette. */
export async function readPng(bytes, check) {
  const chunks = chunksOf(bytes),
    header = view(chunks.find(chunk => chunk.type === "IHDR").data);
  const [width, height] = [header.getUint32(0), header.getUint32(4)],
    [depth, colour] = [header.getUint8(8), header.getUint8(9)];
  check(width, height);
  const samples = SAMPLES[colour],
    data = chunks.filter(chunk => chunk.type === "IDAT").map(chunk => chunk.data);
  const stream = await inflate(await new Blob(data).arrayBuffer());
  const pixels = new (depth === 16 ? Uint16Array : Uint8Array)(width * height * samples);
  let at = 0;
  for (const [top, left, down, across] of header.getUint8(12) ? PASSES : [[0, 0, 1, 1]]) {
    const [tall, wide] = [Math.ceil((height - top) / down), Math.ceil((width - left) / across)];
    if (tall <= 0 || wide <= 0) continue;
    const length = Math.ceil((wide * samples * depth) / 8),
      end = at + tall * (length + 1);
    if (end > stream.length) throw new Error("cut short");
    const rows = unfiltered(stream.subarray(at, end), length, Math.max(1, (samples * depth) / 8));
    rows.forEach((row, k) =>
      spread(row, depth, pixels, ((top + k * down) * width + left) * samples, samples, across, wide),
    );
    at = end;
  }
  if (colour === PALETTE)
    return { pixels: coloured(pixels, chunks.find(chunk => chunk.type === "PLTE").data), width, height, samples: 3 };
  if (depth < 8) for (let k = 0; k < pixels.length; k++) pixels[k] *= 255 / (2 ** depth - 1);
  return { pixels, width, height, samples };
}

/** Encode grey values of 16 bits. */
export async function writePng(pixels, width, height) {
  const header = new DataView(new ArrayBuffer(13)),
    rows = new DataView(new ArrayBuffer(height * (1 + 2 * width)));
  header.setUint32(0, width);
  header.setUint32(4, height);
  header.setUint8(8, 16);
  for (let pixel = 0; pixel < pixels.length; pixel++)
    rows.setUint16(2 * pixel + Math.floor(pixel / width) + 1, pixels[pixel]);
  const data = await deflate(rows.buffer);
  const chunks = [chunk("IHDR", new Uint8Array(header.buffer)), chunk("IDAT", data), chunk("IEND", new Uint8Array())];
  return new Blob([new Uint8Array(SIGNATURE), ...chunks], { type: "image/png" });
}

function chunksOf(bytes) {
  const chunks = [],
    file = view(bytes);
  for (let at = SIGNATURE.length; chunks.at(-1)?.type !== "IEND"; at += chunks.at(-1).data.length + 12) {
    if (at + 12 > bytes.length || at + 12 + file.getUint32(at) > bytes.length) throw new Error("cut short");
    const end = at + 8 + file.getUint32(at);
    if (crc(bytes.subarray(at + 4, end)) !== file.getUint32(end)) throw new Error("wrong checksum");
    chunks.push({ type: String.fromCharCode(...bytes.subarray(at + 4, at + 8)), data: bytes.subarray(at + 8, end) });
  }
  return chunks;
}

function chunk(type, data) {
  const whole = new Uint8Array(data.length + 12),
    file = view(whole);
  file.setUint32(0, data.length);
  whole.set(
    [...type].map(letter => letter.charCodeAt(0)),
    4,
  );
  whole.set(data, 8);
  file.setUint32(data.length + 8, crc(whole.subarray(4, data.length + 8)));
  return whole;
}

/** Rows of bytes without their filters; `step` bytes lie between a byte and the one of the pixel before. */
function unfiltered(stream, length, step) {
  const rows = [];
  let above = new Uint8Array(length);
  for (let at = 0; at < stream.length; at += length + 1) {
    const row = stream.subarray(at + 1, at + 1 + length),
      predicted = FILTERS[stream[at]];
    for (let k = 0; k < length; k++)
      row[k] += k < step ? predicted(0, above[k], 0) : predicted(row[k - step], above[k], above[k - step]);
    rows.push((above = row));
  }
  return rows;
}

function paeth(left, above, corner) {
  const [a, b, c] = [left, above, corner].map(value => Math.abs(left + above - corner - value));
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

/** Write the numbers of one row, of `depth` bits each, to the pixels of a row, `across` apart. */
function spread(row, depth, pixels, start, samples, across, wide) {
  for (let k = 0; k < wide * samples; k++) {
    const at = start + Math.floor(k / samples) * samples * across + (k % samples),
      bit = k * depth;
    pixels[at] =
      depth === 16
        ? (row[2 * k] << 8) | row[2 * k + 1]
        : (row[bit >> 3] >> (8 - depth - (bit % 8))) & ((1 << depth) - 1);
  }
}

function coloured(indices, palette) {
  const pixels = new Uint8Array(indices.length * 3);
  indices.forEach((index, k) => pixels.set(palette.subarray(3 * index, 3 * index + 3), 3 * k));
  return pixels;
}

const view = bytes => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

const REMAINDERS = Uint32Array.from({ length: 256 }, (_, byte) => {
  for (let bit = 0; bit < 8; bit++) byte = byte & 1 ? (byte >>> 1) ^ 0xedb88320 : byte >>> 1;
  return byte;
});

function crc(bytes) {
  let rest = 0xffffffff;
  for (const byte of bytes) rest = (rest >>> 8) ^ REMAINDERS[(rest ^ byte) & 255];
  return ~rest >>> 0;
}
