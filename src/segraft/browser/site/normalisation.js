// Intensities of any camera brought to one scale, as `segraft.images.normalisation` does.

import { measure, quantile } from "./signal.js";

/** Scale an image `{pixels, height, width}` for a model; tells, too, whether it shows more than noise. */
export function normalised(image, percentiles) {
  const { low, high, signal } = percentiles ? between(image.pixels, percentiles) : measure(image);
  const pixels = new Float32Array(image.pixels.length),
    range = high - low;
  if (range)
    for (let k = 0; k < pixels.length; k++) {
      const value = Math.max((image.pixels[k] - low) / range, 0);
      pixels[k] = value > 1 && !percentiles ? 1 + Math.log(value) : value;
    }
  return { pixels, signal };
}

/** Two percentiles of all pixels, or their extremes where the two coincide. */
function between(pixels, percentiles) {
  const sorted = Float64Array.from(pixels).sort();
  const [low, high] = percentiles.map(percent => quantile(sorted, percent / 100));
  return low < high
    ? { low, high, signal: true }
    : { low: sorted[0], high: sorted.at(-1), signal: sorted[0] < sorted.at(-1) };
}
