// From embeddings to affinities: cosines between a pixel and its partners, as `segraft.graphs.affinity` has them.

const EPSILON = 1e-6; // smallest length that a vector is divided by

/**
 * Write the affinities of a tile's core into those of the image, planes `(offsets, height, width)`.
 *
 * `embedding` is `(dim, *output)` and is scaled to unit vectors in place. Partners outside the image leave 0.
 */
export function addAffinities(affinities, [height, width], embedding, dim, offsets, { y, x }) {
  const wide = x.output[1] - x.output[0],
    size = (y.output[1] - y.output[0]) * wide;
  unit(embedding, dim, size);
  offsets.forEach(([dy, dx], n) => {
    const [left, right] = [Math.max(x.core[0], -dx), Math.min(x.core[1], width - Math.max(dx, 0))];
    for (let row = Math.max(y.core[0], -dy); row < Math.min(y.core[1], height - Math.max(dy, 0)); row++) {
      const into = affinities.subarray((n * height + row) * width + left, (n * height + row) * width + right);
      let here = (row - y.output[0]) * wide + left - x.output[0];
      for (let channel = 0; channel < dim; channel++, here += size) {
        const there = here + dy * wide + dx;
        for (let k = 0; k < into.length; k++) into[k] += embedding[here + k] * embedding[there + k];
      }
    }
  });
}

function unit(embedding, dim, size) {
  const scale = new Float32Array(size);
  const planes = Array.from({ length: dim }, (_, channel) => embedding.subarray(channel * size, (channel + 1) * size));
  for (const plane of planes) for (let k = 0; k < size; k++) scale[k] += plane[k] * plane[k];
  for (let k = 0; k < size; k++) scale[k] = 1 / Math.max(Math.sqrt(scale[k]), EPSILON);
  for (const plane of planes) for (let k = 0; k < size; k++) plane[k] *= scale[k];
}
