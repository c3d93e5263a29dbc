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
  const pieces = [...document.querySelectorAll("main > .opening, main > section, main .slide")];
  // A section that is cut in slides is none itself; neither is what is folded away whole, as a study of tables alone.
  const folded = (piece) => ["missing", "provenance"].includes(piece.id) || (piece.closest("#studies") && !piece.querySelector(".chart, .facts, .forest"));
  const slides = pieces.filter((piece) => (piece.matches(".slide") || !piece.querySelector(".slide")) && !folded(piece));
  let slide = 0;

  function nameOf(piece) {
    return piece.id || piece.querySelector("[id]")?.id || String(slides.indexOf(piece));
  }

  /** As large as the window takes it, but no larger than twice, and never so that it must be moved sideways. */
  function fit() {
    const piece = slides[slide];
    piece.style.zoom = 1;
    const share = (innerHeight - presenter.offsetHeight - 8) / piece.scrollHeight;
    piece.style.zoom = Math.max(0.6, Math.min(2, share, innerWidth / Math.min(innerWidth, 1100)));
    if (root.scrollWidth > innerWidth) piece.style.zoom = Math.min(1, Math.max(0.6, share));
    // What stands above it takes room too, and lines break elsewhere when it is larger.
    for (let k = 0; k < 3; k++) {
      const { top, height } = piece.getBoundingClientRect(), room = innerHeight - presenter.offsetHeight - 16 - (top + scrollY);
      if (height <= room) break;
      piece.style.zoom = Math.max(0.6, (piece.style.zoom * room) / height);
    }
  }

  function present(k) {
    slides[slide].classList.remove("on");
    slides[slide].style.zoom = "";
    slide = Math.max(0, Math.min(slides.length - 1, k));
    for (const section of document.querySelectorAll("main > *")) section.classList.toggle("on", section.contains(slides[slide]));
    slides[slide].classList.add("on");
    document.getElementById("slide-place").value = `${slide + 1} / ${slides.length}`;
    keep("slide", nameOf(slides[slide]));
    scrollTo(0, 0);
    fit();
  }

  function setMode(on) {
    root.classList.toggle("projector", on);
    document.getElementById("projector").setAttribute("aria-pressed", on);
    presenter.hidden = !on;
    keep("mode", on ? "projector" : null);
    if (on) return present(slide);
    keep("slide", null);
    for (const piece of document.querySelectorAll("main .on")) piece.classList.remove("on");
    slides[slide].style.zoom = "";
    slides[slide].scrollIntoView();
  }

  document.getElementById("projector").addEventListener("click", () => {
    slide = Math.max(0, slides.findIndex((piece) => piece.getBoundingClientRect().bottom > 80));
    setMode(!root.classList.contains("projector"));
  });
  for (const [id, step] of [["slide-back", -1], ["slide-on", 1]])
    document.getElementById(id).addEventListener("click", () => present(slide + step));
  document.getElementById("slide-end").addEventListener("click", () => setMode(false));
  addEventListener("resize", () => { if (root.classList.contains("projector")) fit(); });
  for (const name of ["language", "model", "dataset"]) // a slide grows with the models that it shows
    document.addEventListener(name, () => { if (root.classList.contains("projector")) fit(); });
  addEventListener("keydown", (event) => {
    if (!root.classList.contains("projector") || document.querySelector("dialog[open]")) return;
    if (event.target.closest?.("input, select, summary, [role=slider], [role=application]") && event.key !== "PageUp" && event.key !== "PageDown") return;
    if (event.key === "Escape") return setMode(false);
    const step = { ArrowLeft: slide - 1, ArrowUp: slide - 1, PageUp: slide - 1, ArrowRight: slide + 1, ArrowDown: slide + 1, PageDown: slide + 1, Home: 0, End: slides.length - 1 }[event.key];
    if (step === undefined) return;
    event.preventDefault();
    present(step);
  });
  if (kept("mode", ["projector"])) {
    slide = Math.max(0, slides.findIndex((piece) => nameOf(piece) === address.get("slide")));
    setMode(true);
  }
}
