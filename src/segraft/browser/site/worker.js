// The work beside the page: reads images, runs the network and segments, so that the page stays alive.

import { readImage } from "./images.js";
import { loadNetwork } from "./network.js";
import { normalised } from "./normalisation.js";
import { measured } from "./objects.js";
import { Refused } from "./refused.js";
import { mapsOf, segment } from "./segmentation.js";

const BRIGHTEST = 1.2; // of the picture, in normalised grey values
const loading = Promise.all([fetch("model.json").then(response => response.json()), loadNetwork("model.onnx")]);
loading.catch(() => {}); // told when an image comes
let maps = null,
  newest = 0,
  wanted = null;

addEventListener("message", async ({ data: { file, threshold } }) => {
  const own = file ? ++newest : newest,
    current = () => own === newest;
  wanted = threshold;
  try {
    if (file) await open(file, current);
    if (current() && maps) answer(wanted);
  } catch (error) {
    if (current()) postMessage({ refused: error instanceof Refused ? error.message : lacking(error) });
  }
});

async function open(file, current) {
  maps = null;
  const image = await readImage(file),
    { width, height } = image;
  const [model, network] = await loading;
  const { pixels, signal } = normalised(image, model.config.percentiles);
  const picture = Uint8ClampedArray.from(pixels, value => (255 * value) / BRIGHTEST);
  if (!current()) return;
  postMessage({ picture, width, height, signal });
  const found = await mapsOf(pixels, [height, width], model, network, async part => {
    postMessage({ progress: part });
    await new Promise(resolve => setTimeout(resolve)); // lets another image come
    if (!current()) throw new Refused("another image came");
  });
  maps = { ...found, config: model.config };
}

function answer(threshold) {
  const begin = performance.now(),
    { labels, count } = segment(maps, maps.config, threshold);
  const seconds = { ...maps.seconds, segmentation: (performance.now() - begin) / 1000 };
  postMessage({ labels, rows: measured(labels, maps.space[1], count), threshold, seconds }, [labels.buffer]);
}

/** What to say where memory runs out, or a browser lacks what this needs. */
function lacking(error) {
  const reason = String(error.message ?? error).split("\n")[0];
  if (error instanceof RangeError || /memory|allocat/i.test(reason))
    return "the image is too large for this browser's memory, expected a smaller one; cut it, or use segraft predict";
  return `this browser cannot segment (${reason}); expected a current one with WebAssembly; update it, or use another`;
}
