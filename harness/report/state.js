// The page's state in its address: whoever gets the link sees what its sender saw.
const address = new URLSearchParams(location.search);
let writing = 0;

/** Keep a value under this name, or none. */
function keep(name, value) {
  if (value) address.set(name, value);
  else address.delete(name);
  clearTimeout(writing); // a browser takes only so many changes a second
  writing = setTimeout(() => history.replaceState(null, "", `?${address}${location.hash}`), 120);
}

/** The value that the address has under this name, if it is one of those. */
function kept(name, values) {
  const value = address.get(name);
  return values.includes(value) ? value : null;
}

// What is folded out.
const folds = [...document.querySelectorAll("details.fold")];
const folded = (address.get("open") ?? "").split(" ");
for (const fold of folds) {
  fold.open = folded.includes(fold.id);
  fold.addEventListener("toggle", () => keep("open", folds.filter((each) => each.open).map((each) => each.id).join(" ")));
}

/** The element that the address points to. */
const target = () => location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));

/** Fold out what holds it. */
function reveal() {
  const element = target();
  for (let at = element; at; at = at.parentElement?.closest("details")) if (at.matches("details")) at.open = true;
  if (element) element.scrollIntoView();
}
addEventListener("hashchange", reveal);
