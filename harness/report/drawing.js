// A digit of the reader's own, and what the encoder makes of it.
if (models.mnist) {
  const find = (id) => document.getElementById(id);
  const canvas = find("draw");
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const small = make("canvas", { width: 28, height: 28 }).getContext("2d", { willReadFrequently: true });
  let last = null, waiting = false;

  function clear() {
    pen.fillStyle = "white";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    find("encoded").value = "";
    for (const id of ["seen", "rebuilt"]) paint(find(id).getContext("2d"), "mnist", new Float32Array(784));
  }

  /** Ink of the canvas, 0 to 1, row by row. */
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
    let [left, top, right, bottom] = [size, size, 0, 0];
    drawn.forEach((value, k) => {
      if (value < 0.1) return;
      left = Math.min(left, k % size); right = Math.max(right, k % size);
      top = Math.min(top, Math.floor(k / size)); bottom = Math.max(bottom, Math.floor(k / size));
    });
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

  function show(x) {
    const { mean, deviation } = encode("mnist", x);
    paint(find("seen").getContext("2d"), "mnist", x);
    paint(find("rebuilt").getContext("2d"), "mnist", decode("mnist", mean));
    const list = (values) => [...values].map((value) => print(value, 2)).join(", ");
    find("encoded").value = `μ = (${list(mean)}), σ = (${list(deviation)})`;
    if (explorer.name !== "mnist") explorer.choose("mnist");
    explorer.ellipse = { mean, deviation: [...deviation] };
    explorer.go(mean);
  }

  function update() {
    waiting = false;
    const x = fitted();
    if (x) show(x);
  }

  function stroke(event) {
    const box = canvas.getBoundingClientRect();
    const here = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height].map((v) => v * canvas.width);
    pen.lineWidth = 22;
    pen.lineCap = "round";
    pen.strokeStyle = "black";
    pen.beginPath();
    pen.moveTo(...(last ?? here));
    pen.lineTo(...here);
    pen.stroke();
    last = here;
    if (!waiting) requestAnimationFrame(update);
    waiting = true;
  }
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (canvas.hasPointerCapture(event.pointerId)) stroke(event); });
  find("clear").addEventListener("click", () => {
    clear();
    explorer.ellipse = null;
    explorer.go(explorer.z);
  });
  (models.mnist.digits ?? []).forEach((x, digit) => {
    const button = make("button", { type: "button" }, String(digit));
    button.addEventListener("click", () => {
      paint(small, "mnist", x);
      pen.drawImage(small.canvas, 0, 0, canvas.width, canvas.height);
      show(x);
    });
    find("digits").append(button);
  });
  for (const id of ["draw", "seen", "rebuilt"]) find(id).classList.add("ink");
  clear();
}
