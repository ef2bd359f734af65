// Compressed bytes: Deflate by the browser, and LZW as tif has it (TIFF 6.0, section 13).

export const inflate = bytes => through(new DecompressionStream("deflate"), bytes);
export const deflate = bytes => through(new CompressionStream("deflate"), bytes);

async function through(transform, bytes) {
  return new Uint8Array(await new Response(new Blob([bytes]).stream().pipeThrough(transform)).arrayBuffer());
}

const CLEAR = 256,
  END = 257,
  FIRST = 258,
  SHORTEST = 9,
  LONGEST = 12;

/** Decode LZW into `size` bytes at most. */
export function unlzw(bytes, size) {
  // What a code from FIRST on stands for was written before: the bytes of the code before it, and one more.
  const out = new Uint8Array(size),
    starts = new Uint32Array(1 << LONGEST),
    lengths = new Uint32Array(1 << LONGEST);
  let at = 0,
    next = FIRST,
    bits = SHORTEST,
    before = null;
  for (const code of codes(bytes, () => bits)) {
    if (code === END || at >= size) break;
    if (code === CLEAR) {
      [next, bits, before] = [FIRST, SHORTEST, null];
      continue;
    }
    if (before !== null && next < 1 << LONGEST) [starts[next], lengths[next++]] = [before, at - before + 1];
    if (code >= next) throw new Error("damaged LZW data");
    before = at;
    if (code < CLEAR) out[at++] = code;
    else for (let k = 0; k < lengths[code]; k++) out[at++] = out[starts[code] + k];
    if (next >= (1 << bits) - 1 && bits < LONGEST) bits++;
  }
  return out.subarray(0, Math.min(at, size));
}

/** Numbers of as many bits as `width` says at each, the highest bit first. */
function* codes(bytes, width) {
  let held = 0,
    have = 0;
  for (const byte of bytes) {
    held = ((held << 8) | byte) & 0xffffff;
    have += 8;
    const bits = width();
    if (have < bits) continue;
    have -= bits;
    yield (held >>> have) & ((1 << bits) - 1);
  }
}
