// Mutex watershed (Wolf et al. 2020, https://arxiv.org/abs/1904.12654), as `segraft.segment.mutex` has it for images.

const ATTRACTING = 2; // the nearest offsets, the first one per axis
const BLOCK = 256; // side, in pixels, of blocks: pieces of the foreground that begin in one are partitioned together

/**
 * Partition the pixels of a foreground (1 inside) from affinities `(offsets, height, width)`.
 *
 * The nearest offsets attract by their affinity less a bias, all others repel by 1 − affinity, at pixels on a grid of
 * `strides`. Nothing joins pixels that the foreground does not connect, so its connected pieces are partitioned block by
 * block, which gives the same segments. Returns Uint32 labels, 0 outside, otherwise any numbers above 0.
 */
export function mutexWatershed(affinities, space, offsets, foreground, { strides, bias } = {}) {
  const [height, width] = space,
    size = height * width,
    sets = new Sets(size);
  const steps = offsets.map(([dy, dx]) => dy * width + dx),
    pieces = piecesOf(foreground, width);
  for (const pixels of blocks(pieces, width)) {
    const { weights, edges } = edgesOf(pixels, pieces, affinities, space, offsets, strides ?? [1, 1], bias ?? 0);
    for (const place of strongestFirst(weights)) {
      const channel = Math.floor(edges[place] / size),
        pixel = edges[place] % size;
      const one = sets.root(pixel),
        other = sets.root(pixel + steps[channel]);
      if (one === other) continue;
      if (channel >= ATTRACTING) sets.part(one, other);
      else if (!sets.parted(one, other)) sets.join(one, other);
    }
    sets.enemies.clear();
  }
  return pieces.map((piece, pixel) => (piece ? sets.root(pixel) + 1 : 0));
}

/** For each pixel of the foreground the number of its connected piece, which is one of its pixels, and 1; else 0. */
function piecesOf(foreground, width) {
  const sets = new Sets(foreground.length);
  for (let pixel = 0; pixel < foreground.length; pixel++) {
    if (!foreground[pixel]) continue;
    if (pixel >= width && foreground[pixel - width]) sets.join(sets.root(pixel - width), sets.root(pixel));
    if (pixel % width && foreground[pixel - 1]) sets.join(sets.root(pixel - 1), sets.root(pixel));
  }
  return sets.parents.map((_, pixel) => (foreground[pixel] ? sets.root(pixel) + 1 : 0));
}

/** The pixels of neighbouring pieces together, in ascending order. */
function blocks(pieces, width) {
  const across = Math.ceil(width / BLOCK),
    found = new Map();
  const blockOf = pixel => Math.floor(pixel / width / BLOCK) * across + Math.floor((pixel % width) / BLOCK);
  pieces.forEach((piece, pixel) => {
    if (!piece) return;
    const block = blockOf(piece - 1);
    if (!found.has(block)) found.set(block, []);
    found.get(block).push(pixel);
  });
  return found.values();
}

/** Weights of the edges inside pieces, and their numbers: channel by channel, pixel by pixel. */
function edgesOf(pixels, pieces, affinities, [height, width], offsets, strides, bias) {
  const weights = new Float32Array(pixels.length * offsets.length),
    edges = new Uint32Array(weights.length);
  let at = 0;
  offsets.forEach(([dy, dx], channel) => {
    const attracts = channel < ATTRACTING,
      [down, across] = attracts ? [1, 1] : strides;
    for (const pixel of pixels) {
      const x = pixel % width,
        y = (pixel - x) / width;
      if (y % down || x % across || y + dy < 0 || y + dy >= height || x + dx < 0 || x + dx >= width) continue;
      if (pieces[pixel] !== pieces[pixel + dy * width + dx]) continue; // nothing could join them
      edges[at] = channel * height * width + pixel;
      const affinity = Math.min(Math.max(affinities[edges[at]], 0), 1);
      weights[at++] = attracts ? Math.max(affinity - bias, 0) : 1 - affinity;
    }
  });
  return { weights: weights.subarray(0, at), edges };
}

/** Places of weights, at least 0, from the largest to the smallest; equal ones stay in order. */
function strongestFirst(weights) {
  const digits = new Uint32Array(weights.buffer, 0, weights.length); // bits of floats from 0 on sort alike
  let places = numbersTo(weights.length),
    next = new Uint32Array(weights.length);
  for (const shift of [0, 11, 22]) {
    const ends = new Uint32Array(2049);
    for (let k = 0; k < digits.length; k++) ends[2048 - ((digits[k] >>> shift) & 2047)]++;
    for (let digit = 1; digit < 2049; digit++) ends[digit] += ends[digit - 1];
    for (const place of places) next[ends[2047 - ((digits[place] >>> shift) & 2047)]++] = place;
    [places, next] = [next, places];
  }
  return places;
}

/** 0, 1, 2 and so on. */
function numbersTo(count) {
  const numbers = new Uint32Array(count);
  for (let k = 0; k < count; k++) numbers[k] = k;
  return numbers;
}

/** Disjoint sets of pixels, some pairs of which must never become one. */
class Sets {
  constructor(size) {
    this.parents = numbersTo(size);
    this.enemies = new Map();
  }

  root(pixel) {
    const { parents } = this;
    while (parents[pixel] !== pixel) pixel = parents[pixel] = parents[parents[pixel]];
    return pixel;
  }

  part(one, other) {
    this.of(one).add(other);
    this.of(other).add(one);
  }

  parted(one, other) {
    return this.enemies.get(one)?.has(other) ?? false;
  }

  /** Join two roots; the one with fewer enemies gives them to the other. */
  join(one, other) {
    const [gone, stays] =
      (this.enemies.get(one)?.size ?? 0) < (this.enemies.get(other)?.size ?? 0) ? [one, other] : [other, one];
    this.parents[gone] = stays;
    for (const enemy of this.enemies.get(gone) ?? []) {
      this.enemies.get(enemy).delete(gone);
      this.part(stays, enemy);
    }
    this.enemies.delete(gone);
  }

  of(root) {
    if (!this.enemies.has(root)) this.enemies.set(root, new Set());
    return this.enemies.get(root);
  }
}
