// Tables are sorted by the column whose name is pressed: numbers from the highest, words
// from A; once more the other way round; then as they were. What is unknown stays last.
for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const valueOf = (row, column, isWord) => {
    const text = row.cells[column].textContent.trim();
    if (text === "" || text === "–") return null;
    return isWord ? text : parseFloat(text.replaceAll(",", "").replace("−", "-").replace(/^[^\d.-]+/, ""));
  };
  const compare = (a, b) => typeof a === "string" ? a.localeCompare(b, undefined, {numeric: true}) : a - b;
  heads.forEach((head, column) => {
    if (!head.textContent) return;
    const isWord = head.classList.contains("word"), ways = ["none", "descending", "ascending"];
    if (isWord) ways.splice(1, 2, "ascending", "descending");
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const way = ways[(ways.indexOf(head.getAttribute("aria-sort") ?? "none") + 1) % 3];
      heads.forEach(one => one.removeAttribute("aria-sort"));
      if (way !== "none") head.setAttribute("aria-sort", way);
      const sign = way === "descending" ? -1 : 1, order = way === "none" ? () => 0 : (a, b) => {
        const [x, y] = [a, b].map(row => valueOf(row, column, isWord));
        return x === null || y === null ? (x === null) - (y === null) : sign * compare(x, y);
      };
      body.append(...rows.toSorted(order));
    });
  });
}
