// The image x: drawn, or picked.
document.getElementById("machine-x") && (() => {
  const canvas = document.getElementById("machine-x"), box = document.getElementById("machine-picks");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const small = make("canvas", { width: 28, height: 28 }).getContext("2d", { willReadFrequently: true });
  let last = null, waiting = false, picked = true, shown = null;

  function clear() {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, canvas.width, canvas.height);
  }

  /** Ink of a canvas, 0 to 1, row by row. */
  function ink(context, size) {
    const { data } = context.getImageData(0, 0, size, size);
    return Float32Array.from({ length: size * size }, (_, k) => 1 - data[4 * k] / 255);
  }

  /** Mean of the coordinates, weighted by the ink; null where there is none. */
  function centre(values, size) {
    let total = 0, x = 0, y = 0;
    values.forEach((value, k) => { total += value; x += value * (k % size); y += value * Math.floor(k / size); });
    return total > 1 ? [x / total, y / total] : null;
  }

  /** The drawing as MNIST has its digits: fitted into 20 × 20 pixels, centre of mass in the middle of 28 × 28. */
  function fitted() {
    const size = canvas.width, drawn = ink(pen, size);
    let left = size, top = size, right = 0, bottom = 0;
    for (let k = 0; k < drawn.length; k++) {
      if (drawn[k] < 0.1) continue;
      const x = k % size, y = (k - x) / size;
      if (x < left) left = x;
      if (x > right) right = x;
      if (y < top) top = y;
      if (y > bottom) bottom = y;
    }
    if (right < left) return null;
    const [width, height] = [right - left + 1, bottom - top + 1];
    const scale = 20 / Math.max(width, height);
    const put = (dx, dy) => {
      small.fillStyle = "white";
      small.fillRect(0, 0, 28, 28);
      small.imageSmoothingQuality = "high";
      small.drawImage(canvas, left, top, width, height, dx, dy, width * scale, height * scale);
      return ink(small, 28);
    };
    const corner = [14 - (width * scale) / 2, 14 - (height * scale) / 2];
    const mass = centre(put(...corner), 28);
    return mass && put(corner[0] + 13.5 - mass[0], corner[1] + 13.5 - mass[1]);
  }

  function update() {
    waiting = false;
    const x = fitted();
    if (x) machine.setX(x);
  }

  function stroke(event) {
    const area = canvas.getBoundingClientRect();
    const here = [(event.clientX - area.left) / area.width, (event.clientY - area.top) / area.height].map((v) => v * canvas.width);
    pen.lineWidth = 22;
    pen.lineCap = "round";
    pen.beginPath();
    pen.moveTo(...(last ?? here));
    pen.lineTo(...here);
    pen.stroke();
    last = here;
    if (!waiting) requestAnimationFrame(update);
    waiting = true;
  }
  canvas.addEventListener("pointerdown", (event) => {
    if (machine.dataset !== "mnist") return;
    canvas.setPointerCapture(event.pointerId);
    if (picked) clear();
    picked = false;
    document.getElementById("machine-hint").hidden = true;
    last = null;
    press(null);
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (canvas.hasPointerCapture(event.pointerId)) stroke(event); });
  document.getElementById("machine-clear").addEventListener("click", () => {
    clear();
    picked = false;
    press(null);
    machine.setX(new Float32Array(784));
  });

  function press(chosen) {
    for (const button of box.children) button.setAttribute("aria-pressed", button === chosen);
    showChosen();
  }

  /** Move the row, where it is wider than its box, to the one that is chosen. */
  function showChosen() {
    const chosen = box.querySelector('[aria-pressed="true"]');
    if (chosen) box.scrollLeft += chosen.getBoundingClientRect().left + chosen.offsetWidth / 2 - box.getBoundingClientRect().left - box.clientWidth / 2;
  }
  addEventListener("resize", showChosen);

  function pick(x, button) {
    const { width, height, dataset } = machine.main.model;
    const tile = make("canvas", { width, height });
    paint(tile.getContext("2d"), machine.main.model, x);
    clear();
    if (dataset !== "mnist") pen.clearRect(0, 0, canvas.width, canvas.height);
    const across = (canvas.width * width) / height;
    pen.drawImage(tile, (canvas.width - across) / 2, 0, across, canvas.height);
    picked = true;
    press(button);
    machine.setX(x);
  }

  document.addEventListener("dataset", () => {
    canvas.classList.toggle("ink", machine.dataset === "mnist");
    for (const id of ["machine-clear", "machine-hint"]) document.getElementById(id).hidden = machine.dataset !== "mnist";
    // Faces are made by the model with the most latent variables: they are others once that has been unpacked.
    const key = machine.dataset === "mnist" ? "mnist" : machine.sides.at(-1).name;
    if (key === shown) return machine.redraw();
    shown = key;
    const { width, height } = machine.main.model;
    const buttons = machine.picks().map((x, k) => {
      const tile = make("canvas", { width, height, class: machine.dataset === "mnist" ? "ink" : "" });
      paint(tile.getContext("2d"), machine.main.model, x);
      const button = make("button", { type: "button", "aria-pressed": false, "data-pick": k }, tile);
      button.addEventListener("click", () => pick(x, button));
      return button;
    });
    box.replaceChildren(...buttons);
    name();
    const first = machine.dataset === "mnist" ? 7 : 0;
    pick(machine.picks()[first], buttons[first]);
  });
  function name() {
    for (const [k, button] of [...box.children].entries())
      button.setAttribute("aria-label", say(machine.dataset === "mnist" ? "pick_digit" : "pick_face", { which: machine.dataset === "mnist" ? k : k + 1 }));
  }
  document.addEventListener("language", name);
  pen.strokeStyle = "black";
  clear();
})();
