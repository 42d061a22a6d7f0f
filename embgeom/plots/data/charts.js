"use strict";
// Scatters on canvas: the point nearest to the pointer, or the one that the arrow keys are at, says what it is.
const REACH = 24, LABELS = 80; // px from the pointer to a point; points in view that still have their names beside them
const INK = "#1b1b1b", QUIET = "#767676", LINE = "#d9d9d9", MARK = "#a63a00", GROUND = "#fff"; // in the dark, style inverts the canvas
const brief = (value) => (Number.isInteger(value) || typeof value !== "number" ? String(value) : String(Number(value.toPrecision(5))));
// Spaces that would not be seen are marked; what else cannot, or would turn what follows it around, is written as its number.
const visible = (text) =>
  text.replace(/^ +| +$| {2,}/g, (spaces) => "␣".repeat(spaces.length)).replace(/[\p{C}\p{Z}]/gu, (c) => ({ " ": c, "\n": "\\n", "\r": "\\r", "\t": "\\t" })[c] ?? `\\u{${c.codePointAt(0).toString(16)}}`);
const circle = (pen, x, y, radius) => { pen.beginPath(); pen.arc(x, y, radius, 0, 7); };

function ticks(axis, low, high) {
  const [from, to] = axis.log ? [10 ** low, 10 ** high] : [low, high];
  let values = [];
  if (axis.log && high - low > 0.7) {
    for (let power = Math.floor(low); power <= high; power++) for (const digit of high - low > 2.5 ? [1] : [1, 2, 5]) values.push(digit * 10 ** power);
  } else {
    const unit = 10 ** Math.floor(Math.log10((to - from) / 6)), step = unit * [1, 2, 5, 10].find((times) => times * unit >= (to - from) / 6);
    for (let k = Math.ceil(from / step); k * step <= to; k++) values.push(k * step);
  }
  return values.filter((value) => value >= from && value <= to && !(axis.log && value < 0.999)).map((value) => [axis.log ? Math.log10(value) : value, brief(value)]);
}

