// Figures to look around in. Each has its data beside it; without this script the figure is as it is.
"use strict";

const readNumber = (value) => (value === null ? "–" : String(value).replace("-", "−"));

// A mark in a drawing and a note beside it, moved by the pointer or the arrow keys.
function addReading(drawing, view, find, count) {
  const [left, top, width, height] = view.box;
  const mark = document.createElement("div");
  const note = document.createElement("div");
  mark.className = "mark";
  note.className = "reading";
  note.setAttribute("aria-live", "polite");
  mark.hidden = note.hidden = true;
  drawing.append(mark, note);
  drawing.classList.add("read");
  drawing.tabIndex = 0;
  const inset = () => parseFloat(getComputedStyle(drawing).paddingLeft);
  const size = () => [drawing.clientWidth - 2 * inset(), drawing.clientHeight - 2 * inset()];
  const show = (x, y) => {
    const [w, h] = size();
    const found = find(x, y);
    mark.hidden = note.hidden = false;
    mark.style.left = `${inset() + (left + found.x * width) * w}px`;
    mark.style.top = `${inset() + top * h}px`;
    mark.style.height = `${height * h}px`;
    note.replaceChildren(...found.lines.map((line) => Object.assign(document.createElement("div"), { textContent: line })));
    const isRight = found.x > 0.6;
    note.style.left = isRight ? "" : `calc(${mark.style.left} + .6rem)`;
    note.style.right = isRight ? `calc(100% - ${mark.style.left} + .6rem)` : "";
    note.style.top = `calc(${mark.style.top} + .4rem)`;
    return found.place;
  };
  const hide = () => (mark.hidden = note.hidden = true);
  let place = -1;
  drawing.addEventListener("pointermove", (event) => {
    const [w, h] = size();
    const from = drawing.getBoundingClientRect();
    const x = ((event.clientX - from.left - inset()) / w - left) / width;
    const y = ((event.clientY - from.top - inset()) / h - top) / height;
    if (x < 0 || x > 1 || y < 0 || y > 1) hide();
    else place = show(x, y);
  });
  drawing.addEventListener("pointerleave", hide);
  drawing.addEventListener("blur", hide);
  drawing.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    place = Math.min(count - 1, Math.max(0, place + step));
    show(scale(view, view.at[place]), 0.5);
  });
}

// The part of a panel's width at which a value stands.
function scale(view, value) {
  const read = view.is_log ? Math.log : (number) => number;
  const [low, high] = view.limits.map(read);
  return (read(value) - low) / (high - low);
}

function findNearest(places, x) {
  let best = 0;
  places.forEach((place, index) => {
    if (Math.abs(place - x) < Math.abs(places[best] - x)) best = index;
  });
  return best;
}

function showReadings(drawing, view) {
  const places = view.at.map((value) => scale(view, value));
  const find = (x) => {
    const place = findNearest(places, x);
    const values = Object.entries(view.lines).map(([name, line]) => `${name} = ${readNumber(line[place])}`);
    return { place, x: places[place], lines: [`${view.name} = ${readNumber(view.at[place])}`, ...values] };
  };
  addReading(drawing, view, find, places.length);
}

function showCells(drawing, view) {
  const places = view.at.map((value) => scale(view, value));
  const heights = view.up.map((value) => 1 - (value - view.heights[0]) / (view.heights[1] - view.heights[0]));
  const find = (x, y) => {
    const [place, row] = [findNearest(places, x), findNearest(heights, y)];
    const values = [view.at[place], view.up[row], view.values[row * places.length + place]];
    return { place, x: places[place], lines: view.names.map((name, index) => `${name} = ${readNumber(values[index])}`) };
  };
  addReading(drawing, view, find, places.length);
}

function decodePoints(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const numbers = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, place) => numbers.getInt16(2 * place, true) / 32767);
}

