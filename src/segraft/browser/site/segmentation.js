// From an image to labels, as `segraft.model.Model.predict` does it.

import { addAffinities } from "./affinities.js";
import { absorb } from "./fragments.js";
import { mutexWatershed } from "./mutex.js";
import { Refused } from "./refused.js";
import { crop, tiles } from "./tiling.js";

const LARGE = 1024 ** 2,
  TILE = 768; // images of more pixels are cut into tiles, so that memory suffices

/**
 * What the network says of normalised pixels: affinities `(offsets, height, width)` and foreground probability.
 *
 * `model` is what `model.json` holds. `progress(part)` is awaited after each tile, with the part that is done.
 */
export async function mapsOf(pixels, space, { config: { offsets }, geometry }, network, progress) {
  const size = space[0] * space[1],
    affinities = new Float32Array(offsets.length * size),
    probability = new Float32Array(size);
  const all = tiles(space, size > LARGE ? TILE : null, geometry, offsets),
    seconds = { network: 0, affinities: 0 };
  for (const [number, tile] of all.entries()) {
    const { y, x } = tile,
      begin = performance.now();
    const window = crop(pixels, space, y.window, x.window);
    const { embedding, foreground } = await network(window, y.window[1] - y.window[0], x.window[1] - x.window[0]);
    const between = performance.now();
    addAffinities(affinities, space, embedding, geometry.dim, offsets, tile);
    addProbability(probability, space, foreground, tile);
    seconds.network += (between - begin) / 1000;
    seconds.affinities += (performance.now() - between) / 1000;
    await progress((number + 1) / all.length);
  }
  return { affinities, probability, space, seconds };
}

function addProbability(probability, [, width], logits, { y, x }) {
  const wide = x.output[1] - x.output[0];
  for (let row = y.core[0]; row < y.core[1]; row++)
    for (let column = x.core[0]; column < x.core[1]; column++) {
      const logit = logits[(row - y.output[0]) * wide + column - x.output[0]];
      if (Number.isNaN(logit))
        throw new Refused("the network gives no numbers; its weights are damaged: export it again");
      probability[row * width + column] = 1 / (1 + Math.exp(-logit));
    }
}

/** Labels, numbered from 1, and how many there are, where a pixel of an object is more probable than a threshold. */
export function segment({ affinities, probability, space }, { offsets, segmentation }, threshold) {
  const { thickness, minimum_size: minimumSize, settings } = segmentation;
  const foreground = new Uint8Array(probability.length);
  for (let k = 0; k < foreground.length; k++) foreground[k] = probability[k] > threshold ? 1 : 0;
  const labels = mutexWatershed(affinities, space, offsets, foreground, settings);
  const count = absorb(labels, affinities, space, thickness, minimumSize);
  return { labels, count };
}
