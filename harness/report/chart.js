// Values of the curves, for pointers and for keys. They are told below the chart, or above it, never over it.
const narrow = matchMedia("(max-width: 52rem)");
let told = null; // the chart whose values are shown

/** A text with its letter set as in a formula: N_z = 5, M = 100. */
function typeset(text) {
  const [, letter, index, rest] = /^([KLMN])(_z)?( = .*)$/.exec(text) ?? [];
  return letter ? [make("i", {}, letter), index ? make("sub", {}, "z") : "", rest] : [text];
}

// The values come a moment after the charts.
document.addEventListener("unheld", () => document.querySelectorAll(".plot").forEach(followPointer));

function followPointer(plot) {
  const { x, stops, at, columns, rows } = JSON.parse(plot.querySelector("script").textContent);
  const svg = plot.querySelector("svg"), pointer = plot.querySelector(".pointer"), readout = plot.querySelector(".readout");
  const width = svg.viewBox.baseVal.width;
  let stop = -1;

  function show(k) {
    if (told && told !== hide) told();
    told = hide;
    stop = Math.max(0, Math.min(x.length - 1, k));
    pointer.querySelector("path").setAttribute("transform", `translate(${x[stop]} 0)`);
    for (const dot of pointer.querySelectorAll("circle")) dot.remove();
    const lines = [];
    for (const row of rows) {
      if (row.cells.every((cells) => !cells[stop])) continue;
      row.dots.forEach((dots, column) => {
        if (dots[stop] !== null) pointer.append(make("circle", { class: row.looks[column], cx: x[stop], cy: dots[stop], r: column ? 2.5 : 3.5 }));
      });
      const swatch = make("svg", { width: 26, height: 8, viewBox: "0 0 26 8" }, make("path", { class: row.look.includes(" bar") ? `bar ${row.look}` : `stroke ${row.look}`, d: row.look.includes(" bar") ? "M2 0H24V8H2Z" : "M1 4H25" }));
      const name = row.name.flatMap((part, k) => [k ? ", " : "", ...typeset(word(part))]);
      const cells = row.cells.map((cells) => make("td", {}, cells[stop] || "\u2013"));
      lines.push(make("tr", { "data-curve": row.name.join(" ") }, make("th", {}, row.look ? swatch : "", ...name), ...cells));
    }
    const heading = make("strong", {}, ...typeset(at ? say(`at.${at}`, { count: stops[stop] }) : stops[stop]));
    const head = make("tr", {}, make("th", {}, heading), ...columns.map((column) => make("td", {}, word(column))));
    readout.replaceChildren(lines.length ? make("table", {}, head, ...lines) : heading, lines.length ? "" : ` ${say("no_value")}`);
    pointer.removeAttribute("hidden");
    readout.hidden = false;
    place();
    const spoken = lines.map((line) => [...line.children].map((cell) => cell.textContent).join(" ")).join("; ");
    plot.setAttribute("aria-valuenow", stop);
    plot.setAttribute("aria-valuetext", `${heading.textContent}: ${spoken || say("no_value")}`);
  }

  /** Where the values stand: clear of the chart, and in the window; on a phone at its edge. */
  function place() {
    const box = plot.getBoundingClientRect(), height = readout.offsetHeight + 8;
    const below = innerHeight - box.bottom;
    readout.classList.toggle("above", below < height && (narrow.matches || box.top > below));
    readout.classList.toggle("leftward", box.left + box.width / 2 > innerWidth / 2);
  }

  function hide() {
    pointer.setAttribute("hidden", "");
    readout.hidden = true;
    if (told === hide) told = null;
  }

  function point(event) {
    const box = svg.getBoundingClientRect();
    const at = ((event.clientX - box.left) / box.width) * width;
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
document.addEventListener("pointerdown", (event) => { if (told && !event.target.closest(".plot")) told(); });

// One chart as wide as the page.
function enlarge(id) {
  for (const figure of document.querySelectorAll(".chart")) {
    const large = figure.id === id && !figure.classList.contains("large");
    figure.classList.toggle("large", large);
    figure.querySelector(".enlarge").setAttribute("aria-pressed", large);
  }
  keep("chart", document.querySelector(".chart.large")?.id);
}
for (const button of document.querySelectorAll(".enlarge")) button.addEventListener("click", () => enlarge(button.closest(".chart").id));
if (address.get("chart")) enlarge(address.get("chart"));
