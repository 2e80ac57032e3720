/* The report: sortable and filtered table of scans, and the viewer of those that are inlined. */
"use strict";
(() => {
  const table = document.getElementById("cases");
  if (!table) return;
  const body = table.tBodies[0];
  const colours = JSON.parse(document.getElementById("label-colours").textContent);

  const key = (cell) => {
    const number = Number(cell.dataset.key);
    return cell.dataset.key !== "" && !Number.isNaN(number) ? number : cell.dataset.key;
  };
  for (const button of table.querySelectorAll("th button")) {
    button.addEventListener("click", () => {
      const head = button.closest("th");
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of table.querySelectorAll("th[aria-sort]")) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const rows = [...body.rows];
      rows.sort((one, two) => {
        const [a, b] = [key(one.cells[head.cellIndex]), key(two.cells[head.cellIndex])];
        const order = typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b), "en", { numeric: true });
        return down ? -order : order;
      });
      body.append(...rows);
    });
  }

  const search = document.getElementById("case-search");
  const model = document.getElementById("case-model");
  const filter = () => {
    const text = search.value.trim().toLowerCase();
    for (const row of body.rows) {
      const fits = row.dataset.case.toLowerCase().includes(text) && (!model || !model.value || row.dataset.model === model.value);
      row.hidden = !fits;
    }
  };
  search.addEventListener("input", filter);
  if (model) { model.addEventListener("change", filter); filter(); }

  const root = document.getElementById("viewer");
  let shown = null;
  async function show(name) {
    const data = document.getElementById("scan-" + name);
    if (!data) return;
    if (shown && shown.gl) {
      const lose = shown.gl.getExtension("WEBGL_lose_context");
      if (lose) lose.loseContext();
    }
    root.hidden = false;
    delete root.dataset.ready;
    for (const row of body.rows) row.classList.toggle("open", row.dataset.viewer === name);
    root.scrollIntoView({ block: "start" });
    try {
      shown = await siilViewer.open(root, JSON.parse(data.textContent), colours);
    } catch (error) {
      root.append(Object.assign(document.createElement("p"), { className: "missing", textContent: "The viewer failed: " + error.message }));
    }
  }
  for (const button of table.querySelectorAll("button[data-viewer]")) {
    button.addEventListener("click", () => show(button.dataset.viewer));
  }
  if (location.hash.startsWith("#view-")) show(location.hash.slice(6));
})();
