{
  const figure = document.querySelector(".tradeoff");
  const { names, across, up, fronts } = JSON.parse(figure.querySelector("script").textContent);
  const plot = figure.querySelector(".plot > svg"), tip = figure.querySelector(".tip");
  const choosers = { up: figure.querySelector(".up select"), across: figure.querySelector(".across select") };
  const models = [...figure.querySelectorAll(".model")];
  const table = document.querySelector("#scores table");
  let hovered = null, focused = null, picked = null;

  const set = (element, values) => Object.entries(values).forEach(([name, value]) => element.setAttribute(name, value));
  const x = () => across[choosers.across.value], y = () => up[choosers.up.value];
  const front = () => fronts[choosers.across.value][choosers.up.value];
  const describe = model => [names[model], `${y().name}: ${y().models[model].text}`, `${x().name}: ${x().models[model].text}`,
    front().models.includes(model) ? "on the Pareto front" : "another model is as good for less, or better for as much"];

  function drawAxis(direction, axis, coordinate) {
    const marks = plot.querySelector(`.marks.${direction}`);
    const pattern = marks.firstElementChild;
    marks.replaceChildren(...axis.marks.map(([at, text]) => {
      const mark = pattern.cloneNode(true);
      mark.setAttribute(coordinate, `${at}%`);
      mark.querySelector("text").textContent = text;
      return mark;
    }));
    figure.querySelector(`.axis.${direction} .better`).textContent = axis.better;
  }

  function drawModel(group, model) {
    const h = x().models[model], v = y().models[model];
    const [left, right] = h.bar || [h.mean, h.mean], [top, bottom] = v.bar || [v.mean, v.mean];
    const [horizontal, vertical] = group.querySelectorAll(".bar");
    set(horizontal, { x1: `${left}%`, x2: `${right}%`, y1: `${v.mean}%`, y2: `${v.mean}%` });
    set(vertical, { x1: `${h.mean}%`, x2: `${h.mean}%`, y1: `${top}%`, y2: `${bottom}%` });
    group.querySelectorAll(".seed").forEach((dot, seed) => set(dot, { cx: `${h.seeds[seed]}%`, cy: `${v.seeds[seed]}%` }));
    set(group.querySelector(".mark"), { x: `${h.mean}%`, y: `${v.mean}%` });
    group.classList.toggle("on-front", front().models.includes(model));
    group.setAttribute("aria-label", describe(model).join("; "));
  }

  function draw() {
    drawAxis("across", x(), "x");
    drawAxis("up", y(), "y");
    models.forEach(drawModel);
    plot.querySelector(".front path").setAttribute("d", front().path);
    plot.setAttribute("aria-label", `${y().name} of each model against ${x().name}`);
    figure.querySelector(".front-names").textContent = front().models.map(model => names[model]).join(", ");
    tell();
  }

  function tell() {
    const model = hovered ?? focused ?? picked;
    tip.hidden = model === null;
    if (tip.hidden) return;
    tip.textContent = describe(model).join("\n");
    const left = x().models[model].mean / 100 * plot.clientWidth, top = y().models[model].mean / 100 * plot.clientHeight;
    tip.style.left = `${Math.max(0, Math.min(left + 18, plot.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${top > plot.clientHeight / 2 ? top - tip.offsetHeight - 18 : top + 18}px`;
  }

  function pick(model) {
    picked = model === picked ? null : model; // again: none
    for (const buttons of [models, table.querySelectorAll(".pick")])
      buttons.forEach((button, number) => button.setAttribute("aria-pressed", number === picked));
    table.querySelectorAll("col").forEach((column, number) => column.classList.toggle("picked", number - 1 === picked));
    if (picked !== null) {
      const header = table.rows[0].cells[picked + 1], box = table.parentElement;
      const from = header.offsetLeft - table.rows[0].cells[0].offsetWidth, to = header.offsetLeft + header.offsetWidth;
      box.scrollLeft = Math.min(from, Math.max(box.scrollLeft, to - box.clientWidth));
    }
    tell();
  }

  models.forEach((group, model) => {
    group.querySelector("title").remove();
    set(group, { tabindex: 0, role: "button", "aria-pressed": false });
    group.addEventListener("pointerenter", () => { hovered = model; tell(); });
    group.addEventListener("pointerleave", () => { hovered = null; tell(); });
    group.addEventListener("focus", () => { focused = model; tell(); });
    group.addEventListener("blur", () => { focused = null; tell(); });
    group.addEventListener("click", () => pick(model));
    group.addEventListener("keydown", event => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      pick(model);
    });
  });
  for (const cell of [...table.rows[0].cells].slice(1)) {
    const button = document.createElement("button");
    set(button, { type: "button", class: "pick", "aria-pressed": false });
    button.append(...cell.childNodes);
    cell.append(button);
  }
  table.addEventListener("click", event => {
    const cell = event.target.closest("td, th");
    if (cell && cell.cellIndex > 0) pick(cell.cellIndex - 1);
  });
  document.addEventListener("keydown", event => {
    if (event.key !== "Escape") return;
    hovered = focused = null;
    pick(picked);
  });
  addEventListener("resize", tell);
  for (const hint of figure.querySelectorAll(".scripted")) hint.hidden = false;
  for (const chooser of Object.values(choosers)) {
    chooser.hidden = false;
    chooser.previousElementSibling.hidden = true;
    chooser.addEventListener("change", draw);
  }
  draw();
}
