// The page: takes images, shows what the worker finds, and hands out labels and table.

import { outlines, table } from "./objects.js";
import { writePng } from "./png.js";

const HALO = "rgb(0 0 0 / .55)",
  WIDTHS = [3.5, 1.5]; // of the outlines and what sets them off, in pixels of the screen
const MOST = 65535; // labels that a png of 16 bits holds
const find = selector => document.querySelector(selector);
const [status, refused, progress, result] = [".status", ".refused", "progress", ".result"].map(find);
const [picture, image, drawn, slider] = [".picture", ".image", ".outlines", "#threshold"].map(find);
let name = "",
  count = 0,
  shown = null,
  path = null,
  worker = null,
  waiting = false,
  usual = 0.5;

function refuse(line) {
  say(line);
  status.textContent = "";
  progress.hidden = result.hidden = true;
  wait(false);
}

function say(line) {
  refused.textContent = line;
  refused.hidden = false;
}

function wait(on) {
  waiting = on;
  result.ariaBusy = on;
}

async function start() {
  if (typeof WebAssembly !== "object")
    return refuse("This browser has no WebAssembly, which the network needs; update it, or use another.");
  const model = JSON.parse(await (await held("model.json")).text());
  usual = model.config.segmentation.foreground_threshold;
  slider.value = usual;
  find(".usual").textContent = `Back to ${usual.toFixed(2)}`;
  find("footer").textContent = model.about;
  worker = new Worker("worker.js", { type: "module" });
  worker.addEventListener("message", ({ data }) => hear(data));
  worker.addEventListener("error", () =>
    refuse("The page lacks a part, or this browser is too old for it; make the page again, or update the browser."),
  );
  status.textContent = "";
  find(".choose").hidden = find(".empty").hidden = false;
  listen();
}

function listen() {
  find("input[type=file]").addEventListener("change", ({ target }) => {
    take(target.files);
    target.value = "";
  });
  for (const sample of document.querySelectorAll(".sample"))
    sample.addEventListener("click", () => openSample(sample.dataset.file).catch(error => refuse(error.message)));
  addEventListener("dragover", event => (event.preventDefault(), document.body.classList.add("dropping")));
  addEventListener("dragleave", event => event.relatedTarget || document.body.classList.remove("dropping"));
  addEventListener("drop", event => {
    event.preventDefault();
    document.body.classList.remove("dropping");
    take(event.dataTransfer.files);
  });
  slider.addEventListener("input", again);
  find(".usual").addEventListener("click", () => {
    slider.value = usual;
    again();
  });
  find(".shown").addEventListener("change", ({ target }) => {
    drawn.hidden = !target.checked;
  });
  for (const button of document.querySelectorAll("[data-what]"))
    button.addEventListener("click", () => download(button.dataset.what));
  new ResizeObserver(draw).observe(picture);
}

/** A file of the page's own folder. */
async function held(address) {
  const response = await fetch(address).catch(error => ({ status: error.message }));
  if (!response.ok) throw new Error(`The page lacks ${address} (${response.status}); make it again with segraft web.`);
  return response;
}

async function openSample(address) {
  await take([new File([await (await held(address)).blob()], address.split("/").pop())]);
}

async function take(files) {
  if (!files.length) return;
  [name, count] = [files[0].name, files.length];
  refused.hidden = result.hidden = find(".empty").hidden = true;
  shown = path = null;
  enable(false);
  status.textContent = `${name}: reading`;
  find(".count output").textContent = "–";
  find(".seconds").textContent = "";
  progress.removeAttribute("value");
  progress.hidden = false;
  wait(true);
  const bytes = new Uint8Array(await files[0].arrayBuffer());
  worker.postMessage({ file: { name, bytes }, threshold: Number(slider.value) }, [bytes.buffer]);
}

/** Segment once more with the threshold that is chosen now, as soon as the worker is free. */
function again() {
  find(".threshold").textContent = Number(slider.value).toFixed(2);
  if (waiting || !shown) return;
  wait(true);
  worker.postMessage({ threshold: Number(slider.value) });
}

function hear({ refused: line, progress: part, picture: grey, ...data }) {
  if (line) refuse(line);
  else if (part !== undefined) progress.value = part;
  else if (grey) show(grey, data);
  else tell(data);
}

function show(grey, { width, height, signal }) {
  [image.width, image.height] = [width, height];
  const pixels = new Uint8ClampedArray(4 * grey.length).fill(255);
  grey.forEach((value, pixel) => pixels.fill(value, 4 * pixel, 4 * pixel + 3));
  image.getContext("2d").putImageData(new ImageData(pixels, width, height), 0, 0);
  picture.style.aspectRatio = `${width} / ${height}`;
  picture.style.maxWidth = `${(80 * width) / height}vh`;
  const remarks = [signal ? "" : "; it shows no more than noise", count > 1 ? `; the first of ${count} files` : ""];
  find("figcaption").textContent = `${name}, ${width} × ${height} pixels${remarks.join("")}`;
  status.textContent = `${name}: segmenting`;
  result.hidden = false;
  path = null;
  draw();
}

function tell({ labels, rows, threshold, seconds }) {
  wait(false);
  shown = { labels, rows };
  path = outlines(labels, image.width, image.height);
  find(".count output").textContent = rows.length;
  find(".count span").textContent = rows.length === 1 ? "object" : "objects";
  find(".seconds").textContent = Object.entries(seconds)
    .map(([part, time]) => `${part} ${time.toFixed(2)} s`)
    .join(" · ");
  status.textContent = "";
  progress.hidden = true;
  enable(true);
  draw();
  if (threshold !== Number(slider.value)) again();
}

function enable(on) {
  for (const button of document.querySelectorAll("[data-what]")) button.disabled = !on;
}

/** Draw the outlines as sharp as the screen is, however large the picture is shown. */
function draw() {
  const { clientWidth, clientHeight } = picture,
    density = devicePixelRatio;
  [drawn.width, drawn.height] = [clientWidth * density, clientHeight * density];
  if (!path) return;
  const context = drawn.getContext("2d"),
    scale = drawn.width / image.width;
  context.scale(scale, drawn.height / image.height);
  context.lineCap = "square";
  for (const [k, colour] of [HALO, getComputedStyle(drawn).color].entries()) {
    [context.strokeStyle, context.lineWidth] = [colour, (WIDTHS[k] * density) / scale];
    context.stroke(path);
  }
}

async function download(what) {
  const { labels, rows } = shown,
    stem = name.replace(/\.[^.]*$/, "");
  if (what === "labels" && rows.length > MOST)
    return say(`got ${rows.length} objects, expected at most ${MOST} in a png; use segraft predict`);
  const file =
    what === "labels"
      ? await writePng(labels, image.width, image.height)
      : new Blob([table(rows)], { type: "text/csv" });
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(file) });
  link.download = what === "labels" ? `${stem}-labels.png` : `${stem}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

start().catch(error => refuse(error.message));
again();
