// Tagged image files (TIFF 6.0): one plane in strips or tiles, as stored, by LZW or Deflate.

import { inflate, unlzw } from "./compression.js";
import { Refused } from "./refused.js";

const TAGS = {
  254: "kind",
  256: "width",
  257: "height",
  258: "bits",
  259: "compression",
  262: "photometric",
  266: "order",
  270: "description",
  273: "stripOffsets",
  277: "samples",
  278: "rowsPerStrip",
  279: "stripBytes",
  284: "planar",
  317: "predictor",
  322: "tileWidth",
  323: "tileHeight",
  324: "tileOffsets",
  325: "tileBytes",
  339: "format",
};
const SIZES = { 1: 1, 2: 1, 3: 2, 4: 4, 16: 8 }; // bytes of a value, by its type
const UNSIGNED = 1,
  SIGNED = 2,
  REAL = 3;
const ARRAYS = {
  [UNSIGNED]: { 8: Uint8Array, 16: Uint16Array, 32: Uint32Array },
  [SIGNED]: { 8: Int8Array, 16: Int16Array, 32: Int32Array },
  [REAL]: { 32: Float32Array, 64: Float64Array },
};
const DECODERS = { 1: bytes => bytes, 5: unlzw, 8: inflate, 32946: inflate };
const WHITE_IS_ZERO = 0,
  REDUCED = 1,
  SEPARATE = 2;

export const isTif = bytes => ["II*\0", "MM\0*"].includes(text(bytes.subarray(0, 4)));

/** Decode into `{pixels, width, height, samples}`, pixels as stored; white that is 0 is inverted. */
export async function readTif(bytes, check) {
  const file = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    little = bytes[0] === 73;
  const page = onePage(file, little);
  const { width, height, samples, bits, format } = page,
    Kind = ARRAYS[format]?.[bits];
  check(width, height);
  const decode = DECODERS[page.compression];
  if (!Kind)
    throw new Refused(`got pixels of ${bits} bits, kind ${format}, expected integers of 8 or 16 bits; convert it`);
  if (!decode || page.predictor > 2 || page.order > 1)
    throw new Refused(
      `got compression ${page.compression}, expected none, LZW or Deflate; save it without compression`,
    );
  const pixels = new Kind(width * height * samples);
  for (const part of parts(page)) {
    if (part.offset + part.size > bytes.length) throw new Error("cut short");
    const size = (part.tall * part.wide * part.samples * bits) / 8;
    const raw = await decode(bytes.subarray(part.offset, part.offset + part.size), size);
    if (raw.length < (part.needed * part.wide * part.samples * bits) / 8) throw new Error("cut short");
    place(numbers(raw, Kind, little), part, page, pixels);
  }
  if (page.photometric === WHITE_IS_ZERO && format !== REAL)
    for (let k = 0; k < pixels.length; k++) pixels[k] = ~pixels[k];
  return { pixels, width, height, samples };
}

/** The tags of the only page, reduced copies apart. */
function onePage(file, little) {
  const pages = [];
  for (let at = file.getUint32(4, little); at;) {
    const count = file.getUint16(at, little);
    pages.push(tagsOf(file, at + 2, count, little));
    at = file.getUint32(at + 2 + 12 * count, little);
  }
  const whole = pages.filter((page, k) => k === 0 || !(page.kind & REDUCED));
  const planes = Number(/^ImageJ=[^\0]*\nimages=(\d+)/.exec(whole[0].description)?.[1] ?? whole.length);
  if (planes > 1)
    throw new Refused(`got a stack of ${planes} planes, expected a single one; save one plane on its own`);
  return whole[0];
}

function tagsOf(file, start, count, little) {
  const tags = {
    kind: 0,
    bits: 1,
    compression: 1,
    order: 1,
    description: "",
    samples: 1,
    planar: 1,
    predictor: 1,
    format: UNSIGNED,
  };
  for (let at = start; at < start + 12 * count; at += 12) {
    const name = TAGS[file.getUint16(at, little)],
      type = file.getUint16(at + 2, little),
      size = SIZES[type];
    if (!name || !size) continue;
    const length = file.getUint32(at + 4, little),
      from = length * size > 4 ? file.getUint32(at + 8, little) : at + 8;
    const values = Array.from({ length }, (_, k) => file[`getUint${8 * size}`](from + k * size, little));
    tags[name] = type === 2 ? text(values) : name.endsWith("Offsets") || name.endsWith("Bytes") ? values : values[0];
  }
  return tags;
}

/** Strips or tiles: where they are in the file and in the image. */
function parts({ width, height, samples, planar, rowsPerStrip, tileWidth, tileHeight, ...page }) {
  const tiled = Boolean(page.tileOffsets),
    [offsets, sizes] = tiled ? [page.tileOffsets, page.tileBytes] : [page.stripOffsets, page.stripBytes];
  const [tall, wide] = tiled ? [tileHeight, tileWidth] : [Math.min(rowsPerStrip ?? height, height), width];
  const across = Math.ceil(width / wide),
    down = Math.ceil(height / tall),
    own = planar === SEPARATE ? 1 : samples;
  if (offsets.length < (across * down * samples) / own) throw new Error("cut short");
  return Array.from({ length: (across * down * samples) / own }, (_, k) => {
    const top = (Math.floor(k / across) % down) * tall,
      needed = tiled ? tall : Math.min(tall, height - top);
    const first = Math.floor(k / across / down); // sample of the part, where each has parts of its own
    return {
      offset: offsets[k],
      size: sizes[k],
      top,
      left: (k % across) * wide,
      tall,
      wide,
      needed,
      first,
      samples: own,
    };
  });
}

/** The numbers that bytes hold, in this machine's order. */
function numbers(raw, Kind, little) {
  const count = Math.floor(raw.length / Kind.BYTES_PER_ELEMENT),
    values = new Kind(count);
  const file = new DataView(raw.buffer, raw.byteOffset, raw.byteLength),
    read = `get${Kind.name.replace("Array", "")}`;
  for (let k = 0; k < count; k++) values[k] = file[read](k * Kind.BYTES_PER_ELEMENT, little);
  return values;
}

/** Write a part to its place; with the predictor each number is the difference from the pixel before. */
function place(
  values,
  { top, left, wide, needed, first, samples },
  { width, height, samples: all, predictor },
  pixels,
) {
  for (let y = 0; y < needed && top + y < height; y++) {
    const row = values.subarray(y * wide * samples, (y + 1) * wide * samples);
    if (predictor === 2) for (let k = samples; k < row.length; k++) row[k] += row[k - samples];
    for (let k = 0; k < Math.min(wide, width - left) * samples; k++) {
      const x = left + Math.floor(k / samples);
      pixels[((top + y) * width + x) * all + first + (k % samples)] = row[k];
    }
  }
}

const text = codes => String.fromCharCode(...codes);