class Chart {
  constructor(figure, data) {
    Object.assign(this, { figure, data, n: data.points.token.length, off: new Set(), at: -1, found: [] });
    [this.base, this.top] = figure.querySelectorAll("canvas");
    this.tip = figure.querySelector(".tip");
    // A value of 0, which has no logarithm, is in a strip of its own; there, the place across means nothing.
    const strip = (place) => -0.25 - 0.35 * ((place * 0.618034) % 1);
    const placed = (axis, values) => Float64Array.from(values, (value, i) => (!axis.log ? value : value > 0 ? Math.log10(value) : strip(i)));
    [this.x, this.y] = [placed(data.x, data.points.x), placed(data.y, data.points.y)];
    const ends = (values) => [Math.min, Math.max].map((extreme) => values.reduce((a, b) => extreme(a, b)));
    const around = ([low, high], room = 0.04 * (high - low) || 0.5) => [low - room, high + room];
    this.view = this.all = data.disc ? [-1.1, 1.1, -1.1, 1.1] : [...around(ends(this.x)), ...around(ends(this.y))];
    this.draw();
    this.listen();
    new ResizeObserver(() => this.draw()).observe(this.base.parentElement);
  }
  listen() {
    const { top, figure } = this, input = figure.querySelector("input");
    const mouse = (event) => [event.offsetX, event.offsetY];
    top.addEventListener("pointermove", (event) => {
      if (this.from) this.over(this.from, mouse(event));
      else this.select(this.nearest(...mouse(event)));
    });
    top.addEventListener("pointerdown", (event) => {
      this.select(this.nearest(...mouse(event)));
      if (event.pointerType !== "touch" && event.button === 0) this.from = mouse(event);
    });
    addEventListener("pointerup", (event) => {
      const from = this.from;
      this.from = null;
      if (!from || event.target !== top) return this.over();
      const [x, y] = mouse(event), [x0, x1] = [from[0], x].sort((a, b) => a - b), [y0, y1] = [from[1], y].sort((a, b) => a - b);
      if (x1 - x0 > 8 && y1 - y0 > 8) this.zoom([this.atX(x0), this.atX(x1), this.atY(y1), this.atY(y0)]);
    });
    top.addEventListener("pointerleave", (event) => event.pointerType !== "touch" && document.activeElement !== top && this.select(-1));
    top.addEventListener("dblclick", () => this.zoom(this.all));
    top.addEventListener("keydown", (event) => {
      const step = { ArrowRight: ["x", 1], ArrowLeft: ["x", -1], ArrowUp: ["y", 1], ArrowDown: ["y", -1] }[event.key];
      const act = { "+": () => this.closer(0.5), "-": () => this.closer(2), 0: () => this.zoom(this.all), Escape: () => this.select(-1) }[event.key];
      if (!step && !act) return;
      event.preventDefault();
      step ? this.step(...step) : act();
    });
    for (const button of figure.querySelectorAll("[data-zoom]")) button.addEventListener("click", () => (button.dataset.zoom ? this.closer(Number(button.dataset.zoom)) : this.zoom(this.all)));
    figure.querySelectorAll("[data-group]").forEach((button, group) => button.addEventListener("click", () => {
      this.off.has(group) ? this.off.delete(group) : this.off.add(group);
      button.setAttribute("aria-pressed", String(!this.off.has(group)));
      this.order = null;
      this.draw();
    }));
    const find = () => {
      const wanted = input.value.toLowerCase(), { token, raw = [], group } = this.data.points;
      const spelt = (i) => [token[i], raw[i] ?? ""].flatMap((text) => [text, visible(text)]).join("\n").toLowerCase();
      this.found = wanted ? [...token.keys()].filter((i) => !this.off.has(group[i]) && spelt(i).includes(wanted)) : [];
      figure.querySelector("output").textContent = wanted ? `${this.found.length} found` : "";
      this.over();
    };
    input.addEventListener("input", find);
    input.addEventListener("keydown", (event) => {
      if (event.key === "Escape") this.select(-1);
      if (event.key === "Enter" && this.found.length) this.select(this.found[(this.found.indexOf(this.at) + 1) % this.found.length], true);
    });
  }
  toX(x) { return this.box[0] + ((x - this.view[0]) / (this.view[1] - this.view[0])) * (this.box[1] - this.box[0]); }
  toY(y) { return this.box[3] - ((y - this.view[2]) / (this.view[3] - this.view[2])) * (this.box[3] - this.box[2]); }
  atX(px) { return this.view[0] + ((px - this.box[0]) / (this.box[1] - this.box[0])) * (this.view[1] - this.view[0]); }
  atY(px) { return this.view[2] + ((this.box[3] - px) / (this.box[3] - this.box[2])) * (this.view[3] - this.view[2]); }
  shows(i) {
    const { x, y, view: [x0, x1, y0, y1] } = this;
    return x[i] >= x0 && x[i] <= x1 && y[i] >= y0 && y[i] <= y1 && !this.off.has(this.data.points.group[i]);
  }
  zoom([x0, x1, y0, y1]) {
    const wide = Math.max(x1 - x0, y1 - y0), square = (a, b) => [(a + b - wide) / 2, (a + b + wide) / 2];
    this.view = this.data.disc ? [...square(x0, x1), ...square(y0, y1)] : [x0, x1, y0, y1];
    this.draw();
  }
  closer(times) {
    const [x0, x1, y0, y1] = this.view, [x, y] = this.at < 0 ? [(x0 + x1) / 2, (y0 + y1) / 2] : [this.x[this.at], this.y[this.at]];
    const [w, h] = [((x1 - x0) / 2) * times, ((y1 - y0) / 2) * times];
    this.zoom(2 * w >= this.all[1] - this.all[0] ? this.all : [x - w, x + w, y - h, y + h]);
  }
  step(along, way) {
    const other = along === "x" ? this.y : this.x, key = this[along];
    if (!this.order || this.along !== along) {
      this.order = [...this.x.keys()].filter((i) => !this.off.has(this.data.points.group[i])).sort((a, b) => key[a] - key[b] || other[a] - other[b]);
      this.along = along;
    }
    const place = this.order.indexOf(this.at), { length } = this.order;
    if (length) this.select(this.order[place < 0 ? (way > 0 ? 0 : length - 1) : (place + way + length) % length], true);
  }
  canvas(canvas) {
    const ratio = devicePixelRatio || 1, { clientWidth: width, clientHeight: height } = this.base;
    Object.assign(canvas, { width: width * ratio, height: height * ratio });
    const pen = canvas.getContext("2d");
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.font = "12.5px system-ui, sans-serif";
    return [pen, width, height];
  }
  draw() {
    const { data, x, y } = this, [pen, width, height] = this.canvas(this.base), { group, token } = data.points;
    this.box = data.disc ? [6, width - 6, 6, height - 6] : [58, width - 12, 8, height - 44];
    const [left, right, above, below] = this.box;
    if (!width) return; // hidden, or not laid out yet
    if (!data.disc) this.axes(pen);
    pen.save();
    pen.beginPath();
    pen.rect(left, above, right - left, below - above);
    pen.clip();
    pen.strokeStyle = LINE;
    if (data.disc) { circle(pen, this.toX(0), this.toY(0), this.toX(1) - this.toX(0)); pen.stroke(); }
    pen.strokeStyle = QUIET;
    for (const points of data.lines) {
      pen.beginPath();
      for (let i = 0; i < points.length; i += 2) pen.lineTo(this.toX(points[i]), this.toY(points[i + 1]));
      pen.stroke();
    }
    const size = this.n > 20000 ? 2 : this.n > 2000 ? 3 : 7, seen = [];
    pen.globalAlpha = this.n > 200 ? 0.75 : 0.9;
    for (let i = 0; i < this.n; i++) {
      if (!this.shows(i)) continue;
      const [px, py] = [this.toX(x[i]), this.toY(y[i])];
      pen.fillStyle = data.groups[group[i]].colour;
      if (size > 3) {
        circle(pen, px, py, size / 2);
        pen.fill();
      } else pen.fillRect(px - size / 2, py - size / 2, size, size);
      if (seen.length <= LABELS) seen.push([px, py, i]);
    }
    pen.globalAlpha = 1;
    [pen.fillStyle, pen.strokeStyle, pen.lineWidth, pen.lineJoin] = [INK, GROUND, 3, "round"];
    const named = seen.length > LABELS ? [] : seen, taken = named.map(([px, py]) => [px - 7, py - 4, px + 7, py + 4]);
    for (const [px, py, i] of named) {
      const text = visible(token[i]).replace(/^(.{23}).{2,}$/u, "$1…"), w = pen.measureText(text).width, middle = Math.max(left, Math.min(px - w / 2, right - w));
      const outside = data.disc && x[i] < 0 ? [px - 8 - w, px + 8] : [px + 8, px - 8 - w];
      const rooms = [[outside[0], py], [middle, py - 14], [middle, py + 14], [outside[1], py]].map(([tx, ty]) => [tx, ty - 8, tx + w, ty + 8]);
      const room = rooms.find(([a, b, c, d]) => a >= left && c <= right && b >= above && d <= below && !taken.some(([e, f, g, h]) => a < g && e < c && b < h && f < d));
      if (!room) continue; // the tip has it
      taken.push([room[0] - 3, room[1], room[2] + 3, room[3]]);
      pen.strokeText(text, room[0], room[1] + 12);
      pen.fillText(text, room[0], room[1] + 12);
    }
    pen.restore();
    this.over();
  }
  axes(pen) {
    const { x, y } = this.data, [left, right, above, below] = this.box, [x0, x1, y0, y1] = this.view;
    pen.save();
    [pen.strokeStyle, pen.fillStyle, pen.textAlign] = [LINE, INK, "center"];
    const rule = (...points) => { pen.beginPath(); pen.moveTo(points[0], points[1]); pen.lineTo(points[2], points[3]); pen.stroke(); };
    const shown = [...(x.zero && x0 < -0.3 ? [[-0.42, x.zero]] : []), ...ticks(x, x0, x1)];
    let free = 0; // from where on a number has room
    for (const [value, text] of shown) {
      rule(this.toX(value), above, this.toX(value), below);
      const half = pen.measureText(text).width / 2, middle = Math.max(half, Math.min(this.toX(value), right + 11 - half));
      if (middle - half < free) continue;
      pen.fillText(text, middle, below + 16);
      free = middle + half + 4;
    }
    pen.fillText(x.label, (left + right) / 2, below + 36);
    pen.textAlign = "right";
    for (const [value, text] of ticks(y, y0, y1)) { rule(left, this.toY(value), right, this.toY(value)); pen.fillText(text, left - 6, this.toY(value) + 4); }
    pen.textAlign = "center";
    pen.translate(13, (above + below) / 2);
    pen.rotate(-Math.PI / 2);
    pen.fillText(y.label, 0, 0);
    pen.restore();
  }
  over(from, to) {
    const [pen] = this.canvas(this.top), { x, y, at } = this;
    [pen.strokeStyle, pen.lineWidth] = [MARK, 1.5];
    const ring = (i, radius) => { circle(pen, this.toX(x[i]), this.toY(y[i]), radius); pen.stroke(); };
    for (const i of this.found.slice(0, 2000)) ring(i, 5);
    pen.strokeStyle = INK;
    if (from) pen.strokeRect(from[0], from[1], to[0] - from[0], to[1] - from[1]);
    if (at >= 0) ring(at, 7);
    this.tip.hidden = at < 0;
    if (at < 0) return;
    const { width, height } = this.base.getBoundingClientRect(), { offsetWidth: w, offsetHeight: h } = this.tip;
    const [px, py] = [this.toX(x[at]), this.toY(y[at])];
    this.tip.style.left = `${Math.max(0, Math.min(px + 12, width - w))}px`;
    this.tip.style.top = `${Math.max(0, Math.min(py + 12 + h > height ? py - 12 - h : py + 12, height - h))}px`;
  }
  nearest(px, py) {
    let [best, least] = [-1, REACH ** 2];
    for (let i = 0; i < this.n; i++) {
      const far = (this.toX(this.x[i]) - px) ** 2 + (this.toY(this.y[i]) - py) ** 2;
      if (far < least && this.shows(i)) [best, least] = [i, far];
    }
    return best;
  }
  select(i, into) {
    if (i === this.at && !into) return;
    this.at = i;
    const { points, groups, shown } = this.data, [x0, x1, y0, y1] = this.view, [x, y] = [this.x[i], this.y[i]];
    if (i >= 0) {
      const [token, raw, about] = ["b", "code", "span"].map((name) => document.createElement(name));
      token.textContent = visible(points.token[i]);
      raw.textContent = visible(points.raw?.[i] ?? "");
      about.textContent = shown.map(([name, column]) => `${name}: ${column === "group" ? groups[points.group[i]].name : brief(points[column][i])}`).join(" · ");
      this.tip.replaceChildren(token, " ", raw, about);
      if (into && !this.shows(i)) this.zoom([x - (x1 - x0) / 2, x + (x1 - x0) / 2, y - (y1 - y0) / 2, y + (y1 - y0) / 2]);
    }
    this.over();
  }
}
const charts = JSON.parse(document.getElementById("charts").textContent);
document.querySelectorAll("figure.chart").forEach((figure, number) => (figure.chart = new Chart(figure, charts[number])));
