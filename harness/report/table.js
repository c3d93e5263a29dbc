// Tables are sorted by the column whose head is pressed: numbers as numbers, once more the other way round.
{
  function sortable(cell) {
    const text = cell.textContent.replaceAll("\u2212", "-").replaceAll(",", "").replace(/(·?)10([⁻⁰¹²³⁴-⁹]+)/, (_, dot, power) =>
      (dot ? "e" : "1e") + [...power].map((c) => (c === "⁻" ? "-" : "⁰¹²³⁴⁵⁶⁷⁸⁹".indexOf(c))).join(""));
    return Number.isNaN(parseFloat(text)) ? null : parseFloat(text);
  }
  function before(a, b) {
    const [x, y] = [sortable(a), sortable(b)];
    if (x !== null && y !== null) return x - y;
    if (x !== null || y !== null) return x === null ? 1 : -1;
    return a.textContent.localeCompare(b.textContent);
  }
  for (const button of document.querySelectorAll("button.sort"))
    button.addEventListener("click", (event) => {
      event.stopPropagation();
      const head = button.closest("th"), table = head.closest("table");
      const turned = head.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", turned > 0 ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows].sort((a, b) => turned * before(a.cells[head.cellIndex], b.cells[head.cellIndex]));
      table.tBodies[0].append(...rows);
    });
}
