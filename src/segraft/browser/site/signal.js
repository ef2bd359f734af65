// The range of grey values that holds what an image shows, as in `segraft.images.signal`, which tells why.

const BLOCK = 32,
  ENDS = [0.01, 0.99],
  NOISY = 7,
  QUANTILES = [0.25, 0.75],
  FAINT = 20,
  STEP = 0.35,
  SOME = 4096;
const NEIGHBOUR = 3,
  FREE = 0.25,
  WITHIN = 0.6827;

/** Low and high end of an image, equal where all pixels are, and whether it shows more than noise. */
export function measure({ pixels, height, width }) {
  const step = stepOf(pixels);
  const blocks = withoutPadding(cut(pixels, height, width)).map(block => ({
    ...endsOf(block.sorted),
    noise: noiseOf(block),
  }));
  const holding = blocks.filter(({ low, high, noise }) => high - low > NOISY * Math.max(noise, STEP * step));
  const clear = holding.length ? holding : blocks.filter(({ low, high, noise }) => high - low > NOISY * noise);
  const signal = clear.length > 0,
    chosen = signal ? clear : blocks;
  const low = quantile(sorted(chosen.map(block => block.low)), QUANTILES[0]);
  let high = quantile(sorted(chosen.map(block => block.high)), QUANTILES[1]);
  if (!signal) high = Math.max(high, low + FAINT * mean(blocks.map(block => block.noise)));
  return { low, high, signal };
}

/** The value below which a part `q` of sorted values lies, interpolated linearly. */
export function quantile(values, q) {
  const place = q * (values.length - 1),
    below = Math.floor(place),
    above = Math.min(below + 1, values.length - 1);
  return values[below] + (values[above] - values[below]) * (place - below);
}

/** The smallest difference of two grey values among some pixels, 0 where there is but one. */
function stepOf(pixels) {
  const every = Math.max(1, Math.floor(pixels.length / SOME));
  const some = sorted(Float64Array.from({ length: Math.ceil(pixels.length / every) }, (_, k) => pixels[k * every]));
  let smallest = Infinity;
  for (let k = 1; k < some.length; k++) if (some[k] > some[k - 1]) smallest = Math.min(smallest, some[k] - some[k - 1]);
  return smallest === Infinity ? 0 : smallest;
}

/** Blocks that cover the image, each with its pixels by rows and sorted; the last ones overlap where none is left. */
function cut(pixels, height, width) {
  const [tall, wide] = [Math.min(BLOCK, height), Math.min(BLOCK, width)],
    blocks = [];
  for (const top of starts(height, tall))
    for (const left of starts(width, wide)) {
      const own = new Float64Array(tall * wide);
      for (let y = 0; y < tall; y++) {
        const begin = (top + y) * width + left;
        own.set(pixels.subarray(begin, begin + wide), y * wide);
      }
      blocks.push({ own, tall, wide, sorted: sorted(own) });
    }
  return blocks;
}

function starts(size, side) {
  const regular = [];
  for (let at = 0; at + side <= size; at += side) regular.push(at);
  return regular.at(-1) === size - side ? regular : [...regular, size - side];
}

/** Leave out blocks without contrast, and those that hold padding; one block at least is left. */
function withoutPadding(blocks) {
  const lowest = block => block.sorted[0],
    highest = block => block.sorted.at(-1);
  const lowestOfAll = blocks.reduce((value, block) => Math.min(value, lowest(block)), Infinity);
  const highestOfAll = blocks.reduce((value, block) => Math.max(value, highest(block)), -Infinity);
  let varied = blocks.filter(block => lowest(block) < highest(block));
  for (const [value, of] of [
    [lowestOfAll, lowest],
    [highestOfAll, highest],
  ]) {
    const whole = blocks.some(block => lowest(block) === value && highest(block) === value);
    const mixed = varied.filter(block => of(block) === value),
      free = varied.filter(block => of(block) !== value);
    if (whole && isPadding(value, mixed, free)) varied = free;
  }
  return varied.length ? varied : blocks.slice(0, 1);
}

/** Whether a value is padding: enough blocks are free of it, and those that are not have nothing in between. */
function isPadding(value, mixed, free) {
  if (!mixed.length || free.length < FREE * (mixed.length + free.length)) return false;
  const sign = value <= Math.min(...free.map(block => block.sorted[0])) ? 1 : -1;
  const beside = sorted(
    mixed.flatMap(({ own }) => Array.from(own, pixel => sign * (pixel - value))).filter(away => away > 0),
  );
  const usual = sorted(free.map(({ own }) => quantile(sorted(own.map(pixel => sign * (pixel - value))), ENDS[0])));
  return quantile(beside, 0.05) > quantile(usual, 0.5) / 2;
}

function endsOf(values) {
  const [low, high] = ENDS.map(q => values[halfEven(q * (values.length - 1))]);
  return { low, high };
}

/** Standard deviation of a block's noise, from differences of near pixels; where most are 0, from their mean. */
function noiseOf({ own, tall, wide }) {
  const across = [];
  for (let y = 0; y < tall; y += 2)
    for (let x = NEIGHBOUR; x < wide; x++) across.push(Math.abs(own[y * wide + x] - own[y * wide + x - NEIGHBOUR]));
  if (!across.length) return 0;
  const usual = sorted(across)[halfEven(WITHIN * (across.length - 1))] / Math.SQRT2;
  return usual > 0 ? usual : (mean(across) * Math.sqrt(Math.PI)) / 2;
}

/** The nearest whole number; of two, the even one, as Python rounds. */
function halfEven(value) {
  const below = Math.floor(value),
    rest = value - below;
  return rest === 0.5 ? below + (below % 2) : Math.round(value);
}

const sorted = values => Float64Array.from(values).sort();
const mean = values => values.reduce((sum, value) => sum + value, 0) / values.length;
