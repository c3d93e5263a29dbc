// One idea a screen, for a lecture: arrow keys go on and back, Escape leaves.
{
  const presenter = document.getElementById("presenter");
  // A section with several headings is as many slides.
  for (const section of document.querySelectorAll("main > section:not(:has(.slide))")) {
    const heads = [...section.children].filter((child) => child.matches("h3"));
    for (const head of heads.length > 1 ? heads : []) {
      const piece = make("div", { class: "slide" });
      head.before(piece);
      while (piece.nextSibling && !(piece.nextSibling !== head && piece.nextSibling.matches?.("h3"))) piece.append(piece.nextSibling);
    }
  }
  const pieces = [...document.querySelectorAll("main > section, main .slide")];
  // A section that is cut in slides is none itself; neither is what is folded away whole, as a study of tables alone.
  const folded = (piece) => ["missing", "provenance"].includes(piece.id) || (piece.closest("#studies") && !piece.querySelector(".chart, .facts, .forest"));
  const shown = pieces.filter((piece) => (piece.matches(".slide") || !piece.querySelector(".slide")) && !folded(piece));
  const more = (piece) => piece.closest("#studies, #benchmarks") !== null;

  /** What a piece shows by turns, a slide each, where all of it at once would be too small to read from afar. */
  function turnsOf(piece) {
    const rows = [...piece.querySelectorAll(".forest tbody")], count = Math.ceil(rows.length / 4);
    if (count > 1) return Array.from({ length: count }, (_, k) => rows.filter((_, i) => Math.floor((i * count) / rows.length) === k));
    if (piece.querySelector("#duel .measured")) return ["#duel .trial", "#duel .measured"].map((name) => [...piece.querySelectorAll(name)]);
    const bars = [...piece.querySelectorAll('[id^="step-"]')]; // with words below each
    if (bars.length > 1) return bars.map((chart) => [chart]);
    const groups = [...piece.querySelectorAll(":scope > .group:not(.half)")];
    return groups.length > 1 ? groups.map((group) => [group]) : [[]];
  }

  // The tour, and behind it the studies and benchmarks, which are a tour of their own.
  const slides = shown.flatMap((piece) => turnsOf(piece).map((turn, part, turns) => ({ piece, turn, part, turns })));
  const ends = [slides.findIndex(({ piece }) => more(piece)), slides.length].filter((end) => end > 0);
  const place = (id) => document.getElementById(`slide-${id}`);
  let slide = 0, left = 0; // left: where the tour was left for the other

  const nameOf = ({ piece, part }) => (piece.id || piece.querySelector("[id]")?.id || String(shown.indexOf(piece))) + (part ? `.${part + 1}` : "");
  const tourOf = (k) => { const end = ends.find((each) => k < each); return { first: ends[ends.indexOf(end) - 1] ?? 0, end }; };

  /** Hide what has another turn; a group of charts lends the shown one its legend, axes and caption if that has none. */
  function take({ turn, turns }) {
    for (const other of turns.flat()) {
      const off = !turn.includes(other);
      if (!other.matches(".group")) { other.classList.toggle("off", off); continue; }
      for (const child of other.children) child.classList.toggle("off", off && (child.matches(".charts") || turn[0].querySelector(`:scope > .${child.classList[0]}`) !== null));
    }
  }
  const untake = ({ piece }) => { for (const off of piece.querySelectorAll(".off")) off.classList.remove("off"); };

  const SMALLEST = 14; // pixels, of what has to be read from afar

  /** The smallest letters of a slide at its own size: of words, not of formulas. */
  function smallest(piece) {
    let least = SMALLEST * 2;
    for (const walk = document.createTreeWalker(piece, NodeFilter.SHOW_TEXT); walk.nextNode();) {
      const { parentElement: at, textContent } = walk.currentNode;
      if (textContent.trim() && !at.closest("math, sub, svg, .unseen") && at.checkVisibility()) least = Math.min(least, parseFloat(getComputedStyle(at).fontSize));
    }
    return least;
  }

  /** Letters of drawings, which grow and shrink with these, never smaller either. */
  function enlargeLetters(piece) {
    for (const svg of piece.querySelectorAll("svg:has(text)")) {
      const scale = svg.getBoundingClientRect().width / svg.viewBox.baseVal.width;
      if (scale) svg.style.setProperty("--letters", `${(SMALLEST / scale).toFixed(2)}px`);
    }
  }

  /** As large as the window takes it, but no larger than twice, never so that it must be moved sideways, and readable. */
  function fit() {
    const { piece } = slides[slide], { style } = piece;
    const room = () => innerHeight - presenter.offsetHeight - 16 - (piece.getBoundingClientRect().top + scrollY);
    style.zoom = 1;
    const least = SMALLEST / smallest(piece), share = room() / piece.scrollHeight;
    if (piece.querySelector(".charts")) fitCharts(piece, room, least);
    else {
      style.zoom = Math.max(least, Math.min(2, share, innerWidth / Math.min(innerWidth, 1100)));
      if (root.scrollWidth > innerWidth) style.zoom = Math.min(1, Math.max(least, share));
      // What stands above it takes room too, and lines break elsewhere when it is larger.
      for (let k = 0; k < 3; k++) {
        const { height } = piece.getBoundingClientRect();
        if (height <= room()) break;
        style.zoom = Math.max(least, (style.zoom * room()) / height);
      }
    }
    enlargeLetters(piece);
  }

  /** Words as large as the window asks for, and charts as wide as then fit below them. */
  function fitCharts(piece, room, least) {
    for (const zoom of [Math.max(1, Math.min(2, innerWidth / 1100, innerHeight / 720)), least]) {
      piece.style.zoom = zoom;
      for (let wide = 900; wide > 150; wide *= 0.93) {
        piece.style.setProperty("--wide", `${wide}px`);
        if (piece.getBoundingClientRect().height <= room() && root.scrollWidth <= innerWidth) return;
      }
    }
  }

  function present(k) {
    untake(slides[slide]);
    slides[slide].piece.classList.remove("on");
    slides[slide].piece.style.zoom = "";
    const { first, end } = tourOf(Math.max(0, Math.min(slides.length - 1, k)));
    slide = Math.max(first, Math.min(end - 1, k));
    const { piece } = slides[slide];
    for (const section of document.querySelectorAll("main > *")) section.classList.toggle("on", section.contains(piece));
    piece.classList.add("on");
    take(slides[slide]);
    place("place").value = `${slide - first + 1} / ${end - first}`;
    place("more").hidden = ends.length < 2;
    place("more").setAttribute("aria-pressed", first > 0);
    keep("slide", nameOf(slides[slide]));
    scrollTo(0, 0);
    fit();
  }

  /** On or back by one, in the tour that one is in. */
  function turn(step) {
    const { first, end } = tourOf(slide);
    present(Math.max(first, Math.min(end - 1, slide + step)));
  }

  function setMode(on) {
    root.classList.toggle("projector", on);
    document.getElementById("projector").setAttribute("aria-pressed", on);
    presenter.hidden = !on;
    keep("mode", on ? "projector" : null);
    if (on) return present(slide);
    keep("slide", null);
    for (const piece of document.querySelectorAll("main .on")) piece.classList.remove("on");
    untake(slides[slide]);
    slides[slide].piece.style.zoom = "";
    slides[slide].piece.scrollIntoView();
  }

  document.getElementById("projector").addEventListener("click", () => {
    slide = Math.max(0, slides.findIndex(({ piece }) => piece.getBoundingClientRect().bottom > 80));
    setMode(!root.classList.contains("projector"));
  });
  for (const [id, step] of [["back", -1], ["on", 1]]) place(id).addEventListener("click", () => turn(step));
  place("more").addEventListener("click", () => {
    const [start] = ends, back = slide >= start;
    if (!back) left = slide;
    present(back ? left : start);
  });
  place("end").addEventListener("click", () => setMode(false));
  const name = () => { for (const id of ["back", "on"]) place(id).ariaLabel = place(id).title = say(`slide_${id}`); };
  document.addEventListener("language", name);
  name();
  addEventListener("resize", () => { if (root.classList.contains("projector")) fit(); });
  for (const name of ["language", "model", "dataset"]) // a slide grows with the models that it shows
    document.addEventListener(name, () => { if (root.classList.contains("projector")) fit(); });
  addEventListener("keydown", (event) => {
    if (!root.classList.contains("projector") || document.querySelector("dialog[open]")) return;
    if (event.key === "Escape") return setMode(false);
    if (event.target.closest?.("input, select, summary, [role=slider], [role=application]") && event.key !== "PageUp" && event.key !== "PageDown") return;
    const step = { ArrowLeft: -1, ArrowUp: -1, PageUp: -1, ArrowRight: 1, ArrowDown: 1, PageDown: 1, Home: -slides.length, End: slides.length }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    turn(step);
  });
  if (kept("mode", ["projector"])) {
    slide = Math.max(0, slides.findIndex((each) => nameOf(each) === address.get("slide")));
    setMode(true);
  }
}
