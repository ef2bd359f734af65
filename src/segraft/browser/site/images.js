// Image files of everyday formats, and the one grey channel of an image.

import { isPng, readPng } from "./png.js";
import { Refused } from "./refused.js";
import { isTif, readTif } from "./tif.js";

/** Pixels that an image may have at most: a browser has no room for the affinities of more. */
export const LARGEST = 4096 ** 2;

/** Read a file `{name, bytes}` into `{pixels, width, height}`, one number each; throws `Refused` where that fails. */
export async function readImage({ name, bytes }) {
  try {
    const read = isPng(bytes) ? readPng : isTif(bytes) ? readTif : isJpg(bytes) ? readJpg : null;
    if (!read) throw new Refused("it is in no known format, expected png, jpg or tif; convert it");
    const image = grey(await read(bytes, checkSize));
    if (!image.pixels.every(Number.isFinite))
      throw new Refused("got pixels that are no finite numbers; fill them first");
    return image;
  } catch (error) {
    if (error instanceof Refused) throw new Refused(`${name}: ${error.message}`);
    throw new Refused(`${name} cannot be read (${error.message}), expected an image; if it is damaged, copy it again`);
  }
}

function checkSize(width, height) {
  if (!(width > 0 && height > 0))
    throw new Refused(`got ${width} × ${height} pixels, expected at least one; export it again`);
  if (width * height > LARGEST)
    throw new Refused(
      `got ${width} × ${height} pixels, expected at most ${LARGEST / 1e6} million; cut it, or use segraft predict`,
    );
}

const isJpg = bytes => bytes[0] === 0xff && bytes[1] === 0xd8 && bytes[2] === 0xff;

async function readJpg(bytes, check) {
  const picture = await createImageBitmap(new Blob([bytes]), { colorSpaceConversion: "none" });
  const { width, height } = picture;
  check(width, height);
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.drawImage(picture, 0, 0);
  return { pixels: context.getImageData(0, 0, width, height).data, width, height, samples: 4 };
}

/** The one channel of an image whose colours are all the same; alpha is left out. */
function grey({ pixels, width, height, samples }) {
  if (samples === 1) return { pixels, width, height };
  const opaque = { Uint8Array: 255, Uint16Array: 65535 }[pixels.constructor.name];
  const alike = ([first, ...others]) => others.every(value => value === first);
  const fits =
    {
      2: pixel => pixel[1] === opaque || alike(pixel),
      3: alike,
      4: pixel => alike(pixel.subarray(0, 3)),
    }[samples] ?? (() => false);
  const channel = new pixels.constructor(width * height);
  for (let k = 0; k < channel.length; k++) {
    if (!fits(pixels.subarray(k * samples, (k + 1) * samples)))
      throw new Refused(
        `got ${samples === 2 ? "2 channels" : "colours"}, expected grey, as in training; save one channel as grey`,
      );
    channel[k] = pixels[k * samples];
  }
  return { pixels: channel, width, height };
}
