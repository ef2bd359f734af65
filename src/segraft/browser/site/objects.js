// Objects of a label image: measurements, their table, and their outlines.

// Those of `segraft predict --table` that are in pixels.
const COLUMNS = ["id", "area", "centroid_y", "centroid_x", "min_y", "min_x", "max_y", "max_x"];

/** Rows of the columns, in pixels: a centroid is the mean of pixel indices, a box ends before `max`. */
export function measured(labels, width, count) {
  const rows = Array.from({ length: count }, (_, k) => [k + 1, 0, 0, 0, Infinity, Infinity, 0, 0]);
  labels.forEach((label, pixel) => {
    if (!label) return;
    const row = rows[label - 1],
      y = Math.floor(pixel / width),
      x = pixel % width;
    row[1]++;
    row[2] += y;
    row[3] += x;
    [row[4], row[5]] = [Math.min(row[4], y), Math.min(row[5], x)];
    [row[6], row[7]] = [Math.max(row[6], y + 1), Math.max(row[7], x + 1)];
  });
  for (const row of rows) for (const at of [2, 3]) row[at] /= row[1];
  return rows;
}

export function table(rows) {
  return [COLUMNS, ...rows].map(row => `${row.join(",")}\n`).join("");
}

/** The lines between pixels of different objects, as one path in units of pixels. */
export function outlines(labels, width, height) {
  const path = new Path2D();
  const at = (y, x) => (y < 0 || x < 0 || y >= height || x >= width ? 0 : labels[y * width + x]);
  const lines = (rows, columns, differ, draw) => {
    for (let row = 0; row <= rows; row++)
      for (let column = 0, begin = -1; column <= columns; column++) {
        const line = column < columns && differ(row, column);
        if (line && begin < 0) begin = column;
        if (!line && begin >= 0) begin = draw(row, begin, column);
      }
  };
  const line = (x0, y0, x1, y1) => (path.moveTo(x0, y0), path.lineTo(x1, y1), -1);
  lines(
    height,
    width,
    (y, x) => at(y - 1, x) !== at(y, x),
    (y, x0, x1) => line(x0, y, x1, y),
  );
  lines(
    width,
    height,
    (x, y) => at(y, x - 1) !== at(y, x),
    (x, y0, y1) => line(x, y0, x, y1),
  );
  return path;
}
