// Values of the curves, for pointers and for keys.
const METHODS = { aevb: "AEVB", wake_sleep: "wake-sleep", mcem: "MCEM" };

for (const figure of document.querySelectorAll(".chart")) {
  const { x, y, samples, series } = JSON.parse(figure.querySelector("script").textContent);
  const plot = figure.querySelector(".plot");
  const svg = plot.querySelector("svg");
  const pointer = plot.querySelector(".pointer");
  const readout = plot.querySelector(".readout");
  const [low, high, bottom, top] = y;
  const names = [...new Set(series.map((curve) => `${curve.method} ${curve.split}`))];
  let stop = -1;

  function show(k) {
    stop = Math.max(0, Math.min(x.length - 1, k));
    pointer.querySelector("path").setAttribute("transform", `translate(${x[stop]} 0)`);
    for (const dot of pointer.querySelectorAll("circle")) dot.remove();
    const rows = [];
    for (const name of names) {
      const [method, split] = name.split(" ");
      const values = [true, false].map(
        (ours) => series.find((c) => c.ours === ours && c.method === method && c.split === split)?.values[stop] ?? null,
      );
      if (values.every((value) => value === null)) continue;
      values.forEach((value, k) => {
        const at = bottom + ((value - low) / (high - low)) * (top - bottom);
        if (value !== null && at >= top && at <= bottom)
          pointer.append(make("circle", { class: `${k ? "paper" : "ours"} ${method}`, cx: x[stop], cy: at, r: k ? 2.5 : 3.5 }));
      });
      const swatch = make("span", { class: `swatch ours ${method} ${split}` });
      const cells = values.map((value) => make("td", {}, value === null ? "\u2013" : print(value, 1)));
      rows.push(make("tr", { "data-curve": name }, make("th", {}, swatch, `${METHODS[method] ?? method}, ${say(split)}`), ...cells));
    }
    const heading = make("strong", {}, say("at", { count: samples[stop] }));
    const head = make("tr", {}, make("th"), make("td", {}, say("ours")), make("td", {}, say("paper")));
    readout.replaceChildren(heading, rows.length ? make("table", {}, head, ...rows) : make("div", {}, say("no_value")));
    pointer.removeAttribute("hidden");
    readout.hidden = false;
    const right = x[stop] > 198;
    readout.style.left = right ? "auto" : `${((x[stop] + 12) / 360) * 100}%`;
    readout.style.right = right ? `${((360 - x[stop] + 12) / 360) * 100}%` : "auto";
    const spoken = rows.map((row) => [...row.children].map((cell) => cell.textContent).join(" ")).join("; ");
    plot.setAttribute("aria-valuenow", stop);
    plot.setAttribute("aria-valuetext", `${heading.textContent}: ${spoken || say("no_value")}`);
  }

  function hide() {
    pointer.setAttribute("hidden", "");
    readout.hidden = true;
  }

  function point(event) {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * 360;
    show(x.reduce((best, place, k) => (Math.abs(place - at) < Math.abs(x[best] - at) ? k : best), 0));
  }
  plot.addEventListener("pointermove", point);
  plot.addEventListener("pointerdown", point);
  plot.addEventListener("pointerleave", (event) => { if (event.pointerType === "mouse" && document.activeElement !== plot) hide(); });
  plot.addEventListener("focus", () => { if (plot.matches(":focus-visible")) show(stop < 0 ? Math.floor(x.length / 3) : stop); });
  plot.addEventListener("blur", hide);
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: stop - 1, ArrowDown: stop - 1, ArrowRight: stop + 1, ArrowUp: stop + 1, Home: 0, End: x.length - 1 }[event.key];
    if (event.key === "Escape") hide();
    if (step === undefined) return;
    event.preventDefault();
    show(step);
  });
  document.addEventListener("language", () => { if (!readout.hidden) show(stop); });
}
