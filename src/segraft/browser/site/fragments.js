// Fragments: thin or small segments, which join the larger ones that they touch, as `segraft.segment.fragments` has it.

/** Number labels consecutively from 1 in the order of their first pixels; returns how many there are. */
export function consecutive(labels) {
  const numbers = new Map([[0, 0]]);
  for (let k = 0; k < labels.length; k++) {
    if (!numbers.has(labels[k])) numbers.set(labels[k], numbers.size);
    labels[k] = numbers.get(labels[k]);
  }
  return numbers.size - 1;
}

/**
 * Let fragments of labels join the larger segment that attracts them most, in place; returns the number of labels.
 *
 * First those that are nowhere thicker than `thickness` pixels, then those of fewer than `minimumSize` pixels, which
 * otherwise vanish. Two segments attract each other by the sum of the affinities across their border.
 */
export function absorb(labels, affinities, space, thickness, minimumSize) {
  const count = consecutive(labels);
  const segments = new Segments(labels, affinities, space, count, thickSegments(labels, space, thickness, count));
  const thin = segment => !segments.thick[segment],
    small = segment => segments.sizes[segment] < minimumSize;
  for (;;) {
    const joined = segments.absorb(thin);
    if (!joined && !segments.absorb(small)) break;
    if (segments.parents(thin).size) {
      // thin ones that joined may have become thick
      const grown = thickSegments(
        labels.map(label => segments.home[label]),
        space,
        thickness,
        count,
      );
      grown.forEach((thick, segment) => {
        segments.thick[segment] |= thick;
      });
    }
  }
  for (let k = 0; k < labels.length; k++) {
    const home = segments.home[labels[k]];
    labels[k] = small(home) ? 0 : home;
  }
  return consecutive(labels);
}

/** Segments as nodes of a graph whose edges are where two of them touch. */
class Segments {
  constructor(labels, affinities, [height, width], count, thick) {
    this.thick = thick;
    this.sizes = new Uint32Array(count + 1);
    this.home = Uint32Array.from({ length: count + 1 }, (_, segment) => segment); // what each has become
    this.attraction = Array.from(this.home, () => new Map()); // of each segment, by neighbour
    for (let pixel = 0; pixel < labels.length; pixel++) {
      this.sizes[labels[pixel]]++;
      if (pixel >= width) this.touch(labels[pixel], labels[pixel - width], affinities[pixel]);
      if (pixel % width) this.touch(labels[pixel], labels[pixel - 1], affinities[height * width + pixel]);
    }
  }

  touch(one, other, affinity) {
    if (one === other || !one || !other) return;
    const clipped = Math.min(Math.max(affinity, 0), 1);
    for (const [here, there] of [
      [one, other],
      [other, one],
    ])
      this.attraction[here].set(there, (this.attraction[here].get(there) ?? 0) + clipped);
  }

  /** What each fragment joins: of the larger segments that it touches the one that attracts it most. */
  parents(isFragment) {
    const found = new Map();
    this.attraction.forEach((neighbours, segment) => {
      if (!neighbours.size || !isFragment(segment)) return;
      const better = (one, other) =>
        neighbours.get(one) - neighbours.get(other) || this.sizes[one] - this.sizes[other] || other - one;
      const larger = [...neighbours.keys()].filter(other => this.sizes[other] > this.sizes[segment]);
      if (larger.length)
        found.set(
          segment,
          larger.reduce((best, other) => (better(other, best) > 0 ? other : best)),
        );
    });
    return found;
  }

  /** Let all fragments of a kind join; whether there were any. */
  absorb(isFragment) {
    const parents = this.parents(isFragment);
    const last = segment => {
      // a parent is larger than its child, so that there are no circles
      while (parents.has(segment)) segment = parents.get(segment);
      return segment;
    };
    const homes = this.home.map((_, segment) => last(segment));
    for (const segment of parents.keys()) {
      this.sizes[homes[segment]] += this.sizes[segment];
      this.sizes[segment] = 0;
      this.thick[homes[segment]] |= this.thick[segment];
      this.thick[segment] = 1; // no fragment any more
    }
    if (parents.size) this.join(homes);
    return parents.size > 0;
  }

  join(homes) {
    const before = this.attraction;
    this.attraction = before.map(() => new Map());
    before.forEach((neighbours, one) =>
      neighbours.forEach((affinity, other) => {
        const [here, there] = [homes[one], homes[other]];
        if (here !== there) this.attraction[here].set(there, (this.attraction[here].get(there) ?? 0) + affinity);
      }),
    );
    this.home = this.home.map(segment => homes[segment]);
  }
}

/** For each of the labels 0 to `count` 1 if it is thicker than `thickness`: a pixel is farther from any other label. */
function thickSegments(labels, [height, width], thickness, count) {
  const thick = new Uint8Array(count + 1).fill(thickness < 1 ? 1 : 0),
    disc = discOf(thickness);
  thick[0] = 1;
  const clamp = (at, extent) => Math.min(Math.max(at, 0), extent - 1); // beyond the image there is no label
  for (let pixel = 0; pixel < labels.length; pixel++) {
    const label = labels[pixel];
    if (thick[label]) continue;
    const y = Math.floor(pixel / width),
      x = pixel % width;
    if (disc.every(([dy, dx]) => labels[clamp(y + dy, height) * width + clamp(x + dx, width)] === label))
      thick[label] = 1;
  }
  return thick;
}

function discOf(radius) {
  const reach = Math.floor(radius),
    disc = [];
  for (let dy = -reach; dy <= reach; dy++)
    for (let dx = -reach; dx <= reach; dx++) if (dy * dy + dx * dx <= radius * radius) disc.push([dy, dx]);
  return disc;
}
