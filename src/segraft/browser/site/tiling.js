// Cutting images into tiles whose results are those of the whole image, as `segraft.model.tiling` does.

/** Tiles `{y, x}` of an image, each axis with `core`, `context`, `output` and `window`: first pixel and end. */
export function tiles([height, width], tile, geometry, offsets) {
  const rows = along(0, height, tile, geometry, offsets),
    columns = along(1, width, tile, geometry, offsets);
  return rows.flatMap(y => columns.map(x => ({ y, x })));
}

function along(axis, size, tile, geometry, offsets) {
  const [stride, halo, margin] = ["stride", "halo", "margin"].map(name => geometry[name][axis]);
  const smallest = geometry.minimum[axis] - 2 * margin,
    steps = offsets.map(offset => offset[axis]);
  const before = -Math.min(0, ...steps),
    after = Math.max(0, ...steps);
  const width = tile ? up(Math.ceil(size / Math.ceil(size / up(tile, stride))), stride) : up(size, stride);
  const parts = [];
  for (let start = 0; start < size; start += width) {
    const stop = Math.min(start + width, size);
    const context = [Math.max(0, start - before), Math.min(size, stop + after)];
    const begin = Math.max(0, Math.floor((context[0] - halo) / stride) * stride);
    const reach = halo ? Math.min(context[1] + halo, up(size, stride)) : context[1];
    const end = begin + smallest + up(Math.max(0, reach - begin - smallest), stride);
    parts.push({ core: [start, stop], context, output: [begin, end], window: [begin - margin, end + margin] });
  }
  return parts;
}

const up = (size, multiple) => Math.ceil(size / multiple) * multiple;

/** Cut a window out of an image, reflected about its border pixels beyond them. */
export function crop(pixels, [height, width], [top, bottom], [left, right]) {
  const window = new Float32Array((bottom - top) * (right - left));
  const columns = Array.from({ length: right - left }, (_, k) => mirror(left + k, width));
  for (let y = top, at = 0; y < bottom; y++) {
    const row = mirror(y, height) * width;
    for (const column of columns) window[at++] = pixels[row + column];
  }
  return window;
}

function mirror(index, extent) {
  if (extent === 1) return 0;
  const period = 2 * (extent - 1),
    within = ((index % period) + period) % period;
  return Math.min(within, period - within);
}