// Curves in space: dragged or turned by the arrow keys.
function showOrbit(drawing, view) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "turn";
  button.textContent = "Turn it";
  drawing.before(button); // not inside: a picture has no buttons for who cannot see it
  button.addEventListener("click", () => {
    const canvas = openOrbit(view, drawing.getAttribute("aria-label"));
    drawing.replaceWith(canvas.parentElement);
    button.remove();
    canvas.focus();
  });
}

function openOrbit(view, label) {
  const frame = document.createElement("div");
  const canvas = document.createElement("canvas");
  frame.className = "space";
  canvas.tabIndex = 0;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${label} Drag it, or turn it with the arrow keys.`);
  frame.append(canvas);
  const points = decodePoints(view.points);
  let [yaw, pitch] = [-0.6, 0.35];
  const draw = () => drawOrbit(canvas, view, points, yaw, pitch);
  const turn = (right, up) => {
    yaw += right;
    pitch = Math.max(-1.5, Math.min(1.5, pitch + up));
    requestAnimationFrame(draw);
  };
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (event.buttons) turn(event.movementX / 150, event.movementY / 150);
  });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowRight: [0.1, 0], ArrowLeft: [-0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1] }[event.key];
    if (!step) return;
    event.preventDefault();
    turn(...step);
  });
  new ResizeObserver(draw).observe(canvas);
  return canvas;
}

const CURVES = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f"];

function drawOrbit(canvas, view, points, yaw, pitch) {
  const ratio = devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  [canvas.width, canvas.height] = [width * ratio, height * ratio];
  const pen = canvas.getContext("2d");
  pen.scale(ratio, ratio);
  const size = Math.min(width, height) * 0.36;
  const [sin, cos, rise, run] = [Math.sin(yaw), Math.cos(yaw), Math.sin(pitch), Math.cos(pitch)];
  const project = (x, y, z) => {
    const across = x * cos - y * sin;
    const depth = (x * sin + y * cos) * run - z * rise;
    const near = 4.5 / (4.5 + depth);
    return [width / 2 + across * size * near, height / 2 - ((x * sin + y * cos) * rise + z * run) * size * near];
  };
  const style = getComputedStyle(canvas);
  pen.font = `12px ${style.fontFamily}`;
  drawBox(pen, view, project, style.color);
  let first = 0;
  view.lengths.forEach((length, curve) => {
    pen.beginPath();
    for (let place = first; place < first + length; place++) {
      pen.lineTo(...project(points[3 * place], points[3 * place + 1], points[3 * place + 2]));
    }
    pen.strokeStyle = CURVES[curve % CURVES.length];
    pen.lineWidth = view.lengths.length > 3 ? 0.5 : 0.8;
    pen.stroke();
    first += length;
  });
}

function drawBox(pen, view, project, colour) {
  const ends = [-1, 1];
  pen.strokeStyle = pen.fillStyle = colour;
  pen.globalAlpha = 0.25;
  pen.lineWidth = 0.7;
  for (const a of ends) {
    for (const b of ends) {
      for (const [from, to] of [[[-1, a, b], [1, a, b]], [[a, -1, b], [a, 1, b]], [[a, b, -1], [a, b, 1]]]) {
        pen.beginPath();
        pen.moveTo(...project(...from));
        pen.lineTo(...project(...to));
        pen.stroke();
      }
    }
  }
  pen.globalAlpha = 1;
  const axes = [[0, -1, -1], [1, 0, -1], [-1, -1, 0]];
  axes.forEach((middle, axis) => {
    for (const end of [0, ...ends]) {
      const at = middle.map((value, place) => (place === axis ? end : value * 1.13));
      const text = end ? readNumber(view.ranges[axis][(end + 1) / 2]) : view.names[axis];
      pen.textAlign = "center";
      pen.fillText(text, ...project(...at));
    }
  });
}

const VIEWS = { readings: showReadings, cells: showCells, orbit: showOrbit };
addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("script.view").forEach((script) => {
    const view = JSON.parse(script.textContent);
    VIEWS[view.kind](script.closest("figure").querySelector(".drawing"), view);
  });
});
